//! What every machine of a run knows: what the scenario resolves to. Never changes.

use crate::brokers::coordination::{raft, zookeeper};
use crate::brokers::kafka::{Partition, PartitionId, Streams};
use crate::engine::{Distribution, Span};
use crate::observe::NodeId;
use crate::scenario::{Scenario, Values};
use crate::world::{By, FileId, Port};

use super::costs::Costs;
use super::nodes::NodeSet;
use super::rules::{Rule, Rules};
use super::state::{PartitionState, Znode};

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
    /// `min.insync.replicas` needs all of them for its high watermark (Partition.scala 3.7,
    /// `effectiveMinIsr`), but refuses such writes.
    #[must_use]
    pub fn min_isr(&self, partition: PartitionId) -> u32 {
        self.topic(partition).min_isr
    }

    /// See [`Config::min_isr`].
    #[must_use]
    pub fn effective_min_isr(&self, partition: PartitionId) -> u32 {
        self.min_isr(partition).min(self.replicas(partition).len() as u32)
    }

    /// The state of a partition when the run starts: all replicas are in sync, and the first leads.
    #[must_use]
    pub fn first_state(&self, partition: PartitionId) -> PartitionState {
        let replicas = self.replicas(partition);
        PartitionState {
            leader: Some(replicas[0]),
            isr: replicas.iter().copied().collect(),
            leader_epoch: 0,
            partition_epoch: 0,
            recovering: false,
            elr: NodeSet::EMPTY,
            last_known_leader: None,
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

/// `[broker]`, `[controller]` and `[rules]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The rules that hold.
    pub rules: Rules,
    /// `replica.lag.time.max.ms`.
    pub lag_time: Span,
    /// `replica.lag.max.messages`.
    pub lag_messages: u64,
    /// `replica.fetch.wait.max.ms`.
    pub fetch_wait: Span,
    /// `replica.fetch.max.bytes`.
    pub fetch_bytes: u32,
    /// `replica.fetch.response.max.bytes`.
    pub response_bytes: u32,
    /// `replica.fetch.backoff.ms`.
    pub fetch_backoff: Span,
    /// `replica.socket.timeout.ms`.
    pub socket_timeout: Span,
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub checkpoint: Span,
    /// `auto.leader.rebalance.enable`.
    pub rebalance_leaders: bool,
    /// `leader.imbalance.check.interval.seconds`.
    pub imbalance_check: Span,
    /// `leader.imbalance.per.broker.percentage`.
    pub imbalance: u64,
    /// `zookeeper.session.timeout.ms`.
    pub zookeeper_session: Span,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat: Span,
    /// `broker.session.timeout.ms`.
    pub broker_session: Span,
    /// `controlled.shutdown.enable`.
    pub controlled_shutdown: bool,
    /// `controlled.shutdown.max.retries`.
    pub shutdown_retries: u32,
    /// `controlled.shutdown.retry.backoff.ms`.
    pub shutdown_backoff: Span,
    /// `controller.socket.timeout.ms`.
    pub controller_timeout: Span,
    /// `log.flush.interval.messages`.
    pub flush_messages: u64,
    /// `log.flush.interval.ms`.
    pub flush_age: Span,
    /// `log.flush.scheduler.interval.ms`.
    pub flush_check: Span,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_checkpoint: Span,
    /// `log.segment.bytes`.
    pub segment_bytes: u64,
    /// `message.max.bytes`.
    pub message_max_bytes: u32,
    /// From the start of a broker's process until it loads its logs.
    pub boot_time: Distribution,
    /// Timers of the controller quorum.
    pub quorum: Quorum,
}

/// `controller.quorum.*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quorum {
    /// `fetch.timeout.ms`.
    pub fetch_timeout: Span,
    /// `election.timeout.ms`.
    pub election_timeout: Span,
    /// `election.backoff.max.ms`.
    pub election_backoff: Span,
    /// `append.linger.ms`.
    pub append_linger: Span,
    /// `request.timeout.ms`.
    pub request_timeout: Span,
    /// `retry.backoff.ms`.
    pub retry_backoff: Span,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub snapshot_after: u64,
    /// `metadata.max.retention.bytes`.
    pub retention: u64,
}

