//! What many seeds of one scenario came to: of every seed only what the table of `mqsim check`
//! needs, a few words an expectation.

use super::{is_defective, verdict};
use crate::verdict::{Judged, Report, Unit, Verdict};

/// Something that a scenario expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// As the scenario says it: `success_lost <= 0`.
    pub text: String,
    /// What its bounds and measurements are counted in.
    pub unit: Unit,
}

/// What became of one seed.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    /// The verdict on every expectation, and what was measured.
    judged: Vec<(Verdict, Option<f64>)>,
    standing: Standing,
}

/// How a seed or a scenario stands, by what matters more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Every expectation holds.
    Holds,
    /// It cannot be said of every one.
    Undecided,
    /// One is broken.
    Broken,
    /// mqsim itself failed, or lost a message without a cause.
    Failed,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Standing::Holds => "holds",
            Standing::Undecided => "undecided",
            Standing::Broken => "broken",
            Standing::Failed => "failed",
        }
    }
}

/// The first seed that does not hold, with all that there is to say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct First {
    /// Its place among the seeds.
    pub index: usize,
    /// How it stands.
    pub standing: Standing,
    /// The expectations that do not hold.
    pub judged: Vec<Judged>,
    /// What failed, if it is mqsim itself.
    pub trouble: Option<String>,
}

/// Counts of one expectation over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// In how many seeds it holds.
    pub holds: u64,
    /// In how many it is undecided.
    pub undecided: u64,
    /// In how many it is broken.
    pub broken: u64,
    /// The least and the greatest value that was measured.
    pub range: Option<(f64, f64)>,
}

/// The seeds of one scenario, as far as they are done. What it holds in the end does not depend on
/// the order in which they were.
#[derive(Clone, Debug)]
pub struct Tally {
    expected: Vec<Expected>,
    seeds: Vec<u64>,
    rows: Vec<Option<Row>>,
    left: usize,
    first: Option<First>,
}

impl Tally {
    /// None of the seeds is done yet.
    #[must_use]
    pub fn new(expected: Vec<Expected>, seeds: Vec<u64>) -> Tally {
        let left = seeds.len();
        Tally { expected, rows: vec![None; left], seeds, left, first: None }
    }

    /// The seed at `index` is done.
    pub fn add(&mut self, index: usize, result: Result<Report, String>) {
        let (row, judged, trouble) = match result {
            Ok(report) => {
                let trouble = is_defective(&report).then(|| defect(&report));
                let standing = match verdict(&report) {
                    _ if trouble.is_some() => Standing::Failed,
                    Verdict::Holds => Standing::Holds,
                    Verdict::Undecided => Standing::Undecided,
                    Verdict::Broken => Standing::Broken,
                };
                let judged = report.expectations.iter().map(|j| (j.verdict, j.value)).collect();
                (Row { judged, standing }, report.expectations, trouble)
            }
            Err(message) => {
                let row = Row { judged: Vec::new(), standing: Standing::Failed };
                (row, Vec::new(), Some(message))
            }
        };
        if row.standing != Standing::Holds && self.precedes(index, row.standing) {
            let standing = row.standing;
            let judged = judged.into_iter().filter(|j| j.verdict != Verdict::Holds).collect();
            self.first = Some(First { index, standing, judged, trouble });
        }
        if self.rows[index].replace(row).is_none() {
            self.left -= 1;
        }
    }

    /// Whether a seed tells more than the one that is kept: what is worse does, then what is
    /// earlier.
    fn precedes(&self, index: usize, standing: Standing) -> bool {
        self.first.as_ref().is_none_or(|first| {
            standing > first.standing || (standing == first.standing && index < first.index)
        })
    }

