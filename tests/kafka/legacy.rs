//! Kafka before 0.8 in whole runs and by its parts: what no script or scenario shows by itself.

use mqsim::brokers::kafka::PartitionId;
use mqsim::brokers::kafka::legacy::broker::PartitionLog;
use mqsim::engine::{Span, Time};
use mqsim::observe::{MessageRange, ProducerId};
use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;
use mqsim::world::FileId;
use proptest::prelude::*;

fn run(text: &str, sets: &[&str], seed: u64) -> Report {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let prepared = parse("test.toml", text.as_bytes(), &sets).expect("a right scenario");
    simulate(&prepared, seed, None).expect("a run that ends")
}

const SMALL: &str = r#"
format = 1
mode = "kafka-legacy"
duration = "20s"
drain = "60s"
[cluster]
nodes = 1
boot-time = "1s"
[broker]
log.flush.interval = 1000000
log.default.flush.scheduler.interval.ms = 1000
log.file.size = "16KiB"
[[topic]]
name = "orders"
[[producer]]
name = "p1"
to = "orders"
rate = "100/s"
message-size = "100B"
[[consumer]]
name = "c1"
from = "orders"
groupid = "g"
fetcher.backoff.ms = 100
"#;

#[test]
fn old_messages_are_flushed() {
    let with = run(SMALL, &[], 1);
    assert_eq!(with.summary.processed, 2_000);
    // Only the ends of segments are flushed then, and nothing at the end.
    let without = run(SMALL, &["rules.flush-by-time=false"], 1);
    assert!(without.summary.processed < 2_000, "{}", without.summary.processed);
}

#[test]
fn old_segments_are_deleted() {
    let sets = ["duration=100s", "broker.log.retention.hours=20s", "consumer.c1.start=99s"];
    let report = run(SMALL, &sets, 1);
    assert!(report.summary.expired > 2_000, "{}", report.summary.expired);
    assert_eq!(report.summary.unexplained, 0);
    assert_eq!(report.summary.expired + report.summary.processed, 10_000);
}

/// A second consumer joins: with the commit the new owner begins where the old one stopped.
#[test]
fn a_rebalance_commits_first() {
    let mut text = SMALL.to_owned();
    text.push_str(
        "[[consumer]]\nname = \"a\"\nfrom = \"orders\"\ngroupid = \"g\"\nstart = \"8s\"\n",
    );
    let with = run(&text, &[], 1);
    assert_eq!(with.summary.duplicated, 0);
    let without = run(&text, &["rules.commit-before-release=false"], 1);
    assert!(without.summary.duplicated > 300, "{}", without.summary.duplicated);
}

/// The way from a consumer to a broker is cut for a second. ZooKeeper notices nothing, so there is
/// no rebalance, and nobody starts the fetcher again that has died of it.
#[test]
fn fetchers_die_of_errors() {
    let mut text = SMALL.to_owned();
    text.push_str(
        "[[fault]]\nat = \"5s\"\nfor = \"1s\"\nkind = \"partition\"\nhow = \"reject\"\n\
         between = [\"c1\", \"n1\"]\n",
    );
    let dies = run(&text, &[], 1);
    assert!(dies.summary.processed < 600, "{}", dies.summary.processed);
    let lives = run(&text, &["rules.fetcher-dies-of-errors=false"], 1);
    assert_eq!(lives.summary.processed, 2_000);
}

/// Each invariant that a rule keeps is told as broken without it.
fn violated(report: &Report, name: &str) -> bool {
    let at = report.catalog.invariants.iter().position(|word| word.name == name);
    report.invariants[at.expect("there is such an invariant")].violations > 0
}

#[test]
fn flushed_bytes_only_breaks_without_its_rule() {
    assert!(!violated(&run(SMALL, &[], 1), "flushed-bytes-only"));
    let without = run(SMALL, &["rules.visible-when-flushed=false"], 1);
    assert!(violated(&without, "flushed-bytes-only"));
    assert!(violated(&without, "committed-is-flushed"));
}

#[test]
fn a_valid_prefix_breaks_without_recovery() {
    let mut text = SMALL.replace("boot-time", "disk.torn-tail = true\nboot-time");
    text.push_str(
        "[[fault]]\nat = \"5.8s\"\nfor = \"1s\"\nkind = \"power-loss\"\ntarget = \"n1\"\n",
    );
    let sets = ["producer.p1.message-size=10KiB", "broker.log.file.size=1MiB"];
    assert!(!violated(&run(&text, &sets, 1), "valid-prefix"));
    let without = run(&text, &[sets[0], sets[1], "rules.recover-last-segment=false"], 1);
    assert!(violated(&without, "valid-prefix"));
}

/// The same seed gives the same run, with all kinds of clients and faults.
#[test]
fn a_seed_gives_one_run() {
    let mut text = SMALL.replace("nodes = 1", "nodes = 3");
    text.push_str(
        "[nemesis]\nevery = \"4s\"\n[[nemesis.fault]]\nkind = \"crash\"\ntargets = [\"random\"]\n\
         for = \"2s\"\n[[nemesis.fault]]\nkind = \"power-loss\"\ntargets = [\"random\", \"zk1\"]\nfor = \"2s\"\n",
    );
    for seed in 1..4 {
        let (one, two) = (run(&text, &[], seed), run(&text, &[], seed));
        assert_eq!(one.fingerprint, two.fingerprint);
        assert_eq!((one.summary.unexplained, one.summary.violations), (0, Some(0)));
    }
}

/// Where the last whole message within so many bytes ends, worked out message by message.
fn whole(sizes: &[u32], kept: u64) -> u64 {
    let mut end = 0;
    for size in sizes {
        let next = end + u64::from(*size) + 10;
        if next > kept {
            break;
        }
        end = next;
    }
    end
}

proptest! {
    /// Whatever a loss of power leaves of the unflushed bytes, recovery keeps every message that is
    /// all there and nothing behind it, and all that was flushed.
    #[test]
    fn recovery_keeps_the_maximal_valid_prefix(
        sizes in proptest::collection::vec(1_u32..200, 1..60),
        flushed in 0_usize..60,
        rolls in 200_u64..4_000,
        part in 0_u64..=1_000,
    ) {
        let mut log = PartitionLog::new(PartitionId(0), FileId(0), true);
        let mut durable = 0;
        for (at, size) in sizes.iter().enumerate() {
            let messages =
                MessageRange { producer: ProducerId(0), first: at as u32, count: 1, bytes: *size };
            log.append(messages, Time::ZERO);
            let roll = log.wants_roll(rolls, Span::from_secs(1), Time::ZERO);
            if at + 1 == flushed || roll {
                durable = log.log.end();
                log.mark_flushed(durable, Time::ZERO);
            }
            if roll {
                log.roll(Time::ZERO);
            }
        }
        let end = log.log.end();
        let kept = durable + (end - durable) * part / 1_000;
        let (mut lost, mut torn) = (0, 0);
        log.lose_page_cache(kept, |piece| lost += piece.messages.count);
        let cut = log.recover(|piece| torn += piece.messages.count);
        prop_assert_eq!(log.log.end(), whole(&sizes, kept));
        prop_assert!(log.log.end() >= durable);
        prop_assert_eq!(cut, kept - log.log.end());
        prop_assert!(torn <= 1);
        let left: u32 = log.log.pieces().map(|piece| piece.messages.count).sum();
        prop_assert_eq!(left + lost + torn, sizes.len() as u32);
        prop_assert!(log.segments.iter().all(|segment| segment.start <= log.log.end()));
    }
}
