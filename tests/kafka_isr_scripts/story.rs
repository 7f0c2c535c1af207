//! Tells a script: reads all of it for what will happen when, then lets it happen.
//!
//! | command | what it does |
//! | --- | --- |
//! | `cluster 3 version=2.8 [metadata=zookeeper] [zookeeper=3] [controllers=3] [seed=1]` | the brokers n1, n2, ...; with ZooKeeper zk1, ..., or the controllers c1, ... |
//! | `broker KEY=VALUE ...`, `controller KEY=VALUE ...`, `rules NAME=false ...` | keys of the scenario's sections |
//! | `topic orders partitions=1 replication-factor=3 [KEY=VALUE ...]` | a topic, which is there from the start |
//! | `produce p1 to=orders [rate=100/s] [count=10] [acks=all] [KEY=VALUE ...]` | a producer that begins now |
//! | `consume c1 from=orders [KEY=VALUE ...]` | a consumer that begins now |
//! | `run 10ms`, `skip 10ms` | lets time pass, and prints what happens, or not |
//! | `kill n1`, `power-loss n1`, `stop n1`, `wipe n1`, `boot n1` | `boot` undoes the others |
//! | `pause n1`, `resume n1` | SIGSTOP, SIGCONT |
//! | `partition n1 \| n2,zk1 [clients=unaffected] [reject]`, `heal` | the network |
//! | `partitions` | of each partition its newest state that a broker knows; in brackets its version |
//! | `isr orders/0` | a partition as each of its replicas has it |
//! | `znodes [/brokers]` | what ZooKeeper holds |
//! | `controller?` | who decides |

use mqsim::brokers::kafka::PartitionId;
use mqsim::brokers::kafka::isr::machine::{KafkaCluster, KafkaMachine};
use mqsim::brokers::kit::Family;
use mqsim::engine::Time;
use mqsim::observe::{FaultId, NodeId};
use mqsim::world::fault::{ClientSide, Direction, FaultKind, Partition};
use mqsim::world::{PlannedFault, Simulation, Target};

use crate::command::{Command, span};
use crate::declare::{Plan, declare};
use crate::script::Script;
use crate::show;
use crate::trace::Trace;

type Outcome<T> = Result<T, String>;

/// The output of every block; an error begins with its line.
pub(crate) fn tell(script: &Script) -> Outcome<Vec<Vec<String>>> {
    let plan = declare(script)?;
    let mut planner = Planner::new(&plan);
    for line in script.blocks.iter().flat_map(|block| &block.commands) {
        let read = planner.command(&Command::parse(&line.text));
        read.map_err(|error| format!("{}: {error}", line.number))?;
    }
    let mut setup = plan.spec.setup(plan.seed);
    setup.faults = planner.faults;
    let trace = Trace::new(plan.spec.catalog());
    let simulation = Simulation::<KafkaCluster, Trace>::new(setup, trace);
    let simulation = simulation.map_err(|error| format!(" {error}"))?;
    let mut story = Story { plan, simulation, now: Time::ZERO, told: 0 };
    let mut outputs = Vec::new();
    for block in &script.blocks {
        let mut output = Vec::new();
        for line in &block.commands {
            let told = story.step(&Command::parse(&line.text));
            output.extend(told.map_err(|error| format!("{}: {error}", line.number))?);
        }
        if output.is_empty() {
            output.push("ok".to_owned());
        }
        outputs.push(output);
    }
    Ok(outputs)
}

/// The first reading: faults.
struct Planner {
    hosts: Vec<String>,
    faults: Vec<PlannedFault>,
    now: Time,
}

impl Planner {
    fn new(plan: &Plan) -> Planner {
        let hosts = plan.spec.frame.topology().hosts.iter().map(|host| host.name.clone()).collect();
        Planner { hosts, faults: Vec::new(), now: Time::ZERO }
    }

    fn command(&mut self, command: &Command<'_>) -> Outcome<()> {
        match command.name {
            "cluster" | "broker" | "controller" | "rules" | "topic" | "produce" | "consume" => {}
            "partitions" | "isr" | "znodes" | "controller?" => {}
            "run" | "skip" => self.now += span(command.word(0)?)?,
            "kill" => self.fault(command, FaultKind::Crash)?,
            "power-loss" => self.fault(command, FaultKind::PowerLoss)?,
            "stop" => self.fault(command, FaultKind::Stop)?,
            "wipe" => self.fault(command, FaultKind::WipeDisk)?,
            "pause" => self.fault(command, FaultKind::Pause)?,
            "boot" | "resume" => self.undo(command)?,
            "partition" => self.partition(command)?,
            "heal" => self.end_faults(|fault| matches!(fault.kind, FaultKind::Partition(_))),
            other => return Err(format!("there is no command `{other}`")),
        }
        Ok(())
    }

