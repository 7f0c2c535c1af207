//! What a sweep comes to: one tidy table, what each cell comes to over its seeds, which cells no
//! other beats, and a plot.
//!
//! Of every run only its row of `summary.csv` is kept. Everything else is a function of these rows,
//! so shards that each ran a part of them come together to the same bytes.

mod aggregate;
mod part;
mod weigh;

pub(super) use aggregate::decimal;
pub use aggregate::{Aggregate, Measured};
pub use part::{Part, PartError, merge};
pub use weigh::{Front, Objective, Weighed, front, idle_keys, weather};

use serde::{Deserialize, Serialize};

use super::tables::{Cell, Column, MEASURES, Rows, Sheet, TABLES, column};
use super::{File, PlotError, plot};
use crate::engine::hash_name;
use crate::scenario::Grid;
use crate::verdict::Report;

/// The file by which a folder is known to be a sweep's.
pub const MARK: &str = "sweep.csv";
/// What was swept, and which part of it is here.
pub const MANIFEST: &str = "sweep.json";

/// A part of a sweep: the `index`-th of `count`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Shard = Shard { index: 1, count: 1 };

    /// Whether the run with that number, cells by seeds, belongs to it. They are dealt out one by
    /// one, so that every shard has some of every part of the sweep.
    #[must_use]
    pub const fn has(self, number: usize) -> bool {
        number % self.count as usize == (self.index - 1) as usize
    }
}

/// One run of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which cell, from 0.
    pub cell: usize,
    /// The seed.
    pub seed: u64,
    /// Its row of `summary.csv` without scenario and seed, as CSV without a line end.
    pub row: String,
}

/// A sweep, or a shard of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The scenario's `name`.
    pub scenario: String,
    /// What varies.
    pub grid: Grid,
    /// The first and the last seed of every cell.
    pub seeds: (u64, u64),
    /// Names the call: scenario, `--set`, seeds, version. Equal for all shards of one sweep.
    pub key: String,
    /// Which axes are weather: cells are weighed against those with the same values of these only.
    pub weather: Vec<usize>,
    /// Its runs, by cell and seed.
    pub runs: Vec<Run>,
}

/// The row of `summary.csv` of a run, as [`Run::row`] has it.
#[must_use]
pub fn row(report: &Report) -> String {
    let mut found = Vec::new();
    let mut take = |row: Vec<Cell>| found = row.iter().map(Cell::to_text).collect();
    TABLES[0].rows(report, &mut Rows::new(&mut take));
    line(&found)
}

/// The columns of [`Run::row`].
pub(super) fn row_columns() -> impl Iterator<Item = &'static str> {
    TABLES[0].columns().iter().map(|column| column.name)
}

/// A record as CSV, without a line end.
pub(super) fn line<T: AsRef<[u8]>>(cells: &[T]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells).expect("memory takes every record");
    let bytes = writer.into_inner().expect("memory can be flushed");
    let text = String::from_utf8(bytes).expect("cells are text");
    text.trim_end_matches('\n').to_owned()
}

/// The cells of a record.
pub(super) fn cells(line: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(str::to_owned).collect()
}

/// The name of a key's column: the key, unless `summary.csv` has a column of that name.
fn key_column(key: &str) -> String {
    let taken = MEASURES.iter().map(|column| column.name).chain(row_columns());
    let other = ["cell", "metric", "unit", "seeds"];
    match taken.chain(other).any(|name| name == key) {
        true => format!("set.{key}"),
        false => key.to_owned(),
    }
}

impl Sweep {
    /// How many runs all shards have together.
    #[must_use]
    pub fn whole(&self) -> usize {
        let seeds = self.seeds.1 - self.seeds.0 + 1;
        self.grid.cells() * seeds as usize
    }

    /// The columns that name a cell: its number and the keys.
    fn naming(&self) -> Vec<String> {
        let keys = self.grid.axes.iter().map(|axis| key_column(&axis.key));
        std::iter::once("cell".to_owned()).chain(keys).collect()
    }

    /// What stands in them for a cell.
    fn named(&self, cell: usize) -> Vec<String> {
        let values = self.grid.values(cell).into_iter().map(str::to_owned);
        std::iter::once((cell + 1).to_string()).chain(values).collect()
    }

    /// The first line of `sweep.csv`.
    fn header(&self) -> String {
        let measures = MEASURES.iter().map(|column| column.name.to_owned());
        let rest = row_columns().map(str::to_owned);
        line(&measures.chain(self.naming()).chain(rest).collect::<Vec<_>>())
    }

    /// `sweep.csv`.
    pub(super) fn table(&self) -> String {
        let mut text = self.header() + "\n";
        let mut latest = (usize::MAX, String::new());
        for run in &self.runs {
            if latest.0 != run.cell {
                latest = (run.cell, line(&self.named(run.cell)));
            }
            let scenario = line(&[&self.scenario]);
            text += &format!("{scenario},{},{},{}\n", run.seed, latest.1, run.row);
        }
        text
    }

