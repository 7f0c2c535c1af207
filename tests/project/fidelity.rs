//! `docs/fidelity/` is true: every rule that can be switched has its row, every row names code
//! that is there and a test that is there.
//!
//! Rows: `| Rule | Source | Code | Tests |`. A rule that can be switched off begins with its name,
//! `` `nack-when-queue-dies`: ``. Code is `` `broker/file.rs` `function` `` (paths relative to the
//! family's folder, or `../` from there); tests are scripts, scenarios or test files by their
//! names. Which family rows are about says the last line before them that begins with ``Paths are
//! relative to `src/...` ``.

use std::path::{Path, PathBuf};

use mqsim::brokers::kafka::{isr, legacy};
use mqsim::brokers::{activemq, artemis, rabbitmq, rocketmq};

struct Row {
    /// `rabbitmq.md, line 40`.
    place: String,
    /// The family's folder.
    folder: String,
    cells: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// A family: its folder, name and identifier of each of its rules, and whether all have a row.
type Family = (&'static str, Vec<(&'static str, String)>, bool);

/// The families with rules.
fn families() -> Vec<Family> {
    let rabbitmq = rabbitmq::rules::ALL.iter().map(|rule| (rule.name(), format!("{rule:?}")));
    let legacy = legacy::rules::ALL.iter().map(|rule| (rule.name(), format!("{rule:?}")));
    let rocketmq = rocketmq::rules::ALL.iter().map(|rule| (rule.name(), format!("{rule:?}")));
    let activemq = activemq::rules::ALL.iter().map(|rule| (rule.name(), format!("{rule:?}")));
    let artemis = artemis::rules::ALL.iter().map(|rule| (rule.name(), format!("{rule:?}")));
    let isr = isr::rules::ALL.iter().map(|rule| (rule.name(), format!("{rule:?}")));
    vec![
        ("src/brokers/rabbitmq", rabbitmq.collect(), true),
        ("src/brokers/kafka/legacy", legacy.collect(), true),
        ("src/brokers/kafka/isr", isr.collect(), false),
        ("src/brokers/rocketmq", rocketmq.collect(), true),
        ("src/brokers/activemq", activemq.collect(), true),
        ("src/brokers/artemis", artemis.collect(), true),
    ]
}

/// The rows of all tables of rules.
fn rows() -> Vec<Row> {
    let mut files = Vec::new();
    files_below(&root().join("docs/fidelity"), &mut files);
    files.sort();
    files.iter().flat_map(|file| rows_of(file)).collect()
}

fn rows_of(file: &Path) -> Vec<Row> {
    let text = read(file).expect("it can be read");
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (mut rows, mut inside, mut folder) = (Vec::new(), false, String::new());
    for (index, line) in text.lines().enumerate() {
        if let Some(named) = line.strip_prefix("Paths are relative to `") {
            folder = named.split("/`").next().unwrap_or(named).to_owned();
        }
        if line.starts_with("| Rule | Source | Code | Tests |") {
            inside = true;
        } else if !line.starts_with('|') {
            inside = false;
        } else if inside && !line.starts_with("| ---") {
            let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
            let (place, folder) = (format!("{name}, line {}", index + 1), folder.clone());
            rows.push(Row { place, folder, cells: cells.collect() });
        }
    }
    rows
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The names by which tests may be cited: file names without extension, for a test file also with
/// its folder (`rabbitmq/flow`), and names of test functions.
fn tests() -> Vec<String> {
    let mut files = Vec::new();
    files_below(&root().join("tests"), &mut files);
    files_below(&root().join("scenarios"), &mut files);
    let mut names = Vec::new();
    for file in files {
        let inside = file.strip_prefix(root().join("tests")).ok();
        names.extend(inside.map(|path| path.with_extension("").to_string_lossy().into_owned()));
        names.extend(file.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        if file.extension().is_some_and(|extension| extension == "rs") {
            let text = read(&file).unwrap_or_default();
            let functions = text.lines().filter_map(|line| line.trim().strip_prefix("fn "));
            let name = |line: &str| line.split(['(', '<']).next().map(str::to_owned);
            names.extend(functions.filter_map(name));
        }
    }
    names
}

/// The names of functions, types and constants in a file.
fn has_item(text: &str, name: &str) -> bool {
    let words = |line: &str| {
        line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name)
    };
    const ITEMS: [&str; 5] = ["fn ", "struct ", "enum ", "const ", "type "];
    text.lines().any(|line| ITEMS.iter().any(|item| line.contains(item)) && words(line))
}

#[test]
fn every_row_names_code_and_tests_that_are_there() {
    let tests = tests();
    let mut wrong = Vec::new();
    for Row { place, folder, cells } in rows() {
        let family = root().join(folder);
        let [rule, source, code, cited] = &cells[..] else {
            wrong.push(format!("{place}: a row has four cells"));
            continue;
        };
        for (what, cell) in [("rule", rule), ("source", source), ("code", code), ("test", cited)] {
            if cell.is_empty() {
                wrong.push(format!("{place}: no {what}: {rule}"));
            }
        }
        let mut text = String::new();
        for name in quoted(code) {
            if name.contains('.') {
                match read(&family.join(name)) {
                    Some(found) => text = found,
                    None => wrong.push(format!("{place}: there is no file `{name}`")),
                }
            } else if !has_item(&text, name) {
                wrong.push(format!("{place}: `{name}` is not in the file before it"));
            }
        }
        for name in quoted(cited) {
            if !tests.iter().any(|test| test == name) {
                wrong.push(format!("{place}: there is no test, script or scenario `{name}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_rule_that_can_be_switched_off_has_one_row_and_acts_where_that_says() {
    let all = rows();
    let mut wrong = Vec::new();
    for (folder, rules, complete) in families() {
        let rows: Vec<&Row> = all.iter().filter(|row| row.folder == folder).collect();
        for (name, identifier) in &rules {
            let begins = format!("`{name}`:");
            let own = rows.iter().filter(|row| row.cells[0].starts_with(&begins));
            let count = own.clone().count();
            if count != 1 && (complete || count > 0) {
                wrong.push(format!("`{name}` has {count} rows, not one"));
            }
            for row in own {
                let files = quoted(&row.cells[2]).into_iter().filter(|name| name.contains('.'));
                let acts = format!("Rule::{identifier}");
                let there = |name| {
                    read(&root().join(folder).join(name)).is_some_and(|text| text.contains(&acts))
                };
                if !files.into_iter().any(there) {
                    wrong.push(format!("{}: `{acts}` is in none of its files", row.place));
                }
            }
        }
        for row in &rows {
            let (name, _) = row.cells[0].split_once("`:").unwrap_or_default();
            if let Some(name) = name.strip_prefix('`')
                && !rules.iter().any(|(rule, _)| *rule == name)
            {
                wrong.push(format!("{}: there is no rule `{name}`", row.place));
            }
        }
    }
    let known = |row: &&Row| families().iter().all(|(folder, ..)| row.folder != *folder);
    wrong.extend(all.iter().filter(known).map(|row| format!("{}: whose rule?", row.place)));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
