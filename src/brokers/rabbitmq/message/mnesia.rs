//! What the Mnesias of a cluster tell each other.

use std::sync::Arc;

use crate::observe::NodeId;

use super::super::broker::cluster::mnesia::{QueueRecord, Tables};
use super::super::policy::Force;
use super::{Pid, QueueId};

/// How far a node has come, as it tells another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// RabbitMQ does not run.
    Down,
    /// It boots, and waits for members that ran when it stopped.
    Waits,
    /// It boots, and no member ran when it stopped.
    StoppedLast,
    /// RabbitMQ runs.
    Runs,
    /// It knows the node that asks, but not as a member.
    Disagrees,
}

/// A member of a mirrored queue's ring: the group process and the replica it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The group process.
    pub gm: Pid,
    /// The queue's leader or mirror process.
    pub replica: Pid,
}

/// A change of the tables. Changes are idempotent, and two that concern the same death commute, so
/// that neighbours which record it at the same time agree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum TableOp {
    /// A queue is (again) led by this process and has no other replica; it belongs to a connection
    /// if it is exclusive.
    Insert { queue: QueueId, leader: Pid, ring: Vec<Member>, durable: bool, owner: Option<Pid> },
    /// A queue's process is being stopped in order.
    Stopped { queue: QueueId },
    /// Queues leave `rabbit_queue`; those that are not durable leave for good.
    Drop { queues: Vec<(QueueId, bool)> },
    /// A ring member is dead.
    RingWithout { queue: QueueId, gm: Pid },
    /// Replicas are dead; if `leader` is given it takes over.
    ReplicasWithout { queue: QueueId, dead: Vec<Pid>, leader: Option<Pid> },
    /// A member joins the ring, at the right of another.
    JoinRing { queue: QueueId, member: Member, right_of: Pid },
    /// A mirror whose ring member has joined counts among the replicas.
    AddMirror { queue: QueueId, mirror: Pid },
    /// A mirror is synchronised.
    Synchronised { queue: QueueId, mirror: Pid },
    /// A node is no member any more; the queues that it led go to other nodes, or for good.
    Forget { node: NodeId, queues: Vec<(QueueId, Option<NodeId>)> },
    /// A quorum queue has a member on a node, or has it no more.
    Members { queue: QueueId, node: NodeId, joins: bool },
    /// Other policies are in force.
    Policies { force: Arc<Force> },
    /// A leader that gets mirrors has a ring, with itself in it.
    RingMade { queue: QueueId, member: Member },
    /// All mirrors have been stopped; the ring is forgotten.
    MirrorsStopped { queue: QueueId },
    /// A queue's record and its recorded leader as the writer has them. Mnesia always writes whole
    /// records; where all tables are the same, the change alone says as much.
    Write { queue: QueueId, record: Option<Box<QueueRecord>>, durable: Option<Pid> },
}

impl TableOp {
    /// The queue of which it changes the record; `None` if it changes several.
    #[must_use]
    pub fn queue(&self) -> Option<QueueId> {
        match self {
            TableOp::Insert { queue, .. }
            | TableOp::Stopped { queue }
            | TableOp::RingWithout { queue, .. }
            | TableOp::ReplicasWithout { queue, .. }
            | TableOp::JoinRing { queue, .. }
            | TableOp::AddMirror { queue, .. }
            | TableOp::Synchronised { queue, .. }
            | TableOp::RingMade { queue, .. }
            | TableOp::MirrorsStopped { queue }
            | TableOp::Write { queue, .. } => Some(*queue),
            TableOp::Drop { .. }
            | TableOp::Forget { .. }
            | TableOp::Members { .. }
            | TableOp::Policies { .. } => None,
        }
    }
}

/// What comes to a node's Mnesia.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum MnesiaMessage {
    /// A transaction's first phase. It is voted for once it has locked the queue's record here; if
    /// a node joins by it, that is told of every change from now on.
    Prepare { from: NodeId, transaction: u32, locks: Option<QueueId>, joins: Option<(NodeId, u32)> },
    /// A transaction is over: its locks are free.
    Release { from: NodeId, transaction: u32 },
    /// The vote on it; against it votes who does not see the node that joins.
    Vote { from: NodeId, transaction: u32, agrees: bool },
    /// A transaction's outcome: change the tables. With the queue's record as it is then for who has
    /// decided, for that is what is written.
    Commit { from: NodeId, transaction: u32, op: Box<TableOp>, record: Option<Box<QueueRecord>> },
    /// They are changed.
    Committed { from: NodeId, transaction: u32 },
    /// How far a peer is, which a booting node has asked.
    Status { from: NodeId, progress: Progress },
    /// A booting node asks a running peer for its tables.
    Fetch { from: NodeId, anyway: bool },
    /// These running nodes do not see the one that asked; unless it asks to join anyway it does
    /// not.
    Unseen { nodes: Vec<NodeId> },
    /// The tables, and the nodes whose Mnesia is one with them.
    Tables { tables: Box<Tables>, running: Vec<NodeId> },
    /// A node has joined: `from` now runs RabbitMQ on these tables.
    NodeRunning { from: NodeId },
    /// A transaction's own time is over.
    TransactionDone { transaction: u32 },
    /// A booting node has waited for its peers' tables, in this start of it.
    TablesTimeout { start: u32 },
}