    /// The files of a sweep's folder. A shard has its rows and what they are part of; what is made
    /// of all rows is made when shards are merged.
    ///
    /// # Errors
    /// [`PlotError`] if the plot cannot be drawn, which is a defect of mqsim.
    pub fn files(&self, shard: Shard) -> Result<Vec<File>, PlotError> {
        let table = self.table();
        let manifest = part::manifest(self, shard, &table);
        let file = |name: &str, text: String| File { name: name.to_owned(), bytes: text.into() };
        let mut files = vec![file(MARK, table), file(MANIFEST, manifest)];
        if shard == Shard::WHOLE {
            let aggregates = self.aggregates();
            let front = front(self, &aggregates);
            files.push(file("aggregates.csv", aggregate::table(self, &aggregates)));
            files.push(file("pareto.csv", aggregate::pareto(self, &aggregates, &front)));
            files.push(file("sweep.svg", plot::sweep_svg(self, &aggregates, &front)?));
        }
        Ok(files)
    }
}

/// Which bytes a table has, for whoever reads it again.
fn sum(table: &str) -> String {
    format!("{:016x}", hash_name(table))
}

/// The tables of a sweep's folder, for `docs/reports.md`.
pub(super) const SHEETS: [Sheet; 3] = [
    Sheet {
        file_name: "sweep.csv",
        about: "Of `mqsim sweep`: one row for each cell and seed, by cell and seed. Behind `seed` \
                stand the columns below, then those of `summary.csv`.",
        columns: &[
            column(
                "cell",
                "number",
                "Which combination of values, from 1; the last key varies fastest.",
            ),
            column(
                "KEY",
                "as written",
                "One column for each key that varies, named as in `--set`: its value in this cell. \
                 A key that `summary.csv` has a column for is named `set.KEY`.",
            ),
        ],
    },
    aggregate::AGGREGATES,
    aggregate::PARETO,
];

/// The columns of a cell's name in the other tables.
const CELL: [Column; 2] = [
    column("cell", "number", "As in `sweep.csv`."),
    column("KEY", "as written", "One column for each key, as in `sweep.csv`."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    pub(super) fn sweep() -> Sweep {
        let sets = ["producer.p1.rate=1k/s,2k/s", "mode=a,\"b,c\",d"].map(str::to_owned);
        let grid = Grid::parse(&sets, false).unwrap();
        let mut runs = Vec::new();
        for cell in 0..grid.cells() {
            for seed in 3..=8 {
                let mut report =
                    if cell % 2 == 0 { fixture::crash_run() } else { fixture::quiet_run() };
                report.seed = seed;
                report.summary.success_lost += seed * (cell as u64 / 2);
                report.summary.success_gone = report.summary.success_lost;
                report.summary.ack_p99_us = Some(1_000 * (6 - cell as u64) + seed);
                runs.push(Run { cell, seed, row: row(&report) });
            }
        }
        let key = "0123456789abcdef".to_owned();
        let weather = Vec::new();
        Sweep { scenario: "m".to_owned(), grid, seeds: (3, 8), key, weather, runs }
    }

    fn text(files: &[File], name: &str) -> String {
        let file = files.iter().find(|file| file.name == name).unwrap();
        String::from_utf8(file.bytes.clone()).unwrap()
    }

    #[test]
    fn a_row_for_each_cell_and_seed() {
        let files = sweep().files(Shard::WHOLE).unwrap();
        let table = text(&files, "sweep.csv");
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 1 + 6 * 6);
        let first = "scenario,seed,cell,producer.p1.rate,set.mode,mode,broker_version,";
        assert!(lines[0].starts_with(first), "{}", lines[0]);
        assert!(lines[7].starts_with("m,3,2,1k/s,\"\"\"b,c\"\"\",rabbitmq-"), "{}", lines[7]);
        assert!(lines[36].starts_with("m,8,6,2k/s,d,rabbitmq-"), "{}", lines[36]);
        let width = csv::Reader::from_reader(table.as_bytes()).headers().unwrap().len();
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        assert!(reader.records().all(|record| record.unwrap().len() == width));
    }

    #[test]
    fn what_every_cell_comes_to() {
        let files = sweep().files(Shard::WHOLE).unwrap();
        let table = text(&files, "aggregates.csv");
        let wanted = |line: &&str| line.contains("success_lost") || line.contains("ack_p99");
        let shown: Vec<&str> = table.lines().take(1).chain(table.lines().filter(wanted)).collect();
        insta::assert_snapshot!(shown.join("\n"));
        insta::assert_snapshot!(text(&files, "pareto.csv"));
    }

    #[test]
    fn shards_come_together_to_the_same_bytes() {
        let whole = sweep();
        let files = whole.files(Shard::WHOLE).unwrap();
        for count in [1, 2, 5, 36, 40] {
            let mut parts = Vec::new();
            for index in (1..=count).rev() {
                let shard = Shard { index, count };
                let runs = whole.runs.iter().enumerate().filter(|(at, _)| shard.has(*at));
                let runs = runs.map(|(_, run)| run.clone()).collect();
                let files = Sweep { runs, ..whole.clone() }.files(shard).unwrap();
                let part = Part::read(&text(&files, MANIFEST), &text(&files, MARK)).unwrap();
                parts.push((format!("shard {index}"), part));
            }
            let merged = merge(parts).unwrap();
            assert_eq!(merged, whole);
            assert_eq!(merged.files(Shard::WHOLE).unwrap(), files, "{count} shards");
        }
    }
}
