//! What `[broker]` and `[rules]` come to.

use crate::brokers::kit::keys::{Setting, keys};
use crate::engine::{Distribution, Span};
use crate::observe::NodeId;
use crate::scenario::{Diagnostics, Kind, LONGEST, Scenario, Value};

use super::broker::vm::alarm::Share;
use super::broker::vm::credit::CreditSpec;
use super::keys::{LOCATORS, MOST_MESSAGES};
use super::rules::Rules;

/// `cluster_partition_handling`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionHandling {
    /// Both sides go on, and stay apart when they meet again.
    Ignore,
    /// A node that sees no more than half of the members stops RabbitMQ until it sees more.
    PauseMinority,
    /// A node that sees none of these nodes stops RabbitMQ until it sees one.
    PauseIfAllDown {
        /// The preferred nodes.
        nodes: Vec<NodeId>,
        /// `recover`: what is done when sides meet that both had gone on.
        autoheal: bool,
    },
    /// When sides meet again, all but one restart.
    Autoheal,
}

impl PartitionHandling {
    /// Whether nodes pause.
    #[must_use]
    pub fn pauses(&self) -> bool {
        matches!(self, PartitionHandling::PauseMinority | PartitionHandling::PauseIfAllDown { .. })
    }

    /// Whether sides that meet again are healed.
    #[must_use]
    pub fn heals(&self) -> bool {
        matches!(
            self,
            PartitionHandling::Autoheal | PartitionHandling::PauseIfAllDown { autoheal: true, .. }
        )
    }
}

/// An idle node: code, Mnesia, plugins, connections. An estimate; rabbitmq.com/docs/memory-use has
/// breakdowns of nodes of this order.
const BASE_MEMORY: u64 = 100_000_000;

/// Before 4.3 nothing is kept (rabbit_fifo.erl v4.2.9).
const DISCONNECTED_TIMEOUT: Span = Span::ZERO;

/// Without Khepri nobody waits for it.
const KHEPRI_TIMEOUT: Span = Span::from_secs(30);
const KHEPRI_LEADER_WAIT: Span = Span::from_secs(300);

/// What `slave_wait_timeout` was before it was a key (rabbit_mirror_queue_misc.erl v3.6.1).
const SLAVE_WAIT_TIMEOUT: Span = Span::from_secs(15);

keys! {
    const CREDIT_KEYS {
        "initial", Kind::Integer { min: 1, max: 1_000_000 }, required,
            "What a sender has before it hears of the receiver.";
        "more-after", Kind::Integer { min: 1, max: 1_000_000 }, required,
            "How many the receiver takes before it grants as many more; no more than `initial`.";
    }
}

