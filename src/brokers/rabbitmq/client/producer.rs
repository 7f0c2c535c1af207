//! A producer: publishes at its pace, keeps a window of unconfirmed messages, decides what to do
//! with what is not confirmed.

use std::collections::VecDeque;

use crate::brokers::kit::application::{Due, Sending};
use crate::engine::{Span, Time};
use crate::observe::{MessageRange, NodeId, Observer, Outcome, ProducerId};
use crate::world::{Alarm, By, ConnId, Context, Input, Lane, Signal, Wait};

use super::super::message::amqp::{Declaration, FromClient, FromServer};
use super::super::message::client::ClientTimer;
use super::super::message::{ExchangeId, Message, Properties, PublishSeq, RoutingKey};
use super::link::{Link, LinkConfig, LinkEvent};

/// Bytes of a publish on the wire beside the payload: method, header and body frames.
const PUBLISH_BYTES: u32 = 90;
/// Bytes of `channel.open` on the wire.
const METHOD_BYTES: u32 = 30;

/// What a producer does, and to whom.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// Which one it is.
    pub id: ProducerId,
    /// How it connects.
    pub link: LinkConfig,
    /// When it means to send, and how much.
    pub sending: Sending,
    /// What it declares on each channel before it publishes.
    pub declares: Option<Declaration>,
    /// Where it publishes to.
    pub exchange: ExchangeId,
    /// With which routing key.
    pub key: RoutingKey,
    /// With which properties.
    pub properties: Properties,
    /// Most unconfirmed messages at a time; no limit if `None`.
    pub window: Option<u32>,
    /// Whether it publishes again what was nacked or left unanswered by a lost connection.
    pub republish: bool,
    /// Pause before a nacked message is published again.
    pub republish_delay: Span,
    /// After this long without an answer a message counts as unanswered.
    pub send_timeout: Option<Span>,
    /// Whether it opens another channel when the broker has closed its own.
    pub reopen: bool,
    /// How long after that.
    pub reopen_delay: Span,
    /// CPU time of one message.
    pub cost: Span,
}

/// How a message on its way stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// Came back as unroutable; its confirm is still to come.
    Returned,
    Settled,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    message: MessageRange,
    /// When, by the host's monotonic clock.
    at: Time,
    state: State,
}

/// A message that is to be published again.
#[derive(Clone, Copy, Debug)]
struct Again {
    message: MessageRange,
    /// Its last try was answered, and that was told.
    told: bool,
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    config: ProducerConfig,
    link: Link,
    /// Publishes of this channel from `first_tag` on.
    sent: VecDeque<Sent>,
    first_tag: PublishSeq,
    unsettled: u32,
    again: VecDeque<Again>,
    /// The pause before they are published again lasts until then, by the monotonic clock.
    nacked: VecDeque<(Time, MessageRange)>,
    /// The first of those pauses is over.
    pause_over: Alarm,
    /// The oldest unanswered message counts as unanswered for good.
    too_late: Alarm,
    /// The broker has closed its channel; it has no other yet.
    closed: bool,
    /// It waits for the answer to its declaration.
    declares: bool,
}

