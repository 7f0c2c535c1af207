//! The history of a run by itself: it is read with a parser that others wrote, every operation in it is
//! invoked and completed, and what it says of messages is what the ledger says.
//!
//! `MQSIM_HISTORIES=500 cargo test --test clients history::` looks at so many random runs of every kind
//! of client.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use edn_rs::Edn;
use mqsim::engine::Stream;
use mqsim::run::{HistoryFormat, history, parse, simulate};
use mqsim::verdict::{Fate, FinalOutcome, Report};

use super::{SETTINGS, Setting};

/// A number of a map.
fn number(map: &Edn, key: &str) -> u64 {
    map.get(key).and_then(Edn::to_uint).unwrap_or_else(|| panic!("{key} of {map}"))
}

/// A text or keyword of a map, without its colon or quotes.
fn word(map: &Edn, key: &str) -> String {
    text(map.get(key).unwrap_or_else(|| panic!("{key} of {map}")))
}

fn text(value: &Edn) -> String {
    match value {
        Edn::Key(word) => word.trim_start_matches(':').to_owned(),
        Edn::Str(text) => text.clone(),
        other => panic!("{other} is no text"),
    }
}

fn items(value: &Edn) -> Vec<Edn> {
    value.iter_some().map_or(Vec::new(), |all| all.cloned().collect())
}

/// What a history says, found without the ledger.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Messages by the last word on them that stands: the best of all.
    outcomes: BTreeMap<String, u64>,
    /// Lines handed to an application at least once, and deliveries beyond that.
    delivered: u64,
    duplicated: u64,
    redelivered: u64,
    /// First deliveries behind a later message of the same producer.
    reordered: u64,
    /// Acknowledged lines that nobody has read, auditors neither.
    unread: u64,
    /// Where there are offsets: messages at two, and acknowledged and unread below one that was read.
    at_two_offsets: u64,
    lost_writes: u64,
}

/// How good a word on a message is: the best stands.
fn rank(outcome: &str) -> usize {
    let order = ["acked", "accepted", "returned", "rejected", "unknown", "unsent"];
    order.iter().position(|one| *one == outcome).expect("a known outcome")
}

/// A message of a history: its log or queues are part of what it is called.
type Name = (String, String);

