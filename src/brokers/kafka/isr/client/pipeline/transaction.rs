//! The transaction of what was made of one poll() (TransactionManager.java): its partitions are added, the
//! positions behind what was read go with it, and it is committed; or it is aborted, and the application
//! goes back to where its group is.

use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::{Event, NodeId};
use crate::world::Context;

use super::super::super::groups::GroupRequest;
use super::super::super::message::{Error, Message, Request};
use super::super::super::rules::Rule;
use super::super::super::sequence::Identity;
use super::super::super::transactions::{TxnId, TxnRequest};
use super::super::super::words::event;
use super::super::consumer::Consumer;
use super::super::fetcher::Step;
use super::{Asked, Offsets, Pipeline, Stage};

impl Pipeline {
    /// Who the producer is from now on: sequences begin at 0.
    pub(super) fn begin_epoch(&mut self, by: Option<Identity>) {
        if self.identity == by {
            return;
        }
        self.identity = by;
        for out in &mut self.outs {
            out.next = 0;
        }
    }

    /// The transaction is over: the next one has nothing yet.
    fn begin_next(&mut self) {
        (self.begun, self.broken, self.bumps) = (false, false, false);
        self.offsets = Offsets::NotAdded;
        self.read.clear();
        self.outs.iter_mut().for_each(|out| out.added = false);
    }
}

impl Consumer {
    /// Asks the coordinators what is to be asked next; when to look again.
    pub(super) fn drive_transaction(&mut self, now: Time, ctx: &mut Context<'_, Message>) -> Time {
        let v2 = self.config.config.has(Rule::TransactionsV2);
        let Some(pipeline) = &mut self.pipeline else { return Time::MAX };
        let Some(id) = pipeline.settings.transaction else { return Time::MAX };
        let Some(step) = pipeline.next_step(v2) else { return Time::MAX };
        if pipeline.again > now {
            return pipeline.again;
        }
        let Some(coordinator) = pipeline.coordinator else {
            return self.find_transaction_coordinator(id, now, ctx);
        };
        let timeout = pipeline.settings.timeout;
        let by = pipeline.identity;
        let body = match (&step, by) {
            // Nothing was written: there is nothing to end.
            (Asked::End, _) if !pipeline.begun => {
                self.transaction_answered(ctx, &Asked::End, Error::None, by);
                return now;
            }
            (Asked::Name, expected) => TxnRequest::Init { timeout, expected },
            (Asked::Add(partitions), Some(by)) => {
                TxnRequest::Add { by, partitions: partitions.clone(), verify: false }
            }
            (Asked::AddOffsets, Some(by)) => {
                let partitions = vec![self.offsets_partition()];
                TxnRequest::Add { by, partitions, verify: false }
            }
            (Asked::End, Some(by)) => {
                TxnRequest::End { by, commit: pipeline.stage != Stage::Aborting }
            }
            (Asked::Offsets, Some(by)) => return self.commit_offsets_with(id, by, now, ctx),
            _ => return Time::MAX,
        };
        let peer = self.network.producer(coordinator);
        match self.network.ready(ctx, peer) {
            Err(at) => at,
            Ok(()) => {
                let request = Request::Transaction { id, body };
                let number = self.network.send(ctx, peer, request);
                if let Some(pipeline) = &mut self.pipeline {
                    pipeline.begun |= !matches!(step, Asked::Name);
                    pipeline.asked.push((peer, number, step));
                }
                Time::MAX
            }
        }
    }

