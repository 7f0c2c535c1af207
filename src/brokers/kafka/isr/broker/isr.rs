//! The ISR as its leader keeps it (Partition.scala: `maybeShrinkIsr`, `maybeExpandIsr`).

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;
use crate::world::{Context, Lane, Wait};

use super::super::config::Config;
use super::super::message::{Error, Message, Timer};
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::super::state::{PartitionChange, PartitionState};
use super::super::words::event;
use super::replica::isr_check_interval;
use super::{Broker, Replica, Role, Status};

impl Broker {
    /// `isr-expiration`: leaders look for late followers.
    pub(super) fn isr_expiration(&mut self, ctx: &mut Context<'_, Message>) {
        if self.status == Status::Off {
            return;
        }
        // How late followers are goes by the time of day, which may jump (`time.milliseconds()`).
        let (config, me, now) = (self.config.clone(), self.me, ctx.clock());
        ctx.after(isr_check_interval(&config), Lane::MAIN, Message::Timer(Timer::IsrExpiration));
        if !config.has(Rule::ShrinkIsr) {
            return;
        }
        self.write_down_sessions();
        for partition in config.all_partitions() {
            let Some(replica) = self.replica(partition).filter(|replica| replica.leads()) else {
                continue;
            };
            let late = replica.late(&config, me, now);
            if !late.is_empty() {
                let isr = replica.isr().minus(late);
                self.want_isr(partition, isr, ctx);
            }
        }
    }

    /// A follower has fetched: it may belong to the ISR now.
    pub(super) fn maybe_expand_isr(
        &mut self,
        partition: PartitionId,
        follower: NodeId,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(replica) = self.replica(partition) else { return };
        let isr = replica.isr();
        if isr.has(follower) || !replica.may_join(&self.config, follower) {
            return;
        }
        let eligible = !self.config.has(Rule::JoinIfEligible) || self.view.alive.has(follower);
        if eligible {
            let bound = replica.joins_from(&self.config);
            self.acted_by(partition, bound);
            self.want_isr(partition, isr.with(follower), ctx);
        }
    }

    /// The leader wants another ISR: one change at a time.
    fn want_isr(&mut self, partition: PartitionId, isr: NodeSet, ctx: &mut Context<'_, Message>) {
        let Some(replica) = self.replica_mut(partition) else { return };
        let Role::Leader(leading) = &mut replica.role else { return };
        if leading.pending.is_some() {
            return;
        }
        leading.pending = Some(isr);
        self.ask_for_isr(partition, ctx);
    }

    /// Asks whoever decides for the ISR that is wanted.
    pub(super) fn ask_for_isr(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        let me = self.me;
        let Some(replica) = self.replica_mut(partition) else { return };
        let Some(state) = replica.state else { return };
        let Role::Leader(leading) = &mut replica.role else { return };
        let Some(isr) = leading.pending.filter(|_| !leading.in_flight) else { return };
        leading.in_flight = true;
        let members = leading.others.iter().filter(|other| isr.has(other.node));
        let change = PartitionChange {
            leader_epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            isr: isr.with(me),
            incarnations: members.map(|other| (other.node, other.broker_epoch)).collect(),
            recovering: false,
        };
        self.touch(partition);
        self.propose(partition, change, ctx);
    }

    /// What came of it. `state` is what holds now, if that is known (KIP-497;
    /// Partition.scala 3.9, `handleAlterPartitionUpdate`, `handleAlterPartitionError`).
    pub(super) fn isr_decided(
        &mut self,
        partition: PartitionId,
        error: Error,
        state: Option<PartitionState>,
        ctx: &mut Context<'_, Message>,
    ) {
        self.touch(partition);
        let maximal = self.config.has(Rule::MaximalIsr);
        let Some(replica) = self.replica_mut(partition) else { return };
        let known = replica.state;
        let Role::Leader(leading) = &mut replica.role else { return };
        leading.in_flight = false;
        match error {
            Error::None => {
                let Some(state) = state else { return };
                let newer = known.is_none_or(|known| {
                    known.leader_epoch == state.leader_epoch
                        && known.partition_epoch < state.partition_epoch
                });
                if newer {
                    self.take_isr(partition, state, ctx);
                }
            }
            // The wish is given up, and what is decided counts.
            Error::IneligibleReplica => {
                leading.pending = None;
                self.ends_moved(partition, ctx);
            }
            // Somebody knows better: the state that is on its way ends the wish. Until then the
            // larger ISR counts.
            Error::InvalidUpdateVersion | Error::FencedLeaderEpoch | Error::InvalidRequest => {
                if !maximal {
                    // "Cached zkVersion not equal to that in zookeeper, skip updating ISR"
                    // (Partition.scala 0.8.2, updateIsr): the old ISR stays.
                    leading.pending = None;
                }
            }
            _ => {
                let again = Message::Timer(Timer::AlterPartition { partition });
                ctx.after(super::super::config::ALTER_BACKOFF, Lane::MAIN, again);
            }
        }
    }

