//! What can be written in a portable scenario.

use crate::scenario::{KeySpec, Kind, Preset, SectionSpec};
use crate::verdict;
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};
use crate::world::{self, fault};

/// The wishes, in the order in which they are told.
pub(super) const WISHES: &[&str] = &["as-shipped", "safest", "fastest"];

const DESTINATION: SectionSpec = SectionSpec::repeated(
    "destination",
    &[&[
        KeySpec::new("name", Kind::Name, Preset::Required, "What the queue or topic is called."),
        KeySpec::new(
            "copies",
            Kind::Integer { min: 1, max: world::MOST_NODES },
            Preset::Is("3"),
            "How many copies there are of each message, where the mode can say so.",
        ),
        KeySpec::new(
            "partitions",
            Kind::Integer { min: 1, max: 1000 },
            Preset::Is("1"),
            "How many parts it has, where the mode has parts.",
        ),
    ]],
    "A queue or topic, which every variant has before the run.",
);

const PRODUCER: SectionSpec = SectionSpec::repeated(
    "producer",
    &[PRODUCER_KEYS],
    "A client that sends: what it is asked to do, the same in every variant.",
);

const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[CONSUMER_KEYS],
    "A client that reads. Those that read one destination share its messages.",
);

const OF_VARIANTS: &[KeySpec] = &[KeySpec::new(
    "variant",
    Kind::Names,
    Preset::Absent,
    "The variants of which it is expected; of all if not written.",
)];

const EXPECTED: &[&[KeySpec]] = &[verdict::EXPECT.keys[0], OF_VARIANTS];

const EXPECT: SectionSpec = SectionSpec::repeated("expect", EXPECTED, verdict::EXPECT.meaning);

/// The section below which brokers have their own.
pub(in crate::run) const VARIANTS: &str = "variant";

const VARIANT: SectionSpec = SectionSpec::repeated(
    VARIANTS,
    &[&[
        KeySpec::new("name", Kind::Name, Preset::Required, "What the variant is called."),
        KeySpec::new("mode", Kind::Text, Preset::Required, "The broker and how it replicates."),
        KeySpec::new(
            "broker-version",
            Kind::Version,
            Preset::Absent,
            "The release that is simulated; the mode has a default.",
        ),
        KeySpec::new(
            "wish",
            Kind::Choice(WISHES),
            Preset::Is("as-shipped"),
            "Which set of the broker's own settings it has: none, those that keep messages best, or \
             those that are quickest.",
        ),
    ]],
    "A broker to simulate. Sections below it, such as [variant.broker], are its own settings on top; \
     [variant.producer] is for every producer.",
);

/// Every section of a portable scenario.
pub(in crate::run) fn sections() -> Vec<&'static SectionSpec> {
    let common = world::SECTIONS.iter().copied();
    let faults = [&fault::FAULT, &fault::NEMESIS, &fault::NEMESIS_FAULT];
    common.chain(faults).chain([&DESTINATION, &PRODUCER, &CONSUMER, &EXPECT, &VARIANT]).collect()
}
