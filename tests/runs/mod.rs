//! Runs of a family's tests: many of them at the same time, and what of their invariants breaks.

#![allow(dead_code, reason = "each binary uses a part of it")]

use std::sync::atomic::{AtomicUsize, Ordering};

use mqsim::run::{Prepared, parse, simulate};
use mqsim::verdict::Report;

/// An invariant that does not hold in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) name: &'static str,
    /// What its version lacks for it to be claimed.
    pub(crate) lacks: Vec<&'static str>,
    pub(crate) count: u64,
    /// The first time it broke.
    pub(crate) first: String,
}

impl Broken {
    pub(crate) fn claimed(&self) -> bool {
        self.lacks.is_empty()
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let claimed = if self.claimed() { "" } else { " (not claimed)" };
        write!(f, "{}{claimed} {} times, first {}", self.name, self.count, self.first)
    }
}

/// A scenario as a run of it needs it.
#[track_caller]
pub(crate) fn prepared(text: &str, sets: &[String]) -> Prepared {
    parse("test.toml", text.as_bytes(), sets)
        .unwrap_or_else(|error| panic!("{error}\n{text}\n{sets:?}"))
}

/// Simulates a seed.
#[track_caller]
pub(crate) fn run(scenario: &Prepared, seed: u64) -> Report {
    simulate(scenario, seed, None).unwrap_or_else(|error| panic!("seed {seed}: {error}"))
}

/// What does not hold in a run.
pub(crate) fn broken(report: &Report) -> Vec<Broken> {
    let tallies = report.catalog.invariants.iter().zip(&report.invariants);
    let broken = tallies.filter(|(_, tally)| tally.violations > 0);
    broken
        .map(|(word, tally)| {
            let first = tally.first.first().map_or(String::new(), |breach| {
                let node = report.catalog.node(breach.node);
                format!("at {} us on {node}: {}", breach.at.as_nanos() / 1_000, breach.detail)
            });
            let (name, lacks, count) = (word.name, word.lacks.clone(), tally.violations);
            Broken { name, lacks, count, first }
        })
        .collect()
}

/// How often an invariant breaks in runs of these seeds.
#[track_caller]
pub(crate) fn violations(
    scenario: &Prepared,
    invariant: &str,
    seeds: std::ops::RangeInclusive<u64>,
) -> u64 {
    let broken = seeds.flat_map(|seed| broken(&run(scenario, seed)));
    broken.filter(|broken| broken.name == invariant).map(|broken| broken.count).sum()
}

/// Every invariant holds, and breaks without what it rests on: of each its name, how often it broke with
/// that, how often without, and what that is.
#[track_caller]
pub(crate) fn assert_mutants<'a>(tried: impl Iterator<Item = (&'a str, u64, u64, &'a [&'a str])>) {
    let wrong = tried.filter(|(_, with, without, _)| *with > 0 || *without == 0);
    let tell = |(invariant, with, without, sets): (&str, u64, u64, &[&str])| {
        format!("{invariant}: broken {with} times, and {without} with {sets:?}")
    };
    let wrong: Vec<String> = wrong.map(tell).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A number from the environment.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Does `work` for each number on all processors; what it says, by number.
pub(crate) fn each<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut done = std::thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return done;
                }
                done.push((index, work(index)));
            }
        };
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("a worker ends"));
        joined.flatten().collect::<Vec<_>>()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, said)| said).collect()
}
