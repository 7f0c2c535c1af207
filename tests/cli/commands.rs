//! The command line of the real binary on what is shipped: what it prints, writes and returns.

use crate::sandbox::{self, Done, Sandbox, mqsim};
use serde_json::Value;

const SHIPPED: [&str; 3] = ["single", "cluster", "mirror"];

/// The files of a report of one seed.
const FILES: [&str; 10] = [
    ".mqsim",
    "events.csv",
    "invariants.csv",
    "latency.csv",
    "latency.svg",
    "loss.csv",
    "summary.csv",
    "timeline.csv",
    "timeline.svg",
    "windows.csv",
];

fn with_shipped() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in SHIPPED {
        sandbox.ship(name);
    }
    sandbox
}

fn names(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let names = sandbox::tree(&sandbox.path().join(folder));
    names.names().into_iter().map(str::to_owned).collect()
}

#[test]
fn the_shipped_scenarios_hold() {
    let sandbox = with_shipped();
    for name in SHIPPED {
        let done = sandbox.mqsim(&format!("run {name}.toml"));
        done.exits(0);
        assert_eq!(done.stderr, "");
        assert!(
            done.stdout.starts_with(&format!("{name} · seed 1 · rabbitmq-")),
            "{}",
            done.stdout
        );
        assert!(done.stdout.contains("0 messages lost after success") || name == "cluster");
        let again = format!("again:  mqsim run {name}.toml --seed 1");
        assert!(done.stdout.contains(&again), "{}", done.stdout);
        assert!(done.stdout.lines().all(|line| line.chars().count() <= 120), "{}", done.stdout);
        assert_eq!(names(&sandbox, &format!("reports/{name}")), FILES);
    }
}

/// What is printed as the way to repeat a run repeats it.
#[test]
fn the_command_to_run_again_does() {
    let sandbox = with_shipped();
    let first = sandbox.call(&[
        "run",
        "mirror.toml",
        "--set",
        "description=it's",
        "--seed",
        "7",
        "--out",
        "my reports",
    ]);
    let again = first.stdout.lines().find_map(|line| line.strip_prefix("again:  mqsim "));
    let script = format!("exec $0 {}", again.expect("the command is printed"));
    let second = Done::of(sandbox.command("sh").args(["-c", &script, mqsim()]));
    let fingerprint = |done: &Done| {
        let line =
            done.stdout.lines().find(|line| line.starts_with("fingerprint ")).map(str::to_owned);
        line.expect("the fingerprint is printed")
    };
    assert_eq!(fingerprint(&first), fingerprint(&second));
    assert!(second.stdout.contains("mirror · seed 7 · "));
    assert_eq!(names(&sandbox, "my reports/mirror"), FILES);
}

#[test]
fn several_scenarios_and_seeds() {
    let sandbox = with_shipped();
    let done = sandbox.mqsim("run single.toml mirror.toml --seeds 1..=3 --set duration=8s");
    done.exits(0);
    for name in ["single", "mirror"] {
        let summary = sandbox.tree();
        let summary = summary.file(&format!("reports/{name}/summary.csv")).expect("it is written");
        let summary = std::str::from_utf8(summary).unwrap();
        assert_eq!(summary.lines().count(), 4, "{summary}");
        assert!(summary.lines().skip(1).all(|row| row.ends_with(",holds")), "{summary}");
        assert!(done.stdout.contains(&format!("report: reports/{name}")), "{}", done.stdout);
    }
}

#[test]
fn a_broken_expectation_ends_with_one() {
    let sandbox = with_shipped();
    let done =
        sandbox.mqsim("run mirror.toml single.toml --set expect.0.max=0 --set expect.1.equals=1");
    // `unexplained` has max and now equals: the input is wrong, and nothing ran.
    done.exits(2);
    let done = sandbox.mqsim("run cluster.toml single.toml --set duration=8s");
    // The cluster loses less than it is expected to in so short a time.
    done.exits(1);
    assert!(done.stdout.contains("✗ "), "{}", done.stdout);
    assert!(done.stdout.contains("single · seed 1 · rabbitmq-single 3.10 · holds"));
    assert_eq!(names(&sandbox, "reports/cluster"), FILES);
}

