//! RabbitMQ's machines under text scripts with golden output, in the style of etcd's raft tests.
//!
//! A script tells one story. `#` lines tell it in words and name the source of what is expected;
//! commands act on a small cluster; what follows `----`, up to an empty line, is what came of them.
//! `MQSIM_REWRITE=1 cargo test --test rabbitmq_scripts` writes the output anew: read the diff before
//! you believe it.
//!
//! Nothing is random but what a script shows (the first tick of a node, the place of a joiner in its
//! ring): brokers are 1 ms from each other and 0.1 ms from clients, an fsync takes 5 ms, a Mnesia
//! transaction 10 ms, and computing takes no time. So times can be worked out by hand. The commands
//! are listed in `command.rs`.

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
fn check(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let script = Script::parse(&text).unwrap_or_else(|error| panic!("{name}.txt:{error}"));
    let outputs = story::tell(&script).unwrap_or_else(|error| panic!("{name}.txt:{error}"));
    if std::env::var_os("MQSIM_REWRITE").is_some() {
        std::fs::write(&path, script.with_outputs(&outputs)).expect("the script can be written");
        return;
    }
    let wrong = script.differences(&outputs);
    assert!(wrong.is_empty(), "{name}.txt\n{}", wrong.join("\n"));
}

macro_rules! scripts {
    ($($name:ident)*) => {
        const SCRIPTS: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { check(stringify!($name)); })*
    };
}

scripts! {
    cancel_keeps_unacked
    cluster_home_down
    cluster_remote_paths
    confirms
    confirms_flush
    consumer
    consumer_automatic_ack
    fanout
    mirrored_join
    mirrored_leader_killed
    mirrored_leader_stopped
    mirrored_leftovers
    mirrored_mirror_killed
    mirrored_partition_ignore
    mirrored_publish
    mirrored_silent_death
    mirrored_stop_unsynchronised
    mirrored_sync
    mirrored_unsynchronised_promoted
    mirrored_when_synced
    restart
    restart_acks
    mirrored_leader_paused
    mirrored_two_die
    partition_short
    cluster_partition
    cluster_restart_order
    mirrored_restart_all
    mirrored_join_under_load
    mirrored_consumer
    unroutable
    mirrored_join_twice
    mirrored_split_join
    cluster_boot_killed
    partition_pause_minority
    partition_autoheal
    partition_pause_if_all_down
    partition_both_preferred
    partition_partial_ignore
    partition_partial_pause_minority
    partition_partial_if_all_down
    partition_blip
    partition_blip_pause_minority
    node_suspended
    home_down_3_7
    home_down_3_12
    home_stopped_3_12
    home_silent_3_12
    cluster_waits_for_peers
}

/// A script that nobody runs is no test.
#[test]
fn every_script_is_run() {
    let entries = std::fs::read_dir(folder()).expect("the folder of scripts");
    let mut found: Vec<String> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut listed: Vec<&str> = SCRIPTS.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
}
