//! Durations, rates, sizes, chances, versions and seeds as a scenario writes them.
//!
//! Everything is read into whole numbers without rounding: what does not fit is an error. What
//! is printed reads back as the same value.

mod rate;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::engine::{Chance, Span};

pub use self::rate::Rate;

/// A number with its thousands apart: `1,234,567`.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Why a text is no value of a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// It does not begin with a number.
    #[error("it does not begin with a number")]
    NoNumber,
    /// A minus sign.
    #[error("it is negative")]
    Negative,
    /// A blank somewhere.
    #[error("there is a blank in it")]
    Blank,
    /// A number without its unit.
    #[error("the unit is missing")]
    NoUnit,
    /// A unit that is none of those allowed.
    #[error("`{0}` is no unit of it")]
    UnknownUnit(String),
    /// More decimals than the smallest unit can hold.
    #[error("it is finer than {0}")]
    TooFine(&'static str),
    /// More than can be represented, or than is allowed.
    #[error("it is more than {0}")]
    TooLarge(String),
    /// A version of something else.
    #[error("it is not made of numbers and dots")]
    NotNumbers,
    /// A range of seeds with other dots.
    #[error("both ends are included, which is written `..=`")]
    NoRange,
    /// A range of seeds whose end comes before its start.
    #[error("it ends before it starts")]
    Backwards,
}

/// A decimal number as written: `digits` without the point, of which `decimals` are behind it.
struct Decimal {
    digits: u128,
    decimals: u32,
}

impl Decimal {
    /// The number times `scale`, if that is a whole number that fits.
    fn times(&self, scale: u128, finest: &'static str) -> Result<u64, UnitError> {
        let too_large = || UnitError::TooLarge("can be represented".to_owned());
        let product = self.digits.checked_mul(scale).ok_or_else(too_large)?;
        let divisor = 10_u128.pow(self.decimals);
        if !product.is_multiple_of(divisor) {
            return Err(UnitError::TooFine(finest));
        }
        u64::try_from(product / divisor).map_err(|_| too_large())
    }
}

/// Splits a number with optional decimals from the unit behind it.
fn decimal(text: &str) -> Result<(Decimal, &str), UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    if text.starts_with('-') {
        return Err(UnitError::Negative);
    }
    if text.contains(char::is_whitespace) {
        return Err(UnitError::Blank);
    }
    let whole = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if whole == 0 {
        return Err(UnitError::NoNumber);
    }
    let (mut digits, mut rest) = (text[..whole].to_owned(), &text[whole..]);
    let mut decimals = 0;
    if let Some(behind) = rest.strip_prefix('.') {
        let count = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if count == 0 {
            return Err(UnitError::NoNumber);
        }
        let significant = behind[..count].trim_end_matches('0');
        digits.push_str(significant);
        decimals = significant.len() as u32;
        rest = &behind[count..];
    }
    // 24 digits hold everything that can be represented; 10^24 * 10^13 still fits into 128 bits.
    if decimals > 18 {
        return Err(UnitError::TooFine("can be represented"));
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > 24 {
        return Err(UnitError::TooLarge("can be represented".to_owned()));
    }
    let digits = if digits.is_empty() { 0 } else { digits.parse().expect("at most 24 digits") };
    Ok((Decimal { digits, decimals }, rest))
}

fn scale_of<T: Copy>(units: &[(&str, T)], unit: &str) -> Result<T, UnitError> {
    match units.iter().find(|(name, _)| *name == unit) {
        Some((_, scale)) => Ok(*scale),
        None if unit.is_empty() => Err(UnitError::NoUnit),
        None => Err(UnitError::UnknownUnit(unit.to_owned())),
    }
}

const DURATIONS: [(&str, u128); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration: `250ms`, `1.5s`; units are `ns us ms s min h`. [`Span`] prints the reverse.
///
/// # Errors
/// If it is none, is finer than a nanosecond, or does not fit.
pub fn duration(text: &str) -> Result<Span, UnitError> {
    let (number, unit) = decimal(text)?;
    if unit.is_empty() && number.digits == 0 {
        return Ok(Span::ZERO);
    }
    let scale = scale_of(&DURATIONS, unit)?;
    number.times(scale, "a nanosecond").map(Span::from_nanos)
}

/// A length of time in either direction, in ns. Prints as it is written: `-5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift(pub i64);

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Span::from_nanos(self.0.unsigned_abs()))
    }
}

