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
    assert_snapshot!(answers(&mirrored("3.10", more)), @r"
    2000 ms n1 given: sync_queue plain
    2000 ms n1 failed: sync_queue plain (not_mirrored)
    3000 ms n1 given: cancel_sync_queue orders
    3000 ms n1 failed: cancel_sync_queue orders (not_syncing)
    4000 ms n1 given: delete_queue plain
    4000 ms n1 failed: delete_queue plain (not_empty)
    5000 ms n1 given: delete_queue orders
    5000 ms n1 failed: delete_queue orders (in_use)
    6000 ms n1 given: forget_cluster_node n3
    6005 ms n1 failed: forget_cluster_node n3 (RabbitMQ on the node must be stopped before it can be removed)
    7000 ms n2 given: forget_cluster_node n3
    7000 ms n2 failed: forget_cluster_node n3 (online_node_offline_flag)
    8000 ms n2 given: force_boot
    8000 ms n2 failed: force_boot (the rabbit application must be stopped first)
    9000 ms n1 given: clear_policy ha
    9004 ms n1 done: clear_policy ha
    10000 ms n1 given: clear_policy ha
    10005 ms n1 failed: clear_policy ha (no such policy)
    11000 ms n1 given: delete_queue plain
    11005 ms n1 done: delete_queue plain
    12000 ms n1 given: delete_queue plain
    12000 ms n1 failed: delete_queue plain (not_found)
    14000 ms n3 given: set_vm_memory_high_watermark
    14000 ms n3 failed: set_vm_memory_high_watermark (nodedown)
    14500 ms n3 given: forget_cluster_node n2
    14500 ms n3 failed: forget_cluster_node n2 (removing_node_from_offline_node)
    ");
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
    assert_snapshot!(both, @r"
    3.10
    5000 ms n1 given: delete_queue plain
    5000 ms n1 failed: delete_queue plain (not_found)
    6000 ms n1 given: delete_queue plain
    6000 ms n1 failed: delete_queue plain (not_found)
    3.12
    5000 ms n1 given: delete_queue plain
    5000 ms n1 failed: delete_queue plain (not_empty)
    6000 ms n1 given: delete_queue plain
    6006 ms n1 done: delete_queue plain
    ");
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
    assert_snapshot!(answers(&mirrored("3.10", more)), @r"
    5050 ms n2 given: sync_queue orders
    5129 ms n2 done: sync_queue orders
    ");
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
    assert_snapshot!(answers(&text), @r"
    5000 ms n1 given: forget_cluster_node n3
    5006 ms n1 done: forget_cluster_node n3
    6000 ms n1 given: forget_cluster_node n3
    6005 ms n1 failed: forget_cluster_node n3 (not_a_cluster_node)
    ");
    let prepared = parse("actions.toml", text.as_bytes(), &[]).expect("a scenario");
    let report = simulate(&prepared, 1, None).expect("a run that ends");
    assert!(report.events.iter().any(|row| row.what == "inconsistent-cluster"));
    assert_eq!(report.summary.success_lost, 0);
}

/// RabbitMQ is stopped in a VM that goes on, as an operator must before the node can be forgotten;
/// then it does not get in again.
#[test]
fn an_application_is_stopped_and_started() {
    let more = r#"
[[action]]
at = "3s"
kind = "stop_app"
on = "n3"
[[action]]
at = "5s"
kind = "sync_queue"
queue = "orders"
on = "n3"
[[action]]
at = "6s"
kind = "start_app"
on = "n3"
[[action]]
at = "10s"
kind = "start_app"
on = "n3"
[[action]]
at = "11s"
kind = "stop_app"
on = "n3"
[[action]]
at = "14s"
kind = "forget_cluster_node"
node = "n3"
[[action]]
at = "15s"
kind = "start_app"
on = "n3"
"#;
    assert_snapshot!(answers(&mirrored("3.10", more)), @r"
    3000 ms n3 given: stop_app
    3108 ms n3 done: stop_app
    5000 ms n3 given: sync_queue orders
    5000 ms n3 failed: sync_queue orders (the rabbit application is not running)
    6000 ms n3 given: start_app
    7055 ms n3 done: start_app
    10000 ms n3 given: start_app
    10000 ms n3 done: start_app
    11000 ms n3 given: stop_app
    11123 ms n3 done: stop_app
    14000 ms n1 given: forget_cluster_node n3
    14006 ms n1 done: forget_cluster_node n3
    15000 ms n3 given: start_app
    15850 ms n3 failed: start_app (nodedown)
    ");
}

/// What is ready in the queue is gone, at the mirrors too; clients that are sent away come back.
#[test]
fn a_queue_is_purged_and_clients_are_sent_away() {
    let more = r#"
processing-time = "50ms"
prefetch = 10
[[action]]
at = "10s"
kind = "purge_queue"
queue = "orders"
[[action]]
at = "12s"
kind = "close_all_connections"
"#;
    let text = mirrored("3.10", more);
    assert_snapshot!(answers(&text), @r"
    10000 ms n1 given: purge_queue orders
    10000 ms n1 done: purge_queue orders
    12000 ms n1 given: close_all_connections
    12000 ms n1 done: close_all_connections
    ");
    let prepared = parse("actions.toml", text.as_bytes(), &[]).expect("a scenario");
    let report = simulate(&prepared, 1, None).expect("a run that ends");
    let purged = report.catalog.causes.iter().position(|cause| cause.name == "queue-purged");
    let lost = report.causes[purged.expect("it is a cause")];
    // 50 a second come, 20 go, and the consumer has ten.
    assert!((280..=300).contains(&lost), "all but what the consumer has: {lost}");
    let lost =
        |row: &&mqsim::verdict::EventRow| row.kind == "client" && row.what.starts_with("lost");
    assert_eq!(report.events.iter().filter(lost).count(), 3, "all clients are sent away");
}
