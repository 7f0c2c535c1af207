//! A producer (`producer/Producer.scala` 0.7): it picks a partition for each message, and hands it
//! to the connection of that broker (sync), or to its queue (async).
//!
//! What the kernel has taken counts as accepted, and nothing ever tells more. So that a loss on the
//! way has its name, a message that is written to a connection is reported as lost there
//! (`socket-buffer-lost`) until a broker has it.

mod channel;
mod choose;
mod queue;
mod send;
mod view;

use std::sync::Arc;

use crate::brokers::coordination::zookeeper::{SESSIONS, Session};
use crate::brokers::kit::application::{Due, Sending};
use crate::engine::{Span, Time};
use crate::observe::{Observer, Outcome, Removal};
use crate::world::{ConnId, Context, Input, Lane, Signal, Wait};

pub use channel::{Channel, ChannelConfig, Prepared, Turn};
pub use choose::{Keys, java_hash};
pub use queue::{QueueConfig, SendQueue};
pub use view::{BrokerView, IDS, brokers_of, topic_path};

use super::super::PartitionId;
use super::config::Config;
use super::message::{Message, Part, Znode};
use super::rules::Rule;
use super::words::{because, cause};

/// How long a producer that exists before the run waits for the brokers that are about to be
/// registered.
const CLUSTER_START: Span = Span::from_secs(5);

/// What a producer does.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// Which of the scenario's producers it is.
    pub writer: u32,
    /// When it means to send, and how much.
    pub sending: Sending,
    /// `broker.list`, by host; none with `zk.connect`.
    pub brokers: Option<Vec<u32>>,
    /// How it connects.
    pub channel: ChannelConfig,
    /// `producer.type = async`.
    pub queue: Option<QueueConfig>,
    /// The keys of its messages.
    pub keys: Option<Keys>,
    /// `zk.read.num.retries`.
    pub zk_read_retries: u32,
    /// `zk.sessiontimeout.ms`.
    pub session_timeout: Span,
    /// `max.message.size`.
    pub max_message_size: u32,
}

/// What the application's thread is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// `send` reads from ZooKeeper, for the so manieth time.
    Looking {
        intended: Time,
        key: Option<u32>,
        tries: u32,
    },
    /// A synchronous `send` waits for its connection.
    Writing(Part),
    /// An asynchronous `send` waits for room in the queue of a broker.
    Enqueuing(Part, u32),
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    config: Arc<Config>,
    own: ProducerConfig,
    session: Session<Znode>,
    view: BrokerView,
    channels: Vec<Channel>,
    queues: Vec<SendQueue>,
    doing: Doing,
    /// Which key is next, and which part of a broker gets what is sent to any.
    next_key: u32,
    any_part: Vec<(u32, u32)>,
    enqueue_waits: u32,
    /// Whether its constructor is through.
    ready: bool,
    booted: Time,
    first_boot: bool,
    leaving: bool,
}

