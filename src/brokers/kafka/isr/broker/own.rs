//! What a broker writes for itself, to internal topics and as markers, and what waits for that: until the
//! high watermark passes it, the partition is not led here any more, or a time is over.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::{CONTROL, PartitionId};
use crate::brokers::kit::log::Piece;
use crate::engine::Span;
use crate::observe::MessageRange;
use crate::world::{Context, Lane, TimerId};

use super::super::content::Content;
use super::super::message::{Error, Message, Timer};
use super::super::rules::Rule;
use super::Broker;

/// What waits for the replicas, in the order of its offsets.
#[derive(Clone, Debug)]
pub(super) struct Writes<W> {
    waiting: VecDeque<Write<W>>,
    next: u32,
}

#[derive(Clone, Debug)]
struct Write<W> {
    number: u32,
    what: W,
    /// The offset that must be reached.
    required: u64,
    timer: TimerId,
    expired: bool,
}

/// What the replicas have.
#[derive(Clone, Debug)]
pub(super) struct Pending<W> {
    pub(super) what: W,
    /// Nobody waits for it any more.
    pub(super) expired: bool,
}

impl<W> Default for Writes<W> {
    fn default() -> Writes<W> {
        Writes { waiting: VecDeque::new(), next: 0 }
    }
}

impl<W> Writes<W> {
    /// Something was written to a partition, which must reach an offset within a time.
    pub(super) fn push(
        &mut self,
        (partition, required): (PartitionId, u64),
        what: W,
        within: Span,
        ctx: &mut Context<'_, Message>,
    ) {
        let number = self.next;
        self.next = number.wrapping_add(1);
        let expires = Message::Timer(Timer::OwnWriteExpired { partition, number });
        let timer = ctx.after(within, Lane::MAIN, expires);
        self.waiting.push_back(Write { number, what, required, timer, expired: false });
    }

    /// The next that the high watermark has passed.
    pub(super) fn reached(
        &mut self,
        high_watermark: u64,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Pending<W>> {
        self.waiting.front().filter(|write| write.required <= high_watermark)?;
        let write = self.waiting.pop_front()?;
        ctx.cancel(write.timer);
        Some(Pending { what: write.what, expired: write.expired })
    }

    /// One has waited long enough; it stays written.
    pub(super) fn expired(&mut self, number: u32) -> Option<&mut W> {
        let write = self.waiting.iter_mut().find(|write| write.number == number)?;
        write.expired = true;
        Some(&mut write.what)
    }

    /// Nothing waits any more.
    pub(super) fn drain(&mut self, ctx: &mut Context<'_, Message>) -> Vec<W> {
        let all = self.waiting.drain(..).map(|write| {
            ctx.cancel(write.timer);
            write.what
        });
        all.collect()
    }
}

impl Broker {
    /// Appends a batch whose contents matter. Whether the disk took it.
    pub(super) fn append_own(
        &mut self,
        partition: PartitionId,
        value: Arc<Content>,
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
        let producer = match *value {
            Content::Marker(_) => CONTROL,
            Content::Offsets(..) | Content::Transaction(_) => {
                config.streams.internal_stream(partition)
            }
        };
        let messages = MessageRange { producer, first: base as u32, count, bytes: 0 };
        let piece = Piece { base, messages, epoch, width: 1, bytes, whole: true };
        if !self.store(partition, (piece, None), ctx) {
            return false;
        }
        if let Some(replica) = self.replica_mut(partition) {
            replica.note(base, value);
        }
        true
    }

    /// Appends as a coordinator does, with acks=all: the offset that must be reached.
    ///
    /// # Errors
    /// NOT_ENOUGH_REPLICAS becomes COORDINATOR_NOT_AVAILABLE (GroupMetadataManager.scala, storeOffsets,
    /// `responseError`; TransactionStateManager.scala, appendTransactionToLog).
    pub(super) fn write_own(
        &mut self,
        partition: PartitionId,
        value: Arc<Content>,
        ctx: &mut Context<'_, Message>,
    ) -> Result<u64, Error> {
        let config = self.config.clone();
        let Some(replica) = self.replica(partition).filter(|replica| replica.leads()) else {
            return Err(Error::NotCoordinator);
        };
        let epoch = replica.leader_epoch();
        let few =
            config.has(Rule::MinInsyncReplicas) && replica.isr().len() < config.min_isr(partition);
        if few || !self.append_own(partition, value, epoch, ctx) {
            return Err(Error::CoordinatorNotAvailable);
        }
        Ok(self.replica(partition).map_or(0, |replica| replica.log.end()))
    }

    /// The high watermark of a partition has moved, behind which somebody of this broker waits.
    pub(super) fn own_replicated(
        &mut self,
        partition: PartitionId,
        (from, to): (u64, u64),
        ctx: &mut Context<'_, Message>,
    ) {
        if self.config.groups.topic == Some(self.config.streams.get(partition).topic) {
            self.offsets_replicated(partition, ctx);
            let values =
                self.replica(partition).map(|replica| replica.values.between(from, to).to_vec());
            for (_, value) in values.into_iter().flatten() {
                if let Content::Marker(marker) = *value {
                    self.offsets_marked(partition, marker);
                }
            }
        } else {
            self.transactions_replicated(partition, ctx);
        }
    }

    /// Something has waited long enough.
    pub(super) fn own_write_expired(
        &mut self,
        partition: PartitionId,
        number: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.config.groups.topic == Some(self.config.streams.get(partition).topic) {
            self.offsets_expired(partition, number, ctx);
        } else {
            self.transaction_write_expired(partition, number, ctx);
        }
    }
}
