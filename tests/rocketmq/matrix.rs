//! What survives which fault, by how a master flushes and replicates: every cell under faults at many
//! moments. A cell that promises that nothing is lost must keep that under every seed; one that loses
//! must do so under some seed, by its cause, and never more than its bound.
//!
//! `MQSIM_SEEDS=200` looks at so many moments of each cell.

use mqsim::verdict::Report;

use crate::runs;

/// Messages a second.
const RATE: u64 = 200;

/// How a master flushes and replicates.
struct Row {
    name: &'static str,
    version: &'static str,
    broker: &'static str,
    /// What each of [`FAULTS`] costs.
    costs: [Cost; 7],
}

/// What a fault costs of what was acknowledged.
#[derive(Clone, Copy)]
enum Cost {
    Nothing,
    /// What the master had not flushed: half a second of it, and an fsync. A slave may have it, and is
    /// of no use.
    Tail,
    /// What no slave had yet: pushers look every 100 ms.
    Lag,
    /// What was in the write buffer.
    Buffer,
    /// What the slave did not have when it was made master: the old one cuts it off.
    Cut,
    /// The same, and the old one has not flushed it.
    CutTail,
}

use Cost::{Buffer, Cut, CutTail, Lag, Nothing, Tail};

/// The faults, with when the consumer begins: after all of them.
const FAULTS: [(&str, &str); 7] = [
    ("the master is killed", "kind = 'crash'\ntarget = 'n1'\nfor = '5s'"),
    ("the master loses power", "kind = 'power-loss'\ntarget = 'n1'\nfor = '5s'"),
    ("the master's disk is destroyed", "kind = 'wipe-disk'\ntarget = 'n1'"),
    ("both lose power", "kind = 'power-loss'\ntarget = 'all'\nfor = '5s'"),
    ("the slave is down", "kind = 'crash'\ntarget = 'n2'\nfor = '5s'"),
    (
        "the link between them is cut",
        "kind = 'partition'\nbetween = ['n1', 'n2']\nclients = 'unaffected'\nfor = '30s'",
    ),
    ("the master loses power for longer", "kind = 'power-loss'\ntarget = 'n1'\nfor = '20s'"),
];

const ROWS: [Row; 9] = [
    Row {
        name: "ASYNC_FLUSH, ASYNC_MASTER",
        version: "4.9.4",
        broker: "",
        costs: [Nothing, Tail, Lag, Tail, Nothing, Nothing, Tail],
    },
    Row {
        name: "ASYNC_FLUSH, SYNC_MASTER of 5.3 as it is shipped",
        version: "5.3",
        broker: "brokerRole = 'SYNC_MASTER'",
        costs: [Nothing, Tail, Lag, Tail, Nothing, Nothing, Tail],
    },
    Row {
        name: "SYNC_FLUSH, ASYNC_MASTER",
        version: "5.3",
        broker: "flushDiskType = 'SYNC_FLUSH'",
        costs: [Nothing, Nothing, Lag, Nothing, Nothing, Nothing, Nothing],
    },
    Row {
        name: "ASYNC_FLUSH, SYNC_MASTER",
        version: "4.9.4",
        broker: "brokerRole = 'SYNC_MASTER'",
        costs: [Nothing, Tail, Nothing, Tail, Nothing, Nothing, Tail],
    },
    Row {
        name: "ASYNC_FLUSH, SYNC_MASTER with inSyncReplicas = 2",
        version: "5.3",
        broker: "brokerRole = 'SYNC_MASTER'\ninSyncReplicas = 2",
        costs: [Nothing, Tail, Nothing, Tail, Nothing, Nothing, Tail],
    },
    Row {
        name: "SYNC_FLUSH, SYNC_MASTER",
        version: "4.9.4",
        broker: "flushDiskType = 'SYNC_FLUSH'\nbrokerRole = 'SYNC_MASTER'",
        costs: [Nothing, Nothing, Nothing, Nothing, Nothing, Nothing, Nothing],
    },
    Row {
        name: "a write buffer, ASYNC_MASTER",
        version: "5.3",
        broker: "transientStorePoolEnable = true",
        costs: [Buffer, Tail, Buffer, Tail, Nothing, Nothing, Tail],
    },
    Row {
        name: "controllers, which wait for nobody",
        version: "5.3",
        broker: "allAckInSyncStateSet = false",
        // Back within ten seconds it was never missed, and is the master still.
        costs: [Cut, Tail, Lag, Tail, Nothing, Nothing, CutTail],
    },
    Row {
        name: "controllers, allAckInSyncStateSet and minInSyncReplicas = 2",
        version: "5.3",
        broker: "allAckInSyncStateSet = true\nminInSyncReplicas = 2",
        costs: [Nothing, Tail, Nothing, Tail, Nothing, Nothing, Nothing],
    },
];

