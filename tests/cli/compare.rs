//! `mqsim compare` by the real binary: what is told of two runs is what happened in them, and two
//! runs draw alike as long as their histories are the same.

use std::collections::BTreeMap;

use crate::chaos_kit;
use crate::sandbox::{self, Done, Sandbox, mqsim};
use mqsim::engine::Time;
use mqsim::run::{Prepared, parse, part};

const ACKS: &str = "vanlightly-2018-leader-cut-off-acks-1-2.0";

fn failure(sandbox: &Sandbox, name: &str) {
    let path = format!("{}/scenarios/failures/kafka/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    sandbox.write(&format!("{name}.toml"), std::fs::read(path).unwrap());
}

type Rows = Vec<BTreeMap<String, String>>;

fn rows(sandbox: &Sandbox, path: &str) -> Rows {
    let mut reader = csv::Reader::from_path(sandbox.path().join(path)).unwrap();
    let columns = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        columns.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> u64 {
    row[column].parse().unwrap()
}

/// With acks=1 the leader acknowledges what it has alone; with acks=all it waits. Of every message
/// whose fate differs it is told how it ended on either side, and why, and the sums are those of the
/// runs by themselves.
#[test]
fn acks_1_and_acks_all_line_by_line() {
    let sandbox = Sandbox::new();
    failure(&sandbox, ACKS);
    let seeds = "--seeds 1..=6";
    let (all, one) = ("producer.p1.acks=\"all\"", "producer.p1.acks=\"1\"");
    let line = format!("compare {ACKS}.toml --set-a {all} --set-b {one} {seeds}");
    let done = sandbox.mqsim(&line);
    done.exits(1);
    let headline = "B is worse than is tolerated: success_lost 0 -> ";
    assert!(done.stdout.starts_with(headline), "{}", done.stdout);
    // The worst change is the first row, and what is better is not called worse.
    let changes = done.stdout.split("\n  metric ").nth(1).expect("metrics changed");
    // Headers may take two lines.
    let mut rows_of = changes.lines().skip(1);
    let first = rows_of.find(|line| !line.starts_with("   ")).expect("there are some");
    assert!(first.starts_with("  success_lost") && first.ends_with("regression"), "{first}");
    let back = sandbox
        .mqsim(&format!("compare {ACKS}.toml --set-a {one} --set-b {all} {seeds} --out back"));
    assert!(back.exits(0).stdout.starts_with("B is better: success_lost "), "{}", back.stdout);
    for (name, set) in [("all", all), ("one", one)] {
        sandbox.mqsim(&format!("run {ACKS}.toml --set {set} {seeds} --out {name} --quiet"));
    }
    let lines = rows(&sandbox, &format!("reports/{ACKS}-compare/compare-lines.csv"));
    // Every message that is gone on one side says why it is.
    for row in &lines {
        for side in ["a", "b"] {
            let gone = row[&format!("{side}_fate")] == "gone";
            assert_eq!(gone, !row[&format!("{side}_why")].is_empty(), "{row:?}");
        }
    }
    let sum = |of: &dyn Fn(&BTreeMap<String, String>) -> bool| -> u64 {
        lines.iter().filter(|row| of(row)).map(|row| number(row, "lines")).sum()
    };
    for (side, name, fate) in [("a", "all", "a_fate"), ("b", "one", "b_fate")] {
        let summary = rows(&sandbox, &format!("{name}/{ACKS}/summary.csv"));
        assert_eq!(summary.len(), 6);
        for class in ["acked", "accepted", "unknown"] {
            let wanted: u64 = summary.iter().map(|row| number(row, &format!("{class}_lost"))).sum();
            let outcome = format!("{side}_outcome");
            let told = sum(&|row| row[&outcome] == class && row[fate] == "gone");
            assert_eq!(told, wanted, "{class} in {side}");
        }
    }
    // What the story is about.
    let kind = |wanted: &str| sum(&|row| row["kind"] == wanted);
    assert!(kind("lost only in B") > 100_000, "{}", kind("lost only in B"));
    let alone = |row: &BTreeMap<String, String>| {
        row["b_why"] == "truncated-to-leader because acked-before-replicated on n1"
    };
    assert_eq!(sum(&|row| row["kind"] == "lost only in B" && !alone(row)), 0);
}

/// Two seeds of one scenario: where they part, and what became of it.
#[test]
fn one_seed_with_another() {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    let set = "--set duration=8s";
    let done = sandbox.mqsim(&format!("compare cluster.toml {set} --seed-a 1 --seed-b 3"));
    for words in [
        "A: cluster, rabbitmq-cluster 3.10, with duration=8s, seed 1",
        "with duration=8s, seed 3",
        "Seed 1 of A with seed 3 of B",
        "Seed 1 of A and seed 3 of B, after ",
    ] {
        assert!(done.stdout.contains(words), "{words}: {}", done.stdout);
    }
    // The numbers are those of the two runs.
    sandbox.mqsim(&format!("run cluster.toml {set} --seeds 1..=3 --quiet --out runs"));
    let summary = rows(&sandbox, "runs/cluster/summary.csv");
    let table = rows(&sandbox, "reports/cluster-compare/compare.csv");
    let events = table.iter().find(|row| row["metric"] == "events").unwrap();
    for (side, seed) in [("a", 0), ("b", 2)] {
        let told = events[&format!("{side}_mean")].split('.').next().unwrap();
        assert_eq!(told, summary[seed]["events"], "{events:?}");
    }
    // Reports say the same.
    let line = "compare runs/cluster runs/cluster --seed-a 1 --seed-b 3 --out folders";
    let folders = sandbox.mqsim(line);
    assert!(folders.stdout.contains("Seed 1 of A with seed 3 of B"), "{}", folders.stdout);
    let again = rows(&sandbox, "folders/cluster-compare/compare.csv");
    assert_eq!(again, table);
    // A seed and itself are identical; one alone, or one that is not there, is an error.
    let same = sandbox.mqsim(&format!("compare cluster.toml {set} --seed-a 2 --seed-b 2"));
    assert!(same.exits(0).stdout.starts_with("identical\n"), "{}", same.stdout);
    sandbox.mqsim("compare cluster.toml --seed-a 2").exits(2);
    sandbox.mqsim("compare cluster.toml --seed-a 2 --seed-b 3 --seeds 1..=3").exits(2);
    let done = sandbox.mqsim("compare runs/cluster runs/cluster --seed-a 1 --seed-b 9");
    assert!(done.exits(2).stderr.contains("has no seed 9"), "{}", done.stderr);
}

#[test]
fn a_run_and_itself_are_identical() {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    let set = "--set duration=8s --seeds 1..=3";
    let done = sandbox.mqsim(&format!("compare cluster.toml cluster.toml {set}"));
    done.exits(0);
    assert!(done.stdout.starts_with("identical\n"), "{}", done.stdout);
    sandbox.mqsim(&format!("run cluster.toml {set} --quiet --out a"));
    sandbox.mqsim(&format!("run cluster.toml {set} --quiet --out b --jobs 1"));
    for line in [
        "compare a/cluster b/cluster",
        "compare a/cluster/summary.csv b/cluster/summary.csv",
        "compare a/cluster b/cluster/summary.csv --seeds 2..=3",
        "compare a/cluster a/cluster --tolerance success_lost=0,write_longest_ms=0,ack_p99_us=0%",
    ] {
        let done = sandbox.mqsim(line);
        done.exits(0);
        assert!(done.stdout.starts_with("identical\n"), "{line}: {}", done.stdout);
    }
    // Identical means identical: another seed is not.
    sandbox.mqsim("run cluster.toml --set duration=8s --seeds 2..=3 --quiet --out c");
    let done = sandbox.mqsim("compare a/cluster c/cluster");
    done.exits(0);
    assert!(!done.stdout.starts_with("identical"), "{}", done.stdout);
    assert!(done.stdout.contains("not compared: 1 that only A has"), "{}", done.stdout);
}

/// Two reports say the same as the two scenarios, as far as reports go.
#[test]
fn folders_say_what_scenarios_say() {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    let common = "--set duration=12s --seeds 1..=7";
    let later = "fault.0.at=6s";
    sandbox.mqsim(&format!("run cluster.toml {common} --quiet --out a"));
    sandbox.mqsim(&format!("run cluster.toml {common} --set {later} --quiet --out b"));
    let live = sandbox.mqsim(&format!(
        "compare cluster.toml {common} --set-b {later} --tolerance success_lost=10% --out live \
         --markdown pull.md --jobs 1"
    ));
    live.exits(0);
    let read = sandbox.mqsim("compare a/cluster b/cluster --out read --tolerance success_lost=10%");
    read.exits(0);
    let file = |path: &str| std::fs::read_to_string(sandbox.path().join(path)).unwrap();
    for name in ["compare.csv", "compare-latency.csv"] {
        let (live, read) =
            (format!("live/cluster-compare/{name}"), format!("read/cluster-compare/{name}"));
        let live = file(&live);
        if name == "compare.csv" {
            assert_eq!(live, file(&read));
        } else {
            // Folders have the latency of the first seed and of those that failed.
            assert_eq!(live.lines().count(), file(&read).lines().count());
        }
    }
    let of = |rows: &Rows, kind: &str| {
        let rows = rows.iter().filter(|row| row["kind"] == kind && row["seed"] == "1");
        rows.map(|row| number(row, "lines")).sum::<u64>()
    };
    assert!(of(&rows(&sandbox, "read/cluster-compare/compare-lines.csv"), "lost only in A") > 100);
    for done in [&live, &read] {
        assert!(done.stdout.contains("Where the histories part"), "{}", done.stdout);
        assert!(done.stdout.lines().all(|line| line.chars().count() <= 100), "{}", done.stdout);
    }
    let exact = "5.000000000 s: the fault crash home(orders) begins on n";
    assert!(live.stdout.contains(exact), "{}", live.stdout);
    assert!(read.stdout.contains("A: 5.000000 s: fault begun: crash home(orders)"));
    // Any number of threads, the same bytes; and the Markdown takes the place of its elder.
    let markdown = file("pull.md");
    assert!(markdown.starts_with("<!-- mqsim compare -->\n## mqsim compare: ✅ B is "));
    assert!(markdown.contains("| success\\_lost, messages |"), "{markdown}");
    let before = sandbox.tree();
    sandbox
        .mqsim(&format!(
            "compare cluster.toml {common} --set-b {later} --tolerance success_lost=10% --out live \
             --markdown pull.md --jobs 3 --quiet"
        ))
        .exits(0);
    assert_eq!(sandbox.tree().differences(&before), [""; 0]);
    let names = sandbox::tree(&sandbox.path().join("live/cluster-compare"));
    let wanted = [
        ".mqsim",
        "compare-latency.csv",
        "compare-lines.csv",
        "compare-windows.csv",
        "compare.csv",
        "overlay.svg",
    ];
    assert_eq!(names.names(), wanted);
}

#[test]
fn tolerances_decide_the_exit_code() {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    let compare = "compare cluster.toml --set duration=9s --seeds 1..=2 --set-b fault.0.at=4s";
    for (tolerance, code) in [
        ("success_lost=0", 1),
        ("success_lost=100000", 0),
        ("success_lost=1000%", 0),
        ("write_longest_ms=0", 0),
        ("effective_write_availability=0.01", 1),
        ("ack_p99_us=0%,success_lost=1%", 1),
        ("read_lost=0", 0),
    ] {
        let done = sandbox.mqsim(&format!("{compare} --tolerance {tolerance} --quiet"));
        assert_eq!(done.code, Some(code), "{tolerance}: {}", done.stderr);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    }
    // The other way around it is better.
    let done = sandbox.mqsim(&compare.replace("--set-b", "--set-a"));
    done.exits(0);
    // What nobody measured can be no regression, and no proof of the contrary.
    sandbox.ship("kafka-isr");
    let none = "compare kafka-isr.toml --set duration=4s --set fault.0.at=3s --seed 1 --set-b \
                producer.p1.acks=\"0\"";
    let done = sandbox.mqsim(&format!("{none} --tolerance ack_p99_us=10% --json"));
    done.exits(3);
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(document["metrics"]["ack_p99_us"]["standing"], "undecided");
}

/// One clear message, exit code 2, nothing written.
#[track_caller]
fn refused(sandbox: &Sandbox, line: &str, words: &str) {
    let before = sandbox.tree();
    let done = Done::of(sandbox.command(mqsim()).args(line.split_whitespace()));
    done.exits(2);
    assert_eq!(done.stdout, "", "{line}");
    assert!(done.stderr.contains(words), "{line}: {}", done.stderr);
    assert_eq!(done.stderr.matches("mqsim: error: ").count(), 1, "{line}: {}", done.stderr);
    let remedy = ["help", "For more information"];
    assert!(remedy.iter().any(|word| done.stderr.contains(word)), "{}", done.stderr);
    assert_eq!(sandbox.tree().differences(&before), [""; 0], "{line}");
}

#[test]
fn wrong_comparisons_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    sandbox.ship("single");
    for (name, seeds) in [("cluster", "1..=3"), ("single", "7..=8")] {
        let run = format!("run {name}.toml --set duration=5s --seeds {seeds} --out r --quiet");
        sandbox.mqsim(&run);
    }
    sandbox.mqsim("run cluster.toml --set duration=5s --seed 9 --out other --quiet");
    std::fs::create_dir_all(sandbox.path().join("empty")).unwrap();
    let summary = std::fs::read_to_string(sandbox.path().join("r/cluster/summary.csv")).unwrap();
    let version = format!(",{},", env!("CARGO_PKG_VERSION"));
    sandbox.write("older.csv", summary.replace(&version, ",0.0.1,"));
    sandbox.write("cut.csv", &summary[..summary.len() - 30]);
    sandbox.write("cut-early.csv", &summary[..40]);
    sandbox.write("none.csv", summary.lines().next().unwrap().to_owned() + "\n");
    sandbox.write("nothing.csv", "");
    sandbox.write("bytes.csv", [0xff, 0xfe, 0]);
    let first = summary.lines().nth(1).unwrap();
    sandbox.write("twice.csv", format!("{summary}{first}\n"));
    sandbox
        .write("letters.csv", summary.replacen("40.000", "forty", 1).replacen(",2,", ",two,", 1));
    sandbox.write("mine.md", "# Notes\n");
    for (line, words) in [
        ("compare", "required"),
        ("compare cluster.toml", "only one thing to compare"),
        ("compare nothing.toml cluster.toml", "there is no such file"),
        ("compare empty r/cluster", "there is no report in it"),
        ("compare r r", "there is no report in it"),
        ("compare r/cluster r/single", "is a report of cluster and r/single one of single"),
        ("compare r/cluster cluster.toml", "r/cluster is a report and cluster.toml a scenario"),
        ("compare r/cluster r/nowhere", "there is no such file"),
        ("compare r/cluster missing.csv", "there is no such file"),
        ("compare r/cluster older.csv", "was made by mqsim 0.0.1, and this is mqsim"),
        ("compare r/cluster cut.csv", "truncated"),
        ("compare r/cluster cut-early.csv", "has other columns"),
        ("compare r/cluster none.csv", "has no rows"),
        ("compare r/cluster nothing.csv", "is empty"),
        ("compare r/cluster bytes.csv", "is no text"),
        ("compare r/cluster twice.csv", "has seed 1 twice"),
        ("compare r/cluster letters.csv", "is damaged in line"),
        ("compare r/cluster other/cluster", "no seed in common: A has 1 to 3, B has 9"),
        ("compare r/cluster r/cluster --seeds 2..=4", "has no seed 4: it has 1 to 3"),
        ("compare r/cluster r/cluster --set-b duration=3s", "these are reports"),
        ("compare cluster.toml --set-b durration=3s", "did you mean `duration`?"),
        ("compare r/cluster r/cluster --tolerance sucess_lost=0", "did you mean `success_lost`?"),
        ("compare r/cluster r/cluster --tolerance success_lost=-1", "a number from 0 on"),
        ("compare r/cluster r/cluster --tolerance lines=1", "neither better nor worse"),
        ("compare r/cluster r/cluster --markdown mine.md", "is no comparison"),
        ("compare r/cluster r/cluster --markdown no/such/file.md", "there is no such directory"),
        ("compare cluster.toml --set-b seed=2 --seeds 5..=4", "no seed in it"),
    ] {
        refused(&sandbox, line, words);
    }
}

/// The instant at which a fault is added.
const ADDED_MS: u64 = 2_345;

/// A random scenario, and the same with one more fault.
fn pair(number: u64) -> Option<(Prepared, Prepared)> {
    let text = chaos_kit::scenario(number).text();
    let more = format!(
        "\n[[fault]]\nat = \"{ADDED_MS}ms\"\nfor = \"400ms\"\nkind = \"pause\"\ntarget = \"n1\"\n"
    );
    let first = parse("chaos.toml", text.as_bytes(), &[]).ok()?;
    // Random faults are drawn behind those of the file.
    let second = parse("chaos.toml", (text + &more).as_bytes(), &[]).ok()?;
    Some((first, second))
}

/// Two runs that differ by one fault are the same to the nanosecond until it begins: they draw alike
/// although one of them has something more to draw for.
#[test]
fn runs_draw_alike_until_their_histories_part() {
    let added = Time::from_nanos(ADDED_MS * 1_000_000);
    let mut parted = 0;
    for number in 0..40 {
        let Some((first, second)) = pair(number) else { continue };
        for seed in [1, 2] {
            let parting = part(&first, &second, [seed, seed]).expect("the runs end");
            let Some(parting) = parting else { continue };
            assert!(parting.at >= added, "{number}, seed {seed}: {parting:?}");
            // Where the node is down already it finds no target.
            let begins = "2.345000000 s: the fault pause n1 ";
            let second = parting.second.as_deref().unwrap_or("");
            assert!(second.starts_with(begins), "{number}, seed {seed}: {parting:?}");
            parted += 1;
        }
    }
    assert!(parted >= 60, "{parted} pairs told something");
}

/// And with another seed they are not the same at all.
#[test]
fn other_seeds_draw_otherwise() {
    let (first, _) = pair(1).expect("it is a scenario");
    let text = chaos_kit::scenario(1).text();
    let slower = ["cluster.network.latency=3ms".to_owned()];
    let slower = parse("chaos.toml", text.as_bytes(), &slower).expect("it is a scenario");
    let parting = part(&first, &slower, [1, 1]).expect("the runs end").expect("they part");
    assert!(parting.at < Time::from_nanos(1_000_000_000), "{parting:?}");
}
