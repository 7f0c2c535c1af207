//! What the clients of a run did, as a history that others can check: every operation is invoked and
//! completed, as Jepsen's workloads for queues and for Kafka write it (jepsen.history; knossos).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io::{self, Write};
use std::sync::Arc;

use crate::engine::Time;
use crate::observe::{
    Catalog, ConsumerId, DestinationId, FaultId, FaultPhase, MessageRange, NodeId, NodeState,
    Observer, Outcome,
};

use super::{Prepared, RunError, observe};

/// How operations are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFormat {
    /// A map of EDN a line.
    Edn,
    /// An object of JSON a line.
    JsonLines,
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The run did not end by itself.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It could not be written.
    #[error("cannot write the history: {0}")]
    Io(#[from] io::Error),
}

/// Simulates a seed and writes what its clients did, a line an operation begun or ended, to `out`.
/// Returns how many lines.
///
/// # Errors
/// [`HistoryError`].
pub fn history(
    prepared: &Prepared,
    seed: u64,
    format: HistoryFormat,
    out: &mut dyn Write,
) -> Result<u64, HistoryError> {
    let writer = Lines { out, format, index: 0, at: Time::ZERO, failed: None };
    let observer = History::new(prepared.catalog().clone(), prepared.is_log(), writer);
    let (mut history, ending) = observe(prepared, seed, observer)?;
    history.end(ending.at);
    match history.lines.failed {
        Some(error) => Err(error.into()),
        None => Ok(history.lines.index),
    }
}

