//! From a checked scenario to a [`Spec`]: names become ids, and what contradicts itself is told.

use std::sync::Arc;

use crate::brokers::coordination::raft;
use crate::brokers::kit::application::Hours;
use crate::brokers::kit::streams::{Streams, TopicPlan};
use crate::brokers::kit::{Frame, complete};
use crate::engine::Span;
use crate::observe::{ConsumerId, NodeId};
use crate::scenario::{Diagnostics, Place, Scenario, Values};
use crate::workload::{ConsumerLoad, Load};

use super::broker::LEDGER as LEDGER_FILES;
use super::client::consumer::{ConsumerConfig, Listener};
use super::client::producer::{self, ProducerConfig};
use super::config::{Config, Control, DELAYS, Mode, Returns, Settings, Topic, group_name};
use super::costs::Costs;
use super::rules::{Rule, Rules};
use super::spec::{ConsumerSpec, ProducerSpec, Spec};

/// With controllers a slave copies its master's offsets so often (`ReplicasManager.handleSlaveSynchronize`).
const CONTROLLED_SYNC: Span = Span::from_secs(10);

/// DLedger: a follower that has heard nothing of its leader for three heartbeats of 2 s stands for election; one that leads
/// and hears of less than most members steps down after 6 to 10 s (`DLedgerLeaderElector`).
const LEDGER_SILENCE: Span = Span::from_secs(6);

/// Bytes of a record beside its body, at most: names of topics have 64.
const LARGEST_OVERHEAD: u64 = 512;

struct Planner<'a> {
    scenario: &'a Scenario,
    topics: Vec<Topic>,
    /// The consumer groups.
    groups: Vec<String>,
    wrong: Diagnostics,
}

/// Resolves a scenario that was checked with this family's sections.
///
/// # Errors
/// All that is wrong with it, each with its place and a remedy.
pub fn plan(scenario: &Scenario, mode: Mode) -> Result<Spec, Diagnostics> {
    let mut frame = Frame::new(scenario)?;
    let brokers = frame.names().len() as u32;
    let mut planner =
        Planner { scenario, topics: Vec::new(), groups: Vec::new(), wrong: scenario.diagnostics() };
    if scenario.many("topic").is_empty() {
        let help = "add [[topic]] with name = \"orders\"";
        planner.wrong.push(Place::START, "the scenario has no topic", help);
        return Err(planner.wrong);
    }
    let slaves = planner.slaves(brokers);
    let settings = planner.settings(frame.cluster.boot_time.clone(), slaves, mode);
    planner.read_groups();
    planner.read_topics();
    let loads = planner.read_loads();
    let mut streams = planner.streams(&loads, brokers / (slaves + 1));
    let returns = planner.add_returns(&mut streams, brokers / (slaves + 1));
    let consumers = planner.read_consumers(&returns.0);
    let names = scenario.one("nameserver");
    let hosts = frame.cluster.topology.hosts.iter().take(brokers as usize);
    let disks = hosts.map(|host| host.disk.capacity).collect();
    let servers = 0..names.integer("servers") as u32;
    let control = planner.control(mode, brokers + servers.end);
    let config = Config {
        brokers,
        disks,
        mode,
        control,
        ledgers: planner.ledgers(mode, brokers, slaves),
        slaves,
        nameservers: servers.map(|server| NodeId(brokers + server)).collect(),
        scan_interval: names.duration("scanNotActiveBrokerInterval"),
        topics: planner.topics.clone(),
        returns: returns.0,
        schedule: returns.1,
        consumer_groups: planner.groups.clone(),
        streams,
        settings,
        costs: Costs::read(scenario.one("costs")),
    };
    if let Some(buffer) = scenario.one("broker").get_size("socket-buffer") {
        frame.cluster.topology.socket_buffer = buffer;
    }
    let producers = (0..).zip(loads);
    let producers = producers.map(|(writer, (values, load, _))| producer(writer, values, load));
    let producers = producers.collect();
    let mut spec = Spec { frame, config: Arc::new(config), producers, consumers };
    complete(&mut spec, scenario, &mut planner.wrong);
    planner.wrong.into_result(spec)
}

