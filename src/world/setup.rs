//! What a run is made of, and how it begins.

use std::sync::Arc;

use crate::engine::{Limits, Span};
use crate::observe::{NodeId, Observer};

use super::action::PlannedAction;
use super::ending::Phase;
use super::fault::PlannedFault;
use super::machine::{Cluster, ConnId, Established, Machine};
use super::network::{SideState, Topology, TopologyError};
use super::simulation::{Simulation, World};

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
    /// What an operator does, and when.
    pub actions: Vec<PlannedAction>,
    /// Measured time: after it producers stop and faults end.
    pub duration: Span,
    /// How long the run may take after that to become quiet.
    pub drain: Span,
    /// When to stop a run that does not end.
    pub limits: Limits,
    /// Whether the family's invariants are checked, if it has any. What happens is the same either
    /// way.
    pub invariants: bool,
}

/// Why a run cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The hosts or the network are not right.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// There must be one machine a host.
    #[error("{hosts} hosts and {machines} machines")]
    Machines {
        /// Number of hosts.
        hosts: usize,
        /// Number of machines.
        machines: usize,
    },
    /// A connection or a fault names a host that is not there.
    #[error("there is no host number {0}")]
    NoHost(u32),
}

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// A run at time zero: all processes are about to boot, in the order of the hosts.
    ///
    /// # Errors
    /// A topology that cannot be simulated, or a machine, connection or fault without host.
    pub fn new(setup: Setup<C::Machine>, observer: O) -> Result<Self, SetupError> {
        setup.topology.check()?;
        let hosts = setup.topology.hosts.len();
        if setup.machines.len() != hosts {
            return Err(SetupError::Machines { hosts, machines: setup.machines.len() });
        }
        let ends = setup.established.iter().flat_map(|(a, b)| [*a, *b]);
        let aimed = setup.faults.iter().flat_map(PlannedFault::named);
        if let Some(node) = ends.chain(aimed).find(|node| node.index() >= hosts) {
            return Err(SetupError::NoHost(node.0));
        }
        let mut simulation = Simulation {
            world: World::new(Arc::new(setup.topology), setup.seed, setup.limits),
            machines: setup.machines,
            observer,
            oracle: C::Oracle::default(),
            invariants: setup.invariants,
            seed: setup.seed,
            faults: setup.faults,
            actions: setup.actions,
            active: Vec::new(),
            begun: Vec::new(),
            waiting: 0,
            fault_draws: 0,
            phase: Phase::Load,
            duration: setup.duration,
            drain: setup.drain,
            busy_in_load: Vec::new(),
            devices_in_load: Vec::new(),
            established: vec![Vec::new(); hosts],
        };
        simulation.establish(&setup.established);
        for node in 0..hosts as u32 {
            simulation.start(node);
        }
        simulation.schedule_faults();
        simulation.schedule_actions();
        Ok(simulation)
    }

    fn establish(&mut self, pairs: &[(NodeId, NodeId)]) {
        for (from, to) in pairs {
            let conn = self.world.net.open(from.0, to.0, SideState::Open);
            let forth = Established { conn, peer: *to, initiator: true };
            let back = Established { conn: ConnId(conn.0 | 1), peer: *from, initiator: false };
            self.established[from.index()].push(forth);
            self.established[to.index()].push(back);
        }
    }
}
