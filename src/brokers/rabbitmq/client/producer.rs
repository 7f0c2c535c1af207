//! A producer: publishes at its pace, keeps a window of unconfirmed messages, decides what to do
//! with what is not confirmed.

use std::collections::VecDeque;

use crate::engine::{Span, Stream, Time};
use crate::observe::{MessageRange, NodeId, Observer, Outcome, ProducerId};
use crate::workload::{Pacer, Sizes, Turn};
use crate::world::{ConnId, Context, Input, Lane, Signal, TimerId};

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
    /// When it means to send.
    pub pacer: Pacer,
    /// Streams for its pace and its sizes.
    pub streams: (Stream, Stream),
    /// How large its messages are.
    pub sizes: Sizes,
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
    at: Time,
    state: State,
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    config: ProducerConfig,
    link: Link,
    next: u32,
    /// Publishes of this channel from `first_tag` on.
    sent: VecDeque<Sent>,
    first_tag: PublishSeq,
    unsettled: u32,
    again: VecDeque<MessageRange>,
    nacked: VecDeque<(Time, MessageRange)>,
    /// When the pace timer will fire.
    wake: Option<(Time, TimerId)>,
    load_ended: bool,
    /// The broker has closed its channel; it has no other yet.
    closed: bool,
}

impl Producer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(config: ProducerConfig) -> Producer {
        Producer {
            link: Link::new(config.link.clone()),
            config,
            next: 0,
            sent: VecDeque::new(),
            first_tag: 1,
            unsettled: 0,
            again: VecDeque::new(),
            nacked: VecDeque::new(),
            wake: None,
            load_ended: false,
            closed: false,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                self.link.connect(ctx);
                if let Some(timeout) = self.config.send_timeout {
                    ctx.after(timeout / 2, Lane::MAIN, Message::SendTimeout);
                }
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
            Input::Message { body: Message::ConfirmAck { seq, multiple }, .. } => {
                self.confirmed(ctx, seq, multiple, Outcome::Acked);
            }
            Input::Message { body: Message::ConfirmNack { seq, multiple }, .. } => {
                self.confirmed(ctx, seq, multiple, Outcome::Nacked);
            }
            Input::Message { body: Message::BasicReturn { message, seq }, .. } => {
                self.returned(ctx, message, seq);
            }
            Input::Local { body: Message::ClientTimer } => {
                self.wake = None;
                self.pump(ctx);
            }
            Input::Local { body: Message::SendTimeout } => self.check_timeouts(ctx),
            Input::Message { body: Message::ChannelClose { .. }, .. } => self.channel_closed(ctx),
            Input::Message { body: Message::ChannelOpenOk, .. } => self.opened(ctx),
            Input::Local { body: Message::Resubscribe } => {
                if let Some(conn) = self.link.open().filter(|_| self.closed) {
                    ctx.send(conn, Message::ChannelOpen, METHOD_BYTES);
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
        self.pump(ctx);
    }

    /// The broker has closed the channel: what was not confirmed on it never will be.
    fn channel_closed(&mut self, ctx: &mut Context<'_, Message>) {
        self.lost(ctx);
        self.closed = true;
        if self.config.reopen {
            ctx.after(self.config.reopen_delay, Lane::MAIN, Message::Resubscribe);
            return;
        }
        let now = ctx.now();
        for message in std::mem::take(&mut self.again) {
            ctx.observer().outcome(now, message, Outcome::Unknown);
            self.config.pacer.settled(now);
        }
    }

    /// Sends what is due while there is room.
    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some(conn) = self.link.open().filter(|_| !self.closed) {
            let full = self.config.window.is_some_and(|window| self.unsettled >= window);
            if full || ctx.room(conn) == 0 {
                return;
            }
            let now = ctx.now();
            while self.nacked.front().is_some_and(|(due, _)| *due <= now) {
                self.again.extend(self.nacked.pop_front().map(|(_, message)| message));
            }
            if let Some(message) = self.again.pop_front() {
                self.publish(ctx, conn, message);
                continue;
            }
            // The timer may have fired while the window was full.
            if let Some(&(due, _)) = self.nacked.front() {
                self.wake_at(ctx, due);
            }
            if self.load_ended {
                return;
            }
            match self.config.pacer.turn(now, &mut self.config.streams.0) {
                Turn::Send { intended } => {
                    let message = self.attempt(ctx, intended);
                    self.publish(ctx, conn, message);
                }
                Turn::Skip { intended } => self.skip(ctx, intended),
                Turn::Wait { until } => {
                    self.wake_at(ctx, until);
                    return;
                }
                Turn::InFlight | Turn::Done => return,
            }
        }
    }

    fn wake_at(&mut self, ctx: &mut Context<'_, Message>, until: Time) {
        match self.wake {
            Some((wake, _)) if wake <= until => return,
            Some((_, later)) => ctx.cancel(later),
            None => {}
        }
        let timer = ctx.after(until.since(ctx.now()), Lane::MAIN, Message::ClientTimer);
        self.wake = Some((until, timer));
    }

    fn attempt(&mut self, ctx: &mut Context<'_, Message>, intended: Time) -> MessageRange {
        let bytes = self.config.sizes.next(&mut self.config.streams.1);
        let message = MessageRange { producer: self.config.id, first: self.next, count: 1, bytes };
        self.next += 1;
        let now = ctx.now();
        ctx.observer().attempted(now, intended, message);
        message
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
        let publish = Message::BasicPublish { exchange, key, message, properties };
        ctx.send(conn, publish, PUBLISH_BYTES + message.bytes);
        if properties.confirm {
            self.sent.push_back(Sent { message, at: now, state: State::Waiting });
            self.unsettled += 1;
        } else {
            ctx.observer().outcome(now, message, Outcome::Accepted);
            self.config.pacer.settled(now);
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
                let due = now + self.config.republish_delay;
                self.nacked.push_back((due, message));
                self.wake_at(ctx, due);
                return;
            }
        }
        self.config.pacer.settled(now);
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
        for sent in std::mem::take(&mut self.sent) {
            match sent.state {
                State::Waiting if self.config.republish => again.push_back(sent.message),
                State::Waiting => {
                    ctx.observer().outcome(now, sent.message, Outcome::Unknown);
                    self.config.pacer.settled(now);
                }
                State::Returned => self.config.pacer.settled(now),
                State::Settled => {}
            }
        }
        again.append(&mut self.again);
        again.extend(self.nacked.drain(..).map(|(_, message)| message));
        self.again = again;
        self.unsettled = 0;
    }

    fn check_timeouts(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(timeout) = self.config.send_timeout else { return };
        let now = ctx.now();
        let late = self.sent.iter().take_while(|sent| now.since(sent.at) >= timeout).count();
        for index in 0..late {
            self.settle(ctx, index, Outcome::Unknown);
        }
        self.forget_settled();
        ctx.after(timeout / 2, Lane::MAIN, Message::SendTimeout);
        self.pump(ctx);
    }

    /// The measured time is over: what was meant to be sent by now and was not never is.
    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        self.load_ended = true;
        while let Some(intended) = self.config.pacer.overdue(now, &mut self.config.streams.0) {
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
        self.again.clear();
        self.nacked.clear();
        self.unsettled = 0;
        self.wake = None;
        self.closed = false;
        self.link.forget();
    }

    /// The node that it waits for, if all that it has left to do is to wait for answers.
    #[must_use]
    pub fn waits_for(&self) -> Option<NodeId> {
        let idle = self.load_ended && self.again.is_empty() && self.nacked.is_empty();
        self.link.open().filter(|_| idle).map(|_| self.link.node())
    }

    /// Whether it has nothing left to do.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.load_ended && self.unsettled == 0 && self.again.is_empty() && self.nacked.is_empty()
    }
}
