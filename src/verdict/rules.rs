//! The ledger's rules, one by one, told by hand.

use super::stories::*;
use super::{Fate, FinalOutcome, Ledger, Loss, Report};
use crate::engine::Time;
use crate::observe::{
    DestinationId, Event, EventId, FaultId, FaultPhase, MessageRange, NodeId, NodeState, Observer,
    Outcome, ProducerId, RoleId,
};

const ONE: MessageRange = range(P1, 0, 1);

/// The one cell that the lines of a story are in.
fn cell(report: &Report) -> (FinalOutcome, Fate) {
    use {Fate::*, FinalOutcome::*};
    let outcomes = [Acked, Accepted, Returned, Rejected, Unknown, Unsent];
    let fates =
        [Processed, ReceivedOnly, DeadLettered, Expired, Stored, Unreachable, Gone, NeverSent];
    let matrix = &report.summary.matrix;
    let mut cells = Vec::new();
    for outcome in outcomes {
        for fate in fates {
            if matrix.cells[outcome as usize][fate as usize] > 0 {
                cells.push((outcome, fate));
            }
        }
    }
    assert_eq!(cells.len(), 1, "one cell: {matrix:?}");
    cells[0]
}

fn told(outcomes: &[Outcome]) -> FinalOutcome {
    let mut ledger = ledger();
    ledger.attempted(ms(2_000), ms(2_000), ONE);
    for (n, outcome) in (1..).zip(outcomes) {
        if *outcome != Outcome::Unsent {
            ledger.sent(ms(2_000 + n), ONE);
        }
        ledger.outcome(ms(2_000 + n), ONE, *outcome);
    }
    cell(&quiet(&ledger)).0
}

#[test]
fn the_best_answer_stands() {
    use Outcome::*;
    assert_eq!(told(&[]), FinalOutcome::Unsent, "it was never sent");
    assert_eq!(told(&[Unsent]), FinalOutcome::Unsent);
    assert_eq!(told(&[Unknown]), FinalOutcome::Unknown);
    assert_eq!(told(&[Nacked]), FinalOutcome::Unknown);
    assert_eq!(told(&[Unknown, Acked]), FinalOutcome::Acked, "by a retry");
    assert_eq!(told(&[Returned, Acked]), FinalOutcome::Acked, "by a retry");
    assert_eq!(told(&[Acked, Unknown]), FinalOutcome::Acked);
    assert_eq!(told(&[Accepted, Unknown]), FinalOutcome::Accepted);
    assert_eq!(told(&[Accepted, Acked]), FinalOutcome::Acked);
    assert_eq!(told(&[Unknown, Rejected]), FinalOutcome::Rejected);
    assert_eq!(told(&[Unsent, Unknown]), FinalOutcome::Unknown, "it left after all");
}

#[test]
fn sent_and_never_answered_is_unknown() {
    let mut ledger = ledger();
    ledger.send(2_000, ONE);
    let report = quiet(&ledger);
    assert_eq!(cell(&report), (FinalOutcome::Unknown, Fate::Gone));
    assert_eq!((report.summary.unknown_lost, report.summary.unexplained), (1, 0));
    assert_eq!(report.losses[0].cause, None, "lost on its way");
}

#[test]
fn a_fanout_has_a_line_for_each_destination_and_an_unbound_message_one() {
    let mut ledger = ledger();
    ledger.send(2_000, range(P2, 0, 10));
    ledger.send(2_000, range(P3, 0, 5));
    ledger.ack(2_001, range(P2, 0, 10));
    ledger.outcome(ms(2_001), range(P3, 0, 5), Outcome::Returned);
    let summary = quiet(&ledger).summary;
    assert_eq!((summary.attempted, summary.lines), (15, 25));
    assert_eq!((summary.acked, summary.returned), (20, 5));
    assert_eq!(summary.success_lost, 20);
    assert_eq!(summary.unexplained, 20, "acknowledged, and nobody says why they are gone");
}

