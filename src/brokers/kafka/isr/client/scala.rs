//! The Scala producer of 0.8 (kafka.producer.Producer): in `sync` mode every `send()` is one
//! request and blocks until that is through; in `async` mode messages wait in a queue, and a thread
//! of its own sends them in batches and logs what fails. What it does with a list of messages is in
//! `handler.rs`.

use std::collections::VecDeque;

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::application::Due;
use crate::engine::Time;
use crate::observe::{BecauseId, CauseId, NodeId, Observer, Outcome, Removal};
use crate::world::{Alarm, By, Context, Input, Lane, Signal, Wait};

use super::super::message::{Acks, Message, Timer};
use super::super::words::cause;
use super::handler::{Handler, Item, Verdict};
use super::producer::ProducerConfig;
use super::settings::ScalaSettings;

/// Messages that go together through one input at most, so that others have their turn.
const RUN: u32 = 64;

/// The Scala producer.
#[derive(Clone, Debug)]
pub struct ScalaProducer {
    config: ProducerConfig,
    scala: ScalaSettings,
    handler: Handler,
    /// Its host, once it has booted.
    node: NodeId,
    first: PartitionId,
    partitions: u32,
    /// Messages so far: each takes the next key.
    number: u64,
    /// The messages of the asynchronous queue.
    queue: VecDeque<Item>,
    queued: usize,
    /// When a batch was last handled, or the queue last looked at in vain, by the wall clock
    /// (ProducerSendThread.scala, `SystemTime.milliseconds`).
    last_send: Time,
    /// A message that waits for room in the queue, and until when, by the monotonic clock
    /// (`LinkedBlockingQueue.offer`).
    blocked: Option<(Time, Item)>,
    /// What a synchronous application sends again.
    again: VecDeque<Item>,
    queue_full: Alarm,
    look: Alarm,
    closing: bool,
}

