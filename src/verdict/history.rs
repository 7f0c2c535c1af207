//! What happened to the cluster: rows of `events.csv`, lanes of the timeline plot, faults.

use std::collections::BTreeMap;

use super::clients::Clients;
use crate::engine::Time;
use crate::observe::{
    Catalog, DestinationId, Event, FaultId, FaultPhase, NodeId, NodeKind, NodeState, RoleId,
    RoleRank,
};
use crate::verdict::{EventRow, FaultSpan, Lane, LaneState};

/// Rows that `events.csv` has at most; those beyond are counted only.
const MOST_ROWS: usize = 100_000;

/// (when, which role from then on).
type RoleChanges = Vec<(Time, Option<RoleId>)>;

#[derive(Clone, Copy, Debug)]
enum What {
    Fault(FaultId, FaultPhase),
    Node(NodeState),
    Role(Option<RoleId>),
    Event(Event),
}

#[derive(Clone, Copy, Debug)]
struct Row {
    at: Time,
    node: Option<NodeId>,
    destination: Option<DestinationId>,
    what: What,
}

/// Everything that is told by time rather than counted.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    rows: Vec<Row>,
    /// How many rows were left out.
    pub(super) left_out: u64,
    /// (when it was due, fault) of those that never began.
    pub(super) never_begun: Vec<(Time, FaultId)>,
    /// (begin, fault), in the order in which they began.
    faults: Vec<(Time, FaultId)>,
    /// The same with their ends and targets, for the plot.
    pub(super) spans: Vec<FaultSpan>,
    /// Changes of state by node; a node is up until it is said to be something else.
    nodes: BTreeMap<NodeId, Vec<(Time, NodeState)>>,
    /// Changes of role by destination and node.
    roles: BTreeMap<(DestinationId, NodeId), RoleChanges>,
    /// What became of clients' connections.
    pub(super) clients: Clients,
}

