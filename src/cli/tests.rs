//! The command line against a double of the library.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Asked, Entry, Exit, Simulator, Topic, Variants};
use crate::report::Unfinished;
use crate::report::compare::Parted;
use crate::report::fixture;
use crate::report::lock::Trace;
use crate::report::tally::Expected;
use crate::run::{self, Progress};
use crate::verdict::{OverSeeds, Report, Unit, Verdict};

/// Answers by the name of the file.
struct Double;

impl Simulator for Double {
    type Prepared = String;

    fn load(&self, path: &Path, sets: &[String], _: u64) -> Result<String, String> {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        match (name.as_str(), sets) {
            ("bad", _) => Err("bad.toml:1:1: unknown key".to_owned()),
            (_, [one]) => Ok(one.split_once('=').unwrap().1.to_owned()),
            _ => Ok(name),
        }
    }

    fn variants(&self, _: &Path, _: &[String], _: u64) -> Result<Variants<String>, String> {
        Err("it has no variants".to_owned())
    }

    fn variant_text(&self, _: &Path, _: &str, _: &[String]) -> Result<String, String> {
        Err("it has no variants".to_owned())
    }

    fn name<'p>(&self, prepared: &'p String) -> &'p str {
        prepared
    }

    fn text<'p>(&self, prepared: &'p String) -> &'p str {
        prepared
    }

    fn mode<'p>(&self, _: &'p String) -> (&'p str, &'p str) {
        ("modes", "1.0")
    }

    fn with_lines(&self, prepared: String) -> String {
        prepared
    }

    fn part(&self, _: &String, _: &String, _: [u64; 2]) -> Result<Option<Parted>, String> {
        Ok(None)
    }

    fn seed(&self, _: &String) -> u64 {
        1
    }

    fn seeds(&self, _: &String) -> RangeInclusive<u64> {
        3..=5
    }

    fn expectations(&self, prepared: &String) -> Vec<Expected> {
        let report = if prepared == "mirror" { fixture::crash_run() } else { fixture::quiet_run() };
        let expected = report.expectations.into_iter().take(if prepared == "lax" { 0 } else { 9 });
        expected
            .map(|judged| Expected { text: judged.text, unit: Unit::Lines, line: Some(9) })
            .collect()
    }

    fn over_seeds(&self, _: &String) -> Vec<OverSeeds> {
        Vec::new()
    }

    fn simulate_wanted(
        &self,
        work: &[(&String, u64)],
        asked: Asked,
        wanted: &(dyn Fn(usize) -> bool + Sync),
        each: &(dyn Fn(usize, Result<Report, Unfinished>) + Sync),
    ) {
        // Backwards, for no order may be relied upon.
        for (at, (prepared, seed)) in work.iter().enumerate().rev() {
            if wanted(at) {
                let mut results = self.simulate(prepared, &[*seed], asked, &|_| ());
                each(at, results.pop().unwrap());
            }
        }
    }

    fn trace_each(
        &self,
        work: &[&String],
        _: usize,
        each: &(dyn Fn(usize, Result<Trace, Unfinished>) + Sync),
    ) {
        for (at, prepared) in work.iter().enumerate() {
            let asked = Asked { jobs: 1, max_events: None };
            let report = self.simulate(prepared, &[1], asked, &|_| ()).pop().unwrap();
            each(at, report.map(|report| Trace { report, checkpoints: Vec::new() }));
        }
    }

    fn simulate(
        &self,
        prepared: &String,
        seeds: &[u64],
        _: Asked,
        told: &(dyn Fn(Progress) + Sync),
    ) -> Vec<Result<Report, Unfinished>> {
        let one = |&seed: &u64| {
            let mut report = match prepared.as_str() {
                "panics" => panic!("this cannot be"),
                "runaway" | "limited" => {
                    let message = "10,000,000 events at 6.000 s".to_owned();
                    return Err(Unfinished { message, limit: prepared == "limited" });
                }
                "slow" => {
                    std::thread::sleep(Duration::from_secs(60));
                    fixture::quiet_run()
                }
                "mirror" => fixture::crash_run(),
                _ => fixture::quiet_run(),
            };
            report.scenario.clone_from(prepared);
            report.seed = seed;
            if prepared == "sometimes" && seed == 4 {
                report.expectations[0] = fixture::crash_run().expectations.remove(0);
            }
            if prepared == "undecided" {
                report.expectations[0].verdict = Verdict::Undecided;
            }
            if prepared == "unexplained" {
                report.summary.unexplained = 1;
            }
            told(Progress::Seed);
            Ok(report)
        };
        seeds.iter().map(one).collect()
    }

    fn explain(
        &self,
        _: &String,
        _: u64,
        _: &run::Which,
        _: &(dyn Fn(&str) -> Option<String> + Sync),
        _: usize,
    ) -> Result<run::Explanation, (String, bool)> {
        Err(("no message was lost".to_owned(), true))
    }

    fn freeze(
        &self,
        prepared: &String,
        seed: u64,
        _: Option<u64>,
        note: &str,
    ) -> Result<String, (String, bool)> {
        match prepared.as_str() {
            "calm" => Err(("it has no [nemesis]".to_owned(), true)),
            name => Ok(format!("name = '{name}'\nseed = {seed}\n# {note}\n")),
        }
    }

    fn history(
        &self,
        prepared: &String,
        seed: u64,
        _: run::HistoryFormat,
        out: &mut dyn std::io::Write,
    ) -> Result<(), String> {
        writeln!(out, "{prepared} {seed}").map_err(|error| error.to_string())
    }

    fn list(&self, topic: Topic) -> Vec<Entry> {
        let name = format!("{topic:?}").to_lowercase();
        vec![Entry { name, meaning: "what it means ".repeat(12) }]
    }

    fn failures(&self, _: &[String]) -> Vec<run::Failure> {
        Vec::new()
    }

    fn absent(&self, word: &str) -> Option<&'static run::Absent> {
        run::Absent::of(word)
    }

    fn starter(&self, mode: &str) -> Option<String> {
        (mode == "modes").then(|| "format = 1\n".to_owned())
    }

    fn schema(&self, mode: Option<&str>) -> Option<String> {
        mode.is_none_or(|mode| mode == "modes").then(|| "{}\n".to_owned())
    }

    fn describe_mode(&self, name: &str) -> Option<Vec<run::Chapter>> {
        let chapter = || run::Chapter { title: "ha-mode".to_owned(), paragraphs: Vec::new() };
        (name == "rabbitmq-mirrored").then(|| vec![chapter()])
    }
}

