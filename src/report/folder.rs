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
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    /// What a report has in it.
    fn report(folder: &Path) -> Vec<String> {
        let mut names = names(folder);
        assert_eq!(names.remove(0), LIST);
        names
    }

    #[test]
    fn a_folder_replaces_the_old_one_whole() {
        let root = tempfile::tempdir().unwrap();
        let reports = Reports::open(&root.path().join("a/b")).unwrap();
        let first = [file("summary.csv", "1"), file("only-in-the-first.csv", "x")];
        let place = reports.write("mirror", &first).unwrap();
        assert_eq!(report(&place), ["only-in-the-first.csv", "summary.csv"]);
        reports.write("mirror", &[file("summary.csv", "2")]).unwrap();
        assert_eq!(report(&place), ["summary.csv"]);
        assert_eq!(text(place.join("summary.csv")), "2");
        assert_eq!(names(&root.path().join("a/b")), ["mirror"]);
    }

    #[test]
    fn what_a_user_put_into_a_report_is_in_the_next_one() {
        let root = tempfile::tempdir().unwrap();
        let reports = Reports::open(root.path()).unwrap();
        let place =
            reports.write("mirror", &[file("summary.csv", "1"), file("a.svg", "")]).unwrap();
        fs::write(place.join("notes.md"), "look at n2").unwrap();
        fs::create_dir(place.join("logs")).unwrap();
        fs::write(place.join("logs/a.svg"), "theirs").unwrap();
        reports.write("mirror", &[file("summary.csv", "2")]).unwrap();
        assert_eq!(report(&place), ["logs", "notes.md", "summary.csv"]);
        assert_eq!(text(place.join("notes.md")), "look at n2");
        assert_eq!(text(place.join("logs/a.svg")), "theirs");
        // A name that is the user's stays the user's.
        let error = reports.write("mirror", &[file("summary.csv", ""), file("notes.md", "")]);
        assert!(matches!(error.unwrap_err(), FolderError::InTheWay(_)));
        assert_eq!(text(place.join("notes.md")), "look at n2");
        assert_eq!(text(place.join("summary.csv")), "2");
    }

    /// A folder as a call of mqsim leaves it.
    fn made(root: &Path, name: &str, content: &str) {
        fill(&root.join(name), &[file("summary.csv", content)]).unwrap();
    }

    #[test]
    fn an_interrupted_swap_is_repaired_at_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str, content: &str| made(root.path(), name, content);
        // Killed while the new one was being written, at three points of it.
        make("a", "old a");
        make(".a.mqsim-new", "half of a");
        fs::create_dir(root.path().join(".d.mqsim-new")).unwrap();
        fs::create_dir(root.path().join(".e.mqsim-new")).unwrap();
        fs::write(root.path().join(".e.mqsim-new").join(LIST), &HEAD[..9]).unwrap();
        // Killed between the two renames.
        make(".b.mqsim-old", "old b");
        fs::write(root.path().join(".b.mqsim-old/notes.md"), "about b").unwrap();
        make(".b.mqsim-new", "new b");
        // Killed before the old one was removed.
        make("c", "new c");
        make(".c.mqsim-old", "old c");
        fs::write(root.path().join(".c.mqsim-old/notes.md"), "about c").unwrap();
        Reports::open(root.path()).unwrap();
        assert_eq!(names(root.path()), ["a", "b", "c"]);
        let content = |name: &str| text(root.path().join(name).join("summary.csv"));
        assert_eq!((content("a").as_str(), content("b").as_str()), ("old a", "old b"));
        assert_eq!(content("c"), "new c");
        assert_eq!(text(root.path().join("b/notes.md")), "about b");
        assert_eq!(text(root.path().join("c/notes.md")), "about c");
    }

    #[test]
    fn what_bears_the_name_of_a_leftover_and_is_none_is_in_the_way() {
        let root = tempfile::tempdir().unwrap();
        let theirs = root.path().join(".mirror.mqsim-old");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("thesis.txt"), "ten years").unwrap();
        let reports = Reports::open(root.path()).unwrap();
        let error = reports.may_write("mirror", "summary.csv").unwrap_err();
        assert!(matches!(error, FolderError::InTheWay(_)), "{error}");
        reports.write("mirror", &[file("summary.csv", "")]).unwrap_err();
        assert_eq!(names(root.path()), [".mirror.mqsim-old"]);
        assert_eq!(text(theirs.join("thesis.txt")), "ten years");
    }

    /// A list that somebody made up reaches no further than its folder.
    #[test]
    fn a_list_is_of_its_own_folder_only() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), "ten years").unwrap();
        made(root.path(), "mirror", "1");
        let list = format!("{HEAD}summary.csv\n../thesis.txt\n..\n.\n\nlogs\n");
        fs::write(root.path().join("mirror").join(LIST), list).unwrap();
        fs::create_dir(root.path().join("mirror/logs")).unwrap();
        let reports = Reports::open(root.path()).unwrap();
        reports.write("mirror", &[file("summary.csv", "2")]).unwrap();
        assert_eq!(names(root.path()), ["mirror", "thesis.txt"]);
        assert_eq!(report(&root.path().join("mirror")), ["logs", "summary.csv"]);
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
        fs::write(root.path().join("mirror/summary.csv"), "of the thesis").unwrap();
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

    /// Files and folders that anybody may have: with the names that mqsim uses, or used.
    fn theirs() -> impl Strategy<Value = Vec<(String, String)>> {
        let folder = prop_oneof![
            Just(""),
            Just("mirror/"),
            Just(".mirror.mqsim-new/"),
            Just(".mirror.mqsim-old/"),
            Just(".env.mqsim-old/"),
            Just(".config.new/"),
            Just("src/"),
        ];
        let name = prop_oneof![
            Just("summary.csv"),
            Just("notes.md"),
            Just(".mirror.new"),
            Just(".venv.old"),
            Just(".x.mqsim-new"),
            Just(".x.mqsim-old"),
            Just(".mqsim.new"),
            Just("mirror"),
            Just(LIST),
        ];
        let path = (folder, name).prop_map(|(folder, name)| format!("{folder}{name}"));
        prop::collection::vec((path, "[a-z]{1,6}"), 0..8)
    }

    /// Every file below a folder, and every folder, with what is in it.
    fn tree(folder: &Path) -> std::collections::BTreeMap<PathBuf, String> {
        let mut found = std::collections::BTreeMap::new();
        for name in names(folder) {
            let path = folder.join(name);
            if path.is_dir() {
                found.extend(tree(&path));
                found.insert(path.join(""), String::new());
            } else {
                found.insert(path.clone(), text(path));
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever is in a directory that was named by mistake is there afterwards, as it was.
        #[test]
        fn what_is_not_ours_is_the_same_afterwards(theirs in theirs(), ours: bool) {
            let root = tempfile::tempdir().unwrap();
            let summary = file("summary.csv", "ours");
            if ours {
                made(root.path(), "mirror", "older");
            }
            for (path, content) in theirs {
                let path = root.path().join(path);
                let _ = fs::create_dir_all(path.parent().unwrap());
                // What is there already stays, and so does a folder's own list: a changed list is
                // the user's doing.
                if let Ok(mut file) = fs::File::create_new(path) {
                    file.write_all(content.as_bytes()).unwrap();
                }
            }
            let mut before = tree(root.path());
            let written = Reports::open(root.path())
                .and_then(|reports| reports.write("mirror", std::slice::from_ref(&summary)));
            let mut after = tree(root.path());
            if let Ok(place) = written {
                prop_assert_eq!(after.remove(&place.join("summary.csv")).unwrap(), "ours");
                prop_assert!(after.remove(&place.join(LIST)).unwrap().starts_with(HEAD));
                after.remove(&place.join(""));
                if ours {
                    before.remove(&place.join("summary.csv"));
                    before.remove(&place.join(LIST));
                }
                before.remove(&place.join(""));
            }
            prop_assert_eq!(before, after);
        }
    }
}
