//! AMQP clients: producers and consumers as applications write them.

mod consumer;
mod link;
mod producer;

pub use consumer::{Consumer, ConsumerConfig, Reject};
pub use link::{CONSUMER_STEPS, ConnectOrder, LinkConfig, PRODUCER_STEPS};
pub use producer::{Producer, ProducerConfig};
