//! Every kind of fault has met brokers of every mode in every phase of their lives, and no rule that
//! holds of any run was broken by it.
//!
//! The schedules are random and dense: an attack nearly every second, on brokers that boot for a second,
//! often right behind another that has brought its broker into some phase.
//! `MQSIM_SEEDS=1000 cargo test --test project coverage -- --nocapture` looks at so many seeds, and prints
//! the table.

use std::fmt::Write as _;

use mqsim::engine::Stream;
use mqsim::run::{Prepared, parse, simulate};
use mqsim::verdict::Report;

use crate::cells::{Cells, PHASES};

/// A mode with a load that is cheap to simulate, and the kinds of faults that it does not take.
struct Mode {
    name: &'static str,
    version: &'static str,
    rest: &'static str,
    refused: &'static [&'static str],
}

const QUEUE: &str = "[[queue]]\nname = 'q'\nleader = 'n1'\n[[producer]]\nname = 'p'\nto = 'q'\n\
                     rate = '10/s'\nconfirms = true\n[[consumer]]\nname = 'c'\nfrom = 'q'\n";

const TOPIC: &str = "[[topic]]\nname = 'q'\nreplication-factor = 3\n[[producer]]\nname = 'p'\n\
                     to = 'q'\nrate = '10/s'\nacks = 'all'\n[[consumer]]\nname = 'c'\nfrom = 'q'\n";

const OLD_TOPIC: &str = "[[topic]]\nname = 'q'\n[[producer]]\nname = 'p'\nto = 'q'\n\
                         rate = '10/s'\n[[consumer]]\nname = 'c'\nfrom = 'q'\ngroupid = 'g'\n";

const MODES: &[Mode] = &[
    Mode {
        name: "rabbitmq-single",
        version: "3.10",
        rest: QUEUE,
        // A single broker cannot be parted.
        refused: &["disk-error", "partition"],
    },
    Mode { name: "rabbitmq-cluster", version: "3.10", rest: QUEUE, refused: &["disk-error"] },
    Mode {
        name: "rabbitmq-mirrored",
        version: "3.10",
        rest: "[[policy]]\npattern = '.*'\nha-mode = 'all'\nha-sync-mode = 'automatic'\n",
        refused: &["disk-error"],
    },
    Mode { name: "rabbitmq-quorum", version: "4.2", rest: QUEUE, refused: &["disk-error"] },
    Mode { name: "kafka-isr", version: "2.8", rest: TOPIC, refused: &[] },
    Mode { name: "kafka-legacy", version: "0.7", rest: OLD_TOPIC, refused: &[] },
];

/// Every kind, with the keys that it needs.
const KINDS: &[(&str, &str)] = &[
    ("crash", ""),
    ("stop", ""),
    ("restart", ""),
    ("pause", ""),
    ("power-loss", ""),
    ("partition", ""),
    ("latency", "add = '20ms'\n"),
    ("packet-loss", "chance = '5%'\n"),
    ("bandwidth", "rate = '100kB/s'\n"),
    ("reset", ""),
    ("slow-disk", "factor = 50\n"),
    ("disk-stall", ""),
    ("disk-full", ""),
    ("disk-error", ""),
    ("wipe-disk", ""),
    ("clock-skew", "offset = '3s'\n"),
];

/// What brings a broker into a phase.
const BEFORE: &[&str] = &["stop", "stop", "crash", "power-loss", "pause"];

/// So many seeds of a mode must suffice.
const SEEDS: u64 = 1_000;

impl Mode {
    /// The scenario with the faults of a seed; kinds that are `wanted` are drawn more often.
    fn scenario(&self, seed: u64, wanted: &[&str]) -> Prepared {
        let Mode { name, version, rest, .. } = self;
        let nodes = if *name == "rabbitmq-single" { 1 } else { 3 };
        let load = if rest.starts_with("[[policy]]") { QUEUE } else { "" };
        let mut text = format!(
            "format = 1\nname = 'coverage'\nmode = '{name}'\nbroker-version = '{version}'\n\
             duration = '30s'\ndrain = '5s'\n[cluster]\nnodes = {nodes}\nboot-time = '1s'\n\
             {load}{rest}"
        );
        let mut draw = Stream::fixed(seed, "coverage");
        let wipes = draw.below(2) == 0;
        let kinds = KINDS
            .iter()
            .filter(|(kind, _)| !self.refused.contains(kind) && (wipes || *kind != "wipe-disk"));
        let kinds: Vec<_> = kinds.collect();
        // In microseconds.
        let mut at = 1_500_000;
        while at < 27_000_000 {
            let node = draw.between(1, nodes);
            if draw.below(2) == 0 {
                let before = BEFORE[draw.below(BEFORE.len() as u64) as usize];
                fault(&mut text, (before, ""), node, at, draw.between(300, 2_000));
                // As likely to come after some microseconds as after hundreds of milliseconds.
                let most = 16 << draw.between(0, 16);
                at += draw.between(1, most);
            }
            let most = kinds.iter().filter(|(kind, _)| wanted.contains(kind)).collect::<Vec<_>>();
            let from =
                if most.is_empty() || draw.below(2) == 0 { kinds.iter().collect() } else { most };
            let kind = from[draw.below(from.len() as u64) as usize];
            fault(&mut text, **kind, node, at, draw.between(100, 3_000));
            at += draw.between(100_000, 1_500_000);
        }
        match parse("coverage.toml", text.as_bytes(), &[]) {
            Ok(prepared) => prepared,
            Err(error) => panic!("{error}\n{text}"),
        }
    }
}

