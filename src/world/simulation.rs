//! The run.

use std::marker::PhantomData;

use crate::engine::{Fingerprint, Limits, Span, Time};
use crate::observe::{NodeId, Observer};

use super::fault::PlannedFault;
use super::machine::{Cluster, Machine};
use super::network::Topology;

/// All that a run is made of.
#[derive(Clone, Debug)]
pub struct Setup<M: Machine> {
    /// The root of all random streams.
    pub seed: u64,
    /// Hosts and network.
    pub topology: Topology,
    /// One machine a host, in the order of the hosts.
    pub machines: Vec<M>,
    /// Connections that exist before time zero: (who had connected, to whom).
    pub established: Vec<(NodeId, NodeId)>,
    /// The schedule of faults.
    pub faults: Vec<PlannedFault>,
    /// Measured time: after it producers stop and faults end.
    pub duration: Span,
    /// How long the run may take after that to become quiet.
    pub drain: Span,
    /// When to stop a run that does not end.
    pub limits: Limits,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Time,
    /// Whether everything had come to rest.
    pub quiet: bool,
}

/// What a run cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes that brokers handed to connections with other brokers.
    pub broker_bytes: u64,
    /// Bytes that brokers' disks were given to write.
    pub disk_bytes: u64,
    /// Completed and pending fsync calls of brokers.
    pub fsyncs: u64,
    /// Events dispatched.
    pub events: u64,
    /// CPU time spent by each node.
    pub busy: Vec<Span>,
}

/// Machines chase each other, or the run has more events than allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit}; at the end these were at work: {}", .machines.join(", "))]
pub struct Runaway {
    /// Which limit was passed, and when.
    pub limit: crate::engine::Runaway,
    /// Names of the machines that were at work at the end, the busiest first.
    pub machines: Vec<String>,
}

pub(crate) struct World<M> {
    message: PhantomData<M>,
}
impl<M> World<M> {
    pub(crate) fn todo<T>(&self) -> T {
        unreachable!("first commit: interface only")
    }
}

/// One run: the clock, the physical world, the machines and the observer. Clone it at any moment,
/// and both run on alike.
#[derive(Clone)]
pub struct Simulation<C: Cluster, O: Observer> {
    machines: Vec<C::Machine>,
    observer: O,
    now: Time,
}

#[allow(unused_variables)]
impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// A run at time zero: nothing has booted yet.
    ///
    /// # Errors
    /// A topology that cannot be simulated, or a machine too many or too few.
    pub fn new(setup: Setup<C::Machine>, observer: O) -> Result<Self, super::TopologyError> {
        Ok(Simulation { machines: setup.machines, observer, now: Time::ZERO })
    }
    /// Runs to the end.
    ///
    /// # Errors
    /// [`Runaway`] if a limit was passed.
    pub fn run(&mut self) -> Result<Ending, Runaway> {
        Ok(Ending { at: self.now, quiet: false })
    }
    /// Runs until just before `time`; `Some` if the run ended before.
    ///
    /// # Errors
    /// [`Runaway`] if a limit was passed.
    pub fn run_until(&mut self, time: Time) -> Result<Option<Ending>, Runaway> {
        Ok(None)
    }
    /// The clock.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }
    /// Who is told what happens.
    #[must_use]
    pub fn observer(&self) -> &O {
        &self.observer
    }
    /// The observer, when the run is over.
    #[must_use]
    pub fn into_observer(self) -> O {
        self.observer
    }
    /// The machines, one a host.
    #[must_use]
    pub fn machines(&self) -> &[C::Machine] {
        &self.machines
    }
    /// What the run has cost so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics::default()
    }
    /// Events, faults and draws so far; outcomes and roles are the observer's to fold.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::new()
    }
}
