//! What the experiments have in common: the set-up as text, and the measurement as it was done.

use mqsim::engine::{Span, Time};
use mqsim::observe::{
    Catalog, ConsumerId, DestinationId, Event, MessageRange, Observer, Outcome, ProducerId,
};
use mqsim::run::{observe, parse, simulate};
use mqsim::verdict::Report;

/// What clients saw, as the experiments counted it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Longest time between two confirms (or returns) of the load, seconds.
    pub write_pause: f64,
    /// Longest time between two deliveries to consumers, seconds.
    pub read_pause: f64,
    /// Messages confirmed and not returned.
    pub confirmed: u64,
    /// basic.nack.
    pub nacked: u64,
    /// basic.return.
    pub returned: u64,
    /// Confirmed, not returned, never delivered to anyone.
    pub lost: u64,
    /// First and last sequence number that was lost.
    pub lost_range: Option<(usize, usize)>,
    /// Deliveries of a message that had been delivered before.
    pub duplicates: u64,
    /// Nacked and delivered all the same.
    pub nacked_and_delivered: u64,
    /// Deliveries with redelivered = true, to the consumers or to the final drain.
    pub redelivered: u64,
    /// The same among messages that were confirmed before the fault.
    pub redelivered_backlog: u64,
    /// Messages that were confirmed before the fault.
    pub backlog: u64,
    /// Consumers that were cancelled by the server.
    pub cancelled: u64,
    /// First deliveries after a later message of the same producer.
    pub out_of_order: u64,
    /// Median of the confirm latency from the actual send, microseconds, before the fault and
    /// while it lasts.
    pub confirm_us: (u64, u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    sent: Time,
    confirmed: bool,
    returned: bool,
    nacked: bool,
    early: bool,
    deliveries: u32,
}

/// Watches a run as the experiments' clients did.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    load_ends: Time,
    fault: (Time, Time),
    cancelled_word: Option<u32>,
    lines: Vec<Line>,
    last_confirm: Option<Time>,
    last_delivery: Option<Time>,
    furthest: Option<u32>,
    latencies: (Vec<u64>, Vec<u64>),
    seen: Seen,
}

impl Watch {
    fn new(catalog: &Catalog, set_up: &SetUp) -> Watch {
        let word = catalog.events.iter().position(|word| word.name == "consumer-cancelled");
        let at = |seconds: f64| Time::from_nanos((seconds * 1e9) as u64);
        Watch {
            load_ends: at(set_up.seconds),
            fault: (at(set_up.fault_at), at(set_up.fault_at + set_up.fault_for)),
            cancelled_word: word.map(|index| index as u32),
            lines: Vec::new(),
            last_confirm: None,
            last_delivery: None,
            furthest: None,
            latencies: (Vec::new(), Vec::new()),
            seen: Seen::default(),
        }
    }

    fn line(&mut self, messages: MessageRange) -> &mut Line {
        assert_eq!(messages.producer, ProducerId(0), "the experiments have one producer");
        let index = messages.first as usize;
        if self.lines.len() <= index {
            self.lines.resize(index + 1, Line::default());
        }
        &mut self.lines[index]
    }

    fn finish(mut self) -> Seen {
        let mut seen = self.seen;
        for (index, line) in self.lines.iter().enumerate() {
            if line.confirmed && !line.returned {
                seen.confirmed += 1;
                seen.backlog += u64::from(line.early);
                if line.deliveries == 0 {
                    seen.lost += 1;
                    let first = seen.lost_range.map_or(index, |(first, _)| first);
                    seen.lost_range = Some((first, index));
                }
            }
            seen.nacked_and_delivered += u64::from(line.nacked && line.deliveries > 0);
        }
        let median = |samples: &mut Vec<u64>| {
            samples.sort_unstable();
            samples.get(samples.len() / 2).copied().unwrap_or(0)
        };
        seen.confirm_us = (median(&mut self.latencies.0), median(&mut self.latencies.1));
        seen
    }

    fn confirm_pause(&mut self, at: Time) {
        if at <= self.load_ends {
            let pause = self.last_confirm.map_or(Span::ZERO, |last| at.since(last));
            self.seen.write_pause = self.seen.write_pause.max(pause.as_secs_f64());
        }
        self.last_confirm = Some(at);
    }
}

impl Observer for Watch {
    fn sent(&mut self, at: Time, messages: MessageRange) {
        self.line(messages).sent = at;
    }

    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        let fault = self.fault;
        let line = self.line(messages);
        match outcome {
            Outcome::Acked => {
                line.confirmed = true;
                line.early = at <= fault.0;
                let latency = at.since(line.sent).as_micros();
                if at <= fault.0 {
                    self.latencies.0.push(latency);
                } else if at <= fault.1 {
                    self.latencies.1.push(latency);
                }
                self.confirm_pause(at);
            }
            Outcome::Returned => {
                line.returned = true;
                self.seen.returned += 1;
                self.confirm_pause(at);
            }
            Outcome::Nacked => {
                line.nacked = true;
                self.seen.nacked += 1;
            }
            _ => {}
        }
    }

    fn delivered(
        &mut self,
        at: Time,
        _consumer: ConsumerId,
        _destination: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        let line = self.line(messages);
        line.deliveries += 1;
        let (again, early) = (line.deliveries > 1, line.early);
        self.seen.duplicates += u64::from(again);
        self.seen.redelivered += u64::from(redelivered);
        self.seen.redelivered_backlog += u64::from(redelivered && early && !again);
        if !again {
            let late = self.furthest.is_some_and(|furthest| furthest > messages.first);
            self.seen.out_of_order += u64::from(late);
            self.furthest = self.furthest.max(Some(messages.first));
        }
        if at <= self.load_ends {
            let pause = self.last_delivery.map_or(Span::ZERO, |last| at.since(last));
            self.seen.read_pause = self.seen.read_pause.max(pause.as_secs_f64());
            self.last_delivery = Some(at);
        }
    }

    fn event(&mut self, _at: Time, event: Event) {
        self.seen.cancelled += u64::from(Some(event.word.0) == self.cancelled_word);
    }
}

