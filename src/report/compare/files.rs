//! The tables of a comparison's folder.

use super::super::File;
use super::super::sweep::decimal;
use super::super::tables::{Column, Sheet, column};
use super::{Changed, Comparison};
use crate::verdict::Unit;

/// The file by which a folder is known to be a comparison's.
pub const MARK: &str = "compare.csv";

type Row = Vec<String>;

/// All tables.
pub(super) fn tables(comparison: &Comparison) -> Vec<File> {
    let rows = [metrics(comparison), latency(comparison), lines(comparison), windows(comparison)];
    SHEETS.iter().zip(rows).map(|(sheet, rows)| file(sheet, rows)).collect()
}

fn file(sheet: &Sheet, rows: Vec<Row>) -> File {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = sheet.columns.iter().map(|column| column.name);
    writer.write_record(header).expect("memory takes every record");
    for row in rows {
        assert_eq!(row.len(), sheet.columns.len(), "a cell for each column");
        writer.write_record(&row).expect("records are as long as the header");
    }
    let bytes = writer.into_inner().expect("memory can be flushed");
    File { name: sheet.file_name.to_owned(), bytes }
}

fn metrics(comparison: &Comparison) -> Vec<Row> {
    let one = |changed: &Changed| {
        let Changed { metric, change, alone, tolerance, standing } = changed;
        let mut row = vec![
            metric.name.to_owned(),
            metric.unit.word().to_owned(),
            metric.better.word().to_owned(),
        ];
        row.extend(numbers(change.as_ref(), metric.unit));
        row.extend([alone.0.to_string(), alone.1.to_string()]);
        row.push(tolerance.map_or(String::new(), |tolerance| tolerance.text()));
        row.push(standing.word().to_owned());
        row
    };
    comparison.metrics.iter().map(one).collect()
}

/// The cells of [`CHANGE`].
fn numbers(change: Option<&crate::statistics::paired::Change>, unit: Unit) -> Row {
    let Some(change) = change else {
        return std::iter::once("0".to_owned()).chain(vec![String::new(); 9]).collect();
    };
    let number = |value: f64| decimal(value, unit);
    let interval = change.difference.interval;
    let mut row = vec![change.difference.count.to_string()];
    row.extend([change.first, change.second].map(number));
    row.extend([change.difference.mean, change.difference.median].map(number));
    row.push(interval.map_or(String::new(), |interval| number(interval.low)));
    row.push(interval.map_or(String::new(), |interval| number(interval.high)));
    row.push(interval.map_or(String::new(), |interval| format!("{:.6}", interval.confidence)));
    row.extend([change.higher.to_string(), change.lower.to_string()]);
    row
}

fn latency(comparison: &Comparison) -> Vec<Row> {
    let one = |percentile: &super::Percentile| {
        let mut row = vec![percentile.series.clone(), percentile.percentile.clone()];
        row.extend(numbers(Some(&percentile.change), Unit::Microseconds));
        row
    };
    comparison.latency.iter().map(one).collect()
}

fn lines(comparison: &Comparison) -> Vec<Row> {
    let one = |difference: &super::Difference| {
        let (seed, producer, destination, first, last) = difference.example.clone();
        let mut row = vec![difference.kind.words().to_owned()];
        for end in [&difference.first, &difference.second] {
            let end = end.as_ref();
            row.push(end.map_or(String::new(), |end| end.outcome.clone()));
            row.push(end.map_or(String::new(), |end| end.fate.clone()));
            row.push(end.map_or(String::new(), |end| end.why.clone()));
        }
        row.extend([difference.lines, difference.seeds, seed].map(|n| n.to_string()));
        row.extend([producer, destination, first.to_string(), last.to_string()]);
        row
    };
    comparison.lines.differences.iter().map(one).collect()
}

fn windows(comparison: &Comparison) -> Vec<Row> {
    let one = |pair: &super::Pair| {
        let mut row = vec![pair.seed.to_string(), pair.destination.clone(), pair.kind.clone()];
        for window in [&pair.first, &pair.second] {
            let window = window.as_ref();
            row.push(window.map_or(String::new(), |window| window.start.to_string()));
            row.push(window.map_or(String::new(), |window| window.end.to_string()));
        }
        let length = |window: &super::windows::Window| window.end - window.start;
        let (first, second) = (pair.first.as_ref(), pair.second.as_ref());
        let change = match (first.map(length), second.map(length)) {
            (Some(a), Some(b)) => (i128::from(b) - i128::from(a)).to_string(),
            _ => String::new(),
        };
        row.push(change);
        let fault = |window: &super::windows::Window| window.fault.clone();
        row.extend([first.map_or(String::new(), fault), second.map_or(String::new(), fault)]);
        row
    };
    comparison.windows.iter().map(one).collect()
}

const SEEDS: Column =
    column("seeds", "number", "In how many seeds both sides measured it: only these count.");
