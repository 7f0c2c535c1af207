//! Where things are written: the file's text, the `--set` arguments, and places in them.

use std::sync::Arc;

/// A place in the scenario file or in a `--set` argument: a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub(crate) source: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Place {
    /// Not written anywhere: a default.
    pub const NOWHERE: Place = Place { source: u32::MAX, start: 0, end: 0 };
    /// The start of the scenario file.
    pub const START: Place = Place { source: 0, start: 0, end: 0 };

    /// Whether anything is written here.
    #[must_use]
    pub fn is_somewhere(self) -> bool {
        self.source != u32::MAX
    }

    /// Whether it is in a `--set` argument.
    #[must_use]
    pub fn is_argument(self) -> bool {
        self.is_somewhere() && self.source > 0
    }

    /// From the start of this one to the end of another that is behind it in the same text.
    pub(crate) fn upto(self, other: Place) -> Place {
        let follows = self.source == other.source && self.start <= other.end;
        if follows { Place { end: other.end, ..self } } else { self }
    }

    pub(crate) fn new(source: u32, range: std::ops::Range<usize>) -> Place {
        // Sources are at most 1 MiB long, so the offsets fit.
        Place { source, start: range.start as u32, end: range.end as u32 }
    }
}

/// A value with the place where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Place,
}

/// The texts that places point into: the scenario file first, then the `--set` arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    texts: Vec<Source>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    name: String,
    text: Arc<str>,
}

impl Sources {
    /// The sources of a scenario file that has this text.
    #[must_use]
    pub fn new(file: &str, text: &str) -> Sources {
        Sources { texts: vec![Source { name: file.to_owned(), text: text.into() }] }
    }

    /// Adds a `--set` argument and returns its number.
    pub(crate) fn add_argument(&mut self, text: &str) -> u32 {
        self.texts.push(Source { name: "--set".to_owned(), text: text.into() });
        (self.texts.len() - 1) as u32
    }

    /// The scenario file's name, as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        self.texts.first().map_or("scenario", |source| &source.name)
    }

    /// The name and whole text of the source in which `place` is.
    pub(crate) fn get(&self, place: Place) -> Option<(&str, &str)> {
        self.texts.get(place.source as usize).map(|source| (&*source.name, &*source.text))
    }

    /// What is written at `place`; empty if nothing is.
    #[must_use]
    pub fn text(&self, place: Place) -> &str {
        self.get(place)
            .and_then(|(_, text)| text.get(place.start as usize..place.end as usize))
            .unwrap_or("")
    }

    /// The whole text in which `place` is; empty if it is in none.
    #[must_use]
    pub fn whole(&self, place: Place) -> &str {
        self.get(place).map_or("", |(_, text)| text)
    }

    /// Line and column of `place`, both from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self, place: Place) -> Option<(usize, usize)> {
        let (_, text) = self.get(place)?;
        let before = text.get(..place.start as usize)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}
