//! What makes several nodes one cluster: Mnesia's tables and transactions, or Khepri's log, and the node monitor with
//! what it does about partitions.

pub mod autoheal;
mod forget;
pub(super) mod khepri;
mod members;
pub mod mnesia;
pub(super) mod monitor;
mod partial;
mod transaction;
