//! How Kafka with replication reads a portable scenario.

use crate::brokers::kit::{Dialect, Hosts, Setting};

const DURABLE: &str = "kafka.apache.org/documentation/#replication, min.insync.replicas and acks";
const PRODUCER: &str = "kafka.apache.org/documentation/#producerconfigs";

/// How it reads it.
pub(super) const DIALECT: Dialect = Dialect {
    hosts: Hosts::All,
    destination: "[[topic]]\nname = \"{name}\"\npartitions = {partitions}\nreplication-factor = {copies}\n",
    leader: "leader({name}/0)",
    follower: "follower({name}/0, {number})",
    copies: "`replication-factor`.",
    always: &[Setting::new(
        "consumer.*.group.id=readers",
        "those who read a destination share its messages: kafka.apache.org/documentation/#intro_consumers; \
         without groups, each reads all",
    )
    .since("0.9")],
    safest: &[
        Setting::new("producer.*.acks=all", DURABLE),
        Setting::new("producer.*.retries=2147483647", PRODUCER),
        Setting::new("producer.*.enable.idempotence=true", PRODUCER).since("0.11"),
        Setting::new("topic.*.min.insync.replicas={majority}", DURABLE).since("0.8.2"),
        Setting::new(
            "topic.*.unclean.leader.election.enable=false",
            "kafka.apache.org/documentation/#design_uncleanleader",
        )
        .since("0.8.2"),
        Setting::new(
            "consumer.*.auto.offset.reset=earliest",
            "kafka.apache.org/documentation/#consumerconfigs",
        ),
    ],
    fastest: &[
        Setting::new("producer.*.acks=\"0\"", PRODUCER),
        Setting::new("producer.*.enable.idempotence=false", PRODUCER).since("0.11"),
    ],
};
