//! Raft as Kafka's metadata quorum runs it: KIP-595 (replication by fetching), KIP-630
//! (snapshots), Kafka 3.3 to 4.1.
//!
//! A [`Replica`] is a part of a machine: of a controller, which votes, or of a broker, which
//! observes. It lives on a lane of its own, as Kafka's `raft-io-thread` does, and so waits for its
//! own fsyncs without holding up anything else:
//!
//! ```text
//! Boot             ─▶ lane = ctx.spawn(); replica.boot(lane, ctx)
//! Accepted on PORT ─▶ replica.accept(conn, ctx)
//! input on lane    ─▶ for event in replica.handle(input, ctx) { ... }
//! died             ─▶ replica.died(death, disk)
//! ```
//!
//! The family's messages carry a [`Message`] ([`Carry`](super::Carry)); [`PORT`] and the files from
//! [`Config::files`] on are its own. What it tells its machine are [`Event`]s; records are read
//! with [`Replica::committed`]. What the machine asks for it asks on any lane:
//! [`append`](Replica::append), [`resign`](Replica::resign), [`shutdown`](Replica::shutdown),
//! [`take_snapshot`](Replica::take_snapshot). The family's check of invariants asks an [`Oracle`].
//!
//! | file | what |
//! | --- | --- |
//! | `config.rs` | timers, sizes, rules that tests break |
//! | `log.rs` | batches, epoch cache, divergence |
//! | `message.rs` | requests and answers |
//! | `store.rs` | what is on disk, and what of it a death leaves |
//! | `peers.rs` | one request at a time to each voter, time-outs and back-off |
//! | `leader.rs` | what a leader knows: followers, high watermark, waiting fetches, accumulator |
//! | `role.rs` | the roles and what goes with each |
//! | `replica/` | the replica: transitions, requests, answers, what is due, effects, what others see of it |
//! | `oracle.rs` | the invariants |
//!
//! **Invariants**: the vote and the epoch are durable before anything is said that rests on them;
//! a voter has fsynced whatever is before the offset from which it fetches; a leader makes nothing
//! committed before a record of its own epoch is.
//!
//! **Approximations**: two writes of `quorum-state` while one request is handled are one; a voter
//! reads a connection's next request while a fetch on it waits (Kafka's client would not send it
//! yet); the voters are those of the configuration (no KIP-853); an observer that is answered by
//! somebody who knows no leader asks again after `retry.backoff.ms`, not at once; a leader counts
//! its own end when its fsync is through (3.9 counts it before, which differs only where there is
//! one voter); a
//! voter fsyncs its log when it starts, so that what it acknowledges is durable (Kafka's recovery
//! leaves that to the next append, at most 500 ms later).

mod config;
mod leader;
mod log;
mod message;
mod oracle;
mod peers;
mod replica;
mod role;
mod store;

pub use config::{Config, Faulty, PORT};
pub use log::{
    BATCH_OVERHEAD, Batch, Body, Epoch, EpochStart, Log, Offset, OffsetAndEpoch, Record, Snapshot,
    Validity,
};
pub use message::{Answer, Error, Fetch, Found, Message, Request, Response};
pub use oracle::{Invariant, Oracle, Violation};
pub use replica::{Event, NotLeader, Replica};
pub use role::RoleName;
pub use store::Election;
