//! Each invariant of ActiveMQ breaks when a rule that it rests on is switched off, and is named; with the
//! rule it holds.

use crate::runs::{assert_mutants, prepared, violations};

/// An invariant, the scenario in which it is at stake, and what breaks it.
struct Mutant {
    invariant: &'static str,
    rest: &'static str,
    sets: &'static [&'static str],
}

const LOAD: &str = "[[producer]]\nname = 'p1'\nto = 'orders'\nclosed-loop = { in-flight = 1 }\n\
                    [[consumer]]\nname = 'c1'\nfrom = 'orders'\n\
                    processing-time = { distribution = 'exponential', mean = '200us' }\n";

/// The producer's connection is reset again and again, as it may be between the fsync and the answer.
const RESETS: &str = "[nemesis]\nfrom = '1s'\nuntil = '19s'\nevery = '100ms'\nat-most = 1\n\
                      [[nemesis.fault]]\nkind = 'reset'\ntargets = ['producer(p1)']\n";
const CONSUMER_RESETS: &str = "[nemesis]\nfrom = '1s'\nuntil = '19s'\nevery = '500ms'\nat-most = 1\n\
                               [[nemesis.fault]]\nkind = 'reset'\ntargets = ['consumer(c1)']\n";

const MUTANTS: [Mutant; 5] = [
    Mutant { invariant: "replied-is-durable", rest: "", sets: &["rules.sync-replied=false"] },
    Mutant {
        invariant: "committed-is-durable",
        rest: "[broker]\njournalMaxFileLength = '64KiB'\n[rules]\nleave-files-unsynced = false\n\
               [[producer]]\nname = 'p2'\nto = 'orders'\nrate = '200/s'\ntransacted = 10\n",
        sets: &["rules.leave-files-unsynced=true"],
    },
    Mutant {
        invariant: "held-by-one",
        // Nobody acknowledges, so what is replayed is still held.
        rest: "[[consumer]]\nname = 'c2'\nfrom = 'orders'\nprefetch = 100000\nprocessing-time = '1000s'\n",
        sets: &["rules.filter-replays=false", "rules.reject-held=false"],
    },
    Mutant { invariant: "stored-once", rest: RESETS, sets: &["rules.filter-replays=false"] },
    Mutant {
        invariant: "delivered-once",
        rest: CONSUMER_RESETS,
        sets: &["consumer.c1.checkForDuplicates=false"],
    },
];

/// How often an invariant broke.
fn broke(mutant: &Mutant, sets: &[&str]) -> u64 {
    let resets = if mutant.rest.contains("nemesis") { "" } else { RESETS };
    let text = format!(
        "format = 1\nname = 'mutant'\nmode = 'activemq-single'\nduration = '20s'\ndrain = '2000s'\n\
         [cluster]\nnodes = 1\nboot-time = '1s'\n[[queue]]\nname = 'orders'\n{LOAD}{}{resets}",
        mutant.rest
    );
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    violations(&prepared(&text, &sets), mutant.invariant, 1..=3)
}

#[test]
fn every_invariant_breaks_without_what_it_rests_on() {
    assert_mutants(MUTANTS.iter().map(|mutant| {
        let Mutant { invariant, sets, .. } = *mutant;
        (invariant, broke(mutant, &[]), broke(mutant, sets), sets)
    }));
}