fn producer(writer: u32, values: &Values, load: Load) -> ProducerSpec {
    let (mode, retries) = match values.choice("send") {
        "sync" => {
            (producer::Mode::Sync(values.integer("threads") as u32), "retryTimesWhenSendFailed")
        }
        "async" => (producer::Mode::Async, "retryTimesWhenSendAsyncFailed"),
        _ => (producer::Mode::Oneway, "retryTimesWhenSendFailed"),
    };
    let own = ProducerConfig {
        writer,
        mode,
        timeout: values.duration("sendMsgTimeout"),
        attempt_timeout: values.get_duration("sendMsgMaxTimeoutPerRequest"),
        retries: values.integer(retries) as u32,
        retry_not_ok: values.flag("retryAnotherBrokerWhenNotStoreOK"),
        latency: values.flag("sendLatencyEnable"),
        strict: values.flag("check-send-status"),
        resend: values.get_duration("resend"),
        poll_interval: values.duration("pollNameServerInterval"),
    };
    ProducerSpec { load, own }
}

impl<'a> Planner<'a> {
    /// Slaves of each master; the nodes must come out even.
    fn slaves(&mut self, brokers: u32) -> u32 {
        let broker = self.scenario.one("broker");
        let slaves = broker.integer("slaves") as u32;
        if brokers.is_multiple_of(slaves + 1) {
            return slaves;
        }
        let (members, place) = (slaves + 1, broker.span("slaves"));
        let place =
            if broker.is_set("slaves") { place } else { self.scenario.one("cluster").place() };
        let more = brokers.div_ceil(members) * members;
        self.wrong.push(
            place,
            format!("{brokers} nodes do not make groups of a master and {slaves} {}", plural(slaves)),
            format!("make it {more} nodes, or write `slaves` in [broker] so that groups of 1 + slaves come out even"),
        );
        0
    }

    fn settings(
        &mut self,
        boot_time: crate::engine::Distribution,
        slaves: u32,
        mode: Mode,
    ) -> Settings {
        let broker = self.scenario.one("broker");
        let rules = Rules::read(self.scenario.one("rules"));
        let sync_master = broker.choice("brokerRole") == "SYNC_MASTER";
        let sync_flush = broker.choice("flushDiskType") == "SYNC_FLUSH";
        let mut settings = Settings::of(broker, rules, sync_master, sync_flush, boot_time);
        let others: &[(&str, &str)] = match mode {
            Mode::Controller => {
                &[("brokerRole", "the controllers make a broker SYNC_MASTER or a slave")]
            }
            Mode::Dledger => &[
                ("brokerRole", "the leader of a group is SYNC_MASTER, the others are slaves"),
                ("flushDiskType", "members flush every 10 ms, and wait for it never"),
                ("inSyncReplicas", "a send waits for most members"),
                ("transientStorePoolEnable", "there is no write buffer"),
                ("allAckInSyncStateSet", "only controllers have a SyncStateSet"),
                ("minInSyncReplicas", "only controllers have a SyncStateSet"),
                ("haMaxTimeSlaveNotCatchup", "only controllers have a SyncStateSet"),
            ],
            Mode::MasterSlave => &[
                ("allAckInSyncStateSet", "only controllers have a SyncStateSet"),
                ("minInSyncReplicas", "only controllers have a SyncStateSet"),
                ("haMaxTimeSlaveNotCatchup", "only controllers have a SyncStateSet"),
            ],
        };
        for (key, why) in others {
            let why = format!("has no meaning in this mode: {why}");
            self.wrong.refuse(broker, &[*key], &why, "remove it, or write another `mode`");
        }
        if mode != Mode::MasterSlave && !broker.is_set("slave-sync-interval") {
            settings.slave_sync = CONTROLLED_SYNC;
        }
        if settings.min_in_sync > slaves + 1 {
            self.wrong.push(
                broker.span("minInSyncReplicas"),
                format!(
                    "a SyncStateSet never has {} members: a group has {}",
                    settings.min_in_sync,
                    slaves + 1
                ),
                "lower `minInSyncReplicas`, or raise `slaves`",
            );
        }
        if settings.in_sync_replicas > slaves + 1 {
            self.wrong.push(
                broker.span("inSyncReplicas"),
                format!(
                    "there are never {} copies of a message: a group has {}",
                    settings.in_sync_replicas,
                    slaves + 1
                ),
                "lower `inSyncReplicas`, or raise `slaves`",
            );
        }
        let largest = u64::from(settings.max_message_size) + LARGEST_OVERHEAD;
        if largest > settings.segment {
            self.wrong.push(
                broker.span("mappedFileSizeCommitLog"),
                "a segment of the CommitLog has no room for the largest message",
                "make it greater than `maxMessageSize` by 512 bytes or more",
            );
        }
        settings
    }

