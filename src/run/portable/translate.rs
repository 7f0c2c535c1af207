//! From a portable scenario to the ordinary one of a variant.

use toml::de::DeTable;

use crate::brokers::kit::{Dialect, Hosts, Setting};
use crate::scenario::{
    Data, Diagnostics, Document, Node, Place, Table, TableEntry, Value, Values, Written,
};

use super::selectors::Cast;
use super::{Portable, Variant};

/// The scenario of a variant, as its broker has it.
pub(super) fn translate(portable: &Portable, variant: &Variant) -> Result<Written, Diagnostics> {
    let dialect = variant.mode.dialect().expect("a variant's mode reads the portable form");
    let mut wrong = portable.scenario.diagnostics();
    let destinations: Vec<Destination<'_>> =
        portable.scenario.many("destination").iter().map(Destination::of).collect();
    let hosts = hosts(portable);
    for one in &destinations {
        if one.copies > hosts.len() {
            let message = format!("{} copies do not fit on {} hosts", one.copies, hosts.len());
            wrong.push(
                one.copies_at,
                message,
                "write fewer `copies`, or more `nodes` in [cluster]",
            );
        }
    }
    let most = destinations.iter().map(|one| one.copies).max().unwrap_or(1);
    let brokers = match dialect.hosts {
        Hosts::All => hosts.len(),
        Hosts::First(count) => count.min(hosts.len()),
        Hosts::Groups => hosts.len() / most * most,
    };
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let cast = Cast {
        hosts: &hosts,
        brokers,
        destinations: destinations.iter().map(|one| one.name).collect(),
        leader: dialect.leader,
        follower: dialect.follower,
    };
    let mut made = Made {
        portable,
        variant,
        dialect,
        destinations,
        cast,
        root: Table::default(),
        notes: Vec::new(),
    };
    made.top();
    made.cluster();
    made.destinations(&mut wrong);
    made.as_it_is("supervisor");
    made.clients();
    made.faults(&mut wrong);
    made.expectations();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let Made { destinations, root, notes, .. } = made;
    let mut document = Document { sources: portable.document.sources.clone(), root };
    wish(&mut document, variant, dialect, &destinations, most)?;
    for section in &variant.own {
        own(&mut document, &[&section.key], section)?;
    }
    let mut comments = vec![format!(
        "# Variant {} of {}: {} {}, {}.",
        variant.name,
        portable.name(),
        variant.mode.mode.name,
        variant.version,
        variant.wish
    )];
    comments.extend(notes.into_iter().map(|note| format!("# {note}")));
    Ok(document.written().under(&(comments.join("\n") + "\n")))
}

/// The names of the cluster's hosts.
fn hosts(portable: &Portable) -> Vec<String> {
    let named = portable.scenario.many("cluster.node");
    if named.is_empty() {
        let count = portable.scenario.one("cluster").get_integer("nodes").unwrap_or(3);
        return (1..=count).map(|number| format!("n{number}")).collect();
    }
    named.iter().map(|node| node.text("name").to_owned()).collect()
}

/// A destination, in figures.
struct Destination<'a> {
    name: &'a str,
    copies: usize,
    copies_at: Place,
    partitions: u64,
}

impl<'a> Destination<'a> {
    fn of(values: &'a Values) -> Destination<'a> {
        Destination {
            name: values.text("name"),
            copies: values.integer("copies") as usize,
            copies_at: values.span("copies"),
            partitions: values.integer("partitions"),
        }
    }

    fn fill(&self, text: &str) -> String {
        filled(text, self.copies)
            .replace("{name}", self.name)
            .replace("{partitions}", &self.partitions.to_string())
    }
}

/// A text of a dialect with the numbers of copies in it.
fn filled(text: &str, copies: usize) -> String {
    text.replace("{copies}", &copies.to_string())
        .replace("{others}", &(copies - 1).to_string())
        .replace("{majority}", &(copies / 2 + 1).to_string())
}

/// A scenario that is being made.
struct Made<'a> {
    portable: &'a Portable,
    variant: &'a Variant,
    dialect: &'a Dialect,
    destinations: Vec<Destination<'a>>,
    cast: Cast<'a>,
    root: Table,
    /// What the portable scenario has and this one not, in whole sentences.
    notes: Vec<String>,
}

