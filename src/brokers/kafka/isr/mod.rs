//! Kafka with replication: 0.8 to 4.1.

pub mod broker;
pub mod config;
pub mod controller;
pub mod costs;
pub mod keys;
pub mod link;
pub mod message;
pub mod nodes;
pub mod rules;
pub mod state;
pub mod words;
