//! `restart`: the process is asked to end, and starts again.

use super::*;

/// The process is asked to stop and starts again at once.
pub(crate) struct Restart;

impl Fault for Restart {
    const SPEC: Variant = Variant {
        name: "restart",
        meaning: "The process is asked to stop gracefully and starts again as soon as it has ended. \
                  One that is down is started, whatever keeps it down, unless its host has no \
                  power.",
        keys: &[TARGET],
    };

    const AT_ONCE: Option<&'static str> = Some(
        "a restart takes as long as stop and boot take; for a stay in between write kind = \"stop\" \
         with `for`",
    );

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<Restart> {
        Some(Restart)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            let n = &mut simulation.world.nodes[node.index()];
            n.holds.down.clear();
            if n.alive {
                n.restarts = true;
                simulation.ask_to_stop(*node);
            } else {
                simulation.start(node.0);
            }
        }
    }
}
