//! From a checked scenario to a [`Spec`]: names become ids, and what contradicts itself is told.

use std::sync::Arc;

use crate::brokers::coordination::zookeeper;
use crate::brokers::kit::{Frame, complete};
use crate::observe::NodeId;
use crate::scenario::{Diagnostics, Located, Place, Scenario, Value, Values};
use crate::workload::{ConsumerLoad, Load};

use super::super::{PartitionId, Streams, TopicPlan};
use super::config::{Config, Settings, Topic};
use super::consumer::GroupConfig;
use super::costs::Costs;
use super::message::MESSAGE_HEADER;
use super::producer::{ChannelConfig, Keys, QueueConfig};
use super::rules::Rules;
use super::spec::{ConsumerSpec, ProducerSpec, SIMPLE, Spec};
use super::words::event;

/// Keys of an asynchronous producer.
const ASYNC_KEYS: [&str; 5] =
    ["queue.time", "queue.size", "batch.size", "queue.enqueueTimeout.ms", "num.retries"];
/// Keys of a member of a group.
const GROUP_KEYS: [&str; 5] = [
    "autocommit.enable",
    "autocommit.interval.ms",
    "rebalance.retries.max",
    "rebalance.backoff.ms",
    "zk.sessiontimeout.ms",
];

struct Planner<'a> {
    scenario: &'a Scenario,
    nodes: Vec<String>,
    topics: Vec<Topic>,
    wrong: Diagnostics,
}

/// Resolves a scenario that was checked with this family's sections.
///
/// # Errors
/// All that is wrong with it, each with its place and a remedy.
pub fn plan(scenario: &Scenario) -> Result<Spec, Diagnostics> {
    let mut frame = Frame::new(scenario)?;
    let cores = frame.topology().hosts[0].cpu.cores;
    let mut planner = Planner {
        scenario,
        nodes: frame.names(),
        topics: Vec::new(),
        wrong: scenario.diagnostics(),
    };
    let settings = planner.settings(frame.cluster.boot_time.clone(), cores);
    if scenario.many("topic").is_empty() {
        let help = "add [[topic]] with name = \"orders\"";
        planner.wrong.push(Place::START, "the scenario has no topic", help);
        return Err(planner.wrong);
    }
    planner.check_registration(&settings);
    planner.read_topics();
    let loads = planner.read_loads();
    let streams = planner.streams(&loads);
    let brokers = planner.nodes.len() as u32;
    let ensemble = zookeeper::Settings::read(scenario);
    let servers = (0..ensemble.servers).map(|server| NodeId(brokers + server));
    let servers: Vec<NodeId> =
        if planner.uses_zookeeper(&settings) { servers.collect() } else { Vec::new() };
    let config = Config {
        brokers,
        zookeeper: servers.clone().into(),
        topics: planner.topics.clone(),
        streams,
        settings,
        costs: Costs::read(scenario.one("costs")),
    };
    let producers = planner.read_producers(loads);
    let consumers = planner.read_consumers(&config);
    let buffer = scenario.one("broker").size("socket.receive.buffer");
    if !scenario.one("cluster.network").is_set("socket-buffer") {
        frame.cluster.topology.socket_buffer = buffer;
    }
    let mut spec = Spec {
        frame,
        config: Arc::new(config),
        ensemble: Arc::new(zookeeper::Config {
            settings: ensemble,
            servers,
            clock: zookeeper::SESSIONS,
            costs: zookeeper::Costs::default(),
            words: zookeeper::Words {
                looking: Some(event::ZK_LOOKING),
                following: Some(event::ZK_FOLLOWING),
                leading: Some(event::ZK_LEADING),
                expired: Some(event::ZK_EXPIRED),
                ..zookeeper::Words::default()
            },
        }),
        producers,
        consumers,
    };
    planner.check_fetches(&spec);
    complete(&mut spec, scenario, &mut planner.wrong);
    planner.wrong.into_result(spec)
}

impl<'a> Planner<'a> {
    fn settings(&mut self, boot_time: crate::engine::Distribution, cores: u32) -> Settings {
        let broker = self.scenario.one("broker");
        let session_timeout = broker.duration("zk.sessiontimeout.ms");
        let threads = broker.get_integer("num.threads").map_or(cores, |count| count as u32);
        let connecting = broker.get_duration("zk.connectiontimeout.ms").unwrap_or(session_timeout);
        let rules = Rules::read(self.scenario.one("rules"));
        Settings::of(broker, rules, threads, connecting, boot_time)
    }

