//! How long things take, row by row: with the defaults, from the fault to what it leads to.

use mqsim::verdict::Report;

use crate::runs::run;
use crate::small::{HA, consumer, cut, fault, first, prepared, producer, seeds};

/// A row: a fault at 20 s, what it leads to, and between how many ms behind it.
struct Row {
    mode: (&'static str, u32),
    rest: String,
    leads_to: &'static str,
    within: (u64, u64),
}

const FAULT: u64 = 20_000;
const SHARED: (&str, u32) = ("artemis-shared-store", 2);
const PAIR: (&str, u32) = ("artemis-replication", 2);
const PAIRS: (&str, u32) = ("artemis-replication", 6);

fn rows() -> Vec<(&'static str, Row)> {
    let load = producer(&format!("rate = '50/s'\n{HA}"));
    let row = |mode, faults: String, leads_to, within| Row {
        mode,
        rest: format!("{load}{faults}"),
        leads_to,
        within,
    };
    let crash = fault("crash", "n1", "20s", "200s");
    let power = fault("power-loss", "n1", "20s", "400s");
    vec![
        (
            "shared store, primary killed: the lock within 1 s",
            row(SHARED, crash.clone(), "lock-acquired", (0, 1_000)),
        ),
        (
            "shared store, primary without power: the lease",
            row(SHARED, power.clone(), "lock-acquired", (20_000, 31_500)),
        ),
        (
            "one pair, primary killed: at once",
            row(PAIR, crash.clone(), "backup-activates", (0, 100)),
        ),
        (
            "three pairs, primary killed: the first vote or the next",
            row(PAIRS, crash, "backup-activates", (0, 5_100)),
        ),
        (
            "one pair, primary without power: 60 to 120 s",
            row(PAIR, power.clone(), "backup-activates", (60_000, 120_100)),
        ),
        (
            "three pairs, primary without power: and votes",
            row(PAIRS, power, "backup-activates", (60_000, 175_100)),
        ),
        (
            "backup killed: at once",
            row(PAIR, fault("crash", "n2", "20s", "100s"), "backup-lost", (0, 100)),
        ),
        (
            "backup frozen: 60 to 62 s",
            row(PAIR, fault("pause", "n2", "20s", "100s"), "backup-lost", (59_000, 64_500)),
        ),
        (
            "backup frozen: a call fails after 30 s",
            row(PAIR, fault("pause", "n2", "20s", "100s"), "call-timed-out", (29_900, 30_200)),
        ),
        (
            "link cut that refuses, one pair: with the next ping",
            row(PAIR, cut("reject", "20s", "100s"), "backup-activates", (0, 30_100)),
        ),
        (
            "link cut, one pair: 60 to 120 s",
            row(PAIR, cut("drop", "20s", "300s"), "backup-activates", (60_000, 120_100)),
        ),
        (
            "a vote that fails: 55 s and until that begins",
            row(PAIRS, cut("reject", "20s", "200s"), "vote-lost", (55_000, 85_100)),
        ),
    ]
}

fn took(report: &Report, row: &Row) -> Option<u64> {
    let events = report.events.iter().filter(|event| event.what == row.leads_to);
    let mut at = events.map(|event| event.at.as_nanos() / 1_000_000);
    at.find(|at| *at >= FAULT).map(|at| at - FAULT)
}

#[test]
fn everything_takes_as_long_as_it_should() {
    let mut wrong = Vec::new();
    for (what, row) in rows() {
        let scenario = prepared(row.mode.0, row.mode.1, 420, &row.rest);
        for seed in 1..=seeds(2) {
            let took = took(&run(&scenario, seed), &row);
            let (least, most) = row.within;
            if took.is_none_or(|took| took < least || took > most) {
                wrong.push(format!("{what}: {took:?} ms, seed {seed}, not {least} to {most}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_vote_that_fails_takes_55_seconds() {
    let load = producer(&format!("rate = '50/s'\n{HA}"));
    let rest = format!("{load}{}", cut("reject", "20s", "200s"));
    let report = run(&prepared("artemis-replication", 6, 250, &rest), 1);
    let (begun, lost) = (first(&report, "vote-begun"), first(&report, "vote-lost"));
    let took = begun.zip(lost).map_or(0, |(begun, lost)| lost - begun);
    assert!((54_900..=55_200).contains(&took), "{took} ms");
}

#[test]
fn a_consumer_that_is_gone_gives_its_messages_back_at_once_or_after_its_ttl() {
    let back = |keys: &str, kind: &str| {
        let rest = format!(
            "{}{}{}",
            producer("rate = '50/s'"),
            consumer(&format!("processing-time = '100ms'\n{keys}")),
            fault(kind, "consumer(c1)", "20s", "200s")
        );
        first(&run(&prepared("artemis-single", 1, 150, &rest), 1), "cancelled")
    };
    let since = |at: Option<u64>| at.map_or(u64::MAX, |at| at - FAULT);
    assert!(since(back("", "crash")) < 100);
    let window = since(back("confirmationWindowSize = '1MiB'", "crash"));
    assert!((58_000..=64_500).contains(&window), "{window} ms");
    let silent = since(back("", "power-loss"));
    assert!((58_000..=64_500).contains(&silent), "{silent} ms");
}
