//! RocketMQ: scripts and whole runs.

#[path = "../golden/mod.rs"]
mod golden;
mod matrix;
mod rules;
mod scripts;
mod timings;
