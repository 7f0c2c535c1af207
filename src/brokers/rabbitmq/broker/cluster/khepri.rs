//! Khepri: metadata in one Raft group of all nodes (rabbit_khepri.erl v4.3.5; khepri_machine.erl).
//!
//! The group is one more on the Ra machine of quorum queues, with a log of its own: the Ra system
//! `coordination` (rabbit_ra_systems.erl). Its members apply changes to the tables of their nodes,
//! from which everything is read. What is written goes to the leader by way of the member here; who
//! writes goes on when the change is applied on its own node (`reply_from => local`).

use crate::observe::{ActionId, NodeId};
use crate::world::{Context, Lane};

use super::super::super::message::khepri::{Change, KhepriMessage};
use super::super::super::message::monitor::MonitorMessage;
use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::{LeaderMessage, QueueMessage};
use super::super::super::message::ra::{Command, RaMessage, Reply, Request};
use super::super::super::message::{Message, Pid, QueueId};
use super::super::super::policy::{Force, PolicyId};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::{Broker, Node, Status};
use super::mnesia::{PolicyChange, Purpose};

/// A write that is not applied here yet.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    number: u32,
    changes: Vec<Change>,
    then: Then,
}

/// What follows a write.
#[derive(Clone, Debug)]
enum Then {
    /// A process is told; also when the write has taken too long.
    Tell(Lane, Message),
    /// A queue of this node is there: it is written again until it is.
    Recovered,
    /// The same for a process that waits for as long as it takes.
    Insist(Option<(Lane, Message)>),
    /// An operator is answered: that it is done, or that it has taken too long.
    Answer(ActionId),
    /// A queue that a channel declares has its record, or there was one; or it has taken too long.
    Declare { queue: QueueId, leader: Pid, channel: Pid },
    /// The metadata is up to date: RabbitMQ starts.
    Start,
}

/// What a node knows of what it has written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writes {
    pending: Vec<Write>,
    last: u32,
}

impl Writes {
    /// Whether all is applied.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// RabbitMQ is gone from this node.
    pub(crate) fn forget(&mut self) {
        self.pending.clear();
    }
}

impl Node {
    /// Whether metadata is in Khepri.
    pub(crate) fn has_khepri(&self) -> bool {
        self.config.khepri().is_some()
    }

    /// What is a transaction in Mnesia.
    pub(crate) fn write(&mut self, ctx: &mut Context<'_, Message>, purpose: Purpose) {
        let (changes, then) = match purpose {
            Purpose::QueueStopped { queue, by } => {
                (vec![Change::Stopped { queue }], Then::Tell(by, QueueMessage::Terminate.into()))
            }
            Purpose::Recovered { queue, leader, .. } => {
                let durable = self.config.queue(queue).durable;
                let owner = self.mnesia.tables.queue(queue).and_then(|record| record.owner);
                (vec![Change::Queue { queue, leader, durable, owner }], Then::Recovered)
            }
            Purpose::Declare { queue, leader, channel, owner } => {
                let durable = self.config.queue(queue).durable;
                let change = Change::NewQueue { queue, leader, durable, owner };
                (vec![change], Then::Declare { queue, leader, channel })
            }
            Purpose::Delete { queue, by } => {
                let deleted = (by, LeaderMessage::Deleted.into());
                (vec![Change::Deleted { queue }], Then::Insist(Some(deleted)))
            }
            Purpose::TransientGone => {
                let queues = self.own_transient_queues().into_iter();
                let gone = queues.map(|(queue, _)| Change::Deleted { queue }).collect();
                (gone, Then::Insist(None))
            }
            Purpose::NodeDown { node } => {
                let lost = self.queues_lost_with(node).into_iter();
                let gone = lost.map(|(queue, _)| Change::Deleted { queue }).collect();
                (gone, Then::Tell(Lane::MAIN, MonitorMessage::CleanedUp { node }.into()))
            }
            Purpose::ForceDelete { queue, action } => {
                (vec![Change::Deleted { queue }], Then::Answer(action))
            }
            // What has become of the write is not looked at.
            Purpose::Members { queue, node, joins, number } => {
                let recorded = NodeMessage::MembersRecorded { number };
                (
                    vec![Change::Members { queue, node, joins }],
                    Then::Tell(Lane::MAIN, recorded.into()),
                )
            }
            Purpose::Policy { change: PolicyChange::Set(policy), action } => {
                (vec![Change::PolicySet { policy }], Then::Answer(action))
            }
            Purpose::Policy { change: PolicyChange::Clear(name), action } => {
                let in_force = self.mnesia.tables.force.policies.iter().copied();
                let named = |policy: &PolicyId| self.config.policies.get(*policy).name == name;
                let Some(policy) = in_force.into_iter().find(named) else {
                    let answer = Err("no such policy");
                    let answered = NodeMessage::Answered { action, answer };
                    return ctx.tell(Lane::MAIN, answered.into());
                };
                (vec![Change::PolicyCleared { policy }], Then::Answer(action))
            }
            Purpose::Forget { node, action } => match self.may_forget(node) {
                Ok(()) => {
                    let event = self.own_event(event::NODE_FORGOTTEN, Some(node));
                    let now = ctx.now();
                    ctx.observer().event(now, event);
                    (vec![Change::Forgotten { node }], Then::Answer(action))
                }
                answer => {
                    let answered = NodeMessage::Answered { action, answer };
                    return ctx.tell(Lane::MAIN, answered.into());
                }
            },
            // There are no mirrored queues, and nobody joins Mnesia.
            Purpose::RecordRingDeath { .. }
            | Purpose::EraseFromRing { .. }
            | Purpose::RemoveFromQueue { .. }
            | Purpose::JoinRing { .. }
            | Purpose::AddMirror { .. }
            | Purpose::Synchronised { .. }
            | Purpose::StopMirrors { .. }
            | Purpose::RingMade { .. }
            | Purpose::Join { .. } => return,
        };
        self.write_changes(ctx, changes, then);
    }

