//! What a scenario resolves to for this family: plain data, shared by every machine of a run.

use crate::engine::{Distribution, Span};
use crate::observe::{DestinationId, NodeId};

use super::broker::mnesia::Tables;
use super::message::{ExchangeId, QueueId, RoutingKey};
use super::settings::Settings;

/// CPU time per operation, for a node of nominal speed.
///
/// Calibrated on one queue of RabbitMQ 3.10 on a two-core machine: 49 thousand transient and 24 to
/// 26 thousand persistent messages of 1 KiB a second through one queue, 0.14 to 0.19 ms for the
/// confirm of a lone transient message, 0.57 to 0.60 ms for a persistent one. One place, so that a
/// better measurement changes one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// Channel: route a publish and hand it to the queues.
    pub channel_publish: Span,
    /// Channel: note one replica's confirm.
    pub channel_confirm: Span,
    /// Channel: pass a delivery on to the socket.
    pub channel_deliver: Span,
    /// Channel: pass a consumer's acknowledgement on.
    pub channel_ack: Span,
    /// One step of opening a connection and a channel: access checks, processes that start.
    pub handshake_step: Span,
    /// Asking the port mapper of another host for a node's port (erl_epmd.erl: `port_please`).
    pub port_lookup: Distribution,
    /// Queue: enqueue a message.
    pub queue_publish: Span,
    /// Queue: what a persistent message costs beside that.
    pub queue_persist: Span,
    /// Queue: hand a message to a consumer's channel.
    pub queue_deliver: Span,
    /// Queue: settle an acknowledged message.
    pub queue_settle: Span,
    /// Queue: one flush of the journal, beside what the disk takes.
    pub queue_flush: Span,
    /// Mirror: follow one instruction.
    pub mirror_instruction: Span,
    /// Group process: handle one ring message.
    pub group: Span,
    /// Leader: put one message into a synchronisation batch; mirror: take it out.
    pub sync_message: Span,
    /// Node: any other internal message.
    pub internal: Span,
    /// Client: hand a message to the socket, or take one from it.
    pub client: Span,
    /// A Mnesia transaction's own work at its coordinator: locks, log, table write.
    pub mnesia_transaction: Distribution,
    /// From a node's loss to the removal of its queues' records: the node monitor's round through
    /// its subsystems and their transactions (rabbit_node_monitor.erl: `handle_dead_rabbit`).
    pub node_down_clean_up: Distribution,
    /// A queue process's orderly end at a node's stop (rabbit_amqqueue_process.erl: `terminate`).
    pub queue_shutdown: Distribution,
    /// From RabbitMQ's start in a VM that has gone on to its Mnesia (rabbit.erl: `start`).
    pub rabbit_start: Distribution,
    /// At such a stop: how long a leader goes on to serve after its ring member has stopped.
    pub leader_serves_on: Distribution,
}

impl Default for Costs {
    /// The calibration: the only place where these numbers stand.
    fn default() -> Costs {
        let micros = Span::from_micros;
        let between = |low: u64, high: u64| {
            let (low, high) = (low * 1_000_000, high * 1_000_000);
            Distribution::Uniform { low, high }
        };
        Costs {
            channel_publish: micros(14),
            channel_confirm: micros(5),
            channel_deliver: micros(6),
            channel_ack: micros(3),
            // A lost connection that is opened again after 100 ms lets a producer publish after 129
            // to 135 ms (5 steps) and a consumer receive after 149 to 152 ms (8 steps).
            handshake_step: micros(6_000),
            // A channel that re-subscribes 30 ms after each failure while its leader is dead gets
            // through after 140 to 144 ms, with the fifth attempt: each takes some 5 ms to fail, for
            // it mostly joins an attempt that others have begun.
            port_lookup: between(8, 10),
            queue_publish: micros(10),
            queue_persist: micros(12),
            queue_deliver: micros(5),
            queue_settle: micros(4),
            queue_flush: micros(190),
            mirror_instruction: micros(12),
            group: micros(10),
            // rabbitmq-server#687: 31 thousand messages a second, leader and mirror in turn.
            sync_message: micros(16),
            internal: micros(5),
            client: micros(16),
            // A promotion takes 16 to 21 ms beside the ring's 100 ms of grace, and two transactions.
            mnesia_transaction: between(5, 11),
            // A home node's death leaves 6 to 17 publishes at 500 a second that are still routed to
            // its processes.
            node_down_clean_up: between(6, 22),
            // An orderly stop of the leader's node stops confirms for 132 to 234 ms, where a kill
            // stops them for 116 to 121 ms.
            queue_shutdown: between(15, 110),
            // A minority that has paused serves again 1.4 to 2.0 s after the heal.
            rabbit_start: between(700, 1_300),
            // It makes 1 to 15 duplicates at 500 messages a second: delivered by the old leader,
            // and by the new one, to which the ring never brought them.
            leader_serves_on: between(2, 30),
        }
    }
}

/// `ha-mode`, if a policy applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirroring {
    /// `ha-sync-mode = automatic`.
    pub automatic_sync: bool,
    /// `ha-sync-batch-size`.
    pub sync_batch_size: u32,
    /// `ha-promote-on-shutdown = always`.
    pub promote_on_shutdown_always: bool,
    /// `ha-promote-on-failure = always`.
    pub promote_on_failure_always: bool,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether it survives a restart of its node.
    pub durable: bool,
    /// Where it is declared.
    pub home: NodeId,
    /// How it is mirrored, if it is.
    pub mirroring: Option<Mirroring>,
}

/// What every machine of the run knows.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster's members in order.
    pub members: Vec<NodeId>,
    /// The queues; a queue's destination has the same index.
    pub queues: Vec<Queue>,
    /// Queues bound to each exchange and key: `routes[exchange][key]`. The default exchange is not
    /// in it.
    pub routes: Vec<Vec<Vec<QueueId>>>,
    /// The tables at time zero.
    pub tables: Tables,
    /// The broker's configuration.
    pub settings: Settings,
    /// CPU costs.
    pub costs: Costs,
}

impl Config {
    /// The destination that a queue is in reports.
    #[must_use]
    pub fn destination(&self, queue: QueueId) -> DestinationId {
        DestinationId(queue.0)
    }

    /// A queue's settings.
    #[must_use]
    pub fn queue(&self, queue: QueueId) -> &Queue {
        &self.queues[queue.0 as usize]
    }

    /// The queues that a routing key leads to if all are there.
    pub fn route(&self, exchange: ExchangeId, key: RoutingKey, found: &mut Vec<QueueId>) {
        found.clear();
        if exchange == ExchangeId::DEFAULT {
            // rabbit_exchange.erl `route`: the default exchange routes to the queue of that name.
            if (key.0 as usize) < self.queues.len() {
                found.push(QueueId(key.0));
            }
        } else {
            found.extend(&self.routes[exchange.0 as usize - 1][key.0 as usize]);
        }
    }
}
