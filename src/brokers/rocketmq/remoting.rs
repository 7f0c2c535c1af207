//! Connections for requests (`remoting/netty/NettyRemotingClient.java`): one to each server, made when
//! it is needed; any number of requests at the same time, told apart by their numbers.
//!
//! A request waits for its answer, for the end of its connection, which fails all that is under way
//! on it (`failFast`), or for its time to be over. A synchronous one that times out ends the
//! connection; asynchronous ones are looked through once a second and end nothing.

use crate::engine::{Span, Time};
use crate::observe::{ContactState, NodeId};
use crate::world::{Alarm, By, ConnId, Context, Input, Lane, Port};

use super::message::{Message, Timer};

/// `connectTimeoutMillis` (`remoting/netty/NettySystemConfig.java`).
const CONNECT_TIMEOUT: Span = Span::from_secs(3);
/// Asynchronous requests get a second of grace and are looked at every second (`scanResponseTable`).
const SCAN: Span = Span::from_secs(1);

/// Why a request has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection, so it was never sent.
    NotConnected,
    /// The connection ended before the answer.
    Closed,
    /// There was no answer in time.
    TimedOut,
}

/// How a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// `invokeSync`: a thread waits for the answer.
    Sync(Span),
    /// `invokeAsync`: a callback gets it.
    Async(Span),
}

/// What happened on the connections. `W` is what the machine remembers of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<W> {
    /// The connection to this server is open.
    Opened(usize),
    /// A request was answered.
    Answered(W, Message),
    /// A request failed.
    Failed(W, Failure),
    /// A server said something that nobody had asked for.
    Told(Message),
}

#[derive(Clone, Debug)]
struct Pending<W> {
    id: u32,
    due: Time,
    sync: bool,
    what: W,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Opening(ConnId, Time),
    Open(ConnId),
}

#[derive(Clone, Debug)]
struct Channel<W> {
    to: NodeId,
    port: Port,
    state: State,
    pending: Vec<Pending<W>>,
}

/// The connections of a client, to all servers that it may ever talk to.
#[derive(Clone, Debug)]
pub struct Remoting<W> {
    channels: Vec<Channel<W>>,
    next: u32,
    alarm: Alarm,
    /// Whether a request that times out ends its connection (`clientCloseSocketIfTimeout`).
    closes: bool,
}

/// The number of a request in an answer.
fn answered(message: &Message) -> Option<u32> {
    Some(match message {
        Message::Registered(id, _)
        | Message::Replicas(id, _)
        | Message::LeaderIs(id, _)
        | Message::RouteIs(id, _)
        | Message::Sent(id, _)
        | Message::ConsumersAre(id, _)
        | Message::OffsetIs(id, _)
        | Message::Locked(id, _)
        | Message::AllOffsets(id, _) => *id,
        Message::Pulled(pulled) => pulled.id,
        _ => return None,
    })
}

impl<W> Remoting<W> {
    /// Connections that are not made yet, to these servers; they are called by their places here.
    #[must_use]
    pub fn new(servers: impl IntoIterator<Item = (NodeId, Port)>, closes: bool) -> Remoting<W> {
        let channel = |(to, port)| Channel { to, port, state: State::Closed, pending: Vec::new() };
        Remoting {
            channels: servers.into_iter().map(channel).collect(),
            next: 0,
            alarm: Alarm::new(By::Monotonic),
            closes,
        }
    }

    /// Whose connection it is, by the server's place.
    #[must_use]
    pub fn owner(&self, conn: ConnId) -> Option<usize> {
        let owns = |channel: &Channel<W>| matches!(channel.state, State::Opening(own, _) | State::Open(own) if own == conn);
        self.channels.iter().position(owns)
    }

    /// Whether the connection to a server is open.
    #[must_use]
    pub fn is_open(&self, server: usize) -> bool {
        matches!(self.channels[server].state, State::Open(_))
    }

