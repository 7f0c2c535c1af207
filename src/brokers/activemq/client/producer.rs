//! A producer: one thread with one session (`ActiveMQSession.send`), which waits for answers or does
//! not, and what `failover:` sends again for it (`ConnectionStateTracker`).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kit::application::{Due, Sending};
use crate::engine::Time;
use crate::observe::{self, MessageRange, Observer, Outcome, ProducerId, Removal};
use crate::world::{ConnId, Context, Input, Signal, Wait};

use super::super::config::Config;
use super::super::message::{COMMAND, Jms, Message, QueueId, Send, Timer};
use super::super::rules::Rule;
use super::super::words::{because, cause, event};
use super::transport::{Event, Transport, TransportConfig};

/// How sends are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// send() returns with the broker's answer.
    Sync,
    /// send() returns when the message is in the socket.
    Async,
    /// The answers come to a listener, of at most so many.
    Callback(u32),
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
    pub transport: TransportConfig,
    /// How it sends.
    pub mode: Mode,
    /// `DeliveryMode.PERSISTENT`.
    pub persistent: bool,
    /// `trackMessages`: of so many bytes.
    pub track: Option<u64>,
    /// Whether the application sends again what has failed.
    pub resend: bool,
}

/// A request that is not answered.
#[derive(Clone, Copy, Debug)]
struct Request {
    id: u32,
    /// The message; of a commit none.
    send: Option<Send>,
}

/// A producer.
#[derive(Clone, Debug)]
pub struct Producer {
    config: Arc<Config>,
    own: ProducerConfig,
    /// When it means to send, and how much.
    sending: Sending,
    transport: Transport,
    /// What is not answered, in order (`requestMap`).
    requests: VecDeque<Request>,
    next_request: u32,
    /// The messages of the transaction that is open.
    transaction: Vec<Jms>,
    /// What is kept of messages that are not waited for (`messageCache`).
    cache: VecDeque<Send>,
    cached: u64,
    /// What the application sends once more.
    again: VecDeque<Jms>,
    /// The sequence id of the next send.
    next_sequence: u32,
    leaving: bool,
}

