//! The upper half of the timeline: what the world and the cluster went through, a row a thing.

use plotters::style::RGBColor;

use super::canvas::{Canvas, OPAQUE, PlotError, Type};
use super::palette::{self, Fill, INK, MUTED, SHADE};
use super::scale::Linear;
use crate::engine::Time;
use crate::observe::DestinationId;
use crate::report::{met, number};
use crate::verdict::{Lane, LaneState, Report, WindowKind, contact_state_name, node_state_name};

/// Height of a row, and of what is drawn in it.
const PITCH: i32 = 20;
const BAR: i32 = 16;
/// Height of a group's heading.
const HEADING: i32 = 26;
/// At most this many rows of roles; the destinations whose roles changed most come first.
const ROLE_ROWS: usize = 12;

/// At most this many rows of clients' connections.
const CLIENT_ROWS: usize = 8;

/// One row: a label at the left and coloured stretches.
struct Row {
    label: String,
    stretches: Vec<Stretch>,
}

/// A coloured stretch of a row, with a word where there is room for one.
struct Stretch {
    from: Time,
    until: Time,
    fill: Fill,
    word: String,
}

/// Rows under a heading.
pub(super) struct Group {
    heading: String,
    legend: Vec<(RGBColor, String)>,
    rows: Vec<Row>,
}

impl Group {
    /// How high it is, its heading included.
    pub(super) fn height(&self) -> i32 {
        HEADING + self.rows.len() as i32 * PITCH
    }

    /// Draws it with its upper edge at `top`.
    pub(super) fn draw(
        &self,
        canvas: &mut Canvas<'_>,
        top: i32,
        time: &Linear,
    ) -> Result<(), PlotError> {
        let middle = top + HEADING / 2 + 2;
        canvas.text((16, middle), &self.heading, Type::plain(12, INK).bold())?;
        canvas.legend(time.end, middle, &self.legend)?;
        for (i, row) in self.rows.iter().enumerate() {
            let y = top + HEADING + i as i32 * PITCH;
            let look = Type::plain(12, INK).ending();
            let label = canvas.fitted(&row.label, look, time.start - 24)?;
            canvas.text((time.start - 8, y + BAR / 2), &label, look)?;
            canvas.fill((time.start, y, time.end - time.start, BAR), SHADE, OPAQUE)?;
            for stretch in &row.stretches {
                draw_stretch(canvas, stretch, y, time)?;
            }
        }
        Ok(())
    }
}

fn draw_stretch(
    canvas: &mut Canvas<'_>,
    stretch: &Stretch,
    y: i32,
    time: &Linear,
) -> Result<(), PlotError> {
    let (from, until) = (time.time(stretch.from), time.time(stretch.until));
    let wide = (until - from).max(2);
    canvas.fill((from, y, wide, BAR), stretch.fill.0, OPAQUE)?;
    let look = Type::plain(11, stretch.fill.1).centred();
    if canvas.width(&stretch.word, look)? + 8 <= wide {
        canvas.text((from + wide / 2, y + BAR / 2), &stretch.word, look)?;
    }
    Ok(())
}

/// All groups of a report, those without rows left out.
pub(super) fn groups(report: &Report) -> Vec<Group> {
    let mut groups = outages(report);
    groups.push(nodes(report));
    groups.extend(roles(report));
    groups.push(clients(report));
    groups.retain(|group| !group.rows.is_empty());
    groups
}

/// At most this many destinations of a kind of window have a row.
const WINDOW_ROWS: usize = 6;

/// Rows for the unavailability windows, one a destination, the longest away first.
fn outages(report: &Report) -> Vec<Group> {
    let kinds = [
        (WindowKind::Write, "Writes unavailable"),
        (WindowKind::EffectiveWrite, "No write that lasted"),
        (WindowKind::Read, "Reads unavailable"),
    ];
    kinds.into_iter().map(|(kind, heading)| windows(report, kind, heading)).collect()
}

