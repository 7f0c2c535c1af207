//! One side of a comparison: the tables of its seeds, from runs or from CSV files.

use std::sync::Arc;

use super::super::tables::{Cell, Exporter, MEASURES, Rows, TABLES};
use super::lines::Ends;
use super::place;
use crate::scenario::{is_name, no_folder, shown};
use crate::verdict::Report;

/// The rows of a table without scenario and seed; `None` if it is not there.
type Table = Option<Vec<Vec<String>>>;

/// What is known of one seed.
#[derive(Clone, Debug)]
pub struct SeedTables {
    /// The seed.
    pub seed: u64,
    /// Each of [`TABLES`]. The first, `summary.csv`, is always there, with one row.
    tables: Vec<Table>,
    /// How lines ended.
    pub(super) ends: Option<Arc<Ends>>,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is called: the scenario and what was set.
    pub label: String,
    /// The scenario's `name`.
    pub scenario: String,
    /// Its seeds, in the order in which they were run.
    pub seeds: Vec<SeedTables>,
}

/// Why a report cannot be compared; one sentence and a remedy for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}\n  = help: {help}")]
pub struct ReadError {
    what: String,
    help: String,
}

const AGAIN: &str = "write the report again with `mqsim run`";

fn wrong<T>(what: String, help: &str) -> Result<T, ReadError> {
    Err(ReadError { what, help: help.to_owned() })
}

impl SeedTables {
    /// The tables of a run. Of many seeds only the first needs those that only plots and stories are
    /// made of.
    #[must_use]
    pub fn of(report: &Report, detailed: bool) -> SeedTables {
        let rows = |table: &&dyn Exporter| {
            let plain = matches!(table.file_name(), "timeline.csv" | "events.csv");
            if plain && !detailed {
                return None;
            }
            let mut found: Vec<Vec<String>> = Vec::new();
            let mut take = |row: Vec<Cell>| found.push(row.iter().map(Cell::to_text).collect());
            table.rows(report, &mut Rows::new(&mut take));
            Some(found)
        };
        let ends = Some(Arc::new(Ends::of(report)));
        SeedTables { seed: report.seed, tables: TABLES.iter().map(rows).collect(), ends }
    }

    /// The rows of a table.
    #[must_use]
    pub fn table(&self, file: &str) -> Option<&Vec<Vec<String>>> {
        self.tables[place(file)].as_ref()
    }

    /// A value of `summary.csv`.
    #[must_use]
    pub fn summary(&self, column: &str) -> &str {
        let columns = TABLES[0].columns();
        let at = columns.iter().position(|known| known.name == column);
        let row = self.tables[0].as_ref().and_then(|rows| rows.first());
        at.and_then(|at| row?.get(at)).map_or("", String::as_str)
    }

    /// A metric, if it was measured.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.summary(name).parse().ok()
    }

    /// Series, percentile and microseconds of `latency.csv`.
    pub(super) fn latencies(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        let rows = self.table("latency.csv").into_iter().flatten();
        rows.filter_map(|row| Some((row[0].as_str(), row[1].as_str(), row[2].parse().ok()?)))
    }

    /// Whether all that both have is the same.
    pub(super) fn same_as(&self, other: &SeedTables) -> bool {
        let equal = |(a, b): (&Table, &Table)| a.is_none() || b.is_none() || a == b;
        self.tables.iter().zip(&other.tables).all(equal)
    }
}

impl Side {
    /// Reads a side from CSV texts, each with the name of its file; `summary.csv` must be the first.
    ///
    /// # Errors
    /// If a table is damaged, of another version, or holds more than one scenario.
    pub fn read(texts: &[(String, String)]) -> Result<Side, ReadError> {
        let mut side: Option<Side> = None;
        for (file, text) in texts {
            let table = TABLES[place(file)];
            let rows = records(table, file, text)?;
            let side = match &mut side {
                None => side.insert(summary(file, &rows)?),
                Some(side) => {
                    side.seeds.iter_mut().for_each(|seed| seed.expect_rows(file, &rows));
                    side
                }
            };
            let ours = |(scenario, seed, _): &&Record| {
                *scenario == side.scenario && side.seeds.iter().any(|known| known.seed == *seed)
            };
            if let Some((scenario, seed, _)) = rows.iter().find(|row| !ours(row)) {
                return wrong(
                    format!(
                        "{file} has rows of {scenario}, seed {seed}, which summary.csv has not"
                    ),
                    AGAIN,
                );
            }
        }
        let mut side = side.expect("there is a summary.csv");
        for seed in &mut side.seeds {
            seed.forget_details();
            seed.ends = seed.table("loss.csv").map(|rows| Arc::new(Ends::read(rows)));
        }
        Ok(side)
    }
}

