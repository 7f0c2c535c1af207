//! The lower half of the timeline: numbers over time.

use plotters::style::RGBColor;

use super::canvas::{Canvas, OPAQUE, PlotError, Type};
use super::palette::{
    BLUE, FRAME, GREEN, GRID, INK, LOAD, MUTED, PALE_BLUE, PALE_GREEN, SKY, VERMILION,
};
use super::scale::{Linear, Log, round_step};
use crate::engine::Span;
use crate::report::glance::line_word;
use crate::report::number;
use crate::verdict::{Bucket, Report};

type Result<T> = std::result::Result<T, PlotError>;

/// Height of a panel's title line.
pub(super) const TITLE: i32 = 32;

/// Which numbers a panel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panel {
    /// Attempted, acknowledged and delivered per second.
    Throughput,
    /// Acknowledgement latency.
    Latency,
    /// Waiting in the brokers.
    Backlog,
    /// Lost, by the time at which it was meant to be sent.
    Lost,
}

impl Panel {
    /// All of them, from top to bottom.
    pub(super) const ALL: [Panel; 4] =
        [Panel::Throughput, Panel::Latency, Panel::Backlog, Panel::Lost];

    /// Height of its plot, without the title line.
    pub(super) const fn height(self) -> i32 {
        match self {
            Panel::Throughput => 140,
            Panel::Latency => 130,
            Panel::Backlog => 80,
            Panel::Lost => 60,
        }
    }
}

/// Consecutive buckets drawn as one, so that no two share a pixel.
pub(super) struct Bins {
    /// Start and end of each in pixels, and what happened in it.
    bins: Vec<(i32, i32, Bucket)>,
    /// Nanoseconds of a bin.
    span: u64,
    /// What a line is called.
    line: &'static str,
}

/// At most this many bins: two pixels each.
const BINS: usize = 520;

impl Bins {
    /// The buckets of a report on a time axis.
    pub(super) fn new(report: &Report, time: &Linear) -> Bins {
        let bucket = report.timeline.bucket.as_nanos().max(1);
        let shown = (time.high.div_ceil(bucket) as usize).min(report.timeline.buckets.len());
        let group = shown.div_ceil(BINS).max(1);
        let span = bucket * group as u64;
        let of = |(i, buckets): (usize, &[Bucket])| {
            let start = i as u64 * span;
            (time.at(start), time.at(start + span), merged(buckets))
        };
        let bins = report.timeline.buckets[..shown].chunks(group).enumerate().map(of).collect();
        Bins { bins, span, line: line_word(report) }
    }

    /// A count of a bin per second.
    fn per_second(&self, count: u64) -> u64 {
        (u128::from(count) * 1_000_000_000 / u128::from(self.span)) as u64
    }

    /// Whether anything of the kind happened.
    fn any(&self, of: impl Fn(&Bucket) -> u64) -> bool {
        self.bins.iter().any(|(_, _, bucket)| of(bucket) > 0)
    }

    fn greatest(&self, of: impl Fn(&Bucket) -> u64) -> u64 {
        self.bins.iter().map(|(_, _, bucket)| of(bucket)).max().unwrap_or(0)
    }
}

/// Several buckets as one: sums, the last backlog, the median of the medians, the largest maximum.
fn merged(buckets: &[Bucket]) -> Bucket {
    let mut all = Bucket::default();
    let mut medians: Vec<u64> = Vec::new();
    for bucket in buckets {
        all.attempted += bucket.attempted;
        all.acked += bucket.acked;
        all.accepted += bucket.accepted;
        all.delivered += bucket.delivered;
        all.lost += bucket.lost;
        all.backlog = bucket.backlog;
        all.ack_max_us = all.ack_max_us.max(bucket.ack_max_us);
        medians.extend((bucket.ack_p50_us > 0).then_some(bucket.ack_p50_us));
    }
    medians.sort_unstable();
    all.ack_p50_us = medians.get(medians.len() / 2).copied().unwrap_or(0);
    all
}

/// A panel being drawn: where it is, and on which time axis.
pub(super) struct Place<'a> {
    /// Upper edge of the plot itself, below the title line.
    pub(super) top: i32,
    /// Lower edge.
    pub(super) bottom: i32,
    /// The shared axis.
    pub(super) time: &'a Linear,
}

/// Draws a panel's scale, curves, title and legend; its background is there already.
pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    panel: Panel,
    place: &Place<'_>,
    bins: &Bins,
) -> Result<()> {
    match panel {
        Panel::Throughput => throughput(canvas, place, bins)?,
        Panel::Latency => latency(canvas, place, bins)?,
        Panel::Backlog => backlog(canvas, place, bins)?,
        Panel::Lost => lost(canvas, place, bins)?,
    }
    let wide = place.time.end - place.time.start;
    canvas.outline((place.time.start, place.top, wide, place.bottom - place.top), FRAME)
}

