//! `timeline.svg`: one run from its start to its end.

use super::canvas::{self, Canvas, OPAQUE, PlotError, Type};
use super::palette::{self, FRAME, GRID, INK, MUTED, ORANGE, SHADE};
use super::panels::{self, Bins, Panel, Place};
use super::rows;
use super::scale::{Linear, time_step};
use crate::engine::Time;
use crate::report::glance::{Badge, badge, lines};
use crate::report::number;
use crate::verdict::Report;

const WIDTH: i32 = 1200;
const LEFT: i32 = 128;
const RIGHT: i32 = 24;
/// Height of title, description and headline.
const HEADER: i32 = 88;
/// Height of the axis with its labels.
const AXIS: i32 = 46;
/// Between the lanes and the panels.
const GAP: i32 = 8;

/// Draws the timeline of a run.
///
/// # Errors
/// [`PlotError`] if it cannot be drawn, which is a defect of mqsim.
pub fn timeline_svg(report: &Report) -> Result<String, PlotError> {
    let end = shown_until(report);
    let time = Linear { low: 0, high: end.as_nanos(), start: LEFT, end: WIDTH - RIGHT };
    let groups = rows::groups(report);
    // Labels are measured before the size is known; a scratch canvas has the same measures.
    let mut labels = (Vec::new(), 0);
    canvas::draw((1, 1), "", "", |scratch| {
        labels = rows::fault_labels(scratch, report, &time)?;
        Ok(())
    })?;
    let lanes: i32 = groups.iter().map(rows::Group::height).sum();
    let above = HEADER + rows::faults_height(&labels.0) + lanes + GAP;
    let panels: i32 = Panel::ALL.iter().map(|panel| panels::TITLE + panel.height()).sum();
    let height = above + panels + AXIS;
    canvas::draw((WIDTH, height), &title(report), &headline(report), |canvas| {
        header(canvas, report)?;
        let mut tops = Vec::new();
        let mut y = above;
        for panel in Panel::ALL {
            tops.push((panel, y + panels::TITLE));
            y += panels::TITLE + panel.height();
        }
        backgrounds(canvas, report, &tops, &time)?;
        bands(canvas, report, (HEADER, above - GAP), &time)?;
        for &(panel, top) in &tops {
            bands(canvas, report, (top, top + panel.height()), &time)?;
        }
        ticks(canvas, &tops, y, &time)?;
        rows::draw_faults(canvas, &labels, HEADER)?;
        let mut top = HEADER + rows::faults_height(&labels.0);
        for group in &groups {
            group.draw(canvas, top, &time)?;
            top += group.height();
        }
        let bins = Bins::new(report, &time);
        for &(panel, top) in &tops {
            let place = Place { top, bottom: top + panel.height(), time: &time };
            panels::draw(canvas, panel, &place, &bins)?;
        }
        axis_note(canvas, report, end, y)
    })
}

fn title(report: &Report) -> String {
    format!("{}, seed {}: {}", report.scenario, report.seed, badge(report).text)
}

/// The end of the axis: of the run, or shortly after the last thing that happened if the rest of a
/// long drain shows nothing.
fn shown_until(report: &Report) -> Time {
    let bucket = report.timeline.bucket;
    let busy = report.timeline.buckets.iter().rposition(|b| {
        b.attempted + b.acked + b.accepted + b.unknown + b.delivered + b.processed > 0
    });
    let busy = busy.map_or(Time::ZERO, |i| Time::ZERO + bucket * (i as u64 + 1));
    let starts = report.lanes.iter().flat_map(|lane| lane.stretches.iter().map(|s| s.0));
    let faults = report.faults.iter().map(|fault| fault.ended.unwrap_or(fault.begun));
    let windows = report.windows.iter().map(|window| window.end);
    let load = Time::ZERO + report.duration;
    let last = starts.chain(faults).chain(windows).fold(busy.max(load), Time::max);
    let room = Time::from_nanos(last.as_nanos() / 20 * 21);
    room.min(report.ended).max(load).max(Time::from_nanos(1))
}

fn header(canvas: &mut Canvas<'_>, report: &Report) -> Result<(), PlotError> {
    let heading = Type::plain(18, INK).bold();
    let mode = format!("{} {}", report.mode, report.broker_version);
    let mode_look = Type::plain(13, MUTED).ending();
    canvas.text((WIDTH - RIGHT, 26), &mode, mode_look)?;
    let Badge { text: judged, mood } = badge(report);
    let (fill, ink) = palette::mood(mood);
    let look = Type::plain(13, ink).bold();
    let wide = canvas.width(&judged, look)? + 20;
    let room = WIDTH - RIGHT - canvas.width(&mode, mode_look)? - wide - 64;
    let seed = format!(" · seed {}", report.seed);
    let room = room - canvas.width(&seed, heading)?;
    let name = canvas.fitted(&report.scenario, heading, room)? + &seed;
    canvas.text((16, 26), &name, heading)?;
    let at = 16 + canvas.width(&name, heading)? + 16;
    canvas.fill((at, 14, wide, 23), fill, OPAQUE)?;
    canvas.text((at + wide / 2, 26), &judged, look.centred())?;
    let look = Type::plain(13, INK);
    let description = canvas.fitted(&report.description, look, WIDTH - 40)?;
    canvas.text((16, 52), &description, look)?;
    let look = Type::plain(12, MUTED);
    let headline = canvas.fitted(&headline(report), look, WIDTH - 40)?;
    canvas.text((16, 72), &headline, look)
}

