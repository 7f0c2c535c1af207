//! From a checked scenario to a [`Spec`]: names become ids, replicas get their brokers, and what
//! contradicts itself is told.

use crate::brokers::coordination::zookeeper;
use crate::brokers::kafka::{Streams, TopicPlan};
use crate::brokers::kit::{Frame, complete};
use crate::observe::{ConsumerId, NodeId};
use crate::scenario::{Diagnostics, Located, Place, Scenario, Values, Version};
use crate::workload::{ConsumerLoad, Load};

use super::client::{
    Client, ConsumerSettings, MemberSettings, ProducerSettings, Reset, ScalaSettings,
};
use super::config::{Assignment, Config, Metadata, Retention, Settings, Topic};
use super::contradictions;
use super::costs::Costs;
use super::groups::{
    Assignor, FirstMember, Group, GroupId, Groups, MemberId, OFFSETS_TOPIC, Protocol, Subscriber,
    partition_for, share_out,
};
use super::message::Acks;
use super::pipelines;
use super::rules::Rule;
use super::spec::{ConsumerSpec, ProducerSpec, Spec};

/// The first and last releases that can run without ZooKeeper, and the last with it.
const KRAFT: (&str, &str) = ("2.8", "3.9");

/// Everything that is being resolved.
pub(super) struct Planner<'a> {
    pub(super) scenario: &'a Scenario,
    nodes: Vec<String>,
    zones: Vec<String>,
    pub(super) topics: Vec<Topic>,
    assignments: Vec<Assignment>,
    /// Of each topic, how many partitions it has.
    counts: Vec<u32>,
    pub(super) wrong: Diagnostics,
}

/// Resolves a scenario that was checked with this family's sections.
///
/// # Errors
/// All that is wrong with it, each with its place and a remedy.
pub fn plan(scenario: &Scenario) -> Result<Spec, Diagnostics> {
    let frame = Frame::new(scenario)?;
    let mut planner = Planner {
        scenario,
        nodes: frame.names(),
        zones: frame.topology().zones.clone(),
        topics: Vec::new(),
        assignments: Vec::new(),
        counts: Vec::new(),
        wrong: scenario.diagnostics(),
    };
    let metadata = planner.metadata();
    let settings = Settings::read(scenario, frame.cluster.boot_time.clone());
    planner.read_topics(&settings);
    let producers = planner.read_producers();
    let consumers = planner.read_consumers(&settings);
    let (mut streams, groups) = planner.streams(&producers, &consumers);
    pipelines::forward(&mut streams, &consumers);
    let members = planner.groups(&mut streams, (&consumers, &groups), &settings);
    let transactions = planner.transactions(&mut streams, (&consumers, &groups), &settings);
    let brokers = planner.nodes.len() as u32;
    let racks = frame.topology().hosts.iter().map(|host| host.zone).collect();
    let coordinators = planner.coordinators();
    let mut spec = Spec {
        frame,
        config: Config {
            brokers,
            racks,
            coordinators: (brokers..).map(NodeId).take(coordinators.len()).collect(),
            metadata,
            settings,
            costs: Costs::read(scenario.one("costs")),
            topics: std::mem::take(&mut planner.topics),
            partitions: std::mem::take(&mut planner.assignments),
            streams,
            groups: members,
            transactions,
            names: planner.nodes.iter().cloned().chain(coordinators).collect(),
        },
        ensemble: zookeeper::Settings::read(scenario),
        producers,
        consumers,
        groups,
        notes: Vec::new(),
    };
    complete(&mut spec, scenario, &mut planner.wrong);
    spec.notes =
        contradictions::tell(scenario, &spec.config, &mut spec.producers, &mut planner.wrong);
    planner.wrong.into_result(spec)
}

