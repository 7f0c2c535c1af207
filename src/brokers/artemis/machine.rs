//! The family's machines: what runs on a host.

use crate::brokers::kit::machines::{Holds, all, machines};
use crate::engine::Time;
use crate::observe::{NodeId, Violation};
use crate::world::{Cluster, Machine, RoleQuery, Waiting, WorldView};

use super::broker::Broker;
use super::client::consumer::Consumer;
use super::client::producer::Producer;
use super::config::Policy;
use super::invariants::{self, Oracle};
use super::message::Message;
use super::router::Router;
use super::storage::Storage;

machines! {
    /// A broker or a client.
    pub enum ArtemisMachine: Message {
        /// A broker.
        Broker(Broker): disk,
        /// The storage that brokers share.
        Storage(Storage): disk ready,
        /// The router that brokers ping.
        Router(Router): nothing ready,
        /// A producer.
        Producer(Producer): memory,
        /// A consumer or an auditor.
        Consumer(Consumer): memory,
    }
}

/// Brokers and clients of Artemis.
#[derive(Clone, Copy, Debug)]
pub struct ArtemisCluster;

impl Cluster for ArtemisCluster {
    type Machine = ArtemisMachine;
    type Oracle = Oracle;

    const CHECKED: bool = true;

    fn check(
        oracle: &mut Oracle,
        machines: &mut [ArtemisMachine],
        node: NodeId,
        _: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        invariants::check(oracle, machines, node, report);
    }

    /// The only selector is `active`: who serves clients.
    fn resolve(machines: &[ArtemisMachine], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        let brokers = all::<_, Broker>(machines);
        brokers.filter(|(_, broker)| broker.is_active()).map(|(node, _)| node).collect()
    }

    /// A consumer whose broker has forgotten it, as one does that was without power, will notice.
    fn waits(machines: &[ArtemisMachine], lives: &dyn Fn(NodeId) -> bool) -> Vec<Waiting> {
        let nodes = (0..).map(NodeId).zip(machines).filter(|(node, _)| lives(*node));
        let own = nodes.filter_map(|(node, machine)| Waiting::of(node, machine.waits_for()));
        let forgotten = all::<_, Consumer>(machines).filter(|(node, consumer)| {
            let source = consumer.source().filter(|source| lives(*source));
            let broker: Option<&Broker> = source.and_then(|of| machines[of.index()].held());
            let knows = |broker: &Broker| !broker.is_active() || broker.has_consumer(*node);
            lives(*node) && !broker.is_none_or(knows)
        });
        let notices = |(node, _): (NodeId, &Consumer)| {
            Waiting::of(node, Some("the end of its connection, of which it does not know".into()))
        };
        // Where nobody is active and someone has the lock to come, it will be.
        let living = all::<_, Broker>(machines).filter(|(node, _)| lives(*node));
        let serves = living.clone().any(|(_, broker)| broker.is_active());
        let first = living.map(|(node, _)| node).next().filter(|_| !serves);
        let waits = first.and_then(|node| Waiting::of(node, Some("an active broker".into())));
        own.chain(forgotten.filter_map(notices)).chain(waits).collect()
    }

    /// Of every pair one is active, and the other stands by with all that it has.
    fn in_sync(machines: &[ArtemisMachine], _: &WorldView<'_>) -> bool {
        let mut brokers = all::<_, Broker>(machines);
        brokers.all(|(_, broker)| match broker.config().policy {
            Policy::Replication if broker.is_active() => broker.has_backup(),
            Policy::Replication => broker.is_in_sync(),
            Policy::Single | Policy::SharedStore { .. } => broker.is_active() || broker.stands_by(),
        })
    }
}
