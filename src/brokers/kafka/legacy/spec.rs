//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::coordination::zookeeper::{self, Server, Tree};
use crate::brokers::kit::application::{Hours, Sending};
use crate::brokers::kit::{About, Cast, Dialect, Family, Frame, Mode, Reach, Sends};
use crate::engine::{Distribution, Span};
use crate::observe::{ConsumerId, DestinationId, InvariantId, NodeId};
use crate::scenario::{Diagnostics, Scenario};
use crate::workload::Load;

use super::super::PartitionId;
use super::broker::Broker;
use super::config::Config;
use super::consumer::{Consumer, ConsumerConfig, GroupConfig, Kind};
use super::invariants::{INVARIANTS, invariant};
use super::keys::SECTIONS;
use super::machine::{LegacyCluster, LegacyMachine};
use super::message::Znode;
use super::plan::plan;
use super::portable;
use super::producer::{ChannelConfig, Keys, Producer, ProducerConfig, QueueConfig};
use super::words::WORDS;

/// What a log needs for a message, in bytes. Batches that follow each other are kept as one: measured,
/// it was 10 with the ledger's part, for messages of equal size.
const COPY: u64 = 32;

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
    /// Hosts, network and faults.
    pub frame: Frame,
    /// What every machine knows.
    pub config: Arc<Config>,
    /// The ensemble.
    pub ensemble: Arc<zookeeper::Config>,
    /// The producers.
    pub producers: Vec<ProducerSpec>,
    /// The consumers.
    pub consumers: Vec<ConsumerSpec>,
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

    /// The place of a consumer's group among those of its topic.
    fn group_of(&self, consumer: &ConsumerSpec) -> usize {
        let groups = &self.config.topics[consumer.topic as usize].groups;
        let own = consumer.group.as_ref().map_or(SIMPLE, |group| &*group.group);
        groups.iter().position(|group| group == own).unwrap_or(0)
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
                name: format!("auditor.{}", self.config.topics[topic as usize].name),
                kind: Kind::Simple,
                topic,
                group: 0,
                partitions: self.unread(topic),
                fetch_size: AUDITOR_FETCH,
                queued_chunks: 1_000,
                fetcher_backoff: AUDITOR_BACKOFF,
                from_largest: false,
                processing: Distribution::Constant(0),
                hours: Hours::AUDITOR,
            });
        consumers.chain(auditors).collect()
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

    fn producer(&self, seed: u64, writer: u32, producer: &ProducerSpec) -> ProducerConfig {
        let topic = self.config.streams.topic_of(writer);
        let partitions = self.config.streams.of_topic(topic).len();
        ProducerConfig {
            writer,
            sending: Sending::new(&producer.load, self.frame.duration, seed, partitions),
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

impl Family for Spec {
    type Mode = ();
    type Cluster = LegacyCluster;

    const ABOUT: &'static About = &About {
        product: "Kafka",
        log: true,
        sections: SECTIONS,
        words: WORDS,
        invariants: INVARIANTS,
    };
    const MODES: &'static [((), Mode)] = &[(
        (),
        Mode {
            name: "kafka-legacy",
            meaning: "Kafka before replication: each partition on one broker, sends without an answer.",
            version: "0.7",
            versions: ("0.6", "0.7"),
            otherwise: None,
            starter: include_str!("../starters/legacy.toml"),
        },
    )];

    const REMEDIES: &'static [&'static str] = &["broker.log.flush.interval=1"];

    fn dialect((): ()) -> Option<&'static Dialect> {
        Some(&portable::DIALECT)
    }

    fn plan(scenario: &Scenario, (): ()) -> Result<Spec, Diagnostics> {
        plan(scenario)
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    fn cast(&self) -> Cast {
        let loads = self.producers.iter().map(|producer| &producer.load);
        let consumers = self.consumers.iter().map(|consumer| &consumer.name);
        let unread = self.audited().into_iter();
        let unread = unread.map(|topic| &self.config.topics[topic as usize].name);
        let servers = [("zk", self.config.zookeeper.len())];
        Cast::of(loads, consumers, unread).with_servers(&servers, "zookeeper")
    }

    fn reach(&self, producer: usize) -> Reach<'_> {
        let topic = self.config.streams.topic_of(producer as u32);
        let groups = self.config.topics[topic as usize].groups.len();
        let load = &self.producers[producer].load;
        Reach { load, lines: groups.max(1) as u64, copies: 1, copy: COPY }
    }

    fn destinations(&self) -> Vec<String> {
        self.config.streams.destination_names()
    }

    /// Selectors name partitions, whoever reads them.
    fn targets(&self) -> Vec<String> {
        let partitions = self.config.streams.partitions().iter();
        partitions.map(|partition| partition.name.clone()).collect()
    }

    fn producers(&self) -> Vec<Sends> {
        self.config.streams.senders(|_| true)
    }

    fn consumers(&self) -> Vec<Vec<DestinationId>> {
        let read = |consumer: ConsumerConfig| {
            let seen = |partition| self.config.streams.seen_by(partition, consumer.group);
            consumer.partitions.iter().copied().map(seen).collect()
        };
        self.consumer_configs().into_iter().map(read).collect()
    }

    /// A batch that is sent again may be in the log twice.
    fn meets(&self, invariant: InvariantId) -> Vec<bool> {
        let retries =
            |producer: &ProducerSpec| producer.queue.is_some_and(|queue| queue.retries > 0);
        match invariant {
            invariant::SEND_ORDER => vec![!self.producers.iter().any(retries)],
            _ => Vec::new(),
        }
    }

    fn machines(&self, seed: u64) -> Vec<LegacyMachine> {
        let config = &self.config;
        let mut machines: Vec<LegacyMachine> = (0..config.brokers)
            .map(|node| Broker::new(config.clone(), NodeId(node)))
            .map(LegacyMachine::from)
            .collect();
        let tree = self.tree();
        for node in config.zookeeper.iter() {
            let server = Server::new(self.ensemble.clone(), *node, &tree);
            machines.push(server.into());
        }
        for (writer, producer) in self.producers.iter().enumerate() {
            let own = self.producer(seed, writer as u32, producer);
            let producer = Producer::new(config.clone(), own);
            machines.push(producer.into());
        }
        for own in self.consumer_configs() {
            let consumer = Consumer::new(config.clone(), own);
            machines.push(consumer.into());
        }
        machines
    }
}
