//! All three nodes are killed at once and started again 2 s later: a quorum queue, and a classic
//! queue on n1, each with a producer of its own.

use mqsim::verdict::Report;

use super::bench::{CLIENT, FAULT_AT, Scene, Seen, overlaps};

const LOAD: f64 = 30.0;

fn run(version: &str, consumers: bool) -> Vec<(Seen, Report)> {
    let load = format!(
        "rate = \"500/s\"\nconfirms = {{ window = 200 }}\nrepublish = true\ncatch-up = \"1s\"\n{CLIENT}"
    );
    let mut scene = Scene::quorum(version, LOAD)
        .queue("plain", "x-queue-type = \"classic\"\n")
        .producer("quorum", "orders", "\"n2\"", &load)
        .producer("classic", "plain", "\"n2\"", &load);
    if consumers {
        for queue in ["orders", "plain"] {
            scene = scene.with(&format!(
                "[[consumer]]\nname = \"c-{queue}\"\nfrom = \"{queue}\"\nconnect = [\"n2\"]\nprefetch = 100\n{CLIENT}"
            ));
        }
    }
    let runs = scene.fault(FAULT_AT, 2.0, "crash", "all").run();
    for (seen, report) in &runs {
        assert!(report.quiet, "everything comes to rest");
        assert_eq!((seen.lost(0), seen.lost(1)), (0, 0), "{version}: nothing is lost");
        assert!(seen.duplicates() <= 600, "windows published again, prefetches given back");
    }
    overlaps("quorum away, s", &runs, |seen| seen.write_pause(0, 1.0, LOAD), 7.4..=11.4);
    overlaps("classic away, s", &runs, |seen| seen.write_pause(1, 1.0, LOAD), 7.4..=11.4);
    runs
}

#[test]
fn neither_queue_loses_anything() {
    for (version, most) in [("4.0.5", 359.0), ("4.3", 95.0)] {
        for consumers in [false, true] {
            let runs = run(version, consumers);
            overlaps("duplicates", &runs, |seen| seen.duplicates() as f64, 0.0..=most);
        }
    }
}

#[test]
fn a_classic_queue_flags_all_that_it_recovers_and_a_quorum_queue_nothing() {
    let runs = run("4.3", false);
    for (seen, _) in &runs {
        let of = |producer| {
            let all = seen.redelivered();
            let before = |of: &super::bench::Delivery| {
                seen.lines[of.producer][of.number].confirmed.is_some_and(|at| at < FAULT_AT)
            };
            all.iter().filter(|of| of.producer == producer && before(of)).count()
        };
        let confirmed = seen.count(1, |line| line.confirmed.is_some_and(|at| at < FAULT_AT));
        assert_eq!(of(0), 0, "the quorum queue");
        assert_eq!(of(1), confirmed, "the classic queue");
    }
}
