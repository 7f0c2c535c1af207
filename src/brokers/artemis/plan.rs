//! From a checked scenario to a [`Spec`]: names become ids, and what contradicts itself is told.

use std::sync::Arc;

use crate::brokers::kit::application::Hours;
use crate::brokers::kit::{Frame, complete};
use crate::engine::{Distribution, Span};
use crate::observe::{ConsumerId, DestinationId, NodeId, ProducerId};
use crate::scenario::{Diagnostics, Located, Place, Scenario, Value, Values};
use crate::workload::{ConsumerLoad, Load};

use super::client::connection::ConnectionConfig;
use super::client::consumer::{Acknowledge, ConsumerConfig};
use super::client::producer::{Mode, ProducerConfig};
use super::config::{Config, DLQ, FullPolicy, JournalType, Policy, QueueSettings, Settings};
use super::costs::Costs;
use super::message::QueueId;
use super::rules::{Rule, Rules};
use super::spec::{ConsumerSpec, Kind, ProducerSpec, Spec};

/// ArtemisConstants.java: the least time between two flushes.
const NIO_TIMEOUT: Span = Span::from_micros(3_333);
const AIO_TIMEOUT: Span = Span::from_micros(500);

/// What only pairs with a copy of the journal have.
const REPLICATION_KEYS: &[&str] = &[
    "initial-replication-sync-timeout",
    "quorum-size",
    "vote-retries",
    "vote-retry-wait",
    "quorum-vote-wait",
    "vote-on-replication-failure",
    "check-for-active-server",
    "network-check-list",
];

struct Planner<'a> {
    scenario: &'a Scenario,
    brokers: Vec<String>,
    queues: Vec<String>,
    addresses: Vec<QueueSettings>,
    rules: Rules,
    wrong: Diagnostics,
}

/// Resolves a scenario that was checked with this family's sections.
///
/// # Errors
/// All that is wrong with it, each with its place and a remedy.
pub fn plan(scenario: &Scenario, mode: Kind) -> Result<Spec, Diagnostics> {
    let frame = Frame::new(scenario)?;
    let brokers = frame.names();
    let rules = Rules::read(scenario.one("rules"));
    let wrong = scenario.diagnostics();
    let (queues, addresses) = (Vec::new(), Vec::new());
    let mut planner = Planner { scenario, brokers, queues, addresses, rules, wrong };
    planner.check_mode(mode);
    planner.read_queues()?;
    let producers = planner.read_producers();
    let consumers = planner.read_consumers();
    let broker = scenario.one("broker");
    let journal = match broker.choice("journal-type") {
        "NIO" => JournalType::Nio,
        _ => JournalType::AsyncIo,
    };
    let timeout = broker.get_duration("journal-buffer-timeout").unwrap_or(match journal {
        JournalType::Nio => NIO_TIMEOUT,
        JournalType::AsyncIo => AIO_TIMEOUT,
    });
    let lease = scenario.one("storage").duration("lease");
    let boot_time = frame.cluster.boot_time.clone();
    let config = Config {
        brokers: planner.brokers.len() as u32,
        policy: match mode {
            Kind::Single => Policy::Single,
            Kind::SharedStore => {
                Policy::SharedStore { storage: NodeId(planner.brokers.len() as u32) }
            }
            Kind::Replication => Policy::Replication,
        },
        queues: std::mem::take(&mut planner.queues),
        addresses: std::mem::take(&mut planner.addresses),
        settings: Settings::of(broker, rules, journal, timeout, lease, boot_time),
        costs: Costs::read(scenario.one("costs")),
    };
    let mut spec = Spec { frame, config: Arc::new(config), producers, consumers };
    complete(&mut spec, scenario, &mut planner.wrong);
    planner.wrong.into_result(spec)
}

