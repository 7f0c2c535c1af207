//! How much worse B may be.

use crate::scenario::suggest;
use crate::statistics::paired::Change;
use crate::verdict::{Better, METRICS, Metric};

/// How far a metric may change for the worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// By so much, in the metric's unit.
    By(f64),
    /// By so many percent of A.
    Percent(f64),
}

/// What is tolerated of a metric: the mean over the seeds may become worse by so much.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Of which metric.
    pub metric: &'static Metric,
    /// How much.
    pub limit: Limit,
}

impl Tolerance {
    /// Whether a change is worse than that.
    #[must_use]
    pub fn is_exceeded(&self, change: &Change) -> bool {
        let worse = match self.metric.better {
            Better::More => change.first - change.second,
            Better::Less | Better::Neither => change.second - change.first,
        };
        let allowed = match self.limit {
            Limit::By(allowed) => allowed,
            Limit::Percent(percent) => change.first.abs() * percent / 100.0,
        };
        // What rounding leaves of a mean is no change.
        worse > allowed + 1e-9 * change.first.abs().max(1.0)
    }

    /// As it was written: `0`, `10%`.
    #[must_use]
    pub fn text(&self) -> String {
        match self.limit {
            Limit::By(value) => value.to_string(),
            Limit::Percent(percent) => format!("{percent}%"),
        }
    }
}

/// Reads `success_lost=0,ack_p99_us=10%`.
///
/// # Errors
/// If a metric is unknown, there twice, or knows no better or worse; if a limit is no number.
pub fn tolerances(text: &str) -> Result<Vec<Tolerance>, String> {
    let mut found: Vec<Tolerance> = Vec::new();
    for one in text.split(',').map(str::trim) {
        let Some((name, limit)) = one.split_once('=') else {
            return Err(format!(
                "`{one}` says not how much is tolerated\n  = help: write METRIC=LIMIT, as in \
                 success_lost=0,ack_p99_us=10%"
            ));
        };
        let (name, limit) = (name.trim(), limit.trim());
        let columns = || METRICS.iter().filter(|metric| metric.column);
        let Some(metric) = columns().find(|metric| metric.name == name) else {
            let known: Vec<&str> = columns().map(|metric| metric.name).collect();
            let help = suggest(name, &known, "metrics");
            return Err(format!("there is no metric `{name}`\n  = help: {help}"));
        };
        if metric.better == Better::Neither {
            return Err(format!(
                "`{name}` is neither better nor worse when it changes\n  = help: tolerances are for \
                 losses, latency, availability, throughput and cost"
            ));
        }
        if found.iter().any(|other| other.metric.name == name) {
            return Err(format!("`{name}` is there twice\n  = help: write it once"));
        }
        let (number, percent) = match limit.strip_suffix('%') {
            Some(number) => (number.trim(), true),
            None => (limit, false),
        };
        let number = number.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let Some(number) = number else {
            let unit = metric.unit.word();
            return Err(format!(
                "`{limit}` is no limit for {name}\n  = help: write a number from 0 on, in the \
                 metric's unit ({unit}), or percent of A, as in 10%"
            ));
        };
        let limit = if percent { Limit::Percent(number) } else { Limit::By(number) };
        found.push(Tolerance { metric, limit });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeded(text: &str, a: f64, b: f64) -> bool {
        tolerances(text).unwrap()[0].is_exceeded(&Change::of(&[(a, b)]).unwrap())
    }

    #[test]
    fn worse_is_more_of_some_and_less_of_others() {
        assert!(exceeded("success_lost=0", 0.0, 1.0));
        assert!(!exceeded("success_lost=0", 5.0, 5.0) && !exceeded("success_lost=0", 5.0, 4.0));
        assert!(!exceeded("success_lost = 3", 5.0, 8.0) && exceeded("success_lost=3", 5.0, 8.5));
        assert!(!exceeded("ack_p99_us=10%", 1_000.0, 1_100.0));
        assert!(exceeded("ack_p99_us=10%", 1_000.0, 1_101.0));
        assert!(exceeded("write_availability=0.01", 0.99, 0.97));
        assert!(!exceeded("write_availability=0.01", 0.97, 0.99));
        // 0.3 - 0.2 and 0.2 - 0.1 are not the same to a computer.
        assert!(!exceeded("read_availability=0.1", 0.3, 0.2));
    }

    #[test]
    fn mistakes_say_what_is_right() {
        for (text, words) in [
            ("", "says not how much"),
            ("success_lost", "write METRIC=LIMIT"),
            ("sucess_lost=0", "did you mean `success_lost`?"),
            ("lines=0", "neither better nor worse"),
            ("success_lost=0,success_lost=1", "there twice"),
            ("success_lost=-1", "a number from 0 on"),
            ("success_lost=ten", "in the metric's unit (lines)"),
            ("success_lost=inf", "a number from 0 on"),
            ("operations_in_time=0", "no metric"),
        ] {
            let error = tolerances(text).unwrap_err();
            assert!(error.contains(words) && error.contains("  = help: "), "{text}: {error}");
        }
    }
}
