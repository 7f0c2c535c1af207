//! The mirrored model with its ledger, end to end: `scenarios/mirror.toml` in events and messages a
//! second of CPU-bound wall time, median of the repeats.
//!
//!     cargo bench --bench mirror [-- REPEATS]

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the wall clock")]

use std::path::Path;
use std::time::Instant;

use mqsim::run::{load, simulate};

fn main() {
    let repeats = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(9);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/mirror.toml");
    let prepared = load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
    let mut rates: Vec<(f64, f64)> = (0..=repeats)
        .map(|repeat| {
            let start = Instant::now();
            let report = simulate(&prepared, 1 + repeat, None).expect("the run ends");
            let seconds = start.elapsed().as_secs_f64();
            let (events, lines) = (report.summary.events, report.summary.lines);
            (events as f64 / seconds, lines as f64 / seconds)
        })
        .skip(1)
        .collect();
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (low, median, high) = (rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
    println!(
        "mirror.toml: {:.2} M events/s ({:.2} to {:.2}), {:.0} k messages/s, of {repeats} runs",
        median.0 / 1e6,
        low.0 / 1e6,
        high.0 / 1e6,
        median.1 / 1e3
    );
}
