//! A classic queue of 4.x whose home n1 is down from 5 to 20 s, clients on n2.

use mqsim::verdict::Report;

use super::bench::{CLIENT, FAULT_AT, Scene, Seen, overlaps};

fn run(version: &str, kind: &str, queue: &str, producer: &str) -> Vec<(Seen, Report)> {
    let load = format!("confirms = {{ window = 100 }}\ncatch-up = \"1s\"\n{producer}\n{CLIENT}");
    Scene::new("rabbitmq-cluster", 3, version, 40.0, "net_ticktime = \"8s\"")
        .queue("orders", queue)
        .producer("p1", "orders", "\"n2\"", &load)
        .consumer("c1", "\"n2\"", &format!("prefetch = 100\n{CLIENT}"))
        .fault(FAULT_AT, 15.0, kind, "n1")
        .run()
}

/// Whether anything was confirmed while the home was away for good.
fn confirmed_meanwhile(seen: &Seen) -> usize {
    seen.confirms[0].iter().filter(|at| (FAULT_AT + 0.5..FAULT_AT + 15.0).contains(*at)).count()
}

fn nacked(seen: &Seen) -> f64 {
    seen.nacked() as f64
}

#[test]
fn a_durable_queues_publishes_are_nacked_whichever_way_the_home_went() {
    for version in ["4.0.5", "4.3"] {
        for (kind, measured) in [("crash", 8756.0..=10_900.0), ("stop", 8376.0..=10_008.0)] {
            for producer in ["rate = \"500/s\"", "rate = \"500/s\"\nmandatory = true"] {
                let runs = run(version, kind, "", producer);
                for (seen, report) in &runs {
                    assert!(report.quiet, "everything comes to rest");
                    assert_eq!(
                        seen.lost(0),
                        0,
                        "{version} {kind}: nothing is confirmed and dropped"
                    );
                    assert_eq!(confirmed_meanwhile(seen), 0, "{version} {kind}");
                    assert_eq!(seen.count(0, |line| line.returned), 0, "nothing comes back");
                    let cancelled = seen.events.iter().find(|of| of.1 == "consumer-cancelled");
                    let after = cancelled.expect("the consumer is cancelled").0 - FAULT_AT;
                    assert!(kind == "stop" || after < 0.03, "within 30 ms: {after}");
                }
                overlaps("nacked", &runs, nacked, measured.clone());
            }
        }
    }
}

#[test]
fn a_queue_that_is_not_durable_goes_with_its_home_or_waits_for_it_by_store() {
    let queue = "durable = false\n";
    // Its record is gone at once: what comes finds no queue, and is confirmed and dropped.
    let runs = run("4.0.5", "crash", queue, "rate = \"200/s\"");
    for (seen, _) in &runs {
        assert!(confirmed_meanwhile(seen) > 300, "confirmed and dropped");
        assert!(seen.lost(0) >= 383, "{} lost", seen.lost(0));
    }
    overlaps("nacked", &runs, nacked, 3.0..=8.0);
    // Its record stays until the node is back.
    let runs = run("4.3", "crash", queue, "rate = \"200/s\"");
    for (seen, _) in &runs {
        assert_eq!(confirmed_meanwhile(seen), 0, "all is nacked");
    }
}
