//! Channels that consume: what they are assigned, settle, give back, and leave behind.

use std::collections::VecDeque;

use crate::engine::Time;
use crate::observe::NodeId;

use super::super::super::super::letters::Reason;
use super::super::super::super::message::amqp::Terms;
use super::super::super::super::message::ra::{CallAnswer, MessageId};
use super::super::super::super::message::{DownReason, Pid};
use super::super::super::super::rules::Rule;
use super::super::super::super::words::CONSUMED;
use super::{Assigned, Delivery, Effects, Fifo, Gone, Held, Leaving, payload};

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
        let first = match self.returned_is_next() {
            true => &mut self.returns,
            false => &mut self.ready,
        };
        let held = first.pop_front()?;
        self.ready_bytes -= payload(&held);
        Some(held)
    }

    pub(super) fn peek(&self) -> Option<&Held> {
        if self.returned_is_next() { self.returns.front() } else { self.ready.front() }
    }

    fn returned_is_next(&self) -> bool {
        let first = self.policy.rules.has(Rule::ReturnsFirst) || self.ready.is_empty();
        first && !self.returns.is_empty()
    }

    pub(super) fn assign(&mut self, channel: Pid, held: Held, no_ack: bool, effects: &mut Effects) {
        let of = self.assignments(channel, effects);
        let id = of.next_id;
        of.next_id += 1;
        effects.deliveries.push(Delivery { channel, id, held });
        if no_ack {
            effects.gone.push(Gone { held, why: Leaving::Settled(CONSUMED) });
        } else {
            of.checked_out.push_back((id, held));
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
            if self.waiting() == 0 {
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
        let head = self.peek().map_or(Time::MAX, |held| held.expires);
        if head != self.expiry_told {
            self.expiry_told = head;
            effects.expires = Some(head).filter(|at| *at < Time::MAX);
        }
    }

    pub(super) fn expire(&mut self, at: Time, effects: &mut Effects) {
        while self.peek().is_some_and(|held| held.expires <= at) {
            let Some(held) = self.pop() else { return };
            effects.gone.push(Gone { held, why: Leaving::Dead(Reason::Expired) });
        }
    }

    /// The deliveries of a channel among these, which it has no more.
    pub(super) fn take(&mut self, channel: Pid, first: MessageId, count: u32) -> Vec<Held> {
        let mut taken = Vec::new();
        let Some(of) = self.assigned.iter_mut().find(|of| of.channel == channel) else {
            return taken;
        };
        let end = first + u64::from(count);
        let start = of.checked_out.partition_point(|(id, _)| *id < first);
        let behind = of.checked_out.partition_point(|(id, _)| *id < end);
        taken.extend(of.checked_out.drain(start..behind).map(|(_, held)| held));
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
        let counted = match self.policy.rules.has(Rule::LimitCountsFailures) {
            true => held.failures,
            false => held.returns,
        };
        if self.policy.delivery_limit.is_some_and(|limit| counted > limit) {
            effects.gone.push(Gone { held, why: Leaving::Dead(Reason::DeliveryLimit) });
            return;
        }
        self.ready_bytes += payload(&held);
        self.returns.push_back(held);
    }

    pub(super) fn give_back_all(&mut self, channel: Pid, failed: bool, effects: &mut Effects) {
        if let Some(record) = self.consumers.of(channel) {
            record.unacked.clear();
        }
        let Some(of) = self.assigned.iter_mut().find(|of| of.channel == channel) else { return };
        for (_, held) in std::mem::take(&mut of.checked_out) {
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
