//! Rules that show best in small runs of their own.

use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

/// A run of so many seconds.
fn run(version: &str, seconds: u32, rest: &str) -> Report {
    let text = format!(
        "format = 1\nname = 'rules'\nmode = 'activemq-single'\nbroker-version = '{version}'\n\
         duration = '{seconds}s'\ndrain = '300s'\n[cluster]\nnodes = 1\nboot-time = '1s'\n\
         disk.torn-tail = true\n[[queue]]\nname = 'orders'\n{rest}"
    );
    let prepared = parse("rules.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    simulate(&prepared, 1, None).unwrap_or_else(|e| panic!("{e}"))
}

fn producer(keys: &str) -> String {
    format!("[[producer]]\nname = 'p1'\nto = 'orders'\n{keys}\n")
}

fn consumer(keys: &str) -> String {
    format!("[[consumer]]\nname = 'c1'\nfrom = 'orders'\n{keys}\n")
}

fn count(report: &Report, what: &str) -> u64 {
    report.events.iter().filter(|event| event.what == what).count() as u64
}

/// Messages lost by a cause.
fn lost_by(report: &Report, cause: &str) -> u64 {
    let is = |loss: &&mqsim::verdict::Loss| {
        loss.cause.is_some_and(|id| report.catalog.causes[id.index()].name == cause)
    };
    report.losses.iter().filter(is).map(|loss| u64::from(loss.messages.count)).sum()
}

#[test]
fn records_behind_a_batch_that_is_not_whole_are_found() {
    // Two files, the first of which the kernel had not written whole when the second was.
    let gone = |rule: &str| {
        let load = producer("rate = '400/s'\nmessage-size = '4KiB'");
        let rest = format!(
            "[broker]\njournalDiskSyncStrategy = 'never'\njournalMaxFileLength = '64KiB'\n{rule}{load}\
             [[fault]]\nkind = 'power-loss'\ntarget = 'n1'\nat = '65s'\nfor = '2s'\n"
        );
        let report = run("5.18", 70, &rest);
        (report.summary.success_gone, lost_by(&report, "behind-damaged-batch"))
    };
    let (skipping, cutting) = (gone(""), gone("[rules]\nskip-damaged-batches = false\n"));
    assert_eq!(skipping.1, 0);
    assert!(cutting.0 >= skipping.0, "{skipping:?}, {cutting:?}");
}

#[test]
fn a_consumer_gets_again_first_what_another_has_left() {
    let reordered = |rule: &str| {
        let rest = format!(
            "{rule}{}{}{}[[fault]]\nkind = 'crash'\ntarget = 'consumer(c1)'\nat = '3005ms'\n",
            producer("rate = '100/s'"),
            consumer("prefetch = 100\nprocessing-time = '20ms'"),
            consumer("start = '3s'\nprefetch = 10\nprocessing-time = '1ms'").replace("c1", "c2"),
        );
        run("5.18", 10, &rest).summary.reordered
    };
    let (first, last) = (reordered(""), reordered("[rules]\nredeliver-first = false\n"));
    assert!(first < 15 && last > 60, "{first} and {last} out of order");
}

#[test]
fn a_sync_send_to_a_full_queue_has_its_answer_withheld_and_nothing_else() {
    // The connection of a producer with listeners: its other sends are read all the same.
    let waiting = |rule: &str| {
        let load = producer("rate = '100/s'\ncompletion-listeners = 50\nstop = '2s'");
        let rest = format!(
            "[broker]\npendingQueuePolicy = 'vmQueueCursor'\nmemoryLimit = '10KiB'\n{rule}{load}{}",
            consumer("start = '5s'")
        );
        count(&run("5.18", 10, &rest), "producer-blocked")
    };
    let (parked, blocked) = (waiting(""), waiting("[rules]\npark-sync-sends = false\n"));
    assert!(parked > 30 && blocked < parked, "{parked} and {blocked} sends came to wait");
}

#[test]
fn what_was_prefetched_before_a_failover_is_dead_lettered_up_to_6_2() {
    let letters = |version: &str| {
        let rest = format!(
            "{}{}[[fault]]\nkind = 'reset'\ntarget = 'consumer(c1)'\nat = '5005ms'\n",
            producer("rate = '100/s'\nstop = '6s'"),
            consumer("acknowledge = 'SESSION_TRANSACTED'\nprocessing-time = '20ms'")
        );
        run(version, 30, &rest).summary.dead_lettered
    };
    let (before, since) = (letters("6.2"), letters("6.3"));
    assert!(before > 200 && since == 0, "{before} dead letters in 6.2, {since} in 6.3");
}

#[test]
fn only_a_transacted_session_gives_up_before_it_delivers() {
    // Killed consumers count as deliveries, whether they had seen a message or not.
    let letters = |session: &str, rule: &str| {
        let mut faults = String::new();
        for kill in 0..9 {
            faults.push_str(&format!(
                "[[fault]]\nkind = 'crash'\ntarget = 'consumer(c1)'\nat = '{}ms'\nfor = '500ms'\n",
                3_000 + kill * 2_000
            ));
        }
        let rest = format!(
            "{rule}{}{}{faults}",
            producer("rate = '100/s'\ncount = 20"),
            consumer(&format!("acknowledge = '{session}'\nprocessing-time = '4s'"))
        );
        run("5.18", 30, &rest).summary.dead_lettered
    };
    assert_eq!(letters("AUTO", ""), 0);
    assert!(letters("SESSION_TRANSACTED", "") > 10);
    assert!(letters("AUTO", "[rules]\npoison-check-transacted-only = false\n") > 10);
}

#[test]
fn acknowledgements_without_a_connection_are_thrown_away() {
    // A listener is through while its consumer reconnects: the message is a duplicate when it comes again,
    // unless its acknowledgement comes before.
    let letters = |rule: &str| {
        let rest = format!(
            "{rule}{}{}[[fault]]\nkind = 'reset'\ntarget = 'consumer(c1)'\nat = '5002ms'\n",
            producer("rate = '100/s'"),
            consumer("processing-time = '7ms'\ninitialReconnectDelay = '500ms'")
        );
        let report = run("5.18", 10, &rest);
        (count(&report, "duplicate-suppressed"), report.summary.success_lost)
    };
    assert_eq!(letters(""), (1, 0));
    assert_eq!(letters("[rules]\ndrop-acks-offline = false\n"), (1, 0), "it is dispatched before that comes");
}

#[test]
fn a_rolled_back_transaction_leaves_nothing() {
    let summary = |rule: &str| {
        let rest = format!(
            "{rule}{}{}[[fault]]\nkind = 'crash'\ntarget = 'producer(p1)'\nat = '5015ms'\n",
            producer("rate = '200/s'\ntransacted = 100"),
            consumer("")
        );
        run("5.18", 10, &rest).summary
    };
    let (rolled, kept) = (summary(""), summary("[rules]\nroll-back-uncommitted = false\n"));
    assert_eq!(rolled.processed % 100, 0);
    assert!(kept.processed % 100 > 0, "{}", kept.processed);
}

#[test]
fn a_silent_broker_is_given_up_after_one_to_three_periods() {
    let away = |rule: &str| {
        let rest = format!(
            "{rule}{}{}[[fault]]\nkind = 'pause'\ntarget = 'n1'\nat = '20s'\nfor = '200s'\n",
            producer("rate = '1/s'"),
            consumer("")
        );
        run("5.18", 130, &rest)
    };
    let lost = |report: &Report| {
        let contacts = report.events.iter().filter(|event| event.what == "connection-lost");
        contacts.map(|event| event.at.as_millis() - 20_000).min()
    };
    let (lenient, strict) = (lost(&away("")), lost(&away("[rules]\nlenient-read-check = false\n")));
    if let (Some(lenient), Some(strict)) = (lenient, strict) {
        assert!((59_000..=91_000).contains(&lenient), "{lenient} ms");
        assert!((29_000..=61_000).contains(&strict), "{strict} ms");
    }
}
