//! `mqsim list`.

use super::args::List;
use super::console::{self, heading, wrapped};
use super::{Entry, Exit, Simulator, Topic};
use crate::run::{Chapter, Failure};
use crate::scenario::{shown, suggest};

const TOPICS: [(&str, Topic); 5] = [
    ("modes", Topic::Modes),
    ("faults", Topic::Faults),
    ("actions", Topic::Actions),
    ("metrics", Topic::Metrics),
    ("selectors", Topic::Selectors),
];

/// The list of failure scenarios.
const FAILURES: &str = "failures";

/// Prints what can be written in a scenario, or which failure scenarios there are.
pub(super) fn execute(simulator: &impl Simulator, wanted: &List) -> Exit {
    let what = wanted.what.as_deref().unwrap_or("modes");
    match text(simulator, what, &wanted.only, console::columns()) {
        Ok(text) => {
            console::print(&text);
            Exit::Holds
        }
        Err((message, help)) => {
            console::error(&format!("{message}\n  = help: {help}"));
            Exit::Input
        }
    }
}

/// What is wrong, and what to do about it.
pub(super) type Wrong = (String, String);

/// The text for a topic or a mode, or why there is none.
pub(super) fn text(
    simulator: &impl Simulator,
    what: &str,
    only: &[String],
    columns: usize,
) -> Result<String, Wrong> {
    if what == FAILURES {
        return failures(simulator, only, columns);
    }
    if let Some((_, topic)) = TOPICS.iter().find(|(name, _)| *name == what) {
        if let Some(word) = only.first() {
            let message = format!("a list of {what} has no section `{}`", shown(word));
            return Err((message, format!("mqsim list {what}")));
        }
        return Ok(aligned(&simulator.list(*topic), columns));
    }
    if let Some(chapters) = simulator.describe_mode(what) {
        return sections(&chapters, only, columns);
    }
    if let Some(absent) = simulator.absent(what) {
        return Err((absent.message(), absent.help()));
    }
    let mut known: Vec<String> = TOPICS.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.push(FAILURES.to_owned());
    known.extend(simulator.list(Topic::Modes).into_iter().map(|entry| entry.name));
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = suggest(what, &known, "the lists");
    Err((format!("there is no list of `{}`", shown(what)), help))
}

/// The chapters of a mode, or those of sections that are wanted: `topic` for `[[topic]]`, `cluster`
/// for `[cluster]` and what is in it.
fn sections(chapters: &[Chapter], only: &[String], columns: usize) -> Result<String, Wrong> {
    let names: Vec<&str> = chapters.iter().skip(1).map(|chapter| bare(&chapter.title)).collect();
    let within = |name: &str, word: &str| {
        name == word || name.strip_prefix(word).is_some_and(|rest| rest.starts_with('.'))
    };
    for word in only {
        if !names.iter().any(|name| within(name, bare(word))) {
            let help = suggest(bare(word), &names, "the sections");
            return Err((format!("there is no section `{}`", shown(word)), help));
        }
    }
    let wanted = |chapter: &&Chapter| {
        only.is_empty() || only.iter().any(|word| within(bare(&chapter.title), bare(word)))
    };
    let mut out = String::new();
    for chapter in chapters.iter().filter(wanted) {
        if !out.is_empty() {
            out.push('\n');
        }
        for line in wrapped("", 2, &chapter.title, columns).lines() {
            out += &heading(line);
            out.push('\n');
        }
        for paragraph in &chapter.paragraphs {
            let lead = " ".repeat(paragraph.first);
            out += &wrapped(&lead, paragraph.then, &paragraph.words, columns);
        }
    }
    Ok(out)
}

/// The name of a section without its brackets; `top` is the top level.
fn bare(title: &str) -> &str {
    match title.trim_matches(['[', ']']) {
        "the top level" => "top",
        "a distribution of durations" => "durations",
        "a distribution of sizes" => "sizes",
        name => name,
    }
}

/// The failure scenarios that all words describe: what each is called, and what it shows.
fn failures(simulator: &impl Simulator, words: &[String], columns: usize) -> Result<String, Wrong> {
    let (found, all) = (simulator.failures(words), simulator.failures(&[]).len());
    if found.is_empty() {
        if let Some(absent) = words.iter().find_map(|word| simulator.absent(word)) {
            return Err((absent.message(), absent.help()));
        }
        let message =
            format!("none of the {all} failure scenarios has `{}`", shown(&words.join(" ")));
        let help = "fewer or other words: a broker, a version (3.12), a fault (power-loss), a setting \
                    (min.insync.replicas), a cause of loss; mqsim list failures has all";
        return Err((message, help.to_owned()));
    }
    let mut out = String::new();
    for Failure { name, mode, version, description, .. } in &found {
        out += &wrapped("", 4, &format!("{name} · {mode} {version}"), columns).replacen(
            name,
            &heading(name),
            1,
        );
        out += &wrapped("    ", 4, description, columns);
    }
    let told = format!("{} of {all} failure scenarios. To run or to change one:", found.len());
    out.push('\n');
    out += &wrapped("", 2, &told, columns);
    Ok(out + &format!("  mqsim new --from {} --out FILE\n", found[0].name))
}

/// Names in one column, meanings in the next, wrapped.
fn aligned(entries: &[Entry], columns: usize) -> String {
    let wide = entries.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0) + 2;
    // Where there is no room for a second column, meanings are below names.
    let below = wide * 2 > columns;
    let row = |Entry { name, meaning }: &Entry| {
        if below {
            wrapped("", 4, &heading(name), columns) + &wrapped("    ", 4, meaning, columns)
        } else {
            let text = wrapped(&format!("{name:<wide$}"), wide, meaning, columns);
            text.replacen(name, &heading(name), 1)
        }
    };
    entries.iter().map(row).collect()
}
