//! `slow-disk`: the disk is slower.

use crate::scenario::{Kind, Preset};

use super::*;

/// The disk is slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowDisk {
    /// This many times.
    pub factor: u64,
}

impl Fault for SlowDisk {
    const SPEC: Variant = Variant {
        name: "slow-disk",
        meaning: "Everything that the disk does takes `factor` times as long.",
        keys: &[
            TARGET,
            KeySpec::new(
                "factor",
                Kind::Integer { min: 2, max: 1_000_000 },
                Preset::Is("10"),
                "How many times longer fsyncs and transfers take.",
            ),
        ],
    };

    fn parse(values: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<SlowDisk> {
        Some(SlowDisk { factor: values.integer("factor") })
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.world.disks[node.index()].slow_down(self.factor);
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        for node in &met.nodes {
            simulation.world.disks[node.index()].speed_up(self.factor);
        }
    }

    fn write(&self, keys: &mut Keys) {
        keys.put("factor", self.factor.to_string());
    }
}
