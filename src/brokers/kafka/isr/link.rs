//! A connection to another node for requests: one at a time is opened, requests are answered in
//! their order, and one that is not answered in time, by the host's wall clock, ends the connection
//! (NetworkClient.java).

use std::collections::VecDeque;

use crate::engine::{Span, Stream, Time};
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Lane, Port, TimerId};

use super::config::Config;
use super::message::{Message, Request, Timer};
use super::rules::Rule;

/// `socket.connection.setup.timeout.ms` and `...max.ms` (KIP-601).
const SETUP: Span = Span::from_secs(10);
const SETUP_MAX: Span = Span::from_secs(30);

/// A link to one port of one node.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its number among the links of its machine, for its timers.
    number: u32,
    to: NodeId,
    port: Port,
    state: State,
    next_id: u32,
    in_flight: VecDeque<InFlight>,
    timer: Option<TimerId>,
    turn: u32,
    /// When a connection that is not open yet is given up.
    open_by: Option<Time>,
    /// How many attempts to connect have failed since one came about.
    failed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Opening(ConnId),
    Open(ConnId),
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    id: u32,
    due: Time,
}

impl Link {
    /// A link that is not open.
    #[must_use]
    pub const fn new(number: u32, to: NodeId, port: Port) -> Link {
        Link {
            number,
            to,
            port,
            state: State::Closed,
            next_id: 0,
            in_flight: VecDeque::new(),
            timer: None,
            turn: 0,
            open_by: None,
            failed: 0,
        }
    }

    /// A closed link goes to this node from now on.
    pub fn aim(&mut self, to: NodeId) {
        debug_assert!(self.is_closed(), "an open link goes where it goes");
        if self.to != to {
            (self.to, self.failed) = (to, 0);
        }
    }

    /// Where it goes.
    #[must_use]
    pub const fn to(&self) -> NodeId {
        self.to
    }

    /// Whether requests go out at once.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether there is no connection, nor one being made.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The connection, if it is open.
    #[must_use]
    pub const fn conn(&self) -> Option<ConnId> {
        match self.state {
            State::Open(conn) => Some(conn),
            State::Closed | State::Opening(_) => None,
        }
    }

    /// Whether a connection is this one's.
    #[must_use]
    pub fn owns(&self, conn: ConnId) -> bool {
        matches!(self.state, State::Opening(own) | State::Open(own) if own == conn)
    }

    /// How many requests are not answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Opens the connection, if there is none. `Connected` or `Failed` follows on this lane.
    pub fn open(&mut self, ctx: &mut Context<'_, Message>) {
        if self.is_closed() {
            self.state = State::Opening(ctx.connect(self.to, self.port));
        }
    }

    /// The same, but the connection is given up if it is not open after so long.
    pub fn open_within(&mut self, ctx: &mut Context<'_, Message>, limit: Span) {
        if self.is_closed() {
            self.open(ctx);
            self.open_by = Some(ctx.clock() + limit);
            self.arm(ctx);
        }
    }

    /// Opens the connection as a `NetworkClient` does: from 2.7 on it gives an attempt up after
    /// `socket.connection.setup.timeout.ms`, give or take a fifth, and after twice as long for each
    /// attempt in a row that failed; one that ends after it came about counts for nothing
    /// (ClusterConnectionStates.java 2.7, `disconnected`; KIP-601). Before, it is given up after
    /// `before`, or as late as TCP does.
    pub fn open_in_time(
        &mut self,
        config: &Config,
        before: Option<Span>,
        ctx: &mut Context<'_, Message>,
    ) {
        if !self.is_closed() {
            return;
        }
        let limit = if config.has(Rule::TimeOutConnecting) {
            Some(jittered(doubled(SETUP, self.failed, SETUP_MAX), ctx.random()))
        } else {
            before.filter(|_| config.has(Rule::ScalaConnectTimeout))
        };
        match limit {
            Some(limit) => self.open_within(ctx, limit),
            None => self.open(ctx),
        }
    }

