//! The metadata log: batches with their epochs, the epoch cache, and where it all lies in the file.

use std::fmt::Debug;
use std::sync::Arc;

use crate::observe::NodeId;

/// A place in the log, exclusive where it is an end.
pub type Offset = u64;

/// The number of a leader's term; 0 is before the first.
pub type Epoch = u32;

/// What the log holds: one metadata record of the family that embeds it.
pub trait Record: Clone + PartialEq + Debug {
    /// Its size in bytes as it is written.
    fn bytes(&self) -> u32;
}

/// The header of a batch on the wire and on disk (`DefaultRecordBatch.RECORD_BATCH_OVERHEAD`, 3.9).
pub const BATCH_OVERHEAD: u32 = 61;

/// A `LeaderChangeMessage` of three voters, with its record's framing.
const LEADER_CHANGE: u32 = 39;

/// An offset and the epoch of the record before it, ordered by epoch first
/// (`OffsetAndEpoch.compareTo`, 3.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffsetAndEpoch {
    /// Epoch of the last record before the offset.
    pub epoch: Epoch,
    /// The exclusive end.
    pub offset: Offset,
}

/// What a batch holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<R> {
    /// The control record with which a leader begins its epoch.
    LeaderChange {
        /// The leader.
        leader: NodeId,
    },
    /// Records that were appended together: all of them are committed, or none.
    Records(Vec<R>),
}

/// What is replicated as one piece. Never changes once it is in a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<R> {
    /// Offset of its first record.
    pub base: Offset,
    /// Epoch of the leader that appended it.
    pub epoch: Epoch,
    /// Its size, header included.
    pub bytes: u32,
    /// Its records.
    pub body: Body<R>,
}

impl<R: Record> Batch<R> {
    /// A leader's first batch.
    #[must_use]
    pub fn leader_change(base: Offset, epoch: Epoch, leader: NodeId) -> Batch<R> {
        let bytes = BATCH_OVERHEAD + LEADER_CHANGE;
        Batch { base, epoch, bytes, body: Body::LeaderChange { leader } }
    }

    /// A batch of at least one record.
    #[must_use]
    pub fn of(base: Offset, epoch: Epoch, records: Vec<R>) -> Batch<R> {
        let bytes = BATCH_OVERHEAD + records.iter().map(Record::bytes).sum::<u32>();
        Batch { base, epoch, bytes, body: Body::Records(records) }
    }

    /// How many offsets it takes.
    #[must_use]
    pub fn count(&self) -> u64 {
        match &self.body {
            Body::LeaderChange { .. } => 1,
            Body::Records(records) => records.len() as u64,
        }
    }

    /// The offset behind its last record.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.base + self.count()
    }

    /// The family's records; none for a control batch.
    #[must_use]
    pub fn records(&self) -> &[R] {
        match &self.body {
            Body::LeaderChange { .. } => &[],
            Body::Records(records) => records,
        }
    }
}

/// The state after all records before an offset (KIP-630), as records that make it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot<R> {
    /// Where it ends, and the epoch of the last record that it covers.
    pub id: OffsetAndEpoch,
    /// Its size.
    pub bytes: u64,
    /// What makes the state.
    pub records: Vec<R>,
}

#[derive(Clone, Debug)]
struct Slot<R> {
    batch: Arc<Batch<R>>,
    /// Where it ends in the file.
    end_byte: u64,
}

/// The start of an epoch in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: Epoch,
    /// Offset of its first record.
    pub start: Offset,
}

/// What a leader makes of the place from which a follower wants to fetch
/// (`ReplicatedLog.validateOffsetAndEpoch`, 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// The follower's log is a prefix of this one.
    Valid,
    /// Their logs differ: the largest epoch not above the follower's, and where it ends here.
    Diverging(OffsetAndEpoch),
    /// What comes next is in no log any more: load this snapshot.
    Snapshot(OffsetAndEpoch),
}

/// A log. Cheap to clone: batches are shared, and so is their list until one side changes it.
#[derive(Clone, Debug)]
pub struct Log<R> {
    slots: Arc<Vec<Slot<R>>>,
    start: Offset,
    end: Offset,
    first_byte: u64,
    end_byte: u64,
    epochs: Vec<EpochStart>,
}

impl<R: Record> Default for Log<R> {
    fn default() -> Self {
        Log {
            slots: Arc::new(Vec::new()),
            start: 0,
            end: 0,
            first_byte: 0,
            end_byte: 0,
            epochs: Vec::new(),
        }
    }
}

