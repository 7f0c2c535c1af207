//! Lanes: the serial execution contexts of a node, and what waits for them.

use std::collections::VecDeque;

use crate::engine::{Span, Time};

use super::machine::{Input, Lane};

/// No slot.
const NONE: u32 = u32::MAX;

/// One lane.
#[derive(Clone, Debug)]
pub(crate) struct LaneState<M> {
    pub(crate) number: u32,
    /// The end of the input that it handles, or handled last.
    pub(crate) busy_until: Time,
    /// What waits, first come first served.
    pub(crate) mailbox: VecDeque<Input<M>>,
    /// What it is given once its mailbox is empty.
    pub(crate) idle: Option<M>,
    /// Whether it waits for an fsync and handles nothing.
    pub(crate) blocked: bool,
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
            mailbox: VecDeque::new(),
            idle: None,
            blocked: false,
            suspended: false,
            waking: false,
            epoch: 0,
        }
    }

    /// Whether an input that comes now is handled at once.
    pub(crate) fn is_free(&self, now: Time) -> bool {
        self.busy_until <= now && self.mailbox.is_empty() && !self.blocked && !self.suspended
    }

    /// Whether a wake must be scheduled so that what waits is handled.
    pub(crate) fn wants_wake(&self) -> bool {
        let held = self.waking || self.blocked || self.suspended;
        !held && (!self.mailbox.is_empty() || self.idle.is_some())
    }

    fn clear(&mut self) {
        self.busy_until = Time::ZERO;
        self.mailbox.clear();
        self.idle = None;
        self.blocked = false;
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