    fn write_changes(&mut self, ctx: &mut Context<'_, Message>, changes: Vec<Change>, then: Then) {
        self.writes.last += 1;
        let number = self.writes.last;
        let write = Write { number, changes, then };
        if write.changes.is_empty() {
            ctx.tell(Lane::MAIN, KhepriMessage::Applied { number }.into());
        } else {
            let timeout = self.config.settings.khepri_timeout;
            ctx.after(timeout, Lane::MAIN, KhepriMessage::Timeout { number }.into());
            self.propose(ctx, &write);
        }
        self.writes.pending.push(write);
    }

    fn propose(&self, ctx: &mut Context<'_, Message>, write: &Write) {
        let Some(group) = self.config.khepri() else { return };
        let Some(lane) = self.members[group.0 as usize] else { return };
        let last = write.changes.len() - 1;
        for (at, &change) in write.changes.iter().enumerate() {
            let number = if at == last { write.number } else { 0 };
            let command = Command::Metadata { from: self.me, number, change };
            let request = Box::new(Request { command, reply: Reply::None });
            ctx.tell(lane, Message::Ra(group, RaMessage::Command(request)));
        }
    }

    /// Another member leads: what it may never have heard of goes to it (khepri_machine.erl:
    /// `process_sync_command` tries again when the leader is gone).
    pub(crate) fn propose_again(&self, ctx: &mut Context<'_, Message>) {
        for write in self.writes.pending.iter().filter(|write| !write.changes.is_empty()) {
            self.propose(ctx, write);
        }
    }

    /// The member of this node has applied a change.
    pub(crate) fn change_applied(
        &mut self,
        ctx: &mut Context<'_, Message>,
        from: NodeId,
        number: u32,
        change: Change,
    ) {
        let config = self.config.clone();
        let old = self.mnesia.tables.force.clone();
        change.apply(&config, &mut self.mnesia.tables);
        if let Change::Members { queue, node, .. } = change {
            self.forget_member(queue, node);
        }
        if matches!(change, Change::PolicySet { .. } | Change::PolicyCleared { .. }) {
            self.tell_of_policies(ctx, &old);
        }
        if from == self.me && number > 0 {
            ctx.tell(Lane::MAIN, KhepriMessage::Applied { number }.into());
        }
    }
}

