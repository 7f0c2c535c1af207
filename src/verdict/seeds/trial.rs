//! An expectation over seeds while the seeds come in, and what is to be said of it.

use super::claim::{Claim, Finding, interval};
use super::{OverSeeds, Subject};
use crate::scenario::units::grouped;
use crate::statistics::{Side as Bet, quantile, share};
use crate::verdict::{Unit, Verdict};

/// The seeds seen so far, in their order.
#[derive(Clone, Debug)]
pub struct Trial {
    over: OverSeeds,
    /// For `max` and for `min`.
    claims: Vec<(Side, Claim)>,
    /// The values that are known.
    known: Vec<f64>,
    unknown: u64,
    /// Whether a seed had a value that the scenario assumes not to exist.
    surprised: bool,
    settled: Option<Verdict>,
}

/// Which bound a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Max,
    Min,
}

/// The verdict on an expectation over seeds, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The verdict.
    pub verdict: Verdict,
    /// What was measured, short.
    pub measured: String,
    /// What that proves, and what it does not.
    pub note: String,
}

impl Trial {
    /// Before the first seed.
    #[must_use]
    pub fn new(over: &OverSeeds) -> Trial {
        let mut claims = Vec::new();
        if over.is_statistical() {
            claims.extend(over.max.map(|max| (Side::Max, Claim::new(over.limit(Side::Max, max)))));
            claims.extend(over.min.map(|min| (Side::Min, Claim::new(over.limit(Side::Min, min)))));
        }
        let (over, known) = (over.clone(), Vec::new());
        Trial { over, claims, known, unknown: 0, surprised: false, settled: None }
    }

    /// What it is about.
    #[must_use]
    pub fn over(&self) -> &OverSeeds {
        &self.over
    }

    /// The next seed, with what it contributes. After a verdict nothing changes any more.
    pub fn add(&mut self, value: Option<f64>) {
        if self.settled.is_some() && self.over.is_statistical() {
            return;
        }
        match value {
            Some(value) => self.known.push(value),
            None => self.unknown += 1,
        }
        if !self.over.is_statistical() {
            if value.is_some_and(|value| value > 0.0) {
                self.settled = Some(Verdict::Holds);
            }
            return;
        }
        if value.is_some_and(|value| self.over.exceeds(value)) {
            self.surprised = true;
            self.settled = Some(Verdict::Broken);
            return;
        }
        for (side, claim) in &mut self.claims {
            claim.add(value.map(|value| self.over.bad(*side, value)));
        }
        self.settled = self.look();
    }

    /// The verdict, if the seeds so far suffice for one.
    #[must_use]
    pub fn settled(&self) -> Option<Verdict> {
        self.settled
    }

    fn look(&self) -> Option<Verdict> {
        // If both bounds are kept, either might be refuted by mistake: each has half of the error.
        // Both are proven by mistake only if the one that is not kept is.
        let (keeping, breaking) = (self.over.error, self.over.error / self.claims.len() as f64);
        let mut verdict = Verdict::Holds;
        for (_, claim) in &self.claims {
            verdict = verdict.max(match claim.finding(keeping, breaking) {
                Finding::Proven => Verdict::Holds,
                Finding::Open => Verdict::Undecided,
                Finding::Refuted => Verdict::Broken,
            });
        }
        (verdict != Verdict::Undecided).then_some(verdict)
    }

    fn seeds(&self) -> u64 {
        self.known.len() as u64 + self.unknown
    }

