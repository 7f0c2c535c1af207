//! Every shipped failure scenario: what it expects holds for every seed, nothing is lost without a
//! cause, and it notices when a rule that it rests on is switched off.
//!
//! A line `# Breaks without: rules.NAME` in a scenario names a rule; `rules.A, rules.B` are
//! switched off together. `# Breaks with: rules.NAME` names one that the version does not have yet
//! and that repairs what the scenario shows: it is switched on. `MQSIM_SEEDS=100` runs so many seeds instead of 1, for
//! `mqsim check scenarios` runs all that a scenario names, in a release build; `MQSIM_SCENARIO=13`
//! runs the scenarios whose path has that in it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use mqsim::run::{Prepared, load, simulate};
use mqsim::verdict::{Trial, Verdict};

/// With a rule switched off, one of so many seeds must show it.
const SEEDS_WITHOUT: u64 = 20;

/// Or so many seeds together, where something is expected of many.
const SEEDS_TOGETHER: u64 = 100;

fn seeds() -> u64 {
    std::env::var("MQSIM_SEEDS").map_or(1, |text| text.parse().expect("MQSIM_SEEDS is a number"))
}

/// All scenarios below `scenarios/failures`, in order.
fn scenarios() -> Vec<PathBuf> {
    let wanted = std::env::var("MQSIM_SCENARIO").unwrap_or_default();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/failures")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the scenarios are there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml")
                && path.to_string_lossy().contains(&wanted)
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn prepared(path: &Path, sets: &[String]) -> Result<Prepared, String> {
    load(path, sets).map_err(|error| format!("{}: {error}", path.display()))
}

/// The rules that a line names, and what they are set to for the scenario to break.
fn named(line: &str) -> Option<(&str, bool)> {
    let without = line.strip_prefix("# Breaks without: ").map(|rules| (rules, false));
    without.or_else(|| line.strip_prefix("# Breaks with: ").map(|rules| (rules, true)))
}

/// What is wrong with one seed; nothing if all holds.
fn wrong(prepared: &Prepared, seed: u64) -> Option<String> {
    let report = match simulate(prepared, seed, None) {
        Ok(report) => report,
        Err(error) => return Some(error.to_string()),
    };
    if report.summary.unexplained > 0 {
        return Some(format!("{} lost without a cause", report.summary.unexplained));
    }
    let broken = report.expectations.iter().find(|judged| judged.verdict != Verdict::Holds)?;
    Some(format!("{} ({}): {:?}", broken.text, broken.measured, broken.verdict))
}

/// Whether something that is expected of many seeds together breaks.
fn broken_over_seeds(prepared: &Prepared) -> bool {
    let mut trials: Vec<Trial> =
        prepared.expectations().over_seeds().iter().map(Trial::new).collect();
    for seed in 1..=SEEDS_TOGETHER {
        if trials.iter().all(|trial| trial.settled().is_some()) {
            break;
        }
        let Ok(report) = simulate(prepared, seed, None) else { return true };
        for trial in &mut trials {
            let value = trial.over().observe(&report);
            trial.add(value);
        }
    }
    trials.iter().any(|trial| trial.verdict() == Verdict::Broken)
}

/// Runs `check` on every scenario, on all processors; the complaints in order.
fn each(check: impl Fn(&Path, &mut Vec<String>) + Sync) -> Vec<String> {
    let (scenarios, next) = (scenarios(), AtomicUsize::new(0));
    assert!(!scenarios.is_empty(), "there are failure scenarios");
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut complaints = std::thread::scope(|scope| {
        let work = || {
            let mut complaints = Vec::new();
            while let Some(path) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                check(path, &mut complaints);
            }
            complaints
        };
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("no check panics"));
        joined.flatten().collect::<Vec<String>>()
    });
    complaints.sort();
    complaints
}

#[test]
fn every_scenario_holds_under_every_seed() {
    let complaints = each(|path, complaints| match prepared(path, &[]) {
        Err(error) => complaints.push(error),
        Ok(prepared) => {
            let seed = (1..=seeds()).find_map(|seed| Some((seed, wrong(&prepared, seed)?)));
            if let Some((seed, wrong)) = seed {
                complaints.push(format!("{}: seed {seed}: {wrong}", path.display()));
            }
        }
    });
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_scenario_breaks_without_its_rules() {
    let complaints = each(|path, complaints| {
        let text = std::fs::read_to_string(path).expect("a scenario can be read");
        let mut any = false;
        for (rules, set) in text.lines().filter_map(named) {
            any = true;
            let sets: Vec<String> =
                rules.split(',').map(|rule| format!("{}={set}", rule.trim())).collect();
            match prepared(path, &sets) {
                Err(error) => complaints.push(error),
                Ok(prepared) => {
                    let red = (1..=SEEDS_WITHOUT).any(|seed| wrong(&prepared, seed).is_some());
                    if !red && !broken_over_seeds(&prepared) {
                        let at = path.display();
                        complaints.push(format!("{at}: holds where {rules} is {set}"));
                    }
                }
            }
        }
        if !any {
            complaints.push(format!("{}: no line `# Breaks with`", path.display()));
        }
    });
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
