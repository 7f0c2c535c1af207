//! What every family needs and none should write again: the paperwork around its physics.
//!
//! | file | what it is |
//! | --- | --- |
//! | `family.rs` | [`Family`]: what the rest of mqsim asks of a family |
//! | `frame.rs` | [`Frame`]: what every scenario comes to; the end of every plan |
//! | `words.rs` | `words!`: causes, conditions, roles, events, situations, selectors, a line each |
//! | `keys.rs` | `keys!`: the keys of a section, a line each, and the struct that they fill |
//! | `costs.rs` | `costs!`: CPU times, a line each, and `[costs]` |
//! | `rules.rs` | `named_rules!`: what the broker does, a line each, and `[rules]` |
//! | `actions.rs` | [`Command`], `actions!`: what an operator can order, a file a kind |
//! | `machines.rs` | `machines!`: the enum of a family's machines |
//! | `application/` | the applications behind clients: what sends, and what reads |
//! | `portable.rs` | [`Dialect`]: what a portable scenario becomes in a mode |
//! | `lock.rs` | [`FileLock`](lock::FileLock): who has the lock of a file on a server, and its lease |
//! | `log/` | a log of messages, for families that keep one |
//! | `touched.rs` | [`Touched`](touched::Touched): what a machine notes for its invariants |
//! | `streams.rs` | [`Streams`](streams::Streams): partitions as destinations, and what one producer sends to one |

pub mod actions;
pub mod application;
pub mod costs;
mod family;
mod frame;
pub mod keys;
pub mod lock;
pub mod log;
pub mod machines;
mod portable;
pub mod rules;
pub mod streams;
pub mod touched;
pub mod words;

pub use actions::{Command, actions};
pub use family::{About, Family, MachineOf, Mode, Sends, Words};
pub use frame::{Cast, Frame, Reach, complete};
pub use portable::{Dialect, Hosts, Setting};
