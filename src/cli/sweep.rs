//! `mqsim sweep`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::args::{Common, Sweep as Wanted, View};
use super::console;
use super::exit::Exit;
use super::interrupt::Interrupt;
use super::run::processors;
use super::simulator::{Asked, Simulator};
use crate::report::folder::Reports;
use crate::report::sweep::{MARK, Run, Shard, Sweep, front, row, weather};
use crate::report::tally::SeedResult;
use crate::report::{self, Unfinished, json, terminal};
use crate::run::{Entry, Journal, JournalError, Key};
use crate::scenario::{self, Grid, shown_path, suggest};
use crate::verdict::{METRICS, Metric};

/// At most this many runs in one call: their rows are in memory at once.
const MOST_RUNS: usize = 500_000;
/// At most this many wrong cells are told.
const MOST_TOLD: usize = 3;

/// What is kept of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) row: String,
    /// Whether mqsim itself failed: lost a message without a cause, or contradicted itself.
    pub(super) defective: bool,
    /// What was expected of it, where that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) judged: Option<SeedResult>,
}

/// Everything that is known before anything runs.
pub(super) struct Plan<P> {
    /// The folder's name.
    pub(super) name: String,
    /// The first of its files.
    pub(super) mark: &'static str,
    pub(super) cells: Vec<P>,
    pub(super) sweep: Sweep,
    pub(super) shard: Shard,
    /// Whether what is expected of the runs is told.
    pub(super) judges: bool,
}

/// All runs of a plan, and where what comes of them goes.
pub(super) struct Done {
    pub(super) folders: Reports,
    pub(super) journal: Journal,
    pub(super) runs: Runs,
}

/// Loads every cell, simulates what is not done yet, writes the folder of the sweep.
pub(super) fn execute<S: Simulator>(simulator: &S, wanted: &Wanted) -> Exit {
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            console::error(&format!("cannot handle signals: {error}"));
            return Exit::Failure;
        }
    };
    let plan = match plan(simulator, wanted) {
        Ok(plan) => plan,
        Err(message) => {
            console::error(&message);
            return Exit::Input;
        }
    };
    let done = carry_out(simulator, wanted, plan, &interrupt);
    done.unwrap_or_else(|(message, exit)| {
        console::error(&message);
        exit
    })
}

/// Reads the call: every cell is checked and planned before anything runs.
fn plan<S: Simulator>(simulator: &S, wanted: &Wanted) -> Result<Plan<S::Prepared>, String> {
    let grid = Grid::parse(&wanted.common.set, wanted.paired)?;
    let memory = wanted.common.memory(None);
    let weather = weather_of(&wanted.view, &grid)?;
    shown(&wanted.view.show)?;
    let mut cells = Vec::new();
    let mut wrong: Vec<String> = Vec::new();
    for cell in 0..grid.cells() {
        match simulator.load(&wanted.scenario, &grid.sets(cell), memory) {
            Ok(prepared) => cells.push(prepared),
            // The same mistake in many cells is one mistake.
            Err(message) if !wrong.contains(&message) => wrong.push(message),
            Err(_) => {}
        }
    }
    if !wrong.is_empty() {
        return Err(few(wrong));
    }
    let first = &cells[0];
    let seeds = wanted.common.wanted_seeds();
    let seeds = seeds.unwrap_or_else(|| simulator.seeds(first).collect());
    let (low, high) = (seeds[0], seeds[seeds.len() - 1]);
    refuse_too_many(cells.len(), seeds.len())?;
    let key = Key::new(&[
        "sweep",
        simulator.text(first),
        &serde_json::to_string(&grid).expect("it is plain data"),
        &format!("{low}..={high}"),
        &format!("{:?}", wanted.common.max_events),
    ]);
    let scenario = simulator.name(first).to_owned();
    let shard = wanted.shard.unwrap_or(Shard::WHOLE);
    let name = folder_name(&scenario, wanted.shard);
    let key = key.text();
    let sweep = Sweep { scenario, grid, seeds: (low, high), key, weather, runs: Vec::new() };
    Ok(Plan { name, mark: MARK, cells, sweep, shard, judges: false })
}

