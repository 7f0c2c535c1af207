//! Logarithm, exponential and normal quantile from IEEE `+ - * /` and square root only.
//!
//! A platform's own functions differ from another's in the last bit, and one sample rounded to
//! another nanosecond makes another run. Every operation here is exact to the last bit by the IEEE
//! standard, so results are equal on all machines. No fused multiply-add either: it rounds once
//! where two operations round twice.
//!
//! Polynomials are summed pairwise (Estrin's scheme) in the order written, which is a part of their
//! definition: another order gives other last bits.

/// 2^52: added to a smaller whole number it leaves that number in the low bits of the sum.
const TWO_52: f64 = 4_503_599_627_370_496.0;
/// The bits of 1.0.
const ONE: u64 = 0x3ff0_0000_0000_0000;
/// The bits of a double's fraction.
const FRACTION: u64 = 0x000f_ffff_ffff_ffff;
/// ln 2 without its last 20 bits, so that its product with an exponent is exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
/// The rest of ln 2.
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Natural logarithm of a positive number (not of a subnormal one or infinity).
///
/// `x = m × 2^e` with `m` from √½ to √2, `s = (m − 1) ÷ (m + 1)`, and
/// `ln x = e ln 2 + 2 (s + s³/3 + s⁵/5 + ... + s¹⁷/17)`. Within 2·10⁻¹⁵ of the true value,
/// relatively.
#[inline(always)]
#[must_use]
pub fn ln(x: f64) -> f64 {
    debug_assert!(x >= f64::MIN_POSITIVE && x.is_finite(), "ln({x})");
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let shifted = x.to_bits().wrapping_add(ONE - ROOT_HALF);
    let e = f64::from_bits((shifted >> 52) | TWO_52.to_bits()) - (TWO_52 + 1023.0);
    let m = f64::from_bits((shifted & FRACTION) + ROOT_HALF);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let z2 = z * z;
    let z4 = z2 * z2;
    let low = (2.0 / 3.0 + z * (2.0 / 5.0)) + z2 * (2.0 / 7.0 + z * (2.0 / 9.0));
    let high = (2.0 / 11.0 + z * (2.0 / 13.0)) + z2 * (2.0 / 15.0 + z * (2.0 / 17.0));
    let series = s * z * (low + z4 * high);
    e * LN_2_HIGH + (2.0 * s + (series + e * LN_2_LOW))
}

/// e to the power of `x`: 0 below −708, and for `x` above 709 as for 709.
///
/// `x = k ln 2 + r` with |r| at most half of ln 2, and `e^x = 2^k (1 + r + r²/2! + ... + r¹³/13!)`.
/// Within 10⁻¹⁵ of the true value, relatively.
#[inline(always)]
#[must_use]
pub fn exp(x: f64) -> f64 {
    debug_assert!(!x.is_nan(), "exp of not-a-number");
    if x < -708.0 {
        return 0.0;
    }
    // 3 × 2^51, which keeps a negative whole number in the low bits too.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let shifted = x.min(709.0) * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x.min(709.0) - k * LN_2_HIGH) - k * LN_2_LOW;
    let r2 = r * r;
    let r4 = r2 * r2;
    let a = (1.0 / 2.0 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0));
    let b = (1.0 / 720.0 + r * (1.0 / 5_040.0)) + r2 * (1.0 / 40_320.0 + r * (1.0 / 362_880.0));
    let c = (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0))
        + r2 * (1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0));
    let value = 1.0 + (r + r2 * (a + r4 * (b + r4 * c)));
    // The low bits of `shifted` are k in two's complement; k + 1023 is positive.
    let scale = (shifted.to_bits().wrapping_add(1023) & 0x7ff) << 52;
    value * f64::from_bits(scale)
}

/// A number between 0 and 1, neither included: `(k + ½) ÷ 2^52`, k being the high 52 bits of
/// `word`.
#[inline(always)]
#[must_use]
pub(super) fn unit(word: u64) -> f64 {
    // 1 + k ÷ 2^52, less 1 − 2^-53: exact, as all of it fits 53 bits.
    f64::from_bits((word >> 12) | ONE) - (1.0 - f64::EPSILON / 2.0)
}

/// The 52 bits of randomness as an exponentially distributed number of mean 1: `−ln u`.
#[inline(always)]
#[must_use]
pub(super) fn exponential(word: u64) -> f64 {
    -ln(unit(word))
}

/// Up to this `−ln(4 p (1 − p))` [`normal_centre`] holds: 99.9 % of all draws.
const CENTRE: f64 = 6.25;

