//! How a flow gets over what is lost: single packets, and all of them while there is no way.
//!
//! A message of which a packet is lost leaves a *hole*. A packet that was sent later and arrived
//! tells the sender so (RACK), else its own tail loss probe does; the lost packet is sent again one
//! round trip later. Only if that is lost too does the retransmission time-out decide. What was
//! sent behind a hole has arrived long before the process may have it.
//!
//! While there is no way a flow *stalls*: the probe and then the time-outs, each twice as long as
//! the one before, look for a way. Once one gets through, what had gathered is sent with a
//! congestion window that begins at one packet.
//!
//! The rules are measured and cited in [`tcp`]. Left out: that a congestion window which a loss has
//! cut delays a few messages behind the lost one, but for the bound on what a lossy path carries.

use crate::engine::{Chance, Span, Time};

use super::super::event::Event;
use super::super::machine::{Closing, ConnId};
use super::super::simulation::World;
use super::connection::Arrival;
use super::flow::{Cargo, Flow};
use super::link::{Losses, REJECTS};
use super::tcp::{self, CongestionControl, LATER_PACKETS, PACKET, QUIET_WINDOW};

/// A message that has not arrived whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hole {
    /// Which of the segments that the flow has sent.
    number: u64,
    /// When its lost packet was sent, at first or again.
    since: Time,
    /// Packets that were sent after it and arrived.
    later: u64,
    /// Whether it was sent again and lost again, so that the time-out must repair it.
    timed_out: bool,
    /// When it was sent again, to arrive.
    resent: Option<Time>,
}

impl<M> Flow<M> {
    /// When the path has carried a segment that is handed to it at `at`, if it carries so many
    /// bytes a second; a few packets at a time go through at once.
    fn carried(&mut self, bytes: u32, at: Time, rate: u64) -> Time {
        let time = |bytes: u64| Span::from_nanos(bytes.saturating_mul(1_000_000_000) / rate);
        self.carried_at = self.carried_at.max(at) + time(u64::from(bytes));
        let burst = time(u64::from(QUIET_WINDOW) * PACKET).as_nanos();
        at.max(Time::from_nanos(self.carried_at.as_nanos().saturating_sub(burst)))
    }

    /// What was sent behind a hole was not: it waits again.
    pub(super) fn unsend_behind(&mut self) {
        self.put -= u64::from(std::mem::take(&mut self.behind));
        self.holes.clear();
    }

    /// The number of the first segment behind the wire.
    fn first_behind(&self) -> u64 {
        self.put - u64::from(self.behind)
    }
}

impl<M> World<M> {
    /// Between sending and hearing of it, on the average.
    fn round_trip(&self, index: usize) -> Span {
        let flow = &self.net.sides[index].flow;
        let (forth, back) = (flow.link as usize, flow.back as usize);
        self.net.links[forth].typical() + self.net.links[back].typical()
    }

    /// Puts the first waiting segment onto a wire that may lose it, which it leaves the host for at
    /// `left` at the earliest.
    #[cold]
    pub(super) fn transmit_lossy(&mut self, index: usize, left: Time) {
        let now = self.kernel.now();
        let round_trip = self.round_trip(index);
        let cubic = self.net.topology.congestion_control == CongestionControl::Cubic;
        let flow = &mut self.net.sides[index].flow;
        let next = flow.sent_segments();
        let bytes = flow.queue[next].bytes;
        let link = &mut self.net.links[flow.link as usize];
        let loss = link.loss();
        let losses = match loss {
            Chance::NEVER => Losses { packets: 1, lost: 0, behind: 0 },
            _ => link.lose(bytes, now),
        };
        if losses.lost > 0 && matches!(flow.queue[next].cargo, Cargo::Rst) {
            // Nobody retransmits a reset: the other side is left half-open.
            flow.queue.truncate(next);
            return;
        }
        let mut leaves = flow.last_leaves.max(left);
        if cubic && loss != Chance::NEVER {
            leaves = flow.carried(bytes, leaves, tcp::goodput(round_trip, loss));
        }
        flow.queue[next].leaves = leaves;
        flow.last_leaves = leaves;
        let number = flow.put;
        flow.put += 1;
        flow.behind += 1;
        if losses.lost < losses.packets {
            self.heard_of_later(index, leaves, losses.packets - losses.lost, round_trip);
        }
        if losses.lost > 0 {
            let (later, timed_out) = (losses.behind, false);
            let hole = Hole { number, since: leaves, later, timed_out, resent: None };
            let holes = &mut self.net.sides[index].flow.holes;
            holes.push(hole);
            if later >= LATER_PACKETS {
                let last = holes.len() - 1;
                self.send_again(index, last, leaves + round_trip, true);
            }
        }
        self.advance(index);
    }

