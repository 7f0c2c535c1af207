//! RabbitMQ 3.10: single node, classic cluster, mirrored classic queues.

pub mod broker;
pub mod client;
pub mod config;
pub mod costs;
pub mod keys;
pub mod machine;
pub mod message;
pub mod plan;
pub mod rules;
pub mod settings;
pub mod spec;
pub mod words;
