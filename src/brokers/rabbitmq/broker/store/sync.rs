//! What a synchronisation takes out of one replica and puts into another (`rabbit_mirror_queue_sync`).

use crate::observe::MessageRange;
use crate::world::Context;

use super::super::super::message::{Message, Properties, QueueSeq};
use super::queue::{BackingQueue, Entry, Extra, Place, Record, State};

/// One message on its way through a synchronisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry {
    /// The message's number in its queue.
    pub id: QueueSeq,
    /// The message.
    pub message: MessageRange,
    /// Whether it has a record in the index.
    pub persistent: bool,
    /// Whether a consumer has it.
    pub unacked: bool,
    /// Its time to live, its past as a dead letter.
    pub extra: Extra,
}

impl BackingQueue {
    /// An empty replica numbers its messages as the leader does, from `id` on.
    pub fn number_from(&mut self, id: QueueSeq) {
        if self.entries.is_empty() && id > self.base {
            self.base = id;
            self.ready_from = id;
        }
        // A number that the leader gave and we never saw: settled before we could.
        while self.next_id() < id {
            let producer = crate::observe::ProducerId(0);
            let gone = Entry {
                message: MessageRange { producer, first: 0, count: 0, bytes: 0 },
                offset: 0,
                body: 0,
                state: State::Gone,
                record: Record::None,
                place: Place::Record,
                delivered: false,
                persistent: false,
                stored: false,
                origin: self.destination,
            };
            self.entries.push_back(gone);
        }
    }

    /// The oldest `count` messages from `from` on that are held here, for a synchronisation:
    /// (number, message, persistent, unacknowledged).
    pub fn batch(&self, from: QueueSeq, count: usize) -> Vec<BatchEntry> {
        let start = from.saturating_sub(self.base) as usize;
        let mut batch = Vec::new();
        for (index, entry) in self.entries.iter().enumerate().skip(start) {
            if batch.len() == count {
                break;
            }
            if entry.state != State::Gone {
                batch.push(BatchEntry {
                    id: self.base + index as u64,
                    message: entry.message,
                    persistent: entry.persistent,
                    unacked: entry.state == State::Unacked,
                    extra: self.extra(self.base + index as u64),
                });
            }
        }
        batch
    }

    /// Takes over one message of a synchronisation, under the leader's number.
    pub fn synchronise(&mut self, ctx: &mut Context<'_, Message>, synced: BatchEntry) {
        self.number_from(synced.id);
        debug_assert_eq!(self.next_id(), synced.id, "a synchronisation goes in queue order");
        let properties = Properties { persistent: synced.persistent, ..Properties::default() };
        let (id, _) = self.publish(ctx, synced.message, properties, true, None, synced.extra);
        if synced.unacked {
            self.take(id);
        }
    }
}
