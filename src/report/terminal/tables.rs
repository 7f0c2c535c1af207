//! The tables of the terminal summary.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets,
};

use super::{COLUMNS, Page, Tone, cut};
use crate::engine::{Span, Time};
use crate::observe::{BecauseId, CauseId, NodeId};
use crate::report::glance::line_word;
use crate::report::number;
use crate::verdict::{FATES, OUTCOMES, Report, Window, WindowKind};

/// At most this many rows of a table; the CSV has them all.
const ROWS: usize = 10;

/// A table without borders; columns named in `numbers` are right-aligned.
pub(super) fn table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for &column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A blank at which no cell is wrapped.
const NO_BREAK: &str = "\u{a0}";

/// A quantity and its unit, kept on one line of a cell.
fn unbroken(quantity: &str) -> String {
    quantity.replace(' ', NO_BREAK)
}

/// An instant as a cell has it.
fn instant(time: Time) -> String {
    unbroken(&number::instant(time))
}

/// A span of time as a cell has it.
fn span(of: Span) -> String {
    unbroken(&number::span(of))
}

/// Prints a table, in the width of the page. On a narrow one no word is broken: if there is no room
/// for the longest of each column, the table is wider.
pub(super) fn print(out: &mut Page, mut table: Table) {
    table.set_width(out.tables as u16 - 2);
    let longest = |cell: Option<&Cell>| {
        let words = cell.map(Cell::content).unwrap_or_default();
        words.split([' ', '\n']).map(|word| word.chars().count()).max().unwrap_or(0)
    };
    let whole = table.column_max_content_widths().iter().map(|wide| wide + 2).sum::<u16>();
    // A table that fits as it is needs no help, nor has one on a page of full width ever needed it.
    let fits = whole <= out.tables as u16 - 2 || out.tables == COLUMNS;
    let columns = if fits { 0 } else { table.column_count() };
    for column in 0..columns {
        let header = table.header().and_then(|row| row.cell_iter().nth(column));
        let cells = table.row_iter().map(|row| row.cell_iter().nth(column));
        let longest = cells.chain([header]).map(longest).max().unwrap_or(0) as u16;
        if let Some(column) = table.column_mut(column)
            && column.constraint().is_none()
        {
            let wide = Width::Fixed(longest + 2);
            column.set_constraint(ColumnConstraint::LowerBoundary(wide));
        }
    }
    for line in table.lines() {
        out.line(&format!(" {}", line.replace(NO_BREAK, " ")));
    }
}

fn and_more(out: &mut Page, rows: usize, what: &str, file: &str) {
    if rows > ROWS {
        let more = number::counted((rows - ROWS) as u64, what);
        let line = out.toned(Tone::Faint, &format!("and {more} more in {file}"));
        out.line(&format!("  {line}"));
    }
}

/// Losses of one class, cause, condition and node, taken together.
struct Group {
    class: &'static str,
    cause: Option<CauseId>,
    because: BecauseId,
    node: Option<NodeId>,
    from: Time,
    until: Time,
    lines: u64,
    ranges: Vec<(u32, u32)>,
}

/// What was lost, by cause.
pub(super) fn losses(out: &mut Page, report: &Report) {
    let groups = groups(report);
    if groups.is_empty() {
        return;
    }
    out.section("Lost");
    let what = format!("{}s", line_word(report));
    let header = [what.as_str(), "outcome", "cause", "because", "where", "when", "sequence"];
    let mut table = table(&header, &[0]);
    let catalog = &report.catalog;
    for group in groups.iter().take(ROWS) {
        let cause = group.cause.map_or("lost on its way", |id| catalog.causes[id.index()].name);
        let because = match group.because {
            BecauseId::NONE => "-",
            id => catalog.conditions[id.index()],
        };
        let when = match instant(group.from) {
            from if group.from == group.until => from,
            from => format!("{from} to {}", instant(group.until)),
        };
        table.add_row([
            number::grouped(group.lines),
            group.class.trim_end_matches("_lost").to_owned(),
            cause.to_owned(),
            because.to_owned(),
            group.node.map_or("-".to_owned(), |id| catalog.node(id).to_owned()),
            when,
            ranges(&group.ranges),
        ]);
    }
    for column in [2, 3] {
        // Names are not to be broken: the other columns have blanks to wrap at.
        let wide = table.column_max_content_widths()[column].min(28) + 2;
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(wide)));
        }
    }
    print(out, table);
    and_more(out, groups.len(), "group", "loss.csv");
}

/// The largest groups first.
fn groups(report: &Report) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for loss in &report.losses {
        let same = |g: &&mut Group| {
            (g.class, g.cause, g.because, g.node)
                == (loss.class, loss.cause, loss.because, loss.node)
        };
        let range = (loss.first, loss.last);
        if let Some(group) = groups.iter_mut().find(same) {
            group.from = group.from.min(loss.at);
            group.until = group.until.max(loss.at);
            group.lines += loss.count;
            group.ranges.push(range);
        } else {
            groups.push(Group {
                class: loss.class,
                cause: loss.cause,
                because: loss.because,
                node: loss.node,
                from: loss.at,
                until: loss.at,
                lines: loss.count,
                ranges: vec![range],
            });
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.lines));
    groups
}

