//! What is wrong with a scenario: messages with a place and a remedy, rendered in one way.

use std::fmt;
use std::sync::Arc;

use super::source::{Place, Sources};
use super::values::Values;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it is written.
    pub place: Place,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// Everything that was found wrong with a scenario, in the order of the file once rendered.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// How many more there were than [`MOST`].
    dropped: usize,
    sources: Option<Arc<Sources>>,
}

/// How many diagnostics are kept; the rest are only counted.
pub const MOST: usize = 50;

impl Diagnostics {
    /// None yet.
    #[must_use]
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// None yet, for a scenario with these texts.
    #[must_use]
    pub fn of(sources: &Arc<Sources>) -> Diagnostics {
        Diagnostics { sources: Some(Arc::clone(sources)), ..Diagnostics::default() }
    }

    /// One diagnostic.
    #[must_use]
    pub fn at(place: Place, message: impl Into<String>, help: impl Into<String>) -> Diagnostics {
        let mut one = Diagnostics::new();
        one.push(place, message, help);
        one
    }

    /// The same, rendered with these texts unless it already has some.
    #[must_use]
    pub fn with_sources(mut self, sources: &Arc<Sources>) -> Diagnostics {
        self.sources.get_or_insert_with(|| Arc::clone(sources));
        self
    }

    /// Adds one.
    pub fn push(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        let one = Diagnostic { place, message: message.into(), help: help.into() };
        if self.list.contains(&one) {
            return;
        }
        if self.list.len() < MOST {
            self.list.push(one);
        } else {
            self.dropped += 1;
        }
    }

    /// Keys that are written and must not be, with the reason: `KEY has no meaning with this`.
    pub fn refuse(&mut self, values: &Values, keys: &[&str], why: &str, help: &str) {
        for key in keys.iter().filter(|key| values.is_set(key)) {
            self.push(values.span(key), format!("`{key}` {why}"), help);
        }
    }

    /// Adds all of another.
    pub fn append(&mut self, other: Diagnostics) {
        for one in other.list {
            self.push(one.place, one.message, one.help);
        }
        self.dropped += other.dropped;
        if self.sources.is_none() {
            self.sources = other.sources;
        }
    }

    /// The value of a result; its diagnostics are added here.
    pub fn keep<T>(&mut self, result: Result<T, Diagnostics>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(other) => {
                self.append(other);
                None
            }
        }
    }

    /// `value` if nothing is wrong.
    ///
    /// # Errors
    /// The diagnostics, if there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many were found, those beyond [`MOST`] included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + self.dropped
    }

    pub(crate) fn sources(&self) -> Option<&Sources> {
        self.sources.as_deref()
    }

    /// The diagnostics that were kept, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }
}

impl fmt::Display for Diagnostics {
    /// All of them as [`Diagnostics::render`] writes them, without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
