//! Broker families, and what several of them share. No family imports another.

pub mod activemq;
pub mod artemis;
pub mod coordination;
pub mod kafka;
pub mod kit;
pub mod rabbitmq;
pub mod rocketmq;
