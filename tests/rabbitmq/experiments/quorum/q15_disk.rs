//! What is on the disk when a confirm goes out, and what a loss of power leaves: one node, 500
//! messages a second.

use mqsim::verdict::Report;

use super::bench::{CLIENT, Scene, Seen, overlaps};

/// What an fsync took while a tracer (strace) counted them: so long that a batch had 1.2 to 1.7
/// messages.
const TRACED: &str =
    "[cluster.disk]\nfsync = { distribution = \"lognormal\", median = \"2ms\", p99 = \"10ms\" }\n";

fn scene(version: &str, queue: &str, size: &str, lasts: f64) -> Scene {
    let load = format!(
        "[[producer]]\nname = \"p1\"\nto = \"orders\"\nconnect = [\"n1\"]\nrate = \"500/s\"\n\
         message-size = \"{size}\"\nconfirms = {{ window = 100 }}\ncatch-up = \"1s\"\nstop = \"8s\"\n{CLIENT}"
    );
    let queue = format!("x-queue-type = \"{queue}\"\n");
    Scene::new("rabbitmq-single", 1, version, lasts, "").queue("orders", &queue).with(&load)
}

/// Fsyncs in the time in which 2,000 messages are confirmed.
fn fsyncs(queue: &str, size: &str) -> Vec<f64> {
    let runs = scene("4.0.5", queue, size, 8.0).with(TRACED).run();
    runs.iter().map(|(_, report)| report.summary.fsyncs as f64 / 2.0).collect()
}

#[test]
fn a_classic_queue_confirms_what_is_written_and_a_quorum_queue_what_is_synced() {
    for size in ["1KiB", "8KiB"] {
        for count in fsyncs("classic", size) {
            assert!(count <= 2.0, "{size}: {count} fsyncs");
        }
    }
    let count = fsyncs("quorum", "1KiB");
    super::super::lab::ranges_overlap("fsyncs for 2,000 messages", count, 1182.0..=1627.0);
}

fn lose_power(version: &str, queue: &str, size: &str) -> Vec<(Seen, Report)> {
    let runs = scene(version, queue, size, 20.0).fault(8.001, 5.0, "power-loss", "n1").run();
    overlaps(
        "confirmed before",
        &runs,
        |seen| seen.count(0, |line| line.confirmed.is_some()) as f64,
        3984.0..=4044.0,
    );
    runs
}

#[test]
fn a_loss_of_power_takes_all_from_a_classic_queue_and_nothing_from_a_quorum_queue() {
    for version in ["4.0.5", "4.3"] {
        for size in ["1KiB", "8KiB"] {
            for (seen, _) in lose_power(version, "classic", size) {
                let confirmed = seen.count(0, |line| line.confirmed.is_some());
                assert_eq!(
                    seen.lost(0),
                    confirmed,
                    "{version} {size}: younger than the write-back"
                );
            }
        }
        for (seen, _) in lose_power(version, "quorum", "1KiB") {
            assert_eq!(seen.lost(0), 0, "{version}: it is on the disk");
        }
    }
}
