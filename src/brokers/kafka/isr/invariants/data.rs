//! The logs of a partition: what was committed, and what each replica has of it.

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Log;
use crate::observe::NodeId;
use crate::world::FileId;

use super::super::broker::{Broker, Notes, Replica, Role, Status};
use super::super::config::{Config, Metadata};
use super::super::machine::KafkaMachine;
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::super::state::PartitionState;
use super::Invariant;
use super::oracle::{Tell, broker, name};

/// A partition, as nobody in the cluster can see it.
#[derive(Clone)]
pub(super) struct Partition {
    pub(super) id: PartitionId,
    /// What is committed: as it first was below the high watermark of a leader.
    pub(super) truth: Log,
    /// Leaders of earlier epochs are of no account any more: there was an unclean election since.
    pub(super) floor: u32,
    /// The next leader's log is the truth: it was elected uncleanly, as the topic allows.
    pub(super) recut: bool,
    /// What the controller has decided.
    pub(super) state: PartitionState,
    /// Who appended in an epoch.
    owners: Vec<(u32, NodeId)>,
    /// Its replicas.
    pub(super) copies: Vec<Replicated>,
    /// Invariants of the partition as a whole that are broken at present.
    pub(super) broken: u64,
    /// Up to here it was committed by so many that it may have been acknowledged (`acks=all`).
    pub(super) acked: u64,
    /// Of how many replicas records may be lost without one that is acknowledged being lost.
    pub(super) spare: u32,
    /// Whether records bear epochs (KIP-101).
    epochs: bool,
    /// A broker may be back before anybody has noticed that it was away.
    pub(super) bounces: bool,
    /// Whether the controller decides on the ISR.
    pub(super) kraft: bool,
}

/// A replica, as it was when it was last looked at.
#[derive(Clone, Debug)]
pub(super) struct Replicated {
    pub(super) node: NodeId,
    /// Its process runs, and it has been told a state since it started.
    pub(super) runs: bool,
    /// It believes to lead.
    pub(super) leads: bool,
    pub(super) epoch: u32,
    pub(super) partition_epoch: u32,
    /// Its ISR, as it was told, and the one that its high watermark heeds.
    pub(super) isr: NodeSet,
    pub(super) maximal: NodeSet,
    pub(super) end: u64,
    pub(super) high_watermark: u64,
    last_epoch: Option<u32>,
    incarnation: u32,
    /// Up to here it was compared with the truth, and is the same.
    pub(super) verified: u64,
    /// It came back with less than it had, or will, and has not caught up since.
    pub(super) lossy: bool,
    /// Where it ended before, and in which epoch: a leader may believe it still ends there.
    pub(super) lost: (u64, u32),
    /// It is in the ISR, or leads, as its former self, which had what it has lost: nobody noticed
    /// that it was away. With ZooKeeper a broker registers again when its session is over, and a
    /// controller that is elected after that knows nothing of its former self (KafkaController.scala
    /// 2.8, `initializeControllerContext`; one that has seen both can tell, KIP-380). And a leader
    /// may bring it back by what it knew of its former self: while it is away (before KIP-841), or
    /// when it is there again (before KIP-903).
    pub(super) unnoticed: bool,
    /// The leader that wants it in the ISR knows its former self only.
    pub(super) stale: bool,
    /// Whom it wants in the ISR, if it leads.
    wanted: NodeSet,
    /// Its process ended without the mark of an orderly stop, and it was in no ISR since: the
    /// controller cannot tell whether it lost something (KIP-966).
    pub(super) unclean: bool,
    /// It had more than what is the truth since a forgiven loss: nothing is expected of it until it
    /// has cut its log to here, or goes on behind what it has.
    pub(super) outdated: Option<u64>,
    /// The same, and its leader came back as its former self, in the same epoch: nothing tells the
    /// records of the two apart, and so it may keep what it has.
    pub(super) misled: bool,
    /// Which invariants are broken at present because of it.
    pub(super) broken: u64,
}

/// How much of a replica has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    /// Its end has grown, at most.
    End,
    /// Its high watermark too.
    HighWatermark,
    /// Whom it follows, what it knows, or that it was cut.
    State,
}

