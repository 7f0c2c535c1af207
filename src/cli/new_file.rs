//! Files that a user asked for by name: new ones, which are never written over another, and those
//! that are made anew with every call, which appear whole. What is no file (a pipe, a terminal) is
//! written to as it is.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::exit::Exit;
use crate::report::folder::plain_words;
use crate::scenario::shown_path;

/// What is wrong, and whose fault it is.
type Wrong = (String, Exit);

fn refused(path: &Path, what: &str, help: &str) -> Wrong {
    (format!("{}{what}\n  = help: {help}", shown_path(path)), Exit::Input)
}

fn failed(path: &Path, error: &io::Error) -> Wrong {
    let (why, _) = plain_words(error);
    let help = "make room for it or make it writable, or name another file";
    (format!("cannot write {}: {why}\n  = help: {help}", shown_path(path)), Exit::Failure)
}

const NO_DIRECTORY: &str = ": there is no such directory";
const MAKE_DIRECTORY: &str = "make the directory first, or name another file";

/// Writes a file that must not exist yet.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Wrong> {
    let mut file = make(path)?;
    file.write_all(text.as_bytes()).map_err(|error| {
        // Half a file is worse than none.
        let _ = fs::remove_file(path);
        failed(path, &error)
    })
}

/// Makes a file that must not exist yet.
pub(super) fn make(path: &Path) -> Result<File, Wrong> {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            refused(path, " is there already", "name another file, or remove it first")
        }
        ErrorKind::NotFound => refused(path, NO_DIRECTORY, MAKE_DIRECTORY),
        _ => failed(path, &error),
    })
}

/// A kind of file that is made anew with every call, known by how it begins.
pub(super) struct Kind {
    /// What one of this kind begins with: no other file is written over.
    pub(super) begins: &'static str,
    /// How it goes on after "and is no".
    pub(super) called: &'static str,
}

/// `check --junit`.
pub(super) const XML: Kind = Kind { begins: "<?xml", called: "XML" };

/// A place for a text, looked at before a long call so that it does not end in vain.
#[derive(Debug)]
pub(super) enum Output {
    /// A file that is there and is replaced, or is to be made.
    File(PathBuf),
    /// What is no file of its own is written through: a pipe, a terminal, `/dev/null`, and stdout
    /// itself by whatever name.
    Stream(PathBuf, File),
    /// A file to which others add, too.
    Added(PathBuf),
}

impl Output {
    /// The place that a user named. A pipe is open from now on, for whoever reads it.
    pub(super) fn at(path: &Path, kind: &Kind) -> Result<Output, Wrong> {
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                can_stand(path)?;
                return Ok(Output::File(path.to_owned()));
            }
            found => found.map_err(|error| failed(path, &error))?,
        };
        if let Some(stream) = own_stream(&found) {
            return Ok(Output::Stream(path.to_owned(), stream));
        }
        if !found.is_file() && !found.is_dir() {
            return stream(path, &found).map(|file| Output::Stream(path.to_owned(), file));
        }
        can_stand(path)?;
        let mut begun = Vec::new();
        let read = File::open(path)
            .and_then(|file| file.take(kind.begins.len() as u64).read_to_end(&mut begun));
        read.map_err(|error| {
            refused(
                path,
                &format!(": cannot be read: {}", plain_words(&error).0),
                "name another file",
            )
        })?;
        if !begun.is_empty() && begun != kind.begins.as_bytes() {
            let what = format!(" is there already, and is no {}", kind.called);
            return Err(refused(path, &what, "name another file, or move it away"));
        }
        Ok(Output::File(path.to_owned()))
    }

    /// A file that is there or is to be made, and to whose end the text goes.
    pub(super) fn added_to(path: &Path) -> Result<Output, Wrong> {
        can_stand(path).map(|()| Output::Added(path.to_owned()))
    }

    /// Writes the text. A reader that has gone away is no error.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Wrong> {
        match self {
            Output::File(path) => replace(path, text),
            Output::Added(path) => {
                let file = OpenOptions::new().append(true).create(true).open(&path);
                let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
                written.map_err(|error| failed(path, &error))
            }
            Output::Stream(path, file) => {
                match file.write_all(text.as_bytes()).and_then(|()| file.flush()) {
                    Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                        Err(failed(path, &error))
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Whether a file can stand there: its directory is one, and there is a file or nothing.
pub(super) fn can_stand(path: &Path) -> Result<(), Wrong> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(refused(path, " is a directory", "name a file"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if parent.is_some_and(|parent| !parent.is_dir()) {
        return Err(refused(path, NO_DIRECTORY, MAKE_DIRECTORY));
    }
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            Err(refused(path, " is no file that can be kept", "name a file"))
        }
        Err(_) if fs::symlink_metadata(path).is_ok() => {
            Err(refused(path, " is a link to nothing", "name a file, or remove the link"))
        }
        _ => Ok(()),
    }
}

/// Writes a file in place of the one that may be there: under a name that nobody has first, and
/// behind a link where there is one.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Wrong> {
    let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (new, mut file) = beside(&whole).map_err(|error| failed(path, &error))?;
    let written = (|| {
        file.write_all(text.as_bytes())?;
        if let Ok(old) = fs::metadata(&whole) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&new, &whole)
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(&new);
        failed(path, &error)
    })
}

/// A new file in the same directory, with a name that nobody has.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut number = 0_u32;
    loop {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".mqsim-{}-{number}", std::process::id()));
        let new = path.with_file_name(name);
        match File::create_new(&new) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|file| (new, file)),
        }
    }
}

/// Opens what is no file, if it is something that takes a text and lets go of it: nobody may hang,
/// and no disk be written over.
#[cfg(unix)]
fn stream(path: &Path, found: &fs::Metadata) -> Result<File, Wrong> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    let kind = found.file_type();
    if kind.is_block_device() || kind.is_socket() {
        return Err(refused(path, " is no file, and cannot be written like one", "name a file"));
    }
    let mut options = OpenOptions::new();
    options.write(true);
    if !kind.is_fifo() {
        return options.open(path).map_err(|error| failed(path, &error));
    }
    // Without a reader it would be waited for one. While this one is open, the next does not wait.
    let asked = options.clone().custom_flags(libc::O_NONBLOCK).open(path);
    let _reader = asked.map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) => {
            refused(path, " is a pipe, and nobody reads it", "start its reader first")
        }
        _ => failed(path, &error),
    })?;
    options.open(path).map_err(|error| failed(path, &error))
}

#[cfg(not(unix))]
fn stream(path: &Path, _: &fs::Metadata) -> Result<File, Wrong> {
    OpenOptions::new().write(true).open(path).map_err(|error| failed(path, &error))
}

/// stdout or stderr, if that is what is there (`/dev/stdout`, sent to a file): replaced, it would
/// lose what was printed.
#[cfg(unix)]
fn own_stream(found: &fs::Metadata) -> Option<File> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let same = |stream: &dyn AsFd| {
        let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
        let own = file.metadata().ok()?;
        ((own.dev(), own.ino()) == (found.dev(), found.ino())).then_some(file)
    };
    same(&io::stdout()).or_else(|| same(&io::stderr()))
}

#[cfg(not(unix))]
fn own_stream(_: &fs::Metadata) -> Option<File> {
    None
}
