//! Numbers as people read them. Integer arithmetic wherever a digit depends on it.

use crate::engine::{Span, Time};

pub(crate) use crate::scenario::units::grouped;

/// `1 message`, `2,000 messages`.
pub(crate) fn counted(n: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// A latency of whole microseconds with three significant digits and its unit: `850 µs`,
/// `1.23 ms`, `4.50 s`.
pub(crate) fn latency(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => three_digits(us, 1_000, "ms"),
        _ => three_digits(us, 1_000_000, "s"),
    }
}

/// A length of time with three significant digits and its unit.
pub(crate) fn span(span: Span) -> String {
    latency(span.as_micros())
}

/// An instant: seconds to the millisecond, `6.250 s`.
pub(crate) fn instant(at: Time) -> String {
    let millis = at.as_millis();
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}

/// `n` divided by `unit`, three significant digits, more before the point if need be.
fn three_digits(n: u64, unit: u64, name: &str) -> String {
    let whole = n / unit;
    let decimals = match whole {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let scale = 10_u64.pow(decimals);
    let part = (n % unit) * scale / unit;
    match decimals {
        0 => format!("{} {name}", grouped(whole)),
        d => format!("{whole}.{part:0width$} {name}", width = d as usize),
    }
}

/// A share in percent with as many decimals as it takes to tell it from 100 % (at most four),
/// never rounded up to 100 %.
pub(crate) fn percent(share: f64) -> String {
    if share >= 1.0 {
        return "100 %".to_owned();
    }
    for decimals in 1..4 {
        let text = format!("{:.decimals$}", share * 100.0);
        if !text.starts_with("100") {
            return format!("{text} %");
        }
    }
    "99.9999 %".to_owned()
}

/// A rate: `512 events/s`, `12.3 k events/s`, `4.51 M events/s`.
pub(crate) fn rate(per_second: f64, of: &str) -> String {
    let n = per_second.max(0.0).round() as u64;
    match n {
        0..10_000 => format!("{} {of}/s", grouped(n)),
        10_000..1_000_000 => format!("{} {of}/s", three_digits(n, 1_000, "k")),
        _ => format!("{} {of}/s", three_digits(n, 1_000_000, "M")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "line"), "1 line");
        assert_eq!(counted(2_000, "line"), "2,000 lines");
    }

    #[test]
    fn latencies_have_three_digits_and_a_unit() {
        let of = |us| latency(us);
        assert_eq!(of(0), "0 µs");
        assert_eq!(of(999), "999 µs");
        assert_eq!(of(1_000), "1.00 ms");
        assert_eq!(of(12_345), "12.3 ms");
        assert_eq!(of(999_999), "999 ms");
        assert_eq!(of(1_050_000), "1.05 s");
        assert_eq!(of(5_000_000_000), "5,000 s");
    }

    #[test]
    fn a_share_below_one_never_reads_as_one() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.9), "90.0 %");
        assert_eq!(percent(0.99996), "99.996 %");
        assert_eq!(percent(0.999_999_99), "99.9999 %");
        assert_eq!(percent(0.0), "0.0 %");
    }

    #[test]
    fn rates_shrink_to_k_and_m() {
        assert_eq!(rate(499.6, "lines"), "500 lines/s");
        assert_eq!(rate(12_345.0, "lines"), "12.3 k lines/s");
        assert_eq!(rate(4_510_000.0, "lines"), "4.51 M lines/s");
    }

    #[test]
    fn instants_are_in_seconds() {
        assert_eq!(instant(Time::from_nanos(6_250_999_999)), "6.250 s");
    }
}
