//! Whatever happens to a cluster, a run of it ends, accounts for every message and can be repeated.
//!
//! Scenarios are random: modes, nodes, queues, clients and faults are drawn from a number. `cargo
//! test` looks at a few hundred; `MQSIM_CHAOS=10000 cargo test --release --test rabbitmq chaos -- --nocapture`
//! looks at so many and prints what they have shown, and `MQSIM_CHAOS_FROM=700` begins at that number. A
//! scenario that breaks a rule is made as small as it can be and printed.

use crate::chaos_kit::{Chaos, minimise, operated_scenario, quorum_scenario, recorded, scenario};
use crate::tally::Tally;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn random_scenarios_keep_the_rules() {
    keep_the_rules(scenario, 300);
}

/// Nothing that a quorum queue has confirmed is lost while the disks of a majority survive; nothing
/// is lost without a cause; from 4.2 on every cluster comes to rest.
#[test]
fn random_scenarios_of_quorum_queues_keep_the_rules() {
    keep_the_rules(quorum_scenario, 200);
}

/// The same while an operator adds and deletes members.
#[test]
fn random_scenarios_with_operators_keep_the_rules() {
    keep_the_rules(operated_scenario, 100);
}

fn keep_the_rules(scenario: fn(u64) -> Chaos, default: u64) {
    let (from, count) = (number("MQSIM_CHAOS_FROM", 0), number("MQSIM_CHAOS", default));
    let mut tally = Tally::default();
    let failures: Vec<String> = (from..from + count)
        .filter_map(|number| {
            let chaos = scenario(number);
            let wrong = recorded(&chaos, number, &mut tally)?;
            let smallest = minimise(&chaos, number, &wrong);
            let text = smallest.text();
            let failure = format!("number {number} ({:?}): {wrong}\n{text}", chaos.promise);
            println!("{failure}");
            Some(failure)
        })
        .collect();
    println!("{}", tally.text());
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n\n"));
}
