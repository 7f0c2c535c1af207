//! `mqsim check`.

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

use super::args::Check;
use super::console;
use super::exit::Exit;
use super::find;
use super::interrupt::Interrupt;
use super::lock::Locks;
use super::new_file::{self, Output};
use super::run::{Task, clashes, processors, write};
use super::simulator::{Asked, Simulator};
use crate::report::folder::Reports;
use crate::report::lock::Finding;
use crate::report::tally::{SeedResult, Standing, Tally};
use crate::report::{json, junit, terminal};
use crate::run::{Entry, Journal, JournalError, Key};
use crate::scenario::shown_path;

/// Loads everything, then simulates every seed of every scenario, and prints what holds.
pub(super) fn execute<S: Simulator>(simulator: &S, wanted: &Check) -> Exit {
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            console::error(&format!("cannot handle signals: {error}"));
            return Exit::Failure;
        }
    };
    let Some(tasks) = load(simulator, wanted) else { return Exit::Input };
    match checked(simulator, wanted, &tasks, &interrupt) {
        Ok(exit) => exit,
        Err((message, exit)) => {
            console::error(&message);
            exit
        }
    }
}

/// A message for people, and the exit code that goes with it.
type Wrong = (String, Exit);

fn checked<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    tasks: &[Task<S::Prepared>],
    interrupt: &Interrupt,
) -> Result<Exit, Wrong> {
    let paths: Vec<&str> = tasks.iter().map(|task| task.path.as_str()).collect();
    let locks = wanted.locked.then(|| Locks::of_locked(&paths)).transpose()?;
    let junit = wanted.junit.as_ref().map(|path| Output::at(path, &new_file::XML)).transpose()?;
    if let Some(journal) = &wanted.resume {
        new_file::can_stand(journal)?;
    }
    let mut plan = Plan::new(simulator, wanted, tasks);
    let journal = journal(simulator, wanted, tasks, &mut plan)?;
    let folders = open(wanted, interrupt).map_err(|message| (message, Exit::Failure))?;
    let tallies = simulate(simulator, wanted, tasks, plan, journal.as_ref())?;
    let findings = match &locks {
        None => tasks.iter().map(|_| None).collect(),
        Some(locks) => locks.compare(simulator, tasks, wanted.common.jobs)?,
    };
    let gone = locks.map(|locks| locks.gone()).unwrap_or_default();
    let ends: Vec<End<'_>> = tallies
        .iter()
        .zip(findings)
        .map(|(tally, finding)| End { tally, finding, folder: None })
        .collect();
    let exit = tell(simulator, wanted, tasks, ends, (folders.as_ref(), interrupt, junit), &gone)?;
    if let Some(journal) = journal {
        journal.remove().map_err(|error| (error.to_string(), Exit::Failure))?;
    }
    Ok(exit)
}

/// What one scenario came to.
struct End<'a> {
    tally: &'a Tally,
    /// What the lock says of it, if it was asked.
    finding: Option<Finding>,
    folder: Option<String>,
}

impl End<'_> {
    fn exit(&self) -> Exit {
        let locked = match self.finding {
            Some(Finding::Drifted(_)) => Exit::Broken,
            _ => Exit::Holds,
        };
        locked.max(match self.tally.standing() {
            Standing::Holds => Exit::Holds,
            Standing::Undecided => Exit::Undecided,
            Standing::Broken => Exit::Broken,
            Standing::Failed => Exit::Failure,
        })
    }
}

/// Prints and writes what everything came to.
fn tell<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    tasks: &[Task<S::Prepared>],
    mut ends: Vec<End<'_>>,
    (folders, interrupt, junit): (Option<&Reports>, &Interrupt, Option<Output>),
    gone: &[String],
) -> Result<Exit, Wrong> {
    let mut exit = ends.iter().map(End::exit).max().unwrap_or(Exit::Holds);
    if !gone.is_empty() {
        exit = exit.max(Exit::Broken);
    }
    for (task, end) in tasks.iter().zip(&mut ends) {
        let Some(folders) = folders else { break };
        match report(simulator, wanted, task, end.tally, folders, interrupt) {
            Ok(folder) => end.folder = folder,
            Err(message) => {
                console::error(&message);
                exit = Exit::Failure;
            }
        }
    }
    if let Some(folders) = folders {
        folders.abandon();
    }
    if let Some(mut junit) = junit {
        let text = junit_document(wanted, tasks, &ends).map_err(|text| (text, Exit::Failure))?;
        interrupt.whole(|| junit.write(&text))?;
    }
    if wanted.common.json {
        let checked = tasks.iter().zip(&ends).map(|(task, end)| {
            let replay = |seed| wanted.common.replay(&task.path, seed);
            let folder = end.folder.as_deref();
            let locked = end.finding.as_ref().map(Finding::word);
            json::Checked::new(&task.name, &task.path, end.tally, &replay, folder, locked)
        });
        console::document(&json::checks(exit.code(), checked.collect()));
    } else {
        for (task, end) in tasks.iter().zip(&ends) {
            let replay = |seed| wanted.common.replay(&task.path, seed);
            let folder = end.folder.as_deref();
            let color = console::colors();
            console::print(&terminal::failure(&task.name, end.tally, color, &replay, folder));
            // Other events are worth a word, and no error.
            let hidden =
                wanted.common.quiet && matches!(end.finding, Some(Finding::OtherEvents(_)));
            let text = end.finding.as_ref().filter(|_| !hidden).and_then(Finding::text);
            console::print(&text.map_or(String::new(), |text| format!("\n{text}\n")));
        }
    }
    gone.iter().for_each(|text| console::error(text));
    if !wanted.common.json && !wanted.common.quiet {
        let tallies: Vec<&Tally> = ends.iter().map(|end| end.tally).collect();
        console::print(&terminal::sum(&tallies, console::colors()));
    }
    annotate(wanted, tasks, &ends);
    Ok(exit)
}

