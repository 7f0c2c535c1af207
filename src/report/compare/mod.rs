//! What changed between two configurations, A and B, seed by seed.
//!
//! Both sides are tables: the rows of report folders, or those that such a folder would have. Two
//! scenarios are simulated under the same seeds, so both meet the same draws; of these it is known
//! besides how every single line ended.

mod files;
mod lines;
mod prose;
mod side;
mod tolerance;
mod windows;

pub use files::MARK;
pub(super) use files::SHEETS;
pub use lines::{Difference, End, Kind, Lines};
pub use prose::{Block, MARKDOWN, blocks, markdown};
pub use side::{ReadError, SeedTables, Side};
pub use tolerance::{Limit, Tolerance, tolerances};
pub use windows::{Pair, Window};

use super::tables::TABLES;
use super::{File, PlotError, plot};
use crate::statistics::paired::Change;
use crate::verdict::{Better, METRICS, Metric, Unit};

/// How a metric changed from A to B.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Which metric.
    pub metric: &'static Metric,
    /// Over the seeds in which both sides measured it; `None` if there is none.
    pub change: Option<Change>,
    /// In how many seeds only A measured it, and only B.
    pub alone: (usize, usize),
    /// What was allowed, if anything was said of it.
    pub tolerance: Option<Tolerance>,
    /// What it comes to.
    pub standing: Standing,
}

/// What a change comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The same in every seed.
    Same,
    /// It differs, and is not a matter of better or worse, or is about even.
    Differs,
    /// Better on average.
    Better,
    /// Worse on average; nothing was said of it, or it is within its tolerance.
    Worse,
    /// It has a tolerance, and was not measured on both sides.
    Undecided,
    /// Worse on average by more than is tolerated.
    Regression,
}

impl Standing {
    /// The word for it in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Standing::Same => "same",
            Standing::Differs => "differs",
            Standing::Better => "better",
            Standing::Worse => "worse",
            Standing::Undecided => "undecided",
            Standing::Regression => "regression",
        }
    }
}

impl Changed {
    /// Whether it is more than noise: the interval of the median excludes 0, or something was lost
    /// on one side only, which no luck explains.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let Some(change) = &self.change else { return false };
        let interval = change.difference.interval.is_some_and(|i| i.low > 0.0 || i.high < 0.0);
        interval || (self.is_loss() && (change.first == 0.0) != (change.second == 0.0))
    }

    /// Whether it counts what somebody was told is safe, or had read: of what is unknown to the
    /// producer nothing was promised.
    fn is_loss(&self) -> bool {
        let name = self.metric.name;
        let counts = name == "success_gone" || (name.ends_with("_lost") && name != "unknown_lost");
        self.metric.better == Better::Less && counts
    }

    /// Losses before outages before latency before disorder before costs.
    fn kind(&self) -> u8 {
        match (self.metric.unit, self.metric.better) {
            (Unit::Violations, _) => 0,
            _ if self.is_loss() => 1,
            (Unit::Share, _) => 2,
            (Unit::Milliseconds, _) => 3,
            (Unit::Microseconds, _) => 4,
            (Unit::Lines, Better::Less) => 5,
            _ => 6,
        }
    }

    /// What comes first when changes are told: the worst, of these by kind, and of a kind the
    /// greatest in proportion.
    fn weight(&self) -> (std::cmp::Reverse<Standing>, u8, u64) {
        let standing = match self.standing {
            // What could not be measured is worth a look before what is merely different.
            Standing::Better => Standing::Same,
            standing => standing,
        };
        let share = self.change.as_ref().map_or(0.0, |change| {
            let most = change.first.abs().max(change.second.abs());
            if most > 0.0 { (change.second - change.first).abs() / most } else { 0.0 }
        });
        (std::cmp::Reverse(standing), self.kind(), u64::MAX - (share * 1e9) as u64)
    }
}

/// A percentile of a latency series on both sides, means over the seeds in which both have it.
#[derive(Clone, Debug)]
pub struct Percentile {
    /// As in `latency.csv`.
    pub series: String,
    /// As in `latency.csv`.
    pub percentile: String,
    /// Microseconds.
    pub change: Change,
}

