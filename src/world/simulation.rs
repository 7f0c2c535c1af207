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
use super::network::{Arrival, Card, Network, SideState, Topology, TopologyError};
use super::node::{Node, Owed};

/// All that a run is made of.
#[derive(Clone, Debug)]
pub struct Setup<M: Machine> {
    /// The root of all random streams.
    pub seed: u64,
    /// Hosts and network.
    pub topology: Topology,
    /// One machine a host, in the order of the hosts.
    pub machines: Vec<M>,
    /// Connections that exist before time zero: (who had connected, to whom).
    pub established: Vec<(NodeId, NodeId)>,
    /// The schedule of faults.
    pub faults: Vec<PlannedFault>,
    /// What an operator does, and when.
    pub actions: Vec<PlannedAction>,
    /// Measured time: after it producers stop and faults end.
    pub duration: Span,
    /// How long the run may take after that to become quiet.
    pub drain: Span,
    /// When to stop a run that does not end.
    pub limits: Limits,
    /// Whether the family's invariants are checked, if it has any. What happens is the same either
    /// way.
    pub invariants: bool,
}

/// Why a run cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The hosts or the network are not right.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// There must be one machine a host.
    #[error("{hosts} hosts and {machines} machines")]
    Machines {
        /// Number of hosts.
        hosts: usize,
        /// Number of machines.
        machines: usize,
    },
    /// A connection or a fault names a host that is not there.
    #[error("there is no host number {0}")]
    NoHost(u32),
}

/// What a run cost so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes on the wire between brokers, what retransmissions after a cut repeat included.
    pub broker_bytes: u64,
    /// Bytes that brokers wrote to their files.
    pub disk_bytes: u64,
    /// Calls of fsync by brokers.
    pub fsyncs: u64,
    /// Events dispatched.
    pub events: u64,
    /// CPU time that each node spent.
    pub busy: Vec<Span>,
    /// The same until the end of the load; empty before it.
    pub busy_in_load: Vec<Span>,
    /// How long the disk and the card of each host worked until the end of the load; empty before it.
    pub devices_in_load: Vec<Devices>,
}

/// How long the devices of a host have worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Its disk: fsyncs, write-back and reads.
    pub disk: Span,
    /// Its network card, each way; nothing if that is never the limit.
    pub sending: Span,
    /// What comes in.
    pub receiving: Span,
}

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
    oracle: C::Oracle,
    invariants: bool,
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
    established: Vec<Vec<Established>>,
}

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// A run at time zero: all processes are about to boot, in the order of the hosts.
    ///
    /// # Errors
    /// A topology that cannot be simulated, or a machine, connection or fault without host.
    pub fn new(setup: Setup<C::Machine>, observer: O) -> Result<Self, SetupError> {
        setup.topology.check()?;
        let hosts = setup.topology.hosts.len();
        if setup.machines.len() != hosts {
            return Err(SetupError::Machines { hosts, machines: setup.machines.len() });
        }
        let ends = setup.established.iter().flat_map(|(a, b)| [*a, *b]);
        let aimed = setup.faults.iter().flat_map(PlannedFault::named);
        if let Some(node) = ends.chain(aimed).find(|node| node.index() >= hosts) {
            return Err(SetupError::NoHost(node.0));
        }
        let mut simulation = Simulation {
            world: World::new(Arc::new(setup.topology), setup.seed, setup.limits),
            machines: setup.machines,
            observer,
            oracle: C::Oracle::default(),
            invariants: setup.invariants,
            seed: setup.seed,
            faults: setup.faults,
            actions: setup.actions,
            active: Vec::new(),
            begun: Vec::new(),
            waiting: 0,
            fault_draws: 0,
            phase: Phase::Load,
            duration: setup.duration,
            drain: setup.drain,
            busy_in_load: Vec::new(),
            devices_in_load: Vec::new(),
            established: vec![Vec::new(); hosts],
        };
        simulation.establish(&setup.established);
        for node in 0..hosts as u32 {
            simulation.start(node);
        }
        simulation.schedule_faults();
        simulation.schedule_actions();
        Ok(simulation)
    }

    fn establish(&mut self, pairs: &[(NodeId, NodeId)]) {
        for (from, to) in pairs {
            let conn = self.world.net.open(from.0, to.0, SideState::Open);
            let forth = Established { conn, peer: *to, initiator: true };
            let back = Established { conn: ConnId(conn.0 | 1), peer: *from, initiator: false };
            self.established[from.index()].push(forth);
            self.established[to.index()].push(back);
        }
    }

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

    /// What the run has cost so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let world = &self.world;
        let brokers = || self.topology().brokers().map(|node| &world.disks[node.index()]);
        let links = world.net.links.iter().filter(|link| link.between_brokers);
        Statistics {
            broker_bytes: links.map(|link| link.carried).sum(),
            disk_bytes: brokers().map(Disk::written).sum(),
            fsyncs: brokers().map(Disk::syncs).sum(),
            events: world.kernel.events(),
            busy: self.busy(),
            busy_in_load: self.busy_in_load.clone(),
            devices_in_load: self.devices_in_load.clone(),
        }
    }

    /// CPU time that each node has spent so far.
    pub(crate) fn busy(&self) -> Vec<Span> {
        self.world.nodes.iter().map(|node| node.busy).collect()
    }

    /// How long the devices of each host have worked so far.
    pub(crate) fn devices(&self) -> Vec<Devices> {
        let now = self.now();
        let both = self.world.disks.iter().zip(&self.world.net.cards);
        let of = |(disk, card): (&Disk, &Card)| {
            let (sending, receiving) = card.worked(now);
            Devices { disk: disk.worked(now), sending, receiving }
        };
        both.map(of).collect()
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
    fn new(topology: Arc<Topology>, seed: u64, limits: Limits) -> World<M> {
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
