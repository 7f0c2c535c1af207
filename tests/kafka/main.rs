//! Kafka, with and without replication: its parts, scripts and whole runs.

mod chaos;
mod clients;
mod clock;
mod contradictions;
mod disks;
mod fake;
#[path = "../golden/mod.rs"]
mod golden;
mod groups;
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
mod zones;
