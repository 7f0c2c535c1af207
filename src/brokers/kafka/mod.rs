//! Apache Kafka: `legacy` is 0.7, whose partitions live on one broker each.
//!
//! Here is what the generations of Kafka have in common: topics, their partitions, and how both
//! appear in the ledger.

pub mod legacy;
mod streams;

pub use streams::{Partition, PartitionId, Streams, TopicPlan};
