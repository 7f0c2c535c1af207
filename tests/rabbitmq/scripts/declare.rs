//! What a script declares, as the scenario that it is: read by the keys and the plan that read
//! every scenario.

use std::fmt::Write;

use mqsim::brokers::rabbitmq::message::QueueId;
use mqsim::brokers::rabbitmq::plan::Mode;
use mqsim::brokers::rabbitmq::spec::Spec;
use mqsim::observe::NodeId;

use super::cluster::Plan;
use crate::golden::{Command, Script, pair, pairs, resolve};

/// The scenario's text as it grows.
#[derive(Default)]
struct Declared {
    broker: String,
    rules: String,
    /// `[[queue]]`, `[[policy]]`, `[[exchange]]`, `[[binding]]`.
    sections: String,
    queues: Vec<String>,
    rings: Vec<(QueueId, String)>,
    /// Fanout exchanges with their queues.
    exchanges: Vec<(String, Vec<QueueId>)>,
    mirrored: bool,
    brokers: u32,
    seed: u64,
    version: String,
}

/// Reads the lines of a script that declare something.
///
/// | line | what it declares |
/// | --- | --- |
/// | `cluster nodes=3 version=3.12 net-ticktime=8s net-setuptime=7s heartbeat=0s seed=1` | members |
/// | `broker KEY=VALUE ...`, `rules NAME=false ...` | keys of `[broker]`, of `[rules]` |
/// | `queue NAME on=n1 [transient] [mirrored sync=automatic ...] [ring=n1,n3,n2] [KEY=VALUE ...]` | a queue |
/// | `policy KEY=VALUE ...` | a policy |
/// | `exchange NAME to=queue,...` | a fanout exchange |
/// | `order KIND [on=n2] KEY=VALUE ...` | an `[[action]]`, given at that moment |
pub(crate) fn declare(script: &Script) -> Result<Plan, String> {
    let mut declared = Declared { seed: 1, version: "3.10".to_owned(), ..Declared::default() };
    let mut last = 0;
    for line in script.blocks.iter().flat_map(|block| &block.commands) {
        let read = declared.line(&Command::parse(&line.text));
        if read.map_err(|error| format!("{}: {error}", line.number))? {
            last = line.number;
        }
    }
    declared.plan().map_err(|error| format!("{last}: {error}"))
}

