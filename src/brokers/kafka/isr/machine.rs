//! The family's machines: what runs on a host.

use crate::brokers::coordination::zookeeper;
use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::{NodeId, Observer, Violation};
use crate::world::{Cluster, Context, Death, DiskView, Input, Machine, RoleQuery, WorldView};

use super::broker::Broker;
use super::client::{Consumer, Producer, ScalaProducer};
use super::controller::Controller;
use super::invariants::Oracle;
use super::message::Message;
use super::state::Znode;
use super::words::selector;

/// A broker, a coordinator or a client.
#[derive(Clone, Debug)]
pub enum KafkaMachine {
    /// A broker.
    Broker(Box<Broker>),
    /// A server of ZooKeeper.
    ZooKeeper(Box<zookeeper::Server<Znode>>),
    /// A controller of the quorum.
    Controller(Box<Controller>),
    /// The Java producer.
    Producer(Box<Producer>),
    /// The Scala producer.
    Scala(Box<ScalaProducer>),
    /// A consumer or an auditor.
    Consumer(Box<Consumer>),
}

impl Machine for KafkaMachine {
    type Message = Message;

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self {
            KafkaMachine::Broker(broker) => broker.handle(input, ctx),
            KafkaMachine::ZooKeeper(server) => server.handle(input, ctx),
            KafkaMachine::Controller(controller) => controller.handle(input, ctx),
            KafkaMachine::Producer(producer) => producer.handle(input, ctx),
            KafkaMachine::Scala(producer) => producer.handle(input, ctx),
            KafkaMachine::Consumer(consumer) => consumer.handle(input, ctx),
        }
    }

    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        match self {
            KafkaMachine::Broker(broker) => broker.died(death, disk, at, observer),
            KafkaMachine::ZooKeeper(server) => server.died(death, disk, at, observer),
            KafkaMachine::Controller(controller) => controller.died(death, disk),
            KafkaMachine::Producer(producer) => producer.died(at, observer),
            KafkaMachine::Scala(producer) => producer.died(at, observer),
            KafkaMachine::Consumer(consumer) => consumer.died(at, observer),
        }
    }

    fn is_settled(&self) -> bool {
        match self {
            KafkaMachine::Broker(broker) => broker.is_settled(),
            KafkaMachine::ZooKeeper(server) => server.is_settled(),
            KafkaMachine::Controller(controller) => controller.is_settled(),
            KafkaMachine::Producer(producer) => producer.is_settled(),
            KafkaMachine::Scala(producer) => producer.is_settled(),
            KafkaMachine::Consumer(consumer) => consumer.is_settled(),
        }
    }
}

/// A Kafka cluster with its coordinators and clients, as the world sees it.
#[derive(Clone, Copy, Debug)]
pub struct KafkaCluster;

/// The brokers among machines.
pub(super) fn brokers(
    machines: &[KafkaMachine],
) -> impl Iterator<Item = (NodeId, &Broker)> + Clone {
    machines.iter().enumerate().filter_map(|(index, machine)| match machine {
        KafkaMachine::Broker(broker) => Some((NodeId(index as u32), &**broker)),
        _ => None,
    })
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
        let partition = config.streams.partition_of(query.destination);
        let replicas = config.replicas(partition);
        let nth = query.nth.max(1) as usize - 1;
        match query.selector {
            selector::LEADER => leader_of(machines, partition).into_iter().collect(),
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
    fn is_settled(machines: &[KafkaMachine]) -> bool {
        let end = |partition| {
            let leader = leader_of(machines, partition)?;
            let mut found = brokers(machines).filter(|(node, _)| *node == leader);
            found.next()?.1.readable_upto(partition)
        };
        machines.iter().all(|machine| match machine {
            KafkaMachine::Consumer(consumer) => consumer.has_read_all(end),
            machine => machine.is_settled(),
        })
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

/// The node that decides, if there is one.
fn controller(machines: &[KafkaMachine]) -> Option<NodeId> {
    let quorum = machines.iter().enumerate().filter_map(|(index, machine)| match machine {
        KafkaMachine::Controller(controller) => Some((controller.leads()?, index as u32)),
        _ => None,
    });
    let of_quorum = quorum.max().map(|(_, index)| NodeId(index));
    of_quorum.or_else(|| {
        let elected = brokers(machines).filter_map(|(node, b)| Some((b.controller_term()?, node)));
        elected.max().map(|(_, node)| node)
    })
}
