//! The numbers of a run: the one table from which expectations, `mqsim list metrics`, the
//! documentation and the columns of `summary.csv` are made.

use super::Report;

/// What a metric is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Lines: (producer, sequence, destination).
    Lines,
    /// Messages.
    Messages,
    /// Things that happened.
    Count,
    /// Times that an invariant was broken.
    Violations,
    /// Hosts that wait for something.
    Waiting,
    /// Milliseconds, rounded down.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// A share of 1.
    Share,
    /// Per second of measured time.
    PerSecond,
    /// A plain number: bytes per byte.
    Ratio,
    /// In a million.
    PerMillion,
}

impl Unit {
    /// As printed behind a number; empty for shares (printed in percent) and ratios.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Lines => "lines",
            Unit::Messages => "messages",
            Unit::Count | Unit::Ratio => "",
            Unit::Violations => "violations",
            Unit::Waiting => "waiting",
            Unit::Milliseconds => "ms",
            Unit::Microseconds => "us",
            Unit::Share => "%",
            Unit::PerSecond => "/s",
            Unit::PerMillion => "per million",
        }
    }

    /// The unit as people call it in a run in which a message `fans_out` or none does: then a line
    /// is a message.
    #[must_use]
    pub const fn told(self, fans_out: bool) -> Unit {
        match self {
            Unit::Lines if !fans_out => Unit::Messages,
            unit => unit,
        }
    }

    /// What a column of this unit holds.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Unit::Lines => "lines",
            Unit::Messages => "messages",
            Unit::Count => "count",
            Unit::Violations => "violations",
            Unit::Waiting => "hosts",
            Unit::Milliseconds => "milliseconds",
            Unit::Microseconds => "microseconds",
            Unit::Share => "share, 0 to 1",
            Unit::PerSecond => "per second",
            Unit::Ratio => "ratio",
            Unit::PerMillion => "per million",
        }
    }

    /// A value of this unit as printed, without the unit: `3`, `99.375`.
    #[must_use]
    pub fn number(self, value: f64) -> String {
        let value = if self == Unit::Share { value * 100.0 } else { value };
        // Six decimals tell 99.999 % from 100 %; zeros at the end tell nothing.
        let decimals = format!("{value:.6}");
        decimals.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// A value of this unit as printed: `3 lines`, `99.375 %`.
    #[must_use]
    pub fn print(self, value: f64) -> String {
        let number = self.number(value);
        match (self, self.name()) {
            (_, "") => number,
            (Unit::Lines, _) if number == "1" => "1 line".to_owned(),
            (Unit::Messages, _) if number == "1" => "1 message".to_owned(),
            (Unit::Violations, _) if number == "1" => "1 violation".to_owned(),
            (_, name) => format!("{number} {name}"),
        }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Whole(u64),
    /// A number with a fraction.
    Real(f64),
}

impl Number {
    /// The number as a float: exact up to 2^53.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Real(number) => number,
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Number {
        Number::Whole(number)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Number {
        Number::Real(number)
    }
}

trait Measured {
    fn measured(self) -> Option<Number>;
}

impl<T: Into<Number>> Measured for T {
    fn measured(self) -> Option<Number> {
        Some(self.into())
    }
}

impl<T: Into<Number>> Measured for Option<T> {
    fn measured(self) -> Option<Number> {
        self.map(Into::into)
    }
}

/// Which way a metric changes for the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is better: losses, latency, cost.
    Less,
    /// More is better: availability, throughput.
    More,
    /// Neither: it says what was asked for, or is good for one purpose and bad for another.
    Neither,
}

impl Better {
    /// The word for it in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Better::Less => "less",
            Better::More => "more",
            Better::Neither => "neither",
        }
    }
}

/// One number of a run.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in expectations and as a column.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Which way it changes for the better.
    pub better: Better,
    /// What exactly it is, in a sentence.
    pub definition: &'static str,
    /// Whether it is final only if the run became quiet: an expectation on it is undecided else.
    pub needs_quiet: bool,
    /// Whether it is a column of `summary.csv`.
    pub column: bool,
    /// Where the report folder has the particulars; empty if nowhere.
    pub particulars: &'static str,
    /// The number; `None` if there was nothing to measure.
    pub get: fn(&Report) -> Option<Number>,
}

