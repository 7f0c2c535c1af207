//! RocketMQ: scripts and whole runs.

mod chaos;
#[path = "../golden/mod.rs"]
mod golden;
mod matrix;
mod mutants;
mod rules;
mod scripts;
mod timings;
