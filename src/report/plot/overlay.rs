//! `overlay.svg`: the two sides of a comparison on the same axes.

use plotters::style::RGBColor;

use super::canvas::{self, Canvas, OPAQUE, PlotError, Type};
use super::palette::{BLUE, FRAME, GRID, INK, MUTED, ORANGE, PURPLE};
use super::panels::decade;
use super::scale::{Linear, Log, round_step, time_step};
use crate::report::compare::{Comparison, SeedTables};
use crate::report::number;
use crate::report::tables::TABLES;

type Result<T> = std::result::Result<T, PlotError>;

const WIDTH: i32 = 1100;
const LEFT: i32 = 100;
const RIGHT: i32 = 30;
const HEADER: i32 = 92;
const PANEL: i32 = 170;
const TITLE: i32 = 36;
const AXIS: i32 = 40;

/// Of A, drawn first and broader, and of B.
const COLORS: [RGBColor; 2] = [BLUE, PURPLE];
const WIDTHS: [u32; 2] = [4, 2];

/// One bucket of time: start in milliseconds, successes, lost lines.
type Bucket = (u64, u64, u64);

/// A series of points, values in the unit of the panel.
type Curve = Vec<(u64, u64)>;

/// Draws what both sides have: successes and losses over time of the first seed with both, and the
/// latency of all seeds by percentile. `None` if there is neither.
///
/// # Errors
/// [`PlotError`] if it cannot be drawn, which is a defect of mqsim.
pub(in crate::report) fn overlay_svg(comparison: &Comparison) -> Result<Option<String>> {
    let times = timelines(comparison);
    let series = "ack_latency";
    let latency: Vec<(&str, [f64; 2])> = comparison
        .latency
        .iter()
        .filter(|one| one.series == series)
        .map(|one| (one.percentile.as_str(), [one.change.first, one.change.second]))
        .collect();
    if times.is_none() && latency.is_empty() {
        return Ok(None);
    }
    let panels = if times.is_some() { 2 } else { 0 } + i32::from(!latency.is_empty());
    let height = HEADER + panels * (TITLE + PANEL + AXIS);
    let [a, b] = &comparison.sides;
    let title = format!("{} compared with {}", a.label, b.label);
    let told = "Successes and losses over time with the faults, and latency by percentile.";
    let svg = canvas::draw((WIDTH, height), &title, told, |canvas| {
        header(canvas, [&a.label, &b.label])?;
        let mut top = HEADER + TITLE;
        if let Some((seed, tables)) = &times {
            let faults = faults(comparison, *seed);
            let seed = comparison
                .pair
                .map_or(format!("seed {seed}"), |[a, b]| format!("seed {a} of A, seed {b} of B"));
            let good = format!("{seed}: messages acknowledged or accepted so far");
            let curves = tables.each_ref().map(|b| so_far(b, |b| b.1));
            over_time(canvas, top, &good, &curves, &faults)?;
            top += PANEL + AXIS + TITLE;
            let lost = format!("{seed}: lines lost so far, by when they were meant to be sent");
            let curves = tables.each_ref().map(|b| so_far(b, |b| b.2));
            over_time(canvas, top, &lost, &curves, &faults)?;
            top += PANEL + AXIS + TITLE;
        }
        if !latency.is_empty() {
            percentiles(canvas, top, &latency)?;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}

/// The timelines of the first seed that has one on both sides.
fn timelines(comparison: &Comparison) -> Option<(u64, [Vec<Bucket>; 2])> {
    let [a, b] = &comparison.sides;
    a.seeds.iter().find_map(|first| {
        let second = b.seeds.iter().find(|second| second.seed == first.seed)?;
        let (one, other) = (buckets(first), buckets(second));
        (one.len() > 1 && other.len() > 1).then_some((first.seed, [one, other]))
    })
}

fn buckets(tables: &SeedTables) -> Vec<Bucket> {
    let table = TABLES.iter().find(|table| table.file_name() == "timeline.csv");
    let columns = table.expect("it is a table").columns();
    let column = |name: &str| columns.iter().position(|c| c.name == name).expect("it is a column");
    let [start, acked, accepted, lost] = ["start_ms", "acked", "accepted", "lost"].map(column);
    let rows = tables.table("timeline.csv").into_iter().flatten();
    let bucket = |row: &Vec<String>| {
        let number = |column: usize| row[column].parse::<u64>().ok();
        Some((number(start)?, number(acked)? + number(accepted)?, number(lost)?))
    };
    rows.filter_map(bucket).collect()
}

/// A count of every bucket, summed up from the start: bursts leave the rest readable.
fn so_far(buckets: &[Bucket], count: fn(&Bucket) -> u64) -> Curve {
    let mut sum = 0;
    let curve = buckets.iter().map(|bucket| {
        sum += count(bucket);
        (bucket.0, sum)
    });
    curve.collect()
}

fn header(canvas: &mut Canvas<'_>, labels: [&str; 2]) -> Result<()> {
    canvas.text((16, 26), "A and B on the same axes", Type::plain(18, INK).bold())?;
    for ((label, color), (name, y)) in labels.iter().zip(COLORS).zip([("A", 52), ("B", 74)]) {
        canvas.fill((16, y - 5, 22, 10), color, OPAQUE)?;
        let look = Type::plain(13, INK);
        let text = canvas.fitted(&format!("{name}: {label}"), look, WIDTH - 70)?;
        canvas.text((46, y), &text, look)?;
    }
    Ok(())
}

/// A fault of a run: what it is, from when to when in milliseconds, on which sides.
struct Fault {
    what: String,
    from: u64,
    until: Option<u64>,
    sides: &'static str,
}

/// The faults of a seed: those that both sides have once.
fn faults(comparison: &Comparison, seed: u64) -> Vec<Fault> {
    let mut found: Vec<Fault> = Vec::new();
    for (side, name) in comparison.sides.iter().zip(["A", "B"]) {
        let tables = side.seeds.iter().find(|one| one.seed == seed);
        for fault in tables.map(of_side).unwrap_or_default() {
            let same = |other: &&mut Fault| {
                other.sides == "A"
                    && (&other.what, other.from, other.until)
                        == (&fault.what, fault.from, fault.until)
            };
            match found.iter_mut().find(same).filter(|_| name == "B") {
                Some(both) => both.sides = "",
                None => found.push(Fault { sides: name, ..fault }),
            }
        }
    }
    found
}

/// The faults of one run, by its rows of `events.csv`: at_us, kind, what.
fn of_side(tables: &SeedTables) -> Vec<Fault> {
    let mut found: Vec<Fault> = Vec::new();
    for row in tables.table("events.csv").into_iter().flatten().filter(|row| row[1] == "fault") {
        let at = row[0].parse::<u64>().unwrap_or(0) / 1_000;
        if let Some(what) = row[2].strip_prefix("begun: ") {
            found.push(Fault { what: what.to_owned(), from: at, until: None, sides: "" });
        } else if let Some(what) = row[2].strip_prefix("ended: ") {
            let open = found.iter_mut().find(|fault| fault.what == what && fault.until.is_none());
            if let Some(fault) = open {
                fault.until = Some(at);
            }
        }
    }
    found
}

/// A band for each fault, and its words where there is room for them.
fn bands(
    canvas: &mut Canvas<'_>,
    (top, bottom): (i32, i32),
    across: &Linear,
    faults: &[Fault],
) -> Result<()> {
    let look = Type::plain(11, INK);
    let mut free = [i32::MIN; 3];
    for fault in faults {
        let from = across.at(fault.from);
        let until = fault.until.map_or(from, |until| across.at(until));
        canvas.fill((from, top, until - from, bottom - top), ORANGE, 11)?;
        canvas.rule((from, top), (from, bottom), ORANGE, 90)?;
        let words = match fault.sides {
            "" => fault.what.clone(),
            side => format!("{side}: {}", fault.what),
        };
        let wide = canvas.width(&words, look)?;
        let at = (from + 4).min(across.end - wide - 4);
        if let Some(line) = free.iter().position(|&end| end <= at) {
            free[line] = at + wide + 10;
            canvas.text((at, top + 10 + line as i32 * 14), &words, look)?;
        }
    }
    Ok(())
}

fn over_time(
    canvas: &mut Canvas<'_>,
    top: i32,
    title: &str,
    curves: &[Curve; 2],
    faults: &[Fault],
) -> Result<()> {
    let bottom = top + PANEL;
    canvas.text((LEFT, top - 16), title, Type::plain(13, INK).bold())?;
    let points = || curves.iter().flatten();
    let end = points().map(|point| point.0).max().unwrap_or(0).max(1);
    let most = points().map(|point| point.1).max().unwrap_or(0).max(1);
    let across = Linear { low: 0, high: end, start: LEFT, end: WIDTH - RIGHT };
    let upwards = Linear { low: 0, high: most, start: bottom, end: top + 8 };
    let step = round_step(most, 4);
    for at in 0..=most / step {
        let y = upwards.at(at * step);
        canvas.rule((LEFT, y), (WIDTH - RIGHT, y), GRID, OPAQUE)?;
        let look = Type::plain(11, MUTED).ending();
        canvas.text((LEFT - 8, y), &number::grouped(at * step), look)?;
    }
    let step = (time_step(end.saturating_mul(1_000_000), 14) / 1_000_000).max(1);
    for at in 0..=end / step {
        let x = across.at(at * step);
        canvas.rule((x, bottom), (x, bottom + 5), FRAME, OPAQUE)?;
        let seconds = at * step;
        let text = match seconds % 1_000 {
            0 => format!("{} s", seconds / 1_000),
            rest => format!("{}.{:03} s", seconds / 1_000, rest),
        };
        canvas.text((x, bottom + 16), &text, Type::plain(11, MUTED).centred())?;
    }
    bands(canvas, (top, bottom), &across, faults)?;
    for ((curve, color), width) in curves.iter().zip(COLORS).zip(WIDTHS) {
        let points: Vec<(i32, i32)> =
            curve.iter().map(|&(at, value)| (across.at(at), upwards.at(value))).collect();
        canvas.path(&points, color, width)?;
    }
    canvas.outline((LEFT, top, WIDTH - RIGHT - LEFT, PANEL), FRAME)
}

/// Means over the seeds, from the median to the maximum.
fn percentiles(canvas: &mut Canvas<'_>, top: i32, latency: &[(&str, [f64; 2])]) -> Result<()> {
    let bottom = top + PANEL;
    let title = "acknowledgement latency by percentile, means over the seeds";
    canvas.text((LEFT, top - 16), title, Type::plain(13, INK).bold())?;
    let whole = |value: f64| value.max(1.0) as u64;
    let values = || latency.iter().flat_map(|(_, pair)| pair.iter().map(|value| whole(*value)));
    let (least, most) = (values().min().unwrap_or(1), values().max().unwrap_or(1));
    let upwards = Log::covering(least, most, bottom, top + 8);
    for value in upwards.decades() {
        let y = upwards.at(value);
        canvas.rule((LEFT, y), (WIDTH - RIGHT, y), GRID, OPAQUE)?;
        canvas.text((LEFT - 8, y), &decade(value), Type::plain(11, MUTED).ending())?;
    }
    let count = latency.len() as i32;
    let x = |at: usize| LEFT + (WIDTH - LEFT - RIGHT) * (2 * at as i32 + 1) / (2 * count);
    for (at, (percentile, _)) in latency.iter().enumerate() {
        let text = match *percentile {
            "100.000" => "max".to_owned(),
            other => format!("{} %", other.trim_end_matches('0').trim_end_matches('.')),
        };
        canvas.text((x(at), bottom + 16), &text, Type::plain(11, MUTED).centred())?;
    }
    for (side, (color, width)) in COLORS.into_iter().zip(WIDTHS).enumerate() {
        let points = latency.iter().enumerate();
        let points: Vec<(i32, i32)> =
            points.map(|(at, (_, pair))| (x(at), upwards.at(whole(pair[side])))).collect();
        canvas.path(&points, color, width)?;
    }
    canvas.outline((LEFT, top, WIDTH - RIGHT - LEFT, PANEL), FRAME)
}
