//! The tables of keys as a JSON Schema, by which editors complete and check scenario files.
//!
//! The schema says what a single value may look like. What several keys mean together, and what
//! exists in which release of a broker, is for the checker; a file that the checker takes always
//! conforms to the schema.
//!
//! It is made for the usual tool for TOML (taplo, in editors "Even Better TOML"), which knows draft 7,
//! completes from `properties` and `enum`, and underlines the table in which something is wrong with
//! all that is in it. So a key that does not belong somewhere is not what its table must not have,
//! but something that no value can be: only that line is marked. And where one key decides which
//! others there are, all of them are properties, and `if` and `then` say which belong together: of a
//! `oneOf` nothing would be told but that no alternative fits.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::document::Document;
use super::read::{DURATIONS, SIZES};
use super::spec::{KeySpec, Kind, Preset, SectionSpec, Tagged, Unit};
use super::top::TOP;
use super::tree::Data;
use super::words;

mod shared;

/// Modes whose scenarios have the same sections, in which the same words are known.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The values of `mode`.
    pub modes: Vec<&'static str>,
    /// What a scenario of them may have beside the top level.
    pub sections: Vec<&'static SectionSpec>,
    /// The words that keys can have whose kind does not say so.
    pub known: Vec<Known>,
    /// What faults can be aimed at, beside names.
    pub selectors: Vec<Word>,
    /// The section below which others stand that these tables do not know; empty if there is none.
    pub open: &'static str,
}

/// A word and what it means.
pub type Word = (String, String);

/// The words that a text can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The section of the key; empty for the top level.
    pub section: &'static str,
    /// The key.
    pub key: &'static str,
    /// The words.
    pub words: Vec<Word>,
    /// A pattern of what else it can be.
    pub also: Option<&'static str>,
}

impl Known {
    fn schema(&self) -> Json {
        match self.also {
            None => words_with_meaning(&self.words),
            Some(pattern) => any_of([words_with_meaning(&self.words), matching(pattern)]),
        }
    }
}

/// One of these words, with what editors show beside it.
fn words_with_meaning(words: &[Word]) -> Json {
    let of =
        |one: fn(&Word) -> &String| Json::List(words.iter().map(|word| text(one(word))).collect());
    let docs = object([("enumValues", of(|(_, meaning)| meaning))]);
    object([("enum", of(|(word, _)| word))]).with("x-taplo", object([("docs", docs)]))
}

/// What no value can be; an editor shows why.
fn never(why: &str) -> Json {
    object([("not", object([("title", text(why))]))])
}

/// A JSON document whose objects keep their order.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Flag(bool),
    Number(i128),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Flag(flag) => serializer.serialize_bool(*flag),
            Json::Number(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.serialize_u64(u64::try_from(*number).unwrap_or(u64::MAX)),
            },
            Json::Text(text) => serializer.serialize_str(text),
            Json::List(items) => serializer.collect_seq(items),
            Json::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

fn text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

fn texts(words: &[&str]) -> Json {
    Json::List(words.iter().map(|word| text(*word)).collect())
}

fn entries<const N: usize>(entries: [(&str, Json); N]) -> Vec<(String, Json)> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn object<const N: usize>(of: [(&str, Json); N]) -> Json {
    Json::Object(entries(of))
}

fn of_type(name: &str) -> Json {
    object([("type", text(name))])
}

fn matching(pattern: &str) -> Json {
    object([("type", text("string")), ("pattern", text(pattern))])
}

fn any_of(schemas: impl IntoIterator<Item = Json>) -> Json {
    object([("anyOf", Json::List(schemas.into_iter().collect()))])
}

fn list_of(item: Json) -> Json {
    object([("type", text("array")), ("items", item)])
}

fn one_or_list(item: &Json) -> Json {
    any_of([item.clone(), list_of(item.clone())])
}

fn reference(name: &str) -> Json {
    object([("$ref", text(format!("#/definitions/{name}")))])
}

impl Json {
    fn with(mut self, key: &str, value: Json) -> Json {
        if let Json::Object(entries) = &mut self {
            entries.push((key.to_owned(), value));
        }
        self
    }
}

