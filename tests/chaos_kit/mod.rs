//! Random scenarios, what must hold of any run, and how a scenario that breaks it is made smaller.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mqsim::engine::Stream;
use mqsim::run::{Prepared, parse, simulate};
use mqsim::verdict::Report;

use crate::tally::Tally;

/// What is promised of a scenario beside what holds of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing: anything may happen to it.
    None,
    /// No fault at all: nothing is lost, late, out of order or delivered twice.
    Calm,
    /// Faults, and set up so that nothing that was a success may be lost.
    Lossless,
}

/// The kinds of sections that can be left out of a scenario one by one.
const PARTS: usize = 6;
const POLICY: usize = 0;
const QUEUE: usize = 1;
const EXCHANGE: usize = 2;
const PRODUCER: usize = 3;
const CONSUMER: usize = 4;
const FAULT: usize = 5;

/// A scenario in pieces, so that pieces can be left out.
#[derive(Clone, Debug)]
pub(crate) struct Chaos {
    pub(crate) promise: Promise,
    head: String,
    parts: [Vec<String>; PARTS],
}

impl Chaos {
    /// The scenario as a file has it.
    pub(crate) fn text(&self) -> String {
        let parts = self.parts.iter().flatten();
        std::iter::once(&self.head).chain(parts).cloned().collect::<Vec<_>>().join("\n")
    }
}

/// How the queues of a mode are replicated, and so what can be promised.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Single,
    Cluster,
    Mirrored,
    Quorum,
}

struct Maker {
    draw: Stream,
    promise: Promise,
    mode: Mode,
    version: &'static str,
    nodes: u64,
    duration_ms: u64,
    tick_ms: u64,
    queues: u64,
    exchanges: Vec<&'static str>,
    producers: u64,
    consumers: u64,
    parts: [Vec<String>; PARTS],
}

/// The scenario with this number.
pub(crate) fn scenario(number: u64) -> Chaos {
    let mut draw = Stream::fixed(number, "chaos");
    let promise = match draw.below(10) {
        0 => Promise::Calm,
        1..=3 => Promise::Lossless,
        _ => Promise::None,
    };
    let mode = match draw.below(10) {
        0 | 1 => Mode::Single,
        2..=4 => Mode::Cluster,
        _ => Mode::Mirrored,
    };
    make(number, draw, promise, mode, "3.10")
}

/// The scenario with this number of quorum queues, some with classic ones beside them.
pub(crate) fn quorum_scenario(number: u64) -> Chaos {
    let mut draw = Stream::fixed(number, "quorum chaos");
    let promise = match draw.below(10) {
        0 => Promise::Calm,
        1..=5 => Promise::Lossless,
        _ => Promise::None,
    };
    let versions = ["3.12", "4.0", "4.1", "4.2", "4.3", "4.3"];
    let version = versions[draw.below(versions.len() as u64) as usize];
    make(number, draw, promise, Mode::Quorum, version)
}

/// The same with an operator who changes the members of its queues.
pub(crate) fn operated_scenario(number: u64) -> Chaos {
    let mut chaos = quorum_scenario(number);
    let mut draw = Stream::fixed(number, "operators");
    let said = |key: &str| {
        let at = chaos.head.find(key).expect("it is said") + key.len();
        let digits = chaos.head[at..].split(|of: char| !of.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse::<u64>().ok()).expect("it is a number")
    };
    let (nodes, duration) = (said("[cluster]\nnodes = "), said("duration = \""));
    let members = |text: &&String| text.contains("x-quorum-initial-group-size");
    let queues = chaos.parts[QUEUE].iter().filter(members).map(|text| {
        let at = text.find("name = \"").expect("it has a name") + 8;
        text[at..].split('"').next().expect("it has a name").to_owned()
    });
    let queues: Vec<String> = queues.collect();
    for _ in 0..draw.between(1, 8) {
        let Some(queue) = queues.get(draw.below(queues.len().max(1) as u64) as usize) else {
            break;
        };
        let (at, node) = (draw.below(duration), draw.between(1, nodes));
        let what = match draw.below(8) {
            0..=2 => format!("kind = \"add_member\"\nqueue = \"{queue}\"\n"),
            3 | 4 => format!("kind = \"delete_member\"\nqueue = \"{queue}\"\n"),
            5 => "kind = \"grow\"\n".to_owned(),
            6 => "kind = \"grow\"\nstrategy = \"even\"\n".to_owned(),
            _ => "kind = \"shrink\"\n".to_owned(),
        };
        let on = draw.between(1, nodes);
        chaos.parts[FAULT].push(format!(
            "[[action]]\nat = \"{at}ms\"\n{what}node = \"n{node}\"\non = \"n{on}\"\n"
        ));
    }
    chaos
}