impl History {
    fn push(&mut self, row: Row) {
        if self.rows.len() < MOST_ROWS {
            self.rows.push(row);
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn fault(&mut self, at: Time, id: FaultId, phase: FaultPhase, targets: &[NodeId]) {
        match phase {
            FaultPhase::Begun => {
                self.faults.push((at, id));
                let targets = targets.to_vec();
                self.spans.push(FaultSpan { fault: id, begun: at, ended: None, targets });
            }
            FaultPhase::Ended | FaultPhase::Failed(_) => {
                let open = |span: &&mut FaultSpan| span.fault == id && span.ended.is_none();
                if let Some(span) = self.spans.iter_mut().rev().find(open) {
                    span.ended = Some(at);
                }
            }
            FaultPhase::Skipped => self.never_begun.push((at, id)),
        }
        let what = What::Fault(id, phase);
        if targets.is_empty() {
            self.push(Row { at, node: None, destination: None, what });
        }
        for &target in targets {
            self.push(Row { at, node: Some(target), destination: None, what });
        }
    }

    pub(super) fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        self.nodes.entry(node).or_default().push((at, state));
        if matches!(state, NodeState::Killed | NodeState::PowerLost | NodeState::Stopped) {
            self.clients.gone(at, node);
        }
        self.push(Row { at, node: Some(node), destination: None, what: What::Node(state) });
    }

    pub(super) fn role(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        role: Option<RoleId>,
    ) {
        self.roles.entry((destination, node)).or_default().push((at, role));
        let destination = Some(destination);
        self.push(Row { at, node: Some(node), destination, what: What::Role(role) });
    }

    pub(super) fn event(&mut self, at: Time, event: Event) {
        let (node, destination) = (Some(event.node), event.destination);
        self.push(Row { at, node, destination, what: What::Event(event) });
    }

    pub(super) fn first_fault(&self) -> Option<Time> {
        self.faults.first().map(|(begun, _)| *begun)
    }

    /// The last fault that had begun by that time.
    pub(super) fn last_fault(&self, by: Time) -> Option<(Time, FaultId)> {
        self.faults.iter().rev().find(|(begun, _)| *begun <= by).copied()
    }

    /// When no node that was up led a destination; nothing if none ever did.
    pub(super) fn leaderless(
        &self,
        destination: DestinationId,
        catalog: &Catalog,
        ended: Time,
    ) -> Vec<(Time, Time)> {
        let every = (destination, NodeId(0))..=(destination, NodeId(u32::MAX));
        let is_leader = |role: RoleId| catalog.roles[role.index()].rank == RoleRank::Leader;
        let mut changes: Vec<(Time, NodeId, Option<bool>, Option<bool>)> = Vec::new();
        for ((_, node), roles) in self.roles.range(every) {
            let leads = |role: &Option<RoleId>| Some(role.is_some_and(is_leader));
            changes.extend(roles.iter().map(|(at, role)| (*at, *node, leads(role), None)));
            let states = self.nodes.get(node).into_iter().flatten();
            let up = |state: NodeState| Some(state == NodeState::Up);
            changes.extend(states.map(|(at, state)| (*at, *node, None, up(*state))));
        }
        changes.sort_by_key(|change| change.0);
        let mut nodes: BTreeMap<NodeId, (bool, bool)> = BTreeMap::new();
        let (mut since, mut found, mut ever) = (Some(Time::ZERO), Vec::new(), false);
        for (at, node, leads, up) in changes {
            let state = nodes.entry(node).or_insert((false, true));
            *state = (leads.unwrap_or(state.0), up.unwrap_or(state.1));
            let led = nodes.values().any(|(leads, up)| *leads && *up);
            ever |= led;
            match since {
                Some(from) if led => {
                    found.push((from, at));
                    since = None;
                }
                None if !led => since = Some(at),
                _ => {}
            }
        }
        found.extend(since.map(|from| (from, ended)));
        found.retain(|(from, to)| ever && from < to);
        found
    }

    /// The rows of `events.csv`, by time.
    pub(super) fn rows(&self, catalog: &Catalog) -> Vec<EventRow> {
        let mut rows: Vec<EventRow> = self.rows.iter().map(|row| row.report(catalog)).collect();
        rows.extend(self.clients.rows(catalog));
        rows.sort_by_key(|row| row.at);
        rows
    }

    /// The lanes of the plot: the brokers' states, other hosts' if they ever changed, then roles, then
    /// clients' connections where there was trouble.
    pub(super) fn lanes(&self, catalog: &Catalog, ended: Time) -> Vec<Lane> {
        let mut lanes = Vec::new();
        for index in 0..catalog.nodes.len() as u32 {
            let node = NodeId(index);
            let changes = self.nodes.get(&node).map_or(&[][..], Vec::as_slice);
            let start = (Time::ZERO, Some(LaneState::Node(NodeState::Up)));
            let changes = changes.iter().map(|(at, state)| (*at, Some(LaneState::Node(*state))));
            let stretches = stretches(std::iter::once(start).chain(changes), ended);
            let up = |stretch: &(_, _, _)| stretch.2 == LaneState::Node(NodeState::Up);
            if catalog.nodes[node.index()].kind != NodeKind::Broker && stretches.iter().all(up) {
                continue;
            }
            lanes.push(Lane { node, destination: None, broker: None, stretches });
        }
        for (&(destination, node), changes) in &self.roles {
            let changes = changes.iter().map(|(at, role)| (*at, role.map(LaneState::Role)));
            let stretches = stretches(changes, ended);
            lanes.push(Lane { node, destination: Some(destination), broker: None, stretches });
        }
        lanes.extend(self.clients.lanes(catalog, ended));
        lanes
    }

    pub(super) fn heap(&self) -> usize {
        let nodes = self.nodes.values().map(|changes| changes.capacity() * 24).sum::<usize>();
        let roles = self.roles.values().map(|changes| changes.capacity() * 24).sum::<usize>();
        self.rows.capacity() * size_of::<Row>()
            + self.faults.capacity() * 16
            + nodes
            + roles
            + self.clients.heap()
    }
}

/// Turns changes into stretches; equal neighbours are joined, empty stretches left out.
pub(super) fn stretches(
    changes: impl Iterator<Item = (Time, Option<LaneState>)>,
    ended: Time,
) -> Vec<(Time, Time, LaneState)> {
    let mut stretches: Vec<(Time, Time, LaneState)> = Vec::new();
    let mut changes = changes.peekable();
    while let Some((from, state)) = changes.next() {
        let until = changes.peek().map_or(ended, |(at, _)| *at);
        let Some(state) = state.filter(|_| from < until) else { continue };
        match stretches.last_mut() {
            Some(last) if last.1 == from && last.2 == state => last.1 = until,
            _ => stretches.push((from, until, state)),
        }
    }
    stretches
}

impl Row {
    fn report(&self, catalog: &Catalog) -> EventRow {
        let (kind, what) = match self.what {
            What::Fault(id, phase) => {
                let acts = catalog.is_action(id);
                let name = &catalog.faults[id.index()];
                let (word, why) = match phase {
                    FaultPhase::Begun if acts => ("given", None),
                    FaultPhase::Begun => ("begun", None),
                    FaultPhase::Ended if acts => ("done", None),
                    FaultPhase::Ended => ("ended", None),
                    FaultPhase::Skipped => ("skipped", None),
                    FaultPhase::Failed(why) => ("failed", Some(why)),
                };
                let why = why.map_or(String::new(), |why| format!(" ({why})"));
                (if acts { ACTION } else { "fault" }, format!("{word}: {name}{why}"))
            }
            What::Node(state) => ("node", node_state_name(state).to_owned()),
            What::Role(role) => {
                let name = role.map_or("none", |role| catalog.roles[role.index()].name);
                ("role", name.to_owned())
            }
            What::Event(event) => ("event", catalog.events[event.word.index()].name.to_owned()),
        };
        let (subject, count) = match self.what {
            What::Event(event) => (event.subject, event.count),
            _ => (None, 0),
        };
        let (node, destination) = (self.node, self.destination);
        EventRow { at: self.at, kind, what, node, destination, subject, count }
    }
}

/// The kind of rows that tell of an operator's actions.
pub(super) const ACTION: &str = "action";

/// What `[[expect]]` can count of actions, each with how the rows begin that tell of it.
pub const ACTIONS: [(&str, &str); 4] = [
    ("action-given", "given: "),
    ("action-done", "done: "),
    ("action-failed", "failed: "),
    ("action-skipped", "skipped: "),
];

/// A node's state as `events.csv` spells it.
#[must_use]
pub const fn node_state_name(state: NodeState) -> &'static str {
    match state {
        NodeState::Booting => "booting",
        NodeState::Up => "up",
        NodeState::Killed => "killed",
        NodeState::PowerLost => "power-lost",
        NodeState::Stopped => "stopped",
        NodeState::Paused => "paused",
    }
}

/// The names of all states of a node.
pub const NODE_STATES: [&str; 6] = [
    node_state_name(NodeState::Booting),
    node_state_name(NodeState::Up),
    node_state_name(NodeState::Killed),
    node_state_name(NodeState::PowerLost),
    node_state_name(NodeState::Stopped),
    node_state_name(NodeState::Paused),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_span_with_its_end_and_its_targets() {
        let mut history = History::default();
        let at = Time::from_nanos;
        history.fault(at(5), FaultId(1), FaultPhase::Begun, &[NodeId(2)]);
        history.fault(at(6), FaultId(0), FaultPhase::Skipped, &[]);
        history.fault(at(7), FaultId(2), FaultPhase::Begun, &[]);
        history.fault(at(9), FaultId(1), FaultPhase::Ended, &[NodeId(2)]);
        let [first, second] = history.spans.as_slice() else { panic!("two faults began") };
        assert_eq!((first.fault, first.begun, first.ended), (FaultId(1), at(5), Some(at(9))));
        assert_eq!(first.targets, [NodeId(2)]);
        assert_eq!((second.fault, second.ended), (FaultId(2), None));
    }
}
