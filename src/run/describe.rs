//! Everything that can be written in a scenario of a mode, in words.

use crate::observe::{InvariantWord, Situation};
use crate::scenario::{KeyRow, TOP, Unit, describe, distributions};

use super::families::{Families, ModeInfo};

/// What is said under one heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chapter {
    /// Its heading: a section as it is written in a scenario, `[[fault]]`, or words.
    pub title: String,
    /// What it says.
    pub paragraphs: Vec<Paragraph>,
}

/// Words that are to be wrapped; a blank line if there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paragraph {
    /// How many blanks its first line begins with.
    pub first: usize,
    /// How many blanks each other line begins with.
    pub then: usize,
    /// The words.
    pub words: String,
}

impl Families {
    /// Everything that can be written in a scenario of the mode that a word means
    /// ([`Families::meant`]); `None` if it means none. The first chapter says what the mode is.
    #[must_use]
    pub fn describe_mode(&self, word: &str) -> Option<Vec<Chapter>> {
        let info = self.meant(word)?;
        let mut chapters = vec![opening(info)];
        for spec in [&TOP].into_iter().chain(info.sections()) {
            chapters.push(section(spec.meaning, &describe(spec)));
        }
        let meaning = "A table that may stand where a duration or distribution is asked for.";
        chapters.push(section(meaning, &distributions(Unit::Duration)));
        let meaning = "A table that may stand where a size or distribution is asked for.";
        chapters.push(section(meaning, &distributions(Unit::Size)));
        if !info.about.invariants.is_empty() {
            chapters.push(invariants(info.about.invariants));
        }
        chapters.extend(words(info));
        Some(chapters)
    }
}

fn opening(info: &ModeInfo) -> Chapter {
    let (mode, product) = (info.mode, info.about.product);
    let (first, last) = mode.versions;
    let mut chapter = Chapter::new(&format!("{}: {}", mode.name, mode.meaning));
    let default = mode.version;
    let versions = format!("broker-version: {product} {first} to {last}; default {default}");
    chapter.says((0, 4), &versions);
    chapter
}

/// What `[[expect]]` can name, beside invariants and metrics.
fn words(info: &ModeInfo) -> [Chapter; 4] {
    let words = info.about.words;
    let meaning = "What removes the last copy of a message, or why none was made: what `cause` can \
                   name, and the column of loss.csv.";
    let mut causes = Chapter::opened("causes", meaning);
    for cause in words.causes {
        causes.says((2, 6), &format!("{}: {}", cause.name, cause.meaning));
    }
    let meaning = "What made it the last copy: the column `because` of loss.csv.";
    let mut conditions = Chapter::opened("conditions", meaning);
    conditions.says((2, 2), &words.conditions.join(", "));
    let meaning = "What happens to brokers, clients and destinations: what `event` can name, and \
                   events.csv. Roles are events too.";
    let mut events = Chapter::opened("events", meaning);
    for event in words.events {
        events.says((2, 6), &format!("{}: {}", event.name, event.meaning));
    }
    let roles: Vec<&str> = words.roles.iter().map(|role| role.name).collect();
    events.says((2, 6), &format!("roles: {}", roles.join(", ")));
    [causes, conditions, events, situations(words.situations)]
}

/// What `[[expect]]` can name as `sometimes`.
fn situations(situations: &[Situation]) -> Chapter {
    let meaning = "What `sometimes` can name: a suite in which no seed comes there is too weak. \
                   Events, roles, causes and conditions, as events.csv and loss.csv have them, are \
                   situations by their own names.";
    let mut chapter = Chapter::opened("situations", meaning);
    for situation in situations {
        chapter.says((2, 6), &format!("{}: {}", situation.name, situation.meaning));
    }
    chapter
}

/// What `[[expect]]` can name as `invariant`.
fn invariants(invariants: &[InvariantWord]) -> Chapter {
    let meaning = "What is checked after every step of a run. One that the mode claims for the \
                   version and configuration fails the run if it breaks; others are told.";
    let mut chapter = Chapter::opened("invariants", meaning);
    for word in invariants {
        let claimed = if word.claimed() { "claimed by default" } else { "not claimed by default" };
        chapter.says((2, 6), &format!("{}: {claimed}", word.name));
        chapter.says((6, 6), word.meaning);
        if !word.rests_on.is_empty() {
            chapter.says((6, 8), &format!("rests on {}", word.rests_on.join(", ")));
        }
    }
    chapter
}

fn section(meaning: &str, rows: &[KeyRow]) -> Chapter {
    let mut chapter = Chapter::opened(rows.first().map_or("", |row| &row.section), meaning);
    for row in &together(rows) {
        chapter.key(row);
    }
    chapter
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

impl Chapter {
    fn new(title: &str) -> Chapter {
        Chapter { title: title.to_owned(), paragraphs: Vec::new() }
    }

    /// One that begins with what it is about, and a blank line.
    fn opened(title: &str, meaning: &str) -> Chapter {
        let mut chapter = Chapter::new(title);
        chapter.says((2, 2), meaning);
        chapter.says((0, 0), "");
        chapter
    }

    fn says(&mut self, (first, then): (usize, usize), words: &str) {
        self.paragraphs.push(Paragraph { first, then, words: words.to_owned() });
    }

    fn key(&mut self, row: &KeyRow) {
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
        self.says((2, 6), &format!("{}{only}: {kind}; {default}", row.key));
        self.says((6, 6), row.meaning);
        if !row.source.is_empty() {
            self.says((6, 6), &format!("[{}]", row.source));
        }
    }
}
