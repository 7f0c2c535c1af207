//! From a checked scenario to a [`Spec`]: names become ids, policies meet their queues, and what
//! contradicts itself is told.

use regex_lite::Regex;

use crate::engine::{Limits, Span};
use crate::observe::{NodeId, NodeKind};
use crate::scenario::{Diagnostics, Located, Place, Scenario, Values, suggest};
use crate::workload::{ConsumerLoad, Load, Volume, check_volume};
use crate::world::fault::{self, Vocabulary};
use crate::world::{ClusterPlan, Topology};

use super::client::{CONSUMER_STEPS, LinkConfig, PRODUCER_STEPS};
use super::config::{Costs, Mirroring, Queue};
use super::message::{ExchangeId, Properties, QueueId, RoutingKey};
use super::settings::{PartitionHandling, Settings};
use super::spec::{ConsumerSpec, ProducerSpec, Spec};
use super::words::SELECTORS;

/// How the queues of a mode are replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `rabbitmq-single`.
    Single,
    /// `rabbitmq-cluster`.
    Cluster,
    /// `rabbitmq-mirrored`.
    Mirrored,
}

/// An exchange of the scenario.
struct Exchange<'a> {
    name: &'a str,
    fanout: bool,
}

/// A binding of the scenario: exchange, queue, routing key.
struct Binding<'a> {
    exchange: usize,
    queue: QueueId,
    key: &'a str,
}

/// Everything that is being resolved.
struct Planner<'a> {
    scenario: &'a Scenario,
    mode: Mode,
    nodes: Vec<String>,
    queues: Vec<Queue>,
    exchanges: Vec<Exchange<'a>>,
    bindings: Vec<Binding<'a>>,
    /// Routing keys used with each exchange.
    keys: Vec<Vec<String>>,
    wrong: Diagnostics,
}

/// Resolves a scenario that was checked with this family's sections.
///
/// # Errors
/// All that is wrong with it, each with its place and a remedy.
pub fn plan(scenario: &Scenario, mode: Mode) -> Result<Spec, Diagnostics> {
    let mut cluster = ClusterPlan::new(scenario)?;
    let mut planner = Planner {
        scenario,
        mode,
        nodes: cluster.topology.hosts.iter().map(|host| host.name.clone()).collect(),
        queues: Vec::new(),
        exchanges: Vec::new(),
        bindings: Vec::new(),
        keys: Vec::new(),
        wrong: scenario.diagnostics(),
    };
    planner.check_mode();
    planner.read_queues();
    planner.read_policies();
    planner.read_exchanges();
    let producers = planner.read_producers();
    let consumers = planner.read_consumers();
    planner.check_names(&producers, &consumers);
    let partition_handling = planner.read_partition_handling();
    let run = scenario.settings();
    let mut spec = Spec {
        brokers: planner.nodes.len() as u32,
        topology: cluster.topology.clone(),
        routes: planner.routes(),
        queues: std::mem::take(&mut planner.queues),
        producers,
        consumers,
        faults: Vec::new(),
        settings: Settings::read(scenario, cluster.boot_time.clone(), partition_handling),
        costs: Costs::read(scenario.one("costs")),
        duration: run.duration,
        drain: run.drain,
        limits: run
            .max_events
            .map_or(Limits::default(), |max_events| Limits { max_events, ..Limits::default() }),
    };
    if planner.wrong.is_empty() {
        let volumes: Vec<Volume<'_>> = scenario
            .many("producer")
            .iter()
            .zip(&spec.producers)
            .map(|(values, producer)| spec.volume(values, producer))
            .collect();
        planner.wrong.keep(check_volume(&volumes, spec.duration));
    }
    if planner.wrong.is_empty() {
        for (name, kind) in spec.clients() {
            cluster.add_client(&name, kind);
        }
        spec.topology = cluster.topology;
    }
    let faults = faults(scenario, &spec.topology, &spec.queues);
    spec.faults = planner.wrong.keep(faults).unwrap_or_default();
    planner.wrong.into_result(spec)
}

fn faults(
    scenario: &Scenario,
    topology: &Topology,
    queues: &[Queue],
) -> Result<Vec<crate::world::PlannedFault>, Diagnostics> {
    let destinations: Vec<String> = queues.iter().map(|queue| queue.name.clone()).collect();
    let words = Vocabulary { topology, destinations: &destinations, roles: SELECTORS };
    fault::parse_all(scenario.many("fault"), &words)
}

