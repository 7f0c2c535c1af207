//! What a member's server wants done: said to others, put on the disk, timed, and told to channels
//! (ra_server_proc.erl: `handle_effects`).

use crate::engine::Span;
use crate::observe::{Event, Removal};
use crate::world::Context;

use super::super::super::message::ra::{
    CallAnswer, Command, Entry, Index, QuorumMessage, RaMessage, Reply, Rpc, WalMessage,
};
use super::super::super::message::{DownReason, Message, Pid};
use super::super::super::rules::Rule;
use super::super::super::words::{CONSUMED, because, cause, event, role};
use super::super::ra::log::Log;
use super::super::ra::server::{Delay, Out};
use super::super::ra::wal::RETRY;
use super::super::{Node, Process};
use super::disk::{copies, enqueued, report_change, report_removed, report_stored};
use super::letters::Worker;
use super::member::{Member, entry_bytes};

/// ra_server_proc.erl: `?DEFAULT_BROADCAST_TIME`.
const BROADCAST: Span = Span::from_millis(100);
/// Bytes of a request or an answer between members, beside its entries.
const RPC_BYTES: u32 = 80;
/// Bytes of term and vote on the disk.
const META_BYTES: u64 = 64;

impl Member {
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

    /// Term and vote go to the disk, and what comes behind waits until they are there: for as long as
    /// a full disk has no room for them, since who answers before that may vote twice.
    pub(super) fn persist(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        let file = node.meta_file(self.queue);
        self.syncing = true;
        if ctx.write(file, META_BYTES).is_err() {
            let again = Message::Ra(self.queue, RaMessage::PersistAgain);
            ctx.after(RETRY, ctx.lane(), again);
            return;
        }
        self.writing = Some((ctx.file_length(file), self.server.meta()));
        ctx.fsync_blocking(file, Message::Ra(self.queue, RaMessage::MetaSynced));
    }

    pub(super) fn do_or_wait(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, out: Out) {
        if self.syncing {
            self.after_sync.push_back(out);
        } else {
            self.do_one(node, ctx, out);
        }
    }

