//! The store of a broker (`store/DefaultMessageStore.java`): one CommitLog for all topics, and for each
//! queue an index into it, which is made from it and can be made again.
//!
//! Everything here is state without clocks, disks or connections: who appends writes the bytes to the
//! CommitLog's file, who truncates cuts it.

mod commit_log;
mod consume_queue;
mod offsets;

pub use commit_log::{CommitLog, Entry, Record};
pub use consume_queue::ConsumeQueue;
pub use offsets::OffsetFile;

use super::config::QueueId;

/// What a broker has on its disk and of it in memory.
#[derive(Clone, Debug)]
pub struct Store {
    /// The CommitLog.
    pub log: CommitLog,
    /// The consume queues, by queue; those of other groups are empty.
    pub queues: Vec<ConsumeQueue>,
    /// The offset that the next message of a queue gets (`topicQueueTable`).
    pub next: Vec<u64>,
    /// Up to where the CommitLog is dispatched (`reputFromOffset`).
    pub dispatched: u64,
    /// Up to where it is flushed (`flushedWhere`), as the broker believes.
    pub flushed: u64,
    /// Up to where it is in its file; less than what is appended with a write buffer only.
    pub committed: u64,
}

/// What there was to dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// The entry of this message was made.
    Message(Record),
    /// Nothing more yet.
    Nothing,
    /// There are bytes at this position which are no record.
    Stuck(u64),
}

impl Store {
    /// An empty one.
    #[must_use]
    pub fn new(queues: usize, segment: u64) -> Store {
        Store {
            log: CommitLog::new(segment),
            queues: vec![ConsumeQueue::default(); queues],
            next: vec![0; queues],
            dispatched: 0,
            flushed: 0,
            committed: 0,
        }
    }

    /// Appends a message, in so many bytes.
    pub fn append(&mut self, entry: &Entry, bytes: u32) -> Record {
        let next = &mut self.next[entry.queue.index()];
        let offset = *next;
        *next += 1;
        self.log.append(entry, offset, bytes)
    }

    /// Up to where readers and slaves see it.
    #[must_use]
    pub const fn readable_end(&self) -> u64 {
        self.committed
    }

    /// Makes the entry of the next message that ends at or before `limit` (`doReput`).
    pub fn dispatch(&mut self, limit: u64) -> Dispatch {
        let limit = limit.min(self.log.end());
        while self.dispatched < limit {
            let Some(record) = self.log.at(self.dispatched) else {
                return Dispatch::Stuck(self.dispatched);
            };
            if record.end() > limit {
                // A record whose end was not pushed yet.
                return Dispatch::Nothing;
            }
            self.dispatched = record.end();
            if record.is_padding() {
                continue;
            }
            self.queues[record.queue.index()].put(record.offset, record.at);
            return Dispatch::Message(record);
        }
        Dispatch::Nothing
    }

    /// After a recovery: dispatches everything that there is, and sets the next offsets by the queues
    /// (`recoverTopicQueueTable`).
    pub fn recover(&mut self) {
        let end = self.log.end();
        while let Dispatch::Message(_) = self.dispatch(end) {}
        for (next, queue) in self.next.iter_mut().zip(&self.queues) {
            *next = queue.max();
        }
        (self.flushed, self.committed) = (end, end);
    }

    /// Bytes of the CommitLog behind a position are gone, and the entries of queues with them
    /// (`truncateDirtyLogicFiles`); tells `removed` of each message, the last first.
    pub fn cut(&mut self, to: u64, mut removed: impl FnMut(Record)) {
        let queues = &mut self.queues;
        self.log.cut(to, |record| {
            if !record.is_padding() {
                queues[record.queue.index()].cut(record.at);
                removed(record);
            }
        });
        let end = self.log.end();
        self.dispatched = self.dispatched.min(end);
        self.flushed = self.flushed.min(end);
        self.committed = self.committed.min(end);
    }

    /// The CommitLog is deleted up to a position, and the entries of queues with it
    /// (`deleteExpiredFile`); tells `removed` of each message, the first one first.
    pub fn delete_before(&mut self, to: u64, mut removed: impl FnMut(Record)) {
        self.log.delete_before(to, |record| {
            if !record.is_padding() {
                removed(record);
            }
        });
        self.queues.iter_mut().for_each(|queue| queue.delete_before(to));
        self.dispatched = self.dispatched.max(to);
    }

    /// The disk was replaced by an empty one.
    pub fn clear(&mut self, mut removed: impl FnMut(Record)) {
        self.log.clear(|record| {
            if !record.is_padding() {
                removed(record);
            }
        });
        self.queues.iter_mut().for_each(ConsumeQueue::clear);
        self.next.iter_mut().for_each(|next| *next = 0);
        (self.dispatched, self.flushed, self.committed) = (0, 0, 0);
    }

    /// The message at an offset of a queue.
    #[must_use]
    pub fn message(&self, queue: QueueId, offset: u64) -> Option<Record> {
        self.log.at(self.queues[queue.index()].get(offset)?)
    }
}

#[cfg(test)]
mod tests;
