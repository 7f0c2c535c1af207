//! The physical world: nodes, CPU, disk, network, and the faults that act on them.

mod context;
mod disk;
mod ending;
mod event;
pub mod fault;
pub mod hardware;
mod lane;
mod machine;
mod network;
mod node;
pub mod plan;
mod process;
mod selector;
mod simulation;

pub use context::Context;
pub use disk::{DiskError, DiskView};
pub use ending::Ending;
pub use fault::PlannedFault;
pub use hardware::Hardware;
pub use machine::{
    Boot, Closing, Cluster, ConnId, ConnectError, Death, Established, FileId, Input, Lane, Machine,
    MessageOf, Port, Signal, TimerId,
};
pub use network::{
    CpuSpec, DEFAULT_SOCKET_BUFFER, DiskSpec, Host, LinkSpec, Topology, TopologyError,
};
pub use plan::{ClusterPlan, SECTIONS};
pub use selector::{Argument, Pick, RoleQuery, SELECTORS, SelectorSpec, Target, WorldView};
pub use simulation::{Runaway, Setup, SetupError, Simulation, Statistics};
