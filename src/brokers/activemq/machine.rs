//! The family's machines: what runs on a host.

use crate::brokers::kit::machines::{all, machines};
use crate::engine::Time;
use crate::observe::{NodeId, Violation};
use crate::world::{Cluster, Machine, RoleQuery, Waiting, WorldView};

use super::broker::Broker;
use super::client::consumer::Consumer;
use super::client::producer::Producer;
use super::invariants::{self, Oracle};
use super::message::Message;
use super::storage::Storage;

machines! {
    /// A broker or a client.
    pub enum ActiveMachine: Message {
        /// A broker.
        Broker(Broker): disk,
        /// The storage that brokers share.
        Storage(Storage): disk ready,
        /// A producer.
        Producer(Producer): memory,
        /// A consumer or an auditor.
        Consumer(Consumer): memory,
    }
}

/// Brokers and clients of ActiveMQ.
#[derive(Clone, Copy, Debug)]
pub struct ActiveCluster;

impl Cluster for ActiveCluster {
    type Machine = ActiveMachine;
    type Oracle = Oracle;

    const CHECKED: bool = true;

    fn check(
        oracle: &mut Oracle,
        machines: &mut [ActiveMachine],
        node: NodeId,
        _: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        invariants::check(oracle, machines, node, report);
    }

    /// The only selector is `master`: who has the store.
    fn resolve(machines: &[ActiveMachine], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        let brokers = all::<_, Broker>(machines);
        brokers.filter(|(_, broker)| broker.is_serving()).map(|(node, _)| node).collect()
    }

    /// Where nobody has the store, somebody will.
    fn waits(machines: &[ActiveMachine], lives: &dyn Fn(NodeId) -> bool) -> Vec<Waiting> {
        let nodes = (0..).map(NodeId).zip(machines).filter(|(node, _)| lives(*node));
        let own = nodes.filter_map(|(node, machine)| Waiting::of(node, machine.waits_for()));
        let living = all::<_, Broker>(machines).filter(|(node, _)| lives(*node));
        let serves = living.clone().any(|(_, broker)| broker.is_serving());
        let first = living.map(|(node, _)| node).next().filter(|_| !serves);
        own.chain(first.and_then(|node| Waiting::of(node, Some("the lock".into())))).collect()
    }

    fn in_sync(machines: &[ActiveMachine], _: &WorldView<'_>) -> bool {
        all::<_, Broker>(machines).any(|(_, broker)| broker.is_serving())
    }
}
