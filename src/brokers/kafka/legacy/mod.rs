//! Kafka 0.6 and 0.7: partitions that live on one broker each, producers that get no answer,
//! messages that can be read once they are flushed, and consumers that coordinate themselves in
//! ZooKeeper.

pub mod broker;
pub mod config;
pub mod consumer;
pub mod costs;
pub mod invariants;
pub mod keys;
pub mod machine;
pub mod message;
pub mod plan;
mod portable;
pub mod producer;
pub mod rules;
pub mod settings;
pub mod spec;
pub mod words;
