//! The run: the loop, the dispatch of events, and the delivery of inputs to lanes.

use std::sync::Arc;

use crate::engine::{
    self, Fingerprint, Ingredient, Kernel, Limits, Slab, Span, Stream, Time, TimerKey, TimerSlab,
};
use crate::observe::{NodeId, NodeKind, NodeState, Observer};

use super::action::{Pending, PlannedAction};
use super::context::Context;
use super::disk::Disk;
use super::effect::{Deferred, Syncing, Then};
use super::ending::Phase;
use super::event::Event;
use super::fault::{Begun, Met, PlannedFault};
use super::hold::Hold;
use super::machine::{Boot, Cluster, ConnId, Established, Input, Lane, Machine, MessageOf, Signal};
use super::network::{Arrival, Network, Topology};
use super::node::{Node, Owed};
use super::statistics::Devices;

/// Machines chase each other, or the run has more events than allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit}; at work at the end: {}", .machines.join(", "))]
pub struct Runaway {
    /// Which limit was passed, and when.
    pub limit: engine::Runaway,
    /// Names of the machines that handled the last inputs, the busiest first.
    pub machines: Vec<String>,
}

/// A tell or a timer.
#[derive(Clone, Debug)]
pub(crate) struct Note<M> {
    pub(crate) node: u32,
    pub(crate) incarnation: u32,
    pub(crate) lane: Lane,
    pub(crate) body: M,
}

/// How many of the last dispatches are remembered to name those who chase each other.
const RECENT: usize = 64;

/// Everything but the machines and the observer.
#[derive(Clone, Debug)]
pub(crate) struct World<M> {
    pub(crate) kernel: Kernel<Event>,
    pub(crate) net: Network<M>,
    pub(crate) nodes: Vec<Node<M>>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) notes: TimerSlab<Note<M>>,
    pub(crate) syncs: Slab<Syncing<M>>,
    pub(crate) deferred: Slab<Deferred<M>>,
    pub(crate) holds: Slab<Hold>,
    pub(crate) socket_buffer: u64,
    /// Commands of an operator that are not answered yet.
    pub(crate) pending: Vec<Pending>,
    /// When a machine last told the observer something.
    pub(crate) told_at: Time,
    recent: [u32; RECENT],
    recent_next: u8,
}

