//! Which cells are better than others, by more than noise.
//!
//! Cells meet the same seeds, so they are compared seed by seed. What an operator chooses is compared
//! under the same weather only: a setting is not better because the faults were shorter.

use super::aggregate::Aggregate;
use super::{Run, Sweep, cells, row_columns};
use crate::scenario::Grid;
use crate::statistics::paired::{Values, exceptions};
use crate::verdict::{METRICS, Unit};

/// What cells are weighed by against each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The metric that counts.
    pub metric: &'static str,
    /// What it stands for.
    pub what: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Whether more of it is better.
    pub more: bool,
}

const LOSS: Objective =
    Objective { metric: "success_gone", what: "loss", unit: Unit::Lines, more: false };
const AVAILABILITY: Objective = Objective {
    metric: "effective_write_availability",
    what: "availability",
    unit: Unit::Share,
    more: true,
};

/// One objective of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// The value of each seed; what was not measured is worst.
    seeds: Vec<f64>,
    /// Their mean: infinite if one is; `None` if nothing was measured in any seed.
    pub mean: Option<f64>,
    /// Of the finite ones: the least, the interval of the median if there is one, the greatest.
    pub range: Option<Values>,
}

/// Which cells no other beats.
#[derive(Clone, Debug, PartialEq)]
pub struct Front {
    /// By what.
    pub objectives: [Objective; 3],
    /// What each cell comes to in them.
    pub weighed: Vec<[Weighed; 3]>,
    /// Cells under the same weather, in the order of the sweep.
    pub groups: Vec<Vec<usize>>,
    /// For each cell one that is proven to be better in one objective, and not to be worse in any;
    /// `None` if there is none.
    pub beaten_by: Vec<Option<usize>>,
    /// Of each cell whether there is any beaten one under its weather.
    told_apart: Vec<bool>,
}

impl Front {
    /// Whether a cell is marked: no other beats it, and there are some that are beaten.
    #[must_use]
    pub fn is_marked(&self, cell: usize) -> bool {
        self.told_apart[cell] && self.beaten_by[cell].is_none()
    }

    /// Whether there are any differences under the weather of a cell.
    #[must_use]
    pub fn tells(&self, cell: usize) -> bool {
        self.told_apart[cell]
    }

    /// Whether there are any differences at all.
    #[must_use]
    pub fn tells_any(&self) -> bool {
        self.told_apart.iter().any(|told| *told)
    }

    /// What the stars mean beside cells, which may have another name, or why there are none; of so many seeds.
    pub(in crate::report) fn stars(&self, cells: &str, under: &str, seeds: u64) -> String {
        if self.tells_any() {
            format!(
                "* marks the {cells} that no other{under} beats: is better in loss, effective write \
                 availability or latency by more than noise (95 %, seed by seed), and worse in none."
            )
        } else if seeds < 6 {
            "No star: fewer than 6 seeds tell nothing from noise. Add --seeds 1..=20.".to_owned()
        } else {
            let cell = cells.trim_end_matches('s');
            format!("No star: no {cell}{under} differs from another by more than noise.")
        }
    }

    /// Whether some latency is infinite, for what it is of is lost.
    #[must_use]
    pub fn has_infinite(&self) -> bool {
        self.weighed.iter().any(|[_, _, latency]| latency.mean == Some(f64::INFINITY))
    }
}

/// Latency until the answer, or until the delivery if there is a cell in which nothing is answered.
fn latency(aggregates: &[Aggregate]) -> Objective {
    let answered = aggregates.iter().all(|cell| cell.mean("ack_p99_us").is_some());
    let metric = if answered { "ack_p99_us" } else { "e2e_p99_us" };
    Objective { metric, what: "latency", unit: Unit::Microseconds, more: false }
}

/// The axes that are weather if nothing else is said: what befalls a cluster is not chosen.
#[must_use]
pub fn weather(grid: &Grid) -> Vec<usize> {
    let befalls = |key: &str| {
        let section = key.split('.').next().unwrap_or(key);
        matches!(section, "fault" | "nemesis")
    };
    (0..grid.axes.len()).filter(|&axis| befalls(&grid.axes[axis].key)).collect()
}

