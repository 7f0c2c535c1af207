//! Expectations over seeds: what a scenario says of many runs together, of which none alone can be
//! judged. The seed is the sampling unit, for losses come in bursts.
//!
//! Each run contributes one number to each such expectation ([`OverSeeds::observe`]); a [`Trial`]
//! takes them in the order of the seeds and says when they suffice.

mod claim;
mod parse;
mod situations;
mod trial;

pub use situations::named as situations;
pub(super) use situations::{shows, signs};
pub use trial::{Told, Trial};

use super::expect::unread;
use super::metrics::{Metric, Unit, metric};
use super::{Number, Report};
use crate::observe::Sign;

/// What is looked at in every run.
#[derive(Clone, Debug)]
enum Subject {
    /// Whether it loses anything after success.
    Lossy,
    /// The share of what it has acknowledged or accepted that is lost, in a million: its mean.
    LostPerMillion,
    /// A metric's mean.
    Mean(&'static Metric),
    /// A metric's quantile: as written (`p99`), and the share of seeds that do not exceed it.
    Quantile(String, f64, &'static Metric),
    /// Whether it came into a situation, by any of these signs.
    Sometimes(String, Vec<Sign>),
}

/// One expectation over seeds.
#[derive(Clone, Debug)]
pub struct OverSeeds {
    subject: Subject,
    min: Option<f64>,
    max: Option<f64>,
    /// The probability that a verdict may be wrong: 0.05 for `confidence = "95%"`.
    error: f64,
    /// The greatest value that one seed can have, for means.
    most: f64,
    /// Whether the scenario names that value.
    assumed: bool,
    /// The line of the scenario's file on which it begins.
    line: Option<usize>,
    /// Whether a message may be several lines.
    fans_out: bool,
}

/// The names of what is judged over seeds and is no function of a metric, with their meanings.
pub const OVER_SEEDS: &[(&str, &str)] = &[
    (
        "lossy_seeds",
        "Share of the seeds that lose something after success, read before or not (success_gone). \
         Judged over many seeds, with `confidence`: no number of seeds proves that it is 0.",
    ),
    (
        "success_lost_per_million",
        "Lines lost after success, per million lines acknowledged or accepted: of each seed, and \
         of these the mean. Judged over many seeds, with a bound that holds however rare and large \
         losses are; `assume-at-most` is what one seed can lose at most.",
    ),
    (
        "p99(METRIC)",
        "The value that 99 % of the seeds do not exceed, of any metric; also p50, p99.9 and so on. \
         Judged over many seeds, with the interval in which it lies.",
    ),
    ("mean(METRIC)", "The mean over seeds of a metric that is a share. Judged over many seeds."),
];

impl OverSeeds {
    /// As the scenario says it: `lossy_seeds <= 1 %`.
    #[must_use]
    pub fn text(&self) -> String {
        let name = match &self.subject {
            Subject::Lossy => "lossy_seeds".to_owned(),
            Subject::LostPerMillion => "success_lost_per_million".to_owned(),
            Subject::Mean(metric) => format!("mean({})", metric.name),
            Subject::Quantile(word, _, metric) => format!("{word}({})", metric.name),
            Subject::Sometimes(name, _) => return format!("sometimes {name}"),
        };
        super::expect::bounded(&name, self.min, self.max, self.unit())
    }

    /// The line of the scenario's file on which it begins.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What its bounds are counted in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        match &self.subject {
            Subject::Lossy => Unit::Share,
            Subject::LostPerMillion => Unit::PerMillion,
            Subject::Mean(metric) | Subject::Quantile(_, _, metric) => {
                metric.unit.told(self.fans_out)
            }
            Subject::Sometimes(..) => Unit::Count,
        }
    }

    /// What a run contributes; `None` if that is not known of it. Whether something is so is 1 or
    /// 0.
    #[must_use]
    pub fn observe(&self, report: &Report) -> Option<f64> {
        let measured = |metric: &Metric| {
            let known = report.quiet || !metric.needs_quiet;
            (metric.get)(report).filter(|_| known).map(Number::as_f64)
        };
        let summary = &report.summary;
        let lost = summary.success_lost;
        let unread = metric("success_lost").map_or(0, |metric| unread(metric, report));
        match &self.subject {
            // What is not final may still be found, and what nobody could read may be lost.
            Subject::Lossy => {
                let lossy = summary.success_gone > 0;
                (report.quiet && (lossy || unread == 0)).then(|| f64::from(u8::from(lossy)))
            }
            Subject::LostPerMillion if report.quiet && unread == 0 => {
                let successes = summary.acked + summary.accepted;
                (successes > 0).then(|| lost as f64 / successes as f64 * 1e6)
            }
            Subject::LostPerMillion => None,
            Subject::Mean(metric) | Subject::Quantile(_, _, metric) => measured(metric),
            Subject::Sometimes(_, signs) => {
                let reached = signs.iter().any(|sign| situations::shows(*sign, report));
                Some(f64::from(u8::from(reached)))
            }
        }
    }

    /// What to say of it in a run of one seed.
    #[must_use]
    pub fn aside(&self, report: &Report) -> String {
        let text = self.text();
        match (&self.subject, self.observe(report)) {
            (Subject::Sometimes(..), Some(1.0)) => format!("{text} (reached here)"),
            (Subject::Sometimes(..), _) => format!("{text} (not reached here)"),
            (_, None) => format!("{text} (here nothing)"),
            (Subject::Lossy, Some(1.0)) => format!("{text} (this one is)"),
            (Subject::Lossy, Some(_)) => format!("{text} (this one is not)"),
            (_, Some(value)) => format!("{text} (here {})", self.unit().print(value)),
        }
    }

    /// Whether it is about numbers that more seeds make surer, so that a verdict may come before
    /// the last seed.
    #[must_use]
    pub fn is_statistical(&self) -> bool {
        !matches!(self.subject, Subject::Sometimes(..))
    }

    /// Whether a seed's value is on the wrong side by itself: such a seed is worth looking at.
    #[must_use]
    pub fn is_beyond(&self, value: f64) -> bool {
        match self.subject {
            Subject::Lossy => self.max.is_some() == (value > 0.0),
            Subject::Sometimes(..) => false,
            _ => self.max.is_some_and(|max| value > max) || self.min.is_some_and(|min| value < min),
        }
    }
}

#[cfg(test)]
mod tests;
