//! Runs without faults: one producer, one consumer, and what a message costs.

use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

use super::lab::seeds;

/// How fast the producer is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// Messages a second.
    Rate(u32),
    /// As fast as it goes with so many unconfirmed messages.
    Window(u32),
}

/// One set-up of a run without faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    /// `mode`.
    pub mode: &'static str,
    /// `broker-version`.
    pub version: &'static str,
    /// `x-queue-type`, if it is not what the mode has.
    pub queue: Option<&'static str>,
    /// How many nodes there are.
    pub nodes: u32,
    /// The nodes of producer and consumer; the queue is on n1.
    pub clients: (&'static str, &'static str),
    /// How fast the producer is.
    pub load: Load,
    /// Whether messages are persistent.
    pub persistent: bool,
    /// One-way delay between brokers in ms, if it is not the lab's.
    pub delay_ms: Option<u32>,
    /// What an fsync takes, if it is not the lab's.
    pub fsync: Option<&'static str>,
    /// How long it lasts, seconds, of which the first does not count.
    pub seconds: u32,
    /// Seeds at least.
    pub seeds: u64,
}

/// What was seen of all seeds, in ascending order each.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub what: String,
    /// Confirmed messages a second.
    pub rate: Vec<f64>,
    /// From the actual send to the confirm, ms.
    pub confirm_p50: Vec<f64>,
    /// From when the message was meant to be sent to the confirm, ms.
    pub confirm_mean: Vec<f64>,
    /// From publish to delivery, ms.
    pub delivery_p50: Vec<f64>,
    /// Between brokers, of each message.
    pub bytes: Vec<f64>,
}

impl Steady {
    /// Two mirrors' worth of nodes only, as the experiment had them.
    pub(crate) fn mirrored() -> Steady {
        Steady { mode: "rabbitmq-mirrored", nodes: 2, ..Steady::cluster() }
    }

    /// A classic queue in a cluster of three, clients on its node.
    pub(crate) fn cluster() -> Steady {
        Steady {
            mode: "rabbitmq-cluster",
            version: "3.10",
            queue: None,
            nodes: 3,
            clients: ("n1", "n1"),
            load: Load::Rate(500),
            persistent: true,
            delay_ms: None,
            fsync: None,
            seconds: 4,
            seeds: 0,
        }
    }

    /// The same on one node.
    pub(crate) fn single() -> Steady {
        Steady { mode: "rabbitmq-single", nodes: 1, ..Steady::cluster() }
    }

    fn text(&self) -> String {
        let Steady { mode, version, nodes, clients, persistent, seconds, .. } = self;
        let queue =
            self.queue.map_or(String::new(), |queue| format!("x-queue-type = \"{queue}\"\n"));
        let (load, window) = match self.load {
            Load::Rate(rate) => (format!("rate = \"{rate}/s\"\ncatch-up = \"1s\""), 100),
            Load::Window(window) => (format!("closed-loop = {{ in-flight = {window} }}"), window),
        };
        let network = self.delay_ms.map_or(String::new(), |delay| {
            format!("[cluster.network]\nlatency = \"{delay}ms\"\nclient-latency = \"50us\"\n")
        });
        let disk = self.fsync.map_or(String::new(), |of| format!("[cluster.disk]\nfsync = {of}\n"));
        let policy = if *mode == "rabbitmq-mirrored" {
            "[[policy]]\npattern = \"orders\"\nha-mode = \"all\"\nha-sync-mode = \"automatic\"\n"
        } else {
            ""
        };
        format!(
            "format = 1\nname = \"steady\"\nmode = \"{mode}\"\nbroker-version = \"{version}\"\n\
             duration = \"{seconds}s\"\nwarmup = \"1s\"\ndrain = \"60s\"\n\
             [cluster]\nnodes = {nodes}\nhardware = \"lab-vm\"\n{network}{disk}\
             [broker]\nnet_ticktime = \"30s\"\n{policy}\
             [[queue]]\nname = \"orders\"\nleader = \"n1\"\n{queue}\
             [[producer]]\nname = \"p1\"\nto = \"orders\"\nconnect = [\"{}\"]\n{load}\n\
             message-size = \"1KiB\"\npersistent = {persistent}\nconfirms = {{ window = {window} }}\n\
             [[consumer]]\nname = \"c1\"\nfrom = \"orders\"\nconnect = [\"{}\"]\nprefetch = 500\n",
            clients.0, clients.1,
        )
    }

    /// Runs it over the seeds.
    pub(crate) fn run(&self) -> Figures {
        let prepared = parse("steady.toml", self.text().as_bytes(), &[]);
        let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
        let reports: Vec<Report> = (1..=seeds().max(self.seeds))
            .map(|seed| simulate(&prepared, seed, None).expect("the run ends"))
            .collect();
        for report in &reports {
            assert!(report.quiet, "everything comes to rest");
            assert_eq!(report.summary.success_lost + report.summary.unexplained, 0);
            assert_eq!(report.summary.acked, report.summary.attempted);
        }
        let of = |value: &dyn Fn(&Report) -> f64| {
            let mut values: Vec<f64> = reports.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let ms = |micros: Option<u64>| micros.expect("there are confirms") as f64 / 1e3;
        Figures {
            what: format!("{self:?}"),
            rate: of(&|r| r.summary.acked_per_s.expect("there are confirms")),
            confirm_p50: of(&|r| ms(r.summary.ack_service_p50_us)),
            confirm_mean: of(&|r| {
                let series = r.latency.iter().find(|series| series.name == "ack_latency");
                ms(series.and_then(|series| series.mean))
            }),
            delivery_p50: of(&|r| ms(r.summary.e2e_p50_us)),
            bytes: of(&|r| r.summary.broker_bytes_per_payload_byte.unwrap_or(0.0) * 1024.0),
        }
    }
}

/// The middle one.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

impl Figures {
    /// A measured range of confirm latency overlaps that of the seeds, 5 to 95 %.
    pub(crate) fn confirms_overlap(&self, measured: std::ops::RangeInclusive<f64>) {
        let (sorted, last) = (&self.confirm_p50, self.confirm_p50.len() - 1);
        let (low, high) = (sorted[last * 5 / 100], sorted[(last * 95).div_ceil(100)]);
        println!("{}: confirm p50 measured {measured:?}, simulated {low} to {high}", self.what);
        assert!(
            low <= *measured.end() && high >= *measured.start(),
            "{}: confirm p50 measured {measured:?}, simulated {low} to {high}",
            self.what
        );
    }

    /// The bytes between brokers are within 15 % of what was measured, on every seed.
    pub(crate) fn bytes_are(&self, measured: f64) {
        let (low, high) = (self.bytes[0], self.bytes[self.bytes.len() - 1]);
        println!("{}: bytes measured {measured}, simulated {low} to {high}", self.what);
        assert!(
            low >= 0.85 * measured && high <= 1.15 * measured,
            "{}: bytes measured {measured}, simulated {low} to {high}",
            self.what
        );
    }
}

/// A ratio of throughputs, of the medians, within 25 % of what was measured.
pub(crate) fn ratio_is(what: &str, of: &Figures, to: &Figures, measured: f64) {
    let ratio = median(&of.rate) / median(&to.rate);
    println!("{what}: ratio measured {measured}, simulated {ratio}");
    assert!(
        (ratio / measured - 1.0).abs() <= 0.25,
        "{what}: ratio measured {measured}, simulated {ratio}"
    );
}
