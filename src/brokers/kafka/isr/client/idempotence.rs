//! What an idempotent producer keeps (TransactionManager.java, TxnPartitionMap.java 3.9): who it is,
//! and by partition which sequence is next, which was acknowledged last, and which batches are not
//! done with. A batch keeps the sequence that it was first sent with, so that a broker that has it
//! already does not write it again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::engine::Time;
use crate::observe::{Event, EventId, NodeId};
use crate::world::Context;

use super::super::message::{Error, Message, Request};
use super::super::rules::Rule;
use super::super::sequence::{Identity, LAST_EPOCH, Sequenced, plus};
use super::super::words::event;
use super::accumulator::{Accumulator, ProducerBatch};
use super::producer::Producer;
use super::sender::UnderWay;

/// What one partition's batches bear.
#[derive(Clone, Debug, Default)]
struct Part {
    /// Under whom its sequences count.
    identity: Option<Identity>,
    /// The sequence of the next message.
    next: u32,
    /// The last sequence that was acknowledged.
    acked: Option<u32>,
    /// The batches that were sent and are not done with, in order.
    in_flight: BTreeSet<Sequenced>,
}

/// What an idempotent producer keeps.
#[derive(Clone, Debug)]
pub struct Idempotence {
    identity: Option<Identity>,
    /// The question for an id that is under way.
    asked: Option<(NodeId, u32)>,
    /// When it may be asked (again).
    not_before: Time,
    parts: Vec<Part>,
    /// Partitions whose batches get new sequences with the next epoch; there is to be one.
    rewrite: BTreeSet<u32>,
    /// Partitions in which a batch was given up that may be in the log, with the sequence after it.
    unresolved: BTreeMap<u32, u32>,
    /// Whether a gap is answered by the next epoch, silently; before 2.5, by another id and errors.
    bumps: bool,
}

impl Idempotence {
    /// For so many partitions.
    #[must_use]
    pub fn new(partitions: usize, bumps: bool) -> Idempotence {
        Idempotence {
            identity: None,
            asked: None,
            not_before: Time::ZERO,
            parts: vec![Part::default(); partitions],
            rewrite: BTreeSet::new(),
            unresolved: BTreeMap::new(),
            bumps,
        }
    }

    /// The process has died.
    pub fn forget(&mut self) {
        *self = Idempotence::new(self.parts.len(), self.bumps);
    }

    /// When it is to ask for an id; `None` if it has one, or has asked.
    #[must_use]
    pub fn asks(&self) -> Option<Time> {
        (self.identity.is_none() && self.asked.is_none()).then_some(self.not_before)
    }

    /// It has asked for an id.
    pub fn asked(&mut self, node: NodeId, request: u32) {
        self.asked = Some((node, request));
    }

    /// Whether an answer, or a request that is lost, is that about the id.
    #[must_use]
    pub fn owns(&self, node: NodeId, request: u32) -> bool {
        self.asked == Some((node, request))
    }

    /// The answer: its id, if there is one.
    pub fn named(&mut self, id: Option<u32>, again: Time) {
        self.asked = None;
        match id {
            Some(id) => self.identity = Some(Identity { id, epoch: 0, transactional: false }),
            None => self.not_before = again,
        }
    }

    /// Whether a partition's first batch must wait (RecordAccumulator.java,
    /// `shouldStopDrainBatchesForPartition`): without an id; a new one, while others of another
    /// epoch are under way or it is not known what became of one; one that is sent again, while an
    /// earlier one is not done with.
    #[must_use]
    pub fn holds_back(&self, index: u32, first: &ProducerBatch) -> bool {
        let part = &self.parts[index as usize];
        if self.identity.is_none() {
            return true;
        }
        match first.sequenced {
            None => {
                let stale = part.identity != self.identity && !part.in_flight.is_empty();
                stale || self.unresolved.contains_key(&index)
            }
            Some(own) => part.in_flight.first().is_some_and(|earliest| *earliest != own),
        }
    }

    /// A batch is sent: a new one gets its sequence.
    pub fn number(&mut self, index: u32, batch: &mut ProducerBatch) {
        batch.reset = false;
        let Some(identity) = self.identity.filter(|_| batch.sequenced.is_none()) else { return };
        let part = &mut self.parts[index as usize];
        if part.identity != Some(identity) {
            *part = Part { identity: Some(identity), ..Part::default() };
        }
        let sequenced = Sequenced { by: identity, first: part.next };
        part.next = plus(part.next, batch.count());
        part.in_flight.insert(sequenced);
        batch.sequenced = Some(sequenced);
    }

    /// A batch was acknowledged (TransactionManager.java, `handleCompletedBatch`).
    pub fn completed(&mut self, index: u32, batch: &ProducerBatch) {
        let Some(own) = batch.sequenced else { return };
        let part = &mut self.parts[index as usize];
        part.in_flight.remove(&own);
        if part.identity == Some(own.by) {
            part.acked = part.acked.max(Some(own.first + batch.count() - 1));
        }
    }

