//! `mqsim new` and `mqsim schema`: texts that the library has, by mode. `mqsim completions` and
//! `mqsim man`: texts that clap makes of the command line.

use clap::CommandFactory;

use super::args::{Cli, ExplainSettings, New};
use super::{Exit, Simulator, Topic, console, new_file};
use crate::scenario::{nearest, shown, suggest};

/// Prints or writes a scenario to begin with.
pub(super) fn starter(simulator: &impl Simulator, wanted: &New) -> Exit {
    let text = match (&wanted.from, &wanted.mode) {
        (Some(name), _) => match shipped(simulator, name) {
            Ok(text) => text,
            Err(message) => {
                console::error(&message);
                return Exit::Input;
            }
        },
        (None, mode) => {
            let mode = mode.as_deref().unwrap_or_default();
            let Some(text) = simulator.starter(mode) else { return no_mode(simulator, mode) };
            text
        }
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

/// Prints the scenario of a variant as its broker has it.
pub(super) fn settings(simulator: &impl Simulator, wanted: &ExplainSettings) -> Exit {
    match simulator.variant_text(&wanted.scenario, &wanted.variant, &wanted.set) {
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

/// The text of a shipped failure scenario, or why there is none.
fn shipped(simulator: &impl Simulator, name: &str) -> Result<String, String> {
    let all = simulator.failures(&[]);
    // As the file is called, too.
    let wanted = name.strip_suffix(".toml").unwrap_or(name);
    if let Some(found) = all.iter().find(|failure| failure.name == wanted) {
        return Ok(found.text());
    }
    let known: Vec<&str> = all.iter().map(|failure| failure.name).collect();
    let help = match nearest(wanted, &known) {
        Some(best) => format!("did you mean `{best}`?"),
        None => "`mqsim list failures WORD` finds one".to_owned(),
    };
    Err(format!("there is no failure scenario `{}`\n  = help: {help}", shown(name)))
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

/// Prints the completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mqsim", &mut text);
    console::print(&String::from_utf8_lossy(&text));
    Exit::Holds
}

/// Prints a manual page.
pub(super) fn manual(name: Option<&str>) -> Exit {
    let mut all = Cli::command();
    all.build();
    let page = match name {
        None => Some(&all),
        Some(name) => all.find_subcommand(name).filter(|command| command.get_name() != "help"),
    };
    let Some(page) = page else {
        let known: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
        let name = name.unwrap_or_default();
        let help = suggest(name, &known, "the commands");
        console::error(&format!("there is no command `{}`\n  = help: {help}", shown(name)));
        return Exit::Input;
    };
    let title = page.get_display_name().unwrap_or("mqsim").to_owned();
    let mut text = Vec::new();
    let made = clap_mangen::Man::new(page.clone()).title(title).render(&mut text);
    debug_assert!(made.is_ok(), "memory takes everything");
    console::print(&String::from_utf8_lossy(&text));
    Exit::Holds
}

fn no_mode(simulator: &impl Simulator, mode: &str) -> Exit {
    if let Some(absent) = simulator.absent(mode) {
        console::error(&format!("{}\n  = help: {}", absent.message(), absent.help()));
        return Exit::Input;
    }
    let modes = simulator.list(Topic::Modes);
    let known: Vec<&str> = modes.iter().map(|entry| entry.name.as_str()).collect();
    let help = suggest(mode, &known, "the modes");
    console::error(&format!("there is no mode `{}`\n  = help: {help}", shown(mode)));
    Exit::Input
}
