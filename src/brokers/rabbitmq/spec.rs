//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::kit::application::{Hours, Sending};
use crate::engine::{Distribution, Limits, Span, Stream};
use crate::observe::{
    Catalog, ConsumerId, ConsumerInfo, DestinationId, DestinationInfo, NodeId, NodeInfo,
    ProducerId, ProducerInfo,
};
use crate::workload::Load;
use crate::world::fault::Nemesis;
use crate::world::{Lane, PlannedFault, Setup, Topology};

use super::broker::Broker;
use super::broker::mnesia::{Member, QueueRecord, Tables};
use super::client::{
    CONSUMER_STEPS, ConnectOrder, Consumer, ConsumerConfig, LinkConfig, Producer, ProducerConfig,
    Reject,
};
use super::config::{Config, Costs, Locator, Queue};
use super::letters::Letters;
use super::machine::RabbitMachine;
use super::message::{ExchangeId, Pid, Properties, QueueId, RoutingKey, Terms};
use super::settings::Settings;
use super::words;

/// A producer of the scenario.
#[derive(Clone, Debug)]
pub struct ProducerSpec {
    /// What it is asked to do.
    pub load: Load,
    /// How it connects.
    pub link: LinkConfig,
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
    /// Hosts and network: the brokers, then the producers, consumers and auditors.
    pub topology: Topology,
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
    /// The faults that the scenario names.
    pub faults: Vec<PlannedFault>,
    /// Those that are drawn.
    pub nemesis: Option<Nemesis>,
    /// See [`Config::letters`].
    pub letters: Arc<Letters>,
    /// See [`Config::expirations`].
    pub expirations: Vec<Span>,
    /// The broker's configuration.
    pub settings: Settings,
    /// CPU costs.
    pub costs: Costs,
    /// `duration`.
    pub duration: Span,
    /// `drain`.
    pub drain: Span,
    /// `max-events`.
    pub limits: Limits,
}

/// A producer opens another channel this long after its own was closed.
const REOPEN_DELAY: Span = Span::from_millis(100);
/// An auditor reads this many messages ahead.
const AUDITOR_PREFETCH: u32 = 1_000;

impl Spec {
    /// The queues without a consumer, which an auditor reads at the end; but not those that their
    /// messages leave by themselves, to wait elsewhere.
    #[must_use]
    pub fn unread_queues(&self) -> Vec<QueueId> {
        (0..self.queues.len() as u32)
            .map(QueueId)
            .filter(|queue| self.consumers.iter().all(|consumer| consumer.queue != *queue))
            .filter(|queue| !self.queues[queue.0 as usize].arguments.passes_on())
            .collect()
    }

    /// The name of the auditor's host for a queue.
    #[must_use]
    pub fn auditor_name(queue: &str) -> String {
        format!("auditor.{queue}")
    }

