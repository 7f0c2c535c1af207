//! What a coordinator writes to `__consumer_offsets`: all that outlives it.

use crate::brokers::kafka::PartitionId;
use crate::engine::Span;

use super::super::sequence::Identity as Producer;
use super::assign::Assignor;
use super::message::{Owned, Protocol};
use super::{GroupId, MemberId};

/// A committed position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The offset of the next message.
    pub offset: u64,
    /// The leader epoch of the message before it, if that was known (KIP-320).
    pub epoch: Option<u32>,
}

/// A member, as `GroupMetadataValue` has it, or the records of KIP-848.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// Who.
    pub id: MemberId,
    /// Whether it is a static member.
    pub instance: bool,
    /// Its session time-out.
    pub session: Span,
    /// Its rebalance time-out.
    pub rebalance: Span,
    /// Its assignors.
    pub assignors: Vec<Assignor>,
    /// What it subscribes to.
    pub topic: u32,
    /// What it had when it joined.
    pub owned: Owned,
    /// What is assigned to it.
    pub assignment: Vec<PartitionId>,
    /// Its member epoch, with KIP-848.
    pub epoch: u32,
    /// What it still has to give up, with KIP-848.
    pub revoking: Vec<PartitionId>,
}

/// A batch of records of `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffsetsRecord {
    /// `OffsetCommitValue`, one a partition.
    Offsets {
        /// Whose.
        group: GroupId,
        /// What.
        offsets: Vec<(PartitionId, Position)>,
        /// In whose transaction, if in one.
        by: Option<Producer>,
    },
    /// Tombstones of offsets that have expired.
    Expired {
        /// Whose.
        group: GroupId,
        /// Of which partitions.
        partitions: Vec<PartitionId>,
    },
    /// `GroupMetadataValue`: the group as it is.
    Group {
        /// Which.
        group: GroupId,
        /// Which protocol its members speak.
        protocol: Protocol,
        /// Its generation, or group epoch.
        generation: u32,
        /// Who assigns.
        leader: Option<MemberId>,
        /// Which assignor.
        assignor: Option<Assignor>,
        /// Its members.
        members: Vec<MemberRecord>,
    },
}

impl OffsetsRecord {
    /// How many records it is.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            OffsetsRecord::Offsets { offsets, .. } => offsets.len() as u32,
            OffsetsRecord::Expired { partitions, .. } => partitions.len() as u32,
            OffsetsRecord::Group { .. } => 1,
        }
    }

    /// Bytes in the log, but for the batch's header.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            OffsetsRecord::Offsets { offsets, .. } => offsets.len() as u32 * 90,
            OffsetsRecord::Expired { partitions, .. } => partitions.len() as u32 * 40,
            OffsetsRecord::Group { members, .. } => {
                let member = |member: &MemberRecord| 160 + member.assignment.len() as u32 * 4;
                60 + members.iter().map(member).sum::<u32>()
            }
        }
    }
}
