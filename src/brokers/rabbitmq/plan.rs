//! From a checked scenario to a [`Spec`]: names become ids, policies meet their queues, and what
//! contradicts itself is told.

mod clients;
mod declarations;
mod policies;
mod quorum;

use std::sync::Arc;

use crate::brokers::kit::{Family, Frame, complete};
use crate::observe::NodeId;
use crate::scenario::{Diagnostics, Place, Scenario, Values, Version, suggest};

use super::arguments::{Arguments, Overflow};
use super::config::{Costs, Locator, Queue, QueueVersion};
use super::letters::{DeadLetterTo, Letters};
use super::message::{ExchangeId, Given, QueueId};
use super::policy::{Force, Policy, PolicyId};
use super::rules::Rule;
use super::settings::{PartitionHandling, Settings};
use super::spec::Spec;

/// How the queues of a mode are replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `rabbitmq-single`.
    Single,
    /// `rabbitmq-cluster`.
    Cluster,
    /// `rabbitmq-mirrored`.
    Mirrored,
    /// `rabbitmq-quorum`.
    Quorum,
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
pub(super) struct Planner<'a> {
    pub(super) scenario: &'a Scenario,
    mode: Mode,
    nodes: Vec<String>,
    queues: Vec<Queue>,
    exchanges: Vec<Exchange<'a>>,
    bindings: Vec<Binding<'a>>,
    /// Routing keys used with each exchange.
    keys: Vec<Vec<String>>,
    /// Policies that are ever in force, and which are at time zero.
    policies: Vec<Policy>,
    in_force: Vec<PolicyId>,
    /// Times to live of producers' messages; the first is never used.
    given: Vec<Given>,
    pub(super) wrong: Diagnostics,
}

