//! A `SyncProducer`: one connection to one broker, made when it is needed
//! (`producer/SyncProducer.scala` 0.7).

use crate::engine::{Span, Time};
use crate::observe::{ContactState, NodeId};
use crate::world::{Closing, ConnId, ConnectError, Context, Lane};

use super::super::config::KAFKA;
use super::super::message::Message;

/// `MaxConnectBackoffMs`.
const MOST_BACKOFF: Span = Span::from_secs(60);
/// The first pause between two attempts to connect.
const FIRST_BACKOFF: Span = Span::from_millis(1);

/// How a producer connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// `buffer.size`: of the socket's send buffer.
    pub buffer: u64,
    /// `connect.timeout.ms`.
    pub connect_timeout: Span,
    /// `reconnect.interval`, in requests.
    pub reconnect_interval: u32,
    /// `reconnect.time.interval.ms`.
    pub reconnect_time: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// No connection (`channel == null`).
    Closed,
    Connecting(ConnId),
    /// Between two attempts.
    Pausing,
    Open(ConnId),
    /// The broker has closed its side, which a client that never reads does not see: the next
    /// request goes into the kernel's buffer and nowhere else.
    HalfClosed,
    /// The kernel knows that there is no connection any more: the next write fails.
    Broken,
}

/// What a channel has for who wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It can be sent here.
    Open(ConnId),
    /// The kernel takes it, and nobody will ever read it.
    Void,
    /// The call blocks; [`Turn`] tells how it goes on.
    Wait,
    /// `IOException`.
    Failed,
}

/// What an input for a channel comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Who waits may try again.
    Ready,
    /// `connect.timeout.ms` is over, and nothing was sent.
    ConnectFailed,
    /// The connection broke while somebody waited for room.
    Broke,
    /// Nothing that concerns who waits.
    Nothing,
}

/// A connection to one broker.
#[derive(Clone, Debug)]
pub struct Channel {
    config: ChannelConfig,
    broker: u32,
    link: Link,
    /// When the present `connect` began, by the wall clock (`SystemTime.milliseconds`), and its next
    /// pause.
    began: Time,
    backoff: Span,
    attempt: u32,
    /// Requests on this connection, and since when, by the wall clock.
    sent: u32,
    opened: Time,
    /// Whether a write waits for room.
    waits: bool,
    /// Whether the last `connect` has failed.
    refused: bool,
}

impl Channel {
    /// No connection yet to the broker on this host.
    #[must_use]
    pub fn new(config: ChannelConfig, broker: u32) -> Channel {
        Channel {
            config,
            broker,
            link: Link::Closed,
            began: Time::ZERO,
            backoff: FIRST_BACKOFF,
            attempt: 0,
            sent: 0,
            opened: Time::ZERO,
            waits: false,
            refused: false,
        }
    }

    /// The host of its broker.
    #[must_use]
    pub fn node(&self) -> NodeId {
        NodeId(self.broker)
    }

