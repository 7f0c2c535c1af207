//! A consumer: one session (`ClientConsumerImpl`, `ActiveMQMessageConsumer`), which is sent messages ahead, gives them
//! to its application one at a time, and acknowledges them by its mode. Auditors are consumers that begin when
//! the load ends.

mod acks;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kit::application::{Hours, Reading};
use crate::engine::{Distribution, Time};
use crate::observe::{ConsumerId, DestinationId, NodeId, Observer};
use crate::world::{Context, Input, Signal, Wait};

use super::super::config::Config;
use super::super::message::{CoreMessage, Message, PACKET, QueueId, Subscribe, Timer};
use super::connection::{Connection, ConnectionConfig, Event};

use acks::Unacknowledged;

/// The session's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// AUTO: one by one.
    Auto,
    /// DUPS_OK: together, after so many bytes.
    DupsOk(u64),
    /// CLIENT: all so far, after so many.
    Client(u32),
    /// INDIVIDUAL.
    Individual,
    /// SESSION_TRANSACTED: a commit after so many.
    Transacted(u32),
    /// PRE_ACKNOWLEDGE: the broker has.
    Early,
}

/// What a consumer does.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Which one it is.
    pub id: ConsumerId,
    /// What it reads.
    pub queue: QueueId,
    /// How it connects.
    pub connection: ConnectionConfig,
    /// Its mode.
    pub acknowledge: Acknowledge,
    /// Whether its application calls receive().
    pub receive: bool,
    /// `consumerWindowSize`; none for no limit.
    pub window: Option<u64>,
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
    message: CoreMessage,
    /// How the broker has numbered it.
    id: u64,
    /// The how manieth delivery it is.
    count: u32,
    /// In which session it came; in another it cannot be acknowledged.
    session: u32,
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: Arc<Config>,
    own: ConsumerConfig,
    connection: Connection,
    /// Counts sessions.
    session: u32,
    /// What it has ahead of its application, and bytes of that.
    buffer: VecDeque<Delivery>,
    buffered: u64,
    /// Bytes for which the broker may send more, and was not told so yet (`creditsToSend`).
    credits: u64,
    application: Reading<Delivery>,
    unacknowledged: Unacknowledged,
    leaving: bool,
}

