//! RocketMQ: scripts and whole runs.

mod chaos;
#[path = "../golden/mod.rs"]
mod golden;
mod matrix;
mod mutants;
mod rules;
#[path = "../runs/mod.rs"]
mod runs;
mod scripts;
mod timings;
