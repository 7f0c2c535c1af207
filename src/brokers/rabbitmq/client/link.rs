//! A client's connection: it tries the listed nodes in turn, opens a channel, keeps heartbeats.

use crate::engine::Span;
use crate::observe::{ContactState, NodeId};
use crate::world::{ConnId, Context, Input, Lane};

use super::super::broker::AMQP;
use super::super::message::Message;
use super::super::message::amqp::{FromClient, FromServer};
use super::super::message::client::ClientTimer;

/// connection.start, connection.tune, connection.open, channel.open, confirm.select.
pub const PRODUCER_STEPS: u8 = 5;
/// As a producer's without confirm.select, then basic.qos, exchange.declare, queue.declare and
/// queue.bind, which clients repeat to be sure of their topology.
pub const CONSUMER_STEPS: u8 = 8;

/// How a client connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// The nodes that it tries in turn.
    pub nodes: Vec<NodeId>,
    /// Pause before it tries the next one.
    pub reconnect_delay: Span,
    /// `heartbeat` that it asks for; zero takes the server's.
    pub heartbeat: Span,
    /// Round trips until the channel can be used (AMQP 0-9-1 §2.2.4): see [`PRODUCER_STEPS`] and
    /// [`CONSUMER_STEPS`].
    pub steps: u8,
    /// Give up an attempt to connect after this long.
    pub connect_timeout: Span,
    /// Which nodes it tries after a lost connection.
    pub order: ConnectOrder,
}

/// Which nodes a client tries after a lost connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectOrder {
    /// The next one, after each pause.
    #[default]
    Next,
    /// After each pause all, one after the other, from the first on (AutorecoveringConnection.java:
    /// `recoverConnection`; RecoveryAwareAMQConnectionFactory.java: `newConnection`).
    Listed,
    /// The same, shuffled each time (`shuffle`).
    Shuffled,
}

/// Where a client's connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Opening(ConnId),
    Open(ConnId),
}

/// What an input meant for the connection comes to.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// The channel is open.
    Opened,
    /// The connection is gone, whatever it carried with it.
    Lost,
    /// Something else: the client's own business.
    Other(Input<Message>),
    /// Nothing that concerns the client.
    Nothing,
}

/// A client's connection and channel.
#[derive(Clone, Debug)]
pub(super) struct Link {
    config: LinkConfig,
    state: State,
    next_node: usize,
    /// Nodes of the present round that were not tried yet, the next one last.
    round: Vec<NodeId>,
    node: NodeId,
    /// The interval that both sides have agreed on.
    heartbeat: Span,
    received: u64,
    sent: u64,
    silent_checks: u32,
    check_now: bool,
    attempt: u32,
    /// The socket is not read.
    held: bool,
    /// The node of the connection that it has lost and not got back.
    missed: Option<NodeId>,
    /// How long it has waited before the attempt that is next.
    waited: Span,
}

