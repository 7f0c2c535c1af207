//! Text scripts with golden output, in the style of etcd's raft tests: what is the same for every
//! family.
//!
//! A script tells one story. `#` lines tell it in words and name the source of what is expected;
//! commands act on a small cluster; what follows `----`, up to an empty line, is what came of them.
//! `MQSIM_REWRITE=1 cargo test every_script` writes the output anew: read the diff before you
//! believe it. `MQSIM_SCRIPT=join` runs the scripts with that in their name.
//!
//! A script is read twice: first for what will happen when ([`Story::begin`]), then command by command
//! ([`Story::step`]). Every family has these commands, and its own in its `story.rs`:
//!
//! | command | what it does |
//! | --- | --- |
//! | `run 10ms`, `skip 10s` | lets time pass, and prints what happens or does not |
//! | `kill n1`, `power-loss n1`, `stop n1`, `wipe n1`, `boot n1` | processes and hosts; `boot` undoes the others |
//! | `pause n1`, `resume n1` | SIGSTOP, SIGCONT |
//! | `fill-disk n1`, `empty-disk n1`, `stall-disk n1`, `unstall-disk n1` | the disk |
//! | `partition n1 \| n2,n3 [reject] [clients=unaffected]`, `heal` | the network |

#![allow(dead_code, unused_imports, reason = "each binary's families use a part of it")]

mod command;
mod run;
mod schedule;
mod script;
mod setup;
mod shown;
mod trace;

use std::path::{Path, PathBuf};

use mqsim::engine::Time;
use mqsim::observe::NodeState;

pub(crate) use command::{Command, numbers, span};
pub(crate) use run::{Run, Telling};
pub(crate) use schedule::Schedule;
pub(crate) use script::Script;
pub(crate) use setup::{host, pair, pairs, resolve, section};
pub(crate) use shown::{Shown, Shows, queues};
pub(crate) use trace::{Manner, Trace, told};

/// What something comes to, or what is wrong with the script.
pub(crate) type Told<T> = Result<T, String>;

/// A script of a family that is under way.
pub(crate) trait Story: Sized {
    /// Reads the whole script, and sets up the run. An error begins with its line, if it has one.
    fn begin(script: &Script) -> Told<Self>;

    /// Carries out one command; returns what it puts out.
    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>>;
}

/// Reads the commands of a script one by one; an error is told with its line.
pub(crate) fn read(
    script: &Script,
    mut each: impl FnMut(&Command<'_>) -> Told<()>,
) -> Result<(), String> {
    for line in script.blocks.iter().flat_map(|block| &block.commands) {
        each(&Command::parse(&line.text)).map_err(|error| format!("{}: {error}", line.number))?;
    }
    Ok(())
}

/// The output of every block; an error begins with its line.
pub(crate) fn tell<S: Story>(script: &Script) -> Told<Vec<Vec<String>>> {
    let mut story = S::begin(script)?;
    let mut outputs = Vec::new();
    for block in &script.blocks {
        let mut output = Vec::new();
        for line in &block.commands {
            let told = story.step(&Command::parse(&line.text));
            output.extend(told.map_err(|error| format!("{}: {error}", line.number))?);
        }
        if output.is_empty() {
            output.push("ok".to_owned());
        }
        outputs.push(output);
    }
    Ok(outputs)
}

/// Runs a script; its golden output must be what comes out.
fn check<S: Story>(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let script = Script::parse(&text).map_err(|error| format!("line {error}"))?;
    let outputs = tell::<S>(&script).map_err(|error| format!("line {error}"))?;
    if std::env::var_os("MQSIM_REWRITE").is_some() {
        return std::fs::write(path, script.with_outputs(&outputs))
            .map_err(|error| error.to_string());
    }
    let wrong = script.differences(&outputs);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Runs all scripts of a folder below `tests/scripts/`.
#[track_caller]
pub(crate) fn check_all<S: Story>(folder: &str) {
    let wanted = std::env::var("MQSIM_SCRIPT").unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder of scripts");
    let mut scripts: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder").path()).collect();
    assert!(!scripts.is_empty(), "there are scripts");
    scripts.retain(|path| path.to_string_lossy().contains(&wanted));
    scripts.sort();
    let wrong: Vec<String> = scripts
        .iter()
        .filter_map(|path| Some(format!("{}: {}", path.display(), check::<S>(path).err()?)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

/// `6.1 ms`, `61.0123 s`.
pub(crate) fn clock(at: Time) -> String {
    let micros = at.as_nanos() / 1_000;
    if micros < 1_000_000 {
        format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
    } else {
        format!("{}.{:04} s", micros / 1_000_000, micros % 1_000_000 / 100)
    }
}

/// What has become of a process, as scripts say it.
pub(crate) const fn became(state: NodeState) -> &'static str {
    match state {
        NodeState::Booting => "boots",
        NodeState::Up => "is up",
        NodeState::Killed => "is killed",
        NodeState::PowerLost => "has no power",
        NodeState::Stopped => "has stopped",
        NodeState::Paused => "is frozen",
    }
}

#[test]
fn times_are_read_and_written() {
    use mqsim::engine::Span;
    assert_eq!(span("1.5ms"), Ok(Span::from_micros(1_500)));
    assert_eq!(clock(Time::ZERO + Span::from_micros(6_100)), "6.1 ms");
    assert_eq!(clock(Time::ZERO + Span::from_micros(61_012_300)), "61.0123 s");
}
