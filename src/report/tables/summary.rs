//! `summary.csv`: one row a seed.

use std::sync::LazyLock;

use super::{Cell, Column, Exporter, Rows, column};
use crate::report::{verdict, verdict_word};
use crate::verdict::{METRICS, Metric, Number, Report, Unit};

/// Writes `summary.csv`.
pub(super) struct Summary;

/// The columns before those that [`METRICS`] define.
const FIRST: [Column; 4] = [
    column("mode", "name", "The scenario's `mode`."),
    column("broker_version", "version", "The scenario's `broker-version`."),
    column("mqsim_version", "version", "The version of mqsim that made the report."),
    column("duration_s", "seconds", "`duration`: how long load was offered, warm-up included."),
];

/// The columns after them.
const LAST: [Column; 2] = [
    column(
        "fingerprint",
        "16 hex digits",
        "The fingerprint of the run: equal for equal scenario, seed and version on any machine.",
    ),
    column(
        "verdict",
        "word",
        "`holds`, `undecided` or `broken`: the worst over the scenario's expectations and what is \
         expected of every run (the invariants that the mode claims, and that it becomes quiet); \
         `unjudged` if the scenario expects nothing.",
    ),
];

static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let measured =
        metrics().map(|metric| column(metric.name, metric.unit.word(), metric.definition));
    FIRST.into_iter().chain(measured).chain(LAST).collect()
});

/// The metrics that are columns, in their order.
fn metrics() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().filter(|metric| metric.column)
}

fn cell(number: Option<Number>, unit: Unit) -> Cell {
    match (number, unit) {
        (None, _) => Cell::Empty,
        (Some(Number::Whole(number)), _) => Cell::Count(number),
        (Some(Number::Real(number)), Unit::Share) => Cell::share(Some(number)),
        (Some(Number::Real(number)), _) => Cell::ratio(Some(number)),
    }
}

impl Exporter for Summary {
    fn file_name(&self) -> &'static str {
        "summary.csv"
    }

    fn about(&self) -> &'static str {
        "One row a seed."
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn every_seed(&self) -> bool {
        true
    }

    fn rows(&self, report: &Report, rows: &mut Rows<'_>) {
        let mut row = vec![
            Cell::text(&report.mode),
            Cell::text(&report.broker_version),
            Cell::text(env!("CARGO_PKG_VERSION")),
            Cell::Fixed(report.duration.as_secs_f64(), 3),
        ];
        row.extend(metrics().map(|metric| cell((metric.get)(report), metric.unit)));
        row.push(Cell::Text(format!("{:016x}", report.fingerprint)));
        row.push(Cell::text(verdict_word(verdict(report))));
        rows.push(row);
    }
}
