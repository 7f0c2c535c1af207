//! The family's machines: what runs on a host.

use crate::brokers::coordination::zookeeper::Server;
use crate::brokers::kit::machines::{Holds, all, machines};
use crate::engine::Time;
use crate::observe::{NodeId, Violation};
use crate::world::{Cluster, Machine, RoleQuery, Wait, Waiting, WorldView};

use super::super::PartitionId;
use super::broker::Broker;
use super::consumer::Consumer;
use super::invariants::{self, Oracle};
use super::message::{Message, Znode};
use super::producer::Producer;
use super::words::selector;

machines! {
    /// A broker, a server of ZooKeeper, or a client.
    pub enum LegacyMachine: Message {
        /// A broker.
        Broker(Broker): disk,
        /// A server of ZooKeeper.
        Zookeeper(Server<Znode>): disk ready,
        /// A producer.
        Producer(Producer): memory,
        /// A consumer or an auditor.
        Consumer(Consumer): memory,
    }
}

impl LegacyMachine {
    /// The broker, if it is one.
    #[must_use]
    pub fn broker(&self) -> Option<&Broker> {
        self.held()
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
        let mut brokers = all::<_, Broker>(machines);
        let found = brokers.find(|(_, broker)| broker.log(partition).is_some());
        found.map(|(node, _)| node).into_iter().collect()
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
    fn waits(machines: &[LegacyMachine], lives: &dyn Fn(NodeId) -> bool) -> Vec<Waiting> {
        let nodes = || (0..).map(NodeId).zip(machines).filter(|(node, _)| lives(*node));
        let end = |partition| {
            let logs = nodes().filter_map(|(_, machine)| machine.broker());
            logs.filter_map(|broker| broker.log(partition)).map(|log| log.flushed).next()
        };
        let waits = |(node, machine): (NodeId, &LegacyMachine)| {
            let read = match machine {
                LegacyMachine::Consumer(consumer) => consumer
                    .reads()
                    .all(|(partition, offset)| end(partition).is_none_or(|end| offset >= end)),
                _ => true,
            };
            let unread = (!read).then_some(Wait::Borrowed("messages that are flushed and unread"));
            Waiting::of(node, machine.waits_for().or(unread))
        };
        nodes().filter_map(waits).collect()
    }
}
