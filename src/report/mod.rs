//! What people and programs read: CSV files, plots, terminal summaries, one JSON document.
//!
//! Everything here is a function of [`Report`]: no clock, no path and no environment gets into a
//! file, so the same scenario, seed and version give the same bytes anywhere. The folder that the
//! files go to is [`folder`]'s affair, and the only place of this layer that writes to disk.

pub mod compare;
pub mod folder;
pub mod glance;
pub mod json;
pub mod junit;
pub mod lock;
pub mod markdown;
pub mod matrix;
pub(crate) mod number;
mod plot;
pub mod sweep;
mod tables;
pub mod tally;
pub mod terminal;

#[cfg(test)]
pub(crate) mod fixture;

pub use plot::{PlotError, latency_svg, timeline_svg};
pub use tables::{Cell, Column, Exporter, MEASURES, Rows, Sheet, TABLES, to_csv};

use crate::verdict::{FaultSpan, Report, Verdict};

/// At most this many seeds of a scenario get rows and plots of their own besides `summary.csv`.
pub const DETAILED_SEEDS: usize = 10;

/// The tables that are made of many runs, in the order in which they are documented.
pub fn sheets() -> impl Iterator<Item = &'static Sheet> {
    sweep::SHEETS.iter().chain([&matrix::SHEET]).chain(&compare::SHEETS)
}

/// One file of a report folder, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name within the folder.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// The verdict on a whole run: the worst of its expectations and of what is expected of every run
/// (the invariants that the mode claims, and that it becomes quiet). A run of which the scenario
/// expects nothing has none, unless something of the latter does not hold.
#[must_use]
pub fn verdict(report: &Report) -> Option<Verdict> {
    let silent = report.expectations.iter().all(|judged| judged.claimed);
    let worst = report.expectations.iter().map(|judged| judged.verdict).max();
    worst.filter(|verdict| !silent || *verdict != Verdict::Holds)
}

/// The version and the build: `0.1.0+6f1d0c9a52b3`. Results of two builds may differ, so whatever goes
/// on from results that are there already compares this, not the version alone.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("MQSIM_BUILD"));

/// The word for a verdict in files: `holds`, `undecided`, `broken`, or `unjudged` if nothing is
/// expected.
#[must_use]
pub fn verdict_word(verdict: impl Into<Option<Verdict>>) -> &'static str {
    match verdict.into() {
        None => "unjudged",
        Some(Verdict::Holds) => "holds",
        Some(Verdict::Undecided) => "undecided",
        Some(Verdict::Broken) => "broken",
    }
}

/// The nodes that a fault met; `None` if there were none, or if its own words name them all.
pub(crate) fn met(report: &Report, span: &FaultSpan) -> Option<String> {
    let words = &report.catalog.faults[span.fault.index()];
    let between = |c: char| !(c.is_alphanumeric() || "._-".contains(c));
    let named = |node: &&str| words.split(between).any(|word| word == *node);
    let nodes: Vec<&str> = span.targets.iter().map(|&id| report.catalog.node(id)).collect();
    let news = !nodes.iter().all(named);
    news.then(|| nodes.join(", "))
}

/// Why a run came to no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unfinished {
    /// One sentence for people, and a remedy.
    pub message: String,
    /// Whether a limit ended it that the user had set (`max-events`): then nothing is decided, and
    /// nothing is wrong with mqsim.
    pub limit: bool,
}

/// Whether the run shows a defect of mqsim itself: exit code 4, whatever the expectations say.
#[must_use]
pub const fn is_defective(report: &Report) -> bool {
    report.summary.unexplained > 0 || report.inconsistencies > 0
}

/// Whether a seed failed, so that its details are wanted.
fn failed(report: &Report) -> bool {
    verdict(report) == Some(Verdict::Broken) || is_defective(report)
}

/// The reports that get more than a row of `summary.csv`: the first and those that failed, at most
/// [`DETAILED_SEEDS`] in all.
#[must_use]
pub fn detailed(reports: &[Report]) -> Vec<&Report> {
    let wanted = reports.iter().enumerate().filter(|(i, report)| *i == 0 || failed(report));
    wanted.map(|(_, report)| report).take(DETAILED_SEEDS).collect()
}

