//! Established connections: segments, what is sent and read of them, back-pressure.

use crate::engine::{Chance, Span, Time};
use crate::observe::NodeId;

use super::super::event::Event;
use super::super::machine::{Closing, ConnId, Input, Lane, Port, Wait, Waiting};
use super::super::simulation::World;
use super::flow::{Cargo, Flow, Segment};
use super::tcp;

/// To the lane to which the far side bound the connection.
pub(crate) const BOUND: Lane = Lane(u32::MAX);

/// Bytes that the sending kernel takes of a connection with little history (Linux: twice 2,304 bytes
/// for each of the ten packets of a quiet congestion window; `tcp_sndbuf_expand` in `tcp_input.c`).
/// It grows only with what is acknowledged.
const SEND_BUFFER: u64 = 2 * 10 * 2_304;

/// Effects may take their place on a link this much early (see the context); what leaves no later
/// than that waits for nothing.
pub(super) const ALMOST_NOW: Span = Span::from_millis(1);

/// How far one side has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SideState {
    /// It asked and has no answer yet; or was asked and its process has not been told.
    Opening,
    /// Its process knows that it is open.
    Open,
}

/// One end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Side<M> {
    pub(crate) end: ConnId,
    pub(crate) node: u32,
    /// To whom this side's events go.
    pub(crate) lane: Lane,
    pub(crate) state: SideState,
    /// Whether its process still has it.
    pub(crate) alive: bool,
    /// Whether its process does not want to read.
    pub(crate) held: bool,
    pub(crate) port: Port,
    /// What its process buffers itself, beyond what the kernels do.
    pub(crate) own_buffer: u64,
    /// How much may wait in its lane's mailbox while it reads on.
    pub(crate) ahead: u32,
    /// What this side sends.
    pub(crate) flow: Flow<M>,
}

impl<M> Side<M> {
    pub(crate) const fn new() -> Side<M> {
        Side {
            end: ConnId(0),
            node: 0,
            lane: Lane::MAIN,
            state: SideState::Opening,
            alive: false,
            held: false,
            port: Port(0),
            own_buffer: 0,
            ahead: u32::MAX,
            flow: Flow::new(),
        }
    }

    pub(crate) fn start(&mut self, end: ConnId, node: u32, link: u32, back: u32, state: SideState) {
        let flow = std::mem::replace(&mut self.flow, Flow::new());
        // The storage of the queue is reused, and epochs go on, so that late events stay void.
        self.flow.queue = flow.queue;
        self.flow.queue.clear();
        self.flow.epoch = flow.epoch.wrapping_add(1);
        self.flow.timer_epoch = flow.timer_epoch.wrapping_add(1);
        self.flow.link = link;
        self.flow.back = back;
        self.flow.stalled = state == SideState::Opening;
        self.end = end;
        self.node = node;
        self.lane = Lane::MAIN;
        self.state = state;
        self.alive = state == SideState::Open;
        self.held = false;
        self.port = Port(0);
        self.own_buffer = 0;
        self.ahead = u32::MAX;
    }
}

/// What a host's network has for its process.
pub(crate) struct Arrival<M> {
    pub(crate) node: u32,
    pub(crate) lane: Lane,
    pub(crate) input: Input<M>,
}

impl<M> World<M> {
    /// Puts a segment into a flow at `at`, and onto the wire unless the flow is stalled.
    #[inline]
    pub(crate) fn push(&mut self, index: usize, cargo: Cargo<M>, lane: Lane, bytes: u32, at: Time) {
        let side = &mut self.net.sides[index];
        let fits = self.socket_buffer + side.own_buffer;
        let flow = &mut side.flow;
        flow.buffered += u64::from(bytes);
        flow.sent += u64::from(bytes);
        flow.blocked |= flow.buffered >= fits;
        flow.queue.push_back(Segment { cargo, bytes, lane, leaves: at });
        if flow.stalled {
            self.net.sides[index].flow.blocked |= self.room(index) == 0;
            self.hasten_probe(index, at);
        } else if self.net.cards[self.net.sides[index].node as usize].limits_what_goes() {
            self.offer(index, at);
        } else {
            self.transmit(index, at);
        }
    }

    /// A segment of so many bytes is put into a flow at a later instant, and has its room already.
    pub(crate) fn promise(&mut self, index: usize, bytes: u32) {
        self.net.sides[index].flow.promised += u64::from(bytes);
        self.net.sides[index].flow.blocked |= self.room(index) == 0;
    }

