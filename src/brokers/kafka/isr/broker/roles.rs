//! What a replica does when the controller says who leads (ReplicaManager.becomeLeaderOrFollower;
//! Partition.makeLeader, makeFollower).

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::Time;
use crate::observe::{BecauseId, CauseId, Event, EventId, NodeId};
use crate::world::Context;

use super::super::message::{Error, Message, Response};
use super::super::rules::Rule;
use super::super::state::{PartitionState, View};
use super::super::words::{because, cause, event, role};
use super::{Broker, Leading, Replica, Role, Status, report_removed};

impl Broker {
    /// `LeaderAndIsr` of a ZooKeeper controller.
    pub(super) fn leader_and_isr(
        &mut self,
        controller_epoch: u32,
        broker_epoch: Option<u64>,
        states: &[(PartitionId, PartitionState)],
        ctx: &mut Context<'_, Message>,
    ) -> Response {
        if controller_epoch < self.controller_epoch {
            return Response::LeaderAndIsr(Error::StaleControllerEpoch);
        }
        let meant = broker_epoch.filter(|_| self.config.has(Rule::BrokerEpochs));
        if meant.is_some_and(|epoch| epoch < self.broker_epoch()) {
            return Response::LeaderAndIsr(Error::StaleBrokerEpoch);
        }
        self.controller_epoch = controller_epoch;
        for (partition, state) in states {
            // "since its associated leader epoch is not higher": another ISR alone is not told
            // this way (ReplicaManager.scala 2.8, becomeLeaderOrFollower).
            let known = self.replica(*partition).and_then(|replica| replica.state);
            // "Only change partition state when the leader is available": before a new one is
            // elected, what the log has behind its high watermark may be committed.
            let available = |leader| leader == self.me || self.view.alive.has(leader);
            let follows_nobody = !state.leader.is_some_and(available);
            if follows_nobody && self.config.has(Rule::FollowLiveLeader) {
                continue;
            }
            if known.is_none_or(|known| state.leader_epoch > known.leader_epoch) {
                self.take_state(*partition, *state, ctx);
            }
        }
        Response::LeaderAndIsr(Error::None)
    }

    /// `UpdateMetadata` of a ZooKeeper controller.
    pub(super) fn update_metadata(&mut self, controller_epoch: u32, view: Arc<View>) -> Response {
        if controller_epoch < self.controller_epoch {
            return Response::Done(Error::StaleControllerEpoch);
        }
        self.controller_epoch = controller_epoch;
        self.view = view;
        Response::Done(Error::None)
    }

    /// `StopReplica`: the replicas of a broker that shuts down follow nobody any more.
    pub(super) fn stop_replicas(
        &mut self,
        controller_epoch: u32,
        partitions: &[PartitionId],
        ctx: &mut Context<'_, Message>,
    ) -> Response {
        if controller_epoch < self.controller_epoch {
            return Response::Done(Error::StaleControllerEpoch);
        }
        self.controller_epoch = controller_epoch;
        for partition in partitions {
            self.stop_following(*partition, ctx);
        }
        Response::Done(Error::None)
    }

    /// The controller's word on a partition. An older leader epoch, or the one that is known
    /// already, changes nothing but the ISR of a leader that goes on.
    pub(super) fn take_state(
        &mut self,
        partition: PartitionId,
        state: PartitionState,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(replica) = self.replica(partition) else { return };
        let (known, leads) = (replica.state, replica.leads());
        if let Some(known) = known {
            let newer = (state.leader_epoch, state.partition_epoch)
                > (known.leader_epoch, known.partition_epoch);
            if !newer || state.leader_epoch < known.leader_epoch {
                return;
            }
            if leads && state.leader_epoch == known.leader_epoch {
                return self.take_isr(partition, state, ctx);
            }
        }
        match state.leader {
            Some(leader) if leader == self.me => self.lead(partition, state, ctx),
            _ => self.follow(partition, state, ctx),
        }
        self.touch(partition);
    }