fn fault(text: &mut String, (kind, keys): (&str, &str), node: u64, at: u64, lasts: u64) {
    let lasts = match kind {
        "restart" | "reset" => String::new(),
        _ => format!("for = '{lasts}ms'\n"),
    };
    let _ = write!(
        text,
        "[[fault]]\nkind = '{kind}'\nat = '{at}us'\ntarget = 'n{node}'\n{lasts}{keys}"
    );
}

/// Whether a kind of fault can meet a broker in a phase at all: only a process can be frozen.
fn can_be(kind: &str, phase: &str) -> bool {
    kind != "pause" || !["killed", "dark", "stopped"].contains(&phase)
}

/// The cells that no schedule has tried yet: kinds and phases.
fn missing(mode: &Mode, cells: &Cells) -> Vec<(&'static str, &'static str)> {
    let mut missing = Vec::new();
    for (kind, _) in KINDS.iter().filter(|(kind, _)| !mode.refused.contains(kind)) {
        for (place, phase) in PHASES.iter().enumerate().filter(|(_, phase)| can_be(kind, phase)) {
            if cells.count(mode.name, kind, place) == 0 {
                missing.push((*kind, *phase));
            }
        }
    }
    missing
}

#[test]
fn every_fault_meets_brokers_in_every_phase_of_their_lives() {
    let least = std::env::var("MQSIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1);
    let looked: Vec<(Cells, Vec<String>)> = std::thread::scope(|scope| {
        let modes: Vec<_> =
            MODES.iter().map(|mode| scope.spawn(move || look(mode, least))).collect();
        modes.into_iter().map(|mode| mode.join().expect("a mode is looked at")).collect()
    });
    let (mut all, mut wrong) = (Cells::default(), Vec::new());
    for (cells, complaints) in looked {
        all.add(&cells);
        wrong.extend(complaints);
    }
    println!("{}", all.table());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs one seed after the other until everything was tried.
fn look(mode: &Mode, least: u64) -> (Cells, Vec<String>) {
    let (mut cells, mut wrong) = (Cells::default(), Vec::new());
    for seed in 1..=SEEDS.max(least) {
        let wanted: Vec<&str> = missing(mode, &cells).iter().map(|(kind, _)| *kind).collect();
        let scenario = mode.scenario(seed, &wanted);
        let report = match simulate(&scenario, seed, Some(30_000_000)) {
            Ok(report) => report,
            Err(error) => {
                wrong.push(format!("{}, seed {seed}: {error}", mode.name));
                continue;
            }
        };
        cells.record(&report);
        let before = wrong.len();
        judge(mode, &report, &mut wrong);
        if wrong.len() > before {
            println!("{}, seed {seed}:\n{}\n", mode.name, scenario.text());
        }
        if seed >= least && missing(mode, &cells).is_empty() {
            println!("{}: {seed} seeds", mode.name);
            return (cells, wrong);
        }
    }
    wrong.extend(missing(mode, &cells).into_iter().map(|(kind, phase)| {
        format!("{}: never tried: {kind} of a broker that is {phase}", mode.name)
    }));
    (cells, wrong)
}

/// What must hold of any run.
fn judge(mode: &Mode, report: &Report, wrong: &mut Vec<String>) {
    let seed = report.seed;
    let (lost, contradictions) = (report.summary.unexplained, report.inconsistencies);
    if lost > 0 || contradictions > 0 {
        wrong.push(format!(
            "{}, seed {seed}: {lost} lost without a cause, {contradictions} contradictions",
            mode.name
        ));
    }
    let invariants = report.catalog.invariants.iter().zip(&report.invariants);
    let broken = invariants.filter(|(word, seen)| word.claimed() && seen.violations > 0);
    wrong.extend(broken.map(|(word, _)| format!("{}, seed {seed}: {}", mode.name, word.name)));
}
