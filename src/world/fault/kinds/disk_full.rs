//! `disk-full`: the disk takes nothing more.

use super::*;

/// The disk takes nothing more.
pub(crate) struct DiskFull;

impl Fault for DiskFull {
    const SPEC: Variant = Variant {
        name: "disk-full",
        meaning: "Writes fail for want of space (ENOSPC), and no space is free.",
        keys: &[TARGET],
    };

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<DiskFull> {
        Some(DiskFull)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.world.disks[node.index()].fill(true);
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.world.disks[node.index()].fill(false);
        }
    }
}
