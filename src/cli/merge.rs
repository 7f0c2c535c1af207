//! `mqsim merge`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::args::Merge;
use super::console;
use super::exit::Exit;
use super::interrupt::Interrupt;
use super::sweep::{folder_name, printed, shown, weather_of, write};
use crate::report::folder::Reports;
use crate::report::sweep::{MANIFEST, MARK, Part, Shard, Sweep, merge};
use crate::scenario::shown_path;

/// Reads all shards, then writes the folder that one call would have written.
pub(super) fn execute(wanted: &Merge) -> Exit {
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            console::error(&format!("cannot handle signals: {error}"));
            return Exit::Failure;
        }
    };
    let sweep = read(&wanted.shards)
        .and_then(|parts| merge(parts).map_err(|error| error.to_string()))
        .and_then(|sweep| {
            let shown = shown(&wanted.view.show)?;
            let weather = weather_of(&wanted.view, &sweep.grid)?;
            Ok((Sweep { weather, ..sweep }, shown))
        });
    let (sweep, shown) = match sweep {
        Ok(sweep) => sweep,
        Err(message) => {
            console::error(&message);
            return Exit::Input;
        }
    };
    if !wanted.out.exists() {
        interrupt.made(wanted.out.clone());
    }
    let opened = interrupt.whole(|| Reports::open(&wanted.out)).map_err(|error| error.to_string());
    let written = opened.and_then(|folders| {
        let name = folder_name(&sweep.scenario, None);
        let written = write(&interrupt, &folders, &name, &sweep, Shard::WHOLE);
        folders.abandon();
        written
    });
    match written {
        Ok(folder) => {
            if !wanted.quiet {
                console::print(&printed(&sweep, &shown, &folder));
            }
            Exit::Holds
        }
        Err(message) => {
            console::error(&message);
            Exit::Failure
        }
    }
}

/// Every shard that is named, or is in a directory that is named.
fn read(named: &[PathBuf]) -> Result<Vec<(String, Part)>, String> {
    let mut parts = Vec::new();
    for path in named {
        if path.join(MANIFEST).is_file() || path.join(MARK).is_file() {
            parts.push(part(path)?);
            continue;
        }
        let below = below(path)?;
        if below.is_empty() {
            return Err(format!(
                "{}: there is no shard of a sweep in it\n  = help: name folders that `mqsim sweep \
                 --shard` wrote, or the directory that they are in",
                shown_path(path)
            ));
        }
        for folder in below {
            parts.push(part(&folder)?);
        }
    }
    Ok(parts)
}

/// The folders of shards directly in a directory, by name. A whole sweep that was merged there
/// before is none of them.
fn below(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| {
        let shown = shown_path(directory);
        match error.kind() {
            ErrorKind::NotFound => format!(
                "{shown}: there is no such directory\n  = help: name the folders of the shards"
            ),
            ErrorKind::NotADirectory => {
                format!("{shown}: it is a file\n  = help: name the folder of a shard")
            }
            _ => format!("{shown}: cannot be read: {error}\n  = help: chmod u+rx"),
        }
    };
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let shards = entries.into_iter().filter(|entry| {
        let name = entry.file_name();
        let named = name.to_str().is_some_and(|name| name.contains("-sweep-"));
        named && !name.as_encoded_bytes().starts_with(b".")
    });
    let paths = shards.map(|entry| entry.path());
    Ok(paths.filter(|path| path.join(MANIFEST).is_file()).collect())
}

/// Reads one shard.
fn part(folder: &Path) -> Result<(String, Part), String> {
    let text = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(|error| {
            let why = match error.kind() {
                ErrorKind::NotFound => "there is no such file".to_owned(),
                ErrorKind::InvalidData => "it is no text".to_owned(),
                _ => error.to_string(),
            };
            format!("{}: {why}\n  = help: run that shard again", shown_path(&path))
        })
    };
    let part = Part::read(&text(MANIFEST)?, &text(MARK)?);
    let shown = shown_path(folder);
    part.map(|part| (shown, part)).map_err(|error| format!("{}: {error}", shown_path(folder)))
}
