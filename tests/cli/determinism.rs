//! The same file, seed and version give the same bytes: twice, anywhere, with any number of jobs,
//! from a debug and from a release build. And who draws what does not depend on who else is there.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::sandbox::{self, BUILT, Done, Sandbox, Tree};

const SHIPPED: [&str; 3] = ["single", "cluster", "mirror"];

/// A sandbox with the shipped scenarios.
fn with_shipped() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in SHIPPED {
        sandbox.ship(name);
    }
    sandbox
}

/// The report folder after a call; whatever it comes to, it must come to a report.
#[track_caller]
fn report(sandbox: &Sandbox, program: &Path, arguments: &[&str]) -> Tree {
    let mut command = sandbox.command(program);
    let done = Done::of(command.args(["run", "--quiet"]).args(arguments));
    assert!(matches!(done.code, Some(0 | 1 | 3)), "{:?} {}", done.code, done.stderr);
    let tree = sandbox::tree(&sandbox.path().join("reports"));
    std::fs::remove_dir_all(sandbox.path().join("reports")).expect("it can be removed");
    tree
}

#[track_caller]
fn assert_same(one: &Tree, other: &Tree) {
    assert!(one.names().len() > 8, "there is something to compare: {one:?}");
    assert_eq!(one.differences(other), [""; 0]);
}

#[test]
fn twice_and_anywhere() {
    let first =
        report(&with_shipped(), BUILT.as_ref(), &["single.toml", "cluster.toml", "mirror.toml"]);
    // Another directory, another language, another zone, other arguments' spelling and order.
    let sandbox = with_shipped();
    let mut command = sandbox.command(BUILT);
    command.env("LC_ALL", "de_DE.UTF-8").env("LANG", "de_DE.UTF-8").env("TZ", "Asia/Kathmandu");
    let place = sandbox.path().join("elsewhere/reports");
    let absolute = sandbox.path().join("mirror.toml");
    command.args(["run", "--json", "--jobs", "3", "--seed", "1", "--out"]).arg(&place);
    let done = Done::of(command.arg(absolute).args(["./single.toml", "cluster.toml"]));
    done.exits(0);
    assert_same(&first, &sandbox::tree(&place));
}

#[test]
fn with_any_number_of_jobs() {
    let sandbox = with_shipped();
    let of = |jobs: &str| {
        let seeds = ["--seeds", "1..=5", "--jobs", jobs, "--set", "duration=8s"];
        report(&sandbox, BUILT.as_ref(), &[&["single.toml", "mirror.toml"], &seeds[..]].concat())
    };
    let one = of("1");
    assert_same(&one, &of("2"));
    assert_same(&one, &of("16"));
    let summary = String::from_utf8(one.file("mirror/summary.csv").unwrap().to_vec()).unwrap();
    let seeds: Vec<&str> =
        summary.lines().skip(1).map(|row| row.split(',').nth(1).unwrap()).collect();
    assert_eq!(seeds, ["1", "2", "3", "4", "5"]);
}

#[test]
fn another_seed_is_another_run() {
    let sandbox = with_shipped();
    let of = |seed: &str| report(&sandbox, BUILT.as_ref(), &["mirror.toml", "--seed", seed]);
    let differences = of("1").differences(&of("2"));
    assert!(differences.contains(&"mirror/latency.csv".to_owned()), "{differences:?}");
}

/// When anything that goes into the binary was changed last.
fn changed() -> SystemTime {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut last = SystemTime::UNIX_EPOCH;
    let mut ahead: Vec<PathBuf> =
        ["Cargo.toml", "Cargo.lock", "src", "assets"].map(|name| root.join(name)).to_vec();
    while let Some(path) = ahead.pop() {
        let facts = std::fs::metadata(&path).expect("the sources are there");
        if facts.is_dir() {
            let entries = std::fs::read_dir(&path).expect("the sources can be read");
            ahead.extend(entries.map(|entry| entry.expect("it can be read").path()));
        } else {
            last = last.max(facts.modified().expect("the system has times"));
        }
    }
    last
}

