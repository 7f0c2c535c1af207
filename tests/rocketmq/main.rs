//! RocketMQ: scripts and whole runs.

#[path = "../chaos_kit/cells.rs"]
mod cells;
mod chaos;
#[path = "../golden/mod.rs"]
mod golden;
mod matrix;
mod mutants;
mod rules;
#[path = "../runs/mod.rs"]
mod runs;
mod scripts;
#[path = "../chaos_kit/tally.rs"]
mod tally;
mod timings;
