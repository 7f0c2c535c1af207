//! How large messages are.

use crate::engine::{Distribution, Stream};

/// The greatest size of a message: 128 MiB.
pub const MOST_BYTES: u64 = 128 << 20;

/// The payload sizes of one producer's messages, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes(Distribution);

impl Sizes {
    /// Sizes of this distribution, cut to [`MOST_BYTES`].
    #[must_use]
    pub fn new(distribution: Distribution) -> Sizes {
        Sizes(distribution)
    }

    /// The size of the next message, at most [`MOST_BYTES`]. A fixed size draws nothing.
    pub fn next(&self, stream: &mut Stream) -> u32 {
        self.0.sample(stream).min(MOST_BYTES) as u32
    }

    /// The size of every message, if all have the same.
    #[must_use]
    pub fn fixed(&self) -> Option<u32> {
        match self.0 {
            Distribution::Constant(bytes) => Some(bytes.min(MOST_BYTES) as u32),
            _ => None,
        }
    }

    /// The mean size, rounded.
    #[must_use]
    pub fn mean(&self) -> u64 {
        self.0.mean().min(MOST_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_size_draws_nothing() {
        let mut stream = Stream::fixed(1, "sizes");
        let before = stream.digest();
        let sizes = Sizes::new(Distribution::Constant(1024));
        assert_eq!(
            (sizes.next(&mut stream), sizes.fixed(), sizes.mean()),
            (1024, Some(1024), 1024)
        );
        assert_eq!(stream.digest(), before);
    }

    #[test]
    fn sizes_stay_below_the_limit() {
        let mut stream = Stream::fixed(1, "sizes");
        let sizes = Sizes::new(Distribution::lognormal(64 << 20, 1 << 40));
        let drawn: Vec<u32> = (0..1000).map(|_| sizes.next(&mut stream)).collect();
        assert!(drawn.iter().all(|size| u64::from(*size) <= MOST_BYTES));
        assert!(drawn.contains(&(MOST_BYTES as u32)), "the tail is cut, not dropped");
        assert!(drawn.iter().any(|size| *size < 64 << 20));
        assert_eq!(sizes.fixed(), None);
    }
}