const NUMBER: &str = r"[0-9]+(\.[0-9]+)?";

/// The JSON Schema of scenario files, as text.
#[must_use]
pub fn schema(shapes: &[Shape]) -> String {
    let files = shapes.iter().map(file);
    let (mut body, files) = match shapes {
        [one] => (file(one), Vec::new()),
        _ => (by_mode(shapes), names(shapes).zip(files).collect()),
    };
    let mut whole = vec![
        ("$schema".to_owned(), text("http://json-schema.org/draft-07/schema#")),
        ("title".to_owned(), text("A scenario of mqsim")),
    ];
    let named = |tagged: &'static Tagged| {
        let meaning = "A distribution of which one key says what it is.";
        variants(tagged, Tables::default()).with("description", text(meaning))
    };
    let mut definitions = entries([
        ("duration", matching(&format!("^({NUMBER}(ns|us|ms|s|min|h)|0+(\\.0+)?)$"))),
        ("durations", any_of([reference("duration"), named(&DURATIONS)])),
        (
            "size",
            any_of([of_type("integer"), matching(&format!("^{NUMBER}([kMGT]?B|[KMGT]iB)?$"))]),
        ),
        ("sizes", any_of([reference("size"), named(&SIZES)])),
        ("name", matching("^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")),
        ("selector", selector(shapes)),
    ]);
    definitions.extend(files);
    shared::share(&mut body, &mut definitions);
    let Json::Object(body) = body else { unreachable!("a file is an object") };
    whole.extend(body);
    whole.push(("definitions".to_owned(), Json::Object(definitions)));
    let text = serde_json::to_string_pretty(&Json::Object(whole));
    text.expect("plain data") + "\n"
}

/// The names of the definitions of whole files.
fn names(shapes: &[Shape]) -> impl Iterator<Item = String> {
    shapes.iter().map(|shape| format!("scenario-{}", shape.modes[0]))
}

/// A file that is one of those of its mode.
///
/// Only `if` and `then` are asked whether the file is right, so that what is wrong is marked where it
/// stands. Editors do not look into them for what they could complete: that is what the `anyOf` is
/// for, which everything conforms to.
fn by_mode(shapes: &[Shape]) -> Json {
    let file = |name: String| reference(&name);
    let one = |shape: &Shape| {
        let is = object([("mode", object([("enum", texts(&shape.modes))]))]);
        object([("properties", is)])
    };
    let rules = shapes.iter().map(one).zip(names(shapes).map(file));
    let rules = rules.map(|(condition, then)| object([("if", condition), ("then", then)]));
    let modes: Vec<&str> = shapes.iter().flat_map(|shape| shape.modes.iter().copied()).collect();
    let files = names(shapes).map(file);
    object([
        ("type", text("object")),
        ("properties", object([("mode", object([("enum", texts(&modes))]))])),
        ("required", texts(&["mode"])),
        ("allOf", Json::List(rules.collect())),
        ("anyOf", Json::List(std::iter::once(object([])).chain(files).collect())),
    ])
}

/// What a fault can be aimed at: these, or names, or several of both.
fn selector(shapes: &[Shape]) -> Json {
    let mut all: Vec<Word> = Vec::new();
    for word in shapes.iter().flat_map(|shape| &shape.selectors) {
        if !all.contains(word) {
            all.push(word.clone());
        }
    }
    any_of([words_with_meaning(&all), of_type("string")])
}

/// The properties of a table as far as they are known, and which of them must be there.
#[derive(Clone, Default)]
struct Tables {
    properties: Vec<(String, Json)>,
    required: Vec<String>,
    /// What stands below keys with a dot in them.
    nested: Vec<(String, Tables)>,
    /// Whether there may be tables beside them of which nothing is known.
    open: bool,
}

impl Tables {
    fn keys(&mut self, keys: impl IntoIterator<Item = &'static KeySpec>) {
        for spec in keys {
            let schema = key(spec);
            if spec.default == Preset::Required && !spec.name.contains('.') {
                self.required.push(spec.name.to_owned());
            }
            if let Some((first, rest)) = spec.name.split_once('.') {
                // `min.insync.replicas = 1` without quotes is a table in a table.
                self.nested(first, rest, &schema);
            }
            self.properties.push((spec.name.to_owned(), schema));
        }
    }

