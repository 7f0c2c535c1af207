//! Mnesia as RabbitMQ uses it: each node holds a copy of the tables; a change is a transaction over
//! all nodes that are believed to run, without consensus.
//!
//! Two tables matter here: `rabbit_queue` (in RAM, used for routing) and `rabbit_durable_queue` (on
//! disk, from which a home node recovers its queues). A queue's ring of group members
//! (`gm_group`) is kept in its record.

use std::sync::Arc;

use crate::observe::NodeId;
use crate::world::Lane;

use super::super::super::message::mnesia::{Member, TableOp};
use super::super::super::message::{Pid, QueueId};
use super::super::super::policy::{Force, PolicyId};

/// A record of the table `rabbit_queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRecord {
    /// The leader's process; it may be dead.
    pub leader: Pid,
    /// Mirrors in the order of their joining, oldest first.
    pub mirrors: Vec<Pid>,
    /// Mirrors that have all that the leader has.
    pub synchronised: Vec<Pid>,
    /// The ring, in ring order.
    pub ring: Vec<Member>,
    /// How often the ring has changed (gm.erl: the version of the view).
    pub ring_version: u64,
    /// Whether its process was stopped in order (amqqueue.erl: the state `stopped`).
    pub stopped: bool,
    /// Whether the leader in office was promoted while it lacked messages.
    pub promoted_unsynchronised: bool,
    /// The connection that an exclusive queue belongs to, by its reader's process.
    pub owner: Option<Pid>,
}

impl QueueRecord {
    /// The record of a queue with a leader and nothing else.
    #[must_use]
    pub fn of(leader: Pid) -> QueueRecord {
        QueueRecord {
            leader,
            mirrors: Vec::new(),
            synchronised: Vec::new(),
            ring: Vec::new(),
            ring_version: 0,
            stopped: false,
            promoted_unsynchronised: false,
            owner: None,
        }
    }

    /// Leader and mirrors.
    pub fn replicas(&self) -> impl Iterator<Item = Pid> + '_ {
        std::iter::once(self.leader).chain(self.mirrors.iter().copied())
    }

    /// The ring member to the right of `gm`, which may be `gm` itself.
    #[must_use]
    pub fn right_of(&self, gm: Pid) -> Option<Pid> {
        let at = self.ring.iter().position(|member| member.gm == gm)?;
        Some(self.ring[(at + 1) % self.ring.len()].gm)
    }

    /// The ring member to the left of `gm`, which may be `gm` itself.
    #[must_use]
    pub fn left_of(&self, gm: Pid) -> Option<Pid> {
        let at = self.ring.iter().position(|member| member.gm == gm)?;
        Some(self.ring[(at + self.ring.len() - 1) % self.ring.len()].gm)
    }
}

/// The tables of one node.
#[derive(Clone, Debug, Eq)]
pub struct Tables {
    /// `rabbit_queue`, by queue.
    pub queues: Vec<Option<QueueRecord>>,
    /// `rabbit_durable_queue`: the recorded leader, by queue; `None` if there is no such record.
    pub durable: Vec<Option<Pid>>,
    /// The policies in force.
    pub force: Arc<Force>,
    /// By queue, the nodes whose mirrors could take over if all went down (`recoverable_slaves`),
    /// as each node reckons for itself.
    pub recoverable: Vec<Vec<NodeId>>,
    /// The nodes that are no members any more.
    pub forgotten: Vec<NodeId>,
    /// By queue, the nodes that have a member of it, if it is a quorum queue (amqqueue.erl:
    /// `type_state`, `nodes`).
    pub quorum: Vec<Vec<NodeId>>,
    /// How often they have changed.
    pub version: u64,
}

/// By what is in them, however it came there.
impl PartialEq for Tables {
    fn eq(&self, other: &Tables) -> bool {
        (&self.queues, &self.durable, &self.force, &self.quorum)
            == (&other.queues, &other.durable, &other.force, &other.quorum)
    }
}

