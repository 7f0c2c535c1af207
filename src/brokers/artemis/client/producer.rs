//! A producer: one thread with one session (`ClientProducerImpl`), which waits for answers or does not; and an
//! application that sends again what has failed.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kit::application::{Due, Sending};
use crate::engine::Time;
use crate::observe::{self, EventId, MessageRange, Observer, Outcome, ProducerId, Removal};
use crate::world::{Context, Input, Lane, Signal, Wait};

use super::super::config::Config;
use super::super::message::{CoreMessage, Message, PACKET, QueueId, Send, Timer};
use super::super::words::{because, cause, event};
use super::connection::{Connection, ConnectionConfig, Event};

/// How sends are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A send returns with the broker's answer.
    Blocking,
    /// A send returns when the message is in the socket.
    Async,
    /// The application commits after so many.
    Transacted(u32),
}

/// What a producer does.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// Which one it is.
    pub id: ProducerId,
    /// Where it sends to.
    pub queue: QueueId,
    /// How it connects.
    pub connection: ConnectionConfig,
    /// How it sends.
    pub mode: Mode,
    /// `durable`.
    pub durable: bool,
    /// `duplicate-id`.
    pub duplicate_id: bool,
    /// `producerWindowSize`.
    pub window: u32,
    /// Whether the application sends again what has failed.
    pub resend: bool,
}

/// The call that its thread waits in.
#[derive(Clone, Copy, Debug)]
struct Call {
    id: u32,
    /// The message; of a commit none.
    message: Option<CoreMessage>,
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    config: Arc<Config>,
    own: ProducerConfig,
    /// When it means to send, and how much.
    sending: Sending,
    connection: Connection,
    call: Option<Call>,
    next_call: u32,
    /// The messages of the transaction that is open.
    transaction: Vec<CoreMessage>,
    /// The session has lost its connection with work in its transaction (`rollbackOnly`).
    rollback_only: bool,
    /// So many bytes it may send, and so many it has asked for.
    credits: u64,
    asked: u64,
    /// What the application sends once more.
    again: VecDeque<CoreMessage>,
    leaving: bool,
}

