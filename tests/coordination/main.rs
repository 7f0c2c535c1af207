//! What families agree by, each in a family of its own: Kafka's metadata quorum and ZooKeeper.

mod raft;
mod zookeeper;
