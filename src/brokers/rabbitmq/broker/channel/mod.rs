//! A client's connection and its channel (rabbit_reader, rabbit_channel, v3.10).
//!
//! One connection carries one channel here, so reader, channel and writer are one process.

mod calls;
mod consuming;
mod errors;
mod publishing;
mod throttle;

use std::collections::VecDeque;

use crate::engine::Span;
use crate::world::{Closing, ConnId, Context, Input};

use super::super::message::{DeliveryTag, DownReason, Message, Pid, PublishSeq, QueueId};
use super::super::rules::Rule;
use super::Node;
use super::monitor::Guard;

use self::calls::{Call, RETRIES, RETRY_WAIT};
use self::consuming::{Settling, Subscription, Unacked};
use self::errors::heard_when_closed;
use self::publishing::{Answer, Mandatory, Target, Unconfirmed};
use self::throttle::Throttle;

/// Bytes of an AMQP method frame without content.
const METHOD_BYTES: u32 = 30;
/// Bytes of a delivery or return on the client's connection beside the payload.
const CONTENT_BYTES: u32 = 90;

/// A client's connection and channel.
#[derive(Clone, Debug)]
pub struct Channel {
    conn: ConnId,
    me: Pid,
    next_seq: PublishSeq,
    /// Publishes from `next_seq - unconfirmed.len()` on.
    unconfirmed: VecDeque<Unconfirmed>,
    targets: Vec<Target>,
    confirmed: Vec<PublishSeq>,
    rejected: Vec<PublishSeq>,
    guard: Guard,
    mandatory: Vec<Mandatory>,
    idle_asked: bool,
    subscriptions: Vec<Subscription>,
    next_tag: DeliveryTag,
    unacked: VecDeque<Unacked>,
    call: Option<Call>,
    deferred: VecDeque<Message>,
    heartbeat: Span,
    /// Bytes read and written at the last check, unchanged checks in a row, whether this tick is
    /// one that checks.
    received: u64,
    sent: u64,
    silent_checks: u32,
    check_now: bool,
    found: Vec<QueueId>,
    throttle: Throttle,
    /// The broker has closed it for an error; the client has not opened another yet.
    closed: bool,
}

impl Channel {
    /// The process of a connection that was just accepted.
    #[must_use]
    pub fn new(node: &Node, conn: ConnId, me: Pid) -> Channel {
        Channel {
            conn,
            me,
            next_seq: 1,
            unconfirmed: VecDeque::new(),
            targets: Vec::new(),
            confirmed: Vec::new(),
            rejected: Vec::new(),
            guard: None,
            mandatory: Vec::new(),
            idle_asked: false,
            subscriptions: Vec::new(),
            next_tag: 1,
            unacked: VecDeque::new(),
            call: None,
            deferred: VecDeque::new(),
            heartbeat: Span::ZERO,
            received: 0,
            sent: 0,
            silent_checks: 0,
            check_now: false,
            found: Vec::new(),
            throttle: Throttle::new(node),
            closed: false,
        }
    }

    /// The client's connection.
    #[must_use]
    pub fn connection(&self) -> ConnId {
        self.conn
    }

    /// Handles one input.
    pub fn handle(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        input: Input<Message>,
    ) {
        match input {
            Input::Message { conn, body } if conn == self.conn => self.read(node, ctx, body),
            Input::Message { body, .. } | Input::Local { body } => self.receive(node, ctx, body),
            Input::Closed { how, .. } => {
                debug_assert_ne!(how, Closing::TimedOut, "heartbeats come first");
                node.end_process(ctx.lane(), DownReason::Normal);
            }
            Input::Writable { .. } => self.report_sent(node, ctx),
            other => debug_assert!(false, "a channel has no use for {other:?}"),
        }
        if ctx.is_suspended() {
            self.suspended(ctx);
        } else if self.throttle.held {
            self.control_throttle(node, ctx);
        }
    }