/// The run in one line of numbers.
fn headline(report: &Report) -> String {
    let s = &report.summary;
    let mut parts = vec![format!(
        "{} of {} lost after success",
        number::grouped(s.success_lost),
        lines(report, s.lines)
    )];
    if s.success_gone > s.success_lost {
        parts.push(format!("{} gone from every log", number::grouped(s.success_gone)));
    }
    let outage = |what: &str, share: Option<f64>, longest: Option<u64>| {
        let share = number::percent(share?);
        let gap = longest.filter(|&ms| ms > 0);
        let gap = gap.map(|ms| format!(" (longest gap {})", number::latency(ms * 1_000)));
        Some(format!("{what} available {share}{}", gap.unwrap_or_default()))
    };
    parts.extend(outage("writes", s.write_availability, s.write_longest_ms));
    parts.extend(outage("reads", s.read_availability, s.read_longest_ms));
    if let (Some(p50), Some(p99)) = (s.ack_p50_us, s.ack_p99_us) {
        let (p50, p99) = (number::latency(p50), number::latency(p99));
        parts.push(format!("ack latency p50 {p50}, p99 {p99}"));
    }
    parts.join("  ·  ")
}

/// Grey behind the parts of the panels that are not measured: warm-up and drain.
fn backgrounds(
    canvas: &mut Canvas<'_>,
    report: &Report,
    tops: &[(Panel, i32)],
    time: &Linear,
) -> Result<(), PlotError> {
    let warm = time.time(Time::ZERO + report.warmup);
    let load = time.time(Time::ZERO + report.duration);
    for &(panel, top) in tops {
        for (from, until) in [(time.start, warm), (load, time.end)] {
            if until > from {
                canvas.fill((from, top, until - from, panel.height()), SHADE, OPAQUE)?;
            }
        }
    }
    Ok(())
}

/// A band from top to bottom for each fault, a line for one that is over at once. The titles of the
/// panels are left out: an edge would cross their words.
fn bands(
    canvas: &mut Canvas<'_>,
    report: &Report,
    (top, bottom): (i32, i32),
    time: &Linear,
) -> Result<(), PlotError> {
    // Many edges side by side would look like data.
    let (start_edge, end_edge) = if report.faults.len() > 8 { (35, 20) } else { (90, 60) };
    for span in &report.faults {
        let from = time.time(span.begun);
        if let Some(ended) = span.ended {
            let until = time.time(ended);
            canvas.fill((from, top, until - from, bottom - top), ORANGE, 11)?;
            canvas.rule((until, top), (until, bottom), ORANGE, end_edge)?;
        }
        canvas.rule((from, top), (from, bottom), ORANGE, start_edge)?;
    }
    Ok(())
}

/// Lines and labels of the time axis.
fn ticks(
    canvas: &mut Canvas<'_>,
    tops: &[(Panel, i32)],
    bottom: i32,
    time: &Linear,
) -> Result<(), PlotError> {
    let step = time_step(time.high, 16);
    let minutes = step >= 60_000_000_000;
    for i in 0..=time.high / step {
        let at = i * step;
        let x = time.at(at);
        for &(panel, top) in tops {
            canvas.rule((x, top), (x, top + panel.height()), GRID, OPAQUE)?;
        }
        canvas.rule((x, bottom), (x, bottom + 5), FRAME, OPAQUE)?;
        let unit = if minutes { 60_000_000_000 } else { 1_000_000_000 };
        canvas.text((x, bottom + 15), &decimal(at, unit), Type::plain(11, MUTED).centred())?;
    }
    let unit = if minutes { "virtual time in minutes" } else { "virtual time in seconds" };
    canvas.text((time.start, bottom + 34), unit, Type::plain(11, INK))
}

/// `value / unit` with the decimals that it takes.
fn decimal(value: u64, unit: u64) -> String {
    let fraction = format!("{:09}", u128::from(value % unit) * 1_000_000_000 / u128::from(unit));
    let fraction = fraction.trim_end_matches('0');
    let whole = number::grouped(value / unit);
    if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
}

/// What the grey means, and what is not shown.
fn axis_note(
    canvas: &mut Canvas<'_>,
    report: &Report,
    end: Time,
    bottom: i32,
) -> Result<(), PlotError> {
    let mut note = "grey: warm-up and drain, not measured".to_owned();
    if end < report.ended {
        note += &format!(
            "; nothing more until the end of the run at {}",
            number::instant(report.ended)
        );
    }
    if !report.quiet {
        note += "; not quiet at the end, so fates are not final";
    }
    canvas.text((WIDTH - RIGHT, bottom + 34), &note, Type::plain(11, MUTED).ending())
}
