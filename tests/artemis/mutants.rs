//! Each invariant of Artemis breaks when a rule that it rests on is switched off, and is named; with the rule it
//! holds. Those that rest on no rule are claimed in every run of `chaos.rs`.

use crate::runs::{prepared, run};
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
fn violations(mutant: &Mutant, sets: &[&str]) -> u64 {
    let (mode, nodes) = mutant.mode;
    let text = format!(
        "format = 1\nname = 'mutant'\nmode = '{mode}'\nduration = '20s'\ndrain = '2000s'\n\
         [cluster]\nnodes = {nodes}\nboot-time = '1s'\n{}[[queue]]\nname = 'orders'\n",
        mutant.rest
    );
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let prepared = prepared(&text, &sets);
    (1..=3)
        .map(|seed| {
            let report = run(&prepared, seed);
            let words = report.catalog.invariants.iter().zip(&report.invariants);
            let own = words.filter(|(word, _)| word.name == mutant.invariant);
            own.map(|(_, tally)| tally.violations).sum::<u64>()
        })
        .sum()
}

#[test]
fn every_invariant_breaks_without_what_it_rests_on() {
    let mut wrong = Vec::new();
    for mutant in &mutants() {
        let (with, without) = (violations(mutant, &[]), violations(mutant, mutant.sets));
        if with > 0 || without == 0 {
            let Mutant { invariant, sets, .. } = mutant;
            wrong.push(format!("{invariant}: broken {with} times, and {without} with {sets:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
