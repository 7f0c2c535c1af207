use proptest::prelude::*;

use super::rate::MILLION;
use super::*;

#[test]
fn durations_are_exact() {
    let nanos = |text: &str| duration(text).map(Span::as_nanos);
    assert_eq!(nanos("250ms"), Ok(250_000_000));
    assert_eq!(nanos("1.5ms"), Ok(1_500_000));
    assert_eq!(nanos("0.000000001s"), Ok(1));
    assert_eq!(nanos("2h"), Ok(7_200_000_000_000));
    assert_eq!(nanos("0.1min"), Ok(6_000_000_000));
    assert_eq!(nanos("0"), Ok(0));
    assert_eq!(nanos("18446744073709551615ns"), Ok(u64::MAX));
    assert_eq!(nanos("1.10000s"), Ok(1_100_000_000));
    let too_large = UnitError::TooLarge("can be represented".to_owned());
    assert_eq!(nanos("18446744073709551616ns"), Err(too_large.clone()));
    assert_eq!(nanos("999999999999999999999999999h"), Err(too_large));
    assert_eq!(nanos("0.0000000001s"), Err(UnitError::TooFine("a nanosecond")));
    assert_eq!(nanos("0.5ns"), Err(UnitError::TooFine("a nanosecond")));
    assert_eq!(nanos(""), Err(UnitError::Empty));
    assert_eq!(nanos("ms"), Err(UnitError::NoNumber));
    assert_eq!(nanos(".5s"), Err(UnitError::NoNumber));
    assert_eq!(nanos("5.s"), Err(UnitError::NoNumber));
    assert_eq!(nanos("-5s"), Err(UnitError::Negative));
    assert_eq!(nanos("5 s"), Err(UnitError::Blank));
    assert_eq!(nanos("5"), Err(UnitError::NoUnit));
    assert_eq!(nanos("5S"), Err(UnitError::UnknownUnit("S".to_owned())));
    assert_eq!(nanos("1e3s"), Err(UnitError::UnknownUnit("e3s".to_owned())));
}

#[test]
fn shifts_and_drifts_are_exact_and_print_as_they_are_written() {
    for text in ["-5s", "0s", "1500ms", "-1ns", "1h"] {
        let value = shift(text).expect(text);
        assert_eq!(shift(&value.to_string()), Ok(value), "{text}");
    }
    assert_eq!(shift("-1.5s"), Ok(Shift(-1_500_000_000)));
    assert_eq!(shift("--5s"), Err(UnitError::Negative));
    assert_eq!(shift("-"), Err(UnitError::Empty));
    assert_eq!(drift("-0.02%"), Ok(Drift(-200_000)));
    assert_eq!(drift("0.0005ppm"), Err(UnitError::TooFine("a part of a billion")));
    assert_eq!(drift("5"), Err(UnitError::NoUnit));
    assert_eq!(drift("99999999999999%"), Err(UnitError::TooLarge("can be represented".to_owned())));
    for text in ["200ppm", "-1%", "0ppm", "12.345ppm", "-50%", "-0.001ppm"] {
        assert_eq!(drift(text).expect(text).to_string(), text);
    }
}

#[test]
fn sizes_and_bandwidths_are_exact() {
    assert_eq!(size("1KiB"), Ok(1024));
    assert_eq!(size("1kB"), Ok(1000));
    assert_eq!(size("1.5MiB"), Ok(1_572_864));
    assert_eq!(size("1500"), Ok(1500));
    assert_eq!(size("0.5B"), Err(UnitError::TooFine("a byte")));
    assert_eq!(size("1K"), Err(UnitError::UnknownUnit("K".to_owned())));
    assert_eq!(size("1kb"), Err(UnitError::UnknownUnit("kb".to_owned())));
    assert_eq!(bandwidth("1Gbit/s"), Ok(125_000_000));
    assert_eq!(bandwidth("125MB/s"), Ok(125_000_000));
    assert_eq!(bandwidth("unlimited"), Ok(0));
    assert_eq!(bandwidth("4bit/s"), Err(UnitError::TooFine("a byte a second")));
    assert_eq!(bandwidth("0B/s"), Err(UnitError::TooFine("a byte a second")));
    assert_eq!(BytesPerSecond(125_000_000).to_string(), "125MB/s");
    assert_eq!(BytesPerSecond(0).to_string(), "unlimited");
    assert_eq!(Bytes(1024).to_string(), "1KiB");
    assert_eq!(Bytes(1000).to_string(), "1kB");
    assert_eq!(Bytes(0).to_string(), "0");
}

#[test]
fn chances_are_exact_to_a_billionth() {
    let parts = |text: &str| chance(text).map(Chance::as_billionths);
    assert_eq!(parts("0.1%"), Ok(1_000_000));
    assert_eq!(parts("0.001"), Ok(1_000_000));
    assert_eq!(parts("100%"), Ok(1_000_000_000));
    assert_eq!(parts("0"), Ok(0));
    assert_eq!(parts("0.0000001%"), Ok(1));
    assert_eq!(parts("0.00000001%"), Err(UnitError::TooFine("a billionth")));
    assert_eq!(parts("1.1"), Err(UnitError::TooLarge("100%".to_owned())));
    assert_eq!(Probability(Chance::from_billionths(1_500_000)).to_string(), "0.15%");
}

