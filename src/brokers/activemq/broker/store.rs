//! The store (`KahaDBStore`, `DataFileAppender`): an executor that stores messages one after the other
//! while they are dispatched, and the writer of the journal, who takes what waits.

use std::collections::VecDeque;

use crate::world::{Context, DiskError, Lane};

use super::super::config::SyncStrategy;
use super::super::invariants::Touch;
use super::super::message::{Append, Jms, Message, Timer};
use super::super::rules::Rule;
use super::super::store::{Op, Record};
use super::super::words::event;
use super::{Broker, INDEX, Phase, Stage, journal_file};

/// Bytes of a record of a message beside the message, and of one without (protocol buffers, with the
/// header of its location).
const RECORD: u32 = 120;
/// A page of the index.
const PAGE: u64 = 4096;

/// What is done when a record is in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// The executor goes on.
    Task(u32),
    /// A connection that has stored its own message goes on.
    Inline(u32),
    /// A transaction is committed.
    Commit(u32),
    /// The index follows.
    Checkpoint,
}

/// A record that is to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    record: Record,
    bytes: u32,
    /// Whether anybody waits for it.
    waits: bool,
    then: Then,
}

impl Write {
    pub(super) const fn new(record: Record, waits: bool, then: Then) -> Write {
        let body = if matches!(record.op, Op::Add) { record.message.bytes() } else { 0 };
        Write { record, bytes: RECORD.saturating_add(body), waits, then }
    }
}

/// The writer of the journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer {
    queue: VecDeque<Write>,
    /// What it has taken.
    batch: Vec<Write>,
    /// A file that is left and fsynced before the next one is.
    left: Option<(u32, u64)>,
    running: bool,
}

impl Writer {
    pub(super) const fn is_busy(&self) -> bool {
        self.running
    }

    pub(super) fn forget(&mut self) {
        *self = Writer::default();
    }
}

/// The executor of `concurrentStoreAndDispatchQueues`.
#[derive(Clone, Debug, Default)]
pub(super) struct Executor {
    /// Messages by their entries and serials; cancelled ones are still there.
    tasks: VecDeque<(u32, u64)>,
    cancelled: usize,
    running: bool,
}

impl Executor {
    pub(super) fn waiting(&self) -> usize {
        self.tasks.len().saturating_sub(self.cancelled)
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.running
    }

    pub(super) fn cancelled(&mut self) {
        self.cancelled += 1;
    }

    pub(super) fn forget(&mut self) {
        *self = Executor::default();
    }
}

impl Broker {
    /// Whether what is waited for is fsynced before it is answered.
    pub(super) fn awaits_syncs(&self) -> bool {
        self.config.settings.strategy == SyncStrategy::Always
    }

    pub(super) fn queue_task(&mut self, entry: u32, ctx: &mut Context<'_, Message>) {
        self.entries[entry].stage = Stage::Queued;
        self.executor.tasks.push_back((entry, self.entries[entry].serial));
        self.wake_executor(ctx);
    }

    fn wake_executor(&mut self, ctx: &mut Context<'_, Message>) {
        if !std::mem::replace(&mut self.executor.running, true) {
            ctx.tell(self.lanes.store, Timer::StoreTask.into());
        }
    }

    /// `StoreQueueTask.run`, on the executor's lane.
    pub(super) fn store_task(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some((entry, serial)) = self.executor.tasks.pop_front() {
            let own = self.entries.get(entry).filter(|own| own.serial == serial);
            if own.is_none_or(|own| own.stage != Stage::Queued) {
                self.executor.cancelled = self.executor.cancelled.saturating_sub(1);
                continue;
            }
            ctx.spend(self.config.costs.store);
            let waits = self.store_entry(entry, Then::Task(entry), ctx);
            if !waits {
                ctx.tell(self.lanes.store, Timer::StoreTask.into());
            }
            return self.space(ctx);
        }
        self.executor.running = false;
    }