/// `2961-2991`, `2961-3009 (2 runs)`.
fn ranges(ranges: &[(u32, u32)]) -> String {
    let first = ranges.iter().map(|range| range.0).min().unwrap_or(0);
    let last = ranges.iter().map(|range| range.1).max().unwrap_or(0);
    let whole = if first == last { first.to_string() } else { format!("{first}-{last}") };
    if ranges.len() > 1 { format!("{whole} ({} runs)", ranges.len()) } else { whole }
}

/// The longest unavailability windows.
pub(super) fn windows(out: &mut Page, report: &Report) {
    if report.windows.is_empty() {
        return;
    }
    out.section("Unavailable");
    let header = ["what", "destination", "from", "to", "for", "fault", "recovered after"];
    let mut table = table(&header, &[2, 3, 4, 6]);
    let mut windows: Vec<&Window> = report.windows.iter().collect();
    windows.sort_by_key(|w| (std::cmp::Reverse(w.end.since(w.start)), w.start, w.kind));
    for window in windows.iter().take(ROWS) {
        let what = match window.kind {
            WindowKind::Write => "writes",
            WindowKind::EffectiveWrite => "effective writes",
            WindowKind::Read => "reads",
        };
        let fault = window.fault.map(|id| report.catalog.faults[id.index()].as_str());
        table.add_row([
            what.to_owned(),
            cut(report.catalog.destination(window.destination), 20),
            instant(window.start),
            instant(window.end),
            span(window.end.since(window.start)),
            cut(fault.unwrap_or("-"), 28),
            match (window.open, window.tried) {
                (true, Some(tried)) => format!("not tried after {}", instant(tried)),
                (true, None) => "not recovered".to_owned(),
                (false, _) => window.recovery.map_or("-".to_owned(), span),
            },
        ]);
    }
    print(out, table);
    and_more(out, windows.len(), "window", "windows.csv");
}

/// Latency series by percentile.
pub(super) fn latency(out: &mut Page, report: &Report) {
    let measured = || report.latency.iter().filter(|series| series.samples > 0);
    if measured().next().is_none() {
        return;
    }
    out.section("Latency");
    let header = ["", "samples", "50 %", "90 %", "99 %", "99.9 %", "max"];
    let mut table = table(&header, &[1, 2, 3, 4, 5, 6]);
    for series in measured() {
        let mut row = vec![series.name.replace('_', " "), number::grouped(series.samples)];
        for wanted in [50_000, 90_000, 99_000, 99_900, 100_000] {
            let found = series.percentiles.iter().find(|(percentile, _)| *percentile == wanted);
            row.push(found.map_or("-".to_owned(), |&(_, us)| unbroken(&number::latency(us))));
        }
        table.add_row(row);
    }
    print(out, table);
}

/// The invariants that were broken, with the first violation of each.
pub(super) fn invariants(out: &mut Page, report: &Report) {
    let seen = report.catalog.invariants.iter().zip(&report.invariants);
    let broken: Vec<_> = seen.filter(|(_, tally)| tally.violations > 0).collect();
    if broken.is_empty() {
        return;
    }
    out.section("Invariants that were broken");
    for (word, tally) in broken.iter().take(ROWS) {
        let count = number::counted(tally.violations, "violation");
        let claimed = match &word.lacks[..] {
            [] => "claimed".to_owned(),
            lacks => format!("not claimed without {}", lacks.join(", ")),
        };
        out.wrapped("  ", &format!("{} ({claimed}): {count}", word.name));
        if let Some(first) = tally.first.first() {
            let node = report.catalog.node(first.node);
            let place = first
                .destination
                .map_or_else(String::new, |id| format!(", {}", report.catalog.destination(id)));
            let at = number::instant(first.at);
            out.wrapped("    ", &format!("first at {at} on {node}{place}: {}", first.detail));
        }
    }
    and_more(out, broken.len(), "invariant", "invariants.csv");
}

/// Outcome × fate in lines, without empty rows and columns; not printed where it says no more than
/// "all of them were processed".
pub(super) fn matrix(out: &mut Page, report: &Report) {
    let cells = &report.summary.matrix.cells;
    let rows: Vec<usize> = (0..6).filter(|&row| cells[row].iter().any(|&n| n > 0)).collect();
    let columns: Vec<usize> = (0..8).filter(|&c| cells.iter().any(|row| row[c] > 0)).collect();
    if rows.len() * columns.len() < 2 {
        return;
    }
    out.section(&format!(
        "What producers were told, and what became of it ({}s)",
        line_word(report)
    ));
    let header: Vec<&str> =
        std::iter::once("").chain(columns.iter().map(|&column| FATES[column])).collect();
    let numbers: Vec<usize> = (1..=columns.len()).collect();
    let mut table = table(&header, &numbers);
    for row in rows {
        let counts = columns.iter().map(|&column| match cells[row][column] {
            0 => "-".to_owned(),
            n => number::grouped(n),
        });
        let line: Vec<String> = std::iter::once(OUTCOMES[row].to_owned()).chain(counts).collect();
        table.add_row(line);
    }
    print(out, table);
}