    fn read_topics(&mut self) {
        let broker = self.scenario.one("broker");
        let scheduler = broker.duration("log.default.flush.scheduler.interval.ms");
        let flush = broker.get_duration("log.default.flush.interval.ms").unwrap_or(scheduler);
        let sections = self.scenario.many("topic");
        for values in sections {
            let partitions = values.get_integer("num.partitions");
            let name = values.text("name").to_owned();
            let mut groups: Vec<String> = Vec::new();
            for consumer in self.scenario.many("consumer") {
                let group = consumer.get_text("groupid").unwrap_or(SIMPLE).to_owned();
                if consumer.text("from") == name && !groups.contains(&group) {
                    groups.push(group);
                }
            }
            self.topics.push(Topic {
                partitions: partitions.unwrap_or(broker.integer("num.partitions")) as u32,
                flush_interval: values.get_duration("flush.interval.ms").unwrap_or(flush),
                retention: values
                    .get_duration("retention.hours")
                    .unwrap_or(broker.duration("log.retention.hours")),
                groups,
                name,
            });
        }
    }

    fn topic(&mut self, name: &str, place: Place) -> Option<u32> {
        let known = self.topics.iter().map(|topic| topic.name.as_str());
        let found = self.wrong.find((name, place), known, "topic");
        found.map(|index| index as u32)
    }

    fn node(&mut self, name: &Located<String>) -> u32 {
        let known = self.nodes.iter().map(String::as_str);
        self.wrong.find((&name.value, name.place), known, "node").unwrap_or(0) as u32
    }

    /// The loads of the producers, each with its topic.
    fn read_loads(&mut self) -> Vec<(&'a Values, Load, u32)> {
        let mut loads = Vec::new();
        for values in self.scenario.many("producer") {
            let Some(load) = self.wrong.keep(Load::from_values(values)) else { continue };
            let topic = self.topic(&load.to.value, load.to.place);
            loads.push((values, load, topic.unwrap_or(0)));
        }
        loads
    }

    fn streams(&self, loads: &[(&Values, Load, u32)]) -> Streams {
        let brokers = 1..=self.nodes.len();
        let plan = |topic: &Topic| TopicPlan {
            name: topic.name.clone(),
            partitions: brokers
                .clone()
                .flat_map(|id| (0..topic.partitions).map(move |part| format!("{id}-{part}")))
                .collect(),
            groups: topic.groups.clone(),
        };
        let topics: Vec<TopicPlan> = self.topics.iter().map(plan).collect();
        let writers: Vec<u32> = loads.iter().map(|(_, _, topic)| *topic).collect();
        Streams::new(&topics, &writers)
    }

    fn uses_zookeeper(&self, settings: &Settings) -> bool {
        let producers = self.scenario.many("producer").iter();
        let consumers = self.scenario.many("consumer").iter();
        settings.zookeeper
            || producers.into_iter().any(|values| !values.has("broker.list"))
            || consumers.into_iter().any(|values| values.has("groupid"))
    }

    /// Without registered brokers nobody finds any.
    fn check_registration(&mut self, settings: &Settings) {
        let producers = self.scenario.many("producer").iter();
        let producer = producers.into_iter().find(|values| !values.has("broker.list"));
        let consumers = self.scenario.many("consumer").iter();
        let member = consumers.into_iter().find(|values| values.has("groupid"));
        let who = match (producer, member) {
            (Some(producer), _) => format!("the producer `{}`", producer.text("name")),
            (None, Some(member)) => format!("`{}`, a member of a group,", member.text("name")),
            (None, None) => return,
        };
        if !settings.zookeeper {
            self.wrong.push(
                self.scenario.one("broker").span("enable.zookeeper"),
                format!("no broker is registered in ZooKeeper, where {who} looks for them"),
                "remove `enable.zookeeper`; or write `broker.list` for producers, and consumers \
                 without `groupid`",
            );
        }
    }

