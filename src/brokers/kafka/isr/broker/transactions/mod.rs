//! The coordinators of transactional ids: the leaders of the partitions of `__transaction_state`
//! (TransactionCoordinator.scala, TransactionStateManager.scala); and what leaders of other partitions do
//! about transactions.
//!
//! | file | what it has |
//! | --- | --- |
//! | `mod.rs` | becoming and ceasing to be a coordinator, requests, what is written |
//! | `state.rs` | a transactional id |
//! | `markers.rs` | the ends of transactions: sent by coordinators, written by leaders |
//! | `open.rs` | what a replica knows of transactions in its log |
//! | `verify.rs` | a leader asks whether a partition is in a transaction (KIP-890) |
//! | `errands.rs` | requests to other brokers |

mod errands;
mod markers;
mod open;
mod state;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::observe::{Event, EventId, NodeId};
use crate::world::{Context, Lane};

use super::super::content::Content;
use super::super::message::{Error, Message, Response, Timer};
use super::super::rules::Rule;
use super::super::sequence::Identity;
use super::super::transactions::{TransactionRecord, TxnId, TxnRequest, TxnResponse, TxnState};
use super::super::words::event;
use super::Broker;
use super::coordinator::Asker;
use super::own::{Pending, Writes};
use state::{Dialect, Step, Transaction};

pub use errands::Errands;
pub use open::OpenTransactions;
pub use verify::Verifying;
pub(super) use verify::Work;

/// Who waits for a coordinator's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// A client or another broker.
    Asker(Asker),
    /// This broker itself, as a leader that verifies: the slot.
    Slot(u32),
}

/// What was written of a transactional id, and who is told.
#[derive(Clone, Debug)]
struct Written {
    record: TransactionRecord,
    answer: Option<(Waits, TxnResponse)>,
}

/// A partition of `__transaction_state` that this broker leads.
#[derive(Clone, Debug)]
struct Shard {
    /// In which leader epoch.
    epoch: u32,
    /// Its records are read.
    loaded: bool,
    seats: BTreeMap<TxnId, Transaction>,
    writes: Writes<Written>,
}

/// The partitions of `__transaction_state` that a broker leads.
#[derive(Clone, Debug, Default)]
pub struct TransactionCoordinator {
    shards: BTreeMap<PartitionId, Shard>,
    /// It looks for transactions that take too long.
    scans: bool,
}

impl TransactionCoordinator {
    /// The process has died.
    pub(super) fn forget(&mut self) {
        *self = TransactionCoordinator::default();
    }
}

impl Broker {
    /// Whether a partition is of `__transaction_state`.
    fn is_state(&self, partition: PartitionId) -> bool {
        self.config.transactions.topic == Some(self.config.streams.get(partition).topic)
    }

    /// This broker leads a partition from now on: it reads what is in it
    /// (TransactionStateManager.scala, `loadTransactionsForTxnTopicPartition`).
    pub(super) fn coordinate_transactions(
        &mut self,
        partition: PartitionId,
        epoch: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        if !self.is_state(partition) {
            return;
        }
        let shard =
            Shard { epoch, loaded: false, seats: BTreeMap::new(), writes: Writes::default() };
        self.transactions.shards.insert(partition, shard);
        let records = self.replica(partition).map_or(0, |replica| replica.log.end());
        let takes = self.config.costs.load_offsets * records;
        let done = Timer::OwnLoaded { partition, epoch };
        ctx.after(takes, Lane::MAIN, Message::Timer(done));
    }

    /// All records are read: what is decided goes on to its end.
    pub(super) fn transactions_loaded(
        &mut self,
        partition: PartitionId,
        epoch: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        let Some(replica) = self.replica(partition) else { return };
        let values = replica.values.between(0, replica.log.end()).to_vec();
        let Some(shard) = self.transactions.shards.get_mut(&partition) else { return };
        if shard.epoch != epoch || shard.loaded {
            return;
        }
        shard.loaded = true;
        for (index, own) in config.transactions.all.iter().enumerate() {
            if own.partition == partition {
                shard.seats.insert(TxnId(index as u32), Transaction::default());
            }
        }
        for (_, value) in &values {
            if let Content::Transaction(record) = &**value
                && let Some(seat) = shard.seats.get_mut(&record.id)
            {
                seat.take(record);
            }
        }
        let all: Vec<TxnId> = shard.seats.keys().copied().collect();
        if config.has(Rule::FinishTransactions) {
            for id in all {
                self.send_markers(id, ctx);
            }
        }
        if !std::mem::replace(&mut self.transactions.scans, true) {
            let first = ctx.first_round(config.settings.transactions.scan);
            ctx.after(first, Lane::MAIN, Message::Timer(Timer::TransactionTimeouts));
        }
    }

