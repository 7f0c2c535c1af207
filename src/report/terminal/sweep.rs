//! What `mqsim sweep` and `mqsim merge` print: a line a cell, the best ones marked.

use super::tables::{print, table};
use super::{Page, Tone, cut};
use crate::report::number;
use crate::report::sweep::{Aggregate, Front, Objective, Sweep};
use crate::verdict::Unit;

/// At most this many cells are printed; the CSV has them all.
const ROWS: usize = 40;

/// The cells of a sweep, or of a large one those that no other beats.
#[must_use]
pub fn sweep(sweep: &Sweep, aggregates: &[Aggregate], front: &Front, color: bool) -> String {
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
    let is_best = |at: usize| front.beaten_by[at].is_none();
    let all = aggregates.len() <= ROWS;
    let shown: Vec<usize> =
        (0..aggregates.len()).filter(|&at| all || is_best(at)).take(ROWS).collect();
    let keys = sweep.grid.axes.iter().map(|axis| cut(&axis.key, 30));
    let mut header: Vec<String> = std::iter::once(String::new()).chain(keys).collect();
    let first_number = header.len();
    let [_, _, latency] = front.objectives;
    header.extend(["lost".to_owned(), "lossy seeds".to_owned(), "effective writes".to_owned()]);
    header.push(latency.metric.trim_end_matches("_us").replace('_', " "));
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let numbers: Vec<usize> = (first_number..header.len()).collect();
    let mut rows = table(&names, &numbers);
    for &at in &shown {
        rows.add_row(row(sweep, &aggregates[at], front, is_best(at)));
    }
    print(&mut out, &rows);
    let left = aggregates.len() - shown.len();
    if left > 0 {
        let more = number::counted(left as u64, "cell");
        out.line(&format!("  and {more} more in pareto.csv"));
    }
    out.line("");
    out.wrapped(
        "",
        "Means over the seeds. * marks the cells that no other beats in all of loss, effective \
         write availability and latency.",
    );
    out.text
}

fn row(sweep: &Sweep, cell: &Aggregate, front: &Front, best: bool) -> Vec<String> {
    let mut row = vec![if best { "*" } else { "" }.to_owned()];
    row.extend(sweep.grid.values(cell.cell).into_iter().map(|value| cut(value, 30)));
    let [loss, availability, latency] = front.objectives;
    row.push(mean(cell, loss));
    let lossy = cell.measured(loss.metric);
    row.push(lossy.map_or(String::new(), |m| format!("{} of {}", m.nonzero, m.values.count)));
    row.push(mean(cell, availability));
    row.push(mean(cell, latency));
    row
}

fn mean(cell: &Aggregate, objective: Objective) -> String {
    let Some(mean) = cell.mean(objective.metric) else { return "-".to_owned() };
    match objective.unit {
        Unit::Share => number::percent(mean),
        Unit::Microseconds => number::latency(mean.max(0.0) as u64),
        unit => unit.print((mean * 10.0).round() / 10.0),
    }
}
