//! Actions: what an operator does while the cluster runs, and when.
//!
//! The world knows of an action when it is due, on which node the command is given, and how it ended.
//! What it does is the family's affair: the node's machine gets [`Signal::Command`] with the action's
//! place in the family's own list, and answers by [`Context::answer`](super::Context::answer). A node without a process cannot
//! be asked; its machine is handed the command by [`Machine::command_offline`], for tools that work on
//! the files of a node that is down.

mod parse;

pub use parse::{parse_all, section};

use crate::engine::{Ingredient, Stream, Time, hash_words};
use crate::observe::{ActionId, FaultId, FaultPhase, NodeId, NodeState, Observer};

use super::ending::Phase;
use super::event::Event;
use super::machine::{Cluster, Machine, Signal};
use super::selector::Target;
use super::simulation::{Simulation, World};

/// An action of the schedule. Its place there is its place in the family's list of what they do.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAction {
    /// Its place in the catalogue, behind the faults of the scenario.
    pub id: FaultId,
    /// When the command is given.
    pub at: Time,
    /// On which node: the first that is meant; if it names none, the first broker that is up.
    pub on: Target,
    /// As people write it, for the catalogue: `sync_queue orders`.
    pub text: String,
}

/// How a command ends: done, or refused with the words of the broker or its tool.
pub type Answer = Result<(), &'static str>;

/// What the tool says if there is no node to talk to.
pub const NODE_DOWN: &str = "nodedown";

/// A command whose answer is still to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    action: u32,
    id: FaultId,
    node: u32,
}

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// Schedules every action at its time.
    pub(crate) fn schedule_actions(&mut self) {
        for (index, action) in self.actions.iter().enumerate() {
            let event = Event::Act { index: index as u32 };
            self.world.kernel.schedule(action.at, event);
        }
    }

    /// An action of the schedule is due.
    pub(crate) fn act(&mut self, index: u32) {
        if self.phase != Phase::Load {
            return;
        }
        let PlannedAction { id, on, .. } = self.actions[index as usize].clone();
        let Some(node) = self.place_of(&on, index) else {
            return self.tell_action(id, FaultPhase::Skipped, &[]);
        };
        self.tell_action(id, FaultPhase::Begun, &[node]);
        let n = &self.world.nodes[node.index()];
        if n.alive && n.booted {
            self.world.pending.push(Pending { action: index, id, node: node.0 });
            return self.signal(node.0, Signal::Command(ActionId(index)));
        }
        let answer = if n.alive {
            Err(NODE_DOWN)
        } else {
            let nodes = &self.world.nodes;
            let up = |node: NodeId| nodes[node.index()].state == NodeState::Up;
            self.machines[node.index()].command_offline(ActionId(index), &up)
        };
        self.tell_action(id, over(answer), &[node]);
    }

    fn place_of(&mut self, on: &Target, index: u32) -> Option<NodeId> {
        if on.0.is_empty() {
            let brokers = || self.topology().brokers();
            let up = |node: &NodeId| self.world.nodes[node.index()].state == NodeState::Up;
            return brokers().find(up).or_else(|| brokers().next());
        }
        let mut stream = Stream::fixed(self.seed, &format!("action {index}"));
        let untouched = stream.digest();
        let found = self.resolve(on, &mut stream).first().copied();
        if stream.digest() != untouched {
            self.fault_draws = hash_words(&[self.fault_draws, stream.digest()]);
        }
        found
    }

    /// The process of a node is gone: whoever had given it a command hears so.
    pub(crate) fn fail_commands(&mut self, node: u32) {
        let (gone, left): (Vec<Pending>, Vec<Pending>) =
            self.world.pending.iter().partition(|pending| pending.node == node);
        self.world.pending = left;
        for pending in gone {
            self.tell_action(pending.id, FaultPhase::Failed(NODE_DOWN), &[NodeId(node)]);
        }
    }

    /// Actions that were to come at the end of the run's duration or later never do.
    pub(crate) fn skip_late_actions(&mut self) {
        let end = self.now();
        let late = self.actions.iter().filter(|action| action.at >= end);
        for id in late.map(|action| action.id).collect::<Vec<_>>() {
            self.tell_action(id, FaultPhase::Skipped, &[]);
        }
    }

    fn tell_action(&mut self, id: FaultId, phase: FaultPhase, nodes: &[NodeId]) {
        let now = self.now();
        self.world.fold_action(now, id, phase);
        self.observer.fault(now, id, phase, nodes);
    }
}

impl<M> World<M> {
    /// A command that a node was given has ended; says what to tell. An answer that comes a second
    /// time is nobody's.
    pub(crate) fn answered(
        &mut self,
        at: Time,
        node: NodeId,
        action: ActionId,
        answer: Answer,
    ) -> Option<(FaultId, FaultPhase)> {
        let this = |one: &Pending| one.action == action.0 && one.node == node.0;
        let place = self.pending.iter().position(this)?;
        let id = self.pending.remove(place).id;
        self.fold_action(at, id, over(answer));
        Some((id, over(answer)))
    }

    fn fold_action(&mut self, at: Time, id: FaultId, phase: FaultPhase) {
        let fingerprint = self.kernel.fingerprint_mut();
        fingerprint.fold(Ingredient::Faults, at.as_nanos());
        fingerprint.fold(Ingredient::Faults, u64::from(id.0) << 2 | phase.code());
    }
}

fn over(answer: Answer) -> FaultPhase {
    match answer {
        Ok(()) => FaultPhase::Ended,
        Err(why) => FaultPhase::Failed(why),
    }
}
