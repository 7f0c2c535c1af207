//! `docs/architecture.md` is true: the files and folders that it names are there.

use std::path::{Path, PathBuf};

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("it can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            below(&path, found);
        }
        found.push(path);
    }
}

#[test]
fn it_names_files_and_folders_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "tests", "scenarios", "docs", "benches", "reports"] {
        below(&root.join(folder), &mut found);
    }
    let text = std::fs::read_to_string(root.join("docs/architecture.md")).expect("it is there");
    let names = text.split('`').skip(1).step_by(2);
    let is_path = |name: &&str| {
        let path = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
        path && (name.ends_with(".rs") || name.ends_with('/') || name.ends_with(".md"))
    };
    // The recipes say what somebody's new file could be called.
    let made_up = ["memory_pressure.rs"];
    let there = |name: &str| {
        let inside = |path: &PathBuf| path.ends_with(name.trim_end_matches('/'));
        root.join(name).exists() || made_up.contains(&name) || found.iter().any(inside)
    };
    let wrong: Vec<&str> = names.filter(is_path).filter(|name| !there(name)).collect();
    assert!(wrong.is_empty(), "docs/architecture.md names what is not there: {wrong:?}");
}
