//! Kafka, with and without replication: its parts, scripts and whole runs.

#[path = "../chaos_kit/cells.rs"]
mod cells;
mod chaos;
mod clients;
mod clock;
mod contradictions;
mod disks;
mod fake;
#[path = "../golden/mod.rs"]
mod golden;
mod groups;
#[path = "../chaos_kit/hunt.rs"]
mod hunt;
mod idempotence;
mod idle;
mod isr_scripts;
mod kit;
mod legacy;
mod legacy_chaos;
mod legacy_scripts;
mod mutants;
mod phases;
mod reasons;
#[path = "../runs/mod.rs"]
mod runs;
mod selectors;
#[path = "../chaos_kit/tally.rs"]
mod tally;
mod transactions;
mod zones;
