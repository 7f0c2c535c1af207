//! Which members of quorum queues a node has, who leads, and how a member is reached by its name
//! (ra_directory.erl, ra_leaderboard.erl; rabbit_quorum_queue.erl: `recover`).
//!
//! Members are called by a name and a node. Over the distribution a name is looked up by the node
//! that is called, on its main lane; who has heard from a member knows its process, and sends there
//! directly.

use crate::observe::NodeId;
use crate::world::{Context, FileId, Lane};

use super::super::super::message::ra::{CallAnswer, QuorumMessage, RaMessage, Reply, Request};
use super::super::super::message::{Message, Pid, QueueId};
use super::super::disk::FILES;
use super::super::ra::wal::Wal;
use super::super::{Broker, Node, Process};
use super::fifo::Fifo;
use super::member::Member;

impl Broker {
    /// At time zero: the members that the plan has put on this node, of queues that have been there
    /// for a while.
    pub(crate) fn start_first_members(&mut self, ctx: &mut Context<'_, Message>) {
        let first = self.node.config.members[0];
        self.start_khepri(ctx, Some(first));
        if !self.node.config.has_quorum_queues() {
            return;
        }
        self.node.wals[0] = Some(self.start_wal(ctx, 0));
        for queue in self.node.quorum_queues_here() {
            let leader = self.node.config.queue(queue).home;
            self.start_member(ctx, queue, Some(leader));
        }
        if !self.node.has_khepri() {
            self.start_detector(ctx);
        }
    }

    /// The member of Khepri's group, its log, and with them aten; at time zero `leader` leads.
    pub(crate) fn start_khepri(&mut self, ctx: &mut Context<'_, Message>, leader: Option<NodeId>) {
        if let Some(group) = self.node.config.khepri() {
            self.node.wals[1] = Some(self.start_wal(ctx, 1));
            self.start_member(ctx, group, leader);
            self.start_detector(ctx);
        }
    }

    /// The node has booted: its members start again with what its disk has of them.
    pub(crate) fn recover_members(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.node.config.has_quorum_queues() {
            return;
        }
        self.node.wals[0] = Some(self.start_wal(ctx, 0));
        let here = self.node.quorum_queues_here();
        for queue in (0..self.node.config.queues.len() as u32).map(QueueId) {
            if here.contains(&queue) {
                self.start_member(ctx, queue, None);
            } else {
                // It was deleted while this node was down.
                self.node.erase_member(ctx, queue);
            }
        }
        if !self.node.has_khepri() {
            self.start_detector(ctx);
        }
    }

    fn start_wal(&mut self, ctx: &mut Context<'_, Message>, system: u32) -> Lane {
        let lane = self.node.start(ctx);
        let wal = Wal::new(self.node.wal_file_of(system));
        self.node.spawned.push((lane, Process::Wal(Box::new(wal))));
        lane
    }

    pub(super) fn start_member(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        leader: Option<NodeId>,
    ) {
        let node = &mut self.node;
        let lane = node.start(ctx);
        let me = node.pid(lane);
        let disk = node.disk.members[queue.0 as usize].take();
        let founded = leader.is_some();
        let member = Member::new(node, queue, me, disk, leader);
        node.members[queue.0 as usize] = Some(lane);
        let start = if founded { RaMessage::Recovered } else { RaMessage::Recover };
        ctx.tell(lane, Message::Ra(queue, start));
        node.spawned.push((lane, Process::Member(Box::new(member))));
    }
}

impl Node {
    /// The file of the write-ahead log of a Raft group: the quorum queues share one, Khepri's has
    /// its own (rabbit_ra_systems.erl v4.3.5).
    pub(crate) fn wal_file(&self, group: QueueId) -> FileId {
        self.wal_file_of(self.ra_system(group))
    }

    fn wal_file_of(&self, system: u32) -> FileId {
        FileId(FILES * self.config.queues.len() as u32 + system)
    }

    fn ra_system(&self, group: QueueId) -> u32 {
        u32::from(self.config.khepri() == Some(group))
    }

    /// The log to which a Raft group writes.
    pub(crate) fn wal(&self, group: QueueId) -> Option<Lane> {
        self.wals[self.ra_system(group) as usize]
    }

    /// The file of a member's term and vote.
    pub(crate) fn meta_file(&self, group: QueueId) -> FileId {
        let khepri = 2 * self.ra_system(group);
        FileId(FILES * group.0 + khepri)
    }

    /// The quorum queues of which this node has a member.
    pub(crate) fn quorum_queues_here(&self) -> Vec<QueueId> {
        let queues = (0..).map(QueueId).zip(&self.mnesia.tables.quorum);
        queues.filter(|(_, nodes)| nodes.contains(&self.me)).map(|(queue, _)| queue).collect()
    }

