//! What `mqsim sweep` and `mqsim merge` print: a line a cell, the best ones marked.

use super::tables::{print, table};
use super::{Page, Tone, cut};
use crate::report::number;
use crate::report::sweep::{Aggregate, Front, Objective, Sweep, idle_keys};
use crate::verdict::{Metric, Unit};

/// At most this many cells are printed; the CSV has them all.
const ROWS: usize = 40;
/// The columns of a long key that is printed in parts.
const PART: usize = 16;

/// The cells of a sweep, or of a large one those that no other beats; `shown` are the metrics that
/// are wanted instead of those by which cells are weighed. In so many columns.
#[must_use]
pub fn sweep(
    sweep: &Sweep,
    aggregates: &[Aggregate],
    front: &Front,
    shown: &[&'static Metric],
    color: bool,
    columns: usize,
) -> String {
    let mut out = Page::within(columns, color);
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
    let keys = keys(sweep, &order, shown.len(), out.tables);
    let mut header: Vec<String> = std::iter::once(String::new()).chain(keys).collect();
    let first_number = header.len();
    let fans_out = aggregates.iter().any(fans_out);
    header.extend(measured(front, shown, fans_out));
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
    print(&mut out, rows);
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

/// Whether a message is several lines; if not, lines are called messages.
fn fans_out(cell: &Aggregate) -> bool {
    cell.mean("lines") != cell.mean("attempted")
}

/// What the columns of the keys are called: by the keys, or where these are long, without the
/// sections that they are of, if that tells them apart.
fn keys(sweep: &Sweep, order: &[usize], shown: usize, columns: usize) -> Vec<String> {
    let whole = order.iter().map(|&axis| sweep.grid.axes[axis].key.as_str());
    let whole: Vec<&str> = whole.collect();
    // The other columns take some 60, or 15 each.
    let room = columns.saturating_sub(if shown == 0 { 62 } else { 15 * shown });
    let wide: usize = whole.iter().map(|key| key.chars().count() + 2).sum();
    let short: Vec<&str> = whole.iter().map(|key| without_section(key)).collect();
    let apart = short.iter().all(|one| short.iter().filter(|other| *other == one).count() == 1);
    let names = if wide > room && apart { short } else { whole };
    let names = names.into_iter().map(|key| cut(key, 30));
    names.map(|key| if wide > room { in_parts(&key, PART) } else { key }).collect()
}

/// A long name on several lines of at most so many columns, broken where it has parts.
pub(super) fn in_parts(key: &str, most: usize) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for part in key.split_inclusive(['.', '-', '_']) {
        if !line.is_empty() && line.chars().count() + part.chars().count() > most {
            lines.push(std::mem::take(&mut line));
        }
        line += part;
    }
    lines.push(line);
    lines.join("\n")
}

/// `ha-mode` of `policy.0.ha-mode`, `min.insync.replicas` of `broker.min.insync.replicas`.
fn without_section(key: &str) -> &str {
    let once = ["broker", "rules", "costs", "cluster"];
    match key.split_once('.') {
        Some((section, rest)) if once.contains(&section) => rest,
        Some((_, rest)) => rest.split_once('.').map_or(rest, |(_, rest)| rest),
        None => key,
    }
}

fn measured(front: &Front, shown: &[&'static Metric], fans_out: bool) -> Vec<String> {
    if !shown.is_empty() {
        return shown.iter().map(|metric| metric.name.to_owned()).collect();
    }
    let [_, _, latency] = front.objectives;
    let latency = latency.metric.trim_end_matches("_us").replace('_', " ");
    let lost = if fans_out { "lost lines" } else { "lost messages" };
    vec![lost.to_owned(), "lossy seeds".to_owned(), "effective writes".to_owned(), latency]
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
    let number = |mean, unit: Unit| number(mean, unit.told(fans_out(cell)));
    if !shown.is_empty() {
        row.extend(shown.iter().map(|metric| number(cell.mean(metric.name), metric.unit)));
        return row;
    }
    let of = |which: usize| {
        let objective: Objective = front.objectives[which];
        number(front.weighed[at][which].mean, objective.unit)
    };
    // Its unit stands above it.
    let lost = front.weighed[at][0].mean.map_or("-".to_owned(), |mean| {
        let tenths = (mean * 10.0).round() as u64;
        let tenth =
            if tenths.is_multiple_of(10) { String::new() } else { format!(".{}", tenths % 10) };
        number::grouped(tenths / 10) + &tenth
    });
    row.push(lost);
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
    let stars = if !front.tells_any() && front.groups.iter().all(|group| group.len() == 1) {
        "Nothing but weather varies, so there is nothing to choose: no star. --group-by none weighs \
         all cells against each other."
            .to_owned()
    } else {
        front.stars("cells", &under, sweep.seeds.1 - sweep.seeds.0 + 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_lose_their_section_and_break_at_their_parts() {
        for (key, short) in [
            ("broker.min.insync.replicas", "min.insync.replicas"),
            ("policy.0.ha-mode", "ha-mode"),
            ("producer.p1.request.timeout.ms", "request.timeout.ms"),
            ("duration", "duration"),
        ] {
            assert_eq!(without_section(key), short);
        }
        assert_eq!(in_parts("cluster_partition_handling", PART), "cluster_\npartition_\nhandling");
        assert_eq!(in_parts("acks", PART), "acks");
    }
}
