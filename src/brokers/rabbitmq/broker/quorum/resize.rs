//! What operators do to who is a member of quorum queues (rabbit_quorum_queue.erl v4.3: `add_member`,
//! `delete_member`, `grow`, `shrink_all`).
//!
//! A command is an `Order`: one change after the other, or some at a time. A member is added in this
//! order: its process starts on its node with nothing, the leader appends that it joins, and the
//! metadata says so. It is deleted the other way round, and its files go last.

use std::collections::VecDeque;

use crate::engine::Span;
use crate::observe::{ActionId, Event, EventId, NodeId, Removal};
use crate::world::action::Answer;
use crate::world::{Context, Lane, TimerId};

use super::super::super::message::node::NodeMessage;
use super::super::super::message::ra::{
    CallAnswer, Command, Index, QuorumMessage, RaMessage, Reply, Request,
};
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause, event};
use super::super::cluster::mnesia::Purpose;
use super::super::{Broker, Node};
use super::disk::{MemberDisk, Place, copies, report_removed};
use super::member::{Member, log_bytes};

/// How long one member may take to answer (rabbit_quorum_queue.erl v4.0: `?MEMBER_CHANGE_TIMEOUT`;
/// before: `?ADD_MEMBER_TIMEOUT`).
const TIMEOUT: Span = Span::from_secs(20);
const TIMEOUT_BEFORE: Span = Span::from_secs(5);
/// `shrink` tries once more what was not permitted, after this long.
const RETRY: Span = Span::from_millis(500);
/// Members that `shrink` deletes at a time (`quorum_queue_shrink_batch_size`).
const AT_ONCE: usize = 64;
/// What is said when no member has answered.
const TIMED_OUT: &str = "timeout";
/// Bytes of a command between nodes.
const COMMAND_BYTES: u32 = 120;

/// One change that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Of which queue.
    pub queue: QueueId,
    /// The node whose member comes or goes.
    pub node: NodeId,
    /// Whether it comes.
    pub joins: bool,
}

/// A change under way.
#[derive(Clone, Debug)]
struct Change {
    number: u32,
    job: Job,
    /// Whom it has asked, and whom it asks next, the next one last.
    asked: Option<NodeId>,
    next: Vec<NodeId>,
    timer: Option<TimerId>,
    /// It is tried once more if it is not permitted.
    may_retry: bool,
}

/// A command of an operator.
#[derive(Clone, Debug)]
struct Order {
    action: ActionId,
    jobs: VecDeque<Job>,
    running: Vec<Change>,
    at_once: usize,
    failed: Option<&'static str>,
    /// The node that is forgotten then, whatever has failed.
    forgets: Option<NodeId>,
}

/// The orders that a node carries out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    all: Vec<Order>,
    last: u32,
}

impl Orders {
    fn of(&mut self, number: u32) -> Option<&mut Change> {
        let mut running = self.all.iter_mut().flat_map(|order| &mut order.running);
        running.find(|change| change.number == number)
    }
}

impl Broker {
    /// `add_member`, `delete_member`.
    pub(crate) fn change_member(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        job: Job,
    ) -> Option<Answer> {
        self.order_members(ctx, action, VecDeque::from([job]), 1, None)
    }

    /// `grow`: every quorum queue that has no member on that node gets one; with `even` only those that
    /// have an even number.
    pub(crate) fn grow(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        node: NodeId,
        even: bool,
    ) -> Option<Answer> {
        let fits = |nodes: &[NodeId]| !even || nodes.len().is_multiple_of(2);
        let lacks = |nodes: &[NodeId]| !nodes.is_empty() && !nodes.contains(&node) && fits(nodes);
        let runs = self.node.runs(node) || node == self.node.me;
        let queues = self.quorum_queues(|nodes| runs && lacks(nodes));
        let jobs = queues.into_iter().map(|queue| Job { queue, node, joins: true }).collect();
        self.order_members(ctx, action, jobs, 1, None)
    }

    /// `shrink_all`: no quorum queue has a member on that node any more.
    pub(crate) fn shrink(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        node: NodeId,
    ) -> Option<Answer> {
        let jobs = self.members_on(node);
        self.order_members(ctx, action, jobs, AT_ONCE, None)
    }

    fn members_on(&self, node: NodeId) -> VecDeque<Job> {
        let queues = self.quorum_queues(|nodes| nodes.contains(&node));
        queues.into_iter().map(|queue| Job { queue, node, joins: false }).collect()
    }

