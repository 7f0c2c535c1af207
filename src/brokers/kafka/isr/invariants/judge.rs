//! What the replicas of a partition owe to what is committed.

use crate::observe::NodeId;

use super::super::config::Config;
use super::super::machine::KafkaMachine;
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::Invariant;
use super::data::Partition;
use super::oracle::{Tell, name};

/// Invariants that speak of what replicas have: not looked at while a loss is forgiven.
const OF_RECORDS: u64 = Invariant::WeakIsr.bit()
    | Invariant::StrongIsr.bit()
    | Invariant::ValidHighWatermark.bit()
    | Invariant::LeaderCandidateCompleteness.bit()
    | Invariant::LeaderCompleteness.bit()
    | Invariant::ConsistentRead.bit()
    | Invariant::UncleanExclusion.bit();

impl Partition {
    /// Looks at all that the replica at `at` may have changed; at everything, if `all`.
    pub(super) fn judge(
        &mut self,
        machines: &[KafkaMachine],
        at: usize,
        all: bool,
        tell: &mut Tell<'_>,
    ) {
        if self.counts(at) {
            // A leader that differs from what is committed commits nothing.
            let (end, seen) = (self.truth.end(), self.copies[at].high_watermark);
            if self.has(machines, at, end.min(seen)) {
                self.expose(machines, at);
            }
        }
        self.matches(machines, at, tell);
        let leads = self.copies[at].leads;
        if !leads && !all {
            return;
        }
        let complete = self.complete(machines);
        if all {
            self.contains(at, tell);
        }
        let owing = self.owing();
        let quiet = owing.is_within(complete)
            && self.broken == 0
            && !self.recut
            && self.copies.iter().all(|copy| copy.broken & OF_RECORDS == 0 && !copy.lossy);
        if !quiet {
            self.judge_slowly(machines, complete, tell);
        }
    }

    /// The authority has decided something: everything is looked at.
    pub(super) fn judge_all(&mut self, machines: &[KafkaMachine], tell: &mut Tell<'_>) {
        for at in 0..self.copies.len() {
            self.contains(at, tell);
        }
        let complete = self.complete(machines);
        self.judge_slowly(machines, complete, tell);
    }

    /// Whether what this replica lets consumers read is committed by that.
    fn counts(&self, at: usize) -> bool {
        let copy = &self.copies[at];
        copy.leads && copy.epoch >= self.floor && !self.recut && copy.outdated.is_none()
    }

    /// The replicas that run and have all that is committed.
    fn complete(&mut self, machines: &[KafkaMachine]) -> NodeSet {
        let (mut complete, end) = (NodeSet::EMPTY, self.truth.end());
        for at in 0..self.copies.len() {
            if self.copies[at].runs && self.has(machines, at, end) {
                let copy = &mut self.copies[at];
                complete = complete.with(copy.node);
                let (lost, epoch) = copy.lost;
                copy.lossy &= copy.end < lost && copy.epoch <= epoch;
                if self.state.isr.has(copy.node) {
                    copy.unclean = false;
                    // It has something that was committed since.
                    copy.outdated = copy.outdated.filter(|upto| end <= *upto);
                }
            }
        }
        complete
    }

    /// The replicas that run of which something is expected.
    fn owing(&self) -> NodeSet {
        let state = &self.state;
        let mut owing = state.isr.or(state.elr);
        if let Some(leader) = state.leader {
            owing = owing.with(leader);
        }
        let mut runs = NodeSet::EMPTY;
        for copy in &self.copies {
            if copy.leads {
                owing = owing.or(copy.isr);
            }
            if copy.runs {
                runs = runs.with(copy.node);
            }
        }
        owing.and(runs)
    }

