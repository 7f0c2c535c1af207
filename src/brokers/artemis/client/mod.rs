//! Clients of the Core protocol (`artemis-core-client`, `artemis-jms-client`).

pub mod connection;
pub mod consumer;
pub mod producer;
