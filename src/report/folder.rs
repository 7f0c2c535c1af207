//! Report folders appear whole, and what mqsim did not make stays as it is.
//!
//! The folder of scenario `mirror` is written beside its place, as `.mirror.mqsim-new`, and
//! synchronised to disk; then the old one is renamed to `.mirror.mqsim-old`, the new one to
//! `mirror`, and the files of the old one are removed. Whatever interrupts this, [`Reports::open`]
//! of the next start puts it right: a new folder that is not in its place is never trusted and
//! goes, an old one without its successor comes back. A lock on the directory keeps two calls from
//! doing this at once, where the file system has locks.
//!
//! Every folder has a list of what mqsim wrote into it, the file [`LIST`]. It is the mark by which a
//! folder is known, and nothing that is not on it is ever removed: what a user put into a report
//! (`notes.md`) is in its successor, too. A folder without a list is somebody else's.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::File;
use crate::scenario::shown_path;

/// Which step failed, on what, and why. Each is the environment's fault: exit code 4.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder could not be made, written, renamed or removed.
    #[error("cannot {step} {}: {}\n  = help: {}", shown_path(.path), plain_words(.source).0, plain_words(.source).1)]
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
        "{} is no report of this kind: it has no {mark} that is on its list ({LIST})\n  = help: move \
         it away, or name another folder with --out",
        shown_path(.path)
    )]
    Foreign {
        /// What stands there.
        path: PathBuf,
        /// The file that it would have.
        mark: String,
    },
    /// Something that mqsim did not make has the name of something that it would write.
    #[error(
        "{} is in the way, and was not made by mqsim\n  = help: move it away, or name another \
         folder with --out",
        shown_path(.0)
    )]
    InTheWay(PathBuf),
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

/// The file in every report folder that lists what mqsim wrote there.
pub const LIST: &str = ".mqsim";

/// The first line of the list.
const HEAD: &str = "# mqsim wrote these files; it leaves everything else in this folder alone.\n";

/// The directory that report folders go to, `reports/` by default.
#[derive(Debug)]
pub struct Reports {
    root: PathBuf,
    made_root: bool,
}