fn seeds() -> u64 {
    runs::number("MQSIM_SEEDS", 10)
}

/// The run of a cell: the fault at some moment, and everything read in the end. If the master's disk is
/// destroyed it stays away until the slave is read.
fn run(row: &Row, fault: &str, seed: u64) -> Report {
    let at = 3_000 + seed * 617 % 1_900;
    let Row { version, broker, .. } = row;
    let controlled = broker.contains("allAckInSyncStateSet");
    let mode = if controlled { "rocketmq-controller" } else { "rocketmq-master-slave" };
    // The load ends with the master, so that nothing overwrites what its slave has.
    let text = format!(
        "format = 1\nname = 'matrix'\nmode = '{mode}'\nbroker-version = '{version}'\n\
         duration = '60s'\ndrain = '200s'\n[cluster]\nnodes = 2\nboot-time = '1s'\n[broker]\n\
         slaves = 1\nslaveReadEnable = true\n{broker}\n[[topic]]\nname = 'orders'\nqueues = 2\n\
         [[producer]]\nname = 'p1'\nto = 'orders'\nrate = {{ profile = 'poisson', rate = '{RATE}/s' }}\n\
         check-send-status = true\nthreads = 4\nstop = '{}ms'\n\
         [[consumer]]\nname = 'c1'\nfrom = 'orders'\nstart = '40s'\n\
         [[fault]]\nat = '{at}ms'\n{fault}\n",
        at + 20,
    );
    runs::run(&runs::prepared(&text, &[]), seed)
}

/// How many of what was acknowledged are gone, or in a copy that nobody can read.
fn lost(report: &Report) -> u64 {
    report.summary.success_gone + report.summary.unreachable_at_end
}

/// The cause, and the most that may be lost.
fn bound(cost: Cost) -> (Option<&'static str>, u64) {
    let millis = |span: u64| 15 + RATE * span / 1_000 * 5 / 4;
    match cost {
        Nothing => (None, 0),
        Tail => (Some("page-cache-lost"), millis(600)),
        Lag => (Some("disk-wiped"), millis(110)),
        Buffer => (Some("write-buffer-lost"), millis(210)),
        Cut => (Some("truncated-on-rejoin"), millis(110)),
        CutTail => (Some("page-cache-lost"), millis(110)),
    }
}

#[test]
fn every_cell_keeps_or_loses_what_it_says() {
    let mut wrong = Vec::new();
    for row in &ROWS {
        for ((fault, keys), cost) in FAULTS.iter().zip(row.costs) {
            let (cause, most) = bound(cost);
            let (mut worst, mut explained) = (0, 0);
            for seed in 1..=seeds() {
                let report = run(row, keys, seed);
                worst = worst.max(lost(&report));
                let named = report.losses.iter().filter(|loss| {
                    loss.cause
                        .is_some_and(|id| Some(report.catalog.causes[id.index()].name) == cause)
                });
                explained += named.map(|loss| loss.count).sum::<u64>();
                let unexplained = report.summary.unexplained;
                if unexplained > 0 {
                    wrong.push(format!(
                        "{}, {fault}, seed {seed}: {unexplained} unexplained",
                        row.name
                    ));
                }
            }
            if worst > most || (worst == 0 && most > 0) {
                wrong.push(format!("{}, {fault}: {worst} lost, at most {most}", row.name));
            }
            // What a slave still has is not gone, and so has no cause.
            if let (Some(cause), 0, 1..) = (cause, explained, worst)
                && !matches!(cost, Tail)
            {
                wrong.push(format!("{}, {fault}: {worst} lost, none as {cause}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
