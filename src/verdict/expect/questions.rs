//! Numbers of a part of a run: of one producer, destination, node or span of time. The ledger answers
//! those that take a walk over its lines; windows and events are told by the report.

use super::scope::Scope;
use crate::engine::{Span, Time};
use crate::observe::{CauseId, DestinationId, NodeId, ProducerId};
use crate::verdict::history::{ACTION, ACTIONS};
use crate::verdict::metrics::{Metric, Unit};
use crate::verdict::{Fate, FinalOutcome, Report, WindowKind};

/// What is counted of lines.
#[derive(Clone, Copy, Debug)]
enum Counted {
    /// Those that end like this.
    Like(fn(&LineSeen) -> bool),
    /// Those lost for a cause.
    Cause(CauseId),
}

/// How many lines of a part of the run there are of some kind.
#[derive(Clone, Debug)]
pub struct Question {
    counted: Counted,
    scope: Scope,
}

/// Lines that ended alike, as a question sees them.
#[derive(Clone, Copy, Debug)]
pub(in crate::verdict) struct LineSeen {
    pub(in crate::verdict) producer: ProducerId,
    pub(in crate::verdict) destination: Option<DestinationId>,
    pub(in crate::verdict) outcome: FinalOutcome,
    pub(in crate::verdict) fate: Fate,
    pub(in crate::verdict) delivered: bool,
    pub(in crate::verdict) again: bool,
    /// Whether its producer was told that it is safe and no copy is left.
    pub(in crate::verdict) gone: bool,
    /// Whether it counts as lost in some class, and in which.
    pub(in crate::verdict) lost: bool,
    pub(in crate::verdict) told_lost: bool,
    pub(in crate::verdict) consumer_lost: bool,
    pub(in crate::verdict) read_lost: bool,
    /// Of one that is lost: when, where and why.
    pub(in crate::verdict) at: Time,
    pub(in crate::verdict) node: Option<NodeId>,
    pub(in crate::verdict) cause: Option<CauseId>,
}

/// Keys that narrow what a line was lost by, and what became of it otherwise.
pub(super) const OF_LOSSES: &[&str] = &["producer", "destination", "node", "from", "to"];
const OF_LINES: &[&str] = &["producer", "destination"];
const OF_WINDOWS: &[&str] = &["destination", "from", "to"];
pub(super) const OF_EVENTS: &[&str] = &["destination", "node", "from", "to"];

/// The metrics that can be told of a part of a run, and what narrows them.
pub(super) fn narrowing(metric: &Metric) -> &'static [&'static str] {
    match metric.name {
        name if like(name).is_some() => match name.ends_with("_lost") || name.ends_with("_gone") {
            true => OF_LOSSES,
            false => OF_LINES,
        },
        name if window_kind(name).is_some() => OF_WINDOWS,
        _ => &[],
    }
}

/// Which lines a metric counts.
fn like(name: &str) -> Option<fn(&LineSeen) -> bool> {
    use FinalOutcome::{Accepted, Acked, Rejected, Returned, Unknown, Unsent};
    Some(match name {
        "lines" => |_| true,
        "acked" => |line| line.outcome == Acked,
        "accepted" => |line| line.outcome == Accepted,
        "returned" => |line| line.outcome == Returned,
        "rejected" => |line| line.outcome == Rejected,
        "unknown" => |line| line.outcome == Unknown,
        "unsent" => |line| line.outcome == Unsent,
        "delivered" => |line| line.delivered,
        "delivered_again" => |line| line.again,
        "processed" => |line| line.fate == Fate::Processed,
        "dead_lettered" => |line| line.fate == Fate::DeadLettered,
        "expired" => |line| line.fate == Fate::Expired,
        "stored_at_end" => |line| line.fate == Fate::Stored,
        "unreachable_at_end" => |line| line.fate == Fate::Unreachable,
        "phantom" => |line| line.delivered && matches!(line.outcome, Unknown | Rejected),
        "success_gone" => |line| line.gone,
        "success_lost" => |line| line.told_lost && line.outcome != Unknown,
        "acked_lost" => |line| line.told_lost && line.outcome == Acked,
        "accepted_lost" => |line| line.told_lost && line.outcome == Accepted,
        "unknown_lost" => |line| line.told_lost && line.outcome == Unknown,
        "consumer_lost" => |line| line.consumer_lost,
        "read_lost" => |line| line.read_lost,
        _ => return None,
    })
}

