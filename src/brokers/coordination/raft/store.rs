//! What a replica has on disk, as it was written, and what of it a death leaves.

use std::sync::Arc;

use crate::observe::NodeId;
use crate::world::{Death, DiskView};

use super::config::Config;
use super::log::{Epoch, Log, OffsetAndEpoch, Record, Snapshot};

/// A `quorum-state` file with its framing.
pub(super) const ELECTION_BYTES: u64 = 128;

/// The content of `quorum-state` (`ElectionState`, 3.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Election {
    /// The greatest epoch that was heard of.
    pub epoch: Epoch,
    /// Who leads in it, if it is known.
    pub leader: Option<NodeId>,
    /// Who was voted for in it.
    pub voted: Option<NodeId>,
}

/// The three files. The elections and snapshots are files that replace each other; here each is
/// appended, and its predecessors are released.
#[derive(Clone, Debug)]
pub(super) struct Store<R> {
    pub(super) log: Log<R>,
    /// Each with where it ends in the file; the last is in force.
    elections: Vec<(u64, Election)>,
    /// Each with where it ends in the file, oldest first.
    snapshots: Vec<(u64, Arc<Snapshot<R>>)>,
    /// Up to where elections and snapshots are in force: each is written beside its predecessor,
    /// fsynced and then renamed (`FileQuorumStateStore.writeElectionStateToFile`,
    /// `FileRawSnapshotWriter.freeze`, 3.9), so that a death on the way leaves the predecessor.
    elected: u64,
    frozen: u64,
}

impl<R: Record> Store<R> {
    pub(super) fn empty() -> Store<R> {
        Store {
            log: Log::default(),
            elections: Vec::new(),
            snapshots: Vec::new(),
            elected: 0,
            frozen: 0,
        }
    }

    /// What a quorum that has been up for a while has on each of its disks: a snapshot, and who
    /// leads.
    pub(super) fn founded(snapshot: Snapshot<R>, leader: NodeId) -> Store<R> {
        let mut store = Store::empty();
        store.elect(Election { epoch: snapshot.id.epoch, leader: Some(leader), voted: None });
        store.log.truncate_fully(snapshot.id.offset);
        store.add_snapshot(Arc::new(snapshot));
        (store.elected, store.frozen) = (store.election_end(), store.snapshot_end());
        store
    }

    pub(super) fn election(&self) -> Election {
        self.elections.last().map_or_else(Election::default, |(_, election)| *election)
    }

    /// The last that is in force on disk.
    pub(super) fn durable_election(&self) -> Election {
        let durable = |entry: &&(u64, Election)| entry.0 <= self.elected;
        let last = self.elections.iter().rev().find(durable);
        last.map_or_else(Election::default, |(_, election)| *election)
    }

    /// Where the file of elections ends.
    pub(super) fn election_end(&self) -> u64 {
        self.elections.last().map_or(0, |(end, _)| *end)
    }

    /// Where the file of snapshots ends.
    pub(super) fn snapshot_end(&self) -> u64 {
        self.snapshots.last().map_or(0, |(end, _)| *end)
    }

    pub(super) fn elect(&mut self, election: Election) {
        let end = self.election_end() + ELECTION_BYTES;
        self.elections.push((end, election));
    }

    /// The election that ends at `end` is durable: those before it are gone. Returns the bytes that
    /// are free.
    pub(super) fn settle_elections(&mut self, end: u64) -> u64 {
        self.elected = end;
        let old = self.elections.partition_point(|entry| entry.0 < end);
        self.elections.drain(..old);
        old as u64 * ELECTION_BYTES
    }

    pub(super) fn earliest(&self) -> Option<&Arc<Snapshot<R>>> {
        self.snapshots.first().map(|(_, snapshot)| snapshot)
    }

    pub(super) fn latest(&self) -> Option<&Arc<Snapshot<R>>> {
        self.snapshots.last().map(|(_, snapshot)| snapshot)
    }

    /// Ids of the oldest and the newest snapshot.
    pub(super) fn snapshot_ids(&self) -> Option<(OffsetAndEpoch, OffsetAndEpoch)> {
        Some((self.earliest()?.id, self.latest()?.id))
    }

    pub(super) fn snapshot(&self, id: OffsetAndEpoch) -> Option<&Arc<Snapshot<R>>> {
        self.snapshots.iter().map(|(_, snapshot)| snapshot).find(|snapshot| snapshot.id == id)
    }

    pub(super) fn second(&self) -> Option<&Arc<Snapshot<R>>> {
        self.snapshots.get(1).map(|(_, snapshot)| snapshot)
    }

    pub(super) fn snapshot_bytes(&self) -> u64 {
        self.snapshots.iter().map(|(_, snapshot)| snapshot.bytes).sum()
    }

    pub(super) fn add_snapshot(&mut self, snapshot: Arc<Snapshot<R>>) {
        let end = self.snapshot_end() + snapshot.bytes;
        self.snapshots.push((end, snapshot));
    }

    /// Snapshots up to `end` are durable.
    pub(super) fn freeze(&mut self, end: u64) {
        self.frozen = end;
    }

    /// Deletes snapshots that end before `id`. Returns the bytes that are free.
    pub(super) fn forget_snapshots_before(&mut self, id: OffsetAndEpoch) -> u64 {
        let before = self.snapshot_bytes();
        self.snapshots.retain(|(_, snapshot)| snapshot.id >= id);
        before - self.snapshot_bytes()
    }

    /// Epoch of the last record that is or was in the log (`KafkaMetadataLog.lastFetchedEpoch`).
    pub(super) fn last_epoch(&self) -> Epoch {
        let covered = || self.latest().map_or(0, |snapshot| snapshot.id.epoch);
        self.log.latest_epoch().unwrap_or_else(covered)
    }

    /// The end of the log, and the epoch of the record before it.
    pub(super) fn end(&self) -> OffsetAndEpoch {
        OffsetAndEpoch { epoch: self.last_epoch(), offset: self.log.end() }
    }

    /// Keeps what the disk kept; what is there since before the run, if that is not in the files
    /// yet (`given`).
    pub(super) fn died(&mut self, death: Death, disk: &DiskView<'_>, config: &Config, given: bool) {
        if death == Death::Wiped {
            *self = Store::empty();
            return;
        }
        self.log.keep_bytes(disk.kept(config.log_file()));
        let kept = |file| if given { u64::MAX } else { disk.kept(file) };
        let elections = kept(config.quorum_file()).min(self.elected);
        self.elections.retain(|(end, _)| *end <= elections);
        let snapshots = kept(config.snapshot_file()).min(self.frozen);
        self.snapshots.retain(|(end, _)| *end <= snapshots);
        (self.elected, self.frozen) = (self.election_end(), self.snapshot_end());
    }
}
