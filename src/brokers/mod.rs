//! Broker families. Each folder is one family; none imports another. `coordination` is what
//! several of them share; it knows none of them.

pub mod coordination;
pub mod rabbitmq;
