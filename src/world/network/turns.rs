//! Whose turn it is at a network card that has more to send than it can.
//!
//! Linux lets a connection have about a millisecond of its own rate below its socket ("TCP small
//! queues", `tcp_small_queue_check` in `tcp_output.c`); the rest waits in the socket. Connections
//! take turns, and one that had nothing to send for a while goes before those that always have
//! (`sch_fq_codel.c`, `fq_codel_dequeue`: new flows before old ones, and a new flow that runs empty
//! goes behind the old ones once, so that it starves nobody; the default of systemd since v217). So
//! a small message waits for what the card was given already, not for what another connection has
//! to send. While nothing waits for its turn, there are no events.

use crate::engine::Time;

use super::super::event::Event;
use super::super::simulation::World;

impl<M> World<M> {
    /// Side `index` has something to send at `at` by a card that may be busy: the card takes it, or
    /// the connection waits for its turn.
    pub(super) fn offer(&mut self, index: usize, at: Time) {
        let side = &mut self.net.sides[index];
        if side.flow.takes_turns || !side.flow.may_send() {
            return;
        }
        let (end, node) = (side.end, side.node);
        let free = self.net.cards[node as usize].is_free(at);
        if free {
            self.send_burst(index, at);
            if !self.net.sides[index].flow.may_send() {
                return;
            }
        }
        self.net.sides[index].flow.takes_turns = true;
        let turns = &mut self.net.cards[node as usize].turns;
        let queue = if free { &mut turns.others } else { &mut turns.fresh };
        queue.push_back(end);
        self.await_turn(node);
    }

    /// The next turn is when the card has sent what it was given.
    fn await_turn(&mut self, node: u32) {
        let card = &mut self.net.cards[node as usize];
        if !card.turns.is_empty() && !std::mem::replace(&mut card.turns.due, true) {
            let at = card.sends_until.max(self.kernel.now());
            self.kernel.schedule(at, Event::Turn { node });
        }
    }

    /// The card of a host has sent what it was given: those whose turn it is give it more.
    pub(crate) fn turn(&mut self, node: u32) {
        let now = self.kernel.now();
        let card = &mut self.net.cards[node as usize];
        card.turns.due = false;
        let mut takes = card.turn();
        while takes > 0 {
            let turns = &mut self.net.cards[node as usize].turns;
            let fresh = turns.fresh.pop_front();
            let Some(end) = fresh.or_else(|| turns.others.pop_front()) else { return };
            let Some(index) = self.net.side(end) else { continue };
            let sent = self.send_burst(index, now);
            takes = takes.saturating_sub(sent);
            let flow = &mut self.net.sides[index].flow;
            let turns = &mut self.net.cards[node as usize].turns;
            let once_more = fresh.is_some() && sent > 0 && !turns.others.is_empty();
            flow.takes_turns = flow.may_send() || once_more;
            if flow.takes_turns {
                turns.others.push_back(end);
            }
        }
        self.await_turn(node);
    }

    /// Gives the card what a connection may give it in a turn. Returns the bytes.
    fn send_burst(&mut self, index: usize, at: Time) -> u32 {
        let node = self.net.sides[index].node as usize;
        let most = self.net.cards[node].turn();
        let to = self.net.sides[index ^ 1].node;
        let mut room = most;
        while room > 0 && self.net.sides[index].flow.may_send() {
            let flow = &mut self.net.sides[index].flow;
            let rest = flow.queue[flow.sent_segments()].bytes - flow.begun;
            if rest > room {
                let (begins, through) = self.net.cards[node].sends(room, at);
                if flow.begun == 0 {
                    flow.begun_at = begins;
                }
                flow.begun += room;
                if self.net.cards[to as usize].limits_what_comes() {
                    let comes = through + self.net.links[flow.link as usize].typical();
                    let part = Event::Part { from: node as u32, to, bytes: room };
                    self.kernel.schedule(comes, part);
                }
                return most;
            }
            room -= rest;
            self.transmit(index, at);
        }
        most - room
    }

    /// A part of a message takes its place at the card of the host that it is for.
    pub(crate) fn part_comes_in(&mut self, from: u32, to: u32, bytes: u32) {
        let came = self.net.cards[from as usize].takes(bytes);
        self.net.cards[to as usize].receives(bytes, self.kernel.now(), came);
    }
}