    fn receive(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: Message) {
        if self.closed && !heard_when_closed(&message) {
            return;
        }
        if self.call.is_some() && blocked_by_call(&message) {
            self.deferred.push_back(message);
            return;
        }
        match message {
            Message::Handshake { step, last, heartbeat_ms } => {
                self.handshake(node, ctx, step, last, heartbeat_ms);
            }
            Message::HandshakeStep { step } => {
                // `connection.tune` proposes the server's interval.
                let heartbeat_ms = node.config.settings.heartbeat.as_millis() as u32;
                ctx.send(self.conn, Message::HandshakeOk { step, heartbeat_ms }, 200);
            }
            Message::BasicPublish { exchange, key, message, properties } => {
                self.publish(node, ctx, exchange, key, message, properties);
            }
            Message::Confirm { from, first, count, .. } => {
                self.on_confirm(node, ctx, from, first, count);
            }
            Message::MandatoryReceived { seq } => self.mandatory.retain(|one| one.seq != seq),
            Message::Idle => self.flush_confirms(node, ctx),
            Message::BumpCredit { from, more } => self.bump_credit(from, more),
            Message::ConserveResources { alarm } => self.conserve_resources(alarm),
            Message::Refuse { seq, .. } => self.on_refuse(ctx, seq),
            Message::BasicConsume { queue, terms } => {
                self.subscriptions.retain(|subscription| subscription.queue != queue);
                self.subscriptions.push(Subscription::new(queue, terms));
                self.call_subscribe(node, ctx, queue, RETRIES, true);
            }
            Message::BasicCancel { queue } => self.cancel(node, ctx, queue),
            Message::Push { queue, from, pushed } => self.push(node, ctx, queue, from, pushed),
            Message::BasicGet { queue, no_ack } => self.call_get(node, ctx, queue, no_ack, RETRIES),
            Message::Got { queue, from, got } => self.got(node, ctx, queue, from, got),
            Message::BasicAck { tag, multiple } => {
                self.ack(node, ctx, tag, multiple, Settling::Ack)
            }
            Message::BasicRequeue { tag, multiple } => {
                self.ack(node, ctx, tag, multiple, Settling::Requeue);
            }
            Message::BasicReject { tag, multiple } => {
                self.ack(node, ctx, tag, multiple, Settling::Reject);
            }
            Message::Subscribed { queue, from } => self.subscribed(node, ctx, queue, from),
            Message::InUse { queue, .. } => self.in_use(node, ctx, queue),
            Message::ChannelOpen => self.open_again(node, ctx),
            Message::ChannelTick => self.check_deliveries(node, ctx),
            Message::RetryCall => self.retry_call(node, ctx),
            Message::Down { pid, reason } => self.on_down(node, ctx, pid, reason),
            Message::Tick => self.tick(node, ctx),
            Message::Heartbeat => {}
            other => debug_assert!(false, "a channel has no use for {other:?}"),
        }
    }

    fn handshake(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        step: u8,
        last: bool,
        heartbeat_ms: u32,
    ) {
        let takes = node.config.costs.handshake_step;
        ctx.after(takes, ctx.lane(), Message::HandshakeStep { step });
        if last {
            self.watch_deliveries(node, ctx);
            // rabbit_reader.erl `validate_negotiated_integer_value`: the smaller of both unless
            // one is 0.
            let (client, server) =
                (Span::from_millis(heartbeat_ms.into()), node.config.settings.heartbeat);
            self.heartbeat = if client.is_zero() { server } else { client.min(server) };
            if server.is_zero() {
                self.heartbeat = client;
            }
            if !self.heartbeat.is_zero() {
                ctx.after(self.heartbeat / 2, ctx.lane(), Message::Tick);
            }
        }
    }

