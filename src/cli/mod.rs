//! The command line: one file a subcommand. The only place that reads the wall clock, the
//! environment and the terminal.

mod args;
mod check;
mod compare;
mod console;
mod defect;
mod exit;
mod explain;
mod find;
mod help;
mod interrupt;
mod library;
mod list;
mod lock;
mod machine;
mod matrix;
mod merge;
mod new_file;
mod run;
mod simulator;
mod sweep;
mod texts;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::scenario::shown;

pub use exit::Exit;
pub use library::Library;
pub use simulator::{Asked, Entry, Simulator, Topic, Variants};

/// Parses the command line, does what it says, prints, and returns the exit code.
pub fn main(
    simulator: &impl Simulator,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let exit = match args::Cli::try_parse_from(&arguments) {
        Ok(cli) => obey(simulator, cli),
        Err(error) => not_understood(error, &arguments),
    };
    match console::unwritten() {
        None => exit,
        Some(why) => {
            console::error(&why);
            Exit::Failure
        }
    }
}

/// Says what the command line lacks, or what it asked for: clap makes a page of help an error, too.
fn not_understood(mut error: clap::Error, arguments: &[OsString]) -> Exit {
    // A line that is no whole command may say of its colours all the same.
    let never = arguments.windows(2).any(|two| two[0] == "--color" && two[1] == "never");
    if never || arguments.iter().any(|one| one == "--color=never") {
        console::choose(args::Color::Never);
    }
    let foreign: Vec<(ContextKind, String)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, shown(text).into_owned())),
            _ => None,
        })
        .collect();
    for (kind, text) in foreign {
        error.insert(kind, ContextValue::String(text));
    }
    // Help and version are printed to stdout and are no error; clap knows which is which.
    if !error.use_stderr() {
        let page = error.render();
        let colors = console::colors();
        console::print(&if colors { page.ansi().to_string() } else { page.to_string() });
        return Exit::Holds;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
    } else {
        console::error(&error.render().to_string());
    }
    Exit::Input
}

/// Does what a command line says.
fn obey(simulator: &impl Simulator, cli: args::Cli) -> Exit {
    console::choose(cli.color);
    let done = defect::caught(|| match cli.command {
        args::Command::Run(wanted) => run::execute(simulator, &wanted),
        args::Command::Check(wanted) => check::execute(simulator, &wanted),
        args::Command::Explain(wanted) => explain::execute(simulator, &wanted),
        args::Command::ExplainSettings(wanted) => texts::settings(simulator, &wanted),
        args::Command::Matrix(wanted) => matrix::execute(simulator, &wanted),
        args::Command::Lock(wanted) => lock::execute(simulator, &wanted),
        args::Command::Compare(wanted) => compare::execute(simulator, &wanted),
        args::Command::Sweep(wanted) => sweep::execute(simulator, &wanted),
        args::Command::Merge(wanted) => merge::execute(&wanted),
        args::Command::New(wanted) => texts::starter(simulator, &wanted),
        args::Command::Schema(wanted) => texts::schema(simulator, wanted.mode.as_deref()),
        args::Command::List(wanted) => list::execute(simulator, &wanted),
        args::Command::Completions(wanted) => texts::completions(wanted.shell),
        args::Command::Man(wanted) => texts::manual(wanted.command.as_deref()),
    });
    done.unwrap_or(Exit::Failure)
}
