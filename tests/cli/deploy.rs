//! What `deploy/` has for schedulers, run as a scheduler would run it: shards that come together to
//! what one call would have written.

#![cfg(unix)]

use std::path::Path;

use crate::sandbox::{self, Done, Sandbox, mqsim};

fn deploy(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    std::fs::read_to_string(path).expect("it is there")
}

/// A directory with `mqsim` in it, and a scenario.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(mqsim(), sandbox.path().join("bin/mqsim")).unwrap();
    // Short enough to be run 64 times.
    let text = sandbox::shipped("kafka-isr").replace("duration = \"40s\"", "duration = \"3s\"");
    sandbox.write("scenario.toml", text.replace("at = \"6s\"", "at = \"2s\""));
    sandbox
}

/// A shell in the sandbox that finds `mqsim`.
fn shell(sandbox: &Sandbox, script: &str, environment: &[(&str, &str)]) -> Done {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", sandbox.path().join("bin").display());
    let mut command = sandbox.command("sh");
    command.args(["-c", script]).env("PATH", path);
    Done::of(command.envs(environment.iter().copied()))
}

fn same_as_one_call(sandbox: &Sandbox, shards: &str, arguments: &str) {
    sandbox.mqsim(&format!("merge {shards} --out merged --quiet")).exits(0);
    sandbox.mqsim(&format!("sweep scenario.toml {arguments} --out whole --quiet")).exits(0);
    let tree = |name: &str| sandbox::tree(&sandbox.path().join(name));
    assert_eq!(tree("whole").differences(&tree("merged")), [""; 0]);
    assert!(tree("whole").file("kafka-isr-sweep/sweep.csv").is_some());
}

/// The value behind a name in the manifest's `env`, or of a key.
fn value<'a>(manifest: &'a str, before: &str) -> &'a str {
    let (_, rest) = manifest.split_once(before).unwrap_or_else(|| panic!("{before} is in it"));
    rest.lines().next().unwrap().trim().trim_matches('"')
}

#[test]
fn the_kubernetes_job() {
    let sandbox = sandbox();
    let manifest = deploy("kubernetes-job.yaml");
    let shards = value(&manifest, "completions:");
    assert_eq!(value(&manifest, "name: SHARDS\n              value:"), shards);
    let (_, block) = manifest.split_once("args:\n            - |\n").unwrap();
    let indented = block.lines().take_while(|line| line.starts_with("              "));
    let script: String = indented.map(|line| format!("{}\n", &line[14..])).collect();
    assert!(script.starts_with("exec mqsim sweep") && script.ends_with("\"$RESULTS\"\n"));
    for index in 0..shards.parse::<u32>().unwrap() {
        let index = index.to_string();
        let environment = [
            ("JOB_COMPLETION_INDEX", index.as_str()),
            ("SHARDS", shards),
            ("SCENARIO", "scenario.toml"),
            ("RESULTS", "results"),
        ];
        let done = shell(&sandbox, &script, &environment);
        done.exits(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    }
    let arguments = "--set producer.p1.rate=200/s,500/s,1k/s,2k/s --set fault.0.for=5s,15s \
                     --seeds 1..=8";
    same_as_one_call(&sandbox, "results", arguments);
}

#[test]
fn the_slurm_array() {
    let sandbox = sandbox();
    sandbox.write("array.sh", deploy("slurm-array.sh"));
    let arguments = "--set producer.p1.rate=200/s,500/s --seeds 1..=4";
    let script = format!("exec bash array.sh scenario.toml {arguments} --out shards");
    let task = |index: &str, of: &[(&str, &str)]| {
        let environment = [&[("SLURM_ARRAY_TASK_ID", index), ("SLURM_CPUS_PER_TASK", "2")], of];
        let done = shell(&sandbox, &script, &environment.concat());
        done.exits(0);
        assert!(done.stdout.contains(&format!("shard {index}/3, ")), "{}", done.stdout);
    };
    task("1", &[("SLURM_ARRAY_TASK_COUNT", "3")]);
    task("2", &[("SLURM_ARRAY_TASK_COUNT", "3")]);
    // One task that is run again, by itself.
    task("3", &[("SLURM_ARRAY_TASK_COUNT", "1"), ("SHARDS", "3")]);
    same_as_one_call(&sandbox, "shards", arguments);
}
