//! A replica of a partition, and what a leader knows of the others (Partition, Replica).

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::{Log, Piece};
use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::FileId;

use super::super::config::{Config, Metadata};
use super::super::content::Content;
use super::super::groups::OffsetsRecord;
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::super::state::PartitionState;
use super::epochs::EpochCache;
use super::producers::ProducerStates;
use super::segments::Segments;
use super::transactions::OpenTransactions;
use super::values::Values;

/// A replica on this broker.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Of which partition.
    pub partition: PartitionId,
    /// Its records.
    pub log: Log,
    /// The files that those are in.
    pub segments: Segments,
    /// Where epochs begin in it.
    pub epochs: EpochCache,
    /// The idempotent producers that have written to it.
    pub producers: ProducerStates,
    /// The transactions that have written to it.
    pub transactions: OpenTransactions,
    /// What is in the batches whose contents matter.
    pub values: Values,
    /// Its high watermark: what is before it is committed, as far as it knows.
    pub high_watermark: u64,
    /// What the controller said last; `None` before it said anything.
    pub state: Option<PartitionState>,
    /// What it is.
    pub role: Role,
    /// Consumers' fetches that wait for data: connections.
    pub fetches: Vec<u32>,
    /// Connections over which followers ask for it again and again.
    pub sessions: Vec<u32>,
    /// In how many of those it is quiet.
    pub quiet_for: u32,
    /// Since which offset it has been the only member of the ISR, if it leads or led alone: for
    /// the explanation of what is lost.
    pub alone_since: Option<u64>,
    /// The leader epochs in which it led, for the explanation of what is lost.
    pub led: Vec<u32>,
    /// Whom it followed in which leader epoch, for the same.
    pub followed: Vec<(u32, NodeId)>,
    /// Up to where every member of the ISR had its log at some time, as far as it was ever told; its
    /// high watermark is behind that after a start. For the explanation of what is lost.
    pub replicated: u64,
    /// What of it is on the disk, and when it was last brought there.
    pub storage: Storage,
    /// Offline: its disk has failed (KIP-112).
    pub offline: bool,
    /// For the invariants; nobody else reads it.
    pub notes: Notes,
}

/// What happened to a replica since invariants were last looked at.
#[derive(Clone, Copy, Debug)]
pub struct Notes {
    /// It is among those that the broker touched.
    pub touched: bool,
    /// The least end that its log has had.
    pub cut: u64,
    /// The least high watermark by which it acted as a leader.
    pub used: u64,
}

impl Default for Notes {
    fn default() -> Notes {
        Notes { touched: false, cut: u64::MAX, used: u64::MAX }
    }
}

/// How far a log is on the disk.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Up to where the log is on the disk for certain (`recovery point`).
    pub flushed: u64,
    /// Up to where the last flush was asked for.
    pub flushing: u64,
    /// Appended since the last flush was asked for.
    pub unflushed: u64,
    /// An append has not ended: from this offset on it waits for the disk.
    pub held: Option<u64>,
    /// When it was last flushed.
    pub last_flush: Time,
    /// Grows when the log is cut: a flush that began before says nothing then.
    pub life: u32,
    /// The high watermark in the file `replication-offset-checkpoint`.
    pub checkpointed: u64,
    /// The offset in the file `recovery-point-offset-checkpoint`.
    pub recovery_point: u64,
}

/// What a replica is to its partition.
#[derive(Clone, Debug)]
pub enum Role {
    /// Nobody has told it.
    None,
    /// It leads.
    Leader(Box<Leading>),
    /// It follows the leader of its state, if there is one.
    Follower,
}

/// What a leader keeps beside its log.
#[derive(Clone, Debug)]
pub struct Leading {
    /// Where its epoch began.
    pub epoch_start: u64,
    /// The ISR that it has asked for and that is not decided yet.
    pub pending: Option<NodeSet>,
    /// Whether the request for it is on its way.
    pub in_flight: bool,
    /// The other replicas.
    pub others: Vec<Remote>,
    /// Writes that wait for an offset: (offset, place, which), by offset.
    pub waiting: std::collections::VecDeque<(u64, u32, u32)>,
}