/// Environment variable that turns [`as_a_child`] into a command line.
const CHILD: &str = "MQSIM_TEST_COMMAND_LINE";

/// Not a test of its own: run again as a child process, it is `mqsim` with the double.
#[test]
fn as_a_child() {
    let Ok(line) = std::env::var(CHILD) else { return };
    let exit = super::main(&Double, std::iter::once("mqsim").chain(line.split_whitespace()));
    std::process::exit(i32::from(exit.code()));
}

/// What a child did.
struct Done {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The test binary as `mqsim`, to be run in a directory; `before` are shell commands.
fn child(directory: &Path, before: &str, line: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{before} exec \"$0\" --exact cli::tests::as_a_child --nocapture");
    command.args(["-c", &script]).arg(std::env::current_exe().unwrap());
    command.env(CHILD, line).current_dir(directory).stdin(Stdio::null());
    command
}

fn mqsim(directory: &Path, line: &str) -> Done {
    done(&mut child(directory, "", line))
}

fn done(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    // The test harness has its say first.
    let stdout = stdout.split_once("running 1 test\n").map_or("", |(_, rest)| rest).to_owned();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Done { code: output.status.code(), stdout, stderr }
}

fn names(directory: PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let code = |line: &str| mqsim(directory.path(), line).code.unwrap();
    assert_eq!(code("run calm.toml"), 0);
    assert_eq!(code("run mirror.toml"), 1);
    assert_eq!(code("run bad.toml"), 2);
    assert_eq!(code("run"), 2);
    assert_eq!(code("run calm.toml --seed 1 --seeds 1..=2"), 2);
    assert_eq!(code("run undecided.toml"), 3);
    assert_eq!(code("run runaway.toml"), 4);
    assert_eq!(code("run limited.toml"), 3);
    assert_eq!(code("run limited.toml mirror.toml"), 1);
    assert_eq!(code("run unexplained.toml"), 4);
    assert_eq!(code("run calm.toml undecided.toml"), 3);
    assert_eq!(code("run undecided.toml mirror.toml calm.toml"), 1);
    assert_eq!(code("run runaway.toml mirror.toml"), 4);
    assert_eq!(code("--version"), 0);
    assert_eq!(code("run --help"), 0);
}

