//! A node's main lane, and the processes that it starts.

use crate::observe::{Event, EventId, NodeId};
use crate::world::{ConnId, Context, Input, Lane, Signal};

use super::super::super::message::channel::ChannelMessage;
use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::QueueMessage;
use super::super::super::message::ra::QuorumMessage;
use super::super::super::message::ring::RingMessage;
use super::super::super::message::{DownReason, Message, QueueId};
use super::super::super::rules::Rule;
use super::super::channel::Channel;
use super::super::queue::replica::{Replica, Role};
use super::super::ring::gm::Group;
use super::super::{AMQP, Broker, Node, Process};
use super::erlang::Link;

impl Broker {
    /// An input for the node itself.
    #[inline(never)]
    pub(crate) fn handle_main(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(boot) => self.boot(ctx, &boot),
            Input::Signal(Signal::Stop) => self.stop(ctx),
            Input::Signal(Signal::LoadEnded | Signal::NodeResumed) => {}
            Input::Signal(Signal::Command(action)) => self.command(ctx, action),
            Input::Accepted { conn, peer, port: AMQP } => {
                let lane = self.node.start(ctx);
                ctx.bind(conn, lane);
                let settings = &self.node.config.settings;
                if settings.rules.has(Rule::CreditFlow) {
                    // What the reader may hand to its channel before that takes it.
                    ctx.read_ahead(conn, settings.credit.initial);
                }
                self.node.alarms.register(lane);
                let channel = Channel::new(&self.node, (conn, peer), self.node.pid(lane));
                self.node.spawned.push((lane, Process::Channel(Box::new(channel))));
            }
            // The other side of the distribution introduces itself first.
            Input::Accepted { .. } => {}
            Input::Connected { conn } => {
                let config = self.node.config.clone();
                let takes = config.costs.distribution_handshake.span(ctx.random());
                ctx.after(takes, Lane::MAIN, NodeMessage::Handshaken { conn }.into());
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
            Input::Message {
                conn,
                body: Message::Node(NodeMessage::Hello { from, incarnation }),
            } => {
                self.node.hello(ctx, conn, from, incarnation);
            }
            Input::Message { conn, body: Message::Node(NodeMessage::AliveQuestion { .. }) } => {
                self.node.alive_question(ctx, conn);
            }
            Input::Message {
                conn,
                body: Message::Node(NodeMessage::AliveAnswer { from, incarnation }),
            } => {
                self.node.alive_answer(ctx, from, conn);
                self.node.hello(ctx, conn, from, incarnation);
            }
            // A connection that is no member's is a client's, and has gone meanwhile; or a member's
            // that was given up, and nobody listens to it any more.
            Input::Message { conn, .. } if self.node.peer_of(conn).is_none() => {}
            // The emulator finds a process by its name, and aten is one of its own.
            Input::Message { body: body @ Message::Ra(..), .. } => self.node.by_name(ctx, body),
            Input::Message { body: Message::Node(NodeMessage::Beat { from }), .. } => {
                self.node.heard(ctx, from);
            }
            Input::Local { body: Message::Node(NodeMessage::BeatTimer) } => self.node.beat(ctx),
            Input::Local { body: Message::Node(NodeMessage::AtenPoll) } => {
                self.node.poll_detector(ctx);
            }
            Input::Message { body, .. } | Input::Local { body } => self.message(ctx, body),
            Input::DiskFailed { .. } => unreachable!("the plan refuses such faults"),
        }
    }

    /// A message for the node itself.
    fn message(&mut self, ctx: &mut Context<'_, Message>, message: Message) {
        ctx.spend(self.node.config.costs.internal);
        match message {
            Message::Node(message) => self.node_message(ctx, message),
            Message::Mnesia(message) => self.mnesia_message(ctx, message),
            Message::Khepri(message) => self.khepri_message(ctx, message),
            Message::Monitor(message) => self.monitor_message(ctx, message),
            Message::Down { pid, .. } => {
                self.asked_is_down(ctx, pid);
                self.member_node_down(ctx, pid);
            }
            Message::Channel(ChannelMessage::Quorum(QuorumMessage::Answered {
                from,
                call,
                answer,
            })) => self.member_answered(ctx, from, call, answer),
            // For its processes, and for clients: they have lanes and hosts of their own.
            Message::FromClient(_)
            | Message::FromServer(_)
            | Message::Channel(_)
            | Message::Queue(_)
            | Message::Instruction(_)
            | Message::Ring(_)
            | Message::Store(_)
            | Message::Ra(..)
            | Message::Letter(_)
            | Message::Wal(_)
            | Message::Client(_) => {}
        }
    }

