//! What a gate of continuous integration rests on: verdicts over seeds, JUnit, annotations, a check
//! that goes on after a kill, and the lock.

use crate::sandbox::{self, Done, Sandbox, mqsim};
use serde_json::Value;

/// A sandbox with the shipped scenarios of these names, of which all but the gate are cut short.
fn with(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    for name in names {
        let text = sandbox::shipped(name).replace("duration = \"40s\"", "duration = \"8s\"");
        sandbox.write(&format!("{name}.toml"), text);
    }
    sandbox
}

fn expecting(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let single = sandbox::shipped("single");
    let (head, _) = single.split_once("[[expect]]").expect("it expects something");
    let head = head.replace("duration = \"40s\"", "duration = \"6s\"");
    sandbox.write("a.toml", format!("{head}\n[[expect]]\n{text}\n"));
    sandbox
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    std::fs::read_to_string(sandbox.path().join(name)).expect("it was written")
}

#[test]
fn a_gate_is_decided_early_and_alike_for_any_number_of_jobs() {
    let sandbox = with(&["gate"]);
    let call = |jobs: u32| {
        let junit = format!("{jobs}.xml");
        let done = sandbox.mqsim(&format!("check gate.toml --jobs {jobs} --junit {junit}"));
        done.exits(0);
        assert!(done.stdout.contains("decided before the last of 200"), "{}", done.stdout);
        let json = sandbox.mqsim(&format!("check gate.toml --jobs {jobs} --json")).stdout;
        (done.stdout, read(&sandbox, &junit), json)
    };
    let one = call(1);
    assert_eq!(one, call(2));
    let document: Value = serde_json::from_str(&one.2).expect("it is JSON");
    let over = &document["scenarios"][0]["over_seeds"][0];
    assert_eq!(over["verdict"], "holds");
    assert!(over["note"].as_str().is_some_and(|note| note.contains("(at 95 %)")), "{over}");
    // The seed that is named as an example does lose something.
    let seed = over["example"].as_str().expect("some seeds lose something");
    let run = sandbox.mqsim(&format!("run gate.toml --seed {seed} --json"));
    let document: Value = serde_json::from_str(&run.exits(0).stdout).expect("it is JSON");
    assert_ne!(document["scenarios"][0]["runs"][0]["summary"]["success_lost"], 0);
}

#[test]
fn verdicts_over_seeds_reach_the_exit_code() {
    for (text, code, words) in [
        ("metric = 'lossy_seeds'\nmax = '20%'", 0, "which proves less than"),
        ("metric = 'lossy_seeds'\nmax = '1%'", 3, "which only proves less than"),
        ("metric = 'p50(acked)'\nmax = 10", 1, "prove at least"),
        ("metric = 'success_lost_per_million'\nmax = 5", 3, "unless `assume-at-most` says"),
        ("sometimes = 'queue-recovered'", 0, "in 20 of 20 seeds"),
        ("sometimes = 'unsynchronised-mirror-promoted'", 1, "the scenario is too weak"),
    ] {
        let sandbox = expecting(text);
        let done = sandbox.mqsim("check a.toml --junit a.xml");
        done.exits(code);
        assert!(done.stdout.contains(words), "{text}: {}", done.stdout);
        let junit = read(&sandbox, "a.xml");
        let read = junit_parser::from_reader(junit.as_bytes()).expect("it is JUnit");
        // The other one is that the cluster comes to rest, which is expected of every run.
        assert_eq!((read.tests, read.failures), (2, u64::from(code != 0)), "{junit}");
        // One seed cannot tell, and says so.
        let run = sandbox.mqsim("run a.toml");
        run.exits(0);
        assert!(run.stdout.contains("not judged here, for it takes many seeds"), "{}", run.stdout);
    }
}

