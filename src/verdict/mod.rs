//! The ledger: what became of every message; availability windows, metrics, expectations.

mod fates;
mod finish;
mod history;
mod latency;
mod ledger;
mod lines;
mod losses;
#[cfg(test)]
mod memory;
mod options;
mod report;
#[cfg(test)]
mod stories;
mod timeline;
mod windows;

pub use history::node_state_name;
pub use latency::PERCENTILES;
pub use ledger::Ledger;
pub use options::{LedgerOptions, RunFacts};
pub use report::*;
