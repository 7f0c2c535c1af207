//! What the statements of this module promise, tried out: 2,000 histories of known truth each, looked
//! at after every seed and stopped at the first verdict.

use super::{Bets, Side, quantile, share};
use crate::engine::{Stream, ln};

const REPEATS: u64 = 2_000;
const ERROR: f64 = 0.05;

/// A number between 0 and 1.
fn unit(stream: &mut Stream) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// In how many of the repeats a history of at most `seeds` values ends with a wrong statement.
fn wrong(
    name: &str,
    seeds: u64,
    draw: impl Fn(&mut Stream) -> f64,
    begin: impl Fn() -> Box<dyn FnMut(f64) -> bool>,
) -> f64 {
    let is_wrong = |repeat: &u64| {
        let mut stream = Stream::new(*repeat, name);
        let mut says = begin();
        (0..seeds).any(|_| says(draw(&mut stream)))
    };
    (0..REPEATS).filter(is_wrong).count() as f64 / REPEATS as f64
}

fn shown(side: Side, limit: f64) -> Box<dyn FnMut(f64) -> bool> {
    let mut bets = Bets::new(side, limit);
    Box::new(move |x| {
        bets.add(x);
        bets.prove(ERROR)
    })
}

#[test]
fn independent_losses() {
    for p in [0.01, 0.05, 0.2, 0.5] {
        let draw = |stream: &mut Stream| f64::from(u8::from(unit(stream) < p));
        for side in [Side::Below, Side::Above] {
            // The truth is the limit itself: the hardest case of not being beyond it.
            let share = wrong("independent", 1_000, draw, || shown(side, p));
            assert!(share <= ERROR, "{p} {side:?}: {share}");
        }
    }
}

/// Losses of a seed come in bursts of any size: rarely, and then one in a thousand or all.
#[test]
fn clustered_losses_with_a_heavy_tail() {
    // The size is u³, a burst happens in 5 % of the seeds: the mean is 0.05 ÷ 4.
    let draw = |stream: &mut Stream| {
        let u = unit(stream);
        if unit(stream) < 0.05 { u * u * u } else { 0.0 }
    };
    for side in [Side::Below, Side::Above] {
        let share = wrong("clustered", 1_000, draw, || shown(side, 0.05 / 4.0));
        assert!(share <= ERROR, "{side:?}: {share}");
    }
}

/// The same bursts, taken for independent losses of messages: wrong far more often than it says.
/// That is why the seed is the sampling unit.
#[test]
fn messages_are_no_sampling_unit() {
    const MESSAGES: u64 = 100;
    let draw = |stream: &mut Stream| f64::from(u8::from(unit(stream) < 0.05));
    let naive = || -> Box<dyn FnMut(f64) -> bool> {
        let mut bets = Bets::new(Side::Below, 0.05);
        Box::new(move |x| {
            bets.add_many(x, MESSAGES);
            bets.prove(ERROR)
        })
    };
    let share = wrong("naive", 100, draw, naive);
    assert!(share > 0.5, "{share}");
}

#[test]
fn quantiles() {
    // Exponential latencies; the median is ln 2, the 95th percentile ln 20.
    let draw = |stream: &mut Stream| -ln(unit(stream).max(1e-300));
    for (p, truth) in [(0.5, ln(2.0)), (0.95, ln(20.0))] {
        for by in [Side::Below, Side::Above] {
            let begin = || -> Box<dyn FnMut(f64) -> bool> {
                let mut values = Vec::new();
                Box::new(move |x| {
                    values.push(x);
                    // Looked at now and then only: sorting costs more than the statement.
                    if values.len() % 20 != 0 {
                        return false;
                    }
                    values.sort_by(f64::total_cmp);
                    let seeds = values.len() as u64;
                    let most = quantile::at_most(&values, seeds, p, ERROR, by);
                    most.is_some_and(|most| most < truth)
                })
            };
            let share = wrong("quantiles", 400, draw, begin);
            assert!(share <= ERROR, "{p} {by:?}: {share}");
        }
    }
}

/// What is promised is of use: the truth well inside is found.
#[test]
fn verdicts_come() {
    for (p, limit) in [(0.0, 0.01), (0.01, 0.05), (0.1, 0.2)] {
        let draw = |stream: &mut Stream| f64::from(u8::from(unit(stream) < p));
        let right = wrong("power", 1_000, draw, || shown(Side::Below, limit));
        assert!(right > 0.95, "{p} below {limit}: {right}");
    }
    let draw = |stream: &mut Stream| f64::from(u8::from(unit(stream) < 0.05));
    let right = wrong("power", 1_000, draw, || shown(Side::Above, 0.01));
    assert!(right > 0.95, "{right}");
    assert!(share::is_above(0.01, 50, 1_000, ERROR));
}
