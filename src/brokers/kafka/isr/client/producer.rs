//! The Java producer as its application sees it: `send()`, what blocks it, and what it is told
//! (KafkaProducer.java). What goes on behind is in `sender.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Stream, Time};
use crate::observe::{MessageRange, NodeId, Observer, Outcome};
use crate::workload::{Pacer, Sizes, Turn};
use crate::world::{Context, Input, Lane, Signal, TimerId};

use super::super::config::Config;
use super::super::message::{Message, Timer};
use super::super::rules::Rule;
use super::accumulator::{Accumulator, Expiry, Limits, ProducerBatch};
use super::network::{Network, NetworkConfig, NetworkEvent};
use super::partitioner::Partitioner;
use super::settings::{ProducerSettings, RecordFormat};

/// An application does not wake more often than this: what is due meanwhile it sends at once. Loads
/// below 10,000 messages a second are not touched by it. (ThroughputThrottler.java of Kafka's own
/// load generator sleeps 2 ms at least.)
const NAP: Span = Span::from_micros(100);

/// Later than any run ends.
const NEVER: Span = Span::from_secs(36_000_000);

/// What a producer does, and to whom.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// The run's configuration.
    pub config: Arc<Config>,
    /// Its place among the scenario's producers ([`Streams`](crate::brokers::kafka::Streams)).
    pub writer: u32,
    /// `bootstrap.servers`.
    pub connect: Vec<NodeId>,
    /// When it means to send.
    pub pacer: Pacer,
    /// Streams for its pace and its sizes.
    pub streams: (Stream, Stream),
    /// How large its messages are.
    pub sizes: Sizes,
    /// Its configuration.
    pub settings: ProducerSettings,
}

/// A call of `send()` that has not come back.
#[derive(Clone, Copy, Debug)]
struct Blocked {
    since: Time,
    intended: Time,
    /// Its partition and itself, once metadata is there; it then waits for memory.
    message: Option<(u32, MessageRange)>,
}

/// The Java producer.
#[derive(Clone, Debug)]
pub struct Producer {
    pub(super) config: ProducerConfig,
    pub(super) network: Network,
    pub(super) accumulator: Accumulator,
    partitioner: Partitioner,
    /// The partitions of its topic follow this one.
    pub(super) first: PartitionId,
    /// The next sequence number of each stream.
    next: Vec<u32>,
    pub(super) under_way: Vec<VecDeque<super::sender::UnderWay>>,
    /// Where in the partitions of a broker the next request begins.
    pub(super) drain_from: Vec<u32>,
    blocked: Option<Blocked>,
    /// What the application sends again.
    again: VecDeque<(u32, MessageRange)>,
    /// When the application goes on.
    wake: Option<(Time, TimerId)>,
    /// When it did last.
    woken: Time,
    /// When the sender looks again.
    pub(super) look: Option<(Time, TimerId)>,
    load_ended: bool,
    /// `close()` was called.
    pub(super) closing: bool,
}

