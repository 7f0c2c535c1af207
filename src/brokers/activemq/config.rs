//! What every machine of a run knows.

use crate::observe::NodeId;
use crate::world::Port;

use super::costs::Costs;
use super::message::QueueId;
use super::rules::Rule;
pub use super::settings::{Settings, SyncStrategy};

/// Where brokers listen for clients (`openwire`).
pub const OPENWIRE: Port = Port(61616);

/// Where the storage listens (`nfs`).
pub const STORAGE: Port = Port(2049);

/// What dead letters' queue is called (`SharedDeadLetterStrategy`).
pub const DLQ: &str = "ActiveMQ.DLQ";

/// What every machine knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many brokers there are: hosts 0, 1, ...
    pub brokers: u32,
    /// The host of the storage that they share; none if one broker has its own.
    pub storage: Option<NodeId>,
    /// The queues, `ActiveMQ.DLQ` last.
    pub queues: Vec<String>,
    /// The hosts of the producers, by producer.
    pub producers: Vec<NodeId>,
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

    /// The queue of dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> QueueId {
        crate::observe::DestinationId(self.queues.len() as u32 - 1)
    }
}