const A: Column = column("a_mean", "of the metric", "Its mean in A over these seeds.");
const B: Column = column("b_mean", "of the metric", "Its mean in B.");
const CHANGE: Column = column("change_mean", "of the metric", "Mean of B − A, seed by seed.");
const MEDIAN: Column = column("change_median", "of the metric", "Median of B − A, seed by seed.");
const LOW: Column = column(
    "change_low",
    "of the metric",
    "Lower end of the interval in which the median of B − A over all seeds lies, whatever their \
     distribution: an order statistic, by the sign test; empty for fewer than 6 seeds.",
);
const HIGH: Column = column("change_high", "of the metric", "Its upper end.");
const CONFIDENCE: Column =
    column("confidence", "share, 0 to 1", "How sure that is, at least; 0.95 or more.");
const HIGHER: Column = column("higher", "number", "In how many seeds it is greater in B.");
const LOWER: Column = column("lower", "number", "In how many seeds it is less in B.");

/// The tables, in the order in which they are written and documented.
pub(in crate::report) const SHEETS: [Sheet; 4] = [
    Sheet {
        file_name: MARK,
        about: "Of `mqsim compare`: one row for each metric.",
        columns: &[
            column("metric", "name", "A column of `summary.csv`."),
            column("unit", "word", "What it is counted in."),
            column("better", "word", "`less`, `more`, or `neither`."),
            SEEDS,
            A,
            B,
            CHANGE,
            MEDIAN,
            LOW,
            HIGH,
            CONFIDENCE,
            HIGHER,
            LOWER,
            column("only_a", "number", "In how many seeds only A measured it."),
            column("only_b", "number", "In how many seeds only B measured it."),
            column("tolerance", "as written", "What was tolerated; empty if nothing was said."),
            column(
                "standing",
                "word",
                "`same` in every seed; `better` or `worse` by its mean; `differs` if that is no \
                 matter of better or worse; `regression` if worse by more than is tolerated; \
                 `undecided` if it has a tolerance and was not measured on both sides.",
            ),
        ],
    },
    Sheet {
        file_name: "compare-latency.csv",
        about: "Of `mqsim compare`: one row for each percentile that both sides have.",
        columns: &[
            column("series", "name", "As in `latency.csv`."),
            column("percentile", "percent", "As in `latency.csv`."),
            SEEDS,
            column("a_mean", "microseconds", "Its mean in A over these seeds."),
            column("b_mean", "microseconds", "Its mean in B."),
            column("change_mean", "microseconds", "Mean of B − A, seed by seed."),
            column("change_median", "microseconds", "Median of B − A, seed by seed."),
            column("change_low", "microseconds", "As in `compare.csv`."),
            column("change_high", "microseconds", "As in `compare.csv`."),
            CONFIDENCE,
            HIGHER,
            LOWER,
        ],
    },
    Sheet {
        file_name: "compare-lines.csv",
        about: "Of `mqsim compare`: one row for each way in which lines ended differently, or were \
                lost, over all seeds. Of two scenarios every line is compared; of two reports only \
                what is in their `loss.csv`.",
        columns: &[
            column(
                "kind",
                "words",
                "`lost only in A`, `lost only in B`, `lost in both`; `other fate`, `other outcome` \
                 if neither lost it; `only in A`, `only in B` if the other never attempted it.",
            ),
            column("a_outcome", "word", "What its producer was told in A."),
            column("a_fate", "words", "What became of it in A; of two reports only whether lost."),
            column("a_why", "words", "Why it was lost in A: cause, condition and node."),
            column("b_outcome", "word", "What its producer was told in B."),
            column("b_fate", "words", "What became of it in B."),
            column("b_why", "words", "Why it was lost in B."),
            column(
                "lines",
                "lines",
                "How many; of two reports at most so many, where rows of `loss.csv` have holes.",
            ),
            column("seeds", "number", "In how many seeds."),
            column("seed", "number", "The first of these seeds."),
            column("producer", "name", "Whose messages the first of them are."),
            column("destination", "name", "Where they were meant to go."),
            column("first_sequence", "number", "Sequence number of the first."),
            column("last_sequence", "number", "Sequence number of the last of the same stretch."),
        ],
    },
    Sheet {
        file_name: "compare-windows.csv",
        about: "Of `mqsim compare`: one row for each unavailability window; windows of one \
                destination and kind that overlap stand beside each other.",
        columns: &[
            column("seed", "number", "The seed."),
            column("destination", "name", "As in `windows.csv`."),
            column("kind", "word", "As in `windows.csv`."),
            column("a_start_ms", "milliseconds", "Its start in A; empty if there is none."),
            column("a_end_ms", "milliseconds", "Its end in A."),
            column("b_start_ms", "milliseconds", "Its start in B."),
            column("b_end_ms", "milliseconds", "Its end in B."),
            column("change_ms", "milliseconds", "How much longer it is in B."),
            column("a_fault", "words", "The fault that it answers to in A."),
            column("b_fault", "words", "The fault that it answers to in B."),
        ],
    },
];
