//! What every machine of a run knows.

use std::sync::Arc;

use crate::brokers::kit::log::Piece;
use crate::engine::Span;
use crate::observe::{DestinationId, MessageRange, NodeId, Observer, Removal};
use crate::world::Port;

use super::super::{PartitionId, Streams};
use super::costs::Costs;
pub use super::settings::Settings;

/// Where brokers listen (`port`).
pub const KAFKA: Port = Port(9092);

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// `num.partitions` or `topic.partition.count.map`: partitions on each broker.
    pub partitions: u32,
    /// `topic.flush.intervals.ms`, or `log.default.flush.interval.ms`.
    pub flush_interval: Span,
    /// `log.retention.hours`, or its override.
    pub retention: Span,
    /// The groups that read it.
    pub groups: Vec<String>,
}

/// What every machine knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many brokers there are: hosts 0, 1, ... with the ids 1, 2, ...
    pub brokers: u32,
    /// The hosts of the ZooKeeper ensemble.
    pub zookeeper: Arc<[NodeId]>,
    /// The topics.
    pub topics: Vec<Topic>,
    /// Partitions, destinations and streams.
    pub streams: Streams,
    /// The brokers' configuration.
    pub settings: Settings,
    /// What things cost.
    pub costs: Costs,
}

impl Config {
    /// The broker that has a partition, by its host.
    #[must_use]
    pub fn owner(&self, partition: PartitionId) -> NodeId {
        let place = self.streams.get(partition);
        NodeId(place.index / self.topics[place.topic as usize].partitions)
    }

    /// The partitions of a broker.
    #[must_use]
    pub fn local(&self, broker: NodeId) -> Vec<PartitionId> {
        let all = (0..self.streams.partitions().len() as u32).map(PartitionId);
        all.filter(|partition| self.owner(*partition) == broker).collect()
    }

    /// A partition by topic, broker (its host) and number.
    #[must_use]
    pub fn partition(&self, topic: u32, broker: u32, part: u32) -> PartitionId {
        self.streams.partition(topic, broker * self.topics[topic as usize].partitions + part)
    }

    /// The topic of a partition.
    #[must_use]
    pub fn topic(&self, partition: PartitionId) -> &Topic {
        &self.topics[self.streams.get(partition).topic as usize]
    }

    /// What a partition is called in ZooKeeper: `1-0`.
    #[must_use]
    pub fn part_name(&self, partition: PartitionId) -> &str {
        let name = &self.streams.get(partition).name;
        name.rfind('/').map_or(name, |at| &name[at + 1..])
    }

    /// Does something for every line of some messages.
    pub fn each_line(&self, messages: MessageRange, mut act: impl FnMut(DestinationId)) {
        for destination in self.streams.destinations(messages.producer) {
            act(*destination);
        }
    }

    /// Tells that a broker's copies are gone.
    pub fn removed(
        &self,
        (at, node): (crate::engine::Time, NodeId),
        piece: Piece,
        removal: Removal,
        observer: &mut dyn Observer,
    ) {
        self.each_line(piece.messages, |line| {
            observer.removed(at, node, line, piece.messages, removal);
        });
    }
}
