use proptest::prelude::*;

use super::*;
use crate::engine::Stream;
use crate::scenario::{Document, SectionSpec, flaws};
use crate::workload::Turn;

const PRODUCER: SectionSpec =
    SectionSpec::repeated("producer", &[PRODUCER_KEYS], "Sends messages.");
const CONSUMER: SectionSpec =
    SectionSpec::repeated("consumer", &[CONSUMER_KEYS], "Receives messages.");

fn load(keys: &str) -> Result<Load, Diagnostics> {
    let text = format!(
        "format = 1\nmode = \"test\"\nduration = \"10s\"\n[[producer]]\n\
         name = \"p1\"\nto = \"orders\"\n{keys}\n"
    );
    let document = Document::parse("load.toml", text)?;
    let scenario = document.check(&[&PRODUCER, &CONSUMER], None)?;
    Load::from_values(&scenario.many("producer")[0])
}

#[track_caller]
fn wrong(keys: &str) -> String {
    load(keys).expect_err("it should be refused").to_string()
}

fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

#[test]
fn the_keys_have_no_flaws() {
    assert_eq!(flaws(&PRODUCER), Vec::<String>::new());
    assert_eq!(flaws(&CONSUMER), Vec::<String>::new());
}

#[test]
fn a_plain_rate_has_these_defaults() {
    let load = load("rate = \"500/s\"").unwrap();
    assert_eq!(load.pace, Pace::Open(Profile::Constant(rate("500/s"))));
    assert_eq!((load.start, load.stop, load.count), (Span::ZERO, None, None));
    assert_eq!((load.catch_up, load.sizes.fixed()), (None, Some(1024)));
    assert!(load.connect.is_empty());
}

#[test]
fn profiles_are_read() {
    let profile = |keys: &str| match load(&format!("rate = {{ {keys} }}")).unwrap().pace {
        Pace::Open(profile) => profile,
        Pace::Closed { .. } => panic!("it is open"),
    };
    let step = |secs, text| Step { lasts: Span::from_secs(secs), rate: rate(text) };
    assert_eq!(profile("profile = 'poisson', rate = '5/s'"), Profile::Poisson(rate("5/s")));
    assert_eq!(
        profile("profile = 'burst', every = '2s', size = 9"),
        Profile::Burst { every: Span::from_secs(2), size: 9 }
    );
    assert_eq!(
        profile("profile = 'on-off', on = '1s', off = '2s', rate = '5/s'"),
        Profile::Steps { steps: vec![step(1, "5/s"), step(2, "0/s")], repeat: true }
    );
    let list = "steps = [{ for = '1s', rate = '5/s' }, { for = '2s', rate = '6/s' }]";
    assert_eq!(
        profile(&format!("profile = 'steps', {list}, repeat = true")),
        Profile::Steps { steps: vec![step(1, "5/s"), step(2, "6/s")], repeat: true }
    );
}

#[test]
fn steps_at_are_times_of_the_run() {
    let list = "[{ at = '3s', rate = '5/s' }, { at = '7s', rate = '6/s' }]";
    let load = load(&format!("start = '2s'\nrate = {{ profile = 'steps', steps = {list} }}"));
    let mut pacer = load.unwrap().pacer(Span::from_secs(10));
    let stream = &mut Stream::fixed(1, "p1");
    let first = Time::ZERO + Span::from_secs(3);
    assert_eq!(pacer.turn(Time::ZERO, stream), Turn::Wait { until: first });
    let mut sent = 0;
    while pacer.overdue(Time::MAX, stream).is_some() {
        sent += 1;
    }
    assert_eq!(sent, 4 * 5 + 3 * 6);
}

#[test]
fn a_producer_stops_with_the_run() {
    let end = |keys: &str| {
        let mut pacer = load(keys).unwrap().pacer(Span::from_secs(10));
        let stream = &mut Stream::fixed(1, "p1");
        std::iter::from_fn(|| pacer.overdue(Time::MAX, stream)).count()
    };
    assert_eq!(end("rate = '2/s'"), 20);
    assert_eq!(end("rate = '2/s'\nstop = '4s'"), 8);
    assert_eq!(end("rate = '2/s'\nstop = '40s'"), 20);
    assert_eq!(end("rate = '2/s'\ncount = 3"), 3);
    let closed = load("closed-loop = { in-flight = 3 }").unwrap();
    assert_eq!(closed.pace, Pace::Closed { in_flight: 3, think: Span::ZERO });
}