/// A value as both formats have it.
enum Value {
    Nothing,
    Word(&'static str),
    Text(String),
    Number(u64),
    Flag(bool),
    List(Vec<Value>),
    /// From a text to a value.
    Map(String, Box<Value>),
    Empty,
}

impl Value {
    fn text(&self, format: HistoryFormat) -> String {
        let edn = format == HistoryFormat::Edn;
        let joined = |all: &[Value]| {
            let all: Vec<String> = all.iter().map(|one| one.text(format)).collect();
            all.join(if edn { " " } else { "," })
        };
        match self {
            Value::Nothing => if edn { "nil" } else { "null" }.to_owned(),
            Value::Word(word) if edn => format!(":{word}"),
            Value::Word(word) => format!("\"{word}\""),
            Value::Text(text) => serde_json::to_string(text).expect("a text can be JSON"),
            Value::Number(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
            Value::List(all) => format!("[{}]", joined(all)),
            Value::Map(key, value) => {
                let key = serde_json::to_string(key).expect("a text can be JSON");
                format!("{{{key}{}{}}}", if edn { " " } else { ":" }, value.text(format))
            }
            Value::Empty => "{}".to_owned(),
        }
    }
}

/// What is written, line by line. Of errors the first is kept.
struct Lines<'a> {
    out: &'a mut dyn Write,
    format: HistoryFormat,
    index: u64,
    at: Time,
    failed: Option<io::Error>,
}

impl Lines<'_> {
    /// One operation: times never go back.
    fn line(&mut self, at: Time, fields: &[(&'static str, Value)]) {
        self.at = self.at.max(at);
        let mut all =
            vec![("index", Value::Number(self.index)), ("time", Value::Number(self.at.as_nanos()))];
        self.index += 1;
        if self.failed.is_some() {
            return;
        }
        let edn = self.format == HistoryFormat::Edn;
        let mut text = String::from("{");
        let written = all.drain(..).map(|(key, value)| (key, value.text(self.format)));
        let others = fields.iter().map(|(key, value)| (*key, value.text(self.format)));
        for (place, (key, value)) in written.chain(others).enumerate() {
            match (place, edn) {
                (0, _) => {}
                (_, true) => text.push_str(", "),
                (_, false) => text.push(','),
            }
            match edn {
                true => text.push_str(&format!(":{key} {value}")),
                false => text.push_str(&format!("\"{key}\":{value}")),
            }
        }
        text.push_str("}\n");
        self.failed = self.out.write_all(text.as_bytes()).err();
    }
}

/// A send that has no answer yet.
#[derive(Clone, Copy)]
struct Open {
    process: u64,
    sent: bool,
}

/// Processes do one thing at a time; one whose operation may have happened or not does none after
/// that.
#[derive(Default)]
struct Processes {
    next: u64,
    free: BTreeMap<NodeId, BinaryHeap<Reverse<u64>>>,
}

impl Processes {
    /// One of a host that does nothing.
    fn take(&mut self, host: NodeId) -> u64 {
        let idle = self.free.get_mut(&host).and_then(BinaryHeap::pop);
        idle.map_or_else(
            || {
                self.next += 1;
                self.next - 1
            },
            |Reverse(process)| process,
        )
    }

    fn give_back(&mut self, host: NodeId, process: u64) {
        self.free.entry(host).or_default().push(Reverse(process));
    }
}

struct History<'a> {
    catalog: Arc<Catalog>,
    /// Whether brokers keep logs, of which consumers poll.
    log: bool,
    lines: Lines<'a>,
    processes: Processes,
    /// By producer and number.
    open: Vec<BTreeMap<u32, Open>>,
    /// What has failed and may be sent again.
    again: Vec<BTreeSet<u32>>,
    /// Where the messages are whose outcome is told next.
    placed: Option<(MessageRange, u64)>,
    /// By consumer: the process that waits for messages.
    waiting: Vec<Option<u64>>,
    /// From where the messages are that are handed over next.
    polled: Option<u64>,
}

impl<'a> History<'a> {
    fn new(catalog: Arc<Catalog>, log: bool, lines: Lines<'a>) -> History<'a> {
        let producers = catalog.producers.len();
        History {
            log,
            lines,
            processes: Processes::default(),
            open: vec![BTreeMap::new(); producers],
            again: vec![BTreeSet::new(); producers],
            placed: None,
            waiting: vec![None; catalog.consumers.len()],
            polled: None,
            catalog,
        }
    }

    /// What a message is called: unique within its log, or among all that go to queues.
    fn name(&self, messages: MessageRange, number: u32) -> Value {
        Value::Text(format!("{}#{number}", self.catalog.producer(messages.producer)))
    }

    fn destination(&self, destination: DestinationId) -> String {
        self.catalog.destinations[destination.index()].name.clone()
    }

    /// The value of a send, with the offset if it is known.
    fn sending(&self, messages: MessageRange, number: u32, offset: Option<Value>) -> Value {
        let name = self.name(messages, number);
        if !self.log {
            return name;
        }
        let info = &self.catalog.producers[messages.producer.index()];
        let log = info.destinations.first().map(|one| self.destination(*one));
        // Of a partition that several groups read, the name of the partition.
        let log = log.map_or(String::new(), |log| log.split('@').next().unwrap_or("").to_owned());
        let what = match offset {
            None => name,
            Some(offset) => Value::List(vec![offset, name]),
        };
        Value::List(vec![Value::List(vec![Value::Word("send"), Value::Text(log), what])])
    }

    fn invoke_send(&mut self, at: Time, messages: MessageRange, number: u32) -> u64 {
        let host = self.catalog.producers[messages.producer.index()].node;
        let process = self.processes.take(host);
        let mut fields = self.fields(process, "invoke", if self.log { "send" } else { "enqueue" });
        fields.push(("value", self.sending(messages, number, None)));
        fields.extend(self.queues(messages));
        fields.push(("client", Value::Text(self.catalog.nodes[host.index()].name.clone())));
        self.lines.line(at, &fields);
        process
    }

    fn fields(
        &self,
        process: u64,
        kind: &'static str,
        what: &'static str,
    ) -> Vec<(&'static str, Value)> {
        vec![
            ("process", Value::Number(process)),
            ("type", Value::Word(kind)),
            ("f", Value::Word(what)),
        ]
    }

    /// The queues that a message is meant for.
    fn queues(&self, messages: MessageRange) -> Option<(&'static str, Value)> {
        let all = &self.catalog.producers[messages.producer.index()].destinations;
        let names = all.iter().map(|one| Value::Text(self.destination(*one)));
        (!self.log).then(|| ("queues", Value::List(names.collect())))
    }

    fn complete_send(
        &mut self,
        at: Time,
        messages: MessageRange,
        number: u32,
        (process, outcome): (u64, Outcome),
    ) {
        let host = self.catalog.producers[messages.producer.index()].node;
        let kind = match outcome {
            Outcome::Acked | Outcome::Accepted => "ok",
            Outcome::Returned | Outcome::Rejected | Outcome::Unsent => "fail",
            Outcome::Nacked | Outcome::Unknown => "info",
        };
        let offset = match self.placed {
            _ if kind != "ok" => None,
            Some((placed, offset)) if placed == messages => {
                Some(Value::Number(offset + u64::from(number - messages.first)))
            }
            _ => Some(Value::Nothing),
        };
        let mut fields = self.fields(process, kind, if self.log { "send" } else { "enqueue" });
        fields.push(("value", self.sending(messages, number, offset)));
        fields.extend(self.queues(messages));
        fields.push(("client", Value::Text(self.catalog.nodes[host.index()].name.clone())));
        fields.push(("outcome", Value::Word(outcome_word(outcome))));
        self.lines.line(at, &fields);
        if kind != "info" {
            self.processes.give_back(host, process);
        }
    }

    fn reading(&self) -> &'static str {
        if self.log { "poll" } else { "dequeue" }
    }

