//! The `mqsim` command: reads the command line, calls the library, sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    mqsim::cli::main(&mqsim::cli::Library::default(), std::env::args_os()).code().into()
}
