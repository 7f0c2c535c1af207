//! mqsim: a deterministic simulator of message-queue high availability.

pub mod brokers;
pub mod cli;
pub mod engine;
pub mod observe;
pub mod report;
pub mod run;
pub mod scenario;
pub mod statistics;
pub mod verdict;
pub mod workload;
pub mod world;

/// The version and the build: `0.1.0+6f1d0c9a52b3`. Results of two builds may differ, so whatever goes
/// on from results that are there already compares this, not the version alone.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("MQSIM_BUILD"));
