//! A quorum queue of three; its leader's node is killed at 5 s and started again at 12 s.

use mqsim::verdict::Report;

use super::bench::{FAULT_AT, Scene, Seen, overlaps};

const LOAD: f64 = 20.0;

fn run(version: &str, nodes: &str, delay: &str) -> Vec<(Seen, Report)> {
    let client = format!("reconnect-delay = \"{delay}\"\nheartbeat = \"5s\"\n");
    let load = format!(
        "rate = \"500/s\"\nconfirms = {{ window = 100 }}\nrepublish = true\ncatch-up = \"1s\"\n{client}"
    );
    let scene = Scene::quorum(version, LOAD)
        .producer("p1", "orders", nodes, &load)
        .consumer("c1", nodes, &format!("prefetch = 100\n{client}"))
        .fault(FAULT_AT, 7.0, "crash", "n1");
    let runs = scene.run();
    for (seen, report) in &runs {
        assert!(report.quiet, "everything comes to rest");
        assert_eq!(seen.lost(0), 0, "nothing is lost");
        assert_eq!(seen.nacked(), 0, "nothing is nacked");
    }
    runs
}

fn pause(seen: &Seen) -> f64 {
    seen.write_pause(0, 1.0, LOAD)
}

fn read_pause(seen: &Seen) -> f64 {
    seen.read_pause(&[0], 1.0, LOAD)
}

#[test]
fn who_is_on_a_follower_waits_for_the_election_and_sees_nothing_else() {
    for (version, measured) in [("4.0.5", 0.242..=0.563), ("4.3", 0.446..=0.518)] {
        let runs = run(version, "\"n2\"", "100ms");
        for (seen, _) in &runs {
            // 100 ms and the smaller one of two draws of up to 500, and the election itself.
            assert!((0.1..=0.65).contains(&pause(seen)), "{version}: {}", pause(seen));
            assert_eq!((seen.duplicates(), seen.out_of_order()), (0, 0), "{version}");
        }
        overlaps("confirms pause, s", &runs, pause, measured.clone());
        overlaps("deliveries pause, s", &runs, read_pause, measured);
    }
}

#[test]
fn who_was_on_the_leader_publishes_and_gets_again_what_was_on_its_way() {
    for (version, measured) in [("4.0.5", 0.159..=0.164), ("4.3", 0.295..=0.474)] {
        let runs = run(version, "\"n1\", \"n2\"", "100ms");
        check_doubled(&runs);
        overlaps("confirms pause, s", &runs, pause, measured);
        overlaps("duplicates", &runs, |seen| seen.duplicates() as f64, 1.0..=24.0);
        overlaps("out of order", &runs, |seen| seen.out_of_order() as f64, 1.0..=46.0);
    }
}

#[test]
fn who_comes_back_after_the_election_waits_for_nothing_but_its_own_pause() {
    for (version, measured) in [("4.0.5", 2.03..=2.06), ("4.3", 2.03..=2.15)] {
        let runs = run(version, "\"n1\", \"n2\"", "2s");
        check_doubled(&runs);
        overlaps("confirms pause, s", &runs, pause, measured);
        overlaps("duplicates", &runs, |seen| seen.duplicates() as f64, 1.0..=42.0);
        overlaps("out of order", &runs, |seen| seen.out_of_order() as f64, 0.0..=19.0);
    }
}

/// The window is published again, the prefetch redelivered.
fn check_doubled(runs: &[(Seen, Report)]) {
    for (seen, _) in runs {
        assert!(seen.duplicates() <= 200, "{} duplicates", seen.duplicates());
    }
}
