//! The one place that lists the broker families and their modes.

use std::sync::Arc;

use crate::brokers::kafka::{isr, legacy};
use crate::brokers::kit::{About, Family, Mode};
use crate::brokers::rabbitmq;
use crate::observe::{InvariantWord, Situation};
use crate::scenario::schema::Shape;
use crate::scenario::{
    self, Diagnostics, KeyRow, Scenario, SectionSpec, TOP, Unit, Variant, Version, describe,
    distributions,
};
use crate::verdict;
use crate::world::{self, fault};

use super::planned::Planned;

/// What comes of a scenario.
type Plan = Result<Arc<dyn Planned>, Diagnostics>;

/// A value of `mode`, with its family.
#[derive(Clone, Copy, Debug)]
pub struct ModeInfo {
    /// The mode.
    pub mode: &'static Mode,
    /// What is true of all modes of its family.
    pub about: &'static About,
    /// Its place among them.
    place: usize,
    plan: fn(&Scenario, usize) -> Plan,
}

fn plan<F: Family>(scenario: &Scenario, place: usize) -> Plan {
    Ok(Arc::new(F::plan(scenario, F::MODES[place].0)?))
}

impl ModeInfo {
    /// Every section that a scenario of this mode may have.
    pub(super) fn sections(&self) -> Vec<&'static SectionSpec> {
        let faults = [&&fault::FAULT, &&fault::NEMESIS, &&fault::NEMESIS_FAULT];
        let common = world::SECTIONS.iter().chain(faults).chain([&&verdict::EXPECT]);
        common.chain(self.about.sections).copied().collect()
    }

    /// Whether a release is one that this mode simulates; all patches of the last one are.
    pub(super) fn covers(&self, version: Version) -> bool {
        let (first, last) = self.mode.versions;
        let last: Version = last.parse().expect("the table's versions are versions");
        version.cmp_spec(first).is_ge() && version.numbers()[..2] <= last.numbers()[..2]
    }

    /// The release that is simulated if a scenario names none.
    pub(super) fn default_version(&self) -> Version {
        self.mode.version.parse().expect("the table's versions are versions")
    }

    pub(super) fn plan(&self, scenario: &Scenario) -> Plan {
        (self.plan)(scenario, self.place)
    }
}

/// The broker families that can be simulated. [`Families::default`] are those of mqsim itself.
#[derive(Clone, Debug)]
pub struct Families {
    modes: Vec<ModeInfo>,
}

impl Default for Families {
    fn default() -> Families {
        Families::none()
            .with::<rabbitmq::spec::Spec>()
            .with::<legacy::spec::Spec>()
            .with::<isr::spec::Spec>()
    }
}

impl Families {
    /// No family at all, to begin with.
    #[must_use]
    pub fn none() -> Families {
        Families { modes: Vec::new() }
    }

    /// The same with one more, behind the others.
    #[must_use]
    pub fn with<F: Family>(mut self) -> Families {
        let modes = F::MODES.iter().enumerate();
        let about = F::ABOUT;
        let info = |(place, (_, mode)): (usize, &'static (F::Mode, Mode))| ModeInfo {
            mode,
            about,
            place,
            plan: plan::<F>,
        };
        self.modes.extend(modes.map(info));
        self
    }

    /// The values of `mode`.
    #[must_use]
    pub fn modes(&self) -> &[ModeInfo] {
        &self.modes
    }

    /// The mode of this name.
    #[must_use]
    pub fn mode(&self, name: &str) -> Option<&ModeInfo> {
        self.modes.iter().find(|info| info.mode.name == name)
    }

    /// The JSON Schema of the scenarios of a mode, or of all; `None` if there is no such mode.
    #[must_use]
    pub fn schema(&self, mode: Option<&str>) -> Option<String> {
        let wanted =
            self.modes.iter().filter(|info| mode.is_none_or(|mode| mode == info.mode.name));
        let mut shapes: Vec<Shape> = Vec::new();
        for info in wanted {
            let sections = info.sections();
            let alike = |shape: &&mut Shape| shape.sections == sections;
            match shapes.iter_mut().find(alike) {
                Some(shape) => shape.modes.push(info.mode.name),
                None => shapes.push(Shape { modes: vec![info.mode.name], sections }),
            }
        }
        (!shapes.is_empty()).then(|| scenario::schema::schema(&shapes))
    }

