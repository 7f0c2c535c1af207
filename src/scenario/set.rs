//! `--set KEY=VALUE`: changes one value of a document.

use std::sync::Arc;

use super::Diagnostics;
use super::document::{Document, MOST_BYTES};
use super::near::{clip, suggest};
use super::source::Place;
use super::tree::{Data, Node, Table, TableEntry};

impl Document {
    /// Applies one argument: `duration=20s`, `cluster.network.latency=1ms`,
    /// `producer.p1.rate=5k/s`, `fault.0.at=3s`. One of several sections is addressed by its
    /// `name` or its number from 0. The value is TOML if it reads as TOML, else it is the text
    /// itself. A key that is not written yet is added; whether it exists, and whether the value
    /// is of its kind, [`Document::check`] finds out.
    ///
    /// # Errors
    /// If it has no `=`, or addresses a section, item or key that cannot be.
    pub fn set(&mut self, argument: &str) -> Result<(), Diagnostics> {
        // A longer one is cut before it is shown; places must fit into the source.
        let kept = argument.get(..MOST_BYTES).unwrap_or(argument);
        let source = Arc::make_mut(&mut self.sources).add_argument(kept);
        let wrong = |range: std::ops::Range<usize>, message: String, help: &str| {
            Diagnostics::at(Place::new(source, range), message, help).with_sources(&self.sources)
        };
        let help = "write KEY=VALUE, for example producer.p1.rate=5k/s";
        if argument.len() > MOST_BYTES {
            let message = format!("the argument is longer than {MOST_BYTES} bytes");
            return Err(wrong(0..0, message, "write large values into the file"));
        }
        let Some((key, value)) = argument.split_once('=') else {
            let message = "the argument has no `=`".to_owned();
            return Err(wrong(0..argument.len(), message, help));
        };
        let segments: Vec<&str> = key.split('.').map(str::trim).collect();
        if segments.iter().any(|segment| segment.is_empty()) || segments.len() > 64 {
            let message = format!("`{}` is no key", clip(key.trim()));
            return Err(wrong(0..key.len(), message, help));
        }
        let key_place = Place::new(source, 0..key.trim_end().len());
        let offset = argument.len() - value.trim_start().len();
        let node = Node::from_argument(value.trim(), Some((source, offset)));
        let change = Change { key_place, node };
        put(&mut self.root, "", &segments, change)
            .map_err(|wrong| wrong.with_sources(&self.sources))
    }

    /// Puts a value that is written elsewhere in this document below a path of keys, of which some may be
    /// the names or numbers of sections; `place` is that of its key.
    ///
    /// # Errors
    /// As [`Document::set`], with `place`.
    pub(crate) fn put(
        &mut self,
        path: &[&str],
        place: Place,
        node: Node,
    ) -> Result<(), Diagnostics> {
        put(&mut self.root, "", path, Change { key_place: place, node })
            .map_err(|wrong| wrong.with_sources(&self.sources))
    }
}

/// The value to be put somewhere.
struct Change {
    key_place: Place,
    node: Node,
}

impl Change {
    fn wrong<T>(&self, message: String, help: String) -> Result<T, Diagnostics> {
        Err(Diagnostics::at(self.key_place, message, help))
    }

    fn entry(self, key: &str) -> TableEntry {
        TableEntry { key: key.to_owned(), key_place: self.key_place, node: self.node }
    }
}

/// Puts the change below `table`, which is at `path`.
fn put(
    table: &mut Table,
    path: &str,
    segments: &[&str],
    change: Change,
) -> Result<(), Diagnostics> {
    // Keys may contain dots, so the longest key that exists is the one that is meant.
    let existing = (1..=segments.len()).rev().find_map(|count| {
        let position = table.position(&segments[..count].join("."))?;
        Some((position, count))
    });
    let Some((position, count)) = existing else {
        table.entries.push(nested(segments, change));
        return Ok(());
    };
    let (entry, rest) = (&mut table.entries[position], &segments[count..]);
    let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
    match (&mut entry.node.data, rest) {
        (Data::Array(items), []) if is_sections(items) && !is_list(&change.node) => {
            let message = format!("there are several [[{path}]]");
            let which = names(items).first().map_or("0", |name| *name).to_owned();
            change.wrong(message, format!("say which one and which key: {path}.{which}.KEY=.."))
        }
        (_, []) => {
            *entry = change.entry(&entry.key.clone());
            Ok(())
        }
        (Data::Table(inner), rest) => put(inner, &path, rest, change),
        (Data::Array(items), rest) => put_item(items, &path, rest, change),
        _ => change.wrong(
            format!("`{path}` is a plain value, there is nothing below it"),
            format!("write {path}=VALUE"),
        ),
    }
}

