//! Connections (`TransportConnection`), and how a silent one is noticed (`AbstractInactivityMonitor`).

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Lane};

use super::super::message::{COMMAND, Message, QueueId, Timer};
use super::super::rules::Rule;
use super::super::words::event;
use super::transactions::Transaction;
use super::{Broker, Phase};

/// What a connection's thread reads from its socket ahead of what it handles (`ioBufferSize`, 8 KiB).
const READ_AHEAD: u32 = 8;
/// When a connection is looked at for the first time (`maxInactivityDurationInitalDelay`).
pub(in super::super) const FIRST_CHECK: Span = Span::from_secs(10);

/// Whether the other end of a connection is silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct ReadCheck {
    bytes: u64,
    /// Something had come when the last but one look was taken (`commandReceived`).
    heard: bool,
}

impl ReadCheck {
    /// A look at it, by which so many bytes have come: whether it is given up. The first look after
    /// something came forgets nothing, the second forgets that, the third gives up.
    pub(in super::super) fn is_silent(&mut self, bytes: u64, lenient: bool) -> bool {
        if bytes != self.bytes {
            *self = ReadCheck { bytes, heard: lenient };
            return false;
        }
        !std::mem::take(&mut self.heard)
    }
}

/// A consumer on a connection (`QueueSubscription`).
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) queue: QueueId,
    pub(super) prefetch: u32,
    /// What it has and has not acknowledged, in order.
    pub(super) dispatched: std::collections::VecDeque<u32>,
}

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) lane: Lane,
    pub(super) peer: NodeId,
    /// How often it is looked at; zero for never.
    inactivity: Span,
    check: ReadCheck,
    sent: u64,
    /// Whether its thread is blocked.
    pub(super) blocked: bool,
    /// It was made again after it was lost: sends of its producer before this one have been stored.
    pub(super) filter: Option<u32>,
    pub(super) subscription: Option<Subscription>,
    pub(super) transaction: Option<Transaction>,
}

impl Broker {
    pub(super) fn accepted(&mut self, conn: ConnId, peer: NodeId, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Serving {
            return ctx.abort(conn);
        }
        let lane = ctx.spawn();
        ctx.bind(conn, lane);
        ctx.read_ahead(conn, READ_AHEAD);
        let connection = Connection {
            lane,
            peer,
            inactivity: Span::ZERO,
            check: ReadCheck::default(),
            sent: 0,
            blocked: false,
            filter: None,
            subscription: None,
            transaction: None,
        };
        self.connections.insert(conn, connection);
    }

    /// A command has come, on the lane of its connection.
    pub(super) fn command(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Serving || !self.connections.contains_key(&conn) {
            return;
        }
        ctx.spend(self.config.costs.command);
        match body {
            Message::WireFormat(ms) => self.negotiate(conn, ms, ctx),
            Message::ConnectionInfo(reconnect) => {
                let filter = reconnect.then(|| self.stored_of(conn));
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.filter = filter;
                }
                ctx.send(conn, Message::ConnectionReady, COMMAND);
            }
            Message::ConsumerInfo(queue, prefetch) => self.subscribe(conn, queue, prefetch, ctx),
            Message::RemoveConsumer(last) => self.unsubscribe(conn, Some(last), ctx),
            Message::Send(send) => self.arrived(conn, send, ctx),
            Message::Ack(ack) => self.acknowledge(conn, ack, ctx),
            Message::Commit(id, ack) => self.commit(conn, id, ack, ctx),
            _ => {}
        }
    }

    /// `getLastProducerSequenceId`: asked of the store when a connection comes back.
    fn stored_of(&self, conn: ConnId) -> u32 {
        let peer = self.connections[&conn].peer;
        let producer = self.config.producers.iter().position(|host| *host == peer);
        producer.map_or(0, |producer| self.journal.stored(producer as u32))
    }

    fn negotiate(&mut self, conn: ConnId, ms: u32, ctx: &mut Context<'_, Message>) {
        let own = self.config.settings.inactivity;
        let inactivity = own.min(Span::from_millis(ms.into()));
        ctx.send(conn, Message::WireFormat(own.as_millis() as u32), COMMAND);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.inactivity = inactivity;
        if !inactivity.is_zero() {
            ctx.after(FIRST_CHECK, Lane::MAIN, Timer::ReadCheck(conn).into());
            ctx.after(inactivity / 3, Lane::MAIN, Timer::WriteCheck(conn).into());
        }
    }

    /// A connection whose thread is blocked is not given up: its bytes are not read.
    pub(super) fn read_check(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let lenient = self.config.has(Rule::LenientReadCheck);
        let bytes = ctx.bytes_received(conn);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let again = connection.inactivity;
        if connection.check.is_silent(bytes, lenient) && !connection.blocked {
            let peer = connection.peer;
            self.tell(event::INACTIVE, None, (Some(peer), 0), ctx);
            ctx.abort(conn);
            return self.closed(conn, ctx);
        }
        ctx.after(again, Lane::MAIN, Timer::ReadCheck(conn).into());
    }

    pub(super) fn write_check(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let sent = ctx.bytes_sent(conn);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let again = connection.inactivity / 3;
        if std::mem::replace(&mut connection.sent, sent) == sent {
            ctx.send(conn, Message::KeepAlive, COMMAND);
            connection.sent = ctx.bytes_sent(conn);
        }
        ctx.after(again, Lane::MAIN, Timer::WriteCheck(conn).into());
    }

    /// A connection has ended: its consumer's messages go back, its transaction is rolled back, and
    /// what of it waits for space is forgotten.
    pub(super) fn closed(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if !self.connections.contains_key(&conn) {
            return;
        }
        self.unsubscribe(conn, None, ctx);
        self.abandon_transaction(conn, ctx);
        self.forget_parked(conn, ctx);
        if let Some(connection) = self.connections.remove(&conn) {
            ctx.end(connection.lane);
        }
    }

    /// The thread of a connection waits: on its own lane.
    pub(super) fn block(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if let Some(connection) = self.connections.get_mut(&conn)
            && !std::mem::replace(&mut connection.blocked, true)
        {
            ctx.suspend();
        }
    }

    /// It goes on.
    pub(super) fn unblock(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if let Some(connection) = self.connections.get_mut(&conn)
            && std::mem::take(&mut connection.blocked)
        {
            ctx.resume(connection.lane);
        }
    }

    /// Answers, and lets the connection's thread go on.
    pub(super) fn reply(
        &mut self,
        (conn, id): (ConnId, u32),
        success: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.connections.contains_key(&conn) {
            ctx.send(conn, Message::Response(id, success), COMMAND);
            self.unblock(conn, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReadCheck;

    #[test]
    fn a_silent_peer_is_given_up_at_the_third_look() {
        let mut check = ReadCheck::default();
        assert!(!check.is_silent(100, true), "something has come");
        assert!(!check.is_silent(100, true), "nothing more has, and that is forgotten");
        assert!(check.is_silent(100, true));
        let mut strict = ReadCheck::default();
        assert!(!strict.is_silent(100, false));
        assert!(strict.is_silent(100, false), "the second look suffices");
    }
}
