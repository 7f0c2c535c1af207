//! Channels that consume: what they are assigned, settle, give back, and leave behind.

use std::collections::VecDeque;

use crate::engine::{Span, Time};
use crate::observe::NodeId;

use super::super::super::super::arguments::{DelayedRetry, Retried};
use super::super::super::super::letters::Reason;
use super::super::super::super::message::amqp::Terms;
use super::super::super::super::message::ra::{CallAnswer, MessageId};
use super::super::super::super::message::{DownReason, Pid};
use super::super::super::super::rules::Rule;
use super::super::super::super::words::CONSUMED;
use super::{Assigned, CheckedOut, Delivery, Effects, Fifo, Gone, Held, Leaving, payload};

/// A consumer without a limit has this one (rabbit_fifo_client.erl: `?UNLIMITED_PREFETCH_COUNT`).
const UNLIMITED: u32 = 2_000;

impl Fifo {
    pub(super) fn single_active(&self) -> bool {
        self.policy.arguments.single_active_consumer
    }

    pub(super) fn attach(&mut self, channel: Pid, mut terms: Terms, effects: &mut Effects) {
        if terms.prefetch == 0 {
            terms.prefetch = UNLIMITED;
        }
        // `exclusive` is not supported: it is as if it were not there.
        terms.exclusive = false;
        let added = self.consumers.add(channel, terms, self.single_active());
        debug_assert!(added.is_ok(), "nobody is exclusive here");
        let of = self.assignments(channel, effects);
        of.suspected = false;
        effects.answer = Some(CallAnswer::Attached { next: of.next_id });
    }

    pub(super) fn assignments(&mut self, channel: Pid, effects: &mut Effects) -> &mut Assigned {
        let known = self.assigned.iter().position(|of| of.channel == channel);
        let at = known.unwrap_or_else(|| {
            effects.monitors.push(channel);
            let (next_id, checked_out) = (0, VecDeque::new());
            self.assigned.push(Assigned { channel, next_id, checked_out, suspected: false });
            self.assigned.len() - 1
        });
        &mut self.assigned[at]
    }

    pub(super) fn get(&mut self, channel: Pid, no_ack: bool, effects: &mut Effects) {
        let Some(held) = self.pop() else {
            effects.answer = Some(CallAnswer::Empty);
            return;
        };
        self.consumers.record(channel);
        self.assign(channel, held, no_ack, effects);
        effects.answer = Some(CallAnswer::Done);
    }

    /// What it holds it keeps until it has settled it.
    pub(super) fn cancel(&mut self, channel: Pid) {
        let single_active = self.single_active();
        self.consumers.cancel(channel, single_active);
        self.forget_idle(channel);
    }

    pub(super) fn forget_idle(&mut self, channel: Pid) {
        if self.consumers.of(channel).is_none() {
            self.assigned.retain(|of| of.channel != channel || !of.checked_out.is_empty());
        }
    }

    /// The oldest of what was given back, else of what was enqueued (`take_next_msg`).
    pub(super) fn pop(&mut self) -> Option<Held> {
        let held = match self.returned_is_next() {
            true => self.returns.pop_front(),
            false => self.ready.pop(),
        }?;
        self.ready_bytes -= payload(&held);
        Some(held)
    }

    fn returned_is_next(&self) -> bool {
        let first = self.policy.rules.has(Rule::ReturnsFirst) || self.ready.is_empty();
        first && !self.returns.is_empty()
    }

    pub(super) fn assign(&mut self, channel: Pid, held: Held, no_ack: bool, effects: &mut Effects) {
        let now = self.now;
        let of = self.assignments(channel, effects);
        let id = of.next_id;
        of.next_id += 1;
        effects.deliveries.push(Delivery { channel, id, held });
        if no_ack {
            effects.gone.push(Gone { held, why: Leaving::Settled(CONSUMED) });
        } else {
            of.checked_out.push_back(CheckedOut { id, at: now, held });
            if let Some(record) = self.consumers.of(channel) {
                record.unacked.push_back(id);
            }
        }
    }

