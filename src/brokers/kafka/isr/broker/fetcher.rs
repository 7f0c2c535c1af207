//! What follows a leader: one fetcher for each other broker, one request at a time
//! (AbstractFetcherThread, ReplicaFetcherThread).

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::Time;
use crate::observe::{BecauseId, NodeId};
use crate::world::{Context, Input, Lane};

use super::super::config::{BROKER, Metadata};
use super::super::link::Link;
use super::super::message::{
    EpochEnd, Error, Fetch, FetchPart, FetchedPart, Message, Request, Response, Timer, Which,
};
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::super::words::{cause, event};
use super::following::{Following, Partitions, Step};
use super::{Broker, Replica, Role, Status};

/// The fetcher for the partitions that one broker leads.
#[derive(Clone, Debug)]
pub struct Fetcher {
    from: NodeId,
    lane: Option<Lane>,
    link: Link,
    parts: Partitions,
    /// What the request that is under way asks.
    asked: Asked,
    turn: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    EpochEnds,
    Records,
    End(PartitionId),
    Start(PartitionId),
}

impl Fetcher {
    /// One that fetches nothing yet.
    #[must_use]
    pub const fn new(from: u32) -> Fetcher {
        let from = NodeId(from);
        Fetcher {
            from,
            lane: None,
            link: Link::new(from.0, from, BROKER),
            parts: Partitions::new(),
            asked: Asked::Nothing,
            turn: 0,
        }
    }

    /// Its lane.
    #[must_use]
    pub const fn lane(&self) -> Option<Lane> {
        self.lane
    }

    /// Whether it fetches a partition.
    #[must_use]
    pub fn fetches(&self, partition: PartitionId) -> bool {
        self.parts.has(partition)
    }

    /// The process is gone.
    pub(super) fn forget(&mut self) {
        *self = Fetcher::new(self.from.0);
    }

    fn kick(&mut self, ctx: &mut Context<'_, Message>, at: Time) {
        let Some(lane) = self.lane else { return };
        self.turn = self.turn.wrapping_add(1);
        let timer = Timer::Fetcher { from: self.from, turn: self.turn };
        ctx.after(at.since(ctx.monotonic()), lane, Message::Timer(timer));
    }
}

