//! Expectations, parsed and judged.

use std::sync::Arc;

use super::*;
use crate::engine::Span;
use crate::observe::{Event, EventId, NodeState, Observer};
use crate::scenario::Document;
use crate::verdict::stories::{self, *};
use crate::verdict::{BREACHES_KEPT, Ledger, LedgerOptions};

fn parse(text: &str) -> Result<Expectations, Diagnostics> {
    let text = format!("format = 1\nmode = 'm'\nduration = '1s'\n{text}");
    let document = Document::parse("test.toml", text).expect("it is TOML");
    let scenario = document.check(&[&EXPECT], None)?;
    Expectations::parse(scenario.many("expect"), &stories::catalog(), true)
}

/// A run that lost two of ten acknowledged lines, and took 2 ms for an answer.
fn report(is_quiet: bool) -> Report {
    let mut ledger = stories::ledger();
    ledger.whole_life(2_000, range(P1, 0, 8));
    let lost = range(P1, 8, 2);
    ledger.send(3_000, lost);
    ledger.stored(ms(3_001), N1, ORDERS, lost);
    ledger.ack(3_002, lost);
    ledger.removed(ms(3_003), N1, ORDERS, lost, PAGE_CACHE);
    ledger.finish(facts(ms(12_000), is_quiet))
}

fn judge(text: &str, is_quiet: bool) -> Vec<Judged> {
    parse(text).expect("the expectations are right").judge(&report(is_quiet))
}

