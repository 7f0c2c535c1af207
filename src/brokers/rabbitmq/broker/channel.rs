//! A client's connection and its channel (rabbit_reader, rabbit_channel, v3.10).
//!
//! One connection carries one channel here, so reader, channel and writer are one process.

use std::collections::VecDeque;

use crate::engine::Span;
use crate::observe::{Event, MessageRange, Observer, Removal};
use crate::world::{Closing, ConnId, Context, Input};

use super::super::message::{
    DeliveryTag, DownReason, ExchangeId, Message, Pid, Properties, PublishSeq, QueueId, QueueSeq,
    RoutingKey,
};
use super::super::words::{because, cause, event};
use super::Node;

/// A blocked operation on a queue whose process is gone is tried again after this long
/// (rabbit_amqqueue.erl: `retry_wait`, 30 ms).
const RETRY_WAIT: Span = Span::from_millis(30);
/// and so often (rabbit_amqqueue.erl: `with`, 2000 retries).
const RETRIES: u32 = 2_000;
/// The channel tells the queue that its writer has passed so many deliveries on
/// (rabbit_queue_consumers.erl: `?MORE_CONSUMER_CREDIT_AFTER`).
const NOTIFY_SENT_AFTER: u32 = 50;
/// Bytes of a message between processes beside the payload: basic message, properties, delivery.
const DELIVER_BYTES: u32 = 330;
/// Bytes of an AMQP method frame without content.
const METHOD_BYTES: u32 = 30;
/// Bytes of a delivery or return on the client's connection beside the payload.
const CONTENT_BYTES: u32 = 90;

/// How far one replica has come with one publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Pending,
    Confirmed,
    Down,
}

/// A publish whose confirm is owed.
#[derive(Clone, Debug)]
struct Unconfirmed {
    /// The replicas it went to, as indices into `targets`.
    answers: Vec<(u16, Answer)>,
    settled: bool,
}

/// A queue process that publishes went to.
#[derive(Clone, Copy, Debug)]
struct Target {
    pid: Pid,
    queue: QueueId,
    alive: bool,
}

/// A consumer of this channel.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    queue: QueueId,
    prefetch: u32,
    no_ack: bool,
    /// The process that serves it; `None` while it is being (re)subscribed.
    leader: Option<Pid>,
    unreported: u32,
    /// The client has cancelled it; what was on its way still comes.
    cancelled: bool,
}

/// A delivery that the client has not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Unacked {
    tag: DeliveryTag,
    from: Pid,
    id: QueueSeq,
}

/// The channel waits for an answer and does nothing else.
#[derive(Clone, Copy, Debug)]
struct Call {
    queue: QueueId,
    /// Whom it asked; `None` while it waits to try again.
    asked: Option<Pid>,
    retries_left: u32,
    /// Whether the client waits for `consume-ok`, or the broker re-subscribes by itself.
    by_client: bool,
}

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
}

impl Channel {
    /// The process of a connection that was just accepted.
    #[must_use]
    pub fn new(conn: ConnId, me: Pid) -> Channel {
        Channel {
            conn,
            me,
            next_seq: 1,
            unconfirmed: VecDeque::new(),
            targets: Vec::new(),
            confirmed: Vec::new(),
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
        }
    }

    /// The client's connection.
    #[must_use]
    pub fn connection(&self) -> ConnId {
        self.conn
    }

