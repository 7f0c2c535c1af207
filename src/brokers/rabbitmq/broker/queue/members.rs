//! Who belongs to a mirrored queue: mirrors that are added, replaced, stopped, dropped, and who
//! leads (rabbit_mirror_queue_misc.erl, v3.10).

use crate::observe::{NodeId, Removal};
use crate::world::{Context, Lane};

use super::super::super::arguments::Arguments;
use super::super::super::message::mnesia::{Member, TableOp};
use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::{LeaderMessage, MirrorMessage, QueueMessage};
use super::super::super::message::ring::Instruction;
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::super::mirroring::{Mirroring, without};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause, event};
use super::super::cluster::mnesia::{Purpose, QueueRecord};
use super::super::ring::gm::Group;
use super::super::store::BackingQueue;
use super::super::{Broker, Node, Process, Status};
use super::base::Base;
use super::replica::{Leader, Replica, Role};

/// A leader that stops its mirrors before itself.
#[derive(Clone, Debug)]
pub(crate) struct Stopping {
    /// Mirrors that have not stopped yet; it waits for one after the other.
    waiting: Vec<Pid>,
    /// How many it has waited for.
    turn: u32,
    /// It goes on without them, for no policy wants them any more.
    pub(super) goes_on: bool,
}

fn nodes(pids: &[Pid]) -> Vec<NodeId> {
    pids.iter().map(|pid| pid.node).collect()
}

impl Broker {
    /// `remove_from_queue`: the first replica that lives, in the order leader, mirrors by age,
    /// leads; whatever it holds.
    pub(crate) fn remove_from_queue(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        by: Lane,
    ) {
        let me = self.node.pid(by);
        let rules = self.node.config.settings.rules;
        let Some(record) = self.node.mnesia.tables.queue(queue) else { return };
        let leader = record.leader;
        let lives = |pid: &Pid| record.ring.iter().any(|member| member.replica == *pid);
        let Some(first) = record.replicas().find(lives) else { return };
        let mut dead: Vec<Pid> = record.replicas().filter(|pid| !lives(pid)).collect();
        // `DoNotPromote` looks at the record as it is, whether those in it live or not.
        let nobody = record.synchronised.is_empty();
        let policy = self.node.mirroring(queue);
        let when_synced = policy.is_some_and(|policy| !policy.promote_on_failure_always);
        let becomes_leader = first == me && leader != me && rules.has(Rule::PromoteOldestMirror);
        if becomes_leader && nobody && when_synced {
            let mut event = self.node.own_event(event::PROMOTION_REFUSED, None);
            event.destination = Some(self.node.config.destination(queue));
            let now = ctx.now();
            ctx.observer().event(now, event);
            self.node.then_here(by, QueueMessage::NotSynced);
            return;
        }
        let promoted = becomes_leader.then_some(me);
        if promoted.is_none() {
            // Who is to lead writes that into the record itself ("[1] We still update mnesia here
            // in case the mirror that is supposed to become master dies before it does do so").
            dead.retain(|pid| *pid != leader);
        }
        if promoted.is_none() && dead.is_empty() {
            return;
        }
        self.commit(ctx, TableOp::ReplicasWithout { queue, dead: dead.clone(), leader: promoted });
        if promoted.is_some() {
            let mirror = self.replica(by).is_some_and(|replica| replica.role() == Role::Mirror);
            if mirror {
                self.node.then_here(by, QueueMessage::Promote);
            }
        }
        if promoted.is_some() || first == leader {
            self.replace(ctx, queue, &dead);
        }
    }

    /// `slaves_to_start_on_failure`, and `maybe_auto_sync`, for those that were not synchronised
    /// with a leader that is dead.
    fn replace(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId, dead: &[Pid]) {
        let config = self.node.config.clone();
        let Some(policy) = config.mirroring(&self.node.mnesia.tables, queue) else { return };
        let Some(record) = self.node.mnesia.tables.queue(queue) else { return };
        let (leader, mirrors) = (record.leader, nodes(&record.mirrors));
        let synchronised = nodes(&record.synchronised);
        if policy.automatic_sync {
            self.node.then(leader, LeaderMessage::SyncMirrors);
        }
        if !config.settings.rules.has(Rule::ReplaceLostMirrors) {
            return;
        }
        // "In case Mnesia has not caught up yet, filter out nodes we know to be dead."
        let running = without(&self.node.running_nodes(), &nodes(dead));
        let (_, wanted) =
            policy.suggested(leader.node, &mirrors, &synchronised, &running, ctx.random());
        for node in without(&wanted, &mirrors) {
            self.node.then(Pid { node, lane: Lane::MAIN }, NodeMessage::StartMirror { queue });
        }
    }