/// What a leader knows of another replica.
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    /// Where it is.
    pub node: NodeId,
    /// The end of its log: the offset of its last fetch. Unknown before its first one in this
    /// epoch.
    pub end: Option<u64>,
    /// When it last was caught up, by the rule of the version.
    pub caught_up: Time,
    /// When it last fetched.
    pub fetched: Time,
    /// The leader's end at its last fetch.
    pub end_at_fetch: u64,
    /// The incarnation that fetched.
    pub broker_epoch: u64,
    /// The high watermark that it was last told (`lastSentHighWatermark`).
    pub told: u64,
}

impl Replica {
    /// An empty one.
    #[must_use]
    pub fn new(partition: PartitionId) -> Replica {
        Replica {
            partition,
            log: Log::new(FileId(partition.0 + FIRST_LOG)),
            segments: Segments::default(),
            epochs: EpochCache::default(),
            producers: ProducerStates::default(),
            transactions: OpenTransactions::default(),
            values: Values::default(),
            high_watermark: 0,
            state: None,
            role: Role::None,
            fetches: Vec::new(),
            sessions: Vec::new(),
            quiet_for: 0,
            alone_since: None,
            led: Vec::new(),
            followed: Vec::new(),
            replicated: 0,
            storage: Storage {
                flushed: 0,
                flushing: 0,
                unflushed: 0,
                held: None,
                last_flush: Time::ZERO,
                life: 0,
                checkpointed: 0,
                recovery_point: 0,
            },
            offline: false,
            notes: Notes::default(),
        }
    }

    /// A batch whose contents matter was appended at this offset.
    pub fn note(&mut self, base: u64, value: Arc<Content>) {
        match &*value {
            Content::Marker(marker) => {
                self.transactions.marked(*marker, base);
                self.producers.marked(marker.by);
            }
            Content::Offsets(OffsetsRecord::Offsets { by: Some(by), .. }, _) => {
                self.transactions.appended(by.id, base);
            }
            Content::Offsets(..) | Content::Transaction(_) => {}
        }
        self.values.push(base, value);
    }

    /// Up to where `read_committed` may read.
    #[must_use]
    pub fn last_stable(&self) -> u64 {
        self.transactions.last_stable(self.high_watermark)
    }

    /// Its high watermark moves.
    pub fn move_high_watermark(&mut self, to: u64) {
        self.high_watermark = to;
        self.replicated = self.replicated.max(to.min(self.log.end()));
    }

    /// Its log was cut; what was known of it goes up to its end at most.
    pub fn forget_behind_end(&mut self) {
        let end = self.log.end();
        self.values.truncate(end);
        self.transactions.cut(end);
        self.producers.marked_by(&self.transactions);
        self.notes.cut = self.notes.cut.min(end);
        self.high_watermark = self.high_watermark.min(end);
        self.replicated = self.replicated.min(end);
        let storage = &mut self.storage;
        storage.life = storage.life.wrapping_add(1);
        storage.flushed = storage.flushed.min(end);
        storage.flushing = storage.flushing.min(end);
        storage.recovery_point = storage.recovery_point.min(end);
        self.segments.cut(end, self.log.length());
    }

    /// Its log has begun anew, somewhere.
    pub fn begins_anew(&mut self, batches_kept: usize) {
        let at = self.log.start();
        self.segments = Segments::at(at);
        self.epochs.clear();
        self.producers.cut(&self.log, batches_kept);
        self.values.truncate(0);
        self.transactions.cut(0);
        self.storage.held = None;
        self.forget_behind_end();
        let storage = &mut self.storage;
        (storage.flushed, storage.flushing, storage.recovery_point) = (at, at, at);
        // UnifiedLog.java, `truncateFullyAndStartAt`: what is before is committed.
        self.high_watermark = at;
        self.replicated = at;
    }