impl Made<'_> {
    fn written(&self, key: &str) -> Option<&TableEntry> {
        self.portable.document.root.get(key)
    }

    fn add(&mut self, key: &str, place: Place, data: Data) {
        let node = Node { place, data, unquoted: None };
        self.root.entries.push(TableEntry { key: key.to_owned(), key_place: place, node });
    }

    fn as_it_is(&mut self, key: &str) {
        if let Some(entry) = self.written(key).cloned() {
            self.root.entries.push(entry);
        }
    }

    /// The keys of the top level.
    fn top(&mut self) {
        let variant = self.variant;
        let name = format!("{}-{}", self.portable.name(), variant.name);
        let text = |text: &str| Data::String(text.to_owned());
        self.as_it_is("format");
        self.add("name", variant.place, text(&name));
        self.as_it_is("description");
        self.add("mode", variant.place, text(variant.mode.mode.name));
        self.add("broker-version", variant.place, text(&variant.version.to_string()));
        let own = ["format", "name", "description", "mode"];
        let rest = &self.portable.document.root.entries;
        let rest = rest.iter().filter(|entry| !own.contains(&entry.key.as_str()));
        let plain = |data: &Data| !matches!(data, Data::Table(_) | Data::Array(_));
        let plain: Vec<TableEntry> =
            rest.filter(|entry| plain(&entry.node.data)).cloned().collect();
        self.root.entries.extend(plain);
    }

    /// The cluster, of as many hosts as the mode has brokers.
    fn cluster(&mut self) {
        let brokers = self.cast.brokers;
        let written =
            self.written("cluster").map(|entry| (entry.node.place, entry.node.data.clone()));
        let (place, mut table) = match written {
            Some((place, Data::Table(table))) => (place, table),
            _ => (self.variant.place, Table::default()),
        };
        let nodes = table.entries.iter_mut().find(|entry| entry.key == "node");
        if let Some(TableEntry { node: Node { data: Data::Array(items), .. }, .. }) = nodes {
            items.truncate(brokers);
        } else {
            let number = Data::Integer { digits: brokers.to_string(), radix: 10 };
            match table.position("nodes") {
                Some(at) => table.entries[at].node.data = number,
                None => {
                    let node = Node { place, data: number, unquoted: None };
                    let key = "nodes".to_owned();
                    table.entries.insert(0, TableEntry { key, key_place: place, node });
                }
            }
        }
        self.add("cluster", place, Data::Table(table));
        if brokers < self.cast.hosts.len() {
            let rest = self.cast.hosts[brokers..].join(", ");
            self.notes.push(format!("No broker in this mode: {rest}."));
        }
    }

    /// The sections of each destination, put together.
    fn destinations(&mut self, wrong: &mut Diagnostics) {
        for destination in &self.destinations {
            let text = destination.fill(self.dialect.destination);
            let (table, errors) = DeTable::parse_recoverable(&text);
            debug_assert!(errors.is_empty(), "{text}");
            // It stands nowhere in the file.
            let sections = Table::from_toml(table.get_ref(), u32::MAX, 0);
            for section in sections.entries {
                let found = self.root.entries.iter_mut().find(|entry| entry.key == section.key);
                match (found.map(|entry| &mut entry.node.data), section.node.data) {
                    (Some(Data::Array(all)), Data::Array(more)) => all.extend(more),
                    (Some(Data::Table(all)), Data::Table(more)) if !same(all, &more) => {
                        let message = format!(
                            "in mode {} all destinations have as many copies",
                            self.variant.mode.mode.name
                        );
                        wrong.push(
                            destination.copies_at,
                            message,
                            "write the same `copies` in each",
                        );
                    }
                    (Some(_), _) => {}
                    (None, data) => {
                        let node = Node { data, ..section.node };
                        self.root.entries.push(TableEntry { node, ..section });
                    }
                }
            }
        }
    }

    fn clients(&mut self) {
        self.as_it_is("producer");
        self.as_it_is("consumer");
    }

    /// Faults, with targets in the mode's words, and without those that meet nobody here.
    fn faults(&mut self, wrong: &mut Diagnostics) {
        if let Some(mut entry) = self.written("fault").cloned() {
            self.aimed(&mut entry.node, "fault", wrong);
            self.root.entries.push(entry);
        }
        if let Some(mut entry) = self.written("nemesis").cloned() {
            if let Data::Table(table) = &mut entry.node.data
                && let Some(at) = table.position("fault")
            {
                self.aimed(&mut table.entries[at].node, "nemesis.fault", wrong);
            }
            self.root.entries.push(entry);
        }
    }

    fn aimed(&mut self, list: &mut Node, section: &str, wrong: &mut Diagnostics) {
        let Data::Array(items) = &mut list.data else { return };
        let values = self.portable.scenario.many(section).iter();
        let mut kept = Vec::new();
        for (mut item, values) in items.drain(..).zip(values) {
            let Data::Table(table) = &mut item.data else { continue };
            let mut met = true;
            for (key, value) in values.iter() {
                let Some(Value::Selectors(selectors)) = value else { continue };
                let Some(at) = table.position(key) else { continue };
                let translated = selectors.iter().map(|selector| self.cast.translate(selector));
                let translated: Vec<Option<String>> =
                    translated.filter_map(|one| wrong.keep(one)).collect();
                // A side of a partition that is not there leaves nothing to part.
                met &= match section {
                    "fault" => translated.iter().all(Option::is_some),
                    _ => translated.iter().any(Option::is_some),
                };
                aim(&mut table.entries[at].node, translated.into_iter().flatten().collect());
            }
            if met {
                kept.push(item);
            } else {
                let sources = self.portable.document.sources();
                let line = sources.line_column(item.place).map_or(0, |(line, _)| line);
                self.notes
                    .push(format!("[[{section}]] of line {line} meets no host of this mode."));
            }
        }
        *items = kept;
    }

    /// What is expected of this variant.
    fn expectations(&mut self) {
        let Some(mut entry) = self.written("expect").cloned() else { return };
        let Data::Array(items) = &mut entry.node.data else { return };
        let values = self.portable.scenario.many("expect").iter();
        let meant = |values: &Values| {
            let names = values.names("variant");
            names.is_empty() || names.iter().any(|name| name.value == self.variant.name)
        };
        let kept = items.drain(..).zip(values).filter(|(_, values)| meant(values));
        let mut kept: Vec<Node> = kept.map(|(item, _)| item).collect();
        for item in &mut kept {
            let Data::Table(table) = &mut item.data else { continue };
            table.entries.retain(|entry| entry.key != "variant");
        }
        *items = kept;
        self.root.entries.push(entry);
    }
}

