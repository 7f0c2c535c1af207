//! `summary.csv`: one row a seed.

use super::{Cell, Column, Exporter, Rows, column};
use crate::report::{verdict, verdict_word};
use crate::verdict::Report;

/// Writes `summary.csv`.
pub(super) struct Summary;

const COLUMNS: &[Column] = &[
    column("mode", "name", "The scenario's `mode`."),
    column("broker_version", "version", "The scenario's `broker-version`."),
    column("mqsim_version", "version", "The version of mqsim that made the report."),
    column("duration_s", "seconds", "`duration`: how long load was offered, warm-up included."),
    column(
        "lines",
        "lines",
        "Lines: (producer, sequence, destination). A message that a fanout sends to three queues \
         is three lines. The cells of outcome × fate sum to this.",
    ),
    column(
        "attempted",
        "messages",
        "Messages that the workload wanted sent, whether they ever left the producer or not. A \
         retry is the same message.",
    ),
    column("acked", "lines", "Lines with outcome acked: the broker's positive answer."),
    column(
        "accepted",
        "lines",
        "Lines with outcome accepted: the client call succeeded and no answer was asked for.",
    ),
    column("returned", "lines", "Lines with outcome returned: came back as unroutable."),
    column(
        "rejected",
        "lines",
        "Lines with outcome rejected: an error that proves that it was not stored.",
    ),
    column(
        "nacked",
        "lines",
        "Lines that got a negative answer which leaves open whether a copy exists. They end as \
         unknown unless a retry ends otherwise.",
    ),
    column(
        "unknown",
        "lines",
        "Lines with outcome unknown: time-out, broken connection, ambiguous answer.",
    ),
    column("unsent", "lines", "Lines with outcome unsent: never left the producer."),
    column(
        "delivered",
        "lines",
        "Lines delivered to a consumer at least once. Auditors do not count.",
    ),
    column("processed", "lines", "Lines that the application finished with."),
    column("redelivered", "deliveries", "Deliveries that the broker flagged as redelivered."),
    column("duplicated", "deliveries", "Deliveries of a line beyond its first."),
    column(
        "reordered",
        "lines",
        "Lines first delivered after a later sequence of the same producer on the same \
         destination.",
    ),
    column(
        "success_lost",
        "lines",
        "`acked_lost` + `accepted_lost`: the headline by which modes are compared.",
    ),
    column(
        "acked_lost",
        "lines",
        "Acked lines of which no copy is left, or which were received only and whose broker copy \
         was given up.",
    ),
    column("accepted_lost", "lines", "The same for accepted lines."),
    column(
        "read_lost",
        "lines",
        "Lines that a consumer saw and that are gone from every log afterwards (log families).",
    ),
    column("unknown_lost", "lines", "Lines with outcome unknown of which no copy is left."),
    column(
        "consumer_lost",
        "lines",
        "Lines lost because the consumer acknowledged or committed before it finished.",
    ),
    column("phantom", "lines", "Lines unknown or rejected, and delivered all the same."),
    column("dead_lettered", "lines", "Lines that ended dead-lettered."),
    column("expired", "lines", "Lines that ended expired: TTL, length limit or retention."),
    column("stored_at_end", "lines", "Lines still in the broker and readable at the end."),
    column("unreachable_at_end", "lines", "Lines in some copy, but not readable at the end."),
    column(
        "unexplained",
        "lines",
        "Lost lines without a cause. Anything but 0 is a defect of mqsim and ends with exit code 4.",
    ),
    column(
        "write_availability",
        "share, 0 to 1",
        "1 − write windows ÷ measured time, averaged over destinations with writes. A write is \
         pending from its intended time to its outcome.",
    ),
    column(
        "effective_write_availability",
        "share, 0 to 1",
        "The same, where a write counts as a success only if its message ended processed, \
         dead-lettered or stored.",
    ),
    column(
        "read_availability",
        "share, 0 to 1",
        "1 − read windows ÷ measured time, averaged over destinations with reads. A read is \
         pending while a message that the broker's rules allow to be read is undelivered and a \
         subscribed consumer has room.",
    ),
    column(
        "write_unavailable_ms",
        "milliseconds",
        "Sum of the write windows of the worst destination.",
    ),
    column("write_longest_ms", "milliseconds", "The longest write window of that destination."),
    column(
        "read_unavailable_ms",
        "milliseconds",
        "Sum of the read windows of the worst destination.",
    ),
    column("read_longest_ms", "milliseconds", "The longest read window of that destination."),
    column(
        "ack_p50_us",
        "microseconds",
        "Median of ack_latency: intended send time to acknowledgement, after the warm-up.",
    ),
    column("ack_p99_us", "microseconds", "99 % of ack_latency are at most this."),
    column("ack_max_us", "microseconds", "Largest ack_latency."),
    column(
        "ack_service_p50_us",
        "microseconds",
        "Median of ack_service_latency: actual send to acknowledgement.",
    ),
    column("ack_service_p99_us", "microseconds", "99 % of ack_service_latency are at most this."),
    column(
        "e2e_p50_us",
        "microseconds",
        "Median of end_to_end_latency: intended send time to first delivery. Auditors do not \
         count.",
    ),
    column("e2e_p99_us", "microseconds", "99 % of end_to_end_latency are at most this."),
    column("e2e_max_us", "microseconds", "Largest end_to_end_latency."),
    column(
        "acked_per_s",
        "messages per second",
        "Acknowledged messages per second of measured time (`duration` without `warmup`).",
    ),
    column(
        "processed_per_s",
        "messages per second",
        "Processed messages per second of measured time.",
    ),
    column(
        "broker_bytes_per_payload_byte",
        "ratio",
        "Bytes sent between brokers per payload byte acknowledged or accepted.",
    ),
    column(
        "disk_bytes_per_payload_byte",
        "ratio",
        "Bytes written to disk per payload byte acknowledged or accepted.",
    ),
    column("fsyncs", "operations", "fsyncs completed, all brokers together."),
    column("events", "events", "Events that the simulator dispatched."),
    column(
        "fingerprint",
        "16 hex digits",
        "The fingerprint of the run: equal for equal scenario, seed and version on any machine.",
    ),
    column(
        "verdict",
        "word",
        "`holds`, `undecided` or `broken`: the worst over the scenario's expectations.",
    ),
];

