//! The event queue: a monotone radix queue over the base-64 digits of the time.
//!
//! There are eleven levels of 64 slots. An entry lies at the level of the highest digit in which
//! its time differs from `last`, the time of the last pop, in the slot of that digit. All entries
//! of a level are therefore later than all entries of the levels below it, and the first occupied
//! slot of the lowest occupied level holds the earliest entry. What is done with that slot depends
//! on how many entries it has:
//!
//! * One: it is popped as it is.
//! * A few: they are sorted and become the *run*, which is popped from its front. The span of time
//!   of the slot is the *window*; a push into it goes to its place in the run.
//! * Many: `last` becomes the earliest time among them, those of that time are *ready*, and the
//!   others are dealt out again, each to a lower level.
//!
//! An entry is dealt at most eleven times and once or twice in practice, whatever the number of
//! entries; nothing has to be tuned to the gap between events.
//!
//! Equal times always share a slot, a slot keeps its order, and so do dealing and sorting: events
//! of equal times come out in the order in which they went in, without a sequence number. For that,
//! the run and what is ready have to be left in order too: an event pushed for `last` goes behind
//! the entries of that time in the run if there are any, and else to what is ready.
//!
//! Only a pop may move `last`, or pushes before the earliest entry would be lost. The window may
//! open earlier: [`EventQueue::pop_before`] can sort a slot and take nothing from it.
//!
//! A slot has a chunk of places of its own, so that a push into an empty slot is like any other
//! (an empty slot cannot be foretold, and a wrong guess costs the processor more than the push).
//! Past that it is a list of chunks from one pool: memory follows the number of pending entries and
//! not the past peak of every slot. A million pending 16-byte events take 24 bytes each and little
//! more, besides the 270 KiB of the slots themselves.

use super::Time;

/// Bits of a digit.
const BITS: u32 = 6;
/// Slots of a level: the values of a digit.
const DIGITS: usize = 1 << BITS;
/// Levels: the digits of a `u64`.
const LEVELS: usize = 11;
/// Levels rounded up to a power of two, so that a mask proves an index.
const LEVELS_ROUNDED: usize = LEVELS.next_power_of_two();
/// Places of a chunk.
const CHUNK: usize = 16;
/// A slot with no more entries than this is sorted and not dealt out. Less than `CHUNK`: all of
/// them lie in the slot's own chunk.
const SORTED: usize = 8;
/// Places of the run.
const RUN: usize = 16;
/// No chunk.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry<E> {
    at: u64,
    event: E,
}

/// Events in order of time, first in first out at equal times.
///
/// The queue is monotone: no event may be pushed for a time before that of the last pop.
#[derive(Clone, Debug)]
pub struct EventQueue<E> {
    /// The pool of chunks, `CHUNK` places each. The first `LEVELS * DIGITS` are the slots' own, the
    /// others are added as they are needed. Empty until the first push.
    places: Vec<Entry<E>>,
    /// For each chunk the next one of its slot, or of the free list.
    next: Vec<u32>,
    /// The free chunk to be used next.
    free: u32,
    /// For each slot the place for its next entry. The entries lie before it: in the slot's own
    /// chunk, then in the chunks linked to it.
    tails: Box<[u32; LEVELS_ROUNDED * DIGITS]>,
    /// A bit for each occupied slot of a level.
    occupied: [u64; LEVELS_ROUNDED],
    /// A bit for each level with an occupied slot.
    levels: u32,
    /// The slot that is being popped, sorted: those of these places from `run_head` to `run_tail`.
    run: Vec<Entry<E>>,
    run_head: usize,
    run_tail: usize,
    /// All entries up to this time are in `run` or `ready`, all later ones in slots. Never before
    /// `last`.
    window: u64,
    /// Time of the last pop, and of all that is ready.
    last: u64,
    /// Events at `last`, of which those before `taken` have been popped.
    ready: Vec<E>,
    taken: usize,
    len: usize,
}

impl<E: Copy> Default for EventQueue<E> {
    fn default() -> EventQueue<E> {
        EventQueue::new()
    }
}

