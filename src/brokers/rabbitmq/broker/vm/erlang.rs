//! Erlang's distribution: sending to processes of other nodes, monitors, ticks, nodes that go down.

use crate::engine::{Span, Time};
use crate::observe::{Event, NodeId};
use crate::world::{ConnId, Context, Lane};

use super::super::super::message::mnesia::Progress;
use super::super::super::message::node::NodeMessage;
use super::super::super::message::ra::RaMessage;
use super::super::super::message::{DownReason, Message, Pid};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::ra::detector::Heard;
use super::super::{DISTRIBUTION, Node};

/// Bytes of the distribution header and the control message around a signal
/// (erts external term format, "distribution header").
const SIGNAL_BYTES: u32 = 60;
/// A node that ticks four times in a row without having heard of a peer gives it up
/// (dist_util.erl: `send_tick`, `#tick{}`).
const TICKS: u32 = 4;

/// The connection to another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Down,
    /// This side asks the port mapper over there.
    Looking,
    /// Being set up by this side.
    Pending(ConnId),
    Up(ConnId),
}

/// Another member, as this node sees it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub(crate) node: NodeId,
    pub(crate) link: Link,
    /// Signals that wait for the connection.
    waiting: Vec<(Lane, Message, u32)>,
    /// Own processes that watch processes over there.
    watches: Vec<(Lane, Pid)>,
    /// Which start of that node was last heard of.
    pub(crate) incarnation: Option<u32>,
    /// Which start of its RabbitMQ was last announced (`node_guids`); a loss does not change that.
    pub(crate) announced: Option<u32>,
    /// When its Mnesia is one with this node's, after a new start that is connected.
    pub(crate) mnesia_at: Time,
    /// It has refused this node's attempt in favour of its own.
    pub(crate) refused: bool,
    /// Whether its Mnesia and this one's are one.
    pub(crate) running: bool,
    /// Whether RabbitMQ runs there, as far as is known.
    pub(crate) rabbit: bool,
    /// How far it was when it last told.
    pub(crate) answer: Option<Progress>,
    received: u64,
    sent: u64,
    silent_ticks: u32,
    /// Own processes that have sent more than its buffer takes.
    suspended: Vec<Lane>,
    /// What aten knows of it.
    pub(crate) heard: Heard,
    /// The processes of its members of quorum queues, by queue, as far as they were heard of.
    pub(crate) members: Vec<Option<Lane>>,
}

impl Peer {
    pub(crate) fn new(node: NodeId, queues: usize) -> Peer {
        Peer {
            node,
            link: Link::Down,
            waiting: Vec::new(),
            watches: Vec::new(),
            incarnation: None,
            announced: None,
            mnesia_at: Time::ZERO,
            refused: false,
            running: false,
            rabbit: false,
            answer: None,
            received: 0,
            sent: 0,
            silent_ticks: 0,
            suspended: Vec::new(),
            heard: Heard::default(),
            members: vec![None; queues],
        }
    }
}

