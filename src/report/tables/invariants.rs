//! `invariants.csv`: the first violations of each invariant.

use super::{Cell, Column, Exporter, Rows, column};
use crate::verdict::Report;

/// Writes `invariants.csv`.
pub(super) struct Invariants;

const COLUMNS: &[Column] = &[
    column("invariant", "name", "The invariant that was broken."),
    column(
        "claimed",
        "yes or no",
        "Whether the mode claims it for this version and configuration, so that the run fails \
         unless the scenario expects it to break.",
    ),
    column(
        "lacks",
        "words",
        "What the version or the configuration lacks for it to be claimed, `; ` between; empty if \
         it is claimed.",
    ),
    column("node", "name", "The node whose state broke it."),
    column("at_ms", "milliseconds", "When."),
    column("destination", "name", "The destination that it concerns; empty if none."),
    column("detail", "words", "The states that disagree."),
];

impl Exporter for Invariants {
    fn file_name(&self) -> &'static str {
        "invariants.csv"
    }

    fn about(&self) -> &'static str {
        "One row for each of the first 10 violations of each invariant, by invariant and then as \
         they were seen; `summary.csv` counts all."
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn rows(&self, report: &Report, rows: &mut Rows<'_>) {
        let catalog = &report.catalog;
        for (word, tally) in catalog.invariants.iter().zip(&report.invariants) {
            for breach in &tally.first {
                rows.push(vec![
                    Cell::text(word.name),
                    Cell::text(if word.claimed() { "yes" } else { "no" }),
                    Cell::text(&word.lacks.join("; ")),
                    Cell::text(catalog.node(breach.node)),
                    Cell::millis(breach.at),
                    Cell::name(breach.destination.map(|id| catalog.destination(id))),
                    Cell::text(&breach.detail),
                ]);
            }
        }
    }
}
