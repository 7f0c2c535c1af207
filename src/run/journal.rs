//! What a long call has done so far, so that it can be killed at any point and go on.
//!
//! A journal is a text file that only grows: a first line with the [`Key`] of the call, then one
//! line for each finished run, in the order in which they were finished.
//!
//! ```text
//! mqsim-journal 1 6f1d0c9a52b3e874 6a3c91d2f04be857
//! 0c5b7a1e88d2f946 {"task":3,"seed":17,"record":{"success_lost":4}}
//! ```
//!
//! The last word of the first line and the first of each other line is the check sum of the rest of
//! that line. Reading stops at the first line that is torn or damaged, and the file is cut there:
//! what is lost that way is simulated again. A line goes to the system in one piece before
//! [`Journal::add`] returns, so a killed process loses nothing that it added; it is not forced to
//! disk, so a host without power may lose the newest lines, and knows by their check sums.
//!
//! Records come back in any order that threads finished in: sort by what [`Entry`] names.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::{hash_name, hash_words};
use crate::report::folder::plain_words;
use crate::scenario::shown_path;

/// With what the first line begins: the kind of file and the version of its format.
const MAGIC: &str = "mqsim-journal 1";

/// Everything that a result depends on but its task and seed: only the same call may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// The key of a call: the command, and whatever else its results depend on (the texts of the
    /// scenarios, their `--set`, seeds, limits), each as one text. The build of mqsim is added:
    /// another one may come to other results.
    #[must_use]
    pub fn new(parts: &[&str]) -> Key {
        let build = hash_name(crate::report::BUILD);
        let parts = parts.iter().map(|part| hash_name(part));
        Key(hash_words(&std::iter::once(build).chain(parts).collect::<Vec<_>>()))
    }

    /// 16 hexadecimal digits.
    #[must_use]
    pub fn text(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// One finished run: which it was, and what the caller wants to know of it.
///
/// Records go through JSON: whole numbers and finite floats come back exactly as they were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry<R> {
    /// Which scenario or cell of the call, from 0.
    pub task: u32,
    /// The seed.
    pub seed: u64,
    /// What became of it.
    pub record: R,
}

/// Why a journal cannot be kept. Each but [`JournalError::Foreign`] is the environment's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file could not be made, read, written, cut or removed.
    #[error("cannot {step} {}: {}\n  = help: {}", shown_path(.path), plain_words(.source).0, plain_words(.source).1)]
    Io {
        /// `create`, `read`, `write to`, ...
        step: &'static str,
        /// The journal.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process keeps it.
    #[error(
        "{} is in use: another call does the same work\n  = help: let it finish, or name another \
         folder with --out",
        shown_path(.0)
    )]
    InUse(PathBuf),
    /// What stands there was not written by mqsim, and it will not write over it.
    #[error("{} is no journal of mqsim\n  = help: move it away", shown_path(.0))]
    Foreign(PathBuf),
}

/// An open journal, locked against other processes where the file system has locks. Threads may
/// share it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Opens the journal of a call, with what is in it already. A journal of another key (an older
    /// scenario, other seeds) is begun anew; so is one whose first line is torn.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open<R: DeserializeOwned>(
        path: &Path,
        key: Key,
    ) -> Result<(Journal, Vec<Entry<R>>), JournalError> {
        let at = |step: &'static str| {
            move |source| JournalError::Io { step, path: path.to_owned(), source }
        };
        // A pipe would be waited for, a device is no place to keep anything, and neither is to be
        // removed at the end.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(JournalError::Foreign(path.to_owned()));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(at("create"))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
            // Some file systems have no locks; there two calls at once are at the user's risk.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(at("read"))?;
        let begun = bytes.get(..MAGIC.len()).unwrap_or(&bytes);
        if !MAGIC.as_bytes().starts_with(begun) {
            return Err(JournalError::Foreign(path.to_owned()));
        }
        let first = first_line(key);
        let (entries, kept) = match bytes.strip_prefix(first.as_bytes()) {
            Some(rest) => {
                let (entries, length) = whole_lines(rest);
                (entries, first.len() + length)
            }
            None => (Vec::new(), 0),
        };
        if kept < bytes.len() {
            file.set_len(kept as u64).map_err(at("cut"))?;
        }
        file.seek(SeekFrom::Start(kept as u64)).map_err(at("read"))?;
        if kept == 0 {
            file.write_all(first.as_bytes()).map_err(at("write to"))?;
        }
        // A link that led here stays when the journal goes.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok((Journal { path, file: Mutex::new(file) }, entries))
    }

    /// Adds a finished run.
    ///
    /// # Errors
    /// [`JournalError::Io`] if it cannot be written; the journal then ends with a torn line, and
    /// nothing more may be added.
    ///
    /// # Panics
    /// If the record cannot be JSON (a map with keys that are no text).
    pub fn add<R: Serialize>(&self, entry: &Entry<R>) -> Result<(), JournalError> {
        let text = serde_json::to_string(entry).expect("records are plain data");
        let line = format!("{:016x} {text}\n", hash_name(&text));
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(line.as_bytes());
        written.map_err(|source| self.error("write to", source))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it: the call is done, and what it was for is in place.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn remove(self) -> Result<(), JournalError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.error("remove", error)),
            _ => Ok(()),
        }
    }

    fn error(&self, step: &'static str, source: io::Error) -> JournalError {
        JournalError::Io { step, path: self.path.clone(), source }
    }
}

fn first_line(key: Key) -> String {
    let line = format!("{MAGIC} {}", key.text());
    format!("{line} {:016x}\n", hash_name(&line))
}