    /// Leads from now on, in a new epoch.
    fn lead(
        &mut self,
        partition: PartitionId,
        state: PartitionState,
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, me, now) = (self.config.clone(), self.me, ctx.now());
        self.stop_following(partition, ctx);
        // Whoever leads again, in another epoch, answers those that wait as one that does not.
        self.resign(partition, ctx);
        let Some(replica) = self.replica_mut(partition) else { return };
        let end = replica.log.end();
        replica.state = Some(state);
        if config.has(Rule::TruncateByEpoch) && config.has(Rule::WriteEpochOnElection) {
            let cuts = config.has(Rule::CutEpochsWithLog);
            replica.epochs.assign(state.leader_epoch, end, cuts);
        }
        let leading = Leading::new(config.replicas(partition), me, state.isr, end, ctx.clock());
        replica.role = Role::Leader(Box::new(leading));
        replica.led.push(state.leader_epoch);
        let alone = state.isr.len() == 1 && config.replicas(partition).len() > 1;
        replica.alone_since = alone.then_some(replica.high_watermark);
        self.report_role(partition, Some(role::LEADER), ctx);
        for node in state.isr.without(me).iter() {
            for destination in config.streams.destinations_of(partition) {
                ctx.observer().role(now, node, *destination, Some(role::IN_SYNC));
            }
        }
        self.report_event(
            ctx,
            now,
            event::LEADER,
            Some(partition),
            None,
            u64::from(state.leader_epoch),
        );
        self.coordinate(partition, state.leader_epoch, ctx);
        self.coordinate_transactions(partition, state.leader_epoch, ctx);
        self.ends_moved(partition, ctx);
    }

    /// Follows from now on, in a new epoch, or waits for a leader.
    fn follow(
        &mut self,
        partition: PartitionId,
        state: PartitionState,
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        self.resign(partition, ctx);
        let Some(replica) = self.replica_mut(partition) else { return };
        let before = replica.state.and_then(|known| known.leader);
        let elsewhere = replica.leader_epoch() != state.leader_epoch;
        let high_watermark = replica.high_watermark;
        replica.state = Some(state);
        replica.role = Role::Follower;
        replica.followed.extend(state.leader.map(|leader| (state.leader_epoch, leader)));
        let in_sync = state.isr.has(self.me);
        let word = if in_sync { role::IN_SYNC } else { role::OUT_OF_SYNC };
        self.report_role(partition, Some(word), ctx);
        if elsewhere {
            // Consumers that read here know another epoch.
            self.answer_parked(partition, ctx);
        }
        let Some(leader) = state.leader else {
            return self.stop_following(partition, ctx);
        };
        if !elsewhere && before == Some(leader) {
            // "Otherwise, fetcher is restarted if the leader epoch has changed"
            // (ReplicaManager.scala 3.3, applyLocalFollowersDelta).
            if self.status == Status::Stopping && self.begins_no_fetch(partition) {
                self.stop_following(partition, ctx);
            }
            return;
        }
        // Up to 0.10 (ReplicaManager.scala 0.10.2, makeFollowers); 0.8.0 and 0.8.1 did nothing if
        // the leader was the same.
        if !config.has(Rule::TruncateByEpoch)
            && (config.has(Rule::CutOnSameLeader) || before != Some(leader))
        {
            let why = (cause::TRUNCATED_TO_HIGH_WATERMARK, BecauseId::NONE);
            self.truncate(partition, high_watermark, why, ctx);
        }
        self.follow_leader(partition, leader, ctx);
    }

    /// Does not lead any more: who waits is told so.
    pub(super) fn resign(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        if !self.leads(partition) {
            return;
        }
        self.fail_writes(partition, ctx);
        self.stop_coordinating(partition, ctx);
        self.stop_coordinating_transactions(partition, ctx);
        // Fetches are answered by what the replica is afterwards.
        let Some(replica) = self.replica_mut(partition) else { return };
        replica.role = Role::Follower;
        self.answer_parked(partition, ctx);
    }

    /// Cuts a log: to `to`, if it is longer.
    pub(super) fn truncate(
        &mut self,
        partition: PartitionId,
        to: u64,
        (cause, because): (CauseId, BecauseId),
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, me, now) = (self.config.clone(), self.me, ctx.now());
        self.asks_otherwise(partition);
        let Some(replica) = self.replica_mut(partition) else { return };
        if replica.log.end() <= to {
            // "Always truncate epoch cache since we may have a conflicting epoch entry at the end
            // of the log": of an epoch that it began as a leader and in which it appended nothing
            // (Log.scala 2.0.1, truncateTo; KAFKA-7415).
            if config.has(Rule::CutEpochsWithLog) {
                replica.epochs.truncate(replica.log.end());
            }
            return;
        }
        let mut pieces = Vec::new();
        replica.log.truncate(to, |piece| pieces.push(piece));
        let cut: u64 = pieces.iter().map(|piece| u64::from(piece.messages.count)).sum();
        let mut gone = Vec::<(Piece, BecauseId)>::new();
        for piece in pieces.iter().flat_map(|piece| replica.told_apart(piece)) {
            let because = match because {
                BecauseId::NONE => why_cut(replica, &piece, cause),
                given => given,
            };
            let joined = gone.last().filter(|(_, why)| *why == because);
            match joined.and_then(|(behind, _)| piece.with(behind)) {
                Some(both) => *gone.last_mut().expect("one is there") = (both, because),
                None => gone.push((piece, because)),
            }
        }
        for (piece, because) in &gone {
            report_removed(&config, (now, me), piece, (cause, *because), ctx.observer());
        }
        if config.has(Rule::CutEpochsWithLog) {
            replica.epochs.truncate(replica.log.end());
        }
        replica.producers.cut(&replica.log, config.batches_kept());
        replica.storage.held = None;
        replica.forget_behind_end();
        ctx.truncate(replica.log.file(), replica.log.length());
        self.report_event(ctx, now, event::TRUNCATED, Some(partition), None, cut);
        self.touch(partition);
    }

    pub(super) fn report_role(
        &self,
        partition: PartitionId,
        role: Option<crate::observe::RoleId>,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, me) = (ctx.now(), self.me);
        for destination in self.config.streams.destinations_of(partition) {
            ctx.observer().role(now, me, *destination, role);
        }
    }

    pub(super) fn report_event(
        &self,
        ctx: &mut Context<'_, Message>,
        at: Time,
        word: EventId,
        partition: Option<PartitionId>,
        subject: Option<NodeId>,
        count: u64,
    ) {
        // Of internal topics it is told who coordinates a group.
        if partition.is_some_and(|partition| self.config.streams.is_internal(partition)) {
            return;
        }
        let destination =
            partition.and_then(|p| self.config.streams.destinations_of(p).first().copied());
        let event = Event { word, node: self.me, destination, subject, count };
        ctx.observer().event(at, event);
    }
}

/// Why what a follower cuts off to be as its leader is not in that one's log. The answer lies in
/// what this replica was and was told: the only member of the ISR; a leader that had not
/// replicated it to all of the ISR; a follower that cuts what it does not know to be committed,
/// whoever else has it; or a member like others, and the leader was elected from outside the
/// ISR, or came back with less than it had.
fn why_cut(replica: &Replica, piece: &Piece, cause: CauseId) -> BecauseId {
    let replicated = piece.base < replica.replicated;
    let led = replica.led.contains(&piece.epoch);
    let unclean = replica.state.and_then(|state| state.unclean);
    if replica.had_alone(piece) {
        because::ISR_SHRUNK_TO_LEADER
    } else if (replicated || !led) && unclean.is_some_and(|epoch| epoch > piece.epoch) {
        because::UNCLEAN_ELECTION
    } else if cause == cause::TRUNCATED_TO_HIGH_WATERMARK && (replicated || !led) {
        because::HIGH_WATERMARK_BEHIND
    } else if !replicated && !replica.had_from_leader(piece) {
        because::ACKED_BEFORE_REPLICATED
    } else {
        because::LEADER_LACKED_IT
    }
}
