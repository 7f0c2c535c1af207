//! The tables of keys as plain data, for `mqsim list` and the documentation.

use super::check::title;
use super::read::{DURATIONS, SIZES};
use super::spec::{KeySpec, Kind, Preset, SectionSpec, Tagged, Unit};
use super::words;

/// One key, everything about it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The section as written: `[[producer]]`; "the top level" for the keys outside sections.
    pub section: String,
    /// The key; keys of a table behind it: `rate.steps.at`.
    pub key: String,
    /// Under which other key's value it exists: `kind = "partition"`; empty for always.
    pub only_with: String,
    /// What its value is: "a duration".
    pub kind: String,
    /// How a value may look, as TOML.
    pub example: String,
    /// Its default as written; "required", or "none" if there is no value then.
    pub default: String,
    /// Its range or possible values; empty if there is none.
    pub range: String,
    /// What it does.
    pub meaning: &'static str,
    /// Where its meaning or default is taken from; empty for mqsim's own keys.
    pub source: &'static str,
    /// The first broker version that has it; empty for all.
    pub since: &'static str,
    /// The first broker version that no longer has it; empty for none.
    pub until: &'static str,
}

/// All keys of a section, those of tables in it included, in the order of the spec.
#[must_use]
pub fn describe(spec: &SectionSpec) -> Vec<KeyRow> {
    let mut rows = Vec::new();
    let context = Context { section: title(spec.path, spec.repeated), ..Context::default() };
    for key in spec.common_keys() {
        context.key(key, &mut rows);
    }
    if let Some(tagged) = spec.tagged {
        context.tagged(tagged, &mut rows);
    }
    rows
}

/// Where a key stands.
#[derive(Clone, Default)]
struct Context {
    section: String,
    prefix: String,
    only_with: String,
}

impl Context {
    fn key(&self, key: &'static KeySpec, rows: &mut Vec<KeyRow>) {
        rows.push(KeyRow {
            section: self.section.clone(),
            key: format!("{}{}", self.prefix, key.name),
            only_with: self.only_with.clone(),
            kind: words::noun(&key.kind),
            example: words::example(&key.kind),
            default: default(key),
            range: words::range(&key.kind),
            meaning: key.meaning,
            source: key.source,
            since: key.since.unwrap_or(""),
            until: key.until.unwrap_or(""),
        });
        let mut below = self.clone();
        below.prefix = format!("{}{}.", self.prefix, key.name);
        below.kind(&key.kind, rows);
    }

    /// The keys of the tables that a value of this kind may be. Those of distributions are the
    /// same everywhere, see [`distributions`].
    fn kind(&self, kind: &Kind, rows: &mut Vec<KeyRow>) {
        match kind {
            Kind::Table(keys) | Kind::Tables(keys) => {
                keys.iter().for_each(|key| self.key(key, rows));
            }
            Kind::Tagged(tagged) => self.tagged(tagged, rows),
            Kind::Either(kinds) => kinds.iter().for_each(|kind| self.kind(kind, rows)),
            _ => {}
        }
    }

    fn tagged(&self, tagged: &'static Tagged, rows: &mut Vec<KeyRow>) {
        let names: Vec<&str> = tagged.variants.iter().map(|variant| variant.name).collect();
        rows.push(KeyRow {
            section: self.section.clone(),
            key: format!("{}{}", self.prefix, tagged.tag),
            only_with: self.only_with.clone(),
            kind: "a word".to_owned(),
            example: names.first().map_or(String::new(), |name| format!("\"{name}\"")),
            default: "required".to_owned(),
            range: names.join(", "),
            meaning: tagged.meaning,
            source: "",
            since: "",
            until: "",
        });
        for variant in tagged.variants {
            let mut below = self.clone();
            below.only_with = format!("{}{} = \"{}\"", self.prefix, tagged.tag, variant.name);
            variant.keys.iter().for_each(|key| below.key(key, rows));
        }
    }
}

/// The keys of the table by which a distribution of this unit is written.
#[must_use]
pub fn distributions(unit: Unit) -> Vec<KeyRow> {
    let mut rows = Vec::new();
    let (tagged, section) = match unit {
        Unit::Duration => (&DURATIONS, "a distribution of durations"),
        Unit::Size => (&SIZES, "a distribution of sizes"),
    };
    Context { section: section.to_owned(), ..Context::default() }.tagged(tagged, &mut rows);
    rows
}

fn default(key: &KeySpec) -> String {
    match key.default {
        Preset::Required => "required".to_owned(),
        Preset::Absent => "none".to_owned(),
        Preset::Is("") => "empty".to_owned(),
        Preset::Is(text) => text.to_owned(),
        Preset::ByVersion(pairs) => {
            let shown: Vec<String> =
                pairs.iter().map(|(since, value)| format!("{value} (from {since})")).collect();
            shown.join(", ")
        }
    }
}

