//! What every machine of a run knows: what the scenario resolves to. Never changes.

use crate::brokers::coordination::{raft, zookeeper};
use crate::brokers::kafka::{Partition, PartitionId, Streams};
use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{By, FileId, Port};

use super::costs::Costs;
use super::groups::Groups;
use super::nodes::NodeSet;
use super::rules::Rule;
pub use super::settings::{Quorum, Selector, Settings};
use super::state::{PartitionState, Znode};
use super::transactions::Transactions;

/// Where brokers listen for clients and for each other.
pub const BROKER: Port = Port(9092);
/// Where KRaft controllers listen for brokers. The quorum has a port of its own, which in Kafka is
/// the same listener.
pub const CONTROLLER: Port = Port(9094);
/// A leader whose request for another ISR got no answer asks again after this
/// (DefaultAlterPartitionManager.scala 3.9, `scheduleOnce("send-alter-partition", .., 50)`).
pub const ALTER_BACKOFF: Span = Span::from_millis(50);

/// Where the cluster's state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// In ZooKeeper, by one of the brokers.
    ZooKeeper,
    /// In a quorum of controllers.
    Kraft,
}

/// Everything that all machines know.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many brokers there are: the hosts from 0 on.
    pub brokers: u32,
    /// The racks of the brokers (`broker.rack`): their zones.
    pub racks: Vec<u32>,
    /// The servers of ZooKeeper, or the controllers.
    pub coordinators: Vec<NodeId>,
    /// Where the state is kept.
    pub metadata: Metadata,
    /// The brokers' configuration.
    pub settings: Settings,
    /// CPU costs.
    pub costs: Costs,
    /// The topics, in the order of the scenario.
    pub topics: Vec<Topic>,
    /// The partitions of all topics.
    pub partitions: Vec<Assignment>,
    /// What the ledger calls them.
    pub streams: Streams,
    /// The consumer groups.
    pub groups: Groups,
    /// The transactional ids.
    pub transactions: Transactions,
    /// The names of the hosts: brokers, then coordinators.
    pub names: Vec<String>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// `min.insync.replicas`; 1 where there is no such thing.
    pub min_isr: u32,
    /// Whether it allows an unclean election.
    pub unclean: bool,
    /// How long a file of its logs gets.
    pub segment_bytes: u64,
    /// What of it is kept; `None` if everything is, as of the brokers' own topics, which are compacted.
    pub retention: Option<Retention>,
}

/// What of a log is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// `retention.ms`.
    pub age: Option<Span>,
    /// `retention.bytes`.
    pub bytes: Option<u64>,
}

/// Where a partition's replicas are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Its topic, by place.
    pub topic: u32,
    /// The brokers, the preferred leader first.
    pub replicas: Vec<NodeId>,
}

impl Config {
    /// Whether a rule holds.
    #[inline]
    #[must_use]
    pub fn has(&self, rule: Rule) -> bool {
        self.settings.rules.has(rule)
    }

    /// By which clock ZooKeeper and its clients reckon sessions.
    #[must_use]
    pub fn sessions_by(&self) -> By {
        match self.has(Rule::ElapsedSessions) {
            true => zookeeper::SESSIONS_3_5,
            false => zookeeper::SESSIONS,
        }
    }

    /// The replicas of a partition, the preferred leader first.
    #[must_use]
    pub fn replicas(&self, partition: PartitionId) -> &[NodeId] {
        &self.partitions[partition.index()].replicas
    }

    /// The topic of a partition.
    #[must_use]
    pub fn topic(&self, partition: PartitionId) -> &Topic {
        &self.topics[self.partitions[partition.index()].topic as usize]
    }

    /// How many in-sync replicas a write with acks=all needs. A partition with fewer replicas than
    /// `min.insync.replicas` refused such writes before 3.7.
    #[must_use]
    pub fn min_isr(&self, partition: PartitionId) -> u32 {
        match self.has(Rule::CapMinIsr) {
            true => self.effective_min_isr(partition),
            false => self.topic(partition).min_isr,
        }
    }

    /// `min.insync.replicas`, or the number of replicas if that is less (Partition.scala 3.7,
    /// `effectiveMinIsr`).
    #[must_use]
    pub fn effective_min_isr(&self, partition: PartitionId) -> u32 {
        self.topic(partition).min_isr.min(self.replicas(partition).len() as u32)
    }

    /// The state of a partition when the run starts: all replicas are in sync, and the first leads.
    #[must_use]
    pub fn first_state(&self, partition: PartitionId) -> PartitionState {
        let replicas = self.replicas(partition);
        PartitionState {
            leader: Some(replicas[0]),
            isr: replicas.iter().copied().collect(),
            ..PartitionState::NONE
        }
    }

