//! 256 consecutive lines.
//!
//! Of each line a chunk keeps one byte: an index into the few distinct states that its lines are
//! in. Times are kept for those lines only whose fate or answer is still open, as offsets in 32
//! bits.

use super::sparse::{POSITIONS, Positions, Sparse};
use super::state::State;
use crate::engine::Time;

/// Means "no time" in a [`Slot`].
const NEVER: u32 = u32::MAX;

/// The times of a line, as offsets from the chunk's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    intended: u32,
    /// Its last transmission while it waits for an answer, then the time of the answer.
    mark: u32,
}

/// The times of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verdict) struct Times {
    /// When it should have been sent.
    pub(in crate::verdict) intended: Time,
    /// Its last transmission while it waits for an answer, then the time of the answer.
    pub(in crate::verdict) mark: Option<Time>,
}

/// A state in the low 48 bits, and how many lines are in it above.
#[derive(Clone, Copy, Debug)]
struct Entry(u64);

impl Entry {
    const LINE: u64 = 1 << 48;

    const fn is(self, state: u64) -> bool {
        self.0 % Entry::LINE == state
    }

    const fn lines(self) -> usize {
        (self.0 / Entry::LINE) as usize
    }
}

/// What is kept while a chunk has lines whose last copy went.
#[derive(Clone, Debug)]
struct Grave {
    /// When the last copy of a line went.
    lost: Sparse<u32>,
    /// The latest instant at which a removal was named in this chunk, and of which lines: several
    /// removals at one instant are ranked by the precedence of their causes.
    named_at: Time,
    named: Positions,
}

/// A chunk whose lines differ, or some of whose times are needed.
#[derive(Clone, Debug)]
pub(super) struct Live {
    states: [u8; POSITIONS],
    palette: Vec<Entry>,
    times: Sparse<Slot>,
    grave: Option<Box<Grave>>,
    base: Time,
    /// Offsets are in units of 2^shift nanoseconds, the smallest that the chunk's span allows.
    shift: u32,
}

impl Live {
    pub(super) fn uniform(state: State) -> Live {
        Live {
            states: [0; POSITIONS],
            palette: vec![Entry(state.pack() + POSITIONS as u64 * Entry::LINE)],
            times: Sparse::default(),
            grave: None,
            base: Time::ZERO,
            shift: 0,
        }
    }

    /// The state that all lines share, if they do and no time is kept.
    pub(super) fn as_uniform(&self, position: u8) -> Option<State> {
        let entry = self.palette[self.states[position as usize] as usize];
        let bare = self.times.is_empty() && self.grave.is_none();
        (entry.lines() == POSITIONS && bare).then(|| State::unpack(entry.0))
    }

    pub(super) fn state(&self, position: u8) -> State {
        State::unpack(self.palette[self.states[position as usize] as usize].0)
    }

    pub(super) fn put(&mut self, position: u8, state: State) {
        let state = state.pack();
        let old = &mut self.palette[self.states[position as usize] as usize];
        if old.is(state) {
            return;
        }
        old.0 -= Entry::LINE;
        let new = self.entry(state);
        self.palette[new].0 += Entry::LINE;
        self.states[position as usize] = new as u8;
    }

    /// An entry with that state. At most 255 entries are in use when it is called, since the line
    /// that changes has just left its own, so that an index fits a byte.
    fn entry(&mut self, state: u64) -> usize {
        if let Some(found) = self.palette.iter().position(|entry| entry.is(state)) {
            return found;
        }
        if self.palette.len() >= 8
            && let Some(free) = self.palette.iter().position(|entry| entry.lines() == 0)
        {
            self.palette[free] = Entry(state);
            return free;
        }
        self.palette.push(Entry(state));
        self.palette.len() - 1
    }

    fn wide(&self, offset: u32) -> Time {
        Time::from_nanos(self.base.as_nanos() + (u64::from(offset) << self.shift))
    }

