//! Which queues are quorum queues, and where their members are.

use crate::observe::NodeId;
use crate::scenario::Values;

use super::super::arguments::{DelayedRetry, Retried};
use super::{Mode, Planner};

/// `x-quorum-initial-group-size` if it is not written (rabbit.quorum_cluster_size).
const GROUP_SIZE: u64 = 3;
/// `delivery-limit` from 4.0 on, if it is not written (rabbit_quorum_queue.erl:
/// `?DEFAULT_DELIVERY_LIMIT`).
const DELIVERY_LIMIT: u32 = 20;

const RETRY_TYPE: &str = "x-delayed-retry-type";
const RETRY_MIN: &str = "x-delayed-retry-min";
const RETRY_MAX: &str = "x-delayed-retry-max";

impl Planner<'_> {
    /// The members of a queue, none if it is a classic one, and its delivery limit.
    pub(super) fn quorum(&mut self, values: &Values, home: NodeId) -> (Vec<NodeId>, Option<u32>) {
        let default = if self.mode == Mode::Quorum { "quorum" } else { "classic" };
        let written = values.get_text("x-queue-type");
        if written == Some("stream") {
            self.wrong.push(
                values.span("x-queue-type"),
                "streams are not simulated",
                "write \"quorum\" or \"classic\"; docs/fidelity/rabbitmq-quorum.md says what is missing",
            );
            return (Vec::new(), None);
        }
        if written.unwrap_or(default) == "classic" {
            let keys = ["x-quorum-initial-group-size", "x-delivery-limit"];
            let more = [RETRY_TYPE, RETRY_MIN, RETRY_MAX, "x-dead-letter-strategy"];
            for key in keys.into_iter().chain(more) {
                if values.is_set(key) {
                    self.wrong.push(
                        values.span(key),
                        format!("`{key}` is for quorum queues, and this is a classic one"),
                        "remove it, or write x-queue-type = \"quorum\"",
                    );
                }
            }
            return (Vec::new(), None);
        }
        if self.earlier("3.8") {
            self.wrong.push(
                values.span("x-queue-type"),
                "quorum queues do not exist before version 3.8",
                "write broker-version = \"3.8\" or later, or x-queue-type = \"classic\"",
            );
        }
        for (key, help) in [
            ("x-queue-version", "remove it: a quorum queue has its log"),
            ("x-queue-master-locator", "write leader = \"n1\", or nothing for the first node"),
        ] {
            if values.is_set(key) {
                let message = format!("`{key}` is for classic queues, and this is a quorum queue");
                self.wrong.push(values.span(key), message, help);
            }
        }
        for (key, wrong) in [
            ("durable", values.get_flag("durable") == Some(false)),
            ("auto-delete", values.flag("auto-delete")),
        ] {
            if wrong {
                let message = "a quorum queue is always durable, and never goes by itself";
                let help = format!("remove `{key}`, or write x-queue-type = \"classic\"");
                self.wrong.push(values.span(key), message, help);
            }
        }
        if values.choice("x-overflow") == "reject-publish-dlx" {
            self.wrong.push(
                values.span("x-overflow"),
                "quorum queues do not know `reject-publish-dlx`",
                "write x-overflow = \"reject-publish\"",
            );
        }
        let size = values.get_integer("x-quorum-initial-group-size").unwrap_or(GROUP_SIZE);
        let limit = match values.get_signed("x-delivery-limit") {
            Some(limit) => u32::try_from(limit).ok(),
            None if self.earlier("4.0") => None,
            None => Some(DELIVERY_LIMIT),
        };
        (self.members(home, size), limit)
    }

    /// `x-delayed-retry-type` and what belongs to it (rabbit_quorum_queue.erl v4.3.5:
    /// `get_delayed_retry_config`, `validate_delayed_retry_constraints`).
    pub(super) fn delayed_retry(&mut self, values: &Values) -> Option<DelayedRetry> {
        let min = values.get_duration(RETRY_MIN);
        let max = values.get_duration(RETRY_MAX).or(min);
        let of = match values.get_text(RETRY_TYPE) {
            Some("all") => Retried::All,
            Some("failed") => Retried::Failed,
            Some("returned") => Retried::Returned,
            _ => {
                for key in [RETRY_MIN, RETRY_MAX].into_iter().filter(|key| values.is_set(key)) {
                    let message = format!("without `{RETRY_TYPE}` nothing is delayed");
                    let help = format!("write {RETRY_TYPE} = \"all\", or remove `{key}`");
                    self.wrong.push(values.span(key), message, help);
                }
                return None;
            }
        };
        let Some(min) = min else {
            let message = format!("`{RETRY_MIN}` is required when messages are delayed");
            self.wrong.push(values.span(RETRY_TYPE), message, format!("add {RETRY_MIN} = \"10s\""));
            return None;
        };
        let max = max.unwrap_or(min);
        if max < min {
            let message = format!("`{RETRY_MAX}` must not be smaller than `{RETRY_MIN}`");
            self.wrong.push(values.span(RETRY_MAX), message, "make it longer, or remove it");
        }
        Some(DelayedRetry { of, min, max })
    }

    /// The node that declares it, then those with the fewest members (rabbit_queue_location.erl
    /// v4.3: `select_members`), of equals the first.
    fn members(&self, home: NodeId, size: u64) -> Vec<NodeId> {
        let has =
            |node: NodeId| self.queues.iter().filter(|queue| queue.members.contains(&node)).count();
        let mut others: Vec<NodeId> = (0..self.nodes.len() as u32).map(NodeId).collect();
        others.retain(|node| *node != home);
        others.sort_by_key(|node| has(*node));
        let mut members = vec![home];
        members.extend(others.into_iter().take(size.saturating_sub(1) as usize));
        members.sort_unstable();
        members
    }
}
