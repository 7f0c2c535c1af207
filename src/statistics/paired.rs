//! Medians with an interval that holds for any distribution, and pairs of runs.
//!
//! What differs between two configurations is measured seed by seed: both met the same draws, so
//! the difference of one seed has less noise than either number. The interval is that of the sign
//! test: between the `k`-th least and the `k`-th greatest of `n` values, the median of the whole
//! population lies with probability `1 − 2 P(Binomial(n, ½) < k)` or more, whatever the
//! distribution (Conover, "Practical Nonparametric Statistics", 3rd ed., 3.2). Losses are zero in
//! most seeds and great in some: an interval made of a standard deviation would be wrong for them,
//! and so would one that takes differences to be symmetric (Wilcoxon, Hodges and Lehmann).

/// With what confidence intervals are made.
pub const CONFIDENCE: f64 = 0.95;

/// An interval in which a median lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The probability with which it covers the median, at least: more than was asked for, since
    /// there are only so many values to choose ends from.
    pub confidence: f64,
}

/// What values of one number over seeds come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Values {
    /// How many there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their median: the mean of the middle two of an even number.
    pub median: f64,
    /// Where the median of all seeds lies; `None` of fewer than six values, which prove nothing
    /// with 95 % confidence.
    pub interval: Option<Interval>,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub greatest: f64,
}

/// What a number changed by between two configurations, seed by seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The mean of the first configuration.
    pub first: f64,
    /// The mean of the second.
    pub second: f64,
    /// The differences, second less first.
    pub difference: Values,
    /// In how many seeds the second is greater.
    pub higher: usize,
    /// In how many it is less.
    pub lower: usize,
}

impl Values {
    /// Of some values, in any order; `None` of none.
    ///
    /// # Panics
    /// If one is no number.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Values> {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| a.partial_cmp(b).expect("measurements are numbers"));
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len();
        let middle = (sorted[(count - 1) / 2], sorted[count / 2]);
        // Sorted, so that the sum does not depend on the order in which values came.
        let mean = sorted.iter().sum::<f64>() / count as f64;
        let interval = rank(count, CONFIDENCE).map(|(k, confidence)| Interval {
            low: sorted[k - 1],
            high: sorted[count - k],
            confidence,
        });
        let median = middle.0 + (middle.1 - middle.0) / 2.0;
        Some(Values { count, mean, median, interval, least, greatest })
    }
}

impl Change {
    /// Of pairs of what two configurations came to with one seed; `None` of none.
    #[must_use]
    pub fn of(pairs: &[(f64, f64)]) -> Option<Change> {
        let differences: Vec<f64> = pairs.iter().map(|(first, second)| second - first).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| {
            Values::of(&pairs.iter().map(of).collect::<Vec<_>>()).map(|values| values.mean)
        };
        Some(Change {
            first: mean(|pair| pair.0)?,
            second: mean(|pair| pair.1)?,
            difference: Values::of(&differences)?,
            higher: differences.iter().filter(|change| **change > 0.0).count(),
            lower: differences.iter().filter(|change| **change < 0.0).count(),
        })
    }
}

/// In how many of `n` seeds at most a difference may go the other way, or be none, for its median to
/// be proven to lie on one side of 0 ([`CONFIDENCE`]); `None` of fewer than six seeds.
#[must_use]
pub fn exceptions(n: usize) -> Option<usize> {
    rank(n, CONFIDENCE).map(|(k, _)| k - 1)
}

/// The greatest `k` for which the `k`-th least and the `k`-th greatest of `n` values enclose the
/// median with at least that confidence, and the confidence that it comes to.
fn rank(n: usize, confidence: f64) -> Option<(usize, f64)> {
    // Binomial coefficients relative to the greatest: nothing overflows, and what underflows is
    // too small to count.
    let middle = n / 2;
    let mut weights = vec![1.0; n + 1];
    for j in (0..middle).rev() {
        weights[j] = weights[j + 1] * (j + 1) as f64 / (n - j) as f64;
    }
    for j in middle + 1..=n {
        weights[j] = weights[j - 1] * (n - j + 1) as f64 / j as f64;
    }
    let all: f64 = weights.iter().sum();
    let (mut below, mut best) = (0.0, None);
    for (j, weight) in weights.iter().enumerate().take(n.div_ceil(2)) {
        below += weight;
        let covered = 1.0 - 2.0 * below / all;
        if covered < confidence {
            break;
        }
        best = Some((j + 1, covered));
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Stream;

    /// Conover, table A3: ranks of 95 % intervals of the median.
    #[test]
    fn ranks_are_those_of_the_tables() {
        for (n, k) in [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (50, 18)] {
            assert_eq!(rank(n, 0.95).unwrap().0, k, "{n}");
        }
        for n in 0..6 {
            assert_eq!(rank(n, 0.95), None, "{n}");
        }
        // 1 - 2 / 2^6
        assert!((rank(6, 0.95).unwrap().1 - 0.96875).abs() < 1e-12);
        let (k, confidence) = rank(100_000, 0.95).unwrap();
        assert!((49_680..=49_700).contains(&k) && (0.95..0.951).contains(&confidence), "{k}");
    }

    #[test]
    fn values_in_any_order_come_to_the_same() {
        let up: Vec<f64> = (0..20).map(|n| f64::from(n) * 0.1).collect();
        let mut down = up.clone();
        down.reverse();
        let values = Values::of(&up).unwrap();
        assert_eq!(Values::of(&down), Some(values));
        assert_eq!((values.least, values.greatest, values.count), (0.0, up[19], 20));
        let interval = values.interval.unwrap();
        assert_eq!((interval.low, interval.high), (up[5], up[14]));
        assert_eq!(Values::of(&[]), None);
        assert_eq!(Values::of(&[3.0]).unwrap().interval, None);
        assert_eq!(Values::of(&[3.0, 4.0]).unwrap().median, 3.5);
    }

    #[test]
    fn changes_are_of_pairs() {
        let pairs = [(10.0, 12.0), (100.0, 101.0), (5.0, 5.0), (7.0, 4.0)];
        let change = Change::of(&pairs).unwrap();
        assert_eq!((change.first, change.second), (30.5, 30.5));
        assert_eq!((change.higher, change.lower), (2, 1));
        assert_eq!((change.difference.median, change.difference.mean), (0.5, 0.0));
        assert_eq!((change.difference.least, change.difference.greatest), (-3.0, 2.0));
    }

    /// Bursts of losses, zero in most seeds: the interval covers the median as often as it says.
    #[test]
    fn skewed_values_are_covered() {
        let mut draw = Stream::fixed(1, "coverage");
        // The median of |x|³ with x uniform in -1..1 is ½³.
        let mut value = || {
            let uniform = draw.below(2_000_001) as f64 / 1_000_000.0 - 1.0;
            (uniform * uniform * uniform).abs()
        };
        let mut covered = 0;
        for _ in 0..2_000 {
            let values: Vec<f64> = (0..15).map(|_| value()).collect();
            let interval = Values::of(&values).unwrap().interval.unwrap();
            covered += u32::from(interval.low <= 0.125 && 0.125 <= interval.high);
        }
        // 96.5 % is what the rank says; three standard deviations are 1.2 %.
        assert!((1_900..=1_960).contains(&covered), "{covered}");
    }
}
