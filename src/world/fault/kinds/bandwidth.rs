//! `bandwidth`: links are narrow.

use crate::scenario::units::BytesPerSecond;
use crate::scenario::{Kind, Preset};

use super::super::freeze::quoted;
use super::super::links::{DIRECTION, Direction, LINK_TARGET};
use super::*;
use crate::world::network::Change;

/// Links are narrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes a second.
    pub rate: u64,
    /// Which way.
    pub direction: Direction,
}

impl Fault for Bandwidth {
    const SPEC: Variant = Variant {
        name: "bandwidth",
        meaning: "Links carry no more than this.",
        keys: &[
            LINK_TARGET,
            KeySpec::new("rate", Kind::Bandwidth, Preset::Required, "Of each link and direction."),
            DIRECTION,
        ],
    };

    const OF_LINKS: bool = true;

    fn parse(
        values: &Values,
        _: Option<&Vocabulary<'_>>,
        wrong: &mut Diagnostics,
    ) -> Option<Bandwidth> {
        let rate = values.bandwidth("rate");
        if rate == 0 {
            let help = "a link without limit needs no fault; write a rate, \"10MB/s\"";
            wrong.push(values.span("rate"), "this limits nothing", help);
        }
        Some(Bandwidth { rate, direction: Direction::parse(values) })
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        simulation.change_links(met, self.direction, Change::Narrow(self.rate));
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        simulation.restore_links(met);
    }

    fn write(&self, keys: &mut Keys) {
        keys.put("rate", quoted(BytesPerSecond(self.rate)));
        self.direction.write(keys);
    }
}