#[test]
fn nacks_are_counted_and_leave_it_open() {
    let mut ledger = ledger();
    ledger.send(2_000, range(P2, 0, 3));
    ledger.outcome(ms(2_010), range(P2, 0, 3), Outcome::Nacked);
    let report = quiet(&ledger);
    assert_eq!((report.summary.nacked, report.summary.unknown), (6, 6));
    let nacked: u64 = report.timeline.buckets.iter().map(|bucket| bucket.nacked).sum();
    assert_eq!(nacked, 3, "the timeline counts messages");
}

#[test]
fn a_whole_life_ends_processed() {
    let mut ledger = ledger();
    ledger.whole_life(2_000, range(P1, 0, 300));
    let report = quiet(&ledger);
    assert_eq!(cell(&report), (FinalOutcome::Acked, Fate::Processed));
    assert_eq!(report.losses, []);
    assert_eq!(report.summary.delivered, 300);
    assert_eq!((report.summary.duplicated, report.summary.redelivered), (0, 0));
    assert_eq!(report.inconsistencies, 0);
    assert_eq!(report.remarks.len(), 1, "audit had no writes: {:?}", report.remarks);
}

#[test]
fn deliveries_beyond_the_first_are_duplicates() {
    let mut ledger = ledger();
    ledger.whole_life(2_000, range(P1, 0, 3));
    ledger.delivered(ms(3_000), C1, ORDERS, range(P1, 1, 2), true);
    ledger.delivered(ms(3_100), C1, ORDERS, range(P1, 1, 1), false);
    ledger.processed(ms(3_200), C1, ORDERS, range(P1, 1, 2));
    let summary = quiet(&ledger).summary;
    assert_eq!((summary.delivered, summary.duplicated, summary.redelivered), (3, 3, 2));
    assert_eq!(summary.processed, 3, "each line once");
}

#[test]
fn first_deliveries_behind_a_later_sequence_are_reordered() {
    let mut ledger = ledger();
    ledger.send(2_000, range(P1, 0, 5));
    for (at, sequence) in [(2_010, 0), (2_020, 3), (2_030, 1), (2_040, 3), (2_050, 2), (2_060, 4)] {
        ledger.deliver(at, range(P1, sequence, 1));
    }
    assert_eq!(quiet(&ledger).summary.reordered, 2, "1 and 2, not the duplicate of 3");
}

#[test]
fn phantoms_were_delivered_although_nobody_said_they_were_stored() {
    let mut ledger = ledger();
    for (sequence, outcome) in [
        (0, Outcome::Unknown),
        (1, Outcome::Rejected),
        (2, Outcome::Nacked),
        (3, Outcome::Returned),
    ] {
        let line = range(P1, sequence, 1);
        ledger.send(2_000, line);
        ledger.outcome(ms(2_001), line, outcome);
        ledger.deliver(2_002, line);
    }
    ledger.whole_life(2_100, range(P1, 4, 1));
    assert_eq!(quiet(&ledger).summary.phantom, 3);
}

#[test]
fn what_an_auditor_reads_is_stored_and_counts_in_nothing_else() {
    let mut ledger = ledger();
    let lines = range(P2, 0, 4);
    ledger.send(2_000, lines);
    ledger.stored(ms(2_001), N1, AUDIT, lines);
    ledger.ack(2_002, lines);
    ledger.delivered(ms(11_000), AUDITOR, AUDIT, lines, false);
    ledger.removed(ms(11_001), N1, AUDIT, lines, SETTLED);
    let summary = quiet(&ledger).summary;
    assert_eq!((summary.stored_at_end, summary.delivered), (4, 0));
    assert_eq!(summary.e2e_max_us, None);
    assert_eq!((summary.acked_lost, summary.consumer_lost), (4, 0), "those for orders");
}

