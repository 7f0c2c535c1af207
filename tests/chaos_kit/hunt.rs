//! Many random runs of a few scenarios: what is wrong with them, and what was seen.

#![allow(dead_code, reason = "each binary uses a part of it")]

use mqsim::run::Prepared;
use mqsim::verdict::Report;

use crate::runs::{Broken, broken, each, number, run};
use crate::tally::Tally;

/// What is wrong with runs of so many seeds, dealt out to scenarios that are told apart by their names;
/// what was seen is printed. `MQSIM_CHAOS` looks at another number of seeds, `MQSIM_CHAOS_FROM` begins with another.
pub(crate) fn hunt(
    scenarios: &[(String, Prepared)],
    default: u64,
    wrong: impl Fn(&str, &Report) -> Vec<String> + Sync,
) -> Vec<String> {
    let (seeds, from) = (number("MQSIM_CHAOS", default), number("MQSIM_CHAOS_FROM", 1));
    let told = each(seeds as usize, |index| {
        let seed = from + index as u64;
        let (name, scenario) = &scenarios[(seed % scenarios.len() as u64) as usize];
        let report = run(scenario, seed);
        let mut tally = Tally::default();
        tally.record(&report, seed, None);
        let mut all = unexplained(&report);
        all.extend(wrong(name, &report));
        (tally, (!all.is_empty()).then(|| format!("{name}, seed {seed}: {}", all.join("; "))))
    });
    let (mut tally, mut complaints) = (Tally::default(), Vec::new());
    for (seen, wrong) in told {
        tally.add(seen);
        complaints.extend(wrong);
    }
    println!("{}", tally.text());
    complaints
}

/// What was lost without a cause, and what contradicts itself: of neither there may be any.
fn unexplained(report: &Report) -> Vec<String> {
    let (lost, contradictions) = (report.summary.unexplained, report.inconsistencies);
    let wrong = lost > 0 || contradictions > 0;
    let text = || format!("{lost} lost without a cause, {contradictions} contradictions");
    wrong.then(text).into_iter().collect()
}

/// What is wrong with a run under settings with which nothing that was answered may be lost, and all can be
/// reached in the end.
pub(crate) fn unsafe_of(report: &Report) -> Vec<String> {
    let mut wrong = breaches(report);
    let summary = &report.summary;
    if summary.acked_lost > 0 {
        wrong.push(format!("{} lost after they were answered", summary.acked_lost));
    }
    if summary.unreachable_at_end > 0 {
        wrong.push(format!("{} cannot be reached", summary.unreachable_at_end));
    }
    wrong
}

/// A run of each scenario repeats itself, with any of these seeds.
#[track_caller]
pub(crate) fn assert_repeats(
    scenarios: &[(String, Prepared)],
    seeds: std::ops::RangeInclusive<u64>,
) {
    for seed in seeds {
        for (name, scenario) in scenarios {
            let again = run(scenario, seed).ingredients;
            assert_eq!(run(scenario, seed).ingredients, again, "{name}, seed {seed}");
        }
    }
}

/// The invariants that break although they are claimed.
pub(crate) fn breaches(report: &Report) -> Vec<String> {
    let claimed = broken(report).into_iter().filter(Broken::claimed);
    claimed.map(|broken| broken.to_string()).collect()
}