    /// gm.erl `join_group`, `{add_on_right, ...}`.
    pub(crate) fn join_ring(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        member: Member,
    ) {
        if !self.node.alive.contains(&member.gm.lane) {
            return;
        }
        let Some(record) = self.node.mnesia.tables.queue(queue) else {
            // rabbit_mirror_queue_slave.erl `init_it`: `master_in_recovery`. The mirror stops, and
            // starts again when somebody leads.
            self.node.then_here(member.replica.lane, QueueMessage::StopMirror);
            return;
        };
        // A joiner goes to the right of a random member; the first one makes the ring
        // (gm.erl: `prune_or_create_group`).
        let alive = record.ring.len() as u64;
        let right_of = match alive {
            0 => member.gm,
            _ => record.ring[ctx.random().below(alive) as usize].gm,
        };
        self.commit(ctx, TableOp::JoinRing { queue, member, right_of });
    }

    /// rabbit_mirror_queue_slave.erl `init_it`: only a mirror whose ring member has joined is added
    /// to the queue's record, for channels expect a confirm of every replica that is in it, and
    /// what is published from then on comes around the ring. Then it asks for the depth.
    pub(crate) fn mirror_added(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        mirror: Pid,
    ) {
        let Some(record) = self.node.mnesia.tables.queue(queue) else {
            self.node.then_here(mirror.lane, QueueMessage::StopMirror);
            return;
        };
        let joined = record.ring.iter().any(|member| member.replica == mirror);
        if !joined || !self.node.alive.contains(&mirror.lane) {
            // Buried meanwhile: its ring member notices and ends both.
            return;
        }
        let leader = record.leader;
        let leader_lives = record.ring.iter().any(|member| member.replica == leader);
        // Who leaves a ring that was given up is reported to nobody.
        let alone = record.ring.len() == 1 && record.mirrors.is_empty();
        let (now, destination) = (ctx.now(), self.node.config.destination(queue));
        let mut event = self.node.own_event(event::MIRROR_ADDED, None);
        event.destination = Some(destination);
        ctx.observer().event(now, event);
        self.commit(ctx, TableOp::AddMirror { queue, mirror });
        if !leader_lives && !alone {
            // gm.erl `validate_members`: who died while this one joined is reported to it now.
            self.node.then_here(mirror.lane, QueueMessage::GmDeath { dead: leader });
            return;
        }
        self.node.then_here(mirror.lane, MirrorMessage::MirrorAdded);
        let policy = self.node.mirroring(queue);
        if policy.is_some_and(|policy| policy.automatic_sync) {
            self.node.then(leader, LeaderMessage::SyncMirrors);
        }
    }

    /// rabbit_mirror_queue_slave.erl `record_synchronised`.
    pub(crate) fn synchronised(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        mirror: Pid,
    ) {
        let record = self.node.mnesia.tables.queue(queue);
        let listed = |record: &QueueRecord| record.synchronised.contains(&mirror);
        if record.is_none_or(listed) {
            return;
        }
        self.commit(ctx, TableOp::Synchronised { queue, mirror });
        if let Some(index) = self.index(mirror.lane)
            && let Some(Process::Replica(replica)) = &mut self.processes[index]
        {
            replica.holds_all();
            replica.report_role(&self.node, ctx);
            let depth = replica.base.bq.depth();
            replica.base.event(&self.node, ctx, event::SYNCHRONISED, depth);
        }
        self.drop_unlisted_leader(ctx, queue);
    }

    /// `maybe_drop_master_after_sync`: with `ha-mode = nodes` a leader on a node that the policy
    /// does not list has stayed only for want of a synchronised mirror.
    fn drop_unlisted_leader(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let config = self.node.config.clone();
        let Some(policy) = config.mirroring(&self.node.mnesia.tables, queue) else { return };
        let Some(record) = self.node.mnesia.tables.queue(queue) else { return };
        let leader = record.leader;
        let (mirrors, synchronised) = (nodes(&record.mirrors), nodes(&record.synchronised));
        let running = self.node.running_nodes();
        let (desired, _) =
            policy.suggested(leader.node, &mirrors, &synchronised, &running, ctx.random());
        if desired != leader.node && config.settings.rules.has(Rule::DropUnlistedLeader) {
            self.node.then(leader, QueueMessage::DropReplica);
        }
    }