    /// The VM, its distribution, RabbitMQ as an application in it.
    fn node_message(&mut self, ctx: &mut Context<'_, Message>, message: NodeMessage) {
        let node = &mut self.node;
        match message {
            // They are answered on the connection that they came by.
            NodeMessage::Hello { .. }
            | NodeMessage::AliveQuestion { .. }
            | NodeMessage::AliveAnswer { .. }
            | NodeMessage::Heartbeat
            | NodeMessage::Beat { .. }
            | NodeMessage::BeatTimer
            | NodeMessage::AtenPoll => {}
            NodeMessage::Tick => node.tick(ctx),
            NodeMessage::Monitor { watcher, watched } => node.remote_monitor(ctx, watcher, watched),
            NodeMessage::SetupTimeout { conn } => {
                let pending = node.peer_of(conn);
                if let Some(peer) = pending
                    && node.peer(peer).is_some_and(|p| p.link == Link::Pending(conn))
                {
                    ctx.abort(conn);
                    node.unreachable(ctx, conn);
                }
            }
            NodeMessage::Handshaken { conn } => {
                if node.peer_of(conn).is_some() {
                    node.introduce(ctx, conn);
                }
            }
            NodeMessage::PortKnown { node: peer } => node.port_known(ctx, peer),
            NodeMessage::MemoryCheck => self.check_memory(ctx),
            NodeMessage::DiskCheck => node.check_disk(ctx),
            NodeMessage::Alarm { from, resource, set } => node.alarm(ctx, from, resource, set),
            NodeMessage::VmStarted => node.vm_started(ctx),
            NodeMessage::StartRabbit { start } => self.mnesia_started(ctx, start),
            NodeMessage::StoreRecovered => self.recover_queues(ctx),
            NodeMessage::QueueRecovered { queue } => self.queue_recovered(ctx, queue),
            NodeMessage::StartMirror { queue } => self.start_mirror(ctx, queue),
            NodeMessage::StopRabbit => self.stop_rabbit(ctx),
            NodeMessage::Quiesce { queue } => self.quiesce(queue),
            NodeMessage::EndReplica { queue } => self.end_replica(ctx, queue),
            NodeMessage::DeclareQueue { queue, channel, owner } => {
                self.declare_queue(ctx, queue, channel, owner);
            }
            NodeMessage::RestartQueue { queue } => self.restart_queue(ctx, queue),
            NodeMessage::CloseConnections => self.close_connections(ctx),
            NodeMessage::AskAgain { action } => self.ask_again(ctx, action),
            NodeMessage::AddMember { queue, by, number } => {
                self.start_newcomer(ctx, queue, by, number);
            }
            NodeMessage::DeleteMember { queue } => self.delete_member(ctx, queue),
            NodeMessage::MemberStarted { number } => self.member_started(ctx, number),
            NodeMessage::MembersRecorded { number } => self.members_recorded(ctx, number),
            NodeMessage::MemberTimeout { number } => self.member_timeout(ctx, number),
            NodeMessage::AskMemberAgain { number } => self.ask_member(ctx, number),
            NodeMessage::Forgotten { node, action, answer } => {
                self.forgotten(ctx, action, (node, answer));
            }
            NodeMessage::Answered { action, answer } => self.answered(ctx, action, answer),
        }
    }

    pub(crate) fn channel_of(&self, conn: ConnId) -> Option<Lane> {
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
    pub(crate) fn start(&mut self, ctx: &mut Context<'_, Message>) -> Lane {
        let lane = ctx.spawn();
        self.alive.push(lane);
        lane
    }

    pub(crate) fn own_event(&self, word: EventId, subject: Option<NodeId>) -> Event {
        Event { word, node: self.me, destination: None, subject, count: 0 }
    }

    /// At time zero: this node's replica of a queue, as the plan has numbered it.
    pub(crate) fn start_first_replica(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let Some(record) = self.mnesia.tables.queue(queue) else { return };
        let Some(pid) = record.replicas().find(|pid| pid.node == self.me) else { return };
        let leads = record.leader == pid;
        let member = record.ring.iter().find(|member| member.replica == pid).copied();
        let lane = self.start(ctx);
        debug_assert_eq!(lane, pid.lane, "the plan numbers the first processes as they start");
        let role = if leads { Role::Leader } else { Role::Mirror };
        let bq = self.open_queue(queue);
        let group = member.map(|member| member.gm);
        let mut replica = Replica::new(queue, pid, group, role, bq).with(self.arguments(queue));
        if !leads {
            replica.holds_all();
        }
        replica.report_role(self, ctx);
        self.spawned.push((lane, Process::Replica(Box::new(replica))));
        if let Some(member) = member {
            let lane = self.start(ctx);
            debug_assert_eq!(lane, member.gm.lane, "ring members start right after replicas");
            let group = Group::new(queue, member.gm, pid.lane, true);
            self.spawned.push((lane, Process::Group(Box::new(group))));
            ctx.tell(lane, RingMessage::View.into());
        }
    }

    /// A durable queue whose leader is recorded here, and that nobody else leads by now
    /// (rabbit_amqqueue.erl: `recover`, `find_local_durable_queues`).
    pub(crate) fn recover(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let me = self.me;
        let recorded = self.mnesia.tables.durable[queue.0 as usize];
        let elsewhere =
            self.mnesia.tables.queue(queue).is_some_and(|record| record.leader.node != me);
        if recorded.is_none_or(|pid| pid.node != me) || elsewhere {
            return;
        }
        self.start_recovery(ctx, queue);
        self.recovering += 1;
    }

    /// A process that opens what the disk has of a queue, and leads.
    pub(super) fn start_recovery(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let lane = self.start(ctx);
        let pid = self.pid(lane);
        let bq = self.open_queue(queue);
        let mirrored = self.mirroring(queue).is_some();
        let group = mirrored.then(|| {
            let lane = self.start(ctx);
            self.pid(lane)
        });
        let replica = Replica::new(queue, pid, group, Role::Leader, bq)
            .with(self.arguments(queue))
            .that_recovers();
        ctx.tell(lane, QueueMessage::Recover { read: false }.into());
        self.spawned.push((lane, Process::Replica(Box::new(replica))));
        if let Some(gm) = group {
            let group = Group::new(queue, gm, lane, true);
            self.spawned.push((gm.lane, Process::Group(Box::new(group))));
        }
    }
}