    /// That instant has come.
    pub(crate) fn keep_promise(&mut self, index: usize, bytes: u32) {
        let flow = &mut self.net.sides[index].flow;
        flow.promised = flow.promised.saturating_sub(u64::from(bytes));
    }

    /// Puts the first waiting segment of a flow onto the wire.
    #[inline]
    pub(super) fn transmit(&mut self, index: usize, at: Time) {
        let now = self.kernel.now();
        let side = &mut self.net.sides[index];
        let flow = &mut side.flow;
        let next = flow.sent_segments();
        let link = &mut self.net.links[flow.link as usize];
        let bytes = flow.queue[next].bytes;
        let begun = std::mem::take(&mut flow.begun);
        let (mut begins, through) = self.net.cards[side.node as usize].sends(bytes - begun, at);
        if begun > 0 {
            begins = flow.begun_at;
            flow.in_turns.push_back((flow.put, bytes - begun));
        }
        if flow.window > 0 {
            flow.allowance = flow.allowance.saturating_sub(u64::from(bytes).max(1));
        }
        let left = link.leaves(bytes, begins).max(through);
        if flow.behind > 0 || link.loss() != Chance::NEVER {
            return self.transmit_lossy(index, left);
        }
        let leaves = flow.last_leaves.max(left);
        let arrival = flow.last_arrival.max(leaves + link.latency(now));
        flow.queue[next].leaves = leaves;
        flow.last_leaves = leaves;
        flow.last_arrival = arrival;
        flow.on_wire += 1;
        flow.put += 1;
        self.kernel.schedule(arrival, Event::Arrive { end: side.end.0, epoch: flow.epoch });
    }

    /// Puts all that may go onto the wire, as far as the host's card takes it.
    pub(crate) fn transmit_all(&mut self, index: usize, at: Time) {
        let node = self.net.sides[index].node as usize;
        if self.net.cards[node].limits_what_goes() {
            return self.offer(index, at);
        }
        while self.net.sides[index].flow.may_send() {
            self.transmit(index, at);
        }
    }

    /// What has not left a host yet is put on the wire of a link anew, in the order in which it
    /// was: the link's rate has changed, or something before it is gone.
    pub(crate) fn retime(&mut self, link: usize) {
        let now = self.kernel.now();
        self.net.links[link].take_back(0, now);
        let mut unsent: Vec<(Time, usize)> = Vec::new();
        for index in 0..self.net.sides.len() {
            let side = &mut self.net.sides[index];
            let flow = &mut side.flow;
            if flow.link as usize != link || flow.on_wire == 0 {
                continue;
            }
            let on_wire = flow.arrived as usize..(flow.arrived + flow.on_wire) as usize;
            if flow.behind > 0 {
                // Nothing is measured so finely where packets are lost.
                continue;
            }
            flow.void_wire();
            flow.last_arrival = now;
            flow.last_leaves = now;
            for segment in flow.queue.range(on_wire) {
                let link = &mut self.net.links[link];
                if segment.leaves > now + ALMOST_NOW {
                    link.take_back(segment.bytes.into(), now);
                    self.net.cards[side.node as usize].take_back(segment.bytes.into(), now);
                    unsent.push((segment.leaves, index));
                    continue;
                }
                let arrival = (segment.leaves + link.latency(now)).max(flow.last_arrival);
                flow.last_arrival = arrival;
                flow.on_wire += 1;
                flow.put += 1;
                let (end, epoch) = (side.end.0, flow.epoch);
                self.kernel.schedule(arrival, Event::Arrive { end, epoch });
            }
        }
        unsent.sort_by_key(|(leaves, _)| *leaves);
        for (_, index) in unsent {
            let node = self.net.sides[index].node as usize;
            if self.net.cards[node].limits_what_goes() {
                self.offer(index, now);
            } else {
                self.transmit(index, now);
            }
        }
    }

    /// A segment that side `end` sent reaches the network card of the other host.
    #[inline]
    pub(crate) fn arrive(&mut self, end: u32, epoch: u32) -> Option<Arrival<M>> {
        let index = self.net.side(ConnId(end))?;
        let flow = &self.net.sides[index].flow;
        if flow.epoch != epoch || flow.on_wire == 0 {
            return None;
        }
        let to = self.net.sides[index ^ 1].node as usize;
        if self.net.cards[to].limits_what_comes() && self.waits_for_card(index, to) {
            return None;
        }
        self.come_in(index)
    }