fn make(
    number: u64,
    mut draw: Stream,
    promise: Promise,
    mode: Mode,
    version: &'static str,
) -> Chaos {
    let nodes = match mode {
        Mode::Single => 1,
        Mode::Quorum => draw.between(3, 5),
        Mode::Cluster => draw.between(2, 5),
        Mode::Mirrored => draw.between(2, 7),
    };
    let tick_ms = [1_000, 2_000, 4_000, 8_000][draw.below(4) as usize];
    let mut duration_ms = draw.between(8, 40) * 1_000;
    if promise == Promise::Calm {
        duration_ms = draw.between(5, 15) * 1_000;
    }
    let mut maker = Maker {
        promise,
        mode,
        version,
        nodes,
        duration_ms,
        tick_ms,
        queues: draw.between(1, 3),
        exchanges: Vec::new(),
        producers: draw.between(1, 3),
        consumers: draw.between(0, 3),
        parts: Default::default(),
        draw,
    };
    maker.policies();
    maker.queues();
    maker.exchanges();
    maker.producers();
    maker.consumers();
    maker.faults();
    Chaos { promise, head: maker.head(number), parts: maker.parts }
}

impl Maker {
    fn one_in(&mut self, n: u64) -> bool {
        self.draw.below(n) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.draw.below(from.len() as u64) as usize]
    }

    fn is_calm(&self) -> bool {
        self.promise == Promise::Calm
    }

    fn is_free(&self) -> bool {
        self.promise == Promise::None
    }

    fn node(&mut self) -> String {
        format!("n{}", self.draw.between(1, self.nodes))
    }

    fn queue(&mut self) -> String {
        format!("q{}", self.draw.between(1, self.queues))
    }

    fn head(&mut self, number: u64) -> String {
        let mode = match self.mode {
            Mode::Single => "single",
            Mode::Cluster => "cluster",
            Mode::Mirrored => "mirrored",
            Mode::Quorum => "quorum",
        };
        let version = self.version;
        let boot = self.draw.between(100, 6_000);
        let heartbeat = self.pick(&["60s", "10s", "2s"]);
        let journal = if self.is_free() && self.one_in(4) { 20 } else { 32_768 };
        let loss = if self.is_free() && self.one_in(6) { "loss = \"0.1%\"\n" } else { "" };
        let handling = match self.mode {
            Mode::Cluster | Mode::Mirrored if self.is_free() => {
                let handling = self.pick(&["ignore", "pause_minority", "autoheal"]);
                format!("cluster_partition_handling = \"{handling}\"\n")
            }
            _ => String::new(),
        };
        format!(
            "format = 1\nname = \"chaos\"\nmode = \"rabbitmq-{mode}\"\nbroker-version = \"{version}\"\n\
             seed = {number}\nduration = \"{}ms\"\ndrain = \"600s\"\n[cluster]\nnodes = {}\n\
             boot-time = \"{boot}ms\"\n[cluster.network]\n{loss}\
             latency = {{ distribution = \"lognormal\", median = \"100us\", p99 = \"400us\" }}\n\
             [broker]\nnet_ticktime = \"{}ms\"\nheartbeat = \"{heartbeat}\"\n\
             queue_index_max_journal_entries = {journal}\n{handling}",
            self.duration_ms, self.nodes, self.tick_ms,
        )
    }

    fn policies(&mut self) {
        if self.mode != Mode::Mirrored {
            return;
        }
        let lossless = self.promise == Promise::Lossless;
        let pattern = if self.is_free() && self.one_in(4) { "q1" } else { ".*" };
        let sync = if lossless { "automatic" } else { self.pick(&["manual", "automatic"]) };
        let batch = self.draw.between(1, 200);
        let shutdown = self.pick(&["when-synced", "when-synced", "always"]);
        // With when-synced a message that only unsynchronised mirrors had confirmed may go.
        let failure =
            if lossless { "always" } else { self.pick(&["always", "always", "when-synced"]) };
        let mode = self.ha_mode(lossless);
        self.parts[POLICY].push(format!(
            "[[policy]]\npattern = \"{pattern}\"\n{mode}ha-sync-mode = \"{sync}\"\n\
             ha-sync-batch-size = {batch}\nha-promote-on-shutdown = \"{shutdown}\"\n\
             ha-promote-on-failure = \"{failure}\"\n",
        ));
    }

    /// Mirrors on all nodes, on so many, or on those listed; at least two replicas if nothing is to
    /// be lost.
    fn ha_mode(&mut self, lossless: bool) -> String {
        let least = if lossless { 2 } else { 1 };
        match self.draw.below(4) {
            0 | 1 => "ha-mode = \"all\"\n".to_owned(),
            2 => {
                let replicas = self.draw.between(least, self.nodes);
                format!("ha-mode = \"exactly\"\nha-params = {replicas}\n")
            }
            _ => {
                let mut nodes: Vec<String> =
                    (1..=self.nodes).map(|n| format!("\"n{n}\"")).collect();
                self.draw.shuffle(&mut nodes);
                nodes.truncate(self.draw.between(least, self.nodes) as usize);
                format!("ha-mode = \"nodes\"\nha-params = [{}]\n", nodes.join(", "))
            }
        }
    }

    fn queues(&mut self) {
        for number in 1..=self.queues {
            if self.mode == Mode::Quorum && (!self.is_free() || !self.one_in(4)) {
                let queue = self.quorum_queue(number);
                self.parts[QUEUE].push(queue);
                continue;
            }
            let durable = !self.is_free() || !self.one_in(4);
            let leader = self.node();
            let kind = if self.mode == Mode::Quorum { "x-queue-type = \"classic\"\n" } else { "" };
            self.parts[QUEUE].push(format!(
                "[[queue]]\nname = \"q{number}\"\n{kind}durable = {durable}\nleader = \"{leader}\"\n"
            ));
        }
    }

    /// A message may come back as often as it likes where nothing is to be lost.
    fn quorum_queue(&mut self, number: u64) -> String {
        let (leader, size) = (self.node(), self.draw.between(1, self.nodes));
        let size = if self.is_free() { size } else { self.nodes };
        let limit = if self.is_free() { self.pick(&["-1", "0", "3", "20"]) } else { "-1" };
        let full = if self.is_free() && self.one_in(5) {
            let overflow = self.pick(&["drop-head", "reject-publish"]);
            format!("x-max-length = 50\nx-overflow = \"{overflow}\"\n")
        } else {
            String::new()
        };
        let single = self.is_free() && self.one_in(6);
        let kind = if self.mode == Mode::Quorum { "" } else { "x-queue-type = \"quorum\"\n" };
        format!(
            "[[queue]]\nname = \"q{number}\"\nleader = \"{leader}\"\n{kind}{full}\
             x-quorum-initial-group-size = {size}\nx-delivery-limit = {limit}\n\
             x-single-active-consumer = {single}\n"
        )
    }

    fn exchanges(&mut self) {
        for (name, kind) in [("direct1", "direct"), ("fanout1", "fanout")] {
            // In a cluster a message for several queues is lost to one whose home is down, and
            // confirmed, mandatory or not.
            let one_queue = self.promise == Promise::Lossless && self.mode == Mode::Cluster;
            if one_queue || !self.one_in(3) {
                continue;
            }
            let mut text = format!("[[exchange]]\nname = \"{name}\"\ntype = \"{kind}\"\n");
            let mut bound = 0;
            for queue in 1..=self.queues {
                if self.one_in(2) {
                    continue;
                }
                bound += 1;
                let _ = write!(
                    text,
                    "[[binding]]\nexchange = \"{name}\"\nqueue = \"q{queue}\"\nrouting-key = \"k\"\n"
                );
            }
            if bound > 0 || self.is_free() {
                self.exchanges.push(name);
                self.parts[EXCHANGE].push(text);
            }
        }
    }

    fn connection(&mut self) -> String {
        let mut text = String::new();
        if self.one_in(2) {
            let nodes: Vec<String> = (1..=self.nodes).map(|node| format!("\"n{node}\"")).collect();
            let mut chosen = nodes;
            self.draw.shuffle(&mut chosen);
            chosen.truncate(self.draw.between(1, chosen.len() as u64) as usize);
            let _ = writeln!(text, "connect = [{}]", chosen.join(", "));
        }
        let delay = self.pick(&["100ms", "500ms", "5s"]);
        let heartbeat = self.pick(&["1s", "5s", "60s"]);
        let _ = write!(text, "reconnect-delay = \"{delay}\"\nheartbeat = \"{heartbeat}\"\n");
        let timeout = self.pick(&["1s", "10s", "60s"]);
        let _ = writeln!(text, "connection-timeout = \"{timeout}\"");
        text
    }

    fn producers(&mut self) {
        for number in 1..=self.producers {
            let mut text = format!("[[producer]]\nname = \"p{number}\"\n");
            if !self.exchanges.is_empty() && self.one_in(2) {
                let at = self.draw.below(self.exchanges.len() as u64) as usize;
                let wrong = self.is_free() && self.one_in(8);
                let key = if wrong { "other" } else { "k" };
                let exchange = self.exchanges[at];
                let _ = write!(text, "to = \"{exchange}\"\nrouting-key = \"{key}\"\n");
            } else {
                let queue = self.queue();
                let _ = writeln!(text, "to = \"{queue}\"");
            }
            text.push_str(&self.connection());
            let lossless = self.promise == Promise::Lossless;
            if self.one_in(4) {
                let flight = self.draw.between(1, 20);
                let think = self.draw.between(20, 100) * flight;
                let _ = writeln!(
                    text,
                    "closed-loop = {{ in-flight = {flight}, think = \"{think}ms\" }}"
                );
            } else {
                let rate = self.draw.between(2, 80);
                let poisson = self.one_in(3);
                let _ = if poisson {
                    writeln!(text, "rate = {{ profile = \"poisson\", rate = \"{rate}/s\" }}")
                } else {
                    writeln!(text, "rate = \"{rate}/s\"")
                };
                if self.one_in(4) {
                    text.push_str("catch-up = \"500ms\"\n");
                }
            }
            let size = self.pick(&["100B", "1KiB", "20KiB"]);
            let persistent = lossless || !self.one_in(3);
            let mandatory = (lossless && self.mode == Mode::Cluster) || self.one_in(3);
            let _ = write!(
                text,
                "message-size = \"{size}\"\npersistent = {persistent}\nmandatory = {mandatory}\n"
            );
            if lossless || !self.one_in(4) {
                let window = self.draw.between(1, 200);
                let confirms = if self.one_in(3) {
                    "true".to_owned()
                } else {
                    format!("{{ window = {window} }}")
                };
                let _ = writeln!(text, "confirms = {confirms}");
                let republish = lossless || self.one_in(2);
                let _ = writeln!(text, "republish = {republish}");
                if self.is_free() && self.one_in(4) {
                    text.push_str("send-timeout = \"3s\"\n");
                }
            }
            self.parts[PRODUCER].push(text);
        }
    }

    fn consumers(&mut self) {
        let mut taken = Vec::new();
        for number in 1..=self.consumers {
            let queue = self.queue();
            if self.is_calm() && taken.contains(&queue) {
                continue;
            }
            let mut text = format!("[[consumer]]\nname = \"c{number}\"\nfrom = \"{queue}\"\n");
            text.push_str(&self.connection());
            let automatic = self.promise != Promise::Lossless && self.one_in(4);
            let ack = if automatic { "automatic" } else { "manual" };
            let prefetch = if self.one_in(3) { 0 } else { self.draw.between(1, 100) };
            let processing =
                if self.is_calm() { "100us" } else { self.pick(&["0s", "1ms", "8ms"]) };
            let _ = write!(text, "ack = \"{ack}\"\nprocessing-time = \"{processing}\"\n");
            if !automatic {
                let _ = writeln!(text, "prefetch = {prefetch}");
            }
            taken.push(queue);
            self.parts[CONSUMER].push(text);
        }
    }

    fn faults(&mut self) {
        match self.promise {
            Promise::Calm => {}
            Promise::Lossless if self.mode == Mode::Mirrored => self.one_at_a_time(),
            _ => {
                for _ in 0..self.draw.between(0, 6) {
                    let at = self.draw.between(500, self.duration_ms).min(self.duration_ms - 1);
                    let fault = self.fault(at);
                    self.parts[FAULT].push(fault);
                }
            }
        }
    }

    /// The leader, or any other node, goes; it is back and in sync before the next one goes.
    fn one_at_a_time(&mut self) {
        let mut at = 2_000;
        for _ in 0..self.draw.between(1, 3) {
            let kind = self.pick(&["crash", "stop", "power-loss"]);
            let node = self.node();
            let queue = self.queue();
            let leader = format!("leader({queue})");
            let target = if self.one_in(3) { node } else { leader };
            let lasts = self.tick_ms * 2 + self.draw.between(0, 3_000);
            self.parts[FAULT].push(format!(
                "[[fault]]\nkind = \"{kind}\"\nat = \"{at}ms\"\nfor = \"{lasts}ms\"\n\
                 target = \"{target}\"\n"
            ));
            at += lasts + 20_000 + self.draw.between(0, 2_000);
        }
        self.duration_ms = at;
    }

    fn target(&mut self) -> String {
        let queue = self.queue();
        match self.draw.below(8) {
            0..=2 => self.node(),
            3 | 4 => format!("leader({queue})"),
            5 if self.mode == Mode::Mirrored => format!("mirror({queue}, 1)"),
            5 if self.mode == Mode::Quorum => format!("follower({queue}, 1)"),
            5 => format!("home({queue})"),
            6 => "random".to_owned(),
            _ if self.one_in(2) => "all".to_owned(),
            _ => {
                let producer = format!("producer(p{})", self.draw.between(1, self.producers));
                let consumers = self.parts[CONSUMER].len() as u64;
                if consumers > 0 && self.one_in(2) {
                    let at = self.draw.below(consumers) as usize;
                    let name = self.parts[CONSUMER][at].split('"').nth(1).expect("has a name");
                    format!("consumer({name})")
                } else {
                    producer
                }
            }
        }
    }

    fn lasts(&mut self) -> u64 {
        match self.draw.below(4) {
            0 => self.draw.between(1, 300),
            1 => self.draw.between(300, 3_000),
            2 => self.draw.between(self.tick_ms / 2, self.tick_ms * 2),
            _ => self.draw.between(3_000, 20_000),
        }
    }

    fn fault(&mut self, at: u64) -> String {
        let kinds: &[&str] = &[
            "stop",
            "crash",
            "crash",
            "power-loss",
            "pause",
            "restart",
            "partition",
            "partition",
            "latency",
            "packet-loss",
            "bandwidth",
            "slow-disk",
            "disk-full",
            "clock-skew",
            "wipe-disk",
        ];
        let wipes = self.is_free() && self.one_in(2);
        let kind = self.pick(&kinds[..kinds.len() - usize::from(!wipes)]);
        let kind = if self.nodes == 1 && kind == "partition" { "crash" } else { kind };
        let mut text = format!("[[fault]]\nkind = \"{kind}\"\nat = \"{at}ms\"\n");
        if kind != "restart" && !self.one_in(10) {
            let _ = writeln!(text, "for = \"{}ms\"", self.lasts());
        }
        if kind == "partition" {
            text.push_str(&self.partition());
            return text;
        }
        let links = matches!(kind, "latency" | "packet-loss" | "bandwidth");
        let target = if links && self.nodes > 1 && self.one_in(2) {
            let first = self.draw.between(1, self.nodes);
            let other = (first + self.draw.between(1, self.nodes - 1) - 1) % self.nodes + 1;
            format!("link(n{first}, n{other})")
        } else {
            self.target()
        };
        let _ = writeln!(text, "target = \"{target}\"");
        match kind {
            "latency" => {
                let add = self.draw.between(1, 500);
                let _ = writeln!(text, "add = \"{add}ms\"");
            }
            "packet-loss" => {
                let chance = self.draw.between(1, 60);
                let _ = writeln!(text, "chance = \"{chance}%\"");
            }
            "bandwidth" => {
                let rate = self.pick(&["10kB/s", "100kB/s", "1MB/s"]);
                let _ = writeln!(text, "rate = \"{rate}\"");
            }
            "slow-disk" => {
                let factor = self.draw.between(2, 100);
                let _ = writeln!(text, "factor = {factor}");
            }
            "clock-skew" => {
                let (sign, seconds) = (self.pick(&["", "-"]), self.draw.between(0, 100));
                let _ = writeln!(text, "offset = \"{sign}{seconds}s\"");
                let (sign, percent) = (self.pick(&["", "-"]), self.draw.between(1, 50));
                let _ = writeln!(text, "drift = \"{sign}{percent}%\"");
            }
            _ => {}
        }
        if links && self.one_in(3) {
            text.push_str("direction = \"forth\"\n");
        }
        text
    }

    fn partition(&mut self) -> String {
        let mut text = String::new();
        let mut nodes: Vec<String> = (1..=self.nodes).map(|node| format!("n{node}")).collect();
        self.draw.shuffle(&mut nodes);
        match self.draw.below(3) {
            0 => {
                let target = self.pick(&["minority", "random", "n1"]);
                // Of two nodes nobody is a minority.
                let target = if self.nodes < 3 && target == "minority" { "n2" } else { target };
                let _ = writeln!(text, "target = \"{target}\"");
            }
            1 => {
                // Of all nodes, or partial: some see both sides.
                let cut = self.draw.between(1, self.nodes - 1) as usize;
                let right = self.draw.between(cut as u64 + 1, self.nodes) as usize;
                let (a, b) = (nodes[..cut].join(","), nodes[cut..right].join(","));
                let _ = writeln!(text, "between = [\"{a}\", \"{b}\"]");
            }
            _ => {
                let sides: Vec<String> = nodes.iter().map(|node| format!("\"{node}\"")).collect();
                let _ = writeln!(text, "between = [{}]", sides.join(", "));
            }
        }
        let direction = self.pick(&["both", "both", "forth"]);
        let clients = self.pick(&["follow", "unaffected"]);
        let how = self.pick(&["drop", "drop", "reject"]);
        let _ =
            write!(text, "direction = \"{direction}\"\nclients = \"{clients}\"\nhow = \"{how}\"\n");
        text
    }
}

