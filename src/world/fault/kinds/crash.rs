//! `crash`: the process is killed.

use super::*;

/// The process is killed.
pub(crate) struct Crash;

impl Fault for Crash {
    const SPEC: Variant = Variant {
        name: "crash",
        meaning: "The process is killed (SIGKILL): memory is gone, the page cache is not; peers see \
                  connections reset. It starts again when `for` is over.",
        keys: &[TARGET],
    };

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<Crash> {
        Some(Crash)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.hold_down(met.index, *node);
            simulation.kill(node.0);
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        simulation.let_start(met.index, &met.nodes);
    }
}