/// What is said about a producer with each of these keys.
fn told(list: &[&str]) -> String {
    let tell = |keys: &&str| format!("=== {keys}\n{}", wrong(keys));
    list.iter().map(tell).collect::<Vec<_>>().join("\n")
}

#[test]
fn contradictions_are_told() {
    insta::assert_snapshot!(told(&[
        "",
        "rate = '5/s'\nclosed-loop = { in-flight = 1 }",
        "closed-loop = { in-flight = 1 }\ncatch-up = '1s'",
        "rate = '0/s'",
        "rate = '5/s'\nstart = '3s'\nstop = '2s'",
        "rate = { profile = 'poisson', rate = '0/s' }",
        "rate = { profile = 'steps', steps = [] }",
        "rate.profile = 'steps'\nrate.steps = [{ at = '1s', for = '1s', rate = '5/s' }]",
        "rate.profile = 'steps'\n\
         rate.steps = [{ at = '1s', rate = '5/s' }, { for = '1s', rate = '5/s' }]",
        "rate.profile = 'steps'\n\
         rate.steps = [{ at = '2s', rate = '5/s' }, { at = '1s', rate = '5/s' }]",
        "rate.profile = 'steps'\nrate.steps = [{ at = '2s', rate = '0/s' }]",
        "start = '3s'\nrate.profile = 'steps'\nrate.steps = [{ at = '2s', rate = '1/s' }]",
        "rate.profile = 'steps'\nrate.steps = [{ at = '0s', rate = '5/s' }]\nrate.repeat = true",
    ]));
}

#[test]
fn wrong_values_are_told() {
    insta::assert_snapshot!(told(&[
        "rate = '5/s'\ncatch-up = 'never'",
        "rate = 500",
        "rate = '5/s'\nmessage-size = '1GiB'",
        "rate = { profile = 'burst', rate = '5/s' }",
        "rate = { profile = 'possion', rate = '5/s' }",
        "closed-loop = { in-flight = 0 }",
        "closed-loop = { think = '1s' }",
        "closed-loop = 10",
    ]));
}

proptest! {
    /// Whatever is accepted can be paced, and neither panics nor goes on for ever.
    #[test]
    fn any_accepted_load_can_be_paced(
        shape in prop::sample::select(vec![
            "rate = '{}/s'",
            "rate = { profile = 'poisson', rate = '{}/min' }",
            "rate = { profile = 'burst', every = '{}us', size = {} }",
            "rate = { profile = 'on-off', on = '{}ns', off = '{}s', rate = '{}/h' }",
            "rate.profile = 'steps'\nrate.repeat = true\n\
             rate.steps = [{ for = '{}ns', rate = '{}/h' }]",
            "rate = { profile = 'steps', steps = [{ at = '{}ms', rate = '{}/s' }] }",
            "closed-loop = { in-flight = {}, think = '{}ms' }",
        ]),
        numbers in prop::collection::vec(prop_oneof![0..5_u64, 0..2_000_000_u64], 3),
    ) {
        let mut keys = shape.to_owned();
        for number in numbers {
            keys = keys.replacen("{}", &number.to_string(), 1);
        }
        if let Ok(load) = load(&keys) {
            let mut pacer = load.pacer(Span::from_secs(10));
            let stream = &mut Stream::fixed(1, "p1");
            let mut now = Time::ZERO;
            for _ in 0..1_000 {
                match pacer.turn(now, stream) {
                    Turn::Send { intended } => prop_assert!(intended <= now),
                    Turn::Wait { until } => {
                        prop_assert!(until > now && until < Time::ZERO + Span::from_secs(10));
                        now = until;
                    }
                    Turn::InFlight => pacer.settled(now),
                    Turn::Skip { .. } => prop_assert!(false, "nothing is late"),
                    Turn::Done => break,
                }
            }
        }
    }
}
