//! What a consumer asks brokers (Fetcher.java, SubscriptionState.java): where to begin, whether its
//! position still exists, and messages.

use crate::brokers::kafka::{CONTROL, PartitionId};
use crate::brokers::kit::log::Piece;
use crate::engine::Time;
use crate::observe::NodeId;
use crate::world::Context;

use super::super::message::{
    EpochEnd, Error, Fetch, FetchPart, FetchedPart, Message, Request, Which,
};
use super::super::sequence::Sequenced;
use super::super::state::Led;
use super::super::transactions::Aborted;
use super::super::words::{because, event};
use super::consumer::Consumer;
use super::settings::Reset;

/// `fetch.max.bytes` (ConsumerConfig.java 0.10.1).
const MAX_BYTES: u32 = 50 << 20;

/// What a consumer does about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing yet.
    Idle,
    /// It asks its coordinator what is committed.
    Committed,
    /// It asks where to begin.
    LookUp(Reset),
    /// It asks whether its position still exists (KIP-320).
    Validate,
    /// It fetches.
    Fetch,
    /// It has given up.
    Stopped,
}

/// A partition that is assigned to a consumer.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) partition: PartitionId,
    pub(super) step: Step,
    /// The offset of the next message for the application.
    pub(super) position: Option<u64>,
    /// The leader epoch of the message before it, if that is known.
    pub(super) epoch: Option<u32>,
    /// Leader and epoch against which the position is known to be good.
    leader: Option<(Option<NodeId>, u32)>,
    /// Something about it is asked and not answered.
    pub(super) asked: bool,
    /// Something of it was fetched and not yet handed out.
    pub(super) buffered: bool,
    /// Nothing is asked about it before, by the wall clock.
    pub(super) not_before: Time,
    /// The last answer had nothing beyond the position.
    pub(super) at_end: bool,
    /// The replica that its leader has sent it to, and until when it reads there
    /// (`preferredReadReplica`).
    preferred: Option<(NodeId, Time)>,
    /// It was moved back, and that is not the first look-up.
    was_reset: bool,
    /// Its committed offset has expired, as nobody knows but who explains a loss.
    pub(super) expired: bool,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// For messages: the partitions, ascending, and from which offset.
    Fetch(Vec<(PartitionId, u64)>),
    /// For an offset.
    Offset {
        /// The partition.
        partition: PartitionId,
        /// Which.
        reset: Reset,
    },
    /// For the ends of epochs: the partitions.
    Ends(Vec<PartitionId>),
}

impl Asked {
    /// The partitions that it is about.
    pub(super) fn partitions(&self) -> Vec<PartitionId> {
        match self {
            Asked::Fetch(parts) => parts.iter().map(|(partition, _)| *partition).collect(),
            Asked::Offset { partition, .. } => vec![*partition],
            Asked::Ends(parts) => parts.clone(),
        }
    }
}

impl Part {
    pub(super) const fn new(partition: PartitionId) -> Part {
        Part {
            partition,
            step: Step::Idle,
            position: None,
            epoch: None,
            leader: None,
            asked: false,
            buffered: false,
            not_before: Time::ZERO,
            at_end: false,
            preferred: None,
            was_reset: false,
            expired: false,
        }
    }

    /// The consumer starts. Without `auto.offset.reset` its application seeks to the start.
    pub(super) const fn begin(&mut self, first: bool, reset: Reset) {
        if first {
            self.position = Some(0);
            self.step = Step::Fetch;
            return;
        }
        self.step = Step::LookUp(match reset {
            Reset::Latest | Reset::ByDuration(_) => reset,
            Reset::Earliest | Reset::None => Reset::Earliest,
        });
    }

    /// It goes back to the leader.
    pub(super) const fn forget_preferred(&mut self) {
        self.preferred = None;
    }

    /// Its position is to be looked up again.
    pub(super) const fn look_up(&mut self, reset: Reset) {
        self.step = Step::LookUp(reset);
        self.was_reset = true;
        self.at_end = false;
    }

    /// These messages were handed to the application.
    pub(super) const fn consumed(&mut self, piece: &Piece) {
        self.position = Some(piece.end());
        self.epoch = Some(piece.epoch);
    }

