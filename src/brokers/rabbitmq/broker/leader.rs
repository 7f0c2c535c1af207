//! What a queue's leader does (rabbit_amqqueue_process.erl, rabbit_mirror_queue_master.erl, v3.10).

use crate::observe::{MessageRange, Observer};
use crate::world::Context;

use super::super::message::{DownReason, Message, Pid, Properties, PublishSeq, QueueSeq};
use super::super::rules::Rule;
use super::Node;
use super::gm::Instruction;
use super::replica::{Consumer, Replica};

/// A queue stops sending to a channel with so many deliveries that its writer has not passed on
/// (rabbit_queue_consumers.erl: `?UNSENT_MESSAGE_LIMIT`).
const UNSENT_MESSAGE_LIMIT: u32 = 200;
/// Bytes of a delivery between processes beside the payload: message record and envelope.
const PUSH_BYTES: u32 = 330;

impl Replica {
    pub(super) fn handle_as_leader<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        message: Message,
    ) {
        match message {
            Message::Deliver { channel, seq, message, properties, .. } => {
                self.leader_publish(node, ctx, channel, seq, message, properties);
            }
            Message::Settle { channel, first, count } => {
                self.leader_settle(node, ctx, channel, first, count);
            }
            Message::NotifySent { channel, count } => {
                if let Some(consumer) = self.consumer(channel) {
                    consumer.unsent = consumer.unsent.saturating_sub(count);
                }
                self.run_queue(node, ctx);
            }
            Message::GiveBack { channel, first, count } => {
                self.leader_requeue(node, ctx, channel, first, count);
            }
            Message::Subscribe { channel, prefetch, no_ack, .. } => {
                self.subscribe(node, ctx, channel, prefetch, no_ack);
            }
            Message::Unsubscribe { channel } => {
                if let Some(consumer) = self.consumer(channel) {
                    consumer.cancelled = true;
                }
                self.forget_cancelled();
            }
            Message::Down { pid, .. } => self.leader_down(node, ctx, pid),
            Message::RequestDepth { .. } => {
                let (depth, next) = (self.bq.depth(), self.bq.next_id());
                self.broadcast(ctx, Instruction::Depth { depth, next });
            }
            Message::SyncMirrors => self.start_sync(node, ctx),
            // What the old leader had still on its way when this mirror was promoted.
            Message::GmDeliver { .. }
            | Message::GmJoined
            | Message::SyncMessages(_)
            | Message::SyncComplete { .. } => {}
            Message::StopMirror => node.end_process(ctx.lane(), DownReason::Shutdown),
            other => debug_assert!(false, "a leader has no use for {other:?}"),
        }
    }

    fn consumer(&mut self, channel: Pid) -> Option<&mut Consumer> {
        self.consumers.iter_mut().find(|consumer| consumer.channel == channel)
    }

    /// A consumer that has cancelled keeps what it has until it has settled it
    /// (rabbit_queue_consumers.erl: `remove` leaves the channel's acknowledgement tags).
    fn forget_cancelled(&mut self) {
        self.consumers.retain(|consumer| !consumer.cancelled || !consumer.unacked.is_empty());
    }

    /// rabbit_amqqueue_process.erl `deliver_or_enqueue`.
    fn leader_publish<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        channel: Pid,
        seq: PublishSeq,
        message: MessageRange,
        properties: Properties,
    ) {
        let costs = &node.config.costs;
        ctx.spend(costs.queue_publish + costs.queue_bytes.time(message.bytes * message.count));
        let durable = node.config.queue(self.queue).durable;
        if properties.persistent && durable {
            ctx.spend(costs.queue_persist);
        }
        if self.group.is_some() {
            ctx.spend(costs.leader_broadcast);
        }
        if properties.mandatory && node.config.settings.rules.has(Rule::ReturnWhenQueueDies) {
            node.send(ctx, channel, Message::MandatoryReceived { seq }, 60);
        }
        let sender = self.sender(node, ctx, channel);
        if let Some(at) = sender.early.iter().position(|(early, _)| *early == seq) {
            // Seen over the ring while this process was a mirror: it is queued already.
            if let Some((_, true)) = sender.early.remove(at) {
                self.due.push((channel, seq));
            }
            return;
        }
        let confirm = properties.confirm.then_some((channel, seq));
        let taker = if self.bq.ready() == 0 { self.next_ready_consumer() } else { None };
        if let Some(taker) = taker
            && self.consumers[taker].no_ack
        {
            // Straight to a consumer with automatic acknowledgement: never queued, confirmed at
            // once (rabbit_amqqueue_process.erl: `attempt_delivery`, `discard`).
            self.due.extend(confirm);
            self.hand_over(node, ctx, message);
            self.broadcast(ctx, Instruction::Discard { channel, seq });
            let id = self.bq.next_id();
            self.push(node, ctx, taker, id, message, false);
            return;
        }
        let (id, due) = self.bq.publish(ctx, message, properties, false, confirm);
        self.due.extend(due);
        let delivered = taker.is_some();
        let instruction = Instruction::Publish { channel, seq, id, message, properties, delivered };
        self.broadcast(ctx, instruction);
        if let Some(taker) = taker
            && let Some(fetched) = self.bq.fetch()
        {
            debug_assert_eq!(fetched.id, id, "nothing else was ready");
            self.consumers[taker].unacked.push_back(id);
            self.push(node, ctx, taker, id, message, false);
        }
    }

    /// A message that goes straight to a consumer that needs no acknowledgement has had a copy
    /// here for an instant.
    fn hand_over<O: Observer>(
        &self,
        node: &Node,
        ctx: &mut Context<'_, Message, O>,
        message: MessageRange,
    ) {
        let (now, here) = (ctx.now(), ctx.node());
        let destination = node.config.destination(self.queue);
        let observer = ctx.observer();
        observer.stored(now, here, destination, message);
        observer.removed(now, here, destination, message, super::super::words::CONSUMED);
    }

    /// Round-robin over the consumers with room (rabbit_queue_consumers.erl: `deliver`).
    fn next_ready_consumer(&mut self) -> Option<usize> {
        let count = self.consumers.len();
        for step in 0..count {
            let at = (self.next_consumer + step) % count;
            let consumer = &self.consumers[at];
            let room = consumer.prefetch == 0
                || consumer.no_ack
                || (consumer.unacked.len() as u32) < consumer.prefetch;
            if room && !consumer.cancelled && consumer.unsent < UNSENT_MESSAGE_LIMIT {
                self.next_consumer = (at + 1) % count;
                return Some(at);
            }
        }
        None
    }

    /// Delivers what is ready while a consumer has room (rabbit_amqqueue_process.erl:
    /// `run_message_queue`).
    pub(super) fn run_queue<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
    ) {
        while self.bq.ready() > 0 && !self.ending {
            let Some(taker) = self.next_ready_consumer() else { return };
            let Some(fetched) = self.bq.fetch() else { return };
            let (id, message) = (fetched.id, fetched.message);
            if self.consumers[taker].no_ack {
                if let Some(confirm) = self.bq.settle(ctx, id) {
                    self.due.extend(confirm);
                }
                self.broadcast(ctx, Instruction::Ack { first: id, count: 1 });
            } else {
                self.consumers[taker].unacked.push_back(id);
                self.broadcast(ctx, Instruction::Fetch { id });
            }
            self.push(node, ctx, taker, id, message, fetched.redelivered);
        }
    }

    fn push<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        taker: usize,
        id: QueueSeq,
        message: MessageRange,
        redelivered: bool,
    ) {
        ctx.spend(node.config.costs.queue_deliver);
        let consumer = &mut self.consumers[taker];
        consumer.unsent += 1;
        let (channel, bytes) = (consumer.channel, PUSH_BYTES + message.bytes * message.count);
        let push = Message::Push { queue: self.queue, from: self.me, id, message, redelivered };
        node.send(ctx, channel, push, bytes);
    }

    fn leader_settle<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        channel: Pid,
        first: QueueSeq,
        count: u32,
    ) {
        ctx.spend(node.config.costs.queue_settle * u64::from(count));
        let Some(consumer) = self.consumer(channel) else { return };
        let mut settled = Vec::new();
        for id in first..first + u64::from(count) {
            if let Some(at) = position(&consumer.unacked, id) {
                consumer.unacked.remove(at);
                settled.push(id);
            }
        }
        for &id in &settled {
            if let Some(confirm) = self.bq.settle(ctx, id) {
                self.due.extend(confirm);
            }
        }
        for (first, count) in runs(&settled) {
            if self.group.is_some() {
                ctx.spend(node.config.costs.leader_broadcast);
            }
            self.broadcast(ctx, Instruction::Ack { first, count });
        }
        self.forget_cancelled();
        self.run_queue(node, ctx);
    }

    fn leader_requeue<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        channel: Pid,
        first: QueueSeq,
        count: u32,
    ) {
        let Some(consumer) = self.consumer(channel) else { return };
        let mut given_back = Vec::new();
        for id in first..first + u64::from(count) {
            if let Some(at) = position(&consumer.unacked, id) {
                consumer.unacked.remove(at);
                given_back.push(id);
            }
        }
        self.requeue(ctx, &given_back);
        self.forget_cancelled();
        self.run_queue(node, ctx);
    }

    fn requeue<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, ids: &[QueueSeq]) {
        for &id in ids {
            self.bq.requeue(id);
        }
        for (first, count) in runs(ids) {
            self.broadcast(ctx, Instruction::Requeue { first, count });
        }
    }

    fn subscribe<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        channel: Pid,
        prefetch: u32,
        no_ack: bool,
    ) {
        // What the channel holds of an earlier subscription it keeps.
        let before = self.consumers.iter().position(|consumer| consumer.channel == channel);
        let unacked = before.map(|at| self.consumers.remove(at).unacked).unwrap_or_default();
        let consumer = Consumer { channel, prefetch, no_ack, unacked, unsent: 0, cancelled: false };
        self.consumers.push(consumer);
        if !self.senders.iter().any(|sender| sender.channel == channel) {
            node.monitor(ctx, ctx.lane(), channel);
        }
        node.send(ctx, channel, Message::Subscribed { queue: self.queue, from: self.me }, 80);
        self.run_queue(node, ctx);
    }

    /// A channel, or a mirror, is down. A channel's unacknowledged messages go back to their places.
    fn leader_down<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        pid: Pid,
    ) {
        self.sync_without(node, ctx, pid);
        self.senders.retain(|sender| sender.channel != pid);
        self.bq.forget_channel(pid);
        if let Some(at) = self.consumers.iter().position(|consumer| consumer.channel == pid) {
            let consumer = self.consumers.remove(at);
            self.next_consumer = 0;
            let unacked: Vec<QueueSeq> = consumer.unacked.into_iter().collect();
            self.requeue(ctx, &unacked);
            if self.leader_sync.is_none() {
                self.run_queue(node, ctx);
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
pub(super) fn runs(ids: &[QueueSeq]) -> Vec<(QueueSeq, u32)> {
    let mut runs: Vec<(QueueSeq, u32)> = Vec::new();
    for &id in ids {
        match runs.last_mut() {
            Some((first, count)) if *first + u64::from(*count) == id => *count += 1,
            _ => runs.push((id, 1)),
        }
    }
    runs
}
