//! What the variants of a portable scenario come to: a row each, the middle and the worst of the seeds.
//!
//! The runs are those of a sweep whose one key is the variant, so a variant is a cell of it.

mod json;

pub use json::json;

use super::File;
use super::compare::Block;
use super::markdown;
use super::number::grouped;
use super::sweep::{Aggregate, Front, Sweep, cells, decimal, front, line, row_columns};
use super::tables::{Sheet, column};
use super::tally::{Standing, Tally};
use crate::scenario::{Axis, Grid};
use crate::statistics::paired::Values;
use crate::verdict::{Better, METRICS, Metric, Verdict};

/// The file by which a folder is known to be a matrix's.
pub const MARK: &str = "matrix.csv";

/// The key of the sweep that a matrix is.
const KEY: &str = "variant";

/// One variant.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What is simulated: the mode of the broker.
    pub mode: String,
    /// And its release.
    pub version: String,
    /// Its scenario, as its broker has it.
    pub text: String,
    /// What is expected of it, and what of that holds.
    pub tally: Tally,
}

impl Variant {
    /// Where its scenario is, within the folder.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.toml", self.name)
    }

    /// What became of what is expected of it, in a word; a dash if nothing is and nothing is wrong.
    fn expected(&self) -> &'static str {
        let mut lines = self.tally.counts().map(|(expected, _)| expected.line);
        let asked = lines.any(|line| line.is_some()) || self.tally.over_texts().next().is_some();
        match self.tally.standing() {
            Standing::Holds if !asked => "-",
            standing => standing.word(),
        }
    }
}

/// Variants and their runs.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The runs; a cell is a variant.
    pub sweep: Sweep,
    /// The variants, in the order of the file.
    pub variants: Vec<Variant>,
}

/// What a metric comes to over the seeds in which it was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The middle: half of the seeds have no more.
    pub median: f64,
    /// The worst value.
    pub worst: f64,
    /// The first seed that has it.
    pub seed: u64,
    /// In how many seeds it was measured.
    pub seeds: usize,
}

/// What a row shows: the metric, what it is called, and what its numbers are divided by for the unit.
struct Shown {
    metric: &'static str,
    called: &'static str,
    unit: &'static str,
    per: f64,
}

const SHOWN: [Shown; 5] = [
    Shown { metric: "success_lost", called: "lost", unit: "messages", per: 1.0 },
    Shown { metric: "duplicated", called: "duplicated", unit: "messages", per: 1.0 },
    Shown { metric: "reordered", called: "reordered", unit: "messages", per: 1.0 },
    Shown { metric: "write_unavailable_ms", called: "away", unit: "s", per: 1_000.0 },
    Shown { metric: "processed_per_s", called: "processed", unit: "messages/s", per: 1.0 },
];

/// The grid of a sweep over variants.
#[must_use]
pub fn grid(names: &[&str]) -> Grid {
    let values = names.iter().map(|name| (*name).to_owned()).collect();
    Grid { axes: vec![Axis { key: KEY.to_owned(), values }], fixed: Vec::new(), paired: false }
}

/// The metrics of which one value is better than another.
fn judged() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().filter(|metric| metric.column && metric.better != Better::Neither)
}

impl Matrix {
    /// What each of [`judged`] comes to, by variant.
    fn found(&self) -> Vec<Vec<(&'static Metric, Option<Found>)>> {
        let columns: Vec<&str> = row_columns().collect();
        let place = |metric: &Metric| columns.iter().position(|name| *name == metric.name);
        let of = |runs: &[super::sweep::Run]| {
            let rows: Vec<(u64, Vec<String>)> =
                runs.iter().map(|run| (run.seed, cells(&run.row))).collect();
            let each = judged().map(|metric| {
                let at = place(metric).expect("it is a column");
                let number =
                    |(seed, row): &(u64, Vec<String>)| Some((*seed, row.get(at)?.parse().ok()?));
                (
                    metric,
                    Found::of(&rows.iter().filter_map(number).collect::<Vec<_>>(), metric.better),
                )
            });
            each.collect()
        };
        self.sweep.runs.chunk_by(|a, b| a.cell == b.cell).map(of).collect()
    }