    /// `forget_cluster_node` (forget_cluster_node_command.ex): with Khepri quorum queues shrink first
    /// (v4.3.5), with Mnesia afterwards (v3.10.8).
    pub(crate) fn forget_cluster_node(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        node: NodeId,
    ) -> Option<Answer> {
        if self.node.has_khepri() {
            let jobs = self.members_on(node);
            return self.order_members(ctx, action, jobs, AT_ONCE, Some(node));
        }
        self.order(ctx, Purpose::Forget { node, action })
    }

    /// Mnesia has forgotten a node, or refuses to.
    pub(crate) fn forgotten(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        (node, answer): (NodeId, Answer),
    ) {
        match answer {
            Ok(()) => {
                let _ = self.shrink(ctx, action, node);
            }
            refused => self.answered(ctx, action, refused),
        }
    }

    fn quorum_queues(&self, which: impl Fn(&[NodeId]) -> bool) -> Vec<QueueId> {
        let all = (0..).map(QueueId).zip(&self.node.mnesia.tables.quorum);
        all.filter(|(_, nodes)| which(nodes)).map(|(queue, _)| queue).collect()
    }

    fn order_members(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        jobs: VecDeque<Job>,
        at_once: usize,
        forgets: Option<NodeId>,
    ) -> Option<Answer> {
        let order = Order { action, jobs, running: Vec::new(), at_once, failed: None, forgets };
        self.node.orders.all.push(order);
        self.continue_orders(ctx);
        None
    }

    /// Begins what may begin, and answers what is done.
    fn continue_orders(&mut self, ctx: &mut Context<'_, Message>) {
        let mut at = 0;
        while let Some(order) = self.node.orders.all.get_mut(at) {
            let room = order.running.len() < order.at_once;
            if let Some(job) = room.then(|| order.jobs.pop_front()).flatten() {
                self.begin_change(ctx, at, job);
            } else if order.running.is_empty() {
                let Order { action, failed, forgets, .. } = self.node.orders.all.remove(at);
                match forgets {
                    Some(node) => self.node.transaction(ctx, Purpose::Forget { node, action }),
                    None => ctx.answer(action, failed.map_or(Ok(()), Err)),
                }
            } else {
                at += 1;
            }
        }
    }

    fn begin_change(&mut self, ctx: &mut Context<'_, Message>, at: usize, job: Job) {
        let node = &mut self.node;
        let Job { queue, node: of, joins } = job;
        let nodes = node.mnesia.tables.quorum[queue.0 as usize].clone();
        if nodes.contains(&of) == joins {
            // "idempotent by design".
            return;
        }
        let here = of == node.me;
        let refused = match joins {
            true if !here && !node.runs(of) => Some("node_not_running"),
            false if nodes.len() == 1 => Some("last_node"),
            _ => None,
        };
        let order = &mut node.orders.all[at];
        if refused.is_some() {
            order.failed = order.failed.or(refused);
            return;
        }
        node.orders.last += 1;
        let (number, may_retry) = (node.orders.last, order.at_once == AT_ONCE);
        // The leader first, as far as it is known (`members`).
        let leader = node.known_leader(queue);
        let mut next: Vec<NodeId> = nodes.into_iter().filter(|node| *node != leader).collect();
        next.reverse();
        next.push(leader);
        let change = Change { number, job, asked: None, next, timer: None, may_retry };
        node.orders.all[at].running.push(change);
        if joins {
            let by = node.me;
            node.watch(Lane::MAIN, of);
            let add = NodeMessage::AddMember { queue, by, number };
            node.send_to_main(ctx, of, add, COMMAND_BYTES);
        } else {
            self.ask_member(ctx, number);
        }
    }

    /// `ra:start_server` of a member that has nothing and belongs to no queue yet.
    pub(crate) fn start_newcomer(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        by: NodeId,
        number: u32,
    ) {
        let node = &mut self.node;
        if node.members[queue.0 as usize].is_none() && node.wals[0].is_some() {
            node.erase_member(ctx, queue);
            let fresh = node.fresh_fifo(queue);
            node.disk.members[queue.0 as usize] = Some(MemberDisk::newcomer(fresh));
            self.start_member(ctx, queue, None);
        }
        self.node.send_to_main(ctx, by, NodeMessage::MemberStarted { number }, COMMAND_BYTES);
    }

    pub(crate) fn member_started(&mut self, ctx: &mut Context<'_, Message>, number: u32) {
        self.ask_member(ctx, number);
    }

