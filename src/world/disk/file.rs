//! One file: how long it is, what of it is dirty, durable, and in memory.

use std::collections::VecDeque;

use crate::engine::Time;

/// An append log with a durable prefix.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) length: u64,
    pub(super) durable: u64,
    /// Bytes at its front whose space was given back: what they held is in no file any more.
    pub(super) released: u64,
    /// The greatest length that a queued fsync will make durable.
    pub(super) queued: u64,
    /// Queued fsyncs, and the least length since the oldest of them was queued.
    pub(super) syncs: u32,
    pub(super) least: u64,
    /// What is not dirty: it is durable, or was given up.
    pub(super) clean: u64,
    /// How far write-back that is under way goes.
    pub(super) submitted: u64,
    /// Where the first hole begins: nothing from here on will be durable.
    pub(super) bad: u64,
    /// Whether the write-back failed and no fsync has told it yet.
    pub(super) error: bool,
    /// What write-back has written and the file system has not committed: when it will, and the length.
    pub(super) uncommitted: Option<(Time, u64)>,
    /// What was written when, as (time, length after it), oldest first, but for what is submitted.
    pub(super) dirty: VecDeque<(Time, u64)>,
    /// Whether it stands in the flusher's list.
    pub(super) listed: bool,
    /// What is before this is no longer in memory, but for what was read again lately: a stretch.
    pub(super) cached_from: u64,
    pub(super) reread: (u64, u64),
    /// What was written and is not in the list by which memory is given up.
    pub(super) young: u64,
}

impl File {
    pub(super) const fn empty() -> File {
        File {
            length: 0,
            durable: 0,
            released: 0,
            queued: 0,
            syncs: 0,
            least: u64::MAX,
            clean: 0,
            submitted: 0,
            bad: u64::MAX,
            error: false,
            uncommitted: None,
            dirty: VecDeque::new(),
            listed: false,
            cached_from: 0,
            reread: (0, 0),
            young: 0,
        }
    }

    /// A file of which only this much is left, on the disk and not in memory.
    pub(super) fn left(length: u64, released: u64) -> File {
        File {
            length,
            durable: length,
            clean: length,
            released: released.min(length),
            cached_from: length,
            ..File::empty()
        }
    }

    /// What is written up to this length has reached the disk, as far as there is no hole, or could
    /// not and is given up.
    pub(super) fn cleaned(&mut self, length: u64, failed: bool) {
        if failed && length > self.clean {
            self.bad = self.bad.min(self.clean);
        }
        self.clean = self.clean.max(length);
    }

    /// What has reached the disk counts from now on.
    pub(super) fn commit(&mut self, length: u64) {
        self.durable = self.durable.max(length.min(self.bad).min(self.length));
    }

    /// The file system has committed what it would until now.
    pub(super) fn commit_due(&mut self, now: Time) {
        if let Some((_, length)) = self.uncommitted.take_if(|(at, _)| *at <= now) {
            self.commit(length);
        }
    }

    /// Up to where nobody needs to write it any more: what is given back, is clean, or is on its way.
    pub(super) fn under_way(&self) -> u64 {
        self.clean.max(self.submitted).max(self.queued).max(self.released)
    }

    /// Bytes that are dirty, on their way to the disk or not.
    pub(super) fn dirty_bytes(&self) -> u64 {
        self.length - self.clean.max(self.released).min(self.length)
    }

    /// Of these, those that nothing writes yet.
    pub(super) fn waiting_bytes(&self) -> u64 {
        self.length - self.under_way().min(self.length)
    }

    /// Bytes in memory, but for what was read again.
    pub(super) fn cached_bytes(&self) -> u64 {
        self.length - self.cached_from.max(self.released).min(self.length)
    }

    /// The stretch from `from` up to `to` that is not in memory, from its first byte to its last.
    pub(super) fn missing(&self, from: u64, to: u64) -> (u64, u64) {
        let (mut from, mut to) = (from, to.min(self.cached_from));
        let (begin, end) = self.reread;
        if (begin..end).contains(&from) {
            from = end;
        }
        if from < to && begin < to && to <= end {
            to = begin.max(from);
        }
        (from, to.max(from))
    }

    /// The file is cut, or was shorter.
    pub(super) fn cut(&mut self, length: u64) {
        self.length = self.length.min(length);
        let length = self.length;
        self.released = self.released.min(length);
        self.durable = self.durable.min(length);
        self.clean = self.clean.min(length);
        self.submitted = self.submitted.min(length);
        self.queued = self.queued.min(length);
        self.cached_from = self.cached_from.min(length);
        self.reread = (self.reread.0.min(length), self.reread.1.min(length));
        if let Some((_, uncommitted)) = &mut self.uncommitted {
            *uncommitted = (*uncommitted).min(length);
        }
        if length <= self.bad {
            self.bad = u64::MAX;
        }
        if self.syncs > 0 {
            self.least = self.least.min(length);
        }
        while self.dirty.back().is_some_and(|(_, end)| *end > length) {
            let (written, _) = self.dirty.pop_back().unwrap_or((Time::ZERO, 0));
            let before = self.dirty.back().map_or(self.under_way(), |(_, end)| *end);
            if before < length {
                self.dirty.push_back((written, length));
            }
        }
    }
}
