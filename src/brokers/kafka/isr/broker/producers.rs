//! What a replica knows of the idempotent producers that have written to it (ProducerStateManager,
//! ProducerStateEntry, ProducerAppendInfo): under which id, epoch and sequence its batches were
//! written, and the last few batches of each producer. All of it follows from the log, so that it
//! survives what the log survives: a follower has it from what it appends, and what is cut off the log
//! goes here as well. Kafka's snapshots shorten the way there after a start, and say nothing else.

use std::collections::{BTreeMap, VecDeque};

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::{Log, Piece};
use crate::engine::{Span, Time};
use crate::observe::{BecauseId, ProducerId, Removal};
use crate::world::{Context, Lane};

use super::super::message::{Batch, Error, Message, Response, Timer};
use super::super::rules::Rule;
use super::super::sequence::{Identity, LAST_SEQUENCE, Sequenced, plus};
use super::super::words::{cause, event};
use super::transactions::OpenTransactions;
use super::{Broker, Replica};

/// Timestamps of batches are kept to the second: they only decide when a producer is forgotten.
const STAMP: Span = Span::from_secs(1);

/// From an offset on the messages of a stream bear sequences that go with their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    from: u64,
    by: Identity,
    /// Sequence minus number, counted as sequences are.
    shift: u32,
    stamp: Time,
}

impl Run {
    fn sequenced(&self, number: u32) -> Sequenced {
        Sequenced { by: self.by, first: plus(self.shift, number & LAST_SEQUENCE) }
    }
}

/// A batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    /// Its first sequence and its last.
    sequences: (u32, u32),
    /// Its first offset and the one after it.
    offsets: (u64, u64),
    stamp: Time,
}

/// A producer as one partition knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    epoch: u16,
    /// Whether it has a transactional id.
    transactional: bool,
    /// Its last batches, the oldest first.
    batches: VecDeque<Kept>,
}

impl Entry {
    fn of(by: Identity) -> Entry {
        let Identity { epoch, transactional, .. } = by;
        Entry { epoch, transactional, batches: VecDeque::new() }
    }
}

/// What becomes of a batch by its sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is appended.
    Next,
    /// It is in the log already, between these offsets.
    Duplicate(u64, u64),
    /// It is refused.
    Refused(Error),
}

/// What is asked of a batch that comes from a client.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// Whether a producer that is not known may go on with any sequence.
    pub accepts_unknown: bool,
    /// Whether what is in the log is told from what is not.
    pub finds_duplicates: bool,
    /// Whether a gap is noticed.
    pub finds_gaps: bool,
}

/// What a replica knows of producers.
#[derive(Clone, Debug, Default)]
pub struct ProducerStates {
    runs: BTreeMap<ProducerId, Vec<Run>>,
    entries: BTreeMap<u32, Entry>,
}

impl ProducerStates {
    /// What is to be done with a batch of so many messages (ProducerStateEntry.java,
    /// `findDuplicateBatch`; ProducerAppendInfo.java, `checkProducerEpoch`, `checkSequence`).
    #[must_use]
    pub fn judge(&self, sequenced: Sequenced, count: u32, checks: Checks) -> Verdict {
        let Sequenced { by, first } = sequenced;
        let Some(known) = self.entries.get(&by.id) else {
            let fits = first == 0 || checks.accepts_unknown || !checks.finds_gaps;
            return if fits { Verdict::Next } else { Verdict::Refused(Error::UnknownProducerId) };
        };
        let sequences = (first, plus(first, count - 1));
        let mut same = known.batches.iter().filter(|kept| kept.sequences == sequences);
        if by.epoch == known.epoch
            && checks.finds_duplicates
            && let Some(kept) = same.next_back()
        {
            return Verdict::Duplicate(kept.offsets.0, kept.offsets.1);
        }
        if by.epoch < known.epoch {
            return Verdict::Refused(Error::InvalidProducerEpoch);
        }
        let last = known.batches.back().filter(|_| by.epoch == known.epoch);
        let next = last.map_or(0, |kept| plus(kept.sequences.1, 1));
        match first == next || !checks.finds_gaps {
            true => Verdict::Next,
            false => Verdict::Refused(Error::OutOfOrderSequence),
        }
    }

