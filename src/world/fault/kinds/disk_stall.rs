//! `disk-stall`: the disk does nothing.

use super::*;

/// The disk does nothing.
pub(crate) struct DiskStall;

impl Fault for DiskStall {
    const SPEC: Variant = Variant {
        name: "disk-stall",
        meaning: "Nothing that the disk is asked to do completes while it lasts: fsyncs and \
                  reads hang, writes into the page cache do not.",
        keys: &[TARGET],
    };

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<DiskStall> {
        Some(DiskStall)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.world.stall_disk(node.0);
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.world.end_disk_stall(node.0);
        }
    }
}
