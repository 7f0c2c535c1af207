//! What a member does as entries are applied: tells channels, hands messages to consumers, watches
//! channels (rabbit_fifo.erl's effects, as ra_server_proc.erl carries them out).

use crate::engine::{Span, Time};
use crate::observe::{Event, MessageRange};
use crate::world::Context;

use super::super::super::letters::{LetterId, Reason};
use super::super::super::message::channel::ChannelMessage;
use super::super::super::message::ra::{
    CallAnswer, Command, Index, LetterMessage, MessageId, QuorumMessage, RaMessage, Reply,
};
use super::super::super::message::{Message, Pid};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::Node;
use super::super::queue::dead_letter::DeadLetter;
use super::disk::report_removed;
use super::fifo::{Delivery, Effects, Gone, Held, Leaving};
use super::member::Member;

/// Bytes of a delivery between processes beside the payload.
const PUSH_BYTES: u32 = 290;
/// Bytes of an `applied` event.
const APPLIED_BYTES: u32 = 60;

/// What was applied for one channel: numbers from `first` on.
struct Applied {
    channel: Pid,
    first: u64,
    count: u32,
}

impl Member {
    /// Applies what is committed. Returns whether there was anything.
    pub(super) fn apply(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) -> bool {
        let upto = self.server.commit().min(self.server.log.last().index);
        if self.applied >= upto {
            return false;
        }
        let mut notices: Vec<Applied> = Vec::new();
        while self.applied < upto {
            let index = self.applied + 1;
            let Some(entry) = self.server.log.get(index).copied() else { break };
            ctx.spend(node.config.costs.quorum_apply);
            if let Command::Metadata { from, number, change } = entry.command {
                self.applied = index;
                node.change_applied(ctx, from, number, change);
                self.expel(node);
                continue;
            }
            if self.server.leads() && !self.khepri {
                self.members_changed(node, ctx, index, &entry.command);
            }
            let usual = matches!(entry.command, Command::Enqueue { .. } | Command::Settle { .. });
            self.returns += u64::from(!usual);
            let config = node.config.clone();
            let effects = self.fifo.apply(index, entry.at, &entry.command, &config.given);
            self.applied = index;
            self.carry_out(node, ctx, index, &effects, &mut notices);
        }
        self.notify(node, ctx, notices);
        self.await_consumers(node, ctx);
        self.maybe_snapshot(node, ctx);
        true
    }

    fn carry_out(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        index: Index,
        effects: &Effects,
        notices: &mut Vec<Applied>,
    ) {
        for gone in &effects.gone {
            self.leaves(node, ctx, gone);
        }
        for delivery in &effects.deliveries {
            self.deliver(node, ctx, delivery);
        }
        if !self.server.leads() {
            return;
        }
        for &channel in &effects.monitors {
            node.monitor(ctx, ctx.lane(), channel);
        }
        for &channel in &effects.disconnected {
            self.await_disconnected(node, ctx, channel);
        }
        self.tell_leader_change(node, ctx, &effects.leader_changes);
        let queue = self.queue;
        for &(channel, full) in &effects.told {
            node.send(ctx, channel, QuorumMessage::Status { queue, full }, 60);
        }
        if let Some(active) = effects.active {
            let (now, here) = (ctx.now(), ctx.node());
            let destination = Some(node.config.destination(queue));
            let (word, subject) = (event::CONSUMER_ACTIVE, Some(active.node));
            ctx.observer().event(now, Event { word, node: here, destination, subject, count: 0 });
        }
        if let Some(at) = effects.expires {
            self.await_expiry(ctx, at);
        }
        for &(worker, id, held, reason) in &effects.letters {
            if self.worker == Some(worker.lane) {
                let Held { message, letter, .. } = held;
                let died = LetterMessage::Died { id, message, letter, reason };
                ctx.tell(worker.lane, died.into());
            }
        }
        for &channel in &effects.timed_out {
            node.send(ctx, channel, QuorumMessage::TimedOut { queue }, 60);
        }
        self.reply(node, ctx, index, effects, notices);
    }

    /// Tells who sent the command, if somebody wants to know.
    fn reply(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        index: Index,
        effects: &Effects,
        notices: &mut Vec<Applied>,
    ) {
        while self.replies.front().is_some_and(|(of, _)| *of < index) {
            self.replies.pop_front();
        }
        let Some(&(_, reply)) = self.replies.front().filter(|(of, _)| *of == index) else { return };
        self.replies.pop_front();
        self.confirmed = index;
        match reply {
            Reply::None => {}
            Reply::Call(channel, call) => {
                let from = self.me.node;
                let answer = effects.answer.unwrap_or(CallAnswer::Done);
                node.send(ctx, channel, QuorumMessage::Answered { from, call, answer }, 60);
            }
            Reply::Notify(channel, number) => {
                if effects.not_enqueued {
                    let (queue, from) = (self.queue, self.me.node);
                    node.send(ctx, channel, QuorumMessage::NotEnqueued { queue, from }, 60);
                    return;
                }
                let follows = |of: &&mut Applied| {
                    of.channel == channel && of.first + u64::from(of.count) == number
                };
                match notices.iter_mut().rev().find(follows) {
                    Some(of) => of.count += 1,
                    None => notices.push(Applied { channel, first: number, count: 1 }),
                }
            }
        }
    }

