//! The usual observer of a run: folds what machines report into what became of every message.

use std::sync::Arc;

use super::history::History;
use super::latency::Latencies;
use super::lines::Track;
use super::losses::Reasons;
use super::timeline::{Recorder, bucket_length};
use super::visible::Visible;
use super::windows::{Reads, Successes};
use super::{Breach, InvariantTally, LedgerOptions, Report, RunFacts};
use crate::engine::{Fingerprint, Ingredient, Time};
use crate::observe::{Catalog, DestinationId, MessageRange, ProducerId};

/// The lines of one producer at one destination.
#[derive(Clone, Debug)]
pub(super) struct TrackOf {
    pub(super) producer: ProducerId,
    pub(super) destination: Option<DestinationId>,
    pub(super) lines: Track,
    /// One more than the greatest sequence that was delivered; 0 before the first.
    pub(super) furthest: u32,
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
    pub(super) group: GroupWatch,
}

/// What is known of the members of a group at one of its destinations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GroupWatch {
    /// Members that are there.
    pub(super) members: u32,
    /// Those of them that read it.
    pub(super) holders: u32,
    /// Somebody who read it has given it up.
    pub(super) left: bool,
}

impl GroupWatch {
    /// Whether there are members, and none reads it: what can be read waits for them.
    pub(super) const fn is_orphaned(self) -> bool {
        self.members > 0 && self.holders == 0
    }
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
/// Made by [`Ledger::new`], told what happens through [`Observer`](crate::observe::Observer), asked
/// at the end by [`Ledger::finish`], which leaves it as it was. What each report does:
///
/// | report | what it does to each line |
/// |---|---|
/// | `attempted` | opens it; its message counts as attempted and its write as pending |
/// | `sent` | pending again, unless its write succeeded already |
/// | `outcome` | the answer of highest precedence stands (below); a success ends its write |
/// | `remarked` | its acknowledgement counts as one with a remark |
/// | `stored` | one more copy; the first after the last one went revives the line |
/// | `readable` | it counts as backlog from now on, where the family holds messages back |
/// | `dead_lettered` | one more copy, where the destination has dead-lettered it to |
/// | `removed` | one copy less; the removal names the loss of the line (below) |
/// | `dropped` | names the loss if the line has no copy |
/// | `delivered` | first delivery or duplicate; an auditor's marks it as readable at the end |
/// | `placed`, `polled` | what clients see is compared with what they saw before |
/// | `processed` | finished: what happens to its copies matters in logs only |
/// | `skipped` | what could be read and was not is no backlog any more, and stored at the end; lost to a group that had read there before |
/// | `subscribes`, `holds` | a read is pending as well while a group has members and none of them reads the destination |
/// | `abandoned` | lost to the group, unless somebody processes it or nobody reads on |
/// | `violated` | nothing: it is counted by invariant, and the first of each are kept |
///
/// **Precedence of answers**: acked, accepted, returned, rejected, unknown (nacked alike), unsent.
/// A message that comes back as unroutable and is acknowledged for the same transmission was
/// returned: its machine must report only that.
///
/// **What names a loss**: the latest removal. Of several at one instant, the one whose cause has
/// the greatest precedence; of equals, the last reported. A copy that was given up because a
/// consumer was finished with the message (kind `Settled`) names the loss in spite of later losses
/// of other copies: had the consumer not been through with it, they would not have mattered.
///
/// **A dead-lettered message** stays on the line of the destination that it was sent to; what its
/// new queue does with the copy is reported as done to that line. Its fate is `dead_lettered` as
/// soon as a copy has come there, and for good once somebody has taken it from there; if the last
/// copy is lost before, on the way or in that queue, so is the message. What an application does
/// with it there is not told to the ledger: the one it was meant for did not process it.
///
/// Reports about destinations that the catalog does not plan for the producer are ignored.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) catalog: Arc<Catalog>,
    pub(super) options: LedgerOptions,
    /// Ordered by producer, then destination.
    pub(super) tracks: Vec<TrackOf>,
    /// The first track of each producer, and one more entry at the end.
    first_track: Vec<u32>,
    pub(super) watches: Vec<Watch>,
    /// (destination, wants) of each consumer, by destination.
    pub(super) wants: Vec<Vec<(DestinationId, bool)>>,
    /// What each consumer reads as a member of a group, ascending.
    pub(super) holds: Vec<Vec<DestinationId>>,
    pub(super) reasons: Reasons,
    pub(super) counts: Counts,
    pub(super) latencies: Latencies,
    pub(super) timeline: Recorder,
    /// When a message last got on: acknowledged, handed over or finished for the first time.
    pub(super) progressed: Time,
    pub(super) history: History,
    /// What clients see of logs with offsets.
    pub(super) visible: Visible,
    /// By invariant; none if they are not checked.
    pub(super) invariants: Vec<InvariantTally>,
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
            group: GroupWatch::default(),
            has_consumer: catalog.consumers.iter().any(|consumer| {
                !consumer.auditor
                    && consumer.destinations.contains(&DestinationId(destination as u32))
            }),
        });
        let checked = if options.invariants { catalog.invariants.len() } else { 0 };
        let bucket = options.bucket.unwrap_or_else(|| bucket_length(options.duration));
        Ledger {
            tracks,
            first_track,
            watches: watches.collect(),
            wants: vec![Vec::new(); catalog.consumers.len()],
            holds: vec![Vec::new(); catalog.consumers.len()],
            reasons: Reasons::default(),
            counts: Counts::default(),
            latencies: Latencies::new(gap),
            timeline: Recorder::new(bucket),
            progressed: Time::ZERO,
            history: History::default(),
            visible: Visible::new(&catalog),
            invariants: vec![InvariantTally::default(); checked],
            fingerprint: Fingerprint::new(),
            catalog,
            options,
        }
    }

    /// The ingredients of the run's fingerprint so far; `world` has those that are the world's.
    #[must_use]
    pub fn ingredients(&self, world: &Fingerprint) -> [(&'static str, u64); 5] {
        super::finish::ingredients(&self.fingerprint, world)
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
        let breaches = self.invariants.iter().flat_map(|tally| &tally.first);
        let breaches = breaches.map(|one| size_of::<Breach>() + one.detail.capacity());
        let told = self.latencies.heap() + self.timeline.heap() + self.history.heap();
        let told = told + breaches.sum::<usize>() + self.visible.heap();
        lines + watches.sum::<usize>() + tables + told
    }

    pub(super) fn tracks_of(&self, producer: ProducerId) -> std::ops::Range<usize> {
        let index = producer.index();
        self.first_track[index] as usize..self.first_track[index + 1] as usize
    }

    pub(super) fn track(&self, producer: ProducerId, destination: DestinationId) -> Option<usize> {
        let range = self.tracks_of(producer);
        let tracks = &self.tracks[range.clone()];
        if let [only] = tracks {
            return (only.destination == Some(destination)).then_some(range.start);
        }
        let found = tracks.binary_search_by_key(&Some(destination), |track| track.destination);
        found.ok().map(|offset| range.start + offset)
    }

    /// Whether `at` is in measured time.
    pub(super) fn is_measured(&self, at: Time) -> bool {
        at >= Time::ZERO + self.options.warmup && at <= Time::ZERO + self.options.duration
    }

    pub(super) fn fold(&mut self, at: Time, tag: u64, place: u32, messages: MessageRange) {
        let whose = u64::from(messages.producer.0) << 32 | u64::from(messages.first);
        let what = u64::from(place) << 32 | u64::from(messages.count);
        // Two steps a report: the odd multiplier keeps the two words apart.
        let word = whose ^ what.wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.fingerprint.fold(Ingredient::Outcomes, at.as_nanos() ^ tag << 56);
        self.fingerprint.fold(Ingredient::Outcomes, word);
    }

    /// The members of a group at a destination change.
    pub(super) fn group_changed(
        &mut self,
        at: Time,
        destination: DestinationId,
        change: impl FnOnce(&mut GroupWatch),
    ) {
        let watch = &mut self.watches[destination.index()];
        let before = watch.group.is_orphaned();
        change(&mut watch.group);
        let by = i32::from(watch.group.is_orphaned()) - i32::from(before);
        if by != 0 {
            watch.reads.wanting_changed(at, by);
        }
    }

    pub(super) fn backlog_changed(&mut self, at: Time, destination: DestinationId, by: i64) {
        if by != 0 {
            self.watches[destination.index()].reads.backlog_changed(at, by);
            self.timeline.backlog_changed(at, by);
        }
    }
}
