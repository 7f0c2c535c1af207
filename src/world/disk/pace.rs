//! How the operations that are under way follow a disk whose speed changes: what is left of them
//! goes on at the new speed.

use crate::engine::{Span, Time};

use super::super::event::Event;
use super::super::simulation::World;
use super::Disk;

/// An operation that is queued or under way.
struct Operation {
    begun: Time,
    done: Time,
    what: What,
}

enum What {
    /// An fsync or a read: its slot.
    Sync(u32),
    /// Write-back: its place in the queue.
    Writing(usize),
}

/// What changes when a disk changes its speed: nothing has come any further since `done_until`, and
/// what took `before` takes `after`.
struct Change {
    now: Time,
    done_until: Time,
    before: u64,
    after: u64,
}

impl Change {
    /// When the operations of one queue, in their order, begin and are done, and when the last is: was, and
    /// is now.
    fn apply(&self, queue: &mut [Operation]) -> (Time, Time) {
        let (mut last, mut free_at) = (self.done_until, self.now);
        for operation in queue {
            let Operation { begun, done, .. } = *operation;
            let left = self.rescaled(done.since(begun.max(self.done_until)));
            // It follows the one before it, unless the disk had nothing to do between them.
            let idle = if begun > last { begun } else { Time::ZERO };
            operation.begun = free_at.max(idle);
            operation.done = operation.begun + left;
            free_at = operation.done;
            last = done;
        }
        (last, free_at)
    }

    fn rescaled(&self, span: Span) -> Span {
        let nanos =
            u128::from(span.as_nanos()) * u128::from(self.after) / u128::from(self.before.max(1));
        Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl<M> World<M> {
    /// The disk of a node becomes this many times slower.
    pub(crate) fn slow_disk_down(&mut self, node: u32, factor: u64) {
        self.change_pace(node, |disk, _| disk.slow.push(factor));
    }

    /// One such slowing is over.
    pub(crate) fn speed_disk_up(&mut self, node: u32, factor: u64) {
        self.change_pace(node, |disk, _| {
            if let Some(place) = disk.slow.iter().position(|slow| *slow == factor) {
                disk.slow.remove(place);
            }
        });
    }

    /// The disk of a node does nothing from now on: neither fsyncs nor reads nor write-back.
    pub(crate) fn stall_disk(&mut self, node: u32) {
        self.change_pace(node, |disk, now| {
            disk.stalls += 1;
            disk.stalled_at = disk.stalled_at.min(now);
        });
    }

    /// One such stall is over.
    pub(crate) fn end_disk_stall(&mut self, node: u32) {
        self.change_pace(node, |disk, _| disk.stalls -= 1);
    }

    /// What was queued keeps its order. What had begun keeps the part that is done.
    fn change_pace(&mut self, node: u32, change: impl FnOnce(&mut Disk, Time)) {
        let now = self.kernel.now();
        let disk = &mut self.disks[node as usize];
        disk.advance(now);
        let before = disk.slowness();
        let done_until = disk.stalled_at.min(now);
        change(disk, now);
        if disk.stalls > 0 {
            return;
        }
        disk.stalled_at = Time::MAX;
        let change = Change { now, done_until, before, after: disk.slowness() };
        let (mut queue, mut reads) = self.operations(node, done_until);
        let (last, free_at) = change.apply(&mut queue);
        let (_, reads_until) = change.apply(&mut reads);
        let disk = &mut self.disks[node as usize];
        // What reads have put off is put off still.
        let behind = change.rescaled(disk.free_at.since(last.min(disk.free_at)));
        disk.free_at = free_at + behind;
        disk.reads_until = reads_until;
        for Operation { begun, done, what } in queue.into_iter().chain(reads) {
            match what {
                What::Writing(place) => {
                    let writing = &mut self.disks[node as usize].writing[place];
                    (writing.begun, writing.done) = (begun, done);
                }
                What::Sync(slot) => {
                    let Some(syncing) = self.syncs.get_mut(slot) else { continue };
                    (syncing.sync.begun, syncing.sync.done) = (begun, done);
                    self.kernel.schedule(done, Event::Synced { slot });
                }
            }
        }
        self.disks[node as usize].write_above_background(now);
        self.look_at_holds(node);
    }

    /// What a disk has to do after `done_until`, in order: fsyncs and write-back, and reads.
    fn operations(&self, node: u32, done_until: Time) -> (Vec<Operation>, Vec<Operation>) {
        let disk = &self.disks[node as usize];
        let under_way = self.syncs.iter().filter(|(_, syncing)| {
            let sync = &syncing.sync;
            syncing.node == node && sync.power == disk.power && sync.done > done_until
        });
        let (mut reads, mut queue) = (Vec::new(), Vec::new());
        for (slot, syncing) in under_way {
            let sync = &syncing.sync;
            let operation =
                Operation { begun: sync.begun, done: sync.done, what: What::Sync(slot) };
            if sync.file.is_some() { &mut queue } else { &mut reads }.push(operation);
        }
        queue.extend(disk.writing.iter().enumerate().map(|(place, writing)| Operation {
            begun: writing.begun,
            done: writing.done,
            what: What::Writing(place),
        }));
        // Both slots and places break ties: nothing of one kind takes no time.
        let order = |operation: &Operation| match operation.what {
            What::Writing(place) => (operation.done, operation.begun, 0, place),
            What::Sync(slot) => (operation.done, operation.begun, 1, slot as usize),
        };
        queue.sort_by_key(order);
        reads.sort_by_key(order);
        (queue, reads)
    }
}