impl Broker {
    /// Who fetches a partition for this replica: at most one (I17).
    pub fn fetches_from(&self, partition: PartitionId) -> impl Iterator<Item = NodeId> + '_ {
        let fetchers = self.fetchers.iter();
        fetchers.filter(move |fetcher| fetcher.fetches(partition)).map(|fetcher| fetcher.from)
    }

    /// Follows a leader from now on.
    pub(super) fn follow_leader(
        &mut self,
        partition: PartitionId,
        leader: NodeId,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.config.has(Rule::OneFetcherPerPartition) {
            self.stop_following(partition, ctx);
        }
        if self.status == Status::Stopping && self.begins_no_fetch(partition) {
            return;
        }
        let by_epoch = self.config.has(Rule::TruncateByEpoch);
        let on_fetch = self.config.has(Rule::TruncateOnFetch);
        let Some(replica) = self.replica(partition) else { return };
        let (latest, epoch) = (replica.epochs.latest(), replica.leader_epoch());
        let step = match latest {
            Some(latest) if by_epoch && !on_fetch => Step::Truncating(latest),
            _ => Step::Fetching,
        };
        // With an empty epoch cache there is nothing to ask about: the log is cut to the high
        // watermark, as before (ReplicaFetcherThread.scala 0.11, `fetchEpochsFromLeader`).
        if by_epoch && latest.is_none() && replica.log.end() > replica.high_watermark {
            let to = replica.high_watermark;
            let why = (cause::TRUNCATED_TO_HIGH_WATERMARK, BecauseId::NONE);
            self.truncate(partition, to, why, ctx);
        }
        let now = ctx.monotonic();
        let fetcher = &mut self.fetchers[leader.index()];
        if fetcher.lane.is_none() {
            fetcher.lane = Some(ctx.spawn());
        }
        fetcher.parts.add(Following::new(partition, step, now, epoch));
        if fetcher.asked == Asked::Nothing {
            fetcher.kick(ctx, now);
        }
    }

    /// Whether a broker that was asked to stop leaves a partition alone: with KRaft, one of which it
    /// is in the ISR it still fetches, and before 3.3 it fetches all.
    pub(super) fn begins_no_fetch(&self, partition: PartitionId) -> bool {
        let leaves = match self.config.metadata {
            Metadata::ZooKeeper => true,
            Metadata::Kraft => {
                let member = self.replica(partition).is_some_and(|r| r.isr().has(self.me));
                self.config.has(Rule::JoinIfEligible) && !member
            }
        };
        leaves && self.config.has(Rule::NoFetchWhileStopping)
    }

    /// Follows nobody.
    pub(super) fn stop_following(
        &mut self,
        partition: PartitionId,
        _ctx: &mut Context<'_, Message>,
    ) {
        for fetcher in &mut self.fetchers {
            fetcher.parts.remove(partition);
        }
    }

    /// Something changes of what is to be asked about a partition.
    pub(super) fn asks_otherwise(&mut self, partition: PartitionId) {
        for fetcher in &mut self.fetchers {
            let _ = fetcher.parts.change(partition);
        }
    }

    /// The append of what a follower has fetched has ended: its fetcher goes on.
    pub(super) fn fetch_on(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        let now = ctx.monotonic();
        self.asks_otherwise(partition);
        for fetcher in &mut self.fetchers {
            if fetcher.fetches(partition) && fetcher.asked == Asked::Nothing {
                fetcher.kick(ctx, now);
            }
        }
    }

    pub(super) fn handle_fetcher(
        &mut self,
        from: NodeId,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        let fetcher = &mut self.fetchers[from.index()];
        match input {
            Input::Local { body: Message::Timer(Timer::Fetcher { turn, .. }) }
                if turn == fetcher.turn =>
            {
                self.fetch_round(from, ctx);
            }
            Input::Local { body: Message::Timer(Timer::Link { turn, .. }) }
                if fetcher.link.timer(ctx, turn).is_some() =>
            {
                self.round_failed(from, ctx);
            }
            Input::Connected { conn } => {
                fetcher.link.connected(conn);
                self.fetch_round(from, ctx);
            }
            Input::Failed { conn, .. } | Input::Closed { conn, .. } if fetcher.link.owns(conn) => {
                fetcher.link.lost(ctx);
                self.round_failed(from, ctx);
            }
            Input::Message { conn, body: Message::Response { id, body } }
                if fetcher.link.owns(conn) && fetcher.link.answered(id) =>
            {
                let asked = std::mem::replace(&mut fetcher.asked, Asked::Nothing);
                self.answered(from, asked, *body, ctx);
                self.fetch_round(from, ctx);
            }
            _ => {}
        }
    }

    /// The leader cannot be reached, or does not answer.
    fn round_failed(&mut self, from: NodeId, ctx: &mut Context<'_, Message>) {
        let again = ctx.monotonic() + self.config.settings.fetch_backoff;
        let fetcher = &mut self.fetchers[from.index()];
        fetcher.asked = Asked::Nothing;
        fetcher.parts.begin_anew(again);
        fetcher.kick(ctx, again);
    }

    /// Asks the leader what is to be asked next.
    fn fetch_round(&mut self, from: NodeId, ctx: &mut Context<'_, Message>) {
        let now = ctx.monotonic();
        let fetcher = &mut self.fetchers[from.index()];
        if fetcher.asked != Asked::Nothing || fetcher.parts.is_empty() {
            return;
        }
        if !fetcher.link.is_open() {
            let timeout = self.config.settings.socket_timeout;
            return fetcher.link.open_in_time(&self.config, Some(timeout), ctx);
        }
        if let Some(first) = fetcher.parts.begin_round(now) {
            return fetcher.kick(ctx, first);
        }
        let timeout = self.config.settings.socket_timeout;
        let lost = |part: &&Following| matches!(part.step, Step::OutOfRange | Step::Behind);
        let out = fetcher.parts.ready(now).find(lost);
        if let Some(part) = out {
            let partition = part.partition;
            let (asked, which) = match part.step {
                Step::Behind => (Asked::Start(partition), Which::Earliest),
                _ => (Asked::End(partition), Which::Latest),
            };
            fetcher.asked = asked;
            let request = Request::ListOffsets { partition, which, epoch: None, committed: false };
            fetcher.link.send(ctx, request, timeout);
            return;
        }
        let fences = self.config.has(Rule::FenceByLeaderEpoch);
        let question = |part: &Following| match part.step {
            Step::Truncating(epoch) => Some((part.partition, fences.then_some(part.epoch), epoch)),
            _ => None,
        };
        let questions: Vec<_> = fetcher.parts.ready(now).filter_map(question).collect();
        if !questions.is_empty() {
            fetcher.asked = Asked::EpochEnds;
            let request = Request::EpochEnds { replica: Some(self.me), asked: questions };
            fetcher.link.send(ctx, request, timeout);
            return;
        }
        let Some(fetch) = self.next_fetch(from, now) else { return };
        let fetcher = &mut self.fetchers[from.index()];
        fetcher.asked = Asked::Records;
        fetcher.link.send(ctx, Request::Fetch(fetch), timeout);
    }

    fn next_fetch(&mut self, from: NodeId, now: Time) -> Option<Fetch> {
        let (config, replicas) = (&self.config, &self.replicas);
        let on_fetch = config.has(Rule::TruncateOnFetch);
        let fences = config.has(Rule::FenceByLeaderEpoch);
        let sessions = config.has(Rule::FetchSessions);
        let changes = self.fetchers[from.index()].parts.changes(|part| {
            let replica = replicas[part.partition.index()].as_deref();
            // With an append that has not ended, the fetcher's thread is in that still.
            let ready =
                |replica: &&Replica| part.not_before <= now && replica.storage.held.is_none();
            let replica = replica.filter(ready)?;
            Some(FetchPart {
                partition: part.partition,
                offset: replica.log.end(),
                epoch: fences.then_some(part.epoch),
                last_epoch: replica.epochs.latest().filter(|_| on_fetch),
                max_bytes: config.settings.fetch_bytes,
            })
        })?;
        let named = (changes.parts.len() + changes.forgotten.len()) as u32;
        Some(Fetch {
            committed: false,
            rack: None,
            replica: Some(self.me),
            broker_epoch: self.broker_epoch(),
            max_wait: self.config.settings.fetch_wait,
            min_bytes: 1,
            max_bytes: self.config.settings.response_bytes,
            anew: changes.anew,
            parts: changes.parts,
            forgotten: changes.forgotten,
            wire: if sessions { named } else { changes.all },
        })
    }

    fn answered(
        &mut self,
        from: NodeId,
        asked: Asked,
        response: Response,
        ctx: &mut Context<'_, Message>,
    ) {
        match (asked, response) {
            (Asked::Records, Response::Fetch(parts, _)) => {
                let (costs, all) = (&self.config.costs, self.fetchers[from.index()].parts.asked());
                ctx.spend(costs.internal + costs.fetch_partition * u64::from(all));
                for part in parts {
                    self.fetched(from, part, ctx);
                }
            }
            (Asked::EpochEnds, Response::EpochEnds(ends)) => {
                for (partition, error, end) in ends {
                    self.epoch_ended(from, partition, error, end, ctx);
                }
            }
            (Asked::End(partition), Response::ListOffsets(error, end, _)) => {
                self.leader_ends(from, partition, error, end, ctx);
            }
            (Asked::Start(partition), Response::ListOffsets(error, start, _)) => {
                self.leader_begins(from, partition, error, start, ctx);
            }
            _ => {}
        }
    }

    /// What is known of a partition that is fetched, to change it.
    fn following(&mut self, from: NodeId, partition: PartitionId) -> Option<&mut Following> {
        self.fetchers[from.index()].parts.change(partition)
    }

    /// Something went wrong with a partition: it is left alone for a while.
    fn back_off(&mut self, from: NodeId, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        let again = ctx.monotonic() + self.config.settings.fetch_backoff;
        if let Some(part) = self.following(from, partition) {
            part.not_before = again;
        }
    }

    /// What came of one partition's fetch (AbstractFetcherThread.scala 3.9,
    /// `processFetchRequest`).
    fn fetched(&mut self, from: NodeId, fetched: FetchedPart, ctx: &mut Context<'_, Message>) {
        let partition = fetched.partition;
        let Some(end) = self.replica(partition).map(|replica| replica.log.end()) else { return };
        let Some(part) = self.following(from, partition) else { return };
        // It was stopped and begun anew, or cut, since it asked.
        if part.asked_from() != Some(end) {
            return;
        }
        match fetched.error {
            Error::None => {}
            Error::OffsetOutOfRange => {
                part.step = Step::OutOfRange;
                return;
            }
            // The controller's word on the new leader is on its way.
            _ => return self.back_off(from, partition, ctx),
        }
        if let Some(diverging) = fetched.diverging {
            return self.cut_to_epoch(from, partition, Some(diverging), ctx);
        }
        let bears = !fetched.sequenced.is_empty();
        let mut borne = fetched.sequenced.into_iter();
        for piece in fetched.records {
            let borne = borne.next().flatten();
            let end = self.replica(partition).map_or(0, |replica| replica.log.end());
            let Some(piece) = self.fitting(partition, piece, end, ctx) else {
                // Log.scala 0.11, `append`: "Out of order offsets found". The fetcher fails again
                // and again (KAFKA-6361).
                self.stuck(from, partition, ctx);
                return;
            };
            let costs = &self.config.costs;
            ctx.spend(costs.append + costs.append_bytes.time(piece.bytes as u32));
            if !self.store(partition, (piece, borne), ctx) {
                return self.back_off(from, partition, ctx);
            }
            // Another fetcher may fetch it too.
            self.asks_otherwise(partition);
            if let Some((base, value)) = fetched.values.iter().find(|(at, _)| *at == piece.base)
                && let Some(replica) = self.replica_mut(partition)
            {
                replica.note(*base, value.clone());
            }
        }
        if bears {
            self.watch_producers(ctx);
        }
        self.copied(partition, &fetched.times, ctx);
        let (bounded, me) = (self.config.has(Rule::BoundHwByLogEnd), self.me);
        let Some(replica) = self.replica_mut(partition) else { return };
        // With the leader it is all of the ISR.
        if replica.isr().without(from) == NodeSet::only(me) {
            replica.replicated = replica.log.end();
        }
        // Its own may go down with a new leader's (VT966 6.4; Partition.scala, processPartitionData).
        let known = match bounded {
            true => fetched.high_watermark.min(replica.log.end()),
            false => fetched.high_watermark,
        };
        if known != replica.high_watermark {
            replica.move_high_watermark(known);
            self.touch(partition);
            if self.config.reads_from_followers() {
                self.wake_fetches(partition, ctx);
            }
        }
        self.follow_log_start(partition, fetched.log_start, ctx);
    }

    /// What a log that ends at `end` takes of a batch. Up to 0.10 a compressed batch goes by its
    /// last offset, which is all that must be new (Log.scala 0.10.2, `append`; ByteBufferLogInput
    /// of that time: the offset of a wrapper is that of its last message). Offsets go backwards in
    /// the log then; who reads there finds what was there before, and goes on behind that.
    fn fitting(
        &self,
        partition: PartitionId,
        piece: Piece,
        end: u64,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Piece> {
        if piece.base == end {
            return Some(piece);
        }
        let by_last = piece.whole && !self.config.has(Rule::RecordBatches);
        if !by_last || piece.base > end || piece.end() <= end {
            return None;
        }
        let now = ctx.now();
        let known = (end - piece.base) as u32;
        self.report_event(ctx, now, event::OFFSETS_BACKWARDS, Some(partition), None, end);
        Some(piece.part(known, piece.messages.count - known))
    }

    fn stuck(&mut self, from: NodeId, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        if let Some(part) = self.following(from, partition)
            && !std::mem::replace(&mut part.stuck, true)
        {
            self.report_event(ctx, now, event::FETCHER_STUCK, Some(partition), Some(from), 0);
        }
        self.back_off(from, partition, ctx);
    }

    /// The leader says where an epoch ends in its log.
    fn epoch_ended(
        &mut self,
        from: NodeId,
        partition: PartitionId,
        error: Error,
        end: Option<EpochEnd>,
        ctx: &mut Context<'_, Message>,
    ) {
        if !matches!(
            self.following(from, partition).map(|part| part.step),
            Some(Step::Truncating(_))
        ) {
            return;
        }
        match error {
            Error::None => self.cut_to_epoch(from, partition, end, ctx),
            _ => self.back_off(from, partition, ctx),
        }
    }

    /// Cuts the log to where it parts from the leader's, as far as the leader's answer tells
    /// (KIP-101, KIP-279; AbstractFetcherThread.scala 2.0, `getOffsetTruncationState`).
    fn cut_to_epoch(
        &mut self,
        from: NodeId,
        partition: PartitionId,
        leader: Option<EpochEnd>,
        ctx: &mut Context<'_, Message>,
    ) {
        let names = self.config.has(Rule::EpochEndNamesEpoch);
        let Some(replica) = self.replica(partition) else { return };
        let end = replica.log.end();
        let (to, next) = match leader {
            // The leader knows nothing of that epoch: as before KIP-101.
            None => (replica.high_watermark, Step::Fetching),
            Some(leader) if !names => (leader.end.min(end), Step::Fetching),
            Some(leader) => match replica.epochs.end_for(leader.epoch, end) {
                Some(own) if own.epoch == leader.epoch => {
                    (own.end.min(leader.end).min(end), Step::Fetching)
                }
                // It does not know the epoch that the leader names: it cuts to the end of the one
                // before, and asks about that.
                Some(own) if own.epoch < leader.epoch => {
                    (own.end.min(end), self.next_question(own.epoch))
                }
                _ => (leader.end.min(end), Step::Fetching),
            },
        };
        let why = (cause::TRUNCATED_TO_LEADER, BecauseId::NONE);
        self.truncate(partition, to, why, ctx);
        if let Some(part) = self.following(from, partition) {
            part.step = next;
        }
    }

    /// With truncate-on-fetch the next fetch asks.
    fn next_question(&self, epoch: u32) -> Step {
        if self.config.has(Rule::TruncateOnFetch) {
            Step::Fetching
        } else {
            Step::Truncating(epoch)
        }
    }

    /// The offset was out of the leader's range (ReplicaFetcherThread.scala 0.8.2,
    /// `handleOffsetOutOfRange`).
    fn leader_ends(
        &mut self,
        from: NodeId,
        partition: PartitionId,
        error: Error,
        leader_end: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        if error != Error::None {
            return self.back_off(from, partition, ctx);
        }
        let config = self.config.clone();
        let Some(replica) = self.replica(partition) else { return };
        if leader_end < replica.log.end() {
            if config.has(Rule::HaltOnLongerLog) && !config.topic(partition).unclean {
                return self.halt(partition, ctx);
            }
            let why = (cause::TRUNCATED_TO_LEADER, BecauseId::NONE);
            self.truncate(partition, leader_end, why, ctx);
        } else if let Some(part) = self.following(from, partition) {
            part.step = Step::Behind;
            return;
        }
        if let Some(part) = self.following(from, partition) {
            part.step = Step::Fetching;
        }
    }

    /// It may be that all that this replica has was deleted at its leader.
    fn leader_begins(
        &mut self,
        from: NodeId,
        partition: PartitionId,
        error: Error,
        start: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        if error != Error::None {
            return self.back_off(from, partition, ctx);
        }
        if self.replica(partition).is_some_and(|replica| start > replica.log.end()) {
            self.begin_anew(partition, start, ctx);
        }
        if let Some(part) = self.following(from, partition) {
            part.step = Step::Fetching;
        }
    }

    /// What a replica is at present, for people.
    #[must_use]
    pub fn is_follower(&self, partition: PartitionId) -> bool {
        self.replica(partition).is_some_and(|replica| matches!(replica.role, Role::Follower))
    }
}
