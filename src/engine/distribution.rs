//! Distributions of spans and sizes in whole units.
//!
//! Every sample is made from one random word by IEEE arithmetic only (see the `math` module of the
//! engine) and is rounded once, in [`whole`]: samples are equal on all machines.
//!
//! With `u = (k + ½) ÷ 2^52`, k being the high 52 bits of the word:
//!
//! ```text
//! uniform        low + ((high − low + 1) × word >> 64)
//! exponential    mean × −ln u
//! lognormal      median × e^(σ Φ⁻¹(u)),  σ = ln(p99 ÷ median) ÷ Φ⁻¹(0.99)
//! ```

use super::math::{exp, ln};
use super::{Span, Stream};

/// A distribution of a span in nanoseconds, or of a size in whole units.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same. Nothing is drawn.
    Constant(u64),
    /// Every whole number from `low` to `high`, both included, is as likely.
    Uniform {
        /// The smallest value.
        low: u64,
        /// The largest value.
        high: u64,
    },
    /// Memoryless, of the given mean.
    Exponential {
        /// The mean.
        mean: u64,
    },
    /// A normal distribution of the logarithm; see [`Distribution::lognormal`].
    LogNormal(LogNormal),
}

/// The parameters of a lognormal distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogNormal {
    median: u64,
    p99: u64,
    sigma: f64,
}

impl LogNormal {
    /// Half of the values lie below.
    #[must_use]
    pub const fn median(&self) -> u64 {
        self.median
    }
    /// 99 of 100 values lie below.
    #[must_use]
    pub const fn p99(&self) -> u64 {
        self.p99
    }
}

/// The 99 % quantile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

impl Distribution {
    /// The lognormal distribution of the given median and 99th percentile; constant if the median
    /// is 0 or the percentile not above it.
    #[must_use]
    pub fn lognormal(median: u64, p99: u64) -> Distribution {
        if median == 0 || p99 <= median {
            return Distribution::Constant(median);
        }
        let sigma = ln(p99 as f64 / median as f64) / Z99;
        Distribution::LogNormal(LogNormal { median, p99, sigma })
    }

    /// Draws a value.
    #[inline(always)]
    pub fn sample(&self, stream: &mut Stream) -> u64 {
        match *self {
            Distribution::Constant(value) => value,
            Distribution::Uniform { low, high } => stream.between(low, high.max(low)),
            Distribution::Exponential { mean } => whole(stream.exponential() * mean as f64),
            Distribution::LogNormal(LogNormal { median, sigma, .. }) => {
                whole(median as f64 * exp(sigma * stream.normal()))
            }
        }
    }

    /// Draws a span; the distribution is one of nanoseconds.
    #[inline(always)]
    pub fn span(&self, stream: &mut Stream) -> Span {
        Span::from_nanos(self.sample(stream))
    }

    /// The mean, rounded.
    #[must_use]
    pub fn mean(&self) -> u64 {
        match *self {
            Distribution::Constant(value) => value,
            Distribution::Uniform { low, high } => low + (high.max(low) - low) / 2,
            Distribution::Exponential { mean } => mean,
            Distribution::LogNormal(LogNormal { median, sigma, .. }) => {
                whole(median as f64 * exp(sigma * sigma / 2.0))
            }
        }
    }

    /// The same distribution with every value multiplied by `numerator / denominator`, its
    /// parameters rounded down. A `denominator` of 0 counts as 1.
    #[must_use]
    pub fn scaled(&self, numerator: u64, denominator: u64) -> Distribution {
        let scale = |value: u64| {
            let product = u128::from(value) * u128::from(numerator);
            u64::try_from(product / u128::from(denominator.max(1))).unwrap_or(u64::MAX)
        };
        match *self {
            Distribution::Constant(value) => Distribution::Constant(scale(value)),
            Distribution::Uniform { low, high } => {
                Distribution::Uniform { low: scale(low), high: scale(high) }
            }
            Distribution::Exponential { mean } => Distribution::Exponential { mean: scale(mean) },
            Distribution::LogNormal(LogNormal { median, p99, .. }) => {
                Distribution::lognormal(scale(median), scale(p99))
            }
        }
    }
}