    /// A consumer waits for messages.
    fn invoke_read(&mut self, at: Time, consumer: ConsumerId) {
        let host = self.catalog.consumers[consumer.index()].node;
        let process = self.processes.take(host);
        let value = match self.log {
            true => Value::List(vec![Value::List(vec![Value::Word("poll")])]),
            false => Value::Nothing,
        };
        let mut fields = self.fields(process, "invoke", self.reading());
        fields.extend([("value", value), ("client", self.client(consumer))]);
        self.lines.line(at, &fields);
        self.waiting[consumer.index()] = Some(process);
    }

    fn client(&self, consumer: ConsumerId) -> Value {
        Value::Text(self.catalog.consumers[consumer.index()].name.clone())
    }

    /// A consumer waits no more: it got this, nothing, or has died.
    fn complete_read(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        kind: &'static str,
        more: Vec<(&'static str, Value)>,
    ) {
        let Some(process) = self.waiting[consumer.index()].take() else { return };
        let mut fields = self.fields(process, kind, self.reading());
        fields.extend(more);
        let info = &self.catalog.consumers[consumer.index()];
        fields.push(("client", self.client(consumer)));
        if info.auditor {
            fields.push(("auditor", Value::Flag(true)));
        }
        self.lines.line(at, &fields);
        if kind != "info" {
            self.processes.give_back(self.catalog.consumers[consumer.index()].node, process);
        }
    }

    /// The run is over: what is not answered stays so, and who waits for messages got none.
    fn end(&mut self, at: Time) {
        for producer in 0..self.open.len() {
            for (number, open) in std::mem::take(&mut self.open[producer]) {
                let outcome = if open.sent { Outcome::Unknown } else { Outcome::Unsent };
                let producer = crate::observe::ProducerId(producer as u32);
                let messages = MessageRange { producer, first: number, count: 1, bytes: 0 };
                self.complete_send(at, messages, number, (open.process, outcome));
            }
        }
        for consumer in 0..self.waiting.len() {
            let consumer = ConsumerId(consumer as u32);
            match self.log {
                true => {
                    let none = Value::List(vec![Value::Word("poll"), Value::Empty]);
                    let none = vec![("value", Value::List(vec![none]))];
                    self.complete_read(at, consumer, "ok", none);
                }
                false => {
                    let none = vec![("value", Value::Nothing), ("error", Value::Word("empty"))];
                    self.complete_read(at, consumer, "fail", none);
                }
            }
        }
    }
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Acked => "acked",
        Outcome::Accepted => "accepted",
        Outcome::Returned => "returned",
        Outcome::Rejected => "rejected",
        Outcome::Nacked => "nacked",
        Outcome::Unknown => "unknown",
        Outcome::Unsent => "unsent",
    }
}

impl Observer for History<'_> {
    fn attempted(&mut self, at: Time, _: Time, messages: MessageRange) {
        for number in messages.first..messages.first + messages.count {
            let process = self.invoke_send(at, messages, number);
            self.open[messages.producer.index()].insert(number, Open { process, sent: false });
        }
    }

