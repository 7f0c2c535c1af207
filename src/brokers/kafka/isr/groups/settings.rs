//! What `[broker]` says of groups.

use crate::brokers::kit::keys::keys;
use crate::engine::Span;
use crate::scenario::Kind;

use super::super::keys::ANY_COUNT;

keys! {
    /// The coordinators' configuration.
    pub struct GroupSettings from GROUP_KEYS {
        partitions: u32 | 50 = "offsets.topic.num.partitions", ANY_COUNT, "50" since "0.8.2",
            "How many partitions __consumer_offsets has. It is there if a consumer has a group.id.",
            "KafkaConfig 0.8.2";
        "offsets.topic.replication.factor", Kind::Integer { min: 1, max: 64 }, none since "0.8.2",
            "How many replicas they have; 3, or as many as there are brokers, if not written. Their \
             min.insync.replicas is that of [broker].",
            "KafkaConfig 0.8.2; KIP-115";
        commit_timeout: Span | (Span::from_secs(5)) = "offsets.commit.timeout.ms", Kind::POSITIVE_MILLIS, "5s" since "0.8.2",
            "How long a coordinator waits for the replicas of what it writes.",
            "KafkaConfig 0.8.2";
        retention: Span | (Span::from_secs(604_800)) = "offsets.retention.minutes", Kind::POSITIVE_DURATION, ["0.8.2" = "24h", "2.0" = "168h"] since "0.8.2",
            "How long committed offsets are kept that nobody renews: from 2.1 on, of a group without members, \
             since its last one left; before, of any group, since they were committed. A duration (\"24h\").",
            "KafkaConfig 0.8.2, 2.0; KIP-186, KIP-211";
        retention_check: Span | (Span::from_secs(600)) = "offsets.retention.check.interval.ms", Kind::POSITIVE_MILLIS, "600s" since "0.8.2",
            "How often coordinators look for such.", "KafkaConfig 0.8.2";
        initial_delay: Span | (Span::ZERO) = "group.initial.rebalance.delay.ms", Kind::ANY_MILLIS, "3s" since "0.11",
            "How long the coordinator of an empty group waits for more members before it begins.",
            "KafkaConfig 0.11; KIP-134";
        consumer_session: Span | (Span::from_secs(45)) = "group.consumer.session.timeout.ms", Kind::POSITIVE_MILLIS, "45s" since "4.0",
            "group.protocol = \"consumer\": a member that is silent for so long is out.",
            "GroupCoordinatorConfig 4.0; KIP-848";
        consumer_heartbeat: Span | (Span::from_secs(5)) = "group.consumer.heartbeat.interval.ms", Kind::POSITIVE_MILLIS, "5s" since "4.0",
            "group.protocol = \"consumer\": how often a member tells that it lives.",
            "GroupCoordinatorConfig 4.0; KIP-848";
        "group.consumer.assignors", Kind::Choice(&["uniform", "range"]), "uniform" since "4.0",
            "group.protocol = \"consumer\": how the coordinator shares partitions out.",
            "GroupCoordinatorConfig 4.0; KIP-848";
    }
    beside {
        /// Whether the coordinator of a group of KIP-848 gives each member neighbouring partitions.
        consumer_range: bool,
    }
}