/// Puts the change into one item of a list: by its name, or by its number.
fn put_item(
    items: &mut [Node],
    path: &str,
    segments: &[&str],
    change: Change,
) -> Result<(), Diagnostics> {
    let by_name = (1..=segments.len()).rev().find_map(|count| {
        let name = segments[..count].join(".");
        Some((items.iter().position(|item| name_of(item) == Some(&name))?, count))
    });
    let number = || segments[0].parse::<usize>().ok().filter(|number| *number < items.len());
    let Some((index, count)) = by_name.or_else(|| number().map(|number| (number, 1))) else {
        return no_such_item(items, path, segments[0], &change);
    };
    let rest = &segments[count..];
    let path = format!("{path}.{}", segments[..count].join("."));
    match (&mut items[index].data, rest) {
        (Data::Table(table), [_, ..]) => put(table, &path, rest, change),
        (Data::Table(_), []) => {
            change.wrong(format!("`{path}` is a whole section"), format!("write {path}.KEY=VALUE"))
        }
        (_, []) => {
            items[index] = change.node;
            Ok(())
        }
        _ => change.wrong(
            format!("`{path}` is a plain value, there is nothing below it"),
            format!("write {path}=VALUE"),
        ),
    }
}

fn no_such_item(
    items: &[Node],
    path: &str,
    wanted: &str,
    change: &Change,
) -> Result<(), Diagnostics> {
    let known = names(items);
    let numbers = match items.len() {
        0 => "there are none".to_owned(),
        1 => "there is only number 0".to_owned(),
        count => format!("they are numbered 0 to {}", count - 1),
    };
    let help = match known.is_empty() {
        true => numbers.clone(),
        false => suggest(wanted, &known, "their names"),
    };
    if wanted.parse::<u64>().is_ok() {
        return change.wrong(format!("there is no [[{path}]] number {wanted}"), numbers);
    }
    change.wrong(format!("no [[{path}]] is called `{}`", clip(wanted)), help)
}

/// A key with the tables above it that do not exist yet.
fn nested(segments: &[&str], change: Change) -> TableEntry {
    let key_place = change.key_place;
    let (last, above) = segments.split_last().expect("a key has at least one part");
    let mut entry = change.entry(last);
    for key in above.iter().rev() {
        let data = Data::Table(Table { entries: vec![entry] });
        let node = Node { place: key_place, data, unquoted: None };
        entry = TableEntry { key: (*key).to_owned(), key_place, node };
    }
    entry
}

fn is_sections(items: &[Node]) -> bool {
    items.iter().any(|item| matches!(item.data, Data::Table(_)))
}

fn is_list(node: &Node) -> bool {
    matches!(node.data, Data::Array(_))
}

fn name_of(item: &Node) -> Option<&str> {
    let Data::Table(table) = &item.data else { return None };
    table.get("name")?.node.text()
}