    fn notify(&self, node: &mut Node, ctx: &mut Context<'_, Message>, notices: Vec<Applied>) {
        let (queue, from) = (self.queue, self.me.node);
        for Applied { channel, first, count } in notices {
            let applied = QuorumMessage::Applied { queue, from, first, count };
            node.send(ctx, channel, applied, APPLIED_BYTES + 4 * count);
        }
    }

    /// A message has left the queue: this node's copy is gone; the leader dead-letters it.
    fn leaves(&self, node: &mut Node, ctx: &mut Context<'_, Message>, gone: &Gone) {
        let (place, now) = (self.place(node), ctx.now());
        let (removal, reason) = match gone.why {
            Leaving::Settled(removal) => (removal, None),
            Leaving::Dead(reason) => {
                let dead_letters = node.dead_letters(self.queue);
                (reason.removal(dead_letters), dead_letters.then_some(reason))
            }
            Leaving::Lettered(reason) => (reason.removal(true), None),
        };
        let letters = node.config.letters.clone();
        report_removed(now, place, &letters, &gone.held, removal, ctx.observer());
        if let Some(reason) = reason.filter(|_| self.server.leads()) {
            self.dead_letter(node, ctx, gone, reason);
        }
    }

    fn dead_letter(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        gone: &Gone,
        reason: Reason,
    ) {
        let letter = DeadLetter {
            from: self.me,
            seq: gone.held.index,
            queue: self.queue,
            message: gone.held.message,
            persistent: true,
            letter: gone.held.letter,
            reason,
        };
        node.dead_letter(ctx, &letter);
    }

    /// A message goes to its consumer from the member on the consumer's node, or from the leader
    /// (rabbit_fifo.erl: the send option `local`).
    fn deliver(&self, node: &mut Node, ctx: &mut Context<'_, Message>, delivery: &Delivery) {
        let Delivery { channel, id, held } = *delivery;
        let local = channel.node == self.me.node;
        let served_there = self.server.cluster().has_vote(channel.node);
        let sends = match self.server.leads() {
            true => local || !served_there,
            false => local && served_there,
        };
        if sends {
            self.push(node, ctx, channel, id, delivery_of(held));
        }
    }

    fn push(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        id: MessageId,
        (message, redelivered, letter): Pushing,
    ) {
        ctx.spend(node.config.costs.queue_deliver);
        let bytes = PUSH_BYTES + message.bytes * message.count;
        let (queue, from) = (self.queue, self.me);
        let push = ChannelMessage::Push { queue, from, id, message, redelivered, letter };
        node.send(ctx, channel, push, bytes);
    }

    /// A consumer lacks what it was assigned before: the leader sends it (rabbit_fifo_client.erl:
    /// `get_missing_deliveries`).
    pub(super) fn send_missing(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        first: MessageId,
    ) {
        let queue = self.queue;
        let missing = self.fifo.assigned_from(channel, first);
        if let Some(next) = missing.first().map(|of| of.id).filter(|id| *id > first) {
            node.send(ctx, channel, QuorumMessage::Missed { queue, next }, 60);
        }
        for Delivery { channel, id, held } in missing {
            self.push(node, ctx, channel, id, delivery_of(held));
        }
    }

    /// From 4.3 on: what a channel holds that cannot be reached stays assigned to it for a while.
    pub(super) fn await_disconnected(
        &self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
    ) {
        let after = node.config.settings.consumer_disconnected_timeout;
        let timeout = RaMessage::DisconnectedTimeout { channel };
        ctx.after(after, ctx.lane(), Message::Ra(self.queue, timeout));
    }

    /// `consumer_timeout`, where it is the queue's affair.
    pub(super) fn consumer_timeout(&self, node: &Node) -> Option<Span> {
        let settings = &node.config.settings;
        settings.consumer_timeout.filter(|_| settings.rules.has(Rule::TimeOutInQueue))
    }

    /// A timer for the oldest delivery, unless there is one.
    pub(super) fn await_consumers(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        if self.consumer_timer || !self.server.leads() {
            return;
        }
        let Some(timeout) = self.consumer_timeout(node) else { return };
        let Some(oldest) = self.fifo.oldest_delivery() else { return };
        self.consumer_timer = true;
        let now = ctx.clock();
        let after = (oldest + timeout).since(now.min(oldest + timeout));
        let timer = Message::Ra(self.queue, RaMessage::ConsumerTimer);
        ctx.after(after, ctx.lane(), timer);
    }

    fn await_expiry(&mut self, ctx: &mut Context<'_, Message>, at: Time) {
        if let Some(timer) = self.expiry.take() {
            ctx.cancel(timer);
        }
        let after = at.since(ctx.clock().min(at));
        let timer = Message::Ra(self.queue, RaMessage::ExpireTimer);
        self.expiry = Some(ctx.after(after, ctx.lane(), timer));
    }

    /// The disk has room again where entries were.
    pub(super) fn freed(&self, node: &Node, ctx: &mut Context<'_, Message>, bytes: u64) {
        ctx.release(node.wal_file(self.queue), bytes);
    }
}

/// What is sent of a message.
type Pushing = (MessageRange, bool, LetterId);

fn delivery_of(held: Held) -> Pushing {
    (held.message, held.returns > 0, held.letter)
}