    /// A part of its log in parts of which the same is known, the last first.
    #[must_use]
    pub fn told_apart(&self, piece: &Piece) -> Vec<Piece> {
        let mut bounds = [self.replicated, self.alone_since.unwrap_or(0)];
        bounds.sort_unstable();
        let mut parts = Vec::new();
        let mut rest = *piece;
        for bound in bounds.into_iter().rev() {
            if !rest.whole && rest.base < bound && bound < rest.end() {
                let keep = rest.count_before(bound);
                if keep > 0 && keep < rest.messages.count {
                    parts.push(rest.part(keep, rest.messages.count - keep));
                    rest = rest.part(0, keep);
                }
            }
        }
        parts.push(rest);
        parts
    }

    /// Whether its leader led already when it had this from it.
    #[must_use]
    pub fn had_from_leader(&self, piece: &Piece) -> bool {
        let leader = self.state.and_then(|state| state.leader);
        leader.is_some_and(|leader| self.followed.contains(&(piece.epoch, leader)))
    }

    /// Whether it was the only member of the ISR when it had this.
    #[must_use]
    pub fn had_alone(&self, piece: &Piece) -> bool {
        let led = self.led.last().is_some_and(|led| piece.epoch <= *led);
        led && self.alone_since.is_some_and(|since| piece.base >= since)
    }

    /// Whether it leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The leader epoch that it knows.
    #[must_use]
    pub fn leader_epoch(&self) -> u32 {
        self.state.map_or(0, |state| state.leader_epoch)
    }

    /// The ISR that is decided, as far as it knows.
    #[must_use]
    pub fn isr(&self) -> NodeSet {
        self.state.map_or(NodeSet::EMPTY, |state| state.isr)
    }

    /// The members whose ends count while a change is under way (Partition.scala 2.7, `maximalIsr`;
    /// KIP-497): those of either. Before that the ISR changes at once when it does.
    #[must_use]
    pub fn counted_isr(&self, config: &Config) -> NodeSet {
        let pending = match &self.role {
            Role::Leader(leading) => leading.pending,
            _ => None,
        };
        match pending {
            Some(pending) if config.has(Rule::MaximalIsr) => self.isr().or(pending),
            _ => self.isr(),
        }
    }

    /// The high watermark that the ends of the replicas allow, of brokers that are `alive` as far
    /// as this one knows: never less than before
    /// (Partition.scala, `maybeIncrementLeaderHW`).
    #[must_use]
    pub fn allowed_high_watermark(&self, config: &Config, alive: NodeSet, now: Time) -> u64 {
        let Role::Leader(leading) = &self.role else { return self.high_watermark };
        if config.has(Rule::FreezeHwBelowMinIsr)
            && self.isr().len() < config.effective_min_isr(self.partition)
        {
            return self.high_watermark;
        }
        // A leader that writes its ISR to ZooKeeper does so with the partition's lock held: nothing
        // moves before the answer (Partition.scala 2.6, `maybeExpandIsr`, `maybeShrinkIsr`:
        // `inWriteLock(leaderIsrUpdateLock)`).
        let locked = config.metadata == Metadata::ZooKeeper && !config.has(Rule::MaximalIsr);
        if locked && leading.pending.is_some() {
            return self.high_watermark;
        }
        let isr = self.counted_isr(config);
        let lag = config.settings.lag_time;
        let mut least = self.log.end().min(self.storage.held.unwrap_or(u64::MAX));
        for other in &leading.others {
            let counts = isr.has(other.node)
                || (config.has(Rule::CaughtUpReplicasBoundHw)
                    && other.end.is_some()
                    && (alive.has(other.node) || !config.has(Rule::HwWaitsForEligible))
                    && now.since(other.caught_up) <= lag);
            if counts {
                least = least.min(other.end.unwrap_or(0));
            }
        }
        least.max(self.high_watermark)
    }

