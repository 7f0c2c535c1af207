//! Faults of clocks: a node takes another time for the right one.

use crate::observe::{NodeId, Observer};
use crate::scenario::{KeySpec, Kind, Preset, Variant};

use super::super::machine::Cluster;
use super::super::simulation::Simulation;
use super::TARGET;

pub(super) const CLOCK_SKEW: Variant = Variant {
    name: "clock-skew",
    meaning: "The host's clock is wrong: ahead or behind by `offset`, and too fast or too slow by \
              `drift`. What goes by the time of day sees both; time-outs and timers see the drift \
              only. It is set right again when `for` is over.",
    keys: &[
        TARGET,
        KeySpec::new(
            "offset",
            Kind::Shift,
            Preset::Is("0s"),
            "By how much the clock is ahead; behind if it is negative (\"-5s\").",
        ),
        KeySpec::new(
            "drift",
            Kind::Drift,
            Preset::Is("0ppm"),
            "How much too fast it runs, in millionths (\"200ppm\") or percent; too slow if it is \
             negative (\"-1%\").",
        ),
    ],
};

impl<C: Cluster, O: Observer> Simulation<C, O> {
    pub(super) fn inject_clock_skew(
        &mut self,
        fault: u32,
        (offset, drift): (i64, i64),
        nodes: &[NodeId],
    ) {
        let now = self.now();
        for node in nodes {
            self.world.nodes[node.index()].clock.skew(fault, offset, drift, now);
        }
    }

    pub(super) fn take_back_clock_skew(&mut self, fault: u32, nodes: &[NodeId]) {
        let now = self.now();
        for node in nodes {
            self.world.nodes[node.index()].clock.set_right(fault, now);
        }
    }
}
