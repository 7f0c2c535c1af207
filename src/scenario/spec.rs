//! The one definition of a scenario key: its name, type, range, default, meaning and source.
//!
//! The parser, the defaults, `mqsim list` and the documentation are all made from these tables.

use crate::engine::Span;

/// One key of a section or table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeySpec {
    /// The key as written in the file. A dot in it (`min.insync.replicas`) may be written with
    /// or without quotes.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// What holds if the key is not written.
    pub default: Preset,
    /// What it does, in one or two sentences.
    pub meaning: &'static str,
    /// Where its meaning or default is taken from (a document, a source file); empty for
    /// mqsim's own keys.
    pub source: &'static str,
    /// The first `broker-version` that has the key.
    pub since: Option<&'static str>,
    /// The first `broker-version` that no longer has it.
    pub until: Option<&'static str>,
}

impl KeySpec {
    /// A key of mqsim's own, known in every version.
    #[must_use]
    pub const fn new(
        name: &'static str,
        kind: Kind,
        default: Preset,
        meaning: &'static str,
    ) -> KeySpec {
        KeySpec { name, kind, default, meaning, source: "", since: None, until: None }
    }

    /// The same key with the place its meaning or default is taken from.
    #[must_use]
    pub const fn source(mut self, source: &'static str) -> KeySpec {
        self.source = source;
        self
    }

    /// The same key, which exists from `version` on.
    #[must_use]
    pub const fn since(mut self, version: &'static str) -> KeySpec {
        self.since = Some(version);
        self
    }

    /// The same key, which no longer exists in `version`.
    #[must_use]
    pub const fn until(mut self, version: &'static str) -> KeySpec {
        self.until = Some(version);
        self
    }
}

