//! The ledger: what became of every message; availability windows, metrics, expectations.

mod bounds;
mod clients;
mod effects;
mod expect;
mod fates;
mod finish;
mod history;
mod latency;
mod ledger;
mod lines;
mod losses;
#[cfg(test)]
mod memory;
mod metrics;
mod naming;
mod options;
mod outages;
#[cfg(test)]
mod properties;
mod report;
mod reports;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod rules_of_time;
mod seeds;
#[cfg(test)]
mod stories;
mod timeline;
mod visible;
mod windows;

pub use clients::contact_state_name;
pub use expect::{EXPECT, Expectations, Question};
pub use history::{ACTIONS, NODE_STATES, node_state_name};
pub use latency::PERCENTILES;
pub use ledger::Ledger;
pub use metrics::{Better, METRICS, Metric, Number, Unit, metric};
pub use options::{LedgerOptions, RunFacts};
pub use report::*;
pub use seeds::{OVER_SEEDS, OverSeeds, Told, Trial, situations};
