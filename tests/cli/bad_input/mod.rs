//! Wrong scenarios and wrong calls against the real binary: one clear message with its place and a
//! remedy, exit code 2 (4 if the environment is at fault), and nothing on disk.

mod cases;

use std::fmt::Write;

use cases::*;

use crate::sandbox::{Done, Sandbox, Tree, mqsim};

/// A whole scenario, small, in which the cases change something.
const SCENARIO: &str = r#"format = 1
name = "s"
mode = "rabbitmq-mirrored"
duration = "40s"
drain = "60s"

[cluster]
nodes = 3

[broker]
net_ticktime = "8s"

[[policy]]
pattern = "orders"
ha-mode = "all"

[[queue]]
name = "orders"
leader = "n1"

[[producer]]
name = "p1"
to = "orders"
connect = ["n2", "n3"]
rate = "500/s"
confirms = { window = 100 }

[[consumer]]
name = "c1"
from = "orders"
prefetch = 100

[[fault]]
at = "6s"
for = "10s"
kind = "crash"
target = "leader(orders)"

[[expect]]
metric = "success_lost"
max = 0
"#;

/// The same for Kafka before replication.
const KAFKA: &str = r#"format = 1
name = "s"
mode = "kafka-legacy"
duration = "40s"

[cluster]
nodes = 3

[broker]
num.partitions = 1

[[topic]]
name = "orders"

[[producer]]
name = "p1"
to = "orders"
rate = "500/s"
producer.type = "async"
queue.time = 100

[[consumer]]
name = "c1"
from = "orders"
groupid = "g"

[[consumer]]
name = "c2"
from = "orders"
partitions = "1-0,2-0"

[[fault]]
at = "6s"
for = "10s"
kind = "crash"
target = "leader(orders/1-0)"
"#;

/// The same for Kafka with replication.
const ISR: &str = r#"format = 1
name = "s"
mode = "kafka-isr"
duration = "40s"

[cluster]
nodes = 3

[broker]
min.insync.replicas = 2

[[topic]]
name = "orders"
partitions = 2

[[producer]]
name = "p1"
to = "orders"
rate = "500/s"
acks = "all"

[[consumer]]
name = "c1"
from = "orders"

[[fault]]
at = "6s"
for = "10s"
kind = "crash"
target = "leader(orders/0)"
"#;

/// Where the message must point to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// A line and column of the scenario file.
    File,
    /// A `--set` argument.
    Set,
    /// The file as a whole, or the call: there is no line to point to.
    Whole,
}

/// One wrong call.
struct Case {
    what: String,
    scenario: Vec<u8>,
    arguments: Vec<String>,
    at: At,
}

/// The scenario with one piece of text replaced by another.
fn edit(what: &str, from: &str, to: &str) -> Case {
    assert_eq!(SCENARIO.matches(from).count(), 1, "{what}: {from}");
    let text = SCENARIO.replace(from, to);
    Case { what: what.to_owned(), scenario: text.into(), arguments: Vec::new(), at: At::File }
}

/// The scenario of [`KAFKA`] with one piece of text replaced by another.
fn kafka(what: &str, from: &str, to: &str) -> Case {
    assert_eq!(KAFKA.matches(from).count(), 1, "{what}: {from}");
    file(what, KAFKA.replace(from, to)).at(At::File)
}

/// The scenario of [`ISR`] with one piece of text replaced by another.
fn isr(what: &str, from: &str, to: &str) -> Case {
    assert_eq!(ISR.matches(from).count(), 1, "{what}: {from}");
    file(what, ISR.replace(from, to)).at(At::File)
}

/// The scenario of [`ISR`] with something more in its `[broker]`.
fn isr_broker(what: &str, line: &str) -> Case {
    isr(what, "min.insync.replicas = 2", &format!("min.insync.replicas = 2\n{line}"))
}

/// The scenario of [`ISR`] with something more in its `[[producer]]`.
fn isr_producer(what: &str, line: &str) -> Case {
    isr(what, "acks = \"all\"", &format!("acks = \"all\"\n{line}"))
}

/// The scenario with lines added at its end.
fn add(what: &str, lines: &str) -> Case {
    let text = format!("{SCENARIO}\n{lines}\n");
    Case { what: what.to_owned(), scenario: text.into(), arguments: Vec::new(), at: At::File }
}

