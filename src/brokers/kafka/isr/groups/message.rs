//! What members ask a coordinator, and what it answers.

use crate::brokers::kafka::PartitionId;
use crate::engine::Span;
use crate::observe::NodeId;

use super::super::error::Error;
use super::super::sequence::Identity as Producer;
use super::super::transactions::TxnId;
use super::MemberId;
use super::assign::Assignor;
use super::record::Position;

/// `group.protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Members agree by JoinGroup and SyncGroup.
    Classic,
    /// The coordinator assigns, by heartbeats (KIP-848).
    Consumer,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its `member.id`.
    pub member: MemberId,
    /// Its generation, or member epoch.
    pub generation: u32,
    /// Whether it is a static member: its `group.instance.id` is that of its client.
    pub instance: bool,
}

/// What a member had when it joined (ConsumerProtocolSubscription, from version 1 on).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// In which generation; `None` if it never was in one.
    pub generation: Option<u32>,
    /// What.
    pub partitions: Vec<PartitionId>,
}

/// `JoinGroup`.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Its member id, if it has one.
    pub member: Option<MemberId>,
    /// Whether it is a static member.
    pub instance: bool,
    /// `session.timeout.ms`.
    pub session: Span,
    /// How long a rebalance waits for it.
    pub rebalance: Span,
    /// Its assignors, the preferred one first.
    pub assignors: Vec<Assignor>,
    /// The topic that it subscribes to.
    pub topic: u32,
    /// What it has; only told by assignors that move as little as may be.
    pub owned: Owned,
}

/// What the group's leader is told of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Who.
    pub member: MemberId,
    /// Whether it is a static member: these keep their places when they restart.
    pub instance: bool,
    /// The topic that it subscribes to.
    pub topic: u32,
    /// What it has.
    pub owned: Owned,
}

/// The answer to `JoinGroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The member's id.
    pub member: MemberId,
    /// The generation.
    pub generation: u32,
    /// Which assignor.
    pub assignor: Assignor,
    /// All members, if it is the one who assigns.
    pub members: Option<Vec<Offered>>,
}

/// `ConsumerGroupHeartbeat` (KIP-848).
#[derive(Clone, Debug, PartialEq)]
pub struct Beat {
    /// Its id, which it makes itself.
    pub member: MemberId,
    /// The epoch that it knows; 0 joins, -1 leaves, -2 leaves for a while.
    pub epoch: i32,
    /// Whether it is a static member.
    pub instance: bool,
    /// How long it may take to give partitions up.
    pub rebalance: Span,
    /// What it subscribes to.
    pub topic: u32,
    /// What it has, if that has changed.
    pub owned: Option<Vec<PartitionId>>,
}

/// A request to a coordinator.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupRequest {
    /// `FindCoordinator`: any broker answers.
    FindCoordinator,
    /// `OffsetCommit`.
    OffsetCommit {
        /// Who commits.
        who: Option<Identity>,
        /// What.
        offsets: Vec<(PartitionId, Position)>,
    },
    /// `OffsetFetch`.
    OffsetFetch {
        /// Of which partitions.
        partitions: Vec<PartitionId>,
        /// Whether to wait for transactions that commit them (`require_stable`, KIP-447).
        stable: bool,
    },
    /// `TxnOffsetCommit`, of a producer.
    TxnOffsetCommit {
        /// Its transactional id.
        id: TxnId,
        /// Which producer.
        by: Producer,
        /// The member whose positions they are (KIP-447).
        who: Option<Identity>,
        /// What.
        offsets: Vec<(PartitionId, Position)>,
    },
    /// `JoinGroup`.
    Join(Box<Join>),
    /// `SyncGroup`, with what the leader assigns.
    Sync {
        /// Who.
        who: Identity,
        /// By member; nothing if it is not the leader.
        assignments: Vec<(MemberId, Vec<PartitionId>)>,
    },
    /// `Heartbeat`.
    Heartbeat(Identity),
    /// `LeaveGroup`.
    Leave(MemberId),
    /// `ConsumerGroupHeartbeat`.
    Beat(Box<Beat>),
}

