//! A host's disk: a page cache, what is durable, and the time that an fsync takes.
//!
//! Every file is an append log with a durable prefix. A byte becomes durable by an fsync, or by
//! write-back, which is worked out when it matters and so costs no events. Write-back is a
//! saw-tooth: the host's flusher looks around every 5 s (`vm.dirty_writeback_centisecs`), and a file
//! that has had something dirty for the write-back age (`vm.dirty_expire_centisecs`) is written
//! *whole*, up to its newest byte. The new size of the file is durable with the file system's next commit,
//! 5 s later (ext4, `commit=5`) or at the next fsync of any file. So of a busy file that nobody
//! fsyncs a loss of power takes what was written in the last 0 to 35 s, and more: measured.
//! The disk itself is a FIFO server: its `free_at`.
//!
//! A loss of power may leave a torn tail: of what was in the page cache a random part, which need
//! not end where a record does ([`DiskSpec::torn_tail`](super::DiskSpec::torn_tail)).
//!
//! A disk that fails: an fsync, or the write-back, that could not write what it covers gives it up
//! as Linux does (pages are marked clean and the error is told to one fsync, errseq_t; J. Corbet,
//! "PostgreSQL's fsync() surprise", LWN 2018): what was to become durable is in the page cache
//! still, the next fsync succeeds, and a loss of power shows the hole. A file is then good up to
//! the hole only ([`File::bad`]).

mod pace;

use std::collections::VecDeque;

use crate::engine::{Span, Stream, Time};

use super::fault::Failing;
use super::machine::FileId;
use super::network::DiskSpec;

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

#[derive(Clone, Debug)]
struct File {
    length: u64,
    durable: u64,
    /// Bytes at its front whose space was given back: what they held is in no file any more.
    released: u64,
    /// The greatest length that a queued fsync will make durable.
    queued: u64,
    /// Queued fsyncs, and the least length since the oldest of them was queued.
    syncs: u32,
    least: u64,
    /// What is not dirty: it is durable, or was given up.
    clean: u64,
    /// Where the first hole begins: nothing from here on will be durable.
    bad: u64,
    /// Whether the write-back failed and no fsync has told it yet.
    error: bool,
    /// What write-back has written and the file system has not committed: when it will, and the length.
    uncommitted: Option<(Time, u64)>,
    /// What was written when, as (time, length after it), oldest first.
    dirty: VecDeque<(Time, u64)>,
}

impl File {
    const fn empty() -> File {
        File {
            length: 0,
            durable: 0,
            released: 0,
            queued: 0,
            syncs: 0,
            least: u64::MAX,
            clean: 0,
            bad: u64::MAX,
            error: false,
            uncommitted: None,
            dirty: VecDeque::new(),
        }
    }

    /// What is written up to this length has reached the disk, as far as there is no hole, or could
    /// not and is given up.
    fn cleaned(&mut self, length: u64, failed: bool) {
        if failed && length > self.clean {
            self.bad = self.bad.min(self.clean);
        }
        self.clean = self.clean.max(length);
    }

    /// What has reached the disk counts from now on.
    fn commit(&mut self, length: u64) {
        self.durable = self.durable.max(length.min(self.bad).min(self.length));
    }

    /// The file system has committed what it would until now.
    fn commit_due(&mut self, now: Time) {
        if let Some((_, length)) = self.uncommitted.take_if(|(at, _)| *at <= now) {
            self.commit(length);
        }
    }
}

/// How often the flusher looks for what is old enough (Linux `vm.dirty_writeback_centisecs`).
const FLUSHER_ROUND: Span = Span::from_secs(5);

/// How long after a change the file system commits it (ext4, mount option `commit`).
const COMMIT: Span = Span::from_secs(5);

