//! Kafka with replication beside RabbitMQ's mirrors, end to end, ledger and invariants included:
//! events and messages a second of CPU-bound wall time, medians of the repeats, taken in turns.
//!
//!     cargo bench --bench kafka [-- REPEATS]

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the wall clock")]

use std::path::Path;
use std::time::Instant;

use mqsim::engine::Time;
use mqsim::observe::{DestinationId, MessageRange, NodeId, Observer};
use mqsim::run::{Prepared, load, observe, parse, simulate};

/// Counts appends and what is in them.
#[derive(Clone, Copy, Default)]
struct Batches {
    batches: u64,
    messages: u64,
}

impl Observer for Batches {
    fn stored(&mut self, _: Time, _: NodeId, _: DestinationId, messages: MessageRange) {
        self.batches += 1;
        self.messages += u64::from(messages.count);
    }
}

/// How many messages a batch has on average.
fn batch(prepared: &Prepared) -> f64 {
    let (seen, _) = observe(prepared, 1, Batches::default()).expect("the run ends");
    seen.messages as f64 / seen.batches as f64
}

/// Three brokers, acks=all; one producer. What differs is put in.
fn kafka(load: &str) -> Prepared {
    let text = format!(
        "format = 1\nname = \"bench\"\nmode = \"kafka-isr\"\nbroker-version = \"4.1\"\n\
         duration = \"10s\"\n[cluster]\nnodes = 3\n[broker]\n\"min.insync.replicas\" = 2\n\
         [[topic]]\nname = \"orders\"\npartitions = 3\n\
         [[producer]]\nname = \"p1\"\nto = \"orders\"\nacks = \"all\"\n{load}\n\
         [[consumer]]\nname = \"c1\"\nfrom = \"orders\"\n"
    );
    parse("bench.toml", text.as_bytes(), &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn main() {
    let repeats = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(9);
    let mirror = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/mirror.toml");
    let cases = [
        ("rabbitmq-mirrored, mirror.toml", load(&mirror, &[]).expect("it is shipped")),
        (
            "kafka-isr, batches of one",
            kafka("rate = \"5k/s\"\n\"batch.size\" = 0\n\"linger.ms\" = 0"),
        ),
        (
            "kafka-isr, 100 bytes, batched",
            kafka("closed-loop = { in-flight = 100000 }\nmessage-size = \"100B\"\ncount = 8000000"),
        ),
    ];
    let mut rates: Vec<Vec<(f64, f64)>> = vec![Vec::new(); cases.len()];
    for repeat in 0..=repeats {
        for ((_, prepared), rates) in cases.iter().zip(&mut rates) {
            let start = Instant::now();
            let report = simulate(prepared, 1 + repeat, None).expect("the run ends");
            let seconds = start.elapsed().as_secs_f64();
            assert_eq!(report.summary.success_lost, 0, "nothing is lost without a fault");
            let (events, lines) = (report.summary.events, report.summary.lines);
            if repeat > 0 {
                rates.push((events as f64 / seconds / 1e6, lines as f64 / seconds / 1e6));
            }
        }
    }
    for ((name, prepared), mut rates) in cases.iter().zip(rates) {
        rates.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (low, median, high) = (rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
        println!(
            "{name:<31} {:.2} M events/s ({:.2} to {:.2}), {:.2} M messages/s, of {repeats} runs; \
             {:.1} messages an append",
            median.0,
            low.0,
            high.0,
            median.1,
            batch(prepared)
        );
    }
}
