//! What every machine of a run knows.

use crate::observe::NodeId;
use crate::world::Port;

use super::costs::Costs;
use super::message::QueueId;
use super::rules::Rule;
pub use super::settings::{FullPolicy, JournalType, QueueSettings, Settings};

/// Where brokers listen for clients, and for each other (`artemis` acceptor and connector).
pub const ARTEMIS: Port = Port(61616);

/// Where the storage listens (`nfs`).
pub const STORAGE: Port = Port(2049);

/// What the queue of dead letters is called in the template of `artemis create`.
pub const DLQ: &str = "DLQ";

/// How brokers depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// There is one, with a journal of its own.
    Single,
    /// `ha-policy/shared-store`: the storage has the journal and the locks.
    SharedStore {
        /// The storage's host.
        storage: NodeId,
    },
    /// `ha-policy/replication`: pairs of a primary and a backup.
    Replication,
}

/// What every machine knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many brokers there are: hosts 0, 1, ...; of a pair first the primary, then the backup.
    pub brokers: u32,
    /// How they depend on each other.
    pub policy: Policy,
    /// The queues, `DLQ` last.
    pub queues: Vec<String>,
    /// What is said of each.
    pub addresses: Vec<QueueSettings>,
    /// The broker's configuration.
    pub settings: Settings,
    /// What things cost.
    pub costs: Costs,
}

impl Config {
    /// Whether a rule holds.
    #[inline]
    #[must_use]
    pub fn has(&self, rule: Rule) -> bool {
        self.settings.rules.has(rule)
    }

    /// The queue of dead letters, if there is one.
    #[must_use]
    pub fn dead_letters(&self) -> Option<QueueId> {
        let last = crate::observe::DestinationId(self.queues.len() as u32 - 1);
        self.settings.dead_letters.then_some(last)
    }

    /// The other broker of a pair; of a single one there is none.
    #[must_use]
    pub const fn other(&self, broker: NodeId) -> Option<NodeId> {
        match self.policy {
            Policy::Single => None,
            Policy::SharedStore { .. } | Policy::Replication => Some(NodeId(broker.0 ^ 1)),
        }
    }

    /// Which pair a broker belongs to.
    #[must_use]
    pub const fn pair(broker: NodeId) -> u32 {
        broker.0 / 2
    }

    /// Whether it is the primary of its pair.
    #[must_use]
    pub const fn is_primary(broker: NodeId) -> bool {
        broker.0.is_multiple_of(2)
    }
}
