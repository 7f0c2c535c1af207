//! A ZooKeeper ensemble, as of 3.3 to 3.8, and the session of a client.
//!
//! [`Server`] is a host's whole machine: it can be killed, lose power, be paused and partitioned.
//! [`Session`] is embedded in a machine of a family and lives on a lane of its choosing. Both speak
//! [`Message`], which a family carries in its own message type ([`Carry`](super::Carry)). Znodes
//! hold a family's [`Data`] instead of bytes.
//!
//! | file | what |
//! | --- | --- |
//! | `data.rs` | operations, answers, errors |
//! | `tree.rs`, `watches.rs`, `tracker.rs`, `election.rs`, `log.rs` | pure parts of a server |
//! | `server/` | a server |
//! | `session.rs` | a client's session |
//! | `config.rs` | `[zookeeper]`, costs, words |
//! | `check.rs` | what must always hold among servers |
//!
//! Architecture invariant: nothing here knows what is coordinated, or by whom.
//!
//! Invariants: what a majority has in its logs is never lost while no more than a minority loses
//! disks; transactions are done in the order of their zxids; a client sees its own writes, never
//! goes back in time, and is told of a change by its watch before it can read it.

mod check;
mod config;
mod data;
mod election;
mod log;
mod message;
mod server;
mod session;
#[cfg(test)]
mod tests;
mod tracker;
mod tree;
mod watches;

pub use check::{Oracle, check};
pub use config::{
    CLIENT_PORT, Config, Costs, ELECTION_PORT, QUORUM_PORT, SESSIONS, SESSIONS_3_5, Settings,
    Words, ZOOKEEPER,
};
pub use data::{
    Answer, Data, Error, Mode, Op, Outcome, Path, SessionId, Stat, WatchKind, Xid, Zxid, name,
    parent,
};
pub use election::{Doing, Notification, Vote};
pub use log::{Log, Snapshot};
pub use message::{Ask, Connect, Message, Reply, Timer, ToFollower, ToLeader};
pub use server::Server;
pub use session::{Event, Session};
pub use tracker::Tracker;
pub use tree::{Change, Entry, Tree, Txn, Znode};
pub use watches::{Rewatch, Watches};
