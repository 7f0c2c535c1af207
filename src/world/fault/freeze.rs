//! A fault that began, written as a `[[fault]]` that begins at the same instant and meets the same
//! nodes: how random faults are frozen into a scenario that anybody can read, edit and run again.

use crate::engine::{Chance, Distribution, Span};
use crate::observe::NodeId;
use crate::scenario::units::{BytesPerSecond, Drift, Shift};

use super::super::network::Topology;
use super::super::selector::Pick;
use super::{
    Begun, ClientSide, Direction, Failing, FaultKind, LatencyChange, PlannedFault, clock, disk,
    network, process,
};

/// The fault as a `[[fault]]` of a scenario file.
#[must_use]
pub fn to_toml(fault: &PlannedFault, begun: &Begun, topology: &Topology) -> String {
    let mut text = format!("# {}\n[[fault]]\n", fault.text);
    let mut put = |key: &str, value: String| text.push_str(&format!("{key} = {value}\n"));
    put("at", quoted(Span::from_nanos(begun.at.as_nanos())));
    if let Some(lasts) = fault.lasts {
        put("for", quoted(lasts));
    }
    put("kind", quoted(name(&fault.kind)));
    match &fault.kind {
        FaultKind::Partition(partition) => {
            let sides = begun.sides.iter().map(|side| quoted(names(side, topology)));
            put("between", format!("[{}]", sides.collect::<Vec<_>>().join(", ")));
            put_direction(partition.direction, &mut put);
            if partition.clients == ClientSide::Unaffected {
                put("clients", quoted("unaffected"));
            }
            if partition.rejects {
                put("how", quoted("reject"));
            }
        }
        kind => {
            put("target", quoted(target(fault, begun, topology)));
            put_keys(kind, &mut put);
        }
    }
    text
}

/// The keys of a kind beside its target.
fn put_keys(kind: &FaultKind, put: &mut impl FnMut(&str, String)) {
    match kind {
        FaultKind::Latency { change, direction } => {
            match change {
                LatencyChange::Add(latency) => put("add", durations(latency)),
                LatencyChange::Be(latency) => put("latency", durations(latency)),
            }
            put_direction(*direction, put);
        }
        FaultKind::PacketLoss { chance, direction } => {
            put("chance", share(*chance));
            put_direction(*direction, put);
        }
        FaultKind::Bandwidth { rate, direction } => {
            put("rate", quoted(BytesPerSecond(*rate)));
            put_direction(*direction, put);
        }
        FaultKind::SlowDisk { factor } => put("factor", factor.to_string()),
        FaultKind::DiskError(failing) => put_failing(*failing, put),
        FaultKind::ClockSkew { offset, drift } => {
            put("offset", quoted(Shift(*offset)));
            put("drift", quoted(Drift(*drift)));
        }
        FaultKind::Stop
        | FaultKind::Crash
        | FaultKind::PowerLoss
        | FaultKind::Pause
        | FaultKind::Restart
        | FaultKind::Partition(_)
        | FaultKind::DiskStall
        | FaultKind::DiskFull
        | FaultKind::WipeDisk => {}
    }
}

fn put_failing(failing: Failing, put: &mut impl FnMut(&str, String)) {
    if failing != Failing::ALL {
        let all = [("write", failing.writes), ("fsync", failing.fsyncs), ("read", failing.reads)];
        let named = all.iter().filter(|(_, fails)| *fails).map(|(name, _)| quoted(name));
        put("operations", format!("[{}]", named.collect::<Vec<_>>().join(", ")));
    }
}

fn put_direction(direction: Direction, put: &mut impl FnMut(&str, String)) {
    if direction == Direction::Forth {
        put("direction", quoted("forth"));
    }
}

const fn name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Stop => process::STOP.name,
        FaultKind::Crash => process::CRASH.name,
        FaultKind::PowerLoss => process::POWER_LOSS.name,
        FaultKind::Pause => process::PAUSE.name,
        FaultKind::Restart => process::RESTART.name,
        FaultKind::Partition(_) => network::PARTITION.name,
        FaultKind::Latency { .. } => network::LATENCY.name,
        FaultKind::PacketLoss { .. } => network::PACKET_LOSS.name,
        FaultKind::Bandwidth { .. } => network::BANDWIDTH.name,
        FaultKind::SlowDisk { .. } => disk::SLOW_DISK.name,
        FaultKind::DiskStall => disk::DISK_STALL.name,
        FaultKind::DiskFull => disk::DISK_FULL.name,
        FaultKind::DiskError(_) => disk::DISK_ERROR.name,
        FaultKind::WipeDisk => disk::WIPE_DISK.name,
        FaultKind::ClockSkew { .. } => clock::CLOCK_SKEW.name,
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
fn quoted(value: impl std::fmt::Display) -> String {
    format!("\"{value}\"")
}

fn share(chance: Chance) -> String {
    let parts = chance.as_billionths();
    format!("{}.{:09}", parts / 1_000_000_000, parts % 1_000_000_000)
}

fn durations(distribution: &Distribution) -> String {
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
        let skew = FaultKind::ClockSkew { offset: -1_500_000_000, drift: 12_345 };
        assert_eq!(frozen(skew), "offset = \"-1500ms\"; drift = \"12.345ppm\"");
    }
}
