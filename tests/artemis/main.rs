//! Artemis: scripts and whole runs.

mod chaos;
#[path = "../golden/mod.rs"]
mod golden;
mod matrix;
mod mutants;
mod runs;
mod scripts;
mod timing;