    /// A queue's process is down.
    fn on_down(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        pid: Pid,
        reason: DownReason,
    ) {
        if let Some(at) = self.targets.iter().position(|target| target.pid == pid) {
            self.targets[at].alive = false;
            self.return_mandatory(ctx, at as u16);
            self.forget_credit(at);
            // A normal end of the leader means that the queue was deleted, which settles its
            // publishes (rabbit_classic_queue.erl v3.10, `handle_event({down, ...})`: `eol`).
            let of_any = node.config.settings.rules.has(Rule::NormalEndOfMirrorConfirms);
            let deleted = reason == DownReason::Normal && (self.targets[at].leads || of_any);
            let answer = if deleted { Answer::Ended } else { Answer::Down };
            let (target, mut index) = (at as u16, 0);
            while index < self.unconfirmed.len() {
                let before = self.first_unconfirmed();
                self.answer(node, ctx, index, target, answer);
                let forgotten = (self.first_unconfirmed() - before) as usize;
                index = (index + 1).saturating_sub(forgotten);
            }
        }
        if let Some(call) = &mut self.call
            && call.asked == Some(pid)
        {
            call.asked = None;
            let (queue, by_client) = (call.queue, call.by_client);
            let record = node.mnesia.tables.queue(queue);
            let mirrored = node.config.queue(queue).mirroring.is_some();
            if record.is_some_and(|record| record.stopped) && !mirrored {
                // It was stopped in order, and nobody could take over: "process is stopped by
                // supervisor" (rabbit_amqqueue.erl v3.12.14: `retry_wait`).
                self.call = None;
                self.not_found(node, ctx, queue, by_client);
            } else {
                ctx.after(RETRY_WAIT, ctx.lane(), Message::RetryCall);
            }
        }
        self.subscriptions.retain(|s| !s.cancelled || s.leader != Some(pid));
        // rabbit_channel.erl v3.10 `queue_down_consumer_action`: a consumer that asked for it is
        // cancelled, the others are subscribed again.
        let asked = |s: &Subscription| s.leader == Some(pid) && s.terms.cancel_on_ha_failover;
        let asked: Vec<QueueId> =
            self.subscriptions.iter().filter(|s| asked(s)).map(|s| s.queue).collect();
        for queue in asked {
            self.not_found(node, ctx, queue, false);
        }
        let mut lost = None;
        for subscription in &mut self.subscriptions {
            if subscription.leader == Some(pid) {
                subscription.leader = None;
                lost = Some(subscription.queue);
            }
        }
        if (lost.is_some() || !self.deferred.is_empty()) && self.call.is_none() {
            self.resume(node, ctx);
        }
    }

    /// rabbit_heartbeat.erl: the sender writes a frame when nothing was written for half the
    /// interval; the receiver gives up after two checks, an interval apart, without a byte.
    fn tick(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let (received, sent) = (ctx.bytes_received(self.conn), ctx.bytes_sent(self.conn));
        if sent == self.sent {
            ctx.send(self.conn, Message::Heartbeat, 8);
        }
        self.sent = ctx.bytes_sent(self.conn);
        self.check_now = !self.check_now;
        if self.check_now {
            if received == self.received && !self.hears_nothing() {
                self.silent_checks += 1;
            } else {
                self.silent_checks = 0;
            }
            self.received = received;
            if self.silent_checks >= 2 {
                ctx.abort(self.conn);
                node.end_process(ctx.lane(), DownReason::Normal);
                return;
            }
        }
        ctx.after(self.heartbeat / 2, ctx.lane(), Message::Tick);
    }

    /// Whether the channel owes its client nothing that time alone would bring: what it waits for
    /// from `leaderless` queues never comes.
    pub fn is_settled_but_for(&self, leaderless: &dyn Fn(QueueId) -> bool) -> bool {
        let pending = |unconfirmed: &Unconfirmed| {
            let mut pending = unconfirmed.answers.iter();
            pending.any(|(target, answer)| {
                let queue = self.targets[usize::from(*target)].queue;
                *answer == Answer::Pending && !leaderless(queue)
            })
        };
        let confirmed = self.confirmed.is_empty() && self.rejected.is_empty();
        let unconfirmed = self.unconfirmed.iter().any(|one| !one.settled && pending(one));
        let read = self.throttle.is_settled();
        !unconfirmed && confirmed && read && self.call.is_none_or(|call| leaderless(call.queue))
    }
}

/// While the channel waits for a queue's answer everything else waits in its mailbox, but the
/// answer itself and what may end the wait.
fn blocked_by_call(message: &Message) -> bool {
    !matches!(
        message,
        Message::Subscribed { .. }
            | Message::InUse { .. }
            | Message::Got { .. }
            | Message::RetryCall
            | Message::BumpCredit { .. }
            | Message::ConserveResources { .. }
            | Message::Down { .. }
            | Message::Tick
            | Message::Heartbeat
    )
}