/// Another file altogether.
fn file(what: &str, bytes: impl Into<Vec<u8>>) -> Case {
    let scenario = bytes.into();
    Case { what: what.to_owned(), scenario, arguments: Vec::new(), at: At::Whole }
}

/// The right scenario with arguments added to the call.
fn call(what: &str, arguments: &[&str]) -> Case {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Case { what: what.to_owned(), scenario: SCENARIO.into(), arguments, at: At::Whole }
}

/// The right scenario with `--set` arguments.
fn set(argument: &str) -> Case {
    let case = call(&format!("--set {argument}"), &["--set", argument]);
    Case { at: At::Set, ..case }
}

impl Case {
    fn at(self, at: At) -> Case {
        Case { at, ..self }
    }

    /// With another piece of its text replaced.
    fn with(self, from: &str, to: &str) -> Case {
        let text = String::from_utf8(self.scenario).expect("it is text");
        assert_eq!(text.matches(from).count(), 1, "{}: {from}", self.what);
        Case { scenario: text.replace(from, to).into(), ..self }
    }
}

impl Case {
    /// The same with another replacement.
    fn replacing(mut self, from: &str, to: &str) -> Case {
        let text = String::from_utf8(self.scenario).expect("an edited scenario is text");
        assert_eq!(text.matches(from).count(), 1, "{}: {from}", self.what);
        self.scenario = text.replace(from, to).into();
        self
    }

    /// Makes the call where a report of an earlier one is; returns what was said, and what is not
    /// as it should be about that.
    fn told(&self, sandbox: &Sandbox, before: &Tree) -> (String, Vec<String>) {
        sandbox.write("s.toml", &self.scenario);
        let mut arguments = vec!["run", "s.toml"];
        arguments.extend(self.arguments.iter().map(String::as_str));
        let done = sandbox.call(&arguments);
        sandbox.write("s.toml", SCENARIO);
        let mut flaws = flaws(&done, 2);
        let pointed = match self.at {
            At::File => done.stderr.contains("┌─ s.toml:"),
            At::Set => done.stderr.contains("┌─ --set"),
            At::Whole => !done.stderr.contains("┌─"),
        };
        if !pointed {
            flaws.push(format!("it does not point to {:?}", self.at));
        }
        let written = before.differences(&sandbox.tree());
        flaws.extend(written.iter().map(|name| format!("{name} was written or removed")));
        let flaw = |flaw| format!("{}: {flaw}\n{}", self.what, done.stderr);
        let flaws = flaws.into_iter().map(flaw).collect();
        (done.stderr, flaws)
    }
}

/// What is not as it should be about a failed call: one error with a remedy and nothing of the
/// program's inside on stderr, nothing on stdout, the exit code.
fn flaws(done: &Done, code: i32) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut wanted = |holds: bool, otherwise: &str| {
        if !holds {
            flaws.push(otherwise.to_owned());
        }
    };
    let said = &done.stderr;
    wanted(done.code == Some(code), &format!("exit code {:?}", done.code));
    wanted(done.stdout.is_empty(), "something on stdout");
    wanted(said.starts_with("mqsim: error: "), "it does not begin as errors do");
    wanted(said.matches("error:").count() == 1, "not one message");
    let remedies = ["help: ", "tip: ", "expected ", "write ", "split ", "not in ", "try '--help'"];
    wanted(remedies.iter().any(|remedy| said.contains(remedy)), "no remedy");
    wanted(said.lines().all(|line| line.chars().count() <= 250), "a long line");
    for inside in ["panicked", "RUST_BACKTRACE", "src/", ".rs:", "os error", "unwrap", "Some("] {
        wanted(!said.contains(inside), inside);
    }
    flaws
}

/// A directory with the report of an earlier call, which no wrong call may touch.
fn with_a_report() -> (Sandbox, Tree) {
    let sandbox = Sandbox::new();
    sandbox.write("s.toml", SCENARIO);
    sandbox.mqsim("run s.toml --quiet --set duration=1s").exits(0);
    sandbox.write("other.toml", SCENARIO);
    let tree = sandbox.tree();
    assert!(tree.file("reports/s/summary.csv").is_some());
    (sandbox, tree)
}

