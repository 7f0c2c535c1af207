//! How long it takes until a death is noticed, by NameServers, producers and consumers, with default
//! settings: row by row.

use mqsim::verdict::Report;

use crate::runs;

/// Two groups of a master and a slave.
fn run(version: &str, clients: &str, fault: &str, seed: u64) -> Report {
    run_in("rocketmq-master-slave", version, clients, fault, seed)
}

fn run_in(mode: &str, version: &str, clients: &str, fault: &str, seed: u64) -> Report {
    let text = format!(
        "format = 1\nname = 'timings'\nmode = '{mode}'\nbroker-version = '{version}'\n\
         duration = '240s'\ndrain = '200s'\n[cluster]\nnodes = 4\nboot-time = '1s'\n\
         [[topic]]\nname = 'orders'\n\
         [[producer]]\nname = 'p1'\nto = 'orders'\nrate = '10/s'\n{clients}\n\
         [[fault]]\nat = '10s'\n{fault}\n"
    );
    runs::run(&runs::prepared(&text, &[]), seed)
}

const CONSUMER: &str = "[[consumer]]\nname = 'c1'\nfrom = 'orders'";
const TWO: &str =
    "[[consumer]]\nname = 'c1'\nfrom = 'orders'\n[[consumer]]\nname = 'c2'\nfrom = 'orders'";

/// How many ms after the fault (at 10 s) something happens for the first time, at a host if it is named.
fn first(report: &Report, what: &str, host: Option<&str>) -> u64 {
    let is = |at: &&mqsim::verdict::EventRow| {
        let node = at.node.map(|node| report.catalog.nodes[node.index()].name.as_str());
        at.what == what && at.at.as_millis() >= 10_000 && host.is_none_or(|host| node == Some(host))
    };
    let found = report.events.iter().find(is);
    found.unwrap_or_else(|| panic!("no {what}")).at.as_millis() - 10_000
}

/// Every seed of a few gives a time in the range.
#[track_caller]
fn within(range: std::ops::RangeInclusive<u64>, measure: impl Fn(u64) -> u64) {
    for seed in 1..=4 {
        let millis = measure(seed);
        assert!(range.contains(&millis), "seed {seed}: {millis} ms is not in {range:?}");
    }
}

const KILL: &str = "kind = 'crash'\ntarget = 'n1'";
const POWER: &str = "kind = 'power-loss'\ntarget = 'n1'";

#[test]
fn a_name_server_sees_a_killed_broker_at_once_and_a_silent_one_after_two_minutes() {
    within(0..=2, |seed| first(&run("5.3", "", KILL, seed), "broker-unregistered", Some("ns1")));
    // The last registration is up to 30 s old; 120 s later the next look, every 5 s, in 4.9 every 10 s.
    within(90_000..=125_000, |seed| {
        first(&run("5.3", "", POWER, seed), "broker-expired", Some("ns1"))
    });
    within(90_000..=130_000, |seed| {
        first(&run("4.9.4", "", POWER, seed), "broker-expired", Some("ns1"))
    });
}

#[test]
fn clients_hear_of_a_killed_master_with_their_next_poll() {
    within(0..=30_010, |seed| first(&run("5.3", "", KILL, seed), "route-changed", Some("p1")));
    within(0..=30_010, |seed| {
        first(&run("5.3", CONSUMER, KILL, seed), "route-changed", Some("c1"))
    });
    within(90_000..=158_000, |seed| {
        first(&run("5.3", "", POWER, seed), "route-changed", Some("p1"))
    });
}

#[test]
fn a_send_to_a_killed_master_is_tried_elsewhere_and_one_to_a_silent_one_fails() {
    for seed in 1..=3 {
        let killed = run("5.3", "", KILL, seed).summary;
        assert_eq!((killed.acked, killed.rejected, killed.unknown), (killed.attempted, 0, 0));
        let silent = run("5.3", "", POWER, seed).summary;
        assert!(silent.rejected + silent.unknown >= 15, "each takes three seconds, alone");
    }
}

#[test]
fn queues_of_a_killed_consumer_are_taken_at_once_and_of_a_silent_one_after_two_minutes() {
    let killed = "kind = 'crash'\ntarget = 'consumer(c1)'";
    within(0..=1_100, |seed| first(&run("5.3", TWO, killed, seed), "rebalanced", Some("c2")));
    let silent = "kind = 'power-loss'\ntarget = 'consumer(c1)'";
    within(90_000..=131_000, |seed| {
        first(&run("5.3", TWO, silent, seed), "rebalanced", Some("c2"))
    });
}

#[test]
fn master_and_slave_give_a_silent_link_up_after_twenty_seconds_and_connect_again_after_five() {
    let cut = "kind = 'partition'\nbetween = ['n1', 'n2']\nclients = 'unaffected'\nfor = '60s'";
    within(15_000..=26_000, |seed| first(&run("5.3", "", cut, seed), "slave-left", Some("n1")));
    within(15_000..=26_000, |seed| first(&run("5.3", "", cut, seed), "master-lost", Some("n2")));
    let short = "kind = 'reset'\ntarget = 'n2'";
    within(4_900..=5_200, |seed| first(&run("5.3", "", short, seed), "master-linked", Some("n2")));
}

#[test]
fn controllers_elect_at_once_after_a_kill_and_within_fifteen_seconds_of_silence() {
    let controlled = |fault, seed| run_in("rocketmq-controller", "5.3", CONSUMER, fault, seed);
    // The one that leads sees the connection end; a broker hears of its role at once.
    within(0..=20, |seed| first(&controlled(KILL, seed), "became-master", Some("n2")));
    // The last heartbeat is up to a second old; the looks are 5 s apart.
    within(9_000..=15_200, |seed| first(&controlled(POWER, seed), "became-master", Some("n2")));
    within(9_000..=45_300, |seed| first(&controlled(POWER, seed), "route-changed", Some("c1")));
}
