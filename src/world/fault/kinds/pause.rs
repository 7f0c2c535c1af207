//! `pause`: the process is frozen.

use super::*;

/// The process is frozen.
pub(crate) struct Pause;

impl Fault for Pause {
    const SPEC: Variant = Variant {
        name: "pause",
        meaning: "The process is frozen (SIGSTOP, GC, VM pause): connections stay open, its kernel \
                  still acknowledges, timers fire late. It goes on when `for` is over.",
        keys: &[TARGET],
    };

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<Pause> {
        Some(Pause)
    }

    fn concerns<C: Cluster, O: Observer>(
        &self,
        nodes: &[NodeId],
        simulation: &Simulation<C, O>,
    ) -> bool {
        nodes.iter().any(|node| simulation.world.nodes[node.index()].alive)
    }

    /// Freezes those that have a process: these are the ones that it has met.
    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        met.nodes.retain(|node| simulation.world.nodes[node.index()].alive);
        for node in &met.nodes {
            let n = &mut simulation.world.nodes[node.index()];
            n.holds.pause.push(met.index);
            if !n.paused {
                simulation.pause(node.0);
            }
        }
    }

    /// This fault no longer freezes the processes; those that died meanwhile are not concerned.
    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            let n = &mut simulation.world.nodes[node.index()];
            let held = n.holds.pause.len();
            n.holds.pause.retain(|id| *id != met.index);
            if n.paused && held > 0 && n.holds.pause.is_empty() {
                simulation.resume(node.0);
            }
        }
    }
}
