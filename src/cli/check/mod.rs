//! `mqsim check`.

mod forever;
mod tell;

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

use self::tell::{End, Outputs, tell};
use super::args::Check;
use super::console::{self, Deadline};
use super::exit::Exit;
use super::find;
use super::interrupt::Interrupt;
use super::lock::Locks;
use super::new_file::{self, Output};
use super::run::{Task, clashes, processors};
use super::simulator::{Asked, Simulator};
use crate::report::folder::Reports;
use crate::report::lock::Finding;
use crate::report::tally::{Cut, Expected, SeedResult, Standing, Tally};
use crate::report::{markdown, terminal};
use crate::run::{Entry, Journal, JournalError, Key};
use crate::scenario::{shown, shown_path, suggest};

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
    let done = match wanted.forever {
        true => forever::go_on(simulator, wanted, &tasks, &interrupt),
        false => checked(simulator, wanted, &tasks, &interrupt),
    };
    match done {
        Ok(exit) => exit,
        Err((message, exit)) => {
            console::error(&message);
            exit
        }
    }
}

/// `--markdown`.
const SUMMARY: new_file::Kind = new_file::Kind { begins: markdown::CHECK, called: "check" };

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
    let page = wanted.markdown.as_ref().map(|path| match tell::is_step_summary(path) {
        true => Output::added_to(path),
        false => Output::at(path, &SUMMARY),
    });
    let outputs = Outputs { junit, page: page.transpose()? };
    if let Some(journal) = &wanted.resume {
        new_file::can_stand(journal)?;
    }
    let deadline = Deadline::after(wanted.time_budget);
    let mut plan = Plan::new(simulator, wanted, tasks);
    let journal = journal(simulator, wanted, tasks, &mut plan)?;
    let folders = open(wanted, interrupt).map_err(|message| (message, Exit::Failure))?;
    // First, so that no scenario is ticked that does something else than what is locked.
    let findings = match &locks {
        None => tasks.iter().map(|_| None).collect(),
        Some(locks) => locks.compare(simulator, tasks, wanted.common.jobs)?,
    };
    let tallies = simulate(simulator, wanted, tasks, plan, &findings, journal.as_ref(), &deadline)?;
    let unfinished = tallies.iter().any(|tally| tally.cut() == Some(Cut::TimeBudget));
    let gone = locks.map(|locks| locks.gone()).unwrap_or_default();
    let ends: Vec<End<'_, S::Prepared>> = tasks
        .iter()
        .zip(&tallies)
        .zip(findings)
        .map(|((task, tally), finding)| End { task, tally, finding, folder: None })
        .collect();
    let exit = tell(simulator, wanted, ends, (folders.as_ref(), interrupt, outputs), &gone)?;
    // What the time did not suffice for is for the next call, which goes on from here.
    if let Some(journal) = journal.filter(|_| !unfinished) {
        journal.remove().map_err(|error| (error.to_string(), Exit::Failure))?;
    }
    Ok(exit)
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
                if simulator.expectations(&prepared).iter().all(Expected::of_every_run)
                    && simulator.over_seeds(&prepared).is_empty() =>
            {
                wrong.push(expects_nothing(&shown_path(&path)));
            }
            Ok(prepared) => tasks.push(Task::new(simulator, &path, prepared)),
            Err(message) => wrong.push(message),
        }
    }
    wrong.extend(clashes(&tasks));
    wrong.extend(no_match(wanted, &tasks));
    wrong.iter().for_each(|message| console::error(message));
    if !wrong.is_empty() {
        return None;
    }
    let meant = |name: &str| wanted.filter.iter().any(|word| name.contains(word.as_str()));
    tasks.retain(|task| wanted.filter.is_empty() || meant(&task.name));
    // In turn, so that each part has some of every directory.
    let Some(shard) = wanted.shard else { return Some(tasks) };
    let own = |at: &usize| at % shard.count as usize == shard.index as usize - 1;
    Some(tasks.into_iter().enumerate().filter(|(at, _)| own(at)).map(|(_, task)| task).collect())
}

/// What to say of words of `--filter` that no scenario has in its name: a misspelt one must not
/// let a gate pass.
fn no_match<P>(wanted: &Check, tasks: &[Task<P>]) -> Vec<String> {
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let none = |word: &&String| !names.iter().any(|name| name.contains(word.as_str()));
    let told = |word: &String| {
        let help = suggest(word, &names, "the scenarios");
        format!("no scenario has `{}` in its name (--filter)\n  = help: {help}", shown(word))
    };
    wanted.filter.iter().filter(none).map(told).collect()
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
            let expected = simulator.expectations(&task.prepared);
            let tally = Tally::new(expected, &over, seeds.clone());
            let ending = wanted.fail_fast;
            tallies.push(if ending { tally.ending_at_first_failure() } else { tally });
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
    /// Of each scenario whether it does what is locked, if that was asked.
    same: Vec<Option<bool>>,
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
    /// The last scenario that counts: with `--fail-fast` the first that does not hold. Those before
    /// it go on, so that it is the same for any number of jobs.
    fn last(&self) -> usize {
        let fails = |at: &usize| self.tallies[*at].fails() || self.same[*at] == Some(false);
        let failing = (0..self.tallies.len()).filter(|_| self.wanted.fail_fast).find(fails);
        failing.unwrap_or(usize::MAX)
    }

    /// Nothing more is begun: what is not done counts no more.
    fn end(&mut self) {
        let last = self.last();
        for (at, tally) in self.tallies.iter_mut().enumerate() {
            if at > last { tally.skip() } else { tally.cut_short() }
        }
        self.print();
    }

    /// Prints what is complete, in the order of the scenarios.
    fn print(&mut self) {
        let last = self.last();
        while let Some(tally) = self.tallies.get(self.printed).filter(|t| t.is_complete()) {
            let same = self.same[self.printed];
            let holds = tally.standing() == Standing::Holds && same != Some(false);
            let hidden = self.printed > last || (self.wanted.common.quiet && holds);
            if !hidden && !self.wanted.common.json {
                let name = &self.tasks[self.printed].name;
                let text = terminal::checked(name, tally, same, self.wide, console::colors());
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
    findings: &[Option<Finding>],
    journal: Option<&Journal>,
    deadline: &Deadline,
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
    let same = |finding: &Option<Finding>| {
        finding.as_ref().map(|finding| !matches!(finding, Finding::Drifted(_)))
    };
    let same = findings.iter().map(same).collect();
    let bar_of = bar.clone();
    let mut progress =
        Progress { tasks, tallies, same, printed: 0, wide, wanted, bar: bar_of, unkept: None };
    // What a journal has may be a whole scenario.
    progress.print();
    let progress = Mutex::new(progress);
    let jobs = wanted.common.jobs.map_or_else(processors, |jobs| jobs as usize);
    let asked = Asked { jobs, max_events: wanted.common.max_events };
    let open = |at: usize| {
        let (task, index) = places[at];
        let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        let open = progress.tallies[task].is_wanted(index)
            && progress.unkept.is_none()
            && task <= progress.last()
            && !deadline.is_over();
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
    let mut progress = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    progress.end();
    match progress.unkept {
        Some(message) => Err((message, Exit::Failure)),
        None => Ok(progress.tallies),
    }
}
