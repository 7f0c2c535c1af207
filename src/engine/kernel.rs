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
    fn words(&self) -> [u64; 2] {
        *self
    }
}

impl Event for u64 {
    fn words(&self) -> [u64; 2] {
        [*self, 0]
    }
}

impl Event for u32 {
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
