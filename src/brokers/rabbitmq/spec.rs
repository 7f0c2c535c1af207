//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::kit::application::{Hours, Sending};
use crate::brokers::kit::{self, About, Cast, Dialect, Family, Frame, Reach, Sends};
use crate::engine::{Distribution, Span, Stream};
use crate::observe::{ConsumerId, DestinationId, InvariantWord, NodeId, ProducerId};
use crate::scenario::{Diagnostics, Scenario};
use crate::workload::Load;
use crate::world::Lane;

use super::action::Action;
use super::broker::Broker;
use super::broker::cluster::mnesia::{QueueRecord, Tables};
use super::client::{
    CONSUMER_STEPS, ConnectOrder, Consumer, ConsumerConfig, LinkConfig, Producer, ProducerConfig,
    Reject,
};
use super::config::{Config, Costs, Locator, Queue};
use super::keys::SECTIONS;
use super::letters::Letters;
use super::machine::{RabbitCluster, RabbitMachine};
use super::message::amqp::{Declaration, Terms};
use super::message::mnesia::Member;
use super::message::{ExchangeId, Given, Pid, Properties, QueueId, RoutingKey};
use super::oracle::{INVARIANTS, words};
use super::plan::{Mode, plan};
use super::policy::{Force, Policies};
use super::portable;
use super::settings::Settings;
use super::words::WORDS;

/// What a replica needs for a message, in bytes. Measured at the peak with messages that nobody reads:
/// 281 bytes of a message with three copies (1.06 million of them), 63 of one with a single copy.
const COPY: u64 = 96;

/// A producer of the scenario.
#[derive(Clone, Debug)]
pub struct ProducerSpec {
    /// What it is asked to do.
    pub load: Load,
    /// How it connects.
    pub link: LinkConfig,
    /// See [`ProducerConfig::declares`].
    pub declares: Option<Declaration>,
    /// Where it publishes to.
    pub exchange: ExchangeId,
    /// With which key.
    pub key: RoutingKey,
    /// With which properties.
    pub properties: Properties,
    /// See [`ProducerConfig::window`].
    pub window: Option<u32>,
    /// See [`ProducerConfig::republish`].
    pub republish: bool,
    /// See [`ProducerConfig::republish_delay`].
    pub republish_delay: Span,
    /// See [`ProducerConfig::send_timeout`].
    pub send_timeout: Option<Span>,
    /// See [`ProducerConfig::reopen`].
    pub reopen: bool,
}

/// A consumer of the scenario.
#[derive(Clone, Debug)]
pub struct ConsumerSpec {
    /// Its name.
    pub name: String,
    /// How it connects.
    pub link: LinkConfig,
    /// What it reads.
    pub queue: QueueId,
    /// See [`ConsumerConfig::declares`].
    pub declares: Option<Declaration>,
    /// With what it subscribes.
    pub terms: Terms,
    /// See [`ConsumerConfig::poll`].
    pub poll: Option<Span>,
    /// See [`ConsumerConfig::reject`].
    pub reject: Option<Reject>,
    /// See [`ConsumerConfig::reopen`].
    pub reopen: bool,
    /// See [`ConsumerConfig::processing`].
    pub processing: Distribution,
    /// See [`ConsumerConfig::resubscribe_delay`].
    pub resubscribe_delay: Span,
    /// When it starts.
    pub start: Span,
    /// When it cancels its consumer.
    pub stop: Option<Span>,
}

/// A scenario of this family, resolved.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Hosts, network and faults.
    pub frame: Frame,
    /// How many of the hosts are brokers.
    pub brokers: u32,
    /// The queues.
    pub queues: Vec<Queue>,
    /// See [`Config::routes`].
    pub routes: Vec<Vec<Vec<QueueId>>>,
    /// The producers.
    pub producers: Vec<ProducerSpec>,
    /// The consumers.
    pub consumers: Vec<ConsumerSpec>,
    /// See [`Config::letters`].
    pub letters: Arc<Letters>,
    /// See [`Config::given`].
    pub given: Vec<Given>,
    /// The broker's configuration.
    pub settings: Settings,
    /// CPU costs.
    pub costs: Costs,
    /// What an operator orders.
    pub actions: Arc<[Action]>,
    /// The policies that are ever in force, and those that are at time zero.
    pub policies: Arc<Policies>,
    /// See `policies`.
    pub force: Arc<Force>,
}

