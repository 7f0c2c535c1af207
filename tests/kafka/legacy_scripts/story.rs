//! Tells a script of Kafka before 0.8. Its commands, beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `cluster nodes=2`, `broker KEY=VALUE ...`, `rules NAME=false ...`, `zookeeper KEY=VALUE` | keys of these sections of a scenario |
//! | `topic orders KEY=VALUE ...`, `producer p1 ...`, `consumer c1 ...` | sections of a scenario |
//! | `connect n1` | the probe, a client of the script's own, connects to a broker |
//! | `produce n1 orders/1-0 0..2 [size=100]` | it sends so many messages in one request; `+` joins several partitions |
//! | `fetch n1 orders/1-0 0` | it fetches from that offset on |
//! | `offsets n1 orders/1-0 largest` | it asks for the offset at that end |
//! | `log orders/1-0` | the log: segments, offsets, messages |
//! | `zk` | ephemeral nodes, and what groups have committed |

use mqsim::brokers::kafka::PartitionId;
use mqsim::brokers::kafka::legacy::machine::LegacyMachine;
use mqsim::brokers::kafka::legacy::message::{OffsetTime, Part, Znode};
use mqsim::brokers::kit::Family;
use mqsim::engine::Time;
use mqsim::observe::{MessageRange, NodeId, Outcome};
use mqsim::world::fault::ClientSide;

use super::probe;
use super::probe::Action;
use super::setup::{Actor, Actors, Plan};
use crate::golden::{self, Command, Manner, Run, Schedule, Script, Told, Trace, numbers, read};

/// What the first reading does with a command that is not every family's.
fn own(plan: &mut Plan, now: Time, command: &Command<'_>) -> Told<()> {
    match command.name {
        "connect" | "produce" | "fetch" | "offsets" => {
            let action = action(plan, command)?;
            plan.probe.push((now, action));
            Ok(())
        }
        "cluster" | "broker" | "rules" | "zookeeper" | "topic" | "producer" | "consumer"
        | "log" | "zk" => Ok(()),
        other => Err(format!("there is no command `{other}`")),
    }
}

fn action(plan: &Plan, command: &Command<'_>) -> Told<Action> {
    let broker = host(plan, command.word(0)?)?.0;
    Ok(match command.name {
        "connect" => Action::Connect(broker),
        "produce" => {
            let (names, range) = (command.word(1)?, numbers(command.word(2)?)?);
            let bytes = command.number("size", 100)?;
            let part = |name: &str| {
                let partition = partition(plan, name)?;
                let producer = plan.config().streams.stream(plan.probe_writer(), partition);
                let (first, count) = (*range.start(), range.end() - range.start() + 1);
                Ok(Part { partition, messages: MessageRange { producer, first, count, bytes } })
            };
            Action::Produce(broker, names.split('+').map(part).collect::<Told<Vec<Part>>>()?)
        }
        "fetch" => {
            let offset = command.word(2)?.parse().map_err(|_| "an offset is a number")?;
            Action::Fetch(broker, partition(plan, command.word(1)?)?, offset)
        }
        _ => {
            let largest = command.word(2)? == "largest";
            let time = if largest { OffsetTime::Latest } else { OffsetTime::Earliest };
            Action::Offsets(broker, partition(plan, command.word(1)?)?, time)
        }
    })
}

fn host(plan: &Plan, name: &str) -> Told<NodeId> {
    plan.spec.frame.topology().find(name).ok_or_else(|| format!("there is no host `{name}`"))
}

fn partition(plan: &Plan, name: &str) -> Told<PartitionId> {
    let all = plan.config().streams.partitions();
    let found = all.iter().position(|partition| partition.name == name);
    found.map(|at| PartitionId(at as u32)).ok_or_else(|| format!("there is no partition `{name}`"))
}

/// How a script speaks of Kafka before 0.8, where nobody is answered but the probe.
const MANNER: Manner = Manner {
    on_its_way: "socket-buffer-lost",
    outcome: |outcome| match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Rejected => "rejected",
        Outcome::Unknown => "unknown",
        Outcome::Unsent => "unsent",
        Outcome::Acked | Outcome::Returned | Outcome::Nacked => "answered",
    },
    event: |event| {
        let own = event.word.0.checked_sub(probe::FIRST_WORD)?;
        Some(probe::WORDS[own as usize].replace("COUNT", &event.count.to_string()))
    },
    at_first: |catalog, node| node.is_some_and(|node| node.index() >= catalog.brokers().count()),
};

/// The second reading: the run.
pub(crate) struct Story {
    plan: Plan,
    run: Run<Actors, Trace>,
}

impl golden::Story for Story {
    fn begin(script: &Script) -> Told<Story> {
        let mut plan = Plan::read(script)?;
        let mut schedule = Schedule::new(ClientSide::Follow);
        read(script, |command| match schedule.note(command, |name| host(&plan, name))? {
            true => Ok(()),
            false => own(&mut plan, schedule.now, command),
        })?;
        plan.faults = schedule.faults;
        let run = Run::new(plan.setup(), Trace::new(MANNER, plan.spec.catalog()))?;
        Ok(Story { plan, run })
    }

    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>> {
        if let Some(told) = self.run.pass(command)? {
            return Ok(told);
        }
        match command.name {
            "log" => self.log(partition(&self.plan, command.word(0)?)?),
            "zk" => Ok(self.zookeeper()),
            _ => Ok(Vec::new()),
        }
    }
}

impl Story {
    fn machine(&self, node: NodeId) -> Option<&LegacyMachine> {
        match self.run.machines().get(node.index())? {
            Actor::Kafka(machine) => Some(machine),
            Actor::Probe(_) => None,
        }
    }

    fn log(&self, partition: PartitionId) -> Told<Vec<String>> {
        let owner = self.plan.config().owner(partition);
        let broker = self.machine(owner).and_then(LegacyMachine::broker);
        let log = broker.and_then(|broker| broker.log(partition)).ok_or("no such log")?;
        let starts: Vec<String> =
            log.segments.iter().map(|segment| segment.start.to_string()).collect();
        let names = self.plan.spec.catalog();
        let mut lines = vec![format!(
            "segments [{}], flushed {}, end {}",
            starts.join(", "),
            log.flushed,
            log.log.end()
        )];
        lines.extend(log.log.pieces().map(|piece| {
            let messages = piece.messages;
            let name = names.producer(messages.producer);
            let last = messages.first + messages.count - 1;
            format!("  {}..{}: {name} {}..{last}", piece.base, piece.end(), messages.first)
        }));
        Ok(lines)
    }

    /// What the first server of ZooKeeper has.
    fn zookeeper(&self) -> Vec<String> {
        let first = NodeId(self.plan.config().brokers);
        let Some(LegacyMachine::Zookeeper(server)) = self.machine(first) else { return Vec::new() };
        let mut lines = Vec::new();
        for (path, node) in server.tree().iter() {
            let ephemeral = node.stat().ephemeral_owner.is_some();
            let text = match &node.data {
                Some(Znode::Offset(offset)) => format!("{path} = {offset}"),
                _ if ephemeral => path.to_string(),
                _ => continue,
            };
            lines.push(text);
        }
        lines
    }
}
