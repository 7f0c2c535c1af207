//! How single lines ended on either side, and why.

use std::collections::BTreeMap;

use super::super::tables::TABLES;
use super::SeedTables;
use super::place;
use crate::observe::{BecauseId, Catalog};
use crate::verdict::{FATES, LineEnd, OUTCOMES, Report};

/// How a line ended, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// What its producer was told.
    pub outcome: String,
    /// What became of it.
    pub fate: String,
    /// Whether it counts as lost.
    pub lost: bool,
    /// Why, and where, if it is lost or gone.
    pub why: String,
}

impl End {
    /// In one line: `acked, gone: unsynced-mirror-promoted, on n2`.
    #[must_use]
    pub fn words(&self) -> String {
        let told = [self.outcome.as_str(), self.fate.as_str()];
        let told: Vec<&str> = told.into_iter().filter(|word| !word.is_empty()).collect();
        let told = told.join(", ");
        if self.why.is_empty() { told } else { format!("{told}: {}", self.why) }
    }
}

/// Lines of one track that ended alike: from, behind the last, which end.
type Stretch = (u64, u64, usize);

/// Lines over which neither side changes: from, behind the last, which end on either side.
type Joined = (u64, u64, (Option<usize>, Option<usize>));

/// How all lines of a run ended, as far as that is known.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    ends: Vec<End>,
    /// By producer and destination, in order, without overlap.
    tracks: BTreeMap<(String, String), Vec<Stretch>>,
    /// Whether every line is in it; if not, lines that are not in it were not lost.
    complete: bool,
    /// Whether every range is exact; ranges of `loss.csv` may have holes.
    exact: bool,
}

/// What no broker had to do with.
const ON_ITS_WAY: &str = "lost on its way";

impl Ends {
    /// Of a run whose report says how every line ended.
    pub(super) fn of(report: &Report) -> Ends {
        let mut ends = Ends::none(true);
        let mut known: Vec<LineEnd> = Vec::new();
        for run in &report.lines {
            let at = known.iter().position(|end| *end == run.end).unwrap_or_else(|| {
                known.push(run.end);
                ends.ends.push(end(&report.catalog, &run.end));
                known.len() - 1
            });
            let producer = report.catalog.producer(run.producer).to_owned();
            let destination = run.destination.map(|id| report.catalog.destination(id));
            let track = (producer, destination.unwrap_or("").to_owned());
            let from = u64::from(run.first);
            let stretch = (from, from + u64::from(run.count), at);
            ends.tracks.entry(track).or_default().push(stretch);
        }
        ends
    }

    /// From the rows of `loss.csv`: only lines that were lost, by what their producer was told.
    pub(super) fn read(rows: &[Vec<String>]) -> Ends {
        let column = |name: &str| {
            let columns = TABLES[place("loss.csv")].columns();
            columns.iter().position(|column| column.name == name).expect("it is a column")
        };
        let [class, cause, because, node, producer, destination, first, last, count] = [
            "class",
            "cause",
            "because",
            "node",
            "producer",
            "destination",
            "first_sequence",
            "last_sequence",
            "count",
        ]
        .map(column);
        let mut ends = Ends::none(false);
        for row in rows {
            // The other classes count lines once more.
            let outcome = row[class].trim_end_matches("_lost");
            if !matches!(outcome, "acked" | "accepted" | "unknown") {
                continue;
            }
            let end = End {
                outcome: outcome.to_owned(),
                fate: "lost".to_owned(),
                lost: true,
                why: why(&row[cause], &row[because], &row[node]),
            };
            let at = ends.ends.iter().position(|known| *known == end).unwrap_or_else(|| {
                ends.ends.push(end);
                ends.ends.len() - 1
            });
            let number = |column: usize| row[column].parse::<u64>().unwrap_or(0);
            let (from, to) = (number(first), number(last) + 1);
            ends.exact &= number(count) == to - from;
            let track = (row[producer].clone(), row[destination].clone());
            ends.tracks.entry(track).or_default().push((from, to, at));
        }
        for stretches in ends.tracks.values_mut() {
            stretches.sort_unstable();
            // Rows with holes may overlap; a line is told once.
            let mut behind = 0;
            for stretch in stretches.iter_mut() {
                stretch.0 = stretch.0.max(behind);
                stretch.1 = stretch.1.max(stretch.0);
                behind = stretch.1;
            }
            stretches.retain(|stretch| stretch.0 < stretch.1);
        }
        ends
    }

    fn none(complete: bool) -> Ends {
        Ends { ends: Vec::new(), tracks: BTreeMap::new(), complete, exact: true }
    }

