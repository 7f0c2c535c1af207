//! The process of a quorum queue's member (ra_server_proc.erl v3.1): what comes to it, and its
//! commands. What its [`Server`] wants done about it is in `wishes.rs`, what it does as entries are
//! applied in `apply.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Context, TimerId, Wait};

use super::super::super::message::ra::{
    CallAnswer, Command, Entry, Index, QuorumMessage, RaMail, RaMessage, Reply, Request,
};
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::Node;
use super::super::ra::log::{Log, Snapshot};
use super::super::ra::server::{Delay, Faulty, Meta, Out, Server};
use super::super::ra::wal::Wal;
use super::disk::{MemberDisk, Place};
use super::fifo::Fifo;

/// Commands of low priority that are taken at a time (ra_server_proc.erl: `?FLUSH_COMMANDS_SIZE`).
const FLUSH_COMMANDS: usize = 16;
/// rabbit_quorum_queue.erl: `?TICK_INTERVAL`.
const TICK: Span = Span::from_secs(5);
/// Entries behind a snapshot before another one is taken (rabbit_fifo.hrl v4.0:
/// `?CHECK_MIN_INDEXES`).
const SNAPSHOT_AFTER: usize = 4_096;

/// A queue's member on one node.
#[derive(Clone, Debug)]
pub struct Member {
    pub(super) queue: QueueId,
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
    /// What it reported to be.
    pub(super) reported: Option<bool>,
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
        let members = node.config.queue(queue).members.clone();
        let disk = disk.unwrap_or_else(|| MemberDisk {
            meta: Meta { term: u32::from(leader.is_some()), voted_for: leader },
            log: Log::new(),
            fifo: node.fresh_fifo(queue),
            applied: 0,
        });
        let MemberDisk { meta, log, fifo, applied } = disk;
        let rules = node.config.settings.rules;
        let faulty = Faulty {
            waits_for_all: !rules.has(Rule::CommitByMajority),
            counts_unsynced: !rules.has(Rule::QuorumQueuesFsync),
            ..Faulty::default()
        };
        let mut server = Server::new(me, members, meta, log, faulty);
        server.applied_before(applied);
        let handed = server.log.last().index;
        if let Some(leader) = leader {
            server.found(leader);
        }
        Member {
            queue,
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
            reported: None,
        }
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> QueueId {
        self.queue
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

    /// What remains of it without its process. `kept` is how much of the file of term and vote the
    /// disk has.
    #[must_use]
    pub fn into_disk(self, kept: u64) -> MemberDisk {
        let meta = match self.writing {
            Some((end, meta)) if end <= kept => meta,
            _ => self.durable,
        };
        let (fifo, applied) = (self.fifo, self.applied);
        MemberDisk { meta, log: self.server.log, fifo, applied }
    }

    pub(super) fn place(&self, node: &Node) -> Place {
        let destination = node.config.destination(self.queue);
        Place { queue: self.queue, destination, node: self.me.node }
    }

    /// Handles what is in the mailbox.
    pub fn handle(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, mail: RaMail) {
        self.server.set_now(ctx.clock());
        let before = self.applied;
        let was = (self.server.commit(), self.server.leads());
        match mail {
            RaMail::Down(pid, reason) => self.down(node, ctx, pid, reason),
            RaMail::Message(message) => self.receive(node, ctx, message),
        }
        self.act(node, ctx);
        if (self.server.commit(), self.server.leads()) != was || self.applied != before {
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
                let bytes = self.log_bytes();
                ctx.read(bytes, Message::Ra(self.queue, RaMessage::HasRead));
            }
            // Ra writes what its WAL has into segment files as it starts.
            RaMessage::HasRead => {
                let recovered = Message::Ra(self.queue, RaMessage::Recovered);
                ctx.fsync_blocking(node.wal_file(), recovered);
            }
            RaMessage::Recovered => self.recovered(node, ctx),
            RaMessage::PersistAgain => self.persist(ctx),
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
        let first = ctx.first_round(TICK);
        ctx.after(first, ctx.lane(), Message::Ra(self.queue, RaMessage::Tick));
        if !self.server.leads() && self.server.leader().is_none() {
            self.server.start();
        }
        self.report_role(node, ctx);
    }

    fn log_bytes(&self) -> u64 {
        let log = &self.server.log;
        let first = log.base().index + 1;
        let entries = (first..=log.last().index).filter_map(|index| log.get(index));
        let snapshot = log.snapshot().map_or(0, |snapshot| snapshot.state.bytes());
        snapshot + entries.map(|entry| u64::from(entry_bytes(entry))).sum::<u64>()
    }

    // ---- commands

    /// ra_server_proc.erl `{command, ..}`: a leader appends it; somebody else says who leads, or
    /// keeps a call until that is known.
    fn command(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, request: Request) {
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
            if is_enqueue(&request.command) {
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
        node: &Node,
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
        if reply != Reply::None {
            self.replies.push_back((index, reply));
        }
    }

    fn node_up(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, peer: NodeId) {
        self.server.node_up(peer);
        if self.server.leads() {
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
        let behind = (self.applied - log.base().index) as usize;
        if behind < SNAPSHOT_AFTER.max(2 * self.fifo.len()) || self.applied > log.written() {
            return;
        }
        let Some(last) = log.position(self.applied) else { return };
        let first = log.base().index + 1;
        debug_assert!(first <= last.index, "something was applied");
        let state = Arc::new(self.fifo.clone());
        let gone = self.server.log.shorten(Snapshot { last, state });
        let freed = gone.iter().map(|(_, entry)| u64::from(entry_bytes(entry))).sum();
        self.freed(node, ctx, freed);
    }

    /// What it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        if self.syncing || self.server.log.written() < self.server.log.last().index {
            return Some("its log to be on the disk".into());
        }
        if self.server.leads() && !self.server.all_caught_up() {
            return Some("the followers of a quorum queue".into());
        }
        if !self.server.leads() && self.server.leader().is_none() {
            return Some("a leader of a quorum queue".into());
        }
        let applies = self.applied < self.server.commit();
        applies.then(|| "a quorum queue's entries to be applied".into())
    }
}

fn is_enqueue(command: &Command) -> bool {
    matches!(command, Command::Enqueue { .. })
}

/// Its size in the log.
pub(super) fn entry_bytes(entry: &Entry) -> u32 {
    Wal::ENTRY_BYTES
        + match entry.command {
            Command::Enqueue { message, .. } => message.bytes * message.count,
            _ => 0,
        }
}