impl Partition {
    pub(super) fn new(config: &Config, id: PartitionId) -> Partition {
        let copy = |node: &NodeId| Replicated {
            node: *node,
            runs: false,
            leads: false,
            epoch: 0,
            partition_epoch: 0,
            isr: NodeSet::EMPTY,
            maximal: NodeSet::EMPTY,
            end: 0,
            high_watermark: 0,
            last_epoch: None,
            incarnation: 0,
            verified: 0,
            lossy: false,
            lost: (0, 0),
            unnoticed: false,
            stale: false,
            wanted: NodeSet::EMPTY,
            unclean: false,
            outdated: None,
            misled: false,
            broken: 0,
        };
        Partition {
            id,
            truth: Log::new(FileId(0)),
            floor: 0,
            recut: false,
            state: config.first_state(id),
            owners: Vec::new(),
            copies: config.replicas(id).iter().map(copy).collect(),
            broken: 0,
            acked: 0,
            spare: config.effective_min_isr(id).saturating_sub(1),
            epochs: config.has(Rule::TruncateByEpoch),
            bounces: config.metadata == Metadata::ZooKeeper
                || !config.has(Rule::JoinIfEligible)
                || !config.has(Rule::JoinWithBrokerEpoch),
            kraft: config.metadata == Metadata::Kraft,
        }
    }

    /// The place of a broker's replica.
    pub(super) fn place(&self, node: NodeId) -> Option<usize> {
        self.copies.iter().position(|copy| copy.node == node)
    }

    /// A broker has done something to its replica.
    pub(super) fn touched(
        &mut self,
        machines: &[KafkaMachine],
        node: NodeId,
        notes: Notes,
        tell: &mut Tell<'_>,
    ) {
        let Some(at) = self.place(node) else { return };
        let Some(broker) = broker(machines, node) else { return };
        let Some(replica) = broker.replicas[self.id.index()].as_deref() else { return };
        let before = self.copies[at].clone();
        // What was committed before it did so: what it did may have committed more.
        let committed = self.truth.end();
        let changed = self.copies[at].refresh(broker, replica, notes.cut);
        self.bounced(machines, at, &before, replica);
        if replica.log.last_epoch() != before.last_epoch {
            self.appended(at, replica, tell);
        }
        if changed == Changed::State {
            self.look_at(at, &before, broker, replica, tell);
        }
        if changed != Changed::End {
            self.within(at, replica, tell);
            self.judge(machines, at, changed == Changed::State, tell);
        }
        if notes.used != u64::MAX {
            self.used(at, notes.used, committed, tell);
        }
    }

    /// Who is taken for its former self.
    fn bounced(
        &mut self,
        machines: &[KafkaMachine],
        at: usize,
        before: &Replicated,
        replica: &Replica,
    ) {
        let (floor, state, bounces) = (self.floor, self.state, self.bounces);
        let copy = &mut self.copies[at];
        if copy.lossy && !copy.runs && copy.lost != before.lost {
            copy.stale = true;
            // With KRaft it is fenced, and so out of the ISR, before it is back; but not if it was
            // fenced before, and let in all the same.
            let counts = state.isr.has(copy.node) || state.leader == Some(copy.node);
            copy.unnoticed = bounces && counts;
        }
        // It has got something behind what it had more, so it will not cut that any more.
        let goes_on = copy.runs && before.runs && copy.epoch >= floor && copy.end > before.end;
        if goes_on && !copy.misled {
            copy.outdated = None;
        }
        let Role::Leader(leading) = &replica.role else {
            copy.wanted = NodeSet::EMPTY;
            return;
        };
        let wanted = leading.pending.unwrap_or(NodeSet::EMPTY).minus(replica.isr());
        let new = wanted.minus(std::mem::replace(&mut copy.wanted, wanted));
        for node in new.iter() {
            let known = leading.others.iter().find(|other| other.node == node);
            let is = broker(machines, node).map(Broker::broker_epoch);
            if let Some(place) = self.place(node) {
                self.copies[place].stale = known.map(|other| other.broker_epoch) != is;
            }
        }
    }