    /// Whether it could not connect the last time.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.refused
    }

    /// What there is for a request that is to be written now.
    pub fn prepare(&mut self, ctx: &mut Context<'_, Message>) -> Prepared {
        match self.link {
            Link::Closed => {
                self.began = ctx.clock();
                self.backoff = FIRST_BACKOFF;
                self.connect(ctx);
                Prepared::Wait
            }
            Link::Connecting(_) | Link::Pausing => Prepared::Wait,
            Link::Open(conn) if ctx.room(conn) == 0 => {
                self.waits = true;
                Prepared::Wait
            }
            Link::Open(conn) => Prepared::Open(conn),
            Link::HalfClosed => {
                // The broker's host answers with a reset.
                self.link = Link::Broken;
                Prepared::Void
            }
            Link::Broken => {
                self.link = Link::Closed;
                Prepared::Failed
            }
        }
    }

    fn connect(&mut self, ctx: &mut Context<'_, Message>) {
        self.link = Link::Connecting(ctx.connect(self.node(), KAFKA));
    }

    /// A request was written. Every so many, or after so long, the connection is made anew.
    pub fn written(&mut self, ctx: &mut Context<'_, Message>) {
        self.sent += 1;
        let old = self.config.reconnect_time;
        let old = old.is_some_and(|most| ctx.clock().since(self.opened) >= most);
        if (self.sent >= self.config.reconnect_interval || old)
            && let Link::Open(conn) = self.link
        {
            ctx.close(conn);
            self.link = Link::Closed;
        }
    }

    /// Whether events of this connection are its.
    #[must_use]
    pub fn owns(&self, conn: ConnId) -> bool {
        matches!(self.link, Link::Connecting(own) | Link::Open(own) if own == conn)
    }

    /// Its connection is open.
    pub fn connected(&mut self, ctx: &mut Context<'_, Message>) -> Turn {
        let Link::Connecting(conn) = self.link else { return Turn::Nothing };
        self.link = Link::Open(conn);
        ctx.contact(self.node(), ContactState::Connected, ("", Span::ZERO));
        self.refused = false;
        (self.sent, self.opened) = (0, ctx.clock());
        ctx.buffer(conn, self.config.buffer);
        Turn::Ready
    }

    /// An attempt has failed: another one after a pause, if there is time for that.
    pub fn failed(&mut self, why: ConnectError, ctx: &mut Context<'_, Message>) -> Turn {
        ctx.contact(self.node(), ContactState::GivenUp, (why.words(), Span::ZERO));
        let elapsed = ctx.clock().since(self.began);
        if elapsed + self.backoff > self.config.connect_timeout {
            self.link = Link::Closed;
            self.refused = true;
            return Turn::ConnectFailed;
        }
        self.link = Link::Pausing;
        self.attempt += 1;
        let again = Message::Reconnect { broker: self.broker, attempt: self.attempt };
        ctx.after(self.backoff, Lane::MAIN, again);
        self.backoff = (self.backoff * 10).min(MOST_BACKOFF);
        Turn::Nothing
    }

    /// The pause is over.
    pub fn again(&mut self, attempt: u32, ctx: &mut Context<'_, Message>) {
        if self.link == Link::Pausing && attempt == self.attempt {
            ctx.contact(self.node(), ContactState::Reconnecting, ("", Span::ZERO));
            self.connect(ctx);
        }
    }

    /// Its connection has ended.
    pub fn closed(&mut self, how: Closing, ctx: &mut Context<'_, Message>) -> Turn {
        ctx.contact(self.node(), ContactState::Lost, (how.words(), Span::ZERO));
        if std::mem::take(&mut self.waits) {
            self.link = Link::Closed;
            return Turn::Broke;
        }
        self.link = match how {
            Closing::Finished => Link::HalfClosed,
            Closing::Reset | Closing::TimedOut => Link::Broken,
        };
        Turn::Nothing
    }

    /// There is room again.
    pub fn writable(&mut self) -> Turn {
        if std::mem::take(&mut self.waits) { Turn::Ready } else { Turn::Nothing }
    }

    /// The broker has been registered anew: the pool gets a new `SyncProducer` for it, without a
    /// connection (`ProducerPool.addProducer`). One that is about to connect goes on.
    pub fn renew(&mut self, ctx: &mut Context<'_, Message>) {
        match self.link {
            Link::Connecting(_) | Link::Pausing => {}
            Link::Open(_) if self.waits => {}
            _ => self.close(ctx),
        }
    }

    /// Closes the connection; what was written still arrives.
    pub fn close(&mut self, ctx: &mut Context<'_, Message>) {
        if let Link::Open(conn) | Link::Connecting(conn) = self.link {
            ctx.close(conn);
        }
        self.link = Link::Closed;
    }

    /// The process has died.
    pub fn forget(&mut self) {
        self.link = Link::Closed;
        self.waits = false;
        self.attempt += 1;
    }
}
