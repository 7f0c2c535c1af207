//! Partial partitions (rabbit_node_monitor.erl v3.10: `check_partial_partition`,
//! `partial_partition`, `disconnect`).
//!
//! A node that loses another asks the rest whether they still see it. If one does, and the lost
//! node still answers it, the network is cut in part only. With `pause_minority` the node then
//! pauses until it sees all members; otherwise it cuts itself off from the one that answered as
//! well: what is left is a full partition, in which nobody records the death of a process that
//! others can talk to.

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::message::Message;
use super::super::super::message::monitor::MonitorMessage;
use super::super::super::rules::Rule;
use super::super::super::settings::PartitionHandling;
use super::super::super::words::event;
use super::super::vm::erlang::Link;
use super::super::{Node, Status};
use super::monitor::Recovery;

/// So long after it has cut itself off a node sets up no connection by itself
/// (rabbit_node_monitor.erl: `?NODE_DISCONNECTION_TIMEOUT`, with `dist_auto_connect = never`).
const DISCONNECTION_TIMEOUT: Span = Span::from_secs(1);

impl Node {
    /// A running member is lost: does anybody still see that start of it?
    pub(crate) fn ask_about(
        &mut self,
        ctx: &mut Context<'_, Message>,
        lost: NodeId,
        incarnation: u32,
    ) {
        if !self.config.settings.rules.has(Rule::DisconnectPartialPartitions) {
            return;
        }
        let reporter = self.me;
        for peer in self.running_peers() {
            let check = MonitorMessage::CheckPartialPartition { reporter, lost, incarnation };
            self.send_node(ctx, peer, check);
        }
    }

    /// Somebody has lost a member: if this node has not, it asks the lost one. Before 3.9.9 it knows
    /// starts of a member by what their RabbitMQ has announced: one that has only just come up passes
    /// for the one that was lost.
    pub(crate) fn check_partial_partition(
        &mut self,
        ctx: &mut Context<'_, Message>,
        reporter: NodeId,
        lost: NodeId,
        incarnation: u32,
    ) {
        let now = ctx.now();
        let by_announcement = self.config.settings.rules.has(Rule::AnnouncedStartsOnly);
        let seen = self.peer(lost).is_some_and(|peer| {
            let connected = matches!(peer.link, Link::Up(_));
            let same = peer.running && peer.incarnation == Some(incarnation);
            let passes = by_announcement
                && peer.announced == Some(incarnation)
                && peer.incarnation != Some(incarnation)
                && now >= peer.mnesia_at;
            connected && (same || passes)
        });
        if seen {
            let proxy = self.me;
            self.send_node(ctx, lost, MonitorMessage::AskRunning { proxy, reporter });
        }
    }

    /// `rabbit:is_running()`, asked by another node on behalf of one that has lost this one. Before 3.9.9
    /// "no" is an answer as well: all that counted was that there was one.
    pub(crate) fn answer_running(
        &mut self,
        ctx: &mut Context<'_, Message>,
        proxy: NodeId,
        reporter: NodeId,
    ) {
        let any = self.config.settings.rules.has(Rule::AnnouncedStartsOnly);
        if self.status == Status::Running || any {
            self.send_node(ctx, proxy, MonitorMessage::StillRunning { reporter });
        }
    }

    /// The lost member has answered: its loser is told, by way of this node, that it lives.
    pub(crate) fn report_partial_partition(
        &mut self,
        ctx: &mut Context<'_, Message>,
        reporter: NodeId,
    ) {
        let proxy = self.me;
        self.send_node(ctx, reporter, MonitorMessage::PartialPartition { proxy });
    }

    /// A member that this node has lost still talks to `proxy`: away from that, too.
    pub(crate) fn partial_partition(&mut self, ctx: &mut Context<'_, Message>, proxy: NodeId) {
        if !self.peer(proxy).is_some_and(|peer| matches!(peer.link, Link::Up(_))) {
            return;
        }
        let (now, event) = (ctx.now(), self.own_event(event::PARTIAL_PARTITION, Some(proxy)));
        ctx.observer().event(now, event);
        let config = self.config.clone();
        match &config.settings.partition_handling {
            // "We will therefore pause until the *entire* cluster recovers."
            PartitionHandling::PauseMinority => {
                self.await_recovery(ctx, Recovery::AllNodes);
                return;
            }
            // "We are about to pause, no need for further actions."
            PartitionHandling::PauseIfAllDown { nodes, .. }
                if !self.in_preferred_partition(nodes, None) =>
            {
                return;
            }
            _ => {}
        }
        let from = self.me;
        self.send_node(ctx, proxy, MonitorMessage::PartialPartitionDisconnect { from });
        self.disconnect(ctx, proxy);
    }

    /// Gives up the connection to a peer, and sets up none to anybody for a while.
    pub(crate) fn disconnect(&mut self, ctx: &mut Context<'_, Message>, peer: NodeId) {
        self.connects_again_at = ctx.now() + DISCONNECTION_TIMEOUT;
        if let Some(Link::Up(conn)) = self.peer(peer).map(|peer| peer.link) {
            ctx.close(conn);
            self.link_down(ctx, peer);
        }
    }
}