    /// A newer state of a partition that this broker goes on to lead.
    pub(super) fn take_isr(
        &mut self,
        partition: PartitionId,
        state: PartitionState,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, me) = (ctx.now(), self.me);
        let others = self.config.replicas(partition).len() > 1;
        let Some(replica) = self.replica_mut(partition) else { return };
        let before = replica.isr();
        replica.state = Some(state);
        if state.isr == NodeSet::only(me) && others {
            replica.alone_since.get_or_insert(replica.high_watermark);
        } else {
            replica.alone_since = None;
        }
        if let Role::Leader(leading) = &mut replica.role {
            leading.pending = None;
            leading.in_flight = false;
        }
        let word =
            if before.is_within(state.isr) { event::ISR_EXPANDED } else { event::ISR_SHRUNK };
        if before != state.isr {
            self.report_event(ctx, now, word, Some(partition), None, u64::from(state.isr.len()));
        }
        self.report_in_sync(partition, before, state.isr, ctx);
        self.touch(partition);
        self.ends_moved(partition, ctx);
    }

    /// Roles of followers, as the leader sees them.
    fn report_in_sync(
        &self,
        partition: PartitionId,
        before: NodeSet,
        after: NodeSet,
        ctx: &mut Context<'_, Message>,
    ) {
        use super::super::words::role;
        let now = ctx.now();
        for node in before.minus(after).iter().chain(after.minus(before).iter()) {
            let role = if after.has(node) { role::IN_SYNC } else { role::OUT_OF_SYNC };
            for destination in self.config.streams.destinations_of(partition) {
                ctx.observer().role(now, node, *destination, Some(role));
            }
        }
    }

    /// The ends of followers have moved.
    pub(super) fn advanced_by_follower(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        let before = self.replica(partition).map(|replica| replica.high_watermark);
        self.advance_high_watermark(partition, ctx);
        let after = self.replica(partition).map(|replica| replica.high_watermark);
        if before != after {
            self.wake_fetches(partition, ctx);
        }
        self.complete_writes(partition, ctx);
    }

    /// What all machines know.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The leader epoch that this broker knows of a partition.
    #[must_use]
    pub fn leader_epoch(&self, partition: PartitionId) -> u32 {
        self.replica(partition).map_or(0, Replica::leader_epoch)
    }

    /// What this broker was told of a partition.
    #[must_use]
    pub fn state(&self, partition: PartitionId) -> Option<PartitionState> {
        self.replica(partition)?.state
    }

    /// Whether it leads a partition and all replicas are in the ISR.
    #[must_use]
    pub fn has_all_in_sync(&self, partition: PartitionId) -> bool {
        let all = self.config.replicas(partition).len() as u32;
        self.replica(partition).is_some_and(|replica| replica.leads() && replica.isr().len() == all)
    }

    /// Whether nothing is outstanding here.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        match self.status {
            Status::Running => {}
            Status::Off | Status::Loading => return Some("its logs to be loaded".into()),
            Status::Stopping => return Some("the end of its controlled shutdown".into()),
        }
        if !self.is_member_settled() {
            return Some("ZooKeeper or the controller, to answer it".into());
        }
        self.replicas.iter().flatten().find_map(|replica| {
            let Role::Leader(leading) = &replica.role else { return None };
            let what = if leading.pending.is_some() {
                "its new ISR to be accepted"
            } else if !leading.waiting.is_empty() {
                "its in-sync replicas, to answer producers"
            } else if replica.high_watermark < replica.log.end() && self.may_advance(replica) {
                "its in-sync replicas, to move its high watermark"
            } else {
                return None;
            };
            let name = &self.config.streams.get(replica.partition).name;
            Some(format!("partition {name}, which waits for {what}").into())
        })
    }

    /// Whether the high watermark of a leader may still move by itself.
    fn may_advance(&self, replica: &Replica) -> bool {
        let enough = replica.isr().len() >= self.config.effective_min_isr(replica.partition);
        enough || !self.config.has(Rule::FreezeHwBelowMinIsr)
    }

    /// Where a replica ends, and its high watermark, if it is here.
    #[must_use]
    pub fn offsets(&self, partition: PartitionId) -> Option<(u64, u64)> {
        self.replica(partition).map(|replica| (replica.log.end(), replica.high_watermark))
    }

    /// Whether this broker leads a partition.
    #[must_use]
    pub fn leads(&self, partition: PartitionId) -> bool {
        self.replica(partition).is_some_and(Replica::leads)
    }

    /// Up to where consumers may read a partition that it leads.
    #[must_use]
    pub fn readable_upto(&self, partition: PartitionId) -> Option<u64> {
        let replica = self.replica(partition).filter(|replica| replica.leads())?;
        Some(replica.high_watermark)
    }
}
