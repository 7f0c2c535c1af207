//! A partition's log on its broker: segments, what is flushed, who holds its lock.

use std::collections::VecDeque;

use crate::brokers::kit::log::{Log, Piece};
use crate::engine::{Span, Time};
use crate::observe::MessageRange;
use crate::world::{FileId, Lane};

use super::super::super::PartitionId;
use super::super::message::{FetchError, MESSAGE_HEADER, OffsetTime, Part};

/// A segment file. Its end is the start of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The offset of its first byte, which names it.
    pub start: u64,
    /// When it was last written to (`file.lastModified`).
    pub modified: Time,
    /// When its first message was appended.
    pub first_append: Option<Time>,
}

/// A log. Offsets are bytes (`log/Log.scala` 0.7): a message's is where it begins in the file,
/// that of the next one is greater by its size.
#[derive(Clone, Debug)]
pub struct PartitionLog {
    /// Which partition it is.
    pub partition: PartitionId,
    /// Its messages.
    pub log: Log,
    /// Its segments, the last of which is written to; empty while there is no directory.
    pub segments: VecDeque<Segment>,
    /// Up to where it is flushed: the "high watermark".
    pub flushed: u64,
    /// Messages appended since.
    pub unflushed: u32,
    /// When it was last flushed (`lastflushedTime`).
    pub last_flush: Time,
    /// Who holds its lock while an fsync is under way, and up to where that flushes.
    pub locked: Option<(Lane, u64)>,
    /// Who waits for the lock.
    pub waiters: Vec<Lane>,
    /// After a loss of power: bytes of its file that are left.
    pub torn: Option<u64>,
}

impl PartitionLog {
    /// The log of a partition in this file; `exists` if it has a directory already.
    #[must_use]
    pub fn new(partition: PartitionId, file: FileId, exists: bool) -> PartitionLog {
        let mut log = PartitionLog {
            partition,
            log: Log::new(file),
            segments: VecDeque::new(),
            flushed: 0,
            unflushed: 0,
            last_flush: Time::ZERO,
            locked: None,
            waiters: Vec::new(),
            torn: None,
        };
        if exists {
            log.create(Time::ZERO);
        }
        log
    }

