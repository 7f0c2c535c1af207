//! The fixed hash, and the fingerprint of a run that is made with it.
//!
//! The hash is written down here and nowhere else, so that a fingerprint printed by one build can
//! be compared with that of another. One step is a *fold-multiply*: the 128-bit product of two
//! 64-bit words, its high half xored onto its low half.
//!
//! ```text
//! mix(a, b)        = low(a × b) xor high(a × b)
//! step(state, x)   = mix(state xor x, 0x9e37_79b9_7f4a_7c15)
//! hash_words(w)    = step(... step(step(START, w[0]), w[1]) ..., length of w)
//! hash_name(s)     = hash_words of the bytes of s, eight to a little-endian word, the last padded
//!                    with zeros, followed by the length of s in bytes
//! ```

/// Where every hash starts: the fractional digits of π.
const START: u64 = 0x243f_6a88_85a3_08d3;
/// The multiplier of a step: 2^64 divided by the golden ratio, odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// Xored onto the second word of an event, further digits of π.
const EVENT: u64 = 0x1319_8a2e_0370_7344;
/// Spreads the time of an event over the word, further digits of π made odd.
const TIME: u64 = 0xa409_3822_299f_31d1;

#[inline(always)]
const fn mix(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
const fn step(state: u64, word: u64) -> u64 {
    mix(state ^ word, STEP)
}

/// Hash of a sequence of words; the length counts.
#[must_use]
pub const fn hash_words(words: &[u64]) -> u64 {
    let mut state = START;
    let mut at = 0;
    while at < words.len() {
        state = step(state, words[at]);
        at += 1;
    }
    step(state, words.len() as u64)
}

/// Hash of a name, the same on every machine and in every version.
#[must_use]
pub const fn hash_name(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut state = START;
    let mut word = 0;
    let mut at = 0;
    while at < bytes.len() {
        word |= (bytes[at] as u64) << (8 * (at % 8));
        at += 1;
        if at % 8 == 0 || at == bytes.len() {
            state = step(state, word);
            word = 0;
        }
    }
    step(step(state, bytes.len() as u64), bytes.len().div_ceil(8) as u64 + 1)
}

/// A part of what happens in a run that is hashed by itself.
///
/// An optimisation may change `Events`; the other four are behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ingredient {
    /// Acknowledgements, deliveries and fates, with their times.
    Outcomes,
    /// Changes of roles and of membership.
    Roles,
    /// Faults as they took effect.
    Faults,
    /// What the random streams were asked for.
    Draws,
    /// Every dispatch of the kernel.
    Events,
}

impl Ingredient {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Ingredient; 5] = [
        Ingredient::Outcomes,
        Ingredient::Roles,
        Ingredient::Faults,
        Ingredient::Draws,
        Ingredient::Events,
    ];

    /// The name that reports print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Ingredient::Outcomes => "outcomes",
            Ingredient::Roles => "roles",
            Ingredient::Faults => "faults",
            Ingredient::Draws => "draws",
            Ingredient::Events => "events",
        }
    }
}

/// A running hash of a run, one state an ingredient.
///
/// Two runs with equal fingerprints did the same in the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    states: [u64; 5],
}

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint::new()
    }
}

impl Fingerprint {
    /// The fingerprint of a run in which nothing has happened yet.
    #[must_use]
    pub const fn new() -> Fingerprint {
        Fingerprint { states: [START; 5] }
    }

    /// Adds one word to an ingredient. Order counts.
    #[inline(always)]
    pub fn fold(&mut self, ingredient: Ingredient, word: u64) {
        let state = &mut self.states[ingredient as usize];
        *state = step(*state, word);
    }

    /// Adds a dispatched event to [`Ingredient::Events`] in one fold-multiply:
    /// `mix(state xor (time × TIME) xor words[0], words[1] xor EVENT)`.
    #[inline(always)]
    pub(super) fn fold_event(&mut self, nanos: u64, words: [u64; 2]) {
        let state = &mut self.states[Ingredient::Events as usize];
        *state = mix(*state ^ nanos.wrapping_mul(TIME) ^ words[0], words[1] ^ EVENT);
    }

    /// The hash of one ingredient so far.
    #[must_use]
    pub const fn ingredient(&self, ingredient: Ingredient) -> u64 {
        self.states[ingredient as usize]
    }

