//! Checks a document against the tables of keys.

use std::sync::Arc;

use super::checked::Section;
use super::diagnostics::Diagnostics;
use super::document::Document;
use super::near;
use super::read::Reader;
use super::source::{Place, Sources};
use super::spec::{KeySpec, MOST_ITEMS, Preset, SectionSpec, Tagged, Variant};
use super::top::{Settings, TOP};
use super::tree::{Data, Node, Table, TableEntry};
use super::units::Version;
use super::values::{Entry, Value, Values};
use super::{Kind, Scenario};

/// Checks the top level and the sections of `specs`.
pub(crate) fn check(
    document: &Document,
    specs: &[&SectionSpec],
    version: Option<Version>,
) -> Result<Scenario, Diagnostics> {
    let mut all: Vec<&SectionSpec> = vec![&TOP];
    all.extend(specs.iter().copied().filter(|spec| !spec.path.is_empty()));
    let mut checker = Checker::new(&document.sources, version, all);
    let top = checker.table("", &document.root, Place::NOWHERE);
    checker.found[0].push(top);
    checker.fill_absent();
    let Checker { mut reader, specs, found, .. } = checker;
    if !reader.wrong.is_empty() {
        return Err(reader.wrong);
    }
    let settings = Settings::from_values(&found[0][0], document.sources.file());
    let Some(settings) = reader.wrong.keep(settings) else { return Err(reader.wrong) };
    let section = |(spec, items): (&&SectionSpec, Vec<Values>)| Section { path: spec.path, items };
    let sections = specs.iter().zip(found).map(section).collect();
    Ok(Scenario { sources: Arc::clone(&document.sources), settings, sections })
}

/// The `broker-version` of a document whose other keys are not checked.
pub(crate) fn broker_version(document: &Document) -> Result<Option<Version>, Diagnostics> {
    let Some(entry) = document.root.get("broker-version") else { return Ok(None) };
    let mut reader = Reader::new(&document.sources, None);
    match reader.read(&Kind::Version, &entry.node, "broker-version") {
        Some(Value::Version(version)) => Ok(Some(version)),
        _ => Err(reader.wrong),
    }
}

struct Checker<'a> {
    reader: Reader,
    specs: Vec<&'a SectionSpec>,
    /// The items that were found of each spec.
    found: Vec<Vec<Values>>,
    /// Which specs were met at all, be it in a wrong form.
    met: Vec<bool>,
}

impl<'a> Checker<'a> {
    fn new(sources: &Arc<Sources>, version: Option<Version>, specs: Vec<&'a SectionSpec>) -> Self {
        let found = vec![Vec::new(); specs.len()];
        let met = vec![false; specs.len()];
        Checker { reader: Reader::new(sources, version), specs, found, met }
    }

    fn spec_at(&self, path: &str) -> Option<usize> {
        self.specs.iter().position(|spec| spec.path == path)
    }

