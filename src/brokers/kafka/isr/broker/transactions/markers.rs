//! The ends of transactions: a coordinator has a marker written to every partition
//! (TransactionMarkerChannelManager.scala), and leaders write them (KafkaApis.scala,
//! handleWriteTxnMarkersRequest).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::super::content::Content;
use super::super::super::message::{Acks, Error, Message, Request, Timer};
use super::super::super::rules::Rule;
use super::super::super::transactions::{Marker, TxnId};
use super::super::Broker;
use super::super::produce::{Part, Waiter};
use super::errands::Errand;

/// After how long markers that failed are sent again (TransactionMarkerChannelManager.scala waits for
/// `retry.backoff.ms`, and for metadata).
const RETRY: Span = Span::from_millis(100);

impl Broker {
    /// Sends the markers of a transaction that is decided and that are not on their way, each to its
    /// partition's leader.
    pub(in super::super) fn send_markers(&mut self, id: TxnId, ctx: &mut Context<'_, Message>) {
        let partition = self.config.transactions.get(id).partition;
        let Some(epoch) = self.transactions.shards.get(&partition).map(|shard| shard.epoch) else {
            return;
        };
        let Some(seat) = self.transaction_mut(id) else { return };
        let Some((marker, partitions)) = seat.markers_to_send(epoch) else { return };
        let mut by_leader: BTreeMap<NodeId, Vec<PartitionId>> = BTreeMap::new();
        let mut nobody = Vec::new();
        for partition in partitions {
            match self.view.leader(partition) {
                Some(leader) => by_leader.entry(leader).or_default().push(partition),
                None => nobody.push((partition, Error::LeaderNotAvailable)),
            }
        }
        let epoch = marker.by.epoch;
        for (leader, partitions) in by_leader {
            if leader == self.me {
                self.write_markers(Waiter::Coordinator { id, epoch }, marker, &partitions, ctx);
                continue;
            }
            let request = Request::WriteMarkers { marker, partitions: partitions.clone() };
            self.run_errand(leader, Errand::Markers { id, epoch, partitions }, request, ctx);
        }
        self.markers_answered(id, epoch, &nobody, ctx);
    }

    /// Sends what is left of them after a while.
    pub(super) fn send_markers_later(&self, id: TxnId, ctx: &mut Context<'_, Message>) {
        ctx.after(RETRY, Lane::MAIN, Message::Timer(Timer::Markers { id }));
    }

    /// It is known what became of markers: those that failed are sent again, for ever, unless a later
    /// epoch of the producer or of the coordinator has been there
    /// (TransactionMarkerRequestCompletionHandler.scala).
    pub(in super::super) fn markers_answered(
        &mut self,
        id: TxnId,
        epoch: u16,
        results: &[(PartitionId, Error)],
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(seat) = self.transaction_mut(id) else { return };
        let mut again = false;
        for (partition, error) in results {
            let over = matches!(
                error,
                Error::None | Error::InvalidProducerEpoch | Error::TransactionCoordinatorFenced
            );
            seat.marked(epoch, *partition, over);
            again |= !over;
        }
        if let Some(record) = seat.completed() {
            self.write_transaction(record, None, ctx);
        } else if again {
            self.send_markers_later(id, ctx);
        }
    }

    /// Writes markers as the leader of partitions, and answers when the replicas have them.
    pub(in super::super) fn write_markers(
        &mut self,
        waiter: Waiter,
        marker: Marker,
        partitions: &[PartitionId],
        ctx: &mut Context<'_, Message>,
    ) {
        let parts: Vec<Part> =
            partitions.iter().map(|partition| self.write_marker(*partition, marker, ctx)).collect();
        self.park_write(waiter, Acks::All, Span::from_secs(30), parts, ctx);
    }

    /// Tells what of a partition nobody is to read: what the transaction of a producer has written.
    fn tell_aborted(&self, partition: PartitionId, id: u32, ctx: &mut Context<'_, Message>) {
        let Some(replica) = self.replica(partition) else { return };
        let Some(first) = replica.transactions.first_of(id) else { return };
        let mut pieces: Vec<_> = replica.log.read(first, replica.log.end()).collect();
        let borne = replica.producers.of(&mut pieces);
        for (piece, borne) in pieces.iter().zip(borne) {
            if borne.is_some_and(|(own, _)| own.by.id == id) {
                let (now, count) = (ctx.now(), u64::from(piece.messages.count));
                for line in self.config.streams.destinations(piece.messages.producer) {
                    ctx.observer().aborted(now, *line, piece.base, count);
                }
            }
        }
    }

    fn write_marker(
        &mut self,
        partition: PartitionId,
        marker: Marker,
        ctx: &mut Context<'_, Message>,
    ) -> Part {
        let config = self.config.clone();
        let refused = |error| Part::settled(partition, error);
        let Some(replica) = self.replica(partition).filter(|replica| replica.leads()) else {
            return refused(Error::NotLeaderOrFollower);
        };
        let id = marker.by.id;
        let last = replica.transactions.last_marker(id);
        if last.is_some_and(|last| last.coordinator > marker.coordinator) {
            return refused(Error::TransactionCoordinatorFenced);
        }
        if replica.producers.epoch_of(id).is_some_and(|known| known > marker.by.epoch) {
            return refused(Error::InvalidProducerEpoch);
        }
        // A marker that is there already (TV2, 4.2: "an equal one is taken as a repeat").
        if !replica.transactions.is_open(id) && last == Some(marker) {
            return refused(Error::None);
        }
        let few =
            config.has(Rule::MinInsyncReplicas) && replica.isr().len() < config.min_isr(partition);
        if few {
            return refused(Error::NotEnoughReplicas);
        }
        let (base, epoch) = (replica.log.end(), replica.leader_epoch());
        if !marker.commit {
            self.tell_aborted(partition, id, ctx);
        }
        if !self.append_own(partition, Arc::new(Content::Marker(marker)), epoch, ctx) {
            return refused(Error::StorageError);
        }
        Part::waiting(partition, base, base + 1)
    }
}
