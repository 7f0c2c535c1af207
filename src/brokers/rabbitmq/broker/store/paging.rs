//! What a queue's messages take in memory, and which of them are on the disk only
//! (rabbit_variable_queue.erl, v3.10: `reduce_memory_use`).
//!
//! The memory is asked for every second, so it is kept as a sum and not counted each time.

use crate::observe::MessageRange;

use super::super::super::message::QueueSeq;
use super::queue::{Held, payload};
use super::{BackingQueue, Record, State};

/// A message in memory has so much about it beside its body (rabbitmq.com/docs/memory-use: "at
/// least 720 bytes per message").
const MESSAGE_OVERHEAD: u64 = 720;

/// What a message takes in memory, in bytes.
pub(in super::super) fn size(message: MessageRange) -> u64 {
    payload(message) + MESSAGE_OVERHEAD
}

/// Messages of a queue that are on the disk only.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Paged {
    from: QueueSeq,
    /// The first that is not.
    to: QueueSeq,
    /// What those that are held would take in memory.
    size: u64,
}

impl Paged {
    fn has(&self, id: QueueSeq) -> bool {
        id >= self.from && id < self.to
    }

    /// A message is held from now on.
    pub(super) fn add(&mut self, id: QueueSeq, message: MessageRange) {
        if self.has(id) {
            self.size += size(message);
        }
    }

    /// A message is held no more.
    pub(super) fn remove(&mut self, id: QueueSeq, message: MessageRange) {
        if self.has(id) {
            self.size -= size(message);
        }
    }

    /// The same range, of which nothing is held.
    pub(super) fn emptied(self) -> Paged {
        Paged { size: 0, ..self }
    }
}

/// What has left memory.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct PagedOut {
    /// How many messages.
    pub(in super::super) moved: u64,
    /// Bytes of those that no journal has.
    pub(in super::super) unwritten: u64,
}

impl BackingQueue {
    /// What its messages take in memory, in bytes.
    pub(in super::super) fn memory(&self) -> u64 {
        let held = self.ready_bytes + self.unacked_bytes + MESSAGE_OVERHEAD * self.depth();
        let memory = held - self.paged.size;
        debug_assert_eq!(memory, self.memory_of_first(usize::MAX), "the sum is what is there");
        memory
    }

    /// The same of the oldest `most` that are in memory, counted one by one.
    pub(in super::super) fn memory_of_first(&self, most: usize) -> u64 {
        let in_memory = self.alive().filter(|held| !self.paged.has(held.id));
        in_memory.take(most).map(|held| size(held.message)).sum()
    }

    fn alive(&self) -> impl Iterator<Item = Held> + '_ {
        self.held().filter(|held| held.state != State::Gone)
    }

    /// The oldest messages stay, as many as `keep` bytes take; the others leave memory. `None` if
    /// they have all left it.
    pub(in super::super) fn page_out(&mut self, keep: u64) -> Option<PagedOut> {
        let (mut kept, mut unwritten, mut moved) = (0, 0, 0);
        let mut paged = Paged { from: QueueSeq::MAX, to: self.next_id(), size: 0 };
        for held in self.alive() {
            let on_disk = self.paged.has(held.id);
            let size = size(held.message);
            if kept + size <= keep && paged.from == QueueSeq::MAX && !on_disk {
                kept += size;
                continue;
            }
            paged.from = paged.from.min(held.id);
            paged.size += size;
            if !on_disk {
                moved += 1;
                if held.record == Record::None {
                    unwritten += size;
                }
            }
        }
        if moved == 0 {
            return None;
        }
        self.paged = paged;
        Some(PagedOut { moved, unwritten })
    }

    /// What was to leave memory stays there: the disk is full.
    pub(in super::super) fn keep_in_memory(&mut self) {
        self.paged = Paged { to: self.paged.from, ..self.paged.emptied() };
    }

    /// A message and all before it are in memory again. `None` if that one was; else whether it was
    /// the last.
    pub(in super::super) fn page_in(&mut self, id: QueueSeq) -> Option<bool> {
        if !self.paged.has(id) {
            return None;
        }
        for id in self.paged.from.max(self.base)..=id {
            let entry = &self.entries[(id - self.base) as usize];
            if entry.state != State::Gone {
                self.paged.size -= size(entry.message);
            }
        }
        self.paged.from = id + 1;
        Some(self.paged.from == self.paged.to)
    }

    /// A new process has it: all of it is in memory.
    pub(in super::super) fn page_in_all(&mut self) {
        self.paged = Paged::default();
    }
}
