//! The physical world: nodes, CPU, disk, network, and the faults that act on them.

mod context;
mod disk;
pub mod fault;
mod machine;
mod network;
mod selector;
mod simulation;

pub use context::Context;
pub use disk::{DiskError, DiskView};
pub use fault::PlannedFault;
pub use machine::{
    Boot, Closing, Cluster, ConnId, ConnectError, Death, Established, FileId, Input, Lane, Machine,
    MessageOf, Port, Signal, TimerId,
};
pub use network::{
    CpuSpec, DEFAULT_SOCKET_BUFFER, DiskSpec, Host, LinkSpec, Topology, TopologyError,
};
pub use selector::{Argument, RoleQuery, SelectorSpec, WorldView};
pub use simulation::{Ending, Runaway, Setup, Simulation, Statistics};