/// What is wrong with a spec itself: defaults that are not of their kind or out of range, two
/// keys of the same name, versions that are none, empty meanings. For the test of every spec.
#[must_use]
pub fn flaws(spec: &SectionSpec) -> Vec<String> {
    let mut flaws = Vec::new();
    let common: Vec<&'static KeySpec> = spec.common_keys().collect();
    keys_flaws(&common, &mut flaws);
    if let Some(tagged) = spec.tagged {
        tagged_flaws(&common, tagged, &mut flaws);
    }
    let title = title(spec.path, spec.repeated);
    if spec.meaning.is_empty() {
        flaws.push("it has no meaning".to_owned());
    }
    flaws.iter().map(|flaw| format!("{title}: {flaw}")).collect()
}

fn keys_flaws(keys: &[&'static KeySpec], flaws: &mut Vec<String>) {
    for (index, key) in keys.iter().enumerate() {
        if keys[..index].iter().any(|other| other.name == key.name) {
            flaws.push(format!("`{}` is defined twice", key.name));
        }
        if key.meaning.is_empty() {
            flaws.push(format!("`{}` has no meaning", key.name));
        }
        for version in [key.since, key.until].into_iter().flatten() {
            if version.parse::<super::Version>().is_err() {
                flaws.push(format!("`{}`: `{version}` is no version", key.name));
            }
        }
        preset_flaws(key, flaws);
        kind_flaws(&key.kind, flaws);
    }
}

fn preset_flaws(key: &'static KeySpec, flaws: &mut Vec<String>) {
    let one = [("0", "")];
    let pairs: &[(&str, &str)] = match key.default {
        Preset::Is(text) => &[("0", text)],
        Preset::ByVersion(pairs) => pairs,
        Preset::Required | Preset::Absent => &one[..0],
    };
    let mut before = None;
    for (since, text) in pairs {
        let version = since.parse::<super::Version>().ok();
        if version.is_none() || version <= before {
            flaws.push(format!("`{}`: the versions of its defaults do not ascend", key.name));
        }
        before = version;
        if let Err(why) = super::check::try_preset(key, text) {
            flaws.push(format!("`{}`: its default `{text}` is wrong: {why}", key.name));
        }
    }
}

fn kind_flaws(kind: &Kind, flaws: &mut Vec<String>) {
    match kind {
        Kind::Table(keys) | Kind::Tables(keys) => {
            keys_flaws(&keys.iter().collect::<Vec<_>>(), flaws);
        }
        Kind::Tagged(tagged) => tagged_flaws(&[], tagged, flaws),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| kind_flaws(kind, flaws)),
        _ => {}
    }
}

fn tagged_flaws(common: &[&'static KeySpec], tagged: &'static Tagged, flaws: &mut Vec<String>) {
    for variant in tagged.variants {
        let mut keys = common.to_vec();
        keys.extend(variant.keys);
        let mut found = Vec::new();
        keys_flaws(&keys, &mut found);
        if keys.iter().any(|key| key.name == tagged.tag) {
            found.push(format!("`{}` is both the tag and a key", tagged.tag));
        }
        flaws.extend(found.iter().map(|flaw| format!("{}: {flaw}", variant.name)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::TOP;
    use super::*;

    #[test]
    fn the_top_level_has_no_flaws() {
        assert_eq!(flaws(&TOP), Vec::<String>::new());
    }

    #[test]
    fn flaws_are_found() {
        const TAGGED: Tagged = Tagged {
            tag: "kind",
            meaning: "",
            variants: &[super::super::Variant {
                name: "a",
                meaning: "",
                keys: &[KeySpec::new("x", Kind::Flag, Preset::Required, "again")],
            }],
        };
        const SPEC: SectionSpec = SectionSpec::single(
            "s",
            &[&[
                KeySpec::new("x", Kind::POSITIVE_DURATION, Preset::Is("0s"), "zero"),
                KeySpec::new("y", Kind::Flag, Preset::Is("yes"), "").since("v3"),
                KeySpec::new(
                    "z",
                    Kind::Flag,
                    Preset::ByVersion(&[("3.8", "true"), ("3.7", "false")]),
                    "descending",
                ),
            ]],
            "A section.",
        )
        .tagged(&TAGGED);
        let found = flaws(&SPEC).join("\n");
        for part in [
            "its default `0s` is wrong",
            "its default `yes` is wrong",
            "`y` has no meaning",
            "`v3` is no version",
            "do not ascend",
            "a: `x` is defined twice",
        ] {
            assert!(found.contains(part), "{part} is missing in:\n{found}");
        }
    }

    #[test]
    fn the_top_level_in_words() {
        let line = |row: KeyRow| {
            format!(
                "{} | {} | {} | {} | {}",
                row.key, row.kind, row.example, row.default, row.range
            )
        };
        let lines: Vec<String> = describe(&TOP).into_iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
