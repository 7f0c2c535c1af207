//! What each cell comes to over its seeds, and which cells no other beats.

use super::super::tables::{Sheet, column};
use super::weigh::Front;
use super::{CELL, Sweep, cells, line, row_columns};
use crate::statistics::paired::Values;
use crate::verdict::{METRICS, Metric, Unit};

/// One cell over its seeds.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Which one, from 0.
    pub cell: usize,
    /// Every column of `summary.csv` that is a metric, in order; `None` where it was never measured.
    pub metrics: Vec<(&'static Metric, Option<Measured>)>,
}

/// One metric of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Over the seeds in which it was measured.
    pub values: Values,
    /// In how many of them it was not 0.
    pub nonzero: usize,
}

impl Aggregate {
    /// The mean of a metric.
    #[must_use]
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.measured(name).map(|measured| measured.values.mean)
    }

    /// A metric over the seeds.
    #[must_use]
    pub fn measured(&self, name: &str) -> Option<Measured> {
        self.metrics.iter().find(|(metric, _)| metric.name == name)?.1
    }
}

impl Sweep {
    /// What every cell comes to, in their order.
    #[must_use]
    pub fn aggregates(&self) -> Vec<Aggregate> {
        let places: Vec<(&'static Metric, usize)> = METRICS
            .iter()
            .filter(|metric| metric.column)
            .map(|metric| {
                let place = row_columns().position(|name| name == metric.name);
                (metric, place.expect("it is a column"))
            })
            .collect();
        let by_cell = self.runs.chunk_by(|a, b| a.cell == b.cell);
        let one = |runs: &[super::Run]| {
            let rows: Vec<Vec<String>> = runs.iter().map(|run| cells(&run.row)).collect();
            let metrics = places.iter().map(|&(metric, place)| {
                let values = rows.iter().filter_map(|row| row.get(place)?.parse().ok());
                let values: Vec<f64> = values.collect();
                let nonzero = values.iter().filter(|value| **value != 0.0).count();
                (metric, Values::of(&values).map(|values| Measured { values, nonzero }))
            });
            Aggregate { cell: runs[0].cell, metrics: metrics.collect() }
        };
        by_cell.map(one).collect()
    }
}

/// A number of a metric as files have it.
pub(in crate::report) fn decimal(value: f64, unit: Unit) -> String {
    let decimals = if unit == Unit::Share { 6 } else { 3 };
    let text = format!("{value:.decimals$}");
    // Differences of rounded numbers can be a negative nothing.
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        return text.trim_start_matches('-').to_owned();
    }
    text
}

/// `aggregates.csv`.
pub(super) fn table(sweep: &Sweep, aggregates: &[Aggregate]) -> String {
    let mut header = vec!["scenario".to_owned()];
    header.extend(sweep.naming());
    header.extend(AGGREGATES.columns[CELL.len()..].iter().map(|column| column.name.to_owned()));
    let mut text = line(&header) + "\n";
    for aggregate in aggregates {
        let mut start = vec![sweep.scenario.clone()];
        start.extend(sweep.named(aggregate.cell));
        let start = line(&start);
        for (metric, measured) in &aggregate.metrics {
            let number = |value: f64| decimal(value, metric.unit);
            let mut row = vec![metric.name.to_owned(), metric.unit.word().to_owned()];
            match measured {
                None => row.extend(std::iter::once("0".to_owned()).chain(vec![String::new(); 8])),
                Some(Measured { values, nonzero }) => {
                    row.extend([values.count.to_string(), nonzero.to_string()]);
                    row.extend([number(values.mean), number(values.median)]);
                    let interval = values.interval;
                    let end = |end: Option<f64>| end.map_or(String::new(), number);
                    row.push(end(interval.map(|interval| interval.low)));
                    row.push(end(interval.map(|interval| interval.high)));
                    row.push(interval.map_or(String::new(), |i| format!("{:.6}", i.confidence)));
                    row.extend([number(values.least), number(values.greatest)]);
                }
            }
            text += &format!("{start},{}\n", line(&row));
        }
    }
    text
}