    /// All ingredients with their names, in printing order.
    #[must_use]
    pub fn ingredients(&self) -> [(&'static str, u64); 5] {
        Ingredient::ALL.map(|i| (i.name(), self.ingredient(i)))
    }

    /// The hash of all five ingredients.
    #[must_use]
    pub const fn total(&self) -> u64 {
        hash_words(&self.states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash as the head of this file writes it, in plain arithmetic.
    fn written_down(words: &[u64]) -> u64 {
        let mut state = 0x243f_6a88_85a3_08d3_u64;
        for word in words.iter().copied().chain([words.len() as u64]) {
            let product = u128::from(state ^ word) * 0x9e37_79b9_7f4a_7c15;
            state = (product % (1 << 64)) as u64 ^ (product / (1 << 64)) as u64;
        }
        state
    }

    #[test]
    fn the_hash_is_what_is_written_down() {
        for words in [&[][..], &[0], &[0, 0], &[1, 2, 3], &[u64::MAX; 9]] {
            assert_eq!(hash_words(words), written_down(words), "{words:?}");
        }
        let word = |text: &[u8; 8]| u64::from_le_bytes(*text);
        assert_eq!(hash_name(""), written_down(&[0]));
        assert_eq!(hash_name("n1"), written_down(&[word(b"n1\0\0\0\0\0\0"), 2]));
        assert_eq!(hash_name("link n1>"), written_down(&[word(b"link n1>"), 8]));
        let long = [word(b"link n1>"), word(b"n2\0\0\0\0\0\0"), 10];
        assert_eq!(hash_name("link n1>n2"), written_down(&long));
    }

    #[test]
    fn the_hash_is_pinned() {
        assert_eq!(hash_words(&[]), 16_250_260_098_581_018_180);
        assert_eq!(hash_words(&[1, 2, 3]), 16_348_002_676_292_682_409);
        assert_eq!(hash_name("link n1>n2"), 9_855_882_712_955_915_998);
    }

    #[test]
    fn names_that_look_alike_differ() {
        let names = ["", "n", "n1", "n2", "n1 ", "n1\0", "disk n1", "disk n2", "link n1>n2"];
        for (i, a) in names.iter().enumerate() {
            for b in &names[..i] {
                assert_ne!(hash_name(a), hash_name(b), "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn one_bit_changes_about_half_of_the_hash() {
        let mut changed = 0;
        for bit in 0..64 {
            changed += (hash_words(&[5, 1 << bit, 9]) ^ hash_words(&[5, 0, 9])).count_ones();
        }
        assert!((28 * 64..36 * 64).contains(&changed), "{changed} of 4096 bits");
    }

    #[test]
    fn an_ingredient_is_by_itself() {
        let empty = Fingerprint::default();
        for ingredient in Ingredient::ALL {
            let mut fingerprint = empty.clone();
            fingerprint.fold(ingredient, 1);
            for other in Ingredient::ALL {
                let same = fingerprint.ingredient(other) == empty.ingredient(other);
                assert_eq!(same, other != ingredient, "{ingredient:?} {other:?}");
            }
            assert_ne!(fingerprint.total(), empty.total());
        }
        let names = empty.ingredients().map(|(name, _)| name);
        assert_eq!(names, ["outcomes", "roles", "faults", "draws", "events"]);
    }

    #[test]
    fn order_and_number_count() {
        let folded = |words: &[u64]| {
            let mut fingerprint = Fingerprint::new();
            for word in words {
                fingerprint.fold(Ingredient::Outcomes, *word);
            }
            fingerprint.total()
        };
        let all = [folded(&[]), folded(&[0]), folded(&[0, 0]), folded(&[1, 2]), folded(&[2, 1])];
        for (i, a) in all.iter().enumerate() {
            assert!(!all[..i].contains(a));
        }
    }

    #[test]
    fn time_and_both_words_of_an_event_count() {
        let folded = |nanos, words| {
            let mut fingerprint = Fingerprint::new();
            fingerprint.fold_event(nanos, words);
            fingerprint.ingredient(Ingredient::Events)
        };
        assert_eq!(folded(1, [2, 3]), 1_368_873_412_980_757_784);
        let all = [folded(1, [2, 3]), folded(2, [1, 3]), folded(1, [3, 2]), folded(0, [3, 3])];
        for (i, a) in all.iter().enumerate() {
            assert!(!all[..i].contains(a));
        }
    }
}
