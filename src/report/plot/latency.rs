//! `latency.svg`: how the latency of each series is distributed.

use plotters::style::RGBColor;

use super::canvas::{self, Canvas, OPAQUE, PlotError, Type};
use super::palette::{BLUE, FRAME, GREEN, GRID, INK, MUTED, ORANGE, PURPLE, SHADE};
use super::panels::decade;
use super::scale::{Log, log2};
use crate::report::number;
use crate::verdict::{LatencySeries, Report};

type Result<T> = std::result::Result<T, PlotError>;

const WIDTH: i32 = 1000;
const LEFT: i32 = 190;
const RIGHT: i32 = 60;
/// Right of the header and the table beneath, whose last column is centred under the last tick.
const MARGIN: i32 = 35;
const TOP: i32 = 84;
const BOTTOM: i32 = 484;
/// Height of a line of the table beneath.
const LINE: i32 = 24;

/// Thousandths of a percent, 100 %.
const ALL: u32 = 100_000;
const COLORS: [RGBColor; 5] = [BLUE, GREEN, ORANGE, PURPLE, INK];

/// The horizontal scale of HdrHistogram's plots: equal steps from 90 % to 99 % to 99.9 %; 100 %
/// has its place one step after the last.
struct Percentiles {
    /// How many nines the greatest percentile below 100 % has, at least 1.
    nines: u32,
}

impl Percentiles {
    fn of(series: &[&LatencySeries]) -> Percentiles {
        let all = series.iter().flat_map(|s| s.percentiles.iter().map(|p| p.0));
        let last = all.filter(|&p| p < ALL).max().unwrap_or(0);
        Percentiles { nines: (ALL / (ALL - last)).ilog10().max(1) }
    }

    fn at(&self, percentile: u32) -> i32 {
        let ten = log2(10);
        let range = i64::from(self.nines + 1) * ten;
        let part = if percentile >= ALL {
            range
        } else {
            // 1 / (1 - p), scaled up so that the integer logarithm has digits to work with.
            let inverse = u64::from(ALL) * 1_000_000 / u64::from(ALL - percentile);
            log2(inverse) - log2(1_000_000)
        };
        LEFT + (part.min(range) * i64::from(WIDTH - RIGHT - LEFT) / range) as i32
    }

    /// The percentiles that get a line and a column: 0, 50, then as many nines as there are, 100.
    fn ticks(&self) -> Vec<u32> {
        let nines = (1..=self.nines).map(|n| ALL - ALL / 10_u32.pow(n));
        [0, 50_000].into_iter().chain(nines).chain([ALL]).collect()
    }
}

/// Draws the percentile curves of a run.
///
/// # Errors
/// [`PlotError`] if it cannot be drawn, which is a defect of mqsim.
pub fn latency_svg(report: &Report) -> Result<String> {
    let series: Vec<&LatencySeries> =
        report.latency.iter().filter(|s| s.samples > 0 && !s.percentiles.is_empty()).collect();
    let height = BOTTOM + 52 + LINE * series.len().max(1) as i32 + 20;
    let title = format!("{}, seed {}: latency", report.scenario, report.seed);
    let told = "Percentiles of each latency, on a logarithmic scale; latency.csv has the numbers.";
    canvas::draw((WIDTH, height), &title, told, |canvas| {
        header(canvas, report)?;
        if series.is_empty() {
            let middle = (i32::midpoint(LEFT, WIDTH - RIGHT), i32::midpoint(TOP, BOTTOM));
            let look = Type::plain(14, MUTED).centred();
            return canvas.text(middle, "no latency was measured", look);
        }
        let across = Percentiles::of(&series);
        let values = || series.iter().flat_map(|s| s.percentiles.iter().map(|p| p.1.max(1)));
        let least = values().min().unwrap_or(1);
        let upwards = Log::covering(least, values().max().unwrap_or(1), BOTTOM, TOP);
        grid(canvas, &across, &upwards)?;
        for (i, one) in series.iter().enumerate() {
            // The earlier the broader: a curve stays visible beneath one that is the same.
            let width = 2 * (series.len() - i).min(3) as u32;
            curve(canvas, one, (COLORS[i % COLORS.len()], width), &across, &upwards)?;
        }
        for (i, one) in series.iter().enumerate() {
            let y = BOTTOM + 52 + LINE * i as i32 + LINE / 2;
            table_line(canvas, one, COLORS[i % COLORS.len()], &across, y)?;
        }
        Ok(())
    })
}

