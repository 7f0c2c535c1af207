//! What the experiments with 4.0.5 and 4.3.6 have in common: three nodes, clients as the harness had
//! them, and all that the clients saw.

use mqsim::engine::Time;
use mqsim::observe::{
    Catalog, ConsumerId, DestinationId, Event, MessageRange, Observer, Outcome, Removal,
};
use mqsim::run::{observe, parse, simulate};
use mqsim::verdict::Report;

use super::super::lab::{ranges_overlap, seeds};

/// From when the load begins to when the fault is, in most experiments: between two sends.
pub(crate) const FAULT_AT: f64 = 5.0007;

/// What became of one message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    /// When it was first sent.
    pub sent: f64,
    /// When it was confirmed.
    pub confirmed: Option<f64>,
    /// Whether it was ever nacked.
    pub nacked: bool,
    /// Whether it came back.
    pub returned: bool,
    /// How often it was delivered.
    pub deliveries: u32,
}

/// A delivery to an application.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub at: f64,
    pub consumer: usize,
    pub producer: usize,
    pub number: usize,
    /// The broker's flag.
    pub redelivered: bool,
}

/// All that the clients of one run saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// By producer and number.
    pub lines: Vec<Vec<Line>>,
    /// In their order.
    pub deliveries: Vec<Delivery>,
    /// When there was a confirm, by producer.
    pub confirms: Vec<Vec<f64>>,
    /// When there was a nack, by producer.
    pub nacks: Vec<Vec<f64>>,
    /// What happened, in the family's words, and on which node.
    pub events: Vec<(f64, &'static str, usize)>,
    /// Messages that were given up by brokers, and when.
    pub dropped: Vec<(f64, &'static str)>,
}

/// Collects it.
struct Watch<'a> {
    catalog: &'a Catalog,
    seen: Seen,
}

fn seconds(at: Time) -> f64 {
    at.as_nanos() as f64 / 1e9
}

fn grown<T: Default>(all: &mut Vec<T>, index: usize) -> &mut T {
    if all.len() <= index {
        all.resize_with(index + 1, T::default);
    }
    &mut all[index]
}

impl Watch<'_> {
    fn line(&mut self, messages: MessageRange) -> &mut Line {
        assert_eq!(messages.count, 1, "the experiments' clients send one at a time");
        let of = grown(&mut self.seen.lines, messages.producer.index());
        grown(of, messages.first as usize)
    }
}

impl Observer for Watch<'_> {
    fn sent(&mut self, at: Time, messages: MessageRange) {
        let line = self.line(messages);
        if line.sent == 0.0 {
            line.sent = seconds(at);
        }
    }

    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        let (at, producer) = (seconds(at), messages.producer.index());
        let line = self.line(messages);
        match outcome {
            Outcome::Acked => {
                line.confirmed.get_or_insert(at);
                grown(&mut self.seen.confirms, producer).push(at);
            }
            Outcome::Nacked => {
                line.nacked = true;
                grown(&mut self.seen.nacks, producer).push(at);
            }
            Outcome::Returned => line.returned = true,
            _ => {}
        }
    }

    fn delivered(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        _: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        self.line(messages).deliveries += 1;
        self.seen.deliveries.push(Delivery {
            at: seconds(at),
            consumer: consumer.index(),
            producer: messages.producer.index(),
            number: messages.first as usize,
            redelivered,
        });
    }

    fn event(&mut self, at: Time, event: Event) {
        let name = self.catalog.events[event.word.index()].name;
        self.seen.events.push((seconds(at), name, event.node.index()));
    }

    fn dropped(
        &mut self,
        at: Time,
        _: mqsim::observe::NodeId,
        _: Option<DestinationId>,
        _: MessageRange,
        removal: Removal,
    ) {
        let cause = self.catalog.causes[removal.cause.index()].name;
        self.seen.dropped.push((seconds(at), cause));
    }
}

/// The longest time without one of these instants between `from` and `to`.
fn longest_gap(instants: impl Iterator<Item = f64>, from: f64, to: f64) -> f64 {
    let (mut last, mut longest) = (from, 0.0_f64);
    for at in instants.filter(|at| (from..=to).contains(at)).chain([to]) {
        longest = longest.max(at - last);
        last = at;
    }
    longest
}

impl Seen {
    /// The longest time without a confirm of a producer.
    pub(crate) fn write_pause(&self, producer: usize, from: f64, to: f64) -> f64 {
        longest_gap(self.confirms[producer].iter().copied(), from, to)
    }

    /// The longest time without a delivery to these consumers.
    pub(crate) fn read_pause(&self, consumers: &[usize], from: f64, to: f64) -> f64 {
        let to_them = self.deliveries.iter().filter(|of| consumers.contains(&of.consumer));
        longest_gap(to_them.map(|of| of.at), from, to)
    }

    /// Messages of a producer of which this is so.
    pub(crate) fn count(&self, producer: usize, what: impl Fn(&Line) -> bool) -> usize {
        self.lines[producer].iter().filter(|line| what(line)).count()
    }

    /// Confirmed, and nobody ever got it.
    pub(crate) fn lost(&self, producer: usize) -> usize {
        let lost = |line: &Line| line.confirmed.is_some() && !line.returned && line.deliveries == 0;
        self.count(producer, lost)
    }

