//! Latency series.

use hdrhistogram::Histogram;

use crate::engine::{Span, Time};
use crate::verdict::LatencySeries;

/// The percentiles of every series, in thousandths of a percent: 50, 90, 99, 99.9, 100 %.
pub const PERCENTILES: [u32; 5] = [50_000, 90_000, 99_000, 99_900, 100_000];

/// One series: a histogram of nanoseconds with 3 significant digits, the exact maximum and sum.
#[derive(Clone, Debug)]
pub(super) struct Series {
    name: &'static str,
    histogram: Histogram<u64>,
    max: u64,
    sum: u128,
}

impl Series {
    pub(super) fn new(name: &'static str) -> Series {
        let histogram = Histogram::new(3).expect("three significant digits are supported");
        Series { name, histogram, max: 0, sum: 0 }
    }

    pub(super) fn record(&mut self, span: Span) {
        self.histogram.record(span.as_nanos()).expect("the histogram grows as needed");
        self.max = self.max.max(span.as_nanos());
        self.sum += u128::from(span.as_nanos());
    }

    pub(super) fn samples(&self) -> u64 {
        self.histogram.len()
    }

    /// The smallest value that as many samples as `percentile` (in thousandths of a percent) says
    /// do not exceed, to 3 significant digits; the maximum is exact. `None` without samples.
    pub(super) fn quantile(&self, percentile: u32) -> Option<Span> {
        let samples = self.samples();
        if samples == 0 {
            return None;
        }
        if percentile >= 100_000 {
            return Some(Span::from_nanos(self.max));
        }
        let rank = (u128::from(samples) * u128::from(percentile)).div_ceil(100_000).max(1);
        let mut seen = 0;
        for step in self.histogram.iter_recorded() {
            seen += u128::from(step.count_at_value());
            if seen >= rank {
                return Some(Span::from_nanos(step.value_iterated_to().min(self.max)));
            }
        }
        Some(Span::from_nanos(self.max))
    }

    /// A percentile in whole microseconds, rounded to the nearest.
    pub(super) fn micros(&self, percentile: u32) -> Option<u64> {
        self.quantile(percentile).map(micros)
    }

    /// The mean in whole microseconds, rounded down.
    fn mean(&self) -> Option<u64> {
        let mean = self.sum.checked_div(u128::from(self.samples()) * 1_000)?;
        Some(u64::try_from(mean).expect("a mean of spans is a span"))
    }

    /// What the report says of the series.
    pub(super) fn report(&self) -> LatencySeries {
        let percentiles = PERCENTILES.iter().filter_map(|&p| Some((p, self.micros(p)?)));
        LatencySeries {
            name: self.name,
            samples: self.samples(),
            mean: self.mean(),
            percentiles: percentiles.collect(),
        }
    }

    pub(super) fn heap(&self) -> usize {
        self.histogram.distinct_values() * size_of::<u64>()
    }
}

/// Whole microseconds, rounded to the nearest.
pub(super) const fn micros(span: Span) -> u64 {
    span.as_nanos().saturating_add(500) / 1_000
}

/// How long operations of one kind take while no fault has begun, and whether that is how they
/// usually are: an outage that comes without a fault (an alarm, say) is seen here too, and is none
/// of the usual.
///
/// So beside the series the seconds are counted in which something succeeded, and those of them
/// that were slow: in which more than 1 % of the successes took longer than the limit. An outage
/// makes few of them, for in it nothing succeeds; what is slow by nature makes nearly all of them.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    series: Series,
    /// Half the availability gap.
    limit: Span,
    /// The second that is being counted, its successes, and those of them beyond the limit.
    second: u64,
    successes: u64,
    late: u64,
    /// Seconds that are over, and those of them that were slow.
    seconds: u64,
    slow: u64,
}

impl Usual {
    fn new(name: &'static str, limit: Span) -> Usual {
        let series = Series::new(name);
        Usual { series, limit, second: 0, successes: 0, late: 0, seconds: 0, slow: 0 }
    }

