//! What a check came to, told to everybody: the terminal, JUnit, the step summary, annotations,
//! programs. The gravest comes first, for a page shows its top: of annotations GitHub shows ten.

use std::cmp::Reverse;
use std::path::Path;

use super::Wrong;
use crate::cli::args::Check;
use crate::cli::console;
use crate::cli::exit::Exit;
use crate::cli::interrupt::Interrupt;
use crate::cli::new_file::Output;
use crate::cli::run::{Task, write};
use crate::cli::simulator::{Asked, Simulator};
use crate::report::folder::Reports;
use crate::report::lock::Finding;
use crate::report::tally::{Standing, Tally};
use crate::report::{json, junit, markdown, terminal};

/// Where else it is told, if that is asked for.
pub(super) struct Outputs {
    pub(super) junit: Option<Output>,
    pub(super) page: Option<Output>,
}

/// What one scenario came to.
pub(super) struct End<'a, P> {
    pub(super) task: &'a Task<P>,
    pub(super) tally: &'a Tally,
    /// What the lock says of it, if it was asked.
    pub(super) finding: Option<Finding>,
    /// Where the report of a seed that does not hold is.
    pub(super) folder: Option<String>,
}

impl<P> End<'_, P> {
    /// How it stands, by its seeds and by what is locked.
    fn standing(&self) -> Standing {
        let drifted = self.drift().map_or(Standing::Holds, |_| Standing::Drifted);
        self.tally.standing().max(drifted)
    }

    fn drift(&self) -> Option<&str> {
        match &self.finding {
            Some(Finding::Drifted(text)) => Some(text),
            _ => None,
        }
    }

    fn exit(&self) -> Exit {
        match self.standing() {
            Standing::Holds => Exit::Holds,
            Standing::Undecided => Exit::Undecided,
            Standing::Drifted | Standing::Broken => Exit::Broken,
            Standing::Failed => Exit::Failure,
        }
    }
}

