//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::kit::application::{Hours, Sending};
use crate::brokers::kit::streams::PartitionId;
use crate::brokers::kit::{About, Cast, Dialect, Family, Frame, Mode, Reach, Sends};
use crate::engine::{Chance, Distribution, Span};
use crate::observe::{ConsumerId, DestinationId, InvariantId, NodeId};
use crate::scenario::{Diagnostics, Scenario};
use crate::workload::Load;

use super::broker::Broker;
use super::client::consumer::{Consumer, ConsumerConfig, Listener};
use super::client::producer::{self, Producer, ProducerConfig};
use super::config::{self, Config};
use super::controller::Controller;
use super::invariants::{INVARIANTS, meets};
use super::keys::SECTIONS;
use super::machine::{RocketCluster, RocketMachine};
use super::nameserver::NameServer;
use super::plan::plan;
use super::portable;
use super::words::WORDS;

/// What a broker needs for a copy of a message, in bytes: its record, the entry in its queue, and
/// room for lists that grow.
const COPY: u64 = 128;

/// A producer of the scenario.
#[derive(Clone, Debug)]
pub struct ProducerSpec {
    /// What it is asked to do.
    pub load: Load,
    /// How it does it.
    pub own: ProducerConfig,
}

/// A consumer of the scenario.
#[derive(Clone, Debug)]
pub struct ConsumerSpec {
    /// Its name.
    pub name: String,
    /// What it does.
    pub own: ConsumerConfig,
}

/// A scenario of this family, resolved.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Hosts, network and faults.
    pub frame: Frame,
    /// What every machine knows.
    pub config: Arc<Config>,
    /// The producers.
    pub producers: Vec<ProducerSpec>,
    /// The consumers, the auditors behind them.
    pub consumers: Vec<ConsumerSpec>,
}

impl Spec {
    /// An auditor of a topic.
    pub(super) fn auditor(id: u32, topic: u32, group: u32) -> ConsumerConfig {
        ConsumerConfig {
            id: ConsumerId(id),
            topic,
            group,
            group_of_topic: 0,
            from_first: true,
            batch: 32,
            threshold: 1_000_000,
            span: 1_000_000,
            threads: 1,
            persist_interval: Span::from_secs(5),
            heartbeat_interval: Span::from_secs(30),
            poll_interval: Span::from_secs(30),
            listener: Listener::Concurrently,
            returns: None,
            fails: Chance::NEVER,
            most_times: None,
            timeout: Span::from_secs(900),
            suspend: Span::from_secs(1),
            stuck: None,
            processing: Distribution::Constant(0),
            hours: Hours::AUDITOR,
        }
    }
}

impl Family for Spec {
    type Mode = config::Mode;
    type Cluster = RocketCluster;

