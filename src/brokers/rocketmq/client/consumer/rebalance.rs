//! Rebalancing (`RebalanceImpl`, `RebalanceService`): each member works out by itself which queues are
//! its own, from the route and from who is in the group, as a broker tells it.

use crate::engine::{Span, Time};
use crate::observe::{BecauseId, Event, NodeId, Removal};
use crate::world::{Alarm, By, Context, Lane};

use super::super::super::config::QueueId;
use super::super::super::message::{HEADER, Message, Timer};
use super::super::super::remoting::Waits;
use super::super::super::rules::Rule;
use super::super::super::words::{cause, event};
use super::super::Asked;
use super::{Consumer, Listener, Question};

/// `rocketmq.client.rebalance.waitInterval`.
const WAIT: Span = Span::from_secs(20);
/// `rocketmq.client.rebalance.minInterval`, since 5.2.
const SOON: Span = Span::from_secs(1);
/// How long a question to a broker may take.
const TIMEOUT: Span = Span::from_secs(3);

/// How far a rebalance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    /// It needs a route first.
    Route,
    /// It asks who is in the group.
    Consumers,
    /// It asks where the group is in so many queues.
    Offsets(u32),
}

/// A rebalance.
#[derive(Clone, Debug)]
pub(super) struct Rebalancing {
    step: Step,
    alarm: Alarm,
    /// Whether there was reason for another one meanwhile.
    again: bool,
    /// Whether a queue could not be taken.
    failed: bool,
    changed: bool,
    /// How many queues another member has the locks of.
    refused: u64,
    /// How many the last time.
    refused_before: u64,
    last: Option<Time>,
}

impl Rebalancing {
    pub(super) const fn new() -> Rebalancing {
        Rebalancing {
            step: Step::Idle,
            alarm: Alarm::new(By::Monotonic),
            again: false,
            failed: false,
            changed: false,
            refused: 0,
            refused_before: 0,
            last: None,
        }
    }

    pub(super) fn waits_for_route(&self) -> bool {
        self.step == Step::Route
    }
}

/// `AllocateMessageQueueAveragely`: the part of so many queues that the member at a place gets.
fn share(queues: usize, members: usize, place: usize) -> std::ops::Range<usize> {
    let (each, more) = (queues / members, queues % members);
    let first = place * each + place.min(more);
    first..first + each + usize::from(place < more)
}

impl Consumer {
    /// `rebalanceImmediately`. Since 5.2 not within a second of the last one.
    pub(super) fn rebalance_now(&mut self, ctx: &mut Context<'_, Message>) {
        if self.rebalancing.step != Step::Idle {
            self.rebalancing.again = true;
            return;
        }
        let now = ctx.monotonic();
        let at = match self.rebalancing.last {
            Some(last) if self.config.has(Rule::RebalanceSoon) => now.max(last + SOON),
            _ => now,
        };
        self.rebalancing.alarm.wake(at, Lane::MAIN, Timer::Rebalance.into(), ctx);
    }

    pub(super) fn rebalance_round(&mut self, ctx: &mut Context<'_, Message>) {
        self.rebalancing.alarm.rang(ctx);
        if self.rebalancing.step != Step::Idle || self.application.is_auditor() {
            return;
        }
        self.rebalancing.again = false;
        self.rebalancing.failed = false;
        self.rebalancing.changed = false;
        self.rebalancing.refused = 0;
        self.ask_consumers(ctx);
    }

    /// `findConsumerIdList`: of any broker in the route.
    fn ask_consumers(&mut self, ctx: &mut Context<'_, Message>) {
        let groups: Vec<u32> = self.instance.readable().collect();
        if groups.is_empty() {
            self.rebalancing.step = Step::Route;
            return self.instance.ask_route(ctx);
        }
        if self.own.listener == Listener::Broadcast {
            let only = [self.own.id.0];
            return self.allocate(&only, ctx);
        }
        let pick = ctx.random().below(groups.len() as u64) as usize;
        let broker = self.instance.any_of(groups[pick]).unwrap_or(NodeId(0));
        self.rebalancing.step = Step::Consumers;
        let group = self.own.group;
        let request = (|id| Message::GetConsumers(id, group), HEADER);
        let (waits, asked) = (Waits::Sync(TIMEOUT), Asked::Own(Question::Consumers));
        self.instance.remoting.request(broker.index(), waits, asked, request, ctx);
    }

