//! Checked values: what the file says, with every default filled in.

use std::sync::Arc;

use super::selector::Selector;
use super::source::{Located, Place, Sources};
use super::units::{Rate, Seeds, Version};
use super::{Diagnostics, Kind};
use crate::engine::{Chance, Distribution, Span};

/// One checked value. [`Values::value`] hands it out where a key takes one of several kinds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Integer`].
    Integer(u64),
    /// Of [`Kind::Signed`].
    Signed(i64),
    /// Of [`Kind::Duration`].
    Duration(Span),
    /// Of [`Kind::Rate`].
    Rate(Rate),
    /// Bytes, of [`Kind::Size`].
    Size(u64),
    /// Bytes a second, of [`Kind::Bandwidth`]; 0 is unlimited.
    Bandwidth(u64),
    /// Of [`Kind::Chance`].
    Chance(Chance),
    /// Of [`Kind::Text`], [`Kind::Name`] and [`Kind::Choice`].
    Text(String),
    /// Of [`Kind::Names`] and [`Kind::Choices`].
    Names(Vec<Located<String>>),
    /// In ns or bytes, of [`Kind::Distribution`].
    Distribution(Distribution),
    /// Of [`Kind::Selector`] (one) and [`Kind::SelectorList`].
    Selectors(Vec<Located<Selector>>),
    /// Of [`Kind::Version`].
    Version(Version),
    /// Of [`Kind::Seeds`].
    Seeds(Seeds),
    /// Of [`Kind::Table`] and [`Kind::Tagged`].
    Table(Box<Values>),
    /// Of [`Kind::Tables`].
    Tables(Vec<Values>),
}

/// The values of one section or table.
///
/// Every getter takes the name of a key of its spec. It panics if the spec has no such key, if
/// the key is of another kind, or, but for `get_..`, if there is no value: a mistake in the
/// program, never in the scenario.
#[derive(Clone, Debug)]
pub struct Values {
    pub(crate) path: String,
    pub(crate) place: Place,
    pub(crate) present: bool,
    pub(crate) entries: Vec<Entry>,
    pub(crate) sources: Arc<Sources>,
}

impl PartialEq for Values {
    /// Equal values under equal keys, wherever they are written.
    fn eq(&self, other: &Values) -> bool {
        let alike = |(a, b): (&Entry, &Entry)| a.name == b.name && a.value == b.value;
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(alike)
    }
}

/// One key of a section with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) value: Option<Value>,
    pub(crate) place: Place,
    pub(crate) set: bool,
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident / $get:ident: $variant:ident => $type:ty, $map:expr;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self, key: &str) -> $type {
            match self.$get(key) {
                Some(value) => value,
                None => self.mistake(key, "there is no value"),
            }
        }

        $(#[$doc])*
        /// `None` if there is no value.
        #[must_use]
        pub fn $get(&self, key: &str) -> Option<$type> {
            match self.value(key)? {
                Value::$variant(value) => Some(($map)(value)),
                _ => self.mistake(key, concat!("it is not of the kind ", stringify!($variant))),
            }
        }
    )*};
}

impl Values {
    getters! {
        /// The flag `key`.
        flag / get_flag: Flag => bool, |v: &bool| *v;
        /// The whole number `key`.
        integer / get_integer: Integer => u64, |v: &u64| *v;
        /// The whole number `key`, which may be negative.
        signed / get_signed: Signed => i64, |v: &i64| *v;
        /// The duration `key`.
        duration / get_duration: Duration => Span, |v: &Span| *v;
        /// The rate `key`.
        rate / get_rate: Rate => Rate, |v: &Rate| *v;
        /// The size `key` in bytes.
        size / get_size: Size => u64, |v: &u64| *v;
        /// The bandwidth `key` in bytes a second; 0 is unlimited.
        bandwidth / get_bandwidth: Bandwidth => u64, |v: &u64| *v;
        /// The probability `key`.
        chance / get_chance: Chance => Chance, |v: &Chance| *v;
        /// The broker version `key`.
        version / get_version: Version => Version, |v: &Version| *v;
        /// The seeds `key`.
        seeds / get_seeds: Seeds => Seeds, |v: &Seeds| *v;
        /// The distribution `key`, in ns or bytes.
        distribution / get_distribution: Distribution => Distribution, |v: &Distribution| v.clone();
    }

