//! One JSON document for `--json`.
//!
//! Rows are those of the CSV files, with the columns' names as keys. 64-bit numbers that are names
//! (seeds, fingerprints) are strings, since many readers keep only 53 bits of a number.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::compare::{Changed, Comparison};
use super::glance;
use super::lock::DRIFTED;
use super::sweep::{Shard, Sweep};
use super::tables::{Cell, Column, Exporter, Rows, TABLES};
use super::tally::{Cut, Standing, Tally};
use super::{verdict, verdict_word};
use crate::observe::InvariantWord;
use crate::verdict::{Device, InvariantTally, Judged, Report, Unit};

/// What `mqsim run --json` prints.
#[derive(Serialize)]
pub struct Document<'a> {
    format: u32,
    mqsim_version: &'static str,
    exit_code: u8,
    scenarios: Vec<Scenario<'a>>,
}

/// One scenario with its runs.
#[derive(Serialize)]
pub struct Scenario<'a> {
    scenario: &'a str,
    description: &'a str,
    /// The report folder as given on the command line; absent if none was written.
    folder: Option<String>,
    runs: Vec<Run<'a>>,
    /// Seeds that could not be simulated to their end.
    failures: Vec<Failure>,
}

/// A seed that could not be simulated to its end.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The seed.
    #[serde(serialize_with = "as_text")]
    pub seed: u64,
    /// Why.
    pub message: String,
}

#[derive(Serialize)]
struct Run<'a> {
    seed: String,
    /// `unjudged` if nothing is expected.
    verdict: &'static str,
    glance: Glance,
    quiet: bool,
    fingerprint: String,
    ingredients: Ingredients<'a>,
    expectations: Vec<Expectation<'a>>,
    remarks: &'a [String],
    summary: Table<'a>,
    /// Share of each broker's processors that was busy, 0 to 1.
    busy: Busy<'a>,
    /// Share of the time for which each broker's disk and network card worked, 0 to 1.
    devices: Devices<'a>,
    latency: Table<'a>,
    loss: Table<'a>,
    windows: Table<'a>,
    invariants: Vec<Invariant<'a>>,
    violations: Table<'a>,
}

/// The first glance at a run, in words for people.
#[derive(Serialize)]
struct Glance {
    badge: String,
    /// `yes`, `no`, `not-known` or `nothing-acknowledged`.
    safe: &'static str,
    safety: String,
    /// Who waits for what, if the cluster never comes to rest.
    stuck: Option<String>,
    lost: Vec<String>,
    away: BTreeMap<&'static str, String>,
}

/// What was seen of an invariant that was checked.
#[derive(Serialize)]
struct Invariant<'a> {
    invariant: &'static str,
    claimed: bool,
    lacks: &'a [&'static str],
    violations: u64,
}

#[derive(Serialize)]
struct Expectation<'a> {
    expect: &'a str,
    measured: &'a str,
    verdict: &'static str,
    note: Option<&'a str>,
}

struct Busy<'a>(&'a Report);

struct Devices<'a>(&'a Report);

struct Ingredients<'a>(&'a [(&'static str, u64)]);

/// The rows of a table as objects; a table with one row a seed is that one object.
struct Table<'a> {
    exporter: &'static dyn Exporter,
    report: &'a Report,
}

/// One row as an object.
struct Row<'a> {
    columns: &'static [Column],
    cells: &'a [Cell],
}

fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

impl Serialize for Busy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Busy(report) = self;
        serializer.collect_map(report.busy.iter().map(|busy| {
            (report.catalog.node(busy.node), six_decimals(busy.share(report.duration)))
        }))
    }
}

/// As shares have everywhere.
fn six_decimals(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

impl Serialize for Devices<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Devices(report) = self;
        serializer.collect_map(report.busy.iter().map(|busy| {
            let shares = busy.shares(report.duration).into_iter();
            let devices = shares.filter(|(device, _)| *device != Device::Processors);
            let devices = devices.map(|(device, share)| (device.name(), six_decimals(share)));
            (report.catalog.node(busy.node), devices.collect::<BTreeMap<_, _>>())
        }))
    }
}

impl Serialize for Ingredients<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, hash)| (name, format!("{hash:016x}"))))
    }
}

