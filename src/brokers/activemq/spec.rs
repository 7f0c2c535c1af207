//! What a scenario asks for, resolved but for the seed; from it and a seed comes a run's set-up.

use std::sync::Arc;

use crate::brokers::kit::application::Sending;
use crate::brokers::kit::{About, Cast, Dialect, Family, Frame, Mode as ModeSpec, Reach, Sends};
use crate::observe::{DestinationId, InvariantId, NodeId};
use crate::scenario::{Diagnostics, Scenario};
use crate::workload::Load;

use super::broker::Broker;
use super::client::consumer::{Consumer, ConsumerConfig};
use super::client::producer::{Mode, Producer, ProducerConfig};
use super::config::Config;
use super::invariants::{INVARIANTS, meets};
use super::keys::SECTIONS;
use super::machine::{ActiveCluster, ActiveMachine};
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

/// A producer of the scenario.
#[derive(Clone, Debug)]
pub struct ProducerSpec {
    /// What it is asked to do.
    pub load: Load,
    /// How it does it.
    pub own: ProducerConfig,
}

/// A consumer of the scenario, or an auditor by the name of its queue.
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
            self.consumers.iter().partition(|consumer| consumer.own.hours.is_auditor());
        let loads = self.producers.iter().map(|producer| &producer.load);
        let consumers = consumers.into_iter().map(|consumer| &consumer.name);
        let cast = Cast::of(loads, consumers, auditors.into_iter().map(|auditor| &auditor.name));
        let storage = self.config.storage.map(|_| "storage".to_owned());
        Cast {
            coordinated_by: storage.is_some().then_some("storage"),
            coordinators: storage.into_iter().collect(),
            ..cast
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
            to: vec![spec.own.queue],
            unanswered: spec.own.mode == Mode::Async,
        };
        self.producers.iter().enumerate().map(sends).collect()
    }

    fn consumers(&self) -> Vec<Vec<DestinationId>> {
        self.consumers.iter().map(|consumer| vec![consumer.own.queue]).collect()
    }

    fn meets(&self, invariant: InvariantId) -> Vec<bool> {
        let audited = self.consumers.iter().all(|consumer| consumer.own.audited);
        meets(&self.config, audited, invariant)
    }

    fn machines(&self, seed: u64) -> Vec<ActiveMachine> {
        let config = &self.config;
        let brokers = (0..config.brokers).map(|node| Broker::new(config.clone(), NodeId(node)));
        let mut machines: Vec<ActiveMachine> = brokers.map(ActiveMachine::from).collect();
        if let Some(node) = config.storage {
            machines.push(Storage::new(config.clone(), node).into());
        }
        for spec in &self.producers {
            let sending = Sending::new(&spec.load, self.frame.duration, seed, 1);
            machines.push(Producer::new(config.clone(), spec.own.clone(), sending).into());
        }
        for spec in &self.consumers {
            machines.push(Consumer::new(config.clone(), spec.own.clone()).into());
        }
        machines
    }
}
