//! Tells a script of Kafka with replication. Its commands, beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `cluster 3 version=2.8 [metadata=zookeeper] [zookeeper=3] [controllers=3] [seed=1]` | the brokers n1, n2, ...; with ZooKeeper zk1, ..., or the controllers c1, ... |
//! | `broker KEY=VALUE ...`, `controller KEY=VALUE ...`, `rules NAME=false ...` | keys of the scenario's sections |
//! | `topic orders partitions=1 replication-factor=3 [KEY=VALUE ...]` | a topic, which is there from the start |
//! | `produce p1 to=orders [rate=100/s] [count=10] [acks=all] [KEY=VALUE ...]` | a producer that begins now |
//! | `consume c1 from=orders [KEY=VALUE ...]` | a consumer that begins now |
//! | `partitions` | of each partition its newest state that a broker knows; in brackets its version |
//! | `isr orders/0` | a partition as each of its replicas has it |
//! | `producers orders/0` | the idempotent producers that each replica knows, and the sequences of their last batches |
//! | `znodes [/brokers]` | what ZooKeeper holds |
//! | `controller?` | who decides |
//! | `group app [orders/0 ...]` | a consumer group as its coordinator has it, and what it has committed |
//! | `transaction t1` | a transactional id as its coordinator has it |
//! | `open orders/0` | the open transactions of a partition: producer ids and first offsets |
//! | `shares app` | what each of its members reads, from its next offset on |

use mqsim::brokers::kafka::PartitionId;
use mqsim::brokers::kafka::isr::groups::GroupId;
use mqsim::brokers::kafka::isr::machine::{KafkaCluster, KafkaMachine};
use mqsim::brokers::kafka::isr::transactions::TxnId;
use mqsim::brokers::kit::Family;
use mqsim::world::fault::ClientSide;

use super::declare::{Plan, declare};
use super::show;
use super::trace::Trace;
use crate::golden::{self, Command, Run, Schedule, Script, Told, read};
/// What `declare` reads, and what is asked of the run.
const OTHERS: [&str; 16] = [
    "cluster",
    "broker",
    "controller",
    "rules",
    "topic",
    "produce",
    "consume",
    "partitions",
    "isr",
    "producers",
    "znodes",
    "controller?",
    "group",
    "shares",
    "transaction",
    "open",
];

/// The second reading: the run.
pub(crate) struct Story {
    plan: Plan,
    run: Run<KafkaCluster, Trace>,
}

impl golden::Story for Story {
    fn begin(script: &Script) -> Told<Story> {
        let plan = declare(script)?;
        let host = |name: &str| {
            plan.spec
                .frame
                .topology()
                .find(name)
                .ok_or_else(|| format!("there is no host `{name}`"))
        };
        let mut schedule = Schedule::new(ClientSide::Follow);
        read(script, |command| {
            if schedule.note(command, host)? || OTHERS.contains(&command.name) {
                return Ok(());
            }
            Err(format!("there is no command `{}`", command.name))
        })?;
        let mut setup = plan.spec.setup(plan.seed);
        setup.faults = schedule.faults;
        let run = Run::new(setup, Trace::new(plan.spec.catalog()))?;
        Ok(Story { plan, run })
    }

    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>> {
        if let Some(told) = self.run.pass(command)? {
            return Ok(told);
        }
        let machines = self.run.machines();
        Ok(match command.name {
            "partitions" => show::partitions(machines),
            "isr" => show::partition(machines, self.partition(command.word(0)?)?),
            "producers" => show::producers(machines, self.partition(command.word(0)?)?),
            "znodes" => show::znodes(machines, command.word(0).unwrap_or("/")),
            "controller?" => self.controllers(),
            "transaction" => show::transaction(machines, self.transaction(command.word(0)?)?),
            "open" => show::open(machines, self.partition(command.word(0)?)?),
            "group" => show::group(machines, self.group(command.word(0)?)?),
            "shares" => self.shares(self.group(command.word(0)?)?),
            _ => Vec::new(),
        })
    }
}

impl Story {
    fn partition(&self, name: &str) -> Told<PartitionId> {
        let all = self.plan.spec.config.streams.partitions();
        let index = all.iter().position(|partition| partition.name == name);
        let id = index.map(|index| PartitionId(index as u32));
        id.ok_or_else(|| format!("there is no partition `{name}`"))
    }

    fn group(&self, name: &str) -> Told<GroupId> {
        let all = &self.plan.spec.config.groups.all;
        let index = all.iter().position(|group| group.name == name);
        let id = index.map(|index| GroupId(index as u32));
        id.ok_or_else(|| format!("there is no group `{name}`"))
    }

    fn transaction(&self, name: &str) -> Told<TxnId> {
        let all = &self.plan.spec.config.transactions.all;
        let index = all.iter().position(|id| id.name == name);
        let id = index.map(|index| TxnId(index as u32));
        id.ok_or_else(|| format!("there is no transactional id `{name}`"))
    }

    fn shares(&self, group: GroupId) -> Vec<String> {
        let hosts = &self.plan.spec.frame.topology().hosts;
        let streams = &self.plan.spec.config.streams;
        let machines = self.run.machines().iter().zip(hosts);
        machines
            .filter_map(|(machine, host)| {
                let KafkaMachine::Consumer(consumer) = machine else { return None };
                (consumer.group() == Some(group)).then(|| {
                    let part = |(partition, position): (PartitionId, Option<u64>)| {
                        let at = position.map_or("?".to_owned(), |offset| offset.to_string());
                        format!("{} at {at}", streams.get(partition).name)
                    };
                    let all: Vec<String> = consumer.positions().map(part).collect();
                    let all = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
                    format!("{}: {all}", host.name)
                })
            })
            .collect()
    }

    fn controllers(&self) -> Vec<String> {
        let hosts = &self.plan.spec.frame.topology().hosts;
        let machines = self.run.machines().iter().zip(hosts);
        machines
            .filter_map(|(machine, host)| {
                let epoch = match machine {
                    KafkaMachine::Broker(broker) => broker.controller_term()?,
                    KafkaMachine::Controller(controller) => controller.leads()?,
                    _ => return None,
                };
                Some(format!("{} decides in epoch {epoch}", host.name))
            })
            .collect()
    }
}
