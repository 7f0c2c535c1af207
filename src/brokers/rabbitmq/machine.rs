//! The family's machines: what runs on a host.

use crate::brokers::kit::machines::{Holds, all, machines};
use crate::engine::Time;
use crate::observe::{NodeId, Violation};
use crate::world::{Cluster, RoleQuery, Wait, Waiting, WorldView};

use super::broker::Broker;
use super::broker::cluster::mnesia::QueueRecord;
use super::client::{Consumer, Producer};
use super::message::{Message, Pid, QueueId};
use super::oracle::Oracle;
use super::words::selector;

machines! {
    /// A broker node or a client.
    pub enum RabbitMachine: Message {
        /// A broker node.
        Broker(Broker): disk "broker",
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
    type Oracle = Oracle;
    const CHECKED: bool = true;

    fn check(
        oracle: &mut Oracle,
        machines: &mut [RabbitMachine],
        node: NodeId,
        _: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        oracle.check(machines, node, report);
    }

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
            selector::FOLLOWER => {
                let follows = |(id, broker): &(NodeId, &Broker)| {
                    world.is_running(*id) && broker.follows(queue)
                };
                let nth = query.nth as usize - 1;
                brokers().filter(follows).map(|(id, _)| id).nth(nth).into_iter().collect()
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
        let led = |queue: QueueId| {
            let mut members = first.members_of(queue).iter();
            let member = |node: &NodeId| {
                brokers.iter().find(|(id, _)| id == node).and_then(|(_, b)| b.member_of(queue))
            };
            members.clone().next().is_none()
                || members.any(|node| member(node).is_some_and(|m| m.server().all_caught_up()))
        };
        let quorum = (0..tables.queues.len() as u32).map(QueueId).all(led);
        let records = tables.queues.iter().enumerate();
        one_cluster && quorum && records.filter_map(|(i, r)| Some((i, r.as_ref()?))).all(whole)
    }

    /// All brokers know of each other as they are now, and nobody waits for anything that comes by
    /// itself. A consumer asks for its queue for ever, also if that was not durable and went away
    /// with its node, or if a table that a partition has split off lacks it. Nor does anybody
    /// answer for a queue whose leader is dead and that nobody may take over: a mirrored queue that
    /// is not durable is not recovered, and with `ha-promote-on-failure = when-synced` its mirrors
    /// wait (rabbitmq-server#2045). A consumer whose node has forgotten it, as one does that was without
    /// power, will notice, if it has heartbeats. Nor does a ring go on for a member that another member of it has
    /// struck off: each side of a split has a ring of its own.
    fn waits(machines: &[RabbitMachine], lives: &dyn Fn(NodeId) -> bool) -> Vec<Waiting> {
        let broker = |node: NodeId| -> Option<&Broker> {
            machines[node.index()].held().filter(|_| lives(node))
        };
        let brokers = || all::<_, Broker>(machines).filter(|(node, _)| lives(*node));
        let acquainted = |(me, broker): (NodeId, &Broker)| {
            let mut others = brokers().filter(|(other, _)| *other != me);
            let strange = others
                .any(|(id, other)| broker.sees(id) != Some(other.incarnation()))
                .then_some(Wait::Borrowed("a connection to every other node"));
            Waiting::of(me, strange)
        };
        let members = |queue: QueueId| -> &[NodeId] {
            let mut all = all::<_, Broker>(machines);
            all.next().map_or(&[], |(_, broker)| broker.members_of(queue))
        };
        let gone = |node: NodeId, queue: QueueId| {
            members(queue).is_empty()
                && broker(node).is_none_or(|broker| broker.tables().queue(queue).is_none())
        };
        let leaderless = |node: NodeId, queue: QueueId| {
            let members = members(queue);
            if !members.is_empty() {
                let alive = members.iter().filter(|member| broker(**member).is_some()).count();
                return alive <= members.len() / 2;
            }
            let record = broker(node).and_then(|broker| broker.tables().queue(queue));
            let leader = record.map(|record| record.leader);
            leader.is_some_and(|pid| broker(pid.node).is_none_or(|broker| !broker.has(pid.lane)))
        };
        let struck_off = |me: NodeId, own: &Broker, queue: QueueId| {
            let ring = |of: &Broker| of.tables().queue(queue).map(|record| record.ring.clone());
            let ring_here = ring(own).unwrap_or_default();
            let mine = ring_here.iter().find(|member| member.gm.node == me);
            let knows = |other: &Broker| {
                ring(other).is_some_and(|ring| ring.iter().any(|member| Some(member) == mine))
            };
            ring_here.iter().any(|member| broker(member.gm.node).is_none_or(|other| !knows(other)))
        };
        let waits = |(me, machine): (NodeId, &RabbitMachine)| {
            let what = match machine {
                RabbitMachine::Broker(broker) => broker
                    .waits_for_but(&|queue| leaderless(me, queue), &|queue| {
                        struck_off(me, broker, queue)
                    }),
                RabbitMachine::Producer(producer) => {
                    let owed = |node: NodeId| broker(node).is_some_and(Broker::owes);
                    producer.waits_for().filter(|_| !producer.waits_at().is_some_and(owed))
                }
                RabbitMachine::Consumer(consumer) => {
                    let forgotten =
                        |node: NodeId| broker(node).is_some_and(|broker| broker.has_forgotten(me));
                    consumer
                        .waits_for_but(&|node, queue| gone(node, queue) || leaderless(node, queue))
                        .or_else(|| consumer.will_notice(&forgotten))
                }
            };
            Waiting::of(me, what)
        };
        let alive = (0..).map(NodeId).zip(machines).filter(|(node, _)| lives(*node));
        brokers().filter_map(acquainted).chain(alive.filter_map(waits)).collect()
    }
}
