//! A tool that runs as root in a container removes nothing that it did not make, hangs at nothing,
//! prints nothing that a terminal or a log would obey, and says when it cannot write.

use crate::sandbox::{self, Done, Sandbox, mqsim};

/// A sandbox with `single.toml`, cut short.
fn with_single() -> Sandbox {
    let sandbox = Sandbox::new();
    let text = sandbox::shipped("single").replace("duration = \"40s\"", "duration = \"12s\"");
    sandbox.write("single.toml", text);
    sandbox
}

/// Runs a script in which `$0` is mqsim.
fn script(sandbox: &Sandbox, script: &str) -> Done {
    Done::of(sandbox.command("sh").args(["-c", script, mqsim()]))
}

#[test]
fn what_mqsim_did_not_make_is_left_alone() {
    let sandbox = with_single();
    for folder in [".config.new", ".venv.old", ".mirror.mqsim-old", "work"] {
        std::fs::create_dir(sandbox.path().join(folder)).unwrap();
        sandbox.write(&format!("{folder}/thesis.txt"), "ten years");
    }
    for file in [".env.new", ".env.old", ".mqsim.new", ".single.new", "work/.single.old"] {
        sandbox.write(file, "theirs");
    }
    let before = sandbox.tree();
    for out in [".", "work"] {
        sandbox.mqsim(&format!("run single.toml --quiet --out {out}")).exits(0);
    }
    sandbox.write("single/notes.md", "look at n1");
    sandbox.write("single/loss-of-mine.csv", "1,2");
    sandbox.mqsim("run single.toml --quiet --seed 2 --out .").exits(0);
    let after = sandbox.tree();
    assert_eq!(after.file("single/notes.md"), Some(&b"look at n1"[..]));
    assert_eq!(after.file("single/loss-of-mine.csv"), Some(&b"1,2"[..]));
    let changed = before.differences(&after);
    let foreign =
        |name: &&String| !name.starts_with("single/") && !name.starts_with("work/single/");
    assert_eq!(changed.iter().filter(foreign).count(), 0, "{changed:?}");
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_written_through_or_refused() {
    use std::os::unix::fs::FileTypeExt;

    let sandbox = with_single();
    script(&sandbox, "mkfifo pipe other && ln -s real.xml link && touch real.xml").exits(0);
    let kind =
        |path: &str| std::fs::symlink_metadata(sandbox.path().join(path)).unwrap().file_type();
    let check = "check single.toml --quiet --seed 1";
    // Nobody reads the pipe: nobody waits, either.
    let compare = "compare single.toml --set-b seed=2 --seed 1 --quiet --markdown";
    for line in [
        &format!("{check} --junit pipe"),
        &format!("{check} --resume pipe"),
        &format!("{check} --resume /dev/null"),
        &format!("{compare} pipe"),
        "run single.toml --freeze-faults pipe",
        "new rabbitmq-single --out /dev/null",
    ] {
        let done = sandbox.mqsim(line);
        assert_eq!(done.code, Some(2), "{line}: {}", done.stderr);
        assert!(done.stderr.contains("help: "), "{line}: {}", done.stderr);
    }
    assert!(kind("pipe").is_fifo() && kind("/dev/null").is_char_device());
    // Somebody reads it: he gets the document, and the pipe stays. It takes him a moment to open it.
    let tries =
        format!("for try in $(seq 100); do $0 {check} --junit other && exit; sleep 0.1; done");
    script(&sandbox, &format!("cat other >got & {tries}; kill $!; exit 1")).exits(0);
    script(&sandbox, "while ! grep -q '</testsuites>' got; do sleep 0.1; done").exits(0);
    assert!(kind("other").is_fifo());
    sandbox.mqsim(&format!("{check} --junit /dev/null")).exits(0);
    assert!(kind("/dev/null").is_char_device());
    // stdout by its other name, sent to a file: what is printed is there, too.
    script(&sandbox, "$0 check single.toml --seed 1 --junit /dev/stdout >both").exits(0);
    let both = std::fs::read_to_string(sandbox.path().join("both")).unwrap();
    assert!(both.contains("<testsuites") && both.contains("1 scenario, 1 run"), "{both}");
    // Behind a link is its file.
    sandbox.mqsim(&format!("{check} --junit link")).exits(0);
    assert!(kind("link").is_symlink());
    let real = std::fs::read_to_string(sandbox.path().join("real.xml")).unwrap();
    assert!(real.starts_with("<?xml"), "{real}");
    sandbox.mqsim(&format!("{check} --resume link")).exits(2);
    assert!(kind("link").is_symlink());
}

#[test]
fn a_file_that_is_replaced_takes_nothing_with_it() {
    let sandbox = with_single();
    for name in ["c.md.new", ".c.md.new", ".j.xml.new"] {
        sandbox.write(name, "theirs");
    }
    let compare = "compare single.toml --set-b seed=2 --seed 1 --quiet --markdown c.md";
    for _ in 0..2 {
        sandbox.mqsim(compare);
        sandbox.mqsim("check single.toml --seed 1 --quiet --junit j.xml").exits(0);
    }
    let tree = sandbox.tree();
    assert!(tree.file("c.md").is_some() && tree.file("j.xml").is_some());
    for name in ["c.md.new", ".c.md.new", ".j.xml.new"] {
        assert_eq!(tree.file(name), Some(&b"theirs"[..]), "{name}");
    }
    assert!(!tree.names().iter().any(|name| name.contains("mqsim-")), "{tree:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let sandbox = with_single();
    for line in [
        "run single.toml",
        "run single.toml --json",
        "check single.toml --seed 1",
        "list",
        "new rabbitmq-single",
        "man",
        "completions bash",
        "--help",
        "--version",
    ] {
        let done = script(&sandbox, &format!("exec $0 {line} >/dev/full"));
        assert_eq!(done.code, Some(4), "{line}: {}", done.stderr);
        assert!(done.stderr.contains("cannot write to stdout: the disk is full"), "{line}");
        // A reader that has gone away is no failure.
        let status = script(&sandbox, &format!("{{ $0 {line}; echo $? >code; }} | true"));
        status.exits(0);
        let code = std::fs::read_to_string(sandbox.path().join("code")).unwrap();
        assert_eq!(code, "0\n", "{line}");
    }
    let junit = sandbox.mqsim("check single.toml --seed 1 --quiet --junit /dev/full");
    assert!(junit.exits(4).stderr.contains("the disk is full"), "{}", junit.stderr);
}

#[test]
fn a_limit_of_the_users_own_is_no_failure() {
    let sandbox = with_single();
    for line in [
        "run single.toml",
        "check single.toml --seeds 1..=3 --junit j.xml",
        "compare single.toml --set-b seed=2 --seed 1",
        "sweep single.toml --set duration=2s,3s --seed 1",
    ] {
        let done = sandbox.mqsim(&format!("{line} --max-events 1000"));
        done.exits(3);
        let said = done.stdout.clone() + &done.stderr;
        assert!(said.contains("more than 1000 events") && said.contains("max-events"), "{said}");
        assert!(!said.contains("mqsim failed") && !said.contains("1 failed"), "{said}");
    }
    let tree = sandbox.tree();
    let junit = std::str::from_utf8(tree.file("j.xml").unwrap()).unwrap();
    assert!(junit.contains("type=\"undecided\"") && !junit.contains("<error"), "{junit}");
    sandbox.mqsim("run single.toml --set max-events=1000 --quiet").exits(3);
}

/// What could need more memory than there is, is said before it runs; it does not abort during.
#[cfg(unix)]
#[test]
fn too_little_memory_is_said_beforehand() {
    let sandbox = with_single();
    let much = "--set producer.p1.rate=1k/s --set duration=1000h --max-events 1000";
    let done = sandbox.mqsim(&format!("run single.toml --max-memory 2GiB {much}"));
    done.exits(2);
    assert!(done.stderr.contains("a run may need 2 GiB here (--max-memory)"), "{}", done.stderr);
    // Runs that go on at once share it.
    let line = format!("check single.toml --seeds 1..=8 --jobs 4 --max-memory 2GiB {much}");
    let done = sandbox.mqsim(&line);
    assert!(done.exits(2).stderr.contains("a run may need 512 MiB"), "{}", done.stderr);
    if cfg!(target_os = "linux") {
        let done = script(&sandbox, &format!("ulimit -v 3000000; exec $0 run single.toml {much}"));
        assert!(done.exits(2).stderr.contains("a run may need 2,929 MiB here"), "{}", done.stderr);
    }
}

/// What a terminal, a log or a shell would obey if it were printed as it is.
const EVIL: &str = "a\n::error::b\u{1b}[2J\u{9b}31m\u{202e}c\r::stop-commands::d ##[error]e\u{7}";

/// Everything that is printed is text.
#[track_caller]
fn harmless(done: &Done) {
    for text in [&done.stdout, &done.stderr] {
        let odd = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(odd), "{text:?}");
        for line in text.lines().map(str::trim_start) {
            let own = line.starts_with("::error file=");
            assert!(own || !line.starts_with("::"), "{text}");
            assert!(!line.contains("##["), "{text}");
        }
    }
}

#[cfg(unix)]
#[test]
fn nothing_that_is_printed_is_obeyed() {
    let sandbox = with_single();
    let text = sandbox::shipped("single").replace("duration = \"40s\"", "duration = \"2s\"");
    let file = format!("{EVIL}.toml");
    let quoted: String = EVIL.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    let described = regex_free(&text, "description", &format!("description = \"{quoted}\""));
    sandbox.write(&file, &described);
    let key = format!("\"{quoted}\" = 1\n");
    std::fs::create_dir(sandbox.path().join(EVIL)).unwrap();
    let missing = format!("{EVIL}/no.toml");
    let set = format!("description={EVIL}");
    let wrong = format!("{EVIL}=1");
    let broken = "expect.0.max=-1";
    for actions in ["false", "true"] {
        let call = |arguments: &[&str]| {
            let mut command = sandbox.command(mqsim());
            let done = Done::of(command.args(arguments).env("GITHUB_ACTIONS", actions));
            harmless(&done);
            done
        };
        assert!(call(&["run", &file]).stdout.contains("\\u{1b}[2J"));
        let again = call(&["run", &file, "--out", EVIL, "--set", &set]);
        let line = again.stdout.lines().find_map(|line| line.strip_prefix("again:  mqsim "));
        let repeated = Done::of(sandbox.command("bash").args([
            "-c",
            &format!("exec $0 {}", line.unwrap()),
            mqsim(),
        ]));
        let print =
            |done: &Done| done.stdout.lines().find(|l| l.starts_with("fing")).map(str::to_owned);
        assert_eq!(print(&again), print(&repeated), "{}", repeated.stderr);
        call(&["run", &file, "--set", "producer.p1.rate=0/s", "--set", broken]).exits(2);
        call(&["check", &file, "--seed", "1", "--set", "max-events=10"]);
        call(&["check", &file, "--seed", "1", "--json"]);
        call(&["check", &file, "--seed", "1", "--set", "duration=1s", "--set", "expect.0.min=99"]);
        call(&["check", EVIL]).exits(2);
        call(&["run", &missing]).exits(2);
        call(&["run", "single.toml", "--set", &wrong]).exits(2);
        call(&["run", "single.toml", EVIL, "--out", EVIL]).exits(2);
        call(&["run", "single.toml", "--seed", EVIL]).exits(2);
        call(&["run", "single.toml", "--junit", EVIL]).exits(2);
        call(&["list", EVIL]).exits(2);
        call(&["new", EVIL]).exits(2);
        call(&["man", EVIL]).exits(2);
        call(&[EVIL]).exits(2);
        call(&["lock", &file]).exits(0);
        call(&["check", &file, "--locked", "--seed", "1"]);
        call(&["compare", &file, "--set-b", &set, "--seed", "1"]);
        let values = format!("description=\"{EVIL}\",b");
        call(&["sweep", &file, "--set", &values, "--seed", "1"]);
        sandbox.write("key.toml", format!("{key}{described}"));
        call(&["run", "key.toml"]).exits(2);
        sandbox.write("broken.toml", format!("{described}{EVIL}"));
        call(&["run", "broken.toml"]).exits(2);
    }
}

/// The text with another line in place of the first that begins with `key`.
fn regex_free(text: &str, key: &str, line: &str) -> String {
    let old = text.lines().find(|line| line.starts_with(key)).expect("it has that key");
    text.replacen(old, line, 1)
}

#[test]
fn a_scenario_from_stdin() {
    let sandbox = with_single();
    let piped = |line: &str| script(&sandbox, &format!("cat single.toml | $0 {line}"));
    let named = sandbox.mqsim("run single.toml --out a");
    let print =
        |done: &Done| done.stdout.lines().find(|l| l.starts_with("fing")).map(str::to_owned);
    let from = piped("run - --out b");
    assert!(from.exits(0).stdout.contains("again:  mqsim run - --seed 1"), "{}", from.stdout);
    assert_eq!(print(&from), print(&named));
    piped("check - --seed 1 --quiet").exits(0);
    piped("compare - --set-b seed=2 --seed 1 --quiet");
    let swept = piped("sweep - --set duration=2s,3s --seed 1");
    assert!(swept.exits(0).stdout.contains("2 cells"), "{}", swept.stdout);
    let wrong = script(&sandbox, "echo format = 1 | $0 run -");
    assert!(wrong.exits(2).stderr.contains("stdin"), "{}", wrong.stderr);
}

#[test]
fn habits() {
    let sandbox = with_single();
    assert!(sandbox.mqsim("run single.toml --color always").stdout.contains("\u{1b}["));
    assert!(sandbox.mqsim("--color=always --help").stdout.contains("Usage"));
    assert!(!sandbox.mqsim("run single.toml --color never").stdout.contains('\u{1b}'));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = sandbox.mqsim(&format!("completions {shell}"));
        assert!(text.exits(0).stdout.contains("max-memory"), "{shell}");
    }
    if cfg!(unix) {
        script(&sandbox, "$0 completions bash >c && bash -n c").exits(0);
    }
    let manual = sandbox.mqsim("man sweep");
    assert!(manual.exits(0).stdout.contains(".TH mqsim-sweep 1"), "{}", manual.stdout);
    assert!(sandbox.mqsim("man").exits(0).stdout.contains(".TH mqsim 1"));
    assert!(sandbox.mqsim("man swep").exits(2).stderr.contains("did you mean `sweep`?"));
    // Every command's help has its own exit codes and an example, in 100 columns.
    for command in [
        "run",
        "check",
        "lock",
        "compare",
        "sweep",
        "merge",
        "new",
        "schema",
        "list",
        "completions",
        "man",
    ] {
        let help = sandbox.mqsim(&format!("{command} --help")).stdout;
        assert!(help.contains(&format!("\n  mqsim {command}")), "{help}");
        assert!(help.contains("\nExit codes:\n  0    "), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
    assert!(!sandbox.mqsim("new --help").stdout.contains("  1    "), "it has no such code");
}
