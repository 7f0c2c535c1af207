//! Kafka with replication: 0.8 to 4.1.

pub mod broker;
pub mod client;
pub mod config;
mod contradictions;
pub mod controller;
pub mod costs;
pub mod groups;
pub mod invariants;
pub mod keys;
pub mod link;
pub mod machine;
pub mod message;
pub mod nodes;
pub mod plan;
pub mod rules;
pub mod sequence;
pub mod settings;
pub mod spec;
pub mod state;
pub mod words;
pub mod zookeeper;
