//! The checked scenario: every section with its values.

use std::sync::Arc;

use super::source::Sources;
use super::top::Settings;
use super::{Diagnostics, Values};

/// A scenario whose keys are all known and whose values are all of the right kind.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(crate) sources: Arc<Sources>,
    pub(crate) settings: Settings,
    /// One for each spec that was checked, in that order.
    pub(crate) sections: Vec<Section>,
}

/// The occurrences of one section.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) path: &'static str,
    pub(crate) items: Vec<Values>,
}

impl Scenario {
    /// The top-level keys that every scenario has.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same scenario, whose messages may need so many bytes.
    #[must_use]
    pub fn within(mut self, memory: u64) -> Scenario {
        self.settings.memory = memory;
        self
    }

    /// The top-level keys, as values.
    #[must_use]
    pub fn top(&self) -> &Values {
        self.one("")
    }

    /// The section `[path]`. If it is not written, its values are the defaults.
    ///
    /// # Panics
    /// If no such section was checked, or it is optional and not written.
    #[must_use]
    pub fn one(&self, path: &str) -> &Values {
        match self.get(path) {
            Some(values) => values,
            None => panic!("the section `{path}` is optional and not written"),
        }
    }

    /// The section `[path]`; `None` if it is optional and not written.
    ///
    /// # Panics
    /// If no such section was checked.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Values> {
        self.many(path).first()
    }

    /// All sections `[[path]]` in the order of the file.
    ///
    /// # Panics
    /// If no such section was checked.
    #[must_use]
    pub fn many(&self, path: &str) -> &[Values] {
        match self.sections.iter().find(|section| section.path == path) {
            Some(section) => &section.items,
            None => panic!("the section `{path}` was not checked"),
        }
    }

    /// The texts that places of this scenario point into.
    #[must_use]
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// An empty list of diagnostics that can be rendered with this scenario's text.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics::of(&self.sources)
    }
}