/// A producer opens another channel this long after its own was closed.
const REOPEN_DELAY: Span = Span::from_millis(100);
/// An auditor reads this many messages ahead.
const AUDITOR_PREFETCH: u32 = 1_000;

impl Spec {
    /// The queues without a consumer, which an auditor reads at the end; but not those that their
    /// messages leave by themselves, to wait elsewhere, nor those that belong to a connection.
    #[must_use]
    pub fn unread_queues(&self) -> Vec<QueueId> {
        (0..self.queues.len() as u32)
            .map(QueueId)
            .filter(|queue| self.consumers.iter().all(|consumer| consumer.queue != *queue))
            .filter(|queue| {
                let queue = &self.queues[queue.0 as usize];
                !queue.arguments.passes_on() && !queue.exclusive
            })
            .collect()
    }

    /// What every machine knows, with these tables at time zero.
    #[must_use]
    pub fn config(&self, tables: Tables) -> Config {
        Config {
            members: (0..self.brokers).map(NodeId).collect(),
            queues: self.queues.clone(),
            routes: self.routes.clone(),
            letters: self.letters.clone(),
            given: self.given.clone(),
            tables,
            settings: self.settings.clone(),
            costs: self.costs.clone(),
            actions: self.actions.clone(),
            policies: self.policies.clone(),
        }
    }

    /// The tables at time zero: every queue is led from its home, its mirrors have joined one after
    /// the other and are synchronised. Processes are numbered in the order in which the nodes start
    /// them: by queue, a replica and then its ring member.
    #[must_use]
    pub fn tables(&self, stream: &mut Stream) -> Tables {
        let mut tables = Tables::new(self.queues.len());
        tables.force.clone_from(&self.force);
        let mut next_lane = vec![Lane::MAIN.0 + 1; self.brokers as usize];
        let mut start = |node: NodeId| {
            let lane = &mut next_lane[node.index()];
            *lane += 1;
            Pid { node, lane: Lane(*lane - 1) }
        };
        let running: Vec<NodeId> = (0..self.brokers).map(NodeId).collect();
        for (index, queue) in self.queues.iter().enumerate() {
            if queue.is_quorum() {
                // Its members know who they are by themselves.
                tables.quorum[index].clone_from(&queue.members);
                continue;
            }
            if !queue.declared {
                continue;
            }
            let policy = self.force.over(QueueId(index as u32));
            let mirroring = self.policies.mirroring(policy);
            let declared = mirroring.map(|p| p.at_declaration(queue.home, &running, stream));
            let (home, mirrors) = declared.unwrap_or((queue.home, Vec::new()));
            let leader = start(home);
            let mut record = QueueRecord::of(leader);
            if mirroring.is_some() {
                record.ring.push(Member { gm: start(home), replica: leader });
                for node in mirrors {
                    let replica = start(node);
                    let member = Member { gm: start(node), replica };
                    // A joiner goes to the right of a random member (gm.erl: `join_group`).
                    let at = stream.below(record.ring.len() as u64) as usize;
                    record.ring.insert(at + 1, member);
                    record.mirrors.push(replica);
                    record.synchronised.push(replica);
                }
            }
            tables.durable[index] = queue.durable.then_some(leader);
            tables.recoverable[index] = record.mirrors.iter().map(|mirror| mirror.node).collect();
            tables.queues[index] = Some(record);
        }
        tables
    }

    /// The scenario with every queue's home as its locator picks it: queues are declared one after the
    /// other, and all nodes run (rabbit_queue_location.erl v3.10; an exclusive queue is always
    /// local).
    #[must_use]
    pub fn located(&self, seed: u64) -> Spec {
        let mut spec = self.clone();
        let mut stream = Stream::fixed(seed, "locators");
        let mut leaders = vec![0; self.brokers as usize];
        for queue in spec.queues.iter_mut().filter(|queue| queue.declared) {
            match queue.locator {
                Locator::ClientLocal => {}
                Locator::MinMasters => {
                    let nodes = (0..self.brokers).map(NodeId);
                    let least = nodes.min_by_key(|node| leaders[node.index()]);
                    queue.home = least.unwrap_or(queue.home);
                }
                Locator::Random => {
                    queue.home = NodeId(stream.below(u64::from(self.brokers)) as u32);
                }
            }
            leaders[queue.home.index()] += 1;
        }
        spec
    }

