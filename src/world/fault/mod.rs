//! Faults: what may go wrong with processes, hosts, disks and the network, and when.
//!
//! The schedule is a plain list of [`PlannedFault`]s, made before the run from the `[[fault]]`
//! sections, and for a seed from `[nemesis]` ([`nemesis`]). [`freeze`] writes it as `[[fault]]`. A
//! fault begins at its `at`: its target is resolved then, what it did is remembered as an `Undo`,
//! and taken back when its `for` is over, or the run's `duration`. Faults overlap freely: every one
//! takes back what it did itself, and only that (a process that two faults keep down starts when
//! both are over; a link cut twice opens when both cuts are healed).
//!
//! # Adding a kind
//!
//! Say `memory-pressure`:
//!
//! 1. A variant in [`FaultKind`], holding what its keys say.
//! 2. In the file of its group (`process.rs`, `network.rs`, `disk.rs`, or a new one): a
//!    `pub(super) const MEMORY_PRESSURE: Variant` with its name, one sentence on what it does, and its
//!    keys (`TARGET` is shared); add it to [`KINDS`] below. It is then in `mqsim list`, in the
//!    documentation, and the parser knows its keys.
//! 3. An arm in `parse_kind` that makes the variant from the checked values.
//! 4. Arms in `Simulation::inject` and `Simulation::take_back` (`inject.rs`); what it does to the
//!    world is a function in its group's file, how it is taken back a variant of `Undo`.
//! 5. A line in [`nemesis::KINDS`], so that it can be drawn at random, and an arm in
//!    [`freeze`] that writes its keys.
//! 6. A test in `tests/world/faults.rs`: what a machine sees of it, and that nothing is left of it
//!    after its end.

mod clock;
mod disk;
pub mod freeze;
mod inject;
pub mod nemesis;
mod network;
mod parse;
mod process;

use crate::engine::Chance;
use crate::engine::{Distribution, Span, Time};
use crate::observe::{FaultId, NodeId};
use crate::scenario::{KeySpec, Kind, Preset, SectionSpec, Tagged};

use super::selector::{Pick, Target};

pub use nemesis::{NEMESIS, NEMESIS_FAULT, Nemesis};
pub use parse::{Vocabulary, parse, parse_all};

/// The section `[[fault]]`.
pub const FAULT: SectionSpec = SectionSpec::repeated(
    "fault",
    &[KEYS],
    "Something that goes wrong at a given time. What its target means is decided when it begins.",
)
.tagged(&KINDS);

const KEYS: &[KeySpec] = &[
    KeySpec::new("at", Kind::ANY_DURATION, Preset::Required, "When it begins."),
    KeySpec::new(
        "for",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "How long it lasts; until the end of `duration` if not written.",
    ),
];

/// The key `target`.
pub(crate) const TARGET: KeySpec = KeySpec::new(
    "target",
    Kind::Selector,
    Preset::Required,
    "What it is aimed at: a node, several (`n1,n2`), or a selector such as `leader(orders)`.",
);

/// The kinds of faults.
pub const KINDS: Tagged = Tagged {
    tag: "kind",
    meaning: "What goes wrong.",
    variants: &[
        process::STOP,
        process::CRASH,
        process::POWER_LOSS,
        process::PAUSE,
        process::RESTART,
        network::PARTITION,
        network::LATENCY,
        network::PACKET_LOSS,
        network::BANDWIDTH,
        disk::SLOW_DISK,
        disk::DISK_STALL,
        disk::DISK_FULL,
        disk::DISK_ERROR,
        disk::WIPE_DISK,
        clock::CLOCK_SKEW,
    ],
};

/// A fault of the schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedFault {
    /// Its place in the schedule and in the catalogue.
    pub id: FaultId,
    /// When it begins.
    pub at: Time,
    /// How long it lasts; until the end of the run's duration if not said.
    pub lasts: Option<Span>,
    /// What goes wrong.
    pub kind: FaultKind,
    /// What it is aimed at; nothing for a partition that names its sides.
    pub target: Target,
    /// As people write it, for the catalogue: `crash leader(orders)`.
    pub text: String,
    /// Whether it waits until the cluster is in sync, and then for its turn.
    pub waits: Option<Waiting>,
    /// It is left out unless all brokers that another of its kind has met have recovered.
    pub after_recovery: bool,
}