    /// The controllers, whose first host is this one.
    fn control(&mut self, mode: Mode, first: u32) -> Option<Control> {
        let values = self.scenario.one("controller");
        if mode != Mode::Controller {
            if values.is_present() {
                let message = "there are no controllers in this mode";
                let help = "remove [controller], or write mode = \"rocketmq-controller\"";
                self.wrong.push(values.place(), message, help);
            }
            return None;
        }
        let servers = values.integer("servers") as u32;
        let hosts: Vec<NodeId> = (first..first + servers).map(NodeId).collect();
        // DLedgerConfig.java: a follower stands for election after three silent heartbeats of 2 s; an
        // election takes up to 2 s and as much as 1 s of waiting; nothing is flushed before it counts,
        // which the quorum here does.
        let mut quorum = raft::Config::new(hosts.clone());
        quorum.fetch_timeout = Span::from_secs(6);
        quorum.append_linger = Span::ZERO;
        quorum.pre_vote = false;
        Some(Control {
            hosts,
            quorum: Arc::new(quorum),
            timeout: values.duration("controllerHeartBeatTimeoutMills"),
            scan: values.duration("scanNotActiveBrokerInterval"),
            masters: values.duration("scanInactiveMasterInterval"),
            unclean: values.flag("enableElectUncleanMaster"),
        })
    }

    /// The quorum of each group of brokers.
    fn ledgers(&self, mode: Mode, brokers: u32, slaves: u32) -> Vec<Arc<raft::Config>> {
        if mode != Mode::Dledger {
            return Vec::new();
        }
        let rules = Rules::read(self.scenario.one("rules"));
        let counting = rules.has(Rule::CommitByCounting);
        let hosts: Vec<u32> = (0..brokers).collect();
        let quorum = |members: &[u32]| {
            let mut quorum =
                raft::Config::new(members.iter().map(|member| NodeId(*member)).collect());
            quorum.fetch_timeout = LEDGER_SILENCE;
            quorum.append_linger = Span::ZERO;
            quorum.high_watermark_answers = true;
            // Nothing is compacted: segments go by their age.
            (quorum.snapshot_after_bytes, quorum.retention_bytes) = (u64::MAX, u64::MAX);
            quorum.request_cost = Costs::read(self.scenario.one("costs")).replicate;
            quorum.files = LEDGER_FILES;
            quorum.faulty.counts_unsynced = rules.has(Rule::AckUnflushed);
            quorum.faulty.commits_old_epochs = counting;
            quorum.faulty.begins_silently = counting;
            Arc::new(quorum)
        };
        hosts.chunks(slaves as usize + 1).map(quorum).collect()
    }

    fn read_groups(&mut self) {
        for values in self.scenario.many("consumer") {
            let name = Planner::group_name(values);
            if !self.groups.iter().any(|group| group == name) {
                self.groups.push(name.to_owned());
            } else if Planner::broadcasts(values) {
                self.wrong.push(
                    values.span("name"),
                    format!("`{name}` is a consumer with BROADCASTING and a consumerGroup"),
                    "call one of them otherwise",
                );
            }
        }
    }

    fn read_topics(&mut self) {
        for values in self.scenario.many("topic") {
            let name = values.text("name").to_owned();
            let consumers = self.scenario.many("consumer").iter();
            let reads = consumers.filter(|consumer| consumer.text("from") == name);
            let mut groups: Vec<u32> = Vec::new();
            for consumer in reads {
                let group = self.group(consumer);
                if !groups.contains(&group) {
                    groups.push(group);
                }
            }
            self.topics.push(Topic { queues: values.integer("queues") as u32, groups, name });
        }
    }

    fn broadcasts(consumer: &Values) -> bool {
        consumer.choice("messageModel") == "BROADCASTING"
    }

