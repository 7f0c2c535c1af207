//! Mnesia transactions: a round of votes, then a decision on the coordinator's copy of the tables,
//! then the change everywhere.

use std::collections::VecDeque;

use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::super::message::mnesia::{MnesiaMessage, TableOp};
use super::super::super::message::monitor::MonitorMessage;
use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::{LeaderMessage, QueueMessage};
use super::super::super::message::ring::RingMessage;
use super::super::super::message::{Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::queue::replica::Replica;
use super::super::vm::erlang::Link;
use super::super::{Broker, Node, Process, Status};
use super::mnesia::{Committing, Lock, Purpose, Transaction};

impl Node {
    /// Begins a transaction; its coordinator is this node. It takes its own work (log, tables) and
    /// the votes of all nodes that are believed to run.
    ///
    /// Those that concern a queue lock its record, at one node after the other in the order of
    /// their names, so that no two wait for each other (mnesia_locker.erl: `get_wlocks_on_nodes`).
    /// What the one that had a lock before has changed is then in this node's tables.
    pub fn transaction(&mut self, ctx: &mut Context<'_, Message>, purpose: Purpose) {
        if self.has_khepri() {
            return self.write(ctx, purpose);
        }
        let id = self.mnesia.next_transaction;
        self.mnesia.next_transaction += 1;
        let mut to_lock = Vec::new();
        if purpose.locks().is_some() {
            to_lock = self.running_peers();
            to_lock.push(self.me);
            to_lock.sort_unstable();
        }
        let (waiting, asked, agreed) = (Vec::new(), Vec::new(), Vec::new());
        let transaction =
            Transaction { id, to_lock, waiting, asked, agreed, working: true, purpose };
        let locks = transaction.purpose.locks().is_some();
        self.mnesia.transactions.push(transaction);
        if locks {
            self.lock_next(ctx, id);
        } else {
            self.ask_for_votes(ctx, id);
        }
        let config = self.config.clone();
        let work = config.costs.mnesia_transaction.span(ctx.random());
        ctx.after(work, Lane::MAIN, MnesiaMessage::TransactionDone { transaction: id }.into());
    }

    /// Asks the next node for its lock.
    fn lock_next(&mut self, ctx: &mut Context<'_, Message>, id: u32) {
        let from = self.me;
        let Some(transaction) = self.mnesia.transactions.iter_mut().find(|t| t.id == id) else {
            return;
        };
        if transaction.to_lock.is_empty() || !transaction.waiting.is_empty() {
            return;
        }
        let (next, locks) = (transaction.to_lock.remove(0), transaction.purpose.locks());
        transaction.asked.push(next);
        transaction.waiting.push(next);
        let (transaction, joins) = (id, None);
        let prepare = MnesiaMessage::Prepare { from, transaction, locks, joins };
        self.send_node(ctx, next, prepare);
    }

    /// Asks every running peer that was not asked yet. Nodes that have joined since the
    /// transaction began have changes that this node must have seen, and get its own.
    fn ask_for_votes(&mut self, ctx: &mut Context<'_, Message>, id: u32) {
        let (from, mut peers) = (self.me, self.running_peers());
        let Some(transaction) = self.mnesia.transactions.iter().find(|t| t.id == id) else {
            return;
        };
        // One that finds nothing to change reads this node's tables only.
        if let Purpose::NodeDown { node } = transaction.purpose
            && self.queues_lost_with(node).is_empty()
        {
            peers.clear();
        }
        let Some(transaction) = self.mnesia.transactions.iter_mut().find(|t| t.id == id) else {
            return;
        };
        let joins = match transaction.purpose {
            Purpose::Join { node, incarnation, .. } => Some((node, incarnation)),
            _ => None,
        };
        let joins_itself = |peer: &NodeId| joins.is_some_and(|(node, _)| node == *peer);
        let asked = &transaction.asked;
        let new = peers.into_iter().filter(|peer| !asked.contains(peer) && !joins_itself(peer));
        let new: Vec<NodeId> = new.collect();
        transaction.asked.extend(&new);
        transaction.waiting.extend(&new);
        for peer in new {
            let (transaction, locks) = (id, None);
            let prepare = MnesiaMessage::Prepare { from, transaction, locks, joins };
            self.send_node(ctx, peer, prepare);
        }
    }

    /// A node that is down does not vote.
    pub(crate) fn abandon_votes(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let ids: Vec<u32> = self.mnesia.transactions.iter().map(|t| t.id).collect();
        for transaction in &mut self.mnesia.transactions {
            transaction.to_lock.retain(|other| *other != node);
            transaction.waiting.retain(|other| *other != node);
        }
        for id in ids {
            self.lock_next(ctx, id);
            let mut transactions = self.mnesia.transactions.iter();
            if transactions.any(|t| t.id == id && t.waiting.is_empty() && !t.working) {
                ctx.tell(Lane::MAIN, MnesiaMessage::TransactionDone { transaction: id }.into());
            }
        }
        let ids: Vec<u32> = self.mnesia.committing.iter().map(|committing| committing.id).collect();
        for id in ids {
            self.committed_at(ctx, node, id);
        }
    }

    /// A peer has changed its tables, or is down. When all have, the transaction is over:
    /// rabbit_misc.erl `execute_mnesia_transaction` uses `mnesia:sync_transaction`, so that what is
    /// done next meets tables that have changed, wherever it comes.
    pub(crate) fn committed_at(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, id: u32) {
        let committing = &mut self.mnesia.committing;
        let Some(at) = committing.iter().position(|committing| committing.id == id) else { return };
        committing[at].waiting.retain(|waiting| *waiting != node);
        if !committing[at].waiting.is_empty() {
            return;
        }
        let Committing { locked, then, .. } = committing.remove(at);
        for (to, message) in then {
            self.send(ctx, to, message, 60);
        }
        let from = self.me;
        for node in locked {
            // One that has gone meanwhile has freed the locks by itself.
            if node == from || self.sees(node) {
                self.send_node(ctx, node, MnesiaMessage::Release { from, transaction: id });
            }
        }
    }

    /// What is sent when the transaction that is being decided is over.
    pub(crate) fn then(&mut self, to: Pid, message: impl Into<Message>) {
        if let Some(committing) = self.mnesia.committing.last_mut() {
            committing.then.push((to, message.into()));
        }
    }

    pub(crate) fn then_here(&mut self, to: Lane, message: impl Into<Message>) {
        self.then(self.pid(to), message);
    }

    /// Asked to vote. A node that joins gets every change that is decided here from now on, in
    /// addition to those that its coordinator has got before this vote.
    pub(crate) fn prepare(
        &mut self,
        ctx: &mut Context<'_, Message>,
        from: NodeId,
        transaction: u32,
        locks: Option<QueueId>,
        joins: Option<(NodeId, u32)>,
    ) {
        let agrees = joins.is_none_or(|(node, incarnation)| self.join_peer(node, incarnation));
        if let Some(queue) = locks {
            let lock = match self.mnesia.locks.iter().position(|lock| lock.queue == queue) {
                Some(at) => &mut self.mnesia.locks[at],
                None => {
                    self.mnesia.locks.push(Lock { queue, transactions: VecDeque::new() });
                    self.mnesia.locks.last_mut().expect("it was just pushed")
                }
            };
            lock.transactions.push_back((from, transaction));
            if lock.transactions.len() > 1 {
                return;
            }
        }
        let vote = MnesiaMessage::Vote { from: self.me, transaction, agrees };
        self.send_node(ctx, from, vote);
    }

    /// A transaction is over: those that wait for its locks go on.
    pub(crate) fn release(
        &mut self,
        ctx: &mut Context<'_, Message>,
        from: NodeId,
        transaction: u32,
    ) {
        self.release_if(ctx, |locker| *locker == (from, transaction));
    }

    /// A node that is down has no locks.
    pub(crate) fn release_all(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        self.release_if(ctx, |locker| locker.0 == node);
    }

    fn release_if(
        &mut self,
        ctx: &mut Context<'_, Message>,
        over: impl Fn(&(NodeId, u32)) -> bool,
    ) {
        let mut granted = Vec::new();
        for lock in &mut self.mnesia.locks {
            let had = lock.transactions.front().copied();
            lock.transactions.retain(|locker| !over(locker));
            let has = lock.transactions.front().copied();
            granted.extend(has.filter(|_| has != had));
        }
        self.mnesia.locks.retain(|lock| !lock.transactions.is_empty());
        for (to, transaction) in granted {
            let vote = MnesiaMessage::Vote { from: self.me, transaction, agrees: true };
            self.send_node(ctx, to, vote);
        }
    }

    /// Whether that start of a peer is connected; then its Mnesia is one with this node's.
    fn join_peer(&mut self, node: NodeId, incarnation: u32) -> bool {
        // One whose tables are on their way here has joined as well.
        let joined = self.status == Status::Running || self.mnesia.asked.is_some();
        let Some(peer) = self.peer(node) else { return false };
        let connected = matches!(peer.link, Link::Up(_)) && peer.incarnation == Some(incarnation);
        peer.running |= joined && connected;
        joined && connected
    }

    /// mnesia_schema.erl `merge_schema`, mnesia_loader.erl: every running node knows of the joiner,
    /// and what they had decided before that has arrived here: the tables are complete.
    fn hand_over_tables(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        incarnation: u32,
        mut running: Vec<NodeId>,
    ) {
        if self.join_peer(node, incarnation) {
            running.push(self.me);
            let tables = Box::new(self.mnesia.tables.clone());
            self.send_node(ctx, node, MnesiaMessage::Tables { tables, running });
        }
    }

    /// rabbit_amqqueue.erl v3.10 `on_node_down`: queues without mirrors whose process was there
    /// leave `rabbit_queue`; bindings of durable ones stay, those of others go with them. Since
    /// 3.11 durable ones stay (`filter_transient_queues_to_delete`). Each with whether it is durable.
    pub(crate) fn queues_lost_with(&self, node: NodeId) -> Vec<(QueueId, bool)> {
        let config = &self.config;
        let lost = (0..config.queues.len() as u32).map(QueueId).filter(|&queue| {
            let record = self.mnesia.tables.queue(queue);
            let lived_there = record.is_some_and(|record| record.leader.node == node);
            let stays = match config.queue(queue).durable {
                true => config.settings.rules.has(Rule::KeepRecordsOfDurableQueues),
                false => self.keeps_transient_records(),
            };
            lived_there && !stays && self.mirroring(queue).is_none()
        });
        lost.map(|queue| (queue, config.queue(queue).durable)).collect()
    }
}

impl Node {
    /// Queues that are not durable, and of which the tables say that they live here.
    pub(crate) fn own_transient_queues(&self) -> Vec<(QueueId, bool)> {
        let config = &self.config;
        let transient = (0..config.queues.len() as u32).map(QueueId).filter(|&queue| {
            let record = self.mnesia.tables.queue(queue);
            let here = record.is_some_and(|record| record.leader.node == self.me);
            here && !config.queue(queue).durable
        });
        transient.map(|queue| (queue, false)).collect()
    }
}

impl Broker {
    /// What comes to this node's Mnesia.
    pub(crate) fn mnesia_message(
        &mut self,
        ctx: &mut Context<'_, Message>,
        message: MnesiaMessage,
    ) {
        let node = &mut self.node;
        match message {
            MnesiaMessage::Status { from, progress } => {
                node.status_of(ctx, from, progress);
                self.continue_boot(ctx);
            }
            MnesiaMessage::Fetch { from, anyway } => {
                let incarnation = node.peer(from).and_then(|peer| peer.incarnation);
                if let Some(incarnation) = incarnation.filter(|_| node.status == Status::Running) {
                    node.transaction(ctx, Purpose::Join { node: from, incarnation, anyway });
                }
            }
            MnesiaMessage::Unseen { nodes } => node.unseen(ctx, &nodes),
            MnesiaMessage::Tables { tables, running } => self.join(ctx, *tables, &running),
            MnesiaMessage::NodeRunning { from } => node.member_running(from),
            MnesiaMessage::TablesTimeout { start } => self.tables_timeout(ctx, start),
            MnesiaMessage::Prepare { from, transaction, locks, joins } => {
                node.prepare(ctx, from, transaction, locks, joins);
            }
            MnesiaMessage::Release { from, transaction } => node.release(ctx, from, transaction),
            MnesiaMessage::Vote { from, transaction, agrees } => {
                self.vote(ctx, from, transaction, agrees);
            }
            MnesiaMessage::TransactionDone { transaction } => self.work_done(ctx, transaction),
            MnesiaMessage::Commit { from, transaction, op, record } => {
                if node.status == Status::Booting {
                    // Decided while the tables are on their way here: it comes on top of them.
                    node.mnesia.early.push(*op);
                } else {
                    self.node.mnesia.tables.apply(&op);
                    let whole = self.node.config.settings.rules.has(Rule::WriteWholeRecords);
                    if let Some(record) = record.filter(|_| whole) {
                        self.node.mnesia.tables.overwrite(&op, *record);
                    }
                    self.tables_changed(ctx, &op);
                }
                let done = MnesiaMessage::Committed { from: self.node.me, transaction };
                self.node.send_node(ctx, from, done);
            }
            MnesiaMessage::Committed { from, transaction } => {
                node.committed_at(ctx, from, transaction);
            }
        }
    }

    pub(crate) fn vote(
        &mut self,
        ctx: &mut Context<'_, Message>,
        from: NodeId,
        id: u32,
        agrees: bool,
    ) {
        let transactions = &mut self.node.mnesia.transactions;
        if let Some(transaction) = transactions.iter_mut().find(|t| t.id == id) {
            transaction.waiting.retain(|waiting| *waiting != from);
            if agrees {
                transaction.agreed.push(from);
            }
            self.node.lock_next(ctx, id);
            self.commit_if_due(ctx, id);
        }
    }

    pub(crate) fn work_done(&mut self, ctx: &mut Context<'_, Message>, id: u32) {
        let transactions = &mut self.node.mnesia.transactions;
        if let Some(transaction) = transactions.iter_mut().find(|t| t.id == id) {
            transaction.working = false;
            self.commit_if_due(ctx, id);
        }
    }

    fn commit_if_due(&mut self, ctx: &mut Context<'_, Message>, id: u32) {
        let due = |transaction: &Transaction| {
            transaction.id == id
                && !transaction.working
                && transaction.to_lock.is_empty()
                && transaction.waiting.is_empty()
        };
        if !self.node.mnesia.transactions.iter().any(due) {
            return;
        }
        self.node.ask_for_votes(ctx, id);
        let transactions = &mut self.node.mnesia.transactions;
        let Some(at) = transactions.iter().position(due) else { return };
        let Transaction { purpose, asked, agreed, .. } = transactions.remove(at);
        let locked = if purpose.locks().is_some() { asked } else { Vec::new() };
        let (waiting, then) = (Vec::new(), Vec::new());
        self.node.mnesia.committing.push(Committing { id, waiting, locked, then });
        self.decide(ctx, purpose, agreed);
        let me = self.node.me;
        self.node.committed_at(ctx, me, id);
    }

    /// All have voted: what is to be done is decided on this node's tables as they are now.
    fn decide(&mut self, ctx: &mut Context<'_, Message>, purpose: Purpose, agreed: Vec<NodeId>) {
        match purpose {
            Purpose::RecordRingDeath { queue, dead, by } => {
                self.commit(ctx, TableOp::RingWithout { queue, gm: dead });
                self.node.then_here(by, RingMessage::DeathRecorded { dead });
            }
            // The ring in the tables is that of the living already.
            Purpose::EraseFromRing { by, .. } => self.node.then_here(by, RingMessage::Erased),
            Purpose::RemoveFromQueue { queue, by } => {
                self.remove_from_queue(ctx, queue, by);
                self.node.then_here(by, QueueMessage::DeathsRemoved);
            }
            Purpose::JoinRing { queue, member } => self.join_ring(ctx, queue, member),
            Purpose::AddMirror { queue, mirror } => self.mirror_added(ctx, queue, mirror),
            Purpose::Synchronised { queue, mirror } => self.synchronised(ctx, queue, mirror),
            Purpose::QueueStopped { queue, by } => {
                self.commit(ctx, TableOp::Stopped { queue });
                self.node.then_here(by, QueueMessage::Terminate);
            }
            Purpose::StopMirrors { queue, by } => self.mirrors_stopped(ctx, queue, by),
            Purpose::Recovered { queue, leader, ring } => {
                self.recovered(ctx, queue, leader, ring);
            }
            Purpose::Declare { queue, leader, channel, owner } => {
                self.declared(ctx, queue, leader, channel, owner);
            }
            Purpose::Delete { queue, by } => {
                self.commit(ctx, TableOp::Drop { queues: vec![(queue, false)] });
                self.node.then_here(by, LeaderMessage::Deleted);
            }
            Purpose::Policy { change, action } => self.change_policies(ctx, &change, action),
            Purpose::Forget { node, action } => self.forget(ctx, node, action),
            Purpose::RingMade { queue, member } => {
                self.commit(ctx, TableOp::RingMade { queue, member });
                self.node.then_here(member.replica.lane, LeaderMessage::RingMade);
            }
            Purpose::ForceDelete { queue, action } => {
                self.commit(ctx, TableOp::Drop { queues: vec![(queue, false)] });
                let answer = Ok(());
                self.node.then_here(Lane::MAIN, NodeMessage::Answered { action, answer });
            }
            Purpose::Members { queue, node, joins, number } => {
                self.commit(ctx, TableOp::Members { queue, node, joins });
                self.node.then_here(Lane::MAIN, NodeMessage::MembersRecorded { number });
            }
            Purpose::NodeDown { node } => {
                self.queues_gone(ctx, node);
                self.node.then_here(Lane::MAIN, MonitorMessage::CleanedUp { node });
            }
            // Khepri's alone.
            Purpose::TransientGone => {}
            Purpose::Join { node, incarnation, anyway } => {
                let running = self.node.running_peers();
                let unseen = |peer: &NodeId| *peer != node && !agreed.contains(peer);
                let unseen: Vec<NodeId> = running.into_iter().filter(unseen).collect();
                if unseen.is_empty() || anyway {
                    self.node.hand_over_tables(ctx, node, incarnation, agreed);
                } else {
                    self.node.send_node(ctx, node, MnesiaMessage::Unseen { nodes: unseen });
                }
            }
        }
    }

    pub(crate) fn replica(&mut self, lane: Lane) -> Option<&mut Replica> {
        let index = self.index(lane)?;
        match &mut self.processes[index] {
            Some(Process::Replica(replica)) => Some(replica),
            _ => None,
        }
    }

    /// Changes the tables here and at every member that runs. Those of nodes that are at odds differ,
    /// and a node that has joined both sides writes what it has over either of them.
    pub(crate) fn commit(&mut self, ctx: &mut Context<'_, Message>, op: TableOp) {
        if self.node.mnesia.between_sides || !self.node.monitor.partitions.is_empty() {
            self.committed(ctx, &op);
            let op = self.node.mnesia.tables.written(op);
            self.send_commit(ctx, &op);
        } else {
            self.node.mnesia.tables.apply(&op);
            self.send_commit(ctx, &op);
            self.tables_changed(ctx, &op);
        }
    }

    fn send_commit(&mut self, ctx: &mut Context<'_, Message>, op: &TableOp) {
        let (from, peers) = (self.node.me, self.node.running_peers());
        if let Some(committing) = self.node.mnesia.committing.last_mut() {
            let transaction = committing.id;
            committing.waiting.clone_from(&peers);
            for peer in peers {
                let record = op.queue().and_then(|queue| self.node.mnesia.tables.queue(queue));
                let (op, record) = (Box::new(op.clone()), record.cloned().map(Box::new));
                let commit = MnesiaMessage::Commit { from, transaction, op, record };
                self.node.send_node(ctx, peer, commit);
            }
        }
    }

    /// The tables change; processes that the change concerns are told.
    pub(crate) fn committed(&mut self, ctx: &mut Context<'_, Message>, op: &TableOp) {
        self.node.mnesia.tables.apply(op);
        self.tables_changed(ctx, op);
    }

    fn tables_changed(&mut self, ctx: &mut Context<'_, Message>, op: &TableOp) {
        self.node.update_recoverable(op);
        if let TableOp::Members { queue, node, .. } = op {
            self.node.forget_member(*queue, *node);
        }
        let queue = match op {
            TableOp::Insert { queue, .. }
            | TableOp::RingWithout { queue, .. }
            | TableOp::JoinRing { queue, .. }
            | TableOp::RingMade { queue, .. }
            | TableOp::MirrorsStopped { queue }
            | TableOp::Write { queue, .. } => *queue,
            _ => return,
        };
        let Some(record) = self.node.mnesia.tables.queue(queue) else { return };
        let members: Vec<Pid> = record.replicas().collect();
        let replaced = matches!(op, TableOp::Insert { .. });
        for process in self.processes.iter().flatten() {
            match process {
                // Its leader has come back without it: it stops, and joins anew.
                Process::Replica(replica)
                    if replica.queue() == queue && replaced && !members.contains(&replica.me()) =>
                {
                    ctx.tell(replica.me().lane, QueueMessage::StopMirror.into());
                }
                Process::Group(group) if group.queue() == queue => {
                    let stays = !replaced || members.contains(&group.replica());
                    if stays || !self.node.alive.contains(&group.replica().lane) {
                        ctx.tell(group.me().lane, RingMessage::View.into());
                    }
                }
                _ => {}
            }
        }
    }

    /// A member is down: what lived on it alone leaves the tables, unless it is back by now.
    fn queues_gone(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let gone = self.node.queues_lost_with(node);
        let back = self.node.peer(node).is_some_and(|peer| peer.running);
        if gone.is_empty() || back {
            return;
        }
        let (now, config) = (ctx.now(), self.node.config.clone());
        for &(queue, _) in &gone {
            let mut event = self.node.own_event(event::QUEUE_UNAVAILABLE, Some(node));
            event.destination = Some(config.destination(queue));
            ctx.observer().event(now, event);
        }
        self.commit(ctx, TableOp::Drop { queues: gone });
    }
}
