//! The one place that lists the broker families and their modes.

use std::sync::Arc;

use crate::brokers::kafka::{isr, legacy};
use crate::brokers::rabbitmq;
use crate::engine::{Span, Time};
use crate::observe::{Blind, Catalog, InvariantWord, NodeId, Observer, Situation};
use crate::scenario::schema::Shape;
use crate::scenario::{
    self, Diagnostics, KeyRow, Scenario, SectionSpec, TOP, Unit, Variant, Version, describe,
    distributions,
};
use crate::verdict::{self, Busy, LedgerOptions, Report, RunFacts, Waits};
use crate::world::{
    self, Cluster, Ending, MessageOf, PlannedFault, Setup, Simulation, Topology, fault,
};

use super::{RunError, Traced};

/// A value of `mode`.
#[derive(Clone, Copy, Debug)]
pub struct ModeInfo {
    /// As written in a scenario.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub meaning: &'static str,
    /// The default `broker-version`.
    pub version: &'static str,
    /// The first and the last release whose rules are known.
    pub versions: (&'static str, &'static str),
    /// The product's name.
    pub product: &'static str,
    /// Whether its brokers keep what was read, and hold back what may not be read yet.
    pub log: bool,
    /// What is checked while it runs; `claimed` as it is by default. The plan of a scenario says
    /// what is claimed for its version and configuration.
    pub invariants: &'static [InvariantWord],
    /// What a suite may have to reach, beside events, roles, causes and conditions.
    pub situations: &'static [Situation],
    /// A scenario to begin with, with comments, that runs as it is.
    pub starter: &'static str,
    sections: &'static [&'static SectionSpec],
    selectors: &'static [world::SelectorSpec],
    plan: fn(&Scenario) -> Result<Plan, Diagnostics>,
}

const MODES: &[ModeInfo] = &[
    ModeInfo {
        name: "rabbitmq-single",
        starter: include_str!("../brokers/rabbitmq/starters/single.toml"),
        meaning: "One RabbitMQ node: what is on its disk comes back with it.",
        version: "3.10",
        versions: ("3.3", "3.13"),
        product: "RabbitMQ",
        log: false,
        invariants: &[],
        sections: rabbitmq::keys::SECTIONS,
        selectors: rabbitmq::words::SELECTORS,
        situations: rabbitmq::words::SITUATIONS,
        plan: |scenario| rabbit(scenario, rabbitmq::plan::Mode::Single),
    },
    ModeInfo {
        name: "rabbitmq-cluster",
        starter: include_str!("../brokers/rabbitmq/starters/cluster.toml"),
        meaning: "A classic RabbitMQ cluster: metadata everywhere, each queue on its home node only.",
        version: "3.10",
        versions: ("3.3", "3.13"),
        product: "RabbitMQ",
        log: false,
        invariants: &[],
        sections: rabbitmq::keys::SECTIONS,
        selectors: rabbitmq::words::SELECTORS,
        situations: rabbitmq::words::SITUATIONS,
        plan: |scenario| rabbit(scenario, rabbitmq::plan::Mode::Cluster),
    },
    ModeInfo {
        name: "rabbitmq-mirrored",
        starter: include_str!("../brokers/rabbitmq/starters/mirrored.toml"),
        meaning: "Mirrored classic queues: a leader, and mirrors that follow it around a ring.",
        version: "3.10",
        versions: ("3.3", "3.13"),
        product: "RabbitMQ",
        log: false,
        invariants: &[],
        sections: rabbitmq::keys::SECTIONS,
        selectors: rabbitmq::words::SELECTORS,
        situations: rabbitmq::words::SITUATIONS,
        plan: |scenario| rabbit(scenario, rabbitmq::plan::Mode::Mirrored),
    },
    ModeInfo {
        name: "kafka-legacy",
        starter: include_str!("../brokers/kafka/starters/legacy.toml"),
        meaning: "Kafka before replication: each partition on one broker, sends without an answer.",
        version: "0.7",
        versions: ("0.6", "0.7"),
        product: "Kafka",
        log: true,
        invariants: legacy::invariants::INVARIANTS,
        sections: legacy::keys::SECTIONS,
        selectors: legacy::words::SELECTORS,
        situations: legacy::words::SITUATIONS,
        plan: |scenario| legacy::plan::plan(scenario).map(|spec| Plan::KafkaLegacy(Box::new(spec))),
    },
    ModeInfo {
        name: "kafka-isr",
        starter: include_str!("../brokers/kafka/starters/isr.toml"),
        meaning: "Kafka with replication: a leader, in-sync replicas, and a high watermark.",
        version: "4.1",
        versions: ("0.8.0", "4.1"),
        product: "Kafka",
        log: true,
        sections: isr::keys::SECTIONS,
        selectors: isr::words::SELECTORS,
        situations: isr::words::SITUATIONS,
        invariants: isr::invariants::WORDS,
        plan: |scenario| isr::plan::plan(scenario).map(|spec| Plan::KafkaIsr(Box::new(spec))),
    },
];

