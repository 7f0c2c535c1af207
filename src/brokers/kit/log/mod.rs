//! An append log: messages in the order of their offsets, and where they are in its file.
//!
//! What a replica of a partition keeps. Offsets count messages or bytes, as the family has it
//! ([`Piece::width`]); positions count the bytes of the log's file, of which the disk keeps a
//! durable prefix. The log itself does no I/O: whoever appends writes so many bytes to
//! [`Log::file`], whoever truncates cuts the file to [`Log::length`].
//!
//! Consecutive messages of one producer that are alike are one run in memory, however many batches
//! they came in, so that a copy of a message costs next to nothing. Batches that must stay whole
//! (compressed ones, say) are appended as such.

use std::collections::VecDeque;

use crate::observe::MessageRange;
use crate::world::FileId;

/// Consecutive messages in a log, all of one producer and one leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset of the first message.
    pub base: u64,
    /// The messages.
    pub messages: MessageRange,
    /// Under which leader they were appended (`leader epoch`); 0 where there is no such thing.
    pub epoch: u32,
    /// By how much the offset of a message is greater than that of the one before: 1 where offsets
    /// count messages.
    pub width: u32,
    /// Bytes in the file.
    pub bytes: u64,
    /// Whether it is a batch that is read and cut as a whole.
    pub whole: bool,
}

impl Piece {
    /// The offset after its last message.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.base + self.messages.count as u64 * self.width as u64
    }

    /// Bytes of its first `count` messages.
    const fn bytes_of(&self, count: u32) -> u64 {
        self.bytes * count as u64 / self.messages.count as u64
    }

    /// How many of its messages end at or before an offset.
    pub const fn count_before(&self, offset: u64) -> u32 {
        let fits = offset.saturating_sub(self.base) / self.width as u64;
        if fits < self.messages.count as u64 { fits as u32 } else { self.messages.count }
    }

    /// Its messages from number `from` on, as many as `count`; there must be so many.
    #[must_use]
    pub const fn part(&self, from: u32, count: u32) -> Piece {
        Piece {
            base: self.base + from as u64 * self.width as u64,
            messages: MessageRange {
                producer: self.messages.producer,
                first: self.messages.first + from,
                count,
                bytes: self.messages.bytes,
            },
            epoch: self.epoch,
            width: self.width,
            bytes: self.bytes_of(from + count) - self.bytes_of(from),
            whole: self.whole,
        }
    }

    /// This piece and the one behind it as one, if their messages follow one another, however they
    /// are stored: to tell of both at once.
    #[must_use]
    pub fn with(&self, next: &Piece) -> Option<Piece> {
        let (a, b) = (&self.messages, &next.messages);
        let follows = self.end() == next.base
            && self.epoch == next.epoch
            && self.width == next.width
            && a.producer == b.producer
            && a.bytes == b.bytes
            && a.first + a.count == b.first;
        let messages = MessageRange { count: a.count + b.count, ..*a };
        let bytes = self.bytes + next.bytes;
        follows.then_some(Piece { messages, bytes, whole: false, ..*self })
    }

    /// Whether `next` goes on as this piece does, so that both can be one.
    fn continues(&self, next: &Piece) -> bool {
        let (a, b) = (&self.messages, &next.messages);
        !self.whole
            && !next.whole
            && self.epoch == next.epoch
            && self.width == next.width
            && a.producer == b.producer
            && a.bytes == b.bytes
            && a.first + a.count == b.first
            && u128::from(self.bytes) * u128::from(b.count)
                == u128::from(next.bytes) * u128::from(a.count)
    }
}

/// An append log.
#[derive(Clone, Debug)]
pub struct Log {
    file: FileId,
    pieces: VecDeque<Placed>,
    start: u64,
    end: u64,
    length: u64,
}

/// A piece and where it begins in the file.
#[derive(Clone, Copy, Debug)]
struct Placed {
    piece: Piece,
    position: u64,
}

impl Log {
    /// An empty log in an empty file.
    #[must_use]
    pub const fn new(file: FileId) -> Log {
        Log { file, pieces: VecDeque::new(), start: 0, end: 0, length: 0 }
    }

    /// Its file.
    #[must_use]
    pub const fn file(&self) -> FileId {
        self.file
    }

    /// The first offset that it still has, or will have.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The offset that the next message gets (`log end offset`).
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of its file.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Appends messages at [`Log::end`]; `piece.base` must be it.
    pub fn append(&mut self, piece: Piece) {
        debug_assert_eq!(piece.base, self.end, "offsets have no gaps");
        debug_assert!(piece.messages.count > 0 && piece.width > 0, "a piece has messages");
        let position = self.length;
        self.end = piece.end();
        self.length += piece.bytes;
        if let Some(last) = self.pieces.back_mut()
            && last.piece.continues(&piece)
        {
            last.piece.messages.count += piece.messages.count;
            last.piece.bytes += piece.bytes;
            return;
        }
        self.pieces.push_back(Placed { piece, position });
    }

