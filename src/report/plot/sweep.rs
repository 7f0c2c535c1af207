//! `sweep.svg`: loss, availability and latency of every cell. One key (or keys that vary together)
//! makes lines; several make heat maps, the last key across and the others down.

use plotters::style::RGBColor;

use super::canvas::{self, Canvas, OPAQUE, PlotError, Type};
use super::palette::{BLUE, FRAME, GREEN, GRID, INK, MUTED, PAPER, VERMILION};
use crate::report::number;
use crate::report::sweep::{Aggregate, Front, Objective, Sweep};
use crate::verdict::Unit;

type Result<T> = std::result::Result<T, PlotError>;

const LEFT: i32 = 110;
const RIGHT: i32 = 30;
const HEADER: i32 = 70;
const WIDTH: i32 = 1000;
/// Height of a panel of lines, and of its title.
const PANEL: i32 = 150;
const TITLE: i32 = 34;
/// Beneath a plot: values of the key, and the key.
const AXIS: i32 = 56;
/// A cell of a heat map.
const CELL: (i32, i32) = (74, 26);

/// The colours of the objectives.
const COLORS: [RGBColor; 3] = [VERMILION, GREEN, BLUE];

/// Draws the plot of a sweep.
///
/// # Errors
/// [`PlotError`] if it cannot be drawn, which is a defect of mqsim.
pub(in crate::report) fn sweep_svg(
    sweep: &Sweep,
    aggregates: &[Aggregate],
    front: &Front,
) -> Result<String> {
    if sweep.grid.axes.len() == 1 || sweep.grid.paired {
        return lines(sweep, aggregates, front);
    }
    heat(sweep, aggregates, front)
}

/// A number of an objective as people read it.
fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => number::percent(value),
        Unit::Microseconds => number::latency(value.max(0.0) as u64),
        _ if value < 100.0 => {
            let text = format!("{value:.1}");
            text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
        }
        _ => number::grouped(value.round() as u64),
    }
}

fn title(objective: Objective) -> String {
    let better = if objective.more { "more is better" } else { "less is better" };
    format!("{}: mean {} ({better})", objective.what, objective.metric)
}

fn header(canvas: &mut Canvas<'_>, sweep: &Sweep, front: &Front, width: i32) -> Result<()> {
    let heading = Type::plain(18, INK).bold();
    let name = canvas.fitted(&format!("{}: a sweep", sweep.scenario), heading, width - 32)?;
    canvas.text((16, 26), &name, heading)?;
    let best = front.beaten_by.iter().filter(|beaten| beaten.is_none()).count();
    let (first, last) = sweep.seeds;
    let said = format!(
        "{}, seeds {first} to {last} each; outlined or dotted: the {} that no other beats in all \
         three",
        number::counted(sweep.grid.cells() as u64, "cell"),
        number::counted(best as u64, "cell")
    );
    let look = Type::plain(12, MUTED);
    let said = canvas.fitted(&said, look, width - 32)?;
    canvas.text((16, 50), &said, look)
}

/// Where a value lies between two others, in thousandths.
fn part(value: f64, (low, high): (f64, f64)) -> i32 {
    if high <= low {
        return 0;
    }
    ((value - low) / (high - low) * 1_000.0).round().clamp(0.0, 1_000.0) as i32
}

/// The least and the greatest of some values; `None` of none.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