/// The binary of the other profile, if it is there and up to date.
fn other_build() -> Result<PathBuf, String> {
    let folder = Path::new(BUILT).parent().expect("the binary is in a folder");
    let other = if folder.ends_with("release") { "debug" } else { "release" };
    let file = Path::new(BUILT).file_name().expect("the binary has a name");
    let path = folder.with_file_name(other).join(file);
    let facts = std::fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    match facts.modified() {
        Ok(built) if built >= changed() => Ok(path),
        _ => Err(format!("{} is older than the sources", path.display())),
    }
}

/// `.ci/determinism` builds both and sets `MQSIM_BOTH_BUILDS`; elsewhere they are compared if both
/// happen to be there.
#[test]
fn debug_and_release() {
    let other = match other_build() {
        Ok(path) => path,
        Err(why) => {
            assert!(std::env::var_os("MQSIM_BOTH_BUILDS").is_none(), "nothing to compare: {why}");
            eprintln!("not compared: {why}");
            return;
        }
    };
    let sandbox = with_shipped();
    let arguments = ["single.toml", "cluster.toml", "mirror.toml", "--seeds", "1..=2"];
    let of = |program: &Path| report(&sandbox, program, &arguments);
    assert_same(&of(BUILT.as_ref()), &of(&other));
}

/// A producer and a consumer on one node, another queue on another node.
const QUIET_CLUSTER: &str = r#"format = 1
name = "s"
mode = "rabbitmq-cluster"
duration = "20s"
[cluster]
nodes = 3
[cluster.network]
latency = { distribution = "lognormal", median = "100us", p99 = "400us" }
[cluster.disk]
fsync = { distribution = "lognormal", median = "210us", p99 = "1.5ms" }
[[queue]]
name = "orders"
leader = "n1"
[[queue]]
name = "other"
leader = "n3"
[[producer]]
name = "p1"
to = "orders"
connect = ["n1"]
rate = { profile = "poisson", rate = "200/s" }
message-size = { distribution = "uniform", min = "100", max = "2000" }
confirms = true
[[consumer]]
name = "c1"
from = "orders"
connect = ["n1"]
processing-time = { distribution = "exponential", mean = "1ms" }
[[consumer]]
name = "c2"
from = "other"
connect = ["n3"]
"#;

/// Clients that have nothing to do with p1 and c1, the first of them before p1: whoever counted
/// clients or drew from one stream for all would give p1 other numbers.
const UNRELATED: [(&str, &str); 2] = [
    (
        "[[producer]]\nname = \"p1\"",
        "[[producer]]\nname = \"p0\"\nto = \"other\"\nconnect = [\"n3\"]\nrate = \"1/s\"\nstart = \
         \"19999ms\"\nheartbeat = \"2s\"\ncount = 1\nconfirms = false\n[[producer]]\nname = \"p1\"",
    ),
    (
        "[[consumer]]\nname = \"c1\"",
        "[[consumer]]\nname = \"c0\"\nfrom = \"other\"\nconnect = [\"n3\"]\nheartbeat = \"2s\"\n\
         [[consumer]]\nname = \"c1\"",
    ),
];

#[test]
fn an_unrelated_client_changes_nobodys_draws() {
    let sandbox = Sandbox::new();
    let alone = QUIET_CLUSTER.to_owned();
    let crowded = UNRELATED.iter().fold(alone.clone(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    });
    let of = |text: &str| {
        sandbox.write("s.toml", text);
        report(&sandbox, BUILT.as_ref(), &["s.toml"])
    };
    let (alone, crowded) = (of(&alone), of(&crowded));
    // Of p1 and c1 alone: p0's one message is answered by nobody and never read in time.
    let rows = |tree: &Tree| {
        let text = String::from_utf8(tree.file("s/latency.csv").unwrap().to_vec()).unwrap();
        text.lines().filter(|row| row.contains(",ack_")).map(str::to_owned).collect::<Vec<_>>()
    };
    let acks = rows(&alone);
    assert!(acks.len() > 8, "{acks:?}");
    assert_eq!(acks, rows(&crowded));
    // It was no empty comparison: the clients were there, and what they did was counted.
    let differences = alone.differences(&crowded);
    for file in ["s/summary.csv", "s/events.csv"] {
        assert!(differences.contains(&file.to_owned()), "{differences:?}");
    }
}
