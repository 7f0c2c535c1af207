//! What RabbitMQ does, as named rules.
//!
//! A rule is on in the versions that have it, and can be switched alone in `[rules]`: a
//! `broker-version` is a bundle of them. Switched off, the mechanism is gone at its root, which
//! shows what it is good for, and that a scenario which rests on it notices.
//!
//! To add one: a line in the table below, with the broker's source; an `if
//! node.config.settings.rules.has(Rule::..)` where it acts; a row in `docs/fidelity.md`, which a
//! test compares with this table.

use crate::scenario::{KeySpec, Kind, Preset, SectionSpec, Values};

/// Which rules hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rules(u128);

impl Rules {
    /// Whether a rule holds.
    #[inline]
    #[must_use]
    pub fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }

    /// The same rules but for one.
    #[must_use]
    pub fn without(self, rule: Rule) -> Rules {
        Rules(self.0 & !(1 << rule as u32))
    }

    /// The checked values of `[rules]`.
    #[must_use]
    pub fn read(values: &Values) -> Rules {
        let holds = ALL.iter().filter(|rule| values.flag(rule.name()));
        Rules(holds.fold(0, |set, rule| set | 1 << *rule as u32))
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let holds = ALL.iter().filter(|rule| self.has(**rule));
        f.debug_set().entries(holds.map(|rule| rule.name())).finish()
    }
}

/// `[rules]`.
pub const RULES: SectionSpec = SectionSpec::single(
    "rules",
    &[KEYS],
    "What the broker does, rule by rule: each is on in the versions that have it, and can be \
     switched off or on alone.",
);

/// In which versions a rule holds, as a default.
macro_rules! holds {
    (always) => {
        Preset::Is("true")
    };
    (since $version:literal) => {
        Preset::ByVersion(&[("3.3", "false"), ($version, "true")])
    };
    (until $version:literal) => {
        Preset::ByVersion(&[("3.3", "true"), ($version, "false")])
    };
}

macro_rules! rules {
    ($($rule:ident = $name:literal, $when:ident $($version:literal)?, $meaning:literal, $source:literal;)*) => {
        /// A rule of the broker's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $(#[doc = $meaning] #[doc = ""] #[doc = $source] $rule,)*
        }

        /// Every rule.
        pub const ALL: &[Rule] = &[$(Rule::$rule,)*];

        const KEYS: &[KeySpec] = &[$(
            KeySpec::new($name, Kind::Flag, holds!($when $($version)?), $meaning).source($source),
        )*];

        impl Rule {
            /// Its name in `[rules]`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Rule::$rule => $name,)*
                }
            }

            /// Where it is taken from.
            #[must_use]
            pub fn source(self) -> &'static str {
                match self {
                    $(Rule::$rule => $source,)*
                }
            }
        }
    };
}

rules! {
    // ---- publisher confirms
    NackWhenQueueDies = "nack-when-queue-dies", since "3.8",
        "When the last process that a publish waits for goes down with its node and none has \
         confirmed, the publisher gets a nack; without this rule it gets an ack.",
        "rabbitmq-server#1893; unconfirmed_messages.erl v3.8.35, forget_ref";
    ReturnWhenQueueDies = "return-when-queue-dies", until "3.8",
        "A mandatory message that no queue process has received comes back when the last process \
         that it was sent to goes down.",
        "rabbit_channel.erl v3.7.28, handle_publishing_queue_down, mandatory_received";
    HoldConfirmsInMinority = "hold-confirms-in-minority", since "3.4",
        "With a pause mode, channels withhold confirms while their node sees too few others.",
        "rabbit_node_monitor.erl v3.10, pause_partition_guard; commit 5d339c4f90";

    // ---- queues whose node is down
    KeepRecordsOfDurableQueues = "keep-records-of-durable-queues", since "3.11",
        "The record of a durable queue stays in the routing tables when its home node is down; \
         without this rule it is taken out, and publishes find no queue.",
        "rabbit_amqqueue.erl v3.12.14, filter_transient_queues_to_delete; commit 7de31d8697";

    // ---- partitions
    PauseStopsRabbit = "pause-stops-rabbit", always,
        "With a pause mode, a node that sees too few others stops RabbitMQ until it sees enough.",
        "rabbit_node_monitor.erl v3.10, handle_dead_node, await_cluster_recovery";
    AutohealRestartsLosers = "autoheal-restarts-losers", always,
        "With `autoheal`, the nodes of all sides but one restart when the sides meet again.",
        "rabbit_autoheal.erl v3.10, restart_loser";
    DisconnectPartialPartitions = "disconnect-partial-partitions", since "3.4",
        "A node that has lost another which a third still sees acts on it: it disconnects from the \
         third, or pauses.",
        "rabbit_node_monitor.erl v3.10, check_partial_partition";

    // ---- restarts
    WaitForTablesOfPeers = "wait-for-tables-of-peers", always,
        "A node that boots waits for members that ran when it stopped: they know more than it does.",
        "rabbit_table.erl v3.10, wait_for_replicated; mnesia_controller.erl, last_consistent_replica";
}
