//! What `[broker]` and `[controller]` come to: the configuration, spelt as Kafka spells it. Where a
//! version does not have a key, what stands for it comes to the same as its absence.

use crate::brokers::kit::keys::{Setting, keys};
use crate::engine::{Distribution, Span};
use crate::scenario::{Kind, Scenario, Value};

use super::groups::GroupSettings;
use super::keys::{ANY_COUNT, BYTES};
use super::rules::{Rule, Rules};
use super::transactions::TransactionSettings;

/// No fetch and no answer has more.
const MOST_FETCHED: u32 = 1 << 30;

keys! {
    /// The brokers' configuration, with the rules and the quorum.
    pub struct Settings from BROKER_KEYS {
        lag_time: Span = "replica.lag.time.max.ms", Kind::POSITIVE_MILLIS, ["0.8.0" = "10s", "2.5" = "30s"],
            "A follower that has not caught up for so long leaves the ISR.", "KafkaConfig; KIP-537";
        lag_messages: u64 | (u64::MAX) = "replica.lag.max.messages", ANY_COUNT, "4000" until "0.9",
            "A follower that lacks more messages leaves the ISR.",
            "KafkaConfig.scala 0.8.2.2; KAFKA-1546";
        fetch_wait: Span = "replica.fetch.wait.max.ms", Kind::POSITIVE_MILLIS, "500ms",
            "How long a leader holds a follower's fetch back if there is nothing new.",
            "KafkaConfig";
        fetch_bytes: u32 = "replica.fetch.max.bytes", BYTES, "1MiB",
            "How much a follower fetches of a partition at once.", "KafkaConfig";
        response_bytes: u32 | MOST_FETCHED = "replica.fetch.response.max.bytes", BYTES, "10MiB" since "0.10.1",
            "How much one answer to a follower may have.", "KafkaConfig 0.10.1; KIP-74";
        fetch_backoff: Span = "replica.fetch.backoff.ms", Kind::POSITIVE_MILLIS, "1s",
            "A follower waits so long after a fetch that failed.", "KafkaConfig 0.9";
        socket_timeout: Span = "replica.socket.timeout.ms", Kind::POSITIVE_MILLIS, "30s",
            "A follower gives up on a leader that does not answer for so long.", "KafkaConfig";
        checkpoint: Span = "replica.high.watermark.checkpoint.interval.ms", Kind::POSITIVE_MILLIS, "5s",
            "How often a broker writes its high watermarks down.", "KafkaConfig";
        "min.insync.replicas", Kind::Integer { min: 1, max: 64 }, "1" since "0.8.2",
            "A write with acks=all needs so many in-sync replicas; a topic may have its own.",
            "KafkaConfig 0.8.2; KAFKA-1555";
        "unclean.leader.election.enable", Kind::Flag, ["0.8.2" = "true", "0.11" = "false"] since "0.8.2",
            "Whether a replica outside the ISR may lead if no member lives; a topic may have its \
             own.",
            "KafkaConfig 0.8.2, 0.11; upgrade notes";
        rebalance_leaders: bool = "auto.leader.rebalance.enable", Kind::Flag, ["0.8.0" = "false", "0.8.2" = "true"],
            "Whether leadership goes back to the first replica in the list.",
            "KafkaConfig 0.8.1, 0.8.2";
        imbalance_check: Span = "leader.imbalance.check.interval.seconds", Kind::Integer { min: 1, max: 1_000_000 }, "300",
            "How often the controller looks for partitions that others lead.", "KafkaConfig";
        imbalance: u64 = "leader.imbalance.per.broker.percentage", Kind::Integer { min: 0, max: 100 }, "10",
            "From which share on of a broker's partitions that others lead.", "KafkaConfig";
        zookeeper_session: Span | (Span::from_secs(18)) = "zookeeper.session.timeout.ms", Kind::POSITIVE_MILLIS, ["0.8.0" = "6s", "2.5" = "18s"] until "4.0",
            "ZooKeeper takes a broker that is silent for so long for dead.", "KafkaConfig; KIP-537";
        heartbeat: Span | (Span::from_secs(2)) = "broker.heartbeat.interval.ms", Kind::POSITIVE_MILLIS, "2s" since "2.8",
            "How often a broker tells the controller that it lives.", "KafkaConfig 2.8; KIP-631";
        broker_session: Span | (Span::from_secs(9)) = "broker.session.timeout.ms", Kind::POSITIVE_MILLIS, "9s" since "2.8",
            "The controller fences a broker that is silent for so long.",
            "KafkaConfig 2.8; KIP-631";
        controlled_shutdown: bool | true = "controlled.shutdown.enable", Kind::Flag, ["0.8.0" = "false", "0.8.2" = "true"] until "4.0",
            "Whether a broker that stops in order hands its leaderships over first.",
            "KafkaConfig 0.8.2";
        shutdown_retries: u32 | 3 = "controlled.shutdown.max.retries", Kind::Integer { min: 1, max: 1_000 }, "3" until "4.0",
            "How often it tries.", "KafkaConfig";
        shutdown_backoff: Span | (Span::from_secs(5)) = "controlled.shutdown.retry.backoff.ms", Kind::POSITIVE_MILLIS, "5s" until "4.0",
            "How long it waits between two tries.", "KafkaConfig";
        controller_timeout: Span = "controller.socket.timeout.ms", Kind::POSITIVE_MILLIS, "30s",
            "A request between controller and broker is given up after so long.", "KafkaConfig";
        selector: Selector | (Selector::Leader) = "replica.selector.class", Kind::Choice(&["LeaderSelector", "RackAwareReplicaSelector"]), "LeaderSelector" since "2.4",
            "From which replica a consumer reads: from the leader, or from one in its rack (client.rack), if there \
             is one in sync. The rack of a broker (broker.rack) is its zone.",
            "KafkaConfig 2.4; KIP-392";
        flush_messages: u64 = "log.flush.interval.messages", Kind::Integer { min: 1, max: u64::MAX >> 1 }, ["0.8.0" = "10000", "0.8.1" = "4611686018427387903"],
            "A log is fsynced after so many messages. Kafka leaves that to the operating system.",
            "KafkaConfig.scala 0.8.0, 0.8.1";
        flush_age: Span = "log.flush.interval.ms", Kind::POSITIVE_MILLIS, ["0.8.0" = "3s", "0.8.1" = "1000h"],
            "A log is fsynced when its last flush is so long ago.",
            "KafkaConfig.scala 0.8.0, 0.8.1";
        flush_check: Span = "log.flush.scheduler.interval.ms", Kind::POSITIVE_MILLIS, ["0.8.0" = "3s", "0.8.1" = "1000h"],
            "How often a broker looks whether it is.", "KafkaConfig.scala 0.8.0, 0.8.1";
        recovery_checkpoint: Span = "log.flush.offset.checkpoint.interval.ms", Kind::POSITIVE_MILLIS, "60s",
            "How often it is written down up to where logs are on the disk.", "KafkaConfig";
        segment_bytes: u64 = "log.segment.bytes", Kind::Size { min: 14, max: 1 << 31 }, "1GiB",
            "A log's file is closed, and fsynced, when it is so long.", "KafkaConfig";
        roll_age: Span = "log.roll.ms", Kind::POSITIVE_MILLIS, "168h",
            "A log's file is closed when its first message is so much older than the next \
             (log.roll.hours).", "KafkaConfig 0.8; LogSegment.java, shouldRoll";
        retention: Span = "log.retention.ms", Kind::POSITIVE_MILLIS, "168h",
            "A log's file is deleted when all of it is older (log.retention.hours, log.retention.minutes); a \
             topic may have its own.",
            "KafkaConfig 0.8; UnifiedLog.java, deleteRetentionMsBreachedSegments";
        retention_bytes: Option<u64> = "log.retention.bytes", BYTES, none,
            "The oldest files of a log are deleted while the rest has so many bytes; a topic may have its \
             own. All is kept if not written (-1).",
            "KafkaConfig 0.8; UnifiedLog.java, deleteRetentionSizeBreachedSegments";
        retention_check: Span = "log.retention.check.interval.ms", Kind::POSITIVE_MILLIS, "300s",
            "How often a broker looks for files to delete.", "KafkaConfig 0.8";
        timestamp_type: Timestamps | (Timestamps::Create) = "log.message.timestamp.type", Kind::Choice(&["CreateTime", "LogAppendTime"]), "CreateTime" since "0.10",
            "Which clock says how old a message is: the producer's, or the broker's.",
            "KafkaConfig 0.10; KIP-32";
        producer_id_expiration: Span | (Span::from_secs(86_400)) = "producer.id.expiration.ms", Kind::POSITIVE_MILLIS, "24h" since "3.4",
            "A partition forgets an idempotent producer whose last batch is so old.",
            "TransactionLogConfigs 3.4; KIP-854";
        transactional_id_expiration: Span | (Span::from_secs(604_800)) = "transactional.id.expiration.ms", Kind::POSITIVE_MILLIS, "168h" since "0.11" until "3.4",
            "A partition forgets an idempotent producer whose last batch is so old.",
            "KafkaConfig 0.11; KIP-98, KIP-854";
        expiration_check: Span | (Span::from_secs(600)) = "producer.id.expiration.check.interval.ms", Kind::POSITIVE_MILLIS, "600s" since "3.4",
            "How often partitions look for producers to forget.", "TransactionLogConfigs 3.4; KIP-854";
        message_max_bytes: u32 = "message.max.bytes", Kind::Size { min: 1, max: 1 << 31 }, "1000012B",
            "The largest batch that a broker takes.", "KafkaConfig";
    }
    beside {
        /// The rules that hold.
        rules: Rules,
        /// From the start of a broker's process until it loads its logs.
        boot_time: Distribution,
        /// Timers of the controller quorum.
        quorum: Quorum,
        /// What is said of groups.
        groups: GroupSettings,
        /// What is said of transactions.
        transactions: TransactionSettings,
    }
}

