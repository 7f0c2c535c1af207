//! `latency.csv`: a row for each percentile of each latency series.

use super::{Cell, Column, Exporter, Rows, column};
use crate::verdict::Report;

/// Writes `latency.csv`.
pub(super) struct Latency;

const COLUMNS: &[Column] = &[
    column(
        "series",
        "name",
        "`ack_latency`: intended send time to acknowledgement (no coordinated omission). \
         `ack_service_latency`: actual send to acknowledgement. `end_to_end_latency`: intended \
         send time to first delivery. `accepted_latency`: intended send time to the success of a \
         call that asked for no answer.",
    ),
    column("percentile", "percent", "That share of the samples is at most `latency_us`."),
    column(
        "latency_us",
        "microseconds",
        "The latency at that percentile, to 3 significant digits. Samples of the warm-up do not \
         count.",
    ),
];

impl Exporter for Latency {
    fn file_name(&self) -> &'static str {
        "latency.csv"
    }

    fn about(&self) -> &'static str {
        "One row for each percentile of each latency series; a series without samples has none."
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn rows(&self, report: &Report, rows: &mut Rows<'_>) {
        for series in report.latency.iter().filter(|series| series.samples > 0) {
            for &(thousandths, us) in &series.percentiles {
                rows.push(vec![
                    Cell::text(series.name),
                    Cell::Fixed(f64::from(thousandths) / 1_000.0, 3),
                    Cell::Count(us),
                ]);
            }
        }
    }
}