fn window_kind(name: &str) -> Option<WindowKind> {
    Some(match name {
        "write_availability" | "write_unavailable_ms" | "write_longest_ms" => WindowKind::Write,
        "effective_write_availability" => WindowKind::EffectiveWrite,
        "read_availability" | "read_unavailable_ms" | "read_longest_ms" => WindowKind::Read,
        _ => return None,
    })
}

impl Question {
    /// How many lines a metric counts in `scope`; `None` of a metric that counts none.
    pub(super) fn of_metric(metric: &Metric, scope: &Scope) -> Option<Question> {
        Some(Question { counted: Counted::Like(like(metric.name)?), scope: scope.clone() })
    }

    /// How many lines are lost for a cause in `scope`.
    pub(super) fn of_cause(cause: CauseId, scope: &Scope) -> Question {
        Question { counted: Counted::Cause(cause), scope: scope.clone() }
    }

    /// Whether these lines are among those that are asked for.
    pub(in crate::verdict) fn counts(&self, line: &LineSeen) -> bool {
        let like = match self.counted {
            Counted::Like(like) => like(line),
            Counted::Cause(cause) => line.lost && line.cause == Some(cause),
        };
        let scope = &self.scope;
        like && scope.has_producer(line.producer)
            && scope.has_destination(line.destination)
            && (!line.lost || (scope.has_node(line.node) && scope.has_time(line.at)))
    }
}

/// A metric of windows in a part of a run; `None` if it was not measured there.
pub(super) fn of_windows(metric: &Metric, scope: &Scope, report: &Report) -> Option<f64> {
    let kind = window_kind(metric.name)?;
    let measured = report.measured.iter();
    let measured: Vec<DestinationId> = measured
        .filter(|(of, id)| *of == kind && scope.has_destination(Some(*id)))
        .map(|(_, id)| *id)
        .collect();
    let whole = (Time::ZERO + report.warmup, Time::ZERO + report.duration);
    let (from, to) = scope.clip(whole);
    let span = to.since(from);
    if measured.is_empty() || span.is_zero() {
        return None;
    }
    let lengths = |destination: DestinationId| {
        let of =
            report.windows.iter().filter(move |w| w.kind == kind && w.destination == destination);
        of.map(|window| {
            let (start, end) = scope.clip((window.start, window.end));
            end.since(start)
        })
    };
    let total = |id: DestinationId| lengths(id).fold(Span::ZERO, |sum, length| sum + length);
    if metric.unit == Unit::Share {
        let away: u64 = measured.iter().map(|id| total(*id).as_nanos()).sum();
        return Some(1.0 - away as f64 / (span.as_nanos() as f64 * measured.len() as f64));
    }
    let worst = measured.iter().map(|id| (total(*id), lengths(*id).max().unwrap_or(Span::ZERO)));
    let (unavailable, longest) = worst.max()?;
    let millis = if metric.name.ends_with("_longest_ms") { longest } else { unavailable };
    Some(millis.as_millis() as f64)
}

/// How often something happened in a part of a run, and the first time.
pub(super) fn of_events(
    (kind, what): (&str, &str),
    scope: &Scope,
    report: &Report,
) -> (u64, Option<String>) {
    let begins = ACTIONS.iter().find(|(name, _)| kind == ACTION && *name == what);
    let says = |row: &str| begins.map_or(row == what, |(_, begin)| row.starts_with(begin));
    let rows = report.events.iter().filter(|row| {
        row.kind == kind
            && says(&row.what)
            && scope.has_destination(row.destination)
            && (scope.has_node(row.node) || (row.subject.is_some() && scope.has_node(row.subject)))
            && scope.has_time(row.at)
    });
    let first = rows.clone().next().map(|row| {
        let node = row.node.map_or(String::new(), |id| format!(" on {}", report.catalog.node(id)));
        format!("first at {} ms{node}", row.at.as_millis())
    });
    (rows.count() as u64, first)
}