    /// The verdict as if there were no more seeds.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let at_end = match self.over.subject {
            Subject::Sometimes(..) if self.seeds() > 0 => Verdict::Broken,
            _ => Verdict::Undecided,
        };
        self.settled.unwrap_or(at_end)
    }

    /// What the seeds seen so far come to, as if there were no others.
    #[must_use]
    pub fn told(&self) -> Told {
        let verdict = self.verdict();
        let (measured, mut note) = match &self.over.subject {
            Subject::Sometimes(..) => self.told_sometimes(verdict),
            Subject::Lossy => self.told_share(verdict),
            Subject::Quantile(_, p, _) => self.told_quantile(*p, verdict),
            Subject::Mean(_) | Subject::LostPerMillion => self.told_mean(verdict),
        };
        if self.unknown > 0 {
            let (unknown, were) =
                (grouped(self.unknown), if self.unknown == 1 { "was" } else { "were" });
            note += &format!("; {unknown} of them {were} not measured, or not quiet at the end");
        }
        Told { verdict, measured, note }
    }

    fn told_sometimes(&self, verdict: Verdict) -> (String, String) {
        let reached = self.known.iter().filter(|value| **value > 0.0).count();
        let seeds = counted(self.seeds());
        let measured = match reached {
            0 => format!("never in {seeds}"),
            reached => format!("in {} of {seeds}", grouped(reached as u64)),
        };
        let note = match verdict {
            Verdict::Holds => String::new(),
            _ => "the scenario is too weak: what it shows says nothing of this situation; give it \
                  more seeds, or faults that lead there"
                .to_owned(),
        };
        (measured, note)
    }

    fn told_share(&self, verdict: Verdict) -> (String, String) {
        let hits = self.known.iter().filter(|value| **value > 0.0).count() as u64;
        let measured = format!("{} of {}", grouped(hits), counted(self.seeds()));
        // By the same bets as the claim: on losses if they are to be few, else on their absence.
        let (seeds, error) = (self.seeds(), self.over.error);
        let (low, high) = match self.over.max {
            Some(_) => {
                (share::lower(hits, seeds, error), share::upper(hits + self.unknown, seeds, error))
            }
            None => {
                let without = self.known.len() as u64 - hits;
                let most = share::upper(without + self.unknown, seeds, error);
                (1.0 - most, 1.0 - share::lower(without, seeds, error))
            }
        };
        let sure = self.over.sure();
        let note = match (verdict, self.over.max) {
            (Verdict::Holds, Some(_)) => format!("which proves less than {} {sure}", up(high)),
            (Verdict::Holds, None) => format!("which proves more than {} {sure}", down(low)),
            (Verdict::Broken, Some(max)) if low >= max => {
                format!("which proves more than {} {sure}", down(low))
            }
            (Verdict::Broken, _) => format!("which proves less than {} {sure}", up(high)),
            (Verdict::Undecided, _) => {
                let between = format!("{} to {}", down(low), up(high));
                let only = match self.over.max {
                    Some(_) if hits == 0 => {
                        format!("which only proves less than {} {sure}", up(high))
                    }
                    _ => format!("which only proves {between} {sure}"),
                };
                only + &self.more_needed(hits + self.unknown)
            }
        };
        (measured, note)
    }

    /// How many more seeds would do, if there is no more of what is bad.
    fn more_needed(&self, bad: u64) -> String {
        let [(side, _)] = self.claims.as_slice() else { return String::new() };
        let bound = if *side == Side::Max { self.over.max } else { self.over.min };
        let limit = bound.map_or(1.0, |bound| self.over.limit(*side, bound));
        let bad = match (side, &self.over.subject) {
            (Side::Min, Subject::Lossy) => self.seeds().saturating_sub(bad),
            _ => bad,
        };
        match share::seeds_needed(limit, bad, self.over.error) {
            Some(needed) if needed > self.seeds() => {
                let more = grouped(needed - self.seeds());
                let what = match (side, &self.over.subject) {
                    (Side::Max, Subject::Lossy) => "without loss",
                    (Side::Min, Subject::Lossy) => "with a loss",
                    _ => "that keep it",
                };
                format!("; {more} more {what} would do")
            }
            _ => String::new(),
        }
    }

    fn told_quantile(&self, p: f64, verdict: Verdict) -> (String, String) {
        let mut sorted = self.known.clone();
        sorted.sort_by(f64::total_cmp);
        let unit = self.over.unit();
        let print = |value: f64| unit.print(value);
        let measured = quantile::of(&sorted, p).map_or("nothing".to_owned(), print);
        // By the same bets as the claims: on what is hoped for, and on its opposite.
        let (low, high) = match (self.over.min, self.over.max) {
            (Some(_), Some(_)) if verdict == Verdict::Broken => (Bet::Above, Bet::Above),
            (Some(_), Some(_)) => (Bet::Below, Bet::Below),
            (_, Some(_)) => (Bet::Above, Bet::Below),
            (_, None) => (Bet::Below, Bet::Above),
        };
        let low = quantile::at_least(&sorted, self.seeds(), p, self.over.error, low);
        let high = quantile::at_most(&sorted, self.seeds(), p, self.over.error, high);
        let span = match (low, high) {
            (Some(low), Some(high)) => {
                format!("at least {} and at most {}", unit.number(low), print(high))
            }
            (Some(low), None) => format!("at least {}", print(low)),
            (None, Some(high)) => format!("at most {}", print(high)),
            (None, None) => "nothing".to_owned(),
        };
        let sure = self.over.sure();
        let mut note = format!("{} {span} {sure}", self.prove());
        if verdict == Verdict::Undecided {
            let bad = self.known.iter().filter(|value| self.over.is_beyond(**value)).count();
            note += &self.more_needed(bad as u64 + self.unknown);
        }
        (measured, note)
    }

    /// `300 seeds prove`.
    fn prove(&self) -> String {
        let proves = if self.seeds() == 1 { "proves" } else { "prove" };
        format!("{} {proves}", counted(self.seeds()))
    }

    fn told_mean(&self, verdict: Verdict) -> (String, String) {
        let unit = self.over.unit();
        let most = self.over.most;
        let sum: f64 = self.known.iter().sum();
        let measured = match self.known.len() {
            0 => "nothing".to_owned(),
            n => unit.print(six(sum / n as f64)),
        };
        if self.surprised {
            let worst = self.known.iter().copied().fold(0.0, f64::max);
            let note = format!(
                "a seed has {}, and `assume-at-most` says that none has more than {}",
                unit.print(six(worst)),
                unit.print(most)
            );
            return (measured, note);
        }
        let shares: Vec<f64> = self.known.iter().map(|value| value / most).collect();
        // Near 1 the bets of the other side find more, as in the claims.
        let reflected = matches!(self.over.subject, Subject::Mean(_)) && self.over.max.is_none();
        let (low, high) = if reflected {
            let missing: Vec<f64> = shares.iter().map(|share| 1.0 - share).collect();
            let (low, high) = interval(&missing, self.unknown, self.over.error);
            (1.0 - high, 1.0 - low)
        } else {
            interval(&shares, self.unknown, self.over.error)
        };
        let (low, high) = match unit {
            // Of thousands nobody wants millionths.
            Unit::PerMillion => (four(low * most, f64::floor), four(high * most, f64::ceil)),
            _ => (six_down(low * most), six_up(high * most)),
        };
        let mut note = format!(
            "{} at least {} and at most {} {}",
            self.prove(),
            unit.number(low),
            unit.print(high),
            self.over.sure()
        );
        if verdict == Verdict::Undecided
            && matches!(self.over.subject, Subject::LostPerMillion)
            && !self.over.assumed
        {
            note += "; a rare seed might lose everything, unless `assume-at-most` says that none \
                     loses more than so many per million";
        }
        (measured, note)
    }
}