#[test]
fn copies_that_nobody_could_read_are_unreachable() {
    let mut ledger = ledger();
    ledger.send(2_000, ONE);
    ledger.stored(ms(2_001), N1, ORDERS, ONE);
    ledger.ack(2_002, ONE);
    assert_eq!(cell(&quiet(&ledger)).1, Fate::Stored, "nobody wanted it");
    ledger.wants(ms(2_003), C1, ORDERS, true);
    let report = quiet(&ledger);
    assert_eq!(cell(&report).1, Fate::Unreachable);
    assert_eq!((report.summary.success_lost, report.summary.unreachable_at_end), (0, 1));
}

#[test]
fn a_run_that_is_not_quiet_loses_nothing() {
    let mut ledger = ledger();
    ledger.send(2_000, ONE);
    ledger.ack(2_002, ONE);
    let report = ledger.finish(facts(ms(20_000), false));
    assert_eq!(cell(&report), (FinalOutcome::Acked, Fate::Unreachable));
    assert_eq!((report.summary.success_lost, report.losses.len()), (0, 0));
    assert!(report.remarks[0].contains("not quiet"), "{:?}", report.remarks);
}

/// Two copies of one acknowledged line.
fn two_copies() -> Ledger {
    let mut ledger = ledger();
    ledger.send(2_000, ONE);
    ledger.stored(ms(2_001), N1, ORDERS, ONE);
    ledger.stored(ms(2_001), N2, ORDERS, ONE);
    ledger.ack(2_002, ONE);
    ledger
}

fn the_loss(ledger: &Ledger) -> Loss {
    let report = quiet(ledger);
    assert_eq!(report.losses.len(), 1, "{:?}", report.losses);
    assert_eq!(report.summary.unexplained, 0);
    report.losses[0].clone()
}

#[test]
fn the_last_copy_names_the_loss() {
    let mut ledger = two_copies();
    ledger.removed(ms(3_000), N1, ORDERS, ONE, UNSYNCED);
    assert_eq!(quiet(&ledger).summary.success_lost, 0);
    ledger.removed(ms(4_000), N2, ORDERS, ONE, PAGE_CACHE);
    let loss = the_loss(&ledger);
    assert_eq!((loss.cause, loss.node, loss.at), (Some(PAGE_CACHE.cause), Some(N2), ms(4_000)));
}

#[test]
fn at_one_instant_the_greatest_precedence_names_the_loss() {
    for order in [[UNSYNCED, PAGE_CACHE], [PAGE_CACHE, UNSYNCED]] {
        let mut ledger = two_copies();
        ledger.removed(ms(3_000), N1, ORDERS, ONE, order[0]);
        ledger.removed(ms(3_000), N2, ORDERS, ONE, order[1]);
        let loss = the_loss(&ledger);
        assert_eq!(loss.cause, Some(UNSYNCED.cause), "in either order");
        assert_eq!(loss.because, UNSYNCED.because);
    }
    let mut ledger = two_copies();
    ledger.removed(ms(3_000), N1, ORDERS, ONE, PAGE_CACHE);
    ledger.removed(ms(3_000), N2, ORDERS, ONE, PAGE_CACHE);
    assert_eq!(the_loss(&ledger).node, Some(N2), "the last reported of equals");
}

#[test]
fn a_retry_revives_a_line_and_a_later_loss_has_its_own_name() {
    let mut ledger = two_copies();
    ledger.removed(ms(3_000), N1, ORDERS, ONE, UNSYNCED);
    ledger.removed(ms(3_000), N2, ORDERS, ONE, UNSYNCED);
    ledger.stored(ms(3_000), N1, ORDERS, ONE);
    assert_eq!(quiet(&ledger).summary.success_lost, 0, "it has a copy");
    ledger.removed(ms(5_000), N1, ORDERS, ONE, PAGE_CACHE);
    let loss = the_loss(&ledger);
    assert_eq!((loss.cause, loss.at), (Some(PAGE_CACHE.cause), ms(5_000)));
    ledger.stored(ms(6_000), N1, ORDERS, ONE);
    ledger.deliver(6_001, ONE);
    ledger.processed(ms(6_002), C1, ORDERS, ONE);
    ledger.removed(ms(6_003), N1, ORDERS, ONE, SETTLED);
    assert_eq!(cell(&quiet(&ledger)).1, Fate::Processed);
}

