//! The invariants of a quorum, by the names of Kafka's own simulation
//! (`RaftEventSimulationTest.java`, trunk of October 2024).

use std::fmt;
use std::sync::Arc;

use crate::observe::NodeId;

use super::log::{Batch, Epoch, Offset, Record, Validity};
use super::replica::Replica;
use super::role::RoleName;

/// What must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// The epoch that a node has written down never decreases, and is that of the running node.
    MonotonicEpoch,
    /// The high watermark of the leader with the highest epoch never decreases.
    MonotonicHighWatermark,
    /// The logs of a majority of voters reach to the leader's high watermark.
    MajorityReachedHighWatermark,
    /// Whoever has written down a leader of the highest epoch has written down the same.
    SingleLeader,
    /// A log that does not start at 0 starts where a snapshot ends, and no snapshot ends before
    /// the start of the log.
    SnapshotAtLogStart,
    /// A leader that may append loads no snapshot.
    LeaderNeverLoadSnapshot,
    /// At each offset below a high watermark all nodes have the record that the first one had.
    ConsistentCommittedData,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 7] = [
        Invariant::MonotonicEpoch,
        Invariant::MonotonicHighWatermark,
        Invariant::MajorityReachedHighWatermark,
        Invariant::SingleLeader,
        Invariant::SnapshotAtLogStart,
        Invariant::LeaderNeverLoadSnapshot,
        Invariant::ConsistentCommittedData,
    ];

    /// Its place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Invariant::MonotonicEpoch => "monotonic-epoch",
            Invariant::MonotonicHighWatermark => "monotonic-high-watermark",
            Invariant::MajorityReachedHighWatermark => "majority-reached-high-watermark",
            Invariant::SingleLeader => "single-leader",
            Invariant::SnapshotAtLogStart => "snapshot-at-log-start",
            Invariant::LeaderNeverLoadSnapshot => "leader-never-load-snapshot",
            Invariant::ConsistentCommittedData => "consistent-committed-data",
        }
    }

    /// What is always so, in one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Invariant::MonotonicEpoch => "The epoch that a node has written down never decreases.",
            Invariant::MonotonicHighWatermark => {
                "The high watermark of the leader with the highest epoch never decreases."
            }
            Invariant::MajorityReachedHighWatermark => {
                "The logs of a majority of voters reach to the leader's high watermark."
            }
            Invariant::SingleLeader => {
                "All who have written down a leader of an epoch agree on it."
            }
            Invariant::SnapshotAtLogStart => {
                "A log that does not start at 0 starts where a snapshot ends."
            }
            Invariant::LeaderNeverLoadSnapshot => "A leader that may append loads no snapshot.",
            Invariant::ConsistentCommittedData => {
                "At each offset below a high watermark all nodes have the same record."
            }
        }
    }

    /// Its name in Kafka's tests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Invariant::MonotonicEpoch => "MonotonicEpoch",
            Invariant::MonotonicHighWatermark => "MonotonicHighWatermark",
            Invariant::MajorityReachedHighWatermark => "MajorityReachedHighWatermark",
            Invariant::SingleLeader => "SingleLeader",
            Invariant::SnapshotAtLogStart => "SnapshotAtLogStart",
            Invariant::LeaderNeverLoadSnapshot => "LeaderNeverLoadSnapshot",
            Invariant::ConsistentCommittedData => "ConsistentCommittedData",
        }
    }
}

/// An invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// At which node.
    pub node: NodeId,
    /// The two states that disagree.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at node {}: {}", self.invariant.name(), self.node.0, self.what)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Whether it was looked at.
    known: bool,
    /// The replica's count when it was last looked at.
    changes: u32,
    epoch: Epoch,
    /// Up to where its committed records were compared.
    compared: Offset,
    /// Which disk it had.
    disk: u32,
    /// Where its log ended on the disk that it has, and the greatest end on one that was taken from it.
    end: Offset,
    taken: Offset,
}

