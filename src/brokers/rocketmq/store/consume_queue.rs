//! A consume queue: where in the CommitLog the messages of a queue are.

use std::collections::VecDeque;

/// The index of a queue. Offsets count its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumeQueue {
    min: u64,
    /// Physical offsets.
    entries: VecDeque<u64>,
}

impl ConsumeQueue {
    /// The offset of its first message (`minOffsetInQueue`).
    #[must_use]
    pub const fn min(&self) -> u64 {
        self.min
    }

    /// The offset behind its last message (`maxOffsetInQueue`).
    #[must_use]
    pub fn max(&self) -> u64 {
        self.min + self.entries.len() as u64
    }

    /// Makes the entry of a message. One that is there is not made again ("Build consume queue
    /// repeatedly"); the first one may have any offset (`fillPreBlank`); of a gap nothing is known but
    /// that the broker's own log calls it a bug, so the entry is appended.
    pub fn put(&mut self, offset: u64, at: u64) {
        if self.entries.is_empty() {
            self.min = offset;
        } else if offset < self.max() {
            return;
        }
        self.entries.push_back(at);
    }

    /// Where the message with an offset is.
    #[must_use]
    pub fn get(&self, offset: u64) -> Option<u64> {
        let place = usize::try_from(offset.checked_sub(self.min)?).ok()?;
        self.entries.get(place).copied()
    }

    /// What is before a position of the CommitLog is gone (`correctMinOffset`).
    pub fn delete_before(&mut self, at: u64) {
        while self.entries.front().is_some_and(|entry| *entry < at) {
            self.entries.pop_front();
            self.min += 1;
        }
    }

    /// What is at or behind a position of the CommitLog is gone.
    pub fn cut(&mut self, at: u64) {
        while self.entries.back().is_some_and(|entry| *entry >= at) {
            self.entries.pop_back();
        }
    }

    /// Everything is gone.
    pub fn clear(&mut self) {
        *self = ConsumeQueue::default();
    }
}