/// Prints and writes what everything came to.
pub(super) fn tell<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    mut ends: Vec<End<'_, S::Prepared>>,
    (folders, interrupt, outputs): (Option<&Reports>, &Interrupt, Outputs),
    gone: &[String],
) -> Result<Exit, Wrong> {
    let mut exit = ends.iter().map(End::exit).max().unwrap_or(Exit::Holds);
    if !gone.is_empty() {
        exit = exit.max(Exit::Broken);
    }
    for end in &mut ends {
        let Some(folders) = folders else { break };
        match report(simulator, wanted, end, folders, interrupt) {
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
    if wanted.common.json {
        // Programs find scenarios in the order of the call.
        console::document(&json::checks(exit.code(), checked(wanted, &ends)));
    }
    // Stable: what is as grave stays in its order.
    ends.sort_by_key(|end| (end.tally.is_skipped(), Reverse(end.standing())));
    if let Some(mut junit) = outputs.junit {
        let text = junit_document(wanted, &ends).map_err(|text| (text, Exit::Failure))?;
        interrupt.whole(|| junit.write(&text))?;
    }
    if let Some(mut page) = outputs.page {
        let text = summary(wanted, &ends);
        interrupt.whole(|| page.write(&text))?;
    }
    if !wanted.common.json {
        ends.iter().for_each(|end| failure(wanted, end));
    }
    gone.iter().for_each(|text| console::error(text));
    if !wanted.common.json && !wanted.common.quiet {
        let stand: Vec<_> = ends.iter().map(|end| (end.tally, end.standing())).collect();
        console::print(&terminal::sum(&stand, console::colors()));
    }
    annotate(wanted, &ends);
    Ok(exit)
}

/// Prints why a scenario does not hold, or behaves otherwise.
fn failure<P>(wanted: &Check, end: &End<'_, P>) {
    if end.tally.is_skipped() {
        return;
    }
    let replay = |seed| wanted.common.replay(&end.task.path, seed);
    let (color, folder) = (console::colors(), end.folder.as_deref());
    console::print(&terminal::failure(&end.task.name, end.tally, color, &replay, folder));
    // Other events are worth a word, and no error.
    let hidden = wanted.common.quiet && matches!(end.finding, Some(Finding::OtherEvents(_)));
    let text = end.finding.as_ref().filter(|_| !hidden).and_then(Finding::text);
    console::print(&text.map_or(String::new(), |text| format!("\n{text}\n")));
}

fn checked<'a, P>(wanted: &Check, ends: &'a [End<'_, P>]) -> Vec<json::Checked<'a>> {
    let of = |end: &'a End<'_, P>| {
        let (task, folder) = (end.task, end.folder.as_deref());
        let replay = |seed| wanted.common.replay(&task.path, seed);
        let locked = end.finding.as_ref().map(Finding::word);
        json::Checked::new(&task.name, &task.path, end.tally, &replay, folder, locked)
    };
    ends.iter().map(of).collect()
}

fn junit_document<P>(wanted: &Check, ends: &[End<'_, P>]) -> Result<String, String> {
    let locked = |end: &End<'_, P>| {
        end.finding.as_ref().map(|_| end.drift().map_or(Ok(()), |text| Err(text.to_owned())))
    };
    let suites = ends.iter().map(|end| junit::Suite {
        name: &end.task.name,
        file: &end.task.path,
        tally: end.tally,
        locked: locked(end),
    });
    let suites: Vec<junit::Suite<'_>> = suites.collect();
    junit::document(&suites, &|file, seed| wanted.common.replay(file, seed))
}

fn summary<P>(wanted: &Check, ends: &[End<'_, P>]) -> String {
    let scenarios = ends.iter().map(|end| markdown::Checked {
        name: &end.task.name,
        file: &end.task.path,
        tally: end.tally,
        standing: end.standing(),
        drift: end.drift(),
    });
    let scenarios: Vec<markdown::Checked<'_>> = scenarios.collect();
    markdown::check(&scenarios, &|file, seed| wanted.common.replay(file, seed))
}

/// Whether it is the file that GitHub has for the summary of the step, to which commands add.
pub(super) fn is_step_summary(path: &Path) -> bool {
    std::env::var_os("GITHUB_STEP_SUMMARY").is_some_and(|summary| Path::new(&summary) == path)
}

/// So many errors of a step GitHub shows as annotations.
const SHOWN: usize = 10;

/// Under GitHub Actions, what does not hold is marked in the file of the scenario, on the line of
/// what does not hold: a workflow command a scenario.
fn annotate<P>(wanted: &Check, ends: &[End<'_, P>]) {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return;
    }
    let failing: Vec<_> = ends
        .iter()
        .filter(|end| end.standing() != Standing::Holds && !end.tally.is_skipped())
        .collect();
    let (told, more) = match failing.len() {
        0..=SHOWN => (failing.len(), 0),
        all => (SHOWN - 1, all - SHOWN + 1),
    };
    let mut commands = String::new();
    for end in &failing[..told] {
        let replay = |seed| wanted.common.replay(&end.task.path, seed);
        let mut text = terminal::failure(&end.task.name, end.tally, false, &replay, None);
        if let Some(drift) = end.drift() {
            text += &format!("\n{drift}");
        }
        let title = format!("mqsim: {}: {}", end.task.name, end.standing().word());
        let file = console::github_file(&end.task.path);
        commands += &console::github_error(&file, end.tally.line(), &title, &text);
    }
    if let (1.., Some(end)) = (more, failing.get(told)) {
        let names: Vec<&str> = failing[told..].iter().map(|end| end.task.name.as_str()).collect();
        let title = format!("mqsim: {more} more scenarios do not hold");
        let text = format!("The log of this step has them: {}", names.join(", "));
        let file = console::github_file(&end.task.path);
        commands += &console::github_error(&file, end.tally.line(), &title, &text);
    }
    // The document has stdout to itself.
    console::command(&commands, wanted.common.json);
}

/// Writes the report folder of the seed that tells most: it is simulated once more, which costs
/// less than keeping what every seed leaves behind.
fn report<S: Simulator>(
    simulator: &S,
    wanted: &Check,
    end: &End<'_, S::Prepared>,
    folders: &Reports,
    interrupt: &Interrupt,
) -> Result<Option<String>, String> {
    let Some(seed) = end.tally.telling() else { return Ok(None) };
    let asked = Asked { jobs: 1, max_events: wanted.common.max_events };
    let mut results = simulator.simulate(&end.task.prepared, &[seed], asked, &|_| ());
    match results.pop() {
        Some(Ok(report)) => interrupt.whole(|| write(folders, &end.task.name, &[report])).map(Some),
        // What ended it was told already.
        _ => Ok(None),
    }
}