    /// Whether `path` is a section, or has sections below it.
    fn is_section(&self, path: &str) -> bool {
        self.specs.iter().any(|spec| {
            let rest = spec.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Checks the table at `path`, and the sections below it.
    fn table(&mut self, path: &str, table: &Table, place: Place) -> Values {
        let spec = self.spec_at(path).map(|index| self.specs[index]);
        let repeated = spec.is_some_and(|spec| spec.repeated);
        let mut own = Table::default();
        for entry in &table.entries {
            let below =
                if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
            let is_key =
                spec.is_some_and(|spec| spec.common_keys().any(|key| key.name == entry.key));
            if !repeated && !is_key && self.is_section(&below) {
                self.section(&below, entry);
            } else {
                own.entries.push(entry.clone());
            }
        }
        let label = match (repeated, own.get("name")) {
            (true, Some(TableEntry { node: Node { data: Data::String(name), .. }, .. })) => {
                format!("{path}.{name}")
            }
            (true, _) => {
                let index = self.spec_at(path).map_or(0, |index| self.found[index].len());
                format!("{path}.{index}")
            }
            (false, _) => path.to_owned(),
        };
        let common: Vec<&'static KeySpec> = spec.map_or(Vec::new(), |s| s.common_keys().collect());
        let title = title(path, repeated);
        let others = self.other_names(path);
        let keys = Keys { title: &title, common, tagged: spec.and_then(|s| s.tagged), others };
        self.reader.keys(&label, &own, place, &keys)
    }

    /// The sections that may stand below `path`, and keys of other sections with their section:
    /// what an unknown key may have been meant to be.
    fn other_names(&self, path: &str) -> Vec<(String, String)> {
        let mut others = Vec::new();
        for spec in &self.specs {
            let title = title(spec.path, spec.repeated);
            let below = match path {
                "" => Some(spec.path),
                _ => spec.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')),
            };
            if let Some(below) = below.filter(|below| !below.is_empty()) {
                others.push((below.to_owned(), String::new()));
            }
            if spec.path != path {
                others.extend(spec.common_keys().map(|key| (key.name.to_owned(), title.clone())));
            }
        }
        others
    }

    fn section(&mut self, path: &str, entry: &TableEntry) {
        let index = self.spec_at(path);
        let repeated = index.is_some_and(|index| self.specs[index].repeated);
        let title = title(path, repeated);
        if let Some(index) = index {
            self.met[index] = true;
        }
        match (&entry.node.data, repeated) {
            (Data::Table(table), false) => {
                let values = self.table(path, table, entry.key_place);
                if let Some(index) = index {
                    self.found[index].push(values);
                }
            }
            (Data::Array(items), true) => self.items(path, items, index.unwrap_or(0)),
            (Data::Table(_), true) if entry.key_place.is_argument() => self.reader.wrong.push(
                entry.key_place,
                format!("the file has no section {title}"),
                format!("add {title} to the file; `--set` only changes what is there"),
            ),
            (Data::Table(_), true) => self.reader.wrong.push(
                entry.key_place,
                format!("there may be several sections `{path}`"),
                format!("write {title}, with two brackets"),
            ),
            (Data::Array(_), false) => self.reader.wrong.push(
                entry.key_place,
                format!("there is only one section `{path}`"),
                format!("write {title} once, with single brackets"),
            ),
            _ => self.reader.wrong.push(
                entry.node.place,
                format!("`{path}` is a section, not {}", entry.node.describe()),
                format!("write {title} and its keys below"),
            ),
        }
    }

    fn items(&mut self, path: &str, items: &[Node], index: usize) {
        if items.len() > MOST_ITEMS {
            self.reader.wrong.push(
                items[MOST_ITEMS].place,
                format!("there are {} sections [[{path}]]", items.len()),
                format!("a scenario may have at most {MOST_ITEMS} of each"),
            );
            return;
        }
        for item in items {
            match &item.data {
                Data::Table(table) => {
                    let values = self.table(path, table, item.place);
                    self.found[index].push(values);
                }
                _ => self.reader.wrong.push(
                    item.place,
                    format!("an item of `{path}` must be a table, not {}", item.describe()),
                    format!("write [[{path}]] and its keys below"),
                ),
            }
        }
        self.duplicate_names(path, index);
    }

    /// Names are what things are addressed by, so they must differ.
    fn duplicate_names(&mut self, path: &str, index: usize) {
        let mut named: Vec<(&str, Place)> = Vec::new();
        for values in self.found[index].iter().filter(|values| values.knows("name")) {
            if let (Some(Value::Text(name)), true) = (values.value("name"), values.is_set("name")) {
                named.push((name, values.span("name")));
            }
        }
        named.sort_unstable();
        for pair in named.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let line = self.reader.sources.line_column(pair[0].1).map_or(0, |(line, _)| line);
            self.reader.wrong.push(
                pair[1].1,
                format!("`{}` is already the name of the [[{path}]] in line {line}", pair[0].0),
                "give each its own name; `--set`, faults and reports address things by it",
            );
        }
    }

    /// Sections that are not written have their defaults, or are missing.
    fn fill_absent(&mut self) {
        for index in 1..self.specs.len() {
            let spec = self.specs[index];
            if spec.repeated || spec.optional || self.met[index] {
                continue;
            }
            let required = spec.common_keys().find(|key| key.default == Preset::Required);
            if let Some(key) = required {
                let (key, example) = (key.name, super::words::example(&key.kind));
                self.reader.wrong.push(
                    Place::NOWHERE,
                    format!(
                        "the section [{}] is missing; its key `{key}` must be written",
                        spec.path
                    ),
                    format!("add [{}] with {key} = {example}. {}", spec.path, spec.meaning),
                );
                continue;
            }
            let mut values = self.table(spec.path, &Table::default(), Place::NOWHERE);
            values.present = false;
            self.found[index].push(values);
        }
    }
}

/// How a section is written.
pub(crate) fn title(path: &str, repeated: bool) -> String {
    match (path, repeated) {
        ("", _) => "the top level".to_owned(),
        (_, true) => format!("[[{path}]]"),
        (_, false) => format!("[{path}]"),
    }
}

fn missing_help(spec: &KeySpec) -> String {
    format!("add {} = {}. {}", spec.name, super::words::example(&spec.kind), spec.meaning)
}

/// "in [cluster]", but "at the top level".
fn inside(title: &str) -> String {
    let preposition = if title.starts_with("the top") { "at" } else { "in" };
    format!("{preposition} {title}")
}

/// The keys that one table may have.
pub(crate) struct Keys<'a> {
    /// How the table is called in messages.
    pub(crate) title: &'a str,
    pub(crate) common: Vec<&'static KeySpec>,
    pub(crate) tagged: Option<&'static Tagged>,
    /// Names known elsewhere, with the section that has them; sections themselves with none.
    pub(crate) others: Vec<(String, String)>,
}

/// A key that was found in a table, its name put together from dotted parts.
struct Found<'a> {
    name: String,
    entry: &'a TableEntry,
}