    /// The card of the host that a segment has come to may be busy with others.
    #[cold]
    fn waits_for_card(&mut self, index: usize, to: usize) -> bool {
        let now = self.kernel.now();
        let side = &mut self.net.sides[index];
        let flow = &mut side.flow;
        let mut bytes = flow.queue[(flow.arrived + flow.in_card) as usize].bytes;
        let number = flow.put - u64::from(flow.behind + flow.on_wire - flow.in_card);
        while let Some(&(of, last)) = flow.in_turns.front().filter(|(of, _)| *of <= number) {
            flow.in_turns.pop_front();
            if of == number {
                bytes = last;
            }
        }
        let came = self.net.cards[side.node as usize].takes(bytes);
        let done = self.net.cards[to].receives(bytes, now, came);
        if done <= now && flow.in_card == 0 {
            return false;
        }
        flow.in_card += 1;
        self.kernel.schedule(done, Event::Received { end: side.end.0, epoch: flow.epoch });
        true
    }

    /// A network card has received a segment that side `end` sent.
    pub(crate) fn received(&mut self, end: u32, epoch: u32) -> Option<Arrival<M>> {
        let index = self.net.side(ConnId(end))?;
        let flow = &mut self.net.sides[index].flow;
        if flow.epoch != epoch || flow.in_card == 0 {
            return None;
        }
        flow.in_card -= 1;
        self.come_in(index)
    }

    /// A segment of this side's flow has come to the other host.
    #[inline]
    fn come_in(&mut self, index: usize) -> Option<Arrival<M>> {
        let flow = &self.net.sides[index].flow;
        let (end, link, back) =
            (self.net.sides[index].end.0, flow.link as usize, flow.back as usize);
        if self.net.links[link].blocked != 0 {
            self.lost_on_wire(index);
            return None;
        }
        let receiver = &self.net.sides[index ^ 1];
        if !receiver.alive {
            self.answer_unknown(index);
            return None;
        }
        let (held, node) = (receiver.held, receiver.node);
        if self.net.links[back].blocked != 0 {
            // The data is there, but its acknowledgement will not come back.
            self.arm_for_silence(index);
        }
        let flow = &mut self.net.sides[index].flow;
        flow.on_wire -= 1;
        let paused = self.nodes[node as usize].paused;
        if held || paused || flow.arrived > 0 || self.is_too_busy(index ^ 1) {
            self.net.sides[index].flow.arrived += 1;
            if paused {
                self.nodes[node as usize].owe_read(end);
            }
            return None;
        }
        self.take(index)
    }

    /// Whether side `index` reads no more because enough waits for its lane already; it goes on
    /// when half of that is done.
    #[inline]
    fn is_too_busy(&mut self, index: usize) -> bool {
        let side = &self.net.sides[index];
        side.ahead != u32::MAX && self.leaves_unread(index)
    }

    fn leaves_unread(&mut self, index: usize) -> bool {
        let side = &self.net.sides[index];
        let lanes = &mut self.nodes[side.node as usize].lanes;
        let Some(slot) = lanes.find(side.lane) else { return false };
        let far = self.net.sides[index ^ 1].end;
        let lane = lanes.slot(slot);
        let busy = lane.mailbox.len() >= side.ahead as usize;
        if busy && !lane.unread.contains(&far) {
            lane.unread.push(far);
        }
        busy
    }

    /// A lane has handled something: connections that it had stopped reading may go on.
    #[cold]
    pub(crate) fn read_on(&mut self, node: u32, slot: u32) {
        let now = self.kernel.now();
        let lane = self.nodes[node as usize].lanes.slot(slot);
        let waiting = lane.mailbox.len();
        let (net, kernel) = (&self.net, &mut self.kernel);
        lane.unread.retain(|end| {
            let ahead = net.side(*end).map_or(u32::MAX, |index| net.sides[index ^ 1].ahead);
            let goes_on = waiting <= ahead as usize / 2;
            if goes_on {
                kernel.schedule(now, Event::Read { end: end.0 });
            }
            !goes_on
        });
    }

    /// Reads the oldest segment that has arrived and was not read, if its process may read.
    pub(crate) fn read(&mut self, end: u32) -> Option<Arrival<M>> {
        let index = self.net.side(ConnId(end))?;
        let receiver = &self.net.sides[index ^ 1];
        let paused = self.nodes[receiver.node as usize].paused;
        let unread = self.net.sides[index].flow.arrived;
        if !receiver.alive || receiver.held || paused || unread == 0 || self.is_too_busy(index ^ 1)
        {
            return None;
        }
        self.net.sides[index].flow.arrived -= 1;
        self.take(index)
    }

