//! Acknowledgements (`ServerConsumerImpl.acknowledge`) and dead letters (`QueueImpl.sendToDeadLetterAddress`).

use crate::observe::{CauseId, Removal};
use crate::world::Context;

use super::super::invariants::Touch;
use super::super::message::{Ack, Message};
use super::super::store::Op;
use super::super::words::{because, cause, event};
use super::{Broker, Entry};

impl Broker {
    /// The messages that an acknowledgement is about, which are no longer delivering then.
    fn take_acked(&mut self, key: u32, ack: &Ack) -> Vec<u32> {
        let entries = &self.entries;
        let session = self.sessions.get_mut(&key);
        let Some(own) = session.and_then(|own| own.consumer.as_mut()) else { return Vec::new() };
        let is_last = |entry: &u32| entries[*entry].id == ack.last;
        // What was delivered to another session is not this one's to acknowledge.
        let Some(last) = own.delivering.iter().position(is_last) else { return Vec::new() };
        let first = if ack.individual { last } else { 0 };
        own.delivering.drain(first..=last).collect()
    }

    pub(super) fn acknowledge(&mut self, key: u32, ack: Ack, ctx: &mut Context<'_, Message>) {
        let acked = self.take_acked(key, &ack);
        if ack.transacted {
            return self.ack_in_transaction(key, acked, ctx);
        }
        for entry in acked {
            self.acked(Some(key), entry, ctx);
        }
        self.room(ctx);
    }

    /// A consumer is through with a message: nobody waits for the record of that, but what the session
    /// does next does.
    pub(super) fn acked(&mut self, key: Option<u32>, entry: u32, ctx: &mut Context<'_, Message>) {
        let Entry { message, queue, id, .. } = self.entries[entry];
        if message.durable {
            let record = Self::record(Op::Ack, queue, (id, message));
            let syncs = self.config.settings.sync_non_transactional;
            self.append(key, record, syncs, ctx);
        }
        self.leave(entry, cause::ACKNOWLEDGED, ctx);
    }

    /// It is in no queue any more.
    pub(super) fn leave(&mut self, entry: u32, cause: CauseId, ctx: &mut Context<'_, Message>) {
        let Some(Entry { message, queue, id, .. }) = self.entries.remove(entry) else { return };
        let of = &mut self.queues[queue.index()];
        of.size = of.size.saturating_sub(u64::from(message.bytes()));
        self.touched.note(Touch::Returned(queue, id));
        self.tell_removed(message, Removal::new(cause, because::NONE), ctx);
    }

    /// `sendToDeadLetterAddress`: it goes to the queue of dead letters, which is one transaction; without
    /// one, or from there, it is removed.
    pub(super) fn dead_letter(&mut self, entry: u32, ctx: &mut Context<'_, Message>) {
        let Entry { message, queue, count, id, .. } = self.entries[entry];
        let letters = self.config.dead_letters().filter(|letters| *letters != queue);
        self.tell(event::DEAD_LETTERED, Some(message.origin), (None, u64::from(count)), ctx);
        let Some(letters) = letters else {
            if message.durable {
                let record = Self::record(Op::Ack, queue, (id, message));
                self.append(None, record, true, ctx);
            }
            return self.leave(entry, cause::NO_DEAD_LETTER_ADDRESS, ctx);
        };
        let letter = self.journal.number();
        if message.durable {
            let of = self.journal.transaction();
            let steps = [
                (Op::Body, letters, letter),
                (Op::Reference, letters, letter),
                (Op::Ack, queue, id),
                (Op::Commit(3), queue, id),
            ];
            for (op, queue, id) in steps {
                let record = Self::record(op, queue, (id, message));
                self.append(
                    None,
                    super::super::store::Record { of, ..record },
                    matches!(op, Op::Commit(_)),
                    ctx,
                );
            }
        }
        let new = self.enter(letters, (letter, message), ctx);
        self.entries[new].awaited = true;
        self.leave(entry, cause::GIVEN_UP, ctx);
        self.route(new, ctx);
    }
}
