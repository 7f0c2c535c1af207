//! Tells a script of Artemis. Its commands, beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `version 2.56`, `broker KEY=VALUE ...`, `rules NAME=false ...` | the version, and keys of these sections of a scenario |
//! | `shared KEY=VALUE ...` | a primary and a backup share a store; keys of `[storage]` |
//! | `pairs 1` | one pair, or three, of a primary and a backup with a copy of its journal |
//! | `queue orders`, `producer p1 KEY=VALUE ...`, `consumer c1 ...` | sections of a scenario |
//! | `journal n1` | the files of the journal and its records |
//! | `queues n1` | what waits in each queue, and who has what |

use mqsim::brokers::artemis::broker::Broker;
use mqsim::brokers::artemis::spec::{Kind, Spec};
use mqsim::brokers::artemis::storage::Storage;
use mqsim::brokers::artemis::store::Store;
use mqsim::brokers::kit::{Family, MachineOf};

use crate::golden::{self, Command, Manner, Script, Shows, Told, pairs, queues, resolve, section};

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

impl Shows for Spec {
    const MANNER: Manner = Manner::plain(|outcome| golden::told(outcome, "exception"));
    const SAYS: &'static [&'static str] =
        &["version", "shared", "pairs", "broker", "rules", "queue", "producer", "consumer"];
    const LOOKS: &'static [&'static str] = &["journal", "queues"];

    fn read(script: &Script) -> Told<Self> {
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
                    let nodes = if command.word(0).map_err(at)? == "3" { 6 } else { 2 };
                    fixed = fixed.replace("nodes = 1", &format!("nodes = {nodes}"));
                    fixed = fixed.replace("artemis-single", "artemis-replication");
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

    fn look(&self, machines: &[MachineOf<Self>], command: &Command<'_>) -> Told<Vec<String>> {
        let name = command.word(0)?;
        let broker: Option<&Broker> = self.held(machines, name)?;
        if command.name == "journal" {
            let storage: Option<&Storage> = self.held(machines, name)?;
            let journal = storage.map(Storage::journal).or(broker.map(Broker::journal));
            let journal = journal.ok_or_else(|| format!("`{name}` has no journal"))?;
            return Ok(lines(self, journal));
        }
        let broker = broker.ok_or_else(|| format!("`{name}` is no broker"))?;
        Ok(queues(self, |queue| broker.contents(queue)))
    }
}

fn lines(spec: &Spec, journal: &Store) -> Vec<String> {
    let catalog = spec.catalog();
    let files = journal.files();
    let mut lines: Vec<String> =
        files.map(|(file, length)| format!("file {file}: {length} bytes")).collect();
    for record in journal.records() {
        let message = record.message.range;
        let producer = catalog.producer(message.producer);
        let of = if record.of > 0 { format!(", of {}", record.of) } else { String::new() };
        let queue = catalog.destination(record.queue);
        let (op, id, first) = (record.op, record.id, message.first);
        lines.push(format!("  ..{}: {op:?} {id} {producer} {first} in {queue}{of}", record.end));
    }
    lines
}
