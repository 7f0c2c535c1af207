//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::coordination::zookeeper;
use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::application::{Hours, Sending};
use crate::brokers::kit::{About, Cast, Dialect, Family, Frame, Mode, Reach, Sends};
use crate::engine::{Distribution, Span};
use crate::observe::{ConsumerId, DestinationId, InvariantWord, NodeId, ProducerId};
use crate::scenario::{Diagnostics, Scenario};
use crate::workload::Load;

use super::broker::Broker;
use super::client::{
    Client, Consumer, ConsumerConfig, ConsumerSettings, MemberSettings, PipelineSettings, Producer,
    ProducerConfig, ProducerSettings, ScalaProducer, ScalaSettings,
};
use super::config::{Config, Metadata};
use super::controller::Controller;
use super::invariants;
use super::keys::SECTIONS;
use super::machine::{KafkaCluster, KafkaMachine};
use super::message::Acks;
use super::plan::plan;
use super::portable;
use super::words::WORDS;

/// What a log needs for a message, in bytes. Batches that follow each other are kept as one: measured,
/// it was 3 for messages of equal size.
const COPY: u64 = 32;

/// A producer of the scenario.
#[derive(Clone, Debug)]
pub struct ProducerSpec {
    /// What it is asked to do.
    pub load: Load,
    /// Its `bootstrap.servers`.
    pub connect: Vec<NodeId>,
    /// What it sends to.
    pub topic: u32,
    /// Which client it is.
    pub client: Client,
    /// Its configuration.
    pub settings: ProducerSettings,
    /// What only the Scala client has.
    pub scala: ScalaSettings,
}

/// A consumer of the scenario.
#[derive(Clone, Debug)]
pub struct ConsumerSpec {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its `bootstrap.servers`.
    pub connect: Vec<NodeId>,
    /// What it reads.
    pub topic: u32,
    /// The partitions of that which are assigned to it.
    pub partitions: Vec<u32>,
    /// Its configuration.
    pub settings: ConsumerSettings,
    /// What it does as a member of a group, if it has a `group.id`.
    pub member: Option<MemberSettings>,
    /// What it makes of what it reads, if it does.
    pub pipeline: Option<PipelineSettings>,
    /// How long its application works on a message.
    pub processing: Distribution,
    /// When it starts.
    pub start: Span,
    /// When it stops.
    pub stop: Option<Span>,
}

/// A scenario of this family, resolved.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Hosts, network and faults.
    pub frame: Frame,
    /// What all machines know.
    pub config: Config,
    /// `[zookeeper]`.
    pub ensemble: zookeeper::Settings,
    /// The producers.
    pub producers: Vec<ProducerSpec>,
    /// The consumers.
    pub consumers: Vec<ConsumerSpec>,
    /// Of each consumer, its group's place among those of its topic.
    pub groups: Vec<usize>,
    /// What is done with settings that contradict each other: whole sentences.
    pub notes: Vec<String>,
}

impl Spec {
    /// By topic, the partitions that no consumer reads: an auditor does at the end.
    #[must_use]
    pub fn unread_partitions(&self) -> Vec<(u32, Vec<PartitionId>)> {
        let mut found = Vec::new();
        let config = &self.config;
        let own = |topic: &u32| !config.streams.is_internal(config.streams.partition(*topic, 0));
        for topic in (0..config.topics.len() as u32).filter(own) {
            let reads = |index: u32| {
                let mut consumers = self.consumers.iter();
                consumers.any(|c| c.topic == topic && c.partitions.contains(&index))
            };
            let all = self.config.streams.of_topic(topic).enumerate();
            let unread: Vec<PartitionId> =
                all.filter(|(index, _)| !reads(*index as u32)).map(|(_, p)| p).collect();
            if !unread.is_empty() {
                found.push((topic, unread));
            }
        }
        found
    }

    fn producer(
        &self,
        seed: u64,
        config: &Arc<Config>,
        writer: u32,
        producer: &ProducerSpec,
    ) -> KafkaMachine {
        let topic = config.streams.topic_of(writer);
        let partitions = config.streams.of_topic(topic).len();
        let own = ProducerConfig {
            config: config.clone(),
            writer,
            connect: producer.connect.clone(),
            sending: Sending::new(&producer.load, self.frame.duration, seed, partitions),
            settings: producer.settings.clone(),
        };
        match producer.client {
            Client::Java | Client::Librdkafka => {
                KafkaMachine::Producer(Box::new(Producer::new(own)))
            }
            Client::Scala => {
                KafkaMachine::Scala(Box::new(ScalaProducer::new(own, producer.scala.clone())))
            }
        }
    }
}

impl Family for Spec {
    type Mode = ();
    type Cluster = KafkaCluster;

