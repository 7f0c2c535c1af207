//! What is written to the metadata store Khepri, and what a node hears of it.

use crate::observe::NodeId;

use super::super::broker::cluster::mnesia::Tables;
use super::super::config::Config;
use super::super::policy::{Force, PolicyId};
use super::mnesia::TableOp;
use super::{Pid, QueueId};

/// A change of one record (khepri_machine.erl: `put`, `delete`). Each may come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Change {
    /// A queue lives in this process, and belongs to that connection if it is exclusive.
    Queue { queue: QueueId, leader: Pid, durable: bool, owner: Option<Pid> },
    /// The same, unless there is a queue of that name.
    NewQueue { queue: QueueId, leader: Pid, durable: bool, owner: Option<Pid> },
    /// A queue's process was stopped in order.
    Stopped { queue: QueueId },
    /// A queue is deleted.
    Deleted { queue: QueueId },
    /// A quorum queue has a member on a node, or has it no more.
    Members { queue: QueueId, node: NodeId, joins: bool },
    /// A policy is in force, or no more.
    PolicySet { policy: PolicyId },
    /// See [`Change::PolicySet`].
    PolicyCleared { policy: PolicyId },
    /// A node is no member any more, and what it led is gone.
    Forgotten { node: NodeId },
    /// Nothing: who sees it applied has seen all that was written before (khepri.erl: `fence`).
    Fence,
}

impl Change {
    /// Makes it.
    pub fn apply(self, config: &Config, tables: &mut Tables) {
        let policies = |in_force: Vec<PolicyId>| {
            let force = Force::new(&config.policies, in_force, config.queues.len());
            TableOp::Policies { force }
        };
        let op = match self {
            Change::NewQueue { queue, .. } if tables.knows(queue) => return,
            Change::Queue { queue, leader, durable, owner }
            | Change::NewQueue { queue, leader, durable, owner } => {
                TableOp::Insert { queue, leader, ring: Vec::new(), durable, owner }
            }
            Change::Stopped { queue } => TableOp::Stopped { queue },
            Change::Deleted { queue } => TableOp::Drop { queues: vec![(queue, false)] },
            Change::PolicySet { policy } => {
                policies(config.policies.with(&tables.force.policies, policy))
            }
            Change::PolicyCleared { policy } => {
                let name = &config.policies.get(policy).name;
                match config.policies.without(&tables.force.policies, name) {
                    Some(in_force) => policies(in_force),
                    None => return,
                }
            }
            Change::Forgotten { node } => {
                let queues = (0..).map(QueueId).zip(&tables.durable);
                let led = queues.filter(|(_, leader)| leader.is_some_and(|pid| pid.node == node));
                let queues = led.map(|(queue, _)| (queue, None)).collect();
                TableOp::Forget { node, queues }
            }
            Change::Members { queue, node, joins } => TableOp::Members { queue, node, joins },
            Change::Fence => return,
        };
        tables.apply(&op);
    }
}

/// What comes to a node that has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are the arguments of the event that is named")]
pub enum KhepriMessage {
    /// Its write of that number is committed, and applied on this node.
    Applied { number: u32 },
    /// It has taken too long.
    Timeout { number: u32 },
    /// This start of the node has found no leader for too long.
    NoLeader { start: u32 },
}
