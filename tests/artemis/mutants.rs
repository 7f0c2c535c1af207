//! Each invariant of Artemis breaks when a rule that it rests on is switched off, and is named; with the rule it
//! holds. Those that rest on no rule are claimed in every run of `chaos.rs`.

use crate::runs::{assert_mutants, prepared, violations};
use crate::small::{HA, fault};

/// An invariant, the scenario in which it is at stake, and what breaks it.
struct Mutant {
    invariant: &'static str,
    mode: (&'static str, u32),
    rest: String,
    sets: &'static [&'static str],
}

fn mutants() -> Vec<Mutant> {
    let load = format!(
        "[[producer]]\nname = 'p1'\nto = 'orders'\nclosed-loop = {{ in-flight = 1 }}\n{HA}\
         [[consumer]]\nname = 'c1'\nfrom = 'orders'\n{HA}"
    );
    let pair = ("artemis-replication", 2);
    vec![
        Mutant {
            invariant: "answered-is-durable",
            mode: ("artemis-single", 1),
            rest: load.clone(),
            sets: &["rules.answer-when-stored=false"],
        },
        Mutant {
            invariant: "answered-is-replicated",
            mode: pair,
            rest: format!("[cluster.network]\nlatency = '5ms'\n{load}"),
            sets: &["rules.answer-when-replicated=false"],
        },
        Mutant {
            invariant: "activates-in-sync",
            mode: pair,
            // The primary dies while its backup copies what has waited.
            rest: format!(
                "[cluster.network]\nbandwidth = '8Mbit/s'\n[[producer]]\nname = 'p1'\nto = 'orders'\n\
                 rate = '300/s'\nmessage-size = '4KiB'\nstop = '10s'\n{HA}{}{}",
                fault("stop", "n2", "2s", "9s"),
                fault("crash", "n1", "14s", "3s")
            ),
            sets: &["rules.activate-in-sync=false"],
        },
    ]
}

/// How often an invariant broke.
fn broke(mutant: &Mutant, sets: &[&str]) -> u64 {
    let (mode, nodes) = mutant.mode;
    let text = format!(
        "format = 1\nname = 'mutant'\nmode = '{mode}'\nduration = '20s'\ndrain = '2000s'\n\
         [cluster]\nnodes = {nodes}\nboot-time = '1s'\n{}[[queue]]\nname = 'orders'\n",
        mutant.rest
    );
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    violations(&prepared(&text, &sets), mutant.invariant, 1..=3)
}

#[test]
fn every_invariant_breaks_without_what_it_rests_on() {
    assert_mutants(mutants().iter().map(|mutant| {
        let Mutant { invariant, sets, .. } = *mutant;
        (invariant, broke(mutant, &[]), broke(mutant, sets), sets)
    }));
}
