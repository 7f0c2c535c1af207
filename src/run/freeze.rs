//! A scenario with its random faults as they came to be for a seed.

use toml_edit::{ArrayOfTables, DocumentMut, Item};

use crate::scenario::Place;

use super::{Prepared, RunError};

/// Why faults cannot be frozen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FreezeError {
    /// The scenario draws none.
    #[error(
        "{0}: it has no [nemesis], so there is nothing to freeze\n  = help: its faults are all \
         written as [[fault]] already"
    )]
    Nothing(String),
    /// The run did not end by itself.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The file could not be edited, although it could be read.
    #[error("the scenario cannot be edited: {0}")]
    Edit(String),
}

/// The text of the scenario in which `[nemesis]` has made room for the faults that it drew for this
/// seed, as `[[fault]]` behind everything else; the rest is as it was written. `note` stands before
/// them, as a comment. What `--set` changed is not in the text.
///
/// # Errors
/// If there is no `[nemesis]`, or the run does not end by itself.
pub fn freeze(
    prepared: &Prepared,
    seed: u64,
    max_events: Option<u64>,
    note: &str,
) -> Result<String, FreezeError> {
    let sources = prepared.scenario.sources();
    if prepared.scenario.get("nemesis").is_none() {
        return Err(FreezeError::Nothing(sources.file().to_owned()));
    }
    let faults = prepared.plan.freeze(seed, max_events)?;
    let text = sources.whole(Place::START).trim_start_matches('\u{feff}');
    let edit = |error: toml_edit::TomlError| FreezeError::Edit(error.to_string());
    let mut document: DocumentMut = text.parse().map_err(edit)?;
    document.remove("nemesis");
    if let Some(item) = document.get_mut("fault") {
        // `fault = [{ .. }]` takes no [[fault]] after it.
        let tables = std::mem::take(item).into_array_of_tables();
        *item = Item::ArrayOfTables(tables.unwrap_or_else(|_| ArrayOfTables::new()));
    }
    let mut out = document.to_string().trim_end().to_owned();
    out.push_str("\n\n");
    for line in note.lines() {
        out.push_str(format!("# {line}").trim_end());
        out.push('\n');
    }
    for fault in faults {
        out.push('\n');
        out.push_str(&fault);
    }
    Ok(out)
}