    fn nested(&mut self, first: &str, rest: &str, schema: &Json) {
        let found = self.nested.iter().position(|(name, _)| name == first);
        let at = found.unwrap_or_else(|| {
            self.nested.push((first.to_owned(), Tables::default()));
            self.nested.len() - 1
        });
        let below = &mut self.nested[at].1;
        match rest.split_once('.') {
            Some((next, behind)) => below.nested(next, behind, schema),
            None => below.properties.push((rest.to_owned(), schema.clone())),
        }
    }

    /// Says which words the keys of a section can have.
    fn known(&mut self, all: &[Known], section: &str) {
        for known in all.iter().filter(|known| known.section == section) {
            let found = self.properties.iter_mut().find(|(name, _)| name == known.key);
            let Some((_, Json::Object(entries))) = found else { continue };
            let Json::Object(schema) = known.schema() else { continue };
            // What is said of the key stays; what it may look like is said anew.
            entries.retain(|(key, _)| key == "description" || key == "default");
            entries.splice(0..0, schema);
        }
    }

    /// Adds what the variants of a table have beside its common keys: a key that several have in
    /// different ways may be any of these.
    fn variant_keys(&mut self, tagged: &'static Tagged) {
        for spec in tagged.variants.iter().flat_map(|variant| variant.keys) {
            debug_assert!(!spec.name.contains('.'), "no key of a variant has a dot");
            let schema = key(spec);
            match self.properties.iter_mut().find(|(name, _)| name == spec.name) {
                None => self.properties.push((spec.name.to_owned(), schema)),
                Some((_, found)) if *found == schema => {}
                Some((_, found)) => match found {
                    Json::Object(entries) if entries[0].0 == "anyOf" && entries.len() == 1 => {
                        if let Json::List(ways) = &mut entries[0].1
                            && !ways.contains(&schema)
                        {
                            ways.push(schema);
                        }
                    }
                    _ => *found = any_of([found.clone(), schema]),
                },
            }
        }
    }

    /// The table that has these keys and no others.
    fn object(mut self) -> Json {
        for (name, below) in std::mem::take(&mut self.nested) {
            let table = below.object();
            match self.properties.iter_mut().find(|(other, _)| *other == name) {
                // A key may be a value, and the beginning of other keys.
                Some((_, plain)) => *plain = any_of([plain.clone(), table]),
                None => self.properties.push((name, table)),
            }
        }
        let rest = if self.open { of_type("object") } else { never("there is no such key here") };
        let mut object = object([
            ("type", text("object")),
            ("properties", Json::Object(self.properties)),
            ("additionalProperties", rest),
        ]);
        if !self.required.is_empty() {
            let required = self.required.into_iter().map(Json::Text).collect();
            object = object.with("required", Json::List(required));
        }
        object
    }
}

/// A whole file.
fn file(shape: &Shape) -> Json {
    let mut top = Tables::default();
    top.keys(TOP.common_keys());
    for (name, schema) in &mut top.properties {
        if name == "mode" {
            let meaning = "The broker and how it replicates.";
            *schema = object([("enum", texts(&shape.modes)), ("description", text(meaning))]);
        }
    }
    top.known(&shape.known, "");
    sections("", shape, &mut top);
    top.object()
}

/// Adds the sections right below `path`, with theirs.
fn sections(path: &str, shape: &Shape, table: &mut Tables) {
    for spec in &shape.sections {
        let below = match path {
            "" => Some(spec.path),
            _ => spec.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')),
        };
        let Some(name) = below.filter(|name| !name.is_empty() && !name.contains('.')) else {
            continue;
        };
        let mut own = Tables { open: spec.path == shape.open, ..Tables::default() };
        own.keys(spec.common_keys());
        own.known(&shape.known, spec.path);
        sections(spec.path, shape, &mut own);
        if !own.required.is_empty() && !spec.repeated && !spec.optional {
            table.required.push(name.to_owned());
        }
        let schema = match spec.tagged {
            Some(tagged) => variants(tagged, own),
            None => own.object(),
        };
        let schema = if spec.repeated { list_of(schema) } else { schema };
        table.properties.push((name.to_owned(), schema.with("description", text(spec.meaning))));
    }
}

