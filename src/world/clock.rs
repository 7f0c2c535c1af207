//! What a node takes for the time.
//!
//! Every host has two clocks, as an operating system has. The wall clock says what time of day it
//! is; it can be wrong by an offset, and jumps when somebody sets it. The monotonic clock counts
//! what has passed; it may run too fast or too slow, but never jumps, and timers go by it.
//!
//! A timer that is set already when a drift begins or ends keeps its instant.

use crate::engine::{Span, Time};

/// What wall clocks show as a run begins: far enough from zero that none is ever before it, and so
/// that a time of the wall clock is not taken for one of the run.
const EPOCH: Span = Span::from_secs(1_000_000_000);

/// Parts of a billion, in which drifts are counted.
const BILLION: i128 = 1_000_000_000;

/// However many faults slow a clock down, it keeps this part of its pace.
const SLOWEST: i64 = -900_000_000;

/// What one fault does to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Skew {
    fault: u32,
    /// Nanoseconds.
    offset: i64,
    /// Parts of a billion.
    drift: i64,
    since: Time,
}

/// The clocks of one host. They outlive its processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    skews: Vec<Skew>,
    /// How much too fast it runs, in parts of a billion.
    rate: i64,
    /// What the monotonic clock had gained by `settled`, in nanoseconds.
    gained: i64,
    settled: Time,
}

impl Clock {
    /// What the wall clock shows.
    #[inline]
    pub(crate) fn wall(&self, now: Time) -> Time {
        let shown = now + EPOCH;
        if self.skews.is_empty() { shown } else { moved(shown, self.wrong_by(now)) }
    }

    fn wrong_by(&self, now: Time) -> i64 {
        self.skews.iter().map(|skew| skew.offset + share(now.since(skew.since), skew.drift)).sum()
    }

    /// What the monotonic clock shows: the time of the run, unless it ever ran at a pace of its own.
    #[inline]
    pub(crate) fn monotonic(&self, now: Time) -> Time {
        let gained = self.gained + share(now.since(self.settled), self.rate);
        if gained == 0 { now } else { moved(now, gained) }
    }

    /// How long a timer takes that this host sets to `span`: never nothing, unless it is set to
    /// nothing.
    #[inline]
    pub(crate) fn lasts(&self, span: Span) -> Span {
        if self.rate == 0 {
            return span;
        }
        let whole = u128::from(span.as_nanos()) * BILLION as u128;
        let nanos = whole.div_ceil((BILLION + i128::from(self.rate)) as u128);
        Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// A fault makes it wrong.
    pub(crate) fn skew(&mut self, fault: u32, offset: i64, drift: i64, now: Time) {
        self.skews.push(Skew { fault, offset, drift, since: now });
        self.settle(now);
    }

    /// The fault is over: the wall clock is set as if it had never been.
    pub(crate) fn set_right(&mut self, fault: u32, now: Time) {
        self.skews.retain(|skew| skew.fault != fault);
        self.settle(now);
    }

    /// It runs at another pace from now on.
    fn settle(&mut self, now: Time) {
        self.gained += share(now.since(self.settled), self.rate);
        self.settled = now;
        self.rate = self.skews.iter().map(|skew| skew.drift).sum::<i64>().max(SLOWEST);
    }
}

/// So many parts of a billion of a span, in nanoseconds, rounded towards zero.
fn share(span: Span, parts: i64) -> i64 {
    if parts == 0 {
        return 0;
    }
    let nanos = i128::from(span.as_nanos()) * i128::from(parts) / BILLION;
    i64::try_from(nanos).unwrap_or(if parts < 0 { i64::MIN / 2 } else { i64::MAX / 2 })
}

fn moved(time: Time, by: i64) -> Time {
    Time::from_nanos(time.as_nanos().saturating_add_signed(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERCENT: i64 = 10_000_000;

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::from_secs(secs)
    }

    /// What the wall clock shows, less what it should, in milliseconds.
    fn wrong(clock: &Clock, now: Time) -> i64 {
        let (shown, right) = (clock.wall(now).as_nanos(), Clock::default().wall(now).as_nanos());
        (i128::from(shown) - i128::from(right)) as i64 / 1_000_000
    }

    #[test]
    fn an_offset_moves_the_wall_clock_and_nothing_else() {
        let mut clock = Clock::default();
        clock.skew(0, -90_000_000_000, 0, at(10));
        clock.skew(1, 1_000_000_000, 0, at(20));
        assert_eq!((wrong(&clock, at(15)), wrong(&clock, at(25))), (-89_000, -89_000));
        assert_eq!(
            (clock.monotonic(at(25)), clock.lasts(Span::from_secs(1))),
            (at(25), Span::from_secs(1))
        );
        clock.set_right(0, at(30));
        assert_eq!(wrong(&clock, at(30)), 1_000);
        clock.set_right(1, at(40));
        assert_eq!(clock.wall(at(40)), Clock::default().wall(at(40)));
    }

    #[test]
    fn a_drift_adds_up_and_the_monotonic_clock_keeps_what_it_gained() {
        let mut clock = Clock::default();
        clock.skew(0, 0, 10 * PERCENT, at(10));
        assert_eq!((wrong(&clock, at(10)), wrong(&clock, at(20))), (0, 1_000));
        assert_eq!(clock.monotonic(at(20)), at(21));
        assert_eq!(clock.lasts(Span::from_millis(1_100)), Span::from_millis(1_000));
        clock.set_right(0, at(30));
        assert_eq!((wrong(&clock, at(40)), clock.monotonic(at(40))), (0, at(42)));
        assert_eq!(clock.lasts(Span::from_secs(1)), Span::from_secs(1));
    }

    #[test]
    fn no_clock_stands_still_and_no_timer_is_over_at_once() {
        let mut clock = Clock::default();
        for fault in 0..4 {
            clock.skew(fault, 0, -50 * PERCENT, at(0));
        }
        assert_eq!(clock.monotonic(at(10)), at(1));
        assert_eq!(clock.lasts(Span::from_secs(1)), Span::from_secs(10));
        let mut fast = Clock::default();
        fast.skew(0, 0, 50 * PERCENT, at(0));
        assert_eq!(fast.lasts(Span::from_nanos(1)), Span::from_nanos(1));
        assert_eq!(fast.lasts(Span::ZERO), Span::ZERO);
    }
}