    /// A replica by itself: its offsets.
    fn within(&mut self, at: usize, replica: &Replica, tell: &mut Tell<'_>) {
        let copy = &mut self.copies[at];
        let (log, disk) = (&replica.log, &replica.storage);
        let end = log.end();
        let limits = [
            ("high watermark", replica.high_watermark),
            ("flushed", disk.flushed),
            ("recovery point", disk.recovery_point),
            ("log start", log.start()),
            ("last epoch", replica.epochs.entries().last().map_or(0, |(_, start)| *start)),
        ];
        let wrong = limits.into_iter().find(|(_, offset)| *offset > end);
        let leads = copy.leads && replica.state.is_none_or(|state| state.leader != Some(copy.node));
        let (node, id) = (copy.node, Some(self.id));
        let which = (Invariant::TypeOk, node);
        tell.holds(&mut copy.broken, which, id, wrong.is_none() && !leads, |_| match wrong {
            Some((what, offset)) => format!("{what} {offset}, and its log ends at {end}"),
            None => format!("it leads, and was told of {:?}", replica.state),
        });
    }

    /// A replica whose last record has another epoch than before.
    fn appended(&mut self, at: usize, replica: &Replica, tell: &mut Tell<'_>) {
        let copy = &mut self.copies[at];
        let Some(epoch) = copy.last_epoch.filter(|epoch| copy.leads && *epoch == copy.epoch) else {
            return;
        };
        let node = copy.node;
        let known = self.owners.iter().rfind(|(other, _)| *other == epoch).copied();
        let other = known.map_or(node, |(_, other)| other);
        if known.is_none() {
            self.owners.push((epoch, node));
        }
        let which = (Invariant::UniqueLeaderPerEpoch, node);
        tell.holds(&mut copy.broken, which, Some(self.id), other == node, |config| {
            let end = replica.log.end();
            format!("appends in epoch {epoch}, up to {end}, as {} did", name(config, other))
        });
    }

    /// A replica by itself: its epochs, and whom it fetches from.
    fn look_at(
        &mut self,
        at: usize,
        before: &Replicated,
        broker: &Broker,
        replica: &Replica,
        tell: &mut Tell<'_>,
    ) {
        let (copy, id) = (&mut self.copies[at], Some(self.id));
        let same_life = before.runs && copy.runs && before.incarnation == copy.incarnation;
        let (was, is) =
            ((before.epoch, before.partition_epoch), (copy.epoch, copy.partition_epoch));
        let back = same_life && (is.0 < was.0 || is.1 < was.1);
        let entries = replica.epochs.entries();
        let unordered = entries.windows(2).find(|two| two[1].0 <= two[0].0 || two[1].1 < two[0].1);
        let from = before.end.min(copy.verified);
        let of_log = self.epochs.then(|| epochs_descend(&replica.log, from)).flatten();
        let which = (Invariant::EpochMonotonic, copy.node);
        let holds = !back && unordered.is_none();
        tell.holds(&mut copy.broken, which, id, holds, |_| match unordered {
            Some(two) => format!("epochs in its cache (epoch, offset): {two:?}"),
            None => format!("it knew leader and partition epoch {was:?}, and now {is:?}"),
        });
        if let Some((one, next)) = of_log {
            let which = (Invariant::LogMatching, copy.node);
            tell.holds(&mut copy.broken, which, id, false, |_| {
                format!("a record of epoch {next} behind one of {one}")
            });
        }
        let mut fetched = broker.fetches_from(self.id);
        let first = fetched.next();
        let too_many = first.filter(|_| copy.leads).or(fetched.next());
        let which = (Invariant::ValidFetcherState, copy.node);
        let leads = copy.leads;
        tell.holds(&mut copy.broken, which, id, too_many.is_none(), |config| {
            let [first, second] =
                [first, too_many].map(|node| node.map_or("nobody", |node| name(config, node)));
            if leads {
                format!("it leads, and fetches from {first}")
            } else {
                format!("it fetches from {first}, and from {second}")
            }
        });
    }

    /// A leader has acted by a high watermark, when so much was committed.
    fn used(&mut self, at: usize, used: u64, end: u64, tell: &mut Tell<'_>) {
        let copy = &mut self.copies[at];
        if !copy.leads || copy.epoch != self.state.leader_epoch || self.recut {
            return;
        }
        let which = (Invariant::AppliedHwMonotonic, copy.node);
        tell.holds(&mut copy.broken, which, Some(self.id), used >= end, |_| {
            format!("it acts by the high watermark {used}, and {end} was one already")
        });
    }

    /// Whether a replica has what is committed below `upto`.
    pub(super) fn has(&mut self, machines: &[KafkaMachine], at: usize, upto: u64) -> bool {
        let (truth, copy) = (&self.truth, &mut self.copies[at]);
        if copy.end < upto {
            return false;
        }
        let to = upto.min(truth.end());
        if copy.verified < to {
            let Some(log) = log_of(machines, copy.node, self.id) else { return false };
            copy.verified = same_up_to(log, truth, (copy.verified, to), self.epochs);
        }
        copy.verified >= to
    }

