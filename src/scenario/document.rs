//! A parsed scenario file, before its keys are checked.

use std::sync::Arc;

use toml::de::DeTable;

use super::check;
use super::diagnostics::Diagnostics;
use super::near;
use super::source::{Located, Place, Sources};
use super::syntax;
use super::tree::{Data, Table};
use super::units::Version;
use super::{Scenario, SectionSpec};

/// The greatest length of a scenario file: 1 MiB.
pub const MOST_BYTES: usize = 1 << 20;

/// The mode of a scenario that is not of one broker, but has variants of several.
pub const PORTABLE: &str = "any";

/// Whether a TOML file is meant to be a scenario: it has `format` or `mode` at its top level, or it
/// is no TOML that one could tell by. A portable one is none: it has variants that are.
#[must_use]
pub fn is_scenario(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return true };
    let (table, errors) = DeTable::parse_recoverable(text);
    let top = table.get_ref();
    let portable = top.get("mode").and_then(|mode| mode.get_ref().as_str()) == Some(PORTABLE);
    !errors.is_empty() || !portable && (top.contains_key("format") || top.contains_key("mode"))
}

/// A parsed scenario file with the `--set` arguments applied.
#[derive(Clone, Debug)]
pub struct Document {
    pub(crate) sources: Arc<Sources>,
    pub(crate) root: Table,
}

impl Document {
    /// Reads the bytes of the scenario file named `file`. The name is only shown, and gives the
    /// scenario its default name.
    ///
    /// # Errors
    /// As [`Document::parse`]; also if the bytes are no UTF-8 text.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Document, Diagnostics> {
        check_length(file, bytes.len())?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Document::parse(file, text.to_owned()),
            Err(error) => {
                let line = bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count();
                Err(whole_file(
                    file,
                    &format!("this is no text: byte {} (line {line}) is not UTF-8", {
                        error.valid_up_to() + 1
                    }),
                    "a scenario is a TOML text file, saved as UTF-8",
                ))
            }
        }
    }

    /// Parses the text of the scenario file named `file` and checks that it is of the format
    /// that this program reads.
    ///
    /// # Errors
    /// If the text is empty, longer than [`MOST_BYTES`], no TOML, or of another format.
    pub fn parse(file: &str, text: String) -> Result<Document, Diagnostics> {
        check_length(file, text.len())?;
        let sources = Arc::new(Sources::new(file, &text));
        if text.trim_start_matches('\u{feff}').trim().is_empty() {
            let help =
                "write a scenario: it begins with format = 1, mode = \"..\" and duration = \"..\"";
            return Err(whole_file(file, "the file is empty", help));
        }
        if let Some(at) = text.find('\0') {
            let message = format!("this is no text: byte {} is zero", at + 1);
            return Err(whole_file(
                file,
                &message,
                "a scenario is a TOML text file, saved as UTF-8",
            ));
        }
        let (table, errors) = DeTable::parse_recoverable(&text);
        let wrong = syntax::explain(&errors, &text, &sources);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let root = Table::from_toml(table.get_ref(), 0, 0);
        let document = Document { sources, root };
        document.check_format()?;
        Ok(document)
    }

    fn check_format(&self) -> Result<(), Diagnostics> {
        let (place, message) = match self.root.get("format") {
            None => (Place::NOWHERE, "the key `format` is missing".to_owned()),
            Some(entry) => match &entry.node.data {
                Data::Integer { digits, radix: 10 } if digits == "1" => return Ok(()),
                _ => {
                    let written = self.sources.text(entry.node.place);
                    (entry.node.place, format!("`format` is {written}, which is not known here"))
                }
            },
        };
        let help = "write format = 1 as the first line; it is the only format so far";
        Err(self.wrong(place, message, help))
    }

    fn wrong(&self, place: Place, message: String, help: impl Into<String>) -> Diagnostics {
        Diagnostics::at(place, message, help).with_sources(&self.sources)
    }

    /// The `mode`, which decides what other keys there are.
    ///
    /// # Errors
    /// If it is missing or no text.
    pub fn mode(&self) -> Result<Located<&str>, Diagnostics> {
        match self.root.get("mode").map(|entry| &entry.node) {
            Some(node) => {
                if let Some(mode) = node.text() {
                    return Ok(Located { value: mode, place: node.place });
                }
                let message = format!("`mode` must be a text, not {}", node.describe());
                Err(self.wrong(
                    node.place,
                    message,
                    "write for example mode = \"rabbitmq-mirrored\"",
                ))
            }
            None => Err(self.wrong(
                Place::NOWHERE,
                "the key `mode` is missing".to_owned(),
                "write the broker to simulate, for example mode = \"rabbitmq-mirrored\"",
            )),
        }
    }

    /// The text at a key of the top level, if there is one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.root.get(key)?.node.text()
    }

    /// The number of the `mode` among `known`.
    ///
    /// # Errors
    /// If it is missing, no text, or none of them.
    pub fn mode_among(&self, known: &[&str]) -> Result<usize, Diagnostics> {
        let mode = self.mode()?;
        match known.iter().position(|name| *name == mode.value) {
            Some(index) => Ok(index),
            None => {
                let message = format!("there is no mode `{}`", near::clip(mode.value));
                Err(self.wrong(mode.place, message, near::suggest(mode.value, known, "the modes")))
            }
        }
    }

    /// The `broker-version`, if it is written.
    ///
    /// # Errors
    /// If it is no version.
    pub fn broker_version(&self) -> Result<Option<Version>, Diagnostics> {
        check::broker_version(self)
    }

    /// Checks the top level and the given sections: that there are no other keys and sections,
    /// and that every value is of its kind. Keys that do not exist in `version` are errors; all
    /// keys are allowed if there is none.
    ///
    /// # Errors
    /// Everything that is wrong, up to [`super::MOST`] diagnostics.
    ///
    /// # Panics
    /// If a default in a spec is not of its own kind.
    pub fn check(
        &self,
        specs: &[&SectionSpec],
        version: Option<Version>,
    ) -> Result<Scenario, Diagnostics> {
        check::check(self, specs, version)
    }

    /// The texts that places of this document point into.
    #[must_use]
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }
}

fn check_length(file: &str, length: usize) -> Result<(), Diagnostics> {
    if length <= MOST_BYTES {
        return Ok(());
    }
    Err(whole_file(
        file,
        "the file has more than 1 MiB, which is the most a scenario may have",
        "is this the right file? A scenario has some hundred lines at most",
    ))
}

fn whole_file(file: &str, message: &str, help: &str) -> Diagnostics {
    let sources = Arc::new(Sources::new(file, ""));
    Diagnostics::at(Place::NOWHERE, message, help).with_sources(&sources)
}