impl Producer {
    /// A producer that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, own: ProducerConfig, sending: Sending) -> Producer {
        Producer {
            transport: Transport::new(own.transport.clone()),
            requests: VecDeque::new(),
            next_request: 0,
            transaction: Vec::new(),
            cache: VecDeque::new(),
            cached: 0,
            again: VecDeque::new(),
            next_sequence: 0,
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
                self.transport.connect(ctx);
            }
            Input::Signal(Signal::LoadEnded) => self.end_load(ctx),
            Input::Signal(Signal::Stop) => self.leaving = true,
            Input::Signal(_) => {}
            Input::Local { body: Message::Timer(Timer::Pace) } => self.sending.woken(ctx),
            input => match self.transport.handle(input, ctx) {
                Event::Opened(conn) => self.opened(conn, ctx),
                Event::Lost => self.lost(ctx),
                Event::Told(Message::Response(id, success)) => self.answered(id, success, ctx),
                Event::Told(_) | Event::Writable | Event::Nothing => {}
            },
        }
        self.pump(ctx);
        if self.leaving && self.is_idle() {
            self.transport.close(ctx);
            ctx.exit();
        }
    }

    /// Whether its thread is in no call, and the socket takes a message.
    fn is_free(&self, conn: ConnId, ctx: &Context<'_, Message>) -> bool {
        let most = match self.own.mode {
            Mode::Callback(most) => most as usize,
            Mode::Sync | Mode::Async | Mode::Transacted(_) => 1,
        };
        self.requests.len() < most && ctx.room(conn) > 0
    }

    /// Sends what is due while the thread is free.
    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some(conn) = self.transport.open()
            && self.is_free(conn, ctx)
        {
            if let Some(message) = self.again.pop_front() {
                self.send(conn, message, false, ctx);
                continue;
            }
            if self.leaving {
                return self.commit(conn, ctx);
            }
            match self.sending.due(Timer::Pace.into(), ctx) {
                Due::Send { intended } => {
                    let message = self.attempt(intended, ctx);
                    self.send(conn, message, true, ctx);
                }
                Due::Skip { intended } => self.skip(intended, ctx),
                Due::Nothing if self.sending.has_ended() => return self.commit(conn, ctx),
                Due::Nothing => return,
            }
        }
    }

    fn range(&mut self, at: Time, intended: Time, observer: &mut dyn Observer) -> MessageRange {
        let bytes = self.sending.size();
        self.sending.attempt(at, intended, (0, self.own.id), bytes, observer)
    }

    fn attempt(&mut self, intended: Time, ctx: &mut Context<'_, Message>) -> Jms {
        let now = ctx.now();
        let range = self.range(now, intended, ctx.observer());
        Jms { range, origin: self.own.queue, sequence: 0, persistent: self.own.persistent }
    }

    fn skip(&mut self, intended: Time, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let range = self.range(now, intended, ctx.observer());
        ctx.observer().outcome(now, range, Outcome::Unsent);
    }

    fn request(&mut self, send: Option<Send>) -> u32 {
        let id = self.next_request;
        self.next_request += 1;
        self.requests.push_back(Request { id, send });
        id
    }

    /// Sends a message, for the `first` time or once more: then as another one.
    fn send(&mut self, conn: ConnId, message: Jms, first: bool, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.send);
        let message = Jms { sequence: self.next_sequence, ..message };
        self.next_sequence += 1;
        let transacted = matches!(self.own.mode, Mode::Transacted(_));
        let mut send = Send { id: None, message, transacted };
        if matches!(self.own.mode, Mode::Sync | Mode::Callback(_)) {
            let id = self.next_request;
            send.id = Some(id);
            self.request(Some(send));
        }
        self.transmit(conn, send, ctx);
        match self.own.mode {
            Mode::Sync | Mode::Callback(_) => {}
            Mode::Async => {
                let now = ctx.now();
                ctx.observer().outcome(now, message.range, Outcome::Accepted);
                self.sending.settled(1, ctx);
                self.keep(send);
            }
            Mode::Transacted(most) => {
                self.transaction.push(message);
                // send() has returned: a closed loop goes on, unless it waits for the commit.
                if first {
                    self.sending.settled(1, ctx);
                }
                if self.transaction.len() >= most as usize {
                    self.commit(conn, ctx);
                }
            }
        }
    }

    fn transmit(&self, conn: ConnId, send: Send, ctx: &mut Context<'_, Message>) {
        let (now, node, message) = (ctx.now(), ctx.node(), send.message);
        ctx.observer().sent(now, message.range);
        if send.id.is_none() && !send.transacted {
            // Until a broker has read it, it is lost with the connection.
            let why = Removal::new(cause::ON_ITS_WAY, because::NOT_AWAITED);
            ctx.observer().dropped(now, node, Some(message.origin), message.range, why);
        }
        ctx.send(conn, Message::Send(send), message.bytes());
    }

    /// `ConnectionStateTracker.messageCache`: the oldest go when it is full.
    fn keep(&mut self, send: Send) {
        let Some(most) = self.own.track else { return };
        self.cached += u64::from(send.message.bytes());
        self.cache.push_back(send);
        while self.cached > most {
            let Some(oldest) = self.cache.pop_front() else { return };
            self.cached -= u64::from(oldest.message.bytes());
        }
    }

    fn commit(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if self.transaction.is_empty() || !self.requests.is_empty() {
            return;
        }
        let id = self.request(None);
        ctx.send(conn, Message::Commit(id, None), COMMAND);
    }

    fn answered(&mut self, id: u32, success: bool, ctx: &mut Context<'_, Message>) {
        let Some(at) = self.requests.iter().position(|request| request.id == id) else { return };
        let Some(request) = self.requests.remove(at) else { return };
        let outcome = if success { Outcome::Acked } else { Outcome::Nacked };
        let now = ctx.now();
        match request.send {
            Some(send) => {
                ctx.observer().outcome(now, send.message.range, outcome);
                self.sending.settled(1, ctx);
            }
            None => self.transaction_ends(outcome, ctx),
        }
    }

    /// The commit has come to something.
    fn transaction_ends(&mut self, outcome: Outcome, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let messages = std::mem::take(&mut self.transaction);
        for message in &messages {
            ctx.observer().outcome(now, message.range, outcome);
        }
        if outcome == Outcome::Unknown && self.own.resend {
            self.again.extend(messages);
        }
    }

    /// The connection is there. What `failover:` replays: the open transaction, then what is not
    /// answered, then what it has kept (`restoreTransport`).
    fn opened(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if self.transport.is_plain() || !self.config.has(Rule::ReplayRequests) {
            return;
        }
        let transacted = self.transaction.iter().map(|message| Send {
            id: None,
            message: *message,
            transacted: true,
        });
        let requests = self.requests.iter().filter_map(|request| request.send);
        let all: Vec<Send> = transacted.chain(requests).chain(self.cache.iter().copied()).collect();
        if all.is_empty() {
            return;
        }
        let (now, node, count) = (ctx.now(), ctx.node(), all.len() as u64);
        let subject = Some(self.transport.broker());
        ctx.observer().event(
            now,
            observe::Event::new(event::REPLAYED, node, Some(self.own.queue), subject, count),
        );
        for send in all {
            self.transmit(conn, send, ctx);
        }
    }

    /// The connection is lost. A commit that was not answered is in doubt with either transport;
    /// other requests fail with `tcp:` and wait with `failover:`.
    fn lost(&mut self, ctx: &mut Context<'_, Message>) {
        let waits = !self.transport.is_plain() && self.config.has(Rule::ReplayRequests);
        let commits = self.requests.iter().any(|request| request.send.is_none());
        if commits || !waits && !self.transaction.is_empty() {
            self.requests.retain(|request| request.send.is_some());
            let (now, node, count) = (ctx.now(), ctx.node(), self.transaction.len() as u64);
            let of = Some(self.own.queue);
            ctx.observer()
                .event(now, observe::Event::new(event::COMMIT_IN_DOUBT, node, of, None, count));
            self.transaction_ends(Outcome::Unknown, ctx);
        }
        if waits {
            return;
        }
        for request in std::mem::take(&mut self.requests) {
            let Some(send) = request.send else { continue };
            let now = ctx.now();
            ctx.observer().outcome(now, send.message.range, Outcome::Unknown);
            if self.own.resend {
                self.again.push_back(send.message);
            } else {
                self.sending.settled(1, ctx);
            }
        }
    }

    fn end_load(&mut self, ctx: &mut Context<'_, Message>) {
        self.sending.end();
        while let Some(intended) = self.sending.overdue(ctx.now()) {
            self.skip(intended, ctx);
        }
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.again.is_empty() && self.transaction.is_empty()
    }

    /// The process has died. What is under way will not be answered.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.transport.forget();
        let requests = std::mem::take(&mut self.requests).into_iter();
        let sends = requests.filter_map(|request| request.send.map(|send| send.message));
        let transaction = std::mem::take(&mut self.transaction);
        for message in sends.chain(transaction) {
            observer.outcome(at, message.range, Outcome::Unknown);
        }
        self.again.clear();
        self.cache.clear();
        self.cached = 0;
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
