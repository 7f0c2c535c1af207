//! Counts per bucket of time.

use hdrhistogram::Histogram;

use crate::engine::{Span, Time};
use crate::verdict::latency::micros;
use crate::verdict::{Bucket, Timeline};

/// How many buckets cover a run's duration at most.
const MOST: u64 = 1_000;

/// The shortest of 100 ms, 200 ms, 500 ms, 1 s, 2 s, ... of which at most 1,000 cover `duration`.
pub(super) fn bucket_length(duration: Span) -> Span {
    let mut unit = Span::from_millis(100);
    loop {
        for factor in [1, 2, 5] {
            let bucket = unit * factor;
            if bucket * MOST >= duration {
                return bucket;
            }
        }
        unit = unit * 10;
    }
}

/// The timeline while the run goes on.
///
/// Reports arrive nearly in order of time; one that belongs to a bucket that is closed already is
/// counted in the next. Only the load counts where it was meant to be sent.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    bucket: Span,
    closed: Vec<Bucket>,
    current: Bucket,
    current_end: Time,
    /// Ack latencies of the current bucket, to 2 significant digits.
    acks: Histogram<u32>,
    ack_max: Span,
    backlog: u64,
}

impl Recorder {
    pub(super) fn new(bucket: Span) -> Recorder {
        assert!(!bucket.is_zero(), "a bucket has a length");
        Recorder {
            bucket,
            closed: Vec::new(),
            current: Bucket::default(),
            current_end: Time::ZERO + bucket,
            acks: Histogram::new(2).expect("two significant digits are supported"),
            ack_max: Span::ZERO,
            backlog: 0,
        }
    }

    /// The bucket that counts what happens at `at`.
    pub(super) fn at(&mut self, at: Time) -> &mut Bucket {
        while at >= self.current_end {
            self.roll();
        }
        &mut self.current
    }

    /// Messages that were meant to be sent at `intended`, which may be long ago: a producer that
    /// was cut off catches up when it is back, and the load is no burst for that.
    pub(super) fn attempted(&mut self, at: Time, intended: Time, messages: u64) {
        self.at(at);
        let index = usize::try_from(intended.as_nanos() / self.bucket.as_nanos());
        let closed = index.ok().and_then(|index| self.closed.get_mut(index));
        closed.unwrap_or(&mut self.current).attempted += messages;
    }

    fn roll(&mut self) {
        let median = if self.acks.is_empty() {
            Span::ZERO
        } else {
            // Ranks, not quantiles: no rounding of a fraction decides which sample it is.
            let rank = self.acks.len().div_ceil(2);
            let mut seen = 0;
            let reached = self.acks.iter_recorded().find(|step| {
                seen += step.count_since_last_iteration();
                seen >= rank
            });
            Span::from_nanos(reached.map_or(0, |step| step.value_iterated_to())).min(self.ack_max)
        };
        self.current.ack_p50_us = micros(median);
        self.current.ack_max_us = micros(self.ack_max);
        self.current.backlog = self.backlog;
        self.closed.push(std::mem::take(&mut self.current));
        if !self.acks.is_empty() {
            self.acks.reset();
            self.ack_max = Span::ZERO;
        }
        self.current_end += self.bucket;
    }

    pub(super) fn acked(&mut self, at: Time, latency: Span) {
        self.at(at);
        self.acks.record(latency.as_nanos()).expect("the histogram grows as needed");
        self.ack_max = self.ack_max.max(latency);
    }

    pub(super) fn backlog_changed(&mut self, at: Time, by: i64) {
        self.at(at);
        self.backlog = self.backlog.checked_add_signed(by).expect("lines are counted once");
    }

    /// The timeline of a run that ended at `ended`; `lost` has the number of lost lines by the
    /// time at which they should have been sent.
    pub(super) fn finish(&self, ended: Time, lost: &[(Time, u64)]) -> Timeline {
        let mut last = self.clone();
        last.at(ended);
        last.roll();
        let mut buckets = last.closed;
        for (intended, lines) in lost {
            let index = intended.as_nanos() / self.bucket.as_nanos();
            let index = usize::try_from(index).map_or(buckets.len(), |i| i.min(buckets.len()));
            if let Some(bucket) = buckets.get_mut(index) {
                bucket.lost += lines;
            }
        }
        Timeline { bucket: self.bucket, buckets }
    }

    pub(super) fn heap(&self) -> usize {
        let closed = self.closed.capacity() * size_of::<Bucket>();
        closed + self.acks.distinct_values() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_a_thousand_buckets_cover_a_run() {
        for (seconds, bucket) in [(40, 100), (100, 100), (101, 200), (500, 500), (501, 1_000)] {
            assert_eq!(bucket_length(Span::from_secs(seconds)), Span::from_millis(bucket));
        }
        assert_eq!(bucket_length(Span::from_secs(86_400)), Span::from_secs(100));
    }

    #[test]
    fn buckets_close_by_time_and_late_reports_count_in_the_next() {
        let second = Span::from_secs(1);
        let at = |millis| Time::ZERO + Span::from_millis(millis);
        let mut recorder = Recorder::new(second);
        recorder.attempted(at(500), at(500), 1);
        recorder.backlog_changed(at(600), 3);
        recorder.acked(at(900), Span::from_micros(700));
        recorder.acked(at(910), Span::from_micros(900));
        recorder.acked(at(920), Span::from_micros(10_000));
        recorder.at(at(2_100)).acked += 1;
        recorder.at(at(1_999)).acked += 1;
        recorder.attempted(at(2_200), at(1_000), 5);
        recorder.attempted(at(2_200), at(2_000), 7);
        let timeline = recorder.finish(at(3_500), &[(at(500), 2)]);
        assert_eq!(timeline.buckets.len(), 4);
        let first = timeline.buckets[0];
        assert_eq!((first.attempted, first.backlog, first.lost), (1, 3, 2));
        assert!(first.ack_p50_us.abs_diff(900) <= 9, "{}", first.ack_p50_us);
        assert_eq!(first.ack_max_us, 10_000);
        let late = Bucket { attempted: 5, backlog: 3, ..Bucket::default() };
        assert_eq!(timeline.buckets[1], late, "the load counts where it was meant to be sent");
        assert_eq!((timeline.buckets[2].acked, timeline.buckets[2].attempted), (2, 7));
    }
}
