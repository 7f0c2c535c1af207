//! Small clusters of Kafka with replication, and what of their invariants breaks.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) use crate::runs::{Broken, broken, each, number, prepared, run};

/// Three replicas of two partitions under random faults, with a version's safe settings; with
/// `quick` brokers that fail are noticed sooner than by default.
pub(crate) fn chaos(version: &str, metadata: &str, quick: bool) -> String {
    let sessions = match (quick, metadata) {
        (false, _) => "",
        (true, "kraft") => {
            "\"broker.session.timeout.ms\" = 2000\n\"broker.heartbeat.interval.ms\" = 400\n\
             \"replica.lag.time.max.ms\" = 3000"
        }
        (true, _) => "\"zookeeper.session.timeout.ms\" = 4000\n\"replica.lag.time.max.ms\" = 3000",
    };
    format!(
        r#"
format = 1
name = "kafka-chaos"
mode = "kafka-isr"
broker-version = "{version}"
duration = "30s"
warmup = "0s"
drain = "300s"

[cluster]
nodes = 3
hardware = "lab-vm"
boot-time = "1s"

[controller]
metadata = "{metadata}"

[broker]
"min.insync.replicas" = 2
"unclean.leader.election.enable" = false
{sessions}

[[topic]]
name = "orders"
partitions = 2
replication-factor = 3

[[producer]]
name = "p1"
to = "orders"
rate = "200/s"
message-size = "1KiB"
acks = "all"
retries = 1000

[[consumer]]
name = "c1"
from = "orders"

[nemesis]
from = "1s"
until = "28s"
every = {{ distribution = "exponential", mean = "2s" }}
at-most = 2

[[nemesis.fault]]
kind = "crash"
weight = 3
for = {{ distribution = "uniform", min = "100ms", max = "8s" }}
targets = ["random", "leader(orders/0)", "controller"]

[[nemesis.fault]]
kind = "power-loss"
when = "recovered"
weight = 2
for = {{ distribution = "uniform", min = "100ms", max = "8s" }}
targets = ["random", "leader(orders/0)", "follower(orders/0, 1)"]

[[nemesis.fault]]
kind = "pause"
weight = 2
for = {{ distribution = "uniform", min = "50ms", max = "10s" }}
targets = ["random", "leader(orders/0)", "controller"]

[[nemesis.fault]]
kind = "partition"
weight = 3
for = {{ distribution = "uniform", min = "100ms", max = "8s" }}
shapes = ["one", "halves", "one-way", "pair"]

[[nemesis.fault]]
kind = "clock-skew"
drift = "5%"
for = {{ distribution = "uniform", min = "1s", max = "10s" }}

[[nemesis.fault]]
kind = "slow-disk"
factor = 50
for = {{ distribution = "uniform", min = "1s", max = "10s" }}
"#
    )
}

/// Brokers that are missed within half a second, elections one after the other, and writes that
/// wait for nobody: logs part all the time.
pub(crate) fn hasty(version: &str, metadata: &str) -> String {
    let sessions = match metadata {
        "kraft" => {
            "\"broker.session.timeout.ms\" = 400\n\"broker.heartbeat.interval.ms\" = 80\n\
             \"replica.lag.time.max.ms\" = 400"
        }
        _ => "\"zookeeper.session.timeout.ms\" = 400\n\"replica.lag.time.max.ms\" = 400",
    };
    format!(
        r#"
format = 1
name = "kafka-hasty"
mode = "kafka-isr"
broker-version = "{version}"
duration = "30s"
warmup = "0s"
drain = "300s"

[cluster]
nodes = 3
hardware = "lab-vm"
boot-time = "20ms"

[cluster.network]
latency = {{ distribution = "exponential", mean = "3ms" }}

[controller]
metadata = "{metadata}"

[broker]
"min.insync.replicas" = 2
"unclean.leader.election.enable" = false
"replica.fetch.backoff.ms" = 50
"replica.fetch.wait.max.ms" = 50
{sessions}

[[topic]]
name = "orders"
partitions = 3
replication-factor = 3

[[producer]]
name = "p1"
to = "orders"
rate = "500/s"
message-size = 100
acks = "1"
retries = 1000
"request.timeout.ms" = 500
"metadata.max.age.ms" = 300

[[producer]]
name = "p2"
to = "orders"
rate = "100/s"
message-size = 100
acks = "all"
retries = 1000
"request.timeout.ms" = 500
"metadata.max.age.ms" = 300

[nemesis]
from = "1s"
until = "28s"
every = {{ distribution = "exponential", mean = "200ms" }}
at-most = 3

[[nemesis.fault]]
kind = "crash"
weight = 2
for = {{ distribution = "uniform", min = "10ms", max = "600ms" }}
targets = ["random", "leader(orders/0)"]

[[nemesis.fault]]
kind = "pause"
weight = 4
for = {{ distribution = "uniform", min = "50ms", max = "900ms" }}
targets = ["random", "leader(orders/0)", "leader(orders/1)"]

[[nemesis.fault]]
kind = "partition"
weight = 4
for = {{ distribution = "uniform", min = "50ms", max = "900ms" }}
shapes = ["one", "halves", "one-way", "pair"]
"#
    )
}

