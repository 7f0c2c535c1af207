//! Each invariant of RocketMQ breaks when a rule that it rests on is switched off, or where it is known
//! to be weak, and is named; with the rule it holds.

use crate::runs::{assert_mutants, prepared, violations};

/// An invariant, the scenario in which it is at stake, and what breaks it.
struct Mutant {
    invariant: &'static str,
    version: &'static str,
    broker: &'static str,
    rest: &'static str,
    /// What breaks it.
    set: &'static str,
}

const LOAD: &str = "[[producer]]\nname = 'p1'\nto = 'orders'\nrate = '200/s'\nthreads = 10\n\
                    [[consumer]]\nname = 'c1'\nfrom = 'orders'\nprocessing-time = { distribution = 'exponential', mean = '20ms' }\n";

const MUTANTS: [Mutant; 10] = [
    Mutant {
        invariant: "acked-is-flushed",
        version: "5.3.4",
        broker: "slaves = 0\nflushDiskType = 'SYNC_FLUSH'",
        rest: "",
        set: "rules.group-commit=false",
    },
    Mutant {
        invariant: "acked-is-flushed",
        version: "5.3.4",
        broker: "slaves = 0\nflushDiskType = 'SYNC_FLUSH'",
        rest: "[[fault]]\nkind = 'disk-error'\ntarget = 'n1'\nat = '5s'\nfor = '100ms'\noperations = ['fsync']\n",
        set: "rules.forget-flush-errors=true",
    },
    Mutant {
        invariant: "read-is-flushed",
        version: "5.3.4",
        broker: "slaves = 0\nflushDiskType = 'SYNC_FLUSH'",
        rest: "",
        set: "rules.dispatch-flushed-only=false",
    },
    Mutant {
        invariant: "valid-prefix",
        version: "5.3",
        broker: "slaves = 0",
        rest: "[[fault]]\nkind = 'power-loss'\ntarget = 'n1'\nat = '5s'\nfor = '1s'\n",
        set: "rules.recovery-truncates=false",
    },
    Mutant {
        invariant: "committed-is-finished",
        version: "5.3",
        broker: "slaves = 0",
        rest: "",
        set: "rules.commit-lowest-unfinished=false",
    },
    Mutant {
        invariant: "one-master-an-epoch",
        version: "5.3",
        broker: "slaves = 1\nallAckInSyncStateSet = true",
        rest: "[[fault]]\nkind = 'crash'\ntarget = 'n1'\nat = '5s'\nfor = '2s'\n",
        set: "rules.elections-count=false",
    },
    // What an old master alone has stays there, and more is written behind it.
    Mutant {
        invariant: "slave-is-prefix",
        version: "5.3",
        broker: "slaves = 1\nallAckInSyncStateSet = false",
        rest: "[[fault]]\nkind = 'crash'\ntarget = 'n1'\nat = '5s'\nfor = '2s'\n",
        set: "rules.truncate-by-epoch=false",
    },
    // Nobody compares logs when a slave connects: a loss of power is enough.
    Mutant {
        invariant: "acked-is-replicated",
        version: "5.3",
        broker: "slaves = 1\nbrokerRole = 'SYNC_MASTER'\ninSyncReplicas = 2",
        rest: DIVERGENCE,
        set: DIVERGES,
    },
    Mutant {
        invariant: "offset-is-place",
        version: "5.3",
        broker: "slaves = 1",
        rest: DIVERGENCE,
        set: DIVERGES,
    },
    Mutant {
        invariant: "slave-is-prefix",
        version: "5.3",
        broker: "slaves = 1",
        rest: DIVERGENCE,
        set: DIVERGES,
    },
];

/// The master loses power, and what it had not flushed, and its slave is back before there is more.
const DIVERGENCE: &str = "[[fault]]\nkind = 'power-loss'\ntarget = 'n1'\nat = '5s'\nfor = '1s'\n\
                          [[producer]]\nname = 'p2'\nto = 'orders'\nrate = '50/s'\nstart = '25s'\n";
/// It needs nothing but that, so there is no run in which it holds.
const DIVERGES: &str = "producer.p1.stop=5s";

/// How often an invariant broke.
fn broke(mutant: &Mutant, sets: &[&str]) -> u64 {
    let Mutant { version, broker, rest, .. } = mutant;
    let nodes = if broker.contains("slaves = 0") { 1 } else { 2 };
    let controlled = broker.contains("allAckInSyncStateSet");
    let mode = if controlled { "rocketmq-controller" } else { "rocketmq-master-slave" };
    // Part of a tail that is torn may be more than a slave has.
    let torn = *rest != DIVERGENCE;
    let text = format!(
        "format = 1\nname = 'mutant'\nmode = '{mode}'\nbroker-version = '{version}'\n\
         duration = '40s'\ndrain = '100s'\n[cluster]\nnodes = {nodes}\nboot-time = '1s'\n\
         disk.torn-tail = {torn}\n[broker]\n{broker}\n[[topic]]\nname = 'orders'\nqueues = 3\n{LOAD}{rest}"
    );
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    violations(&prepared(&text, &sets), mutant.invariant, 1..=4)
}

#[test]
fn every_invariant_breaks_without_what_it_rests_on() {
    assert_mutants(MUTANTS.iter().map(|mutant| {
        let sets = std::slice::from_ref(&mutant.set);
        let with = if mutant.set == DIVERGES { 0 } else { broke(mutant, &[]) };
        (mutant.invariant, with, broke(mutant, sets), sets)
    }));
}