    const ABOUT: &'static About = &About {
        product: "RocketMQ",
        log: true,
        sections: SECTIONS,
        words: WORDS,
        invariants: INVARIANTS,
    };
    const MODES: &'static [(config::Mode, Mode)] = &[
        (
            config::Mode::MasterSlave,
            Mode {
                name: "rocketmq-master-slave",
                meaning: "Groups of a master and slaves, which are never promoted; NameServers say where they are.",
                version: "5.3",
                versions: ("4.9", "5.5"),
                otherwise: None,
                starter: include_str!("starters/master_slave.toml"),
            },
        ),
        (
            config::Mode::Controller,
            Mode {
                name: "rocketmq-controller",
                meaning: "Groups whose master is made by controllers, which are a Raft group; SyncStateSets, and masters that are elected.",
                version: "5.3",
                versions: ("5.0", "5.5"),
                otherwise: None,
                starter: include_str!("starters/controller.toml"),
            },
        ),
        (
            config::Mode::Dledger,
            Mode {
                name: "rocketmq-dledger",
                meaning: "Groups whose CommitLog is the log of a Raft group (DLedger); a send waits for most members, and the leader is the master.",
                version: "5.3",
                versions: ("4.9", "5.5"),
                otherwise: None,
                starter: include_str!("starters/dledger.toml"),
            },
        ),
    ];

    const REMEDIES: &'static [&'static str] = &[
        "broker.flushDiskType=SYNC_FLUSH",
        "broker.brokerRole=SYNC_MASTER",
        "broker.inSyncReplicas=2",
        "broker.allAckInSyncStateSet=true",
        "broker.minInSyncReplicas=2",
        "broker.transientStorePoolEnable=false",
        "producer.*.check-send-status=true",
        "producer.*.send=sync",
    ];

    fn dialect(mode: config::Mode) -> Option<&'static Dialect> {
        Some(portable::dialect(mode))
    }

    fn plan(scenario: &Scenario, mode: config::Mode) -> Result<Spec, Diagnostics> {
        plan(scenario, mode)
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    fn cast(&self) -> Cast {
        let config = &self.config;
        let controllers = config.control.as_ref().map_or(0, |control| control.hosts.len());
        let loads = self.producers.iter().map(|producer| &producer.load);
        let (auditors, consumers): (Vec<_>, Vec<_>) =
            self.consumers.iter().partition(|consumer| consumer.own.hours.is_auditor());
        let consumers = consumers.into_iter().map(|consumer| &consumer.name);
        let unread = auditors.into_iter().map(|of| &config.topics[of.own.topic as usize].name);
        let servers = [("ns", config.nameservers.len()), ("ctl", controllers)];
        Cast::of(loads, consumers, unread).with_servers(&servers, "nameserver")
    }

    fn reach(&self, producer: usize) -> Reach<'_> {
        let topic = self.config.streams.topic_of(producer as u32);
        let groups = self.config.topics[topic as usize].groups.len();
        let load = &self.producers[producer].load;
        let copies = u64::from(self.config.slaves) + 1;
        Reach { load, lines: groups.max(1) as u64, copies, copy: COPY }
    }

    fn destinations(&self) -> Vec<String> {
        self.config.streams.destination_names()
    }

    /// Selectors name queues, whoever reads them.
    fn targets(&self) -> Vec<String> {
        let streams = &self.config.streams;
        let own = (0..).map(PartitionId).zip(streams.partitions());
        let own = own.take_while(|(id, _)| !streams.is_internal(*id));
        own.map(|(_, queue)| queue.name.clone()).collect()
    }

    fn producers(&self) -> Vec<Sends> {
        let oneway = |writer| self.producers[writer as usize].own.mode == producer::Mode::Oneway;
        self.config.streams.senders(oneway)
    }

    fn consumers(&self) -> Vec<Vec<DestinationId>> {
        let read = |consumer: &ConsumerSpec| {
            let queues = self.config.streams.of_topic(consumer.own.topic);
            let seen = |queue| self.config.streams.seen_by(queue, consumer.own.group_of_topic);
            queues.map(seen).collect()
        };
        self.consumers.iter().map(read).collect()
    }

    fn meets(&self, invariant: InvariantId) -> Vec<bool> {
        meets(&self.config, invariant)
    }

    fn notes(&self) -> Vec<String> {
        let settings = &self.config.settings;
        let mut notes = Vec::new();
        let counts = self.config.has(super::rules::Rule::CountInSyncReplicas);
        if settings.sync_master
            && self.config.mode == config::Mode::MasterSlave
            && counts
            && settings.in_sync_replicas <= 1
            && self.config.slaves > 0
        {
            notes.push(
                "SYNC_MASTER with inSyncReplicas = 1 waits for nobody: the master's own copy is the one \
                 that is counted. Write inSyncReplicas = 2 for a slave to be waited for."
                    .to_owned(),
            );
        }
        if settings.pool && settings.sync_flush {
            notes.push(
                "transientStorePoolEnable has no effect with SYNC_FLUSH: there is no write buffer."
                    .to_owned(),
            );
        }
        notes
    }

    fn machines(&self, seed: u64) -> Vec<RocketMachine> {
        let config = &self.config;
        let brokers = (0..config.brokers).map(|node| Broker::new(config.clone(), NodeId(node)));
        let mut machines: Vec<RocketMachine> = brokers.map(RocketMachine::from).collect();
        for node in &config.nameservers {
            machines.push(NameServer::new(config.clone(), *node).into());
        }
        if let Some(control) = &config.control {
            let leader = (seed % control.hosts.len() as u64) as usize;
            for node in &control.hosts {
                let leader = control.hosts[leader];
                machines.push(Controller::new(config.clone(), control, *node, leader).into());
            }
        }
        for spec in &self.producers {
            let queues = config.streams.of_topic(config.streams.topic_of(spec.own.writer)).len();
            let sending = Sending::new(&spec.load, self.frame.duration, seed, queues);
            machines.push(Producer::new(config.clone(), spec.own.clone(), sending).into());
        }
        for spec in &self.consumers {
            machines.push(Consumer::new(config.clone(), spec.own.clone()).into());
        }
        machines
    }
}
