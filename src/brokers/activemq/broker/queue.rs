//! A queue (`Queue`): what waits in it, and who gets it (`Queue.doActualDispatch`).

use std::collections::{BTreeSet, VecDeque};

use crate::world::{ConnId, Context};

use super::super::invariants::Touch;
use super::super::message::{Message, MessageId, QueueId};
use super::super::rules::Rule;
use super::super::words::event;
use super::Broker;
use super::connections::Subscription;

/// A queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// What consumers have left, ahead of what waits (`redeliveredWaitingDispatch`).
    again: VecDeque<u32>,
    /// What nobody has had (`dispatchPendingList`, `messages`).
    pending: VecDeque<u32>,
    /// The consumers' connections, the next to be served first.
    consumers: VecDeque<ConnId>,
    /// What it holds, dispatched messages included.
    pub(super) ids: BTreeSet<MessageId>,
    /// Bytes of that.
    pub(super) memory: u64,
}

impl Queue {
    /// What nobody has.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u32> + '_ {
        self.again.iter().chain(&self.pending).copied()
    }

    pub(super) fn forget(&mut self) {
        *self = Queue::default();
    }
}

impl Broker {
    /// A message can be dispatched.
    pub(super) fn offer(&mut self, entry: u32, ctx: &mut Context<'_, Message>) {
        let queue = self.entries[entry].queue;
        self.queues[queue.index()].pending.push_back(entry);
        self.dispatch(queue, ctx);
    }

    /// Gives what waits to consumers that have room, in turn.
    pub(super) fn dispatch(&mut self, queue: QueueId, ctx: &mut Context<'_, Message>) {
        loop {
            let connections = &self.connections;
            let has_room = |conn: &ConnId| {
                let own = connections.get(conn).and_then(|own| own.subscription.as_ref());
                own.is_some_and(|own| own.dispatched.len() < own.prefetch as usize)
            };
            let of = &mut self.queues[queue.index()];
            let Some(at) = of.consumers.iter().position(has_room) else { return };
            let next = of.again.pop_front().or_else(|| of.pending.pop_front());
            let Some(entry) = next else { return };
            let Some(conn) = of.consumers.remove(at) else { return };
            of.consumers.push_back(conn);
            let Some(own) = self.connections.get_mut(&conn) else { return };
            if let Some(subscription) = &mut own.subscription {
                subscription.dispatched.push_back(entry);
            }
            let peer = own.peer;
            ctx.spend(self.config.costs.dispatch);
            let own = self.entries[entry];
            self.touched.note(Touch::Dispatched(peer, queue, own.message));
            let dispatch = Message::Dispatch(queue, own.message, own.redeliveries);
            ctx.send(conn, dispatch, own.message.bytes());
        }
    }

    pub(super) fn subscribe(
        &mut self,
        conn: ConnId,
        queue: QueueId,
        prefetch: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            let dispatched = VecDeque::new();
            connection.subscription = Some(Subscription { queue, prefetch, dispatched });
            self.queues[queue.index()].consumers.push_back(conn);
            self.dispatch(queue, ctx);
        }
    }

    /// `removeSubscription`: what a consumer has and has not acknowledged goes back. Of one that ends
    /// in order the last message that its application has seen is known: what is behind that was not
    /// delivered. Of one whose connection was lost all was, as far as the broker can tell.
    pub(super) fn unsubscribe(
        &mut self,
        conn: ConnId,
        seen: Option<Option<MessageId>>,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let peer = connection.peer;
        let Some(Subscription { queue, dispatched, .. }) = connection.subscription.take() else {
            return;
        };
        let entries: Vec<u32> = dispatched.into_iter().collect();
        let ids = entries.iter().map(|entry| self.entries[*entry].message.id());
        let delivered = match seen {
            None => entries.len(),
            Some(None) => 0,
            Some(Some(last)) => ids.into_iter().position(|id| id == last).map_or(0, |at| at + 1),
        };
        for entry in &entries[..delivered] {
            self.entries[*entry].redeliveries += 1;
        }
        for entry in &entries {
            self.touched.note(Touch::Returned(queue, self.entries[*entry].message));
        }
        let of = &mut self.queues[queue.index()];
        of.consumers.retain(|other| *other != conn);
        if !entries.is_empty() {
            let count = entries.len() as u64;
            if self.config.has(Rule::RedeliverFirst) {
                of.again.extend(entries);
            } else {
                of.pending.extend(entries);
            }
            self.tell(event::REQUEUED, Some(queue), (Some(peer), count), ctx);
        }
        self.dispatch(queue, ctx);
    }
}
