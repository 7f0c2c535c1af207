//! The rules of latency and availability, one by one, told by hand.

use super::stories::*;
use super::{Ledger, WindowKind};
use crate::engine::Span;
use crate::observe::{FaultId, FaultPhase, MessageRange, NodeState, Observer, Outcome, RoleId};

const ONE: MessageRange = range(P1, 0, 1);

#[test]
fn latency_counts_from_the_intended_time_and_service_from_the_last_transmission() {
    let mut ledger = ledger();
    ledger.attempted(ms(2_500), ms(2_000), ONE);
    ledger.sent(ms(2_600), ONE);
    ledger.outcome(ms(2_650), ONE, Outcome::Unknown);
    ledger.sent(ms(2_700), ONE);
    ledger.ack(2_750, ONE);
    ledger.deliver(2_800, ONE);
    let warm_up = range(P1, 1, 1);
    ledger.attempted(ms(900), ms(900), warm_up);
    ledger.sent(ms(900), warm_up);
    ledger.ack(5_000, warm_up);
    ledger.deliver(6_000, warm_up);
    let summary = quiet(&ledger).summary;
    assert_eq!(summary.ack_max_us, Some(750_000), "the warm-up does not count");
    assert!(summary.ack_service_p50_us.is_some_and(|us| us.abs_diff(50_000) <= 50));
    assert_eq!(summary.e2e_max_us, Some(800_000));
    assert_eq!(summary.operations_in_time, Some(1.0));
    assert_eq!(summary.acked, 2);
}

#[test]
fn accepted_sends_are_a_series_of_their_own() {
    let mut ledger = ledger();
    ledger.send(2_000, ONE);
    ledger.outcome(ms(2_001), ONE, Outcome::Accepted);
    let report = quiet(&ledger);
    let samples: Vec<_> = report.latency.iter().map(|s| (s.name, s.samples)).collect();
    let expected = [
        ("ack_latency", 0),
        ("ack_service_latency", 0),
        ("end_to_end_latency", 0),
        ("accepted_latency", 1),
    ];
    assert_eq!(samples, expected);
    assert_eq!((report.summary.accepted, report.summary.accepted_lost), (1, 1));
    assert_eq!(report.summary.unexplained, 0, "lost on its way");
}

#[test]
fn a_broker_that_confirms_and_drops_is_not_available() {
    let mut ledger = ledger();
    for n in 0..800 {
        let (at, line) = (1_500 + u64::from(n) * 10, range(P1, n, 1));
        if (200..500).contains(&n) {
            ledger.send(at, line);
            ledger.dropped(ms(at + 1), N1, Some(ORDERS), line, UNROUTABLE);
            ledger.ack(at + 2, line);
        } else {
            ledger.whole_life(at, line);
        }
    }
    let report = quiet(&ledger);
    assert_eq!(report.summary.write_availability, Some(1.0));
    let effective = report.summary.effective_write_availability.expect("there were writes");
    let windows: Vec<_> = report.windows.iter().map(|w| (w.kind, w.start, w.end)).collect();
    // From the first write that was dropped to the first that was not, both to the millisecond.
    assert_eq!(windows, [(WindowKind::EffectiveWrite, ms(3_500), ms(6_502))]);
    assert!((effective - (1.0 - 3.002 / 9.0)).abs() < 1e-9, "{effective}");
    assert!(report.remarks.iter().any(|remark| remark.contains("write availability: 100.000 %")));
    assert_eq!(report.causes[UNROUTABLE.cause.index()], 300);
}

#[test]
fn what_is_stored_at_the_end_was_written_effectively() {
    let mut ledger = ledger();
    let lines = range(P2, 0, 10);
    for n in 0..850 {
        let line = range(P2, n, 1);
        let at = 1_000 + u64::from(n) * 10;
        ledger.send(at, line);
        ledger.stored(ms(at + 1), N1, AUDIT, line);
        ledger.stored(ms(at + 1), N1, ORDERS, line);
        ledger.ack(at + 2, line);
    }
    ledger.delivered(ms(11_000), AUDITOR, AUDIT, range(P2, 0, 850), false);
    ledger.removed(ms(11_000), N1, ORDERS, lines, PAGE_CACHE);
    let report = quiet(&ledger);
    assert_eq!(report.summary.stored_at_end, 850 + 840, "read by the auditor; wanted by nobody");
    assert!(report.windows.iter().all(|window| window.end == ms(10_000)), "after the last write");
    assert_eq!(report.summary.effective_write_availability, report.summary.write_availability);
}