/// The metric of that name.
#[must_use]
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

macro_rules! metrics {
    ($($name:ident $unit:ident $better:ident $when:ident $particulars:literal $definition:literal)*) => {
        /// Every metric, in the order of the columns of `summary.csv`.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: stringify!($name),
            unit: Unit::$unit,
            better: Better::$better,
            definition: $definition,
            needs_quiet: metrics!(@quiet $when),
            column: metrics!(@column $when),
            particulars: $particulars,
            get: |report| report.summary.$name.measured(),
        }),*];
    };
    // Known when it happens; final only in a quiet run; the same and no column.
    (@quiet known) => { false };
    (@quiet fate) => { true };
    (@quiet extra) => { false };
    (@quiet late) => { true };
    (@column extra) => { false };
    (@column late) => { false };
    (@column $any:ident) => { true };
}

metrics! {
    lines Lines Neither known ""
        "Lines: a message has one for each destination that it is meant for, one if for none."
    attempted Messages Neither known "" "Messages that the workload wanted sent."
    acked Lines More known "" "Lines whose producer has the broker's positive answer."
    accepted Lines Neither known ""
        "Lines whose send succeeded without an answer having been asked for."
    returned Lines Less known "" "Lines whose message came back as unroutable."
    rejected Lines Less known "" "Lines whose producer got an error that proves that nothing was stored."
    nacked Lines Less known "timeline.csv"
        "Negative answers, times the lines they are about. They leave open whether a copy exists: \
         a line that has no better answer in the end counts as unknown."
    unknown Lines Less known ""
        "Lines that were sent and whose producer has no answer, or one that leaves it open."
    unsent Lines Less known "" "Lines whose message never left its producer."
    delivered Lines More fate "" "Lines that were handed to an application at least once."
    processed Lines More fate "" "Lines that an application finished with at least once."
    redelivered Count Less known "timeline.csv" "Deliveries that the broker flagged as redelivered."
    duplicated Count Less known "" "Deliveries of lines beyond the first of each."
    reordered Lines Less known ""
        "Lines first delivered after a later message of the same producer on the same destination."
    success_lost Lines Less fate "loss.csv, class acked_lost or accepted_lost"
        "acked_lost and accepted_lost together: the headline by which modes are compared, since \
         asking for no answer must not look safer."
    success_gone Lines Less fate "loss.csv, class acked_lost, accepted_lost or read_lost"
        "Acknowledged or accepted lines of which no broker has a copy any more, though nothing \
         removed them rightly, read before or not: success_lost, and in logs what was read and is \
         gone from every one. Whoever reads it again, or for the first time, does not find it."
    acked_lost Lines Less fate "loss.csv, class acked_lost"
        "Acknowledged lines that are gone, or were received by an application that never finished, \
         after the broker gave its last copy up, or that a consumer group has gone on behind without \
         ever processing them."
    accepted_lost Lines Less fate "loss.csv, class accepted_lost"
        "The same of accepted lines."
    read_lost Lines Less fate "loss.csv, class read_lost"
        "Lines that a consumer saw and that are gone from every log afterwards."
    unknown_lost Lines Less fate "loss.csv, class unknown_lost"
        "Lines of unknown outcome that are gone: allowed, the producer knows that it does not know."
    consumer_lost Lines Less fate "loss.csv, class consumer_lost"
        "Lines lost because a consumer acknowledged or committed before it finished, or was reset to \
         behind them."
    phantom Lines Less known ""
        "Lines of unknown or rejected outcome that were delivered all the same."
    dead_lettered Lines Neither fate "" "Lines that ended dead-lettered."
    expired Lines Neither fate "" "Lines that ended by TTL, length limit or retention."
    stored_at_end Lines Neither fate "" "Lines that are still in the broker at the end, readable."
    unreachable_at_end Lines Less fate ""
        "Lines that are in some copy at the end, but could not be read; in a run that did not \
         become quiet, all that were not read."
    waiting_at_end Waiting Less known ""
        "Hosts that still waited for something when the drain was over; 0 in a run that became quiet."
    unexplained Lines Less fate "loss.csv, rows without cause"
        "Lost lines without a cause. Anything but 0 is a defect of mqsim. A message that no broker \
         ever had to do with was lost on its way, which explains it unless it was acknowledged."
    write_availability Share More known "windows.csv, kind write"
        "1 - write windows / measured time, averaged over the destinations with writes: a window \
         opens at the first instant after the last success at which a write is pending, closes at \
         the next success or the end of measured time, and counts if longer than availability-gap."
    effective_write_availability Share More fate "windows.csv, kind effective-write"
        "The same, where a write succeeded only if its line ended processed, dead-lettered or \
         stored: a broker that confirms and drops is not available."
    read_availability Share More known "windows.csv, kind read"
        "1 - read windows / measured time, averaged over the destinations with reads: a read is \
         pending while a line has a copy, was never read, and a consumer has room; a delivery is \
         its success."
    write_unavailable_ms Milliseconds Less known "windows.csv, kind write"
        "Sum of the write windows of the destination where it is greatest."
    write_longest_ms Milliseconds Less known "windows.csv, kind write"
        "The longest write window of that destination."
    read_unavailable_ms Milliseconds Less known "windows.csv, kind read"
        "Sum of the read windows of the destination where it is greatest."
    read_longest_ms Milliseconds Less known "windows.csv, kind read"
        "The longest read window of that destination."
    ack_p50_us Microseconds Less known "latency.csv, ack_latency"
        "Median of the time from when a message should have been sent to its acknowledgement."
    ack_p99_us Microseconds Less known "latency.csv, ack_latency"
        "99th percentile of the same."
    ack_max_us Microseconds Less known "latency.csv, ack_latency" "Maximum of the same."
    ack_service_p50_us Microseconds Less known "latency.csv, ack_service_latency"
        "Median of the time from the last transmission of a message to its acknowledgement."
    ack_service_p99_us Microseconds Less known "latency.csv, ack_service_latency"
        "99th percentile of the same."
    e2e_p50_us Microseconds Less known "latency.csv, end_to_end_latency"
        "Median of the time from when a message should have been sent to its first delivery."
    e2e_p99_us Microseconds Less known "latency.csv, end_to_end_latency"
        "99th percentile of the same."
    e2e_max_us Microseconds Less known "latency.csv, end_to_end_latency" "Maximum of the same."
    acked_per_s PerSecond More known "timeline.csv"
        "Messages acknowledged in measured time, per second of it."
    processed_per_s PerSecond More known "timeline.csv"
        "Lines processed in measured time, per second of it."
    broker_bytes_per_payload_byte Ratio Less known ""
        "Bytes sent between brokers, per payload byte acknowledged or accepted."
    disk_bytes_per_payload_byte Ratio Less known ""
        "Bytes written to the brokers' disks, per payload byte acknowledged or accepted."
    fsyncs Count Less known "" "How many fsyncs the brokers did."
    events Count Neither known "" "How many events the simulation dispatched."
    violations Violations Less known "invariants.csv"
        "How often the mode's invariants were broken, those that it does not claim for this \
         version and configuration included; not measured if none were checked."
    operations_in_time Share More extra ""
        "Share of the messages due in measured time that were acknowledged or accepted within \
         operation-timeout."
    delivered_again Lines Less extra "" "Lines that were handed to applications more than once."
    aborted_reads Messages Less extra ""
        "Messages that a consumer was handed and whose transaction was aborted, then or later (Jepsen: \
         aborted read)."
    lost_writes Messages Less late ""
        "Of a log with offsets, as its clients see it: messages whose producer was told an offset \
         before that of one that was read, and that nobody read (Jepsen: lost-write)."
    unseen Messages Less late ""
        "The same, wherever their offset is (Jepsen: unseen)."
    duplicate_values Messages Less extra ""
        "Messages that clients saw at more than one offset (Jepsen: duplicate)."
    inconsistent_offsets Count Less extra ""
        "Sights of another message at an offset than was seen there before (Jepsen: \
         inconsistent-offsets)."
    nonmonotonic_polls Count Less extra ""
        "How often a consumer, while its process lived, was handed an offset that it had passed \
         (Jepsen: nonmonotonic-poll)."
    poll_skips Messages Less late ""
        "Messages at offsets that a consumer passed over between one poll and the next (Jepsen: \
         poll-skip)."
    nonmonotonic_sends Messages Less extra ""
        "Messages whose producer was told an offset on the wrong side of that of its latest one \
         (Jepsen: nonmonotonic-send)."
    acked_with_remark Lines Less extra ""
        "Acknowledged lines whose answer says that they are stored, but not as durably as the brokers are \
         asked for. A lenient application takes them for successes; a strict one has acked less these."
    acked_with_remark_lost Lines Less late ""
        "Those of acked_lost that were acknowledged with a remark: a strict application has lost acked_lost \
         less these of what it believes to be safe."
}