    /// How lines ended that are not in it.
    fn others(&self) -> Option<End> {
        let fate = "not lost".to_owned();
        let end = End { outcome: String::new(), fate, lost: false, why: String::new() };
        (!self.complete).then_some(end)
    }
}

fn end(catalog: &Catalog, end: &LineEnd) -> End {
    let cause = end.cause.map_or("", |id| catalog.causes[id.index()].name);
    let because = match end.because {
        BecauseId::NONE => "",
        id => catalog.conditions[id.index()],
    };
    let node = end.node.map_or("", |id| catalog.node(id));
    let told = end.lost || end.cause.is_some();
    End {
        outcome: OUTCOMES[end.outcome as usize].to_owned(),
        fate: FATES[end.fate as usize].to_owned(),
        lost: end.lost,
        why: if told { why(cause, because, node) } else { String::new() },
    }
}

fn why(cause: &str, because: &str, node: &str) -> String {
    let mut why = if cause.is_empty() { ON_ITS_WAY } else { cause }.to_owned();
    if !because.is_empty() {
        why += &format!(" because {because}");
    }
    if !node.is_empty() {
        why += &format!(" on {node}");
    }
    why
}

/// What lines on the two sides have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Lost in A, not in B.
    LostOnlyInA,
    /// Lost in B, not in A.
    LostOnlyInB,
    /// Lost in both, for the same reason or not.
    LostInBoth,
    /// Not lost in either, but what became of them differs.
    OtherFate,
    /// What became of them is the same, what their producer was told differs.
    OtherOutcome,
    /// Never attempted in B.
    OnlyInA,
    /// Never attempted in A.
    OnlyInB,
}

impl Kind {
    /// The words for it in files.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Kind::LostOnlyInA => "lost only in A",
            Kind::LostOnlyInB => "lost only in B",
            Kind::LostInBoth => "lost in both",
            Kind::OtherFate => "other fate",
            Kind::OtherOutcome => "other outcome",
            Kind::OnlyInA => "only in A",
            Kind::OnlyInB => "only in B",
        }
    }
}

/// Lines that differ between the sides in the same way, over all seeds.
#[derive(Clone, Debug)]
pub struct Difference {
    /// In which way.
    pub kind: Kind,
    /// How they ended in A; `None` if they are not there.
    pub first: Option<End>,
    /// How they ended in B.
    pub second: Option<End>,
    /// How many lines.
    pub lines: u64,
    /// In how many seeds.
    pub seeds: u64,
    /// The first of them: seed, producer, destination, first and last sequence number.
    pub example: (u64, String, String, u64, u64),
}

/// How lines ended on either side.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// In how many seeds both sides say so.
    pub seeds: usize,
    /// Lines that ended alike on both sides and were not lost; only where all lines are known.
    pub alike: u64,
    /// The others, by kind and then the most first.
    pub differences: Vec<Difference>,
    /// Whether the counts are exact, or at most so great: rows of `loss.csv` may have holes.
    pub exact: bool,
    /// Whether every line of every seed is known, or only those that were lost.
    pub complete: bool,
}

impl Lines {
    /// How many lines differ in this way.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.differences.iter().filter(|one| one.kind == kind).map(|one| one.lines).sum()
    }

    /// Lines whose fate differs and of which a side lost without saying why.
    #[must_use]
    pub fn unexplained(&self) -> u64 {
        let silent = |end: &Option<End>| end.as_ref().is_some_and(|e| e.lost && e.why.is_empty());
        let of = |one: &&Difference| silent(&one.first) || silent(&one.second);
        self.differences.iter().filter(of).map(|one| one.lines).sum()
    }
}

/// Compares every line of every pair.
pub(super) fn compare(pairs: &[(&SeedTables, &SeedTables)]) -> Lines {
    let mut found: BTreeMap<(Kind, Option<End>, Option<End>), Difference> = BTreeMap::new();
    let mut lines = Lines { exact: true, complete: true, ..Lines::default() };
    for (a, b) in pairs {
        let (Some(first), Some(second)) = (&a.ends, &b.ends) else { continue };
        lines.seeds += 1;
        lines.exact &= first.exact && second.exact;
        lines.complete &= first.complete && second.complete;
        let mut here = Vec::new();
        let mut tracks: Vec<_> = first.tracks.keys().chain(second.tracks.keys()).collect();
        tracks.sort_unstable();
        tracks.dedup();
        for track in tracks {
            let of = |ends: &Ends| ends.tracks.get(track).cloned().unwrap_or_default();
            for (from, to, ends) in join(&of(first), &of(second)) {
                let named = |side: &Ends, end: Option<usize>| {
                    end.map_or_else(|| side.others(), |end| Some(side.ends[end].clone()))
                };
                let pair = (named(first, ends.0), named(second, ends.1));
                let Some(kind) = kind(&pair) else {
                    lines.alike += to - from;
                    continue;
                };
                let key = (kind, pair.0, pair.1);
                let (producer, destination) = track.clone();
                let one = found.entry(key.clone()).or_insert_with(|| Difference {
                    kind,
                    first: key.1.clone(),
                    second: key.2.clone(),
                    lines: 0,
                    seeds: 0,
                    example: (a.seed, producer, destination, from, to - 1),
                });
                one.lines += to - from;
                if !here.contains(&key) {
                    one.seeds += 1;
                    here.push(key);
                }
            }
        }
    }
    lines.differences = found.into_values().collect();
    lines.differences.sort_by_key(|one| (one.kind, std::cmp::Reverse(one.lines)));
    lines
}

