//! Consumers (`consumer/*` 0.7): a simple one that is told what to read and keeps its offsets with
//! what it makes of the messages; a high-level one, which shares the partitions of a topic with the
//! others of its group; and auditors, simple ones that begin when the load ends.

mod fetcher;
mod group;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::coordination::zookeeper::{SESSIONS, Session};
use crate::brokers::kit::application::{Hours, Reading};
use crate::brokers::kit::log::Piece;
use crate::brokers::kit::touched::Touched;
use crate::engine::{Distribution, Span, Time};
use crate::observe::{ConsumerId, ContactState, DestinationId, MessageRange, Observer};
use crate::world::{Context, Input, Signal, Wait};

use super::super::PartitionId;
use super::config::Config;
use super::invariants::Touch;
use super::message::{Message, Znode};
use super::rules::Rule;
use fetcher::Fetcher;
use group::Group;

/// What kind of consumer it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `SimpleConsumer`: reads what it is told.
    Simple,
    /// `ZookeeperConsumerConnector`: a member of a group.
    HighLevel(GroupConfig),
}

/// How a member of a group behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `groupid`.
    pub group: String,
    /// `autocommit.interval.ms`; none with `autocommit.enable = false`.
    pub autocommit: Option<Span>,
    /// `rebalance.retries.max`.
    pub retries: u32,
    /// `rebalance.backoff.ms`.
    pub backoff: Span,
    /// `zk.sessiontimeout.ms`.
    pub session_timeout: Span,
}

/// What a consumer does.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Which one it is.
    pub id: ConsumerId,
    /// Its name.
    pub name: String,
    /// What kind.
    pub kind: Kind,
    /// The topic that a member of a group reads.
    pub topic: u32,
    /// The place of its group among those of the topic.
    pub group: usize,
    /// What a simple consumer reads; of a member of a group, all that it may.
    pub partitions: Vec<PartitionId>,
    /// `fetch.size`.
    pub fetch_size: u32,
    /// `queuedchunks.max`.
    pub queued_chunks: u32,
    /// `fetcher.backoff.ms`.
    pub fetcher_backoff: Span,
    /// `autooffset.reset = largest`.
    pub from_largest: bool,
    /// How long its application works on a message.
    pub processing: Distribution,
    /// From when to when it reads.
    pub hours: Hours,
}

/// `PartitionTopicInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Info {
    partition: PartitionId,
    /// Behind the last message that the application was handed; none if there was none and
    /// ZooKeeper knows of none.
    consumed: Option<u64>,
    /// Behind what was queued; none if one end has to be asked for.
    fetched: Option<u64>,
}

/// `FetchedDataChunk`.
#[derive(Clone, Debug)]
struct Chunk {
    partition: PartitionId,
    offset: u64,
    pieces: VecDeque<Piece>,
    /// Of which registry of partitions its info is.
    registry: u32,
}

/// What the application works on.
#[derive(Clone, Copy, Debug)]
struct Work {
    partition: PartitionId,
    messages: MessageRange,
    /// Behind them.
    end: u64,
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: Arc<Config>,
    own: ConsumerConfig,
    session: Session<Znode>,
    group: Group,
    infos: Vec<Info>,
    /// Counts registries of partitions (`topicRegistry`).
    registry: u32,
    fetchers: Vec<Fetcher>,
    fetcher_life: u32,
    chunks: VecDeque<Chunk>,
    /// What the application iterates over, and the message that it works on.
    current: Option<Chunk>,
    application: Reading<Work>,
    /// The destinations of its partitions.
    lines: Vec<DestinationId>,
    /// Offsets that a simple consumer keeps with its results.
    kept: Vec<(PartitionId, u64)>,
    leaving: bool,
    /// What the invariants have to look at.
    pub(super) touched: Touched<Touch>,
}

