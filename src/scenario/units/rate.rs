//! How often something happens.

use std::fmt;
use std::str::FromStr;

use crate::engine::Span;

use super::{UnitError, decimal, fraction, scale_of};

/// Events a second, minute or hour, to a millionth of an event: `5k/s`, `30/min`, `0.5/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    pub(super) millionths: u64,
    per: Per,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Per {
    Second,
    Minute,
    Hour,
}

impl Per {
    const fn seconds(self) -> u64 {
        match self {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3_600,
        }
    }
}

pub(super) const MILLION: u64 = 1_000_000;

impl Rate {
    /// Nothing ever happens.
    pub const ZERO: Rate = Rate { millionths: 0, per: Per::Second };
    /// The greatest rate that a scenario may ask for: 10^9 events a second.
    pub const MOST: Rate = Rate { millionths: 1_000_000_000 * MILLION, per: Per::Second };

    /// `count` events a second; more than [`Rate::MOST`] is cut to it.
    #[must_use]
    pub const fn per_second(count: u64) -> Rate {
        if count > 1_000_000_000 {
            return Rate::MOST;
        }
        Rate { millionths: count * MILLION, per: Per::Second }
    }

    /// Whether nothing ever happens.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.millionths == 0
    }

    /// When event number `n` is due, counted from the one at zero (`n` = 0): `n / rate`, rounded
    /// down to a nanosecond once, so that nothing accumulates. [`Span::MAX`] if it never comes.
    #[must_use]
    pub fn due(self, n: u64) -> Span {
        match self.after(u128::from(n), 1_000_000_000) {
            Some(nanos) => Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
            None if n == 0 => Span::ZERO,
            None => Span::MAX,
        }
    }

    /// The mean time between two events in picoseconds; `None` for the rate zero.
    #[must_use]
    pub fn mean_gap_picos(self) -> Option<u64> {
        self.after(1, 1_000_000_000_000).map(|picos| u64::try_from(picos).unwrap_or(u64::MAX))
    }

    /// `n` events take this many parts of a second, `parts` of them a second. The product fits:
    /// n < 2^64 with 10^9 parts, or n = 1 with 10^12.
    fn after(self, n: u128, parts: u128) -> Option<u128> {
        let unit = u128::from(MILLION) * u128::from(self.per.seconds()) * parts;
        (n * unit).checked_div(u128::from(self.millionths))
    }

    /// Events a second, for reports only.
    #[must_use]
    pub fn as_per_second_f64(self) -> f64 {
        self.millionths as f64 / (MILLION * self.per.seconds()) as f64
    }

    /// The same rate in the smallest unit of time in which it is a whole number of millionths.
    fn reduced(self) -> Rate {
        let all = self.per.seconds();
        for per in [Per::Second, Per::Minute] {
            let factor = all / per.seconds();
            if factor > 1 && self.millionths.is_multiple_of(factor) {
                return Rate { millionths: self.millionths / factor, per };
            }
        }
        self
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    /// Reads a rate: a number, `k`, `M` or `G` if wanted, and `/s`, `/min` or `/h`.
    fn from_str(text: &str) -> Result<Rate, UnitError> {
        let (number, unit) = decimal(text)?;
        let (factor, per) = unit.split_once('/').ok_or(match unit {
            "" => UnitError::NoUnit,
            _ => UnitError::UnknownUnit(unit.to_owned()),
        })?;
        let factors = [("", 1), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];
        let periods = [("s", Per::Second), ("min", Per::Minute), ("h", Per::Hour)];
        let unknown = |_| UnitError::UnknownUnit(unit.to_owned());
        let factor: u128 = match factor {
            "" => 1,
            _ => scale_of(&factors, factor).map_err(unknown)?,
        };
        let per = scale_of(&periods, per).map_err(unknown)?;
        let too_large = || UnitError::TooLarge(Rate::MOST.to_string());
        let finest = "a millionth of an event";
        let millionths = match number.times(factor * u128::from(MILLION), finest) {
            Err(UnitError::TooLarge(_)) => return Err(too_large()),
            other => other?,
        };
        let rate = Rate { millionths, per }.reduced();
        if millionths / per.seconds() > Rate::MOST.millionths {
            return Err(too_large());
        }
        Ok(rate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Second => "s",
            Per::Minute => "min",
            Per::Hour => "h",
        };
        let factors = [("", 1), ("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)];
        let shown = |(unit, factor): (&str, u64)| {
            format!("{}{unit}", fraction(self.millionths, factor * MILLION))
        };
        let shortest = factors.into_iter().map(shown).min_by_key(String::len);
        write!(f, "{}/{per}", shortest.unwrap_or_default())
    }
}