#[test]
fn windows_answer_to_the_fault_that_made_them() {
    let mut ledger = ledger();
    let mut next = 0;
    let mut lives = |ledger: &mut Ledger, from: u64, to: u64| {
        for at in (from..to).step_by(10) {
            ledger.whole_life(at, range(P1, next, 1));
            next += 1;
        }
    };
    lives(&mut ledger, 1_000, 3_000);
    ledger.fault(ms(3_000), FaultId(1), FaultPhase::Begun, &[N1, N2]);
    ledger.fault(ms(3_100), FaultId(1), FaultPhase::Ended, &[N1, N2]);
    lives(&mut ledger, 3_110, 5_000);
    ledger.send(4_999, range(P1, 10_000, 1));
    ledger.fault(ms(5_010), FaultId(0), FaultPhase::Begun, &[N1]);
    lives(&mut ledger, 7_000, 10_000);
    let report = quiet(&ledger);
    let seen: Vec<_> = report.windows.iter().filter(|w| w.kind == WindowKind::Write).collect();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].start, seen[0].end), (ms(4_999), ms(7_002)));
    assert_eq!(seen[0].fault, Some(FaultId(0)), "though a write was under way by then");
    assert_eq!(seen[0].recovery, Some(Span::from_millis(7_002 - 5_010)));
    assert_eq!(report.summary.write_longest_ms, Some(2_003));
}

/// Ten messages a second from `from` to `to`, each with a whole life.
fn lives(ledger: &mut Ledger, next: &mut u32, from: u64, to: u64) {
    for at in (from..to).step_by(100) {
        ledger.whole_life(at, range(P1, *next, 1));
        *next += 1;
    }
}

#[test]
fn an_effective_window_answers_to_the_loss_of_its_messages() {
    let (mut ledger, mut next) = (ledger(), 0);
    lives(&mut ledger, &mut next, 1_000, 2_000);
    let first = next;
    for at in (2_000..4_000).step_by(100) {
        let line = range(P1, next, 1);
        next += 1;
        ledger.send(at, line);
        ledger.stored(ms(at + 1), N1, ORDERS, line);
        ledger.ack(at + 2, line);
    }
    let lost = range(P1, first, next - first);
    ledger.fault(ms(2_500), FaultId(0), FaultPhase::Begun, &[N2]);
    lives(&mut ledger, &mut next, 4_000, 9_990);
    ledger.fault(ms(8_000), FaultId(1), FaultPhase::Begun, &[N1]);
    ledger.removed(ms(8_010), N1, ORDERS, lost, UNSYNCED);
    let report = quiet(&ledger);
    let [window] = report.windows.as_slice() else { panic!("{:?}", report.windows) };
    assert_eq!((window.kind, window.end), (WindowKind::EffectiveWrite, ms(4_002)));
    assert_eq!(window.fault, Some(FaultId(1)), "which lost them, not the one in the midst of it");
    assert_eq!((window.open, window.recovery), (false, None), "it was over before");
}

#[test]
fn a_window_that_began_before_a_fault_is_not_blamed_on_it() {
    let (mut ledger, mut next) = (ledger(), 0);
    lives(&mut ledger, &mut next, 1_000, 3_000);
    for at in (3_000..10_000).step_by(100) {
        ledger.send(at, range(P1, next, 1));
        next += 1;
    }
    ledger.fault(ms(3_200), FaultId(0), FaultPhase::Begun, &[N1]);
    let report = quiet(&ledger);
    let window = report.windows.iter().find(|w| w.kind == WindowKind::Write).expect("one");
    assert_eq!((window.start, window.end), (ms(3_000), ms(10_000)));
    assert_eq!((window.fault, window.recovery), (None, None));
    assert!(window.open, "nothing succeeded until the end");
}