    /// A piece with a sequence was appended: one batch if it is whole, else one a message.
    pub fn appended(&mut self, piece: &Piece, sequenced: Sequenced, stamp: Time, keeps: usize) {
        let shift =
            plus(sequenced.first, LAST_SEQUENCE + 1 - (piece.messages.first & LAST_SEQUENCE));
        let runs = self.runs.entry(piece.messages.producer).or_default();
        let goes_on = runs.last().is_some_and(|run| {
            run.by == sequenced.by && run.shift == shift && stamp < run.stamp + STAMP
        });
        if !goes_on {
            runs.push(Run { from: piece.base, by: sequenced.by, shift, stamp });
        }
        let entry = self.entries.entry(sequenced.by.id).or_default();
        if entry.epoch != sequenced.by.epoch {
            *entry = Entry::of(sequenced.by);
        }
        entry.transactional = sequenced.by.transactional;
        for kept in batches(piece, sequenced, stamp, keeps) {
            entry.batches.push_back(kept);
        }
        while entry.batches.len() > keeps {
            entry.batches.pop_front();
        }
    }

    /// A marker was appended: a later epoch holds from there on, whose batches begin at 0
    /// (ProducerAppendInfo.java, `appendEndTxnMarker`).
    pub fn marked(&mut self, by: Identity) {
        let entry = self.entries.entry(by.id).or_insert_with(|| Entry::of(by));
        if entry.epoch < by.epoch {
            *entry = Entry::of(by);
        }
    }

    /// The log was cut: the markers that are left say which epochs hold.
    pub fn marked_by(&mut self, transactions: &OpenTransactions) {
        for marker in transactions.markers() {
            self.marked(marker.by);
        }
    }

    /// The epoch of a producer, if it is known.
    #[must_use]
    pub fn epoch_of(&self, id: u32) -> Option<u16> {
        self.entries.get(&id).map(|entry| entry.epoch)
    }

    /// What pieces of the log bear, in their order; a piece that bears more than one is parted
    /// there. Nothing if no idempotent producer has written here.
    #[must_use]
    pub fn of(&self, pieces: &mut Vec<Piece>) -> Vec<Option<(Sequenced, Time)>> {
        if self.runs.is_empty() {
            return Vec::new();
        }
        let whole = std::mem::take(pieces);
        let parts = whole.iter().flat_map(|piece| self.parted(piece));
        let (parted, borne): (Vec<Piece>, Vec<_>) = parts.unzip();
        *pieces = parted;
        borne
    }

    fn parted(&self, piece: &Piece) -> Vec<(Piece, Option<(Sequenced, Time)>)> {
        let runs = self.runs.get(&piece.messages.producer).map_or(&[][..], Vec::as_slice);
        let at = runs.partition_point(|run| run.from <= piece.base);
        let mut parts = Vec::new();
        let mut rest = *piece;
        let mut run = at.checked_sub(1).map(|at| runs[at]);
        for next in runs[at..].iter().take_while(|next| !piece.whole && next.from < piece.end()) {
            let count = rest.count_before(next.from);
            parts.push((rest.part(0, count), run));
            rest = rest.part(count, rest.messages.count - count);
            run = Some(*next);
        }
        parts.push((rest, run));
        let borne = |(piece, run): (Piece, Option<Run>)| {
            (piece, run.map(|run| (run.sequenced(piece.messages.first), run.stamp)))
        };
        parts.into_iter().map(borne).collect()
    }

    /// The log was cut: so is this. Of who has lost something, what came before is looked up there.
    pub fn cut(&mut self, log: &Log, keeps: usize) {
        let end = log.end();
        for runs in self.runs.values_mut() {
            runs.truncate(runs.partition_point(|run| run.from < end));
        }
        self.runs.retain(|_, runs| !runs.is_empty());
        let known = std::mem::take(&mut self.entries);
        let beyond = |entry: &Entry| entry.batches.back().is_none_or(|kept| kept.offsets.1 > end);
        let (lost, same): (BTreeMap<u32, Entry>, BTreeMap<u32, Entry>) =
            known.into_iter().partition(|(_, entry)| beyond(entry));
        self.entries = same;
        if !lost.is_empty() {
            self.look_up(log, keeps, lost.len(), |id| lost.contains_key(&id));
        }
    }

    /// The last batches of `wanted` producers, as the log has them.
    fn look_up(&mut self, log: &Log, keeps: usize, wanted: usize, is: impl Fn(u32) -> bool) {
        let mut found: BTreeMap<u32, Entry> = BTreeMap::new();
        let mut complete = 0;
        for piece in log.pieces().rev() {
            for (part, borne) in self.parted(&piece).into_iter().rev() {
                let Some((sequenced, stamp)) = borne.filter(|(own, _)| is(own.by.id)) else {
                    continue;
                };
                let fresh = Entry::of(sequenced.by);
                let entry = found.entry(sequenced.by.id).or_insert(fresh);
                if entry.epoch != sequenced.by.epoch || entry.batches.len() >= keeps {
                    continue;
                }
                for kept in batches(&part, sequenced, stamp, keeps).into_iter().rev() {
                    if entry.batches.len() < keeps {
                        entry.batches.push_front(kept);
                    }
                }
                complete += usize::from(entry.batches.len() == keeps);
            }
            if complete == wanted {
                break;
            }
        }
        self.entries.append(&mut found);
    }

