//! `mqsim check --forever`: one new seed after the other of every scenario, until somebody ends it or
//! the time is over. What fails is kept: its report, and the scenario with its random faults as they
//! came to be.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

use super::Wrong;
use crate::cli::args::Check;
use crate::cli::console::{self, Deadline};
use crate::cli::exit::Exit;
use crate::cli::interrupt::Interrupt;
use crate::cli::run::{Task, processors};
use crate::cli::simulator::{Asked, Simulator};
use crate::report::folder::Reports;
use crate::report::tally::{SeedResult, Standing, Tally};
use crate::report::{self, File, terminal};
use crate::scenario::shown_path;

/// Where what fails is kept unless `--out` says otherwise.
const FOLDER: &str = "failing";

/// So many failing seeds of a scenario are kept; more of them tell the same.
const KEPT: u64 = 10;

/// So many runs a job are handed out at once.
const PORTION: usize = 4;

/// What the runs so far have come to.
#[derive(Debug)]
struct Found {
    /// Of each scenario how many seeds failed.
    failing: Vec<u64>,
    runs: u64,
    undecided: u64,
    worst: Exit,
    /// Why something that fails could not be kept.
    unkept: Option<String>,
}

/// Simulates new seeds until the end is asked for.
pub(super) fn go_on<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    tasks: &[Task<S::Prepared>],
    interrupt: &Interrupt,
) -> Result<Exit, Wrong> {
    if tasks.is_empty() {
        return Ok(Exit::Holds);
    }
    interrupt.gently();
    let deadline = Deadline::after(wanted.time_budget);
    let out = wanted.out.clone().unwrap_or_else(|| PathBuf::from(FOLDER));
    let folders = interrupt.whole(|| Reports::open(&out));
    let folders = folders.map_err(|error| (error.to_string(), Exit::Failure))?;
    let jobs = wanted.common.jobs.map_or_else(processors, |jobs| jobs as usize);
    let asked = Asked { jobs, max_events: wanted.common.max_events };
    let bar = console::progress("new seeds", 0, !wanted.common.quiet);
    let found = Mutex::new(Found {
        failing: vec![0; tasks.len()],
        runs: 0,
        undecided: 0,
        worst: Exit::Holds,
        unkept: None,
    });
    let soak = Soak { simulator, wanted, tasks, interrupt, folders, asked, bar, found };
    let first = soak.first_seed();
    let is_over = || interrupt.is_asked_to_end() || deadline.is_over();
    let (next, took) = console::timed(|| soak.run(first, &is_over));
    soak.bar.finish_and_clear();
    soak.folders.abandon();
    let found = soak.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(message) = found.unkept {
        return Err((message, Exit::Failure));
    }
    if !wanted.common.quiet {
        let counts = [found.runs, found.failing.iter().sum(), found.undecided];
        console::print(&terminal::forever(counts, took, first..next, &shown_path(&out)));
    }
    Ok(found.worst)
}

struct Soak<'a, S: Simulator> {
    simulator: &'a S,
    wanted: &'a Check,
    tasks: &'a [Task<S::Prepared>],
    interrupt: &'a Interrupt,
    folders: Reports,
    asked: Asked,
    bar: ProgressBar,
    found: Mutex<Found>,
}

