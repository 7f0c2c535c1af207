//! A client's session (`ClientCnxn.java`, `ZooKeeper.java`, `StaticHostProvider.java` 3.4.14).
//!
//! It is embedded: the machine gives it the inputs that it [owns](Session::owns) and reacts to the
//! events that come of them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::{Alarm, By, ConnId, Context, Input, Lane};

use super::super::Carry;
use super::config::{CLIENT_PORT, Costs};
use super::data::{Data, Error, Op, Outcome, Path, SessionId, WatchKind, Xid, Zxid, pop_front_if};
use super::message::{Connect, Message};
use super::watches::Rewatch;

/// What the embedding machine has to react to.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<D> {
    /// There is a connection, and the session lives.
    Connected {
        /// The session.
        session: SessionId,
        /// Whether it begins with this.
        new: bool,
    },
    /// The connection was lost. The session may live.
    Disconnected,
    /// The session is over, and so are its ephemerals and watches; learned from the first server
    /// that was reached. [`Session::open`] begins another one.
    Expired,
    /// What came of a request.
    Response {
        /// Which.
        xid: Xid,
        /// What came of it.
        outcome: Outcome<D>,
    },
    /// Something that was watched has changed. It is not watched any more.
    Watch {
        /// Which znode.
        path: Path,
        /// What happened to it.
        kind: WatchKind,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not begun, closed, or expired.
    Over,
    /// Between two attempts.
    Pausing,
    /// The connection is asked for.
    Connecting(ConnId),
    /// The session is asked for.
    Greeting(ConnId),
    Connected(ConnId),
}

/// The watch of a request that was sent.
#[derive(Clone, Debug)]
enum Watching {
    Nothing,
    Data(Path),
    Exists(Path),
    Child(Path),
    /// It is the end of the session.
    Close,
}

/// `ClientCnxn.SendThread.MAX_SEND_PING_INTERVAL`.
const MOST_IDLE: Span = Span::from_secs(10);
/// `hostProvider.next(1000)`: a wait once all servers have been tried.
const ROUND: Span = Span::from_secs(1);
/// `Thread.sleep(r.nextInt(1000))` before it connects again, in ms.
const PAUSE: u64 = 1_000;

/// A client's session.
#[derive(Clone, Debug)]
pub struct Session<D> {
    servers: Arc<[NodeId]>,
    by: By,
    tag: u32,
    asked: Span,
    overhead: u32,
    lane: Lane,
    state: State,
    session: Option<SessionId>,
    /// As negotiated.
    timeout: Span,
    /// The servers in its own order, the one that is tried, and the one at which a round ends.
    order: Vec<NodeId>,
    current: usize,
    round: Option<usize>,
    /// Whether any connection has come about.
    reached: bool,
    heard: Time,
    sent: Time,
    /// How much sooner than it would be due the first ping is sent.
    early: Span,
    alarm: Alarm,
    xid: u32,
    pending: VecDeque<(Xid, Watching)>,
    queued: VecDeque<(Xid, Op<D>)>,
    seen: Zxid,
    data: BTreeSet<Path>,
    exists: BTreeSet<Path>,
    child: BTreeSet<Path>,
}

impl<D: Data> Session<D> {
    /// A session with these servers that would like to be silent for `timeout` at most. `tag` tells
    /// the sessions of one machine apart. How long it has been silent it reads off the clock `by`.
    #[must_use]
    pub fn new(servers: Arc<[NodeId]>, timeout: Span, tag: u32, by: By) -> Session<D> {
        Session {
            by,
            order: servers.to_vec(),
            servers,
            tag,
            asked: timeout,
            overhead: Costs::default().overhead,
            lane: Lane::MAIN,
            state: State::Over,
            session: None,
            timeout,
            current: 0,
            round: None,
            reached: false,
            heard: Time::ZERO,
            sent: Time::ZERO,
            early: Span::ZERO,
            alarm: Alarm::new(by),
            xid: 0,
            pending: VecDeque::new(),
            queued: VecDeque::new(),
            seen: Zxid::ZERO,
            data: BTreeSet::new(),
            exists: BTreeSet::new(),
            child: BTreeSet::new(),
        }
    }