/// An answer of a coordinator.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupResponse {
    /// Of `FindCoordinator`.
    Coordinator(Error, Option<NodeId>),
    /// Of `OffsetCommit`, `Heartbeat`, `LeaveGroup`.
    Done(Error),
    /// Of `OffsetFetch`: what is committed, if anything is. And what was, and has expired: that is not in
    /// Kafka's answer, and explains what the group skips.
    Offsets(Error, Vec<(PartitionId, Option<Position>)>, Vec<PartitionId>),
    /// Of `JoinGroup`. With MEMBER_ID_REQUIRED only the id counts.
    Joined(Error, Option<Box<Joined>>),
    /// Of `SyncGroup`: what is assigned.
    Synced(Error, Vec<PartitionId>),
    /// Of `ConsumerGroupHeartbeat`: the member epoch, and what is assigned if that has changed.
    Beat(Error, u32, Option<Vec<PartitionId>>),
}

impl GroupRequest {
    /// Bytes on the wire behind the header.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        let each = |count: usize| count as u32;
        60 + match self {
            GroupRequest::OffsetCommit { offsets, .. }
            | GroupRequest::TxnOffsetCommit { offsets, .. } => each(offsets.len()) * 22,
            GroupRequest::OffsetFetch { partitions, .. } => each(partitions.len()) * 4,
            GroupRequest::Join(join) => 80 + each(join.owned.partitions.len()) * 4,
            GroupRequest::Sync { assignments, .. } => {
                assignments.iter().map(|(_, own)| 60 + each(own.len()) * 4).sum()
            }
            GroupRequest::Beat(beat) => 40 + each(beat.owned.as_ref().map_or(0, Vec::len)) * 4,
            GroupRequest::FindCoordinator | GroupRequest::Heartbeat(_) | GroupRequest::Leave(_) => {
                40
            }
        }
    }

    /// The same kind of answer with nothing but an error.
    #[must_use]
    pub fn refused(&self, error: Error) -> GroupResponse {
        match self {
            GroupRequest::FindCoordinator => GroupResponse::Coordinator(error, None),
            GroupRequest::OffsetCommit { .. }
            | GroupRequest::TxnOffsetCommit { .. }
            | GroupRequest::Heartbeat(_)
            | GroupRequest::Leave(_) => GroupResponse::Done(error),
            GroupRequest::OffsetFetch { .. } => {
                GroupResponse::Offsets(error, Vec::new(), Vec::new())
            }
            GroupRequest::Join(_) => GroupResponse::Joined(error, None),
            GroupRequest::Sync { .. } => GroupResponse::Synced(error, Vec::new()),
            GroupRequest::Beat(_) => GroupResponse::Beat(error, 0, None),
        }
    }
}

impl GroupResponse {
    /// The same answer, refused.
    pub fn refuse(&mut self, error: Error) {
        match self {
            GroupResponse::Coordinator(old, _)
            | GroupResponse::Done(old)
            | GroupResponse::Offsets(old, ..)
            | GroupResponse::Joined(old, _)
            | GroupResponse::Synced(old, _)
            | GroupResponse::Beat(old, ..) => *old = error,
        }
    }

    /// Bytes on the wire behind the header.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        let each = |count: usize| count as u32;
        24 + match self {
            GroupResponse::Offsets(_, offsets, _) => each(offsets.len()) * 22,
            GroupResponse::Joined(_, Some(joined)) => {
                let all = joined.members.iter().flatten();
                60 + all.map(|member| 80 + each(member.owned.partitions.len()) * 4).sum::<u32>()
            }
            GroupResponse::Synced(_, own) => each(own.len()) * 4,
            GroupResponse::Beat(_, _, own) => each(own.as_ref().map_or(0, Vec::len)) * 4,
            GroupResponse::Coordinator(..) | GroupResponse::Done(_) | GroupResponse::Joined(..) => {
                20
            }
        }
    }
}
