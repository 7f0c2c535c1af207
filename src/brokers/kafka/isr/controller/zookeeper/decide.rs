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

#[cfg(test)]
mod tests {
    use super::super::super::super::keys::SECTIONS;
    use super::super::super::super::plan::plan;
    use super::*;
    use crate::scenario::{Document, SectionSpec};
    use crate::world;

    const P: PartitionId = PartitionId(0);
    const N: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];

    /// Three brokers and a partition with a replica on each, with these lines in its section.
    fn config(version: &str, topic: &str) -> Config {
        let text = format!(
            "format = 1\nname = \"t\"\nmode = \"kafka-isr\"\nbroker-version = \"{version}\"\n\
             duration = \"1s\"\n[cluster]\nnodes = 3\n[controller]\nmetadata = \"zookeeper\"\n\
             [[topic]]\nname = \"t\"\nreplication-factor = 3\n{topic}"
        );
        let document = Document::parse("t", text).expect("TOML");
        let faults =
            [&&world::fault::FAULT, &&world::fault::NEMESIS, &&world::fault::NEMESIS_FAULT];
        let all = world::SECTIONS.iter().chain(faults).chain(SECTIONS);
        let sections: Vec<&SectionSpec> = all.copied().collect();
        let version = version.parse().expect("a version");
        let scenario = document.check(&sections, Some(version)).expect("a scenario");
        plan(&scenario).expect("a plan").config
    }

    fn set(nodes: &[usize]) -> NodeSet {
        nodes.iter().map(|index| N[*index]).collect()
    }

    fn state(config: &Config, leader: Option<usize>, isr: &[usize]) -> PartitionState {
        let leader = leader.map(|index| N[index]);
        PartitionState { leader, isr: set(isr), leader_epoch: 5, ..config.first_state(P) }
    }

    fn brokers(live: &[usize], shutting_down: &[usize]) -> Brokers {
        Brokers { live: set(live), shutting_down: set(shutting_down) }
    }

    /// Leader, ISR, leader epoch, unclean.
    type Told = Option<(Option<NodeId>, NodeSet, u32, bool)>;

    fn told(decided: Option<(PartitionState, bool)>) -> Told {
        decided.map(|(next, unclean)| (next.leader, next.isr, next.leader_epoch, unclean))
    }

    #[test]
    fn the_first_live_member_of_the_isr_is_elected() {
        let config = config("2.8", "");
        let decide = |state: &PartitionState, live: &[usize]| {
            told(decide(&config, P, state, Why::Offline, brokers(live, &[])))
        };
        let all = state(&config, Some(0), &[0, 1, 2]);
        assert_eq!(decide(&all, &[1, 2]), Some((Some(N[1]), set(&[1, 2]), 6, false)));
        assert_eq!(decide(&all, &[0, 1]), None, "its leader lives: no matter who does not");
        let behind = state(&config, Some(0), &[0, 2]);
        assert_eq!(decide(&behind, &[1, 2]), Some((Some(N[2]), set(&[2]), 6, false)));
        let alone = state(&config, Some(0), &[0]);
        assert_eq!(
            decide(&alone, &[1, 2]),
            Some((None, set(&[0]), 6, false)),
            "it stays in the ISR"
        );
        let offline = state(&config, None, &[0]);
        assert_eq!(decide(&offline, &[1, 2]), None);
        assert_eq!(decide(&offline, &[0, 1, 2]), Some((Some(N[0]), set(&[0]), 6, false)));
    }

    #[test]
    fn an_unclean_leader_is_the_isr() {
        let config = config("2.8", "\"unclean.leader.election.enable\" = true");
        let alone = state(&config, Some(0), &[0]);
        let next = decide(&config, P, &alone, Why::Offline, brokers(&[1, 2], &[]));
        assert_eq!(told(next), Some((Some(N[1]), set(&[1]), 6, true)));
    }

    #[test]
    fn a_dead_follower_leaves_the_isr_in_a_new_epoch() {
        let config = config("2.8", "");
        let all = state(&config, Some(0), &[0, 1, 2]);
        let left = |state, who: &[usize], live: &[usize]| {
            told(decide(&config, P, state, Why::Left(set(who)), brokers(live, &[])))
        };
        assert_eq!(left(&all, &[2], &[0, 1]), Some((Some(N[0]), set(&[0, 1]), 6, false)));
        let without = state(&config, Some(0), &[0, 1]);
        assert_eq!(left(&without, &[2], &[0, 1]), None, "it was not in the ISR");
        assert_eq!(left(&all, &[0, 2], &[0, 1]), Some((Some(N[0]), set(&[0, 1]), 6, false)));
    }

    #[test]
    fn a_stopping_leader_goes_only_if_another_can_lead() {
        let config = config("2.8", "\"unclean.leader.election.enable\" = true");
        let shutdown = |state: &PartitionState, live: &[usize], stopping: &[usize]| {
            told(decide(&config, P, state, Why::Shutdown, brokers(live, stopping)))
        };
        let all = state(&config, Some(0), &[0, 1, 2]);
        let moved = Some((Some(N[1]), set(&[1, 2]), 6, false));
        assert_eq!(shutdown(&all, &[0, 1, 2], &[0]), moved);
        assert_eq!(shutdown(&all, &[0, 1, 2], &[0, 1]), Some((Some(N[2]), set(&[2]), 6, false)));
        let alone = state(&config, Some(0), &[0]);
        assert_eq!(shutdown(&alone, &[0, 1, 2], &[0]), None, "never uncleanly");
        assert_eq!(shutdown(&all, &[0, 1, 2], &[1]), None, "it leads, and does not stop");
    }

    #[test]
    fn the_preferred_replica_leads_if_it_is_in_the_isr() {
        let config = config("2.8", "");
        let prefer = |state: &PartitionState, live: &[usize]| {
            told(decide(&config, P, state, Why::Preferred, brokers(live, &[])))
        };
        let all = state(&config, Some(1), &[0, 1, 2]);
        assert_eq!(prefer(&all, &[0, 1, 2]), Some((Some(N[0]), set(&[0, 1, 2]), 6, false)));
        assert_eq!(prefer(&all, &[1, 2]), None);
        assert_eq!(prefer(&state(&config, Some(1), &[1, 2]), &[0, 1, 2]), None);
        assert_eq!(prefer(&state(&config, Some(0), &[0, 1]), &[0, 1, 2]), None);
        let states = [Some(all)];
        assert_eq!(imbalanced(&config, &states, brokers(&[0, 1, 2], &[])), [P]);
        assert_eq!(imbalanced(&config, &states, brokers(&[1, 2], &[])), [], "it does not live");
    }

    #[test]
    fn up_to_0_8_2_a_partition_that_may_be_led_uncleanly_loses_its_last_member() {
        let alone = |config: &Config| state(config, Some(0), &[0]);
        let none = brokers(&[], &[]);
        let config_08 = config("0.8.2", "\"unclean.leader.election.enable\" = true");
        let next = decide(&config_08, P, &alone(&config_08), Why::Offline, none);
        assert_eq!(told(next), Some((None, NodeSet::EMPTY, 6, false)));
        let config_28 = config("2.8", "\"unclean.leader.election.enable\" = true");
        let next = decide(&config_28, P, &alone(&config_28), Why::Offline, none);
        assert_eq!(told(next), Some((None, set(&[0]), 6, false)));
    }

    #[test]
    fn what_a_leader_asks_for_is_no_new_epoch() {
        let config = config("2.8", "");
        let all = state(&config, Some(0), &[0, 1, 2]);
        let isr = set(&[0, 1]);
        let next = decide(&config, P, &all, Why::Isr(isr), brokers(&[0, 1, 2], &[]));
        assert_eq!(told(next), Some((Some(N[0]), isr, 5, false)));
    }
}
