//! Random faults on clusters with strict, durable settings: no claimed invariant breaks, nothing is lost
//! without a cause, what was SEND_OK is on the master's disk, and a run repeats itself.
//!
//! `MQSIM_CHAOS=10000 cargo test --release --test rocketmq chaos -- --nocapture` looks at more of them.

use mqsim::run::{Prepared, parse, simulate};
use mqsim::verdict::Report;

use crate::tally::Tally;

/// Two groups, SYNC_FLUSH and SYNC_MASTER, an application that looks at every status.
const CHAOS: &str = r#"
format = 1
name = "rocketmq-chaos"
mode = "rocketmq-master-slave"
duration = "40s"
drain = "400s"

[cluster]
nodes = 4
hardware = "lab-vm"
boot-time = "1s"
disk.torn-tail = true

[broker]
slaves = 1
brokerRole = "SYNC_MASTER"
flushDiskType = "SYNC_FLUSH"
mappedFileSizeCommitLog = "1MiB"
maxMessageSize = "64KiB"

[[topic]]
name = "orders"
queues = 2

[[producer]]
name = "sync"
to = "orders"
rate = "50/s"
threads = 10
check-send-status = true

[[producer]]
name = "async"
to = "orders"
rate = "50/s"
send = "async"
check-send-status = true

[[consumer]]
name = "c1"
from = "orders"
processing-time = "2ms"

[[consumer]]
name = "c2"
from = "orders"
processing-time = "2ms"

[nemesis]
from = "1s"
until = "38s"
every = { distribution = "exponential", mean = "3s" }
at-most = 3

[[nemesis.fault]]
kind = "crash"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "10s" }
targets = ["random", "ns1", "consumer(c1)"]

[[nemesis.fault]]
kind = "power-loss"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "10s" }
targets = ["random", "all"]

[[nemesis.fault]]
kind = "pause"
weight = 2
for = { distribution = "uniform", min = "50ms", max = "10s" }
targets = ["random", "consumer(c2)", "producer(async)"]

[[nemesis.fault]]
kind = "partition"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "25s" }
shapes = ["one", "halves", "one-way", "pair"]

[[nemesis.fault]]
kind = "slow-disk"
factor = 50
for = { distribution = "uniform", min = "1s", max = "10s" }

[[nemesis.fault]]
kind = "stop"
for = { distribution = "uniform", min = "1s", max = "5s" }
"#;

/// The versions, with what makes their sends wait for a slave.
const VERSIONS: [(&str, &[&str]); 3] = [
    ("4.9.4", &[]),
    ("5.1.4", &["broker.inSyncReplicas=2"]),
    ("5.5", &["broker.inSyncReplicas=2"]),
];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn prepared(version: &str, sets: &[&str]) -> Prepared {
    let text = CHAOS.replace("duration =", &format!("broker-version = \"{version}\"\nduration ="));
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    parse("chaos.toml", text.as_bytes(), &sets).unwrap_or_else(|error| panic!("{error}"))
}

fn run(prepared: &Prepared, seed: u64) -> Report {
    simulate(prepared, seed, None).unwrap_or_else(|error| panic!("seed {seed}: {error}"))
}

/// What is wrong with a run.
fn wrong(report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    let tallies = report.catalog.invariants.iter().zip(&report.invariants);
    for (word, tally) in
        tallies.filter(|(word, tally)| word.lacks.is_empty() && tally.violations > 0)
    {
        let first = tally.first.first().map_or("", |breach| &breach.detail);
        wrong.push(format!("{} broke {} times: {first}", word.name, tally.violations));
    }
    let summary = &report.summary;
    if summary.unexplained > 0 || report.inconsistencies > 0 {
        let (lost, contradictions) = (summary.unexplained, report.inconsistencies);
        wrong.push(format!("{lost} lost without a cause, {contradictions} contradictions"));
    }
    // What is SEND_OK was flushed: up to 5.3.3 unless an fsync had failed, which none does here.
    if summary.success_gone > 0 {
        wrong.push(format!("{} gone after SEND_OK", summary.success_gone));
    }
    wrong
}

#[test]
fn strict_and_durable_settings_keep_what_they_promise() {
    let (seeds, from) = (number("MQSIM_CHAOS", 60), number("MQSIM_CHAOS_FROM", 1));
    let (mut complaints, mut tally) = (Vec::new(), Tally::default());
    for (place, (version, sets)) in (0..).zip(VERSIONS) {
        let scenario = prepared(version, sets);
        for seed in (from..from + seeds).filter(|seed| seed % 3 == place) {
            let report = run(&scenario, seed);
            tally.record(&report, seed, None);
            let told = wrong(&report);
            if !told.is_empty() {
                complaints.push(format!("{version}, seed {seed}: {}", told.join("; ")));
            }
        }
    }
    println!("{}", tally.text());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_run_repeats_itself() {
    let scenario = prepared("5.5", &["broker.inSyncReplicas=2"]);
    for seed in 1..=3 {
        assert_eq!(run(&scenario, seed).ingredients, run(&scenario, seed).ingredients, "{seed}");
    }
}
