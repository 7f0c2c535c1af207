//! What operators order: how each command ends, and what the report says of it. What they are good for
//! is in `scenarios/failures/rabbitmq/11*.toml`.

use std::fmt::Write;

use insta::assert_snapshot;
use mqsim::run::{parse, simulate};

/// A cluster of three with a mirrored queue that is in use, and these sections more.
fn mirrored(version: &str, more: &str) -> String {
    format!(
        r#"format = 1
name = "actions"
mode = "rabbitmq-mirrored"
broker-version = "{version}"
duration = "20s"
drain = "60s"
[cluster]
nodes = 3
boot-time = "2s"
[broker]
net_ticktime = "8s"
[[policy]]
name = "ha"
pattern = "^orders$"
ha-mode = "all"
[[queue]]
name = "orders"
[[queue]]
name = "plain"
leader = "n2"
[[producer]]
name = "p1"
to = "orders"
connect = ["n1"]
rate = "50/s"
confirms = true
[[producer]]
name = "p2"
to = "plain"
connect = ["n1"]
rate = "50/s"
confirms = true
[[consumer]]
name = "c1"
from = "orders"
connect = ["n1"]
{more}"#
    )
}

/// The rows of `events.csv` about actions, and about nodes that are forgotten.
fn answers(text: &str) -> String {
    let prepared = parse("actions.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    let report = simulate(&prepared, 1, None).expect("a run that ends");
    assert_eq!(report.summary.unexplained, 0);
    let mut told = String::new();
    for row in report.events.iter().filter(|row| row.kind == "action") {
        let node = row.node.map_or("-", |node| report.catalog.node(node));
        let _ = writeln!(told, "{} ms {node} {}", row.at.as_millis(), row.what);
    }
    told
}

#[test]
fn commands_are_refused_in_the_words_of_the_broker() {
    let more = r#"
[[action]]
at = "2s"
kind = "sync_queue"
queue = "plain"
[[action]]
at = "3s"
kind = "cancel_sync_queue"
queue = "orders"
[[action]]
at = "4s"
kind = "delete_queue"
queue = "plain"
if-empty = true
[[action]]
at = "5s"
kind = "delete_queue"
queue = "orders"
if-unused = true
[[action]]
at = "6s"
kind = "forget_cluster_node"
node = "n3"
[[action]]
at = "7s"
kind = "forget_cluster_node"
node = "n3"
offline = true
on = "n2"
[[action]]
at = "8s"
kind = "force_boot"
on = "n2"
[[action]]
at = "9s"
kind = "clear_policy"
policy = "ha"
[[action]]
at = "10s"
kind = "clear_policy"
policy = "ha"
[[action]]
at = "11s"
kind = "delete_queue"
queue = "plain"
[[action]]
at = "12s"
kind = "delete_queue"
queue = "plain"
[[fault]]
at = "13s"
for = "3s"
kind = "crash"
target = "n3"
[[action]]
at = "14s"
kind = "set_vm_memory_high_watermark"
fraction = 0.5
on = "n3"
[[action]]
at = "14500ms"
kind = "forget_cluster_node"
node = "n2"
offline = true
on = "n3"
"#;
    assert_snapshot!(answers(&mirrored("3.10", more)), @r"");
}

/// A queue whose node is down: its record alone can be deleted from 3.11 on, before there is none.
#[test]
fn a_queue_whose_node_is_down_is_deleted_by_its_record() {
    let more = r#"
[[fault]]
at = "3s"
for = "5s"
kind = "crash"
target = "n2"
[[action]]
at = "5s"
kind = "delete_queue"
queue = "plain"
if-empty = true
on = "n1"
[[action]]
at = "6s"
kind = "delete_queue"
queue = "plain"
on = "n1"
"#;
    let both = format!(
        "3.10\n{}3.12\n{}",
        answers(&mirrored("3.10", more)),
        answers(&mirrored("3.12", more))
    );
    assert_snapshot!(both, @r"");
}

/// A leader that dies with the command in its mailbox is asked no more; the one that takes over is.
#[test]
fn a_command_goes_on_to_the_leader_that_takes_over() {
    let more = r#"
[[fault]]
at = "5s"
kind = "crash"
target = "n1"
[[action]]
at = "5050ms"
kind = "sync_queue"
queue = "orders"
on = "n2"
"#;
    assert_snapshot!(answers(&mirrored("3.10", more)), @r"");
}

/// A member that is down is forgotten by those that run: its mirrors are no loss, and it is not let
/// in again.
#[test]
fn a_node_that_is_forgotten_does_not_come_back() {
    let more = r#"
[[fault]]
at = "3s"
for = "5s"
kind = "stop"
target = "n3"
[[action]]
at = "5s"
kind = "forget_cluster_node"
node = "n3"
[[action]]
at = "6s"
kind = "forget_cluster_node"
node = "n3"
[[expect]]
event = "inconsistent-cluster"
min = 1
"#;
    let text = mirrored("3.10", more);
    assert_snapshot!(answers(&text), @r"");
    let prepared = parse("actions.toml", text.as_bytes(), &[]).expect("a scenario");
    let report = simulate(&prepared, 1, None).expect("a run that ends");
    assert!(report.events.iter().any(|row| row.what == "inconsistent-cluster"));
    assert_eq!(report.summary.success_lost, 0);
}
