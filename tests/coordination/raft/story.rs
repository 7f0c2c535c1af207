//! Text scripts. Nothing is random but what a script shows, the election time-outs: nodes are 1 ms
//! from each other, an fsync takes 5 ms, computing takes no time, timers have Kafka's defaults. A
//! `partition n1,n2` cuts these from all others. The commands beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `quorum voters=3 observers=1 seed=1 [snapshot-after=N] [retention=N] [check-quorum=false] [high-watermark-answers] [pre-vote]` | voters n1, n2, ..., then observers; the first command |
//! | `append n1 3` | n1 appends the next three numbers |
//! | `resign n1` | n1 gives up leadership |
//! | `log n1` | its epoch, role, log and snapshot |

use std::sync::Arc;

use mqsim::brokers::coordination::raft::{Batch, Body, Config};
use mqsim::engine::{Distribution, Time};
use mqsim::observe::{Blind, NodeId};
use mqsim::world::Simulation;
use mqsim::world::fault::ClientSide;

use super::counter::{Action, Counter, Counters, Number, name};
use super::lab::Plan;
use crate::golden::{self, Command, Schedule, Script, Told, read, span};

fn node(name: &str) -> Told<u32> {
    let number = name.strip_prefix('n').and_then(|digits| digits.parse::<u32>().ok());
    number.and_then(|number| number.checked_sub(1)).ok_or(format!("`{name}` is no node"))
}

/// The first reading: what will happen when.
struct Reading {
    plan: Plan,
    schedules: Vec<Vec<(Time, Action)>>,
    /// Time and faults.
    world: Schedule,
}

impl Reading {
    fn of(script: &Script) -> Told<Reading> {
        let world = Schedule::new(ClientSide::Unaffected);
        let mut reading = Reading { plan: Plan::new(1, 0, 0), schedules: Vec::new(), world };
        read(script, |command| reading.command(command))?;
        Ok(reading)
    }

    fn command(&mut self, command: &Command<'_>) -> Told<()> {
        if self.world.note(command, |name| node(name).map(NodeId))? {
            return Ok(());
        }
        match command.name {
            "quorum" => self.declare(command)?,
            "append" => {
                let count = command.word(1)?.parse().map_err(|_| "how many?")?;
                self.act(command, Action::Append(count))?;
            }
            "resign" => self.act(command, Action::Resign)?,
            "log" => {}
            other => return Err(format!("there is no command `{other}`")),
        }
        Ok(())
    }

    fn declare(&mut self, command: &Command<'_>) -> Told<()> {
        let voters = command.number("voters", 3)?;
        let plan = Plan::new(
            u64::from(command.number("seed", 1)?),
            voters,
            command.number("observers", 0)?,
        );
        let defaults = Config::new((0..voters).map(NodeId).collect());
        let snapshot_after = command.number("snapshot-after", u32::MAX)?;
        let retention = command.number("retention", u32::MAX)?;
        let config = Config {
            snapshot_after_bytes: u64::from(snapshot_after),
            retention_bytes: u64::from(retention),
            check_quorum: command.value("check-quorum") != Some("false"),
            high_watermark_answers: command.has("high-watermark-answers"),
            pre_vote: command.has("pre-vote"),
            ..defaults
        };
        self.plan = Plan {
            config,
            latency: Distribution::Constant(1_000_000),
            fsync: Distribution::Constant(5_000_000),
            ..plan
        };
        let nodes = self.plan.voters + self.plan.observers;
        self.schedules = vec![Vec::new(); nodes as usize];
        Ok(())
    }

    fn act(&mut self, command: &Command<'_>, action: Action) -> Told<()> {
        let node = node(command.word(0)?)?;
        let schedule = self.schedules.get_mut(node as usize).ok_or("there is no such node")?;
        schedule.push((self.world.now, action));
        Ok(())
    }
}

/// The second reading: the run.
pub(crate) struct Story {
    simulation: Simulation<Counters, Blind>,
    now: Time,
    /// How much of each node's trace was told.
    told: Vec<usize>,
}

impl golden::Story for Story {
    fn begin(script: &Script) -> Told<Story> {
        let Reading { plan, schedules, world } = Reading::of(script)?;
        let plan = Plan { faults: world.faults, ..plan };
        let config = Arc::new(plan.config.clone());
        let nodes = (0..).map(NodeId).zip(schedules);
        let machines: Vec<Counter> =
            nodes.map(|(node, schedule)| Counter::new(&config, node).telling(schedule)).collect();
        let told = vec![0; machines.len()];
        let simulation = Simulation::new(plan.setup(machines), Blind);
        let simulation = simulation.map_err(|error| format!(" {error}"))?;
        Ok(Story { simulation, now: Time::ZERO, told })
    }

    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>> {
        match command.name {
            "run" | "skip" => {
                self.now += span(command.word(0)?)?;
                self.simulation.run_until(self.now).map_err(|error| error.to_string())?;
                let lines = self.lines();
                Ok(if command.name == "run" { lines } else { Vec::new() })
            }
            "log" => {
                let node = node(command.word(0)?)?;
                Ok(show(&self.simulation.machines()[node as usize]))
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl Story {
    /// What is new, by time, then by node.
    fn lines(&mut self) -> Vec<String> {
        let mut facts: Vec<(Time, usize, String)> = Vec::new();
        for (index, counter) in self.simulation.machines().iter().enumerate() {
            let new = counter.trace[self.told[index]..].iter();
            facts.extend(new.map(|(at, text)| (*at, index, text.clone())));
            self.told[index] = counter.trace.len();
        }
        facts.sort_by_key(|(at, index, _)| (*at, *index));
        let line = |(at, index, text): &(Time, usize, String)| {
            let micros = at.as_nanos() / 1_000;
            let (ms, part) = (micros / 1_000, micros % 1_000 / 100);
            format!("{ms:>6}.{part} ms  {} {text}", name(*index as u32))
        };
        facts.iter().map(line).collect()
    }
}

/// `epoch 3, leader`, then the batches: `0 change of epoch 1 | 1..3 in epoch 1`.
fn show(counter: &Counter) -> Vec<String> {
    let replica = &counter.replica;
    let role = format!("{:?}", replica.role()).to_lowercase();
    let known = replica.high_watermark().map_or("unknown".to_owned(), |known| known.to_string());
    let mut lines = vec![format!("epoch {}, {role}, high watermark {known}", replica.epoch())];
    if let Some(snapshot) = replica.snapshot() {
        lines.push(format!("snapshot {}-{}", snapshot.id.offset, snapshot.id.epoch));
    }
    let log = replica.log();
    let batches: Vec<String> = log.batches(log.start()).map(|batch| text_of(batch)).collect();
    lines.push(format!("log from {}: {}", log.start(), batches.join(" | ")));
    lines
}

fn text_of(batch: &Batch<Number>) -> String {
    let Batch { base, epoch, .. } = batch;
    match &batch.body {
        Body::LeaderChange { leader } => format!("{base} {} leads @{epoch}", name(leader.0)),
        Body::Records(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(|number| number.0.to_string()).collect();
            format!("{base} [{}] @{epoch}", numbers.join(" "))
        }
    }
}

/// All of them.
#[test]
fn every_script_comes_out_as_it_is_told() {
    golden::check_all::<Story>("raft");
}
