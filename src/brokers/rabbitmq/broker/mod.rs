//! A broker node: an Erlang VM with its processes.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `vm/` | the VM, its distribution, RabbitMQ's start and stop, credit flow, alarms |
//! | `cluster/` | Mnesia, the node monitor, autoheal |
//! | `channel/` | a client's connection and its channel |
//! | `queue/` | a queue's process, leader or mirror |
//! | `ring/` | a mirrored queue's ring |
//! | `quorum/` | a quorum queue's member |
//! | `command.rs` | commands of an operator |
//! | `disk.rs` | what a death leaves of the node |
//! | `view.rs` | the node as those see it who look on |
//! | `ra/` | the Raft of quorum queues, its log, its failure detector |
//! | `store/` | where messages are kept |
//!
//! The family's own page says which of RabbitMQ's modules is where.
//!
//! Processes are lanes of the world. [`Broker`] hands each input to its process, together with the
//! [`Node`], which is all that the processes of a node share.

pub mod channel;
pub mod cluster;
mod command;
mod disk;
mod process;
pub mod queue;
pub mod quorum;
pub mod ra;
pub mod ring;
pub mod store;
mod view;
pub mod vm;

use std::sync::Arc;

use crate::engine::Time;
use crate::observe::{ActionId, NodeId, Observer};
use crate::world::{ConnId, Context, Death, DiskView, Input, Lane, Port};

use self::channel::Channel;
use self::cluster::khepri::Writes;
use self::cluster::mnesia::{Committing, Lock, Tables, Transaction};
use self::cluster::monitor::Monitor;
use self::command::Asked;
use self::disk::{Disk, FILES};
pub use self::process::Process;
use self::quorum::member::Member;
use self::quorum::resize::Orders;
use self::ra::wal::Marks;
use self::ring::gm::Group;
use self::store::bodies::Bodies;
use self::vm::alarm::Alarms;
use self::vm::erlang::{Link, Peer};
use super::config::Config;
use super::message::mnesia::TableOp;
use super::message::store::StoreMessage;
use super::message::{DownReason, Message, Pid, QueueId};
use super::rules::Rule;

/// The port for clients.
pub const AMQP: Port = Port(5672);
/// The port of the Erlang distribution.
pub const DISTRIBUTION: Port = Port(25672);

/// How far the node's own life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No process.
    Off,
    /// The VM starts, and RabbitMQ in it: not yet its Mnesia.
    Starting,
    /// RabbitMQ waits for its peers' tables.
    Booting,
    /// RabbitMQ serves.
    Running,
    /// Asked to stop: its queues are being closed.
    Stopping,
    /// RabbitMQ is stopped, and its VM goes on: for the node monitor to start it again.
    Paused,
}

/// This node's copy of the tables and its transactions.
#[derive(Clone, Debug)]
pub struct Mnesia {
    /// The tables.
    pub tables: Tables,
    /// Whether they hold anything: not while the node boots and waits for a peer's.
    loaded: bool,
    /// Whose tables this node has asked for, and changes that came before them.
    asked: Option<NodeId>,
    /// How often it was told that it is not seen by all.
    refusals: u32,
    /// It is one with nodes that are at odds with each other.
    between_sides: bool,
    /// The peer that was the first to say, in this boot, that it runs.
    first_running: Option<NodeId>,
    early: Vec<TableOp>,
    transactions: Vec<Transaction>,
    /// Those that are decided; the last is the one that is being decided.
    committing: Vec<Committing>,
    /// What transactions of all nodes have locked here.
    locks: Vec<Lock>,
    next_transaction: u32,
}