#[test]
fn github_is_told_what_does_not_hold_and_where() {
    let sandbox = with(&["single", "cluster"]);
    let annotated = |line: &str| {
        let mut command = sandbox.command(mqsim());
        Done::of(command.args(line.split_whitespace()).env("GITHUB_ACTIONS", "true"))
    };
    let done = annotated("check . --seeds 1..=2 --set duration=6s");
    done.exits(1);
    let lines: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("::")).collect();
    let [line] = lines.as_slice() else { panic!("one scenario is broken: {}", done.stdout) };
    // On the line of what is broken, in the file as the repository knows it.
    let text = read(&sandbox, "cluster.toml");
    let expects = text.lines().zip(1..).filter(|(line, _)| *line == "[[expect]]");
    let (_, number) = expects.take(1).last().expect("it expects something");
    let head =
        format!("::error file=cluster.toml,line={number},title=mqsim%3A cluster%3A broken::");
    assert!(line.starts_with(&head), "{head}: {line}");
    assert!(line.contains("%0A  again:  mqsim run ./cluster.toml --seed 1"), "{line}");
    let json = annotated("check cluster.toml --seeds 1..=2 --set duration=6s --json");
    assert!(serde_json::from_str::<Value>(&json.exits(1).stdout).is_ok());
    assert!(json.stderr.starts_with("::error file=cluster.toml,line="), "{}", json.stderr);
    // Called from elsewhere in the repository.
    std::fs::create_dir(sandbox.path().join("below")).expect("it can be made");
    let mut command = sandbox.command(mqsim());
    command.current_dir(sandbox.path().join("below"));
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", sandbox.path());
    let line = "check ../cluster.toml --seeds 1..=2 --set duration=6s";
    let below = Done::of(command.args(line.split_whitespace()));
    assert!(below.stdout.contains("\n::error file=cluster.toml,line="), "{}", below.stdout);
    let silent = sandbox.mqsim("check . --seeds 1..=2 --set duration=6s");
    assert!(!silent.stdout.contains("::"), "{}", silent.stdout);
}

/// Killed at several points, called again: the same bytes as if nothing had happened.
#[cfg(unix)]
#[test]
fn a_killed_check_goes_on_and_comes_to_the_same() {
    let sandbox = with(&["mirror", "gate"]);
    let line = "check mirror.toml gate.toml --json --seeds 1..=60";
    let whole = sandbox.mqsim(&format!("{line} --junit whole.xml")).stdout;
    let line = format!("{line} --resume journal --junit resumed.xml");
    let path = sandbox.path().join("journal");
    for finished in [1, 12, 40] {
        let mut command = std::process::Command::new(mqsim());
        command.args(line.split_whitespace()).current_dir(sandbox.path());
        let child = command.stdout(std::process::Stdio::null()).spawn().expect("it starts");
        sandbox::kill_when_noted(child, &path, finished);
    }
    // A line that was torn as well.
    let mut text = std::fs::read(&path).expect("it is there");
    text.truncate(text.len() - 7);
    std::fs::write(&path, text).expect("it can be written");
    assert_eq!(sandbox.mqsim(&line).stdout, whole);
    assert_eq!(read(&sandbox, "resumed.xml"), read(&sandbox, "whole.xml"));
    assert!(!path.exists(), "it is done");
    assert!(!sandbox.tree().names().iter().any(|name| name.ends_with(".new")));
}

#[test]
fn a_lock_tells_when_behaviour_changes_and_from_when_on() {
    let sandbox = with(&["single", "mirror"]);
    let done = sandbox.mqsim("lock .");
    assert!(done.exits(0).stdout.contains("2 newly locked"), "{}", done.stdout);
    let first = read(&sandbox, "mqsim.lock");
    assert!(sandbox.mqsim("lock . --quiet").exits(0).stdout.is_empty());
    assert_eq!(read(&sandbox, "mqsim.lock"), first, "what is the same stays as it is");
    sandbox.mqsim("check . --locked --seed 1 --quiet").exits(0);
    // A comment is no behaviour; another time of the fault is.
    let text = read(&sandbox, "mirror.toml");
    sandbox.write("mirror.toml", format!("# a comment\n{text}"));
    sandbox.mqsim("check . --locked --seed 1 --quiet").exits(0);
    sandbox.write("mirror.toml", text.replace("at = \"6s\"", "at = \"6100ms\""));
    let done = sandbox.mqsim("check . --locked --seed 1 --junit j.xml");
    done.exits(1);
    for words in [
        "./mirror.toml: has drifted from mqsim.lock",
        "outcomes, roles, faults and draws differ; its text has changed, too",
        "first differing event: now fault begun: crash leader(orders) on n1 at 6.100000 s; locked \
         was the same at 6.000000 s",
        "outcomes and draws part between ",
        "mqsim lock ./mirror.toml --accept",
    ] {
        assert!(done.stdout.contains(words), "{words}: {}", done.stdout);
    }
    assert!(read(&sandbox, "j.xml").contains("type=\"drifted\""));
    // The verdicts on the seeds are as they were, but it is not ticked.
    assert!(done.stdout.contains("2 scenarios, 2 runs: 1 drifted, 1 holds"), "{}", done.stdout);
    assert!(done.stdout.contains("✗ mirror "), "{}", done.stdout);
    assert!(done.stdout.contains("✗ behaves as locked"), "{}", done.stdout);
    assert!(done.stdout.contains("✓ single "), "{}", done.stdout);
    let json = sandbox.mqsim("check . --locked --seed 1 --json").stdout;
    let document: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(document["scenarios"][0]["verdict"], "drifted");
    sandbox.mqsim("lock .").exits(1);
    assert_eq!(read(&sandbox, "mqsim.lock"), first, "nothing is taken over unasked");
    sandbox.mqsim("lock mirror.toml --accept").exits(0);
    sandbox.mqsim("check . --locked --seed 1 --quiet").exits(0);
    // A scenario that is gone, and one that is new.
    std::fs::remove_file(sandbox.path().join("single.toml")).expect("it is there");
    let done = sandbox.mqsim("check . --locked --seed 1 --quiet");
    assert!(done.exits(1).stderr.contains("has single.toml, which is there no more"));
    sandbox.mqsim("lock . --accept --quiet").exits(0);
    assert!(!read(&sandbox, "mqsim.lock").contains("single.toml"));
    sandbox.ship("cluster");
    let done = sandbox.mqsim("check . --locked --seed 1");
    assert!(done.exits(2).stderr.contains("./cluster.toml: it is not in mqsim.lock"));
}

