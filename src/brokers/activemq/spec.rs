//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::kit::application::Sending;
use crate::brokers::kit::{About, Cast, Dialect, Family, Frame, Mode as ModeSpec, Reach, Sends};
use crate::observe::{DestinationId, InvariantId, InvariantWord, NodeId, ProducerId};
use crate::scenario::{Diagnostics, Scenario};
use crate::workload::Load;

use super::broker::Broker;
use super::client::consumer::{Consumer, ConsumerConfig};
use super::client::producer::{Mode, Producer, ProducerConfig};
use super::client::transport::TransportConfig;
use super::config::Config;
use super::invariants::{INVARIANTS, lacks};
use super::keys::SECTIONS;
use super::machine::{ActiveCluster, ActiveMachine};
use super::message::QueueId;
use super::plan::plan;
use super::portable;
use super::storage::Storage;
use super::words::WORDS;

/// What a broker needs for a message, in bytes: its entry, its place in the queue, its id, its records
/// and its place in the index.
const COPY: u64 = 384;

/// How modes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One broker with a store of its own.
    Single,
    /// Brokers that share a store on a file system, and a lock.
    SharedStorage,
}

/// A producer of the scenario; but for what it is to send as [`ProducerConfig`].
#[derive(Clone, Debug)]
pub struct ProducerSpec {
    /// What it is asked to do.
    pub load: Load,
    /// See [`ProducerConfig::queue`].
    pub queue: QueueId,
    /// See [`ProducerConfig::transport`].
    pub transport: TransportConfig,
    /// See [`ProducerConfig::mode`].
    pub mode: Mode,
    /// See [`ProducerConfig::persistent`].
    pub persistent: bool,
    /// See [`ProducerConfig::track`].
    pub track: Option<u64>,
    /// See [`ProducerConfig::resend`].
    pub resend: bool,
}

/// A consumer of the scenario, or an auditor by the name of its queue.
#[derive(Clone, Debug)]
pub struct ConsumerSpec {
    /// Its name.
    pub name: String,
    /// What it does.
    pub own: ConsumerConfig,
}

impl ConsumerSpec {
    fn is_auditor(&self) -> bool {
        self.own.hours.start.is_none()
    }
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

impl Family for Spec {
    type Mode = Kind;
    type Cluster = ActiveCluster;

    const ABOUT: &'static About = &About {
        product: "ActiveMQ",
        log: false,
        sections: SECTIONS,
        words: WORDS,
        invariants: INVARIANTS,
    };
    const MODES: &'static [(Kind, ModeSpec)] = &[
        (
            Kind::Single,
            ModeSpec {
                name: "activemq-single",
                meaning: "One broker of ActiveMQ Classic with queues in a KahaDB.",
                version: "5.18",
                versions: ("5.9", "6.3"),
                otherwise: None,
                starter: include_str!("starters/single.toml"),
            },
        ),
        (
            Kind::SharedStorage,
            ModeSpec {
                name: "activemq-shared-storage",
                meaning: "Brokers of ActiveMQ Classic that share a KahaDB on a file server, of which the one with the lock serves.",
                version: "5.18",
                versions: ("5.9", "6.3"),
                otherwise: None,
                starter: include_str!("starters/shared_storage.toml"),
            },
        ),
    ];

    const REMEDIES: &'static [&'static str] = &[
        "broker.journalDiskSyncStrategy=always",
        "producer.*.useAsyncSend=false",
        "producer.*.persistent=true",
        "producer.*.transport=failover",
        "rules.leave-files-unsynced=false",
        "consumer.*.acknowledge=CLIENT",
    ];

    fn dialect(mode: Kind) -> Option<&'static Dialect> {
        Some(portable::dialect(mode))
    }

    fn plan(scenario: &Scenario, mode: Kind) -> Result<Spec, Diagnostics> {
        plan(scenario, mode)
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    fn cast(&self) -> Cast {
        let (auditors, consumers): (Vec<_>, Vec<_>) =
            self.consumers.iter().partition(|consumer| consumer.is_auditor());
        let name = |consumer: &ConsumerSpec| consumer.name.clone();
        let storage = self.config.storage.map(|_| "storage".to_owned());
        Cast {
            coordinated_by: storage.is_some().then_some("storage"),
            coordinators: storage.into_iter().collect(),
            producers: self.producers.iter().map(|producer| producer.load.name.clone()).collect(),
            consumers: consumers.into_iter().map(name).collect(),
            unread: auditors.into_iter().map(name).collect(),
        }
    }

    fn reach(&self, producer: usize) -> Reach<'_> {
        let copies = 1 + u64::from(self.config.storage.is_some());
        Reach { load: &self.producers[producer].load, lines: 1, copies, copy: COPY }
    }

    fn destinations(&self) -> Vec<String> {
        self.config.queues.clone()
    }

    fn producers(&self) -> Vec<Sends> {
        let sends = |(host, spec): (usize, &ProducerSpec)| Sends {
            host,
            to: vec![spec.queue],
            unanswered: spec.mode == Mode::Async,
        };
        self.producers.iter().enumerate().map(sends).collect()
    }

    fn consumers(&self) -> Vec<Vec<DestinationId>> {
        self.consumers.iter().map(|consumer| vec![consumer.own.queue]).collect()
    }

    fn invariants(&self) -> Vec<InvariantWord> {
        let audited = self.consumers.iter().all(|consumer| consumer.own.audited);
        let mut words = INVARIANTS.to_vec();
        for (word, id) in words.iter_mut().zip((0..).map(InvariantId)) {
            word.lacks = lacks(&self.config, audited, id);
        }
        words
    }

    fn machines(&self, seed: u64) -> Vec<ActiveMachine> {
        let config = &self.config;
        let brokers = (0..config.brokers).map(|node| Broker::new(config.clone(), NodeId(node)));
        let mut machines: Vec<ActiveMachine> = brokers.map(ActiveMachine::from).collect();
        if let Some(node) = config.storage {
            machines.push(Storage::new(config.clone(), node).into());
        }
        for (id, spec) in (0..).map(ProducerId).zip(&self.producers) {
            let own = ProducerConfig {
                id,
                queue: spec.queue,
                sending: Sending::new(&spec.load, self.frame.duration, seed, 1),
                transport: spec.transport.clone(),
                mode: spec.mode,
                persistent: spec.persistent,
                track: spec.track,
                resend: spec.resend,
            };
            machines.push(Producer::new(config.clone(), own).into());
        }
        for spec in &self.consumers {
            machines.push(Consumer::new(config.clone(), spec.own.clone()).into());
        }
        machines
    }
}
