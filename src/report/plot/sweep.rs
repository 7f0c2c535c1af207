//! `sweep.svg`: a row a cell; loss, availability and latency side by side, each with its mean, the
//! interval of its median and its extremes, on an axis that all cells share.

use plotters::style::RGBColor;

use super::canvas::{self, Canvas, OPAQUE, PlotError, Type};
use super::palette::{BLUE, FRAME, GRID, INK, LOAD, MUTED, SHADE};
use super::panels::decade;
use super::scale::{Linear, Log, round_step};
use crate::report::number;
use crate::report::sweep::{Aggregate, Front, Objective, Sweep, Weighed};
use crate::verdict::Unit;

type Result<T> = std::result::Result<T, PlotError>;

const MARGIN: i32 = 16;
const HEADER: i32 = 96;
/// The names of the keys and of the objectives, above the rows.
const HEADING: i32 = 46;
const ROW: i32 = 22;
/// The heading of cells under the same weather.
const GROUP: i32 = 30;
/// Beneath the rows: numbers, and what they are.
const AXIS: i32 = 58;
/// A panel, and the room between two.
const PANEL: i32 = 250;
const GAP: i32 = 44;
/// At the right of a panel: what is infinite.
const BEYOND: i32 = 26;
/// At most this many cells are drawn; of more those that no other beats.
const ROWS: usize = 120;

/// One meaning a colour: a cell that no other beats, and all others.
const MARKED: RGBColor = BLUE;
const OTHER: RGBColor = MUTED;

/// A column of values of a key: where it begins, its axis in the grid, and its name.
struct Column {
    x: i32,
    axis: usize,
}

/// Draws the plot of a sweep.
///
/// # Errors
/// [`PlotError`] if it cannot be drawn, which is a defect of mqsim.
pub(in crate::report) fn sweep_svg(
    sweep: &Sweep,
    aggregates: &[Aggregate],
    front: &Front,
) -> Result<String> {
    let groups = drawn(front, aggregates.len());
    let mut layout = (Vec::new(), 0);
    canvas::draw((1, 1), "", "", |scratch| {
        layout = columns(scratch, sweep)?;
        Ok(())
    })?;
    let (columns, left) = layout;
    let width = left + 3 * PANEL + 2 * GAP + MARGIN + 8;
    let headed = !sweep.weather.is_empty();
    let rows: i32 = groups.iter().map(|group| group.len() as i32 * ROW).sum();
    let heads = if headed { groups.len() as i32 * GROUP } else { 0 };
    let top = HEADER + HEADING;
    let bottom = top + rows + heads + 6;
    let title = format!("{}: a sweep", sweep.scenario);
    let told = description(sweep, front);
    canvas::draw((width, bottom + AXIS), &title, &told, |canvas| {
        header(canvas, sweep, (aggregates.len(), groups.iter().map(Vec::len).sum()), width)?;
        let bold = Type::plain(12, INK).bold();
        for column in &columns {
            canvas.text((column.x, top - 14), &sweep.grid.axes[column.axis].key, bold)?;
        }
        let mut y = top;
        let mut middles = Vec::new();
        for group in &groups {
            if headed {
                canvas.fill((MARGIN, y + 4, width - 2 * MARGIN, GROUP - 8), SHADE, OPAQUE)?;
                let words = weather(sweep, group[0]);
                canvas.text((MARGIN + 6, y + GROUP / 2), &words, Type::plain(12, INK))?;
                y += GROUP;
            }
            for &cell in group {
                let values = sweep.grid.values(cell);
                let color = if front.is_marked(cell) { INK } else { MUTED };
                for column in &columns {
                    let at = (column.x, y + ROW / 2);
                    canvas.text(at, values[column.axis], Type::plain(12, color))?;
                }
                middles.push((cell, y + ROW / 2));
                y += ROW;
            }
        }
        for (at, objective) in front.objectives.into_iter().enumerate() {
            let from = left + at as i32 * (PANEL + GAP);
            let scale = Scale::of(objective, front.weighed.iter().map(|one| &one[at]), from);
            frame(canvas, objective, &scale, (top, bottom))?;
            for &(cell, y) in &middles {
                let color = if front.is_marked(cell) { MARKED } else { OTHER };
                mark(canvas, &front.weighed[cell][at], &scale, y, color)?;
            }
        }
        Ok(())
    })
}