fn rabbit(scenario: &Scenario, mode: rabbitmq::plan::Mode) -> Result<Plan, Diagnostics> {
    rabbitmq::plan::plan(scenario, mode).map(|spec| Plan::RabbitMq(Box::new(spec)))
}

/// A scenario as its family has planned it.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// RabbitMQ.
    RabbitMq(Box<rabbitmq::spec::Spec>),
    /// Kafka 0.6 and 0.7.
    KafkaLegacy(Box<legacy::spec::Spec>),
    /// Kafka with replication.
    KafkaIsr(Box<isr::spec::Spec>),
}

impl Plan {
    /// The names of its runs.
    pub(super) fn catalog(&self) -> Catalog {
        match self {
            Plan::RabbitMq(spec) => spec.catalog(),
            Plan::KafkaLegacy(spec) => spec.catalog(),
            Plan::KafkaIsr(spec) => spec.catalog(),
        }
    }

    /// Simulates one seed.
    pub(super) fn run(
        &self,
        catalog: &Arc<Catalog>,
        options: LedgerOptions,
        max_events: Option<u64>,
        facts: RunFacts,
    ) -> Result<Report, RunError> {
        match self {
            Plan::RabbitMq(spec) => {
                let setup = spec.setup(facts.seed);
                run::<rabbitmq::machine::RabbitCluster>(setup, catalog, options, max_events, facts)
            }
            Plan::KafkaLegacy(spec) => {
                let setup = spec.setup(facts.seed);
                run::<legacy::machine::LegacyCluster>(setup, catalog, options, max_events, facts)
            }
            Plan::KafkaIsr(spec) => {
                let setup = spec.setup(facts.seed);
                run::<isr::machine::KafkaCluster>(setup, catalog, options, max_events, facts)
            }
        }
    }

    /// Simulates one seed, with the ingredients of the fingerprint so far at these instants.
    pub(super) fn trace(
        &self,
        catalog: &Arc<Catalog>,
        options: LedgerOptions,
        instants: &[Time],
        facts: RunFacts,
    ) -> Result<Traced, RunError> {
        match self {
            Plan::RabbitMq(spec) => {
                let setup = spec.setup(facts.seed);
                trace::<rabbitmq::machine::RabbitCluster>(setup, catalog, options, instants, facts)
            }
            Plan::KafkaLegacy(spec) => {
                let setup = spec.setup(facts.seed);
                trace::<legacy::machine::LegacyCluster>(setup, catalog, options, instants, facts)
            }
            Plan::KafkaIsr(spec) => {
                let setup = spec.setup(facts.seed);
                trace::<isr::machine::KafkaCluster>(setup, catalog, options, instants, facts)
            }
        }
    }

    /// The random faults of a seed as they came to be, each as a `[[fault]]`.
    pub(super) fn freeze(&self, seed: u64, limit: Option<u64>) -> Result<Vec<String>, RunError> {
        match self {
            Plan::RabbitMq(spec) => freeze::<rabbitmq::machine::RabbitCluster>(
                spec.setup(seed),
                spec.faults.len(),
                limit,
            ),
            Plan::KafkaLegacy(spec) => {
                freeze::<legacy::machine::LegacyCluster>(spec.setup(seed), spec.faults.len(), limit)
            }
            Plan::KafkaIsr(spec) => {
                freeze::<isr::machine::KafkaCluster>(spec.setup(seed), spec.faults.len(), limit)
            }
        }
    }

