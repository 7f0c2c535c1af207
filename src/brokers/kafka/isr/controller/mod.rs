//! Who decides who leads.
//!
//! | file | what |
//! | --- | --- |
//! | `image.rs` | brokers and partitions, as the metadata log makes them |
//! | `change.rs` | the next state of a partition: elections, ISR, ELR (PartitionChangeBuilder) |
//! | `kraft.rs` | a controller of the quorum (QuorumController, ReplicationControlManager) |
//! | `zookeeper/` | the controller among the brokers, with ZooKeeper (KafkaController) |

mod change;
mod image;
mod kraft;
mod zookeeper;

pub use change::{Change, Standing, elect, next_state};
pub use image::{Image, Registration};
pub use kraft::Controller;
pub use zookeeper::{Asker, Brokers, Why, ZooKeeperController, decide, imbalanced};
