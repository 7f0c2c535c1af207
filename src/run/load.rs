//! From a file to a scenario that is ready to be simulated.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use crate::observe::Catalog;
use crate::scenario::{
    Diagnostics, Document, MOST_BYTES, MOST_MEMORY, PORTABLE, Place, Scenario, shown, shown_path,
};
use crate::verdict::{Expectations, LedgerOptions};

use super::absent::Absent;
use super::families::{Families, ModeInfo};
use super::planned::Planned;
use super::portable::{Portable, is_portable};

/// Why a scenario cannot be simulated. Renders itself for people.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {why}\n  = help: {help}")]
    Unreadable {
        /// As given.
        path: String,
        /// The system's words.
        why: String,
        /// What to do about it.
        help: String,
    },
    /// What it says is wrong.
    #[error("{}", .0.render(false))]
    Wrong(Diagnostics),
}

impl From<Diagnostics> for InputError {
    fn from(wrong: Diagnostics) -> InputError {
        InputError::Wrong(wrong)
    }
}

/// A scenario that was read, checked and planned; any seed of it can be simulated.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) scenario: Scenario,
    pub(super) mode: ModeInfo,
    pub(super) version: String,
    pub(super) plan: Arc<dyn Planned>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) options: LedgerOptions,
    pub(super) expectations: Expectations,
}

impl Prepared {
    /// The scenario's name: that of its report folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.scenario.settings().name
    }

    /// The scenario's own seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.scenario.settings().seed
    }

    /// The seeds that `mqsim check` runs: the scenario's `seeds`, or its `seed` alone.
    #[must_use]
    pub fn seeds(&self) -> RangeInclusive<u64> {
        let seeds = self.scenario.settings().seeds;
        seeds.first..=seeds.last
    }

    /// What the scenario expects, in the order of the file.
    #[must_use]
    pub fn expectations(&self) -> &Expectations {
        &self.expectations
    }

    /// The scenario's text as it was read, without what `--set` changes.
    #[must_use]
    pub fn text(&self) -> &str {
        self.scenario.sources().whole(Place::START)
    }

    /// Mode and version of the broker.
    #[must_use]
    pub fn mode(&self) -> (&str, &str) {
        (self.mode.mode.name, &self.version)
    }

    /// The same scenario, with reports that say how every line ended ([`Report::lines`]).
    ///
    /// [`Report::lines`]: crate::verdict::Report::lines
    #[must_use]
    pub fn with_lines(mut self) -> Prepared {
        self.options.lines = true;
        self
    }

    /// The names of its runs.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Whether its brokers keep logs, of which consumers poll.
    pub(super) const fn is_log(&self) -> bool {
        self.mode.about.log
    }
}

/// Reads, checks and plans the scenario at `path`, with `sets` (`producer.p1.rate=5k/s`) changed:
/// [`Families::load`] of mqsim's own families.
///
/// # Errors
/// If the file cannot be read, or everything that is wrong with what it says.
pub fn load(path: &Path, sets: &[String]) -> Result<Prepared, InputError> {
    Families::default().load(path, sets, MOST_MEMORY)
}

/// Checks and plans a scenario's text: [`Families::parse`] of mqsim's own families.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file: &str, bytes: &[u8], sets: &[String]) -> Result<Prepared, InputError> {
    Families::default().parse(file, bytes, sets, MOST_MEMORY)
}

/// The bytes of a file, or of a pipe; of one that is too long only so many that this shows.
fn read(path: &Path) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let opened = File::open(path);
    let read = opened.and_then(|file| file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> InputError {
    let (why, help) = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            ("there is no such file", "name a scenario file, such as scenarios/mirror.toml")
        }
        ErrorKind::IsADirectory => ("it is a directory", "name one of the scenario files in it"),
        ErrorKind::PermissionDenied => {
            ("permission denied", "make it readable for this user: chmod u+r")
        }
        _ => (&*error.to_string(), "check the path and the disk that it is on"),
    };
    let path = shown_path(path);
    InputError::Unreadable { path, why: why.to_owned(), help: help.to_owned() }
}

