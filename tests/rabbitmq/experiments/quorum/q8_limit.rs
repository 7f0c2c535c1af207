//! Five messages in a quorum queue, and a consumer on a follower that gives back all it gets.

use super::bench::{CLIENT, Scene, Seen};
use mqsim::verdict::Report;

fn run(version: &str, queue: &str, consumer: &str) -> Vec<(Seen, Report)> {
    let load =
        format!("rate = \"100/s\"\nstop = \"45ms\"\nconfirms = {{ window = 100 }}\n{CLIENT}");
    Scene::new("rabbitmq-quorum", 3, version, 20.0, "net_ticktime = \"8s\"")
        .queue("orders", queue)
        .queue("dead", "")
        .producer("p1", "orders", "\"n1\"", &load)
        .consumer("c1", "\"n2\"", &format!("prefetch = 1\nstop = \"15s\"\n{consumer}"))
        .run()
}

fn giving_back(method: &str) -> String {
    format!(
        "processing-time = \"10ms\"\nreject = {{ chance = 1.0, requeue = true, method = \"{method}\" }}\n{CLIENT}"
    )
}

const DEAD_LETTER: &str = "x-delivery-limit = 3\nx-dead-letter-exchange = \"\"\n\
                           x-dead-letter-routing-key = \"dead\"\n";

/// Each message was delivered so often, and then dropped, or dead-lettered.
fn delivered(runs: &[(Seen, Report)], times: u32, dead_lettered: bool) {
    for (seen, report) in runs {
        let numbers: Vec<u32> = seen.lines[0].iter().map(|line| line.deliveries).collect();
        assert_eq!(numbers, [times; 5], "{}", report.broker_version);
        let lost = if dead_lettered { 0 } else { 5 };
        assert_eq!(report.summary.acked_lost, lost, "{}", report.broker_version);
        assert_eq!(report.summary.dead_lettered, 5 - lost, "{}", report.broker_version);
    }
}

/// Far more often than any limit, and it stays.
fn endless(runs: &[(Seen, Report)]) {
    for (seen, report) in runs {
        let all: usize = seen.deliveries.len();
        assert!(all >= 300, "{}: {all} deliveries", report.broker_version);
        assert_eq!(report.summary.acked_lost, 0, "it stays");
    }
}

/// A poison message holds the head until it is dropped.
fn one_after_the_other(runs: &[(Seen, Report)]) {
    for (seen, _) in runs {
        let numbers = seen.deliveries.iter().filter(|of| of.consumer == 0).map(|of| of.number);
        assert!(numbers.is_sorted(), "0, 0, 0, ..., 1, 1, 1, ...");
    }
}

#[test]
fn what_is_nacked_is_limited_before_4_3_and_goes_round_for_ever_from_then_on() {
    let runs = run("4.0.5", "", &giving_back("nack"));
    delivered(&runs, 21, false);
    one_after_the_other(&runs);
    delivered(&run("4.0.5", DEAD_LETTER, &giving_back("nack")), 4, true);
    endless(&run("4.0.5", "x-delivery-limit = -1\n", &giving_back("nack")));
    endless(&run("4.3", "", &giving_back("nack")));
    endless(&run("4.3", DEAD_LETTER, &giving_back("nack")));
    endless(&run("4.3", "x-delivery-limit = -1\n", &giving_back("nack")));
}

#[test]
fn what_is_rejected_is_delivered_once_more_than_the_limit_in_all_versions() {
    for version in ["4.0.5", "4.3"] {
        let runs = run(version, "", &giving_back("reject"));
        delivered(&runs, 21, false);
        one_after_the_other(&runs);
        delivered(&run(version, DEAD_LETTER, &giving_back("reject")), 4, true);
    }
}

#[test]
fn so_is_what_was_held_by_connections_that_were_closed() {
    for version in ["4.0.5", "4.3"] {
        let load =
            format!("rate = \"100/s\"\nstop = \"45ms\"\nconfirms = {{ window = 100 }}\n{CLIENT}");
        let mut scene =
            Scene::quorum(version, 40.0).producer("p1", "orders", "\"n1\"", &load).consumer(
                "c1",
                "\"n2\"",
                &format!("prefetch = 100\nprocessing-time = \"60s\"\n{CLIENT}"),
            );
        for kill in 0..25 {
            scene = scene.fault(f64::from(10 + kill * 12) / 10.0, 0.3, "crash", "consumer(c1)");
        }
        for (seen, report) in scene.run() {
            // The application works on the first; the others were with its client each time, and
            // that counts.
            let numbers: Vec<u32> = seen.lines[0].iter().map(|line| line.deliveries).collect();
            assert_eq!(numbers, [21, 0, 0, 0, 0], "{version}");
            assert_eq!(report.summary.acked_lost, 5, "{version}");
        }
    }
}
