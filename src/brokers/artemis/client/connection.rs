//! A client's connection with its session (`ClientSessionFactoryImpl`, `ClientSessionImpl`): whom it tries when it is
//! lost, what becomes of the session, and how a silent broker is noticed.

use crate::engine::Span;
use crate::observe::{self, ContactState, NodeId};
use crate::world::{ConnId, Context, Input, Lane};

use super::super::channel::Channel;
use super::super::config::ARTEMIS;
use super::super::message::{Hello, Message, PACKET, Timer, Welcome};
use super::super::silence::Silence;
use super::super::words::event;

/// How long an attempt to connect may take (`connectionTimeout`, Netty's 30 s).
const CONNECT_TIMEOUT: Span = Span::from_secs(30);

/// How a client connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// The brokers that it knows.
    pub brokers: Vec<NodeId>,
    /// `ha`.
    pub ha: bool,
    /// `reconnectAttempts`; none for as often as it takes.
    pub attempts: Option<u64>,
    /// `retryInterval`.
    pub retry: Span,
    /// How long its application waits before it connects again.
    pub pause: Span,
    /// `callTimeout`.
    pub call_timeout: Span,
    /// `connectionTTL`; zero for never.
    pub ttl: Span,
    /// `clientFailureCheckPeriod`.
    pub check: Span,
    /// `confirmationWindowSize`; 0 for none.
    pub window: u32,
    /// See [`Rule::CheckByWindow`](super::super::rules::Rule::CheckByWindow).
    pub by_window: bool,
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Opening(ConnId),
    Open(ConnId),
}

/// What an input comes to.
#[derive(Debug)]
pub enum Event {
    /// There is a new session.
    Opened,
    /// The session goes on: nothing is lost of it.
    Reattached,
    /// It was in use and has ended. Whether the application is told at once; otherwise the client tries
    /// to connect again, and whoever waits for an answer goes on waiting.
    Lost(bool),
    /// The client has given up: the application is told.
    GivenUp,
    /// The broker says something.
    Told(Message),
    /// There is room in the socket again.
    Writable,
    /// Nothing that concerns the client.
    Nothing,
}

/// A client's connection with its session.
#[derive(Clone, Debug)]
pub struct Connection {
    config: ConnectionConfig,
    state: State,
    broker: NodeId,
    /// The other one of its pair, of which the broker has told.
    backup: Option<NodeId>,
    /// Brokers of this round that were not tried yet, the next one last.
    round: Vec<NodeId>,
    /// Rounds of the client itself that have failed; none if it is the application that connects.
    attempts: Option<u64>,
    /// Counts attempts, so that stale timers are noticed.
    life: u32,
    /// Its session with the broker of that.
    session: Option<(NodeId, u32)>,
    channel: Channel,
    silence: Silence,
}

impl Connection {
    /// One that is not there.
    #[must_use]
    pub fn new(config: ConnectionConfig) -> Connection {
        Connection {
            state: State::Down,
            broker: config.brokers[0],
            backup: None,
            round: Vec::new(),
            attempts: None,
            life: 0,
            session: None,
            channel: Channel::default(),
            silence: Silence::default(),
            config,
        }
    }

    /// The connection, if it can be used.
    #[must_use]
    pub const fn open(&self) -> Option<ConnId> {
        match self.state {
            State::Open(conn) => Some(conn),
            State::Down | State::Opening(_) => None,
        }
    }

    /// The broker that it is connected to, or tries last.
    #[must_use]
    pub const fn broker(&self) -> NodeId {
        self.broker
    }

    /// `callTimeout`.
    #[must_use]
    pub const fn call_timeout(&self) -> Span {
        self.config.call_timeout
    }

