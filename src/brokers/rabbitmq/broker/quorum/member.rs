//! The process of a quorum queue's member (ra_server_proc.erl v3.1): the timers, the disk and the
//! messages of its [`Server`]. What it does as entries are applied is in `apply.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::Span;
use crate::observe::{DestinationId, Event, NodeId, Removal};
use crate::world::{Context, TimerId, Wait};

use super::super::super::message::ra::{
    CallAnswer, Command, Entry, Index, QuorumMessage, RaMail, RaMessage, Reply, Request, WalMessage,
};
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::{CONSUMED, because, cause, event, role};
use super::super::Node;
use super::super::ra::log::{Log, Snapshot};
use super::super::ra::server::{Delay, Faulty, Meta, Out, Server};
use super::super::ra::wal::Wal;
use super::disk::{
    MemberDisk, Place, copies, enqueued, report_change, report_removed, report_stored,
};
use super::fifo::Fifo;

/// Commands of low priority that are taken at a time (ra_server_proc.erl: `?FLUSH_COMMANDS_SIZE`).
const FLUSH_COMMANDS: usize = 16;
/// rabbit_quorum_queue.erl: `?TICK_INTERVAL`.
const TICK: Span = Span::from_secs(5);
/// ra_server_proc.erl: `?DEFAULT_BROADCAST_TIME`.
const BROADCAST: Span = Span::from_millis(100);
/// Bytes of a request or an answer between members, beside its entries.
const RPC_BYTES: u32 = 80;
/// Bytes of term and vote on the disk.
const META_BYTES: u64 = 64;
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
    low: VecDeque<Request>,
    flush_asked: bool,
    /// Calls that wait for somebody to lead (ra_server_proc.erl: `pending_commands`).
    calls: Vec<Request>,
    /// The last entry that was handed to the node's log.
    handed: Index,
    /// What is to be done once term and vote are durable.
    after_sync: VecDeque<Out>,
    syncing: bool,
    /// Term and vote as the disk has them, and what is being written.
    durable: Meta,
    writing: Option<(u64, Meta)>,
    election: Option<TimerId>,
    turn: u32,
    /// The leader's process, which it watches.
    watched: Option<Pid>,
    /// The timer for the head of the queue.
    pub(super) expiry: Option<TimerId>,
    /// What it reported to be.
    reported: Option<bool>,
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
            RaMessage::AppendEntries(_)
            | RaMessage::AppendReply { .. }
            | RaMessage::PreVote { .. }
            | RaMessage::PreVoteResult { .. }
            | RaMessage::RequestVote { .. }
            | RaMessage::VoteResult { .. }
            | RaMessage::InstallSnapshot(_)
            | RaMessage::SnapshotReply { .. } => {
                self.spend_on(node, ctx, &message);
                node.knows_member(self.queue, sender(&message));
                self.server.receive(message);
            }
            RaMessage::Command(request) => self.command(node, ctx, *request),
            RaMessage::Missing { channel, first } => self.send_missing(node, ctx, channel, first),
            RaMessage::Suspected { node, down } => self.server.suspected(node, down),
            RaMessage::NodeUp { node: peer } => self.node_up(node, ctx, peer),
            RaMessage::NodeDown { node: peer } => {
                self.server.leader_down(peer, Delay::Short);
                self.server.member_down(peer);
            }
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

    fn spend_on(&self, node: &Node, ctx: &mut Context<'_, Message>, message: &RaMessage) {
        let costs = &node.config.costs;
        let entries = match message {
            RaMessage::AppendEntries(rpc) => rpc.entries.len() as u64,
            _ => 0,
        };
        ctx.spend(costs.quorum_rpc + costs.quorum_follow * entries);
    }

    // ---- commands

    /// ra_server_proc.erl `{command, ..}`: a leader appends it; somebody else says who leads, or
    /// keeps a call until that is known.
    fn command(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, request: Request) {
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
    fn flush(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
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

    fn append_one(
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

    // ---- what the server wants done

    pub(super) fn act(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        loop {
            let outs = self.server.take();
            if outs.is_empty() {
                if self.syncing || !self.apply(node, ctx) {
                    break;
                }
                continue;
            }
            for out in outs {
                self.do_or_wait(node, ctx, out);
            }
        }
    }

    fn do_or_wait(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, out: Out) {
        if self.syncing {
            self.after_sync.push_back(out);
        } else {
            self.do_one(node, ctx, out);
        }
    }

    fn do_one(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, out: Out) {
        match out {
            Out::Send(to, message) => {
                if let RaMessage::AppendEntries(rpc) = &message {
                    ctx.spend(node.config.costs.quorum_send * rpc.entries.len() as u64);
                }
                let bytes = message_bytes(&message);
                if !node.send_member(ctx, self.queue, to, message, bytes) {
                    self.server.member_down(to);
                }
            }
            Out::Persist => {
                let file = Node::meta_file(self.queue);
                if ctx.write(file, META_BYTES).is_ok() {
                    self.writing = Some((ctx.file_length(file), self.server.meta()));
                }
                self.syncing = true;
                let synced = Message::Ra(self.queue, RaMessage::MetaSynced);
                ctx.fsync_blocking(file, synced);
            }
            Out::Appended(first) => self.write(node, ctx, first),
            Out::Truncated(cut) => {
                self.handed = self.server.log.base().index.max(self.handed - cut.len() as u64);
                self.truncated(node, ctx, &cut);
            }
            Out::Installed(gone) => self.installed(node, ctx, &gone),
            Out::Follows(leader) => {
                if self.watched != Some(leader) {
                    self.watched = Some(leader);
                    node.monitor(ctx, ctx.lane(), leader);
                }
                node.leaderboard[self.queue.0 as usize] = Some(leader.node);
                self.answer_calls(node, ctx);
                self.report_role(node, ctx);
            }
            Out::Timer(delay) => self.set_election(node, ctx, delay),
            Out::TimerUnlessSet(delay) => {
                if self.election.is_none() {
                    self.set_election(node, ctx, delay);
                }
            }
            Out::NoTimer => self.no_election(ctx),
            Out::Leads => self.begin_to_lead(node, ctx),
            Out::StepsDown => {
                self.replies.clear();
                self.low.clear();
                self.report_role(node, ctx);
            }
        }
    }

    /// Entries go to the log of the node, and count as copies from now on. Those that were appended
    /// together go together.
    fn write(&mut self, node: &Node, ctx: &mut Context<'_, Message>, first: Index) {
        let first = first.max(self.handed + 1);
        if first > self.server.log.last().index {
            return;
        }
        self.handed = self.server.log.last().index;
        let (place, now) = (self.place(node), ctx.now());
        let log = &self.server.log;
        let last = log.last();
        let mut bytes = 0;
        for index in first..=last.index {
            let Some(entry) = log.get(index) else { continue };
            bytes += entry_bytes(entry);
            if let Some(held) = enqueued(index, &entry.command) {
                report_stored(now, place, &node.config.letters, &held, ctx.observer());
            }
        }
        let entries = (last.index + 1 - first) as u32;
        if let Some(wal) = node.wal {
            let write = WalMessage::Write { queue: self.queue, last, entries, bytes };
            ctx.tell(wal, write.into());
        }
    }

    /// What a former leader had not got committed is overwritten.
    fn truncated(&self, node: &Node, ctx: &mut Context<'_, Message>, cut: &[Entry]) {
        let (place, now) = (self.place(node), ctx.now());
        let because = because::ANOTHER_LEADER;
        let removal = Removal { cause: cause::LOG_OVERWRITTEN, because };
        for entry in cut {
            if let Some(held) = enqueued(0, &entry.command) {
                report_removed(now, place, &node.config.letters, &held, removal, ctx.observer());
            }
        }
    }

    /// A snapshot has come from the leader: this is the queue now.
    fn installed(&mut self, node: &Node, ctx: &mut Context<'_, Message>, gone: &[(Index, Entry)]) {
        let Some(snapshot) = self.server.log.snapshot() else { return };
        let last = snapshot.last.index;
        let mut before = copies(&Log::new(), &self.fifo, self.applied);
        let unapplied = gone.iter().filter(|(index, _)| *index > self.applied);
        before.extend(unapplied.filter_map(|(index, entry)| enqueued(*index, &entry.command)));
        let behind = copies(&self.server.log, &self.fifo.fresh(), last);
        before.extend(&behind);
        self.fifo = (*snapshot.state).clone();
        self.handed = self.handed.max(last);
        self.applied = last;
        let after = copies(&self.server.log, &self.fifo, last);
        let (place, now) = (self.place(node), ctx.now());
        let settled = CONSUMED;
        let letters = &node.config.letters;
        let change = (&before[..], &after[..]);
        report_change(now, place, letters, change, |_| settled, ctx.observer());
    }

    fn set_election(&mut self, node: &Node, ctx: &mut Context<'_, Message>, delay: Delay) {
        self.no_election(ctx);
        let poll = node.config.settings.aten_poll;
        let upto = |most: Span, ctx: &mut Context<'_, Message>| {
            let millis = most.as_millis().max(1);
            Span::from_millis(1 + ctx.random().below(millis))
        };
        // ra_server_proc.erl: `election_timeout_duration`.
        let after = match delay {
            Delay::ReallyShort => upto(BROADCAST, ctx),
            Delay::Short => BROADCAST + upto(BROADCAST * 5, ctx),
            Delay::Medium => BROADCAST + upto(poll, ctx),
            Delay::Long => poll + upto(Span::from_secs(1), ctx),
        };
        let timeout = RaMessage::ElectionTimeout { turn: self.turn };
        self.election = Some(ctx.after(after, ctx.lane(), Message::Ra(self.queue, timeout)));
    }

    fn no_election(&mut self, ctx: &mut Context<'_, Message>) {
        self.turn += 1;
        if let Some(timer) = self.election.take() {
            ctx.cancel(timer);
        }
    }

    /// rabbit_fifo.erl `state_enter(leader, ..)`: everybody that the queue knows is watched, and
    /// told who leads.
    fn begin_to_lead(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        node.leaderboard[self.queue.0 as usize] = Some(self.me.node);
        self.watched = None;
        self.watch_channels(node, ctx);
        let channels = self.fifo.channels();
        self.tell_leader_change(node, ctx, &channels);
        for channel in self.fifo.suspected() {
            self.await_disconnected(node, ctx, channel);
        }
        for request in std::mem::take(&mut self.calls) {
            self.append_one(node, ctx, request.command, request.reply);
        }
        let (now, here) = (ctx.now(), self.me.node);
        let destination = Some(node.config.destination(self.queue));
        let (word, count) = (event::ELECTED, u64::from(self.server.meta().term));
        ctx.observer().event(now, Event { word, node: here, destination, subject: None, count });
        self.report_role(node, ctx);
    }

    fn watch_channels(&self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.server.leads() {
            for channel in self.fifo.channels() {
                node.monitor(ctx, ctx.lane(), channel);
            }
        }
    }

    pub(super) fn tell_leader_change(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channels: &[Pid],
    ) {
        let (queue, leader) = (self.queue, self.me.node);
        for &channel in channels {
            if node.is_connected(channel.node) {
                node.send(ctx, channel, QuorumMessage::LeaderChange { queue, leader }, 60);
            }
        }
    }

    fn answer_calls(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(leader) = self.server.leader() else { return };
        for request in std::mem::take(&mut self.calls) {
            if let Reply::Call(channel, call) = request.reply {
                let from = self.me.node;
                let answer = CallAnswer::Redirect { leader };
                node.send(ctx, channel, QuorumMessage::Answered { from, call, answer }, 60);
            }
        }
    }

    fn report_role(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        let leads = self.server.leads();
        if self.reported.replace(leads) != Some(leads) {
            let (now, here) = (ctx.now(), self.me.node);
            let destination: DestinationId = node.config.destination(self.queue);
            let role = if leads { role::LEADER } else { role::FOLLOWER };
            ctx.observer().role(now, here, destination, Some(role));
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

/// Its size between members.
fn message_bytes(message: &RaMessage) -> u32 {
    RPC_BYTES
        + match message {
            RaMessage::AppendEntries(rpc) => rpc.entries.iter().map(entry_bytes).sum(),
            RaMessage::InstallSnapshot(rpc) => rpc.bytes,
            _ => 0,
        }
}

/// Who has sent it.
fn sender(message: &RaMessage) -> Pid {
    match message {
        RaMessage::AppendEntries(rpc) => rpc.leader,
        RaMessage::InstallSnapshot(rpc) => rpc.leader,
        RaMessage::AppendReply { from, .. }
        | RaMessage::PreVote { from, .. }
        | RaMessage::PreVoteResult { from, .. }
        | RaMessage::RequestVote { from, .. }
        | RaMessage::VoteResult { from, .. }
        | RaMessage::SnapshotReply { from, .. } => *from,
        _ => unreachable!("not from a member"),
    }
}
