//! A client's connection: `failover:` (`FailoverTransport`), which connects again by itself, or `tcp:`,
//! which leaves that to the application; and how both notice a silent broker.

use crate::engine::Span;
use crate::observe::{ContactState, NodeId};
use crate::world::{ConnId, Context, Input, Lane};

use super::super::broker::{FIRST_CHECK, ReadCheck};
use super::super::config::OPENWIRE;
use super::super::message::{COMMAND, Message, Timer};

/// How long an attempt to connect may take (`connectionTimeout`, transport/tcp/TcpTransport.java).
const CONNECT_TIMEOUT: Span = Span::from_secs(30);

/// How a client connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportConfig {
    /// The brokers that it knows.
    pub brokers: Vec<NodeId>,
    /// `tcp:`: how long its application waits before it connects again.
    pub plain: Option<Span>,
    /// `initialReconnectDelay`.
    pub initial_delay: Span,
    /// `maxReconnectDelay`.
    pub max_delay: Span,
    /// `useExponentialBackOff`.
    pub exponential: bool,
    /// `randomize`.
    pub randomize: bool,
    /// `maxInactivityDuration`.
    pub inactivity: Span,
    /// See [`Rule::LenientReadCheck`](super::super::rules::Rule::LenientReadCheck).
    pub lenient: bool,
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
    /// It can be used.
    Opened(ConnId),
    /// It was in use and has ended.
    Lost,
    /// The broker says something.
    Told(Message),
    /// There is room in the socket again.
    Writable,
    /// Nothing that concerns the client.
    Nothing,
}

/// A client's connection.
#[derive(Clone, Debug)]
pub struct Transport {
    config: TransportConfig,
    state: State,
    broker: NodeId,
    /// Brokers of this round that were not tried yet, the next one last.
    round: Vec<NodeId>,
    delay: Span,
    /// Counts attempts, so that stale timers are noticed.
    life: u32,
    /// Whether it was ever open.
    known: bool,
    inactivity: Span,
    check: ReadCheck,
    sent: u64,
}

impl Transport {
    /// One that is not connected.
    #[must_use]
    pub fn new(config: TransportConfig) -> Transport {
        Transport {
            state: State::Down,
            broker: config.brokers[0],
            round: Vec::new(),
            delay: config.initial_delay,
            life: 0,
            known: false,
            inactivity: Span::ZERO,
            check: ReadCheck::default(),
            sent: 0,
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

    /// Whether its application hears of its end.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.config.plain.is_some()
    }

    /// Connects to the next broker of a round, which begins anew when all were tried.
    pub fn connect(&mut self, ctx: &mut Context<'_, Message>) {
        if self.round.is_empty() {
            self.round = self.config.brokers.iter().rev().copied().collect();
            if self.config.randomize {
                ctx.random().shuffle(&mut self.round);
            }
        }
        let Some(broker) = self.round.pop() else { return };
        self.broker = broker;
        self.life += 1;
        if self.known {
            ctx.contact(broker, ContactState::Reconnecting, ("", Span::ZERO));
        }
        self.state = State::Opening(ctx.connect(broker, OPENWIRE));
        ctx.after(CONNECT_TIMEOUT, Lane::MAIN, Timer::ConnectTimeout(self.life).into());
    }

    /// Takes an input that may concern the connection.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) -> Event {
        match input {
            Input::Connected { conn } if self.state == State::Opening(conn) => {
                let ms = self.config.inactivity.as_millis() as u32;
                ctx.send(conn, Message::WireFormat(ms), 300);
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
            Message::WireFormat(ms) => {
                self.inactivity = self.config.inactivity.min(Span::from_millis(ms.into()));
                ctx.send(conn, Message::ConnectionInfo(self.known && !self.is_plain()), COMMAND);
                Event::Nothing
            }
            Message::ConnectionReady if self.state == State::Opening(conn) => {
                self.state = State::Open(conn);
                self.known = true;
                self.delay = self.config.initial_delay;
                self.round.clear();
                (self.check, self.sent) = (ReadCheck::default(), 0);
                ctx.contact(self.broker, ContactState::Connected, ("", Span::ZERO));
                if !self.inactivity.is_zero() {
                    let first = FIRST_CHECK.min(self.inactivity);
                    let (read, write) = (ctx.first_round(first), self.inactivity / 3);
                    ctx.after(read, Lane::MAIN, Timer::ClientReadCheck(self.life).into());
                    ctx.after(write, Lane::MAIN, Timer::ClientWriteCheck(self.life).into());
                }
                Event::Opened(conn)
            }
            Message::KeepAlive => Event::Nothing,
            body => Event::Told(body),
        }
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
            (Timer::ClientReadCheck(life), State::Open(conn)) if life == self.life => {
                if self.check.is_silent(ctx.bytes_received(conn), self.config.lenient) {
                    ctx.abort(conn);
                    return self.lost("Channel was inactive for too long", ctx);
                }
                ctx.after(self.inactivity, Lane::MAIN, Timer::ClientReadCheck(life).into());
                Event::Nothing
            }
            (Timer::ClientWriteCheck(life), State::Open(conn)) if life == self.life => {
                let sent = ctx.bytes_sent(conn);
                if std::mem::replace(&mut self.sent, sent) == sent && ctx.room(conn) > 0 {
                    ctx.send(conn, Message::KeepAlive, COMMAND);
                    self.sent = ctx.bytes_sent(conn);
                }
                ctx.after(self.inactivity / 3, Lane::MAIN, Timer::ClientWriteCheck(life).into());
                Event::Nothing
            }
            _ => Event::Nothing,
        }
    }

    /// An attempt has failed or a connection has ended. The first attempt after a connection waits for
    /// `initialReconnectDelay`; each round of all brokers that fails doubles the wait before the next.
    fn lost(&mut self, why: &'static str, ctx: &mut Context<'_, Message>) -> Event {
        let was_open = self.open().is_some();
        self.state = State::Down;
        let state = if was_open { ContactState::Lost } else { ContactState::GivenUp };
        ctx.contact(self.broker, state, (why, Span::ZERO));
        let wait = match self.config.plain {
            Some(wait) => wait,
            None if was_open => self.delay,
            None if !self.round.is_empty() => Span::ZERO,
            None => {
                if self.config.exponential {
                    self.delay = (self.delay * 2).min(self.config.max_delay);
                }
                self.delay
            }
        };
        ctx.after(wait, Lane::MAIN, Timer::Connect(self.life).into());
        if was_open { Event::Lost } else { Event::Nothing }
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
        self.known = false;
        self.delay = self.config.initial_delay;
        self.life += 1;
    }
}
