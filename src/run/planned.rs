//! A scenario as its family has planned it: the one place at which a family's own type is forgotten.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use crate::brokers::kit::Family;
use crate::engine::{Fingerprint, Span, Time};
use crate::observe::{Blind, Catalog, FaultId, NodeId, Observer};
use crate::verdict::{Busy, Ledger, LedgerOptions, Waits};
use crate::world::{
    CardSpec, Cluster, Ending, PlannedFault, Setup, Simulation, Statistics, Topology, fault,
};

use super::RunError;

/// A run that is over: what the ledger saw, and what the world knows.
pub(super) struct Done {
    pub(super) ledger: Ledger,
    pub(super) ending: Ending,
    /// If it did not become quiet, who waits for what.
    pub(super) waits: Vec<Waits>,
    pub(super) statistics: Statistics,
    pub(super) busy: Vec<Busy>,
    pub(super) fingerprint: Fingerprint,
    /// The ingredients of the fingerprint at the stops.
    pub(super) checkpoints: Vec<(Time, [u64; 5])>,
}

/// Where a run stops for a moment, which does not change what happens.
#[derive(Clone, Copy)]
pub(super) struct Stops<'a> {
    /// The instants, which ascend.
    pub(super) instants: &'a [Time],
    /// What is told of each as it is passed.
    pub(super) passed: &'a dyn Fn(Time),
}

impl Stops<'_> {
    /// It goes through to its end.
    pub(super) const NONE: Stops<'static> = Stops { instants: &[], passed: &|_| () };
}

/// A scenario of any family, of which every seed can be simulated.
pub(super) trait Planned: Debug + Send + Sync {
    /// The names of its runs.
    fn catalog(&self) -> Catalog;

    /// Simulates one seed, with a checkpoint at each of the stops.
    fn run(
        &self,
        seed: u64,
        catalog: &Arc<Catalog>,
        options: LedgerOptions,
        max_events: Option<u64>,
        stops: Stops<'_>,
    ) -> Result<Done, RunError>;

    /// Simulates one seed as if every fault were over at `healed`, and none began afterwards. `begun` says when
    /// each of them began.
    fn run_healed(
        &self,
        seed: u64,
        catalog: &Arc<Catalog>,
        options: LedgerOptions,
        begun: &BTreeMap<FaultId, Time>,
        healed: Time,
    ) -> Result<Done, RunError>;

    /// Settings that make messages safer, as `--set` takes them ([`Family::REMEDIES`]).
    fn remedies(&self) -> &'static [&'static str];

    /// The random faults of a seed as they came to be, each as a `[[fault]]`.
    fn freeze(&self, seed: u64, max_events: Option<u64>) -> Result<Vec<String>, RunError>;

    /// Simulates one seed under another observer than the ledger.
    fn observe(&self, seed: u64, observer: &mut dyn Observer) -> Result<Ending, RunError>;
}

impl<F: Family> Planned for F {
    fn catalog(&self) -> Catalog {
        Family::catalog(self)
    }

    fn run(
        &self,
        seed: u64,
        catalog: &Arc<Catalog>,
        options: LedgerOptions,
        max_events: Option<u64>,
        stops: Stops<'_>,
    ) -> Result<Done, RunError> {
        let setup = Setup { invariants: options.invariants, ..limited(self, seed, max_events) };
        let ledger = Ledger::new(with_drawn(catalog, &setup.faults), options);
        ledgered::<F::Cluster>(setup, ledger, stops)
    }

    fn run_healed(
        &self,
        seed: u64,
        catalog: &Arc<Catalog>,
        options: LedgerOptions,
        begun: &BTreeMap<FaultId, Time>,
        healed: Time,
    ) -> Result<Done, RunError> {
        let mut setup = Setup { invariants: false, ..self.setup(seed) };
        let ledger = Ledger::new(with_drawn(catalog, &setup.faults), options);
        // Each keeps its place, by which it draws; one that must not begin is due when no load is offered any more.
        let never = Time::ZERO + setup.duration + Span::from_nanos(1);
        for fault in &mut setup.faults {
            let begun = begun.get(&fault.id).copied();
            let begins = begun.or(fault.waits.is_none().then_some(fault.at));
            match begins.filter(|begins| *begins < healed) {
                Some(begins) => {
                    let until = healed.since(begins);
                    fault.lasts = Some(fault.lasts.map_or(until, |lasts| lasts.min(until)));
                }
                None => fault.at = never,
            }
        }
        ledgered::<F::Cluster>(setup, ledger, Stops::NONE)
    }