fn junit_document<P>(
    wanted: &Check,
    tasks: &[Task<P>],
    ends: &[End<'_>],
) -> Result<String, String> {
    let suites: Vec<junit::Suite<'_>> = tasks
        .iter()
        .zip(ends)
        .map(|(task, end)| junit::Suite {
            name: &task.name,
            file: &task.path,
            tally: end.tally,
            locked: end.finding.as_ref().map(|finding| match finding {
                Finding::Drifted(text) => Err(text.clone()),
                _ => Ok(()),
            }),
        })
        .collect();
    junit::document(&suites, &|file, seed| wanted.common.replay(file, seed))
}

/// Under GitHub Actions, what does not hold is marked in the file of the scenario: a workflow
/// command a scenario.
fn annotate<P>(wanted: &Check, tasks: &[Task<P>], ends: &[End<'_>]) {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return;
    }
    for (task, end) in tasks.iter().zip(ends) {
        let replay = |seed| wanted.common.replay(&task.path, seed);
        let mut text = terminal::failure(&task.name, end.tally, false, &replay, None);
        if let Some(Finding::Drifted(drift)) = &end.finding {
            text += &format!("\n{drift}");
        }
        if text.is_empty() {
            continue;
        }
        let command = console::github_error(&task.path, &format!("mqsim: {}", task.name), &text);
        console::command(&command, wanted.common.json);
    }
}

/// Every scenario of the call, or `None` after saying everything that is wrong with any.
fn load<S: Simulator>(simulator: &S, wanted: &Check) -> Option<Vec<Task<S::Prepared>>> {
    let paths = match find::scenarios(&wanted.scenarios) {
        Ok(paths) => paths,
        Err(messages) => {
            messages.iter().for_each(|message| console::error(message));
            return None;
        }
    };
    let memory = wanted.common.memory(wanted.common.wanted_seeds().map(|s| s.len() * paths.len()));
    let mut tasks = Vec::new();
    let mut wrong = Vec::new();
    for path in paths {
        match simulator.load(&path, &wanted.common.set, memory) {
            Ok(prepared)
                if simulator.expectations(&prepared).is_empty()
                    && simulator.over_seeds(&prepared).is_empty() =>
            {
                wrong.push(expects_nothing(&shown_path(&path)));
            }
            Ok(prepared) => tasks.push(Task::new(simulator, &path, prepared)),
            Err(message) => wrong.push(message),
        }
    }
    wrong.extend(clashes(&tasks));
    wrong.iter().for_each(|message| console::error(message));
    wrong.is_empty().then_some(tasks)
}

fn expects_nothing(path: &str) -> String {
    format!(
        "{path}: it expects nothing, so there is nothing to check\n  = help: add what must hold: \
         [[expect]] with metric = \"success_lost\" and max = 0; `mqsim list metrics` names what \
         can be expected"
    )
}

/// The directory for reports, if they are wanted.
fn open(wanted: &Check, interrupt: &Interrupt) -> Result<Option<Reports>, String> {
    let Some(out) = &wanted.out else { return Ok(None) };
    if !out.exists() {
        interrupt.made(out.clone());
    }
    let opened = interrupt.whole(|| Reports::open(out));
    opened.map(Some).map_err(|error| error.to_string())
}

/// The seeds of every scenario, and what of them is done.
struct Plan {
    seeds: Vec<Vec<u64>>,
    tallies: Vec<Tally>,
}

impl Plan {
    fn new<S: Simulator>(simulator: &S, wanted: &Check, tasks: &[Task<S::Prepared>]) -> Plan {
        let (mut all, mut tallies) = (Vec::new(), Vec::new());
        for task in tasks {
            let own = || simulator.seeds(&task.prepared).collect();
            let seeds: Vec<u64> = wanted.common.wanted_seeds().unwrap_or_else(own);
            let over = simulator.over_seeds(&task.prepared);
            tallies.push(Tally::new(simulator.expectations(&task.prepared), &over, seeds.clone()));
            all.push(seeds);
        }
        Plan { seeds: all, tallies }
    }
}

/// The journal of the call, if one is kept; what it has is counted in.
fn journal<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    tasks: &[Task<S::Prepared>],
    plan: &mut Plan,
) -> Result<Option<Journal>, Wrong> {
    let Some(path) = &wanted.resume else { return Ok(None) };
    let mut parts = vec!["check".to_owned(), format!("{:?}", wanted.common.max_events)];
    parts.extend(wanted.common.set.iter().cloned());
    for (task, seeds) in tasks.iter().zip(&plan.seeds) {
        parts.push(task.name.clone());
        parts.push(simulator.text(&task.prepared).to_owned());
        parts.push(format!("{:?}..={:?} {}", seeds.first(), seeds.last(), seeds.len()));
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let opened = Journal::open::<SeedResult>(path, Key::new(&parts));
    let (journal, entries) = opened.map_err(|error| {
        let exit = match error {
            JournalError::Foreign(_) => Exit::Input,
            _ => Exit::Failure,
        };
        (error.to_string(), exit)
    })?;
    for Entry { task, seed, record } in entries {
        let task = task as usize;
        let index = plan.seeds[task].iter().position(|other| *other == seed);
        if let Some(index) = index {
            plan.tallies[task].add(index, record);
        }
    }
    Ok(Some(journal))
}

/// The seeds of all scenarios while they are simulated.
struct Progress<'a, P> {
    tasks: &'a [Task<P>],
    tallies: Vec<Tally>,
    /// How many scenarios are complete and printed.
    printed: usize,
    /// The width of names and expectations.
    wide: usize,
    wanted: &'a Check,
    bar: ProgressBar,
    /// Why the journal cannot be kept any more.
    unkept: Option<String>,
}

