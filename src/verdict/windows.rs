//! Unavailability windows: times without a success although an operation was pending.
//!
//! **Writes.** A write is pending from its intended time to its final answer (for ever, if it has
//! none). A window opens at the first instant after the last success at which a write is pending,
//! and closes at the next success, whatever happens in between: an answer that is no success ends
//! the write that it answers, but closes no window, so a time in which only failures are answered
//! is covered. A message that is sent again stays pending until its final answer. *Effective*
//! windows differ in what counts as a success: only a write whose line ended well.
//!
//! Both are worked out at the end, from what is kept meanwhile: successes no further apart than the
//! availability gap are one cluster (its first and last time, and the earliest intended time in
//! it), and writes that were no success still have their times in the lines' storage.
//!
//! **Reads.** A read is pending while some line of the destination has a copy in a broker and was
//! never read, and some consumer wants messages and has room. Its success is a delivery. Where
//! nothing is pending for longer than the gap, the window ends when the pendency did: a consumer
//! without room asks for nothing. A shorter interruption does not end it, but is not counted when
//! its length is compared with the gap. A consumer that has lost its connection still wants
//! messages as long as its application has room: its machine must not report otherwise, or the
//! outage would count as a time in which nobody asks.

use crate::engine::{Span, Time};

/// A window of measured time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    pub(super) start: Time,
    pub(super) end: Time,
    /// Whether no success had ended it when measured time was over.
    pub(super) open: bool,
    /// Of an open one, until when anything was pending, if nothing was for longer than the gap when
    /// measured time was over.
    pub(super) tried: Option<Time>,
    /// When what made it had happened: what came later did not. Of a window of effective writes,
    /// when the first of the messages in it was lost; else when its first operation should have
    /// been through.
    pub(super) made: Time,
}

/// The stretches that are remembered in which a consumer had nothing to read: the longest.
const MOST_SILENCES: usize = 1_000;

/// Successes that follow each other within the availability gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cluster {
    first: Time,
    last: Time,
    /// The earliest intended time of its writes.
    intended: Time,
}

/// All successful writes of a destination, as far as windows need them.
#[derive(Clone, Debug)]
pub(super) struct Successes {
    gap: Span,
    clusters: Vec<Cluster>,
}

impl Successes {
    pub(super) fn new(gap: Span) -> Successes {
        Successes { gap, clusters: Vec::new() }
    }

    /// Adds a write that succeeded at `at`. Order does not matter.
    pub(super) fn add(&mut self, intended: Time, at: Time) {
        let gap = self.gap;
        if let Some(last) = self.clusters.last_mut()
            && last.first <= at
            && at <= last.last + gap
        {
            last.last = last.last.max(at);
            last.intended = last.intended.min(intended);
            return;
        }
        self.insert(Cluster { first: at, last: at, intended });
    }

    fn insert(&mut self, new: Cluster) {
        // Those that the new one touches: a stretch of neighbours, which it joins to one.
        let from = self.clusters.partition_point(|c| c.last + self.gap < new.first);
        let upto = self.clusters.partition_point(|c| c.first <= new.last + self.gap);
        let joined = self.clusters[from..upto].iter().fold(new, |joined, c| Cluster {
            first: joined.first.min(c.first),
            last: joined.last.max(c.last),
            intended: joined.intended.min(c.intended),
        });
        self.clusters.splice(from..upto, [joined]);
    }

    /// The intervals between clusters, each with the first pending instant that successful writes
    /// account for; writes that were no success are added to it.
    pub(super) fn gaps(&self) -> Gaps {
        let mut gaps = Vec::with_capacity(self.clusters.len() + 1);
        let mut to = Time::MAX;
        let mut earliest = Time::MAX;
        for cluster in self.clusters.iter().rev() {
            gaps.push(Gap::new(cluster.last, to, earliest.max(cluster.last)));
            to = cluster.first;
            earliest = earliest.min(cluster.intended);
        }
        gaps.push(Gap::new(Time::ZERO, to, earliest));
        gaps.reverse();
        Gaps { gaps }
    }

    pub(super) fn heap(&self) -> usize {
        self.clusters.capacity() * size_of::<Cluster>()
    }
}

/// An interval without a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    from: Time,
    to: Time,
    /// The first instant in it at which a write is pending; not before `to` if there is none.
    start: Time,
    /// The last one.
    until: Time,
    /// The same of writes that succeeded in the end.
    succeeded: Time,
    /// How many of the others were lost, and when the first was; how many were not, and by when the
    /// first of these should have been through. [`Time::MAX`] without.
    lost: (u64, Time),
    failed: (u64, Time),
}

