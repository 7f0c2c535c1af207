//! A node's main lane, and the processes that it starts.

use crate::observe::{Event, EventId, NodeId};
use crate::world::{ConnId, Context, Input, Lane, Signal};

use super::super::message::{DownReason, Message, QueueId};
use super::channel::Channel;
use super::erlang::Link;
use super::gm::Group;
use super::mnesia::Purpose;
use super::replica::{Replica, Role};
use super::{AMQP, Broker, Node, Process, Status};

impl Broker {
    /// An input for the node itself.
    pub(super) fn handle_main(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(boot) => self.boot(ctx, &boot),
            Input::Signal(Signal::Stop) => self.stop(ctx),
            Input::Signal(Signal::LoadEnded | Signal::NodeResumed) => {}
            Input::Accepted { conn, port: AMQP, .. } => {
                let lane = self.node.start(ctx);
                ctx.bind(conn, lane);
                self.node.alarms.register(lane);
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
            Input::Writable { conn } => {
                if let Some(peer) = self.node.peer_of(conn) {
                    self.node.resume_senders(ctx, peer);
                }
            }
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
            Input::DiskFailed { .. } => unreachable!("the plan refuses such faults"),
        }
    }

    pub(super) fn message(&mut self, ctx: &mut Context<'_, Message>, message: Message) {
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
            Message::VmStarted => node.vm_started(ctx),
            Message::StoreRecovered => self.recover_queues(ctx),
            Message::QueueRecovered { queue } => self.queue_recovered(ctx, queue),
            Message::MemoryCheck => self.check_memory(ctx),
            Message::DiskCheck => node.check_disk(ctx),
            Message::Alarm { from, resource, set } => node.alarm(ctx, from, resource, set),
            Message::PingDownNodes => self.ping_down_nodes(ctx),
            Message::MnesiaStatus { from, progress } => {
                node.status_of(ctx, from, progress);
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
            Message::RabbitDown { from } => {
                node.member_stopped(ctx, from);
                self.winner_gone(ctx, from);
            }
            Message::Autoheal { from, word } => self.autoheal(ctx, from, *word),
            Message::AutohealTimeout { start } => {
                if node.start == start {
                    self.safe_to_start(ctx, false);
                }
            }
            Message::AutohealRenotify => node.autoheal_renotify(ctx),
            Message::StopRabbit => self.stop_rabbit(ctx),
            Message::StartRabbit { start } => self.mnesia_started(ctx, start),
            Message::LookForRecovery => self.look_for_recovery(ctx),
            Message::TablesTimeout { start } => self.tables_timeout(ctx, start),
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

    pub(super) fn channel_of(&self, conn: ConnId) -> Option<Lane> {
        let serves = |process: &Option<Process>| match process {
            Some(Process::Channel(channel)) => channel.connection() == conn,
            _ => false,
        };
        let index = self.processes.iter().position(serves)?;
        Some(Lane(self.first_lane + index as u32))
    }
}

impl Node {
    /// A new process.
    pub(super) fn start(&mut self, ctx: &mut Context<'_, Message>) -> Lane {
        let lane = ctx.spawn();
        self.alive.push(lane);
        lane
    }

    pub(super) fn own_event(&self, word: EventId, subject: Option<NodeId>) -> Event {
        Event { word, node: self.me, destination: None, subject, count: 0 }
    }

    /// At time zero: this node's replica of a queue, as the plan has numbered it.
    pub(super) fn start_first_replica(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let Some(record) = self.mnesia.tables.queue(queue) else { return };
        let Some(pid) = record.replicas().find(|pid| pid.node == self.me) else { return };
        let leads = record.leader == pid;
        let member = record.ring.iter().find(|member| member.replica == pid).copied();
        let lane = self.start(ctx);
        debug_assert_eq!(lane, pid.lane, "the plan numbers the first processes as they start");
        let role = if leads { Role::Leader } else { Role::Mirror };
        let bq = self.open_queue(queue);
        let group = member.map(|member| member.gm);
        let mut replica =
            Replica::new(queue, pid, group, role, bq).with(&self.config.queue(queue).arguments);
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
    pub(super) fn recover(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let me = self.me;
        let recorded = self.mnesia.tables.durable[queue.0 as usize];
        let elsewhere =
            self.mnesia.tables.queue(queue).is_some_and(|record| record.leader.node != me);
        if recorded.is_none_or(|pid| pid.node != me) || elsewhere {
            return;
        }
        let lane = self.start(ctx);
        let pid = self.pid(lane);
        let bq = self.open_queue(queue);
        let mirrored = self.config.queue(queue).mirroring.is_some();
        let group = mirrored.then(|| {
            let lane = self.start(ctx);
            self.pid(lane)
        });
        let mut replica = Replica::new(queue, pid, group, Role::Leader, bq)
            .with(&self.config.queue(queue).arguments);
        replica.recovering = true;
        ctx.tell(lane, Message::RecoverQueue { read: false });
        self.spawned.push((lane, Process::Replica(Box::new(replica))));
        if let Some(gm) = group {
            let group = Group::new(queue, gm, lane, true);
            self.spawned.push((gm.lane, Process::Group(Box::new(group))));
        }
        self.recovering += 1;
    }
}