impl OverSeeds {
    /// The limit on the mean of what is bad that a bound comes to.
    fn limit(&self, side: Side, bound: f64) -> f64 {
        match (&self.subject, side) {
            (Subject::Quantile(_, p, _), Side::Max) => 1.0 - p,
            (Subject::Quantile(_, p, _), Side::Min) => *p,
            (_, Side::Max) => bound / self.most,
            (_, Side::Min) => 1.0 - bound / self.most,
        }
    }

    /// How bad a seed's value is, from 0 to 1.
    fn bad(&self, side: Side, value: f64) -> f64 {
        let is = |beyond: bool| f64::from(u8::from(beyond));
        match (&self.subject, side) {
            (Subject::Quantile(..), Side::Max) => is(self.max.is_some_and(|max| value > max)),
            (Subject::Quantile(..), Side::Min) => is(self.min.is_some_and(|min| value < min)),
            (_, Side::Max) => value / self.most,
            (_, Side::Min) => 1.0 - value / self.most,
        }
    }

    /// Whether a value is greater than any can be.
    fn exceeds(&self, value: f64) -> bool {
        !matches!(self.subject, Subject::Quantile(..)) && value > self.most
    }

    /// `(at 95 %)`.
    fn sure(&self) -> String {
        // The error is a whole number of billionths.
        format!("(at {})", Unit::Share.print(six((1.0 - self.error) * 1e4) / 1e4))
    }
}

fn counted(seeds: u64) -> String {
    format!("{} {}", grouped(seeds), if seeds == 1 { "seed" } else { "seeds" })
}

/// A share in percent with three digits, rounded up.
fn up(share: f64) -> String {
    percent(share, f64::ceil)
}

/// The same, rounded down.
fn down(share: f64) -> String {
    percent(share, f64::floor)
}

fn percent(share: f64, round: impl Fn(f64) -> f64) -> String {
    // So many thousandths, or fewer, that three digits are left.
    let mut scale = 1e8;
    while share * scale >= 1_000.0 && scale > 1e2 {
        scale /= 10.0;
    }
    Unit::Share.print(round(share * scale) / scale)
}

/// With four digits, rounded one way.
fn four(value: f64, round: impl Fn(f64) -> f64) -> f64 {
    let mut scale = 1e6;
    while value * scale >= 10_000.0 && scale > 1.0 {
        scale /= 10.0;
    }
    round(value * scale) / scale
}

/// To six decimals, as everywhere.
fn six(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn six_up(value: f64) -> f64 {
    (value * 1e6).ceil() / 1e6
}

fn six_down(value: f64) -> f64 {
    (value * 1e6).floor() / 1e6
}
