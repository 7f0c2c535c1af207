//! Which files a command line means: those that it names, and the scenarios in directories.

use std::fs;
use std::path::{Path, PathBuf};

use crate::scenario::{MOST_BYTES, is_scenario, shown_path};

/// Whether a scenario comes from stdin, by either of its names.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdin")
}

/// The scenario files of `named`, those of a directory sorted, at any depth. Names with a leading
/// dot are left out there, as are TOML files that are something else.
///
/// # Errors
/// One message for each directory that cannot be read or has no scenario in it.
pub(super) fn scenarios(named: &[PathBuf]) -> Result<Vec<PathBuf>, Vec<String>> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for path in named {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut below = Vec::new();
        match search(path, &mut below) {
            Ok(()) if below.is_empty() => wrong.push(format!(
                "{}: there is no scenario in this directory\n  = help: name a directory with \
                 scenarios (*.toml), such as scenarios/",
                shown_path(path)
            )),
            Ok(()) => found.append(&mut below),
            Err(message) => wrong.push(message),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// The scenarios below a directory, in the order of their names.
fn search(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        format!(
            "{}: cannot be read: {error}\n  = help: chmod u+rx, or name files",
            shown_path(path)
        )
    };
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.map_err(|error| unreadable(directory, &error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A link to a directory is not followed: it may lead in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            search(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "toml") && path.is_file() {
            let long = fs::metadata(&path).is_ok_and(|file| file.len() > MOST_BYTES as u64);
            // What is unreadable or too long is told when it is loaded.
            let is_other = !long && fs::read(&path).is_ok_and(|bytes| !is_scenario(&bytes));
            if !is_other {
                found.push(path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_searched_for_scenarios() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for name in ["b.toml", "a/z.toml", "a/b/c.toml", "a.toml", ".hidden/d.toml", ".e.toml"] {
            write(name, "format = 1");
        }
        write("Cargo.toml", "[package]");
        write("notes.md", "format = 1");
        write("broken.toml", "mode = ");
        write("empty/readme.txt", "");
        let found = scenarios(&[root.join("b.toml"), root.to_owned()]).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.strip_prefix(root).unwrap()).collect();
        let wanted =
            ["b.toml", "a/b/c.toml", "a/z.toml", "a.toml", "b.toml", "broken.toml"].map(Path::new);
        assert_eq!(found, wanted);
        let wrong = scenarios(&[root.join("empty"), root.join("a")]).unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].contains("no scenario"), "{wrong:?}");
    }
}