/// Reads a duration that may be negative: `-5s`. [`Shift`] prints the reverse.
///
/// # Errors
/// As [`duration`].
pub fn shift(text: &str) -> Result<Shift, UnitError> {
    let (sign, rest) = signed(text);
    let too_large = || UnitError::TooLarge("can be represented".to_owned());
    let nanos = i64::try_from(duration(rest)?.as_nanos()).map_err(|_| too_large())?;
    Ok(Shift(sign * nanos))
}

/// How much faster than it should a clock runs, in parts of a billion. Prints as it is written:
/// `200ppm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift(pub i64);

impl Drift {
    /// The greatest, each way: one half.
    pub const MOST: i64 = 500_000_000;
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, parts) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        if parts > 0 && parts.is_multiple_of(10_000_000) {
            return write!(f, "{sign}{}%", parts / 10_000_000);
        }
        write!(f, "{sign}{}", parts / 1_000)?;
        if !parts.is_multiple_of(1_000) {
            write!(f, ".{:03}", parts % 1_000)?;
        }
        f.write_str("ppm")
    }
}

/// Reads a drift: `200ppm`, `-1%`, `0.5%`. [`Drift`] prints the reverse.
///
/// # Errors
/// If it is none, is finer than a part of a billion, or does not fit.
pub fn drift(text: &str) -> Result<Drift, UnitError> {
    let (sign, rest) = signed(text);
    let (number, unit) = decimal(rest)?;
    if unit.is_empty() && number.digits == 0 {
        return Ok(Drift(0));
    }
    let scale = scale_of(&[("ppm", 1_000_u128), ("%", 10_000_000)], unit)?;
    let parts = number.times(scale, "a part of a billion")?;
    let too_large = |_| UnitError::TooLarge("can be represented".to_owned());
    Ok(Drift(sign * i64::try_from(parts).map_err(too_large)?))
}

/// The sign of a text, and what is behind it.
fn signed(text: &str) -> (i64, &str) {
    let text = text.trim();
    text.strip_prefix('-').map_or((1, text), |rest| (-1, rest))
}

const SIZES: [(&str, u128); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a size in bytes: `1KiB`, `16MiB`, `1kB`, `1000`. [`Bytes`] prints the reverse.
///
/// # Errors
/// If it is none, is finer than a byte, or does not fit.
pub fn size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = decimal(text)?;
    let unit = if unit.is_empty() { "B" } else { unit };
    number.times(scale_of(&SIZES, unit)?, "a byte")
}

/// A number of bytes, for printing: `1KiB`, `1500`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |&(unit, scale): &(&str, u128)| {
            let scale = scale as u64;
            let unit = if unit == "B" { "" } else { unit };
            self.0.is_multiple_of(scale).then(|| (format!("{}{unit}", self.0 / scale), scale))
        };
        let shortest = match self.0 {
            0 => None,
            // Of two that are equally short, the one with the larger unit.
            _ => SIZES.iter().filter_map(shown).min_by_key(|(text, scale)| (text.len(), !scale)),
        };
        f.write_str(&shortest.map_or_else(|| self.0.to_string(), |(text, _)| text))
    }
}

/// Bits: the scale is in bits a second, and eight of them are a byte.
const BANDWIDTHS: [(&str, u128); 12] = [
    ("B/s", 8),
    ("kB/s", 8_000),
    ("MB/s", 8_000_000),
    ("GB/s", 8_000_000_000),
    ("KiB/s", 8 << 10),
    ("MiB/s", 8 << 20),
    ("GiB/s", 8 << 30),
    ("bit/s", 1),
    ("kbit/s", 1_000),
    ("Mbit/s", 1_000_000),
    ("Gbit/s", 1_000_000_000),
    ("Tbit/s", 1_000_000_000_000),
];

/// Reads a bandwidth as bytes a second: `125MB/s`, `1Gbit/s`; `unlimited` is 0.
/// [`BytesPerSecond`] prints the reverse.
///
/// # Errors
/// If it is none, is no whole number of bytes a second, does not fit, or is zero.
pub fn bandwidth(text: &str) -> Result<u64, UnitError> {
    if text == "unlimited" {
        return Ok(0);
    }
    let (number, unit) = decimal(text)?;
    let bits = number.times(scale_of(&BANDWIDTHS, unit)?, "a byte a second")?;
    if bits == 0 || !bits.is_multiple_of(8) {
        return Err(UnitError::TooFine("a byte a second"));
    }
    Ok(bits / 8)
}

