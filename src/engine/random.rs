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
/// (four little-endian words), nonce and block counter 0. A stream made by [`Stream::new`] takes
/// the key of the virtual second in which it is used: two runs that differ for a moment draw alike
/// again from the next whole second on, however much either had drawn. A stream made by
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::engine::Distribution;

    fn seconds(second: u64, nanos: u64) -> Time {
        Time::from_nanos(second * SECOND + nanos)
    }

    fn words(stream: &mut Stream, count: usize) -> Vec<u64> {
        (0..count).map(|_| stream.next_u64()).collect()
    }

    /// The words as the documentation of [`Stream`] defines them, by the generator of
    /// `rand_chacha`.
    fn written_down(seed: u64, name: &str, second: u64, count: usize) -> Vec<u64> {
        let hash = hash_name(name);
        let mut key = [0; 32];
        for (i, word) in
            [seed, hash, hash_words(&[hash, name.len() as u64]), second].into_iter().enumerate()
        {
            key[8 * i..8 * (i + 1)].copy_from_slice(&word.to_le_bytes());
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        (0..count).map(|_| generator.next_u64()).collect()
    }

    #[test]
    fn words_are_what_is_written_down() {
        let mut stream = Stream::new(42, "link n1>n2");
        assert_eq!(words(&mut stream, 100), written_down(42, "link n1>n2", 0, 100));
        let moved = words(stream.at(seconds(7, 3)), 100);
        assert_eq!(moved, written_down(42, "link n1>n2", 7, 100));
        let mut fixed = Stream::fixed(42, "faults");
        let fixed = words(fixed.at(seconds(7, 3)), 100);
        assert_eq!(fixed, written_down(42, "faults", u64::MAX, 100));
    }

    /// Another version of the generator or another platform would show here.
    #[test]
    fn draws_are_pinned() {
        let mut stream = Stream::new(1, "node n1");
        assert_eq!(
            words(&mut stream, 3),
            [3_405_190_376_342_936_954, 17_418_043_659_414_392_011, 430_604_707_320_293_378]
        );
        assert_eq!(
            words(stream.at(seconds(3, 0)), 2),
            [18_153_179_579_945_583_786, 13_767_749_880_303_301_727]
        );
        assert_eq!(
            words(&mut Stream::fixed(1, "faults"), 2),
            [3_971_366_517_096_337_638, 9_922_074_543_150_245_498]
        );
        assert_eq!(stream.digest(), 4_745_908_249_015_830_541);
    }

    proptest! {
        /// However much two copies drew before, from the next second on they draw alike.
        #[test]
        fn a_new_second_makes_streams_equal(
            seed in any::<u64>(),
            used in 0..200_usize,
            shaped in 0..50_usize,
            other in 0..200_usize,
            second in 1..1_000_000_u64,
            late in 0..SECOND,
        ) {
            let mut a = Stream::new(seed, "disk n1");
            let mut b = a.clone();
            words(&mut a, used);
            for _ in 0..shaped {
                a.exponential();
                a.normal();
            }
            words(b.at(seconds(0, late)), other);
            let late = |second| seconds(second, late);
            let (x, y) = (words(a.at(seconds(second, 0)), 90), words(b.at(late(second)), 90));
            prop_assert_eq!(x, y);
            let (x, y) = (a.at(seconds(second + 1, 0)).normal(), b.at(late(second + 1)).normal());
            prop_assert_eq!(x, y);
        }

        /// Going back to an earlier second, as a fork may, gives its draws again.
        #[test]
        fn a_second_has_its_draws(seed in any::<u64>(), second in 0..1_000_000_u64) {
            let mut stream = Stream::new(seed, "s");
            let first = words(stream.at(seconds(second, 5)), 40);
            let between = words(stream.at(seconds(second + 1, 0)), 40);
            prop_assert_eq!(&words(stream.at(seconds(second, 999_999_999)), 40), &first);
            prop_assert_ne!(first, between);
        }

        /// Whole words and shaped ones are drawn from one sequence of words.
        #[test]
        fn every_draw_takes_one_word(kinds in prop::collection::vec(0..3_u8, 1..150)) {
            let (mut stream, mut plain) = (Stream::new(9, "mixed"), Stream::new(9, "mixed"));
            for kind in kinds {
                let word = plain.next_u64();
                match kind {
                    0 => prop_assert_eq!(stream.next_u64(), word),
                    1 => prop_assert_eq!(stream.exponential(), math::exponential(word)),
                    _ => {
                        let exact = math::normal_quantile(math::unit(word));
                        prop_assert!((stream.normal() - exact).abs() < 2e-11);
                    }
                }
            }
            prop_assert_eq!(stream.digest(), plain.digest());
        }

        #[test]
        fn ranges_hold(low in any::<u64>(), high in any::<u64>(), n in 1..u64::MAX) {
            let (low, high) = (low.min(high), low.max(high));
            let mut stream = Stream::new(low ^ high, "ranges");
            for _ in 0..20 {
                prop_assert!((low..=high).contains(&stream.between(low, high)));
                prop_assert!(stream.below(n) < n);
            }
            prop_assert_eq!(stream.between(low, low), low);
            prop_assert_eq!(stream.below(0), 0);
        }
    }

    #[test]
    fn streams_of_other_names_and_seeds_are_independent() {
        let streams = [
            Stream::new(1, "link n1>n2"),
            Stream::new(1, "link n2>n1"),
            Stream::new(2, "link n1>n2"),
            Stream::new(1, "link n1>n22"),
            Stream::fixed(1, "link n1>n2"),
        ];
        for (i, a) in streams.iter().enumerate() {
            for b in &streams[..i] {
                let (mut a, mut b) = (a.clone(), b.clone());
                let equal: u32 =
                    (0..4_000).map(|_| (!(a.next_u64() ^ b.next_u64())).count_ones()).sum();
                // 128 000 expected, 253 the standard deviation.
                assert!(equal.abs_diff(128_000) < 1_300, "{equal} of 256 000 bits are equal");
            }
        }
    }

    #[test]
    fn a_fixed_stream_never_moves() {
        let mut stream = Stream::fixed(3, "faults");
        let mut whole = stream.clone();
        let mut drawn = words(stream.at(Time::ZERO), 20);
        drawn.extend(words(stream.at(seconds(5, 1)), 20));
        drawn.extend(words(stream.at(Time::MAX), 20));
        assert_eq!(drawn, words(&mut whole, 60));
    }

    #[test]
    fn the_digest_tells_what_was_drawn() {
        let digest = |draws: &[(u64, usize)]| {
            let mut stream = Stream::new(1, "d");
            for (second, count) in draws {
                words(stream.at(seconds(*second, 0)), *count);
            }
            stream.digest()
        };
        let all = [
            digest(&[]),
            digest(&[(0, 1)]),
            digest(&[(0, 32)]),
            digest(&[(0, 33)]),
            digest(&[(1, 1)]),
            digest(&[(0, 1), (1, 1)]),
            digest(&[(0, 2), (1, 1)]),
            Stream::new(2, "d").digest(),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(!all[..i].contains(a), "the digest of case {i} is that of another");
        }
        assert_eq!(digest(&[(0, 1), (0, 1)]), digest(&[(0, 2)]));
    }

    #[test]
    fn chances_are_kept() {
        let mut stream = Stream::new(5, "chance");
        let untouched = stream.digest();
        assert!(!stream.chance(Chance::NEVER) && stream.chance(Chance::ALWAYS));
        assert_eq!(stream.digest(), untouched);
        let tenth = Chance::from_billionths(100_000_000);
        let hits = (0..100_000).filter(|_| stream.chance(tenth)).count();
        assert!(hits.abs_diff(10_000) < 400, "{hits}");
        assert_eq!(Chance::from_billionths(0), Chance::NEVER);
        assert_eq!(Chance::from_billionths(1_000_000_000), Chance::ALWAYS);
        for parts in [0, 1, 1_000_000, 999_999_999, 1_000_000_000] {
            assert_eq!(Chance::from_billionths(parts).as_billionths(), parts);
        }
    }

    #[test]
    fn all_orders_are_as_likely() {
        let mut stream = Stream::new(6, "shuffle");
        let mut counts = [0_u32; 24];
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            stream.shuffle(&mut items);
            let rank = |i: usize| items[i + 1..].iter().filter(|item| **item < items[i]).count();
            counts[rank(0) * 6 + rank(1) * 2 + rank(2)] += 1;
        }
        // 23 degrees of freedom: above 50 once in a thousand seeds, and the seed is fixed.
        let chi: f64 = counts.iter().map(|n| (f64::from(*n) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi < 50.0, "{counts:?}");
    }

    #[test]
    fn a_sampled_stream_draws_as_a_counted_one() {
        let (mut sampled, mut counted) = (Stream::new(1, "x"), Stream::new(1, "x"));
        let shape = Distribution::lognormal(100, 400);
        for _ in 0..77 {
            shape.sample(&mut sampled);
            counted.next_u64();
        }
        assert_eq!(sampled.next_u64(), counted.next_u64());
    }
}