/// The entries up to the first line that is torn or damaged, and how many bytes they are.
fn whole_lines<R: DeserializeOwned>(bytes: &[u8]) -> (Vec<Entry<R>>, usize) {
    let (mut entries, mut length) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(entry) = entry(line) else { break };
        entries.push(entry);
        length += line.len();
    }
    (entries, length)
}

/// What a whole line says; `None` if it is torn or damaged.
fn entry<R: DeserializeOwned>(line: &[u8]) -> Option<Entry<R>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, text) = line.split_once(' ')?;
    let same = sum == format!("{:016x}", hash_name(text));
    same.then(|| serde_json::from_str(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        lost: u64,
        share: Option<f64>,
        word: String,
    }

    fn record(n: u64) -> Entry<Record> {
        // Floats with all their digits: they must come back to the last bit.
        let share = (!n.is_multiple_of(3)).then(|| 1.0 / n as f64);
        let record = Record { lost: u64::MAX - n, share, word: format!("\"x\"\n{n} é") };
        Entry { task: n as u32, seed: u64::MAX - n, record }
    }

    fn key() -> Key {
        Key::new(&["sweep", "text", "1..=20"])
    }

    /// A directory with the journal of `n` runs; the journal is closed.
    fn kept(n: u64) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("j");
        let (journal, found) = Journal::open::<Record>(&path, key()).unwrap();
        assert_eq!(found, []);
        (1..=n).for_each(|n| journal.add(&record(n)).unwrap());
        (directory, path)
    }

    fn found(path: &Path) -> Vec<Entry<Record>> {
        Journal::open(path, key()).unwrap().1
    }

    fn records(n: u64) -> Vec<Entry<Record>> {
        (1..=n).map(record).collect()
    }

    #[test]
    fn what_was_added_is_found_again_and_more_can_be_added() {
        let (_directory, path) = kept(50);
        let (journal, found_first) = Journal::open::<Record>(&path, key()).unwrap();
        assert_eq!(found_first, records(50));
        journal.add(&record(51)).unwrap();
        drop(journal);
        assert_eq!(found(&path), records(51));
    }

    #[test]
    fn a_journal_of_another_call_is_begun_anew() {
        let (_directory, path) = kept(3);
        let other = Key::new(&["sweep", "text", "1..=21"]);
        assert_eq!(Journal::open::<Record>(&path, other).unwrap().1, []);
        assert_eq!(found(&path), [], "the other one took its place");
        // Another build of the same version may come to other results.
        let version = [env!("CARGO_PKG_VERSION"), "sweep", "text", "1..=20"].map(hash_name);
        assert_ne!(key(), Key(hash_words(&version)));
        // Texts are told apart, not just what they are put together.
        assert_ne!(Key::new(&["ab", "c"]), Key::new(&["a", "bc"]));
        assert_ne!(Key::new(&["a"]), Key::new(&["a", ""]));
    }

    #[test]
    fn wherever_it_was_torn_the_whole_lines_before_are_found() {
        let (_directory, path) = kept(4);
        let bytes = std::fs::read(&path).unwrap();
        let ends: Vec<usize> = (1..=bytes.len()).filter(|end| bytes[end - 1] == b'\n').collect();
        assert_eq!(ends.len(), 5);
        for torn in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..torn]).unwrap();
            let whole = ends.iter().filter(|end| **end <= torn).count().saturating_sub(1);
            let (journal, got) = Journal::open::<Record>(&path, key()).unwrap();
            assert_eq!(got, records(4)[..whole], "torn at {torn}");
            journal.add(&record(9)).unwrap();
            drop(journal);
            let wanted = [&records(4)[..whole], &[record(9)]].concat();
            assert_eq!(found(&path), wanted, "torn at {torn}, then added to");
        }
    }

    #[test]
    fn what_was_not_written_by_mqsim_is_left_alone() {
        let (_directory, path) = kept(0);
        for text in ["a thesis\n", "mqsim-journal 2 0123\n"] {
            std::fs::write(&path, text).unwrap();
            let error = Journal::open::<Record>(&path, key()).unwrap_err();
            assert!(matches!(error, JournalError::Foreign(_)), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn two_calls_do_not_share_one() {
        let (_directory, path) = kept(2);
        let (journal, _) = Journal::open::<Record>(&path, key()).unwrap();
        let error = Journal::open::<Record>(&path, key()).unwrap_err();
        assert!(matches!(error, JournalError::InUse(_)), "{error}");
        journal.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn threads_do_not_tear_each_others_lines() {
        let (_directory, path) = kept(0);
        let (journal, _) = Journal::open::<Record>(&path, key()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let journal = &journal;
                let mine =
                    move || (1..=50).for_each(|n| journal.add(&record(n * 4 + thread)).unwrap());
                scope.spawn(mine);
            }
        });
        drop(journal);
        let mut all = found(&path);
        all.sort_by_key(|entry| entry.task);
        assert_eq!(all, (4..204).map(record).collect::<Vec<_>>());
    }

    proptest! {
        /// A damaged byte costs the line that it is in and those behind it, nothing before, and
        /// never brings up a record that was not added.
        #[test]
        fn damage_is_noticed(at in 0_usize..10_000, with in 1_u8..=255) {
            let (_directory, path) = kept(6);
            let mut bytes = std::fs::read(&path).unwrap();
            let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let at = first + at % (bytes.len() - first);
            let before = bytes[first..at].iter().filter(|byte| **byte == b'\n').count();
            bytes[at] ^= with;
            std::fs::write(&path, &bytes).unwrap();
            prop_assert_eq!(found(&path), records(6)[..before].to_vec());
        }
    }
}
