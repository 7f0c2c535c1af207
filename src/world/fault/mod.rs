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
//! 1. A file in `kinds/`, say `memory_pressure.rs`: a type that holds what its keys say, and its
//!    `kinds::Fault`: name, meaning and keys, how they are read and written, what it does
//!    and what takes it back.
//! 2. In `kinds/mod.rs`: its `mod`, and its line in `kinds!`. Parser, schema, `mqsim list`, random
//!    faults and frozen schedules follow from it; the compiler and the tests name what is missing.

mod down;
pub mod freeze;
mod inject;
mod kinds;
mod links;
pub mod nemesis;
pub(super) mod parse;

use crate::engine::{Span, Time};
use crate::observe::{FaultId, NodeId};
use crate::scenario::{KeySpec, Kind, Preset, SectionSpec};

use super::selector::{Pick, Target};

pub use kinds::{
    Bandwidth, ClientSide, ClockSkew, Failing, FaultKind, KINDS, Latency, LatencyChange,
    PacketLoss, Partition, SlowDisk,
};
pub use links::Direction;
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
        let sides = self.kind.sides().unwrap_or_default();
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

/// A fault in force, and what it has met.
#[derive(Clone, Debug)]
pub(crate) struct Met {
    /// Its place in the schedule.
    index: u32,
    /// The nodes of its target; those of all sides.
    nodes: Vec<NodeId>,
    /// The links that its target names.
    links: Vec<(NodeId, NodeId)>,
    /// Its sides, if it has sides.
    sides: Vec<Vec<NodeId>>,
    /// The pairs (from, to) of hosts between which it has cut the network.
    pairs: Vec<(u32, u32)>,
}
