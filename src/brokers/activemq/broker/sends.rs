//! Sends (`Queue.send`, `Queue.doMessageSend`): whether there is space, whether the message was had
//! before, and then the store and the queue, in either order.

use crate::engine::Span;
use crate::world::{ConnId, Context, Lane};

use super::super::invariants::Touch;
use super::super::message::{Jms, Message, QueueId, Send, Timer};
use super::super::rules::Rule;
use super::super::store::{Op, Record};
use super::super::words::{because, cause, event};
use super::store::{Then, Write};
use super::{Broker, Entry, Stage};
use crate::observe::Removal;

/// Nobody is told more often that producers wait (`blockedProducerWarningInterval`).
const WARNING_INTERVAL: Span = Span::from_secs(30);

/// Whether a message can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Now,
    /// The answer is withheld until there is space.
    Withheld,
    /// The connection's thread waits until there is space.
    Blocked,
}

/// A send that waits for space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked {
    conn: ConnId,
    send: Send,
}

impl Broker {
    fn admission(&self, send: &Send) -> Admission {
        let settings = &self.config.settings;
        let message = &send.message;
        // `checkUsage`: the thread waits, whatever is sent.
        if message.persistent && self.journal.bytes() >= settings.store_usage {
            return Admission::Blocked;
        }
        let queue = &self.queues[message.origin.index()];
        if settings.vm_cursor && queue.memory >= settings.memory_limit {
            let parks = send.id.is_some() && self.config.has(Rule::ParkSyncSends);
            return if parks { Admission::Withheld } else { Admission::Blocked };
        }
        let concurrent = message.persistent && !send.transacted && settings.concurrent;
        if concurrent && self.executor.waiting() >= settings.max_jobs as usize {
            return Admission::Blocked;
        }
        Admission::Now
    }

    pub(super) fn arrived(&mut self, conn: ConnId, send: Send, ctx: &mut Context<'_, Message>) {
        let admission = self.admission(&send);
        if admission == Admission::Now {
            return self.accept(conn, send, ctx);
        }
        let peer = self.connections.get(&conn).map(|connection| connection.peer);
        let now = ctx.monotonic();
        if self.warned.is_none_or(|warned| now.since(warned) >= WARNING_INTERVAL) {
            self.warned = Some(now);
            self.tell(event::BLOCKED, Some(send.message.origin), (peer, 0), ctx);
        }
        self.parked.push_back(Parked { conn, send });
        if admission == Admission::Blocked {
            self.block(conn, ctx);
        }
    }

    /// There may be space again.
    pub(super) fn space(&mut self, ctx: &mut Context<'_, Message>) {
        let mut at = 0;
        while let Some(Parked { conn, send }) = self.parked.get(at).copied() {
            if self.admission(&send) != Admission::Now {
                at += 1;
                continue;
            }
            self.parked.remove(at);
            self.accept(conn, send, ctx);
            // What is answered lets its connection go on when it is.
            if send.id.is_none() {
                self.unblock(conn, ctx);
            }
        }
    }

    pub(super) fn forget_parked(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let gone: Vec<Parked> =
            self.parked.iter().filter(|one| one.conn == conn).copied().collect();
        self.parked.retain(|one| one.conn != conn);
        for Parked { send, .. } in gone {
            let because =
                if send.id.is_some() { because::NOT_REPLAYED } else { because::NOT_AWAITED };
            self.tell_dropped(send.message, Removal::new(cause::ON_ITS_WAY, because), ctx);
        }
    }

    fn tell_dropped(
        &self,
        message: Jms,
        removal: crate::observe::Removal,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().dropped(now, node, Some(message.origin), message.range, removal);
    }