impl Gap {
    fn new(from: Time, to: Time, start: Time) -> Gap {
        let none = (0, Time::MAX);
        // The write whose success ends it is pending until then.
        let until = if to == Time::MAX { Time::ZERO } else { to };
        Gap { from, to, start, until, succeeded: start, lost: none, failed: none }
    }

    /// By when what made it had happened: the loss of its writes, if more were lost than failed
    /// otherwise; else what the first met that was not lost. The write whose success ends it was
    /// pending for a moment too, which says nothing.
    fn made(&self, usual: Span) -> Time {
        if self.lost.0 > self.failed.0 {
            return self.lost.1;
        }
        let blocked = self.to.since(self.succeeded) > usual;
        let blocked = if blocked { self.succeeded + usual } else { Time::MAX };
        match self.failed.1.min(blocked) {
            Time::MAX => self.start + usual,
            made => made,
        }
    }
}

/// The intervals without a success of one destination.
#[derive(Clone, Debug)]
pub(super) struct Gaps {
    gaps: Vec<Gap>,
}

impl Gaps {
    /// Adds `count` writes that were no success, pending until then. Their messages were lost at
    /// `lost`; if they were not, they should have been through after `usual`.
    pub(super) fn pend(
        &mut self,
        (intended, until): (Time, Time),
        count: u64,
        lost: Option<Time>,
        usual: Span,
    ) {
        let first = self.gaps.partition_point(|gap| gap.to <= intended);
        for gap in &mut self.gaps[first..] {
            if gap.from >= until {
                break;
            }
            let start = intended.max(gap.from);
            gap.start = gap.start.min(start);
            gap.until = gap.until.max(until.min(gap.to));
            let (of, at) = match lost {
                Some(at) => (&mut gap.lost, at),
                None => (&mut gap.failed, start + usual),
            };
            *of = (of.0 + count, of.1.min(at));
        }
    }

    /// The windows of measured time that are longer than `longer_than`, by start. An operation is
    /// through after `usual` at the latest while nothing is wrong.
    pub(super) fn windows(
        &self,
        measured: (Time, Time),
        longer_than: Span,
        usual: Span,
    ) -> Vec<Outage> {
        let windows = self.gaps.iter().filter(|gap| gap.start < gap.to);
        let outage = |gap: &Gap| {
            let (start, end, made) = (gap.start, gap.to, gap.made(usual));
            Outage { start, end, open: false, tried: Some(gap.until), made }
        };
        clip(windows.map(outage), measured, longer_than)
    }
}

fn clip(
    windows: impl Iterator<Item = Outage>,
    (from, to): (Time, Time),
    longer_than: Span,
) -> Vec<Outage> {
    let clipped = |window: Outage| {
        let open = window.open || window.end > to;
        Outage {
            start: window.start.max(from),
            end: window.end.min(to),
            open,
            tried: window.tried.filter(|tried| open && to.since(*tried) > longer_than),
            ..window
        }
    };
    windows.map(clipped).filter(|window| window.end.since(window.start) > longer_than).collect()
}

/// Watches the reads of one destination.
#[derive(Clone, Debug)]
pub(super) struct Reads {
    gap: Span,
    /// Lines with a copy in some broker that nobody has read.
    backlog: u64,
    /// Consumers that want messages and have room.
    wanting: u32,
    latest_success: Time,
    /// Since when a read is pending without a success.
    open: Option<Time>,
    /// Since when nothing is pending although the window is open.
    idle: Option<Time>,
    /// How long nothing was pending since the window opened.
    interrupted: Span,
    /// Whether a read was ever pending.
    asked: bool,
    windows: Vec<(Time, Time)>,
    /// Since when a consumer has room and nothing to read.
    unfed: Option<Time>,
    /// The longest of such stretches that were longer than the gap, by start.
    silences: Vec<(Time, Time)>,
}

