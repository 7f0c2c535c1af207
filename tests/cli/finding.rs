//! Finding things: failure scenarios by what they are about, sections of a mode, and what is known
//! to be missing.

use std::collections::BTreeSet;
use std::path::Path;

use crate::sandbox::{Done, Sandbox, mqsim};

/// The shipped failure scenarios: their names, and the files.
fn shipped() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/failures");
    let (mut found, mut ahead) = (BTreeSet::new(), vec![root]);
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(directory).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                ahead.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                let name = path.file_stem().expect("it has a name").to_string_lossy();
                assert!(found.insert(name.to_string()), "two are called {name}");
            }
        }
    }
    found
}

/// The names in a list of failures.
fn named(list: &str) -> BTreeSet<String> {
    let name = |line: &str| line.split_once(" · ").map(|(name, _)| name.to_owned());
    list.lines().filter(|line| !line.starts_with(' ')).filter_map(name).collect()
}

#[test]
fn every_failure_scenario_is_in_the_binary() {
    let sandbox = Sandbox::new();
    assert_eq!(named(&sandbox.mqsim("list failures").exits(0).stdout), shipped());
}

#[test]
fn failures_are_found_by_what_they_are_about() {
    let sandbox = Sandbox::new();
    let found = |words: &str| {
        let done = sandbox.mqsim(&format!("list failures {words}"));
        named(&done.exits(0).stdout)
    };
    for (words, one) in [
        ("mirror promoted", "20-unsynced-promoted-automatic"),
        ("rabbitmq power-loss", "02-power-loss-with-confirms"),
        ("KAFKA zone", "zone-lost-4.1"),
        ("truncated-to-leader", "r28-zombie-leader-acks-1-4.1"),
        ("min.insync.replicas", "jepsen-2013-min-isr-0.8.2"),
        ("memory alarm", "09-memory-alarm-3.10"),
        ("kafka-legacy", "p10-rebalance-storm"),
    ] {
        let found = found(words);
        assert!(found.contains(one) && found.len() < shipped().len() / 2, "{words}: {found:?}");
    }
    // A version is not a piece of another one: 3.1 is no 3.10.
    assert!(found("3.10").contains("09-memory-alarm-3.10"));
    assert!(found("3.12").iter().all(|name| !name.ends_with("3.10")));
    sandbox.mqsim("list failures 3.1").exits(2);
    // Those that say so in their description come first.
    let list = sandbox.mqsim("list failures alarm").stdout;
    let first = list.lines().take(2).collect::<String>();
    assert!(first.to_lowercase().contains("alarm"), "{first}");
    // Every one says what it shows.
    let all = sandbox.mqsim("list failures").stdout;
    let lines: Vec<&str> = all.lines().collect();
    let shows = |pair: &&[&str]| !pair[0].starts_with(' ') && pair[0].contains(" · ");
    for pair in lines.windows(2).filter(shows) {
        assert!(pair[1].starts_with("    ") && pair[1].trim().len() > 20, "{pair:?}");
    }
    let none = sandbox.mqsim("list failures no-such-symptom");
    assert!(none.exits(2).stderr.contains("fewer or other words"), "{}", none.stderr);
}

/// A window that nothing closed because nothing was sent there any more says so, and is as long as
/// ever. (A sticky partitioner goes to another partition for good, as every producer of this one does.)
#[test]
fn a_destination_that_is_left_alone_is_not_called_down() {
    let sandbox = Sandbox::new();
    sandbox.mqsim("new --from jepsen-2013-min-isr-0.8.2 --out s.toml").exits(0);
    let done = sandbox.mqsim("run s.toml --seed 8");
    let told = done.exits(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("writes: 88.0 s from 12.000 s on: not tried again after "), "{told}");
    let tree = sandbox.tree();
    let folder = "reports/jepsen-2013-min-isr-0.8.2/windows.csv";
    let windows = std::str::from_utf8(tree.file(folder).unwrap()).unwrap();
    let row = windows.lines().find(|row| row.contains(",write,12000,100000,")).expect("it has one");
    // Of the last four columns: recovered, tried_until_ms, free_ms, late.
    let last = |row: &str| row.rsplit(',').map(str::to_owned).take(4).collect::<Vec<_>>();
    let cells = last(row);
    let tried: u64 = cells[2].parse().expect("a time");
    assert!(cells[3] == "no" && (12_000..99_000).contains(&tried), "{row}");
    assert!(row.contains(",12000,100000,88000,"), "{row}");
    // What is closed, or tried until the end, says nothing of the kind.
    let mut closed = windows.lines().map(last).filter(|cells| cells[3] == "yes");
    assert!(closed.all(|cells| cells[2].is_empty()));
}