    /// Nacks of all producers.
    pub(crate) fn nacked(&self) -> usize {
        self.nacks.iter().map(Vec::len).sum()
    }

    /// Deliveries beyond the first of each message.
    pub(crate) fn duplicates(&self) -> usize {
        let again = |line: &Line| line.deliveries.saturating_sub(1) as usize;
        self.lines.iter().flatten().map(again).sum()
    }

    /// First deliveries after that of a later message of the same producer.
    pub(crate) fn out_of_order(&self) -> usize {
        let mut had = vec![Vec::new(); self.lines.len()];
        let mut furthest = vec![0; self.lines.len()];
        let mut late = 0;
        for of in &self.deliveries {
            let seen: &mut bool = grown(&mut had[of.producer], of.number);
            if !std::mem::replace(seen, true) {
                late += usize::from(of.number < furthest[of.producer]);
                furthest[of.producer] = furthest[of.producer].max(of.number);
            }
        }
        late
    }

    /// Deliveries with the broker's flag.
    pub(crate) fn redelivered(&self) -> Vec<Delivery> {
        self.deliveries.iter().copied().filter(|of| of.redelivered).collect()
    }
}

/// A set-up, as the text of a scenario that grows.
#[derive(Clone, Debug)]
pub(crate) struct Scene(String);

/// What all clients of the experiments are like.
pub(crate) const CLIENT: &str = "reconnect-delay = \"100ms\"\nheartbeat = \"5s\"\n";

impl Scene {
    /// So many nodes of a version for so many seconds; `broker` are keys of `[broker]`.
    pub(crate) fn new(mode: &str, nodes: u32, version: &str, lasts: f64, broker: &str) -> Scene {
        Scene(format!(
            "format = 1\nname = \"experiment\"\nmode = \"{mode}\"\nbroker-version = \"{version}\"\n\
             duration = \"{lasts}s\"\ndrain = \"240s\"\n\
             [cluster]\nnodes = {nodes}\nhardware = \"lab-vm\"\n\
             boot-time = {{ distribution = \"uniform\", min = \"2.8s\", max = \"6.9s\" }}\n\
             [broker]\n{broker}\n"
        ))
    }

    /// Three nodes, quorum queue `orders` led by n1, net_ticktime 8 s.
    pub(crate) fn quorum(version: &str, lasts: f64) -> Scene {
        let scene = Scene::new("rabbitmq-quorum", 3, version, lasts, "net_ticktime = \"8s\"");
        scene.queue("orders", "")
    }

    /// One more section.
    pub(crate) fn with(mut self, text: &str) -> Scene {
        self.0 += text;
        self.0 += "\n";
        self
    }

    /// A queue on n1.
    pub(crate) fn queue(self, name: &str, keys: &str) -> Scene {
        self.with(&format!("[[queue]]\nname = \"{name}\"\nleader = \"n1\"\n{keys}"))
    }

    /// A producer of messages of 1 KiB that remembers and makes up for at most a second.
    pub(crate) fn producer(self, name: &str, to: &str, nodes: &str, keys: &str) -> Scene {
        self.with(&format!(
            "[[producer]]\nname = \"{name}\"\nto = \"{to}\"\nconnect = [{nodes}]\n\
             message-size = \"1KiB\"\n{keys}"
        ))
    }

    /// A consumer.
    pub(crate) fn consumer(self, name: &str, nodes: &str, keys: &str) -> Scene {
        self.with(&format!(
            "[[consumer]]\nname = \"{name}\"\nfrom = \"orders\"\nconnect = [{nodes}]\n{keys}"
        ))
    }

    /// A fault, for so many seconds.
    pub(crate) fn fault(self, at: f64, lasts: f64, kind: &str, target: &str) -> Scene {
        self.with(&format!(
            "[[fault]]\nat = \"{at}s\"\nfor = \"{lasts}s\"\nkind = \"{kind}\"\ntarget = \"{target}\""
        ))
    }

    /// Runs it over the seeds; every loss has a cause.
    pub(crate) fn run(&self) -> Vec<(Seen, Report)> {
        self.run_seeds(seeds())
    }

    fn run_seeds(&self, seeds: u64) -> Vec<(Seen, Report)> {
        let prepared = parse("experiment.toml", self.0.as_bytes(), &[]);
        let prepared = prepared.unwrap_or_else(|error| panic!("{error}\n{}", self.0));
        let one = |seed| {
            let watch = Watch { catalog: prepared.catalog(), seen: Seen::default() };
            let (watch, _) = observe(&prepared, seed, watch).expect("the run ends");
            let report = simulate(&prepared, seed, None).expect("the run ends");
            assert_eq!(report.summary.unexplained, 0, "seed {seed}: every loss has a cause");
            (watch.seen, report)
        };
        (1..=seeds).map(one).collect()
    }
}

/// A measured range overlaps the range of the seeds, 5 to 95 %.
pub(crate) fn overlaps(
    what: &str,
    runs: &[(Seen, Report)],
    value: impl Fn(&Seen) -> f64,
    measured: std::ops::RangeInclusive<f64>,
) {
    let values = runs.iter().map(|(seen, _)| value(seen)).collect();
    ranges_overlap(what, values, measured);
}