/// Scenarios of two seconds without a fault, of which some expect what is not so.
fn suite(names: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    let single = sandbox::shipped("single");
    let (head, _) = single.split_once("[[fault]]").expect("it has a fault");
    for (name, expect) in names {
        let head = head.replace("duration = \"40s\"", "duration = \"2s\"");
        let head = head.replace("name = \"single\"", &format!("name = \"{name}\""));
        sandbox.write(&format!("{name}.toml"), format!("{head}\n[[expect]]\n{expect}\n"));
    }
    sandbox
}

const SOUND: &str = "metric = 'success_lost'\nmax = 0";
const BROKEN: &str = "metric = 'acked'\nmax = 3";
const OPEN: &str = "metric = 'lossy_seeds'\nmax = '1%'";

/// Where words begin in a text, which must have them.
#[track_caller]
fn place(text: &str, words: &str) -> usize {
    text.find(words).unwrap_or_else(|| panic!("{words}: {text}"))
}

#[test]
fn the_gravest_comes_first_everywhere() {
    let two = format!("{OPEN}\n[[expect]]\n{BROKEN}\n[[expect]]\nmetric = 'duplicated'\nmin = 1");
    let names = [("a-open", OPEN), ("b-sound", SOUND), ("c-broken", &two)];
    let sandbox = suite(&names);
    let mut command = sandbox.command(mqsim());
    let line = "check . --seeds 1..=2 --junit j.xml --markdown m.md";
    let done = Done::of(command.args(line.split_whitespace()).env("GITHUB_ACTIONS", "true"));
    done.exits(1);
    let text = &done.stdout;
    assert!(place(text, "\nc-broken: broken") < place(text, "\na-open: undecided"));
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::error")).collect();
    assert!(commands[0].contains("file=c-broken.toml"), "{commands:?}");
    assert!(commands[1].contains("file=a-open.toml"), "{commands:?}");
    assert!(text.contains("3 scenarios, 6 runs: 1 broken, 1 undecided, 1 holds"), "{text}");
    // Within a scenario: what is broken before what is undecided, losses before the rest.
    let junit = read(&sandbox, "j.xml");
    let order = [
        "suite name=\"c-broken\"",
        "name=\"acked &lt;= 3\"",
        "name=\"duplicated &gt;= 1\"",
        "name=\"lossy_seeds &lt;= 1 %\"",
        "suite name=\"a-open\"",
        "suite name=\"b-sound\"",
    ];
    let places: Vec<usize> = order.iter().map(|words| place(&junit, words)).collect();
    assert!(places.is_sorted(), "{junit}");
    assert!(junit.contains("./c-broken.toml:"), "{junit}");
    let summary = read(&sandbox, "m.md");
    let order = [
        "❌ mqsim check: 1 broken, 1 undecided, 1 holds",
        "### ❌ c-broken",
        "| ❌ | acked &lt;= 3 |",
        "| ❔ | lossy\\_seeds",
        "$ mqsim run ./c-broken.toml --seed 1",
        "### ❔ a-open",
        "<summary>1 scenario that holds",
    ];
    let places: Vec<usize> = order.iter().map(|words| place(&summary, words)).collect();
    assert!(places.is_sorted(), "{summary}");
}

