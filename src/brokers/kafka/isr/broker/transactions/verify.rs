//! A leader asks the coordinator before the first batch of a transaction (KIP-890): whether the producer has
//! added the partition (3.6), or to add it (transactions v2, 4.0). A batch that comes late, behind the marker
//! that ended its transaction, would otherwise open one that nobody ends.

use crate::brokers::kafka::PartitionId;
use crate::engine::Span;
use crate::observe::ConsumerId;
use crate::world::{ConnId, Context};

use super::super::super::groups::{GroupId, GroupRequest};
use super::super::super::message::{Acks, Batch, Error, Message, Request};
use super::super::super::rules::Rule;
use super::super::super::sequence::Identity;
use super::super::super::transactions::{TxnId, TxnRequest};
use super::super::Broker;
use super::Waits;
use super::errands::Errand;

/// A request that waits for a coordinator's word.
#[derive(Clone, Debug)]
pub(in super::super) enum Work {
    /// A produce request.
    Produce { acks: Acks, timeout: Span, batches: Vec<Batch> },
    /// Offsets that a transaction commits.
    Offsets { group: GroupId, client: ConsumerId, request: GroupRequest },
}

/// What waits for coordinators.
#[derive(Clone, Debug, Default)]
pub struct Verifying {
    next: u32,
    waiting: Vec<Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    slot: u32,
    place: u32,
    conn: ConnId,
    by: Identity,
    /// What is asked about, and the producer's markers there at that time (VerificationGuard.java).
    partitions: Vec<(PartitionId, usize)>,
    work: Work,
}

impl Verifying {
    /// The process has died.
    pub(in super::super) fn forget(&mut self) {
        self.waiting.clear();
    }
}

impl Broker {
    /// Does a request of a transaction, when it is verified if it must be.
    pub(in super::super) fn work_in_transaction(
        &mut self,
        place: u32,
        id: TxnId,
        work: Work,
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        let (rule, by, partitions): (Rule, Option<Identity>, Vec<PartitionId>) = match &work {
            Work::Produce { batches, .. } => (
                Rule::VerifyTransactions,
                batches.first().and_then(|batch| batch.sequenced).map(|own| own.by),
                batches.iter().map(|batch| batch.partition).collect(),
            ),
            Work::Offsets { group, request, .. } => {
                let GroupRequest::TxnOffsetCommit { by, .. } = request else { return };
                let partition = config.groups.get(*group).partition;
                (Rule::VerifyOffsetCommits, Some(*by), vec![partition])
            }
        };
        let unknown = |partition: &PartitionId| {
            let replica = self.replica(*partition).filter(|replica| replica.leads());
            // KAFKA-18042: what is fenced is refused before anybody is asked.
            replica.zip(by).is_some_and(|(replica, by)| {
                let fenced = replica.producers.epoch_of(by.id).is_some_and(|e| e > by.epoch);
                !replica.transactions.is_open(by.id) && !fenced
            })
        };
        let asked: Vec<PartitionId> = partitions.into_iter().filter(unknown).collect();
        let asks = config.has(rule) || config.has(Rule::TransactionsV2);
        let Some(by) = by.filter(|_| asks && !asked.is_empty()) else {
            return self.work_on(place, work, &[], ctx);
        };
        let Some(conn) = self.connection(place).map(|connection| connection.conn) else { return };
        let guard = |partition: &PartitionId| {
            let replica = self.replica(*partition);
            (*partition, replica.map_or(0, |replica| replica.transactions.guard(by.id)))
        };
        let partitions = asked.iter().map(guard).collect();
        let slot = self.verifying.next;
        self.verifying.next = slot.wrapping_add(1);
        self.verifying.waiting.push(Asked { slot, place, conn, by, partitions, work });
        let verify = !config.has(Rule::TransactionsV2);
        let request = TxnRequest::Add { by, partitions: asked, verify };
        match self.coordinator_of(id) {
            None => self.verified(slot, Error::CoordinatorNotAvailable, ctx),
            Some(own) if own == self.me => {
                self.ask_transaction(Waits::Slot(slot), id, &request, ctx);
            }
            Some(other) => {
                let request = Request::Transaction { id, body: request };
                self.run_errand(other, Errand::Verify(slot), request, ctx);
            }
        }
    }

    /// A coordinator has spoken.
    pub(super) fn verified(&mut self, slot: u32, error: Error, ctx: &mut Context<'_, Message>) {
        let found = self.verifying.waiting.iter().position(|asked| asked.slot == slot);
        let Some(at) = found else { return };
        let asked = self.verifying.waiting.remove(at);
        let here = self.connection(asked.place).is_some_and(|own| own.conn == asked.conn);
        if !here {
            return;
        }
        let error = match error {
            // AddPartitionsToTxnManager.scala, `handleErrors`: so that old clients try again.
            Error::CoordinatorNotAvailable
            | Error::NotCoordinator
            | Error::CoordinatorLoadInProgress => Error::NotEnoughReplicas,
            // ReplicaManager.scala 3.9, `handleProduceAppend`.
            Error::ProducerFenced => Error::InvalidProducerEpoch,
            other => other,
        };
        let result = |(partition, guard): &(PartitionId, usize)| {
            let replica = self.replica(*partition);
            let now = replica.map_or(0, |replica| replica.transactions.guard(asked.by.id));
            // A marker came in between: what was verified is over.
            let stale = error == Error::None && now != *guard;
            (*partition, if stale { Error::InvalidTxnState } else { error })
        };
        let results: Vec<(PartitionId, Error)> = asked.partitions.iter().map(result).collect();
        let refused: Vec<(PartitionId, Error)> =
            results.into_iter().filter(|(_, error)| *error != Error::None).collect();
        self.work_on(asked.place, asked.work, &refused, ctx);
    }

    fn work_on(
        &mut self,
        place: u32,
        work: Work,
        refused: &[(PartitionId, Error)],
        ctx: &mut Context<'_, Message>,
    ) {
        match work {
            Work::Produce { acks, timeout, batches } => {
                self.produce(place, (acks, timeout), &batches, refused, ctx);
            }
            Work::Offsets { group, client, request } => match refused.first() {
                Some((_, error)) => self.refuse_group(place, &request, *error, ctx),
                None => self.group_request(place, (group, client), request, ctx),
            },
        }
    }
}