    /// Index of the piece with an offset, or of the first one after it.
    fn index_of(&self, offset: u64) -> usize {
        // Readers are near the end most of the time.
        if self.pieces.back().is_some_and(|last| last.piece.base <= offset) {
            let at_end = self.pieces.back().is_some_and(|last| last.piece.end() <= offset);
            return self.pieces.len() - usize::from(!at_end);
        }
        self.pieces.partition_point(|placed| placed.piece.end() <= offset)
    }

    /// The messages from an offset on that end at or before `upto`, in order; the first is that
    /// with the offset, or, in a whole batch, the first of the batch.
    pub fn read(&self, from: u64, upto: u64) -> impl Iterator<Item = Piece> + '_ {
        let first = self.index_of(from);
        self.pieces.range(first..).map_while(move |placed| {
            let piece = placed.piece;
            if piece.whole {
                return (piece.end() <= upto).then_some(piece);
            }
            let skip = piece.count_before(from);
            let count = piece.count_before(upto);
            (skip < count).then(|| piece.part(skip, count - skip))
        })
    }

    /// The piece that has the message at an offset.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<Piece> {
        let found = self.pieces.get(self.index_of(offset))?.piece;
        (found.base <= offset).then_some(found)
    }

    /// Where in the file the message at an offset begins, or the first one after it.
    #[must_use]
    pub fn position(&self, offset: u64) -> u64 {
        let Some(Placed { piece, position }) = self.pieces.get(self.index_of(offset)) else {
            return self.length;
        };
        let before = if piece.whole { 0 } else { piece.count_before(offset) };
        position + piece.bytes_of(before)
    }

    /// The leader epoch of its last message.
    #[must_use]
    pub fn last_epoch(&self) -> Option<u32> {
        self.pieces.back().map(|placed| placed.piece.epoch)
    }

    /// Cuts off what is at or after an offset (in a whole batch: the batch), and tells `removed`
    /// of it, the last first.
    pub fn truncate(&mut self, to: u64, mut removed: impl FnMut(Piece)) {
        while let Some(last) = self.pieces.back_mut() {
            let piece = last.piece;
            if piece.end() <= to {
                break;
            }
            let keep = if piece.whole { 0 } else { piece.count_before(to) };
            if keep == 0 {
                removed(piece);
                (self.end, self.length) = (piece.base, last.position);
                self.pieces.pop_back();
                continue;
            }
            removed(piece.part(keep, piece.messages.count - keep));
            last.piece = piece.part(0, keep);
            (self.end, self.length) = (last.piece.end(), last.position + last.piece.bytes);
            break;
        }
    }

    /// The offset before which every message is complete within the first `length` bytes of the
    /// file.
    #[must_use]
    pub fn offset_within(&self, length: u64) -> u64 {
        let index = self.pieces.partition_point(|placed| placed.position < length);
        let Some(placed) = index.checked_sub(1).map(|index| &self.pieces[index]) else {
            return self.start;
        };
        let (piece, have) = (placed.piece, length - placed.position);
        if have >= piece.bytes {
            return piece.end();
        }
        if piece.whole {
            return piece.base;
        }
        // The first guess may be one too many or too few, since shares of bytes are rounded down.
        let mut count =
            (u128::from(have) * u128::from(piece.messages.count) / u128::from(piece.bytes)) as u32;
        while count < piece.messages.count && piece.bytes_of(count + 1) <= have {
            count += 1;
        }
        piece.base + u64::from(count) * u64::from(piece.width)
    }

    /// Deletes what ends at or before an offset, from the front, and tells `removed` of it.
    pub fn release(&mut self, upto: u64, mut removed: impl FnMut(Piece)) {
        while let Some(first) = self.pieces.front_mut() {
            let piece = first.piece;
            let gone = if piece.whole && piece.end() > upto { 0 } else { piece.count_before(upto) };
            if gone == 0 {
                break;
            }
            removed(piece.part(0, gone));
            if gone == piece.messages.count {
                self.pieces.pop_front();
            } else {
                first.piece = piece.part(gone, piece.messages.count - gone);
                first.position += piece.bytes - first.piece.bytes;
            }
            self.start = piece.part(0, gone).end();
        }
    }

    /// Everything is gone, as after a wiped disk: the next offset is 0 again.
    pub fn clear(&mut self, mut removed: impl FnMut(Piece)) {
        for placed in &self.pieces {
            removed(placed.piece);
        }
        *self = Log::new(self.file);
    }

    /// Everything is gone, and the log goes on at an offset, in an empty file.
    pub fn restart(&mut self, at: u64, removed: impl FnMut(Piece)) {
        self.clear(removed);
        (self.start, self.end) = (at, at);
    }

    /// All messages, in order.
    pub fn pieces(&self) -> impl DoubleEndedIterator<Item = Piece> + '_ {
        self.pieces.iter().map(|placed| placed.piece)
    }
}

#[cfg(test)]
mod tests;
