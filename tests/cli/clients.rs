//! What clients saw of an outage: connected, lost, reconnecting, given up, blocked, and why.

use crate::sandbox::{Done, Sandbox, unwrapped};

/// Three mirrors, a producer that is connected to the leader's node and knows another one.
const LATE: &str = r#"
format = 1
name = "late"
mode = "rabbitmq-mirrored"
duration = "60s"

[broker]
net_ticktime = "8s"

[[policy]]
pattern = "^orders$"
ha-mode = "all"
ha-sync-mode = "automatic"

[[queue]]
name = "orders"
leader = "n1"

[[producer]]
name = "p1"
to = "orders"
connect = ["n1", "n2"]
rate = "100/s"
confirms = { window = 100 }
reconnect-delay = "16s"
heartbeat = "10s"

[[consumer]]
name = "c1"
from = "orders"
connect = ["n3"]

[[fault]]
at = "10s"
for = "30s"
kind = "crash"
target = "n1"
"#;

fn run(text: &str, line: &str) -> (Sandbox, Done, String) {
    let sandbox = Sandbox::new();
    sandbox.write("s.toml", text);
    let done = sandbox.mqsim(&format!("run s.toml --set name=s {line}"));
    done.exits(0);
    let tree = sandbox.tree();
    let events = tree.file("reports/s/events.csv").expect("it is written");
    let rows = std::str::from_utf8(events).expect("it is UTF-8").lines();
    let told = rows.filter_map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        let millis = cells[2].parse::<u64>().ok()? / 1_000;
        (cells[3] == "client").then(|| format!("{millis} {} {}: {}", cells[5], cells[7], cells[4]))
    });
    let told = told.collect::<Vec<String>>().join("\n");
    (sandbox, done, told)
}

/// The leader is there again within a second; what is left of the outage is the client's own.
#[test]
fn an_outage_that_goes_on_because_of_a_client_says_so() {
    let (sandbox, done, told) = run(LATE, "");
    insta::assert_snapshot!(told);
    let page = unwrapped(&done.stdout);
    let said = "a leader was there from 10.116 s on, p1 came back at 26.030 s (after its \
                reconnect-delay of 16 s)";
    assert!(page.contains(said), "{}", done.stdout);
    let tree = sandbox.tree();
    let file = |name: &str| String::from_utf8(tree.file(name).unwrap().to_vec()).unwrap();
    let windows = file("reports/s/windows.csv");
    assert!(windows.contains(",10116,p1 after its reconnect-delay of 16 s\n"), "{windows}");
    let plot = file("reports/s/timeline.svg");
    for label in ["Connections of clients", "p1 → n1", "p1 → n2"] {
        assert!(plot.contains(label), "{label}");
    }
    assert!(!plot.contains("c1 → n3"), "nothing ever happened to it");
    // A client that comes back at once has no part in it.
    let (_, done, _) = run(LATE, "--set producer.p1.reconnect-delay=50ms");
    assert!(!unwrapped(&done.stdout).contains("came back"), "{}", done.stdout);
}

/// Nobody resets the connections of a host without power: what tells is that nothing comes.
#[test]
fn a_client_that_hears_nothing_says_for_how_long() {
    let quick = "--set fault.0.kind=power-loss --set producer.p1.reconnect-delay=100ms";
    let (_, done, told) = run(LATE, quick);
    assert!(told.contains("p1 n1: lost: no heartbeat for 20 s\n"), "{told}");
    let page = unwrapped(&done.stdout);
    assert!(page.contains("(no heartbeat for 20 s)"), "{}", done.stdout);
}

/// A network that is cut and mended: there is a leader all the time.
#[test]
fn after_a_partition_a_client_comes_back_when_the_fault_is_over() {
    let cut = LATE
        .replace("kind = \"crash\"", "kind = \"partition\"")
        .replace("target = \"n1\"", "between = [\"p1\", \"n1,n2,n3\"]");
    let slow = "--set producer.p1.connection-timeout=2s --set producer.p1.reconnect-delay=7s \
                --set producer.p1.heartbeat=3s";
    let (_, done, told) = run(&cut, slow);
    assert!(told.contains("p1 n2: given up: no connection within 2 s"), "{told}");
    let page = unwrapped(&done.stdout);
    assert!(page.contains("; the fault was over at 40.000 s, p1 came back at"), "{}", done.stdout);
}

const KAFKA: &str = r#"
format = 1
name = "late"
mode = "kafka-isr"
broker-version = "3.9"
duration = "60s"

[[topic]]
name = "orders"
replication-factor = 3

[[producer]]
name = "p1"
to = "orders"
rate = "100/s"

[[fault]]
at = "10s"
for = "45s"
kind = "power-loss"
target = "leader(orders/0)"
"#;

#[test]
fn a_kafka_client_gives_a_silent_broker_up() {
    let (_, _, told) = run(KAFKA, "");
    assert!(told.contains(": lost: no answer to a request for 30 s"), "{told}");
    let (_, _, told) = run(KAFKA, "--set fault.0.kind=crash");
    assert!(told.contains(": lost: connection reset\n"), "{told}");
    assert!(told.contains(": reconnecting\n"), "{told}");
    assert!(told.contains(": given up: connection refused"), "{told}");
}

/// Whoever is told `connection.blocked` says so, and when it is over.
#[test]
fn a_producer_in_an_alarm_is_blocked() {
    let sandbox = Sandbox::new();
    let text = sandbox.mqsim("new --from 09-memory-alarm-3.10").exits(0).stdout.clone();
    let (_, _, told) = run(&text, "");
    let lines: Vec<&str> = told.lines().collect();
    let blocked = lines.iter().position(|line| line.contains(": blocked: a resource alarm"));
    let after = &lines[blocked.expect(&told)..];
    assert!(after.iter().any(|line| line.ends_with(": connected")), "{told}");
}

/// A run in which no client lost anything says nothing of connections.
#[test]
fn what_never_failed_is_not_told() {
    let calm = LATE.replace("connect = [\"n1\", \"n2\"]", "connect = [\"n3\"]");
    let (sandbox, _, told) = run(&calm, "");
    assert_eq!(told, "");
    let tree = sandbox.tree();
    let plot = String::from_utf8(tree.file("reports/s/timeline.svg").unwrap().to_vec()).unwrap();
    assert!(!plot.contains("Connections of clients"));
}
