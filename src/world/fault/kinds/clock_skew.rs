//! `clock-skew`: a node takes another time for the right one.

use crate::scenario::units::{Drift, Shift};
use crate::scenario::{Kind, Preset};

use super::super::freeze::quoted;
use super::*;

/// The clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSkew {
    /// By how much it is ahead, in ns.
    pub offset: i64,
    /// How much too fast it runs, in parts of a billion.
    pub drift: i64,
}

impl Fault for ClockSkew {
    const SPEC: Variant = Variant {
        name: "clock-skew",
        meaning: "The host's clock is wrong: ahead or behind by `offset`, and too fast or too slow \
                  by `drift`. What goes by the time of day sees both; time-outs and timers see the \
                  drift only. It is set right again when `for` is over.",
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
                "How much too fast it runs, in millionths (\"200ppm\") or percent; too slow if it \
                 is negative (\"-1%\").",
            ),
        ],
    };

    fn parse(
        values: &Values,
        _: Option<&Vocabulary<'_>>,
        wrong: &mut Diagnostics,
    ) -> Option<ClockSkew> {
        let (offset, drift) = (values.signed("offset"), values.signed("drift"));
        if offset == 0 && drift == 0 {
            let help = "write offset = \"-5s\" or drift = \"1%\", or both";
            wrong.push(values.place(), "this leaves the clock as it is", help);
        }
        Some(ClockSkew { offset, drift })
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        let now = simulation.now();
        for node in &met.nodes {
            let clock = &mut simulation.world.nodes[node.index()].clock;
            clock.skew(met.index, self.offset, self.drift, now);
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        let now = simulation.now();
        for node in &met.nodes {
            simulation.world.nodes[node.index()].clock.set_right(met.index, now);
        }
    }

    fn write(&self, keys: &mut Keys) {
        keys.put("offset", quoted(Shift(self.offset)));
        keys.put("drift", quoted(Drift(self.drift)));
    }
}
