//! `mqsim new` and `mqsim schema`: texts that the library has, by mode. `mqsim completions` and
//! `mqsim man`: texts that clap makes of the command line.

use clap::CommandFactory;

use super::args::{Cli, New};
use super::{Exit, Simulator, Topic, console, new_file};
use crate::scenario::{shown, suggest};

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
    let modes = simulator.list(Topic::Modes);
    let known: Vec<&str> = modes.iter().map(|entry| entry.name.as_str()).collect();
    let help = suggest(mode, &known, "the modes");
    console::error(&format!("there is no mode `{}`\n  = help: {help}", shown(mode)));
    Exit::Input
}
