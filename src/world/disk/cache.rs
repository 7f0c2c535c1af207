//! The page cache: what of the files is in memory, so that reading it does not take the disk.
//!
//! What is written is in memory. When that is full, what was written longest ago goes. Of what is
//! read from the disk a stretch of each file stays, so that others who read it a little later find
//! it there. A loss of power leaves nothing.

use crate::engine::Time;

use super::super::machine::FileId;
use super::{Disk, READS, Sync, transfer};

/// What is written is given up again in runs of this part of the memory.
const RUNS: u64 = 1 << 16;

/// The most of a file that stays after it was read from the disk, as a part of the memory.
const REREAD: u64 = 16;

impl Disk {
    /// So much was written to a file: it is in memory, and something older may not be any more.
    pub(super) fn remember(&mut self, id: FileId, bytes: u64) {
        let memory = self.spec.cache.bytes;
        if memory == 0 {
            return;
        }
        let run = (memory / RUNS).max(4096);
        let file = self.file(id);
        file.young += bytes;
        if file.young >= run {
            let bytes = std::mem::take(&mut file.young);
            self.in_memory.push_back((id, bytes));
        }
        while self.cached > memory
            && let Some((id, left)) = self.in_memory.front_mut()
        {
            let (id, bytes) = (*id, (*left).min(self.cached - memory));
            *left -= bytes;
            if *left == 0 {
                self.in_memory.pop_front();
            }
            self.update(id, |file| {
                file.cached_from = (file.cached_from + bytes).min(file.length);
            });
        }
    }

    /// A process reads a stretch of a file at `at`: what of it is not in memory is read from the
    /// disk, if anything is. Readers do not wait for write-back, which comes later for it: block
    /// devices serve those first for whom somebody waits (`mq-deadline`, `blk-wbt`).
    pub(crate) fn load(&mut self, id: FileId, from: u64, to: u64, at: Time) -> Option<Sync> {
        let memory = self.spec.cache.bytes;
        let file = self.file(id);
        let (first, end) = file.missing(from, to.min(file.length));
        if first >= end {
            return None;
        }
        let begin = if file.reread.1 == first { file.reread.0 } else { first };
        file.reread = (begin.max(end.saturating_sub(memory / REREAD)), end);
        let cost = self.turn_to(id) + transfer(end - first, self.spec.bandwidth, self.slowness());
        Some(self.read_for(cost, at))
    }

    /// Queues a read of so many bytes of any files at `at`.
    pub(crate) fn read(&mut self, bytes: u64, at: Time) -> Sync {
        let cost = transfer(bytes, self.spec.bandwidth, self.slowness());
        self.read_for(cost, at)
    }

    fn read_for(&mut self, cost: crate::engine::Span, at: Time) -> Sync {
        let begun = at.max(self.reads_until);
        let done = begun + cost;
        self.reads_until = done;
        self.free_at = self.free_at.max(begun) + cost;
        self.worked += cost;
        let failed = self.fails_reads();
        Sync { file: None, length: 0, power: self.power, failed, begun, done }
    }

    /// Whether reads fail.
    pub(crate) fn fails_reads(&self) -> bool {
        self.failing[READS] > 0
    }
}