    fn sent(&mut self, at: Time, messages: MessageRange) {
        for number in messages.first..messages.first + messages.count {
            if self.again[messages.producer.index()].remove(&number) {
                let process = self.invoke_send(at, messages, number);
                let open = Open { process, sent: true };
                self.open[messages.producer.index()].insert(number, open);
            } else if let Some(open) = self.open[messages.producer.index()].get_mut(&number) {
                open.sent = true;
            }
        }
    }

    fn placed(&mut self, _: Time, messages: MessageRange, offset: u64) {
        self.placed = Some((messages, offset));
    }

    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        for number in messages.first..messages.first + messages.count {
            let producer = messages.producer.index();
            // Another word on what was settled is another operation.
            let process = match self.open[producer].remove(&number) {
                Some(open) => open.process,
                None => self.invoke_send(at, messages, number),
            };
            self.complete_send(at, messages, number, (process, outcome));
            let settled = matches!(outcome, Outcome::Acked | Outcome::Accepted);
            match settled {
                true => self.again[producer].remove(&number),
                false => self.again[producer].insert(number),
            };
        }
        self.placed = None;
    }

    fn polled(&mut self, _: Time, _: ConsumerId, _: DestinationId, _: MessageRange, offset: u64) {
        self.polled = Some(offset);
    }

    fn delivered(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        let offset = self.polled.take();
        let place = self.destination(destination);
        let numbers = messages.first..messages.first + messages.count;
        if self.waiting[consumer.index()].is_none() {
            self.invoke_read(at, consumer);
        }
        if self.log {
            let one = |number: u32| {
                let at = |offset: u64| Value::Number(offset + u64::from(number - messages.first));
                Value::List(vec![offset.map_or(Value::Nothing, at), self.name(messages, number)])
            };
            let read = Value::Map(place, Box::new(Value::List(numbers.map(one).collect())));
            let value = Value::List(vec![Value::List(vec![Value::Word("poll"), read])]);
            self.complete_read(at, consumer, "ok", vec![("value", value)]);
            return self.invoke_read(at, consumer);
        }
        for number in numbers {
            let value = self.name(messages, number);
            let mut more = vec![("value", value), ("queue", Value::Text(place.clone()))];
            if redelivered {
                more.push(("redelivered", Value::Flag(true)));
            }
            self.complete_read(at, consumer, "ok", more);
            self.invoke_read(at, consumer);
        }
    }

    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        if !matches!(state, NodeState::Killed | NodeState::PowerLost | NodeState::Stopped) {
            return;
        }
        for consumer in 0..self.waiting.len() {
            if self.catalog.consumers[consumer].node == node {
                let nothing =
                    vec![("value", Value::Nothing), ("error", Value::Word("process-gone"))];
                self.complete_read(at, ConsumerId(consumer as u32), "info", nothing);
            }
        }
    }

    fn fault(&mut self, at: Time, fault: FaultId, phase: FaultPhase, targets: &[NodeId]) {
        let what = match phase {
            FaultPhase::Begun => "fault-begins",
            FaultPhase::Ended => "fault-ends",
            FaultPhase::Failed(_) => "fault-fails",
            FaultPhase::Skipped => return,
        };
        let name = self.catalog.faults.get(fault.index()).cloned().unwrap_or_default();
        let targets = targets.iter().map(|node| &self.catalog.nodes[node.index()].name);
        let targets = Value::List(targets.cloned().map(Value::Text).collect());
        let fields = [
            ("process", Value::Word("nemesis")),
            ("type", Value::Word("info")),
            ("f", Value::Word(what)),
            ("value", Value::List(vec![Value::Text(name), targets])),
        ];
        self.lines.line(at, &fields);
    }
}