/// One run: the clock, the physical world, the machines and the observer.
///
/// It is plain data: clone it at any moment, and both run on alike.
#[derive(Clone)]
pub struct Simulation<C: Cluster, O: Observer> {
    pub(crate) world: World<MessageOf<C>>,
    pub(crate) machines: Vec<C::Machine>,
    pub(crate) observer: O,
    /// What the family's checks know of the whole cluster, and whether they are made.
    pub(super) oracle: C::Oracle,
    pub(super) invariants: bool,
    pub(crate) seed: u64,
    pub(crate) faults: Vec<PlannedFault>,
    pub(crate) actions: Vec<PlannedAction>,
    pub(crate) active: Vec<Met>,
    /// The faults that have begun.
    pub(crate) begun: Vec<Begun>,
    /// The first fault that still waits for the cluster to be in sync.
    pub(crate) waiting: usize,
    /// Digest of what faults drew for their selectors.
    pub(crate) fault_draws: u64,
    pub(crate) phase: Phase,
    pub(crate) duration: Span,
    pub(crate) drain: Span,
    pub(crate) busy_in_load: Vec<Span>,
    pub(crate) devices_in_load: Vec<Devices>,
    pub(super) established: Vec<Vec<Established>>,
}

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// The clock.
    #[must_use]
    pub fn now(&self) -> Time {
        self.world.kernel.now()
    }

    /// Who is told what happens.
    #[must_use]
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// The observer, when the run is over.
    #[must_use]
    pub fn into_observer(self) -> O {
        self.observer
    }

    /// The same run with another observer, which hears what happens from now on.
    #[must_use]
    pub fn with_observer<P: Observer>(self, observer: P) -> Simulation<C, P> {
        Simulation {
            world: self.world,
            machines: self.machines,
            observer,
            oracle: self.oracle,
            invariants: self.invariants,
            seed: self.seed,
            faults: self.faults,
            actions: self.actions,
            active: self.active,
            begun: self.begun,
            waiting: self.waiting,
            fault_draws: self.fault_draws,
            phase: self.phase,
            duration: self.duration,
            drain: self.drain,
            busy_in_load: self.busy_in_load,
            devices_in_load: self.devices_in_load,
            established: self.established,
        }
    }

    /// The faults that have begun so far, in the order in which they did.
    #[must_use]
    pub fn begun(&self) -> &[Begun] {
        &self.begun
    }

    /// The machines, one a host.
    #[must_use]
    pub fn machines(&self) -> &[C::Machine] {
        &self.machines
    }

    /// What the family's checks know of the whole cluster.
    #[must_use]
    pub fn oracle(&self) -> &C::Oracle {
        &self.oracle
    }

    /// Hosts and network.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.world.net.topology
    }

    /// Whether a node can work.
    #[must_use]
    pub fn state(&self, node: NodeId) -> NodeState {
        self.world.nodes[node.index()].state
    }

    /// Events, faults and draws so far; outcomes and roles are the observer's to fold.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut fingerprint = self.world.kernel.fingerprint().clone();
        let mut fold = |word| fingerprint.fold(Ingredient::Draws, word);
        self.world.net.digests().into_iter().for_each(&mut fold);
        self.world.disks.iter().for_each(|disk| fold(disk.digest()));
        self.world.nodes.iter().for_each(|node| fold(node.stream.digest()));
        fold(self.fault_draws);
        fingerprint
    }

    /// Dispatches all events before `end`.
    pub(crate) fn dispatch_before(&mut self, end: Time) -> Result<(), Runaway> {
        loop {
            match self.world.kernel.next_before(end) {
                Ok(Some(event)) => self.dispatch(event),
                Ok(None) => return Ok(()),
                Err(limit) => {
                    return Err(Runaway { limit, machines: self.world.recent_machines() });
                }
            }
        }
    }

    #[inline]
    fn dispatch(&mut self, event: Event) {
        let arrival = match event {
            Event::Arrive { end, epoch } => self.world.arrive(end, epoch),
            Event::Wake { node, lane, epoch } => return self.wake(node, Lane(lane), epoch),
            Event::Note { slot, generation } => self.note(TimerKey { slot, generation }),
            Event::Synced { slot } => return self.synced(slot),
            other => return self.dispatch_rare(other),
        };
        if let Some(arrival) = arrival {
            self.deliver(arrival);
        }
    }

    #[inline(never)]
    fn dispatch_rare(&mut self, event: Event) {
        let world = &mut self.world;
        let arrival = match event {
            Event::Deferred { slot } => return world.do_deferred(slot),
            Event::Boot { node, incarnation } => return self.boot(node, incarnation),
            Event::Exit { node, incarnation } => {
                let n = &world.nodes[node as usize];
                if n.alive && n.incarnation == incarnation {
                    self.exit(node);
                }
                return;
            }
            Event::Read { end } => return self.read_all(end),
            Event::FaultBegin { index } => return self.begin_fault(index),
            Event::FaultEnd { index } => return self.end_fault(index),
            Event::FaultTurn { index } => return self.take_turn(index),
            Event::Act { index } => return self.act(index),
            Event::Supervise { node, incarnation } => return self.supervise(node, incarnation),
            Event::Received { end, epoch } => world.received(end, epoch),
            Event::Turn { node } => return world.turn(node),
            Event::Part { from, to, bytes } => return world.part_comes_in(from, to, bytes),
            Event::GoOn { slot } => return world.go_on(slot),
            Event::Syn { conn } => {
                world.syn(conn);
                None
            }
            Event::SynRetry { conn, attempt } => world.syn_retry(conn, attempt),
            Event::SynAck { conn } => world.syn_ack(conn),
            Event::Refused { conn, unreachable } => world.refused(conn, unreachable),
            Event::Retransmit { end, epoch } => world.retransmit(end, epoch),
            Event::Reset { end, on_path } => world.reset(end, on_path),
            Event::Writable { end } => world.writable(end),
            Event::Arrive { .. }
            | Event::Wake { .. }
            | Event::Note { .. }
            | Event::Synced { .. } => None,
        };
        if let Some(arrival) = arrival {
            self.deliver(arrival);
        }
    }

    /// Gives an input to a lane: at once if it is free, else into its mailbox.
    #[inline]
    pub(crate) fn deliver(&mut self, arrival: Arrival<MessageOf<C>>) {
        let Arrival { node, lane, input } = arrival;
        let now = self.world.kernel.now();
        let n = &mut self.world.nodes[node as usize];
        if !n.alive {
            return;
        }
        if n.paused {
            n.owed.push_back(Owed::Input { lane, input });
            return;
        }
        let Some(slot) = n.lanes.find(lane) else { return };
        let state = n.lanes.slot(slot);
        if state.is_free(now) {
            return self.handle(node, slot, input);
        }
        state.mailbox.push(self.machines[node as usize].urgency(lane, &input), input);
        self.world.wake_later(node, slot);
    }

    /// Lets the machine handle an input on a lane that is free.
    #[inline]
    fn handle(&mut self, node: u32, slot: u32, input: Input<MessageOf<C>>) {
        self.world.remember(node);
        let machine = &mut self.machines[node as usize];
        let mut ctx = Context::new(&mut self.world, &mut self.observer, node, slot);
        machine.handle(input, &mut ctx);
        let exit = ctx.finish();
        self.check(node);
        if let Some(at) = exit {
            if at > self.world.kernel.now() {
                let incarnation = self.world.nodes[node as usize].incarnation;
                self.world.kernel.schedule(at, Event::Exit { node, incarnation });
            } else {
                self.exit(node);
            }
        }
    }

    /// Lets the family check its invariants after something happened to the machine of a node.
    #[inline]
    pub(crate) fn check(&mut self, node: u32) {
        if C::CHECKED && self.invariants {
            let at = self.world.kernel.now();
            let observer = &mut self.observer;
            let mut report = |violation| observer.violated(at, violation);
            C::check(&mut self.oracle, &mut self.machines, NodeId(node), at, &mut report);
        }
    }

    /// A lane that was busy is free, and something waits for it.
    fn wake(&mut self, node: u32, lane: Lane, epoch: u32) {
        let now = self.world.kernel.now();
        let n = &mut self.world.nodes[node as usize];
        let Some(slot) = n.lanes.find(lane) else { return };
        let state = n.lanes.slot(slot);
        if state.epoch != epoch || n.paused {
            return;
        }
        state.waking = false;
        if state.blocked || state.suspended || state.held {
            return;
        }
        if state.busy_until > now {
            return self.world.wake_later(node, slot);
        }
        let input = match state.mailbox.pop() {
            Some(input) => input,
            None => match state.idle.take() {
                Some(body) => Input::Local { body },
                None => return,
            },
        };
        if !state.unread.is_empty() {
            self.world.read_on(node, slot);
        }
        self.handle(node, slot, input);
    }

    fn note(&mut self, key: TimerKey) -> Option<Arrival<MessageOf<C>>> {
        let Note { node, incarnation, lane, body } = self.world.notes.remove(key)?;
        if self.world.nodes[node as usize].incarnation != incarnation {
            return None;
        }
        Some(Arrival { node, lane, input: Input::Local { body } })
    }

    fn synced(&mut self, slot: u32) {
        // A disk that changed its pace has another event for it.
        let now = self.world.kernel.now();
        let due = |syncing: &&Syncing<MessageOf<C>>| syncing.sync.done == now;
        let Some(syncing) = self.world.syncs.get(slot).filter(due) else { return };
        if self.world.disks[syncing.node as usize].is_stalled() {
            return;
        }
        let Some(syncing) = self.world.syncs.remove(slot) else { return };
        let Syncing { node, incarnation, lane, then, sync } = syncing;
        let failed = self.world.disks[node as usize].complete(sync);
        self.world.look_at_holds(node);
        let n = &mut self.world.nodes[node as usize];
        if !n.alive || n.incarnation != incarnation {
            return;
        }
        let input = |body| match failed {
            true => Input::DiskFailed { body },
            false => Input::Local { body },
        };
        let input = match then {
            Then::GoOn(hold) => return self.world.has_read(hold),
            Then::Tell(done) => {
                return self.deliver(Arrival { node, lane, input: input(done) });
            }
            Then::Unblock(done) => input(done),
        };
        if n.paused {
            n.owed.push_back(Owed::Unblock { lane, input });
            return;
        }
        self.unblock(node, lane, input);
    }

    /// A lane has what it waited for, which comes before all that waits for the lane.
    fn unblock(&mut self, node: u32, lane: Lane, input: Input<MessageOf<C>>) {
        let now = self.world.kernel.now();
        let n = &mut self.world.nodes[node as usize];
        let Some(slot) = n.lanes.find(lane) else { return };
        let state = n.lanes.slot(slot);
        state.blocked = false;
        if state.busy_until <= now && !state.suspended && !state.held {
            return self.handle(node, slot, input);
        }
        state.mailbox.push_front(input);
        self.world.wake_later(node, slot);
    }

    /// The process at the other side of `end` reads again: it gets all that has arrived.
    fn read_all(&mut self, end: u32) {
        let Some(index) = self.world.net.side(ConnId(end)) else { return };
        let reader = self.world.net.sides[index ^ 1].node as usize;
        let unread = self.world.net.sides[index].flow.arrived;
        for _ in 0..unread {
            if self.world.nodes[reader].paused {
                self.world.nodes[reader].owe_read(end);
            } else if let Some(arrival) = self.world.read(end) {
                self.deliver(arrival);
            }
        }
    }

    fn boot(&mut self, node: u32, incarnation: u32) {
        let n = &mut self.world.nodes[node as usize];
        if !n.alive || n.incarnation != incarnation {
            return;
        }
        n.booted = true;
        let established = std::mem::take(&mut self.established[node as usize]);
        let boot = Input::Boot(Boot { incarnation, established });
        self.deliver(Arrival { node, lane: Lane::MAIN, input: boot });
        if self.phase != Phase::Load {
            self.signal(node, Signal::LoadEnded);
        }
    }

    /// Tells the process of a node something.
    pub(crate) fn signal(&mut self, node: u32, signal: Signal) {
        let input = Input::Signal(signal);
        self.deliver(Arrival { node, lane: Lane::MAIN, input });
    }

    /// Freezes the process of a node.
    pub(crate) fn pause(&mut self, node: u32) {
        let now = self.now();
        self.world.nodes[node as usize].pause(now);
        self.observer.node(now, NodeId(node), NodeState::Paused);
        self.watch(node);
    }

    /// Lets a frozen process go on: first it is told, then it gets what had come meanwhile, in the
    /// order in which it came.
    pub(crate) fn resume(&mut self, node: u32) {
        let now = self.now();
        let n = &mut self.world.nodes[node as usize];
        let wakes = n.resume(now);
        let state = n.state;
        for (lane, at, epoch) in wakes {
            self.world.kernel.schedule(at, Event::Wake { node, lane: lane.0, epoch });
        }
        self.observer.node(now, NodeId(node), state);
        let main = self.world.nodes[node as usize].lanes.slot(0);
        let resumed = Input::Signal(Signal::NodeResumed);
        if main.busy_until <= now && !main.blocked && !main.held {
            self.handle(node, 0, resumed);
        } else {
            main.mailbox.push_front(resumed);
            self.world.wake_later(node, 0);
        }
        let incarnation = self.world.nodes[node as usize].incarnation;
        loop {
            let n = &mut self.world.nodes[node as usize];
            if !n.alive || n.incarnation != incarnation {
                return;
            }
            // What waits may still be bound to another lane.
            let Some(owed) = n.owed.pop_front() else { return };
            match owed {
                Owed::Input { lane, input } => self.deliver(Arrival { node, lane, input }),
                Owed::Unblock { lane, input } => self.unblock(node, lane, input),
                Owed::GoOn { slot } => self.world.go_on(slot),
                Owed::Read { end } => {
                    if let Some(arrival) = self.world.read(end) {
                        self.deliver(arrival);
                    }
                }
            }
        }
    }
}