/// The cells to draw, by weather.
fn drawn(front: &Front, cells: usize) -> Vec<Vec<usize>> {
    let mut left = ROWS;
    let mut groups = Vec::new();
    for group in &front.groups {
        let wanted = group.iter().copied().filter(|&cell| cells <= ROWS || front.is_marked(cell));
        let wanted: Vec<usize> = wanted.take(left).collect();
        left -= wanted.len();
        if !wanted.is_empty() {
            groups.push(wanted);
        }
    }
    groups
}

/// Where the columns of the keys begin, whole labels and all, and where the panels do.
fn columns(canvas: &Canvas<'_>, sweep: &Sweep) -> Result<(Vec<Column>, i32)> {
    let (mut columns, mut x) = (Vec::new(), MARGIN + 6);
    for (axis, found) in sweep.grid.axes.iter().enumerate() {
        if sweep.weather.contains(&axis) {
            continue;
        }
        let mut wide = canvas.width(&found.key, Type::plain(12, INK).bold())?;
        for value in &found.values {
            wide = wide.max(canvas.width(value, Type::plain(12, INK))?);
        }
        columns.push(Column { x, axis });
        x += wide + 20;
    }
    // A heading of the weather needs room, too.
    Ok((columns, (x + 70).max(200)))
}

/// `fault.0.for = 5s`.
fn weather(sweep: &Sweep, cell: usize) -> String {
    let values = sweep.grid.values(cell);
    let one = |&axis: &usize| format!("{} = {}", sweep.grid.axes[axis].key, values[axis]);
    sweep.weather.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What the plot shows, for those who do not see it.
fn description(sweep: &Sweep, front: &Front) -> String {
    let marked = (0..front.weighed.len()).filter(|&cell| front.is_marked(cell));
    let cells: Vec<String> =
        marked.take(12).map(|cell| sweep.grid.values(cell).join(", ")).collect();
    match cells.as_slice() {
        [] => "No cell differs from another by more than noise.".to_owned(),
        cells => format!("No other cell beats: {}.", cells.join("; ")),
    }
}

fn header(
    canvas: &mut Canvas<'_>,
    sweep: &Sweep,
    (cells, drawn): (usize, usize),
    width: i32,
) -> Result<()> {
    let heading = Type::plain(18, INK).bold();
    let name = canvas.fitted(&format!("{}: a sweep", sweep.scenario), heading, width - 32)?;
    canvas.text((MARGIN, 26), &name, heading)?;
    let (first, last) = sweep.seeds;
    let mut said = number::counted(cells as u64, "cell");
    said += &format!(", seeds {first} to {last} each");
    if drawn < cells {
        said += &format!("; drawn are the first {drawn} that no other beats");
    }
    canvas.text((MARGIN, 50), &said, Type::plain(12, MUTED))?;
    let look = Type::plain(11, INK);
    let (mut x, y) = (MARGIN + 6, 74);
    for (color, words) in
        [(MARKED, "mean; no other cell beats it"), (OTHER, "mean; beaten, or none differs")]
    {
        canvas.dot((x, y), color)?;
        canvas.text((x + 12, y), words, look)?;
        x += 12 + canvas.width(words, look)? + 26;
    }
    canvas.fill((x, y - 3, 26, 6), LOAD, OPAQUE)?;
    let words = "where the median lies (95 %)";
    canvas.text((x + 34, y), words, look)?;
    x += 34 + canvas.width(words, look)? + 22;
    canvas.rule((x, y), (x + 26, y), MUTED, OPAQUE)?;
    canvas.text((x + 34, y), "least to greatest seed", look)
}

/// From values of an objective to pixels, and the numbers on its axis.
struct Scale {
    from: i32,
    to: Kind,
    ticks: Vec<(i32, String)>,
}

enum Kind {
    Linear(Linear, f64),
    Log(Log),
}

impl Scale {
    fn of<'a>(
        objective: Objective,
        weighed: impl Iterator<Item = &'a Weighed>,
        from: i32,
    ) -> Scale {
        let (start, end) = (from + 8, from + PANEL - 8 - BEYOND);
        let ends = weighed.filter_map(|one| one.range.map(|range| (range.least, range.greatest)));
        let (low, high) = ends.fold((f64::INFINITY, 0.0_f64), |(low, high), (least, greatest)| {
            (low.min(least), high.max(greatest))
        });
        let low = if low.is_finite() { low } else { 0.0 };
        if objective.unit == Unit::Microseconds {
            let log = Log::covering(low.max(1.0) as u64, high.max(1.0) as u64, start, end);
            let ticks = log.decades().map(|value| (log.at(value), decade(value))).collect();
            return Scale { from, to: Kind::Log(log), ticks };
        }
        // In millionths of a share, and in whole lines; counts begin at 0, shares where there are
        // some, for shares of nearly 1 would all look alike.
        let (unit, low) = if objective.unit == Unit::Share { (1e6, low) } else { (1.0, 0.0) };
        let (low, high) = ((low * unit).floor() as u64, (high * unit).ceil() as u64);
        let step = round_step((high - low).max(4), 4);
        let low = low / step * step;
        let high = high.max(low + 1).div_ceil(step) * step;
        let linear = Linear { low, high, start, end };
        let text = |value: u64| match objective.unit {
            Unit::Share => {
                let text = format!("{:.4}", value as f64 / 1e4);
                format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
            }
            _ => number::grouped(value),
        };
        let values = (0..=(high - low) / step).map(|at| low + at * step);
        let ticks = values.map(|value| (linear.at(value), text(value))).collect();
        Scale { from, to: Kind::Linear(linear, unit), ticks }
    }

    fn at(&self, value: f64) -> i32 {
        match &self.to {
            Kind::Linear(linear, unit) => linear.at((value * unit).round().max(0.0) as u64),
            Kind::Log(log) => log.at(value.max(1.0) as u64),
        }
    }
}

