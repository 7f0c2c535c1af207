//! `mqsim list`.

use super::console;
use super::{Entry, Exit, Simulator, Topic};
use crate::scenario::{shown, suggest};

const TOPICS: [(&str, Topic); 4] = [
    ("modes", Topic::Modes),
    ("faults", Topic::Faults),
    ("metrics", Topic::Metrics),
    ("selectors", Topic::Selectors),
];

/// Prints what can be written in a scenario.
pub(super) fn execute(simulator: &impl Simulator, what: Option<&str>) -> Exit {
    match text(simulator, what.unwrap_or("modes")) {
        Ok(text) => {
            console::print(&text);
            Exit::Holds
        }
        Err(message) => {
            console::error(&message);
            Exit::Input
        }
    }
}

/// The text for a topic or a mode, or why there is none.
pub(super) fn text(simulator: &impl Simulator, what: &str) -> Result<String, String> {
    if let Some((_, topic)) = TOPICS.iter().find(|(name, _)| *name == what) {
        return Ok(aligned(&simulator.list(*topic)));
    }
    if let Some(text) = simulator.describe_mode(what) {
        return Ok(text);
    }
    let mut known: Vec<String> = TOPICS.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.extend(simulator.list(Topic::Modes).into_iter().map(|entry| entry.name));
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = suggest(what, &known, "the lists");
    Err(format!("there is no list of `{}`\n  = help: {help}", shown(what)))
}

/// Names in one column, meanings in the next, wrapped.
fn aligned(entries: &[Entry]) -> String {
    const COLUMNS: usize = 100;
    let wide = entries.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0) + 2;
    let mut out = String::new();
    for entry in entries {
        let mut line = format!("{:<wide$}", entry.name);
        let mut used = wide;
        for word in entry.meaning.split_whitespace() {
            let length = word.chars().count();
            if used > wide && used + 1 + length > COLUMNS {
                out.push_str(line.trim_end());
                out.push('\n');
                line = " ".repeat(wide);
                used = wide;
            }
            if used > wide {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