/// In which way two ends differ; `None` if they do not, and the line was not lost.
fn kind((first, second): &(Option<End>, Option<End>)) -> Option<Kind> {
    let (first, second) = match (first, second) {
        (Some(first), Some(second)) => (first, second),
        (Some(_), None) => return Some(Kind::OnlyInA),
        _ => return Some(Kind::OnlyInB),
    };
    match (first.lost, second.lost) {
        (true, true) => Some(Kind::LostInBoth),
        (true, false) => Some(Kind::LostOnlyInA),
        (false, true) => Some(Kind::LostOnlyInB),
        _ if first.fate != second.fate => Some(Kind::OtherFate),
        _ if first.outcome != second.outcome => Some(Kind::OtherOutcome),
        _ => None,
    }
}

/// Walks two tracks side by side: stretches over which neither side changes, with the end on either.
fn join(a: &[Stretch], b: &[Stretch]) -> Vec<Joined> {
    let mut joined = Vec::new();
    let (mut i, mut j, mut at) = (0, 0, 0);
    while i < a.len() || j < b.len() {
        let (first, second) = (a.get(i), b.get(j));
        let covers = |stretch: Option<&Stretch>| stretch.filter(|s| s.0 <= at).map(|s| s.2);
        let ends = (covers(first), covers(second));
        let next = |stretch: Option<&Stretch>| {
            stretch.map_or(u64::MAX, |s| if s.0 <= at { s.1 } else { s.0 })
        };
        let to = next(first).min(next(second));
        if ends != (None, None) {
            joined.push((at, to, ends));
        }
        at = to;
        i += usize::from(first.is_some_and(|s| s.1 <= at));
        j += usize::from(second.is_some_and(|s| s.1 <= at));
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tracks_are_walked_side_by_side() {
        let a = [(0, 10, 0), (10, 12, 1), (20, 30, 0)];
        let b = [(5, 11, 7), (25, 40, 8)];
        let wanted = [
            (0, 5, (Some(0), None)),
            (5, 10, (Some(0), Some(7))),
            (10, 11, (Some(1), Some(7))),
            (11, 12, (Some(1), None)),
            (20, 25, (Some(0), None)),
            (25, 30, (Some(0), Some(8))),
            (30, 40, (None, Some(8))),
        ];
        assert_eq!(join(&a, &b), wanted);
        assert_eq!(join(&[], &[]), []);
    }

    proptest! {
        /// Against the definition: for every single line what either side says of it.
        #[test]
        fn every_line_is_there_once(
            a in prop::collection::vec((0_u64..6, 1_u64..6, 0_usize..3), 0..12),
            b in prop::collection::vec((0_u64..6, 1_u64..6, 0_usize..3), 0..12),
        ) {
            let track = |gaps: &[(u64, u64, usize)]| {
                let mut at = 0;
                let stretch = |&(gap, length, end): &(u64, u64, usize)| {
                    let from = at + gap;
                    at = from + length;
                    (from, at, end)
                };
                gaps.iter().map(stretch).collect::<Vec<Stretch>>()
            };
            let (a, b) = (track(&a), track(&b));
            let of = |track: &[Stretch], line: u64| {
                track.iter().find(|s| s.0 <= line && line < s.1).map(|s| s.2)
            };
            let joined = join(&a, &b);
            let mut lines = BTreeMap::new();
            for (from, to, ends) in joined {
                for line in from..to {
                    prop_assert!(lines.insert(line, ends).is_none());
                }
            }
            for line in 0..200 {
                let wanted = (of(&a, line), of(&b, line));
                let found = lines.get(&line).copied().unwrap_or((None, None));
                prop_assert_eq!(found, wanted, "line {}", line);
            }
        }
    }
}
