//! Bounds of expectations: numbers in the unit of what they bound.

use super::metrics::Unit;
use crate::scenario::units::{self, Rate};
use crate::scenario::{Diagnostics, Value, Values};

/// The bound `key` in `unit`; `None` if it is not written.
pub(super) fn bound(section: &Values, key: &str, unit: Unit) -> Result<Option<f64>, Diagnostics> {
    let Some(value) = section.value(key) else { return Ok(None) };
    let number = match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Chance(chance) => Some(chance.as_billionths() as f64 / 1e9),
        Value::Text(text) => number(text, unit),
        _ => None,
    };
    let number = number.filter(|number| unit != Unit::Share || *number <= 1.0);
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(Diagnostics::at(
            section.span(key),
            format!("`{key}` is no value of this metric"),
            match unit {
                Unit::Milliseconds => "write a number of milliseconds, or a duration: \"300ms\"",
                Unit::Microseconds => "write a number of microseconds, or a duration: \"300us\"",
                Unit::Share => "write a share of 1, or a percentage: 0.999 or \"99.9%\"",
                Unit::PerSecond => "write a number per second, or a rate: \"450/s\"",
                Unit::Ratio | Unit::PerMillion => "write a number: 2 or \"1.5\"",
                Unit::Lines | Unit::Messages | Unit::Count | Unit::Violations | Unit::Waiting => {
                    "write a whole number"
                }
            },
        )),
    }
}

/// A bound that is written as text.
fn number(text: &str, unit: Unit) -> Option<f64> {
    let plain = || {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        text.parse::<f64>().ok().filter(|_| digits)
    };
    match unit {
        Unit::Milliseconds => {
            let span = units::duration(text).ok()?;
            Some(span.as_nanos() as f64 / 1e6)
        }
        Unit::Microseconds => {
            let span = units::duration(text).ok()?;
            Some(span.as_nanos() as f64 / 1e3)
        }
        Unit::Share => {
            let chance = units::chance(text).ok()?;
            Some(chance.as_billionths() as f64 / 1e9)
        }
        Unit::PerSecond => {
            let rate = text.parse::<Rate>().ok().map(Rate::as_per_second_f64);
            rate.or_else(plain)
        }
        Unit::Ratio | Unit::PerMillion => plain(),
        Unit::Lines | Unit::Messages | Unit::Count | Unit::Violations | Unit::Waiting => None,
    }
}
