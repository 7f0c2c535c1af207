//! The family's machines: what runs on a host.

use crate::brokers::coordination::zookeeper::Server;
use crate::engine::Time;
use crate::observe::{NodeId, Observer, Violation};
use crate::world::{Cluster, Context, Death, DiskView, Input, Machine, RoleQuery, WorldView};

use super::super::PartitionId;
use super::broker::Broker;
use super::consumer::Consumer;
use super::invariants::{self, Oracle};
use super::message::{Message, Znode};
use super::producer::Producer;
use super::words::selector;

/// A broker, a server of ZooKeeper, or a client.
#[derive(Clone, Debug)]
pub enum LegacyMachine {
    /// A broker.
    Broker(Box<Broker>),
    /// A server of ZooKeeper.
    Zookeeper(Box<Server<Znode>>),
    /// A producer.
    Producer(Box<Producer>),
    /// A consumer or an auditor.
    Consumer(Box<Consumer>),
}

impl LegacyMachine {
    /// The broker, if it is one.
    #[must_use]
    pub fn broker(&self) -> Option<&Broker> {
        match self {
            LegacyMachine::Broker(broker) => Some(broker),
            _ => None,
        }
    }
}

impl Machine for LegacyMachine {
    type Message = Message;

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self {
            LegacyMachine::Broker(broker) => broker.handle(input, ctx),
            LegacyMachine::Zookeeper(server) => {
                let boots = matches!(input, Input::Boot(_));
                server.handle(input, ctx);
                if boots {
                    ctx.ready();
                }
            }
            LegacyMachine::Producer(producer) => producer.handle(input, ctx),
            LegacyMachine::Consumer(consumer) => consumer.handle(input, ctx),
        }
    }

    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        match self {
            LegacyMachine::Broker(broker) => broker.died(death, disk, at, observer),
            LegacyMachine::Zookeeper(server) => server.died(death, disk, at, observer),
            LegacyMachine::Producer(producer) => producer.died(at, observer),
            LegacyMachine::Consumer(consumer) => consumer.died(at, observer),
        }
    }

    fn is_settled(&self) -> bool {
        match self {
            LegacyMachine::Broker(broker) => broker.is_settled(),
            LegacyMachine::Zookeeper(server) => server.is_settled(),
            LegacyMachine::Producer(producer) => producer.is_settled(),
            LegacyMachine::Consumer(consumer) => consumer.is_settled(),
        }
    }
}

/// A Kafka cluster before 0.8, with its ZooKeeper and its clients.
#[derive(Clone, Copy, Debug)]
pub struct LegacyCluster;

impl Cluster for LegacyCluster {
    type Machine = LegacyMachine;
    type Oracle = Oracle;

    const CHECKED: bool = true;

    fn check(
        oracle: &mut Oracle,
        machines: &mut [LegacyMachine],
        node: NodeId,
        _: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        invariants::check(oracle, machines, node, report);
    }

    fn resolve(machines: &[LegacyMachine], query: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        if query.selector != selector::LEADER {
            return Vec::new();
        }
        let partition = PartitionId(query.destination.0);
        let has = |broker: &Broker| broker.log(partition).is_some();
        let found = machines.iter().position(|machine| machine.broker().is_some_and(has));
        found.map(|node| NodeId(node as u32)).into_iter().collect()
    }

    /// Every broker serves and is registered, every server of ZooKeeper serves.
    fn in_sync(machines: &[LegacyMachine], _: &WorldView<'_>) -> bool {
        machines.iter().all(|machine| match machine {
            LegacyMachine::Broker(broker) => broker.is_in_sync(),
            LegacyMachine::Zookeeper(server) => server.is_serving(),
            LegacyMachine::Producer(_) | LegacyMachine::Consumer(_) => true,
        })
    }

    /// Nobody has anything in hand, and consumers have read all that there is of what they read.
    fn is_settled(machines: &[LegacyMachine]) -> bool {
        let end = |partition| {
            let logs = machines.iter().filter_map(LegacyMachine::broker);
            logs.filter_map(|broker| broker.log(partition)).map(|log| log.flushed).next()
        };
        machines.iter().all(|machine| {
            let read = match machine {
                LegacyMachine::Consumer(consumer) => consumer
                    .reads()
                    .all(|(partition, offset)| end(partition).is_none_or(|end| offset >= end)),
                _ => true,
            };
            read && machine.is_settled()
        })
    }
}
