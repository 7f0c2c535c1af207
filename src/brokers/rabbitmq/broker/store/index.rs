//! What a queue writes: its index, and with version 2 its own store.
//!
//! Version 1 appends every publish, delivery and acknowledgement to a journal, first in the
//! process's buffer. A sync writes the buffer and fsyncs the journal. When the journal has its
//! entries it is folded: what it says of messages that still exist goes to segment files, which are
//! fsynced, and the journal begins anew (rabbit_queue_index.erl).
//!
//! Version 2 buffers entries and messages apart, and a sync writes both
//! (rabbit_classic_queue_index_v2.erl, rabbit_classic_queue_store_v2.erl).

use std::collections::VecDeque;

use crate::observe::MessageRange;
use crate::world::{Context, DiskError, FileId};

use super::super::super::message::{Message, QueueSeq};
use super::super::super::rules::Rule;
use super::queue::{Place, Request};
use super::{
    BackingQueue, DueConfirm, Layout, NeedsSync, QueueVersion, Record, SEGMENT_ACK_BYTES,
    SEGMENT_ENTRIES, State, V2_STORE_BUFFER, body_bytes,
};

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// There was nothing to write, and nothing to wait for.
    Nothing,
    /// A buffer was emptied. No confirm goes by that.
    Aside,
    /// All is in the page cache, which is as safe as it has to be.
    Cached,
    /// [`BackingQueue::next_fsync`] says what to fsync; then it is as safe as it has to be.
    Sync,
}

/// One segment of the queue's numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Segment {
    /// Messages of it that have a record and are not settled.
    live: u64,
    /// What it takes in each of the queue's files.
    index_bytes: u64,
    store_bytes: u64,
}

/// A fold under way: what it has written begins here in the segments' log, and holds this record of
/// all messages before `upto`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    pub(super) start: u64,
    pub(super) upto: QueueSeq,
}

/// What the index of one queue has in its buffers and files.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Records that are not written yet, in order.
    pub(super) publishes: VecDeque<QueueSeq>,
    pub(super) acks: Vec<QueueSeq>,
    /// Records of deliveries that are not written yet.
    deliveries: u64,
    /// Messages for the queue's own store that are not written yet, and their bytes (v2).
    bodies: VecDeque<QueueSeq>,
    body_bytes: u64,
    /// Acknowledgements that are written, with the ends of their records, not yet durable.
    pub(super) written_acks: VecDeque<(QueueSeq, u64)>,
    /// Bytes of the index's file, and how many of them were fsynced.
    pub(super) written: u64,
    pub(super) durable: u64,
    /// Bytes of the segments' or the store's file.
    pub(super) segment_bytes: u64,
    /// Entries of the journal since it was folded.
    pub(super) dirty: u64,
    /// Every record before this number is in a segment.
    pub(super) folded: QueueSeq,
    pub(super) folding: Option<Fold>,
    /// Records before this number are in the last write.
    write_upto: QueueSeq,
    /// The records of all messages before this number are as safe as they have to be.
    pub(super) confirmed: QueueSeq,
    /// Files that are to be fsynced still: the segments', the index's.
    segment_fsyncs: u64,
    index_fsyncs: u64,
    segments: VecDeque<Segment>,
    first_segment: u64,
}

impl Index {
    fn segment(&mut self, id: QueueSeq) -> &mut Segment {
        let number = id / SEGMENT_ENTRIES;
        if self.segments.is_empty() {
            self.first_segment = number;
        }
        while number < self.first_segment {
            self.segments.push_front(Segment::default());
            self.first_segment -= 1;
        }
        let at = (number - self.first_segment) as usize;
        while self.segments.len() <= at {
            self.segments.push_back(Segment::default());
        }
        &mut self.segments[at]
    }

    /// What a new process finds: files of these lengths, and nothing in buffers.
    pub(super) fn reopened(self, written: u64, segment_bytes: u64, dirty: u64) -> Index {
        Index {
            written,
            durable: self.durable.min(written),
            segment_bytes,
            dirty,
            folded: self.folded,
            segments: self.segments,
            first_segment: self.first_segment,
            ..Index::default()
        }
    }

    /// The same files, in which nothing counts any more.
    pub(super) fn emptied(&self) -> Index {
        Index {
            written: self.written,
            durable: self.durable,
            segment_bytes: self.segment_bytes,
            ..Index::default()
        }
    }

