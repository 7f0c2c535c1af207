//! How late followers are goes by the leader's time of day. A clock that is set back makes a leader
//! wait so much longer for a follower that has stopped fetching (Partition.scala,
//! `getOutOfSyncReplicas`, by `time.milliseconds()`).

use crate::kit::{prepared, run};

const CUT: &str = r#"
format = 1
name = "set-back"
mode = "kafka-isr"
duration = "60s"
drain = "60s"
[cluster]
nodes = 3
[broker]
"replica.lag.time.max.ms" = 4000
[[topic]]
name = "orders"
[[producer]]
name = "p1"
to = "orders"
rate = "50/s"
acks = "all"
[[consumer]]
name = "c1"
from = "orders"
[[fault]]
at = "10s"
for = "45s"
kind = "partition"
between = ["n1", "n2"]
clients = "unaffected"
"#;

/// How long writes wait, in seconds.
fn waits(clock: &str) -> u64 {
    let report = run(&prepared(&format!("{CUT}{clock}"), &[]), 1);
    report.windows.iter().map(|window| window.end.since(window.start).as_nanos()).max().unwrap_or(0)
        / 1_000_000_000
}

#[test]
fn a_clock_that_is_set_back_keeps_a_silent_follower_in_the_isr() {
    let skew =
        "[[fault]]\nat = \"9s\"\nkind = \"clock-skew\"\ntarget = \"n1\"\noffset = \"-20s\"\n";
    assert_eq!((waits(""), waits(skew)), (4, 24));
}
