//! The family's machines: what runs on a host.

use crate::brokers::kit::machines::{Holds, all, machines};
use crate::engine::Time;
use crate::observe::{NodeId, Violation};
use crate::world::{Cluster, Machine, RoleQuery, Waiting, WorldView};

use super::broker::Broker;
use super::client::consumer::Consumer;
use super::client::producer::Producer;
use super::invariants::{self, Oracle};
use super::message::Message;

machines! {
    /// A broker or a client.
    pub enum ArtemisMachine: Message {
        /// A broker.
        Broker(Broker): disk,
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
        own.chain(forgotten.filter_map(notices)).collect()
    }

    fn in_sync(machines: &[ArtemisMachine], _: &WorldView<'_>) -> bool {
        all::<_, Broker>(machines).any(|(_, broker)| broker.is_active())
    }
}