/// GitHub shows ten errors of a step; the tenth says that there are more.
#[test]
fn no_more_annotations_than_are_shown() {
    let names: Vec<String> = (10..22).map(|at| format!("s{at}")).collect();
    let names: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), BROKEN)).collect();
    let sandbox = suite(&names);
    let mut command = sandbox.command(mqsim());
    let line = "check . --seed 1 --quiet";
    let done = Done::of(command.args(line.split_whitespace()).env("GITHUB_ACTIONS", "true"));
    let commands: Vec<&str> =
        done.stdout.lines().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(commands.len(), 10, "{commands:?}");
    let last = commands[9];
    assert!(last.contains("mqsim%3A 3 more scenarios do not hold::"), "{last}");
    assert!(last.ends_with("has them: s19, s20, s21"), "{last}");
}

#[test]
fn the_first_failure_ends_it_alike_for_any_number_of_jobs() {
    let sandbox = suite(&[("a", SOUND), ("b", BROKEN), ("c", BROKEN), ("d", SOUND), ("e", OPEN)]);
    let call = |jobs: u32| {
        let line = format!("check . -x --seeds 1..=9 --jobs {jobs} --junit j.xml --markdown m.md");
        let done = sandbox.mqsim(&line);
        (done.exits(1).stdout.clone(), read(&sandbox, "j.xml"), read(&sandbox, "m.md"))
    };
    let one = call(1);
    for jobs in [2, 7] {
        assert_eq!(call(jobs), one);
    }
    assert!(one.0.contains("5 scenarios, 10 runs: 1 broken, 1 holds, 3 not run"), "{}", one.0);
    assert!(one.0.contains("ended at the first failure, after 1 of 9 seeds"), "{}", one.0);
    assert!(!one.0.contains("c: broken"), "{}", one.0);
    let junit = junit_parser::from_reader(one.1.as_bytes()).expect("it is JUnit");
    let skipped: u64 = junit.suites.iter().map(|suite| suite.skipped).sum();
    assert_eq!((junit.tests, junit.failures, skipped), (10, 1, 6), "{}", one.1);
    assert!(one.2.contains("1 broken, 1 holds, 3 not run"), "{}", one.2);
}

