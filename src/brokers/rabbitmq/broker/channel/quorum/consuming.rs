//! Deliveries of quorum queues, and what consumers say of them.

use crate::world::Context;

use super::super::super::super::message::amqp::{FromServer, Terms};
use super::super::super::super::message::queue::Pushed;
use super::super::super::super::message::ra::{Command, MessageId, RaMessage};
use super::super::super::super::message::{Message, Pid, QueueId};
use super::super::super::Node;
use super::super::consuming::{Settling, Subscription};
use super::super::{Channel, METHOD_BYTES};
use super::calls::Purpose;

impl Channel {
    /// `basic.consume`: the client is told before the queue knows (rabbit_quorum_queue.erl v4.3:
    /// `consume`, `maybe_send_reply`).
    pub(in super::super) fn consume_quorum(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        terms: Terms,
    ) {
        let mut subscription = Subscription::new(queue, terms);
        subscription.quorum = true;
        self.subscriptions.push(subscription);
        ctx.send(self.conn, FromServer::ConsumeOk { queue }.into(), METHOD_BYTES);
        self.call_quorum(node, ctx, queue, Purpose::Subscribe(terms));
    }

    /// `basic.get`.
    pub(in super::super) fn get_quorum(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        no_ack: bool,
    ) {
        self.call_quorum(node, ctx, queue, Purpose::Get { no_ack });
    }

    /// Whether the channel waits for just this delivery.
    pub(in super::super) fn gets(&self, queue: QueueId) -> bool {
        let get = |purpose: Purpose| matches!(purpose, Purpose::Get { .. });
        self.quorum_call.as_ref().is_some_and(|call| call.queue == queue && get(call.purpose))
    }

    /// A delivery: in their order, each once (rabbit_fifo_client.erl: `handle_delivery`). One that
    /// came before its turn is asked for again, with those that are missing.
    pub(in super::super) fn push_quorum(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        from: Pid,
        pushed: Pushed,
    ) {
        ctx.spend(node.config.costs.channel_deliver);
        if self.gets(queue)
            && let Some(call) = self.quorum_call.take()
            && let Purpose::Get { no_ack } = call.purpose
        {
            self.hand_on(node, ctx, queue, from, pushed, no_ack);
            self.client(node, queue).next_id = pushed.id + 1;
            return self.resume(node, ctx);
        }
        let channel = self.me;
        let subscription = self.subscriptions.iter().find(|of| of.queue == queue).copied();
        let client = self.client(node, queue);
        if pushed.id < client.next_id {
            return;
        }
        if pushed.id > client.next_id {
            if !std::mem::replace(&mut client.asked, true) {
                let (first, leader) = (client.next_id, client.leader);
                let missing = RaMessage::Missing { channel, first };
                node.send_member(ctx, queue, leader, missing, 90);
            }
            return;
        }
        client.next_id += 1;
        client.asked = false;
        match subscription {
            Some(subscription) => {
                let no_ack = subscription.terms.no_ack;
                self.hand_on(node, ctx, queue, from, pushed, no_ack);
            }
            // The client had cancelled it: nobody is there to take it.
            None => self.give_back(node, ctx, queue, pushed.id),
        }
    }

    fn give_back(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        first: MessageId,
    ) {
        let channel = self.me;
        let command = Command::Return { channel, first, count: 1, failed: false };
        self.settle_later(node, ctx, queue, command);
    }

    pub(in super::super) fn cancel_quorum(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
    ) {
        let channel = self.me;
        self.settle_later(node, ctx, queue, Command::Cancel { channel });
    }

    /// `settle`, `return` and `discard`. From 4.3 on a reject with requeue counts as a failure to
    /// process the message, a nack does not (rabbit_fifo_client.erl: `modify`).
    pub(in super::super) fn settle_quorum(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        (first, count): (MessageId, u32),
        settling: Settling,
    ) {
        let channel = self.me;
        let command = match settling {
            Settling::Ack => Command::Settle { channel, first, count },
            Settling::Requeue { failed } => Command::Return { channel, first, count, failed },
            Settling::Reject => Command::Discard { channel, first, count },
        };
        self.settle_later(node, ctx, queue, command);
    }
}
