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
use super::config::{Config, Policy};
use super::invariants::{INVARIANTS, meets};
use super::keys::SECTIONS;
use super::machine::{ArtemisCluster, ArtemisMachine};
use super::plan::plan;
use super::portable;
use super::router::Router;
use super::storage::Storage;
use super::words::WORDS;

/// What a broker needs for a message, in bytes: its entry, its place in the queue, its records and its
/// place in the index.
const COPY: u64 = 448;

/// How modes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One broker with a journal of its own.
    Single,
    /// A primary and a backup with a journal on a file server.
    SharedStore,
    /// Pairs of a primary and a backup with a copy of its journal.
    Replication,
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
    type Cluster = ArtemisCluster;

    const ABOUT: &'static About = &About {
        product: "Artemis",
        log: false,
        sections: SECTIONS,
        words: WORDS,
        invariants: INVARIANTS,
    };
    const MODES: &'static [(Kind, ModeSpec)] = &[
        (
            Kind::Single,
            ModeSpec {
                name: "artemis-single",
                meaning: "One broker of Artemis with its journal.",
                version: "2.56",
                versions: ("2.20", "2.56"),
                otherwise: None,
                starter: include_str!("starters/single.toml"),
            },
        ),
        (
            Kind::SharedStore,
            ModeSpec {
                name: "artemis-shared-store",
                meaning: "A primary and a backup of Artemis that share a journal on a file server: the one with the lock is active.",
                version: "2.56",
                versions: ("2.20", "2.56"),
                otherwise: None,
                starter: include_str!("starters/shared_store.toml"),
            },
        ),
        (
            Kind::Replication,
            ModeSpec {
                name: "artemis-replication",
                meaning: "Pairs of Artemis brokers: a primary sends its journal to a backup, which takes over by a vote.",
                version: "2.56",
                versions: ("2.20", "2.56"),
                otherwise: None,
                starter: include_str!("starters/replication.toml"),
            },
        ),
    ];

    const REMEDIES: &'static [&'static str] = &[
        "broker.journal-datasync=true",
        "broker.journal-sync-transactional=true",
        "broker.journal-sync-non-transactional=true",
        "producer.*.durable=true",
        "producer.*.blockOnDurableSend=true",
        "producer.*.resend=true",
        "consumer.*.receive=false",
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
        let (coordinators, coordinated_by) = match self.config.policy {
            Policy::SharedStore { .. } => (vec!["storage".to_owned()], Some("storage")),
            Policy::Replication if self.config.settings.network_check => {
                (vec!["router".to_owned()], None)
            }
            Policy::Single | Policy::Replication => (Vec::new(), None),
        };
        Cast { coordinated_by, coordinators, ..cast }
    }

    fn reach(&self, producer: usize) -> Reach<'_> {
        let copies = if self.config.policy == Policy::Single { 1 } else { 2 };
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
        meets(&self.config, invariant)
    }

    fn machines(&self, seed: u64) -> Vec<ArtemisMachine> {
        let config = &self.config;
        let brokers = (0..config.brokers).map(|node| Broker::new(config.clone(), NodeId(node)));
        let mut machines: Vec<ArtemisMachine> = brokers.map(ArtemisMachine::from).collect();
        match config.policy {
            Policy::SharedStore { storage } => {
                machines.push(Storage::new(config.clone(), storage).into());
            }
            Policy::Replication if config.settings.network_check => machines.push(Router.into()),
            Policy::Single | Policy::Replication => {}
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