/// The standard normal quantile of `p = unit(word)` for p from 0.00049 to 0.99951, without a branch
/// so that a loop over it becomes vector code; the flag is false for another p.
///
/// With `q = 2p − 1` and `w = −ln(1 − q²)` the quantile divided by q is a smooth function of w. It
/// is the polynomial whose coefficients are [`CENTRE_SERIES`], in `x = 0.32 w − 1`: its expansion
/// in Chebyshev polynomials on 0 to 6.25, cut after the 15th. Within 5·10⁻¹² of the true value.
#[inline(always)]
fn normal_centre(word: u64) -> (f64, bool) {
    let p = unit(word);
    let q = 2.0 * p - 1.0;
    let w = -ln((1.0 - q) * (1.0 + q));
    let x = 0.32 * w - 1.0;
    let x2 = x * x;
    let x4 = x2 * x2;
    let c = &CENTRE_SERIES;
    let part = |i: usize| (c[i] + x * c[i + 1]) + x2 * (c[i + 2] + x * c[i + 3]);
    let sum = (part(0) + x4 * part(4)) + (x4 * x4) * (part(8) + x4 * part(12));
    (q * sum, w <= CENTRE)
}

const CENTRE_SERIES: [f64; 16] = [
    2.338_620_710_018_223_5,
    1.061_359_245_910_765_7,
    -0.083_329_092_432_627_57,
    -0.031_967_514_715_560_95,
    0.025_184_803_144_178_182,
    -0.005_851_066_094_692_819,
    -0.001_798_247_969_952_386,
    0.001_743_121_530_007_132_6,
    -0.000_374_721_479_174_856_1,
    -0.000_165_708_256_812_992_73,
    0.000_133_908_112_213_024_2,
    -2.052_319_409_064_411_7e-5,
    -1.840_071_591_358_661_6e-5,
    9.364_954_396_240_387e-6,
    9.172_056_388_543_107e-7,
    -1.181_561_730_435_617_3e-6,
];

/// Fills `normals` with standard normal variables, one for each word of randomness.
#[inline(always)]
pub(super) fn normals(words: &[u64; 8], normals: &mut [f64; 8]) {
    let mut central = true;
    for (word, normal) in words.iter().zip(normals.iter_mut()) {
        let (value, near) = normal_centre(*word);
        *normal = value;
        central &= near;
    }
    if !central {
        for (word, normal) in words.iter().zip(normals.iter_mut()) {
            if !normal_centre(*word).1 {
                *normal = normal_quantile(unit(*word));
            }
        }
    }
}

/// The value below which a standard normal variable lies with probability `p`, 0 < `p` < 1.
///
/// Wichura's algorithm AS 241 (Applied Statistics 37, 1988, PPND16): a ratio of two polynomials of
/// degree 7, in 0.180625 − (p − ½)² in the middle and in √(−ln p) in the tails. Within 10⁻¹⁵,
/// relatively.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    debug_assert!(p > 0.0 && p < 1.0, "normal_quantile({p})");
    let q = p - 0.5;
    if q * q <= 0.425 * 0.425 {
        let r = 0.180625 - q * q;
        return q * ratio(&A, &B, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-ln(tail)).sqrt();
    let value = if r <= 5.0 { ratio(&C, &D, r - 1.6) } else { ratio(&E, &F, r - 5.0) };
    if q < 0.0 { -value } else { value }
}

#[inline(always)]
fn ratio(numerator: &[f64; 8], denominator: &[f64; 8], x: f64) -> f64 {
    polynomial(numerator, x) / polynomial(denominator, x)
}

