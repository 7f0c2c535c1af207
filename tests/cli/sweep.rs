//! `mqsim sweep` and `mqsim merge` by the real binary: the same bytes for any number of threads,
//! after any interruption, and from shards.

use std::time::Duration;

use crate::sandbox::{self, Done, Sandbox, Tree, mqsim};

/// 2 × 3 cells of 4 seeds, each run short.
const SWEEP: &str = "sweep cluster.toml --set duration=9s --set producer.p1.rate=100/s,500/s \
                     --set fault.0.at=2s,3s,4s --seeds 1..=4";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    sandbox
}

fn swept(sandbox: &Sandbox, out: &str) -> Tree {
    sandbox::tree(&sandbox.path().join(out))
}

fn text(tree: &Tree, name: &str) -> String {
    let bytes = tree.file(name).unwrap_or_else(|| panic!("{name} is in {tree:?}"));
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn any_jobs_any_shards_the_same_bytes() {
    let sandbox = sandbox();
    let done = sandbox.mqsim(&format!("{SWEEP} --out a --jobs 1"));
    done.exits(0);
    assert_eq!(done.stderr, "");
    assert!(done.stdout.starts_with("cluster · 6 cells · seeds 1 to 4 · 24 runs\n"));
    sandbox.mqsim(&format!("{SWEEP} --out b --jobs 3 --quiet")).exits(0);
    let whole = swept(&sandbox, "a");
    assert_eq!(whole.differences(&swept(&sandbox, "b")), [""; 0]);
    let files = [".mqsim", "aggregates.csv", "pareto.csv", "sweep.csv", "sweep.json", "sweep.svg"];
    let mut wanted = vec!["cluster-sweep/".to_owned()];
    wanted.extend(files.map(|name| format!("cluster-sweep/{name}")));
    assert_eq!(whole.names(), wanted);

    for shard in ["2/3", "1/3", "3/3"] {
        sandbox.mqsim(&format!("{SWEEP} --out shards --shard {shard}")).exits(0);
    }
    let merged = sandbox.mqsim("merge shards --out merged");
    merged.exits(0);
    assert_eq!(merged.stdout, done.stdout.replace("report: a/", "report: merged/"));
    assert_eq!(whole.differences(&swept(&sandbox, "merged")), [""; 0]);
    // Named one by one, in any order, and into the directory that they are in.
    let named = "shards/cluster-sweep-3-of-3 shards/cluster-sweep-1-of-3 \
                 shards/cluster-sweep-2-of-3";
    sandbox.mqsim(&format!("merge {named} --out shards --quiet")).exits(0);
    sandbox.mqsim("merge shards --out shards --quiet").exits(0);
    let again = swept(&sandbox, "shards");
    assert!(files.iter().all(|name| {
        let name = format!("cluster-sweep/{name}");
        again.file(&name) == whole.file(&name)
    }));
}

/// What a cell says is what `mqsim run` says with the same values.
#[test]
fn rows_are_those_of_single_runs() {
    let sandbox = sandbox();
    sandbox.mqsim(&format!("{SWEEP} --quiet")).exits(0);
    let set = "--set duration=9s --set producer.p1.rate=500/s --set fault.0.at=3s";
    sandbox.mqsim(&format!("run cluster.toml {set} --seed 3 --quiet"));
    let tree = swept(&sandbox, "reports");
    let summary = text(&tree, "cluster/summary.csv");
    let row = summary.lines().nth(1).unwrap().strip_prefix("cluster,3,").unwrap();
    let table = text(&tree, "cluster-sweep/sweep.csv");
    let wanted = format!("cluster,3,5,500/s,3s,{row}");
    assert!(table.lines().any(|line| line == wanted), "{wanted}\n{table}");
}

/// What is compared with what, what is shown, and what is said of keys that do nothing.
#[test]
fn weather_apart_columns_to_choose_and_keys_without_effect() {
    let sandbox = sandbox();
    let axes = "--set duration=9s --set producer.p1.mandatory=true,false --set fault.0.for=2s,3s";
    let line = format!("sweep cluster.toml {axes} --set consumer.c1.prefetch=100,200");
    let done = sandbox.mqsim(&format!("{line} --seeds 1..=6"));
    let text = &done.exits(0).stdout;
    // The same star under either weather: without `mandatory` everything is confirmed and lost.
    let cells: Vec<&str> = text.lines().filter(|line| line.contains(" of 6 ")).collect();
    assert_eq!(cells.len(), 8, "{text}");
    for cell in cells {
        let weather = cell.trim_start_matches([' ', '*']).split_whitespace().next();
        assert!(matches!(weather, Some("2s" | "3s")), "{cell}");
        assert_eq!(cell.starts_with("  * "), cell.contains(" true "), "{text}");
        // What is lost never arrives.
        assert_eq!(cell.ends_with('∞'), cell.contains(" false "), "{text}");
    }
    assert!(text.contains("under the same fault.0.for beats"), "{text}");
    assert!(text.contains("consumer.c1.prefetch has no effect: the runs are the same"), "{text}");
    assert!(!text.contains("mandatory has no effect"), "{text}");
    let pareto = std::fs::read_to_string(sandbox.path().join("reports/cluster-sweep/pareto.csv"));
    assert!(pareto.unwrap().contains(",inf,ack_p99_us,no,"));

    let shown = sandbox
        .mqsim(&format!("{line} --seeds 1..=2 --show acked_per_s,read_lost --group-by none"));
    let text = &shown.exits(0).stdout;
    assert!(text.contains("acked_per_s   read_lost"), "{text}");
    assert!(text.contains("fewer than 6 seeds tell nothing from noise"), "{text}");
    assert!(!text.contains('*'), "{text}");
    for (wrong, words) in [
        ("--show acked_per_sec", "did you mean `acked_per_s`?"),
        ("--group-by fault.0.at", "no such key varies"),
    ] {
        let done = sandbox.mqsim(&format!("{line} {wrong} --out nowhere"));
        assert!(done.exits(2).stderr.contains(words), "{}", done.stderr);
    }
    assert!(!sandbox.path().join("nowhere").exists());
}

/// Killed without warning, at any moment, as often as it takes: in the end the same bytes.
#[cfg(unix)]
#[test]
fn killed_at_any_point_and_run_again() {
    let sandbox = sandbox();
    sandbox.mqsim(&format!("{SWEEP} --out whole --quiet")).exits(0);
    let (mut kills, mut resumed) = (0, false);
    for millis in (20..).step_by(35) {
        let mut child = std::process::Command::new(mqsim())
            .current_dir(sandbox.path())
            .args(SWEEP.split_whitespace().chain(["--out", "killed", "--jobs", "2"]))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        resumed |= String::from_utf8_lossy(&output.stderr).contains("were done already: going on");
        if output.status.success() {
            break;
        }
        kills += 1;
        // Besides, a tail that is torn in the middle of a line.
        let path = sandbox.path().join("killed/.cluster-sweep.journal");
        if let Ok(bytes) = std::fs::read(&path) {
            std::fs::write(&path, &bytes[..bytes.len().saturating_sub(7 * kills)]).unwrap();
        }
    }
    assert!(kills > 1 && resumed, "{kills} kills, resumed: {resumed}");
    let (whole, killed) = (swept(&sandbox, "whole"), swept(&sandbox, "killed"));
    assert_eq!(whole.differences(&killed), [""; 0]);
}

#[test]
fn pairs_lists_and_quotes() {
    let sandbox = Sandbox::new();
    sandbox.ship("mirror");
    let done = sandbox.call(&[
        "sweep",
        "mirror.toml",
        "--set",
        "duration=4s",
        "--set",
        "fault.0.at=1s",
        "--set",
        "producer.p1.connect=[\"n2\", \"n3\"],[\"n3\"]",
        "--set",
        "description=\"a, b\",'c'",
        "--paired",
        "--seed",
        "7",
        "--json",
    ]);
    done.exits(0);
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let cells = document["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 2);
    assert_eq!(cells[1]["set"]["producer.p1.connect"], "[\"n3\"]");
    assert_eq!(cells[0]["set"]["description"], "\"a, b\"");
    assert!(cells[0]["means"]["lines"].as_f64().unwrap() > 1_000.0);
    assert_eq!(document["folder"], "reports/mirror-sweep");
}

/// One clear message, exit code 2, nothing written.
#[track_caller]
fn refused(sandbox: &Sandbox, line: &str, words: &str) {
    let before = sandbox.tree();
    let done = sandbox.mqsim(line);
    done.exits(2);
    assert_eq!(done.stdout, "");
    assert!(done.stderr.contains(words), "{line}: {}", done.stderr);
    assert!(done.stderr.contains("help") || done.stderr.contains("For more information"));
    assert_eq!(sandbox.tree().differences(&before), [""; 0], "{line}");
}

#[test]
fn wrong_sweeps_are_refused_before_anything_runs() {
    let sandbox = sandbox();
    for (line, words) in [
        ("sweep cluster.toml", "nothing varies"),
        ("sweep cluster.toml --set duration=5s", "nothing varies"),
        ("sweep cluster.toml --set duration=5s,6s,zebras", "zebras"),
        ("sweep cluster.toml --set durration=5s,6s", "did you mean `duration`?"),
        ("sweep cluster.toml --set seed=1,2", "--seeds A..=B varies the seed"),
        ("sweep cluster.toml --set duration=5s,6s --set duration=7s", "`duration` is set twice"),
        ("sweep nothing.toml --set duration=5s,6s", "there is no such file"),
        ("sweep cluster.toml --set duration=5s,6s --shard 0/0", "there is at least one part"),
        ("sweep cluster.toml --set duration=5s,6s --shard 17/16", "the parts are 1/16 to 16/16"),
        ("sweep cluster.toml --set duration=5s,6s --shard 3", "as in 3/16"),
        ("sweep cluster.toml --set duration=5s,6s --seeds 9..=8", "no seed in it"),
        ("sweep cluster.toml --set duration=5s,6s --seeds 0..=18446744073709551615", "at most"),
        ("sweep cluster.toml --set duration=[5s,6s", "`[` is not closed"),
        (
            "sweep cluster.toml --set duration=5s,6s --set drain=1s,2s,3s --paired",
            "`duration` has 2 of them and `drain` has 3",
        ),
    ] {
        refused(&sandbox, line, words);
    }
}

#[test]
fn wrong_shards_are_refused() {
    let sandbox = sandbox();
    let sweep =
        "sweep cluster.toml --set duration=2s --set fault.0.for=1s,2s --seeds 1..=2 --quiet";
    for (shard, out) in [("1/2", "x"), ("2/2", "x"), ("1/3", "y")] {
        sandbox.mqsim(&format!("{sweep} --shard {shard} --out {out}")).exits(0);
    }
    let other = sweep.replace("1..=2", "1..=3");
    sandbox.mqsim(&format!("{other} --shard 1/2 --out z")).exits(0);
    std::fs::create_dir(sandbox.path().join("empty")).unwrap();
    let (first, second) = ("x/cluster-sweep-1-of-2", "x/cluster-sweep-2-of-2");
    for (line, words) in [
        ("merge", "required"),
        ("merge nowhere", "there is no such directory"),
        ("merge empty", "there is no shard of a sweep in it"),
        ("merge cluster.toml", "it is a file"),
        (&format!("merge {first}"), "shards are missing: 2/2"),
        (&format!("merge x {second}"), "shard 2/2 is there twice"),
        (&format!("merge {first} y"), "another number of shards"),
        (&format!("merge {second} z"), "of other seeds"),
    ] {
        refused(&sandbox, &format!("{line} --out merged"), words);
    }
    let table = sandbox.path().join(first).join("sweep.csv");
    let bytes = std::fs::read(&table).unwrap();
    std::fs::write(&table, &bytes[..bytes.len() - 40]).unwrap();
    refused(&sandbox, "merge x --out merged", "sweep.csv is damaged");
    std::fs::remove_file(&table).unwrap();
    refused(&sandbox, "merge x --out merged", "there is no such file");
    std::fs::write(&table, &bytes).unwrap();
    let manifest = sandbox.path().join(second).join("sweep.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let version = format!("\"mqsim_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let older = text.replace(&version, "\"mqsim_version\": \"0.0.1\"");
    assert_ne!(older, text);
    std::fs::write(&manifest, older).unwrap();
    refused(&sandbox, "merge x --out merged", "it was made by mqsim 0.0.1, and this is mqsim");
    std::fs::write(&manifest, text).unwrap();
    sandbox.mqsim("merge x --out merged").exits(0);
}

/// A folder of another kind is not replaced, whatever its name is.
#[test]
fn what_is_no_sweep_is_left_alone() {
    let sandbox = sandbox();
    let run = "run cluster.toml --set duration=2s --set name=cluster-sweep --quiet";
    sandbox.mqsim(run);
    let before = sandbox.tree();
    let sweep = "sweep cluster.toml --set duration=2s,3s --seed 1";
    let done = Done::of(sandbox.command(mqsim()).args(sweep.split_whitespace()));
    done.exits(4);
    assert!(done.stderr.contains("it has no sweep.csv that is on its list"), "{}", done.stderr);
    assert_eq!(sandbox.tree().differences(&before), [""; 0], "it is said before anything runs");
}