/// A run has at most so many events; none of the scenarios needs a tenth of it.
const MOST_EVENTS: u64 = 30_000_000;

/// Reads a scenario that must be right.
pub(crate) fn prepared(text: &str) -> Prepared {
    match parse("chaos.toml", text.as_bytes(), &[]) {
        Ok(prepared) => prepared,
        Err(error) => panic!("{error}\n{text}"),
    }
}

/// Runs a scenario that must come to its end.
pub(crate) fn run(text: &str, seed: u64) -> Report {
    match simulate(&prepared(text), seed, Some(MOST_EVENTS)) {
        Ok(report) => report,
        Err(error) => panic!("{error}"),
    }
}

/// What is wrong with a report of any scenario, if anything.
pub(crate) fn broken(report: &Report, text: &str) -> Option<String> {
    let summary = &report.summary;
    let cells: u64 = summary.matrix.cells.iter().flatten().sum();
    let mut wrong = Vec::new();
    if cells != summary.lines {
        wrong.push(format!("{cells} in the cells of {} lines", summary.lines));
    }
    if summary.unexplained > 0 {
        wrong.push(format!("{} lost without a cause", summary.unexplained));
    }
    let tallies = report.catalog.invariants.iter().zip(&report.invariants);
    for (word, tally) in tallies.filter(|(word, of)| of.violations > 0 && word.lacks.is_empty()) {
        let first = tally.first.first().map_or("", |breach| &breach.detail);
        wrong.push(format!("{} is broken: {first}", word.name));
    }
    if report.inconsistencies > 0 {
        wrong.push(format!("{} reports contradict earlier ones", report.inconsistencies));
    }
    if !report.quiet && excuse(report, text).is_none() {
        let waits = report.waits.iter();
        let waits = waits.map(|w| format!("{} waits for {}", report.catalog.node(w.node), w.what));
        let waits = waits.collect::<Vec<_>>().join(", ");
        wrong.push(format!("never became quiet: {waits}"));
    }
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

/// Why a run is known never to come to rest, if it is.
pub(crate) fn excuse(report: &Report, text: &str) -> Option<&'static str> {
    if report.quiet {
        return None;
    }
    // A mirrored queue that is not durable is lost for good when nobody may take over
    // (rabbitmq-server#2045), and a producer that publishes again what is nacked goes on for ever.
    let told = |what: &str| report.events.iter().any(|event| event.what == what);
    // With replicas on some of the nodes it may lose them all while others run, and keep its record
    // (rabbit_amqqueue.erl v3.10: `queues_to_delete_when_node_down`).
    let some = text.contains("ha-mode = \"exactly\"") || text.contains("ha-mode = \"nodes\"");
    let nobody = told("mirrors-stopped") || told("promotion-refused") || some;
    if nobody && text.contains("durable = false") {
        return Some("a transient mirrored queue that nobody may take over (rabbitmq-server#2045)");
    }
    if lost_mirror(report) {
        return Some("a mirror that was given up, and came back while its peers connected");
    }
    if half_done(report) {
        return Some(
            "a change of a quorum queue's members that an operator's command has half done",
        );
    }
    forgotten(report, text)
}

