//! Tells a script of ActiveMQ. Its commands, beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `version 5.18`, `broker KEY=VALUE ...`, `rules NAME=false ...` | the version, and keys of these sections of a scenario |
//! | `storage brokers=2 KEY=VALUE ...` | so many brokers share a store; keys of `[storage]` |
//! | `queue orders`, `producer p1 KEY=VALUE ...`, `consumer c1 ...` | sections of a scenario |
//! | `journal n1` | the files of the journal and its records |
//! | `queues n1` | what waits in each queue, and who has what |

use mqsim::brokers::activemq::broker::Broker;
use mqsim::brokers::activemq::machine::ActiveCluster;
use mqsim::brokers::activemq::spec::{Kind, Spec};
use mqsim::brokers::activemq::storage::Storage;
use mqsim::brokers::kit::Family;
use mqsim::brokers::kit::machines::Holds;
use mqsim::observe::DestinationId;
use mqsim::world::fault::ClientSide;

use crate::golden::{
    self, Command, Manner, Run, Schedule, Script, Told, Trace, host, pairs, read, resolve, section,
};

/// How a script speaks of what is ActiveMQ's own.
const MANNER: Manner = Manner::plain(|outcome| golden::told(outcome, "exception"));

const FIXED: &str = r#"
format = 1
mode = "activemq-single"
duration = "100000s"
[cluster]
nodes = 1
boot-time = "1s"
network = { latency = "1ms", client-latency = "1ms", bandwidth = "unlimited", loss = 0.0 }
disk = { fsync = "5ms", bandwidth = "unlimited" }
[costs]
command = "0s"
dispatch = "0s"
store = "0s"
batch = "0s"
record = "0s"
wake = "0s"
scan = "unlimited"
send = "0s"
consume = "0s"
"#;

/// What a script says before it begins, as a scenario.
fn plan(script: &Script) -> Told<Spec> {
    let (mut broker, mut rules, mut sections) = (String::new(), String::new(), String::new());
    let mut version = "5.18".to_owned();
    let (mut fixed, mut kind) = (FIXED.to_owned(), Kind::Single);
    for line in script.blocks.iter().flat_map(|block| &block.commands) {
        let command = Command::parse(&line.text);
        let at = |error: String| format!("{}: {error}", line.number);
        match command.name {
            "version" => version = command.word(0).map_err(at)?.to_owned(),
            "storage" => {
                kind = Kind::SharedStorage;
                let own = pairs(&command);
                let (brokers, rest) = own.split_once('\n').unwrap_or((&own, ""));
                fixed = fixed.replace("nodes = 1", &brokers.replace("brokers", "nodes"));
                fixed = fixed.replace("activemq-single", "activemq-shared-storage");
                sections.push_str(&format!("[storage]\n{rest}"));
            }
            "broker" => broker.push_str(&pairs(&command)),
            "rules" => rules.push_str(&pairs(&command)),
            "queue" | "producer" | "consumer" => {
                sections.push_str(&section(command.name, &command).map_err(at)?);
            }
            _ => {}
        }
    }
    let text = format!("{fixed}[broker]\n{broker}[rules]\n{rules}{sections}");
    resolve(text, &version, kind).map_err(|wrong| format!("0: {wrong}"))
}

/// The run of a script.
pub(crate) struct Story {
    spec: Spec,
    run: Run<ActiveCluster, Trace>,
}

impl golden::Story for Story {
    fn begin(script: &Script) -> Told<Story> {
        let spec = plan(script)?;
        let mut schedule = Schedule::new(ClientSide::Follow);
        read(script, |command| match schedule.note(command, |name| host(&spec, name))? {
            true => Ok(()),
            false => match command.name {
                "version" | "storage" | "broker" | "rules" | "queue" | "producer" | "consumer"
                | "journal" | "queues" => Ok(()),
                other => Err(format!("there is no command `{other}`")),
            },
        })?;
        let run = Run::of(&spec, schedule.faults, MANNER)?;
        Ok(Story { spec, run })
    }

    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>> {
        if let Some(told) = self.run.pass(command)? {
            return Ok(told);
        }
        match command.name {
            "journal" => self.journal(command.word(0)?),
            "queues" => self.queues(command.word(0)?),
            _ => Ok(Vec::new()),
        }
    }
}

impl Story {
    fn broker(&self, name: &str) -> Told<&Broker> {
        let machine = &self.run.machines()[host(&self.spec, name)?.index()];
        machine.held().ok_or_else(|| format!("`{name}` is no broker"))
    }

    fn journal(&self, name: &str) -> Told<Vec<String>> {
        let machine = &self.run.machines()[host(&self.spec, name)?.index()];
        let storage: Option<&Storage> = machine.held();
        let journal = match storage {
            Some(storage) => storage.journal(),
            None => self.broker(name)?.journal(),
        };
        let catalog = self.spec.catalog();
        let mut lines = Vec::new();
        for (file, length) in journal.files() {
            lines.push(format!("db-{file}.log: {length} bytes"));
            for (_, record) in journal.records().filter(|(own, _)| *own == file) {
                let message = record.message.range;
                let producer = catalog.producer(message.producer);
                let of = if record.of > 0 { format!(", of {}", record.of) } else { String::new() };
                let queue = catalog.destination(record.queue);
                let what = format!("{:?} {producer} {} in {queue}", record.op, message.first);
                lines.push(format!("  ..{}: {what}{of}", record.end));
            }
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
