//! One-way delays of 0, 5, 20 and 50 ms between brokers; clients are not delayed.

use super::steady::{Figures, Load, Steady, median};

fn delayed(set_up: Steady, delay_ms: u32, load: Load) -> Figures {
    Steady { delay_ms: Some(delay_ms), load, seconds: 5, ..set_up }.run()
}

fn classic() -> Steady {
    Steady { clients: ("n2", "n2"), ..Steady::cluster() }
}

#[test]
fn a_confirm_takes_two_hops_and_what_the_brokers_need() {
    for set_up in [classic(), Steady::mirrored()] {
        let bytes = median(&delayed(set_up, 0, Load::Rate(100)).bytes);
        for delay in [0, 5, 20, 50] {
            let figures = delayed(set_up, delay, Load::Rate(100));
            let hops = 2.0 * f64::from(delay);
            for &latency in &figures.confirm_p50 {
                let rest = latency - hops;
                println!("{} ms delay, {}: {latency} ms", delay, set_up.mode);
                assert!((0.5..=2.5).contains(&rest), "{}: 2 x {delay} + {rest}", figures.what);
            }
            let here = median(&figures.bytes);
            assert!((here / bytes - 1.0).abs() < 0.02, "bytes do not depend on the delay: {here}");
        }
    }
}

#[test]
fn a_delivery_waits_for_the_hops_between_clients_and_queue_but_not_for_mirrors() {
    let remote = delayed(classic(), 50, Load::Rate(100));
    let mirrored = delayed(Steady::mirrored(), 50, Load::Rate(100));
    assert!(remote.delivery_p50.iter().all(|ms| (100.0..101.0).contains(ms)), "{remote:?}");
    assert!(mirrored.delivery_p50.iter().all(|ms| *ms < 0.5), "{mirrored:?}");
}

#[test]
fn the_rate_of_a_fixed_window_is_the_window_by_the_latency() {
    let measured: [(Steady, [(u32, f64); 3]); 2] = [
        (classic(), [(5, 7340.0), (20, 2320.0), (50, 950.0)]),
        (Steady::mirrored(), [(5, 6450.0), (20, 2260.0), (50, 970.0)]),
    ];
    for (set_up, rates) in measured {
        let mut simulated = Vec::new();
        for (delay, measured) in rates {
            let figures = delayed(set_up, delay, Load::Window(100));
            let (rate, latency) = (median(&figures.rate), median(&figures.confirm_p50));
            println!("{}: {rate}/s, measured {measured}/s, {latency} ms", figures.what);
            let in_flight = rate * latency / 1e3;
            assert!((in_flight / 100.0 - 1.0).abs() < 0.1, "{}: {in_flight}", figures.what);
            simulated.push(rate / measured);
        }
        // Rates of one machine mean nothing on another; how they fall with the delay does.
        for pair in simulated.windows(2) {
            let off = pair[0] / pair[1] - 1.0;
            assert!(off.abs() < 0.25, "{}: the ratio of rates is off by {off}", set_up.mode);
        }
    }
}
