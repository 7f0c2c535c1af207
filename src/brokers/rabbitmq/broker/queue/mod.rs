//! The process of a queue, leader or mirror, and who belongs to a mirrored queue.
//!
//! | file | what it is in RabbitMQ |
//! | --- | --- |
//! | `replica.rs` | rabbit_amqqueue_process or rabbit_mirror_queue_slave: whom its mail is for |
//! | `base.rs` | what both have: publishing channels, confirms, credit |
//! | `leader.rs` | rabbit_amqqueue_process, rabbit_mirror_queue_master, rabbit_mirror_queue_coordinator |
//! | `mirror.rs` | rabbit_mirror_queue_slave, and its promotion |
//! | `sync.rs` | rabbit_mirror_queue_sync |
//! | `members.rs` | rabbit_mirror_queue_misc: who belongs to the queue, and who leads |
//! | `commands.rs` | what operators ask of a queue; its end |
//! | `declared.rs` | rabbit_amqqueue: `internal_declare`; exclusive queues |
//! | `policy.rs` | rabbit_amqqueue_process: `update_mirroring`, `process_args_policy` |
//! | `consumers.rs` | rabbit_queue_consumers |
//! | `limits.rs` | rabbit_amqqueue_process: lengths, times to live, the queue's end |
//! | `dead_letter.rs` | rabbit_dead_letter |
//! | `flush.rs` | rabbit_amqqueue_process: `next_state`, hibernation, recovery |

pub(super) mod base;
mod commands;
pub(super) mod consumers;
pub(super) mod dead_letter;
mod declared;
mod flush;
mod leader;
mod limits;
mod members;
mod mirror;
mod policy;
pub mod replica;
pub mod sync;