    /// How the worst of the variants stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let each = self.variants.iter().map(|variant| variant.tally.standing());
        each.max().unwrap_or(Standing::Holds)
    }

    /// Which variants no other beats.
    fn front(&self) -> Front {
        let aggregates: Vec<Aggregate> = self.sweep.aggregates();
        front(&self.sweep, &aggregates)
    }

    /// The header and the rows of the table; which columns are numbers.
    fn table(&self) -> Block {
        let mut header = vec![KEY.to_owned()];
        header.extend(SHOWN.iter().map(|shown| format!("{}, {}", shown.called, shown.unit)));
        let expects = self.variants.iter().any(|variant| variant.expected() != "-");
        header.extend(expects.then(|| "expected".to_owned()));
        let front = self.front();
        let mut rows = Vec::new();
        for (at, (variant, found)) in self.variants.iter().zip(self.found()).enumerate() {
            let star = if front.is_marked(at) { "*" } else { "" };
            let mut row = vec![format!("{}{star}", variant.name)];
            row.extend(SHOWN.iter().map(|shown| {
                let of = found.iter().find(|(metric, _)| metric.name == shown.metric);
                let number = |value: f64| short(value / shown.per);
                match of.and_then(|(_, found)| *found) {
                    None => "-".to_owned(),
                    Some(found) if number(found.median) == number(found.worst) => {
                        number(found.worst)
                    }
                    Some(found) => format!("{}/{}", number(found.median), number(found.worst)),
                }
            }));
            row.extend(expects.then(|| variant.expected().to_owned()));
            rows.push(row);
        }
        Block::Table(header, (1..=SHOWN.len()).collect(), rows)
    }

    /// What is said of the table.
    fn remarks(&self) -> Vec<String> {
        let (first, last) = self.sweep.seeds;
        let mut said = Vec::new();
        if first != last {
            said.push(format!(
                "p50/worst of seeds {first} to {last}; one number if both are the same."
            ));
        }
        said.push(
            "Lost: of what producers took for safe. Away: for how long no write had success."
                .to_owned(),
        );
        said.push(self.front().stars("variants", "", last - first + 1));
        for variant in &self.variants {
            let (tally, file) = (&variant.tally, variant.file());
            let first = tally.first().into_iter();
            for (judged, line) in first.clone().flat_map(|first| &first.judged).take(3) {
                let place = line.map_or(String::new(), |line| format!(":{line}"));
                let seed = first.clone().map(|first| first.seed).next().unwrap_or(0);
                said.push(format!(
                    "{file}{place}: {}: {}, found {} with seed {seed}.",
                    super::verdict_word(judged.verdict),
                    judged.text,
                    judged.measured,
                ));
            }
            for (text, told, _) in
                tally.over().filter(|(_, told, _)| told.verdict != Verdict::Holds)
            {
                let word = super::verdict_word(told.verdict);
                said.push(format!("{file}: {word}: {text}, {}.", told.measured));
            }
        }
        said
    }

    /// The table and what there is to say of it, for a terminal and for a page.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = vec![self.table()];
        blocks.extend(self.remarks().into_iter().map(Block::Text));
        blocks
    }

    /// The files of its folder.
    #[must_use]
    pub fn files(&self) -> Vec<File> {
        let file = |name: String, text: String| File { name, bytes: text.into() };
        let mut files = vec![
            file(MARK.to_owned(), self.csv()),
            file("runs.csv".to_owned(), self.sweep.table()),
            file("matrix.md".to_owned(), self.markdown()),
        ];
        files.extend(self.variants.iter().map(|one| file(one.file(), one.text.clone())));
        files
    }

    /// `matrix.csv`.
    fn csv(&self) -> String {
        let header: Vec<&str> = SHEET.columns.iter().map(|column| column.name).collect();
        let mut text = line(&[&["scenario"], header.as_slice()].concat()) + "\n";
        for (variant, found) in self.variants.iter().zip(self.found()) {
            for (metric, found) in found {
                let mut row = vec![self.sweep.scenario.clone(), variant.name.clone()];
                row.extend([variant.mode.clone(), variant.version.clone()]);
                row.extend([metric.name.to_owned(), metric.unit.word().to_owned()]);
                let number = |value: f64| decimal(value, metric.unit);
                row.extend(match found {
                    None => ["0".to_owned(), String::new(), String::new(), String::new()],
                    Some(Found { median, worst, seed, seeds }) => {
                        [seeds.to_string(), number(median), number(worst), seed.to_string()]
                    }
                });
                row.push(variant.file());
                text += &(line(&row) + "\n");
            }
        }
        text
    }

    /// The page.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text =
            format!("{MARKDOWN}\n## mqsim matrix: {}\n\n", markdown::escaped(&self.sweep.scenario));
        for block in self.blocks() {
            match block {
                Block::Table(header, numbers, mut rows) => {
                    for (row, variant) in rows.iter_mut().zip(&self.variants) {
                        let star = if row[0].ends_with('*') { " \\*" } else { "" };
                        row[0] = format!(
                            "[{}]({}){star}",
                            markdown::escaped(&variant.name),
                            variant.file()
                        );
                        row[1..].iter_mut().for_each(|cell| *cell = markdown::escaped(cell));
                    }
                    let header: Vec<String> =
                        header.iter().map(|name| markdown::escaped(name)).collect();
                    text += &markdown::table(&header, &numbers, &rows);
                    text.push('\n');
                }
                Block::Text(said) => text += &format!("{}\n\n", markdown::escaped(&said)),
                Block::Title(_) | Block::Verdict(..) => {}
            }
        }
        text.trim_end().to_owned() + "\n"
    }

    /// Every number by variant and metric: the middle, the worst, and its seed.
    pub(super) fn numbers(
        &self,
    ) -> impl Iterator<Item = (&Variant, bool, Vec<(&'static Metric, Found)>)> {
        let front = self.front();
        let all = self.variants.iter().zip(self.found()).enumerate();
        all.map(move |(at, (variant, found))| {
            let found = found.into_iter().filter_map(|(metric, found)| Some((metric, found?)));
            (variant, front.is_marked(at), found.collect())
        })
    }
}

