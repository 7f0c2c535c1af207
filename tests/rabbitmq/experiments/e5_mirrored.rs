//! Mirrored on all nodes, synchronised; the leader's node fails at 6 s.

use super::lab::{SetUp, overlaps};

const SET_UP: SetUp = SetUp {
    mode: "rabbitmq-mirrored",
    boot_time: "{ distribution = \"uniform\", min = \"2.8s\", max = \"6.9s\" }",
    net_ticktime: "8s",
    seconds: 40.0,
    rate: 500,
    window: 100,
    retry: true,
    producer: "",
    consumer: true,
    clients: "\"n2\"",
    durable: true,
    fault: "crash",
    // Sends are 2 ms apart; the kill comes between two of them, not at the instant of one.
    fault_at: 6.0007,
    fault_for: 10.0,
};

/// What holds in every variant.
fn run(set_up: &SetUp) -> Vec<(super::lab::Seen, mqsim::verdict::Report)> {
    let runs = set_up.run();
    for (seen, _) in &runs {
        assert_eq!(seen.lost, 0, "synchronised mirrors lose nothing");
        assert!(seen.duplicates <= 200, "no more than prefetch and window");
        assert_eq!(seen.cancelled, 0, "no consumer is cancelled");
        assert_eq!(seen.out_of_order, 0, "order is kept");
        assert_eq!(seen.nacked, 0);
    }
    runs
}

#[test]
fn killed_with_clients_on_a_mirror() {
    let runs = run(&SET_UP);
    for (seen, report) in &runs {
        assert!((0.1..0.25).contains(&seen.write_pause), "detection is immediate, then ~0.1 s");
        assert_eq!(report.summary.write_availability, Some(1.0), "nothing over 250 ms");
    }
    overlaps("confirms pause, s", &runs, |seen, _| seen.write_pause, 0.116..=0.121);
    overlaps("deliveries pause, s", &runs, |seen, _| seen.read_pause, 0.140..=0.144);
    overlaps("duplicates", &runs, |seen, _| seen.duplicates as f64, 0.0..=1.0);
    overlaps("redelivered", &runs, |seen, _| seen.redelivered as f64, 58.0..=108.0);
}

#[test]
fn killed_with_clients_on_the_leader() {
    let runs = run(&SetUp { clients: "\"n1\", \"n2\"", ..SET_UP });
    overlaps("confirms pause, s", &runs, |seen, _| seen.write_pause, 0.129..=0.135);
    overlaps("deliveries pause, s", &runs, |seen, _| seen.read_pause, 0.149..=0.152);
    overlaps("duplicates", &runs, |seen, _| seen.duplicates as f64, 1.0..=80.0);
}

#[test]
fn stopped_in_order_with_clients_on_a_mirror() {
    let runs = run(&SetUp { fault: "stop", ..SET_UP });
    overlaps("confirms pause, s", &runs, |seen, _| seen.write_pause, 0.132..=0.234);
    overlaps("deliveries pause, s", &runs, |seen, _| seen.read_pause, 0.131..=0.182);
    overlaps("duplicates", &runs, |seen, _| seen.duplicates as f64, 1.0..=15.0);
}

#[test]
fn a_silent_host_is_noticed_by_the_net_tick_only() {
    let runs = run(&SetUp { fault: "power-loss", fault_for: 20.0, seconds: 50.0, ..SET_UP });
    for (seen, _) in &runs {
        let detection = 0.75 * 8.0..1.25 * 8.0 + 0.3;
        assert!(detection.contains(&seen.write_pause), "writes away {} s", seen.write_pause);
        assert!(seen.read_pause <= 1.25 * 8.0 + 7.5, "reads away {} s", seen.read_pause);
    }
    overlaps("confirms pause, s", &runs, |seen, _| seen.write_pause, 8.6..=9.6);
    overlaps("deliveries pause, s", &runs, |seen, _| seen.read_pause, 15.5..=16.7);
    overlaps("duplicates", &runs, |seen, _| seen.duplicates as f64, 0.0..=8.0);
}

#[test]
fn with_the_default_net_ticktime_a_silent_host_takes_a_minute() {
    let silent = SetUp {
        fault: "power-loss",
        fault_for: 94.0,
        seconds: 130.0,
        rate: 100,
        net_ticktime: "60s",
        ..SET_UP
    };
    let runs = run(&silent);
    for (seen, _) in &runs {
        let detection = 0.75 * 60.0..1.25 * 60.0 + 0.3;
        assert!(detection.contains(&seen.write_pause), "writes away {} s", seen.write_pause);
        assert!(seen.read_pause <= 1.25 * 60.0 + 7.5, "reads away {} s", seen.read_pause);
    }
    overlaps("confirms pause, s", &runs, |seen, _| seen.write_pause, 71.0..=71.0);
    overlaps("deliveries pause, s", &runs, |seen, _| seen.read_pause, 78.1..=78.1);
}