/// Remembers what must not be taken back, and compares. Look after each event that a replica
/// handled, and after each death: that costs one comparison unless something has
/// [`changed`](Oracle::changed).
#[derive(Clone, Debug)]
pub struct Oracle<R> {
    /// What was found broken, where, and still is: it is not told again.
    broken: Vec<(Invariant, usize)>,
    seen: Vec<Seen>,
    /// The highest epoch in which anybody has written down a leader, and whom.
    leader: Option<(Epoch, NodeId)>,
    /// The high watermark of the leader with the highest epoch.
    high_watermark: Option<(Epoch, Offset)>,
    /// What was first seen to be committed, by offset.
    committed: Vec<Arc<Batch<R>>>,
}

impl<R> Default for Oracle<R> {
    fn default() -> Self {
        Oracle {
            broken: Vec::new(),
            seen: Vec::new(),
            leader: None,
            high_watermark: None,
            committed: Vec::new(),
        }
    }
}

impl<R: Record> Oracle<R> {
    /// The highest high watermark that any leader was seen with.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark.map_or(0, |(_, offset)| offset)
    }

    /// Whether there is anything to look at in the replica at `index`.
    #[must_use]
    #[inline]
    pub fn changed(&self, replica: &Replica<R>, index: usize) -> bool {
        self.seen.get(index).is_none_or(|seen| !seen.known || seen.changes != replica.changes())
    }

    /// Looks at all replicas after the one at `index` may have changed, and tells `report` which
    /// invariants do not hold any more. The replicas are the same, in the same order, each time.
    pub fn check(
        &mut self,
        replicas: &[&Replica<R>],
        index: usize,
        report: &mut dyn FnMut(Violation),
    ) {
        let Some(replica) = replicas.get(index).copied() else { return };
        if !self.changed(replica, index) {
            return;
        }
        self.seen.resize(replicas.len(), Seen::default());
        (self.seen[index].known, self.seen[index].changes) = (true, replica.changes());
        self.note_disk(replica, index);
        let verdicts = [
            (Invariant::MonotonicEpoch, self.epoch(replica, index)),
            (Invariant::SingleLeader, self.single_leader(replica)),
            (Invariant::MonotonicHighWatermark, self.monotonic(replicas)),
            (Invariant::MajorityReachedHighWatermark, self.majority(replicas)),
            (Invariant::SnapshotAtLogStart, snapshot_at_start(replica)),
            (Invariant::LeaderNeverLoadSnapshot, never_loads(replica)),
            (Invariant::ConsistentCommittedData, self.consistent(replica, index)),
        ];
        for (invariant, what) in verdicts {
            let place = self.broken.iter().position(|known| *known == (invariant, index));
            match (what, place) {
                (Some(what), None) => {
                    self.broken.push((invariant, index));
                    report(Violation { invariant, node: replica.node(), what });
                }
                (None, Some(place)) => {
                    self.broken.swap_remove(place);
                }
                _ => {}
            }
        }
    }

    /// A disk that is taken from a node takes with it what the node had written down: nobody can
    /// ask for that any more (RES, canRecoverFromSingleNodeCommittedDataLoss, checks neither
    /// MonotonicEpoch nor MajorityReachedHighWatermark).
    fn note_disk(&mut self, replica: &Replica<R>, index: usize) {
        let seen = &mut self.seen[index];
        if replica.disk() != seen.disk {
            (seen.disk, seen.epoch) = (replica.disk(), 0);
            seen.taken = seen.taken.max(seen.end);
        }
        seen.end = replica.log().end();
    }

    fn epoch(&mut self, replica: &Replica<R>, index: usize) -> Option<String> {
        let written = replica.election().epoch;
        let before = std::mem::replace(&mut self.seen[index].epoch, written);
        if written < before {
            return Some(format!("wrote epoch {written} after {before}"));
        }
        let running = replica.epoch();
        let differs = running != written && !replica.is_writing();
        differs.then(|| format!("is in epoch {running}, wrote {written}"))
    }

    fn single_leader(&mut self, replica: &Replica<R>) -> Option<String> {
        let election = replica.election();
        let named = election.leader?;
        match self.leader {
            Some((epoch, leader)) if epoch == election.epoch && leader != named => {
                let (named, leader) = (named.0, leader.0);
                Some(format!("in epoch {epoch} it names node {named} leader, others node {leader}"))
            }
            Some((epoch, _)) if epoch >= election.epoch => None,
            _ => {
                self.leader = Some((election.epoch, named));
                None
            }
        }
    }

    fn monotonic(&mut self, replicas: &[&Replica<R>]) -> Option<String> {
        let leader = newest_leader(replicas)?;
        let now = (leader.epoch(), leader.high_watermark()?);
        match self.high_watermark {
            Some((epoch, _)) if epoch > now.0 => None,
            Some(before) if before.1 > now.1 => {
                Some(format!("{} in epoch {}, was {} in {}", now.1, now.0, before.1, before.0))
            }
            _ => {
                self.high_watermark = Some(now);
                None
            }
        }
    }

    /// Logs of nodes that are down count: they will be back. So do those on a disk that was taken.
    fn majority(&self, replicas: &[&Replica<R>]) -> Option<String> {
        let leader = newest_leader(replicas)?;
        let reached = leader.high_watermark()?;
        let voters = || replicas.iter().zip(&self.seen).filter(|(replica, _)| replica.is_voter());
        let have = voters()
            .filter(|(replica, seen)| replica.log().end().max(seen.taken) >= reached)
            .count();
        (have <= voters().count() / 2)
            .then(|| format!("the high watermark is {reached}, so far have {have} voters"))
    }

    fn consistent(&mut self, replica: &Replica<R>, index: usize) -> Option<String> {
        if !replica.is_running() {
            self.seen[index].compared = 0;
            return None;
        }
        let end = replica.high_watermark()?;
        let from = self.seen[index].compared.max(replica.log().start());
        for batch in replica.log().batches(from).take_while(|batch| batch.end() <= end) {
            let place = self.committed.partition_point(|first| first.base < batch.base);
            match self.committed.get(place) {
                Some(first) if Arc::ptr_eq(first, batch) || first == batch => {}
                Some(first) if first.base < batch.end() => {
                    return Some(format!("has {batch:?}, was committed as {first:?}"));
                }
                Some(_) => self.committed.insert(place, batch.clone()),
                None => {
                    let last = self.committed.last();
                    if let Some(last) = last.filter(|last| last.end() > batch.base) {
                        return Some(format!("has {batch:?}, was committed as {last:?}"));
                    }
                    self.committed.push(batch.clone());
                }
            }
        }
        self.seen[index].compared = end.max(from);
        None
    }
}

