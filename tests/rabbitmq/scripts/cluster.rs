//! The cluster of a script: brokers with constant times and scripted clients.

use std::sync::Arc;

use mqsim::brokers::rabbitmq::broker::Broker;
use mqsim::brokers::rabbitmq::broker::cluster::mnesia::Tables;
use mqsim::brokers::rabbitmq::config::{Config, Costs};
use mqsim::brokers::rabbitmq::message::mnesia::Member;
use mqsim::brokers::rabbitmq::message::{Message, QueueId};
use mqsim::brokers::rabbitmq::spec::Spec;
use mqsim::engine::{Chance, Distribution, Limits, Span, Stream, Time};
use mqsim::observe::{NodeId, NodeKind, Observer};
use mqsim::world::{
    CardSpec, Cluster, Context, CpuSpec, Death, DiskSpec, DiskView, Host, Input, LinkSpec, Machine,
    PageCacheSpec, PlannedAction, PlannedFault, RoleQuery, Setup, Topology, Wait, WorldView,
};

use super::client::Client;

/// A process of a script.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    Broker(Box<Broker>),
    Client(Box<Client>),
}

impl Machine for Actor {
    type Message = Message;

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self {
            Actor::Broker(broker) => broker.handle(input, ctx),
            Actor::Client(client) => client.handle(input, ctx),
        }
    }

    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        if let Actor::Broker(broker) = self {
            broker.died(death, disk, at, observer);
        }
    }

    fn waits_for(&self) -> Option<Wait> {
        Some("the end of the script".into())
    }
}

/// Scripts name nodes; there are no selectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actors;

impl Cluster for Actors {
    type Machine = Actor;
    type Oracle = ();

    fn resolve(_: &[Actor], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        Vec::new()
    }
}

/// What a script says before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) brokers: u32,
    pub(crate) seed: u64,
    /// What its `cluster`, `broker`, `rules`, `queue`, `policy` and `exchange` lines come to.
    pub(crate) spec: Spec,
    /// Rings whose order the script gives: by queue, the nodes in ring order.
    pub(crate) rings: Vec<(QueueId, Vec<NodeId>)>,
    /// Fanout exchanges by name.
    pub(crate) exchanges: Vec<String>,
    pub(crate) clients: Vec<(String, Vec<(Time, super::client::Action)>)>,
    /// When an operator gives which command, and on which node; in the order of the spec's actions.
    pub(crate) orders: Vec<PlannedAction>,
    pub(crate) faults: Vec<PlannedFault>,
}

/// One-way latency between brokers.
const BROKERS: Span = Span::from_millis(1);
/// One-way latency between clients and brokers.
const CLIENTS: Span = Span::from_micros(100);
const FSYNC: Span = Span::from_millis(5);

/// Computing takes no time; what waits for something else takes as long as written here.
fn costs() -> Costs {
    let millis = |millis| Distribution::Constant(Span::from_millis(millis).as_nanos());
    Costs {
        sync_message: Span::from_millis(1),
        mnesia_transaction: millis(10),
        node_down_clean_up: millis(20),
        queue_shutdown: millis(50),
        plugins_stop: millis(20),
        rabbit_start: millis(1_000),
        ..Costs::nothing()
    }
}

impl Plan {
    /// Names of all hosts, brokers first.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let brokers = (1..=self.brokers).map(|number| format!("n{number}"));
        brokers.chain(self.clients.iter().map(|(name, _)| name.clone())).collect()
    }

    /// The tables at time zero. A ring is as the script says, or the home and those that follow by
    /// number.
    fn tables(&self) -> Tables {
        let mut tables = self.spec.tables(&mut Stream::fixed(self.seed, "rings"));
        for (index, record) in tables.queues.iter_mut().enumerate() {
            let Some(record) = record else { continue };
            let home = record.leader.node;
            let given = self.rings.iter().find(|(queue, _)| queue.0 as usize == index);
            let place = |member: &Member| match given {
                Some((_, ring)) => ring.iter().position(|node| *node == member.replica.node),
                None if member.replica.node == home => Some(0),
                None => Some(1 + member.replica.node.index()),
            };
            record.ring.sort_by_key(|member| place(member).unwrap_or(usize::MAX));
        }
        tables
    }

    fn topology(&self) -> Topology {
        let mut topology = Topology::new(vec!["brokers".to_owned(), "clients".to_owned()]);
        for (from, to) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let latency = if (from, to) == (0, 0) { BROKERS } else { CLIENTS };
            let latency = Distribution::Constant(latency.as_nanos());
            topology.link(from, to, LinkSpec { latency, bandwidth: 0, loss: Chance::NEVER });
        }
        for (index, name) in self.hosts().into_iter().enumerate() {
            let broker = (index as u32) < self.brokers;
            topology.add(Host {
                name,
                kind: if broker { NodeKind::Broker } else { NodeKind::Producer },
                zone: u32::from(!broker),
                disk: DiskSpec {
                    fsync: Distribution::Constant(FSYNC.as_nanos()),
                    spread: 0,
                    bandwidth: 0,
                    capacity: u64::MAX,
                    write_back_age: Span::from_secs(30),
                    torn_tail: false,
                    seek: Span::ZERO,
                    cache: PageCacheSpec::UNLIMITED,
                },
                cpu: CpuSpec { cores: 64, percent: 100 },
                card: CardSpec::UNLIMITED,
            });
        }
        topology
    }

    pub(crate) fn setup(&self) -> Setup<Actor> {
        let members: Vec<NodeId> = (0..self.brokers).map(NodeId).collect();
        let config = Config { costs: costs(), ..self.spec.config(self.tables()) };
        let heartbeat = config.settings.heartbeat;
        let config = Arc::new(config);
        let brokers = members.iter().map(|node| Broker::new(config.clone(), *node));
        let brokers = brokers.map(|broker| Actor::Broker(Box::new(broker)));
        let clients = self
            .clients
            .iter()
            .map(|(_, schedule)| Actor::Client(Box::new(Client::new(heartbeat, schedule.clone()))));
        let pairs =
            members.iter().flat_map(|from| (from.0 + 1..self.brokers).map(|to| (*from, to)));
        Setup {
            seed: self.seed,
            topology: self.topology(),
            machines: brokers.chain(clients).collect(),
            established: pairs.map(|(from, to)| (from, NodeId(to))).collect(),
            faults: self.faults.clone(),
            actions: self.orders.clone(),
            duration: Span::from_secs(1_000_000),
            drain: Span::ZERO,
            limits: Limits::default(),
            invariants: true,
        }
    }
}