impl Reads {
    pub(super) fn new(gap: Span) -> Reads {
        Reads {
            gap,
            backlog: 0,
            wanting: 0,
            latest_success: Time::ZERO,
            open: None,
            idle: None,
            interrupted: Span::ZERO,
            asked: false,
            windows: Vec::new(),
            unfed: None,
            silences: Vec::new(),
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanting > 0
    }

    /// Whether a read was ever pending.
    pub(super) fn was_asked(&self) -> bool {
        self.asked
    }

    pub(super) fn backlog_changed(&mut self, at: Time, by: i64) {
        self.backlog = self.backlog.checked_add_signed(by).expect("lines are counted once");
        self.look(at);
    }

    pub(super) fn wanting_changed(&mut self, at: Time, by: i32) {
        self.wanting = self.wanting.checked_add_signed(by).expect("consumers are counted once");
        self.look(at);
    }

    /// Follows a change of what is pending.
    fn look(&mut self, at: Time) {
        let pending = self.backlog > 0 && self.wanting > 0;
        if self.wanting > 0 && !pending {
            self.unfed.get_or_insert(at);
        } else {
            self.end_silence(at);
        }
        if !pending {
            if self.open.is_some() {
                self.idle.get_or_insert(at);
            }
            return;
        }
        self.asked = true;
        self.resume(at);
        self.open.get_or_insert(at.max(self.latest_success));
    }

    /// Ends a stretch in which there was nothing to read.
    fn end_silence(&mut self, at: Time) {
        let Some(since) = self.unfed.take().filter(|since| at.since(*since) > self.gap) else {
            return;
        };
        self.silences.push((since, at));
        if self.silences.len() > MOST_SILENCES {
            let length = |&(from, to): &(Time, Time)| to.since(from);
            let shortest = (0..).zip(&self.silences).min_by_key(|(_, silence)| length(silence));
            let shortest: Option<usize> = shortest.map(|(index, _)| index);
            shortest.map(|index| self.silences.remove(index));
        }
    }

    /// Ends an interruption, and with it the window, if it was longer than the gap.
    fn resume(&mut self, at: Time) {
        let Some(idle) = self.idle.take() else { return };
        if at.since(idle) > self.gap {
            self.note(idle);
        } else {
            self.interrupted += at.since(idle);
        }
    }

    /// A delivery. Returns how long a read had been pending, if one was. What it changes in the
    /// backlog must have been told before.
    pub(super) fn success(&mut self, at: Time) -> Option<Span> {
        self.end_silence(at);
        self.resume(at);
        let open = self.open;
        if open.is_some() {
            self.note(at);
        }
        self.latest_success = self.latest_success.max(at);
        self.look(at);
        open.map(|open| at.since(open))
    }

    /// Closes the open window.
    fn note(&mut self, end: Time) {
        let interrupted = std::mem::take(&mut self.interrupted);
        if let Some(open) = self.open.take()
            && end.since(open).saturating_sub(interrupted) > self.gap
        {
            self.windows.push((open, end));
        }
    }

    /// The windows of measured time, by start; `ended` is the end of the run. A read is through
    /// after `usual` at the latest while nothing is wrong.
    pub(super) fn windows(&self, measured: (Time, Time), ended: Time, usual: Span) -> Vec<Outage> {
        let mut last = self.clone();
        let closed = last.windows.len();
        last.note(self.idle.unwrap_or(ended.max(measured.1)));
        let outage = |(index, (start, end)): (usize, (Time, Time))| Outage {
            start,
            end,
            open: index >= closed && self.idle.is_none(),
            // What is pending in the end is.
            tried: None,
            made: start + usual,
        };
        clip(last.windows.into_iter().enumerate().map(outage), measured, self.gap)
    }

    /// The stretches of measured time, longer than the gap, in which a consumer had room and
    /// nothing to read, by start: whether it could have been read then cannot be told.
    pub(super) fn silences(&self, (from, to): (Time, Time)) -> Vec<(Time, Time)> {
        let last = self.unfed.map(|since| (since, to));
        let all = self.silences.iter().copied().chain(last);
        let clipped = all.map(|(start, end)| (start.max(from), end.min(to)));
        clipped.filter(|(start, end)| end.since(*start) > self.gap).collect()
    }

    pub(super) fn heap(&self) -> usize {
        (self.windows.capacity() + self.silences.capacity()) * size_of::<(Time, Time)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GAP: Span = Span::from_millis(250);
    const USUAL: Span = Span::from_millis(10);

    fn times(windows: Vec<Outage>) -> Vec<(Time, Time)> {
        windows.iter().map(|window| (window.start, window.end)).collect()
    }

    fn ms(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    fn measured() -> (Time, Time) {
        (ms(1_000), ms(10_000))
    }

    /// The definition, read off literally: for every success the next one, and the first pending
    /// instant between them.
    fn naive(good: &[(u64, u64)], bad: &[(u64, u64)]) -> Vec<(Time, Time)> {
        let mut ends: Vec<u64> = good.iter().map(|op| op.1).collect();
        ends.push(0);
        ends.sort_unstable();
        let mut found = Vec::new();
        for (i, &from) in ends.iter().enumerate() {
            let to = ends.get(i + 1).copied().unwrap_or(u64::MAX / 2_000_000);
            let pending = good.iter().chain(bad).filter(|op| op.0 < to && op.1 > from);
            if let Some(start) = pending.map(|op| op.0.max(from)).min() {
                let window = (ms(start.max(1_000)), ms(to.min(10_000)));
                if window.1.since(window.0) > GAP {
                    found.push(window);
                }
            }
        }
        found
    }

    proptest! {
        #[test]
        fn write_windows_are_those_of_the_definition(
            good in prop::collection::vec((0u64..11_000, 1u64..900), 0..40),
            bad in prop::collection::vec((0u64..11_000, 1u64..2_000), 0..20),
        ) {
            let ops = |ops: Vec<(u64, u64)>| -> Vec<_> {
                ops.into_iter().map(|(intended, took)| (intended, intended + took)).collect()
            };
            let (good, bad) = (ops(good), ops(bad));
            let mut successes = Successes::new(GAP);
            good.iter().for_each(|op| successes.add(ms(op.0), ms(op.1)));
            let mut gaps = successes.gaps();
            bad.iter().for_each(|op| gaps.pend((ms(op.0), ms(op.1)), 1, None, USUAL));
            prop_assert_eq!(times(gaps.windows(measured(), GAP, USUAL)), naive(&good, &bad));

            let mut backwards = Successes::new(GAP);
            good.iter().rev().for_each(|op| backwards.add(ms(op.0), ms(op.1)));
            prop_assert_eq!(backwards.clusters, successes.clusters, "order does not matter");
        }
    }

    #[test]
    fn a_time_of_failures_only_is_covered() {
        let mut successes = Successes::new(GAP);
        successes.add(ms(1_990), ms(2_000));
        successes.add(ms(3_000), ms(3_010));
        let mut gaps = successes.gaps();
        for at in (2_100..3_000).step_by(100) {
            gaps.pend((ms(at), ms(at + 1)), 1, None, USUAL);
        }
        assert_eq!(times(gaps.windows(measured(), GAP, USUAL)), [(ms(2_100), ms(3_010))]);
    }

    #[test]
    fn silence_without_operations_is_no_window() {
        let mut successes = Successes::new(GAP);
        successes.add(ms(1_990), ms(2_000));
        successes.add(ms(8_000), ms(8_010));
        assert_eq!(successes.gaps().windows(measured(), GAP, USUAL), []);
    }

    #[test]
    fn an_unanswered_write_is_pending_to_the_end_of_measured_time() {
        let mut gaps = Successes::new(GAP).gaps();
        gaps.pend((ms(9_000), Time::MAX), 1, None, USUAL);
        let windows = gaps.windows(measured(), GAP, USUAL);
        assert_eq!(times(windows.clone()), [(ms(9_000), ms(10_000))]);
        assert!(windows[0].open);
        assert_eq!(windows[0].tried, None);
    }

    /// The window is as long as ever; it is told when it was last tried.
    #[test]
    fn a_window_that_nobody_tries_to_end() {
        let mut successes = Successes::new(GAP);
        successes.add(ms(1_990), ms(2_000));
        let mut gaps = successes.gaps();
        gaps.pend((ms(2_100), ms(5_000)), 1, None, USUAL);
        gaps.pend((ms(2_200), ms(4_000)), 1, None, USUAL);
        let windows = gaps.windows(measured(), GAP, USUAL);
        assert_eq!(times(windows.clone()), [(ms(2_100), ms(10_000))]);
        assert_eq!((windows[0].open, windows[0].tried), (true, Some(ms(5_000))));
        // Whoever tried a moment ago goes on.
        gaps.pend((ms(9_700), ms(9_800)), 1, None, USUAL);
        assert_eq!(gaps.windows(measured(), GAP, USUAL)[0].tried, None);
        // A success that comes later was pending when measured time was over.
        successes.add(ms(9_990), ms(10_100));
        let late = successes.gaps().windows(measured(), Span::ZERO, USUAL);
        let late = late.last().expect("one is open");
        assert_eq!((late.open, late.tried), (true, None));
    }

    /// Whatever else is pending in it, a window is made by what most of its failures met.
    #[test]
    fn a_window_is_made_when_its_writes_come_to_grief() {
        let made = |from: u64, failed: &[(u64, Option<u64>)], succeeded: u64| {
            let mut successes = Successes::new(GAP);
            successes.add(ms(from - 1), ms(from));
            successes.add(ms(succeeded), ms(5_000));
            let mut gaps = successes.gaps();
            for &(intended, lost) in failed {
                gaps.pend((ms(intended), Time::MAX), 1, lost.map(ms), USUAL);
            }
            let windows = gaps.windows(measured(), GAP, USUAL);
            assert_eq!(windows[0].end, ms(5_000), "the one that is asked about");
            windows[0].made.as_millis()
        };
        assert_eq!(made(2_000, &[(2_001, Some(2_003)), (4_000, Some(4_001))], 4_998), 2_003);
        assert_eq!(made(2_000, &[(2_001, Some(9_000))], 4_998), 9_000, "lost long after");
        assert_eq!(made(2_000, &[(2_001, Some(9_000)), (2_003, None)], 4_998), 2_013);
        let most = [(2_001, Some(9_000)), (2_002, Some(9_001)), (2_003, None)];
        assert_eq!(made(2_000, &most, 4_998), 9_000, "one of three failed otherwise");
        assert_eq!(made(2_000, &[], 2_001), 2_011, "only blocked");
    }

    #[test]
    fn a_consumer_with_nothing_to_read_is_silent() {
        let mut reads = Reads::new(GAP);
        reads.wanting_changed(ms(0), 1);
        for at in [2_000, 2_200, 6_000, 6_100] {
            reads.backlog_changed(ms(at), 1);
            reads.backlog_changed(ms(at + 1), -1);
            reads.success(ms(at + 1));
        }
        reads.wanting_changed(ms(8_000), -1);
        let expected = [(ms(1_000), ms(2_000)), (ms(2_201), ms(6_000)), (ms(6_101), ms(8_000))];
        assert_eq!(reads.silences(measured()), expected);
        reads.wanting_changed(ms(9_000), 1);
        assert_eq!(reads.silences(measured())[3], (ms(9_000), ms(10_000)), "to the end");
        for n in 0..2 * MOST_SILENCES as u64 {
            reads.backlog_changed(ms(10_000 + n * 300), 1);
            reads.backlog_changed(ms(10_001 + n * 300), -1);
        }
        assert_eq!(reads.silences.len(), MOST_SILENCES);
        assert_eq!(reads.silences(measured()).len(), 4, "the longest are kept");
    }

    #[test]
    fn reads_are_pending_with_backlog_and_room_only() {
        let mut reads = Reads::new(GAP);
        reads.backlog_changed(ms(2_000), 1);
        assert!(!reads.was_asked(), "nobody wants it");
        reads.wanting_changed(ms(3_000), 1);
        reads.backlog_changed(ms(3_400), -1);
        assert_eq!(reads.success(ms(3_400)), Some(Span::from_millis(400)));
        let windows = reads.windows(measured(), ms(12_000), USUAL);
        assert_eq!(times(windows), [(ms(3_000), ms(3_400))]);
    }

    #[test]
    fn a_consumer_without_room_asks_for_nothing() {
        let mut reads = Reads::new(GAP);
        reads.wanting_changed(ms(0), 1);
        reads.backlog_changed(ms(2_000), 9);
        for (at, pause) in [(2_001, 2_000), (4_100, 240), (4_500, 240)] {
            reads.success(ms(at));
            reads.wanting_changed(ms(at + 1), -1);
            reads.wanting_changed(ms(at + pause), 1);
        }
        reads.success(ms(4_800));
        reads.backlog_changed(ms(4_800), -9);
        assert_eq!(reads.windows(measured(), ms(9_000), USUAL), []);
    }

    #[test]
    fn short_interruptions_do_not_cut_a_read_window() {
        let mut reads = Reads::new(GAP);
        reads.wanting_changed(ms(0), 1);
        reads.backlog_changed(ms(2_000), 1);
        for at in (2_100..5_000).step_by(200) {
            reads.wanting_changed(ms(at), -1);
            reads.wanting_changed(ms(at + 100), 1);
        }
        reads.backlog_changed(ms(5_000), -1);
        reads.success(ms(5_000));
        let windows = reads.windows(measured(), ms(6_000), USUAL);
        assert_eq!(times(windows), [(ms(2_000), ms(5_000))]);
    }
}