    /// Packets that left at `leaves` have arrived: what was lost before them is missed.
    fn heard_of_later(&mut self, index: usize, leaves: Time, packets: u64, round_trip: Span) {
        for place in 0..self.net.sides[index].flow.holes.len() {
            let hole = &mut self.net.sides[index].flow.holes[place];
            if hole.resent.is_some() || hole.timed_out {
                continue;
            }
            hole.later += packets;
            let missed = leaves >= hole.since + tcp::reordering_window(round_trip);
            if missed || hole.later >= LATER_PACKETS {
                let several = leaves < hole.since + round_trip;
                self.send_again(index, place, leaves + round_trip, several);
            }
        }
    }

    /// The sender sends the lost packet of a hole again, at `at`. If that is lost too, the time-out
    /// must repair it, unless `several` packets are under way in a round trip and the congestion
    /// window still allows some: then a later one tells once more.
    fn send_again(&mut self, index: usize, place: usize, at: Time, several: bool) {
        let now = self.kernel.now();
        let flow = &mut self.net.sides[index].flow;
        let link = &mut self.net.links[flow.link as usize];
        let lost = link.loses(now);
        let spent = lost && (!several || link.draws(now, tcp::window_spent(link.loss())));
        let front = flow.holes[place].number == flow.first_behind();
        let hole = &mut flow.holes[place];
        if lost {
            hole.timed_out = spent;
            hole.since = at;
            hole.later = 0;
        } else {
            hole.resent = Some(at);
        }
        if front && !flow.stalled {
            flow.stop_timer();
        }
    }

    /// Lets everything arrive that no hole holds up, and waits for the first hole.
    fn advance(&mut self, index: usize) {
        let now = self.kernel.now();
        let round_trip = self.round_trip(index);
        let side = &mut self.net.sides[index];
        let flow = &mut side.flow;
        while flow.behind > 0 {
            let mut ready = flow.queue[(flow.arrived + flow.on_wire) as usize].leaves;
            if let Some(hole) = flow.holes.first().filter(|h| h.number == flow.first_behind()) {
                let Some(resent) = hole.resent else {
                    let wait = if hole.timed_out {
                        tcp::time_out(round_trip, 0)
                    } else {
                        tcp::probe(round_trip, u64::from(flow.behind) + hole.later)
                    };
                    let due = hole.since + wait;
                    return self.arm(index, due);
                };
                ready = resent;
                flow.holes.remove(0);
            }
            let latency = self.net.links[flow.link as usize].latency(now);
            let arrival = flow.last_arrival.max(ready + latency);
            flow.last_arrival = arrival;
            flow.on_wire += 1;
            flow.behind -= 1;
            self.kernel.schedule(arrival, Event::Arrive { end: side.end.0, epoch: flow.epoch });
        }
    }

    /// The timer of the first hole has run out: its packet is sent again.
    fn repair_by_timer(&mut self, index: usize) -> Option<Arrival<M>> {
        let now = self.kernel.now();
        let round_trip = self.round_trip(index);
        let flow = &mut self.net.sides[index].flow;
        if flow.holes.is_empty() {
            flow.stop_timer();
            return None;
        }
        if now.since(flow.silent_since) >= tcp::GIVEN_UP {
            return self.end_side(index, Closing::TimedOut);
        }
        let end = self.net.sides[index].end.0;
        let flow = &mut self.net.sides[index].flow;
        let lost = self.net.links[flow.link as usize].loses(now);
        let alone = flow.behind == 1;
        let hole = &mut flow.holes[0];
        let by_probe = !std::mem::replace(&mut hole.timed_out, true);
        if lost {
            hole.since = now;
            let next = now + tcp::time_out(round_trip, flow.retries);
            flow.retries += 1;
            self.kernel.schedule(next, Event::Retransmit { end, epoch: flow.timer_epoch });
            return None;
        }
        // A probe repeats the last packet; of an earlier one its answer tells.
        let told = now + round_trip;
        hole.resent = Some(if by_probe && !alone { told } else { now });
        flow.stop_timer();
        for place in 1..self.net.sides[index].flow.holes.len() {
            if self.net.sides[index].flow.holes[place].resent.is_none() {
                self.send_again(index, place, told, false);
            }
        }
        self.advance(index);
        None
    }

    /// What is on the wire of this flow has hit something that blocks it.
    #[cold]
    pub(super) fn lost_on_wire(&mut self, index: usize) {
        let flow = &mut self.net.sides[index].flow;
        if flow.deserted {
            flow.drop_unarrived();
            return;
        }
        let blocked = self.net.links[flow.link as usize].blocked;
        if blocked == REJECTS {
            return self.rejected_on_the_way(index);
        }
        let sent = flow.arrived as usize..flow.sent_segments();
        let packets =
            |segment: &super::flow::Segment<M>| u64::from(segment.bytes).div_ceil(PACKET).max(1);
        let under_way: u64 = flow.queue.range(sent).map(packets).sum();
        let window = under_way.clamp(u64::from(QUIET_WINDOW), 1 << 20) as u32;
        flow.threshold = window * 7 / 10;
        flow.void_wire();
        flow.stalled = true;
        let front = &flow.queue[flow.arrived as usize];
        if matches!(front.cargo, Cargo::Rst) {
            // Nobody retransmits a reset: the other side is left half-open.
            flow.drop_unarrived();
            return;
        }
        let due = front.leaves + tcp::probe(self.round_trip(index), under_way);
        self.arm(index, due);
    }

