//! `events.csv`: faults, node states, role and membership changes, elections.

use super::{Cell, Column, Exporter, Rows, column};
use crate::verdict::Report;

/// Writes `events.csv`.
pub(super) struct Events;

const COLUMNS: &[Column] = &[
    column(
        "at_us",
        "microseconds",
        "When. Rows are in the order in which things happened, also within a microsecond.",
    ),
    column(
        "kind",
        "word",
        "`fault`: a fault begins, ends or finds no target. `action`: a command of an operator is given, \
         done or refused. `node`: a node changes state. `role`: a \
         node's role for a destination changes. `event`: anything else, in the family's words. \
         `client`: a client's connection to a broker, of clients that ever lost one, had none or were \
         blocked.",
    ),
    column(
        "what",
        "words",
        "`begun: `, `ended: ` or `skipped: ` and the fault; `given: `, `done: `, `failed: ` or \
         `skipped: ` and the action, and why it failed; the new state; the new role or `none`; \
         or the family's word; or `connected`, `lost`, `reconnecting`, `given up`, `blocked` and why.",
    ),
    column("node", "name", "Where, of `client` its host; empty if on no node in particular."),
    column("destination", "name", "The destination that it concerns; empty if none."),
    column(
        "subject",
        "name",
        "The other node that it concerns, of `client` the broker; empty if none.",
    ),
    column("count", "number", "A number that goes with it (messages requeued, say), or 0."),
];

impl Exporter for Events {
    fn file_name(&self) -> &'static str {
        "events.csv"
    }

    fn about(&self) -> &'static str {
        "One row for each thing worth knowing that happened, by time."
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn rows(&self, report: &Report, rows: &mut Rows<'_>) {
        let catalog = &report.catalog;
        for event in &report.events {
            rows.push(vec![
                Cell::Count(event.at.as_nanos() / 1_000),
                Cell::text(event.kind),
                Cell::text(&event.what),
                Cell::name(event.node.map(|id| catalog.node(id))),
                Cell::name(event.destination.map(|id| catalog.destination(id))),
                Cell::name(event.subject.map(|id| catalog.node(id))),
                Cell::Count(event.count),
            ]);
        }
    }
}
