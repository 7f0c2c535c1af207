//! Random faults on a broker with safe settings: no claimed invariant breaks, nothing is lost without a
//! cause, what was answered is there, and a run repeats itself.
//!
//! `MQSIM_SEEDS=10000 cargo test --release --test activemq chaos` looks at more of them.

use mqsim::run::{Prepared, parse, simulate};
use mqsim::verdict::Report;

const CHAOS: &str = r#"
format = 1
name = "activemq-chaos"
mode = "activemq-single"
duration = "40s"
drain = "1000s"

[cluster]
nodes = 1
hardware = "lab-vm"
boot-time = "1s"
disk.torn-tail = true

[broker]
journalMaxFileLength = "256KiB"
cleanupInterval = "7000ms"

# With it a transaction that spans two files of the journal is not safe from a loss of power.
[rules]
leave-files-unsynced = false

[[queue]]
name = "orders"

[[queue]]
name = "bills"

[[producer]]
name = "sync"
to = "orders"
rate = "50/s"

[[producer]]
name = "listeners"
to = "orders"
rate = "50/s"
completion-listeners = 10

[[producer]]
name = "transacted"
to = "bills"
rate = "50/s"
transacted = 7

[[producer]]
name = "async"
to = "bills"
rate = "50/s"
useAsyncSend = true
transport = "tcp"

[[consumer]]
name = "c1"
from = "orders"
processing-time = "2ms"

[[consumer]]
name = "c2"
from = "orders"
acknowledge = "CLIENT"
acknowledge-every = 5
prefetch = 20
processing-time = "3ms"

[[consumer]]
name = "c3"
from = "bills"
acknowledge = "SESSION_TRANSACTED"
acknowledge-every = 3
processing-time = "2ms"

[nemesis]
from = "1s"
until = "38s"
every = { distribution = "exponential", mean = "3s" }
at-most = 3

[[nemesis.fault]]
kind = "crash"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "8s" }
targets = ["n1", "consumer(c1)", "consumer(c3)", "producer(sync)"]

[[nemesis.fault]]
kind = "power-loss"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "8s" }
targets = ["n1", "consumer(c2)"]

[[nemesis.fault]]
kind = "pause"
weight = 2
for = { distribution = "uniform", min = "50ms", max = "10s" }
targets = ["n1", "consumer(c3)", "producer(transacted)"]

[[nemesis.fault]]
kind = "reset"
weight = 3
targets = ["n1", "consumer(c1)", "consumer(c2)", "consumer(c3)", "producer(sync)", "producer(transacted)"]

[[nemesis.fault]]
kind = "slow-disk"
factor = 50
for = { distribution = "uniform", min = "1s", max = "10s" }

[[nemesis.fault]]
kind = "disk-full"
for = { distribution = "uniform", min = "1s", max = "4s" }

[[nemesis.fault]]
kind = "stop"
for = { distribution = "uniform", min = "1s", max = "5s" }
targets = ["n1", "consumer(c1)"]
"#;

const VERSIONS: [&str; 3] = ["5.9", "5.18", "6.3"];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn prepared(version: &str) -> Prepared {
    let text = CHAOS.replace("duration =", &format!("broker-version = \"{version}\"\nduration ="));
    parse("chaos.toml", text.as_bytes(), &[]).unwrap_or_else(|error| panic!("{error}"))
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
    if summary.acked_lost > 0 {
        wrong.push(format!("{} lost after they were answered", summary.acked_lost));
    }
    if summary.unreachable_at_end > 0 {
        wrong.push(format!("{} cannot be reached", summary.unreachable_at_end));
    }
    wrong
}

#[test]
fn safe_settings_keep_what_they_promise() {
    let (seeds, from) = (number("MQSIM_SEEDS", 60), number("MQSIM_SEED_FROM", 1));
    let mut complaints = Vec::new();
    for (place, version) in (0..).zip(VERSIONS) {
        let scenario = prepared(version);
        for seed in (from..from + seeds).filter(|seed| seed % 3 == place) {
            let told = wrong(&run(&scenario, seed));
            if !told.is_empty() {
                complaints.push(format!("{version}, seed {seed}: {}", told.join("; ")));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_run_repeats_itself() {
    let scenario = prepared("5.18");
    for seed in 1..=3 {
        assert_eq!(run(&scenario, seed).ingredients, run(&scenario, seed).ingredients, "{seed}");
    }
}
