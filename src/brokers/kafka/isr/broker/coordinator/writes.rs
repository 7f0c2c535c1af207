//! What a coordinator has written and waits for: until the high watermark passes it, the partition
//! is not led here any more, or `offsets.commit.timeout.ms` is over (GroupMetadataManager.scala,
//! `storeOffsets`, `storeGroup`: a produce with acks=-1).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::observe::MessageRange;
use crate::world::{Context, Lane, TimerId};

use super::super::super::groups::{GroupId, GroupResponse, OffsetsRecord};
use super::super::super::message::{Error, Message, Timer};
use super::super::super::rules::Rule;
use super::super::Broker;
use super::{Asker, Then};

/// What waits for the replicas, in the order of its offsets.
#[derive(Clone, Debug, Default)]
pub(super) struct Writes {
    waiting: VecDeque<Write>,
    next: u32,
    /// Who is told that this is no coordinator any more.
    failed: Vec<(Asker, GroupResponse)>,
}

#[derive(Clone, Debug)]
struct Write {
    number: u32,
    group: GroupId,
    record: Arc<OffsetsRecord>,
    then: Then,
    /// The offset that must be reached.
    required: u64,
    timer: TimerId,
    /// Nobody waits for it any more.
    expired: bool,
}

impl Writes {
    /// The partition is not led here any more.
    pub(super) fn fail(&mut self, ctx: &mut Context<'_, Message>) {
        for write in self.waiting.drain(..) {
            ctx.cancel(write.timer);
            match write.then {
                Then::Committed(Some(asker)) => {
                    self.failed.push((asker, GroupResponse::Done(Error::NotCoordinator)));
                }
                Then::Answer(Some(asker), mut response) => {
                    response.refuse(Error::NotCoordinator);
                    self.failed.push((asker, response));
                }
                Then::Committed(None) | Then::Answer(None, _) | Then::Assigned(_) => {}
            }
        }
    }

    /// Those who waited.
    pub(super) fn askers(&mut self) -> impl Iterator<Item = (Asker, GroupResponse)> + use<> {
        std::mem::take(&mut self.failed).into_iter()
    }
}

impl Broker {
    /// Appends to a partition of `__consumer_offsets`.
    pub(super) fn append_offsets(
        &mut self,
        partition: PartitionId,
        value: Arc<OffsetsRecord>,
        epoch: u32,
        ctx: &mut Context<'_, Message>,
    ) -> bool {
        let config = self.config.clone();
        let costs = &config.costs;
        let Some(replica) = self.replica(partition) else { return false };
        let (base, count) = (replica.log.end(), value.count());
        if count == 0 {
            return true;
        }
        let bytes = u64::from(value.bytes()) + 61;
        ctx.spend(costs.append + costs.append_message * u64::from(count));
        let messages = MessageRange {
            producer: config.streams.internal_stream(partition),
            first: base as u32,
            count,
            bytes: 0,
        };
        let piece = Piece { base, messages, epoch, width: 1, bytes, whole: true };
        if !self.store(partition, (piece, None), ctx) {
            return false;
        }
        if let Some(replica) = self.replica_mut(partition) {
            replica.values.push(base, value);
        }
        true
    }

    /// Writes something, and sees to it that the group hears what became of it.
    pub(super) fn write_offsets(
        &mut self,
        partition: PartitionId,
        (group, record, then): (GroupId, OffsetsRecord, Then),
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        let Some(replica) = self.replica(partition).filter(|replica| replica.leads()) else {
            return self.written(partition, (group, None, then), Error::NotCoordinator, ctx);
        };
        let epoch = replica.leader_epoch();
        let few =
            config.has(Rule::MinInsyncReplicas) && replica.isr().len() < config.min_isr(partition);
        let record = Arc::new(record);
        // NOT_ENOUGH_REPLICAS becomes COORDINATOR_NOT_AVAILABLE (GroupMetadataManager.scala,
        // storeOffsets, `responseError`).
        if few || !self.append_offsets(partition, record.clone(), epoch, ctx) {
            let error = Error::CoordinatorNotAvailable;
            return self.written(partition, (group, None, then), error, ctx);
        }
        let required = self.replica(partition).map_or(0, |replica| replica.log.end());
        let Some(shard) = self.coordinator.shards.get_mut(&partition) else { return };
        let number = shard.writes.next;
        shard.writes.next = number.wrapping_add(1);
        let expires = Message::Timer(Timer::OffsetsExpired { partition, number });
        let timer = ctx.after(config.settings.groups.commit_timeout, Lane::MAIN, expires);
        let write = Write { number, group, record, then, required, timer, expired: false };
        shard.writes.waiting.push_back(write);
        self.ends_moved(partition, ctx);
    }

    /// The high watermark of a partition has moved.
    pub(in super::super) fn offsets_replicated(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        let high_watermark = self.replica(partition).map_or(0, |replica| replica.high_watermark);
        loop {
            let Some(shard) = self.coordinator.shards.get_mut(&partition) else { return };
            let reached = |write: &Write| write.required <= high_watermark;
            if !shard.writes.waiting.front().is_some_and(reached) {
                return;
            }
            let Some(write) = shard.writes.waiting.pop_front() else { return };
            ctx.cancel(write.timer);
            // Up to 3.9 what was written and timed out is known again only to the next coordinator
            // (GroupMetadata.scala, failPendingOffsetWrite); from 4.0 on it holds as soon as it is
            // replicated (CoordinatorRuntime.java: only a failed append is taken back).
            if write.expired && !self.config.has(Rule::LateCommitsHold) {
                continue;
            }
            let result = (write.group, Some(write.record), write.then);
            self.written(partition, result, Error::None, ctx);
        }
    }

    /// A coordinator has waited long enough for what it has written: it stays written.
    pub(in super::super) fn offsets_expired(
        &mut self,
        partition: PartitionId,
        number: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(shard) = self.coordinator.shards.get_mut(&partition) else { return };
        let mut waiting = shard.writes.waiting.iter_mut();
        let Some(write) = waiting.find(|write| write.number == number) else { return };
        write.expired = true;
        let nobody = match &write.then {
            Then::Committed(_) => Then::Committed(None),
            Then::Assigned(generation) => Then::Assigned(*generation),
            Then::Answer(_, response) => Then::Answer(None, response.clone()),
        };
        let then = std::mem::replace(&mut write.then, nobody);
        let group = write.group;
        self.written(partition, (group, None, then), Error::CoordinatorNotAvailable, ctx);
    }

    /// It is known what became of something that was written.
    fn written(
        &mut self,
        partition: PartitionId,
        (group, record, then): (GroupId, Option<Arc<OffsetsRecord>>, Then),
        error: Error,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, mut effects) = (ctx.monotonic(), Vec::new());
        let Some(seat) = self.seat(partition, group) else { return };
        seat.group.written(record.as_deref(), then, error, now, &mut effects);
        self.carry_out(partition, Some(group), effects, ctx);
    }
}