    /// Begins a session on the lane that handles this input. What was open before is forgotten.
    pub fn open<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        self.alarm.cancel(ctx);
        if let Some(conn) = self.conn() {
            ctx.close(conn);
        }
        let fresh = Session::new(self.servers.clone(), self.asked, self.tag, self.by);
        *self = Session { lane: ctx.lane(), xid: self.xid, ..fresh };
        ctx.random().shuffle(&mut self.order);
        self.current = self.order.len() - 1;
        self.connect_next(ctx);
    }

    /// The machine's process has died: nothing is left of the session here.
    pub fn died(&mut self) {
        *self = Session::new(self.servers.clone(), self.asked, self.tag, self.by);
    }

    /// Whether events of this connection are its.
    #[must_use]
    pub fn owns(&self, conn: ConnId) -> bool {
        self.conn() == Some(conn)
    }

    /// Whether a message of the machine to itself is its.
    #[must_use]
    pub fn owns_timer(&self, message: &Message<D>) -> bool {
        matches!(message, Message::Wake { tag } if *tag == self.tag)
    }

    /// Whether there is a connection, and the session was alive when last heard of.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// Whether it was begun and neither closed nor found to be expired.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.state != State::Over
    }

    /// Whether no request waits for its answer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.queued.is_empty()
    }

    /// The session, once there is one.
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        self.session
    }

    /// The timeout, as negotiated.
    #[must_use]
    pub fn timeout(&self) -> Span {
        self.timeout
    }

    /// The server that it is connected with, or tries to be.
    #[must_use]
    pub fn server(&self) -> NodeId {
        self.order[self.current]
    }

    fn conn(&self) -> Option<ConnId> {
        match self.state {
            State::Over | State::Pausing => None,
            State::Connecting(conn) | State::Greeting(conn) | State::Connected(conn) => Some(conn),
        }
    }

    /// Asks for something. Every request is answered by one [`Event::Response`], in order. While
    /// there is no connection it waits for the next one, and fails if an attempt does.
    ///
    /// # Errors
    /// `SessionExpired` if there is no session any more; there will be no response then.
    pub fn request<M: Carry<Message<D>>>(
        &mut self,
        op: Op<D>,
        ctx: &mut Context<'_, M>,
    ) -> Result<Xid, Error> {
        if !self.is_alive() {
            return Err(Error::SessionExpired);
        }
        self.xid += 1;
        let xid = Xid(self.xid);
        if let State::Connected(conn) = self.state {
            self.send_request(conn, xid, op, ctx);
        } else {
            self.queued.push_back((xid, op));
        }
        Ok(xid)
    }

    /// Ends the session, and its ephemerals with it, if there is a connection; else the servers
    /// find out by its silence. The last response is that to the number returned.
    pub fn close<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) -> Option<Xid> {
        let State::Connected(conn) = self.state else {
            if let Some(conn) = self.conn() {
                ctx.close(conn);
            }
            self.alarm.cancel(ctx);
            self.state = State::Over;
            return None;
        };
        self.xid += 1;
        let xid = Xid(self.xid);
        self.pending.push_back((xid, Watching::Close));
        self.send(conn, Message::Close(xid), ctx);
        Some(xid)
    }

    fn send_request<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        xid: Xid,
        op: Op<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let watching = match &op {
            Op::Exists { path, watch: true } => Watching::Exists(path.clone()),
            Op::GetData { path, watch: true } => Watching::Data(path.clone()),
            Op::GetChildren { path, watch: true } => Watching::Child(path.clone()),
            _ => Watching::Nothing,
        };
        self.pending.push_back((xid, watching));
        self.send(conn, Message::Request(xid, Box::new(op)), ctx);
    }

    fn send<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        message: Message<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let bytes = message.bytes() + self.overhead;
        self.sent = self.alarm.now(ctx);
        ctx.send(conn, message.into(), bytes);
    }

    /// `connectTimeout`: the session's over the number of servers.
    fn connect_timeout(&self) -> Span {
        Span::from_nanos(self.timeout.as_nanos() / self.order.len() as u64)
    }

    /// `readTimeout`: two thirds of the session's.
    fn read_timeout(&self) -> Span {
        Span::from_nanos(self.timeout.as_nanos() * 2 / 3)
    }

    /// When a ping is due: after a third of the session's timeout without anything sent. The real
    /// client may ping up to a second earlier when something else has woken it.
    fn ping_due(&self) -> Time {
        self.sent + self.ping_interval().saturating_sub(self.early)
    }

    fn ping_interval(&self) -> Span {
        Span::from_nanos(self.read_timeout().as_nanos() / 2).min(MOST_IDLE)
    }

    fn silent_until(&self) -> Time {
        let limit = if self.is_connected() { self.read_timeout() } else { self.connect_timeout() };
        self.heard + limit
    }

    /// Has itself woken at `due`, or earlier if that is planned already.
    fn wake_at<M: Carry<Message<D>>>(&mut self, due: Time, ctx: &mut Context<'_, M>) {
        let wake = Message::Wake { tag: self.tag };
        self.alarm.wake(due, self.lane, wake.into(), ctx);
    }

    fn watch_time<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let due = match self.state {
            State::Over | State::Pausing => return,
            State::Connected(_) => self.silent_until().min(self.ping_due()),
            State::Connecting(_) | State::Greeting(_) => self.silent_until(),
        };
        self.wake_at(due, ctx);
    }

    /// Goes on to the next server, after a pause if there has been a connection before, or if all
    /// have been tried (`StaticHostProvider.next`).
    fn connect_next<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        self.alarm.cancel(ctx);
        let mut pause = Span::ZERO;
        if self.reached {
            pause = Span::from_millis(ctx.random().below(PAUSE));
        }
        self.current = (self.current + 1) % self.order.len();
        if self.round == Some(self.current) {
            pause += ROUND;
        }
        self.round.get_or_insert(0);
        if pause.is_zero() {
            return self.connect(ctx);
        }
        self.state = State::Pausing;
        let due = self.alarm.now(ctx) + pause;
        self.wake_at(due, ctx);
    }

    fn connect<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        self.state = State::Connecting(ctx.connect(self.server(), CLIENT_PORT));
        self.heard = self.alarm.now(ctx);
        self.watch_time(ctx);
    }

    /// One input that it [owns](Self::owns); others change nothing.
    pub fn handle<M: Carry<Message<D>>>(
        &mut self,
        input: Input<M>,
        ctx: &mut Context<'_, M>,
    ) -> Vec<Event<D>> {
        let mut events = Vec::new();
        match input {
            Input::Connected { conn } if self.state == State::Connecting(conn) => {
                self.greet(conn, ctx);
            }
            Input::Failed { conn, .. } | Input::Closed { conn, .. } if self.owns(conn) => {
                self.lose(&mut events, ctx);
            }
            Input::Message { conn, body } if self.owns(conn) => {
                if let Ok(message) = body.open() {
                    self.heard = self.alarm.now(ctx);
                    self.hear(conn, message, &mut events, ctx);
                }
            }
            Input::Local { body } => {
                if let Ok(Message::Wake { tag }) = body.open()
                    && tag == self.tag
                    && self.alarm.rang(ctx)
                {
                    self.woken(&mut events, ctx);
                }
            }
            _ => {}
        }
        self.watch_time(ctx);
        events
    }

    fn woken<M: Carry<Message<D>>>(
        &mut self,
        events: &mut Vec<Event<D>>,
        ctx: &mut Context<'_, M>,
    ) {
        match self.state {
            State::Over => {}
            State::Pausing => self.connect(ctx),
            // "Client session timed out, have not heard from server".
            _ if self.alarm.now(ctx) >= self.silent_until() => {
                if let Some(conn) = self.conn() {
                    ctx.close(conn);
                }
                self.lose(events, ctx);
            }
            State::Connected(conn) if self.alarm.now(ctx) >= self.ping_due() => {
                self.early = Span::ZERO;
                self.send(conn, Message::Ping, ctx);
            }
            State::Connecting(_) | State::Greeting(_) | State::Connected(_) => {}
        }
    }

    /// `primeConnection`.
    fn greet<M: Carry<Message<D>>>(&mut self, conn: ConnId, ctx: &mut Context<'_, M>) {
        self.state = State::Greeting(conn);
        self.reached = true;
        self.heard = self.alarm.now(ctx);
        let connect = Connect { session: self.session, timeout: self.asked, seen: self.seen };
        self.send(conn, Message::Connect(Box::new(connect)), ctx);
    }

    /// What was asked for and not answered may have been done or not.
    fn fail_all(&mut self, error: Error, events: &mut Vec<Event<D>>) {
        let pending = self.pending.drain(..).map(|(xid, _)| xid);
        let queued = self.queued.drain(..).map(|(xid, _)| xid);
        let response = |xid| Event::Response { xid, outcome: Err(error) };
        events.extend(pending.chain(queued).map(response));
    }

    /// The connection is gone, or none came about.
    fn lose<M: Carry<Message<D>>>(&mut self, events: &mut Vec<Event<D>>, ctx: &mut Context<'_, M>) {
        let closing = self.pending.iter().any(|(_, watching)| matches!(watching, Watching::Close));
        let connected = self.is_connected();
        self.fail_all(Error::ConnectionLoss, events);
        if connected {
            events.push(Event::Disconnected);
        }
        if closing {
            self.alarm.cancel(ctx);
            self.state = State::Over;
        } else {
            self.connect_next(ctx);
        }
    }

    fn hear<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        message: Message<D>,
        events: &mut Vec<Event<D>>,
        ctx: &mut Context<'_, M>,
    ) {
        match message {
            Message::Session(Some((session, timeout))) => {
                let new = self.session.is_none();
                (self.session, self.timeout) = (Some(session), timeout);
                let interval = self.ping_interval();
                self.early = interval.saturating_sub(ctx.first_round(interval));
                self.state = State::Connected(conn);
                self.round = Some(self.current);
                events.push(Event::Connected { session, new });
                self.catch_up(conn, ctx);
            }
            Message::Session(None) => {
                ctx.close(conn);
                self.alarm.cancel(ctx);
                self.state = State::Over;
                self.forget_watches();
                events.push(Event::Expired);
                self.fail_all(Error::SessionExpired, events);
            }
            Message::Response(xid, reply) => {
                self.seen = self.seen.max(reply.zxid);
                let Some((_, watching)) = pop_front_if(&mut self.pending, |(sent, _)| *sent == xid)
                else {
                    return;
                };
                self.register(&watching, &reply.outcome);
                events.push(Event::Response { xid, outcome: reply.outcome });
                if matches!(watching, Watching::Close) {
                    ctx.close(conn);
                    self.alarm.cancel(ctx);
                    self.state = State::Over;
                    self.forget_watches();
                }
            }
            Message::Event(path, kind) if self.unregister(&path, kind) => {
                events.push(Event::Watch { path, kind });
            }
            _ => {}
        }
    }

    /// First its watches, so that it misses nothing that what was asked for meanwhile might show.
    fn catch_up<M: Carry<Message<D>>>(&mut self, conn: ConnId, ctx: &mut Context<'_, M>) {
        let list = |paths: &BTreeSet<Path>| paths.iter().cloned().collect();
        let rewatch = Rewatch {
            seen: self.seen,
            data: list(&self.data),
            exists: list(&self.exists),
            child: list(&self.child),
        };
        if !rewatch.is_empty() {
            self.send(conn, Message::SetWatches(Box::new(rewatch)), ctx);
        }
        for (xid, op) in std::mem::take(&mut self.queued) {
            self.send_request(conn, xid, op, ctx);
        }
    }

    /// `WatchRegistration.register`.
    fn register(&mut self, watching: &Watching, outcome: &Outcome<D>) {
        let (paths, path) = match (watching, outcome) {
            (Watching::Data(path) | Watching::Exists(path), Ok(_)) => (&mut self.data, path),
            (Watching::Exists(path), Err(Error::NoNode)) => (&mut self.exists, path),
            (Watching::Child(path), Ok(_)) => (&mut self.child, path),
            _ => return,
        };
        paths.insert(path.clone());
    }

    /// `ZKWatchManager.materialize`. Whether it was watched.
    fn unregister(&mut self, path: &Path, kind: WatchKind) -> bool {
        match kind {
            WatchKind::Created | WatchKind::DataChanged => {
                self.data.remove(path) | self.exists.remove(path)
            }
            WatchKind::ChildrenChanged => self.child.remove(path),
            WatchKind::Deleted => {
                self.data.remove(path) | self.exists.remove(path) | self.child.remove(path)
            }
        }
    }

    fn forget_watches(&mut self) {
        self.data.clear();
        self.exists.clear();
        self.child.clear();
    }
}
