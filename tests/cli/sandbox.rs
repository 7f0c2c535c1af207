//! The real binary in a directory of its own.

#![allow(dead_code, reason = "every test file takes what it needs")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

/// The binary of the profile that the tests are built with.
pub(crate) const BUILT: &str = env!("CARGO_BIN_EXE_mqsim");

/// The binary under test. `MQSIM_BINARY` names another one: with that of a release build these tests
/// take a fraction of the time, and see what users see.
pub(crate) fn mqsim() -> &'static str {
    static NAMED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("MQSIM_BINARY").ok());
    NAMED.as_deref().unwrap_or(BUILT)
}

/// A temporary directory that is the working directory of every call.
pub(crate) struct Sandbox(TempDir);

/// What a call did.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Every file below a directory with its contents; directories end with a slash and have none.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, Vec<u8>>);

impl Tree {
    pub(crate) fn file(&self, name: &str) -> Option<&[u8]> {
        self.0.get(Path::new(name)).map(Vec::as_slice)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(|path| path.to_str().expect("names are UTF-8")).collect()
    }

    /// The names that only one of the two has, and those of files that differ.
    pub(crate) fn differences(&self, other: &Tree) -> Vec<String> {
        let mut names = self.names();
        names.extend(other.names());
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.file(name) != other.file(name));
        names.into_iter().map(str::to_owned).collect()
    }
}

impl std::fmt::Debug for Tree {
    /// Names and lengths: contents would fill screens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, bytes)| (name, bytes.len()))).finish()
    }
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).expect("the sandbox can be written to");
    }

    /// Copies the shipped scenario `name.toml`.
    pub(crate) fn ship(&self, name: &str) {
        self.write(&format!("{name}.toml"), shipped(name));
    }

    /// A call that sees no environment that could change what is printed.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "RUST_BACKTRACE", "GITHUB_ACTIONS"]
            .into_iter()
            .chain(["GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY"])
        {
            command.env_remove(name);
        }
        command
    }

    /// Runs mqsim; the line is split at blanks.
    pub(crate) fn mqsim(&self, line: &str) -> Done {
        Done::of(self.command(mqsim()).args(line.split_whitespace()))
    }

    /// Runs mqsim with arguments that may have blanks in them.
    pub(crate) fn call(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(mqsim()).args(arguments))
    }

    pub(crate) fn tree(&self) -> Tree {
        tree(self.path())
    }
}

impl Done {
    pub(crate) fn of(command: &mut Command) -> Done {
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("what is printed is UTF-8");
        Done {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Fails with all that was printed unless the exit code is this.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Done {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// The text of a shipped scenario.
pub(crate) fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    std::fs::read_to_string(path).expect("the scenario is shipped")
}

/// What is in a directory.
pub(crate) fn tree(directory: &Path) -> Tree {
    let mut found = BTreeMap::new();
    let mut ahead = vec![PathBuf::new()];
    while let Some(below) = ahead.pop() {
        for entry in std::fs::read_dir(directory.join(&below)).expect("it can be read") {
            let entry = entry.expect("it can be read");
            let path = below.join(entry.file_name());
            if entry.file_type().expect("it has a type").is_dir() {
                found.insert(path.join(""), Vec::new());
                ahead.push(path);
            } else {
                let bytes = std::fs::read(entry.path()).expect("it can be read");
                found.insert(path, bytes);
            }
        }
    }
    Tree(found)
}

/// Kills a command once its journal has so many runs: not after some time, in which a faster machine has done all.
pub(crate) fn kill_when_noted(mut child: std::process::Child, journal: &Path, runs: usize) {
    let lines = || std::fs::read(journal).map_or(0, |text| text.split(|b| *b == b'\n').count());
    // The first line is the head, behind the last there is nothing.
    for _ in 0..30_000 {
        if lines() >= runs + 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(journal.exists(), "it was killed before its end");
}

/// What a terminal was shown as it was before lines were broken: one blank between words.
pub(crate) fn unwrapped(page: &str) -> String {
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}
