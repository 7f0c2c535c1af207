//! Sending: a message at a time, or batches from a queue.

use crate::engine::Time;
use crate::observe::{MessageRange, Outcome, Removal};
use crate::world::{Context, Lane};

use super::super::super::PartitionId;
use super::super::message::{Message, Part, REQUEST, REQUEST_PART};
use super::super::rules::Rule;
use super::super::words::{because, cause};
use super::{Doing, Prepared, Producer, QueueConfig, Turn};

impl Producer {
    /// The partition is picked.
    pub(super) fn dispatch(
        &mut self,
        intended: Time,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        let now = ctx.now();
        let part = self.attempt(now, intended, partition, ctx.observer());
        match self.own.queue {
            None => self.write(part, ctx),
            Some(queue) => self.enqueue(part, &queue, ctx),
        }
    }

    fn broker_of(&self, part: &Part) -> u32 {
        self.config.owner(part.partition).0
    }

    /// A synchronous send (`SyncProducer.send`): without any retry.
    fn write(&mut self, part: Part, ctx: &mut Context<'_, Message>) {
        if part.messages.bytes > self.own.max_message_size {
            self.lose(part.messages, cause::MESSAGE_TOO_LARGE, ctx);
            return self.throw(part, Outcome::Rejected, ctx);
        }
        let broker = self.broker_of(&part) as usize;
        match self.channels[broker].prepare(ctx) {
            Prepared::Open(conn) => {
                self.handed_over(part.messages, broker, ctx);
                let bytes = u32::try_from(part.bytes()).unwrap_or(u32::MAX);
                ctx.send(conn, Message::Produce(part), REQUEST.saturating_add(bytes));
                self.channels[broker].written(ctx);
                self.accepted(part.messages, ctx);
            }
            Prepared::Void => {
                self.handed_over(part.messages, broker, ctx);
                self.accepted(part.messages, ctx);
            }
            Prepared::Wait => self.doing = Doing::Writing(part),
            Prepared::Failed => self.broke(part, ctx),
        }
    }

    /// "No way to tell if write succeeded. Disconnect and re-throw".
    fn broke(&mut self, part: Part, ctx: &mut Context<'_, Message>) {
        self.lose(part.messages, cause::SOCKET_BUFFER_LOST, ctx);
        self.throw(part, Outcome::Unknown, ctx);
    }