/// Weighs the cells of a sweep.
#[must_use]
pub fn front(sweep: &Sweep, aggregates: &[Aggregate]) -> Front {
    let objectives = [LOSS, AVAILABILITY, latency(aggregates)];
    let by_cell = sweep.runs.chunk_by(|a, b| a.cell == b.cell);
    let weighed: Vec<[Weighed; 3]> = by_cell.map(|runs| of(runs, objectives)).collect();
    let mut groups: Vec<(Vec<&str>, Vec<usize>)> = Vec::new();
    for (at, aggregate) in aggregates.iter().enumerate() {
        let values = sweep.grid.values(aggregate.cell);
        let weather: Vec<&str> = sweep.weather.iter().map(|&axis| values[axis]).collect();
        match groups.iter_mut().find(|(known, _)| *known == weather) {
            Some((_, cells)) => cells.push(at),
            None => groups.push((weather, vec![at])),
        }
    }
    let groups: Vec<Vec<usize>> = groups.into_iter().map(|(_, cells)| cells).collect();
    let mut beaten_by = vec![None; aggregates.len()];
    let mut told_apart = vec![false; aggregates.len()];
    for group in &groups {
        for &own in group {
            let beats = |other: &&usize| beats(&weighed[**other], &weighed[own], objectives);
            beaten_by[own] = group.iter().find(beats).copied();
        }
        let told = group.iter().any(|&cell| beaten_by[cell].is_some());
        group.iter().for_each(|&cell| told_apart[cell] = told);
    }
    Front { objectives, weighed, groups, beaten_by, told_apart }
}

/// The objectives of a cell's runs.
fn of(runs: &[Run], objectives: [Objective; 3]) -> [Weighed; 3] {
    let place = |name: &str| row_columns().position(|column| column == name);
    let rows: Vec<Vec<String>> = runs.iter().map(|run| cells(&run.row)).collect();
    let number =
        |row: &[String], name: &str| -> Option<f64> { row.get(place(name)?)?.parse().ok() };
    objectives.map(|objective| {
        let value = |row: &Vec<String>| match number(row, objective.metric) {
            None if objective.more => 0.0,
            None => f64::INFINITY,
            // What is lost never arrives: its latency is infinite, and so is the 99th percentile if
            // it is more than one of a hundred.
            Some(_) if objective.unit == Unit::Microseconds && is_mostly_gone(row, &number) => {
                f64::INFINITY
            }
            Some(value) => value,
        };
        let seeds: Vec<f64> = rows.iter().map(value).collect();
        let measured = rows.iter().any(|row| number(row, objective.metric).is_some());
        let finite: Vec<f64> = seeds.iter().copied().filter(|value| value.is_finite()).collect();
        let mean = Values::of(&finite).map(|values| values.mean);
        let mean = if finite.len() < seeds.len() { Some(f64::INFINITY) } else { mean };
        Weighed { seeds, mean: mean.filter(|_| measured), range: Values::of(&finite) }
    })
}

/// Whether more than one of a hundred messages that the producers took for safe was lost.
fn is_mostly_gone(row: &[String], number: &dyn Fn(&[String], &str) -> Option<f64>) -> bool {
    let of = |name: &str| number(row, name).unwrap_or(0.0);
    of("success_lost") * 100.0 > of("acked") + of("accepted")
}

/// Whether a cell is proven to be better than another in one objective, and not to be worse in any.
fn beats(a: &[Weighed; 3], b: &[Weighed; 3], objectives: [Objective; 3]) -> bool {
    let mut better = false;
    for ((a, b), objective) in a.iter().zip(b).zip(objectives) {
        if is_better(b, a, objective) {
            return false;
        }
        better |= is_better(a, b, objective);
    }
    better
}

/// Whether a cell is better than another by more than noise.
fn is_better(a: &Weighed, b: &Weighed, objective: Objective) -> bool {
    let Some(exceptions) = exceptions(a.seeds.len().min(b.seeds.len())) else { return false };
    if objective == LOSS && a.seeds.iter().all(|lost| *lost == 0.0) {
        // No luck explains a loss that was seen.
        return b.seeds.iter().any(|lost| *lost > 0.0);
    }
    let less = |(a, b): &(&f64, &f64)| if objective.more { a > b } else { a < b };
    let wins = a.seeds.iter().zip(&b.seeds).filter(less).count();
    a.seeds.len().min(b.seeds.len()) - wins <= exceptions
}