fn lines(sweep: &Sweep, aggregates: &[Aggregate], front: &Front) -> Result<String> {
    let height = HEADER + 3 * (TITLE + PANEL) + AXIS;
    let count = aggregates.len() as i32;
    let room = (WIDTH - LEFT - RIGHT) / count.max(1);
    let x = |at: usize| {
        let (whole, at) = (i64::from(WIDTH - LEFT - RIGHT), at as i64);
        LEFT + (whole * (2 * at + 1) / (2 * i64::from(count.max(1)))) as i32
    };
    canvas::draw((WIDTH, height), &format!("{}: a sweep", sweep.scenario), |canvas| {
        header(canvas, sweep, front, WIDTH)?;
        let mut top = HEADER + TITLE;
        for (objective, color) in front.objectives.into_iter().zip(COLORS) {
            canvas.text((LEFT, top - 14), &title(objective), Type::plain(13, INK).bold())?;
            panel(canvas, (top, color), objective, aggregates, front, &x)?;
            top += PANEL + TITLE;
        }
        let bottom = top - TITLE;
        // Labels that would run into each other are left out, evenly.
        let every = (60 / room.max(1) + 1) as usize;
        for at in (0..aggregates.len()).step_by(if room >= 60 { 1 } else { every }) {
            let value = sweep.grid.values(aggregates[at].cell).join(", ");
            let look = Type::plain(11, MUTED).centred();
            let value = canvas.fitted(&value, look, room.max(60) - 6)?;
            canvas.text((x(at), bottom + 16), &value, look)?;
        }
        let keys: Vec<&str> = sweep.grid.axes.iter().map(|axis| axis.key.as_str()).collect();
        let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2;
        canvas.text((middle, bottom + 38), &keys.join(", "), Type::plain(12, INK).centred())
    })
}

/// One objective over the cells: means as a line, the interval of the median as a bar.
fn panel(
    canvas: &mut Canvas<'_>,
    (top, color): (i32, RGBColor),
    objective: Objective,
    aggregates: &[Aggregate],
    front: &Front,
    x: &dyn Fn(usize) -> i32,
) -> Result<()> {
    let bottom = top + PANEL;
    let measured = || aggregates.iter().filter_map(|cell| cell.measured(objective.metric));
    let ends = measured().flat_map(|m| {
        let interval = m.values.interval;
        [Some(m.values.mean), interval.map(|i| i.low), interval.map(|i| i.high)]
    });
    let frame = (LEFT, top, WIDTH - LEFT - RIGHT, PANEL);
    let Some((low, high)) = range(ends.flatten()) else {
        canvas.outline(frame, FRAME)?;
        let look = Type::plain(12, MUTED).centred();
        return canvas.text((WIDTH / 2, top + PANEL / 2), "not measured", look);
    };
    // Counts and times begin at 0; shares of nearly 1 would all look alike.
    let low = if objective.more { low } else { 0.0 };
    let y = |value: f64| bottom - 6 - part(value, (low, high)) * (PANEL - 12) / 1_000;
    for value in [low, high] {
        canvas.rule((LEFT, y(value)), (WIDTH - RIGHT, y(value)), GRID, OPAQUE)?;
        let look = Type::plain(11, MUTED).ending();
        if value == low || high > low {
            let text = match objective.unit {
                // Ends that differ by little must not read alike.
                Unit::Share => format!("{:.3} %", value * 100.0),
                unit => shown(value, unit),
            };
            canvas.text((LEFT - 8, y(value)), &text, look)?;
        }
    }
    canvas.outline(frame, FRAME)?;
    let mut points = Vec::new();
    for (at, cell) in aggregates.iter().enumerate() {
        let Some(measured) = cell.measured(objective.metric) else { continue };
        if let Some(interval) = measured.values.interval {
            let (from, to) = (y(interval.high), y(interval.low));
            canvas.fill((x(at) - 3, from, 6, (to - from).max(1)), color, 25)?;
        }
        points.push((x(at), y(measured.values.mean)));
    }
    canvas.path(&points, color, 2)?;
    for (at, beaten) in front.beaten_by.iter().enumerate() {
        if let Some(mean) = aggregates[at].mean(objective.metric).filter(|_| beaten.is_none()) {
            canvas.dot((x(at), y(mean)), color)?;
        }
    }
    Ok(())
}

/// A colour between white and another, in thousandths of the other.
fn tint(color: RGBColor, thousandths: i32) -> RGBColor {
    let mix = |from: u8, to: u8| {
        (i32::from(from) + (i32::from(to) - i32::from(from)) * thousandths / 1_000) as u8
    };
    RGBColor(mix(PAPER.0, color.0), mix(PAPER.1, color.1), mix(PAPER.2, color.2))
}

/// The values of all axes but the last, for the rows of a heat map.
fn row_label(sweep: &Sweep, cell: usize) -> String {
    let mut values = sweep.grid.values(cell);
    values.pop();
    values.join(", ")
}