    /// An operation that took so long succeeded at `at`.
    pub(super) fn record(&mut self, at: Time, took: Span) {
        let second = at.as_nanos() / 1_000_000_000;
        if second > self.second {
            (self.seconds, self.slow) = self.counted();
            (self.second, self.successes, self.late) = (second, 0, 0);
        }
        self.successes += 1;
        self.late += u64::from(took > self.limit);
        self.series.record(took);
    }

    /// Seconds and slow seconds, the present one included.
    fn counted(&self) -> (u64, u64) {
        let slow = self.late * 100 > self.successes;
        (self.seconds + u64::from(self.successes > 0), self.slow + u64::from(slow))
    }

    /// The 99th percentile, if it is longer than the limit, and in nine of ten seconds too.
    pub(super) fn slow_by_nature(&self) -> Option<Span> {
        let (seconds, slow) = self.counted();
        let usual = self.series.quantile(99_000)?;
        (usual > self.limit && slow * 10 > seconds * 9).then_some(usual)
    }
}

/// All series of a run.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    /// Intended time to acknowledgement.
    pub(super) ack: Series,
    /// Last transmission to acknowledgement.
    pub(super) ack_service: Series,
    /// Intended time to first delivery.
    pub(super) end_to_end: Series,
    /// Intended time to acceptance, of sends that ask for no answer.
    pub(super) accepted: Series,
    /// Writes that were answered before the first fault.
    pub(super) fault_free_write: Usual,
    /// How long reads were pending before the first fault.
    pub(super) fault_free_read: Usual,
}

impl Latencies {
    /// None yet, where a time without success counts if it is longer than `gap`.
    pub(super) fn new(gap: Span) -> Latencies {
        Latencies {
            ack: Series::new("ack_latency"),
            ack_service: Series::new("ack_service_latency"),
            end_to_end: Series::new("end_to_end_latency"),
            accepted: Series::new("accepted_latency"),
            fault_free_write: Usual::new("fault_free_write", gap / 2),
            fault_free_read: Usual::new("fault_free_read", gap / 2),
        }
    }

    /// The series that `latency.csv` has, in its order.
    pub(super) fn reported(&self) -> [&Series; 4] {
        [&self.ack, &self.ack_service, &self.end_to_end, &self.accepted]
    }

    pub(super) fn heap(&self) -> usize {
        let guards = self.fault_free_write.series.heap() + self.fault_free_read.series.heap();
        guards + self.reported().iter().map(|series| series.heap()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_to_three_digits_and_the_maximum_is_exact() {
        let mut series = Series::new("x");
        assert_eq!(series.report().percentiles, []);
        for n in 1..=1_000 {
            series.record(Span::from_micros(n * 100));
        }
        series.record(Span::from_nanos(123_456_789));
        let report = series.report();
        assert_eq!(report.samples, 1_001);
        for ((percentile, measured), exact) in
            report.percentiles.iter().zip([50_100, 90_100, 99_100, 100_000, 123_457])
        {
            assert!(measured.abs_diff(exact) * 1_000 <= exact, "{percentile}: {measured}");
        }
        assert_eq!(report.percentiles[4], (100_000, 123_457));
    }

    #[test]
    fn an_outage_is_none_of_the_usual() {
        let limit = Span::from_millis(125);
        let at = |millis: u64| Time::ZERO + Span::from_millis(millis);
        let mut usual = Usual::new("x", limit);
        (0..10_000).step_by(10).for_each(|ms| usual.record(at(ms), Span::from_millis(2)));
        // Nothing for 20 s; then all that was pending succeeds within two seconds.
        (0..2_000).for_each(|ms| usual.record(at(30_000 + ms), Span::from_millis(20_000 - 9 * ms)));
        assert!(usual.series.quantile(50_000) > Some(limit), "most took long");
        assert_eq!(usual.slow_by_nature(), None);

        let mut slow = Usual::new("x", limit);
        (0..60).for_each(|n| slow.record(at(n * 500), Span::from_millis(130)));
        assert_eq!(slow.slow_by_nature().map(Span::as_millis), Some(130));
    }

    #[test]
    fn one_sample_is_every_percentile() {
        let mut series = Series::new("x");
        series.record(Span::from_nanos(1_499));
        assert_eq!(series.micros(50_000), Some(1));
        assert_eq!(series.micros(100_000), Some(1));
    }
}