    /// Simulates one seed under another observer than the ledger.
    pub(super) fn observe<O: Observer>(
        &self,
        seed: u64,
        observer: O,
    ) -> Result<(O, Ending), RunError> {
        match self {
            Plan::RabbitMq(spec) => {
                observe::<rabbitmq::machine::RabbitCluster, O>(spec.setup(seed), observer)
            }
            Plan::KafkaIsr(spec) => {
                observe::<isr::machine::KafkaCluster, O>(spec.setup(seed), observer)
            }
            Plan::KafkaLegacy(spec) => {
                observe::<legacy::machine::LegacyCluster, O>(spec.setup(seed), observer)
            }
        }
    }
}

fn observe<C: Cluster, O: Observer>(
    setup: Setup<C::Machine>,
    observer: O,
) -> Result<(O, Ending), RunError>
where
    MessageOf<C>: Clone,
{
    let mut simulation = Simulation::<C, _>::new(setup, observer)?;
    let ending = simulation.run()?;
    Ok((simulation.into_observer(), ending))
}

fn run<C: Cluster>(
    mut setup: Setup<C::Machine>,
    catalog: &Arc<Catalog>,
    options: LedgerOptions,
    max_events: Option<u64>,
    facts: RunFacts,
) -> Result<Report, RunError>
where
    MessageOf<C>: Clone,
{
    if let Some(max_events) = max_events {
        setup.limits.max_events = max_events;
    }
    setup.invariants = options.invariants;
    let ledger = verdict::Ledger::new(with_drawn(catalog, &setup.faults), options);
    finish(Simulation::<C, _>::new(setup, ledger)?, facts)
}

/// Runs to the end and makes the report.
fn finish<C: Cluster>(
    mut simulation: Simulation<C, verdict::Ledger>,
    facts: RunFacts,
) -> Result<Report, RunError>
where
    MessageOf<C>: Clone,
{
    let ending = simulation.run()?;
    let waits = if ending.quiet { Vec::new() } else { simulation.waits() };
    let statistics = simulation.statistics();
    let facts = RunFacts {
        ended: ending.at,
        quiet: ending.quiet,
        waits: waits
            .into_iter()
            .map(|w| Waits { node: w.node, what: w.what.into_owned() })
            .collect(),
        broker_bytes: statistics.broker_bytes,
        disk_bytes: statistics.disk_bytes,
        fsyncs: statistics.fsyncs,
        events: statistics.events,
        busy: busy(simulation.topology(), &statistics.busy_in_load),
        fingerprint: simulation.fingerprint().clone(),
        ..facts
    };
    Ok(simulation.into_observer().finish(facts))
}

fn trace<C: Cluster>(
    mut setup: Setup<C::Machine>,
    catalog: &Arc<Catalog>,
    options: LedgerOptions,
    instants: &[Time],
    facts: RunFacts,
) -> Result<Traced, RunError>
where
    MessageOf<C>: Clone,
{
    setup.invariants = options.invariants;
    let ledger = verdict::Ledger::new(with_drawn(catalog, &setup.faults), options);
    let mut simulation = Simulation::<C, _>::new(setup, ledger)?;
    let mut checkpoints = Vec::new();
    for &instant in instants {
        simulation.run_until(instant)?;
        let world = simulation.fingerprint();
        let ingredients = simulation.observer().ingredients(&world);
        checkpoints.push((instant, ingredients.map(|(_, hash)| hash)));
    }
    Ok((finish(simulation, facts)?, checkpoints))
}

/// How busy the brokers were, each having spent what stands at its place.
fn busy(topology: &Topology, spent: &[Span]) -> Vec<Busy> {
    let of = |node: NodeId| Busy {
        node,
        spent: spent[node.index()],
        cores: topology.hosts[node.index()].cpu.cores.max(1),
    };
    topology.brokers().map(of).collect()
}

/// The catalogue with the names of the faults that are not of the scenario but of the seed.
fn with_drawn(catalog: &Arc<Catalog>, faults: &[PlannedFault]) -> Arc<Catalog> {
    let drawn = &faults[catalog.faults.len().min(faults.len())..];
    if drawn.is_empty() {
        return Arc::clone(catalog);
    }
    let mut own = Catalog::clone(catalog);
    own.faults.extend(drawn.iter().map(|fault| fault.text.clone()));
    Arc::new(own)
}