/// Controllers that come and go, with elections one after the other; with `hard` slower, but their
/// hosts lose power too.
pub(crate) fn quorum(version: &str, hard: bool) -> String {
    let (election, fetch, faults) = match hard {
        false => (
            20,
            40,
            r#"
every = { distribution = "exponential", mean = "40ms" }
at-most = 3

[[nemesis.fault]]
kind = "crash"
for = { distribution = "uniform", min = "1ms", max = "30ms" }
targets = ["controller1", "controller2", "controller3", "controller"]
"#,
        ),
        true => (
            100,
            200,
            r#"
every = { distribution = "exponential", mean = "150ms" }
at-most = 3

[[nemesis.fault]]
kind = "crash"
for = { distribution = "uniform", min = "1ms", max = "800ms" }
targets = ["controller1", "controller2", "controller3", "controller", "n1", "n2"]

[[nemesis.fault]]
kind = "power-loss"
for = { distribution = "uniform", min = "1ms", max = "800ms" }
targets = ["controller1", "controller2", "controller3", "controller"]

[[nemesis.fault]]
kind = "pause"
for = { distribution = "uniform", min = "10ms", max = "900ms" }
targets = ["controller1", "controller2", "controller3", "controller", "n1"]
"#,
        ),
    };
    format!(
        r#"
format = 1
name = "kafka-quorum"
mode = "kafka-isr"
broker-version = "{version}"
duration = "30s"
warmup = "0s"
drain = "120s"

[cluster]
nodes = 3
hardware = "lab-vm"
boot-time = "20ms"

[controller]
metadata = "kraft"
"controller.quorum.election.timeout.ms" = {election}
"controller.quorum.election.backoff.max.ms" = {election}
"controller.quorum.fetch.timeout.ms" = {fetch}
"controller.quorum.append.linger.ms" = 1
"metadata.log.max.record.bytes.between.snapshots" = "1KiB"
"metadata.max.retention.bytes" = "1KiB"

[broker]
"min.insync.replicas" = 2
"broker.session.timeout.ms" = 300
"broker.heartbeat.interval.ms" = 60
"replica.lag.time.max.ms" = 300
"replica.fetch.wait.max.ms" = 50

[[topic]]
name = "orders"
partitions = 3
replication-factor = 3

[[producer]]
name = "p1"
to = "orders"
rate = "20/s"
message-size = 100
acks = "all"

[nemesis]
from = "1s"
until = "28s"
{faults}
"#
    )
}

/// Lives that bring about one interleaving, each a file of `lives` beside this one.
pub(crate) fn scripted(name: &str) -> &'static str {
    match name {
        "zombie-follower" => include_str!("lives/zombie-follower.toml"),
        "bounced-follower" => include_str!("lives/bounced-follower.toml"),
        "fenced-follower" => include_str!("lives/fenced-follower.toml"),
        "unheard-isr" => include_str!("lives/unheard-isr.toml"),
        "fast-failover" => include_str!("lives/fast-failover.toml"),
        "early-join" => include_str!("lives/early-join.toml"),
        other => panic!("there is no life {other}"),
    }
}