fn newest_leader<'a, R: Record>(replicas: &[&'a Replica<R>]) -> Option<&'a Replica<R>> {
    let leaders = replicas
        .iter()
        .filter(|replica| replica.is_running() && replica.role() == RoleName::Leader);
    leaders.max_by_key(|replica| replica.epoch()).copied()
}

fn snapshot_at_start<R: Record>(replica: &Replica<R>) -> Option<String> {
    let (log, start) = (replica.log(), replica.log().start());
    let Some(earliest) = replica.earliest_snapshot().map(|snapshot| snapshot.id) else {
        return (start > 0).then(|| format!("the log starts at {start}, there is no snapshot"));
    };
    let at = earliest.offset;
    if at < start || (start > 0 && at != start && at <= log.end()) {
        return Some(format!("the log starts at {start}, the first snapshot ends at {at}"));
    }
    // One that is still being put in place reaches further than the log.
    if at > log.end() {
        return None;
    }
    let ids = Some((earliest, earliest));
    let last = log.latest_epoch().unwrap_or(earliest.epoch);
    match log.validate(at, earliest.epoch, ids, last) {
        Validity::Valid => None,
        other => Some(format!("a snapshot ends at {earliest:?}, the log says {other:?}")),
    }
}

fn never_loads<R: Record>(replica: &Replica<R>) -> Option<String> {
    replica.loaded_while_leading().then(|| "a leader has loaded a snapshot".to_owned())
}
