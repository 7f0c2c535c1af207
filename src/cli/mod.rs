//! The command line: one file a subcommand. The only place that reads the wall clock, the
//! environment and the terminal.

mod args;
mod check;
mod compare;
mod console;
mod defect;
mod exit;
mod find;
mod interrupt;
mod library;
mod list;
mod lock;
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
use clap::error::ErrorKind;

pub use exit::Exit;
pub use library::Library;
pub use simulator::{Asked, Entry, Simulator, Topic};

/// Parses the command line, does what it says, prints, and returns the exit code.
pub fn main(
    simulator: &impl Simulator,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Exit {
    let cli = match args::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are printed to stdout and are no error; clap knows which is which.
            let exit = if error.use_stderr() { Exit::Input } else { Exit::Holds };
            let help = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            if exit == Exit::Holds || error.kind() == help {
                let _ = error.print();
            } else {
                console::error(&error.render().to_string());
            }
            return exit;
        }
    };
    let done = defect::caught(|| match cli.command {
        args::Command::Run(wanted) => run::execute(simulator, &wanted),
        args::Command::Check(wanted) => check::execute(simulator, &wanted),
        args::Command::Lock(wanted) => lock::execute(simulator, &wanted),
        args::Command::Compare(wanted) => compare::execute(simulator, &wanted),
        args::Command::Sweep(wanted) => sweep::execute(simulator, &wanted),
        args::Command::Merge(wanted) => merge::execute(&wanted),
        args::Command::New(wanted) => texts::starter(simulator, &wanted),
        args::Command::Schema(wanted) => texts::schema(simulator, wanted.mode.as_deref()),
        args::Command::List(wanted) => list::execute(simulator, wanted.what.as_deref()),
    });
    done.unwrap_or(Exit::Failure)
}