/// Runs to the end and writes the faults behind the first `named` ones as they came to be.
fn freeze<C: Cluster>(
    mut setup: Setup<C::Machine>,
    named: usize,
    limit: Option<u64>,
) -> Result<Vec<String>, RunError>
where
    MessageOf<C>: Clone,
{
    setup.limits.max_events = limit.unwrap_or(setup.limits.max_events);
    // Nobody listens.
    setup.invariants = false;
    let (faults, topology) = (setup.faults.clone(), setup.topology.clone());
    let mut simulation = Simulation::<C, _>::new(setup, Blind)?;
    simulation.run()?;
    let drawn = simulation.begun().iter().filter(|begun| begun.index >= named);
    Ok(drawn.map(|begun| fault::freeze::to_toml(&faults[begun.index], begun, &topology)).collect())
}

impl ModeInfo {
    /// Every section that a scenario of this mode may have.
    pub(super) fn sections(&self) -> Vec<&'static SectionSpec> {
        let faults = [&&fault::FAULT, &&fault::NEMESIS, &&fault::NEMESIS_FAULT];
        let common = world::SECTIONS.iter().chain(faults).chain([&&verdict::EXPECT]);
        common.chain(self.sections).copied().collect()
    }

    /// Whether a release is one that this mode simulates; all patches of the last one are.
    pub(super) fn covers(&self, version: Version) -> bool {
        let (first, last) = self.versions;
        let last: Version = last.parse().expect("the table's versions are versions");
        version.cmp_spec(first).is_ge() && version.numbers()[..2] <= last.numbers()[..2]
    }

    /// The release that is simulated if a scenario names none.
    pub(super) fn default_version(&self) -> Version {
        self.version.parse().expect("the table's versions are versions")
    }

    pub(super) fn plan(&self, scenario: &Scenario) -> Result<Plan, Diagnostics> {
        (self.plan)(scenario)
    }
}

/// The values of `mode`.
#[must_use]
pub fn modes() -> &'static [ModeInfo] {
    MODES
}

/// The JSON Schema of the scenarios of a mode, or of all; `None` if there is no such mode.
#[must_use]
pub fn schema(mode: Option<&str>) -> Option<String> {
    let wanted: Vec<&ModeInfo> =
        MODES.iter().filter(|info| mode.is_none_or(|mode| mode == info.name)).collect();
    let mut shapes: Vec<Shape> = Vec::new();
    for mode in wanted {
        let sections = mode.sections();
        let alike = |shape: &&mut Shape| shape.sections == sections;
        match shapes.iter_mut().find(alike) {
            Some(shape) => shape.modes.push(mode.name),
            None => shapes.push(Shape { modes: vec![mode.name], sections }),
        }
    }
    (!shapes.is_empty()).then(|| scenario::schema::schema(&shapes))
}

/// Something that can be written in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectable {
    /// How it is written.
    pub name: String,
    /// What it means, in one sentence.
    pub meaning: String,
}

/// The kinds of faults.
#[must_use]
pub fn faults() -> Vec<Selectable> {
    let row = |kind: &Variant| Selectable {
        name: kind.name.to_owned(),
        meaning: kind.meaning.to_owned(),
    };
    fault::KINDS.variants.iter().map(row).collect()
}