/// The first of many mistakes.
pub(super) fn few(mut wrong: Vec<String>) -> String {
    let left = wrong.len().saturating_sub(MOST_TOLD);
    let more = if left > 0 { format!("\nand {left} more mistakes") } else { String::new() };
    wrong.truncate(MOST_TOLD);
    wrong.join("\n") + &more
}

/// Rows of more runs than that would fill the memory.
pub(super) fn refuse_too_many(cells: usize, seeds: usize) -> Result<(), String> {
    if cells * seeds <= MOST_RUNS {
        return Ok(());
    }
    Err(format!(
        "{cells} cells of {seeds} seeds are more than {MOST_RUNS} runs\n  = help: sweep fewer values or \
         seeds at a time"
    ))
}

/// The axes that are weather: the named ones, or those of faults.
pub(super) fn weather_of(view: &View, grid: &Grid) -> Result<Vec<usize>, String> {
    let keys: Vec<&str> = grid.axes.iter().map(|axis| axis.key.as_str()).collect();
    let axis = |key: &String| {
        let found = keys.iter().position(|known| known == key);
        found.ok_or_else(|| {
            let help = suggest(key, &keys, "the keys that vary");
            format!(
                "--group-by {}: no such key varies\n  = help: {help}, or none",
                scenario::shown(key)
            )
        })
    };
    match view.group_by.as_slice() {
        [] => Ok(weather(grid)),
        [none] if none == "none" => Ok(Vec::new()),
        keys => keys.iter().map(axis).collect(),
    }
}

/// The metrics that are asked for.
pub(super) fn shown(names: &[String]) -> Result<Vec<&'static Metric>, String> {
    let columns = || METRICS.iter().filter(|metric| metric.column);
    let one = |name: &String| {
        columns().find(|metric| metric.name == name).ok_or_else(|| {
            let known: Vec<&str> = columns().map(|metric| metric.name).collect();
            let help = suggest(name, &known, "metrics");
            format!("--show {}: there is no such metric\n  = help: {help}", scenario::shown(name))
        })
    };
    names.iter().map(one).collect()
}

/// The folder of a sweep or of a shard.
pub(super) fn folder_name(scenario: &str, shard: Option<Shard>) -> String {
    match shard {
        None => format!("{scenario}-sweep"),
        Some(Shard { index, count }) => format!("{scenario}-sweep-{index}-of-{count}"),
    }
}

pub(super) type Failed = (String, Exit);

/// Simulates what is not done yet. An interrupted call has left a journal, from which the next goes on.
pub(super) fn runs<S: Simulator>(
    simulator: &S,
    (out, common): (&Path, &Common),
    plan: &Plan<S::Prepared>,
    interrupt: &Interrupt,
) -> Result<Done, Failed> {
    let failure = |message: String| (message, Exit::Failure);
    if !out.exists() {
        interrupt.made(out.to_owned());
    }
    let folders = interrupt.whole(|| Reports::open(out));
    let folders = folders.map_err(|error| failure(error.to_string()))?;
    folders.may_write(&plan.name, plan.mark).map_err(|error| failure(error.to_string()))?;
    let path = out.join(format!(".{}.journal", plan.name));
    let key = Key::new(&[&plan.sweep.key, &format!("{:?}", plan.shard)]);
    let (journal, found) = Journal::open(&path, key).map_err(|error| {
        folders.abandon();
        let input = matches!(error, JournalError::InUse(_) | JournalError::Foreign(_));
        (error.to_string(), if input { Exit::Input } else { Exit::Failure })
    })?;
    let Shared { runs, failures, limits_only, .. } =
        simulate(simulator, common, plan, &journal, found);
    if !failures.is_empty() {
        if runs.is_empty() {
            // What is done is kept for the next call, but here is nothing to be kept.
            journal.remove().map_err(|error| failure(error.to_string()))?;
            folders.abandon();
        }
        let exit = if limits_only { Exit::Undecided } else { Exit::Failure };
        return Err((failed(failures, plan.shard, &plan.sweep), exit));
    }
    Ok(Done { folders, journal, runs })
}

