//! What must always be so of a quorum queue, looked at whenever a member of one has done something.

use crate::brokers::kit::machines::all;
use crate::brokers::kit::words::invariants;
use crate::observe::{InvariantId, InvariantWord, NodeId, Violation};

use super::broker::Broker;
use super::broker::quorum::fifo::check::Counts;
use super::broker::quorum::member::Member;
use super::broker::ra::log::Log;
use super::broker::ra::server::Breach;
use super::machine::RabbitMachine;
use super::message::ra::{Command, Index, Position, Term};
use super::message::{Pid, QueueId};
use super::rules::{Rule, Rules};

invariants! {
    ONE_LEADER_A_TERM = "one-leader-a-term", ["rules.persist-votes"],
        "No two members of a quorum queue lead in one term.";
    LEADER_COMPLETENESS = "leader-completeness",
        ["rules.quorum-queues-fsync", "rules.vote-for-newest-log", "rules.persist-votes"],
        "Who leads a quorum queue has all that was committed in earlier terms.";
    COMMITTED_IS_NEVER_OVERWRITTEN = "committed-is-never-overwritten",
        ["rules.quorum-queues-fsync", "rules.vote-for-newest-log", "rules.persist-votes"],
        "No leader overwrites what a member of a quorum queue knows to be committed.";
    COMMITTED_IS_ON_A_MAJORITY = "committed-is-on-a-majority", ["rules.quorum-queues-fsync"],
        "What a leader has just committed is in the logs of a majority of the members, fsynced.";
    CONFIRMED_IS_ON_A_MAJORITY = "confirmed-is-on-a-majority",
        ["rules.quorum-queues-fsync", "rules.confirm-when-applied"],
        "What a publisher is told to be confirmed is in the logs of a majority of the members, fsynced.";
    SAME_ENTRIES_APPLIED = "same-entries-applied",
        ["rules.quorum-queues-fsync", "rules.vote-for-newest-log", "rules.persist-votes"],
        "All members of a quorum queue apply the same entry at each place of the log.";
    ONE_PLACE_A_MESSAGE = "one-place-a-message", [],
        "No message of a quorum queue is with two consumers, or waits while it is with one.";
    COUNTS_NEVER_FALL = "counts-never-fall", [],
        "How often a message of a quorum queue has come back never becomes less.";
    ORDER_OF_A_CHANNEL = "order-of-a-channel", ["rules.deduplicate-enqueues"],
        "What one channel has published waits in a quorum queue in the order of publishing, each once.";
}

/// The invariants, with what this configuration lacks of what they rest on.
#[must_use]
pub fn words(rules: Rules) -> Vec<InvariantWord> {
    let needed = [
        Rule::QuorumQueuesFsync,
        Rule::VoteForNewestLog,
        Rule::PersistVotes,
        Rule::ConfirmWhenApplied,
        Rule::DeduplicateEnqueues,
    ];
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
    /// The last of which a publisher was told.
    confirmed: Index,
    /// The last that was applied when the messages themselves were looked at, and how many commands
    /// had given any back by then.
    looked: Index,
    returns: u64,
    /// How often messages had come back then.
    counts: Vec<Counts>,
    /// What of each member has been told.
    told: Vec<(NodeId, Breach)>,
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
        let touched = broker.take_touched();
        if touched.is_empty() {
            return;
        }
        for (queue, from) in touched {
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
            let destination = member.destination();
            report(Violation { invariant, node, destination, detail });
        };
        let server = member.server();
        // Who has lost its disk may vote as if it had never had anything: no Raft survives that.
        let whole = !all::<_, Broker>(machines)
            .any(|(id, broker)| broker.was_wiped() && server.cluster().members().contains(&id));
        if whole && let Some(breach) = server.breach() {
            known.tell_of(node, breach, &mut tell);
        }
        if server.leads() {
            let term = server.meta().term;
            match known.leaders.iter().find(|(known, _)| *known == term) {
                Some((_, leader)) if *leader != node && whole => {
                    let detail = format!("in term {term} another node has led before");
                    tell(invariant::ONE_LEADER_A_TERM, detail);
                }
                Some(_) => {}
                None => {
                    known.leaders.push((term, node));
                    if let Some(index) = known.lacks(member).filter(|_| whole) {
                        let detail = format!("in term {term} it lacks entry {index}");
                        tell(invariant::LEADER_COMPLETENESS, detail);
                    }
                }
            }
            let (committed, confirmed) = (server.commit(), member.confirmed());
            let news = |of: &mut Index, now: Index| now > std::mem::replace(of, (*of).max(now));
            let of_majority = [
                (
                    invariant::COMMITTED_IS_ON_A_MAJORITY,
                    news(&mut known.committed, committed),
                    committed,
                ),
                (
                    invariant::CONFIRMED_IS_ON_A_MAJORITY,
                    news(&mut known.confirmed, confirmed),
                    confirmed,
                ),
            ];
            for (invariant, _, at) in of_majority.into_iter().filter(|(_, news, _)| *news && whole)
            {
                let (have, members) = holders(machines, member, queue, at);
                if 2 * have <= members {
                    let detail = format!("entry {at} is on the disks of {have} of {members}");
                    tell(invariant, detail);
                }
            }
            known.look_at_messages(member, whole, &mut tell);
        }
        if whole {
            known.apply(member, applied_before, &mut tell);
        }
    }
}

