//! ActiveMQ: scripts and whole runs.

#[path = "../chaos_kit/cells.rs"]
mod cells;
mod chaos;
#[path = "../golden/mod.rs"]
mod golden;
#[path = "../chaos_kit/hunt.rs"]
mod hunt;
mod journal;
mod measured;
mod mutants;
mod rules;
#[path = "../runs/mod.rs"]
mod runs;
mod scripts;
#[path = "../chaos_kit/tally.rs"]
mod tally;
