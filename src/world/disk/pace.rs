//! How the operations that are under way follow a disk whose speed changes: what is left of them
//! goes on at the new speed.

use crate::engine::{Span, Time};

use super::super::event::Event;
use super::super::simulation::World;
use super::Disk;

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
        disk.settle(now);
        let before = disk.slowness();
        // Nothing has come any further since the disk stalled.
        let done_until = disk.stalled_at.min(now);
        change(disk, now);
        if disk.stalls > 0 {
            return;
        }
        disk.stalled_at = Time::MAX;
        let after = disk.slowness();
        let free_at = std::mem::replace(&mut disk.free_at, now);
        let power = disk.power;
        let under_way = self.syncs.iter().filter(|(_, syncing)| {
            let sync = &syncing.sync;
            syncing.node == node && sync.power == power && sync.done > done_until
        });
        let mut slots: Vec<(Time, u32)> =
            under_way.map(|(slot, syncing)| (syncing.sync.done, slot)).collect();
        slots.sort_unstable();
        let mut last = done_until;
        for (done, slot) in slots {
            let Some(syncing) = self.syncs.get_mut(slot) else { continue };
            let begun = syncing.sync.begun;
            let left = rescaled(done.since(begun.max(done_until)), before, after);
            // It follows the one before it, unless the disk had nothing to do between them.
            let idle = if begun > last { begun } else { Time::ZERO };
            syncing.sync.begun = disk.free_at.max(idle);
            syncing.sync.done = syncing.sync.begun + left;
            disk.free_at = syncing.sync.done;
            last = done;
            self.kernel.schedule(syncing.sync.done, Event::Synced { slot });
        }
        // Write-back that is queued behind them.
        disk.free_at += rescaled(free_at.since(last), before, after);
    }
}

fn rescaled(span: Span, before: u64, after: u64) -> Span {
    let nanos = u128::from(span.as_nanos()) * u128::from(after) / u128::from(before.max(1));
    Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