impl Declared {
    /// Whether the line declares something.
    fn line(&mut self, command: &Command<'_>) -> Result<bool, String> {
        match command.name {
            "cluster" => {
                self.brokers = command.number("nodes", 1)?;
                self.seed = u64::from(command.number("seed", 1)?);
                self.version = command.value("version").unwrap_or("3.10").to_owned();
                for (key, short, default) in [
                    ("net_ticktime", "net-ticktime", "60s"),
                    ("net_setuptime", "net-setuptime", "7s"),
                    ("heartbeat", "heartbeat", "0s"),
                    ("queue_index_max_journal_entries", "journal-entries", "32768"),
                ] {
                    pair(&mut self.broker, key, command.value(short).unwrap_or(default));
                }
            }
            "broker" => self.broker.push_str(&pairs(command)),
            "rules" => self.rules.push_str(&pairs(command)),
            "policy" => {
                self.mirrored = true;
                self.sections.push_str("[[policy]]\n");
                if command.value("pattern").is_none() {
                    pair(&mut self.sections, "pattern", ".*");
                }
                self.sections.push_str(&pairs(command));
            }
            "order" => {
                self.sections.push_str("[[action]]\nat = \"1s\"\n");
                pair(&mut self.sections, "kind", command.word(0)?);
                self.sections.push_str(&pairs(command));
            }
            "queue" if command.value("on").is_some() => self.queue(command)?,
            "exchange" => self.exchange(command)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn queue(&mut self, command: &Command<'_>) -> Result<(), String> {
        let name = command.word(0)?;
        if let Some(ring) = command.value("ring") {
            self.rings.push((QueueId(self.queues.len() as u32), ring.to_owned()));
        }
        self.queues.push(name.to_owned());
        self.sections.push_str("[[queue]]\n");
        pair(&mut self.sections, "name", name);
        pair(
            &mut self.sections,
            "durable",
            if command.has("transient") { "false" } else { "true" },
        );
        pair(&mut self.sections, "leader", command.value("on").unwrap_or("n1"));
        const MIRRORING: [(&str, &str); 4] = [
            ("sync", "ha-sync-mode"),
            ("batch", "ha-sync-batch-size"),
            ("promote-on-shutdown", "ha-promote-on-shutdown"),
            ("promote-on-failure", "ha-promote-on-failure"),
        ];
        let mut own = vec!["on", "ring"];
        own.extend(MIRRORING.map(|(short, _)| short));
        self.sections.push_str(&pairs_but(command, &own));
        if command.has("mirrored") {
            self.mirrored = true;
            self.sections.push_str("[[policy]]\nha-mode = \"all\"\n");
            pair(&mut self.sections, "pattern", &format!("^{name}$"));
            for (short, key) in MIRRORING {
                if let Some(value) = command.value(short) {
                    pair(&mut self.sections, key, value);
                }
            }
        }
        Ok(())
    }

    fn exchange(&mut self, command: &Command<'_>) -> Result<(), String> {
        let name = command.word(0)?;
        let queues = command.value("to").ok_or("an exchange wants to=queue,...")?;
        let mut bound = Vec::new();
        let _ = write!(self.sections, "[[exchange]]\nname = \"{name}\"\ntype = \"fanout\"\n");
        for queue in queues.split(',') {
            let _ = writeln!(
                self.sections,
                "[[binding]]\nexchange = \"{name}\"\nqueue = \"{queue}\"\nrouting-key = \"\""
            );
            let index = self.queues.iter().position(|known| known == queue);
            let index = index.ok_or(format!("there is no queue `{queue}`"))?;
            bound.push(QueueId(index as u32));
        }
        self.exchanges.push((name.to_owned(), bound));
        Ok(())
    }

    fn plan(self) -> Result<Plan, String> {
        let (mode, name) = match (self.brokers, self.mirrored) {
            (1, false) => (Mode::Single, "rabbitmq-single"),
            (_, false) => (Mode::Cluster, "rabbitmq-cluster"),
            (_, true) => (Mode::Mirrored, "rabbitmq-mirrored"),
        };
        let text = format!(
            "format = 1\nname = \"script\"\nmode = \"{name}\"\nduration = \"1000h\"\n\
             [cluster]\nnodes = {}\nboot-time = \"2s\"\n[broker]\n{}[rules]\n{}{}",
            self.brokers, self.broker, self.rules, self.sections
        );
        let spec: Spec = resolve(text, &self.version, mode)?;
        let mut spec = spec.located(self.seed);
        // Each exchange has one key, the empty one, which no producer of the plan has named.
        spec.routes = self.exchanges.iter().map(|(_, queues)| vec![queues.clone()]).collect();
        let node = |name: &str| {
            let number = name.strip_prefix('n').and_then(|digits| digits.parse::<u32>().ok());
            let number = number.filter(|number| (1..=self.brokers).contains(number));
            number.map(|number| NodeId(number - 1)).ok_or(format!("there is no node `{name}`"))
        };
        let mut rings = Vec::new();
        for (queue, names) in &self.rings {
            rings.push((*queue, names.split(',').map(node).collect::<Result<_, _>>()?));
        }
        Ok(Plan {
            brokers: self.brokers,
            seed: self.seed,
            spec,
            rings,
            exchanges: self.exchanges.into_iter().map(|(name, _)| name).collect(),
            clients: Vec::new(),
            orders: Vec::new(),
            faults: Vec::new(),
        })
    }
}

/// All `key=value` of a command but its own words, as lines of a section.
fn pairs_but(command: &Command<'_>, own: &[&str]) -> String {
    let mut text = String::new();
    let others = command.pairs().filter(|(key, _)| !own.contains(key));
    others.for_each(|(key, value)| pair(&mut text, key, value));
    text
}