    /// A leader lets consumers read up to its high watermark: that is committed.
    pub(super) fn expose(&mut self, machines: &[KafkaMachine], at: usize) {
        let (from, copy) = (self.truth.end(), &mut self.copies[at]);
        let to = copy.high_watermark.min(copy.end);
        if to <= from || copy.verified < from {
            return;
        }
        let Some(log) = log_of(machines, copy.node, self.id) else { return };
        for piece in log.read(from, to) {
            self.truth.append(piece);
        }
        copy.verified = self.truth.end();
        if copy.isr.len() > self.spare {
            self.acked = self.truth.end();
        }
    }
}

impl Replicated {
    /// Takes over what the replica is now; `cut` is the least that its end was since.
    fn refresh(&mut self, broker: &Broker, replica: &Replica, cut: u64) -> Changed {
        let runs = replica.state.is_some() && broker.status != Status::Off;
        let state = replica.state.unwrap_or(PartitionState::NONE);
        let leads = runs && matches!(replica.role, Role::Leader(_));
        let maximal = if leads { replica.counted_isr(broker.config()) } else { NodeSet::EMPTY };
        let was_cut = cut < self.end;
        let same = runs == self.runs
            && leads == self.leads
            && (state.leader_epoch, state.partition_epoch) == (self.epoch, self.partition_epoch)
            && (state.isr, maximal) == (self.isr, self.maximal)
            && !was_cut;
        self.unclean |= self.runs && !runs && broker.marks.clean.is_none();
        let moved = replica.high_watermark != self.high_watermark;
        if was_cut {
            self.verified = self.verified.min(cut);
            if !runs {
                (self.lossy, self.lost) = (true, (self.end, self.lost.1.max(self.epoch)));
            }
            if self.outdated.is_some_and(|upto| cut <= upto) {
                self.outdated = None;
            }
        }
        // What was deleted for its age or size nobody misses.
        self.verified = self.verified.max(replica.log.start());
        (self.runs, self.leads) = (runs, leads);
        (self.epoch, self.partition_epoch) = (state.leader_epoch, state.partition_epoch);
        (self.isr, self.maximal) = (state.isr, maximal);
        (self.end, self.high_watermark) = (replica.log.end(), replica.high_watermark);
        (self.last_epoch, self.incarnation) = (replica.log.last_epoch(), broker.incarnation);
        match (same, moved) {
            (false, _) => Changed::State,
            (true, true) => Changed::HighWatermark,
            (true, false) => Changed::End,
        }
    }
}

/// The log of a broker's replica.
fn log_of(machines: &[KafkaMachine], node: NodeId, partition: PartitionId) -> Option<&Log> {
    let replicas = &broker(machines, node)?.replicas;
    replicas[partition.index()].as_deref().map(|replica| &replica.log)
}

/// The first two neighbouring records from an offset on whose epochs descend.
fn epochs_descend(log: &Log, from: u64) -> Option<(u32, u32)> {
    let mut last = None;
    for piece in log.read(from, u64::MAX) {
        if let Some(last) = last.filter(|last| *last > piece.epoch) {
            return Some((last, piece.epoch));
        }
        last = Some(piece.epoch);
    }
    None
}

/// Up to where two logs are the same, of this range.
fn same_up_to(one: &Log, other: &Log, (from, upto): (u64, u64), epochs: bool) -> u64 {
    let (mut ones, mut others) = (one.read(from, upto), other.read(from, upto));
    let (mut a, mut b) = (ones.next(), others.next());
    let mut at = from;
    while let (Some(x), Some(y)) = (a, b) {
        let (xs, ys) = (&x.messages, &y.messages);
        let number = |first: u32, base: u64| u64::from(first) + at - base;
        let same = x.base <= at
            && y.base <= at
            && xs.producer == ys.producer
            && number(xs.first, x.base) == number(ys.first, y.base)
            && (!epochs || x.epoch == y.epoch);
        if !same {
            break;
        }
        at = x.end().min(y.end());
        if x.end() <= at {
            a = ones.next();
        }
        if y.end() <= at {
            b = others.next();
        }
    }
    at.min(upto)
}