    fn remedies(&self) -> &'static [&'static str] {
        F::REMEDIES
    }

    fn freeze(&self, seed: u64, max_events: Option<u64>) -> Result<Vec<String>, RunError> {
        let setup = Setup { invariants: false, ..limited(self, seed, max_events) };
        let named = self.frame().faults.len();
        let faults = setup.faults.clone();
        let mut nobody = Blind;
        let mut simulation = watched::<F::Cluster>(setup, &mut nobody)?;
        simulation.run()?;
        let drawn = simulation.begun().iter().filter(|begun| begun.index >= named);
        let topology = simulation.topology();
        let frozen =
            drawn.map(|begun| fault::freeze::to_toml(&faults[begun.index], begun, topology));
        Ok(frozen.collect())
    }

    fn observe(&self, seed: u64, observer: &mut dyn Observer) -> Result<Ending, RunError> {
        Ok(watched::<F::Cluster>(self.setup(seed), observer)?.run()?)
    }
}

/// A run under the ledger, from its start to its end.
fn ledgered<C: Cluster>(
    setup: Setup<C::Machine>,
    ledger: Ledger,
    stops: Stops<'_>,
) -> Result<Done, RunError> {
    let mut simulation = Simulation::<C, _>::new(setup, ledger)?;
    let mut checkpoints = Vec::new();
    for &instant in stops.instants {
        simulation.run_until(instant)?;
        (stops.passed)(instant);
        let world = simulation.fingerprint();
        let ingredients = simulation.observer().ingredients(&world);
        checkpoints.push((instant, ingredients.map(|(_, hash)| hash)));
    }
    let ending = simulation.run()?;
    let waits = if ending.quiet { Vec::new() } else { simulation.waits() };
    let waits = waits.into_iter().map(|w| Waits { node: w.node, what: w.what.into_owned() });
    let statistics = simulation.statistics();
    Ok(Done {
        ending,
        waits: waits.collect(),
        busy: busy(simulation.topology(), &statistics),
        statistics,
        fingerprint: simulation.fingerprint(),
        checkpoints,
        ledger: simulation.into_observer(),
    })
}

/// A run under any observer, of which there is one machine code for all.
fn watched<C: Cluster>(
    setup: Setup<C::Machine>,
    observer: &mut dyn Observer,
) -> Result<Simulation<C, &mut dyn Observer>, RunError> {
    Ok(Simulation::new(setup, observer)?)
}

/// The set-up of a seed, with another limit on its events if one is wanted.
fn limited<F: Family>(
    family: &F,
    seed: u64,
    max_events: Option<u64>,
) -> Setup<<F::Cluster as Cluster>::Machine> {
    let mut setup = family.setup(seed);
    setup.limits.max_events = max_events.unwrap_or(setup.limits.max_events);
    setup
}

/// How busy the brokers were while load was offered.
fn busy(topology: &Topology, statistics: &Statistics) -> Vec<Busy> {
    let of = |node: NodeId| {
        let (host, devices) =
            (&topology.hosts[node.index()], statistics.devices_in_load[node.index()]);
        Busy {
            node,
            spent: statistics.busy_in_load[node.index()],
            cores: host.cpu.cores.max(1),
            disk: devices.disk,
            card: (host.card != CardSpec::UNLIMITED)
                .then_some((devices.sending, devices.receiving)),
        }
    };
    topology.brokers().map(of).collect()
}

/// The catalogue with the names of the faults that are not of the scenario but of the seed.
fn with_drawn(catalog: &Arc<Catalog>, faults: &[PlannedFault]) -> Arc<Catalog> {
    let named = catalog.faults.len() - catalog.actions.len();
    let drawn = &faults[named.min(faults.len())..];
    if drawn.is_empty() {
        return Arc::clone(catalog);
    }
    let mut own = Catalog::clone(catalog);
    own.faults.extend(drawn.iter().map(|fault| fault.text.clone()));
    Arc::new(own)
}
