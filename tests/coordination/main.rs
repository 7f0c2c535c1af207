//! What families agree by, each in a family of its own: Kafka's metadata quorum and ZooKeeper.

#[path = "../golden/mod.rs"]
mod golden;
mod raft;
mod zookeeper;
