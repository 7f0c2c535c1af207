//! From a checked scenario to a [`Spec`]: names become ids, and what contradicts itself is told.

use std::sync::Arc;

use crate::brokers::kit::application::Hours;
use crate::brokers::kit::{Frame, complete};
use crate::engine::{Distribution, Span};
use crate::observe::{ConsumerId, DestinationId, NodeId, ProducerId};
use crate::scenario::{Diagnostics, Located, Place, Scenario, Values};
use crate::workload::{ConsumerLoad, Load};

use super::client::consumer::{Acknowledge, ConsumerConfig};
use super::client::producer::{Mode, ProducerConfig};
use super::client::transport::TransportConfig;
use super::config::{Config, DLQ, Settings, SyncStrategy};
use super::costs::Costs;
use super::message::QueueId;
use super::rules::{Rule, Rules};
use super::spec::{ConsumerSpec, Kind, ProducerSpec, Spec};

struct Planner<'a> {
    scenario: &'a Scenario,
    brokers: Vec<String>,
    queues: Vec<String>,
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
    let mut planner = Planner { scenario, brokers, queues: Vec::new(), rules, wrong };
    planner.check_mode(mode);
    planner.read_queues()?;
    let producers = planner.read_producers();
    let consumers = planner.read_consumers();
    let broker = scenario.one("broker");
    let strategy = match broker.choice("journalDiskSyncStrategy") {
        "periodic" => SyncStrategy::Periodic,
        "never" => SyncStrategy::Never,
        _ => SyncStrategy::Always,
    };
    let vm_cursor = broker.choice("pendingQueuePolicy") == "vmQueueCursor";
    let boot_time = frame.cluster.boot_time.clone();
    let count = planner.brokers.len() as u32;
    let storage = (mode == Kind::SharedStorage).then_some(NodeId(count));
    let first = count + u32::from(storage.is_some());
    let lease = scenario.one("storage").duration("lease");
    let config = Config {
        brokers: count,
        storage,
        producers: (first..first + producers.len() as u32).map(NodeId).collect(),
        queues: std::mem::take(&mut planner.queues),
        settings: Settings::of(broker, rules, strategy, vm_cursor, lease, boot_time),
        costs: Costs::read(scenario.one("costs")),
    };
    let mut spec = Spec { frame, config: Arc::new(config), producers, consumers };
    complete(&mut spec, scenario, &mut planner.wrong);
    planner.wrong.into_result(spec)
}

impl<'a> Planner<'a> {
    fn check_mode(&mut self, mode: Kind) {
        let broker = self.scenario.one("broker");
        if mode == Kind::SharedStorage {
            if broker.choice("journalDiskSyncStrategy") == "periodic" {
                let place = broker.span("journalDiskSyncStrategy");
                let message = "activemq-shared-storage does not simulate periodic fsyncs";
                self.wrong.push(place, message, "write \"always\" or \"never\"");
            }
            return;
        }
        self.refuse(
            broker,
            &["lockAcquireSleepInterval", "lockKeepAlivePeriod"],
            "activemq-single",
        );
        let storage = self.scenario.one("storage");
        self.refuse(storage, &["lease", "zone"], "activemq-single");
        if self.brokers.len() > 1 {
            let cluster = self.scenario.one("cluster");
            let place =
                if cluster.is_set("nodes") { cluster.span("nodes") } else { cluster.place() };
            let message = format!("activemq-single has one broker, not {}", self.brokers.len());
            self.wrong.push(place, message, "write `nodes = 1`");
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
            self.queues.push(name.to_owned());
        }
        if self.queues.is_empty() {
            let help = "add [[queue]] with name = \"orders\"";
            self.wrong.push(Place::START, "the scenario has no queue", help);
            return Err(std::mem::take(&mut self.wrong));
        }
        self.queues.push(DLQ.to_owned());
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

    fn transport(&mut self, values: &Values, connect: &[Located<String>]) -> TransportConfig {
        let named: Vec<NodeId> = connect.iter().map(|name| self.broker(name)).collect();
        let all = (0..self.brokers.len() as u32).map(NodeId);
        let plain = values.choice("transport") == "tcp";
        let others: &[&str] = if plain {
            &["initialReconnectDelay", "maxReconnectDelay", "useExponentialBackOff", "randomize"]
        } else {
            &["reconnect-delay"]
        };
        let transport = values.choice("transport");
        self.refuse(values, others, &format!("transport = \"{transport}\""));
        TransportConfig {
            brokers: if named.is_empty() { all.collect() } else { named },
            plain: plain.then(|| values.duration("reconnect-delay")),
            initial_delay: values.duration("initialReconnectDelay"),
            max_delay: values.duration("maxReconnectDelay"),
            exponential: values.flag("useExponentialBackOff"),
            randomize: values.flag("randomize"),
            inactivity: values.duration("maxInactivityDuration"),
            lenient: self.rules.has(Rule::LenientReadCheck),
        }
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
            let transport = self.transport(values, &load.connect);
            let persistent = values.choice("delivery-mode") == "persistent";
            let mode = self.mode(values, persistent);
            let track = values.flag("trackMessages").then(|| values.size("maxCacheSize"));
            if track.is_none() {
                self.refuse(values, &["maxCacheSize"], "trackMessages = false");
            }
            let resend = values.flag("resend");
            let id = ProducerId(producers.len() as u32);
            let own = ProducerConfig { id, queue, transport, mode, persistent, track, resend };
            producers.push(ProducerSpec { load, own });
        }
        producers
    }

