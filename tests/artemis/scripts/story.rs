//! Tells a script of Artemis. Its commands, beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `version 2.56`, `broker KEY=VALUE ...`, `rules NAME=false ...` | the version, and keys of these sections of a scenario |
//! | `shared KEY=VALUE ...` | a primary and a backup share a store; keys of `[storage]` |
//! | `pairs 1` | so many pairs of a primary and a backup with a copy of its journal |
//! | `queue orders`, `producer p1 KEY=VALUE ...`, `consumer c1 ...` | sections of a scenario |
//! | `journal n1` | the files of the journal and its records |
//! | `queues n1` | what waits in each queue, and who has what |

use mqsim::brokers::artemis::broker::Broker;
use mqsim::brokers::artemis::keys::SECTIONS;
use mqsim::brokers::artemis::machine::ArtemisCluster;
use mqsim::brokers::artemis::plan;
use mqsim::brokers::artemis::spec::{Kind, Spec};
use mqsim::brokers::artemis::storage::Storage;
use mqsim::brokers::kit::Family;
use mqsim::brokers::kit::machines::Holds;
use mqsim::engine::{Span, Time};
use mqsim::observe::{DestinationId, NodeId};
use mqsim::scenario::Document;
use mqsim::world::fault::{self, ClientSide};
use mqsim::world::{self, Setup, Simulation};

use crate::golden::{self, Command, Manner, Schedule, Script, Told, Trace, read, span};

/// How a script speaks of what is Artemis's own.
const MANNER: Manner = Manner::plain(|outcome| golden::told(outcome, "exception"));

const FIXED: &str = r#"
format = 1
mode = "artemis-single"
duration = "100000s"
[cluster]
nodes = 1
boot-time = "1s"
network = { latency = "1ms", client-latency = "1ms", bandwidth = "unlimited", loss = 0.0 }
disk = { fsync = "5ms", bandwidth = "unlimited" }
[costs]
packet = "0s"
record = "0s"
flush = "0s"
deliver = "0s"
load = "unlimited"
apply = "0s"
send = "0s"
consume = "0s"
"#;

/// A value as TOML has it.
fn value(text: &str) -> String {
    let plain = text.parse::<i64>().is_ok() || text == "true" || text == "false";
    if plain || text.starts_with(['[', '{', '"']) { text.to_owned() } else { format!("\"{text}\"") }
}

fn pairs(command: &Command<'_>) -> String {
    command.pairs().map(|(key, text)| format!("{key} = {}\n", value(text))).collect()
}

/// What a script says before it begins, as a scenario.
fn plan(script: &Script) -> Told<Spec> {
    let (mut broker, mut rules, mut sections) = (String::new(), String::new(), String::new());
    let mut version = "2.56".to_owned();
    let (mut fixed, mut kind) = (FIXED.to_owned(), Kind::Single);
    for line in script.blocks.iter().flat_map(|block| &block.commands) {
        let command = Command::parse(&line.text);
        let at = |error: String| format!("{}: {error}", line.number);
        match command.name {
            "version" => version = command.word(0).map_err(at)?.to_owned(),
            "shared" => {
                kind = Kind::SharedStore;
                fixed = fixed.replace("nodes = 1", "nodes = 2");
                fixed = fixed.replace("artemis-single", "artemis-shared-store");
                sections.push_str(&format!("[storage]\n{}", pairs(&command)));
            }
            "pairs" => {
                kind = Kind::Replication;
                let count: u32 = command
                    .word(0)
                    .and_then(|word| word.parse().map_err(|_| "how many pairs?".to_owned()))
                    .map_err(at)?;
                fixed = fixed.replace("nodes = 1", &format!("nodes = {}", count * 2));
                fixed = fixed.replace("artemis-single", "artemis-replication");
            }
            "broker" => broker.push_str(&pairs(&command)),
            "rules" => rules.push_str(&pairs(&command)),
            "queue" | "producer" | "consumer" => {
                let name = command.word(0).map_err(at)?;
                let own = pairs(&command);
                sections.push_str(&format!("[[{}]]\nname = \"{name}\"\n{own}", command.name));
            }
            _ => {}
        }
    }
    let text = format!("{fixed}[broker]\n{broker}[rules]\n{rules}{sections}");
    let document = Document::from_bytes("script", text.as_bytes());
    let known: Vec<_> = world::SECTIONS
        .iter()
        .chain([&&fault::FAULT, &&fault::NEMESIS, &&fault::NEMESIS_FAULT])
        .chain(SECTIONS)
        .copied()
        .collect();
    let scenario = document.and_then(|document| document.check(&known, version.parse().ok()));
    let spec = scenario.and_then(|scenario| plan::plan(&scenario, kind));
    spec.map_err(|wrong| format!("0: {}", wrong.render(false)))
}

