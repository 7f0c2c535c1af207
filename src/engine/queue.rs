//! The event queue: a monotone radix queue over the base-64 digits of the time.
//!
//! There are eleven levels of 64 slots. An entry lies at the level of the highest digit in which its
//! time differs from `last`, the time of the last pop, in the slot of that digit. All entries of a
//! level are therefore later than all entries of the levels below it, and the first occupied slot of
//! the lowest occupied level holds the earliest entry. If it is alone there it is popped as it is;
//! otherwise the slot is opened: `last` becomes the earliest time in it, the entries of that time
//! are ready, and the others are dealt out again, each to a lower level. An entry is dealt at most
//! eleven times and two or three times in practice, whatever the number of entries; nothing has to
//! be tuned to the gap between events.
//!
//! Equal times always share a slot, a slot keeps its order and so does dealing: events of equal
//! times come out in the order in which they went in, without a sequence number.
//!
//! Only a pop may move `last`: looking at the earliest time by opening its slot would forbid pushes
//! before that time. [`EventQueue::pop_before`] reads a slot before it opens it.
//!
//! A slot is a list of chunks from one pool, so memory follows the number of pending entries and not
//! the past peak of every slot: 24 bytes for an entry of a 16-byte event and little more.

use super::Time;

/// Bits of a digit.
const BITS: u32 = 6;
/// Slots of a level: the values of a digit.
const DIGITS: usize = 1 << BITS;
/// Levels, the digits of a `u64`, rounded up to a power of two so that a mask proves an index.
const LEVELS: usize = 16;
/// Entries of a chunk.
const CHUNK: u32 = 16;
/// No chunk.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry<E> {
    at: u64,
    event: E,
}

/// The entries of a slot: from `head` to the end of its chunk, then the chunks linked to it, up to
/// `tail`, one past the last entry. An empty slot has `tail` 0.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    head: u32,
    tail: u32,
}

/// Events in order of time, first in first out at equal times.
///
/// The queue is monotone: no event may be pushed for a time before that of the last pop.
#[derive(Clone, Debug)]
pub struct EventQueue<E> {
    /// The pool of chunks.
    entries: Vec<Entry<E>>,
    /// For each chunk the next one of its slot, or of the free list.
    next: Vec<u32>,
    /// The free chunk to be used next.
    free: u32,
    slots: Box<[Slot; LEVELS * DIGITS]>,
    /// A bit for each occupied slot of a level.
    occupied: [u64; LEVELS],
    /// A bit for each level with an occupied slot.
    levels: u32,
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
            entries: Vec::new(),
            next: Vec::new(),
            free: NONE,
            slots: Box::new([Slot::default(); LEVELS * DIGITS]),
            occupied: [0; LEVELS],
            levels: 0,
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
        if at == self.last {
            self.ready.push(event);
        } else {
            self.deal(Entry { at, event });
        }
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
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize % LEVELS;
        let digit = self.occupied[level].trailing_zeros() as usize % DIGITS;
        let Slot { head, tail } = self.slots[level * DIGITS + digit];
        debug_assert!(tail != 0, "a slot is marked as occupied and is empty");
        if tail != head + 1 {
            return self.open(level, digit, limit);
        }
        let Entry { at, event } = self.entries[head as usize];
        if at > limit {
            return None;
        }
        self.vacate(level, digit);
        self.release(head / CHUNK);
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
        let level = (entry.at ^ self.last).ilog2() / BITS;
        let digit = (entry.at >> (BITS * level)) as usize % DIGITS;
        let level = level as usize % LEVELS;
        let mut tail = self.slots[level * DIGITS + digit].tail;
        if tail.is_multiple_of(CHUNK) {
            tail = self.extend(level * DIGITS + digit, entry);
        }
        self.entries[tail as usize] = entry;
        self.slots[level * DIGITS + digit].tail = tail + 1;
        self.occupied[level] |= 1 << digit;
        self.levels |= 1 << level;
    }

    /// Gives an empty slot its first chunk or a full one another; returns the place for an entry.
    #[inline(always)]
    fn extend(&mut self, slot: usize, entry: Entry<E>) -> u32 {
        let chunk = if self.free == NONE { self.grow(entry) } else { self.free };
        self.free = self.next[chunk as usize];
        let Slot { head, tail } = &mut self.slots[slot];
        if *tail == 0 {
            *head = chunk * CHUNK;
        } else {
            self.next[(*tail / CHUNK - 1) as usize] = chunk;
        }
        chunk * CHUNK
    }

    /// Adds a chunk to the pool.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, filler: Entry<E>) -> u32 {
        let chunk = self.next.len() as u32;
        debug_assert!(chunk < NONE / CHUNK, "more than 2^32 events are pending");
        self.next.push(NONE);
        self.entries.extend_from_slice(&[filler; CHUNK as usize]);
        chunk
    }

    /// Marks a slot as empty.
    #[inline(always)]
    fn vacate(&mut self, level: usize, digit: usize) {
        self.slots[level * DIGITS + digit].tail = 0;
        self.occupied[level] &= !(1 << digit);
        self.levels &= !(u32::from(self.occupied[level] == 0) << level);
    }

    /// Puts a chunk on the free list.
    #[inline(always)]
    fn release(&mut self, chunk: u32) {
        self.next[chunk as usize] = self.free;
        self.free = chunk;
    }

    /// Opens the slot with the earliest entries if the earliest time is at most `limit`: takes the
    /// first of that time, makes the others of that time ready, deals out the rest.
    #[inline(never)]
    fn open(&mut self, level: usize, digit: usize, limit: u64) -> Option<(Time, E)> {
        let Slot { head, tail } = self.slots[level * DIGITS + digit];
        let earliest = self.earliest(head, tail);
        if earliest > limit {
            return None;
        }
        self.vacate(level, digit);
        self.last = earliest;
        let mut chunk = head / CHUNK;
        let last_chunk = (tail - 1) / CHUNK;
        loop {
            let start = chunk * CHUNK;
            let end = if chunk == last_chunk { tail } else { start + CHUNK };
            for place in start..end {
                let entry = self.entries[place as usize];
                if entry.at == earliest {
                    self.ready.push(entry.event);
                } else {
                    self.deal(entry);
                }
            }
            let following = self.next[chunk as usize];
            self.release(chunk);
            if chunk == last_chunk {
                break;
            }
            chunk = following;
        }
        self.take_ready(limit)
    }

    /// The earliest time among the entries of a slot.
    #[inline(always)]
    fn earliest(&self, head: u32, tail: u32) -> u64 {
        let mut earliest = u64::MAX;
        let mut chunk = head / CHUNK;
        let last_chunk = (tail - 1) / CHUNK;
        while chunk != last_chunk {
            let start = (chunk * CHUNK) as usize;
            for entry in &self.entries[start..start + CHUNK as usize] {
                earliest = earliest.min(entry.at);
            }
            chunk = self.next[chunk as usize];
        }
        for entry in &self.entries[(last_chunk * CHUNK) as usize..tail as usize] {
            earliest = earliest.min(entry.at);
        }
        earliest
    }
}
