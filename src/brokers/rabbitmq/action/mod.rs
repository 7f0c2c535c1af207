//! What an operator can do to a RabbitMQ cluster: commands of rabbitmqctl, rabbitmq-queues and
//! rabbitmq-upgrade, one file each. `broker/command.rs` is the node that is given them.

mod cancel_sync_queue;
mod change_member;
mod clear_policy;
mod close_all_connections;
mod crash_channels;
mod crash_queue;
mod delete_queue;
mod drain;
mod force_boot;
mod forget_cluster_node;
mod grow;
mod purge_queue;
mod rebalance;
mod revive;
mod set_policy;
mod set_vm_memory_high_watermark;
mod shrink;
mod start_app;
mod stop_app;
mod sync_queue;

use crate::brokers::kit::{Command, actions};
use crate::observe::{ActionId, NodeId};
use crate::scenario::{KeySpec, Kind, Preset, SectionSpec, Values, Variant};
use crate::world::Context;
use crate::world::action::{Answer, section};

use super::broker::Broker;
use super::broker::cluster::mnesia::{PolicyChange, Purpose};
use super::broker::quorum::resize::Job;
use super::keys::POLICY_KEYS;
use super::message::queue::QueueCommand;
use super::message::{Message, QueueId};
use super::plan::Planner;
use super::policy::PolicyId;

actions! {
    Planner<'_>, Broker, Message;
    /// The mirrors of a queue are synchronised.
    sync_queue::SyncQueue,
    /// That is given up.
    cancel_sync_queue::CancelSyncQueue,
    /// A policy is set, or replaced.
    set_policy::SetPolicy,
    /// A policy is cleared.
    clear_policy::ClearPolicy,
    /// A queue is deleted.
    delete_queue::DeleteQueue,
    /// A queue is emptied.
    purge_queue::PurgeQueue,
    /// The process of a queue crashes.
    crash_queue::CrashQueue,
    /// Channels crash.
    crash_channels::CrashChannels,
    /// Clients are sent away.
    close_all_connections::CloseAllConnections,
    /// RabbitMQ stops, and its VM goes on.
    stop_app::StopApp,
    /// RabbitMQ starts again in a VM that has gone on.
    start_app::StartApp,
    /// A member that is down is forgotten.
    forget_cluster_node::ForgetClusterNode,
    /// A node that is down does not wait for the others when it starts.
    force_boot::ForceBoot,
    /// Leaders are spread over the nodes.
    rebalance::Rebalance,
    /// A quorum queue gets a member.
    change_member::AddMember,
    /// A quorum queue loses a member.
    change_member::DeleteMember,
    /// Quorum queues get a member on a node.
    grow::Grow,
    /// Quorum queues lose their members on a node.
    shrink::Shrink,
    /// A node goes into maintenance.
    drain::Drain,
    /// A node comes back from maintenance.
    revive::Revive,
    /// A node may use more memory, or less.
    set_vm_memory_high_watermark::SetVmMemoryHighWatermark,
}

impl Action {
    /// Whether it can be given to a node whose VM runs and RabbitMQ does not.
    pub(super) fn is_for_a_stopped_app(&self) -> bool {
        matches!(self, Action::StartApp(_) | Action::ForceBoot(_))
    }
}

/// `[[action]]`.
pub const ACTION: SectionSpec = section(&KINDS);

/// The key `node` of what is done to a member of a quorum queue.
const NODE: KeySpec = KeySpec::new("node", Kind::Name, Preset::Required, "The node of the member.");

/// The key `queue`.
const QUEUE: KeySpec = KeySpec::new("queue", Kind::Name, Preset::Required, "The queue.");

impl Planner<'_> {
    /// What the scenario orders, in the order of the file.
    pub(super) fn read_actions(&mut self) -> Vec<Action> {
        let sections = self.scenario.many("action");
        sections.iter().filter_map(|values| self.read_action(values)).collect()
    }

    fn read_action(&mut self, values: &Values) -> Option<Action> {
        let (kind, (since, until)) = (values.text("kind"), Action::versions(values));
        if let Some(since) = since.filter(|since| self.earlier(since)) {
            let message = format!("`{kind}` came with RabbitMQ {since}");
            let help = format!("write broker-version = \"{since}\" or a later one");
            self.wrong.push(values.span("kind"), message, help);
            return None;
        }
        if let Some((until, instead)) = until.filter(|(until, _)| !self.earlier(until)) {
            let message = format!("there is no `{kind}` any more since RabbitMQ {until}");
            self.wrong.push(values.span("kind"), message, instead);
            return None;
        }
        Action::parse(values, self)
    }

    /// The queue that an action is about.
    fn queue_of(&mut self, values: &Values) -> Option<QueueId> {
        self.queue(values.text("queue"), values.span("queue"))
    }

    /// Whether the action names the node that it is for; else that is said.
    fn names_its_node(&mut self, values: &Values) -> bool {
        if !values.has("on") {
            let message = format!("`{}` needs the node that it is for", values.text("kind"));
            self.wrong.push(values.place(), message, "write on = \"n1\"");
        }
        values.has("on")
    }

    /// The same, if processes of it on the node that is named can crash.
    fn crashing_queue_of(&mut self, values: &Values) -> Option<QueueId> {
        let queue = self.queue_of(values)?;
        if !self.names_its_node(values) {
            return None;
        }
        if self.is_quorum(queue) {
            let message = "that a process of a quorum queue crashes is not simulated";
            self.wrong.push(values.span("queue"), message, "name a classic queue");
            return None;
        }
        Some(queue)
    }

    /// The same, if it is a quorum queue.
    fn quorum_queue_of(&mut self, values: &Values) -> Option<QueueId> {
        let queue = self.queue_of(values)?;
        if self.is_quorum(queue) {
            return Some(queue);
        }
        let message =
            format!("`{}` is a classic queue, which has no members", values.text("queue"));
        let help = "name a quorum queue, or write x-queue-type = \"quorum\" in its section";
        self.wrong.push(values.span("queue"), message, help);
        None
    }

    /// Whether there is a quorum queue; else that is said.
    fn has_members(&mut self, values: &Values) -> bool {
        let there = self.has_quorum_queue();
        if !there {
            let message = "there is no quorum queue, and so there are no members";
            self.wrong.push(
                values.span("kind"),
                message,
                "add a quorum queue, or remove the action",
            );
        }
        there
    }

    /// The same, if it is a classic one.
    fn classic_queue_of(&mut self, values: &Values, instead: &str) -> Option<QueueId> {
        let queue = self.queue_of(values)?;
        if !self.is_quorum(queue) {
            return Some(queue);
        }
        let message = format!("`{}` is a quorum queue, which has no mirrors", values.text("queue"));
        self.wrong.push(values.span("queue"), message, instead);
        None
    }
}