fn frame(
    canvas: &mut Canvas<'_>,
    objective: Objective,
    scale: &Scale,
    (top, bottom): (i32, i32),
) -> Result<()> {
    let (from, middle) = (scale.from, scale.from + PANEL / 2);
    let what = match objective.unit {
        Unit::Microseconds => "Latency",
        Unit::Share => "Availability",
        _ => "Loss",
    };
    let bold = Type::plain(13, INK).bold();
    canvas.text((from, top - 14), what, bold)?;
    let better = if objective.more { "more is better →" } else { "← less is better" };
    canvas.text((from + PANEL, top - 14), better, Type::plain(11, MUTED).ending())?;
    for (at, (x, text)) in scale.ticks.iter().enumerate() {
        canvas.rule((*x, top), (*x, bottom), GRID, OPAQUE)?;
        // Decades stand closer than their names.
        if scale.ticks.len() <= 5 || at % 2 == 0 {
            canvas.text((*x, bottom + 16), text, Type::plain(11, MUTED).centred())?;
        }
    }
    canvas.outline((from, top, PANEL, bottom - top), FRAME)?;
    let unit = match objective.unit {
        Unit::Microseconds => "log scale; ∞: mostly lost".to_owned(),
        Unit::Share => "share of time".to_owned(),
        unit => format!("{} a seed", unit.name()),
    };
    let name = format!("{}, {unit}", objective.metric);
    let look = Type::plain(11, INK).centred();
    let name = canvas.fitted(&name, look, PANEL + GAP - 6)?;
    canvas.text((middle, bottom + 38), &name, look)
}

/// A cell's mean, interval and extremes.
fn mark(
    canvas: &mut Canvas<'_>,
    weighed: &Weighed,
    scale: &Scale,
    y: i32,
    color: RGBColor,
) -> Result<()> {
    let beyond = scale.from + PANEL - BEYOND / 2 - 2;
    if let Some(range) = weighed.range {
        let ends = (scale.at(range.least), scale.at(range.greatest));
        if let Some(interval) = range.interval {
            let (low, high) = (scale.at(interval.low), scale.at(interval.high));
            canvas.fill((low - 1, y - 3, (high - low).max(0) + 2, 6), LOAD, OPAQUE)?;
        }
        canvas.rule((ends.0, y), (ends.1, y), MUTED, OPAQUE)?;
    }
    match weighed.mean {
        None => canvas.text((beyond, y), "-", Type::plain(12, MUTED).centred()),
        Some(f64::INFINITY) => canvas.text((beyond, y), "∞", Type::plain(14, color).centred()),
        Some(mean) => canvas.dot((scale.at(mean), y), color),
    }
}
