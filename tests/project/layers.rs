//! The source keeps to its layers: imports go downwards, broker families know nothing of one
//! another, what they share knows none of them, the layers below them use no broker's words, and
//! no file grows without end.

use std::path::{Path, PathBuf};

/// From the top: each layer may use those behind it.
const LAYERS: [&str; 11] = [
    "cli",
    "run",
    "report",
    "verdict",
    "brokers",
    "workload",
    "world",
    "observe",
    "scenario",
    "statistics",
    "engine",
];

/// Layers that know nothing of any broker.
const NEUTRAL: [&str; 7] =
    ["engine", "statistics", "observe", "world", "workload", "verdict", "report"];

/// Beginnings of words that belong to one broker family.
const BROKER_WORDS: [&str; 17] = [
    "rabbit",
    "amqp",
    "mnesia",
    "erlang",
    "mirror",
    "exchange",
    "topic",
    "prefetch",
    "kafka",
    "zookeeper",
    "isr",
    "raft",
    "rocketmq",
    "namesrv",
    "activemq",
    "artemis",
    "journal",
];

/// The greatest number of lines of a file.
const MOST_LINES: usize = 900;

/// One source file.
struct Source {
    /// From `src/` or `tests/` on.
    path: PathBuf,
    text: String,
    /// Whether it is compiled for tests only.
    test: bool,
}

/// All Rust files below a folder of the project.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut ahead = vec![root.join(folder)];
    while let Some(path) = ahead.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("the sources can be read");
            ahead.extend(entries.map(|entry| entry.expect("it can be read").path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("the sources are text");
            let path = path.strip_prefix(root).expect("it is below").to_owned();
            found.push(Source { path, text, test: folder == "tests" });
        }
    }
    let tests: Vec<PathBuf> = found.iter().flat_map(test_modules).collect();
    for source in &mut found {
        source.test |= tests.iter().any(|test| source.path.starts_with(test));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Files and folders of the modules that a file declares behind `#[cfg(test)]`.
fn test_modules(source: &Source) -> Vec<PathBuf> {
    let here = source.path.parent().expect("a file is in a folder");
    let below = match source.path.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") => here.to_owned(),
        stem => here.join(stem.expect("names are UTF-8")),
    };
    let mut modules = Vec::new();
    let mut lines = source.text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            continue;
        }
        let mut next = lines.next().unwrap_or("").trim();
        if let Some(path) = next.strip_prefix("#[path = \"") {
            modules.push(here.join(path.trim_end_matches("\"]")));
            next = lines.next().unwrap_or("").trim();
        }
        let name = next.split_once("mod ").and_then(|(_, name)| name.strip_suffix(';'));
        if let Some(name) = name {
            modules.push(below.join(format!("{name}.rs")));
            modules.push(below.join(name));
        }
    }
    modules
}

impl Source {
    /// Its layer: the folder below `src/`; `None` for `lib.rs` and `main.rs`.
    fn layer(&self) -> Option<&str> {
        let mut parts = self.path.iter().map(|part| part.to_str().expect("names are UTF-8"));
        let (folder, layer) = (parts.next()?, parts.next()?);
        (folder == "src" && parts.next().is_some()).then_some(layer)
    }

    /// How many lines stand before the tests at its end.
    fn before_tests(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let opens = |line: &str| line.starts_with("mod ") && line.ends_with('{');
        let inline = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && opens(pair[1]);
        lines.windows(2).position(inline).unwrap_or(lines.len())
    }

    /// Its lines with their numbers, without those of tests.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let count = if self.test { 0 } else { self.before_tests() };
        self.text.lines().take(count).enumerate().map(|(index, line)| (index + 1, line))
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

/// The code of a line and its comment. A `//` in a text is taken for a comment, which only makes
/// less of it code.
fn split(line: &str) -> (&str, &str) {
    match line.find("//") {
        Some(at) => line.split_at(at),
        None => (line, ""),
    }
}

/// Names that follow `crate::` in a line.
fn used(code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = code;
    while let Some((before, behind)) = rest.split_once("crate::") {
        let end = behind.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(behind.len());
        // `pub(in crate::world)` restricts, it imports nothing.
        if !before.ends_with("in ") {
            names.push(&behind[..end]);
        }
        rest = behind;
    }
    names
}

/// What is wrong with the imports of a file, tests included: they obey the same order.
fn upward(source: &Source) -> Vec<String> {
    let Some(layer) = source.layer() else { return Vec::new() };
    let Some(own) = LAYERS.iter().position(|name| *name == layer) else {
        return vec![format!("{}: `{layer}` is no layer", source.path.display())];
    };
    let is_file_of_folder = source.path.file_name().is_some_and(|name| name == "mod.rs");
    let depth = source.path.components().count() - 1 - usize::from(is_file_of_folder);
    let mut wrong = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let (code, _) = split(line);
        for name in used(code) {
            match LAYERS.iter().position(|layer| *layer == name) {
                // Only what puts a run together knows that there are families.
                Some(_) if name == "brokers" && !["run", "brokers"].contains(&layer) => {
                    wrong.push(format!("{}: {layer} uses a family", source.at(index + 1)));
                }
                Some(other) if other >= own => {}
                Some(_) => wrong.push(format!("{}: {layer} uses {name}", source.at(index + 1))),
                None => wrong.push(format!("{}: crate::{name}", source.at(index + 1))),
            }
        }
        // Tests are a module more.
        let depth = depth + usize::from(index >= source.before_tests());
        if code.contains(&"super::".repeat(depth)) {
            wrong.push(format!("{}: out of the layer by super::", source.at(index + 1)));
        }
    }
    wrong
}