/// Drops what only the details of a seed need (timeline, events, lanes, violations) from the reports that get
/// none, so that thousands of seeds fit into memory. Call it as often as reports are added.
pub fn forget_details(reports: &mut [Report]) {
    let mut kept = 0;
    for (i, report) in reports.iter_mut().enumerate() {
        if kept < DETAILED_SEEDS && (i == 0 || failed(report)) {
            kept += 1;
            continue;
        }
        report.timeline.buckets = Vec::new();
        report.events = Vec::new();
        report.lanes = Vec::new();
        report.lines = Vec::new();
        report.invariants.iter_mut().for_each(|tally| tally.first = Vec::new());
    }
}

/// All files of the report folder for the seeds of one scenario.
///
/// Plots of the first seed are `timeline.svg` and `latency.svg`; those of a failing seed 7 are
/// `timeline-seed-7.svg` and `latency-seed-7.svg`.
///
/// # Errors
/// [`PlotError`] if a plot cannot be drawn, which is a defect of mqsim.
pub fn files(reports: &[Report]) -> Result<Vec<File>, PlotError> {
    let details = detailed(reports);
    let every: Vec<&Report> = reports.iter().collect();
    let mut files = Vec::new();
    for table in TABLES {
        let of = if table.every_seed() { &every } else { &details };
        files.push(File { name: table.file_name().to_owned(), bytes: to_csv(table, of) });
    }
    for (i, report) in details.iter().enumerate() {
        let suffix = if i == 0 { String::new() } else { format!("-seed-{}", report.seed) };
        let timeline = timeline_svg(report)?.into_bytes();
        files.push(File { name: format!("timeline{suffix}.svg"), bytes: timeline });
        let latency = latency_svg(report)?.into_bytes();
        files.push(File { name: format!("latency{suffix}.svg"), bytes: latency });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn details_are_for_the_first_and_the_failing_seeds() {
        let mut reports: Vec<Report> = (1..=30)
            .map(|seed| {
                let mut report = fixture::quiet_run();
                report.seed = seed;
                report
            })
            .collect();
        for i in [4, 7, 8] {
            reports[i].expectations[0].verdict = Verdict::Broken;
        }
        reports[20].summary.unexplained = 1;
        let seeds: Vec<u64> = detailed(&reports).iter().map(|report| report.seed).collect();
        assert_eq!(seeds, [1, 5, 8, 9, 21]);
        for report in &mut reports {
            report.expectations[0].verdict = Verdict::Broken;
        }
        assert_eq!(detailed(&reports).len(), DETAILED_SEEDS);
    }

    #[test]
    fn forgetting_changes_no_file() {
        let mut reports: Vec<Report> = (0..30)
            .map(|seed| Report {
                seed,
                ..if seed % 2 == 0 { fixture::quiet_run() } else { fixture::crash_run() }
            })
            .collect();
        let before = files(&reports).unwrap();
        forget_details(&mut reports);
        forget_details(&mut reports);
        assert_eq!(files(&reports).unwrap(), before);
        assert!(reports[2].timeline.buckets.is_empty() && reports[2].events.is_empty());
        assert!(!reports[17].events.is_empty());
        assert!(reports[19].events.is_empty());
    }

    #[test]
    fn a_folder_holds_every_table_and_two_plots_a_detailed_seed() {
        let mut reports = vec![fixture::crash_run(), fixture::quiet_run(), fixture::crash_run()];
        reports[1].seed = 2;
        reports[2].seed = 3;
        let names: Vec<String> = files(&reports).unwrap().into_iter().map(|f| f.name).collect();
        assert_eq!(
            names,
            [
                "summary.csv",
                "latency.csv",
                "loss.csv",
                "windows.csv",
                "invariants.csv",
                "events.csv",
                "timeline.csv",
                "timeline.svg",
                "latency.svg",
                "timeline-seed-3.svg",
                "latency-seed-3.svg"
            ]
        );
    }

    #[test]
    fn the_same_reports_give_the_same_bytes() {
        let reports = vec![fixture::crash_run()];
        assert_eq!(files(&reports).unwrap(), files(&reports).unwrap());
    }

    #[test]
    fn a_run_that_expects_nothing_has_no_verdict() {
        let mut report = fixture::quiet_run();
        assert_eq!(verdict(&report), Some(Verdict::Holds));
        report.expectations.clear();
        assert_eq!((verdict(&report), verdict_word(verdict(&report))), (None, "unjudged"));
    }

    #[test]
    fn what_is_expected_of_every_run_is_no_praise_but_fails_it() {
        let mut report = fixture::quiet_run();
        report.expectations[0].claimed = true;
        assert_eq!(verdict(&report), None);
        for worse in [Verdict::Undecided, Verdict::Broken] {
            report.expectations[0].verdict = worse;
            assert_eq!(verdict(&report), Some(worse));
        }
    }
}
