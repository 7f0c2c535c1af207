//! Members that come and go (rabbit_node_monitor, rabbit_mnesia, v3.10).

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Lane};

use super::super::super::message::Message;
use super::super::super::message::mnesia::{MnesiaMessage, Progress};
use super::super::super::message::monitor::MonitorMessage;
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::vm::erlang::Link;
use super::super::{Broker, Node, Status};

/// While a member is down every node looks for it this often
/// (rabbit_node_monitor.erl: `?RABBIT_DOWN_PING_INTERVAL`).
const DOWN_PING_INTERVAL: Span = Span::from_secs(1);

impl Broker {
    /// Looks for members that are down; a booting node that waits asks again.
    pub(crate) fn ping_down_nodes(&mut self, ctx: &mut Context<'_, Message>) {
        match self.node.status {
            Status::Running => {
                self.node.monitor.pings = Some(self.node.down_peers());
                self.continue_pings(ctx);
            }
            Status::Booting => {
                self.node.pinging = false;
                for peer in self.node.peers.clone() {
                    if let Link::Up(conn) = peer.link {
                        self.node.introduce(ctx, conn);
                    }
                }
                self.node.start_pinging(ctx);
                for node in self.node.down_peers() {
                    self.node.set_up(ctx, node);
                }
                self.continue_boot(ctx);
            }
            Status::Off | Status::Starting | Status::Stopping | Status::Paused => {
                self.node.pinging = false;
            }
        }
    }

    /// rabbit_node_monitor.erl `ping_all`: one member after the other; each ping ends when there is
    /// a connection or the attempt has failed, which takes `net_setuptime` if the other is silent.
    /// In the end a running node begins again a second later if somebody is still missing, and a
    /// paused one looks at what it has found.
    pub(crate) fn continue_pings(&mut self, ctx: &mut Context<'_, Message>) {
        let pending = |link: Link| matches!(link, Link::Looking | Link::Pending(_));
        while let Some(rest) = &mut self.node.monitor.pings {
            if self.node.peers.iter().any(|peer| pending(peer.link)) {
                return;
            }
            if let Some(next) = (!rest.is_empty()).then(|| rest.remove(0)) {
                self.node.set_up(ctx, next);
                continue;
            }
            self.node.monitor.pings = None;
            if self.node.status == Status::Paused {
                self.recovery_looked_for(ctx);
            } else {
                self.node.pinging = false;
                if !self.node.down_peers().is_empty() {
                    self.node.start_pinging(ctx);
                }
            }
        }
    }
}

impl Node {
    pub(crate) fn start_pinging(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.pinging {
            self.pinging = true;
            ctx.after(DOWN_PING_INTERVAL, Lane::MAIN, MonitorMessage::PingDownNodes.into());
        }
    }

    /// An attempt to set up a connection has failed.
    pub(crate) fn unreachable(&mut self, ctx: &mut Context<'_, Message>, conn: ConnId) {
        if let Some(peer) = self.peer_of(conn) {
            self.link_down(ctx, peer);
            self.autoheal_unreachable(ctx, peer);
        }
        if self.status == Status::Booting {
            ctx.tell(
                Lane::MAIN,
                MnesiaMessage::Status { from: self.me, progress: Progress::Down }.into(),
            );
        } else {
            self.start_pinging(ctx);
        }
    }

    /// A peer introduces itself on a new connection, or asks again while it boots.
    pub(crate) fn hello(
        &mut self,
        ctx: &mut Context<'_, Message>,
        conn: ConnId,
        from: NodeId,
        incarnation: u32,
    ) {
        self.introduced(ctx, from, conn);
        let me = self.me;
        let forgotten = match self.status {
            Status::Running => self.mnesia.tables.forgotten.contains(&from),
            _ => self.disk.forgotten.contains(&from),
        };
        let progress = match self.status {
            _ if forgotten => Progress::Disagrees,
            Status::Running => Progress::Runs,
            Status::Booting if self.waits_for_peers() => Progress::Waits,
            Status::Booting => Progress::StoppedLast,
            Status::Off | Status::Starting | Status::Stopping | Status::Paused => Progress::Down,
        };
        // Nothing counts before the connection stands.
        let Some(peer) = self.peer(from).filter(|peer| peer.link == Link::Up(conn)) else { return };
        peer.incarnation = Some(incarnation);
        self.send_node(ctx, from, MnesiaMessage::Status { from: me, progress });
    }