impl Tables {
    /// Empty tables for so many queues.
    #[must_use]
    pub fn new(queues: usize) -> Tables {
        let (records, durable) = (vec![None; queues], vec![None; queues]);
        let (recoverable, forgotten) = (vec![Vec::new(); queues], Vec::new());
        Tables {
            queues: records,
            durable,
            force: Arc::default(),
            recoverable,
            forgotten,
            quorum: vec![Vec::new(); queues],
            version: 0,
        }
    }

    /// The record of a queue that can be routed to.
    #[must_use]
    pub fn queue(&self, queue: QueueId) -> Option<&QueueRecord> {
        self.queues[queue.0 as usize].as_ref()
    }

    /// Whether there is such a queue, on a node that runs or on one that is down.
    #[must_use]
    pub fn knows(&self, queue: QueueId) -> bool {
        self.queue(queue).is_some() || self.durable[queue.0 as usize].is_some()
    }

    /// Makes a change.
    pub fn apply(&mut self, op: &TableOp) {
        self.version += 1;
        match op {
            TableOp::Insert { queue, leader, ring, durable, owner } => {
                let (ring, owner) = (ring.clone(), *owner);
                let record = QueueRecord { ring, owner, ..QueueRecord::of(*leader) };
                self.queues[queue.0 as usize] = Some(record);
                self.durable[queue.0 as usize] = durable.then_some(*leader);
            }
            TableOp::Stopped { queue } => {
                if let Some(record) = &mut self.queues[queue.0 as usize] {
                    record.stopped = true;
                }
            }
            TableOp::Write { queue, record, durable } => {
                self.queues[queue.0 as usize] = record.as_deref().cloned();
                self.durable[queue.0 as usize] = *durable;
            }
            TableOp::Drop { queues } => {
                for &(queue, durable) in queues {
                    self.queues[queue.0 as usize] = None;
                    if !durable {
                        self.durable[queue.0 as usize] = None;
                    }
                }
            }
            TableOp::RingWithout { queue, gm } => {
                if let Some(record) = &mut self.queues[queue.0 as usize] {
                    let before = record.ring.len();
                    record.ring.retain(|member| member.gm != *gm);
                    record.ring_version += u64::from(record.ring.len() != before);
                }
            }
            TableOp::ReplicasWithout { queue, dead, leader } => {
                self.replicas_without(*queue, dead, *leader);
            }
            TableOp::JoinRing { queue, member, right_of } => {
                self.join_ring(*queue, *member, *right_of);
            }
            TableOp::AddMirror { queue, mirror } => {
                if let Some(record) = &mut self.queues[queue.0 as usize] {
                    // A new process on a node replaces what the tables still say of its
                    // predecessor there.
                    record.mirrors.retain(|other| other.node != mirror.node);
                    record.synchronised.retain(|other| other.node != mirror.node);
                    record.mirrors.push(*mirror);
                }
            }
            TableOp::Synchronised { queue, mirror } => {
                if let Some(record) = &mut self.queues[queue.0 as usize]
                    && record.mirrors.contains(mirror)
                    && !record.synchronised.contains(mirror)
                {
                    record.synchronised.push(*mirror);
                }
            }
            TableOp::Forget { node, queues } => {
                if !self.forgotten.contains(node) {
                    self.forgotten.push(*node);
                }
                for (queue, next) in queues {
                    // A process that never was: who leads next is known by its node alone.
                    let next = next.map(|node| Pid { node, lane: Lane::MAIN });
                    self.durable[queue.0 as usize] = next;
                    let record = &mut self.queues[queue.0 as usize];
                    match (record.as_mut(), next) {
                        (Some(record), Some(next)) => record.leader = next,
                        _ => *record = None,
                    }
                }
            }
            TableOp::Members { queue, node, joins } => {
                let nodes = &mut self.quorum[queue.0 as usize];
                nodes.retain(|of| of != node);
                if *joins {
                    nodes.push(*node);
                    nodes.sort_unstable();
                }
            }
            TableOp::Policies { force } => self.force = force.clone(),
            TableOp::RingMade { queue, member } => {
                if let Some(record) = &mut self.queues[queue.0 as usize]
                    && record.leader == member.replica
                    && record.ring.is_empty()
                {
                    record.ring.push(*member);
                    record.ring_version += 1;
                }
            }
            TableOp::MirrorsStopped { queue } => {
                if let Some(record) = &mut self.queues[queue.0 as usize] {
                    record.mirrors.clear();
                    record.synchronised.clear();
                    record.ring_version += u64::from(!record.ring.is_empty());
                    record.ring.clear();
                }
            }
        }
    }