    /// The home node announces its queue; where the policy wants mirrors they start
    /// (rabbit_mirror_queue_master.erl: `init_with_existing_bq`, `add_mirrors`).
    pub(crate) fn recovered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        leader: Pid,
        ring: Vec<Member>,
    ) {
        let config = self.node.config.clone();
        let durable = config.queue(queue).durable;
        // One that crashed and is started again belongs to whom it did.
        let owner = self.node.mnesia.tables.queue(queue).and_then(|record| record.owner);
        self.commit(ctx, TableOp::Insert { queue, leader, ring, durable, owner });
        if let Some(policy) = config.mirroring(&self.node.mnesia.tables, queue) {
            let running = self.node.running_nodes();
            let (_, wanted) = policy.suggested(leader.node, &[], &[], &running, ctx.random());
            for node in wanted {
                let node = Pid { node, lane: Lane::MAIN };
                self.node.then(node, NodeMessage::StartMirror { queue });
            }
        }
        self.one_recovered(ctx);
    }

    /// All mirrors of a leader that stops are stopped or given up.
    pub(crate) fn mirrors_stopped(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        by: Lane,
    ) {
        let me = self.node.pid(by);
        let record = self.node.mnesia.tables.queue(queue);
        if record.is_some_and(|record| record.leader == me) {
            self.commit(ctx, TableOp::MirrorsStopped { queue });
        }
        self.node.then_here(by, QueueMessage::MirrorsStopped);
    }

    /// The policy wants a mirror here. One that the queue's record no longer names ends first.
    pub(crate) fn start_mirror(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let Some(old) = self.replica_of(queue).map(Replica::me) else {
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
        ctx.tell(old.lane, QueueMessage::StopMirror.into());
    }
}

impl Node {
    /// How this node's tables have a queue mirrored, if they do.
    pub(crate) fn mirroring(&self, queue: QueueId) -> Option<&Mirroring> {
        self.config.mirroring(&self.mnesia.tables, queue)
    }

    /// What a queue's arguments and its policy come to, by this node's tables.
    #[inline]
    pub(crate) fn arguments(&self, queue: QueueId) -> &Arguments {
        self.config.arguments(&self.mnesia.tables, queue)
    }

    /// The members whose Mnesia is one with this node's, and itself (`rabbit_nodes:all_running`).
    pub(crate) fn running_nodes(&self) -> Vec<NodeId> {
        let mut running = self.running_peers();
        running.push(self.me);
        running.sort_unstable();
        running
    }

    /// Whether a member runs as this node sees it (`rabbit_mnesia:on_running_node`).
    pub(crate) fn runs(&self, node: NodeId) -> bool {
        node == self.me || self.peers.iter().any(|peer| peer.node == node && peer.running)
    }

    /// `on_vhost_up`: whether this node, which has just started, should hold a mirror. "We don't
    /// want to pass in the whole cluster - we don't want a situation where starting one node causes
    /// us to decide to start a mirror on another."
    pub(crate) fn wants_mirror(&self, ctx: &mut Context<'_, Message>, queue: QueueId) -> bool {
        let Some(policy) = self.mirroring(queue) else { return false };
        let Some(record) = self.mnesia.tables.queue(queue) else { return false };
        let (leader, mirrors) = (record.leader.node, nodes(&record.mirrors));
        let mut possible = vec![leader];
        possible.extend(&mirrors);
        if !possible.contains(&self.me) {
            possible.insert(0, self.me);
        }
        let synchronised = nodes(&record.synchronised);
        let (_, wanted) =
            policy.suggested(leader, &mirrors, &synchronised, &possible, ctx.random());
        wanted.contains(&self.me)
    }

    /// `add_mirror`: a mirror starts here, empty.
    pub(crate) fn start_mirror(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let Some(record) = self.mnesia.tables.queue(queue) else { return };
        let here =
            record.replicas().any(|pid| pid.node == self.me && self.alive.contains(&pid.lane));
        if here || record.leader.node == self.me || self.status == Status::Stopping {
            return;
        }
        // Its own old contents are deleted (rabbit_mirror_queue_slave.erl: `handle_go`,
        // `delete_crashed`).
        let bq = self.open_queue(queue);
        let bq = self.without_contents(ctx, queue, bq);
        let (lane, gm_lane) = (self.start(ctx), self.start(ctx));
        let (replica, gm) = (self.pid(lane), self.pid(gm_lane));
        let process =
            Replica::new(queue, replica, Some(gm), Role::Mirror, bq).with(self.arguments(queue));
        process.report_role(self, ctx);
        self.spawned.push((lane, Process::Replica(Box::new(process))));
        let group = Group::new(queue, gm, lane, false);
        self.spawned.push((gm_lane, Process::Group(Box::new(group))));
        self.transaction(ctx, Purpose::JoinRing { queue, member: Member { gm, replica } });
    }
}

