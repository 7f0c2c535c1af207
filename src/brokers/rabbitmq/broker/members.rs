//! Members that come and go (rabbit_node_monitor, rabbit_mnesia, v3.10).

use crate::engine::Span;
use crate::observe::{NodeId, Observer};
use crate::world::{ConnId, Context, Lane};

use super::super::message::Message;
use super::super::words::event;
use super::erlang::Link;
use super::{Broker, Node, Status};

/// While a member is down every node looks for it this often
/// (rabbit_node_monitor.erl: `?RABBIT_DOWN_PING_INTERVAL`).
const DOWN_PING_INTERVAL: Span = Span::from_secs(1);

impl Broker {
    /// Looks for members that are down; a booting node that waits asks again.
    pub(super) fn ping_down_nodes<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        self.node.pinging = false;
        let down: Vec<NodeId> = self
            .node
            .peers
            .iter()
            .filter(|peer| peer.link == Link::Down)
            .map(|peer| peer.node)
            .collect();
        if self.node.status == Status::Booting {
            let incarnation = self.node.incarnation;
            let me = self.node.me;
            for peer in self.node.peers.clone() {
                if let Link::Up(conn) = peer.link {
                    let hello = Message::MnesiaHello { from: me, incarnation };
                    ctx.send_to(conn, Lane::MAIN, hello, 200);
                }
            }
        }
        if !down.is_empty() || self.node.status == Status::Booting {
            self.node.start_pinging(ctx);
        }
        for node in down {
            self.node.set_up(ctx, node);
        }
        self.continue_boot(ctx);
    }
}

impl Node {
    pub(super) fn start_pinging<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        if !self.pinging {
            self.pinging = true;
            ctx.after(DOWN_PING_INTERVAL, Lane::MAIN, Message::PingDownNodes);
        }
    }

    /// An attempt to set up a connection has failed.
    pub(super) fn unreachable<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        conn: ConnId,
    ) {
        if let Some(peer) = self.peer_of(conn) {
            self.link_down(ctx, peer);
        }
        if self.status == Status::Booting {
            ctx.tell(
                Lane::MAIN,
                Message::MnesiaStatus { from: self.me, running: false, waiting: false },
            );
        } else {
            self.start_pinging(ctx);
        }
    }

    /// A peer introduces itself on a new connection, or asks again while it boots.
    pub(super) fn hello<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        conn: ConnId,
        from: NodeId,
        incarnation: u32,
    ) {
        self.introduced(ctx, from, conn);
        let me = self.me;
        let running = self.status == Status::Running;
        let waiting = self.status == Status::Booting && !self.disk.saw_running.is_empty();
        // Nothing counts before the connection stands.
        let Some(peer) = self.peer(from).filter(|peer| peer.link == Link::Up(conn)) else { return };
        peer.incarnation = Some(incarnation);
        self.send_node(ctx, from, Message::MnesiaStatus { from: me, running, waiting });
    }

    /// Some running members do not see this node, which wants to join: it connects to them first
    /// (mnesia_recover.erl: `connect_nodes` goes on to the nodes that those it reaches know of).
    pub(super) fn unseen<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        nodes: &[NodeId],
    ) {
        self.mnesia.asked = None;
        self.mnesia.refusals += 1;
        for &node in nodes {
            self.set_up(ctx, node);
        }
        self.start_pinging(ctx);
    }

    /// How far a peer is.
    pub(super) fn status_of<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        from: NodeId,
        running: bool,
        waiting: bool,
    ) {
        let here = self.status == Status::Running;
        let Some(peer) = self.peer(from) else { return };
        peer.answer = Some((running, waiting));
        if here && running {
            self.tell_alarms(ctx, from);
        }
        let Some(peer) = self.peer(from) else { return };
        if here && running && !peer.running {
            // Each has gone on alone, and now they meet: Mnesia refuses to merge
            // (mnesia_monitor.erl: inconsistent_database, running_partitioned_network).
            let (now, event) = (ctx.now(), self.own_event(event::PARTITIONED, Some(from)));
            ctx.observer().event(now, event);
        }
    }

    /// RabbitMQ runs on a peer, on tables that are one with these.
    pub(super) fn member_running<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        from: NodeId,
    ) {
        if let Some(peer) = self.peer(from) {
            peer.running = true;
        }
        self.tell_alarms(ctx, from);
        let now = ctx.now();
        let event = self.own_event(event::NODE_UP, Some(from));
        ctx.observer().event(now, event);
    }

    /// A member is down (rabbit_node_monitor.erl: `handle_dead_rabbit`, `ping_down_nodes`).
    pub(super) fn member_down<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        node: NodeId,
    ) {
        let Some(peer) = self.peer(node) else { return };
        let ran = std::mem::take(&mut peer.running);
        let incarnation = peer.incarnation.take();
        peer.answer = None;
        if self.mnesia.asked == Some(node) {
            self.mnesia.asked = None;
        }
        self.forget_alarms(ctx, node);
        self.abandon_votes(ctx, node);
        self.release_all(ctx, node);
        self.start_pinging(ctx);
        if ran && self.status == Status::Running {
            if let Some(incarnation) = incarnation {
                self.ask_about(ctx, node, incarnation);
            }
            let config = self.config.clone();
            let delay = config.costs.node_down_clean_up.span(ctx.random());
            ctx.after(delay, Lane::MAIN, Message::NodeDownCleanUp { node });
        }
    }
}
