//! The family's machines: what runs on a host.

use crate::brokers::coordination::zookeeper;
use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::machines::{all, machines};
use crate::engine::Time;
use crate::observe::{NodeId, Violation};
use crate::world::{Cluster, Machine, RoleQuery, Waiting, WorldView};

use super::broker::Broker;
use super::client::{Consumer, Producer, ScalaProducer};
use super::controller::Controller;
use super::groups::GroupId;
use super::invariants::Oracle;
use super::message::Message;
use super::state::Znode;
use super::words::selector;

machines! {
    /// A broker, a coordinator or a client.
    pub enum KafkaMachine: Message {
        /// A broker.
        Broker(Broker): disk,
        /// A server of ZooKeeper.
        ZooKeeper(zookeeper::Server<Znode>): disk,
        /// A controller of the quorum.
        Controller(Controller): silent,
        /// The Java producer.
        Producer(Producer): memory,
        /// The Scala producer.
        Scala(ScalaProducer): memory,
        /// A consumer or an auditor.
        Consumer(Consumer): memory,
    }
}

/// A Kafka cluster with its coordinators and clients, as the world sees it.
#[derive(Clone, Copy, Debug)]
pub struct KafkaCluster;

/// The brokers among machines.
pub(super) fn brokers(
    machines: &[KafkaMachine],
) -> impl Iterator<Item = (NodeId, &Broker)> + Clone {
    all(machines)
}

/// Who leads a partition, as the broker with the greatest epoch knows it.
fn leader_of(machines: &[KafkaMachine], partition: PartitionId) -> Option<NodeId> {
    let leads = brokers(machines).filter(|(_, broker)| broker.leads(partition));
    let newest = leads.max_by_key(|(_, broker)| broker.leader_epoch(partition));
    newest.map(|(node, _)| node).or_else(|| {
        let states = brokers(machines).filter_map(|(_, broker)| broker.state(partition));
        states.max_by_key(|state| (state.leader_epoch, state.partition_epoch))?.leader
    })
}

impl Cluster for KafkaCluster {
    type Machine = KafkaMachine;
    type Oracle = Oracle;

    const CHECKED: bool = true;

    #[inline]
    fn check(
        oracle: &mut Oracle,
        machines: &mut [KafkaMachine],
        node: NodeId,
        _at: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        oracle.check(machines, node, report);
    }