impl<'a> Planner<'a> {
    fn check_mode(&mut self) {
        let (nodes, cluster) = (self.nodes.len(), self.scenario.one("cluster"));
        let place = if cluster.has("nodes") { cluster.span("nodes") } else { cluster.place() };
        match self.mode {
            Mode::Single if nodes != 1 => self.wrong.push(
                place,
                format!("`rabbitmq-single` is one node, and this cluster has {nodes}"),
                "write nodes = 1 in [cluster], or mode = \"rabbitmq-cluster\"",
            ),
            Mode::Cluster | Mode::Mirrored if nodes < 2 => self.wrong.push(
                place,
                "a cluster needs at least two nodes",
                "write nodes = 3 in [cluster], or mode = \"rabbitmq-single\"",
            ),
            _ => {}
        }
    }

    fn read_partition_handling(&mut self) -> PartitionHandling {
        const NODES: &str = "cluster_partition_handling.pause_if_all_down.nodes";
        const RECOVER: &str = "cluster_partition_handling.pause_if_all_down.recover";
        let broker = self.scenario.one("broker");
        let handling = broker.choice("cluster_partition_handling");
        if handling != "pause_if_all_down" {
            for key in [NODES, RECOVER] {
                if broker.is_set(key) {
                    self.wrong.push(
                        broker.span(key),
                        format!(
                            "it belongs to `pause_if_all_down`, and the cluster has `{handling}`"
                        ),
                        "remove it, or write cluster_partition_handling = \"pause_if_all_down\"",
                    );
                }
            }
        }
        match handling {
            "pause_minority" => PartitionHandling::PauseMinority,
            "autoheal" => PartitionHandling::Autoheal,
            "pause_if_all_down" => {
                let place = broker.span("cluster_partition_handling");
                let names = broker.names(NODES);
                if names.is_empty() {
                    self.wrong.push(
                        place,
                        "without a list of nodes nobody would ever pause",
                        format!("add \"{NODES}\" = [\"n1\"]"),
                    );
                }
                let nodes = names.iter().map(|name| self.node(&name.value, name.place)).collect();
                let autoheal = broker.get_text(RECOVER) == Some("autoheal");
                PartitionHandling::PauseIfAllDown { nodes, autoheal }
            }
            _ => PartitionHandling::Ignore,
        }
    }

    fn read_queues(&mut self) {
        let sections = self.scenario.many("queue");
        if sections.is_empty() {
            let help = "add [[queue]] with name = \"orders\"";
            self.wrong.push(Place::START, "the scenario has no queue", help);
        }
        for values in sections {
            let home = match values.get_text("leader") {
                Some(name) => self.node(name, values.span("leader")),
                None => NodeId(0),
            };
            let (name, durable) = (values.text("name").to_owned(), values.flag("durable"));
            self.queues.push(Queue { name, durable, home, mirroring: None });
        }
    }

    fn node(&mut self, name: &str, place: Place) -> NodeId {
        if let Some(index) = self.nodes.iter().position(|node| node == name) {
            return NodeId(index as u32);
        }
        let names: Vec<&str> = self.nodes.iter().map(String::as_str).collect();
        let help = suggest(name, &names, "the nodes");
        self.wrong.push(place, format!("there is no node `{name}`"), help);
        NodeId(0)
    }

    /// Each queue takes the matching policy of the greatest priority, the first of equals.
    fn read_policies(&mut self) {
        let sections = self.scenario.many("policy");
        if self.mode != Mode::Mirrored {
            if let Some(policy) = sections.first() {
                self.wrong.push(
                    policy.place(),
                    "queues are mirrored in the mode `rabbitmq-mirrored` only",
                    "remove the policy, or write mode = \"rabbitmq-mirrored\"",
                );
            }
            return;
        }
        let mut policies = Vec::new();
        for values in sections {
            match Regex::new(values.text("pattern")) {
                Ok(pattern) => policies.push((pattern, values.signed("priority"), values)),
                Err(error) => self.wrong.push(
                    values.span("pattern"),
                    format!("this is no regular expression: {error}"),
                    "write the queue's name, or a pattern such as \"^orders\"",
                ),
            }
        }
        policies.sort_by_key(|(_, priority, _)| std::cmp::Reverse(*priority));
        for queue in &mut self.queues {
            let policy = policies.iter().find(|(pattern, ..)| pattern.is_match(&queue.name));
            queue.mirroring = policy.map(|(_, _, values)| Mirroring {
                automatic_sync: values.choice("ha-sync-mode") == "automatic",
                sync_batch_size: values.integer("ha-sync-batch-size") as u32,
                promote_on_shutdown_always: values.choice("ha-promote-on-shutdown") == "always",
                promote_on_failure_always: values.choice("ha-promote-on-failure") == "always",
            });
        }
        let mirrored = self.queues.iter().any(|queue| queue.mirroring.is_some());
        if !mirrored && !self.queues.is_empty() && self.wrong.is_empty() {
            let place = sections.first().map_or(Place::START, |policy| policy.span("pattern"));
            self.wrong.push(
                place,
                "no policy matches any queue, so nothing is mirrored",
                "add [[policy]] with the queue's name as pattern and ha-mode = \"all\", or write \
                 mode = \"rabbitmq-cluster\"",
            );
        }
    }