impl<R: Record> Log<R> {
    /// The first offset that it may hold; what was before is in a snapshot.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The offset behind its last record.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Bytes up to its end, those that were given back at the front included.
    #[must_use]
    pub fn end_byte(&self) -> u64 {
        self.end_byte
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end_byte - self.first_byte
    }

    /// Starts of epochs, oldest first.
    #[must_use]
    pub fn epochs(&self) -> &[EpochStart] {
        &self.epochs
    }

    /// Epoch of the last record; `None` if there has been none since it was emptied.
    #[must_use]
    pub fn latest_epoch(&self) -> Option<Epoch> {
        self.epochs.last().map(|start| start.epoch)
    }

    /// The batches that hold offsets from `from` on, oldest first.
    pub fn batches(&self, from: Offset) -> impl Iterator<Item = &Arc<Batch<R>>> {
        self.slots[self.index_of(from)..].iter().map(|slot| &slot.batch)
    }

    /// The first slot that ends behind `offset`.
    fn index_of(&self, offset: Offset) -> usize {
        self.slots.partition_point(|slot| slot.batch.end() <= offset)
    }

    /// Where the batch that ends at `offset` ends in the file, or the file's first byte.
    #[must_use]
    pub fn byte_at(&self, offset: Offset) -> u64 {
        match self.index_of(offset) {
            0 => self.first_byte,
            index => self.slots[index - 1].end_byte,
        }
    }

    /// Epoch of the record before `offset`, if the epoch cache knows.
    #[must_use]
    pub fn epoch_before(&self, offset: Offset) -> Option<Epoch> {
        let known = self.epochs.iter().rev().find(|known| known.start < offset);
        known.map(|known| known.epoch)
    }

    /// Appends a batch whose base is the end. Returns the bytes to be written.
    pub fn append(&mut self, batch: Arc<Batch<R>>) -> u64 {
        debug_assert_eq!(batch.base, self.end, "a log has no gaps");
        if self.latest_epoch().is_none_or(|latest| latest < batch.epoch) {
            self.epochs.push(EpochStart { epoch: batch.epoch, start: batch.base });
        }
        let bytes = u64::from(batch.bytes);
        self.end = batch.end();
        self.end_byte += bytes;
        Arc::make_mut(&mut self.slots).push(Slot { batch, end_byte: self.end_byte });
        bytes
    }

    /// Batches from `offset` on, at least one if there is any, up to `most` bytes.
    #[must_use]
    pub fn read(&self, offset: Offset, most: u64) -> Vec<Arc<Batch<R>>> {
        let mut left = most;
        let mut found = Vec::new();
        for batch in self.batches(offset) {
            let bytes = u64::from(batch.bytes);
            if bytes > left && !found.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            found.push(batch.clone());
        }
        found
    }

    /// Cuts it to end at `offset`. Returns the length of the file.
    pub fn truncate(&mut self, offset: Offset) -> u64 {
        let kept = self.slots.partition_point(|slot| slot.batch.end() <= offset);
        Arc::make_mut(&mut self.slots).truncate(kept);
        self.end_byte = self.slots.last().map_or(self.first_byte, |slot| slot.end_byte);
        self.end = self.slots.last().map_or(self.start, |slot| slot.batch.end());
        let end = self.end;
        self.epochs.retain(|known| known.start < end);
        self.end_byte
    }

    /// Empties it, to go on behind a snapshot (`truncateFullyAndStartAt`). Returns the length of
    /// the file.
    pub fn truncate_fully(&mut self, at: Offset) -> u64 {
        self.slots = Arc::new(Vec::new());
        self.end_byte = self.first_byte;
        (self.start, self.end) = (at, at);
        self.epochs.clear();
        self.end_byte
    }

    /// Forgets what is before `offset`, an end of a batch. Returns the bytes that are free now.
    pub fn drop_before(&mut self, offset: Offset) -> u64 {
        let dropped = self.index_of(offset);
        let first_byte = self.byte_at(offset);
        Arc::make_mut(&mut self.slots).drain(..dropped);
        let freed = first_byte - self.first_byte;
        self.first_byte = first_byte;
        self.start = offset;
        // The epoch in which the log now starts stays known, from its start on
        // (`LeaderEpochFileCache.truncateFromStart`, 3.9).
        let living = self.epochs.partition_point(|known| known.start <= offset).saturating_sub(1);
        self.epochs.drain(..living);
        if let Some(first) = self.epochs.first_mut() {
            first.start = first.start.max(offset);
        }
        freed
    }

