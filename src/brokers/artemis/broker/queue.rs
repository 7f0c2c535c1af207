//! A queue (`QueueImpl`): what waits in it, who gets it, and what comes back (`checkRedelivery`).

use std::collections::VecDeque;

use crate::world::{Context, Lane};

use super::super::invariants::Touch;
use super::super::message::{Message, QueueId, Subscribe, Timer};
use super::super::rules::Rule;
use super::super::store::Op;
use super::super::words::event;
use super::{Broker, Entry};

/// A consumer of a session (`ServerConsumerImpl`).
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) queue: QueueId,
    /// PRE_ACKNOWLEDGE.
    early: bool,
    /// So many bytes it may be sent; it gets another message while this is more than nothing.
    credits: i64,
    /// Its session is stopped while it is rolled back.
    pub(super) stopped: bool,
    /// What it was sent and has not acknowledged, in order (`deliveringRefs`).
    pub(super) delivering: VecDeque<u32>,
}

/// A queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// What consumers have left, ahead of what waits.
    again: VecDeque<u32>,
    /// What nobody has had.
    pending: VecDeque<u32>,
    /// What may not be delivered yet (`ScheduledDeliveryHandler`).
    scheduled: u32,
    /// The consumers' sessions, the next to be served first.
    consumers: VecDeque<u32>,
    /// Bytes of what it holds.
    pub(super) size: u64,
}

impl Queue {
    /// A message waits in it.
    pub(super) fn waits(&mut self, entry: u32) {
        self.pending.push_back(entry);
    }

    /// What nobody has.
    pub(super) fn entries(&self) -> impl Iterator<Item = u32> + '_ {
        self.again.iter().chain(&self.pending).copied()
    }

    /// Whether it holds what may be delivered later.
    pub(super) const fn is_waiting(&self) -> bool {
        self.scheduled > 0
    }
}

impl Broker {
    /// A message is in its queue.
    pub(super) fn route(&mut self, entry: u32, ctx: &mut Context<'_, Message>) {
        let queue = self.entries[entry].queue;
        self.queues[queue.index()].waits(entry);
        self.deliver(queue, ctx);
    }

    /// Gives what waits to consumers that have credits, in turn.
    pub(super) fn deliver(&mut self, queue: QueueId, ctx: &mut Context<'_, Message>) {
        loop {
            let sessions = &self.sessions;
            let has_credits = |key: &u32| {
                let own = sessions.get(key).and_then(|own| own.consumer.as_ref());
                own.is_some_and(|own| own.credits > 0 && !own.stopped)
            };
            let of = &mut self.queues[queue.index()];
            let Some(at) = of.consumers.iter().position(has_credits) else { return };
            let next = of.again.pop_front().or_else(|| of.pending.pop_front());
            let Some(entry) = next else { return };
            let Some(key) = of.consumers.remove(at) else { return };
            of.consumers.push_back(key);
            self.deliver_to(key, entry, ctx);
        }
    }