impl<M> World<M> {
    pub(super) fn new(topology: Arc<Topology>, seed: u64, limits: Limits) -> World<M> {
        let stream = |kind: &str, name: &str| Stream::new(seed, &format!("{kind} {name}"));
        let nodes = topology.hosts.iter().map(|h| Node::new(h.cpu, stream("node", &h.name)));
        let day = Stream::fixed(seed, "disks").below(2_000_001);
        let disks = topology.hosts.iter().map(|h| {
            let rounds = Stream::fixed(seed, &format!("flusher {}", h.name)).below(1 << 40);
            let phase = Span::from_nanos(rounds);
            Disk::new(h.disk.clone(), day, phase, stream("disk", &h.name))
        });
        World {
            kernel: Kernel::new(limits),
            nodes: nodes.collect(),
            disks: disks.collect(),
            notes: TimerSlab::new(),
            syncs: Slab::new(),
            deferred: Slab::new(),
            holds: Slab::new(),
            socket_buffer: topology.socket_buffer,
            pending: Vec::new(),
            told_at: Time::ZERO,
            recent: [u32::MAX; RECENT],
            recent_next: 0,
            net: Network::new(topology, seed),
        }
    }

    #[inline]
    fn remember(&mut self, node: u32) {
        self.recent[self.recent_next as usize % RECENT] = node;
        self.recent_next = self.recent_next.wrapping_add(1);
    }

