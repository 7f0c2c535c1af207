//! A client's connection and its channel (rabbit_reader, rabbit_channel, v3.10).
//!
//! One connection carries one channel here, so reader, channel and writer are one process.

pub(super) mod calls;
mod consuming;
mod declaring;
mod errors;
mod publishing;
mod quorum;
mod throttle;

use std::collections::VecDeque;

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Closing, ConnId, Context, Wait};

use super::super::message::amqp::{ChannelError, FromClient, FromServer};
use super::super::message::channel::{ChannelMail, ChannelMessage};
use super::super::message::queue::Pushed;
use super::super::message::ra::QuorumMessage;
use super::super::message::{DeliveryTag, DownReason, Message, Pid, PublishSeq, QueueId};
use super::super::rules::Rule;
use super::Node;
use super::cluster::monitor::Guard;

use self::calls::{Call, RETRIES, RETRY_WAIT};
use self::consuming::{Settling, Subscription, Unacked};
use self::errors::heard_when_closed;
use self::publishing::{Answer, Mandatory, Target, Unconfirmed};
use self::quorum::{FifoClient, QuorumCall};
use self::throttle::Throttle;

/// Bytes of an AMQP method frame without content.
const METHOD_BYTES: u32 = 30;
/// Bytes of a delivery or return on the client's connection beside the payload.
const CONTENT_BYTES: u32 = 90;

/// A client's connection and channel.
#[derive(Clone, Debug)]
pub struct Channel {
    conn: ConnId,
    /// Who made the connection.
    client: NodeId,
    me: Pid,
    /// The connection itself: the process of its first channel, for exclusive queues.
    reader: Pid,
    /// Queues that belong to the connection, or may soon.
    exclusive: Vec<QueueId>,
    /// The last error of a declaration that was told of.
    told: Option<ChannelError>,
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
    /// What it knows of quorum queues, and its call to one of them.
    quorum: Vec<FifoClient>,
    quorum_call: Option<QuorumCall>,
    next_call: u32,
    deferred: VecDeque<ChannelMail>,
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
    pub fn new(node: &Node, (conn, client): (ConnId, NodeId), me: Pid) -> Channel {
        Channel {
            conn,
            client,
            me,
            reader: me,
            exclusive: Vec::new(),
            told: None,
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
            quorum: Vec::new(),
            quorum_call: None,
            next_call: 0,
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

    /// Whether it publishes to a queue, or consumes from it.
    #[must_use]
    pub fn uses(&self, queue: QueueId) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.queue == queue)
            || self.targets.iter().any(|target| target.queue == queue)
    }

    /// The client's connection.
    #[must_use]
    pub fn connection(&self) -> ConnId {
        self.conn
    }

    /// The connection, by its reader's process.
    #[must_use]
    pub fn reader(&self) -> Pid {
        self.reader
    }

    /// The queues that go when the connection does.
    #[must_use]
    pub fn exclusive(&self) -> &[QueueId] {
        &self.exclusive
    }

    /// The socket has something from the client.
    pub(super) fn read_socket(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        method: FromClient,
    ) {
        self.read(node, ctx, method);
        self.look_at_reader(node, ctx);
    }

    /// Handles what is in the mailbox.
    pub fn handle(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, mail: ChannelMail) {
        self.receive(node, ctx, mail);
        self.look_at_reader(node, ctx);
    }

    /// The client's connection is gone, and this process with it.
    pub(super) fn connection_closed(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        how: Closing,
    ) {
        debug_assert_ne!(how, Closing::TimedOut, "heartbeats come first");
        node.end_process(ctx.lane(), DownReason::Normal);
        self.look_at_reader(node, ctx);
    }

    /// There is room in the client's socket again.
    pub(super) fn writable(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.report_sent(node, ctx);
        self.look_at_reader(node, ctx);
    }

    fn look_at_reader(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if ctx.is_suspended() {
            self.suspended(ctx);
        } else if self.throttle.held {
            self.control_throttle(node, ctx);
        }
    }

    fn receive(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, mail: ChannelMail) {
        if self.closed && !heard_when_closed(&mail) {
            return;
        }
        if self.is_waiting() && self.blocked_by_call(&mail) {
            self.deferred.push_back(mail);
            return;
        }
        match mail {
            ChannelMail::Client(method) => self.obey(node, ctx, method),
            ChannelMail::Message(message) => self.hear(node, ctx, message),
            ChannelMail::Down(pid, reason) => self.on_down(node, ctx, pid, reason),
        }
    }

