//! Acknowledgements (`PrefetchSubscription.acknowledge`): they come without being waited for, and the
//! record of one is fsynced only if something else asks for it.

use crate::observe::{CauseId, Removal};
use crate::world::{ConnId, Context};

use super::super::invariants::Touch;
use super::super::message::{Ack, AckKind, Message};
use super::super::rules::Rule;
use super::super::store::{Op, Record};
use super::super::words::{because, cause};
use super::store::{Then, Write};
use super::{Broker, Entry, Stage};

impl Broker {
    /// The messages that an acknowledgement is about, which are no longer dispatched then.
    pub(super) fn take_acked(&mut self, conn: ConnId, ack: &Ack) -> Vec<u32> {
        let entries = &self.entries;
        let connection = self.connections.get_mut(&conn);
        let Some(own) = connection.and_then(|connection| connection.subscription.as_mut()) else {
            return Vec::new();
        };
        let is_last = |entry: &u32| entries[*entry].message.id() == ack.last;
        let Some(last) = own.dispatched.iter().position(is_last) else { return Vec::new() };
        let count = if ack.kind == AckKind::Individual { 1 } else { ack.count as usize };
        let first = (last + 1).saturating_sub(count);
        own.dispatched.drain(first..=last).collect()
    }

    pub(super) fn acknowledge(&mut self, conn: ConnId, ack: Ack, ctx: &mut Context<'_, Message>) {
        let subscription = self.connections.get(&conn).and_then(|own| own.subscription.as_ref());
        let Some(queue) = subscription.map(|own| own.queue) else { return };
        if ack.kind == AckKind::Redelivered {
            return;
        }
        for entry in self.take_acked(conn, &ack) {
            match ack.kind {
                AckKind::Poison => self.dead_letter(entry, ctx),
                _ => self.consumed(entry, ctx),
            }
        }
        self.dispatch(queue, ctx);
        self.space(ctx);
    }

    /// A consumer is through with a message. One that the store has not begun with is never stored
    /// (`removeAsyncMessage`), and its sender is answered.
    pub(super) fn consumed(&mut self, entry: u32, ctx: &mut Context<'_, Message>) {
        let Entry { message, stage, reply, queue, .. } = self.entries[entry];
        let cancels = self.config.has(Rule::CancelStores);
        let why = match stage {
            Stage::Queued if cancels => cause::CONSUMED_UNSTORED,
            _ => cause::CONSUMED,
        };
        self.leave(entry, why, ctx);
        match stage {
            Stage::Queued if cancels => {
                self.executor.cancelled();
                self.entries.remove(entry);
                if let Some(reply) = reply {
                    self.reply(reply, true, ctx);
                }
            }
            Stage::Queued | Stage::Storing => {
                self.entries[entry].acked = true;
            }
            Stage::Memory | Stage::Stored => self.forget_entry(entry, ctx),
        }
        self.touched.note(Touch::Returned(queue, message));
    }

    /// It is in no queue any more.
    fn leave(&mut self, entry: u32, cause: CauseId, ctx: &mut Context<'_, Message>) {
        let Entry { message, queue, .. } = self.entries[entry];
        let of = &mut self.queues[queue.index()];
        of.ids.remove(&message.id());
        of.memory = of.memory.saturating_sub(u64::from(message.bytes()));
        self.tell_removed(message, Removal::new(cause, because::NONE), ctx);
    }

    /// What is stored of it is removed (`removeMessage`); nobody waits for that.
    pub(super) fn forget_entry(&mut self, entry: u32, ctx: &mut Context<'_, Message>) {
        let Some(Entry { message, queue, stage, .. }) = self.entries.remove(entry) else { return };
        if stage == Stage::Stored {
            let record = Record { op: Op::Remove, queue, message, of: 0, end: 0 };
            self.enqueue(Write::new(record, false, Then::Nothing), ctx);
        }
    }

    /// `sendToDeadLetterQueue`: a persistent message goes to `ActiveMQ.DLQ`, where it is stored like any
    /// other that nobody waits for; another one is discarded, and so is what comes from there.
    fn dead_letter(&mut self, entry: u32, ctx: &mut Context<'_, Message>) {
        let Entry { message, queue, redeliveries, .. } = self.entries[entry];
        let letters = self.config.dead_letters();
        self.touched.note(Touch::Returned(queue, message));
        if !message.persistent || queue == letters {
            self.leave(entry, cause::POISON_DISCARDED, ctx);
            return self.give_up(entry, ctx);
        }
        let letter = self.enter(letters, message, ctx);
        self.entries[letter].redeliveries = redeliveries;
        if self.config.settings.concurrent {
            self.offer(letter, ctx);
            self.queue_task(letter, ctx);
        } else {
            self.store_entry(letter, Then::Inline(letter), ctx);
        }
        self.leave(entry, cause::POISON, ctx);
        self.give_up(entry, ctx);
    }

    /// The entry of a message that has left its queue.
    fn give_up(&mut self, entry: u32, ctx: &mut Context<'_, Message>) {
        match self.entries[entry].stage {
            Stage::Queued | Stage::Storing => self.entries[entry].acked = true,
            Stage::Memory | Stage::Stored => self.forget_entry(entry, ctx),
        }
    }
}