impl Consumer {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, own: ConsumerConfig) -> Consumer {
        Consumer {
            connection: Connection::new(own.connection.clone()),
            session: 0,
            buffer: VecDeque::new(),
            buffered: 0,
            credits: 0,
            application: Reading::new(own.id, own.hours, own.processing.clone()),
            unacknowledged: Unacknowledged::default(),
            leaving: false,
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
            Input::Local { body: Message::Timer(Timer::CallTimeout(call)) } => {
                self.call_failed(call, ctx);
                self.work(ctx);
            }
            input => match self.connection.handle(input, ctx) {
                Event::Opened => self.opened(ctx),
                Event::Reattached => self.work(ctx),
                Event::Lost(true) | Event::GivenUp => self.forget_session(ctx),
                Event::Told(told) => self.told(told, ctx),
                Event::Lost(false) | Event::Writable | Event::Nothing => {}
            },
        }
        if self.leaving && !self.application.is_busy() {
            self.connection.close(ctx);
            ctx.exit();
        }
    }

    fn begin(&mut self, ctx: &mut Context<'_, Message>) {
        if self.application.begin() {
            self.connection.connect(ctx);
            self.report_wants(ctx);
        }
    }

    fn told(&mut self, told: Message, ctx: &mut Context<'_, Message>) {
        match told {
            Message::Receive(message, id, count) => {
                ctx.spend(self.config.costs.consume);
                let delivery = Delivery { message, id, count, session: self.session };
                if self.unacknowledged.is_rolling_back() || !self.application.is_active() {
                    // It goes back with the others.
                    return self.flow(&delivery, ctx);
                }
                self.buffered += u64::from(message.bytes());
                self.buffer.push_back(delivery);
                self.work(ctx);
            }
            Message::Response(call, success) => {
                self.call_answered(call, success, ctx);
                self.work(ctx);
            }
            _ => {}
        }
    }

    /// There is a new session: its consumer is created there, with all credits.
    fn opened(&mut self, ctx: &mut Context<'_, Message>) {
        self.forget_session(ctx);
        self.session += 1;
        if self.application.is_active() {
            let early = self.own.acknowledge == Acknowledge::Early;
            let wanted = Message::CreateConsumer(Subscribe { queue: self.own.queue, early });
            self.connection.send(wanted, PACKET, ctx);
            let credits = Message::ConsumerCredits(self.own.window.unwrap_or(1 << 60));
            self.connection.send(credits, PACKET, ctx);
        }
    }

    /// What came in the session will come again in the next one.
    fn forget_session(&mut self, ctx: &mut Context<'_, Message>) {
        self.buffer.clear();
        (self.buffered, self.credits) = (0, 0);
        self.doubt_commit(ctx);
        self.report_wants(ctx);
    }

    /// `flowControl`: a message was taken from the buffer; with half a window of them the broker hears of it.
    fn flow(&mut self, delivery: &Delivery, ctx: &mut Context<'_, Message>) {
        let Some(window) = self.own.window else { return };
        if delivery.session != self.session {
            return;
        }
        self.credits += u64::from(delivery.message.bytes());
        if self.credits >= window / 2 {
            let credits = Message::ConsumerCredits(std::mem::take(&mut self.credits));
            self.say(credits, ctx);
        }
    }

    /// Says something to the broker, now or with the next connection of the same session.
    fn say(&mut self, packet: Message, ctx: &mut Context<'_, Message>) {
        if self.connection.open().is_some() || self.connection.keeps() {
            self.connection.send(packet, PACKET, ctx);
        }
    }

    /// Gives its application what it has, one at a time. Without a connection its thread waits in the
    /// library.
    fn work(&mut self, ctx: &mut Context<'_, Message>) {
        while !self.application.is_busy()
            && self.application.is_active()
            && self.connection.open().is_some()
            && !self.unacknowledged.is_calling()
        {
            let Some(delivery) = self.buffer.pop_front() else { break };
            self.buffered = self.buffered.saturating_sub(u64::from(delivery.message.bytes()));
            self.deliver(delivery, ctx);
        }
        self.report_wants(ctx);
    }

    fn deliver(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        self.flow(&delivery, ctx);
        if self.own.receive && self.own.acknowledge == Acknowledge::Auto {
            // `receive()`: it is acknowledged before the application has it.
            self.acknowledge_one(&delivery, ctx);
        }
        let (now, id, message) = (ctx.now(), self.own.id, delivery.message);
        if message.origin == self.own.queue {
            let again = delivery.count > 1;
            ctx.observer().delivered(now, id, message.origin, message.range, again);
        }
        if let Some(delivery) = self.application.work(delivery, Timer::Processed.into(), ctx) {
            self.finish(delivery, ctx);
        }
    }

    /// The application is through with a message, or has failed with it.
    fn finish(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        let message = delivery.message;
        if self.own.poison.is_some_and(|poison| message.range.first + 1 == poison) {
            return self.failed(delivery, ctx);
        }
        let (now, id) = (ctx.now(), self.own.id);
        if message.origin == self.own.queue {
            ctx.observer().processed(now, id, message.origin, message.range);
        }
        self.processed(delivery, ctx);
    }

    fn report_wants(&mut self, ctx: &mut Context<'_, Message>) {
        let room = self.own.window.is_none_or(|window| self.buffered < window);
        let queue = [self.own.queue];
        self.application.tell_wants(room, &queue, ctx);
    }

    /// It asks for nothing more: what it has ahead goes back.
    fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        let was = self.application.is_active();
        self.application.stop();
        self.report_wants(ctx);
        if was && !self.application.is_busy() {
            self.close_consumer(ctx);
        }
    }

    fn close_consumer(&mut self, ctx: &mut Context<'_, Message>) {
        self.acknowledge_all(ctx);
        self.buffer.clear();
        self.buffered = 0;
        self.say(Message::CloseConsumer, ctx);
    }

    /// The process has died, and its application with it.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.connection.forget();
        self.buffer.clear();
        (self.buffered, self.credits) = (0, 0);
        self.unacknowledged.forget();
        self.leaving = false;
        let queue: [DestinationId; 1] = [self.own.queue];
        self.application.died(at, &queue, observer);
    }

    /// The broker that it believes to get messages from.
    #[must_use]
    pub fn source(&self) -> Option<NodeId> {
        let open = self.connection.open().is_some() && self.application.is_active();
        open.then(|| self.connection.broker())
    }

    /// What it waits for beside messages; `None` if it has nothing in hand.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        if self.application.is_busy() || self.unacknowledged.is_calling() {
            return Some("its application, to finish what it has in hand".into());
        }
        if self.application.is_stopped() {
            return None;
        }
        if !self.application.is_active() {
            return Some("its time to begin".into());
        }
        if self.connection.open().is_none() {
            return Some("a broker to connect to".into());
        }
        (!self.buffer.is_empty()).then(|| "its application, to finish what it has in hand".into())
    }
}