impl Known {
    /// What must not have happened to a member, once.
    fn tell_of(
        &mut self,
        node: NodeId,
        breach: Breach,
        tell: &mut impl FnMut(InvariantId, String),
    ) {
        if self.told.contains(&(node, breach)) {
            return;
        }
        self.told.push((node, breach));
        match breach {
            Breach::Overwritten(index) => {
                let detail = format!("entry {index} was committed, and a leader has another");
                tell(invariant::COMMITTED_IS_NEVER_OVERWRITTEN, detail);
            }
            Breach::Ousted(term, other) => {
                let detail = format!("it leads in term {term}, and node {} too", other.0 + 1);
                tell(invariant::ONE_LEADER_A_TERM, detail);
            }
        }
    }

    /// As it begins to lead: an entry that somebody has applied and this member does not have.
    fn lacks(&self, leader: &Member) -> Option<Index> {
        let log = &leader.server().log;
        let at = self.applied;
        let base = log.base().index;
        let known = self.terms.last().map(|run| run.term);
        let has = at <= base || log.term_at(at) == known;
        (!has).then_some(at)
    }

    /// The messages themselves: after commands that give some back, but no more often than pays.
    fn look_at_messages(
        &mut self,
        member: &Member,
        whole: bool,
        tell: &mut impl FnMut(InvariantId, String),
    ) {
        let (fifo, applied) = member.state();
        let returns = member.returns();
        if returns == self.returns || applied < self.looked + fifo.len() as u64 / 4 {
            return;
        }
        (self.looked, self.returns) = (applied, returns);
        if let Some(index) = fifo.doubled() {
            tell(invariant::ONE_PLACE_A_MESSAGE, format!("entry {index} is in two places"));
        }
        if let Some(index) = fifo.fewer(&self.counts).filter(|_| whole) {
            let detail = format!("entry {index} has come back less often than before");
            tell(invariant::COUNTS_NEVER_FALL, detail);
        }
        self.counts = fifo.counts();
        let log = &member.server().log;
        let mut last: Vec<(Pid, u64)> = Vec::new();
        for held in fifo.ready() {
            let Some(Command::Enqueue { channel, seq, .. }) =
                log.get(held.index).map(|entry| entry.command)
            else {
                continue;
            };
            // A dead letter has no number.
            if seq == 0 {
                continue;
            }
            match last.iter_mut().find(|(of, _)| *of == channel) {
                Some((_, before)) if *before >= seq => {
                    let detail = format!("number {seq} of a channel waits behind its {before}");
                    return tell(invariant::ORDER_OF_A_CHANNEL, detail);
                }
                Some((_, before)) => *before = seq,
                None => last.push((channel, seq)),
            }
        }
    }

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
    // As the members are now: a change of them counts for the entries before it, too.
    let cluster = leader.server().cluster();
    let brokers = all::<_, Broker>(machines).filter(|(node, _)| cluster.has_vote(*node));
    let have = brokers.filter(|(_, broker)| broker.log_of(queue).is_some_and(has)).count();
    (have, cluster.votes())
}
