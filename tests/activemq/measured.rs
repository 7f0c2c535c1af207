//! Experiments that were made with a real ActiveMQ 5.17.2, with the same set-up: what was measured, and
//! what comes of it here. `MQSIM_SEEDS=100` looks at so many seeds.

use mqsim::verdict::Report;

use crate::runs::{number, prepared, run};

/// Runs of so many seconds with several seeds.
fn runs(seconds: u64, broker: &str, rest: &str) -> Vec<Report> {
    let text = format!(
        "format = 1\nname = 'measured'\nmode = 'activemq-single'\nbroker-version = '5.17'\n\
         duration = '{seconds}s'\ndrain = '300s'\n[cluster]\nnodes = 1\nhardware = 'lab-vm'\n\
         boot-time = '2s'\n[broker]\n{broker}\n[[queue]]\nname = 'orders'\n{rest}"
    );
    let scenario = prepared(&text, &[]);
    (1..=number("MQSIM_SEEDS", 5)).map(|seed| run(&scenario, seed)).collect()
}

fn producer(name: &str, keys: &str) -> String {
    format!("[[producer]]\nname = '{name}'\nto = 'orders'\nmessage-size = '1KiB'\n{keys}\n")
}

fn producers(count: u32, keys: &str) -> String {
    (1..=count).map(|number| producer(&format!("p{number}"), keys)).collect()
}

fn consumer(name: &str, keys: &str) -> String {
    format!("[[consumer]]\nname = '{name}'\nfrom = 'orders'\n{keys}\n")
}

fn fault(kind: &str, target: &str, at: u64, lasts: u64) -> String {
    format!("[[fault]]\nkind = '{kind}'\ntarget = '{target}'\nat = '{at}ms'\nfor = '{lasts}ms'\n")
}

fn count(report: &Report, what: &str) -> u64 {
    report.events.iter().filter(|event| event.what == what).map(|event| event.count).sum()
}

const FULL: &str = "closed-loop = { in-flight = 1 }";

/// P1: kill -9 of the broker, restart 2 s later.
#[test]
fn a_killed_broker_loses_nothing_and_repeats_nothing_to_a_consumer_that_lives() {
    // Producers at full speed: the kill meets one while its message is stored.
    let mut diverted_in_all = 0;
    for (clients, letters) in [
        (producers(1, FULL) + &consumer("c1", ""), 0..=4),
        (producers(4, FULL) + &consumer("c1", ""), 0..=9),
        (producers(4, FULL) + &consumer("c1", "acknowledge = 'INDIVIDUAL'"), 0..=9),
        (producers(1, FULL), 0..=0),
    ] {
        for report in runs(10, "", &format!("{clients}{}", fault("crash", "n1", 4_003, 2_000))) {
            let summary = &report.summary;
            assert_eq!((summary.acked_lost, summary.duplicated), (0, 0));
            assert_eq!(summary.unknown, 0, "the send that was blocked returned");
            let diverted = count(&report, "duplicate-suppressed");
            assert!(letters.contains(&diverted), "{diverted} dead letters");
            diverted_in_all += diverted;
            let away = summary.write_longest_ms.unwrap_or(0);
            assert!((2_000..=8_000).contains(&away), "writes were away for {away} ms");
        }
    }
    assert!(diverted_in_all > 0, "some were");
}

/// P11: fsyncs of the broker.
#[test]
fn what_is_waited_for_is_fsynced_and_nothing_else() {
    let per_message = |broker: &str, clients: &str| -> f64 {
        let runs = runs(5, broker, clients);
        let all = runs.iter().map(|report| {
            let summary = &report.summary;
            summary.fsyncs as f64 / (summary.acked + summary.accepted) as f64
        });
        all.sum::<f64>() / runs.len() as f64
    };
    let within = |range: std::ops::RangeInclusive<f64>, broker: &str, clients: &str| {
        let found = per_message(broker, clients);
        assert!(range.contains(&found), "{found} fsyncs a message: {broker} {clients}");
    };
    within(0.99..=1.02, "", &producers(1, FULL));
    within(0.99..=1.02, "", &producers(10, FULL));
    within(0.1..=0.6, "concurrentStoreAndDispatchQueues = false", &producers(10, FULL));
    within(0.99..=1.02, "", &(producers(1, "rate = '100/s'") + &consumer("c1", "")));
    within(0.0..=0.01, "", &producers(1, "rate = '500/s'\nuseAsyncSend = true"));
    within(0.009..=0.013, "", &producers(1, &format!("{FULL}\ntransacted = 100")));
    within(0.0..=0.01, "journalDiskSyncStrategy = 'periodic'", &producers(1, FULL));
}

