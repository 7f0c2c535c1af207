//! Pulling (`DefaultMQPushConsumerImpl.pullMessage`): for each queue one request at a time, the next as
//! soon as the last one is answered.

use crate::engine::Span;
use crate::world::{Context, Lane};

use super::super::super::config::QueueId;
use super::super::super::message::{HEADER, Message, Pull, PullStatus, Pulled, Timer};
use super::super::super::remoting::Waits;
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::Asked;
use super::queue::ProcessQueue;
use super::{Consumer, Listener, Question, Work};
use crate::observe::Event;

/// `pullTimeDelayMillsWhenException` (ClientConfig).
pub(super) const AFTER_ERROR: Span = Span::from_secs(1);
/// `PULL_TIME_DELAY_MILLS_WHEN_FLOW_CONTROL`: too much is in hand.
const FLOW_CONTROL: Span = Span::from_millis(50);
/// `CONSUMER_TIMEOUT_MILLIS_WHEN_SUSPEND`.
const TIMEOUT: Span = Span::from_secs(30);
/// `pullThresholdSizeForQueue`.
const MOST_BYTES: u64 = 100 << 20;
/// Before 5.2 a queue whose offset was illegal is given up after this long.
const GIVE_UP: Span = Span::from_secs(10);
/// An auditor, which is no part of RocketMQ, pulls so many at once.
const AUDITED: u32 = 1_024;

impl Consumer {
    pub(super) fn life_of(&self, queue: QueueId) -> Option<u32> {
        let found = self.queues.iter().find(|taken| taken.id == queue && !taken.dropped)?;
        Some(found.life)
    }

    pub(super) fn queue_mut(&mut self, queue: QueueId, life: u32) -> Option<&mut ProcessQueue> {
        let mut queues = self.queues.iter_mut();
        queues.find(|taken| taken.id == queue && taken.life == life && !taken.dropped)
    }

    /// Takes a queue, and begins to pull from it.
    pub(super) fn take(&mut self, queue: QueueId, offset: u64, ctx: &mut Context<'_, Message>) {
        self.lives += 1;
        let life = self.lives;
        let mut taken = ProcessQueue::new(queue, life, offset);
        taken.locked = (self.own.listener == Listener::Orderly).then(|| ctx.clock());
        self.queues.push(taken);
        self.tell_holds(queue, true, ctx.now(), ctx.observer());
        self.pull(queue, life, ctx);
    }

    pub(super) fn pull_later(
        &self,
        queue: QueueId,
        life: u32,
        delay: Span,
        ctx: &mut Context<'_, Message>,
    ) {
        ctx.after(delay, Lane::MAIN, Timer::PullAgain(queue, life).into());
    }

    pub(super) fn pull(&mut self, queue: QueueId, life: u32, ctx: &mut Context<'_, Message>) {
        if !self.application.is_active() {
            return;
        }
        let broadcast = self.own.listener == Listener::Broadcast;
        let (threshold, most) = (self.own.threshold, u64::from(self.own.span));
        let Some(taken) = self.queue_mut(queue, life) else { return };
        let (count, bytes, span) = taken.in_hand();
        if count > threshold || bytes > MOST_BYTES || span > most {
            return self.pull_later(queue, life, FLOW_CONTROL, ctx);
        }
        let (offset, commit) =
            (taken.next, taken.committed.filter(|offset| *offset > 0 && !broadcast));
        let Some(broker) = self.instance.any_of(self.config.group_of(queue)) else {
            // "The broker not exist": it is asked for.
            self.instance.ask_route(ctx);
            return self.pull_later(queue, life, AFTER_ERROR, ctx);
        };
        let subscribed = self.application.is_auditor();
        let most = if subscribed { AUDITED } else { self.own.batch };
        let group = self.own.group;
        let make = |id| {
            Message::Pull(Box::new(Pull { id, group, queue, offset, most, commit, subscribed }))
        };
        let asked = Asked::Own(Question::Pull(queue, life));
        let (server, waits) = (broker.index(), Waits::Async(TIMEOUT));
        self.instance.remoting.request(server, waits, asked, (make, HEADER), ctx);
    }

