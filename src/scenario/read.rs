//! Reads single values by their kind.

use std::str::FromStr;
use std::sync::Arc;

use super::check::Keys;
use super::diagnostics::Diagnostics;
use super::near::{clip, quoted, suggest};
use super::selector::Selector;
use super::source::{Located, Place, Sources};
use super::spec::{KeySpec, Kind, LONGEST, MOST_ITEMS, Preset, Tagged, Unit, Variant};
use super::top::is_name;
use super::tree::{Data, Node, Table};
use super::units::{self, Bytes, Drift, Rate, Seeds, Shift, UnitError, Version};
use super::values::{Value, Values};
use super::words;
use crate::engine::{Distribution, Span};

/// Reads values and collects what is wrong with them.
pub(crate) struct Reader {
    pub(crate) sources: Arc<Sources>,
    pub(crate) version: Option<Version>,
    pub(crate) wrong: Diagnostics,
}

impl Reader {
    pub(crate) fn new(sources: &Arc<Sources>, version: Option<Version>) -> Reader {
        let wrong = Diagnostics::of(sources);
        Reader { sources: Arc::clone(sources), version, wrong }
    }

    /// Reads the value of the key `name`. If it is not of the kind, says so and gives `None`.
    pub(crate) fn read(&mut self, kind: &Kind, node: &Node, name: &str) -> Option<Value> {
        match kind {
            Kind::Flag => match node.data {
                Data::Boolean(flag) => Some(Value::Flag(flag)),
                _ => self.mismatch(kind, node, name),
            },
            Kind::Integer { min, max } => {
                let wide = self.integer(kind, node, name, (*min).into(), (*max).into())?;
                u64::try_from(wide).ok().map(Value::Integer)
            }
            Kind::Signed { min, max } => {
                let wide = self.integer(kind, node, name, (*min).into(), (*max).into())?;
                i64::try_from(wide).ok().map(Value::Signed)
            }
            Kind::Duration { min, max } => {
                let span = self.unit(kind, node, name, units::duration)?;
                self.in_range(kind, node, name, span, *min..=*max).map(Value::Duration)
            }
            Kind::Millis { min, max } => {
                let span = match &node.data {
                    Data::Integer { .. } => {
                        let most = i128::from(max.as_millis());
                        let millis = self.integer(kind, node, name, 0, most)?;
                        Span::from_millis(u64::try_from(millis).ok()?)
                    }
                    _ => self.unit(kind, node, name, units::duration)?,
                };
                self.in_range(kind, node, name, span, *min..=*max).map(Value::Duration)
            }
            Kind::Shift => {
                let most = i64::try_from(LONGEST.as_nanos()).unwrap_or(i64::MAX);
                let shift = self.unit(kind, node, name, units::shift)?;
                self.in_range(kind, node, name, shift, Shift(-most)..=Shift(most))?;
                Some(Value::Signed(shift.0))
            }
            Kind::Drift => {
                let drift = self.unit(kind, node, name, units::drift)?;
                let range = Drift(-Drift::MOST)..=Drift(Drift::MOST);
                self.in_range(kind, node, name, drift, range)?;
                Some(Value::Signed(drift.0))
            }
            Kind::Rate => self.unit(kind, node, name, Rate::from_str).map(Value::Rate),
            Kind::Size { min, max } => {
                let size = self.size(kind, node, name)?;
                self.in_range(kind, node, name, Bytes(size), Bytes(*min)..=Bytes(*max))?;
                Some(Value::Size(size))
            }
            Kind::Bandwidth => self.unit(kind, node, name, units::bandwidth).map(Value::Bandwidth),
            Kind::Chance => self.chance(kind, node, name),
            Kind::Text => match node.text() {
                Some(text) => Some(Value::Text(text.to_owned())),
                None => self.mismatch(kind, node, name),
            },
            Kind::Name => self.name(kind, node, name).map(|name| Value::Text(name.value)),
            Kind::Names => self.list(kind, node, name, Self::name).map(Value::Names),
            Kind::Choice(known) => {
                self.choice(node, name, known).map(|word| Value::Text(word.to_owned()))
            }
            Kind::Choices(known) => {
                let word = |reader: &mut Self, _: &Kind, node: &Node, name: &str| {
                    let value = reader.choice(node, name, known)?.to_owned();
                    Some(Located { value, place: node.place })
                };
                self.list(kind, node, name, word).map(Value::Names)
            }
            Kind::Distribution { .. } => self.distribution(kind, node, name),
            Kind::Selector => {
                self.selector(kind, node, name).map(|selector| Value::Selectors(vec![selector]))
            }
            Kind::SelectorList => self.list(kind, node, name, Self::selector).map(Value::Selectors),
            Kind::Version => self.unit(kind, node, name, Version::from_str).map(Value::Version),
            Kind::Seeds => self.seeds(kind, node, name),
            Kind::Table(_) | Kind::Tagged(_) => {
                self.table(kind, node, name).map(|table| Value::Table(Box::new(table)))
            }
            Kind::Tables(keys) => self.tables(kind, keys, node, name),
            Kind::Either(kinds) => self.either(kind, kinds, node, name),
        }
    }