/// Puts selectors in the place of others: a list where one is written, else one.
fn aim(node: &mut Node, selectors: Vec<String>) {
    match &mut node.data {
        Data::Array(items) => {
            let place = node.place;
            let one = |text| Node { place, data: Data::String(text), unquoted: None };
            *items = selectors.into_iter().map(one).collect();
        }
        data => *data = Data::String(selectors.join(",")),
    }
}

/// Whether two tables of plain values say the same.
fn same(one: &Table, other: &Table) -> bool {
    let plain = |table: &Table| {
        let entries = table.entries.iter();
        entries.map(|entry| format!("{}={:?}", entry.key, entry.node.data)).collect::<Vec<_>>()
    };
    plain(one) == plain(other)
}

/// Sets what is wished.
fn wish(
    document: &mut Document,
    variant: &Variant,
    dialect: &Dialect,
    destinations: &[Destination<'_>],
    most: usize,
) -> Result<(), Diagnostics> {
    let wished: &[Setting] = match variant.wish.as_str() {
        "safest" => dialect.safest,
        "fastest" => dialect.fastest,
        _ => &[],
    };
    for setting in dialect.always.iter().chain(wished) {
        if !setting.since.is_empty() && variant.version.cmp_spec(setting.since).is_lt() {
            continue;
        }
        let Some((section, rest)) = setting.set.split_once(".*.") else {
            document.set(&filled(setting.set, most))?;
            continue;
        };
        let count = match document.root.get(section).map(|entry| &entry.node.data) {
            Some(Data::Array(items)) => items.len(),
            _ => 0,
        };
        for at in 0..count {
            // Sections of destinations come in their order.
            let of = destinations.get(at).filter(|_| !matches!(section, "producer" | "consumer"));
            let copies = of.map_or(most, |destination| destination.copies);
            document.set(&format!("{section}.{at}.{}", filled(rest, copies)))?;
        }
    }
    Ok(())
}

/// Puts a variant's own settings on top, one value at a time; a section that there are several of means all.
fn own(document: &mut Document, path: &[&str], entry: &TableEntry) -> Result<(), Diagnostics> {
    let inline = document.sources.text(entry.node.place).starts_with('{');
    if let Data::Table(table) = &entry.node.data
        && (path.len() == 1 || !inline)
    {
        for below in &table.entries {
            // In quotes or not, a key with dots is the same.
            let key: Vec<&str> = below.key.split('.').collect();
            own(document, &[path, &key].concat(), below)?;
        }
        return Ok(());
    }
    let several = match document.root.get(path[0]).map(|entry| &entry.node.data) {
        Some(Data::Array(items)) => Some(items.len()),
        _ => None,
    };
    let Some(count) = several else {
        return document.put(path, entry.key_place, entry.node.clone());
    };
    for at in 0..count {
        let number = at.to_string();
        let path = [&path[..1], &[number.as_str()], &path[1..]].concat();
        document.put(&path, entry.key_place, entry.node.clone())?;
    }
    Ok(())
}
