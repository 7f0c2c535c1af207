//! Rules that show best in small runs of their own: with them and without.

use mqsim::verdict::Report;

use crate::runs::run;
use crate::small::{HA, consumer, count, fault, first, prepared, producer};

const SINGLE: (&str, u32) = ("artemis-single", 1);
const PAIR: (&str, u32) = ("artemis-replication", 2);

/// What is measured in a run of so many seconds, with a rule and without it.
fn with_and_without<T>(
    (mode, nodes): (&str, u32),
    (rule, keys): (&str, &str),
    (seconds, rest): (u32, &str),
    measure: impl Fn(&Report) -> T,
) -> (T, T) {
    let measured = |rules: &str| {
        let text = format!("{keys}{rules}{rest}");
        measure(&run(&prepared(mode, nodes, seconds, &text), 1))
    };
    (measured(""), measured(&format!("[rules]\n{rule} = false\n")))
}

const NIO: &str = "[broker]\njournal-type = 'NIO'\n";

#[test]
fn a_message_is_in_its_queue_when_it_is_stored() {
    let slow =
        "[[fault]]\nkind = 'slow-disk'\ntarget = 'n1'\nfactor = 100\nat = '1s'\nfor = '8s'\n";
    let load = producer("rate = '5/s'\nstart = '2s'\nstop = '8s'") + &consumer("") + slow;
    let e2e = |report: &Report| report.summary.e2e_p50_us.expect("it was delivered");
    let (with, without) = with_and_without(SINGLE, ("route-when-stored", NIO), (10, &load), e2e);
    assert!(with > 10_000 && without < 5_000, "{with} and {without} us");
}

#[test]
fn a_buffer_that_has_rested_is_flushed_at_once() {
    let service = |report: &Report| report.summary.ack_service_p50_us.expect("it was answered");
    let load = producer("rate = '20/s'");
    let (with, without) = with_and_without(SINGLE, ("flush-at-once", NIO), (10, &load), service);
    assert!(with < 2_500 && without > 3_333, "{with} and {without} us");
}

#[test]
fn producers_share_flushes() {
    let load: String = (0..10)
        .map(|at| producer("closed-loop = { in-flight = 1 }").replace("p1", &format!("p{at}")))
        .collect();
    let acked = |report: &Report| report.summary.acked;
    let (with, without) = with_and_without(SINGLE, ("share-flushes", NIO), (5, &load), acked);
    assert!(with > 5 * without, "{with} and {without} answered");
}

#[test]
fn a_lone_producer_gets_one_answer_in_a_buffer_timeout() {
    let rate = |keys: &str| {
        let rest = format!("{keys}{}", producer("closed-loop = { in-flight = 1 }"));
        run(&prepared("artemis-single", 1, 10, &rest), 1).summary.acked / 10
    };
    let (nio, aio) = (rate(NIO), rate(""));
    assert!((230..=300).contains(&nio), "{nio} a second with NIO");
    assert!((500..=2_000).contains(&aio), "{aio} a second with ASYNCIO");
}

#[test]
fn a_transaction_that_is_not_committed_leaves_nothing() {
    let load = producer("rate = '200/s'\ntransacted = 100")
        + &consumer("")
        + "[[fault]]\nkind = 'crash'\ntarget = 'producer(p1)'\nat = '5015ms'\n";
    let processed = |report: &Report| report.summary.processed % 100;
    let (with, without) = with_and_without(SINGLE, ("check-commits", ""), (10, &load), processed);
    assert_eq!(with, 0);
    assert!(without > 0);
}

#[test]
fn what_was_in_a_buffer_comes_back_as_delivered_and_first() {
    let load = producer("rate = '100/s'")
        + &consumer("processing-time = '20ms'\nconsumerWindowSize = '100KiB'")
        + &consumer("start = '3100ms'\nprocessing-time = '1ms'\nconsumerWindowSize = '10KiB'")
            .replace("c1", "c2")
        + "[[fault]]\nkind = 'crash'\ntarget = 'consumer(c1)'\nat = '3005ms'\n";
    let flagged = |report: &Report| report.summary.redelivered;
    let (with, without) = with_and_without(SINGLE, ("count-at-delivery", ""), (10, &load), flagged);
    assert!(with > 50 && without < 5, "{with} and {without} flagged");
    let reordered = |report: &Report| report.summary.reordered;
    let (with, without) = with_and_without(SINGLE, ("redeliver-first", ""), (10, &load), reordered);
    assert!(with < 15 && without > 50, "{with} and {without} out of order");
}

#[test]
fn a_backup_answers_before_its_disk_does() {
    let slow =
        "[[fault]]\nkind = 'slow-disk'\ntarget = 'n2'\nfactor = 100\nat = '1s'\nfor = '8s'\n";
    let load = producer("rate = '5/s'\nstart = '2s'\nstop = '8s'") + slow;
    let service = |report: &Report| report.summary.ack_service_p50_us.expect("it was answered");
    let (with, without) = with_and_without(PAIR, ("answer-from-heap", NIO), (10, &load), service);
    assert!(with < 5_000 && without > 10_000, "{with} and {without} us");
}

#[test]
fn a_silent_peer_is_noticed_after_a_whole_window() {
    let load =
        producer(&format!("rate = '10/s'\n{HA}")) + &fault("power-loss", "n1", "20s", "300s");
    let noticed = |report: &Report| first(report, "primary-lost").expect("it is noticed") / 1000;
    let (with, without) = with_and_without(PAIR, ("check-by-window", ""), (330, &load), noticed);
    assert!((119..=121).contains(&with) && (79..=111).contains(&without), "{with} and {without} s");
}

#[test]
fn a_backup_moves_its_data_away_before_it_has_others() {
    let load = producer("rate = '10/s'")
        + &fault("power-loss", "n1", "10s", "30s")
        + &fault("power-loss", "n2", "10s", "5s");
    let moved = |report: &Report| first(report, "data-moved-away").expect("it is moved") / 1000;
    let (with, without) = with_and_without(PAIR, ("move-data-away", ""), (60, &load), moved);
    assert!(with < 40 && without > 40, "after {with} and {without} s");
}

#[test]
fn a_full_address_blocks_drops_or_fails() {
    let come = |policy: &str| {
        let text = format!(
            "max-size-bytes = '20KiB'\naddress-full-policy = '{policy}'\n{}{}",
            producer("rate = '50/s'\nstop = '5s'"),
            consumer("start = '8s'")
        );
        let report = run(&prepared("artemis-single", 1, 10, &text), 1);
        let summary = &report.summary;
        assert_eq!(summary.unexplained, 0, "{policy}");
        (summary.acked, summary.rejected, summary.acked_lost, count(&report, "producer-blocked"))
    };
    let (acked, rejected, lost, blocked) = come("BLOCK");
    assert!(acked > 200 && rejected == 0 && lost == 0 && blocked > 0, "{acked} {rejected} {lost}");
    let (acked, rejected, lost, _) = come("DROP");
    assert!(acked > 200 && rejected == 0 && lost > 150, "{acked} {rejected} {lost}");
    let (acked, rejected, lost, _) = come("FAIL");
    assert!(acked < 50 && rejected > 150 && lost == 0, "{acked} {rejected} {lost}");
}
