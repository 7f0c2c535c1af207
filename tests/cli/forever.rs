//! A check that goes on with new seeds: what ends it, and what it keeps.

use std::time::Duration;

use crate::sandbox::{self, Sandbox, mqsim};

/// A scenario of 6 s with random crashes, which expects this.
fn random(expect: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let single = sandbox::shipped("single");
    let (head, _) = single.split_once("[[fault]]").expect("it has a fault");
    let head = head.replace("duration = \"40s\"", "duration = \"6s\"");
    let nemesis = "[nemesis]\nevery = '1s'\nuntil = '5s'\n[[nemesis.fault]]\nkind = 'crash'\n\
                   for = { distribution = 'uniform', min = '10ms', max = '1s' }\n";
    sandbox.write("a.toml", format!("{head}\n{nemesis}\n[[expect]]\n{expect}\n"));
    sandbox
}

#[test]
fn what_fails_is_kept_with_the_faults_that_made_it_fail() {
    let sandbox = random("metric = 'acked'\nmax = 3");
    let done =
        sandbox.mqsim("check a.toml --forever --seed 7 --time-budget 3s --jobs 2 --out kept");
    done.exits(1);
    assert!(done.stdout.contains("single: broken, with seed 7"), "{}", done.stdout);
    assert!(done.stdout.contains("kept in kept\nfrom seed 7 on; --seed "), "{}", done.stdout);
    let kept = std::fs::read_dir(sandbox.path().join("kept")).expect("it was made").count();
    assert!((1..=10).contains(&kept), "{kept} are kept");
    let text = std::fs::read_to_string(sandbox.path().join("kept/single-seed-7/scenario.toml"))
        .expect("it was written");
    assert!(text.contains("[[fault]]") && !text.contains("[nemesis]"), "{text}");
    assert!(text.contains("# mqsim run scenario.toml --seed 7\n"), "{text}");
    assert!(sandbox.path().join("kept/single-seed-7/summary.csv").exists());
    sandbox.mqsim("run kept/single-seed-7/scenario.toml --seed 7 --out again").exits(1);
    // With -x the first is the last.
    let done = sandbox.mqsim("check a.toml --forever --seed 7 --jobs 1 -x --out one");
    assert!(done.exits(1).stdout.contains("1 failed"), "{}", done.stdout);
}

#[test]
fn where_all_holds_nothing_is_left() {
    let sandbox = random("metric = 'success_lost'\nmin = 0");
    let done = sandbox.mqsim("check a.toml --forever --time-budget 1s");
    assert!(done.exits(0).stdout.contains(": 0 failed\n"), "{}", done.stdout);
    assert!(!sandbox.path().join("failing").exists());
    // Where it begins is behind the seeds that are the scenario's own.
    assert!(done.stdout.contains("from seed 21 on"), "{}", done.stdout);
    let done = sandbox.mqsim("check a.toml --forever --seeds 1..=5");
    assert!(done.exits(2).stderr.contains("cannot be used with"), "{}", done.stderr);
}

/// Ctrl-C asks for the end, which comes in order.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_in_order() {
    let sandbox = random("metric = 'acked'\nmax = 3");
    let mut command = std::process::Command::new(mqsim());
    command.args(["check", "a.toml", "--forever", "--seed", "1"]).current_dir(sandbox.path());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("it runs");
    let first = sandbox.path().join("failing/single-seed-1/scenario.toml");
    for _ in 0..600 {
        if first.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(sent.expect("kill is there").success());
    let done = child.wait_with_output().expect("it ends");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(1), "{stdout}\n{stderr}");
    assert!(stderr.contains("ending when what is under way is done"), "{stderr}");
    assert!(stdout.contains("failed; kept in failing\nfrom seed 1 on"), "{stdout}");
}
