//! Report folders appear whole.
//!
//! The folder of scenario `mirror` is written beside its place, as `.mirror.new`, and synchronised
//! to disk; then the old one is renamed to `.mirror.old`, the new one to `mirror`, and the old one
//! removed. Whatever interrupts this, [`Reports::open`] of the next start puts it right: a `.new`
//! is never trusted and goes, an `.old` without its folder comes back. A lock on the directory
//! keeps two calls from doing this at once, where the file system has locks.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::File;

/// Which step failed, on what, and why. Each is the environment's fault: exit code 4.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder could not be made, written, renamed or removed.
    #[error("cannot {step} {}: {}\n  = help: {}", .path.display(), plain_words(.source).0, plain_words(.source).1)]
    Io {
        /// `create`, `write`, `rename`, ...
        step: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What stands where the report should go is not a report, and mqsim will not remove it.
    #[error(
        "{} is no report of this kind: it has no {mark}\n  = help: move it away, or name another \
         folder with --out",
        .path.display()
    )]
    Foreign {
        /// What stands there.
        path: PathBuf,
        /// The file that it would have.
        mark: String,
    },
}

/// What is wrong, in plainer words than the system's where there are some, and what to do.
pub(crate) fn plain_words(error: &io::Error) -> (String, &'static str) {
    const ELSEWHERE: &str = "name a folder that can be written to with --out";
    let (what, help) = match error.kind() {
        ErrorKind::StorageFull => {
            ("the disk is full", "make room, or name another disk with --out")
        }
        ErrorKind::QuotaExceeded => {
            ("the disk quota is used up", "make room, or name another disk with --out")
        }
        ErrorKind::FileTooLarge => {
            ("it would exceed the file-size limit", "raise the limit: ulimit -f unlimited")
        }
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            ("there is a file where a folder should be", "name a folder with --out")
        }
        ErrorKind::PermissionDenied => ("permission denied", ELSEWHERE),
        ErrorKind::ReadOnlyFilesystem => ("the file system is read-only", ELSEWHERE),
        _ => {
            let said = error.to_string();
            // The number says nothing to people.
            let plain = said.split(" (os error").next().unwrap_or(&said);
            return (plain.to_owned(), ELSEWHERE);
        }
    };
    (what.to_owned(), help)
}

type Result<T> = std::result::Result<T, FolderError>;

/// Adds step and path to an error.
fn at<'p>(step: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> FolderError + use<'p> {
    move |source| FolderError::Io { step, path: path.to_owned(), source }
}

/// The directory that report folders go to, `reports/` by default.
#[derive(Debug)]
pub struct Reports {
    root: PathBuf,
    made_root: bool,
}

impl Reports {
    /// Makes the directory if need be, repairs what an interrupted call left behind, and checks
    /// that it can be written to, so that a long run does not end in vain.
    ///
    /// # Errors
    /// [`FolderError::Io`] if any of that fails.
    pub fn open(root: &Path) -> Result<Reports> {
        let made_root = !root.exists();
        fs::create_dir_all(root).map_err(at("create", root))?;
        let reports = Reports { root: root.to_owned(), made_root };
        let _lock = reports.lock();
        reports.repair()?;
        let probe = root.join(".mqsim.new");
        fs::create_dir(&probe).map_err(at("write to", root))?;
        remove(&probe)?;
        Ok(reports)
    }

    /// Whether a folder `name` with that first file may be written, before a long run ends in vain.
    ///
    /// # Errors
    /// [`FolderError`] if something else stands there.
    pub fn may_write(&self, name: &str, mark: &str) -> Result<()> {
        refuse_foreign(&self.places(name).0, mark)
    }

    /// Puts `files` into the folder `name`, in place of what was there. The first file is the mark
    /// of its kind: only a folder that has one of that name is replaced.
    ///
    /// # Errors
    /// [`FolderError`]; then the old folder is still there (or will be after the next
    /// [`Reports::open`], if not even the way back worked), and nothing of the new one is.
    pub fn write(&self, name: &str, files: &[File]) -> Result<PathBuf> {
        let _lock = self.lock();
        self.repair()?;
        let (place, new, old) = self.places(name);
        refuse_foreign(&place, files.first().map_or("", |file| &file.name))?;
        let written = fill(&new, files).and_then(|()| self.swap(&place, &new, &old));
        if written.is_err() {
            // The first error is the one to report; what cannot be removed now goes next time.
            let _ = remove(&new);
        }
        written.map(|()| place)
    }