    fn located_machines(&self, seed: u64) -> Vec<RabbitMachine> {
        let config = Arc::new(self.config(self.tables(&mut Stream::fixed(seed, "rings"))));
        let mut machines: Vec<RabbitMachine> = (0..self.brokers)
            .map(|node| Broker::new(config.clone(), NodeId(node)))
            .map(RabbitMachine::from)
            .collect();
        for (index, producer) in self.producers.iter().enumerate() {
            let config = self.producer(seed, ProducerId(index as u32), producer);
            machines.push(Producer::new(config).into());
        }
        let mut next = 0;
        let mut id = || {
            next += 1;
            ConsumerId(next - 1)
        };
        for consumer in &self.consumers {
            let config = ConsumerConfig {
                id: id(),
                link: consumer.link.clone(),
                queues: vec![consumer.queue],
                declares: consumer.declares,
                terms: consumer.terms,
                poll: consumer.poll,
                reject: consumer.reject,
                reopen: consumer.reopen,
                processing: consumer.processing.clone(),
                resubscribe_delay: consumer.resubscribe_delay,
                hours: Hours { start: Some(consumer.start), stop: consumer.stop },
                letters: self.letters.clone(),
                cost: self.costs.client,
            };
            machines.push(Consumer::new(config).into());
        }
        for queue in self.unread_queues() {
            let config = self.auditor(id(), queue);
            machines.push(Consumer::new(config).into());
        }
        machines
    }

    fn producer(&self, seed: u64, id: ProducerId, producer: &ProducerSpec) -> ProducerConfig {
        ProducerConfig {
            id,
            link: producer.link.clone(),
            sending: Sending::new(&producer.load, self.frame.duration, seed, 1),
            declares: producer.declares,
            exchange: producer.exchange,
            key: producer.key,
            properties: producer.properties,
            window: producer.window,
            republish: producer.republish,
            republish_delay: producer.republish_delay,
            send_timeout: producer.send_timeout,
            reopen: producer.reopen,
            reopen_delay: REOPEN_DELAY,
            cost: self.costs.client,
        }
    }

    /// An auditor tries every node, the queue's home first.
    fn auditor(&self, id: ConsumerId, queue: QueueId) -> ConsumerConfig {
        let home = self.queues[queue.0 as usize].home;
        let others = (0..self.brokers).map(NodeId).filter(|node| *node != home);
        ConsumerConfig {
            id,
            link: LinkConfig {
                nodes: std::iter::once(home).chain(others).collect(),
                reconnect_delay: Span::from_millis(100),
                heartbeat: Span::from_secs(10),
                steps: CONSUMER_STEPS,
                connect_timeout: Span::from_secs(5),
                order: ConnectOrder::Next,
            },
            queues: vec![queue],
            declares: None,
            terms: Terms { prefetch: AUDITOR_PREFETCH, ..Terms::default() },
            poll: None,
            reject: None,
            reopen: true,
            processing: Distribution::Constant(0),
            resubscribe_delay: Span::from_millis(100),
            hours: Hours::AUDITOR,
            letters: self.letters.clone(),
            cost: self.costs.client,
        }
    }
}

/// The versions whose rules are known.
const VERSIONS: (&str, &str) = ("3.3", "4.3");
/// Those that have mirrored queues.
const MIRRORED_VERSIONS: (&str, &str) = ("3.3", "3.13");
/// Those that have quorum queues.
const QUORUM_VERSIONS: (&str, &str) = ("3.8", "4.3");

const fn mode(name: &'static str, meaning: &'static str, starter: &'static str) -> kit::Mode {
    let (version, versions, otherwise) = ("3.10", VERSIONS, None);
    kit::Mode { name, meaning, version, versions, otherwise, starter }
}

impl Family for Spec {
    type Mode = Mode;
    type Cluster = RabbitCluster;