impl Families {
    /// Reads, checks and plans the scenario at `path`, with `sets` (`producer.p1.rate=5k/s`)
    /// changed. Its messages may need so many bytes of memory.
    ///
    /// # Errors
    /// If the file cannot be read, or everything that is wrong with what it says.
    pub fn load(&self, path: &Path, sets: &[String], memory: u64) -> Result<Prepared, InputError> {
        self.parse(&path.display().to_string(), &read(path)?, sets, memory)
    }

    /// Reads and checks the portable scenario at `path`, with `sets` changed: [`Families::portable`].
    ///
    /// # Errors
    /// If the file cannot be read, or everything that is wrong with what it says.
    pub fn load_portable(&self, path: &Path, sets: &[String]) -> Result<Portable, InputError> {
        self.portable(&path.display().to_string(), &read(path)?, sets)
    }

    /// The mode of a scenario.
    fn mode_of(&self, document: &Document) -> Result<ModeInfo, Diagnostics> {
        let written = document.mode()?;
        let told = |message: String, help: String| {
            Diagnostics::at(written.place, message, help).with_sources(document.sources())
        };
        if written.value == PORTABLE {
            return Err(is_portable(document, written.place));
        }
        if self.mode(written.value).is_none() {
            let shown = shown(written.value);
            if let Some(meant) = self.meant(written.value) {
                let help =
                    format!("write mode = \"{}\"; `mqsim list` has the modes", meant.mode.name);
                return Err(told(format!("`{shown}` is no mode, but a broker"), help));
            }
            if let Some(absent) = Absent::of(written.value) {
                return Err(told(absent.message(), absent.help()));
            }
        }
        let names: Vec<&str> = self.modes().iter().map(|info| info.mode.name).collect();
        Ok(self.modes()[document.mode_among(&names)?])
    }

    /// Checks and plans a scenario's text; `file` is the name to use in messages. Its messages may
    /// need so many bytes of memory.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(
        &self,
        file: &str,
        bytes: &[u8],
        sets: &[String],
        memory: u64,
    ) -> Result<Prepared, InputError> {
        let mut document = Document::from_bytes(file, bytes)?;
        for set in sets {
            document.set(set)?;
        }
        let mode = self.mode_of(&document)?;
        let written = document.broker_version()?;
        let version = written.unwrap_or_else(|| mode.default_version());
        let scenario = document.check(&mode.sections(), Some(version))?.within(memory);
        if !mode.covers(version) {
            let (first, last) = mode.mode.versions;
            let product = mode.about.product;
            let mut help = format!("`{}` simulates {product} {first} to {last}", mode.mode.name);
            if let Some(otherwise) = mode.mode.otherwise {
                help = format!("{help}; {otherwise}");
            }
            return Err(Diagnostics::at(
                scenario.top().span("broker-version"),
                format!("{product} {version} cannot be simulated"),
                help,
            )
            .with_sources(scenario.sources())
            .into());
        }
        let mut wrong = scenario.diagnostics();
        let plan = wrong.keep(mode.plan(&scenario));
        let settings = scenario.settings();
        let catalog = plan.as_ref().map(|plan| plan.catalog());
        let expectations = catalog.as_ref().and_then(|catalog| {
            let sections = scenario.many("expect");
            wrong.keep(Expectations::parse(sections, catalog, settings.invariants))
        });
        let options = LedgerOptions {
            warmup: settings.warmup,
            availability_gap: settings.availability_gap,
            operation_timeout: settings.operation_timeout,
            retained: mode.about.log,
            gated: mode.about.log,
            invariants: settings.invariants,
            ..LedgerOptions::new(settings.duration)
        };
        match (plan, catalog, expectations) {
            (Some(plan), Some(catalog), Some(expectations)) if wrong.is_empty() => Ok(Prepared {
                catalog: Arc::new(catalog),
                version: version.to_string(),
                scenario,
                mode,
                plan,
                options,
                expectations,
            }),
            _ => Err(wrong.into()),
        }
    }
}
