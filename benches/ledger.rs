//! What the ledger costs: `cargo bench --bench ledger [-- messages [repeats]]`.
//!
//! A producer, three brokers, a consumer. Every message is reported eleven times: attempted, sent,
//! stored by three brokers, acknowledged, delivered, processed, removed by three brokers; single
//! messages, and in batches of 50. Between acknowledgement and delivery a message waits behind
//! `depth` others. At the end the ledger is cloned, and the report made.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the wall clock")]

use std::sync::Arc;
use std::time::Instant;

use mqsim::engine::{Fingerprint, Span, Time};
use mqsim::observe::{
    BecauseId, Catalog, Cause, CauseId, CauseKind, ConsumerId, ConsumerInfo, DestinationId,
    DestinationInfo, MessageRange, NodeId, NodeInfo, NodeKind, Observer, Outcome, ProducerId,
    ProducerInfo, Removal,
};
use mqsim::verdict::{Ledger, LedgerOptions, RunFacts};

const CAUSES: &[Cause] =
    &[Cause { name: "settled", kind: CauseKind::Settled, meaning: "", precedence: 0 }];
const SETTLED: Removal = Removal { cause: CauseId(0), because: BecauseId::NONE };
const ORDERS: DestinationId = DestinationId(0);
const REPORTS: u64 = 11;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let messages = numbers.next().unwrap_or(1_000_000);
    let repeats = numbers.next().unwrap_or(3);
    for batch in [1, 50] {
        for depth in [0, 100, 100_000] {
            let mut times: Vec<f64> = (0..repeats).map(|_| run(messages, depth, batch)).collect();
            times.sort_by(f64::total_cmp);
            let nanos = times[times.len() / 2] * 1e9;
            let reports = u64::from(messages) * REPORTS / u64::from(batch);
            println!(
                "batch {batch:>2}, depth {depth:>6}: {:>6.1} ns a report, {:>6.1} ns a message",
                nanos / reports as f64,
                nanos / f64::from(messages)
            );
        }
    }
    finish(messages);
}

/// Nanoseconds of CPU time used by this (only) thread, if the system tells.
fn cpu_nanos() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Seconds of CPU time that the reports of `messages` messages take.
fn run(messages: u32, depth: u32, batch: u32) -> f64 {
    let (cpu, started) = (cpu_nanos(), Instant::now());
    let ledger = tell(messages, depth, batch);
    let wall = started.elapsed().as_secs_f64();
    let used = cpu.zip(cpu_nanos()).map(|(before, after)| (after - before) as f64 / 1e9);
    let seconds = used.filter(|used| *used > 0.0).unwrap_or(wall);
    assert!(ledger.footprint() > 0, "the ledger is used");
    seconds
}

fn finish(messages: u32) {
    // The lot still in its queue: the most that a ledger has to look at.
    let ledger = tell(messages, messages, 1);
    let started = Instant::now();
    let copy = ledger.clone();
    println!(
        "clone with {messages} queued lines: {:.2} ms, {:.1} MB",
        started.elapsed().as_secs_f64() * 1e3,
        copy.footprint() as f64 / 1e6
    );
    let started = Instant::now();
    let report = copy.finish(facts());
    println!("report of it: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    assert_eq!(report.summary.lines, u64::from(messages));
}

fn tell(messages: u32, depth: u32, batch: u32) -> Ledger {
    let duration = Span::from_micros(u64::from(messages) * 100);
    let mut ledger = Ledger::new(Arc::new(catalog()), LedgerOptions::new(duration));
    ledger.wants(Time::ZERO, ConsumerId(0), ORDERS, true);
    let mut first = 0;
    while first < messages {
        let at = Time::from_nanos(u64::from(first) * 100_000);
        let later = |micros| at + Span::from_micros(micros);
        let new = range(first, batch);
        ledger.attempted(at, at, new);
        ledger.sent(later(1), new);
        for node in 0..3 {
            ledger.stored(later(200), NodeId(node), ORDERS, new);
        }
        ledger.outcome(later(400), new, Outcome::Acked);
        if let Some(old) = first.checked_sub(depth) {
            let old = range(old, batch);
            ledger.delivered(later(500), ConsumerId(0), ORDERS, old, false);
            ledger.processed(later(600), ConsumerId(0), ORDERS, old);
            for node in 0..3 {
                ledger.removed(later(700), NodeId(node), ORDERS, old, SETTLED);
            }
        }
        first += batch;
    }
    ledger
}

const fn range(first: u32, count: u32) -> MessageRange {
    MessageRange { producer: ProducerId(0), first, count, bytes: 1_024 }
}

fn catalog() -> Catalog {
    let node = |name: &str, kind| NodeInfo { name: name.to_owned(), kind };
    Catalog {
        nodes: vec![
            node("n1", NodeKind::Broker),
            node("n2", NodeKind::Broker),
            node("n3", NodeKind::Broker),
            node("p1", NodeKind::Producer),
            node("c1", NodeKind::Consumer),
        ],
        producers: vec![ProducerInfo {
            name: "p1".to_owned(),
            node: NodeId(3),
            destinations: vec![ORDERS],
            unanswered: false,
        }],
        consumers: vec![ConsumerInfo {
            name: "c1".to_owned(),
            node: NodeId(4),
            destinations: vec![ORDERS],
            auditor: false,
        }],
        destinations: vec![DestinationInfo { name: "orders".to_owned() }],
        causes: CAUSES,
        conditions: &["none"],
        ..Catalog::default()
    }
}

fn facts() -> RunFacts {
    RunFacts {
        scenario: "bench".to_owned(),
        description: String::new(),
        mode: String::new(),
        broker_version: String::new(),
        seed: 1,
        ended: Time::from_nanos(200_000_000_000),
        quiet: true,
        broker_bytes: 0,
        disk_bytes: 0,
        fsyncs: 0,
        events: 0,
        busy: Vec::new(),
        waits: Vec::new(),
        questions: Vec::new(),
        fingerprint: Fingerprint::new(),
    }
}
