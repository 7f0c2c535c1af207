//! Random streams: one independent, named source of randomness a purpose.

use rand::SeedableRng;
use rand_chacha::ChaCha8Core;
use rand_chacha::rand_core::block::Generator;

use super::fingerprint::{hash_name, hash_words};
use super::{Time, math};

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

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// Words of a block: what one call of the generator yields.
const BLOCK: usize = 32;
/// Words that are shaped (made into exponential or normal variables) at a time.
const GROUP: usize = 8;
/// No group is shaped.
const UNSHAPED: u32 = u32::MAX;

/// A random stream, keyed by (root seed, stable name). A clone draws alike.
///
/// The words of a stream are those of ChaCha8 under the key
/// `seed, hash_name(name), hash_words([hash_name(name), length of name]), second`
/// (four little-endian words), nonce and block counter 0. A stream made by [`Stream::new`] takes the
/// key of the virtual second in which it is used: two runs that differ for a moment draw alike again
/// from the next whole second on, however much either had drawn. A stream made by
/// [`Stream::fixed`] has the second 2^64 − 1 and is never re-positioned.
#[derive(Clone, Debug)]
pub struct Stream {
    generator: ChaCha8Core,
    words: [u64; BLOCK],
    /// The group last shaped, as exponential or normal variables.
    shaped: [f64; GROUP],
    /// Which group is in `shaped` and how: twice its number, plus 1 for normal; or `UNSHAPED`.
    shape: u32,
    /// The next word to draw; `BLOCK` if the block is used up.
    next: u32,
    /// Start of the time for which the stream is positioned.
    start: u64,
    /// Length of that time less a nanosecond.
    length: u64,
    /// Blocks generated for this time.
    blocks: u64,
    key: [u64; 3],
    /// Hash of the draws before this time and of the blocks in it.
    history: u64,
}

impl Stream {
    /// A stream that [`at`](Self::at) re-positions at every whole virtual second.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Stream {
        Stream::keyed(seed, name, 0, SECOND - 1)
    }

    /// A stream that is never re-positioned, for what is drawn before the run starts.
    #[must_use]
    pub fn fixed(seed: u64, name: &str) -> Stream {
        Stream::keyed(seed, name, u64::MAX, u64::MAX)
    }

    fn keyed(seed: u64, name: &str, second: u64, length: u64) -> Stream {
        let hash = hash_name(name);
        let key = [seed, hash, hash_words(&[hash, name.len() as u64])];
        Stream {
            generator: generator(key, second),
            words: [0; BLOCK],
            shaped: [0.0; GROUP],
            shape: UNSHAPED,
            next: BLOCK as u32,
            start: 0,
            length,
            blocks: 0,
            key,
            history: hash_words(&key),
        }
    }

    /// The stream, ready for draws at `now`: re-positioned if `now` lies in another whole second
    /// than the last draws. Cheap if it does not.
    #[inline(always)]
    pub fn at(&mut self, now: Time) -> &mut Stream {
        if now.as_nanos().wrapping_sub(self.start) > self.length {
            self.move_to(now.as_secs());
        }
        self
    }

    #[inline(never)]
    fn move_to(&mut self, second: u64) {
        self.history = self.digest();
        self.generator = generator(self.key, second);
        self.start = second * SECOND;
        self.blocks = 0;
        self.next = BLOCK as u32;
        self.shape = UNSHAPED;
    }

    #[inline(never)]
    fn refill(&mut self) {
        let mut halves = [0; 2 * BLOCK];
        self.generator.generate(&mut halves);
        for (word, half) in self.words.iter_mut().zip(halves.as_chunks::<2>().0) {
            *word = u64::from(half[0]) | u64::from(half[1]) << 32;
        }
        self.history = hash_words(&[self.history, self.words[0], self.words[BLOCK - 1]]);
        self.blocks += 1;
        self.next = 0;
        self.shape = UNSHAPED;
    }

    /// The next 64 random bits.
    #[inline(always)]
    pub fn next_u64(&mut self) -> u64 {
        if self.next as usize >= BLOCK {
            self.refill();
        }
        let word = self.words[self.next as usize % BLOCK];
        self.next += 1;
        word
    }

    /// An exponential variable of mean 1 from the next word.
    #[inline(always)]
    pub(super) fn exponential(&mut self) -> f64 {
        self.shaped::<false>()
    }

    /// A standard normal variable from the next word.
    #[inline(always)]
    pub(super) fn normal(&mut self) -> f64 {
        self.shaped::<true>()
    }

    /// The next word, shaped. Words are shaped a group at a time, as vector code.
    #[inline(always)]
    fn shaped<const NORMAL: bool>(&mut self) -> f64 {
        let shape = self.next / GROUP as u32 * 2 + u32::from(NORMAL);
        if shape != self.shape {
            self.shape_group::<NORMAL>();
        }
        let value = self.shaped[self.next as usize % GROUP];
        self.next += 1;
        value
    }

    #[inline(never)]
    fn shape_group<const NORMAL: bool>(&mut self) {
        if self.next as usize >= BLOCK {
            self.refill();
        }
        let group = self.next as usize % BLOCK / GROUP;
        let words = &self.words.as_chunks::<GROUP>().0[group];
        if NORMAL {
            math::normals(words, &mut self.shaped);
        } else {
            for (value, word) in self.shaped.iter_mut().zip(words) {
                *value = math::exponential(*word);
            }
        }
        self.shape = group as u32 * 2 + u32::from(NORMAL);
    }

    /// A whole number from 0 to `n - 1`; 0 if `n` is 0.
    ///
    /// The high word of the product of `n` and 64 random bits: no value is likelier than another by
    /// more than one part in 2^64 ÷ n, and every call takes exactly one word.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A whole number from `low` to `high`, both included.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high, "between {low} and {high}");
        match high.saturating_sub(low).checked_add(1) {
            Some(n) => low + self.below(n),
            None => self.next_u64(),
        }
    }

    /// Whether something of this probability happens.
    #[inline]
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

    /// A hash of all that was drawn so far: of the key, of how many words were drawn in which
    /// second, and of some words of every block.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let unused = BLOCK as u64 - u64::from(self.next);
        hash_words(&[self.history, self.start, self.blocks * BLOCK as u64 - unused])
    }
}

fn generator(key: [u64; 3], second: u64) -> ChaCha8Core {
    let mut seed = [0; 32];
    let words = [key[0], key[1], key[2], second];
    for (bytes, word) in seed.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    ChaCha8Core::from_seed(seed)
}