/// What all processes of a node share.
#[derive(Clone, Debug)]
pub struct Node {
    /// The run's settings.
    pub config: Arc<Config>,
    /// This node.
    pub me: NodeId,
    /// How far its life has come.
    pub status: Status,
    /// The tables.
    pub mnesia: Mnesia,
    /// Counts the starts of RabbitMQ here: with its VM, and again in the same VM.
    start: u32,
    peers: Vec<Peer>,
    /// Monitors of local processes: (watched lane, watcher).
    watchers: Vec<(Lane, Pid)>,
    /// Local processes that live, in the order of their start.
    alive: Vec<Lane>,
    spawned: Vec<(Lane, Process)>,
    ended: Vec<(Lane, DownReason)>,
    pinging: bool,
    monitor: Monitor,
    /// Waits for peers' tables that are left to this boot; `None` before the first.
    waits_left: Option<u32>,
    /// `dist_auto_connect = never` until then.
    connects_again_at: Time,
    /// Queues of which a mirror starts here as soon as an old process has ended.
    start_again: Vec<QueueId>,
    alarms: Alarms,
    memory_checks: u32,
    /// Recovered queues that the tables do not show yet; clients are served after that.
    recovering: u32,
    /// The message store: its tables, which outlive its process as far as the disk keeps them, and
    /// the lane of the process.
    bodies: Bodies,
    store: Option<Lane>,
    /// The message store was told to end.
    store_ends: bool,
    /// Members of quorum queues that live here, by queue.
    members: Vec<Option<Lane>>,
    /// Who leads a quorum queue, as a member here has last heard.
    leaderboard: Vec<Option<NodeId>>,
    /// The logs of the members, of quorum queues and of Khepri, and what it has written and not fsynced.
    wals: [Option<Lane>; 2],
    marks: Marks,
    /// Members that have done something, with what they had applied before; for who looks whether
    /// all is as it must be.
    touched: Vec<(QueueId, u64)>,
    /// What it has written to Khepri.
    writes: Writes,
    /// Its disk was emptied in the course of the run.
    wiped: bool,
    /// Commands of an operator that a queue's leader is to carry out.
    asked: Vec<Asked>,
    /// Orders to change the members of quorum queues.
    orders: Orders,
    /// Members that are deleted as soon as their process has ended.
    erased: Vec<QueueId>,
    /// The command that has RabbitMQ started again.
    starter: Option<ActionId>,
    disk: Disk,
}

/// A broker node.
#[derive(Clone, Debug)]
pub struct Broker {
    node: Node,
    first_lane: u32,
    processes: Vec<Option<Process>>,
}

impl Broker {
    /// The node `me` of a cluster. It does nothing before it boots.
    #[must_use]
    pub fn new(config: Arc<Config>, me: NodeId) -> Broker {
        let (queues, groups) = (config.queues.len(), config.groups());
        let peers = config.members.iter().filter(|other| **other != me);
        let peers = peers.map(|&other| Peer::new(other, groups)).collect();
        let tables = config.tables.clone();
        // Where there are Raft groups, their logs come first, and what Khepri's has beside.
        let of_ra = match config.khepri() {
            Some(_) => 3,
            None => u32::from(config.has_quorum_queues()),
        };
        let first_store_file = FILES * queues as u32 + of_ra;
        let disk = Disk {
            queues: vec![None; queues],
            members: vec![None; groups],
            durable: tables.durable.clone(),
            force: tables.force.clone(),
            recoverable: tables.recoverable.clone(),
            forgotten: Vec::new(),
            quorum: tables.quorum.clone(),
            force_load: false,
            saw_running: Vec::new(),
        };
        Broker {
            node: Node {
                config,
                me,
                status: Status::Off,
                mnesia: Mnesia {
                    tables,
                    loaded: false,
                    asked: None,
                    refusals: 0,
                    between_sides: false,
                    first_running: None,
                    early: Vec::new(),
                    transactions: Vec::new(),
                    committing: Vec::new(),
                    locks: Vec::new(),
                    next_transaction: 0,
                },
                start: 0,
                peers,
                watchers: Vec::new(),
                alive: Vec::new(),
                spawned: Vec::new(),
                ended: Vec::new(),
                pinging: false,
                monitor: Monitor::default(),
                waits_left: None,
                connects_again_at: Time::ZERO,
                start_again: Vec::new(),
                alarms: Alarms::default(),
                memory_checks: 0,
                recovering: 0,
                bodies: Bodies::new(first_store_file),
                store: None,
                store_ends: false,
                members: vec![None; groups],
                leaderboard: vec![None; groups],
                wals: [None; 2],
                marks: Marks::new(groups),
                writes: Writes::default(),
                wiped: false,
                touched: Vec::new(),
                asked: Vec::new(),
                orders: Orders::default(),
                erased: Vec::new(),
                starter: None,
                disk,
            },
            first_lane: 0,
            processes: Vec::new(),
        }
    }

