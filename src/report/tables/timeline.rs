//! `timeline.csv`: what happened within each bucket of time.

use super::{Cell, Column, Exporter, Rows, column};
use crate::verdict::Report;

/// Writes `timeline.csv`.
pub(super) struct Timeline;

const COLUMNS: &[Column] = &[
    column("start_ms", "milliseconds", "When the bucket begins; it ends where the next begins."),
    column("attempted", "messages", "Messages that were **meant to be sent** in this bucket."),
    column("acked", "messages", "Messages acknowledged."),
    column("accepted", "messages", "Messages whose send succeeded with no answer asked for."),
    column("returned", "messages", "Messages that came back as unroutable."),
    column("nacked", "messages", "Messages that got a negative answer."),
    column("unknown", "messages", "Messages whose producer gave up on an answer."),
    column(
        "delivered",
        "deliveries",
        "Deliveries to consumers, repeated ones included. Auditors do not count.",
    ),
    column("redelivered", "deliveries", "Deliveries flagged as redelivered."),
    column("processed", "lines", "Lines that the application finished with."),
    column(
        "lost",
        "lines",
        "Lost lines whose message was **meant to be sent** in this bucket, whenever they were lost.",
    ),
    column(
        "backlog",
        "lines",
        "Lines with a copy in some broker and not yet delivered, at the end of the bucket.",
    ),
    column(
        "ack_p50_us",
        "microseconds",
        "Median ack_latency of the answers within the bucket; empty if there were none.",
    ),
    column("ack_max_us", "microseconds", "Largest ack_latency of the same answers."),
];

impl Exporter for Timeline {
    fn file_name(&self) -> &'static str {
        "timeline.csv"
    }

    fn about(&self) -> &'static str {
        "One row for each bucket of time, from the start of the run to its end; buckets are of \
         equal length."
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn rows(&self, report: &Report, rows: &mut Rows<'_>) {
        let millis = report.timeline.bucket.as_millis();
        for (i, bucket) in report.timeline.buckets.iter().enumerate() {
            let counts = [
                i as u64 * millis,
                bucket.attempted,
                bucket.acked,
                bucket.accepted,
                bucket.returned,
                bucket.nacked,
                bucket.unknown,
                bucket.delivered,
                bucket.redelivered,
                bucket.processed,
                bucket.lost,
                bucket.backlog,
            ];
            let mut row: Vec<Cell> = counts.into_iter().map(Cell::Count).collect();
            let measured = |us: u64| Cell::count((us > 0).then_some(us));
            row.extend([measured(bucket.ack_p50_us), measured(bucket.ack_max_us)]);
            rows.push(row);
        }
    }
}
