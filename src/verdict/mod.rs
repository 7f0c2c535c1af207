//! The ledger: what became of every message; availability windows, metrics, expectations.

mod report;

pub use report::*;
