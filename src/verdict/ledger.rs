//! The usual observer of a run: folds what machines report into what became of every message.

use std::sync::Arc;

use super::history::History;
use super::latency::Latencies;
use super::lines::{Answer, Flags, Line, State, Track};
use super::losses::Reasons;
use super::timeline::{Recorder, bucket_length};
use super::windows::{Reads, Successes};
use super::{LedgerOptions, Report, RunFacts};
use crate::engine::{Fingerprint, Ingredient, Span, Time};
use crate::observe::{
    Catalog, CauseKind, ConsumerId, DestinationId, Event, FaultId, FaultPhase, MessageRange,
    NodeId, NodeState, Observer, Outcome, ProducerId, Removal, RoleId,
};

/// The lines of one producer at one destination.
#[derive(Clone, Debug)]
pub(super) struct TrackOf {
    pub(super) producer: ProducerId,
    pub(super) destination: Option<DestinationId>,
    pub(super) lines: Track,
    /// One more than the greatest sequence that was delivered; 0 before the first.
    furthest: u32,
}

/// What is watched of one destination.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// Writes that succeeded as the client sees it.
    pub(super) writes: Successes,
    /// Those of them whose line is known to have ended well.
    pub(super) effective: Successes,
    pub(super) reads: Reads,
    /// Writes that should have been sent in measured time.
    pub(super) operations: u64,
    /// Whether a consumer that is no auditor reads it.
    pub(super) has_consumer: bool,
}

/// What is counted as it happens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Messages, not lines.
    pub(super) attempted: u64,
    /// Negative answers, times the lines that they are about.
    pub(super) nacked: u64,
    /// Lines that were delivered at least once.
    pub(super) delivered: u64,
    pub(super) redelivered: u64,
    pub(super) duplicated: u64,
    pub(super) reordered: u64,
    /// Lines that were processed at least once.
    pub(super) processed: u64,
    /// Messages that were acknowledged in measured time.
    pub(super) acked_measured: u64,
    /// Lines that were processed in measured time.
    pub(super) processed_measured: u64,
    /// Payload bytes of messages whose write succeeded, in the whole run.
    pub(super) success_bytes: u64,
    /// Messages that should have been sent in measured time.
    pub(super) operations: u64,
    /// Those of them that succeeded within the operation time-out.
    pub(super) in_time: u64,
    /// Reports that cannot be: a copy removed that was never made, a line that nobody attempted.
    pub(super) inconsistencies: u64,
}

/// The ledger: folds reports online, in bounded memory, and is plain data that can be cloned with
/// the simulation that it observes.
///
/// Made by [`Ledger::new`], told what happens through [`Observer`], asked at the end by
/// [`Ledger::finish`], which leaves it as it was. What each report does:
///
/// | report | what it does to each line |
/// |---|---|
/// | `attempted` | opens it; its message counts as attempted and its write as pending |
/// | `sent` | pending again, unless its write succeeded already |
/// | `outcome` | the answer of highest precedence stands: acked, accepted, returned, rejected, unknown (nacked alike), unsent; a success ends the write for good |
/// | `stored` | one more copy; the first copy after the last one went revives the line: what named its loss is forgotten |
/// | `removed` | one copy less; the removal names the loss of the line (below) |
/// | `dropped` | names the loss if the line has no copy |
/// | `delivered` | first delivery or duplicate; an auditor's marks it as readable at the end |
/// | `processed` | the application finished with it: nothing that happens to copies matters, except in logs |
///
/// **What names a loss**: the latest removal. Of several at one instant, the one whose cause has
/// the greatest precedence; of equals, the last reported. A copy that was given up because a
/// consumer was finished with the message (kind `Settled`) names the loss in spite of later losses
/// of other copies: had the consumer not been through with it, they would not have mattered.
///
/// Reports about destinations that the catalog does not plan for the producer (a dead-letter queue,
/// say) are ignored.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) catalog: Arc<Catalog>,
    pub(super) options: LedgerOptions,
    /// Ordered by producer, then destination.
    pub(super) tracks: Vec<TrackOf>,
    /// The first track of each producer, and one more entry at the end.
    first_track: Vec<u32>,
    pub(super) watches: Vec<Watch>,
    /// (destination, wants) of each consumer.
    wants: Vec<Vec<(DestinationId, bool)>>,
    pub(super) reasons: Reasons,
    pub(super) counts: Counts,
    pub(super) latencies: Latencies,
    pub(super) timeline: Recorder,
    pub(super) history: History,
    pub(super) fingerprint: Fingerprint,
}

