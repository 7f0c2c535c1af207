//! What a ZooKeeper controller makes of a partition (PartitionLeaderSelector.scala 0.8.2.2;
//! Election.scala, PartitionStateMachine.scala, ReplicaStateMachine.scala 2.8). Pure.

use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;

use super::super::super::config::Config;
use super::super::super::nodes::NodeSet;
use super::super::super::state::PartitionState;
use super::super::change::{Change, Standing, next_state};

/// Why a partition's state may have to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its leader may not live (`OfflinePartitionLeaderElectionStrategy`).
    Offline,
    /// These are gone, or about to stop, and do not belong in the ISR (`OfflineReplica`).
    Left(NodeSet),
    /// Its leader is about to stop (`ControlledShutdownPartitionLeaderElectionStrategy`).
    Shutdown,
    /// Its preferred replica should lead (`PreferredReplicaPartitionLeaderElectionStrategy`).
    Preferred,
    /// Its leader wants this ISR (KIP-497).
    Isr(NodeSet),
}

/// Which brokers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brokers {
    /// They are registered.
    pub live: NodeSet,
    /// They are about to stop.
    pub shutting_down: NodeSet,
}

impl Brokers {
    /// Those that can be elected (`liveBrokerIds`).
    #[must_use]
    pub fn eligible(self) -> NodeSet {
        self.live.minus(self.shutting_down)
    }

    /// Whether a partition's leader lives.
    #[must_use]
    pub fn has_leader_of(self, state: &PartitionState) -> bool {
        state.leader.is_some_and(|leader| self.live.has(leader))
    }
}

/// The next state of a partition, and whether its leader was elected uncleanly; `None` if it stays
/// as it is.
#[must_use]
pub fn decide(
    config: &Config,
    partition: PartitionId,
    state: &PartitionState,
    why: Why,
    brokers: Brokers,
) -> Option<(PartitionState, bool)> {
    let eligible = brokers.eligible();
    let next = |change, active, gone| {
        let standing = Standing { active, gone, unclean: NodeSet::EMPTY };
        next_state(config, partition, state, change, standing)
    };
    match why {
        Why::Offline if brokers.has_leader_of(state) => None,
        // The new ISR is the part of the old one that can be elected.
        Why::Offline => next(Change::Brokers, eligible, config.everyone().minus(eligible)),
        Why::Left(gone) if brokers.has_leader_of(state) => {
            next(Change::Brokers, brokers.live, gone.minus(leader(state)))
        }
        Why::Left(gone) => next(Change::Brokers, eligible, gone),
        // If nobody else can lead, all stays as it is.
        Why::Shutdown => {
            let can = state.isr.and(eligible);
            let leaves = state.leader.is_some_and(|leader| brokers.shutting_down.has(leader));
            (leaves && !can.is_empty())
                .then(|| next(Change::Brokers, eligible, brokers.shutting_down))?
        }
        Why::Preferred => next(Change::Preferred, eligible, NodeSet::EMPTY),
        Why::Isr(isr) => {
            let partition_epoch = state.partition_epoch + 1;
            Some((PartitionState { isr, partition_epoch, ..*state }, false))
        }
    }
}

fn leader(state: &PartitionState) -> NodeSet {
    state.leader.map_or(NodeSet::EMPTY, NodeSet::only)
}

/// The partitions that would change if the brokers whose share of preferred partitions that others
/// lead is over `leader.imbalance.per.broker.percentage` got them back
/// (KafkaController.scala 0.8.2.2, `checkAndTriggerPartitionRebalance`).
#[must_use]
pub fn imbalanced(
    config: &Config,
    states: &[Option<PartitionState>],
    brokers: Brokers,
) -> Vec<PartitionId> {
    let mut wanted = Vec::new();
    for broker in brokers.eligible().iter() {
        let preferred: Vec<PartitionId> = preferred_by(config, broker).collect();
        let elsewhere = |partition: &&PartitionId| {
            states[partition.index()].is_some_and(|state| state.leader != Some(broker))
        };
        let led_elsewhere: Vec<_> = preferred.iter().filter(elsewhere).copied().collect();
        let share = led_elsewhere.len() as u64 * 100;
        if share > config.settings.imbalance * preferred.len() as u64 {
            wanted.extend(led_elsewhere);
        }
    }
    wanted
}

fn preferred_by(config: &Config, broker: NodeId) -> impl Iterator<Item = PartitionId> {
    config.all_partitions().filter(move |partition| config.replicas(*partition)[0] == broker)
}