impl Serialize for Table<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut take = |row| rows.push(row);
        self.exporter.rows(self.report, &mut Rows::new(&mut take));
        let columns = self.exporter.columns();
        let objects = rows.iter().map(|cells| Row { columns, cells });
        if self.exporter.every_seed() {
            let [row] = rows.as_slice() else { unreachable!("summary.csv has one row a seed") };
            return Row { columns, cells: row }.serialize(serializer);
        }
        serializer.collect_seq(objects)
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            map.serialize_entry(column.name, cell)?;
        }
        map.end()
    }
}

fn table<'a>(file_name: &str, report: &'a Report) -> Table<'a> {
    let exporter = TABLES.into_iter().find(|table| table.file_name() == file_name);
    Table { exporter: exporter.expect("a table of that name"), report }
}

fn expectation(judged: &Judged) -> Expectation<'_> {
    Expectation {
        expect: &judged.text,
        measured: &judged.measured,
        verdict: verdict_word(judged.verdict),
        note: judged.note.as_deref(),
    }
}

fn invariant<'a>((word, tally): (&'a InvariantWord, &InvariantTally)) -> Invariant<'a> {
    Invariant {
        invariant: word.name,
        claimed: word.claimed(),
        lacks: &word.lacks,
        violations: tally.violations,
    }
}

fn glance(report: &Report) -> Glance {
    let (safe, safety) = glance::safe(report);
    Glance {
        badge: glance::badge(report).text,
        safe: safe.word(),
        safety,
        stuck: glance::stuck(report),
        lost: glance::lost(report),
        away: glance::away(report).into_iter().collect(),
    }
}

fn invariants(report: &Report) -> Vec<Invariant<'_>> {
    let checked = report.catalog.invariants.iter().zip(&report.invariants);
    checked.map(invariant).collect()
}

fn run(report: &Report) -> Run<'_> {
    Run {
        seed: report.seed.to_string(),
        verdict: verdict_word(verdict(report)),
        glance: glance(report),
        quiet: report.quiet,
        fingerprint: format!("{:016x}", report.fingerprint),
        ingredients: Ingredients(&report.ingredients),
        expectations: report.expectations.iter().map(expectation).collect(),
        remarks: &report.remarks,
        summary: table("summary.csv", report),
        busy: Busy(report),
        devices: Devices(report),
        latency: table("latency.csv", report),
        loss: table("loss.csv", report),
        windows: table("windows.csv", report),
        invariants: invariants(report),
        violations: table("invariants.csv", report),
    }
}

impl<'a> Scenario<'a> {
    /// A scenario with the reports of its seeds and those that failed.
    #[must_use]
    pub fn new(
        name: &'a str,
        folder: Option<String>,
        reports: &'a [Report],
        failures: Vec<Failure>,
    ) -> Scenario<'a> {
        let description = reports.first().map_or("", |report| report.description.as_str());
        let runs = reports.iter().map(run).collect();
        Scenario { scenario: name, description, folder, runs, failures }
    }
}

impl<'a> Document<'a> {
    /// The document for one call.
    #[must_use]
    pub fn new(exit_code: u8, scenarios: Vec<Scenario<'a>>) -> Document<'a> {
        let mqsim_version = env!("CARGO_PKG_VERSION");
        Document { format: 1, mqsim_version, exit_code, scenarios }
    }

    /// As text, indented, with a line end.
    #[must_use]
    pub fn render(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("plain data without maps of other keys than text") + "\n"
    }
}

/// What `mqsim check --json` prints.
#[derive(Serialize)]
struct Checks<'a> {
    format: u32,
    mqsim_version: &'static str,
    exit_code: u8,
    scenarios: Vec<Checked<'a>>,
}