    /// Below its high watermark a replica has what is committed.
    fn matches(&mut self, machines: &[KafkaMachine], at: usize, tell: &mut Tell<'_>) {
        let copy = &self.copies[at];
        let expected = copy.runs && copy.epoch >= self.floor && copy.outdated.is_none();
        if !expected || self.recut || self.is_unnoticed(at) {
            return;
        }
        let (high_watermark, end) = (copy.high_watermark, self.truth.end());
        let upto = high_watermark.min(end).min(copy.end);
        let same = self.has(machines, at, upto);
        let copy = &mut self.copies[at];
        let which = (Invariant::LogMatching, copy.node);
        let verified = copy.verified;
        tell.holds(&mut copy.broken, which, Some(self.id), same, |_| {
            format!(
                "differs at {verified} from what is committed, and its high watermark is \
                 {high_watermark}"
            )
        });
    }

    /// The maximal ISR of a leader contains what the controller has decided (VT966 6.5.2).
    fn contains(&mut self, at: usize, tell: &mut Tell<'_>) {
        let (state, copy) = (&self.state, &mut self.copies[at]);
        // With ZooKeeper it is the leader that decides.
        let stale = !copy.leads || copy.epoch != state.leader_epoch || !self.kraft;
        let mut decided = state.isr;
        if copy.isr.len() > self.spare {
            decided = decided.or(state.elr);
        }
        let (maximal, holds) = (copy.maximal, stale || decided.is_within(copy.maximal));
        let which = (Invariant::ReplicationQuorumSuperset, copy.node);
        tell.holds(&mut copy.broken, which, Some(self.id), holds, |_| {
            format!("its high watermark heeds {maximal:?}, the controller has decided {decided:?}")
        });
    }

    /// Looks at every replica, and tells what is wrong.
    fn judge_slowly(
        &mut self,
        machines: &[KafkaMachine],
        mut complete: NodeSet,
        tell: &mut Tell<'_>,
    ) {
        for at in 0..self.copies.len() {
            self.excludes(at, complete, tell);
        }
        if self.is_forgiven(machines)
            || self.last_standing(complete, tell)
            || self.is_led_unnoticed(complete)
        {
            if !self.new_truth(machines) {
                return;
            }
            complete = self.complete(machines);
        }
        for at in 0..self.copies.len() {
            self.led_by(machines, at, tell);
        }
        for at in 0..self.copies.len() {
            self.owes(at, complete, tell);
        }
        self.lost_globally(machines, tell);
    }

    /// So many replicas have lost records that none may be left, or the leader was elected
    /// uncleanly, as the topic allows.
    fn is_forgiven(&mut self, machines: &[KafkaMachine]) -> bool {
        if self.recut {
            return true;
        }
        let end = self.truth.end();
        let mut lossy = 0;
        for at in 0..self.copies.len() {
            lossy += u32::from(self.copies[at].lossy && !self.has(machines, at, end));
        }
        lossy > self.spare
    }

    /// The last member of the ISR is back with less than what was committed (KIP-966).
    fn last_standing(&mut self, complete: NodeSet, tell: &mut Tell<'_>) -> bool {
        let (isr, elr) = (self.state.isr, self.state.elr);
        let Some(member) = isr.iter().next().filter(|_| isr.len() == 1 && elr.is_empty()) else {
            return false;
        };
        let Some(at) = self.place(member) else { return false };
        let unclean = self.copies.iter().filter(|copy| copy.unclean).count() as u32;
        let (end, copy) = (self.truth.end(), &mut self.copies[at]);
        if !copy.runs || !copy.lossy || complete.has(member) || self.recut {
            copy.broken &= !Invariant::LastReplicaStanding.bit();
            return false;
        }
        // So many may be back with less, as far as the controller knows, that it must take what it
        // gets: the last known leader (KIP-966 promises nothing then).
        if tell.config.has(Rule::EligibleLeaderReplicas) && unclean > self.spare {
            return true;
        }
        let which = (Invariant::LastReplicaStanding, member);
        let has = copy.verified;
        tell.holds(&mut copy.broken, which, Some(self.id), false, |_| {
            format!("alone in the ISR with what is before {has}, and {end} was committed")
        });
        true
    }

