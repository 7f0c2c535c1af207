//! The state machine of a quorum queue (rabbit_fifo.erl v4.3): every member applies the same
//! commands in the same order, and so has the same queue.
//!
//! What is to be done besides, by the leader or by the member on a consumer's node, it says in an
//! [`Effects`].

pub mod check;
mod consuming;
mod dlx;
mod publishing;
pub mod ready;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::Time;
use crate::observe::{MessageRange, Removal};

use self::check::Faulty;
use self::dlx::Dlx;
use self::ready::Ready;
use super::super::super::arguments::Arguments;
use super::super::super::letters::{LetterId, Reason};
use super::super::super::message::ra::{CallAnswer, Command, Index, MessageId};
use super::super::super::message::{Given, Pid};
use super::super::super::rules::Rules;
use super::super::super::words::CONSUMED;
use super::super::queue::consumers::Consumers;

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
    /// Whether dead letters stay until they have arrived (`dead-letter-strategy`).
    pub at_least_once: bool,
    /// What it does wrong.
    pub faulty: Faulty,
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
    checked_out: VecDeque<CheckedOut>,
    /// Its node cannot be reached (`suspected_down`).
    suspected: bool,
}

/// A delivery that is not settled.
#[derive(Clone, Copy, Debug, PartialEq)]
struct CheckedOut {
    id: MessageId,
    /// When it was assigned.
    at: Time,
    held: Held,
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
    /// It was dead-lettered, and has arrived.
    Lettered(Reason),
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
    /// When the message at the head expires, or a delay is over, if that is news.
    pub expires: Option<Time>,
    /// The leader tells these that what they held was taken back: it took too long.
    pub timed_out: Vec<Pid>,
    /// What the worker for dead letters gets: its number, the message, why it has died.
    pub letters: Vec<(Pid, MessageId, Held, Reason)>,
}

/// The state.
#[derive(Clone, Debug)]
pub struct Fifo {
    policy: Arc<Policy>,
    enqueuers: Vec<Enqueuer>,
    /// Never delivered.
    ready: Ready,
    /// Given back, in the order of return; served first.
    returns: VecDeque<Held>,
    /// Given back, and not to be delivered again before their time.
    delayed: BTreeMap<(Time, Index), Held>,
    /// The latest time of a command: leaders' clocks may go back.
    now: Time,
    ready_bytes: u64,
    consumers: Consumers,
    assigned: Vec<Assigned>,
    /// The expiry that was told last.
    expiry_told: Time,
    /// Dead letters that have not arrived.
    dlx: Dlx,
}

#[cfg(test)]
impl Default for Fifo {
    fn default() -> Fifo {
        let (arguments, delivery_limit, rules) = (Arguments::default(), None, Rules::every());
        let (at_least_once, faulty) = (false, Faulty::default());
        let policy = Policy { arguments, delivery_limit, rules, at_least_once, faulty };
        Fifo::new(Arc::new(policy))
    }
}

impl Fifo {
    /// An empty queue.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Fifo {
        Fifo {
            enqueuers: Vec::new(),
            ready: Ready::new(policy.rules),
            policy,
            delayed: BTreeMap::new(),
            now: Time::ZERO,
            returns: VecDeque::new(),
            ready_bytes: 0,
            consumers: Consumers::default(),
            assigned: Vec::new(),
            expiry_told: Time::MAX,
            dlx: Dlx::default(),
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
        self.waiting() + assigned + self.dlx.size().0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that wait for a consumer, delayed ones included.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ready.len() + self.returns.len() + self.delayed.len()
    }

    /// Messages that were never delivered, in the order of enqueueing.
    pub fn ready(&self) -> impl Iterator<Item = &Held> + '_ {
        self.ready.iter()
    }

    /// Messages that wait, in the order in which they are served.
    pub fn waiting_in_order(&self) -> impl Iterator<Item = &Held> + '_ {
        self.returns.iter().chain(self.ready.iter()).chain(self.delayed.values())
    }

    /// What it takes in memory: an index and a header a message; bodies stay in the log.
    #[must_use]
    pub fn memory(&self) -> u64 {
        MESSAGE_BYTES * self.len() as u64
    }

    /// All messages, in no particular order.
    pub fn held(&self) -> impl Iterator<Item = &Held> + '_ {
        let assigned = self.assigned.iter().flat_map(|of| &of.checked_out);
        self.waiting_in_order().chain(assigned.map(|of| &of.held)).chain(self.dlx.held())
    }

    /// Deliveries that are not settled, with whose they are.
    pub fn checked_out(&self) -> impl Iterator<Item = (Pid, &Held)> + '_ {
        self.assigned.iter().flat_map(|of| {
            let channel = of.channel;
            of.checked_out.iter().map(move |delivery| (channel, &delivery.held))
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

    /// When the oldest delivery was assigned that is not settled.
    #[must_use]
    pub fn oldest_delivery(&self) -> Option<Time> {
        let oldest = self.assigned.iter().filter_map(|of| of.checked_out.front());
        oldest.map(|of| of.at).min()
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
        let later = of.checked_out.iter().filter(|of| of.id >= first);
        later.map(|of| Delivery { channel, id: of.id, held: of.held }).collect()
    }

    /// Applies the command of the entry at `index`, whose leader's clock was `at`.
    pub fn apply(&mut self, index: Index, at: Time, command: &Command, given: &[Given]) -> Effects {
        let mut effects = Effects::default();
        self.now = self.now.max(at);
        let holder = self.consumers.holder;
        match *command {
            Command::Noop
            | Command::Join { .. }
            | Command::Leave { .. }
            | Command::Metadata { .. } => {}
            Command::Register { channel } => self.register(channel, &mut effects),
            Command::Enqueue { channel, seq, message, letter, given: place } => {
                let Given { expiration, priority } = given[usize::from(place)];
                let ttl = self.policy.arguments.message_ttl.into_iter().chain(expiration).min();
                let expires = ttl.map_or(Time::MAX, |ttl| at + ttl);
                let held = Held { index, message, letter, expires, failures: 0, returns: 0 };
                self.enqueue(channel, seq, (priority, held), &mut effects);
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
                    self.dies(held, Reason::Rejected, &mut effects);
                }
                self.settled(channel);
            }
            Command::Down { channel, reason } => self.down(channel, reason, &mut effects),
            Command::NodeUp { node } => self.node_up(node, &mut effects),
            Command::Disconnected { channel } => self.disconnected(channel, &mut effects),
            Command::Expire => self.end_delays(),
            Command::TimeOut { timeout } => self.time_out(at, timeout, &mut effects),
            Command::TakeLetters { worker } => self.take_letters(worker),
            Command::SettleLetter { id } => self.settle_letter(id, &mut effects),
        }
        self.check_out(at, &mut effects);
        self.hand_out_letters(&mut effects);
        self.limit(&mut effects);
        if self.consumers.holder != holder && self.policy.arguments.single_active_consumer {
            effects.active = self.consumers.holder;
        }
        effects
    }
}

/// Bytes of the bodies.
fn payload(held: &Held) -> u64 {
    u64::from(held.message.bytes) * u64::from(held.message.count)
}
