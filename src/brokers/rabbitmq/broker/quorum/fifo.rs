//! The state machine of a quorum queue (rabbit_fifo.erl v4.3): every member applies the same
//! commands in the same order, and so has the same queue.
//!
//! What is to be done besides, by the leader or by the member on a consumer's node, it says in an
//! [`Effects`].

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{MessageRange, NodeId, Removal};

use super::super::super::arguments::{Arguments, Overflow};
use super::super::super::letters::{LetterId, Reason};
use super::super::super::message::amqp::Terms;
use super::super::super::message::ra::{CallAnswer, Command, Index, MessageId};
use super::super::super::message::{DownReason, Pid};
use super::super::super::rules::{Rule, Rules};
use super::super::super::words::{CONSUMED, NOT_ENQUEUED};
use super::super::queue::consumers::Consumers;

/// A consumer without a limit has this one (rabbit_fifo_client.erl: `?UNLIMITED_PREFETCH_COUNT`).
const UNLIMITED: u32 = 2_000;
/// Bytes of the machine's state in a snapshot: its own, and of each message (rabbit_fifo.erl,
/// `approximate snapshot size`).
const STATE_BYTES: u64 = 4_096;
const MESSAGE_BYTES: u64 = 32;

/// What a queue's arguments and its version come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its arguments.
    pub arguments: Arguments,
    /// `delivery-limit`: how often a message may come back; never too often if not given.
    pub delivery_limit: Option<u32>,
    /// What its version does.
    pub rules: Rules,
}

/// A message in the queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// The entry that enqueued it, by which it is known.
    pub index: Index,
    /// The message.
    pub message: MessageRange,
    /// What it remembers of being dead-lettered.
    pub letter: LetterId,
    /// When it expires; never is the end of time.
    pub expires: Time,
    /// How often it came back because it could not be processed (`delivery_count`).
    pub failures: u32,
    /// How often it came back at all (`acquired_count`).
    pub returns: u32,
}

/// A channel that publishes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Enqueuer {
    channel: Pid,
    next_seq: u64,
    /// It was told that the queue is full.
    blocked: bool,
}

/// What a channel's consumer has been assigned.
#[derive(Clone, Debug, PartialEq)]
struct Assigned {
    channel: Pid,
    next_id: MessageId,
    /// Not yet settled, in the order of their ids.
    checked_out: VecDeque<(MessageId, Held)>,
    /// Its node cannot be reached (`suspected_down`).
    suspected: bool,
}

/// A message on its way to a consumer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// Whose.
    pub channel: Pid,
    /// Its number there.
    pub id: MessageId,
    /// The message.
    pub held: Held,
}

/// A message that is in the queue no more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gone {
    /// The message.
    pub held: Held,
    /// Why.
    pub why: Leaving,
}

/// Why a message leaves the queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaving {
    /// It is over with.
    Settled(Removal),
    /// It is dead-lettered, if there is a dead-letter exchange.
    Dead(Reason),
}

/// What comes of a command beside the state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Messages to consumers: sent by the member on the consumer's node, or by the leader if there
    /// is none.
    pub deliveries: Vec<Delivery>,
    /// Messages that have left.
    pub gone: Vec<Gone>,
    /// The leader watches these.
    pub monitors: Vec<Pid>,
    /// The leader tells these whether the queue is full.
    pub told: Vec<(Pid, bool)>,
    /// The leader waits for these to come back, and then says that they do not.
    pub disconnected: Vec<Pid>,
    /// The answer to who asked.
    pub answer: Option<CallAnswer>,
    /// It was an enqueue before which another is missing: it is not confirmed.
    pub not_enqueued: bool,
    /// Another consumer is the single active one.
    pub active: Option<Pid>,
    /// The leader tells these that it leads: their node is connected again.
    pub leader_changes: Vec<Pid>,
    /// When the message at the head expires, if it has come there now.
    pub expires: Option<Time>,
}

/// The state.
#[derive(Clone, Debug)]
pub struct Fifo {
    policy: Arc<Policy>,
    enqueuers: Vec<Enqueuer>,
    /// In the order of enqueueing.
    ready: VecDeque<Held>,
    /// Given back, in the order of return; served first.
    returns: VecDeque<Held>,
    ready_bytes: u64,
    consumers: Consumers,
    assigned: Vec<Assigned>,
    /// The expiry that was told last.
    expiry_told: Time,
}

