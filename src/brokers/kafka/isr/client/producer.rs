//! The Java producer as its application sees it: `send()`, what blocks it, and what it is told
//! (KafkaProducer.java). What goes on behind is in `sender.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::application::{Due, Sending};
use crate::engine::{Span, Time};
use crate::observe::{BecauseId, CauseId, MessageRange, NodeId, Observer, Outcome, Removal};
use crate::world::{Alarm, By, Context, Input, Lane, Signal, Wait};

use super::super::config::Config;
use super::super::message::{Message, Response, Timer};
use super::super::rules::Rule;
use super::super::words::cause;
use super::accumulator::{Accumulator, Expiry, Limits, ProducerBatch};
use super::idempotence::Idempotence;
use super::network::{Network, NetworkConfig, NetworkEvent};
use super::partitioner::Partitioner;
use super::settings::{Client, ProducerSettings, RecordFormat};

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
    /// When it means to send, and how much.
    pub sending: Sending,
    /// Its configuration.
    pub settings: ProducerSettings,
}

/// A call of `send()` that has not come back.
#[derive(Clone, Copy, Debug)]
struct Blocked {
    intended: Time,
    waits: Waits,
}

/// What a call of `send()` waits for, until `max.block.ms` are over. How long it has waited for
/// metadata it reads off the wall clock (ProducerMetadata.java, `awaitUpdate`), for memory off the
/// monotonic one (BufferPool.java, `allocate`).
#[derive(Clone, Copy, Debug)]
enum Waits {
    Metadata {
        until: Time,
    },
    /// Of its partition.
    Memory {
        until: Time,
        index: u32,
        message: MessageRange,
    },
}

/// The Java producer.
#[derive(Clone, Debug)]
pub struct Producer {
    pub(super) config: ProducerConfig,
    pub(super) network: Network,
    pub(super) accumulator: Accumulator,
    /// What it keeps if it is idempotent.
    pub(super) idempotence: Option<Idempotence>,
    partitioner: Partitioner,
    /// The partitions of its topic follow this one.
    pub(super) first: PartitionId,
    pub(super) under_way: Vec<VecDeque<super::sender::UnderWay>>,
    /// Where in the partitions of a broker the next request begins.
    pub(super) drain_from: Vec<u32>,
    blocked: Option<Blocked>,
    /// What the application sends again.
    again: VecDeque<(u32, MessageRange)>,
    /// `max.block.ms` are over, for who waits for metadata and for memory.
    no_metadata: Alarm,
    no_memory: Alarm,
    /// The sender looks again (Sender.java goes by `time.milliseconds()`).
    pub(super) look: Alarm,
    /// `close()` was called.
    pub(super) closing: bool,
    /// Its host.
    pub(super) node: NodeId,
}