    /// Mnesia writes whole records, of a queue (`rabbit_queue`) or of its ring (`gm_group`). Where two
    /// nodes had different ones, because a third could reach only one of them, both have that of
    /// who wrote last.
    pub fn overwrite(&mut self, op: &TableOp, written: QueueRecord) {
        let Some(queue) = op.queue() else { return };
        let Some(record) = &mut self.queues[queue.0 as usize] else { return };
        match op {
            TableOp::RingWithout { .. } | TableOp::JoinRing { .. } | TableOp::RingMade { .. } => {
                (record.ring, record.ring_version) = (written.ring, written.ring_version);
            }
            TableOp::ReplicasWithout { .. }
            | TableOp::AddMirror { .. }
            | TableOp::Synchronised { .. } => {
                let (ring, ring_version) = (std::mem::take(&mut record.ring), record.ring_version);
                *record = QueueRecord { ring, ring_version, ..written };
            }
            _ => {}
        }
    }

    /// The same change as a write of the whole record.
    #[must_use]
    pub fn written(&self, op: TableOp) -> TableOp {
        let Some(queue) = op.queue() else { return op };
        let record = self.queue(queue).cloned().map(Box::new);
        TableOp::Write { queue, record, durable: self.durable[queue.0 as usize] }
    }

    fn replicas_without(&mut self, queue: QueueId, dead: &[Pid], leader: Option<Pid>) {
        let Some(record) = &mut self.queues[queue.0 as usize] else { return };
        record.mirrors.retain(|mirror| !dead.contains(mirror));
        if let Some(leader) = leader {
            record.promoted_unsynchronised |= !record.synchronised.contains(&leader);
            record.leader = leader;
            record.mirrors.retain(|mirror| *mirror != leader);
            if self.durable[queue.0 as usize].is_some() {
                self.durable[queue.0 as usize] = Some(leader);
            }
        }
        // Mirrors that were in sync count as such under the new leader too, until they have
        // compared depths (rabbit_mirror_queue_misc.erl v3.10: `store_updated_slaves`).
        let mirrors = &record.mirrors;
        record.synchronised.retain(|mirror| mirrors.contains(mirror));
    }

    fn join_ring(&mut self, queue: QueueId, member: Member, right_of: Pid) {
        let Some(record) = &mut self.queues[queue.0 as usize] else { return };
        if record.ring.contains(&member) {
            return;
        }
        record.ring.retain(|other| other.replica.node != member.replica.node);
        let at = record.ring.iter().position(|other| other.gm == right_of);
        record.ring.insert(at.map_or(record.ring.len(), |at| at + 1), member);
        record.ring_version += 1;
    }
}

/// What an operator does to the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// This one is set.
    Set(PolicyId),
    /// The one of this name is cleared.
    Clear(String),
}

