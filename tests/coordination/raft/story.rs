//! Text scripts. Nothing is random but what a script shows, the election time-outs: nodes are 1 ms
//! from each other, an fsync takes 5 ms, computing takes no time, timers have Kafka's defaults.
//!
//! | command | what it does |
//! | --- | --- |
//! | `quorum voters=3 observers=1 seed=1 [snapshot-after=N] [retention=N] [check-quorum=false] [high-watermark-answers] [pre-vote]` | voters n1, n2, ..., then observers; the first command |
//! | `append n1 3` | n1 appends the next three numbers |
//! | `resign n1` | n1 gives up leadership |
//! | `run 10ms` | lets time pass; prints what happens |
//! | `skip 10s` | lets time pass without a word |
//! | `kill n1`, `power-loss n1`, `stop n1`, `wipe n1`, `pause n1`, `boot n1` | processes and hosts; `boot` undoes the others |
//! | `partition n1,n2`, `heal` | cuts these from all others |
//! | `log n1` | its epoch, role, log and snapshot |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mqsim::brokers::coordination::raft::{Batch, Body, Config};
use mqsim::engine::{Distribution, Time};
use mqsim::observe::{Blind, NodeId};
use mqsim::world::Simulation;
use mqsim::world::fault::FaultKind;

use super::command::{Command, span};
use super::counter::{Action, Counter, Counters, Number, name};
use super::lab::{Plan, cut, planned};
use super::script::Script;

type Outcome<T> = Result<T, String>;

/// Commands that begin a fault, and the fault.
fn fault(command: &str) -> Option<FaultKind> {
    match command {
        "kill" => Some(FaultKind::Crash),
        "power-loss" => Some(FaultKind::PowerLoss),
        "stop" => Some(FaultKind::Stop),
        "wipe" => Some(FaultKind::WipeDisk),
        "pause" => Some(FaultKind::Pause),
        _ => None,
    }
}

fn node(name: &str) -> Outcome<u32> {
    let number = name.strip_prefix('n').and_then(|digits| digits.parse::<u32>().ok());
    number.and_then(|number| number.checked_sub(1)).ok_or(format!("`{name}` is no node"))
}

/// The first reading: what will happen when.
struct Reading {
    plan: Plan,
    schedules: Vec<Vec<(Time, Action)>>,
    now: Time,
}

impl Reading {
    fn of(script: &Script) -> Outcome<Reading> {
        let mut reading =
            Reading { plan: Plan::new(1, 0, 0), schedules: Vec::new(), now: Time::ZERO };
        for line in script.blocks.iter().flat_map(|block| &block.commands) {
            let read = reading.command(&Command::parse(&line.text));
            read.map_err(|error| format!("{}: {error}", line.number))?;
        }
        Ok(reading)
    }

    fn command(&mut self, command: &Command<'_>) -> Outcome<()> {
        match command.name {
            "quorum" => self.declare(command)?,
            "run" | "skip" => self.now += span(command.word(0)?)?,
            "append" => {
                let count = command.word(1)?.parse().map_err(|_| "how many?")?;
                self.act(command, Action::Append(count))?;
            }
            "resign" => self.act(command, Action::Resign)?,
            "boot" => {
                let target = planned(self.now, FaultKind::Crash, &[node(command.word(0)?)?]).target;
                self.end_faults(|fault| fault.target == target);
            }
            "partition" => {
                let nodes: Outcome<Vec<u32>> = command.word(0)?.split(',').map(node).collect();
                self.plan.faults.push(planned(self.now, cut(&nodes?), &[]));
            }
            "heal" => self.end_faults(|fault| matches!(fault.kind, FaultKind::Partition(_))),
            "log" => {}
            other => {
                let kind = fault(other).ok_or(format!("there is no command `{other}`"))?;
                self.plan.faults.push(planned(self.now, kind, &[node(command.word(0)?)?]));
            }
        }
        Ok(())
    }

    fn declare(&mut self, command: &Command<'_>) -> Outcome<()> {
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

    fn act(&mut self, command: &Command<'_>, action: Action) -> Outcome<()> {
        let node = node(command.word(0)?)?;
        let schedule = self.schedules.get_mut(node as usize).ok_or("there is no such node")?;
        schedule.push((self.now, action));
        Ok(())
    }

    fn end_faults(&mut self, meant: impl Fn(&mqsim::world::PlannedFault) -> bool) {
        let now = self.now;
        let open = self.plan.faults.iter_mut().filter(|fault| fault.lasts.is_none());
        for fault in open.filter(|fault| meant(fault)) {
            fault.lasts = Some(now.since(fault.at));
        }
    }
}

/// The second reading: the run.
struct Story {
    simulation: Simulation<Counters, Blind>,
    now: Time,
    /// How much of each node's trace was told.
    told: Vec<usize>,
}

impl Story {
    fn step(&mut self, command: &Command<'_>) -> Outcome<Vec<String>> {
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

/// The output of every block; an error begins with its line.
fn tell(script: &Script) -> Outcome<Vec<Vec<String>>> {
    let Reading { plan, schedules, .. } = Reading::of(script)?;
    let config = Arc::new(plan.config.clone());
    let nodes = (0..).map(NodeId).zip(schedules);
    let machines: Vec<Counter> =
        nodes.map(|(node, schedule)| Counter::new(&config, node).telling(schedule)).collect();
    let told = vec![0; machines.len()];
    let simulation = Simulation::new(plan.setup(machines), Blind);
    let simulation = simulation.map_err(|error| format!(" {error}"))?;
    let mut story = Story { simulation, now: Time::ZERO, told };
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

fn check(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let script = Script::parse(&text).map_err(|error| format!("line {error}"))?;
    let outputs = tell(&script).map_err(|error| format!("line {error}"))?;
    if std::env::var_os("MQSIM_REWRITE").is_some() {
        return std::fs::write(path, script.with_outputs(&outputs))
            .map_err(|error| error.to_string());
    }
    let wrong = script.differences(&outputs);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// All of them; `MQSIM_SCRIPT=snapshot` runs those with that in their name.
#[test]
fn every_script_comes_out_as_it_is_told() {
    let wanted = std::env::var("MQSIM_SCRIPT").unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/raft");
    let entries = std::fs::read_dir(folder).expect("the folder of scripts");
    let mut scripts: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder").path()).collect();
    scripts.retain(|path| path.to_string_lossy().contains(&wanted));
    scripts.sort();
    assert!(!scripts.is_empty(), "there are scripts");
    let wrong: Vec<String> = scripts
        .iter()
        .filter_map(|path| Some(format!("{}: {}", path.display(), check(path).err()?)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}
