//! The start of a node: its VM, its Mnesia, RabbitMQ (rabbit, rabbit_mnesia, rabbit_table, v3.10).

use crate::observe::{NodeId, Observer};
use crate::world::{Boot, Context, Lane};

use super::super::message::{Message, QueueId};
use super::super::words::event;
use super::erlang::Link;
use super::mnesia::Tables;
use super::{AMQP, Broker, DISTRIBUTION, Node, Status};

/// A joiner tries so often to reach all members that the others see; then it joins without them.
const MOST_REFUSALS: u32 = 2;

impl Broker {
    pub(super) fn boot<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, boot: &Boot) {
        self.processes.clear();
        self.node.incarnation = boot.incarnation;
        if boot.incarnation > 0 {
            self.node.status = Status::Booting;
            let config = self.node.config.clone();
            let delay = config.settings.boot_time.span(ctx.random());
            ctx.after(delay, Lane::MAIN, Message::BootStep);
            return;
        }
        // The run starts with a cluster that has been up for a while.
        self.node.mnesia.tables = self.node.config.tables.clone();
        self.node.mnesia.loaded = true;
        ctx.listen(DISTRIBUTION);
        let buffer = self.node.config.settings.distribution_buffer_size;
        for established in &boot.established {
            if let Some(peer) = self.node.peer(established.peer) {
                peer.running = true;
                peer.incarnation = Some(0);
                peer.link = Link::Up(established.conn);
                ctx.buffer(established.conn, buffer);
            }
        }
        self.node.start_ticking(ctx);
        for queue in 0..self.node.config.queues.len() as u32 {
            self.node.start_first_replica(ctx, QueueId(queue));
        }
        self.serve(ctx);
    }

    pub(super) fn serve<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        self.node.status = Status::Running;
        self.node.start_monitors(ctx);
        ctx.listen(AMQP);
        ctx.ready();
        if self.node.peers.iter().any(|peer| peer.link == Link::Down) {
            self.node.start_pinging(ctx);
        }
    }

    /// All peers have answered or cannot be reached: whose tables are taken, if anybody's
    /// (rabbit_mnesia.erl: `init_db_and_upgrade`; rabbit_table.erl: `wait_for_replicated`).
    pub(super) fn continue_boot<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        let node = &mut self.node;
        if node.status != Status::Booting {
            return;
        }
        let asked = |peer: &super::erlang::Peer| match peer.link {
            Link::Up(_) => peer.answer.is_some(),
            Link::Pending(_) | Link::Looking => false,
            // One that refused this attempt because of its own is there.
            Link::Down => !peer.refused,
        };
        if !node.peers.iter().all(asked) {
            return;
        }
        let running = node.peers.iter().find(|peer| matches!(peer.answer, Some((true, _))));
        if let Some(from) = running.map(|peer| peer.node) {
            if node.mnesia.asked.is_none() {
                node.mnesia.asked = Some(from);
                let (from, to) = (node.me, from);
                let anyway = node.mnesia.refusals >= MOST_REFUSALS;
                node.send_node(ctx, to, Message::MnesiaFetch { from, anyway });
            }
            return;
        }
        // Nobody runs. A node that all others went down before has the latest tables. One that saw
        // others run waits for them; if at last all members are up, each waits and none has tables,
        // they are as good as each other's, and the first in order loads its own
        // (mnesia_controller.erl: `last_consistent_replica`, `orphan_tables`).
        let me = node.me;
        let waits = |peer: &super::erlang::Peer| {
            let up = matches!(peer.link, Link::Up(_));
            up && peer.answer == Some((false, true)) && me < peer.node
        };
        let goes_first = node.disk.saw_running.is_empty() || node.peers.iter().all(waits);
        if goes_first {
            node.mnesia.tables.durable = node.disk.durable.clone();
            self.start_rabbit(ctx);
        } else {
            let event = node.own_event(event::WAITING_FOR_TABLES, None);
            let now = ctx.now();
            if !node.pinging {
                ctx.observer().event(now, event);
            }
            node.start_pinging(ctx);
        }
    }

    /// The tables of a running peer are here: this node's Mnesia is one with its, and with those of
    /// the nodes that were told of this one, but not with others that it may see as well.
    pub(super) fn join<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        tables: Tables,
        running: &[NodeId],
    ) {
        let node = &mut self.node;
        if node.status != Status::Booting {
            return;
        }
        node.mnesia.tables = tables;
        for op in std::mem::take(&mut node.mnesia.early) {
            node.mnesia.tables.apply(&op);
        }
        for peer in &mut node.peers {
            peer.running |= running.contains(&peer.node) && matches!(peer.link, Link::Up(_));
        }
        self.start_rabbit(ctx);
    }

    /// Mnesia is there: recover the queues whose home this is, then serve.
    pub(super) fn start_rabbit<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        if self.node.status != Status::Booting {
            return;
        }
        self.node.status = Status::Running;
        self.node.mnesia.loaded = true;
        for index in 0..self.node.config.queues.len() {
            self.node.recover(ctx, QueueId(index as u32));
        }
        self.node.delete_unclaimed(ctx);
        let me = self.node.me;
        for peer in self.node.running_peers() {
            self.node.send_node(ctx, peer, Message::NodeRunning { from: me });
        }
        for index in 0..self.node.config.queues.len() {
            let queue = QueueId(index as u32);
            if self.node.wants_mirror(ctx, queue) {
                self.node.start_mirror(ctx, queue);
            }
        }
        self.serve_if_recovered(ctx);
    }

    /// Clients are served when every queue of this node is back in the tables
    /// (rabbit.erl: the boot steps `recovery`, then `networking`).
    pub(super) fn serve_if_recovered<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        if self.node.recovering == 0 {
            self.serve(ctx);
        }
    }
}

impl Node {
    /// The Erlang VM is up: meet the others.
    pub(super) fn vm_started<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        ctx.listen(DISTRIBUTION);
        self.start_ticking(ctx);
        let others: Vec<NodeId> = self.peers.iter().map(|peer| peer.node).collect();
        if others.is_empty() {
            ctx.tell(Lane::MAIN, Message::PingDownNodes);
        }
        for other in others {
            self.set_up(ctx, other);
        }
    }
}