impl ScalaProducer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(config: ProducerConfig, scala: ScalaSettings) -> ScalaProducer {
        let topic = config.config.streams.topic_of(config.writer);
        let partitions = config.config.streams.of_topic(topic).len() as u32;
        let first = config.config.streams.partition(topic, 0);
        let connect = config.connect.clone();
        ScalaProducer {
            handler: Handler::new(
                &config.config,
                connect,
                (first, partitions),
                &config.settings,
                scala.refresh,
            ),
            node: NodeId(u32::MAX),
            first,
            partitions,
            number: 0,
            queue: VecDeque::new(),
            queued: 0,
            last_send: Time::ZERO,
            blocked: None,
            again: VecDeque::new(),
            queue_full: Alarm::new(By::Monotonic),
            look: Alarm::new(By::Wall),
            closing: false,
            config,
            scala,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                self.node = ctx.node();
                self.last_send = ctx.clock();
                self.pump(ctx);
            }
            Input::Signal(Signal::LoadEnded) => self.end_load(ctx),
            Input::Signal(Signal::Stop) => {
                self.closing = true;
                self.pump(ctx);
            }
            Input::Signal(Signal::NodeResumed) => {}
            Input::Local { body: Message::Timer(Timer::Load) } => {
                self.config.sending.woken(ctx);
                self.queue_full.rang(ctx);
                self.pump(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Sender) } => {
                self.look.rang(ctx);
                self.pump(ctx);
            }
            input => {
                self.handler.handle(input, ctx);
                self.pump(ctx);
            }
        }
        if self.closing && self.is_done() {
            ctx.exit();
        }
    }

    /// Goes on as far as it can.
    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        for _ in 0..RUN {
            self.settle(ctx);
            let went = if self.scala.queued {
                // Both threads: the application's and the sending one.
                let took = self.enqueue(ctx);
                self.dequeue(ctx) || took
            } else {
                self.send(ctx)
            };
            if !went {
                return;
            }
        }
        self.config.sending.go_on(Message::Timer(Timer::Load), ctx);
    }

    /// Takes what the handler is through with.
    fn settle(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some((item, verdict)) = self.handler.done() {
            let now = ctx.now();
            if self.scala.queued {
                if verdict != Verdict::Sent {
                    let removal = removal(cause::BATCH_DROPPED);
                    ctx.observer().dropped(now, self.node, None, item.messages, removal);
                }
                continue;
            }
            let outcome = match verdict {
                Verdict::Sent if self.config.settings.acks == Acks::None => Outcome::Accepted,
                Verdict::Sent => Outcome::Acked,
                Verdict::Refused => Outcome::Rejected,
                Verdict::NeverLeft => Outcome::Unsent,
                Verdict::Unknown => Outcome::Unknown,
            };
            if verdict != Verdict::Sent && self.config.settings.resend {
                // What was refused this time may be stored the next: no proof remains.
                let outcome = if verdict == Verdict::Refused { Outcome::Nacked } else { outcome };
                ctx.observer().outcome(now, item.messages, outcome);
                self.again.push_back(item);
                continue;
            }
            ctx.observer().outcome(now, item.messages, outcome);
            self.config.sending.settled(1, ctx);
        }
    }

    /// The synchronous application: one message at a time. Whether it went on.
    fn send(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        if self.handler.is_busy() {
            return false;
        }
        if let Some(item) = self.again.pop_front() {
            self.handler.begin(ctx, vec![item]);
            return true;
        }
        // With a refresh that is due the partition is known only after it.
        if self.closing {
            return false;
        }
        if !self.handler.is_fresh(ctx) {
            return self.wait_or_refresh(ctx);
        }
        let Some(item) = self.turn(ctx) else { return false };
        ctx.spend(self.config.config.costs.send);
        self.handler.begin(ctx, vec![item]);
        true
    }

    /// Nothing is known yet: that is found out when a message is due.
    fn wait_or_refresh(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        if !self.config.sending.is_due(Message::Timer(Timer::Load), ctx) {
            return false;
        }
        if !self.handler.gave_up_refresh() {
            self.handler.refresh(ctx);
        } else if let Some(item) = self.turn(ctx) {
            self.handler.begin(ctx, vec![item]);
        }
        true
    }

    /// The next message of the load, if one is due.
    fn turn(&mut self, ctx: &mut Context<'_, Message>) -> Option<Item> {
        loop {
            match self.config.sending.due(Message::Timer(Timer::Load), ctx) {
                Due::Send { intended } => return Some(self.attempt(ctx, intended)),
                Due::Skip { intended } => self.skip(ctx, intended),
                Due::Nothing => return None,
            }
        }
    }

    /// The application puts a message into the queue. Whether it did.
    fn enqueue(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        let (until, item) = match self.blocked.take() {
            Some(blocked) => blocked,
            None if self.closing => return false,
            None => match self.turn(ctx) {
                Some(item) => {
                    let timeout = self.scala.enqueue_timeout;
                    (timeout.map_or(Time::MAX, |limit| ctx.monotonic() + limit), item)
                }
                None => return false,
            },
        };
        // ProducerSendThread.scala takes up to a batch off the queue before it is handled.
        let collected = if self.handler.is_busy() { 0 } else { self.scala.batch_messages };
        if self.queued < self.scala.queue + collected.saturating_sub(1) {
            ctx.spend(self.config.config.costs.send);
            let now = ctx.now();
            ctx.observer().outcome(now, item.messages, Outcome::Accepted);
            self.config.sending.settled(1, ctx);
            self.queued += 1;
            match self.queue.back_mut() {
                Some(last) if last.joins(&item) => last.messages.count += 1,
                _ => self.queue.push_back(item),
            }
            return true;
        }
        if until <= ctx.monotonic() {
            // QueueFullException.
            let now = ctx.now();
            ctx.observer().outcome(now, item.messages, Outcome::Unsent);
            self.config.sending.settled(1, ctx);
            return true;
        }
        self.blocked = Some((until, item));
        self.queue_full.wake(until, Lane::MAIN, Message::Timer(Timer::Load), ctx);
        false
    }

    /// The sending thread takes a batch, if one is full or the time is over. Whether it did.
    fn dequeue(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        if self.handler.is_busy() {
            return false;
        }
        let now = ctx.clock();
        let due = self.last_send + self.scala.buffering;
        let most = self.scala.batch_messages;
        if self.queued < most && due > now && !self.closing {
            if self.queued > 0 || self.blocked.is_some() {
                self.look.wake(due, Lane::MAIN, Message::Timer(Timer::Sender), ctx);
            }
            return false;
        }
        self.last_send = now;
        let mut batch: Vec<Item> = Vec::new();
        let mut room = most as u32;
        while room > 0
            && let Some(item) = self.queue.pop_front()
        {
            let (taken, rest) = item.split(room);
            room -= taken.messages.count;
            self.queued -= taken.messages.count as usize;
            batch.push(taken);
            if let Some(rest) = rest {
                self.queue.push_front(rest);
            }
        }
        if batch.is_empty() {
            return false;
        }
        self.handler.begin(ctx, batch);
        true
    }

    /// A message is to be sent: its partition, as it would be chosen now, and its place there.
    fn attempt(&mut self, ctx: &mut Context<'_, Message>, intended: Time) -> Item {
        let bytes = self.config.sending.size();
        let number = self.number;
        self.number += 1;
        let key = self.config.settings.keys.map(|keys| {
            let hash = crate::engine::hash_words(&[number % u64::from(keys)]);
            (hash % u64::from(self.partitions)) as u32
        });
        let index = match key {
            Some(index) => index,
            None => self.handler.pick(ctx),
        };
        let partition = PartitionId(self.first.0 + index);
        let producer = self.config.config.streams.stream(self.config.writer, partition);
        let (now, stream) = (ctx.now(), (index as usize, producer));
        let messages = self.config.sending.attempt(now, intended, stream, bytes, ctx.observer());
        Item { messages, key, sent: false, doubt: false }
    }

    fn skip(&mut self, ctx: &mut Context<'_, Message>, intended: Time) {
        let item = self.attempt(ctx, intended);
        let now = ctx.now();
        ctx.observer().outcome(now, item.messages, Outcome::Unsent);
    }

    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        self.config.sending.end();
        while let Some(intended) = self.config.sending.overdue(ctx.now()) {
            self.skip(ctx, intended);
        }
        self.pump(ctx);
    }

    /// The process has died, and what it held with it.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        let held = self.handler.died();
        if self.scala.queued {
            let removal = removal(cause::PRODUCER_BUFFER_LOST);
            for item in held.into_iter().chain(self.queue.drain(..)) {
                observer.dropped(at, self.node, None, item.messages, removal);
            }
        } else {
            for item in held {
                let outcome = if item.sent { Outcome::Unknown } else { Outcome::Unsent };
                observer.outcome(at, item.messages, outcome);
            }
        }
        // Of what was to be sent again it was told already.
        self.again.clear();
        if let Some((_, item)) = self.blocked.take() {
            observer.outcome(at, item.messages, Outcome::Unsent);
        }
        self.config.sending.died(at);
        self.queued = 0;
        self.queue_full.forget();
        self.look.forget();
        self.closing = false;
    }

    fn is_done(&self) -> bool {
        !self.handler.is_busy()
            && self.queue.is_empty()
            && self.again.is_empty()
            && self.blocked.is_none()
    }

    /// What it waits for; `None` if it has nothing left to do.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        if !self.config.sending.has_ended() {
            return Some("the end of the load".into());
        }
        (!self.is_done()).then(|| "answers to what it has sent or is to send".into())
    }

    /// Whether it has nothing left to do.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waits_for().is_none()
    }
}

const fn removal(cause: CauseId) -> Removal {
    Removal { cause, because: BecauseId::NONE }
}
