//! The start of a node: its VM, its Mnesia, RabbitMQ (rabbit, rabbit_mnesia, rabbit_table, v3.10).

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Boot, Context, Lane};

use super::super::super::message::mnesia::{Member, MnesiaMessage, Progress};
use super::super::super::message::node::NodeMessage;
use super::super::super::message::{Message, QueueId};
use super::super::super::words::event;
use super::super::cluster::mnesia::{Purpose, Tables};
use super::super::{AMQP, Broker, DISTRIBUTION, Node, Status};
use super::erlang::Link;

/// A joiner tries so often to reach all members that the others see; then it joins without them.
const MOST_REFUSALS: u32 = 2;

impl Broker {
    pub(crate) fn boot(&mut self, ctx: &mut Context<'_, Message>, boot: &Boot) {
        self.processes.clear();
        if boot.incarnation > 0 {
            self.node.start += 1;
            self.node.status = Status::Starting;
            let config = self.node.config.clone();
            let delay = config.settings.boot_time.span(ctx.random());
            let alone = Span::from_nanos(delay.as_nanos() / 2);
            ctx.after(alone, Lane::MAIN, NodeMessage::VmStarted.into());
            ctx.after(
                delay,
                Lane::MAIN,
                NodeMessage::StartRabbit { start: self.node.start }.into(),
            );
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
                peer.rabbit = true;
                peer.incarnation = Some(0);
                peer.announced = Some(0);
                peer.link = Link::Up(established.conn);
                ctx.buffer(established.conn, buffer);
            }
        }
        self.node.start_ticking(ctx);
        for queue in 0..self.node.config.queues.len() as u32 {
            self.node.start_first_replica(ctx, QueueId(queue));
        }
        self.start_first_members(ctx);
        self.serve(ctx);
    }

    pub(crate) fn serve(&mut self, ctx: &mut Context<'_, Message>) {
        self.node.status = Status::Running;
        if !self.node.monitor.again {
            self.node.start_monitors(ctx);
        }
        ctx.listen(AMQP);
        ctx.ready();
        if let Some(action) = self.node.starter.take() {
            ctx.answer(action, Ok(()));
        }
        if self.node.peers.iter().any(|peer| peer.link == Link::Down) {
            self.node.start_pinging(ctx);
        }
    }

    /// All peers have answered or cannot be reached: whose tables are taken, if anybody's
    /// (rabbit_mnesia.erl: `init_db_and_upgrade`; rabbit_table.erl: `wait_for_replicated`).
    pub(crate) fn continue_boot(&mut self, ctx: &mut Context<'_, Message>) {
        let node = &mut self.node;
        if node.status != Status::Booting {
            return;
        }
        let disagrees = node.peers.iter().any(|peer| peer.answer == Some(Progress::Disagrees));
        if node.has_khepri() && !disagrees {
            return node.start_pinging(ctx);
        }
        let asked = |peer: &super::erlang::Peer| match peer.link {
            Link::Up(_) => peer.answer.is_some(),
            Link::Pending(_) | Link::Looking => false,
            // One that refused this attempt because of its own is there.
            Link::Down => !peer.refused,
        };
        if !node.has_khepri() && !node.peers.iter().all(asked) {
            return;
        }
        if disagrees {
            // rabbit_mnesia.erl and rabbit_khepri.erl `check_cluster_consistency`: "Node ... thinks it's clustered with node
            // ..., but ... disagrees".
            let (now, event) = (ctx.now(), node.own_event(event::INCONSISTENT_CLUSTER, None));
            ctx.observer().event(now, event);
            node.status = Status::Off;
            return ctx.exit();
        }
        // Tables come from who is the first to have said that it has them (mnesia_controller.erl:
        // `active_replicas`); it makes a difference only between nodes that are at odds.
        let runs = |peer: &&super::erlang::Peer| peer.answer == Some(Progress::Runs);
        let mut running = node.peers.iter().filter(runs);
        let first = node.mnesia.first_running;
        let running =
            running.clone().find(|peer| Some(peer.node) == first).or_else(|| running.next());
        if let Some(from) = running.map(|peer| peer.node) {
            if node.mnesia.asked.is_none() {
                node.mnesia.asked = Some(from);
                let (from, to) = (node.me, from);
                let anyway = node.mnesia.refusals >= MOST_REFUSALS;
                node.send_node(ctx, to, MnesiaMessage::Fetch { from, anyway });
            }
            return;
        }
        // Nobody runs. A node that all others went down before has the latest tables; of several
        // that meet the first in order loads its own. One that saw others run waits for them; if at
        // last all members are up, each waits and none has tables, they are as good as each other's
        // (mnesia_controller.erl: `last_consistent_replica`, `orphan_tables`).
        let me = node.me;
        let waits = |peer: &super::erlang::Peer| {
            let up = matches!(peer.link, Link::Up(_));
            up && peer.answer == Some(Progress::Waits) && me < peer.node
        };
        let goes_before = |peer: &super::erlang::Peer| {
            let up = matches!(peer.link, Link::Up(_));
            up && peer.answer == Some(Progress::StoppedLast) && peer.node < me
        };
        let last = !node.waits_for_peers() && !node.peers.iter().any(goes_before);
        let goes_first = last || node.disk.force_load || node.peers.iter().all(waits);
        if goes_first {
            node.mnesia.tables.durable = node.disk.durable.clone();
            node.mnesia.tables.force = node.disk.force.clone();
            node.mnesia.tables.recoverable.clone_from(&node.disk.recoverable);
            node.mnesia.tables.forgotten.clone_from(&node.disk.forgotten);
            node.mnesia.tables.quorum.clone_from(&node.disk.quorum);
            node.disk.force_load = false;
            self.start_rabbit(ctx);
        } else {
            if node.waits_left.is_none() {
                node.wait_for_tables(ctx, node.config.settings.table_loading_retries);
            }
            node.start_pinging(ctx);
        }
    }

    /// The tables of a running peer are here: this node's Mnesia is one with its, and with those of
    /// the nodes that were told of this one. If there are others that run, which are at odds with those,
    /// it becomes one with them as well, and keeps the tables that it has (mnesia_schema.erl:
    /// `merge_schema` merges with all that are connected; measured: a loser that starts between the
    /// two sides reports `starting_partitioned_network`, and is up for both).
    pub(crate) fn join(
        &mut self,
        ctx: &mut Context<'_, Message>,
        tables: Tables,
        running: &[NodeId],
    ) {
        let node = &mut self.node;
        if node.status == Status::Running && node.mnesia.between_sides {
            return node.join_other_side(ctx, running);
        }
        if node.status != Status::Booting {
            return;
        }
        node.mnesia.tables = tables;
        for op in std::mem::take(&mut node.mnesia.early) {
            node.mnesia.tables.apply(&op);
        }
        for peer in &mut node.peers {
            peer.running |= running.contains(&peer.node) && matches!(peer.link, Link::Up(_));
            peer.announced = peer.incarnation.filter(|_| peer.running);
        }
        node.ask_other_side(ctx);
        self.start_rabbit(ctx);
    }

    /// Mnesia is there: recover the queues whose home this is, then serve.
    pub(crate) fn start_rabbit(&mut self, ctx: &mut Context<'_, Message>) {
        if self.node.status != Status::Booting {
            return;
        }
        self.node.status = Status::Running;
        self.node.mnesia.loaded = true;
        self.node.waits_left = None;
        let bytes = self.node.bodies.bytes_to_scan();
        self.node.bodies.open(ctx);
        // The message store reads its files before its clients read theirs
        // (rabbit_vhost.erl: `recover`; rabbit_variable_queue.erl: `start`).
        match bytes {
            0 => self.recover_queues(ctx),
            bytes => ctx.read(bytes, NodeMessage::StoreRecovered.into()),
        }
    }

    /// The message store is there: every queue of this node is recovered by its own process.
    pub(crate) fn recover_queues(&mut self, ctx: &mut Context<'_, Message>) {
        if self.node.status != Status::Running {
            return;
        }
        for index in 0..self.node.config.queues.len() {
            self.node.recover(ctx, QueueId(index as u32));
        }
        self.node.delete_unclaimed(ctx);
        self.recover_members(ctx);
        let khepri = self.node.has_khepri();
        if khepri && !self.node.own_transient_queues().is_empty() {
            self.node.transaction(ctx, Purpose::TransientGone);
        }
        let me = self.node.me;
        for peer in if khepri { self.node.connected() } else { self.node.running_peers() } {
            self.node.send_node(ctx, peer, MnesiaMessage::NodeRunning { from: me });
        }
        for index in 0..self.node.config.queues.len() {
            let queue = QueueId(index as u32);
            if self.node.wants_mirror(ctx, queue) {
                self.node.start_mirror(ctx, queue);
            }
        }
        self.autoheal_after_restart(ctx);
        self.serve_if_recovered(ctx);
    }

    /// A queue has what its disk kept: its record goes into the tables.
    pub(crate) fn queue_recovered(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let found = self.replica_of(queue).map(|replica| (replica.me(), replica.base.group));
        if let Some((leader, group)) = found.filter(|_| self.node.status == Status::Running) {
            let ring = group.map(|gm| Member { gm, replica: leader }).into_iter().collect();
            self.node.transaction(ctx, Purpose::Recovered { queue, leader, ring });
        }
    }

    /// A queue has its record; one that is not waited for is of a process that has crashed.
    pub(crate) fn one_recovered(&mut self, ctx: &mut Context<'_, Message>) {
        if self.node.recovering > 0 {
            self.node.recovering -= 1;
            self.serve_if_recovered(ctx);
        }
    }

    /// Clients are served when every queue of this node is back in the tables
    /// (rabbit.erl: the boot steps `recovery`, then `networking`).
    pub(crate) fn serve_if_recovered(&mut self, ctx: &mut Context<'_, Message>) {
        if self.node.recovering == 0 {
            self.serve(ctx);
        }
    }

    /// Nobody's tables could be had in time. After the last wait the boot has failed: a VM that was
    /// started for it ends, one in which RabbitMQ was to start again goes on without it
    /// (rabbit_table.erl: `wait`, `timeout_waiting_for_tables`; rabbit_node_monitor.erl:
    /// `do_run_outside_app_fun` logs the error).
    pub(crate) fn tables_timeout(&mut self, ctx: &mut Context<'_, Message>, start: u32) {
        let node = &mut self.node;
        let Some(left) = node.waits_left else { return };
        if node.start != start || node.status != Status::Booting {
            return;
        }
        if left > 1 {
            node.wait_for_tables(ctx, left - 1);
            return;
        }
        let (now, event) = (ctx.now(), node.own_event(event::BOOT_FAILED, None));
        ctx.observer().event(now, event);
        if node.monitor.again {
            node.forget_rabbit();
            node.status = Status::Paused;
        } else {
            node.status = Status::Off;
            ctx.exit();
        }
    }

    /// RabbitMQ is started again in a VM that has gone on (rabbit.erl: `start`).
    pub(crate) fn start_rabbit_again(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, event) = (ctx.now(), self.node.own_event(event::RESUMING, None));
        ctx.observer().event(now, event);
        let config = self.node.config.clone();
        let takes = config.costs.rabbit_start.span(ctx.random());
        ctx.after(takes, Lane::MAIN, NodeMessage::StartRabbit { start: self.node.start }.into());
    }

    /// Its Mnesia is up, and meets the others.
    pub(crate) fn mnesia_started(&mut self, ctx: &mut Context<'_, Message>, start: u32) {
        let node = &mut self.node;
        if node.start != start {
            return;
        }
        match node.status {
            Status::Starting => {}
            Status::Paused => {
                node.start += 1;
                node.monitor.again = true;
            }
            _ => return,
        }
        node.status = Status::Booting;
        for other in node.down_peers() {
            node.set_up(ctx, other);
        }
        // What they said before this was of use to the VM alone.
        for peer in &mut node.peers {
            peer.answer = None;
        }
        node.mnesia.first_running = None;
        for peer in node.peers.clone() {
            if let Link::Up(conn) = peer.link {
                node.introduce(ctx, conn);
            }
        }
        if self.node.has_khepri() {
            self.boot_khepri(ctx);
        }
        self.continue_boot(ctx);
    }
}

