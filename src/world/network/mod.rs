//! The network.
mod topology;
pub use topology::{
    CpuSpec, DEFAULT_SOCKET_BUFFER, DiskSpec, Host, LinkSpec, Topology, TopologyError,
};
