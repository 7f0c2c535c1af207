//! The failure scenarios that mqsim ships, and how one is found.

use std::sync::Arc;

use crate::scenario::{Document, Version};

use super::families::Families;

/// Name, family and text of each: all files of `scenarios/failures/`, listed by `build.rs`.
const SHIPPED: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/failures.rs"));

/// A shipped scenario of something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its name, also that of its report folder.
    pub name: &'static str,
    /// The folder in which it is: a broker family.
    pub family: &'static str,
    /// What it simulates.
    pub mode: Arc<str>,
    /// The release of the broker.
    pub version: String,
    /// What it shows: its `description`, or else how its story begins.
    pub description: String,
    /// The file as it is shipped.
    shipped: &'static str,
}

impl Failure {
    /// The text of the scenario, for a folder of one's own: the place of the schema in mqsim's
    /// repository, in its first line, means nothing there.
    #[must_use]
    pub fn text(&self) -> String {
        let story = without_schema(self.shipped);
        let mode = &self.mode;
        format!(
            "# {}, as mqsim ships it.\n#\n\
             # All that can be written in it: mqsim list {mode}\n\
             # Editors complete and check it with a schema beside it (mqsim schema {mode} > \
             mqsim.schema.json) and\n# this as the first line: #:schema ./mqsim.schema.json\n#\n\
             {story}",
            self.name
        )
    }

    /// How well `words` describe it: 0 if all of them are in what a list shows of it, 1 if some
    /// are in its story, its settings or what it expects only; `None` if one is nowhere. A word
    /// like `3.10` is a version, and means its patches too.
    fn distance(&self, words: &[String]) -> Option<u8> {
        let shown = [self.name, self.family, &self.mode, &self.description].join("\n");
        let (shown, whole) = (shown.to_lowercase(), without_schema(self.shipped).to_lowercase());
        let mut distance = 0;
        for word in words {
            if is_version(word) {
                let rest = self.version.strip_prefix(word.as_str())?;
                if !(rest.is_empty() || rest.starts_with('.')) {
                    return None;
                }
            } else if !shown.contains(word) {
                whole.contains(word).then_some(())?;
                distance = 1;
            }
        }
        Some(distance)
    }
}

/// The first paragraph of the story that a scenario begins with.
fn opening(text: &str) -> String {
    let lines = without_schema(text).lines().map_while(|line| line.strip_prefix("# "));
    lines.collect::<Vec<_>>().join(" ")
}

fn is_version(word: &str) -> bool {
    word.contains('.') && word.parse::<Version>().is_ok()
}

fn without_schema(text: &str) -> &str {
    text.split_once('\n')
        .filter(|(first, _)| first.starts_with("#:schema"))
        .map_or(text, |(_, rest)| rest)
}

impl Families {
    /// The shipped failure scenarios of these families, by family and name.
    ///
    /// # Panics
    /// If one is no scenario; a test reads them all.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        let read = |&(name, family, shipped): &(&'static str, &'static str, &'static str)| {
            let document = Document::parse(name, shipped.to_owned());
            let document = document.unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
            let mode = document.mode().ok().and_then(|mode| self.mode(mode.value))?;
            let written = document.broker_version().ok().flatten();
            Some(Failure {
                name,
                family,
                mode: mode.mode.name.into(),
                version: written.unwrap_or_else(|| mode.default_version()).to_string(),
                description: document
                    .text("description")
                    .map_or_else(|| opening(shipped), str::to_owned),
                shipped,
            })
        };
        SHIPPED.iter().filter_map(read).collect()
    }

    /// Those that all of these words describe, the best described first; all if there is no word.
    #[must_use]
    pub fn find_failures(&self, words: &[String]) -> Vec<Failure> {
        let words: Vec<String> =
            words.iter().flat_map(|word| word.split_whitespace()).map(str::to_lowercase).collect();
        let described = |failure: Failure| Some((failure.distance(&words)?, failure));
        let mut found: Vec<_> = self.failures().into_iter().filter_map(described).collect();
        found.sort_by_key(|(distance, _)| *distance);
        found.into_iter().map(|(_, failure)| failure).collect()
    }
}
