//! The share of seeds in which something is so, as far as the seeds seen so far tell: a confidence
//! sequence, valid at every stop.
//!
//! `hits` of `seeds` seeds have it. The functions are [`Bets`] on zeros and ones.

use super::bets::{Bets, Side, mean_bound};

fn bets(side: Side, limit: f64, hits: u64, seeds: u64) -> Bets {
    let mut bets = Bets::new(side, limit);
    bets.add_many(0.0, seeds - hits);
    bets.add_many(1.0, hits);
    bets
}

/// Whether the share is shown to be below the limit; wrong, at any time, with probability `error`
/// at most.
#[must_use]
pub fn is_below(limit: f64, hits: u64, seeds: u64, error: f64) -> bool {
    bets(Side::Below, limit, hits, seeds).prove(error)
}

/// Whether the share is shown to be above the limit; wrong, at any time, with probability `error`
/// at most.
#[must_use]
pub fn is_above(limit: f64, hits: u64, seeds: u64, error: f64) -> bool {
    bets(Side::Above, limit, hits, seeds).prove(error)
}

/// The least share that it is shown to be below.
#[must_use]
pub fn upper(hits: u64, seeds: u64, error: f64) -> f64 {
    mean_bound(Side::Below, &[(0.0, seeds - hits), (1.0, hits)], error)
}

/// The greatest share that it is shown to be above.
#[must_use]
pub fn lower(hits: u64, seeds: u64, error: f64) -> f64 {
    mean_bound(Side::Above, &[(0.0, seeds - hits), (1.0, hits)], error)
}

/// How many seeds would show that the share is below the limit if there were no more hits than
/// these; `None` if more than a million.
#[must_use]
pub fn seeds_needed(limit: f64, hits: u64, error: f64) -> Option<u64> {
    const MOST: u64 = 1_000_000;
    let shown = |seeds: u64| is_below(limit, hits, seeds, error);
    // Every seed without a hit adds to the evidence, so it can be halved.
    let (mut no, mut yes) = (hits, MOST);
    if !shown(yes) {
        return None;
    }
    while yes - no > 1 {
        let middle = no + (yes - no) / 2;
        if shown(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    Some(yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule of three, nearly at the price of a sample of a fixed size (299).
    #[test]
    fn three_hundred_seeds_without_a_hit_prove_less_than_one_percent() {
        assert_eq!(seeds_needed(0.01, 0, 0.05), Some(300));
        assert!(is_below(0.01, 0, 300, 0.05) && !is_below(0.01, 0, 299, 0.05));
        let bound = upper(0, 300, 0.05);
        assert!(0.0098 < bound && bound < 0.01, "{bound}");
        assert_eq!(lower(0, 300, 0.05), 0.0);
    }

    #[test]
    fn hits_cost_seeds() {
        let needed = |hits| seeds_needed(0.01, hits, 0.05).unwrap();
        let costs: Vec<u64> = (0..4).map(needed).collect();
        assert!(costs.windows(2).all(|pair| pair[0] < pair[1]), "{costs:?}");
        assert!(costs[1] < 1_200 && costs[3] < 2_000, "{costs:?}");
        assert_eq!(seeds_needed(0.0, 0, 0.05), None, "no number of seeds proves never");
    }

    #[test]
    fn many_hits_are_soon_too_many() {
        assert!(!is_above(0.01, 1, 1, 0.05), "one seed is bad luck");
        assert!(is_above(0.01, 2, 2, 0.05));
        assert!(is_above(0.5, 20, 22, 0.05));
        assert!(!is_above(0.5, 11, 20, 0.05));
    }

    #[test]
    fn bounds_are_where_the_tests_turn() {
        for (hits, seeds) in [(0, 17), (3, 40), (40, 40), (7, 1_000)] {
            let (low, high) = (lower(hits, seeds, 0.05), upper(hits, seeds, 0.05));
            let share = hits as f64 / seeds as f64;
            assert!(low <= share && share <= high, "{low} {share} {high}");
            if high < 1.0 {
                assert!(is_below(high + 1e-12, hits, seeds, 0.05));
                assert!(!is_below(high - 1e-9, hits, seeds, 0.05));
            }
            if low > 0.0 {
                assert!(is_above(low - 1e-12, hits, seeds, 0.05));
                assert!(!is_above(low + 1e-9, hits, seeds, 0.05));
            }
        }
    }
}
