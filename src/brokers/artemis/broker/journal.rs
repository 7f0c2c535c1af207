//! The journal's timed buffer (`TimedBuffer`), and who waits for it (`OperationContextImpl`).
//!
//! Records wait in the heap until the buffer is flushed: at once if something is to be fsynced and the last
//! flush is a timeout ago, at the timeout otherwise. A flush is one write, and an fsync that all share.

use crate::engine::Time;
use crate::world::{Context, DiskError, Lane, TimerId};

use super::super::config::JournalType;
use super::super::invariants::Touch;
use super::super::message::{Append, CoreMessage, Message, QueueId, Timer};
use super::super::rules::Rule;
use super::super::store::{Op, Record};
use super::super::words::event;
use super::sessions::Line;
use super::{Broker, Phase, journal_file};

/// Bytes of a record beside a message's body (artemis-journal, `JournalAddRecord` and its kin).
const RECORD: u32 = 60;

/// The timed buffer.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    /// Its lane.
    lane: Option<Lane>,
    /// How far the journal is written to the file, and how far those are served that wait for fsyncs.
    written: u64,
    stored: u64,
    /// Whether something waits for an fsync (`pendingSync`).
    syncs: bool,
    /// When it was flushed last, by the monotonic clock.
    last: Option<Time>,
    /// When it will be flushed.
    next: Option<(Time, TimerId)>,
    /// NIO: a flush is under way, and the next one waits for it.
    busy: bool,
    /// Fsyncs that are not through.
    syncing: u32,
}

impl Buffer {
    pub(super) fn forget(&mut self, end: u64) {
        *self = Buffer { written: end, stored: end, ..Buffer::default() };
    }

    /// How far the journal is in files.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }
}

impl Broker {
    pub(super) fn start_journal(&mut self, ctx: &mut Context<'_, Message>) {
        self.forget_buffer();
        self.buffer.lane = Some(ctx.spawn());
    }

    /// The lane of the journal.
    pub(super) fn journal_lane(&self) -> Lane {
        self.buffer.lane.unwrap_or(Lane::MAIN)
    }

    /// What is in the journal is in its files, and nothing waits for it.
    pub(super) fn forget_buffer(&mut self) {
        self.buffer.forget(self.journal.end());
    }

    /// Something was appended that may have to be fsynced.
    pub(super) fn flush_soon(&mut self, syncs: bool, ctx: &mut Context<'_, Message>) {
        self.buffer.syncs |= syncs;
        self.plan_flush(ctx);
    }

    /// Whether something of the journal is not where it should be in the end.
    pub(super) fn is_storing(&self) -> bool {
        self.buffer.written < self.journal.end() || self.buffer.syncing > 0 || self.mount.is_busy()
    }

    /// Whether all that a session has done up to here is stored, and replicated.
    pub(super) fn is_done(&self, line: Line) -> bool {
        self.buffer.stored >= line.stored && self.is_replicated(line.packet)
    }

    /// A record, which is not appended yet.
    pub(super) fn record(op: Op, queue: QueueId, (id, message): (u64, CoreMessage)) -> Record {
        Record { op, queue, of: 0, message, id, end: 0 }
    }

    /// Appends a record, for this session if it is one's. If it is to be fsynced, what the session does
    /// from now on waits for that (`storeLineUp`).
    pub(super) fn append(
        &mut self,
        session: Option<u32>,
        record: Record,
        syncs: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        ctx.spend(self.config.costs.record);
        let body = if record.op == Op::Body { record.message.bytes() } else { 0 };
        let bytes = RECORD.saturating_add(body);
        let end = self.journal.append(record, bytes);
        let packet = self.replicate(record, bytes);
        if let Some(own) = session.and_then(|key| self.sessions.get_mut(&key)) {
            own.line.packet = packet.unwrap_or(own.line.packet);
            if syncs {
                own.line.stored = end;
            }
        }
        self.flush_soon(syncs, ctx);
    }

    /// Sees to it that the buffer is flushed when it is time.
    pub(super) fn plan_flush(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(lane) = self.buffer.lane else { return };
        if self.buffer.busy || self.buffer.written >= self.journal.end() {
            return;
        }
        let (now, timeout) = (ctx.monotonic(), self.config.settings.buffer_timeout);
        let rested = self.buffer.last.map_or(now, |last| last + timeout).max(now);
        let full = self.journal.end() - self.buffer.written >= self.config.settings.buffer_size;
        let at_once = self.buffer.syncs && self.config.has(Rule::FlushAtOnce);
        let at = match (full, at_once) {
            (true, _) => now,
            (false, true) => rested,
            (false, false) => rested.max(now + timeout),
        };
        if let Some((planned, timer)) = self.buffer.next {
            if planned <= at {
                return;
            }
            ctx.cancel(timer);
        }
        let timer = ctx.after(at.since(now), lane, Timer::Flush.into());
        self.buffer.next = Some((at, timer));
    }

