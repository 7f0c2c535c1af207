//! Consumers: deliveries and their acknowledgements.

use crate::observe::{MessageRange, Observer};
use crate::world::Context;

use super::super::super::message::{DeliveryTag, Message, Pid, QueueId, QueueSeq};
use super::super::Node;
use super::{CONTENT_BYTES, Channel};

/// The channel tells the queue that its writer has passed so many deliveries on
/// (rabbit_queue_consumers.erl: `?MORE_CONSUMER_CREDIT_AFTER`).
const NOTIFY_SENT_AFTER: u32 = 50;

/// A consumer of this channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscription {
    pub(super) queue: QueueId,
    pub(super) prefetch: u32,
    pub(super) no_ack: bool,
    /// The process that serves it; `None` while it is being (re)subscribed.
    pub(super) leader: Option<Pid>,
    pub(super) unreported: u32,
    /// The client has cancelled it; what was on its way still comes.
    pub(super) cancelled: bool,
}

/// A delivery that the client has not acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unacked {
    pub(super) tag: DeliveryTag,
    pub(super) from: Pid,
    pub(super) id: QueueSeq,
}

impl Channel {
    pub(super) fn cancel<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
    ) {
        if let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.queue == queue) {
            subscription.cancelled = true;
            let subscription = *subscription;
            self.unsubscribe(node, ctx, subscription);
        }
    }

    pub(super) fn unsubscribe<O: Observer>(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        subscription: Subscription,
    ) {
        if let Some(leader) = subscription.leader {
            node.send(ctx, leader, Message::Unsubscribe { channel: self.me }, 80);
        }
    }

    pub(super) fn push<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
        from: Pid,
        (id, message, redelivered): (QueueSeq, MessageRange, bool),
    ) {
        ctx.spend(node.config.costs.channel_deliver);
        let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.queue == queue) else {
            // Its channel was closed by a 404 meanwhile: nobody is there to take it.
            node.send(ctx, from, Message::GiveBack { channel: self.me, first: id, count: 1 }, 70);
            return;
        };
        // A delivery may overtake the answer to the subscription only in the mailbox of a call.
        if subscription.leader.is_some_and(|leader| leader != from) {
            return;
        }
        subscription.unreported += 1;
        let tag = self.next_tag;
        self.next_tag += 1;
        if !subscription.no_ack {
            self.unacked.push_back(Unacked { tag, from, id });
        }
        let bytes = CONTENT_BYTES + message.bytes * message.count;
        ctx.send(self.conn, Message::BasicDeliver { queue, tag, message, redelivered }, bytes);
        self.report_sent(node, ctx);
    }

    /// The writer tells the queues what it has passed on, unless the socket is full.
    pub(super) fn report_sent<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
    ) {
        if ctx.room(self.conn) == 0 {
            return;
        }
        let channel = self.me;
        for subscription in &mut self.subscriptions {
            let Some(leader) = subscription.leader else { continue };
            if subscription.unreported >= NOTIFY_SENT_AFTER {
                let count = std::mem::take(&mut subscription.unreported);
                node.send(ctx, leader, Message::NotifySent { channel, count }, 40);
            }
        }
    }

    /// `basic.ack`, or `basic.nack` with requeue.
    pub(super) fn ack<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        tag: DeliveryTag,
        multiple: bool,
        requeue: bool,
    ) {
        ctx.spend(node.config.costs.channel_ack);
        let mut taken: Vec<Unacked> = Vec::new();
        if multiple {
            while self.unacked.front().is_some_and(|unacked| unacked.tag <= tag) {
                taken.extend(self.unacked.pop_front());
            }
        } else if self.unacked.front().is_some_and(|unacked| unacked.tag == tag) {
            taken.extend(self.unacked.pop_front());
        } else if let Ok(at) = self.unacked.binary_search_by_key(&tag, |unacked| unacked.tag) {
            taken.extend(self.unacked.remove(at));
        }
        self.settle(node, ctx, &taken, requeue);
    }

    pub(super) fn settle<O: Observer>(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        taken: &[Unacked],
        requeue: bool,
    ) {
        let mut rest = taken;
        while let Some(&Unacked { from, id: first, .. }) = rest.first() {
            let mut count = 1;
            while rest
                .get(count)
                .is_some_and(|next| next.from == from && next.id == first + count as u64)
            {
                count += 1;
            }
            rest = &rest[count..];
            let (channel, count) = (self.me, count as u32);
            let message = if requeue {
                Message::GiveBack { channel, first, count }
            } else {
                Message::Settle { channel, first, count }
            };
            node.send(ctx, from, message, 70);
        }
    }

    pub(super) fn give_back_all<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
    ) {
        let taken: Vec<Unacked> = std::mem::take(&mut self.unacked).into_iter().collect();
        self.settle(node, ctx, &taken, true);
    }
}
