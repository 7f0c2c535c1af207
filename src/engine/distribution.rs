//! Distributions of spans and sizes in whole units.

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
    /// The lognormal distribution of the given median and 99th percentile.
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

    /// The same distribution with every value multiplied by `numerator / denominator`.
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
        value as u64
    }
}
