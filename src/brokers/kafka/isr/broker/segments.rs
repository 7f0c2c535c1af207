//! The segments of a log, and when what is in them was made (LogSegments.java, TimeIndex.java).
//!
//! Of times it keeps the first of every stretch of [`STRETCH`] in which they grow, which all replicas have at
//! the same offsets: a time is found to that precision.

use std::collections::VecDeque;

use crate::engine::{Span, Time};

/// How much later a message must be than the one before that has an entry, to get one itself.
const STRETCH: Span = Span::from_millis(250);

/// A file of a log. It ends where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// The offset of its first message, which names it.
    base: u64,
    /// Where it begins in the bytes of the log.
    position: u64,
    /// When it was last written to, by the broker's clock (`lastModified`).
    modified: Time,
}

/// How far a log reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Its end.
    pub(super) end: u64,
    /// Its bytes.
    pub(super) length: u64,
    /// Nothing from here on is deleted: the high watermark.
    pub(super) upto: u64,
}

/// The segments of a log, the last of which is written to.
#[derive(Clone, Debug)]
pub struct Segments {
    files: VecDeque<Segment>,
    /// From which offset on messages are at least so late.
    times: VecDeque<(u64, Time)>,
}

impl Default for Segments {
    fn default() -> Segments {
        Segments::at(0)
    }
}

impl Segments {
    /// Those of an empty log that begins at an offset.
    pub(super) fn at(base: u64) -> Segments {
        let first = Segment { base, position: 0, modified: Time::ZERO };
        Segments { files: VecDeque::from([first]), times: VecDeque::new() }
    }

    fn last(&self) -> &Segment {
        self.files.back().expect("a log has a segment")
    }

    /// Bytes of the one that is written to, in a log of so many.
    pub(super) fn size(&self, length: u64) -> u64 {
        length - self.last().position
    }

    /// Whether the one that is written to began so long before a message that was made at `stamp`
    /// (LogSegment.java, `shouldRoll`).
    pub(super) fn is_old(&self, stamp: Time, age: Span) -> bool {
        let before = self.times.partition_point(|(offset, _)| *offset < self.last().base);
        self.times.get(before).is_some_and(|(_, first)| stamp.since(*first) > age)
    }

    /// What comes next begins another file.
    pub(super) fn roll(&mut self, base: u64, position: u64, now: Time) {
        self.files.push_back(Segment { base, position, modified: now });
    }

    /// Something was appended at an offset that was made at `stamp`, when the broker's clock was at `now`.
    pub(super) fn appended(&mut self, base: u64, stamp: Time, now: Time) {
        let begun = self.last().base;
        let known = self.times.back().filter(|(offset, _)| *offset >= begun);
        if known.is_none_or(|(_, top)| stamp >= *top + STRETCH) {
            self.times.push_back((base, stamp));
        }
        self.written(now);
    }

    /// Something was appended that a leader had, with the times that it has for it.
    pub(super) fn copied(&mut self, times: &[(u64, Time)], now: Time) {
        self.times.extend(times);
        self.written(now);
    }

    fn written(&mut self, now: Time) {
        if let Some(last) = self.files.back_mut() {
            last.modified = now;
        }
    }

    /// The times of what is from one offset to before another.
    pub(super) fn times_between(&self, from: u64, to: u64) -> Vec<(u64, Time)> {
        let first = self.times.partition_point(|(offset, _)| *offset < from);
        self.times.range(first..).copied().take_while(|(offset, _)| *offset < to).collect()
    }

    /// The first offset whose message is not older than `time`, to [`STRETCH`].
    pub(super) fn since(&self, time: Time) -> Option<u64> {
        let late = |(_, stamp): &&(u64, Time)| *stamp + STRETCH > time;
        self.times.iter().find(late).map(|(offset, _)| *offset)
    }

    /// The log was cut, and ends here.
    pub(super) fn cut(&mut self, end: u64, length: u64) {
        while self.files.len() > 1 && self.last().base > end {
            self.files.pop_back();
        }
        if let Some(last) = self.files.back_mut() {
            last.position = last.position.min(length);
        }
        while self.times.back().is_some_and(|(offset, _)| *offset >= end) {
            self.times.pop_back();
        }
    }