fn names(items: &[Node]) -> Vec<&str> {
    items.iter().filter_map(name_of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::spec::{KeySpec, Kind, Preset, SectionSpec};
    use super::super::{Place, Scenario};
    use super::*;
    use crate::engine::Span;

    const FILE: &str = r#"
        format = 1
        mode = "test"
        duration = "10s"
        [[producer]]
        name = "p1"
        rate = "1/s"
        [[producer]]
        name = "p.2"
        connect = ["n1", "n2"]
        [[fault]]
        at = "1s"
        [broker]
        "min.insync.replicas" = 1
    "#;

    const SECTIONS: [&SectionSpec; 3] = [
        &SectionSpec::repeated(
            "producer",
            &[&[
                KeySpec::new("name", Kind::Name, Preset::Required, ""),
                KeySpec::new("rate", Kind::Rate, Preset::Is("5/s"), ""),
                KeySpec::new("connect", Kind::Names, Preset::Absent, ""),
            ]],
            "",
        ),
        &SectionSpec::repeated(
            "fault",
            &[&[KeySpec::new("at", Kind::ANY_DURATION, Preset::Required, "")]],
            "",
        ),
        &SectionSpec::single(
            "broker",
            &[&[
                KeySpec::new("net_ticktime", Kind::ANY_DURATION, Preset::Is("60s"), ""),
                KeySpec::new("min.insync.replicas", Kind::ANY_INTEGER, Preset::Is("1"), ""),
                KeySpec::new("zone.default.name", Kind::Text, Preset::Is("5"), ""),
            ]],
            "",
        ),
    ];

    fn with(arguments: &[&str]) -> Result<Scenario, Diagnostics> {
        let mut document = Document::parse("test.toml", FILE.to_owned())?;
        for argument in arguments {
            document.set(argument)?;
        }
        document.check(&SECTIONS, None)
    }

    #[track_caller]
    fn wrong(argument: &str) -> String {
        with(&[argument]).expect_err("it should be refused").to_string()
    }

    #[test]
    fn values_are_changed_by_path_name_and_number() {
        let scenario = with(&[
            "duration=20s",
            "producer.p1.rate=5k/s",
            "producer.p.2.rate = \"7/s\"",
            "producer.1.connect.0=n9",
            "fault.0.at=3s",
            "broker.net_ticktime=8s",
            "broker.min.insync.replicas=2",
        ])
        .unwrap();
        assert_eq!(scenario.settings().duration, Span::from_secs(20));
        let producers = scenario.many("producer");
        assert_eq!(producers[0].rate("rate").to_string(), "5k/s");
        assert_eq!(producers[1].rate("rate").to_string(), "7/s");
        assert_eq!(producers[1].names("connect")[0].value, "n9");
        assert_eq!(scenario.many("fault")[0].duration("at"), Span::from_secs(3));
        assert_eq!(scenario.one("broker").duration("net_ticktime"), Span::from_secs(8));
        assert_eq!(scenario.one("broker").integer("min.insync.replicas"), 2);
    }

    #[test]
    fn the_last_argument_wins_and_keys_may_be_new() {
        let arguments =
            ["duration=20s", "duration=30s", "seed=7", "seeds=2..=4", "broker.zone.default.name=a"];
        let scenario = with(&arguments).unwrap();
        assert_eq!(scenario.settings().duration, Span::from_secs(30));
        assert_eq!((scenario.settings().seed, scenario.settings().seeds.count()), (7, 3));
        assert_eq!(scenario.one("broker").text("zone.default.name"), "a");
        assert!(scenario.top().span("seed").is_argument());
        assert_eq!(scenario.one("broker").span("net_ticktime").source, Place::START.source);
    }

    #[test]
    fn texts_need_no_quotes() {
        let arguments = ["description=5", "broker-version=3.10", "broker.zone.default.name=true"];
        let scenario = with(&arguments).unwrap();
        assert_eq!(scenario.settings().description, "5");
        assert_eq!(scenario.settings().broker_version.map(|v| v.to_string()), Some("3.10".into()));
        assert_eq!(scenario.one("broker").text("zone.default.name"), "true");
    }

    #[test]
    fn mistakes_name_the_nearest_thing_and_the_option() {
        let arguments = [
            "producer.p3.rate=5/s",
            "producer.p1.rat=5/s",
            "prodcer.p1.rate=5/s",
            "fault.3.at=5s",
            "fault.first.at=5s",
            "duration=5 parsecs",
            "duration",
            "duration.x=1",
            "producer=5",
            "producer.p1=5",
            ".duration=5s",
            "consumer.c1.ack=manual",
        ];
        let shown = arguments.map(|argument| format!("=== {argument}\n{}", wrong(argument)));
        insta::assert_snapshot!(shown.join("\n"));
    }
}