impl Producer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(mut config: ProducerConfig) -> Producer {
        if config.settings.client == Client::Java && !config.config.has(Rule::DeliveryTimeout) {
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
            queue: settings.queue,
        };
        let network = NetworkConfig::new(
            run,
            config.connect.clone(),
            settings.max_in_flight,
            request_timeout,
            (settings.backoff, settings.metadata_max_age),
        );
        let bumps = run.has(Rule::BumpProducerEpoch);
        let idempotence = settings.idempotence.then(|| Idempotence::new(count, bumps));
        Producer {
            idempotence,
            network: Network::new(network),
            accumulator: Accumulator::new(limits, count),
            partitioner: Partitioner::new(run, count as u32, settings.keys, settings.batch_size),
            first,
            under_way: vec![VecDeque::new(); run.brokers as usize],
            drain_from: vec![0; run.brokers as usize],
            blocked: None,
            again: VecDeque::new(),
            no_metadata: Alarm::new(By::Wall),
            no_memory: Alarm::new(By::Monotonic),
            look: Alarm::new(By::Wall),
            closing: false,
            node: NodeId(0),
            config: ProducerConfig { sending: config.sending.napping(NAP), ..config },
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                self.node = ctx.node();
                ctx.ready();
                self.partitioner.restart(ctx.random());
                self.network.poll(ctx);
                self.pump(ctx);
            }
            Input::Signal(Signal::LoadEnded) => self.end_load(ctx),
            // What the client holds dies with the process.
            Input::Signal(Signal::Stop) if !self.config.settings.flush => return ctx.exit(),
            Input::Signal(Signal::Stop) => {
                self.closing = true;
                self.run_sender(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Load) } => {
                self.config.sending.woken(ctx);
                self.no_metadata.rang(ctx);
                self.no_memory.rang(ctx);
                self.pump(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Sender) } => {
                self.look.rang(ctx);
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
            NetworkEvent::Answer { node, id, body } => match *body {
                Response::InitProducerId(error, own) => self.named(ctx, (node, id), error, own),
                body => self.answered(ctx, node, id, body),
            },
            NetworkEvent::Lost { node, ids } => {
                self.name_lost(ctx, node, &ids);
                self.lost(ctx, node, &ids);
            }
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
                if !self.accumulator.append(ctx.clock(), index, range) {
                    break;
                }
                self.again.pop_front();
                sent += u64::from(range.count);
                bytes += u64::from(range.bytes) * u64::from(range.count);
                continue;
            }
            if self.closing {
                break;
            }
            match self.config.sending.due(Message::Timer(Timer::Load), ctx) {
                Due::Send { intended } => {
                    // librdkafka's produce() puts messages into its queue before it knows a broker.
                    let until = match self.config.settings.client {
                        Client::Librdkafka => Time::MAX,
                        _ => ctx.clock() + self.config.settings.max_block,
                    };
                    self.blocked = Some(Blocked { intended, waits: Waits::Metadata { until } });
                    sent += 1;
                    bytes += self.config.sending.mean_size().max(1);
                }
                Due::Skip { intended } => self.skip(ctx, intended),
                Due::Nothing => break,
            }
        }
        // The last one of a batch's worth is still to be put into its batch.
        let free = self.unblock(ctx);
        ctx.spend(self.config.config.costs.send * sent);
        self.run_sender(ctx);
        if free && bytes >= enough {
            self.config.sending.go_on(Message::Timer(Timer::Load), ctx);
        }
    }

    /// Goes on with the call of `send()` that has not come back. Whether there is none any more.
    fn unblock(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        let Some(Blocked { intended, mut waits }) = self.blocked.take() else { return true };
        if let Waits::Metadata { until } = waits
            && self.network.metadata().view().is_some()
        {
            let until = match self.config.settings.client {
                Client::Librdkafka => ctx.monotonic(),
                _ => ctx.monotonic() + until.since(ctx.clock()),
            };
            let (index, message) = self.attempt(ctx, intended);
            waits = Waits::Memory { until, index, message };
        }
        let (until, alarm) = match waits {
            Waits::Memory { index, message, .. } if self.put(ctx, (index, message)) => return true,
            Waits::Memory { until, .. } => (until, &mut self.no_memory),
            Waits::Metadata { until } => (until, &mut self.no_metadata),
        };
        if until > alarm.now(ctx) {
            alarm.wake(until, Lane::MAIN, Message::Timer(Timer::Load), ctx);
            self.blocked = Some(Blocked { intended, waits });
            return false;
        }
        // TimeoutException or BufferExhaustedException: it never left.
        let (index, message) = match waits {
            Waits::Memory { index, message, .. } => (index, message),
            Waits::Metadata { .. } => self.attempt(ctx, intended),
        };
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
            self.settled(ctx, 1);
            return true;
        }
        if !self.accumulator.append(ctx.clock(), index, message) {
            return false;
        }
        let (accumulator, size) = (&self.accumulator, self.accumulator.size(message.bytes));
        let waiting = |index| accumulator.waiting(index);
        self.partitioner.appended(size, accumulator.is_full(index), waiting, ctx.random());
        if !self.config.settings.reports {
            // The application goes on as if it were sent.
            let now = ctx.now();
            ctx.observer().outcome(now, message, Outcome::Accepted);
            self.settled(ctx, 1);
        }
        true
    }

    /// A message is to be sent: its partition and its place there.
    fn attempt(&mut self, ctx: &mut Context<'_, Message>, intended: Time) -> (u32, MessageRange) {
        let bytes = self.config.sending.size();
        let mut index = self.partitioner.pick(ctx.random());
        if self.partitioner.moves_on_new_batch()
            && let next = self.config.sending.next_number(index as usize)
            && self.accumulator.begins_batch(index, next, bytes)
        {
            index = self.partitioner.next(index, ctx.random());
        }
        let now = ctx.now();
        (index, self.number(now, intended, index, bytes, ctx.observer()))
    }

    /// A message for a partition, of which the observer is told.
    fn number(
        &mut self,
        at: Time,
        intended: Time,
        index: u32,
        bytes: u32,
        observer: &mut dyn Observer,
    ) -> MessageRange {
        let partition = PartitionId(self.first.0 + index);
        let stream = self.config.config.streams.stream(self.config.writer, partition);
        self.config.sending.attempt(at, intended, (index as usize, stream), bytes, observer)
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
        if !self.config.settings.reports {
            return self.unreported(messages, cause::REPORT_IGNORED, now, ctx.observer());
        }
        if self.config.settings.resend {
            // What was refused this time may be stored the next: no proof remains.
            let outcome = if outcome == Outcome::Rejected { Outcome::Nacked } else { outcome };
            ctx.observer().outcome(now, messages, outcome);
            self.again.push_back((index, messages));
            return;
        }
        ctx.observer().outcome(now, messages, outcome);
        self.settled(ctx, messages.count);
    }

    /// A batch is lost whose application took it for sent.
    pub(super) fn unreported(
        &self,
        messages: MessageRange,
        cause: CauseId,
        at: Time,
        observer: &mut dyn Observer,
    ) {
        let removal = Removal { cause, because: BecauseId::NONE };
        observer.dropped(at, self.node, None, messages, removal);
    }

    pub(super) fn settled(&mut self, ctx: &Context<'_, Message>, count: u32) {
        self.config.sending.settled(count, ctx);
    }

    /// Whether somebody waits for memory.
    pub(super) fn is_exhausted(&self) -> bool {
        self.blocked.is_some_and(|call| matches!(call.waits, Waits::Memory { .. }))
    }

    /// The measured time is over: what was meant to be sent by now and was not never is.
    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        self.config.sending.end();
        while let Some(intended) = self.config.sending.overdue(ctx.now()) {
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
            if !self.config.settings.reports {
                self.unreported(batch.messages(), cause::PRODUCER_BUFFER_LOST, at, observer);
                continue;
            }
            let outcome = if batch.sent { Outcome::Unknown } else { Outcome::Unsent };
            observer.outcome(at, batch.messages(), outcome);
        }
        if let Some(Blocked { intended, waits }) = self.blocked.take() {
            let message = match waits {
                Waits::Memory { message, .. } => message,
                Waits::Metadata { .. } => {
                    let bytes = self.config.sending.size();
                    self.number(at, intended, 0, bytes, observer)
                }
            };
            observer.outcome(at, message, Outcome::Unsent);
        }
        // Of what was to be sent again it was told already.
        self.again.clear();
        self.config.sending.died(at);
        for alarm in [&mut self.no_metadata, &mut self.no_memory, &mut self.look] {
            alarm.forget();
        }
        self.closing = false;
        if let Some(idempotence) = &mut self.idempotence {
            idempotence.forget();
        }
        self.network.forget();
    }

    fn is_done(&self) -> bool {
        self.accumulator.is_empty()
            && self.blocked.is_none()
            && self.again.is_empty()
            && self.under_way.iter().all(VecDeque::is_empty)
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

    /// The same, if nothing will ever come of some partitions.
    pub fn is_settled_but_for(&self, gone: impl Fn(PartitionId) -> bool) -> bool {
        let waits = self.accumulator.active().map(|index| PartitionId(self.first.0 + index));
        let idle = self.blocked.is_none() && self.again.is_empty();
        let quiet = self.under_way.iter().all(VecDeque::is_empty);
        self.config.sending.has_ended() && idle && quiet && waits.into_iter().all(gone)
    }
}