impl Producer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(config: ProducerConfig) -> Producer {
        Producer {
            link: Link::new(config.link.clone()),
            config,
            sent: VecDeque::new(),
            first_tag: 1,
            unsettled: 0,
            again: VecDeque::new(),
            nacked: VecDeque::new(),
            pause_over: Alarm::new(By::Monotonic),
            too_late: Alarm::new(By::Monotonic),
            closed: false,
            declares: false,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                self.link.connect(ctx);
            }
            Input::Signal(Signal::LoadEnded) => self.end_load(ctx),
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Signal(Signal::NodeResumed) => {}
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
                body: Message::FromServer(FromServer::ConfirmAck { seq, multiple }),
                ..
            } => {
                self.confirmed(ctx, seq, multiple, Outcome::Acked);
            }
            Input::Message {
                body: Message::FromServer(FromServer::ConfirmNack { seq, multiple }),
                ..
            } => {
                self.confirmed(ctx, seq, multiple, Outcome::Nacked);
            }
            Input::Message {
                body: Message::FromServer(FromServer::BasicReturn { message, seq }),
                ..
            } => {
                self.returned(ctx, message, seq);
            }
            Input::Local { body: Message::Client(ClientTimer::Pace) } => {
                self.config.sending.woken(ctx);
                self.pause_over.rang(ctx);
                self.pump(ctx);
            }
            Input::Local { body: Message::Client(ClientTimer::SendTimeout) } => {
                self.check_timeouts(ctx)
            }
            Input::Message { body: Message::FromServer(FromServer::DeclareOk { .. }), .. } => {
                self.declares = false;
                self.pump(ctx);
            }
            Input::Message {
                body: Message::FromServer(FromServer::ChannelClose { .. }), ..
            } => self.channel_closed(ctx),
            Input::Message { body: Message::FromServer(FromServer::ChannelOpenOk), .. } => {
                self.opened(ctx)
            }
            Input::Local { body: Message::Client(ClientTimer::Resubscribe) } => {
                if let Some(conn) = self.link.open().filter(|_| self.closed) {
                    ctx.send(conn, FromClient::ChannelOpen.into(), METHOD_BYTES);
                }
            }
            Input::Writable { .. } => self.pump(ctx),
            _ => {}
        }
    }

    /// A channel is open; its numbers begin with 1.
    fn opened(&mut self, ctx: &mut Context<'_, Message>) {
        self.first_tag = 1;
        self.closed = false;
        self.declares = self.config.declares.is_some();
        if let (Some(conn), Some(declaration)) = (self.link.open(), self.config.declares) {
            ctx.send(conn, FromClient::QueueDeclare { declaration }.into(), METHOD_BYTES);
        }
        self.pump(ctx);
    }

    /// The broker has closed the channel: what was not confirmed on it never will be.
    fn channel_closed(&mut self, ctx: &mut Context<'_, Message>) {
        self.lost(ctx);
        self.closed = true;
        if self.config.reopen {
            ctx.after(self.config.reopen_delay, Lane::MAIN, ClientTimer::Resubscribe.into());
            return;
        }
        let now = ctx.now();
        let given_up = self.give_up_again(now, ctx.observer());
        self.config.sending.settled(given_up, ctx);
    }

    /// Nothing is published again. Returns how many messages that were to be.
    fn give_up_again(&mut self, now: Time, observer: &mut dyn Observer) -> u32 {
        let given_up = (self.again.len() + self.nacked.len()) as u32;
        self.nacked.clear();
        for again in self.again.drain(..).filter(|again| !again.told) {
            observer.outcome(now, again.message, Outcome::Unknown);
        }
        given_up
    }

    /// Sends what is due while there is room.
    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some(conn) = self.link.open().filter(|_| !self.closed && !self.declares) {
            let full = self.config.window.is_some_and(|window| self.unsettled >= window);
            if full || ctx.room(conn) == 0 {
                return;
            }
            let now = self.pause_over.now(ctx);
            while let Some(&(due, message)) = self.nacked.front()
                && due <= now
            {
                self.nacked.pop_front();
                self.again.push_back(Again { message, told: true });
            }
            if let Some(again) = self.again.pop_front() {
                self.publish(ctx, conn, again.message);
                continue;
            }
            // The alarm may have rung while the window was full.
            if let Some(&(due, _)) = self.nacked.front() {
                self.pause_over.wake(due, Lane::MAIN, ClientTimer::Pace.into(), ctx);
            }
            match self.config.sending.due(ClientTimer::Pace.into(), ctx) {
                Due::Send { intended } => {
                    let message = self.attempt(ctx, intended);
                    self.publish(ctx, conn, message);
                }
                Due::Skip { intended } => self.skip(ctx, intended),
                Due::Nothing => return,
            }
        }
    }

    fn attempt(&mut self, ctx: &mut Context<'_, Message>, intended: Time) -> MessageRange {
        let (now, bytes, own) = (ctx.now(), self.config.sending.size(), (0, self.config.id));
        self.config.sending.attempt(now, intended, own, bytes, ctx.observer())
    }

    fn skip(&mut self, ctx: &mut Context<'_, Message>, intended: Time) {
        let message = self.attempt(ctx, intended);
        let now = ctx.now();
        ctx.observer().outcome(now, message, Outcome::Unsent);
    }

    fn publish(&mut self, ctx: &mut Context<'_, Message>, conn: ConnId, message: MessageRange) {
        ctx.spend(self.config.cost);
        let now = ctx.now();
        ctx.observer().sent(now, message);
        let ProducerConfig { exchange, key, properties, .. } = self.config;
        let publish = FromClient::BasicPublish { exchange, key, message, properties };
        ctx.send(conn, publish.into(), PUBLISH_BYTES + message.bytes);
        if properties.confirm {
            let at = self.too_late.now(ctx);
            self.sent.push_back(Sent { message, at, state: State::Waiting });
            self.unsettled += 1;
            self.await_answers(ctx);
        } else {
            ctx.observer().outcome(now, message, Outcome::Accepted);
            self.config.sending.settled(1, ctx);
        }
    }

    fn confirmed(
        &mut self,
        ctx: &mut Context<'_, Message>,
        seq: PublishSeq,
        multiple: bool,
        outcome: Outcome,
    ) {
        ctx.spend(self.config.cost);
        let Some(last) = seq.checked_sub(self.first_tag) else { return };
        let first = if multiple { 0 } else { last };
        for index in first..=last {
            self.settle(ctx, index as usize, outcome);
        }
        self.forget_settled();
        self.pump(ctx);
    }

    fn settle(&mut self, ctx: &mut Context<'_, Message>, index: usize, outcome: Outcome) {
        let Some(sent) = self.sent.get_mut(index) else { return };
        let (before, message) = (sent.state, sent.message);
        sent.state = State::Settled;
        if before == State::Settled {
            return;
        }
        self.unsettled -= 1;
        let now = ctx.now();
        if before == State::Waiting {
            ctx.observer().outcome(now, message, outcome);
            if outcome != Outcome::Acked && self.config.republish {
                let due = self.pause_over.now(ctx) + self.config.republish_delay;
                self.nacked.push_back((due, message));
                self.pause_over.wake(due, Lane::MAIN, ClientTimer::Pace.into(), ctx);
                return;
            }
        }
        self.config.sending.settled(1, ctx);
    }

    fn forget_settled(&mut self) {
        while self.sent.front().is_some_and(|sent| sent.state == State::Settled) {
            self.sent.pop_front();
            self.first_tag += 1;
        }
    }

    /// 312 NO_ROUTE; the confirm that follows says nothing more.
    fn returned(&mut self, ctx: &mut Context<'_, Message>, message: MessageRange, seq: PublishSeq) {
        ctx.spend(self.config.cost);
        let now = ctx.now();
        ctx.observer().outcome(now, message, Outcome::Returned);
        if let Some(index) = seq.checked_sub(self.first_tag)
            && let Some(sent) = self.sent.get_mut(index as usize)
            && sent.state == State::Waiting
        {
            sent.state = State::Returned;
        }
    }

    /// The connection is gone, and with it the channel's numbers.
    fn lost(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let mut again = VecDeque::new();
        for Sent { message, state, .. } in std::mem::take(&mut self.sent) {
            match state {
                State::Waiting if self.config.republish => {
                    again.push_back(Again { message, told: false });
                }
                State::Waiting => {
                    ctx.observer().outcome(now, message, Outcome::Unknown);
                    self.config.sending.settled(1, ctx);
                }
                State::Returned => self.config.sending.settled(1, ctx),
                State::Settled => {}
            }
        }
        again.append(&mut self.again);
        again.extend(self.nacked.drain(..).map(|(_, message)| Again { message, told: true }));
        self.again = again;
        self.unsettled = 0;
    }

    /// Sees to it that it is woken when the oldest unanswered message has waited long enough.
    fn await_answers(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(timeout) = self.config.send_timeout
            && let Some(oldest) = self.sent.front()
        {
            self.too_late.wake(
                oldest.at + timeout,
                Lane::MAIN,
                ClientTimer::SendTimeout.into(),
                ctx,
            );
        }
    }

    fn check_timeouts(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(timeout) = self.config.send_timeout else { return };
        self.too_late.rang(ctx);
        let now = self.too_late.now(ctx);
        let late = self.sent.iter().take_while(|sent| now.since(sent.at) >= timeout).count();
        for index in 0..late {
            self.settle(ctx, index, Outcome::Unknown);
        }
        self.forget_settled();
        self.await_answers(ctx);
        self.pump(ctx);
    }

    /// The measured time is over: what was meant to be sent by now and was not never is.
    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        self.config.sending.end();
        while let Some(intended) = self.config.sending.overdue(ctx.now()) {
            self.skip(ctx, intended);
        }
    }

    /// The process has died: nobody will hear of what was on its way.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        for sent in std::mem::take(&mut self.sent) {
            if sent.state == State::Waiting {
                observer.outcome(at, sent.message, Outcome::Unknown);
            }
        }
        self.give_up_again(at, observer);
        self.config.sending.died(at);
        self.unsettled = 0;
        self.pause_over.forget();
        self.too_late.forget();
        (self.closed, self.declares) = (false, false);
        self.link.forget();
    }

    /// The node that it waits for, if all that it has left to do is to wait for answers.
    #[must_use]
    pub fn waits_at(&self) -> Option<NodeId> {
        let idle =
            self.config.sending.has_ended() && self.again.is_empty() && self.nacked.is_empty();
        self.link.open().filter(|_| idle).map(|_| self.link.node())
    }

    /// What it waits for; `None` if it has nothing left to do.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        let unsent = self.again.len() + self.nacked.len();
        match (self.config.sending.has_ended(), unsent, self.unsettled) {
            (false, ..) => Some("the end of the load".into()),
            (_, 0, 0) => None,
            (_, 0, open) => Some(format!("answers to {open} messages").into()),
            (_, unsent, _) => {
                let what = match self.link.open() {
                    Some(_) if self.closed || self.declares => "a channel",
                    Some(_) => "its turn",
                    None => "a connection",
                };
                Some(format!("{what} to publish {unsent} again").into())
            }
        }
    }
}
