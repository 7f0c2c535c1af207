//! The CommitLog: the records of all topics, one after the other, in segments.

use std::collections::VecDeque;

use super::super::config::QueueId;
use super::super::message::Back;
use crate::engine::Time;
use crate::observe::{MessageRange, ProducerId};

/// What is left of a segment at its end takes at least so many bytes (`END_FILE_MIN_BLANK_LENGTH`).
const LEAST_PADDING: u64 = 8;

/// The queue of a record that only fills a segment up (`BLANK_MAGIC_CODE`).
const PADDING: QueueId = crate::brokers::kit::streams::PartitionId(u32::MAX);

/// The group of a message that is every group's.
const EVERY_GROUP: u16 = u16::MAX;

/// What is to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The queue.
    pub queue: QueueId,
    /// The message.
    pub message: MessageRange,
    /// Whether a consumer has sent it back, and for which group.
    pub back: Option<Back>,
    /// When, by the wall clock of the broker (`storeTimestamp`).
    pub stored: Time,
}

/// A message in the CommitLog, or what fills up the end of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it begins: its physical offset.
    pub at: u64,
    /// Its offset in its queue.
    pub offset: u64,
    /// Its queue.
    pub queue: QueueId,
    /// Whose message it is, which one, and how large its body is.
    stream: ProducerId,
    number: u32,
    payload: u32,
    /// Bytes of the record.
    bytes: u32,
    /// When it was stored, by the wall clock of the master (`storeTimestamp`).
    pub stored: Time,
    /// The group that it was sent back for.
    group: u16,
    /// How often its application has failed (`reconsumeTimes`).
    pub times: u8,
}

impl Record {
    /// A message in so many bytes, at a position and with an offset in its queue.
    #[must_use]
    pub fn of(entry: &Entry, (at, offset): (u64, u64), bytes: u32) -> Record {
        let Entry { queue, message, back, stored } = *entry;
        Record {
            stored,
            group: back.map_or(EVERY_GROUP, |back| back.group),
            times: back.map_or(0, |back| back.times),
            at,
            offset,
            queue,
            stream: message.producer,
            number: message.first,
            payload: message.bytes,
            bytes,
        }
    }

    /// The consumer group whose message it is, after that has sent it back; none if it is that of
    /// all.
    #[must_use]
    pub fn group(&self) -> Option<u32> {
        (self.group != EVERY_GROUP).then_some(u32::from(self.group))
    }

    /// Where the next one begins.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.at + self.bytes as u64
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> MessageRange {
        let (producer, first, bytes) = (self.stream, self.number, self.payload);
        MessageRange { producer, first, count: 1, bytes }
    }

    /// Whether it is no message.
    #[must_use]
    pub fn is_padding(&self) -> bool {
        self.queue == PADDING
    }
}

/// A CommitLog. The last record may be incomplete: bytes of it were pushed by a master, or are left
/// after a loss of power. Between two records there may be bytes that are none: what a master pushed
/// from the middle of one.
#[derive(Clone, Debug)]
pub struct CommitLog {
    records: VecDeque<Record>,
    /// The position of its first byte ever: where its file begins.
    base: u64,
    start: u64,
    end: u64,
    /// Up to where the records follow one another; the last of them may be incomplete.
    sound: u64,
    segment: u64,
}

impl CommitLog {
    /// An empty one with segments of this size.
    #[must_use]
    pub const fn new(segment: u64) -> CommitLog {
        CommitLog { records: VecDeque::new(), base: 0, start: 0, end: 0, sound: 0, segment }
    }

    /// Where it begins (`minOffset`).
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The position of the first byte that it has ever had: what its file's first one is.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// Where it ends (`maxOffset`).
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Where its last segment begins.
    #[must_use]
    pub const fn last_segment(&self) -> u64 {
        self.end - self.end % self.segment
    }

    /// The bytes that fill the last segment up if a record of so many does not fit there.
    #[must_use]
    pub const fn padding_before(&self, bytes: u32) -> u64 {
        let left = self.segment - self.end % self.segment;
        if bytes as u64 + LEAST_PADDING > left { left } else { 0 }
    }

    /// Appends a message.
    pub(super) fn append(&mut self, entry: &Entry, offset: u64, bytes: u32) -> Record {
        debug_assert_eq!(entry.message.count, 1, "messages are sent one by one");
        let padding = self.padding_before(bytes);
        if padding > 0 {
            self.put(&Entry { queue: PADDING, back: None, ..*entry }, 0, padding as u32);
        }
        self.put(entry, offset, bytes)
    }

    fn put(&mut self, entry: &Entry, offset: u64, bytes: u32) -> Record {
        let record = Record::of(entry, (self.end, offset), bytes);
        self.records.push_back(record);
        (self.end, self.sound) = (record.end(), record.end());
        record
    }