/// A fault that waits until the cluster is in sync. Such faults stand by their turns, at the end of
/// the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Faults of one turn begin together, each as long after the first as in the schedule.
    pub turn: u32,
    /// The turn is left out if it could not end by then.
    pub until: Time,
}

/// A fault that began: when, and what its target was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its place in the schedule.
    pub index: usize,
    /// When it began.
    pub at: Time,
    /// The nodes that it met; those of each side of a partition.
    pub sides: Vec<Vec<NodeId>>,
}

impl PlannedFault {
    /// The nodes that it names by themselves.
    pub(crate) fn named(&self) -> Vec<NodeId> {
        let sides = match &self.kind {
            FaultKind::Partition(partition) => partition.between.as_slice(),
            _ => &[],
        };
        let picks = sides.iter().flat_map(|side| &side.0).chain(&self.target.0);
        picks
            .flat_map(|pick| match pick {
                Pick::Node(node) => vec![*node],
                Pick::Link(a, b) => vec![*a, *b],
                _ => Vec::new(),
            })
            .collect()
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// The process is asked to stop, and stays down.
    Stop,
    /// The process is killed, and stays down.
    Crash,
    /// The host loses power.
    PowerLoss,
    /// The process is frozen.
    Pause,
    /// The process is asked to stop and starts again at once; one that is down is started.
    Restart,
    /// Packets between sides do not get through.
    Partition(Partition),
    /// Packets take longer.
    Latency {
        /// How much longer, or how long instead.
        change: LatencyChange,
        /// Which way.
        direction: Direction,
    },
    /// Packets are lost.
    PacketLoss {
        /// How likely each is, beside losses that are there already.
        chance: Chance,
        /// Which way.
        direction: Direction,
    },
    /// Links are narrow.
    Bandwidth {
        /// Bytes a second.
        rate: u64,
        /// Which way.
        direction: Direction,
    },
    /// The disk is slower.
    SlowDisk {
        /// This many times.
        factor: u64,
    },
    /// The disk does nothing.
    DiskStall,
    /// The disk takes nothing more.
    DiskFull,
    /// What the disk is asked to do fails.
    DiskError(Failing),
    /// The process is killed and its disk replaced by an empty one.
    WipeDisk,
    /// The clock is wrong.
    ClockSkew {
        /// By how much it is ahead, in ns.
        offset: i64,
        /// How much too fast it runs, in parts of a billion.
        drift: i64,
    },
}

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

impl FaultKind {
    /// Whether it is a fault of links, which a link may be the target of.
    #[must_use]
    pub const fn is_of_links(&self) -> bool {
        matches!(
            self,
            FaultKind::Latency { .. } | FaultKind::PacketLoss { .. } | FaultKind::Bandwidth { .. }
        )
    }
}

/// Which way a fault of the network works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    Both,
    /// From the first to the second only; of a node: what it sends.
    Forth,
}

/// How a latency changes; distributions of ns.
#[derive(Clone, Debug, PartialEq)]
pub enum LatencyChange {
    /// This comes on top.
    Add(Distribution),
    /// It is this instead.
    Be(Distribution),
}

/// A cut of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// The sides; if there is one (or none, then it is the fault's target), the other brokers are
    /// the other side. Nodes in no side see all.
    pub between: Vec<Target>,
    /// Which way packets do not get through.
    pub direction: Direction,
    /// On which side clients are.
    pub clients: ClientSide,
    /// Whether packets are answered with an error, or vanish.
    pub rejects: bool,
}

/// On which side of a partition the clients are that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientSide {
    /// On that of the broker with which they have a connection; without one on the largest.
    Follow,
    /// They see all brokers.
    Unaffected,
}

/// How what a fault did is taken back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Undo {
    /// There is nothing to take back.
    Nothing,
    /// The processes may run again.
    Run,
    /// The hosts have power again.
    Power,
    /// The processes go on.
    Resume,
    /// These pairs (from, to) see each other again.
    Heal { pairs: Vec<(u32, u32)>, rejects: bool },
    /// The links are as they were.
    Links,
    /// The disks are as fast as they were.
    SpeedUp(u64),
    /// The disks go on.
    GoOn,
    /// The disks have room again.
    Room,
    /// The disks do again what had failed.
    Works(Failing),
    /// The clocks are set right.
    SetRight,
}

/// A fault in force.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    /// Its place in the schedule.
    index: u32,
    targets: Vec<NodeId>,
    undo: Undo,
}