    /// Handles one input.
    pub fn handle<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        input: Input<Message>,
    ) {
        match input {
            Input::Message { body, .. } | Input::Local { body } => self.receive(node, ctx, body),
            Input::Closed { how, .. } => {
                debug_assert_ne!(how, Closing::TimedOut, "heartbeats come first");
                node.end_process(ctx.lane(), DownReason::Normal);
            }
            Input::Writable { .. } => self.report_sent(node, ctx),
            other => debug_assert!(false, "a channel has no use for {other:?}"),
        }
    }

    fn receive<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        message: Message,
    ) {
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
                let heartbeat_ms = node.config.heartbeat.as_millis() as u32;
                ctx.send(self.conn, Message::HandshakeOk { step, heartbeat_ms }, 200);
            }
            Message::BasicPublish { exchange, key, message, properties } => {
                self.publish(node, ctx, exchange, key, message, properties);
            }
            Message::Confirm { from, first, count, .. } => {
                self.on_confirm(node, ctx, from, first, count);
            }
            Message::Idle => self.flush_confirms(ctx),
            Message::BasicConsume { queue, prefetch, no_ack } => {
                self.subscriptions.retain(|subscription| subscription.queue != queue);
                self.subscriptions.push(Subscription {
                    queue,
                    prefetch,
                    no_ack,
                    leader: None,
                    unreported: 0,
                    cancelled: false,
                });
                self.call_subscribe(node, ctx, queue, RETRIES, true);
            }
            Message::BasicCancel { queue } => self.cancel(node, ctx, queue),
            Message::Push { queue, from, id, message, redelivered } => {
                self.push(node, ctx, queue, from, (id, message, redelivered));
            }
            Message::BasicAck { tag, multiple } => self.ack(node, ctx, tag, multiple, false),
            Message::BasicRequeue { tag, multiple } => self.ack(node, ctx, tag, multiple, true),
            Message::Subscribed { queue, from } => self.subscribed(node, ctx, queue, from),
            Message::RetryCall => self.retry_call(node, ctx),
            Message::Down { pid, reason } => self.on_down(node, ctx, pid, reason),
            Message::Tick => self.tick(node, ctx),
            Message::Heartbeat => {}
            other => debug_assert!(false, "a channel has no use for {other:?}"),
        }
    }

    fn handshake<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        step: u8,
        last: bool,
        heartbeat_ms: u32,
    ) {
        let takes = node.config.costs.handshake_step;
        ctx.after(takes, ctx.lane(), Message::HandshakeStep { step });
        if last {
            // rabbit_reader.erl `validate_negotiated_integer_value`: the smaller of both unless
            // one is 0.
            let (client, server) = (Span::from_millis(heartbeat_ms.into()), node.config.heartbeat);
            self.heartbeat = if client.is_zero() { server } else { client.min(server) };
            if server.is_zero() {
                self.heartbeat = client;
            }
            if !self.heartbeat.is_zero() {
                ctx.after(self.heartbeat / 2, ctx.lane(), Message::Tick);
            }
        }
    }

    /// rabbit_channel.erl `handle_method(#'basic.publish'{})`, `deliver_to_queues`.
    fn publish<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        exchange: ExchangeId,
        key: RoutingKey,
        message: MessageRange,
        properties: Properties,
    ) {
        ctx.spend(node.config.costs.channel_publish);
        let seq = self.next_seq;
        self.next_seq += 1;
        let mut found = std::mem::take(&mut self.found);
        node.config.route(exchange, key, &mut found);
        if found.is_empty() {
            self.report_dropped(node, ctx, None, message, properties);
        }
        let mut answers = Vec::new();
        for &queue in &found {
            // One routing table a node, its own: a queue whose record is not there does not exist.
            let Some(record) = node.mnesia.tables.queue(queue) else {
                self.report_dropped(node, ctx, Some(queue), message, properties);
                continue;
            };
            let replicas: Vec<Pid> = record.replicas().collect();
            for pid in replicas {
                let target = self.target(node, ctx, pid, queue);
                answers.push((target, Answer::Pending));
                let channel = self.me;
                let deliver = Message::Deliver { queue, channel, seq, message, properties };
                node.send(ctx, pid, deliver, DELIVER_BYTES + message.bytes * message.count);
            }
        }
        self.found = found;
        let unroutable = answers.is_empty();
        if unroutable && properties.mandatory {
            // 312 NO_ROUTE, before the confirm.
            let bytes = CONTENT_BYTES + message.bytes * message.count;
            ctx.send(self.conn, Message::BasicReturn { message, seq }, bytes);
        }
        if properties.confirm {
            self.unconfirmed.push_back(Unconfirmed { answers, settled: unroutable });
            if unroutable {
                self.confirmed.push(seq);
                self.ask_idle(ctx);
            }
        } else {
            // Numbers must stay in step with the deque.
            self.unconfirmed.push_back(Unconfirmed { answers: Vec::new(), settled: true });
            self.forget_settled();
        }
    }

    fn report_dropped<O: Observer>(
        &self,
        node: &Node,
        ctx: &mut Context<'_, Message, O>,
        queue: Option<QueueId>,
        message: MessageRange,
        properties: Properties,
    ) {
        let because = match queue {
            None => because::NO_BINDING,
            Some(queue) if node.config.queue(queue).durable => because::HOME_NODE_DOWN,
            Some(_) => because::QUEUE_GONE,
        };
        let cause = if properties.confirm {
            cause::UNROUTABLE_CONFIRMED
        } else {
            cause::UNROUTABLE_DROPPED
        };
        let destination = queue.map(|queue| node.config.destination(queue));
        let (now, here) = (ctx.now(), ctx.node());
        ctx.observer().dropped(now, here, destination, message, Removal { cause, because });
    }

    fn target<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        pid: Pid,
        queue: QueueId,
    ) -> u16 {
        let known = self.targets.iter().position(|target| target.pid == pid);
        let at = known.unwrap_or_else(|| {
            self.targets.push(Target { pid, queue, alive: false });
            self.targets.len() - 1
        });
        if !self.targets[at].alive {
            // Monitored anew at each first use, also if it was down before
            // (rabbit_channel.erl: `pmon:monitor` in `deliver_to_queues`).
            self.targets[at].alive = true;
            node.monitor(ctx, ctx.lane(), pid);
        }
        at as u16
    }

    fn ask_idle<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        if !self.idle_asked {
            self.idle_asked = true;
            ctx.when_idle(Message::Idle);
        }
    }

    fn first_unconfirmed(&self) -> PublishSeq {
        self.next_seq - self.unconfirmed.len() as u64
    }

    fn on_confirm<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        from: Pid,
        first: PublishSeq,
        count: u32,
    ) {
        ctx.spend(node.config.costs.channel_confirm);
        let Some(target) = self.targets.iter().position(|target| target.pid == from) else {
            return;
        };
        let base = self.first_unconfirmed();
        for seq in first..first + u64::from(count) {
            let Some(at) = seq.checked_sub(base) else { continue };
            self.answer(ctx, at as usize, target as u16, Answer::Confirmed);
        }
    }

    /// One replica's answer to one publish. It is confirmed when every queue is settled and each
    /// had at least one replica that confirmed; a queue that is settled without any makes it a
    /// nack (rabbit_channel.erl v3.8: `handle_publishing_queue_down`; unconfirmed_messages.erl:
    /// `forget_ref`, rabbitmq-server#1893).
    fn answer<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        at: usize,
        target: u16,
        answer: Answer,
    ) {
        let base = self.first_unconfirmed();
        let Some(unconfirmed) = self.unconfirmed.get_mut(at) else { return };
        if unconfirmed.settled {
            return;
        }
        let mut changed = false;
        for (of, known) in &mut unconfirmed.answers {
            if *of == target && *known == Answer::Pending {
                *known = answer;
                changed = true;
            }
        }
        if !changed {
            return;
        }
        let answers = &unconfirmed.answers;
        let queue_of = |target: u16| self.targets[usize::from(target)].queue;
        let mut all_settled = true;
        let mut failed = false;
        for &(of, _) in answers {
            let same = || answers.iter().filter(|(other, _)| queue_of(*other) == queue_of(of));
            let pending = same().any(|(_, answer)| *answer == Answer::Pending);
            all_settled &= !pending;
            failed |= !pending && !same().any(|(_, answer)| *answer == Answer::Confirmed);
        }
        let seq = base + at as u64;
        if failed {
            unconfirmed.settled = true;
            ctx.send(self.conn, Message::ConfirmNack { seq, multiple: false }, METHOD_BYTES);
            self.forget_settled();
        } else if all_settled {
            unconfirmed.settled = true;
            self.confirmed.push(seq);
            self.ask_idle(ctx);
        }
    }

    fn forget_settled(&mut self) {
        if !self.confirmed.is_empty() {
            // The numbers that are owed an acknowledgement still stand in the deque.
            return;
        }
        while self.unconfirmed.front().is_some_and(|unconfirmed| unconfirmed.settled) {
            self.unconfirmed.pop_front();
        }
    }

    /// rabbit_channel.erl `send_confirms_and_nacks`: what lies below the smallest outstanding
    /// number is acknowledged at once with `multiple`, the rest one by one.
    fn flush_confirms<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        self.idle_asked = false;
        let base = self.first_unconfirmed();
        let outstanding = self.unconfirmed.iter().position(|unconfirmed| !unconfirmed.settled);
        let cut_off = outstanding.map_or(self.next_seq, |at| base + at as u64);
        let mut confirmed = std::mem::take(&mut self.confirmed);
        confirmed.sort_unstable();
        let below = confirmed.partition_point(|seq| *seq < cut_off);
        if let Some(&seq) = confirmed[..below].last() {
            let multiple = below > 1;
            ctx.send(self.conn, Message::ConfirmAck { seq, multiple }, METHOD_BYTES);
        }
        for &seq in &confirmed[below..] {
            ctx.send(self.conn, Message::ConfirmAck { seq, multiple: false }, METHOD_BYTES);
        }
        confirmed.clear();
        self.confirmed = confirmed;
        self.forget_settled();
    }

    /// Asks a queue's leader to take a consumer; the channel waits for the answer
    /// (rabbit_amqqueue.erl: `basic_consume` inside `with`).
    fn call_subscribe<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
        retries_left: u32,
        by_client: bool,
    ) {
        let Some(subscription) = self.subscriptions.iter().find(|s| s.queue == queue).copied()
        else {
            return;
        };
        let Some(leader) = node.mnesia.tables.queue(queue).map(|record| record.leader) else {
            self.call = None;
            self.not_found(node, ctx, queue, by_client);
            self.resume(node, ctx);
            return;
        };
        self.call = Some(Call { queue, asked: Some(leader), retries_left, by_client });
        node.monitor(ctx, ctx.lane(), leader);
        let Subscription { prefetch, no_ack, .. } = subscription;
        let channel = self.me;
        let subscribe = Message::Subscribe { queue, channel, prefetch, no_ack };
        node.send(ctx, leader, subscribe, 120);
    }

    fn subscribed<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
        from: Pid,
    ) {
        let Some(call) = self.call.filter(|call| call.queue == queue) else { return };
        if let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.queue == queue) {
            subscription.leader = Some(from);
            subscription.unreported = 0;
        }
        self.call = None;
        if call.by_client {
            ctx.send(self.conn, Message::ConsumeOk { queue }, METHOD_BYTES);
        }
        self.resume(node, ctx);
    }

    fn retry_call<O: Observer>(&mut self, node: &mut Node, ctx: &mut Context<'_, Message, O>) {
        let Some(call) = self.call.filter(|call| call.asked.is_none()) else { return };
        if call.retries_left == 0 {
            self.call = None;
            self.not_found(node, ctx, call.queue, call.by_client);
            self.resume(node, ctx);
        } else {
            self.call_subscribe(node, ctx, call.queue, call.retries_left - 1, call.by_client);
        }
    }

    /// The queue cannot be had: 404 to a client that asked, `basic.cancel` to one that had it
    /// (rabbit_channel.erl: `handle_consuming_queue_down_or_eol`).
    fn not_found<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
        by_client: bool,
    ) {
        self.subscriptions.retain(|subscription| subscription.queue != queue);
        if by_client {
            // 404 "home node ... of durable queue ... is down or inaccessible" closes the channel.
            self.give_back_all(node, ctx);
            for subscription in std::mem::take(&mut self.subscriptions) {
                self.unsubscribe(node, ctx, subscription);
            }
            ctx.send(self.conn, Message::ChannelNotFound { queue }, METHOD_BYTES + 90);
        } else {
            let (now, here) = (ctx.now(), ctx.node());
            let destination = Some(node.config.destination(queue));
            let word = event::CONSUMER_CANCELLED;
            let event = Event { word, node: here, destination, subject: None, count: 0 };
            ctx.observer().event(now, event);
            ctx.send(self.conn, Message::ServerCancel { queue }, METHOD_BYTES);
        }
    }

    fn resume<O: Observer>(&mut self, node: &mut Node, ctx: &mut Context<'_, Message, O>) {
        while self.call.is_none() {
            // Other consumers of a queue that went down at the same time are next.
            let waiting = self.subscriptions.iter().find(|s| s.leader.is_none()).map(|s| s.queue);
            if let Some(queue) = waiting {
                self.call_subscribe(node, ctx, queue, RETRIES, false);
                continue;
            }
            let Some(message) = self.deferred.pop_front() else { return };
            self.receive(node, ctx, message);
        }
    }

    fn cancel<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
    ) {
        if let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.queue == queue) {
            subscription.cancelled = true;
            let subscription = *subscription;
            self.unsubscribe(node, ctx, subscription);
        }
    }

    fn unsubscribe<O: Observer>(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        subscription: Subscription,
    ) {
        if let Some(leader) = subscription.leader {
            node.send(ctx, leader, Message::Unsubscribe { channel: self.me }, 80);
        }
    }

    fn push<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
        from: Pid,
        (id, message, redelivered): (QueueSeq, MessageRange, bool),
    ) {
        ctx.spend(node.config.costs.channel_deliver);
        let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.queue == queue) else {
            // Its channel was closed by a 404 meanwhile: nobody is there to take it.
            node.send(ctx, from, Message::GiveBack { channel: self.me, first: id, count: 1 }, 70);
            return;
        };
        // A delivery may overtake the answer to the subscription only in the mailbox of a call.
        if subscription.leader.is_some_and(|leader| leader != from) {
            return;
        }
        subscription.unreported += 1;
        let tag = self.next_tag;
        self.next_tag += 1;
        if !subscription.no_ack {
            self.unacked.push_back(Unacked { tag, from, id });
        }
        let bytes = CONTENT_BYTES + message.bytes * message.count;
        ctx.send(self.conn, Message::BasicDeliver { queue, tag, message, redelivered }, bytes);
        self.report_sent(node, ctx);
    }

    /// The writer tells the queues what it has passed on, unless the socket is full.
    fn report_sent<O: Observer>(&mut self, node: &mut Node, ctx: &mut Context<'_, Message, O>) {
        if ctx.room(self.conn) == 0 {
            return;
        }
        let channel = self.me;
        for subscription in &mut self.subscriptions {
            let Some(leader) = subscription.leader else { continue };
            if subscription.unreported >= NOTIFY_SENT_AFTER {
                let count = std::mem::take(&mut subscription.unreported);
                node.send(ctx, leader, Message::NotifySent { channel, count }, 40);
            }
        }
    }

    /// `basic.ack`, or `basic.nack` with requeue.
    fn ack<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        tag: DeliveryTag,
        multiple: bool,
        requeue: bool,
    ) {
        ctx.spend(node.config.costs.channel_ack);
        let mut taken: Vec<Unacked> = Vec::new();
        if multiple {
            while self.unacked.front().is_some_and(|unacked| unacked.tag <= tag) {
                taken.extend(self.unacked.pop_front());
            }
        } else if self.unacked.front().is_some_and(|unacked| unacked.tag == tag) {
            taken.extend(self.unacked.pop_front());
        } else if let Ok(at) = self.unacked.binary_search_by_key(&tag, |unacked| unacked.tag) {
            taken.extend(self.unacked.remove(at));
        }
        self.settle(node, ctx, &taken, requeue);
    }

    fn settle<O: Observer>(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        taken: &[Unacked],
        requeue: bool,
    ) {
        let mut rest = taken;
        while let Some(&Unacked { from, id: first, .. }) = rest.first() {
            let mut count = 1;
            while rest
                .get(count)
                .is_some_and(|next| next.from == from && next.id == first + count as u64)
            {
                count += 1;
            }
            rest = &rest[count..];
            let (channel, count) = (self.me, count as u32);
            let message = if requeue {
                Message::GiveBack { channel, first, count }
            } else {
                Message::Settle { channel, first, count }
            };
            node.send(ctx, from, message, 70);
        }
    }

    fn give_back_all<O: Observer>(&mut self, node: &mut Node, ctx: &mut Context<'_, Message, O>) {
        let taken: Vec<Unacked> = std::mem::take(&mut self.unacked).into_iter().collect();
        self.settle(node, ctx, &taken, true);
    }

    /// A queue's process is down.
    fn on_down<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        pid: Pid,
        reason: DownReason,
    ) {
        if let Some(at) = self.targets.iter().position(|target| target.pid == pid) {
            self.targets[at].alive = false;
            // A normal end means that the queue was deleted, which settles its publishes
            // (rabbit_channel.erl: `handle_publishing_queue_down`).
            let answer =
                if reason == DownReason::Normal { Answer::Confirmed } else { Answer::Down };
            let (target, mut index) = (at as u16, 0);
            while index < self.unconfirmed.len() {
                let before = self.first_unconfirmed();
                self.answer(ctx, index, target, answer);
                let forgotten = (self.first_unconfirmed() - before) as usize;
                index = (index + 1).saturating_sub(forgotten);
            }
        }
        if let Some(call) = &mut self.call
            && call.asked == Some(pid)
        {
            call.asked = None;
            ctx.after(RETRY_WAIT, ctx.lane(), Message::RetryCall);
        }
        self.subscriptions.retain(|s| !s.cancelled || s.leader != Some(pid));
        let mut lost = None;
        for subscription in &mut self.subscriptions {
            if subscription.leader == Some(pid) {
                subscription.leader = None;
                lost = Some(subscription.queue);
            }
        }
        if lost.is_some() && self.call.is_none() {
            self.resume(node, ctx);
        }
    }

    /// rabbit_heartbeat.erl: the sender writes a frame when nothing was written for half the
    /// interval; the receiver gives up after two checks, an interval apart, without a byte.
    fn tick<O: Observer>(&mut self, node: &mut Node, ctx: &mut Context<'_, Message, O>) {
        let (received, sent) = (ctx.bytes_received(self.conn), ctx.bytes_sent(self.conn));
        if sent == self.sent {
            ctx.send(self.conn, Message::Heartbeat, 8);
        }
        self.sent = ctx.bytes_sent(self.conn);
        self.check_now = !self.check_now;
        if self.check_now {
            if received == self.received {
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
        let confirmed = self.confirmed.is_empty();
        let unconfirmed = self.unconfirmed.iter().any(|one| !one.settled && pending(one));
        !unconfirmed && confirmed && self.call.is_none_or(|call| leaderless(call.queue))
    }
}

/// While the channel waits for a queue's answer everything else waits in its mailbox, but the
/// answer itself and what may end the wait.
fn blocked_by_call(message: &Message) -> bool {
    !matches!(
        message,
        Message::Subscribed { .. }
            | Message::RetryCall
            | Message::Down { .. }
            | Message::Tick
            | Message::Heartbeat
    )
}