    /// Names of the machines that handled the last inputs, the busiest first.
    fn recent_machines(&self) -> Vec<String> {
        let hosts = &self.net.topology.hosts;
        let count = |node: u32| self.recent.iter().filter(|n| **n == node).count();
        let mut busy: Vec<(usize, u32)> = (0..hosts.len() as u32)
            .map(|node| (count(node), node))
            .filter(|(count, _)| *count > 0)
            .collect();
        busy.sort_by_key(|(count, node)| (std::cmp::Reverse(*count), *node));
        busy.into_iter().map(|(_, node)| hosts[node as usize].name.clone()).collect()
    }

    /// Schedules the wake of a lane for which something waits, unless one is scheduled.
    #[inline]
    pub(crate) fn wake_later(&mut self, node: u32, slot: u32) {
        let now = self.kernel.now();
        let lane = self.nodes[node as usize].lanes.slot(slot);
        if lane.wants_wake() {
            lane.waking = true;
            let event = Event::Wake { node, lane: lane.number, epoch: lane.epoch };
            self.kernel.schedule(lane.busy_until.max(now), event);
        }
    }

    /// Whether a host runs a broker.
    pub(crate) fn is_broker(&self, node: u32) -> bool {
        self.net.topology.hosts[node as usize].kind == NodeKind::Broker
    }
}