    /// What is left when the file has only so many bytes: whole batches (recovery cuts off a torn
    /// one).
    pub fn keep_bytes(&mut self, bytes: u64) {
        if let Some(lost) = self.slots.iter().find(|slot| slot.end_byte > bytes) {
            let end = lost.batch.base;
            self.truncate(end);
        }
    }

    /// The largest epoch not above `epoch`, and where it ends
    /// (`KafkaMetadataLog.endOffsetForEpoch` over `LeaderEpochFileCache.endOffsetFor`, 3.9).
    /// `earliest` is the oldest snapshot, `last_fetched` the epoch of the last record.
    #[must_use]
    pub fn end_offset_for_epoch(
        &self,
        epoch: Epoch,
        earliest: Option<OffsetAndEpoch>,
        last_fetched: Epoch,
    ) -> OffsetAndEpoch {
        let higher = self.epochs.partition_point(|known| known.epoch <= epoch);
        let latest = self.latest_epoch();
        if latest == Some(epoch) || latest.is_none_or(|latest| latest < epoch) {
            let epoch = if latest == Some(epoch) { epoch } else { last_fetched };
            return OffsetAndEpoch { epoch, offset: self.end };
        }
        let end = self.epochs[higher].start;
        if higher > 0 {
            return OffsetAndEpoch { epoch: self.epochs[higher - 1].epoch, offset: end };
        }
        // Below the smallest epoch that is known: the oldest snapshot ends there.
        match earliest {
            Some(snapshot) if snapshot.offset == end => snapshot,
            _ => OffsetAndEpoch { epoch, offset: end },
        }
    }

