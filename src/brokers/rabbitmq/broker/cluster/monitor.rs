//! What a node does about a partition (rabbit_node_monitor.erl v3.10).
//!
//! The pause modes act when a node is lost: a node that sees too few of the others stops RabbitMQ,
//! while its VM goes on, and starts it again when it sees enough of them. What counts is the VM: a
//! member whose RabbitMQ is stopped is alive. `autoheal` acts when nodes meet again that have gone
//! on without each other.

use std::collections::VecDeque;

use crate::engine::Span;
use crate::observe::{ActionId, NodeId};
use crate::world::{Context, Lane};

use super::super::super::message::Message;
use super::super::super::message::monitor::MonitorMessage;
use super::super::super::message::node::NodeMessage;
use super::super::super::rules::Rule;
use super::super::super::settings::PartitionHandling;
use super::super::super::words::event;
use super::super::vm::erlang::{Link, Peer};
use super::super::{Broker, Node, Status};
use super::autoheal::Healing;
use super::mnesia::Purpose;

/// A paused node looks this often whether it sees enough of the others
/// (rabbit_node_monitor.erl: `wait_for_cluster_recovery`, `?RABBIT_DOWN_PING_INTERVAL`).
const RECOVERY_INTERVAL: Span = Span::from_secs(1);

/// What a paused node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// More than half of all members.
    Majority,
    /// All members: the network was cut in part only.
    AllNodes,
    /// One of the nodes that `pause_if_all_down` lists.
    Preferred,
}

/// What runs beside RabbitMQ and stops and starts it (`rabbit_outside_app_process`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outside {
    /// It stops RabbitMQ until the cluster has recovered.
    Await(Recovery),
    /// An operator has stopped it, and starts it again.
    Stopped {
        /// By this command.
        by: ActionId,
    },
    /// This node has lost to another, which says when it is safe to start.
    Restart {
        /// Who won.
        winner: NodeId,
        /// What the node monitor goes on with afterwards.
        keeps: Healing,
    },
}

/// The node monitor. It is one process, which does one thing after the other: while it cleans up
/// after a member whose RabbitMQ is gone, everything else waits in its mailbox, the loss of that
/// member's node included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Monitor {
    /// What has come and was not taken yet.
    pub(crate) mailbox: VecDeque<MonitorMessage>,
    /// After whom it cleans up.
    pub(crate) cleans_up_after: Option<NodeId>,
    /// Whom it asks at the end of that.
    pub(crate) asks: Option<Asks>,
    /// Members with which Mnesia is at odds.
    pub(crate) partitions: Vec<NodeId>,
    /// See [`Outside`].
    pub(crate) outside: Option<Outside>,
    /// See [`Healing`].
    pub(crate) healing: Healing,
    /// How often the set of connected nodes has changed.
    pub(crate) nodes_version: u32,
    /// The process is to end once RabbitMQ has stopped.
    pub(crate) exits: bool,
    /// RabbitMQ was started again in this VM.
    pub(crate) again: bool,
    /// Whom it has still to ping in this round, one after the other.
    pub(crate) pings: Option<Vec<NodeId>>,
}

/// Members that are asked whether RabbitMQ runs there, as far as they are not connected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asks {
    /// A connection to this one is being set up.
    under_way: Option<NodeId>,
    /// Then come these.
    rest: VecDeque<NodeId>,
}

/// What a channel knows of its node's side of a partition: of which set of nodes, and whether that
/// is too few.
pub(crate) type Guard = Option<(u32, bool)>;

impl Node {
    /// Whether a member's VM is this one, or connected with it.
    pub(crate) fn is_alive(&self, node: NodeId) -> bool {
        node == self.me || self.sees(node)
    }

    /// rabbit_node_monitor.erl `majority`: strictly more than half of all members.
    fn majority(&self, without: Option<NodeId>) -> bool {
        let alive = self.members().filter(|node| self.is_alive(*node) && Some(*node) != without);
        alive.count() * 2 > self.members().count()
    }

    /// rabbit_node_monitor.erl `in_preferred_partition`: without preferred nodes every side is
    /// preferred.
    pub(crate) fn in_preferred_partition(&self, nodes: &[NodeId], without: Option<NodeId>) -> bool {
        let mut alive = nodes.iter().filter(|node| Some(**node) != without);
        nodes.is_empty() || alive.any(|node| self.is_alive(*node))
    }