/// Whether all that waits are channels, for a mirror that was given up and is back: it is in no ring
/// any more, and never confirms what was sent to it before the queue's record was without it
/// (`scenarios/failures/rabbitmq/92-frozen-mirror-of-four.toml`).
fn lost_mirror(report: &Report) -> bool {
    report.events.iter().any(|event| event.what == "partitioned")
        && !report.waits.is_empty()
        && report.waits.iter().all(|waits| waits.what.starts_with("confirms of queue "))
}

/// Whether all that waits are members of quorum queues of which an operator's command has done a half:
/// one that has left by the log of the others does not know that before it is deleted, and one that
/// has joined by it and was deleted is waited for.
fn half_done(report: &Report) -> bool {
    let actions = || report.events.iter().filter(|event| event.kind == "action");
    let count = |what: &str| actions().filter(|event| event.what.starts_with(what)).count();
    let members = |what: &str| {
        what == "a leader of a quorum queue" || what == "the followers of a quorum queue"
    };
    count("done") < count("given")
        && !report.waits.is_empty()
        && report.waits.iter().all(|waits| members(&waits.what))
}

/// Why all that waits are channels, for a quorum queue that is known not to answer them, and
/// producers that publish to it again and again; if that is so.
fn forgotten(report: &Report, text: &str) -> Option<&'static str> {
    // Before 4.1.5 a channel whose commands were lost with a connection is not told to send them
    // again (commit b66dc4017e).
    let early = ["3.12", "4.0", "4.1"].iter().any(|of| {
        text.contains("rabbitmq-quorum") && text.contains(&format!("broker-version = \"{of}\""))
    });
    let down = report.events.iter().any(|event| event.what == "node-down");
    let early = early && down;
    // In all versions a channel takes a late word of a dead leader for one of the leader, and sends
    // what comes next to nobody (rabbit_fifo_client.erl v4.3.5, `handle_ra_event` applied: the leader
    // is taken over also where `ra:members` fails).
    let late = ["packet-loss", "latency", "bandwidth"].iter().any(|kind| text.contains(kind));
    let late = late && down;
    // A queue whose only member has lost its disk has forgotten its publishers: what they send comes
    // after a gap.
    let wiped = text.contains("wipe-disk");
    let reasons = [
        (early, false, "a channel that is not told to send again (before 4.1.5)"),
        (wiped, true, "a queue whose only member has lost its disk"),
        (late, false, "a channel that a late word of a dead leader has misled"),
    ];
    let mut known: Vec<&str> = Vec::new();
    for (_, alone, why) in reasons.into_iter().filter(|(is_so, ..)| *is_so) {
        let queues = text.split("[[queue]]\n").skip(1);
        let queues = queues
            .filter(|queue| !alone || queue.contains("group-size = 1\n"))
            .filter(|queue| queue.contains("group-size"));
        known.extend(queues.filter_map(|queue| queue.split('"').nth(1)));
        if wait_for(&known, report, text) {
            return Some(why);
        }
    }
    None
}