#[inline(always)]
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// The coefficients of AS 241, to the digits in which they were published.
#[allow(clippy::excessive_precision, reason = "as published")]
#[rustfmt::skip]
const A: [f64; 8] = [
    3.387_132_872_796_366_608_0, 1.331_416_678_917_843_774_5e2, 1.971_590_950_306_551_442_7e3,
    1.373_169_376_550_946_112_5e4, 4.592_195_393_154_987_145_7e4, 6.726_577_092_700_870_085_3e4,
    3.343_057_558_358_812_810_5e4, 2.509_080_928_730_122_672_7e3,
];
#[allow(clippy::excessive_precision, reason = "as published")]
#[rustfmt::skip]
const B: [f64; 8] = [
    1.0, 4.231_333_070_160_091_125_2e1, 6.871_870_074_920_579_083_0e2,
    5.394_196_021_424_751_107_7e3, 2.121_379_430_158_659_586_7e4, 3.930_789_580_009_271_061_0e4,
    2.872_908_573_572_194_267_4e4, 5.226_495_278_852_854_561_0e3,
];
#[allow(clippy::excessive_precision, reason = "as published")]
#[rustfmt::skip]
const C: [f64; 8] = [
    1.423_437_110_749_683_577_34, 4.630_337_846_156_545_295_90, 5.769_497_221_460_691_405_50,
    3.647_848_324_763_204_605_04, 1.270_458_252_452_368_382_58, 2.417_807_251_774_506_117_70e-1,
    2.272_384_498_926_918_458_33e-2, 7.745_450_142_783_414_076_40e-4,
];
#[allow(clippy::excessive_precision, reason = "as published")]
#[rustfmt::skip]
const D: [f64; 8] = [
    1.0, 2.053_191_626_637_758_821_87, 1.676_384_830_183_803_849_40,
    6.897_673_349_851_000_045_50e-1, 1.481_039_764_274_800_745_90e-1,
    1.519_866_656_361_645_719_66e-2, 5.475_938_084_995_344_946_00e-4,
    1.050_750_071_644_416_843_24e-9,
];
#[allow(clippy::excessive_precision, reason = "as published")]
#[rustfmt::skip]
const E: [f64; 8] = [
    6.657_904_643_501_103_777_20, 5.463_784_911_164_114_369_90, 1.784_826_539_917_291_335_80,
    2.965_605_718_285_048_912_30e-1, 2.653_218_952_657_612_309_30e-2,
    1.242_660_947_388_078_438_60e-3, 2.711_555_568_743_487_578_15e-5,
    2.010_334_399_292_288_132_65e-7,
];
#[allow(clippy::excessive_precision, reason = "as published")]
#[rustfmt::skip]
const F: [f64; 8] = [
    1.0, 5.998_322_065_558_879_376_90e-1, 1.369_298_809_227_358_053_10e-1,
    1.487_536_129_085_061_485_25e-2, 7.868_691_311_456_132_591_00e-4,
    1.846_318_317_510_054_681_80e-5, 1.421_511_758_316_445_888_70e-7,
    2.044_263_103_389_939_785_64e-15,
];

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "what is compared with std's functions")]

    use super::*;
    use proptest::prelude::*;

    fn close(ours: f64, theirs: f64, relative: f64) -> bool {
        (ours - theirs).abs() <= relative * theirs.abs()
    }

    proptest! {
        #[test]
        fn ln_is_close_to_std(bits in f64::MIN_POSITIVE.to_bits()..f64::MAX.to_bits()) {
            let x = f64::from_bits(bits);
            prop_assert!(close(ln(x), x.ln(), 2e-15), "ln({x:e}) = {} not {}", ln(x), x.ln());
        }

        #[test]
        fn ln_is_close_to_std_near_one(x in 0.4_f64..2.5) {
            prop_assert!(close(ln(x), x.ln(), 2e-15), "ln({x:e}) = {} not {}", ln(x), x.ln());
        }

        #[test]
        fn exp_is_close_to_std(x in -707.9_f64..709.0) {
            prop_assert!(close(exp(x), x.exp(), 1e-15), "exp({x}) = {} not {}", exp(x), x.exp());
        }

        #[test]
        fn exp_undoes_ln(x in 1e-12_f64..1e12) {
            prop_assert!(close(exp(ln(x)), x, 1e-13));
        }

        #[test]
        fn quantile_is_odd(p in 1e-9_f64..0.5) {
            let (low, high) = (normal_quantile(p), normal_quantile(1.0 - p));
            prop_assert!((low + high).abs() < 1e-6, "{low} and {high}");
        }

        /// The fast centre against the published algorithm.
        #[test]
        fn normals_agree_with_the_quantile(words in any::<[u64; 8]>()) {
            let mut values = [0.0; 8];
            normals(&words, &mut values);
            for (word, value) in words.iter().zip(values) {
                let exact = normal_quantile(unit(*word));
                prop_assert!((value - exact).abs() < 2e-11, "{value} not {exact} for {word:x}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_ranges_hold() {
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e300), 0.0);
        assert_eq!(exp(f64::INFINITY), exp(709.0));
        assert_eq!(unit(0), 1.0 / (1_u64 << 53) as f64);
        assert_eq!(unit(u64::MAX), 1.0 - 1.0 / (1_u64 << 53) as f64);
        assert!(exponential(u64::MAX) > 0.0 && exponential(0) < 37.0);
        let mut values = [0.0; 8];
        normals(&[0, u64::MAX, 1 << 63, 0, 0, 0, 0, 0], &mut values);
        assert!((values[0] + 8.21).abs() < 0.01 && (values[1] - 8.21).abs() < 0.01, "{values:?}");
        assert!(values[2].abs() < 1e-15);
    }

    /// Values of Φ⁻¹ from tables of the normal distribution.
    #[test]
    fn known_quantiles() {
        for (p, z) in [
            (0.5, 0.0),
            (0.75, 0.674_489_750_196_081_7),
            (0.99, 2.326_347_874_040_841),
            (0.999, 3.090_232_306_167_813_5),
            (1e-10, -6.361_340_902_404_056),
            (1e-15, -7.941_345_326_170_997),
        ] {
            assert!((normal_quantile(p) - z).abs() < 1e-14, "{p}: {}", normal_quantile(p));
        }
    }

    /// Every bit counts: another order of the operations or a fused one would show here.
    #[test]
    fn results_are_pinned_to_the_bit() {
        let mut hash = Vec::new();
        for i in 1..=1000_u64 {
            let x = i as f64 / 37.0;
            hash.push(ln(x).to_bits());
            hash.push(exp(x - 13.0).to_bits());
            hash.push(normal_quantile(i as f64 / 1001.0).to_bits());
            hash.push(normal_centre(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).0.to_bits());
        }
        assert_eq!(crate::engine::hash_words(&hash), 1_361_324_236_043_907_415);
    }
}