    fn narrow(&mut self, time: Time) -> u32 {
        if time < self.base {
            self.move_base(time);
        }
        let offset = time.since(self.base).as_nanos();
        while offset >> self.shift >= u64::from(NEVER) {
            self.coarsen();
        }
        (offset >> self.shift) as u32
    }

    /// Calls `change` for every offset that is kept.
    fn each_offset(&mut self, mut change: impl FnMut(&mut u32)) {
        for slot in self.times.values_mut() {
            change(&mut slot.intended);
            if slot.mark != NEVER {
                change(&mut slot.mark);
            }
        }
        if let Some(grave) = &mut self.grave {
            grave.lost.values_mut().iter_mut().for_each(change);
        }
    }

    /// Doubles the unit of offsets.
    fn coarsen(&mut self) {
        self.shift += 1;
        self.each_offset(|offset| *offset >>= 1);
    }

    /// Makes room for a time before the base: rare, since lines are opened in order.
    #[cold]
    fn move_base(&mut self, time: Time) {
        let gap = self.base.since(time).as_nanos();
        let mut greatest = 0;
        self.each_offset(|offset| greatest = greatest.max(*offset));
        let reach = (u64::from(greatest) << self.shift) + gap;
        while reach >> self.shift >= u64::from(NEVER) - 1 {
            self.coarsen();
        }
        let units = gap.div_ceil(1 << self.shift);
        self.each_offset(|offset| *offset += units as u32);
        let moved = self.base.as_nanos().saturating_sub(units << self.shift);
        self.base = Time::from_nanos(moved);
    }

    pub(super) fn times(&self, position: u8) -> Option<Times> {
        let slot = self.times.get(position)?;
        let mark = (slot.mark != NEVER).then(|| self.wide(slot.mark));
        Some(Times { intended: self.wide(slot.intended), mark })
    }

    pub(super) fn open_times(&mut self, position: u8, intended: Time) {
        if self.times.is_empty() && self.grave.is_none() {
            self.base = intended;
            self.shift = 0;
        }
        let intended = self.narrow(intended);
        self.times.insert(position, Slot { intended, mark: NEVER });
    }

    pub(super) fn mark(&mut self, position: u8, at: Time) {
        let mark = self.narrow(at);
        if let Some(slot) = self.times.get_mut(position) {
            slot.mark = mark;
        }
    }

    pub(super) fn close_times(&mut self, position: u8) {
        self.times.remove(position);
    }

    /// Notes that a removal or drop of a line at `at` was named; `false` if it is the first at that
    /// instant.
    pub(super) fn name(&mut self, position: u8, at: Time) -> bool {
        let grave = self.grave.get_or_insert_with(|| {
            let (lost, named) = (Sparse::default(), Positions::default());
            Box::new(Grave { lost, named_at: at, named })
        });
        if grave.named_at != at {
            grave.named_at = at;
            grave.named = Positions::default();
        }
        let again = grave.named.contains(position);
        grave.named.insert(position);
        again
    }

    /// Remembers when a line's last copy went.
    pub(super) fn bury(&mut self, position: u8, at: Time) {
        let offset = self.narrow(at);
        if let Some(grave) = &mut self.grave {
            grave.lost.insert(position, offset);
        }
    }

    /// Forgets that a line's last copy ever went.
    pub(super) fn dig_up(&mut self, position: u8) {
        if let Some(grave) = &mut self.grave {
            grave.lost.remove(position);
            grave.named.remove(position);
            if grave.lost.is_empty() && grave.named.is_empty() {
                self.grave = None;
            }
        }
    }

    pub(super) fn lost_at(&self, position: u8) -> Option<Time> {
        let offset = self.grave.as_ref()?.lost.get(position)?;
        Some(self.wide(offset))
    }

    /// Bytes that it occupies, itself included.
    pub(super) fn footprint(&self) -> usize {
        let grave = self.grave.as_ref().map_or(0, |g| size_of::<Grave>() + g.lost.heap());
        let palette = self.palette.capacity() * size_of::<Entry>();
        size_of::<Live>() + palette + self.times.heap() + grave
    }
}