/// A number of bytes a second, for printing: `125MB/s`, `unlimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BytesPerSecond(pub u64);

impl fmt::Display for BytesPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("unlimited");
        }
        let bits = u128::from(self.0) * 8;
        let shown = |&(unit, scale): &(&str, u128)| {
            bits.is_multiple_of(scale).then(|| format!("{}{unit}", bits / scale))
        };
        let shortest = BANDWIDTHS.iter().filter_map(shown).min_by_key(String::len);
        f.write_str(&shortest.expect("every number of bits is a number of bits"))
    }
}

/// Reads a probability: `0.1%`, `0.001`, `1`. [`Probability`] prints the reverse.
///
/// # Errors
/// If it is none, is finer than 10^-9, or is more than 1.
pub fn chance(text: &str) -> Result<Chance, UnitError> {
    let (number, unit) = decimal(text)?;
    let scale = match unit {
        "" => 1_000_000_000,
        "%" => 10_000_000,
        other => return Err(UnitError::UnknownUnit(other.to_owned())),
    };
    let parts = number.times(scale, "a billionth")?;
    if parts > 1_000_000_000 {
        return Err(UnitError::TooLarge("100%".to_owned()));
    }
    Ok(Chance::from_billionths(parts))
}

/// A probability, for printing in percent: `0.1%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probability(pub Chance);

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.as_billionths();
        write!(f, "{}%", fraction(parts, 10_000_000))
    }
}

/// `number / scale` as an exact decimal; `scale` is a power of ten.
fn fraction(number: u64, scale: u64) -> String {
    let (whole, rest) = (number / scale, number % scale);
    if rest == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    format!("{whole}.{rest:0width$}").trim_end_matches('0').to_owned()
}

/// A broker version of up to four numbers; missing ones count as zero, so `3.10` = `3.10.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u32; 4]);

impl Version {
    /// The version of these numbers.
    #[must_use]
    pub const fn new(numbers: [u32; 4]) -> Version {
        Version(numbers)
    }

    /// The numbers.
    #[must_use]
    pub const fn numbers(self) -> [u32; 4] {
        self.0
    }

    /// How the version compares with one written in a spec.
    ///
    /// # Panics
    /// If the text is no version: a mistake in the spec.
    #[must_use]
    pub fn cmp_spec(self, text: &str) -> Ordering {
        let other: Version = text.parse().expect("specs name valid versions");
        self.cmp(&other)
    }
}

impl FromStr for Version {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Version, UnitError> {
        if text.is_empty() {
            return Err(UnitError::Empty);
        }
        let mut numbers = [0; 4];
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() > numbers.len() {
            return Err(UnitError::TooLarge("four numbers".to_owned()));
        }
        for (number, part) in numbers.iter_mut().zip(parts) {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(UnitError::NotNumbers);
            }
            *number = part.parse().map_err(|_| UnitError::TooLarge(u32::MAX.to_string()))?;
        }
        Ok(Version(numbers))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.iter().rposition(|&number| number > 0).map_or(2, |at| (at + 1).max(2));
        let numbers: Vec<String> = self.0[..count].iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// Seeds from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seeds {
    /// The first seed.
    pub first: u64,
    /// The last seed; never before the first.
    pub last: u64,
}

/// The greatest number of seeds that one range may name.
pub const MOST_SEEDS: u64 = 1_000_000;

impl Seeds {
    /// All seeds, ascending.
    pub fn iter(self) -> impl Iterator<Item = u64> {
        self.first..=self.last
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl FromStr for Seeds {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Seeds, UnitError> {
        let number = |text: &str| {
            let (number, rest) = decimal(text)?;
            match rest {
                "" => number.times(1, "a whole number"),
                _ => Err(UnitError::UnknownUnit(rest.to_owned())),
            }
        };
        let Some((first, last)) = text.split_once("..=") else {
            if text.contains("..") {
                return Err(UnitError::NoRange);
            }
            return number(text).map(|seed| Seeds { first: seed, last: seed });
        };
        let seeds = Seeds { first: number(first)?, last: number(last)? };
        if seeds.last < seeds.first {
            return Err(UnitError::Backwards);
        }
        if seeds.count() > MOST_SEEDS {
            return Err(UnitError::TooLarge(format!("{MOST_SEEDS} seeds")));
        }
        Ok(seeds)
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}..={}", self.first, self.last)
        }
    }
}

#[cfg(test)]
#[path = "unit_tests.rs"]
mod tests;