fn heat(sweep: &Sweep, aggregates: &[Aggregate], front: &Front) -> Result<String> {
    let last = sweep.grid.axes.last().expect("a sweep has an axis");
    let across = last.values.len();
    let down = aggregates.len() / across;
    // A large map is drawn small and without numbers.
    let wide = CELL.0.min(2_400 / across as i32).max(4);
    let high = CELL.1.min(2_400 / down.max(1) as i32).max(4);
    let map = (wide * across as i32, high * down as i32);
    let left = 230;
    let width = (left + map.0 + RIGHT).max(720);
    let one = TITLE + 22 + map.1 + 12;
    let height = HEADER + 3 * one + 40;
    canvas::draw((width, height), &format!("{}: a sweep", sweep.scenario), |canvas| {
        header(canvas, sweep, front, width)?;
        for (n, (objective, color)) in front.objectives.into_iter().zip(COLORS).enumerate() {
            let top = HEADER + n as i32 * one + TITLE;
            canvas.text((left, top - 16), &title(objective), Type::plain(13, INK).bold())?;
            for (at, value) in last.values.iter().enumerate().filter(|_| wide >= 30) {
                let look = Type::plain(11, MUTED).centred();
                let value = canvas.fitted(value, look, wide - 4)?;
                canvas.text((left + at as i32 * wide + wide / 2, top + 10), &value, look)?;
            }
            let place = Map { left, top: top + 22, wide, high, across };
            map_of(canvas, sweep, (objective, color), aggregates, front, &place)?;
        }
        let keys: Vec<&str> = sweep.grid.axes.iter().map(|axis| axis.key.as_str()).collect();
        let (last, others) = keys.split_last().expect("a sweep has an axis");
        let note = format!("across: {last}; down: {}", others.join(", "));
        let look = Type::plain(12, INK);
        let note = canvas.fitted(&note, look, width - 32)?;
        canvas.text((16, height - 22), &note, look)
    })
}

/// Where a heat map is and how large its cells are.
struct Map {
    left: i32,
    top: i32,
    wide: i32,
    high: i32,
    across: usize,
}

fn map_of(
    canvas: &mut Canvas<'_>,
    sweep: &Sweep,
    (objective, color): (Objective, RGBColor),
    aggregates: &[Aggregate],
    front: &Front,
    place: &Map,
) -> Result<()> {
    let means = || aggregates.iter().map(|cell| cell.mean(objective.metric));
    let range = range(means().flatten());
    for (at, mean) in means().enumerate() {
        let (row, column) = ((at / place.across) as i32, (at % place.across) as i32);
        let (x, y) = (place.left + column * place.wide, place.top + row * place.high);
        let area = (x, y, place.wide - 1, place.high - 1);
        if column == 0 && place.high >= 14 {
            let look = Type::plain(11, MUTED).ending();
            let label =
                canvas.fitted(&row_label(sweep, aggregates[at].cell), look, place.left - 24)?;
            canvas.text((x - 8, y + place.high / 2), &label, look)?;
        }
        let strength = mean.zip(range).map(|(mean, range)| part(mean, range) * 7 / 10);
        canvas.fill(area, tint(color, strength.unwrap_or(0)), OPAQUE)?;
        canvas.outline(area, GRID)?;
        if place.wide >= 56 && place.high >= 16 {
            let text = mean.map_or("-".to_owned(), |mean| shown(mean, objective.unit));
            let look = Type::plain(11, INK).centred();
            let text = canvas.fitted(&text, look, place.wide - 4)?;
            canvas.text((x + place.wide / 2, y + place.high / 2), &text, look)?;
        }
    }
    for (at, _) in front.beaten_by.iter().enumerate().filter(|(_, beaten)| beaten.is_none()) {
        let (row, column) = ((at / place.across) as i32, (at % place.across) as i32);
        let (x, y) = (place.left + column * place.wide, place.top + row * place.high);
        canvas.outline((x, y, place.wide - 1, place.high - 1), INK)?;
        canvas.outline((x + 1, y + 1, place.wide - 3, place.high - 3), INK)?;
    }
    Ok(())
}
