//! Each invariant of quorum queues breaks when a rule that it rests on is switched off, and is named.
//! Those of the state machine that rest on no rule have their mutants beside it
//! (`broker/quorum/fifo/check.rs`).
//!
//! The table is shown in `docs/fidelity/rabbitmq-quorum.md`. `MQSIM_MUTANT=persist-votes` looks at the rows
//! with that in them; `MQSIM_BLESS=1` writes the table anew.

use std::path::Path;

use mqsim::brokers::rabbitmq::oracle::INVARIANTS;
use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

/// An invariant, and the rule without which one of so many seeds breaks it.
struct Mutant {
    invariant: &'static str,
    without: &'static str,
    seeds: u64,
}

const fn mutant(invariant: &'static str, without: &'static str, seeds: u64) -> Mutant {
    Mutant { invariant, without, seeds }
}

const MUTANTS: &[Mutant] = &[
    mutant("one-leader-a-term", "persist-votes", 60),
    mutant("leader-completeness", "quorum-queues-fsync", 40),
    mutant("leader-completeness", "vote-for-newest-log", 40),
    mutant("committed-is-never-overwritten", "quorum-queues-fsync", 40),
    mutant("committed-is-never-overwritten", "vote-for-newest-log", 40),
    mutant("committed-is-on-a-majority", "quorum-queues-fsync", 5),
    mutant("confirmed-is-on-a-majority", "quorum-queues-fsync", 5),
    mutant("confirmed-is-on-a-majority", "confirm-when-applied", 5),
    mutant("same-entries-applied", "quorum-queues-fsync", 40),
    mutant("same-entries-applied", "vote-for-newest-log", 40),
    mutant("order-of-a-channel", "deduplicate-enqueues", 20),
];

/// Those that no rule of RabbitMQ's can break: tests of the state machine break it itself.
const OF_THE_STATE_MACHINE: [&str; 2] = ["one-place-a-message", "counts-never-fall"];

/// Five members, two publishers, two consumers, and every two seconds a death, a loss of power or a
/// cut. Disks are slow, silence is noticed soon, and nodes are back soon.
fn text() -> String {
    let mut text = "format = 1\nname = \"mutants\"\nmode = \"rabbitmq-quorum\"\nbroker-version = \"4.3\"\n\
         duration = \"40s\"\ndrain = \"120s\"\n\
         [cluster]\nnodes = 5\nboot-time = { distribution = \"uniform\", min = \"50ms\", max = \"400ms\" }\n\
         [cluster.disk]\nfsync = { distribution = \"lognormal\", median = \"8ms\", p99 = \"60ms\" }\n\
         [broker]\nnet_ticktime = \"1s\"\n\
         \"raft.adaptive_failure_detector.poll_interval\" = \"200ms\"\n\
         \"raft.adaptive_failure_detector.heartbeat_interval\" = \"50ms\"\n\
         [[queue]]\nname = \"orders\"\nleader = \"n1\"\nx-quorum-initial-group-size = 5\n"
        .to_owned();
    for (name, nodes) in [("p1", "\"n1\", \"n2\", \"n3\""), ("p2", "\"n5\", \"n4\", \"n3\"")] {
        text += &format!(
            "[[producer]]\nname = \"{name}\"\nto = \"orders\"\nconnect = [{nodes}]\nrate = \"100/s\"\n\
             confirms = {{ window = 50 }}\nrepublish = true\nreconnect-delay = \"100ms\"\n\
             heartbeat = \"2s\"\nconnection-timeout = \"1s\"\n"
        );
    }
    for (name, nodes) in [("c1", "\"n2\", \"n3\""), ("c2", "\"n4\", \"n1\"")] {
        text += &format!(
            "[[consumer]]\nname = \"{name}\"\nfrom = \"orders\"\nconnect = [{nodes}]\nprefetch = 20\n\
             reconnect-delay = \"100ms\"\nheartbeat = \"2s\"\nconnection-timeout = \"1s\"\n\
             processing-time = \"8ms\"\nreject = {{ chance = 0.05, requeue = true }}\n"
        );
    }
    text += "[nemesis]\nevery = { distribution = \"exponential\", mean = \"700ms\" }\nuntil = \"35s\"\n";
    for (kind, targets, most) in [
        ("crash", "\"leader(orders)\", \"random\"", "1s"),
        ("power-loss", "\"all\", \"leader(orders)\", \"minority\", \"random\"", "1s"),
    ] {
        text += &format!(
            "[[nemesis.fault]]\nkind = \"{kind}\"\ntargets = [{targets}]\n\
             for = {{ distribution = \"uniform\", min = \"1ms\", max = \"{most}\" }}\n"
        );
    }
    text += "[[nemesis.fault]]\nkind = \"partition\"\nshapes = [\"one\", \"halves\"]\n\
             for = { distribution = \"uniform\", min = \"500ms\", max = \"4s\" }\n";
    text
}