    /// Assigns what waits while a consumer has room; what has expired at the head goes first
    /// (`checkout`, `expire_msgs`).
    pub(super) fn check_out(&mut self, at: Time, effects: &mut Effects) {
        loop {
            self.expire(at, effects);
            if self.ready.is_empty() && self.returns.is_empty() {
                break;
            }
            let Some(taker) = self.consumers.next(self.single_active(), false) else { break };
            let (channel, no_ack) = {
                let record = self.consumers.at(taker);
                (record.channel, record.terms.no_ack)
            };
            let Some(held) = self.pop() else { break };
            self.assign(channel, held, no_ack, effects);
        }
        let heads = self.returns.front().into_iter().chain(self.ready.heads());
        let head = heads.map(|held| held.expires).min().unwrap_or(Time::MAX);
        let delay = self.delayed.keys().next().map_or(Time::MAX, |(at, _)| *at);
        let next = head.min(delay);
        if next != self.expiry_told {
            self.expiry_told = next;
            effects.expires = Some(next).filter(|at| *at < Time::MAX);
        }
    }

    pub(super) fn expire(&mut self, at: Time, effects: &mut Effects) {
        let over = |held: &Held| held.expires <= at;
        loop {
            let returned = self.returned_is_next() && self.returns.front().is_some_and(over);
            let gone = match returned {
                true => self.returns.pop_front(),
                false if self.returned_is_next() && !self.expires_all() => None,
                false => self.ready.pop_if(over),
            };
            let Some(held) = gone else { return };
            self.ready_bytes -= payload(&held);
            self.dies(held, Reason::Expired, effects);
        }
    }

    /// From 4.3 on what was given back does not hide what is behind it.
    fn expires_all(&self) -> bool {
        self.policy.rules.has(Rule::StrictPriorities)
    }

    /// rabbit_fifo.erl v4.3.5 `expire_shallow`: what was given back and has waited long enough.
    pub(super) fn end_delays(&mut self) {
        let now = self.now;
        while let Some(first) = self.delayed.first_entry().filter(|of| of.key().0 <= now) {
            self.returns.push_back(first.remove());
        }
    }

    /// rabbit_fifo.erl v4.3.5 `evaluate_consumer_timeout`: a consumer that has had a delivery for so
    /// long loses all that it holds, and its channel cancels it.
    pub(super) fn time_out(&mut self, at: Time, timeout: Span, effects: &mut Effects) {
        let late = self.assigned.iter().filter(|of| {
            of.checked_out.front().is_some_and(|oldest| at.since(oldest.at.min(at)) >= timeout)
        });
        let late: Vec<Pid> = late.map(|of| of.channel).collect();
        let single_active = self.single_active();
        for channel in late {
            self.give_back_all(channel, false, effects);
            self.consumers.cancel(channel, single_active);
            self.forget_idle(channel);
            effects.timed_out.push(channel);
        }
    }

    /// The deliveries of a channel among these, which it has no more.
    pub(super) fn take(&mut self, channel: Pid, first: MessageId, count: u32) -> Vec<Held> {
        let mut taken = Vec::new();
        let Some(of) = self.assigned.iter_mut().find(|of| of.channel == channel) else {
            return taken;
        };
        let end = first + u64::from(count);
        let start = of.checked_out.partition_point(|of| of.id < first);
        let behind = of.checked_out.partition_point(|of| of.id < end);
        taken.extend(of.checked_out.range(start..behind).map(|of| of.held));
        if !self.policy.faulty.keeps_what_is_returned {
            of.checked_out.drain(start..behind);
        }
        if let Some(record) = self.consumers.of(channel) {
            let start = record.unacked.partition_point(|id| *id < first);
            let behind = record.unacked.partition_point(|id| *id < end);
            record.unacked.drain(start..behind);
        }
        taken
    }

    pub(super) fn settled(&mut self, channel: Pid) {
        self.consumers.unblock(channel, false);
        self.consumers.forget_idle();
        self.forget_idle(channel);
    }

