//! ActiveMQ: scripts and whole runs.

mod chaos;
#[path = "../golden/mod.rs"]
mod golden;
mod measured;
mod mutants;
mod rules;
mod scripts;
