//! `power-loss`: the host loses power.

use super::*;

/// The host loses power.
pub(crate) struct PowerLoss;

impl Fault for PowerLoss {
    const SPEC: Variant = Variant {
        name: "power-loss",
        meaning: "The host loses power: memory and page cache are gone, peers see nothing but \
                  silence. It boots again when `for` is over.",
        keys: &[TARGET],
    };

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<PowerLoss> {
        Some(PowerLoss)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            let holds = &mut simulation.world.nodes[node.index()].holds;
            let had_power = holds.power.is_empty();
            holds.power.push(met.index);
            if had_power {
                simulation.cut_power(node.0);
            }
        }
    }

    /// This fault no longer keeps the hosts without power. Their processes start with them.
    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            let holds = &mut simulation.world.nodes[node.index()].holds;
            holds.power.retain(|id| *id != met.index);
            if holds.power.is_empty() {
                simulation.world.net.darken(node.0, false);
                simulation.start(node.0);
            }
        }
    }
}