    /// The names of the run.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        let host = |index: usize| NodeId(self.brokers + index as u32);
        let nodes = self.topology.hosts.iter();
        let nodes = nodes.map(|host| NodeInfo { name: host.name.clone(), kind: host.kind });
        let mut found = Vec::new();
        let config = self.config(self.tables(&mut Stream::fixed(0, "names")));
        let producers = self.producers.iter().enumerate().map(|(index, producer)| {
            config.route(producer.exchange, producer.key, &mut found);
            ProducerInfo {
                name: producer.load.name.clone(),
                node: host(index),
                destinations: found.iter().map(|queue| DestinationId(queue.0)).collect(),
                unanswered: !producer.properties.confirm,
            }
        });
        let producers: Vec<_> = producers.collect();
        let read = self.consumers.iter().map(|c| (c.name.clone(), c.queue, false));
        let audited = self
            .unread_queues()
            .into_iter()
            .map(|queue| (Spec::auditor_name(&self.queues[queue.0 as usize].name), queue, true));
        let consumers = read.chain(audited).enumerate().map(|(index, (name, queue, auditor))| {
            let node = host(self.producers.len() + index);
            ConsumerInfo { name, node, destinations: vec![DestinationId(queue.0)], auditor }
        });
        Catalog {
            nodes: nodes.collect(),
            consumers: consumers.collect(),
            producers,
            destinations: self
                .queues
                .iter()
                .map(|queue| DestinationInfo { name: queue.name.clone() })
                .collect(),
            faults: self.faults.iter().map(|fault| fault.text.clone()).collect(),
            causes: words::CAUSES,
            conditions: words::CONDITIONS,
            roles: words::ROLES,
            events: words::EVENTS,
            invariants: Vec::new(),
            notes: Vec::new(),
            situations: words::SITUATIONS,
        }
    }

    /// What every machine knows, with these tables at time zero.
    #[must_use]
    pub fn config(&self, tables: Tables) -> Config {
        Config {
            members: (0..self.brokers).map(NodeId).collect(),
            queues: self.queues.clone(),
            routes: self.routes.clone(),
            letters: self.letters.clone(),
            expirations: self.expirations.clone(),
            tables,
            settings: self.settings.clone(),
            costs: self.costs.clone(),
        }
    }

    /// The tables at time zero: every queue is led from its home, its mirrors have joined one after
    /// the other and are synchronised. Processes are numbered in the order in which the nodes start
    /// them: by queue, a replica and then its ring member.
    #[must_use]
    pub fn tables(&self, stream: &mut Stream) -> Tables {
        let mut tables = Tables::new(self.queues.len());
        let mut next_lane = vec![Lane::MAIN.0 + 1; self.brokers as usize];
        let mut start = |node: NodeId| {
            let lane = &mut next_lane[node.index()];
            *lane += 1;
            Pid { node, lane: Lane(*lane - 1) }
        };
        let running: Vec<NodeId> = (0..self.brokers).map(NodeId).collect();
        for (index, queue) in self.queues.iter().enumerate() {
            let declared = queue.mirroring.as_ref();
            let declared = declared.map(|p| p.at_declaration(queue.home, &running, stream));
            let (home, mirrors) = declared.unwrap_or((queue.home, Vec::new()));
            let leader = start(home);
            let mut record = QueueRecord::of(leader);
            if queue.mirroring.is_some() {
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
            tables.queues[index] = Some(record);
        }
        tables
    }

    /// The set-up of the run with this seed.
    #[must_use]
    pub fn setup(&self, seed: u64) -> Setup<RabbitMachine> {
        self.located(seed).setup_located(seed)
    }

    /// The same with every queue's home as its locator picks it: queues are declared one after the
    /// other, and all nodes run (rabbit_queue_location.erl v3.10; an exclusive queue is always
    /// local).
    #[must_use]
    pub fn located(&self, seed: u64) -> Spec {
        let mut spec = self.clone();
        let mut stream = Stream::fixed(seed, "locators");
        let mut leaders = vec![0; self.brokers as usize];
        for queue in &mut spec.queues {
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

    fn setup_located(&self, seed: u64) -> Setup<RabbitMachine> {
        let config = Arc::new(self.config(self.tables(&mut Stream::fixed(seed, "rings"))));
        let mut machines: Vec<RabbitMachine> = (0..self.brokers)
            .map(|node| Broker::new(config.clone(), NodeId(node)))
            .map(|broker| RabbitMachine::Broker(Box::new(broker)))
            .collect();
        for (index, producer) in self.producers.iter().enumerate() {
            let config = self.producer(seed, ProducerId(index as u32), producer);
            machines.push(RabbitMachine::Producer(Box::new(Producer::new(config))));
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
            machines.push(RabbitMachine::Consumer(Box::new(Consumer::new(config))));
        }
        for queue in self.unread_queues() {
            let config = self.auditor(id(), queue);
            machines.push(RabbitMachine::Consumer(Box::new(Consumer::new(config))));
        }
        let brokers = (0..self.brokers).map(NodeId);
        let established = brokers
            .flat_map(|from| (from.0 + 1..self.brokers).map(move |to| (from, NodeId(to))))
            .collect();
        let drawn = self.nemesis.iter();
        let drawn = drawn.flat_map(|one| one.draw(seed, &self.topology, self.faults.len()));
        Setup {
            seed,
            topology: self.topology.clone(),
            machines,
            established,
            faults: self.faults.iter().cloned().chain(drawn).collect(),
            duration: self.duration,
            drain: self.drain,
            limits: self.limits,
            invariants: true,
        }
    }

    fn producer(&self, seed: u64, id: ProducerId, producer: &ProducerSpec) -> ProducerConfig {
        ProducerConfig {
            id,
            link: producer.link.clone(),
            sending: Sending::new(&producer.load, self.duration, seed, 1),
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
            terms: Terms { prefetch: AUDITOR_PREFETCH, ..Terms::default() },
            poll: None,
            reject: None,
            reopen: true,
            processing: Distribution::Constant(0),
            resubscribe_delay: Span::from_millis(100),
            hours: Hours { start: None, stop: None },
            letters: self.letters.clone(),
            cost: self.costs.client,
        }
    }
}
