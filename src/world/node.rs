//! A node: one host, its process, its processors, and what waits while the process is frozen.

use std::collections::VecDeque;

use crate::engine::{Span, Stream, Time};
use crate::observe::NodeState;

use super::clock::Clock;
use super::lane::Lanes;
use super::machine::{Input, Lane, Port};
use super::network::CpuSpec;

/// What a frozen process finds when it goes on, in the order in which it came.
#[derive(Clone, Debug)]
pub(crate) enum Owed<M> {
    /// An input for a lane.
    Input { lane: Lane, input: Input<M> },
    /// One segment of the flow that side `end` sends.
    Read { end: u32 },
    /// The completion of an fsync for which the lane is blocked.
    Unblock { lane: Lane, input: Input<M> },
    /// An input that was held up in the kernel may go on.
    GoOn { slot: u32 },
}

/// The faults (by their place in the schedule) that keep a node's process from running. Lists, not
/// counts: a fault takes back what it did itself, and that once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    /// Those that want the process to be down.
    pub(crate) down: Vec<u32>,
    /// Those that keep the host without power.
    pub(crate) power: Vec<u32>,
    /// Those that freeze this incarnation of the process.
    pub(crate) pause: Vec<u32>,
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Node<M> {
    pub(crate) state: NodeState,
    /// Whether there is a process.
    pub(crate) alive: bool,
    /// Whether it is frozen, since when, and what it was before.
    pub(crate) paused: bool,
    pub(crate) paused_at: Time,
    before_pause: NodeState,
    /// Whether the process was asked to stop.
    pub(crate) stopping: bool,
    /// Whether it starts again as soon as it has ended and nothing keeps it down.
    pub(crate) restarts: bool,
    pub(crate) holds: Holds,
    /// Which start of the process this is, from 0; meaningless before the first.
    pub(crate) incarnation: u32,
    pub(crate) started: bool,
    /// Whether the process has been told that it starts.
    pub(crate) booted: bool,
    pub(crate) lanes: Lanes<M>,
    pub(crate) stream: Stream,
    pub(crate) busy: Span,
    /// The host's; it goes on whatever becomes of the process.
    pub(crate) clock: Clock,
    ports: Vec<Port>,
    cores: Vec<Time>,
    percent: u64,
    pub(crate) owed: VecDeque<Owed<M>>,
}

impl<M> Node<M> {
    pub(crate) fn new(cpu: CpuSpec, stream: Stream) -> Node<M> {
        Node {
            state: NodeState::Stopped,
            alive: false,
            paused: false,
            paused_at: Time::ZERO,
            before_pause: NodeState::Stopped,
            stopping: false,
            restarts: false,
            holds: Holds::default(),
            incarnation: 0,
            started: false,
            booted: false,
            lanes: Lanes::new(),
            stream,
            busy: Span::ZERO,
            clock: Clock::default(),
            ports: Vec::new(),
            cores: vec![Time::ZERO; cpu.cores.max(1) as usize],
            percent: u64::from(cpu.percent.max(1)),
            owed: VecDeque::new(),
        }
    }

    pub(crate) fn listens(&self, port: Port) -> bool {
        self.ports.contains(&port)
    }

    pub(crate) fn listen(&mut self, port: Port) {
        if !self.listens(port) {
            self.ports.push(port);
        }
    }

    pub(crate) fn unlisten(&mut self, port: Port) {
        self.ports.retain(|p| *p != port);
    }

    /// Occupies a core for a computation that wants to begin at `at`; its end.
    pub(crate) fn spend(&mut self, cost: Span, at: Time, core: &mut Option<u32>) -> Time {
        let cost = match self.percent {
            100 => cost,
            percent => Span::from_nanos(cost.as_nanos().saturating_mul(100) / percent),
        };
        let core = *core.get_or_insert_with(|| {
            let first_free = (0..self.cores.len()).min_by_key(|core| self.cores[*core]);
            first_free.unwrap_or(0) as u32
        });
        let free_at = &mut self.cores[core as usize];
        let end = at.max(*free_at) + cost;
        *free_at = end;
        self.busy += cost;
        end
    }

    pub(crate) fn owe_read(&mut self, end: u32) {
        self.owed.push_back(Owed::Read { end });
    }

    /// A process starts, with nothing in memory.
    pub(crate) fn start(&mut self) {
        if self.started {
            self.incarnation += 1;
        }
        self.started = true;
        self.alive = true;
        self.stopping = false;
        self.restarts = false;
        self.state = NodeState::Booting;
    }

    /// The process is gone with all that it had in memory.
    pub(crate) fn end(&mut self, state: NodeState) {
        self.alive = false;
        self.booted = false;
        self.paused = false;
        self.holds.pause.clear();
        self.stopping = false;
        self.state = state;
        self.lanes.reset();
        self.ports.clear();
        self.owed.clear();
        self.cores.fill(Time::ZERO);
    }

    pub(crate) fn pause(&mut self, now: Time) {
        self.paused = true;
        self.paused_at = now;
        self.before_pause = self.state;
        self.state = NodeState::Paused;
    }

    /// The process goes on. Returns the wakes of its lanes to schedule.
    pub(crate) fn resume(&mut self, now: Time) -> Vec<(Lane, Time, u32)> {
        self.paused = false;
        self.state = self.before_pause;
        for core in &mut self.cores {
            if *core > self.paused_at {
                *core += now.since(self.paused_at);
            }
        }
        self.lanes.resume(self.paused_at, now)
    }
}