impl Found {
    /// Of seeds and values; `None` of none.
    fn of(values: &[(u64, f64)], better: Better) -> Option<Found> {
        let numbers: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        let all = Values::of(&numbers)?;
        let worst = if better == Better::More { all.least } else { all.greatest };
        let seed = values.iter().find(|(_, value)| *value == worst)?.0;
        Some(Found { median: all.median, worst, seed, seeds: all.count })
    }
}

/// A number with a tenth where that tells something.
fn short(value: f64) -> String {
    let tenths = (value * 10.0).round() as u64;
    if tenths.is_multiple_of(10) || tenths >= 1_000 {
        return grouped(value.round() as u64);
    }
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}

/// With what the page begins, so that it is known again.
pub const MARKDOWN: &str = "<!-- mqsim matrix -->";

/// `matrix.csv`, for `docs/reports.md`.
pub(super) const SHEET: Sheet = Sheet {
    file_name: MARK,
    about: "Of `mqsim matrix`: one row for each variant and metric of which more or less is better; there is \
            no `seed`. `runs.csv` beside it has a row for each variant and seed, with the columns of \
            `sweep.csv`; its key is `variant`.",
    columns: &[
        column("variant", "name", "The variant, as the portable scenario calls it."),
        column("mode", "name", "The broker and how it replicates."),
        column("broker_version", "release", "The release that was simulated."),
        column("metric", "name", "A column of `summary.csv`."),
        column("unit", "word", "What it is counted in."),
        column("seeds", "number", "In how many seeds it was measured."),
        column("p50", "of the metric", "The median over these seeds."),
        column("worst", "of the metric", "The worst value: the greatest of what should be little."),
        column("worst_seed", "number", "The first seed that has it."),
        column(
            "file",
            "name",
            "The variant's scenario in this folder: `mqsim run FILE --seed WORST_SEED` shows the worst run.",
        ),
    ],
};
