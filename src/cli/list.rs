//! `mqsim list`.

use super::console;
use super::{Entry, Exit, Simulator, Topic};

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
    let score = |name: &String| (strsim::jaro_winkler(name, what) * 1e6) as u64;
    let near = known.iter().max_by_key(|name| score(name)).filter(|name| score(name) > 750_000);
    let hint = near.map_or(String::new(), |name| format!("; did you mean {name}?"));
    Err(format!("there is nothing called {what} to list{hint}\n  known: {}", known.join(", ")))
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
