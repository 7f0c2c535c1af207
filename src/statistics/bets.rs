//! Betting against a mean: tests and bounds that hold at every stop.
//!
//! Values `x` are from 0 to 1, one a seed. To show that their mean is *above* `m`, somebody starts
//! with a capital of 1 and bets on each value before it is seen: a share `s` of the capital is
//! multiplied by `x ÷ m`, the rest kept. If the mean is at most `m`, no such bet gains on average,
//! so the capital is a supermartingale that is never negative, and by Ville's inequality the
//! probability that it *ever* reaches `1 ÷ e` is at most `e`. A capital that large therefore
//! proves, with error `e`, that the mean is above `m`, at whatever moment one looks and for
//! whatever reason one stops. To show that it is *below* `m`, the same is done with `1 − x` and
//! `1 − m`.
//!
//! Several shares are played side by side, each with a part of the capital: their sum is again such
//! a capital. It grows nearly as fast as that of the share that fits best. For values that are 0 or
//! 1 each share is one of Wald's sequential probability ratio tests.
//!
//! The capital falls as `m` rises (rises, for the other side), so all `m` that it disproves lie on
//! one side of a bound, and the bounds of all moments hold together: a confidence sequence.
//!
//! Sources: J. Ville, Étude critique de la notion de collectif (1939); A. Wald, Sequential tests of
//! statistical hypotheses (1945); H. Robbins, Statistical methods related to the law of the iterated
//! logarithm (1970), for mixtures; S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Time-uniform,
//! nonparametric, nonasymptotic confidence sequences (Annals of Statistics 49, 2021); I.
//! Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting (JRSS B 86,
//! 2024), for bets on bounded values whatever their distribution.

use crate::engine::{exp, ln};

/// What is to be shown of a mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That it is below the limit.
    Below,
    /// That it is above the limit.
    Above,
}

/// How many bets there are on a side.
const BETS: usize = 12;

/// Shares of the capital that are staked on "below", and the part of it that each begins with.
///
/// Nearly all is staked on what a gate hopes for: only zeros. So 0 of 300 seeds prove less than 1 %
/// at 95 %, as a sample of a fixed size does (299), and some losses still leave bets that can win.
const BELOW: [(f64, f64); BETS] = {
    const PART: f64 = 1.0 / 64.0 / 11.0;
    [
        (1.0, 63.0 / 64.0),
        (31.0 / 32.0, PART),
        (15.0 / 16.0, PART),
        (7.0 / 8.0, PART),
        (3.0 / 4.0, PART),
        (5.0 / 8.0, PART),
        (1.0 / 2.0, PART),
        (3.0 / 8.0, PART),
        (1.0 / 4.0, PART),
        (1.0 / 8.0, PART),
        (1.0 / 16.0, PART),
        (1.0 / 32.0, PART),
    ]
};

/// The same for "above": every order of magnitude alike.
const ABOVE: [(f64, f64); BETS] = {
    let mut bets = [(1.0, 1.0 / BETS as f64); BETS];
    let mut at = 1;
    while at < BETS {
        bets[at].0 = bets[at - 1].0 / 2.0;
        at += 1;
    }
    bets
};

impl Side {
    const fn bets(self) -> &'static [(f64, f64); BETS] {
        match self {
            Side::Below => &BELOW,
            Side::Above => &ABOVE,
        }
    }

    /// The number on whose mean being above its limit is bet.
    fn seen(self, x: f64) -> f64 {
        match self {
            Side::Below => 1.0 - x,
            Side::Above => x,
        }
    }
}

/// Evidence that the mean of values from 0 to 1 is on one side of a limit.
#[derive(Clone, Debug)]
pub struct Bets {
    side: Side,
    limit: f64,
    /// The logarithm of each bet's capital; −∞ if it is lost.
    capital: [f64; BETS],
}

impl Bets {
    /// Before anything was seen. `limit` is from 0 to 1.
    #[must_use]
    pub fn new(side: Side, limit: f64) -> Bets {
        debug_assert!((0.0..=1.0).contains(&limit), "the limit {limit}");
        Bets { side, limit, capital: side.bets().map(|(_, part)| ln(part)) }
    }

    /// One more seed has shown `x`, from 0 to 1.
    pub fn add(&mut self, x: f64) {
        self.add_many(x, 1);
    }

    /// So many more seeds have shown `x`.
    pub fn add_many(&mut self, x: f64, count: u64) {
        debug_assert!((0.0..=1.0).contains(&x), "the value {x}");
        if count == 0 {
            return;
        }
        let (seen, limit) = (self.side.seen(x), self.side.seen(self.limit));
        for (capital, (stake, _)) in self.capital.iter_mut().zip(self.side.bets()) {
            *capital += gain(*stake, seen, limit) * count as f64;
        }
    }

    /// Whether what was seen shows that the mean is on this side of the limit. The probability that
    /// this is ever said of a mean that is not is at most `error`.
    #[must_use]
    pub fn prove(&self, error: f64) -> bool {
        self.capital.iter().map(|capital| exp(*capital)).sum::<f64>() * error >= 1.0
    }
}

