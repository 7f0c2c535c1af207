//! A consumer: subscribes, works on what it is handed, acknowledges; an auditor is one that starts
//! when the load ends.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kit::application::{Hours, Reading};
use crate::engine::{Chance, Distribution, Span, Time};
use crate::observe::{ConsumerId, DestinationId, MessageRange, NodeId, Observer};
use crate::world::{Context, Input, Lane, Signal, Wait};

use super::super::letters::Letters;
use super::super::message::amqp::{ChannelError, Declaration, FromClient, FromServer, Terms};
use super::super::message::client::ClientTimer;
use super::super::message::{DeliveryTag, Message, QueueId};
use super::link::{Link, LinkConfig, LinkEvent};

/// Bytes of `basic.ack`, `basic.consume` and the like on the wire.
const METHOD_BYTES: u32 = 30;

/// What a client takes from its socket before its application wants it: the read buffer of a client
/// library.
const READ_BUFFER: u64 = 64 * 1024;
/// How many deliveries are read from the socket at a time.
const READ_AT_ONCE: u32 = 16;

/// What a consumer does.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Which one it is.
    pub id: ConsumerId,
    /// How it connects.
    pub link: LinkConfig,
    /// What it reads.
    pub queues: Vec<QueueId>,
    /// What it declares on each channel, and before it subscribes again.
    pub declares: Option<Declaration>,
    /// With what it subscribes.
    pub terms: Terms,
    /// Asks message by message, with such a pause, instead of subscribing.
    pub poll: Option<Span>,
    /// Which messages it rejects.
    pub reject: Option<Reject>,
    /// Whether it opens another channel when the broker has closed its own.
    pub reopen: bool,
    /// How long its application works on a message.
    pub processing: Distribution,
    /// Pause before it subscribes again after a cancel or a 404.
    pub resubscribe_delay: Span,
    /// From when to when it consumes: at the end it cancels its consumer.
    pub hours: Hours,
    /// Which queues dead letters are from.
    pub letters: Arc<Letters>,
    /// CPU time of one message.
    pub cost: Span,
}

/// What becomes of messages that the application cannot process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// How many they are.
    pub chance: Chance,
    /// Whether they go back into the queue.
    pub requeue: bool,
    /// Whether it says so by `basic.nack`, rather than `basic.reject`.
    pub nack: bool,
}

#[derive(Clone, Copy, Debug)]
struct Delivery {
    queue: QueueId,
    tag: DeliveryTag,
    message: MessageRange,
    redelivered: bool,
    session: u32,
    /// It was dead-lettered to this queue.
    dead_letter: bool,
}

impl Delivery {
    fn bytes(&self) -> u64 {
        u64::from(self.message.bytes) * u64::from(self.message.count)
    }
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: ConsumerConfig,
    link: Link,
    /// It has declared its queue, if it does.
    declared: bool,
    /// Whether each of its queues is subscribed.
    subscribed: Vec<bool>,
    /// Received, not yet handed to the application.
    buffer: VecDeque<Delivery>,
    /// Bytes in the buffer.
    buffered: u64,
    application: Reading<Delivery>,
    /// What it reads, as destinations.
    destinations: Vec<DestinationId>,
    /// Counts channels: acknowledgements of an earlier one are pointless.
    session: u32,
    resubscribing: bool,
    /// The broker has closed its channel; it has no other yet.
    closed: bool,
    /// Its queue is in exclusive use by another.
    refused: bool,
}