    fn rejected_on_the_way(&mut self, index: usize) {
        let now = self.kernel.now();
        let side = &mut self.net.sides[index];
        side.flow.void_wire();
        side.flow.stalled = true;
        let latency = self.net.links[side.flow.back as usize].latency(now);
        let event = Event::Reset { end: side.end.0, on_path: true };
        self.kernel.schedule(now + latency, event);
    }

    /// Starts the retransmission timer unless it runs.
    pub(super) fn arm(&mut self, index: usize, due: Time) {
        let now = self.kernel.now();
        let side = &mut self.net.sides[index];
        let flow = &mut side.flow;
        if flow.timer {
            return;
        }
        flow.timer = true;
        flow.due = due.max(now);
        flow.retries = 0;
        flow.silent_since = flow.queue.get(flow.arrived as usize).map_or(now, |front| front.leaves);
        let event = Event::Retransmit { end: side.end.0, epoch: flow.timer_epoch };
        self.kernel.schedule(flow.due, event);
    }

    /// More is sent into the silence: with several packets under way the probe comes sooner.
    pub(super) fn hasten_probe(&mut self, index: usize, at: Time) {
        let due = at + tcp::probe(self.round_trip(index), 2);
        let side = &mut self.net.sides[index];
        let flow = &mut side.flow;
        if !flow.timer || flow.retries > 0 || flow.window > 0 || flow.due <= due {
            return;
        }
        flow.due = due;
        flow.timer_epoch = flow.timer_epoch.wrapping_add(1);
        let event = Event::Retransmit { end: side.end.0, epoch: flow.timer_epoch };
        self.kernel.schedule(due, event);
    }

    /// Starts it for what was sent last and is not acknowledged.
    pub(super) fn arm_for_silence(&mut self, index: usize) {
        let flow = &self.net.sides[index].flow;
        let since = flow.queue.get(flow.arrived as usize).map_or(Time::ZERO, |front| front.leaves);
        let due = since + tcp::probe(self.round_trip(index), 1);
        self.arm(index, due);
    }

    /// The retransmission timer of a flow has run out.
    pub(crate) fn retransmit(&mut self, end: u32, epoch: u32) -> Option<Arrival<M>> {
        let index = self.net.side(ConnId(end))?;
        let flow = &self.net.sides[index].flow;
        if !flow.timer || flow.timer_epoch != epoch {
            return None;
        }
        let forth = self.net.links[flow.link as usize].blocked;
        let back = self.net.links[flow.back as usize].blocked;
        match (forth, back) {
            (0, 0) if flow.stalled => self.catch_up(index),
            (0, 0) => return self.repair_by_timer(index),
            (REJECTS, _) => {
                self.net.sides[index].flow.stop_timer();
                self.rejected_on_the_way(index);
            }
            _ => return self.try_again_later(index),
        }
        None
    }

    /// There is still no way.
    fn try_again_later(&mut self, index: usize) -> Option<Arrival<M>> {
        let now = self.kernel.now();
        let round_trip = self.round_trip(index);
        let side = &mut self.net.sides[index];
        let flow = &mut side.flow;
        if now.since(flow.silent_since) >= tcp::GIVEN_UP {
            return self.end_side(index, Closing::TimedOut);
        }
        flow.unsend_behind();
        flow.stalled = true;
        flow.window = 0;
        let next = now + tcp::time_out(round_trip, flow.retries);
        flow.retries += 1;
        let event = Event::Retransmit { end: side.end.0, epoch: flow.timer_epoch };
        self.kernel.schedule(next, event);
        None
    }

    /// There is a way again: sends what the congestion window allows, and the rest one round trip
    /// later (slow start and congestion avoidance, RFC 5681).
    fn catch_up(&mut self, index: usize) {
        let now = self.kernel.now();
        let round_trip = self.round_trip(index);
        let flow = &mut self.net.sides[index].flow;
        flow.retries = 0;
        flow.silent_since = now;
        // What the window allowed may wait for its turn at the host's card still.
        if flow.window == 0 || !flow.may_send() {
            flow.window = match flow.window {
                0 => 1,
                window if window < flow.threshold => (window * 2).min(flow.threshold),
                window => window + 1,
            };
            flow.allowance = u64::from(flow.window) * PACKET;
        }
        self.transmit_all(index, now);
        let flow = &mut self.net.sides[index].flow;
        if flow.queue.len() == flow.sent_segments() {
            flow.stalled = false;
            flow.stop_timer();
            return self.advance(index);
        }
        let epoch = flow.timer_epoch;
        let event = Event::Retransmit { end: self.net.sides[index].end.0, epoch };
        self.kernel.schedule(now + round_trip.max(Span::from_micros(1)), event);
    }
}
