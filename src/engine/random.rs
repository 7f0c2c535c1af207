//! Random streams: one independent, named source of randomness a purpose.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Time;
use super::fingerprint::{hash_name, hash_words};

/// A probability in parts of 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u64);

impl Chance {
    /// It never happens. Nothing is drawn for it.
    pub const NEVER: Chance = Chance(0);
    /// It always happens. Nothing is drawn for it.
    pub const ALWAYS: Chance = Chance(u64::MAX);

    /// `parts` of 10^9; more than 10^9 is [`Chance::ALWAYS`].
    #[must_use]
    pub const fn from_billionths(parts: u64) -> Chance {
        if parts >= 1_000_000_000 {
            return Chance::ALWAYS;
        }
        Chance((((parts as u128) << 64) / 1_000_000_000) as u64)
    }
    /// The chance in parts of 10^9, rounded to the nearest.
    #[must_use]
    pub const fn as_billionths(self) -> u64 {
        ((self.0 as u128 * 1_000_000_000 + (1 << 63)) >> 64) as u64
    }
}

const SECOND: u64 = 1_000_000_000;

/// A random stream, keyed by (root seed, stable name). A clone draws alike.
#[derive(Clone, Debug)]
pub struct Stream {
    source: ChaCha8Rng,
    start: u64,
    last: u64,
    drawn: u64,
    history: u64,
}

impl Stream {
    /// A stream that [`at`](Self::at) re-positions at every whole virtual second.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Stream {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&hash_name(name).to_le_bytes());
        key[16..24].copy_from_slice(&hash_words(&[hash_name(name), seed]).to_le_bytes());
        key[24..].copy_from_slice(b"mqsim-01");
        let source = ChaCha8Rng::from_seed(key);
        Stream { source, start: 0, last: SECOND - 1, drawn: 0, history: 0 }
    }
    /// A stream that is never re-positioned.
    #[must_use]
    pub fn fixed(seed: u64, name: &str) -> Stream {
        Stream { last: u64::MAX, ..Stream::new(seed, name) }
    }
    /// The stream, ready for draws at `now`.
    pub fn at(&mut self, now: Time) -> &mut Stream {
        if now.as_nanos().wrapping_sub(self.start) > self.last {
            self.history = hash_words(&[self.history, self.start, self.drawn]);
            self.drawn = 0;
            self.start = now.as_secs() * SECOND;
            self.source.set_word_pos(u128::from(now.as_secs()) << 32);
        }
        self
    }
    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.drawn += 1;
        self.source.next_u64()
    }
    /// A whole number from 0 to `n - 1`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        (u128::from(self.next_u64()) * u128::from(n) >> 64) as u64
    }
    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high, "between {low} and {high}");
        match (high - low).checked_add(1) {
            Some(n) => low + self.below(n),
            None => self.next_u64(),
        }
    }
    /// Whether something of this probability happens.
    pub fn chance(&mut self, chance: Chance) -> bool {
        match chance {
            Chance::NEVER => false,
            Chance::ALWAYS => true,
            Chance(parts) => self.next_u64() < parts,
        }
    }
    /// Puts the items into a random order, each order being as likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
    /// A hash of all that was drawn so far.
    #[must_use]
    pub fn digest(&self) -> u64 {
        hash_words(&[self.history, self.start, self.drawn])
    }
}