/// Why a connection has ended or did not come about, and after how long.
type Why = (&'static str, Span);

/// No length of time belongs to it.
const fn plain(why: &'static str) -> Why {
    (why, Span::ZERO)
}

impl Link {
    pub(super) fn new(config: LinkConfig) -> Link {
        Link {
            state: State::Waiting,
            next_node: 0,
            round: Vec::new(),
            node: config.nodes[0],
            heartbeat: Span::ZERO,
            received: 0,
            sent: 0,
            silent_checks: 0,
            check_now: false,
            attempt: 0,
            held: false,
            missed: None,
            waited: Span::ZERO,
            config,
        }
    }

    /// The connection, if its channel is open.
    pub(super) fn open(&self) -> Option<ConnId> {
        match self.state {
            State::Open(conn) => Some(conn),
            _ => None,
        }
    }

    /// The node that it is connected to, or tries last.
    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    /// Whether it notices that the other end is silent.
    pub(super) const fn hears_heartbeats(&self) -> bool {
        !self.heartbeat.is_zero()
    }

    /// Reads the socket no more, or reads it again.
    pub(super) fn hold(&mut self, ctx: &mut Context<'_, Message>, hold: bool) {
        if let Some(conn) = self.open()
            && std::mem::replace(&mut self.held, hold) != hold
        {
            ctx.hold(conn, hold);
        }
    }

    /// Starts to connect to the next node.
    pub(super) fn connect(&mut self, ctx: &mut Context<'_, Message>) {
        let nodes = &self.config.nodes;
        let node = match self.config.order {
            ConnectOrder::Next => {
                let next = self.next_node % nodes.len();
                self.next_node = next + 1;
                nodes[next]
            }
            order => {
                if self.round.is_empty() {
                    self.round = nodes.iter().rev().copied().collect();
                    if order == ConnectOrder::Shuffled {
                        ctx.random().shuffle(&mut self.round);
                    }
                }
                self.round.pop().unwrap_or(nodes[0])
            }
        };
        self.node = node;
        if self.attempt > 0 {
            let waited = std::mem::take(&mut self.waited);
            let why = if waited.is_zero() { "" } else { "after its reconnect-delay of" };
            ctx.contact(node, ContactState::Reconnecting, (why, waited));
        }
        self.attempt += 1;
        self.state = State::Opening(ctx.connect(node, AMQP));
        let attempt = self.attempt;
        ctx.after(
            self.config.connect_timeout,
            Lane::MAIN,
            ClientTimer::ConnectTimeout { attempt }.into(),
        );
    }

    /// Takes an input that may concern the connection.
    pub(super) fn handle(
        &mut self,
        ctx: &mut Context<'_, Message>,
        input: Input<Message>,
    ) -> LinkEvent {
        match input {
            Input::Connected { conn } if self.state == State::Opening(conn) => {
                self.step(ctx, conn, 0);
                LinkEvent::Nothing
            }
            Input::Message {
                conn,
                body: Message::FromServer(FromServer::HandshakeOk { step, heartbeat_ms }),
            } if self.state == State::Opening(conn) => {
                if step + 1 < self.config.steps {
                    self.step(ctx, conn, step + 1);
                    return LinkEvent::Nothing;
                }
                self.state = State::Open(conn);
                self.tell_open(ctx);
                self.received = ctx.bytes_received(conn);
                (self.silent_checks, self.held) = (0, false);
                // The smaller of both unless one is 0, as the server reckons.
                let (client, server) =
                    (self.config.heartbeat, Span::from_millis(heartbeat_ms.into()));
                let one = client.is_zero() || server.is_zero();
                self.heartbeat = if one { client.max(server) } else { client.min(server) };
                if !self.heartbeat.is_zero() {
                    let attempt = self.attempt;
                    let tick = ClientTimer::Heartbeat { attempt };
                    let first = ctx.first_round(self.heartbeat / 2);
                    ctx.after(first, Lane::MAIN, tick.into());
                }
                LinkEvent::Opened
            }
            Input::Message { conn, .. } if !self.is_current(conn) => LinkEvent::Nothing,
            Input::Message { body: Message::FromServer(FromServer::Heartbeat), .. } => {
                LinkEvent::Nothing
            }
            Input::Message { body: Message::FromServer(FromServer::ConnectionBlocked), .. } => {
                ctx.contact(self.node, ContactState::Blocked, plain("a resource alarm"));
                LinkEvent::Nothing
            }
            Input::Message {
                body: Message::FromServer(FromServer::ConnectionUnblocked), ..
            } => {
                ctx.contact(self.node, ContactState::Connected, plain(""));
                LinkEvent::Nothing
            }
            Input::Failed { conn, why } if self.is_current(conn) => {
                self.lost(ctx, plain(why.words()))
            }
            Input::Closed { conn, how } if self.is_current(conn) => {
                self.lost(ctx, plain(how.words()))
            }
            Input::Local { body: Message::Client(ClientTimer::ConnectTimeout { attempt }) } => {
                match self.state {
                    State::Opening(conn) if attempt == self.attempt => {
                        ctx.abort(conn);
                        self.lost(ctx, ("no connection within", self.config.connect_timeout))
                    }
                    _ => LinkEvent::Nothing,
                }
            }
            Input::Local { body: Message::Client(ClientTimer::Reconnect) } => {
                if self.state == State::Waiting {
                    self.connect(ctx);
                }
                LinkEvent::Nothing
            }
            Input::Local { body: Message::Client(ClientTimer::Heartbeat { attempt }) } => {
                if attempt == self.attempt { self.tick(ctx) } else { LinkEvent::Nothing }
            }
            other => LinkEvent::Other(other),
        }
    }

    fn is_current(&self, conn: ConnId) -> bool {
        self.state == State::Opening(conn) || self.state == State::Open(conn)
    }

    fn step(&self, ctx: &mut Context<'_, Message>, conn: ConnId, step: u8) {
        let heartbeat_ms = self.config.heartbeat.as_millis() as u32;
        let last = step + 1 == self.config.steps;
        ctx.send(conn, FromClient::Handshake { step, last, heartbeat_ms }.into(), 150);
    }

    /// It goes on here, and so not where it was before.
    fn tell_open(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(missed) = self.missed.take()
            && missed != self.node
        {
            ctx.contact(missed, ContactState::GivenUp, plain("it goes on at another node"));
        }
        ctx.contact(self.node, ContactState::Connected, plain(""));
    }

    fn lost(&mut self, ctx: &mut Context<'_, Message>, why: Why) -> LinkEvent {
        let was_open = matches!(self.state, State::Open(_));
        self.state = State::Waiting;
        // A round goes on at once; an established connection that breaks begins another one.
        if was_open {
            self.round.clear();
        }
        let delay = match self.round.is_empty() {
            true => self.config.reconnect_delay,
            false => Span::ZERO,
        };
        let state = if was_open { ContactState::Lost } else { ContactState::GivenUp };
        ctx.contact(self.node, state, why);
        if was_open {
            self.missed = Some(self.node);
        }
        self.waited = delay;
        ctx.after(delay, Lane::MAIN, ClientTimer::Reconnect.into());
        if was_open { LinkEvent::Lost } else { LinkEvent::Nothing }
    }

    /// Heartbeats as client libraries keep them: write when idle for half the interval, give up
    /// after two intervals without a byte.
    fn tick(&mut self, ctx: &mut Context<'_, Message>) -> LinkEvent {
        let State::Open(conn) = self.state else { return LinkEvent::Nothing };
        if ctx.bytes_sent(conn) == self.sent {
            ctx.send(conn, FromClient::Heartbeat.into(), 8);
        }
        self.sent = ctx.bytes_sent(conn);
        self.check_now = !self.check_now;
        if self.check_now {
            let received = ctx.bytes_received(conn);
            // Who does not read hears nothing, and does not blame the other for it.
            let silent = received == self.received && !self.held;
            self.silent_checks = if silent { self.silent_checks + 1 } else { 0 };
            self.received = received;
            if self.silent_checks >= 2 {
                ctx.abort(conn);
                let silent = self.heartbeat * u64::from(self.silent_checks);
                return self.lost(ctx, ("no heartbeat for", silent));
            }
        }
        let attempt = self.attempt;
        let tick = ClientTimer::Heartbeat { attempt };
        ctx.after(self.heartbeat / 2, Lane::MAIN, tick.into());
        LinkEvent::Nothing
    }

    /// Leaves the node and tries the next one.
    pub(super) fn leave(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(conn) = self.open() {
            ctx.abort(conn);
            self.lost(ctx, plain("left for another node"));
        }
    }

    /// The process has died: nothing is left of its connection.
    pub(super) fn forget(&mut self) {
        self.round.clear();
        self.state = State::Waiting;
        self.missed = None;
    }
}
