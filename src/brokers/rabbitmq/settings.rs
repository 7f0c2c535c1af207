//! What `[broker]` and `[rules]` come to.

use crate::engine::{Distribution, Span};
use crate::observe::NodeId;
use crate::scenario::{Diagnostics, Scenario, Values};

use super::broker::vm::alarm::Share;
use super::broker::vm::credit::CreditSpec;
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

fn credit(values: &Values, key: &str) -> CreditSpec {
    let credit = values.table(key);
    let number = |key| credit.map_or(1, |credit| credit.integer(key)) as u32;
    CreditSpec { initial: number("initial"), more_after: number("more-after") }
}

fn share(values: &Values, key: &str) -> Share {
    Share((values.chance(key).as_billionths() / 1_000) as u32)
}

/// The broker's configuration, the same on every member.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the broker does.
    pub rules: Rules,
    /// `net_ticktime`.
    pub net_ticktime: Span,
    /// `net_setuptime`: how long an attempt to reach a silent node may take.
    pub net_setuptime: Span,
    /// `heartbeat`, as the server proposes it.
    pub heartbeat: Span,
    /// `cluster_partition_handling`.
    pub partition_handling: PartitionHandling,
    /// `mnesia_table_loading_retry_timeout`: one wait of a booting node for its peers' tables.
    pub table_loading_timeout: Span,
    /// `mnesia_table_loading_retry_limit`: how many waits it makes.
    pub table_loading_retries: u32,
    /// From the start of a node's process to its Mnesia.
    pub boot_time: Distribution,
    /// `queue_index_max_journal_entries`.
    pub max_journal_entries: u64,
    /// `queue_index_embed_msgs_below`.
    pub embed_below: u64,
    /// `credit_flow_default_credit`.
    pub credit: CreditSpec,
    /// `msg_store_credit_disc_bound`.
    pub store_credit: CreditSpec,
    /// `mirroring_flow_control`.
    pub mirroring_flow_control: bool,
    /// `vm_memory_high_watermark`, of the memory.
    pub vm_memory_high_watermark: Share,
    /// `vm_memory_high_watermark_paging_ratio`, of the watermark.
    pub paging_ratio: Share,
    /// `disk_free_limit`.
    pub disk_free_limit: u64,
    /// `RABBITMQ_DISTRIBUTION_BUFFER_SIZE`.
    pub distribution_buffer_size: u64,
    /// Memory of each member, in bytes.
    pub memory: Vec<u64>,
    /// What a node without messages takes of it.
    pub base_memory: u64,
    /// `consumer_timeout`; none before it was introduced.
    pub consumer_timeout: Option<Span>,
    /// `max_message_size`; none before it was introduced.
    pub max_message_size: Option<u32>,
    /// `mirroring_sync_max_throughput` in bytes a second; 0 is unlimited.
    pub sync_max_throughput: u64,
    /// `slave_wait_timeout`.
    pub slave_wait_timeout: Span,
}

/// What `slave_wait_timeout` was before it was a key (rabbit_mirror_queue_misc.erl v3.6.1).
const SLAVE_WAIT_TIMEOUT: Span = Span::from_secs(15);

impl Settings {
    /// What contradicts itself in `[broker]`.
    pub fn check(scenario: &Scenario, wrong: &mut Diagnostics) {
        let broker = scenario.one("broker");
        for key in ["credit_flow_default_credit", "msg_store_credit_disc_bound"] {
            let CreditSpec { initial, more_after } = credit(broker, key);
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
        let broker = scenario.one("broker");
        Settings {
            rules: Rules::read(scenario.one("rules")),
            net_ticktime: broker.duration("net_ticktime"),
            net_setuptime: broker.duration("net_setuptime"),
            heartbeat: broker.duration("heartbeat"),
            partition_handling,
            table_loading_timeout: broker.duration("mnesia_table_loading_retry_timeout"),
            table_loading_retries: broker.integer("mnesia_table_loading_retry_limit") as u32,
            boot_time,
            max_journal_entries: broker.integer("queue_index_max_journal_entries"),
            embed_below: broker.size("queue_index_embed_msgs_below"),
            credit: credit(broker, "credit_flow_default_credit"),
            store_credit: credit(broker, "msg_store_credit_disc_bound"),
            mirroring_flow_control: broker.flag("mirroring_flow_control"),
            vm_memory_high_watermark: share(broker, "vm_memory_high_watermark"),
            paging_ratio: share(broker, "vm_memory_high_watermark_paging_ratio"),
            disk_free_limit: broker.size("disk_free_limit"),
            distribution_buffer_size: broker.size("distribution_buffer_size"),
            memory,
            base_memory: BASE_MEMORY,
            consumer_timeout: broker.get_duration("consumer_timeout"),
            max_message_size: broker.get_size("max_message_size").map(|most| most as u32),
            sync_max_throughput: broker.get_bandwidth("mirroring_sync_max_throughput").unwrap_or(0),
            slave_wait_timeout: broker
                .get_duration("slave_wait_timeout")
                .unwrap_or(SLAVE_WAIT_TIMEOUT),
        }
    }
}