/// One scenario of `mqsim check`.
#[derive(Serialize)]
pub struct Checked<'a> {
    scenario: &'a str,
    file: &'a str,
    /// `drifted` if it holds, or is undecided, and does something else than what is locked.
    verdict: &'static str,
    /// `first-failure` or `time-budget`, if therefore not all seeds were simulated.
    cut: Option<&'static str>,
    /// `same`, `other-events` or `drifted`; absent if the lock was not asked.
    locked: Option<&'static str>,
    /// How many seeds count, and of how many: fewer if the expectations over seeds were decided
    /// before the last.
    seeds: usize,
    seeds_offered: usize,
    expectations: Vec<CheckedExpectation<'a>>,
    over_seeds: Vec<CheckedOver>,
    /// The seeds in which some expectation is broken.
    broken_seeds: Vec<String>,
    undecided_seeds: Vec<String>,
    /// The seeds in which mqsim itself failed.
    failed_seeds: Vec<String>,
    /// The first of the worst seeds; absent if all hold.
    first: Option<FirstSeed<'a>>,
}

#[derive(Serialize)]
struct CheckedExpectation<'a> {
    expect: &'a str,
    unit: &'static str,
    holds: u64,
    undecided: u64,
    broken: u64,
    least: Option<f64>,
    greatest: Option<f64>,
}

/// An expectation over seeds.
#[derive(Serialize)]
struct CheckedOver {
    expect: String,
    verdict: &'static str,
    measured: String,
    note: String,
    /// The first seed that is on the wrong side by itself, if one is.
    example: Option<String>,
}

#[derive(Serialize)]
struct FirstSeed<'a> {
    seed: String,
    replay: String,
    folder: Option<String>,
    expectations: Vec<Expectation<'a>>,
    trouble: Option<&'a str>,
    /// What was lost and why, in words.
    lost: &'a [String],
}

impl<'a> Checked<'a> {
    /// A scenario that was read from `file`. `replay` makes the command for a seed; `folder` is
    /// the report of the first seed that does not hold, if it was written; `locked` what the lock
    /// says, if it was asked.
    #[must_use]
    pub fn new(
        name: &'a str,
        file: &'a str,
        tally: &'a Tally,
        replay: &dyn Fn(u64) -> String,
        folder: Option<&str>,
        locked: Option<&'static str>,
    ) -> Checked<'a> {
        let drifted = locked == Some(DRIFTED);
        let standing =
            tally.standing().max(if drifted { Standing::Drifted } else { Standing::Holds });
        let expectations = tally.counts().map(|(expected, count)| CheckedExpectation {
            expect: &expected.text,
            // Shares are printed in percent, and are plain numbers here.
            unit: if expected.unit == Unit::Share { "" } else { expected.unit.name() },
            holds: count.holds,
            undecided: count.undecided,
            broken: count.broken,
            least: count.range.map(|range| range.0),
            greatest: count.range.map(|range| range.1),
        });
        let over = tally.over().map(|(expect, told, example)| CheckedOver {
            expect,
            verdict: verdict_word(told.verdict),
            measured: told.measured.clone(),
            note: told.note.clone(),
            example: example.map(|example| example.seed.to_string()),
        });
        let seeds = |standing| tally.seeds(standing).map(|seed| seed.to_string()).collect();
        Checked {
            scenario: name,
            file,
            verdict: standing.word(),
            cut: tally.cut().map(Cut::word),
            locked,
            seeds: tally.len(),
            seeds_offered: tally.offered(),
            expectations: expectations.collect(),
            over_seeds: over.collect(),
            broken_seeds: seeds(Standing::Broken),
            undecided_seeds: seeds(Standing::Undecided),
            failed_seeds: seeds(Standing::Failed),
            first: tally.first().map(|first| FirstSeed {
                seed: first.seed.to_string(),
                replay: replay(first.seed),
                folder: folder.map(str::to_owned),
                expectations: first.judged.iter().map(|(judged, _)| expectation(judged)).collect(),
                trouble: first.trouble.as_deref(),
                lost: &first.lost,
            }),
        }
    }
}

/// The document of one call of `mqsim check`, as text.
#[must_use]
pub fn checks(exit_code: u8, scenarios: Vec<Checked<'_>>) -> String {
    let mqsim_version = env!("CARGO_PKG_VERSION");
    let document = Checks { format: 1, mqsim_version, exit_code, scenarios };
    let text = serde_json::to_string_pretty(&document);
    text.expect("plain data without maps of other keys than text") + "\n"
}

/// What `mqsim sweep --json` prints.
#[derive(Serialize)]
struct Swept<'a> {
    format: u32,
    mqsim_version: &'static str,
    exit_code: u8,
    scenario: &'a str,
    folder: &'a str,
    shard: Shard,
    runs: usize,
    /// Empty for a shard: only all of them make a cell.
    cells: Vec<SweptCell<'a>>,
}