    fn host(&self, name: &str) -> Outcome<NodeId> {
        let index = self.hosts.iter().position(|host| host == name);
        index.map(|index| NodeId(index as u32)).ok_or_else(|| format!("there is no host `{name}`"))
    }

    fn add_fault(&mut self, kind: FaultKind, target: Target, text: String) {
        let id = FaultId(self.faults.len() as u32);
        let at = self.now;
        self.faults.push(PlannedFault {
            id,
            at,
            lasts: None,
            kind,
            target,
            text,
            waits: None,
            after_recovery: false,
        });
    }

    fn fault(&mut self, command: &Command<'_>, kind: FaultKind) -> Outcome<()> {
        let node = self.host(command.word(0)?)?;
        self.add_fault(kind, Target::nodes(&[node]), command.rest());
        Ok(())
    }

    fn undo(&mut self, command: &Command<'_>) -> Outcome<()> {
        let target = Target::nodes(&[self.host(command.word(0)?)?]);
        let resumes = command.name == "resume";
        self.end_faults(|fault| {
            fault.target == target && (fault.kind == FaultKind::Pause) == resumes
        });
        Ok(())
    }

    /// Ends the faults that are in force and that are meant.
    fn end_faults(&mut self, meant: impl Fn(&PlannedFault) -> bool) {
        let now = self.now;
        let open = self.faults.iter_mut().filter(|fault| fault.lasts.is_none());
        for fault in open.filter(|fault| meant(fault)) {
            fault.lasts = Some(now.since(fault.at));
        }
    }

    fn partition(&mut self, command: &Command<'_>) -> Outcome<()> {
        let text = command.rest();
        let sides = text.split('|').map(|side| {
            let names = side.split_whitespace().next().unwrap_or("").split(',');
            let nodes: Outcome<Vec<NodeId>> = names.map(|name| self.host(name)).collect();
            Ok(Target::nodes(&nodes?))
        });
        let between = sides.collect::<Outcome<Vec<Target>>>()?;
        let unaffected = command.value("clients") == Some("unaffected");
        let partition = Partition {
            between,
            direction: Direction::Both,
            clients: if unaffected { ClientSide::Unaffected } else { ClientSide::Follow },
            rejects: command.has("reject"),
        };
        self.add_fault(FaultKind::Partition(partition), Target::default(), text);
        Ok(())
    }
}

/// The second reading: the run.
struct Story {
    plan: Plan,
    simulation: Simulation<KafkaCluster, Trace>,
    now: Time,
    /// How many facts have been printed.
    told: usize,
}

impl Story {
    fn step(&mut self, command: &Command<'_>) -> Outcome<Vec<String>> {
        let machines = self.simulation.machines();
        Ok(match command.name {
            "run" | "skip" => {
                self.now += span(command.word(0)?)?;
                self.simulation.run_until(self.now).map_err(|error| error.to_string())?;
                let trace = self.simulation.observer();
                let from = std::mem::replace(&mut self.told, trace.len());
                if command.name == "run" { trace.lines(from) } else { Vec::new() }
            }
            "partitions" => show::partitions(machines),
            "isr" => show::partition(machines, self.partition(command.word(0)?)?),
            "znodes" => show::znodes(machines, command.word(0).unwrap_or("/")),
            "controller?" => self.controllers(),
            _ => Vec::new(),
        })
    }

    fn partition(&self, name: &str) -> Outcome<PartitionId> {
        let all = self.plan.spec.config.streams.partitions();
        let index = all.iter().position(|partition| partition.name == name);
        let id = index.map(|index| PartitionId(index as u32));
        id.ok_or_else(|| format!("there is no partition `{name}`"))
    }

    fn controllers(&self) -> Vec<String> {
        let hosts = &self.plan.spec.frame.topology().hosts;
        let machines = self.simulation.machines().iter().zip(hosts);
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
