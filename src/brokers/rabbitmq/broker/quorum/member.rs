//! The process of a quorum queue's member (ra_server_proc.erl v3.1): what comes to it, and its
//! commands. What its [`Server`] wants done about it is in `wishes.rs`, what it does as entries are
//! applied in `apply.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::Span;
use crate::observe::{DestinationId, NodeId};
use crate::world::{Context, Lane, TimerId, Wait};

use super::super::super::message::ra::{
    CallAnswer, Command, Entry, Index, QuorumMessage, RaMail, RaMessage, Reply, Request,
};
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::Node;
use super::super::ra::log::Log;
use super::super::ra::server::{Delay, Faulty, Meta, Out, Server};
use super::super::ra::wal::Wal;
use super::disk::{MemberDisk, Place};
use super::fifo::Fifo;

/// Commands of low priority that are taken at a time (ra_server_proc.erl: `?FLUSH_COMMANDS_SIZE`).
const FLUSH_COMMANDS: usize = 16;
/// rabbit_quorum_queue.erl: `?TICK_INTERVAL`.
const TICK: Span = Span::from_secs(5);
/// Bytes of a change of the metadata: an estimate.
const METADATA_BYTES: u32 = 400;
/// Entries behind a snapshot before another one is taken (rabbit_quorum_queue.erl v4.0.5:
/// `?MIN_CHECKPOINT_INTERVAL`; rabbit_fifo.hrl: `?CHECK_MIN_INDEXES` is less).
const SNAPSHOT_AFTER: usize = 8_192;

/// A queue's member on one node.
#[derive(Clone, Debug)]
pub struct Member {
    pub(super) queue: QueueId,
    /// Whether it is one of Khepri's group, which has no queue.
    pub(super) khepri: bool,
    pub(super) me: Pid,
    pub(super) server: Server,
    pub(super) fifo: Fifo,
    /// The last entry that is applied.
    pub(super) applied: Index,
    /// As a leader: who is told when an entry is applied.
    pub(super) replies: VecDeque<(Index, Reply)>,
    /// Commands of low priority that wait.
    pub(super) low: VecDeque<Request>,
    pub(super) flush_asked: bool,
    /// Calls that wait for somebody to lead (ra_server_proc.erl: `pending_commands`).
    pub(super) calls: Vec<Request>,
    /// The last entry that was handed to the node's log.
    pub(super) handed: Index,
    /// What is to be done once term and vote are durable.
    pub(super) after_sync: VecDeque<Out>,
    pub(super) syncing: bool,
    /// Term and vote as the disk has them, and what is being written.
    pub(super) durable: Meta,
    pub(super) writing: Option<(u64, Meta)>,
    pub(super) election: Option<TimerId>,
    pub(super) turn: u32,
    /// The leader's process, which it watches.
    pub(super) watched: Option<Pid>,
    /// The timer for the head of the queue.
    pub(super) expiry: Option<TimerId>,
    /// The timer for deliveries that take too long is set.
    pub(super) consumer_timer: bool,
    /// What it reported to be.
    pub(super) reported: Option<bool>,
    /// The last entry of which it has told a channel that it is applied.
    pub(super) confirmed: Index,
    /// Commands that were no publishes and no acknowledgements.
    pub(super) returns: u64,
    /// As a leader: the process that publishes dead letters, if they leave only when they have
    /// arrived.
    pub(super) worker: Option<Lane>,
}

impl Member {
    /// The process `me`, with what the disk has; at time zero `leader` leads.
    #[must_use]
    pub fn new(
        node: &Node,
        queue: QueueId,
        me: Pid,
        disk: Option<MemberDisk>,
        leader: Option<NodeId>,
    ) -> Member {
        let founders = node.config.group(queue).to_vec();
        let disk = disk.unwrap_or_else(|| MemberDisk {
            meta: Meta { term: u32::from(leader.is_some()), voted_for: leader },
            log: Log::new(),
            fifo: node.fresh_fifo(queue),
            applied: 0,
            newcomer: false,
        });
        let MemberDisk { meta, log, fifo, applied, newcomer } = disk;
        let rules = node.config.settings.rules;
        let faulty = Faulty {
            waits_for_all: !rules.has(Rule::CommitByMajority),
            counts_unsynced: !rules.has(Rule::QuorumQueuesFsync),
            votes_for_any_log: !rules.has(Rule::VoteForNewestLog),
            ..Faulty::default()
        };
        let mut server = Server::new(me, (founders, newcomer), meta, log, faulty);
        server.applied_before(applied);
        let handed = server.log.last().index;
        if let Some(leader) = leader {
            server.found(leader);
        }
        Member {
            queue,
            khepri: node.config.khepri() == Some(queue),
            me,
            server,
            fifo,
            applied,
            replies: VecDeque::new(),
            low: VecDeque::new(),
            flush_asked: false,
            calls: Vec::new(),
            handed,
            after_sync: VecDeque::new(),
            syncing: false,
            durable: meta,
            writing: None,
            election: None,
            turn: 0,
            watched: None,
            expiry: None,
            consumer_timer: false,
            reported: None,
            confirmed: 0,
            returns: 0,
            worker: None,
        }
    }

