//! RabbitMQ 3.10: single node, classic cluster, mirrored classic queues.

pub mod arguments;
pub mod broker;
pub mod client;
pub mod config;
pub mod costs;
pub mod keys;
pub mod letters;
pub mod machine;
pub mod message;
pub mod mirroring;
pub mod plan;
pub mod rules;
pub mod settings;
pub mod spec;
pub mod words;
