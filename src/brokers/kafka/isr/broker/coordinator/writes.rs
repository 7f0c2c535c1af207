//! What the coordinator of groups has written and waits for (GroupMetadataManager.scala,
//! `storeOffsets`, `storeGroup`: a produce with acks=-1).

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::world::Context;

use super::super::super::content::Content;
use super::super::super::groups::{GroupId, GroupResponse, OffsetsRecord};
use super::super::super::message::{Error, Message};
use super::super::super::rules::Rule;
use super::super::Broker;
use super::super::own::{Pending, Writes};
use super::{Asker, Then};

/// What a group has written, and what it does then.
#[derive(Clone, Debug)]
pub(super) struct Written {
    group: GroupId,
    record: Arc<Content>,
    then: Then,
}

impl Writes<Written> {
    /// The partition is not led here any more: whoever waits is told that this is no coordinator.
    pub(super) fn fail(&mut self, ctx: &mut Context<'_, Message>) -> Vec<(Asker, GroupResponse)> {
        let mut failed = Vec::new();
        for written in self.drain(ctx) {
            match written.then {
                Then::Committed(Some(asker)) => {
                    failed.push((asker, GroupResponse::Done(Error::NotCoordinator)));
                }
                Then::Answer(Some(asker), mut response) => {
                    response.refuse(Error::NotCoordinator);
                    failed.push((asker, response));
                }
                Then::Committed(None) | Then::Answer(None, _) | Then::Assigned(_) => {}
            }
        }
        failed
    }
}

impl Broker {
    /// Writes something, and sees to it that the group hears what became of it.
    pub(super) fn write_offsets(
        &mut self,
        partition: PartitionId,
        (group, record, then): (GroupId, OffsetsRecord, Then),
        ctx: &mut Context<'_, Message>,
    ) {
        let record = Arc::new(Content::Offsets(record, ctx.clock()));
        let required = match self.write_own(partition, record.clone(), ctx) {
            Ok(required) => required,
            Err(error) => return self.written(partition, (group, None, then), error, ctx),
        };
        let expires = self.config.settings.groups.commit_timeout;
        let Some(shard) = self.coordinator.shards.get_mut(&partition) else { return };
        let written = Written { group, record, then };
        shard.writes.push((partition, required), written, expires, ctx);
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
            let Some(Pending { what, expired }) = shard.writes.reached(high_watermark, ctx) else {
                return;
            };
            // Up to 3.9 what was written and timed out is known again only to the next coordinator
            // (GroupMetadata.scala, failPendingOffsetWrite); from 4.0 on it holds as soon as it is
            // replicated (CoordinatorRuntime.java: only a failed append is taken back).
            if expired && !self.config.has(Rule::LateCommitsHold) {
                continue;
            }
            let result = (what.group, Some(what.record), what.then);
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
        let Some(write) = shard.writes.expired(number) else { return };
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
        (group, record, then): (GroupId, Option<Arc<Content>>, Then),
        error: Error,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, mut effects) = (ctx.monotonic(), Vec::new());
        let Some(seat) = self.seat(partition, group) else { return };
        let record = record.as_deref().and_then(Content::offsets);
        seat.group.written(record, then, error, now, &mut effects);
        self.carry_out(partition, Some(group), effects, ctx);
    }
}
