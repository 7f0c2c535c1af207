//! Errors of a client's: the broker closes the channel, and the connection lives on
//! (rabbit_channel.erl: `handle_exception`; rabbit_reader.erl: `handle_exception`,
//! `channel_cleanup`).

use crate::engine::Span;
use crate::observe::{BecauseId, Event, MessageRange, Removal};
use crate::world::Context;

use super::super::super::message::amqp::{ChannelError, FromClient, FromServer};
use super::super::super::message::channel::{ChannelMail, ChannelMessage};
use super::super::super::message::{DownReason, Message};
use super::super::super::rules::Rule;
use super::super::super::words::{cause, event};
use super::super::{Node, Process};
use super::{Channel, METHOD_BYTES};

/// How often a channel looks for deliveries that are not acknowledged in time
/// (`channel_tick_interval`, PROJECT_ENV v3.10).
const TICK_INTERVAL: Span = Span::from_secs(60);

/// AMQP 0-9-1: INTERNAL_ERROR.
const INTERNAL_ERROR: u64 = 541;

impl ChannelError {
    /// The reply code of `channel.close`.
    #[must_use]
    pub fn code(self) -> u64 {
        match self {
            ChannelError::NotFound => 404,
            ChannelError::AccessRefused => 403,
            ChannelError::ResourceLocked => 405,
            ChannelError::InequivalentArgument
            | ChannelError::UnknownDeliveryTag
            | ChannelError::DeliveryTimeout
            | ChannelError::MessageTooLarge => 406,
        }
    }
}

/// Until the client has opened another channel everything that it has sent is thrown away.
pub(super) fn heard_when_closed(mail: &ChannelMail) -> bool {
    matches!(
        mail,
        ChannelMail::Client(FromClient::ChannelOpen | FromClient::Heartbeat)
            | ChannelMail::Message(ChannelMessage::Tick)
    )
}

impl Channel {
    /// `channel.close`. The channel's process ends: queues see it go, what it has not confirmed it
    /// never will. The next channel of the connection is another process.
    pub(super) fn close(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        error: ChannelError,
    ) {
        // A client that asks again and again for what it cannot have is no news.
        let refused = matches!(error, ChannelError::NotFound | ChannelError::AccessRefused);
        let in_vain = refused && self.next_seq == 1 && self.next_tag == 1;
        let declares =
            matches!(error, ChannelError::ResourceLocked | ChannelError::InequivalentArgument);
        let in_vain = in_vain || declares && self.told == Some(error);
        self.told = Some(error);
        if !in_vain {
            let (now, here) = (ctx.now(), ctx.node());
            let (word, destination, subject) = (event::CHANNEL_CLOSED, None, None);
            let event = Event { word, node: here, destination, subject, count: error.code() };
            ctx.observer().event(now, event);
        }
        ctx.send(self.conn, FromServer::ChannelClose { error }.into(), METHOD_BYTES + 90);
        let lane = node.start(ctx);
        ctx.bind(self.conn, lane);
        let mut next = Channel::new(node, (self.conn, self.client), node.pid(lane));
        node.alarms.register(lane);
        self.hand_over_reader(ctx, &mut next);
        next.closed = true;
        next.reader = self.reader;
        next.exclusive = std::mem::take(&mut self.exclusive);
        next.told = self.told;
        next.heartbeat = self.heartbeat;
        next.received = self.received;
        next.sent = self.sent;
        next.silent_checks = self.silent_checks;
        next.check_now = self.check_now;
        if !next.heartbeat.is_zero() {
            ctx.after(next.heartbeat / 2, lane, ChannelMessage::Tick.into());
        }
        node.spawned.push((lane, Process::Channel(Box::new(next))));
        self.closed = true;
        self.deferred.clear();
        self.call = None;
        self.quorum_call = None;
        node.end_process(ctx.lane(), DownReason::Normal);
    }

    /// `connection.close` with 541 INTERNAL_ERROR: what the client wanted has failed inside the
    /// cluster.
    pub(super) fn close_connection(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let (now, here) = (ctx.now(), ctx.node());
        let (word, destination, subject) = (event::CONNECTION_CLOSED, None, None);
        let event = Event { word, node: here, destination, subject, count: INTERNAL_ERROR };
        ctx.observer().event(now, event);
        self.closed = true;
        self.deferred.clear();
        ctx.close(self.conn);
        node.end_process(ctx.lane(), DownReason::Normal);
    }

    /// The client opens a channel in the place of the one that was closed.
    pub(super) fn open_again(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.closed = false;
        ctx.send(self.conn, FromServer::ChannelOpenOk.into(), METHOD_BYTES);
        self.watch_deliveries(node, ctx);
    }

    /// `init_tick_timer`.
    pub(super) fn watch_deliveries(&self, node: &Node, ctx: &mut Context<'_, Message>) {
        let settings = &node.config.settings;
        if settings.consumer_timeout.is_some() && settings.rules.has(Rule::TimeOutDeliveries) {
            ctx.after(TICK_INTERVAL, ctx.lane(), ChannelMessage::ChannelTick.into());
        }
    }

    /// `evaluate_consumer_timeout`: only the oldest delivery is looked at, by the time of day
    /// (`os:system_time`).
    pub(super) fn check_deliveries(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(timeout) = node.config.settings.consumer_timeout else { return };
        let now = ctx.clock();
        if self.unacked.front().is_some_and(|oldest| now.since(oldest.at) > timeout) {
            self.close(node, ctx, ChannelError::DeliveryTimeout);
        } else {
            self.watch_deliveries(node, ctx);
        }
    }

    /// A message is larger than `max_message_size`: 406.
    pub(super) fn refuse_large(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: MessageRange,
    ) {
        let (now, here) = (ctx.now(), ctx.node());
        let removal = Removal { cause: cause::MESSAGE_TOO_LARGE, because: BecauseId::NONE };
        ctx.observer().dropped(now, here, None, message, removal);
        self.close(node, ctx, ChannelError::MessageTooLarge);
    }
}