impl Producer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(mut config: ProducerConfig) -> Producer {
        if !config.config.has(Rule::DeliveryTimeout) {
            config.settings.delivery_timeout = None;
        }
        let (run, settings) = (&config.config, &config.settings);
        let partitions = run.streams.of_topic(run.streams.topic_of(config.writer));
        let count = partitions.len();
        let first = run.streams.partition(run.streams.topic_of(config.writer), 0);
        let timeouts = run.has(Rule::ClientTimeouts);
        let request_timeout = if timeouts { settings.request_timeout } else { NEVER };
        let backoff_max = match run.has(Rule::BackOffExponentially) {
            true => settings.backoff_max,
            false => settings.backoff,
        };
        let limits = Limits {
            batch_size: settings.batch_size,
            memory: settings.buffer_memory,
            linger: settings.linger,
            backoff: settings.backoff,
            backoff_max,
            expiry: match settings.delivery_timeout {
                Some(limit) => Expiry::Delivery(limit),
                None if timeouts => Expiry::Waiting(settings.request_timeout),
                None => Expiry::Never,
            },
            format: RecordFormat::of(run),
            one_at_a_time: settings.max_in_flight == 1,
        };
        let network = NetworkConfig::new(
            run,
            config.connect.clone(),
            settings.max_in_flight,
            request_timeout,
            (settings.backoff, settings.metadata_max_age),
        );
        Producer {
            network: Network::new(network),
            accumulator: Accumulator::new(limits, count),
            partitioner: Partitioner::new(run, count as u32, settings.keys, settings.batch_size),
            first,
            next: vec![0; count],
            under_way: vec![VecDeque::new(); run.brokers as usize],
            drain_from: vec![0; run.brokers as usize],
            blocked: None,
            again: VecDeque::new(),
            wake: None,
            woken: Time::ZERO,
            look: None,
            load_ended: false,
            closing: false,
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                self.partitioner.restart(ctx.random());
                self.network.poll(ctx);
                self.pump(ctx);
            }
            Input::Signal(Signal::LoadEnded) => self.end_load(ctx),
            Input::Signal(Signal::Stop) => {
                self.closing = true;
                self.run_sender(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Load) } => {
                self.wake = None;
                self.woken = ctx.now();
                self.pump(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Sender) } => {
                self.look = None;
                self.pump(ctx);
            }
            input => self.hear(input, ctx),
        }
        if self.closing && self.is_done() {
            ctx.exit();
        }
    }

    fn hear(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self.network.handle(input, ctx) {
            NetworkEvent::Nothing | NetworkEvent::Other(_) => return,
            NetworkEvent::Ready => {}
            NetworkEvent::Metadata => {
                let (metadata, first) = (self.network.metadata(), self.first);
                self.partitioner
                    .learn(|index| metadata.leader(PartitionId(first.0 + index)).is_some());
            }
            NetworkEvent::Answer { node, id, body } => self.answered(ctx, node, id, *body),
            NetworkEvent::Lost { node, ids } => self.lost(ctx, node, &ids),
        }
        self.pump(ctx);
    }

    /// The application sends what is due, as far as it can: a batch's worth at a time, so that
    /// answers are not kept waiting.
    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        let (mut sent, mut bytes) = (0u64, 0u64);
        let enough = u64::from(self.config.settings.batch_size).max(1);
        while bytes < enough && self.unblock(ctx) {
            if let Some((index, range)) = self.again.front().copied() {
                if !self.accumulator.append(ctx.now(), index, range) {
                    break;
                }
                self.again.pop_front();
                sent += u64::from(range.count);
                bytes += u64::from(range.bytes) * u64::from(range.count);
                continue;
            }
            if self.load_ended || self.closing {
                break;
            }
            let now = ctx.now();
            match self.config.pacer.turn(now, &mut self.config.streams.0) {
                Turn::Send { intended } => {
                    self.blocked = Some(Blocked { since: now, intended, message: None });
                    sent += 1;
                    bytes += self.config.sizes.mean().max(1);
                }
                Turn::Skip { intended } => self.skip(ctx, intended),
                Turn::Wait { until } => {
                    self.wake_at(ctx, until.max(self.woken + NAP));
                    break;
                }
                Turn::InFlight | Turn::Done => break,
            }
        }
        // The last one of a batch's worth is still to be put into its batch.
        let free = self.unblock(ctx);
        ctx.spend(self.config.config.costs.send * sent);
        self.run_sender(ctx);
        if free && bytes >= enough {
            let now = ctx.now();
            self.wake_at(ctx, now);
        }
    }

    /// Goes on with the call of `send()` that has not come back. Whether there is none any more.
    fn unblock(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        let Some(mut call) = self.blocked else { return true };
        if self.network.metadata().view().is_some() || call.message.is_some() {
            let message = call.message.unwrap_or_else(|| self.attempt(ctx, call.intended));
            call.message = Some(message);
            if self.put(ctx, message) {
                self.blocked = None;
                return true;
            }
        }
        let until = call.since + self.config.settings.max_block;
        if until > ctx.now() {
            self.blocked = Some(call);
            self.wake_at(ctx, until);
            return false;
        }
        // TimeoutException or BufferExhaustedException: it never left.
        self.blocked = None;
        let (index, message) = call.message.unwrap_or_else(|| self.attempt(ctx, call.intended));
        self.failed(ctx, index, message, Outcome::Unsent);
        true
    }

    /// Puts a message into its batch; `false` if there is no memory. One that is too large fails.
    fn put(
        &mut self,
        ctx: &mut Context<'_, Message>,
        (index, message): (u32, MessageRange),
    ) -> bool {
        if self.accumulator.is_too_large(message.bytes, self.config.settings.max_request) {
            // RecordTooLargeException; it would be as large another time.
            let now = ctx.now();
            ctx.observer().outcome(now, message, Outcome::Rejected);
            self.config.pacer.settled(now);
            return true;
        }
        if !self.accumulator.append(ctx.now(), index, message) {
            return false;
        }
        let (accumulator, size) = (&self.accumulator, self.accumulator.size(message.bytes));
        let waiting = |index| accumulator.waiting(index);
        self.partitioner.appended(size, accumulator.is_full(index), waiting, ctx.random());
        true
    }

    /// A message is to be sent: its partition and its place there.
    fn attempt(&mut self, ctx: &mut Context<'_, Message>, intended: Time) -> (u32, MessageRange) {
        let bytes = self.config.sizes.next(&mut self.config.streams.1);
        let mut index = self.partitioner.pick(ctx.random());
        if self.partitioner.moves_on_new_batch()
            && self.accumulator.begins_batch(index, self.next[index as usize], bytes)
        {
            index = self.partitioner.next(index, ctx.random());
        }
        let first = self.next[index as usize];
        self.next[index as usize] += 1;
        let (run, writer) = (&self.config.config, self.config.writer);
        let producer = run.streams.stream(writer, PartitionId(self.first.0 + index));
        let message = MessageRange { producer, first, count: 1, bytes };
        let now = ctx.now();
        ctx.observer().attempted(now, intended, message);
        (index, message)
    }

    fn skip(&mut self, ctx: &mut Context<'_, Message>, intended: Time) {
        let (_, message) = self.attempt(ctx, intended);
        let now = ctx.now();
        ctx.observer().outcome(now, message, Outcome::Unsent);
    }

    /// Messages have failed for good, as the client sees it; the application may send them again.
    /// They stay with their partition then: a batch has messages of one stream.
    pub(super) fn failed(
        &mut self,
        ctx: &mut Context<'_, Message>,
        index: u32,
        messages: MessageRange,
        outcome: Outcome,
    ) {
        let now = ctx.now();
        if self.config.settings.resend {
            // What was refused this time may be stored the next: no proof remains.
            let outcome = if outcome == Outcome::Rejected { Outcome::Nacked } else { outcome };
            ctx.observer().outcome(now, messages, outcome);
            self.again.push_back((index, messages));
            return;
        }
        ctx.observer().outcome(now, messages, outcome);
        self.settled(now, messages.count);
    }

    pub(super) fn settled(&mut self, now: Time, count: u32) {
        for _ in 0..count {
            self.config.pacer.settled(now);
        }
    }

    /// Whether somebody waits for memory.
    pub(super) fn is_exhausted(&self) -> bool {
        self.blocked.is_some_and(|call| call.message.is_some())
    }

    fn wake_at(&mut self, ctx: &mut Context<'_, Message>, until: Time) {
        match self.wake {
            Some((wake, _)) if wake <= until => return,
            Some((_, later)) => ctx.cancel(later),
            None => {}
        }
        let delay = until.since(ctx.now());
        let timer = ctx.after(delay, Lane::MAIN, Message::Timer(Timer::Load));
        self.wake = Some((until, timer));
    }

    /// The measured time is over: what was meant to be sent by now and was not never is.
    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        self.load_ended = true;
        while let Some(intended) = self.config.pacer.overdue(now, &mut self.config.streams.0) {
            self.skip(ctx, intended);
        }
        self.pump(ctx);
    }

    /// The process has died, and what it held with it.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        let under_way = self.under_way.iter_mut().flat_map(|requests| requests.drain(..));
        let mut held: Vec<ProducerBatch> =
            under_way.flat_map(|request| request.batches).map(|(_, batch)| batch).collect();
        held.retain(|batch| !batch.done);
        held.extend(self.accumulator.clear());
        for batch in held {
            let outcome = if batch.sent { Outcome::Unknown } else { Outcome::Unsent };
            observer.outcome(at, batch.messages(), outcome);
            self.settled(at, batch.count());
        }
        let blocked = self.blocked.take();
        if let Some((_, message)) = blocked.and_then(|call| call.message) {
            observer.outcome(at, message, Outcome::Unsent);
        }
        // Of what was to be sent again it was told already.
        let again: u32 = self.again.drain(..).map(|(_, messages)| messages.count).sum();
        self.settled(at, again + u32::from(blocked.is_some()));
        (self.wake, self.look) = (None, None);
        self.closing = false;
        self.network.forget();
    }

    fn is_done(&self) -> bool {
        self.accumulator.is_empty()
            && self.blocked.is_none()
            && self.again.is_empty()
            && self.under_way.iter().all(VecDeque::is_empty)
    }

    /// Whether it has nothing left to do.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.load_ended && self.is_done()
    }

    /// The same, if nothing will ever come of some partitions.
    pub fn is_settled_but_for(&self, gone: impl Fn(PartitionId) -> bool) -> bool {
        let waits = self.accumulator.active().map(|index| PartitionId(self.first.0 + index));
        let idle = self.blocked.is_none() && self.again.is_empty();
        let quiet = self.under_way.iter().all(VecDeque::is_empty);
        self.load_ended && idle && quiet && waits.into_iter().all(gone)
    }
}
