//! What must always be so of a quorum queue, looked at whenever a member of one has done something.

use crate::brokers::kit::machines::all;
use crate::brokers::kit::words::invariants;
use crate::observe::{DestinationId, InvariantId, InvariantWord, NodeId, Violation};

use super::broker::Broker;
use super::broker::quorum::member::Member;
use super::broker::ra::log::Log;
use super::machine::RabbitMachine;
use super::message::QueueId;
use super::message::ra::{Index, Position, Term};
use super::rules::{Rule, Rules};

invariants! {
    ONE_LEADER_A_TERM = "one-leader-a-term", [],
        "No two members of a quorum queue lead in one term.";
    COMMITTED_IS_ON_A_MAJORITY = "committed-is-on-a-majority",
        ["rules.quorum-queues-fsync", "rules.commit-by-majority"],
        "What a leader has just committed is in the logs of a majority of the members, fsynced.";
    SAME_ENTRIES_APPLIED = "same-entries-applied", ["rules.quorum-queues-fsync"],
        "All members of a quorum queue apply the same entry at each place of the log.";
}

/// The invariants, with what this configuration lacks of what they rest on.
#[must_use]
pub fn words(rules: Rules) -> Vec<InvariantWord> {
    let needed = [Rule::QuorumQueuesFsync, Rule::CommitByMajority];
    let off = needed.into_iter().filter(|rule| !rules.has(*rule)).map(Rule::name);
    let off: Vec<&str> = off.collect();
    let lacks = |rests: &&'static str| off.iter().any(|name| rests.ends_with(name));
    INVARIANTS
        .iter()
        .map(|word| InvariantWord {
            lacks: word.rests_on.iter().copied().filter(lacks).collect(),
            ..word.clone()
        })
        .collect()
}

/// What is known of one queue.
#[derive(Clone, Debug, Default)]
struct Known {
    leaders: Vec<(Term, NodeId)>,
    /// In which term the entry was appended that is applied at each place: where runs of one term
    /// begin.
    terms: Vec<Position>,
    /// The last place that somebody has applied.
    applied: Index,
    /// The last that a leader has committed.
    committed: Index,
}

/// What is known of all queues.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    queues: Vec<Known>,
}

impl Oracle {
    /// A node has handled an input.
    pub fn check(
        &mut self,
        machines: &mut [RabbitMachine],
        node: NodeId,
        report: &mut dyn FnMut(Violation),
    ) {
        let RabbitMachine::Broker(broker) = &mut machines[node.index()] else { return };
        for (queue, from) in broker.take_touched() {
            self.look(machines, node, queue, from, report);
        }
    }

    fn look(
        &mut self,
        machines: &[RabbitMachine],
        node: NodeId,
        queue: QueueId,
        applied_before: Index,
        report: &mut dyn FnMut(Violation),
    ) {
        let mut brokers = all::<_, Broker>(machines);
        let member = brokers.find(|(id, _)| *id == node).and_then(|(_, b)| b.member_of(queue));
        let Some(member) = member else { return };
        if self.queues.len() <= queue.0 as usize {
            self.queues.resize_with(queue.0 as usize + 1, Known::default);
        }
        let known = &mut self.queues[queue.0 as usize];
        let mut tell = |invariant: InvariantId, detail: String| {
            let destination = Some(DestinationId(queue.0));
            report(Violation { invariant, node, destination, detail });
        };
        let server = member.server();
        if server.leads() {
            let term = server.meta().term;
            match known.leaders.iter().find(|(known, _)| *known == term) {
                Some((_, leader)) if *leader != node => {
                    let detail = format!("in term {term} another node has led before");
                    tell(invariant::ONE_LEADER_A_TERM, detail);
                }
                Some(_) => {}
                None => known.leaders.push((term, node)),
            }
            if server.commit() > known.committed {
                known.committed = server.commit();
                let (have, members) = holders(machines, member, queue, server.commit());
                if 2 * have <= members {
                    let at = server.commit();
                    let detail = format!("entry {at} is on the disks of {have} of {members}");
                    tell(invariant::COMMITTED_IS_ON_A_MAJORITY, detail);
                }
            }
        }
        known.apply(member, applied_before, &mut tell);
    }
}

impl Known {
    fn apply(
        &mut self,
        member: &Member,
        before: Index,
        tell: &mut impl FnMut(InvariantId, String),
    ) {
        let (_, applied) = member.state();
        for index in before + 1..=applied {
            let Some(term) = member.server().log.term_at(index) else { continue };
            if index > self.applied {
                self.applied = index;
                if self.terms.last().is_none_or(|last| last.term != term) {
                    self.terms.push(Position { term, index });
                }
                continue;
            }
            let at = self.terms.partition_point(|run| run.index <= index);
            let known = at.checked_sub(1).map(|at| self.terms[at].term);
            if known.is_some_and(|known| known != term) {
                let detail =
                    format!("at {index} an entry of term {term}, and of another one before");
                tell(invariant::SAME_ENTRIES_APPLIED, detail);
                return;
            }
        }
    }
}

/// How many members have the leader's entry at an index on their disks, and how many there are.
fn holders(
    machines: &[RabbitMachine],
    leader: &Member,
    queue: QueueId,
    index: Index,
) -> (usize, usize) {
    let term = leader.server().log.term_at(index);
    let has = |log: &Log| {
        let there = log.base().index >= index || log.term_at(index) == term;
        there && log.written() >= index
    };
    let brokers = all::<_, Broker>(machines);
    let have = brokers.filter(|(_, broker)| broker.log_of(queue).is_some_and(has)).count();
    (have, leader.server().members().len())
}
