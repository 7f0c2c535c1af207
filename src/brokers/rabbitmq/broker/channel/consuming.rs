//! Consumers: deliveries and their acknowledgements.

use crate::engine::Time;
use crate::world::Context;

use super::super::super::message::amqp::{ChannelError, FromServer, Terms};
use super::super::super::message::queue::{Pushed, QueueCall};
use super::super::super::message::{DeliveryTag, Message, Pid, QueueId, QueueSeq};
use super::super::super::rules::Rule;
use super::super::Node;
use super::{CONTENT_BYTES, Channel};

/// The channel tells the queue that its writer has passed so many deliveries on
/// (rabbit_queue_consumers.erl: `?MORE_CONSUMER_CREDIT_AFTER`).
const NOTIFY_SENT_AFTER: u32 = 50;

/// A consumer of this channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscription {
    pub(super) queue: QueueId,
    pub(super) terms: Terms,
    /// The process that serves it; `None` while it is being (re)subscribed.
    pub(super) leader: Option<Pid>,
    pub(super) unreported: u32,
    /// The client has cancelled it; what was on its way still comes.
    pub(super) cancelled: bool,
    /// It is of a quorum queue: no one process serves it.
    pub(super) quorum: bool,
}

impl Subscription {
    pub(super) fn new(queue: QueueId, terms: Terms) -> Subscription {
        let (leader, unreported, cancelled, quorum) = (None, 0, false, false);
        Subscription { queue, terms, leader, unreported, cancelled, quorum }
    }
}

/// What a client does with deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    /// `basic.ack`.
    Ack,
    /// `basic.nack` or `basic.reject`, with requeue; whether that means that it could not be
    /// processed.
    Requeue { failed: bool },
    /// The same without.
    Reject,
}

/// A delivery that the client has not acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unacked {
    pub(super) at: Time,
    pub(super) tag: DeliveryTag,
    pub(super) queue: QueueId,
    pub(super) from: Pid,
    pub(super) id: QueueSeq,
}

impl Channel {
    pub(super) fn cancel(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
    ) {
        if let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.queue == queue) {
            subscription.cancelled = true;
            let subscription = *subscription;
            if subscription.quorum {
                self.subscriptions.retain(|s| s.queue != queue);
                return self.cancel_quorum(node, ctx, queue);
            }
            self.unsubscribe(node, ctx, subscription);
        }
    }

    pub(super) fn unsubscribe(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        subscription: Subscription,
    ) {
        if let Some(leader) = subscription.leader {
            node.send(ctx, leader, QueueCall::Unsubscribe { channel: self.me }, 80);
        }
    }

    pub(super) fn push(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        from: Pid,
        pushed: Pushed,
    ) {
        ctx.spend(node.config.costs.channel_deliver);
        let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.queue == queue) else {
            // The client had cancelled it, or subscribed elsewhere: nobody is there to take it.
            let (channel, first) = (self.me, pushed.id);
            node.send(ctx, from, QueueCall::GiveBack { channel, first, count: 1 }, 70);
            return;
        };
        // A delivery may overtake the answer to the subscription only in the mailbox of a call.
        if subscription.leader.is_some_and(|leader| leader != from) {
            return;
        }
        subscription.unreported += 1;
        let no_ack = subscription.terms.no_ack;
        self.hand_on(node, ctx, queue, from, pushed, no_ack);
    }

    /// Passes a message on to the client, under the next delivery tag (`record_sent`).
    pub(super) fn hand_on(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        from: Pid,
        pushed: Pushed,
        no_ack: bool,
    ) {
        let tag = self.next_tag;
        self.next_tag += 1;
        let Pushed { id, message, redelivered, letter } = pushed;
        if !no_ack {
            self.unacked.push_back(Unacked { at: ctx.clock(), tag, queue, from, id });
        }
        let bytes = CONTENT_BYTES + message.bytes * message.count;
        let deliver = FromServer::BasicDeliver { queue, tag, message, redelivered, letter };
        ctx.send(self.conn, deliver.into(), bytes);
        self.report_sent(node, ctx);
    }

    /// The writer tells the queues what it has passed on, unless the socket is full.
    pub(super) fn report_sent(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if ctx.room(self.conn) == 0 {
            return;
        }
        let channel = self.me;
        for subscription in &mut self.subscriptions {
            let Some(leader) = subscription.leader else { continue };
            if subscription.unreported >= NOTIFY_SENT_AFTER {
                let count = std::mem::take(&mut subscription.unreported);
                node.send(ctx, leader, QueueCall::NotifySent { channel, count }, 40);
            }
        }
    }

    /// `basic.ack`, `basic.nack`, `basic.reject`; a tag that is not there, any more or yet, is an
    /// error of the client's (`collect_acks`).
    pub(super) fn ack(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        tag: DeliveryTag,
        multiple: bool,
        settling: Settling,
    ) {
        ctx.spend(node.config.costs.channel_ack);
        let mut taken: Vec<Unacked> = Vec::new();
        let known = self.unacked.binary_search_by_key(&tag, |unacked| unacked.tag).is_ok();
        let everything = multiple && tag == 0;
        if !(known || everything) && node.config.settings.rules.has(Rule::CheckDeliveryTags) {
            self.close(node, ctx, ChannelError::UnknownDeliveryTag);
            return;
        }
        if multiple && tag == 0 {
            taken.extend(self.unacked.drain(..));
        } else if multiple {
            while self.unacked.front().is_some_and(|unacked| unacked.tag <= tag) {
                taken.extend(self.unacked.pop_front());
            }
        } else if self.unacked.front().is_some_and(|unacked| unacked.tag == tag) {
            taken.extend(self.unacked.pop_front());
        } else if let Ok(at) = self.unacked.binary_search_by_key(&tag, |unacked| unacked.tag) {
            taken.extend(self.unacked.remove(at));
        }
        self.settle(node, ctx, &taken, settling);
    }

    pub(super) fn settle(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        taken: &[Unacked],
        settling: Settling,
    ) {
        let mut rest = taken;
        while let Some(&Unacked { queue, from, id: first, .. }) = rest.first() {
            let mut count = 1;
            while rest.get(count).is_some_and(|next| {
                (next.queue, next.from) == (queue, from) && next.id == first + count as u64
            }) {
                count += 1;
            }
            rest = &rest[count..];
            let (channel, count) = (self.me, count as u32);
            if node.config.queue(queue).is_quorum() {
                self.settle_quorum(node, ctx, queue, (first, count), settling);
                continue;
            }
            let message = match settling {
                Settling::Ack => QueueCall::Settle { channel, first, count },
                Settling::Requeue { .. } => QueueCall::GiveBack { channel, first, count },
                Settling::Reject => QueueCall::Reject { channel, first, count },
            };
            node.send(ctx, from, message, 70);
        }
    }
}