    /// Who decides when the run starts: the first broker, or the first controller.
    #[must_use]
    pub fn first_controller(&self) -> Option<NodeId> {
        match self.metadata {
            Metadata::ZooKeeper => Some(NodeId(0)),
            Metadata::Kraft => self.coordinators.first().copied(),
        }
    }

    /// Where ZooKeeper has the state of a partition.
    #[must_use]
    pub fn state_path(&self, partition: PartitionId) -> String {
        let Partition { topic, index, .. } = self.streams.get(partition);
        let topic = &self.topics[*topic as usize].name;
        format!("/brokers/topics/{topic}/partitions/{index}/state")
    }

    /// What ZooKeeper holds when the run starts.
    #[must_use]
    pub fn first_tree(&self) -> zookeeper::Tree<Znode> {
        let mut tree = zookeeper::Tree::new();
        for path in ["/brokers", "/brokers/ids", "/brokers/topics", "/isr_change_notification"] {
            tree.plant(path, None);
        }
        tree.plant("/controller_epoch", Some(Znode::ControllerEpoch(0)));
        for (index, topic) in self.topics.iter().enumerate() {
            let path = format!("/brokers/topics/{}", topic.name);
            tree.plant(&path, None);
            tree.plant(&format!("{path}/partitions"), None);
            for (number, partition) in self.streams.of_topic(index as u32).enumerate() {
                let path = format!("{path}/partitions/{number}");
                tree.plant(&path, None);
                let state = Znode::Partition(self.first_state(partition), 0);
                tree.plant(&format!("{path}/state"), Some(state));
            }
        }
        tree
    }

    /// What the controller quorum is told; its files on a host begin with `files`.
    #[must_use]
    pub fn quorum(&self, files: FileId) -> raft::Config {
        let quorum = &self.settings.quorum;
        raft::Config {
            fetch_timeout: quorum.fetch_timeout,
            election_timeout: quorum.election_timeout,
            election_backoff_max: quorum.election_backoff,
            append_linger: quorum.append_linger,
            request_timeout: quorum.request_timeout,
            retry_backoff: quorum.retry_backoff,
            snapshot_after_bytes: quorum.snapshot_after,
            retention_bytes: quorum.retention,
            check_quorum: self.has(Rule::CheckQuorum),
            pre_vote: self.has(Rule::PreVote),
            high_watermark_answers: self.has(Rule::HighWatermarkAnswers),
            faulty: raft::Faulty {
                votes_unpersisted: !self.has(Rule::QuorumKeepsVotes),
                forgets_epochs: !self.has(Rule::QuorumKeepsEpochs),
                counts_unsynced: !self.has(Rule::QuorumCountsSynced),
                commits_old_epochs: !self.has(Rule::QuorumCommitsOwnEpoch),
                begins_silently: false,
                ignores_divergence: !self.has(Rule::QuorumChecksDivergence),
                votes_for_any_log: !self.has(Rule::QuorumChecksCandidate),
                drops_without_snapshot: !self.has(Rule::QuorumDropsBehindSnapshot),
                claims_unread: !self.has(Rule::QuorumReadsBeforeLeading),
            },
            request_cost: self.costs.internal,
            files,
            ..raft::Config::new(self.coordinators.clone())
        }
    }

    /// How many batches of a producer a partition remembers (ProducerStateManager.scala 1.0,
    /// `NumBatchesToRetain`; KAFKA-5494).
    #[must_use]
    pub fn batches_kept(&self) -> usize {
        if self.has(Rule::KeepFiveBatches) { 5 } else { 1 }
    }

    /// Whether consumers may be sent to a replica in their rack.
    #[must_use]
    pub fn reads_from_followers(&self) -> bool {
        self.settings.selector == Selector::RackAware && self.has(Rule::FetchFromFollowers)
    }

    /// Whether brokers delete something of what a run may have.
    #[must_use]
    pub fn deletes(&self) -> bool {
        let set = |kept: Retention| {
            kept.bytes.is_some()
                || kept.age.is_some_and(|age| age < self.settings.retention_default())
        };
        self.topics.iter().filter_map(|topic| topic.retention).any(set)
    }

    /// Whether coordinators forget what a run may have committed.
    #[must_use]
    pub fn expires_offsets(&self) -> bool {
        self.settings.groups.retention < Span::from_secs(24 * 3600)
    }

    /// All partitions, by id.
    pub fn all_partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.partitions.len() as u32).map(PartitionId)
    }

    /// All brokers.
    pub fn all_brokers(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.brokers).map(NodeId)
    }

    /// All brokers, as a set.
    #[must_use]
    pub fn everyone(&self) -> NodeSet {
        self.all_brokers().collect()
    }
}