    fn read_exchanges(&mut self) {
        for values in self.scenario.many("exchange") {
            let fanout = values.choice("type") == "fanout";
            let name = values.text("name");
            if self.queues.iter().any(|queue| queue.name == name) {
                self.wrong.push(
                    values.span("name"),
                    format!("`{name}` is a queue as well, so `to = \"{name}\"` could mean either"),
                    "give the exchange another name",
                );
            }
            self.exchanges.push(Exchange { name, fanout });
            self.keys.push(Vec::new());
        }
        for values in self.scenario.many("binding") {
            let exchange = values.text("exchange");
            let found = self.exchanges.iter().position(|other| other.name == exchange);
            if found.is_none() {
                let names: Vec<&str> = self.exchanges.iter().map(|other| other.name).collect();
                let help = match names.is_empty() {
                    true => format!("add [[exchange]] with name = \"{exchange}\""),
                    false => suggest(exchange, &names, "the exchanges"),
                };
                let message = format!("there is no exchange `{exchange}`");
                self.wrong.push(values.span("exchange"), message, help);
            }
            let queue = self.queue(values.text("queue"), values.span("queue"));
            if let (Some(exchange), Some(queue)) = (found, queue) {
                self.bindings.push(Binding { exchange, queue, key: values.text("routing-key") });
            }
        }
    }

    fn queue(&mut self, name: &str, place: Place) -> Option<QueueId> {
        let found = self.queues.iter().position(|queue| queue.name == name);
        if found.is_none() {
            let names: Vec<&str> = self.queues.iter().map(|queue| queue.name.as_str()).collect();
            let help = suggest(name, &names, "the queues");
            self.wrong.push(place, format!("there is no queue `{name}`"), help);
        }
        found.map(|index| QueueId(index as u32))
    }

    fn read_producers(&mut self) -> Vec<ProducerSpec> {
        let mut producers = Vec::new();
        for values in self.scenario.many("producer") {
            let Some(load) = self.wrong.keep(Load::from_values(values)) else { continue };
            let link = self.link(values, &load.connect, PRODUCER_STEPS);
            let (exchange, key) = self.address(values, &load.to);
            let confirms = values.table("confirms");
            let confirm = confirms.is_some() || values.get_flag("confirms") == Some(true);
            let republish = values.flag("republish");
            if republish && !confirm {
                self.wrong.push(
                    values.span("republish"),
                    "without publisher confirms nothing tells what to publish again",
                    "add confirms = { window = 100 }, or remove republish",
                );
            }
            producers.push(ProducerSpec {
                load,
                link,
                exchange,
                key,
                properties: Properties {
                    persistent: values.flag("persistent"),
                    mandatory: values.flag("mandatory"),
                    confirm,
                },
                window: confirms
                    .and_then(|table| table.get_integer("window"))
                    .map(|window| window as u32),
                republish,
                republish_delay: values.duration("republish-delay"),
                send_timeout: values.get_duration("send-timeout"),
            });
        }
        producers
    }

    /// What `to` and `routing-key` come to.
    fn address(&mut self, values: &Values, to: &Located<String>) -> (ExchangeId, RoutingKey) {
        let exchange = self.exchanges.iter().position(|exchange| exchange.name == to.value);
        let Some(exchange) = exchange else {
            let queue = self.queues.iter().position(|queue| queue.name == to.value);
            if queue.is_none() {
                let queues = self.queues.iter().map(|queue| queue.name.as_str());
                let names = queues.chain(self.exchanges.iter().map(|exchange| exchange.name));
                let names: Vec<&str> = names.collect();
                let help = suggest(&to.value, &names, "the queues and exchanges");
                let message = format!("there is no queue or exchange `{}`", to.value);
                self.wrong.push(to.place, message, help);
            }
            if values.is_set("routing-key") {
                self.wrong.push(
                    values.span("routing-key"),
                    "a producer that sends to a queue uses the queue's name as its routing key",
                    "remove it, or send to an exchange",
                );
            }
            return (ExchangeId::DEFAULT, RoutingKey(queue.unwrap_or(0) as u32));
        };
        let key = values.text("routing-key");
        let keys = &mut self.keys[exchange];
        let index = keys.iter().position(|known| known == key).unwrap_or_else(|| {
            keys.push(key.to_owned());
            keys.len() - 1
        });
        (ExchangeId(exchange as u32 + 1), RoutingKey(index as u32))
    }

