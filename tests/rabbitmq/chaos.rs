//! Whatever happens to a cluster, a run of it ends, accounts for every message and can be repeated.
//!
//! Scenarios are random: modes, nodes, queues, clients and faults are drawn from a number. `cargo
//! test` looks at a few hundred; `MQSIM_CHAOS=10000 cargo test --release --test rabbitmq chaos -- --nocapture`
//! looks at so many and prints what they have shown, and `MQSIM_CHAOS_FROM=700` begins at that number. A
//! scenario that breaks a rule is made as small as it can be and printed.

use crate::chaos_kit::{Chaos, minimise, operated_scenario, quorum_scenario, recorded, scenario};
use crate::runs::{each, number};
use crate::tally::Tally;

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
    let seen = each(count as usize, |index| {
        let number = from + index as u64;
        let (chaos, mut tally) = (scenario(number), Tally::default());
        let failure = recorded(&chaos, number, &mut tally).map(|wrong| {
            let text = minimise(&chaos, number, &wrong).text();
            let failure = format!("number {number} ({:?}): {wrong}\n{text}", chaos.promise);
            println!("{failure}");
            failure
        });
        (tally, failure)
    });
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for (own, failure) in seen {
        tally.add(own);
        failures.extend(failure);
    }
    println!("{}", tally.text());
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n\n"));
}
