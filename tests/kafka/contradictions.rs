//! Settings that contradict each other, and that Kafka puts up with: what it does is done, and told.

use crate::kit::{prepared, run};

const SMALL: &str = r#"
format = 1
name = "small"
mode = "kafka-isr"
duration = "5s"
drain = "200s"
[cluster]
nodes = 3
[[topic]]
name = "orders"
[[producer]]
name = "p1"
to = "orders"
rate = "20/s"
acks = "all"
"delivery.timeout.ms" = 30005
[[consumer]]
name = "c1"
from = "orders"
"#;

fn notes(sets: &[&str]) -> (Vec<String>, u64) {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let report = run(&prepared(SMALL, &sets), 1);
    (report.catalog.notes.clone(), report.summary.acked)
}

#[test]
fn nothing_is_said_of_what_fits() {
    assert_eq!(notes(&["broker.min.insync.replicas=3"]), (vec![], 100));
}

#[test]
fn more_in_sync_replicas_than_there_are_make_every_write_fail_up_to_3_6() {
    let asks = "broker.min.insync.replicas=4";
    let (told, acked) = notes(&[asks, "broker-version=3.6"]);
    assert_eq!(acked, 0);
    assert!(told[0].contains("min.insync.replicas = 4 and 3 replicas"), "{told:?}");
    assert_eq!(notes(&[asks, "broker-version=3.7"]), (vec![], 100), "all of them are enough");
}

#[test]
fn a_default_delivery_timeout_gives_way() {
    let text = SMALL.replace("\"delivery.timeout.ms\" = 30005\n", "");
    let report = run(&prepared(&text, &["producer.p1.request.timeout.ms=150s".to_owned()]), 1);
    assert!(report.catalog.notes[0].contains("= 150005ms"), "{:?}", report.catalog.notes);
}

#[test]
fn heartbeats_may_be_rare() {
    let (notes, acked) = notes(&["broker.broker.heartbeat.interval.ms=5s"]);
    assert_eq!((notes.len(), acked), (1, 100));
}

#[test]
fn idempotence_gives_way_unless_it_is_asked_for() {
    let many = "producer.p1.max.in.flight.requests.per.connection=6";
    let (told, acked) = notes(&[many, "broker-version=3.9"]);
    assert!(told[0].contains("p1 is not idempotent"), "{told:?}");
    assert_eq!(acked, 100);
    assert_eq!(notes(&["producer.p1.retries=0", "broker-version=3.9"]), (vec![], 100));
    let refused = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let error = mqsim::run::parse("small.toml", SMALL.as_bytes(), &sets).err();
        error.map_or(String::new(), |error| error.to_string())
    };
    let asked = "producer.p1.enable.idempotence=true";
    for (sets, needs) in [
        (vec![many, "broker-version=4.0"], "of at most 5"),
        (vec![many, asked, "broker-version=3.9"], "of at most 5"),
        (vec!["producer.p1.acks=1", asked, "broker-version=3.9"], "acks = \"all\""),
        (vec!["producer.p1.retries=0", asked, "broker-version=2.8"], "retries above 0"),
    ] {
        let said = refused(&sets);
        assert!(said.contains("does not start") && said.contains(needs), "{sets:?}: {said}");
    }
}