    fn read_consumers(&mut self) -> Vec<ConsumerSpec> {
        let mut consumers = Vec::new();
        for values in self.scenario.many("consumer") {
            let load = ConsumerLoad::from_values(values);
            let link = self.link(values, &load.connect, CONSUMER_STEPS);
            let queue = self.queue(&load.from.value, load.from.place);
            if load.stop.is_some_and(|stop| stop <= load.start) {
                let help = "make `stop` later than `start`";
                let message = "the consumer would stop before it starts";
                self.wrong.push(values.span("stop"), message, help);
            }
            let no_ack = values.choice("ack") == "automatic";
            if no_ack && values.is_set("prefetch") {
                self.wrong.push(
                    values.span("prefetch"),
                    "prefetch limits unacknowledged messages, and this consumer has none",
                    "remove it, or write ack = \"manual\"",
                );
            }
            consumers.push(ConsumerSpec {
                name: load.name,
                link,
                queue: queue.unwrap_or(QueueId(0)),
                no_ack,
                prefetch: values.integer("prefetch") as u32,
                processing: load.processing,
                resubscribe_delay: values.duration("resubscribe-delay"),
                start: load.start,
                stop: load.stop,
            });
        }
        consumers
    }

    fn link(&mut self, values: &Values, connect: &[Located<String>], steps: u8) -> LinkConfig {
        let all = (0..self.nodes.len() as u32).map(NodeId).collect();
        let nodes: Vec<NodeId> =
            connect.iter().map(|name| self.node(&name.value, name.place)).collect();
        LinkConfig {
            nodes: if nodes.is_empty() { all } else { nodes },
            reconnect_delay: values.duration("reconnect-delay").max(Span::from_micros(1)),
            heartbeat: values.duration("heartbeat"),
            steps,
            connect_timeout: values.duration("connection-timeout"),
        }
    }

    /// Hosts are told apart by their names, so nodes and clients must not share one.
    fn check_names(&mut self, producers: &[ProducerSpec], consumers: &[ConsumerSpec]) {
        let mut taken = self.nodes.clone();
        taken.extend(self.queues.iter().map(|queue| Spec::auditor_name(&queue.name)));
        let named = producers.iter().map(|p| &p.load.name).chain(consumers.iter().map(|c| &c.name));
        let sections = self.scenario.many("producer").iter().chain(self.scenario.many("consumer"));
        for name in named {
            if taken.contains(name) {
                let twin = sections.clone().rfind(|values| values.text("name") == name);
                let place = twin.map_or(Place::START, |values| values.span("name"));
                let message = format!("the name `{name}` is taken already");
                self.wrong.push(
                    place,
                    message,
                    "nodes, producers and consumers need different names; what begins with \
                     auditor. may be one of mqsim's own",
                );
            }
            taken.push(name.clone());
        }
    }

    /// The queues behind each exchange and routing key that a producer uses.
    fn routes(&self) -> Vec<Vec<Vec<QueueId>>> {
        let behind = |exchange: usize, key: &str| {
            let mut queues: Vec<QueueId> = Vec::new();
            for binding in self.bindings.iter().filter(|binding| binding.exchange == exchange) {
                let matches = self.exchanges[exchange].fanout || binding.key == key;
                if matches && !queues.contains(&binding.queue) {
                    queues.push(binding.queue);
                }
            }
            queues
        };
        let keys = self.keys.iter().enumerate();
        keys.map(|(exchange, keys)| keys.iter().map(|key| behind(exchange, key)).collect())
            .collect()
    }
}

impl Spec {
    /// What a producer may come to, with the copies that mirrors have.
    fn volume<'a>(&'a self, values: &'a Values, producer: &'a ProducerSpec) -> Volume<'a> {
        let direct = [QueueId(producer.key.0)];
        let queues: &[QueueId] = match producer.exchange {
            ExchangeId::DEFAULT => &direct,
            ExchangeId(exchange) => &self.routes[exchange as usize - 1][producer.key.0 as usize],
        };
        let copies = |queue: &QueueId| match self.queues[queue.0 as usize].mirroring {
            Some(_) => u64::from(self.brokers),
            None => 1,
        };
        Volume {
            values,
            load: &producer.load,
            lines: queues.len() as u64,
            copies: queues.iter().map(copies).sum(),
        }
    }

    /// The clients' hosts in order: producers, consumers, auditors.
    fn clients(&self) -> Vec<(String, NodeKind)> {
        let producers = self.producers.iter().map(|p| (p.load.name.clone(), NodeKind::Producer));
        let consumers = self.consumers.iter().map(|c| (c.name.clone(), NodeKind::Consumer));
        let auditors = self.unread_queues().into_iter().map(|queue| {
            (Spec::auditor_name(&self.queues[queue.0 as usize].name), NodeKind::Auditor)
        });
        producers.chain(consumers).chain(auditors).collect()
    }
}