    /// This broker does not lead a partition any more: nobody gets what it waits for here.
    pub(super) fn stop_coordinating_transactions(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(mut shard) = self.transactions.shards.remove(&partition) else { return };
        for written in shard.writes.drain(ctx) {
            if let Some((waits, mut answer)) = written.answer {
                answer.refuse(Error::NotCoordinator);
                self.answer_transaction(waits, answer, ctx);
            }
        }
    }

    /// The broker that coordinates a transactional id, as far as this one knows.
    fn coordinator_of(&self, id: TxnId) -> Option<NodeId> {
        let partition = self.config.transactions.get(id).partition;
        self.view.leader(partition).filter(|leader| self.view.alive.has(*leader))
    }

    /// A request about a transactional id, over a connection.
    pub(super) fn transaction_request(
        &mut self,
        place: u32,
        id: TxnId,
        request: &TxnRequest,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(conn) = self.connection(place).map(|connection| connection.conn) else { return };
        let waits = Waits::Asker(Asker { place, conn });
        if *request == TxnRequest::Find {
            let leader = self.coordinator_of(id);
            let error = if leader.is_some() { Error::None } else { Error::CoordinatorNotAvailable };
            return self.answer_transaction(waits, TxnResponse::Coordinator(error, leader), ctx);
        }
        self.ask_transaction(waits, id, request, ctx);
    }

