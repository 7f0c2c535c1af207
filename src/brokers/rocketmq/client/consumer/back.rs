//! What an application fails on, or works on for too long
//! (`ConsumeMessageConcurrentlyService.processConsumeResult`, `DefaultMQPushConsumerImpl.sendMessageBack`,
//! `ProcessQueue.cleanExpiredMsg`).

use crate::engine::Span;
use crate::world::{Context, Lane};

use super::super::super::config::QueueId;
use super::super::super::message::{Back, HEADER, Message, Send, SendBack, Timer};
use super::super::super::remoting::Waits;
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause, event};
use super::super::Asked;
use super::{Consumer, Listener, Question, Work};
use crate::observe::{Event, Removal};

/// `consumerSendMessageBack(..., 5000, ...)`.
const TIMEOUT: Span = Span::from_secs(5);
/// What the retry topic does not take either is consumed again (`submitConsumeRequestLater`).
const AGAIN: Span = Span::from_secs(5);
/// Attempts of the consumer's own producer to send to the retry topic.
const ATTEMPTS: u32 = 3;
/// The delay level of a first failure; each further one is a level longer.
const FIRST_LEVEL: u32 = 3;
/// The most messages of a queue that a look for slow ones sends back.
const MOST_EXPIRED: usize = 16;

/// A message that is being sent back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Returning {
    work: Work,
    /// Its delay level, if that does not follow from how often it has failed.
    level: Option<u32>,
    /// Whether it goes to the retry topic as a message of the consumer's own, and how often that was
    /// tried: an orderly listener does so at once, the others if the broker does not take it back.
    sent: u32,
}

impl Consumer {
    pub(super) fn start_listener(&mut self, ctx: &mut Context<'_, Message>) {
        match self.own.listener {
            Listener::Orderly => self.start_locks(ctx),
            Listener::Concurrently if self.own.returns.is_some() => {
                ctx.after(self.own.timeout, Lane::MAIN, Timer::Expire.into());
            }
            Listener::Concurrently | Listener::Broadcast => {}
        }
    }

    /// RECONSUME_LATER. Of a queue that is another's by now nothing is sent back.
    pub(super) fn failed(&mut self, work: Work, ctx: &mut Context<'_, Message>) {
        if self.life_of(work.queue) != Some(work.life) {
            return;
        }
        let broadcast = self.own.listener == Listener::Broadcast;
        if broadcast || !self.config.has(Rule::SendBack) {
            let cause = if broadcast { cause::BROADCAST_FAILED } else { cause::NOT_SENT_BACK };
            let (now, node, line) = (ctx.now(), ctx.node(), self.line(work.message));
            let why = Removal::new(cause, because::NO_RETRY);
            ctx.observer().abandoned(now, node, line, work.message, why);
            return self.passed(work, ctx);
        }
        self.send_back(Returning { work, level: None, sent: 0 }, ctx);
    }

