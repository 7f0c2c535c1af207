//! What the controller decides: the state of partitions, and what brokers and clients know of it.

use crate::brokers::coordination::raft;
use crate::brokers::coordination::zookeeper::Data;
use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;

use super::nodes::NodeSet;

/// The state of a partition, as ZooKeeper's znode or KRaft's record has it. It has no offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// Who leads, if anybody.
    pub leader: Option<NodeId>,
    /// The in-sync replicas.
    pub isr: NodeSet,
    /// Which leader it is: one more with every election.
    pub leader_epoch: u32,
    /// Which state it is: zkVersion, or `partitionEpoch`.
    pub partition_epoch: u32,
    /// `LeaderRecoveryState` RECOVERING: the leader was elected uncleanly (KIP-704).
    pub recovering: bool,
    /// Eligible leader replicas (KIP-966).
    pub elr: NodeSet,
    /// The last member of the ISR before there was none (KIP-966).
    pub last_known_leader: Option<NodeId>,
    /// In which leader epoch a leader was last elected from outside the ISR: Kafka's state has no
    /// such thing, it explains what is lost.
    pub unclean: Option<u32>,
}

impl PartitionState {
    /// Before anything is known.
    pub const NONE: PartitionState = PartitionState {
        leader: None,
        isr: NodeSet::EMPTY,
        leader_epoch: 0,
        partition_epoch: 0,
        recovering: false,
        elr: NodeSet::EMPTY,
        last_known_leader: None,
        unclean: None,
    };
}

/// What a leader wants the state of its partition to become (KIP-497).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionChange {
    /// Under which leader epoch it asks.
    pub leader_epoch: u32,
    /// Which state it knows.
    pub partition_epoch: u32,
    /// The ISR that it wants.
    pub isr: NodeSet,
    /// The incarnations that its members' fetches came from, as far as they are known (KIP-903).
    pub incarnations: Vec<(NodeId, u64)>,
    /// Whether the leader still recovers.
    pub recovering: bool,
}

/// What a znode of Kafka's holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Znode {
    /// `/brokers/ids/N`: which start of the broker's process it is.
    Broker(u32),
    /// `/controller`: who.
    Controller(NodeId),
    /// `/controller_epoch`.
    ControllerEpoch(u32),
    /// `/brokers/topics/T/partitions/P/state`, with the epoch of the controller that wrote it.
    Partition(PartitionState, u32),
    /// `/isr_change_notification/isr_change_N`: partitions whose leaders have written another ISR.
    IsrChange(Vec<PartitionId>),
}

impl Data for Znode {
    fn bytes(&self) -> u32 {
        match self {
            Znode::Broker(_) => 120,
            Znode::Controller(_) => 60,
            Znode::ControllerEpoch(_) => 4,
            Znode::Partition(..) => 90,
            Znode::IsrChange(partitions) => 30 + partitions.len() as u32 * 30,
        }
    }
}

/// A record of the metadata log.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// `RegisterBrokerRecord`: a broker is known, and fenced. Its epoch is the record's offset.
    Register {
        /// Who.
        broker: NodeId,
        /// Which start of its process.
        incarnation: u32,
        /// Its epoch.
        epoch: u64,
    },
    /// `BrokerRegistrationChangeRecord`.
    Standing {
        /// Who.
        broker: NodeId,
        /// Of which registration.
        epoch: u64,
        /// Whether it must not lead nor be in an ISR.
        fenced: bool,
        /// Whether it is about to stop.
        shutting_down: bool,
    },
    /// `PartitionRecord`, `PartitionChangeRecord`: the whole state.
    Partition(PartitionId, PartitionState),
    /// `NoOpRecord`: says nothing, but that the controller lives (KIP-835).
    NoOp,
}

impl raft::Record for Record {
    fn bytes(&self) -> u32 {
        match self {
            Record::Register { .. } => 110,
            Record::Standing { .. } => 40,
            Record::Partition(..) => 70,
            Record::NoOp => 4,
        }
    }
}

/// What a broker or a client knows of all partitions, as `UpdateMetadata` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The brokers that live.
    pub alive: NodeSet,
    /// The controller, if it is known.
    pub controller: Option<NodeId>,
    /// By partition: leader and epoch. `None` before the partition is known.
    pub partitions: Vec<Option<Led>>,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Led {
    /// Who, if anybody.
    pub leader: Option<NodeId>,
    /// In which epoch.
    pub epoch: u32,
    /// The in-sync replicas.
    pub isr: NodeSet,
}

impl View {
    /// The leader of a partition.
    #[must_use]
    pub fn leader(&self, partition: PartitionId) -> Option<NodeId> {
        self.led(partition)?.leader
    }

    /// What is known of a partition.
    #[must_use]
    pub fn led(&self, partition: PartitionId) -> Option<Led> {
        self.partitions.get(partition.index()).copied().flatten()
    }

    /// Bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.partitions.len() as u32 * 40 + self.alive.len() * 30
    }
}
