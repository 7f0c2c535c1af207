//! Who decides who leads.
//!
//! | file | what |
//! | --- | --- |
//! | `image.rs` | brokers and partitions, as the metadata log makes them |
//! | `change.rs` | the next state of a partition: elections, ISR, ELR (PartitionChangeBuilder) |
//! | `kraft.rs` | a controller of the quorum (QuorumController, ReplicationControlManager) |

mod change;
mod image;
mod kraft;

pub use change::{Change, Standing, elect, next_state};
pub use image::{Image, Registration};
pub use kraft::Controller;