    /// A consumer that gets everything is a group of its own.
    fn group_name(consumer: &'a Values) -> &'a str {
        consumer.text(if Planner::broadcasts(consumer) { "name" } else { "consumerGroup" })
    }

    /// The topics for what is sent back, of each group whose application may fail or be too slow.
    fn add_returns(
        &mut self,
        streams: &mut Streams,
        groups: u32,
    ) -> (Vec<Option<Returns>>, Option<u32>) {
        let mut all = vec![None; self.groups.len()];
        for values in self.scenario.many("consumer") {
            let returns = ["fails", "stuck", "maxReconsumeTimes", "consumeTimeout"];
            let returns = returns.iter().any(|key| values.is_set(key));
            if !returns || Planner::broadcasts(values) {
                continue;
            }
            let group = self.group(values) as usize;
            if all[group].is_none() {
                let mut add = |prefix: &str| {
                    let name = format!("{prefix}{}", self.groups[group]);
                    streams.add_internal(&name, groups);
                    self.topics.push(Topic { name, queues: 1, groups: Vec::new() });
                    self.topics.len() as u32 - 1
                };
                all[group] = Some(Returns { retry: add("%RETRY%"), dead: add("%DLQ%") });
            }
        }
        let schedule = all.iter().any(Option::is_some).then(|| {
            let (name, queues) = ("SCHEDULE_TOPIC_XXXX".to_owned(), DELAYS.len() as u32);
            streams.add_internal(&name, queues * groups);
            self.topics.push(Topic { name, queues, groups: Vec::new() });
            self.topics.len() as u32 - 1
        });
        (all, schedule)
    }

    fn group(&self, consumer: &Values) -> u32 {
        let name = Planner::group_name(consumer);
        self.groups.iter().position(|group| group == name).unwrap_or(0) as u32
    }

    fn topic(&mut self, name: &str, place: Place) -> u32 {
        let known = self.topics.iter().map(|topic| topic.name.as_str());
        self.wrong.find((name, place), known, "topic").unwrap_or(0) as u32
    }

    /// The loads of the producers, each with its topic.
    fn read_loads(&mut self) -> Vec<(&'a Values, Load, u32)> {
        let mut loads = Vec::new();
        for values in self.scenario.many("producer") {
            let Some(load) = self.wrong.keep(Load::from_values(values)) else { continue };
            let topic = self.topic(&load.to.value, load.to.place);
            self.refuse_connect(&load.connect, "the masters in the topic's route");
            let others: &[&str] = match values.choice("send") {
                "sync" => &["retryTimesWhenSendAsyncFailed"],
                "async" => &[
                    "threads",
                    "retryTimesWhenSendFailed",
                    "retryAnotherBrokerWhenNotStoreOK",
                    "sendMsgMaxTimeoutPerRequest",
                ],
                _ => &[
                    "threads",
                    "retryTimesWhenSendFailed",
                    "retryTimesWhenSendAsyncFailed",
                    "retryAnotherBrokerWhenNotStoreOK",
                    "sendMsgMaxTimeoutPerRequest",
                    "check-send-status",
                    "resend",
                ],
            };
            let why = format!("has no meaning with send = \"{}\"", values.choice("send"));
            self.wrong.refuse(values, others, &why, "remove it, or send otherwise");
            loads.push((values, load, topic));
        }
        loads
    }

    fn refuse_connect(&mut self, connect: &[crate::scenario::Located<String>], instead: &str) {
        if let Some(first) = connect.first() {
            let message = format!("clients of RocketMQ connect to {instead}");
            self.wrong.push(first.place, message, "remove `connect`");
        }
    }

    fn streams(&self, loads: &[(&Values, Load, u32)], groups: u32) -> Streams {
        let plan = |topic: &Topic| TopicPlan {
            name: topic.name.clone(),
            partitions: (0..groups)
                .flat_map(|group| {
                    (0..topic.queues).map(move |queue| format!("{}-{queue}", group_name(group)))
                })
                .collect(),
            groups: topic.groups.iter().map(|group| self.groups[*group as usize].clone()).collect(),
        };
        let topics: Vec<TopicPlan> = self.topics.iter().map(plan).collect();
        let writers: Vec<u32> = loads.iter().map(|(_, _, topic)| *topic).collect();
        Streams::new(&topics, &writers)
    }

    /// The consumers, and an auditor for each topic that nobody reads.
    fn read_consumers(&mut self, returns: &[Option<Returns>]) -> Vec<ConsumerSpec> {
        let mut consumers: Vec<ConsumerSpec> = Vec::new();
        for values in self.scenario.many("consumer") {
            let load = ConsumerLoad::from_values(values, &mut self.wrong);
            self.refuse_connect(&load.connect, "the brokers in the topic's route");
            let topic = self.topic(&load.from.value, load.from.place);
            let group = self.group(values);
            let of_topic = self.topics[topic as usize].groups.iter();
            let own = ConsumerConfig {
                id: ConsumerId(consumers.len() as u32),
                topic,
                group,
                group_of_topic: of_topic.into_iter().position(|of| *of == group).unwrap_or(0),
                from_first: values.choice("consumeFromWhere") == "CONSUME_FROM_FIRST_OFFSET",
                batch: values.integer("pullBatchSize") as u32,
                threshold: values.integer("pullThresholdForQueue") as u32,
                span: values.integer("consumeConcurrentlyMaxSpan") as u32,
                threads: values.integer("consumeThreadMin") as u32,
                persist_interval: values.duration("persistConsumerOffsetInterval"),
                heartbeat_interval: values.duration("heartbeatBrokerInterval"),
                poll_interval: values.duration("pollNameServerInterval"),
                listener: self.listener(values),
                returns: returns[group as usize].filter(|_| !Planner::broadcasts(values)),
                fails: values.chance("fails"),
                most_times: values
                    .get_integer("maxReconsumeTimes")
                    .map(|most| most as u8)
                    .or_else(|| (values.choice("listener") == "concurrently").then_some(16)),
                timeout: values.duration("consumeTimeout"),
                suspend: values.duration("suspendCurrentQueueTimeMillis"),
                stuck: values
                    .table("stuck")
                    .map(|stuck| (stuck.integer("number"), stuck.duration("for"))),
                hours: Hours::of(&load),
                processing: load.processing,
            };
            self.check_one_topic(values, &consumers, &own);
            consumers.push(ConsumerSpec { name: load.name, own });
        }
        for topic in 0..self.scenario.many("topic").len() {
            if self.topics[topic].groups.is_empty() {
                let (id, group) = (consumers.len() as u32, self.groups.len() as u32);
                let name = format!("auditor.{}", self.topics[topic].name);
                self.groups.push(name.clone());
                let own = Spec::auditor(id, topic as u32, group);
                consumers.push(ConsumerSpec { name, own });
            }
        }
        consumers
    }

    fn listener(&mut self, values: &Values) -> Listener {
        let orderly = values.choice("listener") == "orderly";
        let others: &[(&str, &str)] = match (Planner::broadcasts(values), orderly) {
            (true, true) => &[("messageModel", "an orderly listener")],
            (true, false) => &[
                ("maxReconsumeTimes", "BROADCASTING"),
                ("consumeTimeout", "BROADCASTING"),
                ("suspendCurrentQueueTimeMillis", "BROADCASTING"),
            ],
            (false, true) => &[("consumeTimeout", "an orderly listener")],
            (false, false) => &[("suspendCurrentQueueTimeMillis", "a concurrent listener")],
        };
        for (key, with) in others {
            let why = format!("has no meaning with {with}");
            self.wrong.refuse(values, &[*key], &why, "remove it, or consume otherwise");
        }
        match (Planner::broadcasts(values), orderly) {
            (true, _) => Listener::Broadcast,
            (false, true) => Listener::Orderly,
            (false, false) => Listener::Concurrently,
        }
    }

    /// Members of a group must subscribe to the same topics, or each filters by the other's
    /// subscription and messages are lost for the group.
    fn check_one_topic(&mut self, values: &Values, others: &[ConsumerSpec], own: &ConsumerConfig) {
        let other = others.iter().find(|other| other.own.group == own.group);
        if let Some(other) = other.filter(|other| other.own.topic != own.topic) {
            let group = &self.groups[own.group as usize];
            self.wrong.push(
                values.span("from"),
                format!("`{}` of the group `{group}` reads another topic", other.name),
                "all members of a group must read the same: write another `consumerGroup`",
            );
        }
    }
}

const fn plural(slaves: u32) -> &'static str {
    if slaves == 1 { "slave" } else { "slaves" }
}