impl Reader {
    /// Reads a table by its keys.
    pub(crate) fn keys(
        &mut self,
        path: &str,
        table: &Table,
        place: Place,
        keys: &Keys<'_>,
    ) -> Values {
        let mut found = Vec::new();
        let every: Vec<&'static str> = every_name(keys);
        self.flatten("", table, &every, keys, &mut found);
        let mut entries = Vec::new();
        let mut specs = keys.common.clone();
        if let Some(tagged) = keys.tagged {
            let variant = self.tag(tagged, &found, place, keys.title, &mut entries);
            specs.extend(variant.iter().flat_map(|variant| variant.keys));
            self.other_variants(tagged, variant, &found, &specs);
        }
        for spec in specs {
            let here = found.iter().find(|found| found.name == spec.name).map(|found| found.entry);
            entries.push(self.entry(spec, here, place, keys.title));
        }
        Values {
            path: path.to_owned(),
            place,
            present: true,
            entries,
            sources: Arc::clone(&self.sources),
        }
    }

    /// Collects the known keys of a table; keys with dots may be spread over nested tables.
    fn flatten<'t>(
        &mut self,
        prefix: &str,
        table: &'t Table,
        every: &[&'static str],
        keys: &Keys<'_>,
        found: &mut Vec<Found<'t>>,
    ) {
        for entry in &table.entries {
            let name = format!("{prefix}{}", entry.key);
            let below = format!("{name}.");
            // A key may be the beginning of others: `group`, and `group.id`.
            let spread = |inner: &Table| {
                let known = |entry: &TableEntry| {
                    let inner = format!("{below}{}", entry.key);
                    let deeper = format!("{inner}.");
                    every.iter().any(|key| *key == inner || key.starts_with(&deeper))
                };
                inner.entries.iter().any(known)
            };
            let is_spread = matches!(&entry.node.data, Data::Table(inner) if spread(inner));
            if every.contains(&name.as_str()) && !is_spread {
                if found.iter().any(|found| found.name == name) {
                    let message = format!("`{name}` is written twice");
                    self.wrong.push(entry.key_place, message, "remove one of the two");
                }
                found.push(Found { name, entry });
                continue;
            }
            match &entry.node.data {
                Data::Table(inner) if every.iter().any(|key| key.starts_with(&below)) => {
                    self.flatten(&below, inner, every, keys, found);
                }
                _ => self.unknown(&name, entry, every, keys),
            }
        }
    }

