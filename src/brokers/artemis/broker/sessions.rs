//! Sessions (`ServerSessionImpl`), the connections that they are attached to, and who is silent
//! (`RemotingServiceImpl`).

use std::collections::VecDeque;

use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Lane};

use super::super::channel::Channel;
use super::super::invariants::Touch;
use super::super::message::{CoreMessage, Hello, Message, PACKET, Timer, Welcome};
use super::super::rules::Rule;
use super::super::words::event;
use super::queue::Consumer;
use super::transactions::Transaction;
use super::{Broker, Phase};

/// What a connection's thread reads ahead of what it handles.
const READ_AHEAD: u32 = 16;

/// How far the journal must be for what a session has done so far (`storeLineUp`), and the last packet of that
/// which the backup must have answered (`replicationLineUp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) stored: u64,
    pub(super) packet: u64,
}

/// What is done when that is reached (`OperationContextImpl.TaskHolder`).
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// A call is answered.
    Respond(u32, bool),
    /// A message is in its queue.
    Route(u32),
    /// A rollback is answered, and its consumer is started again.
    Restart(u32),
    /// A transaction is done.
    Committed(Box<Transaction>),
}

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) lane: Lane,
    pub(super) peer: NodeId,
    /// The connection that it is attached to.
    pub(super) conn: Option<ConnId>,
    /// `connectionTTL`; zero for none.
    ttl: Span,
    /// When something came last, and how many bytes had come by then.
    heard: Time,
    bytes: u64,
    pub(super) channel: Channel,
    pub(super) line: Line,
    /// What waits for the journal, in order.
    tasks: VecDeque<(Line, Task)>,
    pub(super) consumer: Option<Consumer>,
    pub(super) transaction: Option<Transaction>,
    /// It is closed, and only what waits for the journal is left of it.
    closed: bool,
    /// Whether it is a client's.
    is_client: bool,
}

impl Session {
    pub(super) const fn set_ttl(&mut self, ttl: Span) {
        self.ttl = ttl;
    }
}

impl Broker {
    pub(super) fn accepted(&mut self, conn: ConnId, peer: NodeId, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Active {
            return ctx.abort(conn);
        }
        let key = self.next_session;
        self.next_session += 1;
        let lane = ctx.spawn();
        ctx.bind(conn, lane);
        ctx.read_ahead(conn, READ_AHEAD);
        let session = Session {
            lane,
            peer,
            conn: Some(conn),
            ttl: Span::ZERO,
            heard: ctx.monotonic(),
            bytes: 0,
            channel: Channel::default(),
            line: Line::default(),
            tasks: VecDeque::new(),
            consumer: None,
            transaction: None,
            closed: false,
            is_client: false,
        };
        self.sessions.insert(key, session);
        self.attached.insert(conn, key);
    }

    /// A packet has come, on the lane of its session.
    pub(super) fn packet(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) {
        let Some(key) = self.attached.get(&conn).copied() else { return };
        if self.phase != Phase::Active {
            return;
        }
        if self.is_locked() && !matches!(body, Message::Ping | Message::Synchronized) {
            // Whoever wants to append waits for the journal's lock.
            return self.locked_out.push_back((conn, body));
        }
        ctx.spend(self.config.costs.packet);
        match body {
            Message::Register => return self.register(conn, key, ctx),
            Message::ClusterConnect(pair) => return self.cluster_asked(conn, key, pair, ctx),
            Message::Vote(ballot) => return self.voted_on(conn, ballot, ctx),
            Message::CreateSession(hello) => return self.create_session(conn, key, hello, ctx),
            Message::Ping => return ctx.send(conn, Message::Ping, PACKET),
            Message::Confirmed(received) => {
                if let Some(session) = self.sessions.get_mut(&key) {
                    session.channel.confirm(received);
                }
                return;
            }
            _ => {}
        }
        let bytes = match &body {
            Message::Send(send) => send.message.bytes(),
            _ => PACKET,
        };
        if let Some(session) = self.sessions.get_mut(&key) {
            session.channel.came(conn, bytes, ctx);
        }
        match body {
            Message::CreateConsumer(wanted) => self.subscribe(key, wanted, ctx),
            Message::CloseConsumer => self.unsubscribe(key, Vec::new(), false, ctx),
            Message::ConsumerCredits(bytes) => self.consumer_credits(key, bytes, ctx),
            Message::RequestCredits(queue, bytes) => self.request_credits(key, queue, bytes, ctx),
            Message::Send(send) => self.sent(key, send, ctx),
            Message::Acknowledge(ack) => self.acknowledge(key, ack, ctx),
            Message::Commit(call) => self.commit(key, call, ctx),
            Message::Rollback(call, delivered) => self.roll_back(key, call, delivered, ctx),
            _ => {}
        }
    }

