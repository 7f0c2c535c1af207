//! The share of seeds in which something is so, when how many seeds are looked at was fixed before:
//! the exact interval of C. J. Clopper and E. S. Pearson (Biometrika 26, 1934).
//!
//! For tables of what was measured. A decision that may stop early needs [`share`](super::share).

use crate::engine::{exp, ln};

/// The least and the greatest share with which `hits` of `seeds` is not too rare: a share outside
/// it is the true one with probability `error` at most, half of it on either side.
#[must_use]
pub fn interval(hits: u64, seeds: u64, error: f64) -> (f64, f64) {
    debug_assert!(hits <= seeds);
    let low = if hits == 0 { 0.0 } else { turn(|p| at_least(hits, seeds, p) > error / 2.0) };
    let high = if hits == seeds {
        1.0
    } else {
        turn(|p| 1.0 - at_least(hits + 1, seeds, p) <= error / 2.0)
    };
    (low, high)
}

/// Where between 0 and 1 something begins to be so.
fn turn(is_so: impl Fn(f64) -> bool) -> f64 {
    let (mut no, mut yes) = (0.0, 1.0);
    for _ in 0..54 {
        let middle = (no + yes) / 2.0;
        if is_so(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    (no + yes) / 2.0
}

/// The probability of `hits` or more of `seeds` if each is one with probability `p`.
fn at_least(hits: u64, seeds: u64, p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 || hits == 0 {
        return if p >= 1.0 || hits == 0 { 1.0 } else { 0.0 };
    }
    // From the greater term outwards, so that nothing is lost below the smallest number.
    if hits as f64 > seeds as f64 * p {
        tail(hits, seeds, p)
    } else {
        1.0 - tail(seeds - hits + 1, seeds, 1.0 - p)
    }
}

/// The same, by its sum: each term is the one before times a factor below 1.
fn tail(hits: u64, seeds: u64, p: f64) -> f64 {
    let mut term =
        exp(ln_choose(seeds, hits) + hits as f64 * ln(p) + (seeds - hits) as f64 * ln(1.0 - p));
    let mut sum = 0.0;
    for k in hits..=seeds {
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
        term *= (seeds - k) as f64 / (k + 1) as f64 * (p / (1.0 - p));
    }
    sum
}

/// The logarithm of the number of ways to choose `k` of `n`.
fn ln_choose(n: u64, k: u64) -> f64 {
    let k = k.min(n - k);
    (1..=k).map(|i| ln((n - k + i) as f64 / i as f64)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: (f64, f64), wanted: (f64, f64)) {
        let near = |a: f64, b: f64| (a - b).abs() < 5e-6;
        assert!(near(found.0, wanted.0) && near(found.1, wanted.1), "{found:?} {wanted:?}");
    }

    /// Values as `binom.test` of R 4.3 prints them.
    #[test]
    fn known_intervals() {
        close(interval(0, 10, 0.05), (0.0, 0.308_498));
        close(interval(10, 10, 0.05), (0.691_502, 1.0));
        close(interval(1, 20, 0.05), (0.001_265, 0.248_733));
        close(interval(7, 20, 0.05), (0.153_909, 0.592_189));
        close(interval(0, 300, 0.1), (0.0, 0.009_936));
        close(interval(50, 1_000, 0.05), (0.037_334, 0.065_390));
    }

    #[test]
    fn large_samples_do_not_underflow() {
        let (low, high) = interval(50_000, 100_000, 0.05);
        assert!((low - 0.496_9).abs() < 1e-4 && (high - 0.503_1).abs() < 1e-4, "{low} {high}");
        assert_eq!(interval(0, 0, 0.05), (0.0, 1.0));
    }
}