/// What is printed runs as it is, and promises nothing about files that are not there.
#[test]
fn a_failure_scenario_is_a_scenario_to_begin_with() {
    let sandbox = Sandbox::new();
    let done = sandbox.mqsim("new --from 07-unroutable --out mine.toml");
    assert_eq!((done.exits(0).stdout.as_str(), done.stderr.as_str()), ("", ""));
    sandbox.mqsim("check mine.toml --seeds 1..=2 --quiet").exits(0);
    let printed = sandbox.mqsim("new --from 07-unroutable.toml").exits(0).stdout.clone();
    assert_eq!(printed.as_bytes(), sandbox.tree().file("mine.toml").unwrap());
    assert!(!printed.contains("#:schema .."), "{printed}");
    assert!(printed.contains("mqsim schema rabbitmq-single >"), "{printed}");
    let wrong = sandbox.mqsim("new --from 07-unroutabel");
    assert!(wrong.exits(2).stderr.contains("did you mean `07-unroutable`?"), "{}", wrong.stderr);
    sandbox.mqsim("new kafka-isr --from 07-unroutable").exits(2);
    sandbox.mqsim("new").exits(2);
}

#[test]
fn a_broker_means_its_mode_that_replicates() {
    let sandbox = Sandbox::new();
    for (broker, mode) in [("kafka", "kafka-isr"), ("RabbitMQ", "rabbitmq-quorum")] {
        for command in ["new", "list", "schema"] {
            let short = sandbox.mqsim(&format!("{command} {broker}"));
            assert_eq!(short.exits(0).stdout, sandbox.mqsim(&format!("{command} {mode}")).stdout);
        }
    }
    // A file says what it means, to whoever reads it.
    sandbox.write("a.toml", "format = 1\nmode = \"kafka\"\nduration = \"5s\"\n");
    let done = sandbox.mqsim("run a.toml");
    assert!(done.exits(2).stderr.contains("write mode = \"kafka-isr\""), "{}", done.stderr);
    assert!(done.stderr.contains("a.toml:2:8"), "{}", done.stderr);
}

#[test]
fn what_is_missing_is_an_answer_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.write("a.toml", "format = 1\nmode = \"rocketmq-proxy\"\nduration = \"5s\"\n");
    let mut text = String::new();
    for line in [
        "new acting-master",
        "list nats",
        "schema nats",
        "list failures jetstream",
        "list tiered-storage",
        "run a.toml",
        "new rabbit-hole",
    ] {
        let done = sandbox.mqsim(line);
        assert_eq!(done.exits(2).stdout, "", "{line}");
        text.push_str(&format!("=== mqsim {line}\n{}\n", done.stderr));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn sections_of_a_mode_are_listed_alone() {
    let sandbox = Sandbox::new();
    let list = |only: &str| sandbox.mqsim(&format!("list kafka-isr {only}"));
    let titles = |only: &str| {
        let text = list(only).exits(0).stdout.clone();
        let titles: Vec<_> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(' '))
            .map(str::to_owned)
            .collect();
        titles
    };
    assert_eq!(titles("topic"), ["[[topic]]"]);
    assert_eq!(titles("[[topic]] producer"), ["[[topic]]", "[[producer]]"]);
    let cluster =
        ["[cluster]", "[[cluster.node]]", "[cluster.network]", "[cluster.disk]", "[cluster.cpu]"];
    assert_eq!(titles("cluster"), cluster);
    assert_eq!(titles("causes events top"), ["the top level", "causes", "events"]);
    assert!(list("causes").stdout.contains("truncated-to-leader: "));
    let wrong = list("prodcer");
    assert!(wrong.exits(2).stderr.contains("did you mean `producer`?"), "{}", wrong.stderr);
    sandbox.mqsim("list faults producer").exits(2);
}

/// Texts fit the terminal, and headings stand out on one.
#[test]
fn lists_fit_and_have_headings() {
    let sandbox = Sandbox::new();
    for columns in [60, 80, 120] {
        for line in
            ["list", "list metrics", "list failures", "list failures kafka", "list kafka-isr"]
        {
            let mut command = sandbox.command(mqsim());
            let done = Done::of(command.args(line.split(' ')).env("COLUMNS", columns.to_string()));
            let wide = done.exits(0).stdout.lines().filter(|line| line.trim().contains(' '));
            let widest = wide.map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= columns.min(100), "{line}: {widest} of {columns}");
        }
    }
    let bold = sandbox.mqsim("list rabbitmq-single queue --color always");
    assert!(bold.stdout.starts_with("\u{1b}[1m[[queue]]\u{1b}[0m\n"), "{}", bold.stdout);
    let bold = sandbox.mqsim("list failures 07-unroutable-mandatory --color always");
    assert!(
        bold.stdout.starts_with("\u{1b}[1m07-unroutable-mandatory\u{1b}[0m · "),
        "{}",
        bold.stdout
    );
    assert!(!sandbox.mqsim("list kafka-isr").stdout.contains('\u{1b}'));
}
