//! Random faults on brokers with safe settings: no claimed invariant breaks, nothing is lost without a cause, what was
//! answered is there, and a run repeats itself.
//!
//! `MQSIM_CHAOS=10000 cargo test --release --test artemis chaos` looks at more of them.

use mqsim::run::Prepared;

use crate::hunt::{assert_repeats, hunt, unsafe_of};
use crate::runs::prepared;

const CLIENTS: &str = r#"
[[queue]]
name = "orders"
max-delivery-attempts = 0

[[queue]]
name = "bills"
max-delivery-attempts = 0

[[producer]]
name = "blocking"
to = "orders"
rate = "50/s"
duplicate-id = true
ha = true
reconnectAttempts = "unlimited"

[[producer]]
name = "window"
to = "orders"
rate = "50/s"
confirmationWindowSize = "10KiB"
ha = true
reconnectAttempts = "unlimited"

[[producer]]
name = "transacted"
to = "bills"
rate = "50/s"
transacted = 7
ha = true
reconnectAttempts = "unlimited"

[[producer]]
name = "plain"
to = "bills"
rate = "20/s"

[[consumer]]
name = "c1"
from = "orders"
processing-time = "2ms"
ha = true
reconnectAttempts = "unlimited"

[[consumer]]
name = "c2"
from = "orders"
acknowledge = "CLIENT"
acknowledge-every = 5
confirmationWindowSize = "10KiB"
consumerWindowSize = "20KiB"
processing-time = "3ms"

[[consumer]]
name = "c3"
from = "bills"
acknowledge = "SESSION_TRANSACTED"
acknowledge-every = 3
processing-time = "2ms"
ha = true
reconnectAttempts = "unlimited"

[[nemesis.fault]]
kind = "crash"
weight = 3
for = { distribution = "uniform", min = "100ms", max = "8s" }
targets = ["n1", "consumer(c1)", "consumer(c3)", "producer(blocking)"]

[[nemesis.fault]]
kind = "power-loss"
weight = 2
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
targets = ["n1", "consumer(c1)", "consumer(c2)", "producer(window)", "producer(transacted)"]

[[nemesis.fault]]
kind = "slow-disk"
factor = 50
for = { distribution = "uniform", min = "1s", max = "10s" }

[[nemesis.fault]]
kind = "stop"
for = { distribution = "uniform", min = "1s", max = "5s" }
targets = ["n1", "consumer(c1)"]
"#;

/// How brokers depend on each other: the mode, how many there are, and whether faults come one at a time, with
/// everybody in sync in between.
const MODES: [(&str, &str, u32, &str); 4] = [
    (
        "artemis-single",
        "2.20",
        1,
        "every = { distribution = 'exponential', mean = '3s' }\nat-most = 3",
    ),
    (
        "artemis-shared-store",
        "2.56",
        2,
        "every = { distribution = 'exponential', mean = '5s' }\nat-most = 2",
    ),
    (
        "artemis-replication",
        "2.56",
        2,
        "every = { distribution = 'exponential', mean = '8s' }\nat-most = 1\nwhen = 'in-sync'",
    ),
    (
        "artemis-replication",
        "2.40",
        6,
        "every = { distribution = 'exponential', mean = '8s' }\nat-most = 1\nwhen = 'in-sync'",
    ),
];

fn scenario((mode, version, nodes, pace): (&str, &str, u32, &str)) -> (String, Prepared) {
    let text = format!(
        "format = 1\nname = 'artemis-chaos'\nmode = '{mode}'\nbroker-version = '{version}'\n\
         duration = '60s'\ndrain = '1000s'\n[cluster]\nnodes = {nodes}\nboot-time = '1s'\n\
         disk.torn-tail = true\n[broker]\njournal-file-size = '256KiB'\n\
         [nemesis]\nfrom = '1s'\nuntil = '58s'\n{pace}\n{CLIENTS}"
    );
    (format!("{mode} of {nodes}"), prepared(&text, &[]))
}

#[test]
fn safe_settings_keep_what_they_promise() {
    let complaints = hunt(&MODES.map(scenario), 40, |_, report| unsafe_of(report));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_run_repeats_itself() {
    assert_repeats(&MODES.map(scenario), 1..=1);
}
