//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::coordination::zookeeper::{self, Server, Tree};
use crate::brokers::kit::application::{Hours, Sending};
use crate::engine::{Distribution, Limits, Span};
use crate::observe::{Catalog, ConsumerId, ConsumerInfo, InvariantWord, NodeId, NodeInfo};
use crate::workload::Load;
use crate::world::fault::Nemesis;
use crate::world::{PlannedFault, Setup, Topology};

use super::super::PartitionId;
use super::broker::Broker;
use super::config::Config;
use super::consumer::{Consumer, ConsumerConfig, GroupConfig, Kind};
use super::invariants::{INVARIANTS, invariant};
use super::machine::LegacyMachine;
use super::message::Znode;
use super::producer::{ChannelConfig, Keys, Producer, ProducerConfig, QueueConfig};
use super::words;

/// A producer of the scenario.
#[derive(Clone, Debug)]
pub struct ProducerSpec {
    /// What it is asked to do.
    pub load: Load,
    /// See [`ProducerConfig::brokers`].
    pub brokers: Option<Vec<u32>>,
    /// See [`ProducerConfig::channel`].
    pub channel: ChannelConfig,
    /// See [`ProducerConfig::queue`].
    pub queue: Option<QueueConfig>,
    /// See [`ProducerConfig::keys`].
    pub keys: Option<Keys>,
    /// See [`ProducerConfig::zk_read_retries`].
    pub zk_read_retries: u32,
    /// See [`ProducerConfig::session_timeout`].
    pub session_timeout: Span,
    /// See [`ProducerConfig::max_message_size`].
    pub max_message_size: u32,
}

/// A consumer of the scenario; but for its id as [`ConsumerConfig`].
#[derive(Clone, Debug)]
pub struct ConsumerSpec {
    /// Its name.
    pub name: String,
    /// Its group, if it is a member of one.
    pub group: Option<GroupConfig>,
    /// The topic.
    pub topic: u32,
    /// What it may read.
    pub partitions: Vec<PartitionId>,
    /// See [`ConsumerConfig::fetch_size`].
    pub fetch_size: u32,
    /// See [`ConsumerConfig::queued_chunks`].
    pub queued_chunks: u32,
    /// See [`ConsumerConfig::fetcher_backoff`].
    pub fetcher_backoff: Span,
    /// See [`ConsumerConfig::from_largest`].
    pub from_largest: bool,
    /// See [`ConsumerConfig::processing`].
    pub processing: Distribution,
    /// When it begins.
    pub start: Span,
    /// When it stops.
    pub stop: Option<Span>,
}

/// A scenario of this family, resolved.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Hosts and network: brokers, servers of ZooKeeper, producers, consumers, auditors.
    pub topology: Topology,
    /// What every machine knows.
    pub config: Arc<Config>,
    /// The ensemble.
    pub ensemble: Arc<zookeeper::Config>,
    /// The producers.
    pub producers: Vec<ProducerSpec>,
    /// The consumers.
    pub consumers: Vec<ConsumerSpec>,
    /// The faults that the scenario names.
    pub faults: Vec<PlannedFault>,
    /// Those that are drawn.
    pub nemesis: Option<Nemesis>,
    /// `duration`.
    pub duration: Span,
    /// `drain`.
    pub drain: Span,
    /// `max-events`.
    pub limits: Limits,
}

/// What simple consumers together count as, among the groups of a topic.
pub const SIMPLE: &str = "simple";
/// An auditor looks again after this pause.
const AUDITOR_BACKOFF: Span = Span::from_millis(100);
/// Bytes that an auditor fetches of a partition at once.
const AUDITOR_FETCH: u32 = 64 << 20;

impl Spec {
    /// The partitions of a topic that nobody reads, which an auditor does at the end.
    #[must_use]
    pub fn unread(&self, topic: u32) -> Vec<PartitionId> {
        let read = |partition: &PartitionId| {
            self.consumers.iter().any(|consumer| consumer.partitions.contains(partition))
        };
        self.config.streams.of_topic(topic).filter(|partition| !read(partition)).collect()
    }

    /// The topics that have an auditor.
    #[must_use]
    pub fn audited(&self) -> Vec<u32> {
        let topics = 0..self.config.topics.len() as u32;
        topics.filter(|topic| !self.unread(*topic).is_empty()).collect()
    }

    /// The name of the auditor's host for a topic.
    #[must_use]
    pub fn auditor_name(topic: &str) -> String {
        format!("auditor.{topic}")
    }

    /// The place of a consumer's group among those of its topic.
    fn group_of(&self, consumer: &ConsumerSpec) -> usize {
        let groups = &self.config.topics[consumer.topic as usize].groups;
        let own = consumer.group.as_ref().map_or(SIMPLE, |group| &*group.group);
        groups.iter().position(|group| group == own).unwrap_or(0)
    }

    /// The first host of a client.
    fn clients(&self) -> u32 {
        self.config.brokers + self.config.zookeeper.len() as u32
    }

    /// The consumers and the auditors.
    fn consumer_configs(&self) -> Vec<ConsumerConfig> {
        let id = |index: usize| ConsumerId(index as u32);
        let consumers = self.consumers.iter().enumerate().map(|(index, spec)| ConsumerConfig {
            id: id(index),
            name: spec.name.clone(),
            kind: spec.group.clone().map_or(Kind::Simple, Kind::HighLevel),
            topic: spec.topic,
            group: self.group_of(spec),
            partitions: spec.partitions.clone(),
            fetch_size: spec.fetch_size,
            queued_chunks: spec.queued_chunks,
            fetcher_backoff: spec.fetcher_backoff,
            from_largest: spec.from_largest,
            processing: spec.processing.clone(),
            hours: Hours { start: Some(spec.start), stop: spec.stop },
        });
        let auditors =
            self.audited().into_iter().enumerate().map(|(index, topic)| ConsumerConfig {
                id: id(self.consumers.len() + index),
                name: Spec::auditor_name(&self.config.topics[topic as usize].name),
                kind: Kind::Simple,
                topic,
                group: 0,
                partitions: self.unread(topic),
                fetch_size: AUDITOR_FETCH,
                queued_chunks: 1_000,
                fetcher_backoff: AUDITOR_BACKOFF,
                from_largest: false,
                processing: Distribution::Constant(0),
                hours: Hours { start: None, stop: None },
            });
        consumers.chain(auditors).collect()
    }