    fn is_next(&self, index: u32, sequence: u32) -> bool {
        let part = &self.parts[index as usize];
        sequence == part.acked.map_or(0, |acked| acked + 1)
    }

    /// Whether a batch that was refused is sent again (TransactionManager.java, `canRetry`). A gap in
    /// front of a batch whose predecessors were all acknowledged means that the broker has lost
    /// something; any other closes when those are sent again.
    pub fn can_retry(&mut self, index: u32, error: Error, batch: &ProducerBatch) -> bool {
        let Some(own) = batch.sequenced else { return error.is_retriable() };
        let unresolved = self.unresolved.get(&index).copied();
        match error {
            Error::OutOfOrderSequence => {
                let waits = batch.reset || !self.is_next(index, own.first);
                if unresolved.is_none() && waits {
                    return true;
                }
                if self.bumps && unresolved.is_none_or(|next| next == own.first) {
                    self.rewrite.insert(index);
                }
                self.bumps
            }
            Error::UnknownProducerId => {
                if self.bumps && !batch.reset {
                    self.rewrite.insert(index);
                }
                self.bumps || batch.reset
            }
            _ => error.is_retriable(),
        }
    }

    /// Whether a batch may be sent again under the id that it has: before 2.5, not when there is
    /// another one.
    #[must_use]
    pub fn is_current(&self, batch: &ProducerBatch) -> bool {
        self.bumps || batch.sequenced.is_none_or(|own| Some(own.by) == self.identity)
    }

    /// A batch has failed by an answer; `surely` if it was its answer, and no lack of tries
    /// (TransactionManager.java, `handleFailedBatch`). Whether those behind it move up (before 2.5).
    pub fn failed(
        &mut self,
        index: u32,
        batch: &ProducerBatch,
        error: Error,
        surely: bool,
    ) -> Option<Sequenced> {
        let own = batch.sequenced?;
        let part = &mut self.parts[index as usize];
        part.in_flight.remove(&own);
        let gap = matches!(error, Error::OutOfOrderSequence | Error::UnknownProducerId);
        if self.bumps {
            if gap || surely {
                self.rewrite.insert(index);
            }
            return None;
        }
        if gap && Some(own.by) == self.identity {
            self.forget();
            return None;
        }
        (surely && part.identity == Some(own.by)).then_some(own)
    }

    /// A batch has failed since it took too long. What was sent more than once is in the log or not:
    /// nothing new is sent before that is known (Sender.java, `sendProducerData`;
    /// TransactionManager.java, `markSequenceUnresolved`).
    pub fn expired(&mut self, index: u32, batch: &ProducerBatch) {
        let Some(own) = batch.sequenced else { return };
        self.parts[index as usize].in_flight.remove(&own);
        if batch.attempts > 0 {
            let next = plus(own.first, batch.count());
            let known = self.unresolved.entry(index).or_insert(next);
            *known = next.max(*known);
        }
    }

    /// What is unresolved is, once nothing is under way: those behind it were acknowledged, so that
    /// it is in the log; or there is a gap (TransactionManager.java, `maybeResolveSequences`).
    pub fn resolve(&mut self) {
        if self.unresolved.is_empty() {
            return;
        }
        let parts = &self.parts;
        let done = |index: &u32| parts[*index as usize].in_flight.is_empty();
        let over: Vec<u32> = self.unresolved.keys().copied().filter(done).collect();
        for index in over {
            self.unresolved.remove(&index);
            if !self.is_next(index, self.parts[index as usize].next) {
                if !self.bumps {
                    return self.forget();
                }
                self.rewrite.insert(index);
            }
        }
    }

    /// Begins the next epoch if there must be one; returns it, with the partitions whose batches
    /// are to get new sequences ([`Idempotence::restart`]).
    pub fn bump(&mut self) -> Option<(u16, BTreeSet<u32>)> {
        if self.rewrite.is_empty() {
            return None;
        }
        let identity = self.identity.as_mut()?;
        if identity.epoch == LAST_EPOCH {
            self.identity = None;
            return None;
        }
        identity.epoch += 1;
        let epoch = identity.epoch;
        let rewrite = std::mem::take(&mut self.rewrite);
        self.unresolved.retain(|index, _| !rewrite.contains(index));
        Some((epoch, rewrite))
    }

    /// Sequences of a partition begin at 0 again, in the order in which they were
    /// (TxnPartitionEntry.java, `startSequencesAtBeginning`). The batches are all that are in flight.
    pub fn restart(&mut self, index: u32, batches: &mut [&mut ProducerBatch]) {
        let Some(identity) = self.identity else { return };
        let part = &mut self.parts[index as usize];
        *part = Part { identity: Some(identity), ..Part::default() };
        for batch in batches {
            let sequenced = Sequenced { by: identity, first: part.next };
            part.next = plus(part.next, batch.count());
            part.in_flight.insert(sequenced);
            (batch.sequenced, batch.reset) = (Some(sequenced), true);
        }
    }

