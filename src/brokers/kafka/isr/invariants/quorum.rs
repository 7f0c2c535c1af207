//! The controller quorum, and the brokers' copies of its log.

use crate::brokers::coordination::raft::{self, Replica};
use crate::observe::{NodeId, Violation};

use super::super::broker::Membership;
use super::super::config::Config;
use super::super::machine::KafkaMachine;
use super::super::state::Record;
use super::Invariant;
use super::oracle::Tell;

/// What was seen of the quorum.
#[derive(Clone)]
pub(super) struct Quorum {
    oracle: raft::Oracle<Record>,
    /// How many hosts have a part in it: brokers, then controllers.
    hosts: usize,
}

impl Quorum {
    pub(super) fn new(config: &Config) -> Quorum {
        let hosts = config.brokers as usize + config.coordinators.len();
        Quorum { oracle: raft::Oracle::default(), hosts }
    }

    /// Whether a host's replica has changed since it was last looked at.
    #[inline]
    pub(super) fn is_new(&self, node: NodeId, replica: &Replica<Record>) -> bool {
        self.oracle.changed(replica, node.index())
    }

    /// Looks at a host's replica.
    pub(super) fn look(
        &mut self,
        machines: &[KafkaMachine],
        node: NodeId,
        replica: &Replica<Record>,
        tell: &mut Tell<'_>,
    ) {
        if !self.is_new(node, replica) {
            return;
        }
        let replicas: Vec<&Replica<Record>> =
            machines[..self.hosts].iter().filter_map(replica_of).collect();
        self.oracle.check(&replicas, node.index(), &mut |violation| {
            let invariant = named(violation.invariant, replica.is_voter()).id();
            let detail = violation.what;
            (tell.report)(Violation { invariant, node, destination: None, detail });
        });
    }
}

/// The part of a host in the quorum.
fn replica_of(machine: &KafkaMachine) -> Option<&Replica<Record>> {
    match machine {
        KafkaMachine::Controller(controller) => Some(&controller.raft),
        KafkaMachine::Broker(broker) => match &broker.membership {
            Membership::Kraft(member) => Some(&member.raft),
            Membership::ZooKeeper(_) => None,
        },
        _ => None,
    }
}

fn named(invariant: raft::Invariant, voter: bool) -> Invariant {
    match invariant {
        raft::Invariant::MonotonicEpoch => Invariant::MonotonicEpoch,
        raft::Invariant::MonotonicHighWatermark => Invariant::MonotonicHighWatermark,
        raft::Invariant::MajorityReachedHighWatermark => Invariant::MajorityReachedHighWatermark,
        raft::Invariant::SingleLeader => Invariant::SingleLeader,
        raft::Invariant::SnapshotAtLogStart => Invariant::SnapshotAtLogStart,
        raft::Invariant::LeaderNeverLoadSnapshot => Invariant::LeaderNeverLoadSnapshot,
        raft::Invariant::ConsistentCommittedData if voter => Invariant::ConsistentCommittedData,
        raft::Invariant::ConsistentCommittedData => Invariant::MetadataLogMatching,
    }
}