    /// The log begins here now.
    pub(super) fn release(&mut self, start: u64) {
        while self.files.get(1).is_some_and(|next| next.base <= start) {
            self.files.pop_front();
        }
        // The last one before it says how late its first message is.
        while self.times.get(1).is_some_and(|(offset, _)| *offset <= start) {
            self.times.pop_front();
        }
    }

    /// How far the oldest segments reach that a log of more than `size` bytes can do without
    /// (UnifiedLog.java, `deleteRetentionSizeBreachedSegments`).
    pub(super) fn beyond(&self, size: u64, log: Extent) -> Option<u64> {
        let first = self.files.front().map_or(0, |first| first.position);
        let mut over = (log.length - first).checked_sub(size)?;
        self.delete(log, |segment, (_, position)| {
            let bytes = position - segment.position;
            let fits = bytes <= over;
            over -= if fits { bytes } else { 0 };
            fits
        })
    }

    /// How far the oldest segments reach of which all is older than `age`: by what their messages
    /// bear, or by when they were written (UnifiedLog.java, `deleteRetentionMsBreachedSegments`;
    /// Log.scala 0.10.0, `deleteOldSegments`).
    pub(super) fn older(&self, age: Span, now: Time, stamped: bool, log: Extent) -> Option<u64> {
        self.delete(log, |segment, (end, _)| {
            let own = |(offset, _): &&(u64, Time)| *offset < end;
            let last = self.times.iter().take_while(own).filter(|(at, _)| *at >= segment.base);
            let before = self.times.iter().take_while(|(at, _)| *at < segment.base).last();
            let largest = last.chain(before).map(|(_, time)| *time).max();
            let latest = largest.filter(|_| stamped).unwrap_or(segment.modified);
            now.since(latest) > age
        })
    }

    /// How far the oldest segments reach that may be deleted and that `unwanted`, which is told where each
    /// ends, wants to be.
    fn delete(
        &self,
        log: Extent,
        mut unwanted: impl FnMut(&Segment, (u64, u64)) -> bool,
    ) -> Option<u64> {
        let ends = self.files.iter().skip(1).map(|next| (next.base, next.position));
        let ends = ends.chain([(log.end, log.length)]);
        let old = self.files.iter().zip(ends).take_while(|(segment, end)| {
            end.0 > segment.base && end.0 <= log.upto && unwanted(segment, *end)
        });
        old.last().map(|(_, end)| end.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_secs(seconds)
    }

    /// Ten messages a segment of 100 bytes each, a segment a second.
    fn three() -> (Segments, Extent) {
        let mut segments = Segments::default();
        for number in 0..3 {
            if number > 0 {
                segments.roll(number * 10, number * 1_000, at(number));
            }
            segments.appended(number * 10, at(number), at(number) + Span::from_secs(100));
        }
        (segments, Extent { end: 30, length: 3_000, upto: 30 })
    }

    #[test]
    fn old_segments_go_by_what_their_messages_bear() {
        let (segments, log) = three();
        let age = Span::from_secs(10);
        assert_eq!(segments.older(age, at(10), true, log), None);
        assert_eq!(segments.older(age, at(11), true, log), Some(10));
        assert_eq!(segments.older(age, at(100), true, log), Some(30), "the last one as well");
        assert_eq!(segments.older(age, at(100), false, log), None, "they were written later");
        let behind = Extent { upto: 19, ..log };
        assert_eq!(segments.older(age, at(100), true, behind), Some(10), "the high watermark");
    }

    #[test]
    fn a_log_that_is_too_large_keeps_at_least_what_it_may() {
        let (segments, log) = three();
        assert_eq!(segments.beyond(2_500, log), None);
        assert_eq!(segments.beyond(2_000, log), Some(10));
        assert_eq!(segments.beyond(1, log), Some(20));
    }

    #[test]
    fn a_time_is_found() {
        let (mut segments, _) = three();
        assert_eq!(segments.since(at(1)), Some(10));
        assert_eq!(segments.since(at(3)), None);
        segments.release(15);
        assert_eq!(segments.since(at(0)), Some(10), "what is left of the second one");
        segments.cut(20, 2_000);
        assert_eq!(segments.since(at(2)), None);
        assert_eq!(
            segments.size(2_100),
            100,
            "the file that begins there stays (LocalLog.scala, truncateTo)"
        );
    }
}
