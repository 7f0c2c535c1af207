//! One node, durable queue, persistent messages with confirms; killed at 4 s, started at 6 s.

use super::lab::{SetUp, overlaps};

const SET_UP: SetUp = SetUp {
    mode: "rabbitmq-single",
    boot_time: "{ distribution = \"uniform\", min = \"2.8s\", max = \"7.8s\" }",
    net_ticktime: "8s",
    seconds: 20.0,
    rate: 1000,
    window: 200,
    retry: true,
    producer: "",
    consumer: false,
    clients: "\"n1\"",
    durable: true,
    fault: "crash",
    fault_at: 4.0,
    fault_for: 2.0,
};

#[test]
fn a_kill_loses_nothing_and_brings_the_backlog_back_as_redelivered() {
    let runs = SET_UP.run();
    for (seen, _) in &runs {
        assert_eq!(seen.lost, 0);
        assert!(seen.duplicates <= 200, "no more than the window is published again");
        assert_eq!(seen.redelivered_backlog, seen.backlog, "all that was recovered is flagged");
        assert_eq!(seen.out_of_order, 0);
    }
    overlaps("backlog", &runs, |seen, _| seen.backlog as f64, 3997.0..=4000.0);
    overlaps("duplicates", &runs, |seen, _| seen.duplicates as f64, 0.0..=2.0);
    overlaps("unavailable, s", &runs, |seen, _| seen.write_pause, 4.8..=9.8);
    overlaps("confirm p50, us", &runs, |seen, _| seen.confirm_us.0 as f64, 500.0..=1200.0);
}

#[test]
fn with_a_consumer_acks_that_died_with_the_broker_make_duplicates() {
    let runs = SetUp { consumer: true, ..SET_UP }.run();
    for (seen, _) in &runs {
        assert_eq!(seen.lost, 0);
        assert!(seen.duplicates <= 300, "no more than the window and the prefetch");
    }
    overlaps("duplicates", &runs, |seen, _| seen.duplicates as f64, 2.0..=6.0);
    overlaps("writes unavailable, s", &runs, |seen, _| seen.write_pause, 4.8..=9.8);
    overlaps("reads unavailable, s", &runs, |seen, _| seen.read_pause, 4.8..=9.8);
}

#[test]
fn at_six_thousand_a_second_more_is_stored_and_not_yet_confirmed() {
    let runs = SetUp { rate: 6000, window: 1000, ..SET_UP }.run();
    for (seen, _) in &runs {
        assert_eq!(seen.lost, 0);
        assert!(seen.duplicates <= 1000);
        assert_eq!(seen.redelivered_backlog, seen.backlog);
    }
    overlaps("backlog", &runs, |seen, _| seen.backlog as f64, 23_900.0..=24_000.0);
    overlaps("duplicates", &runs, |seen, _| seen.duplicates as f64, 0.0..=67.0);
}

#[test]
fn the_confirm_of_a_transient_message_does_not_wait_for_the_disk() {
    let runs = SetUp { producer: "persistent = false", consumer: true, ..SET_UP }.run();
    overlaps("confirm p50, us", &runs, |seen, _| seen.confirm_us.0 as f64, 140.0..=190.0);
}
