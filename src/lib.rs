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
