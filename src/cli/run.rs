//! `mqsim run`.

use std::ffi::OsStr;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::Run;
use super::console;
use super::exit::Exit;
use super::find::is_stdin;
use super::interrupt::Interrupt;
use super::simulator::{Asked, Simulator};
use crate::report::folder::Reports;
use crate::report::json::{Document, Failure, Scenario};
use crate::report::{self, TABLES, Unfinished, terminal};
use crate::run::HistoryFormat;
use crate::scenario::{shown, shown_path};
use crate::verdict::{Report, Verdict};

/// One scenario of the call: where it stands and what it was prepared to.
pub(super) struct Task<P> {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) prepared: P,
}

impl<P> Task<P> {
    /// What was loaded from `path`.
    pub(super) fn new<S: Simulator<Prepared = P>>(simulator: &S, path: &Path, prepared: P) -> Self {
        let name = simulator.name(&prepared).to_owned();
        Task { path: path.display().to_string(), name, prepared }
    }
}

/// What became of one scenario.
struct Outcome {
    name: String,
    folder: Option<String>,
    reports: Vec<Report>,
    failures: Vec<Failure>,
    /// What the worst of the failures means.
    failed: Exit,
}

/// Runs what is wanted, once or whenever a file changes.
pub(super) fn execute(simulator: &impl Simulator, wanted: &Run) -> Exit {
    // A pipe or a device can be read once, and may have no end.
    let is_none = |path: &&PathBuf| {
        is_stdin(path) || std::fs::metadata(path).is_ok_and(|known| !known.is_file())
    };
    if let Some(path) = wanted.scenarios.iter().find(is_none).filter(|_| wanted.watch) {
        let path = path.display();
        console::error(&format!(
            "--watch looks at files, and {path} is none\n  = help: name a file"
        ));
        return Exit::Input;
    }
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            console::error(&format!("cannot handle signals: {error}"));
            return Exit::Failure;
        }
    };
    let mut known = if wanted.watch { contents(&wanted.scenarios) } else { Vec::new() };
    loop {
        let exit = once(simulator, wanted, &interrupt);
        if !wanted.watch {
            return exit;
        }
        console::note("waiting for a change; Ctrl-C ends");
        known = changed(&wanted.scenarios, &known);
    }
}

/// What stands in the files; nothing of one that cannot be read, as an editor leaves it for a moment.
fn contents(paths: &[PathBuf]) -> Vec<Option<Vec<u8>>> {
    paths.iter().map(|path| std::fs::read(path).ok()).collect()
}

/// Waits until something else stands in them, and stands still.
fn changed(paths: &[PathBuf], known: &[Option<Vec<u8>>]) -> Vec<Option<Vec<u8>>> {
    let mut last = known.to_vec();
    loop {
        std::thread::sleep(Duration::from_millis(150));
        let now = contents(paths);
        if now == last && now != known && now.iter().all(Option::is_some) {
            return now;
        }
        last = now;
    }
}

/// Loads everything, then simulates, prints and writes scenario by scenario.
fn once(simulator: &impl Simulator, wanted: &Run, interrupt: &Interrupt) -> Exit {
    let Some(tasks) = load(simulator, wanted) else { return Exit::Input };
    let written = freeze(simulator, wanted, &tasks);
    if let Err((message, exit)) = written.and_then(|()| history(simulator, wanted, &tasks)) {
        console::error(&message);
        return exit;
    }
    if !wanted.out.exists() {
        interrupt.made(wanted.out.clone());
    }
    let folders = match interrupt.whole(|| Reports::open(&wanted.out)) {
        Ok(folders) => folders,
        Err(error) => {
            console::error(&error.to_string());
            return Exit::Failure;
        }
    };
    for task in &tasks {
        if let Err(error) = folders.may_write(&task.name, TABLES[0].file_name()) {
            console::error(&error.to_string());
            folders.abandon();
            return Exit::Failure;
        }
    }
    let mut exit = Exit::Holds;
    let mut outcomes = Vec::new();
    for task in &tasks {
        let (code, outcome) = one(simulator, wanted, task, &folders, interrupt);
        exit = exit.max(code);
        // Only the document needs them all at once.
        outcomes.extend(wanted.common.json.then_some(outcome));
    }
    if wanted.common.json {
        let scenarios = outcomes.iter().map(|outcome| {
            let (folder, failures) = (outcome.folder.clone(), outcome.failures.clone());
            Scenario::new(&outcome.name, folder, &outcome.reports, failures)
        });
        console::document(&Document::new(exit.code(), scenarios.collect()).render());
    }
    folders.abandon();
    exit
}

