//! `wipe-disk`: the disk is replaced by an empty one.

use super::*;

/// The process is killed and its disk replaced.
pub(crate) struct WipeDisk;

impl Fault for WipeDisk {
    const SPEC: Variant = Variant {
        name: "wipe-disk",
        meaning: "The process is killed and its disk replaced by an empty one. It starts again when \
                  `for` is over.",
        keys: &[TARGET],
    };

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<WipeDisk> {
        Some(WipeDisk)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.hold_down(met.index, *node);
            simulation.wipe(node.0);
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        simulation.let_start(met.index, &met.nodes);
    }
}