#[test]
fn a_retry_undoes_expiry_and_settlement() {
    for removal in [TTL, SETTLED] {
        let mut ledger = two_copies();
        ledger.removed(ms(3_000), N1, ORDERS, ONE, removal);
        ledger.removed(ms(3_000), N2, ORDERS, ONE, removal);
        ledger.stored(ms(4_000), N1, ORDERS, ONE);
        ledger.removed(ms(5_000), N1, ORDERS, ONE, PAGE_CACHE);
        let loss = the_loss(&ledger);
        assert_eq!((loss.class, loss.cause), ("acked_lost", Some(PAGE_CACHE.cause)));
    }
}

#[test]
fn a_drop_names_the_loss_of_a_line_without_copies_only() {
    let mut ledger = two_copies();
    ledger.dropped(ms(3_000), N1, Some(ORDERS), ONE, UNROUTABLE);
    ledger.removed(ms(3_000), N1, ORDERS, ONE, PAGE_CACHE);
    ledger.removed(ms(3_001), N2, ORDERS, ONE, PAGE_CACHE);
    assert_eq!(the_loss(&ledger).cause, Some(PAGE_CACHE.cause));

    let mut ledger = super::stories::ledger();
    let lines = range(P2, 0, 2);
    ledger.send(2_000, lines);
    ledger.dropped(ms(2_001), N1, None, lines, UNROUTABLE);
    ledger.ack(2_002, lines);
    let report = quiet(&ledger);
    let (cause, lost) = (UNROUTABLE.cause, report.summary.success_lost);
    assert_eq!((report.causes[cause.index()], lost), (4, 4), "of both destinations");
}

#[test]
fn a_consumer_that_acknowledged_first_loses_what_it_did_not_finish() {
    let mut ledger = two_copies();
    ledger.deliver(2_500, ONE);
    ledger.removed(ms(2_501), N1, ORDERS, ONE, SETTLED);
    // The mirror's copy is destroyed before it heard of the acknowledgement.
    ledger.removed(ms(2_502), N2, ORDERS, ONE, PAGE_CACHE);
    let report = quiet(&ledger);
    assert_eq!(cell(&report), (FinalOutcome::Acked, Fate::ReceivedOnly));
    assert_eq!((report.summary.consumer_lost, report.summary.acked_lost), (1, 1));
    let classes: Vec<_> = report.losses.iter().map(|loss| loss.class).collect();
    assert_eq!(classes, ["acked_lost", "consumer_lost"]);
    assert!(report.losses.iter().all(|loss| loss.cause == Some(SETTLED.cause)));
    assert_eq!(report.causes.iter().sum::<u64>(), 1, "a line counts once for its cause");
    ledger.processed(ms(2_600), C1, ORDERS, ONE);
    assert_eq!(quiet(&ledger).losses, [], "it finished after all");
}

#[test]
fn received_with_a_copy_left_is_no_loss() {
    let mut ledger = two_copies();
    ledger.deliver(2_500, ONE);
    let report = quiet(&ledger);
    assert_eq!(cell(&report).1, Fate::ReceivedOnly);
    assert_eq!(report.summary.success_lost, 0);
}

#[test]
fn dead_letters_and_expiry_are_no_losses() {
    for (removal, fate) in [(DEAD, Fate::DeadLettered), (TTL, Fate::Expired)] {
        let mut ledger = two_copies();
        ledger.deliver(2_500, ONE);
        ledger.removed(ms(2_501), N1, ORDERS, ONE, removal);
        ledger.removed(ms(2_502), N2, ORDERS, ONE, PAGE_CACHE);
        let report = quiet(&ledger);
        assert_eq!(cell(&report), (FinalOutcome::Acked, fate));
        assert_eq!(report.losses, []);
    }
}