    /// Some running members do not see this node, which wants to join: it connects to them first
    /// (mnesia_recover.erl: `connect_nodes` goes on to the nodes that those it reaches know of).
    pub(crate) fn unseen(&mut self, ctx: &mut Context<'_, Message>, nodes: &[NodeId]) {
        self.mnesia.asked = None;
        self.mnesia.refusals += 1;
        for &node in nodes {
            self.set_up(ctx, node);
        }
        self.start_pinging(ctx);
    }

    /// How far a peer is.
    pub(crate) fn status_of(
        &mut self,
        ctx: &mut Context<'_, Message>,
        from: NodeId,
        progress: Progress,
    ) {
        let here = self.status == Status::Running;
        let khepri = self.has_khepri();
        let Some(peer) = self.peer(from) else { return };
        peer.answer = Some(progress);
        peer.rabbit = progress == Progress::Runs;
        if progress == Progress::Runs {
            self.mnesia.first_running.get_or_insert(from);
        }
        if here && progress == Progress::Runs {
            self.tell_alarms(ctx, from);
        }
        let Some(peer) = self.peer(from) else { return };
        if khepri {
            if peer.rabbit {
                self.meets(from);
            }
        } else if here && peer.rabbit && !peer.running {
            // Each has gone on alone, and now they meet: Mnesia refuses to merge
            // (mnesia_monitor.erl: inconsistent_database, running_partitioned_network).
            let (now, event) = (ctx.now(), self.own_event(event::PARTITIONED, Some(from)));
            ctx.observer().event(now, event);
            self.monitor.mailbox.push_back(MonitorMessage::Inconsistent { node: from });
        }
    }

    /// The members of the cluster, as this node's tables have it.
    pub(crate) fn members(&self) -> impl Iterator<Item = NodeId> {
        let members = self.config.members.iter().copied();
        members.filter(|node| !self.mnesia.tables.forgotten.contains(node))
    }

    /// RabbitMQ runs on a peer, on tables that are one with these.
    pub(crate) fn member_running(&mut self, from: NodeId) {
        if let Some(peer) = self.peer(from) {
            peer.running = true;
            peer.rabbit = true;
            peer.announced = peer.incarnation;
        }
        self.monitor.mailbox.push_back(MonitorMessage::NodeUp { node: from });
    }

    /// Whether members ran when this node stopped, so that they know more than it does.
    pub(crate) fn waits_for_peers(&self) -> bool {
        let waits = self.config.settings.rules.has(Rule::WaitForTablesOfPeers);
        waits && !self.disk.saw_running.is_empty()
    }

    /// A member's VM is lost. Mnesia knows at once; the node monitor is told that RabbitMQ is gone,
    /// and then that the node is.
    pub(crate) fn member_down(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let Some(peer) = self.peer(node) else { return };
        let (incarnation, known) = (peer.incarnation.take(), peer.rabbit);
        let ran = self.mnesia_down(ctx, node);
        self.start_pinging(ctx);
        if self.status == Status::Running {
            if known {
                self.monitor.mailbox.push_back(MonitorMessage::RabbitGone { node, stopped: false });
            }
            let ran = incarnation.filter(|_| ran);
            if self.config.settings.rules.has(Rule::CleanUpBeforeMajority) {
                self.monitor.mailbox.push_back(MonitorMessage::NodeGone { node, ran });
            } else {
                self.node_gone(ctx, node, ran);
            }
        }
    }

    /// RabbitMQ has stopped on a member whose VM goes on.
    pub(crate) fn member_stopped(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        self.mnesia_down(ctx, node);
        if self.status == Status::Running {
            self.monitor.mailbox.push_back(MonitorMessage::RabbitGone { node, stopped: true });
        }
    }

    /// mnesia_monitor.erl `mnesia_down`: Mnesia is down on a member, with its VM or without it.
    /// Returns whether it was one with this node's.
    fn mnesia_down(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) -> bool {
        let Some(peer) = self.peer(node) else { return false };
        let ran = std::mem::take(&mut peer.running);
        peer.rabbit = false;
        peer.answer = None;
        if self.mnesia.asked == Some(node) {
            self.mnesia.asked = None;
        }
        self.abandon_votes(ctx, node);
        self.release_all(ctx, node);
        ran
    }
}
