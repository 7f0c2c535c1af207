//! The parsed file as a tree of owned nodes that know where they are written.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::source::Place;

/// A value as written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) data: Data,
    /// The text of a plain value that was not written in the file, where quotes are not asked
    /// for: `--set name=5` may be meant as a text.
    pub(crate) unquoted: Option<String>,
}

/// What was written.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    String(String),
    /// The digits, with a sign, without underscores; decimal if the radix is 10.
    Integer {
        digits: String,
        radix: u32,
    },
    /// As written, without underscores.
    Float(String),
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

/// The keys of a table in the order of the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<TableEntry>,
}

/// One key of a table.
#[derive(Clone, Debug)]
pub(crate) struct TableEntry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) node: Node,
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&TableEntry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }

    /// The table that was parsed from source number `source`, `offset` bytes into it.
    pub(crate) fn from_toml(table: &DeTable<'_>, source: u32, offset: usize) -> Table {
        let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
            let span = key.span();
            TableEntry {
                key: key.get_ref().to_string(),
                key_place: Place::new(source, span.start + offset..span.end + offset),
                node: Node::from_toml(value, source, offset),
            }
        };
        let mut entries: Vec<TableEntry> = table.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.key_place);
        Table { entries }
    }
}

impl Node {
    /// The value that was parsed from source number `source`, `offset` bytes into it.
    pub(crate) fn from_toml(value: &Spanned<DeValue<'_>>, source: u32, offset: usize) -> Node {
        let span = value.span();
        let place = Place::new(source, span.start + offset..span.end + offset);
        let inner = |value: &Spanned<DeValue<'_>>| Node::from_toml(value, source, offset);
        let data = match value.get_ref() {
            DeValue::String(text) => Data::String(text.to_string()),
            DeValue::Integer(number) => {
                Data::Integer { digits: number.as_str().to_owned(), radix: number.radix() }
            }
            DeValue::Float(number) => Data::Float(number.as_str().to_owned()),
            DeValue::Boolean(flag) => Data::Boolean(*flag),
            DeValue::Datetime(_) => Data::Datetime,
            DeValue::Array(items) => Data::Array(items.iter().map(inner).collect()),
            DeValue::Table(table) => Data::Table(Table::from_toml(table, source, offset)),
        };
        Node { place, data, unquoted: None }
    }

    /// The value of a `--set` argument or a default: TOML if it reads as TOML, else the text
    /// itself. An argument has the number of its source and the offset of the value in it.
    pub(crate) fn from_argument(text: &str, argument: Option<(u32, usize)>) -> Node {
        let place = match argument {
            Some((source, offset)) => Place::new(source, offset..offset + text.len()),
            None => Place::NOWHERE,
        };
        let mut node = match (DeValue::parse(text), argument) {
            (Ok(value), Some((source, offset))) => Node::from_toml(&value, source, offset),
            (Ok(value), None) => Node::from_toml(&value, u32::MAX, 0),
            (Err(_), _) => Node { place, data: Data::String(text.to_owned()), unquoted: None },
        };
        let plain = !matches!(node.data, Data::String(_) | Data::Array(_) | Data::Table(_));
        node.unquoted = plain.then(|| text.trim().to_owned());
        node
    }

    /// The text, if it is one or may be meant as one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => self.unquoted.as_deref(),
        }
    }

    /// What it is, in words.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.data {
            Data::String(_) => "a text",
            Data::Integer { .. } => "a whole number",
            Data::Float(_) => "a number with decimals",
            Data::Boolean(_) => "true or false",
            Data::Datetime => "a date or time of day",
            Data::Array(_) => "a list",
            Data::Table(_) => "a table",
        }
    }
}
