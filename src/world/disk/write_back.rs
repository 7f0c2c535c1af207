//! Write-back: what the kernel writes to the disk by itself, and when it lets writers wait for that.
//!
//! *By age.* The host's flusher looks around every 5 s (`vm.dirty_writeback_centisecs`), and a file
//! that has had something dirty for the write-back age (`vm.dirty_expire_centisecs`) is written
//! *whole*, up to its newest byte.
//!
//! *By amount.* As soon as more is dirty than the background limit (`vm.dirty_background_ratio`) the
//! flusher writes what is above it, the file that has been dirty for longest first, of each so much
//! at a time (`writeback_chunk_size` in `fs/fs-writeback.c`). Write-back stands in the disk's queue,
//! behind which an fsync waits; it can be as long as there is room between the two limits
//! (measured: 0.9 GB under way, and 17 s for an fsync).
//!
//! *The limit.* Writers do not wait below the mean of background limit and limit (`vm.dirty_ratio`);
//! above it they wait inside `write` until the disk has caught up (`balance_dirty_pages` and
//! `dirty_freerun_ceiling` in `mm/page-writeback.c`; measured: 15 % of the memory that may be dirty
//! stays so, and writers get the disk's rate). A disk that does nothing at all stops them at the
//! limit.
//!
//! All this is worked out when it matters, and so costs no events.

use crate::engine::{Span, Time};

use super::super::machine::FileId;
use super::file::File;
use super::{Disk, FSYNCS, transfer};

/// How often the flusher looks for what is old enough (Linux `vm.dirty_writeback_centisecs`).
pub(super) const FLUSHER_ROUND: Span = Span::from_secs(5);

/// How long after a change the file system commits it (ext4, mount option `commit`).
const COMMIT: Span = Span::from_secs(5);

/// Writes within this part of the write-back age count as one.
const MARKS_PER_AGE: u64 = 256;

/// The least that write-back by amount writes of a file before it turns to the next
/// (`MIN_WRITEBACK_PAGES`); more on a disk that writes more in half a second.
const LEAST_CHUNK: u64 = 4 << 20;

/// Write-back of a file that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    file: FileId,
    /// It goes up to here, and this is how much it writes.
    upto: u64,
    bytes: u64,
    submitted: Time,
    /// When the disk turns to it, and when it is through.
    pub(super) begun: Time,
    pub(super) done: Time,
}

impl Disk {
    /// Changes a file, and keeps the sums over all files.
    pub(super) fn update<R>(&mut self, id: FileId, change: impl FnOnce(&mut File) -> R) -> R {
        let sums = |file: &File| [file.dirty_bytes(), file.waiting_bytes(), file.cached_bytes()];
        let file = self.file(id);
        let before = sums(file);
        let result = change(file);
        let after = sums(file);
        self.dirty = self.dirty + after[0] - before[0];
        self.waiting = self.waiting + after[1] - before[1];
        self.cached = self.cached + after[2] - before[2];
        self.cleaned += before[0].saturating_sub(after[0]);
        result
    }

    /// So much more was written to a file at `now`.
    pub(super) fn dirtied(&mut self, id: FileId, bytes: u64, now: Time) {
        let age = self.spec.write_back_age;
        let grain = age / MARKS_PER_AGE;
        let first = self.update(id, |file| {
            file.length += bytes;
            let length = file.length;
            match file.dirty.back_mut() {
                // The mark keeps its time, so that a little that is younger is counted as this old:
                // at most one part in 256 of the age.
                Some(mark) if now.since(mark.0) < grain => mark.1 = length,
                _ => file.dirty.push_back((now, length)),
            }
            file.dirty.len() == 1
        });
        if first {
            self.round_due = self.round_due.min(self.round_from(now + age));
        }
        let file = self.file(id);
        if !std::mem::replace(&mut file.listed, true) {
            self.listed.push_back(id);
        }
        self.write_above_background(now);
    }

    /// The first round of the flusher at `time` or after it.
    fn round_from(&self, time: Time) -> Time {
        let (round, phase) = (FLUSHER_ROUND.as_nanos(), self.phase.as_nanos());
        let before = time.as_nanos().saturating_sub(phase).div_ceil(round);
        Time::from_nanos(before.saturating_mul(round).saturating_add(phase))
    }

    /// Works out what the flusher has done until now.
    #[inline]
    pub(crate) fn advance(&mut self, now: Time) {
        if self.stalls > 0 {
            return;
        }
        loop {
            let done = self.writing.front().map_or(Time::MAX, |writing| writing.done);
            if done <= now && done <= self.round_due {
                self.written_back();
            } else if self.round_due <= now {
                self.round();
            } else {
                return;
            }
        }
    }

    /// The flusher looks for what is old enough.
    fn round(&mut self) {
        let (round, age) = (self.round_due, self.spec.write_back_age);
        self.round_due = Time::MAX;
        for id in (0..self.files.len() as u32).map(FileId) {
            let file = self.file(id);
            if file.dirty.front().is_some_and(|(written, _)| *written + age <= round) {
                let length = file.length;
                self.submit(id, length, round);
            }
            if let Some((written, _)) = self.file(id).dirty.front().copied() {
                self.round_due = self.round_due.min(self.round_from(written + age));
            }
        }
    }

