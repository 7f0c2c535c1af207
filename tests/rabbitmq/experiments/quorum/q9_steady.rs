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
