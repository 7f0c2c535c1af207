//! `mqsim lock`, and what `mqsim check --locked` needs of it.
//!
//! A scenario is locked in the `mqsim.lock` of its own directory, or of the nearest one above that
//! has one. A new lock stands in the directory that was named, or beside the file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::args;
use super::exit::Exit;
use super::find;
use super::run::{Task, processors};
use super::simulator::Simulator;
use super::{console, machine, new_file};
use crate::report::Unfinished;
use crate::report::lock::{FILE, Finding, Lock, Locked, Trace};
use crate::scenario::{MOST_BYTES, shown_path};

/// A message for people, and the exit code that goes with it.
type Wrong = (String, Exit);

/// The locks that a call is about.
pub(super) struct Locks {
    /// By their directory.
    locks: BTreeMap<PathBuf, Lock>,
    /// Of each scenario: the directory of its lock, and its name in it.
    places: Vec<(PathBuf, String)>,
}

impl Locks {
    /// The locks of these scenarios, each of which must be locked.
    pub(super) fn of_locked(paths: &[&str]) -> Result<Locks, Wrong> {
        let locks = Locks::of(paths, &|path| {
            let help = format!("lock it: mqsim lock {}", console::shell_word(path));
            Err((
                format!(
                    "{}: there is no {FILE} that locks it\n  = help: {help}",
                    crate::scenario::shown(path)
                ),
                Exit::Input,
            ))
        })?;
        for (path, (directory, file)) in paths.iter().zip(&locks.places) {
            if locks.locks[directory].get(file).is_none() {
                let lock = directory.join(FILE);
                let help = format!("lock it: mqsim lock {}", console::shell_word(path));
                let path = crate::scenario::shown(path);
                let message = format!("{path}: it is not in {}\n  = help: {help}", shown(&lock));
                return Err((message, Exit::Input));
            }
        }
        Ok(locks)
    }

    /// The locks of these scenarios; `else_at` says where one stands that does not exist.
    fn of(
        paths: &[&str],
        else_at: &dyn Fn(&str) -> Result<PathBuf, Wrong>,
    ) -> Result<Locks, Wrong> {
        let (mut locks, mut places) = (BTreeMap::new(), Vec::new());
        for path in paths {
            let whole = absolute(Path::new(path))?;
            let above = whole.ancestors().skip(1);
            let found = above.into_iter().find(|directory| directory.join(FILE).is_file());
            let directory = match found {
                Some(directory) => directory.to_owned(),
                None => absolute(&else_at(path)?)?,
            };
            let below = whole.strip_prefix(&directory).unwrap_or(&whole);
            let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
            if !locks.contains_key(&directory) {
                locks.insert(directory.clone(), read(&directory.join(FILE))?);
            }
            places.push((directory, names.join("/")));
        }
        Ok(Locks { locks, places })
    }

    /// Simulates each scenario's own seed and compares what it does with what is locked.
    pub(super) fn compare<S: Simulator>(
        &self,
        simulator: &S,
        tasks: &[Task<S::Prepared>],
        jobs: Option<u32>,
    ) -> Result<Vec<Option<Finding>>, Wrong> {
        let found = traced(simulator, tasks, jobs, false, &|at, trace| {
            let (directory, file) = &self.places[at];
            let locked = self.locks[directory].get(file)?;
            let text = simulator.text(&tasks[at].prepared);
            let path = &tasks[at].path;
            let accept = format!("mqsim lock {} --accept", console::shell_word(path));
            Some(locked.compare(text, trace, &crate::scenario::shown(path), &accept))
        })?;
        Ok(found)
    }

    /// What to say of locked scenarios that are no more.
    pub(super) fn gone(&self) -> Vec<String> {
        let mut told = Vec::new();
        for (directory, lock) in &self.locks {
            let gone =
                lock.scenarios.iter().filter(|locked| !directory.join(&locked.file).exists());
            for locked in gone {
                told.push(format!(
                    "{} has {}, which is there no more\n  = help: if that is meant: mqsim lock {} \
                     --accept",
                    shown(&directory.join(FILE)),
                    crate::scenario::shown(&locked.file),
                    console::shell_word(&shown(directory))
                ));
            }
        }
        told
    }
}

/// Simulates the own seed of every scenario and does something with what it did.
fn traced<S: Simulator, T: Send>(
    simulator: &S,
    tasks: &[Task<S::Prepared>],
    jobs: Option<u32>,
    bar: bool,
    with: &(dyn Fn(usize, &Trace) -> T + Sync),
) -> Result<Vec<T>, Wrong> {
    let work: Vec<&S::Prepared> = tasks.iter().map(|task| &task.prepared).collect();
    let what = format!("{} scenarios", tasks.len());
    let bar = console::progress(&what, work.len() as u64, bar);
    let found = Mutex::new((Vec::new(), Vec::new()));
    let jobs = jobs.map_or_else(processors, |jobs| jobs as usize);
    simulator.trace_each(&work, jobs, &|at, trace| {
        let result = trace.map(|trace| with(at, &trace));
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(result) => found.0.push((at, result)),
            Err(unfinished) => found.1.push((at, unfinished)),
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    let (mut found, mut failed) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|(at, _)| *at);
    if let Some((at, Unfinished { message, limit })) = failed.into_iter().next() {
        let exit = if limit { Exit::Undecided } else { Exit::Failure };
        return Err((format!("{}: {message}", tasks[at].name), exit));
    }
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, result)| result).collect())
}

/// `mqsim lock`.
pub(super) fn execute<S: Simulator>(simulator: &S, wanted: &args::Lock) -> Exit {
    locked(simulator, wanted).unwrap_or_else(|(message, exit)| {
        console::error(&message);
        exit
    })
}

