//! Apache Kafka, in two generations: `legacy` is 0.6 and 0.7, whose partitions live on one broker
//! each; `isr` is 0.8 and later, with replication.
//!
//! Here is what the generations of Kafka have in common: topics, their partitions, and how both
//! appear in the ledger. They do not import each other.

pub mod isr;
pub mod legacy;
mod streams;

pub use streams::{Partition, PartitionId, Streams, TopicPlan};