keys! {
    /// The broker's configuration, the same on every member.
    pub struct Settings from BROKER_KEYS {
        net_ticktime: Span = "net_ticktime", Kind::Duration { min: Span::from_secs(1), max: LONGEST }, "60s",
            "A node that hears nothing of another for this long, give or take a quarter, takes \
             it for down.",
            "rabbitmq.com/docs/nettick; kernel(6), net_ticktime";
        net_setuptime: Span = "net_setuptime", Kind::POSITIVE_DURATION, "7s",
            "How long an attempt to connect to a silent node may take; who waits for it is \
             blocked.",
            "kernel(6), net_setuptime";
        heartbeat: Span = "heartbeat", Kind::ANY_DURATION, "60s",
            "Heartbeat interval that the server proposes to clients; the smaller of both counts.",
            "rabbitmq.com/docs/heartbeats; rabbit_heartbeat.erl";
        "cluster_partition_handling", Kind::Choice(&["ignore", "pause_minority", "pause_if_all_down", "autoheal"]), "ignore",
            "What a node does about a network partition: nothing; stop while it sees no more \
             than half of the members; stop while it sees none of the nodes listed; or restart, \
             on all sides but one, when the sides meet again.",
            "rabbitmq.com/docs/partitions; rabbit_node_monitor.erl, rabbit_autoheal.erl";
        "cluster_partition_handling.pause_if_all_down.nodes", Kind::Names, none since "3.5",
            "With `pause_if_all_down`: a node stops while it sees none of these. Write the key \
             in quotes: it has dots in it.",
            "rabbitmq.com/docs/partitions";
        "cluster_partition_handling.pause_if_all_down.recover", Kind::Choice(&["ignore", "autoheal"]), none since "3.5",
            "With `pause_if_all_down`: what is done when sides meet again that both had gone on; \
             `ignore` if not written.",
            "rabbitmq.com/docs/partitions";
        "queue_master_locator", Kind::Choice(LOCATORS), "client-local",
            "What picks the home of queues that do not say it themselves.",
            "deps/rabbit/Makefile v3.10, PROJECT_ENV; rabbitmq.com/docs/clustering";
        table_loading_timeout: Span = "mnesia_table_loading_retry_timeout", Kind::POSITIVE_DURATION, "30s",
            "A node that boots waits so long for peers that ran when it stopped; then it tries \
             again.",
            "rabbitmq.com/docs/clustering#restarting; rabbit_table.erl, retry_timeout";
        table_loading_retries: u32 = "mnesia_table_loading_retry_limit", Kind::Integer { min: 1, max: 1_000_000 }, ["3.3" = "1", "3.6" = "10"],
            "So often it waits; then its boot has failed and its process ends.",
            "rabbitmq.com/docs/clustering#restarting; rabbit_table.erl, retry_timeout";
        max_journal_entries: u64 = "queue_index_max_journal_entries", Kind::Integer { min: 1, max: MOST_MESSAGES }, "32768",
            "Journal entries in a queue's buffer that force a flush although nobody waits.",
            "deps/rabbit/Makefile v3.10, PROJECT_ENV";
        embed_below: u64 = "queue_index_embed_msgs_below", Kind::Size { min: 0, max: 1 << 30 }, "4096B",
            "Messages smaller than this, with their properties, are kept with their queue; \
             larger ones in the message store that the queues of a node share.",
            "rabbitmq.com/docs/persistence-conf#index-embedding; deps/rabbit/Makefile v3.10";
        "classic_queue.default_version", Kind::Integer { min: 1, max: 2 }, ["3.10" = "1", "4.0" = "2"] since "3.10",
            "Index and store of queues without `x-queue-version`: 1 fsyncs before it confirms, 2 \
             only writes.",
            "rabbitmq.com/docs/persistence-conf#queue-version; rabbit_variable_queue.erl v3.10";
        credit: CreditSpec = "credit_flow_default_credit", Kind::Table(CREDIT_KEYS), ["3.3" = "{ initial = 200, more-after = 50 }", "3.6" = "{ initial = 400, more-after = 200 }"],
            "Publishes that a process may send to the next, and how many that has taken when it \
             grants as many more: from connection to channel, from channel to each queue and \
             mirror.",
            "credit_flow.erl; rabbit.app v3.5.7, v3.6.16; deps/rabbit/Makefile v3.10";
        store_credit: CreditSpec = "msg_store_credit_disc_bound", Kind::Table(CREDIT_KEYS), ["3.3" = "{ initial = 2000, more-after = 500 }", "3.6" = "{ initial = 4000, more-after = 800 }"],
            "The same between a queue and the message store.",
            "rabbit_msg_store.erl; rabbit.app v3.5.7, v3.6.16; deps/rabbit/Makefile v3.10";
        aten_poll: Span = "raft.adaptive_failure_detector.poll_interval", Kind::POSITIVE_DURATION, "5s" since "3.8",
            "Quorum queues: how often a node looks which others are silent, and how long it then \
             waits before it begins an election.",
            "rabbit_prelaunch_conf.erl v3.10.8, v4.3.5; ra_server_proc.erl, election_timeout_duration";
        aten_heartbeat: Span = "raft.adaptive_failure_detector.heartbeat_interval", Kind::POSITIVE_DURATION, "100ms" since "3.8",
            "Quorum queues: how often nodes let each other know that they live.",
            "aten.app.src v0.6.0";
        commands_soft_limit: u32 = "quorum_queue.commands_soft_limit", Kind::Integer { min: 1, max: 1_000_000 }, "32" since "3.8",
            "Publishes of a channel that a quorum queue has not applied; with so many the channel's \
             connection is not read.",
            "rabbit_fifo_client.erl, quorum_commands_soft_limit";
        letter_confirm_timeout: Span = "dead_letter_worker_publisher_confirm_timeout", Kind::POSITIVE_DURATION, "180s" since "3.10",
            "Quorum queues that dead-letter at least once: what is not confirmed within this time is published \
             again.",
            "rabbit_fifo_dlx_worker.erl v4.3.5; PROJECT_ENV v4.3.5";
        consumer_disconnected_timeout: Span | DISCONNECTED_TIMEOUT = "consumer_disconnected_timeout", Kind::ANY_DURATION, "60s" since "4.3",
            "How long a quorum queue keeps for a consumer what it holds while its node cannot be \
             reached.",
            "rabbit_fifo.erl v4.3.5; PROJECT_ENV v4.3.5";
        khepri_timeout: Span | KHEPRI_TIMEOUT = "khepri_default_timeout", Kind::POSITIVE_DURATION, "30s" since "4.0",
            "How long a change of the metadata may take before it has failed.",
            "rabbit_khepri.erl v4.3.5; PROJECT_ENV v4.0.5";
        khepri_leader_wait: Span | KHEPRI_LEADER_WAIT = "khepri_leader_wait_retry_timeout", Kind::POSITIVE_DURATION, "300s" since "4.0",
            "How long a node that boots waits for a leader of the metadata's log, and so for a majority; \
             then its boot has failed.",
            "rabbit_khepri.erl v4.3.5, wait_for_leader; PROJECT_ENV v4.0.5";
        mirroring_flow_control: bool = "mirroring_flow_control", Kind::Flag, "true",
            "Whether channels need credit to send publishes to queues and their mirrors.",
            "rabbit_channel.erl v3.10, init; rabbitmq-server#114";
        vm_memory_high_watermark: Share = "vm_memory_high_watermark", Kind::Chance, ["3.3" = "40%", "4.0" = "60%"],
            "A node that uses more than this of its memory raises an alarm.",
            "rabbitmq.com/docs/memory; deps/rabbit/Makefile v3.10";
        paging_ratio: Share = "vm_memory_high_watermark_paging_ratio", Kind::Chance, "50%",
            "At this part of the watermark queues begin to put messages onto the disk; before \
             3.12.",
            "rabbit_memory_monitor.erl v3.10; deps/rabbit/Makefile v3.10";
        disk_free_limit: u64 = "disk_free_limit", Kind::ANY_SIZE, "50MB",
            "A node with less free disk space raises an alarm.",
            "rabbitmq.com/docs/disk-alarms; deps/rabbit/Makefile v3.10";
        distribution_buffer_size: u64 = "distribution_buffer_size", Kind::Size { min: 1024, max: 1 << 40 }, "128000KiB",
            "Bytes to one other node that may wait in a node; then who sends more is suspended.",
            "rabbitmq.com/docs/configure, RABBITMQ_DISTRIBUTION_BUFFER_SIZE";
        consumer_timeout: Option<Span> = "consumer_timeout", Kind::POSITIVE_DURATION, ["3.8.15" = "15min", "3.8.17" = "30min"] since "3.8.15",
            "A channel whose oldest delivery is not acknowledged for this long is closed (406); \
             it looks once a minute.",
            "rabbitmq.com/docs/consumers#acknowledgement-timeout; PROJECT_ENV v3.8.15, v3.8.17";
        max_message_size: Option<u32> = "max_message_size", Kind::Size { min: 1, max: 536_870_912 }, ["3.8" = "134217728B", "4.0" = "16777216B"] since "3.8",
            "A larger message closes its channel (406).",
            "rabbit_channel.erl v3.10, check_msg_size; PROJECT_ENV v3.8";
        "mirroring_sync_batch_size", Kind::Integer { min: 1, max: 1_000_000 }, "4096" since "3.6",
            "Messages in one batch of a synchronisation, where the policy does not say.",
            "deps/rabbit/Makefile v3.10, PROJECT_ENV";
        sync_max_throughput: u64 | 0 = "mirroring_sync_max_throughput", Kind::Bandwidth, "unlimited" since "3.10",
            "Most bytes a second that a synchronisation reads from the leader's queue.",
            "rabbit_mirror_queue_sync.erl v3.10, maybe_throttle_sync_throughput";
        slave_wait_timeout: Span | SLAVE_WAIT_TIMEOUT = "slave_wait_timeout", Kind::POSITIVE_DURATION, "15s" since "3.6.2",
            "How long a leader that stops all its mirrors waits for each of them.",
            "rabbit_mirror_queue_misc.erl v3.10, stop_all_slaves";
    }
    beside {
        /// What the broker does.
        rules: Rules,
        /// `cluster_partition_handling`.
        partition_handling: PartitionHandling,
        /// From the start of a node's process to its Mnesia.
        boot_time: Distribution,
        /// Memory of each member, in bytes.
        memory: Vec<u64>,
        /// What a node without messages takes of it.
        base_memory: u64,
    }
}