    /// Whether its directory exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        !self.segments.is_empty()
    }

    /// Its directory and first segment.
    pub fn create(&mut self, now: Time) {
        self.last_flush = now;
        self.segments.push_back(Segment {
            start: self.log.end(),
            modified: now,
            first_append: None,
        });
    }

    /// Appends messages; returns what came to the log.
    pub fn append(&mut self, messages: MessageRange, now: Time) -> Piece {
        let width = messages.bytes + MESSAGE_HEADER;
        let piece = Piece {
            base: self.log.end(),
            messages,
            epoch: 0,
            width,
            bytes: Part { partition: self.partition, messages }.bytes(),
            whole: false,
        };
        self.log.append(piece);
        self.unflushed += messages.count;
        if let Some(last) = self.segments.back_mut() {
            last.modified = now;
            last.first_append.get_or_insert(now);
        }
        piece
    }

    /// Whether the last segment is to be closed (`maybeRoll`).
    #[must_use]
    pub fn wants_roll(&self, size: u64, age: Span, now: Time) -> bool {
        self.segments.back().is_some_and(|last| {
            let old = last.first_append.is_some_and(|first| now.since(first) > age);
            let bytes = self.log.end() - last.start;
            bytes > size || (old && bytes > 0)
        })
    }

    /// A new segment; all must be flushed.
    pub fn roll(&mut self, now: Time) {
        debug_assert_eq!(self.unflushed, 0, "only the last segment holds unflushed messages");
        self.segments.push_back(Segment {
            start: self.log.end(),
            modified: now,
            first_append: None,
        });
    }

    /// An fsync that covers all up to an offset is through. Returns what can be read from now on.
    pub fn mark_flushed(&mut self, upto: u64, now: Time) -> Vec<Piece> {
        let from = self.flushed.max(self.log.start());
        self.flushed = self.flushed.max(upto);
        self.unflushed = 0;
        self.last_flush = now;
        self.log.read(from, self.flushed).collect()
    }

    /// What a fetch gets (`log/Log.scala` 0.7, `read`, `findRange`): whole messages of the segment
    /// with the offset that end within `size` bytes and below `upto`.
    ///
    /// # Errors
    /// The offset is outside, or there is no message at it.
    pub fn read(&self, offset: u64, size: u32, upto: u64) -> Result<Vec<Piece>, FetchError> {
        if !self.exists() {
            return Ok(Vec::new());
        }
        if offset < self.log.start() || offset > upto {
            return Err(FetchError::OffsetOutOfRange);
        }
        if offset == upto {
            return Ok(Vec::new());
        }
        let after = self.segments.partition_point(|segment| segment.start <= offset);
        let end = self.segments.get(after).map_or(u64::MAX, |segment| segment.start);
        let limit = upto.min(end).min(offset + u64::from(size));
        let aligned = self
            .log
            .at(offset)
            .is_some_and(|piece| (offset - piece.base).is_multiple_of(u64::from(piece.width)));
        if !aligned {
            return Err(FetchError::Undecodable);
        }
        let pieces: Vec<Piece> = self.log.read(offset, limit).collect();
        if pieces.is_empty() { Err(FetchError::Undecodable) } else { Ok(pieces) }
    }

    /// The offset at one end (`getOffsetsBefore`).
    #[must_use]
    pub fn offset_at(&self, time: OffsetTime) -> u64 {
        match time {
            OffsetTime::Earliest => self.log.start(),
            OffsetTime::Latest => self.flushed,
        }
    }

    /// Bytes of the last segment.
    #[must_use]
    pub fn last_segment_bytes(&self) -> u64 {
        let end = self.torn.unwrap_or(self.log.end());
        self.segments.back().map_or(0, |last| end.saturating_sub(last.start))
    }

    /// Scans the last segment and cuts it at the first bad message (`recover`): what is not all
    /// there. Returns how many bytes were cut, and tells `removed` of messages.
    pub fn recover(&mut self, removed: impl FnMut(Piece)) -> u64 {
        let Some(torn) = self.torn.take() else { return 0 };
        let start = self.segments.back().map_or(0, |last| last.start);
        let valid = self.log.offset_within(torn).max(start);
        self.log.truncate(valid, removed);
        torn.saturating_sub(self.log.end())
    }

    /// The host has lost power and kept so many bytes of the file. What begins after them is gone;
    /// a message of which a part is there stays until it is found out.
    pub fn lose_page_cache(&mut self, kept: u64, removed: impl FnMut(Piece)) {
        let complete = self.log.offset_within(kept);
        if complete >= self.log.end() {
            return;
        }
        let partial = if kept > complete { self.message_end(complete) } else { complete };
        self.log.truncate(partial, removed);
        // A closed segment loses bytes only after an fsync that had failed (EIO).
        while self.segments.len() > 1
            && self.segments.back().is_some_and(|last| last.start > complete)
        {
            self.segments.pop_back();
        }
        if kept < self.log.end() {
            self.torn = Some(kept);
        }
        self.flushed = self.flushed.min(complete);
    }

    /// The end of the message at an offset.
    fn message_end(&self, offset: u64) -> u64 {
        self.log.at(offset).map_or(offset, |piece| offset + u64::from(piece.width))
    }

    /// The process is gone: what is not on the disk is forgotten.
    pub fn forget(&mut self) {
        self.locked = None;
        self.waiters.clear();
        self.unflushed = 0;
    }

    /// The disk is empty.
    pub fn wipe(&mut self, removed: impl FnMut(Piece)) {
        self.log.clear(removed);
        self.segments.clear();
        self.flushed = 0;
        self.torn = None;
    }

    /// Deletes the oldest segments, as many as `count`; the last one is replaced by an empty one.
    /// Returns the bytes that they had.
    pub fn delete_segments(&mut self, count: usize, now: Time, removed: impl FnMut(Piece)) -> u64 {
        if count == 0 {
            return 0;
        }
        if count == self.segments.len() {
            self.roll(now);
        }
        self.segments.drain(..count);
        let before = self.log.start();
        let start = self.segments.front().map_or(before, |first| first.start);
        self.log.release(start, removed);
        start - before
    }

    /// How many of the oldest segments were last written to longer than `age` ago
    /// (`cleanupExpiredSegments`).
    #[must_use]
    pub fn expired(&self, age: Span, now: Time) -> usize {
        let old = |segment: &&Segment| now.since(segment.modified) > age;
        self.segments.iter().take_while(old).count()
    }

    /// How many of the oldest segments are beyond a size (`cleanupSegmentsToMaintainSize`).
    #[must_use]
    pub fn beyond(&self, size: u64) -> usize {
        let total = self.flushed - self.log.start();
        let Some(mut over) = total.checked_sub(size) else { return 0 };
        let ends = self.segments.iter().skip(1).map(|next| next.start);
        let sizes = self.segments.iter().zip(ends).map(|(segment, end)| end - segment.start);
        let mut count = 0;
        for bytes in sizes {
            if bytes > over {
                break;
            }
            over -= bytes;
            count += 1;
        }
        count
    }
}
