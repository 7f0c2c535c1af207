//! Tells a producer when to send: in an open loop at intended times, in a closed loop as answers
//! come back.

use std::collections::VecDeque;

use super::Arrivals;
use crate::engine::{Span, Stream, Time};

/// What a producer is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send a message that was meant to be sent at `intended`, which is not later than now.
    Send {
        /// When it was meant to be sent.
        intended: Time,
    },
    /// Do not send the message that was meant to be sent at `intended`: it is further behind than
    /// the producer catches up. It counts as unsent.
    Skip {
        /// When it was meant to be sent.
        intended: Time,
    },
    /// Nothing until then.
    Wait {
        /// Later than now.
        until: Time,
    },
    /// Nothing until an outcome is known: every slot of the closed loop is in flight.
    InFlight,
    /// Nothing any more.
    Done,
}

/// The pace of one producer. A producer that can send asks [`Pacer::turn`] until it is told to
/// wait; one that cannot send does not ask, and what was meant to be sent meanwhile is overdue.
#[derive(Clone, Debug)]
pub struct Pacer {
    pace: State,
}

#[derive(Clone, Debug)]
enum State {
    Open {
        arrivals: Arrivals,
        /// The next intended time, once it is known.
        next: Option<Time>,
        catch_up: Option<Span>,
        done: bool,
    },
    Closed {
        /// Slots that were never used, ready since the start.
        fresh: u64,
        start: Time,
        /// When the other free slots are ready, in order.
        ready: VecDeque<Time>,
        think: Span,
        stop: Time,
        left: u64,
    },
}

impl Pacer {
    /// An open loop: sends at the intended times. What is more than `catch_up` late is skipped;
    /// nothing is if that is `None`.
    #[must_use]
    pub fn open(arrivals: Arrivals, catch_up: Option<Span>) -> Pacer {
        Pacer { pace: State::Open { arrivals, next: None, catch_up, done: false } }
    }

    /// A closed loop from `start` until just before `stop`: `in_flight` messages at once, and
    /// after each outcome the pause `think`. At most `count` messages if given.
    #[must_use]
    pub fn closed(
        in_flight: u64,
        think: Span,
        start: Time,
        stop: Time,
        count: Option<u64>,
    ) -> Pacer {
        let left = count.unwrap_or(u64::MAX);
        let ready = VecDeque::new();
        Pacer { pace: State::Closed { fresh: in_flight, start, ready, think, stop, left } }
    }

    /// What to do at `now`, which never goes back. Intended times are drawn from `stream`.
    pub fn turn(&mut self, now: Time, stream: &mut Stream) -> Turn {
        match &mut self.pace {
            State::Open { catch_up, .. } => {
                let catch_up = *catch_up;
                let Some(intended) = self.peek(stream) else { return Turn::Done };
                if intended > now {
                    return Turn::Wait { until: intended };
                }
                self.take();
                match catch_up {
                    Some(most) if now.since(intended) > most => Turn::Skip { intended },
                    _ => Turn::Send { intended },
                }
            }
            State::Closed { fresh, start, ready, stop, left, .. } => {
                let first = if *fresh > 0 { Some(*start) } else { ready.front().copied() };
                let over = *left == 0 || now >= *stop;
                match first {
                    _ if over => Turn::Done,
                    None => Turn::InFlight,
                    Some(at) if at >= *stop => Turn::Done,
                    Some(at) if at > now => Turn::Wait { until: at },
                    Some(intended) => {
                        *left -= 1;
                        match *fresh {
                            0 => drop(ready.pop_front()),
                            _ => *fresh -= 1,
                        }
                        Turn::Send { intended }
                    }
                }
            }
        }
    }

    /// An outcome became known at `now`: its slot of a closed loop is free after the pause. An
    /// open loop does not care.
    pub fn settled(&mut self, now: Time) {
        let ready = now + self.think();
        self.free(ready);
    }

    /// The pause of a closed loop after an outcome; none in an open loop.
    #[must_use]
    pub fn think(&self) -> Span {
        match self.pace {
            State::Open { .. } => Span::ZERO,
            State::Closed { think, .. } => think,
        }
    }

