//! The end of a run: the load ends, faults end, nodes start; then it runs until all is quiet.

use crate::engine::{Span, Time};
use crate::observe::{NodeId, NodeState, Observer};

use super::machine::{Cluster, MessageOf, Signal, Wait, Waiting};
use super::node::Node;
use super::simulation::{Runaway, Simulation};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Time,
    /// Whether everything had come to rest; if not, the drain was over first.
    pub quiet: bool,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Producers send, faults happen.
    Load,
    /// Waiting for everything to come to rest; looked at next at this time.
    Drain(Time),
    /// Over.
    Done(Ending),
}

/// How often it is looked whether all is quiet.
const LOOK: Span = Span::from_millis(100);

/// For how long nothing must have been worth telling.
const QUIET: Span = Span::from_secs(2);

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// Runs to the end. A run whose duration reaches to [`Time::MAX`] ends, not quiet, when nothing
    /// is left to happen.
    ///
    /// # Errors
    /// [`Runaway`] if a limit was passed.
    pub fn run(&mut self) -> Result<Ending, Runaway> {
        let ending = self.run_until(Time::MAX)?;
        Ok(ending.unwrap_or(Ending { at: self.now(), quiet: false }))
    }

    /// Runs until just before `time`; returns how the run ended if it ended before. Everything that
    /// is due before `time` has then happened, and nothing that is due at `time`.
    ///
    /// # Errors
    /// [`Runaway`] if a limit was passed.
    pub fn run_until(&mut self, time: Time) -> Result<Option<Ending>, Runaway> {
        loop {
            let turn = match self.phase {
                Phase::Load => Time::ZERO + self.duration,
                Phase::Drain(look) => look,
                Phase::Done(ending) => return Ok(Some(ending)),
            };
            self.dispatch_before(turn.min(time))?;
            if time <= turn {
                return Ok(None);
            }
            match self.phase {
                Phase::Load => self.end_load(),
                _ => self.look(turn),
            }
        }
    }

    /// At `duration`: producers are told to stop, injected faults end, nodes that are down start.
    fn end_load(&mut self) {
        self.phase = Phase::Drain(self.now());
        self.busy_in_load = self.busy();
        self.devices_in_load = self.devices();
        // Those that boot from now on are told after their boot.
        for node in 0..self.world.nodes.len() as u32 {
            if self.world.nodes[node as usize].booted {
                self.signal(node, Signal::LoadEnded);
            }
        }
        self.end_all_faults();
        self.skip_late_faults();
        self.skip_late_actions();
        for node in 0..self.world.nodes.len() as u32 {
            let n = &mut self.world.nodes[node as usize];
            if n.alive && n.stopping {
                n.restarts = true;
            }
            self.start(node);
        }
        self.world.told_at = self.now();
    }

    fn look(&mut self, at: Time) {
        let quiet = self.is_quiet();
        let last = Time::ZERO + self.duration + self.drain;
        self.phase = if quiet || at >= last {
            Phase::Done(Ending { at, quiet })
        } else {
            Phase::Drain((at + LOOK).min(last))
        };
    }

    fn is_quiet(&self) -> bool {
        self.now().since(self.world.told_at) >= QUIET && self.waits().is_empty()
    }

    /// Who waits for what at this moment. At the end of a run that did not become quiet that is why.
    /// A node whose process has ended by itself when all were up is down by its own rule, for good:
    /// nobody waits for it.
    #[must_use]
    pub fn waits(&self) -> Vec<Waiting> {
        let nodes = || (0..).map(NodeId).zip(&self.world.nodes);
        let on_its_way = |node: &Node<MessageOf<C>>| match node.state {
            _ if !node.alive => None,
            NodeState::Up => None,
            NodeState::Booting => Some("the end of its start"),
            NodeState::Paused => Some("being resumed"),
            _ => Some("the end of its process"),
        };
        let states =
            nodes().filter_map(|(id, node)| Waiting::of(id, on_its_way(node).map(Wait::Borrowed)));
        let mut waits: Vec<Waiting> = states.collect();
        waits.extend(C::waits(&self.machines, &|id| self.world.nodes[id.index()].alive));
        waits.extend(self.world.stalled());
        waits
    }
}
