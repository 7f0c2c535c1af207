//! What a script says before it begins, as a scenario of its family.

use std::fmt::Write as _;

use mqsim::brokers::kit::Family;
use mqsim::observe::NodeId;
use mqsim::scenario::{Document, SectionSpec};
use mqsim::world;
use mqsim::world::fault::{FAULT, NEMESIS, NEMESIS_FAULT};

use super::{Command, Told};

/// `key = value`; quoted unless it reads as a number, a truth value, a list or a table.
pub(crate) fn pair(text: &mut String, key: &str, value: &str) {
    let plain = value.parse::<i64>().is_ok()
        || ["true", "false"].contains(&value)
        || value.starts_with(['[', '{', '"']);
    let quote = if plain { "" } else { "\"" };
    let _ = writeln!(text, "{key} = {quote}{value}{quote}");
}

/// All `key=value` of a command, as lines of a section.
pub(crate) fn pairs(command: &Command<'_>) -> String {
    let mut text = String::new();
    command.pairs().for_each(|(key, value)| pair(&mut text, key, value));
    text
}

/// `producer p1 rate=10/s` as a section of a list: its kind, its name and its keys.
pub(crate) fn section(kind: &str, command: &Command<'_>) -> Told<String> {
    Ok(format!("[[{kind}]]\nname = \"{}\"\n{}", command.word(0)?, pairs(command)))
}

/// The scenario that this text is, resolved.
pub(crate) fn resolve<F: Family>(text: String, version: &str, mode: F::Mode) -> Told<F> {
    let known: Vec<&SectionSpec> = world::SECTIONS
        .iter()
        .chain([&&FAULT, &&NEMESIS, &&NEMESIS_FAULT])
        .chain(F::ABOUT.sections)
        .copied()
        .collect();
    let version = version.parse().map_err(|_| format!("`{version}` is no version"))?;
    let document = Document::parse("script", text);
    let scenario = document.and_then(|document| document.check(&known, Some(version)));
    let spec = scenario.and_then(|scenario| F::plan(&scenario, mode));
    spec.map_err(|wrong| wrong.render(false))
}

/// The host with this name.
pub(crate) fn host<F: Family>(spec: &F, name: &str) -> Told<NodeId> {
    spec.frame().topology().find(name).ok_or_else(|| format!("there is no host `{name}`"))
}