impl Planner<'_> {
    fn check_mode(&mut self, mode: Kind) {
        let broker = self.scenario.one("broker");
        let storage = self.scenario.one("storage");
        let (name, fits, help) = match mode {
            Kind::Single => ("artemis-single", self.brokers.len() == 1, "one broker: `nodes = 1`"),
            Kind::SharedStore => (
                "artemis-shared-store",
                self.brokers.len() == 2,
                "a primary and a backup: `nodes = 2`",
            ),
            Kind::Replication => (
                "artemis-replication",
                self.brokers.len().is_multiple_of(2),
                "pairs, first the primary: `nodes = 2`, or 6 for three pairs",
            ),
        };
        if !fits {
            let cluster = self.scenario.one("cluster");
            let place =
                if cluster.is_set("nodes") { cluster.span("nodes") } else { cluster.place() };
            let message = format!("{name} does not have {} brokers", self.brokers.len());
            self.wrong.push(place, message, format!("it has {help}"));
        }
        if mode != Kind::SharedStore {
            self.refuse(broker, &["failover-on-shutdown", "lock-monitor-period"], name);
            self.refuse(storage, &["lease", "zone"], name);
        }
        if mode == Kind::Single {
            self.refuse(broker, &["allow-failback"], name);
        }
        if mode != Kind::Replication {
            self.refuse(broker, REPLICATION_KEYS, name);
        }
        if !broker.flag("network-check-list") {
            let keys = ["network-check-period", "network-check-timeout"];
            self.refuse(broker, &keys, "network-check-list = false");
        }
    }

    /// The queues, behind them that of dead letters.
    fn read_queues(&mut self) -> Result<(), Diagnostics> {
        for values in self.scenario.many("queue") {
            let name = values.text("name");
            if name == DLQ || self.queues.iter().any(|other| other == name) {
                let message = format!("there is a queue `{name}` already");
                let help = format!("queues need different names, and {DLQ} is there by itself");
                self.wrong.push(values.span("name"), message, help);
            }
            let full = match values.choice("address-full-policy") {
                "DROP" => FullPolicy::Drop,
                "FAIL" => FullPolicy::Fail,
                _ => FullPolicy::Block,
            };
            self.queues.push(name.to_owned());
            self.addresses.push(QueueSettings::of(values, full));
        }
        let Some(first) = self.addresses.first() else {
            let help = "add [[queue]] with name = \"orders\"";
            self.wrong.push(Place::START, "the scenario has no queue", help);
            return Err(std::mem::take(&mut self.wrong));
        };
        let letters = QueueSettings { max_size: None, max_deliveries: 10, ..first.clone() };
        self.queues.push(DLQ.to_owned());
        self.addresses.push(letters);
        Ok(())
    }

    fn queue(&mut self, name: &str, place: Place) -> QueueId {
        let known = self.queues.iter().map(String::as_str);
        let found = self.wrong.find((name, place), known, "queue");
        DestinationId(found.unwrap_or(0) as u32)
    }

    fn broker(&mut self, name: &Located<String>) -> NodeId {
        let known = self.brokers.iter().map(String::as_str);
        let found = self.wrong.find((&name.value, name.place), known, "broker");
        NodeId(found.unwrap_or(0) as u32)
    }

    fn connection(&mut self, values: &Values, connect: &[Located<String>]) -> ConnectionConfig {
        let named: Vec<NodeId> = connect.iter().map(|name| self.broker(name)).collect();
        let attempts = match values.value("reconnectAttempts") {
            Some(Value::Integer(attempts)) => Some(*attempts),
            _ => None,
        };
        if attempts == Some(0) {
            self.refuse(values, &["retryInterval"], "reconnectAttempts = 0");
        }
        ConnectionConfig {
            brokers: if named.is_empty() { self.reachable() } else { named },
            ha: values.flag("ha"),
            attempts,
            retry: values.duration("retryInterval"),
            pause: values.duration("reconnect-delay"),
            call_timeout: values.duration("callTimeout"),
            ttl: values.duration("connectionTTL"),
            check: values.duration("clientFailureCheckPeriod"),
            window: values.get_size("confirmationWindowSize").unwrap_or(0) as u32,
            by_window: self.rules.has(Rule::CheckByWindow),
        }
    }

    /// The brokers that have the queues: those of the first pair.
    fn reachable(&self) -> Vec<NodeId> {
        (0..self.brokers.len().min(2) as u32).map(NodeId).collect()
    }

    /// Keys that are written and say nothing beside others.
    fn refuse(&mut self, values: &Values, keys: &[&str], with: &str) {
        let why = format!("has no meaning with {with}");
        self.wrong.refuse(values, keys, &why, "remove the one or the other");
    }

    fn read_producers(&mut self) -> Vec<ProducerSpec> {
        let mut producers = Vec::new();
        for values in self.scenario.many("producer") {
            let Some(load) = self.wrong.keep(Load::from_values(values)) else { continue };
            let queue = self.queue(&load.to.value, load.to.place);
            if self.queues.get(queue.index()).is_some_and(|name| name == DLQ) {
                let message = format!("{DLQ} takes dead letters only");
                self.wrong.push(load.to.place, message, "send to another queue");
            }
            let connection = self.connection(values, &load.connect);
            let durable = values.flag("durable");
            let mode = self.mode(values, durable);
            let own = ProducerConfig {
                id: ProducerId(producers.len() as u32),
                queue,
                connection,
                mode,
                durable,
                duplicate_id: values.flag("duplicate-id"),
                window: values.size("producerWindowSize") as u32,
                resend: values.flag("resend"),
            };
            producers.push(ProducerSpec { load, own });
        }
        producers
    }

    /// Whether a send waits (`ClientProducerImpl.doSend`).
    fn mode(&mut self, values: &Values, durable: bool) -> Mode {
        if let Some(most) = values.get_integer("transacted") {
            let others = ["blockOnDurableSend", "blockOnNonDurableSend"];
            self.refuse(values, &others, "`transacted`");
            return Mode::Transacted(most as u32);
        }
        let key = if durable { "blockOnDurableSend" } else { "blockOnNonDurableSend" };
        if values.flag(key) { Mode::Blocking } else { Mode::Async }
    }

    fn acknowledge(&mut self, values: &Values) -> Acknowledge {
        let every = values.integer("acknowledge-every") as u32;
        let name = values.choice("acknowledge");
        let with = format!("acknowledge = \"{name}\"");
        let mode = match name {
            "CLIENT" => Acknowledge::Client(every),
            "INDIVIDUAL" => Acknowledge::Individual,
            "DUPS_OK" => Acknowledge::DupsOk(values.size("dupsOKBatchSize")),
            "SESSION_TRANSACTED" => Acknowledge::Transacted(every),
            "PRE_ACKNOWLEDGE" => Acknowledge::Early,
            _ => Acknowledge::Auto,
        };
        if !matches!(mode, Acknowledge::Client(_) | Acknowledge::Transacted(_)) {
            self.refuse(values, &["acknowledge-every"], &with);
        }
        if !matches!(mode, Acknowledge::DupsOk(_)) {
            self.refuse(values, &["dupsOKBatchSize"], &with);
        }
        mode
    }

    /// The consumers, and an auditor for each queue that nobody reads.
    fn read_consumers(&mut self) -> Vec<ConsumerSpec> {
        let mut consumers: Vec<ConsumerSpec> = Vec::new();
        for values in self.scenario.many("consumer") {
            let load = ConsumerLoad::from_values(values, &mut self.wrong);
            let window = match values.value("consumerWindowSize") {
                Some(Value::Size(bytes)) => Some(*bytes),
                _ => None,
            };
            let own = ConsumerConfig {
                id: ConsumerId(consumers.len() as u32),
                queue: self.queue(&load.from.value, load.from.place),
                connection: self.connection(values, &load.connect),
                acknowledge: self.acknowledge(values),
                receive: values.flag("receive"),
                window,
                poison: values.get_integer("poison").map(|poison| poison as u32),
                hours: Hours::of(&load),
                processing: load.processing,
            };
            consumers.push(ConsumerSpec { name: load.name, own });
        }
        let own = self.queues.len() - 1;
        for queue in (0..own as u32).map(DestinationId) {
            if consumers.iter().all(|consumer| consumer.own.queue != queue) {
                let name = self.queues[queue.index()].clone();
                let own = self.auditor(ConsumerId(consumers.len() as u32), queue);
                consumers.push(ConsumerSpec { name, own });
            }
        }
        consumers
    }

    fn auditor(&self, id: ConsumerId, queue: QueueId) -> ConsumerConfig {
        ConsumerConfig {
            id,
            queue,
            connection: ConnectionConfig {
                brokers: self.reachable(),
                ha: true,
                attempts: Some(0),
                retry: Span::from_secs(1),
                pause: Span::from_secs(1),
                call_timeout: Span::from_secs(30),
                ttl: Span::from_secs(60),
                check: Span::from_secs(30),
                window: 0,
                by_window: true,
            },
            acknowledge: Acknowledge::Individual,
            receive: false,
            window: Some(1 << 20),
            poison: None,
            processing: Distribution::Constant(0),
            hours: Hours::AUDITOR,
        }
    }
}
