//! A classic cluster of three, durable queue homed on n1, clients on n2; n1 is killed for 15 s.

use super::lab::{SetUp, overlaps};

const SET_UP: SetUp = SetUp {
    mode: "rabbitmq-cluster",
    // Restart begins at 20 s, the port is open at 22.8 to 26.9 s.
    boot_time: "{ distribution = \"uniform\", min = \"2.8s\", max = \"6.9s\" }",
    net_ticktime: "8s",
    seconds: 40.0,
    rate: 500,
    window: 100,
    retry: false,
    producer: "",
    consumer: true,
    clients: "\"n2\"",
    durable: true,
    fault: "crash",
    fault_at: 5.0,
    fault_for: 15.0,
};

#[test]
fn while_the_home_node_is_away_every_publish_is_confirmed_and_dropped() {
    let runs = SET_UP.run();
    for (seen, report) in &runs {
        let (first, last) = seen.lost_range.expect("messages are lost");
        assert_eq!((last - first + 1) as u64, seen.lost, "one run of numbers without holes");
        assert_eq!(report.summary.write_availability, Some(1.0), "no error, no gap");
        assert!(seen.write_pause < 0.25);
        assert!(report.summary.effective_write_availability < Some(0.7));
        assert!(seen.nacked > 0, "what was on its way at the kill");
        assert_eq!(seen.returned, 0);
        assert_eq!(seen.cancelled, 1);
        for loss in report.losses.iter().filter(|loss| loss.class == "acked_lost") {
            let cause = loss.cause.expect("it has a cause");
            assert_eq!(report.catalog.causes[cause.index()].name, "unroutable-confirmed");
        }
        assert!(seen.confirm_us.1 < seen.confirm_us.0, "confirms are faster while it is down");
    }
    overlaps("nacked", &runs, |seen, _| seen.nacked as f64, 6.0..=17.0);
    overlaps("lost", &runs, |seen, _| seen.lost as f64, 8861.0..=10_020.0);
    overlaps("reads away, s", &runs, |seen, _| seen.read_pause, 17.8..=22.2);
    overlaps("confirm p50 before, us", &runs, |seen, _| seen.confirm_us.0 as f64, 800.0..=5700.0);
    overlaps("confirm p50 meanwhile, us", &runs, |s, _| s.confirm_us.1 as f64, 130.0..=170.0);
    overlaps("duplicates", &runs, |seen, _| seen.duplicates as f64, 1.0..=1.0);
    overlaps("nacked and delivered", &runs, |s, _| s.nacked_and_delivered as f64, 0.0..=1.0);
}

#[test]
fn with_mandatory_they_come_back_and_nothing_is_lost() {
    let runs = SetUp { producer: "mandatory = true", ..SET_UP }.run();
    for (seen, _) in &runs {
        assert_eq!(seen.lost, 0);
    }
    overlaps("returned", &runs, |seen, _| seen.returned as f64, 9349.0..=10_878.0);
    overlaps("nacked", &runs, |seen, _| seen.nacked as f64, 6.0..=17.0);
}

#[test]
fn a_backlog_on_the_home_node_comes_back_with_it() {
    // Restart begins at 9 s; what was lost meanwhile says that the port was open 5.3 to 6.4 s
    // later.
    let boot_time = "{ distribution = \"uniform\", min = \"5.3s\", max = \"6.4s\" }";
    let runs = SetUp { consumer: false, fault_for: 4.0, boot_time, ..SET_UP }.run();
    for (seen, report) in &runs {
        assert_eq!(seen.redelivered_backlog, seen.backlog, "all back, flagged as redelivered");
        assert!(seen.lost_range.expect("loss").0 as u64 >= seen.backlog, "only what came later");
        assert_eq!(report.summary.write_availability, Some(1.0));
    }
    overlaps("backlog", &runs, |seen, _| seen.backlog as f64, 2490.0..=2500.0);
    overlaps("lost", &runs, |seen, _| seen.lost as f64, 4661.0..=5208.0);
}