    /// Whether what is sent while there is no connection goes with the next one.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.session.is_some() && self.channel.can_reattach()
    }

    /// Sends a packet of the session.
    pub fn send(&mut self, packet: Message, bytes: u32, ctx: &mut Context<'_, Message>) {
        self.channel.send(self.open(), packet, bytes, ctx);
    }

    /// Whom a round tries: the client the broker that it had and, with `ha`, the other one; the
    /// application all that it knows.
    fn new_round(&self) -> Vec<NodeId> {
        let mut round = match self.attempts {
            None => self.config.brokers.clone(),
            Some(_) if self.config.ha => {
                let backup = self.backup.filter(|backup| *backup != self.broker);
                [self.broker].into_iter().chain(backup).collect()
            }
            Some(_) => vec![self.broker],
        };
        round.reverse();
        round
    }

    /// Connects to the next broker of a round, which begins anew when all were tried.
    pub fn connect(&mut self, ctx: &mut Context<'_, Message>) {
        if self.round.is_empty() {
            self.round = self.new_round();
        }
        let Some(broker) = self.round.pop() else { return };
        if broker != self.broker {
            self.backup = Some(self.broker).filter(|_| self.session.is_some());
        }
        self.broker = broker;
        self.life += 1;
        if self.session.is_some() {
            ctx.contact(broker, ContactState::Reconnecting, ("", Span::ZERO));
        }
        self.state = State::Opening(ctx.connect(broker, ARTEMIS));
        ctx.after(CONNECT_TIMEOUT, Lane::MAIN, Timer::ConnectTimeout(self.life).into());
    }

    /// Takes an input that may concern the connection.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) -> Event {
        match input {
            Input::Connected { conn } if self.state == State::Opening(conn) => {
                let own = self.session.filter(|(broker, _)| *broker == self.broker);
                let reattach = own.filter(|_| self.channel.can_reattach());
                let hello = Hello {
                    ttl: self.config.ttl.as_millis() as u32,
                    window: self.config.window,
                    reattach: reattach.map(|(_, session)| (session, self.channel.received())),
                };
                ctx.send(conn, Message::CreateSession(hello), 300);
                Event::Nothing
            }
            Input::Message { conn, body } if self.is_current(conn) => self.told(conn, body, ctx),
            Input::Failed { conn, why } if self.is_current(conn) => self.lost(why.words(), ctx),
            Input::Closed { conn, how } if self.is_current(conn) => self.lost(how.words(), ctx),
            Input::Writable { conn } if self.open() == Some(conn) => Event::Writable,
            Input::Local { body: Message::Timer(timer) } => self.timer(timer, ctx),
            _ => Event::Nothing,
        }
    }

    fn is_current(&self, conn: ConnId) -> bool {
        self.state == State::Opening(conn) || self.state == State::Open(conn)
    }

    fn told(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) -> Event {
        match body {
            Message::SessionCreated(welcome) if self.state == State::Opening(conn) => {
                self.welcomed(conn, welcome, ctx)
            }
            Message::Confirmed(received) => {
                self.channel.confirm(received);
                Event::Nothing
            }
            Message::Ping | Message::SessionCreated(_) => Event::Nothing,
            body => {
                let bytes = match &body {
                    Message::Receive(message, ..) => message.bytes(),
                    _ => PACKET,
                };
                self.channel.came(conn, bytes, ctx);
                Event::Told(body)
            }
        }
    }

    fn welcomed(
        &mut self,
        conn: ConnId,
        welcome: Welcome,
        ctx: &mut Context<'_, Message>,
    ) -> Event {
        self.state = State::Open(conn);
        self.round.clear();
        self.attempts = Some(0);
        self.backup = welcome.backup;
        self.session = Some((self.broker, welcome.session));
        self.silence = Silence::new(ctx.monotonic());
        ctx.contact(self.broker, ContactState::Connected, ("", Span::ZERO));
        if !self.config.ttl.is_zero() {
            ctx.after(self.config.check, Lane::MAIN, Timer::ClientCheck(self.life).into());
        }
        let Some(received) = welcome.reattached else {
            self.channel = Channel::new(self.config.window);
            return Event::Opened;
        };
        let again = self.channel.reattach(conn, received, ctx) as u64;
        let (now, node, broker) = (ctx.now(), ctx.node(), self.broker);
        ctx.observer()
            .event(now, observe::Event::new(event::REATTACHED, node, None, Some(broker), again));
        Event::Reattached
    }

    fn timer(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) -> Event {
        match (timer, self.state) {
            (Timer::Connect(life), State::Down) if life == self.life => {
                self.connect(ctx);
                Event::Nothing
            }
            (Timer::ConnectTimeout(life), State::Opening(conn)) if life == self.life => {
                ctx.abort(conn);
                self.lost("no connection within 30 s", ctx)
            }
            (Timer::ClientCheck(life), State::Open(conn)) if life == self.life => {
                self.check(conn, ctx)
            }
            _ => Event::Nothing,
        }
    }

    /// `PingRunnable`: it pings, and looks whether anything has come in a window of the TTL.
    fn check(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) -> Event {
        let rule = (self.config.ttl, self.config.by_window);
        if self.silence.is_over(ctx.monotonic(), ctx.bytes_received(conn), rule) {
            ctx.abort(conn);
            return self.lost("did not receive data within the connectionTTL", ctx);
        }
        if ctx.room(conn) > 0 {
            ctx.send(conn, Message::Ping, PACKET);
        }
        ctx.after(self.config.check, Lane::MAIN, Timer::ClientCheck(self.life).into());
        Event::Nothing
    }

    /// An attempt has failed or a connection has ended. The client tries again at once, and then every
    /// `retryInterval`; the application after its pause.
    fn lost(&mut self, why: &'static str, ctx: &mut Context<'_, Message>) -> Event {
        let was_open = self.open().is_some();
        self.state = State::Down;
        let state = if was_open { ContactState::Lost } else { ContactState::GivenUp };
        ctx.contact(self.broker, state, (why, Span::ZERO));
        let mut event = if was_open { Event::Lost(false) } else { Event::Nothing };
        let mut wait = Span::ZERO;
        if !was_open && self.round.is_empty() {
            wait = if self.attempts.is_some() { self.config.retry } else { self.config.pause };
            self.attempts = self.attempts.map(|attempts| attempts + 1);
        }
        if let (Some(attempts), Some(most)) = (self.attempts, self.config.attempts)
            && attempts >= most
        {
            // The session is closed, and the application hears of it.
            self.attempts = None;
            self.session = None;
            self.channel = Channel::default();
            self.round.clear();
            wait = self.config.pause;
            event = if was_open { Event::Lost(true) } else { Event::GivenUp };
        }
        ctx.after(wait, Lane::MAIN, Timer::Connect(self.life).into());
        event
    }

    /// Its application closes it.
    pub fn close(&mut self, ctx: &mut Context<'_, Message>) {
        if let State::Opening(conn) | State::Open(conn) = self.state {
            ctx.close(conn);
        }
        self.forget();
    }

    /// The process has died.
    pub fn forget(&mut self) {
        self.state = State::Down;
        self.round.clear();
        self.attempts = None;
        self.session = None;
        self.backup = None;
        self.channel = Channel::default();
        self.life += 1;
    }
}