impl Producer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, own: ProducerConfig) -> Producer {
        let topic = config.streams.topic_of(own.writer);
        let brokers = 0..config.brokers;
        Producer {
            session: Session::new(config.zookeeper.clone(), own.session_timeout, 0, SESSIONS),
            view: BrokerView::new(topic),
            channels: brokers.clone().map(|broker| Channel::new(own.channel, broker)).collect(),
            queues: brokers.clone().map(|_| SendQueue::default()).collect(),
            doing: Doing::Nothing,
            next_key: 0,
            any_part: brokers.map(|_| (0, 0)).collect(),
            enqueue_waits: 0,
            ready: false,
            booted: Time::ZERO,
            first_boot: true,
            leaving: false,
            config,
            own,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(boot) => self.boot(boot.incarnation == 0, ctx),
            Input::Signal(Signal::LoadEnded) => self.end_load(ctx),
            Input::Signal(Signal::Stop) => {
                self.leaving = true;
                self.close(ctx);
            }
            Input::Signal(Signal::NodeResumed) => {}
            Input::Local { body: Message::Zk(message) } => {
                self.zookeeper_input(Input::Local { body: Message::Zk(message) }, ctx);
            }
            Input::Local { body } => self.local(body, ctx),
            input => match input.conn() {
                Some(conn) if self.session.owns(conn) => self.zookeeper_input(input, ctx),
                Some(conn) => self.broker_input(conn, &input, ctx),
                None => {}
            },
        }
        self.maybe_exit(ctx);
    }

    fn boot(&mut self, first: bool, ctx: &mut Context<'_, Message>) {
        ctx.ready();
        (self.booted, self.first_boot) = (ctx.now(), first);
        let began = ctx.clock();
        self.queues.iter_mut().for_each(|queue| queue.last_send = began);
        if self.own.brokers.is_none() {
            if first {
                ctx.after(CLUSTER_START, Lane::MAIN, Message::Begin(true));
            }
            return self.session.open(ctx);
        }
        self.ready = true;
        self.pump(ctx);
    }

    fn local(&mut self, body: Message, ctx: &mut Context<'_, Message>) {
        match body {
            Message::Pace => {
                self.own.sending.woken(ctx);
                self.pump(ctx);
            }
            Message::Reconnect { broker, attempt } => {
                self.channels[broker as usize].again(attempt, ctx);
            }
            Message::QueueTime { broker, wait } => self.queue_time(broker, wait, ctx),
            Message::EnqueueTimeout(wait) => self.enqueue_timeout(wait, ctx),
            Message::Begin(_) => self.construct(ctx),
            _ => {}
        }
    }

    fn zookeeper_input(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        for event in self.session.handle(input, ctx) {
            self.view.take(&event, &self.config, &mut self.session, ctx);
            if event == crate::brokers::coordination::zookeeper::Event::Expired {
                self.session.open(ctx);
            }
        }
        for broker in self.view.take_seen() {
            self.channels[broker as usize].renew(ctx);
        }
        self.construct(ctx);
        self.look_again(ctx);
    }

    /// The constructor is through when it has read what there is; one from before the run has all
    /// of the cluster there.
    fn construct(&mut self, ctx: &mut Context<'_, Message>) {
        if self.ready || !self.view.is_known() {
            return;
        }
        let waits = self.first_boot && ctx.now().since(self.booted) < CLUSTER_START;
        if waits && !self.view.is_complete(&self.config) {
            return;
        }
        self.ready = true;
        self.pump(ctx);
    }

    fn broker_input(
        &mut self,
        conn: ConnId,
        input: &Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(broker) = self.channels.iter().position(|channel| channel.owns(conn)) else {
            return;
        };
        let channel = &mut self.channels[broker];
        let turn = match input {
            Input::Connected { .. } => channel.connected(ctx),
            Input::Failed { why, .. } => channel.failed(*why, ctx),
            Input::Closed { how, .. } => channel.closed(*how, ctx),
            Input::Writable { .. } => channel.writable(),
            _ => Turn::Nothing,
        };
        self.turn(broker as u32, turn, ctx);
    }

    /// Sends what is due while the application's thread is free.
    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        while self.ready && !self.leaving && self.doing == Doing::Nothing {
            match self.own.sending.due(Message::Pace, ctx) {
                Due::Send { intended } => {
                    let key = self.next_key(ctx);
                    self.send(intended, key, 0, ctx);
                }
                Due::Skip { intended } => self.skip(intended, ctx),
                Due::Nothing => return,
            }
        }
    }

    /// A message that the application means for a partition.
    fn attempt(
        &mut self,
        at: Time,
        intended: Time,
        partition: PartitionId,
        observer: &mut dyn Observer,
    ) -> Part {
        let bytes = self.own.sending.size();
        let index = self.config.streams.get(partition).index as usize;
        let stream = (index, self.config.streams.stream(self.own.writer, partition));
        let messages = self.own.sending.attempt(at, intended, stream, bytes, observer);
        Part { partition, messages }
    }

    /// It is never sent, and stands in the line of the partition that it would go to.
    fn skip(&mut self, intended: Time, ctx: &mut Context<'_, Message>) {
        let key = self.next_key(ctx);
        let partition = self.among_all(key, ctx);
        let now = ctx.now();
        let part = self.attempt(now, intended, partition, ctx.observer());
        ctx.observer().outcome(now, part.messages, Outcome::Unsent);
    }

    /// `send` has thrown an exception: it proves that nothing was sent (`Rejected`), or not.
    fn throw(&mut self, part: Part, outcome: Outcome, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        ctx.observer().outcome(now, part.messages, outcome);
        self.own.sending.settled(part.messages.count, ctx);
    }

    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        self.own.sending.end();
        while let Some(intended) = self.own.sending.overdue(ctx.now()) {
            self.skip(intended, ctx);
        }
        self.close(ctx);
    }

    /// `close`: the queues are drained.
    fn close(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.config.settings.rules.has(Rule::CloseDrains) {
            let now = ctx.now();
            self.lose_queues(now, ctx.observer(), host_of(&self.config, self.own.writer));
        }
        for broker in 0..self.queues.len() as u32 {
            self.drain(broker, ctx);
        }
    }

    fn is_closing(&self) -> bool {
        self.own.sending.has_ended() || self.leaving
    }

    fn maybe_exit(&mut self, ctx: &mut Context<'_, Message>) {
        if self.leaving && self.is_idle() {
            for channel in &mut self.channels {
                channel.close(ctx);
            }
            ctx.exit();
        }
    }

    fn is_idle(&self) -> bool {
        self.doing == Doing::Nothing && self.queues.iter().all(SendQueue::is_empty)
    }

    /// The process has died: what it had queued is gone.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        let under_way = match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => None,
            Doing::Looking { intended, .. } => {
                let topic = self.config.streams.topic_of(self.own.writer);
                let first = self.config.streams.partition(topic, 0);
                Some(self.attempt(at, intended, first, observer))
            }
            Doing::Writing(part) | Doing::Enqueuing(part, _) => Some(part),
        };
        if let Some(part) = under_way {
            observer.outcome(at, part.messages, Outcome::Unsent);
        }
        self.own.sending.died(at);
        let node = host_of(&self.config, self.own.writer);
        self.lose_queues(at, observer, node);
        self.channels.iter_mut().for_each(Channel::forget);
        self.session.died();
        self.view.forget();
        (self.ready, self.leaving) = (false, false);
    }

    fn lose_queues(&mut self, at: Time, observer: &mut dyn Observer, node: crate::observe::NodeId) {
        let removal = Removal::new(cause::PRODUCER_QUEUE_LOST, because::NO_RESPONSE);
        for queue in &mut self.queues {
            for messages in queue.forget() {
                observer.dropped(at, node, None, messages, removal);
            }
        }
    }

    /// What it waits for; `None` if it has nothing left to do.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        if !self.own.sending.has_ended() {
            return Some("the end of the load".into());
        }
        (!self.is_idle()).then(|| "its queues and connections to be empty".into())
    }
}

/// The host of a writer: clients come behind the brokers and the coordinators.
fn host_of(config: &Config, writer: u32) -> crate::observe::NodeId {
    let before = config.brokers + config.zookeeper.len() as u32;
    crate::observe::NodeId(before + writer)
}
