//! Portable scenarios: one cluster, one load and one timeline of faults for many brokers.
//!
//! A portable scenario has `mode = "any"` and variants. Each is translated into the ordinary scenario of its
//! mode, a text that is read as any other ([`Portable::written`]): nothing else knows of the portable form,
//! and what is simulated is what one would have written by hand. How a mode says what is portable, its family
//! knows ([`crate::brokers::kit::Dialect`]).

mod document;
mod read;
mod sections;
mod selectors;
mod translate;

use crate::scenario::{
    Diagnostics, Document, PORTABLE, Place, Scenario, TableEntry, Version, Written,
};

use super::families::{Families, ModeInfo};
use super::{InputError, Prepared};

pub use document::document;
pub(super) use sections::{VARIANTS, sections};

/// A portable scenario that was read and checked, but for what its variants alone can say.
#[derive(Clone, Debug)]
pub struct Portable {
    document: Document,
    scenario: Scenario,
    variants: Vec<Variant>,
}

/// A broker that a portable scenario is for.
#[derive(Clone, Debug)]
struct Variant {
    name: String,
    place: Place,
    mode: ModeInfo,
    version: Version,
    /// One of [`sections::WISHES`].
    wish: String,
    /// Its sections of own settings.
    own: Vec<TableEntry>,
}

impl Families {
    /// Reads and checks a portable scenario's text; `file` is the name to use in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it, but for what shows only in a variant ([`Portable::prepare`]).
    pub fn portable(
        &self,
        file: &str,
        bytes: &[u8],
        sets: &[String],
    ) -> Result<Portable, InputError> {
        let mut document = Document::from_bytes(file, bytes)?;
        for set in sets {
            document.set(set)?;
        }
        Ok(read::read(self, document)?)
    }
}

impl Portable {
    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.scenario.settings().name
    }

    /// The names of the variants, in the order of the file.
    #[must_use]
    pub fn variants(&self) -> Vec<&str> {
        self.variants.iter().map(|variant| variant.name.as_str()).collect()
    }

    /// The scenario of a variant, given by its place, as its broker has it.
    ///
    /// # Errors
    /// What of the portable scenario cannot be said of this broker.
    pub fn written(&self, variant: usize) -> Result<Written, Diagnostics> {
        translate::translate(self, &self.variants[variant])
    }

    /// The scenario of a variant, checked and planned. Its messages may need so many bytes of memory.
    ///
    /// # Errors
    /// Everything that is wrong with it, at the places of the portable scenario.
    pub fn prepare(
        &self,
        families: &Families,
        variant: usize,
        memory: u64,
    ) -> Result<Prepared, InputError> {
        let written = self.written(variant)?;
        let file = self.document.sources().file();
        let text = written.text.as_bytes();
        let error = match families.parse(file, text, &[], memory) {
            Err(InputError::Wrong(wrong)) => wrong,
            done => return done,
        };
        let variant = &self.variants[variant];
        let mut wrong = self.scenario.diagnostics();
        for one in error.iter() {
            let origin = written.origin(one.place);
            // What stands nowhere in the file comes of the variant.
            let own = |place: &Place| self.document.sources().get(*place).is_some();
            let place = origin.filter(own).unwrap_or(variant.place);
            wrong.push(
                place,
                format!("{} (in variant `{}`)", one.message, variant.name),
                &*one.help,
            );
        }
        Err(wrong.into())
    }
}

/// What to say of a portable scenario where one of a broker is asked for.
pub(super) fn is_portable(document: &Document, place: Place) -> Diagnostics {
    let help = "`mqsim matrix FILE` simulates them all; `mqsim explain-settings FILE VARIANT` prints the \
                scenario of one, for every other command";
    debug_assert_eq!(document.mode().ok().map(|mode| mode.value), Some(PORTABLE));
    Diagnostics::at(place, "this is a portable scenario, which has variants", help)
        .with_sources(document.sources())
}