impl Setting for CreditSpec {
    fn of(value: &Value) -> Option<CreditSpec> {
        let Value::Table(credit) = value else { return None };
        let number = |key| credit.integer(key) as u32;
        Some(CreditSpec { initial: number("initial"), more_after: number("more-after") })
    }
}

impl Setting for Share {
    fn of(value: &Value) -> Option<Share> {
        match value {
            Value::Chance(chance) => Some(Share((chance.as_billionths() / 1_000) as u32)),
            _ => None,
        }
    }
}

impl Settings {
    /// What contradicts itself in `[broker]`.
    pub fn check(scenario: &Scenario, wrong: &mut Diagnostics) {
        let broker = scenario.one("broker");
        for key in ["credit_flow_default_credit", "msg_store_credit_disc_bound"] {
            let CreditSpec { initial, more_after } = CreditSpec::read(broker, key);
            if more_after > initial {
                wrong.push(
                    broker.span(key),
                    format!(
                        "a sender with credit for {initial} would wait for ever for the grant that \
                         comes after {more_after}"
                    ),
                    "more-after must be no more than initial",
                );
            }
        }
    }

    /// Reads them from a scenario that was checked with this family's sections.
    #[must_use]
    pub fn read(
        scenario: &Scenario,
        boot_time: Distribution,
        memory: Vec<u64>,
        partition_handling: PartitionHandling,
    ) -> Settings {
        let (broker, rules) = (scenario.one("broker"), Rules::read(scenario.one("rules")));
        Settings::of(broker, rules, partition_handling, boot_time, memory, BASE_MEMORY)
    }
}