    /// Gives a record to the writer. Where nobody waits for the disk, it is done as soon as it is given.
    pub(super) fn enqueue(&mut self, write: Write, ctx: &mut Context<'_, Message>) {
        self.dirty |= write.record.op != Op::Audit;
        let then = write.then;
        let queued = Write { then: if write.waits { then } else { Then::Nothing }, ..write };
        self.writer.queue.push_back(queued);
        if !std::mem::replace(&mut self.writer.running, true) {
            ctx.tell(self.lanes.writer, Timer::Write.into());
        }
        if !write.waits {
            self.then(then, true, ctx);
        }
    }

    /// `DataFileAppender.processQueue`: writes what waits as one batch, and fsyncs if any of it asks
    /// for that. On the writer's lane.
    pub(super) fn write(&mut self, ctx: &mut Context<'_, Message>) {
        let most =
            if self.config.has(Rule::BatchWrites) { self.config.settings.batch_length } else { 1 };
        let mut bytes = 0;
        while let Some(next) = self.writer.queue.front()
            && (bytes == 0 || bytes + u64::from(next.bytes) <= most)
        {
            bytes += u64::from(next.bytes);
            self.writer.batch.extend(self.writer.queue.pop_front());
        }
        if bytes == 0 {
            self.writer.running = false;
            return self.stop_if_done(ctx);
        }
        ctx.spend(self.config.costs.batch);
        let before = self.journal.tail();
        let file = self.journal.file_for(bytes);
        let syncs_left = match self.config.settings.strategy {
            SyncStrategy::Always => !self.config.has(Rule::LeaveFilesUnsynced),
            SyncStrategy::Periodic => true,
            SyncStrategy::Never => false,
        };
        let waits = self.writer.batch.iter().any(|write| write.waits);
        if self.remote.is_some() {
            let records: Vec<Record> = self.writer.batch.iter().map(|write| write.record).collect();
            let images = self.journal.images_of(&records);
            let at = if file == before.0 { before.1 } else { 0 };
            let sync = waits && self.config.has(Rule::SyncReplied);
            return self.write_remote(Append { file, at, bytes, sync, records, images }, ctx);
        }
        if file != before.0 && syncs_left {
            // `periodicSync`: a file that is left is fsynced.
            let (file, length) = before;
            ctx.fsync(journal_file(file), Timer::PeriodicSynced(file, length).into());
            self.writer.left = Some((file, length));
        }
        match ctx.write(journal_file(file), bytes) {
            Ok(()) => {}
            Err(DiskError::Full) if self.config.has(Rule::IgnoreNoSpace) => {
                return self.no_space(ctx);
            }
            Err(_) => return self.io_error(ctx),
        }
        self.apply_batch(bytes);
        if waits && self.config.has(Rule::SyncReplied) {
            ctx.fsync_blocking(journal_file(file), Timer::Written.into());
        } else {
            self.batch_done(true, ctx);
        }
    }

    /// The batch is in the journal.
    pub(super) fn apply_batch(&mut self, bytes: u64) {
        for Write { record, .. } in &self.writer.batch {
            if record.op == Op::Add && record.of == 0 && record.queue == record.message.origin {
                self.touched.note(Touch::Added(record.queue, record.message));
            }
        }
        let records = self.writer.batch.iter().map(|write| write.record);
        self.journal.append(records, bytes);
        self.since_checkpoint += bytes;
    }

    /// The fsync of a batch is through.
    pub(super) fn written(&mut self, ctx: &mut Context<'_, Message>) {
        // A disk does one fsync after the other.
        if let Some((file, length)) = self.writer.left.take() {
            self.note_synced(file, length);
        }
        let (file, length) = self.journal.tail();
        self.note_synced(file, length);
        self.batch_done(true, ctx);
    }

    pub(super) fn note_synced(&mut self, file: u32, length: u64) {
        self.touched.note(Touch::Synced(file, length));
    }

