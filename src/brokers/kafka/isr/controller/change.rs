//! The next state of a partition when brokers come and go or its leader wants another ISR
//! (PartitionChangeBuilder.java 3.9 and 4.0; PartitionLeaderSelector.scala 0.8.2;
//! ReplicaStateMachine.scala 2.8).

use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;

use super::super::config::{Config, Metadata};
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::super::state::PartitionState;

/// Which brokers can lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// They live and are not fenced nor about to stop.
    pub active: NodeSet,
    /// They are fenced or dead, and leave the ISR.
    pub gone: NodeSet,
    /// They have lost what was not on their disks, or may have (KIP-966).
    pub unclean: NodeSet,
}

/// What has happened to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Brokers came or went.
    Brokers,
    /// Its leader wants this ISR.
    Isr(NodeSet),
    /// The preferred replica should lead.
    Preferred,
}

/// Who is elected: the leader, and whether it was no clean election.
#[must_use]
pub fn elect(
    config: &Config,
    partition: PartitionId,
    state: &PartitionState,
    isr: NodeSet,
    elr: NodeSet,
    standing: Standing,
) -> Option<(NodeId, bool)> {
    let replicas = config.replicas(partition);
    let first = |among: NodeSet| {
        let can = among.and(standing.active);
        replicas.iter().copied().find(|node| can.has(*node))
    };
    if let Some(leader) = first(isr) {
        return Some((leader, false));
    }
    if config.has(Rule::EligibleLeaderReplicas) {
        if let Some(leader) = first(elr.minus(standing.unclean)) {
            return Some((leader, false));
        }
        // Nobody is left who is known to be complete: the last leader, when it is back
        // (PartitionChangeBuilder.java 4.0, `canElectLastKnownLeader`).
        if isr.is_empty()
            && elr.is_empty()
            && let Some(last) = state.last_known_leader
            && standing.active.has(last)
        {
            return Some((last, true));
        }
    }
    let unclean = config.has(Rule::UncleanElectionAlways) || config.topic(partition).unclean;
    // Not the one with the longest log: the first that lives, in the order of assignment.
    let any = replicas.iter().copied().find(|node| standing.active.has(*node));
    any.filter(|_| unclean).map(|leader| (leader, true))
}

/// The state after a change; `None` if it stays as it is. Whether the election was unclean goes
/// with it.
#[must_use]
pub fn next_state(
    config: &Config,
    partition: PartitionId,
    state: &PartitionState,
    change: Change,
    standing: Standing,
) -> Option<(PartitionState, bool)> {
    let mut next = *state;
    let wanted = match change {
        Change::Isr(isr) => isr,
        Change::Brokers => {
            // 0.8 to 2.x: a dead leader's ISR keeps the members that live.
            state.isr.minus(standing.gone)
        }
        Change::Preferred => state.isr,
    };
    let elrs = config.has(Rule::EligibleLeaderReplicas);
    let min_isr = config.effective_min_isr(partition);
    let elr = eligible(config, state, wanted, min_isr, standing.unclean);
    next.isr = wanted;
    // The last member stays, unless others can be elected instead of it.
    if wanted.is_empty() && !elrs && keeps_last(config, partition) {
        next.isr = state.isr;
    }
    if elrs {
        next.elr = elr;
        if wanted.is_empty() && state.last_known_leader.is_none() {
            next.last_known_leader = state.leader.or(state.isr.iter().next());
        }
    }
    let mut unclean = false;
    let leader_stays =
        state.leader.is_some_and(|leader| standing.active.has(leader) && (next.isr.has(leader)));
    if change == Change::Preferred {
        let preferred = config.replicas(partition)[0];
        let in_sync = state.isr.has(preferred) || !config.has(Rule::PreferInSync);
        let can = in_sync && standing.active.has(preferred);
        if !can || state.leader == Some(preferred) {
            return None;
        }
        next.leader = Some(preferred);
    } else if !leader_stays {
        let candidates = if wanted.is_empty() { next.isr } else { wanted };
        match elect(config, partition, state, candidates, elr, standing) {
            Some((leader, was_unclean)) => {
                next.leader = Some(leader);
                unclean = was_unclean;
                if unclean {
                    next.isr = NodeSet::only(leader);
                    next.elr = NodeSet::EMPTY;
                } else if !next.isr.has(leader) {
                    next.isr = next.isr.with(leader);
                    next.elr = next.elr.without(leader);
                }
                next.last_known_leader = None;
            }
            None => next.leader = None,
        }
    }
    if elrs && next.isr.len() >= min_isr && config.has(Rule::ClearElr) {
        next.elr = NodeSet::EMPTY;
    }
    next.recovering = if unclean && config.metadata == Metadata::Kraft {
        true
    } else {
        state.recovering && next.leader == state.leader
    };
    let shrinks = !state.isr.is_within(next.isr);
    let bumps = match config.metadata {
        Metadata::Kraft => config.has(Rule::BumpEpochOnShrink) && shrinks,
        // Whatever the controller writes is a new epoch (LeaderAndIsr.scala 2.8,
        // `newLeaderAndIsr`; KafkaController.scala 0.8.2.2, `removeReplicaFromIsr`); what a leader
        // writes is not.
        Metadata::ZooKeeper => change == Change::Brokers,
    };
    if next == *state {
        return None;
    }
    let elected = next.leader != state.leader || (unclean && !leader_stays);
    if (elected && config.has(Rule::BumpEpochOnElection)) || bumps {
        next.leader_epoch += 1;
    }
    if unclean {
        next.unclean = Some(next.leader_epoch);
    }
    next.partition_epoch += 1;
    Some((next, unclean))
}

/// Whether the last member of an ISR is kept although it is gone. Up to 0.8.2 a partition that may
/// be led uncleanly lost it (KafkaController.scala 0.8.2.2, `removeReplicaFromIsr`).
fn keeps_last(config: &Config, partition: PartitionId) -> bool {
    let emptied = config.has(Rule::LagByMessages) && config.topic(partition).unclean;
    config.has(Rule::KeepLastIsrMember) && !emptied
}

/// Who is no member of the ISR any more and is known to have everything (KIP-966:
/// PartitionChangeBuilder.java 4.0, `maybePopulateTargetElr`).
fn eligible(
    config: &Config,
    state: &PartitionState,
    isr: NodeSet,
    min_isr: u32,
    unclean: NodeSet,
) -> NodeSet {
    let enough = isr.len() >= min_isr && config.has(Rule::ClearElr);
    if !config.has(Rule::EligibleLeaderReplicas) || enough {
        return NodeSet::EMPTY;
    }
    state.elr.or(state.isr).minus(isr).minus(unclean)
}
