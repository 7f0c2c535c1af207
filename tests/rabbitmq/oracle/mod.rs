//! What each configuration of RabbitMQ loses under each kind of fault: a table, cell by cell, from
//! random schedules of faults.
//!
//! Publishers use confirms, publish again what was nacked or left unanswered, and consumers
//! acknowledge by hand. A schedule keeps to what its row presumes: replicas are in sync before the
//! next fault (faults are further apart than a restart and a synchronisation take), "all" means all
//! nodes within a second, all of which return. `no` cells must lose nothing under any seed, `loss`
//! cells something under at least one, by the cause that the table names; other cells make no
//! claim. `MQSIM_SEEDS=200` runs so many seeds a cell instead of 10.

mod schedule;
mod table;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use mqsim::run::{parse, simulate};

use schedule::Faults;
use table::{Claim, ROWS, Row};

fn seeds() -> u64 {
    std::env::var("MQSIM_SEEDS").map_or(10, |text| text.parse().expect("MQSIM_SEEDS is a number"))
}

/// What the seeds of one cell came to.
#[derive(Default)]
struct Found {
    /// Seeds with a loss.
    lossy: u64,
    /// The first of them.
    first: Option<u64>,
    /// Acknowledged messages lost, by cause and because.
    causes: BTreeMap<(String, String), u64>,
    wrong: Vec<String>,
}

/// The scenario of one cell under one seed.
fn text(row: &Row, faults: Faults, seed: u64) -> String {
    let nodes = row.nodes;
    let schedule = schedule::draw(row, faults, seed);
    let clients = |node: u32| {
        let order: Vec<String> =
            (0..nodes).map(|n| format!("\"n{}\"", (n + node) % nodes + 1)).collect();
        format!(
            "connect = [{}]\nreconnect-delay = \"100ms\"\nheartbeat = \"5s\"\n",
            order.join(", ")
        )
    };
    let mut producers = String::new();
    for index in 0..2 {
        producers.push_str(&format!(
            "[[producer]]\nname = \"p{number}\"\nto = \"orders\"\nrate = \"100/s\"\n\
             confirms = {{ window = 50 }}\nrepublish = true\ncatch-up = \"1s\"\n{clients}{own}",
            number = index + 1,
            clients = clients(row.publishers[index]),
            own = row.producer,
        ));
    }
    // Without a consumer for most of the time there is something to lose.
    let consumer = format!(
        "[[consumer]]\nname = \"c1\"\nfrom = \"orders\"\nprefetch = 100\nstart = \"45s\"\n{}",
        clients(1 % nodes)
    );
    format!(
        "format = 1\nname = \"oracle\"\nmode = \"{mode}\"\nbroker-version = \"{version}\"\n\
         duration = \"50s\"\ndrain = \"300s\"\n\
         [cluster]\nnodes = {nodes}\nhardware = \"lab-vm\"\n\
         boot-time = {{ distribution = \"uniform\", min = \"1s\", max = \"2s\" }}\n\
         [broker]\nnet_ticktime = \"4s\"\n{broker}\n{sections}\n\
         [[queue]]\nname = \"orders\"\nleader = \"n1\"\n{queue}\n{producers}{consumer}{schedule}",
        mode = row.mode,
        version = row.version,
        broker = row.broker,
        sections = row.sections,
        queue = row.queue,
    )
}

fn run(row: &Row, faults: Faults, seed: u64) -> Result<Vec<(String, String, u64)>, String> {
    let text = text(row, faults, seed);
    let prepared = parse("oracle.toml", text.as_bytes(), &[]).map_err(|error| error.to_string())?;
    let report = simulate(&prepared, seed, None).map_err(|error| error.to_string())?;
    if report.summary.unexplained > 0 {
        return Err(format!("{} lost without a cause", report.summary.unexplained));
    }
    let catalog = prepared.catalog();
    let mut losses = Vec::new();
    for loss in report.losses.iter().filter(|loss| loss.class == "acked_lost") {
        let cause = loss.cause.map_or("on its way", |cause| catalog.causes[cause.0 as usize].name);
        let because = catalog.conditions[loss.because.0 as usize];
        losses.push((cause.to_owned(), because.to_owned(), loss.count));
    }
    Ok(losses)
}

fn cell(row: &Row, faults: Faults) -> Found {
    let mut found = Found::default();
    for seed in 1..=seeds() {
        match run(row, faults, seed) {
            Err(error) => found.wrong.push(format!("seed {seed}: {error}")),
            Ok(losses) => {
                // While a whole cluster boots a node may serve before the queue's own node has
                // recovered it, and confirms what it cannot route: that was never stored. A node
                // recovers its own queues only, and routes to no other before its own node has
                // (rabbit_amqqueue.erl, `recover`, `find_local_durable_queues`, `start`). So 5 or
                // 6 of 200 seeds lose some; docs/fidelity/rabbitmq.md has it.
                let boots = faults == Faults::PowerOfAll;
                let counted = losses.iter().filter(|(cause, ..)| {
                    let unstored = boots && cause == "unroutable-confirmed";
                    !row.ignored.contains(&&**cause) && !unstored
                });
                let mut any = false;
                for (cause, because, count) in counted {
                    any = true;
                    *found.causes.entry((cause.clone(), because.clone())).or_default() += count;
                }
                found.lossy += u64::from(any);
                if any && found.first.is_none() {
                    found.first = Some(seed);
                }
            }
        }
    }
    found
}

/// What is wrong with a cell.
fn judge(claim: Claim, found: &Found) -> Vec<String> {
    let mut wrong = found.wrong.clone();
    let causes: Vec<&str> = found.causes.keys().map(|(cause, _)| &**cause).collect();
    match claim {
        Claim::NoLoss if found.lossy > 0 => {
            let (lossy, first) = (found.lossy, found.first.unwrap_or(0));
            wrong.push(format!(
                "{lossy} of {} seeds lose, {first} first: {:?}",
                seeds(),
                found.causes
            ));
        }
        Claim::Loss(cause) if !causes.contains(&cause) => {
            wrong.push(format!("no seed loses by {cause}: {:?}", found.causes));
        }
        _ => {}
    }
    wrong
}

#[test]
fn every_configuration_loses_what_the_table_says() {
    let cells: Vec<(&Row, Faults, Claim)> = ROWS
        .iter()
        .flat_map(|row| Faults::ALL.into_iter().zip(row.claims).map(move |(f, c)| (row, f, c)))
        .filter(|(.., claim)| *claim != Claim::Skip)
        .collect();
    let next = AtomicUsize::new(0);
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut lines = std::thread::scope(|scope| {
        let work = || {
            let mut lines = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some((row, faults, claim)) = cells.get(at) else { return lines };
                let found = cell(row, *faults);
                let wrong = judge(*claim, &found);
                lines.push((at, *row, *faults, *claim, found, wrong));
            }
        };
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|t| t.join().expect("no cell panics")).collect::<Vec<_>>()
    });
    lines.sort_by_key(|(at, ..)| *at);
    let mut complaints = Vec::new();
    for (_, row, faults, claim, found, wrong) in &lines {
        println!(
            "{:<44} {:<14} {:<28} {} of {} seeds {:?}",
            row.name,
            faults.name(),
            claim.to_string(),
            found.lossy,
            seeds(),
            found.causes
        );
        complaints.extend(wrong.iter().map(|w| format!("{}, {}: {w}", row.name, faults.name())));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