impl Ledger {
    /// An empty ledger for a run of the plan that the catalog names.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, options: LedgerOptions) -> Ledger {
        let mut tracks = Vec::new();
        let mut first_track = vec![0];
        for (producer, info) in catalog.producers.iter().enumerate() {
            let mut destinations: Vec<_> = info.destinations.iter().copied().map(Some).collect();
            destinations.sort_unstable();
            destinations.dedup();
            if destinations.is_empty() {
                destinations.push(None);
            }
            tracks.extend(destinations.into_iter().map(|destination| TrackOf {
                producer: ProducerId(producer as u32),
                destination,
                lines: Track::default(),
                furthest: 0,
            }));
            first_track.push(tracks.len() as u32);
        }
        let gap = options.availability_gap;
        let watches = (0..catalog.destinations.len()).map(|destination| Watch {
            writes: Successes::new(gap),
            effective: Successes::new(gap),
            reads: Reads::new(gap),
            operations: 0,
            has_consumer: catalog.consumers.iter().any(|consumer| {
                !consumer.auditor
                    && consumer.destinations.contains(&DestinationId(destination as u32))
            }),
        });
        let bucket = options.bucket.unwrap_or_else(|| bucket_length(options.duration));
        Ledger {
            tracks,
            first_track,
            watches: watches.collect(),
            wants: vec![Vec::new(); catalog.consumers.len()],
            reasons: Reasons::default(),
            counts: Counts::default(),
            latencies: Latencies::new(),
            timeline: Recorder::new(bucket),
            history: History::default(),
            fingerprint: Fingerprint::new(),
            catalog,
            options,
        }
    }

    /// What the run came to. The expectations are judged afterwards, see
    /// [`Expectations::judge`](super::Expectations::judge). The ledger stays as it was, and may be
    /// told more.
    #[must_use]
    pub fn finish(&self, facts: RunFacts) -> Report {
        super::finish::report(self, facts)
    }

    /// Bytes on the heap, by the capacities of all tables.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let lines = self.tracks.iter().map(|track| track.lines.footprint()).sum::<usize>();
        let watches = self.watches.iter().map(|watch| {
            size_of::<Watch>() + watch.writes.heap() + watch.effective.heap() + watch.reads.heap()
        });
        let tables = self.tracks.capacity() * size_of::<TrackOf>() + self.reasons.heap();
        let told = self.latencies.heap() + self.timeline.heap() + self.history.heap();
        lines + watches.sum::<usize>() + tables + told
    }

    fn tracks_of(&self, producer: ProducerId) -> std::ops::Range<usize> {
        let index = producer.index();
        self.first_track[index] as usize..self.first_track[index + 1] as usize
    }

    fn track(&self, producer: ProducerId, destination: DestinationId) -> Option<usize> {
        let range = self.tracks_of(producer);
        let tracks = &self.tracks[range.clone()];
        if let [only] = tracks {
            return (only.destination == Some(destination)).then_some(range.start);
        }
        let found = tracks.binary_search_by_key(&Some(destination), |track| track.destination);
        found.ok().map(|offset| range.start + offset)
    }

    /// Whether `at` is in measured time.
    fn is_measured(&self, at: Time) -> bool {
        at >= Time::ZERO + self.options.warmup && at <= Time::ZERO + self.options.duration
    }

    fn fold(&mut self, at: Time, tag: u64, place: u32, messages: MessageRange) {
        let whose = u64::from(messages.producer.0) << 32 | u64::from(messages.first);
        let what = u64::from(place) << 32 | u64::from(messages.count);
        // Two steps a report: the odd multiplier keeps the two words apart.
        let word = whose ^ what.wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.fingerprint.fold(Ingredient::Outcomes, at.as_nanos() ^ tag << 56);
        self.fingerprint.fold(Ingredient::Outcomes, word);
    }

    fn backlog_changed(&mut self, at: Time, destination: DestinationId, by: i64) {
        if by != 0 {
            self.watches[destination.index()].reads.backlog_changed(at, by);
            self.timeline.backlog_changed(at, by);
        }
    }
}

/// Forgets the times of a write that succeeded and whose line ended well, after counting it.
fn credit(line: &mut Line<'_>, state: State, watch: Option<&mut Watch>) {
    if !state.is_good() {
        return;
    }
    if let Some(times) = line.times()
        && let (Some(watch), Some(at)) = (watch, times.mark)
    {
        watch.effective.add(times.intended, at);
    }
    line.close_times();
}

/// A removal or drop, ready to name the loss of lines.
struct Naming<'a> {
    at: Time,
    id: u16,
    kind: CauseKind,
    precedence: u8,
    catalog: &'a Catalog,
    reasons: &'a Reasons,
    retained: bool,
}