/// P3: what a loss of power takes, by journalDiskSyncStrategy.
#[test]
fn a_loss_of_power_takes_what_the_strategy_leaves() {
    let lost = |strategy: &str, clients: &str, kind: &str| -> Vec<(u64, u64)> {
        let broker = format!("journalDiskSyncStrategy = '{strategy}'");
        let rest = format!("{clients}{}", fault(kind, "n1", 5_433, 2_000));
        let runs = runs(10, &broker, &rest);
        runs.iter().map(|report| (report.summary.acked_lost, report.summary.duplicated)).collect()
    };
    let load = producers(1, "rate = '300/s'");
    assert!(lost("always", &load, "power-loss").iter().all(|lost| *lost == (0, 0)));
    let consumed = format!("{load}{}", consumer("c1", ""));
    assert!(lost("always", &consumed, "power-loss").iter().all(|lost| *lost == (0, 0)));
    for (lost, _) in lost("periodic", &load, "power-loss") {
        assert!(lost <= 321, "{lost}: at most the last 1.07 s");
    }
    for (lost, _) in lost("never", &load, "power-loss") {
        assert!(lost >= 1_620, "{lost}: everything");
    }
    let four = producers(4, FULL);
    for strategy in ["always", "periodic", "never"] {
        for (lost, _) in lost(strategy, &four, "crash") {
            assert!(lost <= 4, "{strategy}: {lost} lost by a kill: a message a producer at most");
        }
    }
}

/// P4: a consumer is killed five times while it works for 30 ms on a message.
#[test]
fn a_killed_consumer_loses_what_it_had_acknowledged_early_and_repeats_what_it_had_not() {
    let kills: String =
        (0..5).map(|kill| fault("crash", "consumer(c1)", 2_000 + kill * 1_317, 300)).collect();
    let of = |keys: &str| {
        let clients = producers(1, "rate = '200/s'\ncount = 300");
        let consumer = consumer("c1", &format!("processing-time = '30ms'\n{keys}"));
        runs(30, "", &format!("{clients}{consumer}{kills}"))
    };
    for report in of("receive = true") {
        let summary = &report.summary;
        assert_eq!((summary.consumer_lost, summary.duplicated), (5, 0));
    }
    for report in of("") {
        let summary = &report.summary;
        assert_eq!(summary.success_lost, 0);
        assert!((2..=5).contains(&summary.duplicated), "{} twice", summary.duplicated);
    }
    for report in of("acknowledge = 'CLIENT'\nreceive = true") {
        let summary = &report.summary;
        assert_eq!(summary.success_lost, 0);
        assert!((3..=5).contains(&summary.duplicated), "{} twice", summary.duplicated);
    }
}

/// P5: prefetch 1000, the consumer is killed, another one is idle.
#[test]
fn what_a_killed_consumer_had_ahead_is_flagged_and_reaches_the_next_one_at_once() {
    let clients = producers(1, "rate = '2000/s'\ncount = 1000\nstart = '1s'");
    let first = consumer("c1", "processing-time = '20ms'");
    let second = consumer("c2", "start = '2500ms'");
    let rest = format!("{clients}{first}{second}{}", fault("crash", "consumer(c1)", 3_009, 30_000));
    for report in runs(10, "", &rest) {
        let summary = &report.summary;
        assert_eq!((summary.success_lost, summary.reordered), (0, 0));
        assert!((880..=960).contains(&summary.redelivered), "{} flagged", summary.redelivered);
        assert_eq!(summary.duplicated, 1, "the one in hand");
    }
}

