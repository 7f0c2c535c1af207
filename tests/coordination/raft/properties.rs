//! The seven properties of `RaftEventSimulationTest.java` (trunk of October 2024). All invariants
//! are looked at after every event.

use mqsim::brokers::coordination::raft::Invariant;
use mqsim::engine::{Span, Stream};
use mqsim::world::fault::FaultKind;

use super::lab::{Lab, Outcome, Plan, cut};

/// The longest that a condition may take to come about.
const MOST: Span = Span::from_secs(60);

fn seeds() -> u64 {
    let wanted = std::env::var("MQSIM_SEEDS").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(30)
}

/// Tries a property with each seed, and names the first with which it does not hold.
#[track_caller]
fn holds(property: impl Fn(u64) -> Outcome) {
    for seed in 1..=seeds() {
        if let Err(wrong) = property(seed) {
            panic!("seed {seed}: {wrong}");
        }
    }
}

/// A lab of so many voters, and observers from 0 to 5.
fn lab(seed: u64, least: u64, most: u64) -> Lab {
    let mut luck = Stream::fixed(seed, "how many");
    let voters = luck.between(least, most) as u32;
    Lab::new(Plan::new(seed, voters, luck.between(0, 5) as u32))
}

fn elected(lab: &mut Lab, offset: u64) -> Outcome {
    lab.run_until("all know one leader", MOST, |lab| lab.agrees(&[]))?;
    lab.run_until("somebody has read far", MOST, |lab| lab.any_reached(offset))
}

#[test]
fn can_elect_initial_leader() {
    holds(|seed| {
        let mut lab = lab(seed, 1, 5);
        elected(&mut lab, 10)?;
        lab.run_until("all have read", MOST, |lab| lab.all_reached(10, &[]))
    });
}

#[test]
fn can_elect_new_leader_after_old_leader_failure() {
    holds(|seed| {
        let mut lab = lab(seed, 3, 5);
        elected(&mut lab, 10)?;
        let old = lab.leader().ok_or("no leader")?;
        let ways = [FaultKind::Stop, FaultKind::Crash, FaultKind::PowerLoss];
        let way = ways[lab.luck.below(3) as usize].clone();
        lab.inject(way, &[old])?;
        let reached = lab.reached();
        lab.run_until("a new leader", MOST, |lab| lab.agrees(&[old]))?;
        lab.run_until("progress", MOST, |lab| lab.all_reached(reached + 10, &[old]))?;
        lab.heal()?;
        lab.run_until("the old leader is back", MOST, |lab| {
            lab.agrees(&[]) && lab.all_reached(reached + 20, &[])
        })
    });
}

#[test]
fn can_recover_after_all_nodes_killed() {
    holds(|seed| {
        let mut lab = lab(seed, 1, 5);
        elected(&mut lab, 10)?;
        let reached = lab.high_watermark();
        let voters = lab.plan.voters;
        let all: Vec<u32> = (0..voters + lab.plan.observers).collect();
        let power = lab.luck.below(2) == 0;
        let kind = if power { FaultKind::PowerLoss } else { FaultKind::Crash };
        // A minority of the voters stays away.
        let mut away: Vec<u32> = (0..voters).collect();
        lab.luck.shuffle(&mut away);
        away.truncate((voters as usize - 1) / 2);
        let back: Vec<u32> = all.iter().copied().filter(|node| !away.contains(node)).collect();
        lab.inject(kind.clone(), &back)?;
        let first = lab.plan.faults.len() - 1;
        if !away.is_empty() {
            lab.inject(kind, &away)?;
        }
        lab.run_for(Span::from_millis(500))?;
        let lasted = lab.now().since(lab.plan.faults[first].at);
        lab.plan.faults[first].lasts = Some(lasted);
        lab.again()?;
        lab.run_until("a leader", MOST, |lab| lab.agrees(&away))?;
        lab.run_until("progress", MOST, |lab| lab.all_reached(reached + 10, &away))
    });
}

#[test]
fn can_elect_new_leader_after_old_leader_partitioned_away() {
    holds(|seed| {
        let mut lab = lab(seed, 3, 5);
        elected(&mut lab, 10)?;
        let old = lab.leader().ok_or("no leader")?;
        lab.inject(cut(&[old]), &[])?;
        let reached = lab.reached();
        lab.run_until("a new leader", MOST, |lab| lab.agrees(&[old]))?;
        lab.run_until("progress", MOST, |lab| lab.all_reached(reached + 10, &[old]))?;
        lab.heal()?;
        lab.run_until("one leader for all", MOST * 4, |lab| {
            lab.agrees(&[]) && lab.all_reached(reached + 20, &[])
        })
    });
}

#[test]
fn can_make_progress_if_majority_is_reachable() {
    holds(|seed| {
        let mut lab = lab(seed, 5, 5);
        elected(&mut lab, 10)?;
        let mut voters: Vec<u32> = (0..5).collect();
        lab.luck.shuffle(&mut voters);
        let minority = &voters[..2];
        lab.inject(cut(minority), &[])?;
        let reached = lab.reached();
        lab.run_until("progress", MOST, |lab| lab.all_reached(reached + 20, minority))?;
        lab.heal()?;
        lab.run_until("progress of all", MOST * 4, |lab| lab.all_reached(reached + 40, &[]))
    });
}

#[test]
fn can_make_progress_after_back_to_back_leader_failures() {
    holds(|seed| {
        let mut lab = lab(seed, 3, 5);
        elected(&mut lab, 10)?;
        for _ in 0..4 {
            let Some(leader) = lab.leader() else { return Err("no leader".to_owned()) };
            let power = lab.luck.below(2) == 0;
            lab.inject(if power { FaultKind::PowerLoss } else { FaultKind::Crash }, &[leader])?;
            let away = Span::from_millis(lab.luck.between(10, 8_000));
            lab.run_for(away)?;
            lab.heal()?;
            let reached = lab.reached();
            lab.run_until("a leader", MOST, |lab| lab.agrees(&[]))?;
            lab.run_until("progress", MOST, |lab| lab.all_reached(reached + 10, &[]))?;
        }
        Ok(())
    });
}

#[test]
fn can_recover_from_single_node_committed_data_loss() {
    holds(|seed| {
        let mut lab = lab(seed, 3, 5);
        lab.spared = vec![Invariant::MonotonicEpoch, Invariant::MajorityReachedHighWatermark];
        elected(&mut lab, 10)?;
        let node = lab.luck.below(u64::from(lab.plan.voters)) as u32;
        lab.inject(FaultKind::WipeDisk, &[node])?;
        let reached = lab.reached();
        lab.run_until("a leader of the others", MOST, |lab| {
            lab.agrees(&[node]) && lab.all_reached(reached + 10, &[node])
        })?;
        lab.heal()?;
        lab.run_until("all have read", MOST, |lab| {
            lab.agrees(&[]) && lab.all_reached(reached + 20, &[])
        })
    });
}
