//! What is lost and what is there twice, by fault and by how brokers depend on each other: cell by cell, of durable
//! messages whose sends are waited for, from an application that repeats what has failed.

use crate::runs::run;
use crate::small::{HA, consumer, cut, fault, prepared, producer, seeds};

/// What must come of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// Nothing that was answered is lost.
    None,
    /// Something is.
    Some,
}

const SINGLE: (&str, u32, &str) = ("artemis-single", 1, "");
const SHARED: (&str, u32, &str) = ("artemis-shared-store", 2, "");
const PAIR: (&str, u32, &str) = ("artemis-replication", 2, "");
const PAIRS: (&str, u32, &str) = ("artemis-replication", 6, "");
const PINGER: (&str, u32, &str) =
    ("artemis-replication", 6, "[broker]\nnetwork-check-list = true\n");

type Cell = (&'static str, (&'static str, u32, &'static str), String, Loss);

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for mode in [SINGLE, SHARED, PAIR, PAIRS] {
        cells.push(("killed", mode, fault("crash", "n1", "10s", "15s"), Loss::None));
        cells.push(("without power", mode, fault("power-loss", "n1", "10s", "30s"), Loss::None));
        cells.push(("stopped in order", mode, fault("stop", "n1", "10s", "15s"), Loss::None));
    }
    for mode in [PAIR, PAIRS] {
        let first = fault("crash", "n2", "10s", "60s");
        let then = format!("{first}{}", fault("crash", "n1", "20s", "5s"));
        cells.push(("backup, then primary killed", mode, then, Loss::None));
        let both =
            fault("power-loss", "n1", "10s", "5s") + &fault("power-loss", "n2", "10s", "20s");
        cells.push(("both without power, primary first", mode, both, Loss::None));
        let disk = fault("wipe-disk", "n1", "10s", "5s") + &fault("power-loss", "n2", "10s", "20s");
        cells.push(("both without power, primary's disk lost", mode, disk, Loss::Some));
    }
    let split = cut("reject", "10s", "10s") + &fault("crash", "n1", "110s", "2s");
    // While its backup asks again and again, with what it had when the link was cut.
    let asking = cut("reject", "10s", "10s") + &fault("crash", "n1", "40s", "2s");
    cells.push(("link cut, then the primary dies in the vote", PAIRS, asking, Loss::Some));
    cells.push(("link cut, then the primary starts anew", PAIR, split.clone(), Loss::Some));
    cells.push(("link cut, then the primary starts anew", PAIRS, split.clone(), Loss::None));
    cells.push(("link cut, then the primary starts anew", PINGER, split, Loss::Some));
    cells
}

#[test]
fn what_is_lost_depends_on_how_brokers_depend_on_each_other() {
    let mut wrong = Vec::new();
    for (what, (mode, nodes, keys), faults, loss) in cells() {
        let clients = format!(
            "{}{}",
            producer(&format!("rate = '100/s'\n{HA}")),
            consumer(&format!("start = '128s'\n{HA}"))
        );
        let scenario = prepared(mode, nodes, 130, &format!("{keys}{clients}{faults}"));
        let mut lost = 0;
        for seed in 1..=seeds(2) {
            let summary = run(&scenario, seed).summary;
            lost += summary.acked_lost;
            if summary.unexplained > 0 {
                wrong.push(format!("{what}, {mode} of {nodes}: unexplained, seed {seed}"));
            }
            if summary.duplicated > 3 && loss == Loss::None {
                wrong.push(format!("{what}, {mode} of {nodes}: {} twice", summary.duplicated));
            }
        }
        if (lost > 0) != (loss == Loss::Some) {
            wrong.push(format!("{what}, {mode} of {nodes}: {lost} lost, not {loss:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_duplicate_id_makes_a_repeated_send_harmless() {
    let twice = |keys: &str| {
        let faults: String = (0..8)
            .map(|turn| fault("reset", "producer(p1)", &format!("{}s", 2 + turn), ""))
            .collect();
        let faults = faults.replace("for = ''\n", "");
        let rest = format!(
            "{}{}{faults}",
            producer(&format!("closed-loop = {{ in-flight = 1 }}\n{HA}{keys}")),
            consumer("")
        );
        (1..=4)
            .map(|seed| run(&prepared("artemis-single", 1, 12, &rest), seed).summary.duplicated)
            .sum::<u64>()
    };
    assert!(twice("") > 0);
    assert_eq!(twice("duplicate-id = true\n"), 0);
}