/// P6: links are reset.
#[test]
fn a_reset_diverts_what_an_auto_session_had_and_repeats_what_a_client_session_had() {
    let reset = |keys: &str| {
        let resets = "[[fault]]\nkind = 'reset'\ntarget = 'consumer(c1)'\nat = '5055ms'\n";
        runs(15, "", &format!("{}{}{resets}", producers(1, "rate = '100/s'"), consumer("c1", keys)))
    };
    for report in reset("") {
        assert_eq!((report.summary.success_lost, report.summary.duplicated), (0, 0));
        assert!(count(&report, "duplicate-suppressed") <= 1);
    }
    for report in reset("acknowledge = 'CLIENT'\nacknowledge-every = 10") {
        assert_eq!((report.summary.success_lost, count(&report, "duplicate-suppressed")), (0, 0));
        let again = report.summary.duplicated;
        assert!((2..=9).contains(&again), "{again} delivered and not acknowledged");
    }
}

/// P9: flow control, for connections of their own.
#[test]
fn a_full_queue_in_memory_stops_its_producer_and_no_other() {
    let other = "[[queue]]\nname = 'bills'\n[[producer]]\nname = 'q1'\nto = 'bills'\nrate = '100/s'\n\
                 [[consumer]]\nname = 'c2'\nfrom = 'bills'\n";
    let of = |cursor: &str, keys: &str| {
        let broker = format!("pendingQueuePolicy = '{cursor}'\nmemoryLimit = '502KiB'");
        let load = producers(1, &format!("rate = '2000/s'\n{keys}"));
        runs(7, &broker, &format!("{load}{other}"))
    };
    for (keys, most) in
        [("delivery-mode = 'non-persistent'", 4_500), ("useAsyncSend = true", 4_500), ("", 600)]
    {
        for report in of("vmQueueCursor", keys) {
            let summary = &report.summary;
            let returned = summary.acked + summary.accepted - 700;
            assert!(returned < most, "{keys}: {returned} sends returned");
            assert_eq!(summary.success_lost, 0, "{keys}");
            assert!(summary.processed >= 690, "{keys}: the other queue goes on");
        }
        for report in of("storeCursor", keys) {
            assert_eq!(count(&report, "producer-blocked"), 0);
        }
    }
}

/// P10: the fifth of 20 messages is one that the application cannot process.
#[test]
fn a_poison_message_is_tried_seven_times_and_goes_to_the_dead_letters() {
    for session in ["SESSION_TRANSACTED", "AUTO"] {
        let clients = producers(1, "rate = '1000/s'\ncount = 20");
        let consumer = consumer("c1", &format!("poison = 5\nacknowledge = '{session}'"));
        for report in runs(15, "", &format!("{clients}{consumer}")) {
            let summary = &report.summary;
            assert_eq!((summary.dead_lettered, summary.processed), (1, 19), "{session}");
            assert_eq!((summary.duplicated, summary.reordered), (6, 0), "{session}");
            assert_eq!(count(&report, "poison-acked"), 7, "{session}");
        }
    }
}

/// P12: one producer at full speed. The order of the classes; figures are of a starved machine.
#[test]
fn sends_come_in_classes_of_throughput() {
    let rate = |broker: &str, clients: &str| -> u64 {
        let runs = runs(5, broker, clients);
        let sent = |report: &Report| report.summary.acked + report.summary.accepted;
        runs.iter().map(sent).sum::<u64>() / 5 / runs.len() as u64
    };
    let plain = "";
    let sync = rate(plain, &producers(1, FULL));
    let ten = rate(plain, &producers(10, FULL));
    let periodic = rate("journalDiskSyncStrategy = 'periodic'", &producers(1, FULL));
    let transacted = rate(plain, &producers(1, &format!("{FULL}\ntransacted = 100")));
    let async_sends = rate(plain, &producers(1, &format!("{FULL}\nuseAsyncSend = true")));
    let memory = format!("{FULL}\ndelivery-mode = 'non-persistent'");
    let memory = rate(plain, &(producers(1, &memory) + &consumer("c1", "")));
    let all = format!("{sync}, {ten}, {periodic}, {transacted}, {async_sends}, {memory}");
    println!("sync, ten, periodic, transacted, async, non-persistent: {all}");
    assert!(sync < ten && ten < periodic.max(transacted), "{all}");
    assert!(sync * 2 < periodic && periodic < async_sends, "{all}");
    assert!(transacted < async_sends && async_sends < memory, "{all}");
}
