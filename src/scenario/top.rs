//! The top-level keys, which every scenario has.

use super::shown::shown;
use super::source::Place;
use super::spec::{KeySpec, Kind, LONGEST, Preset, SectionSpec};
use super::units::{Seeds, Version};
use super::{Diagnostics, Values};
use crate::engine::Span;

const MILLISECOND: Span = Span::from_millis(1);

/// The top level of a scenario file. [`super::Document::check`] always checks it.
pub const TOP: SectionSpec =
    SectionSpec::single("", &[KEYS], "What is simulated, for how long, and from which seed.");

const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "format",
        Kind::Integer { min: 1, max: 1 },
        Preset::Required,
        "The version of the scenario format; 1.",
    ),
    KeySpec::new(
        "name",
        Kind::Name,
        Preset::Absent,
        "The name of the report folder; the file's name without its ending if not written.",
    ),
    KeySpec::new("description", Kind::Text, Preset::Is(""), "What the scenario shows."),
    KeySpec::new("mode", Kind::Text, Preset::Required, "The broker and how it replicates."),
    KeySpec::new(
        "broker-version",
        Kind::Version,
        Preset::Absent,
        "The release of the broker that is simulated; the mode has a default.",
    ),
    KeySpec::new(
        "seed",
        Kind::ANY_INTEGER,
        Preset::Is("1"),
        "The seed of everything random; the same seed gives the same run.",
    ),
    KeySpec::new(
        "seeds",
        Kind::Seeds,
        Preset::Absent,
        "The seeds that `mqsim check` runs; `seed` alone if not written.",
    ),
    KeySpec::new(
        "duration",
        Kind::Duration { min: MILLISECOND, max: LONGEST },
        Preset::Required,
        "How long producers send, in virtual time.",
    ),
    KeySpec::new(
        "warmup",
        Kind::ANY_DURATION,
        Preset::Is("0s"),
        "The part at the start that latency and throughput leave out; shorter than `duration`.",
    ),
    KeySpec::new(
        "drain",
        Kind::ANY_DURATION,
        Preset::Is("10min"),
        "How long after `duration` the run may take to become quiet.",
    ),
    KeySpec::new(
        "availability-gap",
        Kind::Duration { min: MILLISECOND, max: LONGEST },
        Preset::Is("250ms"),
        "A time without success counts as unavailable if it is longer than this.",
    ),
    KeySpec::new(
        "operation-timeout",
        Kind::Duration { min: MILLISECOND, max: LONGEST },
        Preset::Is("1s"),
        "An operation that takes longer counts as failed in the share of successful operations.",
    ),
    KeySpec::new(
        "invariants",
        Kind::Flag,
        Preset::Is("true"),
        "Whether the mode's invariants are checked after every step, if it has any. What happens \
         is the same either way; a run that is not checked is faster.",
    ),
    KeySpec::new(
        "max-events",
        Kind::Integer { min: 1, max: u64::MAX },
        Preset::Absent,
        "The run ends with an error after this many events; no limit if not written.",
    ),
];

/// The top-level keys, typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The name of the report folder.
    pub name: String,
    /// What the scenario shows.
    pub description: String,
    /// The broker and how it replicates.
    pub mode: String,
    /// The release of the broker; `None` for the mode's default.
    pub broker_version: Option<Version>,
    /// The seed of everything random.
    pub seed: u64,
    /// The seeds that `mqsim check` runs.
    pub seeds: Seeds,
    /// How long producers send.
    pub duration: Span,
    /// The part at the start that latency and throughput leave out.
    pub warmup: Span,
    /// How long after `duration` the run may take to become quiet.
    pub drain: Span,
    /// What is longer than this without success is a window of unavailability.
    pub availability_gap: Span,
    /// Operations that take longer count as failed.
    pub operation_timeout: Span,
    /// Whether invariants are checked.
    pub invariants: bool,
    /// The greatest number of events; `None` for no limit.
    pub max_events: Option<u64>,
    /// The most bytes that its messages may need. No key: what there is, a machine knows.
    pub memory: u64,
}

/// The most bytes that the messages of a run may need unless the caller says otherwise: 64 GiB.
pub const MOST_MEMORY: u64 = 64 << 30;

impl Settings {
    /// Reads the checked top level of the scenario file `file`.
    ///
    /// # Errors
    /// If keys contradict each other, or the file's name cannot serve as the scenario's.
    pub(crate) fn from_values(values: &Values, file: &str) -> Result<Settings, Diagnostics> {
        let mut wrong = values.diagnostics();
        let (duration, warmup) = (values.duration("duration"), values.duration("warmup"));
        if warmup >= duration {
            wrong.push(
                values.span("warmup"),
                format!("`warmup` ({warmup}) leaves nothing of `duration` ({duration}) to measure"),
                "make `warmup` shorter than `duration`",
            );
        }
        let name = match values.get_text("name") {
            Some(name) => name.to_owned(),
            None => stem(file).to_owned(),
        };
        if !is_name(&name) {
            wrong.push(
                Place::NOWHERE,
                format!(
                    "the file's name gives the scenario the name `{}`, which is none",
                    shown(&name)
                ),
                "write name = \"..\" with 1 to 64 of A-Z a-z 0-9 . _ - and no leading dot",
            );
        } else if let Some(why) = no_folder(&name) {
            let place = match values.get_text("name") {
                Some(_) => values.span("name"),
                None => Place::NOWHERE,
            };
            wrong.push(
                place,
                format!("a report folder cannot have the name `{name}`: {why}"),
                "write another name = \"..\", such as \"outage\"",
            );
        }
        let seed = values.integer("seed");
        let settings = Settings {
            name,
            description: values.text("description").to_owned(),
            mode: values.text("mode").to_owned(),
            broker_version: values.get_version("broker-version"),
            seed,
            seeds: values.get_seeds("seeds").unwrap_or(Seeds { first: seed, last: seed }),
            duration,
            warmup,
            drain: values.duration("drain"),
            availability_gap: values.duration("availability-gap"),
            operation_timeout: values.duration("operation-timeout"),
            invariants: values.flag("invariants"),
            max_events: values.get_integer("max-events"),
            memory: MOST_MEMORY,
        };
        wrong.into_result(settings)
    }
}

/// Why a name of letters is none for a folder, if it is none: shells and Windows read some names as
/// something else (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
#[must_use]
pub fn no_folder(name: &str) -> Option<&'static str> {
    let device = name.split('.').next().unwrap_or(name).to_ascii_uppercase();
    let numbered = |of: &str| {
        let number = device.strip_prefix(of).unwrap_or("");
        number.len() == 1 && number.bytes().all(|digit| digit.is_ascii_digit())
    };
    if name.starts_with('-') {
        Some("commands would take it for an option")
    } else if name.ends_with('.') {
        Some("Windows drops the dot at its end")
    } else if matches!(&*device, "CON" | "PRN" | "AUX" | "NUL")
        || numbered("COM")
        || numbered("LPT")
    {
        Some("to Windows it is a device")
    } else {
        None
    }
}

/// The file's name without folders and ending.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// Whether `text` is a name: 1 to 64 of `A-Z a-z 0-9 . _ -`, with no leading dot.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_something_misreads() {
        for name in ["-rf", "--", "con", "CON", "nul.txt", "Aux.a.b", "com1", "LPT9.x", "a."] {
            assert!(is_name(name) && no_folder(name).is_some(), "{name}");
        }
        for name in ["a", "console", "com", "com10", "a.con", "lpt", "nul-1", "a-b", "0"] {
            assert!(is_name(name) && no_folder(name).is_none(), "{name}");
        }
    }
}