    /// There is new metadata. With another leader or epoch the position must be looked at, if the
    /// epoch of the last message is known (maybeValidatePositionForCurrentLeader).
    pub(super) fn learned(&mut self, led: Option<Led>, detects: bool) {
        self.not_before = Time::ZERO;
        let Some(led) = led else { return };
        let leader = Some((led.leader, led.epoch));
        if self.leader == leader {
            return;
        }
        self.leader = leader;
        self.at_end = false;
        if detects && matches!(self.step, Step::Fetch | Step::Validate) {
            self.step = if self.epoch.is_some() { Step::Validate } else { Step::Fetch };
        }
    }

    /// Whether all that may be read was read, as far as is known.
    pub(super) const fn is_at_end(&self) -> bool {
        match self.step {
            Step::Stopped => true,
            Step::Fetch => self.at_end && !self.buffered,
            Step::Idle | Step::Committed | Step::LookUp(_) | Step::Validate => false,
        }
    }
}

impl Consumer {
    /// The replica that a partition's leader has sent it to, if its broker lives as far as is known
    /// (Fetcher.java 2.4, selectReadReplica).
    pub(super) fn near(&self, part: &Part) -> Option<NodeId> {
        let view = self.network.metadata().view()?;
        part.preferred.map(|(node, _)| node).filter(|node| view.alive.has(*node))
    }

