//! Lanes: the serial execution contexts of a node, and what waits for them.

use std::collections::VecDeque;

use crate::engine::{Span, Time};

use super::machine::{ConnId, Input, Lane};

/// No slot.
const NONE: u32 = u32::MAX;

/// What waits for a lane: the more urgent first, of equals first come first served.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox<M> {
    waiting: VecDeque<(u8, Input<M>)>,
}

impl<M> Mailbox<M> {
    fn new() -> Mailbox<M> {
        Mailbox { waiting: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Something that has to wait. What is urgent is rare, and looks for its place from the front.
    #[inline]
    pub(crate) fn push(&mut self, urgency: u8, input: Input<M>) {
        if urgency == 0 {
            self.waiting.push_back((0, input));
            return;
        }
        let at = self.waiting.iter().position(|(other, _)| *other < urgency);
        self.waiting.insert(at.unwrap_or(self.waiting.len()), (urgency, input));
    }

    /// What comes before all that waits.
    pub(crate) fn push_front(&mut self, input: Input<M>) {
        self.waiting.push_front((u8::MAX, input));
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Input<M>> {
        self.waiting.pop_front().map(|(_, input)| input)
    }

    /// What is about a connection moves to the mailbox of another lane.
    pub(crate) fn take(&mut self, conn: ConnId) -> Mailbox<M> {
        let all = std::mem::take(&mut self.waiting).into_iter();
        let (moved, kept) = all.partition(|(_, input)| input.conn() == Some(conn));
        self.waiting = kept;
        Mailbox { waiting: moved }
    }

    pub(crate) fn append(&mut self, moved: Mailbox<M>) {
        for (urgency, input) in moved.waiting {
            self.push(urgency, input);
        }
    }

    fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// One lane.
#[derive(Clone, Debug)]
pub(crate) struct LaneState<M> {
    pub(crate) number: u32,
    /// The end of the input that it handles, or handled last.
    pub(crate) busy_until: Time,
    /// What waits.
    pub(crate) mailbox: Mailbox<M>,
    /// Connections that it does not read because its mailbox is full enough: the far sides.
    pub(crate) unread: Vec<ConnId>,
    /// What it is given once its mailbox is empty.
    pub(crate) idle: Option<M>,
    /// Whether it waits for an fsync and handles nothing.
    pub(crate) blocked: bool,
    /// Whether the kernel holds up what it handles, and it handles nothing else.
    pub(crate) held: bool,
    /// Whether it waits to be resumed and handles nothing.
    pub(crate) suspended: bool,
    /// Whether a wake of the current epoch is scheduled.
    pub(crate) waking: bool,
    /// Wakes of another epoch are void.
    pub(crate) epoch: u32,
}

impl<M> LaneState<M> {
    fn new(number: u32) -> LaneState<M> {
        LaneState {
            number,
            busy_until: Time::ZERO,
            mailbox: Mailbox::new(),
            unread: Vec::new(),
            idle: None,
            blocked: false,
            held: false,
            suspended: false,
            waking: false,
            epoch: 0,
        }
    }

    /// Whether an input that comes now is handled at once.
    #[inline]
    pub(crate) fn is_free(&self, now: Time) -> bool {
        let waits = self.blocked || self.suspended || self.held;
        self.busy_until <= now && self.mailbox.is_empty() && !waits
    }

    /// Whether a wake must be scheduled so that what waits is handled.
    #[inline]
    pub(crate) fn wants_wake(&self) -> bool {
        let waits = self.waking || self.blocked || self.suspended || self.held;
        !waits && (!self.mailbox.is_empty() || self.idle.is_some())
    }

    fn clear(&mut self) {
        self.busy_until = Time::ZERO;
        self.mailbox.clear();
        self.unread.clear();
        self.idle = None;
        self.blocked = false;
        self.held = false;
        self.suspended = false;
        self.waking = false;
        self.epoch = self.epoch.wrapping_add(1);
    }
}

/// The lanes of one node. Slot 0 is the main lane; the others are reused.
#[derive(Clone, Debug)]
pub(crate) struct Lanes<M> {
    slots: Vec<LaneState<M>>,
    free: Vec<u32>,
    /// Slot of each number given out in this incarnation, from `base` on.
    by_number: Vec<u32>,
    base: u32,
}

impl<M> Lanes<M> {
    pub(crate) fn new() -> Lanes<M> {
        Lanes {
            slots: vec![LaneState::new(Lane::MAIN.0)],
            free: Vec::new(),
            by_number: Vec::new(),
            base: 1,
        }
    }

    /// The slot of a lane that lives.
    #[inline]
    pub(crate) fn find(&self, lane: Lane) -> Option<u32> {
        if lane == Lane::MAIN {
            return Some(0);
        }
        let place = lane.0.checked_sub(self.base)?;
        self.by_number.get(place as usize).copied().filter(|slot| *slot != NONE)
    }

    #[inline]
    pub(crate) fn slot(&mut self, slot: u32) -> &mut LaneState<M> {
        &mut self.slots[slot as usize]
    }

    pub(crate) fn spawn(&mut self) -> Lane {
        let number = self.base + self.by_number.len() as u32;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize].number = number;
                slot
            }
            None => {
                self.slots.push(LaneState::new(number));
                self.slots.len() as u32 - 1
            }
        };
        self.by_number.push(slot);
        Lane(number)
    }

    /// Ends a lane; the main lane and dead ones are left alone.
    pub(crate) fn end(&mut self, lane: Lane) {
        if lane == Lane::MAIN {
            return;
        }
        if let Some(slot) = self.find(lane) {
            self.by_number[(lane.0 - self.base) as usize] = NONE;
            self.slots[slot as usize].clear();
            self.free.push(slot);
        }
    }

    /// The process is gone: every lane but the main one ends, and that one is empty.
    pub(crate) fn reset(&mut self) {
        self.base += self.by_number.len() as u32;
        self.by_number.clear();
        self.free.clear();
        for lane in &mut self.slots {
            lane.clear();
        }
        self.free.extend((1..self.slots.len() as u32).rev());
    }

    /// After a pause that began at `since`: what was being computed takes that much longer, and
    /// every wake must be scheduled anew. Returns the lanes that want one, in order of age.
    pub(crate) fn resume(&mut self, since: Time, now: Time) -> Vec<(Lane, Time, u32)> {
        let lost: Span = now.since(since);
        let mut wakes = Vec::new();
        let living = self.by_number.iter().copied().filter(|slot| *slot != NONE);
        for slot in std::iter::once(0).chain(living) {
            let lane = &mut self.slots[slot as usize];
            if lane.busy_until > since {
                lane.busy_until += lost;
            }
            lane.epoch = lane.epoch.wrapping_add(1);
            lane.waking = false;
            if lane.wants_wake() {
                lane.waking = true;
                wakes.push((Lane(lane.number), lane.busy_until.max(now), lane.epoch));
            }
        }
        wakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_urgent_goes_first_and_of_equals_the_first() {
        let mut mailbox = Mailbox::new();
        for (urgency, body) in [(0, 'a'), (2, 'b'), (0, 'c'), (4, 'd'), (2, 'e')] {
            mailbox.push(urgency, Input::Local { body });
        }
        mailbox.push_front(Input::Local { body: 'f' });
        let bodies = std::iter::from_fn(|| mailbox.pop()).map(|input| match input {
            Input::Local { body } => body,
            _ => '?',
        });
        assert_eq!(bodies.collect::<String>(), "fdbeac");
    }

    #[test]
    fn numbers_go_upwards_over_incarnations_and_slots_are_reused() {
        let mut lanes: Lanes<u8> = Lanes::new();
        let (a, b) = (lanes.spawn(), lanes.spawn());
        assert_eq!((a, b), (Lane(1), Lane(2)));
        lanes.end(a);
        assert_eq!(lanes.find(a), None);
        let c = lanes.spawn();
        assert_eq!((c, lanes.find(c)), (Lane(3), Some(1)));
        lanes.reset();
        assert_eq!(lanes.find(b), None);
        assert_eq!(lanes.spawn(), Lane(4));
        assert_eq!(lanes.find(Lane(4)), Some(1));
        assert_eq!(lanes.slots.len(), 3);
    }

    #[test]
    fn the_main_lane_cannot_be_ended() {
        let mut lanes: Lanes<u8> = Lanes::new();
        lanes.end(Lane::MAIN);
        assert_eq!(lanes.find(Lane::MAIN), Some(0));
    }
}