/// An alarm blocks publishing for 4 of 9 s: nobody injected it.
#[test]
fn an_outage_needs_no_fault() {
    let (mut ledger, mut next) = (ledger(), 0);
    lives(&mut ledger, &mut next, 1_000, 4_000);
    for at in (4_000..8_000).step_by(100) {
        let line = range(P1, next, 1);
        next += 1;
        ledger.attempted(ms(at), ms(at), line);
        ledger.sent(ms(8_000), line);
        ledger.ack(8_001, line);
        ledger.stored(ms(8_001), N1, ORDERS, line);
        ledger.deliver(8_001, line);
        ledger.processed(ms(8_001), C1, ORDERS, line);
    }
    lives(&mut ledger, &mut next, 8_010, 10_000);
    let report = quiet(&ledger);
    assert_eq!(report.summary.write_longest_ms, Some(4_001));
    let share = report.summary.write_availability.expect("it is measured");
    assert!((share - (1.0 - 4.001 / 9.0)).abs() < 1e-9, "{share}");
    assert_eq!(report.windows[0].fault, None);
}

#[test]
fn reads_of_what_nobody_leads_are_not_measurable() {
    let (mut ledger, mut next) = (ledger(), 0);
    ledger.wants(ms(0), C1, ORDERS, true);
    ledger.role(ms(0), N1, ORDERS, Some(RoleId(0)));
    lives(&mut ledger, &mut next, 1_000, 3_000);
    ledger.fault(ms(3_000), FaultId(0), FaultPhase::Begun, &[N1]);
    ledger.node(ms(3_000), N1, NodeState::Killed);
    ledger.node(ms(6_000), N1, NodeState::Up);
    lives(&mut ledger, &mut next, 6_000, 8_000);
    // Here it is only that nobody writes.
    lives(&mut ledger, &mut next, 9_000, 9_900);
    let report = quiet(&ledger);
    let silent: Vec<_> = report.unmeasured.iter().map(|one| (one.from, one.to)).collect();
    assert_eq!(silent, [(ms(2_903), ms(6_001))]);
    assert_eq!(report.summary.read_availability, Some(1.0), "of what there was to read");
    assert!(report.remarks.iter().any(|remark| remark.contains("not measurable")));
}

#[test]
fn a_fault_that_never_began_is_told() {
    let mut ledger = ledger();
    ledger.fault(ms(3_000), FaultId(0), FaultPhase::Skipped, &[]);
    ledger.fault(ms(10_000), FaultId(1), FaultPhase::Skipped, &[]);
    let told = quiet(&ledger).remarks.join("\n");
    insta::assert_snapshot!(told.lines().find(|line| line.contains("never")).unwrap_or(""), @"2 faults of the schedule never began: crash leader(orders) (at 3000 ms it had nobody to act on); partition n1 | n2 (its time had not come when the load ended)");
}

#[test]
fn a_message_that_is_sent_again_stays_pending_until_its_final_answer() {
    for is_sent_again in [true, false] {
        let mut ledger = ledger();
        ledger.send(2_000, ONE);
        ledger.outcome(ms(2_001), ONE, Outcome::Unknown);
        if is_sent_again {
            ledger.sent(ms(2_500), ONE);
        }
        ledger.whole_life(2_600, range(P1, 1, 1));
        let report = quiet(&ledger);
        let writes = report.windows.iter().filter(|window| window.kind == WindowKind::Write);
        let last = writes.map(|window| (window.start, window.end)).next_back();
        let pending = if is_sent_again { (2_602, 10_000) } else { (2_000, 2_602) };
        assert_eq!(last, Some((ms(pending.0), ms(pending.1))));
    }
}

#[test]
fn slow_by_nature_is_not_unavailable() {
    let mut ledger = ledger();
    for n in 0..40 {
        let line = range(P1, n, 1);
        let at = 1_000 + u64::from(n) * 200;
        ledger.send(at, line);
        ledger.ack(at + 130, line);
    }
    let summary = quiet(&ledger).summary;
    assert_eq!(summary.write_availability, None);
    assert_eq!(summary.write_longest_ms, None);
    assert_eq!(summary.effective_write_availability, None);
}

#[test]
fn reads_are_unavailable_while_backlog_meets_room_without_a_delivery() {
    let mut ledger = ledger();
    ledger.wants(ms(0), C1, ORDERS, true);
    ledger.whole_life(1_500, ONE);
    ledger.fault(ms(2_900), FaultId(0), FaultPhase::Begun, &[N1]);
    let late = range(P1, 1, 1);
    ledger.send(3_000, late);
    ledger.stored(ms(3_001), N1, ORDERS, late);
    ledger.ack(3_002, late);
    ledger.deliver(4_001, late);
    ledger.processed(ms(4_002), C1, ORDERS, late);
    let report = quiet(&ledger);
    assert_eq!(report.summary.read_longest_ms, Some(1_000));
    let availability = report.summary.read_availability.expect("there were reads");
    assert!((availability - 8.0 / 9.0).abs() < 1e-9, "{availability}");
    assert_eq!(report.summary.write_availability, Some(1.0));
}