impl Node {
    /// A node that starts recovers the queues that it leads, and deletes what it has of any other,
    /// whether a mirror starts here or not (rabbit_queue_index.erl v3.10 `start`: "Any queue
    /// directory we've not been asked to recover is considered garbage").
    pub(crate) fn delete_unclaimed(&mut self, ctx: &mut Context<'_, Message>) {
        for index in 0..self.config.queues.len() {
            if let Some(bq) = self.disk.queues[index].take() {
                let bq = self.without_contents(ctx, QueueId(index as u32), bq);
                self.disk.queues[index] = Some(bq);
            }
        }
    }

    pub(super) fn without_contents(
        &self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        mut bq: BackingQueue,
    ) -> BackingQueue {
        if self.config.settings.rules.has(Rule::WipeOnRejoin) {
            let record = self.mnesia.tables.queue(queue);
            let because = match record.is_some_and(|record| record.promoted_unsynchronised) {
                true => because::UNSYNCED_MIRROR_PROMOTED,
                false => because::ANOTHER_LEADER,
            };
            let (now, me) = (ctx.now(), self.me);
            bq.wipe(now, me, ctx.observer(), Removal { cause: cause::WIPED_ON_REJOIN, because });
            bq.restart_numbering();
        }
        bq
    }
}

impl Replica {
    /// rabbit_mirror_queue_master.erl `terminate`: without a synchronised mirror, and with
    /// `ha-promote-on-shutdown = when-synced`, nobody may take over.
    pub(crate) fn takes_mirrors_along(&self, node: &Node) -> bool {
        let Some(policy) = node.mirroring(self.base.queue) else { return false };
        let Some(record) = node.mnesia.tables.queue(self.base.queue) else { return false };
        self.role() == Role::Leader
            && record.leader == self.base.me
            && record.synchronised.is_empty()
            && !record.mirrors.is_empty()
            && !policy.promote_on_shutdown_always
            && node.config.settings.rules.has(Rule::StopMirrorsWithLeader)
    }
}

impl Leader<'_> {
    /// `stop_all_slaves`: tells them over the ring, then waits for each.
    pub(crate) fn stop_all_mirrors(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        goes_on: bool,
    ) {
        if !goes_on {
            self.base.event(node, ctx, event::MIRRORS_STOPPED, self.base.bq.depth());
        }
        let record = node.mnesia.tables.queue(self.base.queue);
        let mirrors = record.map_or(Vec::new(), |record| record.mirrors.clone());
        let running = node.running_nodes();
        let waiting: Vec<Pid> =
            mirrors.into_iter().filter(|mirror| running.contains(&mirror.node)).collect();
        for &mirror in &waiting {
            node.monitor(ctx, ctx.lane(), mirror);
        }
        self.base.broadcast(ctx, Instruction::DeleteAndTerminate);
        self.leading.stopping = Some(Stopping { waiting, turn: 0, goes_on });
        self.await_next_mirror(node, ctx);
    }

    fn await_next_mirror(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(stopping) = &mut self.leading.stopping else { return };
        if stopping.waiting.is_empty() {
            let (queue, by) = (self.base.queue, ctx.lane());
            node.transaction(ctx, Purpose::StopMirrors { queue, by });
            return;
        }
        stopping.turn += 1;
        let (turn, patience) = (stopping.turn, node.config.settings.slave_wait_timeout);
        ctx.after(patience, ctx.lane(), LeaderMessage::StopTimeout { turn }.into());
    }

    /// A mirror for which the leader waits has stopped, or is waited for no longer.
    pub(crate) fn mirror_stopped(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        mirror: Option<Pid>,
        turn: Option<u32>,
    ) {
        let Some(stopping) = &mut self.leading.stopping else { return };
        let first = stopping.waiting.first().copied();
        let over = first.is_some() && (mirror == first || turn == Some(stopping.turn));
        if over {
            stopping.waiting.remove(0);
            self.await_next_mirror(node, ctx);
        } else {
            stopping.waiting.retain(|waiting| Some(*waiting) != mirror);
        }
    }
}

impl Base {
    /// The process ends and its messages go with it: it was dropped, stopped, or may not lead.
    pub(crate) fn delete_and_end(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        removal: Removal,
        reason: DownReason,
    ) {
        let (now, here) = (ctx.now(), ctx.node());
        self.bq.wipe(now, here, ctx.observer(), removal);
        node.end_process(ctx.lane(), reason);
    }
}

impl Replica {
    /// `{error, {not_synced, _}}`: this mirror would lead and may not. The process stops, its ring
    /// member does not: the exit reason `normal` kills no linked process.
    pub(crate) fn not_synced(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.leaves_ring_member = node.config.settings.rules.has(Rule::RefusalLeavesRingMember);
        let because = because::NO_SYNCHRONISED_MIRROR;
        let removal = Removal { cause: cause::MIRROR_STOPPED, because };
        self.base.delete_and_end(node, ctx, removal, DownReason::Normal);
    }
}
