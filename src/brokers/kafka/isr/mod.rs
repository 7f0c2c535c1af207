//! Kafka with replication: 0.8 to 4.1.

pub mod broker;
pub mod client;
pub mod config;
pub mod content;
mod contradictions;
pub mod controller;
pub mod costs;
pub mod error;
pub mod groups;
pub mod invariants;
pub mod keys;
pub mod link;
pub mod machine;
pub mod message;
pub mod nodes;
mod pipelines;
pub mod plan;
mod portable;
pub mod rules;
pub mod sequence;
pub mod settings;
pub mod spec;
pub mod state;
pub mod transactions;
pub mod words;
pub mod zookeeper;
