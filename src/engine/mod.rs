//! The kernel: virtual time, the event queue, random streams and the fingerprint of a run.
//!
//! No messaging word occurs here.

mod time;

pub use time::{Span, Time};