/// A table of which one key says which others there are, beside those that it has always.
fn variants(tagged: &'static Tagged, mut common: Tables) -> Json {
    let word = |variant: &super::Variant| (variant.name.to_owned(), variant.meaning.to_owned());
    let words: Vec<Word> = tagged.variants.iter().map(word).collect();
    let tag = words_with_meaning(&words).with("description", text(tagged.meaning));
    common.properties.insert(0, (tagged.tag.to_owned(), tag));
    common.required.insert(0, tagged.tag.to_owned());
    let always: Vec<String> = common.properties.iter().map(|(name, _)| name.clone()).collect();
    common.variant_keys(tagged);
    let one = |variant: &'static super::Variant| {
        let mut own = Tables::default();
        own.keys(variant.keys);
        let mut properties = Vec::new();
        for (name, schema) in common.properties.iter().filter(|(name, _)| !always.contains(name)) {
            match own.properties.iter().find(|(of, _)| of == name) {
                Some((_, same)) if same == schema => {}
                Some((_, narrower)) => properties.push((name.clone(), narrower.clone())),
                None => {
                    let why = format!("not with {} = {}", tagged.tag, variant.name);
                    properties.push((name.clone(), never(&why)));
                }
            }
        }
        let is = object([("enum", texts(&[variant.name]))]);
        let condition = object([
            ("properties", object([(tagged.tag, is)])),
            ("required", texts(&[tagged.tag])),
        ]);
        let mut then = object([("properties", Json::Object(properties))]);
        if !own.required.is_empty() {
            then = then
                .with("required", Json::List(own.required.into_iter().map(Json::Text).collect()));
        }
        object([("if", condition), ("then", then)])
    };
    let rules = tagged.variants.iter().map(one).collect();
    common.object().with("allOf", Json::List(rules))
}

/// A key with all that is known of it.
fn key(spec: &'static KeySpec) -> Json {
    let mut schema = kind(&spec.kind);
    if let Json::Object(entries) = &schema
        && entries.first().is_some_and(|(key, _)| key == "$ref")
    {
        // In draft 7 nothing beside `$ref` counts.
        schema = object([("allOf", Json::List(vec![schema]))]);
    }
    let mut meaning = spec.meaning.to_owned();
    let range = words::range(&spec.kind);
    if !range.is_empty() && !matches!(spec.kind, Kind::Choice(_) | Kind::Choices(_)) {
        meaning.push_str(&format!(" Range: {range}."));
    }
    match (spec.since, spec.until) {
        (Some(since), Some(until)) => meaning.push_str(&format!(" From {since}, not in {until}.")),
        (Some(since), None) => meaning.push_str(&format!(" From {since} on.")),
        (None, Some(until)) => meaning.push_str(&format!(" Before {until}.")),
        (None, None) => {}
    }
    if let Preset::ByVersion(pairs) = spec.default {
        let each = pairs.iter().map(|(since, value)| format!("{value} from {since} on"));
        meaning.push_str(&format!(" Default: {}.", each.collect::<Vec<_>>().join(", ")));
    }
    if !spec.source.is_empty() {
        meaning.push_str(&format!(" [{}]", spec.source));
    }
    schema = schema.with("description", text(meaning));
    match spec.default {
        Preset::Is(written) => schema.with("default", default(written)),
        _ => schema,
    }
}

/// A default, which is written as after `--set`: TOML if it reads as TOML, else a text.
fn default(written: &str) -> Json {
    let file = format!("format = 1\nvalue = {written}\n");
    let parsed = Document::parse("default", file).ok();
    let value = parsed.and_then(|document| Some(value(&document.root.get("value")?.node.data)));
    value.flatten().unwrap_or_else(|| text(written))
}