    /// The value is of another type altogether.
    fn mismatch<T>(&mut self, kind: &Kind, node: &Node, name: &str) -> Option<T> {
        let message = format!("`{name}` must be {}, not {}", words::noun(kind), node.describe());
        let help = match (kind, &node.data) {
            // A number as it is, with what it lacks.
            (Kind::Duration { .. }, Data::Integer { digits, radix: 10 }) => {
                format!("a duration has a unit: write {name} = \"{digits}s\" or \"{digits}ms\"")
            }
            (Kind::Version, Data::Integer { .. } | Data::Float(_)) => {
                let written = self.sources.text(node.place);
                format!("a version has quotes: write {name} = \"{written}\"")
            }
            _ => format!("write for example {name} = {}", words::example(kind)),
        };
        self.wrong.push(node.place, message, help);
        None
    }

    fn integer(
        &mut self,
        kind: &Kind,
        node: &Node,
        name: &str,
        min: i128,
        max: i128,
    ) -> Option<i128> {
        let Data::Integer { digits, radix } = &node.data else {
            return self.mismatch(kind, node, name);
        };
        let number = i128::from_str_radix(digits, *radix).ok();
        match number.filter(|number| (min..=max).contains(number)) {
            Some(number) => Some(number),
            None => {
                let message = format!("`{name}` = {} is out of range", clip(digits));
                let range = match (max == u64::MAX.into(), digits.starts_with('-')) {
                    (true, false) => format!("{min} to {max}"),
                    _ => words::range(kind),
                };
                let help = format!("write a whole number: {range}");
                self.wrong.push(node.place, message, help);
                None
            }
        }
    }

