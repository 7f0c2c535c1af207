//! A follower of three is frozen from 5 to 20 s while a publisher sends as fast as it can.

use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

use super::super::lab::seeds;

fn run(version: &str, lasts: u32) -> Vec<Report> {
    let fault = match lasts {
        0..=5 => "",
        _ => "[[fault]]\nat = \"5s\"\nfor = \"15s\"\nkind = \"pause\"\ntarget = \"n3\"\n",
    };
    let text = format!(
        "format = 1\nname = \"frozen\"\nmode = \"rabbitmq-quorum\"\nbroker-version = \"{version}\"\n\
         duration = \"{lasts}s\"\ndrain = \"120s\"\n\
         [cluster]\nnodes = 3\nhardware = \"lab-vm\"\n[broker]\nnet_ticktime = \"60s\"\n\
         [[queue]]\nname = \"orders\"\nleader = \"n1\"\n\
         [[producer]]\nname = \"p1\"\nto = \"orders\"\nconnect = [\"n1\"]\n\
         closed-loop = {{ in-flight = 1000 }}\nmessage-size = \"1KiB\"\nconfirms = {{ window = 1000 }}\n\
         [[consumer]]\nname = \"c1\"\nfrom = \"orders\"\nconnect = [\"n1\"]\nprefetch = 500\n\
         {fault}"
    );
    let prepared = parse("frozen.toml", text.as_bytes(), &[]);
    let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
    // A run has as many messages as ten of the other experiments'.
    let runs = (1..=seeds().div_ceil(5)).map(|seed| simulate(&prepared, seed, None));
    runs.map(|run| run.expect("the run ends")).collect()
}

/// Confirms a second between two instants.
fn rate(report: &Report, from: u64, to: u64) -> f64 {
    let bucket = report.timeline.bucket.as_nanos();
    let at = |second: u64| (second * 1_000_000_000 / bucket) as usize;
    let acked: u64 = report.timeline.buckets[at(from)..at(to)].iter().map(|of| of.acked).sum();
    acked as f64 / (to - from) as f64
}

/// The frozen follower costs no availability, no flow control and no loss; it catches up in the
/// background.
#[test]
fn clients_notice_nothing() {
    for version in ["4.0.5", "4.3"] {
        for report in run(version, 32) {
            assert!(report.quiet, "everything comes to rest");
            let of = &report.summary;
            assert_eq!((of.acked_lost, of.duplicated, of.unknown, of.nacked), (0, 0, 0, 0));
            assert_eq!(of.write_longest_ms, Some(0), "{version}: no stall of 250 ms");
            let (before, frozen) = (rate(&report, 1, 5), rate(&report, 12, 20));
            let after = rate(&report, 26, 32);
            println!("{version}: {before} /s before, {frozen} frozen, {after} after");
            // Measured: 5,180, 5,550, 4,970 (4.3); 7,160, 7,830 (4.0).
            assert!(
                (frozen / before / (5550.0 / 5180.0) - 1.0).abs() <= 0.25,
                "{before}, {frozen}"
            );
            assert!((after / before / (4970.0 / 5180.0) - 1.0).abs() <= 0.25, "{before}, {after}");
        }
    }
}

/// A frozen follower is sent a window of entries and then nothing; when it is back it gets a
/// snapshot rather than all that it has missed.
#[test]
fn bytes_between_brokers_are_half_and_catching_up_costs_next_to_nothing() {
    let of = |lasts| {
        let reports = run("4.3", lasts);
        let bytes = |report: &Report| {
            let acked = report.summary.acked as f64;
            let ratio = report.summary.broker_bytes_per_payload_byte.expect("there are bytes");
            (ratio * 1024.0 * acked, acked)
        };
        let all: Vec<(f64, f64)> = reports.iter().map(bytes).collect();
        all
    };
    let between = |early: &[(f64, f64)], late: &[(f64, f64)]| {
        let all = early.iter().zip(late);
        let values = all.map(|((bytes, acked), (later, more))| (later - bytes) / (more - acked));
        values.collect::<Vec<f64>>()
    };
    // The load ends at those instants, and the same seed has done the same until then; what comes
    // after is the drain.
    let (before, frozen) = (of(5), of(19));
    let whole = of(32);
    let first: Vec<f64> = before.iter().map(|(bytes, acked)| bytes / acked).collect();
    println!(
        "{first:?} before, {:?} frozen, {:?} after",
        between(&before, &frozen),
        between(&frozen, &whole)
    );
    for bytes in first {
        assert!((bytes / 2450.0 - 1.0).abs() <= 0.15, "before: {bytes}");
    }
    for bytes in between(&before, &frozen) {
        assert!((bytes / 1280.0 - 1.0).abs() <= 0.15, "frozen: {bytes}");
    }
    for bytes in between(&frozen, &whole) {
        assert!((bytes / 2550.0 - 1.0).abs() <= 0.15, "after: {bytes}");
    }
}
