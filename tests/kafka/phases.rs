//! Hosts do not start together: what brokers do again and again they do at times of their own, so
//! that how soon a failure is noticed is a matter of chance, and not of the second it happens in.

use crate::kit::{each, prepared, run};

/// For how long writes are away when the leader dies at `at`, in milliseconds, under each seed.
fn outages(version: &str, at: &str) -> Vec<u64> {
    let text = format!(
        r#"
format = 1
name = "phases"
mode = "kafka-isr"
broker-version = "{version}"
duration = "40s"

[cluster]
nodes = 3

[[topic]]
name = "orders"
replication-factor = 3
replicas = ["n1,n2,n3"]

[[producer]]
name = "p1"
to = "orders"
rate = "50/s"
acks = "all"

[[fault]]
at = "{at}"
for = "25s"
kind = "crash"
target = "n1"
"#
    );
    let scenario = prepared(&text, &[]);
    let mut all = each(40, |index| {
        let report = run(&scenario, index as u64 + 1);
        report.summary.write_longest_ms.expect("writes are measured")
    });
    all.sort_unstable();
    all
}

#[test]
fn how_soon_a_dead_leader_is_noticed_is_chance() {
    for version in ["4.1", "2.8", "0.10.2"] {
        let (whole, half) = (outages(version, "10s"), outages(version, "10500ms"));
        for all in [&whole, &half] {
            let spread = all[37] - all[2];
            assert!(spread > 1_000, "{version}: all but the outermost within {spread} ms: {all:?}");
        }
        // Whole seconds are no better than halves.
        let apart = whole[20].abs_diff(half[20]);
        assert!(apart < 500, "{version}: medians {} and {} ms", whole[20], half[20]);
    }
}
