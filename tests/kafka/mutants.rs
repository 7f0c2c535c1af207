//! Each invariant of Kafka breaks when a rule that it rests on is switched off, and is named.
//!
//! The table is shown in `docs/fidelity/kafka-isr.md`. `MQSIM_MUTANT=strong-isr` looks at the rows with that
//! in them; `MQSIM_BLESS=1` writes the table anew.

use std::path::Path;

use crate::kit::{broken, chaos, each, hasty, prepared, quorum, run, scripted as scripted_text};

/// What a run is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// `kafka_kit::chaos`, brokers noticed as by default.
    Chaos,
    /// The same, noticed sooner.
    Quick,
    /// `kafka_kit::hasty`.
    Hasty,
    /// `kafka_kit::quorum`.
    Quorum,
    /// The same, with losses of power.
    Power,
    /// `kafka_kit::scripted`: faults at chosen times.
    Scripted(&'static str),
}

/// An invariant, and what breaks it.
struct Mutant {
    invariant: &'static str,
    /// The rules that are switched off.
    without: &'static [&'static str],
    /// What is set in both runs.
    given: &'static [&'static str],
    version: &'static str,
    metadata: &'static str,
    life: Life,
    /// The seeds that are looked at: one of them must show it.
    seeds: (u64, u64),
}

const fn mutant(
    invariant: &'static str,
    without: &'static [&'static str],
    version: &'static str,
    life: Life,
    seeds: (u64, u64),
) -> Mutant {
    Mutant { invariant, without, given: &[], version, metadata: "kraft", life, seeds }
}

const fn given(mutant: Mutant, given: &'static [&'static str]) -> Mutant {
    Mutant { given, ..mutant }
}

/// One interleaving, in a version that has the rules that it is about.
const fn scripted(
    invariant: &'static str,
    without: &'static [&'static str],
    version: &'static str,
    life: &'static str,
) -> Mutant {
    mutant(invariant, without, version, Life::Scripted(life), (1, 2))
}

const fn zookeeper(mutant: Mutant) -> Mutant {
    Mutant { metadata: "zookeeper", ..mutant }
}

/// Followers cut their logs before they fetch, as before KIP-595.
const ASKS_FIRST: &str = "rules.truncate-on-fetch=false";

const MUTANTS: &[Mutant] = &[
    mutant("type-ok", &["bound-hw-by-log-end"], "4.1", Life::Quick, (1, 4)),
    given(mutant("weak-isr", &["truncate-by-epoch"], "3.6", Life::Quick, (10, 10)), &[ASKS_FIRST]),
    given(
        mutant("strong-isr", &["truncate-by-epoch"], "3.6", Life::Quick, (10, 10)),
        &[ASKS_FIRST],
    ),
    zookeeper(scripted("strong-isr", &["fence-by-leader-epoch"], "2.1", "zombie-follower")),
    given(
        mutant("leader-in-isr", &["prefer-in-sync"], "4.1", Life::Hasty, (1, 1)),
        &["broker.leader.imbalance.check.interval.seconds=1"],
    ),
    given(
        mutant("valid-high-watermark", &["truncate-by-epoch"], "3.6", Life::Quick, (8, 8)),
        &[ASKS_FIRST],
    ),
    scripted("valid-high-watermark", &["maximal-isr"], "3.6", "unheard-isr"),
    // The leader must look at its followers just before it dies, which is chance.
    zookeeper(mutant(
        "leader-candidate-completeness",
        &["join-at-epoch-start"],
        "2.1",
        Life::Scripted("early-join"),
        (1, 24),
    )),
    mutant("leader-candidate-completeness", &["clear-elr"], "4.1", Life::Quick, (5, 6)),
    mutant(
        "leader-candidate-completeness",
        &["detect-unclean-shutdown"],
        "4.1",
        Life::Chaos,
        (1, 1),
    ),
    given(
        mutant("leader-completeness", &["truncate-by-epoch"], "3.6", Life::Chaos, (20, 20)),
        &[ASKS_FIRST],
    ),
    mutant("leader-completeness", &["detect-unclean-shutdown"], "4.1", Life::Chaos, (20, 20)),
    zookeeper(scripted("log-matching", &["epoch-end-names-epoch"], "2.1", "fast-failover")),
    scripted("replication-quorum-superset", &["maximal-isr"], "3.6", "unheard-isr"),
    given(
        mutant("consistent-read", &["truncate-by-epoch"], "3.6", Life::Chaos, (20, 20)),
        &[ASKS_FIRST],
    ),
    given(
        mutant(
            "no-committed-record-lost-globally",
            &["truncate-by-epoch"],
            "3.6",
            Life::Chaos,
            (6, 6),
        ),
        &[ASKS_FIRST],
    ),
    given(
        scripted("valid-controller-state", &["join-if-eligible"], "3.4", "fenced-follower"),
        &["rules.bump-epoch-on-shrink=false"],
    ),
    mutant("valid-controller-isr-and-elr", &["clear-elr"], "4.1", Life::Quick, (1, 1)),
    mutant("unclean-exclusion", &["detect-unclean-shutdown"], "4.1", Life::Chaos, (1, 1)),
    given(
        scripted("unclean-exclusion", &["join-if-eligible"], "3.4", "fenced-follower"),
        &["rules.bump-epoch-on-shrink=false"],
    ),
    scripted("unclean-exclusion", &["join-with-broker-epoch"], "3.6", "bounced-follower"),
    mutant("last-replica-standing", &["eligible-leader-replicas"], "4.1", Life::Quick, (37, 37)),
    mutant("valid-fetcher-state", &["one-fetcher-per-partition"], "3.6", Life::Quick, (2, 2)),
    mutant("applied-hw-monotonic", &["join-at-epoch-start"], "4.1", Life::Hasty, (1, 1)),
    mutant("epoch-monotonic", &["cut-epochs-with-log"], "3.6", Life::Quick, (37, 37)),
    mutant("unique-leader-per-epoch", &["bump-epoch-on-election"], "3.6", Life::Quick, (29, 29)),
    mutant("metadata-log-matching", &["quorum-checks-candidate"], "4.1", Life::Quorum, (1, 4)),
    mutant("monotonic-epoch", &["quorum-keeps-epochs"], "4.1", Life::Quorum, (1, 1)),
    mutant("monotonic-high-watermark", &["quorum-commits-own-epoch"], "4.1", Life::Quorum, (1, 1)),
    mutant(
        "majority-reached-high-watermark",
        &["quorum-counts-synced"],
        "4.1",
        Life::Power,
        (1, 1),
    ),
    mutant("single-leader", &["quorum-keeps-votes"], "3.9", Life::Quorum, (98, 98)),
    mutant("snapshot-at-log-start", &["quorum-drops-behind-snapshot"], "4.1", Life::Quorum, (1, 1)),
    mutant(
        "leader-never-load-snapshot",
        &["quorum-reads-before-leading"],
        "4.1",
        Life::Quorum,
        (1, 1),
    ),
    mutant("consistent-committed-data", &["quorum-checks-divergence"], "4.1", Life::Quorum, (1, 1)),
];