    /// Bytes of the index's files.
    pub(super) fn bytes(&self, layout: &Layout) -> u64 {
        let segments = self.segments.iter().map(|segment| segment.index_bytes).sum();
        match layout.version {
            QueueVersion::V1 => self.written + segments,
            QueueVersion::V2 => segments,
        }
    }

    /// What recovery has found: which messages have records.
    pub(super) fn count_again(&mut self, ids: impl Iterator<Item = QueueSeq>) {
        for segment in &mut self.segments {
            segment.live = 0;
        }
        for id in ids {
            self.segment(id).live += 1;
        }
    }
}

impl BackingQueue {
    /// A persistent message was appended: its record goes into the buffer.
    pub(super) fn note_publish(&mut self, id: QueueSeq, message: MessageRange, place: Place) {
        let delivered_too = self.layout.rules.has(Rule::DeliveredWithPublish);
        let index = &mut self.index;
        index.publishes.push_back(id);
        index.dirty += 1 + u64::from(delivered_too);
        index.segment(id).live += 1;
        if place == Place::Queue {
            index.bodies.push_back(id);
            index.body_bytes += body_bytes(message);
        }
    }

    /// A message is handed to a consumer. Until 3.9 the journal notes that.
    pub(super) fn note_delivery(&mut self, id: QueueSeq, record: Record, redelivered: bool) {
        self.next_deliver = self.next_deliver.max(id + 1);
        let noted = record != Record::None && !redelivered;
        if noted
            && self.layout.version == QueueVersion::V1
            && !self.layout.rules.has(Rule::DeliveredWithPublish)
        {
            self.index.deliveries += 1;
            self.index.dirty += 1;
        }
    }

    /// A persistent message is settled: that is a record too, unless its own was never written.
    pub(super) fn note_settlement(
        &mut self,
        ctx: &mut Context<'_, Message>,
        id: QueueSeq,
        at: usize,
    ) {
        let entry = &mut self.entries[at];
        let (record, place, body) = (entry.record, entry.place, entry.body);
        self.index.dirty += 1;
        match record {
            // Published and settled within one flush interval: never touches the disk.
            Record::Buffered => {
                entry.record = Record::None;
                if place == Place::Queue && body == 0 {
                    self.index.body_bytes -= body_bytes(entry.message);
                }
            }
            Record::Written | Record::Segment
                if !self.layout.rules.has(Rule::AcksFlushedLazily) =>
            {
                entry.record = Record::None;
            }
            Record::Written | Record::Segment => self.index.acks.push(id),
            Record::None => {}
        }
        if place == Place::Shared && body != 0 {
            self.requests.push(Request::Remove(body));
        }
        let segment = self.index.segment(id);
        segment.live -= 1;
        if segment.live == 0 && self.layout.version == QueueVersion::V2 {
            // rabbit_classic_queue_index_v2.erl `update_ack_state`: its files are deleted at once.
            self.delete_segment(ctx, id / SEGMENT_ENTRIES);
        }
    }

    /// Nothing of a segment is needed any more: what is on the disk of it is deleted.
    fn delete_segment(&mut self, ctx: &mut Context<'_, Message>, number: u64) {
        let first = number * SEGMENT_ENTRIES;
        let end = first + SEGMENT_ENTRIES;
        let segment = std::mem::take(self.index.segment(first));
        let (index_file, segment_file) = (self.layout.index, self.layout.segments);
        match self.layout.version {
            QueueVersion::V1 => ctx.release(segment_file, segment.index_bytes),
            QueueVersion::V2 => {
                ctx.release(index_file, segment.index_bytes);
                ctx.release(segment_file, segment.store_bytes);
            }
        }
        let from = first.max(self.base);
        for id in from..end.min(self.next_id()) {
            let entry = &mut self.entries[(id - self.base) as usize];
            if entry.state == State::Gone {
                entry.record = Record::None;
            }
        }
        let other = |id: QueueSeq| id < first || id >= end;
        self.index.acks.retain(|id| other(*id));
        self.index.written_acks.retain(|(id, _)| other(*id));
    }

