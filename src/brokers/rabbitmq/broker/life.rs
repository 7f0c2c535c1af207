//! A node's own life, and members that come and go (rabbit, rabbit_node_monitor, rabbit_mnesia,
//! v3.10).

use crate::engine::Span;
use crate::observe::{Event, EventId, NodeId, Observer, Removal};
use crate::world::{Boot, ConnId, Context, Input, Lane, Signal};

use super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::words::{because, cause, event};
use super::backing_queue::BackingQueue;
use super::channel::Channel;
use super::erlang::Link;
use super::gm::Group;
use super::mnesia::{Member, Purpose, QueueRecord, Tables};
use super::replica::{Replica, Role};
use super::{AMQP, Broker, DISTRIBUTION, Node, Process, Status};

/// While a member is down every node looks for it this often
/// (rabbit_node_monitor.erl: `?RABBIT_DOWN_PING_INTERVAL`).
const DOWN_PING_INTERVAL: Span = Span::from_secs(1);
/// A joiner tries so often to reach all members that the others see; then it joins without them.
const MOST_REFUSALS: u32 = 2;

impl Broker {
    /// An input for the node itself.
    pub(super) fn handle_main<O: Observer>(
        &mut self,
        input: Input<Message>,
        ctx: &mut Context<'_, Message, O>,
    ) {
        match input {
            Input::Boot(boot) => self.boot(ctx, &boot),
            Input::Signal(Signal::Stop) => self.stop(ctx),
            Input::Signal(Signal::LoadEnded | Signal::NodeResumed) => {}
            Input::Accepted { conn, port: AMQP, .. } => {
                let lane = self.node.start(ctx);
                ctx.bind(conn, lane);
                let channel = Channel::new(&self.node, conn, self.node.pid(lane));
                self.node.spawned.push((lane, Process::Channel(Box::new(channel))));
            }
            // The other side of the distribution introduces itself first.
            Input::Accepted { .. } => {}
            Input::Connected { conn } => {
                if self.node.peer_of(conn).is_some() {
                    self.node.introduce(ctx, conn);
                }
            }
            Input::Failed { conn, .. } => self.node.unreachable(ctx, conn),
            Input::Closed { conn, .. } => {
                if let Some(peer) = self.node.peer_of(conn) {
                    self.node.connection_closed(ctx, peer);
                }
                // A client that had gone before its channel was started.
                if let Some(lane) = self.channel_of(conn) {
                    self.node.end_process(lane, DownReason::Normal);
                }
            }
            Input::Writable { .. } => {}
            Input::Message { conn, body: Message::MnesiaHello { from, incarnation } } => {
                self.node.hello(ctx, conn, from, incarnation);
            }
            Input::Message { conn, body: Message::AliveQuestion { .. } } => {
                self.node.alive_question(ctx, conn);
            }
            Input::Message { conn, body: Message::AliveAnswer { from, incarnation } } => {
                self.node.alive_answer(ctx, from, conn);
                self.node.hello(ctx, conn, from, incarnation);
            }
            // A connection that is no member's is a client's, and has gone meanwhile; or a member's
            // that was given up, and nobody listens to it any more.
            Input::Message { conn, .. } if self.node.peer_of(conn).is_none() => {}
            Input::Message { body, .. } | Input::Local { body } => self.message(ctx, body),
        }
    }

