//! Tells a script of RocketMQ. Its commands, beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `mode rocketmq-controller`, `mode rocketmq-dledger` | the mode, if it is not `rocketmq-master-slave` |
//! | `version 4.9.4`, `cluster nodes=2`, `broker KEY=VALUE ...`, `rules NAME=false ...`, `nameserver KEY=VALUE`, `controller KEY=VALUE` | the version, and keys of these sections of a scenario |
//! | `topic orders KEY=VALUE ...`, `producer p1 ...`, `consumer c1 ...` | sections of a scenario |
//! | `log n1` | the CommitLog: how far it is written, flushed and dispatched, and its records |
//! | `queues n1` | the consume queues, and what groups have committed |

use mqsim::brokers::kit::{Family, MachineOf};
use mqsim::brokers::rocketmq::broker::Broker;
use mqsim::brokers::rocketmq::config::Mode;
use mqsim::brokers::rocketmq::spec::Spec;

use crate::golden::{self, Command, Manner, Script, Shows, Told, pairs, resolve, section};

const FIXED: &str = r#"
format = 1
mode = "MODE"
duration = "100000s"
[cluster]
boot-time = "1s"
network = { latency = "1ms", bandwidth = "unlimited", loss = 0.0 }
disk = { fsync = "5ms", bandwidth = "unlimited" }
[costs]
request = "0s"
append = "0s"
pull = "0s"
pull-message = "0s"
dispatch = "0s"
replicate = "0s"
scan = "unlimited"
send = "0s"
consume = "0s"
"#;

impl Shows for Spec {
    const MANNER: Manner = Manner::plain(|outcome| golden::told(outcome, "not SEND_OK"));
    const SAYS: &'static [&'static str] = &[
        "mode",
        "controller",
        "version",
        "cluster",
        "broker",
        "rules",
        "nameserver",
        "topic",
        "producer",
        "consumer",
    ];
    const LOOKS: &'static [&'static str] = &["log", "queues"];

    fn read(script: &Script) -> Told<Self> {
        let mut text = FIXED.to_owned();
        let (mut broker, mut rules, mut names) = (String::new(), String::new(), String::new());
        let mut sections = String::new();
        let mut control = None;
        let (mut name, mut mode) = ("rocketmq-master-slave".to_owned(), Mode::MasterSlave);
        let mut version = "5.3".to_owned();
        for line in script.blocks.iter().flat_map(|block| &block.commands) {
            let command = Command::parse(&line.text);
            let at = |error: String| format!("{}: {error}", line.number);
            match command.name {
                "version" => version = command.word(0).map_err(at)?.to_owned(),
                "cluster" => {
                    text = text.replace("[cluster]\n", &format!("[cluster]\n{}", pairs(&command)));
                }
                "mode" => {
                    name = command.word(0).map_err(at)?.to_owned();
                    mode = match name.as_str() {
                        "rocketmq-dledger" => Mode::Dledger,
                        _ => Mode::Controller,
                    };
                }
                "controller" => control = Some(pairs(&command)),
                "broker" => broker.push_str(&pairs(&command)),
                "rules" => rules.push_str(&pairs(&command)),
                "nameserver" => names.push_str(&pairs(&command)),
                "topic" | "producer" | "consumer" => {
                    sections.push_str(&section(command.name, &command).map_err(at)?);
                }
                _ => {}
            }
        }
        text = text.replace("MODE", &name);
        if let Some(own) = control {
            text.push_str(&format!("[controller]\n{own}"));
        }
        text.push_str(&format!(
            "[broker]\n{broker}[rules]\n{rules}[nameserver]\n{names}{sections}"
        ));
        resolve(text, &version, mode).map_err(|wrong| format!("0: {wrong}"))
    }

    fn look(&self, machines: &[MachineOf<Self>], command: &Command<'_>) -> Told<Vec<String>> {
        let name = command.word(0)?;
        let broker: &Broker =
            self.held(machines, name)?.ok_or_else(|| format!("`{name}` is no broker"))?;
        Ok(match command.name {
            "log" => log(self, broker),
            _ => queues(self, broker),
        })
    }
}

fn log(spec: &Spec, broker: &Broker) -> Vec<String> {
    let store = broker.store();
    let log = &store.log;
    let (end, flushed, dispatched) = (log.end(), store.flushed, store.dispatched);
    let mut lines = vec![format!(
        "from {} to {end}, flushed {flushed}, dispatched {dispatched}, whole to {}",
        log.start(),
        log.valid_end(log.start())
    )];
    let catalog = spec.catalog();
    for record in log.beginning_in(0, end) {
        let (at, end) = (record.at, record.end());
        if record.is_padding() {
            lines.push(format!("  {at}..{end}: padding"));
            continue;
        }
        let producer = catalog.producer(record.message().producer);
        let queue = &spec.config.streams.get(record.queue).name;
        let (number, offset) = (record.message().first, record.offset);
        lines.push(format!("  {at}..{end}: {producer} {number}, {queue} offset {offset}"));
    }
    lines
}

fn queues(spec: &Spec, broker: &Broker) -> Vec<String> {
    let config = &spec.config;
    let mut lines = Vec::new();
    for queue in config.queues_of(broker.place().group) {
        let index = &broker.store().queues[queue.index()];
        if config.streams.is_internal(queue) && index.max() == 0 {
            continue;
        }
        let mut line =
            format!("{}: {}..{}", config.streams.get(queue).name, index.min(), index.max());
        for (group, name) in (0..).zip(&config.consumer_groups) {
            if let Some(offset) = broker.committed(group, queue) {
                line.push_str(&format!(", {name} at {offset}"));
            }
        }
        lines.push(line);
    }
    lines
}
