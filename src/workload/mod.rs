//! What clients are asked to do: when to send, how much, and how long to work on what arrives.
//!
//! Everything here is plain data made from a checked scenario, and drawn from streams that the
//! caller hands in. Intended send times and sizes should be drawn from fixed streams of their own
//! ([`crate::engine::Stream::fixed`], one a producer and purpose): they then depend on the
//! scenario and the seed alone, never on what became of earlier messages.

mod arrivals;
mod load;
mod pacing;
mod sizes;
mod volume;

pub use arrivals::{Arrivals, Profile, Step};
pub use load::{CONSUMER_KEYS, ConsumerLoad, Load, PRODUCER_KEYS, Pace};
pub use pacing::{Pacer, Turn};
pub use sizes::{MOST_BYTES, Sizes};
pub use volume::{MOST_MESSAGES, Volume, check_volume};