/// All that is said about the cases. Every flaw is told at once.
fn told(cases: Vec<Case>) -> String {
    let (sandbox, before) = with_a_report();
    let (mut text, mut wrong) = (String::new(), Vec::new());
    for case in cases {
        let (said, flaws) = case.told(&sandbox, &before);
        write!(text, "=== {}\n{said}\n", case.what).unwrap();
        wrong.extend(flaws);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    text
}

#[test]
fn wrong_structure() {
    insta::assert_snapshot!(told(structure()));
}

#[test]
fn wrong_values() {
    insta::assert_snapshot!(told(values()));
}

#[test]
fn wrong_references() {
    insta::assert_snapshot!(told(references()));
}

#[test]
fn wrong_together() {
    insta::assert_snapshot!(told(contradictions()));
}

#[test]
fn wrong_arguments() {
    insta::assert_snapshot!(told(arguments()));
}

#[test]
fn wrong_for_kafka() {
    insta::assert_snapshot!(told(kafka_legacy()));
}

#[test]
fn wrong_for_replicated_kafka() {
    insta::assert_snapshot!(told(kafka_isr()));
}

#[test]
fn wrong_random_faults() {
    insta::assert_snapshot!(told(random_faults()));
}

#[test]
fn too_much() {
    insta::assert_snapshot!(told(absurd()));
}

#[test]
fn wrong_files() {
    insta::assert_snapshot!(told(files()));
}

#[test]
fn wrong_calls() {
    insta::assert_snapshot!(told(calls()));
}

/// A pipe is read like a file, and only so far that its length shows.
#[cfg(unix)]
#[test]
fn pipes_and_devices() {
    let (sandbox, before) = with_a_report();
    let endless = sandbox.mqsim("run /dev/zero");
    assert_eq!(flaws(&endless, 2), [""; 0], "{}", endless.stderr);
    assert!(endless.stderr.contains("more than 1 MiB"), "{}", endless.stderr);
    let script = "cat s.toml | $0 run /dev/stdin --quiet --set duration=1s";
    let piped = Done::of(sandbox.command("sh").args(["-c", script, mqsim()]));
    piped.exits(0);
    assert_eq!(before.differences(&sandbox.tree()), [""; 0]);
}

/// What is wrong with several scenarios of a call is said of each, and nothing is simulated.
#[test]
fn every_wrong_scenario_is_named() {
    let (sandbox, before) = with_a_report();
    let done = sandbox.mqsim("run s.toml a.toml b.toml");
    done.exits(2);
    assert!(done.stderr.contains("a.toml: ") && done.stderr.contains("b.toml: "));
    assert_eq!(done.stdout, "");
    assert_eq!(before.differences(&sandbox.tree()), [""; 0]);
}

/// An unreadable scenario and an unwritable folder, as a user who is not root.
#[cfg(unix)]
#[test]
fn no_permission() {
    use std::os::unix::fs::PermissionsExt;

    let (sandbox, before) = with_a_report();
    let mode = |name: &str, mode: u32| {
        let path = sandbox.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o555);
    if std::fs::write(sandbox.path().join("probe"), "").is_ok() {
        eprintln!("not tested: nothing is forbidden to root");
        std::fs::remove_file(sandbox.path().join("probe")).unwrap();
        return;
    }
    let unwritable = sandbox.mqsim("run s.toml --out new");
    mode("s.toml", 0o000);
    let unreadable = sandbox.mqsim("run s.toml");
    mode("s.toml", 0o644);
    mode("", 0o755);
    assert_eq!(flaws(&unreadable, 2), [""; 0], "{}", unreadable.stderr);
    assert!(unreadable.stderr.contains("s.toml: cannot be read: permission denied"));
    assert_eq!(flaws(&unwritable, 4), [""; 0], "{}", unwritable.stderr);
    assert!(unwritable.stderr.contains("permission denied"));
    assert_eq!(before.differences(&sandbox.tree()), [""; 0]);
}

/// What the environment refuses ends with 4, leaves the old report, and leaves nothing else.
#[test]
fn wrong_environment() {
    let (sandbox, _) = with_a_report();
    sandbox.write("file", "no folder");
    std::fs::create_dir_all(sandbox.path().join("thesis/s")).unwrap();
    sandbox.write("thesis/s/chapter.txt", "ten years");
    let before = sandbox.tree();
    let mut text = String::new();
    for out in ["file", "file/below", "thesis", "/proc/mqsim"] {
        let done = sandbox.mqsim(&format!("run s.toml --quiet --out {out}"));
        assert_eq!(flaws(&done, 4), [""; 0], "{out}: {}", done.stderr);
        assert_eq!(before.differences(&sandbox.tree()), [""; 0], "{out}");
        write!(text, "=== --out {out}\n{}\n", done.stderr).unwrap();
    }
    insta::assert_snapshot!(text);
}

/// A write that fails halfway takes the half with it.
#[cfg(unix)]
#[test]
fn a_full_disk() {
    let (sandbox, before) = with_a_report();
    for out in ["reports", "new"] {
        // In blocks of 512 bytes or 1 KiB: some files of the report fit, the timeline does not.
        let script = "ulimit -f 4; exec $0 run s.toml --quiet --out $1";
        let done = Done::of(sandbox.command("sh").args(["-c", script, mqsim(), out]));
        assert_eq!(flaws(&done, 4), [""; 0], "{out}: {}", done.stderr);
        assert!(done.stderr.contains("file-size limit"), "{}", done.stderr);
        assert_eq!(before.differences(&sandbox.tree()), [""; 0], "{out}");
    }
}

/// A run that is given up says so, and what to do.
#[test]
fn a_run_that_is_given_up() {
    let (sandbox, before) = with_a_report();
    let done = sandbox.mqsim("run s.toml --quiet --max-events 1000");
    assert_eq!(flaws(&done, 3), [""; 0], "{}", done.stderr);
    assert!(done.stderr.contains("more than 1000 events in the run"), "{}", done.stderr);
    assert_eq!(before.differences(&sandbox.tree()), [""; 0]);
}

/// What a selector of the family means is known in the run only: a fault that met nobody is told,
/// above the fold and in events.csv, and so is none that began.
#[test]
fn a_fault_that_met_nobody_is_a_remark() {
    let sandbox = Sandbox::new();
    sandbox.write("s.toml", SCENARIO);
    let set =
        ["run", "s.toml", "--set", "duration=8s", "--set", "fault.0.target=mirror(orders, 9)"];
    let done = sandbox.call(&set);
    let told = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let remark = "a fault of the schedule never began: crash mirror(orders, 9) (at 6000 ms it had nobody to act on)";
    assert!(told.contains(remark), "{}", done.stdout);
    let tree = sandbox.tree();
    let events = std::str::from_utf8(tree.file("reports/s/events.csv").unwrap()).unwrap();
    assert!(events.contains("skipped: crash mirror(orders, 9)"), "{events}");
    let done = sandbox.call(&["run", "s.toml", "--set", "duration=8s"]);
    assert!(!done.stdout.contains("never began"), "{}", done.stdout);
    // Nor is a run refused that was cut short on the command line.
    let done = sandbox.call(&["run", "s.toml", "--set", "duration=5s"]);
    let told = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("(its time had not come when the load ended)"), "{}", done.stdout);
}

/// What seemed absurd before it was tried, and is none: it ends, and without a panic.
#[test]
fn extreme_and_right() {
    let sandbox = Sandbox::new();
    sandbox.write("s.toml", SCENARIO);
    for set in [
        "producer.p1.message-size=128MiB",
        "cluster.network.latency=1000h",
        "cluster.network.bandwidth=1B/s",
        "cluster.network.loss=100%",
        "cluster.disk.fsync=1000h",
        "cluster.boot-time=0s",
        "cluster.disk.capacity=1MiB",
        "fault.0.kind=disk-full",
        "producer.p1.reconnect-delay=0s",
        "producer.p1.heartbeat=1ns",
        "producer.p1.connection-timeout=1ns",
        "producer.p1.rate=1/h",
        "fault.0.at=1000h",
        "fault.0.for=1ns",
        "fault.0.target=mirror(orders, 9)",
        "drain=0s",
        "seed=18446744073709551615",
    ] {
        let done =
            sandbox.call(&["run", "s.toml", "--quiet", "--set", "duration=8s", "--set", set]);
        assert!(matches!(done.code, Some(0 | 1 | 3)), "{set}: {:?} {}", done.code, done.stderr);
        assert_eq!(done.stderr, "", "{set}");
    }
}