/// Resolves a scenario that was checked with this family's sections.
///
/// # Errors
/// All that is wrong with it, each with its place and a remedy.
pub fn plan(scenario: &Scenario, mode: Mode) -> Result<Spec, Diagnostics> {
    let frame = Frame::new(scenario)?;
    let mut planner = Planner {
        scenario,
        mode,
        nodes: frame.names(),
        queues: Vec::new(),
        exchanges: Vec::new(),
        bindings: Vec::new(),
        keys: Vec::new(),
        policies: Vec::new(),
        in_force: Vec::new(),
        given: vec![Given::NOTHING],
        wrong: scenario.diagnostics(),
    };
    planner.check_mode();
    Settings::check(scenario, &mut planner.wrong);
    planner.read_queues();
    planner.read_policies();
    planner.read_exchanges();
    let letters = planner.read_dead_letters();
    let producers = planner.read_producers();
    let consumers = planner.read_consumers();
    planner.check_declared();
    let partition_handling = planner.read_partition_handling();
    let actions = planner.read_actions();
    let policies = planner.finish_policies();
    let force = Force::new(&policies, planner.in_force.clone(), planner.queues.len());
    let (boot_time, memory) = (frame.cluster.boot_time.clone(), frame.cluster.memory.clone());
    let mut spec = Spec {
        frame,
        brokers: planner.nodes.len() as u32,
        routes: planner.routes(),
        queues: std::mem::take(&mut planner.queues),
        producers,
        consumers,
        letters: Arc::new(letters),
        given: std::mem::take(&mut planner.given),
        settings: Settings::read(scenario, boot_time, memory, partition_handling),
        costs: Costs::read(scenario.one("costs")),
        actions: actions.into(),
        policies: Arc::new(policies),
        force,
    };
    complete(&mut spec, scenario, &mut planner.wrong);
    planner.wrong.into_result(spec)
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
            Mode::Cluster | Mode::Mirrored | Mode::Quorum if nodes < 2 => self.wrong.push(
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
        let khepri = self.scenario.one("rules").flag(Rule::Khepri.name());
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
            // "partition handling strategy unapplicable with Khepri" (rabbit_node_monitor.erl v4.2.9).
            _ if khepri => PartitionHandling::Ignore,
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
        let default_locator = self.scenario.one("broker").text("queue_master_locator");
        let sections = self.scenario.many("queue");
        if sections.is_empty() {
            let help = "add [[queue]] with name = \"orders\"";
            self.wrong.push(Place::START, "the scenario has no queue", help);
        }
        let default_version =
            self.scenario.one("broker").get_integer("classic_queue.default_version").unwrap_or(1);
        for values in sections {
            let home = match values.get_text("leader") {
                Some(name) => self.node(name, values.span("leader")),
                None => NodeId(0),
            };
            let (name, exclusive) = (values.text("name").to_owned(), values.flag("exclusive"));
            // An exclusive queue is never durable (rabbit_channel.erl v3.10: `handle_method`).
            let durable = values.flag("durable") && !exclusive;
            let declared = values.flag("declared") && !exclusive;
            let version = values.get_integer("x-queue-version").unwrap_or(default_version);
            if values.get_integer("x-queue-version") == Some(1) && !self.earlier("4.0") {
                self.wrong.push(
                    values.span("x-queue-version"),
                    "from 4.0 on there is no version 1 of classic queues any more",
                    "remove it, or write broker-version = \"3.13\"",
                );
            }
            let version = if version == 2 { QueueVersion::V2 } else { QueueVersion::V1 };
            let arguments = self.arguments(values);
            // The queue's own argument comes before the broker's configuration.
            let locator = values.get_text("x-queue-master-locator").unwrap_or(default_locator);
            let locator = Locator::named(locator);
            let (members, delivery_limit) = self.quorum(values, home);
            let locator = if members.is_empty() { locator } else { Locator::ClientLocal };
            self.queues.push(Queue {
                name,
                durable,
                exclusive,
                declared,
                home,
                locator,
                version,
                arguments,
                members,
                delivery_limit,
            });
        }
    }

    /// Whether the broker's version is an earlier one.
    pub(super) fn earlier(&self, than: &str) -> bool {
        let of_mode = Spec::MODES.iter().find(|(mode, _)| *mode == self.mode);
        let default = || of_mode.and_then(|(_, mode)| mode.version.parse::<Version>().ok());
        let version = self.scenario.settings().broker_version.or_else(default);
        version.is_some_and(|version| version.cmp_spec(than).is_lt())
    }

    /// What a queue's arguments come to, but for where dead letters go.
    fn arguments(&mut self, values: &Values) -> Arguments {
        let overflow = Overflow::named(values.choice("x-overflow"));
        let arguments = Arguments {
            max_length: values.get_integer("x-max-length"),
            max_length_bytes: values.get_size("x-max-length-bytes"),
            overflow,
            message_ttl: values.get_duration("x-message-ttl"),
            dead_letter_exchange: None,
            dead_letter_at_least_once: values.choice("x-dead-letter-strategy") == "at-least-once",
            single_active_consumer: values.flag("x-single-active-consumer"),
            auto_delete: values.flag("auto-delete"),
            delayed_retry: self.delayed_retry(values),
        };
        let needs_overflow = arguments.dead_letter_at_least_once;
        if values.is_set("x-overflow") && !arguments.limited() && !needs_overflow {
            self.wrong.push(
                values.span("x-overflow"),
                "without a limit the queue never has too many messages",
                "add x-max-length or x-max-length-bytes, or remove x-overflow",
            );
        }
        let (before_3_7, before_3_8) = (self.earlier("3.7"), self.earlier("3.8"));
        let mut too_early = |key: &str, what: &str, since: &str| {
            self.wrong.push(
                values.span(key),
                format!("{what} does not exist before version {since}"),
                format!("write broker-version = \"{since}\" or later, or remove it"),
            );
        };
        match overflow {
            Overflow::RejectPublish if before_3_7 => {
                too_early("x-overflow", "`reject-publish`", "3.7");
            }
            Overflow::RejectPublishDlx if before_3_8 => {
                too_early("x-overflow", "`reject-publish-dlx`", "3.8");
            }
            _ => {}
        }
        if arguments.single_active_consumer && before_3_8 {
            let what = "`x-single-active-consumer`";
            too_early("x-single-active-consumer", what, "3.8");
        }
        arguments
    }

    /// The exchanges to which queues dead-letter, and the ways that messages can go.
    fn read_dead_letters(&mut self) -> Letters {
        let mut from = Vec::new();
        for (index, values) in self.scenario.many("queue").iter().enumerate() {
            let key = values.get_text("x-dead-letter-routing-key");
            let Some(name) = values.get_text("x-dead-letter-exchange") else {
                if key.is_some() {
                    self.wrong.push(
                        values.span("x-dead-letter-routing-key"),
                        "the queue dead-letters nothing",
                        "add x-dead-letter-exchange, or remove the key",
                    );
                }
                continue;
            };
            let found = self.exchanges.iter().position(|exchange| exchange.name == name);
            if found.is_none() && !name.is_empty() {
                let names: Vec<&str> = self.exchanges.iter().map(|other| other.name).collect();
                let help = match names.is_empty() {
                    true => {
                        "write \"\" for the default exchange, or add the [[exchange]]".to_owned()
                    }
                    false => suggest(name, &names, "the exchanges"),
                };
                let message = format!("there is no exchange `{name}`");
                self.wrong.push(values.span("x-dead-letter-exchange"), message, help);
            }
            let exchange = ExchangeId(found.map_or(0, |index| index as u32 + 1));
            self.queues[index].arguments.dead_letter_exchange = Some(exchange);
            let queue = QueueId(index as u32);
            from.push(DeadLetterTo { queue, exchange, key: key.map(str::to_owned) });
        }
        let keys: Vec<String> = self
            .scenario
            .many("producer")
            .iter()
            .map(|values| {
                let to = values.text("to");
                let exchange = self.exchanges.iter().any(|exchange| exchange.name == to);
                if exchange { values.text("routing-key").to_owned() } else { to.to_owned() }
            })
            .collect();
        let letters = Letters::new(&from, &keys, |exchange, key| match exchange {
            ExchangeId::DEFAULT => {
                let found = self.queues.iter().position(|queue| Some(&*queue.name) == key);
                found.map(|index| QueueId(index as u32)).into_iter().collect()
            }
            ExchangeId(number) => self.behind(number as usize - 1, key),
        });
        letters.unwrap_or_else(|error| {
            let help = "let fewer queues dead-letter to each other";
            self.wrong.push(Place::START, error.to_string(), help);
            Letters::default()
        })
    }

    /// The queues bound to an exchange with that key; `None` equals no other.
    fn behind(&self, exchange: usize, key: Option<&str>) -> Vec<QueueId> {
        let mut queues: Vec<QueueId> = Vec::new();
        for binding in self.bindings.iter().filter(|binding| binding.exchange == exchange) {
            let matches = self.exchanges[exchange].fanout || Some(binding.key) == key;
            if matches && !queues.contains(&binding.queue) {
                queues.push(binding.queue);
            }
        }
        queues
    }

    /// The place of a message's time to live and priority among all.
    fn given(&mut self, values: &Values) -> u8 {
        let expiration = values.get_duration("expiration");
        let priority = values.get_integer("priority").map_or(Given::NO_PRIORITY, |of| of as u8);
        let given = Given { expiration, priority };
        let known = self.given.iter().position(|other| *other == given);
        let at = known.unwrap_or(self.given.len());
        if at == self.given.len() {
            self.given.push(given);
        }
        u8::try_from(at).unwrap_or_else(|_| {
            let key = if expiration.is_some() { "expiration" } else { "priority" };
            let message = "more than 255 different times to live and priorities";
            self.wrong.push(values.span(key), message, "use fewer different ones");
            0
        })
    }

    pub(super) fn node(&mut self, name: &str, place: Place) -> NodeId {
        let known = self.nodes.iter().map(String::as_str);
        NodeId(self.wrong.find((name, place), known, "node").unwrap_or(0) as u32)
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

    /// Whether there is a quorum queue.
    pub(super) fn has_quorum_queue(&self) -> bool {
        self.queues.iter().any(Queue::is_quorum)
    }

    /// Whether a queue is a quorum queue.
    pub(super) fn is_quorum(&self, queue: QueueId) -> bool {
        self.queues[queue.0 as usize].is_quorum()
    }

    pub(super) fn queue(&mut self, name: &str, place: Place) -> Option<QueueId> {
        let known = self.queues.iter().map(|queue| queue.name.as_str());
        let found = self.wrong.find((name, place), known, "queue");
        found.map(|index| QueueId(index as u32))
    }

    /// The queues behind each exchange and routing key that a producer uses.
    fn routes(&self) -> Vec<Vec<Vec<QueueId>>> {
        let keys = self.keys.iter().enumerate();
        keys.map(|(exchange, keys)| {
            keys.iter().map(|key| self.behind(exchange, Some(key))).collect()
        })
        .collect()
    }
}