    /// Whether all seeds are done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// How many seeds there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seeds.len()
    }

    /// Whether there are no seeds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seeds.is_empty()
    }

    /// How the scenario stands: as its worst seed.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let standings = self.rows.iter().flatten().map(|row| row.standing);
        standings.max().unwrap_or(Standing::Undecided)
    }

    /// In how many seeds it stands like this.
    #[must_use]
    pub fn count(&self, standing: Standing) -> u64 {
        self.rows.iter().flatten().filter(|row| row.standing == standing).count() as u64
    }

    /// The seeds that stand like this, in their order.
    pub fn seeds(&self, standing: Standing) -> impl Iterator<Item = u64> {
        let rows = self.seeds.iter().zip(&self.rows);
        rows.filter(move |(_, row)| row.as_ref().is_some_and(|row| row.standing == standing))
            .map(|(seed, _)| *seed)
    }

    /// Of the worst seeds the first, with its number, unless all hold.
    #[must_use]
    pub fn first(&self) -> Option<(u64, &First)> {
        self.first.as_ref().map(|first| (self.seeds[first.index], first))
    }

    /// Every expectation with its counts.
    pub fn counts(&self) -> impl Iterator<Item = (&Expected, Count)> {
        self.expected.iter().enumerate().map(|(at, expected)| {
            let mut count = Count::default();
            for (verdict, value) in self.rows.iter().flatten().filter_map(|row| row.judged.get(at))
            {
                match verdict {
                    Verdict::Holds => count.holds += 1,
                    Verdict::Undecided => count.undecided += 1,
                    Verdict::Broken => count.broken += 1,
                }
                if let Some(value) = *value {
                    let (least, most) = count.range.unwrap_or((value, value));
                    count.range = Some((least.min(value), most.max(value)));
                }
            }
            (expected, count)
        })
    }
}

/// What a defective report shows.
fn defect(report: &Report) -> String {
    let (lost, contradictions) = (report.summary.unexplained, report.inconsistencies);
    match (lost, contradictions) {
        (0, _) => format!("the cluster contradicted itself: {contradictions} times"),
        (1, _) => "1 line was lost without a cause".to_owned(),
        (lost, _) => format!("{lost} lines were lost without a cause"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn tally() -> Tally {
        let expected = Expected { text: "success_lost <= 0".to_owned(), unit: Unit::Lines };
        Tally::new(vec![expected], (10..16).collect())
    }

    fn results() -> Vec<Result<Report, String>> {
        let mut undecided = fixture::quiet_run();
        undecided.expectations[0].verdict = Verdict::Undecided;
        vec![
            Ok(fixture::quiet_run()),
            Ok(undecided),
            Ok(fixture::quiet_run()),
            Ok(fixture::crash_run()),
            Ok(fixture::crash_run()),
            Ok(fixture::quiet_run()),
        ]
    }

    #[test]
    fn the_order_in_which_seeds_are_done_does_not_matter() {
        let (mut up, mut down) = (tally(), tally());
        for (index, result) in results().into_iter().enumerate() {
            assert!(!up.is_complete());
            up.add(index, result);
        }
        for (index, result) in results().into_iter().enumerate().rev() {
            down.add(index, result);
        }
        assert!(up.is_complete() && down.is_complete());
        for tally in [&up, &down] {
            assert_eq!(tally.standing(), Standing::Broken);
            assert_eq!((tally.count(Standing::Holds), tally.count(Standing::Undecided)), (3, 1));
            assert_eq!(tally.seeds(Standing::Broken).collect::<Vec<_>>(), [13, 14]);
            let (seed, first) = tally.first().unwrap();
            assert_eq!((seed, first.judged[0].measured.as_str()), (13, "40 lines"));
            let (_, count) = tally.counts().next().unwrap();
            let wanted = Count { holds: 3, undecided: 1, broken: 2, range: Some((0.0, 40.0)) };
            assert_eq!(count, wanted);
        }
    }

    #[test]
    fn what_mqsim_itself_fails_at_comes_first() {
        let mut tally = tally();
        for (index, result) in results().into_iter().enumerate() {
            tally.add(index, result);
        }
        let mut unexplained = fixture::quiet_run();
        unexplained.summary.unexplained = 2;
        tally.add(5, Ok(unexplained));
        let (seed, first) = tally.first().unwrap();
        assert_eq!((seed, tally.standing()), (15, Standing::Failed));
        assert_eq!(first.trouble.as_deref(), Some("2 lines were lost without a cause"));
        tally.add(2, Err("it ran away".to_owned()));
        assert_eq!(tally.first().unwrap().1.trouble.as_deref(), Some("it ran away"));
    }
}