    fn find_transaction_coordinator(
        &mut self,
        id: TxnId,
        now: Time,
        ctx: &mut Context<'_, Message>,
    ) -> Time {
        let asked = self.pipeline.as_ref().is_some_and(|own| own.has_asked(&Asked::Find));
        if asked {
            return Time::MAX;
        }
        let Some(node) = self.network.any_ready(ctx) else {
            return now + self.config.settings.backoff;
        };
        let request = Request::Transaction { id, body: TxnRequest::Find };
        let number = self.network.send(ctx, node, request);
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.asked.push((node, number, Asked::Find));
        }
        Time::MAX
    }

    /// The partition that has the offsets of its group.
    fn offsets_partition(&self) -> PartitionId {
        let config = &self.config.config;
        self.group().map_or(PartitionId(0), |group| config.groups.get(group).partition)
    }

    /// `TxnOffsetCommit`, to the coordinator of the group.
    fn commit_offsets_with(
        &mut self,
        id: TxnId,
        by: Identity,
        now: Time,
        ctx: &mut Context<'_, Message>,
    ) -> Time {
        // Not `position()`, which may be unknown while a new leader is asked about it.
        let read = self.pipeline.iter().flat_map(|own| own.read.iter());
        let offsets = read.map(|(partition, position)| (*partition, *position)).collect();
        let Some((group, who, coordinator)) = self.standing() else { return Time::MAX };
        // Up to 2.4 nobody looks at who commits; who has assigned its partitions to itself is nobody.
        let subscribes = self.member.as_ref().is_some_and(|own| own.settings.subscribes);
        let fences = self.config.config.has(Rule::FenceTransactionalCommits);
        if who.is_none() && subscribes && fences {
            self.transaction_answered(ctx, &Asked::Offsets, Error::UnknownMemberId, None);
            return now;
        }
        let Some(coordinator) = coordinator else {
            return now + self.config.settings.backoff;
        };
        let peer = self.network.producer(coordinator);
        match self.network.ready(ctx, peer) {
            Err(at) => at,
            Ok(()) => {
                let body = GroupRequest::TxnOffsetCommit { id, by, who, offsets };
                let request = Request::Group { group, client: self.config.id, body };
                let number = self.network.send(ctx, peer, request);
                if let Some(pipeline) = &mut self.pipeline {
                    pipeline.begun = true;
                    pipeline.asked.push((peer, number, Asked::Offsets));
                }
                Time::MAX
            }
        }
    }

    /// A coordinator has answered (TransactionManager.java, the handlers of each request).
    pub(super) fn transaction_answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        asked: &Asked,
        error: Error,
        by: Option<Identity>,
    ) {
        let (now, backoff) = (ctx.clock(), self.config.settings.backoff);
        let Some(pipeline) = &mut self.pipeline else { return };
        match error {
            Error::None => {}
            Error::ProducerFenced
            | Error::InvalidProducerEpoch
            | Error::InvalidProducerIdMapping
            | Error::InvalidTxnState => return self.producer_failed(ctx, error),
            Error::UnknownMemberId
            | Error::IllegalGeneration
            | Error::StaleMemberEpoch
            | Error::FencedInstanceId
            | Error::TransactionAbortable => return self.break_off(),
            // The group agrees anew meanwhile: its answer comes soon
            // (TransactionManager.java, TxnOffsetCommitHandler: abortable).
            Error::RebalanceInProgress => return self.break_off(),
            error => {
                let soon = error == Error::ConcurrentTransactions && matches!(asked, Asked::Add(_));
                pipeline.again = now + if soon { backoff / 5 } else { backoff };
                let own = !matches!(asked, Asked::Offsets);
                if error.is_coordinators() && own {
                    pipeline.coordinator = None;
                } else if error.is_coordinators() {
                    self.forget_coordinator(ctx);
                }
                return;
            }
        }
        match asked {
            Asked::Add(partitions) => {
                for partition in partitions {
                    if let Some(out) = pipeline.out(*partition) {
                        out.added = true;
                    }
                }
            }
            Asked::AddOffsets => pipeline.offsets = Offsets::Added,
            Asked::Offsets => pipeline.offsets = Offsets::Committed,
            Asked::End if pipeline.stage == Stage::Aborting => {
                let (bumps, v2) = (pipeline.bumps, self.config.config.has(Rule::TransactionsV2));
                if v2 {
                    pipeline.begin_epoch(by);
                }
                pipeline.begun = false;
                if !bumps || v2 {
                    return self.aborted(ctx);
                }
                if !self.config.config.has(Rule::BumpAfterAbort) {
                    self.producer_failed(ctx, Error::OutOfOrderSequence);
                }
            }
            Asked::End => self.committed(ctx, by),
            Asked::Find | Asked::Name | Asked::Produce(_) => {}
        }
    }

    /// The transaction is committed: the application goes on.
    fn committed(&mut self, ctx: &mut Context<'_, Message>, by: Option<Identity>) {
        let v2 = self.config.config.has(Rule::TransactionsV2);
        let Some(pipeline) = &mut self.pipeline else { return };
        if v2 {
            pipeline.begin_epoch(by);
        }
        pipeline.begin_next();
        if let Some(piece) = pipeline.held.take() {
            self.finished(&piece, ctx);
        }
        self.poll(ctx);
    }

    /// The transaction can only be aborted: nothing that was read since it began is worked on, and the
    /// application learns of it when it is through with what it has in hand.
    pub(super) fn break_off(&mut self) {
        self.hand.clear();
        let busy = self.application.is_busy();
        let Some(pipeline) = &mut self.pipeline else { return };
        if pipeline.stage == Stage::Aborting {
            return;
        }
        pipeline.broken = true;
        if !busy || pipeline.held.is_some() {
            pipeline.begin_abort();
        }
    }

    /// The transaction is aborted: the application goes back to where its group is
    /// (`KafkaConsumer.committed`, `seek`).
    pub(super) fn aborted(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(pipeline) = &mut self.pipeline else { return };
        pipeline.begin_next();
        (pipeline.stage, pipeline.held) = (Stage::Ready, None);
        for out in &mut pipeline.outs {
            out.queue.clear();
            out.sending = None;
        }
        self.fetched.clear();
        self.hand.clear();
        for part in &mut self.parts {
            (part.step, part.asked, part.buffered) = (Step::Committed, false, false);
            part.at_end = false;
        }
        self.poll(ctx);
    }

    /// The producer is of no use any more: the application closes everything and begins anew.
    pub(super) fn producer_failed(&mut self, ctx: &mut Context<'_, Message>, error: Error) {
        let (now, node) = (ctx.now(), ctx.node());
        let destination = self.lines.first().copied();
        if matches!(error, Error::ProducerFenced | Error::InvalidProducerEpoch) {
            let word = event::PRODUCER_FENCED;
            let event = Event { word, node, destination, subject: None, count: 0 };
            ctx.observer().event(now, event);
        }
        self.application_failed(ctx);
    }

    /// Who it is to its group: none if it has no place in it.
    fn standing(
        &self,
    ) -> Option<(
        super::super::super::groups::GroupId,
        Option<super::super::super::groups::Identity>,
        Option<NodeId>,
    )> {
        self.member.as_ref().map(|member| member.standing())
    }
}

