//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::coordination::zookeeper;
use crate::brokers::kit::application::{Hours, Sending};
use crate::engine::{Distribution, Limits, Span};
use crate::observe::{Catalog, ConsumerId, ConsumerInfo, NodeId, NodeInfo};
use crate::workload::Load;
use crate::world::fault::Nemesis;
use crate::world::{PlannedFault, Setup, Topology};

use super::broker::Broker;
use super::client::{
    Client, Consumer, ConsumerConfig, ConsumerSettings, Producer, ProducerConfig, ProducerSettings,
    ScalaProducer, ScalaSettings,
};
use super::config::{Config, Metadata};
use super::controller::Controller;
use super::invariants;
use super::machine::KafkaMachine;
use super::message::Acks;
use super::words;

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
    /// Hosts and network: the brokers, then ZooKeeper or the controllers, then producers,
    /// consumers and auditors.
    pub topology: Topology,
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
    /// `invariants`.
    pub invariants: bool,
    /// What is done with settings that contradict each other: whole sentences.
    pub notes: Vec<String>,
}

impl Spec {
    fn first_client(&self) -> u32 {
        self.config.brokers + self.config.coordinators.len() as u32
    }

    /// The names of the run.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        let (first, streams) = (self.first_client(), &self.config.streams);
        let host = |index: usize| NodeId(first + index as u32);
        let nodes = self.topology.hosts.iter();
        let nodes = nodes.map(|host| NodeInfo { name: host.name.clone(), kind: host.kind });
        let producers = streams.producer_infos(|writer| {
            let producer = &self.producers[writer as usize];
            let unanswered = producer.settings.acks == Acks::None;
            (producer.load.name.clone(), host(writer as usize), unanswered)
        });
        let mut consumers = Vec::new();
        for (consumer, group) in self.consumers.iter().zip(&self.groups) {
            let partitions = consumer.partitions.iter();
            let destinations = partitions
                .map(|index| streams.seen_by(streams.partition(consumer.topic, *index), *group));
            consumers.push(ConsumerInfo {
                name: consumer.name.clone(),
                node: host(self.producers.len() + consumers.len()),
                destinations: destinations.collect(),
                auditor: false,
            });
        }
        for (topic, partitions) in self.unread_partitions() {
            let destinations =
                partitions.iter().flat_map(|p| streams.destinations_of(*p).to_vec()).collect();
            consumers.push(ConsumerInfo {
                name: format!("auditor.{}", self.config.topics[topic as usize].name),
                node: host(self.producers.len() + consumers.len()),
                destinations,
                auditor: true,
            });
        }
        Catalog {
            nodes: nodes.collect(),
            producers,
            consumers,
            destinations: streams.destination_infos(),
            faults: self.faults.iter().map(|fault| fault.text.clone()).collect(),
            causes: words::CAUSES,
            conditions: words::CONDITIONS,
            roles: words::ROLES,
            events: words::EVENTS,
            invariants: invariants::words(&self.config),
            notes: self.notes.clone(),
            situations: words::SITUATIONS,
        }
    }

    /// The set-up of the run with this seed.
    #[must_use]
    pub fn setup(&self, seed: u64) -> Setup<KafkaMachine> {
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
                processing: Distribution::Constant(0),
                hours: Hours { start: None, stop: None },
            }))));
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
            invariants: self.invariants,
        }
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
            sending: Sending::new(&producer.load, self.duration, seed, partitions),
            settings: producer.settings.clone(),
        };
        match producer.client {
            Client::Java => KafkaMachine::Producer(Box::new(Producer::new(own))),
            Client::Scala => {
                KafkaMachine::Scala(Box::new(ScalaProducer::new(own, producer.scala.clone())))
            }
        }
    }
}