impl Consumer {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(config: ConsumerConfig) -> Consumer {
        Consumer {
            link: Link::new(config.link.clone()),
            declared: false,
            subscribed: vec![false; config.queues.len()],
            application: Reading::new(config.id, config.hours, config.processing.clone()),
            destinations: config.queues.iter().map(|queue| DestinationId(queue.0)).collect(),
            config,
            buffer: VecDeque::new(),
            buffered: 0,
            session: 0,
            resubscribing: false,
            closed: false,
            refused: false,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => self.booted(ctx),
            Input::Signal(Signal::LoadEnded) => {
                if self.application.is_auditor() {
                    self.start(ctx);
                }
            }
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Signal(Signal::NodeResumed) => {}
            Input::Local { body: Message::Client(ClientTimer::Pace) } => self.start(ctx),
            Input::Local { body: Message::Client(ClientTimer::ConsumerStop) } => self.cancel(ctx),
            input => match self.link.handle(ctx, input) {
                LinkEvent::Opened => self.opened(ctx),
                LinkEvent::Lost => self.lost(ctx),
                LinkEvent::Other(input) => self.other(input, ctx),
                LinkEvent::Nothing => {}
            },
        }
    }

    fn other(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Message {
                body:
                    Message::FromServer(FromServer::BasicDeliver {
                        queue,
                        tag,
                        message,
                        redelivered,
                        letter,
                    }),
                ..
            } => {
                let session = self.session;
                ctx.spend(self.config.cost);
                // What an application does with another queue's dead letters is not what became of
                // the messages.
                let dead_letter = self.config.letters.origin(letter, queue) != queue;
                let delivery = Delivery { queue, tag, message, redelivered, session, dead_letter };
                self.buffered += delivery.bytes();
                self.buffer.push_back(delivery);
                self.work(ctx);
            }
            Input::Message { body: Message::FromServer(FromServer::GetEmpty { .. }), .. } => {
                self.poll_later(ctx)
            }
            Input::Local { body: Message::Client(ClientTimer::Poll { session }) }
                if session == self.session =>
            {
                self.subscribe(ctx);
            }
            Input::Local { body: Message::Client(ClientTimer::Poll { .. }) } => {}
            Input::Message { body: Message::FromServer(FromServer::DeclareOk { .. }), .. } => {
                self.declared = true;
                self.subscribe(ctx);
            }
            Input::Message {
                body: Message::FromServer(FromServer::ConsumeOk { queue }), ..
            } => {
                self.refused = false;
                if let Some(at) = self.config.queues.iter().position(|other| *other == queue) {
                    self.subscribed[at] = true;
                }
            }
            Input::Message {
                body: Message::FromServer(FromServer::ServerCancel { queue }),
                ..
            } => {
                self.unsubscribed(ctx, Some(queue));
            }
            Input::Message {
                body: Message::FromServer(FromServer::ChannelClose { error }),
                ..
            } => {
                self.channel_closed(ctx, error);
            }
            Input::Message { body: Message::FromServer(FromServer::ChannelOpenOk), .. } => {
                self.opened(ctx)
            }
            Input::Local { body: Message::Client(ClientTimer::Processed { .. }) } => {
                self.processed(ctx)
            }
            Input::Local { body: Message::Client(ClientTimer::Resubscribe) } => {
                self.resubscribing = false;
                match self.link.open().filter(|_| self.closed) {
                    Some(conn) => ctx.send(conn, FromClient::ChannelOpen.into(), METHOD_BYTES),
                    None => self.subscribe(ctx),
                }
            }
            _ => {}
        }
    }

    fn booted(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.ready();
        let (start, stop) = (ClientTimer::Pace.into(), ClientTimer::ConsumerStop.into());
        if self.application.boot(start, stop, ctx) {
            self.start(ctx);
        }
    }

    fn start(&mut self, ctx: &mut Context<'_, Message>) {
        if self.application.begin() {
            self.link.connect(ctx);
            self.report_wants(ctx);
        }
    }

    /// The broker has closed the channel for an error of ours.
    fn channel_closed(&mut self, ctx: &mut Context<'_, Message>, error: ChannelError) {
        self.session += 1;
        self.forget_buffer();
        self.closed = true;
        self.refused = matches!(
            error,
            ChannelError::AccessRefused
                | ChannelError::ResourceLocked
                | ChannelError::InequivalentArgument
        );
        if self.application.is_auditor() && error == ChannelError::NotFound {
            // An auditor looks for a node that serves the queue.
            self.link.leave(ctx);
        } else if self.config.reopen {
            self.unsubscribed(ctx, None);
        } else {
            self.application.stop();
            self.report_wants(ctx);
        }
    }

    fn opened(&mut self, ctx: &mut Context<'_, Message>) {
        self.closed = false;
        self.session += 1;
        self.not_subscribed();
        if let Some(conn) = self.link.open().filter(|_| self.is_unlimited()) {
            ctx.read_ahead(conn, READ_AT_ONCE);
        }
        self.subscribe(ctx);
    }

    /// `basic.cancel`: what it has in hand it finishes and acknowledges.
    fn cancel(&mut self, ctx: &mut Context<'_, Message>) {
        self.application.stop();
        if let Some(conn) = self.link.open() {
            for &queue in &self.config.queues {
                ctx.send(conn, FromClient::BasicCancel { queue }.into(), METHOD_BYTES);
            }
        }
        self.report_wants(ctx);
    }

    fn subscribe(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(conn) = self.link.open().filter(|_| self.application.is_active()) else { return };
        if let Some(declaration) = self.config.declares.filter(|_| !self.declared) {
            ctx.send(conn, FromClient::QueueDeclare { declaration }.into(), METHOD_BYTES);
            return;
        }
        let terms = self.config.terms;
        for (at, &queue) in self.config.queues.iter().enumerate() {
            if self.config.poll.is_some() {
                let get = FromClient::BasicGet { queue, no_ack: terms.no_ack };
                ctx.send(conn, get.into(), METHOD_BYTES);
                self.subscribed[at] = true;
            } else if !self.subscribed[at] {
                ctx.send(conn, FromClient::BasicConsume { queue, terms }.into(), METHOD_BYTES);
            }
        }
    }

    /// Asks for another message after the pause.
    fn poll_later(&self, ctx: &mut Context<'_, Message>) {
        if let Some(pause) = self.config.poll {
            ctx.after(pause, Lane::MAIN, ClientTimer::Poll { session: self.session }.into());
        }
    }

    fn not_subscribed(&mut self) {
        self.declared = false;
        self.subscribed.fill(false);
    }

    fn unsubscribed(&mut self, ctx: &mut Context<'_, Message>, queue: Option<QueueId>) {
        self.declared = false;
        for (at, &other) in self.config.queues.iter().enumerate() {
            if queue.is_none_or(|queue| queue == other) {
                self.subscribed[at] = false;
            }
        }
        if !self.resubscribing {
            self.resubscribing = true;
            ctx.after(self.config.resubscribe_delay, Lane::MAIN, ClientTimer::Resubscribe.into());
        }
        self.report_wants(ctx);
    }

    /// Hands the next message to the application, which works on one at a time.
    fn work(&mut self, ctx: &mut Context<'_, Message>) {
        while !self.application.is_busy() {
            let Some(delivery) = self.buffer.pop_front() else { break };
            self.buffered -= delivery.bytes();
            let (now, id) = (ctx.now(), self.config.id);
            let destination = DestinationId(delivery.queue.0);
            let Delivery { message, redelivered, session, .. } = delivery;
            if !delivery.dead_letter {
                ctx.observer().delivered(now, id, destination, message, redelivered);
            }
            let done = ClientTimer::Processed { session }.into();
            if let Some(delivery) = self.application.work(delivery, done, ctx) {
                self.finish(delivery, ctx);
            }
        }
        self.read_as_it_works(ctx);
        self.report_wants(ctx);
    }

    /// Whether the broker sends it all that it has.
    fn is_unlimited(&self) -> bool {
        let Terms { prefetch, no_ack, .. } = self.config.terms;
        no_ack || prefetch == 0
    }

    /// What is sent without a limit is read no faster than the application works: when the read
    /// buffer is full it waits in the sockets, and back-pressure reaches the queue.
    fn read_as_it_works(&mut self, ctx: &mut Context<'_, Message>) {
        if self.is_unlimited() {
            self.link.hold(ctx, self.buffered >= READ_BUFFER);
        }
    }

    fn processed(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(delivery) = self.application.done() {
            self.finish(delivery, ctx);
            self.work(ctx);
        }
    }

    fn finish(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        let (now, id) = (ctx.now(), self.config.id);
        let destination = DestinationId(delivery.queue.0);
        let reject = self.config.reject.filter(|reject| ctx.random().chance(reject.chance));
        if reject.is_none() && !delivery.dead_letter {
            ctx.observer().processed(now, id, destination, delivery.message);
        }
        if let Some(conn) = self.link.open().filter(|_| !self.closed)
            && !self.config.terms.no_ack
            && delivery.session == self.session
        {
            let (tag, multiple) = (delivery.tag, false);
            let answer = match reject {
                None => FromClient::BasicAck { tag, multiple },
                Some(Reject { requeue: true, nack, .. }) => {
                    FromClient::BasicRequeue { tag, multiple, nack }
                }
                Some(_) => FromClient::BasicReject { tag, multiple },
            };
            ctx.send(conn, answer.into(), METHOD_BYTES);
        }
        if delivery.session == self.session {
            self.poll_later(ctx);
        }
    }

    fn lost(&mut self, ctx: &mut Context<'_, Message>) {
        self.session += 1;
        self.not_subscribed();
        self.forget_buffer();
        self.report_wants(ctx);
    }

    /// What was not handed to the application will be delivered again, unless it was acknowledged
    /// by being sent.
    fn forget_buffer(&mut self) {
        if !self.config.terms.no_ack {
            self.buffer.clear();
            self.buffered = 0;
        }
    }

    fn report_wants(&mut self, ctx: &mut Context<'_, Message>) {
        let in_hand = self.buffer.len() as u32 + u32::from(self.application.is_busy());
        let has_room = self.is_unlimited() || in_hand < self.config.terms.prefetch;
        self.application.tell_wants(has_room, &self.destinations, ctx);
    }

    /// The process has died, and its application with it.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.buffer.clear();
        self.buffered = 0;
        self.session += 1;
        self.not_subscribed();
        self.resubscribing = false;
        (self.closed, self.refused) = (false, false);
        self.link.forget();
        self.application.died(at, &self.destinations, observer);
    }

    /// What it waits for; `None` if it has nothing in hand and is subscribed to all it reads.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        self.waits_for_but(&|_, _| false)
    }

    /// That its connection is over without its knowledge, which its heartbeats will tell it.
    #[must_use]
    pub fn will_notice(&self, forgotten: &dyn Fn(NodeId) -> bool) -> Option<Wait> {
        let reads = !self.application.is_stopped() && !self.application.is_auditor();
        let connected = self.link.open().is_some() && self.link.hears_heartbeats();
        let over = reads && connected && forgotten(self.link.node());
        over.then(|| "the end of its connection, of which it does not know".into())
    }

    /// The same, if nodes know that there is nothing to read: `gone(node, queue)`. A consumer stays
    /// with its node, an auditor asks them all.
    pub fn waits_for_but(&self, gone: &dyn Fn(NodeId, QueueId) -> bool) -> Option<Wait> {
        let in_hand = !self.buffer.is_empty() || self.application.is_busy();
        let auditor = self.application.is_auditor();
        let settled = |(queue, subscribed): (&QueueId, &bool)| {
            let connected = self.link.open().is_some();
            let nowhere = if auditor {
                self.config.link.nodes.iter().all(|node| gone(*node, *queue))
            } else {
                connected && gone(self.link.node(), *queue)
            };
            connected && *subscribed || nowhere
        };
        let queues = self.config.queues.iter().zip(&self.subscribed);
        if in_hand {
            return Some("its application, to finish what it has in hand".into());
        }
        let over = self.application.is_stopped() || self.refused || queues.into_iter().all(settled);
        (!over).then_some("an answer to its subscription".into())
    }
}
