//! Rules that show best in small runs of their own.

use mqsim::verdict::Report;

use crate::runs::{self, prepared};

/// A run of so many seconds.
fn run(version: &str, seconds: u32, rest: &str) -> Report {
    let text = format!(
        "format = 1\nname = 'rules'\nmode = 'activemq-single'\nbroker-version = '{version}'\n\
         duration = '{seconds}s'\ndrain = '300s'\n[cluster]\nnodes = 1\nboot-time = '1s'\n\
         disk.torn-tail = true\n[[queue]]\nname = 'orders'\n{rest}"
    );
    runs::run(&prepared(&text, &[]), 1)
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

#[test]
fn a_consumer_gets_again_first_what_another_has_left() {
    let reordered = |rule: &str| {
        let rest = format!(
            "{rule}{}{}{}[[fault]]\nkind = 'crash'\ntarget = 'consumer(c1)'\nat = '3005ms'\n",
            producer("rate = '100/s'"),
            consumer("prefetch = 100\nprocessing-time = '20ms'"),
            consumer("start = '3100ms'\nprefetch = 10\nprocessing-time = '1ms'")
                .replace("c1", "c2"),
        );
        run("5.18", 10, &rest).summary.reordered
    };
    let (first, last) = (reordered(""), reordered("[rules]\nredeliver-first = false\n"));
    assert!(first < 15 && last > 60, "{first} and {last} out of order");
}

#[test]
fn a_sync_send_to_a_full_queue_has_its_answer_withheld_and_nothing_else() {
    // The producer is killed. What was parked of it goes with its connection; a connection that is blocked is
    // read to its end when there is space.
    let processed = |rule: &str| {
        let load = producer("rate = '100/s'\ncompletion-listeners = 50\nstop = '2s'");
        let rest = format!(
            "[broker]\npendingQueuePolicy = 'vmQueueCursor'\nmemoryLimit = '10KiB'\n{rule}{load}{}\
             [[fault]]\nkind = 'crash'\ntarget = 'producer(p1)'\nat = '3s'\n",
            consumer("start = '5s'")
        );
        run("5.18", 10, &rest).summary.processed
    };
    let (parked, blocked) = (processed(""), processed("[rules]\npark-sync-sends = false\n"));
    assert!(parked <= 10 && blocked > parked, "{parked} and {blocked} sends came through");
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
    assert_eq!(
        letters("[rules]\ndrop-acks-offline = false\n"),
        (1, 0),
        "it is dispatched before that comes"
    );
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
fn a_message_reaches_its_consumer_before_it_is_stored() {
    let latency = |rule: &str| {
        let rest = format!(
            "{rule}{}{}[[fault]]\nkind = 'slow-disk'\ntarget = 'n1'\nfactor = 100\nat = '1s'\nfor = '8s'\n",
            producer("rate = '10/s'\nstart = '2s'\nstop = '8s'"),
            consumer("")
        );
        run("5.18", 10, &rest).summary.e2e_p50_us.expect("it was delivered")
    };
    let (before, after) = (latency(""), latency("[rules]\ndispatch-before-store = false\n"));
    assert!(before < 2_000 && after > 10_000, "{before} and {after} us");
}

#[test]
fn a_master_that_looks_after_its_lock_stops() {
    // It is frozen for longer than its lease, and then finds that another one has its lock.
    let masters = |keys: &str| {
        let text = format!(
            "format = 1\nname = 'locks'\nmode = 'activemq-shared-storage'\nduration = '100s'\n\
             drain = '300s'\n[cluster]\nnodes = 2\nboot-time = '1s'\n[broker]\n{keys}\n\
             [[queue]]\nname = 'orders'\n{}[[fault]]\nkind = 'pause'\ntarget = 'n1'\nat = '10s'\nfor = '60s'\n",
            producer("rate = '10/s'")
        );
        let report = runs::run(&prepared(&text, &[]), 1);
        (count(&report, "lock-lost"), report.summary.unexplained)
    };
    assert_eq!(masters(""), (0, 0));
    assert_eq!(masters("lockKeepAlivePeriod = '5000ms'"), (1, 0));
}
