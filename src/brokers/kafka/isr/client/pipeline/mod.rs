//! An application that makes a message of each that it reads, and sends it to another topic
//! (consume-transform-produce): what it makes is sent before the positions behind what it read are
//! committed, or with them in one transaction (KIP-98).
//!
//! | file | what it has |
//! | --- | --- |
//! | `mod.rs` | what it makes, and when its application goes on |
//! | `sending.rs` | a producer with one batch of a partition under way |
//! | `transaction.rs` | the producer's transaction (TransactionManager.java) |
//!
//! The producer is a small one beside the consumer, with connections of its own; one process has both.

mod sending;
mod transaction;

use std::collections::{BTreeMap, VecDeque};

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::{Span, Time};
use crate::observe::{BecauseId, MessageRange, NodeId, Observer, Removal};
use crate::world::Context;

use super::super::groups::Position;
use super::super::message::{Batch, Error, Message};
use super::super::sequence::Identity;
use super::super::transactions::TxnId;
use super::super::words::cause;
use super::consumer::Consumer;
use super::settings::Commits;

/// What such an application is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineSettings {
    /// The topic that it sends to, by place.
    pub to: u32,
    /// Its `transactional.id`, if it has one.
    pub transaction: Option<TxnId>,
    /// `transaction.timeout.ms`.
    pub timeout: Span,
    /// Whether its batches bear sequences.
    pub idempotence: bool,
    /// `delivery.timeout.ms`.
    pub delivery_timeout: Span,
}

/// What was asked of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Find,
    Name,
    /// Partitions are added to the transaction.
    Add(Vec<PartitionId>),
    /// The partition of the group's offsets is.
    AddOffsets,
    Offsets,
    End,
    Produce(Vec<PartitionId>),
}

/// How far its producer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has no producer id.
    Unnamed,
    /// It sends.
    Ready,
    /// It aborts its transaction: nothing of it is sent any more.
    Aborting,
}

/// How far the offsets of a transaction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offsets {
    NotAdded,
    Added,
    Committed,
}

/// A batch that is under way, or is to be sent again.
#[derive(Clone, Copy, Debug)]
struct Sending {
    batch: Batch,
    /// When it was made.
    since: Time,
    /// It was handed to a connection once.
    sent: bool,
    /// It is under way.
    asked: bool,
}

/// A partition that it sends to.
#[derive(Clone, Debug)]
struct Out {
    partition: PartitionId,
    /// The sequence of the next message.
    next: u32,
    /// What is to be sent.
    queue: VecDeque<MessageRange>,
    sending: Option<Sending>,
    not_before: Time,
    /// The coordinator knows that the transaction writes to it.
    added: bool,
}

/// What such an application keeps.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub(super) settings: PipelineSettings,
    stage: Stage,
    identity: Option<Identity>,
    outs: Vec<Out>,
    /// The coordinator of its transactional id, as far as is known.
    coordinator: Option<NodeId>,
    asked: Vec<(NodeId, u32, Asked)>,
    /// Nothing is asked of a coordinator before.
    again: Time,
    /// The transaction has something, as its coordinator may know.
    begun: bool,
    offsets: Offsets,
    /// It is not known what became of a batch: the next epoch is needed.
    bumps: bool,
    /// Something went wrong: the application aborts as soon as it is through with what it works on.
    broken: bool,
    /// What the application has finished and waits for: until that is written, and committed.
    held: Option<Piece>,
    /// The positions behind what it has made something of in this transaction.
    read: BTreeMap<PartitionId, Position>,
}

impl Pipeline {
    /// Nothing is sent yet.
    pub(super) fn new(
        settings: PipelineSettings,
        partitions: impl Iterator<Item = PartitionId>,
    ) -> Pipeline {
        let out = |partition| Out {
            partition,
            next: 0,
            queue: VecDeque::new(),
            sending: None,
            not_before: Time::ZERO,
            added: false,
        };
        Pipeline {
            settings,
            stage: Stage::Unnamed,
            identity: None,
            outs: partitions.map(out).collect(),
            coordinator: None,
            asked: Vec::new(),
            again: Time::ZERO,
            begun: false,
            offsets: Offsets::NotAdded,
            bumps: false,
            broken: false,
            held: None,
            read: BTreeMap::new(),
        }
    }

    /// As after the death of its process.
    fn forget(&mut self) {
        let partitions: Vec<PartitionId> = self.outs.iter().map(|out| out.partition).collect();
        *self = Pipeline::new(self.settings.clone(), partitions.into_iter());
    }

    /// Whether the application waits: for its producer id in `initTransactions()`, for what it has
    /// sent, for a transaction to end.
    pub(super) fn holds(&self) -> bool {
        let transactional = self.settings.transaction.is_some();
        self.held.is_some()
            || self.stage == Stage::Aborting
            || transactional && self.stage == Stage::Unnamed
    }

    /// Whether nothing is to be sent or under way.
    fn is_flushed(&self) -> bool {
        self.outs.iter().all(|out| out.queue.is_empty() && out.sending.is_none())
    }

    fn has_asked(&self, asked: &Asked) -> bool {
        self.asked.iter().any(|(.., own)| own == asked)
    }

    fn out(&mut self, partition: PartitionId) -> Option<&mut Out> {
        self.outs.iter_mut().find(|out| out.partition == partition)
    }
}

