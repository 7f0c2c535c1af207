//! What makes several nodes one cluster: Mnesia's tables and transactions, and the node monitor with
//! what it does about partitions.

pub mod autoheal;
mod forget;
mod members;
pub mod mnesia;
pub(super) mod monitor;
mod partial;
mod transaction;
