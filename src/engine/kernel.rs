//! The kernel: the clock, the event queue, and the guards against a run that never ends.

use super::{EventQueue, Fingerprint, Time};

/// What the kernel needs to know of an event: how to hash it.
///
/// An event should be small and plain (16 bytes make an entry of 24); what is larger lives in a
/// [`Slab`](super::Slab) and the event holds its key.
pub trait Event: Copy {
    /// The event as two words for the fingerprint. Different events should give different words.
    fn words(&self) -> [u64; 2];
}

impl Event for [u64; 2] {
    #[inline(always)]
    fn words(&self) -> [u64; 2] {
        *self
    }
}

impl Event for u64 {
    #[inline(always)]
    fn words(&self) -> [u64; 2] {
        [*self, 0]
    }
}

impl Event for u32 {
    #[inline(always)]
    fn words(&self) -> [u64; 2] {
        [u64::from(*self), 0]
    }
}

/// When a run is stopped as a runaway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events of the whole run.
    pub max_events: u64,
    /// Events at one instant of virtual time.
    pub max_events_per_instant: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_events: u64::MAX, max_events_per_instant: 10_000_000 }
    }
}

/// Which limit was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunawayKind {
    /// Too many events at one instant: machines chase each other and time stands still.
    SameInstant,
    /// Too many events in the whole run.
    MaxEvents,
}

impl RunawayKind {
    const fn words(self) -> &'static str {
        match self {
            RunawayKind::SameInstant => "events at one instant",
            RunawayKind::MaxEvents => "events in the run",
        }
    }
}

/// A run passed one of its [`Limits`]. Nothing sensible can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {events} {} (at {at})", kind.words())]
pub struct Runaway {
    /// Virtual time of the event that was one too many.
    pub at: Time,
    /// The limit that was passed.
    pub events: u64,
    /// Which limit it was.
    pub kind: RunawayKind,
}

/// The clock and the event queue of a run. A clone runs on by itself and alike.
///
/// ```
/// use mqsim::engine::{Distribution, Kernel, Limits, Stream, Time};
///
/// // Two clocks tick, each at random gaps, for a virtual second.
/// let gap = Distribution::Exponential { mean: 1_000_000 };
/// let mut streams = [Stream::new(1, "clock a"), Stream::new(1, "clock b")];
/// let mut kernel = Kernel::new(Limits::default());
/// kernel.schedule(Time::ZERO, 0_u32);
/// kernel.schedule(Time::ZERO, 1);
/// while let Some(clock) = kernel.next_before(Time::from_nanos(1_000_000_000))? {
///     let now = kernel.now();
///     kernel.schedule(now + gap.span(streams[clock as usize].at(now)), clock);
/// }
/// assert_eq!((kernel.now().as_secs(), kernel.pending()), (1, 2));
/// assert!((1_800..2_200).contains(&kernel.events()));
/// # Ok::<(), mqsim::engine::Runaway>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kernel<E> {
    now: Time,
    queue: EventQueue<E>,
    events: u64,
    /// Events dispatched at `now`.
    at_instant: u64,
    limits: Limits,
    fingerprint: Fingerprint,
}

impl<E: Event> Kernel<E> {
    /// A kernel at time zero with nothing scheduled.
    #[must_use]
    pub fn new(limits: Limits) -> Kernel<E> {
        Kernel {
            now: Time::ZERO,
            queue: EventQueue::new(),
            events: 0,
            at_instant: 0,
            limits,
            fingerprint: Fingerprint::new(),
        }
    }

    /// The time of the last event, or the `end` given to [`next_before`](Self::next_before).
    #[inline(always)]
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Schedules an event. Events of equal times happen in the order in which they were scheduled.
    ///
    /// A time that has passed is a mistake of the caller (a debug build panics); the event then
    /// happens now.
    #[inline(always)]
    pub fn schedule(&mut self, at: Time, event: E) {
        debug_assert!(at >= self.now, "an event was scheduled for {at}, now is {}", self.now);
        self.queue.push(at.max(self.now), event);
    }

