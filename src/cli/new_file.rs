//! Files that a user asked for by name: new ones, which are never written over another, and those
//! that are made anew with every call, which appear whole.

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

/// Whether a file can stand there: its directory is one, and it is none itself.
pub(super) fn can_stand(path: &Path) -> Result<(), (String, Exit)> {
    let shown = path.display();
    if path.is_dir() {
        let help = "name a file";
        return Err((format!("{shown} is a directory\n  = help: {help}"), Exit::Input));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if parent.is_some_and(|parent| !parent.is_dir()) {
        let help = "make the directory first, or name another file";
        return Err((
            format!("{shown}: there is no such directory\n  = help: {help}"),
            Exit::Input,
        ));
    }
    Ok(())
}

/// Writes a file in place of the one that may be there: under another name first.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), (String, Exit)> {
    let failed = |error: std::io::Error| {
        (format!("cannot write {}: {error}", path.display()), Exit::Failure)
    };
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let new = path.with_file_name(format!(".{name}.new"));
    let mut file = std::fs::File::create(&new).map_err(failed)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| std::fs::rename(&new, path)).map_err(|error| {
        let _ = std::fs::remove_file(&new);
        failed(error)
    })
}
