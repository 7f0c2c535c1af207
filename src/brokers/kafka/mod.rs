//! Apache Kafka, in two generations: `legacy` is 0.6 and 0.7, whose partitions live on one broker
//! each; `isr` is 0.8 and later, with replication.
//!
//! The generations have topics, their partitions and how both appear in the ledger in common
//! ([`Streams`]). They do not import each other.

pub mod isr;
pub mod legacy;

pub use super::kit::streams::{CONTROL, Partition, PartitionId, Streams, TopicPlan};
