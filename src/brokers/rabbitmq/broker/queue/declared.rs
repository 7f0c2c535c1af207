//! Queues that clients declare while the cluster runs (rabbit_classic_queue.erl v3.10 `declare`,
//! rabbit_amqqueue.erl `internal_declare`), and those that belong to a connection.

use crate::observe::Removal;
use crate::world::Context;

use super::super::super::message::channel::ChannelMessage;
use super::super::super::message::mnesia::TableOp;
use super::super::super::message::queue::LeaderMessage;
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause, event, role};
use super::super::cluster::mnesia::Purpose;
use super::super::{Broker, Node, Process, Status};
use super::replica::{Leader, Replica, Role};

/// The end of every copy when the connection that the queue belongs to is gone.
const OWNER_GONE: Removal = Removal { cause: cause::QUEUE_DELETED, because: because::OWNER_GONE };

impl Broker {
    /// A queue is to live here: its process starts, and writes its record, if there is none yet.
    pub(crate) fn declare_queue(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        channel: Pid,
        owner: Option<Pid>,
    ) {
        if self.node.status != Status::Running {
            return;
        }
        // Another channel has declared it meanwhile: that is seen when the record is locked.
        let leader = match self.replica_of(queue) {
            Some(replica) => replica.me(),
            None => self.node.start_declared(ctx, queue),
        };
        self.node.transaction(ctx, Purpose::Declare { queue, leader, channel, owner });
    }

    /// `internal_declare`: what a queue of that name is, one that exists or one whose node is down,
    /// is seen with its record locked. An owner that has gone meanwhile leaves nothing behind.
    pub(crate) fn declared(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        leader: Pid,
        channel: Pid,
        owner: Option<Pid>,
    ) {
        let absent = |node: &Node| {
            let durable = node.mnesia.tables.durable[queue.0 as usize].is_some();
            durable && node.config.settings.rules.has(Rule::KeepAbsentQueues)
        };
        let there = self.node.mnesia.tables.queue(queue).is_some() || absent(&self.node);
        let new = self.owner_lives(owner) && !there;
        if new {
            let (ring, durable) = (Vec::new(), self.node.config.queue(queue).durable);
            self.commit(ctx, TableOp::Insert { queue, leader, ring, durable, owner });
            self.node.then_here(leader.lane, LeaderMessage::Declared);
        } else {
            self.end_undeclared(queue, leader);
        }
        self.node.then(channel, ChannelMessage::Declared { queue, new });
    }

    /// The same in Khepri, where the record is written already if it is `new`; `None` if the write
    /// has taken too long, of which the channel's client hears 541.
    pub(crate) fn declared_or_not(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        leader: Pid,
        channel: Pid,
        new: Option<bool>,
    ) {
        if new == Some(true) {
            ctx.tell(leader.lane, LeaderMessage::Declared.into());
            let owner = self.node.mnesia.tables.queue(queue).and_then(|record| record.owner);
            if !self.owner_lives(owner) {
                ctx.tell(leader.lane, LeaderMessage::OwnerGone.into());
            }
        } else {
            self.end_undeclared(queue, leader);
        }
        let answer = match new {
            Some(new) => ChannelMessage::Declared { queue, new },
            None => ChannelMessage::NotDeclared { queue },
        };
        self.node.send(ctx, channel, answer, 60);
    }

    fn owner_lives(&self, owner: Option<Pid>) -> bool {
        let is_owner = |process: &Process| match process {
            Process::Channel(channel) => Some(channel.reader()) == owner,
            _ => false,
        };
        owner.is_none() || self.processes.iter().flatten().any(is_owner)
    }

    /// A process that was started for a queue that another one is has nothing to do.
    fn end_undeclared(&mut self, queue: QueueId, process: Pid) {
        let record = self.node.mnesia.tables.queue(queue);
        if record.is_none_or(|record| record.replicas().all(|pid| pid != process)) {
            self.node.end_process(process.lane, DownReason::Normal);
        }
    }
}

impl Node {
    /// The process of a queue that is declared here.
    fn start_declared(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) -> Pid {
        let bq = self.open_queue(queue);
        let bq = self.without_contents(ctx, queue, bq);
        let lane = self.start(ctx);
        let pid = self.pid(lane);
        let replica = Replica::new(queue, pid, None, Role::Leader, bq).with(self.arguments(queue));
        self.spawned.push((lane, Process::Replica(Box::new(replica))));
        pid
    }

    /// The connection that these queues belong to is gone (rabbit_queue_collector.erl:
    /// `delete_all`): they live on its node, and go.
    pub(crate) fn delete_exclusive(
        &self,
        ctx: &mut Context<'_, Message>,
        queues: &[QueueId],
        owner: Pid,
    ) {
        for &queue in queues {
            let record = self.mnesia.tables.queue(queue);
            if let Some(record) = record.filter(|record| record.owner == Some(owner)) {
                ctx.tell(record.leader.lane, LeaderMessage::OwnerGone.into());
            }
        }
    }
}

impl Leader<'_> {
    /// The queue has its record: it leads, and gets mirrors if a policy wants them.
    pub(super) fn is_declared(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.base.report(node, ctx, role::LEADER);
        self.base.event(node, ctx, event::QUEUE_DECLARED, 0);
        self.policy_changed(node, ctx);
    }

    /// It goes with its connection, with all that is in it.
    pub(super) fn owner_gone(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if !self.base.ending {
            self.delete(node, ctx, OWNER_GONE);
        }
    }
}
