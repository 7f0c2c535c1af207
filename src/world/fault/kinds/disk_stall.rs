//! `disk-stall`: the disk does nothing.

use super::*;
use crate::world::event::Event;

/// The disk does nothing.
pub(crate) struct DiskStall;

impl Fault for DiskStall {
    const SPEC: Variant = Variant {
        name: "disk-stall",
        meaning: "Nothing that the disk is asked to do comes to an end while it lasts: fsyncs and \
                  reads hang, writes into the page cache do not.",
        keys: &[TARGET],
    };

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<DiskStall> {
        Some(DiskStall)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.world.disks[node.index()].stall();
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        let now = simulation.now();
        for node in &met.nodes {
            for slot in simulation.world.disks[node.index()].go_on(now) {
                simulation.world.kernel.schedule(now, Event::Synced { slot });
            }
        }
    }
}
