//! A send and its attempts (`DefaultMQProducerImpl.sendDefaultImpl`, `MQClientAPIImpl.sendMessageAsync`).

use crate::engine::{Span, Time};
use crate::observe::{Event, MessageRange, Outcome, Removal};
use crate::world::{Context, Lane};

use super::super::super::config::QueueId;
use super::super::super::message::{Code, HEADER, Message, Send, Timer};
use super::super::super::remoting::{Failure, Waits};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause, event};
use super::super::Asked;
use super::{Mode, Producer};

/// A send that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    message: MessageRange,
    /// When it began, and its present attempt, by the wall clock.
    began: Time,
    attempt_began: Time,
    attempts: u32,
    /// The group of its present attempt.
    group: u32,
    /// Whether a broker may have stored it although nothing says so.
    doubt: bool,
    /// A result other than SEND_OK of an attempt.
    soft: bool,
}

impl Call {
    pub(super) const fn message(&self) -> MessageRange {
        self.message
    }
}

/// What an attempt has come to, so that there may be another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    /// If there is one left.
    Yes,
    /// This was the last one.
    No,
}

impl Producer {
    pub(super) fn send(&mut self, intended: Time, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.send);
        let thread = self.free.last().map_or(0, |thread| *thread as usize);
        let round = thread.min(self.rounds.len() - 1);
        let queue = self.select(round, None, ctx);
        let now = ctx.now();
        let meant = queue.unwrap_or_else(|| self.first_queue());
        let message = self.attempt(now, intended, meant, ctx.observer());
        if self.own.mode == Mode::Oneway {
            return match queue {
                Some(queue) => self.send_oneway(queue, message, ctx),
                None => self.no_route(message, ctx),
            };
        }
        let began = ctx.clock();
        let call = Call {
            message,
            began,
            attempt_began: began,
            attempts: 0,
            group: self.config.group_of(meant),
            doubt: false,
            soft: false,
        };
        let number = self.free.pop().unwrap_or(self.calls.len() as u32);
        if number as usize == self.calls.len() {
            self.calls.push(None);
        }
        self.calls[number as usize] = Some(call);
        match queue {
            Some(queue) => self.try_once(number, queue, ctx),
            None => {
                self.instance.ask_route(ctx);
                self.settle(number, Outcome::Rejected, ctx);
            }
        }
    }

    /// "No route info of this topic": it is not sent at all.
    fn no_route(&mut self, message: MessageRange, ctx: &mut Context<'_, Message>) {
        self.instance.ask_route(ctx);
        let now = ctx.now();
        ctx.observer().outcome(now, message, Outcome::Rejected);
        self.sending.settled(1, ctx);
    }

    fn send_oneway(
        &mut self,
        queue: QueueId,
        message: MessageRange,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(broker) = self.instance.master_of(self.config.group_of(queue)) else {
            return self.no_route(message, ctx);
        };
        let send = Message::Send(Send { id: None, queue, message, back: None });
        self.instance.remoting.post(broker.index(), send, HEADER + message.bytes, ctx);
        let (now, node) = (ctx.now(), ctx.node());
        // So that a loss on the way has its name.
        let why = Removal::new(cause::ON_ITS_WAY, because::NO_RETRY);
        ctx.observer().dropped(now, node, None, message, why);
        ctx.observer().sent(now, message);
        ctx.observer().outcome(now, message, Outcome::Accepted);
        self.sending.settled(1, ctx);
    }

    /// How long the next attempt may take; none if there is no time left.
    fn time_left(&self, call: &Call, now: Time) -> Option<Span> {
        let left = match self.config.has(Rule::OneBudget) {
            true => (call.began + self.own.timeout).since(now),
            false => self.own.timeout,
        };
        let may_retry = call.attempts < self.own.retries;
        let left = match self.own.attempt_timeout {
            Some(most) if may_retry => left.min(most),
            _ => left,
        };
        (!left.is_zero()).then_some(left)
    }

    fn try_once(&mut self, number: u32, queue: QueueId, ctx: &mut Context<'_, Message>) {
        let now = ctx.clock();
        let Some(mut call) = self.calls[number as usize] else { return };
        let Some(left) = self.time_left(&call, now) else {
            return self.give_up(number, ctx);
        };
        call.attempts += 1;
        call.attempt_began = now;
        call.group = self.config.group_of(queue);
        self.calls[number as usize] = Some(call);
        let Some(broker) = self.instance.master_of(call.group) else {
            // "The broker not exist": the route has changed meanwhile.
            return self.next(number, Retry::Yes, ctx);
        };
        let message = call.message;
        let waits = match self.own.mode {
            Mode::Sync(_) | Mode::Oneway => Waits::Sync(left),
            Mode::Async => Waits::Async(left),
        };
        let make = |id| Message::Send(Send { id: Some(id), queue, message, back: None });
        let request = (make, HEADER + message.bytes);
        self.instance.remoting.request(broker.index(), waits, Asked::Own(number), request, ctx);
        let at = ctx.now();
        ctx.observer().sent(at, message);
    }

    /// There is an answer.
    pub(super) fn answered(&mut self, number: u32, code: Code, ctx: &mut Context<'_, Message>) {
        let Some(call) = self.calls[number as usize] else { return };
        let took = ctx.clock().since(call.attempt_began);
        self.note_latency(call.group, took, !code.is_result(), ctx);
        if code == Code::Ok {
            return self.succeed(number, true, ctx);
        }
        if code.is_result() {
            self.change(number, |call| call.soft = true);
            let again = self.own.retry_not_ok && matches!(self.own.mode, Mode::Sync(_));
            return self.next(number, if again { Retry::Yes } else { Retry::No }, ctx);
        }
        let retries = match code {
            Code::SystemBusy => self.config.has(Rule::RetrySystemBusy),
            Code::SystemError | Code::ServiceNotAvailable => true,
            _ => false,
        };
        // A callback gets an exception that a broker has answered, without another attempt.
        let again = retries && matches!(self.own.mode, Mode::Sync(_));
        self.next(number, if again { Retry::Yes } else { Retry::No }, ctx);
    }

    /// There is none.
    pub(super) fn failed(&mut self, number: u32, failure: Failure, ctx: &mut Context<'_, Message>) {
        let Some(call) = self.calls[number as usize] else { return };
        let took = ctx.clock().since(call.attempt_began);
        self.note_latency(call.group, took, true, ctx);
        if failure != Failure::NotConnected {
            self.change(number, |call| call.doubt = true);
        }
        self.next(number, Retry::Yes, ctx);
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut Call)) {
        if let Some(call) = &mut self.calls[number as usize] {
            change(call);
        }
    }

    /// Another attempt, if there may be one.
    fn next(&mut self, number: u32, retry: Retry, ctx: &mut Context<'_, Message>) {
        let Some(call) = self.calls[number as usize] else { return };
        if retry == Retry::No || call.attempts > self.own.retries {
            return self.give_up(number, ctx);
        }
        let round = (number as usize).min(self.rounds.len() - 1);
        match self.select(round, Some(call.group), ctx) {
            Some(queue) => self.try_once(number, queue, ctx),
            None => self.give_up(number, ctx),
        }
    }

    /// The last attempt is over: a result that is none of SEND_OK, or an exception.
    fn give_up(&mut self, number: u32, ctx: &mut Context<'_, Message>) {
        let Some(call) = self.calls[number as usize] else { return };
        if call.soft {
            return self.succeed(number, false, ctx);
        }
        let outcome = if call.doubt { Outcome::Unknown } else { Outcome::Rejected };
        self.settle(number, outcome, ctx);
    }

    /// `send` has returned a result: SEND_OK, or one that only a strict application takes for a
    /// failure.
    fn succeed(&mut self, number: u32, ok: bool, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        if ok && self.soft > 0 {
            ctx.observer()
                .event(now, Event::new(event::SEND_OK_AGAIN, node, None, None, self.soft));
            self.soft = 0;
        } else if !ok {
            if self.soft == 0 {
                ctx.observer().event(now, Event::new(event::SOFT_SUCCESS, node, None, None, 0));
            }
            self.soft += 1;
        }
        if let (false, false, Some(call)) = (ok, self.own.strict, self.calls[number as usize]) {
            ctx.observer().remarked(now, call.message);
        }
        let outcome = if ok || !self.own.strict { Outcome::Acked } else { Outcome::Nacked };
        self.settle(number, outcome, ctx);
    }

    /// The application calls send again: for RocketMQ it is another message.
    pub(super) fn send_again(&mut self, number: u32, ctx: &mut Context<'_, Message>) {
        let Some(call) = self.calls[number as usize] else { return };
        let round = (number as usize).min(self.rounds.len() - 1);
        let Some(queue) = self.select(round, None, ctx) else {
            self.instance.ask_route(ctx);
            return self.settle(number, Outcome::Rejected, ctx);
        };
        let began = ctx.clock();
        let (attempt_began, attempts) = (began, 0);
        let call = Call { began, attempt_began, attempts, doubt: false, soft: false, ..call };
        self.calls[number as usize] = Some(call);
        self.try_once(number, queue, ctx);
    }

    fn settle(&mut self, number: u32, outcome: Outcome, ctx: &mut Context<'_, Message>) {
        if let (Some(pause), Some(call), true) =
            (self.own.resend, self.calls[number as usize], outcome != Outcome::Acked)
        {
            let now = ctx.now();
            ctx.observer().outcome(now, call.message, outcome);
            ctx.after(pause, Lane::MAIN, Timer::Resend(number).into());
            return;
        }
        if let Some(call) = self.calls[number as usize].take() {
            let now = ctx.now();
            ctx.observer().outcome(now, call.message, outcome);
            self.free.push(number);
            self.sending.settled(1, ctx);
        }
    }
}
