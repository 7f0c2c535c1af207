//! What every machine of a run knows.

use crate::brokers::kit::streams::{PartitionId, Streams};
use crate::engine::{Span, Time};
use crate::observe::{DestinationId, MessageRange, NodeId, Observer, Removal};
use crate::world::Port;

use super::costs::Costs;
use super::rules::Rule;
pub use super::settings::Settings;

/// A queue of a topic: (topic, brokerName, queueId).
pub type QueueId = PartitionId;

/// Where brokers listen (`listenPort`).
pub const BROKER: Port = Port(10911);
/// Where masters listen for slaves (`haListenPort`).
pub const HA: Port = Port(10912);
/// Where NameServers listen.
pub const NAMESERVER: Port = Port(9876);

/// Bytes of a record beside body and topic, with IPv4 addresses (`CommitLog.calMsgLength`): 91, and
/// the properties that a client adds (UNIQ_KEY and WAIT).
const RECORD: u32 = 91 + 52;

/// The place of a broker: its group (`brokerName`) and its number there (`brokerId`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which group.
    pub group: u32,
    /// 0 is its master.
    pub id: u32,
}

impl Place {
    /// Whether it is the master of its group.
    #[must_use]
    pub const fn is_master(self) -> bool {
        self.id == 0
    }
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its queues in each group.
    pub queues: u32,
    /// The consumer groups that read it, by their place among all.
    pub groups: Vec<u32>,
}

/// What every machine knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many brokers there are: hosts 0, 1, ...
    pub brokers: u32,
    /// Slaves of each master.
    pub slaves: u32,
    /// The hosts of the NameServers.
    pub nameservers: Vec<NodeId>,
    /// `scanNotActiveBrokerInterval`.
    pub scan_interval: Span,
    /// The topics.
    pub topics: Vec<Topic>,
    /// The consumer groups, by name; auditors have each their own behind them.
    pub consumer_groups: Vec<String>,
    /// Queues, destinations and streams.
    pub streams: Streams,
    /// The brokers' configuration.
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

    /// How many groups of brokers there are.
    #[must_use]
    pub fn groups(&self) -> u32 {
        self.brokers / (self.slaves + 1)
    }

    /// The place of a broker.
    #[must_use]
    pub fn place(&self, broker: NodeId) -> Place {
        let members = self.slaves + 1;
        Place { group: broker.0 / members, id: broker.0 % members }
    }

    /// The broker at a place.
    #[must_use]
    pub fn broker(&self, place: Place) -> NodeId {
        NodeId(place.group * (self.slaves + 1) + place.id)
    }

    /// The group that has a queue.
    #[must_use]
    pub fn group_of(&self, queue: QueueId) -> u32 {
        let place = self.streams.get(queue);
        place.index / self.topics[place.topic as usize].queues
    }

    /// The queues of a group, in order.
    pub fn queues_of(&self, group: u32) -> impl Iterator<Item = QueueId> + '_ {
        let all = (0..self.streams.partitions().len() as u32).map(PartitionId);
        all.filter(move |queue| self.group_of(*queue) == group)
    }

    /// Bytes of a record in the CommitLog.
    #[must_use]
    pub fn record_bytes(&self, queue: QueueId, payload: u32) -> u32 {
        let topic = self.streams.get(queue).topic as usize;
        RECORD + payload + self.topics[topic].name.len() as u32
    }

    /// Does something for every line of some messages.
    pub fn each_line(&self, messages: MessageRange, mut act: impl FnMut(DestinationId)) {
        for destination in self.streams.destinations(messages.producer) {
            act(*destination);
        }
    }

    /// Tells that a broker's copy is gone.
    pub fn removed(
        &self,
        (at, node): (Time, NodeId),
        messages: MessageRange,
        removal: Removal,
        observer: &mut dyn Observer,
    ) {
        self.each_line(messages, |line| observer.removed(at, node, line, messages, removal));
    }
}

/// What a group of brokers is called: `broker-a`, and with a number after 26 of them.
#[must_use]
pub fn group_name(group: u32) -> String {
    match u8::try_from(group) {
        Ok(letter) if letter < 26 => format!("broker-{}", char::from(b'a' + letter)),
        _ => format!("broker-{}", group + 1),
    }
}