    /// A session is created, or one that has lost its connection goes on over this one.
    fn create_session(
        &mut self,
        conn: ConnId,
        key: u32,
        hello: Hello,
        ctx: &mut Context<'_, Message>,
    ) {
        let backup = self.config.other(self.node);
        let ttl = Span::from_millis(hello.ttl.into());
        if let Some((old, received)) = hello.reattach
            && old != key
            && let Some(session) = self.sessions.get_mut(&old).filter(|own| !own.closed)
        {
            let stale = session.conn.replace(conn);
            session.heard = ctx.monotonic();
            session.bytes = ctx.bytes_received(conn);
            let (lane, had) = (session.lane, session.channel.received());
            if let Some(stale) = stale {
                self.attached.remove(&stale);
                ctx.abort(stale);
            }
            self.attached.insert(conn, old);
            let spare = self.sessions.remove(&key);
            ctx.bind(conn, lane);
            let welcome = Welcome { session: old, reattached: Some(had), backup };
            ctx.send(conn, Message::SessionCreated(welcome), PACKET);
            if let Some(session) = self.sessions.get_mut(&old) {
                session.channel.reattach(conn, received, ctx);
            }
            if let Some(spare) = spare {
                ctx.end(spare.lane);
            }
            return;
        }
        if let Some(session) = self.sessions.get_mut(&key) {
            session.ttl = ttl;
            session.is_client = true;
            session.channel = Channel::new(hello.window);
        }
        let welcome = Welcome { session: key, reattached: None, backup };
        ctx.send(conn, Message::SessionCreated(welcome), PACKET);
    }

    /// Sends a packet of a session's channel.
    pub(super) fn send_to(
        &mut self,
        key: u32,
        packet: Message,
        bytes: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(session) = self.sessions.get_mut(&key)
            && !session.closed
        {
            session.channel.send(session.conn, packet, bytes, ctx);
        }
    }

    /// Does something for a session as soon as what it has done so far is stored.
    pub(super) fn when_stored(&mut self, key: u32, task: Task, ctx: &mut Context<'_, Message>) {
        let stores = self.config.has(Rule::AnswerWhenStored);
        let routes = self.config.has(Rule::RouteWhenStored);
        let waits = match task {
            Task::Respond(..) | Task::Restart(_) | Task::Committed(_) => stores,
            Task::Route(_) => stores && routes,
        };
        let Some(session) = self.sessions.get_mut(&key) else {
            return self.perform(key, task, ctx);
        };
        let line = if waits { session.line } else { Line::default() };
        session.tasks.push_back((line, task));
        self.release(key, ctx);
    }

    fn release(&mut self, key: u32, ctx: &mut Context<'_, Message>) {
        while let Some(session) = self.sessions.get(&key) {
            let Some((line, _)) = session.tasks.front() else { break };
            if !self.is_done(*line) {
                return;
            }
            let next = self.sessions.get_mut(&key).and_then(|session| session.tasks.pop_front());
            let Some((_, task)) = next else { break };
            self.perform(key, task, ctx);
        }
        if self.sessions.get(&key).is_some_and(|session| session.closed) {
            self.sessions.remove(&key);
        }
    }

