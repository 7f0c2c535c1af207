//! Random faults: `[nemesis]` and its `[[nemesis.fault]]`.
//!
//! What the file has is a mix: entries with a weight, each a kind of fault, how long it lasts and
//! at what it may be aimed. For a seed, [`Nemesis::draw`] makes of it a plain list of
//! [`PlannedFault`](super::PlannedFault)s before the run begins, as if they stood in the file as
//! `[[fault]]`; all that is left to the moment at which one begins is what a family's selectors
//! (`leader(orders)`) mean. It draws from a stream of its own, so another `[[fault]]` or producer
//! changes nothing of it.
//!
//! What is drawn at once and belongs together (every node of a restart with `spread`, every cut of
//! a ring) is an *attack*; the others wait for its end unless `at-most` allows for more.
//!
//! With `when = "in-sync"` an attack is drawn with its instant like any other, but then waits until
//! all brokers are up, no fault is in force and the family says that it is whole again
//! (`Cluster::in_sync`). Those behind it are put off by as much, and what could not end before
//! `until` any more is left out.
//!
//! Every kind of fault can be drawn, by its keys without its target (`Fault::DRAWN`).

mod draw;
mod parse;
mod shape;
#[cfg(test)]
mod tests;

use crate::engine::{Distribution, Span};
use crate::observe::NodeId;
use crate::scenario::{KeySpec, Kind, LONGEST, MOST_ITEMS, Preset, SectionSpec, Unit};

use super::super::selector::Pick;
use super::FaultKind;
use super::kinds::DRAWN;
use shape::Shape;

pub use parse::parse;

/// The section `[nemesis]`.
pub const NEMESIS: SectionSpec = SectionSpec::single(
    "nemesis",
    &[KEYS],
    "Random faults, drawn before the run from the seed. What is drawn is in events.csv; `mqsim run \
     --freeze-faults` writes it as [[fault]].",
)
.optional();

const KEYS: &[KeySpec] = &[
    KeySpec::new("from", Kind::ANY_DURATION, Preset::Is("0s"), "No fault begins before."),
    KeySpec::new(
        "until",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "The last fault has ended by then, so that the cluster can heal before `duration` is over; \
         three quarters of `duration` if not written.",
    ),
    KeySpec::new(
        "every",
        Kind::DURATIONS,
        Preset::Is("{ distribution = \"exponential\", mean = \"10s\" }"),
        "From the end of a fault to the beginning of the next; from beginning to beginning if \
         `at-most` is more than 1.",
    ),
    KeySpec::new(
        "at-most",
        Kind::Integer { min: 1, max: 100 },
        Preset::Is("1"),
        "How many are in force at once; one that would be too many waits for an end.",
    ),
    KeySpec::new(
        "swarm",
        Kind::Flag,
        Preset::Is("false"),
        "Each seed draws which of the [[nemesis.fault]] take part: each one in half of the seeds, \
         at least one in every seed.",
    ),
    KeySpec::new(
        "when",
        Kind::Choice(&["any", "in-sync"]),
        Preset::Is("any"),
        "A fault begins at its time, whatever the cluster does; or it waits until all brokers are \
         up, no fault is in force and all copies are in sync. A cluster that never is again meets no \
         other fault.",
    ),
];

/// The section `[[nemesis.fault]]`.
pub const NEMESIS_FAULT: SectionSpec = SectionSpec::repeated(
    "nemesis.fault",
    &[FAULT_KEYS],
    "A kind of fault that may be drawn. The keys of its kind are those of [[fault]].",
)
.tagged(&DRAWN);

const FAULT_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "weight",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Is("1"),
        "How often it is drawn, in comparison with the others.",
    ),
    KeySpec::new(
        "for",
        Kind::Distribution { unit: Unit::Duration, min: 1, max: LONGEST.as_nanos() },
        Preset::Is("{ distribution = \"uniform\", min = \"1s\", max = \"10s\" }"),
        "How long it lasts.",
    ),
    KeySpec::new(
        "for-min",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "It never lasts shorter: what is drawn below lasts so long.",
    ),
    KeySpec::new(
        "for-max",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "It never lasts longer: what is drawn above lasts so long.",
    ),
    KeySpec::new(
        "targets",
        Kind::SelectorList,
        Preset::Absent,
        "What it may be aimed at, each as likely: [\"random\", \"leader(orders)\", \"n1,n2\"]. \
         `random` if not written; a partition takes `shapes` instead.",
    ),
    KeySpec::new(
        "spread",
        Kind::ANY_DURATION,
        Preset::Is("0s"),
        "If it is aimed at several nodes, each is hit at its own time within this span, and stays \
         hit for its own length of time.",
    ),
    KeySpec::new(
        "when",
        Kind::Choice(&["any", "recovered"]),
        Preset::Is("any"),
        "It begins whatever the others of its kind have done; or it is left out unless every other \
         broker that one of its kind has met is up again and has all that it should have: so that \
         never more than one lacks what it lost.",
    ),
];

/// The key of a partition that is drawn: its sides are.
pub(super) const SHAPES: KeySpec = KeySpec::new(
    "shapes",
    Kind::Choices(Shape::NAMES),
    Preset::Absent,
    "How the hosts are parted, each shape as likely: `one` from all others; `minority` from the \
     rest; `halves`; `one-way`, one that is not heard or hears nothing; `pair`, two that do not see \
     each other while others see both; `bridge`, halves that only one connects; \
     `majorities-ring`, each sees a majority, no two the same. `halves` if not written.",
);

/// The key of a partition that is drawn: whom its shape parts.
pub(super) const AMONG: KeySpec = KeySpec::new(
    "among",
    Kind::Choices(&["brokers", "coordinators", "clients"]),
    Preset::Absent,
    "Which hosts the shapes part: brokers, `coordinators` (the servers that keep what brokers agree \
     on), clients. Brokers if not written; hosts that are left out are where `clients` says.",
);

/// A mix of random faults.
#[derive(Clone, Debug, PartialEq)]
pub struct Nemesis {
    from: Span,
    until: Span,
    every: Distribution,
    at_most: usize,
    swarm: bool,
    in_sync: bool,
    entries: Vec<Entry>,
}

/// One `[[nemesis.fault]]`.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    weight: u64,
    /// How long it lasts; `None` for what is over at once.
    lasts: Option<Lasts>,
    spread: Span,
    kind: FaultKind,
    /// The kind as written.
    name: String,
    aims: Aims,
    /// Left out unless all that another of its kind has met have recovered.
    after_recovery: bool,
}

/// How long a fault lasts.
#[derive(Clone, Debug, PartialEq)]
struct Lasts {
    drawn: Distribution,
    min: Span,
    max: Span,
}

/// At what a fault may be aimed.
#[derive(Clone, Debug, PartialEq)]
enum Aims {
    /// One of these. Each part is a pick with its text.
    Targets(Vec<Vec<(Pick, String)>>),
    /// Hosts, parted in one of these ways.
    Shapes {
        shapes: Vec<Shape>,
        /// Which hosts; in the order of the topology.
        hosts: Vec<NodeId>,
    },
}

/// The greatest number of faults that are drawn for a run.
const MOST_DRAWN: usize = MOST_ITEMS;
