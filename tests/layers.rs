//! Imports go downwards: each layer knows those below it and no other. Only `run` knows the broker
//! families, and they do not know each other.

use std::fs;
use std::path::{Path, PathBuf};

/// From top to bottom.
const LAYERS: [&str; 10] = [
    "cli", "run", "report", "verdict", "brokers", "workload", "world", "observe", "scenario",
    "engine",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The layers (or families) named after `prefix` in code: `crate::verdict::Report` names `verdict`.
/// Comments do not count.
fn named<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut names = Vec::new();
    for line in code {
        for after in line.split(prefix).skip(1) {
            let end = after.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            names.push(&after[..end.unwrap_or(after.len())]);
        }
    }
    names
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == name)
}

#[test]
fn imports_go_downwards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut upward = Vec::new();
    let mut seen = 0;
    for file in &files {
        let inside = file.strip_prefix(&root).expect("a file of src");
        let folder = inside.iter().next().and_then(|first| first.to_str()).unwrap_or_default();
        // `main.rs` and `lib.rs` stand above all layers.
        let Some(own) = layer(folder) else { continue };
        let text = fs::read_to_string(file).expect("a source file");
        for name in named(&text, "crate::") {
            seen += 1;
            let a_family = name == "brokers" && !["run", "brokers"].contains(&folder);
            if a_family || layer(name).is_some_and(|other| other < own) {
                upward.push(format!("{} uses {name}", inside.display()));
            }
        }
    }
    assert!(seen > 100, "the imports are found, not missed: {seen}");
    assert_eq!(upward, Vec::<String>::new());
}

#[test]
fn families_do_not_know_each_other() {
    let brokers = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/brokers");
    let mut files = Vec::new();
    sources(&brokers, &mut files);
    for file in &files {
        let inside = file.strip_prefix(&brokers).expect("a file of brokers");
        let family = inside.iter().next().and_then(|first| first.to_str()).unwrap_or_default();
        let text = fs::read_to_string(file).expect("a source file");
        for other in named(&text, "crate::brokers::") {
            assert_eq!(other, family, "{}", inside.display());
        }
    }
}
