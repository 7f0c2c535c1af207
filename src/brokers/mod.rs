//! Broker families. Each folder is one family; none imports another.

pub mod rabbitmq;