#[cfg(test)]
impl Default for Fifo {
    fn default() -> Fifo {
        let (arguments, delivery_limit, rules) = (Arguments::default(), None, Rules::every());
        Fifo::new(Arc::new(Policy { arguments, delivery_limit, rules }))
    }
}

impl Fifo {
    /// An empty queue.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Fifo {
        Fifo {
            policy,
            enqueuers: Vec::new(),
            ready: VecDeque::new(),
            returns: VecDeque::new(),
            ready_bytes: 0,
            consumers: Consumers::default(),
            assigned: Vec::new(),
            expiry_told: Time::MAX,
        }
    }

    /// The same queue without anything in it.
    #[must_use]
    pub fn fresh(&self) -> Fifo {
        Fifo::new(self.policy.clone())
    }

    /// Its size in a snapshot.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        STATE_BYTES + MESSAGE_BYTES * self.len() as u64 + self.held().map(payload).sum::<u64>()
    }

    /// How many messages there are, assigned ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        let assigned = self.assigned.iter().map(|of| of.checked_out.len()).sum::<usize>();
        self.ready.len() + self.returns.len() + assigned
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that wait for a consumer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ready.len() + self.returns.len()
    }

    /// They, in the order in which they are served.
    pub fn waiting_in_order(&self) -> impl Iterator<Item = &Held> + '_ {
        self.returns.iter().chain(&self.ready)
    }

    /// What it takes in memory: an index and a header a message; bodies stay in the log.
    #[must_use]
    pub fn memory(&self) -> u64 {
        MESSAGE_BYTES * self.len() as u64
    }

    /// All messages, in no particular order.
    pub fn held(&self) -> impl Iterator<Item = &Held> + '_ {
        let assigned = self.assigned.iter().flat_map(|of| &of.checked_out);
        self.ready.iter().chain(&self.returns).chain(assigned.map(|(_, held)| held))
    }

    /// Deliveries that are not settled, with whose they are.
    pub fn checked_out(&self) -> impl Iterator<Item = (Pid, &Held)> + '_ {
        self.assigned.iter().flat_map(|of| {
            let channel = of.channel;
            of.checked_out.iter().map(move |(_, held)| (channel, held))
        })
    }

    /// Every channel that it knows (rabbit_fifo.erl: `all_pids_for`).
    #[must_use]
    pub fn channels(&self) -> Vec<Pid> {
        let consumers = self.assigned.iter().map(|of| of.channel);
        let mut all: Vec<Pid> = self.enqueuers.iter().map(|of| of.channel).collect();
        all.extend(consumers.filter(|pid| !self.enqueuers.iter().any(|of| of.channel == *pid)));
        all
    }

    /// The consumers whose nodes cannot be reached.
    #[must_use]
    pub fn suspected(&self) -> Vec<Pid> {
        self.assigned.iter().filter(|of| of.suspected).map(|of| of.channel).collect()
    }

    /// What a consumer was assigned from `first` on, and has not settled.
    #[must_use]
    pub fn assigned_from(&self, channel: Pid, first: MessageId) -> Vec<Delivery> {
        let Some(of) = self.assigned.iter().find(|of| of.channel == channel) else {
            return Vec::new();
        };
        let later = of.checked_out.iter().filter(|(id, _)| *id >= first);
        later.map(|&(id, held)| Delivery { channel, id, held }).collect()
    }

    /// Applies the command of the entry at `index`, whose leader's clock was `at`.
    pub fn apply(
        &mut self,
        index: Index,
        at: Time,
        command: &Command,
        expirations: &[Span],
    ) -> Effects {
        let mut effects = Effects::default();
        let holder = self.consumers.holder;
        match *command {
            Command::Noop => {}
            Command::Register { channel } => self.register(channel, &mut effects),
            Command::Enqueue { channel, seq, message, letter, expiration } => {
                let ttl = match expiration {
                    0 => self.policy.arguments.message_ttl,
                    place => {
                        let own = expirations[usize::from(place)];
                        Some(self.policy.arguments.message_ttl.map_or(own, |all| all.min(own)))
                    }
                };
                let expires = ttl.map_or(Time::MAX, |ttl| at + ttl);
                let held = Held { index, message, letter, expires, failures: 0, returns: 0 };
                self.enqueue(channel, seq, held, &mut effects);
            }
            Command::Checkout { channel, terms } => self.attach(channel, terms, &mut effects),
            Command::Get { channel, no_ack } => self.get(channel, no_ack, &mut effects),
            Command::Cancel { channel } => self.cancel(channel),
            Command::Settle { channel, first, count } => {
                for held in self.take(channel, first, count) {
                    effects.gone.push(Gone { held, why: Leaving::Settled(CONSUMED) });
                }
                self.settled(channel);
            }
            Command::Return { channel, first, count, failed } => {
                for held in self.take(channel, first, count) {
                    self.give_back(held, failed, &mut effects);
                }
                self.settled(channel);
            }
            Command::Discard { channel, first, count } => {
                for held in self.take(channel, first, count) {
                    effects.gone.push(Gone { held, why: Leaving::Dead(Reason::Rejected) });
                }
                self.settled(channel);
            }
            Command::Down { channel, reason } => self.down(channel, reason, &mut effects),
            Command::NodeUp { node } => self.node_up(node, &mut effects),
            Command::Disconnected { channel } => self.disconnected(channel, &mut effects),
            Command::Expire => {}
        }
        self.check_out(at, &mut effects);
        self.limit(&mut effects);
        if self.consumers.holder != holder && self.policy.arguments.single_active_consumer {
            effects.active = self.consumers.holder;
        }
        effects
    }

    // ---- publishers

    fn enqueuer(&mut self, channel: Pid, effects: &mut Effects) -> &mut Enqueuer {
        let known = self.enqueuers.iter().position(|of| of.channel == channel);
        let at = known.unwrap_or_else(|| {
            effects.monitors.push(channel);
            self.enqueuers.push(Enqueuer { channel, next_seq: 1, blocked: false });
            self.enqueuers.len() - 1
        });
        &mut self.enqueuers[at]
    }

    fn register(&mut self, channel: Pid, effects: &mut Effects) {
        let full = self.is_full();
        self.enqueuer(channel, effects).blocked = full;
        effects.answer = Some(if full { CallAnswer::Full } else { CallAnswer::Done });
    }

    /// rabbit_fifo.erl `maybe_enqueue`: by their numbers, what is sent again is not enqueued again,
    /// and what comes after a gap is not enqueued at all. A dead letter has no number (0).
    fn enqueue(&mut self, channel: Pid, seq: u64, held: Held, effects: &mut Effects) {
        let numbered = seq > 0 && self.policy.rules.has(Rule::DeduplicateEnqueues);
        let next_seq = match numbered {
            true => self.enqueuer(channel, effects).next_seq,
            false => seq,
        };
        if seq > next_seq {
            effects.not_enqueued = true;
        } else if seq == next_seq {
            if numbered {
                self.enqueuer(channel, effects).next_seq += 1;
            }
            self.ready_bytes += payload(&held);
            self.ready.push_back(held);
            return;
        }
        effects.gone.push(Gone { held, why: Leaving::Settled(NOT_ENQUEUED) });
    }

    fn refuses(&self) -> bool {
        self.policy.arguments.limited() && self.policy.arguments.overflow != Overflow::DropHead
    }

    fn is_full(&self) -> bool {
        let waiting = self.waiting() as u64;
        self.refuses() && self.policy.arguments.exceeded(waiting, self.ready_bytes)
    }

    /// rabbit_fifo.erl `evaluate_limit`: the oldest goes; or publishers are told, and told again
    /// when four fifths of the limit are left (`?LOW_LIMIT`).
    fn limit(&mut self, effects: &mut Effects) {
        if !self.policy.arguments.limited() {
            return;
        }
        if !self.refuses() {
            while self.policy.arguments.exceeded(self.waiting() as u64, self.ready_bytes) {
                let Some(held) = self.pop() else { break };
                effects.gone.push(Gone { held, why: Leaving::Dead(Reason::MaxLength) });
            }
            return;
        }
        let full = self.is_full();
        let low = |limit: Option<u64>, now: u64| limit.is_none_or(|limit| now * 5 <= limit * 4);
        let arguments = &self.policy.arguments;
        let room = low(arguments.max_length, self.waiting() as u64)
            && low(arguments.max_length_bytes, self.ready_bytes);
        for enqueuer in &mut self.enqueuers {
            if (full && !enqueuer.blocked) || (room && enqueuer.blocked) {
                enqueuer.blocked = full;
                effects.told.push((enqueuer.channel, full));
            }
        }
    }

    // ---- consumers

    fn single_active(&self) -> bool {
        self.policy.arguments.single_active_consumer
    }

    fn attach(&mut self, channel: Pid, mut terms: Terms, effects: &mut Effects) {
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

    fn assignments(&mut self, channel: Pid, effects: &mut Effects) -> &mut Assigned {
        let known = self.assigned.iter().position(|of| of.channel == channel);
        let at = known.unwrap_or_else(|| {
            effects.monitors.push(channel);
            let (next_id, checked_out) = (0, VecDeque::new());
            self.assigned.push(Assigned { channel, next_id, checked_out, suspected: false });
            self.assigned.len() - 1
        });
        &mut self.assigned[at]
    }

    fn get(&mut self, channel: Pid, no_ack: bool, effects: &mut Effects) {
        let Some(held) = self.pop() else {
            effects.answer = Some(CallAnswer::Empty);
            return;
        };
        self.consumers.record(channel);
        self.assign(channel, held, no_ack, effects);
        effects.answer = Some(CallAnswer::Done);
    }

    /// What it holds it keeps until it has settled it.
    fn cancel(&mut self, channel: Pid) {
        let single_active = self.single_active();
        self.consumers.cancel(channel, single_active);
        self.forget_idle(channel);
    }

    fn forget_idle(&mut self, channel: Pid) {
        if self.consumers.of(channel).is_none() {
            self.assigned.retain(|of| of.channel != channel || !of.checked_out.is_empty());
        }
    }

    /// The oldest of what was given back, else of what was enqueued (`take_next_msg`).
    fn pop(&mut self) -> Option<Held> {
        let held = match self.policy.rules.has(Rule::ReturnsFirst) {
            true => self.returns.pop_front().or_else(|| self.ready.pop_front()),
            false => self.ready.pop_front().or_else(|| self.returns.pop_front()),
        }?;
        self.ready_bytes -= payload(&held);
        Some(held)
    }

    fn peek(&self) -> Option<&Held> {
        self.returns.front().or_else(|| self.ready.front())
    }

    fn assign(&mut self, channel: Pid, held: Held, no_ack: bool, effects: &mut Effects) {
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
    fn check_out(&mut self, at: Time, effects: &mut Effects) {
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

    fn expire(&mut self, at: Time, effects: &mut Effects) {
        while self.peek().is_some_and(|held| held.expires <= at) {
            let Some(held) = self.pop() else { return };
            effects.gone.push(Gone { held, why: Leaving::Dead(Reason::Expired) });
        }
    }

    /// The deliveries of a channel among these, which it has no more.
    fn take(&mut self, channel: Pid, first: MessageId, count: u32) -> Vec<Held> {
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

    fn settled(&mut self, channel: Pid) {
        self.consumers.unblock(channel, false);
        self.consumers.forget_idle();
        self.forget_idle(channel);
    }

    /// rabbit_fifo.erl `return_one`: behind what was given back before, unless it has come back too
    /// often. What counts is every return before 4.3, from then on only those after a failure.
    fn give_back(&mut self, mut held: Held, failed: bool, effects: &mut Effects) {
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

    fn give_back_all(&mut self, channel: Pid, failed: bool, effects: &mut Effects) {
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
    fn down(&mut self, channel: Pid, reason: DownReason, effects: &mut Effects) {
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
    fn node_up(&mut self, node: NodeId, effects: &mut Effects) {
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
    fn disconnected(&mut self, channel: Pid, effects: &mut Effects) {
        let suspected = self.assigned.iter().any(|of| of.channel == channel && of.suspected);
        if suspected {
            let single_active = self.single_active();
            self.consumers.step_aside(channel, single_active);
            self.give_back_all(channel, false, effects);
        }
    }
}

/// Bytes of the bodies.
fn payload(held: &Held) -> u64 {
    u64::from(held.message.bytes) * u64::from(held.message.count)
}