    /// `cleanExpiredMsg`: the lowest messages of each queue, if the application works on them for too
    /// long. Nobody tells it to stop.
    pub(super) fn expire(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.own.timeout, Lane::MAIN, Timer::Expire.into());
        if !self.config.has(Rule::ExpireSlowMessages) {
            return;
        }
        let (now, clock) = (ctx.now(), ctx.clock());
        let timeout = self.own.timeout;
        let queues = self.queues.iter();
        let late = queues.flat_map(|queue| queue.late((clock, timeout), MOST_EXPIRED));
        for work in late.collect::<Vec<Work>>() {
            let (node, takes) = (ctx.node(), self.own.timeout.as_millis());
            ctx.observer().event(now, Event::new(event::CONSUME_TIMEOUT, node, None, None, takes));
            self.send_back(Returning { work, level: Some(FIRST_LEVEL), sent: 0 }, ctx);
        }
    }

    /// The queue in a group of brokers to which a message goes that is sent back now, and how often it
    /// has failed then.
    fn destined(&self, returning: &Returning, group: u32) -> Option<(QueueId, u8)> {
        let Returning { work, level, .. } = returning;
        let dead = self.own.most_times.is_some_and(|most| work.times >= most);
        let queue = match dead {
            true => {
                let returns = self.own.returns?;
                Some(self.config.streams.partition(returns.dead, group))
            }
            false => {
                let level = level.unwrap_or(FIRST_LEVEL + u32::from(work.times));
                self.config.delay_queue(group, level)
            }
        };
        Some((queue?, work.times.saturating_add(u8::from(!dead))))
    }

    /// `sendMessageBack`: the master from which it came is asked to take it back.
    pub(super) fn send_back(&mut self, returning: Returning, ctx: &mut Context<'_, Message>) {
        let work = returning.work;
        let back = self.back.insert(returning);
        let group = self.config.group_of(work.queue);
        let (destined, master) = (self.destined(&returning, group), self.instance.master_of(group));
        let (Some((to, times)), Some(master)) = (destined, master) else {
            return self.send_as_own(back, ctx);
        };
        let dead = self.config.is_dead(to);
        let word = if dead { event::DEAD_LETTERED } else { event::SENT_BACK };
        let (now, node) = (ctx.now(), ctx.node());
        ctx.observer().event(now, Event::new(word, node, None, None, u64::from(times)));
        let Work { queue: from, offset, message, .. } = work;
        let whose = Back { group: self.own.group as u16, times, waits: false };
        let make = |id| {
            let sent = SendBack { id, from, offset, to, message, back: whose };
            Message::SendBack(Box::new(sent))
        };
        let (waits, asked) = (Waits::Sync(TIMEOUT), Asked::Own(Question::Back(back)));
        self.instance.remoting.request(master.index(), waits, asked, (make, HEADER), ctx);
    }

    /// An orderly listener has failed on a message too often: it goes to the retry topic, so that the queue
    /// gets on.
    pub(super) fn give_back(&mut self, work: Work, ctx: &mut Context<'_, Message>) {
        let back = self.back.insert(Returning { work, level: None, sent: 0 });
        self.send_as_own(back, ctx);
    }

    /// It goes to the retry topic as another message of the consumer's own producer, to any group that
    /// takes messages.
    fn send_as_own(&mut self, back: u32, ctx: &mut Context<'_, Message>) {
        let Some(returning) = self.back.get_mut(back) else { return };
        returning.sent += 1;
        let returning = *returning;
        let groups: Vec<u32> = self.instance.publishable().collect();
        let failed = self.config.group_of(returning.work.queue);
        let others: Vec<u32> = groups.iter().copied().filter(|group| *group != failed).collect();
        let groups = if others.is_empty() { groups } else { others };
        if groups.is_empty() {
            ctx.after(AGAIN, Lane::MAIN, Timer::Reconsume(back).into());
            return;
        }
        let group = groups[ctx.random().below(groups.len() as u64) as usize];
        let destined = self.destined(&returning, group);
        let (Some((queue, times)), Some(master)) = (destined, self.instance.master_of(group))
        else {
            ctx.after(AGAIN, Lane::MAIN, Timer::Reconsume(back).into());
            return;
        };
        let message = returning.work.message;
        let own = Back { group: self.own.group as u16, times, waits: true };
        let send = move |id| Message::Send(Send { id: Some(id), queue, message, back: Some(own) });
        let request = (send, HEADER + message.bytes);
        let (waits, asked) = (Waits::Sync(TIMEOUT), Asked::Own(Question::Back(back)));
        self.instance.remoting.request(master.index(), waits, asked, request, ctx);
    }

    /// A broker has taken it back, or has not.
    pub(super) fn back_answered(&mut self, back: u32, taken: bool, ctx: &mut Context<'_, Message>) {
        let Some(returning) = self.back.get(back).copied() else { return };
        if taken {
            self.back.remove(back);
            self.passed(returning.work, ctx);
            if self.own.listener == Listener::Orderly {
                self.next_in_order(returning.work, ctx);
            }
            return;
        }
        if returning.sent < ATTEMPTS {
            let (now, node) = (ctx.now(), ctx.node());
            let group = self.config.group_of(returning.work.queue);
            let broker = self.instance.master_of(group);
            ctx.observer().event(now, Event::new(event::SEND_BACK_FAILED, node, None, broker, 0));
            return self.send_as_own(back, ctx);
        }
        ctx.after(AGAIN, Lane::MAIN, Timer::Reconsume(back).into());
    }

    /// It could not be sent anywhere: the application tries it once more.
    pub(super) fn reconsume(&mut self, back: u32, ctx: &mut Context<'_, Message>) {
        let Some(returning) = self.back.remove(back) else { return };
        let work = Work { times: returning.work.times.saturating_add(1), ..returning.work };
        if self.own.listener == Listener::Orderly {
            return self.again_in_order(work, ctx);
        }
        self.backlog.push_back(work);
        self.work(ctx);
    }
}