    /// How many requests are not answered.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.channels.iter().map(|channel| channel.pending.len()).sum()
    }

    fn connection(&mut self, server: usize, ctx: &mut Context<'_, Message>) -> ConnId {
        let channel = &mut self.channels[server];
        match channel.state {
            State::Opening(conn, _) | State::Open(conn) => conn,
            State::Closed => {
                let conn = ctx.connect(channel.to, channel.port);
                let by = ctx.monotonic() + CONNECT_TIMEOUT;
                channel.state = State::Opening(conn, by);
                self.alarm.wake(by, Lane::MAIN, Timer::Requests.into(), ctx);
                conn
            }
        }
    }

    /// Makes a connection to a server unless there is one.
    pub fn reach(&mut self, server: usize, ctx: &mut Context<'_, Message>) {
        self.connection(server, ctx);
    }

    /// Sends what is not answered; what is sent before the connection is open waits for it.
    pub fn post(
        &mut self,
        server: usize,
        message: Message,
        bytes: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let conn = self.connection(server, ctx);
        ctx.send(conn, message, bytes);
    }

    /// Sends a request, made of its number and of so many bytes, and remembers what it is about.
    pub fn request(
        &mut self,
        server: usize,
        waits: Waits,
        what: W,
        (make, bytes): (impl FnOnce(u32) -> Message, u32),
        ctx: &mut Context<'_, Message>,
    ) {
        let conn = self.connection(server, ctx);
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let now = ctx.monotonic();
        let (due, sync) = match waits {
            Waits::Sync(span) => (now + span, true),
            Waits::Async(span) => {
                let late = now + span + SCAN;
                let past = late.as_nanos() % SCAN.as_nanos();
                (late + Span::from_nanos((SCAN.as_nanos() - past) % SCAN.as_nanos()), false)
            }
        };
        self.channels[server].pending.push(Pending { id, due, sync, what });
        self.alarm.wake(due, Lane::MAIN, Timer::Requests.into(), ctx);
        ctx.send(conn, make(id), bytes);
    }

    fn tell(
        &self,
        server: usize,
        state: ContactState,
        why: &'static str,
        ctx: &mut Context<'_, Message>,
    ) {
        ctx.contact(self.channels[server].to, state, (why, Span::ZERO));
    }

    /// Ends a connection: what is under way on it fails.
    fn lost(&mut self, server: usize, events: &mut Vec<Event<W>>) {
        let channel = &mut self.channels[server];
        let failure = match channel.state {
            State::Open(_) => Failure::Closed,
            State::Closed | State::Opening(..) => Failure::NotConnected,
        };
        channel.state = State::Closed;
        let failed = channel.pending.drain(..);
        events.extend(failed.map(|request| Event::Failed(request.what, failure)));
    }

    /// Something happened on one of its connections.
    pub fn handle(
        &mut self,
        server: usize,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) -> Vec<Event<W>> {
        let mut events = Vec::new();
        match input {
            Input::Connected { conn } => {
                self.channels[server].state = State::Open(conn);
                self.tell(server, ContactState::Connected, "", ctx);
                events.push(Event::Opened(server));
            }
            Input::Failed { why, .. } => {
                self.tell(server, ContactState::GivenUp, why.words(), ctx);
                self.lost(server, &mut events);
            }
            Input::Closed { how, .. } => {
                self.tell(server, ContactState::Lost, how.words(), ctx);
                self.lost(server, &mut events);
            }
            Input::Message { body, .. } => match answered(&body) {
                None => events.push(Event::Told(body)),
                Some(id) => {
                    let pending = &mut self.channels[server].pending;
                    if let Some(at) = pending.iter().position(|request| request.id == id) {
                        let request = pending.swap_remove(at);
                        events.push(Event::Answered(request.what, body));
                    }
                }
            },
            _ => {}
        }
        events
    }

    /// Its timer has fired: what is overdue has failed.
    pub fn overdue(&mut self, ctx: &mut Context<'_, Message>) -> Vec<Event<W>> {
        self.alarm.rang(ctx);
        let now = ctx.monotonic();
        let mut events = Vec::new();
        for server in 0..self.channels.len() {
            let channel = &mut self.channels[server];
            if let State::Opening(conn, by) = channel.state
                && by <= now
            {
                ctx.abort(conn);
                self.tell(server, ContactState::GivenUp, "no connection within", ctx);
                self.lost(server, &mut events);
                continue;
            }
            let mut ends = false;
            let mut at = 0;
            while at < channel.pending.len() {
                if channel.pending[at].due > now {
                    at += 1;
                    continue;
                }
                let request = channel.pending.swap_remove(at);
                ends |= request.sync;
                events.push(Event::Failed(request.what, Failure::TimedOut));
            }
            if let (true, true, State::Open(conn)) = (ends, self.closes, channel.state) {
                ctx.close(conn);
                self.tell(server, ContactState::GivenUp, "a request was not answered in time", ctx);
                self.lost(server, &mut events);
            }
        }
        self.arm(ctx);
        events
    }

    fn arm(&mut self, ctx: &mut Context<'_, Message>) {
        let due = self.channels.iter().flat_map(|channel| {
            let opening = match channel.state {
                State::Opening(_, by) => Some(by),
                State::Closed | State::Open(_) => None,
            };
            channel.pending.iter().map(|request| request.due).chain(opening)
        });
        if let Some(first) = due.min() {
            self.alarm.wake(first, Lane::MAIN, Timer::Requests.into(), ctx);
        }
    }

    /// Closes every connection; what is under way is forgotten.
    pub fn close(&mut self, ctx: &mut Context<'_, Message>) {
        for channel in &mut self.channels {
            if let State::Opening(conn, _) | State::Open(conn) = channel.state {
                ctx.close(conn);
            }
            channel.state = State::Closed;
            channel.pending.clear();
        }
        self.alarm.cancel(ctx);
    }

    /// The process has died. What was asked is returned.
    pub fn died(&mut self) -> Vec<W> {
        self.alarm.forget();
        let forget = |channel: &mut Channel<W>| {
            channel.state = State::Closed;
            channel.pending.drain(..).map(|request| request.what).collect::<Vec<W>>()
        };
        self.channels.iter_mut().flat_map(forget).collect()
    }
}