    fn unknown(&mut self, name: &str, entry: &TableEntry, every: &[&str], keys: &Keys<'_>) {
        if self.wrong.len() >= super::MOST {
            // It would not be shown: only counted.
            self.wrong.push(entry.key_place, "", "");
            return;
        }
        let is_table = match &entry.node.data {
            Data::Table(_) => true,
            Data::Array(items) => items.iter().any(|item| matches!(item.data, Data::Table(_))),
            _ => false,
        };
        let top = keys.title == title("", false);
        let sections = || keys.others.iter().filter(|(_, section)| section.is_empty());
        let what = if is_table && sections().next().is_some() { "section" } else { "key" };
        if let ("key", Data::Table(table)) = (what, &entry.node.data)
            && !table.entries.is_empty()
        {
            // Keys may have dots in them, which TOML takes for tables.
            for inner in &table.entries {
                let place = entry.key_place.upto(inner.key_place);
                let inner = TableEntry { key_place: place, ..inner.clone() };
                self.unknown(&format!("{name}.{}", inner.key), &inner, every, keys);
            }
            return;
        }
        let place = if top { String::new() } else { format!(" {}", inside(keys.title)) };
        let message = format!("there is no {what} `{}`{place}", near::clip(name));
        let mut known: Vec<&str> = every.to_vec();
        if what == "section" {
            known.clear();
        }
        known.extend(sections().map(|(name, _)| name.as_str()));
        let elsewhere = keys.others.iter().find(|(other, at)| other == name && !at.is_empty());
        let help = match (near::nearest(name, &known), elsewhere) {
            (Some(best), _) => format!("did you mean `{best}`?"),
            (None, Some((_, section))) => format!("`{name}` is a key of {section}"),
            (None, None) => near::suggest(name, &known, &format!("the {what}s here")),
        };
        self.wrong.push(entry.key_place, message, help);
    }

    /// Reads the tag and says which variant it names.
    fn tag(
        &mut self,
        tagged: &'static Tagged,
        found: &[Found<'_>],
        place: Place,
        title: &str,
        entries: &mut Vec<Entry>,
    ) -> Option<&'static Variant> {
        let names: Vec<&str> = tagged.variants.iter().map(|variant| variant.name).collect();
        let mut entry = Entry {
            name: tagged.tag,
            kind: Kind::Text,
            value: None,
            place: Place::NOWHERE,
            set: false,
        };
        let mut variant = None;
        if let Some(found) = found.iter().find(|found| found.name == tagged.tag) {
            entry.place = found.entry.node.place;
            entry.set = true;
            if let Some(chosen) = self.choice(&found.entry.node, tagged.tag, &names) {
                variant = tagged.variants.iter().find(|variant| variant.name == chosen);
                entry.value = Some(Value::Text(chosen.to_owned()));
            }
        } else {
            self.wrong.push(
                place,
                format!("the key `{}` is missing {}", tagged.tag, inside(title)),
                format!("add {} = {}", tagged.tag, near::quoted(&names)),
            );
        }
        entries.push(entry);
        variant
    }

