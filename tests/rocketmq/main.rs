//! RocketMQ: scripts and whole runs.

#[path = "../golden/mod.rs"]
mod golden;
mod matrix;
mod scripts;
mod timings;