    fn resolve(
        machines: &[KafkaMachine],
        query: &RoleQuery,
        _world: &WorldView<'_>,
    ) -> Vec<NodeId> {
        let Some((_, first)) = brokers(machines).next() else { return Vec::new() };
        let config = first.config();
        if query.selector == selector::CONTROLLER {
            return controller(machines).into_iter().collect();
        }
        // What is no partition is a group, behind them, or a transactional id, behind those.
        let place = query.destination.index();
        let groups = config.groups.all.iter().map(|group| group.partition);
        let ids = config.transactions.all.iter().map(|id| id.partition);
        let behind = place.checked_sub(config.partitions.len());
        let own = behind.and_then(|behind| groups.chain(ids).nth(behind));
        let partition = own.unwrap_or(PartitionId(query.destination.0));
        let replicas = config.replicas(partition);
        let nth = query.nth.max(1) as usize - 1;
        match query.selector {
            selector::LEADER | selector::COORDINATOR => {
                leader_of(machines, partition).into_iter().collect()
            }
            selector::FOLLOWER => {
                let leader = leader_of(machines, partition);
                let others = replicas.iter().filter(|node| Some(**node) != leader);
                others.copied().nth(nth).into_iter().collect()
            }
            selector::REPLICA => replicas.get(nth).copied().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// A consumer alone does not know whether its leader is silent or has nothing new: it is
    /// compared with the leaders.
    fn waits(machines: &[KafkaMachine], lives: &dyn Fn(NodeId) -> bool) -> Vec<Waiting> {
        let end = |partition, committed| {
            let leader = leader_of(machines, partition).filter(|leader| lives(*leader))?;
            let (_, leader) = brokers(machines).find(|(node, _)| *node == leader)?;
            if committed { leader.stable_upto(partition) } else { leader.readable_upto(partition) }
        };
        let waits = |(node, machine): (NodeId, &KafkaMachine)| {
            let what = match machine {
                KafkaMachine::Consumer(consumer) => consumer.waits_for_upto(Some(&end)),
                machine => machine.waits_for(),
            };
            Waiting::of(node, what)
        };
        let nodes = (0..).map(NodeId).zip(machines).filter(|(node, _)| lives(*node));
        nodes.filter_map(waits).chain(unshared(machines, lives)).collect()
    }

    /// Every partition is led, and all of its replicas are in sync, as its leader knows it.
    fn in_sync(machines: &[KafkaMachine], _: &WorldView<'_>) -> bool {
        let Some((_, first)) = brokers(machines).next() else { return true };
        let config = first.config().clone();
        config.all_partitions().all(|partition| {
            let leads = brokers(machines).filter(|(_, broker)| broker.leads(partition));
            let mut whole = leads.map(|(_, broker)| broker.has_all_in_sync(partition));
            whole.next() == Some(true) && whole.next().is_none()
        })
    }

    /// All of its replicas are in sync, as their leaders know it, and reach to where they commit.
    fn has_recovered(machines: &[KafkaMachine], broker: NodeId, _: &WorldView<'_>) -> bool {
        let Some((_, met)) = brokers(machines).find(|(node, _)| *node == broker) else {
            return true;
        };
        let config = met.config().clone();
        let mut own = config.all_partitions().filter(|p| config.replicas(*p).contains(&broker));
        own.all(|partition| {
            let leader = leader_of(machines, partition);
            let leader = brokers(machines).find(|(node, _)| Some(*node) == leader);
            leader.is_some_and(|(node, leader)| {
                let state = leader.state(partition).filter(|state| state.leader == Some(node));
                let in_sync = state.is_some_and(|state| state.isr.has(broker));
                let same = met.leader_epoch(partition) == leader.leader_epoch(partition);
                let upto = leader.readable_upto(partition);
                let ends = met.offsets(partition).map(|(end, _)| end);
                in_sync && same && ends >= upto && upto.is_some()
            })
        })
    }
}

/// Of each group whose members do not read all that they subscribe to: the first of them, which waits
/// for its share. A coordinator may wait for one that is gone, and the others do not know.
fn unshared(machines: &[KafkaMachine], lives: &dyn Fn(NodeId) -> bool) -> Vec<Waiting> {
    let Some((_, first)) = brokers(machines).next() else { return Vec::new() };
    let config = first.config();
    let consumers = all::<_, Consumer>(machines);
    let members = consumers.filter(|(node, consumer)| lives(*node) && consumer.is_member());
    let members: Vec<(NodeId, &Consumer)> = members.collect();
    let waits = |id: u32| {
        let own = members.iter().filter(|(_, member)| member.group() == Some(GroupId(id)));
        let mut held: Vec<PartitionId> =
            own.clone().flat_map(|(_, member)| member.positions().map(|(p, _)| p)).collect();
        held.sort_unstable();
        let lacks = |member: &Consumer| {
            let mut topic = config.streams.of_topic(member.topic());
            topic.any(|partition| held.binary_search(&partition).is_err())
        };
        let (node, _) = own.clone().find(|(_, member)| lacks(member))?;
        Waiting::of(*node, Some("its group, to share out the partitions".into()))
    };
    (0..config.groups.all.len() as u32).filter_map(waits).collect()
}

/// The node that decides, if there is one.
fn controller(machines: &[KafkaMachine]) -> Option<NodeId> {
    let quorum = all::<_, Controller>(machines);
    let leading = quorum.filter_map(|(node, controller)| Some((controller.leads()?, node)));
    let of_quorum = leading.max().map(|(_, node)| node);
    of_quorum.or_else(|| {
        let elected = brokers(machines).filter_map(|(node, b)| Some((b.controller_term()?, node)));
        elected.max().map(|(_, node)| node)
    })
}