    pub(super) fn batch_done(&mut self, success: bool, ctx: &mut Context<'_, Message>) {
        for write in std::mem::take(&mut self.writer.batch) {
            self.then(write.then, success, ctx);
        }
        ctx.tell(self.lanes.writer, Timer::Write.into());
    }

    fn then(&mut self, then: Then, success: bool, ctx: &mut Context<'_, Message>) {
        match then {
            Then::Nothing => {}
            Then::Task(entry) => {
                let offers = success && !self.config.has(Rule::DispatchBeforeStore);
                if offers {
                    self.offer(entry, ctx);
                }
                let waited = self.entries[entry].awaited && self.awaits_syncs();
                self.stored(entry, success, ctx);
                if waited {
                    ctx.tell(self.lanes.store, Timer::StoreTask.into());
                }
            }
            Then::Inline(entry) => {
                if success {
                    self.offer(entry, ctx);
                }
                self.stored(entry, success, ctx);
            }
            Then::Commit(commit) => self.committed(commit, success, ctx),
            Then::Checkpoint => self.flush_index(ctx),
        }
    }

    /// The disk is full: whoever waits gets an exception, and the broker goes on.
    pub(super) fn no_space(&mut self, ctx: &mut Context<'_, Message>) {
        self.tell(event::NO_SPACE, None, (None, 0), ctx);
        self.batch_done(false, ctx);
    }

    /// `DefaultIOExceptionHandler`: the broker stops, and nobody is answered.
    pub(super) fn io_error(&mut self, ctx: &mut Context<'_, Message>) {
        self.tell(event::IO_ERROR, None, (None, 0), ctx);
        self.phase = Phase::Stopping;
        ctx.exit();
    }

    pub(super) fn periodic_sync(&mut self, ctx: &mut Context<'_, Message>) {
        let interval = self.config.settings.sync_interval;
        ctx.after(interval, Lane::MAIN, Timer::PeriodicSync.into());
        let (file, length) = self.journal.tail();
        if length > 0 {
            ctx.fsync(journal_file(file), Timer::PeriodicSynced(file, length).into());
        }
    }

    /// `checkpointUpdate`: what was stored last of each producer goes into the journal, and with it, if
    /// fsyncs are awaited at all, everything before it becomes durable; then the index is flushed.
    pub(super) fn checkpoint(&mut self, ctx: &mut Context<'_, Message>) {
        let interval = self.config.settings.checkpoint_interval;
        ctx.after(interval, Lane::MAIN, Timer::Checkpoint.into());
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let last: Option<Jms> = self.journal.records().last().map(|(_, record)| record.message);
        let Some(last) = last else { return };
        let record = self.journal.audit(last);
        self.enqueue(Write::new(record, self.awaits_syncs(), Then::Checkpoint), ctx);
    }

    /// Dirty pages go to `db.redo`, and then to their places in `db.data`.
    fn flush_index(&mut self, ctx: &mut Context<'_, Message>) {
        let pages = 1 + self.since_checkpoint / (1 << 20);
        self.since_checkpoint = 0;
        if self.remote.is_some() {
            return;
        }
        for _ in 0..2 {
            if ctx.write(INDEX, pages * PAGE).is_ok() {
                ctx.fsync(INDEX, Timer::IndexWritten(pages * PAGE).into());
            }
        }
    }

    pub(super) fn cleanup(&mut self, ctx: &mut Context<'_, Message>) {
        let interval = self.config.settings.cleanup_interval;
        ctx.after(interval, Lane::MAIN, Timer::Cleanup.into());
        let gone = self.journal.collect();
        for (file, length) in &gone {
            if self.remote.is_some() {
                self.delete_remote(*file, ctx);
            } else {
                ctx.release(journal_file(*file), *length);
            }
        }
        if !gone.is_empty() {
            self.tell(event::FILES_DELETED, None, (None, gone.len() as u64), ctx);
            self.space(ctx);
        }
    }
}