    /// What the client asks for.
    fn obey(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, method: FromClient) {
        match method {
            FromClient::Handshake { step, last, heartbeat_ms } => {
                self.handshake(node, ctx, step, last, heartbeat_ms);
            }
            FromClient::BasicPublish { exchange, key, message, properties } => {
                self.publish(node, ctx, exchange, key, message, properties);
            }
            FromClient::QueueDeclare { declaration } => self.declare(node, ctx, declaration),
            FromClient::BasicConsume { queue, terms } => {
                self.subscriptions.retain(|subscription| subscription.queue != queue);
                if node.config.queue(queue).is_quorum() {
                    return self.consume_quorum(node, ctx, queue, terms);
                }
                self.subscriptions.push(Subscription::new(queue, terms));
                self.call_subscribe(node, ctx, queue, RETRIES, true);
            }
            FromClient::BasicCancel { queue } => self.cancel(node, ctx, queue),
            FromClient::BasicGet { queue, no_ack } if node.config.queue(queue).is_quorum() => {
                self.get_quorum(node, ctx, queue, no_ack);
            }
            FromClient::BasicGet { queue, no_ack } => {
                self.call_get(node, ctx, queue, no_ack, RETRIES);
            }
            FromClient::BasicAck { tag, multiple } => {
                self.ack(node, ctx, tag, multiple, Settling::Ack);
            }
            FromClient::BasicRequeue { tag, multiple, nack } => {
                let failed = !nack;
                self.ack(node, ctx, tag, multiple, Settling::Requeue { failed });
            }
            FromClient::BasicReject { tag, multiple } => {
                self.ack(node, ctx, tag, multiple, Settling::Reject);
            }
            FromClient::ChannelOpen => self.open_again(node, ctx),
            FromClient::Heartbeat => {}
        }
    }

    /// What comes from inside the cluster.
    fn hear(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: ChannelMessage) {
        match message {
            ChannelMessage::HandshakeStep { step } => {
                // `connection.tune` proposes the server's interval.
                let heartbeat_ms = node.config.settings.heartbeat.as_millis() as u32;
                ctx.send(self.conn, FromServer::HandshakeOk { step, heartbeat_ms }.into(), 200);
            }
            ChannelMessage::Confirm { from, first, count } => {
                self.on_confirm(node, ctx, from, first, count);
            }
            ChannelMessage::MandatoryReceived { seq } => {
                self.mandatory.retain(|one| one.seq != seq);
            }
            ChannelMessage::Idle => self.flush_confirms(node, ctx),
            ChannelMessage::BumpCredit { from, more } => self.bump_credit(from, more),
            ChannelMessage::ConserveResources { alarm } => self.conserve_resources(alarm),
            ChannelMessage::Refuse { seq } => self.on_refuse(ctx, seq),
            ChannelMessage::Push { queue, from, id, message, redelivered, letter } => {
                let pushed = Pushed { id, message, redelivered, letter };
                if node.config.queue(queue).is_quorum() {
                    self.push_quorum(node, ctx, queue, from, pushed);
                } else {
                    self.push(node, ctx, queue, from, pushed);
                }
            }
            ChannelMessage::Got { queue, from, got } => self.got(node, ctx, queue, from, got),
            ChannelMessage::Counted { queue, from } => self.counted(node, ctx, queue, from),
            ChannelMessage::Declared { queue, new } => self.declared(node, ctx, queue, new),
            ChannelMessage::NotDeclared { .. } => self.not_declared(node, ctx, None),
            ChannelMessage::Subscribed { queue, from } => self.subscribed(node, ctx, queue, from),
            ChannelMessage::InUse { queue } => self.in_use(node, ctx, queue),
            ChannelMessage::Quorum(message) => self.on_quorum(node, ctx, message),
            ChannelMessage::ChannelTick => self.check_deliveries(node, ctx),
            ChannelMessage::RetryCall => self.retry_call(node, ctx),
            ChannelMessage::Tick => self.tick(node, ctx),
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
        ctx.after(takes, ctx.lane(), ChannelMessage::HandshakeStep { step }.into());
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
                let first = ctx.first_round(self.heartbeat / 2);
                ctx.after(first, ctx.lane(), ChannelMessage::Tick.into());
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
        if let Some(at) = self.targets.iter().position(|target| target.pid == Some(pid)) {
            self.targets[at].alive = false;
            self.return_mandatory(ctx, at as u16);
            self.forget_credit(at);
            // A normal end of the leader means that the queue was deleted, which settles its
            // publishes (rabbit_classic_queue.erl v3.10, `handle_event({down, ...})`: `eol`).
            let of_any = node.config.settings.rules.has(Rule::NormalEndOfMirrorConfirms);
            let deleted = reason == DownReason::Normal && (self.targets[at].leads || of_any);
            let answer = if deleted { Answer::Ended } else { Answer::Down };
            let (target, mut index) = (at as u16, 0);
            if reason == DownReason::Killed && node.config.settings.rules.has(Rule::RejectOnCrash) {
                self.reject_pending(ctx, target);
            }
            while index < self.unconfirmed.len() {
                let before = self.first_unconfirmed();
                self.answer(node, ctx, index, target, answer);
                let forgotten = (self.first_unconfirmed() - before) as usize;
                index = (index + 1).saturating_sub(forgotten);
            }
        }
        self.called_node_down(node, ctx, pid);
        if pid == Node::whole(pid.node) {
            self.not_declared(node, ctx, Some(pid.node));
        }
        if let Some(call) = &mut self.call
            && call.asked == Some(pid)
        {
            call.asked = None;
            let (queue, by_client) = (call.queue, call.by_client());
            let record = node.mnesia.tables.queue(queue);
            let mirrored = node.mirroring(queue).is_some();
            if record.is_some_and(|record| record.stopped) && !mirrored {
                // It was stopped in order, and nobody could take over: "process is stopped by
                // supervisor" (rabbit_amqqueue.erl v3.12.14: `retry_wait`).
                self.call = None;
                self.not_found(node, ctx, queue, by_client);
            } else {
                ctx.after(RETRY_WAIT, ctx.lane(), ChannelMessage::RetryCall.into());
            }
        }
        self.subscriptions.retain(|s| !s.cancelled || s.leader != Some(pid));
        // rabbit_channel.erl v3.10 `queue_down_consumer_action`: a consumer that asked for it is
        // cancelled, the others are subscribed again; from 4.0 on all are cancelled.
        let again = node.config.settings.rules.has(Rule::ResubscribeConsumers);
        let asked =
            |s: &Subscription| s.leader == Some(pid) && (s.terms.cancel_on_ha_failover || !again);
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
        if (lost.is_some() || !self.deferred.is_empty()) && !self.is_waiting() {
            self.resume(node, ctx);
        }
    }

    /// rabbit_heartbeat.erl: the sender writes a frame when nothing was written for half the
    /// interval; the receiver gives up after two checks, an interval apart, without a byte.
    fn tick(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let (received, sent) = (ctx.bytes_received(self.conn), ctx.bytes_sent(self.conn));
        if sent == self.sent {
            ctx.send(self.conn, FromServer::Heartbeat.into(), 8);
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
        ctx.after(self.heartbeat / 2, ctx.lane(), ChannelMessage::Tick.into());
    }

    /// Who made the connection.
    #[must_use]
    pub const fn made_by(&self) -> NodeId {
        self.client
    }

    /// What the channel owes its client and waits for; what it waits for from `leaderless` queues
    /// never comes. `name` names a queue.
    pub fn waits_for<'a>(
        &self,
        leaderless: &dyn Fn(QueueId) -> bool,
        name: &dyn Fn(QueueId) -> &'a str,
    ) -> Option<Wait> {
        let pending = |unconfirmed: &Unconfirmed| {
            let mut pending = unconfirmed.answers.iter();
            pending.find_map(|(target, answer)| {
                let queue = self.targets[usize::from(*target)].queue;
                (*answer == Answer::Pending && !leaderless(queue)).then_some(queue)
            })
        };
        let mut unconfirmed = self.unconfirmed.iter().filter(|one| !one.settled);
        if let Some(queue) = unconfirmed.find_map(pending) {
            return Some(format!("confirms of queue {}", name(queue)).into());
        }
        if !self.confirmed.is_empty() || !self.rejected.is_empty() {
            return Some("a channel, to tell its client what is confirmed".into());
        }
        if !self.throttle.is_settled() {
            return Some("a channel, to read what its client has sent".into());
        }
        let clients = || self.quorum.iter().filter(|client| !leaderless(client.queue));
        if let Some(client) = clients().find(|client| !client.is_settled()) {
            return Some(format!("quorum queue {}", name(client.queue)).into());
        }
        let calls = self.quorum_call.iter().map(|call| call.queue);
        if let Some(queue) = calls.into_iter().find(|queue| !leaderless(*queue)) {
            return Some(format!("queue {}, to answer a client's call", name(queue)).into());
        }
        let call = self.call.filter(|call| !leaderless(call.queue));
        call.map(|call| format!("queue {}, to answer a client's call", name(call.queue)).into())
    }
}

impl Channel {
    /// Whether it waits for the answer to a call.
    fn is_waiting(&self) -> bool {
        self.call.is_some() || self.quorum_call.is_some()
    }