    /// The journal is further: whoever waits for that goes on.
    pub(super) fn release_all(&mut self, ctx: &mut Context<'_, Message>) {
        let waits = self.sessions.iter().filter(|(_, session)| !session.tasks.is_empty());
        for key in waits.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.release(key, ctx);
        }
    }

    /// How many answers wait.
    pub(super) fn waiting_answers(&self) -> u64 {
        let tasks = self.sessions.values().flat_map(|session| &session.tasks);
        tasks.filter(|(_, task)| !matches!(task, Task::Route(_))).count() as u64
    }

    /// What a session does next waits for everything so far, whoever has done that.
    pub(super) fn wait_for_all(&mut self, key: u32) {
        let line = Line { stored: self.journal.end(), packet: self.packets_sent() };
        if let Some(session) = self.sessions.get_mut(&key) {
            session.line = line;
        }
    }

    pub(super) fn perform(&mut self, key: u32, task: Task, ctx: &mut Context<'_, Message>) {
        match task {
            Task::Respond(call, success) => {
                self.touched.note(Touch::Answered(key, call));
                self.send_to(key, Message::Response(call, success), PACKET, ctx);
            }
            Task::Restart(call) => {
                self.send_to(key, Message::Response(call, true), PACKET, ctx);
                self.restart_consumer(key, ctx);
            }
            Task::Route(entry) => self.route(entry, ctx),
            Task::Committed(transaction) => self.committed(*transaction, ctx),
        }
    }

    /// A connection has ended: its session with it, unless it can be attached to another.
    pub(super) fn disconnected(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let Some(key) = self.attached.remove(&conn) else { return };
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.conn = None;
        let keeps = session.channel.can_reattach() && self.config.has(Rule::KeepSessions);
        if !keeps {
            self.close_session(key, true, ctx);
        }
    }

    /// Its consumer's messages go back and its transaction is rolled back.
    fn close_session(&mut self, key: u32, failed: bool, ctx: &mut Context<'_, Message>) {
        let acked = self.abandon_transaction(key, ctx);
        self.unsubscribe(key, acked, failed, ctx);
        self.starved.retain(|(starved, ..)| *starved != key);
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.closed = true;
        let (lane, conn) = (session.lane, session.conn.take());
        if let Some(conn) = conn {
            self.attached.remove(&conn);
            ctx.abort(conn);
        }
        if session.tasks.is_empty() {
            self.sessions.remove(&key);
        }
        ctx.end(lane);
    }

    /// A connection that is no client's: its session is not one.
    pub(super) fn take_connection(&mut self, conn: ConnId, key: u32) -> Option<(NodeId, Lane)> {
        self.attached.remove(&conn);
        self.sessions.remove(&key).map(|session| (session.peer, session.lane))
    }

    /// It stops: connections are closed.
    pub(super) fn close_all(&mut self, ctx: &mut Context<'_, Message>) {
        for (conn, _) in std::mem::take(&mut self.attached) {
            ctx.close(conn);
        }
        for key in self.sessions.keys().copied().collect::<Vec<_>>() {
            if let Some(session) = self.sessions.get_mut(&key) {
                session.conn = None;
            }
            self.close_session(key, true, ctx);
        }
    }

    /// `FailureCheckAndFlushThread`: sessions of which nothing was heard for their TTL are closed.
    pub(super) fn ttl_check(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.ttl_check, Lane::MAIN, Timer::TtlCheck.into());
        let now = ctx.monotonic();
        self.check_backup(ctx);
        let mut silent = Vec::new();
        for (key, session) in &mut self.sessions {
            let bytes = session.conn.map_or(session.bytes, |conn| ctx.bytes_received(conn));
            if std::mem::replace(&mut session.bytes, bytes) != bytes {
                session.heard = now;
            } else if !session.ttl.is_zero() && now.since(session.heard) >= session.ttl {
                silent.push((*key, session.peer));
            }
        }
        for (key, peer) in silent {
            if self.sessions.get(&key).is_some_and(|session| !session.closed) {
                self.tell(event::TTL_EXPIRED, None, (Some(peer), 0), ctx);
                self.close_session(key, true, ctx);
            }
        }
    }

    /// What was sent in transactions: of those that are open, and of those whose commits wait for the
    /// journal.
    pub(super) fn uncommitted(&self) -> Vec<(u64, CoreMessage)> {
        let of = |transaction: &Transaction| transaction.sends().to_vec();
        let open = self.sessions.values().filter_map(|own| own.transaction.as_ref()).flat_map(of);
        let tasks = self.sessions.values().flat_map(|own| &own.tasks);
        let committing = tasks.filter_map(|(_, task)| match task {
            Task::Committed(transaction) => Some(of(transaction)),
            Task::Respond(..) | Task::Restart(_) | Task::Route(_) => None,
        });
        open.chain(committing.flatten()).collect()
    }

    /// The message that a call of a session is about, for the invariants.
    pub(super) fn note_call(&mut self, key: u32, call: u32, message: CoreMessage, end: u64) {
        let packet = self.sessions.get(&key).map_or(0, |session| session.line.packet);
        self.touched.note(Touch::Called(key, call, message, (end, packet)));
    }
}
