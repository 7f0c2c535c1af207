//! `mqsim check`.

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

use super::args::Check;
use super::console;
use super::exit::Exit;
use super::find;
use super::interrupt::Interrupt;
use super::run::{Task, clashes, processors, write};
use super::simulator::{Asked, Simulator};
use crate::report::folder::Reports;
use crate::report::json;
use crate::report::tally::{Standing, Tally};
use crate::report::terminal;

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
    let folders = match open(wanted, &interrupt) {
        Ok(folders) => folders,
        Err(message) => {
            console::error(&message);
            return Exit::Failure;
        }
    };
    let tallies = simulate(simulator, wanted, &tasks);
    let mut exit = tallies.iter().map(|tally| judge(tally.standing())).max().unwrap_or(Exit::Holds);
    let mut checked = Vec::new();
    for (task, tally) in tasks.iter().zip(&tallies) {
        let folder = match &folders {
            Some(folders) => report(simulator, wanted, task, tally, folders, &interrupt),
            None => Ok(None),
        };
        let folder = folder.unwrap_or_else(|message| {
            console::error(&message);
            exit = Exit::Failure;
            None
        });
        let replay = |seed| wanted.common.replay(&task.path, seed);
        let (name, path) = (&task.name, &task.path);
        checked.push(json::Checked::new(name, path, tally, &replay, folder.as_deref()));
        if !wanted.common.json {
            let color = console::colors();
            let folder = folder.as_deref();
            console::print(&terminal::failure(name, tally, color, &replay, folder));
        }
    }
    if wanted.common.json {
        console::print(&json::checks(exit.code(), checked));
    } else if !wanted.common.quiet {
        console::print(&terminal::sum(&tallies.iter().collect::<Vec<_>>(), console::colors()));
    }
    if let Some(folders) = &folders {
        folders.abandon();
    }
    exit
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
    let mut tasks = Vec::new();
    let mut wrong = Vec::new();
    for path in paths {
        match simulator.load(&path, &wanted.common.set) {
            Ok(prepared) if simulator.expectations(&prepared).is_empty() => {
                wrong.push(expects_nothing(&path.display().to_string()));
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

const fn judge(standing: Standing) -> Exit {
    match standing {
        Standing::Holds => Exit::Holds,
        Standing::Undecided => Exit::Undecided,
        Standing::Broken => Exit::Broken,
        Standing::Failed => Exit::Failure,
    }
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

/// Simulates every seed of every scenario, printing scenarios as they are complete.
fn simulate<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    tasks: &[Task<S::Prepared>],
) -> Vec<Tally> {
    let mut work = Vec::new();
    let mut places = Vec::new();
    let mut tallies = Vec::new();
    for (at, task) in tasks.iter().enumerate() {
        let own = || simulator.seeds(&task.prepared).collect();
        let seeds: Vec<u64> = wanted.common.wanted_seeds().unwrap_or_else(own);
        work.extend(seeds.iter().map(|seed| (&task.prepared, *seed)));
        places.extend((0..seeds.len()).map(|index| (at, index)));
        tallies.push(Tally::new(simulator.expectations(&task.prepared), seeds));
    }
    let shown = !wanted.common.quiet && !wanted.common.json;
    let what = match tasks {
        [task] => task.name.clone(),
        tasks => format!("{} scenarios", tasks.len()),
    };
    let bar = console::progress(&what, work.len() as u64, shown);
    let named = tasks.iter().zip(&tallies);
    let wide = named.map(|(task, tally)| terminal::width(&task.name, tally)).max().unwrap_or(0);
    let progress = Progress { tasks, tallies, printed: 0, wide, wanted, bar: bar.clone() };
    let progress = Mutex::new(progress);
    let jobs = wanted.common.jobs.map_or_else(processors, |jobs| jobs as usize);
    let asked = Asked { jobs, max_events: wanted.common.max_events };
    simulator.simulate_each(&work, asked, &|at, result| {
        let (task, index) = places[at];
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.tallies[task].add(index, result);
        progress.print();
        bar.inc(1);
    });
    bar.finish_and_clear();
    progress.into_inner().unwrap_or_else(PoisonError::into_inner).tallies
}

/// Writes the report folder of the first seed that broke an expectation: it is simulated once
/// more, which costs less than keeping what every seed leaves behind.
fn report<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    task: &Task<S::Prepared>,
    tally: &Tally,
    folders: &Reports,
    interrupt: &Interrupt,
) -> Result<Option<String>, String> {
    let Some((seed, _)) = tally.first() else { return Ok(None) };
    let asked = Asked { jobs: 1, max_events: wanted.common.max_events };
    let mut results = simulator.simulate(&task.prepared, &[seed], asked, &|| ());
    match results.pop() {
        Some(Ok(report)) => interrupt.whole(|| write(folders, &task.name, &[report])).map(Some),
        // What ended it was told already.
        _ => Ok(None),
    }
}
