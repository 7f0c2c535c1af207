//! Calls to a queue's process: the channel waits for the answer and does nothing else.

use crate::engine::Span;
use crate::observe::Event;
use crate::world::Context;

use super::super::super::message::amqp::{ChannelError, FromServer};
use super::super::super::message::queue::{Pushed, QueueCall};
use super::super::super::message::{Message, Pid, QueueId};
use super::super::super::words::event;
use super::super::Node;
use super::consuming::Subscription;
use super::{Channel, METHOD_BYTES};

/// A blocked operation on a queue whose process is gone is tried again after this long
/// (rabbit_amqqueue.erl: `retry_wait`, 30 ms).
pub(in super::super) const RETRY_WAIT: Span = Span::from_millis(30);
/// and so often (rabbit_amqqueue.erl: `with`, 2000 retries).
pub(in super::super) const RETRIES: u32 = 2_000;

/// The channel waits for an answer and does nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) queue: QueueId,
    /// Whom it asked; `None` while it waits to try again.
    pub(super) asked: Option<Pid>,
    pub(super) retries_left: u32,
    /// Whether the client waits for `consume-ok`, or the broker re-subscribes by itself.
    pub(super) by_client: bool,
    /// It is a `basic.get`, and whether that needs no acknowledgement.
    pub(super) get: Option<bool>,
}

impl Channel {
    /// Asks a queue's leader to take a consumer; the channel waits for the answer
    /// (rabbit_amqqueue.erl: `basic_consume` inside `with`).
    pub(super) fn call_subscribe(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        retries_left: u32,
        by_client: bool,
    ) {
        let Some(subscription) = self.subscriptions.iter().find(|s| s.queue == queue).copied()
        else {
            return;
        };
        let Some(leader) = node.mnesia.tables.queue(queue).map(|record| record.leader) else {
            self.call = None;
            self.not_found(node, ctx, queue, by_client);
            self.resume(node, ctx);
            return;
        };
        let (asked, get) = (Some(leader), None);
        self.call = Some(Call { queue, asked, retries_left, by_client, get });
        node.monitor(ctx, ctx.lane(), leader);
        let (channel, terms) = (self.me, subscription.terms);
        let subscribe = QueueCall::Subscribe { channel, terms };
        node.send(ctx, leader, subscribe, 120);
    }

    pub(super) fn subscribed(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        from: Pid,
    ) {
        let Some(call) = self.call.filter(|call| call.queue == queue) else { return };
        if let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.queue == queue) {
            subscription.leader = Some(from);
            subscription.unreported = 0;
        }
        self.call = None;
        if call.by_client {
            ctx.send(self.conn, FromServer::ConsumeOk { queue }.into(), METHOD_BYTES);
        }
        self.resume(node, ctx);
    }

    pub(super) fn retry_call(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(call) = self.call.filter(|call| call.asked.is_none()) else { return };
        if let Some(no_ack) = call.get
            && call.retries_left > 0
        {
            self.call_get(node, ctx, call.queue, no_ack, call.retries_left - 1);
        } else if call.retries_left == 0 {
            self.call = None;
            self.not_found(node, ctx, call.queue, call.by_client);
            self.resume(node, ctx);
        } else {
            self.call_subscribe(node, ctx, call.queue, call.retries_left - 1, call.by_client);
        }
    }

    /// The queue cannot be had: 404 to a client that asked, `basic.cancel` to one that had it
    /// (rabbit_channel.erl: `handle_consuming_queue_down_or_eol`).
    pub(super) fn not_found(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        by_client: bool,
    ) {
        self.subscriptions.retain(|subscription| subscription.queue != queue);
        if by_client {
            // "home node ... of durable queue ... is down or inaccessible"
            self.close(node, ctx, ChannelError::NotFound);
        } else {
            let (now, here) = (ctx.now(), ctx.node());
            let destination = Some(node.config.destination(queue));
            let word = event::CONSUMER_CANCELLED;
            let event = Event { word, node: here, destination, subject: None, count: 0 };
            ctx.observer().event(now, event);
            ctx.send(self.conn, FromServer::ServerCancel { queue }.into(), METHOD_BYTES);
        }
    }

    /// The queue has an exclusive consumer, or others although this one wants to be: 403 to a
    /// client that asked; a consumer whose queue has failed over is cancelled.
    pub(super) fn in_use(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
    ) {
        let Some(call) = self.call.take_if(|call| call.queue == queue) else { return };
        if call.by_client {
            self.close(node, ctx, ChannelError::AccessRefused);
        } else {
            self.not_found(node, ctx, queue, false);
            self.resume(node, ctx);
        }
    }

    /// `basic.get`: a call (rabbit_classic_queue.erl: `dequeue`).
    pub(super) fn call_get(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        no_ack: bool,
        retries_left: u32,
    ) {
        let Some(leader) = node.mnesia.tables.queue(queue).map(|record| record.leader) else {
            self.call = None;
            self.close(node, ctx, ChannelError::NotFound);
            return;
        };
        let (asked, get) = (Some(leader), Some(no_ack));
        self.call = Some(Call { queue, asked, retries_left, by_client: true, get });
        node.monitor(ctx, ctx.lane(), leader);
        let channel = self.me;
        node.send(ctx, leader, QueueCall::Get { channel, no_ack }, 80);
    }

    /// The answer to a `basic.get`.
    pub(super) fn got(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        from: Pid,
        got: Option<Box<Pushed>>,
    ) {
        let asked = |call: &mut Call| call.queue == queue && call.asked == Some(from);
        let Some(no_ack) = self.call.take_if(asked).and_then(|call| call.get) else { return };
        match got {
            Some(pushed) => self.hand_on(node, ctx, queue, from, *pushed, no_ack),
            None => ctx.send(self.conn, FromServer::GetEmpty { queue }.into(), METHOD_BYTES),
        }
        self.resume(node, ctx);
    }

    pub(super) fn resume(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        while !self.is_waiting() && !self.closed {
            // Other consumers of a queue that went down at the same time are next.
            let waits = |s: &&Subscription| s.leader.is_none() && !s.quorum;
            let waiting = self.subscriptions.iter().find(waits).map(|s| s.queue);
            if let Some(queue) = waiting {
                self.call_subscribe(node, ctx, queue, RETRIES, false);
                continue;
            }
            let Some(mail) = self.deferred.pop_front() else { return };
            self.receive(node, ctx, mail);
        }
    }
}