/// The one place where a float becomes a whole number: the nearest one, of two the even one.
#[inline(always)]
fn whole(value: f64) -> u64 {
    debug_assert!(value >= 0.0, "a sample of {value}");
    const TWO_52: f64 = 4_503_599_627_370_496.0;
    if value < TWO_52 / 2.0 {
        // The sum is rounded to a whole number, which is then its fraction.
        (value + TWO_52).to_bits() & 0x000f_ffff_ffff_ffff
    } else {
        value.round_ties_even() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::hash_words;

    fn sorted(distribution: &Distribution, count: usize) -> Vec<u64> {
        let mut stream = Stream::fixed(11, "samples");
        let mut samples: Vec<u64> = (0..count).map(|_| distribution.sample(&mut stream)).collect();
        samples.sort_unstable();
        samples
    }

    fn near(value: u64, expected: f64, relative: f64) -> bool {
        (value as f64 - expected).abs() <= relative * expected
    }

    fn check(distribution: &Distribution, quantiles: &[(f64, f64)]) {
        let samples = sorted(distribution, 200_000);
        for (p, expected) in quantiles {
            let value = samples[(p * samples.len() as f64) as usize];
            assert!(near(value, *expected, 0.02), "{distribution:?}: {value} at {p}");
        }
        let mean = samples.iter().sum::<u64>() / samples.len() as u64;
        let expected = distribution.mean() as f64;
        assert!(near(mean, expected, 0.01), "{distribution:?}: mean {mean}, not {expected}");
    }

    #[test]
    fn exponential_has_its_quantiles() {
        let distribution = Distribution::Exponential { mean: 1_000_000 };
        check(&distribution, &[(0.1, 105_360.5), (0.5, 693_147.2), (0.9, 2_302_585.1)]);
        check(&distribution, &[(0.99, 4_605_170.2), (0.999, 6_907_755.3)]);
    }

    #[test]
    fn lognormal_has_its_quantiles() {
        let distribution = Distribution::lognormal(100_000, 400_000);
        // 100 000 × 4^(z ÷ z99)
        check(&distribution, &[(0.01, 25_000.0), (0.5, 100_000.0), (0.99, 400_000.0)]);
        check(&distribution, &[(0.158_655, 55_107.0), (0.841_345, 181_465.0)]);
        let Distribution::LogNormal(shape) = distribution else { panic!("not constant") };
        assert_eq!((shape.median(), shape.p99()), (100_000, 400_000));
    }

    #[test]
    fn uniform_has_its_quantiles() {
        let distribution = Distribution::Uniform { low: 1_000, high: 4_000 };
        check(&distribution, &[(0.1, 1_300.0), (0.5, 2_500.0), (0.9, 3_700.0)]);
        let dice = sorted(&Distribution::Uniform { low: 1, high: 6 }, 60_000);
        for face in 1..=6 {
            let count = dice.iter().filter(|value| **value == face).count();
            assert!(count.abs_diff(10_000) < 400, "{count} times {face}");
        }
    }

    #[test]
    fn a_constant_draws_nothing() {
        let mut stream = Stream::new(1, "constant");
        let before = stream.digest();
        for distribution in [Distribution::Constant(7), Distribution::lognormal(7, 7)] {
            assert_eq!((distribution.sample(&mut stream), distribution.mean()), (7, 7));
        }
        assert_eq!(Distribution::lognormal(0, 9), Distribution::Constant(0));
        assert_eq!(stream.digest(), before);
        assert_eq!(Distribution::Constant(5).span(&mut stream), Span::from_nanos(5));
    }

    /// Every bit of a sample counts, on every platform.
    #[test]
    fn samples_are_pinned() {
        let mut stream = Stream::new(1, "pinned");
        let mut all = Vec::new();
        for _ in 0..10_000 {
            all.push(Distribution::Exponential { mean: 500_000 }.sample(&mut stream));
            all.push(Distribution::lognormal(100_000, 400_000).sample(&mut stream));
            all.push(Distribution::Uniform { low: 3, high: 1 << 50 }.sample(&mut stream));
        }
        assert_eq!(
            all[..6],
            [8194, 158_831, 201_861_720_658_389, 64_676, 166_287, 625_966_891_800_360]
        );
        assert_eq!(hash_words(&all), 11_976_210_713_067_582_119);
    }

    proptest! {
        /// One rounding, to the nearest.
        #[test]
        fn whole_is_the_nearest(value in 0.0..1e19_f64) {
            let expected = value.round_ties_even() as u64;
            prop_assert_eq!(whole(value), expected);
        }

        #[test]
        fn whole_is_the_nearest_for_small_values(halves in 0..1_000_000_u64) {
            let value = halves as f64 / 2.0;
            prop_assert_eq!(whole(value), value.round_ties_even() as u64);
        }

        #[test]
        fn scaling_scales(median in 1..1_000_000_u64, more in 1..1_000_000_u64, by in 1..50_u64) {
            let p99 = median + more;
            let plain = Distribution::lognormal(median, p99);
            let scaled = plain.scaled(by, 1);
            let (mut a, mut b) = (Stream::new(1, "a"), Stream::new(1, "a"));
            for _ in 0..20 {
                let (x, y) = (plain.sample(&mut a), scaled.sample(&mut b));
                prop_assert!(near(y, x as f64 * by as f64, 1e-9) || y.abs_diff(x * by) <= by);
            }
            let exponential = Distribution::Exponential { mean: median };
            prop_assert_eq!(exponential.scaled(by, 1).mean(), median * by);
            prop_assert_eq!(exponential.scaled(by, by), exponential);
        }
    }

    #[test]
    fn scaling_saturates() {
        let huge = Distribution::Uniform { low: 1, high: u64::MAX }.scaled(3, 1);
        assert_eq!(huge, Distribution::Uniform { low: 3, high: u64::MAX });
        assert_eq!(Distribution::Constant(9).scaled(1, 2), Distribution::Constant(4));
        assert_eq!(Distribution::Constant(9).scaled(1, 0), Distribution::Constant(9));
        assert_eq!(whole(1e300), u64::MAX);
    }
}