#[derive(Serialize)]
struct SweptCell<'a> {
    set: BTreeMap<&'a str, &'a str>,
    front: bool,
    /// By metric.
    means: BTreeMap<&'static str, f64>,
}

/// The document of one call of `mqsim sweep`, as text.
#[must_use]
pub fn sweep(exit_code: u8, sweep: &Sweep, shard: Shard, folder: &str) -> String {
    let aggregates = if shard == Shard::WHOLE { sweep.aggregates() } else { Vec::new() };
    let front = super::sweep::front(sweep, &aggregates);
    let cells = aggregates.iter().enumerate().map(|(at, cell)| {
        let keys = sweep.grid.axes.iter().map(|axis| axis.key.as_str());
        let means = cell
            .metrics
            .iter()
            .filter_map(|(metric, measured)| Some((metric.name, measured.as_ref()?.values.mean)));
        SweptCell {
            set: keys.zip(sweep.grid.values(cell.cell)).collect(),
            front: front.is_marked(at),
            means: means.collect(),
        }
    });
    let document = Swept {
        format: 1,
        mqsim_version: env!("CARGO_PKG_VERSION"),
        exit_code,
        scenario: &sweep.scenario,
        folder,
        shard,
        runs: sweep.runs.len(),
        cells: cells.collect(),
    };
    let text = serde_json::to_string_pretty(&document);
    text.expect("plain data without maps of other keys than text") + "\n"
}

/// What `mqsim compare --json` prints.
#[derive(Serialize)]
struct Compared<'a> {
    format: u32,
    mqsim_version: &'static str,
    exit_code: u8,
    a: &'a str,
    b: &'a str,
    folder: &'a str,
    seeds: Vec<String>,
    identical: bool,
    metrics: BTreeMap<&'static str, ComparedMetric>,
    /// Lines by what they have to do with each other.
    lines: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct ComparedMetric {
    standing: &'static str,
    seeds: usize,
    a: Option<f64>,
    b: Option<f64>,
    change: Option<f64>,
    /// The median of the differences, seed by seed.
    median: Option<f64>,
    /// Of the median of the change: low, high; absent for fewer than 6 seeds.
    interval: Option<(f64, f64)>,
}

/// The document of one call of `mqsim compare`, as text.
#[must_use]
pub fn compare(exit_code: u8, comparison: &Comparison, folder: &str) -> String {
    let [a, b] = &comparison.sides;
    let metric = |one: &Changed| {
        let change = one.change.as_ref();
        let metric = ComparedMetric {
            standing: one.standing.word(),
            seeds: change.map_or(0, |change| change.difference.count),
            a: change.map(|change| change.first),
            b: change.map(|change| change.second),
            change: change.map(|change| change.difference.mean),
            median: change.map(|change| change.difference.median),
            interval: change.and_then(|c| c.difference.interval).map(|i| (i.low, i.high)),
        };
        (one.metric.name, metric)
    };
    let mut lines = BTreeMap::new();
    for one in &comparison.lines.differences {
        *lines.entry(one.kind.words()).or_insert(0) += one.lines;
    }
    let document = Compared {
        format: 1,
        mqsim_version: env!("CARGO_PKG_VERSION"),
        exit_code,
        a: &a.label,
        b: &b.label,
        folder,
        seeds: comparison.seeds.iter().map(u64::to_string).collect(),
        identical: comparison.identical,
        metrics: comparison.metrics.iter().map(metric).collect(),
        lines,
    };
    let text = serde_json::to_string_pretty(&document);
    text.expect("plain data without maps of other keys than text") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn document() {
        let mut reports = [fixture::crash_run()];
        reports[0].seed = u64::MAX;
        let failures = vec![Failure { seed: u64::MAX - 1, message: "ran away".to_owned() }];
        let folder = Some("reports/mirror".to_owned());
        let scenario = Scenario::new("mirror", folder, &reports, failures);
        let text = Document::new(1, vec![scenario]).render();
        insta::assert_snapshot!(text);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["scenarios"][0]["runs"][0]["seed"], "18446744073709551615");
    }
}