    /// Asks what is to be asked: positions first, then messages, one fetch a leader. When to look
    /// again, if no input tells.
    pub(super) fn send_requests(&mut self, ctx: &mut Context<'_, Message>) -> Time {
        let now = ctx.clock();
        let mut again = Time::MAX;
        let mut unknown = false;
        let mut leaders: Vec<(NodeId, u32)> = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let idle =
                part.asked || matches!(part.step, Step::Idle | Step::Committed | Step::Stopped);
            if idle || (part.step == Step::Fetch && part.buffered) {
                continue;
            }
            if part.not_before > now {
                again = again.min(part.not_before);
                continue;
            }
            let counts = |(_, until): &(NodeId, Time)| part.step == Step::Fetch && *until > now;
            let near = part.preferred.filter(counts).and_then(|_| self.near(part));
            match near.or(self.network.metadata().leader(part.partition)) {
                Some(node) => leaders.push((node, index as u32)),
                None => unknown = true,
            }
        }
        if unknown && self.network.metadata().view().is_some() {
            self.network.want_metadata(ctx);
        }
        leaders.sort_unstable();
        for group in leaders.chunk_by(|a, b| a.0 == b.0) {
            let node = group[0].0;
            match self.network.ready(ctx, node) {
                Ok(()) => self.ask_leader(ctx, node, group),
                Err(at) => again = again.min(at),
            }
        }
        again
    }

    fn ask_leader(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        group: &[(NodeId, u32)],
    ) {
        let fetching =
            |(to, _, asked): &(NodeId, u32, Asked)| *to == node && matches!(asked, Asked::Fetch(_));
        // Fetcher.java, nodesWithPendingFetchRequests.
        let busy = self.asked.iter().any(fetching);
        let (mut fetch, mut ends) = (Vec::new(), Vec::new());
        for (_, index) in group {
            match self.parts[*index as usize].step {
                Step::LookUp(reset) => self.ask_offset(ctx, node, *index, reset),
                Step::Validate => ends.push(*index),
                Step::Fetch if !busy => fetch.push(*index),
                Step::Fetch | Step::Idle | Step::Committed | Step::Stopped => {}
            }
        }
        if !ends.is_empty() {
            self.ask_ends(ctx, node, ends);
        }
        if !fetch.is_empty() {
            self.ask_messages(ctx, node, &fetch);
        }
    }

    fn post(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        request: Request,
        asked: Asked,
    ) {
        for partition in asked.partitions() {
            if let Some(part) = self.part(partition) {
                part.asked = true;
            }
        }
        let id = self.network.send(ctx, node, request);
        self.asked.push((node, id, asked));
    }

    /// The leader epoch that goes with a request, from 2.3 on.
    fn known_epoch(&self, partition: PartitionId) -> Option<u32> {
        let led = self.network.metadata().led(partition)?;
        self.detects_truncation().then_some(led.epoch)
    }

    fn ask_offset(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        index: u32,
        reset: Reset,
    ) {
        let partition = self.parts[index as usize].partition;
        let which = match reset {
            Reset::Latest => Which::Latest,
            Reset::ByDuration(ago) => {
                Which::Since(Time::ZERO + ctx.clock().since(Time::ZERO + ago))
            }
            Reset::Earliest | Reset::None => Which::Earliest,
        };
        let epoch = self.known_epoch(partition);
        let committed = self.config.settings.committed;
        let request = Request::ListOffsets { partition, which, epoch, committed };
        self.post(ctx, node, request, Asked::Offset { partition, reset });
    }

    fn ask_ends(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, ends: Vec<u32>) {
        let about = |index: &u32| {
            let part = &self.parts[*index as usize];
            (part.partition, self.known_epoch(part.partition), part.epoch.unwrap_or(0))
        };
        let asked: Vec<(PartitionId, Option<u32>, u32)> = ends.iter().map(about).collect();
        let ends = asked.iter().map(|(partition, ..)| *partition).collect();
        self.post(ctx, node, Request::EpochEnds { replica: None, asked }, Asked::Ends(ends));
    }

    fn ask_messages(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, indexes: &[u32]) {
        let settings = &self.config.settings;
        let part = |index: &u32| {
            let part = &self.parts[*index as usize];
            FetchPart {
                partition: part.partition,
                offset: part.position.unwrap_or(0),
                epoch: self.known_epoch(part.partition),
                last_epoch: None,
                max_bytes: settings.partition_bytes,
            }
        };
        let parts: Vec<FetchPart> = indexes.iter().map(part).collect();
        let asked = Asked::Fetch(parts.iter().map(|part| (part.partition, part.offset)).collect());
        let request = Request::Fetch(Fetch {
            replica: None,
            broker_epoch: 0,
            max_wait: settings.max_wait,
            min_bytes: settings.min_bytes,
            max_bytes: MAX_BYTES,
            committed: settings.committed,
            rack: settings.rack,
            anew: true,
            wire: parts.len() as u32,
            parts,
            forgotten: Vec::new(),
        });
        self.post(ctx, node, request, asked);
    }

    /// Something about a partition failed and is tried again when there is newer metadata, or
    /// after the back-off.
    fn retry(&mut self, ctx: &mut Context<'_, Message>, index: usize, stale: bool) {
        self.parts[index].preferred = None;
        self.parts[index].not_before = ctx.clock() + self.config.settings.backoff;
        self.parts[index].at_end = false;
        if stale {
            self.network.want_metadata(ctx);
        }
    }

    /// A fetch was answered.
    pub(super) fn fetched_some(
        &mut self,
        ctx: &mut Context<'_, Message>,
        asked: &[(PartitionId, u64)],
        answers: Vec<FetchedPart>,
    ) {
        for (partition, _) in asked {
            if let Some(part) = self.part(*partition) {
                part.asked = false;
            }
        }
        for answer in answers {
            let known = asked.binary_search_by_key(&answer.partition, |(partition, _)| *partition);
            let Ok(known) = known else { continue };
            let offset = asked[known].1;
            let Some(index) = self.place_of(answer.partition) else { continue };
            let part = &mut self.parts[index];
            // Fetcher.java: an answer for another offset than the position is stale.
            if part.step != Step::Fetch || part.position != Some(offset) {
                continue;
            }
            match answer.error {
                // Fetcher.java 2.4, `updatePreferredReadReplica`.
                Error::None if answer.preferred.is_some() => {
                    let until = ctx.clock() + self.config.settings.metadata_max_age;
                    part.preferred = answer.preferred.map(|node| (node, until));
                }
                // Not to be held against the leader, who is asked again (Fetcher.java 2.4,
                // initializeCompletedFetch).
                Error::OffsetOutOfRange if part.preferred.take().is_some() => {}
                Error::None => {
                    let end = answer.records.last().map_or(offset, Piece::end);
                    part.at_end = end.max(offset) >= answer.high_watermark;
                    let records = shown(answer.records, &answer.sequenced, &answer.aborted);
                    self.buffer(index, offset, records);
                }
                Error::OffsetOutOfRange => self.reset(ctx, index),
                Error::UnknownLeaderEpoch => self.retry(ctx, index, false),
                _ => self.retry(ctx, index, true),
            }
        }
    }

    /// Keeps what was fetched from an offset on. A batch that is read as a whole may begin before.
    fn buffer(&mut self, index: usize, offset: u64, records: Vec<Piece>) {
        let from = |piece: Piece| {
            let skip =
                offset.saturating_sub(piece.base).min(u64::from(piece.messages.count)) as u32;
            (skip < piece.messages.count).then(|| piece.part(skip, piece.messages.count - skip))
        };
        let pieces: std::collections::VecDeque<Piece> =
            records.into_iter().filter_map(from).collect();
        if !pieces.is_empty() {
            self.parts[index].buffered = true;
            self.fetched.push_back((self.parts[index].partition, pieces));
        }
    }

    /// An offset was looked up.
    pub(super) fn looked_up(
        &mut self,
        ctx: &mut Context<'_, Message>,
        partition: PartitionId,
        reset: Reset,
        (error, offset, epoch): (Error, u64, Option<u32>),
    ) {
        let Some(index) = self.place_of(partition) else { return };
        let part = &mut self.parts[index];
        part.asked = false;
        if part.step != Step::LookUp(reset) {
            return;
        }
        if error != Error::None {
            return self.retry(ctx, index, true);
        }
        (part.position, part.epoch, part.step) = (Some(offset), epoch, Step::Fetch);
        let tell = part.was_reset;
        if tell {
            self.tell(ctx, partition, event::OFFSET_RESET, offset);
        }
        if tell {
            self.tell_overtaken(ctx, partition);
        }
        let skips = matches!(reset, Reset::Latest | Reset::ByDuration(_));
        if skips && (!tell || self.member.is_some()) {
            let because = match self.parts[index].expired {
                _ if tell => because::OUT_OF_RANGE,
                true => because::OFFSETS_EXPIRED,
                false => because::NO_OFFSET,
            };
            self.tell_skipped(ctx, partition, because);
        }
    }

    /// The ends of epochs are known: a position that lies behind the end of its epoch was cut off
    /// (maybeCompleteValidation).
    pub(super) fn validated(
        &mut self,
        ctx: &mut Context<'_, Message>,
        asked: &[PartitionId],
        ends: &[(PartitionId, Error, Option<EpochEnd>)],
    ) {
        for partition in asked {
            let Some(index) = self.place_of(*partition) else { continue };
            let part = &mut self.parts[index];
            part.asked = false;
            if part.step != Step::Validate {
                continue;
            }
            let end = ends.iter().find(|(partition, ..)| *partition == part.partition);
            match end {
                Some((_, Error::None, Some(end))) => self.compare(ctx, index, *end),
                Some((_, Error::None, None)) => self.reset(ctx, index),
                _ => self.retry(ctx, index, true),
            }
        }
    }

    fn compare(&mut self, ctx: &mut Context<'_, Message>, index: usize, end: EpochEnd) {
        let part = &mut self.parts[index];
        if part.position.is_none_or(|position| position <= end.end) {
            part.step = Step::Fetch;
            return;
        }
        let partition = part.partition;
        self.tell(ctx, partition, event::TRUNCATION_DETECTED, end.end);
        if self.config.settings.reset == Reset::None {
            // LogTruncationException.
            return self.reset(ctx, index);
        }
        let part = &mut self.parts[index];
        (part.position, part.epoch, part.step) = (Some(end.end), Some(end.epoch), Step::Fetch);
    }
}

/// What an application is handed of what was fetched: what was aborted is hidden, as what brokers write
/// among the messages is (CompletedFetch.java, `nextFetchedRecord`).
fn shown(
    mut records: Vec<Piece>,
    borne: &[Option<(Sequenced, Time)>],
    aborted: &[Aborted],
) -> Vec<Piece> {
    if aborted.is_empty() {
        return records;
    }
    for (piece, borne) in records.iter_mut().zip(borne) {
        let Some((own, _)) = borne.filter(|(own, _)| own.by.transactional) else { continue };
        let within =
            |one: &Aborted| one.id == own.by.id && (one.first..one.last).contains(&piece.base);
        if aborted.iter().any(within) {
            piece.messages.producer = CONTROL;
        }
    }
    records
}