impl SeedTables {
    /// Takes its rows of a table, if that has any of it. Of a table without a row for a seed that
    /// has details nothing happened; whether it has details, `latency.csv` and the like tell.
    fn expect_rows(&mut self, file: &str, rows: &[Record]) {
        let mine = rows.iter().filter(|(_, seed, _)| *seed == self.seed);
        let mine: Vec<Vec<String>> = mine.map(|(_, _, row)| row.clone()).collect();
        self.tables[place(file)] = Some(mine);
    }

    /// Forgets tables that a folder has only for detailed seeds, if this is none of them.
    fn forget_details(&mut self) {
        // Every run has buckets of time.
        if self.table("timeline.csv").is_none_or(Vec::is_empty) {
            self.tables[1..].fill(None);
            self.ends = None;
        }
    }
}

/// Scenario, seed, the other cells.
type Record = (String, u64, Vec<String>);

fn records(table: &dyn Exporter, file: &str, text: &str) -> Result<Vec<Record>, ReadError> {
    let columns: Vec<&str> =
        MEASURES.iter().chain(table.columns()).map(|column| column.name).collect();
    if text.is_empty() {
        return wrong(format!("{file} is empty"), AGAIN);
    }
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().ok().cloned().unwrap_or_default();
    // The version first: another one may have written other columns.
    let version = env!("CARGO_PKG_VERSION");
    if let Some(at) = header.iter().position(|name| name == "mqsim_version") {
        let other = reader.records().filter_map(Result::ok);
        let other = other.filter_map(|row| row.get(at).map(str::to_owned));
        if let Some(by) = other.into_iter().find(|by| by != version) {
            let by = shown(&by);
            let what = format!("{file} was made by mqsim {by}, and this is mqsim {version}");
            return wrong(what, "compare reports of one version: run both again with this one");
        }
    }
    if header.iter().ne(columns.iter().copied()) {
        let what = format!("{file} has other columns than mqsim {version} writes");
        return wrong(what, AGAIN);
    }
    if !text.ends_with('\n') {
        return wrong(format!("{file} is truncated: its last line is not whole"), AGAIN);
    }
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut records = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let damaged = || ReadError {
            what: format!("{file} is damaged in line {}", at + 2),
            help: AGAIN.to_owned(),
        };
        let record = record.map_err(|_| damaged())?;
        // Whoever wrote it: what it says is shown to people.
        let cells: Vec<String> =
            record.iter().skip(2).map(|cell| shown(cell).into_owned()).collect();
        let is_number = |(column, cell): (&&str, &String)| {
            let metric = crate::verdict::metric(column);
            metric.is_none() || cell.is_empty() || cell.parse::<f64>().is_ok_and(f64::is_finite)
        };
        let seed = record[1].parse::<u64>().map_err(|_| damaged())?;
        let summary = table.every_seed();
        if summary && !columns[2..].iter().zip(&cells).all(is_number) {
            return Err(damaged());
        }
        // It is going to be the name of a folder.
        if !is_name(&record[0]) || no_folder(&record[0]).is_some() {
            return Err(damaged());
        }
        records.push((record[0].to_owned(), seed, cells));
    }
    Ok(records)
}

fn summary(file: &str, rows: &[Record]) -> Result<Side, ReadError> {
    let Some((scenario, ..)) = rows.first() else {
        return wrong(format!("{file} has no rows"), AGAIN);
    };
    if let Some((other, ..)) = rows.iter().find(|(other, ..)| other != scenario) {
        let what = format!("{file} is of several scenarios, {scenario} and {other}");
        return wrong(what, "compare one scenario at a time");
    }
    let mut seeds: Vec<SeedTables> = Vec::new();
    for (_, seed, cells) in rows {
        if seeds.iter().any(|known| known.seed == *seed) {
            return wrong(format!("{file} has seed {seed} twice"), AGAIN);
        }
        let mut tables = vec![None; TABLES.len()];
        tables[0] = Some(vec![cells.clone()]);
        seeds.push(SeedTables { seed: *seed, tables, ends: None });
    }
    let first = &seeds[0];
    let label =
        format!("{scenario}, {} {}", first.summary("mode"), first.summary("broker_version"));
    Ok(Side { label, scenario: scenario.clone(), seeds })
}
