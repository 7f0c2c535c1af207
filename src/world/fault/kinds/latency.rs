//! `latency`: packets take longer.

use crate::engine::Distribution;
use crate::scenario::{Kind, Preset};

use super::super::freeze::durations;
use super::super::links::{DIRECTION, Direction, LINK_TARGET};
use super::*;
use crate::world::network::Change;

/// Packets take longer.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// How much longer, or how long instead.
    pub change: LatencyChange,
    /// Which way.
    pub direction: Direction,
}

/// How a latency changes; distributions of ns.
#[derive(Clone, Debug, PartialEq)]
pub enum LatencyChange {
    /// This comes on top.
    Add(Distribution),
    /// It is this instead.
    Replace(Distribution),
}

impl Fault for Latency {
    const SPEC: Variant = Variant {
        name: "latency",
        meaning: "Packets take longer.",
        keys: &[
            LINK_TARGET,
            KeySpec::new("add", Kind::DURATIONS, Preset::Absent, "What comes on top, one way."),
            KeySpec::new(
                "latency",
                Kind::DURATIONS,
                Preset::Absent,
                "What it is instead, one way.",
            ),
            DIRECTION,
        ],
    };

    const OF_LINKS: bool = true;

    fn parse(
        values: &Values,
        _: Option<&Vocabulary<'_>>,
        wrong: &mut Diagnostics,
    ) -> Option<Latency> {
        let change = match (values.has("add"), values.has("latency")) {
            (true, false) => LatencyChange::Add(values.distribution("add")),
            (false, true) => LatencyChange::Replace(values.distribution("latency")),
            (both, _) => {
                let message = if both {
                    "`add` and `latency` contradict each other"
                } else {
                    "a latency fault needs `add` or `latency`"
                };
                let help = "write add = \"10ms\" for what comes on top, or latency = \"10ms\" for \
                            what it is instead";
                wrong.push(values.span("add"), message, help);
                return None;
            }
        };
        Some(Latency { change, direction: Direction::parse(values) })
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        let change = match &self.change {
            LatencyChange::Add(latency) => Change::Add(latency.clone()),
            LatencyChange::Replace(latency) => Change::Replace(latency.clone()),
        };
        simulation.change_links(met, self.direction, change);
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        simulation.restore_links(met);
    }

    fn write(&self, keys: &mut Keys) {
        match &self.change {
            LatencyChange::Add(latency) => keys.put("add", durations(latency)),
            LatencyChange::Replace(latency) => keys.put("latency", durations(latency)),
        }
        self.direction.write(keys);
    }
}
