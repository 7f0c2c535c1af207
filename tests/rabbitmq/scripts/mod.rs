//! RabbitMQ's machines under text scripts with golden output, in the style of etcd's raft tests.
//!
//! A script tells one story. `#` lines tell it in words and name the source of what is expected;
//! commands act on a small cluster; what follows `----`, up to an empty line, is what came of them.
//! `MQSIM_REWRITE=1 cargo test --test rabbitmq scripts` writes the output anew: read the diff
//! before you believe it.
//!
//! Nothing is random but what a script shows (the first tick of a node, the place of a joiner in
//! its ring): brokers are 1 ms from each other and 0.1 ms from clients, an fsync takes 5 ms, a
//! Mnesia transaction 10 ms, and computing takes no time. So times can be worked out by hand. The
//! commands are listed in `command.rs`.

mod client;
mod cluster;
mod command;
mod declare;
mod script;
mod show;
#[cfg(test)]
mod spread;
mod story;
mod trace;

use std::path::{Path, PathBuf};

use script::Script;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/rabbitmq")
}

/// Runs a script; its golden output must be what comes out.
fn check(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let script = Script::parse(&text).map_err(|error| format!("line {error}"))?;
    let outputs = story::tell(&script).map_err(|error| format!("line {error}"))?;
    if std::env::var_os("MQSIM_REWRITE").is_some() {
        return std::fs::write(path, script.with_outputs(&outputs))
            .map_err(|error| error.to_string());
    }
    let wrong = script.differences(&outputs);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// All of them; `MQSIM_SCRIPT=join` runs those with that in their name.
#[test]
fn every_script_comes_out_as_it_is_told() {
    let wanted = std::env::var("MQSIM_SCRIPT").unwrap_or_default();
    let entries = std::fs::read_dir(folder()).expect("the folder of scripts");
    let mut scripts: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder").path()).collect();
    scripts.retain(|path| path.to_string_lossy().contains(&wanted));
    scripts.sort();
    assert!(!scripts.is_empty(), "there are scripts");
    let wrong: Vec<String> = scripts
        .iter()
        .filter_map(|path| Some(format!("{}: {}", path.display(), check(path).err()?)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}
