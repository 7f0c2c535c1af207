//! What a member leaves on its node's disk, and what an end of its process takes away.

use crate::engine::Time;
use crate::observe::{DestinationId, NodeId, Observer, Removal};

use super::super::super::letters::{LetterId, Letters};
use super::super::super::message::ra::{Command, Index};
use super::super::super::message::{Given, QueueId};
use super::super::ra::log::Log;
use super::super::ra::server::Meta;
use super::fifo::{Fifo, Held};

/// Which queue, and where.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The queue.
    pub queue: QueueId,
    /// What it is in reports.
    pub destination: DestinationId,
    /// The node.
    pub node: NodeId,
}

/// A member without its process.
#[derive(Clone, Debug)]
pub struct MemberDisk {
    /// Term and vote, as they are durable.
    pub meta: Meta,
    /// The log.
    pub log: Log,
    /// The state after all that was applied.
    pub fifo: Fifo,
    /// The last entry that was.
    pub applied: Index,
    /// Whether it was started to join a queue that exists.
    pub newcomer: bool,
}

/// The messages of which a node has a copy: in its queue, or in the log behind what is applied.
#[must_use]
pub fn copies(log: &Log, fifo: &Fifo, applied: Index) -> Vec<Held> {
    let mut held: Vec<Held> = fifo.held().copied().collect();
    held.sort_unstable_by_key(|held| held.index);
    for index in applied + 1..=log.last().index {
        held.extend(log.get(index).and_then(|entry| enqueued(index, &entry.command)));
    }
    held
}

/// The message that a command enqueues.
#[must_use]
pub fn enqueued(index: Index, command: &Command) -> Option<Held> {
    let Command::Enqueue { message, letter, .. } = *command else { return None };
    Some(Held { index, message, letter, expires: Time::MAX, failures: 0, returns: 0 })
}

/// Tells that a node has a copy.
pub fn report_stored(
    at: Time,
    place: Place,
    letters: &Letters,
    held: &Held,
    observer: &mut dyn Observer,
) {
    let Place { queue, destination, node } = place;
    if held.letter == LetterId::NONE {
        observer.stored(at, node, destination, held.message);
    } else {
        let origin = DestinationId(letters.origin(held.letter, queue).0);
        observer.dead_lettered(at, node, origin, destination, held.message);
    }
}

/// Tells that a node has a copy no more.
pub fn report_removed(
    at: Time,
    place: Place,
    letters: &Letters,
    held: &Held,
    removal: Removal,
    observer: &mut dyn Observer,
) {
    let origin = DestinationId(letters.origin(held.letter, place.queue).0);
    observer.removed(at, place.node, origin, held.message, removal);
}

/// Tells what changes if a node has `after` where it had `before`, both in the order of the log.
pub fn report_change(
    at: Time,
    place: Place,
    letters: &Letters,
    (before, after): (&[Held], &[Held]),
    why: impl Fn(&Held) -> Removal,
    observer: &mut dyn Observer,
) {
    let has = |all: &[Held], index: Index| all.binary_search_by_key(&index, |h| h.index).is_ok();
    for held in before.iter().filter(|held| !has(after, held.index)) {
        report_removed(at, place, letters, held, why(held), observer);
    }
    for held in after.iter().filter(|held| !has(before, held.index)) {
        report_stored(at, place, letters, held, observer);
    }
}

impl MemberDisk {
    /// Of one that has nothing yet, and joins a queue that exists.
    #[must_use]
    pub fn newcomer(fresh: Fifo) -> MemberDisk {
        MemberDisk { newcomer: true, ..MemberDisk::empty(fresh) }
    }

    fn empty(fifo: Fifo) -> MemberDisk {
        let (meta, log) = (Meta::default(), Log::new());
        MemberDisk { meta, log, fifo, applied: 0, newcomer: false }
    }

    /// The process has died, or the disk has lost more since: of the log, entries up to `kept` are
    /// there.
    pub fn died(
        &mut self,
        kept: Index,
        removal: Removal,
        at: Time,
        place: Place,
        (letters, given): (&Letters, &[Given]),
        observer: &mut dyn Observer,
    ) {
        let kept = kept.max(self.log.base().index);
        if kept >= self.log.last().index {
            return;
        }
        let before = copies(&self.log, &self.fifo, self.applied);
        self.log.truncate(kept);
        if kept < self.applied {
            self.replay(kept, given);
        }
        let after = copies(&self.log, &self.fifo, self.applied);
        report_change(at, place, letters, (&before, &after), |_| removal, observer);
    }

    /// The disk is empty now.
    pub fn wiped(
        &mut self,
        fresh: Fifo,
        removal: Removal,
        at: Time,
        place: Place,
        letters: &Letters,
        observer: &mut dyn Observer,
    ) {
        for held in copies(&self.log, &self.fifo, self.applied) {
            report_removed(at, place, letters, &held, removal, observer);
        }
        *self = MemberDisk { newcomer: self.newcomer, ..MemberDisk::empty(fresh) };
    }

    /// What was applied and is not on the disk is applied no more: the state is what the snapshot
    /// and the entries up to `last` make.
    fn replay(&mut self, last: Index, given: &[Given]) {
        let base = self.log.base().index;
        self.fifo = match self.log.snapshot() {
            Some(snapshot) => (*snapshot.state).clone(),
            None => self.fifo.fresh(),
        };
        for index in base + 1..=last {
            let Some(entry) = self.log.get(index).copied() else { break };
            let _ = self.fifo.apply(index, entry.at, &entry.command, given);
        }
        self.applied = last.max(base);
    }
}