/// Where the histories of the two sides part, in one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// Which seed.
    pub seed: u64,
    /// How many reports of machines (or rows of `events.csv`) are the same before.
    pub same: u64,
    /// What comes next in A, in words; `None` if nothing does.
    pub first: Option<String>,
    /// What comes next in B.
    pub second: Option<String>,
}

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The two sides.
    pub sides: [Side; 2],
    /// The seeds that both have.
    pub seeds: Vec<u64>,
    /// A seed of A and one of B, if such a pair is compared; it goes by the seed of A.
    pub pair: Option<[u64; 2]>,
    /// Whether every row of every table is the same on both sides.
    pub identical: bool,
    /// Every metric that is a column of `summary.csv`.
    pub metrics: Vec<Changed>,
    /// Latency side by side.
    pub latency: Vec<Percentile>,
    /// How lines ended on either side.
    pub lines: Lines,
    /// Unavailability windows side by side.
    pub windows: Vec<Pair>,
    /// The first report in which two runs differ, if they were simulated.
    pub parted: Option<Parted>,
    /// The first row of `events.csv` that differs.
    pub event: Option<Parted>,
}

impl Comparison {
    /// Compares two sides by the seeds that both have, which must be one at least.
    #[must_use]
    pub fn new(sides: [Side; 2], tolerances: &[Tolerance], parted: Option<Parted>) -> Comparison {
        let [first, second] = &sides;
        let pairs: Vec<(&SeedTables, &SeedTables)> = first
            .seeds
            .iter()
            .filter_map(|a| Some((a, second.seeds.iter().find(|b| b.seed == a.seed)?)))
            .collect();
        let metrics = METRICS.iter().filter(|metric| metric.column);
        let metrics = metrics.map(|metric| changed(metric, &pairs, tolerances)).collect();
        let same = |(a, b): &(&SeedTables, &SeedTables)| a.same_as(b);
        Comparison {
            seeds: pairs.iter().map(|(a, _)| a.seed).collect(),
            pair: None,
            identical: first.seeds.len() == second.seeds.len()
                && pairs.len() == first.seeds.len()
                && pairs.iter().all(same),
            metrics,
            latency: latency(&pairs),
            lines: lines::compare(&pairs),
            windows: windows::align(&pairs),
            event: pairs.iter().find_map(|(a, b)| first_event(a, b)),
            parted,
            sides,
        }
    }

    /// The same, of a seed of A and one of B.
    #[must_use]
    pub fn of_seeds(self, pair: Option<[u64; 2]>) -> Comparison {
        Comparison { pair, ..self }
    }

    /// The worst that any metric comes to.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.metrics.iter().map(|changed| changed.standing).max().unwrap_or(Standing::Same)
    }

    /// The files of the comparison's folder.
    ///
    /// # Errors
    /// [`PlotError`] if the plot cannot be drawn, which is a defect of mqsim.
    pub fn files(&self) -> Result<Vec<File>, PlotError> {
        let mut files = files::tables(self);
        if let Some(svg) = plot::overlay_svg(self)? {
            files.push(File { name: "overlay.svg".to_owned(), bytes: svg.into_bytes() });
        }
        Ok(files)
    }
}

/// How a metric changed.
fn changed(
    metric: &'static Metric,
    pairs: &[(&SeedTables, &SeedTables)],
    tolerances: &[Tolerance],
) -> Changed {
    let measured: Vec<_> =
        pairs.iter().map(|(a, b)| (a.metric(metric.name), b.metric(metric.name))).collect();
    let both: Vec<(f64, f64)> = measured.iter().filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
    let only_a = measured.iter().filter(|(a, b)| a.is_some() && b.is_none()).count();
    let only_b = measured.iter().filter(|(a, b)| a.is_none() && b.is_some()).count();
    let change = Change::of(&both);
    let tolerance = tolerances.iter().find(|tolerance| tolerance.metric.name == metric.name);
    let standing = match &change {
        _ if tolerance.is_some() && (change.is_none() || only_a + only_b > 0) => {
            Standing::Undecided
        }
        None => Standing::Same,
        Some(change) => stands(metric, change, tolerance),
    };
    Changed { metric, change, alone: (only_a, only_b), tolerance: tolerance.copied(), standing }
}

fn stands(metric: &Metric, change: &Change, tolerance: Option<&Tolerance>) -> Standing {
    let worse = match metric.better {
        Better::Less => change.difference.mean,
        Better::More => -change.difference.mean,
        Better::Neither => 0.0,
    };
    if tolerance.is_some_and(|tolerance| tolerance.is_exceeded(change)) {
        return Standing::Regression;
    }
    // The mean of values with few decimals: less than this is what rounding leaves.
    let dust = 1e-9 * change.first.abs().max(1.0);
    match worse {
        _ if change.higher == 0 && change.lower == 0 => Standing::Same,
        worse if worse > dust => Standing::Worse,
        worse if worse < -dust => Standing::Better,
        _ => Standing::Differs,
    }
}

