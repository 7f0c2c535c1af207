//! How a family reads a portable scenario: what destinations, copies and wishes become in its own words.
//!
//! A portable scenario says what is wanted of any broker. [`Dialect`] says, for one mode, what is written for
//! it in that mode's ordinary scenario; the translation itself is written once, in `run`.

/// How a mode says what a portable scenario asks for.
///
/// In texts `{name}` stands for the destination, `{copies}` for how many copies it has, `{others}` for one
/// less, `{majority}` for how many of them are most, `{partitions}` for how many parts it has.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Which of the hosts have a broker.
    pub hosts: Hosts,
    /// The sections of one destination, as TOML. Those of several destinations are put together.
    pub destination: &'static str,
    /// The selector of the broker that a destination is written to.
    pub leader: &'static str,
    /// The selector of the so manieth (`{number}`) of those that have a copy and are not written to; empty if
    /// there is none.
    pub follower: &'static str,
    /// What `copies` comes to, in one sentence.
    pub copies: &'static str,
    /// What is set whatever is wished, because the portable form means it.
    pub always: &'static [Setting],
    /// What the wish `safest` sets.
    pub safest: &'static [Setting],
    /// What the wish `fastest` sets.
    pub fastest: &'static [Setting],
}

/// Which of a portable cluster's hosts have a broker, counted from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// All.
    All,
    /// So many at most.
    First(usize),
    /// As many as make whole groups of as many brokers as there are copies.
    Groups,
}

/// One setting of a wish.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As `--set` takes it; a `*` stands for every member of a list.
    pub set: &'static str,
    /// The first release that has it; empty if all have.
    pub since: &'static str,
    /// Where the broker's makers advise it, or what says that it does this.
    pub source: &'static str,
}

impl Setting {
    /// A setting of every release.
    #[must_use]
    pub const fn new(set: &'static str, source: &'static str) -> Setting {
        Setting { set, since: "", source }
    }

    /// The same, of releases from `version` on.
    #[must_use]
    pub const fn since(mut self, version: &'static str) -> Setting {
        self.since = version;
        self
    }
}
