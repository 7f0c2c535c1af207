//! The fixed hash, and the fingerprint of a run that is made with it.
//!
//! The hash is written down here and nowhere else, so that a fingerprint printed by one build can be
//! compared with that of another. One step is a *fold-multiply*: the 128-bit product of two 64-bit
//! words, its high half xored onto its low half.
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