    /// The flusher writes what is more than may be dirty without anybody writing it.
    pub(super) fn write_above_background(&mut self, now: Time) {
        let Some((background, limit)) = self.limits() else { return };
        if self.stalls > 0 {
            return;
        }
        let chunk = (self.spec.bandwidth / 2).min(limit / 8).max(LEAST_CHUNK);
        while self.waiting > background {
            let Some(id) = self.listed.pop_front() else { return };
            let file = self.file(id);
            file.listed = false;
            let (from, length) = (file.under_way(), file.length);
            let upto = length.min(from.saturating_add(chunk));
            if upto < length {
                file.listed = true;
                self.listed.push_back(id);
            }
            self.submit(id, upto, now);
        }
    }

    /// Write-back of a file is queued. It takes the disk's time, more of it if the file before was
    /// another.
    fn submit(&mut self, id: FileId, upto: u64, at: Time) {
        let bytes = self.update(id, |file| {
            let bytes = upto.saturating_sub(file.under_way());
            file.submitted = file.submitted.max(upto);
            let submitted = file.under_way();
            while file.dirty.front().is_some_and(|(_, end)| *end <= submitted) {
                file.dirty.pop_front();
            }
            bytes
        });
        if bytes == 0 {
            return;
        }
        let cost = self.turn_to(id) + transfer(bytes, self.spec.bandwidth, self.slowness());
        let begun = at.max(self.free_at);
        let done = begun + cost;
        self.free_at = done;
        self.worked += cost;
        self.writing.push_back(Writing { file: id, upto, bytes, submitted: at, begun, done });
    }

    /// The price of turning to a file.
    pub(super) fn turn_to(&mut self, id: FileId) -> Span {
        if self.head.replace(id) == Some(id) {
            return Span::ZERO;
        }
        self.spec.seek * self.slowness()
    }

    /// The first write-back of the queue is through: what it wrote is durable with the file
    /// system's next commit.
    fn written_back(&mut self) {
        let Some(Writing { file: id, upto, submitted, done, .. }) = self.writing.pop_front() else {
            return;
        };
        let fails = self.failing[FSYNCS] > 0;
        let commit = done.max(submitted + COMMIT);
        self.update(id, |file| {
            file.commit_due(done);
            let upto = upto.min(file.length);
            if upto <= file.clean {
                return;
            }
            file.cleaned(upto, fails);
            file.error |= fails;
            let at = file.uncommitted.map_or(commit, |(at, _)| at.min(commit));
            file.uncommitted = Some((at, upto));
        });
        if !self.committing.contains(&id) {
            self.committing.push(id);
        }
    }

    /// A file was cut: what write-back has of it beyond that is not there any more.
    pub(super) fn cut_writing(&mut self, id: FileId, length: u64) {
        for writing in self.writing.iter_mut().filter(|writing| writing.file == id) {
            let over = writing.upto.saturating_sub(length);
            writing.upto -= over;
            writing.bytes = writing.bytes.saturating_sub(over);
        }
    }

    /// The file system commits everything that has reached the disk: an fsync of any file does that.
    pub(super) fn commit_all(&mut self) {
        for id in std::mem::take(&mut self.committing) {
            let file = self.file(id);
            if let Some((_, length)) = file.uncommitted.take() {
                file.commit(length);
            }
        }
    }

    /// Bytes from which on write-back begins, and the most that may be dirty; none if memory is
    /// never the limit. The first is less than the second (`domain_dirty_limits`).
    fn limits(&self) -> Option<(u64, u64)> {
        let cache = self.spec.cache;
        if cache.bytes == 0 || self.spec.bandwidth == 0 {
            return None;
        }
        let part = |percent: u32| cache.bytes / 100 * u64::from(percent);
        let limit = part(cache.limit);
        let background = part(cache.background);
        Some((if background >= limit { limit / 2 } else { background }, limit))
    }

    /// How much must have been cleaned in all before whoever has just written may go on, if it has
    /// to wait.
    pub(super) fn owed(&self) -> Option<u64> {
        let (background, limit) = self.limits()?;
        let free = u64::midpoint(background, limit);
        let bound = if self.stalls > 0 { limit } else { free };
        (self.dirty > bound).then(|| self.cleaned + self.dirty - free)
    }

    /// When so much has been cleaned in all, as far as it is known; an fsync that completes may
    /// make it earlier.
    pub(crate) fn cleaned_at(&self, target: u64) -> Option<Time> {
        let mut left = target.saturating_sub(self.cleaned);
        if left == 0 {
            return Some(Time::ZERO);
        }
        if self.stalls > 0 {
            return None;
        }
        for writing in &self.writing {
            if writing.bytes >= left {
                let behind = transfer(writing.bytes - left, self.spec.bandwidth, self.slowness());
                let done = writing.done.as_nanos().saturating_sub(behind.as_nanos());
                return Some(Time::from_nanos(done));
            }
            left -= writing.bytes;
        }
        None
    }
}
