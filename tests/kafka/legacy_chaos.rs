//! Random faults do not break what Kafka before 0.8 promises: its logs are whole prefixes, and what
//! consumers read was flushed. That messages are lost is no breach of it; each has a cause.
//!
//! `MQSIM_CHAOS=10000 cargo test --release --test kafka legacy_chaos -- --nocapture` looks at more of them.

use crate::hunt::hunt;
use crate::kit::{broken, prepared};

const CHAOS: &str = r#"
format = 1
name = "kafka-legacy-chaos"
mode = "kafka-legacy"
duration = "30s"
drain = "300s"

[cluster]
nodes = 3
hardware = "lab-vm"
boot-time = "1s"
disk.torn-tail = true

[broker]
"log.flush.interval" = 100
"log.file.size" = "256KiB"
"zk.sessiontimeout.ms" = 2000

[[topic]]
name = "orders"
"num.partitions" = 2

[[producer]]
name = "sync"
to = "orders"
rate = "100/s"
message-size = "1KiB"

[[producer]]
name = "async"
to = "orders"
rate = "200/s"
message-size = "200B"
"producer.type" = "async"

[[consumer]]
name = "c1"
from = "orders"
groupid = "g"

[[consumer]]
name = "c2"
from = "orders"
groupid = "g"

[nemesis]
from = "1s"
until = "28s"
every = { distribution = "exponential", mean = "2s" }
at-most = 3

[[nemesis.fault]]
kind = "crash"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "8s" }
targets = ["random", "zk1"]

[[nemesis.fault]]
kind = "power-loss"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "8s" }

[[nemesis.fault]]
kind = "pause"
weight = 2
for = { distribution = "uniform", min = "50ms", max = "10s" }
targets = ["random", "consumer(c1)", "producer(async)"]

[[nemesis.fault]]
kind = "partition"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "8s" }
shapes = ["one", "halves", "one-way", "pair"]

[[nemesis.fault]]
kind = "disk-error"
for = { distribution = "uniform", min = "100ms", max = "2s" }

[[nemesis.fault]]
kind = "slow-disk"
factor = 50
for = { distribution = "uniform", min = "1s", max = "10s" }
"#;

#[test]
fn logs_are_whole_prefixes_under_random_faults() {
    let scenarios = [("0.7".to_owned(), prepared(CHAOS, &[]))];
    let complaints =
        hunt(&scenarios, 200, |_, report| broken(report).iter().map(ToString::to_string).collect());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
