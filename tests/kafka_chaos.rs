//! Random faults do not break what a version of Kafka promises with safe settings.
//!
//! Three replicas, `acks=all`, `min.insync.replicas=2`, clean elections, retries; 200 messages a
//! second for 30 s under kills, losses of power, pauses, partitions, clocks that are wrong and slow
//! disks. `cargo test` looks at some seeds of each version; `MQSIM_SEEDS=10000 cargo test --release
//! --test kafka_chaos` at so many in all, and `MQSIM_SEED_FROM=700` begins at that seed.

mod kafka_kit;

use kafka_kit::{broken, chaos, each, number, prepared, run};
use mqsim::run::Prepared;

/// A version, and where it keeps its metadata.
const VERSIONS: &[(&str, &str)] = &[
    ("0.8.2", "zookeeper"),
    ("0.10.2", "zookeeper"),
    ("1.0", "zookeeper"),
    ("2.8", "zookeeper"),
    ("2.8", "kraft"),
    ("3.6", "kraft"),
    ("4.1", "kraft"),
];

/// What is wrong with a run; nothing if all that is claimed holds and nothing is unexplained.
fn wrong(scenario: &Prepared, seed: u64) -> Vec<String> {
    let report = run(scenario, seed);
    let broken = broken(&report);
    let mut wrong: Vec<String> =
        broken.iter().filter(|broken| broken.claimed).map(ToString::to_string).collect();
    if report.summary.unexplained > 0 {
        wrong.push(format!("{} lost without a cause", report.summary.unexplained));
    }
    if report.inconsistencies > 0 {
        wrong.push(format!("{} reports contradict others", report.inconsistencies));
    }
    wrong
}

#[test]
fn nothing_that_is_claimed_breaks() {
    let seeds = number("MQSIM_SEEDS", 280);
    let from = number("MQSIM_SEED_FROM", 1);
    let scenarios: Vec<(String, Prepared)> = VERSIONS
        .iter()
        .flat_map(|(version, metadata)| {
            [false, true].map(|quick| {
                let name = format!("{version} {metadata}{}", if quick { " quick" } else { "" });
                (name, prepared(&chaos(version, metadata, quick), &[]))
            })
        })
        .collect();
    let complaints = each(seeds as usize, |index| {
        let (name, scenario) = &scenarios[index % scenarios.len()];
        let seed = from + index as u64 / scenarios.len() as u64;
        let wrong = wrong(scenario, seed);
        (!wrong.is_empty()).then(|| format!("{name}, seed {seed}:\n  {}", wrong.join("\n  ")))
    });
    let complaints: Vec<String> = complaints.into_iter().flatten().collect();
    assert!(
        complaints.is_empty(),
        "{} of {seeds} seeds:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