/// Reads a history and checks its form: indexes count, times do not go back, a process does one thing
/// at a time, what it completes is what it invoked, and one that does not know does nothing any more.
fn check(text_of: &str) -> Found {
    let mut under_way: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut gone: BTreeSet<u64> = BTreeSet::new();
    let mut time = 0;
    let mut words: BTreeMap<Name, String> = BTreeMap::new();
    let mut lines: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    let mut read: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut audited: BTreeSet<(String, String)> = BTreeSet::new();
    let mut furthest: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut offsets: BTreeMap<Name, BTreeSet<u64>> = BTreeMap::new();
    let mut acked_at: BTreeMap<Name, u64> = BTreeMap::new();
    let mut highest: BTreeMap<String, u64> = BTreeMap::new();
    let mut found = Found::default();
    for (place, line) in text_of.lines().enumerate() {
        let op = Edn::from_str(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        assert_eq!(number(&op, ":index"), place as u64);
        assert!(number(&op, ":time") >= time, "{line}");
        time = number(&op, ":time");
        if let Some(Edn::Key(_)) = op.get(":process") {
            assert_eq!(word(&op, ":type"), "info", "the nemesis knows nothing");
            continue;
        }
        let process = number(&op, ":process");
        let what = (word(&op, ":f"), word(&op, ":client"));
        let kind = word(&op, ":type");
        assert!(!gone.contains(&process), "{line}: it does not know what became of its last one");
        if kind == "invoke" {
            assert!(under_way.insert(process, what).is_none(), "{line}: it does something else");
            continue;
        }
        assert_eq!(under_way.remove(&process).as_ref(), Some(&what), "{line}");
        if kind == "info" {
            gone.insert(process);
        }
        match word(&op, ":f").as_str() {
            "send" | "enqueue" => {
                let (name, to, offset) = sent(&op);
                let outcome = word(&op, ":outcome");
                let outcome = if outcome == "nacked" { "unknown".to_owned() } else { outcome };
                let known = words.entry(name.clone()).or_insert_with(|| outcome.clone());
                if rank(&outcome) < rank(known) {
                    known.clone_from(&outcome);
                }
                lines.insert(name.clone(), to);
                if let Some(offset) = offset {
                    acked_at.insert(name.clone(), offset);
                    offsets.entry(name).or_default().insert(offset);
                }
            }
            _ => {
                let auditor = op.get(":auditor").is_some();
                for (place, message, offset) in received(&op) {
                    let line = (place.clone(), message.clone());
                    if let Some(offset) = offset {
                        let log = place.split('@').next().expect("a log").to_owned();
                        offsets.entry((log.clone(), message.clone())).or_default().insert(offset);
                        let high = highest.entry(log).or_insert(offset);
                        *high = offset.max(*high);
                    }
                    if auditor {
                        audited.insert(line);
                        continue;
                    }
                    found.redelivered += u64::from(op.get(":redelivered").is_some());
                    let times = read.entry(line).or_insert(0);
                    *times += 1;
                    if *times > 1 {
                        found.duplicated += 1;
                        continue;
                    }
                    found.delivered += 1;
                    let (producer, number) = message.split_once('#').expect("a producer");
                    let number: u64 = number.parse().expect("a number");
                    let far = furthest.entry((place, producer.to_owned())).or_insert(0);
                    found.reordered += u64::from(number < *far);
                    *far = (number + 1).max(*far);
                }
            }
        }
    }
    assert!(under_way.is_empty(), "what is never completed: {under_way:?}");
    for (name, outcome) in &words {
        *found.outcomes.entry(outcome.clone()).or_insert(0) += lines[name].len().max(1) as u64;
        let seen = |place: &&String| {
            let line = ((*place).clone(), name.1.clone());
            read.contains_key(&line) || audited.contains(&line)
        };
        if outcome == "acked" {
            found.unread += lines[name].iter().filter(|place| !seen(place)).count() as u64;
        }
    }
    found.at_two_offsets = offsets.values().filter(|all| all.len() > 1).count() as u64;
    for ((log, message), offset) in &acked_at {
        let seen =
            |line: &(String, String)| line.0.split('@').next() == Some(log) && line.1 == *message;
        let seen = read.keys().any(seen) || audited.iter().any(seen);
        let below = highest.get(log).is_some_and(|high| offset <= high);
        found.lost_writes += u64::from(below && !seen);
    }
    found
}

/// A message that was sent, its lines, and the offset if it was told.
fn sent(op: &Edn) -> (Name, Vec<String>, Option<u64>) {
    let value = op.get(":value").expect("a value");
    if word(op, ":f") == "enqueue" {
        let queues = items(op.get(":queues").expect("queues")).iter().map(text).collect();
        return ((String::new(), text(value)), queues, None);
    }
    let part = items(&items(value)[0]);
    let log = text(&part[1]);
    let (message, offset) = match &part[2] {
        Edn::Str(message) => (message.clone(), None),
        pair => {
            let pair = items(pair);
            (text(&pair[1]), pair[0].to_uint())
        }
    };
    ((log.clone(), message), vec![log], offset)
}

/// What was handed to an application: queue or log, message, offset.
fn received(op: &Edn) -> Vec<(String, String, Option<u64>)> {
    if word(op, ":type") != "ok" {
        return Vec::new();
    }
    let value = op.get(":value").expect("a value");
    if word(op, ":f") == "dequeue" {
        return vec![(word(op, ":queue"), text(value), None)];
    }
    let polled = items(&items(value)[0])[1].clone();
    let logs = polled.map_iter().expect("a map of logs");
    let one = |(log, all): (&String, &Edn)| {
        let log = log.trim_matches('"').to_owned();
        let pairs = items(all).into_iter().map(|pair| items(&pair)).collect::<Vec<_>>();
        pairs.into_iter().map(move |pair| (log.clone(), text(&pair[1]), pair[0].to_uint()))
    };
    logs.flat_map(one).collect()
}

/// The same as the ledger has it.
fn told(report: &Report, found: &Found) -> Found {
    let summary = &report.summary;
    let counts = [
        ("acked", summary.acked),
        ("accepted", summary.accepted),
        ("returned", summary.returned),
        ("rejected", summary.rejected),
        ("unknown", summary.unknown),
        ("unsent", summary.unsent),
    ];
    let outcomes = counts.iter().filter(|(_, count)| *count > 0);
    // What was read may be gone afterwards: only of those that end unread the fate says it.
    let cells = &summary.matrix.cells[FinalOutcome::Acked as usize];
    let read = cells[Fate::Processed as usize] + cells[Fate::ReceivedOnly as usize];
    let most = summary.acked - read;
    assert!(found.unread <= most, "{} unread, of {most} at most", found.unread);
    Found {
        outcomes: outcomes.map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        delivered: summary.delivered,
        duplicated: summary.duplicated,
        redelivered: summary.redelivered,
        reordered: summary.reordered,
        unread: found.unread,
        at_two_offsets: summary.duplicate_values.unwrap_or(0),
        lost_writes: summary.lost_writes.unwrap_or(0),
    }
}

fn written(text: &str, seed: u64, format: HistoryFormat) -> String {
    let prepared = parse("history.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    let mut out = Vec::new();
    let lines = history(&prepared, seed, format, &mut out).unwrap_or_else(|e| panic!("{e}"));
    let text = String::from_utf8(out).expect("a history is text");
    assert_eq!(text.lines().count() as u64, lines);
    text
}

fn agrees(text: &str, seed: u64) {
    let prepared = parse("history.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    let report = simulate(&prepared, seed, None).unwrap_or_else(|e| panic!("{e}"));
    let found = check(&written(text, seed, HistoryFormat::Edn));
    let told = told(&report, &found);
    assert_eq!(found, told, "seed {seed} of\n{text}");
}

/// A run of one kind of client under a few faults.
fn random(setting: &Setting, draw: &mut Stream) -> String {
    let nodes: u64 = if setting.cluster.contains("nodes = 1") {
        1
    } else if setting.cluster.contains("nodes = 2") {
        2
    } else {
        3
    };
    let mut faults = String::new();
    for _ in 0..draw.between(0, 3) {
        let kinds = ["crash", "stop", "power-loss", "pause"];
        let kind = kinds[draw.below(4) as usize];
        let target = match draw.below(4) {
            0 => "producer(p1)".to_owned(),
            1 => "consumer(c1)".to_owned(),
            _ => format!("n{}", draw.between(1, nodes)),
        };
        let (at, lasts) = (draw.between(500, 7_000), draw.between(200, 12_000));
        faults += &format!(
            "[[fault]]\nat = '{at}ms'\nfor = '{lasts}ms'\nkind = '{kind}'\ntarget = '{target}'\n"
        );
    }
    setting.scenario(10, "rate = '100/s'", &faults)
}

#[test]
fn a_history_agrees_with_the_ledger() {
    let wanted = std::env::var("MQSIM_HISTORIES").ok();
    let each = wanted.map_or(3, |text| text.parse().expect("MQSIM_HISTORIES is a number"));
    for setting in SETTINGS {
        let mut draw = Stream::fixed(1, setting.name);
        for seed in 1..=each {
            agrees(&random(setting, &mut draw), seed);
        }
    }
}

#[test]
fn both_forms_say_the_same() {
    let scenario = SETTINGS[3].scenario(2, "rate = '50/s'", "");
    let edn = written(&scenario, 1, HistoryFormat::Edn);
    let json = written(&scenario, 1, HistoryFormat::JsonLines);
    assert_eq!(edn.lines().count(), json.lines().count());
    for (edn, json) in edn.lines().zip(json.lines()) {
        let edn = Edn::from_str(edn).expect("a map");
        let json: serde_json::Value = serde_json::from_str(json).expect("an object");
        assert_eq!(number(&edn, ":index"), json["index"].as_u64().expect("a number"));
        assert_eq!(word(&edn, ":f"), json["f"].as_str().expect("a word"));
        assert_eq!(word(&edn, ":type"), json["type"].as_str().expect("a word"));
    }
}
