//! What the first glance says of losses and outages: on the terminal, in pictures, for programs.

use crate::sandbox::{Sandbox, shipped, unwrapped};

/// The text of a shipped scenario without its expectations.
fn without_expectations(name: &str) -> String {
    let text = shipped(name);
    let at = text.find("[[expect]]").expect("it expects something");
    text[..at].to_owned()
}

/// A shipped failure scenario, run.
fn failure(name: &str) -> String {
    let sandbox = Sandbox::new();
    let text = sandbox.mqsim(&format!("new --from {name}")).exits(0).stdout.clone();
    sandbox.write("s.toml", text);
    unwrapped(&sandbox.mqsim("run s.toml").stdout)
}

/// No verdict without an expectation, and no good one over a loss that nobody expected.
#[test]
fn a_badge_says_what_was_lost() {
    let sandbox = Sandbox::new();
    let calm = "\n[[expect]]\nmetric = 'unexplained'\nmax = 0\n";
    let badge = |name: &str, text: String| {
        sandbox.write("s.toml", text);
        let page = sandbox.mqsim("run s.toml --color=always").exits(0).stdout.clone();
        let first = page.lines().next().expect("it prints something").to_owned();
        let json = sandbox.mqsim("run s.toml --json").stdout.clone();
        let plot =
            std::fs::read_to_string(sandbox.path().join(format!("reports/{name}/timeline.svg")));
        (first, json, plot.expect("it is drawn"))
    };
    // Green, yellow, faint: what a person sees before any word.
    for (name, text, word, tone) in [
        ("mirror", shipped("mirror"), "holds", "32"),
        ("cluster", shipped("cluster"), "as expected: 9,789 lost", "32"),
        ("cluster", without_expectations("cluster") + calm, "holds, 9,789 lost", "33"),
        ("cluster", without_expectations("cluster"), "nothing expected, 9,789 lost", "33"),
        ("mirror", without_expectations("mirror"), "nothing expected", "2"),
    ] {
        let (first, json, plot) = badge(name, text);
        assert!(first.ends_with(&format!("\u{1b}[{tone}m{word}\u{1b}[0m")), "{first:?}");
        assert!(json.contains(&format!("\"badge\": \"{word}\"")), "{word}: {}", &json[..400]);
        assert!(plot.contains(&format!("<title>{name}, seed 1: {word}</title>")), "{word}");
    }
}

/// Read once is gone all the same.
#[test]
fn what_is_in_no_log_any_more_is_told() {
    let page = failure("p12-disk-lost");
    let said = "no: 3,101 of 4,800 accepted messages are gone from every log, 3,001 of them read";
    assert!(page.contains(said), "{page}");
    let lost = "3,001 messages read_lost: disk-wiped, for no-replication, first on n1 at 15.500 s";
    assert!(page.contains(lost), "{page}");
}

/// An outage answers to what made it.
#[test]
fn outages_say_what_made_them_and_whether_they_are_over() {
    let alarm = failure("09-memory-alarm-3.10");
    assert!(alarm.contains("to 4.003 s, without a fault (at orders)"), "{alarm}");
    assert!(alarm.contains("with nothing there to read"), "{alarm}");
    let halted = failure("longer-log-halts-1.0");
    assert!(halted.contains("from 37.000 s on: not recovered, after crash n2,n3"), "{halted}");
    let promoted = failure("22-stop-without-synced-mirror-always");
    assert!(promoted.contains("undone by"), "what was written well, and lost later: {promoted}");
}

/// The picture tells light from dark, and those who cannot see it what it shows.
#[test]
fn a_picture_is_for_every_reader() {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    sandbox.mqsim("run cluster.toml --quiet").exits(0);
    for name in ["timeline", "latency"] {
        let path = sandbox.path().join(format!("reports/cluster/{name}.svg"));
        let plot = std::fs::read_to_string(path).expect("it is drawn");
        for part in ["<title>", "<desc>", "@media (prefers-color-scheme: dark)"] {
            assert!(plot.contains(part), "{name}.svg lacks {part}");
        }
    }
    let timeline = sandbox.tree();
    let timeline = timeline.file("reports/cluster/timeline.svg").expect("it is drawn");
    let timeline = std::str::from_utf8(timeline).expect("it is UTF-8");
    for label in ["crash home(orders)", "No write that lasted", "Roles for orders", "orders"] {
        assert!(timeline.contains(label), "{label}");
    }
}

/// A page is as wide as the terminal, if that is narrower than usual; no word is broken.
#[test]
fn a_narrow_terminal_has_a_narrow_page() {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    let page = |columns: &str| {
        let mut command = sandbox.command(crate::sandbox::mqsim());
        command.args(["run", "cluster.toml"]).env("COLUMNS", columns);
        crate::sandbox::Done::of(&mut command).exits(0).stdout.clone()
    };
    let wide = page("120");
    for columns in [60, 80] {
        let narrow = page(&columns.to_string());
        let first = narrow.split("\nMessages").next().expect("it has one");
        let longest = first.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(columns), "{longest:?} of {columns}: {first}");
        let answers = |page: &str| page.split("Acknowledged per").next().unwrap().to_owned();
        let words = |page: &str| unwrapped(answers(page).split_once("  Safe").unwrap().1);
        assert_eq!(words(&narrow), words(&wide), "the same words at {columns}");
    }
}

/// Ctrl-C: nothing half-written, and an exit code of its own.
#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    use std::process::{Command, Stdio};
    let sandbox = Sandbox::new();
    sandbox.ship("mirror");
    let before = sandbox.tree();
    let mut child = Command::new(crate::sandbox::mqsim())
        .args(["run", "mirror.toml", "--quiet", "--seeds", "1..=5000"])
        .current_dir(sandbox.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(std::time::Duration::from_millis(700));
    let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(asked.expect("kill starts").success(), "it ran still");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(sandbox.tree().differences(&before), [""; 0]);
}

/// With `--watch` a change of the file is a run, a wrong file an error and no end.
#[cfg(unix)]
#[test]
fn a_file_that_is_watched_is_run_again() {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    let sandbox = Sandbox::new();
    sandbox.ship("single");
    let out = std::fs::File::create(sandbox.path().join("out")).unwrap();
    let mut child = Command::new(crate::sandbox::mqsim())
        .args(["run", "single.toml", "--watch"])
        .current_dir(sandbox.path())
        .stderr(out.try_clone().unwrap())
        .stdout(Stdio::from(out))
        .spawn()
        .expect("it starts");
    let said = |what: &str, times: usize| {
        for _ in 0..600 {
            let text = std::fs::read_to_string(sandbox.path().join("out")).unwrap();
            if text.matches(what).count() == times {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("not said {times} times: {what}");
    };
    said("waiting for a change", 1);
    said("single · seed 1", 1);
    sandbox.write("single.toml", shipped("single").replace("rate =", "rte ="));
    said("waiting for a change", 2);
    said("did you mean `rate`?", 1);
    sandbox.write("single.toml", shipped("single"));
    said("waiting for a change", 3);
    said("single · seed 1", 2);
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    sandbox.mqsim("run - --watch").exits(2);
    sandbox.mqsim("run single.toml --watch --json").exits(2);
}