    /// The members of the ISR that are late (Partition.scala, `getOutOfSyncReplicas`).
    #[must_use]
    pub fn late(&self, config: &Config, me: NodeId, now: Time) -> NodeSet {
        let Role::Leader(leading) = &self.role else { return NodeSet::EMPTY };
        let (settings, end) = (&config.settings, self.log.end());
        let is_late = |other: &&Remote| {
            let since =
                if config.has(Rule::CaughtUpByFetch) { other.caught_up } else { other.fetched };
            let silent = now.since(since) > settings.lag_time;
            let idle = config.has(Rule::KeepIdleFollowers) && other.end == Some(end);
            let behind = config.has(Rule::LagByMessages)
                && end - other.end.unwrap_or(0).min(end) > settings.lag_messages;
            (silent && !idle) || behind
        };
        let isr = self.isr().without(me);
        let members = leading.others.iter().filter(|other| isr.has(other.node));
        members.filter(is_late).map(|other| other.node).collect()
    }

    /// Whether a follower has what it needs to join the ISR (Partition.scala, `isFollowerInSync`).
    #[must_use]
    pub fn may_join(&self, config: &Config, follower: NodeId) -> bool {
        let Role::Leader(leading) = &self.role else { return false };
        let Some(other) = leading.others.iter().find(|other| other.node == follower) else {
            return false;
        };
        other.end.is_some_and(|end| end >= self.joins_from(config))
    }

    /// Up to where a follower's log must reach for it to join the ISR: to the high watermark, and
    /// to where the leader's epoch began, since a new leader's high watermark may be behind
    /// (Partition.scala 2.1.0, `isFollowerInSync`; KAFKA-7128).
    #[must_use]
    pub fn joins_from(&self, config: &Config) -> u64 {
        match &self.role {
            Role::Leader(leading) if config.has(Rule::JoinAtEpochStart) => {
                self.high_watermark.max(leading.epoch_start)
            }
            _ => self.high_watermark,
        }
    }
}

/// Files before this one are the broker's own.
pub const FIRST_LOG: u32 = 2;

impl Leading {
    /// What a new leader knows: nothing of where the others are. Members of the ISR get some time
    /// (Partition.scala 2.8, `makeLeader`).
    #[must_use]
    pub fn new(replicas: &[NodeId], me: NodeId, isr: NodeSet, end: u64, now: Time) -> Leading {
        let remote = |node: &NodeId| Remote {
            node: *node,
            end: None,
            caught_up: if isr.has(*node) { now } else { Time::ZERO },
            fetched: if isr.has(*node) { now } else { Time::ZERO },
            end_at_fetch: if isr.has(*node) { end } else { 0 },
            broker_epoch: 0,
            told: 0,
        };
        Leading {
            epoch_start: end,
            pending: None,
            in_flight: false,
            others: replicas.iter().filter(|node| **node != me).map(remote).collect(),
            waiting: std::collections::VecDeque::new(),
        }
    }

    /// What is known of another replica.
    pub fn other(&mut self, node: NodeId) -> Option<&mut Remote> {
        self.others.iter_mut().find(|other| other.node == node)
    }
}

impl Remote {
    /// It has fetched from an offset (Replica.scala 0.10.2, `updateLogReadResult`; 3.9,
    /// `updateFetchStateOrThrow`).
    pub fn fetched_from(&mut self, config: &Config, offset: u64, leader_end: u64, now: Time) {
        if offset >= leader_end {
            self.caught_up = self.caught_up.max(now);
        } else if config.has(Rule::CaughtUpAtLastFetch) && offset >= self.end_at_fetch {
            self.caught_up = self.caught_up.max(self.fetched);
        }
        self.end = Some(offset);
        self.end_at_fetch = leader_end;
        self.fetched = now;
    }
}

/// How often leaders look for late followers (ReplicaManager.scala, `startup`).
#[must_use]
pub(super) fn isr_check_interval(config: &Config) -> Span {
    let lag = config.settings.lag_time;
    if config.has(Rule::CheckIsrTwiceALag) { lag / 2 } else { lag }
}