impl Producer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, own: ProducerConfig, sending: Sending) -> Producer {
        Producer {
            connection: Connection::new(own.connection.clone()),
            call: None,
            next_call: 0,
            transaction: Vec::new(),
            rollback_only: false,
            credits: 0,
            asked: 0,
            again: VecDeque::new(),
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
                self.connection.connect(ctx);
            }
            Input::Signal(Signal::LoadEnded) => self.end_load(ctx),
            Input::Signal(Signal::Stop) => self.leaving = true,
            Input::Signal(_) => {}
            Input::Local { body: Message::Timer(Timer::Pace) } => self.sending.woken(ctx),
            Input::Local { body: Message::Timer(Timer::CallTimeout(id)) } => {
                if self.call.is_some_and(|call| call.id == id) {
                    self.fail_call(event::CALL_TIMED_OUT, ctx);
                }
            }
            input => match self.connection.handle(input, ctx) {
                Event::Opened => self.opened(ctx),
                Event::Lost(told) => {
                    if told {
                        self.fail_session(ctx);
                    }
                }
                Event::GivenUp => self.fail_session(ctx),
                Event::Told(Message::Response(id, success)) => self.answered(id, success, ctx),
                Event::Told(Message::ProducerCredits(bytes)) => {
                    self.credits += u64::from(bytes);
                    self.asked = self.asked.saturating_sub(u64::from(bytes));
                }
                Event::Told(_) | Event::Reattached | Event::Writable | Event::Nothing => {}
            },
        }
        self.pump(ctx);
        if self.leaving && self.is_idle() {
            self.connection.close(ctx);
            ctx.exit();
        }
    }

    /// Sends what is due while the thread is free.
    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some(conn) = self.connection.open()
            && self.call.is_none()
            && ctx.room(conn) > 0
        {
            if self.rollback_only {
                self.roll_back(ctx);
                continue;
            }
            if !self.has_credits(ctx) {
                return;
            }
            if let Some(message) = self.again.pop_front() {
                self.send(message, false, ctx);
                continue;
            }
            if self.leaving {
                return self.commit(ctx);
            }
            match self.sending.due(Timer::Pace.into(), ctx) {
                Due::Send { intended } => {
                    let message = self.attempt(intended, ctx);
                    self.send(message, true, ctx);
                }
                Due::Skip { intended } => self.skip(intended, ctx),
                Due::Nothing if self.sending.has_ended() => return self.commit(ctx),
                Due::Nothing => return,
            }
        }
    }

    /// `ClientProducerCreditsImpl.checkCredits`: asks for more when there is less than a window.
    fn has_credits(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        let window = u64::from(self.own.window);
        let missing = window.saturating_sub(self.credits + self.asked);
        if missing > 0 {
            self.asked += missing;
            let request = Message::RequestCredits(self.own.queue, missing as u32);
            self.connection.send(request, PACKET, ctx);
        }
        self.credits > 0
    }

    fn range(&mut self, at: Time, intended: Time, observer: &mut dyn Observer) -> MessageRange {
        let bytes = self.sending.size();
        self.sending.attempt(at, intended, (0, self.own.id), bytes, observer)
    }

    fn attempt(&mut self, intended: Time, ctx: &mut Context<'_, Message>) -> CoreMessage {
        let now = ctx.now();
        let range = self.range(now, intended, ctx.observer());
        let ProducerConfig { queue: origin, durable, duplicate_id, .. } = self.own;
        CoreMessage { range, origin, durable, duplicate_id }
    }

    fn skip(&mut self, intended: Time, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let range = self.range(now, intended, ctx.observer());
        ctx.observer().outcome(now, range, Outcome::Unsent);
    }

    /// Its thread waits for the answer to a call.
    fn begin_call(&mut self, message: Option<CoreMessage>, ctx: &mut Context<'_, Message>) -> u32 {
        let id = self.next_call;
        self.next_call += 1;
        self.call = Some(Call { id, message });
        ctx.after(self.connection.call_timeout(), Lane::MAIN, Timer::CallTimeout(id).into());
        id
    }

    /// Sends a message, for the `first` time or once more.
    fn send(&mut self, message: CoreMessage, first: bool, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.send);
        let (now, range) = (ctx.now(), message.range);
        let (blocks, transacted) = match self.own.mode {
            Mode::Blocking => (true, false),
            Mode::Async => (false, false),
            Mode::Transacted(_) => (false, true),
        };
        let call = blocks.then(|| self.begin_call(Some(message), ctx));
        ctx.observer().sent(now, range);
        if !blocks && !transacted {
            // Should no broker ever read it, this is why it is gone.
            let why = Removal::new(cause::ON_ITS_WAY, because::NOT_AWAITED);
            let (node, queue) = (ctx.node(), Some(message.origin));
            ctx.observer().dropped(now, node, queue, range, why);
        }
        self.credits = self.credits.saturating_sub(u64::from(message.bytes()));
        self.connection.send(
            Message::Send(Send { call, message, transacted }),
            message.bytes(),
            ctx,
        );
        match self.own.mode {
            Mode::Blocking => {}
            Mode::Async => {
                ctx.observer().outcome(now, range, Outcome::Accepted);
                self.sending.settled(1, ctx);
            }
            Mode::Transacted(every) => {
                self.transaction.push(message);
                // The call has returned: a closed loop goes on, unless it waits for the commit.
                if first {
                    self.sending.settled(1, ctx);
                }
                if self.transaction.len() >= every as usize {
                    self.commit(ctx);
                }
            }
        }
    }

    fn commit(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.transaction.is_empty() && self.call.is_none() {
            let id = self.begin_call(None, ctx);
            self.connection.send(Message::Commit(id), PACKET, ctx);
        }
    }

    fn answered(&mut self, id: u32, success: bool, ctx: &mut Context<'_, Message>) {
        let Some(Call { message, .. }) = self.call.take_if(|call| call.id == id) else { return };
        let outcome = if success { Outcome::Acked } else { Outcome::Rejected };
        let now = ctx.now();
        match message {
            Some(message) => {
                ctx.observer().outcome(now, message.range, outcome);
                self.sending.settled(1, ctx);
            }
            None => {
                for message in std::mem::take(&mut self.transaction) {
                    ctx.observer().outcome(now, message.range, outcome);
                }
            }
        }
    }

    /// A call fails with an exception that leaves open what became of it.
    fn fail_call(&mut self, why: EventId, ctx: &mut Context<'_, Message>) {
        let Some(Call { message, .. }) = self.call.take() else { return };
        let (now, node, of) = (ctx.now(), ctx.node(), Some(self.own.queue));
        let broker = Some(self.connection.broker());
        ctx.observer().event(now, observe::Event::new(why, node, of, broker, 1));
        let Some(message) = message else {
            return self.commit_in_doubt(ctx);
        };
        ctx.observer().outcome(now, message.range, Outcome::Unknown);
        if self.own.resend {
            self.again.push_back(message);
        } else {
            self.sending.settled(1, ctx);
        }
    }

    fn commit_in_doubt(&mut self, ctx: &mut Context<'_, Message>) {
        let messages = std::mem::take(&mut self.transaction);
        let (now, node, count) = (ctx.now(), ctx.node(), messages.len() as u64);
        let of = Some(self.own.queue);
        ctx.observer()
            .event(now, observe::Event::new(event::COMMIT_IN_DOUBT, node, of, None, count));
        for message in &messages {
            ctx.observer().outcome(now, message.range, Outcome::Unknown);
        }
        if self.own.resend {
            self.again.extend(messages);
        }
    }

    /// The transaction's work is gone with its session: the commit throws, and the application repeats it.
    fn roll_back(&mut self, ctx: &mut Context<'_, Message>) {
        self.rollback_only = false;
        self.commit_in_doubt(ctx);
    }

    /// There is a new session: whoever waited for an answer of the old one gets an exception, and what
    /// was in a transaction is rolled back.
    fn opened(&mut self, ctx: &mut Context<'_, Message>) {
        (self.credits, self.asked) = (0, 0);
        if self.call.is_some() {
            self.fail_call(event::UNBLOCKED, ctx);
        }
        self.rollback_only = !self.transaction.is_empty();
    }

    /// The session is closed, and the application knows.
    fn fail_session(&mut self, ctx: &mut Context<'_, Message>) {
        if self.call.is_some() {
            self.fail_call(event::UNBLOCKED, ctx);
        }
        if !self.transaction.is_empty() {
            self.roll_back(ctx);
        }
    }

    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        self.sending.end();
        while let Some(intended) = self.sending.overdue(ctx.now()) {
            self.skip(intended, ctx);
        }
    }

    fn is_idle(&self) -> bool {
        self.call.is_none() && self.again.is_empty() && self.transaction.is_empty()
    }

    /// The process has died. What is under way will not be answered.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.connection.forget();
        let message = self.call.take().and_then(|call| call.message);
        let transaction = std::mem::take(&mut self.transaction);
        for message in message.into_iter().chain(transaction) {
            observer.outcome(at, message.range, Outcome::Unknown);
        }
        self.rollback_only = false;
        (self.credits, self.asked) = (0, 0);
        self.again.clear();
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
