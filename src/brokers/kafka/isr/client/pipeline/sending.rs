//! What the application has made is sent: one batch of a partition at a time, again until it is
//! acknowledged or has taken too long.

use std::collections::BTreeMap;

use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::{MessageRange, NodeId};
use crate::world::Context;

use super::super::super::message::{Acks, Batch, Error, Message, Request};
use super::super::super::rules::Rule;
use super::super::super::sequence::{Identity, LAST_EPOCH, Sequenced, plus};
use super::super::consumer::Consumer;
use super::super::settings::RecordFormat;
use super::{Asked, Out, Sending, Stage};

/// `batch.size`.
const BATCH: u32 = 16_384;

impl Out {
    /// The next batch: messages that follow one another, as many as fit.
    fn fill(&mut self, format: RecordFormat, by: Option<Identity>, now: Time) -> Option<Batch> {
        let first = self.queue.front_mut()?;
        let each = format.message + first.bytes;
        let fits = ((BATCH - format.batch) / each).max(1).min(first.count);
        let mut messages = MessageRange { count: fits, ..*first };
        if fits == first.count {
            self.queue.pop_front();
        } else {
            (first.first, first.count) = (first.first + fits, first.count - fits);
        }
        // What was finished one by one goes together.
        while let Some(next) = self.queue.front()
            && next.producer == messages.producer
            && next.first == messages.first + messages.count
            && next.bytes == messages.bytes
            && format.batch + each * (messages.count + next.count) <= BATCH
        {
            messages.count += next.count;
            self.queue.pop_front();
        }
        let bytes = format.batch + each * messages.count;
        let sequenced = by.map(|by| Sequenced { by, first: self.next });
        if by.is_some() {
            self.next = plus(self.next, messages.count);
        }
        let whole = messages.count > 1;
        Some(Batch { partition: self.partition, messages, bytes, whole, sequenced, stamp: now })
    }
}