    /// Takes back what [`Reports::open`] made, if nothing was written: an interrupted or failed
    /// call leaves no empty directory.
    pub fn abandon(&self) {
        if self.made_root {
            // Fails if there is a report in it, which is what is wanted.
            let _ = fs::remove_dir(&self.root);
        }
    }

    /// A folder's place, and where its successor and its predecessor wait.
    fn places(&self, name: &str) -> (PathBuf, PathBuf, PathBuf) {
        let beside = |suffix: &str| self.root.join(format!(".{name}.{suffix}"));
        (self.root.join(name), beside("new"), beside("old"))
    }

    /// The complete new folder takes the old one's place.
    fn swap(&self, place: &Path, new: &Path, old: &Path) -> Result<()> {
        let replaces = place.exists();
        if replaces {
            fs::rename(place, old).map_err(at("rename", place))?;
        }
        if let Err(error) = fs::rename(new, place) {
            if replaces {
                let _ = fs::rename(old, place);
            }
            return Err(at("rename", new)(error));
        }
        synchronise(&self.root);
        // The new report is in place: an old one that cannot be removed is not worth an error.
        let _ = remove(old);
        Ok(())
    }

    /// Puts right what an interrupted [`Reports::write`] left.
    fn repair(&self) -> Result<()> {
        let entries = fs::read_dir(&self.root).map_err(at("read", &self.root))?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(at("read", &self.root))?.file_name());
        }
        names.sort();
        for file_name in names {
            let Some((name, suffix)) = leftover(&file_name) else { continue };
            let (place, new, old) = self.places(name);
            match suffix {
                "old" if place.exists() => remove(&old)?,
                "old" => fs::rename(&old, &place).map_err(at("rename", &old))?,
                _ => remove(&new)?,
            }
        }
        Ok(())
    }

    /// Waits until no other call of mqsim is at work here. Some file systems have no locks; there
    /// two calls at once are at the user's risk.
    fn lock(&self) -> Option<fs::File> {
        let directory = fs::File::open(&self.root).ok()?;
        directory.lock().ok()?;
        Some(directory)
    }
}

/// Splits `.NAME.new` and `.NAME.old`.
fn leftover(file_name: &OsStr) -> Option<(&str, &str)> {
    let (name, suffix) = file_name.to_str()?.strip_prefix('.')?.rsplit_once('.')?;
    let ours = !name.is_empty() && matches!(suffix, "new" | "old");
    ours.then_some((name, suffix))
}

/// Only a report of the same kind (or an empty folder) may be replaced: a mistaken `--out` must cost
/// nothing.
fn refuse_foreign(place: &Path, mark: &str) -> Result<()> {
    let foreign = || FolderError::Foreign { path: place.to_owned(), mark: mark.to_owned() };
    let kind = match fs::symlink_metadata(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(at("read", place))?.file_type(),
    };
    if !kind.is_dir() {
        return Err(foreign());
    }
    let empty = fs::read_dir(place).map_err(at("read", place))?.next().is_none();
    let same = empty || place.join(mark).is_file();
    if same { Ok(()) } else { Err(foreign()) }
}

/// Makes a folder with these files in it, all of it on disk.
fn fill(folder: &Path, files: &[File]) -> Result<()> {
    fs::create_dir(folder).map_err(at("create", folder))?;
    for file in files {
        let path = folder.join(&file.name);
        let mut out = fs::File::create_new(&path).map_err(at("create", &path))?;
        out.write_all(&file.bytes).map_err(at("write", &path))?;
        // Errors of delayed writes (disk full over a network, say) come out here.
        out.sync_all().map_err(at("write", &path))?;
    }
    synchronise(folder);
    Ok(())
}

/// Makes a directory's entries durable where the system can do that.
fn synchronise(directory: &Path) {
    if let Ok(directory) = fs::File::open(directory) {
        let _ = directory.sync_all();
    }
}