    /// Whether and when the buffers should be flushed.
    #[must_use]
    pub fn needs_sync(&self) -> NeedsSync {
        let last = self.unconfirmed.back();
        if last.is_some_and(|waiting| waiting.id >= self.index.confirmed) {
            return NeedsSync::Soon;
        }
        let lazily = self.layout.rules.has(Rule::LazyFlushWithoutConfirms);
        match self.layout.version {
            _ if !self.has_buffered() => NeedsSync::No,
            _ if !lazily => NeedsSync::Soon,
            QueueVersion::V1 => NeedsSync::WhenIdleLong,
            QueueVersion::V2 => NeedsSync::No,
        }
    }

    fn has_buffered(&self) -> bool {
        let index = &self.index;
        !index.publishes.is_empty() || !index.acks.is_empty() || index.deliveries > 0
    }

    /// Whether there is something for the process to flush before it hibernates.
    #[must_use]
    pub fn flushes_to_hibernate(&self) -> bool {
        match self.layout.version {
            QueueVersion::V1 => self.index.dirty > 0,
            QueueVersion::V2 => self.has_buffered(),
        }
    }

    /// Whether the journal has its entries (rabbit_queue_index.erl: `maybe_flush_journal`), or a
    /// buffer of version 2 its size (rabbit_classic_queue_index_v2.erl and
    /// rabbit_classic_queue_store_v2.erl: `maybe_flush_buffer`).
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        let index = &self.index;
        match self.layout.version {
            QueueVersion::V1 => index.dirty > self.layout.max_journal_entries,
            QueueVersion::V2 => {
                index.acks.len() as u64 >= SEGMENT_ENTRIES / 2
                    || index.publishes.len() as u64 >= SEGMENT_ENTRIES
                    || index.body_bytes >= V2_STORE_BUFFER
            }
        }
    }

    /// Empties what is full, whoever waits.
    ///
    /// # Errors
    /// The disk is full: everything stays as it is.
    pub fn relieve(&mut self, ctx: &mut Context<'_, Message>) -> Result<Written, DiskError> {
        if self.layout.version == QueueVersion::V1 {
            return self.fold(ctx);
        }
        if self.index.body_bytes >= V2_STORE_BUFFER {
            self.write_bodies(ctx)?;
        }
        if self.index.publishes.len() as u64 >= SEGMENT_ENTRIES {
            self.write_bodies(ctx)?;
            self.write_records(ctx)?;
        } else if self.index.acks.len() as u64 >= SEGMENT_ENTRIES / 2 {
            self.write_acks(ctx)?;
        }
        Ok(Written::Aside)
    }

    /// Writes the buffers to the operating system.
    ///
    /// # Errors
    /// The disk is full: what was not written stays in its buffer.
    pub fn write_buffer(&mut self, ctx: &mut Context<'_, Message>) -> Result<Written, DiskError> {
        let stored = self.write_bodies(ctx)?;
        let recorded = self.write_records(ctx)?;
        self.index.write_upto = self.next_id();
        if !stored && !recorded {
            return Ok(Written::Nothing);
        }
        if !self.layout.fsyncs() {
            return Ok(Written::Cached);
        }
        self.index.index_fsyncs = 1;
        self.index.segment_fsyncs = u64::from(stored);
        Ok(Written::Sync)
    }

    /// The process ends in order: everything is written and fsynced
    /// (rabbit_queue_index.erl, rabbit_classic_queue_index_v2.erl,
    /// rabbit_classic_queue_store_v2.erl: `terminate`).
    ///
    /// # Errors
    /// The disk is full: what was not written stays in its buffer.
    pub fn close(&mut self, ctx: &mut Context<'_, Message>) -> Result<Written, DiskError> {
        let written = self.write_buffer(ctx)?;
        let cached = self.index.written > self.index.durable && self.durable;
        if written == Written::Nothing && !cached {
            return Ok(Written::Nothing);
        }
        self.index.index_fsyncs = 1;
        self.index.segment_fsyncs = u64::from(self.layout.version == QueueVersion::V2);
        Ok(Written::Sync)
    }

    /// The process hibernates, or opens its files: the journal is folded, or the buffers of version
    /// 2 are written.
    ///
    /// # Errors
    /// The disk is full: everything stays as it is.
    pub fn hibernate(&mut self, ctx: &mut Context<'_, Message>) -> Result<Written, DiskError> {
        match self.layout.version {
            QueueVersion::V1 => self.fold(ctx),
            QueueVersion::V2 => self.write_buffer(ctx),
        }
    }

    /// Appends the bodies in the buffer to the queue's own store.
    fn write_bodies(&mut self, ctx: &mut Context<'_, Message>) -> Result<bool, DiskError> {
        let bytes = self.index.body_bytes;
        if bytes > 0 {
            ctx.write(self.layout.segments, bytes)?;
        }
        while let Some(id) = self.index.bodies.pop_front() {
            let Some(at) = self.index_of(id) else { continue };
            let entry = &mut self.entries[at];
            if entry.record == Record::Buffered {
                let size = body_bytes(entry.message);
                self.index.segment_bytes += size;
                entry.body = self.index.segment_bytes;
                self.index.segment(id).store_bytes += size;
            }
        }
        self.index.body_bytes = 0;
        Ok(bytes > 0)
    }

    /// Appends the records in the buffer to the index's file.
    fn write_records(&mut self, ctx: &mut Context<'_, Message>) -> Result<bool, DiskError> {
        let layout = self.layout;
        let mut bytes = self.index.acks.len() as u64 * layout.ack_bytes();
        bytes += self.index.deliveries * layout.ack_bytes();
        for &id in &self.index.publishes {
            if let Some(at) = self.index_of(id)
                && self.entries[at].record == Record::Buffered
            {
                bytes += layout.record_bytes(self.entries[at].message);
            }
        }
        if bytes > 0 {
            ctx.write(layout.index, bytes)?;
        }
        while let Some(id) = self.index.publishes.pop_front() {
            let Some(at) = self.index_of(id) else { continue };
            let entry = &mut self.entries[at];
            if entry.record == Record::Buffered {
                let size = layout.record_bytes(entry.message);
                self.index.written += size;
                entry.offset = self.index.written;
                entry.record = Record::Written;
                if layout.version == QueueVersion::V2 {
                    self.index.segment(id).index_bytes += size;
                }
            }
        }
        self.index.written += std::mem::take(&mut self.index.deliveries) * layout.ack_bytes();
        self.note_written_acks(ctx);
        Ok(bytes > 0)
    }

    fn write_acks(&mut self, ctx: &mut Context<'_, Message>) -> Result<(), DiskError> {
        ctx.write(self.layout.index, self.index.acks.len() as u64 * self.layout.ack_bytes())?;
        self.note_written_acks(ctx);
        Ok(())
    }

    fn note_written_acks(&mut self, ctx: &mut Context<'_, Message>) {
        let size = self.layout.ack_bytes();
        if self.layout.version == QueueVersion::V2 {
            // They take the places of the entries that they settle.
            ctx.release(self.layout.index, size * self.index.acks.len() as u64);
        }
        for id in self.index.acks.drain(..) {
            self.index.written += size;
            self.index.written_acks.push_back((id, self.index.written));
        }
    }

    /// The file to be fsynced next, if what was written is not safe yet.
    pub fn next_fsync(&mut self) -> Option<FileId> {
        if self.index.segment_fsyncs > 0 {
            self.index.segment_fsyncs -= 1;
            return Some(self.layout.segments);
        }
        if self.index.index_fsyncs > 0 {
            self.index.index_fsyncs -= 1;
            return Some(self.layout.index);
        }
        None
    }

    /// All that was written is as safe as it has to be: hands every confirm that waited for it to
    /// `due`.
    pub fn synced(
        &mut self,
        ctx: &mut Context<'_, Message>,
        fsynced: bool,
        due: &mut Vec<DueConfirm>,
    ) {
        if self.index.folding.is_some() {
            self.folded(ctx);
        } else if fsynced {
            self.index.durable = self.index.written;
            while let Some((id, _)) = self.index.written_acks.pop_front() {
                if let Some(at) = self.index_of(id) {
                    self.entries[at].record = Record::None;
                }
            }
        }
        self.confirm_records(self.index.write_upto, due);
        self.forget_settled_front();
    }

    /// rabbit_queue_index.erl `flush_journal`: what the journal says of messages that exist goes to
    /// their segments, file by file; segments without any are deleted.
    fn fold(&mut self, ctx: &mut Context<'_, Message>) -> Result<Written, DiskError> {
        let layout = self.layout;
        let upto = self.next_id();
        let mut touched = Vec::new();
        let mut touch = |number: u64, size: u64| match touched.last_mut() {
            Some((last, bytes)) if *last == number => *bytes += size,
            _ => touched.push((number, size)),
        };
        for id in self.index.acks.iter().chain(self.index.written_acks.iter().map(|(id, _)| id)) {
            let folded = self.index_of(*id).map(|at| self.entries[at].record);
            if folded == Some(Record::Segment) {
                touch(id / SEGMENT_ENTRIES, SEGMENT_ACK_BYTES);
            }
        }
        for id in self.index.folded.max(self.base)..upto {
            let entry = &self.entries[(id - self.base) as usize];
            if is_folded(entry.state, entry.record) {
                touch(id / SEGMENT_ENTRIES, layout.record_bytes(entry.message));
            }
        }
        touched.sort_unstable();
        let mut files = 0;
        let mut bytes = 0;
        for same in touched.chunk_by(|a, b| a.0 == b.0) {
            let segment = self.index.segment(same[0].0 * SEGMENT_ENTRIES);
            if segment.live > 0 {
                files += 1;
                bytes += same.iter().map(|(_, size)| size).sum::<u64>();
            }
        }
        if bytes > 0 {
            ctx.write(layout.segments, bytes)?;
        }
        for same in touched.chunk_by(|a, b| a.0 == b.0) {
            let segment = self.index.segment(same[0].0 * SEGMENT_ENTRIES);
            if segment.live > 0 {
                segment.index_bytes += same.iter().map(|(_, size)| size).sum::<u64>();
            }
        }
        self.index.folding = Some(Fold { start: self.index.segment_bytes, upto });
        self.index.segment_bytes += bytes;
        self.index.write_upto = upto;
        self.index.segment_fsyncs = if layout.fsyncs() { files } else { 0 };
        Ok(match self.index.segment_fsyncs {
            0 => Written::Nothing,
            _ => Written::Sync,
        })
    }

    /// The segments are safe: the journal begins anew.
    fn folded(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(fold) = self.index.folding.take() else { return };
        let mut end = fold.start;
        for id in self.index.folded.max(self.base)..fold.upto {
            let at = (id - self.base) as usize;
            let entry = &mut self.entries[at];
            if is_folded(entry.state, entry.record) {
                end += self.layout.record_bytes(entry.message);
                entry.record = Record::Segment;
                entry.offset = end;
            } else if entry.record != Record::Segment {
                entry.record = Record::None;
            }
        }
        let acks = std::mem::take(&mut self.index.acks);
        let written = std::mem::take(&mut self.index.written_acks);
        for id in acks.into_iter().chain(written.into_iter().map(|(id, _)| id)) {
            if let Some(at) = self.index_of(id) {
                self.entries[at].record = Record::None;
            }
        }
        ctx.truncate(self.layout.index, 0);
        let index = &mut self.index;
        (index.written, index.durable, index.dirty, index.deliveries) = (0, 0, 0, 0);
        index.publishes.clear();
        index.folded = fold.upto;
        let first = index.first_segment;
        let empty = |(_, segment): &(u64, &Segment)| segment.live == 0 && segment.index_bytes > 0;
        let deleted: Vec<u64> =
            (first..).zip(&index.segments).filter(empty).map(|(number, _)| number).collect();
        for number in deleted {
            self.delete_segment(ctx, number);
        }
        while self.index.segments.front().is_some_and(|s| s.live == 0 && s.index_bytes == 0) {
            self.index.segments.pop_front();
            self.index.first_segment += 1;
        }
    }

    /// Its files are emptied, if that is due.
    pub(super) fn erase(&mut self, ctx: &mut Context<'_, Message>) {
        if std::mem::take(&mut self.erase) {
            ctx.truncate(self.layout.index, 0);
            ctx.truncate(self.layout.segments, 0);
            (self.index.written, self.index.durable, self.index.segment_bytes) = (0, 0, 0);
        }
    }
}

/// Whether a fold writes the record of a message to its segment.
pub(super) fn is_folded(state: State, record: Record) -> bool {
    state != State::Gone && matches!(record, Record::Buffered | Record::Written)
}
