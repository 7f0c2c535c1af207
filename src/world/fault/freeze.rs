//! A fault that began, written as a `[[fault]]` that begins at the same instant and meets the same
//! nodes: how random faults are frozen into a scenario that anybody can read, edit and run again.

use crate::engine::{Chance, Distribution, Span};
use crate::observe::NodeId;

use super::super::network::Topology;
use super::super::selector::Pick;
use super::{Begun, PlannedFault};

/// The fault as a `[[fault]]` of a scenario file.
#[must_use]
pub fn to_toml(fault: &PlannedFault, begun: &Begun, topology: &Topology) -> String {
    let mut keys = Keys(format!("# {}\n[[fault]]\n", fault.text));
    keys.put("at", quoted(Span::from_nanos(begun.at.as_nanos())));
    if let Some(lasts) = fault.lasts {
        keys.put("for", quoted(lasts));
    }
    keys.put("kind", quoted(fault.kind.name()));
    if fault.kind.sides().is_some() {
        let sides = begun.sides.iter().map(|side| quoted(names(side, topology)));
        keys.put("between", format!("[{}]", sides.collect::<Vec<_>>().join(", ")));
    } else {
        keys.put("target", quoted(target(fault, begun, topology)));
    }
    fault.kind.write(&mut keys);
    keys.0
}

/// The keys of a section as a scenario file has them.
pub(super) struct Keys(String);

impl Keys {
    /// Writes one more; the value is TOML.
    pub(super) fn put(&mut self, key: &str, value: String) {
        self.0.push_str(&format!("{key} = {value}\n"));
    }
}

/// What it met: links as they are, otherwise the nodes that its selectors meant.
fn target(fault: &PlannedFault, begun: &Begun, topology: &Topology) -> String {
    let (mut parts, mut linked) = (Vec::new(), Vec::new());
    for pick in &fault.target.0 {
        if let Pick::Link(a, b) = pick {
            let name = |node: &NodeId| &topology.hosts[node.index()].name;
            parts.push(format!("link({}, {})", name(a), name(b)));
            linked.extend([*a, *b]);
        }
    }
    let mut nodes = begun.sides.concat();
    nodes.retain(|node| !linked.contains(node));
    if !nodes.is_empty() {
        parts.push(names(&nodes, topology));
    }
    parts.join(",")
}

fn names(nodes: &[NodeId], topology: &Topology) -> String {
    let name = |node: &NodeId| topology.hosts[node.index()].name.as_str();
    nodes.iter().map(name).collect::<Vec<_>>().join(",")
}

/// Nothing that is quoted here has a quotation mark or backslash in it.
pub(super) fn quoted(value: impl std::fmt::Display) -> String {
    format!("\"{value}\"")
}

pub(super) fn share(chance: Chance) -> String {
    let parts = chance.as_billionths();
    format!("{}.{:09}", parts / 1_000_000_000, parts % 1_000_000_000)
}

pub(super) fn durations(distribution: &Distribution) -> String {
    let span = |nanos| quoted(Span::from_nanos(nanos));
    match distribution {
        Distribution::Constant(value) => span(*value),
        Distribution::Uniform { low, high } => {
            format!("{{ distribution = \"uniform\", min = {}, max = {} }}", span(*low), span(*high))
        }
        Distribution::Exponential { mean } => {
            format!("{{ distribution = \"exponential\", mean = {} }}", span(*mean))
        }
        Distribution::LogNormal(shape) => format!(
            "{{ distribution = \"lognormal\", median = {}, p99 = {} }}",
            span(shape.median()),
            span(shape.p99())
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::Time;
    use crate::observe::FaultId;
    use crate::world::Target;
    use crate::world::fault::{ClockSkew, Failing, FaultKind};

    use super::*;

    fn frozen(kind: FaultKind) -> String {
        let fault = PlannedFault {
            id: FaultId(0),
            at: Time::ZERO,
            lasts: None,
            kind,
            target: Target::default(),
            text: String::new(),
            waits: None,
            after_recovery: false,
        };
        let begun = Begun { index: 0, at: Time::ZERO, sides: Vec::new() };
        let text = to_toml(&fault, &begun, &Topology::new(Vec::new()));
        text.lines().skip(5).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_fails_and_how_wrong_a_clock_is_are_written() {
        assert_eq!(frozen(FaultKind::DiskError(Failing::ALL)), "");
        let some = Failing { fsyncs: false, ..Failing::ALL };
        assert_eq!(frozen(FaultKind::DiskError(some)), "operations = [\"write\", \"read\"]");
        let skew = FaultKind::ClockSkew(ClockSkew { offset: -1_500_000_000, drift: 12_345 });
        assert_eq!(frozen(skew), "offset = \"-1500ms\"; drift = \"12.345ppm\"");
    }
}