/// Writes within this part of the write-back age count as one.
const MARKS_PER_AGE: u64 = 256;

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
    /// Files of which there is something to commit.
    committing: Vec<FileId>,
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
            committing: Vec::new(),
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

    /// Appends to the page cache at `now`.
    pub(crate) fn write(&mut self, file: FileId, bytes: u64, now: Time) -> Result<(), DiskError> {
        if bytes > self.free() || self.full > 0 {
            return Err(DiskError::Full);
        }
        if self.failing[WRITES] > 0 {
            return Err(DiskError::Io);
        }
        self.used += bytes;
        self.written += bytes;
        self.write_back(file, now);
        let grain = self.spec.write_back_age / MARKS_PER_AGE;
        let file = self.file(file);
        file.length += bytes;
        let length = file.length;
        match file.dirty.back_mut() {
            // The mark keeps its time, so that a little that is younger is counted as this old:
            // at most one part in 256 of the age.
            Some(mark) if now.since(mark.0) < grain => mark.1 = length,
            _ => file.dirty.push_back((now, length)),
        }
        Ok(())
    }

    /// The first round of the flusher at `time` or after it.
    fn round_from(&self, time: Time) -> Time {
        let (round, phase) = (FLUSHER_ROUND.as_nanos(), self.phase.as_nanos());
        let before = time.as_nanos().saturating_sub(phase).div_ceil(round);
        Time::from_nanos(before.saturating_mul(round).saturating_add(phase))
    }

    /// Works out what the flusher has done with a file until now. The transfer takes the disk's
    /// time from the round in which it was due.
    fn write_back(&mut self, id: FileId, now: Time) {
        if self.stalls > 0 {
            return;
        }
        let (age, fails) = (self.spec.write_back_age, self.failing[FSYNCS] > 0);
        self.file(id).commit_due(now);
        while let Some((written, _)) = self.file(id).dirty.front().copied() {
            let round = self.round_from(written + age);
            if round > now {
                break;
            }
            let (bandwidth, slowness) = (self.spec.bandwidth, self.slowness());
            let file = self.file(id);
            file.commit_due(round);
            let mut length = file.clean;
            while let Some(&(written, end)) = file.dirty.front()
                && written <= round
            {
                file.dirty.pop_front();
                length = length.max(end);
            }
            if length <= file.clean {
                continue;
            }
            let bytes = length - file.clean;
            file.cleaned(length, fails);
            file.error |= fails;
            file.uncommitted = Some((round + COMMIT, length));
            file.commit_due(now);
            self.free_at = self.free_at.max(round) + transfer(bytes, bandwidth, slowness);
            if !self.committing.contains(&id) {
                self.committing.push(id);
            }
        }
    }

    /// The file system commits everything that has reached the disk: an fsync of any file does that.
    fn commit_all(&mut self) {
        for id in std::mem::take(&mut self.committing) {
            let file = self.file(id);
            if let Some((_, length)) = file.uncommitted.take() {
                file.commit(length);
            }
        }
    }

    fn slowness(&self) -> u64 {
        self.slow.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor))
    }

    /// Queues an fsync at `at`; [`complete`](Self::complete) it at its `done`. `now` positions the
    /// random stream.
    pub(crate) fn fsync(&mut self, file: FileId, at: Time, now: Time) -> Sync {
        self.write_back(file, at);
        self.syncs += 1;
        let mut failed = self.failing[FSYNCS] > 0;
        let id = file;
        let file = self.file(file);
        failed |= std::mem::take(&mut file.error);
        let length = file.length;
        let bytes = length.saturating_sub(file.clean.max(file.queued));
        file.queued = file.queued.max(length);
        file.syncs += 1;
        let slowness = self.slowness();
        let mut latency = self.spec.fsync.span(self.stream.at(now)) * slowness;
        if self.pace != 1_000_000 {
            latency = latency * self.pace / 1_000_000;
        }
        let transfer = transfer(bytes, self.spec.bandwidth, slowness);
        let begun = at.max(self.free_at);
        let done = begun + latency + transfer;
        self.free_at = done;
        Sync { file: Some(id), length, power: self.power, failed, begun, done }
    }

    /// Queues a read of so many bytes at `at`: it takes the disk's time as a transfer does.
    pub(crate) fn read(&mut self, bytes: u64, at: Time) -> Sync {
        let begun = at.max(self.free_at);
        let done = begun + transfer(bytes, self.spec.bandwidth, self.slowness());
        self.free_at = done;
        let failed = self.failing[READS] > 0;
        Sync { file: None, length: 0, power: self.power, failed, begun, done }
    }

    /// An fsync or a read is through. What an fsync covered is durable, unless it failed or power
    /// was lost meanwhile. Returns whether it failed.
    pub(crate) fn complete(&mut self, sync: Sync) -> bool {
        let operation = if sync.file.is_some() { FSYNCS } else { READS };
        let failed = sync.failed || self.failing[operation] > 0;
        let Some(file) = sync.file.filter(|_| sync.power == self.power) else { return failed };
        let file = self.file(file);
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
        self.commit_all();
        failed
    }

    pub(crate) fn truncate(&mut self, file: FileId, length: u64) {
        let file = self.file(file);
        let before = file.length - file.released;
        file.length = file.length.min(length);
        file.released = file.released.min(file.length);
        let cut = before - (file.length - file.released);
        file.durable = file.durable.min(file.length);
        file.clean = file.clean.min(file.length);
        if let Some((_, length)) = &mut file.uncommitted {
            *length = (*length).min(file.length);
        }
        if file.length <= file.bad {
            file.bad = u64::MAX;
        }
        file.queued = file.queued.min(file.length);
        if file.syncs > 0 {
            file.least = file.least.min(file.length);
        }
        while file.dirty.back().is_some_and(|(_, end)| *end > length) {
            let (written, _) = file.dirty.pop_back().unwrap_or((Time::ZERO, 0));
            let before = file.dirty.back().map_or(file.clean, |(_, end)| *end);
            if before < length {
                file.dirty.push_back((written, length));
            }
        }
        self.used -= cut;
    }

    /// Gives back the space of `bytes` more at the front of a file: they belong to files that are
    /// deleted. Offsets stay as they are.
    pub(crate) fn release(&mut self, file: FileId, bytes: u64) {
        let file = self.file(file);
        let bytes = bytes.min(file.length - file.released);
        file.released += bytes;
        self.used -= bytes;
    }

    /// Lengths of the files as a killed process finds them again.
    pub(crate) fn lengths(&self) -> Vec<u64> {
        self.files.iter().map(|file| file.length).collect()
    }

    /// Power is gone at `now`: every file is cut to its durable prefix.
    pub(crate) fn lose_power(&mut self, now: Time) {
        self.settle(now);
        self.power = self.power.wrapping_add(1);
        self.free_at = Time::ZERO;
        self.used = 0;
        self.committing.clear();
        let stream = self.stream.at(now);
        for file in &mut self.files {
            let cached = file.length - file.durable;
            let torn = if self.spec.torn_tail && cached > 0 { stream.below(cached + 1) } else { 0 };
            let length = file.durable + torn;
            let released = file.released.min(length);
            *file = File { length, durable: length, clean: length, released, ..File::empty() };
            self.used += length - released;
        }
    }

    /// The disk is replaced by an empty one.
    pub(crate) fn wipe(&mut self) {
        self.power = self.power.wrapping_add(1);
        self.free_at = Time::ZERO;
        self.used = 0;
        self.committing.clear();
        self.files.clear();
    }

    pub(crate) fn fill(&mut self, full: bool) {
        self.full = if full { self.full + 1 } else { self.full.saturating_sub(1) };
    }

    /// What is named fails from now on.
    pub(crate) fn fail(&mut self, failing: Failing, now: Time) {
        self.settle(now);
        for operation in named(failing) {
            self.failing[operation] += 1;
        }
    }

    /// What is named works again, unless it fails for another reason too.
    pub(crate) fn work(&mut self, failing: Failing, now: Time) {
        self.settle(now);
        for operation in named(failing) {
            self.failing[operation] = self.failing[operation].saturating_sub(1);
        }
    }

    /// Works out what was written back until now.
    fn settle(&mut self, now: Time) {
        for index in 0..self.files.len() as u32 {
            self.write_back(FileId(index), now);
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
mod tests {
    use super::*;
    use crate::engine::Distribution;

    const FILE: FileId = FileId(3);

    fn disk() -> Disk {
        let spec = DiskSpec {
            fsync: Distribution::Constant(1_000_000),
            spread: 0,
            bandwidth: 1_000_000,
            capacity: 10_000,
            write_back_age: Span::from_secs(30),
            torn_tail: false,
        };
        Disk::new(spec, 0, Span::ZERO, Stream::new(1, "disk n1"))
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    #[test]
    fn queued_fsyncs_transfer_each_byte_once_and_wait_for_each_other() {
        let mut disk = disk();
        disk.write(FILE, 2_000, at(0)).unwrap();
        let first = disk.fsync(FILE, at(0), at(0));
        disk.write(FILE, 1_000, at(1)).unwrap();
        let second = disk.fsync(FILE, at(1), at(1));
        assert_eq!((first.done, second.done), (at(3), at(5)));
        disk.complete(first);
        disk.lose_power(at(4));
        assert_eq!(disk.length(FILE), 2_000);
        // What was queued before the power was lost completes nothing after it.
        disk.write(FILE, 1_000, at(4)).unwrap();
        disk.complete(second);
        disk.lose_power(at(6));
        assert_eq!(disk.length(FILE), 2_000);
    }

    #[test]
    fn an_fsync_covers_nothing_that_was_cut_off_and_written_anew() {
        let mut disk = disk();
        disk.write(FILE, 2_000, at(0)).unwrap();
        let sync = disk.fsync(FILE, at(0), at(0));
        disk.truncate(FILE, 500);
        disk.write(FILE, 1_500, at(1)).unwrap();
        disk.complete(sync);
        disk.lose_power(at(5));
        assert_eq!(disk.length(FILE), 500);
    }

    #[test]
    fn space_is_counted_and_comes_back() {
        let mut disk = disk();
        disk.write(FILE, 9_000, at(0)).unwrap();
        assert_eq!(disk.write(FileId(0), 1_001, at(0)), Err(DiskError::Full));
        disk.truncate(FILE, 4_000);
        assert_eq!(disk.free(), 6_000);
        disk.fill(true);
        assert_eq!(disk.free(), 0);
        assert_eq!(disk.write(FILE, 0, at(0)), Err(DiskError::Full));
        disk.fill(false);
        disk.lose_power(at(1));
        assert_eq!((disk.free(), disk.length(FILE)), (10_000, 0));
    }

    #[test]
    fn write_back_takes_the_time_of_the_disk_from_when_it_was_due() {
        let mut disk = disk();
        disk.write(FILE, 5_000, at(0)).unwrap();
        // Due at 30 s, 5 ms of transfer; an fsync at 30.002 s waits for it.
        let sync = disk.fsync(FILE, at(30_002), at(30_002));
        assert_eq!(sync.done, at(30_006));
    }

    /// 10 bytes were written each second from 0 to `until`, in ms.
    fn trickled(until: u64) -> Disk {
        let mut disk = disk();
        (0..=until / 1_000).for_each(|second| disk.write(FILE, 10, at(second * 1_000)).unwrap());
        disk
    }

    /// What a loss of power at a time leaves of the file.
    fn left(mut disk: Disk, millis: u64) -> u64 {
        disk.lose_power(at(millis));
        disk.length(FILE)
    }

    #[test]
    fn write_back_is_a_saw_tooth_and_counts_with_the_next_commit() {
        // What is written in the very instant of a round waits for the next.
        let times = [29_000, 34_900, 35_000, 64_900, 65_000, 69_900];
        assert_eq!(times.map(|t| left(trickled(t), t)), [0, 0, 300, 300, 600, 600]);
    }

    #[test]
    fn an_fsync_of_another_file_commits_what_was_written_back_and_nothing_else() {
        let fsynced = |millis: u64| {
            let mut disk = trickled(millis);
            let sync = disk.fsync(FileId(0), at(millis), at(millis));
            disk.complete(sync);
            disk
        };
        assert_eq!(left(fsynced(29_000), 29_500), 0);
        assert_eq!(left(fsynced(31_000), 31_100), 300);
    }

    #[test]
    fn released_space_is_free_and_offsets_stay() {
        let mut disk = disk();
        disk.write(FILE, 9_000, at(0)).unwrap();
        disk.release(FILE, 4_000);
        assert_eq!((disk.free(), disk.length(FILE)), (5_000, 9_000));
        disk.truncate(FILE, 2_000);
        assert_eq!(disk.free(), 10_000);
        disk.truncate(FILE, 0);
        assert_eq!((disk.free(), disk.length(FILE)), (10_000, 0));
    }

    #[test]
    fn a_torn_tail_is_a_part_of_what_was_not_durable() {
        let mut kept = Vec::new();
        for seed in 0..20 {
            let spec = DiskSpec { torn_tail: true, ..disk().spec };
            let mut disk = Disk::new(spec, 0, Span::ZERO, Stream::new(seed, "disk n1"));
            disk.write(FILE, 1_000, at(0)).unwrap();
            let sync = disk.fsync(FILE, at(0), at(0));
            disk.complete(sync);
            disk.write(FILE, 1_000, at(5)).unwrap();
            disk.lose_power(at(6));
            kept.push(disk.length(FILE));
        }
        assert!(kept.iter().all(|length| (1_000..=2_000).contains(length)));
        assert!(kept.iter().any(|length| length % 100 != 0));
    }
}