    /// rabbit_node_monitor.erl `all_nodes_up`.
    pub(crate) fn all_nodes_up(&self) -> bool {
        self.members().all(|node| self.is_alive(node))
    }

    fn recovered_from(&self, recovery: Recovery) -> bool {
        match (recovery, &self.config.settings.partition_handling) {
            (Recovery::AllNodes, _) => self.all_nodes_up(),
            (Recovery::Preferred, PartitionHandling::PauseIfAllDown { nodes, .. }) => {
                self.in_preferred_partition(nodes, None)
            }
            _ => self.majority(None),
        }
    }

    /// rabbit_node_monitor.erl `handle_dead_rabbit`: RabbitMQ is gone from a member. Until the tables
    /// are clean (rabbit_amqqueue.erl: `on_node_down`) the node monitor takes nothing else.
    fn handle_dead_rabbit(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, stopped: bool) {
        if stopped {
            let (now, event) = (ctx.now(), self.own_event(event::NODE_DOWN, Some(node)));
            ctx.observer().event(now, event);
        }
        self.monitor.cleans_up_after = Some(node);
        let config = self.config.clone();
        let delay = config.costs.node_down_clean_up.span(ctx.random());
        ctx.after(delay, Lane::MAIN, MonitorMessage::NodeDownCleanUp { node }.into());
    }

    /// The tables are clean. From 3.12 on the node monitor asks all members who still runs, and connects for that,
    /// before it goes on (rabbit_node_monitor.erl v4.0.5, `on_node_down_using_mnesia`: `alive_rabbit_nodes()`).
    fn ask_after_clean_up(&mut self, ctx: &mut Context<'_, Message>) {
        let rules = &self.config.settings.rules;
        let (asks, one_by_one) = (rules.has(Rule::AskAfterCleanUp), rules.has(Rule::PingOneByOne));
        let rest: VecDeque<NodeId> = match asks && !self.has_khepri() {
            true => self.down_peers().into(),
            false => VecDeque::new(),
        };
        if !one_by_one {
            rest.iter().for_each(|node| self.set_up(ctx, *node));
        }
        self.monitor.asks = Some(Asks { under_way: None, rest });
        self.continue_asks(ctx);
    }

    /// Each connection is there by now, or it has failed.
    pub(crate) fn continue_asks(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some(asks) = &mut self.monitor.asks {
            let attempt = |peer: &Peer| matches!(peer.link, Link::Looking | Link::Pending(_));
            let waits = |node: NodeId| self.peers.iter().any(|p| p.node == node && attempt(p));
            if asks.under_way.is_some_and(waits) {
                return;
            }
            asks.under_way = asks.rest.pop_front();
            match asks.under_way {
                Some(next) => self.set_up(ctx, next),
                None => {
                    self.monitor.asks = None;
                    if let Some(node) = self.monitor.cleans_up_after {
                        self.cleaned_up(ctx, node);
                    }
                }
            }
        }
    }

    /// The rest of `handle_dead_rabbit`, after what takes time. Recorded partitions are forgotten
    /// together, when each of their nodes is down or one with this one.
    fn cleaned_up(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        self.monitor.cleans_up_after = None;
        self.forget_alarms(ctx, node);
        let over = |node: &NodeId| {
            let peer = self.peers.iter().find(|peer| peer.node == *node);
            peer.is_none_or(|peer| peer.running || !peer.rabbit)
        };
        if self.monitor.partitions.iter().all(over) {
            self.monitor.partitions.clear();
        }
        self.autoheal_rabbit_down(ctx, node);
    }

    /// `nodedown`: does anybody still see that start of it, and is this node with enough of the
    /// others? What counts is whom it sees by now: who was lost a moment ago may be back.
    pub(crate) fn node_gone(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        ran: Option<u32>,
    ) {
        if self.status != Status::Running {
            return;
        }
        if self.has_khepri() {
            // rabbit_node_monitor.erl v4.3: nothing is done about it.
            return;
        }
        if let Some(incarnation) = ran {
            self.ask_about(ctx, node, incarnation);
        }
        self.handle_dead_node(ctx, node);
    }