    /// The members of a Raft group, as the metadata has them.
    pub(crate) fn group(&self, group: QueueId) -> Vec<NodeId> {
        match self.mnesia.tables.quorum.get(group.0 as usize) {
            Some(nodes) => nodes.clone(),
            None => self.config.members.clone(),
        }
    }

    /// An empty queue.
    pub(crate) fn fresh_fifo(&self, queue: QueueId) -> Fifo {
        Fifo::new(self.config.quorum_policy(queue))
    }

    /// Sends to the member of a queue on a node; nothing happens if that is not connected (`ra`
    /// sends with `noconnect` and `nosuspend`: ra_server_proc.erl, `send_rpc`). Returns whether it is.
    pub(crate) fn send_member(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        to: NodeId,
        message: RaMessage,
        bytes: u32,
    ) -> bool {
        let known = self.member_at(queue, to);
        self.send_member_at(ctx, queue, (to, known), message, bytes)
    }

    /// The process of a member, as far as it was heard of.
    pub(crate) fn member_at(&mut self, queue: QueueId, of: NodeId) -> Option<Lane> {
        match of == self.me {
            true => self.members[queue.0 as usize],
            false => self.peer(of).and_then(|peer| peer.members[queue.0 as usize]),
        }
    }

    /// The same by way of that process, or by its name: two ways, on which what is sent may overtake
    /// each other.
    pub(crate) fn send_member_at(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        (to, known): (NodeId, Option<Lane>),
        message: RaMessage,
        bytes: u32,
    ) -> bool {
        let message = Message::Ra(queue, message);
        match known {
            Some(lane) if to == self.me => ctx.tell(lane, message),
            None if to == self.me => self.without_member(ctx, message),
            lane => {
                let lane = lane.unwrap_or(Lane::MAIN);
                return self.send_connected(ctx, Pid { node: to, lane }, message, bytes);
            }
        }
        true
    }

    /// How often the set of connected nodes has changed.
    pub(crate) fn connections(&self) -> u32 {
        self.monitor.nodes_version
    }

    /// A message that came for a member by its name.
    pub(crate) fn by_name(&mut self, ctx: &mut Context<'_, Message>, message: Message) {
        let Message::Ra(queue, _) = &message else { return };
        match self.members[queue.0 as usize] {
            Some(lane) => ctx.tell(lane, message),
            None => self.without_member(ctx, message),
        }
    }

    /// There is no such process: who calls it learns that at once.
    fn without_member(&mut self, ctx: &mut Context<'_, Message>, message: Message) {
        if let Message::Ra(_, RaMessage::Command(request)) = message
            && let Request { reply: Reply::Call(channel, call), .. } = *request
        {
            let (from, answer) = (self.me, CallAnswer::NoMember);
            let answer = QuorumMessage::Answered { from, call, answer };
            self.send(ctx, channel, answer, 60);
        }
    }

    /// A member of another node has been heard: its process is known from now on.
    pub(crate) fn knows_member(&mut self, queue: QueueId, pid: Pid) {
        if let Some(peer) = self.peer(pid.node) {
            peer.members[queue.0 as usize] = Some(pid.lane);
        }
    }

    /// A member of another node has come or gone: its process is not known.
    pub(crate) fn forget_member(&mut self, queue: QueueId, of: NodeId) {
        if let Some(peer) = self.peer(of) {
            peer.members[queue.0 as usize] = None;
        }
    }

    /// Who leads a quorum queue, as a member here has last heard; else where it was declared.
    pub(crate) fn known_leader(&self, queue: QueueId) -> NodeId {
        self.leaderboard[queue.0 as usize].unwrap_or(self.config.queue(queue).home)
    }

    /// Tells every member of this node.
    pub(crate) fn tell_members(&mut self, ctx: &mut Context<'_, Message>, message: &RaMessage) {
        for (queue, lane) in (0..).map(QueueId).zip(&self.members) {
            if let Some(lane) = lane {
                ctx.tell(*lane, Message::Ra(queue, message.clone()));
            }
        }
    }

    /// Whether a node is connected, or this one.
    pub(crate) fn is_connected(&self, node: NodeId) -> bool {
        node == self.me || self.sees(node)
    }

    /// Sends over a connection that stands, or not at all. Returns whether it does.
    pub(crate) fn send_connected(
        &mut self,
        ctx: &mut Context<'_, Message>,
        to: Pid,
        message: impl Into<Message>,
        bytes: u32,
    ) -> bool {
        let connected = self.sees(to.node);
        if connected {
            self.send(ctx, to, message, bytes);
        }
        connected
    }

    /// Forgets what lived in memory.
    pub(crate) fn forget_members(&mut self) {
        self.members.fill(None);
        self.leaderboard.fill(None);
        self.wals = [None; 2];
    }
}

impl Wal {
    /// Bytes of an entry in the log beside the body of a message: index, term, checksum, command.
    pub(crate) const ENTRY_BYTES: u32 = 45;
}