    /// A request about a transactional id that this broker should coordinate.
    fn ask_transaction(
        &mut self,
        waits: Waits,
        id: TxnId,
        request: &TxnRequest,
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, now) = (self.config.clone(), ctx.clock());
        let partition = config.transactions.get(id).partition;
        let dialect = Dialect {
            v2: config.has(Rule::TransactionsV2),
            fences: config.has(Rule::FenceProducers),
            max_timeout: config.settings.transactions.max_timeout,
        };
        let error = match self.transactions.shards.get(&partition) {
            None => Error::NotCoordinator,
            Some(shard) if !shard.loaded => Error::CoordinatorLoadInProgress,
            Some(_) => Error::None,
        };
        if error != Error::None {
            return self.answer_transaction(waits, request.refused(error), ctx);
        }
        let fresh = match request {
            TxnRequest::Init { .. } => self.fresh_producer_id(),
            _ => 0,
        };
        let fresh = Identity { id: fresh, epoch: 0, transactional: true };
        let Some(seat) = self.transaction_mut(id) else { return };
        match seat.asked((id, fresh), request, now, dialect) {
            Step::Answer(answer) => self.answer_transaction(waits, answer, ctx),
            Step::Write(record, answer) => {
                let fences = answer.error() == Error::ConcurrentTransactions;
                if fences {
                    self.tell_transaction(id, event::TRANSACTION_FENCED, ctx);
                }
                self.write_transaction(record, Some((waits, answer)), ctx);
            }
        }
    }

    fn transaction_mut(&mut self, id: TxnId) -> Option<&mut Transaction> {
        let partition = self.config.transactions.get(id).partition;
        self.transactions.shards.get_mut(&partition)?.seats.get_mut(&id)
    }

    /// Writes what a transactional id is from now on.
    fn write_transaction(
        &mut self,
        record: TransactionRecord,
        answer: Option<(Waits, TxnResponse)>,
        ctx: &mut Context<'_, Message>,
    ) {
        let partition = self.config.transactions.get(record.id).partition;
        let value = Arc::new(Content::Transaction(record.clone()));
        let written = Written { record, answer };
        let required = match self.write_own(partition, value, ctx) {
            Ok(required) => required,
            Err(error) => return self.transaction_failed(written, error, ctx),
        };
        // TransactionStateManager.scala: the producer's request time-out, 30 s by default.
        let within = self.config.settings.controller_timeout;
        let Some(shard) = self.transactions.shards.get_mut(&partition) else { return };
        shard.writes.push((partition, required), written, within, ctx);
        self.ends_moved(partition, ctx);
    }

    /// The high watermark of a partition of `__transaction_state` has moved.
    pub(super) fn transactions_replicated(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        let high_watermark = self.replica(partition).map_or(0, |replica| replica.high_watermark);
        loop {
            let Some(shard) = self.transactions.shards.get_mut(&partition) else { return };
            let Some(Pending { what, expired }) = shard.writes.reached(high_watermark, ctx) else {
                return;
            };
            if expired {
                continue;
            }
            let Written { record, answer } = what;
            let id = record.id;
            if let Some(seat) = shard.seats.get_mut(&id) {
                seat.take(&record);
            }
            if let Some((waits, answer)) = answer {
                self.answer_transaction(waits, answer, ctx);
            }
            match record.state {
                TxnState::Prepare { .. } => self.send_markers(id, ctx),
                TxnState::Complete { commit: false } => {
                    self.tell_transaction(id, event::TRANSACTION_ABORTED, ctx);
                }
                TxnState::Empty | TxnState::Ongoing | TxnState::Complete { .. } => {}
            }
        }
    }

    /// A coordinator has waited long enough for what it has written.
    pub(super) fn transaction_write_expired(
        &mut self,
        partition: PartitionId,
        number: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(shard) = self.transactions.shards.get_mut(&partition) else { return };
        let Some(written) = shard.writes.expired(number) else { return };
        let written = Written { record: written.record.clone(), answer: written.answer.take() };
        self.transaction_failed(written, Error::CoordinatorNotAvailable, ctx);
    }

    /// Nothing came of what was written; what ends a transaction is tried again.
    fn transaction_failed(
        &mut self,
        Written { record, answer }: Written,
        error: Error,
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(seat) = self.transaction_mut(record.id) {
            seat.failed();
        }
        if matches!(record.state, TxnState::Complete { .. }) {
            self.send_markers_later(record.id, ctx);
        }
        if let Some((waits, mut answer)) = answer {
            answer.refuse(error);
            self.answer_transaction(waits, answer, ctx);
        }
    }

    /// Looks for transactions that have taken too long (`transaction-abort`).
    pub(super) fn transaction_timeouts(&mut self, ctx: &mut Context<'_, Message>) {
        let (config, now) = (self.config.clone(), ctx.clock());
        let wait = config.settings.transactions.scan;
        ctx.after(wait, Lane::MAIN, Message::Timer(Timer::TransactionTimeouts));
        let mut late = Vec::new();
        let loaded = self.transactions.shards.values_mut().filter(|shard| shard.loaded);
        for seat in loaded.flat_map(|shard| shard.seats.values_mut()) {
            late.extend(seat.timed_out(now));
        }
        for record in late {
            self.tell_transaction(record.id, event::TRANSACTION_TIMED_OUT, ctx);
            self.write_transaction(record, None, ctx);
        }
    }

    /// Answers, if the connection is still the one that asked.
    fn answer_transaction(
        &mut self,
        waits: Waits,
        answer: TxnResponse,
        ctx: &mut Context<'_, Message>,
    ) {
        match waits {
            Waits::Slot(slot) => self.verified(slot, answer.error(), ctx),
            Waits::Asker(asker) => {
                let here = self.connection(asker.place).is_some_and(|at| at.conn == asker.conn);
                if here {
                    self.respond(asker.place, Response::Transaction(answer), ctx);
                }
            }
        }
    }

    /// Something happened to a transactional id.
    fn tell_transaction(&self, id: TxnId, word: EventId, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), self.me);
        let destination = self.config.transactions.get(id).told_of;
        ctx.observer().event(now, Event { word, node, destination, subject: None, count: 0 });
    }

    /// A transactional id as its coordinator has it, for people.
    #[must_use]
    pub fn transaction(&self, id: TxnId) -> Option<String> {
        let partition = self.config.transactions.get(id).partition;
        let shard = self.transactions.shards.get(&partition)?;
        Some(shard.seats.get(&id).map_or_else(|| "loading".to_owned(), Transaction::describe))
    }

    /// The transactions that are open in a partition, for people: producer id and first offset.
    #[must_use]
    pub fn open_transactions(&self, partition: PartitionId) -> Vec<(u32, u64)> {
        let replica = self.replica(partition);
        replica.map_or(Vec::new(), |replica| replica.transactions.all_open().collect())
    }

    /// Up to where `read_committed` may read a partition that this broker leads.
    #[must_use]
    pub fn stable_upto(&self, partition: PartitionId) -> Option<u64> {
        self.replica(partition).filter(|replica| replica.leads()).map(super::Replica::last_stable)
    }
}
