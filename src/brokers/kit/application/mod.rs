//! The applications behind the clients of every family: one that [sends](Sending) and one that
//! [reads](Reading). A client library does what it does between them and the brokers.

mod reading;
mod sending;

pub use reading::{Hours, Reading};
pub use sending::{Due, Sending};