/// What to say of keys whose values make no difference.
#[must_use]
pub fn idle_keys(sweep: &Sweep, front: &Front) -> Vec<String> {
    if sweep.grid.paired {
        return Vec::new();
    }
    let runs: Vec<Vec<Vec<String>>> = sweep
        .runs
        .chunk_by(|a, b| a.cell == b.cell)
        .map(|runs| runs.iter().map(|run| cells(&run.row)).collect())
        .collect();
    let columns: Vec<&str> = row_columns().collect();
    let metric = |name: &str| METRICS.iter().any(|metric| metric.column && metric.name == name);
    let same = |a: usize, b: usize, wanted: &dyn Fn(&str) -> bool| {
        let pairs = runs[a].iter().zip(&runs[b]);
        let of = |row: &[String]| -> Vec<String> {
            let cells = row.iter().zip(&columns).filter(|(_, name)| wanted(name));
            cells.map(|(cell, _)| cell.clone()).collect()
        };
        pairs.into_iter().all(|(a, b)| of(a) == of(b))
    };
    let mut told = Vec::new();
    for (at, axis) in sweep.grid.axes.iter().enumerate() {
        let pairs = neighbours(sweep, at);
        let all = |is: &dyn Fn(usize, usize) -> bool| {
            !pairs.is_empty() && pairs.iter().all(|&(a, b)| is(a, b))
        };
        let key = &axis.key;
        if all(&|a, b| same(a, b, &|name| name == "fingerprint")) {
            told.push(format!("{key} has no effect: the runs are the same, whatever its value."));
        } else if all(&|a, b| same(a, b, &metric)) {
            told.push(format!("{key} changes no number of any run."));
        } else if runs.first().is_some_and(|runs| exceptions(runs.len()).is_some())
            && all(&|a, b| {
                let (a, b) = (&front.weighed[a], &front.weighed[b]);
                let differ = |((a, b), objective): ((&Weighed, &Weighed), Objective)| {
                    is_better(a, b, objective) || is_better(b, a, objective)
                };
                !a.iter().zip(b).zip(front.objectives).any(differ)
            })
        {
            told.push(format!(
                "{key} makes no difference to loss, availability or latency that is more than noise."
            ));
        }
    }
    told
}

/// Pairs of cells that differ in one key only: each with the first of those that share the rest.
fn neighbours(sweep: &Sweep, axis: usize) -> Vec<(usize, usize)> {
    let mut firsts: Vec<(Vec<&str>, usize)> = Vec::new();
    let mut pairs = Vec::new();
    for cell in 0..sweep.grid.cells() {
        let mut rest = sweep.grid.values(cell);
        rest.remove(axis);
        match firsts.iter().find(|(known, _)| *known == rest) {
            Some((_, first)) => pairs.push((*first, cell)),
            None => firsts.push((rest, cell)),
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(seeds: &[f64]) -> Weighed {
        Weighed { seeds: seeds.to_vec(), mean: None, range: None }
    }

    #[test]
    fn better_is_what_noise_does_not_explain() {
        let (low, high) = (weighed(&[1.0; 10]), weighed(&[2.0; 10]));
        let latency = Objective { metric: "x", what: "x", unit: Unit::Microseconds, more: false };
        assert!(is_better(&low, &high, latency) && !is_better(&high, &low, latency));
        assert!(is_better(&high, &low, AVAILABILITY));
        // Three of ten seeds go the other way: that may be luck.
        let mixed = weighed(&[2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.5, 0.5, 0.5]);
        assert!(!is_better(&low, &mixed, latency) && !is_better(&mixed, &low, latency));
        // Five seeds prove nothing.
        assert!(!is_better(&weighed(&[1.0; 5]), &weighed(&[2.0; 5]), latency));
        // What never arrives is slower than anything, and not than itself.
        let never = weighed(&[f64::INFINITY; 10]);
        assert!(is_better(&high, &never, latency) && !is_better(&never, &never, latency));
    }

    #[test]
    fn a_loss_that_was_seen_is_no_noise() {
        let none = weighed(&[0.0; 10]);
        let mut once = vec![0.0; 10];
        once[7] = 3.0;
        assert!(is_better(&none, &weighed(&once), LOSS));
        assert!(!is_better(&weighed(&once), &none, LOSS));
        let mut other = vec![0.0; 10];
        other[2] = 900.0;
        assert!(!is_better(&weighed(&once), &weighed(&other), LOSS));
    }
}