impl Consumer {
    /// Asks for a producer id that is nobody's, if it is idempotent and has none.
    pub(super) fn ask_for_id(&mut self, now: Time, ctx: &mut Context<'_, Message>) -> Time {
        let Some(pipeline) = &mut self.pipeline else { return Time::MAX };
        if !pipeline.settings.idempotence {
            pipeline.stage = Stage::Ready;
        }
        if pipeline.stage == Stage::Ready || pipeline.has_asked(&Asked::Name) {
            return Time::MAX;
        }
        if pipeline.again > now {
            return pipeline.again;
        }
        let Some(node) = self.network.any_ready(ctx) else {
            return now + self.config.settings.backoff;
        };
        let id = self.network.send(ctx, node, Request::InitProducerId);
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.asked.push((node, id, Asked::Name));
        }
        Time::MAX
    }

    /// It has a producer id, or another epoch of it.
    pub(super) fn producer_named(
        &mut self,
        ctx: &mut Context<'_, Message>,
        error: Error,
        by: Option<Identity>,
    ) {
        let again = ctx.clock() + self.config.settings.backoff;
        if matches!(error, Error::ProducerFenced | Error::InvalidProducerIdMapping) {
            return self.producer_failed(ctx, error);
        }
        let Some(pipeline) = &mut self.pipeline else { return };
        if error != Error::None {
            pipeline.again = again;
            if error.is_coordinators() {
                pipeline.coordinator = None;
            }
            return;
        }
        pipeline.begin_epoch(by);
        match pipeline.stage {
            Stage::Aborting => self.aborted(ctx),
            Stage::Unnamed | Stage::Ready => pipeline.stage = Stage::Ready,
        }
    }

    /// Sends what is due, a request a leader; when to look again.
    pub(super) fn send_made(&mut self, now: Time, ctx: &mut Context<'_, Message>) -> Time {
        let config = self.config.config.clone();
        let format = RecordFormat::of(&config);
        let v2 = config.has(Rule::TransactionsV2);
        let mut again = Time::MAX;
        let mut by_leader: BTreeMap<NodeId, Vec<PartitionId>> = BTreeMap::new();
        let mut unknown = false;
        let Some(pipeline) = &self.pipeline else { return again };
        if pipeline.stage != Stage::Ready || pipeline.broken {
            return again;
        }
        let (transactional, limit) =
            (pipeline.settings.transaction.is_some(), pipeline.settings.delivery_timeout);
        // What waits to be sent again, and cannot be, is given up in time (RecordAccumulator.java, expiredBatches).
        let waits = |out: &super::Out| {
            let sending = out.sending.filter(|sending| !sending.asked)?;
            Some((out.partition, sending.since + limit))
        };
        let waiting: Vec<(PartitionId, Time)> = pipeline.outs.iter().filter_map(waits).collect();
        let late = waiting.iter().filter(|(_, until)| *until <= now);
        let late: Vec<_> = late.map(|(of, _)| (*of, Error::RequestTimedOut, 0)).collect();
        if !late.is_empty() {
            self.made_answered(ctx, &late);
            return now;
        }
        again = waiting.iter().fold(again, |again, (_, until)| again.min(*until));
        for out in &pipeline.outs {
            let idle = out.queue.is_empty() && out.sending.is_none();
            let under_way = out.sending.is_some_and(|sending| sending.asked);
            if idle || under_way || transactional && !v2 && !out.added {
                continue;
            }
            if out.not_before > now {
                again = again.min(out.not_before);
                continue;
            }
            match self.network.metadata().leader(out.partition) {
                Some(leader) => by_leader.entry(leader).or_default().push(out.partition),
                None => unknown = true,
            }
        }
        if unknown && self.network.metadata().view().is_some() {
            self.network.want_metadata(ctx);
            again = again.min(now + self.config.settings.backoff);
        }
        for (leader, partitions) in by_leader {
            let peer = self.network.producer(leader);
            match self.network.ready(ctx, peer) {
                Ok(()) => self.send_batches(ctx, peer, partitions, format),
                Err(at) => again = again.min(at),
            }
        }
        again
    }

    fn send_batches(
        &mut self,
        ctx: &mut Context<'_, Message>,
        peer: NodeId,
        partitions: Vec<PartitionId>,
        format: RecordFormat,
    ) {
        let (now, costs) = (ctx.clock(), self.config.config.costs.clone());
        let timeout = self.config.settings.request_timeout;
        let Some(pipeline) = &mut self.pipeline else { return };
        let (by, transaction) = (pipeline.identity, pipeline.settings.transaction);
        let mut batches = Vec::new();
        for partition in &partitions {
            let Some(out) = pipeline.out(*partition) else { continue };
            if out.sending.is_none() {
                let Some(batch) = out.fill(format, by, now) else { continue };
                out.sending = Some(Sending { batch, since: now, sent: false, asked: false });
            }
            if let Some(sending) = &mut out.sending {
                (sending.sent, sending.asked) = (true, true);
                batches.push(sending.batch);
            }
        }
        pipeline.begun |= transaction.is_some();
        ctx.spend(costs.batch * batches.len() as u64);
        let request = Request::Produce { acks: Acks::All, timeout, batches, transaction };
        let id = self.network.send(ctx, peer, request);
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.asked.push((peer, id, Asked::Produce(partitions)));
        }
    }

    /// It is known what became of batches (Sender.java, `completeBatch`, `canRetry`).
    pub(super) fn made_answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        parts: &[(PartitionId, Error, u64)],
    ) {
        let (now, backoff) = (ctx.clock(), self.config.settings.backoff);
        let mut failed = None;
        for (partition, error, _) in parts {
            if error.is_stale_metadata() || *error == Error::RequestTimedOut {
                self.network.want_metadata(ctx);
            }
            let Some(pipeline) = &mut self.pipeline else { return };
            let (transactional, limit) =
                (pipeline.settings.transaction.is_some(), pipeline.settings.delivery_timeout);
            let aborting = pipeline.stage == Stage::Aborting;
            let Some(out) = pipeline.out(*partition) else { continue };
            let Some(sending) = &mut out.sending else { continue };
            sending.asked = false;
            if *error == Error::None {
                out.sending = None;
                continue;
            }
            let late = sending.since + limit <= now;
            if error.is_retriable() && !late && !aborting {
                // What ends the last transaction is nearly done
                // (`add.partitions.to.txn.retry.backoff.ms`).
                let soon = *error == Error::ConcurrentTransactions;
                out.not_before = now + if soon { backoff / 5 } else { backoff };
                continue;
            }
            if transactional {
                pipeline.bumps = true;
                failed = Some(*error);
            } else if matches!(error, Error::OutOfOrderSequence | Error::UnknownProducerId) {
                // The broker has lost something: the next epoch begins, without a word.
                self.restart_sequences();
            } else {
                failed = Some(*error);
            }
        }
        match failed {
            Some(error) if self.is_transactional() && !is_fatal(error) => self.break_off(),
            Some(error) => self.producer_failed(ctx, error),
            None => {}
        }
    }

    /// An idempotent producer begins its next epoch; what is under way is sent again.
    fn restart_sequences(&mut self) {
        let Some(pipeline) = &mut self.pipeline else { return };
        let by = pipeline.identity.filter(|by| by.epoch < LAST_EPOCH).map(Identity::next);
        let Some(by) = by else {
            pipeline.stage = Stage::Unnamed;
            return;
        };
        pipeline.begin_epoch(Some(by));
        for out in &mut pipeline.outs {
            if let Some(sending) = &mut out.sending {
                sending.batch.sequenced = Some(Sequenced { by, first: 0 });
                out.next = sending.batch.messages.count;
            }
        }
    }

    /// Whether what it makes is written in transactions.
    pub(super) fn is_transactional(&self) -> bool {
        self.pipeline.as_ref().is_some_and(|own| own.settings.transaction.is_some())
    }
}

/// Whether a producer can only be closed after this (TransactionManager.java, `handleFailedBatch`).
const fn is_fatal(error: Error) -> bool {
    matches!(error, Error::ProducerFenced | Error::InvalidProducerIdMapping)
}