    const ABOUT: &'static About = &About {
        product: "RabbitMQ",
        log: false,
        sections: SECTIONS,
        words: WORDS,
        invariants: INVARIANTS,
    };
    const MODES: &'static [(Mode, kit::Mode)] = &[
        (
            Mode::Single,
            mode(
                "rabbitmq-single",
                "One RabbitMQ node: what is on its disk comes back with it.",
                include_str!("starters/single.toml"),
            ),
        ),
        (
            Mode::Cluster,
            mode(
                "rabbitmq-cluster",
                "A classic RabbitMQ cluster: metadata everywhere, each queue on its home node only.",
                include_str!("starters/cluster.toml"),
            ),
        ),
        (
            Mode::Mirrored,
            kit::Mode {
                versions: MIRRORED_VERSIONS,
                otherwise: Some(
                    "mirrored queues are gone since 4.0; quorum queues have taken their place: write \
                     mode = \"rabbitmq-quorum\", without [[policy]]",
                ),
                ..mode(
                    "rabbitmq-mirrored",
                    "Mirrored classic queues: a leader, and mirrors that follow it around a ring.",
                    include_str!("starters/mirrored.toml"),
                )
            },
        ),
        (
            Mode::Quorum,
            kit::Mode {
                name: "rabbitmq-quorum",
                meaning: "Quorum queues: what is confirmed is on the disks of a majority of the members.",
                version: "4.3",
                versions: QUORUM_VERSIONS,
                otherwise: None,
                starter: include_str!("starters/quorum.toml"),
            },
        ),
    ];

    const REMEDIES: &'static [&'static str] = &[
        "producer.*.mandatory=true",
        "producer.*.confirms={ window = 100 }",
        "producer.*.persistent=true",
        "producer.*.republish=true",
        "queue.*.durable=true",
        "queue.*.x-queue-type=quorum",
        "policy.*.ha-mode=all",
        "policy.*.ha-sync-mode=automatic",
        "policy.*.ha-promote-on-shutdown=when-synced",
        "policy.*.ha-promote-on-failure=when-synced",
        "broker.cluster_partition_handling=pause_minority",
        "broker.cluster_partition_handling=autoheal",
        "consumer.*.ack=manual",
    ];

    fn dialect(mode: Mode) -> Option<&'static Dialect> {
        Some(portable::dialect(mode))
    }

    fn plan(scenario: &Scenario, mode: Mode) -> Result<Spec, Diagnostics> {
        plan(scenario, mode)
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    fn cast(&self) -> Cast {
        let unread = self.unread_queues().into_iter();
        Cast::of(
            self.producers.iter().map(|producer| &producer.load),
            self.consumers.iter().map(|consumer| &consumer.name),
            unread.map(|queue| &self.queues[queue.0 as usize].name),
        )
    }

    /// With the copies that mirrors have.
    fn reach(&self, producer: usize) -> Reach<'_> {
        let producer = &self.producers[producer];
        let direct = [QueueId(producer.key.0)];
        let queues: &[QueueId] = match producer.exchange {
            ExchangeId::DEFAULT => &direct,
            ExchangeId(exchange) => &self.routes[exchange as usize - 1][producer.key.0 as usize],
        };
        let copies = |queue: &QueueId| {
            let replicas = self.policies.most_replicas(*queue, self.brokers) as usize;
            self.queues[queue.0 as usize].members.len().max(replicas) as u64
        };
        Reach {
            load: &producer.load,
            lines: queues.len() as u64,
            copies: queues.iter().map(copies).sum(),
            copy: COPY,
        }
    }

    fn destinations(&self) -> Vec<String> {
        self.queues.iter().map(|queue| queue.name.clone()).collect()
    }

    fn producers(&self) -> Vec<Sends> {
        let config = self.config(self.tables(&mut Stream::fixed(0, "names")));
        let mut found = Vec::new();
        let producers = self.producers.iter().enumerate().map(|(host, producer)| {
            config.route(producer.exchange, producer.key, &mut found);
            let to = found.iter().map(|queue| config.destination(*queue)).collect();
            Sends { host, to, unanswered: !producer.properties.confirm }
        });
        producers.collect()
    }

    fn consumers(&self) -> Vec<Vec<DestinationId>> {
        let read = self.consumers.iter().map(|consumer| consumer.queue);
        let read = read.chain(self.unread_queues());
        read.map(|queue| vec![DestinationId(queue.0)]).collect()
    }

    fn machines(&self, seed: u64) -> Vec<RabbitMachine> {
        self.located(seed).located_machines(seed)
    }

    /// Of quorum queues, where there are any.
    fn invariants(&self) -> Vec<InvariantWord> {
        match self.queues.iter().any(Queue::is_quorum) {
            true => words(self.settings.rules),
            false => Vec::new(),
        }
    }

    /// All brokers are connected with each other.
    fn established(&self) -> Vec<(NodeId, NodeId)> {
        let brokers = (0..self.brokers).map(NodeId);
        let others = |from: NodeId| (from.0 + 1..self.brokers).map(move |to| (from, NodeId(to)));
        brokers.flat_map(others).collect()
    }
}
