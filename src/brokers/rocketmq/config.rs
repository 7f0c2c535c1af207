//! What every machine of a run knows.

use std::sync::Arc;

use crate::brokers::coordination::raft;
use crate::brokers::kit::streams::{PartitionId, Streams};
use crate::engine::{Span, Time};
use crate::observe::{DestinationId, NodeId, Observer, ProducerId, Removal};
use crate::world::Port;

use super::costs::Costs;
use super::rules::Rule;
pub use super::settings::Settings;
use super::store::Record;

/// A queue of a topic: (topic, brokerName, queueId).
pub type QueueId = PartitionId;

/// Where brokers listen (`listenPort`).
pub const BROKER: Port = Port(10911);
/// Where masters listen for slaves (`haListenPort`).
pub const HA: Port = Port(10912);
/// Where NameServers listen.
pub const NAMESERVER: Port = Port(9876);
/// Where controllers listen for brokers.
pub const CONTROLLER: Port = Port(9877);

/// Bytes of a record beside body and topic, with IPv4 addresses (`CommitLog.calMsgLength`): 91, and
/// the properties that a client adds (UNIQ_KEY and WAIT).
const RECORD: u32 = 91 + 52;

/// The place of a broker: its group (`brokerName`) and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which group.
    pub group: u32,
    /// Which member; in the mode `rocketmq-master-slave` 0 is the master.
    pub id: u32,
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

/// Delays of messages (`messageDelayLevel`, store/config/MessageStoreConfig.java), in seconds: level 1
/// is the first.
pub const DELAYS: [u64; 18] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200];

/// The topics of a consumer group for what it sends back, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returns {
    /// `%RETRY%group`: one queue in each group of brokers.
    pub retry: u32,
    /// `%DLQ%group`: the same.
    pub dead: u32,
}

/// The epoch in which masters are before the run.
pub const FIRST_EPOCH: u32 = 1;

/// Who makes a broker a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its configuration, for good.
    MasterSlave,
    /// Controllers.
    Controller,
    /// The brokers of the group, which are a Raft group (DLedger).
    Dledger,
}

/// The controllers' configuration (`common/ControllerConfig.java`).
#[derive(Clone, Debug)]
pub struct Control {
    /// Their hosts.
    pub hosts: Vec<NodeId>,
    /// Their quorum.
    pub quorum: Arc<raft::Config>,
    /// `controllerHeartBeatTimeoutMills`.
    pub timeout: Span,
    /// `scanNotActiveBrokerInterval`.
    pub scan: Span,
    /// `scanInactiveMasterInterval`.
    pub masters: Span,
    /// `enableElectUncleanMaster`.
    pub unclean: bool,
}

/// What every machine knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many brokers there are: hosts 0, 1, ...
    pub brokers: u32,
    /// Who makes a broker a master.
    pub mode: Mode,
    /// The controllers' configuration, in the mode that has them.
    pub control: Option<Control>,
    /// The quorum of each group of brokers, in the mode in which they have one.
    pub ledgers: Vec<Arc<raft::Config>>,
    /// Slaves of each master.
    pub slaves: u32,
    /// Bytes of each broker's disk.
    pub disks: Vec<u64>,
    /// The hosts of the NameServers.
    pub nameservers: Vec<NodeId>,
    /// `scanNotActiveBrokerInterval`.
    pub scan_interval: Span,
    /// The topics.
    pub topics: Vec<Topic>,
    /// The consumer groups, by name; auditors have each their own behind them.
    pub consumer_groups: Vec<String>,
    /// Of each consumer group where it sends back to; none if its application never fails.
    pub returns: Vec<Option<Returns>>,
    /// `SCHEDULE_TOPIC_XXXX`, if a group sends anything back: a queue for each delay level.
    pub schedule: Option<u32>,
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

    /// Does something for every line of which a record is a copy: those of all groups, or that of the
    /// group that has sent it back.
    pub fn each_line(&self, record: &Record, mut act: impl FnMut(DestinationId)) {
        let stream = record.message().producer;
        match record.group() {
            Some(group) => act(self.line_of(stream, group)),
            None => self.streams.destinations(stream).iter().for_each(|line| act(*line)),
        }
    }

    /// The line of a stream's messages as a consumer group sees it.
    #[must_use]
    pub fn line_of(&self, stream: ProducerId, group: u32) -> DestinationId {
        let topic = self.streams.get(self.streams.meant_for(stream)).topic;
        let groups = &self.topics[topic as usize].groups;
        let place = groups.iter().position(|of| *of == group).unwrap_or(0);
        self.streams.destination(stream, place)
    }

    /// Tells that a broker's copy is gone. With one that was sent back the group loses the message, since
    /// it has gone on behind the first one.
    pub fn removed(
        &self,
        (at, node, is_master): (Time, NodeId, bool),
        record: &Record,
        removal: Removal,
        observer: &mut dyn Observer,
    ) {
        let message = record.message();
        let back = record.group().is_some() && is_master;
        self.each_line(record, |line| {
            observer.removed(at, node, line, message, removal);
            if back {
                observer.abandoned(at, node, line, message, removal);
            }
        });
    }

    /// The queue of a delay level, from 1 on, in a group of brokers.
    #[must_use]
    pub fn delay_queue(&self, group: u32, level: u32) -> Option<QueueId> {
        let index = group * DELAYS.len() as u32 + level.min(DELAYS.len() as u32) - 1;
        self.schedule.map(|topic| self.streams.partition(topic, index))
    }

    /// The delay level of a queue, from 1 on; none if it is no queue of delayed messages.
    #[must_use]
    pub fn delay_level(&self, queue: QueueId) -> Option<u32> {
        let place = self.streams.get(queue);
        let delayed = self.schedule == Some(place.topic);
        delayed.then(|| place.index % DELAYS.len() as u32 + 1)
    }

    /// Whether a queue has dead letters.
    #[must_use]
    pub fn is_dead(&self, queue: QueueId) -> bool {
        let topic = self.streams.get(queue).topic;
        self.returns.iter().flatten().any(|returns| returns.dead == topic)
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
