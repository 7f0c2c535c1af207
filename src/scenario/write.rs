//! A document as TOML text again, and where each piece of the text comes from.

use std::ops::Range;

use super::document::Document;
use super::source::{Place, Sources};
use super::tree::{Data, Node, Table, TableEntry};

/// A document as text.
#[derive(Clone, Debug)]
pub struct Written {
    /// TOML: plain keys first, then a section after the other.
    pub text: String,
    /// Which bytes of it are written at which place of the document.
    origins: Vec<(Range<usize>, Place)>,
}

impl Written {
    /// The same below a text.
    #[must_use]
    pub fn under(mut self, head: &str) -> Written {
        self.text.insert_str(0, head);
        for (range, _) in &mut self.origins {
            *range = range.start + head.len()..range.end + head.len();
        }
        self
    }

    /// Where in the document that stands which is at `place` of the text: of all that covers it the narrowest.
    #[must_use]
    pub fn origin(&self, place: Place) -> Option<Place> {
        if place.source != 0 {
            return None;
        }
        let (start, end) = (place.start as usize, place.end as usize);
        let around =
            self.origins.iter().filter(|(range, _)| range.start <= start && end <= range.end);
        around.min_by_key(|(range, _)| range.len()).map(|(_, origin)| *origin)
    }
}

impl Document {
    /// The document as TOML.
    #[must_use]
    pub fn written(&self) -> Written {
        let written = Written { text: String::new(), origins: Vec::new() };
        let mut writer = Writer { sources: &self.sources, written };
        writer.section("", &self.root);
        writer.written
    }
}

struct Writer<'a> {
    sources: &'a Sources,
    written: Written,
}

impl Writer<'_> {
    /// The keys of a section, then the sections below it.
    fn section(&mut self, path: &str, table: &Table) {
        for entry in &table.entries {
            if !self.is_section(path, entry) {
                self.entry("", entry);
            }
        }
        for entry in &table.entries {
            if !self.is_section(path, entry) {
                continue;
            }
            let path = match path {
                "" => key(&entry.key),
                path => format!("{path}.{}", key(&entry.key)),
            };
            match &entry.node.data {
                Data::Table(inner) => {
                    self.headed(&format!("[{path}]"), &path, entry.node.place, inner)
                }
                Data::Array(items) => {
                    for item in items {
                        let Data::Table(inner) = &item.data else { continue };
                        self.headed(&format!("[[{path}]]"), &path, item.place, inner);
                    }
                }
                _ => {}
            }
        }
    }

    fn headed(&mut self, header: &str, path: &str, place: Place, table: &Table) {
        // `[cluster]` need not be written where only `[cluster.disk]` has something to say.
        let bare = table.entries.iter().all(|entry| self.is_section(path, entry));
        let start = self.written.text.len();
        if !bare || table.entries.is_empty() || header.starts_with("[[") {
            if !self.written.text.is_empty() {
                self.written.text.push('\n');
            }
            let start = self.written.text.len();
            self.written.text += header;
            self.from(start, place);
            self.written.text.push('\n');
        }
        self.section(path, table);
        self.from(start, place);
    }

    /// Whether it is written with a header: a table or list of tables that is not a value. At the top level every table is.
    fn is_section(&self, path: &str, entry: &TableEntry) -> bool {
        let headed =
            |node: &Node| path.is_empty() || self.sources.text(node.place).starts_with('[');
        match &entry.node.data {
            Data::Table(_) => headed(&entry.node),
            Data::Array(items) => {
                items.iter().any(|item| matches!(item.data, Data::Table(_)) && headed(item))
            }
            _ => false,
        }
    }

    /// `key = value`, or a line for every key below one with dots.
    fn entry(&mut self, above: &str, entry: &TableEntry) {
        let name = format!("{above}{}", key(&entry.key));
        if let Data::Table(inner) = &entry.node.data
            && !self.sources.text(entry.node.place).starts_with('{')
        {
            for below in &inner.entries {
                self.entry(&format!("{name}."), below);
            }
            return;
        }
        let start = self.written.text.len();
        self.written.text += &name;
        self.from(start, entry.key_place);
        self.written.text += " = ";
        let value = self.written.text.len();
        self.value(&entry.node);
        self.from(value, entry.node.place);
        self.from(start, entry.key_place.upto(entry.node.place));
        self.written.text.push('\n');
    }

    fn value(&mut self, node: &Node) {
        match &node.data {
            Data::String(text) => self.written.text += &string(text),
            Data::Integer { digits, radix } => {
                let (sign, digits) = match digits.strip_prefix('-') {
                    Some(digits) => ("-", digits),
                    None => ("", digits.as_str()),
                };
                let prefix = match radix {
                    16 => "0x",
                    8 => "0o",
                    2 => "0b",
                    _ => "",
                };
                self.written.text += &format!("{sign}{prefix}{digits}");
            }
            Data::Float(digits) => self.written.text += digits,
            Data::Boolean(flag) => self.written.text += &flag.to_string(),
            // No key takes one: it is told as it stands.
            Data::Datetime => self.written.text += self.sources.text(node.place),
            Data::Array(items) => {
                self.written.text.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        self.written.text += ", ";
                    }
                    let start = self.written.text.len();
                    self.value(item);
                    self.from(start, item.place);
                }
                self.written.text.push(']');
            }
            Data::Table(table) => {
                self.written.text += "{ ";
                for (at, entry) in table.entries.iter().enumerate() {
                    if at > 0 {
                        self.written.text += ", ";
                    }
                    let start = self.written.text.len();
                    self.written.text += &format!("{} = ", key(&entry.key));
                    self.value(&entry.node);
                    self.from(start, entry.node.place);
                }
                self.written.text += " }";
            }
        }
    }

    fn from(&mut self, start: usize, place: Place) {
        self.written.origins.push((start..self.written.text.len(), place));
    }
}

/// A key as TOML has it: in quotes unless it is a bare one.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { string(name) }
}

/// A text as TOML has it.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\t' => quoted += "\\t",
            control if control.is_control() => quoted += &format!("\\u{:04X}", control as u32),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"format = 1
mode = "x\"y"
duration = 0x10

[cluster]
boot-time = { distribution = "uniform", min = "1s", max = "2s" }

[cluster.network]
latency = "1ms"

[broker]
min.insync.replicas = 2
"log.flush" = -1

[[producer]]
name = "p1"
connect = ["n1", "n2"]
"#;

    #[test]
    fn what_is_written_reads_as_the_same() {
        let document = Document::parse("test.toml", FILE.to_owned()).unwrap();
        let once = document.written();
        let again = Document::parse("test.toml", once.text.clone()).unwrap().written();
        assert_eq!(once.text, again.text);
        assert_eq!(once.text, FILE);
    }

    #[test]
    fn every_value_knows_where_it_comes_from() {
        let document = Document::parse("test.toml", FILE.to_owned()).unwrap();
        let written = document.written();
        for value in ["\"1ms\"", "[[producer]]", "-1", "\"n2\"", "\"2s\""] {
            let at = written.text.find(value).unwrap();
            let origin = written.origin(Place::new(0, at..at + value.len())).unwrap();
            let text = document.sources().text(origin);
            assert!(text.contains(value), "{value} is not from `{text}`");
        }
    }
}