    /// Hands an input to the process it is for.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        if let Input::Message { body: Message::Down { pid, .. }, .. } = &input {
            self.node.monitor_used(ctx.lane(), *pid);
        }
        if ctx.lane() == Lane::MAIN {
            self.handle_main(input, ctx);
            return self.after_input(ctx);
        }
        if let Input::Message { conn, .. } = &input {
            self.decode(*conn, ctx);
        }
        if let Some(index) = self.index(ctx.lane())
            && let Some(process) = &mut self.processes[index]
        {
            process.handle(&mut self.node, ctx, input);
        }
        self.after_input(ctx);
    }

    /// What goes before what in a process's mailbox.
    #[must_use]
    pub fn urgency(&self, lane: Lane, input: &Input<Message>) -> u8 {
        let process = self.index(lane).and_then(|index| self.processes[index].as_ref());
        match (process, input) {
            (Some(process), Input::Message { body, .. } | Input::Local { body })
                if self.node.config.settings.rules.has(Rule::MailboxPriorities) =>
            {
                process.urgency(body)
            }
            _ => 0,
        }
    }

    /// What comes from another node is decoded by the process that it is for.
    fn decode(&self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let takes = self.node.config.costs.distribution;
        if !takes.is_zero() && self.node.peers.iter().any(|peer| peer.link == Link::Up(conn)) {
            ctx.spend(takes);
        }
    }

    fn index(&self, lane: Lane) -> Option<usize> {
        let index = lane.0.checked_sub(self.first_lane)? as usize;
        (index < self.processes.len()).then_some(index)
    }

    /// Processes that were started or that ended while an input was handled.
    fn after_input(&mut self, ctx: &mut Context<'_, Message>) {
        // Few inputs start a process.
        if !self.node.spawned.is_empty() {
            self.take_in();
        }
        while let Some((lane, reason)) = self.node.ended.pop() {
            self.bury(ctx, lane, reason);
        }
        self.node.continue_asks(ctx);
        if !self.node.monitor.mailbox.is_empty() {
            self.run_node_monitor(ctx);
        }
        if self.node.status == Status::Stopping && !self.has_replicas() {
            // The message store stops after its clients (rabbit_vhost_sup_sup.erl).
            if let Some(store) = self.node.store {
                self.node.end_store(ctx, store);
                return;
            }
            self.rabbit_has_stopped(ctx);
        }
        if self.node.monitor.pings.is_some() {
            self.continue_pings(ctx);
        }
    }

    /// Processes that were started get their places.
    #[cold]
    fn take_in(&mut self) {
        for (lane, process) in std::mem::take(&mut self.node.spawned) {
            if self.processes.is_empty() {
                self.first_lane = lane.0;
            }
            let index = (lane.0 - self.first_lane) as usize;
            while self.processes.len() <= index {
                self.processes.push(None);
            }
            self.processes[index] = Some(process);
        }
    }

    fn bury(&mut self, ctx: &mut Context<'_, Message>, lane: Lane, reason: DownReason) {
        let Some(process) = self.index(lane).and_then(|index| self.processes[index].take()) else {
            return;
        };
        ctx.end(lane);
        self.node.process_down(ctx, lane, reason);
        if self.node.store == Some(lane) {
            self.node.store = None;
        }
        let process = match process {
            Process::Member(member) => return self.bury_member(ctx, *member),
            Process::Channel(channel) => return self.bury_channel(ctx, &channel),
            other => other,
        };
        if let Process::Replica(mut replica) = process {
            match reason {
                DownReason::Killed => self.node.queue_crashed(ctx, &mut replica),
                _ => {
                    self.node.keep_bodies(ctx, &mut replica.base.bq, None);
                }
            }
            let queue = replica.queue();
            let (now, here) = (ctx.now(), ctx.node());
            let destination = self.node.config.destination(queue);
            ctx.observer().role(now, here, destination, None);
            if let Some(group) = replica.dependent() {
                self.bury(ctx, group.lane, Group::END);
            }
            self.node.disk.queues[queue.0 as usize] = Some(replica.base.bq);
            if let Some(at) = self.node.start_again.iter().position(|again| *again == queue) {
                self.node.start_again.swap_remove(at);
                self.node.start_mirror(ctx, queue);
            }
        }
    }

    /// What belongs to a connection that is gone goes while RabbitMQ runs.
    fn bury_channel(&self, ctx: &mut Context<'_, Message>, channel: &Channel) {
        let goes = self.node.config.settings.rules.has(Rule::DeleteExclusiveQueues);
        if goes && self.node.status == Status::Running {
            self.node.delete_exclusive(ctx, channel.exclusive(), channel.reader());
        }
    }

    fn has_replicas(&self) -> bool {
        let khepri = self.node.config.khepri();
        self.processes.iter().flatten().any(|process| match process {
            Process::Replica(_) => true,
            Process::Member(member) => Some(member.queue()) != khepri,
            _ => false,
        })
    }

    /// The process of a quorum queue's member has ended, and the node goes on.
    fn bury_member(&mut self, ctx: &mut Context<'_, Message>, member: Member) {
        let queue = member.queue();
        let (now, here) = (ctx.now(), ctx.node());
        if let Some(destination) = self.node.config.reported(queue) {
            ctx.observer().role(now, here, destination, None);
        }
        if let Some(worker) = member.worker() {
            self.node.end_process(worker, DownReason::Shutdown);
        }
        let kept = ctx.file_length(self.node.meta_file(queue));
        self.node.members[queue.0 as usize] = None;
        self.node.disk.members[queue.0 as usize] = Some(member.into_disk(kept));
        if let Some(at) = self.node.erased.iter().position(|of| *of == queue) {
            self.node.erased.swap_remove(at);
            self.node.erase_member(ctx, queue);
        }
    }

    /// The process is gone: keeps what the disk kept.
    pub fn died(
        &mut self,
        death: Death,
        disk: &DiskView<'_>,
        at: Time,
        observer: &mut dyn Observer,
    ) {
        let me = self.node.me;
        for process in std::mem::take(&mut self.processes).into_iter().flatten() {
            let queue = match process {
                Process::Replica(replica) => {
                    let queue = replica.queue();
                    self.node.disk.queues[queue.0 as usize] = Some(replica.base.bq);
                    queue
                }
                Process::Member(member) => {
                    let queue = member.queue();
                    let kept = disk.kept(self.node.meta_file(queue));
                    self.node.disk.members[queue.0 as usize] = Some(member.into_disk(kept));
                    queue
                }
                _ => continue,
            };
            if let Some(destination) = self.node.config.reported(queue) {
                observer.role(at, me, destination, None);
            }
        }
        self.node.lose_members(death, disk, at, observer);
        // A node that went down while it booted knows no more than it did before, and had not
        // opened its queues.
        let loaded = self.node.mnesia.loaded;
        if loaded || matches!(death, Death::PowerLoss | Death::Wiped) {
            self.node.lose_memory(death, disk, at, observer);
        }
        if loaded {
            self.node.keep_tables();
        }
        self.node.forget_ram();
    }
}

impl Node {
    /// No client of the message store is left: it ends once it has written what it has.
    fn end_store(&mut self, ctx: &mut Context<'_, Message>, store: Lane) {
        if !std::mem::replace(&mut self.store_ends, true) {
            ctx.tell(store, StoreMessage::Terminate.into());
        }
    }

    /// An own process by its lane.
    fn pid(&self, lane: Lane) -> Pid {
        Pid { node: self.me, lane }
    }

    /// Ends a process of this node once the present input is handled.
    pub fn end_process(&mut self, lane: Lane, reason: DownReason) {
        self.ended.push((lane, reason));
    }
}
