//! The run of a script: time passes as it says, and what has happened meanwhile is told.

use mqsim::brokers::kit::Family;
use mqsim::engine::{Span, Time};
use mqsim::observe::Observer;
use mqsim::world::{Cluster, PlannedFault, Setup, Simulation};

use super::{Command, Manner, Told, Trace, span};

/// An observer that tells what it has seen.
pub(crate) trait Telling: Observer {
    /// How many facts it has.
    fn len(&self) -> usize;

    /// The facts from the `from`th on as lines.
    fn lines(&self, from: usize) -> Vec<String>;
}

/// A run that is under way.
pub(crate) struct Run<C: Cluster, T: Observer> {
    simulation: Simulation<C, T>,
    now: Time,
    /// How many facts have been printed.
    told: usize,
}

impl<C: Cluster, T: Telling> Run<C, T> {
    pub(crate) fn new(setup: Setup<C::Machine>, telling: T) -> Told<Run<C, T>> {
        let simulation = Simulation::<C, T>::new(setup, telling);
        let simulation = simulation.map_err(|error| format!("0: {error}"))?;
        Ok(Run { simulation, now: Time::ZERO, told: 0 })
    }

    pub(crate) fn machines(&self) -> &[C::Machine] {
        self.simulation.machines()
    }

    /// Lets time pass, if that is what a command is for: what `run` and `skip` put out.
    pub(crate) fn pass(&mut self, command: &Command<'_>) -> Told<Option<Vec<String>>> {
        if !["run", "skip"].contains(&command.name) {
            return Ok(None);
        }
        self.now += span(command.word(0)?)?;
        self.simulation.run_until(self.now).map_err(|error| error.to_string())?;
        let telling = self.simulation.observer();
        let from = std::mem::replace(&mut self.told, telling.len());
        let lines = telling.lines(from);
        Ok(Some(if command.name == "run" { lines } else { Vec::new() }))
    }
}

impl<C: Cluster> Run<C, Trace> {
    /// The run of a family's scenario, without an end, under the faults of the script.
    pub(crate) fn of<F: Family<Cluster = C>>(
        spec: &F,
        faults: Vec<PlannedFault>,
        manner: Manner,
    ) -> Told<Run<C, Trace>> {
        let setup = Setup {
            faults,
            duration: Span::from_secs(100_000),
            drain: Span::ZERO,
            invariants: false,
            ..spec.setup(1)
        };
        Run::new(setup, Trace::new(manner, spec.catalog()))
    }
}