    /// `flushBatch`: what waits is written, and fsynced if any of it asks for that. Past the page cache
    /// everything goes to the device.
    pub(super) fn flush(&mut self, ctx: &mut Context<'_, Message>) {
        self.buffer.next = None;
        if self.buffer.busy {
            return;
        }
        let (from, mut end) = (self.buffer.written, self.journal.end());
        if !self.config.has(Rule::ShareFlushes) {
            end = self.journal.since(from).first().map_or(end, |(record, _)| record.end);
        }
        if from >= end {
            return;
        }
        ctx.spend(self.config.costs.flush);
        self.buffer.last = Some(ctx.monotonic());
        let settings = &self.config.settings;
        let direct = settings.journal == JournalType::AsyncIo;
        let fsyncs = settings.datasync && (direct || self.buffer.syncs);
        self.buffer.syncs &= end < self.journal.end();
        if self.storage().is_some() {
            let mut records = self.journal.since(from);
            records.retain(|(record, _)| record.end <= end);
            self.buffer.busy = true;
            let append = Append { at: from, records, sync: fsyncs };
            return self.write_remote(append, end, ctx);
        }
        let stretch: Vec<(u32, u64)> = self.journal.stretch(from, end).collect();
        for (file, bytes) in &stretch {
            match ctx.write(journal_file(*file), *bytes) {
                Ok(()) => {}
                Err(DiskError::Full) => return self.disk_full(ctx),
                Err(DiskError::Io) => return self.io_error(ctx),
            }
        }
        self.buffer.written = end;
        if fsyncs {
            // A disk does one fsync after the other, so that the last one tells of all.
            let last = stretch.len().saturating_sub(1);
            for (at, (file, _)) in stretch.iter().enumerate() {
                let up_to = if at == last { end } else { 0 };
                self.buffer.syncing += 1;
                ctx.fsync(journal_file(*file), Timer::Flushed(up_to).into());
            }
            self.buffer.busy = !direct;
        } else {
            self.note_stored(end, ctx);
        }
        self.plan_flush(ctx);
    }

    /// The storage has what was flushed.
    pub(super) fn remote_written(&mut self, end: u64, ctx: &mut Context<'_, Message>) {
        self.buffer.written = end;
        self.buffer.busy = false;
        self.touched.note(Touch::Synced(end));
        self.note_stored(end, ctx);
        self.plan_flush(ctx);
        self.stop_if_done(ctx);
    }

    /// An fsync is through.
    pub(super) fn flushed(&mut self, end: u64, ctx: &mut Context<'_, Message>) {
        self.buffer.syncing = self.buffer.syncing.saturating_sub(1);
        if end == 0 {
            return;
        }
        self.buffer.busy = false;
        self.touched.note(Touch::Synced(end));
        self.note_stored(end, ctx);
        self.plan_flush(ctx);
        self.stop_if_done(ctx);
    }

    pub(super) fn note_stored(&mut self, end: u64, ctx: &mut Context<'_, Message>) {
        self.buffer.stored = self.buffer.stored.max(end);
        self.release_all(ctx);
        self.answer_from_disk(ctx);
    }

    /// The disk takes nothing more: that is an I/O error as well.
    fn disk_full(&mut self, ctx: &mut Context<'_, Message>) {
        self.tell(event::DISK_FULL, None, (None, 0), ctx);
        self.io_error(ctx);
    }

    /// `ActiveMQIOErrorListener.onIOException`: the broker stops, and nobody is answered.
    pub(super) fn io_error(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.config.has(Rule::StopOnIoError) || self.phase == Phase::Stopping {
            return;
        }
        self.tell(event::IO_ERROR, None, (None, 0), ctx);
        self.phase = Phase::Stopping;
        ctx.exit();
    }

    /// Files that nothing needs are deleted.
    pub(super) fn cleanup(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(CLEANUP, Lane::MAIN, Timer::Cleanup.into());
        if self.buffer.written < self.journal.last_start() {
            return;
        }
        if self.is_synchronizing() {
            return;
        }
        let gone = if self.storage().is_some() {
            self.collect_remote(ctx)
        } else {
            let gone = self.journal.collect();
            for (file, length) in &gone {
                ctx.release(journal_file(*file), *length);
            }
            gone
        };
        if !gone.is_empty() {
            self.tell(event::FILES_DELETED, None, (None, gone.len() as u64), ctx);
        }
    }
}

/// How often files that nothing needs are looked for: the journal does when it begins a new file.
pub(super) const CLEANUP: crate::engine::Span = crate::engine::Span::from_secs(5);