/// A crash of the leader, told as machines would: 500 messages a second, two copies of each; n1
/// dies at 4 s, n2 takes over 600 ms later without the last few messages.
fn crash_of_the_leader() -> Ledger {
    let mut ledger = ledger();
    ledger.wants(ms(0), C1, ORDERS, true);
    ledger.role(ms(0), N1, ORDERS, Some(RoleId(0)));
    for n in 0..4_500 {
        let (at, line) = (1_000 + u64::from(n) * 2, range(P1, n, 1));
        if at == 4_000 {
            ledger.fault(ms(at), FaultId(0), FaultPhase::Begun, &[N1]);
            ledger.node(ms(at), N1, NodeState::Killed);
            ledger.role(ms(at), N1, ORDERS, None);
            // What n1 had and n2 had not, and what was on its way to the consumer from n1.
            ledger.removed(ms(at), N1, ORDERS, range(P1, 1_490, 10), UNSYNCED);
        }
        if (4_000..4_600).contains(&at) {
            ledger.send(at, line);
            ledger.outcome(ms(at + 1), line, Outcome::Unknown);
        } else if (3_980..4_000).contains(&at) {
            ledger.send(at, line);
            ledger.stored(ms(at), N1, ORDERS, line);
            ledger.ack(at + 1, line);
        } else {
            ledger.whole_life(at, line);
        }
        if at == 4_600 {
            ledger.role(ms(at), N2, ORDERS, Some(RoleId(0)));
        }
    }
    ledger
}

#[test]
fn the_story_of_a_crash() {
    let report = quiet(&crash_of_the_leader());
    let mut told: Vec<String> = super::METRICS
        .iter()
        .filter_map(|metric| {
            let number = (metric.get)(&report)?.as_f64();
            (number != 0.0).then(|| format!("{}: {}", metric.name, metric.unit.print(number)))
        })
        .collect();
    told.extend(report.losses.iter().map(|loss| {
        let cause = loss.cause.map_or("on its way", |id| CAUSES[id.index()].name);
        let (class, at) = (loss.class, loss.at.as_millis());
        format!("{class}: {}-{} ({}) at {at} ms, {cause}", loss.first, loss.last, loss.count)
    }));
    told.extend(report.windows.iter().map(|window| {
        let (from, to) = (window.start.as_millis(), window.end.as_millis());
        format!("{:?}: {from}-{to} ms, fault {:?}", window.kind, window.fault.map(|id| id.0))
    }));
    told.extend(report.remarks.iter().cloned());
    insta::assert_snapshot!(told.join("\n"), @r"
    lines: 4500 lines
    attempted: 4500 messages
    acked: 4200 lines
    unknown: 300 lines
    delivered: 4190 lines
    processed: 4190 lines
    success_lost: 10 lines
    success_gone: 10 lines
    acked_lost: 10 lines
    unknown_lost: 300 lines
    write_availability: 93.311111 %
    effective_write_availability: 93.088889 %
    read_availability: 100 %
    write_unavailable_ms: 602 ms
    write_longest_ms: 602 ms
    ack_p50_us: 2000 us
    ack_p99_us: 2000 us
    ack_max_us: 2000 us
    ack_service_p50_us: 2000 us
    ack_service_p99_us: 2000 us
    e2e_p50_us: 3000 us
    e2e_p99_us: 3000 us
    e2e_max_us: 3000 us
    acked_per_s: 466.666667 /s
    processed_per_s: 465.444444 /s
    broker_bytes_per_payload_byte: 0.011905
    disk_bytes_per_payload_byte: 0.002381
    fsyncs: 7
    events: 99
    operations_in_time: 93.333333 %
    acked_lost: 1490-1499 (10) at 4000 ms, unsynced-mirror-promoted
    unknown_lost: 1500-1799 (300) at 4001 ms, on its way
    EffectiveWrite: 3980-4602 ms, fault Some(0)
    Write: 4000-4602 ms, fault Some(0)
    1 of 2 destinations had no writes in measured time and are left out of write availability
    write availability: 93.311 % as the client sees it, 93.089 % by what became of the messages
    reads of orders are not measurable from 4000 ms to 4601 ms: consumers were there, but nothing to be read
    ");
}