/// The selectors of the world and of every family.
#[must_use]
pub fn selectors() -> Vec<Selectable> {
    let mut rows: Vec<Selectable> = Vec::new();
    let families = MODES.iter().flat_map(|mode| mode.selectors);
    for spec in world::SELECTORS.iter().chain(families) {
        let row = Selectable { name: spec.to_string(), meaning: spec.meaning.to_owned() };
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

/// Everything that can be written in a scenario of a mode, as text; `None` if there is no such
/// mode.
#[must_use]
pub fn describe_mode(name: &str) -> Option<String> {
    let mode = MODES.iter().find(|mode| mode.name == name)?;
    let mut text = format!("{}: {}\n", mode.name, mode.meaning);
    let (first, last) = mode.versions;
    let (product, default) = (mode.product, mode.version);
    let versions = format!("broker-version: {product} {first} to {last}; default {default}\n");
    text.push_str(&versions);
    let mut sections = vec![&TOP];
    sections.extend(mode.sections());
    for section in sections {
        describe_section(&mut text, section.meaning, &describe(section));
    }
    let meaning = "A table that may stand where a duration or distribution is asked for.";
    describe_section(&mut text, meaning, &distributions(Unit::Duration));
    let meaning = "A table that may stand where a size or distribution is asked for.";
    describe_section(&mut text, meaning, &distributions(Unit::Size));
    describe_invariants(&mut text, mode.invariants);
    describe_situations(&mut text, mode.situations);
    Some(text)
}

/// What `[[expect]]` can name as `sometimes`.
fn describe_situations(text: &mut String, situations: &[Situation]) {
    text.push_str("\nsituations\n");
    let meaning = "What `sometimes` can name: a suite in which no seed comes there is too weak. \
                   Events, roles, causes and conditions, as events.csv and loss.csv have them, are \
                   situations by their own names.";
    wrapped(text, (2, 2), meaning);
    text.push('\n');
    for situation in situations {
        wrapped(text, (2, 6), &format!("{}: {}", situation.name, situation.meaning));
    }
}

/// What `[[expect]]` can name as `invariant`; nothing if the mode checks none.
fn describe_invariants(text: &mut String, invariants: &[InvariantWord]) {
    if invariants.is_empty() {
        return;
    }
    text.push_str("\ninvariants\n");
    let meaning = "What is checked after every step of a run. One that the mode claims for the \
                   version and configuration fails the run if it breaks; others are told.";
    wrapped(text, (2, 2), meaning);
    text.push('\n');
    for word in invariants {
        let claimed = if word.claimed() { "claimed by default" } else { "not claimed by default" };
        wrapped(text, (2, 6), &format!("{}: {claimed}", word.name));
        wrapped(text, (6, 6), word.meaning);
        if !word.rests_on.is_empty() {
            wrapped(text, (6, 8), &format!("rests on {}", word.rests_on.join(", ")));
        }
    }
}

fn describe_section(text: &mut String, meaning: &str, rows: &[KeyRow]) {
    let title = rows.first().map_or("", |row| row.section.as_str());
    text.push_str(&format!("\n{title}\n"));
    wrapped(text, (2, 2), meaning);
    text.push('\n');
    for row in &together(rows) {
        describe_key(text, row);
    }
}

/// Rows that say the same of several variants as one.
fn together(rows: &[KeyRow]) -> Vec<KeyRow> {
    let mut merged: Vec<KeyRow> = Vec::new();
    for row in rows {
        let same = |other: &&mut KeyRow| {
            let with = row.only_with.clone();
            *row == KeyRow { only_with: with, ..(**other).clone() }
        };
        let tag_and_value = row.only_with.split_once(" = ");
        match (merged.iter_mut().find(same), tag_and_value) {
            (Some(other), Some((tag, value))) if other.only_with.starts_with(tag) => {
                other.only_with.push_str(&format!(", {value}"));
            }
            _ => merged.push(row.clone()),
        }
    }
    merged
}

fn describe_key(text: &mut String, row: &KeyRow) {
    let only = match row.only_with.as_str() {
        "" => String::new(),
        with => format!(", with {with}"),
    };
    let default = match row.default.as_str() {
        "required" => "required".to_owned(),
        "none" => "optional".to_owned(),
        value => format!("default {value}"),
    };
    let kind = match (row.kind.as_str(), row.range.as_str()) {
        (kind, "") => kind.to_owned(),
        ("a word", words) => format!("one of {words}"),
        (kind, range) => format!("{kind}, {range}"),
    };
    wrapped(text, (2, 6), &format!("{}{only}: {kind}; {default}", row.key));
    wrapped(text, (6, 6), row.meaning);
    if !row.source.is_empty() {
        wrapped(text, (6, 6), &format!("[{}]", row.source));
    }
}

/// Text in at most 100 columns, behind so many blanks in its first line and in those after it.
fn wrapped(text: &mut String, (first, then): (usize, usize), words: &str) {
    let mut line = " ".repeat(first);
    let mut used = 0;
    for word in words.split_whitespace() {
        if used > 0 && line.chars().count() + 1 + word.chars().count() > 100 {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(then);
            used = 0;
        }
        if used > 0 {
            line.push(' ');
        }
        line.push_str(word);
        used += 1;
    }
    text.push_str(&line);
    text.push('\n');
}