keys! {
    /// `controller.quorum.*`.
    pub struct Quorum from CONTROLLER_KEYS {
        "metadata", Kind::Choice(&["zookeeper", "kraft"]), ["0.8.0" = "zookeeper", "3.3" = "kraft"],
            "Where the state of the cluster is kept: in ZooKeeper, one of the brokers being the \
             controller, or in a quorum of controllers (2.8 to 4.1).",
            "KIP-500, KIP-833";
        "controllers", Kind::Integer { min: 1, max: 9 }, "3",
            "With KRaft: how many controllers there are, controller1, controller2, ..., each on \
             a host of its own.";
        "zone", Kind::Names, none,
            "With KRaft: the zones of the controllers' hosts, in turn (one zone is that of all). If not \
             written they stand beside the first broker and no fault of a zone meets them.";
        fetch_timeout: Span | (Span::from_secs(2)) = "controller.quorum.fetch.timeout.ms", Kind::POSITIVE_MILLIS, "2s" since "2.8",
            "A controller that cannot fetch for so long starts an election.",
            "RaftConfig 2.8; KIP-595";
        election_timeout: Span | (Span::from_secs(1)) = "controller.quorum.election.timeout.ms", Kind::POSITIVE_MILLIS, "1s" since "2.8",
            "A candidate that has not won after this to twice as long starts another.",
            "RaftConfig 2.8; KIP-595";
        election_backoff: Span | (Span::from_secs(1)) = "controller.quorum.election.backoff.max.ms", Kind::POSITIVE_MILLIS, "1s" since "2.8",
            "The longest wait of a candidate that has lost.", "RaftConfig 2.8; KIP-595";
        append_linger: Span | (Span::from_millis(25)) = "controller.quorum.append.linger.ms", Kind::POSITIVE_MILLIS, "25ms" since "2.8",
            "How long the leader gathers records before it writes them.", "RaftConfig 2.8; KIP-595";
        snapshot_after: u64 | (20 << 20) = "metadata.log.max.record.bytes.between.snapshots", BYTES, "20MiB" since "2.8",
            "A snapshot of the metadata is written after so much of its log.",
            "KafkaConfig.scala 3.0; KIP-630";
        retention: u64 | (100 << 20) = "metadata.max.retention.bytes", BYTES, "100MiB" since "2.8",
            "What is more of the metadata log and its snapshots is deleted, if a snapshot has it.",
            "KafkaConfig.scala 3.0; KIP-630";
        request_timeout: Span | (Span::from_secs(2)) = "controller.quorum.request.timeout.ms", Kind::POSITIVE_MILLIS, "2s" since "2.8",
            "A request in the quorum is given up after so long.", "RaftConfig 2.8; KIP-595";
        retry_backoff: Span | (Span::from_millis(20)) = "controller.quorum.retry.backoff.ms", Kind::POSITIVE_MILLIS, "20ms" since "2.8",
            "How long it waits before it asks again.", "RaftConfig 2.8; KIP-595";
    }
}