/// `pareto.csv`.
pub(super) fn pareto(sweep: &Sweep, aggregates: &[Aggregate], front: &Front) -> String {
    let mut header = vec!["scenario".to_owned()];
    header.extend(sweep.naming());
    header.extend(PARETO.columns[CELL.len()..].iter().map(|column| column.name.to_owned()));
    let mut text = line(&header) + "\n";
    let [_, _, latency] = front.objectives;
    for (at, aggregate) in aggregates.iter().enumerate() {
        let mut row = vec![sweep.scenario.clone()];
        row.extend(sweep.named(aggregate.cell));
        row.extend(front.objectives.iter().zip(&front.weighed[at]).map(|(objective, weighed)| {
            // What readers of CSV take for infinity.
            let number = |mean| {
                if mean == f64::INFINITY { "inf".to_owned() } else { decimal(mean, objective.unit) }
            };
            weighed.mean.map_or(String::new(), number)
        }));
        row.push(latency.metric.to_owned());
        let word = if front.is_marked(at) { "yes" } else { "no" };
        row.push(if front.tells(at) { word } else { "" }.to_owned());
        let beaten_by = front.beaten_by[at].map(|cell| (aggregates[cell].cell + 1).to_string());
        row.push(beaten_by.unwrap_or_default());
        text += &(line(&row) + "\n");
    }
    text
}

pub(super) const AGGREGATES: Sheet = Sheet {
    file_name: "aggregates.csv",
    about: "Of `mqsim sweep`: one row for each cell and metric, over the cell's seeds; there is no \
            `seed`. A mean has no interval here: that of losses, which come in bursts, would need \
            more seeds than anyone runs to be honest.",
    columns: &[
        CELL[0],
        CELL[1],
        column("metric", "name", "A column of `summary.csv`."),
        column("unit", "word", "What it is counted in."),
        column("seeds", "number", "In how many seeds it was measured."),
        column("nonzero", "number", "In how many of them it was not 0."),
        column("mean", "of the metric", "The mean over these seeds."),
        column("median", "of the metric", "Their median."),
        column(
            "median_low",
            "of the metric",
            "Lower end of the interval in which the median of all seeds lies, whatever their \
             distribution: an order statistic, by the sign test; empty for fewer than 6 seeds.",
        ),
        column("median_high", "of the metric", "Its upper end."),
        column("confidence", "share, 0 to 1", "How sure that is, at least; 0.95 or more."),
        column("least", "of the metric", "The least value."),
        column("greatest", "of the metric", "The greatest value."),
    ],
};

pub(super) const PARETO: Sheet = Sheet {
    file_name: "pareto.csv",
    about: "Of `mqsim sweep`: one row for each cell, with the means by which cells are weighed \
            against each other; there is no `seed`. Cells are weighed seed by seed, and only against \
            those under the same weather: the same values of the keys of faults, or of `--group-by`. \
            One beats another if it is better in loss, availability or latency by more than noise, \
            and worse in none: if the median of the differences is beyond 0 with 95 % confidence, by \
            the sign test. A loss that was seen is no noise: a cell that lost nothing is better than \
            one that did.",
    columns: &[
        CELL[0],
        CELL[1],
        column("success_gone", "lines", "Mean of `success_gone`: less is better."),
        column(
            "effective_write_availability",
            "share, 0 to 1",
            "Mean of `effective_write_availability`: more is better.",
        ),
        column(
            "latency_us",
            "microseconds",
            "Mean of the metric of the next column: less is better. What is lost never arrives: if \
             more than 1 % of what the producers were told is safe was lost in a seed, its latency \
             is infinite, and so is the mean (`inf`); also if nothing was measured.",
        ),
        column(
            "latency_metric",
            "name",
            "`ack_p99_us`, or `e2e_p99_us` if there is a cell in which nothing was acknowledged.",
        ),
        column(
            "front",
            "yes or no",
            "Whether no other cell beats it; empty where no cell under that weather beats another.",
        ),
        column("beaten_by", "number", "The first cell that does; empty on the front."),
    ],
};