    fn accept(&mut self, conn: ConnId, send: Send, ctx: &mut Context<'_, Message>) {
        let message = send.message;
        let filter = self.connections.get(&conn).and_then(|connection| connection.filter);
        let replayed = filter.is_some_and(|stored| message.sequence < stored);
        if replayed && message.persistent && self.config.has(Rule::FilterReplays) {
            let peer = self.connections.get(&conn).map(|connection| connection.peer);
            self.tell(event::REPLAY_FILTERED, Some(message.origin), (peer, 1), ctx);
            return self.suppress(conn, send, cause::FILTERED, ctx);
        }
        let held = self.queues[message.origin.index()].ids.contains(&message.id());
        if held && self.config.has(Rule::RejectHeld) {
            return self.suppress(conn, send, cause::DUPLICATE_REJECTED, ctx);
        }
        if send.transacted && self.config.has(Rule::RollBackUncommitted) {
            return self.send_in_transaction(conn, message, ctx);
        }
        let entry = self.enter(message.origin, message, ctx);
        self.entries[entry].awaited = send.id.is_some();
        self.entries[entry].reply = send.id.map(|id| (conn, id));
        if !message.persistent {
            self.offer(entry, ctx);
            if let Some(id) = send.id {
                self.reply((conn, id), true, ctx);
            }
            return;
        }
        let own_lane = self.connections.get(&conn).is_some_and(|own| own.lane == ctx.lane());
        if self.config.settings.concurrent && !send.transacted {
            if self.config.has(Rule::DispatchBeforeStore) {
                self.offer(entry, ctx);
            }
            // It may be acknowledged by now: no, that takes a round trip. So it is stored.
            self.queue_task(entry, ctx);
        } else {
            ctx.spend(self.config.costs.store);
            self.store_entry(entry, Then::Inline(entry), ctx);
        }
        let waits = self.entries.get(entry).is_some_and(|entry| entry.reply.is_some());
        if own_lane && waits {
            self.block(conn, ctx);
        }
    }

    /// A message that was had before: it is answered as if it were stored.
    fn suppress(
        &mut self,
        conn: ConnId,
        send: Send,
        cause: crate::observe::CauseId,
        ctx: &mut Context<'_, Message>,
    ) {
        self.tell_dropped(send.message, Removal::new(cause, because::NONE), ctx);
        if let Some(id) = send.id {
            self.reply((conn, id), true, ctx);
        }
    }

    /// A message is in the broker.
    pub(super) fn enter(
        &mut self,
        queue: QueueId,
        message: Jms,
        ctx: &mut Context<'_, Message>,
    ) -> u32 {
        let (now, serial) = (ctx.now(), self.serial);
        self.serial += 1;
        self.tell_stored(now, queue, message, ctx.observer());
        let of = &mut self.queues[queue.index()];
        of.ids.insert(message.id());
        of.memory += u64::from(message.bytes());
        self.entries.insert(Entry {
            message,
            queue,
            serial,
            stage: Stage::Memory,
            awaited: false,
            reply: None,
            redeliveries: 0,
            acked: false,
        })
    }

    /// Gives a message to the writer of the journal. What nobody waits for is taken for stored at once:
    /// so is everything unless it is fsynced before it is answered.
    pub(super) fn store_entry(
        &mut self,
        entry: u32,
        then: Then,
        ctx: &mut Context<'_, Message>,
    ) -> bool {
        let Entry { message, queue, awaited, .. } = self.entries[entry];
        let waits = awaited && self.awaits_syncs();
        self.entries[entry].stage = Stage::Storing;
        let record = Record { op: Op::Add, queue, message, of: 0, end: 0 };
        self.enqueue(Write::new(record, waits, then), ctx);
        waits
    }

    /// A message is stored, as far as its sender cares.
    pub(super) fn stored(&mut self, entry: u32, success: bool, ctx: &mut Context<'_, Message>) {
        let own = &mut self.entries[entry];
        own.stage = if success { Stage::Stored } else { Stage::Memory };
        let Entry { reply, message, queue, acked, .. } = *own;
        own.reply = None;
        if let Some((conn, id)) = reply {
            if success {
                self.touched.note(Touch::Replied(queue, message));
            }
            let wake = self.config.costs.wake;
            if success && self.awaits_syncs() && !wake.is_zero() {
                ctx.after(wake, Lane::MAIN, Timer::Reply(conn, id).into());
            } else {
                self.reply((conn, id), success, ctx);
            }
        }
        if acked {
            self.forget_entry(entry, ctx);
        }
    }
}
