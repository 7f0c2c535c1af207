//! Clients and controllers in zones.

use mqsim::engine::Time;
use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

/// n1 in zone a, n2 and n3 in b, a controller in each of a, b and c, the producer in a;
/// 40 ms from zone to zone.
const ZONES: &str = r#"
format = 1
name = "zones"
mode = "kafka-isr"
broker-version = "3.9"
duration = "20s"
[cluster]
boot-time = "2s"
zones = ["c"]
network = { latency = "1ms", zone-latency = "40ms" }
[[cluster.node]]
name = "n1"
zone = "a"
[[cluster.node]]
name = "n2"
zone = "b"
[[cluster.node]]
name = "n3"
zone = "b"
[controller]
zone = ["a", "b", "c"]
[[topic]]
name = "orders"
replication-factor = 1
replicas = ["n1"]
[[producer]]
name = "p1"
zone = "a"
to = "orders"
rate = "10/s"
[[consumer]]
name = "c1"
from = "orders"
"#;

fn run(text: &str) -> Report {
    let prepared = parse("zones.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    simulate(&prepared, 1, None).expect("it ends")
}

/// Whose power a loss of power of this zone takes.
fn dark(zone: &str) -> Vec<u32> {
    let fault = "[[fault]]\nat = \"10s\"\nfor = \"2s\"\nkind = \"power-loss\"";
    let report = run(&format!("{ZONES}{fault}\ntarget = \"zone({zone})\""));
    let at = Time::from_nanos(10_000_000_000);
    let dark = report.events.iter().filter(|row| row.kind == "node" && row.at == at);
    dark.map(|row| row.node.expect("a node's state is a node's").0).collect()
}

#[test]
fn a_fault_of_a_zone_meets_whoever_is_in_it() {
    // n1, controller1 and the producer; controller3.
    assert_eq!(dark("a"), [0, 3, 6]);
    assert_eq!(dark("c"), [5]);
}

/// The median from sending to the answer of a producer in this zone (or none), in ms; the leader is
/// in zone a.
fn median(zone: &str) -> u64 {
    let text = ZONES.replace("name = \"p1\"\nzone = \"a\"", &format!("name = \"p1\"\n{zone}"));
    run(&text).summary.ack_p50_us.expect("it was measured") / 1_000
}

#[test]
fn who_is_in_another_zone_waits_for_the_way() {
    assert!((2..10).contains(&median("zone = \"a\"")), "{}", median("zone = \"a\""));
    assert!((80..90).contains(&median("zone = \"b\"")), "{}", median("zone = \"b\""));
    assert_eq!(median(""), median("zone = \"a\""));
}

#[test]
fn a_zone_that_is_not_there_is_refused() {
    let text = ZONES.replace("zone = [\"a\", \"b\", \"c\"]", "zone = [\"a\", \"bb\"]");
    let wrong = parse("zones.toml", text.as_bytes(), &[]).expect_err("no such zone").to_string();
    insta::assert_snapshot!(wrong, @r#"
    error: there is no zone `bb`
       ┌─ zones.toml:21:14
       │
    21 │ zone = ["a", "bb"]
       │              ^^^^
       │
       = help: the zones are a, b, c
    "#);
}