    /// What a follower is told that wants to fetch at `offset`, behind a record of `epoch`.
    #[must_use]
    pub fn validate(
        &self,
        offset: Offset,
        epoch: Epoch,
        snapshots: Option<(OffsetAndEpoch, OffsetAndEpoch)>,
        last_fetched: Epoch,
    ) -> Validity {
        if self.start == 0 && offset == 0 {
            return Validity::Valid;
        }
        if let Some((earliest, latest)) = snapshots
            && (offset < self.start
                || (offset == self.start && epoch != earliest.epoch)
                || epoch < earliest.epoch)
        {
            return Validity::Snapshot(latest);
        }
        let earliest = snapshots.map(|(earliest, _)| earliest);
        let end = self.end_offset_for_epoch(epoch, earliest, last_fetched);
        if end.epoch != epoch || end.offset < offset {
            Validity::Diverging(end)
        } else {
            Validity::Valid
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Stream;

    impl Record for u32 {
        fn bytes(&self) -> u32 {
            10
        }
    }

    /// A log of batches of one record, with these epochs.
    fn log(epochs: &[Epoch]) -> Log<u32> {
        let mut log = Log::default();
        for (base, epoch) in (0..).zip(epochs) {
            log.append(Arc::new(Batch::of(base, *epoch, vec![*epoch * 1_000 + base as u32])));
        }
        log
    }

    fn at(offset: Offset, epoch: Epoch) -> OffsetAndEpoch {
        OffsetAndEpoch { epoch, offset }
    }

    fn epochs(log: &Log<u32>) -> Vec<Epoch> {
        log.batches(0).map(|batch| batch.epoch).collect()
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next_that_is_known() {
        let log = log(&[1, 1, 2, 5, 5]);
        let end = |epoch| log.end_offset_for_epoch(epoch, None, 5);
        assert_eq!(end(1), at(2, 1));
        assert_eq!(end(2), at(3, 2));
        // Epochs 3 and 4 have no records here: 2 is the largest before them.
        assert_eq!(end(4), at(3, 2));
        assert_eq!(end(5), at(5, 5));
        // Not heard of yet: the end, with the epoch of the last record.
        assert_eq!(end(7), at(5, 5));
        // Before the first: that one's start.
        assert_eq!(end(0), at(0, 0));
    }

    #[test]
    fn a_follower_is_told_where_it_diverges() {
        let leader = log(&[1, 1, 2, 5, 5]);
        let validate = |offset, epoch| leader.validate(offset, epoch, None, 5);
        assert_eq!(validate(0, 0), Validity::Valid);
        assert_eq!(validate(2, 1), Validity::Valid);
        assert_eq!(validate(4, 5), Validity::Valid);
        assert_eq!(validate(3, 1), Validity::Diverging(at(2, 1)));
        assert_eq!(validate(4, 3), Validity::Diverging(at(3, 2)));
        assert_eq!(validate(6, 5), Validity::Diverging(at(5, 5)));
    }

    #[test]
    fn behind_the_start_of_the_log_is_a_snapshot() {
        let mut leader = log(&[1, 1, 2, 5, 5]);
        let id = at(3, 2);
        assert_eq!(leader.drop_before(3), 3 * 71);
        let validate = |offset, epoch| leader.validate(offset, epoch, Some((id, id)), 5);
        assert_eq!(leader.epochs(), [EpochStart { epoch: 5, start: 3 }]);
        assert_eq!(validate(0, 0), Validity::Snapshot(id));
        assert_eq!(validate(2, 1), Validity::Snapshot(id));
        // As long as the snapshot, but of another history.
        assert_eq!(validate(3, 1), Validity::Snapshot(id));
        assert_eq!(validate(3, 2), Validity::Valid);
        assert_eq!(validate(4, 5), Validity::Valid);
        assert_eq!(validate(5, 3), Validity::Diverging(id));
    }

    #[test]
    fn an_emptied_log_goes_on_behind_the_snapshot() {
        let mut log = log(&[1, 1]);
        assert_eq!(log.truncate_fully(7), 0);
        assert_eq!((log.start(), log.end(), log.latest_epoch()), (7, 7, None));
        assert_eq!(log.end_offset_for_epoch(4, Some(at(7, 3)), 3), at(7, 3));
        log.append(Arc::new(Batch::leader_change(7, 4, NodeId(0))));
        // Below the first epoch that is known the snapshot is the end.
        assert_eq!(log.end_offset_for_epoch(3, Some(at(7, 3)), 4), at(7, 3));
        assert_eq!(log.end_offset_for_epoch(2, Some(at(7, 3)), 4), at(7, 3));
    }

    #[test]
    fn a_shorter_file_holds_whole_batches() {
        let mut log = log(&[1, 1, 2]);
        log.keep_bytes(213);
        assert_eq!(log.end(), 3);
        log.keep_bytes(212);
        assert_eq!((log.end(), log.end_byte(), log.latest_epoch()), (2, 142, Some(1)));
        log.keep_bytes(0);
        assert_eq!((log.end(), log.end_byte(), log.latest_epoch()), (0, 0, None));
    }

    #[test]
    fn a_read_takes_at_least_one_batch_and_no_more_than_fits() {
        let log = log(&[1, 1, 1, 2]);
        let count = |offset, most| log.read(offset, most).len();
        assert_eq!((count(0, 1), count(0, 142), count(1, 10_000), count(4, 100)), (1, 2, 3, 0));
    }

    /// Whatever two histories look like, asking where they diverge and cutting off there ends, and
    /// leaves the common part and nothing else of the follower's.
    #[test]
    fn cutting_off_where_told_leaves_the_common_prefix() {
        for seed in 0..500 {
            let mut luck = Stream::fixed(seed, "histories");
            let mut epoch = 1;
            let common: Vec<Epoch> = (0..luck.below(8))
                .map(|_| {
                    epoch += luck.below(2) as Epoch;
                    epoch
                })
                .collect();
            // Their epochs differ from here on: even ones lead on one side, odd ones on the other.
            let mut grown = |odd: Epoch| {
                let mut epochs = common.clone();
                let mut last = (epoch + 2) / 2 * 2 + odd;
                for _ in 0..luck.below(8) {
                    last += luck.below(3) as Epoch / 2 * 2;
                    epochs.push(last);
                }
                log(&epochs)
            };
            let (leader, mut follower) = (grown(0), grown(1));
            let mut rounds = 0;
            loop {
                let (end, last) = (follower.end(), follower.latest_epoch().unwrap_or(0));
                let known = leader.latest_epoch().unwrap_or(0);
                let Validity::Diverging(told) = leader.validate(end, last, None, known) else {
                    break;
                };
                let own = follower.end_offset_for_epoch(told.epoch, None, last);
                let same = own.epoch == told.epoch;
                let cut = if same { own.offset.min(told.offset) } else { own.offset };
                follower.truncate(cut);
                rounds += 1;
                assert!(rounds < 20, "seed {seed}: it ends");
            }
            assert_eq!(epochs(&follower), common, "seed {seed}");
        }
    }
}
