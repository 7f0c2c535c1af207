//! From the text to a [`Portable`]: what can be told before a variant is looked at.

use crate::scenario::{
    Data, Diagnostics, Document, Node, PORTABLE, SectionSpec, Table, TableEntry, Values, suggest,
};

use super::sections::sections;
use super::{Families, Portable, Variant};

/// Checks it.
pub(super) fn read(families: &Families, document: Document) -> Result<Portable, Diagnostics> {
    let mode = document.mode()?;
    if mode.value != PORTABLE {
        let help = format!(
            "a portable scenario has mode = \"{PORTABLE}\" and [[variant]]; one of a broker is for \
             `mqsim run` and `mqsim check`"
        );
        let message = "this scenario is of one broker only";
        return Err(Diagnostics::at(mode.place, message, help).with_sources(document.sources()));
    }
    let (plain, own) = without_own_settings(&document);
    let mut wrong = Diagnostics::of(document.sources());
    let plain = without_brokers_words(families, plain, &mut wrong);
    let scenario = wrong.keep(plain.check(&sections(), None));
    let Some(scenario) = scenario.filter(|_| wrong.is_empty()) else { return Err(wrong) };
    if scenario.top().is_set("broker-version") {
        let place = scenario.top().span("broker-version");
        wrong.push(place, "a portable scenario has no release", "write it in [[variant]]");
    }
    let destinations: Vec<&str> =
        scenario.many("destination").iter().map(|one| one.text("name")).collect();
    for (section, key) in [("producer", "to"), ("consumer", "from")] {
        for client in scenario.many(section) {
            let name = client.text(key);
            if !destinations.is_empty() && !destinations.contains(&name) {
                let help = suggest(name, &destinations, "the destinations");
                wrong.push(client.span(key), format!("there is no destination `{name}`"), help);
            }
        }
    }
    for client in scenario.many("producer").iter().chain(scenario.many("consumer")) {
        if client.is_set("connect") {
            let help = "leave it out: clients of a portable scenario know all brokers; write it in \
                        [variant.producer] or [variant.consumer] if it must be";
            wrong.push(client.span("connect"), "`connect` is not portable", help);
        }
    }
    if destinations.is_empty() {
        let help = "write [[destination]] with a name, to which producers send";
        wrong.push(crate::scenario::Place::NOWHERE, "there is no [[destination]]", help);
    }
    let variants = scenario.many("variant");
    if variants.is_empty() {
        let help = "write [[variant]] with a name and a mode";
        wrong.push(crate::scenario::Place::NOWHERE, "there is no [[variant]]", help);
    }
    let variants = variants.iter().zip(own);
    let variants: Vec<Variant> =
        variants.filter_map(|(values, own)| wrong.keep(variant(families, values, own))).collect();
    let names: Vec<&str> = scenario.many("variant").iter().map(|one| one.text("name")).collect();
    for expected in scenario.many("expect") {
        for name in expected.names("variant") {
            if !names.contains(&name.value.as_str()) {
                let message = format!("there is no variant `{}`", name.value);
                wrong.push(name.place, message, suggest(&name.value, &names, "the variants"));
            }
        }
    }
    wrong.into_result(Portable { document, scenario, variants })
}

/// A variant: its mode has to read the portable form.
fn variant(
    families: &Families,
    values: &Values,
    own: Vec<TableEntry>,
) -> Result<Variant, Diagnostics> {
    let mut wrong = values.diagnostics();
    let name = values.text("mode");
    let mode = families.mode(name).filter(|mode| mode.dialect().is_some());
    let Some(mode) = mode else {
        let portable = families.modes().iter().filter(|mode| mode.dialect().is_some());
        let known: Vec<&str> = portable.map(|info| info.mode.name).collect();
        let message = format!("there is no mode `{}`", crate::scenario::shown(name));
        wrong.push(values.span("mode"), message, suggest(name, &known, "the modes"));
        return Err(wrong);
    };
    wrong.into_result(Variant {
        name: values.text("name").to_owned(),
        place: values.place(),
        mode: *mode,
        version: values.get_version("broker-version").unwrap_or_else(|| mode.default_version()),
        wish: values.text("wish").to_owned(),
        own,
    })
}

/// The document without the sections below variants, and these for each variant.
fn without_own_settings(document: &Document) -> (Document, Vec<Vec<TableEntry>>) {
    let mut plain = document.clone();
    let mut own = Vec::new();
    let variants = plain.root.entries.iter_mut().filter(|entry| entry.key == "variant");
    for entry in variants {
        let Data::Array(items) = &mut entry.node.data else { continue };
        for item in items {
            let Data::Table(table) = &mut item.data else { continue };
            let is_section = |entry: &TableEntry| matches!(entry.node.data, Data::Table(_));
            let (sections, keys) = table.entries.drain(..).partition(is_section);
            table.entries = keys;
            own.push(sections);
        }
    }
    (plain, own)
}

/// The document without sections and keys that only brokers know, each of which is told.
fn without_brokers_words(
    families: &Families,
    mut plain: Document,
    wrong: &mut Diagnostics,
) -> Document {
    let portable = sections();
    let is_portable = |path: &str| portable.iter().any(|section| section.path == path);
    plain.root.entries.retain(|entry| {
        if is_portable(&entry.key) || !brokers_have(families, &entry.key, "") {
            return true;
        }
        let message =
            format!("`{}` is a section of some brokers, not of a portable scenario", entry.key);
        let help = format!("write it as [variant.{}] of the variants that have it", entry.key);
        wrong.push(entry.key_place, message, help);
        false
    });
    for entry in &mut plain.root.entries {
        let section = entry.key.as_str();
        let Some(spec) = portable.iter().find(|spec| spec.path == section) else { continue };
        let Data::Array(items) = &mut entry.node.data else { continue };
        for table in items.iter_mut().filter_map(table_of) {
            table.entries.retain(|key| {
                let name = dotted(key);
                if has(spec, &name) || !brokers_have(families, section, &name) {
                    return true;
                }
                let message = format!("`{name}` is a key of some brokers, and not portable");
                let help = format!("write it in [variant.{section}] of the variants that have it");
                wrong.push(key.key_place, message, help);
                false
            });
        }
    }
    plain
}

fn table_of(node: &mut Node) -> Option<&mut Table> {
    match &mut node.data {
        Data::Table(table) => Some(table),
        _ => None,
    }
}

/// The whole of a key whose dots were read as tables.
fn dotted(entry: &TableEntry) -> String {
    match &entry.node.data {
        Data::Table(table) if table.entries.len() == 1 => {
            format!("{}.{}", entry.key, dotted(&table.entries[0]))
        }
        _ => entry.key.clone(),
    }
}

/// Whether a section has a key of that name, or one of which it is a part.
fn has(section: &SectionSpec, name: &str) -> bool {
    let is =
        |known: &str| known == name || name.strip_prefix(known).is_some_and(|r| r.starts_with('.'));
    section.common_keys().any(|key| is(key.name))
}

/// Whether a broker has the section, with that key if one is named.
fn brokers_have(families: &Families, section: &str, key: &str) -> bool {
    let all = families.modes().iter().flat_map(|info| info.about.sections);
    all.filter(|spec| spec.path == section).any(|spec| key.is_empty() || has(spec, key))
}