#[test]
fn rates_are_exact_and_print_shortly() {
    let shown = |text: &str| text.parse::<Rate>().map(|rate| rate.to_string());
    let same = ["5k/s", "200/s", "1.5M/s", "0.5/s", "1/h", "7/min", "0.000001/s", "0/s"];
    for text in same {
        assert_eq!(shown(text), Ok(text.to_owned()));
    }
    assert_eq!(shown("60/min"), Ok("1/s".to_owned()));
    assert_eq!(shown("3600k/h"), Ok("1k/s".to_owned()));
    assert_eq!(shown("1G/s"), Ok("1G/s".to_owned()));
    assert_eq!(shown("1.1G/s"), Err(UnitError::TooLarge("1G/s".to_owned())));
    assert_eq!(shown("99999999999999999999999G/s"), Err(UnitError::TooLarge("1G/s".to_owned())));
    assert_eq!(shown("0.0000001/s"), Err(UnitError::TooFine("a millionth of an event")));
    assert_eq!(shown("500"), Err(UnitError::NoUnit));
    assert_eq!(shown("500/ms"), Err(UnitError::UnknownUnit("/ms".to_owned())));
    assert_eq!(shown("5kk/s"), Err(UnitError::UnknownUnit("kk/s".to_owned())));
    assert_eq!(
        "0/s".parse::<Rate>().map(|rate| (rate.due(0), rate.due(1))),
        Ok((Span::ZERO, Span::MAX))
    );
    let hourly: Rate = "7/h".parse().expect("a rate");
    assert_eq!(hourly.due(7), Span::from_secs(3600));
    assert_eq!(Rate::MOST.due(u64::MAX).as_nanos(), u64::MAX);
    assert_eq!(hourly.due(u64::MAX), Span::MAX);
}

#[test]
fn versions_compare_by_number() {
    let version = |text: &str| text.parse::<Version>().expect("a version");
    assert!(version("3.10") > version("3.9.7"));
    assert_eq!(version("3.10"), version("3.10.0"));
    assert_eq!(version("0.8.2.2").to_string(), "0.8.2.2");
    assert_eq!(
        (version("4").to_string(), version("3.10.0").to_string()),
        ("4.0".into(), "3.10".into())
    );
    for text in ["", "3.", "v3", "3.10-rc1", "1.2.3.4.5", "99999999999.0", "+3.1"] {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
}

#[test]
fn seeds_are_inclusive() {
    let seeds: Seeds = "3..=5".parse().expect("seeds");
    assert_eq!(seeds.iter().collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!((seeds.count(), seeds.to_string()), (3, "3..=5".to_owned()));
    assert_eq!("7".parse::<Seeds>().map(|seeds| seeds.to_string()), Ok("7".to_owned()));
    assert_eq!("5..=3".parse::<Seeds>(), Err(UnitError::Backwards));
    assert!(matches!("0..=18446744073709551615".parse::<Seeds>(), Err(UnitError::TooLarge(_))));
    assert!("1..=1000000".parse::<Seeds>().is_ok());
    assert!("0..=1000000".parse::<Seeds>().is_err());
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(
        whole in prop_oneof![any::<u64>(), 0..100_000_u64, (0..18_u32).prop_map(|e| 10_u64.pow(e))],
        shift in 0..50_u32,
        millionths in prop_oneof![0..=Rate::MOST.millionths, 0..10_000_000_u64],
        per in prop::sample::select(vec!["s", "min", "h"]),
        numbers in any::<[u32; 4]>(),
        length in 0..MOST_SEEDS,
    ) {
        let span = Span::from_nanos(whole);
        prop_assert_eq!(duration(&span.to_string()), Ok(span));
        for bytes in [whole, whole.wrapping_shl(shift)] {
            prop_assert_eq!(size(&Bytes(bytes).to_string()), Ok(bytes));
            let limited = bytes / 8;
            prop_assert_eq!(bandwidth(&BytesPerSecond(limited).to_string()), Ok(limited));
        }
        let parts = Chance::from_billionths(whole % 1_000_000_001);
        prop_assert_eq!(chance(&Probability(parts).to_string()), Ok(parts));
        let written = format!("{}/{per}", fraction(millionths, MILLION));
        let rate: Rate = written.parse().expect("a rate");
        prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
        let version = Version::new(numbers);
        prop_assert_eq!(version.to_string().parse::<Version>(), Ok(version));
        let seeds = Seeds { first: whole / 2, last: whole / 2 + length };
        prop_assert_eq!(seeds.to_string().parse::<Seeds>(), Ok(seeds));
    }

    #[test]
    fn no_shorter_whole_number_says_the_same(bytes in 1..10_000_000_u64) {
        let shown = Bytes(bytes).to_string();
        for (unit, scale) in SIZES {
            let scale = scale as u64;
            if unit != "B" && bytes.is_multiple_of(scale) {
                let other = format!("{}{unit}", bytes / scale);
                prop_assert!(shown.len() <= other.len());
            }
        }
        prop_assert!(shown.len() <= bytes.to_string().len());
    }

    #[test]
    fn any_text_is_a_value_or_an_error(text in "\\PC{0,40}") {
        let _ = (duration(&text), size(&text), bandwidth(&text), chance(&text));
        let _ = (text.parse::<Rate>(), text.parse::<Version>(), text.parse::<Seeds>());
    }
}
