//! `windows.csv`: every unavailability window.

use super::{Cell, Column, Exporter, Rows, column};
use crate::verdict::{Report, WindowKind};

/// Writes `windows.csv`.
pub(super) struct Windows;

const COLUMNS: &[Column] = &[
    column("destination", "name", "The destination that was unavailable."),
    column(
        "kind",
        "word",
        "`write`: as the client sees it. `effective_write`: where a write succeeds only if its \
         message ended processed, dead-lettered or stored. `read`: reads.",
    ),
    column("start_ms", "milliseconds", "The first pending operation after the last success."),
    column("end_ms", "milliseconds", "The next success, or the end of measured time."),
    column(
        "length_ms",
        "milliseconds",
        "Length of the window, rounded down; longer than `availability-gap`.",
    ),
    column(
        "fault",
        "words",
        "The fault that it answers to: the last that had begun when the first operation in it came \
         to grief, which is half of `availability-gap` after its beginning, and of \
         `effective_write` when its message was lost, if most were; empty if no fault had begun by then.",
    ),
    column(
        "recovery_ms",
        "milliseconds",
        "Time to recover: the window's end − the fault's start; empty if it is not recovered from, \
         or if the fault began when the window was over and undid what had been written in it.",
    ),
    column(
        "recovered",
        "word",
        "`no` if nothing had succeeded yet when measured time was over, else `yes`.",
    ),
    column(
        "tried_until_ms",
        "milliseconds",
        "Of a window that is not recovered from: the last time at which an operation was pending, if \
         that is longer than `availability-gap` before the end of measured time. Nothing was tried \
         any more, so nobody knows whether it would have succeeded. Empty otherwise.",
    ),
    column(
        "free_ms",
        "milliseconds",
        "Of a window that went on because a client came back late: since when there was a leader, or, \
         if there was one all the time, the fault was over. Empty otherwise.",
    ),
    column(
        "late",
        "words",
        "Which client that was, and what it had waited for: the last to come back before the window's \
         end, if that was more than `availability-gap` after `free_ms`. Empty otherwise.",
    ),
];

/// The word for a kind of window, here and in every other output.
pub(crate) const fn kind_word(kind: WindowKind) -> &'static str {
    match kind {
        WindowKind::Write => "write",
        WindowKind::EffectiveWrite => "effective_write",
        WindowKind::Read => "read",
    }
}

impl Exporter for Windows {
    fn file_name(&self) -> &'static str {
        "windows.csv"
    }

    fn about(&self) -> &'static str {
        "One row for each unavailability window of each destination, by start."
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn rows(&self, report: &Report, rows: &mut Rows<'_>) {
        let catalog = &report.catalog;
        for window in &report.windows {
            rows.push(vec![
                Cell::text(catalog.destination(window.destination)),
                Cell::text(kind_word(window.kind)),
                Cell::millis(window.start),
                Cell::millis(window.end),
                Cell::span_millis(Some(window.end.since(window.start))),
                Cell::name(window.fault.map(|id| catalog.faults[id.index()].as_str())),
                Cell::span_millis(window.recovery),
                Cell::text(if window.open { "no" } else { "yes" }),
                window.tried.map_or(Cell::Empty, Cell::millis),
                window.late.as_ref().map_or(Cell::Empty, |late| Cell::millis(late.free)),
                window.late.as_ref().map_or(Cell::Empty, |late| {
                    Cell::text(&format!("{} {}", catalog.node(late.client), late.why))
                }),
            ]);
        }
    }
}