/// A TOML value as JSON; `None` for what JSON has no like of.
fn value(data: &Data) -> Option<Json> {
    Some(match data {
        Data::Boolean(flag) => Json::Flag(*flag),
        Data::Integer { digits, radix } => Json::Number(i128::from_str_radix(digits, *radix).ok()?),
        Data::String(string) => text(string),
        Data::Array(items) => {
            Json::List(items.iter().map(|item| value(&item.data)).collect::<Option<_>>()?)
        }
        Data::Table(table) => {
            let entry = |entry: &super::tree::TableEntry| {
                Some((entry.key.clone(), value(&entry.node.data)?))
            };
            Json::Object(table.entries.iter().map(entry).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// What a value of a kind may look like.
fn kind(kind_: &Kind) -> Json {
    match kind_ {
        Kind::Flag => of_type("boolean"),
        Kind::Integer { min, max } => whole((*min).into(), (*max).into()),
        Kind::Signed { min, max } => whole((*min).into(), (*max).into()),
        Kind::Duration { .. } => reference("duration"),
        Kind::Millis { max, .. } => {
            any_of([reference("duration"), whole(0, i128::from(max.as_millis()))])
        }
        Kind::Shift => matching(&format!("^(-?{NUMBER}(ns|us|ms|s|min|h)|0)$")),
        Kind::Drift => matching(&format!("^(-?{NUMBER}(ppm|%)|0)$")),
        Kind::Rate => matching(&format!("^{NUMBER}[kMG]?/(s|min|h)$")),
        Kind::Size { .. } => reference("size"),
        Kind::Bandwidth => {
            matching(&format!("^(unlimited|{NUMBER}([kMG]?B|[KMG]iB|[kMGT]?bit)/s)$"))
        }
        Kind::Chance => {
            let number =
                of_type("number").with("minimum", Json::Number(0)).with("maximum", Json::Number(1));
            any_of([number, matching(&format!("^{NUMBER}%?$"))])
        }
        Kind::Text => of_type("string"),
        Kind::Name => reference("name"),
        Kind::Names => one_or_list(&reference("name")),
        Kind::Choice(words) => object([("enum", texts(words))]),
        Kind::Choices(words) => one_or_list(&object([("enum", texts(words))])),
        Kind::Distribution { unit: Unit::Duration, .. } => reference("durations"),
        Kind::Distribution { unit: Unit::Size, .. } => reference("sizes"),
        Kind::Selector => reference("selector"),
        Kind::SelectorList => one_or_list(&reference("selector")),
        Kind::Version => matching(r"^[0-9]+(\.[0-9]+){0,3}$"),
        Kind::Seeds => {
            let number = of_type("integer").with("minimum", Json::Number(0));
            any_of([number, matching(r"^[0-9]+(\.\.=[0-9]+)?$")])
        }
        Kind::Table(keys) => {
            let mut table = Tables::default();
            table.keys(*keys);
            table.object()
        }
        Kind::Tables(keys) => list_of(kind(&Kind::Table(keys))),
        Kind::Tagged(tagged) => variants(tagged, Tables::default()),
        Kind::Either(kinds) => any_of(kinds.iter().map(kind)),
    }
}

fn whole(min: i128, max: i128) -> Json {
    let schema = of_type("integer").with("minimum", Json::Number(min));
    // TOML has no greater numbers anyway.
    if max > i64::MAX.into() { schema } else { schema.with("maximum", Json::Number(max)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `policy = "x"`, `"policy.nodes" = 1` and `policy.nodes = 1` are all right.
    #[test]
    fn keys_with_dots() {
        const KEYS: &[KeySpec] = &[
            KeySpec::new("policy", Kind::Text, Preset::Absent, "A word."),
            KeySpec::new("policy.nodes", Kind::ANY_INTEGER, Preset::Absent, "A number."),
            KeySpec::new("policy.x.y", Kind::Flag, Preset::Absent, "A flag."),
            KeySpec::new("min.insync.replicas", Kind::ANY_INTEGER, Preset::Is("1"), "A number."),
        ];
        let mut tables = Tables::default();
        tables.keys(KEYS);
        let text = serde_json::to_string_pretty(&tables.object()).expect("plain data");
        insta::assert_snapshot!(text);
    }
}