    const ABOUT: &'static About = &About {
        product: "Kafka",
        log: true,
        sections: SECTIONS,
        words: WORDS,
        invariants: invariants::WORDS,
    };
    const MODES: &'static [((), Mode)] = &[(
        (),
        Mode {
            name: "kafka-isr",
            meaning: "Kafka with replication: a leader, in-sync replicas, and a high watermark.",
            version: "4.1",
            versions: ("0.8.0", "4.1"),
            otherwise: None,
            starter: include_str!("../starters/isr.toml"),
        },
    )];

    const REMEDIES: &'static [&'static str] = &[
        "producer.*.acks=all",
        "producer.*.enable.idempotence=true",
        "producer.*.retries=2147483647",
        "topic.*.replication-factor=3",
        "topic.*.min.insync.replicas=2",
        "topic.*.unclean.leader.election.enable=false",
        "topic.*.flush.messages=1",
        "broker.log.flush.interval.messages=1",
        "consumer.*.auto.offset.reset=earliest",
    ];

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
        let unread = self.unread_partitions().into_iter();
        let topics = &self.config.topics;
        Cast {
            coordinators: self.config.names[self.config.brokers as usize..].to_vec(),
            coordinated_by: Some(match self.config.metadata {
                Metadata::Kraft => "controller",
                Metadata::ZooKeeper => "zookeeper",
            }),
            ..Cast::of(
                self.producers.iter().map(|producer| &producer.load),
                self.consumers.iter().map(|consumer| &consumer.name),
                unread.map(|(topic, _)| &topics[topic as usize].name),
            )
        }
    }

    /// With the copies that replicas have.
    fn reach(&self, producer: usize) -> Reach<'_> {
        let producer = &self.producers[producer];
        let first = self.config.streams.partition(producer.topic, 0);
        let copies = self.config.replicas(first).len() as u64;
        let streams = &self.config.streams;
        let onward = streams.forwarded_lines(ProducerId(0)).count();
        let lines = (streams.destinations_of(first).len() + onward) as u64;
        Reach { load: &producer.load, lines, copies: copies * lines, copy: COPY }
    }

    fn destinations(&self) -> Vec<String> {
        self.config.streams.destination_names()
    }

    /// Brokers lead and follow partitions, whoever reads them; a group and a transactional id stand for
    /// the partition that has their records.
    fn targets(&self) -> Vec<String> {
        let partitions = self.config.streams.partitions().iter();
        let groups = self.config.groups.all.iter().map(|group| group.name.clone());
        let ids = self.config.transactions.all.iter().map(|id| id.name.clone());
        partitions.map(|partition| partition.name.clone()).chain(groups).chain(ids).collect()
    }

    fn producers(&self) -> Vec<Sends> {
        let producers = &self.producers;
        let unanswered = |writer: u32| {
            let settings = &producers[writer as usize].settings;
            settings.acks == Acks::None || !settings.reports
        };
        self.config.streams.senders(unanswered)
    }

    fn consumers(&self) -> Vec<Vec<DestinationId>> {
        let streams = &self.config.streams;
        let consumers = self.consumers.iter().zip(&self.groups).map(|(consumer, group)| {
            let partitions = consumer.partitions.iter();
            let own = partitions.map(|index| streams.partition(consumer.topic, *index));
            own.map(|partition| streams.seen_by(partition, *group)).collect()
        });
        let auditors = self.unread_partitions().into_iter().map(|(_, partitions)| {
            partitions.iter().flat_map(|p| streams.destinations_of(*p)).copied().collect()
        });
        consumers.chain(auditors).collect()
    }

    fn machines(&self, seed: u64) -> Vec<KafkaMachine> {
        let config = Arc::new(self.config.clone());
        let mut machines: Vec<KafkaMachine> = config
            .all_brokers()
            .map(|node| KafkaMachine::Broker(Box::new(Broker::new(config.clone(), node))))
            .collect();
        let ensemble = Arc::new(zookeeper::Config {
            settings: self.ensemble.clone(),
            servers: config.coordinators.clone(),
            clock: config.sessions_by(),
            costs: zookeeper::Costs::default(),
            words: zookeeper::Words::default(),
        });
        for node in &config.coordinators {
            machines.push(match config.metadata {
                Metadata::ZooKeeper => KafkaMachine::ZooKeeper(Box::new(zookeeper::Server::new(
                    ensemble.clone(),
                    *node,
                    &config.first_tree(),
                ))),
                Metadata::Kraft => {
                    KafkaMachine::Controller(Box::new(Controller::new(config.clone(), *node)))
                }
            });
        }
        for (index, producer) in self.producers.iter().enumerate() {
            machines.push(self.producer(seed, &config, index as u32, producer));
        }
        let mut id = 0;
        let mut next = || {
            id += 1;
            ConsumerId(id - 1)
        };
        for (consumer, group) in self.consumers.iter().zip(&self.groups) {
            let partitions = consumer.partitions.iter();
            let partitions =
                partitions.map(|index| config.streams.partition(consumer.topic, *index));
            machines.push(KafkaMachine::Consumer(Box::new(Consumer::new(ConsumerConfig {
                config: config.clone(),
                id: next(),
                group: Some(*group),
                partitions: partitions.collect(),
                connect: consumer.connect.clone(),
                settings: consumer.settings.clone(),
                member: consumer.member.clone(),
                pipeline: consumer.pipeline.clone(),
                processing: consumer.processing.clone(),
                hours: Hours { start: Some(consumer.start), stop: consumer.stop },
            }))));
        }
        for (_, partitions) in self.unread_partitions() {
            machines.push(KafkaMachine::Consumer(Box::new(Consumer::new(ConsumerConfig {
                config: config.clone(),
                id: next(),
                group: None,
                partitions,
                connect: config.all_brokers().collect(),
                settings: ConsumerSettings::auditor(),
                member: None,
                pipeline: None,
                processing: Distribution::Constant(0),
                hours: Hours::AUDITOR,
            }))));
        }
        machines
    }

    fn invariants(&self) -> Vec<InvariantWord> {
        invariants::words(&self.config)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