impl<P> Progress<'_, P> {
    /// Prints what is complete, in the order of the scenarios.
    fn print(&mut self) {
        while let Some(tally) = self.tallies.get(self.printed).filter(|t| t.is_complete()) {
            let hidden = self.wanted.common.quiet && tally.standing() == Standing::Holds;
            if !hidden && !self.wanted.common.json {
                let name = &self.tasks[self.printed].name;
                let text = terminal::checked(name, tally, self.wide, console::colors());
                self.bar.suspend(|| console::print(&text));
            }
            self.printed += 1;
        }
    }
}

/// Simulates every seed of every scenario that may count, printing scenarios as they are complete.
fn simulate<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    tasks: &[Task<S::Prepared>],
    plan: Plan,
    journal: Option<&Journal>,
) -> Result<Vec<Tally>, Wrong> {
    let Plan { seeds, tallies } = plan;
    let mut work = Vec::new();
    let mut places = Vec::new();
    for (at, (task, seeds)) in tasks.iter().zip(&seeds).enumerate() {
        let open = (0..seeds.len()).filter(|index| tallies[at].is_wanted(*index));
        for index in open {
            work.push((&task.prepared, seeds[index]));
            places.push((at, index));
        }
    }
    let shown = !wanted.common.quiet && !wanted.common.json;
    let what = match tasks {
        [task] => task.name.clone(),
        tasks => format!("{} scenarios", tasks.len()),
    };
    let bar = console::progress(&what, work.len() as u64, shown);
    let named = tasks.iter().zip(&tallies);
    let wide = named.map(|(task, tally)| terminal::width(&task.name, tally)).max().unwrap_or(0);
    let mut progress =
        Progress { tasks, tallies, printed: 0, wide, wanted, bar: bar.clone(), unkept: None };
    // What a journal has may be a whole scenario.
    progress.print();
    let progress = Mutex::new(progress);
    let jobs = wanted.common.jobs.map_or_else(processors, |jobs| jobs as usize);
    let asked = Asked { jobs, max_events: wanted.common.max_events };
    let open = |at: usize| {
        let (task, index) = places[at];
        let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        let open = progress.tallies[task].is_wanted(index) && progress.unkept.is_none();
        if !open {
            bar.inc(1);
        }
        open
    };
    simulator.simulate_wanted(&work, asked, &open, &|at, result| {
        let (task, index) = places[at];
        let record = SeedResult::of(result);
        let entry = Entry { task: task as u32, seed: work[at].1, record };
        let kept = journal.map_or(Ok(()), |journal| journal.add(&entry));
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = kept {
            progress.unkept = Some(error.to_string());
        }
        progress.tallies[task].add(index, entry.record);
        progress.print();
        bar.inc(1);
    });
    bar.finish_and_clear();
    let progress = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    match progress.unkept {
        Some(message) => Err((message, Exit::Failure)),
        None => Ok(progress.tallies),
    }
}

/// Writes the report folder of the seed that tells most: it is simulated once more, which costs
/// less than keeping what every seed leaves behind.
fn report<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    task: &Task<S::Prepared>,
    tally: &Tally,
    folders: &Reports,
    interrupt: &Interrupt,
) -> Result<Option<String>, String> {
    let Some(seed) = tally.telling() else { return Ok(None) };
    let asked = Asked { jobs: 1, max_events: wanted.common.max_events };
    let mut results = simulator.simulate(&task.prepared, &[seed], asked, &|| ());
    match results.pop() {
        Some(Ok(report)) => interrupt.whole(|| write(folders, &task.name, &[report])).map(Some),
        // What ended it was told already.
        _ => Ok(None),
    }
}