impl Consumer {
    /// The application has made something of what it has read. Whether it goes on at once; if not, it
    /// waits until that is written.
    pub(super) fn pass_on(&mut self, piece: &Piece) -> bool {
        let config = self.config.config.clone();
        let streams = &config.streams;
        let each = matches!(
            self.member.as_ref().map(|member| member.settings.commits),
            Some(Commits::Each | Commits::Middle)
        );
        let last = self.hand.is_empty();
        let Some(pipeline) = &mut self.pipeline else { return true };
        if !pipeline.broken
            && let Some(stream) = streams.forwarded(piece.messages.producer, pipeline.settings.to)
            && let Some(out) = pipeline.out(streams.meant_for(stream))
        {
            out.queue.push_back(MessageRange { producer: stream, ..piece.messages });
        }
        let position = Position { offset: piece.end(), epoch: Some(piece.epoch) };
        pipeline.read.insert(streams.meant_for(piece.messages.producer), position);
        let transactional = pipeline.settings.transaction.is_some();
        let waits = last || !transactional && each || pipeline.broken;
        if waits {
            pipeline.held = Some(*piece);
        }
        if pipeline.broken {
            pipeline.begin_abort();
        }
        !waits
    }

    /// What goes on in its producer, beside the application; when to look again.
    pub(super) fn drive_pipeline(&mut self, now: Time, ctx: &mut Context<'_, Message>) -> Time {
        let Some(pipeline) = &self.pipeline else { return Time::MAX };
        if pipeline.settings.transaction.is_some() {
            return self.drive_transaction(now, ctx).min(self.send_made(now, ctx));
        }
        let mut again = self.ask_for_id(now, ctx);
        again = again.min(self.send_made(now, ctx));
        if let Some(pipeline) = &mut self.pipeline
            && pipeline.is_flushed()
            && let Some(piece) = pipeline.held.take()
        {
            self.finished(&piece, ctx);
            self.poll(ctx);
            again = now;
        }
        again
    }

    /// A broker has answered something that its producer has asked. Whether it was that.
    pub(super) fn pipeline_answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        (node, id): (NodeId, u32),
        answer: &super::super::message::Response,
    ) -> bool {
        use super::super::groups::GroupResponse;
        use super::super::message::Response;
        use super::super::transactions::TxnResponse;
        let Some(pipeline) = &mut self.pipeline else { return false };
        let found = pipeline.asked.iter().position(|(to, own, _)| (*to, *own) == (node, id));
        let Some(place) = found else { return false };
        let (_, _, asked) = pipeline.asked.remove(place);
        match (asked, answer) {
            (Asked::Produce(_), Response::Produce(parts)) => self.made_answered(ctx, parts),
            (Asked::Name, Response::InitProducerId(error, id)) => {
                let by = Identity { id: *id, epoch: 0, transactional: false };
                self.producer_named(ctx, *error, Some(by));
            }
            (Asked::Name, Response::Transaction(TxnResponse::Identity(error, by))) => {
                self.producer_named(ctx, *error, *by);
            }
            (Asked::Find, Response::Transaction(TxnResponse::Coordinator(error, broker))) => {
                let again = ctx.clock() + self.config.settings.backoff;
                if let Some(pipeline) = &mut self.pipeline {
                    pipeline.coordinator = broker.filter(|_| *error == Error::None);
                    if pipeline.coordinator.is_none() {
                        pipeline.again = again;
                    }
                }
            }
            (asked, Response::Transaction(answer)) => {
                let by = match answer {
                    TxnResponse::Identity(_, by) => *by,
                    _ => None,
                };
                self.transaction_answered(ctx, &asked, answer.error(), by);
            }
            (Asked::Offsets, Response::Group(GroupResponse::Done(error))) => {
                self.transaction_answered(ctx, &Asked::Offsets, *error, None);
            }
            _ => {}
        }
        true
    }

    /// A connection is lost, and with it what was asked on it.
    pub(super) fn pipeline_lost(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        ids: &[u32],
    ) {
        let again = ctx.clock() + self.config.settings.backoff;
        let Some(pipeline) = &mut self.pipeline else { return };
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut pipeline.asked)
            .into_iter()
            .partition(|(to, id, _)| *to == node && ids.contains(id));
        pipeline.asked = kept;
        for (_, _, asked) in gone {
            match asked {
                Asked::Produce(partitions) => {
                    let lost = |partition: &PartitionId| (*partition, Error::RequestTimedOut, 0);
                    let parts: Vec<_> = partitions.iter().map(lost).collect();
                    self.made_answered(ctx, &parts);
                }
                _ => {
                    if let Some(pipeline) = &mut self.pipeline {
                        pipeline.coordinator = None;
                        pipeline.again = again;
                    }
                }
            }
        }
    }

    /// The process is gone, or its application has thrown: what it has made and not sent nobody has, if
    /// the positions behind that are committed.
    pub(super) fn pipeline_died(&mut self, at: Time, me: NodeId, observer: &mut dyn Observer) {
        let Some(pipeline) = &mut self.pipeline else { return };
        let removal = Removal { cause: cause::OUTPUT_LOST, because: BecauseId::NONE };
        let streams = &self.config.config.streams;
        for out in &pipeline.outs {
            let sending = out.sending.iter().map(|sending| sending.batch.messages);
            for messages in sending.chain(out.queue.iter().copied()) {
                let (messages, lines) = streams.told(messages);
                for line in lines {
                    observer.dropped(at, me, Some(*line), messages, removal);
                }
            }
        }
        pipeline.forget();
    }
}
