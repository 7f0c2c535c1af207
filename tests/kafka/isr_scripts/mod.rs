//! Kafka with replication under text scripts with golden output.
//!
//! A script tells one story. `#` lines tell it in words and name the source of what is expected;
//! commands (`story.rs` lists them) act on a small cluster with ZooKeeper or a controller quorum;
//! what follows `----`, up to an empty line, is what came of them.
//! `MQSIM_REWRITE=1 cargo test --test kafka isr_scripts` writes the output anew: read the diff
//! before you believe it.
//!
//! Hosts are 1 ms from each other, an fsync takes 5 ms, a broker boots in 2 s, and computing takes
//! no time but for what `[costs]` says is no computing. Random are only the pauses and time-outs
//! of the real programs.

#[path = "../../rabbitmq/scripts/command.rs"]
#[allow(dead_code, reason = "shared with other scripts")]
mod command;
mod declare;
#[path = "../../rabbitmq/scripts/script.rs"]
mod script;
mod show;
mod story;
mod trace;

use std::path::{Path, PathBuf};

use script::Script;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/kafka_isr")
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

/// All of them; `MQSIM_SCRIPT=zombie` runs those with that in their name.
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