fn windows(report: &Report, kind: WindowKind, heading: &str) -> Group {
    let of = |id: DestinationId| {
        report.windows.iter().filter(move |w| w.kind == kind && w.destination == id)
    };
    let mut order: Vec<(u64, DestinationId)> = (0..report.catalog.destinations.len() as u32)
        .map(DestinationId)
        .map(|id| (of(id).map(|w| w.end.since(w.start).as_nanos()).sum(), id))
        .filter(|&(away, _)| away > 0)
        .collect();
    order.sort_by_key(|&(away, id)| (std::cmp::Reverse(away), id));
    let mut heading = heading.to_owned();
    if order.len() > WINDOW_ROWS {
        let more = number::counted((order.len() - WINDOW_ROWS) as u64, "more destination");
        heading += &format!(" (and {more}: see windows.csv)");
    }
    let stretch = |window: &crate::verdict::Window| Stretch {
        from: window.start,
        until: window.end,
        fill: (INK, palette::PAPER),
        word: number::span(window.end.since(window.start)),
    };
    let row = |&(_, id): &(u64, DestinationId)| Row {
        label: report.catalog.destination(id).to_owned(),
        stretches: of(id).map(stretch).collect(),
    };
    let rows = order.iter().take(WINDOW_ROWS).map(row).collect();
    let legend = vec![(INK, "no success while one was due".to_owned())];
    Group { heading, legend, rows }
}

/// A row for each node.
fn nodes(report: &Report) -> Group {
    let lanes: Vec<&Lane> =
        report.lanes.iter().filter(|l| (l.destination, l.broker) == (None, None)).collect();
    group(report, "Nodes".to_owned(), &lanes)
}

/// A group for each destination, up to [`ROLE_ROWS`] rows in all.
fn roles(report: &Report) -> Vec<Group> {
    let of = |id| report.lanes.iter().filter(move |l: &&Lane| l.destination == Some(id));
    let mut order: Vec<(usize, DestinationId)> = (0..report.catalog.destinations.len() as u32)
        .map(DestinationId)
        .map(|id| (of(id).map(|lane| lane.stretches.len()).sum(), id))
        .filter(|&(stretches, _)| stretches > 0)
        .collect();
    order.sort_by_key(|&(stretches, id)| (std::cmp::Reverse(stretches), id));
    let mut groups = Vec::new();
    let mut rows = 0;
    for (i, &(_, id)) in order.iter().enumerate() {
        let lanes: Vec<&Lane> = of(id).collect();
        rows += lanes.len();
        if i > 0 && rows > ROLE_ROWS {
            let rest = number::counted((order.len() - i) as u64, "more destination");
            let last: &mut Group = groups.last_mut().expect("the first is always there");
            last.heading += &format!(" (and {rest}: see events.csv)");
            break;
        }
        let heading = format!("Roles for {}", report.catalog.destination(id));
        groups.push(group(report, heading, &lanes));
    }
    groups
}

/// A row for each connection of a client that was in trouble.
fn clients(report: &Report) -> Group {
    let lanes: Vec<&Lane> = report.lanes.iter().filter(|lane| lane.broker.is_some()).collect();
    let mut heading = "Connections of clients".to_owned();
    if lanes.len() > CLIENT_ROWS {
        let more = number::counted((lanes.len() - CLIENT_ROWS) as u64, "more connection");
        heading += &format!(" (and {more}: see events.csv)");
    }
    group(report, heading, &lanes[..lanes.len().min(CLIENT_ROWS)])
}

/// Lanes as rows, with a legend of what occurs in them.
fn group(report: &Report, heading: String, lanes: &[&Lane]) -> Group {
    let mut legend: Vec<(RGBColor, String)> = Vec::new();
    let mut rows = Vec::new();
    for lane in lanes {
        let mut stretches = Vec::new();
        for &(from, until, state) in &lane.stretches {
            let (fill, word) = look(report, state);
            if !legend.iter().any(|(_, known)| *known == word) {
                legend.push((fill.0, word.clone()));
            }
            stretches.push(Stretch { from, until, fill, word });
        }
        let node = report.catalog.node(lane.node);
        let label = match lane.broker {
            Some(broker) => format!("{node} → {}", report.catalog.node(broker)),
            None => node.to_owned(),
        };
        rows.push(Row { label, stretches });
    }
    Group { heading, legend, rows }
}