    /// The text, name or choice `key`.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        match self.get_text(key) {
            Some(text) => text,
            None => self.mistake(key, "there is no value"),
        }
    }

    /// The text, name or choice `key`; `None` if there is no value.
    #[must_use]
    pub fn get_text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => self.mistake(key, "it is no text"),
        }
    }

    /// The word chosen for `key`.
    #[must_use]
    pub fn choice(&self, key: &str) -> &str {
        self.text(key)
    }

    /// The names of `key`; empty if there is no value.
    #[must_use]
    pub fn names(&self, key: &str) -> &[Located<String>] {
        match self.value(key) {
            None => &[],
            Some(Value::Names(names)) => names,
            Some(_) => self.mistake(key, "it is no list of names"),
        }
    }

    /// The selector `key`.
    #[must_use]
    pub fn selector(&self, key: &str) -> &Located<Selector> {
        match self.selectors(key).first() {
            Some(selector) => selector,
            None => self.mistake(key, "there is no value"),
        }
    }

    /// The selectors of `key`; empty if there is no value.
    #[must_use]
    pub fn selectors(&self, key: &str) -> &[Located<Selector>] {
        match self.value(key) {
            None => &[],
            Some(Value::Selectors(selectors)) => selectors,
            Some(_) => self.mistake(key, "it is no selector"),
        }
    }

    /// The table `key`; `None` if there is no value, or one that is no table where the key takes
    /// either.
    #[must_use]
    pub fn table(&self, key: &str) -> Option<&Values> {
        match self.value(key)? {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The tables of the list `key`; empty if there is no value.
    #[must_use]
    pub fn tables(&self, key: &str) -> &[Values] {
        match self.value(key) {
            None => &[],
            Some(Value::Tables(tables)) => tables,
            Some(_) => self.mistake(key, "it is no list of tables"),
        }
    }

    /// The value of `key`, of whatever kind.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.entry(key).value.as_ref()
    }

    /// Whether `key` has a value, written or by default.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Whether `key` is one of the keys here: keys that come with a tag are there only with it.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == key)
    }

    /// Whether `key` is written in the file or given by `--set`.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.entry(key).set
    }

    /// Where the value of `key` is written; the section's place if it is not written.
    #[must_use]
    pub fn span(&self, key: &str) -> Place {
        let entry = self.entry(key);
        if entry.set { entry.place } else { self.place }
    }

    /// Where the section or table is written.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The line on which the section or table begins; `None` of one that is not written.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.sources.line_column(self.place).filter(|_| self.present).map(|(line, _)| line)
    }

    /// Whether the section is written at all.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// How the section is addressed: `cluster.network`, `producer.p1`, `fault.0`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The names of the keys in the order of the spec, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Option<&Value>)> {
        self.entries.iter().map(|entry| (entry.name, entry.value.as_ref()))
    }

    /// An empty list of diagnostics that can be rendered with this scenario's text.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics::of(&self.sources)
    }

    fn entry(&self, key: &str) -> &Entry {
        match self.entries.iter().find(|entry| entry.name == key) {
            Some(entry) => entry,
            None => self.mistake(key, "the spec has no such key"),
        }
    }

    #[track_caller]
    fn mistake(&self, key: &str, what: &str) -> ! {
        let kind = self.entries.iter().find(|entry| entry.name == key).map(|entry| entry.kind);
        panic!("key `{key}` of `{}` ({kind:?}) is read wrongly: {what}", self.path)
    }
}
