//! RabbitMQ 3.3 to 4.3: single node, classic cluster, mirrored queues, quorum queues.
//!
//! Where RabbitMQ's processes and modules are:
//!
//! | in RabbitMQ | here | what comes to it |
//! | --- | --- | --- |
//! | rabbit_reader, rabbit_heartbeat | `broker/channel/throttle.rs`, `mod.rs` | [`message::amqp`] |
//! | rabbit_channel, rabbit_writer | `broker/channel/` | [`message::channel`] |
//! | rabbit_amqqueue_process | `broker/queue/leader.rs`, `limits.rs`, `flush.rs` | [`message::queue`] |
//! | rabbit_mirror_queue_master, rabbit_mirror_queue_coordinator | `broker/queue/leader.rs` | the same |
//! | rabbit_mirror_queue_slave | `broker/queue/mirror.rs` | the same |
//! | rabbit_mirror_queue_sync | `broker/queue/sync.rs` | the same |
//! | rabbit_mirror_queue_misc, rabbit_amqqueue | `broker/queue/members.rs`, `mirroring.rs` | |
//! | rabbit_queue_consumers, rabbit_limiter | `broker/queue/consumers.rs` | |
//! | rabbit_fifo_client | `broker/channel/quorum/` | [`message::ra`] |
//! | rabbit_quorum_queue, ra_server_proc, rabbit_fifo | `broker/quorum/` | the same |
//! | ra_server, ra_log, ra_log_wal, aten | `broker/ra/` | the same |
//! | rabbit_dead_letter | `broker/queue/dead_letter.rs`, `letters.rs` | |
//! | gm | `broker/ring/gm.rs`, `gm/view.rs` | [`message::ring`] |
//! | rabbit_msg_store | `broker/store/shared.rs`, `bodies.rs` | [`message::store`] |
//! | rabbit_variable_queue | `broker/store/queue.rs`, `confirms.rs`, `paging.rs` | |
//! | rabbit_queue_index, rabbit_classic_queue_index_v2, rabbit_classic_queue_store_v2 | `broker/store/index.rs` | |
//! | mnesia, rabbit_mnesia, rabbit_table, rabbit_khepri | `broker/cluster/mnesia.rs`, `transaction.rs` | [`message::mnesia`] |
//! | rabbit_node_monitor | `broker/cluster/monitor.rs`, `members.rs`, `partial.rs` | [`message::monitor`] |
//! | rabbit_autoheal | `broker/cluster/autoheal.rs` | the same |
//! | rabbit, its boot and its stop | `broker/vm/boot.rs`, `stop.rs` | [`message::node`] |
//! | rabbit_alarm, vm_memory_monitor, rabbit_memory_monitor, rabbit_disk_monitor | `broker/vm/alarm.rs` | the same |
//! | credit_flow | `broker/vm/credit.rs` | |
//! | net_kernel, erts' distribution, monitors | `broker/vm/erlang.rs` | [`message::node`] |
//! | rabbitmqctl and the like | `action/`, `broker/command.rs` | |
//! | a producer or consumer, and its library | `client/` | [`message::amqp`], [`message::client`] |
//!
//! What all processes of a node share is [`broker::Node`]; which process an input is for,
//! [`broker::Broker`] knows. `keys.rs` to `words.rs` are what a scenario says and a report names.

pub mod action;
pub mod arguments;
pub mod broker;
pub mod client;
pub mod config;
pub mod costs;
pub mod keys;
pub mod letters;
pub mod machine;
pub mod message;
pub mod mirroring;
pub mod oracle;
pub mod plan;
pub mod policy;
mod portable;
pub mod rules;
pub mod settings;
pub mod spec;
pub mod words;
