//! A family that mqsim does not ship goes through all that the command does.

#[allow(unreachable_pub, reason = "it is written as one of the library is")]
mod family;

use std::path::Path;

use mqsim::cli::{Exit, Library, main};
use mqsim::run::Families;
use mqsim::scenario::MOST_MEMORY;
use tempfile::TempDir;

fn library() -> Library {
    Library { families: Families::none().with::<family::Spec>() }
}

/// What the command says of these arguments, in a folder with the starter, or with it changed.
fn call(folder: &Path, arguments: &[&str], changed: Option<(&str, &str)>) -> Exit {
    let starter = include_str!("starter.toml");
    let text = changed.map_or(starter.to_owned(), |(old, new)| starter.replace(old, new));
    std::fs::write(folder.join("toy.toml"), text).expect("the folder can be written");
    let file = folder.join("toy.toml").display().to_string();
    let report = folder.join("report").display().to_string();
    let words = arguments.iter().map(|word| match *word {
        "FILE" => &file,
        "REPORT" => &report,
        word => word,
    });
    main(&library(), std::iter::once("mqsim").chain(words))
}

#[test]
fn it_runs_and_is_reported() {
    let folder = TempDir::new().expect("there is a temporary folder");
    let run = ["run", "FILE", "--out", "REPORT"];
    assert_eq!(call(folder.path(), &run, None), Exit::Holds);
    let read = |name: &str| {
        let path = folder.path().join("report/toy").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    };
    assert!(!read("loss.csv").contains("forgotten"), "what is on the disk is kept");
    assert!(read("timeline.svg").contains("n1"));
    let forgets = Some(("durable = true", "durable = false"));
    assert_eq!(call(folder.path(), &run, forgets), Exit::Broken);
    assert!(read("loss.csv").contains("forgotten"));
    assert!(read("invariants.csv").contains("answered-is-kept"));
}

#[test]
fn its_cause_and_its_invariant_show() {
    let families = library().families;
    let text = include_str!("starter.toml").replace("durable = true", "durable = false");
    let prepared =
        families.parse("toy.toml", text.as_bytes(), &[], MOST_MEMORY).expect("it is a scenario");
    let report = mqsim::run::simulate(&prepared, 1, None).expect("it ends");
    let lost = report.causes.iter().sum::<u64>();
    assert!(lost > 350, "{lost} lost");
    assert_eq!(prepared.catalog().causes[0].name, "forgotten");
    let broken: u64 = report.invariants.iter().map(|tally| tally.violations).sum();
    assert_eq!(broken, 1);
}

#[test]
fn it_is_listed_and_checked() {
    let folder = TempDir::new().expect("there is a temporary folder");
    for what in ["modes", "selectors", "toy"] {
        assert_eq!(call(folder.path(), &["list", what], None), Exit::Holds, "{what}");
    }
    assert_eq!(call(folder.path(), &["list", "kafka-isr"], None), Exit::Input);
    assert_eq!(call(folder.path(), &["schema", "toy"], None), Exit::Holds);
    assert_eq!(call(folder.path(), &["check", "FILE"], None), Exit::Holds);
    let forgets = Some(("durable = true", "durable = false"));
    assert_eq!(call(folder.path(), &["check", "FILE"], forgets), Exit::Broken);
    let unknown = Some(("durable = true", "durble = true"));
    assert_eq!(call(folder.path(), &["check", "FILE"], unknown), Exit::Input);
    let chapters = library().families.describe_mode("toy").expect("there is such a mode");
    let said = |word: &str| {
        let mut paragraphs = chapters.iter().flat_map(|chapter| &chapter.paragraphs);
        paragraphs.any(|paragraph| paragraph.words.contains(word))
    };
    for word in ["work", "durable", "answered-is-kept"] {
        assert!(said(word), "{word} in {chapters:?}");
    }
}

/// What `docs/architecture.md` shows as the recipe is this family.
#[test]
fn the_recipe_shows_it() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let docs = std::fs::read_to_string(docs).expect("it can be read");
    let recipe = docs.split("### A broker family\n").nth(1).expect("there is the recipe");
    let recipe = recipe.split("\n## ").next().unwrap_or_default();
    let family = include_str!("family.rs");
    let blocks = recipe.split("```").skip(1).step_by(2);
    let shown = blocks.flat_map(|block| block.lines().skip(1));
    let shown: Vec<&str> = shown.filter(|line| !line.trim().starts_with("//")).collect();
    assert!(shown.len() > 50, "{} lines are shown", shown.len());
    for line in shown {
        assert!(family.lines().any(|own| own == line), "the recipe has: {line}");
    }
    assert!(family.lines().count() < 300);
}