/// Whether all that waits is for these queues.
fn wait_for(known: &[&str], report: &Report, text: &str) -> bool {
    !report.waits.is_empty()
        && report.waits.iter().all(|waits| {
            let of = ["confirms of queue ", "quorum queue "];
            let queue = of.iter().find_map(|of| waits.what.strip_prefix(of));
            let name = report.catalog.node(waits.node);
            let again = waits.what.starts_with("its turn to publish");
            queue.is_some_and(|queue| known.contains(&queue))
                || (again && known.iter().any(|to| text.contains(&publishes(name, to))))
        })
}

/// How the section of a producer that publishes to a queue begins.
fn publishes(name: &str, to: &str) -> String {
    format!("name = \"{name}\"\nto = \"{to}\"\n")
}

fn promise_broken(promise: Promise, report: &Report) -> Option<String> {
    let summary = &report.summary;
    let counts: &[(&str, u64)] = &[
        ("success_lost", summary.success_lost),
        ("unknown_lost", summary.unknown_lost),
        ("consumer_lost", summary.consumer_lost),
        ("duplicated", summary.duplicated),
        ("redelivered", summary.redelivered),
        ("reordered", summary.reordered),
        ("phantom", summary.phantom),
        ("nacked", summary.nacked),
        ("unknown", summary.unknown),
        ("returned", summary.returned),
        ("unreachable", summary.unreachable_at_end),
        ("neither processed nor stored", summary.lines - summary.processed - summary.stored_at_end),
        ("unsent", summary.unsent),
    ];
    let counts = match promise {
        Promise::None => &counts[..0],
        Promise::Lossless => &counts[..1],
        Promise::Calm => counts,
    };
    let bad = counts.iter().filter(|(_, count)| *count > 0);
    let mut bad: Vec<String> = bad.map(|(name, count)| format!("{name} {count}")).collect();
    if promise == Promise::Calm {
        let late = report.ended.since(mqsim::engine::Time::ZERO + report.duration);
        if late > mqsim::engine::Span::from_secs(5) {
            bad.push(format!("quiet only {late:?} after the load"));
        }
        let shares = [
            ("write_availability", summary.write_availability),
            ("effective_write_availability", summary.effective_write_availability),
            ("read_availability", summary.read_availability),
        ];
        for (name, share) in shares {
            if share.is_some_and(|share| share < 1.0) {
                bad.push(format!("{name} {share:?}"));
            }
        }
    }
    (!bad.is_empty()).then(|| bad.join("; "))
}