    /// The kernel has it. Until a broker has read it, it is lost if the connection is.
    fn handed_over(
        &mut self,
        messages: MessageRange,
        broker: usize,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, node) = (ctx.now(), self.channels[broker].node());
        ctx.observer().sent(now, messages);
        let removal = Removal::new(cause::SOCKET_BUFFER_LOST, because::NO_RESPONSE);
        ctx.observer().dropped(now, node, None, messages, removal);
    }

    fn accepted(&mut self, messages: MessageRange, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        ctx.observer().outcome(now, messages, Outcome::Accepted);
        self.own.sending.settled(messages.count, ctx);
    }

    fn lose(
        &mut self,
        messages: MessageRange,
        why: crate::observe::CauseId,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, node) = (ctx.now(), ctx.node());
        ctx.observer().dropped(now, node, None, messages, Removal::new(why, because::NO_RETRY));
    }

    /// A connection has something for who waits for it.
    pub(super) fn turn(&mut self, broker: u32, turn: Turn, ctx: &mut Context<'_, Message>) {
        if turn == Turn::Nothing {
            return;
        }
        if self.own.queue.is_some() {
            return self.batch_turn(broker, turn, ctx);
        }
        let Doing::Writing(part) = self.doing else { return };
        if self.broker_of(&part) != broker {
            return;
        }
        self.doing = Doing::Nothing;
        match turn {
            Turn::Ready => self.write(part, ctx),
            // Nothing was ever written.
            Turn::ConnectFailed => self.throw(part, Outcome::Rejected, ctx),
            Turn::Broke | Turn::Nothing => self.broke(part, ctx),
        }
        self.pump(ctx);
    }

    /// `AsyncProducer.send`.
    fn enqueue(&mut self, part: Part, queue: &QueueConfig, ctx: &mut Context<'_, Message>) {
        let broker = self.broker_of(&part);
        if self.queues[broker as usize].has_room(queue) {
            self.queues[broker as usize].offer(part);
            if self.accepts_early() {
                self.accepted(part.messages, ctx);
            }
            return self.drain(broker, ctx);
        }
        let drops = self.config.settings.rules.has(Rule::DropWhenQueueIsFull);
        match queue.enqueue_timeout.filter(|_| drops) {
            Some(timeout) if timeout.is_zero() => self.queue_full(part, ctx),
            timeout => {
                self.enqueue_waits += 1;
                self.doing = Doing::Enqueuing(part, self.enqueue_waits);
                if let Some(timeout) = timeout {
                    let over = Message::EnqueueTimeout(self.enqueue_waits);
                    ctx.after(timeout, Lane::MAIN, over);
                }
            }
        }
    }

    fn accepts_early(&self) -> bool {
        self.config.settings.rules.has(Rule::AcceptWhenQueued)
    }

    /// `QueueFullException`.
    fn queue_full(&mut self, part: Part, ctx: &mut Context<'_, Message>) {
        self.lose(part.messages, cause::QUEUE_FULL_DROPPED, ctx);
        self.throw(part, Outcome::Rejected, ctx);
    }

    pub(super) fn enqueue_timeout(&mut self, wait: u32, ctx: &mut Context<'_, Message>) {
        if let Doing::Enqueuing(part, waits) = self.doing
            && waits == wait
        {
            self.doing = Doing::Nothing;
            self.queue_full(part, ctx);
            self.pump(ctx);
        }
    }

    /// There may be room for who waits.
    fn room_in_queue(&mut self, broker: u32, ctx: &mut Context<'_, Message>) {
        let (Doing::Enqueuing(part, _), Some(queue)) = (self.doing, self.own.queue) else { return };
        if self.broker_of(&part) == broker && self.queues[broker as usize].has_room(&queue) {
            self.doing = Doing::Nothing;
            self.enqueue(part, &queue, ctx);
            self.pump(ctx);
        }
    }

    /// The send thread of a broker takes from its queue (`ProducerSendThread.processEvents`).
    pub(super) fn drain(&mut self, broker: u32, ctx: &mut Context<'_, Message>) {
        let Some(config) = self.own.queue else { return };
        loop {
            let closing = self.is_closing();
            let queue = &mut self.queues[broker as usize];
            if queue.sending.is_some() {
                break;
            }
            let full = queue.collect(&config);
            if !(full || closing && queue.has_events()) {
                break;
            }
            queue.dispatch(&config);
            self.send_batch(broker, ctx);
        }
        let now = ctx.clock();
        let queue = &mut self.queues[broker as usize];
        if queue.sending.is_none() && queue.has_events() && !queue.waiting {
            queue.waiting = true;
            queue.wait += 1;
            let due = queue.deadline(&config, now);
            let message = Message::QueueTime { broker, wait: queue.wait };
            ctx.after(due.since(now), Lane::MAIN, message);
        }
        self.room_in_queue(broker, ctx);
    }

    /// `queue.time` is over.
    pub(super) fn queue_time(&mut self, broker: u32, wait: u32, ctx: &mut Context<'_, Message>) {
        let Some(config) = self.own.queue else { return };
        let now = ctx.clock();
        let queue = &mut self.queues[broker as usize];
        if queue.wait != wait || !std::mem::take(&mut queue.waiting) || queue.sending.is_some() {
            return;
        }
        queue.last_send = now;
        if queue.dispatch(&config) {
            self.send_batch(broker, ctx);
        }
        self.drain(broker, ctx);
    }

    /// Sends the batch in hand (`DefaultEventHandler.handle`, `SyncProducer.multiSend`).
    fn send_batch(&mut self, broker: u32, ctx: &mut Context<'_, Message>) {
        while let Some(parts) = self.queues[broker as usize].sending.clone() {
            let too_large = self.own.max_message_size;
            if parts.iter().any(|part| part.messages.bytes > too_large) {
                // `verifyMessageSize` throws before anything is written, however often.
                self.batch_dropped(broker, ctx);
                continue;
            }
            let channel = &mut self.channels[broker as usize];
            match channel.prepare(ctx) {
                Prepared::Open(conn) => {
                    self.batch_handed_over(broker, &parts, ctx);
                    let bytes: u64 = parts
                        .iter()
                        .map(|part| part.bytes() + u64::from(REQUEST_PART))
                        .sum::<u64>()
                        + u64::from(REQUEST);
                    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                    ctx.send(conn, Message::MultiProduce(parts), bytes);
                    self.channels[broker as usize].written(ctx);
                    self.batch_done(broker, ctx);
                }
                Prepared::Void => {
                    self.batch_handed_over(broker, &parts, ctx);
                    self.batch_done(broker, ctx);
                }
                Prepared::Wait => return,
                Prepared::Failed => self.attempt_failed(broker, ctx),
            }
        }
    }

    fn batch_handed_over(&mut self, broker: u32, parts: &[Part], ctx: &mut Context<'_, Message>) {
        for part in parts {
            self.handed_over(part.messages, broker as usize, ctx);
            if !self.accepts_early() {
                self.accepted(part.messages, ctx);
            }
        }
    }

    fn batch_done(&mut self, broker: u32, ctx: &mut Context<'_, Message>) {
        let now = ctx.clock();
        let queue = &mut self.queues[broker as usize];
        queue.sending = None;
        queue.last_send = now;
        queue.waiting = false;
    }

    /// An exception: the next attempt goes to the same broker; after the last the batch is logged
    /// and dropped.
    fn attempt_failed(&mut self, broker: u32, ctx: &mut Context<'_, Message>) {
        if !self.config.settings.rules.has(Rule::DropFailedBatch) {
            return;
        }
        let queue = &mut self.queues[broker as usize];
        queue.attempts = queue.attempts.saturating_sub(1);
        if queue.attempts > 0 {
            return;
        }
        self.batch_dropped(broker, ctx);
    }

    fn batch_dropped(&mut self, broker: u32, ctx: &mut Context<'_, Message>) {
        for part in self.queues[broker as usize].sending.take().unwrap_or_default() {
            self.lose(part.messages, cause::BATCH_DROPPED, ctx);
            if !self.accepts_early() {
                self.throw(part, Outcome::Rejected, ctx);
            }
        }
        self.batch_done(broker, ctx);
    }

    fn batch_turn(&mut self, broker: u32, turn: Turn, ctx: &mut Context<'_, Message>) {
        if turn != Turn::Ready {
            self.attempt_failed(broker, ctx);
        }
        self.send_batch(broker, ctx);
        self.drain(broker, ctx);
    }
}
