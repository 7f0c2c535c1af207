//! Axes: from values to pixels and back to round numbers. Integers only.

use crate::engine::Time;

/// A linear scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linear {
    /// Value at `start`.
    pub(super) low: u64,
    /// Value at `end`, greater than `low`.
    pub(super) high: u64,
    /// Pixel of `low`.
    pub(super) start: i32,
    /// Pixel of `high`; less than `start` for an axis that points upwards.
    pub(super) end: i32,
}

impl Linear {
    /// The pixel of a value; values beyond the scale stay at its ends.
    pub(super) fn at(&self, value: u64) -> i32 {
        debug_assert!(self.low < self.high, "a scale has an extent");
        let part = i128::from(value.clamp(self.low, self.high) - self.low);
        let length = i128::from(self.end) - i128::from(self.start);
        let range = i128::from(self.high - self.low);
        let pixels = (2 * part * length + length.signum() * range) / (2 * range);
        self.start + pixels as i32
    }

    /// The pixel of an instant on a scale of nanoseconds.
    pub(super) fn time(&self, at: Time) -> i32 {
        self.at(at.as_nanos())
    }
}

/// The round step (1, 2 or 5 times a power of ten) that divides `range` into at most `parts`.
pub(super) fn round_step(range: u64, parts: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if range.div_ceil(step) <= parts || step == u64::MAX {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// The step of a time axis in nanoseconds: round in milliseconds, seconds, minutes or hours.
pub(super) fn time_step(range: u64, parts: u64) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let clock = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200];
    if range < parts * SECOND {
        return round_step(range, parts);
    }
    let fits = |seconds: &&u64| range.div_ceil(**seconds * SECOND) <= parts;
    clock.iter().find(fits).map_or_else(
        || round_step(range / (86_400 * SECOND) + 1, parts) * 86_400 * SECOND,
        |seconds| seconds * SECOND,
    )
}

/// Binary logarithm of `value` (at least 1) in 65536ths, exact to the last bit kept: the integer
/// part is the leading bit, each further bit comes from squaring.
pub(super) fn log2(value: u64) -> i64 {
    let value = value.max(1);
    let whole = value.ilog2();
    let mut mantissa = u128::from(value) << (63 - whole);
    let mut result = i64::from(whole);
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 63;
        result <<= 1;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            result |= 1;
        }
    }
    result
}

/// A logarithmic scale between two powers of ten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    /// Exponent of the power of ten at `start`.
    low: u32,
    /// Exponent of the power of ten at `end`.
    high: u32,
    start: i32,
    end: i32,
}

impl Log {
    /// A scale that covers `least` to `greatest`, both at least 1.
    pub(super) fn covering(least: u64, greatest: u64, start: i32, end: i32) -> Log {
        let low = least.max(1).ilog10().min(18);
        let above = greatest.max(1);
        let whole = above.ilog10();
        let high = if 10_u64.pow(whole) == above { whole } else { (whole + 1).min(19) };
        Log { low, high: high.max(low + 1), start, end }
    }

    /// The pixel of a value; values beyond the scale stay at its ends.
    pub(super) fn at(&self, value: u64) -> i32 {
        let (low, high) = (log2(10_u64.pow(self.low)), log2(10_u64.pow(self.high)));
        let part = log2(value).clamp(low, high) - low;
        let length = i64::from(self.end - self.start);
        self.start + ((2 * part * length) / (2 * (high - low))) as i32
    }

    /// The powers of ten on the scale.
    pub(super) fn decades(&self) -> impl Iterator<Item = u64> + use<> {
        (self.low..=self.high).map(|exponent| 10_u64.pow(exponent))
    }

    /// 2 to 9 times each power of ten, for finer lines.
    pub(super) fn between(&self) -> impl Iterator<Item = u64> + use<> {
        (self.low..self.high).flat_map(|exponent| (2..10).map(move |n| n * 10_u64.pow(exponent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_scale_hits_both_ends_and_stays_between() {
        let scale = Linear { low: 10, high: 20, start: 500, end: 100 };
        assert_eq!((scale.at(10), scale.at(15), scale.at(20)), (500, 300, 100));
        assert_eq!((scale.at(0), scale.at(u64::MAX)), (500, 100));
        let whole = Linear { low: 0, high: u64::MAX, start: 0, end: 1_000 };
        assert_eq!(whole.at(u64::MAX / 2), 500);
    }

    #[test]
    fn steps_are_round() {
        assert_eq!(round_step(10, 5), 2);
        assert_eq!(round_step(9_800, 5), 2_000);
        assert_eq!(round_step(1, 5), 1);
        assert_eq!(round_step(u64::MAX, 4), 5_000_000_000_000_000_000);
        let seconds = |range: u64, parts| time_step(range * 1_000_000_000, parts) / 1_000_000_000;
        assert_eq!(seconds(44, 12), 5);
        assert_eq!(seconds(640, 12), 60);
        assert_eq!(seconds(4_000, 12), 600);
        assert_eq!(seconds(40 * 86_400, 12), 5 * 86_400);
        assert_eq!(time_step(900_000_000, 10), 100_000_000);
    }

    #[test]
    fn logarithms_agree_with_the_definition() {
        assert_eq!(log2(1), 0);
        assert_eq!(log2(2), 65_536);
        assert_eq!(log2(1 << 63), 63 * 65_536);
        // log2(10) = 3.321928094887362
        assert_eq!(log2(10), 217_705);
        assert_eq!(log2(0), log2(1));
    }

    #[test]
    fn a_log_scale_spans_whole_decades() {
        let scale = Log::covering(850, 1_812_479, 300, 0);
        assert_eq!(
            scale.decades().collect::<Vec<_>>(),
            [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]
        );
        assert_eq!((scale.at(100), scale.at(10_000_000)), (300, 0));
        assert_eq!(scale.at(10_000), 180);
        assert_eq!(scale.between().count(), 40);
        let one = Log::covering(100, 100, 0, 10);
        assert_eq!(one.decades().collect::<Vec<_>>(), [100, 1_000]);
    }
}
