//! Consuming in order (`ConsumeMessageOrderlyService`): of each queue one message at a time, and only with
//! the lock of the queue, which its master gives to one member of the group at a time.

use crate::engine::Span;
use crate::world::{Context, Lane};

use super::super::super::config::QueueId;
use super::super::super::message::{HEADER, Lock, Message, Timer};
use super::super::super::remoting::Waits;
use super::super::super::words::event;
use super::super::Asked;
use super::{Consumer, Listener, Question, Work};
use crate::observe::Event;

/// `rocketmq.client.rebalance.lockInterval`: how often it asks for its locks again.
const AGAIN: Span = Span::from_secs(20);
/// The first time after its start.
const FIRST: Span = Span::from_secs(1);
/// `rocketmq.client.rebalance.lockMaxLiveTime`: a lock that was not granted again for so long is none.
const LIFE: Span = Span::from_secs(30);
/// A queue whose lock it does not get is looked at again (`tryLockLaterAndReconsume`).
const WITHOUT_LOCK: Span = Span::from_secs(3);
/// `lockBatchMQ(..., 1000)`.
const TIMEOUT: Span = Span::from_secs(1);

impl Consumer {
    pub(super) fn start_locks(&mut self, ctx: &mut Context<'_, Message>) {
        let first = if ctx.incarnation() == 0 { ctx.first_round(AGAIN) } else { FIRST };
        ctx.after(first, Lane::MAIN, Timer::Locks.into());
    }

    pub(super) fn lock_request(&self, queues: Vec<QueueId>) -> Box<Lock> {
        Box::new(Lock { group: self.own.group, client: self.own.id.0, queues })
    }

    /// `lockAll`: asks every master for the locks of its queues.
    pub(super) fn lock_round(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(AGAIN, Lane::MAIN, Timer::Locks.into());
        for group in 0..self.config.groups() {
            self.lock_of(group, ctx);
        }
    }

    fn lock_of(&mut self, group: u32, ctx: &mut Context<'_, Message>) {
        let of_group = self.queues.iter().map(|taken| taken.id);
        let queues: Vec<QueueId> =
            of_group.filter(|queue| self.config.group_of(*queue) == group).collect();
        let Some(master) = self.instance.master_of(group).filter(|_| !queues.is_empty()) else {
            return;
        };
        let lock = self.lock_request(queues);
        let bytes = HEADER + 60 * lock.queues.len() as u32;
        let request = (|id| Message::Lock(id, lock), bytes);
        let (waits, asked) = (Waits::Sync(TIMEOUT), Asked::Own(Question::LockAgain(group)));
        self.instance.remoting.request(master.index(), waits, asked, request, ctx);
    }

    pub(super) fn locked_again(
        &mut self,
        group: u32,
        granted: &[QueueId],
        ctx: &mut Context<'_, Message>,
    ) {
        let (clock, config) = (ctx.clock(), self.config.clone());
        let mut new = 0;
        for taken in self.queues.iter_mut().filter(|taken| config.group_of(taken.id) == group) {
            let has = granted.contains(&taken.id);
            let had = taken.locked.is_some_and(|last| clock.since(last) <= LIFE);
            new += u64::from(has && !had);
            taken.locked = has.then_some(clock);
        }
        if new > 0 {
            let (now, node, master) = (ctx.now(), ctx.node(), self.instance.master_of(group));
            ctx.observer().event(now, Event::new(event::QUEUE_LOCKED, node, None, master, new));
            self.work(ctx);
        }
    }

    /// Gives threads a message of each queue that has one, is not worked on, and is locked.
    pub(super) fn work_orderly(&mut self, ctx: &mut Context<'_, Message>) {
        let clock = ctx.clock();
        for at in 0..self.queues.len() {
            let Some(taken) = self.queues.get_mut(at) else { break };
            if !self.crew.is_free() || taken.busy || taken.dropped || taken.waiting.is_empty() {
                continue;
            }
            taken.busy = true;
            if taken.locked.is_none_or(|last| clock.since(last) > LIFE) {
                let (queue, life) = (taken.id, taken.life);
                let group = self.config.group_of(queue);
                ctx.after(WITHOUT_LOCK, Lane::MAIN, Timer::Resume(queue, life).into());
                self.lock_of(group, ctx);
                continue;
            }
            if let Some(work) = taken.waiting.pop_front() {
                self.start_work(work, ctx);
            }
        }
        self.report_wants(ctx);
    }

    /// The application is through with a message, and the next one of its queue can begin.
    pub(super) fn next_in_order(&mut self, work: Work, ctx: &mut Context<'_, Message>) {
        if let Some(at) = self.unlocking.iter().position(|of| *of == (work.queue, work.life)) {
            self.unlocking.remove(at);
            self.post_unlock(vec![work.queue], ctx);
        }
        if let Some(taken) = self.queue_mut(work.queue, work.life) {
            taken.busy = false;
            // What takes no time is through before the loop that has begun it goes on.
            if !taken.waiting.is_empty() {
                ctx.after(Span::ZERO, Lane::MAIN, Timer::Resume(work.queue, work.life).into());
                taken.busy = true;
            }
        }
    }

    /// SUSPEND_CURRENT_QUEUE_A_MOMENT: the same message again after a while, unless it has failed too
    /// often (`checkReconsumeTimes`).
    pub(super) fn suspend(&mut self, work: Work, ctx: &mut Context<'_, Message>) {
        if self.own.most_times.is_some_and(|most| work.times >= most) {
            return self.give_back(work, ctx);
        }
        let times = work.times.saturating_add(1);
        self.again_in_order(Work { times, ..work }, ctx);
    }

    pub(super) fn again_in_order(&mut self, work: Work, ctx: &mut Context<'_, Message>) {
        let pause = self.own.suspend;
        let Some(taken) = self.queue_mut(work.queue, work.life) else {
            return self.next_in_order(work, ctx);
        };
        taken.waiting.push_front(work);
        taken.busy = true;
        ctx.after(pause, Lane::MAIN, Timer::Resume(work.queue, work.life).into());
    }

    /// A queue that was left alone goes on.
    pub(super) fn resume(&mut self, queue: QueueId, life: u32, ctx: &mut Context<'_, Message>) {
        if let Some(taken) = self.queue_mut(queue, life) {
            taken.busy = false;
            self.work(ctx);
        }
    }

    /// The lock of a queue that it gives up is given back, after the message in hand.
    pub(super) fn unlock(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        if self.own.listener != Listener::Orderly {
            return;
        }
        let taken = &self.queues[at];
        let (queue, life, in_hand) = (taken.id, taken.life, taken.is_in_hand());
        match in_hand {
            true => self.unlocking.push((queue, life)),
            false => self.post_unlock(vec![queue], ctx),
        }
    }

    fn post_unlock(&mut self, queues: Vec<QueueId>, ctx: &mut Context<'_, Message>) {
        let Some(first) = queues.first() else { return };
        let Some(master) = self.instance.master_of(self.config.group_of(*first)) else { return };
        let lock = Message::Unlock(self.lock_request(queues));
        self.instance.remoting.post(master.index(), lock, HEADER, ctx);
    }

    /// `unlockAll`.
    pub(super) fn unlock_all(&mut self, ctx: &mut Context<'_, Message>) {
        for at in 0..self.queues.len() {
            self.unlock(at, ctx);
        }
    }
}