/// A key of some versions only: there, or what comes to the same as its absence.
fn span_or(values: &Values, key: &str, absent: Span) -> Span {
    values.get_duration(key).unwrap_or(absent)
}

impl Settings {
    /// Reads them from a scenario that was checked with this family's sections.
    #[must_use]
    pub fn read(scenario: &Scenario, boot_time: Distribution) -> Settings {
        let (broker, controller) = (scenario.one("broker"), scenario.one("controller"));
        let quorum = |key: &str, ms: u64| {
            let key = format!("controller.quorum.{key}");
            span_or(controller, &key, Span::from_millis(ms))
        };
        let bytes = |key: &str, absent| controller.get_size(key).unwrap_or(absent);
        Settings {
            rules: Rules::read(scenario.one("rules")),
            lag_time: broker.duration("replica.lag.time.max.ms"),
            lag_messages: broker.get_integer("replica.lag.max.messages").unwrap_or(u64::MAX),
            fetch_wait: broker.duration("replica.fetch.wait.max.ms"),
            fetch_bytes: broker.size("replica.fetch.max.bytes").min(1 << 30) as u32,
            response_bytes: broker
                .get_size("replica.fetch.response.max.bytes")
                .unwrap_or(1 << 30)
                .min(1 << 30) as u32,
            fetch_backoff: broker.duration("replica.fetch.backoff.ms"),
            socket_timeout: broker.duration("replica.socket.timeout.ms"),
            checkpoint: broker.duration("replica.high.watermark.checkpoint.interval.ms"),
            rebalance_leaders: broker.flag("auto.leader.rebalance.enable"),
            imbalance_check: Span::from_secs(
                broker.integer("leader.imbalance.check.interval.seconds"),
            ),
            imbalance: broker.integer("leader.imbalance.per.broker.percentage"),
            zookeeper_session: span_or(broker, "zookeeper.session.timeout.ms", Span::from_secs(18)),
            heartbeat: span_or(broker, "broker.heartbeat.interval.ms", Span::from_secs(2)),
            broker_session: span_or(broker, "broker.session.timeout.ms", Span::from_secs(9)),
            controlled_shutdown: broker.get_flag("controlled.shutdown.enable").unwrap_or(true),
            shutdown_retries: broker.get_integer("controlled.shutdown.max.retries").unwrap_or(3)
                as u32,
            shutdown_backoff: span_or(
                broker,
                "controlled.shutdown.retry.backoff.ms",
                Span::from_secs(5),
            ),
            controller_timeout: broker.duration("controller.socket.timeout.ms"),
            flush_messages: broker.integer("log.flush.interval.messages"),
            flush_age: broker.duration("log.flush.interval.ms"),
            flush_check: broker.duration("log.flush.scheduler.interval.ms"),
            recovery_checkpoint: broker.duration("log.flush.offset.checkpoint.interval.ms"),
            segment_bytes: broker.size("log.segment.bytes"),
            message_max_bytes: broker.size("message.max.bytes") as u32,
            boot_time,
            quorum: Quorum {
                fetch_timeout: quorum("fetch.timeout.ms", 2_000),
                election_timeout: quorum("election.timeout.ms", 1_000),
                election_backoff: quorum("election.backoff.max.ms", 1_000),
                append_linger: quorum("append.linger.ms", 25),
                request_timeout: quorum("request.timeout.ms", 2_000),
                retry_backoff: quorum("retry.backoff.ms", 20),
                snapshot_after: bytes("metadata.log.max.record.bytes.between.snapshots", 20 << 20),
                retention: bytes("metadata.max.retention.bytes", 100 << 20),
            },
        }
    }
}