impl Broker {
    /// A node that boots starts its member, and goes on once it has seen all that was written
    /// before: for which a majority must be up (rabbit_khepri.erl: `setup`, `wait_for_leader`).
    pub(crate) fn boot_khepri(&mut self, ctx: &mut Context<'_, Message>) {
        self.start_khepri(ctx, None);
        let node = &mut self.node;
        let (now, event) = (ctx.now(), node.own_event(event::WAITING_FOR_TABLES, None));
        ctx.observer().event(now, event);
        let (start, patience) = (node.start, node.config.settings.khepri_leader_wait);
        ctx.after(patience, Lane::MAIN, KhepriMessage::NoLeader { start }.into());
        node.write_changes(ctx, vec![Change::Fence], Then::Start);
    }

    /// What comes to a node that has written.
    pub(crate) fn khepri_message(
        &mut self,
        ctx: &mut Context<'_, Message>,
        message: KhepriMessage,
    ) {
        let take = |broker: &mut Broker, number: u32| {
            let pending = &mut broker.node.writes.pending;
            let at = pending.iter().position(|write| write.number == number)?;
            Some(pending.remove(at))
        };
        match message {
            KhepriMessage::Applied { number } => {
                let Some(write) = take(self, number) else { return };
                match write.then {
                    Then::Tell(lane, message) | Then::Insist(Some((lane, message))) => {
                        ctx.tell(lane, message);
                    }
                    Then::Insist(None) => {}
                    Then::Answer(action) => self.answered(ctx, action, Ok(())),
                    Then::Recovered => self.one_recovered(ctx),
                    Then::Declare { queue, leader, channel } => {
                        let record = self.node.mnesia.tables.queue(queue);
                        let new = record.is_some_and(|record| record.leader == leader);
                        self.declared_or_not(ctx, queue, leader, channel, Some(new));
                    }
                    Then::Start => self.start_rabbit(ctx),
                }
            }
            KhepriMessage::Timeout { number } => {
                let Some(write) = take(self, number) else { return };
                match write.then {
                    Then::Tell(lane, message) => ctx.tell(lane, message),
                    Then::Answer(action) => {
                        let answer = Err("the metadata store operation timed out");
                        self.answered(ctx, action, answer);
                    }
                    Then::Declare { queue, leader, channel } => {
                        self.declared_or_not(ctx, queue, leader, channel, None);
                    }
                    then => self.node.write_changes(ctx, write.changes, then),
                }
            }
            KhepriMessage::NoLeader { start } => {
                if self.node.start == start && self.node.status == Status::Booting {
                    let event = self.node.own_event(event::BOOT_FAILED, None);
                    let now = ctx.now();
                    ctx.observer().event(now, event);
                    self.node.status = Status::Off;
                    ctx.exit();
                }
            }
        }
    }
}

impl Node {
    /// Other policies are in force: the queues of this node to which another one applies than before
    /// look what it says.
    fn tell_of_policies(&self, ctx: &mut Context<'_, Message>, old: &Force) {
        let tables = &self.mnesia.tables;
        for queue in (0..self.config.queues.len() as u32).map(QueueId) {
            let leader = tables.queue(queue).map(|record| record.leader);
            let other = tables.force.over(queue) != old.over(queue);
            if let Some(leader) = leader.filter(|pid| other && pid.node == self.me) {
                ctx.tell(leader.lane, LeaderMessage::PolicyChanged.into());
            }
        }
    }

    /// A member's RabbitMQ runs, and it is connected: there is nothing to be agreed on.
    pub(crate) fn meets(&mut self, node: NodeId) {
        let Some(peer) = self.peer(node) else { return };
        let news = !std::mem::replace(&mut peer.running, true);
        peer.announced = peer.incarnation;
        if news && self.status == Status::Running {
            self.monitor.mailbox.push_back(MonitorMessage::NodeUp { node });
        }
    }

    /// Whether the record of a queue that is not durable stays when its node is lost: it goes when
    /// that is back (rabbit_amqqueue.erl v4.2, `on_node_up`).
    pub(crate) fn keeps_transient_records(&self) -> bool {
        self.has_khepri() && !self.config.settings.rules.has(Rule::DropTransientQueues)
    }
}
