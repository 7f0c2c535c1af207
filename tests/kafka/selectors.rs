//! Selectors of brokers name partitions, whoever reads them; and what a consumer begins behind.

use mqsim::observe::NodeId;

use crate::kit::{prepared, run};

const TWO_GROUPS: &str = r#"
format = 1
name = "selectors"
mode = "kafka-isr"
duration = "30s"
[cluster]
nodes = 3
[[topic]]
name = "orders"
[[producer]]
name = "p1"
to = "orders"
rate = "50/s"
[[consumer]]
name = "c1"
from = "orders"
[[consumer]]
name = "c2"
from = "orders"
"#;

fn with(fault: &str) -> String {
    format!("{TWO_GROUPS}[[fault]]\nat = \"10s\"\nfor = \"5s\"\n{fault}\n")
}

#[test]
fn the_leader_of_a_partition_that_two_groups_read() {
    for target in ["leader(orders/0)", "follower(orders/0, 2)", "replica(orders/0, 3)"] {
        let text = with(&format!("kind = \"crash\"\ntarget = \"{target}\""));
        let report = run(&prepared(&text, &[]), 1);
        let killed = NodeId(if target.starts_with("leader") { 0 } else { 2 });
        let mut events = report.events.iter();
        let is_killed = events.any(|row| row.what == "killed" && row.node == Some(killed));
        assert!(is_killed, "{target}");
    }
}

/// It begins at the end of the log: what was written while it was down is there for others.
#[test]
fn what_a_restarted_consumer_begins_behind_is_stored() {
    let report = run(&prepared(&with("kind = \"crash\"\ntarget = \"consumer(c1)\""), &[]), 1);
    assert_eq!((report.summary.unreachable_at_end, report.summary.success_lost), (0, 0));
    assert!(report.summary.stored_at_end > 200, "{}", report.summary.stored_at_end);
}