#[test]
fn logs_lose_what_was_read() {
    let options = super::LedgerOptions { retained: true, ..ledger().options };
    let mut ledger = Ledger::new(std::sync::Arc::new(catalog()), options);
    ledger.send(2_000, range(P1, 0, 4));
    ledger.stored(ms(2_001), N1, ORDERS, range(P1, 0, 4));
    ledger.ack(2_002, range(P1, 0, 4));
    ledger.deliver(2_003, range(P1, 0, 3));
    ledger.processed(ms(2_004), C1, ORDERS, range(P1, 0, 3));
    ledger.removed(ms(5_000), N1, ORDERS, range(P1, 1, 3), UNSYNCED);
    let report = quiet(&ledger);
    assert_eq!((report.summary.read_lost, report.summary.acked_lost), (2, 1));
    assert_eq!(report.summary.processed, 3);
    let rows: Vec<_> = report.losses.iter().map(|l| (l.class, l.first, l.last)).collect();
    assert_eq!(rows, [("read_lost", 1, 2), ("acked_lost", 3, 3)]);
}

#[test]
fn rows_of_losses_are_maximal_runs() {
    let mut ledger = ledger();
    for sequence in 0..1_000 {
        let (at, line) = (2_000 + u64::from(sequence), range(P1, sequence, 1));
        ledger.send(at, line);
        ledger.stored(ms(at), N1, ORDERS, line);
        ledger.ack(at, line);
    }
    // One crash takes even lines, another, seconds later, a stretch of odd ones.
    for sequence in (0..400).step_by(2) {
        ledger.removed(ms(4_000), N1, ORDERS, range(P1, sequence, 1), PAGE_CACHE);
    }
    for sequence in (301..400).step_by(2) {
        ledger.removed(ms(6_000), N1, ORDERS, range(P1, sequence, 1), PAGE_CACHE);
    }
    ledger.removed(ms(7_000), N1, ORDERS, range(P1, 700, 200), UNSYNCED);
    let report = quiet(&ledger);
    let sum: u64 = report.losses.iter().map(|loss| loss.count).sum();
    assert_eq!((sum, report.summary.acked_lost), (450, 450));
    let first = &report.losses[0];
    assert_eq!((first.first, first.at), (0, ms(4_000)));
    let last = report.losses.last().expect("there are losses");
    assert_eq!((last.first, last.last, last.count, last.at), (700, 899, 200, ms(7_000)));
    assert!(report.losses.len() <= 3, "{:#?}", report.losses);
}

#[test]
fn contradictions_are_counted() {
    let mut ledger = ledger();
    ledger.removed(ms(1), N1, ORDERS, ONE, PAGE_CACHE);
    ledger.stored(ms(1), N1, ORDERS, ONE);
    ledger.whole_life(2_000, ONE);
    ledger.removed(ms(3_000), N1, ORDERS, ONE, SETTLED);
    let report = quiet(&ledger);
    assert_eq!(report.inconsistencies, 3);
    assert!(report.remarks.iter().any(|remark| remark.contains("mqsim is wrong")));
    assert_eq!(cell(&report), (FinalOutcome::Acked, Fate::Processed));
}

#[test]
fn reports_about_places_that_were_not_planned_are_ignored() {
    let mut ledger = ledger();
    ledger.whole_life(2_000, ONE);
    ledger.stored(ms(3_000), N1, AUDIT, ONE);
    ledger.delivered(ms(11_000), AUDITOR, AUDIT, ONE, false);
    let report = quiet(&ledger);
    assert_eq!((report.summary.lines, report.summary.stored_at_end), (1, 0));
}