#[test]
fn exit_codes_of_check() {
    let directory = tempfile::tempdir().unwrap();
    let code = |line: &str| mqsim(directory.path(), line).code.unwrap();
    assert_eq!(code("check calm.toml"), 0);
    assert_eq!(code("check mirror.toml"), 1);
    assert_eq!(code("check sometimes.toml"), 1);
    assert_eq!(code("check sometimes.toml --seed 5"), 0);
    assert_eq!(code("check bad.toml calm.toml"), 2);
    assert_eq!(code("check lax.toml"), 2);
    assert_eq!(code("check"), 2);
    assert_eq!(code("check undecided.toml"), 3);
    assert_eq!(code("check runaway.toml"), 4);
    assert_eq!(code("check limited.toml"), 3);
    assert_eq!(code("check unexplained.toml"), 4);
    assert_eq!(code("check undecided.toml mirror.toml calm.toml"), 1);
    assert_eq!(code("check runaway.toml mirror.toml"), 4);
    assert!(names(directory.path().to_owned()).is_empty(), "check writes nothing");
}

#[test]
fn a_check_prints_every_scenario_in_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let line = "check sometimes.toml calm.toml undecided.toml runaway.toml --seeds 2..=5";
    let done = mqsim(directory.path(), line);
    assert_eq!(done.stderr, "");
    insta::assert_snapshot!(done.stdout);
    let quiet = mqsim(directory.path(), "check sometimes.toml calm.toml --quiet");
    assert!(!quiet.stdout.contains("calm") && quiet.stdout.contains("--seed 4"));
    assert_eq!(mqsim(directory.path(), "check calm.toml --quiet").stdout, "");
}

#[test]
fn a_check_writes_the_first_failing_seed_if_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    let done = mqsim(directory.path(), "check sometimes.toml calm.toml --out out");
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.contains("report: out/sometimes"), "{}", done.stdout);
    assert_eq!(names(directory.path().join("out")), ["sometimes"]);
    assert_eq!(mqsim(directory.path(), "check calm.toml --out none").code, Some(0));
    assert_eq!(names(directory.path().to_owned()), ["out"]);
}

#[test]
fn a_check_as_json() {
    let directory = tempfile::tempdir().unwrap();
    let done = mqsim(directory.path(), "check sometimes.toml calm.toml --json");
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&document["exit_code"], done.code), (&1.into(), Some(1)));
    let scenario = &document["scenarios"][0];
    assert_eq!(scenario["broken_seeds"], serde_json::json!(["4"]));
    assert_eq!(scenario["expectations"][0]["holds"], 2);
    assert_eq!(scenario["expectations"][0]["greatest"], 40.0);
    assert_eq!(scenario["first"]["replay"], "mqsim run sometimes.toml --seed 4");
    assert_eq!(document["scenarios"][1]["first"], serde_json::Value::Null);
}

#[test]
fn the_worst_of_several_counts() {
    assert!(Exit::Holds < Exit::Undecided && Exit::Undecided < Exit::Broken);
    assert!(Exit::Broken < Exit::Failure);
}

#[test]
fn a_run_prints_its_summary_and_writes_its_folder() {
    let directory = tempfile::tempdir().unwrap();
    let done = mqsim(directory.path(), "run a/mirror.toml --seed 7 --out out");
    assert!(done.stdout.contains("mirror · seed 7 · rabbitmq-mirrored 3.10 · broken"));
    assert!(done.stdout.contains("again:  mqsim run a/mirror.toml --seed 7 --out out"));
    assert!(!done.stdout.contains('\u{1b}'), "no colours into a pipe: {}", done.stdout);
    assert_eq!(done.stderr, "");
    assert_eq!(names(directory.path().join("out")), ["mirror"]);
    assert_eq!(names(directory.path().join("out/mirror")).len(), 10);
}

