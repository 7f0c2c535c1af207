//! What a queue's leader does (rabbit_amqqueue_process.erl, rabbit_mirror_queue_master.erl, v3.10).

use crate::observe::{BecauseId, Event, MessageRange, Removal};
use crate::world::Context;

use super::super::super::letters::Reason;
use super::super::super::message::amqp::Terms;
use super::super::super::message::channel::ChannelMessage;
use super::super::super::message::queue::{LeaderMessage, Pushed, QueueCall};
use super::super::super::message::ring::Instruction;
use super::super::super::message::{DownReason, Message, Pid, Properties, PublishSeq, QueueSeq};
use super::super::super::rules::Rule;
use super::super::super::words::{AUTO_ACKED, cause, event};
use super::super::Node;
use super::super::store::{Extra, Fetched, GivenUp};
use super::replica::Leader;

/// Bytes of a delivery between processes beside the payload: message record and envelope.
const PUSH_BYTES: u32 = 290;

impl Leader<'_> {
    /// What a channel asks for.
    pub(super) fn serve(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        call: QueueCall,
    ) {
        match call {
            QueueCall::Settle { channel, first, count } => {
                self.settle(node, ctx, channel, first, count);
            }
            QueueCall::NotifySent { channel, count } => {
                if let Some(consumer) = self.leading.consumers.of(channel) {
                    consumer.unsent = consumer.unsent.saturating_sub(count);
                }
                self.unblock(node, channel);
                self.run_queue(node, ctx);
            }
            QueueCall::GiveBack { channel, first, count } => {
                self.give_back(node, ctx, channel, first, count);
            }
            QueueCall::Reject { channel, first, count } => {
                self.reject(node, ctx, channel, first, count);
            }
            QueueCall::Subscribe { channel, terms } => self.subscribe(node, ctx, channel, terms),
            QueueCall::Unsubscribe { channel } => {
                let single_active = self.single_active(node);
                let before = self.leading.consumers.holder;
                self.leading.consumers.cancel(channel, single_active);
                self.holder_changed(node, ctx, before);
                self.delete_if_unused(node, ctx);
                self.run_queue(node, ctx);
            }
            QueueCall::Get { channel, no_ack } => self.get(node, ctx, channel, no_ack),
            QueueCall::Stat { channel } => {
                let (queue, from) = (self.base.queue, self.base.me);
                node.send(ctx, channel, ChannelMessage::Counted { queue, from }, 60);
            }
        }
    }

    /// What is for a leader beside what its clients want.
    pub(super) fn receive(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: LeaderMessage,
    ) {
        match message {
            LeaderMessage::SyncMirrors => self.start_sync(node, ctx, None),
            LeaderMessage::SyncReady { mirror, round } => self.sync_ready(node, ctx, mirror, round),
            LeaderMessage::SyncDeny { mirror, round } => self.sync_denied(node, ctx, mirror, round),
            LeaderMessage::SyncCredit { mirror, round } => self.sync_credit(ctx, mirror, round),
            LeaderMessage::SyncStep { round } => self.sync_step(node, ctx, round),
            LeaderMessage::SyncDone { round } => self.syncer_done(node, ctx, round),
            LeaderMessage::DropExpired => {
                self.leading.ttl_timer = None;
                self.begin_to_lead(node, ctx);
            }
            LeaderMessage::StopTimeout { turn } => self.mirror_stopped(node, ctx, None, Some(turn)),
            LeaderMessage::Declared => self.is_declared(node, ctx),
            LeaderMessage::OwnerGone => self.owner_gone(node, ctx),
            LeaderMessage::Deleted => {
                let deleter = self.leading.deleter.take();
                self.base.answer(node, ctx, deleter, Ok(()));
                node.end_process(ctx.lane(), DownReason::Normal);
            }
            LeaderMessage::PolicyChanged => self.policy_changed(node, ctx),
            LeaderMessage::RingMade => self.ring_made(node, ctx),
            LeaderMessage::Command { asker, action, command } => {
                self.command(node, ctx, (asker, action), command);
            }
        }
    }

    /// What mirrors multicast (rabbit_mirror_queue_coordinator.erl: `handle_msg`). Else it is what
    /// the old leader had still on its way when this mirror was promoted.
    pub(super) fn hear_mirror(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        instruction: Instruction,
    ) {
        match instruction {
            Instruction::RequestDepth => {
                let (depth, next) = (self.base.bq.depth(), self.base.bq.next_id());
                self.base.broadcast(ctx, Instruction::Depth { depth, next });
            }
            Instruction::EnsureMonitoring { channel } => {
                self.base.sender(node, ctx, channel);
            }
            _ => {}
        }
    }

    /// rabbit_amqqueue_process.erl `deliver_or_enqueue`.
    pub(super) fn publish(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        seq: PublishSeq,
        message: MessageRange,
        properties: Properties,
    ) {
        let costs = &node.config.costs;
        ctx.spend(costs.queue_publish + costs.queue_bytes.time(message.bytes * message.count));
        let durable = node.config.queue(self.base.queue).durable;
        if properties.persistent && durable {
            ctx.spend(costs.queue_persist);
        }
        if self.base.group.is_some() {
            ctx.spend(costs.leader_broadcast);
        }
        if properties.mandatory && node.config.settings.rules.has(Rule::ReturnWhenQueueDies) {
            node.send(ctx, channel, ChannelMessage::MandatoryReceived { seq }, 60);
        }
        self.base.take_from_channel(node, ctx, channel, properties);
        let sender = self.base.sender(node, ctx, channel);
        if let Some(at) = sender.early.iter().position(|(early, _)| *early == seq) {
            // Seen over the ring while this process was a mirror: it is queued already.
            if let Some((_, true)) = sender.early.remove(at) {
                self.base.due.push((channel, seq));
            }
            return;
        }
        if self.base.refuses(node, message) {
            self.refuse(node, ctx, (channel, seq), message, properties);
            return;
        }
        let confirm = properties.confirm.then_some((channel, seq));
        let extra = self.base.extra(node, ctx.clock(), properties);
        let taker = if self.base.bq.ready() == 0 { self.next_consumer(node) } else { None };
        if let Some(taker) = taker
            && self.leading.consumers.at(taker).terms.no_ack
        {
            // Straight to a consumer with automatic acknowledgement: never queued, confirmed at
            // once (rabbit_amqqueue_process.erl: `attempt_delivery`, `discard`).
            self.base.due.extend(confirm);
            self.hand_over(node, ctx, message, extra);
            self.base.broadcast(ctx, Instruction::Discard { channel, seq });
            let id = self.base.bq.next_id();
            let letter = properties.letter;
            self.push(node, ctx, taker, Pushed { id, message, redelivered: false, letter });
            return;
        }
        let (id, due) = self.base.bq.publish(ctx, message, properties, false, confirm, extra);
        self.base.due.extend(due);
        let delivered = taker.is_some();
        let instruction = Instruction::Publish { channel, seq, id, message, properties, delivered };
        self.base.broadcast(ctx, instruction);
        match taker {
            Some(taker) => {
                let Some(fetched) = self.base.bq.fetch() else { return };
                debug_assert_eq!(fetched.id, id, "nothing else was ready");
                self.leading.consumers.at(taker).unacked.push_back(id);
                let letter = properties.letter;
                self.push(node, ctx, taker, Pushed { id, message, redelivered: false, letter });
            }
            None => self.after_enqueue(node, ctx),
        }
    }

    /// A message that goes straight to a consumer that needs no acknowledgement has had a copy
    /// here for an instant.
    fn hand_over(
        &self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        message: MessageRange,
        extra: Extra,
    ) {
        let (now, here) = (ctx.now(), ctx.node());
        let destination = node.config.destination(self.base.queue);
        let observer = ctx.observer();
        match extra.origin {
            None => observer.stored(now, here, destination, message),
            Some(origin) => observer.dead_lettered(now, here, origin, destination, message),
        }
        let origin = extra.origin.unwrap_or(destination);
        observer.removed(now, here, origin, message, AUTO_ACKED);
    }

    fn single_active(&self, node: &Node) -> bool {
        node.config.queue(self.base.queue).arguments.single_active_consumer
            && node.config.settings.rules.has(Rule::SingleActiveConsumer)
    }

    fn next_consumer(&mut self, node: &Node) -> Option<usize> {
        let limit = node.config.settings.rules.has(Rule::LimitUnsent);
        self.leading.consumers.next(self.single_active(node), limit)
    }

    fn unblock(&mut self, node: &Node, channel: Pid) {
        let limit = node.config.settings.rules.has(Rule::LimitUnsent);
        self.leading.consumers.unblock(channel, limit);
    }

    /// Delivers what is ready while a consumer has room (rabbit_amqqueue_process.erl:
    /// `run_message_queue`).
    pub(crate) fn run_queue(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        while self.base.bq.ready() > 0 && !self.base.ending {
            let Some(taker) = self.next_consumer(node) else { return };
            let no_ack = self.leading.consumers.at(taker).terms.no_ack;
            let Some(fetched) = self.fetch(node, ctx, taker, no_ack) else { return };
            self.push(node, ctx, taker, fetched);
        }
    }

    /// Takes the queue's head for a consumer (`fetch`); then what has expired behind it goes.
    fn fetch(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        taker: usize,
        no_ack: bool,
    ) -> Option<Pushed> {
        let Fetched { id, message, redelivered, letter } = self.base.bq.fetch()?;
        self.base.page_in(node, ctx, id);
        if no_ack {
            if let Some(given_up) = self.base.bq.give_up(ctx, id, AUTO_ACKED) {
                self.base.due.extend(given_up.due);
            }
            let (count, removal) = (1, AUTO_ACKED);
            self.base.broadcast(ctx, Instruction::Drop { first: id, count, removal });
        } else {
            self.leading.consumers.at(taker).unacked.push_back(id);
            self.base.broadcast(ctx, Instruction::Fetch { id });
        }
        if self.base.bq.has_extras() {
            self.drop_expired(node, ctx);
        }
        Some(Pushed { id, message, redelivered, letter })
    }

    fn push(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        taker: usize,
        pushed: Pushed,
    ) {
        ctx.spend(node.config.costs.queue_deliver);
        let consumer = self.leading.consumers.at(taker);
        consumer.unsent += 1;
        let channel = consumer.channel;
        let bytes = PUSH_BYTES + pushed.message.bytes * pushed.message.count;
        let (queue, from) = (self.base.queue, self.base.me);
        let Pushed { id, message, redelivered, letter } = pushed;
        let push = ChannelMessage::Push { queue, from, id, message, redelivered, letter };
        node.send(ctx, channel, push, bytes);
    }

    /// `basic.get`: the head of the queue, whoever else waits for it.
    fn get(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, channel: Pid, no_ack: bool) {
        ctx.spend(node.config.costs.queue_deliver);
        let (queue, from) = (self.base.queue, self.base.me);
        let no_ack = no_ack && node.config.settings.rules.has(Rule::ForgetAutoAcked);
        if self.base.bq.ready() == 0 {
            node.send(ctx, channel, ChannelMessage::Got { queue, from, got: None }, 60);
            return;
        }
        self.leading.consumers.record(channel);
        if !self.base.senders.iter().any(|sender| sender.channel == channel) {
            node.monitor(ctx, ctx.lane(), channel);
        }
        let taker = self.leading.consumers.index(channel);
        let got = self.fetch(node, ctx, taker, no_ack);
        self.leading.consumers.forget_idle();
        let bytes = got.map_or(0, |got| PUSH_BYTES + got.message.bytes * got.message.count);
        let got = got.map(Box::new);
        node.send(ctx, channel, ChannelMessage::Got { queue, from, got }, bytes.max(60));
    }

    /// The numbers among these that the channel has not acknowledged, which it has no more.
    fn take_unacked(&mut self, channel: Pid, first: QueueSeq, count: u32) -> Vec<QueueSeq> {
        let mut taken = Vec::new();
        let Some(consumer) = self.leading.consumers.of(channel) else { return taken };
        for id in first..first + u64::from(count) {
            if let Some(at) = position(&consumer.unacked, id) {
                consumer.unacked.remove(at);
                taken.push(id);
            }
        }
        taken
    }

    fn settle(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        first: QueueSeq,
        count: u32,
    ) {
        ctx.spend(node.config.costs.queue_settle * u64::from(count));
        let settled = self.take_unacked(channel, first, count);
        for &id in &settled {
            if let Some(confirm) = self.base.bq.settle(ctx, id) {
                self.base.due.extend(confirm);
            }
        }
        for (first, count) in runs(&settled) {
            if self.base.group.is_some() {
                ctx.spend(node.config.costs.leader_broadcast);
            }
            self.base.broadcast(ctx, Instruction::Ack { first, count });
        }
        self.after_settling(node, ctx, channel);
    }

    fn after_settling(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, channel: Pid) {
        self.leading.consumers.forget_idle();
        self.unblock(node, channel);
        self.run_queue(node, ctx);
    }

    fn give_back(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        first: QueueSeq,
        count: u32,
    ) {
        let given_back = self.take_unacked(channel, first, count);
        self.requeue(node, ctx, &given_back);
        self.after_settling(node, ctx, channel);
    }

    /// `basic.reject` without requeue: dead-lettered, or dropped (`handle_cast({reject, false,
    /// ..})`).
    fn reject(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        first: QueueSeq,
        count: u32,
    ) {
        ctx.spend(node.config.costs.queue_settle * u64::from(count));
        for id in self.take_unacked(channel, first, count) {
            self.dispose(node, ctx, id, Reason::Rejected);
        }
        self.after_settling(node, ctx, channel);
    }

    /// Messages go back to their places; then the queue may be too long, and what has come to its
    /// head may have expired (`requeue_and_run`).
    fn requeue(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, ids: &[QueueSeq]) {
        if node.config.settings.rules.has(Rule::RequeueInPlace) {
            for &id in ids {
                self.base.bq.requeue(id);
            }
            for (first, count) in runs(ids) {
                self.base.broadcast(ctx, Instruction::Requeue { first, count });
            }
        } else {
            self.requeue_last(node, ctx, ids);
        }
        self.after_enqueue(node, ctx);
    }

    /// Without the rule by which what is given back takes its old place.
    fn requeue_last(&mut self, node: &Node, ctx: &mut Context<'_, Message>, ids: &[QueueSeq]) {
        let removal = Removal { cause: cause::NOT_REQUEUED, because: BecauseId::NONE };
        for &id in ids {
            let Some(given_up) = self.base.bq.give_up(ctx, id, removal) else { continue };
            self.base.due.extend(given_up.due);
            self.base.broadcast(ctx, Instruction::Drop { first: id, count: 1, removal });
            let GivenUp { message, persistent, letter, .. } = given_up;
            let properties = Properties { persistent, letter, ..Properties::default() };
            let extra = self.base.extra(node, ctx.clock(), properties);
            let (id, _) = self.base.bq.publish(ctx, message, properties, true, None, extra);
            self.leading.letters_sent += 1;
            let (channel, seq, delivered) = (self.base.me, self.leading.letters_sent, false);
            let publish = Instruction::Publish { channel, seq, id, message, properties, delivered };
            self.base.broadcast(ctx, publish);
        }
    }

    fn subscribe(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        mut terms: Terms,
    ) {
        let (queue, from, rules) = (self.base.queue, self.base.me, node.config.settings.rules);
        terms.no_ack &= rules.has(Rule::ForgetAutoAcked);
        terms.exclusive &= rules.has(Rule::ExclusiveConsumer);
        let before = self.leading.consumers.holder;
        if self.leading.consumers.add(channel, terms, self.single_active(node)).is_err() {
            node.send(ctx, channel, ChannelMessage::InUse { queue }, 80);
            return;
        }
        self.holder_changed(node, ctx, before);
        if !self.base.senders.iter().any(|sender| sender.channel == channel) {
            node.monitor(ctx, ctx.lane(), channel);
        }
        node.send(ctx, channel, ChannelMessage::Subscribed { queue, from }, 80);
        self.run_queue(node, ctx);
    }

    /// Tells when another consumer is the single active one.
    fn holder_changed(&self, node: &Node, ctx: &mut Context<'_, Message>, before: Option<Pid>) {
        let now_active =
            self.leading.consumers.holder.filter(|_| self.leading.consumers.holder != before);
        let Some(active) = now_active.filter(|_| self.single_active(node)) else { return };
        let (now, here) = (ctx.now(), ctx.node());
        let destination = Some(node.config.destination(self.base.queue));
        let (word, subject) = (event::CONSUMER_ACTIVE, Some(active.node));
        ctx.observer().event(now, Event { word, node: here, destination, subject, count: 0 });
    }

    /// A channel, or a mirror, is down. A channel's unacknowledged messages go back to their
    /// places.
    pub(super) fn down(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, pid: Pid) {
        self.sync_without(node, ctx, pid);
        let publishers = self.base.senders.len();
        self.base.senders.retain(|sender| sender.channel != pid);
        if self.base.senders.len() < publishers {
            // rabbit_mirror_queue_master.erl v3.10: `sender_death_fun`.
            self.base.broadcast(ctx, Instruction::SenderDeath { channel: pid });
        }
        self.base.bq.forget_channel(pid);
        let single_active = self.single_active(node);
        let before = self.leading.consumers.holder;
        let Some(consumer) = self.leading.consumers.erase(pid, single_active) else { return };
        self.holder_changed(node, ctx, before);
        self.delete_if_unused(node, ctx);
        if self.base.ending {
            return;
        }
        let mut unacked: Vec<QueueSeq> = consumer.unacked.into_iter().collect();
        unacked.sort_unstable();
        if node.config.settings.rules.has(Rule::RequeueWhenChannelDies) {
            self.requeue(node, ctx, &unacked);
        } else {
            self.forget(ctx, &unacked);
        }
        if self.leading.sync.is_none() {
            self.run_queue(node, ctx);
        }
    }

    /// Without the rule by which a dead channel's messages go back to their queue.
    fn forget(&mut self, ctx: &mut Context<'_, Message>, ids: &[QueueSeq]) {
        let removal = Removal { cause: cause::NOT_REQUEUED, because: BecauseId::NONE };
        for &id in ids {
            if let Some(given_up) = self.base.bq.give_up(ctx, id, removal) {
                self.base.due.extend(given_up.due);
                self.base.broadcast(ctx, Instruction::Drop { first: id, count: 1, removal });
            }
        }
    }
}

/// Where a number stands; consumers acknowledge mostly in order, so the front is tried first.
fn position(unacked: &std::collections::VecDeque<QueueSeq>, id: QueueSeq) -> Option<usize> {
    if unacked.front() == Some(&id) {
        return Some(0);
    }
    unacked.iter().position(|other| *other == id)
}

/// Ascending numbers as runs of consecutive ones.
pub(crate) fn runs(ids: &[QueueSeq]) -> Vec<(QueueSeq, u32)> {
    let mut runs: Vec<(QueueSeq, u32)> = Vec::new();
    for &id in ids {
        match runs.last_mut() {
            Some((first, count)) if *first + u64::from(*count) == id => *count += 1,
            _ => runs.push((id, 1)),
        }
    }
    runs
}
