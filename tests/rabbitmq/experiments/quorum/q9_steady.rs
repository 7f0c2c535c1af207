//! RabbitMQ 4.0.5 and 4.3.6 without faults: what a quorum queue costs beside a classic one, in
//! throughput, latency and bytes between the brokers; and over how many hops a message goes.
//!
//! The lab's brokers shared two cores; here every node has its own. So rates are compared as ratios,
//! each against the classic queue of the same set-up.

use super::super::steady::{Figures, Load, Steady, median, ratio_is};

/// A quorum queue led by n1, clients there.
fn quorum(version: &'static str) -> Steady {
    Steady { mode: "rabbitmq-quorum", version, ..Steady::cluster() }
}

fn follower(version: &'static str) -> Steady {
    Steady { clients: ("n2", "n2"), ..quorum(version) }
}

fn full_speed(set_up: Steady) -> Figures {
    Steady { load: Load::Window(1_000), ..set_up }.run()
}

#[test]
fn a_quorum_queue_costs_almost_half_of_the_rate_and_a_copy_a_follower() {
    let classic = full_speed(Steady { version: "4.3", ..Steady::cluster() });
    let led = full_speed(quorum("4.3"));
    let followed = full_speed(follower("4.3"));
    ratio_is("quorum to classic", &led, &classic, 0.57);
    ratio_is("quorum by way of a follower to classic", &followed, &classic, 0.45);
    assert!(median(&led.rate) > median(&followed.rate));
    led.bytes_are(2_465.0);
    followed.bytes_are(3_920.0);
    // It is delivered after the commit, so no sooner than it is confirmed.
    assert!(median(&led.delivery_p50) >= median(&led.confirm_p50));
}

/// Beside a local one, from where clients are on another node; in 3.10 it was 0.9.
#[test]
fn a_classic_queue_on_another_node_is_at_two_thirds_of_the_rate() {
    for (version, measured) in [("4.0.5", 0.65), ("4.3", 0.63)] {
        let local = full_speed(Steady { version, ..Steady::cluster() });
        let remote = full_speed(Steady { version, clients: ("n2", "n2"), ..Steady::cluster() });
        ratio_is("remote to local", &remote, &local, measured);
        remote.bytes_are(2_880.0);
        let slow = Steady { version, clients: ("n2", "n2"), ..Steady::cluster() }.run();
        slow.bytes_are(3_080.0);
        // Unlike in a quorum queue it is delivered before it is confirmed.
        assert!(median(&slow.delivery_p50) < median(&slow.confirm_p50));
    }
}

/// What an fsync of the lab's disk took while 4.0.5 was looked at, and 4.3.6. The confirms of a lone
/// member, 0.63 to 2.98 ms, say how much that changed.
const THEN: &str = "{ distribution = \"lognormal\", median = \"0.77ms\", p99 = \"3.9ms\" }";
const LATER: &str = "{ distribution = \"lognormal\", median = \"0.95ms\", p99 = \"4.7ms\" }";

#[test]
fn a_confirm_at_five_hundred_a_second_takes_two_milliseconds() {
    let of = |set_up: Steady, fsync: &'static str| Steady { fsync: Some(fsync), ..set_up }.run();
    of(quorum("4.0.5"), THEN).confirms_overlap(1.61..=2.09);
    of(follower("4.0.5"), THEN).confirms_overlap(1.75..=2.00);
    of(quorum("4.3"), LATER).confirms_overlap(1.99..=2.54);
    of(follower("4.3"), LATER).confirms_overlap(1.90..=2.29);
    let alone = Steady { queue: Some("quorum"), version: "4.3", ..Steady::single() };
    of(alone, LATER).confirms_overlap(0.63..=2.98);
}

#[test]
fn one_member_alone_costs_little() {
    let single = |queue| Steady { version: "4.3", queue: Some(queue), ..Steady::single() };
    let (classic, quorum) = (full_speed(single("classic")), full_speed(single("quorum")));
    ratio_is("one member to classic", &quorum, &classic, 18.4 / 19.8);
}

#[test]
fn at_five_hundred_a_second_the_protocol_weighs_more_than_the_body() {
    let (led, followed) = (quorum("4.3").run(), follower("4.0").run());
    led.bytes_are(4_550.0);
    followed.bytes_are(6_490.0);
}

#[test]
fn a_confirm_takes_two_hops_by_way_of_the_leader_and_four_by_way_of_a_follower() {
    for (clients, confirm, delivery) in [
        (("n1", "n1"), 2, 2),
        (("n1", "n2"), 2, 3),
        (("n2", "n1"), 4, 3),
        (("n2", "n2"), 4, 4),
        (("n2", "n3"), 4, 4),
    ] {
        let (load, delay_ms) = (Load::Rate(100), Some(20));
        let figures = Steady { clients, load, delay_ms, ..quorum("4.3") }.run();
        let hops = |ms: f64| (ms / 20.0).round() as u32;
        let found = (hops(median(&figures.confirm_p50)), hops(median(&figures.delivery_p50)));
        assert_eq!(found, (confirm, delivery), "hops of confirm and delivery, clients {clients:?}");
    }
}
