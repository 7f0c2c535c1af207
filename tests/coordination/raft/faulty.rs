//! Each invariant fails when a rule that it rests on is broken, and is named.

use mqsim::brokers::coordination::raft::Faulty;
use mqsim::engine::{Span, Stream, Time};
use mqsim::world::PlannedFault;
use mqsim::world::fault::FaultKind;

use super::lab::{Lab, Outcome, Plan, cut, planned};

/// How rough the times are: a fault after a while within the first range, in milliseconds, for as
/// long as the second says; the next may begin before it ends.
struct Times {
    faults: u32,
    calm: (u64, u64),
    rough: (u64, u64),
    /// Only kills, of one node each.
    single: bool,
}

const ROUGH: Times = Times { faults: 14, calm: (100, 8_000), rough: (10, 9_000), single: false };

/// Elections one after the other, while voters come and go.
const HASTY: Times = Times { faults: 400, calm: (1, 60), rough: (1, 30), single: true };

/// A schedule of kills, losses of power, pauses and cuts.
fn faults(plan: &mut Plan, times: &Times) -> Time {
    let mut luck = Stream::fixed(plan.seed, "rough times");
    let nodes = plan.voters + plan.observers;
    let mut at = Time::ZERO;
    for _ in 0..times.faults {
        at += Span::from_millis(luck.between(times.calm.0, times.calm.1));
        let mut chosen: Vec<u32> = (0..nodes).collect();
        luck.shuffle(&mut chosen);
        let count = if times.single { 1 } else { luck.between(1, u64::from(nodes) - 1) };
        chosen.truncate(count as usize);
        let kind = match luck.below(4) {
            _ if times.single => FaultKind::Crash,
            0 => FaultKind::Crash,
            1 => FaultKind::Pause,
            2 => FaultKind::PowerLoss,
            _ => cut(&chosen),
        };
        let aimed = if matches!(kind, FaultKind::Partition(_)) { Vec::new() } else { chosen };
        let lasts = Span::from_millis(luck.between(times.rough.0, times.rough.1));
        let lasts = Some(lasts);
        plan.faults.push(PlannedFault { lasts, ..planned(at, kind, &aimed) });
    }
    at + Span::from_millis(times.rough.1)
}

fn live(mut plan: Plan, times: &Times) -> Outcome {
    let end = faults(&mut plan, times);
    plan.until = end + Span::from_secs(5);
    let mut lab = Lab::new(plan);
    lab.run_for(end.since(Time::ZERO))?;
    let reached = lab.reached();
    lab.run_until("all have read", Span::from_secs(240), |lab| {
        lab.agrees(&[]) && lab.all_reached(reached, &[])
    })
}

fn rough(seed: u64, faulty: Faulty) -> Outcome {
    let mut plan = Plan::new(seed, if seed.is_multiple_of(2) { 3 } else { 5 }, 1);
    plan.config.faulty = faulty;
    live(plan, &ROUGH)
}

fn hasty(seed: u64, faulty: Faulty) -> Outcome {
    let mut plan = Plan::new(seed, 3, 0);
    plan.config.faulty = faulty;
    plan.config.election_timeout = Span::from_millis(20);
    plan.config.fetch_timeout = Span::from_millis(40);
    live(plan, &HASTY)
}

/// With this rule broken, life breaks the invariant with some seed.
#[track_caller]
fn breaks(life: fn(u64, Faulty) -> Outcome, faulty: Faulty, invariant: &str) {
    let mut found = Vec::new();
    for seed in 1..=40 {
        if let Err(wrong) = life(seed, faulty) {
            if wrong.contains(invariant) {
                return;
            }
            found.push(format!("seed {seed}: {wrong}"));
        }
    }
    panic!("not {invariant}, but {}", found.join("\n"));
}

#[test]
fn nothing_breaks_by_the_rules() {
    let seeds = std::env::var("MQSIM_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 1..=seeds.unwrap_or(40) {
        if let Err(wrong) = rough(seed, Faulty::default()) {
            panic!("seed {seed}: {wrong}");
        }
        if let Err(wrong) = hasty(seed, Faulty::default()) {
            panic!("hasty, seed {seed}: {wrong}");
        }
    }
}

#[test]
fn epochs_that_are_not_written_down() {
    breaks(rough, Faulty { forgets_epochs: true, ..Faulty::default() }, "MonotonicEpoch");
}

#[test]
fn votes_that_are_not_written_down() {
    breaks(hasty, Faulty { votes_unpersisted: true, ..Faulty::default() }, "SingleLeader");
}

#[test]
fn records_that_are_counted_before_they_are_durable() {
    let faulty = Faulty { counts_unsynced: true, ..Faulty::default() };
    breaks(rough, faulty, "MajorityReachedHighWatermark");
}

#[test]
fn votes_for_a_log_that_lacks_something() {
    let faulty = Faulty { votes_for_any_log: true, ..Faulty::default() };
    breaks(rough, faulty, "MonotonicHighWatermark");
}

#[test]
fn records_of_old_epochs_that_are_committed_by_counting() {
    let faulty = Faulty { commits_old_epochs: true, ..Faulty::default() };
    breaks(rough, faulty, "MonotonicHighWatermark");
}

#[test]
fn logs_that_differ_and_are_not_cut_off() {
    let faulty = Faulty { ignores_divergence: true, ..Faulty::default() };
    breaks(rough, faulty, "ConsistentCommittedData");
}

#[test]
fn a_log_that_is_dropped_without_a_snapshot() {
    let faulty = Faulty { drops_without_snapshot: true, ..Faulty::default() };
    breaks(rough, faulty, "SnapshotAtLogStart");
}

#[test]
fn leadership_that_is_claimed_before_the_log_is_read() {
    let faulty = Faulty { claims_unread: true, ..Faulty::default() };
    breaks(rough, faulty, "LeaderNeverLoadSnapshot");
}