    /// Forgets producers whose last batch is so old, by the time that it bears
    /// (ProducerStateManager.java, `removeExpiredProducers`).
    pub fn expire(&mut self, now: Time, limit: Span) {
        let old =
            |entry: &Entry| entry.batches.back().is_some_and(|kept| now.since(kept.stamp) >= limit);
        self.entries.retain(|_, entry| !old(entry));
    }

    /// Of each producer: id, epoch, and the first and last sequence of its batches.
    fn known(&self) -> impl Iterator<Item = (Identity, Vec<(u32, u32)>)> + '_ {
        self.entries.iter().map(|(id, entry)| {
            let sequences = entry.batches.iter().map(|kept| kept.sequences).collect();
            let (epoch, transactional) = (entry.epoch, entry.transactional);
            (Identity { id: *id, epoch, transactional }, sequences)
        })
    }
}

/// The batches of a piece, the last so many.
fn batches(piece: &Piece, sequenced: Sequenced, stamp: Time, keeps: usize) -> Vec<Kept> {
    let count = piece.messages.count;
    let one = |from: u32, count: u32| {
        let first = plus(sequenced.first, from);
        Kept {
            sequences: (first, plus(first, count - 1)),
            offsets: (piece.base + u64::from(from), piece.base + u64::from(from + count)),
            stamp,
        }
    };
    if piece.whole {
        return vec![one(0, count)];
    }
    (count.saturating_sub(keeps as u32)..count).map(|from| one(from, 1)).collect()
}

impl Broker {
    /// The idempotent producers that a partition knows, with the first and last sequences of the
    /// batches that it remembers.
    #[must_use]
    pub fn producers(&self, partition: PartitionId) -> Vec<(Identity, Vec<(u32, u32)>)> {
        self.replica(partition).map_or(Vec::new(), |replica| replica.producers.known().collect())
    }

    /// `InitProducerId` without a transactional id: an id that nobody else has. In Kafka the
    /// controller hands them out in blocks of 1,000 (KIP-730).
    pub(super) fn init_producer_id(&mut self) -> Response {
        Response::InitProducerId(Error::None, self.fresh_producer_id())
    }

    /// A producer id that nobody has.
    pub(super) fn fresh_producer_id(&mut self) -> u32 {
        let id = self.ids * self.config.brokers + self.me.0;
        self.ids += 1;
        id
    }

    /// What is to be done with a client's batch, by its sequence.
    pub(super) fn judge(&self, batch: &Batch, own: Sequenced) -> Verdict {
        let checks = Checks {
            accepts_unknown: self.config.has(Rule::AcceptUnknownProducers),
            finds_duplicates: self.config.has(Rule::FindDuplicates),
            finds_gaps: self.config.has(Rule::FindGaps),
        };
        let known = self.replica(batch.partition).map(|replica| &replica.producers);
        known.map_or(Verdict::Next, |known| known.judge(own, batch.messages.count, checks))
    }

    /// A batch is refused because of its sequence.
    pub(super) fn sequence_refused(&mut self, batch: &Batch, ctx: &mut Context<'_, Message>) {
        let (now, me) = (ctx.now(), self.me);
        let removal = Removal { cause: cause::OUT_OF_ORDER_SEQUENCE, because: BecauseId::NONE };
        let (messages, lines) = self.config.streams.told(batch.messages);
        for destination in lines {
            ctx.observer().dropped(now, me, Some(*destination), messages, removal);
        }
        let sequence = batch.sequenced.map_or(0, |own| u64::from(own.first));
        let partition = Some(batch.partition);
        self.report_event(ctx, now, event::SEQUENCE_REFUSED, partition, None, sequence);
    }

    /// Looks for producers to forget from now on, if it knows any.
    pub(super) fn watch_producers(&mut self, ctx: &mut Context<'_, Message>) {
        let known = |replica: &Replica| !replica.producers.entries.is_empty();
        let replicas = self.replicas.iter().flatten();
        if !self.watches_producers && replicas.into_iter().any(|replica| known(replica)) {
            self.watches_producers = true;
            let wait = self.config.settings.expiration_check;
            ctx.after(wait, Lane::MAIN, Message::Timer(Timer::ProducerExpiration));
        }
    }

    /// `PeriodicProducerExpirationCheck`.
    pub(super) fn expire_producers(&mut self, ctx: &mut Context<'_, Message>) {
        let (clock, limit) = (ctx.clock(), self.config.settings.producer_expiration());
        for replica in self.replicas.iter_mut().flatten() {
            replica.producers.expire(clock, limit);
        }
        self.watches_producers = false;
        self.watch_producers(ctx);
    }
}