/// Removes a folder with all that is in it, or a file; it need not be there.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    /// What is in a directory, names only.
    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn text(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_folder_replaces_the_old_one_whole() {
        let root = tempfile::tempdir().unwrap();
        let reports = Reports::open(&root.path().join("a/b")).unwrap();
        let first = [file("summary.csv", "1"), file("only-in-the-first.csv", "x")];
        let place = reports.write("mirror", &first).unwrap();
        assert_eq!(names(&place), ["only-in-the-first.csv", "summary.csv"]);
        reports.write("mirror", &[file("summary.csv", "2")]).unwrap();
        assert_eq!(names(&place), ["summary.csv"]);
        assert_eq!(text(place.join("summary.csv")), "2");
        assert_eq!(names(&root.path().join("a/b")), ["mirror"]);
    }

    #[test]
    fn an_interrupted_swap_is_repaired_at_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str, content: &str| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("summary.csv"), content).unwrap();
        };
        // Killed while the new one was being written.
        make("a", "old a");
        make(".a.new", "half of a");
        // Killed between the two renames.
        make(".b.old", "old b");
        make(".b.new", "new b");
        // Killed before the old one was removed.
        make("c", "new c");
        make(".c.old", "old c");
        // None of ours.
        make(".keep", "kept");
        fs::write(root.path().join(".new"), "kept").unwrap();
        Reports::open(root.path()).unwrap();
        assert_eq!(names(root.path()), [".keep", ".new", "a", "b", "c"]);
        let content = |name: &str| text(root.path().join(name).join("summary.csv"));
        assert_eq!((content("a").as_str(), content("b").as_str()), ("old a", "old b"));
        assert_eq!(content("c"), "new c");
    }

    #[test]
    fn a_failed_write_leaves_the_old_folder_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let reports = Reports::open(root.path()).unwrap();
        let place = reports.write("mirror", &[file("summary.csv", "old")]).unwrap();
        let twice = [file("summary.csv", "new"), file("no/such/folder.csv", "new")];
        let error = reports.write("mirror", &twice).unwrap_err();
        assert!(error.to_string().starts_with("cannot create"), "{error}");
        assert_eq!(names(root.path()), ["mirror"]);
        assert_eq!(text(place.join("summary.csv")), "old");
    }

    #[test]
    fn what_is_not_a_report_is_never_removed() {
        let root = tempfile::tempdir().unwrap();
        let reports = Reports::open(root.path()).unwrap();
        fs::create_dir(root.path().join("mirror")).unwrap();
        fs::write(root.path().join("mirror/thesis.txt"), "ten years").unwrap();
        fs::write(root.path().join("plain"), "a file").unwrap();
        for name in ["mirror", "plain"] {
            let error = reports.write(name, &[file("summary.csv", "")]).unwrap_err();
            assert!(matches!(error, FolderError::Foreign { .. }), "{error}");
        }
        assert_eq!(names(root.path()), ["mirror", "plain"]);
        assert_eq!(text(root.path().join("mirror/thesis.txt")), "ten years");
    }

    #[test]
    fn a_directory_that_was_made_in_vain_goes_again() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("out");
        Reports::open(&out).unwrap().abandon();
        assert!(!out.exists());
        let reports = Reports::open(&out).unwrap();
        reports.write("mirror", &[file("summary.csv", "")]).unwrap();
        reports.abandon();
        assert_eq!(names(&out), ["mirror"]);
    }

    #[test]
    fn a_file_in_the_way_is_an_error_with_its_name() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("out");
        fs::write(&out, "a file").unwrap();
        let error = Reports::open(&out).unwrap_err().to_string();
        assert!(error.contains(out.to_str().unwrap()), "{error}");
    }

    #[test]
    fn errors_say_what_to_do_about_them() {
        let shown = |kind: ErrorKind| {
            let path = PathBuf::from("reports");
            FolderError::Io { step: "write to", path, source: kind.into() }.to_string()
        };
        assert_eq!(
            shown(ErrorKind::StorageFull),
            "cannot write to reports: the disk is full\n  \
             = help: make room, or name another disk with --out"
        );
        assert!(shown(ErrorKind::FileTooLarge).contains("ulimit -f"));
        assert!(shown(ErrorKind::Other).contains("--out"));
    }
}