/// What families share: folders of brokers that are no family. They know none.
const SHARED: [&str; 2] = ["coordination", "kit"];

/// What a file of one broker family says of another.
fn of_other_families(source: &Source, families: &[String]) -> Vec<String> {
    let Ok(below) = source.path.strip_prefix("src/brokers") else { return Vec::new() };
    let Some(own) = below.parent().and_then(|folder| folder.iter().next()) else {
        return Vec::new();
    };
    let others = families.iter().map(String::as_str);
    let others = others.filter(|family| own != *family && !SHARED.contains(family));
    let mut wrong = Vec::new();
    for other in others {
        for (index, line) in source.text.lines().enumerate() {
            let (code, _) = split(line);
            if code.contains(&format!("brokers::{other}"))
                || code.contains(&format!("super::{other}::"))
            {
                wrong.push(format!("{}: it uses {other}", source.at(index + 1)));
            }
        }
    }
    wrong
}

/// A comment without what it quotes: examples in backticks and quotation marks.
fn plain(comment: &str) -> String {
    let unquoted =
        |text: &str, mark: char| text.split(mark).step_by(2).collect::<Vec<_>>().join(" ");
    unquoted(&unquoted(comment, '`'), '"')
}

/// Words of a broker in a line of a layer that should know none.
fn broker_words(line: &str, in_example: bool) -> Vec<&'static str> {
    let (code, comment) = split(line);
    let comment = if in_example { String::new() } else { plain(comment) };
    let text = format!("{code} {comment}").to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let found = |start: &&&str| match **start {
        "isr" | "raft" => words.contains(*start),
        start => words.iter().any(|word| word.starts_with(start)),
    };
    BROKER_WORDS.iter().filter(found).copied().collect()
}

fn all_broker_words(source: &Source) -> Vec<String> {
    if !source.layer().is_some_and(|layer| NEUTRAL.contains(&layer)) {
        return Vec::new();
    }
    let mut in_example = false;
    let mut wrong = Vec::new();
    for (number, line) in source.lines() {
        let fence = line.trim_start_matches(['/', '!', ' ']).starts_with("```");
        in_example ^= fence;
        let words = broker_words(line, in_example || fence);
        wrong.extend(words.iter().map(|word| format!("{}: {word}", source.at(number))));
    }
    wrong
}

/// Macros and marks of unfinished work, and prints where the library should be silent.
fn unfinished(source: &Source) -> Vec<String> {
    const EVERYWHERE: [&str; 6] = [
        concat!("to", "do!("),
        concat!("un", "implemented!("),
        concat!("db", "g!("),
        concat!("#[", "ignore"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    const IN_THE_LIBRARY: [&str; 2] = [concat!("print", "ln!("), concat!("print", "!(")];
    let mut wrong = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let marks = EVERYWHERE.iter().filter(|mark| line.contains(**mark));
        wrong.extend(marks.map(|mark| format!("{}: {mark}", source.at(index + 1))));
    }
    if source.layer().is_some_and(|layer| layer != "cli") {
        for (number, line) in source.lines() {
            let prints = IN_THE_LIBRARY.iter().any(|mark| split(line).0.contains(mark));
            if prints {
                wrong.push(format!("{}: the library prints nothing", source.at(number)));
            }
        }
    }
    let lines = source.text.lines().count();
    if lines > MOST_LINES {
        wrong.push(format!("{}: {lines} lines", source.path.display()));
    }
    wrong
}

#[track_caller]
fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_go_downwards() {
    let sources = sources("src");
    assert!(sources.len() > 100, "the sources are found");
    assert_none(sources.iter().flat_map(upward).collect());
    let main = sources.iter().find(|source| source.path.ends_with("main.rs")).unwrap();
    let beside = main.text.matches("mqsim::").count() - main.text.matches("mqsim::cli::").count();
    assert_eq!(beside, 0, "main uses cli only");
}

#[test]
fn families_do_not_know_each_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/brokers");
    let entries = std::fs::read_dir(folder).expect("there are brokers");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let families: Vec<String> = paths
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|folder| !SHARED.contains(&folder.as_str()))
        .collect();
    assert!(!families.is_empty());
    let sources = sources("src");
    assert_none(sources.iter().flat_map(|source| of_other_families(source, &families)).collect());
}