    pub(super) fn rebalance_has_route(&mut self, ctx: &mut Context<'_, Message>) {
        if self.rebalancing.step != Step::Route {
            return;
        }
        if self.instance.readable().next().is_some() {
            self.ask_consumers(ctx);
        } else {
            self.rebalancing.failed = true;
            self.rebalanced(ctx);
        }
    }

    /// A question that belongs to a rebalance is answered, or is not.
    pub(super) fn rebalance_answer(
        &mut self,
        question: Question,
        answer: Option<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        if !self.application.is_active() {
            return;
        }
        match (question, answer) {
            (Question::Consumers, Some(Message::ConsumersAre(_, Some(members)))) => {
                self.allocate(&members, ctx);
            }
            (Question::Consumers, _) => {
                self.rebalancing.failed = true;
                self.rebalanced(ctx);
            }
            (Question::Offset(queue), Some(Message::OffsetIs(_, offset))) => match offset {
                Some(offset) => self.offset_known(queue, Some(offset), ctx),
                None if self.own.from_first => self.offset_known(queue, Some(0), ctx),
                None => self.ask_offset(queue, true, ctx),
            },
            (Question::End(queue), Some(Message::OffsetIs(_, offset))) => {
                let (now, id, node) = (ctx.now(), self.own.id, ctx.node());
                if !self.config.streams.is_internal(queue) {
                    let line = self.config.streams.seen_by(queue, self.own.group_of_topic);
                    let removal = Removal::new(cause::BEFORE_THE_GROUP, BecauseId::NONE);
                    ctx.observer().skipped(now, id, line, node, removal);
                }
                self.offset_known(queue, offset, ctx);
            }
            (Question::Offset(queue) | Question::End(queue), _) => {
                self.offset_known(queue, None, ctx);
            }
            (Question::Lock(queue), Some(Message::Locked(_, granted))) => {
                match granted.contains(&queue) {
                    true => self.ask_offset(queue, false, ctx),
                    false => {
                        self.rebalancing.refused += 1;
                        self.offset_known(queue, None, ctx);
                    }
                }
            }
            (Question::Lock(queue), _) => self.offset_known(queue, None, ctx),
            (Question::Pull(..) | Question::Back(_) | Question::LockAgain(_), _) => {}
        }
    }

    /// Gives up queues that are not its own any more, and asks where to begin in those that are now.
    fn allocate(&mut self, members: &[u32], ctx: &mut Context<'_, Message>) {
        let Some(place) = members.iter().position(|member| *member == self.own.id.0) else {
            // The broker has not heard of it yet.
            self.rebalancing.failed = true;
            return self.rebalanced(ctx);
        };
        let mut own: Vec<QueueId> = Vec::new();
        for topic in [Some(self.own.topic), self.own.returns.map(|returns| returns.retry)] {
            let Some(topic) = topic else { continue };
            let all = self.queues_in_route(topic);
            own.extend(&all[share(all.len(), members.len(), place)]);
        }
        for at in (0..self.queues.len()).rev() {
            if !own.contains(&self.queues[at].id) {
                self.remove(at, ctx);
                self.rebalancing.changed = true;
            }
        }
        let new: Vec<QueueId> = own
            .iter()
            .filter(|queue| !self.queues.iter().any(|taken| taken.id == **queue))
            .copied()
            .collect();
        self.rebalancing.step = Step::Offsets(new.len() as u32);
        if new.is_empty() {
            return self.rebalanced(ctx);
        }
        for queue in new {
            match self.own.listener {
                Listener::Concurrently => self.ask_offset(queue, false, ctx),
                Listener::Orderly => self.ask_lock(queue, ctx),
                Listener::Broadcast => match self.local.get(&queue) {
                    Some(offset) => self.offset_known(queue, Some(*offset), ctx),
                    None if self.own.from_first => self.offset_known(queue, Some(0), ctx),
                    None => self.ask_offset(queue, true, ctx),
                },
            }
        }
    }

