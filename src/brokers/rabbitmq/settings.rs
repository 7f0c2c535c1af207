//! What `[broker]` and `[rules]` come to.

use crate::engine::{Distribution, Span};
use crate::scenario::Scenario;

use super::rules::Rules;

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
    /// From the start of a node's process to its Mnesia.
    pub boot_time: Distribution,
    /// `queue_index_max_journal_entries`.
    pub max_journal_entries: u64,
    /// `queue_index_embed_msgs_below`.
    pub embed_below: u64,
}

impl Settings {
    /// Reads them from a scenario that was checked with this family's sections.
    #[must_use]
    pub fn read(scenario: &Scenario, boot_time: Distribution) -> Settings {
        let broker = scenario.one("broker");
        Settings {
            rules: Rules::read(scenario.one("rules")),
            net_ticktime: broker.duration("net_ticktime"),
            net_setuptime: broker.duration("net_setuptime"),
            heartbeat: broker.duration("heartbeat"),
            boot_time,
            max_journal_entries: broker.integer("queue_index_max_journal_entries"),
            embed_below: broker.size("queue_index_embed_msgs_below"),
        }
    }
}
