//! How Kafka before replication reads a portable scenario.

use crate::brokers::kit::{Dialect, Hosts, Setting};

const PAGE: &str = "kafka.apache.org/07/configuration.html";

/// How it reads it.
pub(super) const DIALECT: Dialect = Dialect {
    hosts: Hosts::All,
    destination: "[[topic]]\nname = \"{name}\"\nnum.partitions = {partitions}\n",
    leader: "leader({name}/1-0)",
    follower: "",
    copies: "Without meaning: each partition is on one broker. `partitions` are on each broker.",
    always: &[Setting::new(
        "consumer.*.groupid=readers",
        "those who read a destination share its messages: kafka.apache.org/07/design.html",
    )],
    safest: &[Setting::new("broker.log.flush.interval=1", PAGE)],
    fastest: &[Setting::new("producer.*.producer.type=async", PAGE)],
};
