//! What a scenario resolves to for this family: plain data, shared by every machine of a run.

use std::sync::Arc;

use crate::observe::{DestinationId, NodeId};

use super::action::Action;
use super::arguments::Arguments;
use super::broker::cluster::mnesia::Tables;
use super::broker::quorum::fifo::Policy;
use super::broker::quorum::fifo::check::Faulty;
pub use super::broker::store::QueueVersion;
pub use super::costs::Costs;
use super::letters::Letters;
use super::message::{ExchangeId, Given, QueueId, RoutingKey};
use super::mirroring::Mirroring;
use super::policy::Policies;
use super::rules::Rule;
use super::settings::Settings;

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether it survives a restart of its node.
    pub durable: bool,
    /// Whether it belongs to the connection that declares it.
    pub exclusive: bool,
    /// Whether it is there before the run begins; else when a client declares it.
    pub declared: bool,
    /// Where it is declared, and so its home unless `locator` finds another.
    pub home: NodeId,
    /// What picks its home.
    pub locator: Locator,
    /// `x-queue-version`: which index and store it has.
    pub version: QueueVersion,
    /// Its arguments.
    pub arguments: Arguments,
    /// The members of a quorum queue; none if it is a classic one.
    pub members: Vec<NodeId>,
    /// `x-delivery-limit` of a quorum queue, if it has one.
    pub delivery_limit: Option<u32>,
}

impl Queue {
    /// Whether it is a quorum queue.
    #[must_use]
    pub fn is_quorum(&self) -> bool {
        !self.members.is_empty()
    }
}

/// What picks the home of a queue as it is declared (rabbit_queue_master_location_misc.erl v3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locator {
    /// The node to which the declaring client is connected.
    ClientLocal,
    /// The node with the fewest queue leaders, of equals the first.
    MinMasters,
    /// Any node.
    Random,
}

impl Locator {
    /// As it is written.
    #[must_use]
    pub fn named(name: &str) -> Locator {
        match name {
            "min-masters" => Locator::MinMasters,
            "random" => Locator::Random,
            _ => Locator::ClientLocal,
        }
    }
}

/// What every machine of the run knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster's members in order.
    pub members: Vec<NodeId>,
    /// The queues; a queue's destination has the same index.
    pub queues: Vec<Queue>,
    /// Queues bound to each exchange and key: `routes[exchange][key]`. The default exchange is not
    /// in it.
    pub routes: Vec<Vec<Vec<QueueId>>>,
    /// Where dead letters go.
    pub letters: Arc<Letters>,
    /// What producers give their messages; the first is nothing.
    pub given: Vec<Given>,
    /// The tables at time zero.
    pub tables: Tables,
    /// The broker's configuration.
    pub settings: Settings,
    /// CPU costs.
    pub costs: Costs,
    /// What an operator orders.
    pub actions: Arc<[Action]>,
    /// The policies that are ever in force.
    pub policies: Arc<Policies>,
}

impl Config {
    /// The destination that a queue is in reports.
    #[must_use]
    pub fn destination(&self, queue: QueueId) -> DestinationId {
        DestinationId(queue.0)
    }

    /// How a queue is mirrored by the policy that these tables have for it, if it is.
    #[must_use]
    pub fn mirroring(&self, tables: &Tables, queue: QueueId) -> Option<&Mirroring> {
        let of = self.queue(queue);
        // rabbit_mirror_queue_misc.erl v3.10 `is_mirrored`: exclusive queues are never mirrored.
        match of.is_quorum() || of.exclusive {
            true => None,
            false => self.policies.mirroring(tables.force.over(queue)),
        }
    }

    /// What a queue's arguments and the policy that these tables have for it come to.
    #[must_use]
    #[inline]
    pub fn arguments(&self, tables: &Tables, queue: QueueId) -> &Arguments {
        match tables.force.over(queue) {
            None => &self.queue(queue).arguments,
            Some(policy) => self.policies.arguments(policy, queue),
        }
    }

    /// Whether there is a quorum queue.
    #[must_use]
    pub fn has_quorum_queues(&self) -> bool {
        self.queues.iter().any(Queue::is_quorum)
    }

    /// The Raft group of Khepri, which comes after those of the queues; none if metadata is in
    /// Mnesia, or there is one node only, which needs nobody's consent.
    #[must_use]
    pub fn khepri(&self) -> Option<QueueId> {
        let there = self.settings.rules.has(Rule::Khepri) && self.members.len() > 1;
        there.then_some(QueueId(self.queues.len() as u32))
    }

    /// Raft groups: one a queue, and Khepri's.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.queues.len() + 1
    }

    /// What a Raft group is in reports; Khepri's is nothing.
    #[must_use]
    pub fn reported(&self, group: QueueId) -> Option<DestinationId> {
        ((group.0 as usize) < self.queues.len()).then(|| self.destination(group))
    }

    /// What a quorum queue's state machine has to know. Khepri's group has an empty queue.
    #[must_use]
    pub fn quorum_policy(&self, queue: QueueId) -> Arc<Policy> {
        let (arguments, delivery_limit) = match self.queues.get(queue.0 as usize) {
            Some(of) => (*self.arguments(&self.tables, queue), of.delivery_limit),
            None => (Arguments::default(), None),
        };
        let rules = self.settings.rules;
        let at_least_once = arguments.keeps_dead_letters()
            && rules.has(Rule::DeadLetter)
            && rules.has(Rule::KeepDeadLetters);
        let faulty = Faulty::default();
        Arc::new(Policy { arguments, delivery_limit, rules, at_least_once, faulty })
    }

    /// A queue's settings.
    #[must_use]
    pub fn queue(&self, queue: QueueId) -> &Queue {
        &self.queues[queue.0 as usize]
    }

    /// The queues that a routing key leads to if all are there.
    pub fn route(&self, exchange: ExchangeId, key: RoutingKey, found: &mut Vec<QueueId>) {
        found.clear();
        if exchange == ExchangeId::DEFAULT {
            // rabbit_exchange.erl `route`: the default exchange routes to the queue of that name.
            if (key.0 as usize) < self.queues.len() {
                found.push(QueueId(key.0));
            }
        } else {
            found.extend(&self.routes[exchange.0 as usize - 1][key.0 as usize]);
        }
    }
}
