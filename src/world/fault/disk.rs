//! Faults of disks: slow, stalled, full, failing, wiped.

use crate::observe::{NodeId, Observer};
use crate::scenario::{KeySpec, Kind, Preset, Variant};

use super::super::machine::Cluster;
use super::super::simulation::Simulation;
use super::{Failing, TARGET};

pub(super) const SLOW_DISK: Variant = Variant {
    name: "slow-disk",
    meaning: "Everything that the disk does takes `factor` times as long.",
    keys: &[
        TARGET,
        KeySpec::new(
            "factor",
            Kind::Integer { min: 2, max: 1_000_000 },
            Preset::Is("10"),
            "How many times longer fsyncs and transfers take.",
        ),
    ],
};

pub(super) const DISK_STALL: Variant = Variant {
    name: "disk-stall",
    meaning: "Nothing that the disk is asked to do comes to an end while it lasts: fsyncs and reads \
              hang, writes into the page cache do not.",
    keys: &[TARGET],
};

pub(super) const DISK_FULL: Variant = Variant {
    name: "disk-full",
    meaning: "Writes fail for want of space (ENOSPC), and no space is free.",
    keys: &[TARGET],
};

pub(super) const DISK_ERROR: Variant = Variant {
    name: "disk-error",
    meaning: "What the disk is asked to do fails (EIO): writes, fsyncs and reads, or those of them \
              that `operations` names. What an fsync or the write-back could not make durable stays \
              in the page cache, and no later fsync tells of it again.",
    keys: &[
        TARGET,
        KeySpec::new(
            "operations",
            Kind::Choices(&["write", "fsync", "read"]),
            Preset::Absent,
            "What fails; all if not written.",
        ),
    ],
};

pub(super) const WIPE_DISK: Variant = Variant {
    name: "wipe-disk",
    meaning: "The process is killed and its disk replaced by an empty one. It starts again when \
              `for` is over.",
    keys: &[TARGET],
};

impl<C: Cluster, O: Observer> Simulation<C, O> {
    pub(super) fn inject_slow_disk(&mut self, factor: u64, nodes: &[NodeId]) {
        for node in nodes {
            self.world.slow_disk_down(node.0, factor);
        }
    }

    pub(super) fn inject_disk_stall(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            self.world.stall_disk(node.0);
        }
    }

    pub(super) fn inject_disk_full(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            self.world.disks[node.index()].fill(true);
        }
    }

    pub(super) fn inject_wipe_disk(&mut self, fault: u32, nodes: &[NodeId]) {
        for node in nodes {
            self.world.nodes[node.index()].holds.down.push(fault);
            self.wipe(node.0);
        }
    }

    pub(super) fn inject_disk_error(&mut self, failing: Failing, nodes: &[NodeId]) {
        let now = self.now();
        for node in nodes {
            self.world.disks[node.index()].fail(failing, now);
        }
    }

    pub(super) fn take_back_disk_error(&mut self, failing: Failing, nodes: &[NodeId]) {
        let now = self.now();
        for node in nodes {
            self.world.disks[node.index()].work(failing, now);
        }
    }

    pub(super) fn take_back_slow_disk(&mut self, factor: u64, nodes: &[NodeId]) {
        for node in nodes {
            self.world.speed_disk_up(node.0, factor);
        }
    }

    pub(super) fn take_back_disk_stall(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            self.world.end_disk_stall(node.0);
        }
    }

    pub(super) fn take_back_disk_full(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            self.world.disks[node.index()].fill(false);
        }
    }
}
