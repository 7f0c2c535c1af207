//! One seed, or many side by side.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::{RunawayKind, Span, Time};
use crate::observe::Observer;
use crate::verdict::{Report, RunFacts};
use crate::world::{Ending, Runaway, SetupError};

use super::Prepared;
use super::planned::{Done, Stops};

/// Why a run came to no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Machines chase each other, or the run has more events than allowed.
    #[error("{0}\n  = help: {remedy}", remedy = remedy(.0))]
    Runaway(#[from] Runaway),
    /// The hosts or the network are not right.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The simulation panicked: what it said.
    #[error("a defect of mqsim ended the run: {0}\n  = help: {REPORT}")]
    Defect(String),
}

/// What to do about a defect of mqsim.
pub const REPORT: &str =
    "please report it with the scenario and what it says with RUST_BACKTRACE=1";

impl RunError {
    /// Whether a limit ended the run that the user had set.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, RunError::Runaway(runaway) if runaway.limit.kind == RunawayKind::MaxEvents)
    }
}

fn remedy(runaway: &Runaway) -> &'static str {
    match runaway.limit.kind {
        RunawayKind::SameInstant => {
            "machines answer each other without any time passing: please report the scenario"
        }
        RunawayKind::MaxEvents => "raise max-events (--max-events), or lower the load",
    }
}

/// What a panic said.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

/// Simulates one seed.
///
/// # Errors
/// If the run does not end by itself.
pub fn simulate(
    prepared: &Prepared,
    seed: u64,
    max_events: Option<u64>,
) -> Result<Report, RunError> {
    with_stops(prepared, seed, max_events, Stops::NONE)
}

fn with_stops(
    prepared: &Prepared,
    seed: u64,
    max_events: Option<u64>,
    stops: Stops<'_>,
) -> Result<Report, RunError> {
    let Prepared { plan, catalog, options, expectations, .. } = prepared;
    let done = plan.run(seed, catalog, *options, max_events, stops)?;
    let mut report = report(prepared, seed, done);
    report.over_seeds = expectations.observe(&report);
    report.remarks.extend(expectations.aside(&report));
    Ok(report)
}

/// What a run that is over comes to, and how it was judged.
pub(super) fn report(prepared: &Prepared, seed: u64, done: Done) -> Report {
    let settings = prepared.scenario.settings();
    let mut report = done.ledger.finish(RunFacts {
        scenario: settings.name.clone(),
        description: settings.description.clone(),
        mode: prepared.mode.mode.name.to_owned(),
        broker_version: prepared.version.clone(),
        seed,
        ended: done.ending.at,
        quiet: done.ending.quiet,
        waits: done.waits,
        questions: prepared.expectations.questions().to_vec(),
        broker_bytes: done.statistics.broker_bytes,
        disk_bytes: done.statistics.disk_bytes,
        fsyncs: done.statistics.fsyncs,
        events: done.statistics.events,
        busy: done.busy,
        fingerprint: done.fingerprint,
    });
    report.expectations = prepared.expectations.judge(&report);
    report
}

/// Simulates one seed under an observer of the caller's own, and hands it back with the instant at
/// which the run ended: for questions that the ledger does not answer.
///
/// # Errors
/// If the run does not end by itself.
pub fn observe<O: Observer>(
    prepared: &Prepared,
    seed: u64,
    mut observer: O,
) -> Result<(O, Ending), RunError> {
    let ending = prepared.plan.observe(seed, &mut observer)?;
    Ok((observer, ending))
}

/// A defect that shows as a panic ends one run, not the others.
fn whole(run: impl FnOnce() -> Result<Report, RunError>) -> Result<Report, RunError> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(RunError::Defect(panic_text(&*panic))))
}

/// How far [`simulate_many`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// One more seed is done.
    Seed,
    /// The only seed has come to this instant of virtual time, of so long a load.
    Reached {
        /// The instant.
        at: Time,
        /// How long the scenario lasts, without its drain.
        load: Span,
    },
}

/// How often a single seed tells how far it has come.
const TOLD: u64 = 200;

