//! What `mqsim sweep` and `mqsim merge` print: a line a cell, the best ones marked.

use super::tables::{print, table};
use super::{Page, Tone, cut};
use crate::report::number;
use crate::report::sweep::{Aggregate, Front, Objective, Sweep, idle_keys};
use crate::verdict::{Metric, Unit};

/// At most this many cells are printed; the CSV has them all.
const ROWS: usize = 40;

/// The cells of a sweep, or of a large one those that no other beats; `shown` are the metrics that
/// are wanted instead of those by which cells are weighed.
#[must_use]
pub fn sweep(
    sweep: &Sweep,
    aggregates: &[Aggregate],
    front: &Front,
    shown: &[&'static Metric],
    color: bool,
) -> String {
    let mut out = Page::new(color);
    let (first, last) = sweep.seeds;
    let name = out.toned(Tone::Strong, &sweep.scenario);
    let (cells, runs) = (aggregates.len() as u64, sweep.runs.len() as u64);
    out.line(&format!(
        "{name} · {} · seeds {first} to {last} · {}",
        number::counted(cells, "cell"),
        number::counted(runs, "run")
    ));
    out.line("");
    let all = aggregates.len() <= ROWS;
    let order = axes(sweep);
    let keys = order.iter().map(|&axis| cut(&sweep.grid.axes[axis].key, 30));
    let mut header: Vec<String> = std::iter::once(String::new()).chain(keys).collect();
    let first_number = header.len();
    header.extend(columns(front, shown));
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let numbers: Vec<usize> = (first_number..header.len()).collect();
    let mut rows = table(&names, &numbers);
    let mut printed = 0;
    for (at, group) in front.groups.iter().enumerate() {
        let wanted = group.iter().filter(|&&cell| all || front.is_marked(cell));
        let wanted: Vec<usize> = wanted.take(ROWS - printed).copied().collect();
        // Between one weather and the next.
        if at > 0 && group.len() > 1 && !wanted.is_empty() {
            rows.add_row(vec![String::new(); header.len()]);
        }
        printed += wanted.len();
        for cell in wanted {
            rows.add_row(row(sweep, &aggregates[cell], (front, cell), &order, shown));
        }
    }
    print(&mut out, &rows);
    let left = aggregates.len() - printed;
    if left > 0 {
        let more = number::counted(left as u64, "cell");
        out.line(&format!("  and {more} more in pareto.csv"));
    }
    out.line("");
    for text in remarks(sweep, front, shown) {
        out.wrapped("", &text);
    }
    out.text
}

/// The axes as they are printed: weather first, by which the cells are grouped.
fn axes(sweep: &Sweep) -> Vec<usize> {
    let others = (0..sweep.grid.axes.len()).filter(|axis| !sweep.weather.contains(axis));
    sweep.weather.iter().copied().chain(others).collect()
}

fn columns(front: &Front, shown: &[&'static Metric]) -> Vec<String> {
    if !shown.is_empty() {
        return shown.iter().map(|metric| metric.name.to_owned()).collect();
    }
    let [_, _, latency] = front.objectives;
    let latency = latency.metric.trim_end_matches("_us").replace('_', " ");
    vec!["lost".to_owned(), "lossy seeds".to_owned(), "effective writes".to_owned(), latency]
}

fn row(
    sweep: &Sweep,
    cell: &Aggregate,
    (front, at): (&Front, usize),
    order: &[usize],
    shown: &[&'static Metric],
) -> Vec<String> {
    let mut row = vec![if front.is_marked(at) { "*" } else { "" }.to_owned()];
    let values = sweep.grid.values(cell.cell);
    row.extend(order.iter().map(|&axis| cut(values[axis], 30)));
    let fans_out = cell.mean("lines") != cell.mean("attempted");
    let number = |mean, unit: Unit| number(mean, unit.told(fans_out));
    if !shown.is_empty() {
        row.extend(shown.iter().map(|metric| number(cell.mean(metric.name), metric.unit)));
        return row;
    }
    let of = |which: usize| {
        let objective: Objective = front.objectives[which];
        number(front.weighed[at][which].mean, objective.unit)
    };
    row.push(of(0));
    let lossy = cell.measured(front.objectives[0].metric);
    row.push(lossy.map_or(String::new(), |m| format!("{} of {}", m.nonzero, m.values.count)));
    row.extend([of(1), of(2)]);
    row
}

/// A mean as people read it.
fn number(mean: Option<f64>, unit: Unit) -> String {
    match (mean, unit) {
        (None, _) => "-".to_owned(),
        (Some(f64::INFINITY), _) => "∞".to_owned(),
        (Some(mean), Unit::Share) => number::percent(mean),
        (Some(mean), Unit::Microseconds) => number::latency(mean.max(0.0) as u64),
        (Some(mean), Unit::Milliseconds) => number::latency((mean.max(0.0) * 1_000.0) as u64),
        (Some(mean), unit) => unit.print((mean * 10.0).round() / 10.0),
    }
}

/// What the stars mean, or why there are none; which keys do nothing.
fn remarks(sweep: &Sweep, front: &Front, shown: &[&'static Metric]) -> Vec<String> {
    let weather: Vec<&str> =
        sweep.weather.iter().map(|&axis| sweep.grid.axes[axis].key.as_str()).collect();
    let under = match weather.as_slice() {
        [] => String::new(),
        keys => format!(" under the same {}", keys.join(", ")),
    };
    let seeds = sweep.seeds.1 - sweep.seeds.0 + 1;
    let stars = if front.tells_any() {
        format!(
            "* marks the cells that no other{under} beats: is better in loss, effective write \
             availability or latency by more than noise (95 %, seed by seed), and worse in none."
        )
    } else if front.groups.iter().all(|group| group.len() == 1) {
        "Nothing but weather varies, so there is nothing to choose: no star. --group-by none weighs \
         all cells against each other."
            .to_owned()
    } else if seeds < 6 {
        "No star: fewer than 6 seeds tell nothing from noise. Add --seeds 1..=20.".to_owned()
    } else {
        format!("No star: no cell{under} differs from another by more than noise.")
    };
    let mut told = vec![format!("Means over the seeds. {stars}")];
    if front.has_infinite() && shown.is_empty() {
        told.push(
            "∞: more than 1 % of what producers took for safe was lost, and what is lost never \
             arrives."
                .to_owned(),
        );
    }
    told.extend(idle_keys(sweep, front));
    told
}
