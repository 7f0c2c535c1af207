//! `stop`: the process is asked to end.

use super::*;

/// The process is asked to stop gracefully.
pub(crate) struct Stop;

impl Fault for Stop {
    const SPEC: Variant = Variant {
        name: "stop",
        meaning: "The process is asked to stop gracefully (SIGTERM). It starts again when `for` is \
                  over.",
        keys: &[TARGET],
    };

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<Stop> {
        Some(Stop)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.hold_down(met.index, *node);
            simulation.ask_to_stop(*node);
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        simulation.let_start(met.index, &met.nodes);
    }
}