/// The invariants that are broken in a run, with what is first seen of each.
fn broken(report: &Report) -> Vec<(&'static str, String)> {
    let tallies = report.catalog.invariants.iter().zip(&report.invariants);
    let broken = tallies.filter(|(_, tally)| tally.violations > 0);
    let first = |tally: &mqsim::verdict::InvariantTally| {
        tally.first.first().map_or(String::new(), |breach| breach.detail.clone())
    };
    broken.map(|(word, tally)| (word.name, first(tally))).collect()
}

fn runs(without: Option<&str>) -> impl Fn(u64) -> Vec<(&'static str, String)> {
    let sets: Vec<String> = without.iter().map(|rule| format!("rules.{rule}=false")).collect();
    let prepared = parse("mutants.toml", text().as_bytes(), &sets);
    let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
    move |seed| {
        let report = simulate(&prepared, seed, None);
        broken(&report.unwrap_or_else(|error| panic!("seed {seed}: {error}")))
    }
}

impl Mutant {
    fn row(&self) -> String {
        format!("| `{}` | `rules.{}` |", self.invariant, self.without)
    }

    /// What is wrong with it; nothing if a seed shows it.
    fn wrong(&self) -> Option<String> {
        let run = runs(Some(self.without));
        let mut others = Vec::new();
        for seed in 1..=self.seeds {
            let found = run(seed);
            if let Some((_, detail)) = found.iter().find(|(name, _)| *name == self.invariant) {
                println!("{} seed {seed}: {detail}", self.row());
                return None;
            }
            others.extend(found.into_iter().map(|(name, _)| name));
        }
        others.dedup();
        Some(format!("{}\n  not broken, but {others:?}", self.row()))
    }
}

#[test]
fn every_invariant_breaks_without_a_rule_that_it_rests_on() {
    let wanted = std::env::var("MQSIM_MUTANT").unwrap_or_default();
    let rows = MUTANTS.iter().filter(|mutant| mutant.row().contains(&wanted));
    let wrong: Vec<String> = rows.filter_map(Mutant::wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn with_all_rules_none_breaks() {
    let run = runs(None);
    for seed in 1..=10 {
        assert_eq!(run(seed), [], "seed {seed}");
    }
}

#[test]
fn no_invariant_is_left_out() {
    let lacks = |name: &&str| {
        !MUTANTS.iter().any(|mutant| mutant.invariant == *name)
            && !OF_THE_STATE_MACHINE.contains(name)
    };
    let left: Vec<&str> = INVARIANTS.iter().map(|word| word.name).filter(lacks).collect();
    assert!(left.is_empty(), "without a mutant: {left:?}");
}

/// Where the table stands in the document.
const BEGINS: &str = "| Invariant | Breaks without |\n| --- | --- |\n";

#[test]
fn the_document_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fidelity/rabbitmq-quorum.md");
    let document = std::fs::read_to_string(&path).expect("the document is there");
    let (before, rest) = document.split_once(BEGINS).expect("the document has the table");
    let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
    let rows: String = MUTANTS.iter().map(|mutant| mutant.row() + "\n").collect();
    if std::env::var_os("MQSIM_BLESS").is_some() {
        let whole = format!("{before}{BEGINS}{rows}{}", &rest[end..]);
        std::fs::write(&path, whole).expect("the document can be written");
    } else {
        assert_eq!(rest[..end], rows, "MQSIM_BLESS=1 cargo test --test rabbitmq mutants writes it");
    }
}
