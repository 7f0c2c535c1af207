//! The applications behind the clients of every family: one that [sends](Sending), one that
//! [reads](Reading), and the [threads](Crew) of one that works on several things at a time. A client library does what it does between them and the brokers.

mod crew;
mod reading;
mod sending;

pub use crew::Crew;
pub use reading::{Hours, Reading};
pub use sending::{Due, Sending};
