//! The physical world: hosts with processes, CPU and disk, the network between them, and the faults
//! that act on all of it. No broker's word occurs here.
//!
//! A [`Simulation`] owns the clock, the world, one [`Machine`] a host and an observer. An event is
//! taken from the queue; what it means for a process becomes an [`Input`]; the input is given to
//! its [`Lane`], at once if the lane is free, else by way of the lane's mailbox; the machine
//! handles it and writes its effects into the [`Context`], which schedules events.
//!
//! ```text
//! Event ─▶ Arrival { node, lane, input } ─deliver─▶ Machine::handle(input, ctx) ─▶ effects ─▶
//! Events
//! ```
//!
//! What keeps it fast: an event is 16 bytes; a message waits in the queue of its connection, which
//! is reused; a FIFO server (a link, a disk, a core) is a `free_at`, not an event; a hop between
//! two lanes that are free is one event. Everything is plain data: a clone of the simulation runs
//! on alike.
//!
//! Invariants: a message is never lost or reordered by a connection that lives; nothing of a dead
//! incarnation reaches a new one; a fault takes back what it did and nothing else; streams are
//! keyed by the names of hosts, so a host more does not change what others draw.
//!
//! Approximations, on purpose: room in a send buffer is known to the sender when the receiver
//! reads, not half a round trip later; a connection has no congestion window; data that waited for
//! a retransmission follows it without slow start; a process that is killed in the middle of an
//! input has already done what the input does at once (see [`Context`]).

pub mod action;
mod alarm;
mod clock;
mod context;
mod disk;
mod effect;
mod ending;
mod event;
pub mod fault;
pub mod hardware;
mod hold;
mod lane;
mod machine;
mod network;
mod node;
pub mod plan;
mod process;
mod selector;
mod setup;
mod simulation;
mod statistics;
mod supervisor;

pub use action::PlannedAction;
pub use alarm::{Alarm, By};
pub use context::Context;
pub use disk::{DiskError, DiskView};
pub use ending::Ending;
pub use fault::PlannedFault;
pub use hardware::Hardware;
pub use machine::{
    Boot, Closing, Cluster, ConnId, ConnectError, Death, Established, FileId, Input, Lane, Machine,
    MessageOf, Port, Signal, TimerId, Wait, Waiting,
};
pub use network::{
    CardSpec, CongestionControl, CpuSpec, DEFAULT_SOCKET_BUFFER, DiskSpec, Host, LinkSpec,
    PageCacheSpec, Topology, TopologyError,
};
pub use plan::{ClusterPlan, MOST_NODES, SECTIONS};
pub use selector::{Argument, Pick, RoleQuery, SELECTORS, SelectorSpec, Target, WorldView};
pub use setup::{Setup, SetupError};
pub use simulation::{Runaway, Simulation};
pub use statistics::{Devices, Statistics};
