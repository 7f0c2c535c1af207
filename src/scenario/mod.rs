//! The scenario file's machinery: syntax, places, units, and the tables of keys.
//!
//! ```text
//! text ─Document::parse─▶ Document ─set (--set)─▶ Document ─check(sections)─▶ Scenario
//! ```
//!
//! A [`Document`] is the file as written, with the place of everything in it. Whoever needs keys
//! describes them once, as [`KeySpec`]s in [`SectionSpec`]s; [`Document::check`] reads the file by
//! them and hands out [`Values`] in which every default is filled in, or [`Diagnostics`] that say
//! what is wrong, where, and what to do about it. `mqsim list` and the documentation are made
//! from the same tables by [`describe`].
//!
//! No more than [`MOST_BYTES`] of text are read, and no list has more than [`MOST_ITEMS`] items:
//! 10,000 producers, consumers, queues, faults and so on each.

mod check;
mod checked;
mod describe;
mod diagnostics;
mod document;
mod grid;
mod near;
mod read;
mod render;
pub mod schema;
mod selector;
mod set;
mod shown;
mod source;
mod spec;
mod syntax;
mod top;
mod tree;
pub mod units;
mod values;
mod words;
mod write;

pub use checked::Scenario;
pub use describe::{KeyRow, describe, distributions, flaws};
pub use diagnostics::{Diagnostic, Diagnostics, MOST};
pub use document::{Document, MOST_BYTES, PORTABLE, is_scenario};
pub use grid::{Axis, Grid, MOST_CELLS};
pub(crate) use near::{nearest, suggest};
pub use selector::{Call, Selector, SelectorError};
pub use shown::{harmless, has_hidden, shown, shown_path};
pub use source::{Located, Place, Sources};
pub use spec::{KeySpec, Kind, LONGEST, MOST_ITEMS, Preset, SectionSpec, Tagged, Unit, Variant};
pub use top::{MOST_MEMORY, Settings, TOP, is_name, no_folder};
pub(crate) use tree::{Data, Node, Table, TableEntry};
pub use units::{Rate, Seeds, Version};
pub use values::{Value, Values};
pub use write::Written;

#[cfg(test)]
mod tests;
