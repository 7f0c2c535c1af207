//! The JSON Schema of scenario files: as committed, and against every scenario that is shipped.

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use mqsim::run::{Families, parse};
use mqsim::scenario::Version;
use serde_json::Value;

const COMMITTED: &str = "docs/scenario.schema.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether files are to be written as they should be instead of being compared.
fn blesses() -> bool {
    std::env::var_os("MQSIM_BLESS").is_some_and(|value| value == "1")
}

fn validator() -> Validator {
    let text = Families::default().schema(None).expect("there is a schema of all modes");
    let value: Value = serde_json::from_str(&text).expect("it is JSON");
    jsonschema::draft7::meta::validate(&value).expect("it is a schema");
    jsonschema::draft7::new(&value).expect("it is a schema that can be used")
}

fn json(text: &str) -> Value {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// What a validator finds wrong.
fn wrong(validator: &Validator, text: &str) -> Vec<String> {
    validator
        .iter_errors(&json(text))
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Every scenario below `scenarios/`, with its path from the root.
fn shipped() -> Vec<PathBuf> {
    let (mut found, mut ahead) = (Vec::new(), vec![PathBuf::from("scenarios")]);
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(root().join(&directory)).expect("it can be read") {
            let entry = entry.expect("it can be read");
            let path = directory.join(entry.file_name());
            if entry.path().is_dir() {
                ahead.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_committed_schema_is_up_to_date() {
    let text = Families::default().schema(None).expect("there is a schema of all modes");
    let path = root().join(COMMITTED);
    if blesses() {
        std::fs::write(&path, &text).expect("it can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{COMMITTED} is old: MQSIM_BLESS=1 cargo test --test project schema"
    );
}

/// The first line of each shipped scenario tells editors where its schema is.
#[test]
fn shipped_scenarios_conform_and_name_their_schema() {
    let validator = validator();
    for path in shipped() {
        let mut text = std::fs::read_to_string(root().join(&path)).expect("it can be read");
        let up = "../".repeat(path.components().count() - 1);
        let line = format!("#:schema {up}{COMMITTED}\n");
        if blesses() && !text.starts_with(&line) {
            text = format!("{line}{text}");
            std::fs::write(root().join(&path), &text).expect("it can be written");
        }
        let path = path.display();
        assert!(
            text.starts_with(&line),
            "{path}: the first line must be {line}(MQSIM_BLESS=1 cargo test --test project schema adds it)"
        );
        let wrong = wrong(&validator, &text);
        assert!(wrong.is_empty(), "{path}: {}", wrong.join("\n"));
    }
}

#[test]
fn starters_conform() {
    let validator = validator();
    let families = Families::default();
    for info in families.modes() {
        let mode = info.mode;
        let found = wrong(&validator, mode.starter);
        assert!(found.is_empty(), "{}: {}", mode.name, found.join("\n"));
        let own = families.schema(Some(mode.name)).expect("every mode has one");
        let own = jsonschema::draft7::new(&serde_json::from_str(&own).unwrap()).unwrap();
        assert!(wrong(&own, mode.starter).is_empty());
        let other = json(&mode.starter.replace(mode.name, "another-mode"));
        assert!(!own.is_valid(&other), "{}", mode.name);
    }
    assert_eq!(families.schema(Some("kafka")), None);
}

/// What the checker refuses for its form, the schema refuses as well; what is written in one of the
/// less usual ways, both take.
#[test]
fn schema_and_checker_agree() {
    let validator = validator();
    let whole = Families::default().mode("rabbitmq-mirrored").unwrap().mode.starter;
    let with = |old: &str, new: &str| {
        assert!(whole.contains(old), "{old}");
        whole.replacen(old, new, 1)
    };
    let nemesis = |body: &str| format!("{whole}\n[nemesis]\n[[nemesis.fault]]\n{body}\n");
    for right in [
        with("rate = \"500/s\"", "rate = \"30k/min\""),
        with(
            "boot-time = \"5s\"",
            "boot-time = { distribution = \"uniform\", min = \"1s\", max = \"1.5s\" }",
        ),
        with("message-size = \"1KiB\"", "message-size = 100"),
        with("seeds = \"1..=20\"", "seeds = 7"),
        with("max = 0", "max = \"0\"")
            .replace("metric = \"unexplained\"", "metric = \"fsyncs\"")
            .replace("max = \"0\"", "min = 0"),
        with("kind = \"crash\"", "kind = \"packet-loss\"\nchance = 0.5"),
        nemesis("kind = 'partition'\nshapes = ['one', 'bridge']"),
        nemesis("kind = 'crash'\ntargets = 'all'\nspread = '1s'\nfor = '2s'"),
    ] {
        assert_eq!(wrong(&validator, &right), Vec::<String>::new(), "{right}");
        parse("right.toml", right.as_bytes(), &[]).unwrap_or_else(|error| panic!("{error}"));
    }
    for bad in [
        with("duration = \"30s\"", "duration = 30"),
        with("duration = \"30s\"", "duration = \"30 s\""),
        with("duration = \"30s\"", ""),
        with("mode = \"rabbitmq-mirrored\"", "mode = \"rabbitmq-mirored\""),
        with("nodes = 3", "node = 3"),
        with("nodes = 3", "nodes = \"3\""),
        with("rate = \"500/s\"", "rate = 500"),
        with("ack = \"manual\"", "ack = \"auto\""),
        with("kind = \"crash\"", "kind = \"crash\"\nfactor = 2"),
        with("target = \"leader(orders)\"", ""),
        with("[[policy]]", "[[polcy]]"),
        with("durable = true", "durable = 1"),
        nemesis("kind = 'partition'\nshapes = ['two']"),
        nemesis("kind = 'crash'\ntarget = 'n1'"),
    ] {
        assert!(!wrong(&validator, &bad).is_empty(), "the schema takes:\n{bad}");
        assert!(parse("bad.toml", bad.as_bytes(), &[]).is_err(), "the checker takes:\n{bad}");
    }
}

/// Where a validator finds something wrong, by the schema of one mode or of all.
fn places(mode: Option<&str>, text: &str) -> Vec<String> {
    let schema = Families::default().schema(mode).expect("every mode has one");
    let validator = jsonschema::draft7::new(&serde_json::from_str(&schema).unwrap()).unwrap();
    validator.iter_errors(&json(text)).map(|error| error.instance_path().to_string()).collect()
}

/// What is wrong is marked by itself: no alternative of many is, and not the table around it.
#[test]
fn a_misspelt_key_is_marked_alone() {
    let whole = Families::default().mode("kafka-isr").unwrap().mode.starter;
    let with = |old: &str, new: &str| {
        assert!(whole.contains(old), "{old}");
        whole.replacen(old, new, 1)
    };
    for (wrong, place) in [
        (with("partitions =", "partitons ="), "/topic/0/partitons"),
        (with("warmup =", "warm-up ="), "/warm-up"),
        (with("[controller]", "[controler]"), "/controler"),
        (with("\"min.insync.replicas\"", "\"min.insync.replica\""), "/broker/min.insync.replica"),
        (with("acks = \"all\"", "acks = \"al\""), "/producer/0/acks"),
        (with("for = \"10s\"", "fro = \"10s\""), "/fault/0/fro"),
        // A key of another kind of fault, and a kind that there is not.
        (with("kind = \"crash\"", "kind = \"crash\"\nfactor = 2"), "/fault/0/factor"),
        (with("kind = \"crash\"", "kind = \"crahs\""), "/fault/0/kind"),
        (with("\"success_lost\"", "\"sucess_lost\""), "/expect/0/metric"),
        (with("metric = \"success_lost\"", "cause = \"no-such\""), "/expect/0/cause"),
    ] {
        assert_eq!(places(Some("kafka-isr"), &wrong), [place], "{wrong}");
        assert_eq!(places(None, &wrong), [place], "{wrong}");
    }
}

/// The words that a mode knows are enumerated, so that editors complete them.
#[test]
fn words_are_enumerated() {
    let families = Families::default();
    for info in families.modes() {
        let schema = families.schema(Some(info.mode.name)).expect("every mode has one");
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let of = |key: &str| {
            let key = &schema["properties"]["expect"]["items"]["properties"][key];
            let list = if key["enum"].is_array() { &key["enum"] } else { &key["anyOf"][0]["enum"] };
            list.as_array().cloned().unwrap_or_default()
        };
        let words = info.about.words;
        for cause in words.causes {
            assert!(of("cause").contains(&cause.name.into()), "{}", cause.name);
            assert!(of("sometimes").contains(&cause.name.into()), "{}", cause.name);
        }
        for invariant in info.about.invariants {
            assert!(of("invariant").contains(&invariant.name.into()), "{}", invariant.name);
        }
        for event in words.events {
            assert!(of("event").contains(&event.name.into()), "{}", event.name);
        }
        assert!(of("metric").contains(&"success_lost".into()));
        assert!(of("metric").contains(&"lossy_seeds".into()));
        let versions = &schema["properties"]["broker-version"]["anyOf"][0]["enum"];
        let versions = versions.as_array().expect("they are enumerated");
        for version in [info.mode.versions.0, info.mode.versions.1, info.mode.version] {
            let version = version.parse::<Version>().expect("it is one").to_string();
            assert!(versions.contains(&version.as_str().into()), "{version} in {versions:?}");
        }
        let selectors = schema["definitions"]["selector"]["anyOf"][0]["enum"].as_array().unwrap();
        for selector in words.selectors {
            assert!(selectors.contains(&selector.to_string().into()), "{selector}");
        }
    }
}