    fn do_one(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, out: Out) {
        match out {
            Out::Send(to, rpc) => {
                ctx.spend(node.config.costs.quorum_send * rpc.entries().len() as u64);
                let bytes = rpc_bytes(&rpc);
                if !node.send_member(ctx, self.queue, to, RaMessage::Rpc(rpc), bytes) {
                    self.server.member_down(to);
                }
            }
            // Without the rule it is in memory only.
            Out::Persist if !node.config.settings.rules.has(Rule::PersistVotes) => {}
            Out::Persist => self.persist(node, ctx),
            Out::Appended(first) => self.write(node, ctx, first),
            Out::Truncated(first, cut) => {
                self.handed = self.server.log.base().index.max(self.handed - cut.len() as u64);
                self.truncated(node, ctx, first, &cut);
            }
            Out::Installed(gone) => self.installed(node, ctx, &gone),
            Out::Follows(leader) => {
                let news = self.watched != Some(leader);
                if news {
                    self.watched = Some(leader);
                    node.monitor(ctx, ctx.lane(), leader);
                }
                node.leaderboard[self.queue.0 as usize] = Some(leader.node);
                self.answer_calls(node, ctx);
                if news && self.khepri {
                    node.propose_again(ctx);
                }
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
                if let Some(worker) = self.worker.take() {
                    node.end_process(worker, DownReason::Normal);
                }
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
            // What it has applied at that place stays applied.
            if let Some(held) = enqueued(index, &entry.command).filter(|_| index > self.applied) {
                report_stored(now, place, &node.config.letters, &held, ctx.observer());
            }
        }
        let entries = (last.index + 1 - first) as u32;
        if let Some(wal) = node.wal(self.queue) {
            let write = WalMessage::Write { queue: self.queue, last, entries, bytes };
            ctx.tell(wal, write.into());
        }
    }

    /// What a former leader had not got committed is overwritten. (And what was committed, and even
    /// applied, if members that had lost their disks have elected one that lacks it: then the state
    /// stays as it is.)
    fn truncated(&self, node: &Node, ctx: &mut Context<'_, Message>, first: Index, cut: &[Entry]) {
        let (place, now) = (self.place(node), ctx.now());
        let because = because::ANOTHER_LEADER;
        let removal = Removal { cause: cause::LOG_OVERWRITTEN, because };
        let unapplied = (first..).zip(cut).filter(|(index, _)| *index > self.applied);
        for (index, entry) in unapplied {
            if let Some(held) = enqueued(index, &entry.command) {
                report_removed(now, place, &node.config.letters, &held, removal, ctx.observer());
            }
        }
    }

    /// A snapshot has come from the leader: this is the queue now.
    fn installed(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        gone: &[(Index, Entry)],
    ) {
        let Some(snapshot) = self.server.log.snapshot() else { return };
        let last = snapshot.last.index;
        let mut before = copies(&Log::new(), &self.fifo, self.applied);
        let unapplied = gone.iter().filter(|(index, _)| *index > self.applied);
        before.extend(unapplied.filter_map(|(index, entry)| enqueued(*index, &entry.command)));
        let behind = copies(&self.server.log, &self.fifo.fresh(), last);
        before.extend(&behind);
        self.fifo = (*snapshot.state).clone();
        // What is behind it was handed over before, if it is still there.
        self.handed = self.handed.min(self.server.log.last().index).max(last);
        self.applied = last;
        let after = copies(&self.server.log, &self.fifo, last);
        let (place, now) = (self.place(node), ctx.now());
        let settled = CONSUMED;
        let letters = &node.config.letters;
        let change = (&before[..], &after[..]);
        report_change(now, place, letters, change, |_| settled, ctx.observer());
        // rabbit_fifo.erl `snapshot_installed`: what consumers of this node hold is sent to them again.
        let here = self.me.node;
        for channel in self.fifo.channels().into_iter().filter(|channel| channel.node == here) {
            self.send_missing(node, ctx, channel, 0);
        }
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
        if self.fifo.is_at_least_once() {
            let lane = node.start(ctx);
            let worker = Pid { node: self.me.node, lane };
            let process = Worker::new(self.queue, worker, self.me.lane);
            node.spawned.push((lane, Process::Letters(Box::new(process))));
            self.worker = Some(lane);
            self.append_one(node, ctx, Command::TakeLetters { worker }, Reply::None);
        }
        if self.khepri {
            node.propose_again(ctx);
        }
        let (now, here) = (ctx.now(), self.me.node);
        let destination = node.config.reported(self.queue);
        let word = if self.khepri { event::METADATA_LEADER } else { event::ELECTED };
        let count = u64::from(self.server.meta().term);
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

    pub(super) fn answer_calls(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(leader) = self.server.leader() else { return };
        for request in std::mem::take(&mut self.calls) {
            if matches!(request.command, Command::Metadata { .. }) {
                self.forward(node, ctx, request);
            } else if let Reply::Call(channel, call) = request.reply {
                let from = self.me.node;
                let answer = CallAnswer::Redirect { leader };
                node.send(ctx, channel, QuorumMessage::Answered { from, call, answer }, 60);
            }
        }
    }

    pub(super) fn report_role(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        let leads = self.server.leads();
        let Some(destination) = node.config.reported(self.queue) else { return };
        if self.reported.replace(leads) != Some(leads) {
            let (now, here) = (ctx.now(), self.me.node);
            let role = if leads { role::LEADER } else { role::FOLLOWER };
            ctx.observer().role(now, here, destination, Some(role));
        }
    }
}

/// Its size between members.
fn rpc_bytes(rpc: &Rpc) -> u32 {
    let snapshot = match rpc {
        Rpc::InstallSnapshot(rpc) => rpc.bytes,
        _ => 0,
    };
    RPC_BYTES + rpc.entries().iter().map(entry_bytes).sum::<u32>() + snapshot
}
