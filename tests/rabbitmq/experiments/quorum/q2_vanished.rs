//! The machine of a quorum queue's leader vanishes: its packets are dropped, then it is killed.

use mqsim::verdict::Report;

use super::bench::{CLIENT, Scene, Seen, overlaps};

const LOAD: f64 = 40.0;

fn run(version: &str, broker: &str) -> Vec<(Seen, Report)> {
    let load = format!(
        "rate = \"200/s\"\nconfirms = {{ window = 100 }}\nrepublish = true\ncatch-up = \"1s\"\n{CLIENT}"
    );
    let scene = Scene::new("rabbitmq-quorum", 3, version, LOAD, broker)
        .queue("orders", "")
        .producer("p1", "orders", "\"n2\"", &load)
        .consumer("c1", "\"n2\"", &format!("prefetch = 100\n{CLIENT}"))
        .with("[[fault]]\nat = \"4.9997s\"\nkind = \"partition\"\nbetween = [\"n1\", \"n2,n3\"]")
        .fault(5.0007, 60.0, "crash", "n1");
    let runs = scene.run();
    for (seen, report) in &runs {
        assert!(report.quiet, "everything comes to rest");
        assert_eq!(
            (seen.lost(0), seen.nacked(), seen.duplicates(), seen.out_of_order()),
            (0, 0, 0, 0)
        );
    }
    runs
}

fn pause(seen: &Seen) -> f64 {
    seen.write_pause(0, 1.0, LOAD)
}

fn read_pause(seen: &Seen) -> f64 {
    seen.read_pause(&[0], 1.0, LOAD)
}

/// The next poll, as long again, and the smaller one of two draws of up to a second.
fn check(runs: &[(Seen, Report)], poll: f64) {
    for (seen, _) in runs {
        for away in [pause(seen), read_pause(seen)] {
            assert!((poll..=2.0 * poll + 1.5).contains(&away), "{away}");
        }
    }
}

#[test]
fn a_silent_leader_is_missed_after_two_polls_whatever_net_ticktime_is() {
    for (version, measured) in [("4.0.5", 6.12..=9.44), ("4.3", 6.98..=8.80)] {
        for ticktime in ["60s", "30s"] {
            let runs = run(version, &format!("net_ticktime = \"{ticktime}\""));
            check(&runs, 5.0);
            overlaps("confirms pause, s", &runs, pause, measured.clone());
            overlaps("deliveries pause, s", &runs, read_pause, measured.clone());
        }
    }
}

#[test]
fn polls_that_are_more_frequent_shorten_both() {
    let broker = "net_ticktime = \"60s\"\n\
                  \"raft.adaptive_failure_detector.poll_interval\" = \"250ms\"\n\
                  \"raft.adaptive_failure_detector.heartbeat_interval\" = \"50ms\"";
    let runs = run("4.3", broker);
    check(&runs, 0.25);
    overlaps("confirms pause, s", &runs, pause, 0.89..=1.07);
}

/// Where the detector has not set a timer yet, the end of the connection does, and a shorter one.
#[test]
fn a_net_ticktime_that_is_shorter_may_come_first() {
    let runs = run("4.3", "net_ticktime = \"3s\"");
    for (seen, _) in &runs {
        assert!((2.25..=3.75 + 6.5).contains(&pause(seen)), "{}", pause(seen));
    }
    let first = runs.iter().filter(|(seen, _)| pause(seen) < 3.75 + 0.7);
    assert!(first.count() * 5 >= runs.len(), "the next poll comes after 3 s in two of five");
}
