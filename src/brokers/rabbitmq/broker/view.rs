//! A node as those see it who look on: the family's selectors and invariants, the end of a run, tests.

use crate::observe::NodeId;
use crate::world::{Lane, Wait};

use super::super::message::{Pid, QueueId};
use super::cluster::mnesia::Tables;
use super::cluster::monitor::Outside;
use super::queue::replica::{Replica, Role};
use super::quorum::member::Member;
use super::ra::log::Log;
use super::store::BackingQueue;
use super::vm::erlang::Link;
use super::{Broker, Node, Process, Status};

impl Broker {
    /// What it waits for; `None` if time alone will not change anything here.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        self.waits_for_but(&|_| false, &|_| false)
    }

    /// The same, if nobody will ever answer for the queues that are `leaderless`, nor go on with the
    /// rings of those of which this node's replica is `struck_off`.
    pub fn waits_for_but(
        &self,
        leaderless: &dyn Fn(QueueId) -> bool,
        struck_off: &dyn Fn(QueueId) -> bool,
    ) -> Option<Wait> {
        let name = |queue: QueueId| self.node.config.queues[queue.0 as usize].name.as_str();
        let mnesia = &self.node.mnesia;
        match self.node.status {
            Status::Running => {}
            // An operator has stopped it: who knows when it is started again.
            Status::Paused
                if matches!(self.node.monitor.outside, Some(Outside::Stopped { .. })) =>
            {
                return None;
            }
            Status::Paused => return Some("a majority of the cluster, to go on".into()),
            Status::Off | Status::Starting => return Some("its start".into()),
            Status::Booting => return Some("the tables of its peers".into()),
            Status::Stopping => return Some("its queues to be closed".into()),
        }
        if !mnesia.transactions.is_empty() || !mnesia.committing.is_empty() {
            return Some("a Mnesia transaction".into());
        }
        if self.node.tells_losers_again() {
            return Some("the losers of a partition to stop (autoheal)".into());
        }
        if !self.node.writes.is_settled() {
            return Some("a change of its metadata to be committed".into());
        }
        self.processes.iter().flatten().find_map(|process| match process {
            Process::Channel(channel) => channel.waits_for(leaderless, &name),
            Process::Replica(replica) => replica.waits_for(&name),
            Process::Group(group) => {
                let waits = !group.is_settled() && !struck_off(group.queue());
                waits.then(|| "the ring of a queue's mirrors (gm)".into())
            }
            Process::Store(store) => (!store.is_settled()).then(|| "its message store".into()),
            Process::Member(member) => member.waits_for(),
            Process::Letters(worker) => worker.waits_for(),
            Process::Wal(wal) => (!wal.is_settled()).then(|| "its write-ahead log".into()),
        })
    }

    /// Whether a client waits here for what will not come.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.processes.iter().flatten().any(|process| match process {
            Process::Channel(channel) => channel.waits_for(&|_| false, &|_| "").is_some(),
            _ => false,
        })
    }

    /// Whether it runs and has no connection of a client, as a node that was without power has none.
    #[must_use]
    pub fn has_forgotten(&self, client: NodeId) -> bool {
        let of = |process: &Process| match process {
            Process::Channel(channel) => channel.made_by() == client,
            _ => false,
        };
        self.node.status == Status::Running && !self.processes.iter().flatten().any(of)
    }

    /// Which start of its node this is.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.node.start
    }

    /// The start of another member with which this node is connected.
    #[must_use]
    pub fn sees(&self, other: NodeId) -> Option<u32> {
        let peer = self.node.peers.iter().find(|peer| peer.node == other)?;
        peer.incarnation.filter(|_| matches!(peer.link, Link::Up(_)))
    }

    /// Whether a process of this node lives.
    #[must_use]
    pub fn has(&self, lane: Lane) -> bool {
        self.node.alive.contains(&lane)
    }

    /// Who leads a queue, as this node's tables have it; `None` while the node does not run or
    /// knows no such queue.
    #[must_use]
    pub fn leader_of(&self, queue: QueueId) -> Option<NodeId> {
        if self.node.status != Status::Running {
            return None;
        }
        if self.node.config.queue(queue).is_quorum() {
            return Some(self.node.known_leader(queue));
        }
        self.node.mnesia.tables.queue(queue).map(|record| record.leader.node)
    }

    /// Whether this node runs the leader process of a queue.
    #[must_use]
    pub fn leads(&self, queue: QueueId) -> bool {
        self.processes.iter().flatten().any(|process| match process {
            Process::Replica(replica) => replica.queue() == queue && replica.role() == Role::Leader,
            Process::Member(member) => member.queue() == queue && member.server().leads(),
            _ => false,
        })
    }

    /// Whether this node runs a member of a quorum queue that does not lead.
    #[must_use]
    pub fn follows(&self, queue: QueueId) -> bool {
        self.member_of(queue).is_some_and(|member| !member.server().leads())
    }

    /// The members that have done something since this was last asked.
    #[inline]
    pub fn take_touched(&mut self) -> Vec<(QueueId, u64)> {
        std::mem::take(&mut self.node.touched)
    }

    /// Whether its disk was emptied in the course of the run.
    #[must_use]
    pub fn was_wiped(&self) -> bool {
        self.node.wiped
    }

    /// What this node's disk and memory have of a quorum queue's log.
    #[must_use]
    pub fn log_of(&self, queue: QueueId) -> Option<&Log> {
        let on_disk = || self.node.disk.members[queue.0 as usize].as_ref().map(|disk| &disk.log);
        self.member_of(queue).map(|member| &member.server().log).or_else(on_disk)
    }

    /// The nodes that have a member of a quorum queue, as this node knows; none of a classic one.
    #[must_use]
    pub fn members_of(&self, queue: QueueId) -> &[NodeId] {
        match self.node.status {
            Status::Running => &self.node.mnesia.tables.quorum[queue.0 as usize],
            _ => &self.node.config.queue(queue).members,
        }
    }

    /// This node's member of a quorum queue, if its process lives.
    #[must_use]
    pub fn member_of(&self, queue: QueueId) -> Option<&Member> {
        let index = self.index(self.node.members[queue.0 as usize]?)?;
        match &self.processes[index] {
            Some(Process::Member(member)) => Some(member),
            _ => None,
        }
    }

    /// What each channel of this node may still send to each queue's process.
    #[must_use]
    pub fn credits(&self) -> Vec<(Pid, i64)> {
        let channels = self.processes.iter().flatten().filter_map(|process| match process {
            Process::Channel(channel) => Some(channel),
            _ => None,
        });
        channels.flat_map(|channel| channel.credits()).collect()
    }

    /// This node's copy of the tables.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.node.mnesia.tables
    }

    /// The other members whose Mnesia is one with this node's.
    #[must_use]
    pub fn running_peers(&self) -> Vec<NodeId> {
        self.node.running_peers()
    }

    /// Whether this node runs and no change of its tables is under way.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.node.status == Status::Running
            && self.node.mnesia.transactions.is_empty()
            && self.node.mnesia.committing.is_empty()
            && self.node.writes.is_settled()
    }

    /// How many mirrors a queue has when nothing is wrong: as many as at time zero, while it has the
    /// policy that it had then.
    #[must_use]
    pub fn full_mirrors(&self, queue: QueueId) -> usize {
        let Node { config, mnesia, .. } = &self.node;
        let first = config.tables.queue(queue);
        if let Some(first) = first
            && mnesia.tables.force.over(queue) == config.tables.force.over(queue)
        {
            return first.mirrors.len();
        }
        let replicas = self.node.mirroring(queue).map(|m| m.replicas(config.members.len() as u32));
        replicas.map_or(0, |replicas| replicas as usize - 1)
    }

    /// What this node's process of a queue is; `None` if it has none.
    #[must_use]
    pub fn role_of(&self, queue: QueueId) -> Option<Role> {
        self.replica_of(queue).map(Replica::role)
    }

    /// The messages of a queue on this node: its process's, or, if it has none, those on its disk.
    #[must_use]
    pub fn messages_of(&self, queue: QueueId) -> Option<&BackingQueue> {
        let on_disk = || self.node.disk.queues[queue.0 as usize].as_ref();
        self.replica_of(queue).map(|replica| &replica.base.bq).or_else(on_disk)
    }

    pub(super) fn replica_of(&self, queue: QueueId) -> Option<&Replica> {
        self.processes.iter().flatten().find_map(|process| match process {
            Process::Replica(replica) if replica.queue() == queue => Some(&**replica),
            _ => None,
        })
    }

    /// The mirrors of a queue, oldest first, as this node's tables have them.
    #[must_use]
    pub fn mirrors_of(&self, queue: QueueId) -> Vec<NodeId> {
        let record = self.node.mnesia.tables.queue(queue);
        record.map_or(Vec::new(), |record| record.mirrors.iter().map(|pid| pid.node).collect())
    }
}
