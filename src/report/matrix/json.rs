//! The JSON document of a matrix.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Found, Matrix};

/// What `mqsim matrix --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    mqsim_version: &'static str,
    exit_code: u8,
    scenario: &'a str,
    folder: &'a str,
    seeds: [String; 2],
    variants: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    mode: &'a str,
    broker_version: &'a str,
    /// Its scenario in the folder.
    file: String,
    /// What became of what is expected of it.
    standing: &'static str,
    front: bool,
    /// By metric.
    metrics: BTreeMap<&'static str, Number>,
}

#[derive(Serialize)]
struct Number {
    p50: f64,
    worst: f64,
    worst_seed: String,
    seeds: usize,
}

/// The document of one call of `mqsim matrix`, as text.
#[must_use]
pub fn json(exit_code: u8, matrix: &Matrix, folder: &str) -> String {
    let variants = matrix.numbers().map(|(variant, front, found)| Row {
        name: &variant.name,
        mode: &variant.mode,
        broker_version: &variant.version,
        file: variant.file(),
        standing: variant.tally.standing().word(),
        front,
        metrics: found
            .into_iter()
            .map(|(metric, Found { median: p50, worst, seed, seeds })| {
                (metric.name, Number { p50, worst, worst_seed: seed.to_string(), seeds })
            })
            .collect(),
    });
    let (first, last) = matrix.sweep.seeds;
    let document = Document {
        format: 1,
        mqsim_version: env!("CARGO_PKG_VERSION"),
        exit_code,
        scenario: &matrix.sweep.scenario,
        folder,
        seeds: [first.to_string(), last.to_string()],
        variants: variants.collect(),
    };
    let text = serde_json::to_string_pretty(&document);
    text.expect("plain data without maps of other keys than text") + "\n"
}
