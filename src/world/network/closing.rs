//! How connections end: closed, thrown away, reset, with their process or with the power.

use crate::engine::Time;

use super::super::event::Event;
use super::super::machine::{Closing, ConnId, ConnectError, Input};
use super::super::simulation::World;
use super::connection::{ALMOST_NOW, Arrival, BOUND, SideState};
use super::flow::{Cargo, Segment};

impl<M> World<M> {
    /// Something arrived for a side that its process no longer has: the host answers with a reset,
    /// unless an end of the connection is under way to the sender already.
    #[cold]
    pub(super) fn answer_unknown(&mut self, index: usize) {
        let now = self.kernel.now();
        let under_way = self.net.sides[index ^ 1].flow.is_waiting();
        let side = &mut self.net.sides[index];
        if side.alive && self.net.links[side.flow.back as usize].blocked != 0 {
            // The answer will not get through, so the sender asks again.
            side.flow.void_wire();
            side.flow.stalled = true;
            return self.arm_for_silence(index);
        }
        side.flow.clear();
        if side.alive && !under_way {
            let latency = self.net.links[side.flow.back as usize].latency(now);
            let event = Event::Reset { end: side.end.0, on_path: false };
            self.kernel.schedule(now + latency, event);
        }
    }

    /// A reset reaches side `end`, from the other host or (`on_path`) from something between.
    pub(crate) fn reset(&mut self, end: u32, on_path: bool) -> Option<Arrival<M>> {
        let index = self.net.side(ConnId(end))?;
        let back = self.net.sides[index].flow.back as usize;
        if !on_path && self.net.links[back].blocked != 0 {
            return None;
        }
        self.end_side(index, Closing::Reset)
    }

    /// Side `index` is over for its process. What it had to send is void. Returns what the process
    /// is told.
    pub(super) fn end_side(&mut self, index: usize, how: Closing) -> Option<Arrival<M>> {
        let side = &mut self.net.sides[index];
        side.flow.drop_unarrived();
        if !side.alive {
            self.net.release(index);
            return None;
        }
        side.alive = false;
        let conn = side.end;
        let (node, lane) = (side.node, side.lane);
        let asked = conn.0 & 1 == 0;
        let input = match side.state {
            SideState::Open => Some(Input::Closed { conn, how }),
            SideState::Opening if asked => Some(Input::Failed { conn, why: ConnectError::Refused }),
            SideState::Opening => None,
        };
        self.net.release(index);
        input.map(|input| Arrival { node, lane, input })
    }

    /// The process closes its side: what it sent still arrives, then the other side learns of it.
    pub(crate) fn close(&mut self, index: usize, at: Time) {
        self.leave(index, Cargo::Fin, at);
    }

    /// The process throws its side away: what is not on the wire is gone, and the other side is
    /// told if the way is open.
    pub(crate) fn abort(&mut self, index: usize, at: Time) {
        let now = self.kernel.now();
        let flow = &mut self.net.sides[index].flow;
        let sent = (flow.arrived + flow.on_wire) as usize;
        // What lies behind a hole goes with it.
        let behind: u64 = flow.queue.range(sent..).map(|s| u64::from(s.bytes)).sum();
        if flow.behind > 0 {
            flow.queue.truncate(sent);
            flow.buffered -= behind;
            flow.unsend_behind();
        }
        let waiting = |segment: &&Segment<M>| segment.leaves > now + ALMOST_NOW;
        let waiting = flow.queue.range(flow.arrived as usize..sent).rev().take_while(waiting);
        let turns = waiting.count();
        let took: u64 = flow.queue.range(sent - turns..sent).map(|s| u64::from(s.bytes)).sum();
        let dropped: u64 = flow.queue.drain(sent - turns..).map(|s| u64::from(s.bytes)).sum();
        flow.buffered -= dropped;
        flow.on_wire -= turns as u32;
        flow.begun = 0;
        let link = flow.link as usize;
        if turns > 0 {
            // It waited for its turn in this host, and others need not wait for it.
            self.net.links[link].take_back(took, now);
            let node = self.net.sides[index].node as usize;
            self.net.cards[node].take_back(took, now);
            self.retime(link);
        }
        self.leave(index, Cargo::Rst, at);
    }

    /// The process no longer has its side; a last segment says so, in order.
    pub(crate) fn leave(&mut self, index: usize, last: Cargo<M>, at: Time) {
        let side = &mut self.net.sides[index];
        if side.state == SideState::Opening && side.end.0 & 1 == 0 {
            // Nothing is open yet: the host forgets that it asked, and an answer finds nobody. A
            // host that has accepted meanwhile has not told its process.
            side.alive = false;
            self.net.sides[index ^ 1].alive = false;
            self.net.release(index);
            return;
        }
        side.alive = false;
        let alone = side.flow.stalled && !side.flow.is_waiting();
        let reset = matches!(last, Cargo::Rst);
        if self.net.sides[index ^ 1].alive && !(alone && reset) {
            self.push(index, last, BOUND, 0, at);
        }
        self.forget_unread(index);
        self.net.release(index);
    }

    /// What had arrived for side `index` and was not read is gone with its process.
    pub(crate) fn forget_unread(&mut self, index: usize) {
        let flow = &mut self.net.sides[index ^ 1].flow;
        for _ in 0..flow.arrived {
            flow.pop();
        }
        flow.arrived = 0;
    }

    /// The host of side `index` has lost power: only what had left it still arrives.
    pub(crate) fn power_lost(&mut self, index: usize, now: Time) {
        let side = &mut self.net.sides[index];
        side.alive = false;
        if side.state == SideState::Opening && side.end.0 & 1 == 0 {
            self.net.sides[index ^ 1].alive = false;
        }
        let flow = &mut self.net.sides[index].flow;
        let sent = (flow.arrived + flow.on_wire) as usize;
        let kept = flow.queue.iter().take(sent).filter(|s| s.leaves <= now).count();
        let kept = kept.max(flow.arrived as usize);
        flow.unsend_behind();
        flow.queue.truncate(kept);
        flow.begun = 0;
        flow.on_wire = kept as u32 - flow.arrived;
        flow.buffered = flow.queue.iter().map(|s| u64::from(s.bytes)).sum();
        flow.stop_timer();
        flow.deserted = true;
        self.forget_unread(index);
        self.net.release(index);
    }
}