    /// A text that `parse` reads.
    fn unit<T>(
        &mut self,
        kind: &Kind,
        node: &Node,
        name: &str,
        parse: impl Fn(&str) -> Result<T, UnitError>,
    ) -> Option<T> {
        let Some(text) = node.text() else { return self.mismatch(kind, node, name) };
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => self.no_unit(kind, node, name, text, &error),
        }
    }

    fn no_unit<T>(
        &mut self,
        kind: &Kind,
        node: &Node,
        name: &str,
        text: &str,
        error: &UnitError,
    ) -> Option<T> {
        let why = match error {
            UnitError::UnknownUnit(unit) => format!("`{}` is no unit of it", clip(unit)),
            other => other.to_string(),
        };
        let (text, noun) = (clip(text), words::noun(kind));
        let range = words::range(kind);
        let (message, help) = match error {
            UnitError::Negative | UnitError::TooLarge(_) if !range.is_empty() => (
                format!("`{name}` = \"{text}\" is out of range: {why}"),
                format!("write {noun}: {range}"),
            ),
            _ => (format!("`{name}` = \"{text}\" is not {noun}: {why}"), words::form(kind)),
        };
        self.wrong.push(node.place, message, help);
        None
    }

    fn in_range<T: PartialOrd + std::fmt::Display>(
        &mut self,
        kind: &Kind,
        node: &Node,
        name: &str,
        value: T,
        range: std::ops::RangeInclusive<T>,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let written = node.text().map_or_else(|| value.to_string(), clip);
        let message = format!("`{name}` = {written} is out of range");
        let help = format!("write {}: {}", words::noun(kind), words::range(kind));
        self.wrong.push(node.place, message, help);
        None
    }

    fn size(&mut self, kind: &Kind, node: &Node, name: &str) -> Option<u64> {
        match &node.data {
            Data::Integer { digits, radix: 10 } => match units::size(digits) {
                Ok(size) => Some(size),
                Err(error) => self.no_unit(kind, node, name, digits, &error),
            },
            _ => self.unit(kind, node, name, units::size),
        }
    }

    fn chance(&mut self, kind: &Kind, node: &Node, name: &str) -> Option<Value> {
        let digits = match &node.data {
            Data::Integer { digits, radix: 10 } | Data::Float(digits) => digits,
            _ => return self.unit(kind, node, name, units::chance).map(Value::Chance),
        };
        match units::chance(digits) {
            Ok(chance) => Some(Value::Chance(chance)),
            Err(error) => self.no_unit(kind, node, name, digits, &error),
        }
    }

    fn seeds(&mut self, kind: &Kind, node: &Node, name: &str) -> Option<Value> {
        let text = match &node.data {
            Data::Integer { digits, radix: 10 } => digits,
            Data::String(text) => text,
            _ => return self.mismatch(kind, node, name),
        };
        match text.parse::<Seeds>() {
            Ok(seeds) => Some(Value::Seeds(seeds)),
            Err(error) => self.no_unit(kind, node, name, text, &error),
        }
    }

    fn name(&mut self, kind: &Kind, node: &Node, key: &str) -> Option<Located<String>> {
        let Some(text) = node.text() else { return self.mismatch(kind, node, key) };
        if is_name(text) {
            return Some(Located { value: text.to_owned(), place: node.place });
        }
        let message = format!("`{key}` = \"{}\" is no name", clip(text));
        self.wrong.push(node.place, message, words::form(&Kind::Name));
        None
    }

    fn selector(&mut self, kind: &Kind, node: &Node, name: &str) -> Option<Located<Selector>> {
        let Some(text) = node.text() else { return self.mismatch(kind, node, name) };
        match text.parse::<Selector>() {
            Ok(value) => Some(Located { value, place: node.place }),
            Err(error) => {
                let message = format!("`{name}` = \"{}\" is no selector: {error}", clip(text));
                self.wrong.push(node.place, message, words::form(&Kind::Selector));
                None
            }
        }
    }

    /// A list of what `item` reads, or one such thing.
    fn list<T>(
        &mut self,
        kind: &Kind,
        node: &Node,
        name: &str,
        item: impl Fn(&mut Self, &Kind, &Node, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Data::Array(nodes) = &node.data else {
            return item(self, kind, node, name).map(|one| vec![one]);
        };
        self.check_count(nodes, name)?;
        if nodes.is_empty() {
            let message = format!("`{name}` is an empty list");
            let help = format!("write {name} = {}, or remove it", words::example(kind));
            self.wrong.push(node.place, message, help);
            return None;
        }
        let items: Vec<Option<T>> = nodes.iter().map(|node| item(self, kind, node, name)).collect();
        items.into_iter().collect()
    }

    fn check_count(&mut self, nodes: &[Node], name: &str) -> Option<()> {
        if nodes.len() <= MOST_ITEMS {
            return Some(());
        }
        let message = format!("`{name}` has {} items", nodes.len());
        self.wrong.push(nodes[MOST_ITEMS].place, message, format!("write at most {MOST_ITEMS}"));
        None
    }

    /// One of the known words.
    pub(crate) fn choice(
        &mut self,
        node: &Node,
        name: &str,
        known: &[&'static str],
    ) -> Option<&'static str> {
        let Some(text) = node.text() else {
            let message = format!("`{name}` must be a word, not {}", node.describe());
            self.wrong.push(node.place, message, format!("write {name} = {}", quoted(known)));
            return None;
        };
        if let Some(word) = known.iter().find(|word| **word == text) {
            return Some(word);
        }
        let message = format!("`{name}` = \"{}\" is not known", clip(text));
        let help = match known {
            [only] => format!("write {name} = \"{only}\"; there is nothing else"),
            _ => suggest(text, known, "the values"),
        };
        self.wrong.push(node.place, message, help);
        None
    }

    fn table(&mut self, kind: &Kind, node: &Node, name: &str) -> Option<Values> {
        let Data::Table(table) = &node.data else { return self.mismatch(kind, node, name) };
        Some(self.inner_table(kind, table, node.place, name))
    }

    fn inner_table(&mut self, kind: &Kind, table: &Table, place: Place, name: &str) -> Values {
        let title = format!("`{name}`");
        let (common, tagged): (Vec<&'static KeySpec>, _) = match kind {
            Kind::Table(keys) | Kind::Tables(keys) => (keys.iter().collect(), None),
            Kind::Tagged(tagged) => (Vec::new(), Some(*tagged)),
            _ => (Vec::new(), None),
        };
        let keys = Keys { title: &title, common, tagged, others: Vec::new() };
        self.keys(name, table, place, &keys)
    }

    fn tables(
        &mut self,
        kind: &Kind,
        keys: &'static [KeySpec],
        node: &Node,
        name: &str,
    ) -> Option<Value> {
        let Data::Array(nodes) = &node.data else { return self.mismatch(kind, node, name) };
        self.check_count(nodes, name)?;
        let mut tables = Vec::with_capacity(nodes.len());
        for node in nodes {
            tables.push(self.table(&Kind::Table(keys), node, name)?);
        }
        Some(Value::Tables(tables))
    }

    /// Several kinds: those that fit the type are tried, and their words are put together if
    /// none of them will do.
    fn either(&mut self, kind: &Kind, kinds: &[Kind], node: &Node, name: &str) -> Option<Value> {
        let fitting: Vec<&Kind> = kinds.iter().filter(|kind| fits(kind, node)).collect();
        if let [only] = fitting[..] {
            return self.read(only, node, name);
        }
        for kind in &fitting {
            let mut trial = Reader::new(&self.sources, self.version);
            if let Some(value) = trial.read(kind, node, name)
                && trial.wrong.is_empty()
            {
                return Some(value);
            }
        }
        if fitting.is_empty() {
            return self.mismatch(kind, node, name);
        }
        let nouns: Vec<String> = fitting.iter().map(|kind| words::noun(kind)).collect();
        let examples: Vec<String> = fitting.iter().map(|kind| words::example(kind)).collect();
        let written = clip(self.sources.text(node.place));
        let message = format!("`{name}` = {written} is not {}", nouns.join(" or "));
        let help = format!("write for example {}", examples.join(" or "));
        self.wrong.push(node.place, message, help);
        None
    }

    fn distribution(&mut self, kind: &Kind, node: &Node, name: &str) -> Option<Value> {
        let Kind::Distribution { unit, min, max } = kind else { return None };
        let (scalar, tagged) = match unit {
            Unit::Duration => {
                let (min, max) = (Span::from_nanos(*min), Span::from_nanos(*max));
                (Kind::Duration { min, max }, &DURATIONS)
            }
            Unit::Size => (Kind::Size { min: *min, max: *max }, &SIZES),
        };
        let Data::Table(table) = &node.data else {
            if !fits(&scalar, node) {
                return self.mismatch(kind, node, name);
            }
            let value = self.read(&scalar, node, name)?;
            return Some(Value::Distribution(Distribution::Constant(whole(&value))));
        };
        let before = self.wrong.len();
        let values = self.inner_table(&Kind::Tagged(tagged), table, node.place, name);
        if self.wrong.len() > before {
            return None;
        }
        self.parameters(kind, &values, name, *min..=*max)
    }

    fn parameters(
        &mut self,
        kind: &Kind,
        values: &Values,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<Value> {
        let get = |key: &str| values.value(key).map_or(0, whole);
        for (key, value) in values.iter().skip(1) {
            if value.is_some_and(|value| !range.contains(&whole(value))) {
                let written = self.sources.text(values.span(key));
                let message = format!("`{key}` = {written} of `{name}` is out of range");
                let help = format!("write {}", words::range(kind));
                self.wrong.push(values.span(key), message, help);
                return None;
            }
        }
        let mut order = |low: &str, high: &str| {
            if get(low) <= get(high) {
                return Some(());
            }
            let message = format!("`{high}` of `{name}` is less than `{low}`");
            self.wrong.push(values.span(high), message, format!("make `{high}` the greater one"));
            None
        };
        Some(Value::Distribution(match values.text("distribution") {
            "uniform" => {
                order("min", "max")?;
                Distribution::Uniform { low: get("min"), high: get("max") }
            }
            "exponential" => Distribution::Exponential { mean: get("mean") },
            "lognormal" => {
                order("median", "p99")?;
                Distribution::lognormal(get("median"), get("p99"))
            }
            _ => Distribution::Constant(get("value")),
        }))
    }
}

/// A duration in ns or a size in bytes.
fn whole(value: &Value) -> u64 {
    match value {
        Value::Duration(span) => span.as_nanos(),
        Value::Size(bytes) => *bytes,
        _ => 0,
    }
}

/// Whether a value of this TOML type can be of the kind at all.
fn fits(kind: &Kind, node: &Node) -> bool {
    let whole = matches!(node.data, Data::Integer { .. });
    let list = matches!(node.data, Data::Array(_));
    let table = matches!(node.data, Data::Table(_));
    let text = node.text().is_some();
    match kind {
        Kind::Flag => matches!(node.data, Data::Boolean(_)),
        Kind::Integer { .. } | Kind::Signed { .. } => whole,
        Kind::Size { .. } | Kind::Millis { .. } => text || whole,
        Kind::Seeds => text || whole,
        Kind::Chance => text || whole || matches!(node.data, Data::Float(_)),
        Kind::Duration { .. } | Kind::Shift | Kind::Drift => text,
        Kind::Rate | Kind::Bandwidth | Kind::Version => text,
        Kind::Text | Kind::Name | Kind::Choice(_) | Kind::Selector => text,
        Kind::Names | Kind::SelectorList | Kind::Choices(_) => text || list,
        Kind::Distribution { unit: Unit::Duration, .. } => text || table,
        Kind::Distribution { unit: Unit::Size, .. } => text || whole || table,
        Kind::Table(_) | Kind::Tagged(_) => table,
        Kind::Tables(_) => list,
        Kind::Either(kinds) => kinds.iter().any(|kind| fits(kind, node)),
    }
}

const SIZE: Kind = Kind::ANY_SIZE;
const DURATION: Kind = Kind::Duration { min: Span::ZERO, max: LONGEST };

/// The distributions of durations.
pub(crate) const DURATIONS: Tagged = Tagged {
    tag: "distribution",
    meaning: "The shape of the distribution.",
    variants: &[
        Variant {
            name: "constant",
            meaning: "Always the same.",
            keys: &[KeySpec::new("value", DURATION, Preset::Required, "The value.")],
        },
        Variant {
            name: "uniform",
            meaning: "Every value between two is as likely.",
            keys: &[
                KeySpec::new("min", DURATION, Preset::Required, "The least value."),
                KeySpec::new("max", DURATION, Preset::Required, "The greatest value."),
            ],
        },
        Variant {
            name: "exponential",
            meaning: "Memoryless.",
            keys: &[KeySpec::new("mean", DURATION, Preset::Required, "The mean.")],
        },
        Variant {
            name: "lognormal",
            meaning: "The logarithm is normally distributed: many short, few long.",
            keys: &[
                KeySpec::new("median", DURATION, Preset::Required, "Half are below it."),
                KeySpec::new("p99", DURATION, Preset::Required, "99 of 100 are below it."),
            ],
        },
    ],
};

/// The distributions of sizes.
pub(crate) const SIZES: Tagged = Tagged {
    tag: "distribution",
    meaning: "The shape of the distribution.",
    variants: &[
        Variant {
            name: "constant",
            meaning: "Always the same.",
            keys: &[KeySpec::new("value", SIZE, Preset::Required, "The value.")],
        },
        Variant {
            name: "uniform",
            meaning: "Every value between two is as likely.",
            keys: &[
                KeySpec::new("min", SIZE, Preset::Required, "The least value."),
                KeySpec::new("max", SIZE, Preset::Required, "The greatest value."),
            ],
        },
        Variant {
            name: "exponential",
            meaning: "Memoryless.",
            keys: &[KeySpec::new("mean", SIZE, Preset::Required, "The mean.")],
        },
        Variant {
            name: "lognormal",
            meaning: "The logarithm is normally distributed: many small, few large.",
            keys: &[
                KeySpec::new("median", SIZE, Preset::Required, "Half are below it."),
                KeySpec::new("p99", SIZE, Preset::Required, "99 of 100 are below it."),
            ],
        },
    ],
};