impl Consumer {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, own: ConsumerConfig) -> Consumer {
        let timeout = match &own.kind {
            Kind::Simple => Span::ZERO,
            Kind::HighLevel(group) => group.session_timeout,
        };
        Consumer {
            session: Session::new(config.zookeeper.clone(), timeout, 0, SESSIONS),
            group: Group::default(),
            infos: Vec::new(),
            registry: 0,
            fetchers: Vec::new(),
            fetcher_life: 0,
            chunks: VecDeque::new(),
            current: None,
            application: Reading::new(own.id, own.hours, own.processing.clone()),
            lines: own.partitions.iter().map(|of| config.streams.seen_by(*of, own.group)).collect(),
            kept: Vec::new(),
            leaving: false,
            touched: Touched::default(),
            config,
            own,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => self.boot(ctx),
            Input::Signal(Signal::LoadEnded) if self.application.is_auditor() => self.begin(ctx),
            Input::Signal(Signal::Stop) => {
                self.leaving = true;
                self.shut_down(ctx);
            }
            Input::Signal(_) => {}
            Input::Local { body: Message::Zk(message) } => {
                self.zookeeper_input(Input::Local { body: Message::Zk(message) }, ctx);
            }
            Input::Local { body } => self.local(body, ctx),
            input => match input.conn() {
                Some(conn) if self.session.owns(conn) => self.zookeeper_input(input, ctx),
                Some(conn) => {
                    let found = self.fetchers.iter().position(|fetcher| fetcher.owns(conn));
                    if let Some(at) = found {
                        self.fetcher_input(at, input, ctx);
                    }
                }
                None => {}
            },
        }
    }

    fn fetcher_input(&mut self, at: usize, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Connected { .. } => self.fetcher_connected(at, ctx),
            Input::Message { body, .. } => self.broker_input(at, body, ctx),
            Input::Failed { why, .. } => {
                self.fetcher_tells(at, ContactState::GivenUp, why.words(), ctx);
                self.fetcher_lost(at, ctx);
            }
            Input::Closed { how, .. } => {
                self.fetcher_tells(at, ContactState::Lost, how.words(), ctx);
                self.fetcher_lost(at, ctx);
            }
            _ => {}
        }
    }

    fn local(&mut self, body: Message, ctx: &mut Context<'_, Message>) {
        match body {
            Message::Begin(true) => self.begin(ctx),
            Message::Begin(false) => self.shut_down(ctx),
            Message::Processed => {
                if let Some(work) = self.application.done() {
                    self.finish(work, ctx);
                }
                self.work(ctx);
            }
            Message::FetchAgain { broker, life } => self.fetch_again(broker, life, ctx),
            Message::CommitTick => self.commit_tick(ctx),
            Message::Rebalance(number) => self.rebalance_timer(number, ctx),
            _ => {}
        }
    }

    fn boot(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.ready();
        if self.application.boot(Message::Begin(true), Message::Begin(false), ctx) {
            self.begin(ctx);
        }
    }

    fn begin(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.application.begin() {
            return;
        }
        match &self.own.kind {
            Kind::Simple => {
                let kept = |partition: &PartitionId| {
                    self.kept.iter().find(|(of, _)| of == partition).map(|(_, offset)| *offset)
                };
                let info = |partition: &PartitionId| {
                    let offset = kept(partition);
                    Info { partition: *partition, consumed: offset, fetched: offset }
                };
                self.infos = self.own.partitions.iter().map(info).collect();
                self.start_fetchers(ctx);
            }
            Kind::HighLevel(_) => self.join(ctx),
        }
        self.report_wants(ctx);
    }

    /// One fetcher for each broker that has one of its partitions.
    fn start_fetchers(&mut self, ctx: &mut Context<'_, Message>) {
        let mut brokers: Vec<u32> =
            self.infos.iter().map(|info| self.config.owner(info.partition).0).collect();
        brokers.sort_unstable();
        brokers.dedup();
        for broker in brokers {
            let own = |info: &Info| {
                (self.config.owner(info.partition).0 == broker).then_some(info.partition)
            };
            let partitions = self.infos.iter().filter_map(own).collect();
            self.fetcher_life += 1;
            self.fetchers.push(Fetcher::new(broker, partitions, self.fetcher_life));
            self.start_fetcher(self.fetchers.len() - 1, ctx);
        }
    }

    fn fetched(&self, partition: PartitionId) -> Option<u64> {
        self.infos.iter().find(|info| info.partition == partition)?.fetched
    }

    fn set_offset(&mut self, partition: PartitionId, offset: u64) {
        if let Some(info) = self.infos.iter_mut().find(|info| info.partition == partition) {
            (info.consumed, info.fetched) = (Some(offset), Some(offset));
        }
    }

    /// The application takes one message after the other (`ConsumerIterator.next`).
    fn work(&mut self, ctx: &mut Context<'_, Message>) {
        while !self.application.is_busy() {
            if self.current.as_ref().is_none_or(|chunk| chunk.pieces.is_empty()) {
                self.current = self.chunks.pop_front();
                let Some(chunk) = &self.current else { return };
                let (partition, offset, registry) = (chunk.partition, chunk.offset, chunk.registry);
                self.set_consumed(partition, offset, registry);
                self.unblock_fetchers(ctx);
                self.report_wants(ctx);
                continue;
            }
            self.next(ctx);
        }
    }

    /// Hands the next message to the application; all of a piece if it does nothing with it.
    fn next(&mut self, ctx: &mut Context<'_, Message>) {
        let at_once = self.application.is_instant();
        let Some(chunk) = &mut self.current else { return };
        let Some(piece) = chunk.pieces.pop_front() else { return };
        let count = if at_once { piece.messages.count } else { 1 };
        let head = piece.part(0, count);
        if count < piece.messages.count {
            chunk.pieces.push_front(piece.part(count, piece.messages.count - count));
        }
        let (partition, registry) = (chunk.partition, chunk.registry);
        ctx.spend(self.config.costs.consume * u64::from(count));
        if self.config.settings.rules.has(Rule::ConsumedBeforeProcessed) {
            self.set_consumed(partition, head.end(), registry);
        }
        if !self.config.settings.rules.has(Rule::CommitPeriodically) {
            self.commit_now(partition, head.end(), ctx);
        }
        let (now, id) = (ctx.now(), self.own.id);
        let line = self.line(head.messages);
        ctx.observer().delivered(now, id, line, head.messages, false);
        let work = Work { partition, messages: head.messages, end: head.end() };
        if at_once {
            return self.finish(work, ctx);
        }
        if let Some(work) = self.application.work(work, Message::Processed, ctx) {
            self.finish(work, ctx);
        }
    }

    fn line(&self, messages: MessageRange) -> DestinationId {
        self.config.streams.destination(messages.producer, self.own.group)
    }

    /// The application is through with a message.
    fn finish(&mut self, work: Work, ctx: &mut Context<'_, Message>) {
        let Work { partition, messages, end } = work;
        let (now, id) = (ctx.now(), self.own.id);
        let line = self.line(messages);
        ctx.observer().processed(now, id, line, messages);
        if !self.config.settings.rules.has(Rule::ConsumedBeforeProcessed) {
            let registry = self.current.as_ref().map_or(self.registry, |chunk| chunk.registry);
            self.set_consumed(partition, end, registry);
        }
        if self.own.kind == Kind::Simple {
            match self.kept.iter_mut().find(|(of, _)| *of == partition) {
                Some((_, offset)) => *offset = end,
                None => self.kept.push((partition, end)),
            }
        }
    }

    /// `resetConsumeOffset`. A chunk from before a rebalance has an info of its own.
    fn set_consumed(&mut self, partition: PartitionId, offset: u64, registry: u32) {
        if registry == self.registry
            && let Some(info) = self.infos.iter_mut().find(|info| info.partition == partition)
        {
            info.consumed = Some(offset);
        }
    }

    fn report_wants(&mut self, ctx: &mut Context<'_, Message>) {
        let room = self.chunks.len() < self.own.queued_chunks as usize;
        self.application.tell_wants(room, &self.lines, ctx);
    }

    /// Stops to ask for more; what the application has in hand it finishes.
    fn shut_down(&mut self, ctx: &mut Context<'_, Message>) {
        let was = self.application.is_active();
        self.application.stop();
        self.stop_fetchers(ctx);
        self.report_wants(ctx);
        let waits = was && matches!(self.own.kind, Kind::HighLevel(_)) && self.leave(ctx);
        if self.leaving && !waits {
            ctx.exit();
        }
    }

    /// The process has died, and its application with it.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.fetchers.clear();
        self.fetcher_life += 1;
        self.chunks.clear();
        self.infos.clear();
        self.registry += 1;
        self.current = None;
        self.session.died();
        self.group.forget();
        self.leaving = false;
        self.application.died(at, &self.lines, observer);
    }

    /// What it reads now, and up to where it has.
    pub fn reads(&self) -> impl Iterator<Item = (PartitionId, u64)> + '_ {
        let alive = self.fetchers.iter().filter(|fetcher| !fetcher.is_dead());
        let partitions = alive.flat_map(|fetcher| fetcher.partitions.iter().copied());
        partitions.map(|partition| (partition, self.fetched(partition).unwrap_or(0)))
    }

    /// The offsets that it would commit.
    pub fn consumed(&self) -> impl Iterator<Item = (PartitionId, u64)> + '_ {
        self.infos.iter().filter_map(|info| Some((info.partition, info.consumed?)))
    }

    /// What it waits for beside messages; `None` if it has nothing in hand.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        let in_hand = !self.chunks.is_empty()
            || self.application.is_busy()
            || self.current.as_ref().is_some_and(|chunk| !chunk.pieces.is_empty());
        let fetchers = self.fetchers.iter().all(Fetcher::is_idle);
        let ready = match self.own.kind {
            Kind::Simple => self.application.is_active(),
            Kind::HighLevel(_) => {
                self.application.is_active() && self.group.is_idle() && self.session.is_connected()
            }
        };
        let what = if in_hand {
            "its application, to finish what it has in hand"
        } else if self.application.is_stopped() {
            return None;
        } else if !ready {
            "its group, to share out the partitions"
        } else if !fetchers {
            "answers to what it fetches"
        } else {
            return None;
        };
        Some(what.into())
    }
}