fn host(spec: &Spec, name: &str) -> Told<NodeId> {
    spec.frame.topology().find(name).ok_or_else(|| format!("there is no host `{name}`"))
}

/// The run of a script.
pub(crate) struct Story {
    spec: Spec,
    simulation: Simulation<ArtemisCluster, Trace>,
    now: Time,
    /// How many facts have been printed.
    told: usize,
}

impl golden::Story for Story {
    fn begin(script: &Script) -> Told<Story> {
        let spec = plan(script)?;
        let mut schedule = Schedule::new(ClientSide::Follow);
        read(script, |command| match schedule.note(command, |name| host(&spec, name))? {
            true => Ok(()),
            false => match command.name {
                "version" | "shared" | "pairs" | "broker" | "rules" | "queue" | "producer"
                | "consumer" | "journal" | "queues" => Ok(()),
                other => Err(format!("there is no command `{other}`")),
            },
        })?;
        let setup = spec.setup(1);
        let setup = Setup {
            faults: schedule.faults,
            duration: Span::from_secs(100_000),
            drain: Span::ZERO,
            invariants: false,
            ..setup
        };
        let trace = Trace::new(MANNER, spec.catalog());
        let simulation = Simulation::<ArtemisCluster, Trace>::new(setup, trace);
        let simulation = simulation.map_err(|error| format!("0: {error}"))?;
        Ok(Story { spec, simulation, now: Time::ZERO, told: 0 })
    }

    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>> {
        match command.name {
            "run" | "skip" => {
                self.now += span(command.word(0)?)?;
                self.simulation.run_until(self.now).map_err(|error| error.to_string())?;
                let trace = self.simulation.observer();
                let from = std::mem::replace(&mut self.told, trace.len());
                let lines = trace.lines(from);
                Ok(if command.name == "run" { lines } else { Vec::new() })
            }
            "journal" => self.journal(command.word(0)?),
            "queues" => self.queues(command.word(0)?),
            _ => Ok(Vec::new()),
        }
    }
}

impl Story {
    fn broker(&self, name: &str) -> Told<&Broker> {
        let machine = &self.simulation.machines()[host(&self.spec, name)?.index()];
        machine.held().ok_or_else(|| format!("`{name}` is no broker"))
    }

    fn journal(&self, name: &str) -> Told<Vec<String>> {
        let machine = &self.simulation.machines()[host(&self.spec, name)?.index()];
        let storage: Option<&Storage> = machine.held();
        let journal = match storage {
            Some(storage) => storage.journal(),
            None => self.broker(name)?.journal(),
        };
        let catalog = self.spec.catalog();
        let files = journal
            .files()
            .map(|(file, length)| format!("activemq-data-{file}.amq: {length} bytes"));
        let mut lines: Vec<String> = files.collect();
        for record in journal.records() {
            let message = record.message.range;
            let producer = catalog.producer(message.producer);
            let of = if record.of > 0 { format!(", of {}", record.of) } else { String::new() };
            let queue = catalog.destination(record.queue);
            let what =
                format!("{:?} {} {producer} {} in {queue}", record.op, record.id, message.first);
            lines.push(format!("  ..{}: {what}{of}", record.end));
        }
        Ok(lines)
    }

    fn queues(&self, name: &str) -> Told<Vec<String>> {
        let broker = self.broker(name)?;
        let catalog = self.spec.catalog();
        let mut lines = Vec::new();
        for (queue, name) in (0..).map(DestinationId).zip(&self.spec.config.queues) {
            let (waiting, held) = broker.contents(queue);
            let message = |(producer, number): (u32, u32)| {
                let producer = catalog.producer(mqsim::observe::ProducerId(producer));
                format!("{producer} {number}")
            };
            let mut parts: Vec<String> = waiting.into_iter().map(message).collect();
            parts.extend(held.into_iter().map(|(host, sent)| {
                let host = &catalog.nodes[host.index()].name;
                format!("{} at {host}", message(sent))
            }));
            lines.push(format!("{name}: {}", parts.join(", ")).trim_end().to_owned());
        }
        Ok(lines)
    }
}