    pub(super) fn pulled(
        &mut self,
        queue: QueueId,
        life: u32,
        found: Pulled,
        ctx: &mut Context<'_, Message>,
    ) {
        let orderly = self.own.listener == Listener::Orderly;
        let Some(taken) = self.queue_mut(queue, life) else { return };
        match found.status {
            PullStatus::Found => {
                let from = found.next - found.messages.len() as u64;
                let times = found.times.into_iter().chain(std::iter::repeat(0));
                let found_works = (from..).zip(found.messages).zip(times);
                let work =
                    |((offset, message), times)| Work { queue, life, offset, message, times };
                let works: Vec<Work> = found_works.map(work).collect();
                for work in &works {
                    taken.put(work.offset, work.message, work.times);
                }
                taken.next = found.next;
                match orderly {
                    true => taken.waiting.extend(works),
                    false => self.backlog.extend(works),
                }
                self.work(ctx);
                self.pull(queue, life, ctx);
            }
            PullStatus::NotFound => {
                taken.next = found.next;
                if self.config.has(Rule::HoldPulls) {
                    self.pull(queue, life, ctx);
                } else {
                    self.pull_later(queue, life, AFTER_ERROR, ctx);
                }
            }
            PullStatus::RetryImmediately => {
                // NO_MATCHED_MSG: it goes on at once; a slave that is behind is asked in vain.
                self.pull_later(queue, life, Span::from_millis(1), ctx);
            }
            PullStatus::OffsetMoved => self.illegal(queue, life, found.next, ctx),
            PullStatus::NoSubscription | PullStatus::Refused => {
                self.pull_later(queue, life, AFTER_ERROR, ctx);
            }
        }
    }

    /// OFFSET_ILLEGAL: the broker's word is taken for the offset, and the queue is taken anew.
    fn illegal(&mut self, queue: QueueId, life: u32, next: u64, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        ctx.observer().event(now, Event::new(event::OFFSET_ILLEGAL, node, None, None, next));
        if self.application.is_auditor() {
            if let Some(taken) = self.queue_mut(queue, life) {
                taken.next = next;
            }
            return self.pull(queue, life, ctx);
        }
        if let Some(taken) = self.queue_mut(queue, life) {
            (taken.next, taken.committed, taken.dropped) = (next, Some(next), true);
        }
        if self.config.has(Rule::RebalanceOnIllegal) {
            self.give_up(queue, life, ctx);
            self.rebalance_now(ctx);
        } else {
            ctx.after(GIVE_UP, Lane::MAIN, Timer::GiveUp(queue, life).into());
        }
    }

    /// The offset of a queue that was dropped is told to the broker; then a rebalance may take it.
    pub(super) fn give_up(&mut self, queue: QueueId, life: u32, ctx: &mut Context<'_, Message>) {
        let found = self.queues.iter().position(|of| of.id == queue && of.life == life);
        if let Some(at) = found {
            self.remove(at, ctx);
        }
    }

    /// A queue is not its own any more: its offset is told to the broker.
    pub(super) fn remove(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        self.persist(at, ctx);
        self.unlock(at, ctx);
        let queue = self.queues.remove(at);
        self.tell_holds(queue.id, false, ctx.now(), ctx.observer());
    }

    /// `persistAll`: the offsets are told to the brokers, which do not answer.
    pub(super) fn persist_all(&mut self, ctx: &mut Context<'_, Message>) {
        for at in 0..self.queues.len() {
            self.persist(at, ctx);
        }
    }

    pub(super) fn persist(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        let (queue, committed) = (self.queues[at].id, self.queues[at].committed);
        if let (Some(offset), Listener::Broadcast) = (committed, self.own.listener) {
            self.local.insert(queue, offset);
            return;
        }
        let broker = self.instance.any_of(self.config.group_of(queue));
        if let (Some(offset), Some(broker)) = (committed, broker) {
            let update = Message::UpdateOffset(self.own.group, queue, offset);
            self.instance.remoting.post(broker.index(), update, HEADER, ctx);
        }
    }
}