/// Writes the scenario with its random faults made plain, if that is wanted.
fn freeze<S: Simulator>(
    simulator: &S,
    wanted: &Run,
    tasks: &[Task<S::Prepared>],
) -> Result<(), (String, Exit)> {
    let Some(out) = &wanted.freeze_faults else { return Ok(()) };
    let [task] = tasks else {
        let message = "--freeze-faults writes one file, and there are several scenarios\n  = help: \
                       freeze one at a time";
        return Err((message.to_owned(), Exit::Input));
    };
    let seed = wanted.common.seed.unwrap_or_else(|| simulator.seed(&task.prepared));
    let again = wanted.common.without("nemesis").replay(&out.display().to_string(), seed);
    let from = console::shell_word(&task.path);
    let note = format!(
        "The faults that [nemesis] of {from} drew for seed {seed}, as they came to be. Run them:\n\
         {again}"
    );
    let text = simulator.freeze(&task.prepared, seed, wanted.common.max_events, &note);
    let text = text.map_err(|(message, is_input)| {
        (message, if is_input { Exit::Input } else { Exit::Failure })
    })?;
    super::new_file::write(out, &text)
}

/// Writes what the clients of the scenario did, if that is wanted.
fn history<S: Simulator>(
    simulator: &S,
    wanted: &Run,
    tasks: &[Task<S::Prepared>],
) -> Result<(), (String, Exit)> {
    let Some(out) = &wanted.history else { return Ok(()) };
    let [task] = tasks else {
        let message = "--history writes one file, and there are several scenarios\n  = help: write \
                       the history of one at a time";
        return Err((message.to_owned(), Exit::Input));
    };
    let format = match out.extension().and_then(OsStr::to_str) {
        Some("edn") => HistoryFormat::Edn,
        Some("jsonl") => HistoryFormat::JsonLines,
        _ => {
            let file = shown_path(out);
            let message = format!(
                "a history is EDN or JSON lines, and {file} is called neither\n  = help: name \
                 it FILE.edn or FILE.jsonl"
            );
            return Err((message, Exit::Input));
        }
    };
    let seed = wanted.common.seed.unwrap_or_else(|| simulator.seed(&task.prepared));
    let mut file = BufWriter::new(super::new_file::make(out)?);
    let told = simulator.history(&task.prepared, seed, format, &mut file);
    let told = told.and_then(|()| file.flush().map_err(|error| error.to_string()));
    told.map_err(|message| {
        // Half a history looks like a whole one.
        let _ = std::fs::remove_file(out);
        (message, Exit::Failure)
    })
}

/// All scenarios of the call, or `None` after saying everything that is wrong with them.
fn load<S: Simulator>(simulator: &S, wanted: &Run) -> Option<Vec<Task<S::Prepared>>> {
    let (mut tasks, mut wrong) = (Vec::new(), Vec::new());
    // One scenario after the other, its seeds side by side.
    let memory =
        wanted.common.memory(Some(wanted.common.wanted_seeds().map_or(1, |all| all.len())));
    for path in &wanted.scenarios {
        match simulator.load(path, &wanted.common.set, memory) {
            Ok(prepared) => tasks.push(Task::new(simulator, path, prepared)),
            Err(message) => wrong.push(message),
        }
    }
    wrong.extend(clashes(&tasks));
    wrong.iter().for_each(|message| console::error(message));
    wrong.is_empty().then_some(tasks)
}