    fn read_producers(&mut self, loads: Vec<(&'a Values, Load, u32)>) -> Vec<ProducerSpec> {
        let mut producers = Vec::new();
        for (values, load, _) in loads {
            if let Some(first) = load.connect.first() {
                self.wrong.push(
                    first.place,
                    "Kafka's producers are told all brokers, or look into ZooKeeper",
                    "write \"broker.list\" = [\"n1\"] instead of `connect`, or neither",
                );
            }
            let list = values.names("broker.list");
            let brokers: Vec<u32> = list.iter().map(|name| self.node(name)).collect();
            let listed = values.has("broker.list");
            if listed && values.is_set("key") {
                self.wrong.push(
                    values.span("key"),
                    "with a list of brokers the partition is drawn, whatever the key",
                    "remove `key`, or \"broker.list\"",
                );
            }
            let queues = values.choice("producer.type") == "async";
            if !queues {
                let help = "write \"producer.type\" = \"async\", or remove the key";
                self.wrong.refuse(values, &ASYNC_KEYS, "is for asynchronous producers", help);
            }
            let channel = ChannelConfig {
                buffer: values.size("buffer.size"),
                connect_timeout: values.duration("connect.timeout.ms"),
                reconnect_interval: values.integer("reconnect.interval") as u32,
                reconnect_time: Some(values.duration("reconnect.time.interval.ms")),
            };
            producers.push(ProducerSpec {
                brokers: listed.then_some(brokers),
                channel,
                queue: queues.then(|| queue(values)),
                keys: values.table("key").map(|table| Keys {
                    count: table.integer("count") as u32,
                    cycled: table.choice("order") == "cycled",
                }),
                zk_read_retries: values.integer("zk.read.num.retries") as u32,
                session_timeout: values.duration("zk.sessiontimeout.ms"),
                max_message_size: values.size("max.message.size") as u32,
                load,
            });
        }
        producers
    }

    fn read_consumers(&mut self, config: &Config) -> Vec<ConsumerSpec> {
        let mut consumers: Vec<ConsumerSpec> = Vec::new();
        for values in self.scenario.many("consumer") {
            let load = ConsumerLoad::from_values(values, &mut self.wrong);
            if let Some(first) = load.connect.first() {
                self.wrong.push(
                    first.place,
                    "a consumer connects to the brokers that have its partitions",
                    "remove `connect`",
                );
            }
            let topic = self.topic(&load.from.value, load.from.place).unwrap_or(0);
            let group = self.group(values);
            let partitions = self.partitions(values, config, topic);
            if group.is_none() {
                self.check_simple(values, &consumers, config, &partitions);
            }
            consumers.push(ConsumerSpec {
                name: load.name,
                group,
                topic,
                partitions,
                fetch_size: values.size("fetch.size") as u32,
                queued_chunks: values.integer("queuedchunks.max") as u32,
                fetcher_backoff: values.duration("fetcher.backoff.ms"),
                from_largest: values.choice("autooffset.reset") == "largest",
                processing: load.processing,
                start: load.start,
                stop: load.stop,
            });
        }
        consumers
    }

    fn group(&mut self, values: &Values) -> Option<GroupConfig> {
        let Some(group) = values.get_text("groupid") else {
            let help = "write groupid = \"g\", or remove the key";
            self.wrong.refuse(values, &GROUP_KEYS, "is for members of a group", help);
            return None;
        };
        let help = "remove it: the members of a group share all partitions";
        self.wrong.refuse(values, &["partitions"], "contradicts `groupid`", help);
        let commits = values.flag("autocommit.enable");
        if !commits {
            let help = "remove it, or \"autocommit.enable\" = false";
            let keys = ["autocommit.interval.ms"];
            self.wrong.refuse(values, &keys, "has no meaning without auto-commit", help);
        }
        Some(GroupConfig {
            group: group.to_owned(),
            autocommit: commits.then(|| values.duration("autocommit.interval.ms")),
            retries: values.integer("rebalance.retries.max") as u32,
            backoff: values.duration("rebalance.backoff.ms"),
            session_timeout: values.duration("zk.sessiontimeout.ms"),
        })
    }

    /// `partitions`, all if it is not written.
    fn partitions(&mut self, values: &Values, config: &Config, topic: u32) -> Vec<PartitionId> {
        let all: Vec<PartitionId> = config.streams.of_topic(topic).collect();
        let Some(text) = values.get_text("partitions") else { return all };
        let (wrong, place) = (&mut self.wrong, values.span("partitions"));
        let known = || all.iter().map(|of| config.part_name(*of));
        let found = |name| wrong.find((name, place), known(), "partition");
        text.split(',').map(str::trim).filter_map(found).map(|index| all[index]).collect()
    }

    /// Simple consumers do not know of each other.
    fn check_simple(
        &mut self,
        values: &Values,
        others: &[ConsumerSpec],
        config: &Config,
        partitions: &[PartitionId],
    ) {
        let twice = others.iter().filter(|other| other.group.is_none()).find_map(|other| {
            Some((other, partitions.iter().find(|p| other.partitions.contains(p))?))
        });
        if let Some((other, partition)) = twice {
            self.wrong.push(
                values.place(),
                format!(
                    "`{}` reads partition {} as well, and would be handed everything twice",
                    other.name,
                    config.part_name(*partition)
                ),
                "give both the same `groupid`, or different `partitions`",
            );
        }
    }

    /// A message that does not fit into a fetch is never read.
    fn check_fetches(&mut self, spec: &Spec) {
        if !self.wrong.is_empty() {
            return;
        }
        let largest = |values: &Values| match values.value("message-size") {
            Some(Value::Distribution(sizes)) => sizes.mean(),
            _ => 0,
        };
        let most = self.scenario.many("producer").iter().map(largest).max().unwrap_or(0);
        for (values, consumer) in self.scenario.many("consumer").iter().zip(&spec.consumers) {
            if u64::from(consumer.fetch_size) < most + u64::from(MESSAGE_HEADER) {
                self.wrong.push(
                    values.span("fetch.size"),
                    format!("messages of {most} bytes do not fit into a fetch: the first one ends the fetcher"),
                    "make it larger than the largest message",
                );
            }
        }
    }
}

fn queue(values: &Values) -> QueueConfig {
    QueueConfig {
        size: values.integer("queue.size") as u32,
        time: values.duration("queue.time"),
        batch: values.integer("batch.size") as u32,
        enqueue_timeout: match values.value("queue.enqueueTimeout.ms") {
            Some(Value::Duration(most)) => Some(*most),
            _ => None,
        },
        retries: values.integer("num.retries") as u32,
    }
}