    /// While the channel waits for a queue's answer everything else waits in its mailbox, but the
    /// answer itself and what may end the wait.
    fn blocked_by_call(&self, mail: &ChannelMail) -> bool {
        match mail {
            ChannelMail::Message(ChannelMessage::Push { queue, .. }) => !self.gets(*queue),
            mail => blocked_by_any_call(mail),
        }
    }
}

/// The same, whatever the call is.
fn blocked_by_any_call(mail: &ChannelMail) -> bool {
    match mail {
        ChannelMail::Client(method) => !matches!(method, FromClient::Heartbeat),
        ChannelMail::Message(message) => !matches!(
            message,
            ChannelMessage::Subscribed { .. }
                | ChannelMessage::Counted { .. }
                | ChannelMessage::Declared { .. }
                | ChannelMessage::NotDeclared { .. }
                | ChannelMessage::InUse { .. }
                | ChannelMessage::Got { .. }
                | ChannelMessage::RetryCall
                | ChannelMessage::Quorum(
                    QuorumMessage::Answered { .. } | QuorumMessage::CallTimeout { .. }
                )
                | ChannelMessage::BumpCredit { .. }
                | ChannelMessage::ConserveResources { .. }
                | ChannelMessage::Tick
        ),
        ChannelMail::Down(..) => false,
    }
}
