//! Files that a user asked for by name: never written over another.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::exit::Exit;

/// Writes a file that must not exist yet.
pub(super) fn write(path: &Path, text: &str) -> Result<(), (String, Exit)> {
    let shown = path.display();
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error
            .kind()
        {
            ErrorKind::AlreadyExists => {
                let help = "name another file, or remove it first";
                (format!("{shown} is there already\n  = help: {help}"), Exit::Input)
            }
            ErrorKind::NotFound => {
                let help = "make the directory first, or name another file";
                (format!("{shown}: there is no such directory\n  = help: {help}"), Exit::Input)
            }
            _ => (format!("cannot write {shown}: {error}"), Exit::Failure),
        })?;
    file.write_all(text.as_bytes()).map_err(|error| {
        // Half a file is worse than none.
        let _ = std::fs::remove_file(path);
        (format!("cannot write {shown}: {error}"), Exit::Failure)
    })
}