impl Planner<'_> {
    fn version(&self) -> Version {
        let default = "4.1".parse().expect("it is a version");
        self.scenario.settings().broker_version.unwrap_or(default)
    }

    fn metadata(&mut self) -> Metadata {
        let (controller, version) = (self.scenario.one("controller"), self.version());
        let metadata = match controller.choice("metadata") {
            "kraft" => Metadata::Kraft,
            _ => Metadata::ZooKeeper,
        };
        let place = controller.span("metadata");
        match metadata {
            Metadata::Kraft if version.cmp_spec(KRAFT.0).is_lt() => self.wrong.push(
                place,
                format!("Kafka {version} has no KRaft, which came with 2.8"),
                "write metadata = \"zookeeper\", or broker-version = \"2.8\" or later",
            ),
            Metadata::ZooKeeper if version.numbers()[0] >= 4 => self.wrong.push(
                place,
                format!("Kafka {version} has no ZooKeeper any more"),
                "write metadata = \"kraft\", or broker-version = \"3.9\" or earlier",
            ),
            _ => {}
        }
        metadata
    }

    fn read_topics(&mut self, settings: &Settings) {
        let sections = self.scenario.many("topic");
        if sections.is_empty() {
            let help = "add [[topic]] with name = \"orders\"";
            self.wrong.push(Place::START, "the scenario has no topic", help);
        }
        let broker = self.scenario.one("broker");
        let brokers = self.nodes.len() as u64;
        let has_min_isr = settings.rules.has(Rule::MinInsyncReplicas);
        for (index, values) in sections.iter().enumerate() {
            let factor = values.get_integer("replication-factor").unwrap_or(3.min(brokers));
            if factor > brokers {
                self.wrong.push(
                    values.span("replication-factor"),
                    format!(
                        "{factor} replicas need as many brokers, and the cluster has {brokers}"
                    ),
                    "Kafka refuses to create such a topic (InvalidReplicationFactorException): \
                     lower it, or add nodes",
                );
            }
            let count = values.integer("partitions") as u32;
            let lists = self.replica_lists(values, count, factor.min(brokers) as u32);
            let of = |key: &str| values.get_integer(key).or_else(|| broker.get_integer(key));
            let min_isr = of("min.insync.replicas").filter(|_| has_min_isr).unwrap_or(1) as u32;
            let key = "unclean.leader.election.enable";
            let unclean = values.get_flag(key).or_else(|| broker.get_flag(key)).unwrap_or(true);
            let own = |key: &str| values.get_size(key);
            let retention = Retention {
                age: Some(values.get_duration("retention.ms").unwrap_or(settings.retention)),
                bytes: own("retention.bytes").or(settings.retention_bytes),
            };
            self.topics.push(Topic {
                name: values.text("name").to_owned(),
                min_isr,
                unclean,
                segment_bytes: own("segment.bytes").unwrap_or(settings.segment_bytes),
                retention: Some(retention),
            });
            self.counts.push(count);
            let of_topic = lists.into_iter();
            self.assignments
                .extend(of_topic.map(|replicas| Assignment { topic: index as u32, replicas }));
        }
    }

    /// The brokers of each partition: as written, or one after the other, each partition beginning
    /// one further (AdminUtils.scala 0.8, `assignReplicasToBrokers`, with a fixed start).
    fn replica_lists(&mut self, values: &Values, count: u32, factor: u32) -> Vec<Vec<NodeId>> {
        let brokers = self.nodes.len() as u32;
        let written = values.selectors("replicas");
        if written.is_empty() {
            let list = |p: u32| (0..factor).map(|r| NodeId((p + r) % brokers)).collect();
            return (0..count).map(list).collect();
        }
        if written.len() as u32 != count {
            self.wrong.push(
                values.span("replicas"),
                format!("`replicas` has {} lists, and there must be {count}", written.len()),
                "write one list for each partition: [\"n1,n2,n3\", \"n2,n3,n1\"]",
            );
        }
        let mut lists: Vec<Vec<NodeId>> = Vec::new();
        for selector in written {
            let mut list = Vec::new();
            for name in selector.value.to_string().split(',') {
                let Some(node) = self.node(name.trim(), selector.place) else { continue };
                if list.contains(&node) {
                    let message = format!("the broker `{}` has two replicas of it", name.trim());
                    self.wrong.push(selector.place, message, "name each broker once");
                }
                list.push(node);
            }
            if values.is_set("replication-factor") && list.len() as u32 != factor {
                self.wrong.push(
                    selector.place,
                    format!("{} replicas, and the replication-factor is {factor}", list.len()),
                    "name as many brokers, or remove replication-factor",
                );
            }
            lists.push(list);
        }
        lists.resize(count as usize, vec![NodeId(0)]);
        lists
    }

    fn node(&mut self, name: &str, place: Place) -> Option<NodeId> {
        let known = self.nodes.iter().map(String::as_str);
        let found = self.wrong.find((name, place), known, "broker");
        found.map(|index| NodeId(index as u32))
    }

    pub(super) fn topic(&mut self, name: &Located<String>) -> u32 {
        let known = self.topics.iter().map(|topic| topic.name.as_str());
        self.wrong.find((&name.value, name.place), known, "topic").unwrap_or(0) as u32
    }

    fn connect(&mut self, names: &[Located<String>]) -> Vec<NodeId> {
        let nodes: Vec<NodeId> =
            names.iter().filter_map(|name| self.node(&name.value, name.place)).collect();
        match nodes.is_empty() {
            true => (0..self.nodes.len() as u32).map(NodeId).collect(),
            false => nodes,
        }
    }

    fn read_producers(&mut self) -> Vec<ProducerSpec> {
        let mut producers = Vec::new();
        let version = self.version();
        for values in self.scenario.many("producer") {
            let Some(load) = self.wrong.keep(Load::from_values(values)) else { continue };
            let topic = self.topic(&load.to);
            let settings = ProducerSettings::read(values);
            let client = ProducerSettings::client(values);
            self.check_acks(values, &settings, version);
            self.check_client(values, client, version);
            producers.push(ProducerSpec {
                connect: self.connect(&load.connect),
                topic,
                client,
                settings,
                scala: ScalaSettings::read(values),
                load,
            });
        }
        producers
    }

    fn check_acks(&mut self, values: &Values, settings: &ProducerSettings, version: Version) {
        if let Acks::Some(count) = settings.acks
            && version.cmp_spec("0.9").is_ge()
        {
            // ProduceRequest 0.9: InvalidRequiredAcks.
            self.wrong.push(
                values.span("acks"),
                format!("Kafka {version} refuses acks = {count}: 0.8.2 was the last that took it"),
                "write acks = \"all\", with min.insync.replicas",
            );
        }
    }

    fn check_client(&mut self, values: &Values, client: Client, version: Version) {
        if client == Client::Java && version.cmp_spec("0.8.2").is_lt() {
            self.wrong.push(
                values.span("client"),
                format!("the Java producer came with 0.8.2, and this is {version}"),
                "write client = \"scala\", or broker-version = \"0.8.2\"",
            );
        }
        if client == Client::Scala && version.cmp_spec("0.11").is_ge() {
            self.wrong.push(
                values.span("client"),
                format!("the Scala producer went with 0.11, and this is {version}"),
                "write client = \"java\"",
            );
        }
    }

    fn read_consumers(&mut self, settings: &Settings) -> Vec<ConsumerSpec> {
        let mut consumers = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut transactional: Vec<String> = Vec::new();
        for values in self.scenario.many("consumer") {
            let load = ConsumerLoad::from_values(values, &mut self.wrong);
            let topic = self.topic(&load.from);
            let count = self.counts.get(topic as usize).copied().unwrap_or(1);
            let mut partitions: Vec<u32> = Vec::new();
            for name in values.names("partitions") {
                match name.value.parse::<u32>() {
                    Ok(number) if number < count => partitions.push(number),
                    _ => self.wrong.push(
                        name.place,
                        format!("there is no partition `{}`", name.value),
                        format!("the topic has {count}, from 0 on"),
                    ),
                }
            }
            if partitions.is_empty() {
                partitions.extend(0..count);
            }
            let member = values.get_text("group.id").map(|name| {
                let known = names.iter().position(|known| known == name).unwrap_or_else(|| {
                    names.push(name.to_owned());
                    names.len() - 1
                });
                MemberSettings::read(values, GroupId(known as u32), &settings.groups)
            });
            if let Some(member) = &member {
                self.check_member(values, member, &consumers);
            }
            let pipeline = self.pipeline(values, topic, &mut transactional);
            let group = values.get_text("group.id").or_else(|| values.get_text("group"));
            self.check_reset(values);
            consumers.push(ConsumerSpec {
                group: group.unwrap_or(&load.name).to_owned(),
                member,
                pipeline,
                connect: self.connect(&load.connect),
                settings: ConsumerSettings {
                    rack: self.rack(values),
                    ..ConsumerSettings::read(values)
                },
                topic,
                partitions,
                name: load.name,
                processing: load.processing,
                start: load.start,
                stop: load.stop,
            });
        }
        consumers
    }

    /// The zone that `client.rack` names.
    fn rack(&mut self, values: &Values) -> Option<u32> {
        let name = values.get_text("client.rack")?;
        let known = self.zones.iter().map(String::as_str);
        let found = self.wrong.find((name, values.span("client.rack")), known, "zone");
        found.map(|zone| zone as u32)
    }

    /// `auto.offset.reset`, which is a word or a duration.
    fn check_reset(&mut self, values: &Values) {
        let (key, version) = ("auto.offset.reset", self.version());
        let text = values.text(key);
        match Reset::parse(text) {
            None => self.wrong.push(
                values.span(key),
                format!("`{text}` is no auto.offset.reset"),
                "write \"earliest\", \"latest\", \"none\", or from 4.0 on \"by_duration:PT30S\"",
            ),
            Some(Reset::ByDuration(_)) if version.cmp_spec("4.0").is_lt() => self.wrong.push(
                values.span(key),
                format!("Kafka {version} has no by_duration, which came with 4.0"),
                "write \"earliest\" or \"latest\", or broker-version = \"4.0\" or later",
            ),
            Some(_) => {}
        }
    }

    /// What a member of a group says that cannot be.
    fn check_member(&mut self, values: &Values, own: &MemberSettings, others: &[ConsumerSpec]) {
        if values.is_set("group") {
            self.wrong.push(
                values.span("group"),
                "a consumer with a `group.id` is in that group",
                "remove `group`",
            );
        }
        let cooperative = own.assignors.iter().any(|assignor| assignor.is_cooperative());
        if values.is_set("partition.assignment.strategy")
            && cooperative
            && self.version().cmp_spec("2.4").is_lt()
        {
            self.wrong.push(
                values.span("partition.assignment.strategy"),
                format!("Kafka {} has no cooperative-sticky, which came with 2.4", self.version()),
                "write \"sticky\", or broker-version = \"2.4\" or later",
            );
        }
        let mates = others.iter().filter_map(|other| other.member.as_ref());
        let mut mates = mates.filter(|mate| mate.group == own.group);
        if mates.clone().any(|mate| mate.protocol != own.protocol) {
            self.wrong.push(
                values.span("group.protocol"),
                "the members of a group speak one protocol",
                "write the same group.protocol for all: a group that changes over is not simulated",
            );
        }
        let same = |mate: &MemberSettings| {
            own.assignors.iter().any(|assignor| mate.assignors.contains(assignor))
        };
        if !mates.all(same) {
            self.wrong.push(
                values.span("partition.assignment.strategy"),
                "the members of a group have no assignor in common",
                "write the same for all of them: such a member is refused \
                 (InconsistentGroupProtocolException)",
            );
        }
    }

    /// The consumer groups, with the topic that has their records: it is there as soon as somebody
    /// has a `group.id`.
    fn groups(
        &mut self,
        streams: &mut Streams,
        (consumers, places): (&[ConsumerSpec], &[usize]),
        settings: &Settings,
    ) -> Groups {
        let of = |id: GroupId| {
            let all = (0u32..).zip(consumers.iter().zip(places));
            all.filter(move |(_, (own, _))| own.member.as_ref().is_some_and(|m| m.group == id))
        };
        let members = consumers.iter().filter_map(|consumer| consumer.member.as_ref());
        let Some(last) = members.map(|member| member.group.0).max() else {
            return Groups::default();
        };
        if !self.wrong.is_empty() {
            return Groups::default();
        }
        let (topic, count) = (self.topics.len() as u32, settings.groups.partitions);
        let broker = self.scenario.one("broker");
        let brokers = self.nodes.len() as u64;
        let factor = broker.get_integer("offsets.topic.replication.factor");
        let factor = factor.unwrap_or(3).min(brokers) as u32;
        let min_isr = broker.get_integer("min.insync.replicas").unwrap_or(1) as u32;
        let unclean = broker.get_flag("unclean.leader.election.enable").unwrap_or(true);
        self.topics.push(Topic {
            name: OFFSETS_TOPIC.to_owned(),
            min_isr,
            unclean,
            segment_bytes: settings.segment_bytes,
            retention: None,
        });
        let replicas = |p: u32| (0..factor).map(|r| NodeId((p + r) % brokers as u32)).collect();
        self.assignments.extend((0..count).map(|p| Assignment { topic, replicas: replicas(p) }));
        streams.add_internal(OFFSETS_TOPIC, count);
        let group = |id: GroupId| {
            let (_, (first, place)) = of(id).next()?;
            let member = first.member.as_ref()?;
            let told_of = streams.seen_by(streams.partition(first.topic, 0), *place);
            Some(Group {
                name: first.group.clone(),
                partition: streams.partition(topic, partition_for(&first.group, count)),
                protocol: member.protocol,
                told_of: Some(told_of),
                first: first_members(
                    of(id).map(|(index, (own, _))| (index, own)),
                    member.protocol,
                    streams,
                    settings,
                ),
            })
        };
        Groups { all: (0..=last).filter_map(|id| group(GroupId(id))).collect(), topic: Some(topic) }
    }

    /// Adds a topic of the brokers' own, of so many partitions with so many replicas.
    pub(super) fn add_internal(
        &mut self,
        streams: &mut Streams,
        own: Topic,
        (count, factor): (u32, Option<u64>),
    ) -> u32 {
        let (topic, brokers) = (self.topics.len() as u32, self.nodes.len() as u64);
        let factor = factor.unwrap_or(3.min(brokers)).min(brokers) as u32;
        streams.add_internal(&own.name, count);
        self.topics.push(own);
        let replicas = |p: u32| (0..factor).map(|r| NodeId((p + r) % brokers as u32)).collect();
        self.assignments.extend((0..count).map(|p| Assignment { topic, replicas: replicas(p) }));
        topic
    }

    /// The hosts of ZooKeeper, or of the controllers.
    fn coordinators(&self) -> Vec<String> {
        let controller = self.scenario.one("controller");
        let (count, name) = match controller.choice("metadata") {
            "kraft" => (controller.integer("controllers"), "controller"),
            _ => (self.scenario.one("zookeeper").integer("servers"), "zk"),
        };
        (1..=count).map(|n| format!("{name}{n}")).collect()
    }

    /// What the ledger calls partitions and what producers send to them; and of each consumer
    /// which of its topic's groups it is.
    fn streams(
        &self,
        producers: &[ProducerSpec],
        consumers: &[ConsumerSpec],
    ) -> (Streams, Vec<usize>) {
        let mut plans: Vec<TopicPlan> = self
            .topics
            .iter()
            .zip(&self.counts)
            .map(|(topic, count)| TopicPlan {
                name: topic.name.clone(),
                partitions: (0..*count).map(|n| n.to_string()).collect(),
                groups: Vec::new(),
            })
            .collect();
        let mut groups = Vec::new();
        for consumer in consumers {
            let Some(plan) = plans.get_mut(consumer.topic as usize) else { continue };
            let known = plan.groups.iter().position(|group| *group == consumer.group);
            groups.push(known.unwrap_or_else(|| {
                plan.groups.push(consumer.group.clone());
                plan.groups.len() - 1
            }));
        }
        let writers: Vec<u32> = producers.iter().map(|producer| producer.topic).collect();
        if plans.is_empty() {
            return (Streams::default(), groups);
        }
        (Streams::new(&plans, &writers), groups)
    }
}