#[test]
fn undecided_ends_with_three() {
    let sandbox = with_shipped();
    let done = sandbox.mqsim("run mirror.toml --set drain=0s");
    done.exits(3);
    assert!(done.stdout.contains("mirror · seed 1 · rabbitmq-mirrored 3.10 · undecided"));
}

#[test]
fn quiet_is_silent() {
    let sandbox = with_shipped();
    let done = sandbox.mqsim("run single.toml --quiet");
    done.exits(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    assert_eq!(names(&sandbox, "reports/single"), FILES);
}

#[test]
fn json_is_one_document() {
    let sandbox = with_shipped();
    let done = sandbox.mqsim("run single.toml cluster.toml --json --seeds 1..=2");
    done.exits(0);
    assert_eq!(done.stderr, "");
    let document: Value = serde_json::from_str(&done.stdout).expect("it is JSON");
    assert_eq!(document["exit_code"], 0);
    let scenarios = document["scenarios"].as_array().expect("there are scenarios");
    assert_eq!(scenarios.len(), 2);
    assert_eq!(scenarios[1]["folder"], "reports/cluster");
    let run = &scenarios[1]["runs"][1];
    assert_eq!((&run["seed"], &run["verdict"]), (&Value::from("2"), &Value::from("holds")));
    let lost = run["summary"]["success_lost"].as_u64().expect("it is a number");
    assert!(lost > 8_000, "{lost}");
    // What is in the document is what is in the folder.
    let tree = sandbox.tree();
    let summary = std::str::from_utf8(tree.file("reports/cluster/summary.csv").unwrap()).unwrap();
    let mut rows = summary.lines().map(|row| row.split(',').collect::<Vec<_>>());
    let columns = rows.next().unwrap();
    let at = columns.iter().position(|column| *column == "success_lost").unwrap();
    assert_eq!(rows.nth(1).unwrap()[at], lost.to_string());
}

#[test]
fn no_colour_where_none_is_wanted() {
    let sandbox = with_shipped();
    let plain = sandbox.mqsim("run single.toml").stdout;
    let mut command = sandbox.command(mqsim());
    let refused = Done::of(command.args(["run", "single.toml"]).env("NO_COLOR", "1"));
    let mut command = sandbox.command(mqsim());
    let wrong = Done::of(command.args(["run", "single.toml", "--sed", "1"]).env("NO_COLOR", "1"));
    for text in [&plain, &refused.stdout, &wrong.stderr, &sandbox.mqsim("--help").stdout] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    // Speeds differ, nothing else does.
    let timeless = |text: &str| {
        text.lines()
            .filter(|line| !line.contains(" events and "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(timeless(&plain), timeless(&refused.stdout));
}

/// A reader that goes away is no reason to fail.
#[cfg(unix)]
#[test]
fn a_pipe_that_closes() {
    let sandbox = with_shipped();
    let script = "$0 list rabbitmq-mirrored | head -n 1; $0 run single.toml | head -n 1";
    let done = Done::of(sandbox.command("sh").args(["-c", script, mqsim()]));
    done.exits(0);
    assert_eq!(done.stdout.lines().count(), 2, "{}", done.stdout);
    assert_eq!(done.stderr, "");
    assert_eq!(names(&sandbox, "reports/single"), FILES);
}

#[test]
fn help_documents_the_exit_codes() {
    let sandbox = Sandbox::new();
    for line in ["--help", "help", "run --help", "help run"] {
        let done = sandbox.mqsim(line);
        done.exits(0);
        for code in ["0  ", "1  ", "2  ", "3  ", "4  ", "130  "] {
            assert!(done.stdout.contains(&format!("\n  {code}")), "{line}: {}", done.stdout);
        }
        assert!(done.stdout.lines().all(|line| line.chars().count() <= 100), "{}", done.stdout);
        assert_eq!(done.stderr, "");
    }
    let version = sandbox.mqsim("--version").stdout;
    assert!(version.starts_with(&format!("mqsim {} (build ", env!("CARGO_PKG_VERSION"))));
    assert!(sandbox.tree().names().is_empty(), "nothing is written");
}

#[test]
fn lists() {
    let sandbox = Sandbox::new();
    for (topic, known) in [
        ("", "rabbitmq-mirrored"),
        ("modes", "rabbitmq-single"),
        ("faults", "power-loss"),
        ("actions", "sync_queue"),
        ("metrics", "success_lost"),
        ("selectors", "leader(destination)"),
    ] {
        let done = sandbox.mqsim(&format!("list {topic}"));
        done.exits(0);
        assert!(done.stdout.contains(known), "{topic}: {}", done.stdout);
        assert!(!done.stdout.contains("()"), "{topic}: {}", done.stdout);
        for line in done.stdout.lines() {
            assert!(line.chars().count() <= 100 && line.trim_end() == line, "{topic}: {line}");
        }
    }
    for topic in ["modes", "faults", "actions", "selectors"] {
        insta::assert_snapshot!(
            format!("list_{topic}"),
            sandbox.mqsim(&format!("list {topic}")).stdout
        );
    }
    assert!(sandbox.tree().names().is_empty(), "nothing is written");
}

#[test]
fn the_keys_of_every_mode_are_listed() {
    let sandbox = Sandbox::new();
    for mode in ["rabbitmq-single", "rabbitmq-cluster", "rabbitmq-mirrored"] {
        let done = sandbox.mqsim(&format!("list {mode}"));
        done.exits(0);
        assert!(done.stdout.starts_with(&format!("{mode}: ")));
        // Every key of the shipped scenarios is explained.
        for key in ["net_ticktime: a duration", "confirms.window", "ha-sync-mode", "distribution"] {
            assert!(done.stdout.contains(key), "{mode}: {key}");
        }
        for line in done.stdout.lines() {
            assert!(line.chars().count() <= 100, "{mode}: {line}");
        }
    }
    // One section with all that there can be: variants, words, ranges, long lines.
    let text = sandbox.mqsim("list rabbitmq-mirrored").stdout;
    let (_, behind) = text.split_once("\n[[fault]]\n").expect("there is the section");
    let (faults, _) = behind.split_once("\n[").expect("there is another one");
    insta::assert_snapshot!("list_keys_of_faults", faults);
}

#[test]
fn unknown_things_suggest_the_nearest() {
    let sandbox = with_shipped();
    let mut text = String::new();
    for line in [
        "list metric",
        "list rabbitmq-mirorred",
        "list kafk",
        "rnu",
        "run mirror.toml --set mode=rabbitmq-mirored",
        "",
    ] {
        let done = sandbox.mqsim(line);
        done.exits(2);
        assert_eq!(done.stdout, "", "{line}");
        text.push_str(&format!("=== mqsim {line}\n{}\n", done.stderr));
    }
    insta::assert_snapshot!(text);
}

/// Every expectation over the scenario's own seeds; a directory means the scenarios in it.
#[test]
fn a_check_of_what_is_shipped() {
    let sandbox = with_shipped();
    let one = sandbox.mqsim("check . --jobs 1 --seeds 1..=4");
    one.exits(0);
    assert_eq!(one.stderr, "");
    assert!(one.stdout.ends_with("\n3 scenarios, 12 runs: 3 hold\n"), "{}", one.stdout);
    assert_eq!(sandbox.mqsim("check . --jobs 3 --seeds 1..=4").stdout, one.stdout);
    let own = sandbox.mqsim("check single.toml --json");
    let document: Value = serde_json::from_str(&own.exits(0).stdout).expect("it is JSON");
    assert_eq!(document["scenarios"][0]["seeds"], 20);
    assert_eq!(sandbox.tree().names(), ["cluster.toml", "mirror.toml", "single.toml"]);
}

/// What `check` prints as the way to see a failure shows it.
#[test]
fn the_command_for_a_failing_seed_does_fail() {
    let sandbox = with_shipped();
    let set = ["--set", "expect.2.metric=acked", "--set", "description=it's"];
    let done = sandbox
        .call(&[&["check", "mirror.toml", "--seeds", "7..=9", "--out", "out"], &set[..]].concat());
    done.exits(1);
    assert_eq!(names(&sandbox, "out/mirror"), FILES);
    let again = done.stdout.lines().find_map(|line| line.strip_prefix("  again:  mqsim "));
    let script = format!("exec $0 {}", again.expect("the command is printed"));
    let again = Done::of(sandbox.command("sh").args(["-c", &script, mqsim()]));
    again.exits(1);
    assert!(again.stdout.contains("mirror · seed 7 · "), "{}", again.stdout);
}

#[test]
fn a_check_in_which_any_input_is_wrong_runs_nothing() {
    let sandbox = with_shipped();
    sandbox.write("a.toml", "format = 1\nmode = 'rabbitmq-single'\nduration = '5 s'");
    sandbox.write("b.toml", "format = 1\nmode = 'rabbit'");
    let expectless = sandbox::shipped("single").split("[[expect]]").next().unwrap().to_owned();
    sandbox.write("c.toml", expectless.replace("name = \"single\"", "name = \"c\""));
    std::fs::create_dir(sandbox.path().join("empty")).unwrap();
    let mut text = String::new();
    for line in ["check .", "check empty", "check gone.toml", "check single.toml ./single.toml"] {
        let done = sandbox.mqsim(line);
        done.exits(2);
        assert_eq!(done.stdout, "", "{line}");
        text.push_str(&format!("=== mqsim {line}\n{}\n", done.stderr));
    }
    insta::assert_snapshot!(text);
}

/// Every starter runs as it is, holds for each of its seeds, and is written where it is wanted.
#[test]
fn starters_run_and_hold() {
    let sandbox = Sandbox::new();
    for mode in ["rabbitmq-single", "rabbitmq-cluster", "rabbitmq-mirrored"] {
        let done = sandbox.mqsim(&format!("new {mode} --out {mode}.toml"));
        done.exits(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
        let printed = sandbox.mqsim(&format!("new {mode}"));
        let written = std::fs::read_to_string(sandbox.path().join(format!("{mode}.toml")));
        assert_eq!(printed.exits(0).stdout, written.unwrap());
        assert!(printed.stdout.lines().all(|line| line.chars().count() <= 110), "{mode}");
        sandbox.mqsim(&format!("run {mode}.toml --quiet")).exits(0);
        let again = sandbox.mqsim(&format!("new {mode} --out {mode}.toml"));
        assert!(again.exits(2).stderr.contains("is there already"), "{}", again.stderr);
    }
    let done = sandbox.mqsim("check . --quiet");
    done.exits(0);
    assert_eq!(done.stdout, "");
    let wrong = sandbox.mqsim("new rabbitmq-mirorred");
    assert!(
        wrong.exits(2).stderr.contains("did you mean `rabbitmq-mirrored`?"),
        "{}",
        wrong.stderr
    );
    sandbox.mqsim("new rabbitmq-single --out no/such/folder.toml").exits(2);
}

#[test]
fn the_schema_is_printed() {
    let sandbox = Sandbox::new();
    let all = sandbox.mqsim("schema");
    let value: Value = serde_json::from_str(&all.exits(0).stdout).expect("it is JSON");
    assert_eq!(value["properties"]["mode"]["enum"][0], "rabbitmq-single");
    let one = sandbox.mqsim("schema rabbitmq-mirrored");
    let value: Value = serde_json::from_str(&one.exits(0).stdout).expect("it is JSON");
    assert_eq!(value["properties"]["mode"]["enum"], serde_json::json!(["rabbitmq-mirrored"]));
    // What a new scenario says of it is what it takes.
    let starter = sandbox.mqsim("new kafka").stdout;
    assert!(starter.contains("(mqsim schema kafka-isr > mqsim.schema.json)"), "{starter}");
    let metrics = &value["properties"]["expect"]["items"]["properties"]["metric"]["anyOf"][0];
    let listed = sandbox.mqsim("list metrics").stdout;
    for metric in metrics["enum"].as_array().expect("metrics are enumerated") {
        assert!(listed.contains(metric.as_str().unwrap()), "{metric}");
    }
    sandbox.mqsim("schema mirrored").exits(2);
}

const NEMESIS: &str = "
[nemesis]
every = \"3s\"
[[nemesis.fault]]
kind = \"crash\"
targets = [\"random\", \"leader(orders)\"]
";

fn random() -> String {
    sandbox::shipped("mirror").replace("name = \"mirror\"", "name = \"random\"") + NEMESIS
}

/// What the seed draws is frozen into a file that runs alike, whatever was set.
#[test]
fn random_faults_are_frozen() {
    let sandbox = with_shipped();
    sandbox.write("random.toml", random());
    let set = ["--set", "nemesis.every=2s", "--set", "producer.p1.rate=300/s", "--quiet"];
    let freeze = ["run", "random.toml", "--seed", "5", "--freeze-faults", "frozen.toml"];
    sandbox.call(&[&freeze[..], &set].concat());
    let frozen = std::fs::read_to_string(sandbox.path().join("frozen.toml")).unwrap();
    let again = frozen.lines().find_map(|line| line.strip_prefix("# mqsim "));
    let again = again.expect("the command is in it").to_owned();
    assert_eq!(again, "run frozen.toml --seed 5 --set producer.p1.rate=300/s");
    let outcomes = |line: &[&str]| {
        let document: Value = serde_json::from_str(&sandbox.call(line).stdout).expect("it is JSON");
        document["scenarios"][0]["runs"][0]["ingredients"]["outcomes"].clone()
    };
    let first = ["run", "random.toml", "--seed", "5", "--json"];
    let first = outcomes(&[&first[..], &set[..4]].concat());
    let again: Vec<&str> = again.split(' ').chain(["--json"]).collect();
    assert_eq!(outcomes(&again), first);
    let mut text = String::new();
    for line in [
        "run random.toml --freeze-faults frozen.toml",
        "run mirror.toml --freeze-faults other.toml",
        "run mirror.toml random.toml --freeze-faults other.toml",
        "run random.toml --seeds 1..=2 --freeze-faults other.toml",
        "run random.toml --freeze-faults no/such/folder.toml",
    ] {
        let done = sandbox.mqsim(line);
        done.exits(2);
        text.push_str(&format!("=== mqsim {line}\n{}\n", done.stderr));
    }
    insta::assert_snapshot!(text);
    assert!(!sandbox.path().join("other.toml").exists());
}

/// What is drawn, and what comes of it, does not depend on how many run at once.
#[test]
fn random_faults_are_the_same_for_any_number_of_jobs() {
    let sandbox = Sandbox::new();
    sandbox.write("random.toml", random());
    for jobs in ["1", "2", "5"] {
        let line = format!("run random.toml --seeds 1..=6 --jobs {jobs} --out {jobs} --quiet");
        assert_ne!(sandbox.mqsim(&line).code, Some(4));
    }
    let folder = |jobs: &str| sandbox::tree(&sandbox.path().join(jobs));
    assert_eq!(folder("1").differences(&folder("2")), Vec::<String>::new());
    assert_eq!(folder("1").differences(&folder("5")), Vec::<String>::new());
    let events = folder("1");
    let events = std::str::from_utf8(events.file("random/events.csv").unwrap()).unwrap();
    assert!(events.matches(",fault,begun: crash n").count() > 3, "{events}");
}