/// Colours and word of a state.
fn look(report: &Report, state: LaneState) -> (Fill, String) {
    match state {
        LaneState::Node(state) => (palette::node_state(state), node_state_name(state).to_owned()),
        LaneState::Role(id) => {
            let role = &report.catalog.roles[id.index()];
            (palette::role(role.rank), role.name.to_owned())
        }
        LaneState::Contact(state) => {
            (palette::contact(state), contact_state_name(state).to_owned())
        }
    }
}

/// A fault's label: its words beside its bar, on one of a few lines so that none overlap.
pub(super) struct FaultLabel {
    line: usize,
    bar: (i32, i32),
    text_at: i32,
    text: String,
}

/// At most this many lines of fault labels; further faults have their bands only.
const FAULT_LINES: usize = 6;
/// Height of a line of fault labels.
const FAULT_PITCH: i32 = 19;

/// Lays out the labels of all faults. Returns them and how many did not fit.
pub(super) fn fault_labels(
    canvas: &Canvas<'_>,
    report: &Report,
    time: &Linear,
) -> Result<(Vec<FaultLabel>, usize), PlotError> {
    let mut free_from = [i32::MIN; FAULT_LINES];
    let mut labels = Vec::new();
    for span in &report.faults {
        let text = words(report, span);
        let start = time.time(span.begun);
        let end = span.ended.map_or(start, |ended| time.time(ended)).max(start + 3);
        let width = canvas.width(&text, FAULT_TYPE)?;
        let inside = width + 12 <= end - start;
        let text_at = if inside { start + 6 } else { (end + 5).min(time.end - width) };
        let from = start.min(text_at - 4);
        let Some(line) = free_from.iter().position(|&free| free <= from) else { continue };
        free_from[line] = end.max(text_at + width) + 8;
        labels.push(FaultLabel { line, bar: (start, end), text_at, text });
    }
    let left_out = report.faults.len() - labels.len();
    Ok((labels, left_out))
}

const FAULT_TYPE: Type = Type::plain(11, INK);

/// A fault's words with the nodes that it met: `crash leader(orders) → n1`.
fn words(report: &Report, span: &crate::verdict::FaultSpan) -> String {
    let name = &report.catalog.faults[span.fault.index()];
    match met(report, span) {
        None => name.clone(),
        Some(nodes) => format!("{name} → {nodes}"),
    }
}

/// How high the fault labels are, their heading included; nothing if there was no fault.
pub(super) fn faults_height(labels: &[FaultLabel]) -> i32 {
    let lines = labels.iter().map(|label| label.line + 1).max();
    lines.map_or(0, |lines| lines as i32 * FAULT_PITCH + 10)
}

/// Draws the fault labels with their upper edge at `top`.
pub(super) fn draw_faults(
    canvas: &mut Canvas<'_>,
    (labels, left_out): &(Vec<FaultLabel>, usize),
    top: i32,
) -> Result<(), PlotError> {
    if labels.is_empty() {
        return Ok(());
    }
    let middle = top + 4 + 8;
    canvas.text((16, middle), "Faults", Type::plain(12, INK).bold())?;
    if *left_out > 0 {
        let note = format!("and {} more", number::grouped(*left_out as u64));
        canvas.text((16, middle + FAULT_PITCH), &note, Type::plain(11, MUTED))?;
    }
    for label in labels {
        let y = top + 4 + label.line as i32 * FAULT_PITCH;
        let (start, end) = label.bar;
        canvas.fill((start, y, end - start, 15), palette::ORANGE, 55)?;
        canvas.text((label.text_at, y + 8), &label.text, FAULT_TYPE)?;
    }
    Ok(())
}
