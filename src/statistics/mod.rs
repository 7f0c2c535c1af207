//! What many seeds prove, and what they do not. Pure functions of numbers; no I/O, no clock.
//!
//! The seed is the sampling unit: losses come in bursts, so the messages of one run are no
//! independent trials, but runs of different seeds are. Everything here takes one number a seed.
//!
//! * [`Bets`]: whether a mean of bounded values is beyond a limit, valid at every stop.
//! * [`share`]: the same for a share of seeds, and how many seeds it takes.
//! * [`quantile`]: quantiles over seeds, with intervals from order statistics.
//! * [`paired`]: what changed between two sides of the same seeds.
//! * [`binomial`]: the interval of Clopper and Pearson, for a number of seeds fixed beforehand.
//!
//! **Promise.** An *error* is the probability, over what the seeds draw, that a statement is wrong.
//! Nothing is assumed of how values are distributed but the range that is named; nothing is an
//! approximation for large samples. Only `+ − × ÷` and the engine's own logarithm and exponential
//! are used, so that every machine comes to the same verdict.

mod bets;
pub mod binomial;
pub mod paired;
pub mod quantile;
pub mod share;

pub use bets::{Bets, Side, mean_bound};

#[cfg(test)]
mod promises;