    /// The queues of a topic in the route.
    fn queues_in_route(&self, topic: u32) -> Vec<QueueId> {
        let queues = self.config.topics[topic as usize].queues;
        let groups = self.instance.readable();
        let all = groups.flat_map(|group| (0..queues).map(move |queue| group * queues + queue));
        all.map(|index| self.config.streams.partition(topic, index)).collect()
    }

    /// In order to consume in order it must have the lock of the queue, which only a master gives.
    fn ask_lock(&mut self, queue: QueueId, ctx: &mut Context<'_, Message>) {
        let group = self.config.group_of(queue);
        let Some(broker) = self.instance.master_of(group) else {
            return self.offset_known(queue, None, ctx);
        };
        let lock = self.lock_request(vec![queue]);
        let request = (|id| Message::Lock(id, lock), HEADER);
        let (waits, asked) = (Waits::Sync(TIMEOUT), Asked::Own(Question::Lock(queue)));
        self.instance.remoting.request(broker.index(), waits, asked, request, ctx);
    }

    /// Where the group is in a queue, or where that ends.
    fn ask_offset(&mut self, queue: QueueId, end: bool, ctx: &mut Context<'_, Message>) {
        let Some(broker) = self.instance.any_of(self.config.group_of(queue)) else {
            return self.offset_known(queue, None, ctx);
        };
        let group = self.own.group;
        let make = |id| match end {
            true => Message::GetMaxOffset(id, queue),
            false => Message::QueryOffset(id, group, queue),
        };
        let question = if end { Question::End(queue) } else { Question::Offset(queue) };
        let (waits, asked) = (Waits::Sync(TIMEOUT), Asked::Own(question));
        self.instance.remoting.request(broker.index(), waits, asked, (make, HEADER), ctx);
    }

    /// One queue less to ask about: it is taken, unless nobody could say where to begin.
    fn offset_known(
        &mut self,
        queue: QueueId,
        offset: Option<u64>,
        ctx: &mut Context<'_, Message>,
    ) {
        let Step::Offsets(left) = self.rebalancing.step else { return };
        match offset {
            Some(offset) => {
                self.rebalancing.changed = true;
                self.take(queue, offset, ctx);
            }
            None => self.rebalancing.failed = true,
        }
        let left = left.saturating_sub(1);
        self.rebalancing.step = Step::Offsets(left);
        if left == 0 {
            self.rebalanced(ctx);
        }
    }

    /// It is through; the next one comes after a while, or soon if there is reason.
    fn rebalanced(&mut self, ctx: &mut Context<'_, Message>) {
        self.rebalancing.step = Step::Idle;
        if self.rebalancing.changed {
            let (now, node, count) = (ctx.now(), ctx.node(), self.queues.len() as u64);
            ctx.observer().event(now, Event::new(event::REBALANCED, node, None, None, count));
        }
        let refused = self.rebalancing.refused;
        let before = std::mem::replace(&mut self.rebalancing.refused_before, refused);
        if refused > 0 && refused != before {
            let (now, node, count) = (ctx.now(), ctx.node(), self.rebalancing.refused);
            ctx.observer().event(now, Event::new(event::QUEUE_NOT_LOCKED, node, None, None, count));
        }
        let now = ctx.monotonic();
        self.rebalancing.last = Some(now);
        let soon = self.rebalancing.failed && self.config.has(Rule::RebalanceSoon);
        let wait = if soon { SOON } else { WAIT };
        self.rebalancing.alarm.wake(now + wait, Lane::MAIN, Timer::Rebalance.into(), ctx);
        if std::mem::take(&mut self.rebalancing.again) {
            self.rebalance_now(ctx);
        }
    }

    /// Whether it works on a rebalance.
    #[must_use]
    pub fn is_rebalancing(&self) -> bool {
        self.rebalancing.step != Step::Idle
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn queues_are_shared_out_without_gaps() {
        for members in 1..=9 {
            for queues in 0..=20 {
                let parts: Vec<_> =
                    (0..members).map(|place| share(queues, members, place)).collect();
                assert_eq!(parts.first().map(|part| part.start), Some(0));
                assert_eq!(parts.last().map(|part| part.end), Some(queues));
                assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
                let sizes = parts.iter().map(std::ops::Range::len);
                assert!(sizes.clone().max() <= sizes.min().map(|least| least + 1));
            }
        }
    }
}