    /// `ra:add_member`, `ra:remove_member`: a member that can be reached is asked, and says who
    /// leads, or keeps the call until that is known.
    pub(crate) fn ask_member(&mut self, ctx: &mut Context<'_, Message>, number: u32) {
        let node = &mut self.node;
        let Some(change) = node.orders.of(number) else { return };
        let job = change.job;
        let next = change.next.pop();
        change.asked = next;
        if let Some(timer) = change.timer.take() {
            ctx.cancel(timer);
        }
        let Some(to) = next else { return self.change_failed(ctx, number, TIMED_OUT) };
        if !node.is_connected(to) {
            return self.ask_member(ctx, number);
        }
        let rules = node.config.settings.rules;
        let command = match job.joins {
            true => Command::Join { node: job.node, votes: !rules.has(Rule::PromoteNewMembers) },
            false => Command::Leave { node: job.node },
        };
        let timeout = if rules.has(Rule::AwaitMemberChanges) { TIMEOUT } else { TIMEOUT_BEFORE };
        let timeout = ctx.after(timeout, Lane::MAIN, NodeMessage::MemberTimeout { number }.into());
        let reply = Reply::Call(node.pid(Lane::MAIN), number);
        node.watch(Lane::MAIN, to);
        let request = RaMessage::Command(Box::new(Request { command, reply }));
        node.send_member(ctx, job.queue, to, request, COMMAND_BYTES);
        if let Some(change) = node.orders.of(number) {
            change.timer = Some(timeout);
        }
    }

    /// A member has answered.
    pub(crate) fn member_answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        from: NodeId,
        number: u32,
        answer: CallAnswer,
    ) {
        let Some(change) = self.node.orders.of(number) else { return };
        if change.asked != Some(from) {
            return;
        }
        match answer {
            CallAnswer::Redirect { leader } => {
                if leader != from {
                    change.next.push(leader);
                }
                self.ask_member(ctx, number);
            }
            CallAnswer::NoMember => self.ask_member(ctx, number),
            CallAnswer::NotPermitted if std::mem::take(&mut change.may_retry) => {
                change.next.push(from);
                let again = NodeMessage::AskMemberAgain { number };
                ctx.after(RETRY, Lane::MAIN, again.into());
            }
            CallAnswer::NotPermitted => {
                self.change_failed(ctx, number, "cluster_change_not_permitted");
            }
            CallAnswer::AlreadyMember => self.change_failed(ctx, number, "already_member"),
            _ => {
                if let Some(timer) = change.timer.take() {
                    ctx.cancel(timer);
                }
                let Job { queue, node, joins } = change.job;
                self.node.transaction(ctx, Purpose::Members { queue, node, joins, number });
            }
        }
    }

    /// The metadata has it: the change is done.
    pub(crate) fn members_recorded(&mut self, ctx: &mut Context<'_, Message>, number: u32) {
        let Some(change) = self.node.orders.of(number) else { return };
        let Job { queue, node, joins } = change.job;
        if !joins {
            self.send_delete(ctx, queue, node);
        }
        let word = if joins { event::MEMBER_ADDED } else { event::MEMBER_DELETED };
        self.node.tell_of_member(ctx, word, queue, node);
        self.change_ended(ctx, number, None);
    }

    fn send_delete(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId, of: NodeId) {
        if self.node.is_connected(of) {
            let delete = NodeMessage::DeleteMember { queue };
            self.node.send_to_main(ctx, of, delete, COMMAND_BYTES);
        }
    }

    pub(crate) fn member_timeout(&mut self, ctx: &mut Context<'_, Message>, number: u32) {
        if let Some(change) = self.node.orders.of(number) {
            change.timer = None;
            self.ask_member(ctx, number);
        }
    }

    /// A node is gone whose member was asked, or was to start.
    pub(crate) fn member_node_down(&mut self, ctx: &mut Context<'_, Message>, pid: Pid) {
        let changes = self.node.orders.all.iter().flat_map(|order| &order.running);
        let starts = |change: &Change| change.asked.is_none() && change.job.joins;
        let lost = changes.filter(|change| match change.asked {
            Some(asked) => Node::whole(asked) == pid && change.timer.is_some(),
            None => starts(change) && Node::whole(change.job.node) == pid,
        });
        let lost: Vec<(u32, bool)> = lost.map(|change| (change.number, starts(change))).collect();
        for (number, starts) in lost {
            match starts {
                true => self.change_failed(ctx, number, "nodedown"),
                false => self.ask_member(ctx, number),
            }
        }
    }

    /// What was started for it goes again.
    fn change_failed(&mut self, ctx: &mut Context<'_, Message>, number: u32, why: &'static str) {
        let Some(change) = self.node.orders.of(number) else { return };
        let Job { queue, node, joins } = change.job;
        if let Some(timer) = change.timer.take() {
            ctx.cancel(timer);
        }
        let asked = change.asked.is_some() || change.next.is_empty();
        if joins {
            self.send_delete(ctx, queue, node);
        }
        if joins && asked && why == TIMED_OUT {
            // `ra:remove_member`: it may be in the log by now. Nobody waits for that.
            let leave = Request { command: Command::Leave { node }, reply: Reply::None };
            let leader = self.node.known_leader(queue);
            let leave = RaMessage::Command(Box::new(leave));
            self.node.send_member(ctx, queue, leader, leave, COMMAND_BYTES);
        }
        self.change_ended(ctx, number, Some(why));
    }

    fn change_ended(
        &mut self,
        ctx: &mut Context<'_, Message>,
        number: u32,
        failed: Option<&'static str>,
    ) {
        for order in &mut self.node.orders.all {
            let before = order.running.len();
            order.running.retain(|change| change.number != number);
            if order.running.len() != before {
                order.failed = order.failed.or(failed);
            }
        }
        self.continue_orders(ctx);
    }

    /// `ra:force_delete_server`: the member here goes with all that it has, unless the metadata still
    /// says that it belongs to its queue.
    pub(crate) fn delete_member(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let node = &mut self.node;
        if node.mnesia.tables.quorum[queue.0 as usize].contains(&node.me) {
            return;
        }
        match node.members[queue.0 as usize] {
            Some(lane) => {
                node.erased.push(queue);
                node.end_process(lane, DownReason::Shutdown);
            }
            None => node.erase_member(ctx, queue),
        }
    }
}