/// What holds if a key is not written. Values are spelt as on the command line after `--set
/// key=`: TOML if it reads as TOML, else the text itself (`Is("250ms")`, `Is("true")`). The same
/// parser reads them that reads the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Preset {
    /// The key must be written.
    Required,
    /// There is then no value.
    Absent,
    /// This value.
    Is(&'static str),
    /// By `broker-version`: the value of the last pair (first version, value) that is not later
    /// than it. The pairs ascend; the first also holds for everything earlier.
    ByVersion(&'static [(&'static str, &'static str)]),
}

/// What a value looks like. Ranges are inclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer {
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
    /// A whole number that may be negative.
    Signed {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// A length of time: `"250ms"`.
    Duration {
        /// The shortest.
        min: Span,
        /// The longest.
        max: Span,
    },
    /// A length of time as a `Duration`, or a whole number of milliseconds, as the broker's own
    /// configuration writes it (`linger.ms = 5`). Its value is that of a `Duration`.
    Millis {
        /// The shortest.
        min: Span,
        /// The longest.
        max: Span,
    },
    /// A length of time in either direction: `"-5s"`, given in ns; at most [`LONGEST`] each way.
    Shift,
    /// How much faster than it should a clock runs: `"200ppm"`, `"-1%"`, given in parts of a
    /// billion; at most a half each way.
    Drift,
    /// Events a second, minute or hour: `"5k/s"`.
    Rate,
    /// Bytes: `"1KiB"`, or a whole number.
    Size {
        /// The least number of bytes.
        min: u64,
        /// The greatest number of bytes.
        max: u64,
    },
    /// Bytes or bits a second: `"125MB/s"`, `"1Gbit/s"`, or `"unlimited"` (given as 0).
    Bandwidth,
    /// A probability: `"0.1%"` or `0.001`.
    Chance,
    /// Any text.
    Text,
    /// A name: 1 to 64 of `A-Z a-z 0-9 . _ -`, with no leading dot. In a repeated section the
    /// key `name` must differ in each.
    Name,
    /// A list of names, or one name.
    Names,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words, or one.
    Choices(&'static [&'static str]),
    /// A constant, or a table `{ distribution = "lognormal", median = .., p99 = .. }`.
    Distribution {
        /// What is distributed.
        unit: Unit,
        /// The least constant, low end, mean or median, in ns or bytes.
        min: u64,
        /// The greatest constant, high end, mean, median or 99th percentile, in ns or bytes.
        max: u64,
    },
    /// What a fault or query is aimed at: `n2`, `leader(orders)`, `n1,n2`.
    Selector,
    /// A list of selectors, or one.
    SelectorList,
    /// A broker version: `"3.10"`, `"0.8.2.2"`.
    Version,
    /// Seeds: `"1..=20"` (both ends included), or one whole number.
    Seeds,
    /// A table with these keys.
    Table(&'static [KeySpec]),
    /// A list of tables with these keys.
    Tables(&'static [KeySpec]),
    /// A table of which one key decides which others there are.
    Tagged(&'static Tagged),
    /// One of several kinds.
    Either(&'static [Kind]),
}

impl Kind {
    /// A whole number of any size.
    pub const ANY_INTEGER: Kind = Kind::Integer { min: 0, max: u64::MAX };
    /// A duration of any length from zero to 1000 hours.
    pub const ANY_DURATION: Kind = Kind::Duration { min: Span::ZERO, max: LONGEST };
    /// [`Kind::Millis`] of any length.
    pub const ANY_MILLIS: Kind = Kind::Millis { min: Span::ZERO, max: LONGEST };
    /// [`Kind::Millis`] of some length.
    pub const POSITIVE_MILLIS: Kind = Kind::Millis { min: Span::from_nanos(1), max: LONGEST };
    /// A duration from 1 ns to 1000 hours.
    pub const POSITIVE_DURATION: Kind = Kind::Duration { min: Span::from_nanos(1), max: LONGEST };
    /// A number of bytes from zero to 1 PiB.
    pub const ANY_SIZE: Kind = Kind::Size { min: 0, max: 1 << 50 };
    /// A distribution of durations from zero to 1000 hours.
    pub const DURATIONS: Kind =
        Kind::Distribution { unit: Unit::Duration, min: 0, max: LONGEST.as_nanos() };
}

/// The longest duration that a scenario may name: 1000 hours.
pub const LONGEST: Span = Span::from_secs(1000 * 3600);

/// The unit of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, written as durations.
    Duration,
    /// Bytes, written as sizes.
    Size,
}

/// A table of which one key (the tag) decides which other keys there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tagged {
    /// The key that decides; required.
    pub tag: &'static str,
    /// What the tag says, in a few words.
    pub meaning: &'static str,
    /// The values of the tag with their keys.
    pub variants: &'static [Variant],
}

/// One value of a tag and the keys that come with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variant {
    /// The tag's value.
    pub name: &'static str,
    /// What it stands for.
    pub meaning: &'static str,
    /// The keys that only this variant has.
    pub keys: &'static [KeySpec],
}

/// One section of the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SectionSpec {
    /// The section's path: `cluster`, `cluster.network`, `producer`; empty for the top level.
    pub path: &'static str,
    /// Whether it is written `[[path]]`, any number of times up to [`MOST_ITEMS`].
    pub repeated: bool,
    /// Whether it may be left out although it has required keys. Repeated sections always may.
    pub optional: bool,
    /// Its keys, in groups that several sections may share.
    pub keys: &'static [&'static [KeySpec]],
    /// Further keys that depend on one of its keys (`kind` of a fault).
    pub tagged: Option<&'static Tagged>,
    /// What the section is, in one or two sentences.
    pub meaning: &'static str,
}

/// How many times a repeated section may occur, and the greatest length of any list:
/// 10,000 producers, queues, faults and so on each.
pub const MOST_ITEMS: usize = 10_000;

impl SectionSpec {
    /// A section that is written once, `[path]`.
    #[must_use]
    pub const fn single(
        path: &'static str,
        keys: &'static [&'static [KeySpec]],
        meaning: &'static str,
    ) -> SectionSpec {
        SectionSpec { path, repeated: false, optional: false, keys, tagged: None, meaning }
    }

    /// A section that is written any number of times, `[[path]]`.
    #[must_use]
    pub const fn repeated(
        path: &'static str,
        keys: &'static [&'static [KeySpec]],
        meaning: &'static str,
    ) -> SectionSpec {
        SectionSpec { path, repeated: true, optional: false, keys, tagged: None, meaning }
    }

    /// The same section, which may be left out although it has required keys.
    #[must_use]
    pub const fn optional(mut self) -> SectionSpec {
        self.optional = true;
        self
    }

    /// The same section with further keys that depend on one of its keys.
    #[must_use]
    pub const fn tagged(mut self, tagged: &'static Tagged) -> SectionSpec {
        self.tagged = Some(tagged);
        self
    }

    /// All keys that do not depend on a tag.
    pub fn common_keys(&self) -> impl Iterator<Item = &'static KeySpec> + use<> {
        self.keys.iter().flat_map(|group| group.iter())
    }
}