impl Naming<'_> {
    fn apply(&self, line: &mut Line<'_>, state: &mut State) {
        match self.kind {
            CauseKind::DeadLettered => state.set(Flags::DEAD_LETTERED),
            CauseKind::Expired => state.set(Flags::EXPIRED),
            CauseKind::Settled | CauseKind::Lost => {}
        }
        let over = if self.retained { Flags::default() } else { Flags::PROCESSED };
        if state.is(over.with(Flags::DEAD_LETTERED).with(Flags::EXPIRED)) {
            state.reason = 0;
            line.dig_up();
            return;
        }
        self.name(line, state);
        if state.copies == 0 {
            line.bury(self.at);
        }
    }

    fn name(&self, line: &mut Line<'_>, state: &mut State) {
        let again = line.name(self.at);
        if self.kind == CauseKind::Settled {
            state.set(Flags::SETTLED);
        } else if state.is(Flags::SETTLED) && state.reason != 0 {
            return;
        } else if again && self.precedence_of(state.reason) > self.precedence {
            return;
        }
        state.reason = self.id;
    }

    fn precedence_of(&self, id: u16) -> u8 {
        let cause = self.reasons.get(id).map(|reason| reason.removal.cause);
        cause.map_or(0, |cause| self.catalog.causes[cause.index()].precedence)
    }
}

macro_rules! naming {
    ($ledger:ident, $at:ident, $node:ident, $removal:ident) => {{
        let id = $ledger.reasons.id($removal, $node);
        let cause = $ledger.catalog.causes[$removal.cause.index()];
        Naming {
            at: $at,
            id,
            kind: cause.kind,
            precedence: cause.precedence,
            catalog: &$ledger.catalog,
            reasons: &$ledger.reasons,
            retained: $ledger.options.retained,
        }
    }};
}

/// Tags of the fingerprint.
mod tag {
    pub(super) const OUTCOME: u64 = 1;
    pub(super) const DELIVERED: u64 = 16;
    pub(super) const PROCESSED: u64 = 17;
}

impl Observer for Ledger {
    fn attempted(&mut self, at: Time, intended: Time, messages: MessageRange) {
        let count = u64::from(messages.count);
        self.counts.attempted += count;
        self.timeline.at(at).attempted += count;
        let measured = self.is_measured(intended);
        if measured {
            self.counts.operations += count;
        }
        for index in self.tracks_of(messages.producer) {
            let track = &mut self.tracks[index];
            if measured && let Some(destination) = track.destination {
                self.watches[destination.index()].operations += count;
            }
            let counts = &mut self.counts;
            track.lines.visit(messages.first, messages.count, |line| {
                let mut state = line.state();
                if state.is(Flags::ATTEMPTED) {
                    counts.inconsistencies += 1;
                    return;
                }
                state.set(Flags::ATTEMPTED);
                line.open_times(intended);
                line.put(state);
            });
        }
    }

