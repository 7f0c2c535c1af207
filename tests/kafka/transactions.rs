//! Transactions in whole runs: what an application that passes on what it reads delivers, and what it does
//! not, under random crashes and pauses of it and of the brokers.

use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

/// How many seeds: a few, or `MQSIM_SEEDS`.
fn seeds() -> u64 {
    std::env::var("MQSIM_SEEDS").map_or(4, |text| text.parse().expect("MQSIM_SEEDS is a number"))
}

/// Two processes of an application that passes `in` on to `out`, with these keys, under random faults.
fn run(version: &str, keys: &str, seed: u64) -> Report {
    let app = |name: &str| {
        let keys = keys.replace("ID", name);
        format!(
            "[[consumer]]\nname = \"{name}\"\nfrom = \"in\"\ngroup.id = \"app\"\nproduce-to = \"out\"\n\
             processing-time = \"2ms\"\nauto.offset.reset = \"earliest\"\nsession.timeout.ms = \"6s\"\n{keys}\n"
        )
    };
    let text = format!(
        r#"
format = 1
name = "pipeline"
mode = "kafka-isr"
broker-version = "{version}"
duration = "60s"
drain = "600s"

[cluster]
nodes = 3
boot-time = "1s"

[broker]
min.insync.replicas = 2

[controller]
metadata = "{metadata}"

[[topic]]
name = "in"
partitions = 2

[[topic]]
name = "out"
partitions = 2

[[producer]]
name = "p1"
to = "in"
rate = "100/s"
message-size = "1KiB"
acks = "all"
enable.idempotence = true
max.in.flight.requests.per.connection = 1

{first}
{second}
[[consumer]]
name = "reader"
from = "out"
isolation.level = "read_committed"

[nemesis]
every = {{ distribution = "exponential", mean = "4s" }}
until = "45s"
at-most = 2

[[nemesis.fault]]
kind = "crash"
targets = ["consumer(app1)", "consumer(app2)"]
for = {{ distribution = "uniform", min = "1s", max = "10s" }}
weight = 3

[[nemesis.fault]]
kind = "pause"
targets = ["consumer(app1)", "consumer(app2)"]
for = {{ distribution = "uniform", min = "1s", max = "15s" }}
weight = 2

[[nemesis.fault]]
kind = "crash"
targets = ["leader(out/0)", "leader(in/0)", "coordinator(app)", "random"]
for = {{ distribution = "uniform", min = "1s", max = "8s" }}

[[nemesis.fault]]
kind = "partition"
shapes = ["one", "one-way"]
among = ["brokers", "clients"]
for = {{ distribution = "uniform", min = "1s", max = "10s" }}

[[expect]]
metric = "delivered_again"
destination = "out"
max = 0

[[expect]]
metric = "processed"
destination = "out"
equals = 6000
"#,
        metadata = if version >= "3.3" { "kraft" } else { "zookeeper" },
        first = app("app1"),
        second = app("app2"),
    );
    let prepared = parse("pipeline.toml", text.as_bytes(), &[]).expect("it can be run");
    simulate(&prepared, seed, None).expect("it ends")
}

/// What the expectations found: lines read more than once, and lines read.
fn found(report: &Report) -> (u64, u64) {
    let number = |at: usize| report.expectations[at].value.map_or(u64::MAX, |value| value as u64);
    (number(0), number(1))
}

const TRANSACTIONAL: &str = "transactional.id = \"ID\"\nisolation.level = \"read_committed\"";

#[test]
fn every_input_comes_out_once_with_transactions() {
    for version in ["2.8", "3.9", "4.1"] {
        for seed in 1..=seeds() {
            let report = run(version, TRANSACTIONAL, seed);
            assert!(report.quiet, "{version} {seed}: {:?}", report.waits);
            assert_eq!(report.summary.unexplained, 0, "{version} {seed}");
            assert_eq!(found(&report), (0, 6_000), "{version} {seed}");
        }
    }
}

#[test]
fn and_at_least_once_without() {
    let mut again = 0;
    for seed in 1..=seeds() {
        let report = run("4.1", "enable.auto.commit = false", seed);
        assert!(report.quiet, "{seed}: {:?}", report.waits);
        let (twice, read) = found(&report);
        assert_eq!(read, 6_000, "{seed}");
        again += twice;
    }
    assert!(again > 0, "somebody was killed between a write and its commit");
}