/// The members of a group that are there when the run starts, with what their leader or coordinator
/// has assigned to them.
fn first_members<'a>(
    members: impl Iterator<Item = (u32, &'a ConsumerSpec)>,
    protocol: Protocol,
    streams: &Streams,
    settings: &Settings,
) -> Vec<FirstMember> {
    let mut first = Vec::new();
    for (index, consumer) in members.filter(|(_, consumer)| consumer.start.is_zero()) {
        let Some(own) = &consumer.member else { continue };
        let id = MemberId { client: ConsumerId(index), unique: 0 };
        let of = |number: &u32| streams.partition(consumer.topic, *number);
        first.push(FirstMember {
            id,
            instance: own.instance,
            topic: consumer.topic,
            session: own.session,
            rebalance: own.max_poll,
            assignors: own.assignors.clone(),
            alone: !own.subscribes,
            assignment: match own.subscribes {
                true => Vec::new(),
                false => consumer.partitions.iter().map(of).collect(),
            },
        });
    }
    let subscribers = first.iter().filter(|member| !member.alone).map(|member| Subscriber {
        member: member.id,
        topic: member.topic,
        owned: Vec::new(),
    });
    let subscribers: Vec<Subscriber> = subscribers.collect();
    let assignor = match first.first().and_then(|member| member.assignors.first()) {
        Some(preferred) if protocol == Protocol::Classic => *preferred,
        _ if settings.groups.consumer_range => Assignor::Range,
        _ => Assignor::Sticky,
    };
    let shares = share_out(assignor, &subscribers, |topic| streams.of_topic(topic).collect());
    for member in first.iter_mut().filter(|member| !member.alone) {
        if let Some(share) = shares.get(&member.id) {
            member.assignment = share.clone();
            member.assignment.sort_unstable();
        }
    }
    first
}
