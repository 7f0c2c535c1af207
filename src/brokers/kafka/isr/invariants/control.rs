//! What the controller has decided: the authority on who leads and who is in the ISR.

use crate::brokers::coordination::raft::Offset;
use crate::brokers::coordination::zookeeper::{Server, Zxid};
use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;

use super::super::config::Config;
use super::super::controller::Image;
use super::super::machine::KafkaMachine;
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::super::state::{PartitionState, Znode};
use super::Invariant;
use super::data::Partition;
use super::oracle::Tell;

/// How far the authority's word is known.
#[derive(Clone)]
pub(super) struct Authority {
    /// Up to where the metadata log has been read.
    applied: Offset,
    /// The last transaction of ZooKeeper's that has been read.
    zxid: Zxid,
    /// Brokers that are fenced.
    fenced: NodeSet,
    /// Where ZooKeeper has a partition's state.
    paths: Vec<String>,
}

impl Authority {
    pub(super) fn new(config: &Config) -> Authority {
        Authority {
            applied: 0,
            zxid: Zxid(0),
            fenced: NodeSet::EMPTY,
            paths: config.all_partitions().map(|partition| config.state_path(partition)).collect(),
        }
    }

    /// Whether a server of ZooKeeper has done a transaction that no other had.
    pub(super) fn is_new(&self, applied: Zxid) -> bool {
        applied > self.zxid
    }

    /// A controller has read so much of the metadata log, which changed these partitions.
    pub(super) fn of_quorum(
        &mut self,
        (applied, image): (Offset, &Image),
        decided: &[PartitionId],
        partitions: &mut [Partition],
        at: (&[KafkaMachine], NodeId),
        tell: &mut Tell<'_>,
    ) {
        if applied <= self.applied {
            return;
        }
        self.applied = applied;
        let fenced = tell.config.everyone().minus(image.unfenced());
        let others = std::mem::replace(&mut self.fenced, fenced) != fenced;
        for partition in decided {
            if let Some(state) = image.partition(*partition) {
                partitions[partition.index()].decided(state, at, tell);
            }
        }
        if others {
            partitions.iter_mut().for_each(|partition| partition.heeds(fenced, at.1, tell));
        } else {
            decided.iter().for_each(|p| partitions[p.index()].heeds(fenced, at.1, tell));
        }
    }

    /// A server of ZooKeeper has done another transaction.
    pub(super) fn of_tree(
        &mut self,
        server: &Server<Znode>,
        partitions: &mut [Partition],
        at: (&[KafkaMachine], NodeId),
        tell: &mut Tell<'_>,
    ) {
        if !self.is_new(server.applied()) {
            return;
        }
        self.zxid = server.applied();
        for (partition, path) in partitions.iter_mut().zip(&self.paths) {
            let znode = server.tree().get(path).and_then(|znode| znode.data.as_ref());
            if let Some(Znode::Partition(state, _)) = znode
                && *state != partition.state
            {
                partition.decided(*state, at, tell);
            }
        }
    }
}

impl Partition {
    /// The authority has decided.
    fn decided(
        &mut self,
        state: PartitionState,
        (machines, node): (&[KafkaMachine], NodeId),
        tell: &mut Tell<'_>,
    ) {
        let before = std::mem::replace(&mut self.state, state);
        self.taken_for_former(&before);
        let (id, config) = (Some(self.id), tell.config);
        let was = (before.leader_epoch, before.partition_epoch);
        let is = (state.leader_epoch, state.partition_epoch);
        let which = (Invariant::EpochMonotonic, node);
        let holds = is.0 >= was.0 && is.1 >= was.1;
        tell.holds(&mut self.broken, which, id, holds, |_| {
            format!("leader and partition epoch {is:?} were decided after {was:?}")
        });
        let which = (Invariant::LeaderInIsr, node);
        let holds = state.leader.is_none_or(|leader| state.isr.has(leader));
        tell.holds(&mut self.broken, which, id, holds, |_| {
            format!("leader {:?}, ISR {:?}", state.leader.map(|leader| leader.0), state.isr)
        });
        let replicas: NodeSet = config.replicas(self.id).iter().copied().collect();
        let (isr, elr) = (state.isr, state.elr);
        let enough = isr.len() > self.spare && !elr.is_empty();
        let which = (Invariant::ValidControllerIsrAndElr, node);
        let holds = isr.or(elr).is_within(replicas) && isr.and(elr).is_empty() && !enough;
        tell.holds(&mut self.broken, which, id, holds, |_| {
            let least = self.spare + 1;
            format!("ISR {isr:?}, eligible {elr:?}; replicas {replicas:?}, of which {least} do")
        });
        let unclean = config.has(Rule::UncleanElectionAlways) || config.topic(self.id).unclean;
        let known = before.isr.or(before.elr);
        if unclean
            && state.leader != before.leader
            && state.leader.is_some_and(|leader| !known.has(leader))
        {
            (self.recut, self.floor) = (true, state.leader_epoch);
        }
        self.judge_all(machines, tell);
    }

    /// Who was taken into the ISR, or was left in it, as its former self.
    fn taken_for_former(&mut self, before: &PartitionState) {
        let (state, bounces) = (self.state, self.bounces);
        for copy in &mut self.copies {
            if !state.isr.has(copy.node) && state.leader != Some(copy.node) {
                copy.unnoticed = false;
            } else if !before.isr.has(copy.node) && copy.lossy && bounces {
                copy.unnoticed |= copy.stale || !copy.runs;
            }
        }
    }

    /// A fenced broker is in no ISR. The last one stays, unless there are eligible leader replicas
    /// (PartitionChangeBuilder.java 3.9 and 4.0).
    fn heeds(&mut self, fenced: NodeSet, node: NodeId, tell: &mut Tell<'_>) {
        let isr = self.state.isr;
        let last = isr.len() == 1 && !tell.config.has(Rule::EligibleLeaderReplicas);
        let which = (Invariant::ValidControllerState, node);
        let holds = last || isr.and(fenced).is_empty();
        tell.holds(&mut self.broken, which, Some(self.id), holds, |_| {
            format!("ISR {isr:?}, fenced {fenced:?}")
        });
    }
}