impl Node {
    pub(crate) fn peer(&mut self, node: NodeId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.node == node)
    }

    /// Whether a connection to a member stands.
    pub(crate) fn sees(&self, node: NodeId) -> bool {
        let up = |peer: &Peer| matches!(peer.link, Link::Up(_));
        self.peers.iter().any(|peer| peer.node == node && up(peer))
    }

    /// Members whose Mnesia is one with this node's.
    pub(crate) fn running_peers(&self) -> Vec<NodeId> {
        self.peers.iter().filter(|peer| peer.running).map(|peer| peer.node).collect()
    }

    /// Members that are not connected.
    pub(crate) fn down_peers(&self) -> Vec<NodeId> {
        let down = self.peers.iter().filter(|peer| peer.link == Link::Down);
        down.map(|peer| peer.node).collect()
    }

    /// Whether RabbitMQ runs on another member (rabbit.erl: `is_running`).
    pub(crate) fn rabbit_runs(&self, node: NodeId) -> bool {
        self.peers.iter().any(|peer| peer.node == node && peer.rabbit)
    }

    /// `pid ! message`. To another node it goes over the distribution; if there is no connection
    /// one is set up, and if that fails the signal is lost.
    pub fn send(
        &mut self,
        ctx: &mut Context<'_, Message>,
        to: Pid,
        message: impl Into<Message>,
        bytes: u32,
    ) {
        let message = message.into();
        if to.node == self.me {
            ctx.tell(to.lane, message);
            return;
        }
        let bytes = bytes + SIGNAL_BYTES;
        self.spend_on_distribution(ctx, bytes);
        let reachable = ctx.now() >= self.connects_again_at;
        let Some(peer) = self.peer(to.node) else { return };
        match peer.link {
            Link::Up(conn) => {
                ctx.send_to(conn, to.lane, message, bytes);
                if ctx.room(conn) == 0 {
                    self.busy_dist_port(ctx, to.node);
                }
            }
            Link::Looking | Link::Pending(_) => peer.waiting.push((to.lane, message, bytes)),
            Link::Down if !reachable => {}
            Link::Down => {
                peer.waiting.push((to.lane, message, bytes));
                self.set_up(ctx, to.node);
            }
        }
    }

    /// The buffer of a connection to another node is full: who sends is suspended until it has
    /// drained (erts: `dsig_send`, `+zdbbl`; RABBITMQ_DISTRIBUTION_BUFFER_SIZE). The node's own
    /// processes that share the main lane are left alone: if they stood still, nothing would notice
    /// that the other node is gone.
    #[cold]
    fn busy_dist_port(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let lane = ctx.lane();
        let rules = self.config.settings.rules;
        if lane == Lane::MAIN || !rules.has(Rule::SuspendWhenBufferIsFull) {
            return;
        }
        let event = self.own_event(event::BUSY_DIST_PORT, Some(node));
        let Some(peer) = self.peer(node) else { return };
        if peer.suspended.is_empty() {
            let now = ctx.now();
            ctx.observer().event(now, event);
        }
        if !peer.suspended.contains(&lane) {
            peer.suspended.push(lane);
        }
        ctx.suspend();
    }

    /// There is room again, or there is no connection any more.
    pub(crate) fn resume_senders(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let Some(peer) = self.peer(node) else { return };
        for lane in std::mem::take(&mut peer.suspended) {
            let elsewhere = self.peers.iter().any(|peer| peer.suspended.contains(&lane));
            if !elsewhere {
                ctx.resume(lane);
            }
        }
    }

    /// Bytes that wait for other nodes.
    pub(crate) fn buffered(&self, ctx: &Context<'_, Message>) -> u64 {
        let of = |peer: &Peer| match peer.link {
            Link::Up(conn) => ctx.buffered(conn),
            _ => 0,
        };
        self.peers.iter().map(of).sum()
    }

    /// A message is encoded by the process that sends it, and decoded by the one that it is for
    /// (erts: `dsig_send`, and external message fragments since OTP 21).
    pub(crate) fn spend_on_distribution(&self, ctx: &mut Context<'_, Message>, bytes: u32) {
        let costs = &self.config.costs;
        ctx.spend(costs.distribution + costs.distribution_bytes.time(bytes));
    }

    /// Sends to the node itself rather than to a process.
    pub(crate) fn send_node(
        &mut self,
        ctx: &mut Context<'_, Message>,
        to: NodeId,
        message: impl Into<Message>,
    ) {
        self.send_to_main(ctx, to, message, 100);
    }

    /// The same, with its size.
    pub(crate) fn send_to_main(
        &mut self,
        ctx: &mut Context<'_, Message>,
        to: NodeId,
        message: impl Into<Message>,
        bytes: u32,
    ) {
        self.send(ctx, Pid { node: to, lane: Lane::MAIN }, message, bytes);
    }

    /// `erlang:monitor(process, Pid)`: the watcher gets one `Down`, at once if the process is not
    /// there. Watching one twice is watching it once.
    pub fn monitor(&mut self, ctx: &mut Context<'_, Message>, watcher: Lane, watched: Pid) {
        if watched.node == self.me {
            let entry = (watched.lane, self.pid(watcher));
            if !self.alive.contains(&watched.lane) {
                let down = Message::Down { pid: watched, reason: DownReason::NoProc };
                ctx.tell(watcher, down);
            } else if !self.watchers.contains(&entry) {
                self.watchers.push(entry);
            }
            return;
        }
        let me = self.pid(watcher);
        let reachable = ctx.now() >= self.connects_again_at;
        let Some(peer) = self.peer(watched.node) else { return };
        if peer.link == Link::Down && !reachable {
            let down = Message::Down { pid: watched, reason: DownReason::NoConnection };
            ctx.tell(watcher, down);
            return;
        }
        if peer.watches.contains(&(watcher, watched)) {
            return;
        }
        peer.watches.push((watcher, watched));
        let node = watched.node;
        self.send_node(ctx, node, NodeMessage::Monitor { watcher: me, watched });
    }

    /// Another node's process asks to be told when one of ours ends.
    pub(crate) fn remote_monitor(
        &mut self,
        ctx: &mut Context<'_, Message>,
        watcher: Pid,
        watched: Pid,
    ) {
        if self.alive.contains(&watched.lane) {
            if !self.watchers.contains(&(watched.lane, watcher)) {
                self.watchers.push((watched.lane, watcher));
            }
        } else {
            let down = Message::Down { pid: watched, reason: DownReason::NoProc };
            self.send_down(ctx, watcher, down);
        }
    }

    /// `Down` signals to other nodes pass through their main lane, which keeps the books.
    fn send_down(&mut self, ctx: &mut Context<'_, Message>, watcher: Pid, down: Message) {
        if watcher.node == self.me {
            ctx.tell(watcher.lane, down);
        } else {
            let connected = self.peer(watcher.node).is_some_and(|p| matches!(p.link, Link::Up(_)));
            if connected {
                self.send(ctx, watcher, down, 40);
            }
        }
    }

    /// What stands for a whole node where a process is watched.
    pub(crate) fn whole(node: NodeId) -> Pid {
        Pid { node, lane: Lane::MAIN }
    }

    /// `erlang:monitor` of a process whose node alone counts: the watcher gets one `Down` when the
    /// connection to that node is gone.
    pub(crate) fn watch(&mut self, watcher: Lane, node: NodeId) {
        let entry = (watcher, Node::whole(node));
        if let Some(peer) = self.peer(node).filter(|peer| !peer.watches.contains(&entry)) {
            peer.watches.push(entry);
        }
    }

    /// A `Down` has reached its watcher: the monitor is used up.
    pub(crate) fn monitor_used(&mut self, watcher: Lane, watched: Pid) {
        if let Some(peer) = self.peer(watched.node) {
            peer.watches.retain(|watch| *watch != (watcher, watched));
        }
    }

    /// A process of this node has ended.
    pub(crate) fn process_down(
        &mut self,
        ctx: &mut Context<'_, Message>,
        lane: Lane,
        reason: DownReason,
    ) {
        self.alive.retain(|alive| *alive != lane);
        self.alarms.forget(lane);
        for peer in &mut self.peers {
            peer.suspended.retain(|suspended| *suspended != lane);
        }
        let pid = self.pid(lane);
        let (gone, kept) = std::mem::take(&mut self.watchers)
            .into_iter()
            .filter(|(_, watcher)| *watcher != pid)
            .partition::<Vec<_>, _>(|(watched, _)| *watched == lane);
        self.watchers = kept;
        for (_, watcher) in gone {
            self.send_down(ctx, watcher, Message::Down { pid, reason });
        }
        for peer in &mut self.peers {
            peer.watches.retain(|(watcher, _)| *watcher != lane);
        }
    }

    /// Starts to set up the connection to a peer.
    pub(crate) fn set_up(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let may = ctx.now() >= self.connects_again_at;
        let idle = |peer: &&mut Peer| may && peer.link == Link::Down;
        let Some(peer) = self.peer(node).filter(idle) else { return };
        peer.refused = false;
        peer.link = Link::Looking;
        let config = self.config.clone();
        let lookup = config.costs.port_lookup.span(ctx.random());
        ctx.after(lookup, Lane::MAIN, NodeMessage::PortKnown { node }.into());
    }

    /// The port mapper has answered: connect.
    pub(crate) fn port_known(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let setup = self.config.settings.net_setuptime;
        let Some(peer) = self.peer(node).filter(|peer| peer.link == Link::Looking) else { return };
        let conn = ctx.connect(node, DISTRIBUTION);
        ctx.bind(conn, Lane::MAIN);
        peer.link = Link::Pending(conn);
        ctx.after(setup, Lane::MAIN, NodeMessage::SetupTimeout { conn }.into());
    }

    /// A peer introduces itself over `conn`. That completes an own attempt; over a connection that
    /// it has set up, it is taken, unless both sides are at it: then the attempt of the node with
    /// the greater name stands (erl_dist_protocol: `ok_simultaneous` and `nok`; net_kernel.erl:
    /// `accept_pending`).
    pub(crate) fn introduced(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        conn: ConnId,
    ) {
        let me = self.me;
        let Some(peer) = self.peer(node) else {
            ctx.abort(conn);
            return;
        };
        match peer.link {
            Link::Up(current) if current == conn => return,
            Link::Pending(own) if own == conn => {}
            Link::Pending(_) if me > node => {
                ctx.abort(conn);
                return;
            }
            Link::Pending(own) => {
                ctx.abort(own);
                self.introduce(ctx, conn);
            }
            Link::Up(_) => {
                // Either it has given up the connection that this side still believes in, or this
                // attempt crossed with one that stands by now: ask (dist_util.erl: `alive`).
                ctx.send_to(conn, Lane::MAIN, NodeMessage::AliveQuestion { from: me }.into(), 100);
                return;
            }
            Link::Down | Link::Looking => self.introduce(ctx, conn),
        }
        self.stand(ctx, node, conn);
    }

    /// The peer has a connection that stands: this side's attempt replaces it only if this side
    /// has none.
    pub(crate) fn alive_question(&mut self, ctx: &mut Context<'_, Message>, conn: ConnId) {
        if self.peers.iter().any(|peer| peer.link == Link::Pending(conn)) {
            let (from, incarnation) = (self.me, self.start);
            ctx.send_to(
                conn,
                Lane::MAIN,
                NodeMessage::AliveAnswer { from, incarnation }.into(),
                100,
            );
        }
    }

    /// The peer has given up the connection that this side still believed in.
    pub(crate) fn alive_answer(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        conn: ConnId,
    ) {
        if let Some(Link::Up(old)) = self.peer(node).map(|peer| peer.link)
            && old != conn
        {
            ctx.abort(old);
            self.link_down(ctx, node);
        }
        self.introduced(ctx, node, conn);
    }

    /// The peer behind a connection.
    pub(crate) fn peer_of(&self, conn: ConnId) -> Option<NodeId> {
        let of = |peer: &&Peer| peer.link == Link::Up(conn) || peer.link == Link::Pending(conn);
        self.peers.iter().find(of).map(|peer| peer.node)
    }

    /// Introduces this node over a connection. One that this side has set up counts only when the
    /// peer has answered, for it may prefer its own attempt.
    pub(crate) fn introduce(&mut self, ctx: &mut Context<'_, Message>, conn: ConnId) {
        let hello = NodeMessage::Hello { from: self.me, incarnation: self.start };
        ctx.send_to(conn, Lane::MAIN, hello.into(), 200);
    }

    /// A connection stands: what waited for it goes out.
    fn stand(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, conn: ConnId) {
        self.monitor.nodes_version += 1;
        let config = self.config.clone();
        let buffer = config.settings.distribution_buffer_size;
        let Some(peer) = self.peer(node) else { return };
        peer.link = Link::Up(conn);
        if config.settings.rules.has(Rule::AnnouncedStartsOnly) {
            peer.mnesia_at = ctx.now() + config.costs.mnesia_start.span(ctx.random());
        }
        ctx.buffer(conn, buffer);
        peer.received = ctx.bytes_received(conn);
        peer.sent = ctx.bytes_sent(conn);
        peer.silent_ticks = 0;
        for (lane, message, bytes) in std::mem::take(&mut peer.waiting) {
            ctx.send_to(conn, lane, message, bytes);
        }
        self.autoheal_connected(ctx, node);
        self.tell_members(ctx, &RaMessage::NodeUp { node });
    }

    /// The peer has closed a connection. If that did not stand yet, the peer is at an attempt of
    /// its own (`nok`): this side waits for that, and tries again if nothing comes of it.
    pub(crate) fn connection_closed(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let Some(peer) = self.peer(node) else { return };
        let refused = matches!(peer.link, Link::Pending(_));
        self.link_down(ctx, node);
        if let Some(peer) = self.peer(node).filter(|_| refused) {
            peer.refused = true;
            self.start_pinging(ctx);
        }
    }

    /// An attempt to set up a connection has failed, or a connection is gone. Whoever watched a
    /// process over there is told `noconnection`.
    pub(crate) fn link_down(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let Some(peer) = self.peer(node) else { return };
        let was_up = matches!(peer.link, Link::Up(_));
        peer.link = Link::Down;
        peer.waiting.clear();
        peer.heard.forget();
        peer.members.fill(None);
        let watches = std::mem::take(&mut peer.watches);
        for (watcher, pid) in watches {
            ctx.tell(watcher, Message::Down { pid, reason: DownReason::NoConnection });
        }
        self.resume_senders(ctx, node);
        if was_up {
            self.monitor.nodes_version += 1;
            self.tell_members(ctx, &RaMessage::NodeDown { node });
            self.node_down(ctx, node);
        }
    }

    /// `nodedown`: its processes watch nothing here any more, and its clients' channels are gone.
    fn node_down(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        self.watchers.retain(|(_, watcher)| watcher.node != node);
        let (now, here) = (ctx.now(), ctx.node());
        let (word, subject) = (event::NODE_DOWN, Some(node));
        let event = Event { word, node: here, destination: None, subject, count: 0 };
        ctx.observer().event(now, event);
        self.member_down(ctx, node);
    }

    /// One tick of the distribution, four of them a `net_ticktime`.
    pub(crate) fn tick(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.tick_interval(), Lane::MAIN, NodeMessage::Tick.into());
        let mut silent = Vec::new();
        for peer in &mut self.peers {
            let Link::Up(conn) = peer.link else { continue };
            let (received, sent) = (ctx.bytes_received(conn), ctx.bytes_sent(conn));
            if received == peer.received {
                peer.silent_ticks += 1;
            } else {
                peer.silent_ticks = 0;
                peer.received = received;
            }
            if peer.silent_ticks >= TICKS {
                silent.push((peer.node, conn));
                continue;
            }
            if sent == peer.sent {
                ctx.send_to(conn, Lane::MAIN, NodeMessage::Heartbeat.into(), 8);
            }
            peer.sent = ctx.bytes_sent(conn);
        }
        for (node, conn) in silent {
            // net_tick_timeout: "node not responding **, removing (timedout) connection".
            ctx.abort(conn);
            self.link_down(ctx, node);
        }
    }

    /// A quarter of `net_ticktime` (net_kernel.erl: `ticktime`, `net_tickintensity` 4).
    pub(crate) fn tick_interval(&self) -> Span {
        self.config.settings.net_ticktime / 4
    }

    /// The first tick comes at a random point of an interval: nodes do not start together.
    pub(crate) fn start_ticking(&mut self, ctx: &mut Context<'_, Message>) {
        let interval = self.tick_interval();
        let phase = Span::from_nanos(ctx.random().below(interval.as_nanos().max(1)));
        ctx.after(phase, Lane::MAIN, NodeMessage::Tick.into());
    }

    /// Forgets everything that lived in memory.
    pub(crate) fn forget_ram(&mut self) {
        self.status = super::super::Status::Off;
        self.forget_rabbit();
        self.watchers.clear();
        self.asked.clear();
        self.orders = super::super::Orders::default();
        self.erased.clear();
        self.starter = None;
        self.alive.clear();
        self.spawned.clear();
        self.ended.clear();
        self.pinging = false;
        self.connects_again_at = Time::ZERO;
        self.monitor = super::super::cluster::monitor::Monitor::default();
        for peer in &mut self.peers {
            *peer = Peer::new(peer.node, peer.members.len());
        }
    }

    /// Forgets what RabbitMQ and Mnesia had in memory; the VM may go on.
    pub(crate) fn forget_rabbit(&mut self) {
        let queues = self.config.queues.len();
        self.mnesia.tables = super::super::cluster::mnesia::Tables::new(queues);
        self.mnesia.loaded = false;
        self.mnesia.asked = None;
        self.mnesia.refusals = 0;
        self.mnesia.between_sides = false;
        self.mnesia.first_running = None;
        self.mnesia.early.clear();
        self.mnesia.transactions.clear();
        self.mnesia.committing.clear();
        self.mnesia.locks.clear();
        self.writes.forget();
        self.start_again.clear();
        self.alarms = super::alarm::Alarms::default();
        self.recovering = 0;
        self.waits_left = None;
        self.monitor.partitions.clear();
        self.monitor.mailbox.clear();
        self.monitor.cleans_up_after = None;
        self.monitor.asks = None;
        self.store = None;
        self.store_ends = false;
        self.forget_members();
        for peer in &mut self.peers {
            peer.running = false;
            peer.answer = None;
            peer.announced = None;
        }
    }
}