#[test]
fn quiet_prints_errors_only() {
    let directory = tempfile::tempdir().unwrap();
    let done = mqsim(directory.path(), "run mirror.toml runaway.toml --quiet");
    assert_eq!(done.stdout, "");
    assert_eq!(done.stderr, "mqsim: error: runaway, seed 1: 10,000,000 events at 6.000 s\n");
    assert_eq!(names(directory.path().join("reports")), ["mirror"]);
}

#[test]
fn json_is_one_document() {
    let directory = tempfile::tempdir().unwrap();
    let done = mqsim(directory.path(), "run mirror.toml calm.toml --seeds 1..=2 --json");
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(document["exit_code"], 1);
    assert_eq!(document["scenarios"][1]["runs"][1]["seed"], "2");
    assert_eq!(document["scenarios"][0]["folder"], "reports/mirror");
    assert_eq!(document["scenarios"][0]["runs"][0]["summary"]["acked_lost"], 40);
}

#[test]
fn what_is_wrong_with_any_scenario_is_said_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let done = mqsim(directory.path(), "run mirror.toml bad.toml");
    assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""));
    assert_eq!(done.stderr, "mqsim: error: bad.toml:1:1: unknown key\n");
    let done = mqsim(directory.path(), "run mirror.toml other/Mirror.toml");
    assert_eq!(done.code, Some(2));
    assert!(done.stderr.contains("have the same name"), "{}", done.stderr);
    assert!(names(directory.path().to_owned()).is_empty());
}

#[test]
fn a_failed_run_leaves_no_folder() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(mqsim(directory.path(), "run runaway.toml").code, Some(4));
    assert!(names(directory.path().to_owned()).is_empty());
}

#[test]
fn a_file_where_the_folder_should_be_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("reports"), "a file").unwrap();
    let done = mqsim(directory.path(), "run calm.toml");
    assert_eq!(done.code, Some(4));
    assert_eq!(done.stderr.matches("error: ").count(), 1, "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn the_file_size_limit_is_an_error_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let done = done(&mut child(directory.path(), "ulimit -f 8;", "run mirror.toml"));
    assert_eq!(done.code, Some(4), "{}", done.stderr);
    assert!(done.stderr.contains("file-size limit"), "{}", done.stderr);
    assert_eq!(done.stderr.matches("error: ").count(), 1, "{}", done.stderr);
    assert!(names(directory.path().to_owned()).is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = child(directory.path(), "", "run slow.toml")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The signal is handled once the folder has been opened.
    let out = directory.path().join("reports");
    for _ in 0..500 {
        if out.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(200));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(names(directory.path().to_owned()).is_empty());
}

#[test]
fn a_panic_is_one_error() {
    let directory = tempfile::tempdir().unwrap();
    let done = done(child(directory.path(), "", "run panics.toml").env_remove("RUST_BACKTRACE"));
    assert_eq!((done.code, done.stdout.as_str()), (Some(4), ""));
    let (first, help) = done.stderr.split_once('\n').unwrap();
    assert_eq!(first, "mqsim: error: a defect of mqsim: this cannot be");
    assert!(help.contains("report it") && help.lines().count() == 1, "{help}");
}

#[test]
fn help_names_the_exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    for line in ["--help", "run --help"] {
        let done = mqsim(directory.path(), line);
        assert!(done.stdout.contains("130  interrupted"), "{}", done.stdout);
    }
}

#[test]
fn lists() {
    let of = |what| super::list::text(&Double, what, &[], 100);
    let text = of("faults").unwrap();
    assert!(text.starts_with("faults  what it means"), "{text}");
    assert!(text.lines().count() == 2 && text.lines().all(|line| line.len() <= 100), "{text}");
    assert_eq!(of("rabbitmq-mirrored").unwrap(), "ha-mode\n");
    let (_, help) = of("fault").unwrap_err();
    assert_eq!(help, "did you mean `faults`?");
    let (message, help) = of("jetstream").unwrap_err();
    assert_eq!(message, "NATS is not simulated");
    assert!(help.contains("docs/fidelity/README.md"), "{help}");
}