    /// rabbit_node_monitor.erl `handle_dead_node`: a member's VM is lost.
    fn handle_dead_node(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let config = self.config.clone();
        let handling = &config.settings.partition_handling;
        match handling {
            PartitionHandling::PauseMinority if !self.majority(Some(node)) => {
                self.await_recovery(ctx, Recovery::Majority);
            }
            PartitionHandling::PauseIfAllDown { nodes, .. }
                if !self.in_preferred_partition(nodes, Some(node)) =>
            {
                self.await_recovery(ctx, Recovery::Preferred);
            }
            _ => {}
        }
        if handling.heals() {
            self.autoheal_node_down(ctx, node);
        }
    }

    /// rabbit_node_monitor.erl `await_cluster_recovery`. Whoever does so already goes on with it.
    pub(crate) fn await_recovery(&mut self, ctx: &mut Context<'_, Message>, recovery: Recovery) {
        let stops = self.config.settings.rules.has(Rule::PauseStopsRabbit);
        if self.monitor.outside.is_none() && stops {
            let (now, event) = (ctx.now(), self.own_event(event::PAUSING, None));
            ctx.observer().event(now, event);
            self.monitor.outside = Some(Outside::Await(recovery));
            self.stop_rabbit_soon(ctx);
        }
    }

    /// rabbit.erl `stop`, of a VM that goes on: the plugins that depend on RabbitMQ stop first, and
    /// it serves until they have.
    pub(crate) fn stop_rabbit_soon(&self, ctx: &mut Context<'_, Message>) {
        let config = self.config.clone();
        let lead = config.costs.plugins_stop.span(ctx.random());
        ctx.after(lead, Lane::MAIN, NodeMessage::StopRabbit.into());
    }

    /// rabbit_node_monitor.erl `pause_partition_guard`: whether a channel withholds its confirms,
    /// because this node is about to pause. A channel looks anew when the set of connected nodes
    /// has changed since it looked last. The set with which it begins is the empty one: if it looks
    /// for the first time when no other node is connected any more, nothing has changed.
    pub(crate) fn withholds_confirms(&self, guard: &mut Guard) -> bool {
        let settings = &self.config.settings;
        if !settings.partition_handling.pauses() {
            return false;
        }
        if !settings.rules.has(Rule::HoldConfirmsInMinority) {
            return false;
        }
        let version = self.monitor.nodes_version;
        match *guard {
            Some((of, pausing)) if of == version => pausing,
            None if !self.peers.iter().any(|peer| matches!(peer.link, Link::Up(_))) => false,
            _ => {
                let pausing = match &settings.partition_handling {
                    PartitionHandling::PauseIfAllDown { nodes, .. } => {
                        !self.in_preferred_partition(nodes, None)
                    }
                    _ => !self.majority(None),
                };
                *guard = Some((version, pausing));
                pausing
            }
        }
    }

    /// Mnesia has found that this node and another have gone on without each other
    /// (`running_partitioned_network`).
    fn partitioned_from(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        if !self.monitor.partitions.contains(&node) {
            self.monitor.partitions.push(node);
            self.monitor.partitions.sort_unstable();
        }
        self.maybe_autoheal(ctx);
    }

    /// RabbitMQ runs on a member again.
    fn node_up(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        self.tell_alarms(ctx, node);
        let (now, event) = (ctx.now(), self.own_event(event::NODE_UP, Some(node)));
        ctx.observer().event(now, event);
        self.maybe_autoheal(ctx);
    }
}

