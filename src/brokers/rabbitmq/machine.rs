//! The family's machines: what runs on a host.

use crate::brokers::kit::machines::{Holds, all, machines};
use crate::observe::NodeId;
use crate::world::{Cluster, RoleQuery, WorldView};

use super::broker::Broker;
use super::broker::cluster::mnesia::QueueRecord;
use super::client::{Consumer, Producer};
use super::message::{Message, Pid, QueueId};
use super::words::selector;

machines! {
    /// A broker node or a client.
    pub enum RabbitMachine: Message {
        /// A broker node.
        Broker(Broker): disk,
        /// A producer.
        Producer(Producer): memory,
        /// A consumer or an auditor.
        Consumer(Consumer): memory,
    }
}

/// A RabbitMQ cluster with its clients, as the world sees it.
#[derive(Clone, Copy, Debug)]
pub struct RabbitCluster;

impl Cluster for RabbitCluster {
    type Machine = RabbitMachine;
    type Oracle = ();

    fn resolve(
        machines: &[RabbitMachine],
        query: &RoleQuery,
        world: &WorldView<'_>,
    ) -> Vec<NodeId> {
        let queue = QueueId(query.destination.0);
        let brokers = || all::<_, Broker>(machines);
        match query.selector {
            // The process that leads, wherever it runs; if none does, the node that the tables
            // of the first running node still name.
            selector::LEADER | selector::HOME => {
                let leads = brokers().find(|(id, b)| world.is_running(*id) && b.leads(queue));
                let leads = leads.map(|(id, _)| id);
                let named = || brokers().find_map(|(_, broker)| broker.leader_of(queue));
                leads.or_else(named).into_iter().collect()
            }
            selector::MIRROR => {
                let leader = brokers().find(|(id, b)| world.is_running(*id) && b.leads(queue));
                let mirrors = leader.map_or(Vec::new(), |(_, broker)| broker.mirrors_of(queue));
                mirrors.get(query.nth as usize - 1).copied().into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Every broker runs, is connected with every other and has the same tables as they; every
    /// queue is led, and has all its mirrors, which have all that the leader has. A queue that is
    /// in no table has gone for good and does not count.
    fn in_sync(machines: &[RabbitMachine], _: &WorldView<'_>) -> bool {
        let brokers: Vec<(NodeId, &Broker)> = all(machines).collect();
        let Some((_, first)) = brokers.first() else { return true };
        let tables = first.tables();
        let one_cluster = brokers.iter().all(|(me, broker)| {
            let mut others = brokers.iter().filter(|(other, _)| other != me);
            broker.is_at_rest()
                && broker.tables().queues == tables.queues
                && broker.running_peers().len() + 1 == brokers.len()
                && others.all(|(id, other)| broker.sees(*id) == Some(other.incarnation()))
        });
        let lives = |pid: Pid| {
            brokers.iter().any(|(node, broker)| *node == pid.node && broker.has(pid.lane))
        };
        let whole = |(queue, record): (usize, &QueueRecord)| {
            record.replicas().all(lives)
                && record.mirrors.len() >= first.full_mirrors(QueueId(queue as u32))
                && record.mirrors.iter().all(|mirror| record.synchronised.contains(mirror))
        };
        let records = tables.queues.iter().enumerate();
        one_cluster && records.filter_map(|(i, r)| Some((i, r.as_ref()?))).all(whole)
    }

    /// All brokers know of each other as they are now, and nobody waits for anything that comes by
    /// itself. A consumer asks for its queue for ever, also if that was not durable and went away
    /// with its node, or if a table that a partition has split off lacks it. Nor does anybody
    /// answer for a queue whose leader is dead and that nobody may take over: a mirrored queue that
    /// is not durable is not recovered, and with `ha-promote-on-failure = when-synced` its mirrors
    /// wait (rabbitmq-server#2045).
    fn is_settled(machines: &[RabbitMachine]) -> bool {
        let broker = |node: NodeId| -> Option<&Broker> { machines[node.index()].held() };
        let brokers = || all::<_, Broker>(machines);
        let acquainted = brokers().all(|(me, broker)| {
            let others = brokers().filter(|(other, _)| *other != me);
            others.into_iter().all(|(id, other)| broker.sees(id) == Some(other.incarnation()))
        });
        let gone = |node: NodeId, queue: QueueId| {
            broker(node).is_none_or(|broker| broker.tables().queue(queue).is_none())
        };
        let leaderless = |node: NodeId, queue: QueueId| {
            let record = broker(node).and_then(|broker| broker.tables().queue(queue));
            let leader = record.map(|record| record.leader);
            leader.is_some_and(|pid| broker(pid.node).is_none_or(|broker| !broker.has(pid.lane)))
        };
        acquainted
            && machines.iter().enumerate().all(|(index, machine)| match machine {
                RabbitMachine::Broker(broker) => {
                    broker.is_settled_but_for(|queue| leaderless(NodeId(index as u32), queue))
                }
                RabbitMachine::Producer(producer) => {
                    let owed = |node: NodeId| broker(node).is_some_and(Broker::owes);
                    producer.is_settled() || producer.waits_for().is_some_and(owed)
                }
                RabbitMachine::Consumer(consumer) => consumer
                    .is_settled_but_for(|node, queue| gone(node, queue) || leaderless(node, queue)),
            })
    }
}
