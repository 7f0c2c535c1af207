//! Random faults on clusters with strict, durable settings: no claimed invariant breaks, nothing is lost
//! without a cause, what was SEND_OK is on the master's disk, and a run repeats itself.
//!
//! `MQSIM_CHAOS=10000 cargo test --release --test rocketmq chaos -- --nocapture` looks at more of them.

use mqsim::run::Prepared;
use mqsim::verdict::Report;

use crate::hunt::{assert_repeats, breaches, hunt};
use crate::runs::prepared;

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

/// The same with controllers, one group of three, of which two must have what is SEND_OK.
fn controlled() -> String {
    let broker = "slaves = 2\nallAckInSyncStateSet = true\nminInSyncReplicas = 2\n";
    CHAOS
        .replace("rocketmq-master-slave", "rocketmq-controller")
        .replace("nodes = 4", "nodes = 3")
        .replace("slaves = 1\nbrokerRole = \"SYNC_MASTER\"\n", broker)
        .replace("\"ns1\", \"consumer(c1)\"", "\"controller\", \"ctl1\", \"consumer(c1)\"")
}

/// Versions with controllers. A slave acknowledges from memory, and the first one that is back after a
/// loss of power is made master, whatever it has lost: only without that nothing is ever gone. A master that is back before
/// it is missed lets its epoch begin anew: only without that slaves follow, and CommitLogs are the same.
const CONTROLLED: [(&str, &[&str]); 6] = [
    ("5.1.4", &[]),
    ("5.3", &[FROM_DISK]),
    ("5.5", &[FROM_DISK]),
    ("5.1.4", &[GOES_ON]),
    ("5.3", &[FROM_DISK, GOES_ON]),
    ("5.5", &[FROM_DISK, GOES_ON]),
];
const FROM_DISK: &str = "rules.slave-acks-from-memory=false";
const GOES_ON: &str = "rules.epoch-begins-anew=false";

/// The same with DLedger. Entries count before they are flushed, and what earlier leaders left is committed by counting: only
/// without both is nothing lost that was acknowledged, and are CommitLogs the same.
fn ledger() -> String {
    let old = "slaves = 1\nbrokerRole = \"SYNC_MASTER\"\nflushDiskType = \"SYNC_FLUSH\"\n";
    CHAOS
        .replace("rocketmq-master-slave", "rocketmq-dledger")
        .replace("nodes = 4", "nodes = 3")
        .replace(old, "slaves = 2\n")
}

const LEDGERS: [(&str, &[&str]); 3] =
    [("4.9.4", &[]), ("5.5", &[]), ("5.5", &[FLUSHED, "rules.commit-by-counting=false"])];

const FLUSHED: &str = "rules.ack-unflushed=false";

fn scenario(text: &str, version: &str, sets: &[&str]) -> Prepared {
    let text = text.replace("duration =", &format!("broker-version = \"{version}\"\nduration ="));
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    prepared(&text, &sets)
}

/// What is wrong with a run.
fn wrong(report: &Report, keeps: bool) -> Vec<String> {
    let mut wrong = breaches(report);
    // Only a slave that finds no point up to which it agrees with its master has no rest.
    if !report.quiet && !report.events.iter().any(|event| event.what == "no-consistent-point") {
        wrong.push("it never came to rest".to_owned());
    }
    // What is SEND_OK was flushed: up to 5.3.3 unless an fsync had failed, which none does here.
    if keeps && report.summary.success_gone > 0 {
        wrong.push(format!("{} gone after SEND_OK", report.summary.success_gone));
    }
    wrong
}

/// Runs that are wrong, of so many seeds dealt out to the versions.
fn complaints(text: &str, versions: &[(&str, &[&str])], default: u64) -> Vec<String> {
    let name = |(version, sets): &(&str, &[&str])| format!("{version} {}", sets.join(" "));
    let scenarios: Vec<(String, Prepared)> =
        versions.iter().map(|own| (name(own), scenario(text, own.0, own.1))).collect();
    let classic = text.contains("rocketmq-master-slave");
    let keeps = |name: &str| classic || name.contains(FROM_DISK) || name.contains(FLUSHED);
    hunt(&scenarios, default, |name, report| wrong(report, keeps(name)))
}

#[test]
fn strict_and_durable_settings_keep_what_they_promise() {
    let complaints = complaints(CHAOS, &VERSIONS, 60);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn strict_and_durable_settings_keep_what_they_promise_with_controllers() {
    let complaints = complaints(&controlled(), &CONTROLLED, 60);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn strict_and_durable_settings_keep_what_they_promise_with_dledger() {
    let complaints = complaints(&ledger(), &LEDGERS, 60);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_run_repeats_itself() {
    let classic = scenario(CHAOS, "5.5", &["broker.inSyncReplicas=2"]);
    let controlled = scenario(&controlled(), "5.5", &[]);
    let ledger = scenario(&ledger(), "5.5", &[]);
    let named = [("classic", classic), ("controlled", controlled), ("ledger", ledger)];
    assert_repeats(&named.map(|(name, scenario)| (name.to_owned(), scenario)), 1..=3);
}
