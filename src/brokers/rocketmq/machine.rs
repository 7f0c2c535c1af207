//! The family's machines: what runs on a host.

use crate::brokers::kit::machines::{all, machines};
use crate::engine::Time;
use crate::observe::{NodeId, Violation};
use crate::world::{Cluster, Machine, RoleQuery, Wait, Waiting, WorldView};

use super::broker::Broker;
use super::client::consumer::Consumer;
use super::client::producer::Producer;
use super::config::QueueId;
use super::controller::Controller;
use super::invariants::{self, Oracle};
use super::message::Message;
use super::nameserver::NameServer;
use super::words::selector;

machines! {
    /// A broker, a NameServer, a controller, or a client.
    pub enum RocketMachine: Message {
        /// A broker.
        Broker(Broker): disk,
        /// A NameServer.
        NameServer(NameServer): memory ready,
        /// A controller.
        Controller(Controller): disk,
        /// A producer.
        Producer(Producer): memory,
        /// A consumer or an auditor.
        Consumer(Consumer): memory,
    }
}

/// A slave that is further behind than this is not in sync.
const IN_SYNC: u64 = 256 << 10;

/// Groups of masters and slaves, with their NameServers and clients.
#[derive(Clone, Copy, Debug)]
pub struct RocketCluster;

impl Cluster for RocketCluster {
    type Machine = RocketMachine;
    type Oracle = Oracle;

    const CHECKED: bool = true;

    fn check(
        oracle: &mut Oracle,
        machines: &mut [RocketMachine],
        node: NodeId,
        _: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        invariants::check(oracle, machines, node, report);
    }

    fn resolve(machines: &[RocketMachine], query: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        if query.selector == selector::CONTROLLER {
            let found = all::<_, Controller>(machines).find(|(_, one)| one.leads());
            return found.map(|(node, _)| node).into_iter().collect();
        }
        if query.selector == selector::NAMESERVER {
            let found = all::<_, NameServer>(machines).nth(query.nth as usize - 1);
            return found.map(|(node, _)| node).into_iter().collect();
        }
        let queue = crate::brokers::kit::streams::PartitionId(query.destination.0);
        // Without controllers a broker that is down is master or slave all the same.
        let (nth, group) = (query.nth as usize, all::<_, Broker>(machines));
        let mut members = group.filter(|(_, broker)| broker.has(queue));
        let found = match query.selector {
            selector::MASTER => members.find(|(_, broker)| broker.is_master()),
            _ => members.filter(|(_, broker)| !broker.is_master()).nth(nth - 1),
        };
        found.map(|(node, _)| node).into_iter().collect()
    }

    /// Every broker serves and is known to every NameServer, every slave has a connection to its master
    /// and is not far behind.
    fn in_sync(machines: &[RocketMachine], _: &WorldView<'_>) -> bool {
        let brokers = || all::<_, Broker>(machines);
        let mut names = all::<_, NameServer>(machines);
        let known =
            names.all(|(_, name)| name.is_up() && brokers().all(|(node, _)| name.knows(node)));
        known
            && brokers().all(|(node, broker)| {
                let place = broker.place();
                let master = brokers()
                    .find(|(_, other)| other.is_master() && other.place().group == place.group);
                if let Some((leader, own)) = broker.ledger_end() {
                    let end = master.map_or(u64::MAX, |(_, master)| master.store().log.end());
                    return broker.is_serving() && leader.is_some() && own + IN_SYNC >= end;
                }
                let follows = master.is_some_and(|(_, master)| {
                    let end = master.store().log.end();
                    master.slave_position(node).is_some_and(|at| at + IN_SYNC >= end && at <= end)
                });
                let there = broker.is_master() || broker.is_linked() && follows;
                broker.is_serving() && there && broker.is_settled()
            })
    }

    /// Nobody has anything in hand, consumers have read all that there is of the queues that they have,
    /// and every queue that is to be read is somebody's.
    fn waits(machines: &[RocketMachine], lives: &dyn Fn(NodeId) -> bool) -> Vec<Waiting> {
        let nodes = || (0..).map(NodeId).zip(machines).filter(|(node, _)| lives(*node));
        let end = |queue: QueueId| {
            let mut masters = all::<_, Broker>(machines)
                .filter(|(node, broker)| lives(*node) && broker.is_master() && broker.has(queue));
            masters.next().map(|(_, master)| master.store().queues[queue.index()].max())
        };
        let shared = |consumer: &Consumer| {
            let members = all::<_, Consumer>(machines).filter(|(node, other)| {
                lives(*node)
                    && other.is_active()
                    && other.group() == consumer.group()
                    && other.topic() == consumer.topic()
            });
            let taken: Vec<(QueueId, u64)> =
                members.flat_map(|(_, member)| member.reads()).collect();
            let read_all = |queue: QueueId| {
                let mut of_queue = taken.iter().filter(|(of, _)| *of == queue);
                end(queue).is_none_or(|end| of_queue.any(|(_, next)| *next == end))
            };
            consumer.queues().all(read_all)
        };
        let waits = |(node, machine): (NodeId, &RocketMachine)| {
            let read = match machine {
                RocketMachine::Consumer(consumer) if consumer.is_active() => shared(consumer),
                _ => true,
            };
            let unread = (!read).then_some(Wait::Borrowed("messages that are there and unread"));
            Waiting::of(node, machine.waits_for().or(unread))
        };
        nodes().filter_map(waits).collect()
    }
}
