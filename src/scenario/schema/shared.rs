//! What several places of a schema have in common, said once.
//!
//! The modes of a family, and the faults of a table, have most of their keys in common. Written out
//! at every place, the schema of all modes is a text of megabytes that nobody reads and that every
//! new key changes a dozen times. So a schema that stands at two places or more becomes a definition,
//! named by the key that it was first found at.

use std::collections::BTreeMap;

use super::{Json, reference};

/// Shorter schemas are written out: a reference would not be easier to read.
const WORTH_A_NAME: usize = 200;

/// Gives names to what stands several times in `whole` and the definitions that it has, and makes
/// definitions of it as well.
pub(super) fn share(whole: &mut Json, definitions: &mut Vec<(String, Json)>) {
    let mut parts = Parts::default();
    let mut taken = BTreeMap::new();
    parts.find(whole, "");
    for (name, schema) in &mut *definitions {
        parts.find(schema, name);
        taken.insert(name.clone(), 1);
    }
    let mut names = Names { parts, taken, new: Vec::new() };
    names.replace_below(whole);
    definitions.iter_mut().for_each(|(_, schema)| names.replace_below(schema));
    definitions.extend(names.new);
}

/// The distinct schemas that are long enough, by their text.
#[derive(Default)]
struct Parts {
    found: BTreeMap<String, Part>,
}

struct Part {
    /// The key at which it was first found.
    key: String,
    /// At how many places it stands, those within equal schemas counted once.
    places: usize,
    /// Its definition, once it has one.
    name: Option<String>,
}

impl Parts {
    fn find(&mut self, schema: &mut Json, key: &str) {
        for_each_below(schema, key, &mut |below, key| {
            let text = written(below);
            if text.len() < WORTH_A_NAME {
                return;
            }
            if let Some(part) = self.found.get_mut(&text) {
                part.places += 1;
                return;
            }
            let part = Part { key: key.to_owned(), places: 1, name: None };
            self.found.insert(text, part);
            self.find(below, key);
        });
    }
}

struct Names {
    parts: Parts,
    /// How many definitions have a name so far.
    taken: BTreeMap<String, usize>,
    /// The definitions that were made.
    new: Vec<(String, Json)>,
}

impl Names {
    fn replace_below(&mut self, schema: &mut Json) {
        for_each_below(schema, "", &mut |below, _| self.replace(below));
    }

    fn replace(&mut self, schema: &mut Json) {
        let text = written(schema);
        match self.parts.found.get_mut(&text) {
            Some(part) if part.places > 1 => {
                if let Some(name) = &part.name {
                    *schema = reference(name);
                    return;
                }
                let count = self.taken.entry(part.key.clone()).or_default();
                *count += 1;
                let name = match count {
                    1 => part.key.clone(),
                    _ => format!("{}-{count}", part.key),
                };
                part.name = Some(name.clone());
                let mut body = std::mem::replace(schema, reference(&name));
                self.replace_below(&mut body);
                self.new.push((name, body));
            }
            _ => self.replace_below(schema),
        }
    }
}

fn written(schema: &Json) -> String {
    serde_json::to_string(schema).expect("plain data")
}

/// The schemas right below a schema, with the key that each is for: its own, or that of the schema
/// that it belongs to.
fn for_each_below(schema: &mut Json, key: &str, each: &mut dyn FnMut(&mut Json, &str)) {
    let Json::Object(entries) = schema else { return };
    for (word, value) in entries {
        match (word.as_str(), value) {
            ("properties", Json::Object(properties)) => {
                properties.iter_mut().for_each(|(key, schema)| each(schema, key));
            }
            ("anyOf" | "allOf" | "oneOf", Json::List(schemas)) => {
                schemas.iter_mut().for_each(|schema| each(schema, key));
            }
            ("items" | "if" | "then", schema @ Json::Object(_)) => each(schema, key),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{object, of_type, text};
    use super::*;

    /// Two files have one table in common, and in it a long key: the table becomes a definition, the
    /// key does not, for it stands nowhere else.
    #[test]
    fn what_stands_twice_is_said_once() {
        let long = || of_type("string").with("description", text("very ".repeat(50) + "long"));
        let table = || object([("properties", object([("name", long())]))]);
        let file = |mode| {
            let properties = object([("mode", text(mode)), ("host", table())]);
            object([("properties", properties)])
        };
        let mut whole = object([("oneOf", Json::List(vec![file("a"), file("b")]))]);
        let mut definitions = vec![("host".to_owned(), of_type("string"))];
        share(&mut whole, &mut definitions);
        let names: Vec<&str> = definitions.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["host", "host-2"], "a name that is taken is not taken again");
        assert_eq!(definitions[1].1, table());
        assert_eq!(written(&whole).matches("#/definitions/host-2").count(), 2);
    }
}