    /// Those behind a batch that has failed for sure move up (TxnPartitionEntry.java,
    /// `adjustSequencesDueToFailedBatch`).
    pub fn move_up(
        &mut self,
        index: u32,
        (failed, count): (Sequenced, u32),
        batches: &mut [&mut ProducerBatch],
    ) {
        let part = &mut self.parts[index as usize];
        part.next = part.next.saturating_sub(count);
        for batch in batches {
            let Some(own) = batch.sequenced.filter(|own| own.first > failed.first) else {
                continue;
            };
            let moved = Sequenced { first: own.first - count, ..own };
            part.in_flight.remove(&own);
            part.in_flight.insert(moved);
            (batch.sequenced, batch.reset) = (Some(moved), true);
        }
    }
}

impl Producer {
    /// Sees to it that there is an id, and the epoch that there is to be (Sender.java, `runOnce`).
    /// When it is to look again.
    pub(super) fn identify(&mut self, ctx: &mut Context<'_, Message>) -> Time {
        let Some(own) = &mut self.idempotence else { return Time::MAX };
        own.resolve();
        if let Some((epoch, rewrite)) = own.bump() {
            for index in rewrite {
                let mut batches = in_flight(&mut self.under_way, &mut self.accumulator, index);
                if let Some(own) = &mut self.idempotence {
                    own.restart(index, &mut batches);
                }
            }
            self.tell(event::EPOCH_BUMPED, u64::from(epoch), ctx);
        }
        let now = ctx.clock();
        match self.idempotence.as_ref().and_then(Idempotence::asks) {
            None => return Time::MAX,
            Some(at) if at > now => return at,
            Some(_) => {}
        }
        match self.network.least_loaded(ctx) {
            Err(again) => again,
            Ok(node) => {
                let request = self.network.send(ctx, node, Request::InitProducerId);
                if let Some(own) = &mut self.idempotence {
                    own.asked(node, request);
                }
                Time::MAX
            }
        }
    }

    fn tell(&self, word: EventId, count: u64, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        ctx.observer().event(now, Event { word, node, destination: None, subject: None, count });
    }

    /// A broker has answered with an id.
    pub(super) fn named(
        &mut self,
        ctx: &mut Context<'_, Message>,
        (node, request): (NodeId, u32),
        error: Error,
        id: u32,
    ) {
        let again = ctx.clock() + self.config.settings.backoff;
        if let Some(own) = self.idempotence.as_mut().filter(|own| own.owns(node, request)) {
            own.named((error == Error::None).then_some(id), again);
        }
    }

    /// The question for an id was lost with its connection.
    pub(super) fn name_lost(&mut self, ctx: &Context<'_, Message>, node: NodeId, ids: &[u32]) {
        let again = ctx.clock() + self.config.settings.backoff;
        if let Some(own) = &mut self.idempotence
            && ids.iter().any(|id| own.owns(node, *id))
        {
            own.named(None, again);
        }
    }

    /// Whether the first batch of a partition must wait for others.
    pub(super) fn holds_back(&self, index: u32) -> bool {
        let Some(own) = &self.idempotence else { return false };
        let in_order = self.config.config.has(Rule::RetryInSequence);
        self.accumulator.front(index).is_some_and(|first| {
            own.holds_back(index, first) && (in_order || first.sequenced.is_none())
        })
    }

    /// A batch has failed for good.
    pub(super) fn sequence_failed(
        &mut self,
        ctx: &mut Context<'_, Message>,
        index: u32,
        (batch, error): (&ProducerBatch, Error),
        surely: bool,
    ) {
        let Some(own) = &mut self.idempotence else { return };
        let had = own.identity;
        let gone = own.failed(index, batch, error, surely);
        if had.is_some() && own.identity.is_none() {
            self.tell(event::PRODUCER_ID_RESET, 0, ctx);
        }
        if let Some(gone) = gone {
            let mut batches = in_flight(&mut self.under_way, &mut self.accumulator, index);
            if let Some(own) = &mut self.idempotence {
                own.move_up(index, (gone, batch.count()), &mut batches);
            }
        }
    }
}

/// The batches of a partition that were sent and are not done with, by sequence.
fn in_flight<'a>(
    under_way: &'a mut [VecDeque<UnderWay>],
    accumulator: &'a mut Accumulator,
    index: u32,
) -> Vec<&'a mut ProducerBatch> {
    let requests = under_way.iter_mut().flatten();
    let sent = requests.flat_map(|request| request.batches.iter_mut());
    let sent = sent.filter(|(of, batch)| *of == index && !batch.done).map(|(_, batch)| batch);
    let mut all: Vec<&mut ProducerBatch> = sent.chain(accumulator.sequenced(index)).collect();
    all.sort_by_key(|batch| batch.sequenced);
    all
}
