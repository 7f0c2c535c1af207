//! Every kind of fault has met brokers of every mode in every phase of their lives, and no rule that
//! holds of any run was broken by it.
//!
//! The schedules are random and dense: a fault every half a second, on brokers that boot for a second.
//! `MQSIM_SEEDS=1000 cargo test --test project coverage -- --nocapture` looks at more of them, and
//! prints the table.

use mqsim::run::{Prepared, parse, simulate};

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

/// So many seeds of a mode must suffice.
const SEEDS: u64 = 400;

impl Mode {
    fn scenario(&self) -> Prepared {
        let Mode { name, version, rest, .. } = self;
        let nodes = if *name == "rabbitmq-single" { 1 } else { 3 };
        let load = if rest.starts_with("[[policy]]") { QUEUE } else { "" };
        let mut text = format!(
            "format = 1\nname = 'coverage'\nmode = '{name}'\nbroker-version = '{version}'\n\
             duration = '30s'\ndrain = '5s'\n[cluster]\nnodes = {nodes}\nboot-time = '1s'\n\
             {load}{rest}\
             [nemesis]\nevery = {{ distribution = 'exponential', mean = '500ms' }}\n\
             from = '1500ms'\nuntil = '30s'\nat-most = 5\n"
        );
        for (kind, keys) in KINDS.iter().filter(|(kind, _)| !self.refused.contains(kind)) {
            let lasts = match *kind {
                "restart" | "reset" => "",
                _ => "for = { distribution = 'uniform', min = '100ms', max = '3s' }\n",
            };
            text += &format!("[[nemesis.fault]]\nkind = '{kind}'\n{keys}{lasts}");
        }
        match parse("coverage.toml", text.as_bytes(), &[]) {
            Ok(prepared) => prepared,
            Err(error) => panic!("{error}\n{text}"),
        }
    }
}

/// Whether a kind of fault can meet a broker in a phase at all.
fn can_be(_kind: &str, _phase: &str) -> bool {
    true
}

/// What no schedule has tried yet.
fn missing(mode: &Mode, cells: &Cells) -> Vec<String> {
    let mut missing = Vec::new();
    for (kind, _) in KINDS.iter().filter(|(kind, _)| !mode.refused.contains(kind)) {
        for (place, phase) in PHASES.iter().enumerate().filter(|(_, phase)| can_be(kind, phase)) {
            if cells.count(mode.name, kind, place) == 0 {
                missing.push(format!("{}: {kind} of a broker that is {phase}", mode.name));
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
    let scenario = mode.scenario();
    let (mut cells, mut wrong) = (Cells::default(), Vec::new());
    for seed in 1..=SEEDS.max(least) {
        let report = match simulate(&scenario, seed, Some(30_000_000)) {
            Ok(report) => report,
            Err(error) => {
                wrong.push(format!("{}, seed {seed}: {error}", mode.name));
                continue;
            }
        };
        cells.record(&report);
        let lost = report.summary.unexplained;
        if lost > 0 || report.inconsistencies > 0 {
            let contradictions = report.inconsistencies;
            wrong.push(format!(
                "{}, seed {seed}: {lost} lost without a cause, {contradictions} contradictions",
                mode.name
            ));
        }
        let invariants = report.catalog.invariants.iter().zip(&report.invariants);
        let broken = invariants.filter(|(word, seen)| word.claimed() && seen.violations > 0);
        wrong.extend(broken.map(|(word, _)| format!("{}, seed {seed}: {}", mode.name, word.name)));
        if seed >= least && missing(mode, &cells).is_empty() {
            println!("{}: {seed} seeds", mode.name);
            return (cells, wrong);
        }
    }
    wrong.extend(missing(mode, &cells).into_iter().map(|cell| format!("never tried: {cell}")));
    (cells, wrong)
}
