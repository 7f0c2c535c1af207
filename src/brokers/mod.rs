//! Broker families. Each folder is one family; none imports another. `coordination` is what several
//! of them embed.

pub mod coordination;
pub mod rabbitmq;