    fn message<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, message: Message) {
        let node = &mut self.node;
        ctx.spend(node.config.costs.internal);
        match message {
            Message::Heartbeat => {}
            Message::Tick => node.tick(ctx),
            Message::Monitor { watcher, watched } => node.remote_monitor(ctx, watcher, watched),
            Message::SetupTimeout { conn } => {
                let pending = node.peer_of(conn);
                if let Some(peer) = pending
                    && node.peer(peer).is_some_and(|p| p.link == Link::Pending(conn))
                {
                    ctx.abort(conn);
                    node.unreachable(ctx, conn);
                }
            }
            Message::PortKnown { node: peer } => node.port_known(ctx, peer),
            Message::Quiesce { queue } => self.quiesce(queue),
            Message::BootStep => node.vm_started(ctx),
            Message::PingDownNodes => self.ping_down_nodes(ctx),
            Message::MnesiaStatus { from, running, waiting } => {
                node.status_of(ctx, from, running, waiting);
                self.continue_boot(ctx);
            }
            Message::MnesiaFetch { from, anyway } => {
                let incarnation = node.peer(from).and_then(|peer| peer.incarnation);
                if let Some(incarnation) = incarnation.filter(|_| node.status == Status::Running) {
                    node.transaction(ctx, Purpose::Join { node: from, incarnation, anyway });
                }
            }
            Message::MnesiaUnseen { nodes } => node.unseen(ctx, &nodes),
            Message::MnesiaTables { tables, running } => self.join(ctx, *tables, &running),
            Message::NodeRunning { from } => node.member_running(ctx, from),
            Message::MnesiaPrepare { from, transaction, locks, joins } => {
                node.prepare(ctx, from, transaction, locks, joins);
            }
            Message::MnesiaRelease { from, transaction } => node.release(ctx, from, transaction),
            Message::MnesiaVote { from, transaction, agrees } => {
                self.vote(ctx, from, transaction, agrees);
            }
            Message::TransactionDone { transaction } => self.work_done(ctx, transaction),
            Message::MnesiaCommit { from, transaction, op } => {
                if node.status == Status::Booting {
                    // Decided while the tables are on their way here: it comes on top of them.
                    node.mnesia.early.push(*op);
                } else {
                    self.committed(ctx, &op);
                }
                let done = Message::MnesiaCommitted { from: self.node.me, transaction };
                self.node.send_node(ctx, from, done);
            }
            Message::MnesiaCommitted { from, transaction } => {
                node.committed_at(ctx, from, transaction);
            }
            Message::NodeDownCleanUp { node: gone } => {
                node.transaction(ctx, Purpose::NodeDown { node: gone });
            }
            Message::StartMirror { queue } => self.start_mirror(ctx, queue),
            Message::CheckPartialPartition { reporter, lost, incarnation } => {
                node.check_partial_partition(ctx, reporter, lost, incarnation);
            }
            Message::AskRunning { proxy, reporter } => node.answer_running(ctx, proxy, reporter),
            Message::StillRunning { reporter } => node.report_partial_partition(ctx, reporter),
            Message::PartialPartition { proxy } => node.partial_partition(ctx, proxy),
            Message::PartialPartitionDisconnect { from } => node.disconnect(ctx, from),
            Message::EndReplica { queue } => self.end_replica(ctx, queue),
            Message::Down { .. } => {}
            other => debug_assert!(false, "a node has no use for {other:?}"),
        }
    }

    fn channel_of(&self, conn: ConnId) -> Option<Lane> {
        let serves = |process: &Option<Process>| matches!(process, Some(Process::Channel(channel)) if channel.connection() == conn);
        let index = self.processes.iter().position(serves)?;
        Some(Lane(self.first_lane + index as u32))
    }

    fn boot<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, boot: &Boot) {
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
        for established in &boot.established {
            if let Some(peer) = self.node.peer(established.peer) {
                peer.running = true;
                peer.incarnation = Some(0);
                peer.link = Link::Up(established.conn);
            }
        }
        self.node.start_ticking(ctx);
        for queue in 0..self.node.config.queues.len() as u32 {
            self.node.start_first_replica(ctx, QueueId(queue));
        }
        self.serve(ctx);
    }

    fn serve<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        self.node.status = Status::Running;
        ctx.listen(AMQP);
        ctx.ready();
        if self.node.peers.iter().any(|peer| peer.link == Link::Down) {
            self.node.start_pinging(ctx);
        }
    }

    /// All peers have answered or cannot be reached: whose tables are taken, if anybody's
    /// (rabbit_mnesia.erl: `init_db_and_upgrade`; rabbit_table.erl: `wait_for_replicated`).
    fn continue_boot<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
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
    fn join<O: Observer>(
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
    fn start_rabbit<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        if self.node.status != Status::Booting {
            return;
        }
        self.node.status = Status::Running;
        self.node.mnesia.loaded = true;
        for index in 0..self.node.config.queues.len() {
            self.node.recover(ctx, QueueId(index as u32));
        }
        let me = self.node.me;
        for peer in self.node.running_peers() {
            self.node.send_node(ctx, peer, Message::NodeRunning { from: me });
        }
        for index in 0..self.node.config.queues.len() {
            let queue = QueueId(index as u32);
            let mirrored = self.node.config.queue(queue).mirroring.is_some();
            if mirrored && self.node.mnesia.tables.queue(queue).is_some() {
                // rabbit_mirror_queue_misc.erl `on_node_up`: the policy wants a mirror here.
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

    /// Graceful stop: clients are dropped, queues are closed in order
    /// (rabbit.erl: `stop_apps`; rabbit_mirror_queue_master.erl: `terminate`).
    fn stop<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        if self.node.status != Status::Running {
            self.node.status = Status::Off;
            ctx.exit();
            return;
        }
        self.node.status = Status::Stopping;
        ctx.unlisten(AMQP);
        let config = self.node.config.clone();
        for index in 0..self.processes.len() {
            let lane = Lane(self.first_lane + index as u32);
            match &self.processes[index] {
                Some(Process::Channel(channel)) => {
                    // 320 CONNECTION_FORCED.
                    ctx.close(channel.connection());
                    self.node.end_process(lane, DownReason::Shutdown);
                }
                Some(Process::Replica(replica)) => {
                    let (queue, role) = (replica.queue(), replica.role());
                    if role == Role::Leader {
                        self.node.stop_mirrors_unless_synchronised(ctx, queue);
                    }
                    // The ring member stops first; its leader serves on for a moment, and what it
                    // does then no mirror hears of. Inferred from what clients saw: confirms stop,
                    // deliveries go on, and the new leader delivers the same messages again.
                    let serves_on = config.costs.leader_serves_on.span(ctx.random());
                    let ends = config.costs.queue_shutdown.span(ctx.random()).max(serves_on);
                    ctx.after(serves_on, Lane::MAIN, Message::Quiesce { queue });
                    ctx.after(ends, Lane::MAIN, Message::EndReplica { queue });
                }
                Some(Process::Group(_)) => {
                    if let Some(Process::Group(group)) = &mut self.processes[index] {
                        group.stopped = true;
                    }
                }
                _ => {}
            }
        }
    }

    fn quiesce(&mut self, queue: QueueId) {
        for process in self.processes.iter_mut().flatten() {
            if let Process::Replica(replica) = process
                && replica.queue() == queue
            {
                replica.ending = true;
            }
        }
    }

    /// The policy wants a mirror here. One that the queue's record no longer names ends first.
    fn start_mirror<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, queue: QueueId) {
        let Some(old) = self.replica_of(queue).map(|replica| replica.me) else {
            self.node.start_mirror(ctx, queue);
            return;
        };
        let record = self.node.mnesia.tables.queue(queue);
        let joins = || self.node.mnesia.transactions.iter().any(|t| t.purpose.adds(old));
        let named = |record: &QueueRecord| {
            let in_ring = record.ring.iter().any(|member| member.replica == old);
            in_ring || record.replicas().any(|pid| pid == old)
        };
        if record.is_some_and(named) || joins() || self.node.start_again.contains(&queue) {
            return;
        }
        self.node.start_again.push(queue);
        ctx.tell(old.lane, Message::StopMirror);
    }

    fn end_replica<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, queue: QueueId) {
        for process in self.processes.iter().flatten() {
            if let Process::Replica(replica) = process
                && replica.queue() == queue
            {
                ctx.tell(replica.me.lane, Message::Terminate);
            }
        }
    }

    /// Looks for members that are down; a booting node that waits asks again.
    fn ping_down_nodes<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
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
    /// A new process.
    pub(super) fn start<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) -> Lane {
        let lane = ctx.spawn();
        self.alive.push(lane);
        lane
    }

    pub(super) fn own_event(&self, word: EventId, subject: Option<NodeId>) -> Event {
        Event { word, node: self.me, destination: None, subject, count: 0 }
    }

    pub(super) fn start_pinging<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        if !self.pinging {
            self.pinging = true;
            ctx.after(DOWN_PING_INTERVAL, Lane::MAIN, Message::PingDownNodes);
        }
    }

    /// The Erlang VM is up: meet the others.
    fn vm_started<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
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

    /// An attempt to set up a connection has failed.
    fn unreachable<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, conn: ConnId) {
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
    fn hello<O: Observer>(
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
    fn unseen<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, nodes: &[NodeId]) {
        self.mnesia.asked = None;
        self.mnesia.refusals += 1;
        for &node in nodes {
            self.set_up(ctx, node);
        }
        self.start_pinging(ctx);
    }

    /// How far a peer is.
    fn status_of<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        from: NodeId,
        running: bool,
        waiting: bool,
    ) {
        let here = self.status == Status::Running;
        let Some(peer) = self.peer(from) else { return };
        peer.answer = Some((running, waiting));
        if here && running && !peer.running {
            // Each has gone on alone, and now they meet: Mnesia refuses to merge
            // (mnesia_monitor.erl: inconsistent_database, running_partitioned_network).
            let (now, event) = (ctx.now(), self.own_event(event::PARTITIONED, Some(from)));
            ctx.observer().event(now, event);
        }
    }

    /// RabbitMQ runs on a peer, on tables that are one with these.
    fn member_running<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, from: NodeId) {
        if let Some(peer) = self.peer(from) {
            peer.running = true;
        }
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

    /// At time zero: this node's replica of a queue, as the plan has numbered it.
    fn start_first_replica<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
    ) {
        let Some(record) = self.mnesia.tables.queue(queue) else { return };
        let Some(pid) = record.replicas().find(|pid| pid.node == self.me) else { return };
        let leads = record.leader == pid;
        let member = record.ring.iter().find(|member| member.replica == pid).copied();
        let lane = self.start(ctx);
        debug_assert_eq!(lane, pid.lane, "the plan numbers the first processes as they start");
        let role = if leads { Role::Leader } else { Role::Mirror };
        let durable = self.config.queue(queue).durable;
        let journal = Node::journal(queue);
        let bq = BackingQueue::new(self.config.destination(queue), durable, journal);
        let group = member.map(|member| member.gm);
        let mut replica = Replica::new(queue, pid, group, role, bq);
        if !leads {
            replica.missing = Some(0);
        }
        replica.report_role(self, ctx);
        self.spawned.push((lane, Process::Replica(Box::new(replica))));
        if let Some(member) = member {
            let lane = self.start(ctx);
            debug_assert_eq!(lane, member.gm.lane, "ring members start right after replicas");
            let group = Group::new(queue, member.gm, pid.lane, true);
            self.spawned.push((lane, Process::Group(Box::new(group))));
            ctx.tell(lane, Message::GmView);
        }
    }

    /// A durable queue whose leader is recorded here, and that nobody else leads by now
    /// (rabbit_amqqueue.erl: `recover`, `find_local_durable_queues`).
    fn recover<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>, queue: QueueId) {
        let me = self.me;
        let recorded = self.mnesia.tables.durable[queue.0 as usize];
        let elsewhere =
            self.mnesia.tables.queue(queue).is_some_and(|record| record.leader.node != me);
        if recorded.is_none_or(|pid| pid.node != me) || elsewhere {
            return;
        }
        let lane = self.start(ctx);
        let pid = self.pid(lane);
        let bq = self.disk.queues[queue.0 as usize].take().unwrap_or_else(|| {
            let destination = self.config.destination(queue);
            BackingQueue::new(destination, true, Node::journal(queue))
        });
        let depth = bq.depth();
        let mirrored = self.config.queue(queue).mirroring.is_some();
        let group = mirrored.then(|| {
            let lane = self.start(ctx);
            self.pid(lane)
        });
        let replica = Replica::new(queue, pid, group, Role::Leader, bq);
        replica.event(self, ctx, event::QUEUE_RECOVERED, depth);
        replica.report_role(self, ctx);
        self.spawned.push((lane, Process::Replica(Box::new(replica))));
        if let Some(gm) = group {
            let group = Group::new(queue, gm, lane, true);
            self.spawned.push((gm.lane, Process::Group(Box::new(group))));
        }
        self.recovering += 1;
        let ring = group.map(|gm| Member { gm, replica: pid }).into_iter().collect();
        self.transaction(ctx, Purpose::Recovered { queue, leader: pid, ring });
    }

    /// rabbit_mirror_queue_misc.erl `add_mirror`: a mirror starts here, empty.
    pub(super) fn start_mirror<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
    ) {
        let Some(record) = self.mnesia.tables.queue(queue) else { return };
        let here =
            record.replicas().any(|pid| pid.node == self.me && self.alive.contains(&pid.lane));
        if here || record.leader.node == self.me || self.status == Status::Stopping {
            return;
        }
        let promoted_unsynchronised = record.promoted_unsynchronised;
        let mut bq = self.disk.queues[queue.0 as usize].take().unwrap_or_else(|| {
            let durable = self.config.queue(queue).durable;
            let destination = self.config.destination(queue);
            BackingQueue::new(destination, durable, Node::journal(queue))
        });
        // Its own old contents are deleted (rabbit_mirror_queue_slave.erl: `handle_go`,
        // `delete_crashed`).
        let because = if promoted_unsynchronised {
            because::UNSYNCED_MIRROR_PROMOTED
        } else {
            because::ANOTHER_LEADER
        };
        let (now, me) = (ctx.now(), self.me);
        bq.wipe(now, me, ctx.observer(), Removal { cause: cause::WIPED_ON_REJOIN, because });
        bq.restart_numbering();
        let (lane, gm_lane) = (self.start(ctx), self.start(ctx));
        let (replica, gm) = (self.pid(lane), self.pid(gm_lane));
        let process = Replica::new(queue, replica, Some(gm), Role::Mirror, bq);
        process.report_role(self, ctx);
        self.spawned.push((lane, Process::Replica(Box::new(process))));
        let group = Group::new(queue, gm, lane, false);
        self.spawned.push((gm_lane, Process::Group(Box::new(group))));
        self.transaction(ctx, Purpose::JoinRing { queue, member: Member { gm, replica } });
    }

    /// rabbit_mirror_queue_master.erl `terminate`: without a synchronised mirror, and with
    /// `ha-promote-on-shutdown = when-synced`, nobody may take over.
    fn stop_mirrors_unless_synchronised<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        queue: QueueId,
    ) {
        let Some(policy) = self.config.queue(queue).mirroring else { return };
        let Some(record) = self.mnesia.tables.queue(queue) else { return };
        if policy.promote_on_shutdown_always || !record.synchronised.is_empty() {
            return;
        }
        let mirrors: Vec<Pid> = record.mirrors.clone();
        if mirrors.is_empty() {
            return;
        }
        let (now, destination) = (ctx.now(), Some(self.config.destination(queue)));
        let mut event = self.own_event(event::MIRRORS_STOPPED, None);
        event.destination = destination;
        ctx.observer().event(now, event);
        for mirror in mirrors {
            self.send(ctx, mirror, Message::StopMirror, 60);
        }
    }
}
