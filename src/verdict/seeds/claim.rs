//! The one question behind every expectation over seeds: whether the mean of something bad, from 0
//! to 1 a seed, is at most a limit.

use crate::statistics::{Bets, Side, mean_bound};

/// A limit on the mean of what is bad, with the evidence on both sides.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    keeps: Bets,
    breaks: Bets,
}

/// What the evidence says so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Proven,
    Refuted,
    Open,
}

impl Claim {
    /// That the mean is at most `limit`, from 0 to 1.
    pub(super) fn new(limit: f64) -> Claim {
        Claim { keeps: Bets::new(Side::Below, limit), breaks: Bets::new(Side::Above, limit) }
    }

    /// One more seed; of one that is not known the worst is assumed either way.
    pub(super) fn add(&mut self, bad: Option<f64>) {
        self.keeps.add(bad.unwrap_or(1.0));
        self.breaks.add(bad.unwrap_or(0.0));
    }

    /// What is shown, each with this probability at most of being wrong.
    pub(super) fn finding(&self, keeping: f64, breaking: f64) -> Finding {
        match (self.keeps.prove(keeping), self.breaks.prove(breaking)) {
            (true, _) => Finding::Proven,
            (false, true) => Finding::Refuted,
            (false, false) => Finding::Open,
        }
    }
}

/// What the mean is shown to be at least and at most; the unknown may be anything.
pub(super) fn interval(known: &[f64], unknown: u64, error: f64) -> (f64, f64) {
    let groups = |worst: f64| {
        let mut sorted = known.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut groups: Vec<(f64, u64)> = vec![(worst, unknown)];
        for value in sorted {
            match groups.last_mut() {
                Some((last, count)) if *last == value => *count += 1,
                _ => groups.push((value, 1)),
            }
        }
        groups
    };
    let low = mean_bound(Side::Above, &groups(0.0), error);
    (low, mean_bound(Side::Below, &groups(1.0), error))
}
