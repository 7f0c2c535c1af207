//! The JSON Schema of scenarios: the tables of keys of each mode, and the words that its family,
//! the ledger and the world know.

use std::collections::BTreeSet;

use crate::scenario::schema::{Known, Shape, Word, schema};
use crate::scenario::{PORTABLE, Preset, TOP, Version};
use crate::verdict::{ACTIONS, METRICS, NODE_STATES, OVER_SEEDS};
use crate::world;

use super::families::{Families, ModeInfo};
use super::portable;

impl Families {
    /// The JSON Schema of the scenarios of a mode, or of all, portable ones included; `None` if there is no such
    /// mode.
    #[must_use]
    pub fn schema(&self, mode: Option<&str>) -> Option<String> {
        let wanted =
            self.modes().iter().filter(|info| mode.is_none_or(|mode| mode == info.mode.name));
        let mut shapes: Vec<Shape> = Vec::new();
        for info in wanted {
            let one = shape(info);
            let alike =
                |shape: &&mut Shape| shape.sections == one.sections && shape.known == one.known;
            match shapes.iter_mut().find(alike) {
                Some(shape) => shape.modes.extend(one.modes),
                None => shapes.push(one),
            }
        }
        if mode.is_none_or(|mode| mode == PORTABLE) {
            shapes.push(self.portable_shape());
        }
        (!shapes.is_empty()).then(|| schema(&shapes))
    }

    /// Portable scenarios, which have the keys of all modes, and those of one only below their variants.
    fn portable_shape(&self) -> Shape {
        let modes = self.modes().iter().filter(|info| info.dialect().is_some());
        let modes = modes.map(|info| word(info.mode.name, info.mode.meaning)).collect();
        let known = |section, key, words| Known { section, key, words, also: None };
        Shape {
            modes: vec![PORTABLE],
            sections: portable::sections(),
            known: vec![
                Known { also: OF_METRICS, ..known("expect", "metric", metrics()) },
                known("variant", "mode", modes),
            ],
            selectors: Vec::new(),
            open: portable::VARIANTS,
        }
    }
}

/// How quantiles and means of metrics are written.
const OF_METRICS: Option<&str> = Some(r"^.+\(.+\)$");

fn shape(info: &ModeInfo) -> Shape {
    let selectors = world::SELECTORS.iter().chain(info.about.words.selectors);
    Shape {
        modes: vec![info.mode.name],
        sections: info.sections(),
        known: known(info),
        selectors: selectors.map(|spec| word(&spec.to_string(), spec.meaning)).collect(),
        open: "",
    }
}

fn word(name: &str, meaning: &str) -> Word {
    (name.to_owned(), meaning.to_owned())
}

/// The words that keys of this mode can have.
fn known(info: &ModeInfo) -> Vec<Known> {
    let words = info.about.words;
    let expected = |key, words, also| Known { section: "expect", key, words, also };
    let causes: Vec<Word> =
        words.causes.iter().map(|cause| word(cause.name, cause.meaning)).collect();
    let own = words.events.iter().map(|event| word(event.name, event.meaning));
    let roles = words.roles.iter().map(|role| word(role.name, "A role that a broker gets."));
    let happens: Vec<Word> = own.chain(roles).collect();
    let states = NODE_STATES.iter().map(|state| word(state, "A state that a node comes into."));
    let actions = ACTIONS.iter().map(|(name, _)| word(name, "How a command of an operator ends."));
    let conditions =
        words.conditions.iter().map(|name| word(name, "What makes a copy the last one."));
    let named = words.situations.iter().map(|one| word(one.name, one.meaning));
    let both = happens.iter().chain(&causes).cloned();
    let situations = distinct(named.chain(both).chain(conditions));
    let mut known = vec![
        Known {
            section: TOP.path,
            key: "broker-version",
            words: versions(info),
            also: Some(r"^[0-9]+(\.[0-9]+){0,3}$"),
        },
        expected("metric", metrics(), OF_METRICS),
        expected("cause", causes, None),
        expected("event", distinct(happens.into_iter().chain(states).chain(actions)), None),
        expected("never", situations.clone(), None),
        expected("sometimes", situations, None),
    ];
    if !info.about.invariants.is_empty() {
        let invariants = info.about.invariants.iter();
        let invariants = invariants.map(|one| word(one.name, one.meaning)).collect();
        known.push(expected("invariant", invariants, None));
    }
    known
}

/// Each word once, by what is said of it first.
fn distinct(words: impl Iterator<Item = Word>) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::new();
    for one in words {
        if !found.iter().any(|(name, _)| *name == one.0) {
            found.push(one);
        }
    }
    found
}

/// The metrics, of one run and of many; quantiles and means are a pattern.
fn metrics() -> Vec<Word> {
    let plain = METRICS.iter().map(|metric| word(metric.name, metric.definition));
    let over = OVER_SEEDS.iter().filter(|(name, _)| !name.contains('('));
    plain.chain(over.map(|(name, meaning)| word(name, meaning))).collect()
}

/// The releases from which on something is otherwise, the newest first.
fn versions(info: &ModeInfo) -> Vec<Word> {
    let (first, last) = info.mode.versions;
    let mut found: BTreeSet<Version> = BTreeSet::new();
    let sections = info.sections();
    for key in sections.iter().flat_map(|section| section.common_keys()) {
        let by_version: &[(&str, &str)] = match key.default {
            Preset::ByVersion(pairs) => pairs,
            _ => &[],
        };
        let written = by_version.iter().map(|(since, _)| *since).chain(key.since).chain(key.until);
        found.extend(written.filter_map(|text| text.parse::<Version>().ok()));
    }
    let ends = [first, last, info.mode.version];
    found.extend(ends.iter().filter_map(|text| text.parse::<Version>().ok()));
    let product = info.about.product;
    let covered = found.into_iter().rev().filter(|version| info.covers(*version));
    covered.map(|version| word(&version.to_string(), &format!("{product} {version}"))).collect()
}