#[test]
fn bounds_hold_or_break() {
    let text = "
        [[expect]]
        metric = 'success_lost'
        max = 0
        [[expect]]
        metric = 'acked_lost'
        min = 1
        max = 2
        [[expect]]
        metric = 'ack_p50_us'
        equals = '2ms'
        [[expect]]
        metric = 'write_availability'
        min = '99.9%'
        [[expect]]
        metric = 'write_longest_ms'
        max = '300ms'
        [[expect]]
        cause = 'page-cache-lost'
        max = 1
        [[expect]]
        metric = 'e2e_p99_us'
        min = '1s'
    ";
    insta::assert_snapshot!(told(&judge(text, true)), @r"
    Broken: success_lost <= 0 is 2 lines (see loss.csv, class acked_lost or accepted_lost)
    Holds: 1 <= acked_lost <= 2 is 2 lines
    Holds: ack_p50_us = 2000 us is 2000 us
    Holds: write_availability >= 99.9 % is 100 %
    Holds: write_longest_ms <= 300 ms is 0 ms
    Broken: lost by page-cache-lost <= 1 is 2 lines (see loss.csv, cause page-cache-lost)
    Broken: e2e_p99_us >= 1000000 us is 3000 us (see latency.csv, end_to_end_latency)
    Holds: claimed invariants hold is 0 violations
    Holds: the cluster comes to rest is 0 waiting
    ");
}

#[test]
fn fates_are_undecided_in_a_run_that_is_not_quiet() {
    let text = "
        [[expect]]
        metric = 'success_lost'
        max = 0
        [[expect]]
        cause = 'page-cache-lost'
        max = 9
        [[expect]]
        metric = 'acked'
        equals = 10
    ";
    let verdicts: Vec<Verdict> = judge(text, false).iter().map(|one| one.verdict).collect();
    let [undecided, holds] = [Verdict::Undecided, Verdict::Holds];
    let broken = Verdict::Broken;
    // The last two are what is claimed, and that it comes to rest.
    assert_eq!(verdicts, [undecided, undecided, holds, holds, broken]);
}

#[test]
fn what_was_not_measured_is_undecided() {
    let judged = judge("[[expect]]\nmetric = 'read_availability'\nmin = 1", true);
    assert_eq!(judged[0].verdict, Verdict::Undecided, "nobody reported room");
}

/// A run in which two invariants break, one of them claimed.
fn broken(options: LedgerOptions) -> Report {
    let mut ledger = Ledger::new(Arc::new(stories::catalog()), options);
    ledger.whole_life(2_000, range(P1, 0, 8));
    ledger.violate(3_000, ONE_LEADER);
    for at in 0..20 {
        ledger.violate(4_000 + at, NO_GAPS);
    }
    ledger.finish(facts(ms(12_000), true))
}

fn told(judged: &[Judged]) -> String {
    let line = |one: &Judged| {
        let note = one.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
        format!("{:?}: {} is {}{note}", one.verdict, one.text, one.measured)
    };
    judged.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_claimed_is_expected_and_what_is_not_is_counted() {
    let report = broken(LedgerOptions::new(Span::from_secs(10)));
    assert_eq!(report.summary.violations, Some(21));
    assert_eq!(report.invariants[2].first.len(), BREACHES_KEPT);
    assert_eq!(report.invariants[2].first[9].at, ms(4_009));
    let none = parse("").expect("nothing is expected");
    let texts =
        [(CLAIMED.to_owned(), Unit::Violations, None), (RESTS.to_owned(), Unit::Waiting, None)];
    assert_eq!(none.texts(), texts);
    insta::assert_snapshot!(told(&none.judge(&report)[..1]), @"Broken: claimed invariants hold is 1 violation (one-leader: 1 violation, first at 3000 ms on n2: n1 leads, and n2 too at 3000 ms; see invariants.csv)");
    let calm = self::report(true);
    assert_eq!(none.judge(&calm)[0].verdict, Verdict::Holds);
}

#[test]
fn an_invariant_is_expected_to_hold_or_to_break() {
    let text = "
        [[expect]]
        invariant = 'logs-match'
        [[expect]]
        invariant = 'one-leader'
        min = 1
        [[expect]]
        invariant = 'no-gaps'
        [[expect]]
        invariant = 'no-gaps'
        max = 19
        [[expect]]
        metric = 'violations'
        max = 30
    ";
    let expected = parse(text).expect("they are right");
    let report = broken(LedgerOptions::new(Span::from_secs(10)));
    let judged = expected.judge(&report);
    // Of both that are claimed the scenario says itself what is expected.
    assert!(judged[..5].iter().all(|one| !one.claimed));
    insta::assert_snapshot!(told(&judged[..5]), @"
    Holds: invariant logs-match holds is 0 violations
    Holds: violations of one-leader >= 1 is 1 violation
    Broken: invariant no-gaps holds is 20 violations (see invariants.csv; first at 4000 ms on n2: n1 leads, and n2 too at 4000 ms)
    Broken: violations of no-gaps <= 19 is 20 violations (see invariants.csv; first at 4000 ms on n2: n1 leads, and n2 too at 4000 ms)
    Holds: violations <= 30 is 21 violations
    ");
    let calm = expected.judge(&self::report(true));
    assert_eq!(calm[1].verdict, Verdict::Broken, "it had to break");
}

#[test]
fn what_is_not_checked_is_undecided() {
    let options = LedgerOptions { invariants: false, ..LedgerOptions::new(Span::from_secs(10)) };
    let report = broken(options);
    assert_eq!((report.summary.violations, report.invariants.len()), (None, 0));
    let judged = judge("[[expect]]\ninvariant = 'one-leader'", true);
    assert_eq!(judged[0].verdict, Verdict::Holds);
    let expected = Expectations {
        claimed: Vec::new(),
        rests: false,
        ..parse("[[expect]]\ninvariant = 'one-leader'").expect("it is right")
    };
    insta::assert_snapshot!(told(&expected.judge(&report)), @"Undecided: invariant one-leader holds is nothing (invariants were not checked)");
    let unchecked = Expectations::parse(&[], &stories::catalog(), false).expect("none");
    assert_eq!(unchecked.len(), 1, "that it comes to rest");
}

#[test]
fn checking_leaves_the_fingerprint_as_it_is() {
    let on = LedgerOptions::new(Span::from_secs(10));
    let off = LedgerOptions { invariants: false, ..on };
    assert_eq!(broken(on).fingerprint, broken(off).fingerprint);
}

#[test]
fn mistakes_are_told_with_what_would_be_right() {
    let mut told = String::new();
    for (text, remedy) in [
        ("metric = 'sucess_lost'\nmax = 0", "success_lost"),
        ("cause = 'page-cash-lost'\nmax = 0", "page-cache-lost"),
        ("metric = 'success_lost'", "equals"),
        ("max = 1", "metric"),
        ("metric = 'lines'\ncause = 'ttl'\nmax = 1", "two expectations"),
        ("invariant = 'one-leader'\ncause = 'ttl'\nmax = 1", "two expectations"),
        ("invariant = 'one-leeder'", "one-leader"),
        ("invariant = 'one-leader'\nmin = 2\nmax = 1", "swap"),
        ("invariant = 'one-leader'\nmax = '1ms'", "whole number"),
        ("metric = 'lines'\nmin = 2\nmax = 1", "swap"),
        ("metric = 'lines'\nmin = 2\nequals = 1", "either"),
        ("metric = 'lines'\nmax = '300ms'", "whole number"),
        ("metric = 'write_longest_ms'\nmax = '300'", "300ms"),
        ("metric = 'write_availability'\nmin = 99", "99.9%"),
    ] {
        let wrong = parse(&format!("[[expect]]\n{text}")).expect_err(text);
        let wrong = wrong.to_string();
        assert!(wrong.contains(remedy), "{text}: {wrong}");
        told.push_str(&wrong);
    }
    assert!(!told.is_empty());
}

/// Two producers, two destinations; losses on two nodes at 3 s and at 6 s; events and a window.
fn parts() -> Ledger {
    let mut ledger = stories::ledger();
    ledger.whole_life(2_000, range(P1, 0, 8));
    for (producer, node, at) in [(P1, N1, 3_000), (P2, N2, 6_000)] {
        let lost = range(producer, 8, 2);
        ledger.send(at, lost);
        ledger.stored(ms(at), node, ORDERS, lost);
        ledger.ack(at, lost);
        ledger.removed(ms(at), node, ORDERS, lost, PAGE_CACHE);
        let (word, destination) = (EventId(0), Some(ORDERS));
        let event = Event { word, node, destination, subject: None, count: 0 };
        ledger.event(ms(at), event);
    }
    ledger.node(ms(6_000), N2, NodeState::Killed);
    ledger
}

#[test]
fn a_part_of_a_run_is_judged_by_itself() {
    let text = "
        [[expect]]
        metric = 'success_lost'
        max = 0
        producer = 'p2'
        [[expect]]
        metric = 'success_lost'
        max = 0
        producer = 'p2'
        to = '6s'
        [[expect]]
        metric = 'acked'
        equals = 10
        producer = 'p1'
        [[expect]]
        cause = 'page-cache-lost'
        equals = 2
        node = 'n1'
        [[expect]]
        cause = 'page-cache-lost'
        equals = 0
        destination = 'audit'
        [[expect]]
        metric = 'write_longest_ms'
        max = '1s'
        destination = 'orders'
        from = '7s'
        [[expect]]
        metric = 'write_availability'
        equals = 1
        to = '1500ms'
        [[expect]]
        event = 'promoted'
        equals = 2
        [[expect]]
        event = 'promoted'
        max = 0
        node = 'n2'
        [[expect]]
        event = 'killed'
        max = 0
        from = '6001ms'
        [[expect]]
        never = 'promoted'
        [[expect]]
        never = 'mirror-leads'
    ";
    let expected = parse(text).expect("they are right");
    let mut facts = facts(ms(12_000), true);
    facts.questions = expected.questions().to_vec();
    insta::assert_snapshot!(told(&expected.judge(&parts().finish(facts))), @r"
    Broken: success_lost <= 0 (p2) is 4 lines (see loss.csv, class acked_lost or accepted_lost)
    Holds: success_lost <= 0 (p2, to 6s) is 0 lines
    Holds: acked = 10 (p1) is 10 lines
    Holds: lost by page-cache-lost = 2 (n1) is 2 lines
    Holds: lost by page-cache-lost = 0 (audit) is 0 lines
    Holds: write_longest_ms <= 1000 ms (orders, from 7s) is 0 ms
    Holds: write_availability = 100 % (to 1500ms) is 100 %
    Holds: events promoted = 2 is 2
    Broken: events promoted <= 0 (n2) is 1 (see events.csv; first at 6000 ms on n2)
    Holds: events killed <= 0 (from 6001ms) is 0
    Broken: never promoted is reached (see events.csv and loss.csv)
    Holds: never mirror-leads is not reached
    Holds: claimed invariants hold is 0 violations
    Holds: the cluster comes to rest is 0 waiting
    ");
}

#[test]
fn what_narrows_nothing_is_refused() {
    let wrong = |text: &str| parse(&format!("[[expect]]\n{text}")).expect_err(text).to_string();
    for (text, remedy) in [
        ("metric = 'ack_p99_us'\nmax = '1s'\nproducer = 'p1'", "nothing narrows this"),
        ("metric = 'acked'\nmin = 1\nnode = 'n1'", "producer, destination"),
        ("event = 'promoted'\nmax = 1\nproducer = 'p1'", "destination, node, from, to"),
        ("event = 'promotd'\nmax = 1", "promoted"),
        ("never = 'promotd'", "promoted"),
        ("never = 'promoted'\nmax = 1", "event"),
        ("metric = 'success_lost'\nmax = 1\nproducer = 'p9'", "p1"),
        ("metric = 'success_lost'\nmax = 1\nfrom = '2s'\nto = '1s'", "swap"),
        ("metric = 'lossy_seeds'\nmax = '1%'\nnode = 'n1'", "over seeds"),
    ] {
        assert!(wrong(text).contains(remedy), "{text}: {}", wrong(text));
    }
}

#[test]
fn a_cluster_that_does_not_come_to_rest_has_failed() {
    let mut ledger = stories::ledger();
    ledger.whole_life(2_000, range(P1, 0, 8));
    let mut stuck = facts(ms(12_000), false);
    let what = "confirms of queue orders".to_owned();
    stuck.waits = vec![crate::verdict::Waits { node: N2, what }];
    let report = ledger.finish(stuck.clone());
    let none = parse("").expect("nothing is expected");
    let rest = |report: &Report| told(&none.judge(report)[1..]);
    insta::assert_snapshot!(rest(&report), @"Broken: the cluster comes to rest is 1 waiting (n2 waits for confirms of queue orders)");
    let said = parse("[[expect]]\nmetric = 'waiting_at_end'\nmin = 1").expect("it is right");
    let verdicts: Vec<Verdict> = said.judge(&report).iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts, [Verdict::Holds; 2], "a scenario may be about just that");

    ledger.whole_life(11_000, range(P1, 8, 1));
    insta::assert_snapshot!(rest(&ledger.finish(stuck)), @"Undecided: the cluster comes to rest is 1 waiting (messages still got on when the drain was over: write a longer drain)");
}

#[test]
fn what_could_not_be_read_is_not_known_to_be_safe() {
    let mut ledger = stories::ledger();
    let line = range(P2, 0, 3);
    ledger.send(2_000, line);
    ledger.stored(ms(2_001), N1, AUDIT, line);
    ledger.ack(2_002, line);
    let report = ledger.finish(facts(ms(12_000), true));
    assert_eq!((report.summary.unreachable_at_end, report.summary.success_lost), (3, 3));
    let text = "
        [[expect]]
        metric = 'success_lost'
        max = 3
        [[expect]]
        metric = 'acked_lost'
        max = 6
        [[expect]]
        metric = 'success_gone'
        min = 5
        [[expect]]
        metric = 'success_lost'
        min = 7
    ";
    let said = format!("{text}\n[[expect]]\nmetric = 'unreachable_at_end'\nequals = 3");
    let known = parse(&said).expect("they are right").judge(&report);
    assert_eq!(known[0].verdict, Verdict::Holds, "the scenario says of them what they are");
    insta::assert_snapshot!(told(&parse(text).expect("they are right").judge(&report)), @r"
    Undecided: success_lost <= 3 is 3 lines (3 more could not be read at the end: they may be lost)
    Holds: acked_lost <= 6 is 3 lines
    Undecided: success_gone >= 5 is 3 lines (3 more could not be read at the end: they may be lost)
    Broken: success_lost >= 7 is 3 lines (see loss.csv, class acked_lost or accepted_lost)
    Holds: claimed invariants hold is 0 violations
    Holds: the cluster comes to rest is 0 waiting
    ");
}
