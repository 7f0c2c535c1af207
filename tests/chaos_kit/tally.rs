//! What random runs of each mode have shown, as a summary for people.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mqsim::verdict::Report;

use crate::cells::Cells;

/// Runs of a mode.
#[derive(Clone, Debug, Default)]
struct Counts {
    runs: u64,
    /// Messages that were lost without a cause, and reports that contradict earlier ones.
    unexplained: u64,
    contradictions: u64,
    /// Runs that broke an invariant that is claimed, and runs that never came to rest.
    breaches: u64,
    stuck: u64,
    /// What is known not to hold, and the seeds of which that is said.
    excused: BTreeMap<&'static str, Vec<u64>>,
}

/// What runs have shown: numbers, and which faults met brokers in which phases of their lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    modes: BTreeMap<String, Counts>,
    cells: Cells,
}

impl Tally {
    /// One run, and why it is let off if it is.
    pub(crate) fn record(&mut self, report: &Report, seed: u64, excuse: Option<&'static str>) {
        let counts = self.modes.entry(report.mode.clone()).or_default();
        counts.runs += 1;
        counts.unexplained += report.summary.unexplained;
        counts.contradictions += report.inconsistencies;
        let mut invariants = report.catalog.invariants.iter().zip(&report.invariants);
        let broken = invariants.any(|(word, of)| of.violations > 0 && word.claimed());
        counts.breaches += u64::from(broken);
        counts.stuck += u64::from(!report.quiet);
        if let Some(excuse) = excuse {
            counts.excused.entry(excuse).or_default().push(seed);
        }
        self.cells.record(report);
    }

    /// What others have seen.
    pub(crate) fn add(&mut self, other: Tally) {
        self.cells.add(&other.cells);
        for (mode, counts) in other.modes {
            let own = self.modes.entry(mode).or_default();
            own.runs += counts.runs;
            own.unexplained += counts.unexplained;
            own.contradictions += counts.contradictions;
            own.breaches += counts.breaches;
            own.stuck += counts.stuck;
            for (excuse, seeds) in counts.excused {
                own.excused.entry(excuse).or_default().extend(seeds);
            }
        }
    }

    /// The summary.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (mode, counts) in &self.modes {
            let Counts { runs, unexplained, contradictions, breaches, stuck, excused } = counts;
            let _ = writeln!(
                text,
                "{mode}: {runs} seeds; {unexplained} messages lost without a cause, {contradictions} \
                 contradictions, {breaches} seeds with a breach, {stuck} that never came to rest"
            );
            for (excuse, seeds) in excused {
                let numbers: Vec<String> = seeds.iter().map(u64::to_string).collect();
                let _ = writeln!(text, "  excused: {excuse}: {}", numbers.join(" "));
            }
        }
        text + &self.cells.table()
    }
}