    /// Whether what is sent next depends on what became of earlier messages.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.pace, State::Closed { .. })
    }

    /// A slot of a closed loop is free from `at` on.
    pub fn free(&mut self, at: Time) {
        if let State::Closed { ready, .. } = &mut self.pace {
            let place = ready.partition_point(|other| *other <= at);
            ready.insert(place, at);
        }
    }

    /// The next message that was meant to be sent at or before `now` and was not: for the end of
    /// the load, when nothing is sent any more. Ask until there is none.
    pub fn overdue(&mut self, now: Time, stream: &mut Stream) -> Option<Time> {
        let intended = self.peek(stream).filter(|at| *at <= now)?;
        self.take();
        Some(intended)
    }

    /// The next intended time of an open loop.
    fn peek(&mut self, stream: &mut Stream) -> Option<Time> {
        let State::Open { arrivals, next, done, .. } = &mut self.pace else { return None };
        if next.is_none() && !*done {
            *next = arrivals.next(stream);
            *done = next.is_none();
        }
        *next
    }

    fn take(&mut self) {
        if let State::Open { next, .. } = &mut self.pace {
            *next = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;
    use crate::scenario::Rate;

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    fn open(catch_up: Option<Span>) -> Pacer {
        let profile = Profile::Constant(Rate::per_second(10));
        Pacer::open(Arrivals::new(profile, Time::ZERO, at(1000), None), catch_up)
    }

    #[test]
    fn an_open_loop_sends_at_the_intended_times() {
        let (mut pacer, stream) = (open(None), &mut Stream::fixed(1, "p"));
        assert_eq!(pacer.turn(at(0), stream), Turn::Send { intended: at(0) });
        assert_eq!(pacer.turn(at(0), stream), Turn::Wait { until: at(100) });
        assert_eq!(pacer.turn(at(99), stream), Turn::Wait { until: at(100) });
        // Blocked until 450 ms: everything is caught up, with its intended time.
        let turns: Vec<Turn> = (0..5).map(|_| pacer.turn(at(450), stream)).collect();
        let sent = |millis| Turn::Send { intended: at(millis) };
        let wait = Turn::Wait { until: at(500) };
        assert_eq!(turns, [sent(100), sent(200), sent(300), sent(400), wait]);
        pacer.settled(at(450));
        assert_eq!(pacer.turn(at(450), stream), wait);
    }

    #[test]
    fn what_is_too_late_is_skipped() {
        let (mut pacer, stream) = (open(Some(Span::from_millis(200))), &mut Stream::fixed(1, "p"));
        let turns: Vec<Turn> = (0..6).map(|_| pacer.turn(at(400), stream)).collect();
        let skipped = |millis| Turn::Skip { intended: at(millis) };
        let sent = |millis| Turn::Send { intended: at(millis) };
        let wait = Turn::Wait { until: at(500) };
        // 200 ms is not late yet.
        assert_eq!(turns, [skipped(0), skipped(100), sent(200), sent(300), sent(400), wait]);
    }

    #[test]
    fn what_is_overdue_at_the_end_is_told_once() {
        let (mut pacer, stream) = (open(None), &mut Stream::fixed(1, "p"));
        assert_eq!(pacer.turn(at(750), stream), Turn::Send { intended: at(0) });
        let overdue: Vec<Time> = std::iter::from_fn(|| pacer.overdue(at(250), stream)).collect();
        assert_eq!(overdue, [at(100), at(200)]);
        while pacer.overdue(at(5000), stream).is_some() {}
        assert_eq!(pacer.turn(at(5000), stream), Turn::Done);
    }

    #[test]
    fn a_closed_loop_waits_for_outcomes_and_thinks() {
        let mut pacer = Pacer::closed(2, Span::from_millis(10), at(5), at(100), Some(4));
        let stream = &mut Stream::fixed(1, "p");
        assert_eq!(pacer.turn(at(0), stream), Turn::Wait { until: at(5) });
        assert_eq!(pacer.turn(at(7), stream), Turn::Send { intended: at(5) });
        assert_eq!(pacer.turn(at(7), stream), Turn::Send { intended: at(5) });
        assert_eq!(pacer.turn(at(7), stream), Turn::InFlight);
        pacer.settled(at(20));
        assert_eq!(pacer.turn(at(20), stream), Turn::Wait { until: at(30) });
        assert_eq!(pacer.turn(at(35), stream), Turn::Send { intended: at(30) });
        assert_eq!(pacer.turn(at(35), stream), Turn::InFlight);
        pacer.settled(at(36));
        pacer.settled(at(37));
        assert_eq!(pacer.turn(at(50), stream), Turn::Send { intended: at(46) });
        assert_eq!(pacer.turn(at(50), stream), Turn::Done, "four were sent");
        assert_eq!(pacer.overdue(at(50), stream), None);
    }

    #[test]
    fn a_closed_loop_ends_at_its_stop() {
        let mut pacer = Pacer::closed(1, Span::from_millis(10), at(0), at(20), None);
        let stream = &mut Stream::fixed(1, "p");
        assert_eq!(pacer.turn(at(0), stream), Turn::Send { intended: at(0) });
        pacer.settled(at(15));
        assert_eq!(pacer.turn(at(15), stream), Turn::Done, "the slot is ready only at 25 ms");
        assert_eq!(pacer.turn(at(30), stream), Turn::Done);
    }
}
