//! Quantiles over seeds.
//!
//! The p-quantile of a metric is at most `b` exactly if the share of seeds above `b` is at most
//! `1 − p`, and at least `b` exactly if the share below `b` is at most `p`. So whether a quantile
//! keeps a bound is a question about a [`share`], and its interval runs between two of the values
//! seen: if the true quantile lies above the j-th smallest value, then at least j values lie below
//! it, which the confidence sequence of that share rules out but for its error. Nothing is assumed
//! of the distribution, ties included. As S. R. Howard, A. Ramdas, Sequential estimation of
//! quantiles (Bernoulli 28, 2022) do it.

use super::{Side, share};

/// The p-quantile of values in ascending order: the least of them that at least the share `p` does
/// not exceed. `None` of no values.
#[must_use]
pub fn of(sorted: &[f64], p: f64) -> Option<f64> {
    let rank = (p * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

/// The greatest value that the p-quantile is shown to be at least, `None` if none. `sorted` are
/// all values that were measured, ascending; `seeds` counts those without a value too, which might
/// be anything. Wrong, at any time, with probability `error` at most.
///
/// It can be shown in two ways: that few lie below (`by` is [`Side::Below`]), or that many do not
/// (`Side::Above`). Which bets fit better depends on what one hopes for; one has to choose before.
#[must_use]
pub fn at_least(sorted: &[f64], seeds: u64, p: f64, error: f64, by: Side) -> Option<f64> {
    let unknown = seeds - sorted.len() as u64;
    let n = sorted.len();
    let holds = |j: usize| match by {
        // Below the j-th smallest lie no more than the j - 1 before it, and those unknown.
        Side::Below => share::is_below(p, j as u64 - 1 + unknown, seeds, error),
        // It and those behind it: were the quantile less, all of them would exceed it.
        Side::Above => share::is_above(1.0 - p, (n - j + 1) as u64, seeds, error),
    };
    let greatest = last_that(n, holds)?;
    Some(sorted[greatest - 1])
}

/// The least value that the p-quantile is shown to be at most; see [`at_least`].
#[must_use]
pub fn at_most(sorted: &[f64], seeds: u64, p: f64, error: f64, by: Side) -> Option<f64> {
    let unknown = seeds - sorted.len() as u64;
    let n = sorted.len();
    // Counted from the end.
    let holds = |j: usize| match by {
        Side::Below => share::is_below(1.0 - p, j as u64 - 1 + unknown, seeds, error),
        Side::Above => share::is_above(p, (n - j + 1) as u64, seeds, error),
    };
    let least = last_that(n, holds)?;
    Some(sorted[n - least])
}

/// The last of 1 to `n` of which something holds that holds of the first so many and no other.
fn last_that(n: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut yes, mut no) = (0, n + 1);
    while no - yes > 1 {
        let middle = yes + (no - yes) / 2;
        if holds(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    (yes > 0).then_some(yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: u32) -> Vec<f64> {
        (1..=n).map(f64::from).collect()
    }

    #[test]
    fn the_quantile_of_what_was_seen() {
        assert_eq!(of(&[], 0.5), None);
        assert_eq!(of(&[7.0], 0.99), Some(7.0));
        assert_eq!(of(&values(100), 0.99), Some(99.0));
        assert_eq!(of(&values(100), 0.5), Some(50.0));
        assert_eq!(of(&values(101), 0.5), Some(51.0));
    }

    #[test]
    fn a_few_seeds_bound_a_high_quantile_on_one_side_only() {
        let few = values(40);
        assert_eq!(at_most(&few, 40, 0.99, 0.05, Side::Below), None);
        let least = at_least(&few, 40, 0.99, 0.05, Side::Below).unwrap();
        assert!((35.0..40.0).contains(&least), "{least}");
        let many = values(300);
        assert_eq!(at_most(&many, 300, 0.99, 0.05, Side::Below), Some(300.0));
        assert_eq!(
            at_most(&many, 301, 0.99, 0.05, Side::Below),
            None,
            "one more, of which nothing is known"
        );
    }

    #[test]
    fn the_interval_closes_in() {
        let mut wide = 0.9;
        for n in [100, 1_000, 10_000] {
            let values = values(n);
            for by in [Side::Below, Side::Above] {
                let seeds = u64::from(n);
                let low = at_least(&values, seeds, 0.5, 0.05, by).unwrap() / f64::from(n);
                let high = at_most(&values, seeds, 0.5, 0.05, by).unwrap() / f64::from(n);
                assert!(low < 0.5 && 0.5 < high && high - low < wide, "{n}: {low} to {high}");
                if by == Side::Above {
                    wide = high - low;
                }
            }
        }
        assert!(wide < 0.06, "{wide}");
    }
}