#[test]
fn parts_and_names_of_a_suite() {
    let sandbox = suite(&[("kafka-a", SOUND), ("kafka-b", SOUND), ("rabbit-a", SOUND)]);
    let held = |line: &str| {
        let done = sandbox.mqsim(&format!("check . --seed 1 {line}"));
        let lines = done.exits(0).stdout.lines();
        let names = lines.filter_map(|line| line.strip_prefix("✓ ")?.split_whitespace().next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(held("--shard 1/2"), ["kafka-a", "rabbit-a"]);
    assert_eq!(held("--shard 2/2"), ["kafka-b"]);
    assert!(held("--shard 4/4").is_empty());
    assert_eq!(held("--filter kafka"), ["kafka-a", "kafka-b"]);
    assert_eq!(held("-k rabbit -k fka-b"), ["kafka-b", "rabbit-a"]);
    assert_eq!(held("-k kafka --shard 2/2"), ["kafka-b"]);
    let done = sandbox.mqsim("check . --seed 1 -k kafka-c");
    assert!(done.exits(2).stderr.contains("did you mean"), "{}", done.stderr);
}

/// What was not looked at is undecided, and the next call goes on from there.
#[test]
fn a_time_budget_leaves_the_rest_undecided() {
    let sandbox = suite(&[("a", SOUND), ("b", SOUND)]);
    let line = "check . --seeds 1..=3 --junit j.xml --markdown m.md --resume kept";
    let done = sandbox.mqsim(&format!("{line} --time-budget 0s"));
    assert!(done.exits(3).stdout.contains("the time budget was over after 0 of 3 seeds"));
    let junit = read(&sandbox, "j.xml");
    let read_back = junit_parser::from_reader(junit.as_bytes()).expect("it is JUnit");
    assert_eq!((read_back.tests, read_back.failures), (4, 4), "{junit}");
    assert!(read(&sandbox, "m.md").contains("❔ mqsim check: 2 not run"));
    assert!(sandbox.path().join("kept").exists());
    assert!(sandbox.mqsim(line).exits(0).stdout.contains("2 scenarios, 6 runs: 2 hold"));
    assert!(!sandbox.path().join("kept").exists());
    sandbox.mqsim("check . --time-budget 1h").exits(0);
}

#[test]
fn a_summary_is_written_over_only_by_another() {
    let sandbox = suite(&[("a", SOUND)]);
    let line = "check a.toml --seed 1 --markdown m.md";
    sandbox.mqsim(line).exits(0);
    let first = read(&sandbox, "m.md");
    sandbox.mqsim(line).exits(0);
    assert_eq!(read(&sandbox, "m.md"), first);
    sandbox.write("m.md", "# My notes\n");
    let done = sandbox.mqsim(line);
    assert!(done.exits(2).stderr.contains("m.md is there already"), "{}", done.stderr);
    // To what GitHub has for a step, every command of the step adds.
    let mut command = sandbox.command(mqsim());
    let done = Done::of(command.args(line.split_whitespace()).env("GITHUB_STEP_SUMMARY", "m.md"));
    done.exits(0);
    assert_eq!(read(&sandbox, "m.md"), format!("# My notes\n{first}"));
}

/// What may change without a word in a gate: the events by which the same comes about.
#[test]
fn other_events_are_told_only() {
    let sandbox = with(&["single"]);
    sandbox.mqsim("lock single.toml --quiet").exits(0);
    let lock = read(&sandbox, "mqsim.lock");
    let line = lock.lines().find(|line| line.starts_with("events = ")).expect("it is there");
    sandbox.write("mqsim.lock", lock.replace(line, "events = \"0000000000000000\""));
    let done = sandbox.mqsim("check . --locked --seed 1");
    assert!(done.exits(0).stdout.contains("by other events of the simulation"), "{}", done.stdout);
    assert!(sandbox.mqsim("check . --locked --seed 1 --quiet").exits(0).stdout.is_empty());
    sandbox.mqsim("lock . --quiet").exits(0);
    assert!(read(&sandbox, "mqsim.lock").contains("events = \"0000000000000000\""));
    sandbox.mqsim("lock . --accept --quiet").exits(0);
    assert_eq!(read(&sandbox, "mqsim.lock"), lock);
}

/// Every mistake: one message that helps, exit code 2, nothing written.
#[test]
fn mistakes_are_told_and_nothing_is_written() {
    let sandbox = with(&["single"]);
    std::fs::create_dir(sandbox.path().join("empty")).expect("it can be made");
    sandbox.write("thesis.txt", "ten years\n");
    let bad = |name: &str, expect: &str| {
        let single = sandbox::shipped("single");
        let (head, _) = single.split_once("[[expect]]").expect("it expects something");
        std::fs::create_dir_all(sandbox.path().join("bad")).expect("it can be made");
        sandbox.write(&format!("bad/{name}.toml"), format!("{head}\n[[expect]]\n{expect}\n"));
    };
    bad("metric", "metric = 'p99(write_longest_sm)'\nmax = '1s'");
    bad("share", "metric = 'lossy_seed'\nmax = '1%'");
    bad("never", "metric = 'lossy_seeds'\nmax = 0");
    bad("sometimes", "sometimes = 'unsynchronized-mirror-promoted'");
    bad("confidence", "metric = 'success_lost'\nmax = 0\nconfidence = '95%'");
    let before = sandbox.tree();
    let mut text = String::new();
    for line in [
        "check bad/metric.toml",
        "check bad/share.toml",
        "check bad/never.toml",
        "check bad/sometimes.toml",
        "check bad/confidence.toml",
        "check single.toml --junit no/such/folder.xml",
        "check single.toml --junit empty",
        "check single.toml --junit single.toml",
        "check single.toml --resume thesis.txt",
        "check single.toml --resume no/such/folder",
        "check single.toml --locked",
        "check single.toml --locked --set duration=6s",
        "lock empty",
        "lock gone.toml",
        "lock single.toml ./single.toml",
        "lock bad",
        "lock",
    ] {
        let done = sandbox.mqsim(line);
        done.exits(2);
        assert_eq!(done.stdout, "", "{line}");
        text.push_str(&format!("=== mqsim {line}\n{}\n", done.stderr));
    }
    assert_eq!(sandbox.tree(), before);
    for wrong in ["format = 2\n", "format = 1\n[[scenario]]\nfile = 3\n", "<<<<<<< HEAD\n", "\u{0}"]
    {
        sandbox.write("mqsim.lock", wrong);
        for line in ["check single.toml --locked", "lock single.toml --accept"] {
            let done = sandbox.mqsim(line);
            done.exits(2);
            assert!(done.stderr.contains("mqsim.lock: it is no lock of mqsim"), "{}", done.stderr);
        }
        assert_eq!(read(&sandbox, "mqsim.lock"), wrong);
    }
    insta::assert_snapshot!(text);
}
