//! Random faults on a broker with safe settings: no claimed invariant breaks, nothing is lost without a
//! cause, what was answered is there, and a run repeats itself.
//!
//! `MQSIM_CHAOS=10000 cargo test --release --test activemq chaos -- --nocapture` looks at more of them.

use mqsim::run::Prepared;

use crate::hunt::{assert_repeats, hunt, unsafe_of};
use crate::runs::prepared;

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
kind = "stop"
for = { distribution = "uniform", min = "1s", max = "5s" }
targets = ["n1", "consumer(c1)"]
"#;

const VERSIONS: [&str; 3] = ["5.9", "5.18", "6.3"];

fn scenario(version: &str) -> (String, Prepared) {
    let text = CHAOS.replace("duration =", &format!("broker-version = \"{version}\"\nduration ="));
    (version.to_owned(), prepared(&text, &[]))
}

#[test]
fn safe_settings_keep_what_they_promise() {
    let complaints = hunt(&VERSIONS.map(scenario), 60, |_, report| unsafe_of(report));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_run_repeats_itself() {
    assert_repeats(&[scenario("5.18")], 1..=3);
}