fn carry_out<S: Simulator>(
    simulator: &S,
    wanted: &Wanted,
    plan: Plan<S::Prepared>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let failure = |message: String| (message, Exit::Failure);
    let call = (wanted.out.as_path(), &wanted.common);
    let Done { folders, journal, runs } = self::runs(simulator, call, &plan, interrupt)?;
    let defective = runs.iter().find(|(_, record)| record.defective).map(|(run, _)| *run);
    let seeds = numbers(&plan.sweep);
    let sweep = with_rows(plan.sweep, runs);
    let folder = write(interrupt, &folders, &plan.name, &sweep, plan.shard).map_err(failure)?;
    journal.remove().map_err(|error| failure(error.to_string()))?;
    let exit = if defective.is_some() { Exit::Failure } else { Exit::Holds };
    say(wanted, &sweep, plan.shard, &folder, exit);
    if let Some((cell, at)) = defective {
        let sets: Vec<String> =
            sweep.grid.sets(cell).iter().map(|set| console::shell_word(set)).collect();
        return Err(failure(format!(
            "mqsim failed in a run: it lost a message without a cause or contradicted itself\n  = \
             help: please report it: mqsim run {} --seed {} --set {}",
            console::shell_word(&wanted.scenario.to_string_lossy()),
            seeds[at],
            sets.join(" --set ")
        )));
    }
    Ok(exit)
}

/// The sweep with the rows of its runs.
pub(super) fn with_rows(sweep: Sweep, runs: Runs) -> Sweep {
    let seeds = numbers(&sweep);
    let runs =
        runs.into_iter().map(|((cell, at), record)| Run { cell, seed: seeds[at], row: record.row });
    Sweep { runs: runs.collect(), ..sweep }
}

/// The seeds of a cell.
pub(super) fn numbers(sweep: &Sweep) -> Vec<u64> {
    (sweep.seeds.0..=sweep.seeds.1).collect()
}

/// Runs by cell and place of the seed.
pub(super) type Runs = BTreeMap<(usize, usize), Record>;

/// What threads share.
struct Shared {
    runs: Runs,
    failures: Vec<String>,
    /// Whether each of them is one that a limit of the user's ended.
    limits_only: bool,
    /// What was wrong when a run could not be noted.
    unnoted: Option<JournalError>,
}