impl Pipeline {
    /// What is to be asked of a coordinator next.
    fn next_step(&mut self, v2: bool) -> Option<Asked> {
        let asked = |own: &Asked| !matches!(own, Asked::Produce(_));
        if self.asked.iter().any(|(.., own)| asked(own)) {
            return None;
        }
        let ends = self.held.is_some() && !self.broken;
        match self.stage {
            Stage::Unnamed => Some(Asked::Name),
            Stage::Aborting => {
                // What is under way is waited for (KafkaProducer.java, abortTransaction).
                let under_way = |out: &super::Out| out.sending.is_some_and(|own| own.asked);
                if self.outs.iter().any(under_way) {
                    return None;
                }
                Some(if self.begun || !self.bumps { Asked::End } else { Asked::Name })
            }
            Stage::Ready => {
                let wants = |out: &&super::Out| !out.added && !out.queue.is_empty();
                let partitions = self.outs.iter().filter(wants).map(|out| out.partition);
                let partitions: Vec<PartitionId> = partitions.collect();
                if !partitions.is_empty() && !v2 {
                    return Some(Asked::Add(partitions));
                }
                if !ends || !self.is_flushed() {
                    return None;
                }
                Some(match self.offsets {
                    Offsets::NotAdded if !v2 => Asked::AddOffsets,
                    Offsets::NotAdded | Offsets::Added => Asked::Offsets,
                    Offsets::Committed => Asked::End,
                })
            }
        }
    }

    /// Nothing of the transaction is sent any more.
    pub(super) fn begin_abort(&mut self) {
        self.stage = Stage::Aborting;
        for out in &mut self.outs {
            out.queue.clear();
            if let Some(sending) = out.sending.filter(|sending| !sending.asked) {
                self.bumps |= sending.sent;
                out.sending = None;
            }
        }
    }
}