    /// Takes bytes as they are pushed: from a position, so many, and the records that begin in them;
    /// tells `complete` of those that are complete now and can be found. An empty log begins there.
    pub fn push(
        &mut self,
        from: u64,
        bytes: u32,
        records: &[Record],
        mut complete: impl FnMut(Record),
    ) {
        if self.end == 0 {
            (self.base, self.start, self.end, self.sound) = (from, from, from, from);
        }
        debug_assert_eq!(from, self.end, "bytes follow one another");
        let before = self.end;
        self.end += u64::from(bytes);
        if let Some(last) = self.records.back().filter(|last| last.end() == self.sound)
            && last.end() > before
            && last.end() <= self.end
        {
            complete(*last);
        }
        for record in records {
            if record.at == self.sound {
                self.sound = record.end();
                if self.sound <= self.end {
                    complete(*record);
                }
            }
            self.records.push_back(*record);
        }
    }

    /// The first record that begins at or after a position.
    fn index_from(&self, position: u64) -> usize {
        if self.records.back().is_none_or(|last| last.at < position) {
            return self.records.len();
        }
        self.records.partition_point(|record| record.at < position)
    }

    /// The record that begins at a position.
    #[must_use]
    pub fn at(&self, position: u64) -> Option<Record> {
        let record = self.records.get(self.index_from(position))?;
        (record.at == position).then_some(*record)
    }

    /// Whether it has this record, and whole.
    #[must_use]
    pub fn has(&self, record: &Record) -> bool {
        self.at(record.at) == Some(*record) && record.end() <= self.sound.min(self.end)
    }

    /// The last record that is whole and ends at or before a position.
    #[must_use]
    pub fn before(&self, position: u64) -> Option<Record> {
        let upto = position.min(self.sound).min(self.end);
        let behind = self.records.partition_point(|record| record.end() <= upto);
        self.records.get(behind.checked_sub(1)?).copied()
    }

    /// The records that begin in a part of it.
    #[must_use]
    pub fn beginning_in(&self, from: u64, to: u64) -> Vec<Record> {
        let records = self.records.range(self.index_from(from)..);
        records.take_while(|record| record.at < to).copied().collect()
    }

    /// Where the first thing is that is no whole record, looked at from the record at `from` on.
    #[must_use]
    pub fn valid_end(&self, from: u64) -> u64 {
        let mut position = from;
        for record in self.records.range(self.index_from(from)..) {
            if record.at != position || record.end() > self.end {
                break;
            }
            position = record.end();
        }
        position
    }

    /// The end of its first segment, and when something was last stored in that; none if it is the last
    /// segment, too.
    #[must_use]
    pub fn first_segment(&self) -> Option<(u64, Time)> {
        let end = self.start - self.start % self.segment + self.segment;
        let behind = self.records.partition_point(|record| record.at < end);
        let last = self.records.get(behind.checked_sub(1)?)?;
        (end <= self.last_segment()).then_some((end, last.stored))
    }

    /// What is before a position is deleted; tells `removed` of those that could be found.
    pub(super) fn delete_before(&mut self, to: u64, mut removed: impl FnMut(Record)) {
        while let Some(first) = self.records.front().filter(|first| first.at < to) {
            if first.end() <= self.sound {
                removed(*first);
            }
            self.records.pop_front();
        }
        self.start = self.start.max(to);
    }

    /// Bytes behind a position are gone, with no regard to records; tells `removed` of those that
    /// could be found. Of a record that is cut through bytes are left, which are none.
    pub(super) fn cut(&mut self, to: u64, mut removed: impl FnMut(Record)) {
        while let Some(last) = self.records.back()
            && last.end() > to
        {
            if last.end() <= self.sound && last.end() <= self.end {
                removed(*last);
            }
            self.records.pop_back();
        }
        let last = self.records.back().map_or(self.start, Record::end);
        self.end = self.end.min(to);
        self.sound = self.sound.min(last).min(self.end);
    }

    /// The beginning of the last segment at or before a position that begins with a record: where a
    /// recovery begins (`isMappedFileMatchedRecover`).
    #[must_use]
    pub fn recovered_from(&self, position: u64) -> u64 {
        let mut begin = position - position % self.segment;
        while begin > self.start && self.at(begin).is_none() {
            begin = begin.saturating_sub(self.segment);
        }
        begin.max(self.start)
    }

    /// Everything is gone.
    pub(super) fn clear(&mut self, removed: impl FnMut(Record)) {
        let known = self.sound.min(self.end);
        self.records.drain(..).filter(|record| record.end() <= known).for_each(removed);
        *self = CommitLog::new(self.segment);
    }
}
