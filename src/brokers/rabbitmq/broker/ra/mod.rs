//! Raft as RabbitMQ's quorum queues run it: Ra 2.0 to 3.1 (rabbitmq/ra), with the failure detector
//! aten and one write-ahead log a node.
//!
//! | in Ra | here |
//! | --- | --- |
//! | ra_server | [`server`]: the state of one member, without clocks, disks or mailboxes |
//! | its `cluster` | [`cluster`] |
//! | ra_log | [`log`] |
//! | ra_log_wal | [`wal`] |
//! | aten_detector | [`detector`] |
//!
//! The process of a member, ra_server_proc, is `quorum/member.rs`: it belongs to its queue.
//!
//! Why Kafka's metadata quorum has another Raft: there followers fetch, in their own rhythm, and
//! leaders resign when nobody does; here leaders push, followers have no election timer while they
//! hear nothing bad of their leader, and leaders stay what they are until they hear of a later
//! term. Logs differ too: batches with offsets in a file of the quorum's own, and entries in a file
//! that all groups of a node share. What is alike, the majority, is one line in each.

pub mod cluster;
pub mod detector;
pub mod log;
pub mod server;
pub mod wal;
