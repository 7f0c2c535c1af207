//! Inputs that the kernel holds up: their thread waits inside `write` because too much is dirty, or
//! inside a read of what is not in memory. What the input does behind that happens when it goes on;
//! its lane handles nothing meanwhile.
//!
//! The state of the machine itself has changed already, as it has for every long computation (see
//! [`Context`](super::Context)).

use crate::engine::Time;

use super::disk::Sync;
use super::effect::Then;
use super::event::Event;
use super::machine::Lane;
use super::node::Owed;
use super::simulation::World;

/// What holds an input up.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    node: u32,
    incarnation: u32,
    lane: Lane,
    /// How much its disk must have cleaned in all; 0 if it does not wait for that.
    target: u64,
    /// Reads that are under way.
    reads: u32,
    /// When it is looked at next.
    due: Time,
    /// The effects that wait, in their order.
    pub(crate) effects: Vec<u32>,
}

impl Hold {
    pub(crate) fn new(node: u32, incarnation: u32, lane: Lane) -> Hold {
        let (target, reads, due) = (0, 0, Time::MAX);
        Hold { node, incarnation, lane, target, reads, due, effects: Vec::new() }
    }
}

impl<M> World<M> {
    /// An input goes on only when its disk has cleaned so much in all.
    pub(crate) fn wait_for_write_back(&mut self, slot: u32, target: u64, at: Time) {
        let Some(hold) = self.holds.get_mut(slot) else { return };
        hold.target = target;
        hold.due =
            self.disks[hold.node as usize].cleaned_at(target).map_or(Time::MAX, |t| t.max(at));
        if hold.due != Time::MAX {
            self.kernel.schedule(hold.due, Event::GoOn { slot });
        }
    }

    /// An input goes on only when something has been read.
    pub(crate) fn wait_for_read(&mut self, slot: u32, sync: Sync) {
        let Some(hold) = self.holds.get_mut(slot) else { return };
        hold.reads += 1;
        let whose = (hold.node, hold.incarnation, hold.lane);
        self.sync(whose, Then::GoOn(slot), sync);
    }

    /// What an input had to read is here.
    pub(crate) fn has_read(&mut self, slot: u32) {
        if let Some(hold) = self.holds.get_mut(slot) {
            hold.reads -= 1;
        }
        self.go_on(slot);
    }

    /// The disk of a node has done something, or does it at another time: its inputs that are held
    /// up may go on.
    pub(crate) fn look_at_holds(&mut self, node: u32) {
        if self.holds.is_empty() {
            return;
        }
        let of_node = self.holds.iter().filter(|(_, hold)| hold.node == node);
        for slot in of_node.map(|(slot, _)| slot).collect::<Vec<_>>() {
            self.go_on(slot);
        }
    }

    /// An input goes on if nothing holds it up any more; else it is looked at again.
    pub(crate) fn go_on(&mut self, slot: u32) {
        let now = self.kernel.now();
        let Some(hold) = self.holds.get_mut(slot) else { return };
        if hold.reads > 0 {
            return;
        }
        let disk = &mut self.disks[hold.node as usize];
        disk.advance(now);
        match disk.cleaned_at(hold.target) {
            None => return,
            Some(at) if at > now => {
                if hold.due != at {
                    hold.due = at;
                    self.kernel.schedule(at, Event::GoOn { slot });
                }
                return;
            }
            Some(_) => {}
        }
        let node = &mut self.nodes[hold.node as usize];
        if node.paused {
            node.owed.push_back(Owed::GoOn { slot });
            return;
        }
        self.release_hold(slot);
    }

    fn release_hold(&mut self, slot: u32) {
        let Some(Hold { node, lane, effects, .. }) = self.holds.remove(slot) else { return };
        for effect in effects {
            self.do_deferred(effect);
        }
        let lanes = &mut self.nodes[node as usize].lanes;
        if let Some(slot) = lanes.find(lane) {
            lanes.slot(slot).held = false;
            self.wake_later(node, slot);
        }
    }

    /// The process of a node is gone, and what was held up with it.
    pub(crate) fn drop_holds(&mut self, node: u32) {
        if self.holds.is_empty() {
            return;
        }
        let of_node = self.holds.iter().filter(|(_, hold)| hold.node == node);
        for slot in of_node.map(|(slot, _)| slot).collect::<Vec<_>>() {
            for effect in self.holds.remove(slot).into_iter().flat_map(|hold| hold.effects) {
                self.deferred.remove(effect);
            }
        }
    }
}
