//! Every client of every family goes on after each way in which its process can end, in an open and
//! in a closed loop.

use mqsim::engine::Span;
use mqsim::verdict::Report;
use proptest::prelude::*;

use super::{SETTINGS, Setting, run};

const ENDINGS: [&str; 5] = ["crash", "stop", "restart", "power-loss", "pause"];
const PACES: [&str; 2] = ["rate = '200/s'", "closed-loop = { in-flight = 10, think = '20ms' }"];

/// How long the load lasts, in seconds. The last of them must be like the first.
const LOAD: u64 = 30;

/// An end of a client's process.
fn ending(kind: &str, client: &str, at: u64, lasts: u64) -> String {
    let lasts = if kind == "restart" { String::new() } else { format!("for = '{lasts}ms'\n") };
    format!("[[fault]]\nat = '{at}ms'\n{lasts}kind = '{kind}'\ntarget = '{client}'\n")
}

/// How many messages had their positive answer, and how many were processed, in the last so many
/// seconds of the load.
fn at_the_end(report: &Report, seconds: u64) -> (u64, u64) {
    let timeline = &report.timeline;
    let length = timeline.bucket.as_nanos();
    let index = |at: u64| (Span::from_secs(at).as_nanos() / length) as usize;
    let last = &timeline.buckets[index(LOAD - seconds)..index(LOAD)];
    let answered = last.iter().map(|bucket| bucket.acked + bucket.accepted).sum();
    (answered, last.iter().map(|bucket| bucket.processed).sum())
}

fn goes_on(setting: &Setting, pace: &str, faults: &str, seed: u64) -> Result<(), String> {
    let report = run(&setting.scenario(LOAD, pace, faults), seed);
    let (answered, processed) = at_the_end(&report, 4);
    let what = format!("{}, {pace}, {faults}", setting.name);
    let summary = &report.summary;
    match () {
        () if answered < 100 => Err(format!("{what}: {answered} answered in the last 4 s")),
        () if processed < 100 => Err(format!("{what}: {processed} processed in the last 4 s")),
        () if summary.unexplained > 0 => {
            Err(format!("{what}: {} unexplained", summary.unexplained))
        }
        () => Ok(()),
    }
}

#[test]
fn every_client_goes_on_after_each_end_of_its_process() {
    let mut wrong = Vec::new();
    for setting in SETTINGS {
        for pace in PACES {
            for client in ["producer(p1)", "consumer(c1)"] {
                for kind in ENDINGS {
                    let faults = ending(kind, client, 8_000, 2_000);
                    wrong.extend(goes_on(setting, pace, &faults, 1).err());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn however_often_and_whenever_they_end(
        setting in 0..SETTINGS.len(),
        pace in 0..PACES.len(),
        ends in prop::collection::vec((0..ENDINGS.len(), any::<bool>(), 0..12_000u64, 1..4_000u64), 1..4),
        seed in 1..1_000u64,
    ) {
        let faults: String = ends
            .iter()
            .map(|&(kind, producer, at, lasts)| {
                let client = if producer { "producer(p1)" } else { "consumer(c1)" };
                ending(ENDINGS[kind], client, at, lasts)
            })
            .collect();
        let outcome = goes_on(&SETTINGS[setting], PACES[pace], &faults, seed);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

/// A closed loop loses no more of its time than its process is down.
#[test]
fn a_closed_loop_has_one_gap() {
    for setting in SETTINGS {
        let pace =
            "closed-loop = { in-flight = 10 }\nstart = '1s'\nmessage-size = '100B'\ncount = 20000";
        let report =
            run(&setting.scenario(LOAD, pace, &ending("crash", "producer(p1)", 10_000, 2_000)), 1);
        let longest = report.summary.write_longest_ms;
        assert!(longest.is_none_or(|ms| ms < 4_000), "{}: {longest:?} ms", setting.name);
    }
}