    /// What is left of a forgiven loss is the truth, as soon as somebody leads; or already, if it
    /// is clear who will.
    fn new_truth(&mut self, machines: &[KafkaMachine]) -> bool {
        let state = self.state;
        let only = state.isr.iter().next().filter(|_| state.isr.len() == 1);
        let Some(next) = state.leader.or(only.filter(|_| !self.recut)) else { return false };
        let Some(at) = self.place(next) else { return false };
        let copy = &self.copies[at];
        if !copy.runs || (state.leader.is_some() && copy.epoch < state.leader_epoch) {
            return false;
        }
        self.cut_truth(machines, at);
        true
    }

    /// What this replica has of the truth is the truth now.
    fn cut_truth(&mut self, machines: &[KafkaMachine], at: usize) {
        let end = self.truth.end();
        let misleads = self.is_unnoticed(at);
        self.has(machines, at, end.min(self.copies[at].end));
        let to = self.copies[at].verified.min(self.copies[at].end);
        self.truth.truncate(to, |_| {});
        let to = self.truth.end();
        self.acked = self.acked.min(to);
        // Who leads next leads in a later epoch.
        let vacant = u32::from(self.state.leader.is_none());
        (self.floor, self.recut) = (self.state.leader_epoch + vacant, false);
        for (place, copy) in self.copies.iter_mut().enumerate() {
            copy.verified = copy.verified.min(to);
            copy.broken &= !OF_RECORDS;
            if place == at {
                (copy.lossy, copy.outdated) = (false, None);
            } else if copy.end > to {
                (copy.outdated, copy.misled) = (Some(to), misleads);
            }
        }
        self.broken &= !Invariant::NoCommittedRecordLostGlobally.bit();
    }

    /// What is owed to one that believes to lead.
    fn led_by(&mut self, machines: &[KafkaMachine], at: usize, tell: &mut Tell<'_>) {
        if !self.counts(at) {
            return;
        }
        let leader = &self.copies[at];
        let (isr, decided) = (leader.isr, self.state.isr);
        let stale = leader.epoch != self.state.leader_epoch;
        let led =
            Led { leader: leader.node, epoch: leader.epoch, high_watermark: leader.high_watermark };
        for member in 0..self.copies.len() {
            let copy = &self.copies[member];
            let node = copy.node;
            let expected = copy.runs && copy.outdated.is_none() && !self.is_unnoticed(member);
            if !expected || !isr.or(decided).has(node) {
                continue;
            }
            let has = self.has(machines, member, led.high_watermark);
            let (copy, id) = (&mut self.copies[member], Some(self.id));
            let (same, end) = (copy.verified.min(led.high_watermark), copy.end);
            // Whoever lost records is out of the ISR, which this leader need not know yet.
            let excused = copy.lossy && !decided.has(node);
            let which = (Invariant::WeakIsr, node);
            tell.holds(&mut copy.broken, which, id, has || excused || !isr.has(node), |config| {
                led.lacks(config, "the leader's ISR", same, end)
            });
            let which = (Invariant::StrongIsr, node);
            tell.holds(&mut copy.broken, which, id, has || !decided.has(node), |config| {
                led.lacks(config, "the ISR", same, end)
            });
            let which = (Invariant::ValidHighWatermark, node);
            let reaches = end >= led.high_watermark || stale || !decided.has(node);
            tell.holds(&mut copy.broken, which, id, reaches, |config| {
                led.lacks(config, "the ISR", same, end)
            });
        }
    }

