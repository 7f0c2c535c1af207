//! The bounds on the ledger's memory, measured with a million lines in each pattern.

use super::stories::*;
use super::{Ledger, LedgerOptions};
use crate::engine::{Span, Time};
use crate::observe::{MessageRange, Observer, Outcome};

const LINES: u32 = 1_000_000;

fn at(sequence: u32) -> Time {
    Time::from_nanos(u64::from(sequence) * 1_000_000)
}

fn one(sequence: u32) -> MessageRange {
    range(P1, sequence, 1)
}

/// A ledger with a million lines of a message a millisecond, each of which lives as `live` says.
fn ledger_of(mut live: impl FnMut(&mut Ledger, u32)) -> Ledger {
    let mut ledger = Ledger::new(
        std::sync::Arc::new(catalog()),
        LedgerOptions::new(Span::from_secs(u64::from(LINES) / 1_000)),
    );
    for sequence in 0..LINES {
        ledger.attempted(at(sequence), at(sequence), one(sequence));
        ledger.sent(at(sequence), one(sequence));
        live(&mut ledger, sequence);
    }
    ledger
}

/// Bytes that lines cost beyond what an empty ledger of this length has.
fn bytes(ledger: &Ledger) -> usize {
    ledger.tracks.iter().map(|track| track.lines.footprint()).sum::<usize>()
        + ledger.watches.iter().map(|w| w.writes.heap() + w.effective.heap()).sum::<usize>()
}

fn settle(ledger: &mut Ledger, sequence: u32) {
    let (at, line) = (at(sequence), one(sequence));
    ledger.delivered(at, C1, ORDERS, line, false);
    ledger.processed(at, C1, ORDERS, line);
    ledger.removed(at, N1, ORDERS, line, SETTLED);
    ledger.removed(at, N2, ORDERS, line, SETTLED);
}

fn queue(ledger: &mut Ledger, sequence: u32) {
    let (at, line) = (at(sequence), one(sequence));
    ledger.stored(at, N1, ORDERS, line);
    ledger.stored(at, N2, ORDERS, line);
    ledger.outcome(at, line, Outcome::Acked);
}

fn per_line(bytes: usize, lines: u32) -> f64 {
    bytes as f64 / f64::from(lines)
}

#[test]
fn a_line_awaiting_its_outcome_costs_64_bytes_at_most() {
    let ledger = ledger_of(|ledger, sequence| {
        ledger.stored(at(sequence), N1, ORDERS, one(sequence));
    });
    let cost = per_line(bytes(&ledger), LINES);
    println!("awaiting its outcome: {cost:.2} bytes a line");
    assert!(cost <= 64.0, "{cost}");
    assert!(cost >= 4.0, "the measure sees the lines at all");
}

#[test]
fn a_line_acknowledged_and_queued_costs_12_bytes_at_most() {
    let ledger = ledger_of(queue);
    let cost = per_line(bytes(&ledger), LINES);
    println!("acknowledged and queued, two copies: {cost:.2} bytes a line");
    assert!(cost <= 12.0, "{cost}");
}

#[test]
fn lines_settled_in_contiguous_runs_cost_nothing() {
    let ledger = ledger_of(|ledger, sequence| {
        queue(ledger, sequence);
        settle(ledger, sequence);
    });
    let cost = per_line(bytes(&ledger), LINES);
    println!("settled in a run: {cost:.4} bytes a line");
    assert!(cost <= 0.05, "{cost}");
}

#[test]
fn a_settled_line_among_open_ones_costs_2_bytes_at_most() {
    for (name, is_settled) in [
        ("every other", (|n| n % 2 == 0) as fn(u32) -> bool),
        ("seven of eight", |n| n % 8 != 0),
        ("one of eight", |n| n % 8 == 0),
        ("all but one in 256", |n| n % 256 != 77),
        ("one in 256", |n| n % 256 == 77),
        ("the first half of 256", |n| n % 256 < 128),
        ("scrambled", |n| n.wrapping_mul(0x9e37_79b9) >> 31 == 0),
    ] {
        let mut ledger = ledger_of(queue);
        let mut settled = 0;
        for sequence in (0..LINES).filter(|n| is_settled(*n)) {
            settle(&mut ledger, sequence);
            settled += 1;
        }
        let bytes = bytes(&ledger);
        let queued = 12 * (LINES - settled) as usize;
        println!(
            "{name}: {:.2} bytes a line, {:.2} a settled one beside queued ones of 12",
            per_line(bytes, LINES),
            (bytes as f64 - queued as f64) / f64::from(settled)
        );
        assert!(bytes <= queued + 2 * settled as usize, "{name}: {bytes}");
    }
}

#[test]
fn settling_in_any_order_ends_as_small() {
    let mut ledger = ledger_of(queue);
    for sequence in 0..LINES {
        // 7 has no factor in common with a million: every line once, in leaps.
        settle(&mut ledger, (u64::from(sequence) * 7 % u64::from(LINES)) as u32);
    }
    let cost = per_line(bytes(&ledger), LINES);
    assert!(cost <= 0.05, "{cost}");
}

#[test]
fn lost_lines_and_failures_keep_their_times_and_cost_little() {
    let mut ledger = ledger_of(queue);
    ledger.removed(at(LINES), N1, ORDERS, range(P1, 0, LINES), PAGE_CACHE);
    ledger.removed(at(LINES), N2, ORDERS, range(P1, 0, LINES), PAGE_CACHE);
    let cost = per_line(bytes(&ledger), LINES);
    println!("lost: {cost:.2} bytes a line");
    assert!(cost <= 16.0, "{cost}");
}

#[test]
fn slow_producers_cost_no_more() {
    // One message in ten seconds: times no longer fit 32 bits of nanoseconds.
    let at = |n: u32| Time::from_nanos(u64::from(n) * 10_000_000_000);
    let mut ledger = ledger();
    for n in 0..10_240 {
        ledger.attempted(at(n), at(n), one(n));
        ledger.sent(at(n), one(n));
        ledger.stored(at(n), N1, ORDERS, one(n));
        ledger.outcome(at(n) + Span::from_millis(1), one(n), Outcome::Acked);
    }
    let lines: usize = ledger.tracks.iter().map(|track| track.lines.footprint()).sum();
    let cost = per_line(lines, 10_240);
    assert!(cost <= 12.0, "{cost}");
    let exact = Span::from_millis(1).as_nanos();
    let p50 = ledger.latencies.ack.quantile(50_000).expect("acks were measured").as_nanos();
    assert!(p50.abs_diff(exact) * 500 <= exact, "{p50}: rounded to less than 3 digits");
}