    fn deliver_to(&mut self, key: u32, entry: u32, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.deliver);
        if self.config.has(Rule::CountDeliveries) {
            self.entries[entry].count += 1;
        }
        let Entry { message, id, count, queue, .. } = self.entries[entry];
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let Some(consumer) = &mut session.consumer else { return };
        let (peer, early) = (session.peer, consumer.early);
        consumer.credits -= i64::from(message.bytes());
        if !early {
            consumer.delivering.push_back(entry);
            self.touched.note(Touch::Delivered(peer, queue, id));
        }
        self.send_to(key, Message::Receive(message, id, count.max(1)), message.bytes(), ctx);
        if early {
            self.acked(Some(key), entry, ctx);
        }
    }

    pub(super) fn consumer_credits(
        &mut self,
        key: u32,
        bytes: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        let own = self.sessions.get_mut(&key).and_then(|own| own.consumer.as_mut());
        if let Some(consumer) = own {
            consumer.credits = consumer.credits.saturating_add(bytes.min(1 << 60) as i64);
            let queue = consumer.queue;
            self.deliver(queue, ctx);
        }
    }

    /// Its session has been rolled back, and is started again.
    pub(super) fn restart_consumer(&mut self, key: u32, ctx: &mut Context<'_, Message>) {
        let own = self.sessions.get_mut(&key).and_then(|own| own.consumer.as_mut());
        if let Some(consumer) = own {
            consumer.stopped = false;
            let queue = consumer.queue;
            self.deliver(queue, ctx);
        }
    }

    pub(super) fn subscribe(&mut self, key: u32, wanted: Subscribe, _: &mut Context<'_, Message>) {
        let Subscribe { queue, early } = wanted;
        if let Some(session) = self.sessions.get_mut(&key) {
            let delivering = VecDeque::new();
            session.consumer =
                Some(Consumer { queue, early, credits: 0, stopped: false, delivering });
            self.queues[queue.index()].consumers.push_back(key);
        }
    }

    /// A consumer ends, in order or because its connection has `failed`: what it has and has not
    /// acknowledged goes back, with what it had acknowledged in a transaction.
    pub(super) fn unsubscribe(
        &mut self,
        key: u32,
        mut entries: Vec<u32>,
        failed: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        let session = self.sessions.get_mut(&key);
        let Some(session) = session else { return };
        let peer = session.peer;
        let Some(Consumer { queue, delivering, .. }) = session.consumer.take() else { return };
        self.queues[queue.index()].consumers.retain(|other| *other != key);
        let counts = failed && self.config.has(Rule::KeepCounts);
        for entry in &delivering {
            self.uncount(*entry, counts);
        }
        entries.extend(delivering);
        if !entries.is_empty() {
            let count = entries.len() as u64;
            self.tell(event::CANCELLED, Some(queue), (Some(peer), count), ctx);
        }
        self.put_back(queue, entries, ctx);
    }

    /// What a consumer had that goes back: whether that was a delivery.
    pub(super) fn uncount(&mut self, entry: u32, counts: bool) {
        let at_delivery = self.config.has(Rule::CountDeliveries);
        let own = &mut self.entries[entry];
        match (counts, at_delivery) {
            (true, true) | (false, false) => {}
            (true, false) => own.count += 1,
            (false, true) => own.count = own.count.saturating_sub(1),
        }
    }

    /// `cancel`: messages go back to the head of their queue in order, unless they are given up or wait.
    pub(super) fn put_back(
        &mut self,
        queue: QueueId,
        entries: Vec<u32>,
        ctx: &mut Context<'_, Message>,
    ) {
        let first = self.config.has(Rule::RedeliverFirst);
        for entry in entries.into_iter().rev() {
            self.touched.note(Touch::Returned(queue, self.entries[entry].id));
            if !self.check_redelivery(entry, ctx) {
                continue;
            }
            let of = &mut self.queues[queue.index()];
            if first {
                of.again.push_front(entry);
            } else {
                of.pending.push_back(entry);
            }
        }
        self.deliver(queue, ctx);
        self.room(ctx);
    }

    /// Whether a message may be delivered again at once. Its count is recorded; at the greatest it is
    /// given up.
    fn check_redelivery(&mut self, entry: u32, ctx: &mut Context<'_, Message>) -> bool {
        let Entry { message, id, count, recorded, queue, .. } = self.entries[entry];
        if message.durable && count != recorded && count <= self.config.settings.max_records {
            self.entries[entry].recorded = count;
            let record = Self::record(Op::Count(count), queue, (id, message));
            let syncs = self.config.settings.sync_non_transactional;
            self.append(None, record, syncs, ctx);
        }
        let address = &self.config.addresses[queue.index()];
        if address.max_deliveries > 0 && count >= address.max_deliveries {
            self.dead_letter(entry, ctx);
            return false;
        }
        let delay = address.redelivery_delay;
        if count > 0 && !delay.is_zero() {
            self.queues[queue.index()].scheduled += 1;
            ctx.after(delay, Lane::MAIN, Timer::Redeliver(entry, id).into());
            return false;
        }
        true
    }

    /// It is time to deliver a message again.
    pub(super) fn redeliver(&mut self, entry: u32, id: u64, ctx: &mut Context<'_, Message>) {
        let Some(queue) = self.entries.get(entry).filter(|own| own.id == id).map(|own| own.queue)
        else {
            return;
        };
        let of = &mut self.queues[queue.index()];
        of.scheduled = of.scheduled.saturating_sub(1);
        of.again.push_front(entry);
        self.deliver(queue, ctx);
    }
}
