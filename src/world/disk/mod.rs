//! A host's disk: a page cache, what is durable, and the time that an fsync takes.
//!
//! Every file is an append log with a durable prefix. A byte becomes durable by an fsync, or by
//! write-back (`write_back`), and then counts with the file system's next commit of the file's new
//! size, 5 s later (ext4, `commit=5`) or at the next fsync of any file. So of a busy file that nobody
//! fsyncs a loss of power takes what was written in the last 0 to 35 s, and more: measured.
//! The disk itself is a FIFO server of fsyncs and write-back: its `free_at`. Reads go first.
//!
//! A loss of power may leave a torn tail: of what was in the page cache a random part, which need
//! not end where a record does ([`DiskSpec::torn_tail`](super::DiskSpec::torn_tail)).
//!
//! A disk that fails: an fsync, or the write-back, that could not write what it covers gives it up
//! as Linux does (pages are marked clean and the error is told to one fsync, errseq_t; J. Corbet,
//! "PostgreSQL's fsync() surprise", LWN 2018): what was to become durable is in the page cache
//! still, the next fsync succeeds, and a loss of power shows the hole. A file is then good up to
//! the hole only ([`File::bad`]).

mod cache;
mod file;
mod pace;
mod write_back;

use std::collections::VecDeque;

use crate::engine::{Span, Stream, Time};

use super::fault::Failing;
use super::machine::FileId;
use super::network::DiskSpec;
use file::File;
use write_back::{FLUSHER_ROUND, Writing};

/// Why a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// ENOSPC.
    #[error("no space left on device")]
    Full,
    /// EIO.
    #[error("input/output error")]
    Io,
}

/// What a disk kept when its process or host died.
#[derive(Clone, Copy, Debug)]
pub struct DiskView<'a> {
    kept: &'a [u64],
}

impl DiskView<'_> {
    /// A view of files with these lengths; also for tests of machines.
    #[must_use]
    pub const fn new(kept: &[u64]) -> DiskView<'_> {
        DiskView { kept }
    }

    /// Bytes of the file that are still there; always a prefix of what was written.
    #[must_use]
    pub fn kept(&self, file: FileId) -> u64 {
        self.kept.get(file.0 as usize).copied().unwrap_or(0)
    }
}

/// A queued fsync, or a queued read: what to tell the disk when it completes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    /// The file to make durable; a read has none.
    file: Option<FileId>,
    length: u64,
    power: u32,
    /// Whether it fails, whatever the disk does by its end.
    failed: bool,
    /// When the disk turns to it, and when it is through.
    begun: Time,
    pub(crate) done: Time,
}

/// Places in [`Disk::failing`].
const WRITES: usize = 0;
const FSYNCS: usize = 1;
const READS: usize = 2;

/// The places of what fails.
fn named(failing: Failing) -> impl Iterator<Item = usize> {
    let Failing { writes, fsyncs, reads } = failing;
    let all = [(WRITES, writes), (FSYNCS, fsyncs), (READS, reads)];
    all.into_iter().filter(|(_, fails)| *fails).map(|(operation, _)| operation)
}

/// One disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    spec: DiskSpec,
    /// How slow fsyncs are in this run, in millionths.
    pace: u64,
    stream: Stream,
    files: Vec<File>,
    used: u64,
    free_at: Time,
    /// How often its content was lost in part; an fsync queued before that completes nothing.
    power: u32,
    /// Faults that say it is full.
    full: u32,
    /// Faults that let writes, fsyncs and reads fail.
    failing: [u32; 3],
    /// Factors of the faults that slow it down.
    slow: Vec<u64>,
    /// Faults that let it do nothing, and since when.
    stalls: u32,
    stalled_at: Time,
    /// When the flusher's rounds are, as an offset.
    phase: Span,
    /// The next of them in which there may be something old enough.
    round_due: Time,
    /// Files in which something is dirty, in the order in which they became so, and others.
    listed: VecDeque<FileId>,
    /// Write-back that is queued or under way.
    writing: VecDeque<Writing>,
    /// Files of which there is something to commit.
    committing: Vec<FileId>,
    /// Bytes that are dirty; of these, those that nothing writes yet; those that were and are not
    /// any more, in all.
    dirty: u64,
    waiting: u64,
    cleaned: u64,
    /// Bytes of files that are in memory, and what was written in which order, by runs.
    cached: u64,
    in_memory: VecDeque<(FileId, u64)>,
    /// The file that it read or wrote back last.
    head: Option<FileId>,
    /// Until when it reads.
    reads_until: Time,
    /// How long it has worked, what is queued included.
    worked: Span,
    written: u64,
    syncs: u64,
}