    /// Keys of a variant that was not chosen.
    fn other_variants(
        &mut self,
        tagged: &Tagged,
        chosen: Option<&Variant>,
        found: &[Found<'_>],
        specs: &[&KeySpec],
    ) {
        let Some(chosen) = chosen else { return };
        for found in found {
            if found.name == tagged.tag || specs.iter().any(|spec| spec.name == found.name) {
                continue;
            }
            let has = |variant: &&Variant| variant.keys.iter().any(|key| key.name == found.name);
            let owners: Vec<&str> = tagged.variants.iter().filter(has).map(|v| v.name).collect();
            self.wrong.push(
                found.entry.key_place,
                format!("`{}` does not go with {} = \"{}\"", found.name, tagged.tag, chosen.name),
                format!("it goes with {} = {}; remove one", tagged.tag, near::quoted(&owners)),
            );
        }
    }

    fn entry(
        &mut self,
        spec: &'static KeySpec,
        found: Option<&TableEntry>,
        place: Place,
        title: &str,
    ) -> Entry {
        let mut entry = Entry {
            name: spec.name,
            kind: spec.kind,
            value: None,
            place: Place::NOWHERE,
            set: false,
        };
        match found {
            Some(found) => {
                entry.place = found.node.place;
                entry.set = true;
                self.check_version(spec, found.key_place);
                entry.value = self.read(&spec.kind, &found.node, spec.name);
            }
            None if spec.default == Preset::Required => self.wrong.push(
                place,
                format!("the key `{}` is missing {}", spec.name, inside(title)),
                missing_help(spec),
            ),
            None => entry.value = preset(spec, self.version),
        }
        entry
    }

    fn check_version(&mut self, spec: &KeySpec, place: Place) {
        let Some(version) = self.version else { return };
        if let Some(since) = spec.since
            && version.cmp_spec(since).is_lt()
        {
            self.wrong.push(
                place,
                format!("`{}` does not exist before version {since}", spec.name),
                format!("remove it, or raise `broker-version`, which is {version}"),
            );
        }
        if let Some(until) = spec.until
            && version.cmp_spec(until).is_ge()
        {
            self.wrong.push(
                place,
                format!("`{}` no longer exists in version {until}", spec.name),
                format!("remove it, or lower `broker-version`, which is {version}"),
            );
        }
    }
}

fn every_name(keys: &Keys<'_>) -> Vec<&'static str> {
    let mut every: Vec<&'static str> = keys.common.iter().map(|key| key.name).collect();
    if let Some(tagged) = keys.tagged {
        every.push(tagged.tag);
        for key in tagged.variants.iter().flat_map(|variant| variant.keys) {
            if !every.contains(&key.name) {
                every.push(key.name);
            }
        }
    }
    every
}

/// The default of a key, read by the parser that reads the file.
///
/// # Panics
/// If it is not of the key's kind: a mistake in the spec.
pub(crate) fn preset(spec: &'static KeySpec, version: Option<Version>) -> Option<Value> {
    let text = match spec.default {
        Preset::Required | Preset::Absent => return None,
        Preset::Is(text) => text,
        Preset::ByVersion(pairs) => {
            let holds = |pair: &&(&str, &str)| match version {
                Some(version) => version.cmp_spec(pair.0).is_ge(),
                None => true,
            };
            pairs.iter().rev().find(holds).or(pairs.first()).map(|pair| pair.1)?
        }
    };
    match try_preset(spec, text) {
        Ok(value) => Some(value),
        Err(wrong) => panic!("the default of `{}` is wrong:\n{wrong}", spec.name),
    }
}

/// Reads one default as written in the spec.
pub(crate) fn try_preset(spec: &'static KeySpec, text: &str) -> Result<Value, Diagnostics> {
    let mut reader = Reader::new(&Arc::new(Sources::default()), None);
    let value = reader.read(&spec.kind, &Node::from_argument(text, None), spec.name);
    match value {
        Some(value) if reader.wrong.is_empty() => Ok(value),
        _ => Err(reader.wrong),
    }
}
