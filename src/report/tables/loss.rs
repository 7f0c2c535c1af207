//! `loss.csv`: what was lost, and why.

use super::{Cell, Column, Exporter, Rows, column};
use crate::verdict::Report;

/// Writes `loss.csv`.
pub(super) struct Losses;

const COLUMNS: &[Column] = &[
    column(
        "class",
        "name",
        "`acked_lost`, `accepted_lost`, `unknown_lost`, `consumer_lost` or `read_lost`, as in \
         `summary.csv`.",
    ),
    column(
        "cause",
        "name",
        "What removed the last copy, or why none was made: one of the family's causes (`mqsim list \
         MODE`). Empty if it was lost on its way: no broker ever made a copy or said that it made \
         none.",
    ),
    column(
        "because",
        "name",
        "The condition that made it the last copy; empty where there is none to name.",
    ),
    column("node", "name", "The node on which the last copy ceased to exist; empty if on none."),
    column(
        "at_ms",
        "milliseconds",
        "When the first of these lines was lost: its last copy went, or a broker made none. If no \
         broker ever had to do with it, when its producer last sent it or heard of it.",
    ),
    column("producer", "name", "Whose messages they were."),
    column(
        "destination",
        "name",
        "The destination that they were meant for; empty for an unroutable message.",
    ),
    column("first_sequence", "number", "Sequence number of the first of these lines, from 0."),
    column("last_sequence", "number", "Sequence number of the last."),
    column(
        "count",
        "lines",
        "How many lines. Fewer than `last_sequence` − `first_sequence` + 1 where lines in between \
         were not lost.",
    ),
];

impl Exporter for Losses {
    fn file_name(&self) -> &'static str {
        "loss.csv"
    }

    fn about(&self) -> &'static str {
        "One row for each run of consecutive lines of one producer and destination that were lost \
         for one reason at one place."
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn rows(&self, report: &Report, rows: &mut Rows<'_>) {
        let catalog = &report.catalog;
        for loss in &report.losses {
            let because = (loss.because != crate::observe::BecauseId::NONE)
                .then(|| catalog.conditions[loss.because.index()]);
            rows.push(vec![
                Cell::text(loss.class),
                Cell::name(loss.cause.map(|id| catalog.causes[id.index()].name)),
                Cell::name(because),
                Cell::name(loss.node.map(|id| catalog.node(id))),
                Cell::millis(loss.at),
                Cell::text(catalog.producer(loss.producer)),
                Cell::name(loss.destination.map(|id| catalog.destination(id))),
                Cell::Count(u64::from(loss.first)),
                Cell::Count(u64::from(loss.last)),
                Cell::Count(loss.count),
            ]);
        }
    }
}
