//! Which faults met nodes in which phases of their lives: what random schedules have tried, as a table.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mqsim::engine::Time;
use mqsim::observe::{NodeId, NodeState};
use mqsim::verdict::{LaneState, Report};

/// The phases of the life of a broker's process or host.
pub(crate) const PHASES: [&str; 7] =
    ["booting", "up", "stopping", "paused", "killed", "dark", "stopped"];

/// How often a kind of fault has met a broker in each phase, by mode and kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells(BTreeMap<(String, String), [u64; PHASES.len()]>);

impl Cells {
    /// Counts what the faults of a run have met.
    pub(crate) fn record(&mut self, report: &Report) {
        for span in &report.faults {
            let kind = kind(report, span.fault.index());
            for node in span.targets.iter().filter(|node| is_broker(report, **node)) {
                let Some(phase) = phase(report, *node, span.begun) else { continue };
                let cells = self.0.entry((report.mode.clone(), kind.to_owned())).or_default();
                cells[phase] += 1;
            }
        }
    }

    /// Adds what others have seen.
    pub(crate) fn add(&mut self, other: &Cells) {
        for (place, counts) in &other.0 {
            let own = self.0.entry(place.clone()).or_default();
            own.iter_mut().zip(counts).for_each(|(own, count)| *own += count);
        }
    }

    /// How often a kind of fault has met a broker of a mode in a phase.
    pub(crate) fn count(&self, mode: &str, kind: &str, phase: usize) -> u64 {
        self.0.get(&(mode.to_owned(), kind.to_owned())).map_or(0, |counts| counts[phase])
    }

    /// A line for each mode and kind.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{:<18} {:<12}", "mode", "fault");
        PHASES.iter().for_each(|phase| _ = write!(text, " {phase:>8}"));
        for ((mode, kind), counts) in &self.0 {
            let _ = write!(text, "\n{mode:<18} {kind:<12}");
            counts.iter().for_each(|count| _ = write!(text, " {count:>8}"));
        }
        text + "\n"
    }
}

/// The kind of a fault: the first word by which it is told.
fn kind(report: &Report, fault: usize) -> &str {
    report.catalog.faults[fault].split(' ').next().unwrap_or("")
}

fn is_broker(report: &Report, node: NodeId) -> bool {
    let name = report.catalog.node(node);
    name.strip_prefix('n').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The phase in which a node was just before `at`: what a fault changes begins at that very instant.
fn phase(report: &Report, node: NodeId, at: Time) -> Option<usize> {
    let own = report
        .lanes
        .iter()
        .find(|lane| lane.node == node && lane.destination.is_none() && lane.broker.is_none())?;
    let met = own.stretches.iter().find(|(from, until, _)| *from < at && at <= *until)?;
    let (from, _, LaneState::Node(state)) = met else { return None };
    Some(match state {
        NodeState::Booting => 0,
        NodeState::Up if is_stopping(report, node, *from, at) => 2,
        NodeState::Up => 1,
        NodeState::Paused => 3,
        NodeState::Killed => 4,
        NodeState::PowerLost => 5,
        NodeState::Stopped => 6,
    })
}

/// Whether a node was asked to stop since it is up.
fn is_stopping(report: &Report, node: NodeId, since: Time, at: Time) -> bool {
    report.faults.iter().any(|span| {
        let asked = matches!(kind(report, span.fault.index()), "stop" | "restart");
        asked && span.targets.contains(&node) && since <= span.begun && span.begun < at
    })
}