#[cfg(test)]
mod tests {
    use super::super::stories;
    use super::*;

    #[test]
    fn columns_are_those_of_the_summary() {
        let columns = "lines attempted acked accepted returned rejected nacked unknown unsent \
            delivered processed redelivered duplicated reordered success_lost success_gone acked_lost \
            accepted_lost read_lost unknown_lost consumer_lost phantom dead_lettered expired \
            stored_at_end unreachable_at_end waiting_at_end unexplained write_availability \
            effective_write_availability read_availability write_unavailable_ms write_longest_ms \
            read_unavailable_ms read_longest_ms ack_p50_us ack_p99_us ack_max_us \
            ack_service_p50_us ack_service_p99_us e2e_p50_us e2e_p99_us e2e_max_us acked_per_s \
            processed_per_s broker_bytes_per_payload_byte disk_bytes_per_payload_byte fsyncs \
            events violations";
        let named: Vec<_> = METRICS.iter().filter(|m| m.column).map(|m| m.name).collect();
        assert_eq!(named, columns.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn names_differ_and_units_are_in_the_names_of_times() {
        for (index, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..index].iter().all(|other| other.name != metric.name));
            assert_eq!(metric.name.ends_with("_ms"), metric.unit == Unit::Milliseconds);
            assert_eq!(metric.name.ends_with("_us"), metric.unit == Unit::Microseconds);
            assert!(metric.definition.ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn what_is_lost_or_late_is_worse() {
        for metric in METRICS {
            let name = metric.name;
            let bad = ["_lost", "_gone", "_us", "_ms", "duplicated", "reordered", "unexplained"];
            if bad.iter().any(|end| name.ends_with(end)) {
                assert_eq!(metric.better, Better::Less, "{name}");
            }
            if name.ends_with("availability") || name.ends_with("per_s") {
                assert_eq!(metric.better, Better::More, "{name}");
            }
        }
    }

    #[test]
    fn getters_read_their_own_field() {
        let mut ledger = stories::ledger();
        ledger.whole_life(2_000, stories::range(stories::P1, 0, 3));
        let report = stories::quiet(&ledger);
        let get = |name| metric(name).and_then(|metric| (metric.get)(&report));
        assert_eq!(get("processed"), Some(Number::Whole(3)));
        assert_eq!(get("fsyncs"), Some(Number::Whole(7)));
        assert_eq!(get("write_availability"), Some(Number::Real(1.0)));
        assert_eq!(get("ack_p50_us"), Some(Number::Whole(2_000)));
        assert_eq!(get("no-such-thing"), None);
    }

    #[test]
    fn numbers_are_printed_with_their_unit() {
        assert_eq!(Unit::Lines.print(3.0), "3 lines");
        assert_eq!(Unit::Lines.print(1.0), "1 line");
        assert_eq!(Unit::Share.print(0.99375), "99.375 %");
        assert_eq!(Unit::Share.print(1.0), "100 %");
        assert_eq!(Unit::PerSecond.print(480.5), "480.5 /s");
        assert_eq!(Unit::Ratio.print(10.0), "10");
        assert_eq!(Unit::Count.print(0.0), "0");
    }
}