fn title(
    canvas: &mut Canvas<'_>,
    place: &Place<'_>,
    name: &str,
    unit: &str,
    legend: &[(RGBColor, &str)],
) -> Result<()> {
    let middle = place.top - 11;
    let look = Type::plain(12, INK).bold();
    canvas.text((16, middle), name, look)?;
    let after = (16 + canvas.width(name, look)? + 6).max(0);
    canvas.text((after, middle), unit, Type::plain(11, MUTED))?;
    let legend: Vec<(RGBColor, String)> =
        legend.iter().map(|&(color, word)| (color, word.to_owned())).collect();
    canvas.legend(place.time.end, middle, &legend)
}

/// A label left of the plot and a line across it.
fn grid_line(canvas: &mut Canvas<'_>, place: &Place<'_>, y: i32, label: &str) -> Result<()> {
    if y > place.top && y < place.bottom {
        canvas.rule((place.time.start, y), (place.time.end, y), GRID, OPAQUE)?;
    }
    let look = Type::plain(11, MUTED).ending();
    canvas.text((place.time.start - 8, y), label, look)
}

/// A scale from 0 to a round number above `greatest`, with its lines.
fn counts(canvas: &mut Canvas<'_>, place: &Place<'_>, greatest: u64, parts: u64) -> Result<Linear> {
    let step = round_step(greatest.max(1), parts);
    let high = greatest.max(1).div_ceil(step) * step;
    let scale = Linear { low: 0, high, start: place.bottom, end: place.top + 6 };
    for tick in 0..=high / step {
        grid_line(canvas, place, scale.at(tick * step), &number::grouped(tick * step))?;
    }
    Ok(scale)
}

/// Points of a curve, a point in the middle of each bin.
fn curve(bins: &Bins, y: impl Fn(&Bucket) -> i32) -> Vec<(i32, i32)> {
    bins.bins.iter().map(|(from, until, bucket)| ((from + until) / 2, y(bucket))).collect()
}

/// The points of a curve and the axis beneath, as a polygon.
fn beneath(mut points: Vec<(i32, i32)>, bottom: i32) -> Vec<(i32, i32)> {
    if let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) {
        points.push((last.0, bottom));
        points.push((first.0, bottom));
    }
    points
}

fn throughput(canvas: &mut Canvas<'_>, place: &Place<'_>, bins: &Bins) -> Result<()> {
    let greatest = bins.greatest(|b| b.attempted.max(b.acked).max(b.accepted).max(b.delivered));
    let (shown, peak) = capped(bins, greatest);
    let scale = counts(canvas, place, bins.per_second(shown), 4)?;
    let at = |count| scale.at(bins.per_second(count));
    let mut legend = vec![(LOAD, "attempted")];
    let delivered = beneath(curve(bins, |b| at(b.delivered)), place.bottom);
    canvas.polygon(&delivered, GREEN, 30)?;
    // Broad and pale, so that it is seen beneath what was acknowledged, which is mostly the same.
    segments(canvas, bins, LOAD, 6, |b| (b.attempted > 0).then(|| at(b.attempted)))?;
    if bins.any(|b| b.acked) || !bins.any(|b| b.accepted) {
        canvas.path(&curve(bins, |b| at(b.acked)), BLUE, 2)?;
        legend.push((BLUE, "acknowledged"));
    }
    if bins.any(|b| b.accepted) {
        canvas.path(&curve(bins, |b| at(b.accepted)), SKY, 2)?;
        legend.push((SKY, "accepted without an answer"));
    }
    legend.push((PALE_GREEN, "delivered"));
    if let Some((x, words)) = peak {
        note(canvas, place, x, &words)?;
    }
    title(canvas, place, "Throughput", "messages per second", &legend)
}

/// A burst may go so far beyond what was asked for before the axis ends below its peak.
const BURST: u64 = 3;

/// How far the axis goes, and where and how high the peak is that goes beyond it: a consumer that
/// catches up would press everything else flat.
fn capped(bins: &Bins, greatest: u64) -> (u64, Option<(i32, String)>) {
    let load = bins.greatest(|b| b.attempted);
    if load == 0 || greatest <= load * BURST {
        return (greatest, None);
    }
    let of = |b: &Bucket| {
        [(b.delivered, "delivered"), (b.acked, "acknowledged"), (b.accepted, "accepted")]
    };
    let peaks = bins.bins.iter().flat_map(|(from, until, bucket)| {
        of(bucket).map(|(count, word)| (count, (from + until) / 2, word))
    });
    // The first of equal ones.
    let peak = peaks.fold((0, 0, ""), |best, one| if one.0 > best.0 { one } else { best });
    let (count, x, word) = peak;
    let words = format!("↑ up to {} {word} per second", number::grouped(bins.per_second(count)));
    (load * 3 / 2, Some((x, words)))
}