/// What a transaction is for, and so what is decided when it commits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Purpose {
    /// A ring member records a neighbour's death.
    RecordRingDeath { queue: QueueId, dead: Pid, by: Lane },
    /// The right neighbour of dead members erases them from the ring.
    EraseFromRing { queue: QueueId, by: Lane },
    /// A replica removes the dead from its queue and learns who leads.
    RemoveFromQueue { queue: QueueId, by: Lane },
    /// A new mirror's member joins the ring.
    JoinRing { queue: QueueId, member: Member },
    /// A mirror whose ring member has joined becomes one of the replicas.
    AddMirror { queue: QueueId, mirror: Pid },
    /// A mirror has caught up.
    Synchronised { queue: QueueId, mirror: Pid },
    /// A queue's process is being stopped in order.
    QueueStopped { queue: QueueId, by: Lane },
    /// A leader that stops has stopped its mirrors.
    StopMirrors { queue: QueueId, by: Lane },
    /// A recovered queue is announced.
    Recovered { queue: QueueId, leader: Pid, ring: Vec<Member> },
    /// A queue that a channel declares gets its record, if there is none of that name.
    Declare { queue: QueueId, leader: Pid, channel: Pid, owner: Option<Pid> },
    /// A queue is deleted by its own process.
    Delete { queue: QueueId, by: Lane },
    /// An operator sets a policy or clears the one of a name; queues that it changes are told.
    Policy { change: PolicyChange, action: crate::observe::ActionId },
    /// A leader is to have mirrors: its ring begins.
    RingMade { queue: QueueId, member: Member },
    /// A member that is down is forgotten, by the command of an operator.
    Forget { node: NodeId, action: crate::observe::ActionId },
    /// A queue is deleted whose process cannot be asked, by the command of an operator.
    ForceDelete { queue: QueueId, action: crate::observe::ActionId },
    /// A quorum queue has a member on a node, or has it no more; the order of that number goes on.
    Members { queue: QueueId, node: NodeId, joins: bool, number: u32 },
    /// A member is down: queues that lived on it alone leave the tables.
    NodeDown { node: crate::observe::NodeId },
    /// A node that boots deletes the queues of its own that are not durable (Khepri).
    TransientGone,
    /// A node that boots, in this start of it, gets the tables and every later change; unless
    /// `anyway` is set only if all that run see it.
    Join { node: crate::observe::NodeId, incarnation: u32, anyway: bool },
}

impl Purpose {
    /// The queue whose record is read and changed; one transaction of a queue goes after the other.
    #[must_use]
    pub fn locks(&self) -> Option<QueueId> {
        match self {
            Purpose::RecordRingDeath { queue, .. }
            | Purpose::EraseFromRing { queue, .. }
            | Purpose::RemoveFromQueue { queue, .. }
            | Purpose::JoinRing { queue, .. }
            | Purpose::AddMirror { queue, .. }
            | Purpose::Synchronised { queue, .. }
            | Purpose::QueueStopped { queue, .. }
            | Purpose::StopMirrors { queue, .. }
            | Purpose::Recovered { queue, .. }
            | Purpose::Declare { queue, .. }
            | Purpose::Delete { queue, .. }
            | Purpose::RingMade { queue, .. }
            | Purpose::Members { queue, .. }
            | Purpose::ForceDelete { queue, .. } => Some(*queue),
            Purpose::NodeDown { .. }
            | Purpose::TransientGone
            | Purpose::Policy { .. }
            | Purpose::Forget { .. }
            | Purpose::Join { .. } => None,
        }
    }

    /// Whether it makes that process a mirror.
    #[must_use]
    pub fn adds(&self, mirror: Pid) -> bool {
        match self {
            Purpose::JoinRing { member, .. } => member.replica == mirror,
            Purpose::AddMirror { mirror: added, .. } => *added == mirror,
            _ => false,
        }
    }
}

/// A write lock on a queue's record at one node (mnesia_locker.erl).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The record.
    pub queue: QueueId,
    /// Transactions (coordinator, number) in the order of their requests; the first has it.
    pub transactions: std::collections::VecDeque<(crate::observe::NodeId, u32)>,
}

/// A transaction that is decided and not everywhere committed (`mnesia:sync_transaction`).
#[derive(Clone, Debug)]
pub struct Committing {
    /// Its number at this node.
    pub id: u32,
    /// Peers that have not changed their tables yet.
    pub waiting: Vec<crate::observe::NodeId>,
    /// Nodes that hold locks for it.
    pub locked: Vec<crate::observe::NodeId>,
    /// What is sent when it is over.
    pub then: Vec<(Pid, super::super::super::message::Message)>,
}

/// A transaction under way at its coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its number at this node.
    pub id: u32,
    /// Nodes, this one among them, that are still to be asked for their lock, in order.
    pub to_lock: Vec<crate::observe::NodeId>,
    /// Nodes whose vote is missing.
    pub waiting: Vec<crate::observe::NodeId>,
    /// Nodes that were asked, and those of them that voted for it.
    pub asked: Vec<crate::observe::NodeId>,
    /// See `asked`.
    pub agreed: Vec<crate::observe::NodeId>,
    /// Whether its own work is still going on.
    pub working: bool,
    /// What it is for.
    pub purpose: Purpose,
}

#[cfg(test)]
mod tests;