    /// The names of the run.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        let nodes = self.topology.hosts.iter();
        let first = self.clients();
        let consumers = self.consumer_configs().into_iter().map(|consumer| ConsumerInfo {
            node: NodeId(first + self.producers.len() as u32 + consumer.id.0),
            destinations: consumer
                .partitions
                .iter()
                .map(|partition| self.config.streams.seen_by(*partition, consumer.group))
                .collect(),
            auditor: consumer.hours.start.is_none(),
            name: consumer.name,
        });
        Catalog {
            nodes: nodes
                .map(|host| NodeInfo { name: host.name.clone(), kind: host.kind })
                .collect(),
            producers: self.config.streams.producer_infos(|writer| {
                let name = self.producers[writer as usize].load.name.clone();
                (name, NodeId(first + writer), true)
            }),
            consumers: consumers.collect(),
            destinations: self.config.streams.destination_infos(),
            faults: self.faults.iter().map(|fault| fault.text.clone()).collect(),
            causes: words::CAUSES,
            conditions: words::CONDITIONS,
            roles: words::ROLES,
            events: words::EVENTS,
            invariants: self.invariants(),
            notes: Vec::new(),
            situations: words::SITUATIONS,
        }
    }

    /// A batch that is sent again may be in the log twice.
    fn invariants(&self) -> Vec<InvariantWord> {
        let retries =
            |producer: &ProducerSpec| producer.queue.is_some_and(|queue| queue.retries > 0);
        let mut words = INVARIANTS.to_vec();
        if self.producers.iter().any(retries) {
            let word = &mut words[invariant::SEND_ORDER.index()];
            word.lacks = word.rests_on.to_vec();
        }
        words
    }

    /// ZooKeeper's tree before the run: what brokers and groups find there.
    fn tree(&self) -> Tree<Znode> {
        let mut tree = Tree::new();
        let mut plant = |path: String| tree.plant(&path, None);
        for path in ["/brokers", "/brokers/ids", "/brokers/topics", "/consumers"] {
            plant(path.to_owned());
        }
        for topic in &self.config.topics {
            plant(format!("/brokers/topics/{}", topic.name));
        }
        let mut planted: Vec<String> = Vec::new();
        let groups = self.consumers.iter().filter_map(|consumer| {
            Some((
                &consumer.group.as_ref()?.group,
                &self.config.topics[consumer.topic as usize].name,
            ))
        });
        for (group, topic) in groups {
            let group = format!("/consumers/{group}");
            let of_topic = ["owners", "offsets"].map(|kind| format!("{group}/{kind}/{topic}"));
            let kinds = ["ids", "owners", "offsets"].map(|kind| format!("{group}/{kind}"));
            for path in std::iter::once(group).chain(kinds).chain(of_topic) {
                if !planted.contains(&path) {
                    plant(path.clone());
                    planted.push(path);
                }
            }
        }
        tree
    }

    /// The set-up of the run with this seed.
    #[must_use]
    pub fn setup(&self, seed: u64) -> Setup<LegacyMachine> {
        let config = &self.config;
        let mut machines: Vec<LegacyMachine> = (0..config.brokers)
            .map(|node| Broker::new(config.clone(), NodeId(node)))
            .map(|broker| LegacyMachine::Broker(Box::new(broker)))
            .collect();
        let tree = self.tree();
        for node in config.zookeeper.iter() {
            let server = Server::new(self.ensemble.clone(), *node, &tree);
            machines.push(LegacyMachine::Zookeeper(Box::new(server)));
        }
        for (writer, producer) in self.producers.iter().enumerate() {
            let own = self.producer(seed, writer as u32, producer);
            let producer = Producer::new(config.clone(), own);
            machines.push(LegacyMachine::Producer(Box::new(producer)));
        }
        for own in self.consumer_configs() {
            let consumer = Consumer::new(config.clone(), own);
            machines.push(LegacyMachine::Consumer(Box::new(consumer)));
        }
        let drawn = self.nemesis.iter();
        let drawn = drawn.flat_map(|one| one.draw(seed, &self.topology, self.faults.len()));
        Setup {
            seed,
            topology: self.topology.clone(),
            machines,
            established: Vec::new(),
            faults: self.faults.iter().cloned().chain(drawn).collect(),
            duration: self.duration,
            drain: self.drain,
            limits: self.limits,
            invariants: true,
        }
    }

    fn producer(&self, seed: u64, writer: u32, producer: &ProducerSpec) -> ProducerConfig {
        let topic = self.config.streams.topic_of(writer);
        let partitions = self.config.streams.of_topic(topic).len();
        ProducerConfig {
            writer,
            sending: Sending::new(&producer.load, self.duration, seed, partitions),
            brokers: producer.brokers.clone(),
            channel: producer.channel,
            queue: producer.queue,
            keys: producer.keys,
            zk_read_retries: producer.zk_read_retries,
            session_timeout: producer.session_timeout,
            max_message_size: producer.max_message_size,
        }
    }
}