impl Disk {
    /// `day` is what kind of day it is for the disks of this run, from 0 (they are fast) to 2
    /// millions; `phase` when its host's flusher looks around first.
    pub(crate) fn new(spec: DiskSpec, day: u64, phase: Span, stream: Stream) -> Disk {
        let spread = u64::from(spec.spread.min(100));
        Disk {
            pace: 1_000_000 - spread * 10_000 + day * spread / 100,
            spec,
            stream,
            files: Vec::new(),
            used: 0,
            free_at: Time::ZERO,
            power: 0,
            full: 0,
            failing: [0; 3],
            slow: Vec::new(),
            stalls: 0,
            stalled_at: Time::MAX,
            phase: Span::from_nanos(phase.as_nanos() % FLUSHER_ROUND.as_nanos()),
            round_due: Time::MAX,
            listed: VecDeque::new(),
            writing: VecDeque::new(),
            committing: Vec::new(),
            dirty: 0,
            waiting: 0,
            cleaned: 0,
            cached: 0,
            in_memory: VecDeque::new(),
            head: None,
            reads_until: Time::ZERO,
            worked: Span::ZERO,
            written: 0,
            syncs: 0,
        }
    }

    fn file(&mut self, file: FileId) -> &mut File {
        let index = file.0 as usize;
        if index >= self.files.len() {
            self.files.resize(index + 1, File::empty());
        }
        &mut self.files[index]
    }

    pub(crate) fn length(&self, file: FileId) -> u64 {
        self.files.get(file.0 as usize).map_or(0, |file| file.length)
    }

    pub(crate) fn free(&self) -> u64 {
        if self.full > 0 { 0 } else { self.spec.capacity.saturating_sub(self.used) }
    }

    /// Appends to the page cache at `now`. If more is dirty then than may be, the writer waits until
    /// so much has been cleaned in all ([`cleaned_at`](Self::cleaned_at)).
    pub(crate) fn write(
        &mut self,
        file: FileId,
        bytes: u64,
        now: Time,
    ) -> Result<Option<u64>, DiskError> {
        if bytes > self.free() || self.full > 0 {
            return Err(DiskError::Full);
        }
        if self.failing[WRITES] > 0 {
            return Err(DiskError::Io);
        }
        self.used += bytes;
        self.written += bytes;
        self.advance(now);
        self.dirtied(file, bytes, now);
        self.remember(file, bytes);
        Ok(self.owed())
    }

