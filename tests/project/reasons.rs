//! The tables "Why a message is lost" of the documents: of a scenario, how the last copies of
//! messages that had been a success went (cause), and what had made them the last (because). Each
//! table has all that its scenarios lose.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mqsim::run::{load, simulate};

/// Cause and because, as the tables have them.
type Reasons = BTreeSet<(String, String)>;

/// What the tables say of each scenario.
fn told() -> BTreeMap<String, Reasons> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fidelity");
    let mut told: BTreeMap<String, Reasons> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the documents are there") {
        let text =
            std::fs::read_to_string(entry.expect("it can be read").path()).expect("it is text");
        let Some((_, chapter)) = text.split_once("## Why a message is lost\n") else { continue };
        let chapter = chapter.split("\n## ").next().unwrap_or("");
        let rows = chapter.lines().filter(|line| line.starts_with('|'));
        for row in
            rows.filter(|row| !row.starts_with("| Configuration") && !row.starts_with("| ---"))
        {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            // A table without scenarios is checked where its scenarios are.
            let [_, _, cause, because, scenario] = cells[..] else { continue };
            let plain = |cell: &str| match cell {
                "–" => "none".to_owned(),
                cell => cell.trim_matches('`').to_owned(),
            };
            told.entry(plain(scenario)).or_default().insert((plain(cause), plain(because)));
        }
    }
    told
}

/// Why a scenario loses what had been a success, with its own seed.
fn found(name: &str) -> Reasons {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/failures");
    let path = ["rabbitmq", "kafka"].map(|family| folder.join(family).join(format!("{name}.toml")));
    let path = path.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("no {name}"));
    let prepared = load(path, &[]).unwrap_or_else(|error| panic!("{error}"));
    let report =
        simulate(&prepared, prepared.seed(), None).unwrap_or_else(|error| panic!("{error}"));
    let lost = report.losses.iter().filter(|loss| {
        matches!(loss.class, "acked_lost" | "accepted_lost") && loss.cause.is_some()
    });
    let reasons = lost.map(|loss| {
        let cause = loss.cause.map_or("", |id| report.catalog.causes[id.index()].name);
        (cause.to_owned(), report.catalog.conditions[loss.because.0 as usize].to_owned())
    });
    reasons.collect()
}

#[test]
fn the_documents_say_why_their_scenarios_lose_messages() {
    let told = told();
    assert!(told.len() > 20, "the tables were found: {told:?}");
    let mut wrong = Vec::new();
    for (scenario, told) in told {
        let found = found(&scenario);
        if found != told {
            wrong.push(format!("{scenario}: found {found:?}, told {told:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