    /// What a replica owes to what is committed.
    fn owes(&mut self, at: usize, complete: NodeSet, tell: &mut Tell<'_>) {
        let (state, end, id) = (self.state, self.truth.end(), Some(self.id));
        let unnoticed = self.is_unnoticed(at);
        let copy = &mut self.copies[at];
        let node = copy.node;
        let expected = copy.runs && copy.outdated.is_none() && !unnoticed;
        let fine = !expected || complete.has(node);
        let (verified, own) = (copy.verified.min(end), copy.end);
        let lacks = move |what: &str| {
            format!("{what}; has what is committed up to {verified} of {end}, and ends at {own}")
        };
        let candidate = state.isr.or(state.elr).has(node);
        let which = (Invariant::LeaderCandidateCompleteness, node);
        tell.holds(&mut copy.broken, which, id, fine || !candidate, |_| {
            lacks(&format!("ISR {:?}, eligible {:?}", state.isr, state.elr))
        });
        let elected = state.leader == Some(node);
        let which = (Invariant::LeaderCompleteness, node);
        tell.holds(&mut copy.broken, which, id, fine || !elected, |_| {
            lacks(&format!("elected in epoch {}", state.leader_epoch))
        });
        let leads = copy.leads && copy.epoch == state.leader_epoch;
        let which = (Invariant::ConsistentRead, node);
        tell.holds(&mut copy.broken, which, id, fine || !leads, |_| {
            lacks(&format!("leads in epoch {}", state.leader_epoch))
        });
    }

    /// A replica that is back with less than it had is nothing to its partition until it has
    /// caught up.
    fn excludes(&mut self, at: usize, complete: NodeSet, tell: &mut Tell<'_>) {
        let (state, end) = (self.state, self.truth.end());
        // The last one of an ISR is told as that.
        let last = state.isr.len() == 1 && state.elr.is_empty();
        let copy = &mut self.copies[at];
        let node = copy.node;
        let counts = state.isr.or(state.elr).has(node) || state.leader == Some(node);
        let back = copy.runs && copy.lossy && copy.outdated.is_none() && !complete.has(node);
        let which = (Invariant::UncleanExclusion, node);
        let (verified, own) = (copy.verified.min(end), copy.end);
        tell.holds(&mut copy.broken, which, Some(self.id), last || !back || !counts, |_| {
            let (leader, isr) = (state.leader.map(|node| node.0), state.isr);
            format!(
                "leader {leader:?}, ISR {isr:?}, eligible {:?}; it is back with what is committed \
                 up to {verified} of {end}, and ends at {own}",
                state.elr
            )
        });
    }

    /// Whether a replica is back with less, and nobody noticed that it was away. That is told as
    /// `unclean-exclusion`, and as nothing else.
    fn is_unnoticed(&self, at: usize) -> bool {
        let copy = &self.copies[at];
        (copy.unnoticed && copy.lossy) || (copy.misled && copy.outdated.is_some())
    }

    /// Whether such a one leads.
    fn is_led_unnoticed(&self, complete: NodeSet) -> bool {
        let leader = self.state.leader.filter(|leader| !complete.has(*leader));
        let at = leader.and_then(|leader| self.place(leader));
        at.is_some_and(|at| self.copies[at].runs && self.is_unnoticed(at))
    }

    /// Some log has all that is acknowledged, be its broker up or down.
    fn lost_globally(&mut self, machines: &[KafkaMachine], tell: &mut Tell<'_>) {
        let end = self.acked.min(self.truth.end());
        let kept = (0..self.copies.len()).any(|at| self.has(machines, at, end));
        let most = self.copies.iter().max_by_key(|copy| copy.verified);
        let (node, verified) = most.map_or((NodeId(0), 0), |copy| (copy.node, copy.verified));
        let which = (Invariant::NoCommittedRecordLostGlobally, node);
        tell.holds(&mut self.broken, which, Some(self.id), kept, |_| {
            format!(
                "{end} was acknowledged, and the most that is left is what is before {verified}"
            )
        });
        // Nothing more can be said of what nobody has: those that are left go on.
        if !kept {
            self.new_truth(machines);
        }
    }
}

/// A leader as its followers owe to it.
#[derive(Clone, Copy)]
struct Led {
    leader: NodeId,
    epoch: u32,
    high_watermark: u64,
}

impl Led {
    fn lacks(self, config: &Config, of: &str, same: u64, end: u64) -> String {
        let (leader, epoch) = (name(config, self.leader), self.epoch);
        let to = self.high_watermark;
        format!(
            "in {of}, has what is committed up to {same} and ends at {end}; {leader} leads in \
             epoch {epoch} with the high watermark {to}"
        )
    }
}
