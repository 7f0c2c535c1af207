//! Names the build: a hash of the sources, by which results of two builds of one version are told
//! apart. It needs no version control, so a packaged crate has the same as the tree it was made
//! from, on any machine.
//!
//! And lists the failure scenarios, whose texts are in the binary. They change no result, so the
//! name of the build does not depend on them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=src");
    let mut files = Vec::new();
    search(Path::new("src"), &mut files);
    files.sort();
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    for file in &files {
        let bytes = fs::read(file).expect("the sources can be read");
        let names: Vec<_> = file.iter().map(|name| name.to_string_lossy()).collect();
        hash.add(names.join("/").as_bytes());
        // A checkout on Windows may have other ends of lines.
        let text = bytes.into_iter().filter(|byte| *byte != b'\r');
        hash.add(&text.collect::<Vec<u8>>());
    }
    // 48 bits are enough to tell builds apart, and can be read out.
    println!("cargo::rustc-env=MQSIM_BUILD={:012x}", hash.0 >> 16);
    list_failures();
}

/// Writes `failures.rs`: name, family and text of every scenario in `scenarios/failures/FAMILY/`.
fn list_failures() {
    println!("cargo::rerun-if-changed=scenarios/failures");
    let mut files = Vec::new();
    search(Path::new("scenarios/failures"), &mut files);
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let root = fs::canonicalize(".").expect("cargo starts this in the package's directory");
    let row = |file: &PathBuf| {
        let family = file.parent().and_then(Path::file_name).expect("it is in a folder");
        let name = file.file_stem().expect("it has a name");
        format!("({name:?}, {family:?}, include_str!({:?})),\n", root.join(file))
    };
    let rows: String = files.iter().map(row).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("failures.rs"), format!("&[\n{rows}]\n")).expect("it can be written");
}

/// Every file below a directory but snapshots of tests, which no build has in it.
fn search(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).expect("the sources can be read");
    for entry in entries {
        let path = entry.expect("the sources can be read").path();
        if path.is_dir() {
            search(&path, found);
        } else if path.extension().is_none_or(|ending| ending != "snap" && ending != "new") {
            found.push(path);
        }
    }
}

/// FNV-1a of 64 bits; texts are told apart by their lengths.
struct Hash(u64);

impl Hash {
    fn add(&mut self, bytes: &[u8]) {
        let length = (bytes.len() as u64).to_le_bytes();
        for byte in length.iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