    /// The connection is open.
    pub fn connected(&mut self, conn: ConnId) {
        if self.state == State::Opening(conn) {
            self.state = State::Open(conn);
            self.open_by = None;
            self.failed = 0;
            // What is left of the wait for it finds that it is stale.
            self.timer = None;
            self.turn = self.turn.wrapping_add(1);
        }
    }

    /// The process has died, and its connections with it.
    pub fn forget(&mut self) {
        self.state = State::Closed;
        self.in_flight.clear();
        self.timer = None;
        self.open_by = None;
        self.failed = 0;
    }

    /// The connection has failed or ended; what was asked on it will not be answered.
    pub fn lost(&mut self, ctx: &mut Context<'_, Message>) -> Vec<u32> {
        self.failed += u32::from(matches!(self.state, State::Opening(_)));
        self.state = State::Closed;
        self.open_by = None;
        if let Some(timer) = self.timer.take() {
            ctx.cancel(timer);
        }
        self.in_flight.drain(..).map(|request| request.id).collect()
    }

    /// Ends the connection.
    pub fn close(&mut self, ctx: &mut Context<'_, Message>) -> Vec<u32> {
        if let State::Opening(conn) | State::Open(conn) = self.state {
            ctx.close(conn);
        }
        self.lost(ctx)
    }

    /// Sends a request on an open link; an answer is due after `timeout`. Returns its number.
    pub fn send(&mut self, ctx: &mut Context<'_, Message>, request: Request, timeout: Span) -> u32 {
        let id = self.post(ctx, request);
        self.in_flight.push_back(InFlight { id, due: ctx.clock() + timeout });
        if self.timer.is_none() {
            self.arm(ctx);
        }
        id
    }

    /// Sends a request that is never answered. Returns its number.
    pub fn post(&mut self, ctx: &mut Context<'_, Message>, request: Request) -> u32 {
        let State::Open(conn) = self.state else {
            debug_assert!(false, "a request needs an open link");
            return u32::MAX;
        };
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let bytes = request.bytes();
        ctx.send(conn, Message::Request { id, body: Box::new(request) }, bytes);
        id
    }

    fn arm(&mut self, ctx: &mut Context<'_, Message>) {
        let due = self.in_flight.iter().map(|request| request.due).chain(self.open_by);
        let Some(first) = due.min() else { return };
        self.turn = self.turn.wrapping_add(1);
        let timer = Timer::Link { link: self.number, turn: self.turn };
        let lane: Lane = ctx.lane();
        self.timer = Some(ctx.after(first.since(ctx.clock()), lane, Message::Timer(timer)));
    }

    /// An answer has come. `false` if nobody waits for it.
    pub fn answered(&mut self, id: u32) -> bool {
        match self.in_flight.iter().position(|request| request.id == id) {
            Some(place) => {
                self.in_flight.remove(place);
                true
            }
            None => false,
        }
    }

    /// Its timer has fired: the numbers of the requests that will not be answered, if the
    /// connection is given up for one that is overdue.
    pub fn timer(&mut self, ctx: &mut Context<'_, Message>, turn: u32) -> Option<Vec<u32>> {
        if turn != self.turn {
            return None;
        }
        self.timer = None;
        let mut due = self.in_flight.iter().map(|request| request.due).chain(self.open_by);
        if due.any(|due| due <= ctx.clock()) {
            return Some(self.close(ctx));
        }
        self.arm(ctx);
        None
    }
}

/// `first`, doubled `times` times, at most `longest`.
pub(super) fn doubled(first: Span, times: u32, longest: Span) -> Span {
    let factor = 1u64.checked_shl(times.min(40)).unwrap_or(u64::MAX);
    Span::from_nanos(first.as_nanos().saturating_mul(factor)).min(longest.max(first))
}

/// Give or take a fifth (ExponentialBackoff.java 2.7: `jitter` is 0.2 for connections).
pub(super) fn jittered(span: Span, stream: &mut Stream) -> Span {
    let fifth = span.as_nanos() / 5;
    Span::from_nanos(span.as_nanos() - fifth + stream.below(2 * fifth + 1))
}