impl Node {
    /// What the disk has of a member is deleted.
    pub(crate) fn erase_member(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let Some(disk) = self.disk.members[queue.0 as usize].take() else { return };
        let (now, config) = (ctx.now(), self.config.clone());
        let place = Place { queue, destination: config.destination(queue), node: self.me };
        let removal = Removal { cause: cause::MEMBER_DELETED, because: because::NONE };
        for held in copies(&disk.log, &disk.fifo, disk.applied) {
            report_removed(now, place, &config.letters, &held, removal, ctx.observer());
        }
        self.marks.recovered(queue);
        ctx.release(self.wal_file(queue), log_bytes(&disk.log));
    }

    pub(super) fn tell_of_member(
        &self,
        ctx: &mut Context<'_, Message>,
        word: EventId,
        queue: QueueId,
        of: NodeId,
    ) {
        let destination = self.config.reported(queue);
        let event = Event { destination, ..self.own_event(word, Some(of)) };
        let now = ctx.now();
        ctx.observer().event(now, event);
    }
}

impl Member {
    /// As a leader: a change of the members is committed.
    pub(super) fn members_changed(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        index: Index,
        command: &Command,
    ) {
        match *command {
            // "leader is not in the cluster any more, and that is committed": it stops, and the
            // others elect one of them.
            Command::Leave { node: gone } if gone == self.me.node => {
                node.end_process(ctx.lane(), DownReason::Normal);
            }
            Command::Join { node: of, votes: true }
                if self.server.cluster_at(index - 1).target(of).is_some() =>
            {
                node.tell_of_member(ctx, event::MEMBER_PROMOTED, self.queue, of);
            }
            _ => {}
        }
    }

    /// As the leader of Khepri's group: whoever the cluster has forgotten leaves it
    /// (rabbit_khepri.erl: `remove_down_member`, which tries again while another change is under way).
    pub(super) fn expel(&mut self, node: &Node) {
        if !self.khepri || !self.server.leads() {
            return;
        }
        let members = self.server.cluster().members();
        let forgotten = &node.mnesia.tables.forgotten;
        let Some(gone) = forgotten.iter().copied().find(|of| members.contains(of)) else { return };
        if self.server.change(Command::Leave { node: gone }).is_ok() {
            self.server.replicate();
        }
    }

    /// As a leader: a member is to join or to leave. Who asks is answered when that is in the log, or
    /// where it waits for that, when it is committed.
    pub(super) fn change(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        request: &Request,
    ) {
        let Request { command, reply } = *request;
        ctx.spend(node.config.costs.quorum_command);
        if let Command::Join { node: of, .. } = command {
            node.forget_member(self.queue, of);
        }
        let answer = match self.server.change(command) {
            Ok(index) => {
                let waits = node.config.settings.rules.has(Rule::AwaitMemberChanges);
                if waits && matches!(command, Command::Join { .. }) {
                    self.replies.push_back((index, reply));
                    None
                } else {
                    Some(CallAnswer::Done)
                }
            }
            Err(answer) => Some(answer),
        };
        self.server.replicate();
        if let (Some(answer), Reply::Call(to, call)) = (answer, reply) {
            let from = self.me.node;
            node.send(ctx, to, QuorumMessage::Answered { from, call, answer }, 60);
        }
    }
}
