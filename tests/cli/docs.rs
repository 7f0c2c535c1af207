//! What the documentation shows is what comes out: every command of mqsim in it is run, in the order
//! in which it stands there, and what it prints is compared line by line.

use std::path::Path;

use crate::sandbox::{Done, Sandbox, mqsim};

/// A fenced block: its language, and its lines.
struct Block {
    language: String,
    lines: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                open = true;
                found.push(Block { language: language.to_owned(), lines: Vec::new() });
            }
            None if open => found.last_mut().expect("one is open").lines.push(line.to_owned()),
            None => {}
        }
    }
    found
}

/// The commands of a console block, and what is shown beneath each.
fn commands(block: &Block) -> Vec<(String, Vec<&str>)> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    let mut goes_on = false;
    for line in &block.lines {
        let said = line.trim_end_matches('\\').trim();
        if goes_on {
            let (command, _) = found.last_mut().expect("it has begun");
            *command = format!("{command} {said}");
        } else if let Some(command) = said.strip_prefix("$ ") {
            found.push((command.trim().to_owned(), Vec::new()));
        } else {
            found.last_mut().expect("a command comes first").1.push(line);
        }
        goes_on = (goes_on || line.starts_with("$ ")) && line.ends_with('\\');
    }
    found
}

/// Lines that differ from machine to machine.
fn is_volatile(line: &str) -> bool {
    line.contains(" events and ")
}

/// What is shown and does not come out; `...` stands for any lines.
fn mismatch(shown: &[&str], out: &str) -> Option<String> {
    let out: Vec<&str> = out.lines().collect();
    let (mut at, mut gap) = (0, false);
    for line in shown {
        if *line == "..." {
            gap = true;
            continue;
        }
        if gap {
            at += out.get(at..)?.iter().position(|other| other == line).unwrap_or(out.len());
        }
        match out.get(at) {
            Some(other) if other == line || is_volatile(line) => {}
            Some(other) => return Some(format!("shown: {line}\nfound: {other}")),
            None => return Some(format!("shown: {line}\nand it does not come out")),
        }
        (at, gap) = (at + 1, false);
    }
    None
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it can be made");
    for entry in std::fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("it can be copied");
        }
    }
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).expect("it is there")
}

/// Goes through a document. A block of TOML that begins with the comment `# NAME.toml` is that file.
fn follow(document: &str) {
    let sandbox = Sandbox::new();
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    copy(&scenarios, &sandbox.path().join("scenarios"));
    let (mut wrong, mut run) = (Vec::new(), 0);
    for block in blocks(&read(document)) {
        if block.language == "toml"
            && let Some(name) = block.lines[0].strip_prefix("# ")
            && name.ends_with(".toml")
        {
            sandbox.write(name, block.lines.join("\n") + "\n");
        }
        if block.language != "console" {
            continue;
        }
        for (command, shown) in commands(&block) {
            let Some(line) = command
                .strip_prefix("mqsim ")
                .or_else(|| command.strip_prefix("cargo run --release -- "))
            else {
                continue;
            };
            let done = sandbox.mqsim(&line.replace('"', ""));
            run += 1;
            assert!(!matches!(done.code, None | Some(4)), "{command}: {}", done.stderr);
            if let Some(difference) = mismatch(&shown, &(done.stdout + &done.stderr)) {
                wrong.push(format!("{command}\n{difference}"));
            }
        }
    }
    assert!(run > 0, "no command is found in {document}");
    assert!(wrong.is_empty(), "{document}:\n{}", wrong.join("\n\n"));
}

#[test]
fn the_readme_shows_what_comes_out() {
    follow("README.md");
}

#[test]
fn the_tutorial_shows_what_comes_out() {
    follow("docs/tutorial.md");
}

#[test]
fn the_answers_by_question_show_what_comes_out() {
    follow("docs/how-to.md");
}

#[test]
fn the_page_of_the_portable_form_shows_what_comes_out() {
    follow("docs/portable.md");
}

/// The job that is shown for continuous integration, in a repository that has nothing of mqsim's: the
/// steps that call it are run as they stand there.
#[cfg(unix)]
#[test]
fn the_job_that_is_shown_gates_another_repository() {
    let job = blocks(&read("docs/how-to.md"));
    let job = job.iter().find(|block| block.language == "yaml").expect("a job is shown");
    let text = job.lines.join("\n");
    assert!(!text.contains("OWNER"), "nothing is left to be filled in: {text}");
    let steps: Vec<&str> =
        job.lines.iter().filter_map(|line| line.trim().strip_prefix("- run: mqsim ")).collect();
    assert!(!steps.is_empty(), "{text}");

    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path().join("scenarios")).unwrap();
    sandbox.mqsim("new rabbitmq-mirrored --out scenarios/orders.toml").exits(0);
    sandbox.mqsim("lock scenarios").exits(0);
    let gate = |sandbox: &Sandbox| {
        let mut codes = Vec::new();
        for step in &steps {
            let script = format!("exec {} {step}", mqsim());
            let mut command = sandbox.command("sh");
            command.args(["-c", &script]).env("GITHUB_STEP_SUMMARY", "summary.md");
            codes.push(Done::of(command.env("GITHUB_ACTIONS", "true")));
        }
        codes
    };
    assert!(gate(&sandbox).iter().all(|done| done.code == Some(0)), "it holds as it was locked");
    // Somebody takes the mirrors away.
    let text = std::fs::read_to_string(sandbox.path().join("scenarios/orders.toml")).unwrap();
    sandbox.write(
        "scenarios/orders.toml",
        text.replace("ha-mode = \"all\"", "ha-mode = \"exactly\"\nha-params = 1"),
    );
    let done = gate(&sandbox);
    let broken = done.iter().find(|done| done.code == Some(1)).expect("the gate is shut");
    assert!(
        broken.stdout.contains("::error file=scenarios/orders.toml,line="),
        "{}",
        broken.stdout
    );
    let summary = std::fs::read_to_string(sandbox.path().join("summary.md")).unwrap();
    assert!(summary.contains("orders"), "{summary}");
    assert!(sandbox.path().join("junit.xml").is_file());
}