    /// Moves to the next event and returns it; `None` if none is left (the clock stays).
    ///
    /// # Errors
    /// [`Runaway`] if the event is one more than the [`Limits`] allow. The run is over then.
    #[inline(always)]
    #[allow(
        clippy::should_implement_trait,
        reason = "an event is asked for by a loop that handles it"
    )]
    pub fn next(&mut self) -> Result<Option<E>, Runaway> {
        match self.queue.pop() {
            Some((at, event)) => self.dispatch(at, event).map(Some),
            None => Ok(None),
        }
    }

    /// Moves to the next event if it is earlier than `end`; otherwise moves the clock to `end` and
    /// returns `None`. Nothing is lost: later events stay scheduled, and more can be scheduled from
    /// `end` on.
    ///
    /// # Errors
    /// [`Runaway`] as for [`next`](Self::next).
    #[inline(always)]
    pub fn next_before(&mut self, end: Time) -> Result<Option<E>, Runaway> {
        match self.queue.pop_before(end) {
            Some((at, event)) => self.dispatch(at, event).map(Some),
            None => {
                if end > self.now {
                    self.now = end;
                    self.at_instant = 0;
                }
                Ok(None)
            }
        }
    }

    #[inline(always)]
    fn dispatch(&mut self, at: Time, event: E) -> Result<E, Runaway> {
        debug_assert!(at >= self.now, "virtual time went back from {} to {at}", self.now);
        self.at_instant = if at == self.now { self.at_instant + 1 } else { 1 };
        self.now = at;
        if self.at_instant > self.limits.max_events_per_instant
            || self.events >= self.limits.max_events
        {
            return Err(self.runaway());
        }
        self.events += 1;
        self.fingerprint.fold_event(at.as_nanos(), event.words());
        Ok(event)
    }

    #[cold]
    #[inline(never)]
    fn runaway(&self) -> Runaway {
        let Limits { max_events, max_events_per_instant } = self.limits;
        if self.events >= max_events {
            Runaway { at: self.now, events: max_events, kind: RunawayKind::MaxEvents }
        } else {
            let kind = RunawayKind::SameInstant;
            Runaway { at: self.now, events: max_events_per_instant, kind }
        }
    }

    /// Events dispatched so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Events scheduled and not yet dispatched.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// The fingerprint, for what happens outside the kernel to be folded in.
    pub fn fingerprint_mut(&mut self) -> &mut Fingerprint {
        &mut self.fingerprint
    }

    /// The fingerprint so far.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Ingredient, Span};

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    fn kernel() -> Kernel<u32> {
        Kernel::new(Limits::default())
    }

    #[test]
    fn the_clock_follows_the_events() {
        let mut kernel = kernel();
        kernel.schedule(at(30), 3);
        kernel.schedule(at(10), 1);
        kernel.schedule(at(30), 4);
        assert_eq!((kernel.pending(), kernel.now()), (3, Time::ZERO));
        assert_eq!((kernel.next(), kernel.now()), (Ok(Some(1)), at(10)));
        kernel.schedule(kernel.now(), 2);
        assert_eq!((kernel.next(), kernel.now()), (Ok(Some(2)), at(10)));
        assert_eq!((kernel.next(), kernel.now()), (Ok(Some(3)), at(30)));
        assert_eq!((kernel.next(), kernel.now()), (Ok(Some(4)), at(30)));
        assert_eq!((kernel.next(), kernel.now()), (Ok(None), at(30)));
        assert_eq!((kernel.pending(), kernel.events()), (0, 4));
    }

    #[test]
    fn an_end_keeps_what_comes_later_and_lets_more_be_scheduled() {
        let mut kernel = kernel();
        kernel.schedule(at(1_000_000), 9);
        kernel.schedule(at(1_000_001), 10);
        assert_eq!((kernel.next_before(at(500)), kernel.now()), (Ok(None), at(500)));
        assert_eq!((kernel.next_before(at(400)), kernel.now()), (Ok(None), at(500)));
        kernel.schedule(at(500), 1);
        kernel.schedule(at(900_000), 2);
        assert_eq!((kernel.next_before(at(500)), kernel.now()), (Ok(None), at(500)));
        assert_eq!((kernel.next_before(at(501)), kernel.now()), (Ok(Some(1)), at(500)));
        assert_eq!((kernel.next_before(at(1_000_000)), kernel.now()), (Ok(Some(2)), at(900_000)));
        assert_eq!((kernel.next_before(at(1_000_000)), kernel.now()), (Ok(None), at(1_000_000)));
        assert_eq!(kernel.next(), Ok(Some(9)));
        assert_eq!(kernel.next_before(Time::MAX), Ok(Some(10)));
        assert_eq!(kernel.next_before(at(2_000_000)), Ok(None));
        assert_eq!(kernel.now(), at(2_000_000));
    }

    #[test]
    fn time_that_stands_still_is_a_runaway() {
        let limits = Limits { max_events_per_instant: 1_000, ..Limits::default() };
        let mut kernel = Kernel::new(limits);
        // A thousand at one instant are allowed, before and after the clock moves.
        for instant in [5, 6] {
            for event in 0..1_000_u32 {
                kernel.schedule(at(instant), event);
            }
        }
        for _ in 0..2_000 {
            assert!(matches!(kernel.next(), Ok(Some(_))));
        }
        kernel.schedule(at(6), 0);
        let runaway = kernel.next().expect_err("the 1001st event at one instant");
        let expected = Runaway { at: at(6), events: 1_000, kind: RunawayKind::SameInstant };
        assert_eq!((runaway, kernel.events()), (expected, 2_000));
        let words = "more than 1000 events at one instant (at 0.000000 s)";
        assert_eq!(runaway.to_string(), words);
    }

    #[test]
    fn too_many_events_are_a_runaway() {
        let mut kernel = Kernel::new(Limits { max_events: 3, ..Limits::default() });
        for nanos in 1..=4_u32 {
            kernel.schedule(at(u64::from(nanos)), nanos);
        }
        for nanos in 1..=3 {
            assert_eq!(kernel.next(), Ok(Some(nanos)));
        }
        let expected = Runaway { at: at(4), events: 3, kind: RunawayKind::MaxEvents };
        assert_eq!(kernel.next(), Err(expected));
        assert_eq!(expected.to_string(), "more than 3 events in the run (at 0.000000 s)");
    }

    #[test]
    fn dispatching_what_is_allowed_is_no_runaway() {
        let mut kernel = Kernel::new(Limits { max_events: 1, ..Limits::default() });
        kernel.schedule(at(1), 7_u32);
        assert_eq!((kernel.next(), kernel.next()), (Ok(Some(7)), Ok(None)));
    }

    fn events_hash(schedule: &[(u64, u32)]) -> u64 {
        let mut kernel = kernel();
        for (nanos, event) in schedule {
            kernel.schedule(at(*nanos), *event);
        }
        while kernel.next() != Ok(None) {}
        kernel.fingerprint().ingredient(Ingredient::Events)
    }

    #[test]
    fn every_dispatch_is_in_the_fingerprint() {
        let plain = events_hash(&[(1, 1), (2, 2)]);
        assert_eq!(plain, events_hash(&[(2, 2), (1, 1)]));
        for other in [&[(1, 1), (3, 2)][..], &[(1, 1), (2, 3)], &[(1, 1)], &[(2, 1), (2, 2)]] {
            assert_ne!(plain, events_hash(other), "{other:?}");
        }
        assert_ne!(events_hash(&[(5, 1), (5, 2)]), events_hash(&[(5, 2), (5, 1)]));
    }

    #[test]
    fn a_clone_runs_on_alike_and_by_itself() {
        let mut kernel = kernel();
        for event in 0..100 {
            kernel.schedule(at(u64::from(event * 7 % 50)), event);
        }
        for _ in 0..30 {
            let _ = kernel.next();
        }
        let mut copy = kernel.clone();
        let run = |kernel: &mut Kernel<u32>| {
            while let Ok(Some(event)) = kernel.next() {
                if event < 1_000 {
                    kernel.schedule(kernel.now() + Span::from_nanos(13), event + 100);
                }
            }
            (kernel.now(), kernel.events(), kernel.fingerprint().total())
        };
        let untouched = kernel.pending();
        let copied = run(&mut copy);
        assert_eq!(kernel.pending(), untouched);
        assert_eq!(run(&mut kernel), copied);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "was scheduled for")]
    fn the_past_cannot_be_scheduled() {
        let mut kernel = kernel();
        kernel.schedule(at(10), 1);
        let _ = kernel.next();
        kernel.schedule(at(9), 2);
    }
}