/// What is wrong with a scenario's run, if anything: a panic, a broken rule, a broken promise, a
/// second run that differs.
pub(crate) fn verdict(chaos: &Chaos, seed: u64) -> Option<String> {
    recorded(chaos, seed, &mut Tally::default())
}

/// The same, and what the run has shown is added to what others have.
pub(crate) fn recorded(chaos: &Chaos, seed: u64, tally: &mut Tally) -> Option<String> {
    let text = chaos.text();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let report = run(&text, seed);
        tally.record(&report, seed, excuse(&report, &text));
        if let Some(wrong) =
            broken(&report, &text).or_else(|| promise_broken(chaos.promise, &report))
        {
            return Some(wrong);
        }
        let again = run(&text, seed);
        (again.ingredients != report.ingredients).then(|| "differs when run again".to_owned())
    }));
    outcome.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
        Some(format!("panic: {}", message.unwrap_or_default()))
    })
}

/// The kind of a failure: what must stay the same while a scenario is made smaller.
fn kind(wrong: &str) -> String {
    wrong.chars().filter(|c| c.is_alphabetic() || *c == ' ').take(60).collect()
}

/// Leaves out whatever can be left out of a scenario that fails, so that it fails alike.
pub(crate) fn minimise(chaos: &Chaos, seed: u64, wrong: &str) -> Chaos {
    let mut smallest = chaos.clone();
    let wanted = kind(wrong);
    loop {
        let mut smaller = None;
        'search: for part in (0..PARTS).rev() {
            for at in 0..smallest.parts[part].len() {
                let mut candidate = smallest.clone();
                candidate.parts[part].remove(at);
                if parse("chaos.toml", candidate.text().as_bytes(), &[]).is_err() {
                    continue;
                }
                if verdict(&candidate, seed).is_some_and(|wrong| kind(&wrong) == wanted) {
                    smaller = Some(candidate);
                    break 'search;
                }
            }
        }
        match smaller {
            Some(candidate) => smallest = candidate,
            None => return smallest,
        }
    }
}