    fn sent(&mut self, at: Time, messages: MessageRange) {
        for index in self.tracks_of(messages.producer) {
            let counts = &mut self.counts;
            self.tracks[index].lines.visit(messages.first, messages.count, |line| {
                let mut state = line.state();
                if !state.is(Flags::ATTEMPTED) {
                    counts.inconsistencies += 1;
                    return;
                }
                state.set(Flags::SENT);
                if !state.answer.is_success() {
                    state.set(Flags::WAITING);
                    line.mark(at);
                }
                line.put(state);
            });
        }
    }

    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        self.fold(at, tag::OUTCOME + outcome as u64, u32::MAX, messages);
        let range = self.tracks_of(messages.producer);
        let first = range.start;
        let lines = u64::from(messages.count) * range.len() as u64;
        let bucket = self.timeline.at(at);
        match outcome {
            Outcome::Returned => bucket.returned += u64::from(messages.count),
            Outcome::Unknown => bucket.unknown += u64::from(messages.count),
            Outcome::Nacked => {
                bucket.nacked += u64::from(messages.count);
                self.counts.nacked += lines;
            }
            Outcome::Acked | Outcome::Accepted | Outcome::Rejected | Outcome::Unsent => {}
        }
        for index in range {
            self.answer(at, index, messages, Answer::of(outcome), index == first);
        }
    }

    fn stored(
        &mut self,
        at: Time,
        _node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        let Some(index) = self.track(messages.producer, destination) else { return };
        let mut backlog = 0;
        let counts = &mut self.counts;
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            let Some(copies) = state.copies.checked_add(1).filter(|_| state.is(Flags::ATTEMPTED))
            else {
                counts.inconsistencies += 1;
                return;
            };
            let before = state.is_backlog();
            if state.copies == 0 {
                line.dig_up();
                state.reason = 0;
                state.clear(Flags::SETTLED.with(Flags::EXPIRED));
            }
            state.copies = copies;
            state.set(Flags::ARRIVED);
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.backlog_changed(at, destination, backlog);
    }

    fn removed(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        let Some(index) = self.track(messages.producer, destination) else { return };
        let naming = naming!(self, at, node, removal);
        let mut backlog = 0;
        let counts = &mut self.counts;
        let watch = &mut self.watches[destination.index()];
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if state.copies == 0 {
                counts.inconsistencies += 1;
                return;
            }
            let before = state.is_backlog();
            state.copies -= 1;
            naming.apply(line, &mut state);
            credit(line, state, Some(watch));
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.backlog_changed(at, destination, backlog);
    }

    fn dropped(
        &mut self,
        at: Time,
        node: NodeId,
        destination: Option<DestinationId>,
        messages: MessageRange,
        removal: Removal,
    ) {
        let range = match destination {
            None => self.tracks_of(messages.producer),
            Some(destination) => match self.track(messages.producer, destination) {
                Some(index) => index..index + 1,
                None => return,
            },
        };
        let naming = naming!(self, at, node, removal);
        for index in range {
            let track = &mut self.tracks[index];
            let mut watch = track.destination.map(|id| &mut self.watches[id.index()]);
            let counts = &mut self.counts;
            track.lines.visit(messages.first, messages.count, |line| {
                let mut state = line.state();
                if !state.is(Flags::ATTEMPTED) {
                    counts.inconsistencies += 1;
                    return;
                }
                state.set(Flags::ARRIVED);
                if state.copies == 0 {
                    naming.apply(line, &mut state);
                    credit(line, state, watch.as_deref_mut());
                }
                line.put(state);
            });
        }
    }

    fn delivered(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        self.fold(at, tag::DELIVERED + u64::from(redelivered) * 2, consumer.0, messages);
        let Some(index) = self.track(messages.producer, destination) else { return };
        if self.catalog.consumers[consumer.index()].auditor {
            self.audited(at, index, destination, messages);
        } else {
            self.received(at, index, destination, messages, redelivered);
        }
    }

    fn processed(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        self.fold(at, tag::PROCESSED, consumer.0, messages);
        let Some(index) = self.track(messages.producer, destination) else { return };
        if self.catalog.consumers[consumer.index()].auditor {
            return;
        }
        let (mut processed, mut backlog) = (0, 0);
        let retained = self.options.retained;
        let counts = &mut self.counts;
        let watch = &mut self.watches[destination.index()];
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            if state.is(Flags::PROCESSED) {
                return;
            }
            processed += 1;
            let before = state.is_backlog();
            state.set(Flags::PROCESSED);
            if !retained {
                state.reason = 0;
                state.clear(Flags::SETTLED);
                line.dig_up();
            }
            credit(line, state, Some(watch));
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.counts.processed += processed;
        if self.is_measured(at) {
            self.counts.processed_measured += processed;
        }
        self.timeline.at(at).processed += processed;
        self.backlog_changed(at, destination, backlog);
    }

    fn wants(&mut self, at: Time, consumer: ConsumerId, destination: DestinationId, wants: bool) {
        if self.catalog.consumers[consumer.index()].auditor {
            return;
        }
        let known = &mut self.wants[consumer.index()];
        let before = match known.iter_mut().find(|(id, _)| *id == destination) {
            Some((_, before)) => std::mem::replace(before, wants),
            None => {
                known.push((destination, wants));
                false
            }
        };
        let by = i32::from(wants) - i32::from(before);
        if by != 0 {
            self.watches[destination.index()].reads.wanting_changed(at, by);
        }
    }

    fn role(&mut self, at: Time, node: NodeId, destination: DestinationId, role: Option<RoleId>) {
        let role_word = role.map_or(0, |role| u64::from(role.0) + 1);
        let place = u64::from(node.0) << 32 | u64::from(destination.0);
        self.fingerprint.fold(Ingredient::Roles, at.as_nanos() ^ role_word << 56);
        self.fingerprint.fold(Ingredient::Roles, place);
        self.history.role(at, node, destination, role);
    }

    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        let word = u64::from(node.0) << 32 | u64::from(u32::MAX);
        self.fingerprint.fold(Ingredient::Roles, at.as_nanos() ^ (state as u64) << 56);
        self.fingerprint.fold(Ingredient::Roles, word);
        self.history.node(at, node, state);
    }

    fn fault(&mut self, at: Time, fault: FaultId, phase: FaultPhase, targets: &[NodeId]) {
        self.history.fault(at, fault, phase, targets);
    }

    fn event(&mut self, at: Time, event: Event) {
        self.history.event(at, event);
    }
}

