//! `disk-error`: what the disk is asked to do fails.

use crate::scenario::{Kind, Preset};

use super::super::freeze::quoted;
use super::*;

/// What fails on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Writes into the page cache.
    pub writes: bool,
    /// Fsyncs, and the write-back of the page cache.
    pub fsyncs: bool,
    /// Reads.
    pub reads: bool,
}

impl Failing {
    /// Everything does.
    pub const ALL: Failing = Failing { writes: true, fsyncs: true, reads: true };
}

/// The kind of fault is what fails.
pub(super) type DiskError = Failing;

impl Fault for DiskError {
    const SPEC: Variant = Variant {
        name: "disk-error",
        meaning: "What the disk is asked to do fails (EIO): writes, fsyncs and reads, or those of \
                  them that `operations` names. What an fsync or the write-back could not make \
                  durable stays in the page cache, and no later fsync tells of it again.",
        keys: &[
            TARGET,
            KeySpec::new(
                "operations",
                Kind::Choices(&["write", "fsync", "read"]),
                Preset::Absent,
                "What fails; all if not written.",
            ),
        ],
    };

    fn parse(values: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<Failing> {
        let named = |what: &str| {
            !values.has("operations")
                || values.names("operations").iter().any(|name| name.value == what)
        };
        Some(Failing { writes: named("write"), fsyncs: named("fsync"), reads: named("read") })
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        let now = simulation.now();
        for node in &met.nodes {
            simulation.world.disks[node.index()].fail(*self, now);
        }
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        let now = simulation.now();
        for node in &met.nodes {
            simulation.world.disks[node.index()].work(*self, now);
        }
    }

    fn write(&self, keys: &mut Keys) {
        if *self != Failing::ALL {
            let all = [("write", self.writes), ("fsync", self.fsyncs), ("read", self.reads)];
            let named = all.iter().filter(|(_, fails)| *fails).map(|(name, _)| quoted(name));
            keys.put("operations", format!("[{}]", named.collect::<Vec<_>>().join(", ")));
        }
    }
}