impl<E: Copy> EventQueue<E> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> EventQueue<E> {
        EventQueue {
            places: Vec::new(),
            next: Vec::new(),
            free: NONE,
            tails: Box::new(std::array::from_fn(|slot| (slot * CHUNK) as u32)),
            occupied: [0; LEVELS_ROUNDED],
            levels: 0,
            run: Vec::new(),
            run_head: 0,
            run_tail: 0,
            window: 0,
            last: 0,
            ready: Vec::new(),
            taken: 0,
            len: 0,
        }
    }

    /// Adds an event. `at` must not be earlier than the last event that was popped.
    #[inline(always)]
    pub fn push(&mut self, at: Time, event: E) {
        let at = at.as_nanos();
        debug_assert!(at >= self.last, "pushed at {at}, after a pop at {}", self.last);
        self.len += 1;
        if at <= self.window {
            self.push_near(Entry { at, event });
        } else {
            self.deal(Entry { at, event });
        }
    }

    /// Adds an entry that comes before all that lie in slots.
    #[inline(never)]
    fn push_near(&mut self, entry: Entry<E>) {
        let run = &self.run[self.run_head..self.run_tail];
        if entry.at == self.last && run.first().is_none_or(|first| first.at > entry.at) {
            self.make_ready(entry.event);
            return;
        }
        if self.run_tail == RUN {
            if self.run_head < RUN / 2 {
                self.close_run();
                self.settle(entry);
                return;
            }
            self.run.copy_within(self.run_head..self.run_tail, 0);
            self.run_tail -= self.run_head;
            self.run_head = 0;
        }
        let mut place = self.run_tail;
        while place > self.run_head && self.run[place - 1].at > entry.at {
            self.run[place] = self.run[place - 1];
            place -= 1;
        }
        self.run[place] = entry;
        self.run_tail += 1;
    }

    /// Deals out what is left of the run.
    fn close_run(&mut self) {
        debug_assert!(
            self.ready.is_empty() || self.run[self.run_head..self.run_tail][0].at > self.last,
            "the run has entries that should have come before what is ready"
        );
        self.window = self.last;
        for place in self.run_head..self.run_tail {
            self.settle(self.run[place]);
        }
        self.run_head = 0;
        self.run_tail = 0;
    }

    /// Makes an entry of the time `last` ready and deals out a later one.
    #[inline(always)]
    fn settle(&mut self, entry: Entry<E>) {
        if entry.at == self.last {
            self.make_ready(entry.event);
        } else {
            self.deal(entry);
        }
    }

    /// Adds an event of the time `last`. Where events of one instant keep causing others the front
    /// of the list is given back before the list grows.
    #[inline(always)]
    fn make_ready(&mut self, event: E) {
        if self.ready.len() == self.ready.capacity() && self.taken > self.ready.len() / 2 {
            self.ready.drain(..self.taken);
            self.taken = 0;
        }
        self.ready.push(event);
    }

    /// Takes the earliest event; of equal times the one pushed first.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<(Time, E)> {
        self.take(u64::MAX)
    }

    /// Takes the earliest event if it is earlier than `end`. If it is not, the queue is as before.
    #[inline(always)]
    pub fn pop_before(&mut self, end: Time) -> Option<(Time, E)> {
        self.take(end.as_nanos().checked_sub(1)?)
    }

    /// Number of events in the queue.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the queue is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the earliest event if its time is at most `limit`.
    #[inline(always)]
    fn take(&mut self, limit: u64) -> Option<(Time, E)> {
        if self.taken < self.ready.len() {
            return self.take_ready(limit);
        }
        if self.run_head < self.run_tail {
            return self.take_run(limit);
        }
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize % LEVELS_ROUNDED;
        let slot = level * DIGITS + self.occupied[level].trailing_zeros() as usize % DIGITS;
        debug_assert!(self.tails[slot] as usize > slot * CHUNK, "an occupied slot is empty");
        if self.tails[slot] as usize != slot * CHUNK + 1 {
            return self.open(slot, limit);
        }
        let Entry { at, event } = self.places[slot * CHUNK];
        if at > limit {
            return None;
        }
        debug_assert!(at > self.last, "a slot holds what should have been popped before");
        self.vacate(slot);
        self.last = at;
        self.window = at;
        self.len -= 1;
        Some((Time::from_nanos(at), event))
    }

    #[inline(always)]
    fn take_run(&mut self, limit: u64) -> Option<(Time, E)> {
        let Entry { at, event } = self.run[self.run_head];
        if at > limit {
            return None;
        }
        debug_assert!(at >= self.last && at <= self.window, "the run is out of order");
        self.run_head += 1;
        self.last = at;
        self.len -= 1;
        Some((Time::from_nanos(at), event))
    }

    #[inline(always)]
    fn take_ready(&mut self, limit: u64) -> Option<(Time, E)> {
        if self.last > limit {
            return None;
        }
        let event = self.ready[self.taken];
        self.taken += 1;
        if self.taken == self.ready.len() {
            self.ready.clear();
            self.taken = 0;
        }
        self.len -= 1;
        Some((Time::from_nanos(self.last), event))
    }

    /// Puts an entry later than `last` into its slot.
    #[inline(always)]
    fn deal(&mut self, entry: Entry<E>) {
        debug_assert!(entry.at > self.last);
        let level = (entry.at ^ self.last).ilog2() / BITS;
        let digit = (entry.at >> (BITS * level)) as usize % DIGITS;
        let level = level as usize % LEVELS_ROUNDED;
        let slot = level * DIGITS + digit;
        let tail = self.tails[slot] as usize;
        if tail >= self.places.len() {
            self.furnish(entry);
        }
        self.places[tail] = entry;
        self.tails[slot] = tail as u32 + 1;
        self.occupied[level] |= 1 << digit;
        self.levels |= 1 << level;
        if (tail + 1).is_multiple_of(CHUNK) {
            self.extend(slot, entry);
        }
    }

    /// Links another chunk to a slot whose last chunk has just become full.
    #[inline(always)]
    fn extend(&mut self, slot: usize, filler: Entry<E>) {
        let full = self.tails[slot] as usize / CHUNK - 1;
        if self.free == NONE {
            self.grow(filler);
        }
        let chunk = self.free;
        self.free = self.next[chunk as usize];
        self.next[full] = chunk;
        self.tails[slot] = chunk * CHUNK as u32;
    }

    /// Makes the slots' own chunks, at the first push.
    #[cold]
    #[inline(never)]
    fn furnish(&mut self, filler: Entry<E>) {
        debug_assert!(self.places.is_empty(), "the places of a chunk in use exist");
        self.next = vec![NONE; LEVELS * DIGITS];
        self.run = vec![filler; RUN];
        self.places = vec![filler; LEVELS * DIGITS * CHUNK];
    }

    /// Adds a free chunk to the pool.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, filler: Entry<E>) {
        let chunk = self.next.len() as u32;
        debug_assert!(chunk < NONE / CHUNK as u32, "more than 2^32 events are pending");
        self.next.push(self.free);
        self.places.extend_from_slice(&[filler; CHUNK]);
        self.free = chunk;
    }

    /// Marks a slot as empty.
    #[inline(always)]
    fn vacate(&mut self, slot: usize) {
        let level = slot / DIGITS % LEVELS_ROUNDED;
        self.tails[slot] = (slot * CHUNK) as u32;
        self.occupied[level] &= !(1 << (slot % DIGITS));
        self.levels &= !(u32::from(self.occupied[level] == 0) << level);
    }

    /// Opens the slot with the earliest entries if the earliest time is at most `limit`: takes the
    /// first of that time, makes the others of that time ready, deals out the rest.
    #[inline(never)]
    fn open(&mut self, slot: usize, limit: u64) -> Option<(Time, E)> {
        let tail = self.tails[slot] as usize;
        if tail - slot * CHUNK <= SORTED {
            self.sort(slot, tail);
            return self.take_run(limit);
        }
        let earliest = self.earliest(slot, tail);
        if earliest > limit {
            return None;
        }
        debug_assert!(earliest > self.last && self.ready.is_empty());
        self.vacate(slot);
        self.last = earliest;
        self.window = earliest;
        let mut chunk = slot;
        loop {
            let following = self.next[chunk] as usize;
            let end = if chunk == tail / CHUNK { tail } else { (chunk + 1) * CHUNK };
            for place in chunk * CHUNK..end {
                let entry = self.places[place];
                self.settle(entry);
            }
            if chunk != slot {
                self.next[chunk] = self.free;
                self.free = chunk as u32;
            }
            if chunk == tail / CHUNK {
                break;
            }
            chunk = following;
        }
        self.take_ready(limit)
    }

    /// Makes the few entries of a slot the run: each goes to the place that is the number of
    /// entries before it.
    #[inline(always)]
    fn sort(&mut self, slot: usize, tail: usize) {
        self.vacate(slot);
        let entries = &self.places[slot * CHUNK..tail];
        for (i, entry) in entries.iter().enumerate() {
            let mut before = 0;
            for other in &entries[..i] {
                before += usize::from(other.at <= entry.at);
            }
            for other in &entries[i + 1..] {
                before += usize::from(other.at < entry.at);
            }
            self.run[before] = *entry;
        }
        self.run_head = 0;
        self.run_tail = entries.len();
        debug_assert!(self.run[..entries.len()].is_sorted_by_key(|entry| entry.at));
        self.window = entries[0].at | ((1 << (slot / DIGITS * BITS as usize)) - 1);
    }

    /// The earliest time among the entries of a slot.
    #[inline(always)]
    fn earliest(&self, slot: usize, tail: usize) -> u64 {
        let mut earliest = u64::MAX;
        let mut chunk = slot;
        while chunk != tail / CHUNK {
            for entry in &self.places[chunk * CHUNK..(chunk + 1) * CHUNK] {
                earliest = earliest.min(entry.at);
            }
            chunk = self.next[chunk] as usize;
        }
        for entry in &self.places[chunk * CHUNK..tail] {
            earliest = earliest.min(entry.at);
        }
        earliest
    }
}

#[cfg(test)]
mod tests;
