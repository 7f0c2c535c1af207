//! Throughput, latency and traffic of the modes without faults.
//!
//! The lab's three nodes shared two cores, so a classic queue in a cluster was slower there than on
//! a lone node; here every node has its cores for itself. So a single node is compared with a
//! single node, and a mode of the cluster with the classic queue in the cluster.

use super::steady::{Figures, Load, Steady, median, ratio_is};

fn full_speed(set_up: Steady, window: u32) -> Figures {
    let figures = Steady { load: Load::Window(window), ..set_up }.run();
    // Little's law: what is in flight is the window, of which a part is in the producer's own hands. It holds for the
    // mean. With 1,000 in flight the median is anywhere between the batches in which credit is granted
    // and confirms are sent: measured 0.94 to 1.0 of that, simulated 0.95 to 1.1.
    let (rate, latency) = (median(&figures.rate), median(&figures.confirm_mean));
    let in_flight = rate * latency / 1e3;
    println!("{}: {rate} /s x {latency} ms = {in_flight}", figures.what);
    assert!(
        (in_flight / f64::from(window) - 1.0).abs() < 0.02,
        "{}: latency is window by rate, {in_flight}",
        figures.what
    );
    figures
}

fn remote() -> Steady {
    Steady { clients: ("n2", "n2"), ..Steady::cluster() }
}

#[test]
fn persistence_halves_the_rate_of_a_single_node() {
    let transient = Steady { persistent: false, ..Steady::single() };
    let transient = Steady { load: Load::Window(1000), ..transient }.run();
    let (narrow, wide) = (full_speed(Steady::single(), 100), full_speed(Steady::single(), 1000));
    ratio_is("persistent to transient", &wide, &transient, 24.25 / 48.9);
    ratio_is("window 100 to 1000", &narrow, &wide, 26.6 / 24.25);
}

#[test]
fn a_hop_costs_a_tenth_of_the_rate_and_a_mirror_four_tenths() {
    let local = full_speed(Steady::cluster(), 1000);
    let remote_wide = full_speed(remote(), 1000);
    let mirrored_wide = full_speed(Steady::mirrored(), 1000);
    assert!(median(&local.bytes) < 1.0, "no more than the ticks");
    ratio_is("remote to local", &remote_wide, &local, 0.9);
    ratio_is("mirrored to local", &mirrored_wide, &local, 0.6);
    assert!(median(&local.rate) >= median(&remote_wide.rate));
    assert!(median(&remote_wide.rate) > median(&mirrored_wide.rate));
    remote_wide.bytes_are(2870.0);
    mirrored_wide.bytes_are(4085.0);

    for (set_up, wide) in
        [(Steady::cluster(), local), (remote(), remote_wide), (Steady::mirrored(), mirrored_wide)]
    {
        let narrow = full_speed(set_up, 100);
        ratio_is("a window of 1000 does not raise the rate", &wide, &narrow, 1.0);
        let slower = median(&wide.confirm_p50) / median(&narrow.confirm_p50);
        assert!((7.5..12.5).contains(&slower), "but the latency ten times: {slower}");
    }
    full_speed(Steady::mirrored(), 100).bytes_are(4085.0);
}

#[test]
fn at_five_hundred_a_second_a_confirm_waits_for_the_disks_and_the_hops_alone() {
    let at_500 = |set_up: Steady| Steady { seeds: 30, ..set_up }.run();
    let single = at_500(Steady::single());
    let local = at_500(Steady::cluster());
    let remote = at_500(remote());
    let mirrored = at_500(Steady::mirrored());
    single.confirms_overlap(0.57..=0.60);
    local.confirms_overlap(0.63..=0.70);
    remote.confirms_overlap(0.74..=0.79);
    mirrored.confirms_overlap(1.08..=1.18);
    remote.bytes_are(3050.0);
    mirrored.bytes_are(5400.0);
    for figures in [&single, &local, &remote, &mirrored] {
        let (confirm, delivery) = (median(&figures.confirm_p50), median(&figures.delivery_p50));
        assert!(delivery < 0.5 * confirm, "{}: delivered first: {delivery}", figures.what);
    }
}