#[test]
fn no_broker_below_the_brokers() {
    assert_none(sources("src").iter().flat_map(all_broker_words).collect());
}

#[test]
fn nothing_is_unfinished() {
    let all = ["src", "tests", "benches"].into_iter().flat_map(sources).collect::<Vec<_>>();
    assert_none(all.iter().flat_map(unfinished).collect());
}

/// The checks find what they are for.
#[test]
fn offences_are_found() {
    let source = |path: &str, text: &str| Source {
        path: PathBuf::from(path),
        text: text.to_owned(),
        test: false,
    };
    let up = |path: &str, text: &str| upward(&source(path, text)).len();
    assert_eq!(up("src/world/link.rs", "use crate::engine::Time;"), 0);
    assert_eq!(up("src/world/link.rs", "use crate::verdict::Report;"), 1);
    assert_eq!(up("src/engine/time.rs", "fn f() -> crate::world::Disk {"), 1);
    assert_eq!(up("src/engine/time.rs", "// crate::world is above"), 0);
    assert_eq!(up("src/world/network/link.rs", "use super::super::selector::Pick;"), 0);
    assert_eq!(up("src/world/network/link.rs", "use super::super::super::verdict::Report;"), 1);
    assert_eq!(up("src/world/mod.rs", "use super::engine::Time;"), 1);
    assert_eq!(up("src/other/mod.rs", ""), 1);
    assert_eq!(up("src/cli/list.rs", "use crate::brokers::rabbitmq;"), 1);
    assert_eq!(up("src/run/families.rs", "use crate::brokers::rabbitmq;"), 0);
    let families = ["rabbitmq".to_owned(), "kafka".to_owned()];
    let other = |path: &str, text: &str| of_other_families(&source(path, text), &families).len();
    assert_eq!(other("src/brokers/kafka/log.rs", "use crate::brokers::rabbitmq::spec::Spec;"), 1);
    assert_eq!(other("src/brokers/kafka/log.rs", "use super::super::rabbitmq::spec::Spec;"), 1);
    assert_eq!(other("src/brokers/kafka/log.rs", "use crate::brokers::kafka::spec::Spec;"), 0);
    let shared = "src/brokers/coordination/zookeeper/tree.rs";
    assert_eq!(other(shared, "use crate::brokers::kafka::Broker;"), 1);
    assert_eq!(other(shared, "use super::super::super::kafka::Broker;"), 1);
    assert_eq!(other(shared, "use super::super::Carry;"), 0);
    assert_eq!(other("src/brokers/kafka/log.rs", "use crate::brokers::coordination::Carry;"), 0);
    assert_eq!(broker_words("let mirrors = 2;", false), ["mirror"]);
    assert_eq!(broker_words("/// A mirrored queue.", false), ["mirror"]);
    assert_eq!(broker_words("/// A role, `mirror` or \"mirror\".", false), [""; 0]);
    assert_eq!(broker_words("//! let mirrors = 2;", true), [""; 0]);
    let inner = "fn a() {}\n#[cfg(test)]\nmod tests {\n    let mirror = 1;\n}\n";
    assert_eq!(all_broker_words(&source("src/world/a.rs", inner)), [""; 0]);
    assert_eq!(all_broker_words(&source("src/world/a.rs", "let mirror = 1;")).len(), 1);
    let declaring =
        source("src/world/mod.rs", "#[cfg(test)]\npub(crate) mod stories;\nmod link;\n");
    assert!(test_modules(&declaring).contains(&PathBuf::from("src/world/stories.rs")));
    assert_eq!(unfinished(&source("src/run/a.rs", concat!("to", "do!()"))).len(), 1);
    assert_eq!(unfinished(&source("src/run/a.rs", &"\n".repeat(901))).len(), 1);
    assert_eq!(unfinished(&source("src/run/a.rs", concat!("print", "ln!()"))).len(), 1);
}