fn header(canvas: &mut Canvas<'_>, report: &Report) -> Result<()> {
    let mode = format!("{} {}", report.mode, report.broker_version);
    let mode_look = Type::plain(13, MUTED).ending();
    canvas.text((WIDTH - MARGIN, 26), &mode, mode_look)?;
    let heading = Type::plain(18, INK).bold();
    let room = WIDTH - MARGIN - canvas.width(&mode, mode_look)? - 40;
    let seed = format!(" · seed {} · latency", report.seed);
    let room = room - canvas.width(&seed, heading)?;
    let name = canvas.fitted(&report.scenario, heading, room)? + &seed;
    canvas.text((16, 26), &name, heading)?;
    let note = "The latency that so many of the samples did not exceed. Both scales are \
                logarithmic; the warm-up does not count.";
    canvas.text((16, 52), note, Type::plain(13, MUTED))
}

fn grid(canvas: &mut Canvas<'_>, across: &Percentiles, upwards: &Log) -> Result<()> {
    canvas.fill((LEFT, TOP, WIDTH - RIGHT - LEFT, BOTTOM - TOP), SHADE, 60)?;
    for value in upwards.between() {
        let y = upwards.at(value);
        canvas.rule((LEFT, y), (WIDTH - RIGHT, y), GRID, 60)?;
    }
    for value in upwards.decades() {
        let y = upwards.at(value);
        canvas.rule((LEFT, y), (WIDTH - RIGHT, y), FRAME, OPAQUE)?;
        canvas.text((LEFT - 10, y), &decade(value), Type::plain(12, MUTED).ending())?;
    }
    for tick in across.ticks() {
        let x = across.at(tick);
        canvas.rule((x, TOP), (x, BOTTOM + 6), FRAME, OPAQUE)?;
        let look = Type::plain(12, INK).centred();
        canvas.text((x, BOTTOM + 20), &percent(tick), look)?;
    }
    canvas.outline((LEFT, TOP, WIDTH - RIGHT - LEFT, BOTTOM - TOP), FRAME)
}

/// A percentile without needless digits: `99.9 %`, and `max` for the last.
fn percent(thousandths: u32) -> String {
    match (thousandths, thousandths % 1_000) {
        (ALL, _) => "max".to_owned(),
        (whole, 0) => format!("{} %", whole / 1_000),
        (_, rest) => {
            let digits = format!("{rest:03}");
            format!("{}.{} %", thousandths / 1_000, digits.trim_end_matches('0'))
        }
    }
}

fn curve(
    canvas: &mut Canvas<'_>,
    series: &LatencySeries,
    (color, width): (RGBColor, u32),
    across: &Percentiles,
    upwards: &Log,
) -> Result<()> {
    let points: Vec<(i32, i32)> = series
        .percentiles
        .iter()
        .map(|&(percentile, us)| (across.at(percentile), upwards.at(us)))
        .collect();
    canvas.path(&points, color, width)?;
    if points.len() <= 12 {
        for &point in &points {
            canvas.dot(point, color)?;
        }
    }
    Ok(())
}

/// The numbers of a series beneath the plot, each under its percentile.
fn table_line(
    canvas: &mut Canvas<'_>,
    series: &LatencySeries,
    color: RGBColor,
    across: &Percentiles,
    y: i32,
) -> Result<()> {
    canvas.fill((16, y - 5, 13, 10), color, OPAQUE)?;
    let name = series.name.replace('_', " ");
    canvas.text((36, y), &name, Type::plain(12, INK))?;
    for tick in across.ticks() {
        if let Some(&(_, us)) = series.percentiles.iter().find(|p| p.0 == tick) {
            let look = Type::plain(12, INK).centred();
            canvas.text((across.at(tick), y), &number::latency(us), look)?;
        }
    }
    Ok(())
}