impl<S: Simulator> Soak<'_, S> {
    /// `--seed`, or the first that no scenario has among its own.
    fn first_seed(&self) -> u64 {
        let behind =
            |task: &Task<S::Prepared>| self.simulator.seeds(&task.prepared).end().saturating_add(1);
        let own = || self.tasks.iter().map(behind).max().unwrap_or(1);
        self.wanted.common.seed.unwrap_or_else(own)
    }

    /// Simulates every scenario under one seed after the other; returns the first seed that not all
    /// were simulated under.
    fn run(&self, first: u64, is_over: &(dyn Fn() -> bool + Sync)) -> u64 {
        let count = self.tasks.len();
        let portion = (self.asked.jobs.saturating_mul(PORTION) / count).max(1) as u64;
        let ends = || {
            let found = self.found();
            found.unkept.is_some() || self.wanted.fail_fast && found.failing.iter().any(|n| *n > 0)
        };
        let mut seed = first;
        while !is_over() && !ends() {
            let seeds = (seed..seed.saturating_add(portion)).collect::<Vec<_>>();
            let work: Vec<(&S::Prepared, u64)> = seeds
                .iter()
                .flat_map(|seed| self.tasks.iter().map(move |task| (&task.prepared, *seed)))
                .collect();
            let skipped = Mutex::new(work.len());
            let open = |at: usize| {
                let open = !is_over() && !ends();
                if !open {
                    let mut first = skipped.lock().unwrap_or_else(PoisonError::into_inner);
                    *first = at.min(*first);
                }
                open
            };
            self.simulator.simulate_wanted(&work, self.asked, &open, &|at, result| {
                let (task, seed) = (at % count, work[at].1);
                self.count(task, seed, SeedResult::of(result));
            });
            let skipped = skipped.into_inner().unwrap_or_else(PoisonError::into_inner);
            seed = seed.saturating_add((skipped / count) as u64);
            if skipped < work.len() || seed == u64::MAX {
                break;
            }
        }
        seed
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what a seed came to; what fails is told and kept.
    fn count(&self, at: usize, seed: u64, result: SeedResult) {
        let task = &self.tasks[at];
        let mut tally = Tally::new(self.simulator.expectations(&task.prepared), &[], vec![seed]);
        tally.add(0, result);
        let mut found = self.found();
        found.runs += 1;
        self.bar.inc(1);
        let exit = match tally.standing() {
            Standing::Holds | Standing::Drifted => return,
            Standing::Undecided => {
                found.undecided += 1;
                return;
            }
            Standing::Broken => Exit::Broken,
            Standing::Failed => Exit::Failure,
        };
        found.worst = found.worst.max(exit);
        found.failing[at] += 1;
        let kept = (found.failing[at] <= KEPT).then(|| self.keep(task, seed, &tally)).transpose();
        match kept {
            Ok(folder) => {
                let replay = |seed| self.wanted.common.replay(&task.path, seed);
                let (color, folder) = (console::colors(), folder.as_deref());
                let text = terminal::failure(&task.name, &tally, color, &replay, folder);
                self.bar.suspend(|| console::print(&text));
            }
            Err(message) => found.unkept = Some(message),
        }
    }

    /// Writes the report of a seed that fails, and the scenario by which anybody sees it again. It is
    /// simulated once more, which costs less than keeping what every seed leaves behind.
    fn keep(&self, task: &Task<S::Prepared>, seed: u64, tally: &Tally) -> Result<String, String> {
        let asked = Asked { jobs: 1, ..self.asked };
        let name = format!("{}-seed-{seed}", task.name);
        let mut files = Vec::new();
        if let Some(Ok(report)) =
            self.simulator.simulate(&task.prepared, &[seed], asked, &|_| ()).pop()
        {
            files = report::files(&[report]).map_err(|error| error.to_string())?;
        }
        let bytes = self.reproduction(task, seed, tally).into_bytes();
        files.push(File { name: SCENARIO.to_owned(), bytes });
        let folder = self.interrupt.whole(|| self.folders.write(&name, &files));
        folder.map(|folder| shown_path(&folder)).map_err(|error| error.to_string())
    }

    /// The scenario with the faults of this seed, and in a comment what fails and how to see it. What
    /// draws no faults is as it was written.
    fn reproduction(&self, task: &Task<S::Prepared>, seed: u64, tally: &Tally) -> String {
        let again = self.wanted.common.without("nemesis").replay(SCENARIO, seed);
        let why = terminal::failure(&task.name, tally, false, &|_| again.clone(), None);
        let note = format!("{}\n\nRun it in this folder:\n{again}", why.trim());
        let frozen =
            self.simulator.freeze(&task.prepared, seed, self.wanted.common.max_events, &note);
        frozen.unwrap_or_else(|_| {
            let lines = note.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n");
            lines.collect::<String>() + "\n" + self.simulator.text(&task.prepared)
        })
    }
}

/// The file of the scenario in the folder of a seed that fails.
const SCENARIO: &str = "scenario.toml";