#[test]
fn history_is_told_by_time() {
    let mut ledger = ledger();
    ledger.role(ms(0), N1, ORDERS, Some(RoleId(0)));
    ledger.role(ms(0), N2, ORDERS, Some(RoleId(1)));
    ledger.fault(ms(6_000), FaultId(0), FaultPhase::Begun, &[N1]);
    ledger.node(ms(6_000), N1, NodeState::Killed);
    ledger.role(ms(6_000), N1, ORDERS, None);
    ledger.role(ms(6_100), N2, ORDERS, Some(RoleId(0)));
    let promoted = Event {
        word: EventId(0),
        node: N2,
        destination: Some(ORDERS),
        subject: Some(N1),
        count: 3,
    };
    ledger.event(ms(6_100), promoted);
    ledger.node(ms(8_000), N1, NodeState::Booting);
    ledger.node(ms(9_000), N1, NodeState::Up);
    ledger.fault(ms(8_000), FaultId(0), FaultPhase::Ended, &[N1]);
    let report = quiet(&ledger);
    let catalog = &report.catalog;
    let name = |node: Option<NodeId>| node.map_or("-", |node| catalog.node(node));
    let place = |id: Option<DestinationId>| id.map_or("-", |id| catalog.destination(id));
    let mut told: Vec<String> = report
        .events
        .iter()
        .map(|row| {
            let (node, subject) = (name(row.node), name(row.subject));
            let at = row.at.as_millis();
            format!(
                "{at} {} {} {node} {} {subject} {}",
                row.kind,
                row.what,
                place(row.destination),
                row.count
            )
        })
        .collect();
    told.extend(report.lanes.iter().map(|lane| {
        let stretch = |(from, to, what): &(Time, Time, super::LaneState)| {
            format!(" {}-{} {what:?}", from.as_millis(), to.as_millis())
        };
        let stretches: String = lane.stretches.iter().map(stretch).collect();
        format!("{} {}:{stretches}", catalog.node(lane.node), place(lane.destination))
    }));
    insta::assert_snapshot!(told.join("\n"), @r"
    0 role leader n1 orders - 0
    0 role mirror n2 orders - 0
    6000 fault begun: crash leader(orders) n1 - - 0
    6000 node killed n1 - - 0
    6000 role none n1 orders - 0
    6100 role leader n2 orders - 0
    6100 event promoted n2 orders n1 3
    8000 node booting n1 - - 0
    8000 fault ended: crash leader(orders) n1 - - 0
    9000 node up n1 - - 0
    n1 -: 0-6000 Node(Up) 6000-8000 Node(Killed) 8000-9000 Node(Booting) 9000-12000 Node(Up)
    n2 -: 0-12000 Node(Up)
    n1 orders: 0-6000 Role(RoleId(0))
    n2 orders: 0-6100 Role(RoleId(1)) 6100-12000 Role(RoleId(0))
    ");
}

#[test]
fn the_fingerprint_tells_runs_apart() {
    let told = |at: u64, producer: ProducerId| {
        let mut ledger = ledger();
        ledger.whole_life(2_000, range(P1, 0, 1));
        ledger.whole_life(at, range(producer, if producer == P1 { 1 } else { 0 }, 1));
        quiet(&ledger)
    };
    let report = told(3_000, P1);
    assert_eq!(report.fingerprint, told(3_000, P1).fingerprint);
    assert_ne!(report.fingerprint, told(3_001, P1).fingerprint);
    assert_ne!(report.fingerprint, told(3_000, P2).fingerprint);
    assert_eq!(report.ingredients[1].1, told(3_001, P1).ingredients[1].1, "no role changed");
}

#[test]
fn what_is_acknowledged_with_a_remark_is_counted_apart() {
    let mut ledger = ledger();
    ledger.send(2_000, range(P1, 0, 20));
    ledger.stored(ms(2_001), N1, ORDERS, range(P1, 0, 20));
    ledger.remarked(ms(2_002), range(P1, 0, 10));
    ledger.ack(2_002, range(P1, 0, 20));
    ledger.removed(ms(2_003), N1, ORDERS, range(P1, 5, 10), PAGE_CACHE);
    let summary = quiet(&ledger).summary;
    assert_eq!((summary.acked, summary.acked_with_remark), (20, 10));
    assert_eq!((summary.acked_lost, summary.acked_with_remark_lost), (10, 5));
}

#[test]
fn what_was_dead_lettered_is_on_the_line_it_was_sent_to() {
    let mut ledger = ledger();
    let there = range(P1, 0, 10);
    let lost_on_its_way = range(P1, 10, 10);
    ledger.send(2_000, range(P1, 0, 20));
    ledger.stored(ms(2_001), N1, ORDERS, range(P1, 0, 20));
    ledger.ack(2_002, range(P1, 0, 20));
    ledger.deliver(2_003, range(P1, 0, 20));
    ledger.removed(ms(2_004), N1, ORDERS, range(P1, 0, 20), UNSYNCED);
    ledger.dead_lettered(ms(2_005), N2, ORDERS, AUDIT, there);
    let report = quiet(&ledger);
    let summary = &report.summary;
    assert_eq!((summary.dead_lettered, summary.success_lost), (10, 10));
    assert_eq!((report.losses.len(), report.losses[0].first), (1, lost_on_its_way.first));
    assert_eq!((summary.unexplained, report.inconsistencies), (0, 0));
}

#[test]
fn a_dead_letter_is_lost_with_its_last_copy_unless_somebody_took_it() {
    let mut ledger = ledger();
    for (first, last) in [(0, PAGE_CACHE), (10, SETTLED), (20, TTL)] {
        let messages = range(P1, first, 10);
        ledger.send(2_000, messages);
        ledger.stored(ms(2_001), N1, ORDERS, messages);
        ledger.ack(2_002, messages);
        ledger.removed(ms(2_004), N1, ORDERS, messages, UNSYNCED);
        ledger.dead_lettered(ms(2_005), N1, ORDERS, AUDIT, messages);
        ledger.removed(ms(2_006), N1, ORDERS, messages, last);
    }
    let report = quiet(&ledger);
    let summary = &report.summary;
    assert_eq!((summary.dead_lettered, summary.expired, summary.acked_lost), (10, 10, 10));
    assert_eq!(report.losses[0].cause, Some(PAGE_CACHE.cause));
    assert_eq!(report.inconsistencies, 0);
}

#[test]
fn mirrors_that_follow_later_do_not_undo_a_dead_letter() {
    let mut ledger = ledger();
    ledger.send(2_000, ONE);
    ledger.stored(ms(2_001), N1, ORDERS, ONE);
    ledger.stored(ms(2_001), N2, ORDERS, ONE);
    ledger.ack(2_002, ONE);
    ledger.removed(ms(2_003), N1, ORDERS, ONE, UNSYNCED);
    ledger.dead_lettered(ms(2_004), N1, ORDERS, AUDIT, ONE);
    ledger.removed(ms(2_005), N1, ORDERS, ONE, SETTLED);
    ledger.removed(ms(2_006), N2, ORDERS, ONE, UNSYNCED);
    let report = quiet(&ledger);
    assert_eq!(cell(&report), (FinalOutcome::Acked, Fate::DeadLettered));
    assert_eq!(report.losses, []);
}

#[test]
fn a_dead_letter_that_came_back_is_a_message_again() {
    let mut ledger = ledger();
    ledger.send(2_000, ONE);
    ledger.stored(ms(2_001), N1, ORDERS, ONE);
    ledger.ack(2_002, ONE);
    ledger.deliver(2_003, ONE);
    ledger.removed(ms(2_004), N1, ORDERS, ONE, UNSYNCED);
    ledger.dead_lettered(ms(2_005), N1, ORDERS, AUDIT, ONE);
    ledger.removed(ms(2_006), N1, ORDERS, ONE, UNSYNCED);
    ledger.stored(ms(2_007), N1, ORDERS, ONE);
    let report = quiet(&ledger);
    assert_eq!(cell(&report), (FinalOutcome::Acked, Fate::ReceivedOnly), "its copy is there");
    assert_eq!(report.losses, []);
    ledger.processed(ms(2_008), C1, ORDERS, ONE);
    ledger.removed(ms(2_009), N1, ORDERS, ONE, SETTLED);
    assert_eq!(cell(&quiet(&ledger)), (FinalOutcome::Acked, Fate::Processed));
}
