//! Calls to a queue's process: the channel waits for the answer and does nothing else.

use crate::engine::Span;
use crate::observe::Event;
use crate::world::Context;

use super::super::super::message::amqp::{ChannelError, Declaration, FromServer};
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
    pub(super) what: Asking,
}

/// What a call is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asking {
    /// A consumer; whether the client waits for `consume-ok`, or the broker re-subscribes by itself.
    Subscribe { by_client: bool },
    /// `basic.get`.
    Get { no_ack: bool },
    /// `queue.declare`.
    Declare(Declaration),
}

impl Call {
    /// Whether a client waits for it, which an error closes the channel of.
    pub(super) fn by_client(&self) -> bool {
        !matches!(self.what, Asking::Subscribe { by_client: false })
    }
}

/// The process that leads a queue, and the connection that it belongs to, by this node's tables.
pub(super) fn leader_and_owner(node: &Node, queue: QueueId) -> Option<(Pid, Option<Pid>)> {
    node.mnesia.tables.queue(queue).map(|record| (record.leader, record.owner))
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
        let Some((leader, owner)) = leader_and_owner(node, queue) else {
            self.call = None;
            self.not_found(node, ctx, queue, by_client);
            self.resume(node, ctx);
            return;
        };
        if by_client && self.is_locked_out(node, owner) {
            self.call = None;
            self.subscriptions.retain(|subscription| subscription.queue != queue);
            return self.close(node, ctx, ChannelError::ResourceLocked);
        }
        let (asked, what) = (Some(leader), Asking::Subscribe { by_client });
        self.call = Some(Call { queue, asked, retries_left, what });
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
        if call.by_client() {
            ctx.send(self.conn, FromServer::ConsumeOk { queue }.into(), METHOD_BYTES);
        }
        self.resume(node, ctx);
    }

    pub(super) fn retry_call(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(call) = self.call.filter(|call| call.asked.is_none()) else { return };
        let Call { queue, retries_left, what, .. } = call;
        let Some(left) = retries_left.checked_sub(1) else {
            self.call = None;
            self.not_found(node, ctx, queue, call.by_client());
            self.resume(node, ctx);
            return;
        };
        match what {
            Asking::Get { no_ack } => self.call_get(node, ctx, queue, no_ack, left),
            Asking::Declare(declaration) => self.call_declare(node, ctx, declaration, left),
            Asking::Subscribe { by_client } => {
                self.call_subscribe(node, ctx, queue, left, by_client);
            }
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
        if call.by_client() {
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
        let Some((leader, owner)) = leader_and_owner(node, queue) else {
            self.call = None;
            self.close(node, ctx, ChannelError::NotFound);
            return;
        };
        if self.is_locked_out(node, owner) {
            self.call = None;
            return self.close(node, ctx, ChannelError::ResourceLocked);
        }
        let (asked, what) = (Some(leader), Asking::Get { no_ack });
        self.call = Some(Call { queue, asked, retries_left, what });
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
        let Some(Call { what: Asking::Get { no_ack }, .. }) = self.call.take_if(asked) else {
            return;
        };
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