impl Mutant {
    fn text(&self) -> String {
        match self.life {
            Life::Chaos => chaos(self.version, self.metadata, false),
            Life::Quick => chaos(self.version, self.metadata, true),
            Life::Hasty => hasty(self.version, self.metadata),
            Life::Quorum => quorum(self.version, false),
            Life::Power => quorum(self.version, true),
            Life::Scripted(name) => {
                let version = format!("broker-version = \"{}\"", self.version);
                let text = scripted_text(name);
                assert!(text.contains(&version), "{name} is of another version");
                text.to_owned()
            }
        }
    }

    /// Its row of the table.
    fn row(&self) -> String {
        let without: Vec<String> = self.without.iter().map(|rule| format!("`{rule}`")).collect();
        let with: String = self.given.iter().map(|set| format!(", `{set}`")).collect();
        let life = match self.life {
            Life::Chaos => "random faults",
            Life::Quick => "random faults, short sessions",
            Life::Hasty => "elections one after the other",
            Life::Quorum => "controllers come and go",
            Life::Power => "controllers lose power",
            Life::Scripted(name) => return self.row_under(&without, &with, &format!("`{name}`")),
        };
        self.row_under(&without, &with, life)
    }

    fn row_under(&self, without: &[String], with: &str, life: &str) -> String {
        let (invariant, version, metadata) = (self.invariant, self.version, self.metadata);
        format!("| `{invariant}` | {} | {version}, {metadata}{with} | {life} |", without.join(", "))
    }

    /// What is wrong with it; nothing if the rule alone makes the difference.
    fn wrong(&self) -> Option<String> {
        let sets: Vec<String> = self.given.iter().map(ToString::to_string).collect();
        let off = self.without.iter().map(|rule| format!("rules.{rule}=false"));
        let with = prepared(&self.text(), &sets);
        let without = prepared(&self.text(), &sets.iter().cloned().chain(off).collect::<Vec<_>>());
        let (mut shown, mut others) = (false, Vec::new());
        for seed in self.seeds.0..=self.seeds.1 {
            let sound = broken(&run(&with, seed));
            // What is not claimed there may break, but not the invariant that is looked at.
            let bad = |one: &&crate::kit::Broken| one.claimed() || one.name == self.invariant;
            if let Some(one) = sound.iter().find(bad) {
                return Some(format!("{}\n  seed {seed}, with its rules: {one}", self.row()));
            }
            let found = broken(&run(&without, seed));
            shown |= found.iter().any(|one| one.name == self.invariant);
            others.extend(found.into_iter().map(|one| one.name));
        }
        (!shown).then(|| format!("{}\n  not broken, but {others:?}", self.row()))
    }
}

#[test]
fn every_invariant_has_a_rule_that_it_rests_on() {
    let wanted = std::env::var("MQSIM_MUTANT").unwrap_or_default();
    let rows: Vec<&Mutant> = MUTANTS.iter().filter(|m| m.row().contains(&wanted)).collect();
    let wrong = each(rows.len(), |index| rows[index].wrong());
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn no_invariant_is_left_out() {
    let words = mqsim::brokers::kafka::isr::invariants::WORDS;
    let lacks = |word: &&mqsim::observe::InvariantWord| {
        !MUTANTS.iter().any(|mutant| mutant.invariant == word.name)
    };
    let left: Vec<&str> = words.iter().filter(lacks).map(|word| word.name).collect();
    assert!(left.is_empty(), "without a mutant: {left:?}");
}

/// Where the table stands in the document.
const BEGINS: &str =
    "| Invariant | Breaks without | Version | Under |\n| --- | --- | --- | --- |\n";

#[test]
fn the_document_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fidelity/kafka-isr.md");
    let document = std::fs::read_to_string(&path).expect("the document is there");
    let (before, rest) = document.split_once(BEGINS).expect("the document has the table");
    let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
    let rows: String = MUTANTS.iter().map(|mutant| mutant.row() + "\n").collect();
    if std::env::var_os("MQSIM_BLESS").is_some() {
        let whole = format!("{before}{BEGINS}{rows}{}", &rest[end..]);
        std::fs::write(&path, whole).expect("the document can be written");
    } else {
        assert_eq!(rest[..end], rows, "MQSIM_BLESS=1 cargo test --test kafka mutants writes it");
    }
}
