//! Waiting times of single queues, as the engine simulates them, against queueing theory.
//!
//! A kernel, a stream for arrivals and one for service, and nothing else of mqsim. Each system is
//! run with several seeds; the mean waiting time of each run (customers of the start left out) is
//! one sample, and theory's value has to lie within 3.5 standard errors of their mean. The standard
//! error has to be small, too, so that a wrong value cannot hide. Seeds are fixed: the outcome is
//! as well.

use std::collections::VecDeque;

use mqsim::engine::{Distribution, Kernel, Limits, Stream, Time};

const ARRIVAL: u32 = 0;
const DEPARTURE: u32 = 1;

/// One waiting room, first come first served.
struct System {
    between_arrivals: Distribution,
    service: Distribution,
    servers: u32,
}

/// What a run of a system measured.
struct Measured {
    /// Mean time in nanoseconds from arrival to the start of service.
    wait: f64,
    /// Share of the customers that did not wait.
    at_once: f64,
    /// Mean number of customers in the waiting room, over time.
    waiting: f64,
    /// Customers that arrived a nanosecond.
    rate: f64,
}

fn run(system: &System, seed: u64, customers: u64) -> Measured {
    let mut kernel = Kernel::new(Limits::default());
    let mut arrivals = Stream::new(seed, "arrivals");
    let mut services = Stream::new(seed, "services");
    let skipped = customers / 20;
    let (mut arrived, mut served, mut busy) = (0, 0, 0);
    let (mut waited, mut at_once) = (0_u64, 0_u64);
    let (mut area, mut counted_from, mut last) = (0_u128, Time::ZERO, Time::ZERO);
    let mut room: VecDeque<Time> = VecDeque::new();
    kernel.schedule(Time::ZERO + system.between_arrivals.span(&mut arrivals), ARRIVAL);
    while let Some(event) = kernel.next().expect("no limit is passed") {
        let now = kernel.now();
        if served > skipped {
            area += room.len() as u128 * u128::from((now - last).as_nanos());
        } else {
            counted_from = now;
        }
        last = now;
        if event == ARRIVAL {
            arrived += 1;
            room.push_back(now);
            if arrived < customers {
                let next = now + system.between_arrivals.span(arrivals.at(now));
                kernel.schedule(next, ARRIVAL);
            }
        } else {
            busy -= 1;
        }
        if busy < system.servers
            && let Some(since) = room.pop_front()
        {
            busy += 1;
            served += 1;
            if served > skipped {
                waited += (now - since).as_nanos();
                at_once += u64::from(now == since);
            }
            kernel.schedule(now + system.service.span(services.at(now)), DEPARTURE);
        }
    }
    assert_eq!((arrived, served, busy, room.len()), (customers, customers, 0, 0));
    let counted = (customers - skipped) as f64;
    let time = (last - counted_from).as_nanos() as f64;
    Measured {
        wait: waited as f64 / counted,
        at_once: at_once as f64 / counted,
        waiting: area as f64 / time,
        rate: counted / time,
    }
}

/// Mean and standard error of some numbers.
fn mean_and_error(samples: &[f64]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

fn assert_agrees(what: &str, samples: &[f64], theory: f64) {
    let (mean, error) = mean_and_error(samples);
    assert!(error < 0.02 * theory, "{what}: a standard error of {error} tells nothing of {theory}");
    assert!(
        (mean - theory).abs() < 3.5 * error,
        "{what}: {mean} (standard error {error}), theory says {theory}"
    );
}

/// Runs a system with 20 seeds and compares the waiting time and the share that does not wait.
fn check(system: &System, wait: f64, at_once: f64) {
    let runs: Vec<Measured> = (1..=20).map(|seed| run(system, seed, 60_000)).collect();
    assert_agrees("wait", &runs.iter().map(|run| run.wait).collect::<Vec<_>>(), wait);
    assert_agrees("at once", &runs.iter().map(|run| run.at_once).collect::<Vec<_>>(), at_once);
    // Little's law holds in every single run, but for the customers at both ends of it.
    for run in &runs {
        let expected = run.rate * run.wait;
        assert!((run.waiting / expected - 1.0).abs() < 0.01, "{} {expected}", run.waiting);
    }
}

const MS: f64 = 1e6;

fn exponential(mean: u64) -> Distribution {
    Distribution::Exponential { mean }
}

/// Arrivals and service without memory: the mean wait is ρ ÷ (μ − λ).
#[test]
fn one_server_with_exponential_service() {
    for (arrival, rho) in [(2_000_000, 0.5), (1_250_000, 0.8)] {
        let system = System {
            between_arrivals: exponential(arrival),
            service: exponential(1_000_000),
            servers: 1,
        };
        check(&system, rho / (1.0 - rho) * MS, 1.0 - rho);
    }
}

/// Constant service: half the wait of exponential service (Pollaczek and Khinchine).
#[test]
fn one_server_with_constant_service() {
    let rho = 0.75;
    let system = System {
        between_arrivals: exponential(1_000_000),
        service: Distribution::Constant(750_000),
        servers: 1,
    };
    check(&system, rho * 0.75 / (2.0 * (1.0 - rho)) * MS, 1.0 - rho);
}

/// Lognormal service: the wait is λ E[S²] ÷ (2 (1 − ρ)) (Pollaczek and Khinchine).
#[test]
fn one_server_with_lognormal_service() {
    // σ = ln 3 ÷ 2.3263 = 0.47225; E[S] = e^(σ²÷2) and E[S²] = e^(2σ²) medians.
    let sigma_squared = 0.472_247_f64 * 0.472_247;
    let mean = exp_series(sigma_squared / 2.0);
    let second = exp_series(2.0 * sigma_squared);
    let rho = 0.5 * mean;
    let system = System {
        between_arrivals: exponential(2_000_000),
        service: Distribution::lognormal(1_000_000, 3_000_000),
        servers: 1,
    };
    check(&system, second / 2.0 / (2.0 * (1.0 - rho)) * MS, 1.0 - rho);
}

/// e^x for the small x of this test.
fn exp_series(x: f64) -> f64 {
    (1..30).rev().fold(1.0, |sum, n| 1.0 + sum * x / f64::from(n))
}

/// Several servers: Erlang's C formula gives the share that waits, C ÷ (cμ − λ) the mean wait.
#[test]
fn several_servers() {
    for (servers, arrival) in [(3, 400_000), (8, 150_000)] {
        let offered = 1e6 / arrival as f64;
        let system = System {
            between_arrivals: exponential(arrival),
            service: exponential(1_000_000),
            servers,
        };
        // Erlang B by its recursion, and C from B.
        let blocked = (1..=servers).fold(1.0, |b, c| offered * b / (f64::from(c) + offered * b));
        let rho = offered / f64::from(servers);
        let waits = blocked / (1.0 - rho * (1.0 - blocked));
        check(&system, waits / (f64::from(servers) - offered) * MS, 1.0 - waits);
    }
}