    /// Hands the front segment of side `index`'s flow to the process at the other side.
    #[inline]
    fn take(&mut self, index: usize) -> Option<Arrival<M>> {
        let segment = self.net.sides[index].flow.pop()?;
        let side = &self.net.sides[index];
        let enough = self.socket_buffer / 3 * 2 + side.own_buffer;
        if side.flow.blocked && side.flow.buffered + side.flow.promised <= enough {
            self.tell_of_room(index);
        }
        let peer = self.net.sides[index].node;
        let receiver = &mut self.net.sides[index ^ 1];
        let (node, conn) = (receiver.node, receiver.end);
        let mut lane = if segment.lane == BOUND { receiver.lane } else { segment.lane };
        let input = match segment.cargo {
            Cargo::Data(body) => Input::Message { conn, body },
            Cargo::Opened(port) => {
                receiver.state = SideState::Open;
                lane = Lane::MAIN;
                Input::Accepted { conn, peer: crate::observe::NodeId(peer), port }
            }
            Cargo::Fin => return self.end_side(index ^ 1, Closing::Finished),
            Cargo::Rst => return self.end_side(index ^ 1, Closing::Reset),
        };
        Some(Arrival { node, lane, input })
    }

    /// A sender that found the buffer full hears of room one hop later.
    #[cold]
    fn tell_of_room(&mut self, index: usize) {
        let now = self.kernel.now();
        let side = &mut self.net.sides[index];
        side.flow.blocked = false;
        let latency = self.net.links[side.flow.back as usize].latency(now);
        self.kernel.schedule(now + latency, Event::Writable { end: side.end.0 });
    }

    pub(crate) fn writable(&mut self, end: u32) -> Option<Arrival<M>> {
        let index = self.net.side(ConnId(end))?;
        let side = &self.net.sides[index];
        if !side.alive {
            return None;
        }
        if self.net.links[side.flow.back as usize].blocked != 0 {
            // The window update is lost; the probes of the sender find out after the heal.
            let again = self.kernel.now() + tcp::time_out(Span::ZERO, 0);
            self.kernel.schedule(again, Event::Writable { end });
            return None;
        }
        Some(Arrival {
            node: side.node,
            lane: side.lane,
            input: Input::Writable { conn: side.end },
        })
    }

    /// Bytes that still fit between a side and the process at the other.
    pub(crate) fn room(&self, index: usize) -> u64 {
        let side = &self.net.sides[index];
        let taken = side.flow.buffered + side.flow.promised;
        let room = (self.socket_buffer + side.own_buffer).saturating_sub(taken);
        if side.flow.is_cut_off() { room.min(self.room_for_unacknowledged(side)) } else { room }
    }

    /// Bytes that still fit into the sending kernel alone, whose buffer does not grow while
    /// nothing is acknowledged.
    fn room_for_unacknowledged(&self, side: &Side<M>) -> u64 {
        let arrived = side.flow.queue.range(..side.flow.arrived as usize);
        let arrived: u64 = arrived.map(|segment| u64::from(segment.bytes)).sum();
        let fits = self.socket_buffer.min(SEND_BUFFER) + side.own_buffer;
        fits.saturating_sub(side.flow.buffered + side.flow.promised - arrived)
    }

    /// Bytes between a side and the process at the other.
    pub(crate) fn buffered(&self, index: usize) -> u64 {
        self.net.sides[index].flow.buffered + self.net.sides[index].flow.promised
    }

    /// Stops or resumes reading at side `index`.
    pub(crate) fn hold(&mut self, index: usize, hold: bool, at: Time) {
        self.net.sides[index].held = hold;
        let sender = &self.net.sides[index ^ 1];
        if !hold && sender.flow.arrived > 0 {
            let event = Event::Read { end: sender.end.0 };
            self.kernel.schedule(at, event);
        }
    }

    /// Whose data waits for a retransmission to a process that would read it.
    pub(crate) fn stalled(&self) -> impl Iterator<Item = Waiting> + '_ {
        let pairs = self.net.sides.chunks_exact(2).filter(|pair| pair[0].alive || pair[1].alive);
        let held_up = |flow: &Flow<M>| (flow.stalled || flow.behind > 0) && flow.is_waiting();
        let waiting = pairs.flatten().filter(move |side| held_up(&side.flow));
        waiting.map(|side| Waiting {
            node: NodeId(side.node),
            what: Wait::Borrowed("the network, to send again what was not acknowledged"),
        })
    }
}