/// The logarithm of what one bet makes of its capital when it sees `seen`; −∞ if all is lost.
fn gain(stake: f64, seen: f64, limit: f64) -> f64 {
    // A limit that nothing can pass is never shown to be passed; anything passes a limit of zero.
    let won = match (limit > 0.0, seen > 0.0) {
        (true, _) => seen / limit,
        (false, true) => return f64::INFINITY,
        (false, false) => 1.0,
    };
    let factor = (1.0 - stake) + stake * won;
    if factor >= f64::MIN_POSITIVE { ln(factor) } else { f64::NEG_INFINITY }
}

/// How often a bound is halved: enough for the last bit of a number between 0 and 1.
const HALVINGS: usize = 54;

/// The least limit that the mean is shown to be below (1 if none), or the greatest that it is shown
/// to be above (0 if none). `values` are pairs of a value from 0 to 1 and how many seeds have it.
///
/// The probability that a bound is ever wrong, looked at after each seed, is at most `error`.
#[must_use]
pub fn mean_bound(side: Side, values: &[(f64, u64)], error: f64) -> f64 {
    let shown = |limit: f64| {
        let mut bets = Bets::new(side, limit);
        values.iter().for_each(|(x, count)| bets.add_many(*x, *count));
        bets.prove(error)
    };
    // What is shown of `yes` is not shown of `no`.
    let (mut yes, mut no) = if side == Side::Below { (1.0, 0.0) } else { (0.0, 1.0) };
    for _ in 0..HALVINGS {
        let middle = (yes + no) / 2.0;
        if shown(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_one_capital() {
        for side in [Side::Below, Side::Above] {
            let whole: f64 = side.bets().iter().map(|(_, part)| part).sum();
            assert!((whole - 1.0).abs() < 1e-15, "{side:?}: {whole}");
            assert!(!Bets::new(side, 0.5).prove(0.999), "nothing seen proves nothing");
        }
    }

    /// The heart of the proof: no bet gains on average while the mean is not beyond the limit. A
    /// bet is linear in what it sees, so its mean gain is its gain at the mean.
    #[test]
    fn no_bet_gains_on_average() {
        for side in [Side::Below, Side::Above] {
            for limit in [1e-6, 0.01, 0.5, 0.99] {
                for (stake, _) in side.bets() {
                    let seen = side.seen(limit);
                    assert!(gain(*stake, seen, seen).abs() < 1e-15);
                    assert!(gain(*stake, seen * 0.9, seen) <= 0.0);
                }
            }
        }
    }

    #[test]
    fn evidence_is_monotone_in_the_limit() {
        let values = [(0.0, 400), (0.02, 9), (1.0, 2)];
        for (side, sign) in [(Side::Below, 1.0), (Side::Above, -1.0)] {
            let mut before = f64::NEG_INFINITY;
            for step in 1..100 {
                let limit = 0.5 + sign * (f64::from(step) / 200.0 - 0.25);
                let mut bets = Bets::new(side, limit);
                values.iter().for_each(|(x, count)| bets.add_many(*x, *count));
                let capital: f64 = bets.capital.iter().map(|capital| exp(*capital)).sum();
                assert!(capital >= before, "{side:?} at {limit}");
                before = capital;
            }
        }
    }

    #[test]
    fn bounds_lie_around_the_mean_and_close_in() {
        let mut wide = 1.0;
        for n in [10, 100, 1_000, 10_000, 100_000] {
            let values = [(0.0, n / 2), (1.0, n / 10), (0.25, n * 4 / 10)];
            let low = mean_bound(Side::Above, &values, 0.05);
            let high = mean_bound(Side::Below, &values, 0.05);
            assert!(low < 0.2 && 0.2 < high && high - low < wide, "{n}: {low} to {high}");
            wide = high - low;
        }
        assert!(wide < 0.02, "{wide}");
    }

    #[test]
    fn the_ends_of_the_range_are_limits_too() {
        let zeros = [(0.0, 50)];
        assert_eq!(mean_bound(Side::Above, &zeros, 0.05), 0.0);
        assert!(mean_bound(Side::Below, &zeros, 0.05) < 0.06);
        let ones = [(1.0, 50)];
        assert_eq!(mean_bound(Side::Below, &ones, 0.05), 1.0);
        assert!(mean_bound(Side::Above, &ones, 0.05) > 0.85);
        assert_eq!(mean_bound(Side::Below, &[], 0.05), 1.0);
        let mut bets = Bets::new(Side::Above, 0.0);
        bets.add(0.5);
        assert!(bets.prove(1e-9), "a value above 0 shows that the mean is");
        let mut bets = Bets::new(Side::Below, 0.0);
        bets.add_many(0.0, 1_000_000);
        assert!(!bets.prove(0.5), "nothing is below 0");
    }
}
