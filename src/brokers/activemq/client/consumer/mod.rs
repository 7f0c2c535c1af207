//! A consumer: one session (`ActiveMQMessageConsumer`), which is sent messages ahead, gives them to its
//! application one at a time, and acknowledges them by its mode. Auditors are consumers that begin
//! when the load ends.

mod acks;
mod audit;
mod redelivery;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kit::application::{Hours, Reading};
use crate::brokers::kit::touched::Touched;
use crate::engine::{Distribution, Span, Time};
use crate::observe::{ConsumerId, DestinationId, NodeId, Observer};
use crate::world::{Alarm, By, ConnId, Context, Input, Signal, Wait};

use super::super::config::Config;
use super::super::invariants::Touch;
use super::super::message::{COMMAND, Jms, Message, MessageId, QueueId, Timer};
use super::super::rules::Rule;
use super::transport::{Event, Transport, TransportConfig};

use acks::Ledger;
use audit::Audit;

/// The session's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// AUTO, and on a queue DUPS_OK: one by one.
    Auto,
    /// AUTO with optimizeAcknowledge: together, after so long at the latest.
    Optimized(Span),
    /// CLIENT: all so far, after so many.
    Client(u32),
    /// INDIVIDUAL.
    Individual,
    /// SESSION_TRANSACTED: a commit after so many.
    Transacted(u32),
}

/// What a consumer does.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Which one it is.
    pub id: ConsumerId,
    /// What it reads.
    pub queue: QueueId,
    /// How it connects.
    pub transport: TransportConfig,
    /// Its mode.
    pub acknowledge: Acknowledge,
    /// Whether its application calls receive().
    pub receive: bool,
    /// `queuePrefetch`.
    pub prefetch: u32,
    /// `checkForDuplicates`.
    pub audited: bool,
    /// `maximumRedeliveries`.
    pub max_redeliveries: u32,
    /// `redeliveryDelay`.
    pub redelivery_delay: Span,
    /// The message of each producer with which its application fails.
    pub poison: Option<u32>,
    /// How long its application works on a message.
    pub processing: Distribution,
    /// From when to when it reads.
    pub hours: Hours,
}

/// A message at a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Delivery {
    message: Jms,
    /// How often it had been delivered before.
    redeliveries: u32,
    /// On which connection it came; after that it cannot be acknowledged.
    session: u32,
}

impl Delivery {
    const fn id(&self) -> MessageId {
        self.message.id()
    }
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: Arc<Config>,
    own: ConsumerConfig,
    transport: Transport,
    /// Counts connections.
    session: u32,
    /// What it has ahead of its application (`unconsumedMessages`).
    buffer: VecDeque<Delivery>,
    application: Reading<Delivery>,
    ledger: Ledger,
    audit: Audit,
    /// Nothing is delivered before a message that was put back may be tried again.
    waiting: Option<u32>,
    waits: u32,
    /// The last message that its application has had on this connection.
    seen: Option<MessageId>,
    ack_alarm: Alarm,
    leaving: bool,
    /// What the invariants have to look at.
    pub(in super::super) touched: Touched<Touch>,
}

