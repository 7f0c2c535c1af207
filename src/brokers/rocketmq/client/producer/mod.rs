//! A producer (`DefaultMQProducerImpl`): picks a queue for each message, sends it to the master of its
//! group, and if that fails picks another.

mod select;
mod send;

use std::sync::Arc;

use crate::brokers::kit::application::{Due, Sending};
use crate::engine::{Span, Time};
use crate::observe::{MessageRange, Observer, Outcome};
use crate::world::{Context, Input, Signal, Wait};

use super::super::config::{Config, QueueId};
use super::super::message::{Message, Timer};
use super::super::remoting::Event;
use super::{Asked, Instance};
use select::Latency;
use send::Call;

/// How sends are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Threads wait for answers: so many.
    Sync(u32),
    /// Answers come to a callback.
    Async,
    /// There are no answers.
    Oneway,
}

/// What a producer does.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// Which of the scenario's producers it is.
    pub writer: u32,
    /// How.
    pub mode: Mode,
    /// `sendMsgTimeout`.
    pub timeout: Span,
    /// `sendMsgMaxTimeoutPerRequest`.
    pub attempt_timeout: Option<Span>,
    /// How many more attempts there are after the first one.
    pub retries: u32,
    /// `retryAnotherBrokerWhenNotStoreOK`.
    pub retry_not_ok: bool,
    /// `sendLatencyEnable`.
    pub latency: bool,
    /// Whether the application takes anything but SEND_OK for a failure.
    pub strict: bool,
    /// How long after a failure the application sends the message again.
    pub resend: Option<Span>,
    /// `pollNameServerInterval`.
    pub poll_interval: Span,
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    config: Arc<Config>,
    own: ProducerConfig,
    /// When it means to send, and how much.
    sending: Sending,
    instance: Instance<u32>,
    latency: Latency,
    /// What is under way: of a synchronous producer one a thread.
    calls: Vec<Option<Call>>,
    free: Vec<u32>,
    /// Where each thread's round of the queues is (`ThreadLocalIndex`); one for callbacks.
    rounds: Vec<Option<u32>>,
    /// Results other than SEND_OK since the last one that was.
    soft: u64,
    leaving: bool,
}

impl Producer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, own: ProducerConfig, sending: Sending) -> Producer {
        let threads = match own.mode {
            Mode::Sync(threads) => threads,
            Mode::Async | Mode::Oneway => 0,
        };
        Producer {
            instance: Instance::new(config.clone(), own.poll_interval),
            latency: Latency::new(config.groups()),
            calls: (0..threads).map(|_| None).collect(),
            free: (0..threads).rev().collect(),
            rounds: vec![None; threads.max(1) as usize],
            soft: 0,
            leaving: false,
            config,
            own,
            sending,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                self.instance.start(ctx);
                self.pump(ctx);
            }
            Input::Signal(Signal::LoadEnded) => self.end_load(ctx),
            Input::Signal(Signal::Stop) => self.leaving = true,
            Input::Signal(Signal::NodeResumed) => {}
            Input::Local { body: Message::Timer(timer) } => match timer {
                Timer::Pace => {
                    self.sending.woken(ctx);
                    self.pump(ctx);
                }
                Timer::PollRoute => self.instance.poll(ctx),
                Timer::Resend(call) => self.send_again(call, ctx),
                Timer::Requests => {
                    let events = self.instance.remoting.overdue(ctx);
                    self.events(events, ctx);
                }
                _ => {}
            },
            input => {
                let server = input.conn().and_then(|conn| self.instance.remoting.owner(conn));
                if let Some(server) = server {
                    let events = self.instance.remoting.handle(server, input, ctx);
                    self.events(events, ctx);
                }
            }
        }
        if self.leaving && self.is_idle() {
            self.instance.remoting.close(ctx);
            ctx.exit();
        }
    }

    fn events(&mut self, events: Vec<Event<Asked<u32>>>, ctx: &mut Context<'_, Message>) {
        for event in events {
            match event {
                Event::Answered(Asked::Route(..), Message::RouteIs(_, route)) => {
                    self.instance.route_is(route, ctx);
                }
                Event::Failed(Asked::Route(_, tried), failure) => {
                    self.instance.route_failed(tried, failure, ctx);
                }
                Event::Answered(Asked::Own(call), Message::Sent(_, code)) => {
                    self.answered(call, code, ctx);
                }
                Event::Failed(Asked::Own(call), failure) => self.failed(call, failure, ctx),
                _ => {}
            }
        }
        self.pump(ctx);
    }

    /// Sends what is due while there is a thread for it.
    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        while !self.leaving && (!matches!(self.own.mode, Mode::Sync(_)) || !self.free.is_empty()) {
            match self.sending.due(Timer::Pace.into(), ctx) {
                Due::Send { intended } => self.send(intended, ctx),
                Due::Skip { intended } => self.skip(intended, ctx),
                Due::Nothing => return,
            }
        }
    }

    /// A message that the application sends, which is meant for a queue.
    fn attempt(
        &mut self,
        at: Time,
        intended: Time,
        queue: QueueId,
        observer: &mut dyn Observer,
    ) -> MessageRange {
        let bytes = self.sending.size();
        let index = self.config.streams.get(queue).index as usize;
        let stream = (index, self.config.streams.stream(self.own.writer, queue));
        self.sending.attempt(at, intended, stream, bytes, observer)
    }

    /// It is never sent, and stands in the line of the queue that it would go to.
    fn skip(&mut self, intended: Time, ctx: &mut Context<'_, Message>) {
        let queue = self.select(0, None, ctx).unwrap_or_else(|| self.first_queue());
        let now = ctx.now();
        let message = self.attempt(now, intended, queue, ctx.observer());
        ctx.observer().outcome(now, message, Outcome::Unsent);
    }

    fn first_queue(&self) -> QueueId {
        self.config.streams.partition(self.config.streams.topic_of(self.own.writer), 0)
    }

    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        self.sending.end();
        while let Some(intended) = self.sending.overdue(ctx.now()) {
            self.skip(intended, ctx);
        }
    }

    fn is_idle(&self) -> bool {
        self.calls.iter().all(Option::is_none)
    }

    /// The process has died. What is under way will not be answered.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.instance.died();
        for (number, call) in (0..).zip(&mut self.calls) {
            if let Some(call) = call.take() {
                observer.outcome(at, call.message(), Outcome::Unknown);
                self.free.push(number);
            }
        }
        self.rounds.iter_mut().for_each(|round| *round = None);
        self.latency.forget();
        self.sending.died(at);
        self.leaving = false;
    }

    /// What it waits for; `None` if it has nothing left to do.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        if !self.sending.has_ended() {
            return Some("the end of the load".into());
        }
        (!self.is_idle()).then(|| "answers to what it has sent".into())
    }
}
