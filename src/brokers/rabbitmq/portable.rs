//! How RabbitMQ's modes read a portable scenario.

use crate::brokers::kit::{Dialect, Hosts, Setting};

use super::plan::Mode;

const CONFIRMS: &str = "rabbitmq.com/docs/confirms#publisher-confirms";
const RELIABILITY: &str = "rabbitmq.com/docs/reliability";
const PARTITIONS: &str = "rabbitmq.com/docs/partitions#automatic-handling";
const HA: &str = "rabbitmq.com/docs/3.13/ha";

/// What publishers do who want to be sure; consumers acknowledge by hand as it is.
const CONFIRM: Setting = Setting::new("producer.*.confirms={ window = 100 }", CONFIRMS);
const MANDATORY: Setting =
    Setting::new("producer.*.mandatory=true", "rabbitmq.com/docs/publishers#unroutable");
const REPUBLISH: Setting = Setting::new("producer.*.republish=true", RELIABILITY);
const PAUSE: Setting = Setting::new("broker.cluster_partition_handling=pause_minority", PARTITIONS);

const FASTEST: &[Setting] = &[
    Setting::new("producer.*.persistent=false", "rabbitmq.com/docs/persistence-conf"),
    Setting::new("consumer.*.ack=automatic", "rabbitmq.com/docs/consumers#acknowledgement-modes"),
];

const CLASSIC: &str = "[[queue]]\nname = \"{name}\"\n";

const SINGLE: Dialect = Dialect {
    hosts: Hosts::First(1),
    destination: CLASSIC,
    leader: "leader({name})",
    follower: "",
    copies: "Without meaning: there is one.",
    always: &[],
    safest: &[CONFIRM, MANDATORY, REPUBLISH],
    fastest: FASTEST,
};

const CLUSTER: Dialect = Dialect {
    hosts: Hosts::All,
    copies: "Without meaning: a queue is on its home node only.",
    safest: &[CONFIRM, MANDATORY, REPUBLISH, PAUSE],
    ..SINGLE
};

const MIRRORED: Dialect = Dialect {
    destination: "[[queue]]\nname = \"{name}\"\n\
                  [[policy]]\npattern = \"^{name}$\"\nha-mode = \"exactly\"\nha-params = {copies}\n",
    follower: "mirror({name}, {number})",
    copies: "`ha-mode = \"exactly\"`, `ha-params`: the leader and its mirrors.",
    safest: &[
        CONFIRM,
        MANDATORY,
        REPUBLISH,
        PAUSE,
        Setting::new("policy.*.ha-sync-mode=automatic", HA),
        Setting::new("policy.*.ha-promote-on-failure=when-synced", HA).since("3.7.5"),
    ],
    ..CLUSTER
};

const QUORUM: Dialect = Dialect {
    destination: "[[queue]]\nname = \"{name}\"\nx-quorum-initial-group-size = {copies}\n",
    follower: "follower({name}, {number})",
    copies: "`x-quorum-initial-group-size`: the members.",
    // Quorum queues go by their own majority, whatever partition handling says.
    safest: &[CONFIRM, MANDATORY, REPUBLISH],
    // They take every message for a persistent one.
    fastest: &[Setting::new(
        "consumer.*.ack=automatic",
        "rabbitmq.com/docs/consumers#acknowledgement-modes",
    )],
    ..CLUSTER
};

/// How a mode reads it.
pub(super) const fn dialect(mode: Mode) -> &'static Dialect {
    match mode {
        Mode::Single => &SINGLE,
        Mode::Cluster => &CLUSTER,
        Mode::Mirrored => &MIRRORED,
        Mode::Quorum => &QUORUM,
    }
}