/// A folder's place, and where its successor and its predecessor wait.
struct Places {
    place: PathBuf,
    new: PathBuf,
    old: PathBuf,
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
        reports.probe()?;
        Ok(reports)
    }

    /// Whether a folder `name` with that first file may be written, before a long run ends in vain.
    ///
    /// # Errors
    /// [`FolderError`] if something else stands there.
    pub fn may_write(&self, name: &str, mark: &str) -> Result<()> {
        let places = self.places(name);
        refuse_foreign(&places.place, mark)?;
        places.refuse_neighbours()
    }

    /// Puts `files` into the folder `name`, in place of those that mqsim wrote before. The first
    /// file tells the kind of report: only a folder of the same kind is replaced. Whatever else is
    /// in that folder is in the new one, too.
    ///
    /// # Errors
    /// [`FolderError`]; then the old folder is still there (or will be after the next
    /// [`Reports::open`], if not even the way back worked), and nothing of the new one is.
    pub fn write(&self, name: &str, files: &[File]) -> Result<PathBuf> {
        let _lock = self.lock();
        self.repair()?;
        let places = self.places(name);
        refuse_foreign(&places.place, files.first().map_or("", |file| &file.name))?;
        places.refuse_neighbours()?;
        places.refuse_clashes(files)?;
        let written = fill(&places.new, files).and_then(|()| self.swap(&places));
        if written.is_err() {
            // The first error is the one to report; what cannot be removed now goes next time.
            let _ = take_down(&places.new);
        }
        written.map(|()| places.place)
    }

    /// Takes back what [`Reports::open`] made, if nothing was written: an interrupted or failed
    /// call leaves no empty directory.
    pub fn abandon(&self) {
        if self.made_root {
            // Fails if there is a report in it, which is what is wanted.
            let _ = fs::remove_dir(&self.root);
        }
    }

    fn places(&self, name: &str) -> Places {
        let beside = |suffix: &str| self.root.join(format!(".{name}.mqsim-{suffix}"));
        Places { place: self.root.join(name), new: beside("new"), old: beside("old") }
    }

    /// The complete new folder takes the old one's place.
    fn swap(&self, Places { place, new, old }: &Places) -> Result<()> {
        let replaces = is_there(place);
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
        if replaces {
            move_over(old, place)?;
            // The new report is in place: an old one that cannot be removed is not worth an error.
            let _ = take_down(old);
        }
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
            let Places { place, new, old } = self.places(name);
            let path = if suffix == "new" { &new } else { &old };
            if !is_ours(path)? {
                continue;
            }
            if suffix == "old" && !is_there(&place) {
                fs::rename(&old, &place).map_err(at("rename", &old))?;
                continue;
            }
            if suffix == "old" && listed(&place)?.is_some() {
                move_over(&old, &place)?;
            }
            take_down(path)?;
        }
        Ok(())
    }

    /// Makes a directory and removes it again.
    fn probe(&self) -> Result<()> {
        for number in 0.. {
            let probe = self.root.join(format!(".mqsim-{}-{number}", std::process::id()));
            match fs::create_dir(&probe) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => {
                    made.map_err(at("write to", &self.root))?;
                    return fs::remove_dir(&probe).map_err(at("remove", &probe));
                }
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

impl Places {
    /// What is left there after [`Reports::repair`] is not mqsim's, or holds something that is not.
    fn refuse_neighbours(&self) -> Result<()> {
        for path in [&self.new, &self.old] {
            if is_there(path) {
                return Err(FolderError::InTheWay(path.clone()));
            }
        }
        Ok(())
    }

    /// A user's own file keeps its name.
    fn refuse_clashes(&self, files: &[File]) -> Result<()> {
        for name in foreign(&self.place)? {
            if files.iter().any(|file| *file.name == *name) {
                return Err(FolderError::InTheWay(self.place.join(name)));
            }
        }
        Ok(())
    }
}

/// Splits `.NAME.mqsim-new` and `.NAME.mqsim-old`.
fn leftover(file_name: &OsStr) -> Option<(&str, &str)> {
    let (name, suffix) = file_name.to_str()?.strip_prefix('.')?.rsplit_once(".mqsim-")?;
    let ours = !name.is_empty() && matches!(suffix, "new" | "old");
    ours.then_some((name, suffix))
}

/// Whether anything is there, be it a link to nothing.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether it is a folder itself, and no link to one.
fn is_folder(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        found => Ok(found.map_err(at("read", path))?.is_dir()),
    }
}

/// The names of everything in a folder, in their order; none if it is not there.
fn entries(folder: &Path) -> Result<Vec<OsString>> {
    if !is_folder(folder)? {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(at("read", folder))?;
    let mut names: Vec<OsString> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    Ok(names)
}

/// The files of a folder that mqsim wrote, the list itself last; `None` if there is no list. Of a
/// list that was torn as it was written nothing but itself is mqsim's.
fn listed(folder: &Path) -> Result<Option<Vec<String>>> {
    let path = folder.join(LIST);
    let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
    if !is_folder(folder)? || !is_file {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(at("read", &path))?;
    let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(None) };
    // A version control system may have changed the ends of lines.
    let text = text.replace("\r\n", "\n");
    let Some(names) = text.strip_prefix(HEAD) else {
        return Ok(HEAD.starts_with(&*text).then(|| vec![LIST.to_owned()]));
    };
    // Whoever wrote the list: it reaches no further than its folder.
    let plain = |name: &&str| Path::new(name).file_name() == Some(OsStr::new(name));
    let whole = names.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let names = whole.filter(plain).map(str::to_owned);
    Ok(Some(names.chain([LIST.to_owned()]).collect()))
}

/// What is in a folder and was not written by mqsim.
fn foreign(folder: &Path) -> Result<Vec<OsString>> {
    let listed = listed(folder)?.unwrap_or_default();
    let mut names = entries(folder)?;
    names.retain(|name| !listed.iter().any(|ours| **ours == **name) || is_dir_in(folder, name));
    Ok(names)
}

/// mqsim writes no folders into its folders, whatever the list says.
fn is_dir_in(folder: &Path, name: &OsStr) -> bool {
    fs::symlink_metadata(folder.join(name)).is_ok_and(|found| found.is_dir())
}

/// Whether what has a name of ours is ours: a folder with a list, or an empty one.
fn is_ours(path: &Path) -> Result<bool> {
    Ok(listed(path)?.is_some() || (is_folder(path)? && entries(path)?.is_empty()))
}

/// Only a report of the same kind (or an empty folder) may be replaced: a mistaken `--out` must cost
/// nothing.
fn refuse_foreign(place: &Path, mark: &str) -> Result<()> {
    let refused = || FolderError::Foreign { path: place.to_owned(), mark: mark.to_owned() };
    if !is_there(place) {
        return Ok(());
    }
    if !is_folder(place)? {
        return Err(refused());
    }
    let same = match listed(place)? {
        Some(names) => names.first().is_some_and(|first| first == mark),
        None => entries(place)?.is_empty(),
    };
    if same { Ok(()) } else { Err(refused()) }
}

/// Makes a folder with these files in it, all of it on disk: first the list of them.
fn fill(folder: &Path, files: &[File]) -> Result<()> {
    fs::create_dir(folder).map_err(at("create", folder))?;
    let names: String = files.iter().map(|file| format!("{}\n", file.name)).collect();
    put(folder, LIST, format!("{HEAD}{names}").as_bytes())?;
    for file in files {
        put(folder, &file.name, &file.bytes)?;
    }
    synchronise(folder);
    Ok(())
}

/// Makes a file in a folder and has it on disk.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(name);
    let mut out = fs::File::create_new(&path).map_err(at("create", &path))?;
    out.write_all(bytes).map_err(at("write", &path))?;
    // Errors of delayed writes (disk full over a network, say) come out here.
    out.sync_all().map_err(at("write", &path))
}

/// Makes a directory's entries durable where the system can do that.
fn synchronise(directory: &Path) {
    if let Ok(directory) = fs::File::open(directory) {
        let _ = directory.sync_all();
    }
}

/// Moves what is not mqsim's from a report to its successor. What finds its name taken there stays.
fn move_over(from: &Path, to: &Path) -> Result<()> {
    for name in foreign(from)? {
        let (old, new) = (from.join(&name), to.join(&name));
        if !is_there(&new) {
            fs::rename(&old, &new).map_err(at("move", &old))?;
        }
    }
    Ok(())
}

/// Removes what mqsim wrote into a folder, and the folder if nothing else is in it; it need not be
/// there.
fn take_down(folder: &Path) -> Result<()> {
    for name in listed(folder)?.unwrap_or_default() {
        let path = folder.join(&name);
        if is_there(&path) && !is_dir_in(folder, OsStr::new(&name)) {
            fs::remove_file(&path).map_err(at("remove", &path))?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if !is_there(folder) || error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed.map_err(at("remove", folder)),
    }
}

#[cfg(test)]
mod tests;
