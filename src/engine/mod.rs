//! The kernel: virtual time, the event queue, random streams and the fingerprint of a run.
//!
//! No messaging word occurs here.

mod distribution;
mod fingerprint;
mod kernel;
mod math;
mod queue;
mod random;
mod slab;
mod time;

pub use distribution::{Distribution, LogNormal};
pub use fingerprint::{Fingerprint, Ingredient, hash_name, hash_words};
pub use kernel::{Event, Kernel, Limits, Runaway, RunawayKind};
pub use math::{exp, ln, normal_quantile};
pub use queue::EventQueue;
pub use random::{Chance, Stream};
pub use slab::{Slab, TimerKey, TimerSlab};
pub use time::{Span, Time};