/// Simulates seeds, `jobs` at a time; results come in the order of the seeds, whatever `jobs` is.
/// `told` is called after each, from any thread; a single seed tells of its virtual time too.
pub fn simulate_many(
    prepared: &Prepared,
    seeds: &[u64],
    jobs: usize,
    max_events: Option<u64>,
    told: &(dyn Fn(Progress) + Sync),
) -> Vec<Result<Report, RunError>> {
    if let [seed] = *seeds {
        let load = prepared.options.duration;
        let part =
            |number| load.as_nanos() / TOLD * number + load.as_nanos() % TOLD * number / TOLD;
        let instants: Vec<Time> = (1..=TOLD).map(|number| Time::from_nanos(part(number))).collect();
        let stops =
            Stops { instants: &instants, passed: &|at| told(Progress::Reached { at, load }) };
        let result = whole(|| with_stops(prepared, seed, max_events, stops));
        told(Progress::Seed);
        return vec![result];
    }
    let work: Vec<(&Prepared, u64)> = seeds.iter().map(|seed| (prepared, *seed)).collect();
    let results = Mutex::new(Vec::with_capacity(seeds.len()));
    simulate_each(&work, jobs, max_events, &|at, result| {
        results.lock().expect("no thread panics while it holds this").push((at, result));
        told(Progress::Seed);
    });
    let mut results = results.into_inner().expect("all threads have ended");
    results.sort_unstable_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Simulates pairs of a scenario and a seed, `jobs` at a time. They begin in their order, so that
/// what comes first is complete first. `each` is handed the place in `work` and the result, from
/// any thread and in any order.
pub fn simulate_each(
    work: &[(&Prepared, u64)],
    jobs: usize,
    max_events: Option<u64>,
    each: &(dyn Fn(usize, Result<Report, RunError>) + Sync),
) {
    simulate_wanted(work, jobs, max_events, &|_| true, each);
}

/// The same, but each is simulated only if it is still `wanted` when its turn comes.
pub fn simulate_wanted(
    work: &[(&Prepared, u64)],
    jobs: usize,
    max_events: Option<u64>,
    wanted: &(dyn Fn(usize) -> bool + Sync),
    each: &(dyn Fn(usize, Result<Report, RunError>) + Sync),
) {
    side_by_side(work.len(), jobs, &|at| {
        if wanted(at) {
            let (prepared, seed) = work[at];
            each(at, whole(|| simulate(prepared, seed, max_events)));
        }
    });
}

/// Does `one` of each number below `count`, `jobs` at a time, beginning in their order.
pub fn side_by_side(count: usize, jobs: usize, one: &(dyn Fn(usize) + Sync)) {
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            one(at);
        }
    };
    let threads = jobs.clamp(1, count.max(1));
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => {
            pool.broadcast(|_| worker());
        }
        // The system has no more threads to give: then this one does it all.
        Err(_) => worker(),
    }
}

/// What a run was, and the ingredients of its fingerprint at instants of it.
pub type Traced = (Report, Vec<(Time, [u64; 5])>);

/// Simulates the scenario's own seed, with the ingredients of the fingerprint so far at the
/// `instants` of its load (they ascend), which does not change what happens.
///
/// # Errors
/// If the run does not end by itself.
pub fn trace<I: IntoIterator<Item = Time>>(
    prepared: &Prepared,
    instants: impl Fn(Span) -> I,
) -> Result<Traced, RunError> {
    let Prepared { plan, catalog, options, .. } = prepared;
    let instants: Vec<Time> = instants(options.duration).into_iter().collect();
    let run = || {
        let stops = Stops { instants: &instants, ..Stops::NONE };
        let mut done = plan.run(prepared.seed(), catalog, *options, None, stops)?;
        let checkpoints = std::mem::take(&mut done.checkpoints);
        Ok((report(prepared, prepared.seed(), done), checkpoints))
    };
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(RunError::Defect(panic_text(&*panic))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_seed_tells_how_far_it_has_come_and_comes_to_the_same() {
        let text = include_bytes!("../../scenarios/single.toml");
        let prepared = crate::run::parse("single.toml", text, &[]).unwrap();
        let told = Mutex::new(Vec::new());
        let results =
            simulate_many(&prepared, &[1], 1, None, &|step| told.lock().unwrap().push(step));
        let told = told.into_inner().unwrap();
        let load = prepared.options.duration;
        assert_eq!(told.len() as u64, TOLD + 1);
        assert_eq!(told[TOLD as usize - 1], Progress::Reached { at: Time::ZERO + load, load });
        assert_eq!(told[TOLD as usize], Progress::Seed);
        let alone = simulate(&prepared, 1, None).unwrap();
        assert_eq!(results[0].as_ref().unwrap().fingerprint, alone.fingerprint);
    }
}
