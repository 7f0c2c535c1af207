//! `mqsim new` and `mqsim schema`: texts that the library has, by mode.

use super::args::New;
use super::{Exit, Simulator, Topic, console, new_file};
use crate::scenario::suggest;

/// Prints or writes a scenario to begin with.
pub(super) fn starter(simulator: &impl Simulator, wanted: &New) -> Exit {
    let Some(text) = simulator.starter(&wanted.mode) else {
        return no_mode(simulator, &wanted.mode);
    };
    let Some(out) = &wanted.out else {
        console::print(&text);
        return Exit::Holds;
    };
    match new_file::write(out, &text) {
        Ok(()) => Exit::Holds,
        Err((message, exit)) => {
            console::error(&message);
            exit
        }
    }
}

/// Prints the JSON Schema of scenarios.
pub(super) fn schema(simulator: &impl Simulator, mode: Option<&str>) -> Exit {
    match (simulator.schema(mode), mode) {
        (Some(text), _) => {
            console::print(&text);
            Exit::Holds
        }
        (None, mode) => no_mode(simulator, mode.unwrap_or_default()),
    }
}

fn no_mode(simulator: &impl Simulator, mode: &str) -> Exit {
    let modes = simulator.list(Topic::Modes);
    let known: Vec<&str> = modes.iter().map(|entry| entry.name.as_str()).collect();
    let help = suggest(mode, &known, "the modes");
    console::error(&format!("there is no mode `{mode}`\n  = help: {help}"));
    Exit::Input
}