    /// The process that publishes dead letters.
    #[must_use]
    pub fn worker(&self) -> Option<Lane> {
        self.worker
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> QueueId {
        self.queue
    }

    /// What it is of in reports; nothing if it is of Khepri's group.
    #[must_use]
    pub fn destination(&self) -> Option<DestinationId> {
        (!self.khepri).then_some(DestinationId(self.queue.0))
    }

    /// Its process.
    #[must_use]
    pub fn me(&self) -> Pid {
        self.me
    }

    /// Its Raft state.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The state after what it has applied, and the last entry of that.
    #[must_use]
    pub fn state(&self) -> (&Fifo, Index) {
        (&self.fifo, self.applied)
    }

    /// The last entry of which it has told a channel that it is applied.
    #[must_use]
    pub fn confirmed(&self) -> Index {
        self.confirmed
    }

    /// How many commands have given messages back, or might have.
    #[must_use]
    pub fn returns(&self) -> u64 {
        self.returns
    }

    /// What remains of it without its process. `kept` is how much of the file of term and vote the
    /// disk has.
    #[must_use]
    pub fn into_disk(self, kept: u64) -> MemberDisk {
        let meta = match self.writing {
            Some((end, meta)) if end <= kept => meta,
            _ => self.durable,
        };
        let (fifo, applied, newcomer) = (self.fifo, self.applied, self.server.is_newcomer());
        MemberDisk { meta, log: self.server.log, fifo, applied, newcomer }
    }

    pub(super) fn place(&self, node: &Node) -> Place {
        let destination = node.config.destination(self.queue);
        Place { queue: self.queue, destination, node: self.me.node }
    }

    /// Handles what is in the mailbox.
    pub fn handle(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, mail: RaMail) {
        self.server.set_now(ctx.clock());
        let before = self.applied;
        let state = |member: &Self| {
            let server = &member.server;
            (server.commit(), server.leads(), server.breach(), member.confirmed)
        };
        let was = state(self);
        match mail {
            RaMail::Down(pid, reason) => self.down(node, ctx, pid, reason),
            RaMail::Message(message) => self.receive(node, ctx, message),
        }
        self.act(node, ctx);
        if state(self) != was || self.applied != before {
            node.touched.push((self.queue, before));
        }
    }

    fn receive(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: RaMessage) {
        match message {
            RaMessage::Rpc(rpc) => {
                let costs = &node.config.costs;
                let entries = rpc.entries().len() as u64;
                ctx.spend(costs.quorum_rpc + costs.quorum_follow * entries);
                node.knows_member(self.queue, rpc.sender());
                self.server.receive(rpc);
            }
            RaMessage::Command(request) => self.command(node, ctx, *request),
            RaMessage::Missing { channel, first } => self.send_missing(node, ctx, channel, first),
            RaMessage::Suspected { node, down } => self.server.suspected(node, down),
            RaMessage::NodeUp { node: peer } => self.node_up(node, ctx, peer),
            RaMessage::NodeDown { node: peer } => {
                self.server.leader_down(peer, Delay::Short);
                self.server.member_down(peer);
            }
            RaMessage::Transfer { to } => self.transfer(node, ctx, to),
            RaMessage::TransferOver => self.transfer_over(node, ctx),
            RaMessage::Stand => self.server.election_timeout(),
            RaMessage::Shutdown => node.end_process(ctx.lane(), DownReason::Shutdown),
            RaMessage::Written(upto) => self.server.fsynced(upto),
            RaMessage::Recover => {
                let bytes = log_bytes(&self.server.log);
                ctx.read(bytes, Message::Ra(self.queue, RaMessage::HasRead));
            }
            // Ra writes what its WAL has into segment files as it starts.
            RaMessage::HasRead => {
                let recovered = Message::Ra(self.queue, RaMessage::Recovered);
                ctx.fsync_blocking(node.wal_file(self.queue), recovered);
            }
            RaMessage::Recovered => self.recovered(node, ctx),
            RaMessage::PersistAgain => self.persist(node, ctx),
            RaMessage::MetaSynced => {
                self.syncing = false;
                if let Some((_, meta)) = self.writing.take() {
                    self.durable = meta;
                }
                for out in std::mem::take(&mut self.after_sync) {
                    self.do_or_wait(node, ctx, out);
                }
            }
            RaMessage::ElectionTimeout { turn } => {
                if turn == self.turn {
                    self.election = None;
                    self.server.election_timeout();
                }
            }
            RaMessage::Tick => {
                ctx.after(TICK, ctx.lane(), Message::Ra(self.queue, RaMessage::Tick));
                self.expel(node);
                self.server.tick();
            }
            RaMessage::Flush => {
                self.flush_asked = false;
                self.flush(node, ctx);
            }
            RaMessage::DisconnectedTimeout { channel } => {
                if self.server.leads() && self.fifo.suspected().contains(&channel) {
                    self.append(node, ctx, Command::Disconnected { channel }, Reply::None);
                }
            }
            RaMessage::ConsumerTimer => {
                self.consumer_timer = false;
                if let Some(timeout) = self.consumer_timeout(node)
                    && self.server.leads()
                    && let Some(oldest) = self.fifo.oldest_delivery()
                {
                    if oldest + timeout <= ctx.clock() {
                        self.append(node, ctx, Command::TimeOut { timeout }, Reply::None);
                    } else {
                        self.await_consumers(node, ctx);
                    }
                }
            }
            RaMessage::ExpireTimer => {
                self.expiry = None;
                if self.server.leads() {
                    self.append(node, ctx, Command::Expire, Reply::None);
                }
            }
        }
    }

    /// It has read what the disk has.
    fn recovered(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.server.log.recovered();
        node.marks.recovered(self.queue);
        if self.khepri {
            self.replay_changes(node);
        }
        let first = ctx.first_round(TICK);
        ctx.after(first, ctx.lane(), Message::Ra(self.queue, RaMessage::Tick));
        if !self.server.leads() && self.server.leader().is_none() {
            self.server.start();
        }
        self.report_role(node, ctx);
    }

    /// Khepri: the tables are what all changes that were applied have made of those at time zero.
    fn replay_changes(&self, node: &mut Node) {
        let config = node.config.clone();
        let mut tables = config.tables.clone();
        for index in 1..=self.applied {
            if let Some(entry) = self.server.log.get(index)
                && let Command::Metadata { change, .. } = entry.command
            {
                change.apply(&config, &mut tables);
            }
        }
        node.mnesia.tables = tables;
    }

    // ---- commands

    /// ra_server_proc.erl `{command, ..}`: a leader appends it; somebody else says who leads, or
    /// keeps a call until that is known.
    fn command(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, request: Request) {
        if matches!(request.command, Command::Metadata { .. }) && !self.server.leads() {
            return self.forward(node, ctx, request);
        }
        if self.server.yields() {
            // `await_condition`: what comes waits until it is known who leads.
            return match request.reply {
                Reply::Call(..) => self.calls.push(request),
                _ => self.low.push_back(request),
            };
        }
        if self.server.leads() {
            let remote = match request.reply {
                Reply::Notify(pid, _) | Reply::Call(pid, _) => pid.node != self.me.node,
                Reply::None => false,
            };
            if remote {
                ctx.spend(node.config.costs.quorum_remote);
            }
            if let Command::Join { .. } | Command::Leave { .. } = request.command {
                self.change(node, ctx, &request);
            } else if is_enqueue(&request.command) {
                self.low.push_back(request);
                if !std::mem::replace(&mut self.flush_asked, true) {
                    ctx.when_idle(Message::Ra(self.queue, RaMessage::Flush));
                }
            } else {
                self.append(node, ctx, request.command, request.reply);
            }
            return;
        }
        let queue = self.queue;
        match (request.reply, self.server.leader()) {
            (Reply::Notify(channel, _), leader) => {
                node.send(ctx, channel, QuorumMessage::NotLeader { queue, leader }, 60);
            }
            (Reply::Call(channel, call), Some(leader)) => {
                let from = self.me.node;
                let answer = CallAnswer::Redirect { leader };
                node.send(ctx, channel, QuorumMessage::Answered { from, call, answer }, 60);
            }
            (Reply::Call(..), None) => self.calls.push(request),
            (Reply::None, _) => {}
        }
    }

    /// What a node writes to Khepri goes to the leader, as soon as there is one.
    pub(super) fn forward(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        request: Request,
    ) {
        match self.server.leader() {
            Some(leader) => {
                let command = RaMessage::Command(Box::new(request));
                node.send_member(ctx, self.queue, leader, command, METADATA_BYTES);
            }
            None => self.calls.push(request),
        }
    }

    /// Commands of low priority, some at a time: what else has come goes first.
    pub(super) fn flush(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.server.yields() {
            return;
        }
        for _ in 0..FLUSH_COMMANDS {
            let Some(request) = self.low.pop_front() else { break };
            self.append_one(node, ctx, request.command, request.reply);
        }
        self.server.replicate();
        if !self.low.is_empty() && !std::mem::replace(&mut self.flush_asked, true) {
            ctx.when_idle(Message::Ra(self.queue, RaMessage::Flush));
        }
    }

    /// As a leader: appends a command and sends it.
    pub(super) fn append(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        command: Command,
        reply: Reply,
    ) {
        self.append_one(node, ctx, command, reply);
        self.server.replicate();
    }

    pub(super) fn append_one(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        command: Command,
        reply: Reply,
    ) {
        let costs = &node.config.costs;
        ctx.spend(match is_enqueue(&command) {
            true => costs.quorum_enqueue,
            false => costs.quorum_command,
        });
        let index = self.server.append(command);
        let early = !node.config.settings.rules.has(Rule::ConfirmWhenApplied);
        if let (Reply::Notify(channel, first), true) = (reply, early) {
            self.confirmed = index;
            let (queue, from) = (self.queue, self.me.node);
            node.send(ctx, channel, QuorumMessage::Applied { queue, from, first, count: 1 }, 60);
        } else if reply != Reply::None {
            self.replies.push_back((index, reply));
        }
    }

    fn node_up(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, peer: NodeId) {
        self.server.node_up(peer);
        if self.server.leads() && !self.khepri {
            self.append(node, ctx, Command::NodeUp { node: peer }, Reply::None);
        }
    }

    fn down(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        pid: Pid,
        reason: DownReason,
    ) {
        if self.watched == Some(pid) {
            self.watched = None;
            let delay = match reason {
                DownReason::NoConnection => Delay::Short,
                _ => Delay::ReallyShort,
            };
            self.server.leader_down(pid.node, delay);
        } else if self.server.leads() {
            self.append(node, ctx, Command::Down { channel: pid, reason }, Reply::None);
        }
    }

    /// Takes a snapshot when enough entries have come since the last one for it to pay
    /// (rabbit_fifo.erl v4.0: `checkpoint`).
    pub(super) fn maybe_snapshot(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        let log = &self.server.log;
        if self.khepri {
            // `khepri_snapshot_interval` is 50,000 changes.
            return;
        }
        let behind = (self.applied - log.base().index) as usize;
        if behind < SNAPSHOT_AFTER.max(2 * self.fifo.len()) || self.applied > log.written() {
            return;
        }
        let Some(last) = log.position(self.applied) else { return };
        let first = log.base().index + 1;
        debug_assert!(first <= last.index, "something was applied");
        let state = Arc::new(self.fifo.clone());
        let gone = self.server.snapshot(last, state);
        let freed = gone.iter().map(|(_, entry)| u64::from(entry_bytes(entry))).sum();
        self.freed(node, ctx, freed);
    }

    /// What it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        if self.syncing || self.server.log.written() < self.server.log.last().index {
            return Some("its log to be on the disk".into());
        }
        let of_queue = |queue: &'static str, metadata: &'static str| {
            Some(Wait::Borrowed(if self.khepri { metadata } else { queue }))
        };
        if self.server.leads() && !self.server.all_caught_up() {
            return of_queue(
                "the followers of a quorum queue",
                "the followers of the metadata store",
            );
        }
        if !self.server.leads() && self.server.leader().is_none() {
            return of_queue("a leader of a quorum queue", "a leader of the metadata store");
        }
        let applies = self.applied < self.server.commit();
        applies.then_some(())?;
        of_queue("a quorum queue's entries to be applied", "changes of the metadata to be applied")
    }
}

fn is_enqueue(command: &Command) -> bool {
    matches!(command, Command::Enqueue { .. })
}

/// The size of a log, with its snapshot.
pub(super) fn log_bytes(log: &Log) -> u64 {
    let first = log.base().index + 1;
    let entries = (first..=log.last().index).filter_map(|index| log.get(index));
    let snapshot = log.snapshot().map_or(0, |snapshot| snapshot.state.bytes());
    snapshot + entries.map(|entry| u64::from(entry_bytes(entry))).sum::<u64>()
}

/// Its size in the log.
pub(super) fn entry_bytes(entry: &Entry) -> u32 {
    Wal::ENTRY_BYTES
        + match entry.command {
            Command::Enqueue { message, .. } => message.bytes * message.count,
            Command::Metadata { .. } => METADATA_BYTES,
            _ => 0,
        }
}
