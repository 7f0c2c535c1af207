//! The family's machines: what runs on a host.

use crate::engine::Time;
use crate::observe::{NodeId, Observer};
use crate::world::{Cluster, Context, Death, DiskView, Input, Machine, RoleQuery, WorldView};

use super::broker::Broker;
use super::client::{Consumer, Producer};
use super::message::{Message, QueueId};
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

    fn handle<O: Observer>(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message, O>) {
        match self {
            RabbitMachine::Broker(broker) => broker.handle(input, ctx),
            RabbitMachine::Producer(producer) => producer.handle(input, ctx),
            RabbitMachine::Consumer(consumer) => consumer.handle(input, ctx),
        }
    }

    fn died<O: Observer>(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut O) {
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

    /// A consumer asks for its queue for ever, also if that was not durable and went away with its
    /// node, or if the tables that were split by a partition lack it: it waits for nothing then.
    fn is_settled(machines: &[RabbitMachine]) -> bool {
        let gone = |node: NodeId, queue: QueueId| match &machines[node.index()] {
            RabbitMachine::Broker(broker) => broker.tables().queue(queue).is_none(),
            _ => false,
        };
        machines.iter().all(|machine| match machine {
            RabbitMachine::Consumer(consumer) => consumer.is_settled_but_for(gone),
            other => other.is_settled(),
        })
    }
}