fn locked<S: Simulator>(simulator: &S, wanted: &args::Lock) -> Result<Exit, Wrong> {
    let tasks = load(simulator, wanted)?;
    let paths: Vec<&str> = tasks.iter().map(|task| task.path.as_str()).collect();
    let mut locks = Locks::of(&paths, &|path| Ok(beside(path, &wanted.scenarios)))?;
    for directory in locks.locks.keys() {
        new_file::can_stand(&directory.join(FILE))?;
    }
    let news = traced(simulator, &tasks, wanted.jobs, !wanted.quiet, &|at, trace| {
        let (directory, file) = &locks.places[at];
        let text = simulator.text(&tasks[at].prepared);
        let path = &tasks[at].path;
        let accept = format!("mqsim lock {} --accept", console::shell_word(path));
        let found = locks.locks[directory].get(file);
        let finding =
            found.map(|locked| locked.compare(text, trace, &crate::scenario::shown(path), &accept));
        (finding, Locked::new(file, text, trace))
    })?;
    let gone = locks.gone();
    let drifted = news.iter().any(|(finding, _)| matches!(finding, Some(Finding::Drifted(_))));
    for (finding, _) in &news {
        if let Some(text) = finding.as_ref().and_then(Finding::text) {
            console::print(&format!("{text}\n\n"));
        }
    }
    gone.iter().for_each(|text| console::print(&format!("{text}\n\n")));
    if !wanted.accept && (drifted || !gone.is_empty()) {
        return Ok(Exit::Broken);
    }
    let (mut added, mut changed) = (0_u64, 0_u64);
    for ((directory, _), (finding, new)) in locks.places.iter().zip(news) {
        match finding {
            None => added += 1,
            // What is the same stays as it was locked, whatever version did it.
            Some(Finding::Same) => continue,
            Some(_) if !wanted.accept => continue,
            Some(_) => changed += 1,
        }
        locks.locks.get_mut(directory).expect("it was read").put(new);
    }
    for (directory, lock) in &mut locks.locks {
        if wanted.accept {
            lock.scenarios.retain(|locked| directory.join(&locked.file).exists());
        }
        let (path, text) = (directory.join(FILE), lock.render());
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            new_file::replace(&path, &text)?;
        }
    }
    if !wanted.quiet {
        let total = tasks.len();
        let same = total as u64 - added - changed;
        console::print(&format!(
            "{total} scenarios: {added} newly locked, {changed} taken over, {same} as before\n"
        ));
    }
    Ok(Exit::Holds)
}

/// Where a new lock stands: in the named directory that the scenario is below, or beside it.
fn beside(path: &str, named: &[PathBuf]) -> PathBuf {
    let path = Path::new(path);
    let directories = named.iter().filter(|named| named.is_dir() && path.starts_with(named));
    let own = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    directories.map(PathBuf::as_path).next().or(own).unwrap_or(Path::new(".")).to_owned()
}

fn load<S: Simulator>(simulator: &S, wanted: &args::Lock) -> Result<Vec<Task<S::Prepared>>, Wrong> {
    let paths = find::scenarios(&wanted.scenarios)
        .map_err(|messages| (messages.join("\nmqsim: error: "), Exit::Input))?;
    let at_once = wanted.jobs.map_or_else(processors, |jobs| jobs as usize).min(paths.len());
    let memory = machine::memory() / at_once.max(1) as u64;
    let (mut tasks, mut wrong): (Vec<Task<S::Prepared>>, Vec<String>) = (Vec::new(), Vec::new());
    for path in paths {
        match simulator.load(&path, &[], memory) {
            Ok(prepared) => tasks.push(Task::new(simulator, &path, prepared)),
            Err(message) => wrong.push(message),
        }
    }
    // Files that are named twice would be locked twice; names may be alike here.
    let mut seen: Vec<PathBuf> = Vec::new();
    for task in &tasks {
        let whole = absolute(Path::new(&task.path))?;
        if seen.contains(&whole) {
            wrong.push(format!("{} is named twice\n  = help: name it once", task.path));
        }
        seen.push(whole);
    }
    match wrong.is_empty() {
        true => Ok(tasks),
        false => {
            let plain = |text: String| text.strip_prefix("error: ").unwrap_or(&text).to_owned();
            let wrong: Vec<String> = wrong.into_iter().map(plain).collect();
            Err((wrong.join("\nmqsim: error: "), Exit::Input))
        }
    }
}

/// A path from the root on, without links in it.
fn absolute(path: &Path) -> Result<PathBuf, Wrong> {
    fs::canonicalize(path)
        .map_err(|error| (format!("{}: cannot be read: {error}", shown_path(path)), Exit::Input))
}

/// The lock that is there, or an empty one.
fn read(path: &Path) -> Result<Lock, Wrong> {
    if !path.exists() {
        return Ok(Lock::new());
    }
    let help = "restore it from version control, or remove it and lock anew: mqsim lock";
    let wrong = |why: String| (format!("{}: {why}\n  = help: {help}", shown(path)), Exit::Input);
    if !path.is_file() {
        return Err(wrong("it is no file".to_owned()));
    }
    let long = fs::metadata(path).is_ok_and(|file| file.len() > 16 * MOST_BYTES as u64);
    if long {
        return Err(wrong("it is too long for a lock".to_owned()));
    }
    let text =
        fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    Lock::parse(&text).map_err(|why| wrong(format!("it is no lock of mqsim: {why}")))
}

/// A path as people would name it: from the working directory on, where it is below.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
    let short = path.strip_prefix(&here).unwrap_or(path);
    if short.as_os_str().is_empty() { ".".to_owned() } else { shown_path(short) }
}
