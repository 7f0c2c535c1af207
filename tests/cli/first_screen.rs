//! The first screen of `mqsim run`: is it safe, what was lost and why, how long was it away.

use std::path::{Path, PathBuf};

use mqsim::scenario::is_scenario;

use crate::sandbox::{Sandbox, unwrapped};

/// Rows and columns of a terminal that nobody has made larger.
const ROWS: usize = 24;
const COLUMNS: usize = 80;

/// All shipped scenarios of one broker, those of failures included.
fn shipped() -> Vec<PathBuf> {
    let mut ahead = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")];
    let mut found = Vec::new();
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(directory).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                ahead.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml")
                && is_scenario(&std::fs::read(&path).expect("it can be read"))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What is wrong with the first screen, if something is.
fn complaint(page: &str, columns: usize) -> Option<String> {
    let lines: Vec<&str> = page.lines().collect();
    let answer = |word: &str| lines.iter().position(|line| line.starts_with(&format!("  {word} ")));
    let (Some(safe), Some(lost), Some(away)) = (answer("Safe"), answer("Lost"), answer("Away"))
    else {
        return Some("an answer is missing".to_owned());
    };
    if !(safe < lost && lost < away) {
        return Some(format!("the order is wrong: {safe}, {lost}, {away}"));
    }
    let end = away + lines[away..].iter().position(|line| line.is_empty())?;
    if end > ROWS {
        return Some(format!("the answers end in row {end}"));
    }
    let wide = lines[..end].iter().find(|line| line.chars().count() > columns);
    wide.map(|line| format!("this is wider than {columns} columns: {line}"))
}

/// Whether it is safe says the first word of the answer, and the counts say the same.
fn contradiction(page: &str) -> Option<String> {
    let safe = page.lines().find_map(|line| line.strip_prefix("  Safe   "))?;
    let lost = page.lines().find_map(|line| line.strip_prefix("  Lost   "))?;
    let told = |class: &str| page.contains(class);
    let after_success = told(" acked_lost:") || told(" accepted_lost:") || told(" read_lost:");
    match (safe.split(':').next(), lost) {
        (Some("yes" | "nothing to lose"), _) if after_success => Some(format!("safe, and: {lost}")),
        (Some("no"), "nothing") => Some("not safe, and nothing lost".to_owned()),
        _ => None,
    }
}

/// One seed of every shipped scenario.
#[test]
fn every_shipped_scenario_answers_three_questions_on_the_first_screen() {
    let sandbox = Sandbox::new();
    let all = shipped();
    assert!(all.len() > 150, "only {} are found", all.len());
    let look = |path: &PathBuf| {
        let path = path.to_str().expect("its name is UTF-8");
        let name = path.rsplit('/').next().expect("it has a name");
        let page = sandbox.call(&["run", path, "--out", &format!("of-{name}")]).stdout;
        let wrong = complaint(&page, COLUMNS).or_else(|| contradiction(&page));
        wrong.map(|wrong| format!("{name}: {wrong}"))
    };
    let wrong = std::thread::scope(|scope| {
        let halves: Vec<_> = all
            .chunks(all.len().div_ceil(4))
            .map(|part| scope.spawn(move || part.iter().filter_map(look).collect::<Vec<_>>()))
            .collect();
        halves.into_iter().flat_map(|half| half.join().expect("it ends")).collect::<Vec<_>>()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A message that goes to one destination is a message. Where it may go to several, what is counted
/// is explained where it is first told.
#[test]
fn lines_are_messages_unless_a_message_is_several_lines() {
    let sandbox = Sandbox::new();
    sandbox.ship("cluster");
    let page = sandbox.mqsim("run cluster.toml").exits(0).stdout.clone();
    let words = |page: &str| {
        let said = page.split(|c: char| !c.is_alphabetic());
        said.filter(|word| ["line", "lines"].contains(word)).count()
    };
    assert_eq!(words(&page), 0, "{page}");
    assert!(page.contains("9,789 messages acked_lost"), "{page}");
    assert_eq!(words(&sandbox.mqsim("check cluster.toml --seed 1").exits(0).stdout), 0);
    sandbox.ship("mirror");
    let line = "compare mirror.toml --set-b producer.p1.rate=400/s --seeds 1..=2";
    assert_eq!(words(&sandbox.mqsim(line).exits(0).stdout), 0);
    let line = "sweep mirror.toml --set producer.p1.rate=100/s,200/s --seeds 1..=2";
    assert_eq!(words(&sandbox.mqsim(line).exits(0).stdout), 0);

    let text = sandbox.mqsim("new --from 52-fanout-partial-reject").exits(0).stdout.clone();
    sandbox.write("fanout.toml", text);
    let page = unwrapped(&sandbox.mqsim("run fanout.toml").stdout);
    let explained = page.split_once(" is lost (a message at one of its destinations is a line)");
    let (before, after) = explained.expect(&page);
    assert_eq!(words(before), 1, "the first is explained: {page}");
    assert!(words(after) > 1, "{page}");
}
