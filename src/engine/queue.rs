//! The event queue.

use std::collections::BTreeMap;

use super::Time;

/// Events in order of time, first in first out at equal times.
#[derive(Clone, Debug)]
pub struct EventQueue<E> {
    entries: BTreeMap<(Time, u64), E>,
    pushed: u64,
}

impl<E: Copy> Default for EventQueue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Copy> EventQueue<E> {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        EventQueue { entries: BTreeMap::new(), pushed: 0 }
    }
    /// Adds an event. `at` must not be earlier than the last event that was popped.
    pub fn push(&mut self, at: Time, event: E) {
        self.pushed += 1;
        self.entries.insert((at, self.pushed), event);
    }
    /// Takes the earliest event.
    pub fn pop(&mut self) -> Option<(Time, E)> {
        self.entries.pop_first().map(|((at, _), event)| (at, event))
    }
    /// Takes the earliest event if it is earlier than `end`.
    pub fn pop_before(&mut self, end: Time) -> Option<(Time, E)> {
        if self.entries.first_key_value()?.0.0 >= end {
            return None;
        }
        self.pop()
    }
    /// Number of events in the queue.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// Whether no event is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