/// `replica.selector.class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The leader.
    Leader,
    /// A replica in the client's rack.
    RackAware,
}

impl Setting for Selector {
    fn of(value: &Value) -> Option<Selector> {
        match value {
            Value::Text(text) if text == "RackAwareReplicaSelector" => Some(Selector::RackAware),
            Value::Text(_) => Some(Selector::Leader),
            _ => None,
        }
    }
}

/// `log.message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamps {
    /// When a message was handed to its producer, by that one's clock.
    Create,
    /// When its batch was appended, by the leader's.
    Append,
}

impl Setting for Timestamps {
    fn of(value: &Value) -> Option<Timestamps> {
        match value {
            Value::Text(text) if text == "LogAppendTime" => Some(Timestamps::Append),
            Value::Text(_) => Some(Timestamps::Create),
            _ => None,
        }
    }
}

impl Settings {
    /// What `log.retention.ms` is if nobody says so.
    #[must_use]
    pub const fn retention_default(&self) -> Span {
        Span::from_secs(168 * 3600)
    }

    /// After how long a partition forgets a producer that is silent.
    #[must_use]
    pub fn producer_expiration(&self) -> Span {
        match self.rules.has(Rule::ExpireProducerIds) {
            true => self.producer_id_expiration,
            false => self.transactional_id_expiration,
        }
    }

    /// Reads them from a scenario that was checked with this family's sections.
    #[must_use]
    pub fn read(scenario: &Scenario, boot_time: Distribution) -> Settings {
        let rules = Rules::read(scenario.one("rules"));
        let quorum = Quorum::of(scenario.one("controller"));
        let broker = scenario.one("broker");
        let range = broker.get_text("group.consumer.assignors") == Some("range");
        let groups = GroupSettings::of(broker, range);
        let transactions = TransactionSettings::of(broker);
        let mut settings = Settings::of(broker, rules, boot_time, quorum, groups, transactions);
        for bytes in [&mut settings.fetch_bytes, &mut settings.response_bytes] {
            *bytes = MOST_FETCHED.min(*bytes);
        }
        settings
    }
}