/// What to say of scenarios that have the same name.
pub(super) fn clashes<P>(tasks: &[Task<P>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (i, task) in tasks.iter().enumerate() {
        // On many file systems names that differ in case only are one folder.
        let same = |other: &&Task<P>| other.name.eq_ignore_ascii_case(&task.name);
        if let Some(other) = tasks[..i].iter().find(same) {
            wrong.push(clash(&other.path, &task.path, &task.name));
        }
    }
    wrong
}

/// What to say of two scenarios that have the same name.
fn clash(first: &str, second: &str, name: &str) -> String {
    let place = |path| std::fs::canonicalize(path).ok();
    let same = place(first).is_some_and(|first| place(second) == Some(first));
    let (first, second) = (shown(first), shown(second));
    if same {
        return format!("{second} is named twice\n  = help: name it once; --seeds runs more seeds");
    }
    format!(
        "{first} and {second} have the same name, {name}: their reports would be one folder\n  \
         = help: write another `name` into one of them, or run them in two calls with two --out"
    )
}

/// Simulates one scenario, writes its folder and prints its summary.
fn one<S: Simulator>(
    simulator: &S,
    wanted: &Run,
    task: &Task<S::Prepared>,
    folders: &Reports,
    interrupt: &Interrupt,
) -> (Exit, Outcome) {
    let own = || vec![simulator.seed(&task.prepared)];
    let seeds = wanted.common.wanted_seeds().unwrap_or_else(own);
    let jobs = wanted.common.jobs.map_or_else(processors, |jobs| jobs as usize);
    let asked = Asked { jobs, max_events: wanted.common.max_events };
    let text = !wanted.common.quiet && !wanted.common.json;
    let bar = console::progress(&task.name, seeds.len() as u64, text);
    let mut outcome = Outcome::of(&task.name);
    let ((), took) = console::timed(|| {
        // In portions, so that not all details of thousands of seeds are in memory at once.
        for seeds in seeds.chunks(jobs.saturating_mul(16)) {
            let results = simulator
                .simulate(&task.prepared, seeds, asked, &|told| console::advance(&bar, told));
            outcome.add(seeds, results);
        }
    });
    bar.finish_and_clear();
    for Failure { seed, message } in &outcome.failures {
        console::error(&format!("{}, seed {seed}: {message}", task.name));
    }
    let mut exit = judge(&outcome);
    // A report that lacks seeds would look complete: none is written.
    if outcome.failures.is_empty() {
        match interrupt.whole(|| write(folders, &outcome.name, &outcome.reports)) {
            Ok(folder) => outcome.folder = Some(folder),
            Err(message) => {
                console::error(&message);
                exit = Exit::Failure;
            }
        }
    }
    if text {
        console::print(&printed(wanted, task, &outcome, took));
    }
    (exit, outcome)
}

pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Outcome {
    /// Nothing yet.
    fn of(name: &str) -> Outcome {
        let (reports, failures, failed) = (Vec::new(), Vec::new(), Exit::Holds);
        Outcome { name: name.to_owned(), folder: None, reports, failures, failed }
    }

    /// Adds results, by whether they came to a report.
    fn add(&mut self, seeds: &[u64], results: Vec<Result<Report, Unfinished>>) {
        for (&seed, result) in seeds.iter().zip(results) {
            match result {
                Ok(report) => self.reports.push(report),
                Err(Unfinished { message, limit }) => {
                    let exit = if limit { Exit::Undecided } else { Exit::Failure };
                    self.failed = self.failed.max(exit);
                    self.failures.push(Failure { seed, message });
                }
            }
        }
        report::forget_details(&mut self.reports);
    }
}

/// The exit code of one scenario: its worst seed's.
fn judge(outcome: &Outcome) -> Exit {
    let of = |report: &Report| match report::verdict(report) {
        _ if report::is_defective(report) => Exit::Failure,
        None | Some(Verdict::Holds) => Exit::Holds,
        Some(Verdict::Undecided) => Exit::Undecided,
        Some(Verdict::Broken) => Exit::Broken,
    };
    outcome.reports.iter().map(of).fold(outcome.failed, Exit::max)
}

/// Writes the report folder; returns where it is.
pub(super) fn write(folders: &Reports, name: &str, reports: &[Report]) -> Result<String, String> {
    let files = report::files(reports).map_err(|error| error.to_string())?;
    let folder = folders.write(name, &files).map_err(|error| error.to_string())?;
    Ok(shown_path(&folder))
}

/// What to print for one scenario: a page a seed, or an overview and the first broken seed's page.
fn printed<P>(wanted: &Run, task: &Task<P>, outcome: &Outcome, took: Duration) -> String {
    let color = console::colors();
    let options = |report: &Report| terminal::Options {
        color,
        columns: Some(console::columns()),
        replay: replay(wanted, &task.path, report.seed),
        took: (outcome.reports.len() == 1).then_some(took),
        folder: outcome.folder.clone(),
    };
    match outcome.reports.as_slice() {
        [] => String::new(),
        [report] => terminal::summary(report, &options(report)) + "\n",
        reports => {
            let replay = |seed| replay(wanted, &task.path, seed);
            let mut text = terminal::overview(reports, color, &replay);
            let folder = outcome.folder.as_ref();
            text += &folder.map_or(String::new(), |folder| format!("report: {folder}\n"));
            let broken = reports.iter().find(|r| report::verdict(r) == Some(Verdict::Broken));
            if let Some(report) = broken {
                text += &format!("\n{}", terminal::summary(report, &options(report)));
            }
            text + "\n"
        }
    }
}

/// The command that runs one seed of this call again, and writes to the same place.
fn replay(wanted: &Run, path: &str, seed: u64) -> String {
    let mut command = wanted.common.replay(path, seed);
    if wanted.out != Path::new("reports") {
        command += &format!(" --out {}", console::shell_word(&wanted.out.display().to_string()));
    }
    command
}