/// Simulates the runs of the shard that are not done yet.
fn simulate<S: Simulator>(
    simulator: &S,
    common: &Common,
    plan: &Plan<S::Prepared>,
    journal: &Journal,
    found: Vec<Entry<Record>>,
) -> Shared {
    let seeds = numbers(&plan.sweep);
    let mut runs = Runs::new();
    for Entry { task, seed, record } in found {
        if let Some(at) = seed.checked_sub(seeds[0]).map(|at| at as usize)
            && at < seeds.len()
            && (task as usize) < plan.cells.len()
        {
            runs.insert((task as usize, at), record);
        }
    }
    let number = |&(cell, at): &(usize, usize)| cell * seeds.len() + at;
    let all = (0..plan.cells.len()).flat_map(|cell| (0..seeds.len()).map(move |at| (cell, at)));
    let mine: Vec<_> = all.filter(|run| plan.shard.has(number(run))).collect();
    let left: Vec<_> = mine.iter().filter(|run| !runs.contains_key(run)).copied().collect();
    let quiet = common.quiet || common.json;
    if !runs.is_empty() && !quiet {
        let done = mine.len() - left.len();
        console::note(&format!("{done} of {} runs were done already: going on", mine.len()));
    }
    let work: Vec<(&S::Prepared, u64)> =
        left.iter().map(|&(cell, at)| (&plan.cells[cell], seeds[at])).collect();
    let bar = console::progress(&plan.sweep.scenario, work.len() as u64, !quiet);
    let jobs = common.jobs.map_or_else(processors, |jobs| jobs as usize);
    let asked = Asked { jobs, max_events: common.max_events };
    let shared =
        Mutex::new(Shared { runs, failures: Vec::new(), limits_only: true, unnoted: None });
    simulator.simulate_each(&work, asked, &|place, result| {
        let (cell, at) = left[place];
        // Rows are made before the lock is taken: that is most of what is to be done here.
        let result = result.map(|report| {
            let (row, defective) = (row(&report), report::is_defective(&report));
            let judged = plan.judges.then(|| SeedResult::of(Ok(report)));
            let record = Record { row, defective, judged };
            Entry { task: cell as u32, seed: seeds[at], record }
        });
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(entry) => {
                if shared.unnoted.is_none() {
                    shared.unnoted = journal.add(&entry).err();
                }
                shared.runs.insert((cell, at), entry.record);
            }
            Err(Unfinished { message, limit }) => {
                shared.limits_only &= limit;
                let sets = plan.sweep.grid.sets(cell).join(" ");
                let sets = scenario::shown(&sets);
                shared.failures.push(format!("{sets}, seed {}: {message}", seeds[at]));
            }
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    let mut shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = shared.unnoted.as_ref().filter(|_| !quiet) {
        console::note(&format!("an interrupted sweep could not have gone on: {error}"));
    }
    shared.failures.sort();
    shared
}

/// What to say of runs that failed.
fn failed(mut failures: Vec<String>, shard: Shard, sweep: &Sweep) -> String {
    let count = failures.len();
    let of = (0..sweep.whole()).filter(|&number| shard.has(number)).count();
    failures.truncate(MOST_TOLD);
    format!("{count} of {of} runs came to no end:\n{}", failures.join("\n"))
}

/// Writes the folder; returns where it is.
pub(super) fn write(
    interrupt: &Interrupt,
    folders: &Reports,
    name: &str,
    sweep: &Sweep,
    shard: Shard,
) -> Result<String, String> {
    let files = sweep.files(shard).map_err(|error| error.to_string())?;
    debug_assert_eq!(files[0].name, MARK, "by its first file a folder is known");
    let folder = interrupt.whole(|| folders.write(name, &files));
    folder.map(|folder| shown_path(&folder)).map_err(|error| error.to_string())
}

/// Prints what came of it.
fn say(wanted: &Wanted, sweep: &Sweep, shard: Shard, folder: &str, exit: Exit) {
    if wanted.common.json {
        console::document(&json::sweep(exit.code(), sweep, shard, folder));
        return;
    }
    if wanted.common.quiet {
        return;
    }
    if shard == Shard::WHOLE {
        let metrics = shown(&wanted.view.show).unwrap_or_default();
        console::print(&printed(sweep, &metrics, folder));
        return;
    }
    let Shard { index, count } = shard;
    console::print(&format!(
        "{}: shard {index}/{count}, {} of {} runs\nreport: {folder}\nwhen all are done: mqsim merge \
         {} --out DIR\n",
        sweep.scenario,
        sweep.runs.len(),
        sweep.whole(),
        console::shell_word(&wanted.out.to_string_lossy())
    ));
}

/// What to print of a whole sweep.
pub(super) fn printed(sweep: &Sweep, shown: &[&'static Metric], folder: &str) -> String {
    let aggregates = sweep.aggregates();
    let front = front(sweep, &aggregates);
    let text =
        terminal::sweep(sweep, &aggregates, &front, shown, console::colors(), console::columns());
    format!("{text}report: {folder}\n")
}
