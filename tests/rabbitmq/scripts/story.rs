//! Tells a script: reads all of it for what will happen when, then lets it happen.

use mqsim::brokers::rabbitmq::letters::LetterId;
use mqsim::brokers::rabbitmq::message::{ExchangeId, Properties, QueueId, RoutingKey, Terms};
use mqsim::engine::{Span, Time};
use mqsim::observe::{FaultId, NodeId};
use mqsim::world::fault::{ClientSide, Direction, FaultKind, Partition};
use mqsim::world::{PlannedFault, Simulation, Target};

use super::client::Action;
use super::cluster::{Actors, Plan};
use super::command::{Command, numbers, span};
use super::declare::declare;
use super::script::Script;
use super::show;
use super::trace::Trace;

type Outcome<T> = Result<T, String>;

/// The output of every block; an error begins with its line.
pub(crate) fn tell(script: &Script) -> Outcome<Vec<Vec<String>>> {
    let plan = Planner::read(script)?;
    let queues = plan.spec.queues.iter().map(|queue| queue.name.clone()).collect();
    let trace = Trace::new(plan.hosts(), plan.brokers, queues);
    let simulation = Simulation::<Actors, Trace>::new(plan.setup(), trace);
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

/// The first reading.
struct Planner {
    plan: Plan,
    now: Time,
}

impl Planner {
    fn read(script: &Script) -> Outcome<Plan> {
        let declared = declare(script)?;
        let mut planner = Planner { plan: declared, now: Time::ZERO };
        for line in script.blocks.iter().flat_map(|block| &block.commands) {
            let read = planner.command(&Command::parse(&line.text));
            read.map_err(|error| format!("{}: {error}", line.number))?;
        }
        for (_, schedule) in &mut planner.plan.clients {
            schedule.sort_by_key(|(at, _)| *at);
        }
        Ok(planner.plan)
    }

    fn command(&mut self, command: &Command<'_>) -> Outcome<()> {
        match command.name {
            // What `declare` has read.
            "cluster" | "broker" | "rules" | "policy" | "queue" | "exchange" => {}
            "connect" => {
                let node = self.node(command.word(1)?)?;
                let name = command.word(0)?;
                if !self.plan.clients.iter().any(|(known, _)| known == name) {
                    self.plan.clients.push((name.to_owned(), Vec::new()));
                }
                self.act(command, Action::Connect(node))?;
            }
            "run" | "skip" => self.now += span(command.word(0)?)?,
            "kill" => self.fault(command, FaultKind::Crash)?,
            "power-loss" => self.fault(command, FaultKind::PowerLoss)?,
            "stop" => self.fault(command, FaultKind::Stop)?,
            "wipe" => self.fault(command, FaultKind::WipeDisk)?,
            "pause" => self.fault(command, FaultKind::Pause)?,
            "fill-disk" => self.fault(command, FaultKind::DiskFull)?,
            "boot" | "resume" | "empty-disk" => self.undo(command)?,
            "partition" => self.partition(command)?,
            "heal" => {
                let cut = |fault: &PlannedFault| matches!(fault.kind, FaultKind::Partition(_));
                self.end_faults(cut);
            }
            "tables" | "pending" | "agree" => {}
            _ => self.client_command(command)?,
        }
        Ok(())
    }

    fn client_command(&mut self, command: &Command<'_>) -> Outcome<()> {
        match command.name {
            "publish" => self.publish(command),
            "consume" => {
                let priority = command.value("priority").unwrap_or("0");
                let terms = Terms {
                    prefetch: command.number("prefetch", 0)?,
                    priority: priority.parse().map_err(|_| "`priority` is a number")?,
                    no_ack: command.has("auto-ack"),
                    exclusive: command.has("exclusive"),
                    cancel_on_ha_failover: command.has("cancel-on-ha-failover"),
                };
                let queue = queue(&self.plan, command.word(1)?)?;
                self.act(command, Action::Consume { queue, terms })
            }
            "get" => {
                let queue = queue(&self.plan, command.word(1)?)?;
                self.act(command, Action::Get { queue, no_ack: command.has("auto-ack") })
            }
            "cancel" => {
                let queue = queue(&self.plan, command.word(1)?)?;
                self.act(command, Action::Cancel { queue })
            }
            "ack" => numbers(command.word(1)?)?.try_for_each(|number| {
                self.act(command, Action::Ack { number, multiple: command.has("multiple") })
            }),
            "requeue" => numbers(command.word(1)?)?
                .try_for_each(|number| self.act(command, Action::Requeue { number })),
            "reject" => numbers(command.word(1)?)?
                .try_for_each(|number| self.act(command, Action::Reject { number })),
            "close" => self.act(command, Action::Close),
            other => Err(format!("there is no command `{other}`")),
        }
    }

    fn node(&self, name: &str) -> Outcome<NodeId> {
        broker(&self.plan, name)
    }

    fn act(&mut self, command: &Command<'_>, action: Action) -> Outcome<()> {
        let name = command.word(0)?;
        let client = self.plan.clients.iter_mut().find(|(known, _)| known == name);
        let (_, schedule) = client.ok_or_else(|| format!("`{name}` was never connected"))?;
        schedule.push((self.now, action));
        Ok(())
    }

    fn publish(&mut self, command: &Command<'_>) -> Outcome<()> {
        let to = command.value("to").unwrap_or(&self.plan.spec.queues[0].name).to_owned();
        let exchange = self.plan.exchanges.iter().position(|name| *name == to);
        let (exchange, key) = match exchange {
            Some(index) => (ExchangeId(index as u32 + 1), RoutingKey(0)),
            None if to == "nowhere" => {
                (ExchangeId::DEFAULT, RoutingKey(self.plan.spec.queues.len() as u32))
            }
            None => (ExchangeId::DEFAULT, RoutingKey(queue(&self.plan, &to)?.0)),
        };
        let expiration = command.span("expiration", Span::ZERO)?;
        if !expiration.is_zero() {
            self.plan.spec.expirations.push(expiration);
        }
        let last = self.plan.spec.expirations.len() as u8 - 1;
        let properties = Properties {
            persistent: command.has("persistent"),
            mandatory: command.has("mandatory"),
            confirm: command.has("confirm"),
            expiration: if expiration.is_zero() { 0 } else { last },
            letter: LetterId::NONE,
        };
        let (every, began) = (command.span("every", Span::ZERO)?, self.now);
        for number in numbers(command.word(1)?)? {
            self.act(command, Action::Publish { exchange, key, number, properties })?;
            self.now += every;
        }
        self.now = began;
        Ok(())
    }

    fn add_fault(&mut self, kind: FaultKind, target: Target, text: String) {
        let id = FaultId(self.plan.faults.len() as u32);
        self.plan.faults.push(PlannedFault {
            id,
            at: self.now,
            lasts: None,
            kind,
            target,
            text,
            waits: None,
            after_recovery: false,
        });
    }

    fn fault(&mut self, command: &Command<'_>, kind: FaultKind) -> Outcome<()> {
        let node = self.any_host(command.word(0)?)?;
        self.add_fault(kind, Target::nodes(&[node]), command.rest());
        Ok(())
    }

    /// A broker, or a client that is connected already: clients are numbered as they connect.
    fn any_host(&self, name: &str) -> Outcome<NodeId> {
        let client = self.plan.clients.iter().position(|(known, _)| known == name);
        match client {
            Some(index) => Ok(NodeId(self.plan.brokers + index as u32)),
            None => self.node(name),
        }
    }

    fn undo(&mut self, command: &Command<'_>) -> Outcome<()> {
        let target = Target::nodes(&[self.node(command.word(0)?)?]);
        let ends = command.name;
        self.end_faults(|fault| {
            let ended_by = match fault.kind {
                FaultKind::Pause => "resume",
                FaultKind::DiskFull => "empty-disk",
                _ => "boot",
            };
            fault.target == target && ended_by == ends
        });
        Ok(())
    }

    /// Ends the faults that are in force and that are meant.
    fn end_faults(&mut self, meant: impl Fn(&PlannedFault) -> bool) {
        let now = self.now;
        let open = self.plan.faults.iter_mut().filter(|fault| fault.lasts.is_none());
        for fault in open.filter(|fault| meant(fault)) {
            fault.lasts = Some(now.since(fault.at));
        }
    }

    fn partition(&mut self, command: &Command<'_>) -> Outcome<()> {
        let text = command.rest();
        let sides = text.split('|').map(|side| {
            let names = side.split_whitespace().next().unwrap_or("").split(',');
            let nodes: Outcome<Vec<NodeId>> = names.map(|name| self.node(name)).collect();
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

fn broker(plan: &Plan, name: &str) -> Outcome<NodeId> {
    let hosts = plan.hosts();
    let index = hosts[..plan.brokers as usize].iter().position(|host| host == name);
    index.map(|index| NodeId(index as u32)).ok_or_else(|| format!("there is no node `{name}`"))
}

fn queue(plan: &Plan, name: &str) -> Outcome<QueueId> {
    let index = plan.spec.queues.iter().position(|queue| queue.name == name);
    index.map(|index| QueueId(index as u32)).ok_or_else(|| format!("there is no queue `{name}`"))
}

/// The second reading: the run.
struct Story {
    plan: Plan,
    simulation: Simulation<Actors, Trace>,
    now: Time,
    /// How many facts have been printed.
    told: usize,
}

impl Story {
    fn step(&mut self, command: &Command<'_>) -> Outcome<Vec<String>> {
        match command.name {
            "run" | "skip" => {
                self.now += span(command.word(0)?)?;
                self.simulation.run_until(self.now).map_err(|error| error.to_string())?;
                let trace = self.simulation.observer();
                let from = std::mem::replace(&mut self.told, trace.len());
                let lines = trace.lines(from);
                Ok(if command.name == "run" { lines } else { Vec::new() })
            }
            "queue" if command.value("on").is_none() => {
                let node = broker(&self.plan, command.word(0)?)?;
                let name = command.word(1).unwrap_or(&self.plan.spec.queues[0].name);
                let queue = queue(&self.plan, name)?;
                Ok(show::queue(&self.simulation.machines()[node.index()], queue))
            }
            "tables" => {
                let node = broker(&self.plan, command.word(0)?)?;
                Ok(show::tables(&self.simulation.machines()[node.index()], &self.plan))
            }
            "agree" => Ok(show::agree(self.simulation.machines(), &self.plan)),
            "pending" => {
                let name = command.word(0)?;
                let index = self.plan.clients.iter().position(|(known, _)| known == name);
                let index = index.ok_or_else(|| format!("there is no client `{name}`"))?;
                let host = self.plan.brokers as usize + index;
                Ok(vec![show::pending(&self.simulation.machines()[host])])
            }
            _ => Ok(Vec::new()),
        }
    }
}