/// Words at the upper edge of a panel, beside what they are about.
fn note(canvas: &mut Canvas<'_>, place: &Place<'_>, x: i32, words: &str) -> Result<()> {
    let look = Type::plain(11, INK);
    let wide = canvas.width(words, look)?;
    // Where the peak leaves room: on its right, or else on its left.
    let at = if x + 10 + wide < place.time.end { x + 10 } else { x - 10 - wide };
    let at = at.max(place.time.start + 4);
    canvas.fill((at - 3, place.top + 2, wide + 6, 15), super::palette::PAPER, 80)?;
    canvas.text((at, place.top + 10), words, look)
}

fn latency(canvas: &mut Canvas<'_>, place: &Place<'_>, bins: &Bins) -> Result<()> {
    let legend = [(BLUE, "median"), (PALE_BLUE, "up to the largest")];
    title(canvas, place, "Ack latency", "by time of the answer, log scale", &legend)?;
    let answered = || bins.bins.iter().map(|(_, _, b)| b).filter(|b| b.ack_max_us > 0);
    let Some(least) = answered().map(|b| b.ack_p50_us.max(1)).min() else {
        return nothing(canvas, place, "no acknowledgement was measured");
    };
    let greatest = answered().map(|b| b.ack_max_us).max().unwrap_or(least);
    let scale = Log::covering(least, greatest, place.bottom, place.top + 6);
    for tick in scale.decades() {
        grid_line(canvas, place, scale.at(tick), &decade(tick))?;
    }
    for (from, until, bucket) in bins.bins.iter().filter(|(_, _, b)| b.ack_max_us > 0) {
        let (top, bottom) = (scale.at(bucket.ack_max_us), scale.at(bucket.ack_p50_us.max(1)));
        canvas.fill(
            (*from, top, (until - from).max(1), (bottom - top).max(1)),
            PALE_BLUE,
            OPAQUE,
        )?;
    }
    segments(canvas, bins, BLUE, 2, |b| (b.ack_p50_us > 0).then(|| scale.at(b.ack_p50_us)))
}

/// A power of ten of microseconds, without needless digits: `100 µs`, `10 ms`, `1 s`.
pub(super) fn decade(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", number::grouped(us / 1_000_000)),
    }
}

/// A curve with gaps where there is nothing to show.
fn segments(
    canvas: &mut Canvas<'_>,
    bins: &Bins,
    color: RGBColor,
    width: u32,
    y: impl Fn(&Bucket) -> Option<i32>,
) -> Result<()> {
    let mut run: Vec<(i32, i32)> = Vec::new();
    for (from, until, bucket) in &bins.bins {
        match y(bucket) {
            Some(y) => run.push(((from + until) / 2, y)),
            None => canvas.path(&std::mem::take(&mut run), color, width)?,
        }
    }
    canvas.path(&run, color, width)
}

fn backlog(canvas: &mut Canvas<'_>, place: &Place<'_>, bins: &Bins) -> Result<()> {
    let unit = format!("{}s in a broker, not yet delivered", bins.line);
    title(canvas, place, "Backlog", &unit, &[])?;
    let scale = counts(canvas, place, bins.greatest(|b| b.backlog), 3)?;
    let points = curve(bins, |b| scale.at(b.backlog));
    canvas.polygon(&beneath(points.clone(), place.bottom), LOAD, 45)?;
    canvas.path(&points, MUTED, 1)
}

fn lost(canvas: &mut Canvas<'_>, place: &Place<'_>, bins: &Bins) -> Result<()> {
    let total: u64 = bins.bins.iter().map(|(_, _, b)| b.lost).sum();
    let span = number::span(Span::from_nanos(bins.span));
    let unit =
        format!("{}s per {span}, by the time at which they were meant to be sent", bins.line);
    if total == 0 {
        title(canvas, place, "Lost", &unit, &[])?;
        return nothing(canvas, place, "nothing was lost");
    }
    let unit = format!("{unit}; {} in all", number::grouped(total));
    title(canvas, place, "Lost", &unit, &[])?;
    let scale = counts(canvas, place, bins.greatest(|b| b.lost), 2)?;
    for (from, until, bucket) in bins.bins.iter().filter(|(_, _, b)| b.lost > 0) {
        let top = scale.at(bucket.lost).min(place.bottom - 3);
        let area = (*from, top, (until - from).max(3), place.bottom - top);
        canvas.fill(area, VERMILION, OPAQUE)?;
    }
    Ok(())
}

fn nothing(canvas: &mut Canvas<'_>, place: &Place<'_>, why: &str) -> Result<()> {
    let middle = (i32::midpoint(place.time.start, place.time.end), (place.top + place.bottom) / 2);
    canvas.text(middle, why, Type::plain(12, MUTED).centred())
}
