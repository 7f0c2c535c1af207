//! AMQP clients: producers and consumers as applications write them.

mod consumer;
mod link;
mod producer;

pub use consumer::{Consumer, ConsumerConfig};
pub use link::LinkConfig;
pub use producer::{Producer, ProducerConfig};