impl Ledger {
    /// Applies an answer to the lines of one track; `counted` for the first of a producer's, whose
    /// lines stand for its messages in latency and throughput.
    fn answer(
        &mut self,
        at: Time,
        index: usize,
        messages: MessageRange,
        answer: Answer,
        counted: bool,
    ) {
        let options = self.options;
        let (warm, end) = (Time::ZERO + options.warmup, Time::ZERO + options.duration);
        let fault_free = self.history.first_fault().is_none();
        let measured = self.is_measured(at);
        let track = &mut self.tracks[index];
        let mut watch = track.destination.map(|id| &mut self.watches[id.index()]);
        let (counts, latencies, timeline) =
            (&mut self.counts, &mut self.latencies, &mut self.timeline);
        track.lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            let before = state.answer;
            if before.is_success() {
                return;
            }
            state.answer = before.then(answer);
            if !answer.is_success() {
                state.clear(Flags::WAITING);
                line.mark(at);
                line.put(state);
                return;
            }
            let Some(times) = line.times() else { unreachable!("an open write keeps its times") };
            let latency = at.since(times.intended);
            if let Some(watch) = &mut watch {
                watch.writes.add(times.intended, at);
            }
            if counted {
                counts.success_bytes += u64::from(messages.bytes);
                let is_ack = answer == Answer::Acked;
                let bucket = timeline.at(at);
                if is_ack {
                    bucket.acked += 1;
                    counts.acked_measured += u64::from(measured);
                } else {
                    bucket.accepted += 1;
                }
                if warm <= times.intended && times.intended <= end {
                    let in_time = latency <= options.operation_timeout;
                    counts.in_time += u64::from(in_time);
                    record(latencies, is_ack, latency, fault_free);
                    let sent = times.mark.filter(|_| state.is(Flags::WAITING) && is_ack);
                    if let Some(sent) = sent {
                        latencies.ack_service.record(at.since(sent));
                    }
                }
                if is_ack {
                    timeline.acked(at, latency);
                }
            }
            state.clear(Flags::WAITING);
            line.mark(at);
            credit(line, state, watch.as_deref_mut());
            line.put(state);
        });
    }

    /// A delivery to an auditor.
    fn audited(
        &mut self,
        at: Time,
        index: usize,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        let mut backlog = 0;
        let counts = &mut self.counts;
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            let before = state.is_backlog();
            state.set(Flags::AUDITED);
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.backlog_changed(at, destination, backlog);
    }

    /// A delivery to an application.
    fn received(
        &mut self,
        at: Time,
        index: usize,
        destination: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        let warm = Time::ZERO + self.options.warmup;
        let (mut backlog, mut first_deliveries, mut again) = (0, 0, 0);
        let track = &mut self.tracks[index];
        let (counts, latencies) = (&mut self.counts, &mut self.latencies);
        let furthest = &mut track.furthest;
        track.lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            if state.is(Flags::DELIVERED) {
                again += 1;
                return;
            }
            first_deliveries += 1;
            if line.sequence < *furthest {
                counts.reordered += 1;
            } else {
                *furthest = line.sequence.saturating_add(1);
            }
            if let Some(times) = line.times().filter(|times| times.intended >= warm) {
                latencies.end_to_end.record(at.since(times.intended));
            }
            let before = state.is_backlog();
            state.set(Flags::DELIVERED);
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.counts.delivered += first_deliveries;
        self.counts.duplicated += again;
        let flagged = if redelivered { first_deliveries + again } else { 0 };
        self.counts.redelivered += flagged;
        let bucket = self.timeline.at(at);
        bucket.delivered += first_deliveries + again;
        bucket.redelivered += flagged;
        self.backlog_changed(at, destination, backlog);
        let pending = self.watches[destination.index()].reads.success(at);
        if let Some(pending) = pending
            && at >= warm
            && self.history.first_fault().is_none()
        {
            self.latencies.fault_free_read.record(pending);
        }
    }
}

fn record(latencies: &mut Latencies, is_ack: bool, latency: Span, fault_free: bool) {
    if is_ack {
        latencies.ack.record(latency);
    } else {
        latencies.accepted.record(latency);
    }
    if fault_free {
        latencies.fault_free_write.record(latency);
    }
}
