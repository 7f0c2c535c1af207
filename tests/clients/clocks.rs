//! Clients keep their deadlines by the clock of their host, which may run at another pace than the
//! world, and those that go by the time of day follow a clock that is set.

use super::{KRAFT, Setting, ZOOKEEPER, run};

/// A producer that is cut off from 10 s to 35 s, by somebody who says so, on a host whose clock is wrong; how many of its
/// messages are given up.
fn given_up(cluster: &'static str, producer: &'static str, clock: &str) -> u64 {
    let setting = Setting { name: "", cluster, producer, consumer: "" };
    let faults = format!(
        "[[fault]]\nat = '10s'\nfor = '25s'\nkind = 'partition'\n\
         between = ['producer(p1)', 'all']\nhow = 'reject'\n{clock}"
    );
    let report = run(&setting.scenario(60, "rate = '50/s'", &faults), 1);
    report.summary.unsent + report.summary.unknown
}

fn skew(at: &str, what: &str) -> String {
    format!("[[fault]]\nat = '{at}'\nkind = 'clock-skew'\ntarget = 'producer(p1)'\n{what}\n")
}

const DELIVERY: &str = "acks = 'all'\n'delivery.timeout.ms' = '20s'\n'request.timeout.ms' = '5s'";

#[test]
fn a_delivery_time_out_goes_by_the_clock_of_the_producers_host() {
    // What is sent until 15 s is 20 s old when the cut ends at 35 s, and some more before the
    // producer has a connection again, a second later; until 21.7 s where a clock counts 20 s in
    // 13.3 s; nothing where it takes 40 s for that.
    let right = given_up(KRAFT, DELIVERY, "");
    let fast = given_up(KRAFT, DELIVERY, &skew("1s", "drift = '50%'"));
    let slow = given_up(KRAFT, DELIVERY, &skew("1s", "drift = '-50%'"));
    assert!((250..=320).contains(&right), "{right}");
    assert!((585..=660).contains(&fast), "{fast}");
    assert_eq!(slow, 0);
}

#[test]
fn a_clock_that_is_set_ahead_ages_what_waits() {
    // What was sent from 10 s to 20 s is given up; what comes after that has 20 s as ever. Each has a
    // batch of its own, for a batch is as old as its first message.
    const ALONE: &str = "acks = 'all'\n'batch.size' = '0B'\n'delivery.timeout.ms' = '20s'\n\
                         'request.timeout.ms' = '5s'";
    let ahead = given_up(KRAFT, ALONE, &skew("20s", "offset = '15s'"));
    assert!((495..=505).contains(&ahead), "{ahead}");
    // A batch that was tried at 10 s waits for its next try until the clock says so again, and all
    // behind it with it, until the clock is set right and everything is too old.
    let behind = given_up(KRAFT, DELIVERY, &skew("20s", "offset = '-60s'"));
    assert!((2_490..=2_500).contains(&behind), "{behind}");
}

#[test]
fn the_scala_producers_thread_looks_at_the_clock_of_its_host() {
    const ASYNC: &str = "client = 'scala'\nacks = '1'\n'producer.type' = 'async'\n\
                         'queue.buffering.max.ms' = '2s'";
    let setting = Setting { name: "", cluster: ZOOKEEPER, producer: ASYNC, consumer: "" };
    let latency = |clock: &str| {
        let report = run(&setting.scenario(20, "rate = '20/s'", clock), 1);
        report.summary.e2e_p50_us.unwrap_or(0)
    };
    let (right, fast) = (latency(""), latency(&skew("1s", "drift = '50%'")));
    assert!((900_000..1_100_000).contains(&right), "{right}");
    // Half of two seconds, and of two thirds of them.
    assert!((600_000..740_000).contains(&fast), "{fast}");
}

/// Two consumers of one group: whether the clock of the ZooKeeper server, set ahead, ends sessions.
fn sessions_ended(version: &str) -> usize {
    let scenario = format!(
        "format = 1\nname = 'sessions'\nmode = 'kafka-isr'\nbroker-version = '{version}'\n\
         duration = '40s'\ndrain = '120s'\n[cluster]\nnodes = 3\n[controller]\n\
         metadata = 'zookeeper'\n[[topic]]\nname = 'orders'\n[[producer]]\nname = 'p1'\n\
         to = 'orders'\nrate = '50/s'\n[[consumer]]\nname = 'c1'\nfrom = 'orders'\n\
         [[fault]]\nat = '10s'\nkind = 'clock-skew'\ntarget = 'zk1'\noffset = '5min'\n"
    );
    let report = run(&scenario, 1);
    report.events.iter().filter(|event| event.what == "session-expired").count()
}

#[test]
fn a_zookeeper_before_3_5_ends_sessions_when_its_clock_is_set_ahead() {
    assert!(sessions_ended("2.3") > 0, "ZooKeeper 3.4 goes by the time of day");
    assert_eq!(sessions_ended("2.4"), 0, "ZooKeeper 3.5 does not");
}
