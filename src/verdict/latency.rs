//! Latency series.

use hdrhistogram::Histogram;

use crate::engine::Span;
use crate::verdict::LatencySeries;

/// The percentiles of every series, in thousandths of a percent: 50, 90, 99, 99.9, 100 %.
pub const PERCENTILES: [u32; 5] = [50_000, 90_000, 99_000, 99_900, 100_000];

/// One series: a histogram of nanoseconds with 3 significant digits, and the exact maximum.
#[derive(Clone, Debug)]
pub(super) struct Series {
    name: &'static str,
    histogram: Histogram<u64>,
    max: u64,
}

impl Series {
    pub(super) fn new(name: &'static str) -> Series {
        let histogram = Histogram::new(3).expect("three significant digits are supported");
        Series { name, histogram, max: 0 }
    }

    pub(super) fn record(&mut self, span: Span) {
        self.histogram.record(span.as_nanos()).expect("the histogram grows as needed");
        self.max = self.max.max(span.as_nanos());
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

    /// What the report says of the series.
    pub(super) fn report(&self) -> LatencySeries {
        let percentiles = PERCENTILES.iter().filter_map(|&p| Some((p, self.micros(p)?)));
        LatencySeries {
            name: self.name,
            samples: self.samples(),
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
    pub(super) fault_free_write: Series,
    /// How long reads were pending before the first fault.
    pub(super) fault_free_read: Series,
}

impl Latencies {
    pub(super) fn new() -> Latencies {
        Latencies {
            ack: Series::new("ack_latency"),
            ack_service: Series::new("ack_service_latency"),
            end_to_end: Series::new("end_to_end_latency"),
            accepted: Series::new("accepted_latency"),
            fault_free_write: Series::new("fault_free_write"),
            fault_free_read: Series::new("fault_free_read"),
        }
    }

    /// The series that `latency.csv` has, in its order.
    pub(super) fn reported(&self) -> [&Series; 4] {
        [&self.ack, &self.ack_service, &self.end_to_end, &self.accepted]
    }

    pub(super) fn heap(&self) -> usize {
        let guards = self.fault_free_write.heap() + self.fault_free_read.heap();
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
    fn one_sample_is_every_percentile() {
        let mut series = Series::new("x");
        series.record(Span::from_nanos(1_499));
        assert_eq!(series.micros(50_000), Some(1));
        assert_eq!(series.micros(100_000), Some(1));
    }
}