/// One set-up of an experiment.
#[derive(Clone, Debug)]
pub(crate) struct SetUp {
    /// `mode`.
    pub mode: &'static str,
    /// `boot-time`.
    pub boot_time: &'static str,
    /// `net_ticktime`.
    pub net_ticktime: &'static str,
    /// How long the load lasts, seconds.
    pub seconds: f64,
    /// Messages a second.
    pub rate: u32,
    /// Unconfirmed messages at most.
    pub window: u32,
    /// Whether what is not confirmed is published again.
    pub retry: bool,
    /// Further keys of the producer.
    pub producer: &'static str,
    /// Whether there is a consumer while the load lasts.
    pub consumer: bool,
    /// Nodes of the clients.
    pub clients: &'static str,
    /// `durable` of the queue.
    pub durable: bool,
    /// `kind` of the fault that hits n1.
    pub fault: &'static str,
    /// When, seconds.
    pub fault_at: f64,
    /// Until the restart begins, seconds.
    pub fault_for: f64,
}

impl SetUp {
    /// The scenario as text.
    pub(crate) fn text(&self) -> String {
        let SetUp { mode, boot_time, net_ticktime, seconds, rate, window, .. } = self;
        let nodes = if *mode == "rabbitmq-single" { 1 } else { 3 };
        let policy = if *mode == "rabbitmq-mirrored" {
            "[[policy]]\npattern = \"orders\"\nha-mode = \"all\"\nha-sync-mode = \"automatic\"\n"
        } else {
            ""
        };
        let client = format!(
            "connect = [{}]\nreconnect-delay = \"100ms\"\nheartbeat = \"5s\"\n",
            self.clients
        );
        let consumer = if self.consumer {
            format!("[[consumer]]\nname = \"c1\"\nfrom = \"orders\"\nprefetch = 100\n{client}")
        } else {
            String::new()
        };
        format!(
            "format = 1\nname = \"experiment\"\nmode = \"{mode}\"\nbroker-version = \"3.10\"\n\
             duration = \"{seconds}s\"\ndrain = \"120s\"\n\
             [cluster]\nnodes = {nodes}\nhardware = \"lab-vm\"\nboot-time = {boot_time}\n\
             [broker]\nnet_ticktime = \"{net_ticktime}\"\n{policy}\
             [[queue]]\nname = \"orders\"\ndurable = {durable}\nleader = \"n1\"\n\
             [[producer]]\nname = \"p1\"\nto = \"orders\"\nrate = \"{rate}/s\"\n\
             message-size = \"1KiB\"\nconfirms = {{ window = {window} }}\ncatch-up = \"1s\"\n\
             republish = {retry}\n{client}{producer}\n{consumer}\
             [[fault]]\nat = \"{at}s\"\nfor = \"{lasts}s\"\nkind = \"{kind}\"\ntarget = \"n1\"\n",
            durable = self.durable,
            retry = self.retry,
            producer = self.producer,
            at = self.fault_at,
            lasts = self.fault_for,
            kind = self.fault,
        )
    }

    /// Runs it over the seeds.
    pub(crate) fn run(&self) -> Vec<(Seen, Report)> {
        self.run_seeds(seeds())
    }

    fn run_seeds(&self, seeds: u64) -> Vec<(Seen, Report)> {
        let prepared = parse("experiment.toml", self.text().as_bytes(), &[]);
        let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
        (1..=seeds)
            .map(|seed| {
                let watch = Watch::new(prepared.catalog(), self);
                let (watch, _) = observe(&prepared, seed, watch).expect("the run ends");
                let report = simulate(&prepared, seed, None).expect("the run ends");
                assert!(report.quiet, "seed {seed}: everything comes to rest");
                assert_eq!(report.summary.unexplained, 0, "seed {seed}: every loss has a cause");
                let seen = watch.finish();
                assert_eq!(seen.lost, report.summary.acked_lost, "seed {seed}: both counts agree");
                (seen, report)
            })
            .collect()
    }
}

/// How many seeds to run.
pub(crate) fn seeds() -> u64 {
    std::env::var("MQSIM_SEEDS").map_or(5, |text| text.parse().expect("MQSIM_SEEDS is a number"))
}

/// From so many seeds on the range from the 5th to the 95th percentile is one that can be judged. Of
/// five it is their least and greatest value: a range that was measured at the edge of what is
/// possible, which one seed in ten comes to, would miss that more often than not.
const ENOUGH: usize = 40;

/// The measured range overlaps the range of the seeds, from the 5th to the 95th percentile. Of few
/// seeds it is only printed.
pub(crate) fn overlaps(
    what: &str,
    runs: &[(Seen, Report)],
    value: impl Fn(&Seen, &Report) -> f64,
    measured: std::ops::RangeInclusive<f64>,
) {
    let values = runs.iter().map(|(seen, report)| value(seen, report)).collect();
    ranges_overlap(what, values, measured);
}

/// The same of values by seed.
pub(crate) fn ranges_overlap(
    what: &str,
    mut values: Vec<f64>,
    measured: std::ops::RangeInclusive<f64>,
) {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    let (low, high) = (values[last * 5 / 100], values[(last * 95).div_ceil(100)]);
    let found = format!("{what}: measured {measured:?}, {} seeds {low} to {high}", values.len());
    println!("{found}");
    let overlap = low <= *measured.end() && high >= *measured.start();
    assert!(overlap || values.len() < ENOUGH, "{found}");
}
