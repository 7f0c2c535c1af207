//! `packet-loss`: packets are lost.

use crate::engine::Chance;
use crate::scenario::{Kind, Preset};

use super::super::freeze::share;
use super::super::links::{DIRECTION, Direction, LINK_TARGET};
use super::*;
use crate::world::network::Change;

/// Packets are lost.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketLoss {
    /// How likely each is, beside losses that are there already.
    pub chance: Chance,
    /// Which way.
    pub direction: Direction,
}

impl Fault for PacketLoss {
    const SPEC: Variant = Variant {
        name: "packet-loss",
        meaning: "Packets are lost. A connection shows that as delay (retransmission after 200 ms, \
                  doubling), never as a missing message.",
        keys: &[
            LINK_TARGET,
            KeySpec::new(
                "chance",
                Kind::Chance,
                Preset::Required,
                "Of each packet of 1,448 bytes, beside losses that are there already.",
            ),
            DIRECTION,
        ],
    };

    const OF_LINKS: bool = true;

    fn parse(
        values: &Values,
        _: Option<&Vocabulary<'_>>,
        _: &mut Diagnostics,
    ) -> Option<PacketLoss> {
        let (chance, direction) = (values.chance("chance"), Direction::parse(values));
        Some(PacketLoss { chance, direction })
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        simulation.change_links(met, self.direction, Change::Lose(self.chance));
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        simulation.restore_links(met);
    }

    fn write(&self, keys: &mut Keys) {
        keys.put("chance", share(self.chance));
        self.direction.write(keys);
    }
}
