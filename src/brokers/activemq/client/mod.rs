//! Clients: a [transport] to the brokers, and what a session does over it.

pub mod consumer;
pub mod producer;
pub mod transport;