impl Broker {
    /// What comes to this node's monitor, and to the processes that it starts so as not to wait.
    pub(crate) fn monitor_message(
        &mut self,
        ctx: &mut Context<'_, Message>,
        message: MonitorMessage,
    ) {
        let node = &mut self.node;
        match message {
            MonitorMessage::PingDownNodes => self.ping_down_nodes(ctx),
            MonitorMessage::LookForRecovery => self.look_for_recovery(ctx),
            MonitorMessage::AutohealTimeout { start } => {
                if node.start == start {
                    self.safe_to_start(ctx, false);
                }
            }
            MonitorMessage::AskRunning { proxy, reporter } => {
                node.answer_running(ctx, proxy, reporter);
            }
            MonitorMessage::StillRunning { reporter } => {
                node.report_partial_partition(ctx, reporter);
            }
            MonitorMessage::RabbitDown { from } => {
                node.member_stopped(ctx, from);
                self.winner_gone(ctx, from);
            }
            MonitorMessage::NodeDownCleanUp { node: gone } => {
                if node.monitor.cleans_up_after == Some(gone) {
                    node.transaction(ctx, Purpose::NodeDown { node: gone });
                }
            }
            MonitorMessage::CleanedUp { node: gone } => {
                if node.monitor.cleans_up_after == Some(gone) {
                    node.ask_after_clean_up(ctx);
                }
            }
            message => node.monitor.mailbox.push_back(message),
        }
    }

    /// The node monitor takes what is in its mailbox until something keeps it busy.
    pub(crate) fn run_node_monitor(&mut self, ctx: &mut Context<'_, Message>) {
        while self.node.monitor.cleans_up_after.is_none()
            && let Some(message) = self.node.monitor.mailbox.pop_front()
        {
            self.node_monitor_takes(ctx, message);
        }
    }

    fn node_monitor_takes(&mut self, ctx: &mut Context<'_, Message>, message: MonitorMessage) {
        let node = &mut self.node;
        match message {
            MonitorMessage::RabbitGone { node: gone, stopped } => {
                node.handle_dead_rabbit(ctx, gone, stopped);
            }
            MonitorMessage::NodeGone { node: gone, ran } => node.node_gone(ctx, gone, ran),
            MonitorMessage::NodeUp { node: up } => node.node_up(ctx, up),
            MonitorMessage::Inconsistent { node: other } => node.partitioned_from(ctx, other),
            MonitorMessage::Autoheal { from, word } => self.autoheal(ctx, from, *word),
            MonitorMessage::AutohealRenotify => node.autoheal_renotify(ctx),
            MonitorMessage::CheckPartialPartition { reporter, lost, incarnation } => {
                node.check_partial_partition(ctx, reporter, lost, incarnation);
            }
            MonitorMessage::PartialPartition { proxy } => node.partial_partition(ctx, proxy),
            MonitorMessage::PartialPartitionDisconnect { from } => node.disconnect(ctx, from),
            // What `monitor_message` does at once.
            MonitorMessage::PingDownNodes
            | MonitorMessage::LookForRecovery
            | MonitorMessage::AutohealTimeout { .. }
            | MonitorMessage::AskRunning { .. }
            | MonitorMessage::StillRunning { .. }
            | MonitorMessage::RabbitDown { .. }
            | MonitorMessage::NodeDownCleanUp { .. }
            | MonitorMessage::CleanedUp { .. } => {}
        }
    }

    /// RabbitMQ has stopped, and its VM has not: what has become of the others?
    pub(crate) fn after_pause(&mut self, ctx: &mut Context<'_, Message>) {
        match self.node.monitor.outside {
            Some(Outside::Await(_)) => self.look_for_recovery(ctx),
            Some(Outside::Restart { winner, .. }) => {
                if self.node.rabbit_runs(winner) {
                    self.node.await_safe_to_start(ctx);
                } else {
                    self.safe_to_start(ctx, false);
                }
            }
            Some(Outside::Stopped { by }) => ctx.answer(by, Ok(())),
            None => {}
        }
    }

    /// rabbit_node_monitor.erl `wait_for_cluster_recovery`: pings all, then looks.
    pub(crate) fn look_for_recovery(&mut self, ctx: &mut Context<'_, Message>) {
        if self.node.status == Status::Paused {
            self.node.monitor.pings = Some(self.node.down_peers());
            self.continue_pings(ctx);
        }
    }

    /// All were pinged: is the node with enough of the others?
    pub(crate) fn recovery_looked_for(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(Outside::Await(recovery)) = self.node.monitor.outside else { return };
        if self.node.recovered_from(recovery) {
            self.node.monitor.outside = None;
            self.start_rabbit_again(ctx);
        } else {
            ctx.after(RECOVERY_INTERVAL, Lane::MAIN, MonitorMessage::LookForRecovery.into());
        }
    }
}