/// Percentiles that both sides have, in the order of A's first seed.
fn latency(pairs: &[(&SeedTables, &SeedTables)]) -> Vec<Percentile> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for (series, percentile, _) in pairs.iter().flat_map(|(a, _)| a.latencies()) {
        if !names.contains(&(series, percentile)) {
            names.push((series, percentile));
        }
    }
    let of = |tables: &SeedTables, name: (&str, &str)| {
        tables.latencies().find(|(s, p, _)| (*s, *p) == name).map(|(_, _, us)| us)
    };
    let percentile = |name: (&str, &str)| {
        let both: Vec<(f64, f64)> =
            pairs.iter().filter_map(|(a, b)| Some((of(a, name)?, of(b, name)?))).collect();
        let change = Change::of(&both)?;
        let (series, percentile) = (name.0.to_owned(), name.1.to_owned());
        Some(Percentile { series, percentile, change })
    };
    names.into_iter().filter_map(percentile).collect()
}

/// The first row of `events.csv` that differs, if both sides have the table.
fn first_event(a: &SeedTables, b: &SeedTables) -> Option<Parted> {
    let (first, second) = (a.table("events.csv")?, b.table("events.csv")?);
    let shared = first.iter().zip(second).take_while(|(a, b)| a == b).count();
    if shared == first.len() && shared == second.len() {
        return None;
    }
    let words = |row: &Vec<String>| {
        let at = row[0].parse::<u64>().unwrap_or(0);
        let named = row[3..6].iter().filter(|cell| !cell.is_empty()).map(String::as_str);
        let place = named.collect::<Vec<_>>().join(", ");
        let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
        let count = if row[6] == "0" { String::new() } else { format!(", count {}", row[6]) };
        let (seconds, micros) = (at / 1_000_000, at % 1_000_000);
        format!("{seconds}.{micros:06} s: {} {}{place}{count}", row[1], row[2])
    };
    Some(Parted {
        seed: a.seed,
        same: shared as u64,
        first: first.get(shared).map(words),
        second: second.get(shared).map(words),
    })
}

/// The place of a table among [`TABLES`].
fn place(file: &str) -> usize {
    TABLES.iter().position(|table| table.file_name() == file).expect("a table of that name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::terminal;
    use crate::report::{fixture, terminal::COLUMNS};
    use crate::verdict::Report;

    fn side(label: &str, seeds: std::ops::RangeInclusive<u64>, of: fn() -> Report) -> Side {
        let tables = |seed| {
            let report = Report { seed, ..of() };
            SeedTables::of(&report, seed == 1)
        };
        Side {
            label: label.to_owned(),
            scenario: "mirror".to_owned(),
            seeds: seeds.map(tables).collect(),
        }
    }

    fn comparison() -> Comparison {
        let a = side("mirror, calm", 1..=7, fixture::quiet_run);
        let b = side("mirror, with a crash | <b>", 1..=8, fixture::crash_run);
        let tolerances = tolerances("success_lost=10,ack_p99_us=1000%").unwrap();
        let parted = Parted {
            seed: 1,
            same: 1_234,
            first: Some("1.000000001 s: p1's message 7 acked".to_owned()),
            second: None,
        };
        Comparison::new([a, b], &tolerances, Some(parted))
    }

    #[test]
    fn as_people_read_it() {
        let comparison = comparison();
        let text = terminal::compare(&comparison, false, COLUMNS);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        insta::assert_snapshot!(text);
        insta::assert_snapshot!(markdown(&comparison));
    }

    #[test]
    fn tables_are_as_wide_as_their_headers() {
        let files = comparison().files().unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let wanted = [
            "compare.csv",
            "compare-latency.csv",
            "compare-lines.csv",
            "compare-windows.csv",
            "overlay.svg",
        ];
        assert_eq!(names, wanted);
        for file in &files[..4] {
            let mut reader = csv::Reader::from_reader(file.bytes.as_slice());
            assert!(reader.records().all(|record| record.is_ok()), "{}", file.name);
        }
    }

    #[test]
    fn a_side_and_itself_are_identical() {
        let one = || side("a", 1..=3, fixture::crash_run);
        let comparison = Comparison::new([one(), one()], &[], None);
        assert!(comparison.identical);
        assert_eq!(comparison.standing(), Standing::Same);
        assert_eq!(comparison.event, None);
        let fewer = side("a", 1..=2, fixture::crash_run);
        assert!(!Comparison::new([one(), fewer], &[], None).identical);
    }
}
