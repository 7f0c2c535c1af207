//! The same as E1 with transient messages, or a queue that is not durable.

use super::lab::{SetUp, overlaps};

const SET_UP: SetUp = SetUp {
    mode: "rabbitmq-single",
    boot_time: "{ distribution = \"uniform\", min = \"2.8s\", max = \"7.8s\" }",
    net_ticktime: "8s",
    seconds: 16.0,
    rate: 1000,
    window: 200,
    retry: true,
    producer: "persistent = false",
    consumer: false,
    clients: "\"n1\"",
    durable: true,
    fault: "crash",
    // 3998 messages had been confirmed before the kill at 4 s: it took effect a little earlier.
    fault_at: 3.9975,
    fault_for: 2.0,
};

#[test]
fn a_transient_backlog_is_lost_whole_though_confirmed() {
    let runs = SET_UP.run();
    for (seen, report) in &runs {
        assert_eq!(seen.lost, seen.backlog, "what was confirmed before the kill, and only that");
        assert_eq!(seen.lost_range, Some((0, seen.backlog as usize - 1)));
        let causes = report.losses.iter().filter(|loss| loss.class == "acked_lost");
        for loss in causes {
            let cause = loss.cause.expect("it has a cause");
            assert_eq!(report.catalog.causes[cause.index()].name, "transient-dropped");
        }
    }
    overlaps("lost", &runs, |seen, _| seen.lost as f64, 3997.0..=3998.0);
}

#[test]
fn a_queue_that_is_not_durable_is_gone_and_later_publishes_are_confirmed_and_dropped() {
    let runs = SetUp { durable: false, producer: "", ..SET_UP }.run();
    for (seen, report) in &runs {
        assert_eq!(seen.lost, seen.confirmed, "every confirmed message, before and after");
        assert!(seen.confirmed > seen.backlog, "publishes after the restart are confirmed");
        assert!(report.losses.iter().any(|loss| {
            let cause = loss.cause.map(|cause| report.catalog.causes[cause.index()].name);
            let because = report.catalog.conditions[loss.because.index()];
            cause == Some("unroutable-confirmed") && because == "queue-gone"
        }));
    }
    overlaps("lost", &runs, |seen, _| seen.lost as f64, 6833.0..=11_255.0);
}

#[test]
fn with_mandatory_publishes_to_a_vanished_queue_come_back() {
    let runs = SetUp { durable: false, producer: "mandatory = true", ..SET_UP }.run();
    for (seen, _) in &runs {
        assert!(seen.returned > 0);
        assert_eq!(seen.lost, seen.backlog, "only what was in the queue when it vanished");
    }
}

#[test]
fn transient_messages_that_are_consumed_at_once_are_not_lost() {
    let runs = SetUp { consumer: true, ..SET_UP }.run();
    for (seen, _) in &runs {
        assert!(seen.lost <= 1, "the queue is empty at the crash but for what is on its way");
    }
    overlaps("lost", &runs, |seen, _| seen.lost as f64, 0.0..=0.0);
}