impl Exporter for Summary {
    fn file_name(&self) -> &'static str {
        "summary.csv"
    }

    fn about(&self) -> &'static str {
        "One row a seed."
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
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
        counts(report, &mut row);
        measures(report, &mut row);
        row.push(Cell::Text(format!("{:016x}", report.fingerprint)));
        row.push(Cell::text(verdict_word(verdict(report))));
        rows.push(row);
    }
}

/// What became of lines: `lines` to `unexplained`.
fn counts(report: &Report, row: &mut Vec<Cell>) {
    let s = &report.summary;
    let counts = [
        s.lines,
        s.attempted,
        s.acked,
        s.accepted,
        s.returned,
        s.rejected,
        s.nacked,
        s.unknown,
        s.unsent,
        s.delivered,
        s.processed,
        s.redelivered,
        s.duplicated,
        s.reordered,
        s.success_lost,
        s.acked_lost,
        s.accepted_lost,
        s.read_lost,
        s.unknown_lost,
        s.consumer_lost,
        s.phantom,
        s.dead_lettered,
        s.expired,
        s.stored_at_end,
        s.unreachable_at_end,
        s.unexplained,
    ];
    row.extend(counts.map(Cell::Count));
}

/// How well it went: `write_availability` to `events`.
fn measures(report: &Report, row: &mut Vec<Cell>) {
    let s = &report.summary;
    row.extend([
        Cell::share(s.write_availability),
        Cell::share(s.effective_write_availability),
        Cell::share(s.read_availability),
        Cell::count(s.write_unavailable_ms),
        Cell::count(s.write_longest_ms),
        Cell::count(s.read_unavailable_ms),
        Cell::count(s.read_longest_ms),
        Cell::count(s.ack_p50_us),
        Cell::count(s.ack_p99_us),
        Cell::count(s.ack_max_us),
        Cell::count(s.ack_service_p50_us),
        Cell::count(s.ack_service_p99_us),
        Cell::count(s.e2e_p50_us),
        Cell::count(s.e2e_p99_us),
        Cell::count(s.e2e_max_us),
        Cell::ratio(s.acked_per_s),
        Cell::ratio(s.processed_per_s),
        Cell::ratio(s.broker_bytes_per_payload_byte),
        Cell::ratio(s.disk_bytes_per_payload_byte),
        Cell::Count(s.fsyncs),
        Cell::Count(s.events),
    ]);
}