impl Node {
    /// Who runs and is not one with those that this node has joined.
    fn ask_other_side(&mut self, ctx: &mut Context<'_, Message>) {
        let runs = |peer: &&super::erlang::Peer| {
            matches!(peer.link, Link::Up(_)) && peer.answer == Some(Progress::Runs)
        };
        let others = self.peers.iter().filter(runs).filter(|peer| !peer.running);
        let others: Vec<NodeId> = others.map(|peer| peer.node).collect();
        self.mnesia.between_sides = !others.is_empty();
        let from = self.me;
        for other in others {
            self.send_node(ctx, other, MnesiaMessage::Fetch { from, anyway: true });
        }
    }

    fn join_other_side(&mut self, ctx: &mut Context<'_, Message>, running: &[NodeId]) {
        let me = self.me;
        let joined = |peer: &&mut super::erlang::Peer| {
            !peer.running && running.contains(&peer.node) && matches!(peer.link, Link::Up(_))
        };
        let mut new = Vec::new();
        for peer in self.peers.iter_mut().filter(joined) {
            peer.running = true;
            peer.announced = peer.incarnation;
            new.push(peer.node);
        }
        for peer in new {
            self.send_node(ctx, peer, MnesiaMessage::NodeRunning { from: me });
        }
    }

    fn wait_for_tables(&mut self, ctx: &mut Context<'_, Message>, left: u32) {
        let (now, event) = (ctx.now(), self.own_event(event::WAITING_FOR_TABLES, None));
        ctx.observer().event(now, event);
        self.waits_left = Some(left);
        let timeout = self.config.settings.table_loading_timeout;
        ctx.after(timeout, Lane::MAIN, MnesiaMessage::TablesTimeout { start: self.start }.into());
    }

    /// The Erlang VM is up, and asks the others about the cluster: they learn that its predecessor
    /// is gone long before RabbitMQ recovers a queue (rabbit.erl, v3.10: `start` calls
    /// rabbit_mnesia.erl: `check_cluster_consistency`, before any boot step). When in the course of
    /// a boot that is was not measured: halfway.
    pub(crate) fn vm_started(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.listen(DISTRIBUTION);
        self.start_ticking(ctx);
        for other in self.config.members.clone() {
            if self.peer(other).is_some() {
                self.set_up(ctx, other);
            }
        }
    }
}