    /// The selectors of the world and of every family.
    #[must_use]
    pub fn selectors(&self) -> Vec<Selectable> {
        let mut rows: Vec<Selectable> = Vec::new();
        let families = self.modes.iter().flat_map(|info| info.about.words.selectors);
        for spec in world::SELECTORS.iter().chain(families) {
            let row = Selectable { name: spec.to_string(), meaning: spec.meaning.to_owned() };
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows
    }

    /// Everything that can be written in a scenario of a mode, as text; `None` if there is no such
    /// mode.
    #[must_use]
    pub fn describe_mode(&self, name: &str) -> Option<String> {
        let info = self.mode(name)?;
        let ModeInfo { mode, about, .. } = info;
        let mut text = format!("{}: {}\n", mode.name, mode.meaning);
        let (first, last) = mode.versions;
        let (product, default) = (about.product, mode.version);
        let versions = format!("broker-version: {product} {first} to {last}; default {default}\n");
        text.push_str(&versions);
        let mut sections = vec![&TOP];
        sections.extend(info.sections());
        for section in sections {
            describe_section(&mut text, section.meaning, &describe(section));
        }
        let meaning = "A table that may stand where a duration or distribution is asked for.";
        describe_section(&mut text, meaning, &distributions(Unit::Duration));
        let meaning = "A table that may stand where a size or distribution is asked for.";
        describe_section(&mut text, meaning, &distributions(Unit::Size));
        describe_invariants(&mut text, about.invariants);
        describe_situations(&mut text, about.words.situations);
        Some(text)
    }
}

/// Something that can be written in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectable {
    /// How it is written.
    pub name: String,
    /// What it means, in one sentence.
    pub meaning: String,
}

/// The kinds of faults.
#[must_use]
pub fn faults() -> Vec<Selectable> {
    let row = |kind: &Variant| Selectable {
        name: kind.name.to_owned(),
        meaning: kind.meaning.to_owned(),
    };
    fault::KINDS.variants.iter().map(row).collect()
}

/// What `[[expect]]` can name as `sometimes`.
fn describe_situations(text: &mut String, situations: &[Situation]) {
    text.push_str("\nsituations\n");
    let meaning = "What `sometimes` can name: a suite in which no seed comes there is too weak. \
                   Events, roles, causes and conditions, as events.csv and loss.csv have them, are \
                   situations by their own names.";
    wrapped(text, (2, 2), meaning);
    text.push('\n');
    for situation in situations {
        wrapped(text, (2, 6), &format!("{}: {}", situation.name, situation.meaning));
    }
}

/// What `[[expect]]` can name as `invariant`; nothing if the mode checks none.
fn describe_invariants(text: &mut String, invariants: &[InvariantWord]) {
    if invariants.is_empty() {
        return;
    }
    text.push_str("\ninvariants\n");
    let meaning = "What is checked after every step of a run. One that the mode claims for the \
                   version and configuration fails the run if it breaks; others are told.";
    wrapped(text, (2, 2), meaning);
    text.push('\n');
    for word in invariants {
        let claimed = if word.claimed() { "claimed by default" } else { "not claimed by default" };
        wrapped(text, (2, 6), &format!("{}: {claimed}", word.name));
        wrapped(text, (6, 6), word.meaning);
        if !word.rests_on.is_empty() {
            wrapped(text, (6, 8), &format!("rests on {}", word.rests_on.join(", ")));
        }
    }
}

fn describe_section(text: &mut String, meaning: &str, rows: &[KeyRow]) {
    let title = rows.first().map_or("", |row| row.section.as_str());
    text.push_str(&format!("\n{title}\n"));
    wrapped(text, (2, 2), meaning);
    text.push('\n');
    for row in &together(rows) {
        describe_key(text, row);
    }
}

/// Rows that say the same of several variants as one.
fn together(rows: &[KeyRow]) -> Vec<KeyRow> {
    let mut merged: Vec<KeyRow> = Vec::new();
    for row in rows {
        let same = |other: &&mut KeyRow| {
            let with = row.only_with.clone();
            *row == KeyRow { only_with: with, ..(**other).clone() }
        };
        let tag_and_value = row.only_with.split_once(" = ");
        match (merged.iter_mut().find(same), tag_and_value) {
            (Some(other), Some((tag, value))) if other.only_with.starts_with(tag) => {
                other.only_with.push_str(&format!(", {value}"));
            }
            _ => merged.push(row.clone()),
        }
    }
    merged
}

fn describe_key(text: &mut String, row: &KeyRow) {
    let only = match row.only_with.as_str() {
        "" => String::new(),
        with => format!(", with {with}"),
    };
    let default = match row.default.as_str() {
        "required" => "required".to_owned(),
        "none" => "optional".to_owned(),
        value => format!("default {value}"),
    };
    let kind = match (row.kind.as_str(), row.range.as_str()) {
        (kind, "") => kind.to_owned(),
        ("a word", words) => format!("one of {words}"),
        (kind, range) => format!("{kind}, {range}"),
    };
    wrapped(text, (2, 6), &format!("{}{only}: {kind}; {default}", row.key));
    wrapped(text, (6, 6), row.meaning);
    if !row.source.is_empty() {
        wrapped(text, (6, 6), &format!("[{}]", row.source));
    }
}

/// Text in at most 100 columns, behind so many blanks in its first line and in those after it.
fn wrapped(text: &mut String, (first, then): (usize, usize), words: &str) {
    let mut line = " ".repeat(first);
    let mut used = 0;
    for word in words.split_whitespace() {
        if used > 0 && line.chars().count() + 1 + word.chars().count() > 100 {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(then);
            used = 0;
        }
        if used > 0 {
            line.push(' ');
        }
        line.push_str(word);
        used += 1;
    }
    text.push_str(&line);
    text.push('\n');
}
