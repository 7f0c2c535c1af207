//! What several broker families coordinate themselves with. It knows none of them.

mod carry;
pub mod raft;
pub mod zookeeper;

pub use carry::Carry;