    /// rabbit_fifo.erl `return_one`: behind what was given back before, unless it has come back too
    /// often. What counts is every return before 4.3, from then on only those after a failure.
    pub(super) fn give_back(&mut self, mut held: Held, failed: bool, effects: &mut Effects) {
        held.returns += 1;
        held.failures += u32::from(failed);
        if self.policy.faulty.forgets_counts && held.returns > 1 {
            (held.returns, held.failures) = (0, 0);
        }
        let counted = match self.policy.rules.has(Rule::LimitCountsFailures) {
            true => held.failures,
            false => held.returns,
        };
        if self.policy.delivery_limit.is_some_and(|limit| counted > limit) {
            return self.dies(held, Reason::DeliveryLimit, effects);
        }
        self.ready_bytes += payload(&held);
        if let Some(at) = self.delayed_until(&held, failed) {
            self.delayed.insert((at, held.index), held);
        } else if self.policy.faulty.returns_to_the_front {
            self.ready.push_front(held);
        } else {
            self.returns.push_back(held);
        }
    }

    /// rabbit_fifo.erl v4.3.5 `should_delay`, `calculate_ready_at`.
    fn delayed_until(&self, held: &Held, failed: bool) -> Option<Time> {
        let DelayedRetry { of, min, max } = self.policy.arguments.delayed_retry?;
        let so = match of {
            Retried::All => true,
            Retried::Failed => failed,
            Retried::Returned => !failed,
        };
        let after = (min * u64::from(held.failures.max(1))).min(max);
        (so && self.policy.rules.has(Rule::DelayRetries)).then(|| self.now + after)
    }

    pub(super) fn give_back_all(&mut self, channel: Pid, failed: bool, effects: &mut Effects) {
        if let Some(record) = self.consumers.of(channel) {
            record.unacked.clear();
        }
        let Some(of) = self.assigned.iter_mut().find(|of| of.channel == channel) else { return };
        for CheckedOut { held, .. } in std::mem::take(&mut of.checked_out) {
            self.give_back(held, failed, effects);
        }
    }

    /// rabbit_fifo.erl `apply({down, ..})`: a channel that has ended is forgotten, and what it held
    /// is given back. One whose node cannot be reached may live: before 4.3 what it holds is given
    /// back all the same, from then on only after a while.
    pub(super) fn down(&mut self, channel: Pid, reason: DownReason, effects: &mut Effects) {
        let single_active = self.single_active();
        if reason != DownReason::NoConnection {
            self.enqueuers.retain(|of| of.channel != channel);
            self.give_back_all(channel, true, effects);
            self.consumers.erase(channel, single_active);
            self.assigned.retain(|of| of.channel != channel);
            return;
        }
        let Some(of) = self.assigned.iter_mut().find(|of| of.channel == channel) else { return };
        if std::mem::replace(&mut of.suspected, true) {
            return;
        }
        self.consumers.suspect(channel, true);
        if self.policy.rules.has(Rule::KeepForDisconnected) {
            effects.disconnected.push(channel);
        } else {
            self.consumers.step_aside(channel, single_active);
            self.give_back_all(channel, true, effects);
        }
    }

    /// The node of channels is connected again: they are watched anew, and if they have ended that
    /// is told (rabbit_fifo.erl: `apply({nodeup, ..})`).
    pub(super) fn node_up(&mut self, node: NodeId, effects: &mut Effects) {
        let of_node = self.channels().into_iter().filter(|pid| pid.node == node);
        effects.monitors.extend(of_node);
        if self.policy.rules.has(Rule::LeaderChangeOnNodeUp) {
            effects.leader_changes.clone_from(&effects.monitors);
        }
        let mut back = Vec::new();
        for of in self.assigned.iter_mut().filter(|of| of.channel.node == node && of.suspected) {
            of.suspected = false;
            back.push(of.channel);
        }
        for channel in back {
            self.consumers.suspect(channel, false);
            self.consumers.unblock(channel, false);
        }
    }

    /// It could not be reached for too long: what it holds is given back, which is no failure of
    /// the messages'.
    pub(super) fn disconnected(&mut self, channel: Pid, effects: &mut Effects) {
        let suspected = self.assigned.iter().any(|of| of.channel == channel && of.suspected);
        if suspected {
            let single_active = self.single_active();
            self.consumers.step_aside(channel, single_active);
            self.give_back_all(channel, false, effects);
        }
    }
}