    fn slowness(&self) -> u64 {
        self.slow.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor))
    }

    /// Queues an fsync at `at`; [`complete`](Self::complete) it at its `done`. `now` positions the
    /// random stream.
    pub(crate) fn fsync(&mut self, file: FileId, at: Time, now: Time) -> Sync {
        self.advance(at);
        self.syncs += 1;
        let failed = self.failing[FSYNCS] > 0;
        let (length, bytes, told) = self.update(file, |file| {
            let bytes = file.waiting_bytes();
            file.queued = file.queued.max(file.length);
            file.syncs += 1;
            (file.length, bytes, std::mem::take(&mut file.error))
        });
        let slowness = self.slowness();
        let mut latency = self.spec.fsync.span(self.stream.at(now)) * slowness;
        if self.pace != 1_000_000 {
            latency = latency * self.pace / 1_000_000;
        }
        let cost = latency + transfer(bytes, self.spec.bandwidth, slowness);
        let begun = at.max(self.free_at);
        let done = begun + cost;
        self.free_at = done;
        self.worked += cost;
        self.head = Some(file);
        Sync { file: Some(file), length, power: self.power, failed: failed || told, begun, done }
    }

    /// An fsync or a read is through. What an fsync covered is durable, unless it failed or power
    /// was lost meanwhile. Returns whether it failed.
    pub(crate) fn complete(&mut self, sync: Sync) -> bool {
        let operation = if sync.file.is_some() { FSYNCS } else { READS };
        let failed = sync.failed || self.failing[operation] > 0;
        let Some(file) = sync.file.filter(|_| sync.power == self.power) else { return failed };
        self.advance(sync.done);
        self.update(file, |file| {
            let covered = sync.length.min(file.least).min(file.length);
            file.cleaned(covered, failed);
            file.commit(file.clean);
            file.syncs -= 1;
            if file.syncs == 0 {
                file.least = u64::MAX;
                file.queued = 0;
            }
            let clean = file.clean;
            while file.dirty.front().is_some_and(|(_, length)| *length <= clean) {
                file.dirty.pop_front();
            }
        });
        self.commit_all();
        failed
    }

    pub(crate) fn truncate(&mut self, file: FileId, length: u64) {
        let (before, after) = self.update(file, |file| {
            let before = file.length - file.released;
            file.cut(length);
            (before, file.length - file.released)
        });
        self.cut_writing(file, length);
        self.used -= before - after;
    }

    /// Gives back the space of `bytes` more at the front of a file: they belong to files that are
    /// deleted. Offsets stay as they are.
    pub(crate) fn release(&mut self, file: FileId, bytes: u64) {
        let bytes = self.update(file, |file| {
            let bytes = bytes.min(file.length - file.released);
            file.released += bytes;
            bytes
        });
        self.used -= bytes;
    }

    /// Lengths of the files as a killed process finds them again.
    pub(crate) fn lengths(&self) -> Vec<u64> {
        self.files.iter().map(|file| file.length).collect()
    }

    /// Power is gone at `now`: every file is cut to its durable prefix.
    pub(crate) fn lose_power(&mut self, now: Time) {
        self.advance(now);
        self.forget();
        let stream = self.stream.at(now);
        for file in &mut self.files {
            file.commit_due(now);
            let cached = file.length - file.durable;
            let torn = if self.spec.torn_tail && cached > 0 { stream.below(cached + 1) } else { 0 };
            *file = File::left(file.durable + torn, file.released);
            self.used += file.length - file.released;
        }
    }

    /// The disk is replaced by an empty one.
    pub(crate) fn wipe(&mut self) {
        self.forget();
        self.files.clear();
    }

    /// What was under way, and what was in memory, is gone.
    fn forget(&mut self) {
        self.power = self.power.wrapping_add(1);
        self.free_at = Time::ZERO;
        self.reads_until = Time::ZERO;
        self.round_due = Time::MAX;
        self.used = 0;
        self.cleaned += std::mem::take(&mut self.dirty);
        self.waiting = 0;
        self.cached = 0;
        self.listed.clear();
        self.writing.clear();
        self.in_memory.clear();
        self.committing.clear();
    }

    pub(crate) fn fill(&mut self, full: bool) {
        self.full = if full { self.full + 1 } else { self.full.saturating_sub(1) };
    }

    /// What is named fails from now on.
    pub(crate) fn fail(&mut self, failing: Failing, now: Time) {
        self.advance(now);
        for operation in named(failing) {
            self.failing[operation] += 1;
        }
    }

    /// What is named works again, unless it fails for another reason too.
    pub(crate) fn work(&mut self, failing: Failing, now: Time) {
        self.advance(now);
        for operation in named(failing) {
            self.failing[operation] = self.failing[operation].saturating_sub(1);
        }
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.stalls > 0
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs
    }

    /// How long it has worked until `now`.
    pub(crate) fn worked(&self, now: Time) -> Span {
        self.worked.saturating_sub(self.free_at.since(now.min(self.free_at)))
    }

    pub(crate) fn digest(&self) -> u64 {
        self.stream.digest()
    }
}

/// Time to transfer `bytes` at `bandwidth` bytes a second (0 is unlimited), `slowness` times
/// slower.
fn transfer(bytes: u64, bandwidth: u64, slowness: u64) -> Span {
    if bandwidth == 0 || bytes == 0 {
        return Span::ZERO;
    }
    let nanos = u128::from(bytes) * 1_000_000_000 * u128::from(slowness) / u128::from(bandwidth);
    Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