    /// Whether a send waits (`ActiveMQSession.send`).
    fn mode(&mut self, values: &Values, persistent: bool) -> Mode {
        let ways = ["completion-listeners", "transacted"];
        if ways.iter().all(|way| values.is_set(way)) {
            self.refuse(values, &["completion-listeners"], "`transacted`");
        }
        if let Some(most) = values.get_integer("transacted") {
            self.refuse(values, &["useAsyncSend", "alwaysSyncSend"], "`transacted`");
            return Mode::Transacted(most as u32);
        }
        if let Some(most) = values.get_integer("completion-listeners") {
            self.refuse(values, &["useAsyncSend", "alwaysSyncSend"], "`completion-listeners`");
            return Mode::Callback(most as u32);
        }
        match (values.flag("alwaysSyncSend"), persistent && !values.flag("useAsyncSend")) {
            (true, _) | (false, true) => Mode::Sync,
            (false, false) => Mode::Async,
        }
    }

    fn acknowledge(&mut self, values: &Values) -> Acknowledge {
        let every = values.integer("acknowledge-every") as u32;
        let name = values.choice("acknowledge");
        let optimized = values.flag("optimizeAcknowledge");
        let mode = match name {
            "CLIENT" => Acknowledge::Client(every),
            "INDIVIDUAL" => Acknowledge::Individual,
            "SESSION_TRANSACTED" => Acknowledge::Transacted(every),
            _ if optimized => Acknowledge::Optimized(values.duration("optimizeAcknowledgeTimeOut")),
            _ => Acknowledge::Auto,
        };
        let with = format!("acknowledge = \"{name}\"");
        match mode {
            Acknowledge::Client(_) | Acknowledge::Transacted(_) => {
                self.refuse(values, &["optimizeAcknowledge", "optimizeAcknowledgeTimeOut"], &with);
            }
            Acknowledge::Individual => {
                let others =
                    ["optimizeAcknowledge", "optimizeAcknowledgeTimeOut", "acknowledge-every"];
                self.refuse(values, &others, &with);
            }
            Acknowledge::Auto => {
                self.refuse(values, &["optimizeAcknowledgeTimeOut", "acknowledge-every"], &with);
            }
            Acknowledge::Optimized(_) => self.refuse(values, &["acknowledge-every"], &with),
        }
        mode
    }

    /// The consumers, and an auditor for each queue that nobody reads.
    fn read_consumers(&mut self) -> Vec<ConsumerSpec> {
        let mut consumers: Vec<ConsumerSpec> = Vec::new();
        for values in self.scenario.many("consumer") {
            let load = ConsumerLoad::from_values(values, &mut self.wrong);
            let own = ConsumerConfig {
                id: ConsumerId(consumers.len() as u32),
                queue: self.queue(&load.from.value, load.from.place),
                transport: self.transport(values, &load.connect),
                acknowledge: self.acknowledge(values),
                receive: values.flag("receive"),
                prefetch: values.integer("prefetch") as u32,
                audited: values.flag("checkForDuplicates"),
                max_redeliveries: values.integer("maximumRedeliveries") as u32,
                redelivery_delay: values.duration("redeliveryDelay"),
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
            transport: TransportConfig {
                brokers: (0..self.brokers.len() as u32).map(NodeId).collect(),
                plain: None,
                initial_delay: Span::from_millis(10),
                max_delay: Span::from_secs(1),
                exponential: true,
                randomize: false,
                inactivity: Span::from_secs(30),
                lenient: true,
            },
            acknowledge: Acknowledge::Individual,
            receive: false,
            prefetch: 1_000,
            audited: true,
            max_redeliveries: 6,
            redelivery_delay: Span::from_secs(1),
            poison: None,
            processing: Distribution::Constant(0),
            hours: Hours::AUDITOR,
        }
    }
}
