//! How connections come about: the handshake, its retries, and refusals.

use crate::engine::Span;

use super::super::event::Event;
use super::super::machine::{ConnId, ConnectError, Input, Lane, Port};
use super::super::simulation::World;
use super::connection::{Arrival, BOUND, SideState};
use super::flow::{Cargo, Segment};
use super::link::REJECTS;

/// The first requests are repeated after a second each (`tcp_syn_linear_timeouts` 4, Linux 6.5 and
/// later: five of them were measured), the others after 2, 4, 8, … s.
const LINEAR: u32 = 5;
/// So often it is repeated (`tcp_syn_retries` 6, beside the linear ones), and given up after 131 s.
const SYN_RETRIES: u32 = 10;

impl<M> World<M> {
    /// Asks for a connection. The request leaves now.
    pub(crate) fn connect(&mut self, from: u32, lane: Lane, to: u32, port: Port) -> ConnId {
        let end = self.net.open(from, to, SideState::Opening);
        if let Some(index) = self.net.side(end) {
            let side = &mut self.net.sides[index];
            side.alive = true;
            side.lane = lane;
            side.port = port;
        }
        end
    }

    /// Sends the request, at first and again.
    pub(crate) fn send_syn(&mut self, end: ConnId, attempt: u32) {
        let Some(index) = self.net.side(end) else { return };
        let now = self.kernel.now();
        let conn = end.0 >> 1;
        let link = &mut self.net.links[self.net.sides[index].flow.link as usize];
        if !link.loses(now) {
            let at = now + link.latency(now);
            self.kernel.schedule(at, Event::Syn { conn });
        }
        let wait = Span::from_secs(1 << (attempt + 1).saturating_sub(LINEAR));
        self.kernel.schedule(now + wait, Event::SynRetry { conn, attempt: attempt + 1 });
    }

    pub(crate) fn syn_retry(&mut self, conn: u32, attempt: u32) -> Option<Arrival<M>> {
        let end = ConnId(conn << 1);
        let index = self.net.side(end)?;
        if self.net.sides[index].state == SideState::Open {
            return None;
        }
        if attempt > SYN_RETRIES {
            return self.fail(index, ConnectError::TimedOut);
        }
        self.send_syn(end, attempt);
        None
    }

    /// The request reaches the other host: its kernel answers, whatever its process does.
    pub(crate) fn syn(&mut self, conn: u32) {
        let Some(first) = self.net.side(ConnId(conn << 1)) else { return };
        let now = self.kernel.now();
        let (asking, asked) = (first, first | 1);
        let flow = &self.net.sides[asking].flow;
        let (link, back) = (flow.link as usize, flow.back as usize);
        let blocked = self.net.links[link].blocked;
        let unreachable = blocked == REJECTS;
        if blocked != 0 && !unreachable {
            return;
        }
        if self.net.links[back].loses(now) {
            return;
        }
        let at = now + self.net.links[back].latency(now);
        let port = self.net.sides[asking].port;
        let node = &self.nodes[self.net.sides[asked].node as usize];
        let accepts = !unreachable && node.alive && node.listens(port);
        if !accepts && !self.net.sides[asked].alive {
            self.kernel.schedule(at, Event::Refused { conn, unreachable });
            return;
        }
        let side = &mut self.net.sides[asked];
        side.alive = true;
        side.flow.stalled = false;
        self.kernel.schedule(at, Event::SynAck { conn });
    }

    /// The answer reaches the host that asked: for it the connection is open.
    pub(crate) fn syn_ack(&mut self, conn: u32) -> Option<Arrival<M>> {
        let end = ConnId(conn << 1);
        let index = self.net.side(end)?;
        let side = &mut self.net.sides[index];
        let back = side.flow.back as usize;
        if self.net.links[back].blocked != 0 || side.state == SideState::Open || !side.alive {
            return None;
        }
        let now = self.kernel.now();
        side.state = SideState::Open;
        side.flow.stalled = false;
        // The last step of the handshake goes before whatever was sent meanwhile.
        let opened = Cargo::Opened(side.port);
        let segment = Segment { cargo: opened, bytes: 0, lane: BOUND, leaves: now };
        side.flow.queue.push_front(segment);
        let (node, lane) = (side.node, side.lane);
        self.transmit_all(index, now);
        Some(Arrival { node, lane, input: Input::Connected { conn: end } })
    }

    pub(crate) fn refused(&mut self, conn: u32, unreachable: bool) -> Option<Arrival<M>> {
        let index = self.net.side(ConnId(conn << 1))?;
        let side = &self.net.sides[index];
        if side.state == SideState::Open {
            return None;
        }
        if !unreachable && self.net.links[side.flow.back as usize].blocked != 0 {
            return None;
        }
        let why = if unreachable { ConnectError::Unreachable } else { ConnectError::Refused };
        self.fail(index, why)
    }

    fn fail(&mut self, index: usize, why: ConnectError) -> Option<Arrival<M>> {
        let side = &mut self.net.sides[index];
        let (node, lane, conn) = (side.node, side.lane, side.end);
        let was = std::mem::replace(&mut side.alive, false);
        self.net.sides[index | 1].alive = false;
        self.net.release(index);
        was.then_some(Arrival { node, lane, input: Input::Failed { conn, why } })
    }
}
