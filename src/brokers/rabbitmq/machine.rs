//! The family's machines: what runs on a host.

use crate::engine::Time;
use crate::observe::{NodeId, Observer};
use crate::world::{Cluster, Context, Death, DiskView, Input, Machine, RoleQuery, WorldView};

use super::broker::Broker;
use super::broker::mnesia::QueueRecord;
use super::client::{Consumer, Producer};
use super::message::{Message, Pid, QueueId};
use super::words::selector;

/// A broker node or a client.
#[derive(Clone, Debug)]
pub enum RabbitMachine {
    /// A broker node.
    Broker(Box<Broker>),
    /// A producer.
    Producer(Box<Producer>),
    /// A consumer or an auditor.
    Consumer(Box<Consumer>),
}

impl Machine for RabbitMachine {
    type Message = Message;

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self {
            RabbitMachine::Broker(broker) => broker.handle(input, ctx),
            RabbitMachine::Producer(producer) => producer.handle(input, ctx),
            RabbitMachine::Consumer(consumer) => consumer.handle(input, ctx),
        }
    }

    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        match self {
            RabbitMachine::Broker(broker) => broker.died(death, disk, at, observer),
            RabbitMachine::Producer(producer) => producer.died(at, observer),
            RabbitMachine::Consumer(consumer) => consumer.died(at, observer),
        }
    }

    fn is_settled(&self) -> bool {
        match self {
            RabbitMachine::Broker(broker) => broker.is_settled(),
            RabbitMachine::Producer(producer) => producer.is_settled(),
            RabbitMachine::Consumer(consumer) => consumer.is_settled(),
        }
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
        let brokers = || {
            machines.iter().enumerate().filter_map(|(index, machine)| match machine {
                RabbitMachine::Broker(broker) => Some((NodeId(index as u32), broker)),
                _ => None,
            })
        };
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
        let brokers: Vec<(NodeId, &Broker)> = machines
            .iter()
            .enumerate()
            .filter_map(|(index, machine)| match machine {
                RabbitMachine::Broker(broker) => Some((NodeId(index as u32), &**broker)),
                _ => None,
            })
            .collect();
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
        let broker = |node: NodeId| match &machines[node.index()] {
            RabbitMachine::Broker(broker) => Some(&**broker),
            _ => None,
        };
        let brokers =
            || (0..machines.len() as u32).map(NodeId).filter_map(|n| Some((n, broker(n)?)));
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