impl Consumer {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, own: ConsumerConfig) -> Consumer {
        Consumer {
            transport: Transport::new(own.transport.clone()),
            session: 0,
            buffer: VecDeque::new(),
            application: Reading::new(own.id, own.hours, own.processing.clone()),
            ledger: Ledger::default(),
            audit: Audit::default(),
            waiting: None,
            waits: 0,
            seen: None,
            ack_alarm: Alarm::new(By::Monotonic),
            leaving: false,
            touched: Touched::default(),
            config,
            own,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                let (begin, stop) = (Timer::Begin(true).into(), Timer::Begin(false).into());
                if self.application.boot(begin, stop, ctx) {
                    self.begin(ctx);
                }
            }
            Input::Signal(Signal::LoadEnded) if self.application.is_auditor() => self.begin(ctx),
            Input::Signal(Signal::Stop) => {
                self.leaving = true;
                self.stop(ctx);
            }
            Input::Signal(_) => {}
            Input::Local { body: Message::Timer(Timer::Begin(true)) } => self.begin(ctx),
            Input::Local { body: Message::Timer(Timer::Begin(false)) } => self.stop(ctx),
            Input::Local { body: Message::Timer(Timer::Processed) } => {
                if let Some(delivery) = self.application.done() {
                    self.finish(delivery, ctx);
                }
                self.work(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Redeliver(wait)) } => {
                if self.waiting == Some(wait) {
                    self.waiting = None;
                    self.work(ctx);
                }
            }
            Input::Local { body: Message::Timer(Timer::AckTimeout) } => self.ack_timeout(ctx),
            input => match self.transport.handle(input, ctx) {
                Event::Opened(conn) => self.opened(conn, ctx),
                Event::Lost => self.lost(ctx),
                Event::Told(told) => self.told(told, ctx),
                Event::Writable | Event::Nothing => {}
            },
        }
        if self.leaving && !self.application.is_busy() {
            self.transport.close(ctx);
            ctx.exit();
        }
    }

    fn begin(&mut self, ctx: &mut Context<'_, Message>) {
        if self.application.begin() {
            self.transport.connect(ctx);
            self.report_wants(ctx);
        }
    }

    fn told(&mut self, told: Message, ctx: &mut Context<'_, Message>) {
        match told {
            Message::Dispatch(_, message, redeliveries) => {
                self.dispatched(message, redeliveries, ctx);
            }
            Message::Response(id, success) => self.commit_answered(id, success, ctx),
            _ => {}
        }
    }

    fn opened(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        self.session += 1;
        if self.application.is_active() {
            let info = Message::ConsumerInfo(self.own.queue, self.own.prefetch);
            ctx.send(conn, info, COMMAND);
        }
        if !self.config.has(Rule::DropAcksOffline) {
            self.send_late_acks(conn, ctx);
        }
    }

    /// `ActiveMQMessageConsumer.dispatch`: what the connection has had before is a duplicate. In a
    /// transaction that had it too it is what was expected; otherwise it is put away as poison.
    fn dispatched(&mut self, message: Jms, redeliveries: u32, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.consume);
        if self.own.audited && !self.audit.note(message.id()) {
            return self.duplicate(message, ctx);
        }
        self.buffer.push_back(Delivery { message, redeliveries, session: self.session });
        self.work(ctx);
    }

    /// Gives its application what it has, one at a time.
    fn work(&mut self, ctx: &mut Context<'_, Message>) {
        while !self.application.is_busy() && self.waiting.is_none() && self.application.is_active()
        {
            if self.is_committing() {
                break;
            }
            let Some(delivery) = self.buffer.pop_front() else { break };
            if self.is_exceeded(&delivery) {
                self.poison(&delivery, ctx);
                continue;
            }
            self.deliver(delivery, ctx);
        }
        self.report_wants(ctx);
    }

    fn deliver(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        self.seen = Some(delivery.id());
        let early = self.own.receive && self.own.acknowledge == Acknowledge::Auto;
        if early {
            // `receive()`: it is acknowledged before the application has it.
            self.acknowledge_one(&delivery, ctx);
        }
        let (now, id, message) = (ctx.now(), self.own.id, delivery.message);
        if message.origin == self.own.queue {
            let again = delivery.redeliveries > 0;
            ctx.observer().delivered(now, id, message.origin, message.range, again);
        }
        self.touched.note(Touch::Delivered(self.own.queue, delivery.id()));
        self.ledger.in_hand = Some((delivery.id(), delivery.session));
        if let Some(delivery) = self.application.work(delivery, Timer::Processed.into(), ctx) {
            self.finish(delivery, ctx);
        }
    }

    /// The application is through with a message, or has failed with it.
    fn finish(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        let message = delivery.message;
        if self.own.poison.is_some_and(|poison| message.range.first + 1 == poison) {
            self.failed(delivery, ctx);
            self.ledger.in_hand = None;
            return;
        }
        let (now, id) = (ctx.now(), self.own.id);
        if message.origin == self.own.queue {
            ctx.observer().processed(now, id, message.origin, message.range);
        }
        self.processed(delivery, ctx);
        self.ledger.in_hand = None;
    }

    fn report_wants(&mut self, ctx: &mut Context<'_, Message>) {
        let room = self.buffer.len() < self.own.prefetch as usize && self.waiting.is_none();
        let queue = [self.own.queue];
        self.application.tell_wants(room, &queue, ctx);
    }

    /// It asks for nothing more: what it has ahead goes back, and the broker is told how far its
    /// application has come.
    fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        let was = self.application.is_active();
        self.application.stop();
        self.report_wants(ctx);
        if was && !self.application.is_busy() {
            self.unsubscribe(ctx);
        }
    }

    fn unsubscribe(&mut self, ctx: &mut Context<'_, Message>) {
        self.acknowledge_all(ctx);
        self.buffer.clear();
        if let Some(conn) = self.transport.open() {
            ctx.send(conn, Message::RemoveConsumer(self.seen), COMMAND);
        }
    }

    /// The process has died, and its application with it.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.transport.forget();
        self.buffer.clear();
        self.ledger.forget();
        self.audit.forget();
        self.waiting = None;
        self.seen = None;
        self.ack_alarm.forget();
        self.leaving = false;
        let queue: [DestinationId; 1] = [self.own.queue];
        self.application.died(at, &queue, observer);
        self.touched.note(Touch::Restarted);
    }

    /// The broker that it believes to get messages from.
    #[must_use]
    pub fn source(&self) -> Option<NodeId> {
        let open = self.transport.open().is_some() && self.application.is_active();
        open.then(|| self.transport.broker())
    }

    /// What it waits for beside messages; `None` if it has nothing in hand.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        if self.application.is_busy() || self.waiting.is_some() {
            return Some("its application, to finish what it has in hand".into());
        }
        if self.application.is_stopped() {
            return None;
        }
        if !self.application.is_active() {
            return Some("its time to begin".into());
        }
        if self.transport.open().is_none() {
            return Some("a broker to connect to".into());
        }
        (!self.buffer.is_empty() || self.is_committing())
            .then(|| "its application, to finish what it has in hand".into())
    }
}
