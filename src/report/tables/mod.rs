//! The CSV files: one exporter a file. Columns carry their unit and definition, which
//! `docs/reports.md` repeats word for word (a test sees to it).

#[cfg(test)]
mod docs;
mod events;
mod invariants;
mod latency;
mod loss;
mod summary;
mod timeline;
mod windows;

use serde::{Serialize, Serializer};

use crate::engine::{Span, Time};
use crate::verdict::Report;

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing was measured: an empty cell.
    Empty,
    /// A whole number.
    Count(u64),
    /// A 64-bit number that is a name (seed): a string in JSON, where 2^53 is the limit.
    Id(u64),
    /// A share or an exact percentile and the like, with that many decimals.
    Fixed(f64, usize),
    /// Text.
    Text(String),
}

impl Cell {
    /// A share between 0 and 1: six decimals, empty if nothing was measured.
    #[must_use]
    pub fn share(value: Option<f64>) -> Cell {
        value.map_or(Cell::Empty, |share| Cell::Fixed(share, 6))
    }

    /// A ratio or a rate: three decimals, empty if nothing was measured.
    #[must_use]
    pub fn ratio(value: Option<f64>) -> Cell {
        value.map_or(Cell::Empty, |ratio| Cell::Fixed(ratio, 3))
    }

    /// A count, empty if nothing was measured.
    #[must_use]
    pub fn count(value: Option<u64>) -> Cell {
        value.map_or(Cell::Empty, Cell::Count)
    }

    /// Text.
    #[must_use]
    pub fn text(value: &str) -> Cell {
        Cell::Text(value.to_owned())
    }

    /// A name, empty if there is none.
    #[must_use]
    pub fn name(value: Option<&str>) -> Cell {
        value.map_or(Cell::Empty, Cell::text)
    }

    /// An instant in whole milliseconds, rounded down.
    #[must_use]
    pub fn millis(at: Time) -> Cell {
        Cell::Count(at.as_millis())
    }

    /// A length of time in whole milliseconds, rounded down; empty if there is none.
    #[must_use]
    pub fn span_millis(span: Option<Span>) -> Cell {
        Cell::count(span.map(Span::as_millis))
    }

    /// The cell as written to CSV.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Count(n) | Cell::Id(n) => n.to_string(),
            Cell::Fixed(value, decimals) => format!("{value:.decimals$}"),
            Cell::Text(text) => text.clone(),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Empty => serializer.serialize_none(),
            Cell::Count(n) => serializer.serialize_u64(*n),
            Cell::Fixed(value, _) => serializer.serialize_f64(*value),
            Cell::Id(_) | Cell::Text(_) => serializer.serialize_str(&self.to_text()),
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the first line of the file.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// What it says, for `docs/reports.md`.
    pub meaning: &'static str,
}

/// A table that is not made of one run alone, as `docs/reports.md` describes it.
#[derive(Clone, Copy, Debug)]
pub struct Sheet {
    /// Name of the file.
    pub file_name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

/// Shorthand for the tables of columns.
pub(super) const fn column(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
) -> Column {
    Column { name, unit, meaning }
}

/// The columns with which every file begins.
pub const MEASURES: [Column; 2] = [
    column("scenario", "name", "The scenario's `name`."),
    column("seed", "number", "The seed of the run."),
];

/// Takes the rows of a table, one at a time.
pub struct Rows<'a>(&'a mut dyn FnMut(Vec<Cell>));

impl<'a> Rows<'a> {
    /// Hands every row to `take`.
    pub fn new(take: &'a mut dyn FnMut(Vec<Cell>)) -> Rows<'a> {
        Rows(take)
    }

    /// One row: a cell for each column of the table, `scenario` and `seed` left out.
    pub fn push(&mut self, row: Vec<Cell>) {
        (self.0)(row);
    }
}

/// A file of the report folder with rows and columns.
pub trait Exporter: Sync {
    /// Name of the file.
    fn file_name(&self) -> &'static str;
    /// What a row is, for `docs/reports.md`.
    fn about(&self) -> &'static str;
    /// Its columns after [`MEASURES`].
    fn columns(&self) -> &'static [Column];
    /// Whether every seed has rows here, or only those of [`super::detailed`].
    fn every_seed(&self) -> bool {
        false
    }
    /// The rows of one run.
    fn rows(&self, report: &Report, rows: &mut Rows<'_>);
}

/// Every table, in the order in which files are written and documented.
pub const TABLES: [&dyn Exporter; 7] = [
    &summary::Summary,
    &latency::Latency,
    &loss::Losses,
    &windows::Windows,
    &invariants::Invariants,
    &events::Events,
    &timeline::Timeline,
];

/// The table as a CSV file (RFC 4180 quoting, `\n` line ends, UTF-8).
#[must_use]
pub fn to_csv(table: &dyn Exporter, reports: &[&Report]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = MEASURES.iter().chain(table.columns());
    let header: Vec<&str> = columns.map(|column| column.name).collect();
    writer.write_record(&header).expect("memory takes every record");
    for report in reports {
        let (scenario, seed) = (&report.scenario, report.seed.to_string());
        let mut take = |row: Vec<Cell>| {
            assert_eq!(row.len(), table.columns().len(), "a cell for each column");
            let start = [scenario.clone(), seed.clone()];
            let record = start.into_iter().chain(row.iter().map(Cell::to_text));
            writer.write_record(record).expect("records are as long as the header");
        };
        table.rows(report, &mut Rows::new(&mut take));
    }
    writer.into_inner().expect("memory can be flushed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn csv_of(name: &str) -> String {
        let table = TABLES.iter().find(|table| table.file_name() == name).unwrap();
        let mut second = fixture::quiet_run();
        second.seed = u64::MAX;
        let reports = [fixture::crash_run(), second];
        let bytes = to_csv(*table, &reports.iter().collect::<Vec<_>>());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn summary() {
        insta::assert_snapshot!(csv_of("summary.csv"));
    }

    #[test]
    fn latency() {
        insta::assert_snapshot!(csv_of("latency.csv"));
    }

    #[test]
    fn loss() {
        insta::assert_snapshot!(csv_of("loss.csv"));
    }

    #[test]
    fn windows() {
        insta::assert_snapshot!(csv_of("windows.csv"));
    }

    #[test]
    fn invariants() {
        insta::assert_snapshot!(csv_of("invariants.csv"));
    }

    #[test]
    fn events() {
        insta::assert_snapshot!(csv_of("events.csv"));
    }

    #[test]
    fn timeline() {
        let text = csv_of("timeline.csv");
        let around_the_crash: Vec<&str> = text.lines().take(90).collect();
        insta::assert_snapshot!(around_the_crash.join("\n"));
    }

    #[test]
    fn what_could_be_taken_for_two_cells_is_quoted() {
        let mut report = fixture::quiet_run();
        report.broker_version = "3.10, \"patched\"".to_owned();
        let text = String::from_utf8(to_csv(TABLES[0], &[&report])).unwrap();
        assert!(text.contains("\"3.10, \"\"patched\"\"\""), "{text}");
    }
}
